"""Balance, compactness and time on real ZIP graphs: states × workloads × territories × seeds.

make bench ARGS="balance --states NY PA --territories 10 20 50 --seeds 1 2 3"
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import perf_counter, process_time

import networkx as nx
import pandas as pd

from ..territory_plugin.engine.balance import Plan, balance_territories
from .instances import STATES, WORKLOADS, state_graph


def measure(graph: nx.Graph, plan: Plan, seconds: float, cpu: float) -> dict:
    """Return the measures of a plan, parts counted anew from the graph."""
    territory = plan.as_dict()
    inside = nx.Graph((a, b) for a, b in graph.edges if territory[a] == territory[b])
    inside.add_nodes_from(graph)
    return {
        "oversize": int(plan.oversize.sum()),
        "max %": 100 * plan.max_deviation,
        "adjusted %": 100 * plan.max_adjusted_deviation,
        "within %": 100 * float(plan.within_tolerance[~plan.oversize].mean()) if not plan.oversize.all() else 100,
        "least %": 100 * plan.certificates.least_deviation,
        "loose parts": nx.number_connected_components(inside) - plan.territories,
        "territories": len(set(territory.values())),
        "cut edges": plan.cut_edges,
        "RMS km": plan.rms_distance_km,
        "reference km": plan.reference_km,
        "seconds": seconds,
        "CPU s": cpu,
    }


def main() -> None:
    """Measure and print the table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--data", type=Path, default=Path("../shared/data"))
    parser.add_argument("--states", nargs="+", default=list(STATES))
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--territories", nargs="+", type=int, default=[10, 20, 50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--effort", default="default")
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent")
    parser.add_argument("--csv", type=Path)
    wishes = parser.parse_args()
    rows = []
    for state in wishes.states:
        graph = state_graph(wishes.data.resolve(), state)
        for workload in wishes.workloads:
            for k in wishes.territories:
                for seed in wishes.seeds:
                    start, cpu = perf_counter(), process_time()
                    plan = balance_territories(
                        graph,
                        k,
                        workload=workload,
                        seed=seed,
                        effort=wishes.effort,
                        tolerance=wishes.tolerance / 100,
                    )
                    row = {"state": state, "workload": workload, "k": k, "seed": seed}
                    row.update(measure(graph, plan, perf_counter() - start, process_time() - cpu))
                    rows.append(row)
                    if len(rows) == 1:
                        print(" ".join(f"{name:>12}" for name in row))
                    print(
                        " ".join(f"{v:12.2f}" if isinstance(v, float) else f"{v!s:>12}" for v in row.values()),
                        flush=True,
                    )
    table = pd.DataFrame(rows)
    print(
        f"\n{len(table)} plans: {(table['loose parts'] > 0).sum()} not connected, "
        f"{(table['territories'] != table['k']).sum()} with another number of territories, "
        f"{(table['within %'] < 100 - 1e-6).sum()} with a territory outside the tolerance, "
        f"slowest {table['seconds'].max():.1f} s"
    )
    if wishes.csv:
        table.to_csv(wishes.csv, index=False)


if __name__ == "__main__":
    main()
