"""Who touches whom: drawn maps with one right answer, random maps against brute force, real ZIPs."""

import contextlib
import gzip
import itertools
import sqlite3

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.contiguity import (
    EDGE_COLUMNS,
    adjacency_graph,
    bridge_edges,
    close_crossed,
    component_labels,
    components,
    contiguity_edges,
    edge_lines,
    isolates,
    unit_centres,
)
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.geodesy import distance_km
from healthcare_territories.territory_plugin.engine.overlaps import overlapping_units
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from healthcare_territories.tests.engine.pictures import SOUTH, STEP, WEST, grid, pairs, squares, voronoi
from hypothesis import given, settings
from hypothesis import strategies as st

METRE = 1 / 111_320


def joined(picture, **options):
    return pairs(contiguity_edges(*squares(picture), **options))


# --- pictures ------------------------------------------------------------------------------------------


def test_a_chessboard_of_four():
    """Rook walks over sides, queen over the corner in the middle, too.

    AB
    CD
    """
    picture = "AB\nCD"
    assert joined(picture, criterion="rook") == {"AB", "CD", "AC", "BD"}
    assert joined(picture) == {"AB", "CD", "AC", "BD", "AD", "BC"}


def test_kinds_and_lengths_and_distances():
    """
    AB
    .C
    """
    geometries, ids = squares("AB\n.C")
    edges = contiguity_edges(geometries, ids).set_index(["from_unit", "to_unit"])
    assert list(edges.columns) == EDGE_COLUMNS[2:]
    assert edges["kind"].to_dict() == {("A", "B"): "border", ("A", "C"): "point", ("B", "C"): "border"}
    assert edges.loc[("A", "B"), "border_m"] == pytest.approx(1110.36, abs=0.1)  # 0.01° of latitude at 40°
    assert edges.loc[("B", "C"), "border_m"] == pytest.approx(853.8, abs=0.1)  # 0.01° of longitude at 40.01°
    assert edges.loc[("A", "C"), "border_m"] == 0
    centres = unit_centres(geometries)
    assert edges.loc[("A", "C"), "distance_km"] == pytest.approx(distance_km(centres[0], centres[2])[0])


def test_a_donut_touches_what_is_in_its_hole():
    """
    AAA
    ABA
    AAA
    """
    edges = contiguity_edges(*squares("AAA\nABA\nAAA"))
    assert pairs(edges) == {"AB"}
    assert edges["border_m"][0] == pytest.approx(2 * (1110.36 + 853.9), rel=1e-3)


def test_an_island_touches_nobody_but_is_in_the_graph():
    """
    AB.
    ...
    ..C
    """
    geometries, ids = squares("AB.\n...\n..C")
    graph = adjacency_graph(ids, contiguity_edges(geometries, ids))
    assert isolates(graph) == ["C"]
    assert components(graph) == [["A", "B"], ["C"]]


def test_a_unit_of_two_parts_touches_over_both():
    """
    ABA
    """
    edges = contiguity_edges(*squares("ABA"))
    assert pairs(edges) == {"AB"}
    assert edges["border_m"][0] == pytest.approx(2 * 1110.36, abs=0.2)


def test_corner_of_a_pinched_neighbour():
    """B surrounds C's corner on both sides: A meets C in one point only.

    BA
    CB
    """
    assert joined("BA\nCB", criterion="rook") == {"AB", "BC"}
    assert joined("BA\nCB") == {"AB", "BC", "AC"}


def t_junction(gap_m=0.0):
    """Return A south of B and C, and A has no vertex where they meet.

    BC
    AA
    """
    gap = gap_m * METRE
    a = shapely.box(WEST, SOUTH, WEST + 2 * STEP, SOUTH + STEP)
    b = shapely.box(WEST, SOUTH + STEP + gap, WEST + STEP, SOUTH + 2 * STEP)
    c = shapely.box(WEST + STEP, SOUTH + STEP + gap, WEST + 2 * STEP, SOUTH + 2 * STEP)
    return np.array([a, b, c], dtype=object), np.array(list("ABC"), dtype=object)


