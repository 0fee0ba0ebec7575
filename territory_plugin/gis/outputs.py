"""Outputs of a run: written aside, checked, and only then put in place, all of them or none.

Files are written into a new folder beside their target, under their final name; a table of a GeoPackage that is there
already is written under a name of its own. What was there before stays as it is until everything is complete. A run
that is killed leaves at most such a folder or table; the next run into the same place takes it away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from osgeo import gdal
from qgis.core import (
    QgsDataSourceUri,
    QgsFeature,
    QgsFeatureSink,
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProperty,
    QgsProviderRegistry,
    QgsVectorFileWriter,
    QgsVectorLayer,
)

from ..engine.errors import TerritoryError
from ..engine.progress import stop_if
from . import styles

DATABASES = ("postgres:", "spatialite:", "mssql:")
ASIDE = ".territories-"
"""How the folders begin that outputs are written in; the id of the process follows."""
TABLE_ASIDE = "territories_aside_"
OURS = ("layer_styles",)
"""Tables that QGIS adds to a GeoPackage for the styles of its layers."""
MOVING = "moving"
"""A file that says that the files beside it are complete and on their way."""
SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qpj")
BLOCK = 1000
_DAY = 86_400


@dataclass(frozen=True)
class FilePlace:
    """A file, or one table in it.

    Attributes
    ----------
    path : Path
    table : str, optional
        None is the whole file: what is written there replaces all tables.
    """

    path: Path
    table: str | None = None

    def replaces(self, other: FilePlace) -> bool:
        """Answer whether writing here destroys what lies at the other place."""
        same = self.path.resolve() == other.path.resolve()
        return same and (None in (self.table, other.table) or self.table.lower() == other.table.lower())


def sink_of(destination):
    """Return where an output goes, as scripts or as dialogs give it."""
    if isinstance(destination, QgsProcessingOutputLayerDefinition):
        return destination.sink.staticValue()
    return destination


def file_behind(destination) -> FilePlace | None:
    """Return the file that an output's value means, under the name that QGIS gives it; None when it is none.

    QGIS adds ``.gpkg`` to a name without an extension that it knows.
    """
    text = str(sink_of(destination) or "")
    if text.startswith("ogr:"):
        uri = QgsDataSourceUri(text[len("ogr:") :])
        return FilePlace(Path(uri.database()), uri.table() or None) if uri.database() else None
    outside = (QgsProcessing.TEMPORARY_OUTPUT, "memory:", *DATABASES)
    if not text or text.startswith(outside):
        return None
    path = Path(text)
    known = QgsVectorFileWriter.driverForExtension(path.suffix.removeprefix("."))
    return FilePlace(path if known else path.with_name(f"{path.name}.gpkg"))


def is_geopackage(destination) -> bool:
    """Answer whether an output goes to a GeoPackage, as it does where its name has no known extension."""
    place = file_behind(destination)
    return place is not None and (bool(place.table) or place.path.suffix.lower() == ".gpkg")


def moved_to(destination, text: str):
    """Return an output's value with another place in it."""
    if not isinstance(destination, QgsProcessingOutputLayerDefinition):
        return text
    moved = QgsProcessingOutputLayerDefinition(destination)
    moved.sink = QgsProperty.fromValue(text)
    return moved


def why_not(place: FilePlace) -> str:
    """Return why nothing can be written to a place, in words that follow “cannot write …”; "" where it can."""
    path = place.path
    if "\0" in str(path):
        return "its name holds a null"
    try:
        if not path.parent.is_dir():
            return "its folder does not exist"
        if not os.access(path.parent, os.W_OK):
            return "its folder may not be written to"
        if not path.exists():
            return ""
        if not path.is_file():
            return "it is no file"
        if not os.access(path, os.W_OK):
            return "it may not be written to"
        os.rename(path, path)  # Windows refuses this while another program has it open
    except (OSError, RuntimeError) as error:  # a name too long, a loop of links
        return str(getattr(error, "strerror", None) or error).lower()
    if path.suffix.lower() == ".gpkg":
        return _why_not_geopackage(place)
    return ""


def _why_not_geopackage(place: FilePlace) -> str:
    try:
        with contextlib.closing(sqlite3.connect(place.path, timeout=0.5)) as connection:
            connection.execute("BEGIN IMMEDIATE")
            connection.rollback()
            tables = [name for (name,) in connection.execute("SELECT table_name FROM gpkg_contents")]
    except sqlite3.Error as error:
        if "locked" in str(error):
            return "another program is writing to it"
        return "" if place.table is None else f"it is no GeoPackage that can be read ({error})"
    others = [name for name in tables if name not in (place.path.stem, *OURS) and not name.startswith(TABLE_ASIDE)]
    if place.table is None and others:
        return (
            f"it holds further tables ({', '.join(sorted(others)[:5])}), which would be lost: name the table to write, "
            "or another file"
        )
    return ""


