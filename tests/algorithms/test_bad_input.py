"""Bad input is refused with the names of the features and the way out, or counted and told; nothing is left behind."""

from __future__ import annotations

import os

import pytest
import shapely
from qgis.core import QgsCoordinateReferenceSystem, QgsProcessingOutputLayerDefinition, QgsProject

SQUARES = [f"POLYGON(({x} 0, {x + 1} 0, {x + 1} 1, {x} 1, {x} 0))" for x in range(4)]

# the algorithms that read units, with what else they need; the layer of units goes in under the name given
READ_UNITS = {
    "buildadjacencygraph": ("INPUT", {}),
    "balanceterritories": ("UNITS", {"WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2, "EFFORT": "quick"}),
    "evaluateterritories": ("UNITS", {"WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "rep"}),
    "sumproviderstozips": ("ZIPS", {"PROVIDER_ZIP_FIELD": "postal"}),
}
WEIGH_UNITS = ("balanceterritories", "evaluateterritories")

every_reader = pytest.mark.parametrize("algorithm", READ_UNITS)
every_weigher = pytest.mark.parametrize("algorithm", WEIGH_UNITS)


@pytest.fixture
def units(memory_layer):
    """Return ``units(shapes=…, zip=…, workload=…, kind=…)``: four squares in a row, unless something is changed."""

    def make(shapes=SQUARES, kind="Polygon", crs="EPSG:4326", **columns):
        usual = {
            "zip": ["02139", "10001", "19104", "94110"], "workload": [1.0, 1.0, 1.0, 1.0], "rep": ["A", "A", "B", "B"],
        }  # fmt: skip
        return memory_layer({**usual, **columns}, list(shapes), kind=kind, crs=crs)

    return make


@pytest.fixture
def asked(memory_layer):
    """Return ``asked("ID", layer)``: the parameters of an algorithm that reads the layer of units."""

    def make(algorithm, layer, **more):
        name, others = READ_UNITS[algorithm]
        parameters = {name: layer, "ZIP_FIELD" if name == "ZIPS" else "UNIT_FIELD": "zip", **others, **more}
        if name == "ZIPS":
            parameters["PROVIDERS"] = memory_layer({"postal": ["02139"]})
        return parameters

    return make


def assert_told(message, *words):
    missing = [word for word in words if word.lower() not in message.lower()]
    assert missing == [], message


# --- ids


@every_reader
def test_null_ids(refused, units, asked, algorithm):
    message = refused(algorithm, asked(algorithm, units(zip=["02139", None, "19104", ""])))
    assert_told(message, "2 features have no unit id", "zip", "feature 2", "feature 4", "Extract by expression")


@every_reader
def test_duplicate_ids(refused, units, asked, algorithm):
    message = refused(algorithm, asked(algorithm, units(zip=["02139", "10001", "02139", "94110"])))
    assert_told(message, "more than once", "02139", "Dissolve")
    assert "10001" not in message


@every_reader
def test_duplicate_numbers_as_ids(refused, units, asked, algorithm):
    assert_told(refused(algorithm, asked(algorithm, units(zip=[2139, 1, 2139, 4]))), "more than once", "2139")


# --- the layer


@every_reader
def test_an_empty_layer(refused, units, asked, algorithm):
    layer = units(shapes=[], zip=[], workload=[], rep=[])
    assert_told(refused(algorithm, asked(algorithm, layer)), "empty", "filter")


@every_reader
def test_a_selection_of_nothing(refused, units, asked, algorithm):
    from qgis.core import QgsProcessingFeatureSourceDefinition

    layer = units()
    QgsProject.instance().addMapLayer(layer)
    message = refused(algorithm, asked(algorithm, QgsProcessingFeatureSourceDefinition(layer.id(), True)))
    QgsProject.instance().removeAllMapLayers()
    assert_told(message, "empty", "selection")


@every_reader
def test_a_layer_without_crs(refused, units, asked, algorithm):
    layer = units()
    layer.setCrs(QgsCoordinateReferenceSystem())
    assert_told(refused(algorithm, asked(algorithm, layer)), "no coordinate reference system", "Assign projection")


@every_reader
def test_metres_that_pass_for_degrees(attempt, units, asked, algorithm):
    """A layer in metres to which somebody assigned EPSG:4326."""
    shapes = [f"POLYGON(({x}e5 0, {x + 1}e5 0, {x + 1}e5 100000, {x}e5 100000, {x}e5 0))" for x in range(1, 5)]
    outcome = attempt(algorithm, {**asked(algorithm, units(shapes=shapes)), "OUTPUT": "memory:"})
    assert_told(outcome.refusal, "degrees", "02139", "coordinate reference system")


@every_reader
@pytest.mark.parametrize(
    ("kind", "wkt"),
    [("Point", "POINT({} 0)"), ("LineString", "LINESTRING({} 0, {} 1)"), ("MultiPoint", "MULTIPOINT(({} 0))")],
)
def test_points_and_lines_as_units(refused, units, asked, algorithm, kind, wkt):
    layer = units(shapes=[wkt.format(x, x) for x in range(4)], kind=kind)
    message = refused(algorithm, asked(algorithm, layer))
    assert_told(message, "polygon")


@every_reader
def test_a_table_as_units(refused, asked, memory_layer, algorithm):
    layer = memory_layer({"zip": ["02139"], "workload": [1.0], "rep": ["A"]})
    assert_told(refused(algorithm, asked(algorithm, layer)), "polygon")


@every_reader
def test_a_layer_that_is_not_there(refused, asked, algorithm, tmp_path):
    parameters = asked(algorithm, str(tmp_path / "absent.gpkg"))
    assert refused(algorithm, parameters)


@every_reader
def test_an_unknown_field(refused, units, asked, algorithm):
    parameters = asked(algorithm, units())
    parameters["ZIP_FIELD" if algorithm == "sumproviderstozips" else "UNIT_FIELD"] = "zcta"
    assert_told(refused(algorithm, parameters), "zcta", "zip, workload, rep")


@every_weigher
def test_all_complaints_come_at_once(refused, units, asked, algorithm):
    parameters = {**asked(algorithm, units()), "UNIT_FIELD": "zcta", "WORKLOAD_FIELDS": ["load", "sales"]}
    assert_told(refused(algorithm, parameters), "zcta", "load", "sales")


# --- geometries


@every_reader
def test_features_without_geometry(refused, units, asked, algorithm):
    shapes = [SQUARES[0], None, "POLYGON EMPTY", SQUARES[3]]
    message = refused(algorithm, asked(algorithm, units(shapes=shapes)))
    assert_told(message, "2 features have no geometry", "feature 2", "feature 3", "Remove null geometries")


@every_reader
def test_invalid_polygons_are_repaired_counted_and_named(run, units, asked, algorithm):
    """The second square has a spike that runs out and back."""
    spike = "POLYGON((1 0, 2 0, 2 1, 1.5 1, 1.5 3, 1.5 1, 1 1, 1 0))"
    layer = units(shapes=[SQUARES[0], spike, *SQUARES[2:]])
    outcome = run(algorithm, {**asked(algorithm, layer), "OUTPUT": "memory:"})
    assert_told(outcome.warnings, "1 unit had", "10001", "repaired", "Fix geometries")
    if algorithm in WEIGH_UNITS:
        rows = outcome.rows()
        assert all(shapely.is_valid(row["geometry"]) for row in rows)
        assert sum(row["geometry"].area for row in rows) == pytest.approx(4)
        assert sum(row["workload"] for row in rows) == 4
    elif algorithm == "buildadjacencygraph":
        assert outcome.results["EDGE_COUNT"] == 3


@every_reader
def test_overlapping_units_are_told_and_used(run, units, asked, algorithm):
    shapes = [SQUARES[0], "POLYGON((0.5 0, 2 0, 2 1, 0.5 1, 0.5 0))", *SQUARES[2:]]
    outcome = run(algorithm, {**asked(algorithm, units(shapes=shapes)), "OUTPUT": "memory:"})
    assert_told(outcome.warnings, "overlap", "02139 and 10001", "50%")
    if algorithm in WEIGH_UNITS:
        assert outcome.results["CONNECTED"] is True
        assert sum(row["workload"] for row in outcome.rows()) == 4
    elif algorithm == "buildadjacencygraph":
        joined = {(row["from_unit"], row["to_unit"]) for row in outcome.rows()}
        assert ("10001", "19104") in joined


@every_weigher
def test_the_same_polygon_twice_does_not_break_the_map(run, units, asked, algorithm):
    layer = units(shapes=[SQUARES[0], SQUARES[0], SQUARES[1], SQUARES[2]])
    outcome = run(algorithm, {**asked(algorithm, layer), "OUTPUT": "memory:"})
    assert_told(outcome.warnings, "02139 and 10001", "100%")
    assert sum(row["units"] for row in outcome.rows()) == 4


# --- workloads


@every_weigher
@pytest.mark.parametrize("loads", [[0.0] * 4, [None] * 4, [0.0, None, 0.0, None], [0, 0, 0, 0], ["0", "", None, " "]])
def test_no_workload_at_all(refused, units, asked, algorithm, loads):
    assert_told(
        refused(algorithm, asked(algorithm, units(workload=loads))), "no workload at all in workload", "above 0"
    )


@every_weigher
def test_negative_workloads(refused, units, asked, algorithm):
    message = refused(algorithm, asked(algorithm, units(workload=[1.0, -2.0, 1.0, -0.5])))
    assert_told(message, "negative", "workload", "10001", "94110", "at least 0")
    assert "02139" not in message


@every_weigher
@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_workloads_that_are_no_numbers(refused, units, asked, algorithm, value):
    message = refused(algorithm, asked(algorithm, units(workload=[1.0, value, 1.0, 1.0])))
    assert_told(message, "workload", "10001", "no numbers", "NULL")


@every_weigher
def test_workloads_in_words(refused, units, asked, algorithm):
    message = refused(algorithm, asked(algorithm, units(workload=["1", "many", "1", "a few"])))
    assert_told(message, "workload", "10001", "many", "94110", "a few", "numeric field")


@every_weigher
def test_numbers_written_as_text_are_used(run, units, asked, algorithm):
    outcome = run(algorithm, {**asked(algorithm, units(workload=["1", " 2.5", "1e1", None])), "OUTPUT": "memory:"})
    assert sum(row["workload"] for row in outcome.rows()) == 13.5
    assert_told(outcome.warnings, "94110")


@every_weigher
def test_missing_workloads_count_as_nothing_and_are_named(run, units, asked, algorithm):
    outcome = run(algorithm, {**asked(algorithm, units(workload=[1.0, None, 1.0, None])), "OUTPUT": "memory:"})
    assert_told(outcome.warnings, "2 units", "10001", "94110", "counts as 0")
    assert sum(row["workload"] for row in outcome.rows()) == 2
    assert sum(row["units"] for row in outcome.rows()) == 4


@every_weigher
def test_one_of_several_workloads_is_empty(refused, units, asked, algorithm):
    parameters = {**asked(algorithm, units(sales=[0.0] * 4)), "WORKLOAD_FIELDS": ["workload", "sales"]}
    assert_told(refused(algorithm, parameters), "sales", "no value above 0")


# --- more territories than can be


def test_more_territories_than_units(refused, units, asked):
    message = refused("balanceterritories", asked("balanceterritories", units(), TERRITORIES=5))
    assert_told(message, "5 territories", "4 units", "fewer")


def test_fewer_territories_than_parts(refused, units, asked):
    apart = [SQUARES[0], SQUARES[1], "POLYGON((8 0, 9 0, 9 1, 8 1, 8 0))", "POLYGON((5 5, 6 5, 6 6, 5 6, 5 5))"]
    message = refused("balanceterritories", asked("balanceterritories", units(shapes=apart), BRIDGE="none"))
    assert_told(message, "3 parts", "94110", "Bridge islands", "at least 3")


def test_more_territories_than_a_component_can_hold(run, units, asked):
    """Two territories for an island of one unit: the mainland has to carry the third."""
    shapes = [*SQUARES[:3], "POLYGON((9 0, 10 0, 10 1, 9 1, 9 0))"]
    layer = units(shapes=shapes, workload=[1.0, 1.0, 1.0, 9.0])
    parameters = asked("balanceterritories", layer, BRIDGE="none", TERRITORIES=3)
    outcome = run("balanceterritories", {**parameters, "OUTPUT": "memory:"})
    rows = outcome.rows()
    assert sorted(row["units"] for row in rows) == [1, 1, 2]
    assert_told(outcome.results["CERTIFICATE"] + outcome.results["REASONS"], "94110")


def test_edges_that_leave_parts_apart(refused, units, asked, memory_layer):
    edges = memory_layer({"from_unit": ["02139"], "to_unit": ["10001"]})
    message = refused("balanceterritories", asked("balanceterritories", units(), EDGES=edges))
    assert_told(message, "3 parts", "at least 3")


# --- outputs


OUTPUTS = [
    ("balanceterritories", "OUTPUT"), ("balanceterritories", "ASSIGNMENT"), ("evaluateterritories", "OUTPUT"),
    ("buildadjacencygraph", "OUTPUT"), ("buildadjacencygraph", "ISOLATES"), ("sumproviderstozips", "UNMATCHED"),
]  # fmt: skip


@pytest.mark.parametrize(("algorithm", "output"), OUTPUTS)
def test_a_folder_that_is_not_there(refused, units, asked, tmp_path, algorithm, output):
    path = tmp_path / "absent" / "plan.gpkg"
    assert_told(refused(algorithm, {**asked(algorithm, units()), output: str(path)}), str(path), "folder")
    assert not path.parent.exists()


@pytest.mark.parametrize(("algorithm", "output"), OUTPUTS)
def test_a_folder_in_place_of_a_file(refused, units, asked, tmp_path, algorithm, output):
    path = tmp_path / "plan.gpkg"
    path.mkdir()
    assert_told(refused(algorithm, {**asked(algorithm, units()), output: str(path)}), str(path))


@pytest.mark.parametrize("algorithm", WEIGH_UNITS)
def test_a_report_that_cannot_be_written(refused, units, asked, tmp_path, algorithm):
    path = tmp_path / "absent" / "report.html"
    assert_told(refused(algorithm, {**asked(algorithm, units()), "REPORT": str(path)}), str(path))


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_without_permission(refused, units, asked, tmp_path):
    folder = tmp_path / "locked"
    folder.mkdir(mode=0o500)
    path = folder / "plan.gpkg"
    message = refused("balanceterritories", {**asked("balanceterritories", units()), "OUTPUT": str(path)})
    assert_told(message, str(path), "write")


def test_a_table_of_a_geopackage_in_a_folder_that_is_not_there(refused, units, asked, tmp_path):
    path = tmp_path / "absent" / "all.gpkg"
    given = f"ogr:dbname='{path}' table=\"plan\" (geom)"
    message = refused("balanceterritories", {**asked("balanceterritories", units()), "OUTPUT": given})
    assert_told(message, str(path))


def test_an_unwritable_layer_definition(refused, units, asked, tmp_path):
    """As the toolbox gives it."""
    path = tmp_path / "absent" / "plan.gpkg"
    given = QgsProcessingOutputLayerDefinition(str(path), QgsProject.instance())
    message = refused("balanceterritories", {**asked("balanceterritories", units()), "OUTPUT": given})
    assert_told(message, str(path))


def test_two_outputs_in_one_file(refused, units, asked, tmp_path):
    """The second would replace the first."""
    path = str(tmp_path / "plan.gpkg")
    parameters = {**asked("balanceterritories", units()), "OUTPUT": path, "ASSIGNMENT": path}
    assert_told(refused("balanceterritories", parameters), path, "Territories", "ZIPs by territory")
    assert not os.path.exists(path)


def test_an_output_in_place_of_its_input(run, refused, units, asked, tmp_path, read_rows):
    """Nobody loses the layer of units, whichever way the two are written."""
    path = tmp_path / "zips.gpkg"
    parameters = asked("sumproviderstozips", units())
    run("sumproviderstozips", {**parameters, "OUTPUT": str(path)})
    again = {**asked("balanceterritories", f"{path}|layername=zips"), "WORKLOAD_FIELDS": ["providers"]}
    assert_told(refused("balanceterritories", {**again, "OUTPUT": str(path)}), str(path), "input")
    assert len(read_rows(path)) == 4


def test_another_table_beside_the_input_is_fine(run, refused, units, asked, tmp_path, read_rows):
    path = tmp_path / "zips.gpkg"
    run("sumproviderstozips", {**asked("sumproviderstozips", units()), "OUTPUT": str(path)})
    again = {**asked("balanceterritories", str(path)), "WORKLOAD_FIELDS": ["providers"]}
    table = f"ogr:dbname='{path}' table=\"{{}}\" (geom)"
    assert_told(refused("balanceterritories", {**again, "OUTPUT": table.format("ZIPS")}), str(path), "input")
    run("balanceterritories", {**again, "OUTPUT": table.format("plan")})
    assert len(read_rows(f"{path}|layername=zips")) == 4
    assert len(read_rows(f"{path}|layername=plan")) == 2


def test_a_file_type_that_nobody_knows(attempt, units, asked, tmp_path):
    """QGIS writes it as a GeoPackage or refuses it; either way no half of a file is left."""
    path = tmp_path / "plan.xyz"
    outcome = attempt("balanceterritories", {**asked("balanceterritories", units()), "OUTPUT": str(path)})
    if outcome.refusal:
        assert list(tmp_path.glob("plan*")) == []
    else:
        assert len(outcome.rows()) == 2


# --- through qgis_process: exit status and message


@pytest.mark.parametrize("by_json", [False, True])
def test_a_refusal_through_qgis_process(qgis_process, sample, tmp_path, by_json):
    output = tmp_path / "plan.gpkg"
    done = qgis_process(
        "territories:balanceterritories",
        {
            "UNITS": sample.zips, "UNIT_FIELD": "county", "WORKLOAD_FIELDS": ["fid"], "TERRITORIES": 3,
            "OUTPUT": str(output),
        },
        by_json=by_json,
    )  # fmt: skip
    assert done.status != 0
    assert_told(done.messages, "county", "more than once", "Alameda", "Dissolve")
    assert "Traceback" not in done.messages
    assert list(tmp_path.iterdir()) == []


# --- bad providers


def test_negative_values_are_refused(refused, memory_layer):
    providers = memory_layer({"npi": ["1", "2"], "volume": [1.0, -1.0]})
    assert_told(refused("weightproviders", {"INPUT": providers, "VALUE_FIELDS": ["volume"]}), "volume", "negative")


def test_values_that_are_all_missing_are_refused(refused, memory_layer):
    providers = memory_layer({"npi": ["1", "2"], "volume": [0.0, None]})
    assert_told(refused("weightproviders", {"INPUT": providers, "VALUE_FIELDS": ["volume"]}), "volume", "above 0")


def test_providers_without_crs_cannot_be_placed(refused, units, memory_layer):
    providers = memory_layer({"npi": ["1"]}, ["POINT(0.5 0.5)"], kind="Point")
    providers.setCrs(QgsCoordinateReferenceSystem())
    message = refused("sumproviderstozips", {"PROVIDERS": providers, "ZIPS": units(), "ZIP_FIELD": "zip"})
    assert_told(message, "provider", "no coordinate reference system", "Assign projection")


def test_no_provider_at_all(refused, units, memory_layer):
    parameters = {"PROVIDERS": memory_layer({"postal": []}), "PROVIDER_ZIP_FIELD": "postal"}
    assert_told(refused("sumproviderstozips", {**parameters, "ZIPS": units(), "ZIP_FIELD": "zip"}), "provider", "empty")


# --- numbers that QGIS would read as others


@pytest.mark.parametrize(
    ("parameter", "value", "said"),
    [
        ("CAPACITY_MIN", "many", "“many” is no number"), ("CAPACITY_MIN", "1,5", "“1,5” is no number"),
        ("TOLERANCE", "nan", "no number"), ("TOLERANCE", float("inf"), "no number"),
        ("TERRITORIES", 2.5, "whole number"),
        ("TERRITORIES", "2.5", "whole number"), ("TERRITORIES", 2**40, "too large"), ("SEED", "x", "no number"),
        ("BRIDGE_DISTANCE", "nan", "no number"), ("SEED", 10**400, "no number"),
    ],
)  # fmt: skip
def test_numbers_that_are_none(refused, units, asked, parameter, value, said):
    message = refused("balanceterritories", {**asked("balanceterritories", units()), parameter: value})
    assert said in message or (parameter != "CAPACITY_MIN" and "Incorrect parameter value" in message), message


def test_an_optional_number_that_is_blank_is_not_given(run, units, asked):
    parameters = asked("balanceterritories", units(), CAPACITY_MIN="", CAPACITY=" ", MAX_TRAVEL="")
    assert len(run("balanceterritories", {**parameters, "OUTPUT": "memory:"}).rows()) == 2


def test_a_table_that_lacks_cells_is_refused(refused, memory_layer):
    layer = memory_layer({"size": [1.0, 4.0]})
    parameters = {"INPUT": layer, "SIZE_FIELD": "size", "SIZE_SCALE": "bands"}
    assert "Fill the last row" in refused("weightproviders", {**parameters, "SIZE_BANDS": [1, 1, 3]})
    assert "“Size bands” holds values that are no numbers" in refused(
        "weightproviders", {**parameters, "SIZE_BANDS": [1, "much"]}
    )
