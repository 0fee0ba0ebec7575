"""Reach: what bans, locks and limits of travel leave to each rep, and how near to the targets any plan comes."""

from __future__ import annotations

from dataclasses import replace

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import Rules, balance_territories, certificates
from healthcare_territories.territory_plugin.engine.balance.contiguity import NotJoined, join_fixed
from healthcare_territories.territory_plugin.engine.balance.gateways import corridors
from healthcare_territories.territory_plugin.engine.balance.joining import negotiated
from healthcare_territories.territory_plugin.engine.balance.reach import reachable, shares_within_reach
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.reps import Rep
from hypothesis import given, settings
from hypothesis import strategies as st

from .test_balance import grid, path
from .test_gateways import homed, homed_at_random, least_worst


@settings(max_examples=100, deadline=None)
@given(st.integers(5, 9), st.integers(2, 3), st.integers(0, 9999))
def test_no_plan_is_better_than_what_is_in_reach(count, territories, seed):
    rng = np.random.default_rng(seed)
    graph, homes, problem = homed_at_random(rng, count, territories, contacts=2, lightest=0)
    barred = rng.random((count, territories)) < 0.3
    barred[homes, np.arange(territories)] = False
    problem = replace(problem, barred=barred)
    if not problem.workload.any():
        return
    shares = shares_within_reach(problem)
    best = least_worst(graph, problem)
    if shares is None:
        assert best == np.inf
        return
    assert shares.deviation <= best + 1e-6
    assert shares.loads.sum() == pytest.approx(problem.workload.sum())
    assert np.abs(shares.loads / problem.target - 1).max() <= shares.deviation + 1e-4
    own = [problem.workload[reachable(problem)[:, at]].sum() for at in range(territories)]
    assert (shares.loads <= np.array(own) * (1 + 1e-4) + 1e-6).all()
    some = list(shares.crowded or shares.starved)
    if some:  # the sums that are named tell the bound by themselves
        part = shares.workload / problem.target[some].sum()
        assert abs(part - 1) == pytest.approx(shares.deviation, abs=1e-3)


def test_who_alone_reaches_too_much_is_named_with_the_numbers():
    """Both live in the west; only B may go east: five of six are B's.

    | A B x x x x       A: nothing east of its home
    """
    reps = (Rep("A", home="a", forbidden=frozenset("cdef")), Rep("B", home="b"))
    said = certificates(path([1] * 6), rules=Rules(reps=reps)).messages()
    assert any("B has to take 5, 1.67 times its target, which nobody else reaches" in text for text in said)
    assert any("leaves a territory 66.7 % off" in text for text in said)
    plan = balance_territories(path([1] * 6), rules=Rules(reps=reps))
    assert plan.max_adjusted_deviation == pytest.approx(2 / 3)
    assert any("66.7 % off" in text for text in plan.gave)
    assert all("what is forbidden" in plan.reasons[at] for at in (0, 1))


def test_a_limit_of_travel_leaves_others_their_balance():
    """C, in the east, alone reaches its eight units of twelve; A and B share the four others as they should.

    | A . . B . . . . . . C .
    """
    graph = path([1] * 12)
    reps = (Rep("A", home="a"), Rep("B", home="d"), Rep("C", home="k"))
    far = max(abs(graph.nodes["k"]["lon"] - graph.nodes[unit]["lon"]) for unit in "efghijkl")
    km = 111.2 * np.cos(np.radians(graph.nodes["k"]["lat"])) * (far + 0.02)
    reps = tuple(replace(rep, forbidden=frozenset() if rep.id == "C" else frozenset("efghijkl")) for rep in reps)
    plan = balance_territories(graph, rules=Rules(reps=reps, most_travel=float(km)))
    held = dict(zip(plan.names, plan.workload))
    assert held == {"A": 2, "B": 2, "C": 8}
    assert any("C has to take 8, 2.00 times its target" in text and "100.0 % off" in text for text in plan.gave)


def test_a_minimum_above_what_a_rep_reaches_is_told():
    reps = (Rep("A", home="a", minimum=3.0, forbidden=frozenset("cdef")), Rep("B", home="b"))
    plan = balance_territories(path([1] * 6), rules=Rules(reps=reps))
    assert any("A reaches 1, its minimum is 3" in text for text in plan.gave)


