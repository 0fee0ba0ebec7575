"""Selections, filters, scratch layers, tables, mixed CRSs; files of all kinds, many runs in one, cancelled runs."""

from __future__ import annotations

import csv
import time

import pytest
from qgis.core import (
    QgsApplication,
    QgsProcessingContext,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingFeedback,
    QgsProject,
    QgsVectorLayer,
)

PICTURE = "3 1 2 4 1 2\n1 5 1 2 2 1\n2 1 4 1 3 2\n1 2 1 3 1 4"


def balance(units, **more):
    return {
        "UNITS": units, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 4, "TOLERANCE": 10,
        "EFFORT": "quick", "SEED": 2, "OUTPUT": "memory:", "ASSIGNMENT": "memory:", **more,
    }  # fmt: skip


def plan(outcome):
    return {row["zip"]: row["territory"] for row in outcome.rows("ASSIGNMENT")}


@pytest.fixture
def in_project():
    """Return a function that adds layers to the project, from which they go after the test."""

    def add(*layers):
        QgsProject.instance().addMapLayers(layers)
        return layers[0]

    yield add
    QgsProject.instance().removeAllMapLayers()


# --- which features


def test_selected_features_only(run, board, in_project):
    layer = in_project(board(PICTURE))
    layer.selectByExpression("\"zip\" < '00200'")
    outcome = run("balanceterritories", balance(QgsProcessingFeatureSourceDefinition(layer.id(), True)))
    assert sorted(plan(outcome)) == [f"00{row}0{column}" for row in "01" for column in range(6)]
    assert outcome.results["TOTAL_WORKLOAD"] == 25
    assert len(outcome.rows()) == 4


def test_a_filter_expression(run, board, in_project):
    layer = in_project(board(PICTURE))
    definition = QgsProcessingFeatureSourceDefinition(layer.id(), False)
    definition.filterExpression = "\"zip\" >= '00200'"
    outcome = run("balanceterritories", balance(definition))
    assert sorted(plan(outcome)) == [f"00{row}0{column}" for row in "23" for column in range(6)]


def test_a_subset_of_the_layer(run, board, tmp_path, in_project):
    """The layer's own filter, set in its properties."""
    path = tmp_path / "zips.gpkg"
    run("balanceterritories", balance(board(PICTURE), ASSIGNMENT=str(path)))
    layer = in_project(QgsVectorLayer(str(path), "zips", "ogr"))
    assert layer.setSubsetString("\"zip\" >= '00300'")
    assert len(plan(run("balanceterritories", balance(layer.id(), TERRITORIES=2)))) == 6


def test_edges_of_the_whole_serve_a_selection(run, board, in_project):
    layer = in_project(board(PICTURE))
    edges = run("buildadjacencygraph", {"INPUT": layer, "UNIT_FIELD": "zip", "OUTPUT": "memory:"}).layer()
    layer.selectByExpression("\"zip\" < '00200'")
    selected = QgsProcessingFeatureSourceDefinition(layer.id(), True)
    outcome = run("balanceterritories", balance(selected, EDGES=edges))
    assert len(plan(outcome)) == 12
    assert "22 edges that lead to units that are not in the unit layer" in outcome.infos
    assert plan(outcome) == plan(run("balanceterritories", balance(selected)))


def test_a_filter_in_qgis_process(qgis_process, sample, tmp_path, read_rows):
    output = tmp_path / "edges.gpkg"
    done = qgis_process(
        "territories:buildadjacencygraph",
        {
            "INPUT": f"{sample.zips}|subset=\"county\" = 'San Diego'", "UNIT_FIELD": "zip",
            "OUTPUT": str(output),
        },
    )  # fmt: skip
    assert done.status == 0, done.messages
    here = {row["zip"] for row in read_rows(sample.zips) if row["county"] == "San Diego"}
    assert done.results["UNIT_COUNT"] == len(here) > 50
    assert {row["from_unit"] for row in read_rows(output)} | {row["to_unit"] for row in read_rows(output)} == here


