"""Layers become frames whole and checked: nothing is lost, and what cannot be used is named."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProcessingUtils,
    QgsProject,
)

SQUARE = "POLYGON((0 0, 1 0, 1 1, 0 1, 0 0))"
NEXT_SQUARE = "POLYGON((1 0, 2 0, 2 1, 1 1, 1 0))"
BOWTIE = "POLYGON((0 0, 2 2, 2 0, 0 2, 0 0))"  # two triangles of area 1 that meet in (1, 1)


class Feedback(QgsProcessingFeedback):
    def __init__(self):
        super().__init__(False)
        self.warnings, self.told = [], []

    def pushWarning(self, text):
        self.warnings.append(text)

    def pushInfo(self, text):
        self.told.append(text)


@pytest.fixture
def frames(qgis_app):
    from healthcare_territories.territory_plugin.gis import frames

    return frames


@pytest.fixture
def feedback():
    return Feedback()


@pytest.fixture
def context():
    found = QgsProcessingContext()
    found.setProject(QgsProject.instance())
    return found


@pytest.fixture
def read(frames, context, feedback):
    """Return ``read(layer, geometry="polygon")``, which reads a layer as an algorithm does."""

    def read(layer, geometry="polygon"):
        source = QgsProcessingUtils.variantToSource(layer, context)
        return frames.read_layer(source, "The unit layer", context, feedback, geometry=geometry)

    return read


@pytest.fixture
def read_units(frames, context, feedback):
    def read(layer, field="zip"):
        return frames.read_units(QgsProcessingUtils.variantToSource(layer, context), field, context, feedback)

    return read


# --- attributes


def test_null_is_none_and_blank_text_is_no_text(memory_layer, read):
    layer = read(memory_layer({"zip": [None, "", "  ", " 02139 "], "load": [None, 1.5, 0.0, -2.0]}), None)
    assert layer.column("zip") == [None, "", "  ", " 02139 "]
    assert layer.texts("zip") == [None, None, None, "02139"]
    assert layer.column("load") == [None, 1.5, 0.0, -2.0]
    assert np.isnan(layer.numbers("load")).tolist() == [True, False, False, False]
    assert layer.numbers("load")[1:].tolist() == [1.5, 0.0, -2.0]


def test_numbers_as_ids_become_text_without_a_point(memory_layer, read):
    layer = read(memory_layer({"whole": [2139, None], "real": [2139.0, 19104.5]}), None)
    assert layer.texts("whole") == ["2139", None]
    assert layer.texts("real") == ["2139", "19104.5"]


def test_numbers_written_as_text_are_read(memory_layer, read):
    layer = read(memory_layer({"load": ["1", " 2.5 ", "", None, "1e3", "n/a", "-4"]}), None)
    found = layer.numbers("load")
    assert np.isnan(found).tolist() == [False, False, True, True, False, True, False]
    assert found[[0, 1, 4, 6]].tolist() == [1, 2.5, 1000, -4]


def test_a_decimal_comma_is_read_and_told_once(memory_layer, read, feedback):
    layer = read(memory_layer({"zip": ["02139", "19104"], "fte": ["0,5", "1"]}), None)
    assert layer.numbers("fte").tolist() == layer.numbers("fte").tolist() == [0.5, 1]
    assert [text for text in feedback.told if "comma" in text] == [
        "The unit layer: field “fte”: the comma is decimal: “0,5” is 0.5."
    ]


@pytest.mark.parametrize("value", ["many", "1,5,0", "inf", "12 a", "1e400", "2020-01-05"])
def test_text_that_is_no_number_is_refused_by_row_or_name(memory_layer, read, value):
    layer = read(memory_layer({"zip": ["02139", "19104"], "load": ["1", value]}), None)
    with pytest.raises(TerritoryError, match="row 2") as caught:
        layer.numbers("load")
    assert value in str(caught.value)
    assert "load" in str(caught.value)
    with pytest.raises(TerritoryError, match="19104"):
        layer.numbers("load", layer.texts("zip"))


@pytest.mark.parametrize("value", [float("nan"), float("inf"), float("-inf")])
def test_numbers_that_are_none_are_refused(memory_layer, read, value):
    layer = read(memory_layer({"load": [1.0, value]}), None)
    with pytest.raises(TerritoryError, match="row 2"):
        layer.numbers("load")


def test_an_unknown_field_is_told_with_those_there_are(memory_layer, read):
    layer = read(memory_layer({"zip": ["02139"], "load": [1.0]}), None)
    with pytest.raises(TerritoryError, match=r"wrkload.*zip, load"):
        layer.column("wrkload")


# --- geometry


def test_shapes_and_features_keep_the_order_of_the_layer(board, read):
    layer = read(board("3 1 2\n6 5 4"))
    assert layer.column("workload") == [3, 1, 2, 6, 5, 4]
    assert [feature["workload"] for feature in layer.features] == [3, 1, 2, 6, 5, 4]
    assert shapely.get_x(shapely.centroid(layer.shapes)) == pytest.approx([-99.95, -99.85, -99.75] * 2)
    assert (len(layer), layer.repaired) == (6, [])
    assert layer.crs.authid() == "EPSG:4326"


@pytest.mark.parametrize("crs", ["EPSG:5070", "EPSG:3857", "EPSG:32614", "EPSG:2163"])
def test_every_crs_gives_the_same_degrees_and_keeps_borders_shared(board, read, crs):
    plain, other = read(board("1 1 1\n1 1 1")), read(board("1 1 1\n1 1 1", crs=crs))
    assert other.crs.authid() == crs
    assert abs(shapely.get_coordinates(other.shapes)).max() > 1000  # metres, in its own CRS
    for one, two in zip(plain.lonlat, other.lonlat):
        assert shapely.get_coordinates(two) == pytest.approx(shapely.get_coordinates(one), abs=1e-6)
    # 3 × 4 corners of the board, each the same number in all units that share it
    assert len({tuple(xy) for xy in shapely.get_coordinates(other.lonlat)}) == 12


def test_nad83_is_not_taken_for_another_place(memory_layer, read):
    layer = read(memory_layer({"zip": ["1"]}, [SQUARE], crs="EPSG:4269"))
    assert shapely.get_coordinates(layer.lonlat) == pytest.approx(shapely.get_coordinates(layer.shapes), abs=1e-4)


def test_invalid_polygons_are_repaired_counted_and_named(memory_layer, read_units, feedback):
    made = memory_layer({"zip": ["02139", "19104"]}, [BOWTIE, "POLYGON((5 0, 6 0, 6 1, 5 1, 5 0))"])
    layer, units = read_units(made)
    assert units == ["02139", "19104"]
    assert layer.repaired == [0]
    assert shapely.is_valid(layer.shapes).all()
    assert layer.shapes[0].area == pytest.approx(2)
    assert shapely.is_valid(layer.lonlat).all()
    assert layer.features[0].geometry().isGeosValid()
    assert len(feedback.warnings) == 1
    assert "02139" in feedback.warnings[0]
    assert "19104" not in feedback.warnings[0]
    assert not next(made.getFeatures()).geometry().isGeosValid()  # the user's layer stays as it was


@pytest.mark.parametrize(
    ("wkt", "area"),
    [
        # a spike: a line that sticks out of a square
        ("POLYGON((0 0, 1 0, 1 1, 3 1, 1 1, 0 1, 0 0))", 1),
        # a hole that lies outside is no land; one that reaches beyond the shell takes what it covers
        ("POLYGON((0 0, 1 0, 1 1, 0 1, 0 0), (5 5, 6 5, 6 6, 5 6, 5 5))", 1),
        ("POLYGON((0 0, 2 0, 2 2, 0 2, 0 0), (1 1, 3 1, 3 3, 1 3, 1 1))", 3),
        # a ring twice
        ("POLYGON((0 0, 2 0, 2 2, 0 2, 0 0), (0 0, 2 0, 2 2, 0 2, 0 0))", None),
        ("MULTIPOLYGON(((0 0, 2 0, 2 2, 0 2, 0 0)), ((1 1, 3 1, 3 3, 1 3, 1 1)))", None),
    ],
    ids=["spike", "hole outside", "hole across", "ring twice", "parts overlap"],
)
def test_repairs_leave_polygons_only(memory_layer, read, frames, wkt, area):
    kind = "MultiPolygon" if wkt.startswith("MULTI") else "Polygon"
    try:
        layer = read(memory_layer({"zip": ["02139"]}, [wkt], kind=kind))
    except TerritoryError as error:
        assert "row 1" in str(error) or "feature 1" in str(error)  # nothing of it is left: said, not hidden
        return
    assert layer.repaired == [0]
    assert layer.shapes[0].geom_type in ("Polygon", "MultiPolygon")
    assert layer.shapes[0].is_valid
    if area is not None:
        assert layer.shapes[0].area == pytest.approx(area)


@pytest.mark.parametrize("kind", ["PolygonZ", "PolygonM", "PolygonZM", "MultiPolygonZ"])
def test_heights_do_not_disturb(memory_layer, read, kind):
    dimension = kind.split("Polygon")[1]
    extra = " 7" * len(dimension)
    ring = f"((0 0{extra}, 1 0{extra}, 1 1{extra}, 0 1{extra}, 0 0{extra}))"
    wkt = f"MultiPolygon{dimension}({ring})" if kind.startswith("Multi") else f"Polygon{dimension}{ring}"
    layer = read(memory_layer({"zip": ["02139"]}, [wkt], kind=kind))
    assert not shapely.has_z(layer.shapes).any()
    assert layer.shapes[0].area == 1
    assert layer.lonlat[0].area == 1
    assert layer.features[0].geometry().asWkt().upper().startswith(("POLYGON", "MULTIPOLYGON"))


def test_curved_polygons_are_read(memory_layer, read):
    """A full circle of radius 1 as two arcs, as CAD and some databases hold them."""
    circle = "CURVEPOLYGON(CIRCULARSTRING(0 1, 1 0, 0 -1, -1 0, 0 1))"
    layer = read(memory_layer({"zip": ["02139"]}, [circle], kind="CurvePolygon"))
    assert layer.shapes[0].area == pytest.approx(np.pi, rel=1e-3)


def test_parts_of_a_multipolygon_stay_together(memory_layer, read):
    parts = "MULTIPOLYGON(((0 0, 1 0, 1 1, 0 1, 0 0)), ((3 0, 4 0, 4 1, 3 1, 3 0)))"
    layer = read(memory_layer({"zip": ["02139"]}, [parts], kind="MultiPolygon"))
    assert len(layer) == 1
    assert layer.shapes[0].area == 2


# --- refusals


@pytest.mark.parametrize(
    ("kind", "wkt", "wanted"),
    [
        ("Point", "POINT(0 0)", "polygon"),
        ("MultiPoint", "MULTIPOINT((0 0))", "polygon"),
        ("LineString", "LINESTRING(0 0, 1 1)", "polygon"),
        ("Polygon", SQUARE, "line"),
        ("Polygon", SQUARE, "point"),
    ],
)
def test_the_wrong_geometry_type_is_told(memory_layer, read, kind, wkt, wanted):
    with pytest.raises(TerritoryError, match=f"must be a {wanted} layer.*{kind}"):
        read(memory_layer({"zip": ["02139"]}, [wkt], kind=kind), wanted)


def test_points_as_units_are_shown_the_way(memory_layer, read):
    with pytest.raises(TerritoryError, match="Sum providers to ZIPs"):
        read(memory_layer({"zip": ["02139"]}, ["POINT(0 0)"], kind="Point"))


def test_a_table_is_no_polygon_layer(memory_layer, read):
    with pytest.raises(TerritoryError, match="must be a polygon layer"):
        read(memory_layer({"zip": ["02139"]}))


def test_a_layer_without_crs_is_told_how_to_get_one(memory_layer, read):
    layer = memory_layer({"zip": ["02139"]}, [SQUARE])
    layer.setCrs(QgsCoordinateReferenceSystem())
    with pytest.raises(TerritoryError, match=r"no coordinate reference system.*Assign projection"):
        read(layer)


def test_an_empty_layer_is_refused(memory_layer, read):
    for made in (memory_layer({"zip": []}, []), memory_layer({"zip": []})):
        with pytest.raises(TerritoryError, match="empty"):
            read(made, "any")


def test_features_without_geometry_are_named(memory_layer, read):
    made = memory_layer({"zip": ["1", "2", "3"]}, [SQUARE, None, "POLYGON EMPTY"])
    with pytest.raises(TerritoryError, match="2 features have no geometry: feature 2, feature 3"):
        read(made)


def test_features_without_geometry_do_not_matter_for_attributes(memory_layer, read):
    layer = read(memory_layer({"zip": ["1", "2"]}, [SQUARE, None]), None)
    assert layer.texts("zip") == ["1", "2"]
    assert len(read(memory_layer({"zip": ["1", "2"]}, [SQUARE, None]), "any")) == 2


def test_coordinates_that_no_crs_can_place_are_told(memory_layer, read):
    made = memory_layer({"zip": ["02139"]}, ["POLYGON((0 0, 1e30 0, 1e30 1e30, 0 1e30, 0 0))"], crs="EPSG:5070")
    with pytest.raises(TerritoryError, match=r"row 1|feature 1"):
        read(made)


# --- unit ids


def test_ids_keep_their_leading_zeros(board, read_units):
    _, units = read_units(board("1 1\n1 1"))
    assert units == ["00000", "00001", "00100", "00101"]


def test_missing_ids_are_counted_and_named(memory_layer, read_units):
    made = memory_layer({"zip": ["02139", None, "  "]}, [SQUARE, NEXT_SQUARE, SQUARE])
    with pytest.raises(TerritoryError, match="2 features have no unit id in “zip”: feature 2, feature 3"):
        read_units(made)


def test_duplicate_ids_are_named_with_the_way_out(memory_layer, read_units):
    made = memory_layer({"zip": ["02139", "19104", " 02139"]}, [SQUARE, NEXT_SQUARE, SQUARE])
    with pytest.raises(TerritoryError, match=r"1 unit id occurs more than once.*02139.*Dissolve") as caught:
        read_units(made)
    assert "19104" not in str(caught.value)


def test_many_names_are_cut_short_with_a_count(memory_layer, read_units):
    made = memory_layer({"zip": [None] * 20}, [SQUARE] * 20)
    with pytest.raises(TerritoryError, match=r"20 features.*and 12 more"):
        read_units(made)


def test_overlapping_units_are_told_and_used(memory_layer, read_units, feedback):
    half = "POLYGON((0.5 0, 1.5 0, 1.5 1, 0.5 1, 0.5 0))"
    _, units = read_units(memory_layer({"zip": ["02139", "19104"]}, [SQUARE, half]))
    assert units == ["02139", "19104"]
    assert len(feedback.warnings) == 1
    for fact in ("02139", "19104", "50%", "overlap"):
        assert fact in feedback.warnings[0]


def test_units_on_top_of_others_are_cut_out_of_all_below(memory_layer, read_units, feedback):
    """A square of 4 × 4 with one of 2 × 2 on top, and one of 1 × 1 on top of both."""
    squares = [f"POLYGON((0 0, {a} 0, {a} {a}, 0 {a}, 0 0))" for a in (4, 2, 1)]
    layer, _ = read_units(memory_layer({"zip": ["02139", "19104", "60601"]}, squares, crs="EPSG:5070"))
    assert shapely.area(layer.shapes).tolist() == [12, 3, 1]
    assert [feature.geometry().area() for feature in layer.features] == [12, 3, 1]
    assert shapely.area(layer.lonlat)[0] == pytest.approx(12 * shapely.area(layer.lonlat)[2], rel=1e-3)
    assert len(feedback.warnings) == 1
    assert "3 units lie on top of another: 19104 in 02139, 60601 in 02139, 60601 in 19104" in feedback.warnings[0]


def test_neighbours_are_no_overlap(board, read_units, feedback):
    read_units(board("1 1 1\n1 1 1"))
    assert feedback.warnings == []


# --- which features


def test_selected_features_only(board, read_units, context):
    layer = board("1 2 3\n4 5 6")
    QgsProject.instance().addMapLayer(layer)
    layer.selectByExpression('"workload" > 4')
    assert sorted(read_units(QgsProcessingFeatureSourceDefinition(layer.id(), True))[1]) == ["00101", "00102"]
    QgsProject.instance().removeMapLayer(layer.id())


def test_filter_and_limit(board, read_units):
    layer = board("1 2 3\n4 5 6")
    QgsProject.instance().addMapLayer(layer)
    definition = QgsProcessingFeatureSourceDefinition(layer.id(), False)
    definition.filterExpression = '"workload" < 3'
    assert read_units(definition)[1] == ["00000", "00001"]
    definition = QgsProcessingFeatureSourceDefinition(layer.id(), False, 4)
    assert len(read_units(definition)[1]) == 4
    definition = QgsProcessingFeatureSourceDefinition(layer.id(), False)
    definition.filterExpression = '"workload" > 99'
    with pytest.raises(TerritoryError, match=r"empty.*filter"):
        read_units(definition)
    QgsProject.instance().removeMapLayer(layer.id())


def test_unsaved_edits_are_what_the_user_sees(board, read):
    layer = board("1 2")
    layer.startEditing()
    layer.changeAttributeValue(1, layer.fields().lookupField("workload"), 9.0)
    assert read(layer).column("workload") == [9, 2]
    layer.rollBack()


def test_cancelled_reading_gives_no_part_of_the_layer(board, read, feedback):
    layer = board("1 2 3")
    feedback.cancel()
    with pytest.raises(Cancelled):
        read(layer)


# --- points of providers


def test_points_in_degrees_with_gaps(memory_layer, read, frames, context):
    made = memory_layer(
        {"npi": ["1", "2", "3"]}, ["POINT(-8238310 4970072)", None, "POINT EMPTY"], "Point", "EPSG:3857"
    )
    points = frames.points_of(read(made, "any"), context)
    assert (points[0].x, points[0].y) == pytest.approx((-74.006, 40.7128), abs=1e-3)
    assert points[1] is None
    assert points[2] is None


def test_a_table_has_no_points(memory_layer, read, frames, context):
    assert frames.points_of(read(memory_layer({"npi": ["1"]}), "any"), context) is None


def test_polygons_stand_at_their_centroid(memory_layer, read, frames, context):
    points = frames.points_of(read(memory_layer({"npi": ["1"]}, [SQUARE]), "any"), context)
    assert (points[0].x, points[0].y) == (0.5, 0.5)


def test_points_without_crs_are_refused(memory_layer, read, frames, context):
    layer = memory_layer({"npi": ["1"]}, ["POINT(0 0)"], "Point")
    layer.setCrs(QgsCoordinateReferenceSystem())
    with pytest.raises(TerritoryError, match="no coordinate reference system"):
        frames.points_of(read(layer, "any"), context)
