"""GeoPackages as SQLite has them: their tables under other names, their styles, and the log beside them."""

from __future__ import annotations

import contextlib
import sqlite3
from pathlib import Path

from osgeo import gdal

from ..engine.errors import TerritoryError

TABLE_ASIDE = "territories_aside_"
"""How the tables begin that outputs are written in; the id of the process follows."""
OURS = ("layer_styles",)
"""Tables that QGIS adds to a GeoPackage for the styles of its layers."""


def rows_in(layer_id: str) -> int:
    """Return how many rows a file's layer has, 0 where it cannot be opened.

    By GDAL: a layer of QGIS whose rows were read keeps its file open for a minute.
    """
    path, _, rest = layer_id.partition("|")
    name = rest.removeprefix("layername=").partition("|")[0]
    try:
        with exceptions():
            dataset = gdal.OpenEx(path, gdal.OF_VECTOR)
            layer = dataset.GetLayerByName(name) if name else dataset.GetLayer(0)
            if dataset.GetDriver().ShortName == "GPKG":
                counted = dataset.ExecuteSQL(" ".join(["SELECT", "COUNT(*)", "FROM", _quoted(layer.GetName())]))
                number = counted.GetNextFeature().GetField(0)
                dataset.ReleaseResultSet(counted)
                return number
            return sum(1 for _ in layer)  # what is counted in a header may not be there
    except (RuntimeError, AttributeError):
        return 0


def settle(path: Path) -> bool:
    """Have SQLite write back what it keeps beside a GeoPackage, so that the file can be replaced; say whether it did.

    It cannot where another program holds the file open: it would read pages of the one in pages of the other.
    """
    log = path.with_name(f"{path.name}-wal")
    if log.exists():
        with contextlib.suppress(sqlite3.Error), contextlib.closing(sqlite3.connect(path, timeout=1)) as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
            connection.execute("PRAGMA journal_mode=DELETE")
    return not log.exists()


def _statement(dataset, text: str) -> None:
    result = dataset.ExecuteSQL(text)
    if result is not None:
        dataset.ReleaseResultSet(result)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def tables_in(dataset) -> list[str]:
    return [dataset.GetLayer(at).GetName() for at in range(dataset.GetLayerCount())]


@contextlib.contextmanager
def renamed_tables(files: dict[Path, dict[str, str]], alone: bool):
    """Give tables of GeoPackages their names, with their styles, all of them or none; earlier ones go.

    One file is one transaction. Of several, all hold their changes before any is committed, and keep the earlier tables
    under another name until all are: where one cannot be committed, or what runs under this fails, they are undone.

    Parameters
    ----------
    files : dict
        By file: the name that a table will have, by the one that it has now.
    alone : bool
        Nothing follows that can fail: a single file needs nothing to go back to.

    Raises
    ------
    RuntimeError
        When a file cannot be written to; then none has changed.
    """
    with exceptions():
        changes, committed = [], []
        try:
            for path, names in files.items():
                changes.append(_Change(path))
                changes[-1].rename(names, keep_earlier=not alone or len(files) > 1)
            for change in changes:
                change.commit()
                committed.append(change)
            yield
        except (RuntimeError, TerritoryError):
            for change in changes[len(committed) :]:
                change.dataset.RollbackTransaction()
            for change in reversed(committed):
                change.undo()
            raise
        for change in changes:
            with contextlib.suppress(RuntimeError):  # the next run takes away what is left
                change.drop_earlier()
            change.dataset = None


