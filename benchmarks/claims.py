"""Volume from a claims file of full size, made for it, beside pandas and ogr2ogr: seconds, peak memory, the sums.

make bench ARGS="claims --rows 1000000"  # the true file has 9.8 million
make bench ARGS="claims --against OTHER_CHECKOUT --turns 5"  # the sums alone, this checkout and another in turns
"""

from __future__ import annotations

import argparse
import json
import os
import resource
import subprocess
import sys
import tempfile
import time
from pathlib import Path

import numpy as np

from . import checkouts
from .nppes_file import check_digits

HEADER = (
    "Rndrng_NPI,Rndrng_Prvdr_Last_Org_Name,Rndrng_Prvdr_First_Name,Rndrng_Prvdr_MI,Rndrng_Prvdr_Crdntls,"
    "Rndrng_Prvdr_Ent_Cd,Rndrng_Prvdr_St1,Rndrng_Prvdr_St2,Rndrng_Prvdr_City,Rndrng_Prvdr_State_Abrvtn,"
    "Rndrng_Prvdr_State_FIPS,Rndrng_Prvdr_Zip5,Rndrng_Prvdr_RUCA,Rndrng_Prvdr_RUCA_Desc,Rndrng_Prvdr_Cntry,"
    "Rndrng_Prvdr_Type,Rndrng_Prvdr_Mdcr_Prtcptg_Ind,HCPCS_Cd,HCPCS_Desc,HCPCS_Drug_Ind,Place_Of_Srvc,Tot_Benes,"
    "Tot_Srvcs,Tot_Bene_Day_Srvcs,Avg_Sbmtd_Chrg,Avg_Mdcr_Alowd_Amt,Avg_Mdcr_Pymt_Amt,Avg_Mdcr_Stdzd_Amt\n"
)
WANTED = ("27447", "99213", "99214", "99215")
CODES = ("27447", "27130", "99213", "99214", "99215", "J3301", "G0008", "20610", "73562", "99203")


