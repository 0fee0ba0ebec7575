"""Layers to frames: what the engine computes on, read once and checked before anything else happens."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsGeometry,
    QgsWkbTypes,
)

from ..engine import contiguity
from ..engine.errors import Count, TerritoryError, name_some
from ..engine.progress import never, stop_if, until_cancelled
from . import polygons, tables
from .columns import Table, no_place
from .polygons import from_shape
from .tables import plain

LONLAT = QgsCoordinateReferenceSystem("EPSG:4326")


@dataclass
class Layer(Table):
    """The features of one source, as QGIS has them and as columns.

    Attributes
    ----------
    name : str
        The source's name, for messages.
    features : list of QgsFeature
        In the source's CRS, with all attributes, in the order of the source.
    fields : QgsFields
    crs : QgsCoordinateReferenceSystem
    wkb_type : Qgis.WkbType
    shapes : numpy.ndarray of shapely geometries, shape (n,)
        In the source's CRS; empty array for a table.
    lonlat : numpy.ndarray of shapely geometries, shape (n,)
        The same in degrees on WGS84; empty array for a table.
    repaired : list of int
        Rows whose invalid geometry was repaired.
    feedback : QgsFeedback, optional
        Is told how values were understood.
    called_before : dict of str to str
        Names that a driver gave (Field1) to columns whose header it took for a row.
    """

    name: str
    features: list[QgsFeature]
    fields: QgsFields
    crs: QgsCoordinateReferenceSystem
    wkb_type: Qgis.WkbType
    shapes: np.ndarray
    lonlat: np.ndarray
    repaired: list[int]
    feedback: object = None
    called_before: dict[str, str] = field(default_factory=dict)
    _numbers: dict[str, np.ndarray] = field(default_factory=dict)

    def __len__(self):
        return len(self.features)

    def column(self, name: str) -> list:
        """Return one attribute of all features, with None for NULL."""
        at = self.fields.lookupField(self.known_as(name))
        return [plain(feature.attribute(at)) for feature in until_cancelled(self.features, self.cancelled)]


def read_layer(
    source,
    name: str,
    context,
    feedback,
    *,
    geometry: str | None = None,
    only: Collection[int] | None = None,
    keys: Collection[str] = (),
) -> Layer:
    """Read all features of a processing source.

    Selected features only, expression filters and limits are those of the source. Invalid polygons are
    repaired and counted; geometries are brought to degrees on WGS84 by QGIS.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
    name : str
        What the messages call the source.
    geometry : {'polygon', 'line', 'point', 'any', None}
        The geometry that is needed; 'any' keeps what features have and needs none; None reads attributes only.
    only : collection of int, optional
        The ids of the features that are needed; the others are not read.
    keys : collection of str
        The columns that name a row. Rows that are none (totals, lines below a table) have no key; they are left out
        and told, where `geometry` is None or 'any'.

    Raises
    ------
    TerritoryError
        Empty source, wrong geometry type, layer without CRS, features without geometry.
    """
    request = QgsFeatureRequest()
    if geometry is None:
        request.setFlags(Qgis.FeatureRequestFlag.NoGeometry)
    elif geometry != "any":
        check_geometry(source, name, geometry)
    if only is not None:
        request.setFilterFids(list(only))
    features = []
    for feature in source.getFeatures(request, Qgis.ProcessingFeatureSourceFlag.SkipGeometryValidityChecks):
        if only is not None and feature.id() not in only:  # a source with a filter of its own forgets the request's
            continue
        features.append(feature)
        if len(features) % 500 == 0:
            stop_if(feedback.isCanceled)
    stop_if(feedback.isCanceled)  # a cancelled feedback can also end the iteration quietly
    if not features:
        raise TerritoryError(f"{name} is empty: no feature came through (check the selection and the filter).")
    fields, called_before = source.fields(), {}
    if geometry in (None, "any") and only is None:
        header = tables.header_of(source)
        if header is not None:
            tables.tell_header(name, header, feedback)
            features, called_before = features[header[0] + 1 :], dict(zip(fields.names(), header[1]))
            fields = tables.named_fields(fields, header[1])
        features = tables.without_footers(features, fields, name, keys, feedback)
    layer = Layer(
        name, features, fields, source.sourceCrs(), source.wkbType(), np.array([]), np.array([]), [], feedback,
        called_before,
    )  # fmt: skip
    if geometry not in (None, "any"):
        heeded = until_cancelled(features, feedback.isCanceled)
        missing = [feature.id() for feature in heeded if feature.geometry().isEmpty()]
        if missing:
            raise TerritoryError(
                f"{name}: {Count(len(missing)):feature has|features have} no geometry: "
                f"{name_features(layer, missing)}. "
                "Give them a shape, or take them out with “Remove null geometries”."
            )
        read_shapes(layer, context, feedback, areas=geometry == "polygon")
    return layer


def check_geometry(source, name: str, geometry: str) -> None:
    """Raise when a source is of the wrong geometry type or has no CRS."""
    wanted = {
        "polygon": Qgis.GeometryType.Polygon,
        "line": Qgis.GeometryType.Line,
        "point": Qgis.GeometryType.Point,
    }[geometry]
    found = QgsWkbTypes.geometryType(source.wkbType())
    if found != wanted and QgsWkbTypes.flatType(source.wkbType()) not in polygons.MIXED:
        raise TerritoryError(
            f"{name} must be a {geometry} layer, but is of type {QgsWkbTypes.displayString(source.wkbType())}."
            + (" Sum points to ZIP polygons first with “Sum providers to ZIPs”." if geometry == "polygon" else "")
        )
    if not source.sourceCrs().isValid():
        raise TerritoryError(f"{name} has no coordinate reference system: assign one (“Assign projection”) first.")


def name_features(layer: Layer, ids: Sequence[int]) -> str:
    """Return features by id, up to eight of them."""
    return name_some(f"feature {fid}" for fid in ids)


def read_shapes(layer: Layer, context, feedback, *, areas: bool) -> None:
    """Fill in the shapes of a layer, in its own CRS and in degrees; with `areas`, only valid polygons."""
    taken = take_polygons(layer, feedback) if areas else {}
    rest = [row for row in range(len(layer)) if row not in taken]
    layer.shapes = np.full(len(layer), None, dtype=object)
    layer.shapes[rest] = shapely.from_wkb(
        [straight_wkb(layer.features[row].geometry()) for row in until_cancelled(rest, feedback.isCanceled)]
    )
    layer.shapes[list(taken)] = list(taken.values())
    layer.shapes = shapely.force_2d(layer.shapes)
    refuse_no_numbers(layer)
    if areas:
        bad = invalid_rows(layer.shapes, feedback.isCanceled)
        for row in bad:
            layer.shapes[row] = polygons.repaired(layer.shapes[row])
            layer.features[row].setGeometry(from_shape(layer.shapes[row]))
        layer.repaired = bad.tolist()
        flat = [layer.features[row].id() for row in np.flatnonzero(shapely.is_empty(layer.shapes))]
        if flat:
            raise TerritoryError(
                f"{layer.name}: {Count(len(flat)):feature covers|features cover} no area: "
                f"{name_features(layer, flat)}. Draw them anew, or take them out."
            )
        make_multi(layer)
    stop_if(feedback.isCanceled)
    transform = QgsCoordinateTransform(layer.crs, LONLAT, context.transformContext())
    layer.lonlat = layer.shapes
    if not transform.isShortCircuited():
        layer.lonlat = reproject(layer.shapes, transform, layer.name, feedback.isCanceled)
    stop_if(feedback.isCanceled)


def take_polygons(layer: Layer, feedback) -> dict[int, object]:
    """Return the polygons of features that are none themselves, by row; tell what is left out of them.

    Raises
    ------
    TerritoryError
        Features that hold no polygon.
    """
    taken, without, others = {}, [], Counter()
    mixed = 0
    for row, feature in enumerate(until_cancelled(layer.features, feedback.isCanceled)):
        geometry = feature.geometry()
        if QgsWkbTypes.flatType(geometry.wkbType()) in polygons.PLAIN:
            continue
        shape, more = polygons.plain_polygons(geometry)
        if shape is None:
            without.append(row)
            continue
        taken[row] = shape
        feature.setGeometry(from_shape(shapely.force_2d(shape)))
        others += more
        mixed += bool(more)
    if without:
        ids = [layer.features[row].id() for row in without]
        hint = " Sum points to ZIP polygons first with “Sum providers to ZIPs”." if not taken else ""
        raise TerritoryError(
            f"{layer.name}: {Count(len(ids)):feature holds|features hold} no polygon: {name_features(layer, ids)}. "
            f"Draw their areas, or take them out (“Extract by expression”).{hint}"
        )
    if taken:
        what = "feature is a collection or a surface|features are collections or surfaces"
        told = format(Count(len(taken)), what)
        feedback.pushInfo(f"{layer.name}: {told} of triangles; their polygons are used.")
    if mixed:
        feedback.pushWarning(
            f"{layer.name}: {polygons.told_left_out(others)} beside the polygons of "
            f"{Count(mixed):feature|features} {'is' if sum(others.values()) == 1 else 'are'} left out."
        )
    return taken


def make_multi(layer: Layer) -> None:
    """Make the layer one of multipolygons where its type no longer fits what was taken or repaired."""
    kind = layer.wkb_type
    several = any(layer.shapes[row].geom_type == "MultiPolygon" for row in layer.repaired)
    if QgsWkbTypes.flatType(kind) in polygons.PLAIN:
        if not several or QgsWkbTypes.isMultiType(kind):
            return
        layer.wkb_type = QgsWkbTypes.multiType(kind)
    else:
        layer.wkb_type = Qgis.WkbType.MultiPolygon
    for feature, shape in zip(layer.features, layer.shapes):
        if QgsWkbTypes.flatType(kind) in polygons.PLAIN:
            geometry = feature.geometry()
            geometry.convertToMultiType()
        else:
            geometry = from_multi(shape)
        feature.setGeometry(geometry)


def refuse_no_numbers(layer: Layer) -> None:
    """Raise where a coordinate is no number."""
    xy, row = shapely.get_coordinates(layer.shapes, return_index=True)
    bad = np.unique(row[~np.isfinite(xy).all(axis=1)])
    if len(bad):
        ids = [layer.features[at].id() for at in bad]
        raise TerritoryError(
            f"{layer.name}: {Count(len(ids)):feature has|features have} coordinates that are no numbers: "
            f"{name_features(layer, ids)}. Draw them anew, or take them out."
        )


def invalid_rows(shapes: np.ndarray, cancelled) -> np.ndarray:
    """Return the rows of shapes that are not valid; a nation's ZIPs take seconds, so that a cancel is heard between."""
    valid = np.ones(len(shapes), dtype=bool)
    for start in range(0, len(shapes), 2000):
        stop_if(cancelled)
        valid[start : start + 2000] = shapely.is_valid(shapes[start : start + 2000])
    return np.flatnonzero(~valid)


