"""balanceterritories: exactly so many, each connected, within tolerance or with the reason why not."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest
import shapely


def asked(layer, territories=2, **more):
    return {
        "UNITS": layer, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": territories,
        "EFFORT": "quick", "OUTPUT": "memory:", "ASSIGNMENT": "memory:", **more,
    }  # fmt: skip


def rook(units, bridges=()):
    """Return which units share a stretch of border, from the polygons alone, and the bridges given."""
    graph = nx.Graph()
    graph.add_nodes_from(unit["zip"] for unit in units)
    shapes = [unit["geometry"] for unit in units]
    for one, other in zip(*shapely.STRtree(shapes).query(shapes, predicate="touches")):
        if one < other and shapely.length(shapely.intersection(shapes[one], shapes[other])) > 1e-9:
            graph.add_edge(units[one]["zip"], units[other]["zip"])
    graph.add_edges_from(bridges)
    return graph


def assert_sound(outcome, territories, tolerance=None, bridges=(), workload="workload"):
    """Exactly so many, connected, totals equal, both outputs telling the same; return unit → territory."""
    plan, units = outcome.rows(), outcome.rows("ASSIGNMENT")
    of = {unit["zip"]: unit["territory"] for unit in units}
    assert None not in of.values()
    assert len(plan) == len(set(of.values())) == territories
    contacts = rook(units, bridges)
    load = Counter()
    for unit in units:
        load[unit["territory"]] += unit[workload] or 0
    for row in plan:
        mine = [unit for unit in units if unit["territory"] == row["territory"]]
        assert nx.is_connected(contacts.subgraph([unit["zip"] for unit in mine]))
        assert row["units"] == len(mine)
        assert row["workload"] == pytest.approx(load[row["territory"]])
        assert row["geometry"].equals(shapely.union_all([unit["geometry"] for unit in mine]))
        if tolerance is not None:
            assert abs(row["deviation_pct"]) <= tolerance + 1e-6
            assert row["within"] is True
            assert row["reason"] is None
    assert sum(row["workload"] for row in plan) == pytest.approx(outcome.results["TOTAL_WORKLOAD"])
    return of


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("balanceterritories")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    defaults = {name: definition.defaultValue() for name, definition in definitions.items()}
    assert {
        "UNITS", "UNIT_FIELD", "WORKLOAD_FIELDS", "EDGES", "TERRITORIES", "TOLERANCE", "SEED", "TIME_LIMIT", "OUTPUT",
        "ASSIGNMENT",
    } <= defaults.keys()  # fmt: skip
    assert defaults["TOLERANCE"] == 5
    assert defaults["SEED"] is not None
    assert defaults["TIME_LIMIT"] > 0
    assert definitions["EFFORT"].metadata()["keys"] == ["quick", "default", "thorough"]
    optional = {name for name, found in definitions.items() if found.flags() & found.Flag.FlagOptional}
    assert {"EDGES", "ASSIGNMENT", "REPORT", "SHARES"} <= optional
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {
        "OUTPUT", "ASSIGNMENT", "MAX_DEVIATION_PCT", "WITHIN_PCT", "CUT_EDGES", "RMS_KM", "CONNECTED",
        "BEST_POSSIBLE_PCT", "STOPPED_BY_TIME", "REASONS",
    } <= outputs  # fmt: skip


@pytest.mark.parametrize("effort", ["default", "DEFAULT", 1, "1"])
def test_effort_by_key_or_number(run, board, effort):
    outcome = run("balanceterritories", asked(board("1 1 1 1"), EFFORT=effort, CONTIGUITY="rook", BRIDGE="none"))
    assert outcome.results["MAX_DEVIATION_PCT"] == 0


def test_an_unknown_effort_is_told(attempt, board):
    refusal = attempt("balanceterritories", asked(board("1 1"), EFFORT="heroic")).refusal
    for word in ("heroic", "quick", "default", "thorough"):
        assert word in refusal


# --- its result


def test_the_one_right_answer_of_a_barbell(run, board):
    """
    1 1 _ 1 1     two squares and the bar between them: one cut is balanced
    1 1 0 1 1
    """
    outcome = run("balanceterritories", asked(board("1 1 _ 1 1\n1 1 0 1 1"), TOLERANCE=1))
    of = assert_sound(outcome, 2, tolerance=1)
    assert of["00000"] == of["00001"] == of["00100"] == of["00101"]
    assert of["00003"] == of["00004"] == of["00103"] == of["00104"] != of["00000"]
    assert outcome.results["CUT_EDGES"] == 1


def test_quarters_of_a_board(run, board):
    outcome = run("balanceterritories", asked(board("\n".join(["1 1 1 1"] * 4)), 4))
    of = assert_sound(outcome, 4, tolerance=0)
    assert Counter(of.values()) == {"T1": 4, "T2": 4, "T3": 4, "T4": 4}
    results = outcome.results
    assert (results["TERRITORY_COUNT"], results["MAX_DEVIATION_PCT"], results["WITHIN_PCT"]) == (4, 0, 100)
    assert (results["CUT_EDGES"], results["CONNECTED"], results["UNASSIGNED"]) == (8, True, 0)
    assert (results["BEST_POSSIBLE_PCT"], results["STOPPED_BY_TIME"], results["REASONS"]) == (0, False, "")


@pytest.mark.parametrize("territories", [1, 2, 3, 5, 7, 11, 48])
def test_exactly_so_many_each_connected(run, board, territories):
    rows = [" ".join(str(1 + (7 * x + 5 * y) % 4) for x in range(8)) for y in range(6)]
    assert_sound(run("balanceterritories", asked(board("\n".join(rows)), territories, TOLERANCE=15)), territories)


def test_both_outputs_carry_what_they_promise(run, board):
    layer = board("1 1 1 1", county=["a", "b", "c", "d"], providers=[1, 2, 3, 4])
    outcome = run("balanceterritories", asked(layer))
    first = outcome.rows()[0]
    assert list(first)[:5] == ["territory", "workload", "target", "index", "deviation_pct"]
    assert isinstance(first["territory"], str)
    assert [row["providers"] for row in outcome.rows()] == [3, 7]
    units = outcome.rows("ASSIGNMENT")
    assert list(units[0]) == ["zip", "workload", "county", "providers", "territory", "geometry"]
    assert [unit["county"] for unit in units] == ["a", "b", "c", "d"]


def test_names_begin_as_asked_and_keep_their_zeros(run, board):
    outcome = run("balanceterritories", asked(board(" ".join(["1"] * 12)), 12, NAME_PREFIX="West "))
    assert [row["territory"] for row in outcome.rows()][:2] == ["West 01", "West 02"]
    assert len({row["territory"] for row in outcome.rows()}) == 12


def test_a_unit_that_outweighs_its_target_is_named(run, board):
    """
    1 1 1 1
    1 90 1 1     three territories of 32 on average: the unit of 90 is one of its own, the others share the rest
    1 1 1 1
    """
    outcome = run("balanceterritories", asked(board("1 1 1 1\n1 90 1 1\n1 1 1 1"), 3, TOLERANCE=10))
    of = assert_sound(outcome, 3)
    heavy = {row["territory"]: row for row in outcome.rows()}[of["00101"]]
    assert heavy["units"] == 1
    assert "00101" in heavy["reason"]
    assert heavy["within"] is False
    assert "00101" in outcome.results["CERTIFICATE"]
    assert "00101" in outcome.results["REASONS"]
    left = 11 / 2
    assert outcome.results["BEST_POSSIBLE_PCT"] == pytest.approx(100 * (90 / left - 1))
    assert outcome.results["MAX_DEVIATION_PCT"] == pytest.approx(outcome.results["BEST_POSSIBLE_PCT"])
    others = [row for row in outcome.rows() if row["territory"] != of["00101"]]
    assert sorted(row["workload"] for row in others) in ([5, 6], [5.0, 6.0])


def test_what_whole_units_allow_is_told(run, board):
    """Three equal units for two territories: one holds a third more than its share, whatever one does."""
    outcome = run("balanceterritories", asked(board("1 1 1"), 2))
    assert_sound(outcome, 2)
    assert outcome.results["MAX_DEVIATION_PCT"] == pytest.approx(100 / 3)
    assert outcome.results["BEST_POSSIBLE_PCT"] == pytest.approx(100 / 3)
    assert "33.3 %" in outcome.results["CERTIFICATE"]
    assert outcome.infos.index("33.3 %") < outcome.infos.index("within tolerance")
    assert all(row["reason"] for row in outcome.rows())


def test_an_island_too_light_is_told(run, board):
    """
    1 1 1 1 _ 1     the island holds a fifth of what the mainland's territories hold
    1 1 1 1 _ _
    """
    layer = board("1 1 1 1 _ 0.8\n1 1 1 1 _ _")
    outcome = run("balanceterritories", asked(layer, 3, BRIDGE="none"))
    of = assert_sound(outcome, 3)
    island = {row["territory"]: row for row in outcome.rows()}[of["00005"]]
    assert island["units"] == 1
    assert island["deviation_pct"] == pytest.approx(100 * (0.8 / (8.8 / 3) - 1))
    assert outcome.results["MAX_DEVIATION_PCT"] == pytest.approx(outcome.results["BEST_POSSIBLE_PCT"], rel=1e-6)
    assert outcome.results["WITHIN_PCT"] == 0
    assert island["reason"]
    assert "00005" in outcome.results["CERTIFICATE"] + island["reason"]
    bridged = run("balanceterritories", asked(layer, 2, BRIDGE="nearest", TOLERANCE=20))
    assert_sound(bridged, 2, tolerance=20, bridges=[("00003", "00005"), ("00103", "00005")])


def test_units_without_workload_belong_somewhere(run, board):
    outcome = run("balanceterritories", asked(board("1 0 0 1\n0 . 0 0\n1 0 0 1"), 4))
    assert_sound(outcome, 4, tolerance=0)
    assert "00101" in outcome.warnings  # NULL counts as 0, and is said
    assert "00100" not in outcome.warnings


def test_several_workloads_with_shares(run, board):
    """North has the work, south the sales: equal shares are balanced by columns, not by rows."""
    layer = board("3 3 3 3\n1 1 1 1", sales=[0.0, 0, 0, 0, 9, 9, 9, 9])
    outcome = run("balanceterritories", asked(layer, WORKLOAD_FIELDS=["workload", "sales"], SHARES="50; 50 %"))
    assert outcome.results["MAX_DEVIATION_PCT"] == pytest.approx(0, abs=1e-9)
    for row in outcome.rows():
        assert row["workload"] == pytest.approx(4)  # the composite index has mean 1
        assert row["sales"] == 18


def test_the_same_seed_gives_the_same_territories_whatever_the_order(run, board, memory_layer, read_rows):
    layer = board("3 1 2 4 1 2\n1 5 1 2 2 1\n2 1 4 1 3 2\n1 2 1 3 1 4")
    rows = read_rows(layer)
    turned = memory_layer(
        {"zip": [row["zip"] for row in rows[::-1]], "workload": [row["workload"] for row in rows[::-1]]},
        [row["geometry"].wkt for row in rows[::-1]],
    )
    plans = [
        {row["zip"]: row["territory"] for row in run("balanceterritories", asked(given, 5, SEED=7)).rows("ASSIGNMENT")}
        for given in (layer, layer, turned)
    ]
    assert plans[0] == plans[1] == plans[2]


def test_a_time_limit_that_strikes_is_told_and_the_plan_still_sound(run, board):
    rows = [" ".join(str(1 + (7 * x + 5 * y) % 9) for x in range(20)) for y in range(20)]
    outcome = run("balanceterritories", asked(board("\n".join(rows)), 12, TIME_LIMIT=0.01, EFFORT="thorough"))
    assert_sound(outcome, 12)
    assert outcome.results["STOPPED_BY_TIME"] is True
    assert "time limit" in outcome.warnings


def test_no_time_limit(run, board):
    assert run("balanceterritories", asked(board("1 1 1 1"), TIME_LIMIT=0)).results["STOPPED_BY_TIME"] is False


def test_progress_only_goes_forward_to_the_end(run, board):
    rows = [" ".join(str(1 + (7 * x + 5 * y) % 4) for x in range(8)) for y in range(6)]
    progress = run("balanceterritories", asked(board("\n".join(rows)), 5)).progress
    assert progress == sorted(progress)
    assert len(set(progress)) > 8
    assert progress[-1] > 90


def test_neighbours_never_share_a_colour_class(run, board):
    rows = [" ".join("1" for _ in range(8)) for _ in range(8)]
    outcome = run("balanceterritories", asked(board("\n".join(rows)), 14))
    of = assert_sound(outcome, 14)
    colour = {row["territory"]: row["colour"] for row in outcome.rows()}
    contacts = rook(outcome.rows("ASSIGNMENT"))
    assert [(a, b) for a, b in contacts.edges if of[a] != of[b] and colour[of[a]] == colour[of[b]]] == []


# --- its refusals


@pytest.mark.parametrize(
    ("territories", "more", "said"),
    [
        (5, {}, ["5", "4 units"]),
        (0, {}, ["TERRITORIES"]),
        (2, {"TOLERANCE": -1}, ["TOLERANCE"]),
        (2, {"TOLERANCE": 0}, ["tolerance", "0 %"]),
        (2, {"SHARES": "1, two"}, ["numbers", "1, two"]),
        (2, {"WORKLOAD_FIELDS": []}, ["WORKLOAD_FIELDS"]),
        (2, {"WORKLOAD_FIELDS": ["zip", "nothing"]}, ["nothing"]),
        (2, {"SEED": -1}, ["SEED"]),
    ],
)
def test_refusals_name_what_is_wrong(refused, board, territories, more, said):
    parameters = asked(board("1 1\n1 1"), territories, **more)
    del parameters["OUTPUT"], parameters["ASSIGNMENT"]
    message = refused("balanceterritories", parameters)
    for word in said:
        assert word.lower() in message.lower()


def test_more_parts_than_territories(refused, board):
    """Three islands cannot be two connected territories: the islands are named, and what would help."""
    parameters = asked(board("1 1 _ 1 1 _ 1"), 2, BRIDGE="none")
    del parameters["OUTPUT"], parameters["ASSIGNMENT"]
    message = refused("balanceterritories", parameters)
    for word in ("3 parts", "00006", "Bridge islands", "at least 3"):
        assert word in message


# --- in the thread pool, and on the sample through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, board, tmp_path):
    from qgis.core import QgsProject

    layer = board("3 1 2 4 1 2\n1 5 1 2 2 1\n2 1 4 1 3 2\n1 2 1 3 1 4", crs="EPSG:5070")
    QgsProject.instance().addMapLayer(layer)
    results = pool_runs(
        "territories:balanceterritories",
        lambda number: asked(
            layer.id(), 5, SEED=3, OUTPUT="TEMPORARY_OUTPUT", ASSIGNMENT=str(tmp_path / f"{number}.gpkg"),
            REPORT=str(tmp_path / f"{number}.html"),
        ),
    )  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    plans = {
        tuple(
            (feature["territory"], feature["workload"], feature["rms_km"]) for feature in result["OUTPUT"].getFeatures()
        )
        for result in results
    }
    assert len(plans) == 1
    assert len(list(tmp_path.glob("*.gpkg"))) == len(list(tmp_path.glob("*.html"))) == 20


def assert_sound_on_sample(chain, rows, units, results, territories, tolerance, read_rows):
    edges = nx.Graph((edge["from_unit"], edge["to_unit"]) for edge in read_rows(chain.file("edges")))
    of = {unit["zip"]: unit["territory"] for unit in units}
    assert len(rows) == len(set(of.values())) == territories
    load = Counter()
    for unit in units:
        load[unit["territory"]] += unit["workload"]
    total = sum(load.values())
    for row in rows:
        assert nx.is_connected(edges.subgraph([zip_code for zip_code in of if of[zip_code] == row["territory"]]))
        assert row["workload"] == pytest.approx(load[row["territory"]])
        assert row["deviation_pct"] == pytest.approx(100 * (load[row["territory"]] / (total / territories) - 1))
        assert abs(row["deviation_pct"]) <= tolerance
    assert results["TOTAL_WORKLOAD"] == pytest.approx(total)
    assert results["WITHIN_PCT"] == 100
    assert results["CUT_EDGES"] == sum(of[a] != of[b] for a, b in edges.edges)
    whole = shapely.union_all([unit["geometry"] for unit in units])
    assert sum(row["geometry"].area for row in rows) == pytest.approx(whole.area)
    return of


def test_the_sample_through_qgis_process(chain, read_rows):
    done = chain.step("balanceterritories")
    rows, units = read_rows(chain.file("territories")), read_rows(chain.file("assignment"))
    assert_sound_on_sample(chain, rows, units, done.results, 20, 5, read_rows)
    before = read_rows(chain.file("zips"))
    assert [(row["zip"], row["rep"], row["providers"]) for row in units] == [
        (row["zip"], row["rep"], row["providers"]) for row in before
    ]
    report = (chain.folder / "report.html").read_text(encoding="utf-8")
    assert [row["territory"] for row in rows if f">{row['territory']}<" not in report] == []


def test_another_process_gives_the_same_plan(chain, qgis_process, tmp_path, read_rows):
    """JSON on stdin; Python salts its hashes anew in each process, the plan must not notice."""
    parameters = {
        **chain.market(), "TERRITORIES": 12, "TOLERANCE": 10, "EFFORT": "quick", "SEED": 4,
    }  # fmt: skip
    plans = []
    for name in ("one", "other"):
        plan, units = tmp_path / f"{name}.gpkg", tmp_path / f"{name}-units.gpkg"
        done = qgis_process(
            "territories:balanceterritories",
            {**parameters, "OUTPUT": str(plan), "ASSIGNMENT": str(units)},
            by_json=True,
        )
        assert done.status == 0, done.messages
        of = {row["zip"]: row["territory"] for row in read_rows(units)}
        assert len(set(of.values())) == 12
        plans.append((of, [(row["territory"], row["colour"]) for row in read_rows(plan)]))
    assert plans[0] == plans[1]


# --- cancelled, with the best plan so far wanted


def test_cancelled_in_the_thread_pool_the_best_so_far_is_in_the_files(territories_provider, board, tmp_path):
    """QGIS ends writing quietly when its feedback is cancelled: every unit must be there all the same."""
    from qgis.core import (
        QgsApplication,
        QgsProcessingAlgRunnerTask,
        QgsProcessingContext,
        QgsProcessingFeedback,
        QgsProject,
        QgsVectorLayer,
    )
    from qgis.PyQt.QtCore import QEventLoop, Qt, QTimer

    rows = [" ".join(str(1 + (7 * x + 5 * y) % 9) for x in range(20)) for y in range(20)]
    wishes = asked(
        board("\n".join(rows)), 12, EFFORT="thorough", TIME_LIMIT=0, ON_CANCEL="best",
        OUTPUT=str(tmp_path / "plan.gpkg"), ASSIGNMENT=str(tmp_path / "units.gpkg"),
    )  # fmt: skip
    instance = QgsApplication.processingRegistry().createAlgorithmById("territories:balanceterritories")
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(QgsProject.instance())
    context.setFeedback(feedback)
    assert instance.checkParameterValues(wishes, context)[0]
    task, loop, ended = QgsProcessingAlgRunnerTask(instance, wishes, context, feedback), QEventLoop(), []
    feedback.progressChanged.connect(
        lambda percent: feedback.cancel() if percent > 30 else None, Qt.ConnectionType.DirectConnection
    )
    task.executed.connect(lambda successful, results: (ended.append(successful), loop.quit()))
    QgsApplication.taskManager().addTask(task)
    QTimer.singleShot(120_000, loop.quit)
    loop.exec()
    assert feedback.isCanceled()
    assert ended == [False]  # QGIS calls a cancelled run unsuccessful, and loads nothing
    plan, units = (QgsVectorLayer(str(tmp_path / name), name, "ogr") for name in ("plan.gpkg", "units.gpkg"))
    assert plan.featureCount() == 12
    assert units.featureCount() == 400
    assert {feature["territory"] for feature in units.getFeatures()} == {
        feature["territory"] for feature in plan.getFeatures()
    }
    assert "Cancelled" in feedback.textLog()


def test_cancelled_without_that_wish_nothing_is_in_the_files(attempt, board, tmp_path):
    outcome = attempt(
        "balanceterritories", asked(board("1 2 3\n3 2 1"), 2, OUTPUT=str(tmp_path / "plan.gpkg")), cancel_after=2
    )
    assert "OUTPUT" not in outcome.results
    assert not (tmp_path / "plan.gpkg").exists()


def test_what_would_help_is_told(run, board):
    outcome = run("balanceterritories", asked(board("1 1 1 1 1"), 2))
    assert "What would help: Allow ±20 %" in outcome.results["CERTIFICATE"]
    assert "What would help: Allow ±20 %" in outcome.infos


def test_travel_is_bounded_on_request(run, board):
    layer = board("1 2 3 1\n3 2 1 2\n1 1 2 3")
    assert run("balanceterritories", asked(layer, 3)).results["RMS_BOUND_KM"] is None
    outcome = run("balanceterritories", asked(layer, 3, BOUND_TRAVEL=True))
    assert 0 < outcome.results["RMS_BOUND_KM"] <= outcome.results["RMS_KM"]
    assert "No plan balanced like this one" in outcome.infos


# --- limits of a territory beside a number of territories


LIMITED = "1 2 1 3 1 2\n2 1 3 1 2 1"


@pytest.mark.parametrize(("more", "least", "most"), [
    ({"CAPACITY_MIN": 9}, 9, 11), ({"CAPACITY_MAX": 10.5}, 9.5, 10.5),
    ({"CAPACITY_MIN": 9.5, "CAPACITY_MAX": 12}, 9.5, 10.5),
])  # fmt: skip
def test_limits_are_kept_beside_a_number(run, board, more, least, most):
    """Two territories of 10; the tolerance alone would allow 5 to 15."""
    outcome = run("balanceterritories", {
        "UNITS": board(LIMITED), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2,
        "TOLERANCE": 50, "EFFORT": "quick", "OUTPUT": "memory:", **more,
    })  # fmt: skip
    assert all(least <= row["workload"] <= most for row in outcome.rows())
    assert "2 territories hold 10 each on average; the tolerance is" in outcome.infos


@pytest.mark.parametrize(("more", "said"), [
    ({"CAPACITY_MIN": 30}, "2 territories hold 10 each on average: not all can hold 30 or more"),
    ({"CAPACITY_MAX": 5}, "Ask for 5 or more"), ({"CAPACITY_MAX": 0}, "Raise the most"),
    ({"CAPACITY": 10, "TERRITORIES": None, "CAPACITY_MIN": 10}, "Widen the limits"),
])  # fmt: skip
def test_limits_that_cannot_be_kept_are_refused(refused, board, more, said):
    message = refused("balanceterritories", {
        "UNITS": board(LIMITED), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2,
        "EFFORT": "quick", **more,
    })  # fmt: skip
    assert said in message


def test_a_capacity_that_asks_for_other_territories_than_reps_is_refused(refused, board, memory_layer):
    message = refused("balanceterritories", {
        "UNITS": board(LIMITED), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "CAPACITY": 4,
        "REPS": memory_layer({"rep_id": ["A", "B"]}), "EFFORT": "quick",
    })  # fmt: skip
    assert "2 reps are given and 5 territories asked for" in message
