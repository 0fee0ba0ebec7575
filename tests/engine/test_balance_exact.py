"""Listing all territories against plain enumeration, and against the plans of tiny maps."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import balance_territories, exact
from healthcare_territories.territory_plugin.engine.balance.contiguity import repair_contiguity
from healthcare_territories.territory_plugin.engine.balance.exact import (
    completable,
    connected_sets,
    fewest_outside,
    least_worst,
)
from healthcare_territories.territory_plugin.engine.balance.objective import Weights, WorkingPartition
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay


def small_problem(count: int, territories: int, seed: int, tolerance: float) -> tuple[Problem, np.ndarray]:
    """Return a triangulation with whole workloads, a third of them zero, and some partition of it."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * 100
    graph = nx.empty_graph(count)
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, corners.tolist())
    # a few contacts less, so that ways through units without workload are needed
    for edge in sorted(graph.edges):
        if rng.random() < 0.4:
            graph.remove_edge(*edge)
            if not nx.is_connected(graph):
                graph.add_edge(*edge)
    workload = rng.integers(1, 10, count) * (rng.random(count) > 0.35).astype(float)
    workload[:territories] += 1
    problem = Problem(
        workload=workload,
        location=np.column_stack([points, np.full(count, 5.0)]),
        neighbours=[tuple(sorted(graph[unit])) for unit in range(count)],
        target=np.full(territories, workload.sum() / territories),
        tolerance=tolerance,
        anchor=np.full(territories, -1),
        oversize=np.zeros(territories, dtype=bool),
    )
    assignment = np.full(count, -1)
    assignment[:territories] = np.arange(territories)
    return problem, np.array(repair_contiguity(problem, assignment.tolist(), rng.random((count, territories))))


def is_connected(problem: Problem, units) -> bool:
    """Answer whether units, at least one, are connected."""
    graph = nx.Graph((a, b) for a, around in enumerate(problem.neighbours) for b in around)
    graph.add_nodes_from(range(problem.units))
    return len(units) > 0 and nx.is_connected(graph.subgraph(units))


def all_plans(problem: Problem) -> list[np.ndarray]:
    """Return every partition into as many connected territories as asked for."""
    plans = []
    for rest in itertools.product(range(problem.territories), repeat=problem.units - 1):
        plan = np.array([0, *rest])
        first = [int(np.argmax(plan == t)) if t in plan else -1 for t in range(problem.territories)]
        if min(first) < 0 or first != sorted(first):
            continue
        if all(is_connected(problem, np.flatnonzero(plan == t).tolist()) for t in range(problem.territories)):
            plans.append(plan)
    return plans


def deviations(problem: Problem, plan) -> np.ndarray:
    """Return how far each territory is from the target."""
    return np.abs(np.bincount(plan, problem.workload, problem.territories) / problem.target[0] - 1)


@settings(max_examples=40, deadline=None)
@given(st.integers(5, 10), st.integers(0, 9999), st.floats(0.1, 0.6))
def test_every_connected_set_is_listed_once_and_without_spare_units(count, seed, width):
    problem, _ = small_problem(count, 3, seed, 0.05)
    low, high = (1 - width) * problem.target[0], (1 + width) * problem.target[0]

    def spare(units):
        return any(
            problem.workload[unit] == 0 and is_connected(problem, [other for other in units if other != unit])
            for unit in units
        )

    def fits_the_rest(units):
        """Answer whether each part of the rest holds a whole number of territories."""
        graph = nx.Graph((a, b) for a, around in enumerate(problem.neighbours) for b in around)
        for part in nx.connected_components(graph.subgraph(set(range(count)) - set(units))):
            load = problem.workload[list(part)].sum()
            if load > 0 and not any(n * low <= load <= n * high for n in range(1, count)):
                return False
        return True

    plain = {
        units
        for size in range(1, count + 1)
        for units in itertools.combinations(range(count), size)
        if low <= problem.workload[list(units)].sum() <= high and is_connected(problem, units) and not spare(units)
    }
    listed, _ = connected_sets(problem.neighbours, problem.workload, low, high)
    found = [tuple(np.flatnonzero(row).tolist()) for row in listed]
    assert len(found) == len(set(found))
    assert set(found) <= plain
    assert {units for units in plain if fits_the_rest(units)} <= set(found)


