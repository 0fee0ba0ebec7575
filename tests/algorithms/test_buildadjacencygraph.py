"""buildadjacencygraph: who touches whom, drawn as lines that people can edit."""

from __future__ import annotations

from collections import defaultdict

import networkx as nx
import pytest
import shapely

COLUMNS = ["from_unit", "to_unit", "border_m", "distance_km", "kind", "open"]


def graph(layer, **more):
    return {"INPUT": layer, "UNIT_FIELD": "zip", "OUTPUT": "memory:", **more}


def pairs(rows, kind=None):
    return {(row["from_unit"], row["to_unit"]) for row in rows if kind is None or row["kind"] == kind}


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("buildadjacencygraph")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {"INPUT", "UNIT_FIELD", "CONTIGUITY", "BRIDGE", "BARRIERS", "OUTPUT", "ISOLATES"} <= definitions.keys()
    assert definitions["CONTIGUITY"].metadata()["keys"] == ["rook", "queen"]
    assert definitions["BRIDGE"].metadata()["keys"] == ["none", "nearest", "within"]
    keys = definitions["BRIDGE"].metadata()["keys"]
    assert keys[definitions["BRIDGE"].defaultValue()] == "nearest"
    assert definitions["CONTIGUITY"].metadata()["keys"][definitions["CONTIGUITY"].defaultValue()] == "rook"
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    counts = {"UNIT_COUNT", "EDGE_COUNT", "BRIDGE_COUNT", "CLOSED_COUNT", "ISOLATE_COUNT", "COMPONENT_COUNT"}
    assert counts <= outputs


@pytest.mark.parametrize(("contiguity", "edges"), [("rook", 4), ("queen", 6), (0, 4), (1, 6), ("1", 6), ("Queen", 6)])
def test_rook_and_queen_by_key_or_number(run, board, contiguity, edges):
    """Four squares around one corner: 4 borders, 2 diagonals."""
    assert run("buildadjacencygraph", graph(board("1 1\n1 1"), CONTIGUITY=contiguity)).results["EDGE_COUNT"] == edges


def test_an_unknown_kind_of_contact_is_told(attempt, board):
    refusal = attempt("buildadjacencygraph", graph(board("1 1"), CONTIGUITY="bishop")).refusal
    for word in ("bishop", "rook", "queen"):
        assert word in refusal


# --- its result


def test_edges_of_a_board(run, board):
    """
    00000 00001     borders: 0.1° each; the diagonals are contacts in one point
    00100 00101
    """
    outcome = run("buildadjacencygraph", graph(board("1 1\n1 1"), CONTIGUITY="queen"))
    rows = outcome.rows()
    assert list(rows[0])[:-1] == COLUMNS
    assert pairs(rows, "border") == {
        ("00000", "00001"), ("00000", "00100"), ("00001", "00101"), ("00100", "00101"),
    }  # fmt: skip
    assert pairs(rows, "point") == {("00000", "00101"), ("00001", "00100")}
    by = {(row["from_unit"], row["to_unit"]): row for row in rows}
    # 0.1° of latitude at 40° north is 11,104 m; 0.1° of longitude at 39.9° is 8,553 m
    assert by["00000", "00001"]["border_m"] == pytest.approx(11104, rel=1e-3)
    assert by["00000", "00100"]["border_m"] == pytest.approx(8553, rel=1e-3)
    assert by["00000", "00101"]["border_m"] == 0
    assert by["00000", "00001"]["distance_km"] == pytest.approx(8.547, rel=1e-3)
    assert by["00000", "00100"]["distance_km"] == pytest.approx(11.104, rel=1e-3)
    assert all(row["open"] is True for row in rows)
    ends = {tuple(by["00000", "00001"]["geometry"].coords[at]) for at in (0, -1)}
    assert {(round(x, 6), round(y, 6)) for x, y in ends} == {(-99.95, 39.95), (-99.85, 39.95)}
    assert outcome.results["COMPONENT_COUNT"] == 1
    assert outcome.results["ISOLATE_COUNT"] == outcome.results["BRIDGE_COUNT"] == outcome.results["CLOSED_COUNT"] == 0


