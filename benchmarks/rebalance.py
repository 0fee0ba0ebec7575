"""Rebalancing: beside the exact optimum on small maps, beside the flow bound on states, and in seconds.

python -m benchmarks.rebalance --write
"""

from __future__ import annotations

import argparse
import json
from dataclasses import dataclass
from pathlib import Path

import networkx as nx
import numpy as np
from scipy.spatial import Delaunay

from territory_plugin.engine.balance import balance_territories

from .exact import least_disruption
from .instances import state_graph

SMALL_STATES = ("NY", "PA", "IL", "MN", "CO")
LIGHT = 0.35
"""Heaviest unit of a small map, in targets: heavier ones make balance a matter of that unit alone."""
TOLERANCE = 0.05


@dataclass(frozen=True)
class Case:
    """A graph whose workloads have changed since its territories were made.

    Attributes
    ----------
    name : str
    graph : networkx.Graph
        With ``workload`` as it is now.
    current : dict
        Unit → territory.
    """

    name: str
    graph: nx.Graph
    current: dict

    @property
    def worst(self) -> float:
        """Largest deviation from the target, as a share."""
        held: dict = {}
        for unit, name in self.current.items():
            held[name] = held.get(name, 0.0) + self.graph.nodes[unit]["workload"]
        target = sum(held.values()) / len(held)
        return max(abs(load / target - 1) for load in held.values())


def noisy(name: str, graph: nx.Graph, workload: str, territories: int, sigma: float, seed, effort="default") -> Case:
    """Return a plan of ours, and workloads that have changed by lognormal factors since."""
    plan = balance_territories(graph, territories, workload=workload, tolerance=TOLERANCE, effort=effort)
    rng = np.random.default_rng(seed)
    changed = nx.Graph()
    for unit, factor in zip(sorted(graph, key=str), rng.lognormal(0, sigma, len(graph))):
        at = graph.nodes[unit]
        changed.add_node(unit, lon=at["lon"], lat=at["lat"], workload=at[workload] * factor)
    changed.add_edges_from(graph.edges)
    return Case(name, changed, {unit: f"T{at + 1:02d}" for unit, at in plan.as_dict().items()})


def planar(seed: int, units: int) -> nx.Graph:
    """Return a random triangulation with lognormal workloads, for where there is no real map."""
    rng = np.random.default_rng([7, seed])
    points = rng.random((units, 2))
    graph = nx.Graph()
    for at, ((x, y), load) in enumerate(zip(points, rng.lognormal(0, 0.8, units))):
        graph.add_node(f"{at:05d}", lon=-90 + 2 * x, lat=40 + 2 * y, population=float(load))
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, [f"{corner:05d}" for corner in corners])
    return graph


def small_case(data: Path, seed: int) -> Case | None:
    """Return a map of 60 to 120 ZIPs grown around a random one, out of balance since the noise; None if it is not."""
    rng = np.random.default_rng(seed)
    state = SMALL_STATES[seed % len(SMALL_STATES)]
    sigma = (0.15, 0.35)[seed // len(SMALL_STATES) % 2]
    while True:
        units, territories = int(rng.integers(60, 121)), int(rng.integers(4, 8))
        if (data / "zcta").is_dir():
            whole = state_graph(data, state)
            first = sorted(whole)[rng.integers(len(whole))]
            graph = whole.subgraph(list(nx.bfs_tree(whole, first))[:units]).copy()
        else:
            graph = planar(int(rng.integers(10**6)), units)
        load = np.array([at["population"] for at in graph.nodes.values()])
        if load.max() < LIGHT * load.sum() / territories:
            break
    case = noisy(f"{seed} {state}, σ {sigma}", graph, "population", territories, sigma, [seed, 1])
    return case if case.worst > TOLERANCE else None


def optima(data: Path, seeds, seconds: float, store: Path | None) -> dict[str, dict]:
    """Return the exact optimum of each small case by name, from a file of earlier ones where it has it."""
    known = json.loads(store.read_text(encoding="utf-8")) if store and store.exists() else {}
    for seed in seeds:
        case = small_case(data, seed)
        if case is None or case.name in known:
            continue
        found = least_disruption(case.graph, case.current, tolerance=TOLERANCE, seconds=seconds)
        known[case.name] = {"optimum": found.disruption, "bound": found.bound, "seconds": found.seconds}
        print(
            case.name,
            len(case.graph),
            len(set(case.current.values())),
            f"{case.worst:.3f}",
            known[case.name],
            flush=True,
        )
        if store:
            store.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--seeds", type=int, default=40)
    parser.add_argument("--solver-seconds", type=float, default=90.0, help="for HiGHS, each")
    parser.add_argument("--optima", type=Path, help="file to keep exact optima in")
    wishes = parser.parse_args()
    optima(wishes.data, range(wishes.seeds), wishes.solver_seconds, wishes.optima)


if __name__ == "__main__":
    main()