@settings(max_examples=25, deadline=None)
@given(st.integers(6, 9), st.integers(2, 3), st.integers(0, 9999), st.floats(0.01, 0.2))
def test_the_least_worst_deviation_is_that_of_all_plans(count, territories, seed, tolerance):
    problem, start = small_problem(count, territories, seed, tolerance)
    least = min(deviations(problem, plan).max() for plan in all_plans(problem))
    now = deviations(problem, start).max()
    if now >= 1:
        return
    exact = least_worst(WorkingPartition(problem, start, Weights(), 1.0), Watch())
    reached = now
    if exact.assignment is not None:
        plan = np.array(exact.assignment)
        assert sorted(set(plan.tolist())) == list(range(territories))
        assert all(is_connected(problem, np.flatnonzero(plan == t).tolist()) for t in range(territories))
        reached = deviations(problem, plan).max()
    if least > tolerance:
        assert reached == pytest.approx(least)
        assert exact.bound == pytest.approx(least)
    else:
        assert reached <= tolerance * (1 + 1e-6)
        assert exact.bound == 0


@settings(max_examples=25, deadline=None)
@given(st.integers(6, 9), st.integers(2, 3), st.integers(0, 9999))
def test_the_fewest_outside_are_those_of_all_plans(count, territories, seed):
    problem, start = small_problem(count, territories, seed, 0.05)
    now = deviations(problem, start).max()
    if now >= 1:
        return
    able = [plan for plan in all_plans(problem) if deviations(problem, plan).max() <= max(now, 0.05) + 1e-9]
    fewest = min(int((deviations(problem, plan) > 0.05 + 1e-9).sum()) for plan in able)
    exact = fewest_outside(WorkingPartition(problem, start, Weights(), 1.0), Watch())
    assert exact.outside == fewest
    assert (deviations(problem, np.array(exact.assignment)) > 0.05 + 1e-9).sum() == fewest


def test_where_sets_are_too_many_nothing_is_claimed():
    problem, start = small_problem(10, 2, 1, 0.001)
    exact = least_worst(WorkingPartition(problem, start, Weights(), 1.0), Watch(), most=3)
    assert exact.assignment is None
    assert exact.bound == 0


def test_a_plan_outside_the_tolerance_says_what_is_proven():
    """A ring of seven units for three territories of 9.67: each unit has neighbours that suit it, but not all at once.

          2 - 7 - 1
         /         \\
        2 - 8 - 4 - 5
    """
    graph = nx.cycle_graph(7)
    for unit, load in enumerate((2, 7, 1, 5, 4, 8, 2)):
        angle = 2 * np.pi * unit / 7
        graph.nodes[unit].update(workload=load, lon=-100 + np.cos(angle) / 10, lat=40 + np.sin(angle) / 10)
    plan = balance_territories(graph, 3)
    assert sorted(plan.workload) == [9, 10, 10]
    assert "no way to divide its units and those around (7) into 3 territories does better than 6.9 %" in "".join(
        plan.reasons.values()
    )


def test_listing_asks_between_batches_whether_to_stop(monkeypatch):
    """A ring of twenty-four alike has 24 sets of each size: with batches of five, each size is asked about often."""
    monkeypatch.setattr(exact, "BATCH", 5)
    around = [((unit - 1) % 24, (unit + 1) % 24) for unit in range(24)]
    sets, _ = connected_sets(around, np.ones(24), 5.0, 7.0)
    assert len(sets) == 3 * 24
    asked = []

    def stop_after(answers: int) -> Watch:
        asked.clear()
        return Watch(cancelled=lambda: asked.append(None) or len(asked) > answers, keeps=True)

    assert completable(sets, around, np.ones(24), 5.0, 7.0, stop_after(999)).all()
    assert len(asked) == 15
    assert completable(sets, around, np.ones(24), 5.0, 7.0, stop_after(2)).sum() == 10
    assert connected_sets(around, np.ones(24), 5.0, 7.0, watch=stop_after(20))[0] is None
    assert len(asked) == 21
