"""Layers across the antimeridian: to degrees that run on across ±180°, and back to what the CRS can hold."""

from __future__ import annotations

import numpy as np
import shapely
from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsCsException, QgsGeometry, QgsPointXY

from ..engine import antimeridian
from ..engine.progress import never
from .geometries import LONLAT, from_shape, reproject


def tears(crs: QgsCoordinateReferenceSystem, context) -> bool:
    """Answer whether a CRS has 180° east and 180° west in two places, as degrees and Web Mercator have."""
    if crs.isGeographic():
        return True
    to_crs = QgsCoordinateTransform(LONLAT, crs, context.transformContext())
    try:
        west, east = (to_crs.transform(QgsPointXY(lon, 0)) for lon in (-180, 180))
        back = to_crs.transform(east, QgsCoordinateTransform.TransformDirection.ReverseTransform)
    except QgsCsException:  # the equator is far from where the CRS is used
        return False
    return west.distance(east) > 1e-3 * abs(east.x()) and abs(abs(back.x()) - 180) < 1e-6


def to_degrees(
    shapes: np.ndarray, crs: QgsCoordinateReferenceSystem, context, name: str, cancelled=never
) -> np.ndarray:
    """Return shapes in degrees on WGS84, in one window of longitudes that cuts none of them."""
    transform = QgsCoordinateTransform(crs, LONLAT, context.transformContext())
    lonlat = shapes if transform.isShortCircuited() else reproject(shapes, transform, name, cancelled)
    return antimeridian.unwrapped(lonlat, projected=not crs.isGeographic())


def on_both_sides(shapes: np.ndarray, crs: QgsCoordinateReferenceSystem, context) -> np.ndarray:
    """Return the rows of shapes that a CRS which tears has on both sides of ±180°."""
    if not len(shapes) or not tears(crs, context):
        return np.array([], dtype=int)
    bounds = shapely.bounds(shapes)
    if not crs.isGeographic():
        to_lonlat = QgsCoordinateTransform(crs, LONLAT, context.transformContext())
        for box in bounds:
            middle = (box[1] + box[3]) / 2
            box[[0, 2]] = [to_lonlat.transform(QgsPointXY(x, middle)).x() for x in box[[0, 2]]]
    return np.flatnonzero(antimeridian.spans_the_seam(bounds))


def is_torn(layer, context) -> bool:
    """Answer whether a layer has its map, which goes on across 180°, on both sides of its own CRS."""
    if not antimeridian.crosses(layer.lonlat):
        return False
    west, south, east, north = shapely.total_bounds(layer.shapes)
    return len(on_both_sides(np.array([shapely.box(west, south, east, north)]), layer.crs, context)) > 0


def mend_drawn_across(shapes: np.ndarray, repaired) -> dict[int, object]:
    """Return, by row, polygons in degrees that were drawn from 179° to −179° as they are meant: in two pieces.

    Parameters
    ----------
    shapes : numpy.ndarray of shapely polygons, shape (n,)
        In degrees.
    repaired : callable
        Makes a shape valid.
    """
    found = {}
    for row in np.flatnonzero(antimeridian.spans_the_seam(shapely.bounds(shapes))).tolist():
        whole = antimeridian.without_jumps(shapes[row])
        if whole is not shapes[row]:
            found[row] = antimeridian.cut_at_seam(repaired(whole))
    return found


def back(shape, layer, context) -> QgsGeometry:
    """Return a shape in degrees as QGIS has it in the CRS of a layer, cut at ±180° where the layer is."""
    geometry = from_shape(antimeridian.cut_at_seam(shape) if layer.torn else shape)
    geometry.transform(QgsCoordinateTransform(LONLAT, layer.crs, context.transformContext()))
    return geometry
