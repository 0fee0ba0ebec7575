"""Two alignments side by side: pictures with known moves, brute force on tiny graphs, and what holds for all."""

from __future__ import annotations

from itertools import product

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.benchmarks.exact import least_disruption
from healthcare_territories.territory_plugin.engine.alignment import (
    Changes,
    disruption,
    flow_bound,
    gained_lost,
    least_bound,
    legend,
    match_names,
    moves,
    new_names,
    parts_apart,
    rank_merges,
    read_changes,
)
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.tables.names import unify_names
from hypothesis import given, settings
from hypothesis import strategies as st


def board(picture: str):
    """Return the graph and the territories of a picture: one letter per unit, "." for none, "_" for a gap."""
    cells = {
        (y, x): letter
        for y, line in enumerate(picture.strip().splitlines())
        for x, letter in enumerate(line.split())
        if letter != "_"
    }
    graph = nx.Graph()
    for y, x in cells:
        graph.add_node(f"u{y}{x}")
    for y, x in cells:
        for other in ((y, x + 1), (y + 1, x)):
            if other in cells:
                graph.add_edge(f"u{y}{x}", f"u{other[0]}{other[1]}")
    return graph, [None if letter == "." else letter for letter in cells.values()]


def limits(low, high, names="ABC"):
    return dict.fromkeys(names, low), dict.fromkeys(names, high)


# --- what changes hands


def test_disruption_by_workload_and_by_accounts():
    """
    A A B B     today
    A B B B     the second unit changes hands: 3 of 10 by workload, 1 of 2 by accounts
    """
    before, after = list("AABB"), list("ABBB")
    assert disruption(before, after, [1, 3, 2, 4]) == pytest.approx(0.3)
    assert disruption(before, after, [1, 1, 0, 0]) == pytest.approx(0.5)
    assert disruption(before, before, [1, 3, 2, 4]) == 0
    assert disruption(before, after, [0, 0, 0, 0]) == 0


def test_units_that_had_nobody_are_taken_from_nobody():
    """A new unit is in the whole, but does not change hands; one that has nobody any more does."""
    assert disruption([None, "A"], ["A", "A"], [1, 1]) == 0
    assert disruption(["A", "A"], [None, "A"], [1, 3]) == pytest.approx(0.25)
    assert disruption([None, "A", "A"], ["A", "B", "A"], [2, 1, 1]) == pytest.approx(0.25)


def test_moves_from_whom_to_whom():
    """
    A A . B     today
    A B B B     one unit of A goes to B; one that nobody had is B's now
    """
    table = moves(["u0", "u1", "u2", "u3"], ["A", "A", None, "B"], ["A", "B", "B", "B"], [1, 2, 3, 4], [0, 5, 6, 0])
    assert table.to_dict("list") == {
        "unit": ["u1", "u2"], "from_territory": ["A", None], "to_territory": ["B", "B"], "workload": [2, 3],
        "accounts": [5, 6],
    }  # fmt: skip
    assert moves(["u0"], ["A"], ["B"], [1])["accounts"].isna().all()
    assert moves(["u0"], ["A"], ["A"], [1]).empty


def test_gained_and_lost():
    """
    A A A B B .     workload 1 2 3 4 5 6     today A 6, B 9
    A A B B C C                              A loses 3, B gains 3 and loses 5, C is new with 5 + 6
    """
    table = gained_lost(
        ["A", "A", "A", "B", "B", None], ["A", "A", "B", "B", "C", "C"], range(1, 7), [1, 0, 0, 2, 0, 3]
    )
    assert table.index.tolist() == ["A", "B", "C"]
    row = table.loc["B"]
    parts = ["before", "kept", "gained", "lost", "after"]
    assert [row[f"workload_{part}"] for part in parts] == [9, 4, 3, 5, 7]
    assert [row[f"units_{part}"] for part in parts] == [2, 1, 1, 1, 2]
    assert [row[f"accounts_{part}"] for part in parts] == [2, 2, 0, 0, 2]
    assert [table.loc["C", f"workload_{part}"] for part in parts] == [0, 0, 11, 0, 11]
    assert table["deviation_before_pct"].tolist() == pytest.approx([100 * (6 / 7.5 - 1), 20, np.nan], nan_ok=True)
    assert table["deviation_after_pct"].tolist() == pytest.approx([100 * (3 / 7 - 1), 0, 100 * (11 / 7 - 1)])
    assert table["kept_pct"].tolist() == pytest.approx([50, 100 * 4 / 9, np.nan], nan_ok=True)
    assert table["name_kept"].tolist() == [True, True, False]


