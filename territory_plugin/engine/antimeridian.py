"""Longitudes that run on across 180°: every map is brought to one window of longitudes in which no unit is cut.

Sources cut units at ±180° (RFC 7946), or draw them from 179° to −179°, round the globe, as do the degrees that come out
of a projected CRS. Here both become shapes from 179° to 181°, whose measures are those of the same shape elsewhere on
the parallel.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import shapely

HALF_TURN, FULL_TURN = 180.0, 360.0
SNAP = 1e-7
"""Degrees, about a centimetre: what comes so near to ±180° lies on it."""

BESIDE = 1.0
"""Degrees from ±180° within which a layer may have neighbours on the other side."""


def spans_the_seam(bounds: np.ndarray) -> np.ndarray:
    """Answer, for boxes in degrees, whether they reach round more than half of the globe, as what is cut does.

    Parameters
    ----------
    bounds : numpy.ndarray of float, shape (n, 4)
        West, south, east, north.
    """
    return bounds[:, 2] - bounds[:, 0] > HALF_TURN


def extent(geometries: np.ndarray) -> tuple[float, float]:
    """Return the westernmost and the easternmost longitude; 0 and 0 where there is nothing."""
    bounds = shapely.bounds(geometries).reshape(-1, 4)
    bounds = bounds[~np.isnan(bounds[:, 0])]
    return (float(bounds[:, 0].min()), float(bounds[:, 2].max())) if len(bounds) else (0.0, 0.0)


def crosses(geometries: np.ndarray) -> bool:
    """Answer whether longitudes go on beyond ±180°."""
    west, east = extent(geometries)
    return west < -HALF_TURN or east > HALF_TURN


def turns(*layers: np.ndarray) -> tuple[float, ...]:
    """Return the degrees by which to turn one layer so that it meets another, whatever the window of each."""
    ends = [abs(end) for geometries in layers for end in extent(geometries)]
    return (0.0, -FULL_TURN, FULL_TURN) if max(ends, default=0.0) > HALF_TURN - BESIDE else (0.0,)


def turned(geometries: np.ndarray, by: float) -> np.ndarray:
    """Return shapes moved by degrees of longitude."""
    return geometries if by == 0 else shapely.transform(geometries, lambda xy: xy + np.array([by, 0.0]))


def points_inside(points: np.ndarray, polygons: np.ndarray, tree: shapely.STRtree) -> tuple[np.ndarray, np.ndarray]:
    """Return pairs of positions (point, polygon that it lies in or on the border of), ordered by point and polygon.

    Parameters
    ----------
    points : numpy.ndarray of shapely points, shape (n,)
    polygons : numpy.ndarray of shapely polygons, shape (u,)
        Degrees, in any window of longitudes.
    tree : shapely.STRtree
        Of the polygons.
    """
    pairs = np.hstack([tree.query(turned(points, by), predicate="intersects") for by in turns(polygons, points)])
    return tuple(pairs[:, np.lexsort((pairs[1], pairs[0]))])


def normal(lon: np.ndarray) -> np.ndarray:
    """Return longitudes in −180° to 180°; those that are stay what they are."""
    lon = np.array(lon, dtype=float)
    beyond = np.abs(lon) > HALF_TURN
    lon[beyond] = (lon[beyond] + HALF_TURN) % FULL_TURN - HALF_TURN
    return lon


def unwrapped(geometries: np.ndarray, *, projected: bool = False) -> np.ndarray:
    """Return shapes in one window of longitudes that cuts none of them.

    The window begins behind the widest gap between the parts of all shapes, and lies about 0° as nearly as it can.
    Where there is no gap, on a map of the world, each shape has a window of its own.

    Parameters
    ----------
    geometries : numpy.ndarray of shapely polygons or lines, shape (n,)
        Degrees.
    projected : bool
        Whether the degrees come out of a projected CRS: a step of exactly 360° is none then, while drawn in degrees it
        is an edge along a whole parallel.

    Returns
    -------
    numpy.ndarray of shapely geometries, shape (n,)
        Longitudes within ±360°; the same array where all lie within half of the globe, as most maps do.
    """
    west, east = extent(geometries)
    if not east - west > HALF_TURN:
        return geometries
    out = geometries.copy()
    cut = np.flatnonzero(spans_the_seam(shapely.bounds(geometries)))
    out[cut] = [_snapped(without_jumps(shape, projected)) for shape in out[cut]]
    if not _into_window(out, np.arange(len(out))):
        for row in cut:
            _into_window(out, np.array([row]))
    several = cut[shapely.get_num_geometries(out[cut]) > 1]
    out[several] = [_joined(shape) for shape in out[several]]
    return out


def cut_at_seam(shape) -> shapely.Geometry:
    """Return a shape whose longitudes run on in pieces within ±180°, as files have them (RFC 7946)."""
    west, south, east, north = shape.bounds
    if west >= -HALF_TURN and east <= HALF_TURN:
        return shape
    pieces = []
    for turn in range(int(np.floor((west + HALF_TURN) / FULL_TURN)), int(np.ceil((east - HALF_TURN) / FULL_TURN)) + 1):
        middle = turn * FULL_TURN
        piece = shapely.intersection(shape, shapely.box(middle - HALF_TURN, south - 1, middle + HALF_TURN, north + 1))
        pieces += list(shapely.get_parts(turned(np.array([piece]), -middle)))
    pieces = np.array(pieces, dtype=object)
    kept = pieces[shapely.get_dimensions(pieces) == shapely.get_dimensions(shape)]
    if len(kept) == 1:
        return kept[0]
    return shapely.multilinestrings(kept) if shapely.get_dimensions(shape) == 1 else shapely.multipolygons(kept)


def without_jumps(shape, projected: bool = False):
    """Return a shape whose edges take the short way round the globe; itself where they do.

    Parameters
    ----------
    shape : shapely polygon or line
        Degrees.
    projected : bool
        As in `unwrapped`.
    """
    if shapely.get_type_id(shape) not in (1, 3, 5, 6):
        return shape
    before = shapely.get_parts(shape)
    parts = [_part_without_jumps(part, projected) for part in before]
    return shape if all(one is other for one, other in zip(parts, before)) else _collected(parts)


def _part_without_jumps(part, projected: bool):
    steps = np.abs(
        np.diff(shapely.get_coordinates(shapely.get_rings(part) if part.geom_type == "Polygon" else part)[:, 0])
    )
    if not ((steps > HALF_TURN) & (projected | (steps < FULL_TURN))).any():
        return part
    if part.geom_type == "LineString":
        return shapely.linestrings(_running_on(shapely.get_coordinates(part), projected))
    shell, *holes = (_ring_running_on(shapely.get_coordinates(ring), projected) for ring in shapely.get_rings(part))
    west = shell[:, 0].min()
    for hole in holes:
        hole[:, 0] += FULL_TURN * np.ceil((west - hole[:, 0].min()) / FULL_TURN - 1e-9)
    return shapely.Polygon(shell, holes)


def _running_on(xy: np.ndarray, projected: bool) -> np.ndarray:
    step = np.diff(xy[:, 0])
    turn = np.where(np.abs(step) > HALF_TURN, np.rint(step / FULL_TURN), 0.0)
    if not projected:
        turn[np.abs(step) >= FULL_TURN] = 0
    out = xy.copy()
    out[1:, 0] -= FULL_TURN * np.cumsum(turn)
    return out


def _ring_running_on(xy: np.ndarray, projected: bool) -> np.ndarray:
    """Return a ring that runs on; one that goes round a pole is closed over it."""
    ring = _running_on(xy, projected)
    if abs(ring[-1, 0] - ring[0, 0]) < HALF_TURN:
        return ring
    pole = np.copysign(90.0, ring[:, 1].mean())
    return np.vstack([ring, [ring[-1, 0], pole], [ring[0, 0], pole], ring[0]])


def _snapped(shape):
    """Return a shape whose corners beside ±180° lie on it."""

    def snap(xy: np.ndarray) -> np.ndarray:
        seam = FULL_TURN * np.rint((xy[:, 0] - HALF_TURN) / FULL_TURN) + HALF_TURN
        near = np.abs(xy[:, 0] - seam) <= SNAP
        xy[near, 0] = seam[near]
        return xy

    return shapely.transform(shape, snap)


def _into_window(geometries: np.ndarray, rows: np.ndarray) -> bool:
    """Move the parts of shapes into one window, in place; answer whether there is one."""
    parts, owner = shapely.get_parts(geometries[rows], return_index=True)
    west, east = shapely.bounds(parts)[:, [0, 2]].T
    begin = _window(west, east)
    if begin is None:
        return False
    turn = -np.floor((west - begin) / FULL_TURN + 1e-12)
    turn -= np.rint(((west + FULL_TURN * turn).min() + (east + FULL_TURN * turn).max()) / 2 / FULL_TURN)
    for at in np.unique(owner[turn != 0]):
        own = owner == at
        moved = [turned(np.array([part]), FULL_TURN * by)[0] for part, by in zip(parts[own], turn[own])]
        geometries[rows[at]] = _collected(moved)
    return True


def _window(west: np.ndarray, east: np.ndarray) -> float | None:
    """Return where the window begins: the eastern end of the widest gap on the circle; None where there is none."""
    width = east - west
    if (width >= FULL_TURN).any():
        return None
    begin = west % FULL_TURN
    begin = np.concatenate([begin - FULL_TURN, begin])
    order = np.argsort(begin, kind="stable")
    begin, end = begin[order], (begin + np.tile(width, 2))[order]
    gap = begin[1:] - np.maximum.accumulate(end)[:-1]
    gap[begin[1:] < 0] = -1
    widest = int(np.argmax(gap))
    return float(begin[1:][widest]) if gap[widest] > SNAP else None


def _collected(parts: list):
    if len(parts) == 1:
        return parts[0]
    make: Callable = {1: shapely.multilinestrings, 3: shapely.multipolygons}.get(
        int(shapely.get_type_id(parts[0])), shapely.geometrycollections
    )
    return make(parts)


def _joined(shape):
    """Return a shape with the parts put together that the seam had cut."""
    if shape.geom_type == "MultiLineString":
        return shapely.line_merge(shape)
    if shape.geom_type != "MultiPolygon":
        return shape
    boxes = shapely.bounds(shapely.get_parts(shape))
    ends_on_seam = np.abs(np.abs(boxes[:, [0, 2]]) - HALF_TURN) < SNAP
    if not (ends_on_seam[:, 0].any() and ends_on_seam[:, 1].any()):
        return shape
    return shapely.union_all(shapely.get_parts(shape))
