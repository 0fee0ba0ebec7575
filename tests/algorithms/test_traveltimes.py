"""traveltimes: the quickest ways over roads, against networkx; over the bridge, not through the river."""

from __future__ import annotations

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.geodesy import distance_km

# Junctions lie every 0.05° and on the centres of the units, squares of 0.1°; the river runs between the two rows of
# units, and only the bridge in the east crosses it.
#
#     00000   00001   00002   00003
#     ~~~~~~~~~~~~~~~~~~~~~~~~~~#~~
#     00100   00101   00102   00103
WEST, NORTH, STEP = -99.95, 39.95, 0.05
COLUMNS, ROWS = 7, 3
PICTURE = "1 1 1 1\n1 1 1 1"
MPH = 1.609344


def spot(node):
    return WEST + node[0] * STEP, NORTH - node[1] * STEP


def segments():
    """Yield two junctions, the speed of the road and its direction."""
    rng = np.random.default_rng(5)
    for y in range(ROWS):
        for x in range(COLUMNS):
            for other in ((x + 1, y), (x, y + 1)):
                bridge = other[1] != y and (x, y) == (6, 0)
                river = other[1] != y and y == 0 and not bridge
                if other[0] < COLUMNS and other[1] < ROWS and not river:
                    yield (x, y), other, float(rng.choice([20, 30, 60])), str(rng.choice(["F", "T", "B", "B", "B"]))


@pytest.fixture
def roads(memory_layer):
    drawn = list(segments())
    lines = ["LINESTRING({} {}, {} {})".format(*spot(a), *spot(b)) for a, b, _, _ in drawn]
    return memory_layer(
        {"mph": [speed for _, _, speed, _ in drawn], "oneway": [way for *_, way in drawn]}, lines, kind="LineString"
    )


def as_graph(oneway=False, speeds=True, km_per_unit=MPH):
    graph = nx.DiGraph()
    for a, b, speed, way in segments():
        km = float(distance_km([spot(a)], [spot(b)])[0])
        minutes = 60 * km / ((speed if speeds else 30) * km_per_unit)
        for one, other, allowed in ((a, b, "FB"), (b, a, "TB")):
            if not oneway or way in allowed:
                graph.add_edge(one, other, minutes=minutes, km=km)
    return graph


def ways(graph, most=1e9):
    """Return (origin, destination): (minutes, km) between the units' centres."""
    units = {f"0{y:02d}{x:02d}": (2 * x, 2 * y) for y in range(2) for x in range(4)}
    found = {}
    for origin, start in units.items():
        minutes, paths = nx.single_source_dijkstra(graph, start, cutoff=most, weight="minutes")
        for unit, end in units.items():
            if unit != origin and end in minutes:
                found[origin, unit] = (minutes[end], nx.path_weight(graph, paths[end], "km"))
    return found


@pytest.fixture
def asked(board, roads):
    return {
        "ROADS": roads, "UNITS": board(PICTURE), "UNIT_FIELD": "zip", "SPEED_FIELD": "mph", "MAX_MINUTES": 0,
        "OUTPUT": "memory:", "UNREACHED": "memory:",
    }  # fmt: skip


def table(outcome):
    return {(row["origin"], row["destination"]): (row["minutes"], row["km"]) for row in outcome.rows()}


def check(found, expected):
    assert found.keys() == expected.keys()
    for pair, values in expected.items():
        assert found[pair] == pytest.approx(values, rel=1e-3, abs=0.02), pair


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("traveltimes")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {
        "ROADS", "UNITS", "UNIT_FIELD", "ORIGINS", "ORIGIN_FIELD", "MAX_MINUTES", "SPEED_FIELD", "DEFAULT_SPEED",
        "SPEED_UNIT", "DIRECTION_FIELD", "VALUE_FORWARD", "VALUE_BACKWARD", "VALUE_BOTH", "DEFAULT_DIRECTION",
        "MAX_ACCESS", "TOPOLOGY_TOLERANCE", "OUTPUT", "UNREACHED",
    } == definitions.keys()  # fmt: skip
    assert definitions["SPEED_UNIT"].metadata()["keys"] == ["mph", "kmh"]
    assert definitions["DEFAULT_DIRECTION"].metadata()["keys"] == ["forward", "backward", "both"]


# --- its result


def test_every_pair_of_units_as_networkx_has_it(run, asked):
    outcome = run("traveltimes", asked)
    check(table(outcome), ways(as_graph()))
    assert list(outcome.rows()[0])[:-1] == ["origin", "destination", "minutes", "km"]
    assert outcome.results["PAIR_COUNT"] == 8 * 7
    assert (outcome.results["UNREACHED_COUNT"], outcome.results["MISSING_COUNT"]) == (0, 0)
    assert "56 pairs of 56 in the table" in outcome.infos
    assert outcome.rows("UNREACHED") == []
    assert outcome.progress == sorted(outcome.progress)


