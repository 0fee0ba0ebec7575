"""Ours beside METIS, GerryChain, spopt and k-means: the same ZIP graph and workload, in the same run.

make bench ARGS="peers --states NY PA --territories 10 20 50 --write"

Every method runs in a process of its own, one after the other, with a limit on its time. ZIPs that alone
outweigh a territory are set apart before a peer that balances sees the graph: they are territories of their own,
and the peer cuts the rest. All plans are measured by the same function, from the graph alone.
"""

from __future__ import annotations

import argparse
import importlib
import json
import multiprocessing
import random
import warnings
from functools import partial
from itertools import product
from pathlib import Path
from time import perf_counter, process_time

import networkx as nx
import numpy as np

from ..territory_plugin.engine.balance import balance_territories
from ..territory_plugin.engine.balance.certificates import apportion
from ..territory_plugin.engine.geodesy import geocentric
from .instances import STATES, WORKLOADS, state_graph
from .judge import as_markdown, judge, load, machine, oversize_units, packages
from .pages import put

EFFORTS = ("quick", "default", "thorough")
UFACTORS = (1, 5, 10, 20, 30, 40, 50, 100)
METIS_SEEDS = 5

PROTOTYPE = {
    ("NY", "skewed", 10): (0.042, 48.3),
    ("NY", "skewed", 20): (0.045, 30.0),
    ("NY", "skewed", 50): (0.081, 22.2),
    ("PA", "skewed", 10): (0.045, 40.7),
    ("PA", "skewed", 20): (0.045, 27.3),
    ("PA", "skewed", 50): (0.045, 16.1),
}
"""Largest deviation and RMS km of the plans that the first prototype reached in a minute or two."""


# ------------------------------------------------------------------ ours


def ours(graph, workload, territories, wishes, seed, effort, boundary=1.0) -> list[dict]:
    """Return our plan with what it says of itself."""
    plan = balance_territories(
        graph,
        territories,
        workload=workload,
        tolerance=wishes.tolerance / 100,
        seed=seed,
        effort=effort,
        boundary=boundary,
    )
    said = {"reference_km": plan.reference_km, "least": plan.certificates.least_deviation}
    return [{"plan": plan.as_dict(), **said}]


# ------------------------------------------------------------------ the peers


def cut_the_rest(graph: nx.Graph, workload: str, territories: int, cut) -> dict:
    """Set oversize units apart and let a peer cut each component of the rest into its share of territories.

    Parts of the rest that hold less than half a target, and touch nothing but an oversize unit, go with it.

    Parameters
    ----------
    cut : callable
        Of a graph and a number of parts; returns node → part.
    """
    apart, target = oversize_units(graph, workload, territories)
    plan = {unit: ("apart", at) for at, unit in enumerate(apart)}
    rest = graph.subgraph(set(graph) - set(apart))
    heavy = []
    for part in sorted(nx.connected_components(rest), key=lambda part: (-len(part), min(part))):
        held = sum(graph.nodes[unit][workload] for unit in part)
        doors = sorted({other for unit in part for other in graph[unit] if other in plan})
        if doors and heavy and held < target / 2:
            plan.update(dict.fromkeys(part, plan[doors[0]]))
        else:
            heavy.append((part, held))
    shares = apportion(
        [held for _, held in heavy],
        [len(part) for part, _ in heavy],
        territories - len(apart),
        [1] * len(heavy),
    )
    for number, ((part, _), share) in enumerate(zip(heavy, shares)):
        piece = graph.subgraph(sorted(part)).copy()
        found = cut(piece, share) if share > 1 else dict.fromkeys(piece, 0)
        plan.update({unit: (number, label) for unit, label in found.items()})
    return plan


def metis(graph, workload, territories, wishes, seed) -> list[dict]:
    """Return METIS's plans, contiguous, for all allowed imbalances and seeds."""
    import pymetis

    heaviest = sum(at[workload] for at in graph.nodes.values())
    scale = min(1.0, 2**30 / heaviest)

    def cut(piece, share, ufactor, turn):
        units = list(piece)
        position = {unit: at for at, unit in enumerate(units)}
        found = pymetis.part_graph(
            share,
            adjacency=[np.array([position[other] for other in piece[unit]]) for unit in units],
            vweights=[round(piece.nodes[unit][workload] * scale) for unit in units],
            recursive=False,
            contiguous=True,
            options=pymetis.Options(ufactor=ufactor, seed=turn),
        )
        return dict(zip(units, found.vertex_part))

    plans = []
    for ufactor in UFACTORS:
        for turn in range(METIS_SEEDS):
            start = perf_counter()
            chosen = partial(cut, ufactor=ufactor, turn=seed * METIS_SEEDS + turn)
            plan = cut_the_rest(graph, workload, territories, chosen)
            plans.append({"plan": plan, "seconds": perf_counter() - start})
    return plans


