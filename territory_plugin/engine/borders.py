"""Borders of many polygons as arrays of segments, and the segments that two of them share.

Segments are matched exactly by their ends. Only the free ones, which nobody shares, are compared with
each other within a tolerance: vertices on the middle of a neighbour's segment, slivers, small overlaps.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import shapely

from .antimeridian import extent
from .geodesy import metres_per_degree
from .progress import IsCancelled, never, stop_if

# Vertices are snapped to this grid, about a centimetre, so that a place is one whole number.
STEPS_PER_DEGREE = 10_000_000
LAT_BITS = 31
LAT_MASK = (1 << LAT_BITS) - 1
# Small batches stay in the processor's cache and are several times faster than whole arrays.
BATCH_UNITS = 256
BATCH_ROWS = 1 << 15
# A vertex this near to a segment lies on it: six decimals of a degree, as files have them, leave 8 cm.
TOUCH_M = 0.1
_CHAIN_SEGMENTS = 16
_STEEPEST_SLIVER = np.tan(np.radians(30))


# --- borders as arrays ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class Borders:
    """All rings of all units as one run of segments; segment i leads from place start[i] to stop[i].

    Attributes
    ----------
    start, stop : int64, shape (m,)
        Places as whole numbers, see `places_of`.
    unit : int32, shape (m,)
        Whose segment it is.
    first, last : int64, shape (r,)
        The first and the last segment of each ring.
    hole : bool, shape (r,)
        Which rings bound a hole.
    west : float
        Degrees of longitude that places are counted from: no border of a map in one window crosses it.
    """

    start: np.ndarray
    stop: np.ndarray
    unit: np.ndarray
    first: np.ndarray
    last: np.ndarray
    hole: np.ndarray
    west: float = -180.0

    def lonlat(self, places: np.ndarray) -> np.ndarray:
        """Return places in degrees, shape (n, 2)."""
        return lonlat_of(places, self.west)

    def previous(self, values: np.ndarray) -> np.ndarray:
        """Return for each segment the value of the one before it in its ring."""
        out = np.empty_like(values)
        out[1:] = values[:-1]
        out[self.first] = values[self.last]
        return out


@dataclass(frozen=True)
class Stretches:
    """Pieces of border that two units share: segment numbers of one, the units, and metres."""

    segment: np.ndarray
    a: np.ndarray
    b: np.ndarray
    metres: np.ndarray

    def per_pair(self, n: int) -> tuple[np.ndarray, np.ndarray]:
        """Return one code ``low * n + high`` per pair of units, ascending, and its metres of border."""
        return sum_by_code(self.codes(n), self.metres)

    def codes(self, n: int) -> np.ndarray:
        """Return the code of each piece's pair of units."""
        return np.minimum(self.a, self.b).astype(np.int64) * n + np.maximum(self.a, self.b)


@dataclass(frozen=True)
class Contacts:
    """Places of vertices, whose they are, and the unit on whose border they lie without a vertex of its own."""

    place: np.ndarray
    owner: np.ndarray
    unit: np.ndarray

    @classmethod
    def none(cls) -> Contacts:
        return cls(np.empty(0, np.int64), np.empty(0, np.int32), np.empty(0, np.int32))


def borders_of(geometries: np.ndarray, cancelled: IsCancelled = never) -> Borders:
    places, sizes, owners = [np.empty(0, np.int64)], [np.empty(0, np.int64)], [np.empty(0, np.int64)]
    west = _western_end(geometries)
    holes = [np.empty(0, bool)]
    for rows in slices(len(geometries), BATCH_UNITS):
        stop_if(cancelled)
        parts, unit = shapely.get_parts(geometries[rows], return_index=True)
        rings, part = shapely.get_rings(parts, return_index=True)
        size = shapely.get_num_coordinates(rings)
        place = places_of(shapely.get_coordinates(rings), west)
        kept = np.ones(len(place), bool)
        kept[1:] = place[1:] != place[:-1]
        begin = np.cumsum(size) - size
        kept[begin] = True
        kept[begin + size - 1] = False
        size = np.add.reduceat(kept, begin, dtype=np.int64) if len(begin) else size
        places.append(place[kept])
        sizes.append(size)
        owners.append(unit[part] + rows.start)
        holes.append(np.diff(part, prepend=-1) == 0)
    start, size, owner = np.concatenate(places), np.concatenate(sizes), np.concatenate(owners)
    unit = np.repeat(owner.astype(np.int32), size)
    hole = np.concatenate(holes)[size > 0]
    last = (np.cumsum(size) - 1)[size > 0]
    first = (np.cumsum(size) - size)[size > 0]
    stop = np.empty_like(start)
    stop[:-1] = start[1:]
    stop[last] = start[first]
    return Borders(start, stop, unit, first, last, hole, west)


