"""Time and memory from 1,000 ZIPs to the whole nation; the nation from GeoPackage to GeoPackage.

make bench ARGS="scaling --write"

Sub-maps grow from one ZIP, neighbour by neighbour, until they have so many; the number of territories grows
with them. Every run is a process of its own. The nation runs through `qgis_process`, as a person would do it.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
from collections import deque
from contextlib import closing
from math import log, log10
from pathlib import Path
from time import perf_counter, process_time

import networkx as nx
import numpy as np
import pandas as pd

from ..territory_plugin.engine.balance import balance_territories
from ..territory_plugin.engine.contiguity import adjacency_graph, bridge_edges, contiguity_edges, unit_centres
from .adjacency import NATION, read_layer, unpacked
from .instances import WORKLOADS, attributes
from .judge import as_markdown, judge, load, machine, packages
from .pages import put

SIZES = (1000, 2000, 4000, 8000, 16000, 33000)
ROOT = Path(__file__).resolve().parents[1]


def national_graph(layer: Path, data: Path) -> nx.Graph:
    """Return the nation's graph, islands bridged, with all workloads."""
    shapes, ids = read_layer(layer)
    centres = unit_centres(shapes)
    edges = contiguity_edges(shapes, ids, "queen", centres=centres)
    edges = pd.concat([edges, bridge_edges(shapes, ids, edges, centres=centres)])
    values = attributes(data).reindex(ids)
    columns = {name: values[name].fillna(0.0) for name in WORKLOADS}
    return adjacency_graph(ids, edges, {"lon": centres[:, 0], "lat": centres[:, 1], **columns})


def grown(graph: nx.Graph, seed: str, units: int) -> nx.Graph:
    """Return the part of a graph that is reached first from a unit, neighbour by neighbour."""
    reached, queue = {seed}, deque([seed])
    while queue and len(reached) < units:
        for other in sorted(graph[queue.popleft()]):
            if other not in reached and len(reached) < units:
                reached.add(other)
                queue.append(other)
    return graph.subgraph(sorted(reached)).copy()


def saved(graph: nx.Graph, workload: str, path: Path) -> Path:
    """Write what a run needs of a graph."""
    units = list(graph)
    position = {unit: at for at, unit in enumerate(units)}
    np.savez(
        path,
        units=np.array(units, dtype="U"),
        values=np.array([[graph.nodes[unit][name] for name in ("lon", "lat", workload)] for unit in units]),
        edges=np.array([(position[u], position[v]) for u, v in graph.edges]),
    )
    return path


def restored(path: Path) -> nx.Graph:
    """Return the graph that `saved` wrote, its workload under the name ``workload``."""
    with np.load(path) as held:
        units, values, edges = held["units"].tolist(), held["values"].tolist(), held["edges"].tolist()
    graph = nx.Graph()
    for unit, (lon, lat, load_) in zip(units, values):
        graph.add_node(unit, lon=lon, lat=lat, workload=load_)
    graph.add_edges_from((units[u], units[v]) for u, v in edges)
    return graph


