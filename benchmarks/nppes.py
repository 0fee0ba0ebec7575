"""Import of a full-size NPPES file beside ogr2ogr with the same filter, and the readers that were candidates.

make bench ARGS="nppes --rows 500000"  # makes the file, measures, deletes it
make bench ARGS="nppes --file npidata.csv --readers"
make bench ARGS="nppes --file NPPES_Data_Dissemination.zip --only ours"
make bench ARGS="nppes --against OTHER_CHECKOUT --turns 5"  # the import alone, this checkout and another in turns

Each measurement runs in a process of its own: wall seconds, CPU seconds, peak memory, rows kept.
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path

import numpy as np

from . import checkouts
from .nppes_file import check_digits, write

STATE, PREFIX = "NY", "207X"
PRACTICE = "Provider Business Practice Location Address"
PRACTICE_STATE = f"{PRACTICE} State Name"
CODE, SWITCH = "Healthcare Provider Taxonomy Code_{}", "Healthcare Provider Primary Taxonomy Switch_{}"
# the primary code, as the generator has at most two of them
OGR_FILTER = (
    f"\"{PRACTICE_STATE}\" = '{STATE}' AND ((\"{SWITCH.format(1)}\" = 'Y' AND \"{CODE.format(1)}\" LIKE '{PREFIX}%') "
    f"OR (\"{SWITCH.format(2)}\" = 'Y' AND \"{CODE.format(2)}\" LIKE '{PREFIX}%'))"
)


def ours(path: str, root: str = checkouts.HERE) -> int:
    """Read with the engine of the plugin in a folder."""
    nppes, taxonomy = (checkouts.engine(root, name) for name in ("nppes", "taxonomy"))
    wishes = nppes.Wishes(states=frozenset({STATE}), codes=taxonomy.CodeFilter([PREFIX]))
    kept, (audit,) = nppes.read_providers(path, wishes)
    print(audit.sentence(), file=sys.stderr)
    return len(kept)


def with_csv(path: str) -> int:
    """Read with Python's csv module."""
    import csv

    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.reader(file)
        at = {name: place for place, name in enumerate(next(reader))}
        state, pairs = at[PRACTICE_STATE], [(at[CODE.format(n)], at[SWITCH.format(n)]) for n in (1, 2)]
        return sum(
            row[state] == STATE and any(row[s] == "Y" and row[c].startswith(PREFIX) for c, s in pairs) for row in reader
        )


def with_pandas(path: str) -> int:
    """Read with pandas in chunks, the columns that the plugin keeps."""
    import pandas as pd

    columns = [PRACTICE_STATE, *(name.format(n) for name in (CODE, SWITCH) for n in range(1, 16))]
    count = 0
    for chunk in pd.read_csv(path, usecols=columns, dtype=str, na_filter=False, chunksize=50_000):
        fits = sum((chunk[SWITCH.format(n)] == "Y") & chunk[CODE.format(n)].str.startswith(PREFIX) for n in (1, 2))
        count += int(((chunk[PRACTICE_STATE] == STATE) & (fits > 0)).sum())
    return count


def with_pyarrow(path: str) -> int:
    """Read with PyArrow's streaming reader."""
    import pyarrow as pa
    import pyarrow.compute as pc
    from pyarrow import csv

    columns = [PRACTICE_STATE, *(name.format(n) for name in (CODE, SWITCH) for n in range(1, 16))]
    stream = csv.open_csv(
        path,
        read_options=csv.ReadOptions(block_size=4 << 20),
        parse_options=csv.ParseOptions(newlines_in_values=True),
        convert_options=csv.ConvertOptions(
            include_columns=columns, column_types=dict.fromkeys(columns, pa.string()), strings_can_be_null=False
        ),
    )
    count = 0
    for batch in stream:
        fits = [
            pc.and_(pc.equal(batch[SWITCH.format(n)], "Y"), pc.starts_with(batch[CODE.format(n)], PREFIX))
            for n in (1, 2)
        ]
        count += pc.sum(pc.and_(pc.equal(batch[PRACTICE_STATE], STATE), pc.or_(*fits))).as_py() or 0
    return count


def sql(table: str) -> str:
    """Return the filter as a query that counts."""
    return f"SELECT count(*) FROM {table} WHERE {OGR_FILTER}"  # a constant filter; no user's text in it


def with_duckdb(path: str) -> int:
    """Read with DuckDB."""
    import duckdb

    table = f"read_csv('{path}', all_varchar=true, header=true, delim=',', quote='\"')"
    return duckdb.connect().execute(sql(table)).fetchone()[0]


def with_polars(path: str) -> int:
    """Read with Polars's streaming engine."""
    import polars as pl

    fits = [(pl.col(SWITCH.format(n)) == "Y") & pl.col(CODE.format(n)).str.starts_with(PREFIX) for n in (1, 2)]
    frame = pl.scan_csv(path, infer_schema=False).filter((pl.col(PRACTICE_STATE) == STATE) & (fits[0] | fits[1]))
    return frame.select(pl.len()).collect(engine="streaming").item()


