"""splitheavyzips: heavy ZIPs in pieces around their providers; sums, borders and ids that later steps rely on."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import numpy as np
import pandas as pd
import pytest
import shapely

# 00000 00001      00001 weighs 60 of 90, in 30 places; the others 10 each
# 00100 00101
PICTURE = "10 60\n10 10"


@pytest.fixture
def zips(board):
    return board(PICTURE, providers=[5, 30, 5, 1], sales=[1.0, 3.0, None, 7.0], state=["NY"] * 4)


def scattered(count=30, seed=2):
    """Return places inside 00001."""
    rng = np.random.default_rng(seed)
    return np.array([-99.9, 39.9]) + 0.1 * rng.uniform(0.02, 0.98, (count, 2))


@pytest.fixture
def providers(memory_layer):
    """Thirty in 00001, one of them a PO box far in the west; five in 00000, of which three have no workload."""
    places = [f"POINT({x} {y})" for x, y in scattered()]
    places[0] = "POINT(-99.97 39.95)"
    codes = ["00001"] * 30 + ["00000"] * 5 + ["99999"]
    loads = [1.0] * 20 + [4.0] * 10 + [5.0, 5.0, 0.0, None, 0.0, 1.0]
    places += ["POINT(-99.95 39.95)"] * 5 + ["POINT(10 10)"]
    return memory_layer({"npi": list(range(36)), "zip": codes, "load": loads}, places, kind="Point")


@pytest.fixture
def asked(zips, providers):
    return {
        "ZIPS": zips, "ZIP_FIELD": "zip", "WORKLOAD_FIELD": "workload", "PROVIDERS": providers,
        "PROVIDER_ZIP_FIELD": "zip", "PROVIDER_WORKLOAD_FIELD": "load", "LIMIT": 15,
        "SHARED_FIELDS": ["providers", "sales"], "OUTPUT": "memory:", "PROVIDERS_OUTPUT": "memory:",
    }  # fmt: skip


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("splitheavyzips")
    names = {definition.name() for definition in algorithm.parameterDefinitions()}
    assert names == {
        "ZIPS", "ZIP_FIELD", "WORKLOAD_FIELD", "PROVIDERS", "PROVIDER_ZIP_FIELD", "PROVIDER_WORKLOAD_FIELD",
        "TERRITORIES", "SHARE", "LIMIT", "SHARED_FIELDS", "CROSSWALK", "CROSSWALK_ZIP_FIELD",
        "CROSSWALK_UNIT_FIELD", "CROSSWALK_RATIO_FIELD", "MAX_DISTANCE", "OUTPUT", "PROVIDERS_OUTPUT",
    }  # fmt: skip
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"SPLIT_COUNT", "PIECE_COUNT", "WHOLE_COUNT", "LIMIT_USED", "TOTAL_WORKLOAD"} <= outputs


# --- its result


def test_the_heavy_zip_lies_in_pieces_within_the_limit(run, asked):
    outcome = run("splitheavyzips", asked)
    rows = outcome.rows()
    assert list(rows[0])[:-1] == ["zip", "workload", "providers", "sales", "state", "zip_parent"]
    pieces = [row for row in rows if row["zip_parent"]]
    assert {row["zip_parent"] for row in pieces} == {"00001"}
    assert [row["zip"] for row in pieces] == [f"00001-{at + 1}" for at in range(len(pieces))]
    assert [row["zip"] for row in rows if not row["zip_parent"]] == ["00000", "00100", "00101"]
    assert max(row["workload"] for row in pieces) <= 15
    assert 4 <= len(pieces) <= 6
    assert (outcome.results["SPLIT_COUNT"], outcome.results["PIECE_COUNT"]) == (1, len(pieces))
    assert "00001 (" in outcome.infos
    parts = np.array([row["geometry"] for row in pieces])
    square = shapely.box(-99.9, 39.9, -99.8, 40)
    assert shapely.area(parts).sum() == pytest.approx(0.01)
    assert shapely.area(shapely.symmetric_difference(shapely.union_all(parts), square)) < 1e-12


def test_sums_stay_and_counts_stay_whole(run, asked):
    outcome = run("splitheavyzips", asked)
    rows = outcome.rows()
    assert sum(row["workload"] for row in rows) == 90
    pieces = [row for row in rows if row["zip_parent"]]
    assert sum(row["workload"] for row in pieces) == 60
    assert sum(row["providers"] for row in pieces) == 30
    assert all(isinstance(row["providers"], int) for row in pieces)
    assert sum(row["sales"] for row in pieces) == pytest.approx(3)
    assert {row["zip"]: row["sales"] for row in rows if not row["zip_parent"]} == {
        "00000": 1, "00100": None, "00101": 7,
    }  # fmt: skip
    assert {row["state"] for row in rows} == {"NY"}
    assert "workload: 90.00 before = 90.00 after" in outcome.infos


def test_each_provider_gets_its_piece_and_summing_by_it_gives_the_pieces_again(run, asked):
    outcome = run("splitheavyzips", asked)
    named = outcome.rows("PROVIDERS_OUTPUT")
    assert [row["zip_piece"] for row in named[30:]] == ["00000"] * 5 + [None]
    assert "1 provider is in no ZIP" in outcome.warnings
    polygons = {row["zip"]: row["geometry"] for row in outcome.rows()}
    for row in named[1:30]:
        assert polygons[row["zip_piece"]].intersects(row["geometry"])
    # the PO box in the west goes to the piece of the provider nearest to it
    west = min(named[1:30], key=lambda row: row["geometry"].distance(named[0]["geometry"]))
    assert named[0]["zip_piece"] == west["zip_piece"]
    again = run("sumproviderstozips", {
        "PROVIDERS": outcome.layer("PROVIDERS_OUTPUT"), "PROVIDER_ZIP_FIELD": "zip_piece", "WORKLOAD_FIELDS": ["load"],
        "ZIPS": outcome.layer(), "ZIP_FIELD": "zip", "OUTPUT": "memory:", "UNMATCHED": "memory:",
    })  # fmt: skip
    assert "35 by ZIP" in again.infos
    loads = {row["zip"]: row["load"] for row in again.rows()}
    for row in outcome.rows():
        if row["zip_parent"]:
            assert loads[row["zip"]] == pytest.approx(row["workload"])  # 60 of workload stand for a load of 60
    counts = Counter(row["zip_piece"] for row in named[:30])
    assert {row["zip"]: row["providers"] for row in again.rows() if "-" in row["zip"]} == counts


def test_neighbours_are_found_exactly(run, asked):
    """With no tolerance at all: the pieces hang together, and the square's old neighbours touch some of them."""
    pieces = run("splitheavyzips", asked)
    edges = run("buildadjacencygraph", {
        "INPUT": pieces.layer(), "UNIT_FIELD": "zip", "BRIDGE": "none", "SLIVER_TOLERANCE": 0, "OUTPUT": "memory:",
    }).rows()  # fmt: skip
    graph = nx.Graph((row["from_unit"], row["to_unit"]) for row in edges)
    inside = graph.subgraph([unit for unit in graph if "-" in unit])
    assert nx.is_connected(inside)
    assert inside.number_of_nodes() == pieces.results["PIECE_COUNT"]
    border = Counter()
    for row in edges:
        outer = {row["from_unit"], row["to_unit"]} - set(inside)
        if len(outer) == 1:
            border[outer.pop()] += row["border_m"]
    assert border["00000"] == pytest.approx(11104, rel=1e-3)
    assert border["00101"] == pytest.approx(8553, rel=1e-3)


