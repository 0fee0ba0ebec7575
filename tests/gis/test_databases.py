"""Outputs in PostgreSQL: the earlier table or the new one, never between. Skips where PostgreSQL or PostGIS is not."""

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from pathlib import Path

import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled, never

from .test_outputs import begin, rows, styled

BINARIES = sorted(Path("/usr/lib/postgresql").glob("*/bin/pg_ctl")) or [Path(shutil.which("pg_ctl") or "")]


def as_a_user():
    """Return how to run a command as a user who is not root: PostgreSQL refuses to be run by root."""
    if os.getuid() != 0:
        return {}
    try:
        user = pwd.getpwnam("postgres")
    except KeyError:
        pytest.skip("no user “postgres” to run PostgreSQL as: it refuses to be run by root")
    return {"user": user.pw_uid, "group": user.pw_gid}


@pytest.fixture(scope="module")
def server(qgis_alive):
    """Start PostgreSQL on a socket in a temporary folder, with a database that has PostGIS; return that folder."""
    import tempfile

    binaries = BINARIES[-1].parent
    if not (binaries / "initdb").exists():
        pytest.skip("PostgreSQL is not installed here")
    user = as_a_user()
    with tempfile.TemporaryDirectory() as name:  # pytest's own folders are closed to other users
        folder = Path(name)
        if user:
            os.chown(folder, user["user"], user["group"])

        def call(command, *arguments):
            return subprocess.run([binaries / command, *arguments], capture_output=True, text=True, cwd=folder, **user)

        made = call("initdb", "-D", folder / "data", "-A", "trust", "-U", "tester")
        assert made.returncode == 0, made.stderr
        options = f"-k {folder} -c listen_addresses='' -c fsync=off"
        started = call("pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
        assert started.returncode == 0, (folder / "log").read_text()
        try:
            made = call("psql", "-h", folder, "-U", "tester", "-d", "postgres", "-c", "CREATE EXTENSION postgis")
            if made.returncode:
                pytest.skip(f"PostGIS is not installed here: {made.stderr.strip()}")
            yield folder
        finally:
            call("pg_ctl", "-D", folder / "data", "-m", "immediate", "stop")


@pytest.fixture
def database(server):
    """Return ``database(statement)``, which returns rows, on an empty schema `plans` and no styles."""
    from qgis.core import QgsProviderRegistry

    metadata = QgsProviderRegistry.instance().providerMetadata("postgres")
    connection = metadata.createConnection(f"host='{server}' dbname='postgres' user='tester'", {})
    connection.executeSql("DROP SCHEMA IF EXISTS plans CASCADE; CREATE SCHEMA plans; DROP TABLE IF EXISTS layer_styles")
    return connection.executeSql


@pytest.fixture
def place(server):
    return lambda name="plan": (
        f"postgres:host='{server}' dbname='postgres' user='tester' table=\"plans\".\"{name}\" (geom)"
    )


@pytest.fixture
def outputs(qgis_app):
    from healthcare_territories.territory_plugin.gis import outputs

    return outputs


def begun(outputs, places, numbers, style=None):
    room = outputs.Outputs()
    for number, given in enumerate(places):
        layer = begin(outputs, room, given, f"OUTPUT{number}")
        layer.style = style
        layer.add(rows(numbers), never)
    return room


def write(outputs, places, numbers, style=None):
    begun(outputs, places, numbers, style).finish(never)


def names(database):
    found = database("SELECT relname::text FROM pg_class WHERE relnamespace = 'plans'::regnamespace ORDER BY 1")
    return [name for (name,) in found]


def numbers(database, name="plan"):
    return [n for (n,) in database(f'SELECT n FROM plans."{name}" ORDER BY n')]


PARTS = ["plan", "plan_id_seq", "plan_pkey"]


def test_a_table_replaces_the_one_before_with_its_index_and_its_sequence(outputs, database, place):
    for written in ([1, 2], [3]):
        write(outputs, [place()], written)
        assert numbers(database) == written
        assert names(database) == PARTS
    database("INSERT INTO plans.plan (n) VALUES (4)")  # the sequence goes on counting
    assert numbers(database) == [3, 4]


@pytest.mark.parametrize("how", ["cancelled while writing", "cancelled at the end", "an error", "a row is lost"])
def test_what_was_there_is_there_after_a_run_that_failed(outputs, database, place, how):
    write(outputs, [place()], [1, 2])
    room = begun(outputs, [place()], [3])
    with pytest.raises((Cancelled, TerritoryError)):
        if how == "cancelled while writing":
            room.layers[0].add(rows([4]), lambda: True)
        if how == "an error":
            raise TerritoryError("something else")
        room.layers[0].rows += how == "a row is lost"
        room.finish(lambda: True)
    room.discard()
    assert numbers(database) == [1, 2]
    assert names(database) == PARTS


def test_two_tables_change_together_or_not_at_all(outputs, database, place, tmp_path):
    """A view was made on the second one while the run went on; a table of a GeoPackage is taken back, too."""
    given = [place("a"), place("b"), f"ogr:dbname='{tmp_path / 'c.gpkg'}' table=\"c\" (geom)", str(tmp_path / "d.csv")]
    write(outputs, given, [1])
    before = (tmp_path / "d.csv").read_bytes()
    room = begun(outputs, given, [2])
    database("CREATE VIEW plans.seen AS SELECT n FROM plans.b")
    with pytest.raises(TerritoryError, match=r"a, b could not be replaced .* unchanged: .* view"):
        room.finish(never)
    room.discard()
    assert [numbers(database, name) for name in "ab"] == [[1], [1]]
    assert (tmp_path / "d.csv").read_bytes() == before
    from .test_outputs import content

    (tmp_path / "c.gpkg").rename(tmp_path / "plan.gpkg")
    found = content(tmp_path, "table")
    assert set(found) == {"c"}
    assert [row[-1] for row in found["c"]] == [1]
    assert names(database) == ["a", "a_id_seq", "a_pkey", "b", "b_id_seq", "b_pkey", "seen"]


def test_a_table_that_another_program_reads_is_left_alone(outputs, database, place, server):
    write(outputs, [place()], [1])
    room = begun(outputs, [place()], [2])
    reader = [str(BINARIES[-1].with_name("psql")), "-h", str(server), "-U", "tester", "-d", "postgres", "-c"]
    with subprocess.Popen([*reader, "SELECT pg_sleep(20) FROM plans.plan"], stdout=subprocess.DEVNULL) as other:
        while not database("SELECT 1 FROM pg_stat_activity WHERE wait_event = 'PgSleep'"):
            pass
        with pytest.raises(TerritoryError, match="lock timeout"):
            room.finish(never)
        database("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE wait_event = 'PgSleep'")
        other.wait()
    room.discard()
    assert numbers(database) == [1]


def test_styles_of_other_people_stay(outputs, database, place):
    database("CREATE TABLE layer_styles (id serial PRIMARY KEY)")
    database("DROP TABLE layer_styles")
    write(outputs, [place()], [1], styled())
    assert not database("SELECT to_regclass('layer_styles') IS NOT NULL")[0][0]  # no table is made only for ours
    keep_one(place())
    for written in ([2], [3]):
        write(outputs, [place()], written, styled())
    kept = database("SELECT f_table_name, stylename, useasdefault FROM layer_styles ORDER BY 2")
    assert kept == [["plan", "Providers", True], ["plan", "ours", False]]


def keep_one(text):
    from qgis.core import QgsVectorLayer

    assert QgsVectorLayer(text.partition(":")[2], "", "postgres").saveStyleToDatabase("ours", "", True, "") == ""


def test_tables_of_dead_runs_of_this_computer_go(outputs, database, place):
    from healthcare_territories.territory_plugin.gis.databases import HERE

    dead, lives, elsewhere = (
        f"territories_aside_{HERE}_{2**22 + 1}_0a1b2c3d", f"territories_aside_{HERE}_{os.getpid()}_0a1b2c3d",
        f"territories_aside_00000000_{2**22 + 1}_0a1b2c3d",
    )  # fmt: skip
    for name in (dead, lives, elsewhere):
        database(f"CREATE TABLE plans.{name} (n integer)")
    write(outputs, [place()], [1])
    assert names(database) == [*PARTS, *sorted([lives, elsewhere])]


def test_what_cannot_be_written_is_told_before_anything_is_computed(database, place, attempt, board):
    from healthcare_territories.territory_plugin.gis.databases import DatabaseTable

    database("CREATE TABLE plans.plan (n integer); CREATE VIEW plans.seen AS SELECT n FROM plans.plan")
    assert DatabaseTable.of(place()).why_not() == "views stand on it and would be lost (seen)"
    assert DatabaseTable.of(place("seen")).why_not() == "it is no table"
    assert DatabaseTable.of(place("new")).why_not() == ""
    assert "has no schema “gone”" in DatabaseTable.of(place().replace("plans", "gone")).why_not()
    asked = {"UNITS": board("1 1\n1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2}
    assert "views stand on it" in attempt("balanceterritories", {**asked, "OUTPUT": place()}).refusal
    gone = place().replace("host='", "host='/nowhere")
    assert "The database cannot be reached" in attempt("balanceterritories", {**asked, "OUTPUT": gone}).refusal


def test_a_run_writes_two_tables(database, place, run, board):
    asked = {"UNITS": board("1 1\n1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2}
    for _ in range(2):
        run("balanceterritories", {**asked, "OUTPUT": place(), "ASSIGNMENT": place("zips")})
    assert database("SELECT count(*) FROM plans.plan") == [[2]]
    assert database("SELECT count(*) FROM plans.zips") == [[4]]
    assert not [name for name in names(database) if "aside" in name]