ISLANDS = "1 1 _ 1\n_ _ _ 1\n_ _ _ _\n1 _ _ _"  # a pair, a pair, and a unit alone


@pytest.mark.parametrize(
    ("bridge", "joined"), [("none", False), ("nearest", True), ("within", True), (0, False), (1, True)]
)
def test_islands_are_bridged_by_the_rule_asked_for(run, board, bridge, joined):
    outcome = run("buildadjacencygraph", graph(board(ISLANDS), BRIDGE=bridge, ISOLATES="memory:"))
    rows = outcome.rows()
    made = nx.Graph((row["from_unit"], row["to_unit"]) for row in rows)
    made.add_nodes_from(["00000", "00001", "00003", "00103", "00300"])
    assert nx.is_connected(made) == joined
    assert outcome.results["COMPONENT_COUNT"] == 3  # before bridging
    assert outcome.results["BRIDGE_COUNT"] == len(pairs(rows, "bridge"))
    assert outcome.results["ISOLATE_COUNT"] == 1
    if joined:
        assert ("00001", "00003") in pairs(rows, "bridge")
        assert "bridges" in outcome.infos
    else:
        assert pairs(rows, "bridge") == set()
        assert "3 parts" in outcome.warnings
        assert "00300" in outcome.warnings
        assert "Bridge islands" in outcome.warnings
    for row in rows:
        if row["kind"] == "bridge":
            assert row["border_m"] == 0
            assert row["distance_km"] > 5


def test_bridges_no_longer_than_asked(run, board):
    """The gap in the first row is 8.5 km wide, the lone unit is 22 km away."""
    rows = run("buildadjacencygraph", graph(board(ISLANDS), BRIDGE="within", BRIDGE_DISTANCE=10)).rows()
    assert pairs(rows, "bridge")
    assert all("00300" not in pair for pair in pairs(rows))
    rows = run("buildadjacencygraph", graph(board(ISLANDS), BRIDGE="within", BRIDGE_DISTANCE=5)).rows()
    assert pairs(rows, "bridge") == set()


def test_isolates_have_their_own_columns_component_and_bridges(run, board):
    outcome = run("buildadjacencygraph", graph(board(ISLANDS), BRIDGE="nearest", ISOLATES="memory:"))
    (row,) = outcome.rows("ISOLATES")
    assert row["zip"] == "00300"
    assert row["workload"] == 1
    assert row["component"] == 3
    reached = set(row["bridged_to"].split(", "))
    bridges = {(set(pair) - {"00300"}).pop() for pair in pairs(outcome.rows(), "bridge") if "00300" in pair}
    assert reached == bridges != set()
    assert row["geometry"].area == pytest.approx(0.01)


def test_isolates_are_not_written_unless_asked_for(run, board):
    assert "ISOLATES" not in {
        name for name, value in run("buildadjacencygraph", graph(board(ISLANDS))).results.items() if value is not None
    }


def test_barriers_close_what_they_cross(run, board, memory_layer):
    """
    A river runs along the border between the first and the second row, from the west to the middle of column 2.

    00000  00001  00002  00003
    ~~~~~~~~~~~~~~~~~
    00100  00101  00102  00103
    """
    river = memory_layer({"name": ["river"]}, ["LINESTRING(-100.05 39.9, -99.72 39.9)"], kind="LineString")
    outcome = run("buildadjacencygraph", graph(board("1 1 1 1\n1 1 1 1"), BARRIERS=river))
    closed = {(row["from_unit"], row["to_unit"]) for row in outcome.rows() if not row["open"]}
    assert closed == {("00000", "00100"), ("00001", "00101"), ("00002", "00102")}
    assert outcome.results["CLOSED_COUNT"] == 3
    assert outcome.results["EDGE_COUNT"] == 10  # closed edges stay, to be opened by hand


