"""Aggregate practices: who shares an organisation or an address, as pandas groups them; sums unchanged."""

import pandas as pd
import pytest
from healthcare_territories.territory_plugin.engine.practices import address_key


@pytest.fixture
def providers(memory_layer):
    """
    npi  organisation  address                        zip    specialty     volume   lon
    1    Acme          100 North Main Street, Suite 5 10001  Orthopaedics     10    -75.00
    2    ACME          100 N MAIN ST STE 5            10001  Orthopaedics     20    -75.01
    2    Acme          9 Elm Ave                      10002  Orthopaedics      5    -75.50
    3    (none)        100 N. Main St. #5             10001  Cardiology        —    -75.02
    4    Acme          100 N MAIN ST STE 7            10001  Cardiology        1    -75.03
    5    (none)        (none)                         (none) (none)            2    no place
    """
    return memory_layer(
        {
            "npi": ["1", "2", "2", "3", "4", "5"],
            "org": ["Acme", "ACME", "Acme ", None, "Acme", None],
            "address": [
                "100 North Main Street, Suite 5",
                "100 N MAIN ST STE 5",
                "9 Elm Ave",
                "100 N. Main St. #5",
                "100 N MAIN ST STE 7",
                None,
            ],
            "zip": ["10001", "10001-1234", "10002", "10001", "10001", None],
            "specialty": ["Orthopaedics", "Orthopaedics", "Orthopaedics", "Cardiology", "Cardiology", None],
            "volume": [10.0, 20.0, 5.0, None, 1.0, 2.0],
        },
        ["POINT(-75 40)", "POINT(-75.01 40)", "POINT(-75.5 40)", "POINT(-75.02 40)", "POINT(-75.03 40)", None],
        kind="Point",
    )


@pytest.fixture
def wish(providers):
    return {
        "INPUT": providers, "NPI_FIELD": "npi", "ORGANISATION_FIELD": "org", "ADDRESS_FIELD": "address",
        "ZIP_FIELD": "zip", "SPECIALTY_FIELD": "specialty", "SUM_FIELDS": ["volume"], "OUTPUT": "memory:",
    }  # fmt: skip


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("aggregatepractices")
    names = {definition.name() for definition in algorithm.parameterDefinitions()}
    assert names == {
        "INPUT", "GROUP_BY", "NPI_FIELD", "ORGANISATION_FIELD", "ADDRESS_FIELD", "CITY_FIELD", "ZIP_FIELD",
        "SPECIALTY_FIELD", "SUM_FIELDS", "NAME_FIELD", "ENTITY_FIELD", "SUITES", "OUTPUT",
    }  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"PRACTICES", "CLINICIANS", "ALONE", "TOTAL"} <= outputs


@pytest.mark.parametrize(
    ("by", "suites", "sizes", "sums"),
    [
        ("organisation_site", True, [2, 1, 1, 1, 1], [30, 5, 0, 1, 2]),
        ("organisation_site", False, [3, 1, 1, 1], [31, 5, 0, 2]),
        ("organisation", True, [3, 1, 1], [36, 0, 2]),
        ("address", True, [2, 1, 1, 1, 1], [30, 5, 0, 1, 2]),
        ("address", False, [4, 1, 1], [31, 5, 2]),
    ],
)
def test_who_is_a_practice(run, wish, by, suites, sizes, sums):
    outcome = run("aggregatepractices", {**wish, "GROUP_BY": by, "SUITES": suites})
    rows = outcome.rows()
    assert [row["clinicians"] for row in rows] == sizes
    assert [row["volume"] for row in rows] == sums
    assert outcome.results["TOTAL"] == 38
    assert outcome.results["ALONE"] == 1
    assert "1 row has no “volume”" in outcome.warnings


def test_columns_and_place_of_a_practice(run, wish):
    """The clinician at -75.01 stands nearest to the middle of -75.00, -75.01 and -75.03."""
    rows = run("aggregatepractices", {**wish, "SUITES": False}).rows()
    first = rows[0]
    assert (first["practice"], first["name"], first["zip"]) == (1, "Acme", "10001")
    assert (first["specialty"], first["specialties"]) == ("Orthopaedics", "Orthopaedics 2; Cardiology 1")
    assert first["providers"] == 3
    assert first["geometry"].wkt == "POINT (-75.01 40)"
    assert rows[-1]["geometry"] is None
    assert rows[-2]["name"] == "100 N. Main St. #5"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"ORGANISATION_FIELD": None, "ADDRESS_FIELD": None}, "organisation, or that of the address"),
        ({"ORGANISATION_FIELD": None, "GROUP_BY": "organisation"}, "field of the organisation"),
        ({"ADDRESS_FIELD": None, "GROUP_BY": "address"}, "field of the address"),
        ({"SUM_FIELDS": ["org"]}, "no numbers"),
        ({"GROUP_BY": "floor"}, "organisation_site"),
    ],
)
def test_refusals_say_what_is_wrong(attempt, wish, change, said):
    assert said in attempt("aggregatepractices", {**wish, **change}).refusal