@settings(max_examples=100, deadline=None)
@given(st.integers(6, 14), st.integers(2, 4), st.integers(0, 9999))
def test_who_passes_a_gateway_has_a_way_there(count, territories, seed):
    """Corridors add units to what is fixed, connected and allowed."""
    rng = np.random.default_rng(seed)
    graph, homes, problem = homed_at_random(rng, count, territories, contacts=2, lightest=1)
    barred = rng.random((count, territories)) < 0.1
    barred[homes, np.arange(territories)] = False
    problem = replace(problem, barred=barred)
    for fixed in corridors(problem):
        assert (fixed[homes] == problem.fixed[homes]).all()
        held = np.flatnonzero(fixed >= 0)
        assert len(held) > territories
        assert not barred[held, fixed[held]].any()
        assert all(nx.is_connected(graph.subgraph(held[fixed[held] == at].tolist())) for at in range(territories))


def test_corridors_are_asked_for_only_where_somebody_has_to_pass():
    """
    | A . . . . B     nobody has to pass anything but each from its home

    | A
    |   w e f g B     A and C have a unit each, west of w: one of them passes
    | C
    """
    graph = nx.path_graph(6)
    assert corridors(homed(graph, [1] * 6, [0, 5], [1, 1])) == []
    graph = nx.Graph([("A", "w"), ("C", "w"), ("A", "C"), *zip("wefg", "efgB")])
    names = sorted(graph)
    graph = nx.relabel_nodes(graph, {name: at for at, name in enumerate(names)})
    found = corridors(homed(graph, [1] * 7, [0, 1, 2], [1, 3, 3]))
    gate = names.index("w")
    assert int(found[0][gate]) == 2  # C, who has three times the capacity of A


@settings(max_examples=100, deadline=None)
@given(st.integers(6, 25), st.integers(2, 4), st.integers(0, 9999))
def test_ways_between_locked_units_do_not_cross(count, territories, seed):
    """Each territory's is connected, through units that are nobody else's and that it may have."""
    rng = np.random.default_rng(seed)
    graph = nx.from_prufer_sequence(rng.integers(0, count, count - 2).tolist())
    graph.add_edges_from(rng.choice(count, 2, replace=False).tolist() for _ in range(count // 2))
    some = rng.choice(count, min(count, 2 * territories), replace=False)
    problem = homed(graph, [1] * count, some[:territories].tolist(), [1] * territories)
    fixed = problem.fixed.copy()
    fixed[some] = np.arange(len(some)) % territories
    barred = rng.random((count, territories)) < 0.05
    barred[some, fixed[some]] = False
    problem = replace(problem, fixed=fixed, barred=barred, anchor=some[:territories])
    joined = negotiated(problem)
    try:
        simple = join_fixed(problem)
    except NotJoined:
        simple = None
    assert simple is None or joined is not None
    if joined is None:
        return
    assert (joined[some] == fixed[some]).all()
    held = np.flatnonzero(joined >= 0)
    assert not barred[held, joined[held]].any()
    assert all(nx.is_connected(graph.subgraph(held[joined[held] == at].tolist())) for at in range(territories))


def test_ways_are_found_where_the_shortest_stand_in_each_other_s():
    """A and B cross: the shortest way of either walls the other off; A goes round by the north.

    | x x x x x
    | A b x x A      b is B's, as is the B in the south
    | x x B x x
    """
    graph = grid(3, 5)
    reps = (Rep("A", home="10"), Rep("B", home="22"))
    plan = balance_territories(graph, rules=Rules(reps=reps, locked={"14": "A", "11": "B"}), tolerance=0.5)
    at = plan.as_dict()
    for name in range(2):
        assert nx.is_connected(graph.subgraph([unit for unit in graph if at[unit] == name]))
    assert at["14"] == at["10"] != at["11"] == at["22"]


def test_two_who_would_have_to_pass_one_unit_are_refused_by_name():
    """
    | A       a
    |   > w <
    | B       b
    """
    graph = nx.Graph([("A", "B"), ("A", "w"), ("B", "w"), ("w", "a"), ("w", "b"), ("a", "b")])
    for at, unit in enumerate(sorted(graph)):
        graph.nodes[unit].update(workload=1.0, lon=-75 + at / 10, lat=40.0)
    rules = Rules(reps=(Rep("A", home="A"), Rep("B", home="B")), locked={"a": "A", "b": "B"})
    with pytest.raises(TerritoryError, match="A, B would all have to pass w, the only way between two parts"):
        balance_territories(graph, rules=rules)
