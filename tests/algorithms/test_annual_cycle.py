"""Last year's alignment against this year's list on real Colorado: OB/GYNs of 2023, then of the list after.

Last year's territories are balanced on the clinicians that CMS listed in 2023; the model "Annual rebalance" brings them
to this year's geocoded list. Each step is a `qgis_process` run of its own.
"""

import pandas as pd
import pytest

STATE, COUNT, TOLERANCE = "CO", 8, 10


@pytest.fixture(scope="module")
def files(shared_data, unpacked, tmp_path_factory):
    """Return the folder, both years' lists as CSV, and the polygons."""
    folder = tmp_path_factory.mktemp("annual")
    last = pd.read_csv(shared_data / "providers" / "dac_obgyn_2023.csv.gz", dtype=str)
    last = last[last["State"] == STATE]
    last[["NPI", "Zip Code"]].to_csv(folder / "last.csv", index=False)
    (folder / "last.csvt").write_text('"String","String"')
    this = pd.read_csv(shared_data / "providers" / "obgyn_npi_lonlat.csv.gz", dtype=str)
    this = this[this["state"] == STATE]
    this[["npi", "zcta5"]].to_csv(folder / "this.csv", index=False)
    (folder / "this.csvt").write_text('"String","String"')
    zips = f"{unpacked(f'zcta/zcta_{STATE}.gpkg.xz')}|layername=zcta"
    crosswalk = str(shared_data / "crosswalks" / "uds_zip_to_zcta_2015.csv")
    return {"folder": folder, "last": len(last), "this": len(this), "zips": zips, "crosswalk": crosswalk}


def test_last_years_alignment_against_this_years_list(qgis_process, files, read_rows):
    folder = files["folder"]

    def run(algorithm, **parameters):
        done = qgis_process(f"territories:{algorithm}", parameters, by_json=True, timeout=600)
        assert done.status == 0, done.messages
        return done.results

    run(
        "sumproviderstozips", PROVIDERS=str(folder / "last.csv"), PROVIDER_ZIP_FIELD="Zip Code", ZIPS=files["zips"],
        ZIP_FIELD="zcta5", CROSSWALK=files["crosswalk"], OUTPUT=str(folder / "last.gpkg"),
    )  # fmt: skip
    run(
        "balanceterritories", UNITS=str(folder / "last.gpkg"), UNIT_FIELD="zcta5", WORKLOAD_FIELDS=["providers"],
        TERRITORIES=COUNT, TOLERANCE=TOLERANCE, OUTPUT="TEMPORARY_OUTPUT", ASSIGNMENT=str(folder / "alignment.gpkg"),
    )  # fmt: skip
    names = {
        "territories": "territories", "zips_by_territory": "zips", "zips_that_change_hands": "moves",
        "gained_and_lost": "gained_lost",
    }  # fmt: skip
    run(
        "Annual rebalance", PROVIDERS=str(folder / "this.csv"), PROVIDER_ZIP_FIELD="zcta5", ZIPS=files["zips"],
        ZIP_FIELD="zcta5", CROSSWALK=files["crosswalk"], ALIGNMENT=str(folder / "alignment.gpkg"),
        ALIGNMENT_UNIT_FIELD="zcta5", ALIGNMENT_TERRITORY_FIELD="territory", TOLERANCE=TOLERANCE,
        **{output: str(folder / f"{name}.gpkg") for output, name in names.items()},
        adjacency="TEMPORARY_OUTPUT", weighted_providers="TEMPORARY_OUTPUT",
        providers_without_a_zip=str(folder / "lost.gpkg"), report=str(folder / "report.html"),
    )  # fmt: skip
    plan, zips = read_rows(folder / "territories.gpkg"), read_rows(folder / "zips.gpkg")
    last = {row["zcta5"]: row["territory"] for row in read_rows(folder / "alignment.gpkg")}
    assert {row["territory"] for row in plan} == set(last.values())  # every rep keeps a territory of the same name
    assert len(plan) == COUNT
    assert all(abs(row["deviation_pct"]) <= TOLERANCE and row["parts"] == 1 for row in plan)
    assert sum(row["workload"] for row in plan) == files["this"] - len(read_rows(folder / "lost.gpkg"))
    moved = {row["zcta5"] for row in zips if last[row["zcta5"]] != row["territory"]}
    assert moved == {row["unit"] for row in read_rows(folder / "moves.gpkg")}
    load = {row["zcta5"]: row["workload"] for row in zips}
    assert sum(load[unit] for unit in moved) <= 0.1 * sum(load.values())
    for row in read_rows(folder / "gained_lost.gpkg"):
        assert row["workload_before"] == pytest.approx(
            sum(load[unit] for unit, name in last.items() if name == row["territory"])
        )
        assert row["kept_pct"] >= 50
