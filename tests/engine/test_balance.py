"""Balancing: what always holds, what has one right answer, and what is refused."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import balance_territories, certificates
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay


def grid(rows: int, columns: int, workload=1.0) -> nx.Graph:
    """Return units "00", "01", … of a chessboard near Philadelphia, 0.1° apart."""
    graph = nx.Graph()
    for row in range(rows):
        for column in range(columns):
            load = workload(row, column) if callable(workload) else workload
            graph.add_node(f"{row}{column}", workload=float(load), lon=-75 + column / 10, lat=40 - row / 10)
            if row:
                graph.add_edge(f"{row}{column}", f"{row - 1}{column}")
            if column:
                graph.add_edge(f"{row}{column}", f"{row}{column - 1}")
    return graph


def path(loads: list[float]) -> nx.Graph:
    """Return units "a", "b", … in a row from west to east."""
    graph = nx.Graph()
    for index, load in enumerate(loads):
        graph.add_node(chr(97 + index), workload=float(load), lon=-80 + index / 10, lat=40.0)
        if index:
            graph.add_edge(chr(96 + index), chr(97 + index))
    return graph


def pieces(plan) -> list[str]:
    """Return the territories as sorted words, in their order."""
    return [
        "".join(sorted(unit for unit, at in plan.as_dict().items() if at == territory))
        for territory in range(plan.territories)
    ]


def assert_sound(graph: nx.Graph, plan, territories: int) -> None:
    """Exactly `territories` connected territories, each unit in one, all measures right."""
    at = plan.as_dict()
    assert set(at) == set(graph)
    assert set(at.values()) == set(range(territories))
    for territory in range(territories):
        inside = [unit for unit in graph if at[unit] == territory]
        assert nx.is_connected(graph.subgraph(inside))
        held = sum(graph.nodes[unit]["workload"] for unit in inside)
        assert plan.workload[territory] == pytest.approx(held)
    assert plan.cut_edges == sum(at[a] != at[b] for a, b in graph.edges)
    total = sum(load for _, load in graph.nodes(data="workload"))
    assert plan.deviation == pytest.approx(plan.workload / (total / territories) - 1)
    assert plan.max_deviation >= plan.certificates.least_deviation - 1e-9
    for territory in np.flatnonzero(~plan.within_tolerance).tolist():
        assert plan.reasons[territory]


def test_what_is_possible_is_told_before_the_search():
    """One of three equal units is a third more than its share of two: known before a centre is placed."""
    events = []
    balance_territories(
        grid(1, 3), 2, progress=lambda fraction, text="": events.append(text), certified=lambda it: events.append(it)
    )
    told = next(at for at, event in enumerate(events) if not isinstance(event, str))
    assert events[told].least_deviation == pytest.approx(1 / 3)
    assert set(events[:told]) == {"Checking what is possible"}
    assert len(events) > told + 1


@st.composite
def planar_graphs(draw, most=70) -> nx.Graph:
    """Draw a triangulation of at most so many units, with random holes and workloads; sometimes in two parts."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    count = draw(st.integers(4, most))
    points = rng.random((count, 2))
    graph = nx.Graph()
    skew = draw(st.sampled_from([0.0, 0.5, 1.5, 3.0]))
    idle = draw(st.sampled_from([0.0, 0.25, 0.6]))
    for index, (x, y) in enumerate(points):
        load = 0.0 if rng.random() < idle and index else round(float(rng.lognormal(0, skew)) * 10, 2)
        graph.add_node(f"{index:05d}", workload=load, lon=-100 + 3 * x, lat=35 + 3 * y)
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, [f"{corner:05d}" for corner in corners])
    edges = sorted(graph.edges)
    dropped = rng.random(len(edges)) < draw(st.sampled_from([0.0, 0.3, 0.5]))
    graph.remove_edges_from(edge for edge, drop in zip(edges, dropped) if drop)
    return graph


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(planar_graphs(), st.integers(1, 12), st.sampled_from([0.02, 0.05, 0.2]))
def test_any_planar_graph_gets_sound_territories(graph, wish, tolerance):
    territories = min(len(graph), max(wish, nx.number_connected_components(graph)))
    plan = balance_territories(graph, territories, effort="quick", seed=3, tolerance=tolerance)
    assert_sound(graph, plan, territories)


