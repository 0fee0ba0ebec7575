"""The lower bound on travel against all plans of tiny maps, and against maps whose best plan is known."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.balance import balance_territories, travel_bound
from healthcare_territories.territory_plugin.engine.geodesy import geocentric
from hypothesis import given, settings
from hypothesis import strategies as st


def scattered(count: int, seed: int) -> nx.Graph:
    """Return units here and there, each touching the next and some others."""
    rng = np.random.default_rng(seed)
    graph = nx.path_graph(count)
    graph.add_edges_from(rng.integers(0, count, (count, 2)).tolist())
    graph.remove_edges_from(list(nx.selfloop_edges(graph)))
    heavy = 1 + 6 * (rng.random(count) < 0.15)
    for unit in graph:
        lon, lat = rng.random(2) * 4
        load = float(rng.integers(0, 9) * heavy[unit])
        graph.nodes[unit].update(workload=load, lon=-100 + lon, lat=40 + lat)
    graph.nodes[0]["workload"] += 3.0
    return graph


def least_travel(graph: nx.Graph, plan) -> float:
    """Return the shortest RMS distance of all plans whose territories lie between the limits that the bound has."""
    units = sorted(graph)
    load = np.array([graph.nodes[unit]["workload"] for unit in units])
    place = geocentric([[graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]] for unit in units])
    low = np.minimum(plan.limits[0], plan.workload)
    high = np.maximum(plan.limits[1], plan.workload)
    low, high = (
        np.where(
            plan.oversize,
            each,
            np.where(plan.oversize, np.nan, fold(each[~plan.oversize])) if (~plan.oversize).any() else each,
        )
        for each, fold in ((low, np.min), (high, np.max))
    )
    assignment = plan.as_dict()
    anchored = {
        max((unit for unit in units if assignment[unit] == t), key=lambda unit: load[unit]): t
        for t in np.flatnonzero(plan.oversize).tolist()
    }
    best = np.inf
    for ways in itertools.product(range(plan.territories), repeat=len(units)):
        at = np.array(ways)
        held = np.bincount(at, load, plan.territories)
        if (held < low - 1e-9).any() or (held > high + 1e-9).any() or any(ways[u] != t for u, t in anchored.items()):
            continue
        moment = 0.0
        for t in range(plan.territories):
            inside = (at == t) & (load > 0)
            if inside.any():
                middle = np.average(place[inside], axis=0, weights=load[inside])
                moment += (load[inside] * np.square(place[inside] - middle).sum(axis=1)).sum()
        best = min(best, moment)
    return float(np.sqrt(best / load.sum()))


@settings(max_examples=40, deadline=None)
@given(st.integers(4, 8), st.integers(1, 3), st.integers(0, 9999))
def test_no_plan_travels_less_than_the_bound(count, territories, seed):
    graph = scattered(count, seed)
    plan = balance_territories(graph, territories, tolerance=0.2, effort="quick")
    bound = travel_bound(graph, plan)
    assert bound.rms_km <= plan.rms_distance_km * (1 + 1e-9) + 1e-9
    assert bound.rms_km <= least_travel(graph, plan) * (1 + 1e-9) + 1e-9


def test_one_territory_is_bounded_by_its_own_travel():
    graph = scattered(12, 4)
    plan = balance_territories(graph, 1)
    assert travel_bound(graph, plan).rms_km == pytest.approx(plan.rms_distance_km, rel=0.01)


def test_four_towns_apart_are_bounded_well():
    """Four towns of nine units each, far from each other, for four territories."""
    graph = nx.Graph()
    rng = np.random.default_rng(0)
    for town, (lon, lat) in enumerate(((-100, 40), (-96, 40), (-100, 43), (-96, 43))):
        for unit in range(9):
            across, up = rng.random(2) / 5
            graph.add_node(9 * town + unit, workload=1.0, lon=lon + across, lat=lat + up)
            if unit:
                graph.add_edge(9 * town + unit - 1, 9 * town + unit)
    graph.add_edges_from([(8, 9), (17, 18), (26, 27)])
    plan = balance_territories(graph, 4, bound_travel=True)
    assert plan.travel_bound.gap < 0.1
    assert plan.travel_bound.rms_km == travel_bound(graph, plan).rms_km


def test_islands_are_bounded_one_by_one():
    east = nx.relabel_nodes(scattered(8, 1), {unit: unit + 100 for unit in range(8)})
    graph = nx.union(scattered(8, 2), east)
    for unit in east:
        graph.nodes[unit]["lon"] += 30
    plan = balance_territories(graph, 4)
    bound = travel_bound(graph, plan)
    assert 0 < bound.rms_km <= plan.rms_distance_km


def test_no_bound_unless_asked_for():
    assert balance_territories(scattered(8, 2), 2).travel_bound is None
