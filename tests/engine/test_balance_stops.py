"""Searches that are cancelled, and what would help a plan that misses the tolerance."""

from __future__ import annotations

from time import perf_counter

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import balance_territories, suggestion
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled


def board(columns: int, rows: int, loads=None, west: float = -100.0) -> nx.Graph:
    """Return a grid of units, row by row."""
    graph = nx.convert_node_labels_to_integers(nx.grid_2d_graph(rows, columns))
    for unit in graph:
        row, column = divmod(unit, columns)
        load = 1 + (7 * column + 5 * row) % 9 if loads is None else loads[unit]
        graph.nodes[unit].update(workload=float(load), lon=west + column / 10, lat=40 - row / 10)
    return graph


class Clicks:
    """Is cancelled from the nth time it is asked, and remembers when that was."""

    def __init__(self, after: int) -> None:
        self.left, self.when = after, None

    def __call__(self) -> bool:
        self.left -= 1
        if self.left < 0 and self.when is None:
            self.when = perf_counter()
        return self.left < 0


@pytest.mark.parametrize("after", [0, 3, 30, 60, 200])
def test_cancelled_with_the_best_so_far_is_sound_and_soon(after):
    graph, clicks = board(24, 20), Clicks(after)
    plan = balance_territories(graph, 12, effort="thorough", cancelled=clicks, on_cancel="best")
    assert plan.cancelled
    assert not plan.stopped_by_time
    assert perf_counter() - clicks.when < 5  # on a machine that does other things, too
    assert sorted(set(plan.assignment.tolist())) == list(range(12))
    for territory in range(12):
        inside = [unit for unit, home in plan.as_dict().items() if home == territory]
        assert nx.is_connected(graph.subgraph(inside))


def test_cancelled_in_the_first_of_several_parts_all_parts_have_territories():
    east = nx.relabel_nodes(board(8, 8, west=-80.0), {unit: unit + 1000 for unit in range(64)})
    graph = nx.union(board(8, 8), east)
    plan = balance_territories(graph, 8, cancelled=Clicks(2), on_cancel="best")
    assert plan.cancelled
    assert sorted(set(plan.assignment.tolist())) == list(range(8))


def test_cancelled_without_a_wish_nothing_comes_back():
    with pytest.raises(Cancelled):
        balance_territories(board(10, 10), 4, cancelled=Clicks(5))


def test_an_unknown_wish_for_a_cancel_is_refused():
    with pytest.raises(TerritoryError, match="nothing or best"):
        balance_territories(board(4, 4), 2, on_cancel="all")


def test_a_plan_within_needs_no_suggestion():
    assert suggestion(balance_territories(board(4, 4, [1] * 16), 4)) == ""


def test_the_tolerance_that_is_suggested_is_kept_by_the_plan_and_none_less():
    """1 - 1 - 1 - 1 - 1 into two: 3 and 2 of 2.5 are 20 % off."""
    graph = board(5, 1, [1] * 5)
    plan = balance_territories(graph, 2)
    assert suggestion(plan) == "Allow ±20 %: this plan keeps that."
    assert balance_territories(graph, 2, tolerance=0.2).within_tolerance.all()
    assert not balance_territories(graph, 2, tolerance=0.199).within_tolerance.all()


def test_the_number_that_is_suggested_leaves_no_unit_that_outweighs():
    """One unit of 10 among 14 of 1, for 6 territories of 4: it needs two or fewer."""
    graph = board(5, 3, [10] + [1] * 14)
    plan = balance_territories(graph, 6)
    said = suggestion(plan)
    assert "Split 0 into accounts, or use 2 territories" in said
    assert not balance_territories(graph, 2).certificates.oversize
    assert balance_territories(graph, 3).certificates.oversize


def test_a_part_that_is_too_light_is_to_be_bridged():
    east = nx.relabel_nodes(board(2, 1, [1, 1], west=-80.0), {0: 100, 1: 101})
    plan = balance_territories(nx.union(board(4, 4, [1] * 16), east), 4)
    assert "Bridge the part with 100, 101" in suggestion(plan)


def test_suggestions_never_name_a_tolerance_that_is_kept_already():
    rng = np.random.default_rng(3)
    for _ in range(10):
        plan = balance_territories(board(5, 4, rng.integers(0, 9, 20)), 4, effort="quick")
        outside = ~plan.oversize & ~plan.within_tolerance
        assert ("Allow" in suggestion(plan)) == bool(outside.any())