def test_organisations_are_no_clinicians(run, memory_layer):
    layer = memory_layer({"npi": ["1", "2"], "address": ["1 Elm", "1 ELM"], "entity": ["person", "organisation"]})
    rows = run("aggregatepractices", {
        "INPUT": layer, "NPI_FIELD": "npi", "ADDRESS_FIELD": "address", "ENTITY_FIELD": "entity", "OUTPUT": "memory:",
    }).rows()  # fmt: skip
    assert [(row["clinicians"], row["providers"]) for row in rows] == [(1, 2)]


@pytest.mark.parametrize(
    ("one", "other", "rooms", "same"),
    [
        ("1 First Avenue", "1 1ST AVE", True, True),
        ("1 Elm St, Ste 4", "1 ELM STREET SUITE 4", True, True),
        ("1 Elm St Ste 4", "1 Elm St Ste 5", True, False),
        ("1 Elm St Ste 4", "1 Elm St, 2nd Floor", False, True),
        ("1 Elm St", "2 Elm St", False, False),
    ],
)
def test_addresses_compare_as_the_post_office_writes_them(one, other, rooms, same):
    assert (address_key(one, rooms=rooms) == address_key(other, rooms=rooms)) is same


def test_twenty_runs_in_the_thread_pool(pool_runs, wish, providers):
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayer(providers)
    results = pool_runs("territories:aggregatepractices", {
        **wish, "INPUT": providers.id(), "OUTPUT": "TEMPORARY_OUTPUT",
    })  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert {(result["PRACTICES"], result["TOTAL"]) for result in results} == {(5, 38)}


@pytest.mark.parametrize("by_json", [False, True])
def test_true_clinicians_by_site_through_qgis_process(qgis_process, shared_data, tmp_path, by_json):
    """Clinicians of CMS's sample at the same address and ZIP, against pandas."""
    frame = pd.read_csv(shared_data / "providers" / "dac_sample_10k.csv.gz", dtype=str, keep_default_na=False)
    frame = frame[["NPI", "pri_spec", "Full Street Address", "ZIP Code"]].set_axis(
        ["npi", "specialty", "address", "zip"], axis=1
    )
    path = tmp_path / "clinicians.csv"
    frame.to_csv(path, index=False)
    path.with_suffix(".csvt").write_text('"String","String","String","String"')
    done = qgis_process(
        "territories:aggregatepractices",
        {
            "INPUT": str(path), "GROUP_BY": "address", "NPI_FIELD": "npi", "ADDRESS_FIELD": "address",
            "ZIP_FIELD": "zip", "SPECIALTY_FIELD": "specialty", "OUTPUT": str(tmp_path / "out.gpkg"),
        },
        by_json=by_json,
    )  # fmt: skip
    assert done.status == 0, done.messages
    known = frame[frame["address"] != ""]
    groups = known.assign(key=known["address"].map(address_key) + "|" + known["zip"]).groupby("key")["npi"].nunique()
    assert done.results["ALONE"] == (frame["address"] == "").sum()
    assert done.results["PRACTICES"] == len(groups) + done.results["ALONE"]
    assert done.results["CLINICIANS"] == groups.sum() + done.results["ALONE"]


def test_suites_of_the_imports_tell_practices_apart_or_do_not(run, tmp_path):
    """Six providers in one house: three suites, or one practice; whatever the second line says."""
    import pandas as pd
    from healthcare_territories.benchmarks import nppes_file

    lines = ["SUITE 100", "SUITE 100", "STE. 200", "Department of Surgery", "DEPARTMENT OF SURGERY", ""]
    practice = "Provider Business Practice Location Address"
    rows = [
        {
            "NPI": npi, "Entity Type Code": "1", f"{practice} State Name": "IL", f"{practice} Postal Code": "60601",
            "Provider First Line Business Practice Location Address": "100 MEDICAL PLAZA",
            "Provider Second Line Business Practice Location Address": line,
        }
        for npi, line in zip((f"12345678{end}" for end in ("02", "10", "28", "36", "44", "51")), lines)
    ]  # fmt: skip
    path = tmp_path / "npidata.csv"
    pd.DataFrame(rows, columns=nppes_file.header()).fillna("").to_csv(path, index=False, quoting=1)
    providers = run("importnppes", {"INPUT": str(path), "OUTPUT": str(tmp_path / "providers.gpkg")}).results["OUTPUT"]
    wish = {"INPUT": providers, "ADDRESS_FIELD": "address", "ZIP_FIELD": "zip", "OUTPUT": "memory:"}
    assert run("aggregatepractices", {**wish, "SUITES": True}).results["PRACTICES"] == 4
    assert run("aggregatepractices", {**wish, "SUITES": False}).results["PRACTICES"] == 1