def test_gained_and_lost_against_own_targets():
    """A part-time rep: target 2 of 8 before, 3 of 8 after."""
    table = gained_lost("AABB", "AABB", [1, 1, 3, 3], None, {"A": 3, "B": 5}, {"A": 2, "B": 6})
    assert table["deviation_before_pct"].tolist() == [0, 0]
    assert table["deviation_after_pct"].tolist() == pytest.approx([-100 / 3, 20])
    assert table["accounts_before"].isna().all()


def test_a_territory_that_goes():
    table = gained_lost(["A", "B"], ["A", "A"], [1, 1])
    assert table.loc["B", "name_kept"] == np.False_
    assert np.isnan(table.loc["B", "deviation_after_pct"])
    assert table.loc["B", "kept_pct"] == 0


names = st.one_of(st.none(), st.sampled_from("ABCDE"))


@given(st.lists(st.tuples(names, names, st.integers(0, 9), st.integers(0, 3)), min_size=1, max_size=30))
def test_totals_in_are_totals_out(drawn):
    """before = kept + lost, after = kept + gained; what is gained was lost by another or had nobody."""
    before, after, load, accounts = zip(*drawn)
    table = gained_lost(before, after, load, accounts)
    for measure, value in (("units", [1] * len(load)), ("workload", load), ("accounts", accounts)):
        sums = {part: table[f"{measure}_{part}"] for part in ("before", "kept", "gained", "lost", "after")}
        assert (sums["before"] == sums["kept"] + sums["lost"]).all()
        assert (sums["after"] == sums["kept"] + sums["gained"]).all()
        assert sums["before"].sum() == sum(v for v, old in zip(value, before) if old is not None)
        assert sums["after"].sum() == sum(v for v, new in zip(value, after) if new is not None)
    listed = moves([str(at) for at in range(len(load))], before, after, load)
    lost = listed[listed["from_territory"].notna()]
    assert lost["workload"].sum() == table["workload_lost"].sum()
    if sum(load):
        assert disruption(before, after, load) == pytest.approx(lost["workload"].sum() / sum(load))
    assert listed[listed["to_territory"].notna()]["workload"].sum() == table["workload_gained"].sum()


# --- names


def test_names_follow_the_largest_overlap():
    assert match_names(list("AAABBB"), [1, 1, 1, 0, 0, 0], [1] * 6) == {0: "B", 1: "A"}


def test_a_name_goes_when_less_than_half_stays():
    """Of A's 10 only 4 stay together: its name is given up, B keeps its own."""
    before, after = ["A", "A", "A", "B"], [0, 1, 2, 1]
    assert match_names(before, after, [4, 3, 3, 9]) == {0: "New 1", 1: "B", 2: "New 2"}
    assert match_names(before, after, [5, 3, 2, 9])[0] == "A"  # exactly half


def test_who_goes_on_where_when_names_do_not_matter():
    assert match_names(["A", "A", "A", "B"], [0, 1, 2, 1], [4, 3, 3, 9], least_kept=0) == {0: "A", 1: "B", 2: "New 1"}


def test_one_name_for_two_merged_territories_is_that_of_the_heavier():
    assert match_names(list("AB"), [0, 0], [1, 2]) == {0: "B"}


def test_a_new_name_is_never_one_of_today():
    found = match_names(["new 1", "New 3", None], [5, 6, 7], [1, 1, 1], least_kept=1)
    assert found == {5: "new 1", 6: "New 3", 7: "New 2"}
    assert match_names(["A"], [0], [1], fresh_prefix="T") == {0: "A"}


def test_territories_without_workload_are_matched_by_their_units():
    assert match_names(["A", "A", "A", "B"], [1, 1, 0, 2], [0, 0, 0, 1]) == {0: "New 1", 1: "A", 2: "B"}


def test_ties_do_not_depend_on_the_order_of_the_units():
    """Both halves of A weigh the same, and both have as many units."""
    units = [("A", 0), ("A", 1), ("B", 2)]
    found = [match_names(*zip(*order), [1, 1, 1]) for order in (units, units[::-1], [units[1], units[0], units[2]])]
    assert found[0] == found[1] == found[2]
    assert sorted(found[0].values()) == ["A", "B", "New 1"]


