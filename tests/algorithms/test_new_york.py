"""A market from files to territories on real New York: OB/GYN points, ECP sites by FTE, Part B volume.

The points are written as an NPPES file with coordinates, so that the way begins with the import; every step is a
`qgis_process` run of its own. Figures are compared with plain computations on the source files.
"""

import json

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.benchmarks import nppes_file

PRACTICE = "Provider Business Practice Location Address"
COUNT = 20


@pytest.fixture(scope="module")
def market(shared_data, unpacked, tmp_path_factory):
    """Return the folder of the chain, its source files, and the real points."""
    folder = tmp_path_factory.mktemp("new_york")
    points = pd.read_csv(shared_data / "providers" / "obgyn_npi_lonlat.csv.gz", dtype=str)
    points = points[points["state"].isin(["NY", "NJ"])]
    rows = pd.DataFrame("", index=points.index, columns=[*nppes_file.header(), "Latitude", "Longitude"])
    for column, values in {
        "NPI": points["npi"],
        "Entity Type Code": "1",
        f"{PRACTICE} State Name": points["state"],
        f"{PRACTICE} Postal Code": points["zcta5"] + "0000",
        "Healthcare Provider Taxonomy Code_1": "207V00000X",
        "Healthcare Provider Primary Taxonomy Switch_1": "Y",
        "Latitude": points["lat"],
        "Longitude": points["lon"],
    }.items():
        rows[column] = values
    rows.to_csv(folder / "npidata_pfile.csv", index=False, quoting=1)
    sites = pd.read_csv(shared_data / "providers" / "hhs_ecp_2018_sites.csv.gz", dtype=str)
    sites = sites[sites["Site State"] == "NY"]
    sites = pd.DataFrame(
        {
            "name": sites["Site Name"],
            "zip": sites["Site Zip Code"],
            "fte": sites["Number of Medical FTEs or Bed Count"],
        }
    )
    sites.to_csv(folder / "ecp.csv", index=False)
    (folder / "ecp.csvt").write_text('"String","String","Real"')
    return {
        "folder": folder,
        "points": points[points["state"] == "NY"],
        "sites": sites.assign(fte=pd.to_numeric(sites["fte"])),
        "zips": f"{unpacked('zcta/zcta_NY.gpkg.xz')}|layername=zcta",
        "crosswalk": str(shared_data / "crosswalks" / "uds_zip_to_zcta_2015.csv"),
        "claims": str(shared_data / "providers" / "cms_partb_puf2012_npi_hcpcs_pos.csv.gz"),
    }


@pytest.fixture(scope="module")
def step(qgis_process, market):
    """Return ``step(algorithm, output, **parameters)``, which must succeed and gives results and the file."""

    def run(algorithm, output, **parameters):
        path = str(market["folder"] / f"{output}.gpkg")
        done = qgis_process(f"territories:{algorithm}", {"OUTPUT": path, **parameters}, by_json=True, timeout=600)
        assert done.status == 0, done.messages
        return done.results, path

    return run


