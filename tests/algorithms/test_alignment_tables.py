"""Alignments as companies keep them, and all ZIPs back: rebalanceterritories and balanceterritories.

A A A B B B     00600 to 00605, workload 1 each
"""

import pytest
from qgis.PyQt.QtCore import QDate

UNITS = "_\n" * 6 + "1 1 1 1 1 1"
BALANCED = {"00600": "A", "00601": "A", "00602": "A", "00603": "B", "00604": "B", "00605": "B"}


@pytest.fixture
def asked(board, memory_layer):
    """Return ``asked(columns)``: parameters with an alignment of these columns, unit and territory first."""

    def make(columns, **more):
        unit, territory, *_ = columns
        return {
            "UNITS": board(UNITS, column="load", workload=[1.0] * 6), "UNIT_FIELD": "zip",
            "WORKLOAD_FIELDS": ["workload"], "ALIGNMENT": memory_layer(columns), "ALIGNMENT_UNIT_FIELD": unit,
            "ALIGNMENT_TERRITORY_FIELD": territory, "EFFORT": "quick", "OUTPUT": "memory:", "ASSIGNMENT": "memory:",
            **more,
        }  # fmt: skip

    return make


def today(outcome):
    return {row["zip"]: row["territory_today"] for row in outcome.rows("ASSIGNMENT")}


@pytest.mark.parametrize(
    "columns",
    [
        {"ZIP": ["00600-00602", "00603-00605"], "rep": ["A", "B"]},
        {"ZIPs": ["00600, 00601; 00602", "603 604 605"], "rep": ["A", "B"]},
        {"zip_from": ["600", "603"], "rep": ["A", "B"], "zip_to": ["602", "605"]},
        {"ZIP": ["0060*"], "rep": ["A"]},
        {"ZIP3": ["006"], "rep": ["A"]},
    ],
)
def test_ways_to_list_zips(run, asked, columns):
    outcome = run("rebalanceterritories", asked(columns))
    assert today(outcome) == (BALANCED if len(columns["rep"]) == 2 else dict.fromkeys(BALANCED, "A"))
    assert outcome.results["NEW_COUNT"] == 0


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"ZIP": ["00600-00602", "Loop"], "rep": ["A", "B"]}, ["“Loop” (row 2, B)", "60601-60612", "00603"]),
        ({"ZIP": ["00600-00603", "00603-00605"], "rep": ["A", "B"]}, ["two territories", "00603 (A, B)"]),
        ({"ZIP": ["00600", "90001", "90002"], "rep": ["A", "B", "B"]}, ["only 1 of 6 units", "90001, 90002", "00601"]),
        ({"ZIP": ["006"], "rep": ["A"]}, ["“006”", "ZIP3"]),
        ({"ZIP": ["00600*"], "rep": ["A"], "end_date": ["2025-01-01"]}, ["ALIGNMENT_DATE", "end_date"]),
    ],
)
def test_what_is_not_understood_is_refused_and_nothing_is_said_to_stay(refused, asked, columns, said):
    parameters = asked(columns)
    del parameters["OUTPUT"], parameters["ASSIGNMENT"]
    message = refused("rebalanceterritories", parameters)
    assert [word for word in said if word not in message] == []


def test_the_day_chooses_rows_also_in_a_column_of_dates(run, attempt, asked, memory_layer):
    from qgis.core import QgsFeature, QgsField, QgsVectorLayer
    from qgis.PyQt.QtCore import QMetaType

    layer = QgsVectorLayer("None", "alignment", "memory")
    kinds = {"ZIP": QMetaType.Type.QString, "rep": QMetaType.Type.QString, "Valid To": QMetaType.Type.QDate}
    layer.dataProvider().addAttributes([QgsField(name, kind) for name, kind in kinds.items()])
    layer.updateFields()
    for row in (["006*", "Old", QDate(2024, 12, 31)], ["00600-00602", "A", None], ["00603-00605", "B", None]):
        feature = QgsFeature(layer.fields())
        feature.setAttributes(row)
        layer.dataProvider().addFeatures([feature])
    parameters = {**asked({"ZIP": ["1"], "rep": ["A"]}), "ALIGNMENT": layer}
    assert "1 row that ends" in attempt("rebalanceterritories", parameters).refusal
    outcome = run("rebalanceterritories", {**parameters, "ALIGNMENT_DATE": "2026-01-01"})
    assert today(outcome) == BALANCED
    assert "2026-01-01 by “Valid To”: 2 rows hold, 1 ended before" in outcome.infos
    assert today(run("rebalanceterritories", {**parameters, "ALIGNMENT_DATE": QDate(2026, 1, 1)})) == BALANCED
    field = {"CURRENT_FIELD": "load", "ALIGNMENT": None, "ALIGNMENT_DATE": "2026-01-01"}
    assert "give the table, or no day" in attempt("rebalanceterritories", {**parameters, **field}).refusal


