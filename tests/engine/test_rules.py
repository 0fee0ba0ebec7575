"""Rules: each is kept whatever the others are, contradictions are named, and what gives is told."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from healthcare_territories.territory_plugin.engine.balance import (
    Border,
    Measure,
    Rules,
    balance_territories,
    rebalance_territories,
)
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.reps import Rep, read_locks, reps_of, share_heavy_units
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from .test_balance import grid, path, planar_graphs

MANY = settings(max_examples=300, deadline=None, suppress_health_check=list(HealthCheck))
FEW = 18
"""Units of a random map at most: rules get in each other's way on small maps, and many of those take little time."""


def territories_of(plan) -> dict:
    """Return the rep of each unit."""
    return {unit: plan.names[at] for unit, at in plan.as_dict().items()}


def assert_connected(graph: nx.Graph, at: dict) -> None:
    for name in set(at.values()):
        assert nx.is_connected(graph.subgraph([unit for unit in graph if at[unit] == name])), name


def any_rules(graph, k, random) -> Rules:
    """Return homes, shares, must-haves, locks, forbidden units, a border between west and east, a further measure."""
    units = sorted(graph)
    homes = random.sample(units, k)
    west = sorted(units, key=lambda unit: graph.nodes[unit]["lon"])[: len(units) // 2]
    for unit in units:
        graph.nodes[unit]["half"] = "west" if unit in west else "east"
        graph.nodes[unit]["accounts"] = random.randint(0, 5)
    free = [unit for unit in units if unit not in homes]
    held = dict(zip(random.sample(free, min(len(free), k)), random.choices(range(k), k=k)))
    reps = tuple(
        Rep(
            f"R{at}",
            home=home if random.random() < 0.7 else None,
            share=random.choice([0.5, 1.0, 1.5]),
            must_have=frozenset(unit for unit, rep in held.items() if rep == at and random.random() < 0.5),
            forbidden=frozenset(random.sample([unit for unit in free if unit not in held], 1))
            if len(free) > len(held) and random.random() < 0.3
            else frozenset(),
        )
        for at, home in enumerate(homes)
    )
    locked = {unit: f"R{rep}" for unit, rep in held.items() if unit not in set().union(*(r.must_have for r in reps))}
    return Rules(
        reps=reps,
        locked=locked,
        borders=(Border("half", None if random.random() < 0.3 else random.choice([0.0, 2.0])),),
        measures=(Measure("accounts", 0.3),) if random.random() < 0.3 else (),
    )


def assert_rules_hold(graph, plan, rules) -> None:
    """Homes, must-haves and locks stay; regions are not crossed; exactly k territories, connected, totals equal."""
    at = territories_of(plan)
    hard = rules.borders[0].price is None
    assert set(at) == set(graph)
    assert set(at.values()) == {rep.id for rep in rules.reps}
    if not (hard and plan.gave):  # parts of a region may be bridged, which is told
        assert_connected(graph, at)
    for rep in rules.reps:
        assert rep.home is None or at[rep.home] == rep.id
        assert all(at[unit] == rep.id for unit in rep.must_have)
        assert all(at[unit] != rep.id for unit in rep.forbidden)  # where that cannot be, the rules are refused
    assert all(at[unit] == rep for unit, rep in rules.locked.items())
    if hard:
        for rep in {*at.values()}:
            assert len({graph.nodes[unit]["half"] for unit in graph if at[unit] == rep}) == 1
    total = sum(load for _, load in graph.nodes(data="workload"))
    assert plan.workload.sum() == pytest.approx(total)
    assert plan.share.mean() == pytest.approx(1.0)


def assert_named(refused, graph, rules) -> None:
    """A contradiction is named by its units, reps or regions."""
    names = [*sorted(graph), *(rep.id for rep in rules.reps), "half west", "half east"]
    assert any(name in str(refused) for name in names), refused


@MANY
@given(planar_graphs(most=FEW), st.integers(2, 4), st.randoms(use_true_random=False))
def test_rules_of_any_kind_hold_together(graph, k, random):
    rules = any_rules(graph, min(k, len(graph)), random)
    try:
        plan = balance_territories(graph, rules=rules, effort="quick", tolerance=0.2)
    except TerritoryError as refused:
        assert_named(refused, graph, rules)
    else:
        assert_rules_hold(graph, plan, rules)


@settings(parent=MANY, phases=(Phase.reuse, Phase.generate))
@given(planar_graphs(most=FEW), st.integers(2, 4), st.randoms(use_true_random=False))
def test_rules_of_any_kind_hold_together_in_a_rebalancing(graph, k, random):
    """From any alignment, in parts or with gaps, in which some reps may have nothing yet."""
    rules = any_rules(graph, min(k, len(graph)), random)
    names = [rep.id for rep in rules.reps]
    current = {unit: random.choice([*names, None]) for unit in sorted(graph)}
    current[min(graph)] = names[0]
    try:
        found = rebalance_territories(graph, current, rules=rules, effort="quick", tolerance=0.2)
    except TerritoryError as refused:
        assert_named(refused, graph, rules)
    else:
        assert_rules_hold(graph, found.plan, rules)


def test_a_home_keeps_its_rep_and_travel_is_measured_from_it():
    """Both reps live in the west: the strips run east from their homes, not into a west and an east half.

    | A . . . . .
    | B . . . . .
    """
    graph = grid(2, 6)
    plan = balance_territories(graph, rules=Rules(reps=(Rep("A", home="00"), Rep("B", home="10"))))
    at = territories_of(plan)
    assert at["00"] == "A"
    assert at["10"] == "B"
    assert sorted(plan.workload) == [6, 6]
    free = balance_territories(graph, 2).as_dict()
    assert {free[f"{row}0"] for row in range(2)} != {free[f"{row}5"] for row in range(2)}


def test_capacities_share_the_workload():
    """Half a week, a week, one and a half: 4, 8 and 12 of 24."""
    reps = tuple(Rep(name, share=share) for name, share in (("A", 0.5), ("B", 1.0), ("C", 1.5)))
    plan = balance_territories(grid(4, 6), rules=Rules(reps=reps))
    assert dict(zip(plan.names, plan.workload)) == {"A": 4, "B": 8, "C": 12}
    assert plan.within_tolerance.all()


def test_a_forbidden_unit_is_reached_around_the_rep_who_may_not_have_it():
    """x is forbidden to A, who lives between it and B: all of the south is B's.

    | x A . . . B
    | . . . . . .
    """
    graph = grid(2, 6)
    reps = (Rep("A", home="01", forbidden=frozenset({"00"})), Rep("B", home="05"))
    at = territories_of(balance_territories(graph, rules=Rules(reps=reps), tolerance=0.2))
    assert at["00"] == "B"
    assert {at[f"1{column}"] for column in range(3)} == {"B"}
    assert nx.is_connected(graph.subgraph([unit for unit in graph if at[unit] == "B"]))


def test_a_forbidden_unit_that_only_its_rep_reaches_is_refused_by_name():
    """
    | x A . . B
    """
    reps = (Rep("A", home="b", forbidden=frozenset("a")), Rep("B", home="e"))
    with pytest.raises(TerritoryError, match=r"1 unit is within reach only of reps to whom that is forbidden: a \(A\)"):
        balance_territories(path([1] * 5), rules=Rules(reps=reps))


def test_bans_that_no_plan_keeps_together_are_refused():
    """x is forbidden to B and y to C; each can be reached, but only through m, which has one territory.

    | B . m . x
    | C . m . y
    """
    graph = path([1] * 5)
    graph = nx.relabel_nodes(graph, dict(zip("abcde", "BCmxy")))
    graph.remove_edges_from(list(graph.edges))
    graph.add_edges_from(["BC", "Bm", "Cm", "mx", "my"])
    for forbidden in (("x", ""), ("", "y")):
        reps = tuple(Rep(name, home=name, forbidden=frozenset(ban)) for name, ban in zip("BC", forbidden))
        at = territories_of(balance_territories(graph, rules=Rules(reps=reps), tolerance=0.9))
        assert all(at[ban] != name for name, ban in zip("BC", forbidden) if ban)
    reps = tuple(Rep(name, home=name, forbidden=frozenset(ban)) for name, ban in zip("BC", "xy"))
    with pytest.raises(TerritoryError, match=r"1 unit has to stay, for example [xy] \([BC]\)"):
        balance_territories(graph, rules=Rules(reps=reps), tolerance=0.9)


def test_a_unit_deep_in_a_territory_that_is_forbidden_to_it_gets_out_along_a_way():
    """The middle of A's land is forbidden to A; B, who is far off, gets it with the way there.

    | a a a a B
    | a a x a B      three of the four units around x stay A's
    | a a a a B
    """
    graph = grid(3, 5)
    current = {unit: "B" if unit[1] == "4" else "A" for unit in graph}
    reps = (Rep("A", home="00", forbidden=frozenset({"12"})), Rep("B", home="14"))
    found = rebalance_territories(graph, current, rules=Rules(reps=reps), tolerance=0.7)
    at = territories_of(found.plan)
    assert at["12"] == "B"
    assert not found.plan.gave
    assert sum(at[unit] != current[unit] for unit in graph) == 2


def test_limits_of_a_rep_replace_the_tolerance():
    reps = (Rep("A", maximum=3.0), Rep("B"))
    plan = balance_territories(grid(2, 6), rules=Rules(reps=reps), tolerance=0.6)
    assert dict(zip(plan.names, plan.workload))["A"] <= 3
    plan = balance_territories(grid(2, 6), rules=Rules(reps=reps))  # 3 is below the tolerance, too
    assert dict(zip(plan.names, plan.workload)) == {"A": 3, "B": 9}
    reps = (Rep("A", minimum=8.0), Rep("B"), Rep("C"))
    plan = balance_territories(grid(2, 8), rules=Rules(reps=reps))
    assert sorted(plan.workload) == [4, 4, 8]
    assert plan.within_tolerance[0]


def test_locked_units_far_apart_are_joined():
    """a and i are A's, so all between is A's but what B's home needs.

    | A b c d e f g h A
    """
    graph = path([1] * 9)
    graph.add_node("z", workload=6.0, lon=-79.6, lat=39.9)
    graph.add_edge("e", "z")
    rules = Rules(reps=(Rep("A"), Rep("B", home="z")), locked={"a": "A", "i": "A"})
    at = territories_of(balance_territories(graph, rules=rules))
    assert {at[unit] for unit in "abcdefghi"} == {"A"}
    assert at["z"] == "B"


def test_a_new_rep_begins_with_what_another_may_not_keep():
    """Today A B B, but B may not have c, and A and B can do without nothing else: c becomes C's."""
    rules = Rules(reps=(Rep("A"), Rep("B", forbidden=frozenset("c")), Rep("C")))
    found = rebalance_territories(path([1] * 3), {"a": "A", "b": "B", "c": "B"}, rules=rules)
    assert territories_of(found.plan) == {"a": "A", "b": "B", "c": "C"}


def test_locks_that_cannot_be_joined_are_refused_by_name():
    """B's unit lies on the only way between A's.

    | A b B d A
    """
    rules = Rules(reps=(Rep("A"), Rep("B")), locked={"a": "A", "e": "A", "c": "B"})
    with pytest.raises(TerritoryError, match="A cannot be connected: e"):
        balance_territories(path([1] * 5), rules=rules)


def test_a_locked_territory_stays_as_it_is():
    """The west two columns are A's, heavy or not; B and C share the rest."""
    graph = grid(2, 6)
    locked = dict.fromkeys(("00", "10", "01", "11"), "A")
    plan = balance_territories(graph, rules=Rules(reps=(Rep("A", locked=True), Rep("B"), Rep("C")), locked=locked))
    at = territories_of(plan)
    assert {unit for unit, name in at.items() if name == "A"} == set(locked)
    assert sorted(plan.workload[1:]) == [4, 4]


def test_no_territory_crosses_a_closed_border_and_the_seats_are_explained():
    """West 8 units, east 4: 2 territories and 1."""
    graph = grid(2, 6)
    for unit in graph:
        graph.nodes[unit]["state"] = "W" if unit[1] < "4" else "E"
    plan = balance_territories(graph, 3, rules=Rules(borders=(Border("state"),)))
    at = plan.as_dict()
    assert {at[unit] for unit in at if unit[1] < "4"}.isdisjoint(at[unit] for unit in at if unit[1] >= "4")
    assert sorted(plan.workload) == [4, 4, 4]
    said = "\n".join(plan.certificates.messages())
    assert "state W is worth 2.00 of a territory and gets 2 territories" in said
    assert not plan.pieces


def test_parts_of_a_region_that_only_others_land_joins_are_bridged_and_told():
    """NJ lies between the halves of NY: one territory of NY spans it, unless bridges are off.

    | Y Y J J Y Y
    """
    graph = path([1] * 6)
    for unit in graph:
        graph.nodes[unit]["state"] = "NJ" if unit in "cd" else "NY"
    plan = balance_territories(graph, 2, rules=Rules(borders=(Border("state"),)))
    at = plan.as_dict()
    assert at["a"] == at["b"] == at["e"] == at["f"] != at["c"] == at["d"]
    assert any("state NY has 2 parts" in text for text in plan.gave)
    assert ("b", "e") in plan.bridges
    assert all({one, other} <= set("abef") for one, other in plan.bridges)
    with pytest.raises(TerritoryError, match="the 2 regions need at least 3"):
        balance_territories(graph, 2, rules=Rules(borders=(Border("state"),), bridge=False))


def test_fewer_territories_than_regions_are_refused_by_region():
    """Three states, of which the middle one parts the west in two: four territories at least, and three unbridged.

    | W M W E
    """
    graph = path([1] * 4)
    for unit, state in zip("abcd", "WMWE"):
        graph.nodes[unit]["state"] = state
    with pytest.raises(TerritoryError, match=r"2 territories are too few .* the 3 regions need at least 3"):
        balance_territories(graph, 2, rules=Rules(borders=(Border("state"),)))
    with pytest.raises(TerritoryError, match=r"at least 4, since some are in parts that do not touch: state W \(2\)"):
        balance_territories(graph, 3, rules=Rules(borders=(Border("state"),), bridge=False))


def test_units_without_a_region_are_refused_where_borders_are_closed():
    graph = grid(2, 3)
    for unit in graph:
        graph.nodes[unit]["state"] = None if unit == "11" else "PA"
    with pytest.raises(TerritoryError, match="11 have no 'state'"):
        balance_territories(graph, 2, rules=Rules(borders=(Border("state"),)))


def test_a_priced_region_is_kept_whole_where_balance_allows():
    """The compact halves are west and east; the counties are the rows, and whole for a price.

    | a a a a      a a a a
    | a a a a  ->  -------
    | b b b b      b b b b
    """
    graph = grid(4, 4)
    for unit in graph:
        graph.nodes[unit]["county"] = "north" if unit[0] < "2" else "south"
        graph.nodes[unit]["lon"] = -75 + int(unit[1]) / 5  # twice as wide as high: cut across by nature
    free = balance_territories(graph, 2, rules=Rules(borders=(Border("county", 0.0),)))
    whole = balance_territories(graph, 2, rules=Rules(borders=(Border("county", 50.0),)))
    assert set(free.pieces["county"]) == {"north", "south"}
    assert not whole.pieces["county"]
    assert whole.within_tolerance.all()


def test_a_further_measure_is_kept_within_its_own_tolerance():
    """All accounts lie in the north: two halves with as many accounts stand side by side.

    | 3 3 3 3
    | 0 0 0 0
    """
    graph = grid(4, 4)
    for unit in graph:
        graph.nodes[unit]["accounts"] = 3 if unit[0] < "2" else 0
        graph.nodes[unit]["lat"] = 40 - int(unit[0]) / 5
    free = balance_territories(graph, 2)
    plan = balance_territories(graph, 2, rules=Rules(measures=(Measure("accounts", 0.1),)))
    north = [sum(free.as_dict()[f"{row}{column}"] == 0 for row in range(2) for column in range(4))]
    assert north in ([0], [8])  # without the rule the accounts are one territory's
    assert sorted(plan.further["accounts"]) == [12, 12]
    assert sorted(plan.workload) == [8, 8]


def test_what_is_too_far_from_every_home_gives_way_and_is_told():
    graph = path([1] * 8)
    rules = Rules(reps=(Rep("A", home="a"), Rep("B", home="b")), most_travel=30.0)
    plan = balance_territories(graph, rules=rules)
    assert any("farther than 30" in text and "h" in text for text in plan.gave)


def test_minutes_replace_distance():
    """A river: by minutes the east is B's although A lives nearer."""
    graph = path([1] * 4)
    rules = Rules(
        reps=(Rep("A", home="b"), Rep("B", home="d")),
        travel=pd.DataFrame({"A": [1.0, 0.5, 99, 99], "B": [99, 99, 1, 0.5]}, index=list("abcd")),
    )
    at = territories_of(balance_territories(graph, rules=rules))
    assert at == {"a": "A", "b": "A", "c": "B", "d": "B"}


@pytest.mark.parametrize(
    ("rules", "message"),
    [
        (Rules(reps=(Rep("A", home="a"), Rep("B", home="a"))), "a cannot be both the home of A and the home of B"),
        (Rules(reps=(Rep("A", home="a", forbidden=frozenset("a")), Rep("B"))), "a is A's, and forbidden to it"),
        (Rules(reps=(Rep("A", must_have=frozenset("x")), Rep("B"))), "x .a must-have of A. is none of the units"),
        (Rules(reps=(Rep("A", minimum=5, maximum=3), Rep("B"))), "minimum of 5 is above the maximum of 3"),
        (Rules(reps=(Rep("A", minimum=5), Rep("B", minimum=5))), "minima add up to 10, the market holds 6"),
        (Rules(reps=(Rep("A", maximum=2), Rep("B", maximum=2))), "maxima add up to 4, the market holds 6"),
        (Rules(reps=(Rep("A", maximum=1), Rep("B")), locked={"a": "A", "b": "A"}), "locked units hold 2, its maximum"),
        (Rules(reps=(Rep("A"), Rep("A"))), "Reps occur more than once: A"),
        (Rules(reps=(Rep("A", share=0.0), Rep("B"))), "A has the capacity 0"),
        (Rules(reps=(Rep("A", locked=True), Rep("B"))), "A is locked but has no units today"),
        (Rules(reps=tuple(Rep(x, forbidden=frozenset("c")) for x in "AB")), "Every rep is forbidden c"),
        (Rules(locked={"a": "A"}), "give the reps"),
        (Rules(reps=(Rep("A"), Rep("B")), locked={"a": "C"}), "Units a are locked to C, which is none of the reps"),
    ],
)
def test_contradictions_are_named_before_the_search(rules, message):
    with pytest.raises(TerritoryError, match=message):
        balance_territories(path([1] * 6), 2, rules=rules)


def test_a_closed_border_between_a_rep_s_units_is_named():
    graph = grid(2, 4)
    for unit in graph:
        graph.nodes[unit]["state"] = "W" if unit[1] < "2" else "E"
    rules = Rules(reps=(Rep("A", must_have=frozenset({"00", "03"})), Rep("B")), borders=(Border("state"),))
    with pytest.raises(TerritoryError, match="A would have to hold"):
        balance_territories(graph, rules=rules)


def test_locks_that_leave_nothing_for_a_rep_are_refused():
    """A's two units are joined by the only one that nobody holds."""
    rules = Rules(reps=(Rep("A", must_have=frozenset("ac")), Rep("B")))
    with pytest.raises(TerritoryError, match="Nothing would be left for B"):
        balance_territories(path([1] * 3), rules=rules)


def test_locks_are_read_as_people_write_them():
    current = {"1": "North", "2": "South", "3": None}
    assert read_locks(list("123"), ["yes", None, "South"], current) == {"1": "North", "3": "South"}
    with pytest.raises(TerritoryError, match="3 are locked where they are, but have no territory"):
        read_locks(list("123"), [None, "no", "x"], current)
    with pytest.raises(TerritoryError, match="not “West”"):
        read_locks(list("123"), ["West", None, None], current)


def test_a_heavy_unit_is_shared_by_the_reps_who_live_nearest():
    """Manhattan holds two and a half targets of four: three of four reps are a team there."""
    units = ["M", "a", "b", "c"]
    lonlat = np.array([[0, 0], [0.1, 0], [0.2, 0], [5, 0]], dtype=float)
    reps = [Rep("A", "Ann", home="a"), Rep("B", "Bob", home="b"), Rep("C", "Cy", home="c"), Rep("D")]
    loads = np.array([5.0, 1.0, 1.0, 1.0])
    shared, messages = share_heavy_units(reps, units, loads, lonlat, 0.05)
    assert [rep.id for rep in shared] == ["D + A + B", "C"]
    assert shared[0].share == 3
    assert "M" in shared[0].must_have
    assert len(messages) == 1
    assert "M holds 2.50 targets" in messages[0]


def test_reps_are_made_of_todays_territories():
    assert [rep.id for rep in reps_of({"1": "T10", "2": "T9", "3": None})] == ["T9", "T10"]
    with pytest.raises(TerritoryError, match="Today has 2 territories, and 1 is asked for"):
        reps_of({"1": "T10", "2": "T9"}, 1)
