"""Areas and compactness of territories are true wherever they lie and whatever CRS holds them."""

from __future__ import annotations

import math

import numpy as np
import pytest
import shapely
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsDistanceArea,
    QgsGeometry,
    QgsPointXY,
    QgsProcessingContext,
    QgsProject,
)

LONLAT = "EPSG:4326"


@pytest.fixture(scope="module")
def territories(qgis_app):
    from healthcare_territories.territory_plugin.gis import territories

    return territories


@pytest.fixture
def context():
    found = QgsProcessingContext()
    found.setProject(QgsProject.instance())
    return found


def ground(lon, lat, corners):
    """Return a polygon in degrees whose corners lie at (azimuth°, km) from a place, along the ellipsoid."""
    measure = QgsDistanceArea()
    measure.setEllipsoid("EPSG:7030")
    measure.setSourceCrs(QgsCoordinateReferenceSystem(LONLAT), QgsProject.instance().transformContext())
    centre = QgsPointXY(lon, lat)
    return QgsGeometry.fromPolygonXY(
        [[measure.computeSpheroidProject(centre, 1000 * km, math.radians(azimuth)) for azimuth, km in corners]]
    )


def measured(territories, context, geometry, crs):
    moved = QgsGeometry(geometry)
    there = QgsCoordinateReferenceSystem(crs)
    moved.transform(QgsCoordinateTransform(QgsCoordinateReferenceSystem(LONLAT), there, context.transformContext()))
    shapes = np.array([shapely.from_wkb(bytes(moved.asWkb()))])
    from healthcare_territories.territory_plugin.engine.measures import compactness

    return compactness(territories.equal_area(shapes, there, context)).iloc[0]


SQUARE = [(45, 10 * math.sqrt(2)), (135, 10 * math.sqrt(2)), (225, 10 * math.sqrt(2)), (315, 10 * math.sqrt(2))]
DISC = [(azimuth, 10) for azimuth in range(360)]


@pytest.mark.parametrize(
    ("lon", "lat", "crs"),
    [
        (10, 60, LONLAT),
        (10, 60, "EPSG:3857"),  # Web Mercator doubles lengths there
        (10, 60, "EPSG:3035"),
        (10, 60, "EPSG:32632"),
        (-75, 40, LONLAT),
        (-75, 40, "EPSG:5070"),
        (-75, 40, "EPSG:4269"),
        (-75, 40, "EPSG:2272"),  # Pennsylvania South in US survey feet
        (-150, 64, "EPSG:3338"),
        (-157.9, 21.3, "EPSG:3857"),
        (0, 0, LONLAT),
        (25, 82, LONLAT),
    ],
)
def test_a_square_of_20_km_and_a_disc_anywhere(territories, context, lon, lat, crs):
    square = measured(territories, context, ground(lon, lat, SQUARE), crs)
    assert square["area_km2"] == pytest.approx(400, rel=1e-3)
    assert square["polsby_popper"] == pytest.approx(math.pi / 4, rel=1e-3)
    assert square["reock"] == pytest.approx(2 / math.pi, rel=1e-3)
    disc = measured(territories, context, ground(lon, lat, DISC), crs)
    assert disc["area_km2"] == pytest.approx(100 * math.pi, rel=1e-3)
    assert disc["polsby_popper"] == pytest.approx(1, rel=1e-3)
    assert disc["reock"] == pytest.approx(1, rel=2e-3)


def test_the_area_is_the_ellipsoids_for_a_territory_as_large_as_a_state(territories, context):
    """Four degrees by four: compared with QGIS's own ellipsoidal area, borders made of short pieces."""
    shape = shapely.segmentize(shapely.box(-100, 38, -96, 42), 0.02)
    geometry = QgsGeometry()
    geometry.fromWkb(shapely.to_wkb(shape))
    measure = QgsDistanceArea()
    measure.setEllipsoid("EPSG:7030")
    measure.setSourceCrs(QgsCoordinateReferenceSystem(LONLAT), context.transformContext())
    found = measured(territories, context, geometry, LONLAT)
    assert found["area_km2"] == pytest.approx(measure.measureArea(geometry) / 1e6, rel=1e-4)


def test_attributes_are_what_qgis_can_store(territories):
    found = territories.attributes(
        [np.float64(1.5), np.int64(3), np.bool_(True), float("nan"), np.float64("nan"), "T1", None]
    )
    assert found == [1.5, 3, True, None, None, "T1", None]
    assert [type(value) for value in found[:3]] == [float, int, bool]