@pytest.mark.parametrize("gap_m", [0.0, 0.4, -0.4])
def test_a_vertex_on_the_middle_of_a_segment(gap_m):
    edges = contiguity_edges(*t_junction(gap_m), criterion="rook").set_index(["from_unit", "to_unit"])
    assert set(edges.index) == {("A", "B"), ("A", "C"), ("B", "C")}
    assert edges.loc[("A", "B"), "border_m"] == pytest.approx(853.8, rel=2e-3)
    assert edges.loc[("A", "C"), "border_m"] == pytest.approx(853.8, rel=2e-3)


@pytest.mark.parametrize("gap_m", [2.0, -2.0])
def test_a_gap_or_overlap_wider_than_the_tolerance_separates(gap_m):
    assert pairs(contiguity_edges(*t_junction(gap_m), criterion="rook")) == {"BC"}
    wide = contiguity_edges(*t_junction(gap_m), criterion="rook", sliver_tolerance_m=3)
    assert pairs(wide) == {"AB", "AC", "BC"}


def test_no_tolerance_means_exact_ends():
    assert pairs(contiguity_edges(*t_junction(), criterion="rook", sliver_tolerance_m=0)) == {"BC"}


def test_a_sliver_with_other_vertices_on_either_side():
    """The same wavy border, digitised twice."""
    x = np.linspace(0, 0.02, 40)
    wave = 0.0005 * np.sin(x * 900)
    other = np.interp(np.linspace(0, 0.02, 173), x, wave) + 0.3 * METRE
    south = shapely.Polygon([*zip(WEST + x, SOUTH + wave), (WEST + 0.02, SOUTH - 0.01), (WEST, SOUTH - 0.01)])
    north = shapely.Polygon(
        [
            *zip(WEST + np.linspace(0, 0.02, 173), SOUTH + other),
            (WEST + 0.02, SOUTH + 0.01),
            (WEST, SOUTH + 0.01),
        ]
    )
    edges = contiguity_edges([south, north], ["S", "N"], criterion="rook")
    line_m = shapely.length(shapely.linestrings(np.column_stack([x * np.cos(np.radians(SOUTH)), wave]))) / METRE
    assert edges["border_m"].tolist() == pytest.approx([line_m], rel=0.01)


def test_a_corner_that_pokes_a_border_without_a_vertex():
    """P's corner lies on the middle of A's side; P's own sides are shared with its neighbours there.

    PPP       both L and R rest on A, P stands on it with one toe
    LPR
    AAA
    """
    a = shapely.box(WEST, SOUTH, WEST + 2 * STEP, SOUTH + STEP)
    toe = (WEST + STEP, SOUTH + STEP)
    top = SOUTH + 2 * STEP
    left = shapely.Polygon([(WEST, SOUTH + STEP), toe, (WEST, top)])
    right = shapely.Polygon([toe, (WEST + 2 * STEP, SOUTH + STEP), (WEST + 2 * STEP, top)])
    poke = shapely.Polygon([toe, (WEST + 2 * STEP, top), (WEST, top)])
    units = [a, left, poke, right], ["A", "L", "P", "R"]
    assert pairs(contiguity_edges(*units)) == {"AL", "AP", "AR", "LP", "LR", "PR"}
    assert pairs(contiguity_edges(*units, criterion="rook")) == {"AL", "AR", "LP", "PR"}


def test_three_copies_of_one_polygon_touch_each_other_all_around():
    square = shapely.box(WEST, SOUTH, WEST + STEP, SOUTH + STEP)
    edges = contiguity_edges([square] * 3, ["A", "B", "C"])
    assert pairs(edges) == {"AB", "AC", "BC"}
    assert edges["border_m"].max() == edges["border_m"].min()