def write(path: Path, rows: int, seed: int = 1) -> None:
    """Write a file with nine rows a provider; descriptions and areas with commas are quoted, as in the true one."""
    rng = np.random.default_rng(seed)
    with open(path, "w", encoding="utf-8") as file:
        file.write(HEADER)
        for block in range(0, rows, 100_000):
            count = min(100_000, rows - block)
            first = 100_000_000 + (np.arange(block, block + count) // 9) * 31
            npi = first * 10 + check_digits(first)
            code, people = rng.choice(CODES, count), rng.integers(11, 400, count)
            place, area = rng.choice(("O", "F"), count), rng.random(count) < 0.8
            file.writelines(
                f"{npi[at]},OAK,ANA,M,MD,I,1 ELM ST,STE 5,ALBANY,NY,36,12207,1,"
                f"{'Core area' if area[at] else chr(34) + 'Core area, secondary flow' + chr(34)},"
                "US,Orthopedic Surgery,Y,"
                f"{code[at]},{chr(34) + 'Joint, long words about it' + chr(34) if at % 3 else 'Visit'},"
                f"{'Y' if code[at][0] == 'J' else 'N'},{place[at]},{people[at]},{people[at] * 2}.0,{people[at]},"
                f"250.5,101.25,80.75,79.5\n"
                for at in range(count)
            )


def asked(rows: int) -> set[str]:
    """Return the NPIs that are asked for: every twentieth of the file's."""
    first = 100_000_000 + np.arange(0, rows // 9, 20) * 31
    return set((first * 10 + check_digits(first)).astype(str))


def ours(path: str, npis: set[str], root: str = checkouts.HERE) -> dict[str, float]:
    """Sum with the engine of the plugin in a folder."""
    claims = checkouts.engine(root, "claims")
    wishes = claims.Wishes(codes=claims.ProcedureFilter(["27447", "99213-99215"]), measure="allowed")
    volumes, audit = claims.read_claims(path, npis, wishes)
    print(audit.sentence(), file=sys.stderr)
    return volumes.loc[volumes["rows"] > 0, "volume"].to_dict()


def with_pandas(path: str, npis: set[str]) -> dict[str, float]:
    """Sum with pandas, in chunks of 200,000 rows and the four columns that are needed."""
    import pandas as pd

    total = pd.Series(dtype=float)
    columns = {"Rndrng_NPI": str, "HCPCS_Cd": str, "Tot_Srvcs": float, "Avg_Mdcr_Alowd_Amt": float}
    for chunk in pd.read_csv(path, usecols=list(columns), dtype=columns, chunksize=200_000):
        kept = chunk[chunk["Rndrng_NPI"].isin(npis) & chunk["HCPCS_Cd"].isin(WANTED)]
        sums = (kept["Tot_Srvcs"] * kept["Avg_Mdcr_Alowd_Amt"]).groupby(kept["Rndrng_NPI"]).sum()
        total = total.add(sums, fill_value=0)
    return total.to_dict()


def with_ogr2ogr(path: str, npis: set[str]) -> dict[str, float]:
    """Filter with GDAL's CSV driver by procedure, and sum what is left: it has no list of NPIs."""
    import csv

    total: dict[str, float] = {}
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "kept.csv"
        codes = ", ".join(f"'{code}'" for code in WANTED)
        subprocess.run(
            ["ogr2ogr", "-f", "CSV", out, path, "-where", f"HCPCS_Cd IN ({codes})", "-select",
             "Rndrng_NPI,Tot_Srvcs,Avg_Mdcr_Alowd_Amt"], check=True, capture_output=True,
        )  # fmt: skip
        with open(out, newline="") as file:
            for row in csv.DictReader(file):
                if row["Rndrng_NPI"] in npis:
                    amount = float(row["Tot_Srvcs"]) * float(row["Avg_Mdcr_Alowd_Amt"])
                    total[row["Rndrng_NPI"]] = total.get(row["Rndrng_NPI"], 0.0) + amount
    return total


WAYS = {"ours": ours, "pandas": with_pandas, "ogr2ogr": with_ogr2ogr}


def one(name: str, path: str, rows: int, root: str | None) -> None:
    """Sum, and print providers, volume, CPU seconds and peak memory as JSON."""
    volume = ours(path, asked(rows), root) if root else WAYS[name](path, asked(rows))
    own, child = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    print(json.dumps({
        "providers": len(volume), "volume": sum(volume.values()),
        "cpu": sum(usage.ru_utime + usage.ru_stime for usage in (own, child)),
        "peak_mb": max(own.ru_maxrss, child.ru_maxrss) / 1024,
    }))  # fmt: skip


def measure(name: str, path: str, rows: int, root: str = "") -> dict:
    """Sum one way in a process of its own."""
    start = time.perf_counter()
    done = subprocess.run(
        [sys.executable, "-m", __spec__.name, "--one", name, "--file", path, "--rows", str(rows),
         *(["--against", root] if root else [])], capture_output=True, text=True,
    )  # fmt: skip
    seconds = time.perf_counter() - start
    if done.returncode:
        return {"failed": done.stderr.strip().splitlines()[-1][:100]}
    return {"seconds": seconds, **json.loads(done.stdout)}


def main() -> None:
    """Make the file, measure each way in a process of its own, print the table."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--file", help="a file that this module has made with as many rows")
    parser.add_argument("--only", choices=WAYS, nargs="*", default=list(WAYS))
    parser.add_argument("--against", help="another checkout of the plugin, in turns with this one")
    parser.add_argument("--turns", type=int, default=3)
    parser.add_argument("--one", choices=WAYS, help=argparse.SUPPRESS)
    wishes = parser.parse_args()
    if wishes.one:
        one(wishes.one, wishes.file, wishes.rows, wishes.against)
        return
    with tempfile.TemporaryDirectory() as folder:
        path = wishes.file or str(Path(folder) / "claims.csv")
        if not wishes.file:
            write(Path(path), wishes.rows)
        print(f"{os.path.getsize(path) / 1e9:.2f} GB, {wishes.rows:,} rows; load {os.getloadavg()[0]:.1f} before")
        if wishes.against:
            turns = checkouts.in_turns(
                lambda root: measure("ours", path, wishes.rows, root), wishes.against, wishes.turns
            )
            print(checkouts.told(*turns, "volume"))
            return
        print(f"{'':10}{'seconds':>9}{'CPU s':>8}{'peak MB':>9}{'providers':>11}{'volume':>18}")
        for name in wishes.only:
            row = measure(name, path, wishes.rows)
            if "failed" in row:
                print(f"{name:10}  {row['failed']}")
                continue
            print(
                f"{name:10}{row['seconds']:9.1f}{row['cpu']:8.1f}{row['peak_mb']:9.0f}{row['providers']:11,}"
                f"{row['volume']:18,.2f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
