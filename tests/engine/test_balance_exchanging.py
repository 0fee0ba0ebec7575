"""Exchanges among all territories at once, against a picture with one right answer and against all plans."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance.annealing import descend
from healthcare_territories.territory_plugin.engine.balance.contiguity import repair_contiguity
from healthcare_territories.territory_plugin.engine.balance.exchanging import exchange
from healthcare_territories.territory_plugin.engine.balance.objective import Weights, WorkingPartition
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.splits import improve_pairs
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial import Delaunay

STRICT = Weights(limit=1000.0)


def problem_of(places, neighbours, workload, territories: int, tolerance: float) -> Problem:
    """Return a problem of territories that are alike."""
    workload = np.asarray(workload, dtype=float)
    return Problem(
        workload=workload,
        location=np.column_stack([places, np.full(len(workload), 5.0)]),
        neighbours=[tuple(sorted(near)) for near in neighbours],
        target=np.full(territories, workload.sum() / territories),
        tolerance=tolerance,
        anchor=np.full(territories, -1),
        oversize=np.zeros(territories, dtype=bool),
    )


def ring() -> Problem:
    """Return six ZIPs on a ring: 1 beside 2, 3 beside 4, 5 beside 0, and far to the next."""
    at = np.radians([320.0, 70.0, 80.0, 190.0, 200.0, 310.0])
    places = 100 * np.column_stack([np.cos(at), np.sin(at)])
    return problem_of(places, [((u - 1) % 6, (u + 1) % 6) for u in range(6)], np.ones(6), 3, 0.01)


def test_each_territory_gives_one_and_takes_one():
    """
    A     A B     B C     C        C     A A     B B     C
    0     1 2     3 4     5   →    0     1 2     3 4     5    and 5 is beside 0: a ring of three towns

    Two territories alone have no other way to share out their four ZIPs; all three together have.
    """
    problem = ring()
    part = WorkingPartition(problem, [0, 0, 1, 1, 2, 2], STRICT, 1e3)
    descend(part, Watch())
    assert not improve_pairs(part, Watch())
    after = exchange(part, 1, Watch())
    assert {tuple(np.flatnonzero(np.array(after) == t)) for t in range(3)} == {(1, 2), (3, 4), (0, 5)}
    assert exchange(WorkingPartition(problem, after, STRICT, 1e3), 1, Watch()) is None


def test_what_cannot_be_good_enough_is_not_chosen():
    """The ring once more, where something better than its best plan is known already."""
    part = WorkingPartition(ring(), [0, 0, 1, 1, 2, 2], STRICT, 1e3)
    best = WorkingPartition(ring(), [2, 0, 0, 1, 1, 2], STRICT, 1e3).cost()
    assert exchange(part, 1, Watch(), enough=best) is None
    assert exchange(part, 1, Watch(), enough=1.1 * best) is not None


def drawn(count: int, territories: int, seed: int) -> WorkingPartition | None:
    """Return a partition of a small triangulation at a tolerance that it just keeps."""
    rng = np.random.default_rng(seed)
    points = rng.random((count, 2)) * 100
    graph = nx.empty_graph(count)
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, corners.tolist())
    workload = rng.integers(1, 6, count).astype(float)
    problem = problem_of(points, [graph[unit] for unit in range(count)], workload, territories, 1.0)
    seeds = np.full(count, -1)
    seeds[:territories] = np.arange(territories)
    assignment = np.array(repair_contiguity(problem, seeds.tolist(), rng.random((count, territories))))
    worst = np.abs(np.bincount(assignment, workload) / problem.target - 1).max()
    kept = problem_of(points, problem.neighbours, workload, territories, float(min(0.99, worst + 1e-9)))
    part = WorkingPartition(kept, assignment, Weights(boundary=rng.choice([0.0, 1.0])), 300.0)
    return part if not part.outside() else None


def near(part: WorkingPartition, homes: list[set[int]], some: set[int], units: int) -> bool:
    """Answer whether a set differs from a territory in units at its border only, and in so few."""
    around = [set(each) for each in part.neighbours]
    return any(
        len(some - home) <= units
        and len(home - some) <= units
        and all(around[unit] & home for unit in some - home)
        and all(around[unit] - home for unit in home - some)
        for home in homes
    )


@settings(max_examples=30, deadline=None)
@given(st.integers(6, 8), st.integers(2, 3), st.integers(0, 99999), st.integers(1, 2))
def test_no_plan_near_it_is_better(count, territories, seed, units):
    part = drawn(count, territories, seed)
    if part is None:
        return
    graph = nx.Graph((a, b) for a, around in enumerate(part.neighbours) for b in around)
    homes = [{u for u in range(count) if part.assignment[u] == t} for t in range(territories)]
    every = [frozenset(some) for size in range(1, count) for some in itertools.combinations(range(count), size)]
    able = {some for some in every if near(part, homes, some, units) and nx.is_connected(graph.subgraph(some))}
    least = part.cost()
    for plan in itertools.product(range(territories), repeat=count):
        if all(frozenset(u for u in range(count) if plan[u] == t) in able for t in range(territories)):
            other = WorkingPartition(part.problem, plan, part.weights, 300.0)
            least = min(least, least if other.outside() else other.cost())
    found = exchange(part, units, Watch())
    if found is None:
        assert least == pytest.approx(part.cost(), abs=1e-5)
        return
    after = WorkingPartition(part.problem, found, part.weights, 300.0)
    assert after.cost() == pytest.approx(least, abs=1e-5)
    assert not after.outside()
    assert {frozenset(u for u in range(count) if found[u] == t) for t in range(territories)} <= able
