"""Geometries between QGIS and shapely, and from one CRS to another."""

from __future__ import annotations

import numpy as np
import shapely
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsGeometry,
    QgsUnitTypes,
    QgsWkbTypes,
)

from ..engine.errors import TerritoryError
from ..engine.progress import never, until_cancelled
from . import polygons
from .polygons import from_shape

LONLAT = QgsCoordinateReferenceSystem("EPSG:4326")


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


def as_type(shape, kind: Qgis.WkbType) -> QgsGeometry:
    """Return a polygon of two dimensions as QGIS has it in a layer of a type; heights that the type asks for are 0."""
    geometry = from_shape(shape)
    if QgsWkbTypes.isMultiType(kind):
        geometry.convertToMultiType()
    if QgsWkbTypes.hasZ(kind):
        geometry.get().addZValue(0.0)
    if QgsWkbTypes.hasM(kind):
        geometry.get().addMValue(0.0)
    return geometry


def from_multi(shape) -> QgsGeometry:
    """Return a polygon as a QGIS multipolygon."""
    geometry = from_shape(shape)
    geometry.convertToMultiType()
    return geometry


def centred_on(lon: float, lat: float) -> QgsCoordinateReferenceSystem:
    """Return Lambert's azimuthal equal-area projection in metres (WGS84) about a place given in degrees."""
    return QgsCoordinateReferenceSystem.fromProj(
        f"+proj=laea +lat_0={lat:.6f} +lon_0={lon:.6f} +datum=WGS84 +units=m +no_defs"
    )


def in_crs_units(metres: float, crs: QgsCoordinateReferenceSystem) -> float:
    """Return a small length in the units of a CRS; in degrees it is that of a degree of latitude."""
    unit = Qgis.DistanceUnit.Degrees if crs.isGeographic() else crs.mapUnits()
    return metres * QgsUnitTypes.fromUnitToUnitFactor(Qgis.DistanceUnit.Meters, unit)