def test_the_limit_as_a_share_of_a_territory(run, asked):
    """90 over 3 territories: 30 each, half of that is 15."""
    outcome = run("splitheavyzips", {**asked, "LIMIT": None, "TERRITORIES": 3, "SHARE": 50})
    assert outcome.results["LIMIT_USED"] == 15
    assert "holds 30.00 on average; a piece may hold 15.00" in outcome.infos


def test_by_place_and_all_alike(run, asked):
    """Without ZIPs the one in the west is in 00000, and without workloads each of the 29 weighs 60/29."""
    outcome = run("splitheavyzips", {**asked, "PROVIDER_ZIP_FIELD": None, "PROVIDER_WORKLOAD_FIELD": None})
    named = outcome.rows("PROVIDERS_OUTPUT")
    assert named[0]["zip_piece"] == "00000"
    counts = Counter(row["zip_piece"] for row in named[1:30])
    for row in outcome.rows():
        if row["zip_parent"]:
            assert row["workload"] == pytest.approx(60 / 29 * counts[row["zip"]])


@pytest.mark.parametrize("crs", ["EPSG:5070", "EPSG:3857"])
def test_zips_in_another_crs(run, asked, board, crs):
    other = board(PICTURE, crs=crs, providers=[5, 30, 5, 1], sales=[1.0, 3.0, None, 7.0])
    outcome = run("splitheavyzips", {**asked, "ZIPS": other})
    assert outcome.layer().crs().authid() == crs
    assert outcome.results["SPLIT_COUNT"] == 1
    assert max(row["workload"] for row in outcome.rows() if row["zip_parent"]) <= 15


