"""Gateways: one unit that all ways lead through, and what no plan can do because of it."""

from __future__ import annotations

import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import Rules, balance_territories
from healthcare_territories.territory_plugin.engine.balance.gateways import narrowest
from healthcare_territories.territory_plugin.engine.reps import Rep
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_balance import path
from .test_balance_coarse import of_graph


def homed(graph, workload, homes, target):
    """Return the problem of territories that live at `homes`, one each."""
    problem = of_graph(graph, workload, len(homes))
    fixed = np.full(len(graph), -1)
    fixed[homes] = np.arange(len(homes))
    target = np.array(target, dtype=float)
    return replace(problem, fixed=fixed, target=target / target.sum() * problem.workload.sum())


def homed_at_random(rng, count, territories, contacts, lightest):
    """Return a tree with some contacts more, homes in it, and the problem of the territories that live there."""
    graph = nx.from_prufer_sequence(rng.integers(0, count, count - 2).tolist())
    graph.add_edges_from(rng.choice(count, 2, replace=False).tolist() for _ in range(contacts))
    homes = rng.choice(count, territories, replace=False).tolist()
    workload = rng.integers(lightest, 9, count)
    return graph, homes, homed(graph, workload, homes, rng.uniform(0.5, 1.5, territories))


def least_worst(graph, problem) -> float:
    """Return the least largest deviation of all plans that keep what is barred, by looking at every assignment."""
    n, k = problem.units, problem.territories
    free = [unit for unit in range(n) if problem.fixed[unit] < 0]
    best = np.inf
    for choice in itertools.product(range(k), repeat=len(free)):
        plan = problem.fixed.copy()
        plan[free] = choice
        held = np.bincount(plan, problem.workload, k)
        worst = float(np.abs(held / problem.target - 1).max())
        if problem.barred is not None and problem.barred[np.arange(n), plan].any():
            continue
        parts = (graph.subgraph(np.flatnonzero(plan == at).tolist()) for at in range(k))
        if worst < best and all(map(nx.is_connected, parts)):
            best = worst
    return best


@settings(max_examples=100, deadline=None)
@given(st.integers(5, 9), st.integers(2, 3), st.integers(0, 9999), st.integers(0, 2))
def test_no_plan_is_better_than_a_gateway_says(count, territories, seed, more):
    rng = np.random.default_rng(seed)
    graph, _, problem = homed_at_random(rng, count, territories, contacts=more, lightest=1)
    gate = narrowest(problem)
    assert gate is None or gate.bound <= least_worst(graph, problem) + 1e-9


def test_two_live_where_there_is_work_for_one():
    """A and B have six targets' worth of capacity and one unit; C has the rest, and never gets past B's home.

    | A . B . . . . . C        A: 2 of 3, whatever B does
    """
    graph = nx.path_graph(9)
    problem = homed(graph, [1] * 9, [0, 2, 8], [1, 1, 1])
    gate = narrowest(problem)
    assert gate.side == (0,)
    assert gate.unit == 2
    assert gate.bound == pytest.approx(1 / 3) == pytest.approx(least_worst(graph, problem))


def test_the_reason_names_the_gateway_and_who_lives_beyond_it():
    graph = path([1] * 9)
    reps = tuple(Rep(name, home=home) for name, home in zip("ABC", "aci"))
    plan = balance_territories(graph, rules=Rules(reps=reps))
    reason = plan.reasons[0]
    assert "one territory only can pass through c" in reason
    assert "33.3 % off in every plan" in reason


def test_who_passes_needs_a_way_to_the_gateway():
    """Without homes anyone may pass; a unit that is nobody's parts nothing as long as each side has what it needs."""
    graph = nx.path_graph(6)
    free = of_graph(graph, [1] * 6, 2)
    assert narrowest(free) is None
    fair = homed(graph, [1] * 6, [0, 5], [1, 1])
    assert narrowest(fair).bound == 0