def test_from_files_to_balanced_territories_step_by_step(step, market):
    folder = market["folder"]
    imported, providers = step(
        "importnppes", "imported", INPUT=str(folder / "npidata_pfile.csv"), STATES="NY", SPECIALTIES="OB/GYN",
        ZIPS=market["zips"], ZIP_FIELD="zcta5", AUDIT_JSON=str(folder / "books.json"),
    )  # fmt: skip
    assert imported["KEPT"] == len(market["points"])
    (audit,) = json.loads((folder / "books.json").read_text())
    assert audit["dropped_because"]["another state"] == imported["READ"] - imported["KEPT"]

    claims = pd.read_csv(market["claims"], dtype={"npi": str})
    claims = claims[claims["npi"].isin(market["points"]["npi"])]
    volumes = claims.groupby("npi")["bene_day_srvc_cnt"].sum()
    with_volume, providers = step(
        "addclaimsvolume", "volume", INPUT=providers, NPI_FIELD="npi", CLAIMS=market["claims"], MISSING="median",
        SPECIALTY_FIELD="specialty",
    )  # fmt: skip
    assert with_volume["WITH_VOLUME"] == len(volumes) > 0
    median = volumes.median()
    total = volumes.sum() + median * (len(market["points"]) - len(volumes))
    assert with_volume["TOTAL_VOLUME"] == pytest.approx(total)
    # the extract of Part B has three of New York's OB/GYNs: the run says that nearly all volume is assumed
    assert with_volume["ASSUMED_PCT"] == pytest.approx(100 - 100 * volumes.sum() / total)
    assert with_volume["ASSUMED_PCT"] > 99

    weighted, providers = step(
        "weightproviders", "weighted", INPUT=providers, SPECIALTY_FIELD="taxonomy", SPECIALTY_PRESET="ob/gyn",
        VALUE_FIELDS=["volume"],
    )  # fmt: skip
    assert weighted["TOTAL_WORKLOAD"] == pytest.approx(len(market["points"]))  # the mean value factor is 1
    by_fte, sites = step(
        "weightproviders", "sites", INPUT=str(folder / "ecp.csv"), SIZE_FIELD="fte", SIZE_SCALE="linear"
    )
    ftes = market["sites"]["fte"]
    assert by_fte["TOTAL_WORKLOAD"] == pytest.approx(ftes.where(ftes > 0, 1).sum())

    summed, zips = step(
        "sumproviderstozips", "zips", PROVIDERS=providers, PROVIDER_ZIP_FIELD="zip", WORKLOAD_FIELDS=["workload"],
        ZIPS=market["zips"], ZIP_FIELD="zcta5", CROSSWALK=market["crosswalk"],
    )  # fmt: skip
    assert summed["TOTAL_WORKLOAD"] == pytest.approx(weighted["TOTAL_WORKLOAD"])
    both, zips = step(
        "sumproviderstozips", "both", PROVIDERS=sites, PROVIDER_ZIP_FIELD="zip", WORKLOAD_FIELDS=["workload"],
        ZIPS=zips, ZIP_FIELD="zcta5", CROSSWALK=market["crosswalk"], UNMATCHED=str(folder / "lost.gpkg"),
    )  # fmt: skip
    assert both["MATCHED_COUNT"] + both["UNMATCHED_COUNT"] == len(market["sites"])
    assert both["MATCHED_COUNT"] >= 0.99 * len(market["sites"])

    plan, _ = step(
        "balanceterritories", "territories", UNITS=zips, UNIT_FIELD="zcta5",
        WORKLOAD_FIELDS=["workload_before", "workload"], SHARES="60, 40", TERRITORIES=COUNT, TOLERANCE=5,
        EFFORT="quick", ASSIGNMENT=str(folder / "assigned.gpkg"),
    )  # fmt: skip
    assert plan["TERRITORY_COUNT"] == COUNT
    assert plan["CONNECTED"]

    measured, _ = step(
        "evaluateterritories", "evaluated", UNITS=str(folder / "assigned.gpkg"), UNIT_FIELD="zcta5",
        WORKLOAD_FIELDS=["workload_before", "workload"], SHARES="60, 40", TERRITORY_FIELD="territory",
        PROVIDERS=providers, PROVIDER_ZIP_FIELD="zip", BREAKDOWN_FIELDS=["specialty"],
        BREAKDOWN_MEASURES=["volume", "volume_office", "volume_facility"], BREAKDOWN=str(folder / "breakdown.csv"),
    )  # fmt: skip
    # deviations differ where ZIPs outweigh a target: balancing sets them apart, evaluating does not
    assert measured["TERRITORY_COUNT"] == COUNT
    assert measured["TOTAL_WORKLOAD"] == pytest.approx(plan["TOTAL_WORKLOAD"])
    assert measured["RMS_KM"] == pytest.approx(plan["RMS_KM"])
    table = pd.read_csv(folder / "breakdown.csv")
    sums = table.groupby("measure")["value"].sum()
    assert sums["providers"] == len(market["points"])
    assert sums["volume"] == pytest.approx(total)
    office = claims[claims["place_of_service"] == "O"]["bene_day_srvc_cnt"].sum()
    assert sums["volume_office"] == pytest.approx(office)


def test_the_model_does_it_in_one(qgis_process, market, tmp_path, read_rows):
    done = qgis_process(
        "territories:NPPES file to territories",
        {
            "nppes_file": str(market["folder"] / "npidata_pfile.csv"), "states": "NY", "specialties": "OB/GYN",
            "claims_file": market["claims"], "zips": market["zips"], "zip_field": "zcta5",
            "crosswalk": market["crosswalk"], "number": COUNT, "tolerance": 5,
            **{name: str(tmp_path / f"{name}.gpkg") for name in (
                "territories", "zips_by_territory", "weighted_providers", "providers_without_a_place")},
        },
        by_json=True,
        timeout=600,
    )  # fmt: skip
    assert done.status == 0, done.messages
    workload = np.array([row["workload"] for row in read_rows(tmp_path / "territories.gpkg")])
    assert len(workload) == COUNT
    assert workload.sum() == pytest.approx(len(market["points"]))
