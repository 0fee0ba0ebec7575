"""Listing connected sets, pockets that no plan mends, and choosing many territories at once, against all plans."""

from __future__ import annotations

import itertools
from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import balance_territories, rebalance_territories
from healthcare_territories.territory_plugin.engine.balance.choosing import (
    NEAR_OUTSIDE,
    choose_near,
    recover_travel,
    regroup,
)
from healthcare_territories.territory_plugin.engine.balance.coarse import CoarseUnits, fewest_outside_coarse
from healthcare_territories.territory_plugin.engine.balance.effort import EFFORTS
from healthcare_territories.territory_plugin.engine.balance.listing import as_rows, list_connected
from healthcare_territories.territory_plugin.engine.balance.objective import Weights, WorkingPartition
from healthcare_territories.territory_plugin.engine.balance.pockets import Excuses, Pockets
from healthcare_territories.territory_plugin.engine.balance.problem import Problem
from healthcare_territories.territory_plugin.engine.balance.search import STRICT, Search
from healthcare_territories.territory_plugin.engine.balance.surroundings import Surroundings
from healthcare_territories.territory_plugin.engine.balance.watch import Watch
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_balance_exact import all_plans, deviations, is_connected, small_problem


def of_graph(graph: nx.Graph, workload, territories: int, tolerance: float = 0.05) -> Problem:
    """Return the problem of a graph whose nodes are numbers from zero."""
    count = len(graph)
    angle = np.arange(count) * 2 * np.pi / count
    return Problem(
        workload=np.array(workload, dtype=float),
        location=np.column_stack([np.cos(angle), np.sin(angle), np.zeros(count)]) * 50,
        neighbours=[tuple(sorted(graph[unit])) for unit in range(count)],
        target=np.full(territories, sum(workload) / territories),
        tolerance=tolerance,
        anchor=np.full(territories, -1),
        oversize=np.zeros(territories, dtype=bool),
    )


@settings(max_examples=60, deadline=None)
@given(st.integers(4, 9), st.integers(0, 9999), st.floats(0.0, 0.9), st.data())
def test_connected_sets_are_those_of_plain_enumeration(count, seed, width, data):
    problem, _ = small_problem(count, 2, seed, 0.05)
    low, high = (1 - width) * problem.target[0], (1 + width) * problem.target[0]
    border = data.draw(st.sets(st.integers(0, count - 1)))
    beside = data.draw(st.sets(st.integers(0, count - 1)))
    room = data.draw(st.floats(0, 5))

    def counts(units):
        load = problem.workload[list(units)].sum()
        if not load <= high or not is_connected(problem, units):
            return False
        return load >= low or not border.isdisjoint(units) or (load <= room and not beside.isdisjoint(units))

    plain = {
        units for size in range(1, count + 1) for units in itertools.combinations(range(count), size) if counts(units)
    }
    around = [sum(1 << other for other in near) for near in problem.neighbours]
    found, seen, _ = list_connected(
        around,
        problem.workload.tolist(),
        low,
        high,
        10_000,
        sum(1 << unit for unit in border),
        sum(1 << unit for unit in beside),
        room,
    )
    rows = [tuple(np.flatnonzero(row).tolist()) for row in as_rows(found, count)] if found else []
    assert len(rows) == len(set(rows)) <= seen
    assert set(rows) == plain


def test_too_many_sets_are_no_sets():
    around = [(1 << 12) - 1 - (1 << unit) for unit in range(12)]
    assert list_connected(around, [1.0] * 12, 1, 12, most=50)[0] is None
    assert list_connected(around, [1.0] * 12, 1, 12, most=5000, enough=7)[0] is None


@settings(max_examples=20, deadline=None)
@given(st.integers(5, 8), st.integers(2, 3), st.integers(0, 9999), st.floats(0.01, 0.2))
def test_no_plan_is_better_than_a_pocket_says(count, territories, seed, tolerance):
    problem, start = small_problem(count, territories, seed, tolerance)
    now = deviations(problem, start)
    if now.max() >= 1 or now.max() <= tolerance:
        return
    pockets, plans = Pockets(problem), all_plans(problem)
    for unit in np.flatnonzero(problem.workload > 0).tolist():
        pocket = pockets.around(unit, float(now.max()), 5000, Watch())
        if pocket is None:
            continue
        for plan in plans:
            meets = np.unique(plan[list(pocket.units)])
            assert deviations(problem, plan)[meets].max() >= pocket.bound * (1 - 1e-5)