def test_neighbours_over_the_date_line():
    west, east = shapely.box(179.9, 52, 180, 52.1), shapely.box(-180, 52, -179.9, 52.1)
    edges = contiguity_edges([west, east], ["W", "E"])
    assert edges["kind"].tolist() == ["border"]
    assert edges["distance_km"][0] == pytest.approx(6.86, abs=0.01)


def test_directions_of_rings_do_not_matter():
    geometries, ids = grid(5, 4)
    turned = geometries.copy()
    turned[::2] = shapely.reverse(turned[::2])
    pd.testing.assert_frame_equal(contiguity_edges(geometries, ids), contiguity_edges(turned, ids))


def test_order_of_units_does_not_matter():
    geometries, ids = voronoi(60, seed=3)
    shuffle = np.random.default_rng(4).permutation(len(ids))
    again = contiguity_edges(geometries[shuffle], ids[shuffle])
    pd.testing.assert_frame_equal(contiguity_edges(geometries, ids), again, rtol=1e-12)


def test_a_crossed_polygon_does_no_harm():
    bow = shapely.Polygon([(WEST, SOUTH), (WEST + STEP, SOUTH + STEP), (WEST + STEP, SOUTH), (WEST, SOUTH + STEP)])
    beside = shapely.box(WEST + STEP, SOUTH, WEST + 2 * STEP, SOUTH + STEP)
    assert pairs(contiguity_edges([bow, beside], ["A", "B"])) == {"AB"}
    assert overlapping_units([bow, beside], ["A", "B"]).empty


def test_repeated_vertices_and_rings_without_extent():
    flat = shapely.Polygon([(WEST, SOUTH)] * 5)
    square = shapely.Polygon(
        [(WEST, SOUTH), (WEST, SOUTH), (WEST, SOUTH + STEP), (WEST + STEP, SOUTH), (WEST + STEP, SOUTH)]
    )
    assert len(contiguity_edges([flat, square, square], ["F", "S", "T"])) in (1, 3)


def test_no_units_and_one_unit():
    assert list(contiguity_edges([], []).columns) == EDGE_COLUMNS
    square = shapely.box(WEST, SOUTH, WEST + STEP, SOUTH + STEP)
    assert contiguity_edges([square], ["A"]).empty
    assert bridge_edges([square], ["A"], contiguity_edges([square], ["A"])).empty
    assert len(adjacency_graph(["A"], contiguity_edges([square], ["A"]))) == 1


# --- refusals ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "bad, says",
    [
        (None, "without geometry: 00502"),
        (shapely.Polygon(), "without geometry: 00502"),
        (shapely.Point(-100, 40), "not polygons: 00502"),
        (shapely.box(500_000, 4_000_000, 500_100, 4_000_100), "not longitude and latitude.*00502"),
    ],
)
def test_what_is_no_polygon_in_degrees_is_named(bad, says):
    good = shapely.box(WEST, SOUTH, WEST + STEP, SOUTH + STEP)
    with pytest.raises(TerritoryError, match=says):
        contiguity_edges([good, bad], ["00501", "00502"])


def test_other_refusals():
    geometries, ids = grid(2, 1)
    with pytest.raises(TerritoryError, match="more than once: 001"):
        contiguity_edges(geometries, ["001", "001"])
    with pytest.raises(TerritoryError, match="bishop"):
        contiguity_edges(geometries, ids, criterion="bishop")
    edges = contiguity_edges(geometries, ids)
    with pytest.raises(TerritoryError, match="not there: 001"):
        adjacency_graph(["000"], edges)
    with pytest.raises(TerritoryError, match="distance"):
        bridge_edges(geometries, ids, edges, how="within")
    with pytest.raises(TerritoryError, match="furthest"):
        bridge_edges(geometries, ids, edges, how="furthest")


def test_cancel_stops_and_progress_rises():
    geometries, ids = grid(30, 30)
    with pytest.raises(Cancelled):
        contiguity_edges(geometries, ids, cancelled=lambda: True)
    seen = []
    contiguity_edges(geometries, ids, progress=lambda fraction, text: seen.append(fraction))
    assert seen == sorted(seen) and seen[0] == 0 and seen[-1] == 1 and len(seen) >= 5


