"""What dividing units needs of QGIS: the scale of a CRS, places in it, and fields that can hold pieces."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import shapely
from qgis.core import QgsCoordinateTransform, QgsField, QgsFields, QgsGeometry

from ..engine.geodesy import metres_per_degree
from . import seam
from .fields import REAL, TEXT
from .frames import Layer
from .geometries import LONLAT, from_multi, in_crs_units


def metres_of_units(layer: Layer) -> np.ndarray:
    """Return the metres of one unit of x and of y at each polygon of `flat_polygons`, shape (n, 2)."""
    if layer.torn or layer.crs.isGeographic():
        bounds = shapely.bounds(layer.lonlat)
        return np.column_stack(metres_per_degree((bounds[:, 1] + bounds[:, 3]) / 2))
    return np.full((len(layer), 2), 1 / in_crs_units(1.0, layer.crs))


def flat_polygons(layer: Layer) -> np.ndarray:
    """Return the polygons of a layer to work on: in its CRS, or in degrees where the CRS tears them at ±180°."""
    return layer.lonlat if layer.torn else layer.shapes


def from_flat(shape, layer: Layer, context) -> QgsGeometry:
    """Return a polygon of `flat_polygons`, or a piece of one, as a multipolygon in the layer's CRS."""
    if not layer.torn:
        return from_multi(shape)
    geometry = seam.back(shape, layer, context)
    geometry.convertToMultiType()
    return geometry


def places_in(points: np.ndarray | None, unit: np.ndarray, layer: Layer, context) -> np.ndarray:
    """Return points given in degrees in the coordinates of `flat_polygons`, NaN where there is none, shape (n, 2).

    Parameters
    ----------
    points : numpy.ndarray of shapely points or None, shape (n,), optional
    unit : numpy.ndarray of int, shape (n,)
        The polygon of each, -1 for none.
    """
    count = len(unit)
    xy = np.full((count, 2), np.nan)
    if layer.torn:
        known = np.flatnonzero(~shapely.is_missing(points)) if points is not None else np.array([], dtype=int)
        xy[known] = shapely.get_coordinates(points[known])
        middle = shapely.bounds(layer.lonlat)[unit][:, [0, 2]].mean(axis=1)
        xy[:, 0] += 360 * np.rint((middle - xy[:, 0]) / 360)
        return xy
    crs = layer.crs
    transform = QgsCoordinateTransform(LONLAT, crs, context.transformContext())
    for row, point in enumerate([] if points is None else points):
        if point is not None:
            placed = transform.transform(point.x, point.y)
            xy[row] = placed.x(), placed.y()
    return xy


def piece_fields(own: QgsFields, unit_field: str, divided: Collection[str]) -> QgsFields:
    """Return a layer's fields with room for pieces: ids as text, numbers that are shared out with decimals."""
    fields = QgsFields()
    for one in own:
        kept = QgsField(one)
        if kept.name() == unit_field and kept.type() != TEXT:
            kept = QgsField(kept.name(), TEXT)
        elif kept.name() == unit_field:
            kept.setLength(0)
        elif kept.name() in divided and kept.type() != REAL:
            kept = QgsField(kept.name(), REAL)
        kept.setAlias(one.alias())
        fields.append(kept)
    return fields
