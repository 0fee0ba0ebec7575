"""All ZIPs by territory: those with a polygon, those that lie in one, and those that nobody knows a place of."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .errors import Count, name_some
from .tables.missing import is_unassigned
from .tables.names import plain_name
from .tables.zips import PIECE, unit_codes

OWN = "own polygon"
THROUGH = "through the crosswalk"
HEAVIEST = "through the crosswalk, to the heaviest piece of {}"
STAYS = "no polygon: stays with today's territory"
ELSEWHERE = "no polygon: its territory has no unit in this market, and stays"
GONE = "no polygon, and today's territory is no more"
NOBODY = "no polygon, and no territory today"
COLUMNS = ("zip", "unit", "territory", "territory_today", "how")


def units_of(
    crosswalk: Mapping[str, str] | None, units: Sequence[str], workload: Sequence[float] | np.ndarray
) -> dict[str, tuple[str, str]]:
    """Return the unit of each ZIP that a crosswalk puts into the market, and how it comes to it.

    ZIPs that are units themselves, or of which units are pieces, are none of these. A ZIP that lies in a divided one
    goes to its heaviest piece.

    Parameters
    ----------
    crosswalk : mapping of ZIP to ZIP, or None
    units : sequence of str, shape (n,)
    workload : sequence of float, shape (n,)

    Examples
    --------
    >>> units_of({"60680": "60607", "60607": "60607", "90001": "90002"}, ["60601", "60607"], [1, 1])
    {'60680': ('60607', 'through the crosswalk')}
    """
    known = dict(zip(unit_codes(units), units))
    heaviest: dict[str, tuple[float, str]] = {}
    for unit, load in zip(units, np.asarray(workload, dtype=float).tolist()):
        if PIECE.fullmatch(unit) and load > heaviest.get(unit[:5], (-1.0, ""))[0]:
            heaviest[unit[:5]] = load, unit
    found = {}
    for code, end in sorted((crosswalk or {}).items()):
        if code in known or code in heaviest:
            continue
        if end in known:
            found[code] = known[end], THROUGH
        elif end in heaviest:
            found[code] = heaviest[end][1], HEAVIEST.format(end)
    return found


def all_zips(
    units: Sequence[str],
    territory: Sequence[str | None],
    beside: Mapping[str, tuple[str, str]],
    current: Sequence[str | None] | None = None,
    apart: Mapping[str, str | None] | None = None,
    names: Mapping[str, str] | None = None,
) -> pd.DataFrame:
    """Return one row for each ZIP, sorted, with its unit and territory.

    Parameters
    ----------
    units : sequence of str, shape (n,)
    territory : sequence of str or None, shape (n,)
        Territory of each unit in the plan.
    beside : mapping of ZIP to (unit, how)
        From `units_of`.
    current : sequence of str or None, shape (n,), optional
        Today's territories.
    apart : mapping of ZIP to str or None, optional
        Today's territory of ZIPs that are no units, in the spelling of `current` where it is one of these.
    names : mapping of str to str, optional
        What today's territories are called now, those that still exist.

    Returns
    -------
    pandas.DataFrame
        ``zip, unit, territory, territory_today, how``.

    Examples
    --------
    >>> table = all_zips(["60601"], ["B"], {}, ["A"], {"60680": "A", "60681": "C"}, {"B": "B"})
    >>> table[["zip", "territory", "how"]].values.tolist()[1]
    ['60680', None, "no polygon, and today's territory is no more"]
    """
    apart, names = apart or {}, names or {}
    of = dict(zip(units, territory))
    held = {name for name in current or [] if name is not None}
    today = current or [None] * len(units)
    rows = [(code, unit, name, old, OWN) for code, unit, name, old in zip(unit_codes(units), units, territory, today)]
    rows += [(code, unit, of[unit], apart.get(code), how) for code, (unit, how) in beside.items()]
    for code, name in apart.items():
        if code in beside:
            continue
        if name is None:
            rows.append((code, None, None, None, NOBODY))
        elif name in names:
            rows.append((code, None, names[name], name, STAYS))
        elif name in held:
            rows.append((code, None, None, name, GONE))
        else:
            rows.append((code, None, name, name, ELSEWHERE))
    rows.sort(key=lambda row: row[0])
    return pd.DataFrame(rows, columns=list(COLUMNS), dtype=object)


def one_spelling(apart: Mapping[str, str | None], current: Sequence[str | None]) -> dict[str, str | None]:
    """Return ZIPs' territories in the spelling that units have.

    >>> one_spelling({"60680": "NORTH east", "60681": "Sea", "60682": "Vacant"}, ["North East", None])
    {'60680': 'North East', '60681': 'Sea', '60682': None}
    """
    known = {plain_name(name): name for name in current if name is not None}
    return {
        code: None if is_unassigned(name) else known.get(plain_name(name), " ".join(name.split()))
        for code, name in apart.items()
    }


def told(table: pd.DataFrame) -> str:
    """Return how many ZIPs came to a territory in which way, for the log."""
    how = table["how"]
    counts = {
        "with a polygon of their own": int((how == OWN).sum()),
        "through the crosswalk": int(how.str.startswith(THROUGH).sum()),
        "without a polygon, with today's territory": int(how.isin([STAYS, ELSEWHERE]).sum()),
        "without a polygon and a territory": int(how.isin([GONE, NOBODY]).sum()),
    }
    listed = ", ".join(f"{count:,} {text}" for text, count in counts.items() if count)
    text = f"All ZIPs by territory: {Count(len(table)):ZIP|ZIPs}, {listed}."
    through = table[how.str.startswith(THROUGH) & table["territory_today"].notna()]
    moved = through[through["territory"] != through["territory_today"]]
    if len(moved):
        rows = zip(moved["zip"], moved["territory_today"], moved["territory"])
        text += (
            f" {Count(len(moved)):ZIP goes|ZIPs go} with the polygon to another territory than today's: "
            f"{name_some(f'{code} ({old} → {new})' for code, old, new in rows)}."
        )
    return text
