"""Where outputs go: files, tables of files, memory, databases; and whether anything can be written there."""

from __future__ import annotations

import contextlib
import os
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from qgis.core import (
    QgsDataSourceUri,
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProperty,
    QgsVectorFileWriter,
)

from .databases import POSTGRES
from .geopackage import OURS, TABLE_ASIDE

DATABASES = (*POSTGRES, "spatialite:", "mssql:")


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
        try:
            path.stat()  # `exists` hides a name that is too long, or a loop of links
        except FileNotFoundError:
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


def named(text: str, path: Path, table: str) -> str:
    """Return an output's text for a table (``ogr:dbname=…``) with another file and table in it."""
    uri = QgsDataSourceUri(text[len("ogr:") :])
    geometry = f" ({uri.geometryColumn()})" if uri.geometryColumn() else ""
    quoted = str(path).replace("'", "\\'")
    return f"ogr:dbname='{quoted}' table=\"{table}\"{geometry}"
