"""Heavy ZIPs in pieces: nothing lost, each piece connected and light enough, borders shared exactly as before."""

import networkx as nx
import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.contiguity import contiguity_edges
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.pieces import divide_heavy, divide_polygon
from healthcare_territories.tests.engine.pictures import pairs, squares, voronoi

DEGREE_M = np.array([85_000.0, 111_000.0])
WIDE = shapely.box(0, 0, 4, 1)
KM = (1000.0, 1000.0)  # pictures are drawn in kilometres


def weights(piece, workload):
    return np.bincount(piece, weights=workload).round(9).tolist()


def assert_clean(polygon, pieces):
    """Pieces cover the polygon, do not overlap, have all its corners, and meet edge to edge."""
    assert shapely.is_valid(pieces).all()
    assert shapely.area(pieces).sum() == pytest.approx(shapely.area(polygon))
    assert shapely.equals(shapely.union_all(pieces), polygon) or shapely.area(
        shapely.symmetric_difference(shapely.union_all(pieces), polygon)
    ) < 1e-9 * shapely.area(polygon)
    corners = {tuple(xy) for xy in shapely.get_coordinates(pieces).tolist()}
    assert {tuple(xy) for xy in shapely.get_coordinates(polygon).tolist()} <= corners
    if polygon.geom_type == "Polygon":
        assert {piece.geom_type for piece in pieces} == {"Polygon"}


