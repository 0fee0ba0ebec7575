"""Reps from QGIS: any table, any point layer in any CRS, empty geometries, notes in the log."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingUtils, QgsProject

UNITS = ["10001", "10002"]
POLYGONS = np.array([shapely.box(-100, 40, -99, 41), shapely.box(-99, 40, -98, 41)])


@pytest.fixture
def read(qgis_app):
    from healthcare_territories.territory_plugin.gis import reps

    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(QgsProject.instance())

    def read(layer, regions=None):
        source = QgsProcessingUtils.variantToSource(layer, context)
        return reps.read_reps(source, UNITS, POLYGONS, regions, context, feedback), feedback.textLog()

    return read


def test_a_point_layer_in_another_crs(read, memory_layer):
    """Web Mercator of 98.5° west, 40.5° north; the other rep has no place."""
    layer = memory_layer(
        {"ID": ["a", "b"], "Name": ["Ada", None], "FTE": [0.5, None]},
        ["POINT(-10964970 4935747)", None], kind="Point", crs="EPSG:3857",
    )  # fmt: skip
    (ada, vacancy), log = read(layer)
    assert (ada.home, ada.share) == ("10002", 0.5)
    assert (vacancy.home, vacancy.vacant, vacancy.share) == (None, True, 1)
    assert "Vacant territories (1): b." in log


def test_a_table_with_numbers_booleans_and_regions(read, memory_layer):
    layer = memory_layer({
        "rep_id": [7, 8], "home_zip": [10001, None], "locked": [True, False], "max": [12.5, None],
        "forbidden": ["new jersey", None],
    })  # fmt: skip
    (one, other), _ = read(layer, {"state": ["NY", "NJ"]})
    assert (one.id, one.home, one.locked, one.maximum, one.forbidden) == ("7", "10001", True, 12.5, {"10002"})
    assert (other.id, other.home, other.locked, other.maximum, other.forbidden) == ("8", None, False, None, frozenset())


def test_what_is_wrong_is_said(read, memory_layer):
    with pytest.raises(TerritoryError, match=r"a, b\): two reps live in one ZIP"):
        read(memory_layer({"id": ["a", "b"], "zip": ["10001", "10001"]}))