def _western_end(geometries: np.ndarray) -> float:
    """Return whole degrees west of a map that goes on beyond ±180°; −180 for others, and for the whole globe."""
    west, east = extent(geometries)
    if not (west < -180 or east > 180) or east - np.floor(west) >= 360:
        return -180.0
    return float(np.floor(west))


def places_of(lonlat: np.ndarray, west: float = -180.0) -> np.ndarray:
    """Return places as whole numbers: longitude from `west` on in the high bits, latitude in the low ones.

    180° east and 180° west are the same place.
    """
    out = np.empty(len(lonlat), np.int64)
    full_turn, quarter_turn = 360 * STEPS_PER_DEGREE, 90 * STEPS_PER_DEGREE
    before = -int(west) * STEPS_PER_DEGREE
    for rows in slices(len(lonlat), BATCH_ROWS):
        steps = lonlat[rows] * STEPS_PER_DEGREE
        steps = np.rint(steps, out=steps).astype(np.int64)
        steps += (before, quarter_turn)
        if steps[:, 0].max() >= full_turn or steps[:, 0].min() < 0:
            steps[:, 0] %= full_turn
        place = np.left_shift(steps[:, 0], LAT_BITS, out=out[rows])
        place += steps[:, 1]
    return out


def lonlat_of(places: np.ndarray, west: float = -180.0) -> np.ndarray:
    """Return degrees, shape (n, 2): the way back from `places_of`."""
    out = np.empty((len(places), 2))
    np.divide(places >> LAT_BITS, STEPS_PER_DEGREE, out=out[:, 0])
    np.divide(places & LAT_MASK, STEPS_PER_DEGREE, out=out[:, 1])
    out += (west, -90)
    return out


def lengths_m(start: np.ndarray, stop: np.ndarray) -> np.ndarray:
    """Return the lengths of segments between places: `segment_lengths_m` without the way over degrees."""
    out = np.empty(len(start))
    full_turn = 360 * STEPS_PER_DEGREE
    for rows in slices(len(start), BATCH_ROWS):
        a, b = start[rows], stop[rows]
        lat_a, lat_b = a & LAT_MASK, b & LAT_MASK
        east, north = (b >> LAT_BITS) - (a >> LAT_BITS), lat_b - lat_a
        if np.abs(east).max() > full_turn // 2:
            east -= full_turn * np.rint(east / full_turn).astype(np.int64)
        east_m, north_m = metres_per_degree((lat_a + lat_b) * (0.5 / STEPS_PER_DEGREE) - 90)
        east_m *= east
        north_m *= north
        np.hypot(east_m, north_m, out=out[rows])
    out /= STEPS_PER_DEGREE
    return out


# --- exact matches -------------------------------------------------------------------------------------


