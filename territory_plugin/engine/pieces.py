"""Units heavier than a part of a territory, divided into pieces around their providers; borders stay shared exactly."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
import shapely
from scipy.sparse import coo_matrix, csr_matrix
from scipy.sparse.csgraph import breadth_first_order, connected_components, minimum_spanning_tree
from scipy.spatial import Voronoi, cKDTree

from .errors import TerritoryError
from .progress import IsCancelled, Progress, ignore, never, stop_if

ANGLES = 12
"""Directions in which a cut is tried."""
LEAST_REST = 0.1
"""Share of the limit that must be left beside a place heavier than it, for a cut between them to be worth while."""
SAME_PLACE_M = 1.0
"""Providers in one square of this size are one place, which cannot be parted."""


@dataclass
class Division:
    """Units after division.

    Attributes
    ----------
    polygons : numpy.ndarray of shapely polygons, shape (u,)
        All units; neighbours of divided ones have the corners of the cuts on their borders, too.
    pieces : dict of int to numpy.ndarray of shapely polygons
        Pieces of each divided unit, by position of the unit, from north-west to south-east.
    piece : numpy.ndarray of int, shape (n,)
        Piece that each provider is in, counted from 0 in its unit; -1 where the unit is whole.
    whole : dict of int to str
        Why a unit that is too heavy stays in one piece.
    heavy_places : dict of int to int
        Pieces that are too heavy because one place is, by position of the unit.
    corners : dict of int to int
        Corners added to the border of a unit beside a divided one.
    """

    polygons: np.ndarray
    piece: np.ndarray
    pieces: dict[int, np.ndarray] = field(default_factory=dict)
    whole: dict[int, str] = field(default_factory=dict)
    heavy_places: dict[int, int] = field(default_factory=dict)
    corners: dict[int, int] = field(default_factory=dict)


def divide_heavy(
    polygons: Sequence[shapely.Geometry],
    workload: np.ndarray,
    limit: float,
    unit: np.ndarray,
    xy: np.ndarray,
    provider_workload: np.ndarray,
    metres: np.ndarray,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> Division:
    """Divide every unit heavier than a limit into pieces that are not, as far as its providers allow.

    Parameters
    ----------
    polygons : array_like of shapely polygons, shape (u,)
        In any flat coordinates; neighbours that share their vertices still do so afterwards.
    workload : numpy.ndarray of float, shape (u,)
    limit : float
        Above 0.
    unit : numpy.ndarray of int, shape (n,)
        Unit of each provider, -1 for none.
    xy : numpy.ndarray of float, shape (n, 2)
        Places of the providers, NaN where unknown.
    provider_workload : numpy.ndarray of float, shape (n,)
        By which the workload of a unit is shared out; NaN counts as nothing.
    metres : numpy.ndarray of float, shape (u, 2)
        Metres of one unit of x and of y at each polygon.

    Raises
    ------
    TerritoryError
        When the limit is not above 0.
    """
    if not limit > 0:
        raise TerritoryError("The limit that a ZIP may weigh must be above 0.")
    division = Division(np.array(polygons, dtype=object), np.full(len(unit), -1))
    given = np.nan_to_num(np.asarray(provider_workload, dtype=float))
    heavy = np.flatnonzero(np.asarray(workload) > limit * (1 + 1e-9))
    heavy = heavy[np.argsort(-np.asarray(workload)[heavy], kind="stable")]
    beside = shapely.STRtree(division.polygons).query(division.polygons[heavy])
    for done, at in enumerate(heavy.tolist()):
        stop_if(cancelled)
        progress(done / len(heavy), f"Dividing ZIPs, {done:,} of {len(heavy):,} done")
        rows = np.flatnonzero(unit == at)
        total = given[rows].sum()
        if not total > 0:
            division.whole[at] = "its providers have no workload" if len(rows) else "it has no provider"
            continue
        placed = rows[np.isfinite(xy[rows]).all(axis=1)]
        share = given[rows] / total * float(workload[at])
        known = np.isin(rows, placed)
        try:
            found = divide_polygon(division.polygons[at], xy[placed], share[known], limit, metres[at])
        except TerritoryError as error:
            division.whole[at] = str(error)
            continue
        if found is None:
            places = len(np.unique(xy[placed], axis=0))
            division.whole[at] = "its providers are in one place" if places else "no place is known of its providers"
            continue
        pieces, piece = found
        weights = np.bincount(piece, weights=share[known], minlength=len(pieces))
        division.piece[placed] = piece
        # who has no place goes where there is most room
        for row in np.setdiff1d(rows, placed):
            division.piece[row] = int(np.argmin(weights))
            weights[division.piece[row]] += given[row] / total * float(workload[at])
        division.pieces[at] = pieces
        too_heavy = int((weights > limit * (1 + 1e-9)).sum())
        if too_heavy:
            division.heavy_places[at] = too_heavy
        _add_corners(division, at, beside[1][beside[0] == done].tolist())
    progress(1.0)
    return division


def divide_polygon(
    polygon: shapely.Geometry, xy: np.ndarray, workload: np.ndarray, limit: float, metres: Sequence[float] = (1.0, 1.0)
) -> tuple[np.ndarray, np.ndarray] | None:
    """Divide a polygon among the places in it so that no piece holds more than a limit.

    The polygon is cut into the cells of its places (Voronoi); places are parted in two again and again, along
    the shortest of the straight cuts that need the fewest pieces, each side connected. Places outside belong to the
    nearest place inside.

    Parameters
    ----------
    polygon : shapely Polygon or MultiPolygon
    xy : numpy.ndarray of float, shape (n, 2)
    workload : numpy.ndarray of float, shape (n,)
    limit : float
    metres : pair of float
        Metres of one unit of x and of y.

    Returns
    -------
    pieces : numpy.ndarray of shapely polygons, shape (m,)
        From north-west to south-east. Pieces of a connected polygon are connected; they have all its vertices, and
        their areas add up to its own.
    piece : numpy.ndarray of int, shape (n,)
        Piece of each place.
    None, when there are no two places to part.

    Raises
    ------
    TerritoryError
        When the polygon's rings cannot be cut into clean pieces.

    References
    ----------
    Berger, M. J. and Bokhari, S. H. (1987), A partitioning strategy for nonuniform problems on multiprocessors,
    IEEE Transactions on Computers C-36 (5): recursive bisection of weighted points.
    """
    scale = np.asarray(metres, dtype=float)
    spots, spot = _spots(polygon, np.asarray(xy, dtype=float), scale)
    if len(spots) < 2:
        return None
    weight = np.bincount(spot, weights=workload, minlength=len(spots))
    faces, owner = _faces(polygon, spots, scale)
    borders = _borders(faces)
    region = _regions(faces, owner, borders, spots, scale)
    graph = _joined(_graph(region, borders, len(spots)), spots * scale)
    piece = np.zeros(len(spots), dtype=int)
    parts = _part(np.arange(len(spots)), spots * scale, weight, graph, limit)
    if len(parts) < 2:
        return None
    for number, members in enumerate(parts):
        piece[members] = number
    pieces = _merged(polygon, faces, piece[region], len(parts))
    area = shapely.area(polygon)
    if not shapely.is_valid(pieces).all() or not np.isclose(shapely.area(pieces).sum(), area, rtol=1e-6):
        raise TerritoryError("The polygon cannot be cut cleanly: repair it (“Fix geometries”).")
    centre = shapely.get_coordinates(shapely.centroid(pieces)) * scale
    order = np.argsort(centre[:, 0] - centre[:, 1], kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    return pieces[order], rank[piece[spot]]


def share_out(amount: float, weight: np.ndarray, in_ones: bool = False) -> list:
    """Return an amount shared out by weights; the shares add up to it exactly.

    Parameters
    ----------
    amount : float
        NaN is shared out as None.
    weight : numpy.ndarray, shape (m,)
        With a sum above 0.
    in_ones : bool
        Whether only whole shares will do: then by largest remainders.

    Examples
    --------
    >>> share_out(7, np.array([1, 1, 1]), in_ones=True), share_out(3.0, np.array([1, 2]))
    ([3, 2, 2], [1.0, 2.0])
    """
    if np.isnan(amount):
        return [None] * len(weight)
    shares = amount * np.asarray(weight, dtype=float) / np.sum(weight)
    if in_ones:
        lower = np.floor(shares + 1e-9)
        most = np.argsort(lower - shares, kind="stable")[: round(amount - lower.sum())]
        lower[most] += 1
        return lower.astype(int).tolist()
    largest = int(np.argmax(shares))
    shares[largest] = amount - shares[np.arange(len(shares)) != largest].sum()
    return shares.tolist()


# ------------------------------------------------------------------ cells


def _spots(polygon, xy, scale):
    """Return the different places inside the polygon, and the place of each provider."""
    shapely.prepare(polygon)
    inside = shapely.intersects_xy(polygon, xy[:, 0], xy[:, 1])
    if not inside.any():
        # all are outside: where their straight ways to the polygon end
        ends = shapely.get_point(shapely.shortest_line(shapely.points(xy), polygon), 1)
        xy, inside = shapely.get_coordinates(ends), np.ones(len(xy), dtype=bool)
    _, first, number = np.unique(
        np.rint(xy[inside] * scale / SAME_PLACE_M), axis=0, return_index=True, return_inverse=True
    )
    spots = xy[inside][first]
    spot = np.empty(len(xy), dtype=int)
    spot[inside] = number.ravel()
    if not inside.all():
        spot[~inside] = cKDTree(spots * scale).query(xy[~inside] * scale)[1]
    return spots, spot


def _faces(polygon, spots, scale):
    """Return the faces that the cells of the places cut the polygon into, and the cell that each lies in."""
    low, high = np.array(polygon.bounds).reshape(2, 2) * scale
    reach = 10 * (high - low).max()
    middle = (low + high) / 2
    far = middle + reach * np.array([[-1, -1], [-1, 1], [1, -1], [1, 1], [0, -2], [0, 2], [-2, 0], [2, 0]])
    cells = Voronoi(np.vstack([spots * scale, far]))
    ridges = np.array(cells.ridge_vertices)
    known = (ridges >= 0).all(axis=1) & (np.array(cells.ridge_points) < len(spots)).all(axis=1)
    ends = cells.vertices[ridges[known]] / scale
    cuts = shapely.linestrings(ends)
    cuts = cuts[shapely.STRtree(cuts).query(polygon, predicate="intersects")]
    outline = shapely.get_parts(shapely.boundary(polygon))
    lines = shapely.union_all(np.concatenate([outline, cuts]))
    faces = shapely.get_parts(shapely.polygonize(shapely.get_parts(lines)))
    inner = shapely.get_coordinates(shapely.point_on_surface(faces))
    faces, inner = (array[shapely.contains_xy(polygon, inner[:, 0], inner[:, 1])] for array in (faces, inner))
    return faces, cKDTree(spots * scale).query(inner * scale)[1]


def _segments(shapes):
    """Return all segments of polygons, the smaller end first, and the polygon that each is of."""
    parts, owner = shapely.get_parts(shapes, return_index=True)
    rings, of = shapely.get_rings(parts, return_index=True)
    xy, ring = shapely.get_coordinates(rings, return_index=True)
    follows = ring[1:] == ring[:-1]
    start, stop = xy[:-1][follows], xy[1:][follows]
    swap = (start[:, 0] > stop[:, 0]) | ((start[:, 0] == stop[:, 0]) & (start[:, 1] > stop[:, 1]))
    start[swap], stop[swap] = stop[swap], start[swap].copy()
    return np.hstack([start, stop]), owner[of[ring[:-1][follows]]]


def _borders(faces):
    """Return pairs of faces that share a segment, and its length."""
    segments, face = _segments(faces)
    _, number, count = np.unique(segments, axis=0, return_inverse=True, return_counts=True)
    order = np.argsort(number.ravel(), kind="stable")
    twice = order[count[number.ravel()[order]] == 2].reshape(-1, 2)
    length = np.hypot(*(segments[twice[:, 0], 2:] - segments[twice[:, 0], :2]).T)
    return face[twice[:, 0]], face[twice[:, 1]], length


def _regions(faces, owner, borders, spots, scale):
    """Return the place that each face goes to: that of its cell if it is in the face, else over the longest border."""
    tree = shapely.STRtree(faces)
    at, face = tree.query(shapely.points(spots), predicate="intersects")
    region = np.full(len(faces), -1)
    own = owner[face] == at
    region[face[own]] = at[own]
    for lost in np.setdiff1d(np.arange(len(spots)), region):  # on a hair's breadth between two faces
        region[tree.nearest(shapely.points(spots[lost]))] = lost
    one, other, length = borders
    while (region < 0).any():
        open_borders = (region[one] < 0) != (region[other] < 0)
        if not open_borders.any():
            break
        blank = np.where(region[one] < 0, one, other)[open_borders]
        named = region[np.where(region[one] < 0, other, one)[open_borders]]
        longest = np.lexsort((named, -length[open_borders], blank))
        blank, first = np.unique(blank[longest], return_index=True)
        region[blank] = named[longest][first]
    islands = np.flatnonzero(region < 0)
    if len(islands):
        centres = shapely.get_coordinates(shapely.centroid(faces[islands])) * scale
        region[islands] = cKDTree(spots * scale).query(centres)[1]
    return region


# ------------------------------------------------------------------ places in two, again and again


def _graph(region, borders, count):
    """Return how much border the regions of places share, as a symmetric matrix."""
    one, other, length = region[borders[0]], region[borders[1]], borders[2]
    apart = one != other
    ends = np.concatenate([one[apart], other[apart]]), np.concatenate([other[apart], one[apart]])
    return coo_matrix((np.tile(length[apart], 2), ends), shape=(count, count)).tocsr()


def _joined(graph, xy):
    """Return the graph with its components joined by their nearest places: a unit in several parts is one unit."""
    while True:
        count, label = connected_components(graph, directed=False)
        if count == 1:
            return graph
        first = label == label[0]
        near, at = cKDTree(xy[first]).query(xy[~first])
        best = int(np.argmin(near))
        one, other = np.flatnonzero(first)[at[best]], np.flatnonzero(~first)[best]
        bridge = coo_matrix(([1e-12, 1e-12], ([one, other], [other, one])), shape=graph.shape)
        graph = (graph + bridge).tocsr()


def _part(members, xy, weight, graph, limit) -> list[np.ndarray]:
    """Return the members in parts, each connected and, as far as places can be parted, within the limit."""
    stack, parts = [members], []
    while stack:
        members = stack.pop()
        whole = weight[members].sum()
        rest = whole - weight[members].max()
        if whole <= limit * (1 + 1e-9) or len(members) < 2 or rest <= LEAST_REST * limit:
            parts.append(members)
            continue
        inside = graph[members][:, members]
        side = _bisect(xy[members], weight[members], inside, limit)
        stack += [members[side], members[~side]]
    return parts


def _needed(weight, limit):
    """Return the pieces that a weight needs."""
    return np.maximum(np.ceil(weight / limit - 1e-9), 1)


def _bisect(xy, weight, graph, limit) -> np.ndarray:
    """Return which members are on the first side of the best cut in two connected sides."""
    best, chosen = None, None
    edges = graph.tocoo()
    for angle in np.pi * np.arange(ANGLES) / ANGLES:
        side = _straight(xy @ [np.cos(angle), np.sin(angle)], weight, edges, limit)
        side = _mended(side, weight, graph)
        if side is not None:
            score = _score(side, weight, edges, limit)
            if best is None or score < best:
                best, chosen = score, side
    for side in _tree_cuts(xy, weight, graph) if chosen is None or best[0] > 0 else ():
        score = _score(side, weight, edges, limit)
        if best is None or score < best:
            best, chosen = score, side
    return chosen


def _score(side, weight, edges, limit):
    """Return pieces beyond what the weight needs, and the length of the cut: the less the better."""
    sums = weight[side].sum(), weight[~side].sum()
    extra = sum(_needed(part, limit) for part in sums) - _needed(sum(sums), limit)
    lopsided = min(sums) < 0.15 * sum(sums)
    return float(extra) + lopsided, float(edges.data[side[edges.row] != side[edges.col]].sum())


def _straight(along, weight, edges, limit):
    """Return the side before the shortest cut across one direction, of those that need the fewest pieces."""
    order = np.argsort(along, kind="stable")
    rank = np.empty(len(order), dtype=int)
    rank[order] = np.arange(len(order))
    before = np.cumsum(weight[order])[:-1]
    whole = weight.sum()
    near, far = np.minimum(rank[edges.row], rank[edges.col]), np.maximum(rank[edges.row], rank[edges.col])
    change = np.bincount(near, weights=edges.data, minlength=len(order))
    change -= np.bincount(far, weights=edges.data, minlength=len(order))
    length = np.cumsum(change)[:-1]
    extra = (
        _needed(before, limit) + _needed(whole - before, limit) + (np.minimum(before, whole - before) < 0.15 * whole)
    )
    share = before / whole
    fewest = np.flatnonzero(extra == extra.min())
    at = fewest[np.argmin(length[fewest] * (1 + np.abs(2 * share[fewest] - 1)))]
    return rank <= at


def _mended(side, weight, graph):
    """Return the side with what is cut off from either side given to the other, None where that does not join up."""
    side = side.copy()
    for _ in range(2):
        for here in (True, False):
            members = np.flatnonzero(side == here)
            if not len(members):
                return None
            count, label = connected_components(graph[members][:, members], directed=False)
            if count > 1:
                heaviest = np.argmax(np.bincount(label, weights=weight[members] + 1e-9 * weight.max()))
                side[members[label != heaviest]] = not here
    both = [connected_components(graph[side == here][:, side == here], directed=False)[0] for here in (True, False)]
    return side if both == [1, 1] else None


def _tree_cuts(xy, weight, graph):
    """Yield the sides of the most even cuts of the shortest tree that joins all: both are always connected."""
    edges = graph.tocoo()
    length = np.hypot(*(xy[edges.row] - xy[edges.col]).T) + 1e-6
    tree = minimum_spanning_tree(csr_matrix((length, (edges.row, edges.col)), shape=graph.shape))
    tree = tree + tree.T
    order, parent = breadth_first_order(tree, 0, directed=False)
    below = weight.copy()
    for node in order[:0:-1]:
        below[parent[node]] += below[node]
    even = np.abs(below[order[1:]] - weight.sum() / 2)
    for node in order[1:][np.argsort(even, kind="stable")[:8]]:
        side = np.zeros(len(xy), dtype=bool)
        side[node] = True
        for child in order[np.flatnonzero(order == node)[0] + 1 :]:
            side[child] = side[parent[child]]
        yield side


# ------------------------------------------------------------------ polygons


def _merged(polygon, faces, piece, count):
    """Return the polygon of each piece, with no corner more than the polygon and the cuts between pieces have."""
    pieces = np.array([shapely.coverage_union_all(faces[piece == number]) for number in range(count)], dtype=object)
    own = np.unique(shapely.get_coordinates(polygon), axis=0)
    corners, of = [], []
    for number, shape in enumerate(pieces):
        corners.append(np.unique(shapely.get_coordinates(shape), axis=0))
        of.append(np.full(len(corners[-1]), number))
    places, times = np.unique(np.concatenate(corners), axis=0, return_counts=True)
    needless = places[times == 1]
    _, number, both = np.unique(np.vstack([own, needless]), axis=0, return_inverse=True, return_counts=True)
    needless = needless[both[number.ravel()[len(own) :]] == 1]
    return np.array([_without(shape, needless) for shape in pieces], dtype=object)


def _without(shape, corners):
    """Return a polygon without some of its corners."""
    gone = {tuple(corner) for corner in corners.tolist()}

    def ring(line):
        kept = [xy for xy in map(tuple, shapely.get_coordinates(line)[:-1].tolist()) if xy not in gone]
        return [*kept, kept[0]]

    parts = [
        shapely.Polygon(ring(part.exterior), [ring(hole) for hole in part.interiors])
        for part in shapely.get_parts(shape)
    ]
    return parts[0] if len(parts) == 1 else shapely.multipolygons(parts)


def _add_corners(division, at, beside):
    """Give the corners of a unit's cuts to the neighbours whose border they lie on.

    Neighbours have the segment that a corner lies in; those that do not share it exactly stay as they are.
    """
    whole = division.polygons[at]
    pieces = division.pieces[at]
    before, _ = _segments(np.array([whole], dtype=object))
    after, _ = _segments(pieces)
    own = {tuple(xy) for xy in shapely.get_coordinates(whole).tolist()}
    cut = {tuple(segment) for segment in before.tolist()} - {tuple(segment) for segment in after.tolist()}
    if not cut:
        return
    new = np.array(sorted({tuple(xy) for xy in shapely.get_coordinates(pieces).tolist()} - own))
    lines = shapely.linestrings(np.array(sorted(cut)).reshape(-1, 2, 2))
    reach = 1e-9 * max(1.0, np.abs(whole.bounds).max())
    corner, line = shapely.STRtree(lines).query(shapely.points(new), predicate="dwithin", distance=reach)
    inserted = {}
    for number in np.unique(line):
        a, b = (tuple(xy) for xy in shapely.get_coordinates(lines[number]).tolist())
        on = new[corner[line == number]]
        on = on[np.argsort(np.hypot(*(on - a).T))]
        inserted[a, b] = [tuple(xy) for xy in on.tolist()]
        inserted[b, a] = inserted[a, b][::-1]
    for key in beside:
        if key == at:
            continue
        if key in division.pieces:
            grown = [_with(shape, inserted) for shape in division.pieces[key]]
            division.pieces[key] = np.array([shape for shape, _ in grown], dtype=object)
            added = sum(count for _, count in grown)
        else:
            division.polygons[key], added = _with(division.polygons[key], inserted)
        if added:
            division.corners[key] = division.corners.get(key, 0) + added


def _with(shape, inserted):
    """Return a polygon with corners put into some of its segments, and how many."""
    segments, _ = _segments(np.array([shape], dtype=object))
    wanted = {min((a, b), (b, a)) for a, b in inserted}
    if not any(((x1, y1), (x2, y2)) in wanted for x1, y1, x2, y2 in segments.tolist()):
        return shape, 0
    added = 0

    def ring(line):
        nonlocal added
        xy = list(map(tuple, shapely.get_coordinates(line).tolist()))
        out = [xy[0]]
        for a, b in zip(xy, xy[1:]):
            corners = inserted.get((a, b), [])
            added += len(corners)
            out += [*corners, b]
        return out

    parts = [
        shapely.Polygon(ring(part.exterior), [ring(hole) for hole in part.interiors])
        for part in shapely.get_parts(shape)
    ]
    return (parts[0] if len(parts) == 1 else shapely.multipolygons(parts)), added
