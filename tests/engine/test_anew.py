"""Plans from nothing carry today's names so that the least weight moves, as far as territories are alike."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance.anew import named_after_today, plan_anew
from healthcare_territories.territory_plugin.engine.balance.problem import Limits, Problem
from healthcare_territories.territory_plugin.engine.balance.watch import Watch


def market(seed: int, **more) -> tuple[Problem, np.ndarray]:
    """Return thirty units in five territories today, three without any, and another plan of five."""
    rng = np.random.default_rng(seed)
    n, k = 33, 5
    given = {
        "workload": np.ones(n),
        "location": rng.random((n, 3)),
        "neighbours": [()] * n,
        "target": np.ones(k),
        "tolerance": 0.05,
        "anchor": np.full(k, -1),
        "oversize": np.zeros(k, dtype=bool),
        "current": np.where(np.arange(n) < 3, -1, rng.integers(0, k, n)),
        "stay": rng.random(n),
    }
    return Problem(**(given | more)), rng.integers(0, k, n)


@pytest.mark.parametrize("seed", range(8))
def test_no_other_naming_moves_less(seed):
    problem, plan = market(seed)
    named = named_after_today(problem, plan)
    least = min(problem.disrupted(np.array(names)[plan]) for names in itertools.permutations(range(5)))
    assert problem.disrupted(named) == pytest.approx(least)
    together = plan[:, None] == plan
    assert ((named[:, None] == named) == together).all()


@pytest.mark.parametrize(
    "rule",
    [
        {"barred": np.arange(33)[:, None] * np.array([0, 0, 0, 1, 1]) > 16},
        {"fixed": np.r_[[3, 4], np.full(31, -1)]},
        {"home": np.array([[np.nan] * 3] * 3 + [[0.0] * 3] * 2)},
        {"oversize": np.array([False, False, False, True, True])},
    ],
    ids=lambda rule: next(iter(rule)),
)
@pytest.mark.parametrize("seed", range(3))
def test_only_who_is_alike_stands_for_another(rule, seed):
    """Two of the five differ from the others; with units or homes of their own they differ from each other, too."""
    problem, plan = market(seed, **rule)
    named = named_after_today(problem, plan)
    assert (np.isin(named, [3, 4]) == np.isin(plan, [3, 4])).all()
    if "barred" not in rule:
        assert (named == plan)[np.isin(plan, [3, 4])].all()
    best = [
        problem.disrupted(np.array([*first, *last])[plan])
        for first in itertools.permutations(range(3))
        for last in ([3, 4], [4, 3])
        if last == [3, 4] or "barred" in rule
    ]
    assert problem.disrupted(named) == pytest.approx(min(best))


@pytest.mark.parametrize("names", list(itertools.permutations(range(4)))[::5])
def test_reps_of_different_capacity_start_from_where_they_are(names):
    """Sixteen units in a row, four to each of four reps today, who are to hold a little more or less.

    | 0 0 0 0 1 1 1 1 2 2 2 2 3 3 3 3

    The only even plan is today's, so nobody is dealt out elsewhere because another place fits their capacity better.
    """
    n, k, today = 16, 4, np.repeat(names, 4)
    capacity = np.array([3.4, 3.8, 4.2, 4.6])
    problem = Problem(
        workload=np.ones(n),
        location=np.column_stack([10.0 * np.arange(n), np.zeros(n), np.zeros(n)]),
        neighbours=[tuple(other for other in (at - 1, at + 1) if 0 <= other < n) for at in range(n)],
        target=capacity,
        tolerance=0.05,
        anchor=np.full(k, -1),
        oversize=np.zeros(k, dtype=bool),
        least=np.where(np.arange(k) == 1, 3.7, np.nan),
        current=today,
        stay=np.ones(n),
        limits_of=(Limits(np.ones(n), 0.9 * capacity, 1.1 * capacity, 4.0),),
    )
    assert (plan_anew(problem, np.random.default_rng(0), Watch()) == today).all()