def gerrychain(graph, workload, territories, wishes, seed) -> list[dict]:
    """Return the plan of GerryChain's recursive tree partition."""
    from gerrychain import Graph
    from gerrychain.partition import recursive_tree_part

    def cut(piece, share):
        units = list(piece)
        plain = nx.Graph()
        for at, unit in enumerate(units):
            plain.add_node(at, load=float(piece.nodes[unit][workload]))
        position = {unit: at for at, unit in enumerate(units)}
        plain.add_edges_from((position[u], position[v]) for u, v in piece.edges)
        target = sum(load_ for _, load_ in plain.nodes.data("load")) / share
        theirs = Graph.from_networkx(plain)
        found = recursive_tree_part(
            theirs, range(share), target, "load", wishes.tolerance / 100, rng=random.Random(seed)
        )
        back = getattr(theirs, "original_nx_node_id_for_internal_node_id", None)
        return {units[back(node) if back else node]: label for node, label in found.items()}

    return [{"plan": cut_the_rest(graph, workload, territories, cut)}]


def _frame_and_weights(graph, workload):
    import geopandas
    from libpysal.weights import W

    units = list(graph)
    place = geocentric([[graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]] for unit in units])
    # on the plane that fits the places best
    flat = (place - place.mean(axis=0)) @ np.linalg.svd(place - place.mean(axis=0), full_matrices=False)[2][:2].T
    values = [float(graph.nodes[unit][workload]) for unit in units]
    points = geopandas.points_from_xy(flat[:, 0], flat[:, 1])
    frame = geopandas.GeoDataFrame({"x": flat[:, 0], "y": flat[:, 1], "load": values}, geometry=points)
    position = {unit: at for at, unit in enumerate(units)}
    weights = W({position[u]: [position[v] for v in graph[u]] for u in units}, silence_warnings=True)
    return units, frame, weights


def spopt_ward(graph, workload, territories, wishes, seed) -> list[dict]:
    """Return the plan of spopt's Ward clustering under contiguity, on places."""
    from spopt.region import WardSpatial

    units, frame, weights = _frame_and_weights(graph, workload)
    model = WardSpatial(frame, weights, ["x", "y"], territories)
    model.solve()
    return [{"plan": dict(zip(units, model.labels_))}]


def spopt_k_means(graph, workload, territories, wishes, seed) -> list[dict]:
    """Return the plan of spopt's region k-means, on places."""
    from spopt.region import RegionKMeansHeuristic

    units, frame, weights = _frame_and_weights(graph, workload)
    model = RegionKMeansHeuristic(frame[["x", "y"]].to_numpy(), territories, weights, seed=seed)
    model.solve()
    return [{"plan": dict(zip(units, model.labels_))}]


def k_means(graph, workload, territories, wishes, seed) -> list[dict]:
    """Return scikit-learn's k-means of places, weighted by workload."""
    from sklearn.cluster import KMeans

    units = list(graph)
    place = geocentric([[graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]] for unit in units])
    values = np.array([float(graph.nodes[unit][workload]) for unit in units])
    model = KMeans(territories, n_init=10, random_state=seed).fit(place, sample_weight=np.maximum(values, 1e-9))
    return [{"plan": dict(zip(units, model.labels_))}]


MODULES = ("pymetis", "gerrychain.partition", "spopt.region", "sklearn.cluster", "libpysal.weights", "geopandas")
"""What the peers import, loaded before anything is timed."""

PEERS = {
    "METIS": metis,
    "GerryChain": gerrychain,
    "spopt Ward": spopt_ward,
    "spopt k-means": spopt_k_means,
    "k-means": k_means,
}


# ------------------------------------------------------------------ running and measuring


METHODS = [
    *(f"ours, {effort}" for effort in EFFORTS),
    "ours, borders",
    "METIS, least travel",
    "METIS, fewest cut edges",
    *PEERS,
]


def instance_of(row: dict) -> tuple:
    """Return what names the instance of a row."""
    return row["state"], row["workload"], row["k"], row["seed"]


