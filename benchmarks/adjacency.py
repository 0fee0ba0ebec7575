"""Neighbours of real ZIPs against libpysal: same pairs and border lengths, times, peak memory.

make bench ARGS="adjacency --write docs/benchmarks/adjacency.md"

Every method reads the polygons from the same file in a fresh process of its own; reading and importing
are not timed. Time is the best of several runs, memory is what the process takes at its peak beyond
what it holds after reading.
"""

from __future__ import annotations

import argparse
import json
import lzma
import platform
import resource
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import warnings
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from time import perf_counter

import numpy as np
import pandas as pd
import shapely

from .pages import put

STATES = ("RI", "DE", "CO", "MN", "IL", "NY", "PA")
NATION = "us_zcta_simplified_0.001"
METHODS = {
    "ours": "contiguity_edges, queen",
    "ours rook": "contiguity_edges, rook",
    "Queen": "libpysal.weights.Queen",
    "Graph": "libpysal Graph.build_contiguity, queen",
    "Graph rook": "libpysal Graph.build_contiguity, rook",
}
PEERS = {"Queen": "ours", "Graph": "ours", "Graph rook": "ours rook"}


def read_layer(path: Path) -> tuple[np.ndarray, np.ndarray]:
    """Return the polygons and the ids of a GeoPackage with the layer `zcta`."""
    with closing(sqlite3.connect(path)) as connection:
        (table,) = connection.execute("SELECT table_name FROM gpkg_geometry_columns").fetchone()
        query = {"zcta": "SELECT zcta5, geom FROM zcta"}.get(table)
        if query is None:
            raise ValueError(f"{path.name} has no layer zcta")
        rows = connection.execute(query).fetchall()
    envelope = [0, 32, 48, 48, 64]
    shapes = shapely.from_wkb([blob[8 + envelope[blob[3] >> 1 & 7] :] for _, blob in rows])
    return shapes, np.array([zcta for zcta, _ in rows], dtype=object)


def method(name: str):
    """Return a function of polygons and ids that builds the neighbours, and one that lists the pairs."""
    if name.startswith("ours"):
        from ..territory_plugin.engine.contiguity import contiguity_edges

        criterion = "rook" if name.endswith("rook") else "queen"
        return (
            lambda shapes, ids, frame: contiguity_edges(shapes, ids, criterion),
            lambda edges: (edges["from_unit"], edges["to_unit"]),
        )
    if name == "Queen":
        from libpysal.weights import Queen

        def listed(weights):
            both = [(a, b) for a, others in weights.neighbors.items() for b in others if a < b]
            return tuple(zip(*both)) if both else ((), ())

        return lambda shapes, ids, frame: Queen.from_dataframe(frame, use_index=True), listed
    from libpysal.graph import Graph

    def listed_once(graph):
        adjacency = graph.adjacency.reset_index()
        once = adjacency[adjacency["focal"] < adjacency["neighbor"]]
        return once["focal"], once["neighbor"]

    return lambda shapes, ids, frame: Graph.build_contiguity(frame, rook=name.endswith("rook")), listed_once


def measure(name: str, path: Path, repeat: int) -> dict:
    """Run one method in this process and return its time, memory and pairs."""
    warnings.simplefilter("ignore")
    build, listed = method(name)
    shapes, ids = read_layer(path)
    frame = None
    if not name.startswith("ours"):
        import geopandas

        frame = geopandas.GeoDataFrame({"zcta5": ids}, geometry=shapes).set_index("zcta5")
    held = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = []
    for _ in range(repeat):
        begin = perf_counter()
        result = build(shapes, ids, frame)
        seconds.append(perf_counter() - begin)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    pairs = sorted(map(list, zip(*(list(column) for column in listed(result)))))
    vertices = int(shapely.get_num_coordinates(shapes).sum())
    return {
        "seconds": min(seconds),
        "spread": max(seconds) / min(seconds),
        "held_mib": held / 1024,
        "peak_mib": peak / 1024,
        "pairs": pairs,
        "units": len(ids),
        "vertices": vertices,
    }


def in_own_process(name: str, path: Path, repeat: int) -> dict:
    """Run `measure` in a fresh process."""
    command = [sys.executable, "-m", __spec__.name, "--measure", name, str(path), str(repeat)]
    done = subprocess.run(command, check=True, capture_output=True, text=True)
    return json.loads(done.stdout.splitlines()[-1])


def lengths_against_geometry(path: Path, most: int = 2000) -> float:
    """Return the largest relative difference of our border lengths to those of GEOS intersections.

    Both are measured on the ellipsoid; on a random sample of borders with more than 10 m.
    """
    from ..territory_plugin.engine.contiguity import contiguity_edges
    from ..territory_plugin.engine.geodesy import segment_lengths_m

    shapes, ids = read_layer(path)
    rook = contiguity_edges(shapes, ids, "rook", sliver_tolerance_m=0)
    rook = rook[rook["border_m"] > 10]
    sample = rook.sample(min(most, len(rook)), random_state=1)
    outline = dict(zip(ids, shapely.boundary(shapes)))
    worst = 0.0
    for a, b, metres in zip(sample["from_unit"], sample["to_unit"], sample["border_m"]):
        common = shapely.intersection(outline[a], outline[b])
        lines = [part for part in shapely.get_parts(common) if part.geom_type == "LineString"]
        xy = [shapely.get_coordinates(line) for line in lines]
        expected = sum(segment_lengths_m(line[:-1], line[1:]).sum() for line in xy)
        worst = max(worst, abs(metres / expected - 1))
    return worst


