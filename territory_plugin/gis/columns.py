"""Columns of a source: as numbers, ids, ZIPs and text; and sources of which only some columns are kept."""

from __future__ import annotations

from array import array
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import dataclass, field
from itertools import islice

import numpy as np
import shapely
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsLineString,
    QgsPoint,
)

from ..engine.errors import Count, TerritoryError, name_some
from ..engine.npi import has_check_digit, read_npi
from ..engine.progress import stop_if
from ..engine.tables import footers, headers, ids, zips
from ..engine.tables.missing import known_texts
from ..engine.tables.numbers import require_numbers
from . import polygons, tables
from .tables import plain

STATE_NAMES = frozenset({"state", "st", "state_code", "state_abbr", "stusps", "province"})
BLOCK = 20_000
"""How many rows are in memory at a time."""


class Table:
    """What the columns of a table hold, by the rules of `engine.tables`.

    A subclass has `name`, `fields`, `feedback`, `called_before` and `column`.
    """

    def cancelled(self) -> bool:
        """Answer whether the user wants to stop."""
        return self.feedback is not None and self.feedback.isCanceled()

    def at(self, name: str) -> int:
        """Return the position of a field, by its name or by the one that the driver gave it; -1 for none."""
        found = self.fields.lookupField(name)
        return self.fields.lookupField(self.called_before[name]) if found < 0 and name in self.called_before else found

    def known_as(self, name: str) -> str:
        """Return the name that a field has here, by its name or by the one that the driver gave it."""
        at = self.at(name)
        if at < 0:
            raise TerritoryError(f"{self.name} has no field “{name}”. It has: {', '.join(self.fields.names())}.")
        return self.fields.at(at).name()

    def texts(self, name: str) -> list[str | None]:
        """Return one attribute as text, None for what holds no value (NULL, empty, N/A and the like)."""
        found = known_texts(self.column(name))
        lost = [f"row {row + 1} (“{text}”)" for row, text in enumerate(found) if text and "\ufffd" in text]
        if lost:
            self.warn(
                f"{self.name}, “{name}”: signs could not be read, so names may not match: {name_some(lost)}. Set the "
                "layer's encoding, or save the file as UTF-8."
            )
        return found

    def ids(self, name: str) -> list[str | None]:
        """Return one attribute as ids, zeros kept.

        Raises
        ------
        TerritoryError
            Where a spreadsheet has spoilt them (1.23457E+09).
        """
        found = self.texts(name)
        ids.refuse_damaged(found, f"{self.name}, “{name}”")
        return found

    def npis(self, name: str) -> list[str | None]:
        """Return one attribute as NPIs of ten digits, None where it is none.

        Raises
        ------
        TerritoryError
            Where a spreadsheet has spoilt them: 1.23457E+09, or its last digits all 0.
        """
        found = [read_npi(text) for text in self.ids(name)]
        rounded = [
            f"row {row + 1} ({npi})" for row, npi in enumerate(found)
            if npi is not None and npi.endswith("0000") and not has_check_digit(npi)
        ]  # fmt: skip
        if rounded:
            raise TerritoryError(
                f"{self.name}, “{name}”: {Count(len(rounded)):NPI ends|NPIs end} in zeros and "
                f"{Count(len(rounded)):has|have} a wrong check digit; a spreadsheet has rounded them: "
                f"{name_some(rounded)}. Export the table anew with this column formatted as text."
            )
        return found

    def state_field(self) -> str | None:
        """Return the column that is called as one of states, None without one."""
        return next((name for name in self.fields.names() if headers.plain_header(name) in STATE_NAMES), None)

    def states(self) -> list[str | None] | None:
        """Return the state of each feature where a column is called so, else None."""
        column = self.state_field()
        return self.texts(column) if column else None

    def zips(self, name: str, units: Sequence[str] = ()) -> np.ndarray:
        """Return one attribute as ZIPs of five digits, or as ids of `units`; None where it is neither.

        Zeros that were lost are told; where the layer has a column of states, they are held against it.
        """
        texts, states = self.texts(name), self.states()
        found = zips.match_units(texts, units, states)
        for note in found.notes(texts, states):
            self.warn(f"{self.name}, “{name}”: {note}")
        return found.codes

    def numbers(self, name: str, labels: Sequence[object] | None = None) -> np.ndarray:
        """Return one attribute as floats, NaN where there is no value; numbers written as text are read.

        Raises
        ------
        TerritoryError
            When a value is no number; the message names the features by `labels` (default: row numbers).
        """
        if name not in self._numbers:
            self._numbers[name], notes = require_numbers(
                self.column(name), f"{self.name}: field “{name}”", labels, nan=False,
                way_out="Choose a numeric field or correct these values (NULL counts as no value).",
            )  # fmt: skip
            for note in notes:
                self.tell(note)
        return self._numbers[name].copy()

    def tell(self, text: str) -> None:
        """Say something in the log."""
        if self.feedback is not None:
            self.feedback.pushInfo(text)

    def warn(self, text: str) -> None:
        """Warn in the log."""
        if self.feedback is not None:
            self.feedback.pushWarning(text)