# --- random maps ---------------------------------------------------------------------------------------


def cell_neighbours(rows):
    """Return rook and queen pairs of a drawing, and the numbers of shared sides, cell by cell."""
    sides, corners = {}, set()
    height, width = len(rows), len(rows[0])
    for r, c in itertools.product(range(height), range(width)):
        for dr, dc in ((0, 1), (1, 0), (1, 1), (1, -1)):
            if r + dr < height and 0 <= c + dc < width:
                pair = "".join(sorted({rows[r][c], rows[r + dr][c + dc]}))
                if len(pair) == 2 and "." not in pair:
                    corners.add(pair)
                    if dr == 0 or dc == 0:
                        east, north = sides.get(pair, (0, 0))
                        sides[pair] = (east + dr, north + dc)
    return sides, corners


drawings = (
    st.integers(1, 6)
    .flatmap(lambda width: st.lists(st.text("ABCDE.", min_size=width, max_size=width), min_size=1, max_size=6))
    .filter(lambda rows: set("".join(rows)) - {"."})
)


@settings(max_examples=150, deadline=None)
@given(drawings)
def test_any_drawing_has_the_neighbours_of_its_cells(rows):
    """Parts, holes, corner touches: units of cells touch exactly where their cells do."""
    sides, corners = cell_neighbours(rows)
    geometries, ids = squares("\n".join(rows))
    queen = contiguity_edges(geometries, ids)
    assert pairs(queen) == corners
    assert pairs(contiguity_edges(geometries, ids, criterion="rook")) == set(sides)
    exact = contiguity_edges(geometries, ids, sliver_tolerance_m=0)
    assert pairs(exact) == corners
    for a, b, metres in zip(queen["from_unit"], queen["to_unit"], queen["border_m"]):
        east, north = sides.get(a + b, (0, 0))
        assert metres == pytest.approx(east * 853.7 + north * 1110.36, rel=1e-3)


@settings(max_examples=100, deadline=None)
@given(drawings)
def test_any_drawing_without_vertices_along_its_sides(rows):
    """The same when outlines keep their corners only: vertices then lie on the middle of segments."""
    sides, corners = cell_neighbours(rows)
    geometries, ids = squares("\n".join(rows))
    bare = shapely.simplify(geometries, 0)
    queen = contiguity_edges(bare, ids)
    assert {a + b for a, b, m in zip(queen["from_unit"], queen["to_unit"], queen["border_m"]) if m} == set(sides)
    assert pairs(queen) == corners
    total = sum(east * 853.7 + north * 1110.36 for east, north in sides.values())
    assert queen["border_m"].sum() == pytest.approx(total, rel=1e-3)


@settings(max_examples=25, deadline=None)
@given(st.integers(2, 60), st.integers(0, 10_000))
def test_random_cells_have_the_neighbours_of_brute_force(n, seed):
    geometries, ids = voronoi(n, seed)
    one, other = np.triu_indices(len(ids), 1)
    common = shapely.intersection(shapely.boundary(geometries[one]), shapely.boundary(geometries[other]))
    long = shapely.length(common) > 1e-4
    expected = {f"{ids[i]}{ids[j]}" for i, j in zip(one[long], other[long])}
    rook = contiguity_edges(geometries, ids, criterion="rook")
    assert expected <= pairs(rook)
    assert all(rook["border_m"][[f"{a}{b}" not in expected for a, b in zip(rook.from_unit, rook.to_unit)]] < 15)