def _first_alike(
    count: int,
    code: Callable[[slice | np.ndarray], np.ndarray],
    alike: Callable[[slice | np.ndarray, np.ndarray], np.ndarray],
) -> np.ndarray:
    """Return for every row the number of one representative row that is alike; rows alike get the same.

    A hash join: each bucket of a table is won by one of its rows. Rows alike share the code, hence the
    bucket, so all that are alike with the winner are settled at once; the others go into the next round.

    Parameters
    ----------
    count : int
        How many rows.
    code : callable
        Whole numbers of rows, the same for rows alike.
    alike : callable
        Whether rows are alike with others, row by row.
    """
    settled = np.arange(count, dtype=np.int32)
    rows: np.ndarray | None = None  # all of them, read in place
    while count:
        shift = np.uint64(64 - (count - 1).bit_length() - 1)
        table = np.empty(1 << (64 - int(shift)), np.int32)
        parts = [part if rows is None else rows[part] for part in slices(count, BATCH_ROWS)]
        for part in parts:
            table[_bucket(code(part), shift)] = _numbers(part)
        left = []
        for part in parts:
            mine, winner = _numbers(part), table[_bucket(code(part), shift)]
            done = alike(part, winner)
            settled[part] = winner
            left.append(mine[~done])
        rows = np.concatenate(left)
        count = len(rows)
    return settled


def _numbers(rows: slice | np.ndarray) -> np.ndarray:
    return np.arange(rows.start, rows.stop, dtype=np.int32) if isinstance(rows, slice) else rows


def _bucket(code: np.ndarray, shift: np.uint64) -> np.ndarray:
    mixed = code.view(np.uint64)
    mixed = (mixed ^ (mixed >> np.uint64(32))) * np.uint64(0x9E3779B97F4A7C15)
    mixed = (mixed ^ (mixed >> np.uint64(29))) * np.uint64(0xBF58476D1CE4E5B9)
    return (mixed >> shift).view(np.int64)


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


def twin_segments(borders: Borders) -> tuple[np.ndarray, np.ndarray]:
    """Return all pairs of segments with the same two ends, whatever their direction."""
    start, stop = borders.start, borders.stop

    def middle(rows: slice | np.ndarray) -> np.ndarray:
        return start[rows] + stop[rows]

    def alike(rows: slice | np.ndarray, others: np.ndarray) -> np.ndarray:
        a, b, c, d = start[rows], stop[rows], start[others], stop[others]
        return ((a == d) & (b == c)) | ((a == c) & (b == d))

    return _pairs_alike(_first_alike(len(start), middle, alike))


def free_segments(borders: Borders, twins: tuple[np.ndarray, np.ndarray]) -> np.ndarray:
    """Return which segments have no twin."""
    free = np.ones(len(borders.start), bool)
    free[twins[0]] = False
    free[twins[1]] = False
    return free


def exact_stretches(borders: Borders, twins: tuple[np.ndarray, np.ndarray]) -> Stretches:
    one, other = twins
    a, b = borders.unit[one], borders.unit[other]
    if (same := a == b).any():
        one, a, b = one[~same], a[~same], b[~same]
    return Stretches(one, a, b, lengths_m(borders.start[one], borders.stop[one]))


def point_codes(borders: Borders, free: np.ndarray, contacts: Contacts, n: int) -> np.ndarray:
    """Return the codes of pairs of units that have a place in common.

    A vertex of two units whose segments there are shared says nothing new: the segments' other owner is
    the second unit. So only vertices of more units, or with a free segment, are looked at.
    """
    start = borders.start
    representative = _first_alike(len(start), start.__getitem__, lambda rows, others: start[rows] == start[others])
    times = np.bincount(representative, minlength=1)[representative]
    at_free = free | borders.previous(free)
    vertices = np.flatnonzero((times > 2) | ((times == 2) & at_free))
    one, other = _pairs_in_groups(borders.unit[vertices], representative[vertices])
    if len(contacts.place):
        place = start[vertices]
        order = np.argsort(place, kind="stable")
        place, unit = place[order], borders.unit[vertices][order]
        low, high = np.searchsorted(place, contacts.place), np.searchsorted(place, contacts.place, "right")
        found = ranges(low, high - low)
        one = np.concatenate([one, contacts.owner, unit[found]])
        other = np.concatenate([other, contacts.unit, np.repeat(contacts.unit, high - low)])
    return unit_codes(one, other, n)


def unit_codes(one: np.ndarray, other: np.ndarray, n: int) -> np.ndarray:
    differ = one != other
    one, other = one[differ].astype(np.int64), other[differ].astype(np.int64)
    return np.unique(np.minimum(one, other) * n + np.maximum(one, other))


