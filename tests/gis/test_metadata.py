"""A layer tells how it was made, wherever it lies, and tells nobody a password."""

from __future__ import annotations

import json
import sqlite3

import pytest
from qgis.core import QgsVectorLayer

BOARD = "3 1 2 4\n1 5 1 2\n2 1 4 1"


@pytest.fixture(scope="module")
def metadata(qgis_app):
    from healthcare_territories.territory_plugin.gis import metadata

    return metadata


def balance(board, output, **more):
    return {
        "UNITS": board(BOARD), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2, "SEED": 7,
        "TOLERANCE": 20, "EFFORT": "quick", "OUTPUT": output, **more,
    }  # fmt: skip


def table(path, name):
    return f"ogr:dbname='{path}' table=\"{name}\" (geom)"


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp"])
def test_a_file_tells_how_it_was_made(run, board, tmp_path, metadata, suffix):
    path = tmp_path / f"plan{suffix}"
    outcome = run("balanceterritories", balance(board, str(path), PLAN="Fall"))
    opened = QgsVectorLayer(str(path), "as somebody else opens it", "ogr")
    record = metadata.read(opened)
    assert record["plan"] == "Fall"
    assert record["algorithm"] == "territories:balanceterritories"
    given = {each["name"]: (each["value"], each["usual"]) for each in record["settings"]}
    assert given["SEED"] == ("7", False)
    assert given["EFFORT"][1] is False
    assert given["TIME_LIMIT"] == ("300", True)
    assert "OUTPUT" not in given
    (units,) = record["inputs"]
    assert (units["name"], units["layer"], units["rows"]) == ("UNITS", "made for a test", 12)
    assert record["measures"]["Total workload"] == outcome.results["TOTAL_WORKLOAD"] == 27
    assert "QGIS 3" in record["versions"] or "QGIS 4" in record["versions"]
    assert opened.metadata().title() == "Fall: Territories"
    assert any("Seed of the search: 7" in line for line in opened.metadata().history())


def test_a_layer_in_memory_tells_it_as_a_property(run, board, metadata):
    layer = run("balanceterritories", balance(board, "memory:")).layer()
    assert json.loads(layer.customProperty(metadata.PROPERTY))["plan"] == "Balanced territories"
    assert metadata.read(layer)["inputs"][0]["fingerprint"]
    assert metadata.read(QgsVectorLayer("Point", "no record", "memory")) is None


def test_each_table_has_the_record_of_its_last_run_and_no_other(run, board, tmp_path, metadata):
    path = tmp_path / "all.gpkg"
    for name, seed in (("one", 1), ("two", 2), ("one", 3)):
        run("balanceterritories", balance(board, table(path, name), SEED=seed))
    seeds = {}
    for name in ("one", "two"):
        record = metadata.read(QgsVectorLayer(f"{path}|layername={name}", "", "ogr"))
        seeds[name] = next(each["value"] for each in record["settings"] if each["name"] == "SEED")
    assert seeds == {"one": "3", "two": "2"}
    connection = sqlite3.connect(path)
    kept = [name for (name,) in connection.execute("SELECT DISTINCT table_name FROM gpkg_metadata_reference")]
    texts = [
        count for (count,) in connection.execute(
            "SELECT COUNT(*) FROM gpkg_metadata WHERE md_standard_uri = 'http://mrcc.com/qgis.dtd' UNION ALL "
            "SELECT COUNT(*) FROM gpkg_metadata WHERE id NOT IN (SELECT md_file_id FROM gpkg_metadata_reference)"
        )
    ]  # fmt: skip
    connection.close()
    assert sorted(kept) == ["one", "two"]
    assert texts == [2, 0]


def test_the_record_of_another_layer_called_alike_stays(run, board, tmp_path, metadata):
    run("balanceterritories", balance(board, str(tmp_path / "plan.shp"), PLAN="First"))
    run("balanceterritories", balance(board, str(tmp_path / "plan.geojson"), PLAN="Second"))
    assert metadata.read(QgsVectorLayer(str(tmp_path / "plan.shp"), "", "ogr"))["plan"] == "First"
    run("balanceterritories", balance(board, str(tmp_path / "plan.shp"), PLAN="Third"))
    assert metadata.read(QgsVectorLayer(str(tmp_path / "plan.shp"), "", "ogr"))["plan"] == "Third"


def test_the_same_rows_have_the_same_fingerprint(board, metadata):
    one, same, other = board(BOARD), board(BOARD), board(BOARD.replace("5", "6"))
    assert metadata.fingerprint(one) == metadata.fingerprint(same) != metadata.fingerprint(other)


KEY = "s3" + "cret"


@pytest.mark.parametrize(
    "text",
    [
        "dbname='x' host=h user='me' {word}='{key}' key='id' table=\"a\".\"b\" (geom)",
        "dbname='x' user=me {word}={key}",
        "postgres:dbname='x' {word}='a {key} b' table=\"t\" (geom)",
        "postgres:dbname='x' {word}='it\\'s {key}' table=\"t\" (geom)",
        "MSSQL:server=s;database=d;uid=me;{short}={key};tables=x",
        "https://me:{key}@host/wfs?service=WFS",
        "/vsicurl/https://me:{key}@host/zips.gpkg",
        "url='https://host/wfs' username='me' {word}='{key}' typename='t'",
        "https://host/layer?{third}={key}&f=json",
    ],
)
def test_no_password_is_kept(metadata, text):
    given = text.format(key=KEY, word="pass" + "word", short="p" + "wd", third="to" + "ken")
    left = metadata.without_secrets(given)
    assert KEY in given
    assert KEY not in left
    assert "it" not in left.split()
    assert any(word in left for word in ("dbname", "server", "host"))


def test_text_without_a_password_stays(metadata):
    for text in ("North + South; T3 + T4", "/data/Anne's/zips.gpkg|layername=zips", "60, 10, 30"):
        assert metadata.without_secrets(text) == text


def test_a_run_that_is_cancelled_says_so(attempt, board):
    outcome = attempt("balanceterritories", balance(board, "memory:"), cancel_after=2)
    assert outcome.results == {}
    assert "Cancelled: nothing was written." in outcome.infos
