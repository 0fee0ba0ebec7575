"""Tables as people deliver them: headers that a driver missed, totals and lines below, text in an older encoding."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from functools import lru_cache
from pathlib import Path

from qgis.core import (
    NULL,
    QgsFeature,
    QgsField,
    QgsFields,
    QgsProcessingFeatureSource,
    QgsProcessingFeatureSourceDefinition,
    QgsProviderRegistry,
    QgsVectorLayer,
    QgsVectorLayerSelectedFeatureSource,
)

from ..engine.errors import Count, name_some
from ..engine.progress import until_cancelled
from ..engine.tables.footers import footer_rows
from ..engine.tables.headers import LOOK_AT, header_row, is_unnamed, plain_header

KEYS = frozenset({
    "npi", "zip", "zip_code", "zipcode", "zip5", "postal_code", "zcta", "id", "rep_id", "account_id", "account", "code",
    "pattern", "unit", "unit_id", "from_unit", "to_unit", "origin", "destination",
})  # fmt: skip
"""Columns that name a row, where nobody says which one does."""
DELIMITED = frozenset({".csv", ".txt", ".tsv", ".tab"})
OLDER = "windows-1252"


_PLAIN = frozenset({str, int, float, bool})


def plain(value):
    """Return an attribute as Python has it; QGIS's NULL becomes None."""
    if type(value) in _PLAIN:  # comparing with NULL takes a microsecond
        return value
    return None if value is None or value == NULL else value


class Cells(Sequence):
    """One attribute of all features; each is read when it is asked for."""

    def __init__(self, features: Sequence[QgsFeature], at: int, cancelled):
        self.features, self.at, self.cancelled = features, at, cancelled

    def __len__(self):
        return len(self.features)

    def __iter__(self):
        return (plain(feature.attribute(self.at)) for feature in until_cancelled(self.features, self.cancelled))

    def __getitem__(self, row):
        return plain(self.features[row].attribute(self.at))


def header_of(source) -> tuple[int, list[str]] | None:
    """Return the row that holds a table's column names and the names, where the driver took it for data; else None."""
    names = source.fields().names()
    if not is_unnamed(names):
        return None
    first = []
    for feature in source.getFeatures():
        first.append([plain(value) for value in feature.attributes()])
        if len(first) == LOOK_AT:
            break
    at = header_row(first) if len(first) > 1 else None
    if at is None:
        return None
    return at, [str(value).strip() if value is not None else name for value, name in zip(first[at], names)]


def named_fields(fields: QgsFields, names: Sequence[str]) -> QgsFields:
    """Return fields under other names."""
    renamed = QgsFields()
    for field, name in zip(fields, names):
        field = QgsField(field)
        field.setName(name)
        renamed.append(field)
    return renamed


def tell_header(called: str, header: tuple[int, list[str]], feedback) -> None:
    """Say which row of a table holds the names of its columns."""
    at, names = header
    feedback.pushInfo(
        f"{called}: row {at + 1} holds the names of the columns: {', '.join(names)}."
        + (f" {Count(at):row|rows} above it left out." if at else "")
    )


def keys_among(names: Sequence[str], keys: Collection[str]) -> list[str]:
    """Return the columns that name a row: those of `keys`, in any spelling; where it is empty, those of `KEYS`."""
    wanted = {plain_header(key) for key in keys if key} or KEYS
    return [name for name in names if plain_header(name) in wanted]


def without_footers(
    features: Sequence[QgsFeature], fields: QgsFields, called: str, keys: Collection[str], feedback
) -> list[QgsFeature]:
    """Return the features without the rows that are none: totals, empty rows, lines below the table. Those are told.

    Parameters
    ----------
    keys : collection of str
        Columns that name a row, in any spelling; empty: those of `KEYS`. What has a place is a row.
    """
    placed = [feature.hasGeometry() for feature in features]
    if all(placed):
        return list(features)
    names = fields.names()
    columns = {name: Cells(features, at, feedback.isCanceled) for at, name in enumerate(names)}
    left_out = tell_footers(footer_rows(columns, keys_among(names, keys)), placed, called, feedback)
    return [feature for row, feature in enumerate(features) if row not in left_out]


def tell_footers(found: dict[int, str], placed: Sequence[bool], called: str, feedback) -> set[int]:
    """Say which rows are none, and return those to leave out; `placed` says which rows have a place."""
    found = {row: text for row, text in found.items() if not placed[row]}
    if len(found) == len(placed):  # a table without any row of its own is told of elsewhere
        return set()
    told = {row: text for row, text in found.items() if text}
    if told:
        feedback.pushWarning(
            f"{called}: {Count(len(told)):row is|rows are} no data but totals or lines below the table, left out: "
            f"{name_some(f'row {row + 1} (“{text[:60]}”)' for row, text in told.items())}."
        )
    if len(found) > len(told):
        feedback.pushInfo(f"{called}: {Count(len(found) - len(told)):empty row is|empty rows are} left out.")
    return set(found)


@lru_cache(maxsize=64)
def _is_utf8(path: str, size: int, changed: float) -> bool:
    try:
        with open(path, encoding="utf-8") as file:
            while file.read(1 << 20):
                pass
    except UnicodeDecodeError:
        return False
    return True


def in_its_encoding(layer: QgsVectorLayer | None) -> QgsVectorLayer | None:
    """Return the layer of a delimited text file anew, read as Windows-1252, where it is not UTF-8; else None.

    QGIS would put a question mark for each sign that it cannot read, and names would no longer match.
    """
    if layer is None or layer.providerType() != "ogr" or layer.dataProvider().encoding().upper() != "UTF-8":
        return None
    path = Path(QgsProviderRegistry.instance().decodeUri("ogr", layer.source()).get("path") or "")
    if path.suffix.lower() not in DELIMITED or not path.is_file():
        return None
    state = path.stat()
    if _is_utf8(str(path), state.st_size, state.st_mtime):
        return None
    older = QgsVectorLayer(layer.source(), layer.name(), "ogr")
    older.setProviderEncoding(OLDER)
    older.setSubsetString(layer.subsetString())
    older.selectByIds(layer.selectedFeatureIds())
    return older


def source_of(layer: QgsVectorLayer, definition, context) -> tuple[QgsProcessingFeatureSource, object]:
    """Return a layer as a source, with the selection, filter and limit of its definition, and what it must outlive."""
    if not isinstance(definition, QgsProcessingFeatureSourceDefinition):
        return QgsProcessingFeatureSource(layer, context), layer
    behind = QgsVectorLayerSelectedFeatureSource(layer) if definition.selectedFeaturesOnly else layer
    source = QgsProcessingFeatureSource(behind, context, False, definition.featureLimit, definition.filterExpression)
    return source, (layer, behind)