def test_zips_and_workloads_in_whole_numbers(run, asked, memory_layer):
    """A numeric ZIP column becomes text, a whole workload gets decimals."""
    square = ["POLYGON((-99.9 39.9, -99.8 39.9, -99.8 40, -99.9 40, -99.9 39.9))"]
    layer = memory_layer({"zip": [501], "workload": [61]}, square)
    change = {"ZIPS": layer, "PROVIDER_ZIP_FIELD": None, "SHARED_FIELDS": []}
    rows = run("splitheavyzips", {**asked, **change}).rows()
    assert rows[0]["zip"] == "501-1"
    assert sum(row["workload"] for row in rows) == pytest.approx(61)


def test_numbers_written_as_text(run, asked, board):
    layer = board(PICTURE, sales=["1.5", "3", None, "7"])
    rows = run("splitheavyzips", {**asked, "ZIPS": layer, "SHARED_FIELDS": ["sales"]}).rows()
    assert {row["zip"]: row["sales"] for row in rows if not row["zip_parent"]} == {
        "00000": 1.5, "00100": None, "00101": 7,
    }  # fmt: skip
    assert sum(row["sales"] or 0 for row in rows) == pytest.approx(11.5)


def test_what_cannot_be_divided_is_named(run, asked):
    outcome = run("splitheavyzips", {**asked, "LIMIT": 5})
    assert outcome.results["WHOLE_COUNT"] == 3
    assert "00000 (10.0: its providers are in one place)" in outcome.warnings
    assert "00100 (10.0: it has no provider)" in outcome.warnings


def test_nothing_heavy_changes_nothing(run, asked):
    outcome = run("splitheavyzips", {**asked, "LIMIT": 100})
    assert [row["zip"] for row in outcome.rows()] == ["00000", "00001", "00100", "00101"]
    assert [row["zip_parent"] for row in outcome.rows()] == [None] * 4


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"LIMIT": None}, ["number of territories"]),
        ({"LIMIT": 0}, ["above 0"]),
        ({"ZIP_FIELD": "zcta"}, ["zcta", "zip, workload"]),
        ({"WORKLOAD_FIELD": "state"}, ["state", "NY", "no numbers"]),
        ({"ZIP_FIELD": "state"}, ["NY", "more than once"]),
        ({"PROVIDER_WORKLOAD_FIELD": "size"}, ["size"]),
    ],
)
def test_refusals_say_what_is_wrong(refused, asked, change, said):
    del asked["OUTPUT"], asked["PROVIDERS_OUTPUT"]
    message = refused("splitheavyzips", {**asked, **change})
    assert [word for word in said if word not in message] == []


def test_a_table_of_providers_is_refused(refused, asked, memory_layer):
    del asked["OUTPUT"], asked["PROVIDERS_OUTPUT"]
    table = memory_layer({"zip": ["00001"], "load": [1.0]})
    assert "no points" in refused("splitheavyzips", {**asked, "PROVIDERS": table})


def test_negative_workloads_are_refused_by_name(refused, asked, board):
    del asked["OUTPUT"], asked["PROVIDERS_OUTPUT"]
    message = refused("splitheavyzips", {**asked, "ZIPS": board("1 -2"), "SHARED_FIELDS": []})
    assert "00001" in message
    assert "at least 0" in message


# --- in the thread pool, and through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, asked):
    from qgis.core import QgsProject

    layers = [asked["ZIPS"], asked["PROVIDERS"]]
    QgsProject.instance().addMapLayers(layers)
    ids = {name: asked[name].id() for name in ("ZIPS", "PROVIDERS")}
    outputs = {"OUTPUT": "TEMPORARY_OUTPUT", "PROVIDERS_OUTPUT": "TEMPORARY_OUTPUT"}
    results = pool_runs("territories:splitheavyzips", {**asked, **ids, **outputs})
    QgsProject.instance().removeAllMapLayers()
    assert len({(result["PIECE_COUNT"], result["OUTPUT"].featureCount()) for result in results}) == 1


