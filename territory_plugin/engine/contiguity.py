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

from .borders import (
    BATCH_ROWS,
    BATCH_UNITS,
    LAT_BITS,
    LAT_MASK,
    STEPS_PER_DEGREE,
    Borders,
    Contacts,
    FreeChains,
    borders_of,
    exact_stretches,
    free_segments,
    lonlat_of,
    near_segments,
    near_stretches,
    point_codes,
    ranges,
    slices,
    sum_by_code,
    twin_segments,
)
from .errors import Count, TerritoryError, name_some
from .geodesy import distance_km as geodesic_km
from .geodesy import geocentric, metres_per_degree
from .progress import IsCancelled, Progress, ignore, never, stop_if, until_cancelled

EDGE_COLUMNS = ["from_unit", "to_unit", "border_m", "distance_km", "kind"]
SLIVER_TOLERANCE_M = 1.0

# A sliver shorter than this many tolerances is a corner that comes near, no border.
_LEAST_SLIVER_TOLERANCES = 3
# Gaps up to this are measured in a flat frame around them.
_LOCAL_KM = 50.0


def unit_centres(geometries: Sequence[shapely.Geometry], cancelled: IsCancelled = never) -> np.ndarray:
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
    geometries, unit_ids = _checked(geometries, unit_ids)
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
        shapes, unit_ids = _checked(geometries, unit_ids)
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
    line = np.stack([centres[a], bend, centres[b]], axis=1).reshape(-1, 2)
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
            hit[boxes.query(barriers, predicate="intersects")[1]] = True
            near = np.flatnonzero(hit[a] | hit[b] | (edges["kind"] != "border").to_numpy())
            units = np.union1d(a[near], b[near])
            geometries = geometries[units]
        lines = edge_lines(edges.iloc[near], unit_ids[units], centres[units], geometries, sliver_tolerance_m)
        is_open[near[shapely.STRtree(lines).query(barriers, predicate="intersects")[1]]] = False
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
    geometries, unit_ids = _checked(geometries, unit_ids)
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
    start, stop = lonlat_of(borders.start[free]), lonlat_of(borders.stop[free])
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
    start, stop = lonlat_of(borders.start[segment]), lonlat_of(borders.stop[segment])
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


# --- overlaps ------------------------------------------------------------------------------------------


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
    start, stop = lonlat_of(borders.start), lonlat_of(borders.stop)
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
    latitude = (centre[:, 1] + 90) * STEPS_PER_DEGREE
    longitude = (centre[:, 0] + 180) % 360 * STEPS_PER_DEGREE
    crossings = np.zeros(len(geometries), np.int64)
    for rows in slices(len(borders.start), BATCH_ROWS):
        level = latitude[borders.unit[rows]]
        over = np.flatnonzero(((borders.start[rows] & LAT_MASK) > level) != ((borders.stop[rows] & LAT_MASK) > level))
        start, stop, unit = borders.start[rows][over], borders.stop[rows][over], borders.unit[rows][over]
        x0, y0, x1, y1 = start >> LAT_BITS, start & LAT_MASK, stop >> LAT_BITS, stop & LAT_MASK
        east = x0 + (level[over] - y0) / (y1 - y0) * (x1 - x0) > longitude[unit]
        crossings += np.bincount(unit[east], minlength=len(geometries))
    outside = np.flatnonzero(crossings % 2 == 0)
    if len(outside):
        inside = shapely.point_on_surface(geometries[outside])
        centre[outside] = np.column_stack([shapely.get_x(inside), shapely.get_y(inside)])
    return centre


def _as_geometries(geometries: Sequence[shapely.Geometry]) -> np.ndarray:
    out = np.empty(len(geometries), dtype=object)
    out[:] = geometries
    return out


def _checked(geometries: Sequence[shapely.Geometry], unit_ids: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
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