# --- matches within a tolerance ------------------------------------------------------------------------


def _chains(borders: Borders, segments: np.ndarray, longest: int = _CHAIN_SEGMENTS) -> np.ndarray:
    """Return where, in ascending `segments`, chains of at most `longest` consecutive ones begin."""
    ring_begins = np.zeros(len(borders.start), bool)
    ring_begins[borders.first] = True
    breaks = ring_begins[segments]
    breaks[:1] = True
    breaks[1:] |= np.diff(segments) != 1
    begin = np.flatnonzero(breaks)
    since = np.arange(len(segments)) - np.repeat(begin, np.diff(np.append(begin, len(segments))))
    return np.flatnonzero(since % longest == 0)


@dataclass(frozen=True)
class FreeChains:
    """Free segments in short chains with their bounding boxes, and which chains come near each other."""

    segments: np.ndarray
    begin: np.ndarray
    count: np.ndarray
    lonlat: np.ndarray
    box: np.ndarray
    unit: np.ndarray

    @classmethod
    def of(cls, borders: Borders, free: np.ndarray) -> FreeChains:
        segments = np.flatnonzero(free)
        begin = _chains(borders, segments)
        lonlat = np.hstack([borders.lonlat(borders.start[segments]), borders.lonlat(borders.stop[segments])])
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


def padding(box: np.ndarray, metres: float) -> np.ndarray:
    """Return what to add to boxes (west, south, east, north) in degrees to widen them by metres."""
    steepest = np.minimum(np.abs(box[:, [1, 3]]).max(axis=1, initial=0), 89.9)
    east_m, north_m = metres_per_degree(steepest)
    lon, lat = 1.01 * metres / east_m, 1.01 * metres / north_m
    return np.column_stack([-lon, -lat, lon, lat])


def near_stretches(
    borders: Borders, free: np.ndarray, tolerance_m: float, cancelled: IsCancelled = never
) -> tuple[Stretches, Contacts]:
    """Return where free segments of different units run side by side, and vertices on foreign borders.

    A vertex within the tolerance of a foreign segment counts where one of the two segments has a sliver
    along it; elsewhere, in clean surroundings, it has to lie on the segment, give or take 10 cm.
    """
    beside = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    touches = [(np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0, np.int64), np.empty(0))]
    chains = FreeChains.of(borders, free)
    pad = padding(chains.box, max(tolerance_m, TOUCH_M))
    one, other = chains.near_pairs(pad)
    for rows in slices(len(one), 4096):
        stop_if(cancelled)
        s, t = near_segments(chains, one[rows], other[rows], pad)
        length, to_s, to_t = side_by_side(chains.lonlat[s], chains.lonlat[t], tolerance_m)
        s, t = chains.segments[s], chains.segments[t]
        along = length > 0
        beside.append((s[along], t[along], length[along]))
        for vertex_of, border_of, away in ((t, s, to_s), (s, t, to_t)):
            for end, place in enumerate((borders.start, borders.stop)):
                near = away[:, end] <= max(tolerance_m, TOUCH_M)
                vertex, border, place_of = vertex_of[near], border_of[near], place[vertex_of[near]]
                foreign = (place_of != borders.start[border]) & (place_of != borders.stop[border])
                found = vertex[foreign], border[foreign], place_of[foreign], away[near, end][foreign]
                touches.append(found)
    s, t, length = (np.concatenate(column) for column in zip(*beside))
    vertex, border, place_of, away = (np.concatenate(column) for column in zip(*touches))
    has_sliver = np.zeros(len(free), bool)
    has_sliver[s] = has_sliver[t] = True
    counts = (away <= TOUCH_M) | has_sliver[vertex] | has_sliver[border]
    vertex, border, place_of = vertex[counts], border[counts], place_of[counts]
    contacts = Contacts(place_of, borders.unit[vertex], borders.unit[border])
    shorter = np.where(
        lengths_m(borders.start[s], borders.stop[s]) <= lengths_m(borders.start[t], borders.stop[t]), s, t
    )
    return Stretches(shorter, borders.unit[s], borders.unit[t], length), contacts