@dataclass
class OutputLayer:
    """An output layer while it is written.

    Attributes
    ----------
    name : str
        The parameter.
    place : FilePlace or None
        Where it will be; None for layers in memory and in databases, which are written in place.
    aside : str
        The folder or the table that it is written to until then; "" where it is written in place.
    sink : QgsFeatureSink
    destination : str
        The layer's id, while it is written.
    final : str
        Its id once it is in place.
    fields : QgsFields
    style : styles.Style or None
    unstyled : Exception or None
        Why it could not be styled.
    rows : int
        How many were written.
    """

    name: str
    place: FilePlace | None = None
    aside: str = ""
    sink: object = None
    destination: str = ""
    final: str = ""
    fields: object = None
    style: object = None
    unstyled: Exception | None = None
    rows: int = 0

    def begin(self, sink, destination: str, fields, style) -> None:
        """Take the sink that QGIS has made, and where it writes to."""
        self.sink, self.destination, self.fields, self.style = sink, destination, fields, style
        self.final = self.destination
        if self.aside.startswith(TABLE_ASIDE):
            self.final = destination.replace(self.aside, self.place.table)
        elif self.aside:
            self.final = destination.replace(self.aside, str(self.place.path.parent))

    def add(self, rows, cancelled) -> None:
        """Write rows of (attributes, QgsGeometry or None).

        Raises
        ------
        TerritoryError
            When a row could not be written, as on a full disk.
        """
        block = []
        for attributes, geometry in rows:
            feature = QgsFeature(self.fields)
            feature.setAttributes(attributes)
            if geometry is not None:
                feature.setGeometry(geometry)
            block.append(feature)
            if len(block) == BLOCK:
                self._write(block, cancelled)
                block = []
        self._write(block, cancelled)

    def _write(self, block, cancelled) -> None:
        stop_if(cancelled)
        if block and not self.sink.addFeatures(block, QgsFeatureSink.Flag.FastInsert):
            raise TerritoryError(f"{self.name}: a row could not be written: {self.sink.lastError()}")
        self.rows += len(block)

    def close(self) -> None:
        """Let go of the file, which is complete only then.

        Raises
        ------
        TerritoryError
            When what was written does not reach the disk.
        """
        sink, self.sink = self.sink, None
        if sink is not None and not sink.flushBuffer():
            raise TerritoryError(f"{self.name} could not be written to its end: {sink.lastError()}")

    def check(self) -> None:
        """Open what was written again, and count its rows; give it its style."""
        counted = rows_in(self.destination)
        if counted != self.rows:
            raise TerritoryError(
                f"{self.name} is not complete: {self.rows:,} rows were written, {counted:,} can be read. The disk "
                "may be full."
            )
        if self.style is not None:
            try:
                styles.keep(QgsVectorLayer(self.destination, self.name, "ogr"), self.style)
            except Exception as error:  # a layer without its looks is still the whole layer
                self.unstyled = error


def rows_in(layer_id: str) -> int:
    """Return how many rows a file's layer has, 0 where it cannot be opened.

    By GDAL: a layer of QGIS whose rows were read keeps its file open for a minute.
    """
    path, _, rest = layer_id.partition("|")
    name = rest.removeprefix("layername=").partition("|")[0]
    try:
        with _exceptions():
            dataset = gdal.OpenEx(path, gdal.OF_VECTOR)
            layer = dataset.GetLayerByName(name) if name else dataset.GetLayer(0)
            return sum(1 for _ in layer)  # what is counted in a header may not be there
    except (RuntimeError, AttributeError):
        return 0


