"""Join accounts: by NPI, ZIP and place; sums in equal sums out; what matches nothing is listed."""

import pandas as pd
import pytest

ONE, TWO, THREE = "1234567893", "1003000126", "1003000134"


@pytest.fixture
def providers(memory_layer):
    """Three providers, the first at two sites; 0.01° of latitude, 1.1 km, apart."""
    return memory_layer(
        {"npi": [ONE, TWO, ONE, THREE], "zip": ["10001", "501", "10002", None], "workload": [4.0, 10.0, 4.0, 0.0]},
        [f"POINT(-75 40.0{at})" for at in range(4)],
        kind="Point",
    )


@pytest.fixture
def accounts(memory_layer):
    """Five accounts, the last a competitor's; the fourth has no match by NPI, ZIP or place."""
    return memory_layer(
        {
            "npi": [ONE, f"{TWO}.0", TWO, "1999999999", TWO],
            "zip": ["10001-1234", "00501", "501", "99999", "501"],
            "revenue": [100.0, 30.0, None, 7.0, 1000.0],
            "owner": ["we", "we", "we", "we", "they"],
        },
        ["POINT(-75 40.001)", "POINT(-75 40.011)", "POINT(-75 40.009)", "POINT(0 0)", "POINT(-75 40.0301)"],
        kind="Point",
    )


@pytest.fixture
def wish(providers, accounts):
    return {
        "INPUT": providers, "ACCOUNTS": accounts, "JOIN_BY": "npi", "MATCH_FIELD": "npi", "ACCOUNT_MATCH_FIELD": "npi",
        "SUM_FIELDS": ["revenue"], "OUTPUT": "memory:", "UNMATCHED": "memory:",
    }  # fmt: skip


def columns(rows, *names):
    return [tuple(row[name] for name in names) for row in rows]


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("joinaccounts")
    names = {definition.name() for definition in algorithm.parameterDefinitions()}
    assert names == {
        "INPUT", "ACCOUNTS", "JOIN_BY", "MATCH_FIELD", "ACCOUNT_MATCH_FIELD", "SUM_FIELDS", "COMPETITOR",
        "CROSSWALK", "CROSSWALK_ZIP_FIELD", "CROSSWALK_UNIT_FIELD", "CROSSWALK_RATIO_FIELD",
        "POTENTIAL_FIELD", "MAX_DISTANCE", "OUTPUT", "UNMATCHED",
    }  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"MATCHED_COUNT", "UNMATCHED_COUNT", "CUSTOMERS", "TOTAL"} <= outputs


def test_by_npi_sites_share_their_account(run, wish):
    outcome = run("joinaccounts", {**wish, "POTENTIAL_FIELD": "workload"})
    rows = outcome.rows()
    assert columns(rows, "accounts", "is_customer", "revenue") == [
        (1, True, 50), (3, True, 1030), (1, True, 50), (0, False, 0),
    ]  # fmt: skip
    assert [row["penetration_pct"] for row in rows] == [1250, 10300, 1250, None]
    lost = outcome.rows("UNMATCHED")
    assert columns(lost, "npi", "reason") == [("1999999999", "NPI 1999999999 is not in the layer")]
    assert (outcome.results["MATCHED_COUNT"], outcome.results["TOTAL"]) == (4, 1130)
    assert "1,137.00 in = 1,130.00 joined + 7.00 without" in outcome.infos


def test_words_for_yes_and_no_say_who_is_a_competitor(run, refused, wish):
    """A column of yes and no is as good as a condition; a column of names is neither."""
    answer = "CASE WHEN \"owner\" = 'they' THEN 'yes' ELSE 'no' END"
    outcome = run("joinaccounts", {**wish, "COMPETITOR": answer})
    assert [row["competitors"] for row in outcome.rows()] == [0, 1, 0, 0]
    del wish["OUTPUT"], wish["UNMATCHED"]
    assert "row 1: “we” is neither yes nor no" in refused("joinaccounts", {**wish, "COMPETITOR": '"owner"'})


def test_competitors_count_apart(run, wish):
    outcome = run("joinaccounts", {**wish, "COMPETITOR": "\"owner\" = 'they'"})
    assert columns(outcome.rows(), "accounts", "competitors", "has_competitor", "revenue") == [
        (1, 0, False, 50), (2, 1, True, 30), (1, 0, False, 50), (0, 0, False, 0),
    ]  # fmt: skip