def _in_child(pipe, method, *arguments) -> None:
    warnings.simplefilter("ignore")
    start, cpu = perf_counter(), process_time()
    try:
        plans, failure = method(*arguments), None
    except Exception as error:  # a peer may fail in its own way; the table shows that it did
        plans, failure = [], f"{type(error).__name__}: {error}"
    pipe.send((plans, perf_counter() - start, process_time() - cpu, failure))


def run(method, *arguments, seconds: float) -> tuple[list[dict], float, float, str | None]:
    """Run a method in a fresh process; return its plans, seconds, CPU seconds, and why there are none."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe(duplex=False)
    child = context.Process(target=_in_child, args=(there, method, *arguments))
    child.start()
    there.close()
    try:
        if not here.poll(seconds):
            return [], seconds, seconds, f"not done in {seconds:g} s"
        return here.recv()
    except EOFError:
        return [], 0.0, 0.0, "crashed"
    finally:
        child.kill()
        child.join()


def instance_rows(graph, state, workload, territories, seed, wishes, known: set) -> list[dict]:
    """Return the measures of every method on one instance, but for those whose names are known already."""
    tolerance = wishes.tolerance / 100
    base = {"state": state, "workload": workload, "k": territories, "seed": seed}
    rows = []

    def add(name, found, seconds, cpu, **more):
        plans, failure = found
        row = {**base, "method": name, "seconds": seconds, "cpu": cpu, "load": load(), **more}
        if not plans:
            rows.append({**row, "failure": failure})
            return
        measured = judge(graph, workload, territories, plans["plan"], tolerance)
        said = {key: plans[key] for key in ("reference_km", "least") if key in plans}
        rows.append({**row, **measured, **said})

    wanted = [(effort, effort, 1.0) for effort in wishes.efforts]
    wanted += [(f"borders ×{boundary:g}", "default", boundary) for boundary in wishes.boundaries]
    for name, effort, boundary in wanted:
        if f"ours, {name}" in known:
            continue
        plans, seconds, cpu, failure = run(
            ours, graph, workload, territories, wishes, seed, effort, boundary, seconds=300
        )
        add(f"ours, {name}", (plans[0] if plans else None, failure), seconds, cpu)

    for name in wishes.peers:
        if not known.isdisjoint((name, "METIS, least travel" if name == "METIS" else name)):
            continue
        plans, seconds, cpu, failure = run(
            PEERS[name], graph, workload, territories, wishes, seed, seconds=wishes.seconds
        )
        if name != "METIS" or not plans:
            add(name, (plans[0] if plans else None, failure), seconds, cpu)
            continue
        judged = [(judge(graph, workload, territories, one["plan"], tolerance), one) for one in plans]
        fine = [(m, one) for m, one in judged if m["parts"] == 0 and m["territories"] == territories]
        keeping = [(m, one) for m, one in fine if m["adjusted"] <= tolerance * (1 + 1e-9)]
        nearest = sorted(fine or judged, key=lambda pair: (pair[0]["adjusted"], pair[0]["rms_km"]))[:1]
        counts = {"plans": len(plans), "keeping": len(keeping)}
        counts["least_rms_of_all"] = min((m["rms_km"] for m, _ in fine), default=float("nan"))
        for label, key in (("least travel", "rms_km"), ("fewest cut edges", "cut")):
            _, one = min(keeping or nearest, key=lambda pair: (pair[0][key], pair[0]["adjusted"]))
            add(f"METIS, {label}", (one, None), seconds, cpu, **counts)
    return rows


# ------------------------------------------------------------------ what is missed


def missed(rows: list[dict], tolerance: float) -> list[str]:
    """Return a sentence for each instance and bar that ours misses."""
    said = []
    groups: dict = {}
    for row in rows:
        groups.setdefault(instance_of(row), {})[row["method"]] = row
    allowed = {"quick": 2.0, "default": 10.0, "thorough": 60.0}
    for (state, workload, k, seed), methods in groups.items():
        name = f"{state} {workload} k = {k} seed {seed}"
        metis_travel, metis_cut = methods.get("METIS, least travel", {}), methods.get("METIS, fewest cut edges", {})
        for method, row in methods.items():
            if not method.startswith("ours"):
                continue
            effort = method.removeprefix("ours, ")
            if "failure" in row:
                said.append(f"{name}: {effort} failed: {row['failure']}")
                continue
            if row["parts"] or row["territories"] != k or row["lost"]:
                said.append(
                    f"{name}: bar 1, {effort}: {row['territories']} territories, {row['parts']} loose parts, "
                    f"{row['lost']} units lost"
                )
            if row["adjusted"] > tolerance * (1 + 1e-9) and row["least"] <= tolerance and effort != "quick":
                said.append(
                    f"{name}: bar 2, {effort}: {100 * row['adjusted']:.1f} % off, {100 * row['within']:.0f} % within"
                )
            if row["cpu"] > allowed.get(effort, 60.0):
                said.append(
                    f"{name}: bar 4, {effort}: {row['seconds']:.1f} s ({row['cpu']:.1f} s of CPU) "
                    f"of {allowed[effort]:g} s allowed"
                )
            if effort in ("default", "thorough"):
                over = row["rms_km"] / row["reference_km"] - 1 if row["reference_km"] else 0.0
                if workload == "population" and over > 0.02:
                    said.append(f"{name}: bar 3, {effort}: RMS {100 * over:.1f} % over the fractional transport")
                floor = PROTOTYPE.get((state, workload, k))
                if floor and (round(row["rms_km"], 1) > floor[1] or row["adjusted"] > max(floor[0], tolerance)):
                    said.append(
                        f"{name}: bar 3, {effort}: {100 * row['adjusted']:.1f} %, {row['rms_km']:.1f} km; prototype "
                        f"{100 * floor[0]:.1f} %, {floor[1]} km"
                    )
                if metis_travel.get("keeping") and row["rms_km"] >= metis_travel["rms_km"]:
                    said.append(
                        f"{name}: bar 3, {effort}: RMS {row['rms_km']:.1f} km, METIS {metis_travel['rms_km']:.1f} km"
                    )
                elif row["rms_km"] >= metis_travel.get("least_rms_of_all", np.inf):
                    said.append(
                        f"{name}: bar 3, {effort}: RMS {row['rms_km']:.1f} km; a METIS plan out of tolerance has "
                        f"{metis_travel['least_rms_of_all']:.1f} km"
                    )
            if effort.startswith("borders") and metis_cut.get("keeping") and row["cut"] > metis_cut["cut"]:
                said.append(f"{name}: bar 3, {effort}: {row['cut']} cut edges, METIS {metis_cut['cut']}")
    return said


# ------------------------------------------------------------------ the tables


def cell(row: dict | None) -> str:
    """Return deviation, loose parts, cut edges, distance and CPU seconds of a plan."""
    if row is None:
        return ""
    if "failure" in row:
        return row["failure"].partition(":")[0]
    parts = f" · **{row['parts']}**" if row["parts"] else " · 0"
    return f"{100 * row['adjusted']:.1f}{parts} · {row['cut']} · {row['rms_km']:.1f} · {row['cpu']:.1f}"


def table(rows: list[dict]) -> str:
    """Return one line for each instance and seed, one column for each method."""
    methods = list(dict.fromkeys(row["method"] for row in rows))
    lines: dict = {}
    for row in rows:
        lines.setdefault(instance_of(row), {})[row["method"]] = row
    shown = []
    for (state, workload, k, seed), found in lines.items():
        label = f"{state} {workload} k = {k}" + (f" seed {seed}" if len({key[3] for key in lines}) > 1 else "")
        first = next((row for row in found.values() if "oversize" in row), {})
        if first.get("oversize"):
            label += f" ({first['oversize']} oversize)"
        line = {"instance": label}
        mine = [row for name, row in found.items() if name.startswith("ours, ") and "reference_km" in row]
        if mine:
            line["transport km"] = f"{mine[-1]['reference_km']:.1f}"
        shown.append({**line, **{method: cell(found.get(method)) for method in methods}})
    return as_markdown(shown)


def summary(rows: list[dict], tolerance: float) -> str:
    """Return one line for each method: how it does over all instances."""
    default = {instance_of(r): r for r in rows if r["method"] == "ours, default"}
    shown = []
    for method in dict.fromkeys(row["method"] for row in rows):
        every = [row for row in rows if row["method"] == method]
        done = [row for row in every if "failure" not in row]
        line = {"method": method, "plans": f"{len(done)} of {len(every)}"}
        if done:
            line["all within"] = f"{sum(row['adjusted'] <= tolerance * (1 + 1e-9) for row in done)}"
            line["territories within"] = f"{100 * np.mean([row['within'] for row in done]):.1f} %"
            line["not connected"] = sum(row["parts"] > 0 for row in done)
            both = [(row, default.get(instance_of(row))) for row in done]
            both = [(row, mine) for row, mine in both if mine and "failure" not in mine]
            if both:
                line["RMS / ours"] = f"{np.exp(np.mean([np.log(r['rms_km'] / m['rms_km']) for r, m in both])):.3f}"
                line["cut / ours"] = f"{np.exp(np.mean([np.log(r['cut'] / m['cut']) for r, m in both])):.3f}"
            line["median CPU s"] = f"{np.median([row['cpu'] for row in done]):.2f}"
            line["most s"] = f"{max(row['seconds'] for row in done):.1f}"
            line["most CPU s"] = f"{max(row['cpu'] for row in done):.1f}"
        shown.append(line)
    return as_markdown(shown)


def page(rows: list[dict], wishes) -> str:
    """Return the page for the documentation."""
    tolerance = wishes.tolerance / 100
    short = "\n".join(f"- {line}" for line in missed(rows, tolerance)) or "Nowhere."
    return f"""# Balanced territories, beside other methods

