"""Import clinicians: nobody twice, in the column names of every release, as pandas counts them."""

import json

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.benchmarks.nppes_file import check_digits

# today's names, those of 2020 to 2023, the oldest, and the API's
RELEASES = {
    "today": ["NPI", "Provider Last Name", "Provider First Name", "Cred", "pri_spec", "sec_spec_all", "Facility Name",
              "org_pac_id", "num_org_mem", "adr_ln_1", "City/Town", "State", "ZIP Code", "adrs_id"],
    "2022": ["NPI", " lst_nm", " frst_nm", " Cred", " pri_spec", " sec_spec_all", " org_nm", " org_pac_id",
             " num_org_mem", " adr_ln_1", " cty", " st", " zip", " adrs_id"],
    "2016": ["NPI", "Last Name", "First Name", "Credential", "Primary specialty", "All secondary specialties",
             "Organization legal name", "Group Practice PAC ID", "Number of Group Practice members",
             "Line 1 Street Address", "City", "State", "Zip Code", "Address ID"],
    "api": ["npi", "provider_last_name", "provider_first_name", "cred", "pri_spec", "sec_spec_all", "facility_name",
            "org_pac_id", "num_org_mem", "adr_ln_1", "citytown", "state", "zip_code", "adrs_id"],
}  # fmt: skip
SPECIALTIES = ["ORTHOPEDIC SURGERY", "HAND SURGERY", "CARDIOVASCULAR DISEASE (CARDIOLOGY)", "DERMATOLOGY", "OPTOMETRY"]


@pytest.fixture(scope="module")
def table():
    """Return 3,000 rows: 600 clinicians, some with several organisations and addresses, one in six alone."""
    rng = np.random.default_rng(5)
    first = 100_000_000 + np.arange(600) * 13
    npi = first * 10 + check_digits(first)
    who = rng.integers(0, 600, 3000)
    organisation = (who * 7 + rng.integers(0, 2, 3000)) % 40
    alone = rng.random(3000) < 1 / 6
    site = rng.integers(0, 3, 3000)
    zips = np.where(organisation % 2, "10001", "07030")
    return pd.DataFrame(
        {
            "npi": npi[who].astype(str),
            "last": [f"NAME{n}" for n in who],
            "first": "ANA",
            "cred": "MD",
            "spec": np.array(SPECIALTIES)[who % 5],
            "others": np.where(who % 7 == 0, "DERMATOLOGY, SPORTS MEDICINE", ""),
            "org": np.where(alone, "", [f"GROUP {n}" for n in organisation]),
            "org_id": np.where(alone, "", [f"{n:010d}" for n in organisation]),
            "members": np.where(alone, "", (organisation + 2).astype(str)),
            "street": [f"{n} MAIN ST" for n in site],
            "city": "X",
            "state": np.where(organisation % 2, "NY", "NJ"),
            "zip": np.char.add(zips, np.where(rng.random(3000) < 0.5, "", "1234")),
            "site": [f"{z}-{n}" for z, n in zip(zips, site)],
        }
    ).astype(str)


def save(table, folder, release="today"):
    path = folder / "DAC_NationalDownloadableFile.csv"
    table.set_axis(RELEASES[release], axis=1).to_csv(path, index=False)
    return str(path)


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("importclinicians")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {
        "INPUT", "ONCE_PER", "STATES", "ZIP_CODES", "SPECIALTIES", "ANY_SPECIALTY", "ZIPS", "ZIP_FIELD", "CROSSWALK",
        "CROSSWALK_ZIP_FIELD", "CROSSWALK_UNIT_FIELD", "CROSSWALK_RATIO_FIELD",
        "LATITUDE_COLUMN", "LONGITUDE_COLUMN", "OUTPUT", "UNPLACED", "AUDIT", "AUDIT_JSON",
    } == definitions.keys()  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"READ", "KEPT", "DROPPED", "CLINICIANS"} <= outputs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"STATES": "Ontario"}, "Ontario"),
        ({"SPECIALTIES": "Hearts"}, "Hearts"),
        ({"STATES": "VT"}, "No clinician is left"),
        ({"ONCE_PER": "year"}, "organisation"),
    ],
)
def test_refusals_say_what_is_wrong(attempt, table, tmp_path, change, said):
    assert said in attempt("importclinicians", {"INPUT": save(table, tmp_path), "OUTPUT": "memory:", **change}).refusal


def test_another_file_is_recognised(attempt, tmp_path):
    (tmp_path / "other.csv").write_text("NPI,Entity Type Code\n1,2\n")
    refusal = attempt("importclinicians", {"INPUT": str(tmp_path / "other.csv"), "OUTPUT": "memory:"}).refusal
    assert "looks like an NPPES file" in refusal


