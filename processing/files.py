"""Outputs that lie in files: whether they can be written, what they would replace, and taking them back."""

from __future__ import annotations

import os
from dataclasses import dataclass
from pathlib import Path

from qgis.core import (
    QgsDataSourceUri,
    QgsProcessing,
    QgsProcessingOutputLayerDefinition,
    QgsProviderRegistry,
    QgsVectorFileWriter,
)

DATABASES = ("postgres:", "spatialite:", "mssql:")


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


def file_behind(destination) -> FilePlace | None:
    """Return the file that an output parameter's value means, or None when it is none."""
    text = str(sink_of(destination) or "")
    if text.startswith("ogr:"):
        uri = QgsDataSourceUri(text[len("ogr:") :])
        return FilePlace(Path(uri.database()), uri.table()) if uri.database() else None
    outside = (QgsProcessing.TEMPORARY_OUTPUT, "memory:", *DATABASES)
    return None if not text or text.startswith(outside) else FilePlace(Path(text))


def is_geopackage(destination) -> bool:
    """Answer whether an output goes to a GeoPackage, as it does where its name has no known extension."""
    place = file_behind(destination)
    if place is None:
        return False
    suffix = place.path.suffix.lower()
    return suffix == ".gpkg" or bool(place.table) or suffix[1:] not in QgsVectorFileWriter.supportedFormatExtensions()


def sink_of(destination):
    """Return where an output goes, as scripts or as dialogs give it."""
    if isinstance(destination, QgsProcessingOutputLayerDefinition):
        return destination.sink.staticValue()
    return destination


def changed(path: Path) -> int | None:
    """Return when a file was last changed, in nanoseconds; None when there is none."""
    return path.stat().st_mtime_ns if path.exists() else None


def writable(path: Path) -> bool:
    """Answer whether a file can be written there."""
    if path.exists():
        return path.is_file() and os.access(path, os.W_OK)
    return path.parent.is_dir() and os.access(path.parent, os.W_OK)


def remove(place: FilePlace) -> None:
    """Delete a file with what belongs to it (those of a shapefile), or the one table in it.

    Raises
    ------
    OSError
        When something is still there afterwards.
    """
    if place.table:
        ogr = QgsProviderRegistry.instance().providerMetadata("ogr")
        ogr.createConnection(str(place.path), {}).dropVectorTable("", place.table)
    elif place.path.suffix.lower() == ".shp":
        QgsVectorFileWriter.deleteShapeFile(str(place.path))
        place.path.with_suffix(".cpg").unlink(missing_ok=True)
    else:
        place.path.unlink(missing_ok=True)
        for suffix in ("-wal", "-shm", "-journal"):  # what SQLite keeps beside a file that it has open
            place.path.with_name(place.path.name + suffix).unlink(missing_ok=True)
