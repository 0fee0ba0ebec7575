"""A plan does not hang on the unit of the workload; what no number can hold is refused with the units named."""

from __future__ import annotations

import itertools
import math

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import (
    Measure,
    Rules,
    balance_territories,
    certificates,
    rebalance_territories,
    trade_off,
)
from healthcare_territories.territory_plugin.engine.balance.scaling import exponent, in_unit, in_usual_units
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.reps import Rep
from scipy.spatial import Delaunay

from .test_balance import grid, path


def times(graph, factor, attribute="workload"):
    """Return the graph with an attribute in another unit."""
    scaled = graph.copy()
    for unit in scaled:
        scaled.nodes[unit][attribute] *= factor
    return scaled


def thirds(graph, k):
    """Return an alignment in slices, as units come."""
    units = sorted(graph)
    return {unit: f"T{at * k // len(units)}" for at, unit in enumerate(units)}


def planar(seed):
    """Return a triangulation whose workloads have up to three digits, some behind the point; some are 0."""
    rng = np.random.default_rng(seed)
    places = rng.random((int(rng.integers(8, 26)), 2))
    graph = nx.Graph()
    for at, (x, y) in enumerate(places):
        graph.add_node(
            f"{at:02d}", workload=round(int(rng.integers(0, 999)) / 10 ** (seed % 3), 2), lon=x - 80, lat=40 + y
        )
    for corners in Delaunay(places).simplices:
        graph.add_edges_from(itertools.combinations([f"{at:02d}" for at in corners], 2))
    return graph


@pytest.mark.parametrize("seed", range(4))
def test_the_same_plan_in_any_unit(seed):
    graph, k = planar(seed), 2 + seed % 3
    one = balance_territories(graph, k, effort="quick")
    for factor in (1e-6, 1e6, 1e-90, 1e90):
        other = balance_territories(times(graph, factor), k, effort="quick")
        assert other.assignment.tolist() == one.assignment.tolist()
        assert other.workload == pytest.approx(one.workload * factor)
        assert other.target == pytest.approx(one.target * factor)
        assert other.limits[1] == pytest.approx(one.limits[1] * factor)
        assert other.certificates.fair_target == pytest.approx(one.certificates.fair_target * factor)
        assert other.reasons == one.reasons
        assert other.rms_distance_km == pytest.approx(one.rms_distance_km)


@pytest.mark.parametrize("seed", range(4))
def test_the_same_rebalanced_plan_in_any_unit(seed):
    graph, k = planar(seed), 2 + seed % 2
    current = thirds(graph, k)
    one = rebalance_territories(graph, current, tolerance=0.2, effort="quick")
    for factor in (1e-6, 1e6):
        other = rebalance_territories(times(graph, factor), current, tolerance=0.2, effort="quick")
        assert other.plan.as_dict() == one.plan.as_dict()
        assert other.disruption == pytest.approx(one.disruption)
        assert other.plan.workload == pytest.approx(one.plan.workload * factor)


def test_limits_measures_and_messages_are_in_the_unit_of_the_person():
    graph = grid(3, 4, lambda row, column: 1.0 + row)
    for unit in graph:
        graph.nodes[unit]["calls"] = 2.0
    rules = Rules(reps=(Rep("A", minimum=7.0, maximum=9.0), Rep("B"), Rep("C")), measures=(Measure("calls", 0.5),))
    millions = Rules(reps=(Rep("A", minimum=7e6, maximum=9e6), Rep("B"), Rep("C")), measures=(Measure("calls", 0.5),))
    one = balance_territories(graph, rules=rules, effort="quick")
    other = balance_territories(times(times(graph, 1e6), 1e-9, "calls"), rules=millions, effort="quick")
    assert other.assignment.tolist() == one.assignment.tolist()
    assert 7e6 <= other.workload[0] <= 9e6
    assert other.further["calls"] == pytest.approx(1e-9 * one.further["calls"])
    wrong = Rules(reps=(Rep("A", minimum=20e6), Rep("B", minimum=20e6)))
    with pytest.raises(TerritoryError, match=r"minima add up to 4e\+07, the market holds 2.4e\+07"):
        balance_territories(times(graph, 1e6), rules=wrong)
    proof = certificates(times(path([1, 9, 1, 1]), 1e6), 3)
    assert [(each.unit, each.workload) for each in proof.oversize] == [("b", 9e6)]
    seen = []
    balance_territories(times(path([1, 9, 1, 1]), 1e6), 3, effort="quick", certified=seen.append)
    assert seen[0].oversize[0].workload == 9e6