def near_segments(
    chains: FreeChains, one: np.ndarray, other: np.ndarray, pad: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of rows of `chains.segments`, one of each chain, whose padded boxes meet."""
    pair = np.repeat(np.arange(len(one)), chains.count[one])
    s = ranges(chains.begin[one], chains.count[one])
    meets = _boxes_meet(_segment_box(chains.lonlat[s]) + pad[one[pair]], chains.box[other[pair]])
    pair, s = pair[meets], s[meets]
    t = ranges(chains.begin[other[pair]], chains.count[other[pair]])
    s, pair = np.repeat(s, chains.count[other[pair]]), np.repeat(pair, chains.count[other[pair]])
    meets = _boxes_meet(_segment_box(chains.lonlat[s]) + pad[one[pair]], _segment_box(chains.lonlat[t]))
    return s[meets], t[meets]


def _segment_box(lonlat: np.ndarray) -> np.ndarray:
    return np.hstack([np.minimum(lonlat[:, :2], lonlat[:, 2:]), np.maximum(lonlat[:, :2], lonlat[:, 2:])])


def _boxes_meet(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    return (a[:, :2] <= b[:, 2:]).all(axis=1) & (b[:, :2] <= a[:, 2:]).all(axis=1)


def side_by_side(s: np.ndarray, t: np.ndarray, tolerance_m: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
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
    to_s, to_t : numpy.ndarray, shape (m, 2)
        Metres from start and stop of t to s, and from those of s to t.
    """
    east_m, north_m = metres_per_degree(s[:, 1])
    along_lon, begin_lon, run_lon = (
        _short_way(one - other) for one, other in ((s[:, 2], s[:, 0]), (t[:, 0], s[:, 0]), (t[:, 2], t[:, 0]))
    )
    points = [
        np.column_stack([east * east_m, (lat - s[:, 1]) * north_m])
        for east, lat in ((along_lon, s[:, 3]), (begin_lon, t[:, 1]), (begin_lon + run_lon, t[:, 3]))
    ]
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
    to_s = np.column_stack([_reach(begin, zero, along), _reach(end, zero, along)])
    to_t = np.column_stack([_reach(zero, begin, end), _reach(along, begin, end)])
    return length, to_s, to_t


def _short_way(east: np.ndarray) -> np.ndarray:
    """Return steps in degrees of longitude that go the short way round the globe."""
    return east - 360 * np.rint(east / 360)


def _cross_and_along(unit: np.ndarray, point: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    return (unit * point).sum(axis=1), unit[:, 0] * point[:, 1] - unit[:, 1] * point[:, 0]


def _reach(point: np.ndarray, begin: np.ndarray, end: np.ndarray) -> np.ndarray:
    """Return the distance from points to segments, in a plane."""
    along = end - begin
    share = ((point - begin) * along).sum(axis=1) / (along * along).sum(axis=1)
    return np.hypot(*(begin + np.clip(share, 0, 1)[:, None] * along - point).T)


# --- small tools ---------------------------------------------------------------------------------------


def slices(count: int, step: int) -> list[slice]:
    return [slice(first, min(first + step, count)) for first in range(0, count, step)]


def ranges(begin: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Return begin, begin + 1, ... (count of them) for each row, one after the other."""
    total = np.cumsum(count)
    shift = begin - (total - count)
    return np.arange(total[-1] if len(total) else 0) + np.repeat(shift, count)


def sum_by_code(code: np.ndarray, values: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the distinct codes, ascending, and the sum of the values of each.

    Runs of one code, which follow each other along a border, are summed before anything is sorted.
    """
    if not len(code):
        return code, values
    begin = np.flatnonzero(np.diff(code, prepend=code[0] - 1))
    distinct, which = np.unique(code[begin], return_inverse=True)
    return distinct, np.bincount(which, np.add.reduceat(values, begin), minlength=len(distinct))