@given(
    st.lists(st.tuples(names, st.integers(0, 4), st.integers(0, 5)), min_size=1, max_size=25),
    st.sampled_from([0, 0.5, 0.8]),
)
def test_names_keep_as_much_workload_as_any_matching_could(drawn, least):
    """All injective matches are tried."""
    before, after, load = zip(*drawn)
    found = match_names(before, after, load, least_kept=least)
    assert set(found) == set(after)
    assert len(set(found.values())) == len(found)
    old = sorted({name for name in before if name is not None})
    held = {name: sum(w for w, was in zip(load, before) if was == name) for name in old}
    count = {name: before.count(name) for name in old}

    def overlap(label, name, value):
        return sum(v for v, was, now in zip(value, before, after) if was == name and now == label)

    def allowed(label, name):
        shared = overlap(label, name, [1] * len(load))
        if not shared:
            return False
        share = overlap(label, name, load) / held[name] if held[name] else shared / count[name]
        return share >= least - 1e-12

    best = max(
        sum(overlap(label, name, load) for label, name in zip(sorted(found), choice) if name is not None)
        for choice in product([None, *old], repeat=len(found))
        if len({name for name in choice if name is not None}) == sum(name is not None for name in choice)
        and all(name is None or allowed(label, name) for label, name in zip(sorted(found), choice))
    )
    kept = {label: name for label, name in found.items() if name in old}
    assert all(allowed(label, name) for label, name in kept.items())
    assert sum(overlap(label, name, load) for label, name in kept.items()) == best


# --- bounds


def test_workload_passes_through_those_between():
    """
    A B C     workloads 14 10 6: four must pass from A to C, over B: 8 by the flow, 4 whatever one does
    """
    graph, current = board("A B C")
    found = flow_bound(graph, current, [14, 10, 6], *limits(10, 10))
    assert found.workload == pytest.approx(8)
    assert found.share == pytest.approx(8 / 30)
    assert found.flows.to_numpy().tolist() == [["A", "B", pytest.approx(4)], ["B", "C", pytest.approx(4)]]
    assert least_bound(current, [14, 10, 6], *limits(10, 10)) == 4
    assert flow_bound(graph, current, [14, 10, 6], *limits(8, 12)).workload == pytest.approx(4)
    assert least_bound(current, [14, 10, 6], *limits(8, 12)) == 2


def test_nothing_has_to_flow_when_all_are_within():
    graph, current = board("A B C")
    found = flow_bound(graph, current, [10, 11, 9], *limits(9, 11))
    assert (found.workload, found.share, len(found.flows)) == (0, 0, 0)
    assert found.feasible


def test_a_territory_that_goes_gives_all_to_its_neighbours():
    """
    A A B C C     2 2 2 2 2: B's two are shared by both sides
    """
    graph, current = board("A A B C C")
    found = flow_bound(graph, current, [2] * 5, *limits(5, 5, "AC"))
    assert found.workload == pytest.approx(2)
    assert found.flows["workload"].tolist() == pytest.approx([1, 1])
    assert least_bound(current, [2] * 5, *limits(5, 5, "AC")) == 2


def test_a_new_territory_may_be_founded_anywhere():
    graph, current = board("A A B B")
    found = flow_bound(graph, current, [3] * 4, *limits(4, 4, ["A", "B", "N"]))
    assert found.workload == pytest.approx(4)
    assert set(found.flows["to_territory"]) == {"N"}


def test_units_that_nobody_has_are_given_for_nothing():
    """
    A . B     4 6 0: the six go to B for the most part, from nobody
    """
    graph, current = board("A . B")
    found = flow_bound(graph, current, [4, 6, 0], *limits(5, 5, "AB"))
    assert found.workload == 0
    assert least_bound(current, [4, 6, 0], *limits(5, 5, "AB")) == 0
    assert flow_bound(graph, current, [8, 1, 0], *limits(4.5, 4.5, "AB")).workload == pytest.approx(3.5)


def test_what_no_flow_can_do_is_not_a_number():
    """
    A _ B     nothing passes the gap
    """
    graph, current = board("A _ B")
    found = flow_bound(graph, current, [4, 2], *limits(3, 3, "AB"))
    assert not found.feasible
    assert np.isnan(found.share)
    assert flow_bound(graph, current, [3, 3], *limits(3, 3, "AB")).workload == 0


def test_limits_that_cross_are_refused():
    graph, current = board("A B")
    with pytest.raises(TerritoryError, match="B"):
        flow_bound(graph, current, [1, 1], {"A": 0, "B": 3}, {"A": 2, "B": 2})


def connected(graph, of, name):
    inside = [unit for unit in graph if of[unit] == name]
    return bool(inside) and nx.is_connected(graph.subgraph(inside))


