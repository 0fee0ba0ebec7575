"""Territory polygons from the polygons of their units, without slivers or gaps."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pandas as pd
import shapely

from .borders import borders_of, free_segments, near_stretches, twin_segments
from .progress import IsCancelled, Progress, ignore, never, part, stop_if

NOISE = 1e-12  # of the largest coordinate: a fiftieth of a millimetre in degrees
SHORT = 50  # tolerances: the stretch within which borders that part at a sharp angle still run close


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
    by name keeps the land.

    Parameters
    ----------
    units : geopandas.GeoDataFrame, n rows
        Indexed by unit, whose order decides nothing; ``territory`` (text, None for none) and polygons in any
        planar coordinates, without CRS.
    sliver : float
        Width of the widest gap to close, in the units of the coordinates; 0 closes none.

    Returns
    -------
    geopandas.GeoDataFrame
        Indexed by territory, sorted; one geometry each.
    """
    groups = units.sort_index().groupby("territory", sort=True)["geometry"]
    merged = []
    for at, (_, shapes) in enumerate(groups):
        stop_if(cancelled)
        progress(0.8 * at / groups.ngroups, "Merging polygons")
        merged.append(union(shapes.to_numpy()))
    names = pd.Index(list(groups.groups), name="territory", dtype=object)
    shapes = np.array(merged, dtype=object)
    if sliver > 0:
        shapes = close_slivers(shapes, sliver, progress=part(progress, 0.8, 1.0), cancelled=cancelled)
    return gpd.GeoDataFrame(geometry=shapes, index=names)


def has_slivers(geometries: np.ndarray, tolerance_m: float, cancelled: IsCancelled = never) -> bool:
    """Answer whether borders of different units run side by side without being the same.

    Parameters
    ----------
    geometries : numpy.ndarray of shapely polygons, shape (n,)
        Longitude and latitude in degrees.
    tolerance_m : float
        How far apart they may be. Stretches shorter than fifty times that are where two borders part at a sharp
        angle, as on a coast, and do not count.
    """
    if not tolerance_m > 0:
        return False
    borders = borders_of(geometries, cancelled)
    free = free_segments(borders, twin_segments(borders))
    stop_if(cancelled)
    stretches, _ = near_stretches(borders, free, tolerance_m)
    stop_if(cancelled)
    _, metres = stretches.per_pair(len(geometries))
    return bool((metres > SHORT * tolerance_m).any())


def union(shapes: np.ndarray):
    """Return the union of polygons: exact on a clean coverage, noded otherwise."""
    try:
        merged = shapely.coverage_union_all(shapes)
    except shapely.GEOSException:  # GEOS refuses overlaps, and neighbours with vertices of their own
        return shapely.union_all(shapes)
    clean = shapely.is_valid(merged) and np.isclose(shapely.area(merged), shapely.area(shapes).sum(), rtol=1e-9)
    return without_noise(merged if clean else shapely.union_all(shapes), shapes)


def without_noise(merged, shapes: np.ndarray):
    """Return a union whose parts do not lie side by side: borders that differ in a last digit are the same.

    Corners that were reckoned (−87.8 + 3 × 0.05) are not those that were written (−87.65), and polygons between them
    would stay apart, with a border drawn through the territory.
    """
    parts = shapely.get_parts(merged)
    if len(parts) < 2:
        return merged
    grid = NOISE * np.abs(shapely.bounds(merged)).max()
    if not any(share_a_border(parts, grid, shift) for shift in (0.0, 0.5)):
        return merged
    snapped = shapely.union_all(shapes, grid_size=grid)
    return snapped if shapely.get_num_geometries(snapped) < len(parts) else merged


def share_a_border(parts: np.ndarray, grid: float, shift: float) -> bool:
    """Answer whether different polygons have a segment of their borders in common, to a grid."""
    rings, part = shapely.get_rings(parts, return_index=True)
    vertices, ring = shapely.get_coordinates(rings, return_index=True)
    cells = np.floor(vertices / grid + shift)
    same = ring[1:] == ring[:-1]
    ends = np.stack([cells[:-1][same], cells[1:][same]])
    swap = (ends[0, :, 0] > ends[1, :, 0]) | ((ends[0, :, 0] == ends[1, :, 0]) & (ends[0, :, 1] > ends[1, :, 1]))
    ends[:, swap] = ends[::-1, swap]
    segments = pd.DataFrame(np.hstack([ends[0], ends[1]])).assign(part=part[ring[1:][same]]).drop_duplicates()
    return bool(segments.duplicated([0, 1, 2, 3]).any())


def close_slivers(
    shapes: np.ndarray, sliver: float, *, progress: Progress = ignore, cancelled: IsCancelled = never
) -> np.ndarray:
    """Return shapes that share their borders exactly, with the thin gaps between them closed.

    All borders are noded together on a fine grid and cut the plane into faces. A face belongs to the first
    shape that covers it; a face that none covers, but that a closing of all shapes together (out by half the
    width and back, with sharp corners) would fill, goes to the shape that it shares most of its rim with.

    Parameters
    ----------
    shapes : numpy.ndarray of shapely geometries, shape (k,)
    sliver : float
        Width of the widest gap to close; the grid is a thousandth of it.
    """
    progress(0.0, "Closing slivers")
    closed = union(shapes)
    for by in (sliver / 2, -sliver / 2):
        stop_if(cancelled)
        closed = closed.buffer(by, join_style="mitre", mitre_limit=2.0)
    stop_if(cancelled)
    progress(0.4, "Closing slivers")
    borders = shapely.union_all([*shapely.boundary(shapes), closed.boundary], grid_size=sliver / 1000)
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(borders)))
    stop_if(cancelled)
    progress(0.8, "Closing slivers")
    inside = shapely.point_on_surface(faces)
    owner = np.full(len(faces), -1)
    face, shape = shapely.STRtree(shapes).query(inside, predicate="within")
    order = np.argsort(-shape, kind="stable")
    owner[face[order]] = shape[order]
    shapely.prepare(closed)
    hand_out(faces, owner, np.flatnonzero((owner < 0) & shapely.contains_properly(closed, inside)), cancelled)
    return np.array([union(faces[owner == at]) for at in range(len(shapes))], dtype=object)


def hand_out(faces, owner, gaps, cancelled) -> None:
    """Give each gap to the owner of most of its rim; gaps among gaps wait until a neighbour has an owner."""
    if not len(gaps):
        return
    gap, face = shapely.STRtree(faces).query(faces[gaps], predicate="intersects")
    rims = pd.DataFrame({"gap": gaps[gap], "face": face})
    rims = rims[rims["gap"] != rims["face"]]
    shared = shapely.intersection(shapely.boundary(faces[rims["gap"]]), shapely.boundary(faces[rims["face"]]))
    rims["length"] = shapely.length(shared)
    rims = rims[rims["length"] > 0]
    while len(rims):
        stop_if(cancelled)
        owned = rims.assign(owner=owner[rims["face"]]).query("owner >= 0")
        if not len(owned):
            return
        most = owned.groupby(["gap", "owner"])["length"].sum().reset_index()
        most = most.sort_values(["gap", "length", "owner"], ascending=[True, False, True]).drop_duplicates("gap")
        owner[most["gap"]] = most["owner"]
        rims = rims[owner[rims["gap"]] < 0]
