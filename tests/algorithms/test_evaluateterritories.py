"""evaluateterritories: the measures of any alignment, against plain computations."""

from __future__ import annotations

import math
from collections import Counter, defaultdict

import networkx as nx
import numpy as np
import pytest
import shapely

COLUMNS = [
    "territory", "workload", "target", "index", "deviation_pct", "within", "reason", "units", "providers", "parts",
    "area_km2", "polsby_popper", "reock", "rms_km", "colour",
]  # fmt: skip


def asked(layer, **more):
    return {
        "UNITS": layer, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "rep",
        "OUTPUT": "memory:", **more,
    }  # fmt: skip


def by_name(outcome):
    return {row["territory"]: row for row in outcome.rows()}


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("evaluateterritories")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    wanted = {"UNITS", "UNIT_FIELD", "TERRITORY_FIELD", "WORKLOAD_FIELDS", "EDGES", "TOLERANCE", "OUTPUT", "REPORT"}
    assert wanted <= definitions.keys()
    assert definitions["TOLERANCE"].defaultValue() == 5
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"TERRITORY_COUNT", "MAX_DEVIATION_PCT", "WITHIN_PCT", "CUT_EDGES", "RMS_KM", "UNASSIGNED"} <= outputs


# --- its result


def test_two_halves(run, alignment):
    """
    A A B B     workloads  3 1 1 1     A 5, B 3, average 4
    A A B B                0 1 1 0
    """
    outcome = run("evaluateterritories", asked(alignment("A A B B\nA A B B", [3.0, 1, 1, 1, 0, 1, 1, 0])))
    rows = by_name(outcome)
    assert list(rows["A"])[:-1] == COLUMNS
    a, b = rows["A"], rows["B"]
    assert (a["workload"], a["target"], a["index"], a["deviation_pct"]) == (5, 4, 125, 25)
    assert (b["workload"], b["target"], b["index"], b["deviation_pct"]) == (3, 4, 75, -25)
    assert (a["units"], a["parts"], a["within"]) == (4, 1, False)
    assert "25.0 % over" in a["reason"]
    assert "25.0 % under" in b["reason"]
    assert a["colour"] != b["colour"]
    # 0.2° by 0.2°: 17.09 km (in the middle) by 22.21 km
    for row in (a, b):
        assert row["area_km2"] == pytest.approx(17.09 * 22.21, rel=2e-3)
        sides = (17.09, 22.21)
        assert row["polsby_popper"] == pytest.approx(math.pi * sides[0] * sides[1] / sum(sides) ** 2, rel=2e-3)
        diagonal = math.hypot(*sides)
        assert row["reock"] == pytest.approx(4 * sides[0] * sides[1] / (math.pi * diagonal**2), rel=5e-3)
    results = outcome.results
    assert (results["TERRITORY_COUNT"], results["MAX_DEVIATION_PCT"], results["WITHIN_PCT"]) == (2, 25, 0)
    assert (results["CUT_EDGES"], results["CONNECTED"], results["UNASSIGNED"]) == (2, True, 0)
    assert results["TOTAL_WORKLOAD"] == 8
    for name in ("A", "B"):
        assert f"{name}: " in results["REASONS"]
        assert f"{name}: " in outcome.warnings


def test_distance_to_the_centre_of_the_workload(run, alignment):
    """Two units of workload 1 in a row, 8.547 km from centre to centre: each is half of that from the middle."""
    outcome = run("evaluateterritories", asked(alignment("A A")))
    assert by_name(outcome)["A"]["rms_km"] == pytest.approx(8.547 / 2, rel=1e-3)
    assert outcome.results["RMS_KM"] == pytest.approx(8.547 / 2, rel=1e-3)


def test_a_territory_in_parts_is_flagged_with_its_units(run, alignment):
    outcome = run("evaluateterritories", asked(alignment("A A B A\nA A B B")))
    row = by_name(outcome)["A"]
    assert row["parts"] == 2
    assert "00003" in row["reason"]
    assert outcome.results["CONNECTED"] is False
    assert row["geometry"].geom_type == "MultiPolygon"
    assert len(row["geometry"].geoms) == 2


