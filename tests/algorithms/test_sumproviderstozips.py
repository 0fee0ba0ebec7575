"""sumproviderstozips: every provider lands in a ZIP or among the unmatched with a reason; sums in = sums out."""

from __future__ import annotations

import csv
from collections import Counter

import numpy as np
import pytest
import shapely


@pytest.fixture
def zips(memory_layer):
    """
    00501 | 10001 |  gap | 19104     each 0.1° wide, from 0° to 0.2° and from 0.3° to 0.4° east
    """
    squares = [f"POLYGON(({x} 0, {x + 0.1} 0, {x + 0.1} 0.1, {x} 0.1, {x} 0))" for x in (0, 0.1, 0.3)]
    return memory_layer({"zip": ["00501", "10001", "19104"], "state": ["NY", "NY", "PA"]}, squares)


PROVIDERS = (
    # written, load, place, lands in
    ("10001-2345", 1.0, "POINT(0.35 0.05)", "10001"),  # the ZIP wins over the place
    ("501", 2.0, None, "00501"),  # leading zeros lost
    ("191042699.0", 4.0, None, "19104"),  # spoiled by a spreadsheet
    ("00544", 8.0, None, "00501"),  # PO box, crosswalk
    ("99998", 16.0, "POINT(0.15 0.05)", "10001"),  # by location
    (None, 32.0, "POINT(0.35 0.12)", "19104"),  # nearest: 2.2 km north
    ("99999", 64.0, "POINT(0.35 0.6)", None),  # 55 km north
    ("88888", 128.0, None, None),  # no polygon, no location
    (None, None, None, None),  # nothing at all
)


@pytest.fixture
def providers(memory_layer):
    written, loads, places, _ = zip(*PROVIDERS)
    npi = [f"900000000{at}" for at in range(len(PROVIDERS))]
    return memory_layer({"npi": npi, "postal": list(written), "load": list(loads)}, list(places), kind="Point")


@pytest.fixture
def crosswalk(memory_layer):
    return memory_layer({"ZIP": ["544", "10002"], "ZIP_TYPE": ["PO", "PO"], "ZCTA": ["501", "77777"]})


@pytest.fixture
def asked(providers, zips, crosswalk):
    return {
        "PROVIDERS": providers, "PROVIDER_ZIP_FIELD": "postal", "WORKLOAD_FIELDS": ["load"], "ZIPS": zips,
        "ZIP_FIELD": "zip", "CROSSWALK": crosswalk, "OUTPUT": "memory:", "UNMATCHED": "memory:",
    }  # fmt: skip


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("sumproviderstozips")
    optional = {
        definition.name(): bool(definition.flags() & definition.Flag.FlagOptional)
        for definition in algorithm.parameterDefinitions()
    }
    assert {
        "PROVIDERS": False, "PROVIDER_ZIP_FIELD": True, "ZIPS": False, "ZIP_FIELD": False, "WORKLOAD_FIELDS": True,
        "CROSSWALK": True, "OUTPUT": False, "UNMATCHED": True,
    }.items() <= optional.items()  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"OUTPUT", "UNMATCHED", "MATCHED_COUNT", "UNMATCHED_COUNT", "TOTAL_WORKLOAD"} <= outputs


# --- its result


def test_each_provider_lands_where_it_should(run, asked):
    outcome = run("sumproviderstozips", asked)
    rows = outcome.rows()
    assert [row["zip"] for row in rows] == ["00501", "10001", "19104"]
    assert [row["state"] for row in rows] == ["NY", "NY", "PA"]
    assert [row["providers"] for row in rows] == [2, 2, 2]
    assert [row["load"] for row in rows] == [2 + 8, 1 + 16, 4 + 32]
    assert [round(row["geometry"].area, 6) for row in rows] == [0.01] * 3
    assert outcome.results["MATCHED_COUNT"] == 6
    assert outcome.results["UNMATCHED_COUNT"] == 3
    assert outcome.results["TOTAL_WORKLOAD"] == 63


