"""Sources too long to be held are read in blocks, and say what the whole layer would say."""

from __future__ import annotations

import tracemalloc

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsGeometry,
    QgsProcessingContext,
    QgsProcessingFeatureSource,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
)


class Log(QgsProcessingFeedback):
    def __init__(self):
        super().__init__(False)
        self.lines = []

    def pushWarning(self, text):
        self.lines.append(text)

    pushInfo = pushWarning


@pytest.fixture
def context(qgis_app):
    context = QgsProcessingContext()
    context.setProject(QgsProject.instance())
    return context


@pytest.fixture
def both(context, monkeypatch):
    """Return ``both(layer)``: the same table read in blocks of two rows and as a whole, each with its log."""
    from healthcare_territories.territory_plugin.gis import columns, frames

    monkeypatch.setattr(columns, "BLOCK", 2)
    alive = []  # a source does not keep its layer

    def both(layer, zip_field="zip", numbers=(), units=()):
        alive.append(layer)
        source = QgsProcessingUtils.variantToSource(layer, context)
        ours, log = columns.read_columns(
            source, "The table", one := Log(), zip_field=zip_field, numbers=numbers, units=units, keys=[zip_field]
        ), one  # fmt: skip
        whole = frames.read_layer(source, "The table", context, other := Log(), geometry="any", keys=[zip_field])
        return ours, log, whole, other

    return both


TABLES = {
    "a total below": {"zip": ["60601", "60602", "60603", "Total"], "visits": [1.0, 2.0, 3.0, 6.0]},
    "numbers as text": {"zip": ["60601", "60602", "60603"], "visits": ["1,5", "2", "N/A"]},
    "zeros lost": {"zip": ["7701", "07702", "7703-1234"], "state": ["NJ", "NJ", "TX"], "visits": [1, 2, None]},
    "a header in the first row": {"Field1": ["zip", "60601", "60602"], "Field2": ["visits", "4", "5"]},
    "lines below": {"zip": ["60601", "60602", None, "Copyright (c) a vendor"], "name": ["A", "B", None, None],
                    "visits": [7, 8, None, None]},
}  # fmt: skip


@pytest.mark.parametrize("called", TABLES)
def test_blocks_say_what_the_whole_says(both, memory_layer, called):
    ours, log, whole, other = both(memory_layer(TABLES[called]), numbers=["visits"])
    assert ours.codes.tolist() == whole.zips("zip").tolist()
    assert np.array_equal(ours.numbers("visits"), whole.numbers("visits"), equal_nan=True)
    assert len(ours) == len(whole)
    assert list(ours.texts("zip")) == whole.texts("zip")
    assert sorted(log.lines) == sorted(other.lines)


def test_units_that_are_no_zips_are_found(both, memory_layer):
    ours, *_ = both(memory_layer({"zip": ["Loop", "10001-2", "60601-1234"]}), units=["Loop", "10001-2"])
    assert ours.codes.tolist() == ["Loop", "10001-2", "60601"]


def test_a_number_that_is_none_is_refused_by_row(both, memory_layer):
    ours, *_ = both(
        memory_layer({"zip": ["60601", "60602", "60603"], "visits": ["1", "2", "many"]}), numbers=["visits"]
    )
    with pytest.raises(TerritoryError, match=r"row 3 .“many”"):
        ours.numbers("visits")


def test_places_are_brought_to_degrees(both, memory_layer, context):
    to_feet = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem("EPSG:2263"), context.transformContext()
    )
    wkts = []
    for lon in (-74.0, -73.9, -73.8):
        geometry = QgsGeometry.fromWkt(f"POINT({lon} 40.7)")
        geometry.transform(to_feet)
        wkts.append(geometry.asWkt(6))
    layer = memory_layer({"zip": ["10001"] * 4}, [*wkts, None], "Point", "EPSG:2263")
    ours, *_ = both(layer)
    back = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:2263"), QgsCoordinateReferenceSystem("EPSG:4326"), context.transformContext()
    )
    points = ours.points(slice(0, 4), back)
    assert [round(point.x, 6) for point in points[:3]] == [-74.0, -73.9, -73.8]
    assert points[3] is None
    assert ours.points(slice(1, 2), back)[0].y == pytest.approx(40.7, abs=1e-6)


def test_a_place_that_the_earth_does_not_have_is_named(both, memory_layer, context):
    layer = memory_layer({"zip": ["1", "2"]}, ["POINT(0 0)", "POINT(1e30 1e30)"], "Point", "EPSG:3035")
    ours, *_ = both(layer)
    back = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:3035"), QgsCoordinateReferenceSystem("EPSG:4326"), context.transformContext()
    )
    with pytest.raises(TerritoryError, match="1 feature has no place in longitude and latitude: feature 2"):
        ours.points(slice(0, 2), back)


def test_features_are_read_anew_by_their_rows(both, memory_layer, context):
    from healthcare_territories.territory_plugin.gis.columns import Again, read_columns

    layer = memory_layer({"zip": [f"606{at:02d}" for at in range(30)], "kind": ["a", "b", "c"] * 10})
    source = QgsProcessingFeatureSource(layer, context, False, -1, "\"kind\" != 'a'")
    found = read_columns(source, "The table", Log(), zip_field="zip")
    again = Again(found, np.array([3, 0]), lambda row, feature: (row, feature["zip"]))
    assert list(again) == list(again) == [(0, "60601"), (3, "60605")]
    assert len(found) == 20


def test_memory_does_not_grow_with_what_is_not_kept(memory_layer, context):
    from healthcare_territories.territory_plugin.gis.columns import read_columns

    rows = 30_000
    layer = memory_layer({"zip": [f"{row % 900 + 10000}-{row % 10000:04d}" for row in range(rows)],
                          "name": [f"Practice number {row}" for row in range(rows)],
                          "visits": [float(row) for row in range(rows)]})  # fmt: skip
    source = QgsProcessingUtils.variantToSource(layer, context)
    tracemalloc.start()
    try:
        found = read_columns(source, "The table", Log(), zip_field="zip", numbers=["visits"])
        kept, _ = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert found.numbers("visits").sum() == rows * (rows - 1) / 2
    assert kept / rows < 130  # a feature alone takes more