def test_barriers_in_another_crs(run, board, memory_layer):
    river = memory_layer(
        {"name": ["river"]}, ["LINESTRING(-11137551 4851421, -11101000 4851421)"], kind="LineString", crs="EPSG:3857"
    )
    outcome = run("buildadjacencygraph", graph(board("1 1 1 1\n1 1 1 1"), BARRIERS=river))
    closed = {(row["from_unit"], row["to_unit"]) for row in outcome.rows() if not row["open"]}
    assert closed == {("00000", "00100"), ("00001", "00101"), ("00002", "00102")}


@pytest.mark.parametrize("crs", ["EPSG:5070", "EPSG:3857"])
def test_another_crs_gives_the_same_graph_drawn_in_it(run, board, crs):
    plain = run("buildadjacencygraph", graph(board(ISLANDS), CONTIGUITY="queen"))
    other = run("buildadjacencygraph", graph(board(ISLANDS, crs=crs), CONTIGUITY="queen"))
    assert other.layer().crs().authid() == crs
    for one, two in zip(plain.rows(), other.rows()):
        assert [one[name] for name in ("from_unit", "to_unit", "kind", "open")] == [
            two[name] for name in ("from_unit", "to_unit", "kind", "open")
        ]
        assert two["border_m"] == pytest.approx(one["border_m"], rel=1e-4, abs=0.1)
        assert two["distance_km"] == pytest.approx(one["distance_km"], rel=1e-4)
        assert abs(two["geometry"].coords[0][0]) > 1000


def test_slivers_count_as_borders_up_to_the_tolerance(run, memory_layer):
    """Two units 5 m apart."""
    gap = 5 / 85390
    units = memory_layer(
        {"zip": ["1", "2"]},
        [
            "POLYGON((-100 40, -99.9 40, -99.9 40.1, -100 40.1, -100 40))",
            f"POLYGON(({-99.9 + gap} 40, -99.8 40, -99.8 40.1, {-99.9 + gap} 40.1, {-99.9 + gap} 40))",
        ],
    )
    for tolerance, count in ((1, 0), (10, 1)):
        outcome = run("buildadjacencygraph", graph(units, BRIDGE="none", SLIVER_TOLERANCE=tolerance))
        assert outcome.results["EDGE_COUNT"] == count


def test_the_edges_can_be_edited_and_used_again(run, board):
    """Closing two of three contacts by hand leaves a path that only one plan cuts in two."""
    edges = run("buildadjacencygraph", graph(board("1 1\n1 1"), CONTIGUITY="rook")).layer()
    edges.startEditing()
    for feature in edges.getFeatures("\"from_unit\" = '00000' and \"to_unit\" = '00001'"):
        edges.changeAttributeValue(feature.id(), edges.fields().lookupField("open"), False)
    for feature in edges.getFeatures("\"from_unit\" = '00100' and \"to_unit\" = '00101'"):
        edges.changeAttributeValue(feature.id(), edges.fields().lookupField("open"), False)
    assert edges.commitChanges()
    plan = run(
        "balanceterritories",
        {
            "UNITS": board("1 1\n1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "EDGES": edges,
            "TERRITORIES": 2, "EFFORT": "quick", "OUTPUT": "memory:", "ASSIGNMENT": "memory:",
        },
    )  # fmt: skip
    of = {row["zip"]: row["territory"] for row in plan.rows("ASSIGNMENT")}
    assert of["00000"] == of["00100"] != of["00001"] == of["00101"]
    assert plan.results["CUT_EDGES"] == 0


def test_one_unit_has_no_edges(run, board):
    outcome = run("buildadjacencygraph", graph(board("1"), ISOLATES="memory:"))
    assert outcome.rows() == []
    assert [row["zip"] for row in outcome.rows("ISOLATES")] == ["00000"]


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"UNIT_FIELD": "zcta"}, ["zcta", "zip, workload"]),
        ({"UNIT_FIELD": "workload"}, ["1", "more than once", "Dissolve"]),
    ],
)
def test_refusals_name_what_is_wrong(refused, board, change, said):
    message = refused("buildadjacencygraph", {"INPUT": board("1 1"), "UNIT_FIELD": "zip", **change})
    for word in said:
        assert word in message


