"""Outputs are old or new, never between: cancels, errors, kills, full disks, locks and odd names."""

from __future__ import annotations

import contextlib
import os
import signal
import sqlite3
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled, never
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsField,
    QgsFields,
    QgsProcessingContext,
    QgsProcessingUtils,
    QgsProject,
    QgsVectorLayer,
    QgsWkbTypes,
)
from qgis.PyQt.QtCore import QMetaType

KINDS = ("gpkg", "shp", "geojson", "fgb", "csv", "table")
POINT = "POINT(1 2)"


@pytest.fixture
def outputs(qgis_app):
    from healthcare_territories.territory_plugin.gis import outputs

    return outputs


@pytest.fixture
def places(qgis_app):
    from healthcare_territories.territory_plugin.gis import places

    return places


@pytest.fixture
def leftovers(qgis_app):
    from healthcare_territories.territory_plugin.gis import leftovers

    return leftovers


@pytest.fixture
def moving(qgis_app):
    from healthcare_territories.territory_plugin.gis import moving

    return moving


def target(folder, kind):
    if kind == "table":
        return f"ogr:dbname='{folder / 'plan.gpkg'}' table=\"plan\" (geom)"
    return str(folder / f"plan.{kind}")


def begin(outputs, room, given, name="OUTPUT"):
    """Begin a layer with a column `n`, as an algorithm does."""
    fields = QgsFields()
    fields.append(QgsField("n", QMetaType.Type.Int))
    context = QgsProcessingContext()
    layer, aside = room.layer(name, given)
    sink, destination = QgsProcessingUtils.createFeatureSink(
        str(aside), context, fields, QgsWkbTypes.Type.Point, QgsCoordinateReferenceSystem("EPSG:4326")
    )
    assert sink is not None
    layer.begin(sink, destination, fields, None)
    return layer


def styled():
    from healthcare_territories.territory_plugin.gis import styles

    return styles.places()


def rows(numbers):
    from qgis.core import QgsGeometry

    return [([number], QgsGeometry.fromWkt(POINT)) for number in numbers]


def write(outputs, given, numbers):
    room = outputs.Outputs()
    layer = begin(outputs, room, given)
    layer.add(rows(numbers), never)
    room.finish(never)
    return layer.final


def read(layer_id):
    layer = QgsVectorLayer(layer_id, "", "ogr")
    assert layer.isValid(), layer_id
    return [feature["n"] for feature in layer.getFeatures()]


def bytes_in(folder):
    return {path.name: path.read_bytes() for path in sorted(folder.iterdir())}


def content(folder, kind):
    """Return what a user has: files to the byte; a GeoPackage that was written into, by its tables."""
    if kind != "table":
        return bytes_in(folder)
    with contextlib.closing(sqlite3.connect(folder / "plan.gpkg")) as connection:
        names = [name for (name,) in connection.execute("SELECT table_name FROM gpkg_contents ORDER BY 1")]
        return {name: connection.execute('SELECT * FROM "' + name + '"').fetchall() for name in names}


@pytest.fixture
def old(outputs, tmp_path):
    """Return ``old(kind)``: a folder with an output of an earlier run, and a table of the user's beside a table."""

    def make(kind):
        folder = tmp_path / kind
        folder.mkdir()
        if kind == "table":
            write(outputs, f"ogr:dbname='{folder / 'plan.gpkg'}' table=\"notes\" (geom)", [7])
        write(outputs, target(folder, kind), [1, 2, 3])
        return folder

    return make


@pytest.mark.parametrize("kind", KINDS)
def test_a_new_output_replaces_the_one_before_and_leaves_nothing_else(outputs, old, kind):
    folder = old(kind)
    names = set(bytes_in(folder))
    final = write(outputs, target(folder, kind), [4, 5])
    assert [int(n) for n in read(final)] == [4, 5]
    assert set(bytes_in(folder)) == names
    if kind == "table":
        assert set(content(folder, kind)) == {"notes", "plan"}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("how", ["cancelled while writing", "cancelled at the end", "an error", "a row is lost"])