def test_by_zip_however_it_is_written(run, wish):
    outcome = run("joinaccounts", {**wish, "JOIN_BY": "zip", "MATCH_FIELD": "zip", "ACCOUNT_MATCH_FIELD": "zip"})
    assert columns(outcome.rows(), "accounts", "revenue") == [(1, 100), (3, 1030), (0, 0), (0, 0)]


def test_by_place_to_the_nearest_provider(run, wish):
    outcome = run("joinaccounts", {**wish, "JOIN_BY": "location", "MAX_DISTANCE": 0.2})
    assert columns(outcome.rows(), "accounts", "revenue") == [(1, 100), (2, 30), (0, 0), (1, 1000)]
    assert outcome.rows("UNMATCHED")[0]["reason"] == "no provider within 0.2 km"


def test_by_place_to_the_polygon(run, wish, board):
    """Two squares; an account on their shared border belongs to the first alone."""
    layer = board("1 2")
    from qgis.core import QgsFeature, QgsGeometry, QgsVectorLayer

    accounts = QgsVectorLayer("Point?crs=EPSG:4326&field=revenue:double", "accounts", "memory")
    for x, revenue in ((-99.95, 1), (-99.9, 2), (-99.85, 4), (0, 8)):
        feature = QgsFeature(accounts.fields())
        feature.setAttributes([float(revenue)])
        feature.setGeometry(QgsGeometry.fromWkt(f"POINT({x} 39.95)"))
        accounts.dataProvider().addFeatures([feature])
    layers = {"INPUT": layer, "ACCOUNTS": accounts, "MATCH_FIELD": None, "ACCOUNT_MATCH_FIELD": None}
    outcome = run("joinaccounts", {**wish, **layers, "JOIN_BY": "location"})
    assert columns(outcome.rows(), "accounts", "revenue") == [(2, 3), (1, 4)]
    assert outcome.rows("UNMATCHED")[0]["reason"] == "lies in no polygon"


@pytest.fixture
def billed(memory_layer, board):
    """
    1 1     00600 and 00601; accounts billed to the second, a PO box in it, one in the sea, and abroad
    """
    table = {
        "Bill Zip": ["601", "00777-0001", "00888", "00601", "K1A 0B1", None],
        "Bill Country": ["US", "", "U.S.A.", "MX", "Canada", "PR"],
        "Ship Country": ["CA"] * 6,
        "revenue": [1.0, 20.0, 300.0, 4000.0, 50000.0, 600000.0],
    }
    return {
        "INPUT": board("_\n" * 6 + "1 1"), "ACCOUNTS": memory_layer(table), "JOIN_BY": "zip", "MATCH_FIELD": "zip",
        "ACCOUNT_MATCH_FIELD": "Bill Zip", "SUM_FIELDS": ["revenue"], "OUTPUT": "memory:", "UNMATCHED": "memory:",
        "CROSSWALK": memory_layer({"ZIP_CODE": ["777", "888"], "zcta": ["00600", "00999"]}),
    }  # fmt: skip


def test_accounts_billed_to_a_po_box_go_through_the_crosswalk(run, billed):
    outcome = run("joinaccounts", billed)
    assert columns(outcome.rows(), "accounts", "revenue") == [(1, 20), (1, 1)]
    assert "1 account matched through the crosswalk" in outcome.infos
    reasons = {row["revenue"]: row["reason"] for row in outcome.rows("UNMATCHED")}
    assert reasons == {
        300: "ZIP 00888 is not in the layer, nor is 00999, to which the crosswalk leads",
        4000: "country is MX", 50000: "country is Canada", 600000: "no ZIP can be read",
    }  # fmt: skip
    for word in ("2 accounts lie outside the United States by “Bill Country”", "MX (1), Canada (1)",
                 "Only 2 of 6 accounts have a match", "00888", "00600, 00601", "100.0 % of “revenue”"):  # fmt: skip
        assert word in outcome.warnings


def test_a_foreign_postcode_is_no_zip_without_a_crosswalk_either(run, billed):
    outcome = run("joinaccounts", {**billed, "CROSSWALK": None})
    assert outcome.results["MATCHED_COUNT"] == 1
    assert "ZIP 00777 is not in the layer" in {row["reason"] for row in outcome.rows("UNMATCHED")}
    assert "A crosswalk finds the polygon" in outcome.warnings


