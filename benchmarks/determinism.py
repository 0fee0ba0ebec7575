"""The same plan from the same input: threads, order of features, versions of packages, names of units.

make bench ARGS="determinism --write"

Every run is a process of its own that prints a digest of its plan. The digest must not change with the number of
threads, the order of units and edges, or the versions of the packages. Other names for the same units may lead to
another plan, of the same quality within the noise between seeds.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import subprocess
import sys
from pathlib import Path

import networkx as nx
import numpy as np

from ..territory_plugin.engine.balance import balance_territories
from .instances import STATES, WORKLOADS, state_graph
from .judge import as_markdown, judge, load, machine, packages
from .pages import put

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS")
SYSTEM_PYTHON = Path(__file__).resolve().parents[1] / ".venv" / "bin" / "python"


def shuffled(graph: nx.Graph, seed: int) -> nx.Graph:
    """Return the same graph with nodes and edges in another order."""
    rng = np.random.default_rng(seed)
    units, edges = list(graph), list(graph.edges)
    out = nx.Graph()
    for at in rng.permutation(len(units)):
        out.add_node(units[at], **graph.nodes[units[at]])
    for at in rng.permutation(len(edges)):
        u, v = edges[at] if rng.random() < 0.5 else edges[at][::-1]
        out.add_edge(u, v)
    return out


def renamed(graph: nx.Graph, seed: int) -> nx.Graph:
    """Return the same graph with the names of its units dealt out anew."""
    rng = np.random.default_rng(seed)
    units = list(graph)
    return nx.relabel_nodes(graph, dict(zip(units, (units[at] for at in rng.permutation(len(units))))))


def measure(wishes: dict) -> dict:
    """Balance in this process; return the digest of the plan and its measures."""
    graph = state_graph(Path(wishes["data"]), wishes["state"])
    if wishes.get("shuffle"):
        graph = shuffled(graph, wishes["shuffle"])
    if wishes.get("rename"):
        graph = renamed(graph, wishes["rename"])
    k, workload = wishes["k"], wishes["workload"]
    plan = balance_territories(graph, k, workload=workload, seed=wishes["seed"], effort=wishes["effort"])
    found = plan.as_dict()
    lines = "\n".join(f"{unit} {found[unit]}" for unit in sorted(found))
    measured = judge(graph, workload, k, found)
    return {
        "digest": hashlib.sha256(lines.encode()).hexdigest()[:12],
        "packages": packages("numpy", "scipy", "networkx"),
        **{name: measured[name] for name in ("adjusted", "within", "cut", "rms_km", "parts")},
    }


def in_own_process(wishes: dict, python: str = sys.executable, threads: int = 1) -> dict:
    """Run `measure` in a fresh process with so many threads for numerical libraries."""
    environment = {name: value for name, value in os.environ.items() if name != "PYTHONHASHSEED"}
    environment.update(dict.fromkeys(THREADS, str(threads)))
    command = [python, "-m", __spec__.name, "--measure", json.dumps(wishes)]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=environment)
    return json.loads(done.stdout.splitlines()[-1])


def instance(state: str, workload: str, k: int, wishes) -> tuple[list[dict], list[dict], list[float]]:
    """Return the rows of both tables for one instance, and the loads."""
    base = {"data": str(wishes.data), "state": state, "workload": workload, "k": k, "seed": 1, "effort": wishes.effort}
    label = f"{state} {workload} k = {k}"
    loads = [load()]
    first = in_own_process(base)
    variants = {"1 thread, again": in_own_process(base), "2 threads": in_own_process(base, threads=2)}
    variants["features in another order"] = in_own_process({**base, "shuffle": 7})
    for python in wishes.pythons:
        variants[f"other packages ({python})"] = in_own_process(base, str(python))
    same = [{"instance": label, "run": "1 thread", "plan": first["digest"], "same": "", "packages": first["packages"]}]
    for name, found in variants.items():
        row = {"instance": label, "run": name.partition(" (")[0], "plan": found["digest"]}
        row["same"] = "yes" if found["digest"] == first["digest"] else "**no**"
        same.append({**row, "packages": "" if found["packages"] == first["packages"] else found["packages"]})
        print(same[-1], flush=True)

    seeds = [first] + [in_own_process({**base, "seed": seed}) for seed in range(2, wishes.seeds + 1)]
    names = [in_own_process({**base, "rename": turn}) for turn in range(1, wishes.seeds + 1)]
    noise = []
    for what, unit, scale in (("rms_km", "RMS km", 1.0), ("adjusted", "worst %", 100.0), ("cut", "cut edges", 1.0)):
        a, b = (np.array([run[what] for run in runs]) * scale for runs in (seeds, names))
        spread = max(a.std(ddof=1), 1e-12)
        noise.append(
            {
                "instance": label,
                "measure": unit,
                "seeds": f"{a.mean():.2f} ± {a.std(ddof=1):.2f} ({a.min():.2f} to {a.max():.2f})",
                "other names": f"{b.mean():.2f} ± {b.std(ddof=1):.2f} ({b.min():.2f} to {b.max():.2f})",
                "difference": f"{b.mean() - a.mean():+.2f}",
                "in standard errors": f"{(b.mean() - a.mean()) / (spread * np.sqrt(2 / len(a))):+.1f}",
            }
        )
        print(noise[-1], flush=True)
    return same, noise, [*loads, load()]


def page(same: list[dict], noise: list[dict], loads: list[float], wishes) -> str:
    """Return the page for the documentation."""
    return f"""# The same plan from the same input

Made by `make bench ARGS="determinism --write"`. Effort {wishes.effort}, seed 1, a process for each run. "plan"
is a digest of all units with their territories.

{as_markdown(same)}

## Other names for the units

The names of the units dealt out anew, {wishes.seeds} times, beside {wishes.seeds} seeds: mean ± standard deviation
(least to largest). The last column is the difference in standard errors of the difference of two means of seeds.

{as_markdown(noise)}

{machine(loads)}.
"""


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--states", nargs="+", choices=list(STATES), default=["NY", "CO"])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=["population", "skewed"])
    parser.add_argument("--territories", nargs="+", type=int, default=[20])
    parser.add_argument("--seeds", type=int, default=5)
    parser.add_argument("--effort", default="default")
    parser.add_argument(
        "--pythons",
        nargs="*",
        type=Path,
        default=[SYSTEM_PYTHON] if SYSTEM_PYTHON.exists() and Path(sys.executable) != SYSTEM_PYTHON else [],
        help="interpreters with other versions of the packages; default: the one that QGIS uses",
    )
    parser.add_argument("--write", type=Path, nargs="?", const=Path("docs/benchmarks/determinism.md"))
    parser.add_argument("--measure", metavar="WISHES", help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.measure:
        print(json.dumps(measure(json.loads(wishes.measure))))
        return
    wishes.data = wishes.data.resolve()
    same, noise, loads = [], [], []
    for state in wishes.states:
        for workload in wishes.workloads:
            for k in wishes.territories:
                one, other, seen = instance(state, workload, k, wishes)
                same, noise, loads = same + one, noise + other, loads + seen
    text = page(same, noise, loads, wishes)
    put(text, wishes.write)


if __name__ == "__main__":
    main()