def test_corners_connect_only_where_queen_contact_is_asked_for(run, alignment):
    for contiguity, parts in (("rook", 2), ("queen", 1)):
        outcome = run("evaluateterritories", asked(alignment("A B\nB A"), CONTIGUITY=contiguity))
        assert [row["parts"] for row in outcome.rows()] == [parts, parts]


def test_a_bridge_connects_an_island(run, alignment):
    for bridge, connected in (("nearest", True), ("none", False)):
        outcome = run("evaluateterritories", asked(alignment("A A _ A\nB B _ _"), BRIDGE=bridge))
        assert outcome.results["CONNECTED"] is connected


def test_units_without_a_territory_are_a_row_of_their_own(run, alignment):
    """
    A . B     the middle unit is nobody's: totals in = totals out
    """
    outcome = run("evaluateterritories", asked(alignment("A . B", [2.0, 5.0, 4.0])))
    rows = outcome.rows()
    assert [row["territory"] for row in rows] == ["A", "B", None]
    assert sum(row["workload"] for row in rows) == 11
    assert sum(row["units"] for row in rows) == 3
    assert sum(shapely.area(row["geometry"]) for row in rows) == pytest.approx(0.03)
    assert rows[2]["reason"]
    assert rows[2]["index"] is None
    assert rows[0]["target"] == 3
    assert outcome.results["UNASSIGNED"] == 1
    assert "00001" in outcome.warnings
    assert outcome.results["TERRITORY_COUNT"] == 2


def test_spellings_of_one_territory_are_one_and_words_for_nobody_are_none(run, board):
    names = ["North", "NORTH ", "North", "Unassigned", "#N/A", "Re\u0301my", "R\u00e9my", "South"]
    outcome = run("evaluateterritories", asked(board(" ".join("1" * 8), rep=names)))
    assert Counter(row["territory"] for row in outcome.rows()).keys() == {"North", "Re\u0301my", "South", None}
    assert outcome.results["UNASSIGNED"] == 2
    assert "1 unit says “#N/A”" in outcome.warnings
    assert "“NORTH” counts as “North”" in outcome.warnings


def test_names_sort_as_people_count(run, board):
    layer = board("1 1 1", rep=["T10", "T2", "T1"])
    assert [row["territory"] for row in run("evaluateterritories", asked(layer)).rows()] == ["T1", "T2", "T10"]


def test_territories_named_by_numbers(run, board):
    layer = board("1 1 1", rep=[10, 2, None])
    assert [row["territory"] for row in run("evaluateterritories", asked(layer)).rows()] == ["2", "10", None]


def test_several_workloads_are_mixed_and_kept_apart_as_sums(run, board):
    """60 % workload + 40 % sales, each divided by its mean (2 and 10)."""
    layer = board("1 3 2 2", rep=["A", "A", "B", "B"], sales=[10.0, 0.0, 30.0, 0.0])
    outcome = run("evaluateterritories", asked(layer, WORKLOAD_FIELDS=["workload", "sales"], SHARES="60, 40"))
    rows = by_name(outcome)
    assert rows["A"]["workload"] == pytest.approx(0.6 * 4 / 2 + 0.4 * 10 / 10)
    assert rows["B"]["workload"] == pytest.approx(0.6 * 4 / 2 + 0.4 * 30 / 10)
    sums = {name: value for name, value in rows["B"].items() if name not in COLUMNS}
    assert 4 in sums.values()
    assert 30 in sums.values()


def test_providers_are_summed(run, board):
    layer = board("1 1 1", rep=["A", "A", "B"], providers=[3, 4, None], targets=[1, 2, 3])
    assert [row["providers"] for row in run("evaluateterritories", asked(layer)).rows()] == [7, 0]
    rows = run("evaluateterritories", asked(layer, PROVIDERS_FIELD="targets")).rows()
    assert [row["providers"] for row in rows] == [3, 3]


def test_units_without_a_value_count_as_nothing_and_are_named(run, alignment):
    outcome = run("evaluateterritories", asked(alignment("A B B", [1.0, None, 1.0])))
    assert [row["workload"] for row in outcome.rows()] == [1, 1]
    assert "00001" in outcome.warnings