def points_of(layer: Layer, context) -> np.ndarray | None:
    """Return the place of each feature in degrees on WGS84, None where it has none; None for a table.

    A feature that is no point stands at its centroid.
    """
    if not any(feature.hasGeometry() for feature in layer.features):
        return None
    if not layer.crs.isValid():
        raise TerritoryError(
            f"{layer.name} has no coordinate reference system: assign one (“Assign projection”) first."
        )
    transform = QgsCoordinateTransform(layer.crs, LONLAT, context.transformContext())
    points = np.full(len(layer), None, dtype=object)
    lost = []
    for row, feature in enumerate(until_cancelled(layer.features, layer.cancelled)):
        if not feature.geometry().isEmpty():
            point = moved(polygons.middle_of(feature.geometry()), transform)
            if point is None:
                lost.append(feature.id())
            else:
                points[row] = shapely.Point(point.asPoint().x(), point.asPoint().y())
    if lost:
        raise TerritoryError(no_place(layer.name, lost))
    return points


def moved(geometry: QgsGeometry, transform: QgsCoordinateTransform) -> QgsGeometry | None:
    """Return a geometry in another CRS; None where there is nothing, or no place there."""
    try:
        placed = geometry.transform(transform) == Qgis.GeometryOperationResult.Success
    except QgsCsException:
        return None
    return geometry if placed and not geometry.isEmpty() and geometry.boundingBox().isFinite() else None