def test_nothing_matches_is_refused_with_examples_of_both_sides(refused, billed, memory_layer, wish):
    del billed["OUTPUT"], billed["UNMATCHED"], wish["OUTPUT"], wish["UNMATCHED"]
    codes = ["90001", "90002", "90003", "90004"]
    elsewhere = memory_layer({"Bill Zip": codes, "revenue": [1.0] * 4})
    message = refused("joinaccounts", {**billed, "ACCOUNTS": elsewhere, "CROSSWALK": None})
    for word in ("No account has a match", "90001, 90002, 90003;", "00600, 00601", "“Bill Zip”", "“zip”", "crosswalk"):
        assert word in message
    elsewhere = memory_layer({"npi": ["1999999999"], "revenue": [1.0]})
    message = refused("joinaccounts", {**wish, "ACCOUNTS": elsewhere})
    for word in ("No account has a match", "NPIs like 1999999999", ONE, TWO, THREE):
        assert word in message
    far = memory_layer({"revenue": [1.0]}, ["POINT(0 0)"], kind="Point")
    message = refused("joinaccounts", {**wish, "ACCOUNTS": far, "JOIN_BY": "location", "ACCOUNT_MATCH_FIELD": None})
    assert "No account has a match by its place" in message


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"MATCH_FIELD": None}, ["needed to join by NPI"]),
        ({"COMPETITOR": "1 +"}, ["ompetitor"]),
        ({"SUM_FIELDS": ["owner"]}, ["owner", "no numbers"]),
        ({"MATCH_FIELD": "workload"}, ["workload", "no NPI"]),
        ({"JOIN_BY": "moon"}, ["moon", "location"]),
    ],
)
def test_refusals_say_what_is_wrong(attempt, wish, change, said):
    refusal = attempt("joinaccounts", {**wish, **change}).refusal
    assert [word for word in said if word not in refusal] == []


def test_a_table_cannot_join_by_place(attempt, wish, memory_layer):
    table = memory_layer({"npi": [ONE], "revenue": [1.0]})
    assert "no geometry" in attempt("joinaccounts", {**wish, "ACCOUNTS": table, "JOIN_BY": "location"}).refusal


def test_twenty_runs_in_the_thread_pool(pool_runs, wish, providers, accounts):
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayers([providers, accounts])
    results = pool_runs("territories:joinaccounts", {
        **wish, "INPUT": providers.id(), "ACCOUNTS": accounts.id(), "COMPETITOR": "\"owner\" = 'they'",
        "OUTPUT": "TEMPORARY_OUTPUT", "UNMATCHED": "TEMPORARY_OUTPUT",
    })  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert {result["TOTAL"] for result in results} == {130}


@pytest.mark.parametrize("by_json", [False, True])
def test_true_hospitals_in_true_zips(qgis_process, shared_data, unpacked, tmp_path, by_json):
    """Beds of hospitals by ZIP in New York, against pandas."""
    frame = pd.read_csv(shared_data / "providers" / "hospitals_geocoded.csv.gz", dtype=str)
    frame["beds"] = pd.to_numeric(frame["Licensed.All.Beds"], errors="coerce")
    frame["code"] = frame["Zipcode"].str.zfill(5)
    path = tmp_path / "hospitals.csv"
    frame[["Name", "code", "beds"]].to_csv(path, index=False)
    done = qgis_process(
        "territories:joinaccounts",
        {
            "INPUT": f"{unpacked('zcta/zcta_NY.gpkg.xz')}|layername=zcta", "ACCOUNTS": str(path), "JOIN_BY": "zip",
            "MATCH_FIELD": "zcta5", "ACCOUNT_MATCH_FIELD": "code", "SUM_FIELDS": ["beds"],
            "OUTPUT": str(tmp_path / "out.gpkg"), "UNMATCHED": str(tmp_path / "lost.gpkg"),
        },
        by_json=by_json,
    )  # fmt: skip
    assert done.status == 0, done.messages
    known = set(pd.read_csv(shared_data / "crosswalks" / "derived_zcta_attributes.csv.gz", dtype=str)
                .query("statefp == '36'")["zcta5"])  # fmt: skip
    inside = frame[frame["code"].isin(known)]
    assert done.results["MATCHED_COUNT"] == len(inside)
    assert done.results["TOTAL"] == pytest.approx(inside["beds"].sum())
    assert done.results["CUSTOMERS"] == inside["code"].nunique()