def unpacked(packed: Path, folder: Path) -> Path:
    """Unpack an .xz into a folder and return where."""
    target = folder / packed.stem
    with lzma.open(packed) as source, target.open("wb") as sink:
        shutil.copyfileobj(source, sink)
    return target


def all_states(paths: list[Path], folder: Path) -> Path:
    """Write one GeoPackage-like file with the polygons of all states."""
    target = folder / "seven_states.gpkg"
    with closing(sqlite3.connect(target)) as connection:
        connection.execute("CREATE TABLE gpkg_geometry_columns (table_name TEXT)")
        connection.execute("INSERT INTO gpkg_geometry_columns VALUES ('zcta')")
        connection.execute("CREATE TABLE zcta (zcta5 TEXT PRIMARY KEY, geom BLOB)")
        for path in paths:
            with closing(sqlite3.connect(path)) as state:
                rows = state.execute("SELECT zcta5, geom FROM zcta").fetchall()
            connection.executemany("INSERT OR IGNORE INTO zcta VALUES (?, ?)", rows)
        connection.commit()
    return target


def row(label: str, path: Path, repeat: int) -> dict:
    """Measure all methods on one layer and return a row of the table."""
    found = {name: in_own_process(name, path, repeat) for name in METHODS}
    for peer, ours in PEERS.items():
        mine = {tuple(pair) for pair in found[ours]["pairs"]}
        theirs = {tuple(pair) for pair in found[peer]["pairs"]}
        if mine != theirs:
            raise SystemExit(f"{label}: {ours} and {peer} differ in {sorted(mine ^ theirs)[:10]}")
    seconds = {name: result["seconds"] for name, result in found.items()}
    peak = {name: result["peak_mib"] for name, result in found.items()}
    return {
        "layer": label,
        "ZIPs": f"{found['ours']['units']:,}",
        "vertices": f"{found['ours']['vertices']:,}",
        "queen pairs": f"{len(found['ours']['pairs']):,}",
        "rook pairs": f"{len(found['ours rook']['pairs']):,}",
        "ours s": f"{seconds['ours']:.3f}",
        "Queen s": f"{seconds['Queen']:.2f}",
        "× Queen": f"{seconds['Queen'] / seconds['ours']:.1f}",
        "Graph s": f"{seconds['Graph']:.2f}",
        "× Graph": f"{seconds['Graph'] / seconds['ours']:.1f}",
        "rook s": f"{seconds['ours rook']:.3f}",
        "Graph rook s": f"{seconds['Graph rook']:.2f}",
        "× Graph rook": f"{seconds['Graph rook'] / seconds['ours rook']:.1f}",
        "held MiB": f"{found['ours']['held_mib']:.0f}",
        "ours peak": f"{peak['ours']:.0f}",
        "Queen peak": f"{peak['Queen']:.0f}",
        "Graph peak": f"{peak['Graph']:.0f}",
        "lengths": f"{lengths_against_geometry(path):.0e}",
    }


def as_markdown(rows: list[dict]) -> str:
    """Return the table."""
    head = list(rows[0])
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(row[name]) for name in head) + " |" for row in rows]
    return "\n".join(lines)


def page(rows: list[dict]) -> str:
    """Return the page for the documentation."""
    packages = ", ".join(f"{name} {version(name)}" for name in ("libpysal", "geopandas", "shapely", "numpy", "pandas"))
    return f"""# Neighbours of ZIPs, against libpysal

Made by `make bench ARGS="adjacency --write"`. Every method ran in a fresh process on the same polygons,
one after the other; reading is not timed, the best of several runs counts. On every line all methods found
the same pairs, queen and rook: the run stops when one differs. Ours also returns border lengths and
distances between centres, and looks for slivers within 1 m; libpysal's methods do not.

{as_markdown(rows)}

× Queen: `libpysal.weights.Queen.from_dataframe` over ours; × Graph: `libpysal.graph.Graph.build_contiguity`
over ours. Peak is the resident memory of the process in MiB, of which "held" was there after reading the
layer in ours. "lengths": largest relative difference of border lengths to GEOS intersections of the
outlines, both on the ellipsoid, over up to 2,000 borders.

Python {platform.python_version()}, {packages}, {platform.system()} {platform.machine()}.
"""


def main() -> None:
    """Measure everything and print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--states", nargs="*", default=list(STATES))
    parser.add_argument("--no-nation", action="store_true")
    parser.add_argument("--repeat", type=int, default=3)
    parser.add_argument("--write", type=Path, nargs="?", const=Path("docs/benchmarks/adjacency.md"))
    parser.add_argument("--measure", nargs=3, metavar=("METHOD", "FILE", "REPEAT"), help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.measure:
        name, path, repeat = wishes.measure
        print(json.dumps(measure(name, Path(path), int(repeat))))
        return
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(scratch)
        layers = {state: unpacked(wishes.data / f"zcta/zcta_{state}.gpkg.xz", folder) for state in wishes.states}
        if len(layers) > 1:
            layers["all these states"] = all_states(list(layers.values()), folder)
        if not wishes.no_nation:
            layers["nation, simplified"] = unpacked(wishes.data / f"zcta/{NATION}.gpkg.xz", folder)
        rows = []
        for label, path in layers.items():
            rows.append(row(label, path, wishes.repeat))
            print(pd.DataFrame(rows[-1:]).T.to_string(header=False), end="\n\n", flush=True)
    put(page(rows), wishes.write)


if __name__ == "__main__":
    main()