def reproject(shapes: np.ndarray, transform: QgsCoordinateTransform, name: str, cancelled=never) -> np.ndarray:
    """Return shapes moved by a QGIS coordinate transform.

    The same vertex always lands on the same spot, so borders that are shared stay shared exactly.
    """
    found = []
    for row, shape in enumerate(until_cancelled(shapes, cancelled)):
        geometry = moved(from_shape(shape), transform)
        if geometry is None:
            raise TerritoryError(f"{name}: row {row + 1} cannot be brought to longitude and latitude; check its CRS.")
        found.append(bytes(geometry.asWkb()))
    return shapely.from_wkb(found)


def straight_wkb(geometry: QgsGeometry) -> bytes:
    """Return a geometry as WKB for shapely, its arcs as chains of short lines."""
    if QgsWkbTypes.isCurvedType(geometry.wkbType()) and polygons.is_polygonal(geometry.wkbType()):
        parts, _ = polygons.polygon_parts(geometry)
        return shapely.to_wkb(parts[0] if len(parts) == 1 else shapely.multipolygons(parts))
    if QgsWkbTypes.isCurvedType(geometry.wkbType()):
        geometry = QgsGeometry(geometry.constGet().segmentize())
    return bytes(geometry.asWkb())


def from_multi(shape) -> QgsGeometry:
    """Return a polygon as a QGIS multipolygon."""
    geometry = from_shape(shape)
    geometry.convertToMultiType()
    return geometry