def every_plan(graph, current, load, low, high):
    """Yield the plans of connected territories within the limits, as lists."""
    territories = sorted(low)
    for plan in product(territories, repeat=len(graph)):
        of = dict(zip(graph, plan))
        held = {name: sum(w for w, mine in zip(load, plan) if mine == name) for name in territories}
        if all(low[name] - 1e-9 <= held[name] <= high[name] + 1e-9 for name in territories) and all(
            connected(graph, of, name) for name in territories
        ):
            yield list(plan)


def tiny(seed):
    """Return a small board, three connected territories on it, and random workloads."""
    rng = np.random.default_rng(seed)
    graph, _ = board("A A A\nB B B\nC C C")
    current = list(["AAABBBCCC", "AABACBCCB", "ABCABCABC", "AABABBCCC", "AAAABBCCB"][seed % 5])
    return graph, current, rng.integers(1, 9, 9).astype(float)


@pytest.mark.parametrize("seed", range(12))
def test_no_plan_beats_the_bounds(seed):
    """All 3⁹ assignments of nine units are looked at."""
    graph, current, load = tiny(seed)
    target = load.sum() / 3
    low, high = limits(0.7 * target, 1.3 * target)
    plans = list(every_plan(graph, current, load, low, high))
    assert plans
    moved = [disruption(current, plan, load) * load.sum() for plan in plans]
    assert least_bound(current, load, low, high) <= min(moved) + 1e-9
    # the flow bound holds for plans in which units go to those that their territory touches today
    of = dict(zip(graph, current))
    touching = {frozenset((of[u], of[v])) for u, v in graph.edges}
    near = [
        done
        for plan, done in zip(plans, moved)
        if all(old == new or frozenset((old, new)) in touching for old, new in zip(current, plan))
    ]
    assert flow_bound(graph, current, load, low, high).workload <= min(near) + 1e-6
    # and the mixed-integer program, with either kind of contiguity, finds the least of all
    for unit, weight in zip(graph, load):
        graph.nodes[unit]["workload"] = weight
    for way in ("cuts", "flow"):
        exact = least_disruption(graph, of, tolerance=0.3, contiguity=way, seconds=30)
        assert exact.proven
        assert exact.disruption * load.sum() == pytest.approx(min(moved), abs=1e-6)


@settings(max_examples=30)
@given(st.integers(0, 10_000), st.integers(2, 5), st.sampled_from([0.0, 0.05, 0.2]), st.booleans())
def test_the_flow_brings_all_within_and_is_no_less_than_the_bound(seed, k, tolerance, holes):
    rng = np.random.default_rng(seed)
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(4, 5))
    current = [f"T{at}" for at in rng.integers(0, k, 20)]
    if holes:
        current = [None if rng.random() < 0.2 else name for name in current]
    load = rng.integers(0, 20, 20).astype(float)
    names = sorted({name for name in current if name is not None})
    target = load.sum() / max(len(names), 1)
    low, high = limits((1 - tolerance) * target, (1 + tolerance) * target, names)
    found = flow_bound(graph, current, load, low, high)
    assert found.feasible
    assert found.workload >= least_bound(current, load, low, high) - 1e-6
    assert found.flows["workload"].sum() == pytest.approx(found.workload, abs=1e-6)
    if not holes:
        held = {name: sum(w for w, was in zip(load, current) if was == name) for name in names}
        for row in found.flows.itertuples():
            held[row.from_territory] -= row.workload
            held[row.to_territory] += row.workload
        assert all(low[name] - 1e-6 <= held[name] <= high[name] + 1e-6 for name in names)


# --- which territory to give up


def test_the_light_one_between_two_goes_first():
    """
    A A B C C     4 4 1 4 4     B's one is all that has to move, half to either side; as a whole to one side
    is as much, but 8 beside 9 are then within 10 % only
    """
    graph, current = board("A A B C C")
    table = rank_merges(graph, current, [4, 4, 1, 4, 4], tolerance=0.1)
    first = table.iloc[0]
    assert (first["removed"], first["into"], first["workload"]) == ("B", None, pytest.approx(1))
    assert first["share_pct"] == pytest.approx(100 / 17)
    assert table["workload"].is_monotonic_increasing
    assert {(row.removed, row.into) for row in table.itertuples()} == {
        ("A", None), ("B", None), ("C", None), ("B", "A"), ("B", "C"),
    }  # fmt: skip
    tight = rank_merges(graph, current, [4, 4, 1, 4, 4], tolerance=0.01)
    pair = tight[(tight["removed"] == "B") & (tight["into"] == "A")].iloc[0]
    assert pair["workload"] == pytest.approx(1 + (9 - 1.01 * 8.5))