@settings(max_examples=15, deadline=None)
@given(planar_graphs(), st.integers(2, 6), st.integers(0, 99))
def test_the_order_of_the_nodes_does_not_matter(graph, wish, shuffle):
    territories = min(len(graph), max(wish, nx.number_connected_components(graph)))
    rng = np.random.default_rng(shuffle)
    nodes, edges = list(graph), list(graph.edges)
    other = nx.Graph()
    other.add_nodes_from((nodes[index], graph.nodes[nodes[index]]) for index in rng.permutation(len(nodes)))
    other.add_edges_from(edges[index][::-1] for index in rng.permutation(len(edges)))
    plan = balance_territories(graph, territories, effort="quick", seed=5)
    again = balance_territories(other, territories, effort="quick", seed=5)
    assert plan.as_dict() == again.as_dict()
    assert list(again.units) == list(other)


def test_same_seed_same_plan():
    graph = grid(9, 9, lambda row, column: 1 + (row * 7 + column * 5) % 4)
    plans = [balance_territories(graph, 7, seed=11, effort="quick") for _ in range(2)]
    assert plans[0].assignment.tolist() == plans[1].assignment.tolist()
    assert plans[0].rms_distance_km == plans[1].rms_distance_km


def test_barbell_is_cut_at_its_bar():
    """
    a1 a2       b1 b2
          a4-b4           one right answer: a | b
    a3 …         … b3
    """
    graph = nx.barbell_graph(6, 0)
    for node in graph:
        side = node // 6
        graph.nodes[node].update(workload=1.0, lon=-75 + side + (node % 3) / 20, lat=40 + (node % 2) / 20)
    plan = balance_territories(graph, 2)
    assert plan.as_dict() == {node: node // 6 for node in graph}
    assert plan.cut_edges == 1
    assert plan.max_deviation == 0


def test_grid_falls_into_its_four_quarters():
    """
    00 01 | 02 03
    10 11 | 12 13
    ------+------
    20 21 | 22 23
    30 31 | 32 33
    """
    plan = balance_territories(grid(4, 4), 4)
    assert sorted(pieces(plan)) == ["00011011", "02031213", "20213031", "22233233"]
    assert plan.max_deviation == 0
    assert plan.cut_edges == 8


def test_path_of_unequal_units_has_one_balanced_cut():
    """5 | 1 4 | 2 3 | 5: only these cuts give four equal territories."""
    plan = balance_territories(path([5, 1, 4, 2, 3, 5]), 4)
    assert pieces(plan) == ["a", "bc", "de", "f"]
    assert plan.reasons == {}


def test_territories_are_numbered_from_north_west_to_south_east():
    plan = balance_territories(grid(2, 8), 4)
    assert pieces(plan) == ["00011011", "02031213", "04051415", "06071617"]


def test_one_territory_and_as_many_as_units():
    graph = grid(3, 3)
    assert balance_territories(graph, 1).as_dict() == dict.fromkeys(graph, 0)
    assert sorted(balance_territories(graph, 9).assignment.tolist()) == list(range(9))


def test_oversize_unit_is_a_territory_of_its_own_and_the_rest_share():
    """
    1 1 1 1 1
    1 1 1 1 1      50 against 24 ones: k = 4 leaves 8 ones to each of the other three
    1 1 50 1 1
    1 1 1 1 1
    1 1 1 1 1
    """
    graph = grid(5, 5, lambda row, column: 50 if (row, column) == (2, 2) else 1)
    plan = balance_territories(graph, 4)
    assert_sound(graph, plan, 4)
    alone = plan.as_dict()["22"]
    assert plan.workload[alone] == 50
    assert sorted(plan.workload) == [8, 8, 8, 50]
    assert plan.oversize.tolist() == [territory == alone for territory in range(4)]
    # all is said in shares of what it leaves to each of the others, 8, as the deviations of the report
    assert "22 alone holds 625 % of the target" in plan.reasons[alone]
    assert "22 alone holds 625 % of the target" in " ".join(plan.certificates.messages())
    assert "nearer to the target than 525.0 %" in plan.certificates.messages()[-1]
    assert plan.certificates.least_shared_deviation == pytest.approx(5.25)
    assert plan.max_adjusted_deviation == 0
    assert plan.max_deviation == pytest.approx(50 / (74 / 4) - 1)
    assert plan.certificates.least_deviation == pytest.approx(plan.max_deviation)


def test_oversize_unit_that_cuts_the_map_keeps_the_light_side():
    """a b c d E f: E outweighs; f (1) touches nothing else and cannot be a territory of its own."""
    graph = path([4, 4, 4, 4, 40, 1])
    plan = balance_territories(graph, 3)
    assert pieces(plan) == ["ab", "cd", "ef"]
    assert plan.max_adjusted_deviation == 0
    assert "e alone holds" in plan.reasons[2]


def test_components_carry_what_they_weigh():
    """Two islands, 9 and 3 equal units, four territories: three on the first, one on the second."""
    graph = nx.union(grid(3, 3), nx.relabel_nodes(grid(1, 3), {"00": "x", "01": "y", "02": "z"}))
    for unit in "xyz":
        graph.nodes[unit]["lat"] = 45.0
    plan = balance_territories(graph, 4)
    assert "xyz" in pieces(plan)
    assert sorted(plan.workload) == [3, 3, 3, 3]
    assert sorted(part.territories for part in plan.certificates.components) == [1, 3]


def test_component_without_workload_is_named():
    graph = nx.union(grid(2, 2), nx.relabel_nodes(grid(1, 1, 0), {"00": "rock"}))
    plan = balance_territories(graph, 3)
    lonely = plan.as_dict()["rock"]
    assert plan.workload[lonely] == 0
    assert "workload" in plan.reasons[lonely]
    assert any("rock" in said for said in plan.certificates.messages())


@pytest.mark.parametrize(
    ("change", "territories", "message"),
    [
        (lambda graph: None, 10, "10 territories cannot be made of 9 units"),
        (lambda graph: None, 0, "at least one"),
        (lambda graph: nx.set_node_attributes(graph, 0.0, "workload"), 2, "No unit has any workload"),
        (lambda graph: graph.nodes["11"].update(workload=-1), 2, "11 have a negative"),
        (lambda graph: graph.nodes["11"].update(workload=float("nan")), 2, "11 have no number"),
        (lambda graph: graph.nodes["11"].update(workload="many"), 2, "11 have no number"),
        (lambda graph: graph.nodes["11"].pop("lon"), 2, "11 have no place"),
        (lambda graph: graph.nodes["11"].update(lat=4_000_000), 2, "degrees"),
        (lambda graph: graph.remove_edges_from(list(graph.edges("00"))), 1, "Bridge islands.*00"),
        (lambda graph: graph.clear(), 1, "no units"),
    ],
)
def test_what_cannot_be_served_is_refused_by_name(change, territories, message):
    graph = grid(3, 3)
    change(graph)
    with pytest.raises(TerritoryError, match=message):
        balance_territories(graph, territories)


@pytest.mark.parametrize("wrong", [{"tolerance": 0.0}, {"tolerance": 1.5}, {"effort": "heroic"}])
def test_wishes_that_make_no_sense_are_refused(wrong):
    with pytest.raises(TerritoryError):
        balance_territories(grid(3, 3), 2, **wrong)


def test_cancel_raises_soon():
    asked = []

    def cancelled() -> bool:
        asked.append(None)
        return len(asked) > 5

    with pytest.raises(Cancelled):
        balance_territories(grid(9, 9), 8, cancelled=cancelled)
    assert len(asked) == 6


def test_time_limit_returns_a_sound_plan_and_says_so():
    graph = grid(9, 9, lambda row, column: 1 + row * column)
    plan = balance_territories(graph, 8, time_limit=0.0)
    assert plan.stopped_by_time
    assert_sound(graph, plan, 8)
    assert not balance_territories(graph, 8, effort="quick").stopped_by_time


def test_progress_rises_to_one():
    seen = []
    balance_territories(grid(6, 6), 5, progress=lambda share, text: seen.append((share, text)))
    shares = [share for share, _ in seen]
    assert shares == sorted(shares)
    assert shares[0] == 0
    assert shares[-1] == 1
    assert any("worst deviation" in text for _, text in seen)


def test_smooth_borders_can_be_asked_for():
    graph = grid(12, 12, lambda row, column: 1 + (row * 5 + column * 3) % 7)
    travel = balance_territories(graph, 6, boundary=0.0, seed=1)
    smooth = balance_territories(graph, 6, boundary=20.0, seed=1)
    assert smooth.cut_edges < travel.cut_edges


def test_certificates_know_before_the_search():
    found = certificates(grid(5, 5, lambda row, column: 50 if row == column == 2 else 1), 4)
    assert [unit.unit for unit in found.oversize] == ["22"]
    assert any("22 alone holds" in said for said in found.messages())
