"""How much of a tight tolerance is reached: the states' grid, by default within ±2 %.

make bench ARGS="tight --write"
"""

from __future__ import annotations

import argparse
from pathlib import Path
from time import process_time

from ..territory_plugin.engine.balance import Plan, balance_territories
from .instances import WORKLOADS, state_graph
from .judge import as_markdown, judge, load, machine, packages
from .pages import put

PROVEN = ("allow nothing nearer", "wherever the borders run", "no way to divide", "workloads of whole units allow")
LOCAL = ("every way to divide",)


def row_of(name: str, graph, workload: str, territories: int, plan: Plan, tolerance: float, seconds: float) -> dict:
    """Return the row of an instance: how far off, how many are outside, and of how many of these it is proven."""
    found = judge(graph, workload, territories, plan.as_dict(), tolerance)
    outside = [t for t, inside in enumerate(plan.within_tolerance) if not inside and not plan.oversize[t]]
    said = [plan.reasons.get(t, "") for t in outside]
    return {
        "instance": name,
        "oversize": int(plan.oversize.sum()),
        "worst %": f"{100 * plan.max_adjusted_deviation:.2f}",
        "outside": len(outside),
        "proven for the map": sum(any(words in reason for words in PROVEN) for reason in said),
        "proven for its surroundings": sum(any(words in reason for words in LOCAL) for reason in said),
        "parts": found["parts"],
        "cut edges": found["cut"],
        "RMS km": f"{found['rms_km']:.1f}",
        "CPU s": f"{seconds:.1f}",
    }


def page(rows: list[dict], loads: list[float], wishes) -> str:
    """Return the page for the documentation."""
    whole = sum(row["outside"] == 0 for row in rows)
    excused = sum(0 < row["outside"] <= row["proven for the map"] for row in rows)
    return f"""# Tight tolerances

Made by `make bench ARGS="tight --write"`. ±{wishes.tolerance:g} % asked for, {wishes.effort} effort,
seed {wishes.seed}; the graphs and workloads of [the comparison with peers](peers.md). "worst": largest deviation from
the target that oversize ZIPs leave to the others; "outside": territories beyond the tolerance, without those of
oversize ZIPs; of these "proven for the map": their reason is a proof that a territory there is outside in every plan;
"proven for its surroundings": a proof that another division of the territories around does not help. "parts":
connected parts beyond one for each territory.

Of {len(rows)} instances {whole} are entirely within the tolerance, and in {excused} more each territory outside has
a proof for the map.

{as_markdown(rows)}

{packages("numpy", "scipy", "networkx")}; {machine(loads)}.
"""


def main() -> None:
    """Measure and print the page."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--states", nargs="+", default=["NY", "PA", "IL", "MN", "CO"])
    parser.add_argument("--workloads", nargs="+", default=list(WORKLOADS))
    parser.add_argument("--territories", nargs="+", type=int, default=[10, 20, 50])
    parser.add_argument("--tolerance", type=float, default=2.0, help="per cent")
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--write", type=Path, nargs="?", const=Path("docs/benchmarks/tight.md"))
    wishes = parser.parse_args()
    rows, loads = [], [load()]
    for state in wishes.states:
        graph = state_graph(wishes.data, state)
        for workload in wishes.workloads:
            for territories in wishes.territories:
                begin, tolerance = process_time(), wishes.tolerance / 100
                plan = balance_territories(
                    graph, territories, workload=workload, tolerance=tolerance, seed=wishes.seed, effort=wishes.effort
                )
                seconds = process_time() - begin
                name = f"{state} {workload} k = {territories}"
                rows.append(row_of(name, graph, workload, territories, plan, tolerance, seconds))
                loads.append(load())
                print(rows[-1], flush=True)
    text = page(rows, loads, wishes)
    put(text, wishes.write)


if __name__ == "__main__":
    main()