def test_what_is_left_has_a_reason(run, asked):
    outcome = run("sumproviderstozips", asked)
    rows = outcome.rows("UNMATCHED")
    assert [row["npi"] for row in rows] == ["9000000006", "9000000007", "9000000008"]
    assert [row["postal"] for row in rows] == ["99999", "88888", None]
    assert [row["load"] for row in rows] == [64, 128, None]
    assert "99999" in rows[0]["reason"]
    assert "10 km" in rows[0]["reason"]
    assert "88888" in rows[1]["reason"]
    assert "no location" in rows[1]["reason"]
    assert "no ZIP can be read" in rows[2]["reason"]
    assert rows[0]["geometry"].y == 0.6
    assert "3 providers have no ZIP polygon" in outcome.warnings


def test_sums_in_are_sums_out_and_told(run, asked, read_rows):
    outcome = run("sumproviderstozips", asked)
    given = sum(load or 0 for _, load, _, _ in PROVIDERS)
    placed = sum(row["load"] for row in outcome.rows())
    left = sum(row["load"] or 0 for row in outcome.rows("UNMATCHED"))
    assert placed + left == given
    assert sum(row["providers"] for row in outcome.rows()) + len(outcome.rows("UNMATCHED")) == len(PROVIDERS)
    for text in (f"{given:,.2f} in", f"{placed:,.2f}", f"{left:,.2f}"):
        assert text in outcome.infos
    assert "1 provider has no “load”" in outcome.warnings


def test_how_each_was_placed_is_told(run, asked):
    infos = run("sumproviderstozips", asked).infos
    for text in ("3 by ZIP", "1 through the crosswalk", "1 by location", "1 to the nearest", "3 without a ZIP"):
        assert text in infos


def test_without_a_zip_field_the_place_decides(run, asked):
    outcome = run("sumproviderstozips", {**asked, "PROVIDER_ZIP_FIELD": None, "CROSSWALK": None})
    assert [row["providers"] for row in outcome.rows()] == [0, 1, 2]


def test_the_limit_can_be_moved(run, asked):
    assert run("sumproviderstozips", {**asked, "MAX_DISTANCE": 60}).results["UNMATCHED_COUNT"] == 2
    assert run("sumproviderstozips", {**asked, "MAX_DISTANCE": 1}).results["UNMATCHED_COUNT"] == 4


def test_without_fields_to_sum_providers_are_counted(run, asked):
    outcome = run("sumproviderstozips", {**asked, "WORKLOAD_FIELDS": []})
    assert "load" not in outcome.rows()[0]
    assert outcome.results["TOTAL_WORKLOAD"] == 6


def test_a_plain_table_of_providers(run, asked, memory_layer):
    table = memory_layer({"postal": ["10001", "10001", "99999"], "load": [1.0, 2.0, 4.0]})
    outcome = run("sumproviderstozips", {**asked, "PROVIDERS": table})
    assert [row["load"] for row in outcome.rows()] == [0, 3, 0]
    assert [row["geometry"] for row in outcome.rows("UNMATCHED")] == [None]


def test_loads_written_as_text_are_summed(run, asked, memory_layer):
    table = memory_layer({"postal": ["10001", "10001"], "load": ["1.5", " 2 "]})
    assert [row["load"] for row in run("sumproviderstozips", {**asked, "PROVIDERS": table}).rows()] == [0, 3.5, 0]


def test_zips_stored_as_numbers_meet_zips_stored_as_text(run, asked, memory_layer, zips):
    """501 and 10001 in a numeric column are 00501 and 10001; the layer's own column stays as it was."""
    squares = ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))", "POLYGON((1 0, 2 0, 2 1, 1 1, 1 0))"]
    outcome = run("sumproviderstozips", {**asked, "ZIPS": memory_layer({"zip": [501, 10001]}, squares)})
    assert [(row["zip"], row["providers"]) for row in outcome.rows()] == [(501, 5), (10001, 1)]


def test_a_column_in_the_way_is_kept(run, asked, memory_layer):
    square = ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))"]
    zips = memory_layer({"zip": ["10001"], "Load": [99.0], "providers": [7]}, square)
    row = run("sumproviderstozips", {**asked, "ZIPS": zips}).rows()[0]
    assert (row["Load_before"], row["providers_before"]) == (99, 7)
    assert row["providers"] > 0
    assert row["load"] > 0


