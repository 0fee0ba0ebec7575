"""Coarse maps for short borders: what a flip costs there, and a border that only blobs can turn."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import smoothing
from healthcare_territories.territory_plugin.engine.balance.coarsening import HEAVIEST, coarsened
from healthcare_territories.territory_plugin.engine.balance.effort import EFFORTS
from healthcare_territories.territory_plugin.engine.balance.objective import Weights, WorkingPartition, cut_edges
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.search import STRICT, Search
from healthcare_territories.territory_plugin.engine.balance.smoothing import is_smoothed, smooth
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_balance_exact import is_connected, small_problem


@settings(max_examples=40, deadline=None)
@given(st.integers(20, 60), st.integers(2, 4), st.integers(0, 9999), st.integers(4, 15))
def test_a_plan_costs_the_same_on_the_coarse_map(count, territories, seed, wanted):
    problem, start = small_problem(count, territories, seed, 0.05)
    coarse, at, inside = coarsened(problem, start.tolist(), wanted, np.random.default_rng(seed))
    assert np.array(inside)[at].tolist() == start.tolist()
    assert wanted <= coarse.units < count
    for unit in range(coarse.units):
        members = np.flatnonzero(at == unit).tolist()
        assert is_connected(problem, members)
        heaviest = max(problem.workload[members])
        assert coarse.workload[unit] <= max(heaviest, HEAVIEST * problem.target[0]) + 1e-9
    # the price of balance goes by the number of units
    weights = Weights(limit=0, pressure=0)
    fine = WorkingPartition(problem, start, weights, 1.0)
    blobs = WorkingPartition(coarse, inside, weights, 1.0)
    assert blobs.load == pytest.approx(fine.load)
    assert cut_edges(coarse.neighbours, inside) == cut_edges(problem.neighbours, start.tolist())
    # what moves a blob costs what moving its units costs
    graph = nx.Graph((a, b) for a, around in enumerate(coarse.neighbours) for b in around)
    for unit, other in list(graph.edges)[:10]:
        if inside[unit] != inside[other] and blobs.count[inside[unit]] > 1:
            members = np.flatnonzero(at == unit).tolist()
            change = fine.change(members, inside[unit], inside[other])
            assert blobs.change([unit], inside[unit], inside[other]) == pytest.approx(change, abs=1e-6)


def test_units_of_territories_that_are_fixed_stay_alone():
    problem, start = small_problem(30, 3, 5, 0.05)
    problem.fixed[[4, 7]] = start[[4, 7]]
    coarse, at, _ = coarsened(problem, start.tolist(), 5, np.random.default_rng(0))
    assert (at == at[4]).sum() == (at == at[7]).sum() == 1
    assert coarse.fixed[at[[4, 7]]].tolist() == start[[4, 7]].tolist()


def test_a_border_along_a_strip_turns_across_it():
    """A strip of 30 × 8, cut lengthwise along 30 contacts; across it takes 8.

    ++++++++++          ++++++------
    ----------    =>    ++++++------
    """
    columns, rows = 30, 8
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(columns, rows), ordering="sorted")
    places = np.array([(unit // rows, unit % rows, 0.0) for unit in range(columns * rows)])
    problem = Problem(
        workload=np.ones(columns * rows),
        location=places,
        neighbours=[tuple(sorted(graph[unit])) for unit in range(columns * rows)],
        target=np.full(2, columns * rows / 2),
        tolerance=0.05,
        anchor=np.full(2, -1),
        oversize=np.zeros(2, dtype=bool),
    )
    lengthwise = (places[:, 1] >= rows / 2).astype(int)
    weights = Weights(boundary=50 * Weights.boundary)
    search = Search(problem, EFFORTS["default"], weights, 9000.0, np.random.default_rng(3), Watch())
    start = search.working(lengthwise, STRICT)
    assert cut_edges(problem.neighbours, start.assignment) == columns
    found = smooth(search, start, [start], Watch())
    assert cut_edges(problem.neighbours, found.assignment) == rows
    assert not found.outside()


@pytest.mark.parametrize("territories", [9, 11, 12])
def test_a_map_is_smoothed_that_has_ten_coarse_units_for_each_territory(monkeypatch, territories):
    """220 units in rows of 20: 110 coarse units at most, ten for each of eleven territories, too few for twelve.

    ++++++++++----------
    ++++++++++----------   20 of 220 units each, or fewer: half as many blobs, and the map is smoothed
    """
    columns, rows = 20, 11
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(columns, rows), ordering="sorted")
    count = columns * rows
    places = np.array([(unit // rows, unit % rows, 0.0) for unit in range(count)])
    problem = Problem(
        workload=np.ones(count),
        location=places,
        neighbours=[tuple(sorted(graph[unit])) for unit in range(count)],
        target=np.full(territories, count / territories),
        tolerance=0.1,
        anchor=np.full(territories, -1),
        oversize=np.zeros(territories, dtype=bool),
    )
    made = []

    def noted(problem, assignment, wanted, rng):
        made.append(wanted)
        return coarsened(problem, assignment, wanted, rng)

    monkeypatch.setattr(smoothing, "coarsened", noted)
    weights = Weights(boundary=50 * Weights.boundary)
    search = Search(problem, EFFORTS["quick"], weights, 9000.0, np.random.default_rng(3), Watch())
    start = search.working(np.arange(count) * territories // count, STRICT)
    smoothing.smooth(search, start, [start], Watch())
    assert set(made) == ({count // 2} if territories <= 11 else set())


def test_usual_borders_are_left_to_flips():
    problem, start = small_problem(60, 3, 1, 0.2)
    search = Search(problem, EFFORTS["default"], Weights(), 100.0, np.random.default_rng(3), Watch())
    part = search.working(start, STRICT)
    assert smooth(search, part, [part], Watch()) is part


@pytest.mark.parametrize(
    ("units", "territories", "boundary", "effort", "expected"),
    [
        (240, 2, 50.0, "quick", True),
        (240, 12, 50.0, "default", True),
        (240, 13, 50.0, "default", False),
        (200, 2, 50.0, "default", False),
        (240, 2, 4.9, "default", False),
    ],
)
def test_coarse_maps_are_for_dear_borders_and_maps_that_have_units_enough(
    units, territories, boundary, effort, expected
):
    problem, _ = small_problem(units, territories, 2, 0.05)
    weights = Weights(boundary=boundary * Weights.boundary)
    assert is_smoothed(problem, EFFORTS[effort], weights) is expected


def test_a_single_plan_is_smoothed_as_well():
    """All annealings may end in one plan: there are no two to combine then."""
    problem, start = small_problem(220, 2, 1, 0.3)
    weights = Weights(boundary=1000 * Weights.boundary)
    search = Search(problem, EFFORTS["quick"], weights, 100.0, np.random.default_rng(3), Watch())
    part = search.working(start, STRICT)
    found = smooth(search, part, [part], Watch())
    assert search.rank(found) <= search.rank(part)
    assert all(is_connected(problem, [u for u in range(220) if found.assignment[u] == home]) for home in (0, 1))
