"""Territory polygons from the polygons of their units, without slivers or gaps."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .borders import borders_of, free_segments, near_stretches, twin_segments
from .progress import IsCancelled, Progress, ignore, never, part, stop_if


def dissolve(
    units: gpd.GeoDataFrame,
    *,
    sliver: float = 0.0,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> gpd.GeoDataFrame:
    """Return the union of the units of each territory.

    On a clean coverage the inner borders vanish exactly. Where units leave gaps between them that are thinner
    than `sliver`, the gap goes to the territory that has most of its rim; where territories overlap, the first
    by order keeps the land.

    Parameters
    ----------
    units : geopandas.GeoDataFrame, n rows
        ``territory`` (text, None for none) and polygons in any planar coordinates, without CRS.
    sliver : float
        Width of the widest gap to close, in the units of the coordinates; 0 closes none.

    Returns
    -------
    geopandas.GeoDataFrame
        Indexed by territory, sorted; one geometry each.
    """
    groups = units.groupby("territory", sort=True)["geometry"]
    merged = []
    for at, (_, shapes) in enumerate(groups):
        stop_if(cancelled)
        progress(0.8 * at / groups.ngroups, "Merging polygons")
        merged.append(union(shapes.to_numpy()))
    names = pd.Index(list(groups.groups), name="territory", dtype=object)
    shapes = np.array(merged, dtype=object)
    if sliver > 0:
        shapes = without_overlaps(shapes, cancelled)
        shapes = close_gaps(shapes, sliver, progress=part(progress, 0.8, 1.0), cancelled=cancelled)
    return gpd.GeoDataFrame(geometry=shapes, index=names)


def has_slivers(geometries: np.ndarray, tolerance_m: float) -> bool:
    """Answer whether borders of different units run side by side without being the same.

    Parameters
    ----------
    geometries : numpy.ndarray of shapely polygons, shape (n,)
        Longitude and latitude in degrees.
    tolerance_m : float
        How far apart they may be.
    """
    if not tolerance_m > 0:
        return False
    borders = borders_of(geometries)
    stretches, _ = near_stretches(borders, free_segments(borders, twin_segments(borders)), tolerance_m)
    return len(stretches.segment) > 0


def union(shapes: np.ndarray):
    """Return the union of polygons: exact on a clean coverage, noded otherwise."""
    try:
        merged = shapely.coverage_union_all(shapes)
    except shapely.GEOSException:  # GEOS refuses overlaps, and neighbours with vertices of their own
        return shapely.union_all(shapes)
    clean = shapely.is_valid(merged) and np.isclose(shapely.area(merged), shapely.area(shapes).sum(), rtol=1e-9)
    return merged if clean else shapely.union_all(shapes)


def without_overlaps(shapes: np.ndarray, cancelled: IsCancelled = never) -> np.ndarray:
    """Return shapes of which none covers land of an earlier one."""
    shapes = shapes.copy()
    first, second = shapely.STRtree(shapes).query(shapes, predicate="intersects")
    pairs = np.unique(np.column_stack([first, second])[first < second], axis=0)
    for earlier, later in pairs:
        stop_if(cancelled)
        shared = shapely.intersection(shapes[earlier], shapes[later])
        if shapely.area(shared) > 0:
            shapes[later] = only_polygons(shapely.difference(shapes[later], shapes[earlier]))
    return shapes


def close_gaps(
    shapes: np.ndarray, sliver: float, *, progress: Progress = ignore, cancelled: IsCancelled = never
) -> np.ndarray:
    """Return shapes that have taken over the gaps between and within them that are thinner than `sliver`.

    Gaps are what a closing (out by half the width and back, with sharp corners) adds to all shapes together.
    Each goes to the shape with the longest stretch of its rim.
    """
    progress(0.0, "Closing slivers")
    whole = union(shapes)
    stop_if(cancelled)
    half = sliver / 2
    closed = whole.buffer(half, join_style="mitre", mitre_limit=2.0)
    stop_if(cancelled)
    closed = closed.buffer(-half, join_style="mitre", mitre_limit=2.0)
    stop_if(cancelled)
    gaps = shapely.get_parts(only_polygons(closed.difference(whole)))
    gaps = gaps[2 * shapely.area(gaps) / np.maximum(shapely.length(gaps), 1e-300) > 1e-4 * sliver]
    if not len(gaps):
        return shapes
    progress(0.5, "Closing slivers")
    # a gap is nudged outwards, so that no hairline is left between it and the shape that takes it
    grown = shapely.buffer(gaps, 1e-3 * sliver, join_style="mitre")
    gap, shape = shapely.STRtree(shapes).query(grown, predicate="intersects")
    rim = shapely.length(shapely.intersection(shapes[shape], shapely.boundary(grown[gap])))
    best = pd.DataFrame({"gap": gap, "shape": shape, "rim": rim}).sort_values(
        ["gap", "rim", "shape"], ascending=[True, False, True]
    )
    shapes = shapes.copy()
    for taker, taken in best.drop_duplicates("gap").groupby("shape")["gap"]:
        stop_if(cancelled)
        others = shapely.union_all(np.delete(shapes, taker)[_near(np.delete(shapes, taker), grown[taken])])
        added = shapely.difference(shapely.union_all(grown[taken]), others)
        shapes[taker] = only_polygons(shapely.union(shapes[taker], added))
    return shapes


def _near(shapes, to):
    return np.unique(shapely.STRtree(shapes).query(to, predicate="intersects")[1])


def only_polygons(shape):
    """Return the polygons of a geometry; lines and points that an overlay leaves over are dropped."""
    if shape.geom_type in ("Polygon", "MultiPolygon"):
        return shape
    parts = shapely.get_parts(shapely.get_parts(shape))
    return shapely.multipolygons(parts[shapely.get_type_id(parts) == 3])
