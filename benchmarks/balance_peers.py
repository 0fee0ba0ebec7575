"""The same instances by METIS (pymetis), contiguous, oversize units pulled out first, best of 40 runs.

python -m benchmarks.balance_peers --states NY PA --workloads skewed --territories 10 20
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter

import networkx as nx
import numpy as np
import pymetis

from territory_plugin.engine.balance import certificates
from territory_plugin.engine.balance.objective import moment_of_inertia
from territory_plugin.engine.geodesy import geocentric

from .instances import STATES, WORKLOADS, state_graph

SEEDS = range(10)
IMBALANCES = (10, 25, 40, 50)
"""METIS's ufactor: allowed excess of the heaviest part, in thousandths."""


def metis(graph: nx.Graph, workload: str, territories: int, tolerance: float) -> list[dict]:
    """Return the measures of all METIS plans of an instance, each with its oversize units as territories."""
    proof = certificates(graph, territories, workload=workload, tolerance=tolerance)
    giants = [unit.unit for unit in proof.oversize]
    rest = [unit for unit in graph if unit not in set(giants)]
    position = {unit: index for index, unit in enumerate(rest)}
    adjacency = [[position[other] for other in graph[unit] if other in position] for unit in rest]
    loads = np.array([graph.nodes[unit][workload] for unit in rest], dtype=float)
    parts = territories - len(giants)
    target = loads.sum() / parts
    integer = np.round(loads / loads.sum() * 10_000_000).astype(int).tolist()
    place = geocentric([(graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]) for unit in rest])
    total = sum(load for _, load in graph.nodes(data=workload))
    connected = nx.is_connected(graph.subgraph(rest))
    found = []
    for seed in SEEDS:
        for imbalance in IMBALANCES:
            start = perf_counter()
            options = pymetis.Options(contig=int(connected), seed=seed, ufactor=imbalance)
            _, label = pymetis.part_graph(
                parts, adjacency=adjacency, vweights=integer, options=options, recursive=False
            )
            seconds = perf_counter() - start
            at = np.array(label)
            held = np.bincount(at, loads, parts)
            cut = sum(at[a] != at[b] for a, around in enumerate(adjacency) for b in around if a < b)
            cut += sum(graph.degree[unit] for unit in giants)
            inside = nx.Graph((a, b) for a, around in enumerate(adjacency) for b in around if at[a] == at[b])
            inside.add_nodes_from(range(len(rest)))
            found.append(
                {
                    "adjusted %": 100 * float(np.abs(held / target - 1).max()),
                    "loose parts": nx.number_connected_components(inside) - parts,
                    "cut edges": int(cut),
                    "RMS km": float(np.sqrt(moment_of_inertia(place, loads, at, parts).sum() / total)),
                    "seconds": seconds,
                }
            )
    return found


def main() -> None:
    """Measure and print the best plan of each instance, by balance and by travel."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--states", nargs="+", default=list(STATES))
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--territories", nargs="+", type=int, default=[10, 20, 50])
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent")
    wishes = parser.parse_args()
    for state in wishes.states:
        graph = state_graph(wishes.data.resolve(), state)
        for workload in wishes.workloads:
            for k in wishes.territories:
                plans = metis(graph, workload, k, wishes.tolerance / 100)
                whole = [plan for plan in plans if not plan["loose parts"]] or plans
                even = min(whole, key=lambda plan: plan["adjusted %"])
                near = min(whole, key=lambda plan: plan["RMS km"])
                smooth = min(whole, key=lambda plan: plan["cut edges"])
                print(
                    f"{state} {workload} k = {k}: most even {even['adjusted %']:.1f} %, {even['cut edges']} cut, "
                    f"{even['RMS km']:.2f} km; least travel {near['RMS km']:.2f} km at {near['adjusted %']:.1f} %; "
                    f"fewest cut {smooth['cut edges']} at {smooth['adjusted %']:.1f} %; "
                    f"{sum(plan['seconds'] for plan in plans):.2f} s for {len(plans)}",
                    flush=True,
                )


if __name__ == "__main__":
    main()