@settings(max_examples=20, deadline=None)
@given(st.integers(2, 12), st.integers(2, 12), st.floats(0, 0.45), st.integers(0, 1000))
def test_noise_below_the_tolerance_changes_no_neighbours(columns, rows, noise_m, seed):
    """Every corner of every square moved on its own by less than half the tolerance."""
    geometries, ids = grid(columns, rows)
    rng = np.random.default_rng(seed)

    def shaken(xy):
        moved = xy + rng.uniform(-1, 1, xy.shape) * noise_m * METRE / 2**0.5
        moved[4::5] = moved[::5]
        return moved

    expected = contiguity_edges(geometries, ids)
    found = contiguity_edges(shapely.transform(geometries, shaken), ids)
    assert pairs(found) == pairs(expected)
    assert found["kind"].tolist() == expected["kind"].tolist()
    np.testing.assert_allclose(found["border_m"], expected["border_m"], rtol=0.01)


# --- centres -------------------------------------------------------------------------------------------


def test_centres_are_centroids_or_inside():
    """B's centroid lies in A's: B gets a place in itself.

    BBB
    BAB
    BBB
    """
    geometries, _ = squares("BBB\nBAB\nBBB")
    centres = unit_centres(geometries)
    np.testing.assert_allclose(centres[0], (WEST + 1.5 * STEP, SOUTH + 1.5 * STEP), atol=1e-9)
    assert shapely.contains_xy(geometries[1], *centres[1])


@settings(max_examples=50, deadline=None)
@given(drawings)
def test_every_centre_lies_in_its_unit(rows):
    geometries, _ = squares("\n".join(rows))
    assert shapely.intersects_xy(shapely.buffer(geometries, 1e-9), unit_centres(geometries)).all()


# --- bridges -------------------------------------------------------------------------------------------


def test_an_island_is_bridged_to_the_nearest_shore():
    """
    AB...
    CD..X
    EF...
    """
    geometries, ids = squares("AB...\nCD..X\nEF...")
    edges = contiguity_edges(geometries, ids)
    bridges = bridge_edges(geometries, ids, edges)
    assert pairs(bridges) == {"DX", "BX", "FX"}
    assert set(bridges["kind"]) == {"bridge"} and (bridges["border_m"] == 0).all()
    straight = bridges.set_index("from_unit")["gap_km"]
    assert straight["D"] == pytest.approx(2 * 0.8539, rel=1e-3)
    assert straight["B"] == straight["F"] or straight["B"] == pytest.approx(straight["F"], rel=1e-3)
    assert len(bridge_edges(geometries, ids, edges, per_component=1)) == 1
    graph = adjacency_graph(ids, pd.concat([edges, bridges]))
    assert len(components(graph)) == 1 and graph.edges["D", "X"]["kind"] == "bridge"


def test_copies_of_an_island_are_bridged_though_all_their_borders_are_shared():
    """
    MM.X    and once more X, as Y
    """
    geometries, ids = squares("MM.X")
    geometries, ids = [*geometries, geometries[1]], [*ids, "Y"]
    edges = contiguity_edges(geometries, ids)
    assert pairs(edges) == {"XY"}
    assert pairs(bridge_edges(geometries, ids, edges)) == {"MX", "MY"}


def test_bridges_hop_from_island_to_island():
    """Y hangs on X, which is nearer than the mainland M.

    M..X..Y
    """
    geometries, ids = squares("MM..X..Y")
    bridges = bridge_edges(geometries, ids, contiguity_edges(geometries, ids))
    assert pairs(bridges) == {"MX", "XY"}


def test_bridges_within_a_distance():
    """
    MM.X....Y
    """
    geometries, ids = squares("MM.X....Y")
    edges = contiguity_edges(geometries, ids)
    assert pairs(bridge_edges(geometries, ids, edges, "within", 1.0)) == {"MX"}
    assert pairs(bridge_edges(geometries, ids, edges, "within", 3.5)) == {"MX", "XY"}
    assert bridge_edges(geometries, ids, edges, "within", 0.5).empty


def test_islands_near_each_other_are_joined_though_the_mainland_is_too_far():
    """
    MM.......X.Y
    """
    geometries, ids = squares("MM.......X.Y")
    assert pairs(bridge_edges(geometries, ids, contiguity_edges(geometries, ids), "within", 1.0)) == {"XY"}