def test_what_was_there_is_there_after_a_run_that_failed(outputs, old, kind, how, monkeypatch, moving):
    folder = old(kind)
    before = content(folder, kind)
    room = outputs.Outputs()
    layer = begin(outputs, room, target(folder, kind))
    try:
        layer.add(rows(range(2500)), (lambda: layer.rows >= 1000) if how == "cancelled while writing" else never)
        if how == "an error":
            raise TerritoryError("something else")
        if how == "a row is lost":
            layer.rows += 1
        room.finish((lambda: True) if how == "cancelled at the end" else never)
        pytest.fail("it finished")
    except (Cancelled, TerritoryError):
        room.discard()
    assert content(folder, kind) == before
    assert not [path for path in folder.iterdir() if path.name.startswith(moving.ASIDE)]


class Asked:
    """Says no until it is asked for the nth time."""

    def __init__(self, until=10**9):
        self.until, self.times = until, 0

    def __call__(self):
        self.times += 1
        return self.times >= self.until


@pytest.mark.parametrize("kind", KINDS)
def test_a_cancel_at_any_moment_leaves_what_was_there(outputs, old, kind, request, moving):
    """Whenever a run asks whether it is cancelled, the answer is yes once: with --long each time, else in three."""
    folder = old(kind)

    def run(asked):
        room = outputs.Outputs()
        try:
            begin(outputs, room, target(folder, kind)).add(rows([4] * 8500), asked)
            room.finish(asked)
        except Cancelled:
            room.discard()
            return False
        return True

    never_told = Asked()
    assert run(never_told)
    before = content(folder, kind)
    turns = range(1, never_told.times + 1)
    assert len(turns) > 10
    for turn in turns if request.config.getoption("long") else (turns[0], turns[len(turns) // 2], turns[-1]):
        assert not run(Asked(turn))
        assert content(folder, kind) == before
        assert not [path for path in folder.iterdir() if path.name.startswith(moving.ASIDE)]


def test_a_failure_while_putting_in_place_takes_everything_back(outputs, tmp_path, monkeypatch, moving):
    write(outputs, str(tmp_path / "a.gpkg"), [1])
    write(outputs, str(tmp_path / "b.csv"), [1])
    before = bytes_in(tmp_path)
    room = outputs.Outputs()
    for name, place in (("A", "a.gpkg"), ("B", "b.csv")):
        begin(outputs, room, str(tmp_path / place), name).add(rows([2]), never)
    real = os.replace

    def replace(source, destination):
        if Path(destination).name == "b.csv" and "before" not in str(source):
            raise PermissionError(13, "another program has it open")
        return real(source, destination)

    monkeypatch.setattr(moving.os, "replace", replace)
    with pytest.raises(TerritoryError, match="What was there is unchanged"):
        room.finish(never)
    room.discard()
    assert bytes_in(tmp_path) == before


def test_a_geopackage_that_cannot_be_replaced_keeps_the_files_of_other_folders(outputs, tmp_path):
    """The first folder's file is in place already when the second one's GeoPackage turns out to be open elsewhere."""
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
    write(outputs, str(tmp_path / "a" / "plan.csv"), [1])
    write(outputs, str(tmp_path / "b" / "zips.gpkg"), [1])
    before = bytes_in(tmp_path / "a")
    other = sqlite3.connect(tmp_path / "b" / "zips.gpkg", isolation_level=None)
    try:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE mine (a)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM mine").fetchall()
        room = outputs.Outputs()
        for name, place in (("A", "a/plan.csv"), ("B", "b/zips.gpkg")):
            begin(outputs, room, str(tmp_path / place), name).add(rows([2]), never)
        with pytest.raises(TerritoryError, match="open in another program"):
            room.finish(never)
        room.discard()
    finally:
        other.close()
    assert bytes_in(tmp_path / "a") == before


@pytest.mark.parametrize("failing", [0, 2])
def test_tables_of_several_geopackages_change_together_or_not_at_all(outputs, tmp_path, monkeypatch, failing):
    """One of three cannot be committed: the tables of the others are what they were, with their styles."""
    from healthcare_territories.territory_plugin.gis import geopackage

    files = [tmp_path / name / "plan.gpkg" for name in "abc"]
    given = [f"ogr:dbname='{path}' table=\"plan\" (geom)" for path in files]
    for path, place in zip(files, given):
        path.parent.mkdir()
        room = outputs.Outputs()
        layer = begin(outputs, room, place)
        layer.style = styled()
        layer.add(rows([1, 2]), never)
        room.finish(never)
    before = [content(path.parent, "table") for path in files]
    assert len(before[0]["layer_styles"]) == 1
    room = outputs.Outputs()
    for number, place in enumerate(given):
        layer = begin(outputs, room, place, f"OUTPUT{number}")
        layer.style = styled()
        layer.add(rows([3]), never)
    real = geopackage._Change.commit

    def commit(change):
        if change.path == files[failing]:
            raise RuntimeError("database is locked")
        real(change)

    with (
        monkeypatch.context() as at_the_end,
        pytest.raises(TerritoryError, match=r"locked\. What was there is unchanged"),
    ):
        at_the_end.setattr(geopackage._Change, "commit", commit)
        room.finish(never)
    room.discard()
    assert [content(path.parent, "table") for path in files] == before
    for path, place in zip(files, given):
        room = outputs.Outputs()
        begin(outputs, room, place).add(rows([5]), never)
        room.finish(never)
        assert set(content(path.parent, "table")) == {"plan", "layer_styles"}
        assert content(path.parent, "table")["layer_styles"] == []
    room = outputs.Outputs()
    for number, place in enumerate(given):
        begin(outputs, room, place, f"OUTPUT{number}").add(rows([6]), never)
    room.finish(never)
    for path in files:
        assert set(content(path.parent, "table")) == {"plan", "layer_styles"}
        assert read(f"{path}|layername=plan") == [6]


def shapefile(outputs, folder, kinds):
    """Begin a shapefile with columns of the types given."""
    fields = QgsFields()
    for name, kind in kinds.items():
        fields.append(QgsField(name, kind))
    room = outputs.Outputs()
    layer, aside = room.layer("OUTPUT", str(folder / "plan.shp"))
    sink, destination = QgsProcessingUtils.createFeatureSink(
        str(aside), QgsProcessingContext(), fields, QgsWkbTypes.Type.Point, QgsCoordinateReferenceSystem("EPSG:4326")
    )
    layer.begin(sink, destination, fields, None)
    return room, layer


def point():
    return rows([0])[0][1]


def test_what_a_shapefile_shortens_is_told(outputs, tmp_path):
    kinds = {"population_total": QMetaType.Type.Int, "population_adult": QMetaType.Type.Int,
             "note": QMetaType.Type.QString}  # fmt: skip
    room, layer = shapefile(outputs, tmp_path, kinds)
    layer.add([([1, 2, "x" * 254], point()), ([1, 2, "é" * 128], point()), ([1, 2, None], point())], never)
    room.finish(never)
    names, texts = layer.notes
    assert "population_total is population, population_adult is populati_1" in names
    assert "1 text is cut (1 in “note”)" in texts
    assert all("Write a GeoPackage" in note for note in layer.notes)


def test_a_shapefile_that_holds_all_is_not_spoken_of(outputs, tmp_path):
    room, layer = shapefile(outputs, tmp_path, {"big": QMetaType.Type.LongLong, "note": QMetaType.Type.QString})
    layer.add([([2**53, "x"], point())], never)
    room.finish(never)
    assert layer.notes == []


def test_a_number_that_a_shapefile_would_change_stops_the_run(outputs, tmp_path):
    (tmp_path / "plan.shp").write_text("mine")
    room, layer = shapefile(outputs, tmp_path, {"big": QMetaType.Type.LongLong})
    with pytest.raises(TerritoryError, match="another number of 9007199254740993 in “big”"):
        layer.add([([2**53 + 1], point())], never)
    room.discard()
    assert bytes_in(tmp_path) == {"plan.shp": b"mine"}


def test_a_shapefile_has_no_room_for_more_than_255_columns(outputs, tmp_path):
    with pytest.raises(TerritoryError, match=r"holds 255 columns, and these are 256\. Write"):
        shapefile(outputs, tmp_path, {f"c{at}": QMetaType.Type.Int for at in range(256)})


def test_a_shapefile_that_is_too_large_for_many_programs_is_told(outputs, tmp_path, monkeypatch):
    from healthcare_territories.territory_plugin.gis import shapefiles

    monkeypatch.setattr(shapefiles, "LARGEST_FILE", 50)
    room, layer = shapefile(outputs, tmp_path, {"n": QMetaType.Type.Int})
    layer.add([([1], point())], never)
    room.finish(never)
    assert "read only 2 GB of a shapefile" in layer.notes[0]


def test_a_page_may_be_called_like_the_marks_of_a_move(outputs, tmp_path):
    room = outputs.Outputs()
    for name in ("moving", "before"):
        Path(room.page(str(tmp_path / name))).write_text(name)
    room.finish(never)
    assert bytes_in(tmp_path) == {"before": b"before", "moving": b"moving"}


def test_a_style_of_another_layer_stays(outputs, tmp_path):
    (tmp_path / "plan.qml").write_text("of plan.shp")
    room = outputs.Outputs()
    layer = begin(outputs, room, str(tmp_path / "plan.csv"))
    layer.add(rows([1]), never)
    (Path(layer.aside) / "plan.qml").write_text("ours")
    room.finish(never)
    assert (tmp_path / "plan.qml").read_text() == "of plan.shp"
    room = outputs.Outputs()
    layer = begin(outputs, room, str(tmp_path / "new.csv"))
    layer.add(rows([1]), never)
    (Path(layer.aside) / "new.qml").write_text("ours")
    room.finish(never)
    assert (tmp_path / "new.qml").read_text() == "ours"


def test_an_index_of_the_shapefile_before_goes(outputs, tmp_path):
    write(outputs, str(tmp_path / "plan.shp"), [1, 2])
    (tmp_path / "plan.qix").write_bytes(b"an index of other rows")
    write(outputs, str(tmp_path / "plan.shp"), [3])
    assert not (tmp_path / "plan.qix").exists()
    assert read(str(tmp_path / "plan.shp")) == [3]


def test_layers_that_are_loaded_read_their_file_anew(outputs, tmp_path):
    path = str(tmp_path / "plan.gpkg")
    write(outputs, path, [1])
    loaded = QgsVectorLayer(path, "plan", "ogr")
    QgsProject.instance().addMapLayer(loaded)
    try:
        assert loaded.featureCount() == 1
        room = outputs.Outputs()
        begin(outputs, room, path).add(rows([1, 2, 3]), never)
        room.finish(never)
        outputs.reload(QgsProject.instance(), room.layers)
        assert sorted(feature["n"] for feature in loaded.getFeatures()) == [1, 2, 3]
    finally:
        QgsProject.instance().removeMapLayer(loaded.id())


# --- places that cannot be written are told before anything is computed


def test_a_geopackage_with_further_tables_is_not_replaced_as_a_whole(outputs, old, places):
    folder = old("table")
    place = places.file_behind(str(folder / "plan.gpkg"))
    assert "it holds further tables (notes)" in places.why_not(place)
    assert places.why_not(places.file_behind(target(folder, "table"))) == ""


def test_a_geopackage_that_another_program_writes_to(outputs, old, places):
    folder = old("gpkg")
    place = places.file_behind(target(folder, "gpkg"))
    with sqlite3.connect(folder / "plan.gpkg", isolation_level=None) as connection:
        connection.execute("BEGIN IMMEDIATE")
        assert places.why_not(place) == "another program is writing to it"
        connection.execute("ROLLBACK")
    assert places.why_not(place) == ""


def test_a_geopackage_that_another_program_reads_by_its_log_is_not_replaced(outputs, old):
    """SQLite's log beside the file belongs to the file: whoever reads it would read pages of two files."""
    folder = old("gpkg")
    other = sqlite3.connect(folder / "plan.gpkg", isolation_level=None)
    try:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("CREATE TABLE mine (a)")
        other.execute("BEGIN")
        other.execute("SELECT * FROM mine").fetchall()
        with pytest.raises(TerritoryError, match="open in another program"):
            write(outputs, target(folder, "gpkg"), [9])
    finally:
        other.close()
    assert read(target(folder, "gpkg")) == [1, 2, 3]


@pytest.mark.parametrize(
    ("name", "why"),
    [("nowhere/plan.gpkg", "its folder does not exist"), ("a\0b.gpkg", "null"), ("x" * 300 + ".gpkg", "name too long"),
     ("loop/plan.gpkg", ""), ("folder.gpkg", "it is no file")],
)  # fmt: skip
def test_names_that_cannot_be_written_are_told_in_a_line(outputs, tmp_path, name, why, places):
    (tmp_path / "folder.gpkg").mkdir()
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    found = places.why_not(places.FilePlace(Path(f"{tmp_path}/{name}")))
    assert found and "\n" not in found
    assert why in found


@pytest.mark.parametrize(
    ("given", "path", "table"),
    [("plan", "plan.gpkg", None), ("plan.xyz", "plan.xyz.gpkg", None), ("plan.shp", "plan.shp", None),
     ("ogr:dbname='a b.gpkg' table=\"x y\" (geom)", "a b.gpkg", "x y")],
)  # fmt: skip
def test_the_name_that_qgis_gives_a_file(outputs, given, path, table, places):
    place = places.file_behind(given)
    assert (str(place.path), place.table) == (path, table)


@pytest.mark.parametrize("given", ["memory:", "TEMPORARY_OUTPUT", "postgres:dbname=x", "", None])
def test_what_is_no_file(outputs, given, places):
    assert places.file_behind(given) is None


# --- runs that are killed


WRITER = """
import os, sys
sys.path.insert(0, {plugins!r})
from qgis.core import QgsApplication
application = QgsApplication([], False)
application.initQgis()
from healthcare_territories.tests.gis.test_outputs import begin, rows
from healthcare_territories.territory_plugin.engine.progress import never
from healthcare_territories.territory_plugin.gis import outputs
print("ready", flush=True)
for given in sys.stdin:
    child = os.fork()
    if not child:
        for turn in range(10_000):
            if turn == 1:  # how long the first one takes depends on the machine
                print(os.getpid(), flush=True)
            room = outputs.Outputs()
            layer = begin(outputs, room, given.strip().replace("%turn", str(turn)))
            layer.add(rows([turn] * 500), never)
            room.finish(never)
        os._exit(0)
    print("ended by", os.WTERMSIG(os.waitpid(child, 0)[1]), flush=True)
"""


@pytest.fixture(scope="module")
def killed(tmp_path_factory, qgis_profile):
    """Return ``killed(given, moment)``: writes an output once, then over again, and dies some seconds after the first.

    QGIS starts once; each writer is a fork of that process.
    """
    folder = tmp_path_factory.mktemp("writer")
    plugins = folder / "plugins"
    plugins.mkdir()
    (plugins / "healthcare_territories").symlink_to(Path(__file__).resolve().parent.parent.parent)
    script = folder / "writer.py"
    script.write_text(WRITER.format(plugins=str(plugins)))
    pipes = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "stderr": subprocess.DEVNULL}
    with subprocess.Popen([sys.executable, script], text=True, **pipes) as parent:
        assert parent.stdout.readline() == "ready\n"

        def kill(given, moment):
            parent.stdin.write(f"{given}\n")
            parent.stdin.flush()
            writer = int(parent.stdout.readline())
            time.sleep(moment)
            os.kill(writer, signal.SIGKILL)
            assert parent.stdout.readline() == f"ended by {int(signal.SIGKILL)}\n"

        yield kill
        parent.stdin.close()


def moments(kind, request, longest, short):
    """Return when to strike: `short`, or ten moments with --long."""
    return np.random.default_rng(len(kind)).uniform(0, longest, 10) if request.config.getoption("long") else short


@pytest.mark.parametrize("kind", KINDS)
def test_a_killed_run_leaves_the_old_or_the_new(outputs, old, kind, killed, leftovers, moving, request):
    """A process that writes over and over again is killed at some moments, ten with --long: all rows are of one run."""
    folder = old(kind)
    for moment in moments(kind, request, 0.5, (0.05, 0.21)):
        killed(target(folder, kind), moment)
        leftovers.clear_leftovers(folder)
        if kind == "table":
            leftovers.clear_leftover_tables(folder / "plan.gpkg")
            assert set(content(folder, kind)) == {"notes", "plan"}
        found = read(f"{folder / 'plan.gpkg'}|layername=plan" if kind == "table" else target(folder, kind))
        numbers = {int(n) for n in found}
        assert (numbers == {1, 2, 3} and len(found) == 3) or (len(numbers) == 1 and len(found) == 500)
        left = [path.name for path in folder.iterdir() if path.name.startswith(moving.ASIDE)]
        assert left == []


def test_a_killed_run_leaves_new_tables_whole_or_not_at_all(outputs, old, killed, leftovers, request):
    folder = old("table")
    path = folder / "plan.gpkg"
    before = {"notes", "plan"}
    for moment in moments("new", request, 0.3, (0.1, 0.2)):
        killed(f"ogr:dbname='{path}' table=\"run {moment} %turn\" (geom)", moment)
        leftovers.clear_leftover_tables(path)
        found = content(folder, "table")
        assert set(content(folder, "table")) >= before
        for name in set(found) - before:
            turn = int(name.split()[-1])
            assert [row[-1] for row in found[name]] == [turn] * 500
            assert len(read(f"{path}|layername={name}")) == 500
        before |= set(found)
    assert len(before) > 2


def test_a_table_that_was_being_made_by_a_run_that_was_killed_goes(outputs, leftovers, old):
    """It is in the GeoPackage's list already, and not yet in that of its geometries."""
    path = old("table") / "plan.gpkg"
    name = f"territories_aside_{2**22 + 1}_0a1b2c3d"
    with sqlite3.connect(path) as connection:
        connection.execute(f'CREATE TABLE "{name}" (fid INTEGER PRIMARY KEY, geom BLOB)')
        connection.execute("INSERT INTO gpkg_contents (table_name, data_type) VALUES (?, 'features')", (name,))
    connection.close()
    leftovers.clear_leftover_tables(path)
    assert set(content(path.parent, "table")) == {"notes", "plan"}
    with sqlite3.connect(path) as connection:
        assert connection.execute("SELECT name FROM sqlite_master WHERE name = ?", (name,)).fetchall() == []
    connection.close()


def test_leftovers_of_a_run_that_lives_stay(outputs, tmp_path, leftovers, moving):
    mine = tmp_path / f"{moving.ASIDE}{os.getpid()}-abc"
    mine.mkdir()
    dead = tmp_path / f"{moving.ASIDE}{2**22 + 1}-abc"
    dead.mkdir()
    users = tmp_path / ".territories-notes"
    users.mkdir()
    leftovers.clear_leftovers(tmp_path)
    assert mine.exists() and users.exists() and not dead.exists()


@pytest.mark.parametrize("done", range(5))
def test_a_shapefile_whose_move_was_interrupted_is_completed(outputs, tmp_path, leftovers, moving, monkeypatch, done):
    """The run dies after some of its files are in place: the next one moves the rest, and keeps those."""
    names = [f"plan{suffix}" for suffix in (".cpg", ".dbf", ".prj", ".shp", ".shx")]
    dead = tmp_path / f"{moving.ASIDE}{2**22 + 1}-abc"
    dead.mkdir()
    for name in names:
        (dead / name).write_text("new")
    for name in (*names, "plan.qix"):
        (tmp_path / name).write_text("old")
    real, moved = os.replace, []

    def replace(source, destination):
        if Path(destination).parent == tmp_path:
            if len(moved) == done:
                raise KeyboardInterrupt
            moved.append(destination)
        real(source, destination)

    with monkeypatch.context() as until_it_dies, pytest.raises(KeyboardInterrupt):
        until_it_dies.setattr(moving.os, "replace", replace)
        moving.move_all(tmp_path, dead, [])
    leftovers.clear_leftovers(tmp_path)
    assert bytes_in(tmp_path) == dict.fromkeys(names, b"new")


def test_a_move_that_cannot_be_completed_yet_is_kept(outputs, tmp_path, leftovers, moving, monkeypatch):
    dead = tmp_path / f"{moving.ASIDE}{2**22 + 1}-abc"
    dead.mkdir()
    (dead / "plan.csv").write_text("new")
    (dead / moving.MOVING).write_text('["plan.csv"]')

    def refuse(source, destination):
        raise PermissionError(13, "another program has it open")

    with monkeypatch.context() as locked:
        locked.setattr(moving.os, "replace", refuse)
        leftovers.clear_leftovers(tmp_path)
    assert (dead / "plan.csv").exists()
    leftovers.clear_leftovers(tmp_path)
    assert bytes_in(tmp_path) == {"plan.csv": b"new"}