def test_reasons_to_move_are_in_the_unit_of_the_person():
    graph = times(path([4, 4, 4, 1, 1, 1]), 1e9)
    result = rebalance_territories(graph, dict(zip("abcdef", "XXXYYY")), tolerance=0.2, effort="quick")
    assert any("X holds 1.2e+10" in why for why in result.why.values()), result.why


def test_the_curve_in_another_unit():
    graph = grid(4, 4, lambda row, column: 1.0 + column)
    curves = [trade_off(each, thirds(each, 3), caps=(0.0, 0.1)).to_numpy() for each in (graph, times(graph, 1e-6))]
    assert curves[0] == pytest.approx(curves[1])


def test_usual_workload_is_left_as_it_is():
    graph, rules = grid(2, 2, 7.0), Rules()
    assert in_usual_units(graph, "workload", rules) == (graph, rules)
    assert in_usual_units(graph, "workload", rules)[0] is graph


@pytest.mark.parametrize(
    ("largest", "away"), [(1.0, 0), (999999.0, 0), (1e6, 6), (0.999, -6), (5e-324, -324), (1e307, 306), (0.0, 0)]
)
def test_the_power_of_ten(largest, away):
    assert exponent(np.array([0.0, largest])) == away
    assert largest == 0 or 1 <= in_unit(largest, away) < 1e6


# --- what is too large or too small


EXTREMES = {
    "one large": [1e307, 1, 1, 1, 1, 1, 1, 1, 1], "all large": [1e307] * 9, "sum overflows": [1.7e308] * 9,
    "all tiny": [5e-324] * 9, "tiny among ones": [5e-324, 1, 1, 1, 5e-324, 1, 1, 1, 5e-324],
    "tiny and large": [5e-324, 1e307, 5e-324, 1, 1, 1, 1, 1, 1], "one tiny": [0, 0, 0, 0, 5e-324, 0, 0, 0, 0],
    "wide": [10.0 ** (40 * at - 160) for at in range(9)], "large, not too large": [1e200] * 9, "small": [1e-200] * 9,
    "one above tiny": [1e-300] * 8 + [1.0], "half tiny": [1e-20] * 5 + [1.0] * 4,
}  # fmt: skip


@pytest.mark.filterwarnings("error")
@pytest.mark.parametrize("loads", EXTREMES.values(), ids=EXTREMES)
@pytest.mark.parametrize("door", ["balance", "bound", "rebalance"])
def test_extremes_are_balanced_or_refused(loads, door):
    graph = grid(3, 3, lambda row, column: loads[3 * row + column])
    try:
        if door.startswith("rebalance"):
            result = rebalance_territories(
                graph, thirds(graph, 3), tolerance=0.3, effort="quick", bound_disruption=True
            )
            plan = result.plan
            assert 0 <= result.disruption <= 1
        else:
            plan = balance_territories(graph, 3, effort="quick", bound_travel=door == "bound")
    except TerritoryError as error:
        assert "“workload” holds" in str(error) and "(" in str(error), str(error)
        return
    assert sorted(set(plan.assignment.tolist())) == [0, 1, 2]
    assert plan.workload.sum() == pytest.approx(math.fsum(loads))
    assert np.isfinite(plan.deviation).all() and math.isfinite(plan.rms_distance_km)


@pytest.mark.parametrize("name", ["one large", "all large", "sum overflows", "all tiny", "one tiny"])
def test_what_no_number_can_hold_is_refused(name):
    graph = grid(3, 3, lambda row, column: EXTREMES[name][3 * row + column])
    with pytest.raises(TerritoryError, match=r"too large|too small"):
        balance_territories(graph, 3)


# --- travel that does not count


def test_compactness_of_nothing():
    """Little disruption alone counts: the least that the exact bound allows is found, and nothing is divided by 0."""
    rng = np.random.default_rng(4)
    for seed in range(2):
        graph = grid(4, 5, lambda row, column: float(rng.integers(1, 9)))
        for compactness in (0.0, 1e-320):
            result = rebalance_territories(
                graph, thirds(graph, 4), compactness=compactness, tolerance=0.1, effort="quick", seed=seed
            )
            assert sorted(set(result.plan.assignment.tolist())) == [0, 1, 2, 3]
            for at in range(4):
                inside = [unit for unit, home in result.plan.as_dict().items() if home == at]
                assert nx.is_connected(graph.subgraph(inside))


def test_compactness_of_nothing_with_homes():
    graph = grid(3, 4, lambda row, column: 1.0 + row)
    reps = tuple(Rep(f"T{at}", home=unit) for at, unit in enumerate(["00", "12", "23"]))
    result = rebalance_territories(
        graph, thirds(graph, 3), compactness=0.0, tolerance=0.1, effort="quick", rules=Rules(reps=reps)
    )
    assert [result.plan.as_dict()[rep.home] for rep in reps] == [0, 1, 2]
