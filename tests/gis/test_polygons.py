"""Geometry as sources deliver it: the polygons are used, what is left out is told, what has none is named."""

from __future__ import annotations

import struct

import pytest
import shapely
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsFeature,
    QgsGeometry,
    QgsVectorLayer,
    QgsWkbTypes,
)

CELLS = [f"{x} 0, {x + 1} 0, {x + 1} 1, {x} 1, {x} 0" for x in range(4)]
HALVES = [(f"{x} 0, {x + 1} 0, {x + 1} 1, {x} 0", f"{x} 0, {x + 1} 1, {x} 1, {x} 0") for x in range(4)]
SPELLED = {
    "Polygon": [f"POLYGON(({cell}))" for cell in CELLS],
    "PolygonZ": [f"POLYGON Z(({cell.replace(',', ' 7,')} 7))" for cell in CELLS],
    "MultiPolygonZM": [f"MULTIPOLYGON ZM((({cell.replace(',', ' 7 8,')} 7 8)))" for cell in CELLS],
    "CurvePolygon": [f"CURVEPOLYGON(({cell}))" for cell in CELLS],
    "MultiSurface": [f"MULTISURFACE(POLYGON(({cell})))" for cell in CELLS],
    "TIN": [f"TIN((({a})),(({b})))" for a, b in HALVES],
    "TIN Z": [f"TIN Z((({a.replace(',', ' 1,')} 1)),(({b.replace(',', ' 1,')} 1)))" for a, b in HALVES],
    "PolyhedralSurface": [f"POLYHEDRALSURFACE((({a})),(({b})))" for a, b in HALVES],
    "collection of polygons": [f"GEOMETRYCOLLECTION(POLYGON(({cell})))" for cell in CELLS],
    "with a label point": [f"GEOMETRYCOLLECTION(POINT({x}.5 .5), POLYGON(({cell})))" for x, cell in enumerate(CELLS)],
    "halves": [f"GEOMETRYCOLLECTION(POLYGON(({a})), POLYGON(({b})))" for a, b in HALVES],
    "nested": [f"GEOMETRYCOLLECTION(GEOMETRYCOLLECTION(POLYGON(({cell}))), LINESTRING(0 0, 9 9))" for cell in CELLS],
    "among polygons": [f"POLYGON(({CELLS[0]}))", *(f"TIN((({a})),(({b})))" for a, b in HALVES[1:])],
}


@pytest.fixture
def units(qgis_alive, tmp_path):
    """Return ``units(geometries, kind)``: a GeoPackage with a column of any geometry, or scratch; WKT or geometries."""

    def make(geometries, kind="GEOMETRY", name="units"):
        from osgeo import ogr, osr

        path = tmp_path / f"{name}.gpkg"
        place = osr.SpatialReference()
        place.ImportFromEPSG(4326)
        place.SetAxisMappingStrategy(osr.OAMS_TRADITIONAL_GIS_ORDER)
        source = ogr.GetDriverByName("GPKG").CreateDataSource(str(path))
        table = source.CreateLayer(name, place, getattr(ogr, f"wkb{kind}", ogr.wkbUnknown))
        table.CreateField(ogr.FieldDefn("zip", ogr.OFTString))
        table.CreateField(ogr.FieldDefn("workload", ogr.OFTReal))
        for at, geometry in enumerate(geometries):
            feature = ogr.Feature(table.GetLayerDefn())
            feature["zip"], feature["workload"] = f"0210{at}", 1.0
            shape = (
                ogr.CreateGeometryFromWkt(geometry)
                if isinstance(geometry, str)
                else ogr.CreateGeometryFromWkb(geometry)
            )
            feature.SetGeometry(shape)
            table.CreateFeature(feature)
        del source, table
        return str(path)

    return make


def asked(layer, **more):
    return {
        "UNITS": layer, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2, "EFFORT": "quick",
        "OUTPUT": "memory:", "ASSIGNMENT": "memory:", **more,
    }  # fmt: skip