def test_gaps_are_measured_between_polygons_not_vertices():
    """Two long walls face each other: their vertices are far apart along the wall."""
    wall = shapely.box(-100, 40, -99.9, 41)
    stub = shapely.box(-99.89, 40.4321, -99.88, 40.4322)
    bridges = bridge_edges([wall, stub], ["A", "B"], contiguity_edges([wall, stub], ["A", "B"]))
    assert bridges["gap_km"][0] == pytest.approx(distance_km([(-99.9, 40.43215)], [(-99.89, 40.43215)])[0], rel=1e-4)


def test_north_and_south_are_not_stretched():
    """At 60° a degree east is half a degree north: X is nearer to E in kilometres, to N in degrees."""
    north, east = shapely.box(-100, 61.3, -99.9, 61.4), shapely.box(-98.5, 60.3, -98.4, 60.4)
    x = shapely.box(-100, 60.3, -99.9, 60.4)
    edges = contiguity_edges([north, east, x], ["N", "E", "X"])
    bridges = bridge_edges([north, east, x], ["N", "E", "X"], edges).set_index(["from_unit", "to_unit"])
    expected = distance_km([(-99.9, 60.4), (-100, 60.4)], [(-98.5, 60.4), (-100, 61.3)])
    assert bridges["gap_km"].to_dict() == pytest.approx({("E", "X"): expected[0], ("N", "X"): expected[1]}, rel=1e-3)
    near = bridge_edges([north, east, x], ["N", "E", "X"], edges, "within", 90)
    assert pairs(near) == {"EX"}


def test_bridges_between_centres_only():
    centres = np.array([(-100, 40), (-100.01, 40), (-101, 40), (-105, 40)], dtype=float)
    edges = pd.DataFrame({"from_unit": ["A"], "to_unit": ["B"]})
    bridges = bridge_edges(centres, list("ABCD"), edges, per_component=1)
    assert pairs(bridges) == {"BC", "CD"}
    np.testing.assert_allclose(bridges["gap_km"], bridges["distance_km"])


@settings(max_examples=40, deadline=None)
@given(drawings, st.integers(1, 4))
def test_nearest_bridges_always_make_one_map(rows, per_component):
    geometries, ids = squares("\n".join(rows))
    edges = contiguity_edges(geometries, ids, criterion="rook")
    parts = component_labels(ids, edges)
    bridges = bridge_edges(geometries, ids, edges, per_component=per_component)
    assert component_labels(ids, pd.concat([edges, bridges])).max() == 0
    number = dict(zip(ids, parts))
    assert all(number[a] != number[b] for a, b in zip(bridges["from_unit"], bridges["to_unit"]))
    assert not bridges.duplicated(["from_unit", "to_unit"]).any()
    assert parts.max() <= len(bridges) <= per_component * parts.max()


def test_bridges_do_not_depend_on_the_order_of_units():
    geometries, ids = voronoi(80, seed=5)
    some = np.random.default_rng(6).permutation(len(ids))[:40]
    few, few_ids = geometries[np.sort(some)], ids[np.sort(some)]
    once = bridge_edges(few, few_ids, contiguity_edges(few, few_ids))
    again = bridge_edges(geometries[some], ids[some], contiguity_edges(geometries[some], ids[some]))
    pd.testing.assert_frame_equal(once, again, rtol=1e-9)


def test_bridges_leave_barriers_alone():
    geometries, ids = squares("AB")
    edges = contiguity_edges(geometries, ids)
    edges["open"] = False
    assert bridge_edges(geometries, ids, edges).empty


# --- barriers ------------------------------------------------------------------------------------------


def closed_by(picture, *barrier, geometries=True):
    shapes, ids = squares(picture)
    line = shapely.LineString([(WEST + x * STEP, SOUTH + y * STEP) for x, y in barrier])
    edges = close_crossed(
        contiguity_edges(shapes, ids), ids, unit_centres(shapes), [line], shapes if geometries else None
    )
    return pairs(edges[~edges["open"]])