def test_a_pocket_is_found_where_two_heavy_units_need_the_same_light_one():
    """Four territories of 100: both 90s need the 10 between them.

    90 - 10 - 90
     |         |
    30 ------- 30 - 30 - 30 - 90
    """
    graph = nx.Graph([(0, 1), (1, 2), (0, 3), (2, 4), (3, 4), (4, 5), (5, 6), (6, 7)])
    problem = of_graph(graph, [90, 10, 90, 30, 30, 30, 30, 90], 4)
    pocket = Pockets(problem).around(0, 0.5, 1000, Watch())
    assert pocket is not None
    least = min(max(deviations(problem, plan)[np.unique(plan[list(pocket.units)])]) for plan in all_plans(problem))
    assert 0.05 < pocket.bound <= least * (1 + 1e-6)


def test_units_beside_an_oversize_one_may_go_with_it():
    """The 4 goes with the 300 within the tolerance, so nothing forbids a plan.

    300 - 4 - 100 - 100
    """
    graph = nx.path_graph(4)
    problem = of_graph(graph, [300, 4, 100, 100], 3)
    apart = Problem(
        workload=problem.workload,
        location=problem.location,
        neighbours=problem.neighbours,
        target=np.array([300.0, 100.0, 100.0]),
        tolerance=0.05,
        anchor=np.array([0, -1, -1]),
        oversize=np.array([True, False, False]),
    )
    assert Pockets(apart).around(2, 0.5, 1000, Watch()) is None
    closed = replace(apart, workload=np.array([300.0, 14, 100, 100]))
    assert Pockets(closed).around(2, 0.14, 1000, Watch()).bound == pytest.approx(0.14)


def row_of(workload) -> Problem:
    """Return units in a row that shall be cut into hundreds."""
    problem = of_graph(nx.path_graph(len(workload)), workload, 4)
    return replace(problem, target=np.full(4, 100.0), scale=None)


def test_a_pocket_holds_no_unit_that_it_does_not_need():
    """The 90 at the end has only the 3, and the other one the 3 or too much; neither needs the other for that.

    90 - 3 - 90 - 20 - 20 - 20 - ...
    """
    for unit in (0, 2):
        pocket = Pockets(row_of([90, 3, 90, *[20] * 15])).around(unit, 0.06, 1000, Watch())
        assert pocket.units == (unit,)
        assert pocket.bound == pytest.approx(0.06)


def test_a_larger_pocket_forces_more():
    """With the unit between them the first is 9 % off; where the other one needs it as well, one of them is 10 % off.

    90 - 1 - 97 - 20 - 20 - 20 - ...
    90 - 1 - 90 - 20 - 20 - 20 - ...
    """
    for other, bound, needed in ((97, 0.09, {0}), (90, 0.1, {0, 2})):
        pocket = Pockets(row_of([90, 1, other, *[20] * 15])).around(0, 0.5, 1000, Watch())
        assert pocket.bound == pytest.approx(bound)
        assert set(pocket.units) >= needed


def test_a_pocket_leaves_out_what_lies_beyond():
    """Without the 90 in the middle, which another pocket has, nothing keeps the first from coming to a hundred."""
    pockets = Pockets(row_of([90, 2, 90, 2, 90]))
    assert pockets.around(0, 0.06, 1000, Watch()) is not None
    assert pockets.around(0, 0.06, 1000, Watch(), beyond={2}) is None


def test_a_pocket_grows_where_few_light_ones_are_left_on_its_border():
    """From the first unit to the heavy one and what it hides, and to the dead end; to the light hub last.

        5      7
        |     /
    1 - 0 - 6 - 8        1 - 2, 1 - 3, 1 - 4; 6 weighs 80
    """
    graph = nx.Graph([(0, 1), (1, 2), (1, 3), (1, 4), (0, 5), (0, 6), (6, 7), (6, 8)])
    surroundings = Surroundings(replace(of_graph(graph, [5, 5, 5, 5, 5, 5, 80, 5, 5], 2), target=np.full(2, 100.0)))
    assert list(surroundings.few_doors([0])) == [6, 5, 7, 8, 1, 2, 3, 4]
    assert list(surroundings.few_doors([0], {6})) == [5, 1, 2, 3, 4]