Made by `make bench ARGS="peers --write"`. The same ZIP graph (queen contiguity, islands bridged) and workload for
every method, each in a process of its own, one after the other, plans measured by one function. Tolerance
±{wishes.tolerance:g} %. ZIPs that outweigh a territory ("oversize") were set apart for METIS and GerryChain.

METIS: `pymetis`, contiguous, {len(UFACTORS)} allowances × {METIS_SEEDS} seeds = {len(UFACTORS) * METIS_SEEDS} plans;
of those within tolerance (else of the nearest) the one with least travel, and the one with fewest cut edges; seconds
are for all. GerryChain: recursive tree partition. spopt: `WardSpatial` and `RegionKMeansHeuristic` on places. k-means:
scikit-learn's, weighted. Peers had {wishes.seconds:g} s. Ours runs once, with the seed that the line names, 1 where it
names none.

## All instances together

RMS and cut edges relative to ours with default effort, geometric mean over the instances that the method solved.

{summary(rows, tolerance)}

## Each instance

Largest deviation % from the target that oversize ZIPs leave to the others · parts beyond one for each territory ·
cut edges · RMS km · CPU seconds (others use the machine as well). "transport": RMS km of the fractional transport
from which ours started.

{table(rows)}

## Where ours misses a bar

{short}

