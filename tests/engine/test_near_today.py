"""One near set for each territory: whole chains change at once, and nothing listed is better."""

from __future__ import annotations

import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance.listing import parts_of
from healthcare_territories.territory_plugin.engine.balance.near_today import AWAY, EXCESS, choose_near_today
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.watch import Watch

MANY = 100
"""More coarse units than there are units: none are put together."""


def row(loads, current, tolerance=0.01, **more) -> Problem:
    """Return units in a row."""
    loads, current = np.array(loads, dtype=float), np.array(current)
    n, k = len(loads), int(current.max()) + 1
    return Problem(
        workload=loads,
        location=np.column_stack([np.arange(n), np.zeros(n), np.zeros(n)]).astype(float),
        neighbours=[tuple(at for at in (unit - 1, unit + 1) if 0 <= at < n) for unit in range(n)],
        target=np.full(k, loads.sum() / k),
        tolerance=tolerance,
        anchor=np.full(k, -1),
        oversize=np.zeros(k, dtype=bool),
        current=current,
        stay=loads,
        **more,
    )


def chosen(problem, assignment=None, count=MANY, chance_roots=False, seed=0, reach=None):
    assignment = problem.current if assignment is None else assignment
    limits, rng = problem.limits(problem.tolerance), np.random.default_rng(seed)
    return choose_near_today(problem, assignment, limits, count, chance_roots, rng, Watch(), reach)


def test_a_chain_of_a_dozen_changes_at_once():
    """6 | 4 6 | 4 6 | … | 4 6 4: the first has 6 of 10, the last 14; balance is 6 4 | 6 4 | … | 6 4 and nothing else.

    Whichever border moves alone, one territory is as far off as before.
    """
    k = 12
    problem = row([6, 4] * k, [0, *np.repeat(np.arange(1, k), 2), k - 1])
    assert chosen(problem).tolist() == np.repeat(np.arange(k), 2).tolist()


def test_a_set_falls_into_the_parts_that_are_left():
    """0 – 1 – 2 – 3 – 4 without 2."""
    around = [0b00010, 0b00101, 0b01010, 0b10100, 0b01000]
    assert parts_of(0b11011, around) == [0b00011, 0b11000]
    assert parts_of(0b11111, around) == [0b11111] and parts_of(0, around) == []


def test_what_is_not_listed_is_found_by_prices():
    """4 4 4 | 4 4 | 4 4 4 4: the last gives one, or passes it on; what the lists hold has nothing from others."""
    problem = row([4] * 9, [0, 0, 0, 1, 1, 2, 2, 2, 2], tolerance=0.1)
    assert chosen(problem, reach=np.full(3, 0.1)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    problem = row([4] * 9, [0, 0, 1, 1, 1, 2, 2, 2, 2], tolerance=0.1)
    assert chosen(problem, reach=np.full(3, 0.1)).tolist() == [0, 0, 0, 1, 1, 1, 2, 2, 2]


@pytest.mark.parametrize("seed", range(20))
def test_nothing_that_is_listed_is_better(seed):
    """Against all ways to cut a row in four in which each keeps its heaviest unit and gets little from others.

    What is looked for by prices may be better still, but not than the best of all ways, in any order.
    """
    rng = np.random.default_rng(seed)
    problem = row(rng.integers(1, 9, 14), np.repeat(np.arange(4), [4, 3, 4, 3]), tolerance=0.1)
    load, today = problem.workload, problem.current
    low, high = problem.limits(problem.tolerance)
    held = np.bincount(today, load)
    roots = [max(np.flatnonzero(today == t), key=lambda unit: (load[unit], -unit)) for t in range(4)]

    def worth(plan):
        now = np.bincount(plan, load, 4)
        excess = np.maximum(np.maximum(now - high, low - now), 0).sum() / problem.scale
        return EXCESS * excess + load[plan != today].sum() / load.sum()

    def is_listed(plan):
        now = np.bincount(plan, load, 4)
        comes = np.bincount(plan, load * (plan != today), 4)
        fits = (now >= np.minimum(low, held)) & (now <= np.maximum(high, held)) & (comes <= AWAY * problem.scale)
        return (plan[roots] == np.arange(4)).all() and fits.all()

    plans = [
        np.repeat(order, np.diff([0, *cuts, 14]))
        for cuts in itertools.combinations(range(1, 14), 3)
        for order in itertools.permutations(range(4))
    ]  # fmt: skip
    best = min(worth(plan) for plan in plans if is_listed(plan))
    assert min(map(worth, plans)) - 1e-6 <= worth(chosen(problem)) <= best + 1e-6


@pytest.mark.parametrize("seed", range(6))
def test_what_is_put_together_stays_connected_and_is_never_worse(seed):
    """A board of 8 × 8 in four squares, the plan its rows by two: few coarse units, roots by chance."""
    rng = np.random.default_rng(seed)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(8, 8), ordering="sorted")
    across, down = np.arange(64) % 8, np.arange(64) // 8
    problem = replace(
        row(rng.integers(1, 9, 64), 2 * (down // 4) + across // 4, tolerance=0.1),
        neighbours=[tuple(sorted(graph[unit])) for unit in range(64)],
    )
    plan = down // 2
    found = chosen(problem, plan, count=6, chance_roots=seed % 2 == 1, seed=seed)
    low, high = problem.limits(problem.tolerance)

    def excess(plan):
        now = np.bincount(plan, problem.workload, 4)
        return np.maximum(np.maximum(now - high, low - now), 0).sum()

    assert all(nx.is_connected(graph.subgraph(np.flatnonzero(found == t).tolist())) for t in range(4))
    assert excess(found) <= excess(plan) + 1e-6
    if excess(found) == pytest.approx(excess(plan)):
        assert problem.stay[found != problem.current].sum() <= problem.stay[plan != problem.current].sum() + 1e-6


def test_what_is_fixed_or_barred_is_so_in_the_end():
    """4 4 | 4 4 4 4 | 4 4: the middle is too heavy. Its first is fixed: its last goes; where barred, none."""
    loads, today = [4, 4, 4, 4, 4, 4, 4, 4], [0, 0, 1, 1, 1, 1, 2, 2]
    fixed, barred = np.full(8, -1), np.zeros((8, 3), dtype=bool)
    fixed[2] = 1
    problem = row(loads, today, tolerance=0.3, fixed=fixed)
    assert problem.target[0] == pytest.approx(32 / 3)
    assert chosen(problem).tolist() == [0, 0, 1, 1, 1, 2, 2, 2]
    barred[5, 2] = True
    assert chosen(replace(problem, barred=barred)).tolist() == today
