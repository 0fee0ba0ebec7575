"""Which units touch: contiguity edges, bridges over water, barriers, and the graph made of them.

Clean coverages, in which neighbours share their vertices, are matched exactly: every border segment is
looked up by its two ends. Only segments that nobody shares, the free ones, are searched for neighbours
within a tolerance: vertices on the middle of a neighbour's segment, slivers and small overlaps.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import networkx as nx
import numpy as np
import pandas as pd
import shapely
from scipy.sparse import coo_matrix
from scipy.sparse.csgraph import connected_components
from scipy.spatial import cKDTree

from .antimeridian import turned, turns
from .borders import (
    BATCH_ROWS,
    BATCH_UNITS,
    LAT_BITS,
    LAT_MASK,
    STEPS_PER_DEGREE,
    Borders,
    Contacts,
    borders_of,
    exact_stretches,
    free_segments,
    near_stretches,
    point_codes,
    ranges,
    slices,
    sum_by_code,
    twin_segments,
)
from .errors import Count, TerritoryError, name_some
from .geodesy import SEMI_MAJOR_KM, geocentric, metres_per_degree, segment_lengths_m, to_plane, to_sphere
from .geodesy import distance_km as geodesic_km
from .progress import IsCancelled, Progress, ignore, never, stop_if, until_cancelled

EDGE_COLUMNS = ["from_unit", "to_unit", "border_m", "distance_km", "kind"]
SLIVER_TOLERANCE_M = 1.0

# A sliver shorter than this many tolerances is a corner that comes near, no border.
_LEAST_SLIVER_TOLERANCES = 3
# Gaps up to this are measured in a flat frame around them.
_LOCAL_KM = 50.0
# A centroid reckoned in degrees may be this far from that on the ground.
_FLAT_ENOUGH_KM = 0.2
# Edges are straight in degrees: pieces of this length, in degrees, follow them in a plane.
_EDGE_PIECE = 0.25


def unit_centres(geometries: Sequence[shapely.Geometry], cancelled: IsCancelled = never) -> np.ndarray:
    """Return one place per unit that distances are measured from.

    The centroid on the ground, or a point inside where that falls outside the unit (a crescent, a ring). Units are
    taken for flat where that moves the centroid by no more than about 200 m.

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
    borders = borders_of(geometries, cancelled)
    stop_if(cancelled)
    return _centres(geometries, borders)


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
    geometries, unit_ids = checked(geometries, unit_ids)
    n = len(unit_ids)
    progress(0.0, "Reading borders")
    borders = borders_of(geometries, cancelled)
    progress(0.4, "Matching borders")
    twins = twin_segments(borders)
    stop_if(cancelled)
    free = free_segments(borders, twins)
    stretches = [exact_stretches(borders, twins).per_pair(n)]
    contacts = Contacts.none()
    if sliver_tolerance_m > 0:
        progress(0.6, "Matching slivers")
        near, contacts = near_stretches(borders, free, sliver_tolerance_m, cancelled)
        code, metres = near.per_pair(n)
        long_enough = metres > _LEAST_SLIVER_TOLERANCES * sliver_tolerance_m
        long_enough |= np.isin(code, stretches[0][0])
        stretches.append((code[long_enough], metres[long_enough]))
    code, metres = sum_by_code(*(np.concatenate(column) for column in zip(*stretches)))
    stop_if(cancelled)
    if criterion == "queen":
        progress(0.8, "Matching corners")
        points = np.setdiff1d(point_codes(borders, free, contacts, n), code, assume_unique=True)
        code, metres = np.concatenate([code, points]), np.concatenate([metres, np.zeros(len(points))])
    progress(0.9, "Measuring distances")
    centres = _centres(geometries, borders) if centres is None else np.asarray(centres, dtype=float)
    edges = _edge_frame(code // n, code % n, metres, unit_ids, centres)
    progress(1.0, f"{Count(len(edges)):pair|pairs} of neighbours")
    return edges


def add_overlaps(
    edges: pd.DataFrame,
    geometries: Sequence[shapely.Geometry],
    unit_ids: Sequence[str],
    overlaps: pd.DataFrame,
    centres: np.ndarray,
) -> pd.DataFrame:
    """Return the edges with one for each pair of units that overlap without sharing a border.

    Parameters
    ----------
    edges : pandas.DataFrame
        As from `contiguity_edges`.
    geometries, unit_ids
        As in `contiguity_edges`.
    overlaps : pandas.DataFrame
        As from `overlaps.overlapping_units`.
    centres : array_like, shape (n, 2)
        As from `unit_centres`.

    Returns
    -------
    pandas.DataFrame
        Ordered by ids. The border of what overlaps, in metres, is half the way round the land that both cover.
    """
    geometries, ids = _as_geometries(geometries), np.asarray(unit_ids)
    known = pd.MultiIndex.from_frame(edges.loc[edges["border_m"] > 0, ["from_unit", "to_unit"]])
    new = overlaps[~pd.MultiIndex.from_frame(overlaps[["from_unit", "to_unit"]]).isin(known)]
    if not len(new):
        return edges
    a, b = _edge_numbers(new, ids)
    metres = np.array([_way_round(shapely.intersection(geometries[i], geometries[j])) / 2 for i, j in zip(a, b)])
    found = pd.concat([edges, _edge_frame(a, b, metres, ids, centres)], ignore_index=True)
    found = found.drop_duplicates(["from_unit", "to_unit"], keep="last")
    return found.sort_values(["from_unit", "to_unit"], ignore_index=True)


def _way_round(shape) -> float:
    """Return the length of all borders of a shape in degrees, in metres."""
    areas = [part for part in shapely.get_parts(shape) if part.geom_type == "Polygon"]
    xy, ring = shapely.get_coordinates(shapely.get_rings(areas), return_index=True)
    follows = ring[1:] == ring[:-1]
    return float(segment_lengths_m(xy[:-1][follows], xy[1:][follows]).sum())


def bridge_edges(
    geometries: Sequence[shapely.Geometry] | np.ndarray,
    unit_ids: Sequence[str],
    edges: pd.DataFrame,
    how: str = "nearest",
    distance_km: float | None = None,
    per_component: int = 3,
    centres: np.ndarray | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Join the components of a map over water and gaps.

    Starting from the largest component, the one with the shortest gap to what is joined already is
    joined next, by the shortest few gaps between units of it and of the component it comes nearest to,
    until all are one ('nearest') or no gap is short enough ('within').

    Parameters
    ----------
    geometries : array_like of shapely polygons, length n, or numpy.ndarray of float, shape (n, 2)
        Units in longitude and latitude, or only their centres: gaps are then measured between these.
    unit_ids : sequence of str, length n
    edges : pandas.DataFrame
        Edges with `from_unit` and `to_unit`, as from `contiguity_edges`. Edges that a barrier closed
        count as joined: bridges are there for gaps, not to undo barriers.
    how : {'nearest', 'within'}
    distance_km : float, optional
        The longest gap to bridge, for 'within'.
    per_component : int
        How many bridges a component gets at most; several leave the balancing more freedom.
    centres : array_like, shape (n, 2), optional
        As from `unit_centres`.

    Returns
    -------
    pandas.DataFrame
        Columns of `contiguity_edges`, `kind` 'bridge' and `border_m` 0, and `gap_km`, the distance from
        polygon to polygon along the ellipsoid. Ordered by ids.

    Raises
    ------
    TerritoryError
        Unknown rule, or 'within' without a distance.

    Notes
    -----
    Components are joined along their minimum spanning tree (Prim 1957). Gaps are searched between
    places at most 500 m apart along the outer borders (wider on maps with more than 500,000 km of them);
    those that are chosen are measured between the polygons themselves.
    """
    if how not in ("nearest", "within"):
        raise TerritoryError(f"Bridges are built to the 'nearest' part or 'within' a distance, not '{how}'.")
    if how == "within" and (distance_km is None or not distance_km > 0):
        raise TerritoryError("Bridges within a distance need that distance, in kilometres above 0.")
    if per_component < 1:
        raise TerritoryError("A component needs at least one bridge.")
    by_id = np.argsort(np.asarray(unit_ids), kind="stable")
    label = component_labels(np.asarray(unit_ids)[by_id], edges)
    if np.asarray(geometries).dtype.kind == "f":
        shapes, unit_ids = None, np.asarray(unit_ids)[by_id]
        lonlat, unit = np.asarray(geometries, dtype=float).reshape(-1, 2)[by_id], np.arange(len(unit_ids))
        centres = lonlat if centres is None else np.asarray(centres, dtype=float)[by_id]
    else:
        shapes, unit_ids = checked(geometries, unit_ids)
        shapes, unit_ids = shapes[by_id], unit_ids[by_id]
        borders = borders_of(shapes, cancelled)
        centres = _centres(shapes, borders) if centres is None else np.asarray(centres, dtype=float)[by_id]
        stop_if(cancelled)
        lonlat, unit = _outline_places(borders, label)
        stop_if(cancelled)
    parts = _Parts(lonlat, unit, label)
    longest_km = distance_km if how == "within" else np.inf
    found: list[tuple[float, int, int]] = []
    for done, (part, nearest) in enumerate(parts.joined_in_turn(longest_km, cancelled)):
        stop_if(cancelled)
        progress(done / parts.count, f"Bridging part {done + 1:,} of {parts.count - 1:,}")
        gaps = parts.shortest_gaps(part, nearest, per_component, shapes)
        found += [gap for gap in gaps if gap[0] <= longest_km]
    gap_km, one, other = np.array(found, dtype=float).reshape(-1, 3).T
    bridges = _edge_frame(one.astype(int), other.astype(int), np.zeros(len(found)), unit_ids, centres, gap_km)
    progress(1.0, f"{Count(len(found)):bridge|bridges}")
    return bridges


def edge_lines(
    edges: pd.DataFrame,
    unit_ids: Sequence[str],
    centres: np.ndarray,
    geometries: Sequence[shapely.Geometry] | None = None,
    sliver_tolerance_m: float = SLIVER_TOLERANCE_M,
    cancelled: IsCancelled = never,
) -> np.ndarray:
    """Return one line per edge: from centre to centre, over the middle of the border they share.

    Parameters
    ----------
    edges : pandas.DataFrame
        With `from_unit`, `to_unit` and, for bends at the border, `kind`.
    unit_ids : sequence of str, length n
    centres : array_like, shape (n, 2)
        As from `unit_centres`.
    geometries : array_like of shapely polygons, length n, optional
        Without them all lines are straight; so are those of points and bridges.

    Returns
    -------
    numpy.ndarray of shapely LineString, one per edge
    """
    centres = np.asarray(centres, dtype=float)
    a, b = _edge_numbers(edges, unit_ids)
    bend = np.full((len(a), 2), np.nan)
    if geometries is not None and len(a):
        n = len(unit_ids)
        code, middle = _border_middles(_as_geometries(geometries), sliver_tolerance_m, cancelled)
        wanted = np.minimum(a, b) * n + np.maximum(a, b)
        at = np.minimum(np.searchsorted(code, wanted), max(len(code) - 1, 0))
        found = (code[at] == wanted) if len(code) else np.zeros(len(a), bool)
        bend[found] = middle[at[found]]
    line = np.stack([centres[a], bend, centres[b]], axis=1)
    for at in (1, 2):  # the short way round the globe
        before = np.where(np.isnan(bend[:, 0]) & (at == 2), line[:, 0, 0], line[:, at - 1, 0])
        line[:, at, 0] -= 360 * np.rint((line[:, at, 0] - before) / 360)
    line = line.reshape(-1, 2)
    owner = np.repeat(np.arange(len(a)), 3)
    known = np.isfinite(line[:, 0])
    if not len(a):
        return np.empty(0, dtype=object)
    return shapely.linestrings(line[known], indices=owner[known])


def close_crossed(
    edges: pd.DataFrame,
    unit_ids: Sequence[str],
    centres: np.ndarray,
    barriers: Sequence[shapely.Geometry],
    geometries: Sequence[shapely.Geometry] | None = None,
    sliver_tolerance_m: float = SLIVER_TOLERANCE_M,
) -> pd.DataFrame:
    """Close the edges that barrier lines cross.

    The line of an edge runs from centre to centre over the middle of the shared border (`edge_lines`):
    a barrier that follows the larger part of the border crosses it there, and so does one that cuts off
    either centre from the border. An edge that is closed already stays closed.

    Parameters
    ----------
    edges : pandas.DataFrame
        As from `contiguity_edges` and `bridge_edges`.
    unit_ids, centres, geometries, sliver_tolerance_m
        As in `edge_lines`.
    barriers : array_like of shapely geometries
        Lines (or areas) in longitude and latitude; empty ones are passed over.

    Returns
    -------
    pandas.DataFrame
        A copy of the edges with the column `open`.
    """
    closed = edges.copy()
    is_open = _open(edges).copy()
    barriers = _as_geometries(barriers)
    barriers = barriers[~(shapely.is_missing(barriers) | shapely.is_empty(barriers))]
    a, b = _edge_numbers(edges, unit_ids)
    if len(barriers) and len(edges):
        centres, unit_ids = np.asarray(centres, dtype=float), np.asarray(unit_ids)
        near, units = np.arange(len(edges)), np.arange(len(unit_ids))
        if geometries is not None:
            geometries = _as_geometries(geometries)
            boxes = shapely.STRtree(shapely.box(*shapely.bounds(geometries).T))
            hit = np.zeros(len(unit_ids), bool)
            for by in turns(geometries, barriers):
                hit[boxes.query(turned(barriers, by), predicate="intersects")[1]] = True
            near = np.flatnonzero(hit[a] | hit[b] | (edges["kind"] != "border").to_numpy())
            units = np.union1d(a[near], b[near])
            geometries = geometries[units]
        lines = edge_lines(edges.iloc[near], unit_ids[units], centres[units], geometries, sliver_tolerance_m)
        tree = shapely.STRtree(lines)
        for by in turns(lines, barriers):
            is_open[near[tree.query(turned(barriers, by), predicate="intersects")[1]]] = False
    closed["open"] = is_open
    return closed


def adjacency_graph(
    unit_ids: Sequence[str],
    edges: pd.DataFrame,
    attributes: pd.DataFrame | Mapping[str, Sequence] | None = None,
) -> nx.Graph:
    """Return the graph of units, isolates too, and of the edges that are open.

    Parameters
    ----------
    unit_ids : sequence of str, length n
    edges : pandas.DataFrame
        With `from_unit`, `to_unit`; other columns become edge attributes, rows with `open` False are
        left out.
    attributes : pandas.DataFrame or mapping of name to sequence, optional
        Node attributes, n values each, in the order of `unit_ids`.

    Returns
    -------
    networkx.Graph

    Raises
    ------
    TerritoryError
        Edges between units that are not there.
    """
    ids = np.asarray(unit_ids).tolist()
    _edge_numbers(edges, unit_ids)
    graph = nx.Graph()
    graph.add_nodes_from(ids)
    for name in attributes if attributes is not None else ():
        nx.set_node_attributes(graph, dict(zip(ids, np.asarray(attributes[name]).tolist())), name)
    open_edges = edges[_open(edges)]
    names = [name for name in open_edges.columns if name not in ("from_unit", "to_unit", "open")]
    columns = [open_edges[name].tolist() for name in names]
    graph.add_edges_from(
        (a, b, dict(zip(names, row)))
        for a, b, *row in zip(open_edges["from_unit"].tolist(), open_edges["to_unit"].tolist(), *columns)
    )
    return graph


def components(graph: nx.Graph) -> list[list]:
    """Return the units of each component, the largest first, each sorted by id."""
    return sorted((sorted(part) for part in nx.connected_components(graph)), key=lambda p: (-len(p), p[0]))


def isolates(graph: nx.Graph) -> list:
    """Return the units that touch no other, sorted by id."""
    return sorted(nx.isolates(graph))


def component_labels(unit_ids: Sequence[str], edges: pd.DataFrame) -> np.ndarray:
    """Return the number of each unit's component, 0 for the largest, equal sizes by their first id.

    Parameters
    ----------
    unit_ids : sequence of str, length n
    edges : pandas.DataFrame
        With `from_unit` and `to_unit`; closed ones count.

    Returns
    -------
    numpy.ndarray of int, shape (n,)
    """
    n = len(unit_ids)
    if n == 0:
        return np.empty(0, np.int64)
    a, b = _edge_numbers(edges, unit_ids)
    count, label = connected_components(coo_matrix((np.ones(len(a), bool), (a, b)), (n, n)), directed=False)
    by_id = np.argsort(np.asarray(unit_ids), kind="stable")
    first_seen = np.full(count, n)
    np.minimum.at(first_seen, label[by_id], np.arange(n))
    order = np.lexsort((first_seen, -np.bincount(label)))
    number = np.empty(count, np.int64)
    number[order] = np.arange(count)
    return number[label]


# --- bridges -------------------------------------------------------------------------------------------


def _outline_places(borders: Borders, label: np.ndarray, spacing_km: float = 0.5) -> tuple[np.ndarray, np.ndarray]:
    """Return places along the free borders and whose they are; long segments get places in between.

    A component without any free border, such as copies of one polygon that touch nobody else, gives all.
    """
    is_free = free_segments(borders, twin_segments(borders))
    has_free = np.zeros(label.max(initial=-1) + 1, bool)
    has_free[label[borders.unit[is_free]]] = True
    if not has_free.all():
        is_free |= ~has_free[label[borders.unit]]
    free = np.flatnonzero(is_free)
    start, stop = borders.lonlat(borders.start[free]), borders.lonlat(borders.stop[free])
    step = stop - start
    step[:, 0] -= 360 * np.rint(step[:, 0] / 360)
    east_m, north_m = metres_per_degree(start[:, 1])
    long_km = np.hypot(step[:, 0] * east_m, step[:, 1] * north_m) / 1000
    spacing_km = max(spacing_km, long_km.sum() / 1_000_000)
    pieces = np.maximum(np.ceil(long_km / spacing_km), 1).astype(np.int64)
    which = np.repeat(np.arange(len(free)), pieces)
    share = (ranges(np.zeros_like(pieces), pieces) / pieces[which])[:, None]
    return start[which] + share * step[which], borders.unit[free][which]


def _means(xyz: np.ndarray, group: np.ndarray, count: int) -> np.ndarray:
    sums = np.column_stack([np.bincount(group, column, count) for column in xyz.T])
    return sums / np.maximum(np.bincount(group, minlength=count), 1)[:, None]


def _radii(xyz: np.ndarray, group: np.ndarray, middle: np.ndarray) -> np.ndarray:
    out = np.zeros(len(middle))
    np.maximum.at(out, group, np.linalg.norm(xyz - middle[group], axis=1))
    return out


class _Parts:
    """The components of a map as clouds of places on their outlines, in earth-centred kilometres."""

    def __init__(self, lonlat: np.ndarray, unit: np.ndarray, label: np.ndarray):
        order = np.argsort(unit, kind="stable")
        order = order[np.argsort(label[unit[order]], kind="stable")]
        self.lonlat, self.unit = lonlat[order], unit[order]
        self.xyz = geocentric(self.lonlat)
        self.count = count = int(label.max(initial=-1)) + 1
        owner = label[self.unit]
        self.first = np.searchsorted(owner, np.arange(count + 1))
        self.middle = _means(self.xyz, owner, count)
        self.radius = _radii(self.xyz, owner, self.middle)
        self._trees: dict[int, cKDTree] = {}
        # The same for single units; places are ordered by part and unit, so each unit is one run.
        n = len(label)
        begins = np.flatnonzero(np.diff(self.unit, prepend=-1))
        self.unit_first, self.unit_count = np.zeros(n, np.int64), np.bincount(self.unit, minlength=n)
        self.unit_first[self.unit[begins]] = begins
        self.unit_middle = _means(self.xyz, self.unit, n)
        self.unit_radius = _radii(self.xyz, self.unit, self.unit_middle)
        self.members = np.split(np.argsort(label, kind="stable"), np.cumsum(np.bincount(label))[:-1])

    def places(self, part: int) -> slice:
        return slice(self.first[part], self.first[part + 1])

    def tree(self, part: int) -> cKDTree:
        if part not in self._trees:
            cloud = self.xyz[self.places(part)]
            self._trees[part] = cKDTree(cloud, balanced_tree=False, compact_nodes=False)
        return self._trees[part]

    def joined_in_turn(self, longest_km: float, cancelled: IsCancelled):
        """Yield each part and the joined part nearest to it, the shortest gap first (Prim)."""
        count = self.count
        gap, nearest = np.full(count, np.inf), np.zeros(count, np.int64)
        waiting = np.ones(count, bool)
        while waiting.any():
            part = int(np.argmin(np.where(waiting, gap, np.inf)))
            if not (gap[part] < np.inf and gap[part] <= longest_km):
                part = int(np.argmax(waiting))
            else:
                yield part, int(nearest[part])
            waiting[part] = False
            apart = np.linalg.norm(self.middle - self.middle[part], axis=1) - self.radius - self.radius[part]
            for other in until_cancelled(np.flatnonzero(waiting & (apart < gap)), cancelled, every=1):
                chords, _ = self.tree(part).query(self.xyz[self.places(other)], distance_upper_bound=gap[other])
                if (chord := chords.min(initial=np.inf)) < gap[other]:
                    gap[other], nearest[other] = chord, part

    def shortest_gaps(
        self, part: int, other: int, most: int, shapes: np.ndarray | None
    ) -> list[tuple[float, int, int]]:
        """Return kilometres and the two units of the shortest gaps between units of two parts."""
        mine, theirs = self.places(part), self.places(other)
        chord, at = self.tree(other).query(self.xyz[mine])
        here, there = np.arange(mine.start, mine.stop), at + theirs.start
        # A small part sees few units of the other one: let those around it look back.
        facing = np.union1d(self._units_around(part, other, 4 * most), self.unit[there])
        back = ranges(self.unit_first[facing], self.unit_count[facing])
        back_chord, back_at = self.tree(part).query(self.xyz[back])
        here, there = np.concatenate([here, back_at + mine.start]), np.concatenate([there, back])
        chord = np.concatenate([chord, back_chord])
        order = np.lexsort((self.unit[there], self.unit[here], chord))
        here, there = here[order], there[order]
        code = self.unit[here].astype(np.int64) * len(self.unit_first) + self.unit[there]
        _, shortest = np.unique(code, return_index=True)
        shortest = np.sort(shortest)[: 3 * most]
        gaps = [self._gap(i, j, shapes) for i, j in zip(here[shortest], there[shortest])]
        return sorted(gaps)[:most]

    def _units_around(self, part: int, other: int, most: int) -> np.ndarray:
        """Return the units of a part that may be nearest to another part, by their bounding spheres."""
        units = self.members[other]
        apart = np.linalg.norm(self.unit_middle[units] - self.middle[part], axis=1) - self.unit_radius[units]
        return units[np.argsort(apart, kind="stable")[:most]]

    def _gap(self, i: int, j: int, shapes: np.ndarray | None) -> tuple[float, int, int]:
        """Return the gap between the units of two places, measured from polygon to polygon."""
        a, b = int(self.unit[i]), int(self.unit[j])
        km = float(geodesic_km(self.lonlat[i], self.lonlat[j])[0])
        if shapes is not None and km < _LOCAL_KM:
            scale = np.column_stack(metres_per_degree(self.lonlat[[i], 1]))

            def local(lonlat: np.ndarray) -> np.ndarray:
                away = lonlat - self.lonlat[i]
                away[:, 0] -= 360 * np.rint(away[:, 0] / 360)
                return away * scale

            line = shapely.shortest_line(shapely.transform(shapes[a], local), shapely.transform(shapes[b], local))
            ends = shapely.get_coordinates(line) / scale + self.lonlat[i]
            km = min(km, float(geodesic_km(ends[:1], ends[1:])[0]))
        return km, a, b


# --- middles of borders --------------------------------------------------------------------------------


def _border_middles(
    geometries: np.ndarray, tolerance_m: float, cancelled: IsCancelled
) -> tuple[np.ndarray, np.ndarray]:
    """Return per pair of units, as code ``low * n + high``, the place of its border nearest to the mean."""
    n = len(geometries)
    borders = borders_of(geometries, cancelled)
    twins = twin_segments(borders)
    stop_if(cancelled)
    stretches = [exact_stretches(borders, twins)]
    if tolerance_m > 0:
        stretches.append(near_stretches(borders, free_segments(borders, twins), tolerance_m)[0])
    stop_if(cancelled)
    segment = np.concatenate([some.segment for some in stretches])
    metres = np.concatenate([some.metres for some in stretches])
    code, pair = np.unique(np.concatenate([some.codes(n) for some in stretches]), return_inverse=True)
    stop_if(cancelled)
    start, stop = borders.lonlat(borders.start[segment]), borders.lonlat(borders.stop[segment])
    step = stop - start
    step[:, 0] -= 360 * np.rint(step[:, 0] / 360)
    middle = start + step / 2
    stop_if(cancelled)
    total = np.bincount(pair, metres, len(code))
    mean = np.column_stack([np.bincount(pair, metres * middle[:, i], len(code)) / total for i in range(2)])
    scale = np.column_stack([np.cos(np.radians(start[:, 1])), np.ones(len(start))])
    along, away = step * scale, (mean[pair] - start) * scale
    stop_if(cancelled)
    share = np.clip((along * away).sum(axis=1) / (along * along).sum(axis=1), 0, 1)
    off = np.linalg.norm(away - share[:, None] * along, axis=1)
    stop_if(cancelled)
    order = np.lexsort((segment, off, pair))
    stop_if(cancelled)
    best = order[np.searchsorted(pair[order], np.arange(len(code)))]
    return code, start[best] + share[best, None] * step[best]


# --- centres -------------------------------------------------------------------------------------------


def centroids_on_ground(geometries: np.ndarray, near: np.ndarray) -> np.ndarray:
    """Return centroids by area on the ground, each reckoned in an equal-area plane about a place near it.

    Parameters
    ----------
    geometries : numpy.ndarray of shapely polygons, shape (n,)
        Degrees.
    near : numpy.ndarray of float, shape (n, 2)
        Degrees.
    """
    around = _goes_round(shapely.bounds(geometries))
    origin = np.where(around[:, None], np.column_stack([near[:, 0], np.copysign(90.0, near[:, 1])]), near)
    pieces = shapely.segmentize(geometries, _EDGE_PIECE)
    xy, owner = shapely.get_coordinates(pieces, return_index=True)
    points = shapely.centroid(shapely.set_coordinates(pieces, to_plane(xy, origin[owner])))
    return to_sphere(shapely.get_coordinates(points), origin)


# --- small tools ---------------------------------------------------------------------------------------


def _edge_numbers(edges: pd.DataFrame, unit_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return the positions in `unit_ids` of both ends of each edge."""
    index = pd.Index(np.asarray(unit_ids))
    a, b = index.get_indexer(edges["from_unit"]), index.get_indexer(edges["to_unit"])
    if (lost := (a < 0) | (b < 0)).any():
        missing = pd.concat([edges["from_unit"][a < 0], edges["to_unit"][b < 0]]).unique()
        raise TerritoryError(
            f"{Count(lost.sum()):edge leads|edges lead} to units that are not there: {name_some(missing)}. "
            "Build the edges from the same units, or remove these edges."
        )
    return a, b


def _open(edges: pd.DataFrame) -> np.ndarray:
    """Return which edges are open; those that do not say are."""
    if "open" not in edges.columns:
        return np.ones(len(edges), bool)
    return edges["open"].isna().to_numpy() | edges["open"].eq(True).to_numpy(dtype=bool)


def _centres(geometries: np.ndarray, borders: Borders) -> np.ndarray:
    """Return the centroids, or points inside where a ray from the centroid leaves the unit evenly often."""
    centre = np.empty((len(geometries), 2))
    for rows in slices(len(geometries), BATCH_UNITS):
        points = shapely.centroid(geometries[rows])
        centre[rows, 0], centre[rows, 1] = shapely.get_x(points), shapely.get_y(points)
    large = np.flatnonzero(_flatness_km(shapely.bounds(geometries)) > _FLAT_ENOUGH_KM)
    if len(large):
        centre[large] = centroids_on_ground(geometries[large], centre[large])
    latitude = (centre[:, 1] + 90) * STEPS_PER_DEGREE
    longitude = (centre[:, 0] - borders.west) * STEPS_PER_DEGREE
    turn = 360 * STEPS_PER_DEGREE
    crossings = np.zeros(len(geometries), np.int64)
    for rows in slices(len(borders.start), BATCH_ROWS):
        level = latitude[borders.unit[rows]]
        over = np.flatnonzero(((borders.start[rows] & LAT_MASK) > level) != ((borders.stop[rows] & LAT_MASK) > level))
        start, stop, unit = borders.start[rows][over], borders.stop[rows][over], borders.unit[rows][over]
        x0, y0, x1, y1 = start >> LAT_BITS, start & LAT_MASK, stop >> LAT_BITS, stop & LAT_MASK
        away, along = x0 - longitude[unit], x1 - x0
        away -= turn * np.rint(away / turn)
        along = along - turn * np.rint(along / turn)
        east = away + (level[over] - y0) / (y1 - y0) * along > 0
        crossings += np.bincount(unit[east], minlength=len(geometries))
    outside = np.flatnonzero(crossings % 2 == 0)
    around = outside[_goes_round(shapely.bounds(geometries[outside]))]  # a ray meets their two ends in one place
    outside = np.setdiff1d(outside, around[shapely.intersects_xy(geometries[around], *centre[around].T)])
    if len(outside):
        inside = shapely.point_on_surface(geometries[outside])
        centre[outside] = np.column_stack([shapely.get_x(inside), shapely.get_y(inside)])
    return centre


def _goes_round(bounds: np.ndarray) -> np.ndarray:
    """Answer which boxes in degrees are those of units about a pole."""
    return bounds[:, 2] - bounds[:, 0] >= 360


def _flatness_km(bounds: np.ndarray) -> np.ndarray:
    """Return about how far the centroid in degrees is from that on the ground, for boxes in degrees."""
    middle = np.radians(np.clip(np.abs(bounds[:, 1] + bounds[:, 3]) / 2, 0, 89))
    size = np.radians(np.maximum(bounds[:, 3] - bounds[:, 1], (bounds[:, 2] - bounds[:, 0]) * np.cos(middle)))
    return SEMI_MAJOR_KM * size**2 / 12 * np.tan(middle)


def _as_geometries(geometries: Sequence[shapely.Geometry]) -> np.ndarray:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def checked(geometries: Sequence[shapely.Geometry], unit_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Return units as arrays; raise where they are no polygons in degrees with ids of their own."""
    geometries, unit_ids = _as_geometries(geometries), np.asarray(unit_ids)
    if len(geometries) != len(unit_ids):
        raise TerritoryError(
            f"{Count(len(geometries)):geometry|geometries} came with {Count(len(unit_ids)):unit id|unit ids}."
        )
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


def _edge_frame(
    a: np.ndarray,
    b: np.ndarray,
    metres: np.ndarray,
    unit_ids: np.ndarray,
    centres: np.ndarray,
    gap_km: np.ndarray | None = None,
) -> pd.DataFrame:
    """Return edges ordered by ids; with gaps they are bridges."""
    rank = np.empty(len(unit_ids), np.int64)
    rank[np.argsort(unit_ids, kind="stable")] = np.arange(len(unit_ids))
    a, b = np.where(rank[a] > rank[b], b, a), np.where(rank[a] > rank[b], a, b)
    order = np.lexsort((rank[b], rank[a]))
    a, b, metres = a[order], b[order], metres[order]
    columns = {
        "from_unit": unit_ids[a],
        "to_unit": unit_ids[b],
        "border_m": metres,
        "distance_km": geodesic_km(centres[a], centres[b]),
        "kind": np.where(metres > 0, "border", "point").astype(object),
    }
    if gap_km is not None:
        columns["kind"] = np.full(len(a), "bridge", dtype=object)
        columns["gap_km"] = gap_km[order]
    return pd.DataFrame(columns)
