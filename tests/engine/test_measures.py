"""What a partition is worth: pictures with known measures, and what holds for all."""

from __future__ import annotations

import math
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine import measures
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay


def board(picture: str, workload=None):
    """Return graph, territories, workload and places of a picture: one letter per unit, 1 km apart, "." for none."""
    rows = [line.split() for line in picture.strip().splitlines()]
    graph, territory, places = nx.Graph(), [], []
    for y, row in enumerate(rows):
        for x, letter in enumerate(row):
            graph.add_node(f"u{y}{x}")
            territory.append(None if letter == "." else letter)
            places.append([x, -y, 0.0])
            if x:
                graph.add_edge(f"u{y}{x}", f"u{y}{x - 1}")
            if y:
                graph.add_edge(f"u{y}{x}", f"u{y - 1}{x}")
    load = np.ones(len(graph)) if workload is None else np.array(workload, dtype=float)
    return graph, territory, load, np.array(places)


def measured(picture, workload=None, tolerance=0.05, targets=None):
    graph, territory, load, places = board(picture, workload)
    table = measures.territory_measures(graph, territory, load, places, tolerance=tolerance, targets=targets)
    return table, measures.summary(table, graph, territory), (graph, territory, load)


def test_halves_of_a_board():
    """
    A A B B     each: 4 units, square of 1 km: every unit √0.5 km from the middle
    A A B B     cut edges: the 2 across the middle
    """
    table, overall, _ = measured("A A B B\nA A B B")
    assert table.index.tolist() == ["A", "B"]
    assert table["units"].tolist() == [4, 4]
    assert table["workload"].tolist() == table["target"].tolist() == [4, 4]
    assert table["index"].tolist() == [100, 100]
    assert table["deviation_pct"].tolist() == [0, 0]
    assert table["within"].all()
    assert table["parts"].tolist() == [1, 1]
    assert table["rms_km"].to_numpy() == pytest.approx(math.sqrt(0.5))
    assert table["moment"].to_numpy() == pytest.approx(2)
    assert (overall.territories, overall.cut_edges, overall.unassigned) == (2, 2, 0)
    assert (overall.max_deviation_pct, overall.within_pct, overall.connected) == (0, 100, True)
    assert overall.rms_km == pytest.approx(math.sqrt(0.5))
    assert overall.total_workload == 8


def test_deviation_and_index_of_unequal_territories():
    """Workloads 6 and 2, average 4: indices 150 and 50, deviations +50 % and −50 %."""
    table, overall, _ = measured("A A B B", [3, 3, 1, 1], tolerance=0.5)
    assert table["index"].tolist() == [150, 50]
    assert table["deviation_pct"].tolist() == [50, -50]
    assert table["within"].all()  # exactly at the edge of the tolerance
    assert overall.max_deviation_pct == 50
    table, overall, _ = measured("A A B B", [3, 3, 1, 1], tolerance=0.499)
    assert not table["within"].any()
    assert overall.within_pct == 0


def test_own_targets_are_what_counts():
    """A part-time rep with a quarter of the work: workloads 6 and 2, targets 6 and 2."""
    table, overall, _ = measured("A A B B", [3, 3, 1, 1], targets={"A": 6.0, "B": 2.0})
    assert table["deviation_pct"].tolist() == [0, 0]
    assert table["index"].tolist() == [150, 50]
    assert overall.within_pct == 100


def test_a_broken_territory_is_in_parts_and_says_which():
    """
    A A B A     A: 2 + 1 units, B between them
    """
    table, overall, (graph, territory, load) = measured("A A B A")
    assert table["parts"].tolist() == [2, 1]
    assert not overall.connected
    reasons = measures.flags(table, graph, territory, load)
    assert "2 parts" in reasons["A"]
    assert "u03" in reasons["A"]
    assert "u00" not in reasons["A"]
    assert reasons["B"] is None or "parts" not in reasons["B"]