@dataclass
class Columns(Table):
    """Some columns of a source, and where its features are; the features themselves are not kept.

    Attributes
    ----------
    name : str
        The source's name, for messages.
    source : QgsProcessingFeatureSource
    fields : QgsFields
        All of them.
    crs : QgsCoordinateReferenceSystem
    feedback : QgsFeedback
    called_before : dict of str to str
        Names that a driver gave (Field1) to columns whose header it took for a row.
    skipped : int
        How many rows stand before the first.
    left_out : set of int
        Rows that are none: totals, lines below a table.
    fids : numpy.ndarray of int, shape (n,)
        The features' ids.
    xy : numpy.ndarray of float, shape (n, 2), or None
        Where each feature is, a shape's centroid; NaN where it has no geometry. In the source's CRS. None for tables.
    codes : numpy.ndarray of object, shape (n,), or None
        The ZIP of each row, None where it has none; None without a column of ZIPs.
    floats, empty : dict of str to numpy.ndarray, shape (n,)
        Fields of numbers, and where they are NULL.
    cells : dict of str to list, length n
        Columns of numbers that are written as text.
    """

    name: str
    source: object
    fields: QgsFields
    crs: QgsCoordinateReferenceSystem
    feedback: object
    called_before: dict[str, str] = field(default_factory=dict)
    skipped: int = 0
    left_out: set[int] = field(default_factory=set)
    fids: np.ndarray | None = None
    xy: np.ndarray | None = None
    codes: np.ndarray | None = None
    floats: dict[str, np.ndarray] = field(default_factory=dict)
    empty: dict[str, np.ndarray] = field(default_factory=dict)
    cells: dict[str, list] = field(default_factory=dict)
    _numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self):
        return len(self.fids)

    def column(self, name: str) -> Sequence:
        """Return a column of numbers that are written as text, None for NULL."""
        return self.cells[self.known_as(name)]

    def numbers(self, name: str, labels: Sequence[object] | None = None) -> np.ndarray:
        """Return one column as floats, NaN where there is no value; numbers written as text are read."""
        known = self.known_as(name)
        if known not in self.floats:
            return super().numbers(name, labels)
        values, _ = require_numbers(self.floats[known], f"{self.name}: field “{name}”", labels, nan=False)
        values[self.empty[known]] = np.nan
        return values

    def points(self, rows: slice, transform: QgsCoordinateTransform) -> np.ndarray | None:
        """Return where features are as shapely points, None where they have no place; None for tables.

        Raises
        ------
        TerritoryError
            For features that have no place in the other CRS.
        """
        if self.xy is None:
            return None
        xy = self.xy[rows].copy()
        placed = np.flatnonzero(~np.isnan(xy[:, 0]))
        xy[placed] = moved(xy[placed], transform)
        lost = self.fids[rows][placed[~np.isfinite(xy[placed]).all(axis=1)]].tolist()
        if lost:
            raise TerritoryError(no_place(self.name, lost))
        points = np.full(len(xy), None, dtype=object)
        points[placed] = shapely.points(xy[placed])
        return points

    def blocks(self, names: Sequence[str], geometry: bool = False) -> Iterator[list[QgsFeature]]:
        """Read the features in blocks, with some columns; rows that are none are among them."""
        request = QgsFeatureRequest().setSubsetOfAttributes([self.fields.lookupField(name) for name in names])
        if not geometry:
            request.setFlags(Qgis.FeatureRequestFlag.NoGeometry)
        rows = islice(whole(self.source, request), self.skipped, None)
        while block := list(islice(rows, BLOCK)):
            stop_if(self.feedback.isCanceled)
            yield block
        stop_if(self.feedback.isCanceled)  # a cancelled feedback can also end the iteration quietly

    def cells_of(self, names: Sequence[str]) -> Iterator[dict[str, list]]:
        """Read columns in blocks of rows; rows that are none are among them."""
        at = {name: self.fields.lookupField(name) for name in names}
        for block in self.blocks(names):
            yield {name: values_of(block, position) for name, position in at.items()}

    def texts(self, name: str) -> Iterator[str | None]:
        """Read one column as text, None for what holds no value; it is read anew whenever it is asked for."""
        known, row = self.known_as(name), 0
        for block in self.cells_of([known]):
            for text in known_texts(block[known]):
                if row not in self.left_out:
                    yield text
                row += 1