def with_ogr2ogr(path: str) -> int:
    """Filter with GDAL's CSV driver."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kept.csv"
        subprocess.run(["ogr2ogr", "-f", "CSV", out, path, "-where", OGR_FILTER], check=True, capture_output=True)
        from csv import reader

        with open(out, newline="") as file:
            return sum(1 for _ in reader(file)) - 1


READERS = {
    "ours": ours, "ogr2ogr": with_ogr2ogr, "csv": with_csv, "pandas": with_pandas, "pyarrow": with_pyarrow,
    "duckdb": with_duckdb, "polars": with_polars,
}  # fmt: skip


def measure(name: str, path: str, root: str = "") -> dict:
    """Run one reader in a process of its own."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--one", name, "--file", path, *(["--against", root] if root else [])],
        capture_output=True,
        text=True,
    )
    seconds = time.perf_counter() - start
    if done.returncode:
        return {"reader": name, "failed": done.stderr.strip().splitlines()[-1][:100]}
    return {"reader": name, "seconds": seconds, **json.loads(done.stdout)}


def one(name: str, path: str, root: str | None) -> None:
    """Read, and print rows kept, CPU seconds and peak memory as JSON."""
    kept = ours(path, root) if root else READERS[name](path)
    own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    cpu = sum(usage.ru_utime + usage.ru_stime for usage in (own, child))
    print(json.dumps({"kept": kept, "cpu": cpu, "peak_mb": max(own.ru_maxrss, child.ru_maxrss) / 1024}))


def explain(path: str) -> tuple[dict[str, int], list[str]]:
    """Return what becomes of the rows that fit the filter, and the NPIs that the plugin leaves out.

    With Python's csv module and the generator's check digits, so that neither side tells on itself.
    """
    import csv

    with open(path, encoding="utf-8", errors="replace", newline="") as file:
        reader = csv.reader(file)
        at = {name: place for place, name in enumerate(next(reader))}
        state, pairs = at[PRACTICE_STATE], [(at[CODE.format(n)], at[SWITCH.format(n)]) for n in (1, 2)]
        off, country = at["NPI Deactivation Date"], at[f"{PRACTICE} Country Code (If outside U.S.)"]
        rows = [
            (row[0], row[off], row[country])
            for row in reader
            if row[state] == STATE and any(row[s] == "Y" and row[c].startswith(PREFIX) for c, s in pairs)
        ]
    npi = np.array([int(row[0]) for row in rows])
    wrong = check_digits(npi // 10) != npi % 10
    counts, left_out, seen = Counter(), [], set()
    for (number, gone, place), bad in zip(rows, wrong):
        reason = (
            "wrong check digit" if bad else "deactivated" if gone else "outside the United States"
            if place not in ("US", "") else "repeated NPI" if number in seen else "kept"
        )  # fmt: skip
        seen.add(number)
        counts[reason] += 1
        if reason != "kept":
            left_out.append(number)
    return dict(counts), left_out


def told(kept: dict[str, int], path: str) -> str:
    """Return why ours and ogr2ogr keep different numbers of rows, or that they do not add up."""
    counts, left_out = explain(path)
    adds_up = kept.get("ours") == counts.get("kept", 0) and kept.get("ogr2ogr") in (None, sum(counts.values()))
    parts = " + ".join(f"{count:,} {reason}" for reason, count in counts.items())
    named = f"; left out: {', '.join(left_out[:10])}" if left_out else ""
    return f"{sum(counts.values()):,} rows fit the filter = {parts}{named}" + ("" if adds_up else " DOES NOT ADD UP")


def main() -> None:
    """Make the file, measure, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--file", help="an existing file, instead of making one")
    parser.add_argument("--readers", action="store_true", help="all candidates that are installed, not only ogr2ogr")
    parser.add_argument("--only", choices=READERS, nargs="*", help="these readers; a zip only ours can read")
    parser.add_argument("--against", help="another checkout of the plugin, in turns with this one")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", choices=READERS, help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.one:
        one(wishes.one, wishes.file, wishes.against)
        return
    folder = None
    path = wishes.file
    if not path:
        folder = tempfile.mkdtemp()
        path = str(Path(folder) / "npidata_pfile.csv")
        write(Path(path), wishes.rows)
    try:
        size = os.path.getsize(path)
        print(f"{size / 1e9:.2f} GB, one state and one specialty; load {os.getloadavg()[0]:.1f} before")
        print(f"{'reader':10}{'seconds':>9}{'MB/s':>7}{'CPU s':>8}{'peak MB':>9}{'kept':>7}")
        if wishes.against:
            turns = checkouts.in_turns(lambda root: measure("ours", path, root), wishes.against, wishes.turns)
            print(checkouts.told(*turns, "kept"))
            return
        kept = {}
        for name in READERS if wishes.readers else wishes.only or ("ours", "ogr2ogr"):
            row = measure(name, path)
            kept[name] = row.get("kept")
            if "failed" in row:
                print(f"{name:10}  {row['failed']}")
                continue
            print(
                f"{name:10}{row['seconds']:9.1f}{size / row['seconds'] / 1e6:7.0f}{row['cpu']:8.1f}"
                f"{row['peak_mb']:9.0f}{row['kept']:7}",
                flush=True,
            )
        print(f"load {os.getloadavg()[0]:.1f} after")
        if not path.lower().endswith(".zip"):
            print(told(kept, path))
    finally:
        if folder:
            shutil.rmtree(folder)


if __name__ == "__main__":
    main()