# --- which kinds of source


@pytest.mark.parametrize("suffix", [".gpkg", ".geojson", ".shp", ".fgb"])
def test_files_of_all_kinds_keep_ids_and_give_the_same_plan(run, board, tmp_path, suffix):
    first = run("balanceterritories", balance(board(PICTURE), ASSIGNMENT=str(tmp_path / f"zips{suffix}")))
    again = run("balanceterritories", balance(str(tmp_path / f"zips{suffix}")))
    assert plan(again) == plan(first)
    assert min(plan(again)) == "00000"  # leading zeros kept


def test_edges_as_a_plain_csv_file(run, board, tmp_path):
    """Two columns of text, no geometry, no types: what a spreadsheet or networkx writes."""
    layer = board(PICTURE)
    edges = run("buildadjacencygraph", {"INPUT": layer, "UNIT_FIELD": "zip", "OUTPUT": "memory:"}).rows()
    path = tmp_path / "edges.csv"
    with path.open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["from_unit", "to_unit", "open"])
        table.writerows([edge["from_unit"], edge["to_unit"], "yes"] for edge in edges)
    given = plan(run("balanceterritories", balance(layer, EDGES=str(path))))
    assert given == plan(run("balanceterritories", balance(layer)))


def test_edges_in_a_csv_file_that_lost_its_zeros(refused, board, tmp_path):
    """A .csvt that says the ids are whole numbers takes the zeros away: told, not guessed."""
    (tmp_path / "edges.csv").write_text("from_unit,to_unit\n00000,00001\n00100,00101\n", encoding="utf-8")
    (tmp_path / "edges.csvt").write_text('"Integer","Integer"\n', encoding="utf-8")
    parameters = balance(board("1 1\n1 1"), EDGES=str(tmp_path / "edges.csv"), TERRITORIES=2)
    del parameters["OUTPUT"], parameters["ASSIGNMENT"]
    message = refused("balanceterritories", parameters)
    assert "00000" in message
    assert "ids differ" in message


def test_providers_and_weights_as_csv_files(run, memory_layer, tmp_path):
    (tmp_path / "providers.csv").write_text(
        "npi,code,postal,size\n1,207X00000X,02139,4\n2,225100000X,19104,9\n3,207XS0114X,,1\n", encoding="utf-8"
    )
    squares = [f"POLYGON(({x} 0, {x + 1} 0, {x + 1} 1, {x} 1, {x} 0))" for x in range(2)]
    (tmp_path / "weights.csv").write_text("pattern,weight\n207X,2\n*,1\n", encoding="utf-8")
    weighted = run(
        "weightproviders",
        {
            "INPUT": str(tmp_path / "providers.csv"), "SPECIALTY_FIELD": "code",
            "SPECIALTY_WEIGHTS": str(tmp_path / "weights.csv"), "SIZE_FIELD": "size", "OUTPUT": "memory:",
        },
    )  # fmt: skip
    assert [row["workload"] for row in weighted.rows()] == [4, 3, 2]
    summed = run(
        "sumproviderstozips",
        {
            "PROVIDERS": weighted.layer(), "PROVIDER_ZIP_FIELD": "postal", "WORKLOAD_FIELDS": ["workload"],
            "ZIPS": memory_layer({"zip": ["02139", "19104"]}, squares), "ZIP_FIELD": "zip",
            "OUTPUT": "memory:", "UNMATCHED": "memory:",
        },
    )  # fmt: skip
    assert [row["workload"] for row in summed.rows()] == [4, 3]
    assert [row["npi"] for row in summed.rows("UNMATCHED")] == ["3"]