def test_a_corner_does_not_connect_where_the_graph_says_no():
    """
    A B     rook contacts: A and B are in two parts each
    B A
    """
    table, overall, (graph, _, _) = measured("A B\nB A")
    assert table["parts"].tolist() == [2, 2]
    assert overall.cut_edges == graph.number_of_edges() == 4


def test_a_donut_is_one_part():
    """
    A A A
    A B A
    A A A
    """
    table, overall, _ = measured("A A A\nA B A\nA A A")
    assert table["parts"].tolist() == [1, 1]
    assert overall.cut_edges == 4
    assert table.loc["B", "rms_km"] == 0


def test_units_without_a_territory_are_counted_and_left_out():
    """
    A . B     the target is what A and B share; the middle unit is nobody's
    """
    table, overall, _ = measured("A . B", [2, 90, 2])
    assert table.index.tolist() == ["A", "B"]
    assert table["target"].tolist() == [2, 2]
    assert overall.unassigned == 1
    assert overall.total_workload == 4
    assert overall.cut_edges == 2


def test_a_territory_without_workload_has_no_deviation_to_hide():
    table, overall, (graph, territory, load) = measured("A A B", [1, 1, 0])
    assert table["deviation_pct"].tolist() == [100, -100]
    assert table["index"].tolist() == [200, 0]
    assert np.isnan(table.loc["B", "rms_km"])
    assert overall.max_deviation_pct == 100
    assert "no workload" in measures.flags(table, graph, territory, load)["B"]


@pytest.mark.filterwarnings("ignore:All-NaN")
def test_no_workload_at_all_gives_no_numbers_instead_of_wrong_ones():
    with np.errstate(all="ignore"):
        table, overall, _ = measured("A B", [0, 0])
    assert table["deviation_pct"].isna().all()
    assert table["index"].isna().all()
    assert math.isnan(overall.rms_km)


def test_distance_is_weighted_by_workload():
    """Three units in a row, 3 : 0 : 1 → centre a quarter of the way; Σ w d² = 3 · 0.5² + 1 · 1.5² = 3."""
    table, overall, _ = measured("A A A", [3, 0, 1])
    assert table["moment"].to_numpy() == pytest.approx(3)
    assert table["rms_km"].to_numpy() == pytest.approx(math.sqrt(3 / 4))
    assert overall.rms_km == pytest.approx(math.sqrt(3 / 4))


def test_flags_name_the_unit_that_outweighs_its_target():
    table, _, (graph, territory, load) = measured("A A B B C C", [1, 9, 1, 1, 1, 1])
    reasons = measures.flags(table, graph, territory, load)
    assert "over target" in reasons["A"]
    assert "u01" in reasons["A"]
    assert "under target" in reasons["B"]
    assert "u0" not in reasons["B"]


def test_nothing_wrong_is_no_reason():
    table, _, (graph, territory, load) = measured("A A B B")
    assert measures.flags(table, graph, territory, load).tolist() == [None, None]


@pytest.mark.parametrize(
    "names",
    [
        ["T1", "T2", "T10"],
        ["9", "10", "100"],
        ["North 2", "North 10", "South 1"],
        ["R01", "R02", "R11"],
        ["a", "a²", "b"],
        ["1a", "2a", "10a"],
    ],
)
def test_names_sort_as_people_count(names):
    assert sorted([*names[1:], names[0]], key=measures.natural) == names


@given(st.lists(st.text(min_size=1)))
def test_any_names_can_be_sorted(names):
    assert sorted(sorted(names, key=measures.natural)) == sorted(names)


# --- what holds for any partition


