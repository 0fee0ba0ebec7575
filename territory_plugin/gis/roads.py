"""A road layer as a graph, built by the network analysis library of QGIS, and places tied to it."""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from qgis.analysis import (
    QgsGraphBuilder,
    QgsNetworkDistanceStrategy,
    QgsNetworkStrategy,
    QgsVectorLayerDirector,
)
from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsFeedback, QgsPointXY
from scipy.spatial import cKDTree

from ..engine.errors import TerritoryError, name_some
from ..engine.geodesy import distance_km, geocentric
from ..engine.progress import Progress, ignore, stop_if
from ..engine.tables.numbers import read_numbers
from ..engine.travel import RoadGraph
from . import seam
from .frames import check_geometry, plain
from .geometries import LONLAT, centred_on, in_crs_units

ELLIPSOID = "EPSG:7030"
KM_PER_MILE = 1.609344
SAME_JUNCTION_M = 0.01
"""Corners this near are the same one, brought to a projection from either side of ±180°."""
SCALE_STEP_M = 100.0
"""A way to the north by which lengths in a CRS become metres on the ground."""
SPEED = re.compile(r"\s*(\d+(?:[.,]\d+)?)\s*(mph|km/h|kmh)?\s*")
DIRECTIONS = {
    "forward": QgsVectorLayerDirector.Direction.DirectionForward,
    "backward": QgsVectorLayerDirector.Direction.DirectionBackward,
    "both": QgsVectorLayerDirector.Direction.DirectionBoth,
}


@dataclass(frozen=True)
class RoadRules:
    """How the attributes of a road layer are read.

    Attributes
    ----------
    speed_field : str
        Empty: all roads have the default speed, as do roads whose speed is NULL, 0 or less.
    default_speed : float
        In the unit of the field.
    km_per_unit : float
        Kilometres of one unit of length: 1 for km/h, `KM_PER_MILE` for mph.
    direction_field, forward, backward, both : str
        One-way streets: the field, and what it says for the direction of drawing, against it, and both.
    default_direction : {'forward', 'backward', 'both'}
        Where the field says none of these, or there is none.
    topology_tolerance : float
        Ends of roads this near, in the units of the layer's CRS (where it is in degrees, of degrees of latitude), are
        one junction.
    """

    speed_field: str = ""
    default_speed: float = 50.0
    km_per_unit: float = 1.0
    direction_field: str = ""
    forward: str = ""
    backward: str = ""
    both: str = ""
    default_direction: str = "both"
    topology_tolerance: float = 0.0


@lru_cache(maxsize=1024)
def number_of(text: str) -> float:
    """Return a speed's number; a decimal comma is one."""
    return float(np.nan_to_num(read_numbers([text]).floats[0]))


class SpeedStrategy(QgsNetworkStrategy):
    """Minutes of a stretch of road; QGIS's own strategy takes forever on roads whose speed is NULL or 0.

    Attributes
    ----------
    unread : set of str
        Speeds that are no number; such roads have the default speed.
    """

    def __init__(self, field: int, rules: RoadRules):
        super().__init__()
        self.field, self.km_per_unit = field, rules.km_per_unit
        self.default_kmh = rules.default_speed * rules.km_per_unit
        self.unread: set[str] = set()

    def requiredAttributes(self):
        return [self.field] if self.field >= 0 else []

    def cost(self, distance, feature):  # called by QGIS, which an exception here would end
        kmh = self.kmh(plain(feature.attribute(self.field))) if self.field >= 0 else 0.0
        return distance / 1000 * 60 / (kmh if kmh > 0 else self.default_kmh)

    def kmh(self, value) -> float:
        """Return a speed as a layer has it in km/h, 0 where there is none; "30 mph" and "50 km/h" say their unit."""
        if value is None or isinstance(value, (int, float)):
            return (value or 0) * self.km_per_unit
        read = SPEED.fullmatch(str(value).lower())
        if read is None:
            if str(value).strip():
                self.unread.add(str(value))
            return 0.0
        unit = {"mph": KM_PER_MILE, "km/h": 1.0, "kmh": 1.0}.get(read[2], self.km_per_unit)
        return number_of(read[1]) * unit