def test_one_pocket_excuses_one_territory():
    """One of the nineties has to stay alone. That does not excuse both, and not the ten that none of them took.

    90 | 10 | 90 | 50 - 50
    """
    problem = row_of([90, 10, 90, 50, 50])
    part = WorkingPartition(problem, [0, 1, 2, 3, 3], Weights(), 1.0)
    assert part.improvable() == [0, 1, 2]
    excuses = Excuses(problem, Watch())
    assert excuses.unexcused(part, 1000) == [1, 2]
    assert excuses.unaccounted == [1, 2]
    better = WorkingPartition(problem, [0, 1, 1, 3, 3], Weights(), 1.0)
    assert 0 not in excuses.unexcused(better, 1000)


@pytest.mark.parametrize(("between", "accounted"), [(1, True), (3, False)])
def test_a_pocket_accounts_for_little_more_than_it_forces(between, accounted):
    """The first 90 is alone, 10 % off. With the unit beside it, it were 9 % off, or 7 %: that much is forced.

    90 | 1 97 | 20 20 20 20 20 | 20 20 20 20 20
    """
    problem = row_of([90, between, 97, *[20] * 10])
    part = WorkingPartition(problem, np.repeat([0, 1, 2, 3], [1, 2, 5, 5]).tolist(), Weights(), 1.0)
    excuses = Excuses(problem, Watch())
    assert 0 in excuses.unexcused(part, 1000)
    assert (0 not in excuses.unaccounted) == accounted


@settings(max_examples=30, deadline=None)
@given(st.integers(8, 30), st.integers(2, 4), st.integers(0, 9999), st.booleans())
def test_coarse_units_are_connected_and_hold_every_unit_once(count, territories, seed, within):
    problem, start = small_problem(count, territories, seed, 0.05)
    part = WorkingPartition(problem, start, Weights(), 1.0)
    coarse = CoarseUnits(part, np.random.default_rng(seed), within)
    coarse.reduce(count // 2)
    assert sorted(unit for members in coarse.members.values() for unit in members) == list(range(count))
    graph = nx.Graph((a, b) for a, around in enumerate(problem.neighbours) for b in around)
    for unit, members in coarse.members.items():
        assert is_connected(problem, members)
        assert coarse.load[unit] == pytest.approx(problem.workload[members].sum())
        beyond = {other for member in members for other in graph[member]} - set(members)
        assert {other for near in coarse.near[unit] for other in coarse.members[near]} >= beyond
        if within:
            assert len({start[member] for member in members}) == 1


def ring() -> tuple[Problem, list[int]]:
    """Return a ring of nine heavy units whose only good plan turns all five territories by one, and the bad plan.

    In order 50 50 40 60 30 70 20 80 100: pairs from the first unit make five hundreds. From the last one they
    make 150, 90, 90, 90 and 80, and no exchange between two neighbours mends it.
    """
    return of_graph(nx.cycle_graph(9), [50, 50, 40, 60, 30, 70, 20, 80, 100], 5), [0, 1, 1, 2, 2, 3, 3, 4, 0]


def test_all_territories_of_a_ring_turn_at_once():
    problem, start = ring()
    part = WorkingPartition(problem, start, Weights(limit=STRICT), 1.0)
    assert part.load == [150, 90, 90, 90, 80]
    found = fewest_outside_coarse(part, np.random.default_rng(0), Watch(), within=False, travel=0.0)
    assert np.bincount(found.assignment, problem.workload).tolist() == [100] * 5
    assert part.load == [150, 90, 90, 90, 80]


def lattice(columns: int, rows: int, territories: int) -> Problem:
    """Return a lattice of units that weigh ten each, row by row, ten km apart."""
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns), ordering="sorted")
    problem = of_graph(graph, [10] * (rows * columns), territories)
    row, column = np.divmod(np.arange(rows * columns), columns)
    return replace(problem, location=np.column_stack([10.0 * column, 10.0 * row, np.zeros(rows * columns)]))


@pytest.mark.parametrize("seed", range(5))
def test_of_territories_that_are_as_good_those_with_less_travel_are_chosen(seed):
    """Long rows are as good as compact halves, but for travel.

    a a a a a a        a a a b b b
    b b b b b b   ->   a a a b b b
    """
    problem = lattice(6, 2, 2)
    part = WorkingPartition(problem, [0] * 6 + [1] * 6, Weights(limit=STRICT), 1.0)
    found = fewest_outside_coarse(part, np.random.default_rng(seed), Watch(), within=False, travel=1.0)
    halves = np.array(found.assignment).reshape(2, 6)
    assert (halves == halves[:, [0, 0, 0, 5, 5, 5]]).all()
    assert (halves[:, 0] == halves[0, 0]).all()
    assert halves[0, 0] != halves[0, 5]


