"""Volume from a claims file of full size, made for it: seconds, rows a second, peak memory.

python -m benchmarks.claims --rows 1000000      # the true file has 9.8 million
"""

from __future__ import annotations

import argparse
import os
import resource
import tempfile
import time
from pathlib import Path

import numpy as np

from territory_plugin.engine.claims import ProcedureFilter, Wishes, read_claims

from .nppes_file import check_digits

HEADER = (
    "Rndrng_NPI,Rndrng_Prvdr_Last_Org_Name,Rndrng_Prvdr_First_Name,Rndrng_Prvdr_MI,Rndrng_Prvdr_Crdntls,"
    "Rndrng_Prvdr_Ent_Cd,Rndrng_Prvdr_St1,Rndrng_Prvdr_St2,Rndrng_Prvdr_City,Rndrng_Prvdr_State_Abrvtn,"
    "Rndrng_Prvdr_State_FIPS,Rndrng_Prvdr_Zip5,Rndrng_Prvdr_RUCA,Rndrng_Prvdr_RUCA_Desc,Rndrng_Prvdr_Cntry,"
    "Rndrng_Prvdr_Type,Rndrng_Prvdr_Mdcr_Prtcptg_Ind,HCPCS_Cd,HCPCS_Desc,HCPCS_Drug_Ind,Place_Of_Srvc,Tot_Benes,"
    "Tot_Srvcs,Tot_Bene_Day_Srvcs,Avg_Sbmtd_Chrg,Avg_Mdcr_Alowd_Amt,Avg_Mdcr_Pymt_Amt,Avg_Mdcr_Stdzd_Amt\n"
)
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


def main() -> None:
    """Make the file, read it, print one line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    wishes = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "claims.csv"
        write(path, wishes.rows)
        first = 100_000_000 + np.arange(0, wishes.rows // 9, 20) * 31
        npis = set((first * 10 + check_digits(first)).astype(str))
        asked = Wishes(codes=ProcedureFilter(["27447", "99213-99215"]), measure="allowed")
        start, cpu = time.perf_counter(), time.process_time()
        volumes, audit = read_claims(str(path), npis, asked)
        seconds, cpu = time.perf_counter() - start, time.process_time() - cpu
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
        print(
            f"{path.stat().st_size / 1e9:.2f} GB, {audit.read:,} rows, {len(volumes):,} of {len(npis):,} providers: "
            f"{seconds:.1f} s, {audit.read / seconds:,.0f} rows/s, {cpu:.1f} CPU s, peak {peak:.0f} MB; "
            f"load {os.getloadavg()[0]:.1f}"
        )


if __name__ == "__main__":
    main()
