"""Units that cover the same land: which pairs do, and which units lie on top of others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely

from .borders import (
    BATCH_UNITS,
    STEPS_PER_DEGREE,
    Borders,
    FreeChains,
    borders_of,
    free_segments,
    near_segments,
    ranges,
    slices,
    twin_segments,
)
from .contiguity import checked
from .progress import IsCancelled, Progress, ignore, never, stop_if

ENCLOSED = 0.99
"""A unit of whose area so much lies in a larger one lies on top of it."""
LEAST_REST = 0.01
"""Share of a unit that is left at least where those on top of it are cut out."""


def overlapping_units(
    geometries: Sequence[shapely.Geometry],
    unit_ids: Sequence[str],
    share: float = 0.01,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Return pairs of units whose interiors overlap by more than a share of the smaller one's area.

    Parameters
    ----------
    geometries : array_like of shapely Polygon or MultiPolygon, length n
        Longitude and latitude in degrees.
    unit_ids : sequence of str, length n
    share : float
        0.01 is one per cent.

    Returns
    -------
    pandas.DataFrame
        `from_unit`, `to_unit`, `share`; the largest share first.

    Notes
    -----
    How many units cover a place changes only over borders that do not cancel: those that nobody shares,
    and those shared by two units on the same side. So wherever units overlap, such a border is shared
    on the same side, crosses another free border, or has a third unit behind it. Only units with such
    a border are intersected with their neighbours, which makes a clean coverage quick to pass.
    """
    geometries, unit_ids = checked(geometries, unit_ids)
    progress(0.0, "Looking for overlaps")
    suspects = _overlap_suspects(geometries, cancelled)
    tree = shapely.STRtree(geometries)
    which, other = tree.query(geometries[suspects])
    pairs = np.column_stack([suspects[which], other])
    pairs = np.unique(np.sort(pairs[pairs[:, 0] != pairs[:, 1]], axis=1), axis=0)
    valid = geometries.copy()
    used = np.unique(pairs)
    broken = used[~shapely.is_valid(geometries[used])]
    valid[broken] = shapely.make_valid(geometries[broken])
    shares = np.zeros(len(pairs))
    for rows in slices(len(pairs), BATCH_UNITS):
        stop_if(cancelled)
        progress(rows.start / len(pairs), "Measuring overlaps")
        one, two = valid[pairs[rows, 0]], valid[pairs[rows, 1]]
        smaller = np.minimum(shapely.area(one), shapely.area(two))
        with np.errstate(invalid="ignore"):  # GEOS leaves the processor's flag set
            common = shapely.area(shapely.intersection(one, two))
        shares[rows] = np.divide(common, smaller, out=np.zeros(len(one)), where=smaller > 0)
    found = np.flatnonzero(shares > share)
    a, b = np.asarray(unit_ids)[pairs[found]].reshape(-1, 2).T
    swap = a > b
    table = pd.DataFrame({"from_unit": np.where(swap, b, a), "to_unit": np.where(swap, a, b), "share": shares[found]})
    return table.sort_values(["share", "from_unit", "to_unit"], ascending=[False, True, True], ignore_index=True)


def enclosed_units(
    geometries: Sequence[shapely.Geometry], unit_ids: Sequence[str], overlaps: pd.DataFrame
) -> dict[int, np.ndarray]:
    """Return the units that others lie on top of, drawn without a hole for them, and those others.

    Copies of one polygon, and units that others cover altogether, are not among them: nothing would be left of them.

    Parameters
    ----------
    geometries : array_like of shapely polygons, length n
    unit_ids : sequence of str, length n
    overlaps : pandas.DataFrame
        As from `overlapping_units`.

    Returns
    -------
    dict of int to numpy.ndarray of int
        Positions of the units on top, ascending, by the position of the one below.
    """
    inside = overlaps[overlaps["share"] >= ENCLOSED]
    position = pd.Index(np.asarray(unit_ids, dtype=object))
    one, other = (position.get_indexer(inside[name]) for name in ("from_unit", "to_unit"))
    geometries = np.asarray(geometries, dtype=object)
    area = shapely.area(geometries)
    smaller = area[one] < area[other]
    top, below = np.where(smaller, one, other), np.where(smaller, other, one)
    found = {}
    for at in np.unique(below):
        on_it = np.unique(top[(below == at) & (area[top] <= (1 - LEAST_REST) * area[at])])
        if len(on_it) and shapely.area(without(geometries[at], geometries[on_it])) >= LEAST_REST * area[at]:
            found[int(at)] = on_it
    return found


def without(shape, others: Sequence[shapely.Geometry]):
    """Return a polygon with holes where others lie."""
    return shapely.difference(shape, shapely.union_all(list(others)))


