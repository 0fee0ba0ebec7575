"""Outputs of a run: written aside, checked, and only then put in place, all of them or none.

Files are written into a new folder beside their target, under their final name; a table of a GeoPackage that is there
already is written under a name of its own. What was there before stays as it is until everything is complete. A run
that is killed leaves at most such a folder or table; the next run into the same place takes it away.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from uuid import uuid4

from qgis.core import (
    QgsFeature,
    QgsFeatureSink,
    QgsProviderConnectionException,
    QgsProviderRegistry,
    QgsVectorLayer,
)

from ..engine.errors import Count, TerritoryError
from ..engine.progress import stop_if
from . import metadata, styles
from .databases import DatabaseTable, put_in_place
from .geopackage import TABLE_ASIDE, drop_tables, renamed_tables, rows_in
from .leftovers import clear_leftover_tables, clear_leftovers, lives
from .moving import ASIDE, move_all, put_back
from .places import FilePlace, file_behind, moved_to, named, sink_of
from .shapefiles import ShapefileLimits

BLOCK = 1000


@dataclass
class OutputLayer:
    """An output layer while it is written.

    Attributes
    ----------
    name : str
        The parameter.
    place : FilePlace or None
        Where it will be; None for layers in memory and in databases.
    table : DatabaseTable or None
        The table of PostgreSQL that it will be. Layers in memory and in other databases are written in place.
    aside : str
        The folder or the table that it is written to until then; "" where it is written in place.
    sink : QgsFeatureSink
    destination : str
        The layer's id, while it is written.
    final : str
        Its id once it is in place.
    fields : QgsFields
    style : styles.Style or None
    record : metadata.Record or None
        How it was made.
    unstyled : Exception or None
        Why it could not be styled, or have its record.
    rows : int
        How many were written.
    limits : ShapefileLimits or None
    notes : list of str
        What a person should know of it, once it is checked.
    """

    name: str
    place: FilePlace | None = None
    table: DatabaseTable | None = None
    aside: str = ""
    sink: object = None
    destination: str = ""
    final: str = ""
    fields: object = None
    style: object = None
    record: object = None
    unstyled: Exception | None = None
    rows: int = 0
    limits: ShapefileLimits | None = None
    notes: list[str] = field(default_factory=list)

    def begin(self, sink, destination: str, fields, style) -> None:
        """Take the sink that QGIS has made, and where it writes to."""
        self.sink, self.destination, self.fields, self.style = sink, destination, fields, style
        if self.place is not None and self.place.path.suffix.lower() == ".shp":
            self.limits = ShapefileLimits(self.name, fields)
        self.final = self.destination
        if self.table is not None:
            self.final = self.table.given
        elif self.aside.startswith(TABLE_ASIDE):
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
            if self.limits is not None:
                self.limits.look_at(attributes)
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
        counted = rows_in(self.destination) if self.table is None else self.table.rows()
        if counted != self.rows:
            raise TerritoryError(
                f"{self.name} is not complete: {Count(counted):row|rows} of {self.rows:,} can be read. The "
                "disk may be full, or another program has the file open."
            )
        if self.limits is not None:
            self.notes = self.limits.notes(Path(self.aside) / self.place.path.name)
        if self.style is not None:
            try:
                if self.table is None:
                    layer = QgsVectorLayer(self.destination, self.name, "ogr")
                    styles.keep(layer, self.style)
                    if self.record is not None:
                        metadata.keep(layer, self.record, self.style.title)
                elif self.table.has_styles:
                    styles.keep(QgsVectorLayer(self.table.aside_text.partition(":")[2], "", "postgres"), self.style)
            except Exception as error:  # a layer without its looks is still the whole layer
                self.unstyled = error


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
            layer.table = DatabaseTable.of(str(sink_of(given) or ""))
            if layer.table is None:
                return layer, given
            layer.table.clear_leftovers(lives)
            return layer, moved_to(given, layer.table.aside_text)
        if place.table and place.path.exists():
            clear_leftover_tables(place.path)
            layer.aside = f"{TABLE_ASIDE}{os.getpid()}_{uuid4().hex[:8]}"
            return layer, moved_to(given, named(str(sink_of(given)), place.path, layer.aside))
        layer.aside = str(self.aside(place.path.parent))
        path = Path(layer.aside) / place.path.name
        return layer, moved_to(given, named(str(sink_of(given)), path, place.table) if place.table else str(path))

    def page(self, path: str) -> str:
        """Return where a page is written until it is put in place."""
        final = Path(path)
        self.pages[final] = self.aside(final.parent) / final.name
        return str(self.pages[final])

    # ------------------------------------------------------------ putting in place

    def in_place(self, results: dict) -> dict:
        """Return a run's results with its pages where they will be."""
        final = {str(aside): str(page) for page, aside in self.pages.items()}
        return {name: final.get(value, value) if isinstance(value, str) else value for name, value in results.items()}

    def finish(self, cancelled) -> None:
        """Check all that was written, and put it in place.

        Raises
        ------
        TerritoryError
            When something is not complete, or cannot be put in place; then nothing is.
        """
        written = [layer for layer in self.layers if layer.place is not None or layer.table is not None]
        for layer in self.layers:
            layer.close()
            stop_if(cancelled)
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
            names = {path: {layer.aside: layer.place.table for layer in layers} for path, layers in tables.items()}
            databases = [layer.table for layer in written if layer.table is not None]
            with renamed_tables(names, alone=not databases):
                put_in_place(databases)
        except (TerritoryError, OSError, RuntimeError) as error:
            for final, before in reversed(moved):
                put_back(final, before)
            if isinstance(error, TerritoryError):  # it says already what to do
                raise
            raise TerritoryError(
                f"The outputs could not be put in place: {error}. What was there is unchanged."
            ) from error
        self.clear()

    def discard(self) -> None:
        """Take back all that was written aside; what was there before was never touched."""
        for layer in self.layers:
            layer.sink = None
            if layer.table is not None:
                with contextlib.suppress(QgsProviderConnectionException):  # the next run tries again
                    layer.table.discard()
            if layer.aside.startswith(TABLE_ASIDE):
                with contextlib.suppress(RuntimeError):  # it may not have been made yet
                    drop_tables(layer.place.path, [layer.aside])
        self.clear()

    def clear(self) -> None:
        """Delete the folders that outputs were written in."""
        for aside in self.folders.values():
            shutil.rmtree(aside, ignore_errors=True)
        self.folders, self.pages = {}, {}


def reload(project, outputs: list[OutputLayer]) -> None:
    """Have the project's layers that stand on a replaced file or table read it anew."""
    for output in outputs:
        for layer in project.mapLayers().values():
            source = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source())
            same_file = output.place is not None and source.get("path") and Path(source["path"]) == output.place.path
            table = (source.get("schema"), source.get("table"))
            if same_file or (output.table is not None and table == (output.table.schema, output.table.name)):
                layer.dataProvider().reloadData()
                layer.reload()