def read_units(source, unit_field: str, context, feedback, name: str = "The unit layer") -> tuple[Layer, list[str]]:
    """Read polygons with their unit ids.

    Raises
    ------
    TerritoryError
        As `read_layer`; also for ids that are NULL or occur more than once.
    """
    layer = read_layer(source, name, context, feedback, geometry="polygon")
    units = unit_ids(layer, unit_field)
    if layer.repaired:
        feedback.pushWarning(
            f"{Count(len(layer.repaired)):unit|units} had an invalid polygon, which was repaired for this run: "
            f"{name_some(units[row] for row in layer.repaired)}. “Fix geometries” repairs the layer for good."
        )
    warn_of_overlaps(layer, units, feedback)
    return layer, units


def warn_of_overlaps(layer: Layer, units: list[str], feedback) -> None:
    """Warn of units that cover the same land: it would count for two territories' areas."""
    overlaps = contiguity.overlapping_units(layer.lonlat, units, cancelled=feedback.isCanceled)
    if len(overlaps):
        pairs = zip(overlaps["from_unit"], overlaps["to_unit"], overlaps["share"])
        feedback.pushWarning(
            f"{layer.name}: {Count(len(overlaps)):pair of units overlaps|pairs of units overlap}: "
            f"{name_some(f'{a} and {b} ({share:.0%})' for a, b, share in pairs)}. They are used as they are, and "
            "areas count twice there; clean the layer (“Check validity”, “Snap geometries”) where that matters."
        )


def unit_ids(layer: Layer, field: str) -> list[str]:
    """Return the ids of the units as text, leading zeros kept; refuse NULL and duplicate ones."""
    units = layer.ids(field)
    nameless = [feature.id() for feature, unit in zip(layer.features, units) if unit is None]
    if nameless:
        raise TerritoryError(
            f"{layer.name}: {Count(len(nameless)):feature has|features have} no unit id in “{field}”: "
            f"{name_features(layer, nameless)}. "
            "Fill the field or leave these features out (“Extract by expression”)."
        )
    counts = pd.Series(units).value_counts()
    repeated = sorted(counts[counts > 1].index)
    if repeated:
        raise TerritoryError(
            f"{layer.name}: {Count(len(repeated)):unit id occurs|unit ids occur} more than once in “{field}”: "
            f"{name_some(repeated)}. "
            f"Dissolve the layer by “{field}” first (“Dissolve”), or choose the field that identifies a unit."
        )
    return units
