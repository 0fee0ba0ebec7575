"""Accounts joined to providers or ZIPs: customers, revenue, competitors; counts, sums and penetration."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from .antimeridian import points_inside
from .crosswalk import bare_header
from .errors import TerritoryError, name_some
from .geodesy import geocentric
from .states import COUNTRIES
from .tables.cells import cell_text
from .tables.missing import is_missing
from .tables.zips import PIECE, match_units, normalise_zip

WAYS = ("npi", "zip", "location")
EXAMPLES = 3
COUNTRY = re.compile(r"country|ctry|cntry")
OURS = COUNTRIES | {"UNITED STATES OF AMERICA", "840", "PRI", "GUM", "VIR", "ASM", "MNP", "PUERTO RICO", "GUAM"}
"""How files write the United States and its territories, without dots and in capitals."""


def match_by_key(
    account_keys: Sequence[str | None], target_keys: Sequence[str | None]
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions (account, target) with the same key; None matches nothing.

    Parameters
    ----------
    account_keys : sequence of str or None, shape (a,)
    target_keys : sequence of str or None, shape (t,)
        May repeat: an account then belongs to several targets.

    Examples
    --------
    >>> match_by_key(["A", None, "B", "A"], ["A", "C", "A"])
    (array([0, 0, 3, 3]), array([0, 2, 0, 2]))
    """
    targets = pd.Series(np.arange(len(target_keys)), index=pd.Index(list(target_keys), dtype=object), name="target")
    targets = targets[targets.index.notna()]
    accounts = pd.DataFrame({"key": pd.Series(list(account_keys), dtype=object)})
    accounts = accounts[accounts["key"].notna()]
    pairs = accounts.join(targets, on="key", how="inner").sort_index(kind="stable")
    return pairs.index.to_numpy(dtype=int), pairs["target"].to_numpy(dtype=int)