def graph_crs(crs, tolerance: float, places: np.ndarray, context) -> tuple[QgsCoordinateReferenceSystem, float]:
    """Return the CRS in which places meet roads, and the tolerance in its units.

    In degrees the nearest road is not the nearest on the ground, in high latitudes by far, and neither degrees nor
    Web Mercator join the roads on both sides of ±180°. Those are brought to a projection about the places.
    """
    if not seam.tears(crs, context):
        return crs, max(tolerance, in_crs_units(SAME_JUNCTION_M, crs))
    middle = geocentric(places).mean(axis=0)
    lon, lat = np.degrees([np.arctan2(middle[1], middle[0]), np.arctan2(middle[2], np.hypot(*middle[:2]))])
    plane = centred_on(lon, lat)
    to_plane = QgsCoordinateTransform(crs, plane, context.transformContext())
    from_plane = QgsCoordinateTransform(plane, crs, context.transformContext())
    here = from_plane.transform(QgsPointXY(0, 0))
    step = in_crs_units(SCALE_STEP_M, crs)
    metres = to_plane.transform(QgsPointXY(here.x(), here.y() + step)).distance(QgsPointXY(0, 0))
    return plane, max(tolerance * metres / step, SAME_JUNCTION_M)


def read_roads(source, rules: RoadRules, places: np.ndarray, context, feedback, progress: Progress = ignore):
    """Build the graph of a road layer with places tied to it.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
        Lines.
    rules : RoadRules
    places : numpy.ndarray, shape (n, 2)
        Degrees on WGS84.

    Returns
    -------
    graph : engine.travel.RoadGraph
    vertex : numpy.ndarray of int, shape (n,)
        Where each place meets the roads.
    access_km : numpy.ndarray of float, shape (n,)
        Straight distance from the place to there.

    Raises
    ------
    TerritoryError
        When the layer has no lines, no CRS, or no road.
    """
    check_geometry(source, "The road layer", "line")
    places = np.asarray(places, dtype=float)
    crs, tolerance = graph_crs(source.sourceCrs(), rules.topology_tolerance, places, context)
    to_roads = QgsCoordinateTransform(LONLAT, crs, context.transformContext())
    points = [to_roads.transform(QgsPointXY(lon, lat)) for lon, lat in places.tolist()]
    fields = source.fields()
    director = QgsVectorLayerDirector(
        source, fields.lookupField(rules.direction_field), rules.forward, rules.backward, rules.both,
        DIRECTIONS[rules.default_direction],
    )  # fmt: skip
    speeds = SpeedStrategy(fields.lookupField(rules.speed_field), rules)
    director.addStrategy(speeds)
    director.addStrategy(QgsNetworkDistanceStrategy())
    builder = QgsGraphBuilder(crs, True, tolerance, ELLIPSOID)
    # QGIS's director moves the bar by itself: what it says is a part of ours
    news = QgsFeedback()
    news.progressChanged.connect(lambda percent: progress(percent / 100))
    feedback.canceled.connect(news.cancel)
    tied = director.makeGraph(builder, points, news)
    stop_if(feedback.isCanceled)
    if speeds.unread:
        feedback.pushWarning(
            f"“{rules.speed_field}” is no speed on some roads, which get the default: "
            f"{name_some(sorted(speeds.unread))}."
        )
    network = builder.takeGraph()
    if not network.edgeCount():
        raise TerritoryError(
            "The road layer has no road: no line came through (check the selection, the filter and the geometries)."
        )
    edges = np.array(
        [
            (edge.fromVertex(), edge.toVertex(), edge.cost(0), edge.cost(1))
            for edge in map(network.edge, range(network.edgeCount()))
        ]
    )
    spots = np.array([(p.x(), p.y()) for p in (network.vertex(at).point() for at in range(network.vertexCount()))])
    graph = RoadGraph(edges[:, 0].astype(int), edges[:, 1].astype(int), edges[:, 2], edges[:, 3] / 1000, len(spots))
    stop_if(feedback.isCanceled)
    at_road = np.array([(point.x(), point.y()) for point in tied])
    vertex = cKDTree(spots).query(at_road)[1]
    back = QgsCoordinateTransform(crs, LONLAT, context.transformContext())
    met = np.array([(p.x(), p.y()) for p in (back.transform(QgsPointXY(x, y)) for x, y in spots[vertex].tolist())])
    return graph, vertex, distance_km(places, met)