{packages("numpy", "scipy", "networkx", "pymetis", "gerrychain", "spopt", "scikit-learn")};
{machine([row["load"] for row in rows])}.
"""


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--states", nargs="+", choices=list(STATES), default=["NY", "PA", "IL", "MN", "CO"])
    parser.add_argument("--workloads", nargs="+", choices=WORKLOADS, default=list(WORKLOADS))
    parser.add_argument("--territories", nargs="+", type=int, default=[10, 20, 50])
    parser.add_argument("--seeds", nargs="+", type=int, default=[1])
    parser.add_argument("--efforts", nargs="*", choices=EFFORTS, default=list(EFFORTS))
    parser.add_argument(
        "--boundaries", type=float, nargs="*", default=[50.0, 1000.0], help="of the runs that mind borders"
    )
    parser.add_argument("--peers", nargs="*", choices=list(PEERS), default=list(PEERS))
    parser.add_argument("--tolerance", type=float, default=5.0, help="per cent")
    parser.add_argument("--seconds", type=float, default=30.0, help="limit for each peer")
    parser.add_argument("--json", type=Path, help="keep all measures there, and continue from what it holds")
    parser.add_argument("--write", type=Path, nargs="?", const=Path("docs/benchmarks/peers.md"))
    wishes = parser.parse_args()
    warnings.simplefilter("ignore")
    for module in MODULES if wishes.peers else ():
        importlib.import_module(module)
    rows = json.loads(wishes.json.read_text()) if wishes.json and wishes.json.exists() else []
    known: dict = {}
    for row in rows:
        known.setdefault(instance_of(row), set()).add(row["method"])
    for state, workload, k, seed in product(wishes.states, wishes.workloads, wishes.territories, wishes.seeds):
        graph = state_graph(wishes.data.resolve(), state)
        found = instance_rows(graph, state, workload, k, seed, wishes, known.get((state, workload, k, seed), set()))
        rows += found
        for row in found:
            print(f"{state} {workload} k = {k} seed {seed} {row['method']:24} {cell(row)}", flush=True)
        if wishes.json:
            wishes.json.write_text(json.dumps(rows))
    rows.sort(key=lambda row: METHODS.index(row["method"].partition(" ×")[0]))
    rows.sort(
        key=lambda row: (list(STATES).index(row["state"]), WORKLOADS.index(row["workload"]), row["k"], row["seed"])
    )
    text = page(rows, wishes)
    put(text, wishes.write)


if __name__ == "__main__":
    main()
