"""What dividing units needs of QGIS: the scale of a CRS, places in it, and fields that can hold pieces."""

from __future__ import annotations

from collections.abc import Collection

import numpy as np
import shapely
from qgis.core import QgsCoordinateTransform, QgsField, QgsFields

from ..engine.geodesy import metres_per_degree
from .fields import REAL, TEXT
from .frames import LONLAT, Layer
from .territories import in_crs_units


def metres_of_units(layer: Layer) -> np.ndarray:
    """Return the metres of one unit of x and of y of a layer's CRS at each polygon, shape (n, 2)."""
    if layer.crs.isGeographic():
        bounds = shapely.bounds(layer.lonlat)
        return np.column_stack(metres_per_degree((bounds[:, 1] + bounds[:, 3]) / 2))
    return np.full((len(layer), 2), 1 / in_crs_units(1.0, layer.crs))


def places_in(points: np.ndarray | None, count: int, crs, context) -> np.ndarray:
    """Return points given in degrees as coordinates of a CRS, NaN where there is none, shape (count, 2)."""
    xy = np.full((count, 2), np.nan)
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