def match_inside(points: np.ndarray, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions (point, polygon that it lies in); on a shared border the first polygon has it.

    Parameters
    ----------
    points : numpy.ndarray of shapely points or None, shape (a,)
    polygons : numpy.ndarray of shapely polygons, shape (t,)
    """
    there = np.flatnonzero(~shapely.is_missing(points))
    row, target = points_inside(points[there], polygons, shapely.STRtree(polygons))
    first = np.unique(row, return_index=True)[1]
    return there[row[first]], target[first]


def match_nearest(points: np.ndarray, targets: np.ndarray, limit_km: float) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions (point, the target nearest to it) no farther apart than a limit.

    Parameters
    ----------
    points, targets : numpy.ndarray of shapely points or None
        Degrees on WGS84.
    """
    there, placed = np.flatnonzero(~shapely.is_missing(points)), np.flatnonzero(~shapely.is_missing(targets))
    if not len(there) or not len(placed):
        return np.array([], dtype=int), np.array([], dtype=int)
    tree = cKDTree(geocentric(shapely.get_coordinates(targets[placed])))
    distance, nearest = tree.query(geocentric(shapely.get_coordinates(points[there])))
    near = distance <= limit_km
    return there[near], placed[nearest[near]]


def country_column(names: Sequence[str], zip_field: str) -> str | None:
    """Return the column of the country that goes with a column of ZIPs, or None.

    >>> country_column(["Billing Country", "Shipping Country", "Shipping Zip"], "Shipping Zip")
    'Shipping Country'
    >>> country_column(["Billing Country", "zip"], "zip") is None
    True
    """
    place, found = bare_header(zip_field), {}
    for name in names:
        if match := COUNTRY.search(bare_header(name)):
            before = bare_header(name)[: match.start()]
            if place.startswith(before):
                found.setdefault(len(before), name)
    return found[max(found)] if found else None


def foreign(countries: Sequence[object]) -> list[str | None]:
    """Return the country of each row that lies outside the United States and its territories, None for the others.

    >>> foreign(["US", "U.S.A.", "MX", None, "PR", "Canada"])
    [None, None, 'MX', None, None, 'Canada']
    """
    texts = [cell_text(value) for value in countries]
    return [None if is_missing(text) or _plain_country(text) in OURS else text for text in texts]


def _plain_country(text: str) -> str:
    return " ".join(text.replace(".", "").upper().split())


@dataclass(frozen=True)
class ZipMatch:
    """Accounts joined by ZIP.

    Attributes
    ----------
    account, target : numpy.ndarray of int, shape (p,)
        Pairs that belong together.
    reason : list of str, length a
        Why an account would have no match.
    through : int
        Accounts that matched through the crosswalk.
    """

    account: np.ndarray
    target: np.ndarray
    reason: list[str]
    through: int


def match_by_zip(
    zips: Sequence[object],
    targets: Sequence[object],
    crosswalk: Mapping[str, str] | None = None,
    countries: Sequence[str | None] | None = None,
) -> ZipMatch:
    """Join accounts to rows with their ZIP, else with the ZIP that a crosswalk leads to.

    Parameters
    ----------
    zips : sequence of length a
        Of the accounts, as written.
    targets : sequence of length t
        ZIPs, or ids of pieces of divided ones, as written.
    crosswalk : mapping of ZIP to ZIP, optional
        Asked for ZIPs that no target has.
    countries : sequence of str or None, length a, optional
        Countries outside the United States (`foreign`): their postcodes are no ZIPs.

    Examples
    --------
    >>> found = match_by_zip(["60601", "60680", "60601"], ["60601", "60607"], {"60680": "60607"}, [None, None, "MX"])
    >>> found.account.tolist(), found.target.tolist(), found.reason[2]
    ([0, 1], [0, 1], 'country is MX')
    """
    wanted = target_zips(targets)
    known = {key for key in wanted if key is not None}
    keys, reason, through = [], [], 0
    abroad = countries or [None] * len(zips)
    for key, country in zip(match_units(zips, list(known)).codes, abroad):
        end = crosswalk.get(key) if crosswalk and key is not None and key not in known else None
        text = "no ZIP can be read"
        if country is not None:
            key, text = None, f"country is {country}"
        elif end in known:
            key, through = end, through + 1
        elif key is not None:
            text = f"ZIP {key} is not in the layer"
            if end is not None:
                text += f", nor is {end}, to which the crosswalk leads"
            elif crosswalk is not None:
                text += ", nor in the crosswalk"
        keys.append(key)
        reason.append(text)
    return ZipMatch(*match_by_key(keys, wanted), reason, through)


def check_matches(
    who: str, lost: np.ndarray, ours: Sequence[object], theirs: Sequence[object], called: str, way_out: str
) -> list[str]:
    """Return a warning where fewer than half of the rows of a join have a match.

    Parameters
    ----------
    who : str
        What the rows are, as "account".
    lost : numpy.ndarray of bool, shape (a,)
        Rows without a match.
    ours, theirs : sequence
        The key of each of them and of each row that they are joined to, as written.
    called : str
        What the key is, as "ZIP".
    way_out : str

    Raises
    ------
    TerritoryError
        When none has a match. The message has examples of both sides, as the warning has.
    """
    kept = int((~lost).sum())
    if 2 * kept >= len(lost):
        return []
    there = name_some([key for key in dict.fromkeys(theirs) if not is_missing(cell_text(key))][:EXAMPLES]) or "nothing"
    here = dict.fromkeys(key for key, gone in zip(ours, lost) if gone and not is_missing(cell_text(key)))
    examples = (
        f"{who.capitalize()}s without one have {called}s like {name_some(list(here)[:EXAMPLES]) or 'nothing'}; the "
        f"layer has {called}s like {there}. {way_out}"
    )
    if kept:
        return [f"Only {kept:,} of {len(lost):,} {who}s {'has' if kept == 1 else 'have'} a match. {examples}"]
    raise TerritoryError(f"No {who} has a match. {examples}")


def target_zips(values: Sequence[object]) -> list[str | None]:
    """Return ZIPs in five digits, and pieces of divided ones as they are; None for what is neither.

    >>> target_zips(["501", "10001-2", "Loop"])
    ['00501', '10001-2', None]
    """
    texts = [cell_text(value) for value in values]
    return [text if text and PIECE.fullmatch(text) else code for text, code in zip(texts, normalise_zip(values))]


def gather(
    account: np.ndarray, target: np.ndarray, targets: int, values: np.ndarray, competitor: np.ndarray | None = None
) -> pd.DataFrame:
    """Return counts and sums of the accounts of each target.

    An account of several targets (sites with one NPI) is shared by them equally in the sums, so that these add
    up to the accounts' own; counts say how many accounts a target has.

    Parameters
    ----------
    account, target : numpy.ndarray of int, shape (p,)
        Pairs that belong together.
    targets : int
    values : numpy.ndarray of float, shape (a, m)
        NaN counts as nothing.
    competitor : numpy.ndarray of bool, shape (a,), optional
        Accounts that are a competitor's: they count apart and are in no sum.

    Returns
    -------
    pandas.DataFrame, one row per target
        ``accounts``, ``competitors``, ``sum_0`` … ``sum_{m-1}``.
    """
    theirs = np.zeros(len(values), dtype=bool) if competitor is None else np.asarray(competitor, dtype=bool)
    account, target = np.asarray(account, dtype=int), np.asarray(target, dtype=int)  # empty ones have no type
    share = 1 / np.bincount(account, minlength=len(values))[account]
    ours = ~theirs[account]
    out = {
        "accounts": np.bincount(target[ours], minlength=targets),
        "competitors": np.bincount(target[~ours], minlength=targets),
    }
    known = np.nan_to_num(np.asarray(values, dtype=float))
    for at, column in enumerate(known.T):
        out[f"sum_{at}"] = np.bincount(target[ours], weights=(column[account] * share)[ours], minlength=targets)
    return pd.DataFrame(out)


def penetration(part: np.ndarray, whole: np.ndarray) -> np.ndarray:
    """Return part / whole in per cent, NaN where there is nothing to penetrate.

    >>> penetration(np.array([1.0, 0.0, 2.0]), np.array([4.0, 5.0, 0.0])).tolist()
    [25.0, 0.0, nan]
    """
    whole = np.asarray(whole, dtype=float)
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.where(whole > 0, 100 * np.asarray(part, dtype=float) / whole, np.nan)