def test_the_river_is_crossed_by_the_bridge_only(run, asked):
    """From 00000 to 00100 below it: 11 km as the crow flies, and at least 6 columns east and back, 62 km, by road."""
    _, km = table(run("traveltimes", asked))["00000", "00100"]
    assert km > 60


def test_one_way_streets(run, asked):
    one_way = {"DIRECTION_FIELD": "oneway", "VALUE_FORWARD": "F", "VALUE_BACKWARD": "T", "VALUE_BOTH": "B"}
    found = table(run("traveltimes", {**asked, **one_way}))
    check(found, ways(as_graph(oneway=True)))
    assert any(found.get((b, a), (0,))[0] != minutes for (a, b), (minutes, _) in found.items())


def test_one_speed_in_kilometres_an_hour(run, asked):
    found = table(run("traveltimes", {**asked, "SPEED_FIELD": None, "DEFAULT_SPEED": 30, "SPEED_UNIT": "kmh"}))
    check(found, ways(as_graph(speeds=False, km_per_unit=1)))


@pytest.mark.parametrize("speed", [None, 0.0, -5.0])
def test_roads_without_a_speed_have_the_default(run, asked, memory_layer, speed):
    """Two roads of 0.1° from centre to centre: 60 mph, and none."""
    lines = ["LINESTRING(-99.95 39.95, -99.85 39.95)", "LINESTRING(-99.85 39.95, -99.75 39.95)"]
    roads = memory_layer({"mph": [60.0, speed]}, lines, kind="LineString")
    found = table(run("traveltimes", {**asked, "ROADS": roads, "DEFAULT_SPEED": 20, "MAX_ACCESS": 1}))
    km = float(distance_km([[-99.95, 39.95]], [[-99.85, 39.95]])[0])
    assert found["00000", "00001"] == pytest.approx((60 * km / (60 * MPH), km), rel=1e-3)
    assert found["00001", "00002"] == pytest.approx((60 * km / (20 * MPH), km), rel=1e-3)


@pytest.mark.parametrize(
    ("written", "kmh"), [("60", 60 * MPH), ("60 mph", 60 * MPH), ("50 km/h", 50), ("fast", 20 * MPH), ("", 20 * MPH)]
)
def test_speeds_written_as_text(run, asked, memory_layer, written, kmh):
    road = memory_layer({"mph": [written]}, ["LINESTRING(-99.95 39.95, -99.85 39.95)"], kind="LineString")
    outcome = run("traveltimes", {**asked, "ROADS": road, "DEFAULT_SPEED": 20, "MAX_ACCESS": 1})
    km = float(distance_km([[-99.95, 39.95]], [[-99.85, 39.95]])[0])
    assert table(outcome)["00000", "00001"] == pytest.approx((60 * km / kmh, km), rel=1e-3)
    assert ("no speed on some roads, which get the default: fast" in outcome.warnings) == (written == "fast")


@pytest.mark.parametrize("most", [10, 30])
def test_pairs_beyond_the_most_minutes_are_left_out(run, asked, most):
    expected = {pair: values for pair, values in ways(as_graph()).items() if values[0] <= most}
    assert 0 < len(expected) < 56
    outcome = run("traveltimes", {**asked, "MAX_MINUTES": most})
    check(table(outcome), expected)
    assert outcome.results["MISSING_COUNT"] == 56 - len(expected)
    assert f"{56 - len(expected)} pairs without a way" in outcome.infos


def test_from_homes_in_another_crs(run, asked, memory_layer):
    """A home at the centre of 00000 (Web Mercator), and one 2.8 km north of it: there the way begins off the road."""
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsProject

    transform = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem("EPSG:3857"), QgsProject.instance()
    )
    places = [transform.transform(-99.95, lat) for lat in (39.95, 39.975)]
    homes = memory_layer(
        {"rep": ["R1", "R2"]}, [f"POINT({p.x()} {p.y()})" for p in places], kind="Point", crs="EPSG:3857"
    )
    found = table(run("traveltimes", {**asked, "ORIGINS": homes, "ORIGIN_FIELD": "rep", "DEFAULT_SPEED": 20}))
    expected = ways(as_graph())
    km = float(distance_km([[-99.95, 39.95]], [[-99.95, 39.975]])[0])
    assert found["R1", "00000"] == pytest.approx((0, 0), abs=1e-3)
    assert found["R1", "00103"] == pytest.approx(expected["00000", "00103"], rel=1e-3)
    assert found["R2", "00000"] == pytest.approx((60 * km / (20 * MPH), km), rel=1e-3)
    assert found["R2", "00103"][1] == pytest.approx(expected["00000", "00103"][1] + km, rel=1e-3)