def test_providers_and_zips_in_different_crs(run, asked, memory_layer):
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsProject

    transform = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem("EPSG:3857"), QgsProject.instance()
    )
    places = []
    for x in (0.05, 0.15, 0.35):
        place = transform.transform(x, 0.05)
        places.append(f"POINT({place.x()} {place.y()})")
    mercator = memory_layer({"load": [1.0, 2.0, 4.0]}, places, kind="Point", crs="EPSG:3857")
    outcome = run("sumproviderstozips", {**asked, "PROVIDERS": mercator, "PROVIDER_ZIP_FIELD": None})
    assert [row["load"] for row in outcome.rows()] == [1, 2, 4]


def test_other_column_names_in_the_crosswalk(run, asked, memory_layer):
    table = memory_layer({"box": ["00544"], "place": ["00501"]})
    named = {"CROSSWALK": table, "CROSSWALK_ZIP_FIELD": "box", "CROSSWALK_UNIT_FIELD": "place"}
    assert [row["providers"] for row in run("sumproviderstozips", {**asked, **named}).rows()] == [2, 2, 2]


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"PROVIDER_ZIP_FIELD": "zipcode"}, ["zipcode", "npi, postal, load"]),
        ({"WORKLOAD_FIELDS": ["load", "sales"]}, ["sales"]),
        ({"WORKLOAD_FIELDS": ["npi", "postal"]}, ["postal", "10001-2345"]),
        ({"ZIP_FIELD": "zcta"}, ["zcta", "zip, state"]),
        ({"ZIP_FIELD": "state"}, ["NY", "more than once"]),
    ],
)
def test_refusals_name_what_is_wrong(refused, asked, change, said):
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, **change})
    for word in said:
        assert word in message


def test_negative_loads_are_refused_by_row(refused, asked, memory_layer):
    table = memory_layer({"postal": ["10001", "10001"], "load": [1.0, -2.0]})
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, "PROVIDERS": table})
    for word in ("load", "row 2", "at least 0"):
        assert word in message


def test_a_table_without_zip_field_is_told_what_it_needs(refused, asked, memory_layer):
    table = memory_layer({"postal": ["10001"], "load": [1.0]})
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, "PROVIDERS": table, "PROVIDER_ZIP_FIELD": None})
    assert "ZIP field" in message


def test_a_crosswalk_without_known_columns_is_told(refused, asked, memory_layer):
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, "CROSSWALK": memory_layer({"from": ["1"], "to": ["2"]})})
    for word in ("from, to", "CROSSWALK_ZIP_FIELD"):
        assert word in message


def test_providers_of_another_market_are_refused_with_examples(refused, run, asked, memory_layer):
    table = memory_layer({"postal": ["90001", "90002", "90003", "90004"], "load": [1.0] * 4})
    elsewhere = {**asked, "PROVIDERS": table, "CROSSWALK": None}
    few = memory_layer({"postal": ["90001", "90002", "90003", "10001"], "load": [1.0] * 4})
    warned = run("sumproviderstozips", {**elsewhere, "PROVIDERS": few}).warnings
    assert "Only 1 of 4 providers has a match. Providers without one have ZIPs like 90001, 90002, 90003;" in warned
    del elsewhere["OUTPUT"], elsewhere["UNMATCHED"]
    message = refused("sumproviderstozips", elsewhere)
    for word in ("No provider has a match", "90001, 90002, 90003;", "10001", "“postal”", "crosswalk"):
        assert word in message
    far = memory_layer({"load": [1.0]}, ["POINT(50 50)"], kind="Point")
    message = refused("sumproviderstozips", {**elsewhere, "PROVIDERS": far, "PROVIDER_ZIP_FIELD": None})
    assert "No provider lies in a ZIP polygon" in message


def test_points_as_zips_are_told(refused, asked, providers):
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, "ZIPS": providers, "ZIP_FIELD": "npi"})
    assert "polygon" in message.lower() or "vector" in message.lower()


def test_zips_that_are_the_same_once_repaired_are_named(refused, asked, memory_layer):
    """ "501" and "00501" are one ZIP."""
    squares = ["POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))", "POLYGON((1 0, 2 0, 2 1, 1 1, 1 0))"]
    del asked["OUTPUT"], asked["UNMATCHED"]
    message = refused("sumproviderstozips", {**asked, "ZIPS": memory_layer({"zip": ["501", "00501"]}, squares)})
    for word in ("00501", "more than once"):
        assert word in message


