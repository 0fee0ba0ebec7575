"""Sets that hold each unit once, against all choices."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance.covering import cheapest_cover, consistent, exact_cover
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st


def cheapest_of_all(sets, cost, must, k) -> float | None:
    """Return the least cost of `k` sets that hold no unit twice, and all that must be held."""
    covers = (list(chosen) for chosen in itertools.combinations(range(len(sets)), k))
    fine = [c for c in covers if (sets[c].sum(axis=0) <= 1).all() and sets[c].any(axis=0)[must].all()]
    return min((float(cost[c].sum()) for c in fine), default=None)


@settings(max_examples=80, deadline=None)
@given(st.integers(3, 7), st.integers(2, 3), st.integers(3, 22), st.integers(0, 9999))
def test_no_choice_is_cheaper(units, k, many, seed):
    rng = np.random.default_rng(seed)
    sets = np.unique(rng.random((many, units)) < 0.45, axis=0)
    sets = sets[sets.any(axis=1)]
    cost, must = rng.random(len(sets)), rng.random(units) < 0.8
    least = cheapest_of_all(sets, cost, must, k)
    found = cheapest_cover(sets, cost, must, k, 9.0, 500, 0.0, Watch())
    if least is None:
        assert found is None
        return
    assert len(found) == k
    assert (sets[found].sum(axis=0) <= 1).all()
    assert sets[found].any(axis=0)[must].all()
    assert cost[found].sum() == pytest.approx(least)
    assert cheapest_cover(sets, cost, must, k, least - 1e-6, 500, 0.0, Watch()) is None


def triangle() -> tuple[np.ndarray, np.ndarray]:
    """Return six units whose pairs on two triangles are cheapest by halves; whole, a dear pair joins the triangles.

    0       3
    | \\   / |
    |  2-5  |
    | /   \\ |
    1       4
    """
    pairs = [(0, 1), (1, 2), (0, 2), (3, 4), (4, 5), (3, 5), (2, 5)]
    sets = np.zeros((len(pairs), 6), dtype=bool)
    for row, pair in zip(sets, pairs):
        row[list(pair)] = True
    return sets, np.array([1.0, 1.1, 1.2, 1.0, 1.1, 1.2, 5.0])


def test_halves_of_sets_are_branched_on():
    sets, cost = triangle()
    found = cheapest_cover(sets, cost, np.ones(6, dtype=bool), 3, 99.0, 20, 0.0, Watch())
    assert sorted(found.tolist()) == [0, 3, 6]


def test_without_branches_halves_are_no_answer():
    sets, cost = triangle()
    assert cheapest_cover(sets, cost, np.ones(6, dtype=bool), 3, 99.0, 1, 0.0, Watch()) is None


def test_what_costs_more_than_is_of_interest_is_not_looked_for():
    sets, cost = triangle()
    asked = []
    watch = Watch(cancelled=lambda: bool(asked.append(None)))
    assert cheapest_cover(sets, cost, np.ones(6, dtype=bool), 3, 3.2, 20, 0.0, watch) is None
    assert len(asked) == 1


@settings(max_examples=150, deadline=None)
@given(st.integers(2, 7), st.integers(1, 14), st.integers(0, 9999))
def test_an_exact_cover_is_found_where_there_is_one(units, many, seed):
    rows = np.random.default_rng(seed).random((many, units)) < 0.4
    sets = [int(each) for each in np.unique(rows @ (1 << np.arange(units))) if each]
    fits = any(
        sum(chosen) == (1 << units) - 1 and all(not a & b for a, b in itertools.combinations(chosen, 2))
        for size in range(1, len(sets) + 1)
        for chosen in itertools.combinations(sets, size)
    )
    assert exact_cover(sets, units, 10_000) is fits


def test_a_cover_that_takes_too_long_is_unknown():
    """Pairs of thirteen units leave one out, in every choice: all ways have to be tried."""
    sets = [1 << a | 1 << b for a, b in itertools.combinations(range(13), 2)]
    assert exact_cover(sets, 13, 50) is None
    assert exact_cover(sets, 13, 10**6) is False


def test_any_number_of_sets_may_be_chosen():
    """Three singles cost less than one set of three, and more than one pair and one single.

    0 - 1 - 2
    """
    sets = np.array([[1, 0, 0], [0, 1, 0], [0, 0, 1], [1, 1, 0], [1, 1, 1]], dtype=bool)
    cost, must = np.array([1.0, 1.0, 1.0, 1.5, 3.5]), np.ones(3, dtype=bool)
    assert sorted(cheapest_cover(sets, cost, must, None, 9.0, 20, 0.0, Watch()).tolist()) == [2, 3]


def test_units_that_may_be_left_are_held_once_at_most():
    assert exact_cover([0b101, 0b110], 2, 100) is False
    assert exact_cover([0b101, 0b010], 2, 100) is True


@settings(max_examples=100, deadline=None)
@given(st.integers(3, 7), st.integers(1, 14), st.integers(1, 7), st.integers(0, 9999))
def test_consistent_sets_are_those_of_all_covers_and_few_more(units, many, must, seed):
    """Every set that is part of a cover is left; one that leaves a unit nothing is not."""
    must = min(must, units)
    rows = np.unique(np.random.default_rng(seed).random((many, units)) < 0.4, axis=0)
    rows = rows[rows[:, :must].any(axis=1)]
    left = set(consistent(rows, must).tolist())
    # with more units than fit in a word it is the same
    assert set(consistent(np.repeat(rows, 12, axis=1), 12 * must).tolist()) == left
    for size in range(1, must + 1):
        for chosen in map(list, itertools.combinations(range(len(rows)), size)):
            if (rows[chosen].sum(axis=0) <= 1).all() and rows[chosen].any(axis=0)[:must].all():
                assert left.issuperset(chosen)
    for each in left:
        beside = [other for other in left if not (rows[each] & rows[other]).any()]
        assert (rows[[each, *beside]].any(axis=0)[:must]).all()
