"""Tables as people deliver them: headers that a driver missed, lines below, older encodings, spoilt ids."""

from __future__ import annotations

import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from qgis.core import (
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorLayer,
)


class Log(QgsProcessingFeedback):
    def __init__(self):
        super().__init__(False)
        self.warnings, self.told = "", ""

    def pushWarning(self, text):
        self.warnings += text + "\n"

    def pushInfo(self, text):
        self.told += text + "\n"


@pytest.fixture
def read(qgis_app):
    """Return ``read(layer, **more)``: a table as algorithms read it, and the log."""
    from healthcare_territories.territory_plugin.gis import frames

    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())

    def read(layer, **more):
        log = Log()
        source = QgsProcessingUtils.variantToSource(layer, context)
        return frames.read_layer(source, "The table", context, log, **more), log

    return read


def test_a_sheet_of_text_has_its_header_in_the_first_row(read, memory_layer):
    table, log = read(memory_layer({"Field1": ["ZIP_CODE", "00501", "60601"], "Field2": ["ZCTA", "11742", "60601"]}))
    assert table.fields.names() == ["ZIP_CODE", "ZCTA"]
    assert table.texts("ZIP_CODE") == ["00501", "60601"]
    assert table.texts("Field2") == ["11742", "60601"]  # the name that a dialog shows
    assert "row 1 holds the names of the columns: ZIP_CODE, ZCTA" in log.told


def test_titles_stand_above_the_header(read, memory_layer):
    table, log = read(memory_layer({
        "List 1. Areas": [None, "Code", "10100", "10140"], "Field2": [None, "Title", "Aberdeen", "Aberdeen"],
        "Field3": [None, "Kind", "x", "y"],
    }))  # fmt: skip
    assert table.texts("Code") == ["10100", "10140"]
    assert "1 row above it left out" in log.told


def test_a_table_with_names_keeps_its_first_row(read, memory_layer):
    table, _ = read(memory_layer({"ZIP": ["ZIP_CODE", "00501"], "Field2": ["ZCTA", "11742"]}))
    assert len(table) == 2


def test_totals_and_lines_below_are_left_out_and_told(read, memory_layer):
    layer = memory_layer({
        "npi": ["1", "2", "Grand Total", "Copyright (c) 2026 a vendor"],
        "practice": ["Total Orthopaedics", "B", None, None], "visits": [3.0, 4.0, 7.0, None],
    })  # fmt: skip
    table, log = read(layer, keys=["NPI"])
    assert table.numbers("visits").sum() == 7
    assert "2 rows are no data" in log.warnings
    assert "row 3 (“Grand Total, 7”)" in log.warnings


def test_what_has_a_place_is_a_row(read, memory_layer):
    layer = memory_layer({"id": ["A", "Total"], "n": [1, 1]}, ["POINT(0 0)", "POINT(1 1)"], kind="Point")
    assert len(read(layer, geometry="any")[0]) == 2
    layer = memory_layer({"id": ["A", "Total"], "n": [1, 1]}, ["POINT(0 0)", None], kind="Point")
    assert len(read(layer, geometry="any")[0]) == 1


def test_ids_that_a_spreadsheet_spoilt_are_refused(read, memory_layer):
    table, _ = read(memory_layer({"npi": ["1234567893", "1.23457E+09"], "rounded": [1234567893.0, 1234570000.0]}))
    with pytest.raises(TerritoryError, match=r"row 2 \(“1.23457E\+09”\)"):
        table.ids("npi")
    with pytest.raises(TerritoryError, match=r"rounded them: row 2 \(1234570000\)"):
        table.npis("rounded")


def test_short_zips_are_held_against_the_state_and_counted(read, memory_layer):
    layer = memory_layer({"zip": ["7701", "7701", "60601"], "State": ["TX", "NJ", "IL"]})
    table, log = read(layer)
    assert table.zips("zip").tolist() == [None, "07701", "60601"]
    assert "1 ZIP had lost zeros in front" in log.warnings
    assert "7701 (TX)" in log.warnings


def test_signs_that_were_lost_are_told(read, memory_layer):
    table, log = read(memory_layer({"name": ["N\ufffd\ufffdez"]}))
    table.texts("name")
    assert "row 1" in log.warnings
    assert "UTF-8" in log.warnings


@pytest.fixture
def cp1252(tmp_path):
    path = tmp_path / "reps.csv"
    path.write_bytes("rep_id,name\nR1,Núñez\nR2,Bob\nR3,Zoë\n".encode("cp1252"))
    return QgsVectorLayer(str(path), "reps", "ogr")


def test_a_file_in_windows_1252_is_read_as_such(cp1252):
    from healthcare_territories.territory_plugin.gis import tables

    context = QgsProcessingContext()
    assert "\ufffd" in next(cp1252.getFeatures())["name"]
    older = tables.in_its_encoding(cp1252)
    source, kept = tables.source_of(older, cp1252, context)
    assert [feature["name"] for feature in source.getFeatures()] == ["Núñez", "Bob", "Zoë"]
    cp1252.selectByIds([1, 3])
    definition = QgsProcessingFeatureSourceDefinition(cp1252.id(), True)
    definition.filterExpression = "\"name\" <> 'Zoë'"
    source, kept = tables.source_of(tables.in_its_encoding(cp1252), definition, context)
    assert [feature["name"] for feature in source.getFeatures()] == ["Núñez"]
    del kept


def test_a_file_in_utf_8_is_left_alone(tmp_path):
    from healthcare_territories.territory_plugin.gis import tables

    path = tmp_path / "reps.csv"
    path.write_text("rep_id,name\nR1,Núñez\n", encoding="utf-8")
    assert tables.in_its_encoding(QgsVectorLayer(str(path), "reps", "ogr")) is None