@dataclass
class Outputs:
    """All that a run writes.

    Attributes
    ----------
    layers : list of OutputLayer
    pages : dict of Path to Path
        Where a page will be → where it is written.
    """

    layers: list[OutputLayer] = field(default_factory=list)
    pages: dict[Path, Path] = field(default_factory=dict)
    folders: dict[Path, Path] = field(default_factory=dict)

    # ------------------------------------------------------------ writing aside

    def aside(self, folder: Path) -> Path:
        """Return the folder that outputs of a folder are written in; what dead runs left there goes."""
        if folder not in self.folders:
            clear_leftovers(folder)
            try:
                made = Path(tempfile.mkdtemp(prefix=f"{ASIDE}{os.getpid()}-", dir=folder))
            except OSError as error:
                raise TerritoryError(f"Nothing can be written in {folder}: {error.strerror or error}.") from error
            self.folders[folder] = made
        return self.folders[folder]

    def layer(self, name: str, given) -> tuple[OutputLayer, object]:
        """Return a new output layer, and the value by which QGIS writes it aside.

        Parameters
        ----------
        name : str
            The parameter.
        given : str or QgsProcessingOutputLayerDefinition
            Its value.
        """
        place = file_behind(given)
        layer = OutputLayer(name, place)
        self.layers.append(layer)
        if place is None:
            return layer, given
        if place.table and place.path.exists():
            clear_leftover_tables(place.path)
            layer.aside = f"{TABLE_ASIDE}{os.getpid()}_{uuid4().hex[:8]}"
            return layer, moved_to(given, _named(str(sink_of(given)), place.path, layer.aside))
        layer.aside = str(self.aside(place.path.parent))
        path = Path(layer.aside) / place.path.name
        return layer, moved_to(given, _named(str(sink_of(given)), path, place.table) if place.table else str(path))

    def page(self, path: str) -> str:
        """Return where a page is written until it is put in place."""
        final = Path(path)
        self.pages[final] = self.aside(final.parent) / final.name
        return str(self.pages[final])

    # ------------------------------------------------------------ putting in place

    def finish(self, cancelled) -> None:
        """Check all that was written, and put it in place.

        Raises
        ------
        TerritoryError
            When something is not complete, or cannot be put in place; then nothing is.
        """
        written = [layer for layer in self.layers if layer.place is not None]
        for layer in self.layers:
            layer.close()
        for layer in written:
            layer.check()
            stop_if(cancelled)
        for final, aside in self.pages.items():
            if not aside.is_file() or not aside.stat().st_size:
                raise TerritoryError(f"{final.name} could not be written. The disk may be full.")
        stop_if(cancelled)
        moved: list[tuple[Path, Path | None]] = []
        try:
            for folder, aside in self.folders.items():
                move_all(folder, aside, moved)
            tables: dict[Path, list[OutputLayer]] = {}
            for layer in written:
                if layer.aside.startswith(TABLE_ASIDE):
                    tables.setdefault(layer.place.path, []).append(layer)
            for path, layers in tables.items():
                rename_tables(path, {layer.aside: layer.place.table for layer in layers})
        except (OSError, RuntimeError) as error:
            for final, before in reversed(moved):
                _put_back(final, before)
            raise TerritoryError(
                f"The outputs could not be put in place: {error}. What was there is unchanged."
            ) from error
        self.clear()

    def discard(self) -> None:
        """Take back all that was written aside; what was there before was never touched."""
        for layer in self.layers:
            layer.sink = None
            if layer.aside.startswith(TABLE_ASIDE):
                with contextlib.suppress(RuntimeError):  # it may not have been made yet
                    drop_tables(layer.place.path, [layer.aside])
        self.clear()

    def clear(self) -> None:
        """Delete the folders that outputs were written in."""
        for aside in self.folders.values():
            shutil.rmtree(aside, ignore_errors=True)
        self.folders, self.pages = {}, {}


def _named(text: str, path: Path, table: str) -> str:
    """Return an output's text for a table (``ogr:dbname=…``) with another file and table in it."""
    uri = QgsDataSourceUri(text[len("ogr:") :])
    geometry = f" ({uri.geometryColumn()})" if uri.geometryColumn() else ""
    quoted = str(path).replace("'", "\\'")
    return f"ogr:dbname='{quoted}' table=\"{table}\"{geometry}"


# ------------------------------------------------------------------ files


def move_all(folder: Path, aside: Path, moved: list) -> None:
    """Put the files of a folder aside in their place; each is replaced at once, or not at all.

    Parameters
    ----------
    moved : list of (Path, Path or None)
        Takes what was done: the file, and a link to what it was before.
    """
    new = sorted(path for path in aside.iterdir() if path.is_file() and path.name != MOVING)
    for path in new:
        if path.suffix.lower() == ".gpkg":
            if not settle(path):
                raise TerritoryError(f"{path.name} could not be written to its end. The disk may be full.")
            if not settle(folder / path.name):
                raise TerritoryError(
                    f"{folder / path.name} is open in another program, or in this project: close it there, remove its "
                    "layers, or choose another file."
                )
    (aside / MOVING).touch()
    before = aside / "before"
    before.mkdir()
    names = {path.name for path in new}
    styled = {path.stem for path in new if path.suffix != ".qml" and (folder / path.name).exists()}
    for path in new:
        final = folder / path.name
        if path.suffix == ".qml" and final.exists() and path.stem not in styled:
            path.unlink()  # the style of another layer that is called alike
            continue
        kept = _keep(final, before)
        os.replace(path, final)
        moved.append((final, kept))
        if path.suffix.lower() == ".shp":
            for suffix in SHAPEFILE:  # an index of the earlier shapefile would tell of other rows
                left = final.with_suffix(suffix)
                if left.exists() and left.name not in names:
                    moved.append((left, _keep(left, before)))
                    left.unlink()


