"""The bound by connected sets: never above the optimum, near it where nothing is liquid, and it counts whole sets."""

from __future__ import annotations

from dataclasses import replace
from functools import cache

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.benchmarks.exact import least_disruption
from healthcare_territories.benchmarks.set_bound import set_bound
from healthcare_territories.territory_plugin.engine.balance.least_change import bound_on_change, near_choices
from healthcare_territories.territory_plugin.engine.balance.watch import Watch

from .test_near_today import row


@cache
def board(seed, gone=False, width=5, tolerance=0.15):
    """Return a board of 4 × width units, its rows the territories today, the last of which may have gone."""
    rng = np.random.default_rng(seed)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, width), ordering="sorted")
    n, k = len(graph), 3 if gone else 4
    current = np.repeat(np.arange(4), width)
    current[current >= k] = -1
    load = rng.integers(1, 9, n).astype(float)
    for unit in range(n):
        graph.nodes[unit]["workload"] = load[unit]
    problem = replace(
        row(load, current, tolerance),
        location=np.array([[unit % width, unit // width, 0.0] for unit in range(n)]),
        neighbours=[tuple(sorted(graph[unit])) for unit in range(n)],
    )
    now = {unit: int(at) if at >= 0 else None for unit, at in enumerate(current)}
    exact = least_disruption(graph, now, tolerance=tolerance)
    return problem, exact.disruption * load.sum(), exact.proven


def bound(problem, may=None, light=0.1):
    """Return the bound over plans whose units may go anywhere, unless it is said where."""
    may = np.ones((problem.units, problem.territories), dtype=bool) if may is None else may
    return set_bound(problem, problem.limits(problem.tolerance), may, light=light)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("light", [0.0, 0.3])
@pytest.mark.parametrize("seed", range(2))
def test_no_plan_is_below_it(seed, light, gone):
    problem, optimum, proven = board(seed, gone)
    assert proven
    assert bound(problem, light=light) <= optimum + 1e-3


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("seed", range(4))
def test_nor_below_that_of_whole_units_where_three_contacts_lead_anywhere(seed, gone):
    """From the first row of a board to the last; where nobody has gone, the bound is more than nothing."""
    problem, optimum, proven = board(seed, gone)
    assert proven
    assert near_choices(problem, 3).all()
    found = bound_on_change(problem, 3, 1, 1, Watch())
    assert found <= optimum + 1e-3
    assert gone or found > 0


def test_it_is_near_the_optimum_where_nothing_is_liquid():
    """On average: on half of these boards it is the optimum."""
    every = [board(seed, gone)[:2] for seed in range(4) for gone in (False, True)]
    bounds = [bound(problem, light=0.0) for problem, _ in every]
    assert sum(bounds) >= 0.7 * sum(optimum for _, optimum in every)


def test_it_knows_that_sets_are_whole():
    """6 | 4 6 | 4 6 | 4: each of four territories in a row has to change, where a flow of 4 would do.

    The first has 6 of 10, the last 14; with 1 % either way only 6 4 | 6 4 | … is left, in which every 4 goes on.
    """
    problem = row([6, 4, 6, 4, 6, 4, 6, 4], [0, 1, 1, 2, 2, 3, 3, 3])
    assert bound(problem) == pytest.approx(12.0, abs=0.05)