@pytest.mark.parametrize("kind", SPELLED)
def test_four_squares_however_they_are_spelled(run, units, kind):
    outcome = run("balanceterritories", asked(units(SPELLED[kind])))
    assert [round(row["geometry"].area, 9) for row in outcome.rows()] == [2, 2]
    shapes = [feature.geometry() for feature in outcome.layer("ASSIGNMENT").getFeatures()]
    assert [round(shape.area(), 9) for shape in shapes] == [1, 1, 1, 1]
    assert all(shape.type() == Qgis.GeometryType.Polygon for shape in shapes)
    assert outcome.results["CUT_EDGES"] == 1
    plain = kind in ("Polygon", "PolygonZ", "MultiPolygonZM", "CurvePolygon", "MultiSurface")
    assert ("their polygons are used" in outcome.infos) != plain
    assert ("4 points beside the polygons of 4 features are left out" in outcome.warnings) == ("label" in kind)
    assert ("4 lines beside the polygons of 4 features are left out" in outcome.warnings) == (kind == "nested")


@pytest.mark.parametrize("output", ["plan.gpkg", "plan.shp", "plan.geojson"])
def test_collections_are_written_as_polygons(run, units, tmp_path, read_rows, output):
    path = tmp_path / output
    run("balanceterritories", asked(units(SPELLED["with a label point"]), ASSIGNMENT=str(path)))
    assert sum(row["geometry"].area for row in read_rows(path)) == pytest.approx(4)


@pytest.mark.parametrize("kind", ["with a label point", "TIN", "halves"])
@pytest.mark.parametrize(
    ("algorithm", "name", "more"),
    [
        ("buildadjacencygraph", "INPUT", {"UNIT_FIELD": "zip", "ISOLATES": "memory:"}),
        ("evaluateterritories", "UNITS",
         {"UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "zip"}),
        ("sumproviderstozips", "ZIPS", {"ZIP_FIELD": "zip"}),
        ("joinaccounts", "INPUT", {"JOIN_BY": "location"}),
        ("splitheavyzips", "ZIPS", {"ZIP_FIELD": "zip", "WORKLOAD_FIELD": "workload", "LIMIT": 0.6}),
    ],
)  # fmt: skip
def test_every_reader_of_polygons(run, units, memory_layer, kind, algorithm, name, more):
    points = memory_layer({"id": list("abcd")}, [f"POINT({x}.{y} .3)" for x in (0, 1) for y in (2, 7)], kind="Point")
    extra = {"sumproviderstozips": "PROVIDERS", "joinaccounts": "ACCOUNTS", "splitheavyzips": "PROVIDERS"}.get(
        algorithm
    )
    parameters = {name: units(SPELLED[kind]), **more, "OUTPUT": "memory:", **({extra: points} if extra else {})}
    outcome = run(algorithm, parameters)
    if algorithm == "joinaccounts":
        assert [row["accounts"] for row in outcome.rows()] == [2, 2, 0, 0]
    if algorithm == "sumproviderstozips":
        assert [row["providers"] for row in outcome.rows()] == [2, 2, 0, 0]
    if algorithm != "buildadjacencygraph":
        assert sum(row["geometry"].area for row in outcome.rows()) == pytest.approx(4)


def test_features_without_a_polygon_are_named(refused, units):
    shapes = [*SPELLED["with a label point"][:3], "GEOMETRYCOLLECTION(POINT(3.5 .5))"]
    message = refused("balanceterritories", asked(units(shapes)))
    assert "1 feature holds no polygon: feature 4" in message
    assert "Sum providers" not in message


@pytest.mark.parametrize("wkt", ["POINT(1 1)", "LINESTRING(0 0, 1 1)", "GEOMETRYCOLLECTION(POINT(1 1))"])
def test_points_in_a_layer_of_any_geometry_get_the_hint(refused, units, wkt):
    message = refused("balanceterritories", asked(units([wkt] * 4)))
    assert "polygon" in message and "Sum providers to ZIPs" in message


def test_empty_parts_are_no_parts(run, units):
    empty = shapely.multipolygons([shapely.Polygon(), shapely.from_wkt(f"POLYGON(({CELLS[0]}))")])
    outcome = run("balanceterritories", asked(units([shapely.to_wkb(empty), *SPELLED["Polygon"][1:]])))
    assert sum(row["geometry"].area for row in outcome.rows()) == pytest.approx(4)


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 1e308])
@pytest.mark.parametrize("reader", ["polygon", "point"])
def test_coordinates_that_are_no_numbers_are_named(refused, attempt, qgis_alive, board, value, reader):
    layer = QgsVectorLayer(f"{reader}?field=zip:string&field=workload:double", "made for a test", "memory")
    layer.setCrs(QgsCoordinateReferenceSystem("EPSG:4326"))
    for at in range(3):
        feature = QgsFeature(layer.fields())
        feature.setAttributes([f"0210{at}", 1.0])
        bad = value if at == 1 else at + 1.0
        ring = [(at, 0), (at + 1, 0), (bad, 1), (at, 0)]
        geometry = QgsGeometry()
        flat = [number for corner in ring for number in corner]
        geometry.fromWkb(
            struct.pack("<BIII8d", 1, 3, 1, 4, *flat)
            if reader == "polygon"
            else struct.pack("<BI2d", 1, 1, bad if at == 1 else -99.95, 39.95)
        )
        feature.setGeometry(geometry)
        layer.dataProvider().addFeatures([feature])
    if reader == "polygon":
        message = refused("balanceterritories", asked(layer))
    else:
        outcome = attempt("sumproviderstozips", {
            "PROVIDERS": layer, "ZIPS": board("1 1"), "ZIP_FIELD": "zip", "OUTPUT": "memory:", "UNMATCHED": "memory:",
        })  # fmt: skip
        message = outcome.refusal or "; ".join(row["zip"] for row in outcome.rows("UNMATCHED"))
    assert "feature 2" in message or "02101" in message
    assert "Traceback" not in message and "should not have" not in message