def _keep(path: Path, before: Path) -> Path | None:
    """Return a link to a file, or its copy, from which it can come back; None where there is none."""
    if not path.exists():
        return None
    kept = before / path.name
    try:
        os.link(path, kept)
    except OSError:  # not every file system has links
        shutil.copy2(path, kept)
    return kept


def _put_back(path: Path, before: Path | None) -> None:
    if before is None:
        path.unlink(missing_ok=True)
    else:
        os.replace(before, path)


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


# ------------------------------------------------------------------ tables


def _statement(dataset, text: str) -> None:
    result = dataset.ExecuteSQL(text)
    if result is not None:
        dataset.ReleaseResultSet(result)


def _quoted(name: str) -> str:
    return '"' + name.replace('"', '""') + '"'


def _tables(dataset) -> list[str]:
    return [dataset.GetLayer(at).GetName() for at in range(dataset.GetLayerCount())]


def rename_tables(path: Path, names: dict[str, str]) -> None:
    """Give tables of a GeoPackage their names, with their styles, in one transaction; earlier ones go."""
    with _exceptions():
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
        dataset.StartTransaction()
        try:
            for aside, final in names.items():
                for at, name in enumerate(_tables(dataset)):
                    if name.lower() == final.lower():
                        dataset.DeleteLayer(at)
                        break
                _styles(dataset, "DELETE FROM layer_styles WHERE f_table_name = {old}", old=final)
                _statement(dataset, " ".join(["ALTER TABLE", _quoted(aside), "RENAME TO", _quoted(final)]))
                # newer versions of GDAL do so by themselves
                move = "UPDATE layer_styles SET f_table_name = {new} WHERE f_table_name = {old}"
                _styles(dataset, move, new=final, old=aside)
            dataset.CommitTransaction()
        except RuntimeError:
            dataset.RollbackTransaction()
            raise
        finally:
            dataset = None


def _styles(dataset, statement: str, **names: str) -> None:
    """Change the table of styles, where there is one."""
    if "layer_styles" in _tables(dataset):
        quoted = {key: "'" + name.replace("'", "''") + "'" for key, name in names.items()}
        _statement(dataset, statement.format(**quoted))


def drop_tables(path: Path, names: list[str]) -> None:
    """Delete tables of a GeoPackage."""
    with _exceptions():
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR | gdal.OF_UPDATE)
        for at in reversed(range(dataset.GetLayerCount())):
            if dataset.GetLayer(at).GetName() in names:
                dataset.DeleteLayer(at)
        dataset = None


@contextlib.contextmanager
def _exceptions():
    before = gdal.GetUseExceptions()
    gdal.UseExceptions()
    try:
        yield
    finally:
        if not before:
            gdal.DontUseExceptions()


# ------------------------------------------------------------------ layers that are loaded


def reload(project, outputs: list[OutputLayer]) -> None:
    """Have the project's layers that stand on a replaced file or table read it anew."""
    for output in outputs:
        if output.place is None:
            continue
        for layer in project.mapLayers().values():
            source = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
            if source.get("path") and Path(source["path"]) == output.place.path:
                layer.dataProvider().reloadData()
                layer.reload()


# ------------------------------------------------------------------ what dead runs left


def clear_leftovers(folder: Path) -> None:
    """Delete what runs that were killed have left in a folder; files that were on their way are put in place."""
    for aside in folder.glob(f"{ASIDE}*-*"):
        if not aside.is_dir() or _lives(aside.name[len(ASIDE) :].partition("-")[0], aside):
            continue
        if (aside / MOVING).exists():
            with contextlib.suppress(OSError):
                shutil.rmtree(aside / "before", ignore_errors=True)
                move_all(folder, aside, [])
        shutil.rmtree(aside, ignore_errors=True)


def clear_leftover_tables(path: Path) -> None:
    """Delete the tables that runs that were killed have left in a GeoPackage."""
    with contextlib.suppress(RuntimeError), _exceptions():
        dataset = gdal.OpenEx(str(path), gdal.OF_VECTOR)
        left = [
            name for name in _tables(dataset)
            if name.startswith(TABLE_ASIDE) and not _lives(name[len(TABLE_ASIDE) :].partition("_")[0], path)
        ]  # fmt: skip
        dataset = None
        if left:
            drop_tables(path, left)


def _lives(process: str, path: Path) -> bool:
    """Answer whether the process that wrote something may still be at work."""
    if not process.isdigit():
        return True
    if os.name == "nt":  # asking for a process by a signal would end it there
        return time.time() - path.stat().st_mtime < _DAY
    if process == str(os.getpid()):
        return True
    return Path("/proc", process).exists() if Path("/proc/self").exists() else _answers(process)


def _answers(process: str) -> bool:
    from ..engine.tables.numbers import published_number

    try:
        os.kill(int(published_number(process)), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
