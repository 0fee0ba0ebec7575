"""The proof that no plan is within a budget: never where there is one, and close below the least that changes."""

from __future__ import annotations

import numpy as np
import pytest
from healthcare_territories.benchmarks import within_budget
from healthcare_territories.benchmarks.within_budget import none_within

from .test_near_today import row
from .test_set_bound import board


def is_ruled_out(problem, budget):
    """Answer for plans whose units may go anywhere."""
    may = np.ones((problem.units, problem.territories), dtype=bool)
    return none_within(problem, problem.limits(problem.tolerance), may, budget, nodes=1000, rounds=20)


@pytest.mark.parametrize("gone", [False, True])
@pytest.mark.parametrize("tolerance", [0.08, 0.15])
@pytest.mark.parametrize("seed", range(4))
def test_the_budget_of_the_best_plan_is_never_ruled_out(seed, tolerance, gone):
    problem, optimum, proven = board(seed, gone, tolerance=tolerance)
    assert proven
    assert not is_ruled_out(problem, optimum)


@pytest.mark.parametrize("seed", range(3))
def test_nor_is_it_where_most_units_are_divisible(monkeypatch, seed):
    monkeypatch.setattr(within_budget, "LIGHT", 0.3)
    problem, optimum, proven = board(seed, False)
    assert proven
    assert not is_ruled_out(problem, optimum)


def test_less_is_ruled_out_on_most_boards():
    boards = [board(seed, gone)[:2] for seed in range(6) for gone in (False, True)]
    told = [is_ruled_out(problem, optimum - 0.5) for problem, optimum in boards if optimum > 0.5]
    assert sum(told) >= 0.7 * len(told)


def test_it_knows_that_units_are_whole():
    """6 | 4 6 | 4 6 | 4: each of four territories in a row has to change, where a flow of 4 would do."""
    problem = row([6, 4, 6, 4, 6, 4, 6, 4], [0, 1, 1, 2, 2, 3, 3, 3])
    assert is_ruled_out(problem, 11.9)
    assert not is_ruled_out(problem, 12.0)