def test_the_tolerance_decides_who_is_within(run, alignment):
    layer = alignment("A A B", [1.0, 0.2, 0.8])  # 1.2 and 0.8: ±20 %
    for tolerance, within in ((20, 100), (19.9, 0)):
        outcome = run("evaluateterritories", asked(layer, TOLERANCE=tolerance))
        assert outcome.results["WITHIN_PCT"] == within
        assert (outcome.results["REASONS"] == "") == (within == 100)


def test_the_report_is_written(run, alignment, tmp_path):
    report = tmp_path / "report.html"
    outcome = run("evaluateterritories", asked(alignment("A A B<b>"), REPORT=str(report)))
    text = report.read_text(encoding="utf-8")
    assert outcome.results["REPORT"] == str(report)
    assert "B&lt;b&gt;" in text
    assert "B<b>" not in text


def test_edges_given_are_the_contacts(run, alignment, memory_layer):
    """Only the edges of the table connect: here none joins the first unit to the second."""
    edges = memory_layer({"from_unit": ["00001"], "to_unit": ["00002"]})
    outcome = run("evaluateterritories", asked(alignment("A A A"), EDGES=edges))
    assert outcome.rows()[0]["parts"] == 2


@pytest.mark.parametrize("shut", [False, "no", 0, "FALSE"])
def test_closed_edges_do_not_connect(run, alignment, memory_layer, shut):
    yes = True if shut is False else {"no": "yes", 0: 1, "FALSE": "TRUE"}[shut]
    edges = memory_layer({"from_unit": ["00000", "00001"], "to_unit": ["00001", "00002"], "open": [yes, shut]})
    assert run("evaluateterritories", asked(alignment("A A A"), EDGES=edges)).rows()[0]["parts"] == 2


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"TERRITORY_FIELD": "territory"}, ["territory", "zip, rep, workload"]),
        ({"WORKLOAD_FIELDS": ["rep"]}, ["rep", "00000", "A"]),
        ({"WORKLOAD_FIELDS": ["workload", "zip"], "SHARES": "60"}, ["one share"]),
        ({"SHARES": "lots"}, ["lots"]),
        ({"TOLERANCE": 101}, ["TOLERANCE"]),
    ],
)
def test_refusals_name_what_is_wrong(refused, alignment, change, said):
    parameters = asked(alignment("A A B"), **change)
    del parameters["OUTPUT"]
    message = refused("evaluateterritories", parameters)
    for word in said:
        assert word.lower() in message.lower()


def test_no_territory_at_all(refused, alignment):
    parameters = asked(alignment(". . ."))
    del parameters["OUTPUT"]
    message = refused("evaluateterritories", parameters)
    assert "rep" in message
    assert "alignment" in message


def test_edges_of_other_units_are_told(refused, alignment, memory_layer):
    parameters = asked(alignment("A A B"), EDGES=memory_layer({"from_unit": ["99998"], "to_unit": ["99999"]}))
    del parameters["OUTPUT"]
    message = refused("evaluateterritories", parameters)
    for word in ("99998", "00000", "differ"):
        assert word in message


def test_edges_without_their_columns_are_told(refused, alignment, memory_layer):
    parameters = asked(alignment("A A B"), EDGES=memory_layer({"a": ["1"], "b": ["2"]}))
    del parameters["OUTPUT"]
    message = refused("evaluateterritories", parameters)
    for word in ("from_unit", "to_unit", "Build adjacency graph"):
        assert word in message


# --- in the thread pool, and on the sample through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, board, tmp_path):
    from qgis.core import QgsProject

    layer = board("1 2 3 4\n4 3 2 1", rep=list("AABBAABB"), crs="EPSG:5070")
    QgsProject.instance().addMapLayer(layer)
    results = pool_runs(
        "territories:evaluateterritories",
        lambda number: asked(layer.id(), OUTPUT="TEMPORARY_OUTPUT", REPORT=str(tmp_path / f"{number}.html")),
    )
    QgsProject.instance().removeAllMapLayers()
    assert len({(result["MAX_DEVIATION_PCT"], result["RMS_KM"], result["CUT_EDGES"]) for result in results}) == 1
    assert [result["OUTPUT"].featureCount() for result in results] == [2] * 20
    assert len(list(tmp_path.glob("*.html"))) == 20