@pytest.mark.parametrize("crs", ["EPSG:5070", "EPSG:3857"])
def test_roads_in_another_crs(run, asked, crs):
    from qgis import processing

    moved = processing.run("native:reprojectlayer", {"INPUT": asked["ROADS"], "TARGET_CRS": crs, "OUTPUT": "memory:"})
    check(table(run("traveltimes", {**asked, "ROADS": moved["OUTPUT"]})), ways(as_graph()))


def test_places_not_reached_are_named_with_the_reason(run, asked, board):
    """Roads on both sides of the river without the bridge; a row of units far south, 30 km from any road."""
    from qgis.core import QgsProcessingFeatureSourceDefinition, QgsProject

    asked["ROADS"].selectByExpression("y_min($geometry) > 39.94 or y_max($geometry) < 39.93")
    QgsProject.instance().addMapLayer(asked["ROADS"], False)
    some = QgsProcessingFeatureSourceDefinition(asked["ROADS"].id(), selectedFeaturesOnly=True)
    outcome = run("traveltimes", {**asked, "ROADS": some, "UNITS": board("1 1\n1 _\n_ _\n_ _\n1 1"), "MAX_ACCESS": 5})
    QgsProject.instance().takeMapLayer(asked["ROADS"])
    lost = {row["place"]: row for row in outcome.rows("UNREACHED")}
    assert set(lost) == {"00100", "00400", "00401"}
    assert set(table(outcome)) == {("00000", "00001"), ("00001", "00000")}
    assert "no way from any origin" in lost["00100"]["reason"]
    assert "nearest road is 3" in lost["00400"]["reason"]
    assert "3 places are not reached: 00100" in outcome.warnings
    assert outcome.results["MISSING_COUNT"] == 5 * 4 - 2


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"UNIT_FIELD": "zcta"}, ["zcta", "zip"]),
        ({"SPEED_FIELD": "kmh"}, ["kmh", "mph, oneway"]),
        ({"DIRECTION_FIELD": "oneway"}, ["direction field"]),
        ({"SPEED_UNIT": "knots"}, ["knots", "mph, kmh"]),
        ({"MAX_MINUTES": 0.01}, ["No road leads"]),
    ],
)
def test_refusals_say_what_is_wrong(refused, asked, change, said):
    del asked["OUTPUT"], asked["UNREACHED"]
    message = refused("traveltimes", {**asked, **change})
    assert [word for word in said if word not in message] == []


def test_origins_need_an_id_and_a_place(refused, asked, memory_layer):
    del asked["OUTPUT"], asked["UNREACHED"]
    homes = memory_layer({"rep": ["R1", "R2"]}, ["POINT(-99.95 39.95)", None], kind="Point")
    assert "Origin id" in refused("traveltimes", {**asked, "ORIGINS": homes})
    message = refused("traveltimes", {**asked, "ORIGINS": homes, "ORIGIN_FIELD": "rep"})
    assert "no place is known of R2" in message


def test_cancelling_writes_nothing(attempt, asked, tmp_path):
    output = tmp_path / "times.gpkg"
    outcome = attempt("traveltimes", {**asked, "OUTPUT": str(output)}, cancel_after=2)
    assert outcome.results == {}
    assert not output.exists()


# --- in the thread pool, and through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, asked):
    from qgis.core import QgsProject

    layers = [asked["ROADS"], asked["UNITS"]]
    QgsProject.instance().addMapLayers(layers)
    ids = {name: asked[name].id() for name in ("ROADS", "UNITS")}
    outputs = {"OUTPUT": "TEMPORARY_OUTPUT", "UNREACHED": "TEMPORARY_OUTPUT"}
    results = pool_runs("territories:traveltimes", {**asked, **ids, **outputs})
    QgsProject.instance().removeAllMapLayers()
    assert {(result["PAIR_COUNT"], result["OUTPUT"].featureCount()) for result in results} == {(56, 56)}


@pytest.mark.parametrize("by_json", [False, True])
def test_through_qgis_process(qgis_process, asked, tmp_path, by_json, read_rows):
    from qgis import processing

    files = {}
    for name in ("ROADS", "UNITS"):
        files[name] = str(tmp_path / f"{name}.gpkg")
        processing.run("native:savefeatures", {"INPUT": asked[name], "OUTPUT": files[name]})
    outputs = {"OUTPUT": str(tmp_path / "times.csv"), "UNREACHED": str(tmp_path / "lost.gpkg")}
    done = qgis_process("territories:traveltimes", {**asked, **files, **outputs}, by_json=by_json)
    assert done.status == 0, done.messages
    rows = read_rows(tmp_path / "times.csv")
    found = {(row["origin"], row["destination"]): (float(row["minutes"]), float(row["km"])) for row in rows}
    check(found, ways(as_graph()))
