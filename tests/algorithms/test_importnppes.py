"""Import NPPES: parameters, refusals, results against pandas, the thread pool, `qgis_process`."""

import contextlib
import json
import sqlite3
import zipfile

import pandas as pd
import pytest
import shapely
from healthcare_territories.benchmarks import nppes_file

PRACTICE = "Provider Business Practice Location Address"
COLUMNS = [
    "npi", "site", "entity", "name", "credential", "taxonomy", "specialty", "taxonomies", "address", "city", "state",
    "zip", "sole_proprietor", "subpart", "active", "located_by",
]  # fmt: skip


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a synthetic file of 4,000 rows and what pandas reads from it."""
    path = tmp_path_factory.mktemp("nppes") / "npidata_pfile_20250101-20250131.csv"
    nppes_file.write(path, 4000, seed=11)
    return str(path), pd.read_csv(path, dtype=str, keep_default_na=False)


def wanted(frame, state, prefix):
    """Return the rows of active people and organisations of a state whose primary code starts so."""
    codes = frame[[f"Healthcare Provider Taxonomy Code_{n}" for n in (1, 2)]].to_numpy()
    second = (frame["Healthcare Provider Primary Taxonomy Switch_2"] == "Y").to_numpy().astype(int)
    primary = codes[range(len(frame)), second]
    digits = frame["NPI"].map(lambda number: [int(digit) for digit in number])
    sums = digits.map(lambda d: 24 + sum(x if n % 2 else x * 2 - 9 * (x > 4) for n, x in enumerate(d)))
    rows = frame[
        (sums % 10 == 0)
        & (frame["NPI Deactivation Date"] == "")
        & (frame[f"{PRACTICE} State Name"] == state)
        & pd.Series(primary, index=frame.index).str.startswith(prefix)
    ]
    return rows.assign(zip=rows[f"{PRACTICE} Postal Code"].str[:5])


@pytest.fixture
def zips(made, memory_layer):
    """Return squares for the ZIPs of the wanted Californians, all but the first."""
    codes = sorted(set(wanted(made[1], "CA", "2")["zip"]))[1:]
    corners = [(at / 8, at / 8 + 1 / 16) for at in range(len(codes))]
    shapes = [f"POLYGON(({west} 0, {east} 0, {east} 1, {west} 1, {west} 0))" for west, east in corners]
    return memory_layer({"zip": codes}, shapes)


@pytest.fixture
def parameters(made, zips):
    return {
        "INPUT": made[0], "STATES": "California", "SPECIALTIES": "2", "ZIPS": zips, "ZIP_FIELD": "zip",
        "OUTPUT": "memory:", "UNPLACED": "memory:",
    }  # fmt: skip


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("importnppes")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {
        "INPUT", "UPDATES", "DEACTIVATED", "SITES", "STATES", "ZIP_CODES", "SPECIALTIES", "ANY_CODE", "ENTITY",
        "ACTIVE_ONLY", "ZIPS", "ZIP_FIELD", "CROSSWALK", "CROSSWALK_ZIP_FIELD", "CROSSWALK_UNIT_FIELD",
        "CROSSWALK_RATIO_FIELD", "TAXONOMY", "LATITUDE_COLUMN", "LONGITUDE_COLUMN", "OUTPUT", "UNPLACED", "AUDIT",
        "AUDIT_JSON",
    } == definitions.keys()  # fmt: skip
    needed = [
        name
        for name, definition in definitions.items()
        if not definition.flags() & definition.Flag.FlagOptional and definition.defaultValue() is None
    ]
    assert needed == ["INPUT", "OUTPUT"]
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"READ", "KEPT", "DROPPED"} <= outputs


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"STATES": "NY, Ontario"}, ["Ontario", "no states"]),
        ({"ZIP_CODES": "10001, 1y"}, ["1y", "no ZIP codes"]),
        ({"SPECIALTIES": "Cardiolgy"}, ["Cardiolgy", "Did you mean Cardiology"]),
        ({"ENTITY": "robot"}, ["robot", "person"]),
        ({"STATES": "VT"}, ["No provider is left", "another state"]),
        ({"LATITUDE_COLUMN": "lat"}, ["both"]),
    ],
)
def test_refusals_say_what_is_wrong(attempt, parameters, change, said):
    outcome = attempt("importnppes", {**parameters, **change})
    assert outcome.refusal
    assert [word for word in said if word not in outcome.refusal] == []


def test_the_zip_of_the_polygons_is_found_by_name_or_asked_for(run, attempt, parameters, memory_layer):
    square = ["POLYGON((0 0,1 0,1 1,0 0))"]
    for name in ("ZCTA5CE20", "zip", "geoid20"):
        layer = memory_layer({"county": ["x"], name: ["90001"]}, square)
        outcome = run("importnppes", {**parameters, "ZIPS": layer, "ZIP_FIELD": None, "CROSSWALK": None})
        assert {row["zip"] for row in outcome.rows()} <= {"90001"}
    refusal = attempt("importnppes", {
        **parameters, "ZIPS": memory_layer({"label": ["90001"]}, square), "ZIP_FIELD": None,
    }).refusal  # fmt: skip
    assert "field that holds their ZIP" in refusal


def test_a_file_that_is_not_there_or_empty(attempt, parameters, tmp_path):
    assert "nowhere" in attempt("importnppes", {**parameters, "INPUT": str(tmp_path / "nowhere.csv")}).refusal
    (tmp_path / "empty.csv").touch()
    assert "0 bytes" in attempt("importnppes", {**parameters, "INPUT": str(tmp_path / "empty.csv")}).refusal


def test_providers_stand_in_their_zip_and_every_record_is_accounted_for(run, parameters, made, zips, tmp_path):
    books = tmp_path / "books.json"
    outcome = run("importnppes", {**parameters, "AUDIT": str(tmp_path / "books.html"), "AUDIT_JSON": str(books)})
    expected = wanted(made[1], "CA", "2")
    rows, lost = outcome.rows(), outcome.rows("UNPLACED")
    assert list(rows[0])[:-1] == COLUMNS
    squares = {feature["zip"]: shapely.from_wkb(bytes(feature.geometry().asWkb())) for feature in zips.getFeatures()}
    placed = expected[expected["zip"].isin(squares)]
    assert [row["npi"] for row in rows] == placed["NPI"].tolist()
    assert [row["zip"] for row in rows] == placed["zip"].tolist()
    assert [row["npi"] for row in lost] == expected[~expected["zip"].isin(squares)]["NPI"].tolist()
    assert all("has no polygon" in row["reason"] and row["geometry"] is None for row in lost)
    assert all(squares[row["zip"]].contains(row["geometry"]) for row in rows)
    assert {row["located_by"] for row in rows} == {"zip"}
    assert len({row["geometry"].wkb for row in rows}) == len(rows)
    results = outcome.results
    assert (results["READ"], results["KEPT"]) == (4000, len(placed))
    assert results["KEPT"] + results["DROPPED"] == 4000
    (audit,) = json.loads(books.read_text())
    assert audit["read"] == audit["kept"] + sum(audit["dropped_because"].values()) == 4000
    assert audit["dropped_because"]["no polygon for their ZIP"] == len(lost) > 0
    assert sum(audit["kept_as"].values()) == audit["kept"]
    page = (tmp_path / "books.html").read_text()
    assert "deactivated" in page
    assert f"{audit['dropped_because']['deactivated']:,}" in page
    assert outcome.progress == sorted(outcome.progress)
    assert "no polygon" in outcome.warnings


def test_a_crosswalk_places_the_rest(run, parameters, made, zips, memory_layer):
    lost = sorted(set(wanted(made[1], "CA", "2")["zip"]))[0]
    there = next(zips.getFeatures())["zip"]
    crosswalk = memory_layer({"ZIP": [lost], "ZCTA": [there]})
    outcome = run("importnppes", {**parameters, "CROSSWALK": crosswalk})
    assert outcome.rows("UNPLACED") == []
    assert {row["zip"]: row["located_by"] for row in outcome.rows()}[lost] == "crosswalk"


def test_without_polygons_it_is_a_table(run, made):
    outcome = run("importnppes", {"INPUT": made[0], "STATES": "CA", "SPECIALTIES": "2", "OUTPUT": "memory:"})
    assert len(outcome.rows()) == len(wanted(made[1], "CA", "2"))
    assert {row["geometry"] for row in outcome.rows()} == {None}


def test_coordinates_of_the_file_come_first(run, made, zips, tmp_path):
    frame = made[1].assign(Lat="38.5", Lon="-121.5")
    frame.loc[frame.index % 2 == 0, "Lat"] = ""
    frame.to_csv(tmp_path / "geocoded.csv", index=False, quoting=1)
    rows = run("importnppes", {
        "INPUT": str(tmp_path / "geocoded.csv"), "STATES": "CA", "SPECIALTIES": "2", "ZIPS": zips, "ZIP_FIELD": "zip",
        "OUTPUT": "memory:",
    }).rows()  # fmt: skip
    odd = set(frame["NPI"][frame.index % 2 == 1])
    assert {row["located_by"] for row in rows} == {"file", "zip"}
    assert all((row["located_by"] == "file") == (row["npi"] in odd) for row in rows)
    assert {row["geometry"].wkt for row in rows if row["located_by"] == "file"} == {"POINT (-121.5 38.5)"}


def test_classifications_of_a_taxonomy_table(run, made, memory_layer):
    table = memory_layer({"Code": ["111N00000X"], "Classification": ["Back Cracker"]})
    rows = run("importnppes", {
        "INPUT": made[0], "SPECIALTIES": "back cracker", "TAXONOMY": table, "OUTPUT": "memory:",
    }).rows()  # fmt: skip
    assert {row["taxonomy"] for row in rows} == {"111N00000X"}


@pytest.fixture
def small_blocks(monkeypatch):
    """Have imports hand rows on by seven, as they do by ten thousand."""
    from healthcare_territories.territory_plugin.engine import spool

    monkeypatch.setattr(spool.Spool.__init__, "__defaults__", (7,))


def test_rows_that_come_in_blocks_are_the_same(run, parameters, zips, small_blocks, monkeypatch, tmp_path):
    wish = {**parameters, "ZIPS": zips, "ZIP_FIELD": "zip", "AUDIT_JSON": str(tmp_path / "small.json")}
    small = run("importnppes", wish)
    monkeypatch.undo()
    whole = run("importnppes", {**wish, "AUDIT_JSON": str(tmp_path / "whole.json")})
    assert len(small.rows()) > 7
    assert small.rows() == whole.rows()
    assert small.rows("UNPLACED") == whole.rows("UNPLACED")
    assert (tmp_path / "small.json").read_text() == (tmp_path / "whole.json").read_text()


def test_cancel_writes_nothing(attempt, parameters):
    assert "OUTPUT" not in attempt("importnppes", parameters, cancel_after=1).results


@pytest.mark.parametrize("form", ["{0}/new.gpkg", "ogr:dbname='{0}/old.gpkg' table=\"new\" (geom)"])
def test_cancel_while_writing_takes_back_what_was_written(attempt, run, parameters, small_blocks, tmp_path, form):
    run("importnppes", {**parameters, "OUTPUT": f"ogr:dbname='{tmp_path}/old.gpkg' table=\"old\" (geom)"})
    wish = {**parameters, "OUTPUT": form.format(tmp_path)}
    moves = run("importnppes", {**parameters, "OUTPUT": "memory:"}).progress
    writing = [at for at, percent in enumerate(moves, start=1) if 90 < percent < 99]
    assert len(writing) > 1
    assert "OUTPUT" not in attempt("importnppes", wish, cancel_after=writing[0]).results
    assert not (tmp_path / "new.gpkg").exists()
    with contextlib.closing(sqlite3.connect(tmp_path / "old.gpkg")) as package:
        tables = {name for (name,) in package.execute("SELECT table_name FROM gpkg_contents")}
    assert "old" in tables
    assert "new" not in tables
    assert "OUTPUT" in run("importnppes", wish).results


def test_twenty_runs_in_the_thread_pool(pool_runs, parameters, zips):
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayer(zips)
    results = pool_runs("territories:importnppes", {
        **parameters, "ZIPS": zips.id(), "OUTPUT": "TEMPORARY_OUTPUT", "UNPLACED": "TEMPORARY_OUTPUT",
    })  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert {result["KEPT"] for result in results} == {results[0]["KEPT"]}
    places = {tuple(f.geometry().asWkt() for f in result["OUTPUT"].getFeatures()) for result in results}
    assert len(places) == 1


@pytest.mark.parametrize("by_json", [False, True])
def test_through_qgis_process(qgis_process, made, tmp_path, by_json):
    output = tmp_path / "providers.gpkg"
    done = qgis_process(
        "territories:importnppes",
        {"INPUT": made[0], "STATES": "CA", "SPECIALTIES": "2", "ENTITY": "person", "OUTPUT": str(output)},
        by_json=by_json,
    )
    assert done.status == 0, done.messages
    expected = wanted(made[1], "CA", "2")
    assert done.results["KEPT"] == (expected["Entity Type Code"] == "1").sum()
    assert output.exists()


def test_the_true_sample_in_true_zips(qgis_process, shared_data, unpacked, tmp_path):
    done = qgis_process(
        "territories:importnppes",
        {
            "INPUT": str(shared_data / "providers" / "nppes_pfile_sample_1000x330.csv"), "STATES": "NY",
            "ZIPS": f"{unpacked('zcta/zcta_NY.gpkg.xz')}|layername=zcta", "ZIP_FIELD": "zcta5",
            "CROSSWALK": str(shared_data / "crosswalks" / "uds_zip_to_zcta_2015.csv"),
            "OUTPUT": str(tmp_path / "providers.gpkg"), "AUDIT_JSON": str(tmp_path / "books.json"),
        },
    )  # fmt: skip
    assert done.status == 0, done.messages
    (audit,) = json.loads((tmp_path / "books.json").read_text())
    assert audit["read"] == 1000
    assert audit["kept"] + audit["dropped_because"].get("no polygon for their ZIP", 0) == 44
    assert audit["kept"] >= 43


# several files


def plain_row(npi, updated, street, state="CA"):
    return {
        "NPI": npi, "Entity Type Code": "1", f"{PRACTICE} State Name": state, f"{PRACTICE} Postal Code": "900010000",
        "Provider First Line Business Practice Location Address": street, "Last Update Date": updated,
        "Healthcare Provider Taxonomy Code_1": "207X00000X", "Healthcare Provider Primary Taxonomy Switch_1": "Y",
    }  # fmt: skip


@pytest.fixture
def files(tmp_path):
    """Return a month with three providers, two weeks (the later one zipped) and a report of the third provider."""

    def write(name, *rows):
        pd.DataFrame(rows, columns=nppes_file.header()).fillna("").to_csv(tmp_path / name, index=False, quoting=1)
        return str(tmp_path / name)

    one, two, three, new = ("1234567802", "1234567810", "1234567828", "1234567836")
    month = write("month.csv", *(plain_row(npi, "01/05/2026", "OLD") for npi in (one, two, three)))
    first = write("npidata_pfile_20260209-20260215.csv", plain_row(one, "02/10/2026", "ONE"))
    second = write(
        "npidata_pfile_20260216-20260222.csv", plain_row(one, "02/17/2026", "TWO"), plain_row(new, "02/17/2026", "NEW")
    )
    with zipfile.ZipFile(tmp_path / "week.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(second, "npidata_pfile_20260216-20260222.csv")
    report = tmp_path / "report.csv"
    report.write_text(
        f"NPPES Deactivated NPI Report as of Feb 9 2026\nNPI,NPPES Deactivation Date\n{three},02/01/2026\n"
    )
    return {"INPUT": month, "UPDATES": [str(tmp_path / "week.zip"), first], "DEACTIVATED": str(report)}


@pytest.mark.parametrize("titled", ["csv", "sheet", "table"])
def test_updates_and_the_report_as_qgis_reads_them(run, files, tmp_path, memory_layer, titled):
    if titled != "csv":  # a sheet with a title in its first row, whose dates are dates; a table without title
        names = ["NPPES Deactivated NPI Report", "Field2"] if titled == "sheet" else ["NPI", "NPPES Deactivation Date"]
        head = [("NPI", "NPPES Deactivation Date")] if titled == "sheet" else []
        cells = [*head, ("1234567828", "2026-02-01")]
        files["DEACTIVATED"] = memory_layer(dict(zip(names, zip(*cells))))
    outcome = run("importnppes", {**files, "OUTPUT": "memory:", "AUDIT_JSON": str(tmp_path / "books.json")})
    assert [(row["npi"][-2:], row["address"]) for row in outcome.rows()] == [
        ("10", "OLD"),
        ("02", "TWO"),
        ("36", "NEW"),
    ]
    books = json.loads((tmp_path / "books.json").read_text())
    assert [(audit["read"], audit["kept"]) for audit in books] == [(3, 1), (1, 0), (2, 2), (1, 1)]
    assert books[0]["dropped_because"] == {
        "deactivated, as the report says": 1, "older row of an NPI that has a newer one": 1,
    }  # fmt: skip
    assert (outcome.results["READ"], outcome.results["KEPT"], outcome.results["DROPPED"]) == (6, 3, 3)
    assert "1 older row of an NPI that has a newer one" in outcome.infos


def test_placed_and_unplaced_are_counted_for_each_file(run, files, memory_layer, tmp_path):
    square = memory_layer({"zip": ["90001"]}, ["POLYGON((0 0,1 0,1 1,0 1,0 0))"])
    far = tmp_path / "far.csv"
    rows = [plain_row("1234567844", "02/17/2026", "FAR") | {f"{PRACTICE} Postal Code": "94105"}]
    pd.DataFrame(rows, columns=nppes_file.header()).fillna("").to_csv(far, index=False, quoting=1)
    run("importnppes", {
        **files, "UPDATES": [*files["UPDATES"], str(far)], "ZIPS": square, "OUTPUT": "memory:", "UNPLACED": "memory:",
        "AUDIT_JSON": str(tmp_path / "books.json"),
    })  # fmt: skip
    books = json.loads((tmp_path / "books.json").read_text())
    assert [(audit["kept"], sum(audit["kept_as"].values())) for audit in books[:4]] == [(1, 1), (2, 2), (0, 0), (0, 0)]
    assert books[3]["dropped_because"] == {"no polygon for their ZIP": 1}


@pytest.mark.parametrize("by_json", [False, True])
def test_updates_through_qgis_process(qgis_process, files, tmp_path, by_json):
    if not by_json:
        files["UPDATES"] = files["UPDATES"][0]
    done = qgis_process("territories:importnppes", {**files, "OUTPUT": str(tmp_path / "out.gpkg")}, by_json=by_json)
    assert done.status == 0, done.messages
    assert done.results["KEPT"] == 3