def test_the_chain_in_memory(run, board, memory_layer):
    """All five, each on the scratch layer of the one before."""
    providers = memory_layer(
        {"npi": [str(at) for at in range(24)], "size": [1 + at % 5 for at in range(24)]},
        [f"POINT({-99.95 + 0.1 * (at % 6)} {39.95 - 0.1 * (at // 6)})" for at in range(24)],
        kind="Point",
    )
    weighted = run("weightproviders", {"INPUT": providers, "SIZE_FIELD": "size", "OUTPUT": "memory:"})
    zips = run(
        "sumproviderstozips",
        {
            "PROVIDERS": weighted.layer(), "WORKLOAD_FIELDS": ["workload"], "ZIPS": board(PICTURE, column="people"),
            "ZIP_FIELD": "zip", "OUTPUT": "memory:",
        },
    )  # fmt: skip
    assert zips.results["MATCHED_COUNT"] == 24
    edges = run("buildadjacencygraph", {"INPUT": zips.layer(), "UNIT_FIELD": "zip", "OUTPUT": "memory:"})
    made = run("balanceterritories", balance(zips.layer(), EDGES=edges.layer()))
    measured = run(
        "evaluateterritories",
        {
            "UNITS": made.layer("ASSIGNMENT"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"],
            "TERRITORY_FIELD": "territory", "EDGES": edges.layer(), "TOLERANCE": 10, "OUTPUT": "memory:",
        },
    )  # fmt: skip
    for one, other in zip(made.rows(), measured.rows()):
        for name in (
            "territory",
            "workload",
            "target",
            "index",
            "deviation_pct",
            "units",
            "providers",
            "parts",
            "rms_km",
        ):
            assert one[name] == pytest.approx(other[name]), name
    for name in ("MAX_DEVIATION_PCT", "WITHIN_PCT", "CUT_EDGES", "RMS_KM", "TOTAL_WORKLOAD"):
        assert made.results[name] == pytest.approx(measured.results[name])


# --- mixed CRSs


def test_units_edges_and_providers_in_different_crs_give_the_same_territories(run, board, memory_layer):
    plain, albers = board(PICTURE, column="people"), board(PICTURE, column="people", crs="EPSG:5070")
    providers = memory_layer(
        {"load": [1.0 + at % 5 for at in range(24)]},
        [f"POINT({-99.95 + 0.1 * (at % 6)} {39.95 - 0.1 * (at // 6)})" for at in range(24)],
        kind="Point",
    )
    edges = run("buildadjacencygraph", {"INPUT": plain, "UNIT_FIELD": "zip", "OUTPUT": "memory:"}).layer()
    assert edges.crs().authid() == providers.crs().authid() == "EPSG:4326"
    plans, maps = [], []
    for units in (plain, albers):
        zips = run(
            "sumproviderstozips",
            {
                "PROVIDERS": providers, "WORKLOAD_FIELDS": ["load"], "ZIPS": units, "ZIP_FIELD": "zip",
                "OUTPUT": "memory:",
            },
        )  # fmt: skip
        assert zips.results["MATCHED_COUNT"] == 24
        outcome = run("balanceterritories", balance(zips.layer(), WORKLOAD_FIELDS=["load"], EDGES=edges))
        plans.append(plan(outcome))
        maps.append(outcome)
        built = run("balanceterritories", balance(zips.layer(), WORKLOAD_FIELDS=["load"]))
        assert plan(built) == plans[-1]
    assert plans[0] == plans[1]
    assert maps[1].layer().crs().authid() == maps[1].layer("ASSIGNMENT").crs().authid() == "EPSG:5070"
    for one, other in zip(maps[0].rows(), maps[1].rows()):
        for name in ("area_km2", "polsby_popper", "reock", "rms_km"):
            assert one[name] == pytest.approx(other[name], rel=1e-3), name


# --- where it goes


def test_runs_into_tables_of_one_geopackage(run, board, tmp_path, read_rows):
    """As a batch does: each run writes its own table, those before stay."""
    path = tmp_path / "plans.gpkg"
    for territories in (2, 3, 4):
        run(
            "balanceterritories",
            balance(
                board(PICTURE), TERRITORIES=territories,
                OUTPUT=f"ogr:dbname='{path}' table=\"plan {territories}\" (geom)",
                ASSIGNMENT=f"ogr:dbname='{path}' table=\"zips {territories}\" (geom)",
            ),
        )  # fmt: skip
    for territories in (2, 3, 4):
        assert len(read_rows(f"{path}|layername=plan {territories}")) == territories
        units = read_rows(f"{path}|layername=zips {territories}")
        assert len({unit["territory"] for unit in units}) == territories


def test_a_run_into_a_table_that_is_there_replaces_it(run, board, tmp_path, read_rows):
    path = tmp_path / "plans.gpkg"
    for territories in (2, 5):
        given = f"ogr:dbname='{path}' table=\"plan\" (geom)"
        run("balanceterritories", balance(board(PICTURE), TERRITORIES=territories, OUTPUT=given))
    assert len(read_rows(f"{path}|layername=plan")) == 5


def test_a_column_territory_is_kept_as_the_one_before(run, board, tmp_path, read_rows):
    """Last year's territories stand beside the new ones, also after two rounds, in memory and in files."""
    layer = board(PICTURE, territory=["old"] * 24)
    first = run("balanceterritories", balance(layer, ASSIGNMENT=str(tmp_path / "first.gpkg")))
    rows = first.rows("ASSIGNMENT")
    assert {row["territory_before"] for row in rows} == {"old"}
    assert len({row["territory"] for row in rows}) == 4
    assert "territory_before" in first.infos
    second = run("balanceterritories", balance(str(tmp_path / "first.gpkg"), TERRITORIES=2, ASSIGNMENT="memory:"))
    rows = second.rows("ASSIGNMENT")
    assert len({row["territory"] for row in rows}) == 2
    others = {name: {row[name] for row in rows} for name in rows[0] if name.startswith("territory_before")}
    assert sorted(len(values) for values in others.values()) == [1, 4]


def test_a_workload_field_in_capitals_is_no_second_column(run, board, tmp_path, read_rows):
    """Files know no difference between Workload and workload."""
    path = tmp_path / "plan.gpkg"
    layer = board("1 1 2 2", column="Workload", Sales=[1.0, 2.0, 3.0, 4.0])
    for fields in (["Workload"], ["Workload", "Sales"]):
        run("balanceterritories", balance(layer, WORKLOAD_FIELDS=fields, TERRITORIES=2, OUTPUT=str(path)))
        rows = read_rows(path)
        assert len(rows) == 2
        assert len({name.lower() for name in rows[0]}) == len(rows[0])


def test_a_layer_with_a_numeric_key_column(run, memory_layer, tmp_path, read_rows):
    """A column fid that is no key: values that repeat must not stop a GeoPackage."""
    squares = [f"POLYGON(({x} 0, {x + 1} 0, {x + 1} 1, {x} 1, {x} 0))" for x in range(4)]
    layer = memory_layer({"fid": [7, 7, 7, None], "zip": list("abcd"), "workload": [1.0] * 4}, squares)
    path = tmp_path / "zips.gpkg"
    run("balanceterritories", balance(layer, TERRITORIES=2, ASSIGNMENT=str(path)))
    assert sorted(row["zip"] for row in read_rows(path)) == list("abcd")


def test_outputs_that_are_not_wanted_are_skipped(run, board):
    outcome = run("balanceterritories", balance(board(PICTURE), ASSIGNMENT=None))
    assert outcome.results.get("ASSIGNMENT") is None
    assert len(outcome.rows()) == 4


# --- cancelling

LARGE = "\n".join(" ".join(str(1 + (7 * x + 5 * y) % 9) for x in range(30)) for y in range(30))


def files(folder):
    return {
        "balanceterritories": {
            "OUTPUT": str(folder / "plan.gpkg"), "ASSIGNMENT": str(folder / "zips.gpkg"),
            "REPORT": str(folder / "report.html"),
        },
        "evaluateterritories": {"OUTPUT": str(folder / "plan.gpkg"), "REPORT": str(folder / "report.html")},
        "buildadjacencygraph": {"OUTPUT": str(folder / "edges.gpkg"), "ISOLATES": str(folder / "isolates.gpkg")},
        "sumproviderstozips": {"OUTPUT": str(folder / "zips.gpkg"), "UNMATCHED": str(folder / "unmatched.gpkg")},
        "weightproviders": {"OUTPUT": str(folder / "providers.gpkg")},
    }  # fmt: skip


def job(algorithm, board, memory_layer):
    if algorithm == "weightproviders":
        return {"INPUT": memory_layer({"size": [1, 4, 9]}), "SIZE_FIELD": "size"}
    if algorithm == "sumproviderstozips":
        providers = memory_layer({"load": [1.0, 2.0]}, ["POINT(-99.95 39.95)", "POINT(0 0)"], kind="Point")
        return {"PROVIDERS": providers, "ZIPS": board("1 1"), "ZIP_FIELD": "zip"}
    if algorithm == "buildadjacencygraph":
        return {"INPUT": board("1 1 _ 1"), "UNIT_FIELD": "zip"}
    units = {"UNITS": board(PICTURE), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"]}
    if algorithm == "evaluateterritories":
        return {**units, "TERRITORY_FIELD": "zip"}
    return {**units, "TERRITORIES": 4, "EFFORT": "quick"}


class CancelsWhenAsked(QgsProcessingFeedback):
    """Is cancelled from the time it is asked for the nth time."""

    def __init__(self, n):
        super().__init__(False)
        self.left = n

    def isCanceled(self):
        self.left -= 1
        if self.left == 0:
            self.cancel()
        return self.left <= 0


@pytest.mark.parametrize(
    "algorithm",
    ["weightproviders", "sumproviderstozips", "buildadjacencygraph", "balanceterritories", "evaluateterritories"],
)
def test_cancelled_at_any_time_all_is_there_or_nothing(territories_provider, board, memory_layer, tmp_path, algorithm):
    """Cancelled when it asks for the first, second, fourth, … time, until a run comes to its end, then nearer to it."""
    asked = job(algorithm, board, memory_layer)

    def complete(n):
        """Answer whether all outputs are there, False when none is."""
        folder = tmp_path / str(n)
        folder.mkdir()
        wanted = files(folder)[algorithm]
        instance = territories_provider.algorithm(algorithm).create()
        context, feedback = QgsProcessingContext(), CancelsWhenAsked(n)
        context.setFeedback(feedback)
        parameters = {**asked, **wanted}
        assert instance.checkParameterValues(parameters, context)[0]
        instance.run(parameters, context, feedback)
        there = {path.name for path in folder.iterdir() if path.suffix in (".gpkg", ".html")}
        assert there in (set(), {path.rpartition("/")[2] for path in wanted.values()}), f"asked {n} times: {there}"
        return bool(there)

    least = 1
    while not complete(least) and least < 1e6:
        least *= 2
    assert least > 2
    nothing, all_there = least // 2, least
    while all_there - nothing > 1:
        middle = (nothing + all_there) // 2
        nothing, all_there = (nothing, middle) if complete(middle) else (middle, all_there)
    for n in range(all_there + 1, all_there + 12):
        if not (tmp_path / str(n)).exists():
            assert complete(n)


@pytest.mark.parametrize(
    "algorithm", ["sumproviderstozips", "buildadjacencygraph", "balanceterritories", "evaluateterritories"]
)
def test_cancelled_at_the_first_move_nothing_is_there(attempt, board, memory_layer, tmp_path, algorithm):
    outcome = attempt(algorithm, {**job(algorithm, board, memory_layer), **files(tmp_path)[algorithm]}, cancel_after=1)
    assert outcome.refusal == ""
    assert list(tmp_path.iterdir()) == []


def test_cancelling_the_search_stops_within_a_second(territories_provider, board, tmp_path):
    """900 units, the most thorough search, which would take minutes: cancelled from another thread after a second."""
    import threading

    algorithm = QgsApplication.processingRegistry().createAlgorithmById("territories:balanceterritories")
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setFeedback(feedback)
    parameters = balance(
        board(LARGE), TERRITORIES=30, EFFORT="thorough", TIME_LIMIT=0,
        OUTPUT=str(tmp_path / "plan.gpkg"), ASSIGNMENT=str(tmp_path / "zips.gpkg"),
    )  # fmt: skip
    assert algorithm.checkParameterValues(parameters, context)[0]
    cancelled = []

    def cancel():
        cancelled.append(time.monotonic())
        feedback.cancel()

    timer = threading.Timer(1.5, cancel)
    timer.start()
    algorithm.run(parameters, context, feedback)
    timer.join()
    waited = time.monotonic() - cancelled[0]
    assert 0 <= waited < 1.5
    assert list(tmp_path.iterdir()) == []


def test_news_of_a_phase_is_told_once_and_not_too_often(territories_provider, monkeypatch):
    """Within two seconds only another phase is told; later, only what is not known yet."""
    told = []
    clock = iter([10.0, 11.0, 13.0, 16.0, 16.5])
    algorithm = QgsApplication.processingRegistry().createAlgorithmById("territories:balanceterritories")
    algorithm.feedback = QgsProcessingFeedback(False)
    algorithm.feedback.setProgressText = told.append
    monkeypatch.setattr(time, "monotonic", lambda: next(clock))
    algorithm.text, algorithm.told = "", 0.0
    for text in (
        "Balancing, worst 9 %",
        "Balancing, worst 5 %",
        "Balancing, worst 4 %",
        "Balancing, worst 4 %",
        "Done",
    ):
        algorithm.progress(0.5, text)
    assert told == ["Balancing, worst 9 %", "Balancing, worst 4 %", "Done"]


# --- columns with names that a file format keeps for itself


@pytest.mark.parametrize("output", ["zips.gpkg", "zips", "zips.shp", "zips.geojson", "memory:", "table"])
@pytest.mark.parametrize(
    ("column", "values"),
    [("fid", ["a0", "a1"]), ("FID", [0.5, 1.5]), ("fid", [True, False]), ("geom", ["a0", "a1"]), ("GEOM", [7, 8]),
     ("fid", [7, 8]), ("fid", [7, 7])],
)  # fmt: skip
def test_columns_named_fid_or_geom_are_kept(run, board, tmp_path, read_rows, output, column, values):
    path = tmp_path / output
    place = {"memory:": output, "table": f"ogr:dbname='{tmp_path / 'all.gpkg'}' table=\"zips\" (geom)"}.get(output)
    layer = board("1 1", **{column: values})
    outcome = run("sumproviderstozips", {
        "PROVIDERS": board("1 1"), "PROVIDER_ZIP_FIELD": "zip", "ZIPS": layer, "ZIP_FIELD": "zip",
        "OUTPUT": place or str(path),
    })  # fmt: skip
    rows = outcome.rows()
    kept = [
        [row[name] for row in rows] for name in rows[0]
        if name.lower() in (column.lower(), f"{column}_before".lower(), f"{column}_befo".lower())
    ]  # fmt: skip
    assert values in kept
    assert [row["zip"] for row in rows] == ["00000", "00001"]
    assert all(row["geometry"] is not None for row in rows)
    if output.startswith("zips.g") and output.endswith("kg") and (column.lower() == "geom" or values[0] != 7):
        assert f"The column “{column}” that the layer had is kept as “{column}_before”" in outcome.infos