# --- in the thread pool, and on the sample through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, asked):
    from qgis.core import QgsProject

    layers = [asked[name] for name in ("PROVIDERS", "ZIPS", "CROSSWALK")]
    QgsProject.instance().addMapLayers(layers)
    ids = {name: asked[name].id() for name in ("PROVIDERS", "ZIPS", "CROSSWALK")}
    results = pool_runs(
        "territories:sumproviderstozips",
        {**asked, **ids, "OUTPUT": "TEMPORARY_OUTPUT", "UNMATCHED": "TEMPORARY_OUTPUT"},
    )
    QgsProject.instance().removeAllMapLayers()
    for result in results:
        assert (result["MATCHED_COUNT"], result["UNMATCHED_COUNT"], result["TOTAL_WORKLOAD"]) == (6, 3, 63)
        assert (result["OUTPUT"].featureCount(), result["UNMATCHED"].featureCount()) == (3, 3)


def test_the_sample_through_qgis_process(chain, sample, read_rows):
    """Each provider placed again, by hand: ZIP, crosswalk, the polygon around it, the nearest within 10 km."""
    done = chain.step("sumproviderstozips")
    rows, lost = read_rows(chain.file("zips")), read_rows(chain.file("unmatched"))
    with open(sample.crosswalk, encoding="utf-8", newline="") as file:
        crosswalk = {row["ZIP"]: row["ZCTA"] for row in csv.DictReader(file)}
    polygons = np.array([row["geometry"] for row in rows])
    tree = shapely.STRtree(polygons)
    units = [row["zip"] for row in rows]
    held, sums, left = Counter(), Counter(), []
    for provider in read_rows(chain.file("providers")):
        zip5 = (provider[sample.postal] or "").replace("-", "").split(".")[0][:5]
        place = provider["geometry"]
        unit = zip5 if zip5 in units else crosswalk.get(zip5)
        if unit is None and place is not None:
            inside = tree.query(place, predicate="intersects")
            near = inside if len(inside) else tree.query_nearest(place, max_distance=0.09)
            unit = units[near[0]] if len(near) else None
        if unit is None:
            left.append(provider["NPI"])
        else:
            held[unit] += 1
            sums[unit] += provider["workload"]
    assert sorted(row["NPI"] for row in lost) == sorted(left)
    assert {row["zip"]: row["providers"] for row in rows if row["providers"]} == held
    for row in rows:
        assert row["workload"] == pytest.approx(sums[row["zip"]])
    assert (done.results["MATCHED_COUNT"], done.results["UNMATCHED_COUNT"]) == (5000, 8)
    assert done.results["TOTAL_WORKLOAD"] == pytest.approx(sum(sums.values()))
    assert [row for row in lost if not row["reason"]] == []
    assert len(rows) == 1784
    assert {"zip", "county", "state", "rep", "providers", "workload", "deal_value"} <= set(rows[0])


def test_flags(qgis_process, sample, tmp_path, read_rows):
    output = tmp_path / "zips.gpkg"
    done = qgis_process(
        "territories:sumproviderstozips",
        {
            "PROVIDERS": sample.providers, "WORKLOAD_FIELDS": ["practice_size", "deal_value"], "ZIPS": sample.zips,
            "ZIP_FIELD": "zip", "OUTPUT": str(output),
        },
    )  # fmt: skip
    assert done.status == 0, done.messages
    rows = read_rows(output)
    placed = [row for row in read_rows(sample.providers) if row["geometry"] is not None]
    assert sum(row["providers"] for row in rows) == done.results["MATCHED_COUNT"] == len(placed) - 1  # one in Nevada
    assert done.results["UNMATCHED_COUNT"] == 5008 - done.results["MATCHED_COUNT"]


@pytest.mark.parametrize("algorithm", ["sumproviderstozips", "splitheavyzips"])
def test_points_of_whom_none_is_drawn(refused, board, memory_layer, algorithm):
    """A table that was given a type of geometry, as geocoding leaves it where nothing was found."""
    providers = memory_layer({"npi": ["1", "2"]}, [None, None], kind="Point")
    parameters = {"PROVIDERS": providers, "ZIPS": board("5 1"), "ZIP_FIELD": "zip"}
    if algorithm == "splitheavyzips":
        parameters.update(WORKLOAD_FIELD="workload", TERRITORIES=2)
    message = refused(algorithm, parameters)
    assert "No provider has a place" in message and "geocode them" in message