def test_a_pair_costs_what_the_merged_graph_says():
    """The lighter one's workload, and the flow on the graph in which the two are one."""
    rng = np.random.default_rng(3)
    graph, current = board("A A B B\nA C C B\nD D C E\nD D E E")
    load = rng.integers(1, 9, len(current)).astype(float)
    table = rank_merges(graph, current, load, tolerance=0.05)
    target = load.sum() / 4
    for row in table.dropna().itertuples():
        merged = [row.into if name == row.removed else name for name in current]
        names = set(merged)
        rest = flow_bound(graph, merged, load, *limits(0.95 * target, 1.05 * target, names)).workload
        held = sum(w for w, name in zip(load, current) if name == row.removed)
        assert row.workload == pytest.approx(held + rest, abs=1e-5)
    for row in table[table["into"].isna()].itertuples():
        others = set(current) - {row.removed}
        assert row.workload == pytest.approx(
            flow_bound(graph, current, load, *limits(0.95 * target, 1.05 * target, others)).workload, abs=1e-5
        )


def test_one_territory_cannot_be_given_up():
    graph, current = board("A A")
    assert rank_merges(graph, current, [1, 1]).empty


# --- names as people write them


def test_names_that_differ_in_capitals_and_blanks_are_one():
    found, spellings = unify_names(["North East", "north  east", "NORTH EAST", "North East", " South", None])
    assert found == ["North East"] * 4 + ["South", None]
    assert spellings == [("North East", "NORTH EAST", "north  east")]
    assert unify_names(["A", "B"]) == (["A", "B"], [])


TODAY = ["North", "South", "East", "Smith, John", "R+D", "T 1"]


def test_changes_as_people_write_them():
    changes = read_changes(TODAY, 2, "north, t  1", "South + EAST; smith, john+r+d", "")
    assert changes.remove == ("North", "T 1")
    assert changes.merge[0] == ("South", "East")
    assert changes.add == 2
    assert read_changes(TODAY, split="Smith, John; R+D").split == ("Smith, John", "R+D")
    assert read_changes(TODAY, merge="North, South; East, T 1").merge == (("North", "South"), ("East", "T 1"))
    assert read_changes(TODAY) == Changes()


@pytest.mark.parametrize(
    ("wish", "said"),
    [
        ({"remove": "West"}, ["“West”", "North", "Smith, John"]),
        ({"split": "West; Nord", "merge": "a + North"}, ["“West”", "“Nord”", "“a”"]),
        ({"merge": "North"}, ["at least two"]),
        ({"merge": "North + north"}, ["at least two"]),
        ({"remove": "North", "split": "North"}, ["North", "more than one place"]),
        ({"remove": "North; South; East; Smith, John; R+D; T 1"}, ["left"]),
    ],
)
def test_changes_that_cannot_be(wish, said):
    with pytest.raises(TerritoryError) as told:
        read_changes(TODAY, **wish)
    for word in said:
        assert word in str(told.value)


def test_how_many_territories_there_will_be():
    assert Changes(2, ("a",), (("b", "c", "d"), ("e", "f")), ("g",)).territories(10) == 10 + 2 - 1 - 3 + 1


def test_a_new_name_for_what_keeps_less_than_half():
    """Of A's 10 only 4 stay, of B's 5 all."""
    table = gained_lost("AAB", "ABB", [4, 6, 5])
    assert new_names(table) == {"A": "New 1"}
    assert new_names(table, least_kept=0.4) == {}
    assert new_names(gained_lost(["A", "A", "New 1"], ["A", "B", "New 1"], [4, 6, 5])) == {"A": "New 2"}
    assert new_names(gained_lost("AB", "BB", [1, 1])) == {}  # A is given up: nobody goes on with it


def test_a_legend_says_how_much_comes_from_whom():
    table = moves("abcd", ["A", "B", "B", None], ["C", "C", "C", "T10"], [1.0, 2.0, 3.0, 4.0])
    assert legend(table) == {
        "C": "to C: 3 units, workload 6.0, from B, A",
        "T10": "to T10: 1 unit, workload 4.0, from nobody",
    }


def test_units_that_lie_apart_are_named():
    """
    A B A A
    . . . B
    """
    graph, current = board("A B A A\n. . . B")
    assert parts_apart(graph, current) == {"A": ["u00"], "B": ["u13"]}
    assert parts_apart(graph, [None] * 8) == {}