@pytest.mark.parametrize("release", RELEASES)
@pytest.mark.parametrize(
    ("once_per", "columns"),
    [("organisation", ["npi", "org_id"]), ("site", ["npi", "org_id", "site"]), ("provider", ["npi"])],
)
def test_once_each_as_pandas_counts(run, table, tmp_path, release, once_per, columns):
    outcome = run("importclinicians", {
        "INPUT": save(table, tmp_path, release), "ONCE_PER": once_per, "SPECIALTIES": "Orthopaedics", "STATES": "NY",
        "OUTPUT": "memory:", "AUDIT_JSON": str(tmp_path / "books.json"),
    })  # fmt: skip
    chosen = table[table["spec"].isin(SPECIALTIES[:2]) & (table["state"] == "NY")]
    once = chosen.drop_duplicates(columns)
    rows = outcome.rows()
    assert [(row["npi"], row["organisation_id"] or "", row["address"]) for row in rows] == list(
        once[["npi", "org_id", "street"]].itertuples(index=False, name=None)
    )
    assert [row["rows_in_file"] for row in rows] == chosen.groupby(columns, sort=False).size().tolist()
    assert [row["practice_size"] for row in rows] == [int(text or 1) for text in once["members"]]
    assert {row["zip"] for row in rows} == {"10001"}
    assert {(row["cms_specialty"], row["specialty"], row["taxonomy"]) for row in rows} == {
        ("ORTHOPEDIC SURGERY", "Orthopaedic surgery", "207X"),
        ("HAND SURGERY", "Hand surgery", "207XS0106X"),
    }
    assert outcome.results["CLINICIANS"] == chosen["npi"].nunique()
    (audit,) = json.loads((tmp_path / "books.json").read_text())
    assert audit["read"] == 3000 == audit["kept"] + sum(audit["dropped_because"].values())


def test_secondary_specialties(run, table, tmp_path):
    wish = {"INPUT": save(table, tmp_path), "SPECIALTIES": "Dermatology", "ONCE_PER": "provider", "OUTPUT": "memory:"}
    first = table[table["spec"] == "DERMATOLOGY"]["npi"].nunique()
    either = table[(table["spec"] == "DERMATOLOGY") | (table["others"] != "")]["npi"].nunique()
    assert run("importclinicians", wish).results["KEPT"] == first
    assert run("importclinicians", {**wish, "ANY_SPECIALTY": True}).results["KEPT"] == either > first


def test_places_and_their_absence(run, table, tmp_path, memory_layer):
    square = memory_layer({"zip": ["10001"]}, ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))"])
    outcome = run("importclinicians", {
        "INPUT": save(table, tmp_path), "ZIPS": square, "ZIP_FIELD": "zip", "OUTPUT": "memory:", "UNPLACED": "memory:",
    })  # fmt: skip
    rows, lost = outcome.rows(), outcome.rows("UNPLACED")
    assert len(rows) + len(lost) == len(table.drop_duplicates(["npi", "org_id"]))
    assert len({row["geometry"].wkb for row in rows}) == len(rows)
    assert {row["zip"] for row in lost} == {"07030"}


def test_cancel_writes_nothing(attempt, table, tmp_path):
    outcome = attempt("importclinicians", {"INPUT": save(table, tmp_path), "OUTPUT": "memory:"}, cancel_after=1)
    assert "OUTPUT" not in outcome.results


def test_twenty_runs_in_the_thread_pool(pool_runs, table, tmp_path):
    results = pool_runs("territories:importclinicians", {
        "INPUT": save(table, tmp_path), "OUTPUT": "TEMPORARY_OUTPUT",
    })  # fmt: skip
    assert {result["KEPT"] for result in results} == {len(table.drop_duplicates(["npi", "org_id"]))}


@pytest.mark.parametrize("by_json", [False, True])
def test_the_true_sample_through_qgis_process(qgis_process, shared_data, tmp_path, by_json):
    path = shared_data / "providers" / "dac_sample_10k.csv.gz"
    done = qgis_process(
        "territories:importclinicians",
        {"INPUT": str(path), "ONCE_PER": "site", "SPECIALTIES": "Cardiology", "OUTPUT": str(tmp_path / "out.gpkg")},
        by_json=by_json,
    )
    assert done.status == 0, done.messages
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    names = ["CARDIOVASCULAR DISEASE CARDIOLOGY", "INTERVENTIONAL CARDIOLOGY", "CARDIAC ELECTROPHYSIOLOGY"]
    chosen = frame[frame["pri_spec"].isin([*names, "ADVANCED HEART FAILURE AND TRANSPLANT CARDIOLOGY",
                                           "ADULT CONGENITAL HEART DISEASE"])]  # fmt: skip
    site = chosen["adrs_id"].where(chosen["adrs_id"] != "", chosen["Full Street Address"] + chosen["ZIP Code"])
    assert done.results["CLINICIANS"] == chosen["NPI"].nunique()
    assert done.results["KEPT"] == len(chosen.assign(site=site).drop_duplicates(["NPI", "site"]))
    assert done.results["READ"] == len(frame)