def peak_mib() -> float:
    """Return the largest resident set that this process had, in MiB."""
    status = Path("/proc/self/status")
    if status.exists():  # what getrusage says on Linux counts the process that started this one, too
        (line,) = (line for line in status.read_text().splitlines() if line.startswith("VmHWM"))
        return int(line.split()[1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (2**20 if sys.platform == "darwin" else 1024)


def measure(path: Path, territories: int, effort: str, seed: int) -> dict:
    """Balance one graph in this process and return the measures, seconds and MiB."""
    graph = restored(path)
    held = peak_mib()
    start, cpu = perf_counter(), process_time()
    plan = balance_territories(graph, territories, seed=seed, effort=effort)
    seconds, cpu = perf_counter() - start, process_time() - cpu
    peak = peak_mib()
    found = judge(graph, "workload", territories, plan.as_dict())
    return {**found, "seconds": seconds, "cpu": cpu, "held_mib": held, "peak_mib": peak}


def sweep(graph: nx.Graph, wishes, folder: Path) -> list[dict]:
    """Return the measures for every size."""
    rows = []
    for units_each in wishes.units_each:
        for size in wishes.sizes:
            part = grown(graph, wishes.grow_from, size)
            k = max(2, round(len(part) / units_each))
            path = saved(part, wishes.workload, folder / f"{size}.npz")
            command = [sys.executable, "-m", __spec__.name, "--measure", path, k, wishes.effort, wishes.seed]
            done = subprocess.run([str(word) for word in command], check=True, capture_output=True, text=True)
            rows.append(
                {
                    "units": len(part),
                    "k": k,
                    "each": units_each,
                    "load": load(),
                    **json.loads(done.stdout.splitlines()[-1]),
                }
            )
            print(rows[-1], flush=True)
    return rows


def plot(rows: list[dict]) -> str:
    """Return the sweep as a drawing: CPU seconds over units, both logarithmic, with lines that grow as n·log n."""
    left, top, width, height = 70, 20, 520, 330
    across = [log10(row["units"]) for row in rows]
    up = [log10(max(row["cpu"], 0.01)) for row in rows]
    low_x, high_x = min(across) - 0.05, max(across) + 0.05
    low_y, high_y = np.floor(min(up)), np.ceil(max(up))

    def x(units):
        return left + width * (log10(units) - low_x) / (high_x - low_x)

    def y(seconds):
        return top + height * (1 - (log10(seconds) - low_y) / (high_y - low_y))

    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {left + width + 20} {top + height + 60}" '
        'font-family="sans-serif" font-size="12">',
        '<rect width="100%" height="100%" fill="white"/>',
    ]
    for power in range(int(low_y), int(high_y) + 1):
        at = y(10.0**power)
        out.append(f'<path d="M{left} {at:.1f}H{left + width}" stroke="#ddd"/>')
        out.append(f'<text x="{left - 8}" y="{at + 4:.1f}" text-anchor="end">{10.0**power:g} s</text>')
    for units in sorted({row["units"] for row in rows}):
        at = x(units)
        out.append(f'<path d="M{at:.1f} {top}V{top + height}" stroke="#eee"/>')
        out.append(f'<text x="{at:.1f}" y="{top + height + 18}" text-anchor="middle">{units:,}</text>')
    middle = left + width / 2
    out.append(f'<text x="{middle}" y="{top + height + 42}" text-anchor="middle">ZIPs</text>')
    for colour, each in zip(("#1b6ca8", "#c0392b", "#2e7d32"), dict.fromkeys(row["each"] for row in rows)):
        some = [row for row in rows if row["each"] == each]
        first = some[0]
        grown_ = [first["cpu"] * r["units"] * log(r["units"]) / (first["units"] * log(first["units"])) for r in some]
        line = " ".join(f"{x(row['units']):.1f},{y(seconds):.1f}" for row, seconds in zip(some, grown_))
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-dasharray="5 4" opacity="0.6"/>')
        line = " ".join(f"{x(row['units']):.1f},{y(max(row['cpu'], 0.01)):.1f}" for row in some)
        out.append(f'<polyline points="{line}" fill="none" stroke="{colour}" stroke-width="2"/>')
        out += [
            f'<circle cx="{x(row["units"]):.1f}" cy="{y(max(row["cpu"], 0.01)):.1f}" r="4" fill="{colour}"/>'
            for row in some
        ]
        below = top + 34 + 18 * list(dict.fromkeys(row["each"] for row in rows)).index(each)
        out.append(f'<text x="{left + 10}" y="{below}" fill="{colour}">{each:g} ZIPs for each territory</text>')
    out.append(f'<text x="{left + 10}" y="{top + 16}">CPU seconds; dashed: n·log n through the first</text>')
    return "\n".join([*out, "</svg>\n"])


# ------------------------------------------------------------------ the nation through qgis_process


def with_workload(layer: Path, data: Path, workload: str) -> None:
    """Add the column ``workload`` to a GeoPackage."""
    values = attributes(data)[workload].fillna(0.0)
    with closing(sqlite3.connect(layer)) as connection:
        for name in ("ST_IsEmpty", "ST_MinX", "ST_MaxX", "ST_MinY", "ST_MaxY"):
            connection.create_function(name, 1, lambda blob: 0)  # the spatial index's triggers name them
        connection.execute("ALTER TABLE zcta ADD COLUMN workload REAL")
        connection.execute("CREATE TEMP TABLE loads (zcta5 TEXT PRIMARY KEY, workload REAL)")
        connection.executemany("INSERT INTO loads VALUES (?, ?)", values.items())
        connection.execute(
            "UPDATE zcta SET workload = coalesce((SELECT workload FROM loads WHERE loads.zcta5 = zcta.zcta5), 0)"
        )
        connection.commit()


def qgis_process(inputs: dict, outputs: Path, environment: str) -> tuple[dict, float, float, float, int]:
    """Run `balanceterritories` and return its results, seconds, CPU seconds, peak MiB and exit status."""
    wishes = {
        "inputs": {**inputs, "OUTPUT": str(outputs / "territories.gpkg"), "ASSIGNMENT": str(outputs / "zips.gpkg")}
    }
    command = f'eval "$({environment})" && exec qgis_process run territories:balanceterritories -'
    start = perf_counter()
    with (outputs / "said.json").open("w+") as said, (outputs / "log.txt").open("w") as log_file:
        child = subprocess.Popen(
            ["bash", "-c", command], stdin=subprocess.PIPE, stdout=said, stderr=log_file, text=True, cwd=ROOT
        )
        child.stdin.write(json.dumps(wishes))
        child.stdin.close()
        _, status, usage = os.wait4(child.pid, 0)
        seconds = perf_counter() - start
        said.seek(0)
        text = said.read()
    exit_status = os.waitstatus_to_exitcode(status)
    child.returncode = exit_status
    results = json.loads(text[text.index("{") :])["results"] if "{" in text else {}
    return results, seconds, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024, exit_status


def nation_rows(layer: Path, graph: nx.Graph, wishes, folder: Path) -> list[dict]:
    """Return the measures of the nation's plans, read from the GeoPackages that were written."""
    with_workload(layer, wishes.data, wishes.workload)
    rows = []
    for k in wishes.nation:
        outputs = folder / f"nation_{k}"
        outputs.mkdir()
        inputs = {
            "UNITS": str(layer),
            "UNIT_FIELD": "zcta5",
            "WORKLOAD_FIELDS": ["workload"],
            "TERRITORIES": k,
            "CONTIGUITY": "queen",
            "EFFORT": wishes.effort,
            "SEED": wishes.seed,
            "TIME_LIMIT": 0,
        }
        results, seconds, cpu, peak, status = qgis_process(inputs, outputs, wishes.environment)
        row = {
            "k": k,
            "exit": status,
            "seconds": f"{seconds:.0f}",
            "CPU s": f"{cpu:.0f}",
            "peak MiB": f"{peak:.0f}",
            "load": f"{load():.1f}",
        }
        if status == 0:
            row.update(_read(outputs, graph, wishes.workload, k, results))
        else:
            print((outputs / "log.txt").read_text()[-3000:], file=sys.stderr)
        rows.append(row)
        print(row, flush=True)
    return rows


def _read(outputs: Path, graph: nx.Graph, workload: str, k: int, results: dict) -> dict:
    with closing(sqlite3.connect(outputs / "territories.gpkg")) as connection:
        table = pd.read_sql("SELECT * FROM territories", connection)
    with closing(sqlite3.connect(outputs / "zips.gpkg")) as connection:
        units = pd.read_sql("SELECT zcta5, territory FROM zips", connection)
    found = judge(graph, workload, k, dict(zip(units["zcta5"], units["territory"])))
    outside = table[table["deviation_pct"].abs() > 5 * (1 + 1e-9)]
    named = outside["reason"].fillna("").str.len() > 0
    return {
        "territories": found["territories"],
        "loose parts": found["parts"],
        "within %": f"{100 * (1 - len(outside) / max(len(table), 1)):.1f}",
        "within %, oversize set apart": f"{100 * found['within']:.1f}",
        "oversize": found["oversize"],
        "worst %": f"{100 * found['adjusted']:.1f}",
        "outside with reason": f"{named.sum()} of {len(outside)}",
        "cut edges": found["cut"],
        "RMS km": f"{found['rms_km']:.1f}",
        "workload kept": f"{results.get('TOTAL_WORKLOAD', float('nan')):,.0f}",
    }


# ------------------------------------------------------------------ the page


def sweep_table(rows: list[dict]) -> str:
    """Return the sweep as a table; growth is beside what n·log n would allow from the first of its line."""
    shown = []
    for row in rows:
        first = next(one for one in rows if one["each"] == row["each"])
        allowed = row["units"] * log(row["units"]) / (first["units"] * log(first["units"]))
        shown.append(
            {
                "ZIPs": f"{row['units']:,}",
                "k": row["k"],
                "seconds": f"{row['seconds']:.1f}",
                "CPU s": f"{row['cpu']:.1f}",
                "growth": f"{row['cpu'] / first['cpu']:.1f}",
                "n·log n": f"{allowed:.1f}",
                "held MiB": f"{row['held_mib']:.0f}",
                "peak MiB": f"{row['peak_mib']:.0f}",
                "within %": f"{100 * row['within']:.1f}",
                "worst %": f"{100 * row['adjusted']:.1f}",
                "loose parts": row["parts"],
                "RMS km": f"{row['rms_km']:.1f}",
                "load": f"{row['load']:.1f}",
            }
        )
    return as_markdown(shown)


def exponents(rows: list[dict]) -> str:
    """Return with which power of the number of ZIPs the CPU seconds grow, by least squares on logarithms."""
    told = []
    for each in dict.fromkeys(row["each"] for row in rows):
        some = [row for row in rows if row["each"] == each]
        across = np.log([row["units"] for row in some])
        power = np.polyfit(across, np.log([row["cpu"] for row in some]), 1)[0]
        allowed = np.polyfit(across, across + np.log(across), 1)[0]
        told.append(f"n^{power:.2f} with {each:g} ZIPs for each territory (n·log n over this range: n^{allowed:.2f})")
    return "CPU seconds grow as " + ", as ".join(told) + "."


def page(rows: list[dict], nation: list[dict], wishes) -> str:
    """Return the page for the documentation."""
    parts = ["# From a thousand ZIPs to the nation\n\nMade by `make bench ARGS='scaling --write'`. Workload: ", ""]
    parts[0] += f"{wishes.workload}; effort: {wishes.effort}; seed {wishes.seed}; tolerance ±5 %."
    if rows:
        parts[1] = f"""
## Growth

Maps grown from ZIP {wishes.grow_from}, neighbour by neighbour, each balanced in a process of its own (engine alone).
"growth": CPU seconds over those of the smallest map; "n·log n": what that would be. "within" and "worst" leave ZIPs
out that alone outweigh a territory. Memory is the resident set of the process, "held" before balancing.

![CPU seconds by number of ZIPs](scaling.svg)

{sweep_table(rows)}

{exponents(rows)}
"""
    if nation:
        parts.append(f"""
## The nation, from GeoPackage to GeoPackage

`qgis_process run territories:balanceterritories` on {len(nation)} numbers of territories: reading 32,988 polygons,
neighbours and bridges, balancing, dissolving, writing territories and ZIPs. Time and peak memory are those of the
whole process; plans were read from the files and measured anew. "within %" counts all territories against the same
target.

{as_markdown(nation)}
""")
    loads = [row["load"] for row in rows] + [float(row["load"]) for row in nation]
    parts.append(f"\n{packages('numpy', 'scipy', 'networkx')}; {machine(loads)}.\n")
    return "\n".join(parts)


def main() -> None:
    """Measure everything and print the tables."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--sizes", type=int, nargs="*", default=list(SIZES))
    parser.add_argument("--units-each", type=float, nargs="+", default=[165.0, 66.0], help="units for each territory")
    parser.add_argument("--grow-from", default="43215")
    parser.add_argument("--workload", choices=WORKLOADS, default="skewed")
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--nation", type=int, nargs="*", default=[200, 500], help="numbers of territories")
    parser.add_argument("--environment", default=".ci/env", help="prints what qgis_process needs to see the plugin")
    parser.add_argument("--keep", type=Path, help="copy the nation's files there")
    parser.add_argument("--write", type=Path, nargs="?", const=Path("docs/benchmarks/scaling.md"))
    parser.add_argument("--measure", nargs=4, metavar=("FILE", "K", "EFFORT", "SEED"), help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.measure:
        path, k, effort, seed = wishes.measure
        print(json.dumps(measure(Path(path), int(k), effort, int(seed))))
        return
    wishes.data = wishes.data.resolve()
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        layer = unpacked(wishes.data / f"zcta/{NATION}.gpkg.xz", folder)
        graph = national_graph(layer, wishes.data)
        rows = sweep(graph, wishes, folder)
        nation = nation_rows(layer, graph, wishes, folder) if wishes.nation else []
        if wishes.keep:
            shutil.copytree(folder, wishes.keep, dirs_exist_ok=True)
    text = page(rows, nation, wishes)
    put(text, wishes.write)
    if wishes.write and rows:
        wishes.write.with_suffix(".svg").write_text(plot(rows), encoding="utf-8")


if __name__ == "__main__":
    main()