def test_a_river_along_the_borders_closes_them():
    """
    AB|C        the river runs between B and C, and between E and F
    DE|F
    """
    river = [(2, 0), (2, 2)]
    assert closed_by("ABC\nDEF", *river) == {"BC", "EF", "BF", "CE"}
    assert closed_by("ABC\nDEF", *river, geometries=False) == {"BC", "EF", "BF", "CE"}


def test_a_river_beside_the_border_closes_it_too():
    assert closed_by("ABC\nDEF", (2.1, -1), (1.9, 1), (2.1, 3)) == {"BC", "EF", "BF", "CE"}


def test_a_barrier_along_a_small_part_of_the_border_leaves_it_open():
    assert closed_by("AB", (1, 0), (1, 0.4)) == set()
    assert closed_by("AB", (1, 0), (1, 0.6)) == {"AB"}


def test_a_barrier_around_a_bend():
    """The straight line from A's centre to B's leaves both and crosses the river, the way over their
    border does not.

    AXB
    AAB
    """
    river = [(1.1, 2.5), (1.1, 1.05), (1.9, 1.05), (1.9, 2.5)]
    shapes, ids = squares("AXB\nAAB")
    assert "AB" not in closed_by("AXB\nAAB", *river)
    assert closed_by("AXB\nAAB", *river) == {"AX", "BX"}
    bends = edge_lines(contiguity_edges(shapes, ids), ids, unit_centres(shapes), shapes)
    assert shapely.get_num_coordinates(bends).tolist() == [3, 3, 3]


def test_bridges_are_closed_by_what_they_cross():
    shapes, ids = squares("MM..X")
    bridges = bridge_edges(shapes, ids, contiguity_edges(shapes, ids))
    line = shapely.LineString([(WEST + 3 * STEP, SOUTH - 1), (WEST + 3 * STEP, SOUTH + 1)])
    assert not close_crossed(bridges, ids, unit_centres(shapes), [line], shapes)["open"].any()


def test_closed_edges_stay_closed_and_the_input_is_left_alone():
    shapes, ids = squares("ABC")
    edges = contiguity_edges(shapes, ids)
    edges["open"] = [False, True]
    far = shapely.LineString([(0, 0), (1, 1)])
    again = close_crossed(edges, ids, unit_centres(shapes), [far, None, shapely.LineString()], shapes)
    assert again["open"].tolist() == [False, True]
    assert close_crossed(edges.drop(columns="open"), ids, unit_centres(shapes), [])["open"].all()


def test_the_graph_leaves_closed_edges_out():
    shapes, ids = squares("ABC")
    edges = contiguity_edges(shapes, ids)
    edges["open"] = [False, True]
    graph = adjacency_graph(ids, edges, {"workload": [1.0, 2.0, 3.0]})
    assert set(graph.edges) == {("B", "C")} and set(graph) == set("ABC")
    assert graph.nodes["C"] == {"workload": 3.0}
    assert set(graph.edges["B", "C"]) == {"border_m", "distance_km", "kind"}


# --- overlaps ------------------------------------------------------------------------------------------


def test_clean_maps_have_no_overlaps():
    assert overlapping_units(*squares("AAB\nACB\nDDD")).empty
    assert overlapping_units(*voronoi(200, seed=7), share=1e-6).empty
    assert overlapping_units([], []).empty


@pytest.mark.parametrize(
    "extra, expected",
    [
        ("copy of one unit", {"5": 1.0}),
        ("inside of one unit", {"5": 1.0}),
        ("all of the map", {str(i): 1.0 for i in range(9)}),
        ("half over the edge", {"5": 0.5}),
        ("a bar across a row", {"3": 0.2, "4": 0.2, "5": 0.2}),
    ],
)
def test_overlaps_of_every_shape_are_found(extra, expected):
    """
    678
    345
    012
    """
    shapes, ids = squares("678\n345\n012")
    x, y = WEST + 2 * STEP, SOUTH + STEP
    shape = {
        "copy of one unit": shapes[5],
        "inside of one unit": shapely.box(x + STEP / 4, y + STEP / 4, x + STEP / 2, y + STEP / 2),
        "all of the map": shapely.box(WEST, SOUTH, WEST + 3 * STEP, SOUTH + 3 * STEP),
        "half over the edge": shapely.box(x + STEP / 2, y, x + 3 * STEP / 2, y + STEP),
        "a bar across a row": shapely.box(WEST - STEP, y + 0.4 * STEP, WEST + 4 * STEP, y + 0.6 * STEP),
    }[extra]
    found = overlapping_units([*shapes, shape], [*ids, "X"])
    assert dict(zip(found["from_unit"], found["share"].round(6))) == expected
    assert set(found["to_unit"]) == {"X"}