def test_four_places_in_a_row_become_two_pairs():
    """
    +-----+-----+-----+-----+
    |  o     o  |  o     o  |      cut where the cells of the middle places meet
    +-----+-----+-----+-----+
    """
    xy = np.array([[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [3.5, 0.5]])
    pieces, piece = divide_polygon(WIDE, xy, np.ones(4), 2, KM)
    assert piece.tolist() == [0, 0, 1, 1]
    assert [shape.bounds for shape in pieces] == [(0, 0, 2, 1), (2, 0, 4, 1)]
    assert_clean(WIDE, pieces)


def test_the_fewest_pieces_within_the_limit():
    """Weights 3 1 1 1: the first alone, the others together, though the even cut by places is in the middle."""
    xy = np.array([[0.5, 0.5], [1.5, 0.5], [2.5, 0.5], [3.5, 0.5]])
    _, piece = divide_polygon(WIDE, xy, np.array([3.0, 1, 1, 1]), 3, KM)
    assert piece.tolist() == [0, 1, 1, 1]


def test_a_light_polygon_and_one_place_are_not_divided():
    xy = np.array([[0.5, 0.5], [3.5, 0.5]])
    assert divide_polygon(WIDE, xy, np.ones(2), 2, KM) is None
    assert divide_polygon(WIDE, xy[[0, 0, 0]], np.ones(3), 1, KM) is None


def test_places_on_one_spot_stay_together():
    xy = np.array([[0.5, 0.5]] * 3 + [[3.5, 0.5]] * 2)
    _, piece = divide_polygon(WIDE, xy, np.ones(5), 1, KM)
    assert piece.tolist() == [0, 0, 0, 1, 1]


def test_places_outside_belong_to_the_nearest_place_inside():
    """PO boxes of the ZIP: one far in the west, one far in the east."""
    xy = np.array([[1.0, 0.5], [3.0, 0.5], [-9.0, 0.5], [20.0, 0.2]])
    pieces, piece = divide_polygon(WIDE, xy, np.ones(4), 2, KM)
    assert piece.tolist() == [0, 1, 0, 1]
    assert_clean(WIDE, pieces)
    pieces, piece = divide_polygon(WIDE, xy[2:], np.ones(2), 1, KM)  # nobody is inside
    assert piece.tolist() == [0, 1]
    assert_clean(WIDE, pieces)


U = shapely.Polygon([(0, 0), (3, 0), (3, 3), (2, 3), (2, 1), (1, 1), (1, 3), (0, 3)])
DONUT = shapely.Polygon(shapely.box(0, 0, 4, 4).exterior, [shapely.box(1, 1, 3, 3).exterior])
COMB = shapely.Polygon(
    [(0, 0), (9, 0), (9, 5), (8, 5), (8, 1), (7, 1), (7, 5), (6, 5), (6, 1), (5, 1), (5, 5), (4, 5), (4, 1), (3, 1),
     (3, 5), (2, 5), (2, 1), (1, 1), (1, 5), (0, 5)]
)  # fmt: skip
TWO = shapely.MultiPolygon([shapely.box(0, 0, 2, 2), shapely.box(3, 0, 5, 2)])


@pytest.mark.parametrize("polygon", [WIDE, U, DONUT, COMB, TWO], ids=["wide", "U", "donut", "comb", "two parts"])
@pytest.mark.parametrize("seed", range(4))
def test_any_shape_is_divided_cleanly(polygon, seed):
    """Random places with skewed workloads: what is in a piece is in its polygon, and no piece outweighs the limit."""
    rng = np.random.default_rng(seed)
    low, high = np.array(polygon.bounds).reshape(2, 2)
    xy = low + rng.uniform(size=(400, 2)) * (high - low)
    xy = xy[shapely.contains_xy(polygon, xy[:, 0], xy[:, 1])]
    workload = rng.lognormal(0, 1, len(xy))
    limit = workload.sum() / 6
    pieces, piece = divide_polygon(polygon, xy, workload, limit, KM)
    assert_clean(polygon, pieces)
    assert max(weights(piece, workload)) <= limit
    assert len(pieces) <= 10
    assert shapely.intersects_xy(pieces[piece], xy[:, 0], xy[:, 1]).mean() > 0.98  # those cut off by a bay are not
    edges = contiguity_edges(pieces, [str(at) for at in range(len(pieces))], "rook", 0)
    whole = nx.Graph(zip(edges["from_unit"], edges["to_unit"]))
    parts = 1 if polygon.geom_type == "Polygon" else 2
    assert nx.number_connected_components(whole) <= parts


# --- among neighbours


def heavy_map():
    """
    a a b b      A, B, C and D meet in the middle; B weighs 8, the others 1.
    a a b b
    c c d d
    c c d d
    """
    polygons, ids = squares("AABB\nAABB\nCCDD\nCCDD")
    return polygons, list(ids)


@pytest.mark.parametrize("kind", ["Polygon", "MultiPolygon"])
def test_neighbours_keep_their_contacts_exactly(kind):
    """Cuts end in the middle of borders that others share: these get the corner; nothing rests on a tolerance."""
    polygons, ids = heavy_map()
    if kind == "MultiPolygon":
        polygons = np.array([shapely.multipolygons([shape]) for shape in polygons], dtype=object)
    rng = np.random.default_rng(3)
    low, high = np.array(polygons[1].bounds).reshape(2, 2)
    xy = low + rng.uniform(size=(60, 2)) * (high - low)
    division = divide_heavy(
        polygons, np.array([1.0, 8, 1, 1]), 2.0, np.full(60, 1), xy, np.ones(60), np.tile(DEGREE_M, (4, 1))
    )
    assert list(division.pieces) == [1]
    pieces = division.pieces[1]
    assert 4 <= len(pieces) <= 6
    assert_clean(shapely.get_parts(polygons[1])[0], pieces)
    assert max(weights(division.piece, np.full(60, 8 / 60))) <= 2
    assert set(division.corners) <= {0, 3}
    assert sum(division.corners.values()) > 0
    others = [0, 2, 3]
    shapes = np.concatenate([division.polygons[others], pieces])
    names = [ids[at] for at in others] + [str(at) for at in range(len(pieces))]
    exact = contiguity_edges(shapes, names, "rook", sliver_tolerance_m=0)
    before = contiguity_edges(polygons, ids, "rook", sliver_tolerance_m=0)
    assert {pair for pair in pairs(exact) if pair.isalpha()} == {pair for pair in pairs(before) if "B" not in pair}
    to_pieces = exact[exact["from_unit"].str.isdigit() ^ exact["to_unit"].str.isdigit()]
    old = before[(before["from_unit"] == "B") | (before["to_unit"] == "B")]
    assert to_pieces["border_m"].sum() == pytest.approx(old["border_m"].sum())
    for at, shape in zip(others, division.polygons[others]):
        assert (
            shapely.equals(shape, polygons[at])
            or shapely.area(shapely.symmetric_difference(shape, polygons[at])) < 1e-15
        )


def test_two_heavy_neighbours():
    """A and B, side by side, both in pieces: on their common border every corner is in both."""
    polygons, _ = squares("AABB\nAABB")
    rng = np.random.default_rng(4)
    xy = np.vstack([
        np.array(shape.bounds[:2]) + rng.uniform(size=(80, 2)) * 0.02 for shape in polygons
    ])  # fmt: skip
    unit = np.repeat([0, 1], 80)
    division = divide_heavy(polygons, np.array([10.0, 9.0]), 1.5, unit, xy, np.ones(160), np.tile(DEGREE_M, (2, 1)))
    shapes = np.concatenate([division.pieces[0], division.pieces[1]])
    names = [f"A{at}" for at in range(len(division.pieces[0]))] + [f"B{at}" for at in range(len(division.pieces[1]))]
    edges = contiguity_edges(shapes, names, "rook", sliver_tolerance_m=0)
    across = edges[edges["from_unit"].str[0] != edges["to_unit"].str[0]]
    whole = contiguity_edges(polygons, ["A", "B"], "rook", sliver_tolerance_m=0)
    assert across["border_m"].sum() == pytest.approx(float(whole["border_m"].iloc[0]))
    assert (division.piece >= 0).all()
    for at, polygon in enumerate(polygons):
        assert_clean(polygon, division.pieces[at])


def test_what_cannot_be_divided_says_why():
    polygons, _ = heavy_map()
    a, d = shapely.get_coordinates(shapely.centroid(polygons[[0, 3]]))
    unit = np.array([0, 0, 2, 3, 3, -1])
    xy = np.array([a, a, [np.nan] * 2, d, d, d])
    division = divide_heavy(
        polygons, np.array([9.0, 9, 9, 9]), 3.0, unit, xy, np.array([1, 1, 1, 0, np.nan, 1]), np.tile(DEGREE_M, (4, 1))
    )
    assert division.whole == {
        0: "its providers are in one place", 1: "it has no provider", 2: "no place is known of its providers",
        3: "its providers have no workload",
    }  # fmt: skip
    assert division.pieces == {}
    assert (division.piece == -1).all()


def test_a_place_heavier_than_the_limit_is_told_and_who_has_no_place_goes_where_there_is_room():
    polygons, _ = squares("A")
    west, south = polygons[0].bounds[:2]
    xy = np.array([[west + 0.001, south + 0.005], [west + 0.009, south + 0.005], [np.nan, np.nan]])
    division = divide_heavy(
        polygons, np.array([10.0]), 4.0, np.zeros(3, dtype=int), xy, np.array([7.0, 2, 1]), DEGREE_M[None, :]
    )
    assert division.piece.tolist() == [0, 1, 1]
    assert division.heavy_places == {0: 1}


def test_a_limit_of_nothing_is_refused():
    with pytest.raises(TerritoryError, match="above 0"):
        divide_heavy([WIDE], np.ones(1), 0, np.zeros(0, int), np.zeros((0, 2)), np.zeros(0), np.ones((1, 2)))


def test_the_same_every_time():
    rng = np.random.default_rng(8)
    xy, workload = rng.uniform(0, 1, (200, 2)) * [4, 1], rng.uniform(size=200)
    one, other = (divide_polygon(WIDE, xy, workload, workload.sum() / 7, KM) for _ in range(2))
    assert (one[1] == other[1]).all()
    assert shapely.equals_exact(one[0], other[0]).all()


@pytest.mark.parametrize("seed", range(4))
def test_random_maps_keep_every_border(seed):
    """Forty random cells, a third of them heavy and side by side: every border is found as long as it was.

    (Lengths of stretches of 100 km and more are good to a few metres.)
    """
    polygons, ids = voronoi(40, seed)
    rng = np.random.default_rng(seed)
    heavy = rng.uniform(size=len(polygons)) < 0.35
    unit = np.repeat(np.flatnonzero(heavy), 50)
    low, high = shapely.bounds(polygons)[unit, :2], shapely.bounds(polygons)[unit, 2:]
    xy = low + rng.uniform(size=low.shape) * (high - low)  # some lie outside their cell
    division = divide_heavy(
        polygons, np.where(heavy, 10.0, 1.0), 3.0, unit, xy, rng.lognormal(size=len(unit)),
        np.tile(DEGREE_M, (len(polygons), 1)),
    )  # fmt: skip
    assert set(division.pieces) == set(np.flatnonzero(heavy))
    shapes, names = [], []
    for at, name in enumerate(ids):
        parts = division.pieces.get(at, division.polygons[[at]])
        shapes += list(parts)
        names += [f"{name}/{number}" for number in range(len(parts))]
        if at in division.pieces:
            assert_clean(polygons[at], parts)
    edges = contiguity_edges(shapes, names, "rook", sliver_tolerance_m=0)
    found = {}
    for a, b, metres in zip(edges["from_unit"], edges["to_unit"], edges["border_m"]):
        pair = a.split("/")[0], b.split("/")[0]
        found[pair] = found.get(pair, 0) + metres
    before = contiguity_edges(polygons, ids, "rook", sliver_tolerance_m=0)
    expected = dict(zip(zip(before["from_unit"], before["to_unit"]), before["border_m"]))
    assert {pair: metres for pair, metres in found.items() if pair[0] != pair[1]} == pytest.approx(expected, rel=1e-4)
