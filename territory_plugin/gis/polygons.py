"""Polygons out of what sources deliver: collections, surfaces of triangles, curves, invalid and empty parts."""

from __future__ import annotations

from collections import Counter

import numpy as np
import shapely
from qgis.core import Qgis, QgsCurvePolygon, QgsGeometry, QgsGeometryCollection, QgsWkbTypes

from ..engine.errors import Count

SURFACES = ("PolyhedralSurface", "TIN")
"""Geometries that are made of patches."""
PLAIN = (
    Qgis.WkbType.Polygon, Qgis.WkbType.MultiPolygon, Qgis.WkbType.CurvePolygon, Qgis.WkbType.MultiSurface,
)  # fmt: skip
MIXED = (Qgis.WkbType.Unknown, Qgis.WkbType.GeometryCollection)
"""What layers are of that may hold polygons among others."""
NOUNS = {0: "point|points", 1: "line|lines"}


def is_polygonal(wkb_type) -> bool:
    """Answer whether all features of a type are made of polygons."""
    return QgsWkbTypes.geometryType(wkb_type) == Qgis.GeometryType.Polygon


def holds_polygons(source) -> bool:
    """Answer whether a source is one of polygons, or of mixed geometries the first of which holds one."""
    if source is None:
        return False
    if QgsWkbTypes.flatType(source.wkbType()) not in MIXED:
        return is_polygonal(source.wkbType())
    for feature in source.getFeatures():
        if not feature.geometry().isEmpty():
            return len(polygon_parts(feature.geometry())[0]) > 0
    return False


def polygon_parts(geometry: QgsGeometry) -> tuple[list, Counter]:
    """Return the polygons of a geometry as shapely has them, and how many points and lines it has besides.

    Parts without any point are no parts.
    """
    polygons, others = [], Counter()
    for part in _leaves(geometry.constGet()):
        if part.isEmpty():
            continue
        if isinstance(part, QgsCurvePolygon):
            polygons.append(shapely.from_wkb(bytes(QgsGeometry(part.surfaceToPolygon()).asWkb())))
        elif part.geometryType() in SURFACES:
            polygons += [_polygon(rings) for rings in part.coordinateSequence() if rings and len(rings[0]) > 3]
        else:
            others[part.dimension()] += 1
    return polygons, others


def _leaves(part):
    """Yield what a geometry is made of, collections within collections taken apart."""
    if part is None:
        return
    if isinstance(part, QgsGeometryCollection):
        for at in range(part.numGeometries()):
            yield from _leaves(part.geometryN(at))
    else:
        yield part


def _polygon(rings):
    shell, *holes = ([(point.x(), point.y()) for point in ring] for ring in rings)
    return shapely.Polygon(shell, holes)


def united(polygons: list):
    """Return the union of polygons, each valid before; one that is alone stays as it is."""
    if len(polygons) == 1:
        return polygons[0]
    flat = shapely.force_2d(np.array(polygons, dtype=object))
    return polygonal(shapely.union_all([repaired(shape) for shape in flat])) if len(flat) else shapely.MultiPolygon()


def repaired(shape):
    """Return the polygons of an invalid shape: what is covered twice counts once, and what no shell covers is no hole.

    “Fix geometries” of QGIS does the same, but that it makes land of a hole outside its shell.
    """
    if shapely.is_valid(shape):
        return shape
    parts = [_with_holes(part) for part in shapely.get_parts(shape) if not part.is_empty]
    return polygonal(shapely.union_all(parts))


def _with_holes(polygon):
    shell, *holes = (_made_valid(shapely.Polygon(ring)) for ring in shapely.get_rings(polygon))
    return shapely.difference(shell, shapely.union_all(holes)) if holes else shell


def _made_valid(shape):
    if shapely.geos_version >= (3, 10, 0):
        return polygonal(shapely.make_valid(shape, method="structure", keep_collapsed=False))
    return polygonal(shapely.make_valid(shape))


def polygonal(shape):
    """Return the polygons of a geometry; lines, points and what covers no area are dropped."""
    parts = np.atleast_1d(shapely.get_parts(shapely.get_parts(shape)))
    kept = parts[(shapely.get_type_id(parts) == 3) & ~shapely.is_empty(parts) & (shapely.area(parts) > 0)]
    return kept[0] if len(kept) == 1 else shapely.multipolygons(kept)


def plain_polygons(geometry: QgsGeometry):
    """Return a geometry as shapely's polygon or multipolygon, and what was left out of it; None where it has none."""
    polygons, others = polygon_parts(geometry)
    if not polygons:
        return None, others
    return united(polygons), others


def told_left_out(others: Counter) -> str:
    """Return what was left out, as “6 points and 1 line”."""
    return " and ".join(f"{Count(count):{NOUNS.get(kind, 'other|others')}}" for kind, count in sorted(others.items()))


class CollectionSource:
    """A source of geometry collections with the CRS that its data have; QGIS takes such layers for tables.

    Parameters
    ----------
    inner : QgsProcessingFeatureSource
    crs : QgsCoordinateReferenceSystem
    """

    def __init__(self, inner, crs):
        self.inner, self._crs = inner, crs

    def __getattr__(self, name):
        return getattr(self.inner, name)

    def sourceCrs(self):
        return self._crs


def with_crs(source, layer):
    """Return a source with the CRS of its data, where QGIS has lost it; `layer` is where the source comes from."""
    if source is None or layer is None or source.sourceCrs().isValid():
        return source
    if QgsWkbTypes.flatType(source.wkbType()) != Qgis.WkbType.GeometryCollection:
        return source
    crs = layer.dataProvider().crs()
    return CollectionSource(source, crs) if crs.isValid() else source


def middle_of(geometry: QgsGeometry) -> QgsGeometry:
    """Return the centroid of a geometry; of a surface of triangles that of its polygons."""
    if QgsWkbTypes.geometryType(geometry.wkbType()) == Qgis.GeometryType.Polygon and (
        QgsWkbTypes.flatType(geometry.wkbType()) not in PLAIN
    ):
        shape, _ = plain_polygons(geometry)
        geometry = geometry if shape is None else from_shape(shape)
    return geometry.centroid()


def from_shape(shape) -> QgsGeometry:
    """Return a shapely geometry as QGIS has it."""
    geometry = QgsGeometry()
    geometry.fromWkb(shapely.to_wkb(shape))
    return geometry