@dataclass(frozen=True)
class Again:
    """Rows to write, made of features that are read anew whenever this is iterated over.

    Attributes
    ----------
    columns : Columns
    rows : numpy.ndarray of int
        The ones that are needed.
    made : callable
        Given row and feature, returns what is written.
    """

    columns: Columns
    rows: np.ndarray
    made: Callable[[int, QgsFeature], tuple]

    def __iter__(self):
        of = dict(zip(self.columns.fids[self.rows].tolist(), self.rows.tolist()))
        request = QgsFeatureRequest()
        if len(of) < len(self.columns) // 10:
            request.setFilterFids(list(of))
        for feature in whole(self.columns.source, request):
            if feature.id() in of:  # a source with a filter of its own forgets the request's
                yield self.made(of[feature.id()], feature)
        stop_if(self.columns.feedback.isCanceled)


def moved(xy: np.ndarray, transform: QgsCoordinateTransform) -> np.ndarray:
    """Return coordinates, shape (n, 2), in another CRS; not finite where there is no place."""
    if transform.isShortCircuited() or not len(xy):
        return xy
    line = QgsLineString(*xy.T.tolist()) if len(xy) > 1 else QgsPoint(*xy[0].tolist())
    try:
        line.transform(transform)
    except QgsCsException:
        if len(xy) == 1:
            return np.full((1, 2), np.inf)
        return np.concatenate([moved(xy[: len(xy) // 2], transform), moved(xy[len(xy) // 2 :], transform)])
    return shapely.get_coordinates(shapely.from_wkb(bytes(line.asWkb())))


def no_place(name: str, fids: Sequence[int]) -> str:
    """Return the sentence for features that a CRS cannot place."""
    return (
        f"{name}: {Count(len(fids)):feature has|features have} no place in longitude and latitude: "
        f"{name_some(f'feature {fid}' for fid in fids)}. Check their coordinates, and the layer's CRS."
    )


def whole(source, request: QgsFeatureRequest):
    """Return an iterator over the features of a source, invalid shapes among them."""
    return source.getFeatures(request, Qgis.ProcessingFeatureSourceFlag.SkipGeometryValidityChecks)


def values_of(features: Sequence[QgsFeature], at: int) -> list:
    """Return one attribute of features, None for NULL."""
    return [plain(feature.attribute(at)) for feature in features]


def read_columns(
    source, name: str, feedback, *, zip_field: str = "", units: Sequence[str] = (), numbers: Collection[str] = (),
    keys: Collection[str] = (),
) -> Columns:  # fmt: skip
    """Read some columns of a source in blocks: memory grows by some 40 bytes with each row, and 9 for each number.

    Rows that are none (totals, lines below a table) are left out and told, as `read_layer` does.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
    name : str
        What the messages call the source.
    zip_field : str
        A column of ZIPs, or of the ids of `units`; it is read as `Table.zips` does. "" for none.
    units : sequence of str
    numbers : collection of str
        Columns of numbers.
    keys : collection of str
        The columns that name a row.

    Raises
    ------
    TerritoryError
        Empty source, unknown column, features that have a place in a layer without CRS.
    """
    header = tables.header_of(source)
    columns = Columns(name, source, source.fields(), source.sourceCrs(), feedback)
    if header is not None:
        tables.tell_header(name, header, feedback)
        columns.called_before = dict(zip(source.fields().names(), header[1]))
        columns.fields, columns.skipped = tables.named_fields(source.fields(), header[1]), header[0] + 1
    _gather(columns, columns.known_as(zip_field) if zip_field else "", units, [*map(columns.known_as, numbers)])
    if not len(columns):
        raise TerritoryError(f"{name} is empty: no feature came through (check the selection and the filter).")
    if columns.xy is not None and not columns.crs.isValid():
        raise TerritoryError(f"{name} has no coordinate reference system: assign one (“Assign projection”) first.")
    placed = np.zeros(len(columns), dtype=bool) if columns.xy is None else ~np.isnan(columns.xy[:, 0])
    if not placed.all():
        names = columns.fields.names()
        found = footers.find_footers(columns.cells_of, names, tables.keys_among(names, keys))
        _leave_out(columns, tables.tell_footers(found, placed, name, feedback))
    return columns


def _gather(columns: Columns, zip_field: str, units: Sequence[str], numbers: Sequence[str]) -> None:
    """Fill in the columns of ZIPs and numbers, the features' ids, and where they are."""
    has_place = columns.source.wkbType() != Qgis.WkbType.NoGeometry
    states = columns.state_field() if zip_field else None
    at = {name: columns.fields.lookupField(name) for name in {zip_field, states, *numbers} if name}
    typed = [name for name in numbers if columns.fields.at(at[name]).isNumeric()]
    floats, empty = {name: array("d") for name in typed}, {name: bytearray() for name in typed}
    columns.cells = {name: [] for name in numbers if name not in typed}
    fids, xy, codes, lost, seen = array("q"), array("d"), [], zips.Lost(), {}
    for block in columns.blocks(list(at), has_place):
        fids.extend(feature.id() for feature in block)
        if has_place:
            for feature in block:
                xy.extend(place_of(feature))
        for name in typed:
            values = values_of(block, at[name])
            floats[name].extend(0.0 if value is None else value for value in values)
            empty[name].extend(value is None for value in values)
        for name, values in columns.cells.items():
            values += [seen.setdefault(value, value) for value in values_of(block, at[name])]
        if zip_field:
            texts = known_texts(values_of(block, at[zip_field]))
            beside = known_texts(values_of(block, at[states])) if states else None
            found = zips.match_units(texts, units, beside)
            lost.add(found, texts, beside)
            codes += [seen.setdefault(code, code) for code in found.codes]
    for note in lost.notes():
        columns.warn(f"{columns.name}, “{zip_field}”: {note}")
    columns.fids = np.frombuffer(fids, dtype=np.int64) if len(fids) else np.array([], dtype=np.int64)
    places = np.frombuffer(xy).reshape(-1, 2) if len(xy) else np.full((len(fids), 2), np.nan)
    columns.xy = None if np.isnan(places).all() else places
    columns.codes = np.array(codes, dtype=object) if zip_field else None
    columns.floats = {name: np.array(values) for name, values in floats.items()}
    columns.empty = {name: np.array(flags, dtype=bool) for name, flags in empty.items()}


def place_of(feature: QgsFeature) -> tuple[float, float]:
    """Return where a feature is, a shape's centroid; NaN where it has none."""
    geometry = feature.geometry()
    if geometry.isEmpty():
        return np.nan, np.nan
    if geometry.wkbType() != Qgis.WkbType.Point:
        geometry = polygons.middle_of(geometry)
    point = geometry.asPoint()
    return point.x(), point.y()


def _leave_out(columns: Columns, rows: set[int]) -> None:
    """Take rows out of columns."""
    if not rows:
        return
    kept = np.setdiff1d(np.arange(len(columns)), list(rows))
    columns.left_out, columns.fids = rows, columns.fids[kept]
    columns.xy = None if columns.xy is None else columns.xy[kept]
    columns.codes = None if columns.codes is None else columns.codes[kept]
    columns.cells = {name: [values[row] for row in kept] for name, values in columns.cells.items()}
    columns.floats = {name: values[kept] for name, values in columns.floats.items()}
    columns.empty = {name: values[kept] for name, values in columns.empty.items()}