@st.composite
def partitions(draw):
    """Draw a triangulation with workloads, and territories that need not be connected, some units without one."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(4, 60))
    points = rng.random((n, 2))
    graph = nx.Graph()
    graph.add_nodes_from(f"{at:05d}" for at in range(n))
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, [f"{corner:05d}" for corner in corners])
    k = draw(st.integers(1, 8))
    if draw(st.booleans()):  # compact ones, by the nearest of k centres
        code = np.argmin(((points[:, None] - rng.random((k, 2))) ** 2).sum(axis=2), axis=1)
    else:
        code = rng.integers(0, k, n)
    territory = [f"T{at}" for at in code]
    if draw(st.booleans()):
        territory = [None if rng.random() < 0.2 else name for name in territory]
    load = np.where(rng.random(n) < 0.25, 0, rng.lognormal(0, 1.5, n).round(3))
    return graph, territory, load, np.column_stack([100 * points, np.zeros(n)])


@settings(max_examples=150, deadline=None)
@given(partitions())
def test_measures_agree_with_a_plain_computation(drawn):
    graph, territory, load, places = drawn
    table = measures.territory_measures(graph, territory, load, places, tolerance=0.1)
    overall = measures.summary(table, graph, territory)
    of = dict(zip(graph, territory))
    names = {name for name in territory if name is not None}
    assert set(table.index) == names
    average = sum(load[at] for at, name in enumerate(territory) if name is not None) / max(len(names), 1)
    for name, row in table.iterrows():
        mine = [at for at, other in enumerate(territory) if other == name]
        weight = load[mine]
        assert row["workload"] == pytest.approx(weight.sum())
        assert row["units"] == len(mine)
        inside = graph.subgraph([unit for unit in graph if of[unit] == name])
        assert row["parts"] == nx.number_connected_components(inside)
        if average > 0:
            assert row["index"] == pytest.approx(100 * weight.sum() / average)
            assert row["deviation_pct"] == pytest.approx(row["index"] - 100, abs=1e-7)
            assert row["within"] == (abs(weight.sum() / average - 1) <= 0.1 + 1e-9)
        if weight.sum() > 0:
            centre = np.average(places[mine], axis=0, weights=weight)
            squared = ((places[mine] - centre) ** 2).sum(axis=1)
            assert row["rms_km"] == pytest.approx(math.sqrt(np.average(squared, weights=weight)), abs=1e-6)
    assert overall.cut_edges == sum(of[u] != of[v] for u, v in graph.edges)
    assert overall.unassigned == territory.count(None)
    assert overall.total_workload == pytest.approx(average * len(names))
    assert overall.connected == (table["parts"] == 1).all()


@settings(max_examples=150, deadline=None)
@given(partitions())
def test_neighbours_never_share_a_colour(drawn):
    graph, territory, _, _ = drawn
    names = sorted({name for name in territory if name is not None})
    colour = measures.colour_classes(graph, territory, names)
    assert list(colour) == names
    of = dict(zip(graph, territory))
    for u, v in graph.edges:
        if None not in (of[u], of[v]) and of[u] != of[v]:
            assert colour[of[u]] != colour[of[v]]


def wide_map(seed=5, units=600, territories=40):
    """Return a triangulation in the plane and the number of the nearest of some centres for each unit."""
    rng = np.random.default_rng(seed)
    points, centres = rng.random((units, 2)), rng.random((territories, 2))
    graph = nx.Graph()
    graph.add_nodes_from(range(units))
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, corners.tolist())
    territory = [f"T{at}" for at in np.argmin(((points[:, None] - centres) ** 2).sum(axis=2), axis=1)]
    return graph, territory, sorted(set(territory))


@pytest.mark.parametrize("seed", range(20))
def test_planar_maps_make_do_with_the_palette(seed):
    colour = measures.colour_classes(*wide_map(seed), colours=8)
    assert max(colour.values()) < 8
    assert max(measures.colour_classes(*wide_map(seed), colours=6).values()) < 6


def test_more_colours_only_where_contacts_demand_them():
    """Ten territories of which each touches all others need ten colours."""
    graph = nx.complete_graph(10)
    colour = measures.colour_classes(graph, [f"T{at}" for at in graph], [f"T{at}" for at in graph])
    assert sorted(colour.values()) == list(range(10))


def test_colours_are_the_same_in_every_process():
    """Python salts the hashes of texts anew in each process."""
    code = (
        "import importlib.util, runpy, sys; from pathlib import Path; runpy.run_path(sys.argv[2]);"
        "tests = runpy.run_path(sys.argv[1]);"
        "print(tests['measures'].colour_classes(*tests['wide_map']()))"
    )
    here = Path(__file__)
    told = {
        subprocess.run(
            [sys.executable, "-c", code, str(here), str(here.parents[1] / "conftest.py")],
            env={**os.environ, "PYTHONHASHSEED": salt},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for salt in ("1", "2", "3")
    }
    assert len(told) == 1


def test_sums_by_territory():
    values, territory = np.array([1.0, 2.0, 4.0, 8.0]), ["B", "A", None, "B"]
    assert measures.sum_by_territory(values, territory).to_dict() == {"A": 2, "B": 9}
    assert measures.sum_by_territory(values, territory, ["B", "A"]).tolist() == [9, 2]


# --- compactness

SQUARE = shapely.box(0, 0, 1000, 1000)
DISC = shapely.Point(0, 0).buffer(1000, quad_segs=512)


@pytest.mark.parametrize(
    ("shape", "area_km2", "polsby_popper", "reock"),
    [
        (SQUARE, 1, math.pi / 4, 2 / math.pi),
        (DISC, math.pi, 1, 1),
        # 3 : 1 rectangle: 4π·3/8², and its circle has the diagonal √10 for its diameter
        (shapely.box(0, 0, 3000, 1000), 3, 4 * math.pi * 3 / 64, 3 / (math.pi * 10 / 4)),
        # equilateral triangle, side 2 km: π/(3√3), and 3√3/(4π)
        (
            shapely.Polygon([(0, 0), (2000, 0), (1000, 1000 * math.sqrt(3))]),
            math.sqrt(3),
            math.pi / (3 * math.sqrt(3)),
            3 * math.sqrt(3) / (4 * math.pi),
        ),
        # a square ring: the hole takes area and adds border
        (SQUARE.difference(shapely.box(250, 250, 750, 750)), 0.75, 4 * math.pi * 0.75 / 36, 0.75 * 2 / math.pi),
        # two squares, a corner apart by one square's diagonal
        (
            shapely.MultiPolygon([SQUARE, shapely.box(2000, 2000, 3000, 3000)]),
            2,
            4 * math.pi * 2 / 64,
            2 / (math.pi * 18 / 4),
        ),
    ],
    ids=["square", "disc", "rectangle", "triangle", "ring", "two squares"],
)
def test_compactness_of_known_shapes(shape, area_km2, polsby_popper, reock):
    found = measures.compactness(np.array([shape])).iloc[0]
    assert found["area_km2"] == pytest.approx(area_km2, rel=1e-4)
    assert found["polsby_popper"] == pytest.approx(polsby_popper, rel=1e-4)
    assert found["reock"] == pytest.approx(reock, rel=1e-4)


@settings(max_examples=60, deadline=None)
@given(st.integers(0, 10_000), st.floats(0.01, 1000), st.floats(0, 2 * math.pi))
def test_compactness_knows_neither_size_nor_place_nor_turn(seed, scale, turn):
    rng = np.random.default_rng(seed)
    shape = shapely.concave_hull(shapely.MultiPoint(rng.random((12, 2)) * 1000), ratio=0.5)
    rotate = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    other = shapely.transform(shape, lambda xy: scale * xy @ rotate + 5e5)
    found = measures.compactness(np.array([shape, other]))
    for name in ("polsby_popper", "reock"):
        assert found[name][0] == pytest.approx(found[name][1], rel=1e-6)
        assert 0 < found[name][0] <= 1
    assert found["area_km2"][1] == pytest.approx(scale**2 * found["area_km2"][0], rel=1e-6)


def test_a_shape_without_area_has_no_compactness():
    found = measures.compactness(np.array([shapely.Polygon()])).iloc[0]
    assert found["area_km2"] == 0
    assert pd.isna(found["polsby_popper"])
    assert pd.isna(found["reock"])
