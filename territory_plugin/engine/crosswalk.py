"""Crosswalks: from ZIPs without a polygon to the unit that they lie in, one unit each."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import Count, TerritoryError, name_some
from .tables.cells import cell_text
from .tables.headers import plain_header
from .tables.missing import is_missing
from .tables.numbers import require_numbers
from .tables.zips import match_units, normalise_zip

ZIP_NAMES = ("zip", "zipcode", "zip5", "zipcode5", "uspszip", "uspszipcode", "postalcode", "zcode")
UNIT_NAMES = (
    "zctause", "zcta", "zcta5", "zctacode", "zcta5code", "zcta5ce20", "zcta5ce10", "zcta520", "zcta510", "geoidzcta520",
    "geoidzcta510", "zcta2020", "zcta2010",
)  # fmt: skip
POLYGON_NAMES = (*UNIT_NAMES, "geoid20", "geoid10", *ZIP_NAMES)
RATIO_NAMES = (
    "busratio", "totratio", "resratio", "afact", "afact2", "allocationfactor", "allocfactor", "ratio", "zipratio",
    "share", "pct", "percent", "percentage", "weight", "othratio",
)  # fmt: skip
"""Columns of shares: businesses first, as practices are, then all addresses, then homes; then allocation factors."""
SAME = 1e-9
EXAMPLES = 3


def bare_header(name: str) -> str:
    """Return a column's name without the differences that files make: capitals, blanks, marks.

    >>> bare_header("ZIP_Code"), bare_header("\\ufeffzcta use")
    ('zipcode', 'zctause')
    """
    return plain_header(name).replace("_", "")


def find_columns(names: Sequence[str], usual: Sequence[str]) -> list[str]:
    """Return the columns that have one of some usual names, in the order of these.

    >>> find_columns(["ZIP_CODE", "City", "ZCTA5"], ZIP_NAMES)
    ['ZIP_CODE']
    """
    plain = [bare_header(name) for name in names]
    return [name for wanted in usual for name, found in zip(names, plain) if found == wanted]


@dataclass(frozen=True)
class Columns:
    """Which columns of a crosswalk are taken.

    Attributes
    ----------
    zip, unit : str
    ratios : tuple of str
        The first decides, those behind it where it does not.
    unused : tuple of str
        Columns that are called like those of the unit, too.
    """

    zip: str
    unit: str
    ratios: tuple[str, ...] = ()
    unused: tuple[str, ...] = ()

    def told(self) -> str:
        """Return which columns were taken, for the log."""
        ratio = f", “{self.ratios[0]}” for shares" if self.ratios else ""
        unused = f" Not used: {name_some(f'“{name}”' for name in self.unused)}." if self.unused else ""
        return f"The crosswalk: “{self.zip}” is taken for the ZIP, “{self.unit}” for the polygon{ratio}.{unused}"


def choose_columns(names: Sequence[str], zip_field: str = "", unit_field: str = "", ratio_field: str = "") -> Columns:
    """Return the columns of a crosswalk: those named, else those with the usual names.

    Parameters
    ----------
    names : sequence of str
        The table's columns.
    zip_field, unit_field, ratio_field : str
        Those that the user named.

    Raises
    ------
    TerritoryError
        When there is no column for the ZIP or for the polygon.

    Examples
    --------
    >>> choose_columns(["ZIP_CODE", "ZCTA", "RES_RATIO"])
    Columns(zip='ZIP_CODE', unit='ZCTA', ratios=('RES_RATIO',), unused=())
    """
    # a column named for one role has no other
    free = [name for name in names if name not in (zip_field, unit_field, ratio_field)]
    units = [unit_field] if unit_field else find_columns(free, UNIT_NAMES)
    zips = [zip_field] if zip_field else [name for name in find_columns(free, ZIP_NAMES) if name not in units[:1]]
    for found, usual, parameter in ((zips, "zip or zip_code", "CROSSWALK_ZIP_FIELD"),
                                    (units, "zcta or zcta5", "CROSSWALK_UNIT_FIELD")):  # fmt: skip
        if not found:
            raise TerritoryError(
                f"The crosswalk has no column named like {usual} (it has {', '.join(names)}); name it in {parameter}."
            )
    ratios = [ratio_field] if ratio_field else find_columns(free, RATIO_NAMES)
    return Columns(zips[0], units[0], tuple(ratios), (*zips[1:], *units[1:]))


def read_crosswalk(
    columns: Mapping[str, Sequence[object]], chosen: Columns, units: Collection[str] | None = None
) -> tuple[dict[str, str], list[str]]:
    """Return the one unit of each ZIP, and what a person should know.

    A ZIP that lies in several units goes to the one with the largest share.

    Parameters
    ----------
    columns : mapping of str to sequence of length n
        The table's columns, those chosen at least.
    chosen : Columns
    units : collection of str, optional
        Ids of the units at hand. ZIPs that are units themselves, and those that lie in none of them, need no crosswalk:
        what it says of them is not questioned.

    Returns
    -------
    mapping : dict of str to str
    notes : list of str

    Raises
    ------
    TerritoryError
        When shares are no numbers, and when a ZIP lies in several units and none has the largest share.

    Examples
    --------
    >>> table = {"zip": ["60680", "60680"], "zcta": ["60607", "60636"], "res_ratio": [0.97, 0.03]}
    >>> read_crosswalk(table, choose_columns(list(table)))[0]
    {'60680': '60607'}
    """
    zips, ends = columns[chosen.zip], columns[chosen.unit]
    frame = pd.DataFrame({
        "zip": normalise_zip(zips),
        "unit": normalise_zip(ends) if units is None else match_units(ends, list(units)).codes,
    })  # fmt: skip
    notes = [chosen.told()]
    for name, found, given in (("ZIP", frame["zip"], zips), ("polygon", frame["unit"], ends)):
        texts = [cell_text(value) for value in given]
        lost = [row for row in np.flatnonzero(found.isna()) if not is_missing(texts[row])]
        if lost:
            notes.append(
                f"{Count(len(lost)):row|rows} of the crosswalk without a {name} that can be read, so without effect: "
                f"{name_some(f'row {row + 1} (“{texts[row]}”)' for row in lost)}."
            )
    frame = frame.dropna()
    counts = Counter(frame.drop_duplicates()["zip"])
    mapping = dict(zip(frame["zip"], frame["unit"]))
    several = frame[frame["zip"].map(counts) > 1]
    if len(several):
        ratios = [f"ratio {at}" for at in range(len(chosen.ratios))]
        several = several.assign(**{ratio: _shares(columns[name], name, several.index, notes)
                                    for ratio, name in zip(ratios, chosen.ratios)})  # fmt: skip
        # rows of one ZIP and one unit (parts in several counties, say) are one
        by = several.groupby(["zip", "unit"], sort=False, as_index=False)
        several = by[ratios].sum() if ratios else several.drop_duplicates()
        best, torn = _largest(several, ratios)
        if units is not None:
            known = set(units)
            torn = {code: ends for code, ends in torn.items() if code not in known and known & set(ends)}
        _refuse(torn, chosen)
        mapping.update(best)
        if best:
            notes.append(_told(several, best, chosen, ratios))
        for code in set(several["zip"]) - best.keys():
            del mapping[code]
    return mapping, notes


def _shares(values: Sequence[object], called: str, rows: pd.Index, notes: list[str]) -> np.ndarray:
    """Return the shares at some rows; what others hold (a second line of headers) does not matter."""
    asked = set(rows)
    labels = [f"row {row + 1}" for row in range(len(values))]
    shares, more = require_numbers(
        [value if row in asked else None for row, value in enumerate(values)], called, labels
    )
    notes += more
    return shares[rows]


def _largest(several: pd.DataFrame, ratios: list[str]) -> tuple[dict[str, str], dict[str, list[str]]]:
    """Return the unit with the largest share of each ZIP, and the units of ZIPs where none has it."""
    left = several
    for ratio in ratios:
        left = left[left[ratio] >= left.groupby("zip")[ratio].transform("max") - SAME]
    alone = ~left["zip"].duplicated(keep=False)
    torn: dict[str, list[str]] = {}
    for code, unit in zip(left["zip"][~alone], left["unit"][~alone]):
        torn.setdefault(code, []).append(unit)
    return dict(zip(left["zip"][alone], left["unit"][alone])), torn


def _refuse(torn: dict[str, list[str]], chosen: Columns) -> None:
    if not torn:
        return
    told = name_some(f"{code} ({name_some(units, 4)})" for code, units in torn.items())
    if chosen.ratios:
        raise TerritoryError(
            f"The crosswalk has {Count(len(torn)):ZIP|ZIPs} whose largest “{chosen.ratios[0]}” is that of several "
            f"polygons: {told}. Leave one row for each of these ZIPs, or name another column of shares in "
            "CROSSWALK_RATIO_FIELD."
        )
    raise TerritoryError(
        f"The crosswalk has {Count(len(torn)):ZIP|ZIPs} with several polygons and no column of shares: {told}. Name "
        "the column of shares in CROSSWALK_RATIO_FIELD (bus_ratio, for practices), or leave one row for each of these "
        "ZIPs."
    )


def _told(several: pd.DataFrame, best: dict[str, str], chosen: Columns, ratios: list[str]) -> str:
    examples = []
    for code, unit in list(best.items())[:EXAMPLES]:
        rows = several[several["zip"] == code]
        share = dict(zip(rows["unit"], rows[ratios[0]]))
        others = name_some((f"{other} ({share[other]:g})" for other in rows["unit"] if other != unit), EXAMPLES)
        examples.append(f"{code} goes to {unit} ({share[unit]:g}), not to {others}")
    more = f", and {len(best) - EXAMPLES:,} more" if len(best) > EXAMPLES else ""
    return (
        f"{Count(len(best)):ZIP lies|ZIPs lie} in several polygons; the largest “{chosen.ratios[0]}” decides: "
        f"{'; '.join(examples)}{more}."
    )
