"""Layers to frames: what the engine computes on, read once and checked before anything else happens."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import shapely
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsFeature,
    QgsFeatureRequest,
    QgsFields,
    QgsWkbTypes,
)

from ..engine import contiguity, overlaps
from ..engine.errors import Count, TerritoryError, name_some
from ..engine.progress import stop_if, until_cancelled
from . import polygons, tables
from .columns import Table, no_place
from .geometries import LONLAT, moved
from .shapes import draw_anew, name_features, read_shapes
from .tables import plain


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
        The same in degrees on WGS84, in a window of longitudes that cuts none of them (beyond ±180° where the map
        goes across); empty array for a table.
    repaired : list of int
        Rows whose invalid geometry was repaired.
    torn : bool
        Whether the map goes on across 180° and the source's CRS cannot hold it in one piece there.
    overlaps : pandas.DataFrame, optional
        Of units: the pairs that cover the same land, as from `engine.overlaps.overlapping_units`.
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
    torn: bool = False
    overlaps: pd.DataFrame | None = None
    _numbers: dict[str, np.ndarray] = field(default_factory=dict)
    _centres: np.ndarray | None = None

    def __len__(self):
        return len(self.features)

    def centres(self) -> np.ndarray:
        """Return the place of each unit that distances are measured from, in the window of `lonlat`, shape (n, 2)."""
        if self._centres is None:
            self._centres = contiguity.unit_centres(self.lonlat, self.cancelled)
        return self._centres

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
    layer.overlaps = overlaps.overlapping_units(layer.lonlat, units, cancelled=feedback.isCanceled)
    if len(layer.overlaps):
        cut_out_enclosed(layer, units, feedback)
        warn_of_overlaps(layer, feedback)
    return layer, units


def cut_out_enclosed(layer: Layer, units: list[str], feedback) -> None:
    """Give units holes where others lie on top of them, as if the layer had been drawn so."""
    below = overlaps.enclosed_units(layer.lonlat, units, layer.overlaps)
    lonlat, shapes = layer.lonlat.copy(), layer.shapes.copy()
    for row, on_it in below.items():
        lonlat[row] = polygons.polygonal(overlaps.without(layer.lonlat[row], layer.lonlat[on_it]))
        shapes[row] = polygons.polygonal(overlaps.without(layer.shapes[row], layer.shapes[on_it]))
    if not below:
        return
    layer.lonlat, layer.shapes = (shapes if layer.lonlat is layer.shapes else lonlat), shapes
    draw_anew(layer, below)
    told = [f"{units[top]} in {units[row]}" for row, on_it in below.items() for top in on_it]
    feedback.pushWarning(
        f"{layer.name}: {Count(len(told)):unit lies|units lie} on top of another: {name_some(told)}. The larger one "
        "gets a hole there for this run, so that both are neighbours and no land counts twice."
    )
    pairs = {frozenset((units[top], units[row])) for row, on_it in below.items() for top in on_it}
    mended = [frozenset(pair) in pairs for pair in zip(layer.overlaps["from_unit"], layer.overlaps["to_unit"])]
    layer.overlaps = layer.overlaps[~np.array(mended)].reset_index(drop=True)


def warn_of_overlaps(layer: Layer, feedback) -> None:
    """Warn of units that cover the same land: it counts for two territories' areas."""
    found = layer.overlaps
    if len(found):
        pairs = zip(found["from_unit"], found["to_unit"], found["share"])
        feedback.pushWarning(
            f"{layer.name}: {Count(len(found)):pair of units overlaps|pairs of units overlap}: "
            f"{name_some(f'{a} and {b} ({share:.0%})' for a, b, share in pairs)}. They count as neighbours and are "
            "used as they are, so that areas count twice there; clean the layer (“Check validity”, “Snap geometries”) "
            "where that matters."
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