def test_polygons_as_barriers_are_told(refused, board):
    message = refused("buildadjacencygraph", {"INPUT": board("1 1"), "UNIT_FIELD": "zip", "BARRIERS": board("1")})
    assert "barrier" in message.lower()


# --- in the thread pool, and on the sample through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, board, memory_layer):
    from qgis.core import QgsProject

    river = memory_layer({"name": ["river"]}, ["LINESTRING(-100.05 39.9, -99.72 39.9)"], kind="LineString")
    units = board(ISLANDS, crs="EPSG:5070")
    QgsProject.instance().addMapLayers([river, units])
    results = pool_runs(
        "territories:buildadjacencygraph",
        {
            "INPUT": units.id(), "UNIT_FIELD": "zip", "BARRIERS": river.id(), "OUTPUT": "TEMPORARY_OUTPUT",
            "ISOLATES": "TEMPORARY_OUTPUT",
        },
    )  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    counts = {(result["EDGE_COUNT"], result["BRIDGE_COUNT"], result["OUTPUT"].featureCount()) for result in results}
    assert len(counts) == 1
    assert [result["ISOLATES"].featureCount() for result in results] == [1] * 20


def test_the_sample_through_qgis_process(chain, sample, read_rows):
    """Its polygons share every vertex: units with a segment in common are neighbours, and no others."""
    done = chain.step("buildadjacencygraph")
    units = read_rows(sample.zips)
    holders = defaultdict(list)
    for unit in units:
        for ring in shapely.get_rings(unit["geometry"]):
            corners = [tuple(xy) for xy in shapely.get_coordinates(ring).tolist()]
            for segment in zip(corners, corners[1:]):
                holders[frozenset(segment)].append(unit["zip"])
    touching = {tuple(sorted(pair)) for pair in holders.values() if len(pair) == 2}
    rows = read_rows(chain.file("edges"))
    assert pairs(rows, "border") == touching
    assert pairs(rows, "point") == set()
    whole = nx.Graph(pairs(rows))
    assert set(whole) == {unit["zip"] for unit in units}
    assert nx.is_connected(whole)
    assert {frozenset(pair) & {"90704", "93042"} != set() for pair in pairs(rows, "bridge")} == {True}
    assert sorted(row["zip"] for row in read_rows(chain.file("isolates"))) == ["90704", "93042"]
    assert done.results["UNIT_COUNT"] == 1784
    assert done.results["EDGE_COUNT"] == len(rows)
    assert done.results["COMPONENT_COUNT"] == 3
    # a border is at least as long as its ends are apart, and shorter than the smaller unit's outline
    assert min(row["border_m"] for row in rows if row["kind"] == "border") > 0
    assert all(row["from_unit"] < row["to_unit"] for row in rows)


def test_json_on_stdin(qgis_process, sample, tmp_path, read_rows):
    output = tmp_path / "edges.geojson"
    done = qgis_process(
        "territories:buildadjacencygraph",
        {"INPUT": sample.zips, "UNIT_FIELD": "zip", "CONTIGUITY": "queen", "BRIDGE": "none", "OUTPUT": str(output)},
        by_json=True,
    )
    assert done.status == 0, done.messages
    rows = read_rows(output)
    assert done.results["EDGE_COUNT"] == len(rows)
    assert pairs(rows, "bridge") == set()
    assert "90704" in done.messages
