"""The unit that each provider belongs to: by its ZIP, by a crosswalk, by where it stands."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import shapely

from .antimeridian import points_inside, turned, turns
from .geodesy import distance_km
from .progress import IsCancelled, never, stop_if


def locate_providers(
    zips: np.ndarray | None,
    unit_ids: Sequence[str],
    *,
    crosswalk: Mapping[str, str] | None = None,
    points: np.ndarray | None = None,
    polygons: np.ndarray | None = None,
    limit_km: float = 10.0,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Find the unit of each provider: by its ZIP, else by the crosswalk, else by where it stands.

    Parameters
    ----------
    zips : numpy.ndarray of object, shape (n,), optional
        Five-digit ZIPs, None where unreadable; without them all providers are placed by location.
    unit_ids : sequence of str, shape (u,)
    crosswalk : mapping of ZIP to unit id, optional
        For ZIPs without a polygon (PO boxes, single large receivers).
    points : numpy.ndarray of shapely points, shape (n,), optional
        Degrees on WGS84; None or empty where unknown.
    polygons : numpy.ndarray of shapely polygons, shape (u,), optional
        Degrees on WGS84; needed with `points`.
    limit_km : float
        How far the nearest polygon may be from a point that lies in none.

    Returns
    -------
    pandas.DataFrame, n rows
        ``unit`` : position in `unit_ids`, -1 when none; ``method`` : 'zip', 'crosswalk', 'inside', 'nearest'
        or ''; ``reason`` : why there is none.
    """
    n = len(points) if zips is None else len(zips)
    position = pd.Series(np.arange(len(unit_ids)), index=pd.Index(unit_ids, dtype=object))
    unit, method = np.full(n, -1), np.full(n, "", dtype=object)
    zips = np.full(n, None, dtype=object) if zips is None else zips

    def place(rows, found, how):
        hit = found >= 0
        unit[rows[hit]], method[rows[hit]] = found[hit], how

    rows = np.arange(n)
    place(rows, position.reindex(zips).fillna(-1).to_numpy(dtype=int), "zip")
    if crosswalk:
        rows = np.flatnonzero(unit < 0)
        units = pd.Series(zips[rows], dtype=object).map(crosswalk)
        place(rows, position.reindex(units.to_numpy(dtype=object)).fillna(-1).to_numpy(dtype=int), "crosswalk")
    stop_if(cancelled)
    if points is not None and len(polygons):
        tree = shapely.STRtree(polygons)
        placed = ~(shapely.is_missing(points) | shapely.is_empty(points))
        rows = np.flatnonzero((unit < 0) & placed)
        found = np.full(len(rows), -1)
        point_at, polygon_at = points_inside(points[rows], polygons, tree)
        # a point on a shared border lies in both: the first by order of the layer has it
        found[point_at[::-1]] = polygon_at[::-1]
        place(rows, found, "inside")
        for by in turns(polygons):
            rows = np.flatnonzero((unit < 0) & placed)
            place(rows, nearest_polygons(turned(points[rows], by), polygons, tree, limit_km, cancelled), "nearest")
    return pd.DataFrame({"unit": unit, "method": method, "reason": _reasons(zips, unit, points, limit_km)})


def nearest_polygons(points, polygons, tree, limit_km, cancelled=never) -> np.ndarray:
    """Return the polygon nearest to each point by ellipsoidal distance, -1 beyond the limit."""
    found = np.full(len(points), -1)
    for row, point in enumerate(points):
        stop_if(cancelled)
        north = limit_km / 110.0
        squeeze = max(np.cos(np.radians(point.y)), 0.01)
        box = shapely.box(point.x - north / squeeze, point.y - north, point.x + north / squeeze, point.y + north)
        near = np.sort(tree.query(box))
        if not len(near):
            continue
        # degrees of longitude are shorter than those of latitude: compare in a locally true scale
        scale = np.array([squeeze, 1.0])
        here = shapely.points(np.array([point.x, point.y]) * scale)
        lines = shapely.shortest_line(here, shapely.transform(polygons[near], lambda xy, scale=scale: xy * scale))
        ends = shapely.get_coordinates(shapely.get_point(lines, 1)) / scale
        distance = distance_km(np.broadcast_to([point.x, point.y], ends.shape), ends)
        best = int(np.argmin(distance))
        if distance[best] <= limit_km:
            found[row] = near[best]
    return found


def _reasons(zips, unit, points, limit_km) -> np.ndarray:
    reason = np.full(len(unit), None, dtype=object)
    for row in np.flatnonzero(unit < 0):
        place = f"ZIP {zips[row]} has no polygon" if zips[row] else "no ZIP can be read"
        if points is None or points[row] is None or points[row].is_empty:
            reason[row] = f"{place}, and the provider has no location"
        else:
            reason[row] = f"{place}, and no polygon lies within {limit_km:g} km"
    return reason


def sum_to_units(unit: np.ndarray, values: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many providers each unit has and the sums of their values.

    Parameters
    ----------
    unit : numpy.ndarray of int, shape (n,)
        Position of the unit, -1 for none.
    values : numpy.ndarray of float, shape (n, m)
        NaN counts as nothing.
    units : int

    Returns
    -------
    counts : numpy.ndarray of int, shape (units,)
    sums : numpy.ndarray of float, shape (units, m)
    """
    placed = unit >= 0
    counts = np.bincount(unit[placed], minlength=units)
    known = np.nan_to_num(values[placed])
    sums = np.column_stack(
        [np.bincount(unit[placed], weights=column, minlength=units) for column in known.T] or [np.zeros((units, 0))]
    )
    return counts, sums