def test_the_sample_through_qgis_process(chain, read_rows):
    """Today's alignment, measured again from the file: workloads, parts, cut edges, distances."""
    done = chain.step("evaluateterritories")
    units, edges = read_rows(chain.file("zips")), read_rows(chain.file("edges"))
    rows = {row["territory"]: row for row in read_rows(chain.file("today"))}
    load, count, providers = Counter(), Counter(), Counter()
    for unit in units:
        load[unit["rep"]] += unit["workload"]
        providers[unit["rep"]] += unit["providers"]
        count[unit["rep"]] += 1
    average = sum(load.values()) / 20
    rep = {unit["zip"]: unit["rep"] for unit in units}
    inside = nx.Graph()
    inside.add_nodes_from(rep)
    joined = [(edge["from_unit"], edge["to_unit"]) for edge in edges]
    inside.add_edges_from(pair for pair in joined if rep[pair[0]] == rep[pair[1]])
    parts = Counter(rep[next(iter(part))] for part in nx.connected_components(inside))
    assert set(rows) == set(rep.values())
    assert len(rows) == done.results["TERRITORY_COUNT"] == 20
    for name, row in rows.items():
        assert row["workload"] == pytest.approx(load[name])
        assert row["index"] == pytest.approx(100 * load[name] / average)
        assert row["deviation_pct"] == pytest.approx(100 * (load[name] / average - 1))
        assert (row["units"], row["providers"], row["parts"]) == (count[name], providers[name], parts[name])
        assert row["within"] == (abs(load[name] / average - 1) <= 0.15)
        assert (row["reason"] is None) == (row["within"] and parts[name] == 1)
        assert 0 < row["polsby_popper"] < 1
        assert 0 < row["reock"] < 1
    assert done.results["CUT_EDGES"] == sum(rep[a] != rep[b] for a, b in joined)
    assert done.results["MAX_DEVIATION_PCT"] == pytest.approx(max(abs(row["deviation_pct"]) for row in rows.values()))
    colour = {name: row["colour"] for name, row in rows.items()}
    assert [(a, b) for a, b in joined if rep[a] != rep[b] and colour[rep[a]] == colour[rep[b]]] == []
    # distance in a plane around each territory, good to a percent
    place = {unit["zip"]: unit["geometry"].centroid for unit in units}
    members = defaultdict(list)
    for unit in units:
        members[unit["rep"]].append((unit["workload"], place[unit["zip"]].x, place[unit["zip"]].y))
    for name, found in members.items():
        weight, lon, lat = np.array(found).T
        x, y = 111.32 * lon * np.cos(np.radians(np.average(lat, weights=weight))), 111.13 * lat
        squared = (x - np.average(x, weights=weight)) ** 2 + (y - np.average(y, weights=weight)) ** 2
        assert rows[name]["rms_km"] == pytest.approx(math.sqrt(np.average(squared, weights=weight)), rel=0.02)
    report = (chain.folder / "today.html").read_text(encoding="utf-8")
    assert [name for name in rows if f">{name}<" not in report] == []