class _Change:
    """Tables of one GeoPackage that change their names in one transaction."""

    def __init__(self, path: Path):
        self.path = path
        self.dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
        self.dataset.StartTransaction()
        self.done: list[tuple[str, str]] = []
        self.earlier: list[str] = []

    def rename(self, names: dict[str, str], keep_earlier: bool) -> None:
        for aside, final in names.items():
            for at, name in enumerate(tables_in(self.dataset)):
                if name.lower() != final.lower():
                    continue
                if keep_earlier:
                    self.earlier.append(f"{aside}_earlier")
                    self._rename(name, self.earlier[-1])
                else:
                    self.dataset.DeleteLayer(at)
                    _styles(self.dataset, FORGET_STYLE, old=name)
                break
            self._rename(aside, final)
        _forget_records(self.dataset)

    def _rename(self, old: str, new: str) -> None:
        _statement(self.dataset, " ".join(["ALTER TABLE", _quoted(old), "RENAME TO", _quoted(new)]))
        # newer versions of GDAL do so by themselves
        move = "UPDATE layer_styles SET f_table_name = {new} WHERE f_table_name = {old}"
        _styles(self.dataset, move, new=new, old=old)
        self.done.append((old, new))

    def commit(self) -> None:
        self.dataset.CommitTransaction()

    def undo(self) -> None:
        """Give all tables the names that they had."""
        done, self.done = self.done, []
        self.dataset.StartTransaction()
        for old, new in reversed(done):
            self._rename(new, old)
        self.dataset.CommitTransaction()

    def drop_earlier(self) -> None:
        for name in self.earlier:
            _styles(self.dataset, FORGET_STYLE, old=name)
            self.dataset.DeleteLayer(tables_in(self.dataset).index(name))
        _forget_records(self.dataset)


FORGET_STYLE = "DELETE FROM layer_styles WHERE f_table_name = {old}"


def _forget_records(dataset) -> None:
    """Delete the metadata of QGIS and GDAL of tables that are gone: GDAL takes them out of the references only."""
    found = dataset.ExecuteSQL("SELECT name FROM sqlite_master WHERE name = 'gpkg_metadata_reference'")
    there = found.GetNextFeature() is not None
    dataset.ReleaseResultSet(found)
    if there:
        _statement(
            dataset,
            "DELETE FROM gpkg_metadata WHERE md_standard_uri IN ('http://mrcc.com/qgis.dtd', 'http://gdal.org') "
            "AND id NOT IN (SELECT md_file_id FROM gpkg_metadata_reference)",
        )


def _styles(dataset, statement: str, **names: str) -> None:
    """Change the table of styles, where there is one."""
    if "layer_styles" in tables_in(dataset):
        quoted = {key: "'" + name.replace("'", "''") + "'" for key, name in names.items()}
        _statement(dataset, statement.format(**quoted))


REGISTERS = (
    "DELETE FROM gpkg_geometry_columns WHERE table_name = ?",
    "DELETE FROM gpkg_extensions WHERE table_name = ?",
    "DELETE FROM gpkg_ogr_contents WHERE table_name = ?",
    "DELETE FROM gpkg_contents WHERE table_name = ?",
)


def registered_tables(path: Path) -> list[str]:
    """Return the tables that a GeoPackage lists, also one that was being made when its writer was killed."""
    with contextlib.closing(sqlite3.connect(path)) as connection:
        return [name for (name,) in connection.execute("SELECT table_name FROM gpkg_contents")]


def forget_tables(path: Path, names: list[str]) -> None:
    """Take tables that GDAL does not know, as they are half made, out of a GeoPackage's lists."""
    with contextlib.closing(sqlite3.connect(path)) as connection, connection:
        for name in set(names) & set(registered_tables(path)):
            for statement in REGISTERS:
                with contextlib.suppress(sqlite3.OperationalError):  # not every GeoPackage has all of these lists
                    connection.execute(statement, (name,))
            connection.execute(" ".join(["DROP TABLE IF EXISTS", _quoted(name)]))


def drop_tables(path: Path, names: list[str]) -> None:
    """Delete tables of a GeoPackage, and their styles."""
    with exceptions():
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
        for at in reversed(range(dataset.GetLayerCount())):
            if dataset.GetLayer(at).GetName() in names:
                dataset.DeleteLayer(at)
        for name in names:
            _styles(dataset, FORGET_STYLE, old=name)
        dataset = None


@contextlib.contextmanager
def exceptions():
    before = gdal.GetUseExceptions()
    gdal.UseExceptions()
    try:
        yield
    finally:
        if not before:
            gdal.DontUseExceptions()
