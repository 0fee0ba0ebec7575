"""Which units touch: contiguity edges, bridges over water, barriers, and the graph made of them.

Clean coverages, in which neighbours share their vertices, are matched exactly: every border segment is
looked up by its two ends. Only segments that nobody shares, the free ones, are searched for neighbours
within a tolerance: vertices on the middle of a neighbour's segment, slivers and small overlaps.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
import shapely

from .errors import TerritoryError, name_some
from .geodesy import distance_km as geodesic_km
from .geodesy import metres_per_degree, segment_lengths_m
from .progress import IsCancelled, Progress, ignore, never, stop_if

EDGE_COLUMNS = ["from_unit", "to_unit", "border_m", "distance_km", "kind"]
SLIVER_TOLERANCE_M = 1.0

# Vertices are snapped to this grid, about a centimetre, so that a place is one whole number.
_STEPS_PER_DEGREE = 10_000_000
_LAT_BITS = 31
_LAT_MASK = (1 << _LAT_BITS) - 1
# Small batches stay in the processor's cache and are several times faster than whole arrays.
_BATCH_UNITS = 256
_BATCH_ROWS = 1 << 15
_CHAIN_SEGMENTS = 32
_STEEPEST_SLIVER = np.tan(np.radians(30))
_LEAST_SLIVER_TOLERANCES = 3


def unit_centres(geometries: Sequence[shapely.Geometry]) -> np.ndarray:
    """Return one place per unit that distances are measured from.

    The centroid, or a point inside where the centroid falls outside the unit (a crescent, a ring).

    Parameters
    ----------
    geometries : array_like of shapely geometries, length n
        Longitude and latitude in degrees.

    Returns
    -------
    numpy.ndarray, shape (n, 2)
        Longitude and latitude in degrees.
    """
    geometries = _as_geometries(geometries)
    centres = np.empty((len(geometries), 2))
    for rows in _slices(len(geometries), _BATCH_UNITS):
        batch = geometries[rows]
        centre = shapely.centroid(batch)
        outside = np.flatnonzero(~shapely.intersects_xy(batch, shapely.get_x(centre), shapely.get_y(centre)))
        if len(outside):
            centre[outside] = shapely.point_on_surface(batch[outside])
        centres[rows, 0] = shapely.get_x(centre)
        centres[rows, 1] = shapely.get_y(centre)
    return centres


def contiguity_edges(
    geometries: Sequence[shapely.Geometry],
    unit_ids: Sequence[str],
    criterion: str = "queen",
    sliver_tolerance_m: float = SLIVER_TOLERANCE_M,
    centres: np.ndarray | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Return the pairs of units that touch.

    Rook contiguity asks for a stretch of shared border, queen contiguity for a shared place at least.

    Parameters
    ----------
    geometries : array_like of shapely Polygon or MultiPolygon, length n
        Longitude and latitude in degrees.
    unit_ids : sequence of str, length n
        Unique ids.
    criterion : {'queen', 'rook'}
    sliver_tolerance_m : float
        Borders of two units that nobody shares exactly count as one where they face each other at no
        more than this distance, gap or overlap, in metres. 0 asks for exact matches only.
    centres : array_like, shape (n, 2), optional
        Where distances are measured from, when `unit_centres` has been called already.

    Returns
    -------
    pandas.DataFrame
        One row per pair, ordered by ids: `from_unit` < `to_unit`, `border_m` length of shared border in
        metres (0 for a point), `distance_km` between the centres along the ellipsoid, `kind` 'border'
        or 'point'.

    Raises
    ------
    TerritoryError
        Empty geometries, other geometries than polygons, coordinates that are not degrees, duplicate ids.

    Notes
    -----
    Time grows linearly with the number of vertices: segments are joined through a hash table of their
    midpoints and compared by their ends, so a collision costs time and never a wrong pair.
    """
    if criterion not in ("queen", "rook"):
        raise TerritoryError(f"Contiguity is 'queen' or 'rook', not '{criterion}'.")
    geometries, unit_ids = _checked(geometries, unit_ids)
    n = len(unit_ids)
    progress(0.0, "Reading borders")
    borders = _borders(geometries, cancelled)
    progress(0.4, "Matching borders")
    twins = _twins(borders)
    stop_if(cancelled)
    free = _free(borders, twins)
    stretches = [_exact_stretches(borders, twins).per_pair(n)]
    contacts = _Contacts.none()
    if sliver_tolerance_m > 0:
        progress(0.6, "Matching slivers")
        near, contacts = _near_stretches(borders, free, sliver_tolerance_m, cancelled)
        code, metres = near.per_pair(n)
        long_enough = (metres > _LEAST_SLIVER_TOLERANCES * sliver_tolerance_m) | np.isin(code, stretches[0][0])
        stretches.append((code[long_enough], metres[long_enough]))
    code, metres = _sum_by_code(*(np.concatenate(column) for column in zip(*stretches)))
    stop_if(cancelled)
    if criterion == "queen":
        progress(0.8, "Matching corners")
        points = np.setdiff1d(_point_codes(borders, free, contacts, n), code, assume_unique=True)
        code, metres = np.concatenate([code, points]), np.concatenate([metres, np.zeros(len(points))])
    centres = unit_centres(geometries) if centres is None else np.asarray(centres, dtype=float)
    progress(0.95, "Measuring distances")
    edges = _edge_frame(code // n, code % n, metres, unit_ids, centres)
    progress(1.0, f"{len(edges):,} pairs of neighbours")
    return edges


# --- borders as arrays ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Borders:
    """All rings of all units as one run of segments; segment i leads from place start[i] to stop[i].

    Attributes
    ----------
    start, stop : int64, shape (m,)
        Places as whole numbers, see `_places`.
    unit, ring : int32, shape (m,)
        Whose segment it is.
    """

    start: np.ndarray
    stop: np.ndarray
    unit: np.ndarray
    ring: np.ndarray


@dataclass(frozen=True)
class _Stretches:
    """Pieces of border that two units share: segment numbers of one, the units, and metres."""

    segment: np.ndarray
    a: np.ndarray
    b: np.ndarray
    metres: np.ndarray

    def per_pair(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one code ``low * n + high`` per pair of units, ascending, and its metres of border."""
        code = np.minimum(self.a, self.b).astype(np.int64) * n + np.maximum(self.a, self.b)
        return _sum_by_code(code, self.metres)


@dataclass(frozen=True)
class _Contacts:
    """Places of vertices that lie on the border of a unit which has no vertex there."""

    place: np.ndarray
    unit: np.ndarray

    @classmethod
    def none(cls) -> _Contacts:
        return cls(np.empty(0, np.int64), np.empty(0, np.int32))


def _borders(geometries: np.ndarray, cancelled: IsCancelled = never) -> _Borders:
    places, sizes, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    for rows in _slices(len(geometries), _BATCH_UNITS):
        stop_if(cancelled)
        parts, unit = shapely.get_parts(geometries[rows], return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        size = shapely.get_num_coordinates(rings)
        closing = np.cumsum(size) - 1
        places.append(np.delete(_places(shapely.get_coordinates(rings)), closing))
        sizes.append(size - 1)
        owners.append(unit[part] + rows.start)
    size = np.concatenate(sizes)
    ring = np.repeat(np.arange(len(size), dtype=np.int32), size)
    unit = np.repeat(np.concatenate(owners).astype(np.int32), size)
    start = np.concatenate(places)
    stop = _next_in_ring(start, ring)
    moves = start != stop
    if not moves.all():
        start, ring, unit = start[moves], ring[moves], unit[moves]
        stop = _next_in_ring(start, ring)
    return _Borders(start, stop, unit, ring)


def _places(lonlat: np.ndarray) -> np.ndarray:
    """Return places as whole numbers: longitude in the high bits, latitude in the low ones.

    180° east and 180° west are the same place.
    """
    out = np.empty(len(lonlat), np.int64)
    half_turn, quarter_turn = 180 * _STEPS_PER_DEGREE, 90 * _STEPS_PER_DEGREE
    for rows in _slices(len(lonlat), _BATCH_ROWS):
        steps = lonlat[rows] * _STEPS_PER_DEGREE
        steps = np.rint(steps, out=steps).astype(np.int64)
        steps += (half_turn, quarter_turn)
        if steps[:, 0].max() >= 2 * half_turn or steps[:, 0].min() < 0:
            steps[:, 0] %= 2 * half_turn
        place = np.left_shift(steps[:, 0], _LAT_BITS, out=out[rows])
        place += steps[:, 1]
    return out


def _lonlat(places: np.ndarray) -> np.ndarray:
    """Return degrees, shape (n, 2): the way back from `_places`."""
    out = np.empty((len(places), 2))
    np.divide(places >> _LAT_BITS, _STEPS_PER_DEGREE, out=out[:, 0])
    np.divide(places & _LAT_MASK, _STEPS_PER_DEGREE, out=out[:, 1])
    out -= (180, 90)
    return out


def _ring_ends(ring: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the numbers of the first and the last segment of each ring."""
    if not len(ring):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    change = np.flatnonzero(ring[1:] != ring[:-1])
    return np.concatenate([[0], change + 1]), np.concatenate([change, [len(ring) - 1]])


def _next_in_ring(values: np.ndarray, ring: np.ndarray) -> np.ndarray:
    first, last = _ring_ends(ring)
    out = np.empty_like(values)
    out[:-1] = values[1:]
    out[last] = values[first]
    return out


def _previous_in_ring(values: np.ndarray, ring: np.ndarray) -> np.ndarray:
    first, last = _ring_ends(ring)
    out = np.empty_like(values)
    out[1:] = values[:-1]
    out[first] = values[last]
    return out


def _lengths_m(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    out = np.empty(len(start))
    for rows in _slices(len(start), _BATCH_ROWS):
        out[rows] = segment_lengths_m(_lonlat(start[rows]), _lonlat(stop[rows]))
    return out


# --- exact matches -------------------------------------------------------------------------------------


def _first_alike(code: np.ndarray, alike: Callable[[np.ndarray, np.ndarray], np.ndarray]) -> np.ndarray:
    """Return for every row the number of one representative row that is alike; rows alike get the same.

    A hash join: each bucket of a table is won by one of its rows. Rows alike share the code, hence the
    bucket, so all that are alike with the winner are settled at once; the others go into the next round.
    """
    settled = np.empty(len(code), np.int32)
    rows = np.arange(len(code), dtype=np.int32)
    multiplier = np.uint64(0x9E3779B97F4A7C15)
    while len(rows):
        bits = max(int(len(rows) - 1).bit_length(), 1) + 1
        shift = np.uint64(64 - bits)
        bucket = np.empty(len(rows), np.int32)
        for part in _slices(len(rows), _BATCH_ROWS):
            mixed = code[rows[part]].view(np.uint64)
            mixed = (mixed ^ (mixed >> np.uint64(32))) * multiplier
            mixed = (mixed ^ (mixed >> np.uint64(29))) * multiplier
            bucket[part] = mixed >> shift
        table = np.empty(1 << bits, np.int32)
        table[bucket] = rows
        winner = table[bucket]
        done = winner == rows
        check = np.flatnonzero(~done)
        done[check] = alike(rows[check], winner[check])
        settled[rows[done]] = winner[done]
        rows = rows[~done]
    return settled


def _pairs_alike(representative: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of rows with the same representative, each pair once."""
    one = np.flatnonzero(representative != np.arange(len(representative), dtype=np.int32)).astype(np.int32)
    other = representative[one]
    followers = np.bincount(other, minlength=1)
    crowded = one[followers[other] > 1]
    if not len(crowded):
        return one, other
    more_one, more_other = _pairs_in_groups(crowded, representative[crowded])
    return np.concatenate([one, more_one]), np.concatenate([other, more_other])


def _pairs_in_groups(members: np.ndarray, group: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of members of the same group, each pair once."""
    order = np.argsort(group, kind="stable")
    members, group = members[order], group[order]
    ones, others = [members[:0]], [members[:0]]
    rows, offset = np.arange(len(group)), 1
    while len(rows):
        rows = rows[rows + offset < len(group)]
        rows = rows[group[rows] == group[rows + offset]]
        ones.append(members[rows])
        others.append(members[rows + offset])
        offset += 1
    return np.concatenate(ones), np.concatenate(others)


def _twins(borders: _Borders) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of segments with the same two ends, whatever their direction."""
    start, stop = borders.start, borders.stop
    middle = start + stop

    def alike(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        begin = start[i]
        return (middle[i] == middle[j]) & ((begin == stop[j]) | (begin == start[j]))

    return _pairs_alike(_first_alike(middle, alike))


def _free(borders: _Borders, twins: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return which segments have no twin."""
    free = np.ones(len(borders.start), bool)
    free[twins[0]] = False
    free[twins[1]] = False
    return free


def _exact_stretches(borders: _Borders, twins: tuple[np.ndarray, np.ndarray]) -> _Stretches:
    one, other = twins
    a, b = borders.unit[one], borders.unit[other]
    if (same := a == b).any():
        one, a, b = one[~same], a[~same], b[~same]
    return _Stretches(one, a, b, _lengths_m(borders.start[one], borders.stop[one]))


def _point_codes(borders: _Borders, free: np.ndarray, contacts: _Contacts, n: int) -> np.ndarray:
    """Return the codes of pairs of units that have a place in common.

    A vertex of two units whose segments there are shared says nothing new: the segments' other owner is
    the second unit. So only vertices of more units, or with a free segment, are looked at.
    """
    start = borders.start

    def alike(i: np.ndarray, j: np.ndarray) -> np.ndarray:
        return start[i] == start[j]

    representative = _first_alike(start, alike)
    times = np.bincount(representative, minlength=1)[representative]
    at_free = free | _previous_in_ring(free, borders.ring)
    vertices = np.flatnonzero((times > 2) | ((times == 2) & at_free))
    one, other = _pairs_in_groups(borders.unit[vertices], representative[vertices])
    if len(contacts.place):
        place = start[vertices]
        order = np.argsort(place, kind="stable")
        place, unit = place[order], borders.unit[vertices][order]
        low, high = np.searchsorted(place, contacts.place), np.searchsorted(place, contacts.place, "right")
        found = _ranges(low, high - low)
        one = np.concatenate([one, unit[found]])
        other = np.concatenate([other, np.repeat(contacts.unit, high - low)])
    return _unit_codes(one, other, n)


def _unit_codes(one: np.ndarray, other: np.ndarray, n: int) -> np.ndarray:
    differ = one != other
    one, other = one[differ].astype(np.int64), other[differ].astype(np.int64)
    return np.unique(np.minimum(one, other) * n + np.maximum(one, other))


# --- matches within a tolerance ------------------------------------------------------------------------


def _chains(borders: _Borders, segments: np.ndarray, longest: int = _CHAIN_SEGMENTS) -> np.ndarray:
    """Return where, in ascending `segments`, chains of at most `longest` consecutive ones begin."""
    breaks = np.ones(len(segments), bool)
    breaks[1:] = (np.diff(segments) != 1) | (np.diff(borders.ring[segments]) != 0)
    begin = np.flatnonzero(breaks)
    since = np.arange(len(segments)) - np.repeat(begin, np.diff(np.append(begin, len(segments))))
    return np.flatnonzero(since % longest == 0)


@dataclass(frozen=True)
class _FreeChains:
    """Free segments in short chains with their bounding boxes, and which chains come near each other."""

    segments: np.ndarray
    begin: np.ndarray
    count: np.ndarray
    lonlat: np.ndarray
    box: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, borders: _Borders, free: np.ndarray) -> _FreeChains:
        segments = np.flatnonzero(free)
        begin = _chains(borders, segments)
        lonlat = np.hstack([_lonlat(borders.start[segments]), _lonlat(borders.stop[segments])])
        corners = np.hstack([np.minimum(lonlat[:, :2], lonlat[:, 2:]), np.maximum(lonlat[:, :2], lonlat[:, 2:])])
        box = np.empty((len(begin), 4))
        if len(begin):
            box[:, :2] = np.minimum.reduceat(corners[:, :2], begin)
            box[:, 2:] = np.maximum.reduceat(corners[:, 2:], begin)
        count = np.diff(np.append(begin, len(segments)))
        return cls(segments, begin, count, lonlat, box, borders.unit[segments[begin]])

    def near_pairs(self, pad: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return pairs of chains of different units whose boxes, one of them padded, meet."""
        tree = shapely.STRtree(shapely.box(*self.box.T))
        one, other = tree.query(shapely.box(*(self.box + pad).T))
        keep = (one < other) & (self.unit[one] != self.unit[other])
        return one[keep], other[keep]


def _padding(box: np.ndarray, metres: float) -> np.ndarray:
    """Return what to add to boxes (west, south, east, north) in degrees to widen them by metres."""
    steepest = np.minimum(np.abs(box[:, [1, 3]]).max(axis=1, initial=0), 89.9)
    east_m, north_m = metres_per_degree(steepest)
    lon, lat = 1.01 * metres / east_m, 1.01 * metres / north_m
    return np.column_stack([-lon, -lat, lon, lat])


def _near_stretches(
    borders: _Borders, free: np.ndarray, tolerance_m: float, cancelled: IsCancelled
) -> tuple[_Stretches, _Contacts]:
    """Return where free segments of different units run side by side, and vertices on foreign borders."""
    segments, others, metres = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0)]
    places, units = [_Contacts.none().place], [_Contacts.none().unit]
    chains = _FreeChains.of(borders, free)
    pad = _padding(chains.box, tolerance_m)
    one, other = chains.near_pairs(pad)
    for rows in _slices(len(one), 4096):
        stop_if(cancelled)
        s, t = _near_segments(chains, one[rows], other[rows], pad)
        length, at_s, at_t = _side_by_side(chains.lonlat[s], chains.lonlat[t], tolerance_m)
        s, t = chains.segments[s], chains.segments[t]
        along = length > 0
        segments.append(s[along])
        others.append(t[along])
        metres.append(length[along])
        for vertex_of, border_of, near in ((t, s, at_s), (s, t, at_t)):
            for end, place in enumerate((borders.start, borders.stop)):
                vertex, border = vertex_of[near[:, end]], border_of[near[:, end]]
                foreign = (place[vertex] != borders.start[border]) & (place[vertex] != borders.stop[border])
                places.append(place[vertex][foreign])
                units.append(borders.unit[border][foreign])
    s, t, length = np.concatenate(segments), np.concatenate(others), np.concatenate(metres)
    contacts = _Contacts(np.concatenate(places), np.concatenate(units))
    return _Stretches(s, borders.unit[s], borders.unit[t], length), contacts


def _near_segments(
    chains: _FreeChains, one: np.ndarray, other: np.ndarray, pad: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of rows of `chains.segments`, one of each chain, whose padded boxes meet."""
    pair = np.repeat(np.arange(len(one)), chains.count[one])
    s = _ranges(chains.begin[one], chains.count[one])
    meets = _boxes_meet(_segment_box(chains.lonlat[s]) + pad[one[pair]], chains.box[other[pair]])
    pair, s = pair[meets], s[meets]
    t = _ranges(chains.begin[other[pair]], chains.count[other[pair]])
    s, pair = np.repeat(s, chains.count[other[pair]]), np.repeat(pair, chains.count[other[pair]])
    meets = _boxes_meet(_segment_box(chains.lonlat[s]) + pad[one[pair]], _segment_box(chains.lonlat[t]))
    return s[meets], t[meets]


def _segment_box(lonlat: np.ndarray) -> np.ndarray:
    return np.hstack([np.minimum(lonlat[:, :2], lonlat[:, 2:]), np.maximum(lonlat[:, :2], lonlat[:, 2:])])


def _boxes_meet(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, :2] <= b[:, 2:]).all(axis=1) & (b[:, :2] <= a[:, 2:]).all(axis=1)


def _side_by_side(s: np.ndarray, t: np.ndarray, tolerance_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Compare pairs of segments in a flat frame of metres along each first one.

    Parameters
    ----------
    s, t : numpy.ndarray, shape (m, 4)
        Longitude and latitude of start, then of stop.

    Returns
    -------
    length : numpy.ndarray, shape (m,)
        Metres of s beside which t runs, when t is within the tolerance over the whole stretch in which
        they face each other and deviates from its direction by no more than 30°; else 0.
    at_s, at_t : numpy.ndarray of bool, shape (m, 2)
        Whether start and stop of t lie within the tolerance of s, and those of s of t.
    """
    east_m, north_m = metres_per_degree(s[:, 1])
    points = []
    for lonlat in (s[:, 2:], t[:, :2], t[:, 2:]):
        east = lonlat[:, 0] - s[:, 0]
        east -= 360 * np.rint(east / 360)
        points.append(np.column_stack([east * east_m, (lonlat[:, 1] - s[:, 1]) * north_m]))
    along, begin, end = points
    long = np.hypot(*along.T)
    unit = along / long[:, None]
    x0, y0 = _cross_and_along(unit, begin)
    x1, y1 = _cross_and_along(unit, end)
    low, high = np.maximum(np.minimum(x0, x1), 0), np.minimum(np.maximum(x0, x1), long)
    run, drift = x1 - x0, y1 - y0
    with np.errstate(divide="ignore", invalid="ignore"):
        slope = drift / run
        y_low, y_high = y0 + (low - x0) * slope, y0 + (high - x0) * slope
        beside = (
            (high > low)
            & (np.abs(drift) <= _STEEPEST_SLIVER * np.abs(run))
            & (np.abs(y_low) <= tolerance_m)
            & (np.abs(y_high) <= tolerance_m)
        )
    length = np.where(beside, high - low, 0.0)
    zero = np.zeros_like(begin)
    at_s = np.column_stack([_reach(begin, zero, along), _reach(end, zero, along)]) <= tolerance_m
    at_t = np.column_stack([_reach(zero, begin, end), _reach(along, begin, end)]) <= tolerance_m
    return length, at_s, at_t


def _cross_and_along(unit: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (unit * point).sum(axis=1), unit[:, 0] * point[:, 1] - unit[:, 1] * point[:, 0]


def _reach(point: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distance from points to segments, in a plane."""
    along = end - begin
    share = ((point - begin) * along).sum(axis=1) / (along * along).sum(axis=1)
    return np.hypot(*(begin + np.clip(share, 0, 1)[:, None] * along - point).T)


# --- small tools ---------------------------------------------------------------------------------------


def _as_geometries(geometries: Sequence[shapely.Geometry]) -> np.ndarray:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _checked(geometries: Sequence[shapely.Geometry], unit_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    geometries, unit_ids = _as_geometries(geometries), np.asarray(unit_ids)
    if len(geometries) != len(unit_ids):
        raise TerritoryError(f"{len(geometries):,} geometries came with {len(unit_ids):,} unit ids.")
    repeated = pd.Index(unit_ids).duplicated()
    if repeated.any():
        raise TerritoryError(
            f"Unit ids occur more than once: {name_some(pd.unique(unit_ids[repeated]))}. "
            "Dissolve the units by id or choose another id field."
        )
    empty = shapely.is_missing(geometries) | shapely.is_empty(geometries)
    if empty.any():
        raise TerritoryError(
            f"Units without geometry: {name_some(unit_ids[empty])}. Remove them or give them a polygon."
        )
    areal = np.isin(shapely.get_type_id(geometries), (3, 6))
    if not areal.all():
        raise TerritoryError(f"Units that are not polygons: {name_some(unit_ids[~areal])}. Neighbours need polygons.")
    bounds = shapely.bounds(geometries)
    wrong = ~((np.abs(bounds[:, [1, 3]]) <= 90).all(axis=1) & (np.abs(bounds[:, [0, 2]]) <= 360).all(axis=1))
    if wrong.any():
        raise TerritoryError(
            f"Coordinates are not longitude and latitude in degrees: {name_some(unit_ids[wrong])}. "
            "Check the layer's coordinate reference system."
        )
    return geometries, unit_ids


def _slices(count: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


def _ranges(begin: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return begin, begin + 1, ... (count of them) for each row, one after the other."""
    total = np.cumsum(count)
    shift = begin - (total - count)
    return np.arange(total[-1] if len(total) else 0) + np.repeat(shift, count)


def _sum_by_code(code: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct codes, ascending, and the sum of the values of each.

    Runs of one code, which follow each other along a border, are summed before anything is sorted.
    """
    if not len(code):
        return code, values
    begin = np.flatnonzero(np.diff(code, prepend=code[0] - 1))
    distinct, which = np.unique(code[begin], return_inverse=True)
    return distinct, np.bincount(which, np.add.reduceat(values, begin), minlength=len(distinct))


def _edge_frame(
    a: np.ndarray, b: np.ndarray, metres: np.ndarray, unit_ids: np.ndarray, centres: np.ndarray
) -> pd.DataFrame:
    rank = np.empty(len(unit_ids), np.int64)
    rank[np.argsort(unit_ids, kind="stable")] = np.arange(len(unit_ids))
    swap = rank[a] > rank[b]
    a, b = np.where(swap, b, a), np.where(swap, a, b)
    order = np.lexsort((rank[b], rank[a]))
    a, b, metres = a[order], b[order], metres[order]
    return pd.DataFrame(
        {
            "from_unit": unit_ids[a],
            "to_unit": unit_ids[b],
            "border_m": metres,
            "distance_km": geodesic_km(centres[a], centres[b]),
            "kind": np.where(metres > 0, "border", "point").astype(object),
        }
    )
