"""The same eight units all over the earth, in degrees and projected: what is measured is what it is at longitude 0."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.antimeridian import cut_at_seam
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCoordinateTransformContext,
    QgsDistanceArea,
    QgsGeometry,
    QgsWkbTypes,
)

# Two territories of four units each, of 0.4° by 0.3°; the unit in the middle of the upper row lies across the middle:
#
#     00 00 01 01 02 02     W W W E E E
#     10 11 12 13 14 ..     W W E E E .
UPPER = [(-0.6, -0.2), (-0.2, 0.2), (0.2, 0.6)]
LOWER = [(-0.6, -0.4), (-0.4, 0.0), (0.0, 0.2), (0.2, 0.4), (0.4, 0.6)]
IDS = ["00", "01", "02", "10", "11", "12", "13", "14"]
TERRITORY = ["West", "West", "East", "West", "West", "East", "East", "East"]
WORKLOAD = [3.0, 1.0, 2.0, 1.0, 2.0, 2.0, 1.0, 4.0]
HEIGHT = 0.3

PLACES = {
    "Aleutians, cut": (180, 52, "EPSG:4326", "cut"),
    "Aleutians, round the globe": (180, 52, "EPSG:4326", "round"),
    "Aleutians, 0 to 360": (180, 52, "EPSG:4326", "on"),
    "Aleutians, cut in NAD83": (180, 52, "EPSG:4269", "cut"),
    "Aleutians, Alaska Albers": (180, 52, "EPSG:3338", "on"),
    "Aleutians, cut in Web Mercator": (180, 52, "EPSG:3857", "cut"),
    "Fiji": (180, -17, "EPSG:3460", "on"),
    "Hawaii": (-157, 21, "EPSG:3857", "on"),
    "Pennsylvania in feet": (-77, 40, "EPSG:2272", "on"),
    "Svalbard": (16, 78, "EPSG:4326", "on"),
    "Svalbard, UTM": (16, 78, "EPSG:32633", "on"),
}
PROJECTED = {place for place, (_, _, crs, _) in PLACES.items() if crs not in ("EPSG:4326", "EPSG:4269")}


def units(lon, lat):
    """Return the units about a place, in degrees that run on; many corners, so that edges stay where they are."""
    boxes = [shapely.box(a, HEIGHT, b, 2 * HEIGHT) for a, b in UPPER] + [shapely.box(a, 0, b, HEIGHT) for a, b in LOWER]
    return shapely.transform(shapely.segmentize(np.array(boxes), 0.02), lambda xy: xy + np.array([lon, lat]))


@pytest.fixture
def drawn(memory_layer):
    """Return ``drawn(place)``: the layer of units as a source there has it."""

    def make(lon, lat, crs, how, ids=IDS, more=()):
        shapes = [*units(lon, lat), *more]
        if how == "cut":
            shapes = [cut_at_seam(shape) for shape in shapes]
        if how == "round":
            shapes = shapely.transform(
                np.array(shapes), lambda xy: np.column_stack([(xy[:, 0] + 180) % 360 - 180, xy[:, 1]])
            )
        geometries = [QgsGeometry.fromWkt(shape.wkt) for shape in shapes]
        there = QgsCoordinateTransform(
            QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(crs),
            QgsCoordinateTransformContext(),
        )  # fmt: skip
        for geometry in geometries:
            geometry.transform(there)
            geometry.convertToMultiType()
        columns = {"zip": ids, "workload": WORKLOAD[: len(ids)], "today": TERRITORY[: len(ids)]}
        return memory_layer(columns, [geometry.asWkt(15) for geometry in geometries], kind="MultiPolygon", crs=crs)

    return make


def evaluated(run, layer):
    outcome = run("evaluateterritories", {
        "UNITS": layer, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "today",
        "OUTPUT": "memory:",
    })  # fmt: skip
    rows = {row["territory"]: row for row in outcome.rows()}
    names = ("area_km2", "polsby_popper", "reock", "rms_km", "parts")
    measures = {(name, column): rows[name][column] for name in ("East", "West") for column in names}
    return {**measures, **{name: outcome.results[name] for name in ("RMS_KM", "CUT_EDGES", "CONNECTED")}}


def adjacent(run, layer):
    outcome = run("buildadjacencygraph", {"INPUT": layer, "UNIT_FIELD": "zip", "OUTPUT": "memory:"})
    return outcome, {(row["from_unit"], row["to_unit"], row["kind"]): row for row in outcome.rows()}


@pytest.mark.parametrize("place", PLACES)
def test_measures_are_those_at_longitude_0(run, drawn, place):
    lon, lat, crs, how = PLACES[place]
    found = evaluated(run, drawn(lon, lat, crs, how))
    assert found == pytest.approx(evaluated(run, drawn(0, lat, "EPSG:4326", "on")), rel=5e-3)
    assert found["RMS_KM"] < 40


@pytest.mark.parametrize("place", PLACES)
def test_edges_are_those_at_longitude_0(run, drawn, place):
    lon, lat, crs, how = PLACES[place]
    layer = drawn(lon, lat, crs, how)
    outcome, edges = adjacent(run, layer)
    _, expected = adjacent(run, drawn(0, lat, "EPSG:4326", "on"))
    assert edges.keys() == expected.keys()
    for key, row in edges.items():
        assert row["distance_km"] == pytest.approx(expected[key]["distance_km"], rel=5e-3)
        assert row["border_m"] == pytest.approx(expected[key]["border_m"], rel=5e-3)
    # what is drawn stays on the map, and short: cut where the CRS is
    longest = max(row["geometry"].length for row in outcome.rows())
    assert longest < (1.0 if place not in PROJECTED else 400_000)
    if how == "on":
        assert outcome.layer("OUTPUT").extent().width() < layer.extent().width()
    assert QgsWkbTypes.isMultiType(outcome.layer("OUTPUT").wkbType()) == (how in ("cut", "round"))


def test_units_drawn_round_the_globe_are_told_and_written_cut(run, drawn):
    outcome = run("balanceterritories", {
        "UNITS": drawn(180, 52, "EPSG:4326", "round"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"],
        "TERRITORIES": 2, "EFFORT": "quick", "OUTPUT": "memory:", "ASSIGNMENT": "memory:",
    })  # fmt: skip
    assert "2 features are drawn from one side of the map to the other" in outcome.warnings
    assert "feature 2, feature 5" in outcome.warnings
    for output in ("OUTPUT", "ASSIGNMENT"):
        assert sum(row["geometry"].area for row in outcome.rows(output)) == pytest.approx(2 * 1.2 * HEIGHT)


def test_a_barrier_closes_an_edge_across_the_seam(run, drawn, memory_layer):
    river = memory_layer({"name": ["river"]}, ["LINESTRING(-180 52.05, -180 52.25)"], kind="LineString")
    outcome = run("buildadjacencygraph", {
        "INPUT": drawn(180, 52, "EPSG:4326", "cut"), "UNIT_FIELD": "zip", "BARRIERS": river, "OUTPUT": "memory:",
    })  # fmt: skip
    assert [(row["from_unit"], row["to_unit"]) for row in outcome.rows() if not row["open"]] == [("11", "12")]


@pytest.mark.parametrize("place", ["Aleutians, cut", "Aleutians, Alaska Albers", "Aleutians, cut in Web Mercator"])
def test_a_heavy_unit_across_the_seam_is_divided_where_its_providers_are(run, drawn, memory_layer, place):
    lon, lat, crs, how = PLACES[place]
    layer = drawn(lon, lat, crs, how)
    spots = [(179.86, 52.44), (179.9, 52.46), (-179.9, 52.44), (-179.86, 52.46)]
    providers = memory_layer({"npi": list("abcd")}, [f"POINT({x} {y})" for x, y in spots], kind="Point")
    outcome = run("splitheavyzips", {
        "ZIPS": layer, "ZIP_FIELD": "zip", "WORKLOAD_FIELD": "workload", "PROVIDERS": providers, "LIMIT": 0.5,
        "OUTPUT": "memory:", "PROVIDERS_OUTPUT": "memory:",
    })  # fmt: skip
    assert outcome.results["PIECE_COUNT"] == 2
    pieces = {row["npi"]: row["zip_piece"] for row in outcome.rows("PROVIDERS_OUTPUT")}
    assert pieces == {"a": "01-1", "b": "01-1", "c": "01-2", "d": "01-2"}
    before = sum(feature.geometry().area() for feature in layer.getFeatures())
    assert sum(row["geometry"].area for row in outcome.rows()) == pytest.approx(before, rel=1e-6)
    assert layer.extent().buffered(1e-6).contains(outcome.layer("OUTPUT").extent())


def test_providers_find_their_unit_across_the_seam(run, drawn, memory_layer):
    providers = memory_layer({"npi": list("abc")}, [f"POINT({x} 52.4)" for x in (179.9, -179.9, -179.7)], kind="Point")
    outcome = run("sumproviderstozips", {
        "PROVIDERS": providers, "ZIPS": drawn(180, 52, "EPSG:3338", "on"), "ZIP_FIELD": "zip", "OUTPUT": "memory:",
    })  # fmt: skip
    assert {row["zip"]: row["providers"] for row in outcome.rows() if row["providers"]} == {"01": 2, "02": 1}


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:3857", "EPSG:3338"])
def test_roads_go_on_across_the_seam(run, drawn, memory_layer, crs):
    """One road from west to east through the lower row, in two pieces that end at 180°."""
    to_crs = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(crs), QgsCoordinateTransformContext()
    )
    lines = []
    for a, b in ((179.4, 180), (-180, -179.4)):
        line = QgsGeometry.fromWkt(shapely.segmentize(shapely.LineString([(a, 52.15), (b, 52.15)]), 0.05).wkt)
        line.transform(to_crs)
        lines.append(line.asWkt(15))
    outcome = run("traveltimes", {
        "ROADS": memory_layer({"name": ["west", "east"]}, lines, kind="LineString", crs=crs),
        "UNITS": drawn(180, 52, "EPSG:4326", "cut"), "UNIT_FIELD": "zip", "DEFAULT_SPEED": 60, "SPEED_UNIT": "kmh",
        "MAX_MINUTES": 0, "MAX_ACCESS": 1, "OUTPUT": "memory:", "UNREACHED": "memory:",
    })  # fmt: skip
    km = {(row["origin"], row["destination"]): row["km"] for row in outcome.rows()}
    assert len(km) == 5 * 4
    # along the parallel of 52.15°, a degree of longitude has 68.4 km
    assert km["10", "14"] == pytest.approx(68.43 * 1.0, rel=5e-3)
    assert km["11", "12"] == pytest.approx(68.43 * 0.3, rel=5e-3)


def test_the_nearest_road_is_the_nearest_on_the_ground(run, memory_layer):
    """At 78° north a road 0.2° to the east is 4.6 km away, one 0.1° to the north 11 km."""
    roads = ["LINESTRING(15.2 77, 15.2 78, 18 78)", "LINESTRING(15 78.1, 15 79, 18 79)"]
    outcome = run("traveltimes", {
        "ROADS": memory_layer({"name": ["east", "north"]}, roads, kind="LineString"),
        "UNITS": memory_layer({"zip": ["a", "b"]}, ["POINT(15 78)", "POINT(18 78)"], kind="Point"),
        "UNIT_FIELD": "zip", "DEFAULT_SPEED": 60, "SPEED_UNIT": "kmh", "MAX_MINUTES": 0, "OUTPUT": "memory:",
    })  # fmt: skip
    assert len(outcome.rows()) == 2


# --- a unit on top of another

BELOW = "POLYGON((8.5 47.6, 8.5 47.8, 8.9 47.8, 8.9 47.6, 8.5 47.6))"
HOLED = BELOW[:-1] + ", (8.7 47.72, 8.65 47.72, 8.65 47.67, 8.7 47.67, 8.7 47.72))"
ON_TOP = "POLYGON((8.7 47.67, 8.7 47.72, 8.65 47.72, 8.65 47.67, 8.7 47.67))"
BESIDE = "POLYGON((9.2 47.6, 9.2 47.8, 8.9 47.8, 8.9 47.6, 9.2 47.6))"


@pytest.mark.parametrize("crs", ["EPSG:4326", "EPSG:25832"])
def test_a_unit_on_top_of_another_is_the_map_with_a_hole(run, memory_layer, crs):
    def layer(shapes):
        to_crs = QgsCoordinateTransform(
            QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(crs),
            QgsCoordinateTransformContext(),
        )  # fmt: skip
        geometries = [QgsGeometry.fromWkt(shape) for shape in shapes]
        for geometry in geometries:
            geometry.transform(to_crs)
        columns = {"zip": ["top", "below", "side"], "workload": [1.0, 6.0, 5.0]}
        return memory_layer(columns, [geometry.asWkt(15) for geometry in geometries], crs=crs)

    asked = {
        "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2, "EFFORT": "quick",
        "OUTPUT": "memory:", "ASSIGNMENT": "memory:",
    }  # fmt: skip
    on_top = run("balanceterritories", {**asked, "UNITS": layer([ON_TOP, BELOW, BESIDE])})
    holed = run("balanceterritories", {**asked, "UNITS": layer([ON_TOP, HOLED, BESIDE])})
    assert "1 unit lies on top of another: top in below" in on_top.warnings
    assert "on top" not in holed.warnings
    territory = {row["zip"]: row["territory"] for row in on_top.rows("ASSIGNMENT")}
    assert territory["top"] == territory["below"]
    for name in ("RMS_KM", "CUT_EDGES", "CONNECTED", "MAX_DEVIATION_PCT"):
        assert on_top.results[name] == pytest.approx(holed.results[name])
    for output in ("OUTPUT", "ASSIGNMENT"):
        for one, other in zip(on_top.rows(output), holed.rows(output)):
            assert one["geometry"].area == pytest.approx(other["geometry"].area)


def test_units_that_cross_each_other_are_neighbours(run, memory_layer):
    """Two bars that cross, with no corner on each other's border: one piece, and nothing to bridge."""
    bars = ["POLYGON((0 1, 3 1, 3 2, 0 2, 0 1))", "POLYGON((1 0, 2 0, 2 3, 1 3, 1 0))"]
    outcome, edges = adjacent(run, memory_layer({"zip": ["a", "b"]}, bars))
    assert list(edges) == [("a", "b", "border")]
    assert outcome.results["COMPONENT_COUNT"] == 1
    assert "They count as neighbours" in outcome.warnings