def test_overlaps_below_the_share_are_passed_over():
    shapes, ids = t_junction(gap_m=-2)
    assert overlapping_units(shapes, ids).empty
    assert pairs(overlapping_units(shapes, ids, share=1e-4)) == {"AB", "AC"}


@settings(max_examples=40, deadline=None)
@given(st.integers(2, 25), st.integers(0, 10_000), st.integers(0, 3))
def test_overlaps_are_those_of_brute_force(n, seed, moved):
    geometries, ids = voronoi(n, seed)
    rng = np.random.default_rng(seed)
    for unit in rng.choice(len(ids), min(moved, len(ids)), replace=False):
        shift = rng.normal(0, 0.2, 2)
        geometries[unit] = shapely.transform(geometries[unit], lambda xy, by=shift: xy + by)
    one, other = np.triu_indices(len(ids), 1)
    area = shapely.area(geometries)
    with np.errstate(invalid="ignore"):
        common = shapely.area(shapely.intersection(geometries[one], geometries[other]))
    shares = common / np.minimum(area[one], area[other])
    expected = {f"{ids[i]}{ids[j]}" for i, j in zip(one[shares > 0.01], other[shares > 0.01])}
    assert pairs(overlapping_units(geometries, ids)) == expected


# --- real ZIPs -----------------------------------------------------------------------------------------


def read_layer(path):
    """Return the polygons and ids of a GeoPackage without any GIS library."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        rows = connection.execute("SELECT zcta5, geom FROM zcta").fetchall()
    envelope = [0, 32, 48, 48, 64]
    shapes = shapely.from_wkb([blob[8 + envelope[blob[3] >> 1 & 7] :] for _, blob in rows])
    return shapes, np.array([zcta for zcta, _ in rows], dtype=object)


@pytest.mark.parametrize("state", ["RI", "DE", "CO", "MN", "IL", "NY", "PA"])
def test_real_states_have_the_agreed_neighbours(shared_data, unpacked, state):
    shapes, ids = read_layer(unpacked(f"zcta/zcta_{state}.gpkg.xz"))
    with gzip.open(shared_data / "zcta" / "queen_edges_dev_states.csv.gz", "rt") as file:
        agreed = pd.read_csv(file, dtype=str)
    here = agreed[agreed.iloc[:, 0].isin(ids) & agreed.iloc[:, 1].isin(ids)]
    expected = {"".join(sorted(pair)) for pair in here.iloc[:, :2].itertuples(index=False)}
    assert pairs(contiguity_edges(shapes, ids)) == expected
    assert overlapping_units(shapes, ids).empty


def test_the_nation_has_the_known_neighbours_and_one_map_after_bridging(unpacked):
    shapes, ids = read_layer(unpacked("zcta/us_zcta_simplified_0.001.gpkg.xz"))
    edges = contiguity_edges(shapes, ids)
    assert (len(ids), len(edges), (edges["kind"] == "border").sum()) == (32_988, 90_862, 88_892)
    sizes = np.bincount(component_labels(ids, edges))
    assert (len(sizes), (sizes == 1).sum()) == (188, 148)
    bridges = bridge_edges(shapes, ids, edges)
    assert component_labels(ids, pd.concat([edges, bridges])).max() == 0
    assert 187 <= len(bridges) <= 3 * 187