def _overlap_suspects(geometries: np.ndarray, cancelled: IsCancelled) -> np.ndarray:
    """Return the units with a border that shows an overlap: see the notes of `overlapping_units`."""
    borders = borders_of(geometries, cancelled)
    one, other = twins = twin_segments(borders)
    stop_if(cancelled)
    inside_left = _inside_is_left(borders)
    stop_if(cancelled)
    same_way = borders.start[one] == borders.start[other]
    same_side = (inside_left[one] == inside_left[other]) == same_way
    same_side &= borders.unit[one] != borders.unit[other]
    suspects = [borders.unit[one[same_side]], borders.unit[other[same_side]]]
    stop_if(cancelled)
    chains = FreeChains.of(borders, free_segments(borders, twins))
    if len(chains.begin):
        looked_at = [chains.begin + chains.count // 2]
        pad = np.zeros_like(chains.box)
        near = chains.near_pairs(pad)
        for rows in slices(len(near[0]), 4096):
            stop_if(cancelled)
            s, t = near_segments(chains, near[0][rows], near[1][rows], pad)
            meet = _cross_or_abut(chains.lonlat[s], chains.lonlat[t])
            suspects += [borders.unit[chains.segments[segment]] for segment in (s[meet], t[meet])]
            looked_at += [s, t]
        # where borders meet at a vertex, one of them may go on inside the other's unit
        rows = np.unique(np.concatenate(looked_at))
        found, along = _inside_others(geometries, borders, chains, rows, cancelled)
        suspects += found
        # or run along a border that others share before it does
        of_chain = np.unique(np.searchsorted(chains.begin, rows[along], side="right") - 1)
        more = np.setdiff1d(ranges(chains.begin[of_chain], chains.count[of_chain]), rows)
        suspects += _inside_others(geometries, borders, chains, more, cancelled)[0]
    return np.unique(np.concatenate(suspects)).astype(np.int64)


def _inside_others(
    geometries: np.ndarray, borders: Borders, chains: FreeChains, rows: np.ndarray, cancelled: IsCancelled
) -> tuple[list[np.ndarray], np.ndarray]:
    """Return the units of free segments whose middle is inside another unit, and of those, and which run along one."""
    middles = (chains.lonlat[rows, :2] + chains.lonlat[rows, 2:]) / 2
    points = shapely.points(middles)
    at, covering = shapely.STRtree(geometries).query(points)
    owner = borders.unit[chains.segments[rows[at]]]
    foreign = owner != covering
    at, owner, covering = at[foreign], owner[foreign], covering[foreign]
    asked = geometries[np.unique(covering)]
    shapely.prepare(asked)
    inside, beside = np.zeros((2, len(at)), dtype=bool)
    for part in slices(len(at), 4096):
        stop_if(cancelled)
        inside[part] = shapely.contains_xy(geometries[covering[part]], *middles[at[part]].T)
        beside[part] = shapely.dwithin(geometries[covering[part]], points[at[part]], 2 / STEPS_PER_DEGREE)
    beside &= ~inside
    shapely.destroy_prepared(asked)
    return [owner[inside], covering[inside]], np.unique(at[beside])


def _inside_is_left(borders: Borders) -> np.ndarray:
    """Return for each segment whether its unit lies on its left."""
    if not len(borders.first):
        return np.empty(0, bool)
    sizes = borders.last - borders.first + 1
    start, stop = borders.lonlat(borders.start), borders.lonlat(borders.stop)
    origin = np.repeat(start[borders.first], sizes, axis=0)
    start -= origin
    stop -= origin
    twice_area = start[:, 0] * stop[:, 1] - start[:, 1] * stop[:, 0]
    counter_clockwise = np.add.reduceat(twice_area, borders.first) > 0
    return np.repeat(counter_clockwise != borders.hole, sizes)


def _cross_or_abut(s: np.ndarray, t: np.ndarray) -> np.ndarray:
    """Return whether segments (lon, lat, lon, lat) cross, or an end of one lies on the other but not at its end."""

    def steps(lonlat: np.ndarray) -> np.ndarray:
        return np.rint(lonlat * STEPS_PER_DEGREE)

    def side_and_within(line: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        along, away = steps(line[:, 2:] - line[:, :2]), steps(point - line[:, :2])
        side = np.sign(along[:, 0] * away[:, 1] - along[:, 1] * away[:, 0])
        reach = (along * away).sum(axis=1)
        return side, (side == 0) & (reach > 0) & (reach < (along * along).sum(axis=1))

    sides, abut = [], np.zeros(len(s), bool)
    for line, other in ((s, t), (t, s)):
        (begin, on_begin), (end, on_end) = (side_and_within(line, other[:, at : at + 2]) for at in (0, 2))
        sides.append(begin * end)
        abut |= on_begin | on_end
    return ((sides[0] < 0) & (sides[1] < 0)) | abut
