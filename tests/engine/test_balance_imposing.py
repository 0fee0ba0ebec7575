"""Surroundings of territories outside, covered anew at once."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance.effort import EFFORTS
from healthcare_territories.territory_plugin.engine.balance.imposing import impose_covers
from healthcare_territories.territory_plugin.engine.balance.objective import Weights
from healthcare_territories.territory_plugin.engine.balance.pockets import Excuses
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.search import STRICT, Search
from healthcare_territories.territory_plugin.engine.balance.surroundings import VAST, Surroundings
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_balance_coarse import of_graph, ring
from .test_balance_exact import deviations, is_connected, small_problem


def search_of(problem: Problem, effort: str = "default") -> Search:
    """Return the search of a problem that knows why territories are outside."""
    search = Search(problem, EFFORTS[effort], Weights(), 1000.0, np.random.default_rng(1), Watch())
    search.excuses = Excuses(problem, Watch())
    return search


def test_all_of_a_ring_turn_at_once():
    """No territory of the ring gets better alone, and nothing is left to mend when all have turned."""
    problem, start = ring()
    search = search_of(problem)
    before = search.working(start, STRICT)
    assert before.load == [150, 90, 90, 90, 80]
    after = impose_covers(search, before, Watch())
    assert sorted(after.load) == [100] * 5
    assert search.covers == 1


def test_efforts_say_how_often():
    problem, start = ring()
    search = search_of(problem, "quick")
    before = search.working(start, STRICT)
    assert impose_covers(search, before, Watch()) is before


@settings(max_examples=40, deadline=None)
@given(st.integers(6, 14), st.integers(2, 4), st.integers(0, 9999), st.floats(0.01, 0.2))
def test_what_is_imposed_is_a_plan_and_never_worse(count, territories, seed, tolerance):
    problem, start = small_problem(count, territories, seed, tolerance)
    search = search_of(problem)
    before = search.working(list(start), STRICT)
    after = impose_covers(search, before, Watch())
    plan = np.array(after.assignment)
    assert np.bincount(plan, minlength=territories).min() > 0
    assert all(is_connected(problem, np.flatnonzero(plan == territory)) for territory in range(territories))
    assert sum(after.load) == pytest.approx(problem.workload.sum())
    assert search.rank(after)[0] <= search.rank(before)[0]
    assert max(deviations(problem, plan)) <= max(tolerance, max(deviations(problem, np.array(start)))) + after.excess()


@pytest.mark.parametrize(("way", "parts"), [(nx.star_graph(4), True), (nx.wheel_graph(5), False)])
def test_a_unit_without_workload_is_a_pass_where_others_touch_through_it_alone(way, parts):
    """The hub of a star parts what is around it, the hub of a wheel does not.

    Each piece that needs the pass holds it; of two that are connected without it none does.
    """
    problem = replace(of_graph(way, [0, 50, 50, 50, 50], 2), target=np.full(2, 100.0), scale=None)
    surroundings = Surroundings(problem)
    assert surroundings.passes == [parts, False, False, False, False]
    assert surroundings.near(1)[0] == ({0} if parts else {2, 3, 4})
    pieces = surroundings.pieces(range(5) if parts else range(1, 5), 0.05, 1000)
    assert pieces.loaded == 4
    assert len(pieces.sets) == 6
    assert pieces.may_cover(0.05, Watch()) != parts


def test_a_piece_may_hold_the_crumbs_that_it_lies_by():
    """The 94.8 is within 5 % with the crumb beside it, the 94.4 is not.

    94.8 - 0.4 - 105
    """
    for load, within in ((94.8, True), (94.4, False)):
        problem = of_graph(nx.path_graph(3), [load, 0.4, 105.0], 2)
        pieces = Surroundings(replace(problem, target=np.full(2, 100.0), scale=None)).pieces([0, 2], 0.05, 1000)
        assert len(pieces.sets) == (2 if within else 1)
        assert pieces.may_cover(0.05, Watch()) == within


def test_many_light_units_together_are_what_lies_beyond():
    """The 50 is half a target; a row of crumbs beside it is one thing that it may hold, or leads on to who knows what.

    50 - 0.4 - 0.4 - ... - 0.4 - 100
    """
    for count, far in ((VAST, False), (VAST + 1, True)):
        problem = of_graph(nx.path_graph(count + 2), [50, *[0.4] * count, 100.0], 2)
        surroundings = Surroundings(replace(problem, target=np.full(2, 100.0), scale=None))
        near, _, crumbs, vast = surroundings.near(0)
        assert vast == far
        assert near == (set() if far else {count + 1})
        assert len(crumbs) == (0 if far else count)
        assert surroundings.pieces([0], 0.05, 1000).grows.tolist() == [True]
        assert (surroundings.pieces([0, count + 1], 0.05, 1000).may_cover(0.05, Watch())) == far