def test_travel_is_won_back_and_no_balance_is_given_away():
    """Territories that choosing left long and crooked become short ones of as many units.

    a a a a a a a a a a b        a a a a a a b b b b b
    a b b b b b b b b b b   ->   a a a a a b b b b b b
    """
    problem = lattice(11, 2, 2)
    search = Search(problem, EFFORTS["default"], Weights(), 1000.0, np.random.default_rng(1), Watch())
    before = search.working([0] * 10 + [1] + [0] + [1] * 10, STRICT)
    assert recover_travel(search, before, Watch()) is before
    search.turns = 1
    after = recover_travel(search, before, Watch())
    assert sorted(after.load) == [110, 110]
    assert after.inertia() < before.inertia() / 2
    assert search.rank(after) < search.rank(before)


def test_regrouping_ends_with_the_plan_that_exchanges_do_not_find():
    problem, start = ring()
    search = Search(problem, EFFORTS["default"], Weights(), 1000.0, np.random.default_rng(1), Watch())
    search.excuses = Excuses(problem, Watch())
    found, proofs = regroup(search, search.working(start, STRICT), Watch())
    assert sorted(found.load) == [100] * 5
    assert not proofs


def test_the_plan_says_which_pocket_forbids_better():
    """As above, with a long tail of light units: one of the two heavy ones stays alone, at 90 % of the target.

    90 - 10 - 90
     |         |
    30 ------- 30 - 3 - 3 - 3 - ... - 3
    """
    graph = nx.Graph([(0, 1), (1, 2), (0, 3), (2, 4), (3, 4)])
    nx.add_path(graph, range(4, 150))
    loads = [90, 10, 90, 30, 30, *[3] * 145]
    for unit in graph:
        graph.nodes[unit].update(workload=loads[unit] * 100, lon=-100 + unit / 50, lat=40)
    territories = round(sum(loads) / 100)
    plan = balance_territories(graph, territories)
    assert (~plan.within_tolerance).sum() == 1
    today = {unit: f"T{at}" for unit, at in plan.as_dict().items()}
    for found in (plan, rebalance_territories(graph, today).plan):
        (reason,) = found.reasons.values()
        assert "wherever the borders run, a territory among its units" in reason


def row_in_territories(loads, lengths, tolerance: float) -> tuple[Search, WorkingPartition]:
    """Return the search of units in a row, cut into territories of so many units."""
    problem = of_graph(nx.path_graph(len(loads)), loads, len(lengths), tolerance)
    search = Search(problem, EFFORTS["quick"], Weights(), 1000.0, np.random.default_rng(0), Watch())
    return search, search.working(np.repeat(np.arange(len(lengths)), lengths).tolist(), STRICT)


def test_a_chain_is_chosen_near_what_it_was():
    """6 | 4 6 | 4 6 | 4 6 | 4 6 | 4 6 4: the first has 6 of 10, the last 14. All six change, or nothing helps."""
    search, before = row_in_territories([6, 4] * 6, [1, 2, 2, 2, 2, 3], 0.05)
    assert search.improvable(before) == [0, 5]
    after = choose_near(search, before, Watch())
    assert after.load == [10.0] * 6
    assert after.assignment == np.repeat(np.arange(6), 2).tolist()


def test_where_many_are_outside_nothing_is_chosen_near_by():
    """13 | 7 | 13 | 7: all four are outside, which is for annealing to mend."""
    search, before = row_in_territories([1] * 40, [13, 7, 13, 7], 0.05)
    assert len(search.improvable(before)) > NEAR_OUTSIDE
    assert choose_near(search, before, Watch()) is before


def test_what_is_chosen_near_by_is_never_further_off():
    """Heavy units in a row: where no border helps, the plan stays what it was."""
    search, before = row_in_territories([7, 7, 7, 3, 3, 3], [2, 1, 3], 0.05)
    assert len(search.improvable(before)) <= NEAR_OUTSIDE
    after = choose_near(search, before, Watch())
    assert after.excess() <= before.excess()
    assert sorted(after.load) == [7.0, 9.0, 14.0]