def test_words_for_nobody_are_no_territory(run, asked, board):
    columns = {"ZIP": list(BALANCED), "rep": ["A", "#N/A", "#N/A", "Unassigned", "B", "B"]}
    outcome = run("rebalanceterritories", asked(columns))
    assert today(outcome) == {**BALANCED, "00601": None, "00602": None, "00603": None}
    for word in (
        "2 units say “#N/A”: they have no",
        "1 unit says “Unassigned”: it has no",
        "3 units have no territory",
    ):
        assert word in outcome.warnings
    assert outcome.results["NEW_COUNT"] == 3
    layer = board("A nan\nVacant B", column="rep", workload=[1.0] * 4)
    field = {"UNITS": layer, "ALIGNMENT": None, "CURRENT_FIELD": "rep"}
    outcome = run("rebalanceterritories", {**asked(columns), **field})
    assert sorted(map(str, today(outcome).values())) == ["A", "B", "None", "None"]
    assert "1 unit says “Vacant”" in outcome.warnings


@pytest.fixture
def boxes(asked, memory_layer):
    """The alignment with three PO boxes; the crosswalk knows the first and one that the alignment lacks."""
    columns = {
        "ZIP": [*BALANCED, "00690", "00691", "00692", "00693"],
        "rep": [*BALANCED.values(), "B", "A", "Far", "Vacant"],
    }
    table = memory_layer({"ZIP": ["690", "695", "696"], "ZCTA": ["00600", "00605", "00999"]})
    return asked(columns, CROSSWALK=table, ZIP_TABLE="memory:", MOVES="memory:", GAINED_LOST="memory:")


def test_all_zips_come_back(run, boxes):
    outcome = run("rebalanceterritories", boxes)
    rows = {row["zip"]: (row["unit"], row["territory"], row["territory_today"], row["how"])
            for row in outcome.rows("ZIP_TABLE")}  # fmt: skip
    assert rows == {
        **{code: (code, name, name, "own polygon") for code, name in BALANCED.items()},
        "00690": ("00600", "A", "B", "through the crosswalk"),
        "00695": ("00605", "B", None, "through the crosswalk"),
        "00691": (None, "A", "A", "no polygon: stays with today's territory"),
        "00692": (None, "Far", "Far", "no polygon: its territory has no unit in this market, and stays"),
        "00693": (None, None, None, "no polygon, and no territory today"),
    }
    assert "11 ZIPs, 6 with a polygon of their own, 2 through the crosswalk, 2 without a polygon" in outcome.infos


def test_without_a_crosswalk_all_stay_and_a_removed_territory_is_told(run, boxes):
    outcome = run("rebalanceterritories", {**boxes, "CROSSWALK": None, "REMOVE": "B"})
    rows = {row["zip"]: (row["territory"], row["how"]) for row in outcome.rows("ZIP_TABLE")}
    assert rows["00690"] == (None, "no polygon, and today's territory is no more")
    assert rows["00691"] == ("A", "no polygon: stays with today's territory")
    assert "00695" not in rows
    assert {row[0] for code, row in rows.items() if code in BALANCED} == {"A"}


def test_balancing_has_all_zips_too(run, boxes):
    kept = ("UNITS", "UNIT_FIELD", "WORKLOAD_FIELDS", "CROSSWALK", "EFFORT", "OUTPUT", "ASSIGNMENT", "ZIP_TABLE")
    outcome = run("balanceterritories", {**{name: boxes[name] for name in kept}, "TERRITORIES": 2})
    of = {row["zip"]: row["territory"] for row in outcome.rows("ASSIGNMENT")}
    rows = {row["zip"]: (row["unit"], row["territory"], row["how"]) for row in outcome.rows("ZIP_TABLE")}
    assert rows == {
        **{code: (code, name, "own polygon") for code, name in of.items()},
        "00690": ("00600", of["00600"], "through the crosswalk"),
        "00695": ("00605", of["00605"], "through the crosswalk"),
    }


def test_without_wanting_it_there_is_no_table(run, boxes):
    del boxes["ZIP_TABLE"]
    assert not run("rebalanceterritories", boxes).results.get("ZIP_TABLE")
