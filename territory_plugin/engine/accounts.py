"""Accounts joined to providers or ZIPs: customers, revenue, competitors; counts, sums and penetration."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely
from scipy.spatial import cKDTree

from .geodesy import geocentric
from .zipcodes import normalise_zip

WAYS = ("npi", "zip", "location")


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
    return pairs.index.to_numpy(), pairs["target"].to_numpy(dtype=int)


def match_inside(points: np.ndarray, polygons: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions (point, polygon that it lies in); on a shared border the first polygon has it.

    Parameters
    ----------
    points : numpy.ndarray of shapely points or None, shape (a,)
    polygons : numpy.ndarray of shapely polygons, shape (t,)
    """
    there = np.flatnonzero(~shapely.is_missing(points))
    row, target = shapely.STRtree(polygons).query(points[there], predicate="intersects")
    order = np.lexsort((target, row))
    row, target = row[order], target[order]
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


def zip_keys(values: Sequence[object]) -> list[str | None]:
    """Return ZIPs as keys: five digits, None where unreadable."""
    return normalise_zip(values).tolist()


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
    share = 1 / np.bincount(account, minlength=len(values))[account] if len(account) else np.array([])
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