# --- places and long edges


def test_places_in_polygons_across_are_written_within_180(qgis_alive):
    from healthcare_territories.processing.imports import Places

    frame = pd.DataFrame({"zip": ["99546"] * 40, "longitude": np.nan, "latitude": np.nan})
    places = Places(["99546"], np.array([shapely.box(179.5, 51, 180.5, 52)]))
    xy, way, _ = places.find(frame, np.arange(40), True, lambda: False)
    assert set(way) == {"zip"}
    assert np.abs(xy[:, 0]).max() <= 180
    assert (xy[:, 0] < 0).any() and (xy[:, 0] > 0).any()


def test_long_edges_follow_their_parallel(run, memory_layer):
    """22° by 3° with four corners, as boxes are drawn: QGIS's own area on the ellipsoid, of the same box with many."""
    wkt = shapely.box(-20, 51, 2, 54).wkt
    outcome = run("evaluateterritories", {
        "UNITS": memory_layer({"zip": ["a"], "workload": [1.0], "today": ["T"]}, [wkt]), "UNIT_FIELD": "zip",
        "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "today", "OUTPUT": "memory:",
    })  # fmt: skip
    measure = QgsDistanceArea()
    measure.setEllipsoid("EPSG:7030")
    measure.setSourceCrs(QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateTransformContext())
    truth = measure.measureArea(QgsGeometry.fromWkt(shapely.segmentize(shapely.from_wkt(wkt), 0.05).wkt)) / 1e6
    assert outcome.rows()[0]["area_km2"] == pytest.approx(truth, rel=1e-3)