def test_what_covers_no_area_is_named(refused, units):
    flat = "POLYGON((1 0, 2 0, 1 0, 1 0))"
    message = refused("balanceterritories", asked(units([SPELLED["Polygon"][0], flat, *SPELLED["Polygon"][2:]])))
    assert "1 feature covers no area: feature 2" in message


@pytest.mark.parametrize("output", ["memory:", "plan.gpkg", "plan.shp", "plan.fgb"])
def test_a_repaired_bowtie_in_a_layer_of_single_polygons_is_written(run, memory_layer, tmp_path, output):
    """It becomes two parts, which a layer of single polygons does not take."""
    bowtie = "POLYGON((1 0, 2 1, 2 0, 1 1, 1 0))"
    layer = memory_layer(
        {"zip": list("abcd"), "workload": [1.0] * 4}, [SPELLED["Polygon"][0], bowtie, *SPELLED["Polygon"][2:]]
    )
    place = output if output == "memory:" else str(tmp_path / output)
    outcome = run("balanceterritories", asked(layer, ASSIGNMENT=place))
    areas = {row["zip"]: round(row["geometry"].area, 9) for row in outcome.rows("ASSIGNMENT")}
    assert areas == {"a": 1, "b": 0.5, "c": 1, "d": 1}
    assert "repaired" in outcome.warnings


@pytest.mark.parametrize("kind", ["MultiPolygon", "PolygonZ", "MultiPolygonZ", "PolygonM"])
def test_repaired_units_have_the_type_of_their_layer(memory_layer, kind):
    """What a repair gives in two dimensions and one part goes into a layer that asks for others."""
    from healthcare_territories.territory_plugin.gis.geometries import as_type
    from qgis.core import QgsWkbTypes as Types

    wanted = Types.parseType(kind)
    found = as_type(shapely.box(0, 0, 1, 1), wanted)
    assert found.wkbType() == wanted
    assert found.area() == 1


def test_a_layer_of_polygons_keeps_its_type(run, memory_layer):
    layer = memory_layer({"zip": list("abcd"), "workload": [1.0] * 4}, SPELLED["Polygon"])
    outcome = run("balanceterritories", asked(layer))
    assert outcome.layer("ASSIGNMENT").wkbType() == Qgis.WkbType.Polygon
    assert QgsWkbTypes.isSingleType(outcome.layer("ASSIGNMENT").wkbType())


@pytest.mark.parametrize("kind", ["with a label point", "TIN"])
def test_through_qgis_process(qgis_process, units, tmp_path, kind):
    output = tmp_path / "plan.gpkg"
    done = qgis_process("territories:balanceterritories", {
        "UNITS": units(SPELLED[kind]), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2,
        "OUTPUT": str(output), "ASSIGNMENT": str(tmp_path / "zips.gpkg"),
    })  # fmt: skip
    assert done.status == 0, done.messages
    assert output.exists()