def test_json_on_stdin(qgis_process, asked, tmp_path, read_rows):
    from qgis import processing

    files = {}
    for name in ("ZIPS", "PROVIDERS"):
        files[name] = str(tmp_path / f"{name}.gpkg")
        processing.run("native:savefeatures", {"INPUT": asked[name], "OUTPUT": files[name]})
    outputs = {name: str(tmp_path / f"{name}.gpkg") for name in ("OUTPUT", "PROVIDERS_OUTPUT")}
    done = qgis_process("territories:splitheavyzips", {**asked, **files, **outputs}, by_json=True)
    assert done.status == 0, done.messages
    rows = read_rows(outputs["OUTPUT"])
    assert sum(row["workload"] for row in rows) == 90
    assert len(rows) == 3 + done.results["PIECE_COUNT"]


def test_new_york_before_and_after(qgis_process, shared_data, unpacked, tmp_path, read_rows):
    """3,325 true OB/GYNs, true ZIPs: sums stay, borders with ZIPs that stay whole are found as before."""
    points = pd.read_csv(shared_data / "providers" / "obgyn_npi_lonlat.csv.gz", dtype=str)
    points = points[points["state"] == "NY"].assign(
        wkt=lambda frame: "POINT(" + frame["lon"] + " " + frame["lat"] + ")"
    )
    points[["npi", "zcta5", "wkt"]].to_csv(tmp_path / "points.csv", index=False)
    given = f"file://{tmp_path}/points.csv?type=csv&wktField=wkt&crs=EPSG:4326&detectTypes=no"
    zips = f"{unpacked('zcta/zcta_NY.gpkg.xz')}|layername=zcta"
    files = {name: str(tmp_path / f"{name}.gpkg") for name in ("zips", "lost", "pieces", "named", "before", "after")}

    def run(algorithm, **parameters):
        done = qgis_process(f"territories:{algorithm}", parameters, timeout=300)
        assert done.status == 0, done.messages
        return done

    run("sumproviderstozips", PROVIDERS=f"delimitedtext://{given}", PROVIDER_ZIP_FIELD="zcta5", ZIPS=zips,
        ZIP_FIELD="zcta5", OUTPUT=files["zips"], UNMATCHED=files["lost"])  # fmt: skip
    done = run("splitheavyzips", ZIPS=files["zips"], ZIP_FIELD="zcta5", WORKLOAD_FIELD="providers",
               PROVIDERS=f"delimitedtext://{given}", PROVIDER_ZIP_FIELD="zcta5", TERRITORIES=50, SHARE=25,
               OUTPUT=files["pieces"], PROVIDERS_OUTPUT=files["named"])  # fmt: skip
    assert done.results["TOTAL_WORKLOAD"] == 3325
    assert done.results["SPLIT_COUNT"] >= 40
    rows = read_rows(files["pieces"])
    assert sum(row["providers"] for row in rows) == pytest.approx(3325)
    parents = {row["zip_parent"] for row in rows} - {None}
    assert {"10016", "10021"} <= parents
    assert shapely.is_valid([row["geometry"] for row in rows]).mean() > 0.999
    for name, layer in (("before", "zips"), ("after", "pieces")):
        run("buildadjacencygraph", INPUT=files[layer], UNIT_FIELD="zcta5", BRIDGE="none", SLIVER_TOLERANCE=0,
            OUTPUT=files[name])  # fmt: skip
    of = {row["zcta5"]: row["zip_parent"] or row["zcta5"] for row in rows}
    border = {}
    for row in read_rows(files["after"]):
        pair = tuple(sorted((of[row["from_unit"]], of[row["to_unit"]])))
        border[pair] = border.get(pair, 0) + row["border_m"]
    before = {(row["from_unit"], row["to_unit"]): row["border_m"] for row in read_rows(files["before"])}
    assert {pair for pair in border if pair[0] != pair[1]} == set(before)
    for pair, metres in before.items():
        assert border[pair] == pytest.approx(metres, rel=1e-6)