def test_flags(qgis_process, sample, tmp_path, read_rows):
    """With two workload fields given by repeating the flag, and the contacts found on the way."""
    output = tmp_path / "today.shp"
    done = qgis_process(
        "native:fieldcalculator",
        {
            "INPUT": sample.zips, "FIELD_NAME": "load", "FIELD_TYPE": 0, "FORMULA": "1 + to_int(zip) % 7",
            "OUTPUT": str(tmp_path / "units.gpkg"),
        },
    )  # fmt: skip
    assert done.status == 0, done.messages
    done = qgis_process(
        "territories:evaluateterritories",
        {
            "UNITS": str(tmp_path / "units.gpkg"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["load", "fid"],
            "SHARES": "100, 0", "TERRITORY_FIELD": "rep", "TOLERANCE": 20, "OUTPUT": str(output),
        },
    )  # fmt: skip
    assert done.status == 0, done.messages
    rows = read_rows(output)
    assert len(rows) == 20
    total = sum(1 + int(unit["zip"]) % 7 for unit in read_rows(sample.zips))
    assert sum(row["load"] for row in rows) == pytest.approx(total)
    assert done.results["TOTAL_WORKLOAD"] == pytest.approx(1784)  # the composite index has mean 1


# --- broken down by specialty and place of service


@pytest.fixture
def clinicians(memory_layer):
    """Two in the square 00000, one in 00001, one outside all; volume in offices and facilities."""
    return memory_layer(
        {
            "zip": ["00000", None, "00001", "99999"],
            "specialty": ["hip", "knee", "hip", None],
            "volume_office": [10.0, 30.0, None, 5.0],
            "volume_facility": [1.0, 3.0, 6.0, 5.0],
        },
        ["POINT(-99.95 39.95)", "POINT(-99.95 39.95)", "POINT(-99.85 39.95)", "POINT(0 0)"],
        kind="Point",
    )


def broken_down(layer, clinicians, **more):
    wish = {
        "PROVIDERS": clinicians, "BREAKDOWN_FIELDS": ["specialty"],
        "BREAKDOWN_MEASURES": ["volume_office", "volume_facility"], "BREAKDOWN": "memory:", **more,
    }  # fmt: skip
    return asked(layer, **wish)


def test_a_territory_by_specialty_and_place_of_service(run, alignment, clinicians):
    outcome = run("evaluateterritories", broken_down(alignment("A B"), clinicians))
    rows = {(row["territory"], row["measure"], row["category"]): row for row in outcome.rows("BREAKDOWN")}
    assert {row["by"] for row in rows.values()} == {"specialty"}
    assert {key: row["value"] for key, row in rows.items() if key[1] == "volume_office"} == {
        ("A", "volume_office", "hip"): 10, ("A", "volume_office", "knee"): 30, ("B", "volume_office", "hip"): 0,
        (None, "volume_office", "(none)"): 5,
    }  # fmt: skip
    knee = rows[("A", "volume_facility", "knee")]
    assert (knee["value"], knee["share_pct"]) == (3, 75)
    assert knee["share_index"] == pytest.approx(100 * 0.75 / (3 / 15))
    assert rows[("B", "volume_office", "hip")]["share_pct"] is None
    assert sum(row["value"] for row in rows.values() if row["measure"] == "providers") == 4
    assert "1 provider of 4 in no territory" in outcome.warnings
    by_zip = run("evaluateterritories", broken_down(alignment("A B"), clinicians, PROVIDER_ZIP_FIELD="zip"))
    assert by_zip.rows("BREAKDOWN") == outcome.rows("BREAKDOWN")


def test_a_breakdown_needs_fields(refused, alignment, clinicians):
    wish = broken_down(alignment("A B"), clinicians, BREAKDOWN_FIELDS=[])
    assert "choose the fields" in refused("evaluateterritories", wish)


def test_the_report_is_written_unless_it_is_not_wanted(territories_provider):
    """In dialogs: a temporary page, which the Results Viewer links, as it does all outputs of this kind."""
    from qgis.core import QgsApplication

    for name in ("balanceterritories", "evaluateterritories", "rebalanceterritories"):
        algorithm = QgsApplication.processingRegistry().createAlgorithmById(f"territories:{name}")
        report = algorithm.parameterDefinition("REPORT")
        assert report.createByDefault()
        assert report.flags() & report.Flag.FlagOptional
        assert algorithm.outputDefinition("REPORT").type() == "outputHtml"


def test_a_temporary_report_is_kept_where_the_results_say(run, alignment):
    from pathlib import Path

    found = run("evaluateterritories", {
        "UNITS": alignment("A A B B"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "rep",
        "OUTPUT": "memory:", "REPORT": "TEMPORARY_OUTPUT", "PLAN": "Today & tomorrow",
    })  # fmt: skip
    page = Path(found.results["REPORT"])
    assert page.suffix == ".html"
    text = page.read_text(encoding="utf-8")
    assert "<h1>Today &amp; tomorrow</h1>" in text
    assert text.count("<path d=") == 2
    assert "Territory of the unit</td><td>rep</td>" in text
