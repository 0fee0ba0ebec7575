"""rebalanceterritories: from today's alignment to within tolerance, little changes hands, and all of it is told."""

from __future__ import annotations

from collections import Counter

import networkx as nx
import pytest
import shapely

TODAY = "A A A A A A B B"
"""Eight units of workload 1 in a row: two of A's six have to go to B."""


def asked(layer, **more):
    return {
        "UNITS": layer, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "CURRENT_FIELD": "rep",
        "EFFORT": "quick", "OUTPUT": "memory:", "ASSIGNMENT": "memory:", "MOVES": "memory:", "GAINED_LOST": "memory:",
        **more,
    }  # fmt: skip


def rook(units):
    """Return which units share a stretch of border, from the polygons alone."""
    graph = nx.Graph()
    graph.add_nodes_from(unit["zip"] for unit in units)
    shapes = [unit["geometry"] for unit in units]
    for one, other in zip(*shapely.STRtree(shapes).query(shapes, predicate="touches")):
        if one < other and shapely.length(shapely.intersection(shapes[one], shapes[other])) > 1e-9:
            graph.add_edge(units[one]["zip"], units[other]["zip"])
    return graph


def assert_sound(outcome, territories, field="rep", workload="workload"):
    """Connected, so many, all outputs telling the same, totals in = totals out; return unit → territory."""
    plan, units, moves = outcome.rows(), outcome.rows("ASSIGNMENT"), outcome.rows("MOVES")
    of = {unit["zip"]: unit["territory"] for unit in units}
    load = {unit["zip"]: unit[workload] or 0 for unit in units}
    assert None not in of.values()
    assert len(plan) == len(set(of.values())) == territories
    contacts = rook(units)
    for row in plan:
        mine = [unit["zip"] for unit in units if unit["territory"] == row["territory"]]
        assert nx.is_connected(contacts.subgraph(mine))
        assert row["workload"] == pytest.approx(sum(load[unit] for unit in mine))
    total = sum(load.values())
    assert sum(row["workload"] for row in plan) == pytest.approx(total) == outcome.results["TOTAL_WORKLOAD"]
    # what changes hands, in three outputs
    now = {row["territory"]: row["territory_now"] for row in outcome.rows("GAINED_LOST")}
    differ = {unit["zip"] for unit in units if now.get(unit["territory_today"]) != unit["territory"]}
    moved = {unit["zip"] for unit in units if unit["moved"]}
    assert {row["unit"] for row in moves} == differ
    assert moved == {unit["zip"] for unit in units if unit["zip"] in differ and unit["territory_today"] is not None}
    assert all(unit["why"] for unit in units if unit["zip"] in differ)
    assert all(unit["why"] is None for unit in units if unit["zip"] not in differ)
    for row in moves:
        assert (row["to_territory"], row["workload"]) == (of[row["unit"]], load[row["unit"]])
    done = sum(load[unit] for unit in moved)
    results = outcome.results
    assert results["DISRUPTION_PCT"] == pytest.approx(100 * done / total)
    assert (results["MOVED_COUNT"], results["NEW_COUNT"]) == (len(moved), len(differ - moved))
    assert results["LEAST_PCT"] <= results["DISRUPTION_PCT"] + 1e-6 or results["WITHIN_PCT"] < 100
    table = {row["territory"]: row for row in outcome.rows("GAINED_LOST")}
    assert set(of.values()) == set(now.values()) - {None}
    for row in table.values():
        mine = [unit for unit in of if of[unit] == row["territory_now"]]
        assert row["workload_after"] == pytest.approx(sum(load[unit] for unit in mine))
        assert row["name_kept"] == (row["territory_now"] == row["territory"] and row["units_before"] > 0)
        assert not row["name_kept"] or row["kept_pct"] >= 50
        assert row["workload_after"] == pytest.approx(row["workload_kept"] + row["workload_gained"])
        assert row["workload_before"] == pytest.approx(row["workload_kept"] + row["workload_lost"])
    assert sum(row["workload_lost"] for row in table.values()) == pytest.approx(done)
    return of


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("rebalanceterritories")
    definitions = {definition.name(): definition for definition in algorithm.parameterDefinitions()}
    assert {
        "UNITS", "UNIT_FIELD", "WORKLOAD_FIELDS", "SHARES", "EDGES", "CURRENT_FIELD", "ALIGNMENT",
        "ALIGNMENT_UNIT_FIELD", "ALIGNMENT_TERRITORY_FIELD", "REPS", "TOLERANCE", "MAX_DISRUPTION", "DISRUPTION_BY",
        "ACCOUNTS_FIELD", "ADD", "REMOVE", "FEWER", "MERGE", "SPLIT", "EFFORT", "SEED", "TIME_LIMIT", "OUTPUT",
        "ASSIGNMENT", "MOVES", "GAINED_LOST", "CURVE", "REPORT",
    } <= definitions.keys()  # fmt: skip
    assert definitions["TOLERANCE"].defaultValue() == 5
    assert definitions["MAX_DISRUPTION"].defaultValue() is None
    assert definitions["ADD"].defaultValue() == 0
    assert definitions["DISRUPTION_BY"].metadata()["keys"] == ["workload", "accounts", "both"]
    optional = {name for name, found in definitions.items() if found.flags() & found.Flag.FlagOptional}
    assert {"CURRENT_FIELD", "ALIGNMENT", "REPS", "REMOVE", "MERGE", "SPLIT", "MOVES", "CURVE", "REPORT"} <= optional
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {
        "OUTPUT", "DISRUPTION_PCT", "DISRUPTION_ACCOUNTS_PCT", "FLOW_BOUND_PCT", "LEAST_PCT", "MAX_DEVIATION_PCT",
        "MAX_DEVIATION_BEFORE_PCT", "MOVED_COUNT", "NEW_COUNT", "NAMES_KEPT", "CONNECTED", "STOPPED_BY_TIME",
    } <= outputs  # fmt: skip


# --- its result


def test_two_units_go_over(run, alignment):
    """
    A A A A A A B B  →  A A A A B B B B     a quarter changes hands, and no less is possible
    """
    outcome = run("rebalanceterritories", asked(alignment(TODAY)))
    of = assert_sound(outcome, 2)
    assert {unit for unit, name in of.items() if name == "B"} == {"00004", "00005", "00006", "00007"}
    results = outcome.results
    assert results["DISRUPTION_PCT"] == pytest.approx(25)
    assert results["LEAST_PCT"] == pytest.approx(100 * (6 - 4.2) / 8)
    assert results["FLOW_BOUND_PCT"] == pytest.approx(100 * (6 - 4.2) / 8)
    assert (results["MAX_DEVIATION_BEFORE_PCT"], results["MAX_DEVIATION_PCT"]) == (50, 0)
    assert (results["MOVED_COUNT"], results["NEW_COUNT"], results["NAMES_KEPT"]) == (2, 0, 2)
    moves = outcome.rows("MOVES")
    assert [(row["unit"], row["from_territory"], row["to_territory"]) for row in moves] == [
        ("00004", "A", "B"), ("00005", "A", "B"),
    ]  # fmt: skip
    assert moves[0]["geometry"].geom_type == "MultiPolygon"
    assert shapely.area(moves[0]["geometry"]) == pytest.approx(0.01)


def test_the_bound_knows_that_zips_are_whole(run, alignment):
    """
    A A A A A A B B     1.8 of A's 6 would have to flow; of whole ZIPs, two
    """
    outcome = run("rebalanceterritories", asked(alignment(TODAY), BOUND_DISRUPTION=True))
    assert_sound(outcome, 2)
    assert outcome.results["FLOW_BOUND_PCT"] == pytest.approx(22.5)
    assert outcome.results["WHOLE_BOUND_PCT"] == pytest.approx(25)
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(25)


def test_a_plan_far_above_the_flow_bound_says_why(run, alignment):
    """
    A3 A3 B1 B1     A may hold 5.8: 0.2 of its 6 would have to flow; of whole ZIPs, one of 3
    """
    layer = alignment("A A B B", workload=[3, 3, 1, 1])
    outcome = run("rebalanceterritories", asked(layer, TOLERANCE=45, BOUND_DISRUPTION=True))
    assert_sound(outcome, 2)
    assert outcome.results["FLOW_BOUND_PCT"] == pytest.approx(2.5)
    assert outcome.results["WHOLE_BOUND_PCT"] == outcome.results["DISRUPTION_PCT"] == pytest.approx(37.5)
    assert "has less than 37.5 % disruption" in outcome.infos


def test_what_is_within_stays_as_it_is(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment("A A B B\nA A B B")))
    assert_sound(outcome, 2)
    assert (outcome.results["DISRUPTION_PCT"], outcome.results["FLOW_BOUND_PCT"]) == (0, 0)
    assert outcome.rows("MOVES") == []


def test_the_alignment_from_a_table_of_its_own(run, board, memory_layer):
    """ZIPs that lost their zeros are found; names that differ in capitals and blanks are one."""
    units = board("_\n" * 6 + "1 1 1 1 1 1 1 1")  # 00600 to 00607
    zips = ["600", "601", "602.0", "00603", "604", "605", "606", "607", "777"]
    reps = ["North  A", "north a", "North A ", "North A", "NORTH A", "North A", "B", "B", "C"]
    table = memory_layer({"postal": zips, "who": reps})
    parameters = asked(units, ALIGNMENT=table, ALIGNMENT_UNIT_FIELD="postal", ALIGNMENT_TERRITORY_FIELD="who")
    del parameters["CURRENT_FIELD"]
    outcome = run("rebalanceterritories", parameters)
    of = assert_sound(outcome, 2)
    assert Counter(of.values()) == {"North A": 4, "B": 4}
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(25)
    for word in ("777", "not in the unit layer", "“north a”", "“North A”"):
        assert word in outcome.warnings


def test_units_without_a_territory_are_new_and_nobody_loses_them(run, alignment):
    """
    A A . .
    A A . B
    """
    outcome = run("rebalanceterritories", asked(alignment("A A . .\nA A . B")))
    assert_sound(outcome, 2)
    assert (outcome.results["NEW_COUNT"], outcome.results["MOVED_COUNT"]) == (3, 0)
    assert outcome.results["DISRUPTION_PCT"] == 0
    assert "3 units have no territory today" in outcome.warnings
    assert {row["from_territory"] for row in outcome.rows("MOVES")} == {None}
    assert {row["why"] for row in outcome.rows("MOVES")} == {"had no territory"}


def test_a_territory_in_parts_is_told_and_joined(run, alignment):
    """
    A B B A
    A B B A     A's right column lies apart
    """
    outcome = run("rebalanceterritories", asked(alignment("A B B A\nA B B A"), TOLERANCE=50))
    assert_sound(outcome, 2)
    assert "A is in parts" in outcome.warnings
    assert outcome.results["CONNECTED"] is True


def test_a_cap_is_kept(run, alignment):
    layer = alignment(TODAY)
    outcome = run("rebalanceterritories", asked(layer, MAX_DISRUPTION=15))
    assert_sound(outcome, 2)
    assert 0 < outcome.results["DISRUPTION_PCT"] <= 15
    assert outcome.results["MAX_DEVIATION_PCT"] == pytest.approx(25)  # one unit of eight went over
    nothing = run("rebalanceterritories", asked(layer, MAX_DISRUPTION=0))
    assert nothing.results["DISRUPTION_PCT"] == 0
    assert nothing.results["MAX_DEVIATION_PCT"] == 50


def test_accounts_count_instead_of_workload(run, alignment):
    """
    A A A A A A B B     workload 1 each
    0 0 0 0 4 4 1 1     accounts

    By workload the two units in the middle go over, a quarter of the workload and 80 % of the accounts. By accounts
    it is less for A to go on at the right, where its accounts are, and for B to take the left.
    """
    layer = alignment(TODAY, accounts=[0, 0, 0, 0, 4, 4, 1, 1])
    outcome = run("rebalanceterritories", asked(layer))
    assert_sound(outcome, 2)
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(25)
    assert outcome.results["DISRUPTION_ACCOUNTS_PCT"] == pytest.approx(80)
    rows = {row["territory"]: row for row in outcome.rows("GAINED_LOST")}
    assert (rows["A"]["accounts_lost"], rows["B"]["accounts_gained"]) == (8, 8)
    other = run("rebalanceterritories", asked(layer, DISRUPTION_BY="accounts", MAX_DISRUPTION=50))
    assert_sound(other, 2)
    assert other.results["DISRUPTION_ACCOUNTS_PCT"] == pytest.approx(20)


def test_without_accounts_their_disruption_is_unknown(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment(TODAY)))
    assert outcome.results["DISRUPTION_ACCOUNTS_PCT"] is None
    assert outcome.rows("MOVES")[0]["accounts"] is None


THREE = """
A A B B C C
A A B B C C
"""


def test_a_territory_that_goes_is_absorbed_by_its_neighbours(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment(THREE), REMOVE=" b "))
    of = assert_sound(outcome, 2)
    assert Counter(of.values()) == {"A": 6, "C": 6}
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(100 / 3)
    rows = {row["territory"]: row for row in outcome.rows("GAINED_LOST")}
    assert (rows["B"]["units_after"], rows["B"]["name_kept"]) == (0, False)


def test_one_fewer_is_whoever_moves_the_least(run, alignment):
    """B has two ZIPs, one beside A, one beside C; whoever else goes, four change hands."""
    outcome = run("rebalanceterritories", asked(alignment("A A B C C\nA A B C C"), FEWER=1, CURVE="memory:"))
    of = assert_sound(outcome, 2)
    assert set(of.values()) == {"A", "C"}
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(20)
    assert "B (20.0 %) goes" in outcome.results["MESSAGES"]


def test_two_become_one(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment(THREE), MERGE="A + B", TOLERANCE=40))
    of = assert_sound(outcome, 2)
    assert "C" in of.values()
    assert len({"A", "B"} & set(of.values())) == 1
    assert outcome.results["DISRUPTION_PCT"] == pytest.approx(100 / 3)


def test_one_becomes_two_and_new_ones_are_added(run, alignment):
    layer = alignment("A A A A B B\nA A A A B B")
    split = run("rebalanceterritories", asked(layer, SPLIT="A"))
    assert_sound(split, 3)
    assert split.results["DISRUPTION_PCT"] == pytest.approx(100 / 3)
    assert split.results["NAMES_KEPT"] == 2
    added = run("rebalanceterritories", asked(layer, ADD=1))
    assert_sound(added, 3)
    assert added.results["DISRUPTION_PCT"] == pytest.approx(100 / 3)


def test_the_trade_off_goes_down(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment(TODAY), CURVE="memory:"))
    rows = outcome.rows("CURVE")
    assert [row["cap_pct"] for row in rows] == [0, 2, 5, 10, 20]
    reached = [row["reached_pct"] for row in rows]
    assert reached == sorted(reached, reverse=True)
    assert (reached[0], rows[0]["used_pct"]) == (50, 0)
    assert all(row["used_pct"] <= row["cap_pct"] + 1e-6 for row in rows)


def test_both_layers_carry_what_they_promise(run, alignment):
    outcome = run("rebalanceterritories", asked(alignment(TODAY, territory=["x"] * 8)))
    assert list(outcome.rows("ASSIGNMENT")[0]) == [
        "zip", "rep", "workload", "territory_before", "territory", "territory_today", "moved", "why", "geometry",
    ]  # fmt: skip
    assert list(outcome.rows("MOVES")[0]) == [
        "unit", "from_territory", "to_territory", "workload", "accounts", "why", "geometry",
    ]  # fmt: skip
    layer = outcome.layer("GAINED_LOST")
    assert layer.fields().names()[:7] == [
        "territory", "territory_now", "units_before", "units_kept", "units_gained", "units_lost", "units_after",
    ]  # fmt: skip


def test_the_report_has_its_sections(run, alignment, tmp_path):
    report = tmp_path / "report.html"
    run(
        "rebalanceterritories",
        asked(alignment(TODAY.replace("B", "B<b>"), accounts=[1] * 8), REPORT=str(report), CURVE="memory:"),
    )
    text = report.read_text(encoding="utf-8")
    for words in (
        "What changes hands", "Before and after", "Gained and lost", "From whom to whom", "What more disruption would",
        "25.0 %", "flow bound", "Territories", "B&lt;b&gt;",
    ):  # fmt: skip
        assert words in text
    assert "<b>&lt;" not in text
    assert "B<b>" not in text


# --- its refusals


@pytest.mark.parametrize(
    ("change", "said"),
    [
        ({"CURRENT_FIELD": None}, ["alignment once"]),
        ({"CURRENT_FIELD": "boss"}, ["boss", "zip, rep, workload"]),
        ({"REMOVE": "West"}, ["“West”", "A, B"]),
        ({"MERGE": "A + Q; B + A"}, ["“Q”", "A, B"]),
        ({"SPLIT": "A", "REMOVE": "A"}, ["A", "more than one place"]),
        ({"REMOVE": "A, B"}, ["No territory would be left"]),
        ({"DISRUPTION_BY": "accounts"}, ["choose the field", "accounts"]),
        ({"DISRUPTION_BY": "noise"}, ["noise", "workload, accounts, both"]),
        ({"MAX_DISRUPTION": 101}, ["MAX_DISRUPTION"]),
        ({"ADD": -1}, ["ADD"]),
    ],
)
def test_refusals_name_what_is_wrong(refused, alignment, change, said):
    parameters = {**asked(alignment(TODAY)), **change}
    for output in ("OUTPUT", "ASSIGNMENT", "MOVES", "GAINED_LOST"):
        del parameters[output]
    message = refused("rebalanceterritories", parameters)
    for word in said:
        assert word.lower() in message.lower()


def without_outputs(parameters):
    return {
        name: value
        for name, value in parameters.items()
        if name not in ("OUTPUT", "ASSIGNMENT", "MOVES", "GAINED_LOST")
    }


def test_nobody_has_a_territory(refused, alignment):
    message = refused("rebalanceterritories", without_outputs(asked(alignment(". . . ."))))
    assert "No unit has a territory today" in message


def test_accounts_that_cannot_be(refused, alignment):
    layer = alignment(TODAY, accounts=[0, 0, -4, 0, 0, 0, 0, 0], none=[0] * 8)
    assert "00002" in refused("rebalanceterritories", without_outputs(asked(layer)))
    wish = without_outputs(asked(layer, DISRUPTION_BY="accounts", ACCOUNTS_FIELD="none"))
    assert "no accounts at all" in refused("rebalanceterritories", wish)


def test_an_alignment_that_contradicts_itself_or_fits_nothing(refused, board, memory_layer):
    wish = without_outputs(asked(board("1 1 1 1"), ALIGNMENT_UNIT_FIELD="zip", ALIGNMENT_TERRITORY_FIELD="rep"))
    del wish["CURRENT_FIELD"]
    torn = memory_layer({"zip": ["00000", "00001", "00001"], "rep": ["A", "A", "B"]})
    message = refused("rebalanceterritories", {**wish, "ALIGNMENT": torn})
    assert "two territories" in message
    assert "00001" in message
    strange = memory_layer({"zip": ["90210"], "rep": ["A"]})
    message = refused("rebalanceterritories", {**wish, "ALIGNMENT": strange})
    for word in ("90210", "00000", "choose the fields"):
        assert word in message
    lacking = {**wish, "ALIGNMENT": torn, "ALIGNMENT_UNIT_FIELD": None}
    assert "hold the unit and its territory" in refused("rebalanceterritories", lacking)


# --- in the thread pool, and on the sample through qgis_process


def test_travel_times_without_homes_are_about_the_middle_of_each_territory(run, alignment, memory_layer):
    """With reps that have none, with no reps, and with a territory that begins only now: missing pairs are counted."""
    layer = alignment(TODAY)
    row = [f"{at:05d}" for at in range(8)]
    near = [(one, other) for one in row for other in row if one < other][:-1]
    times = memory_layer(
        {"origin": [one for one, _ in near], "destination": [other for _, other in near], "minutes": [9.0] * len(near)}
    )
    outcome = run("rebalanceterritories", asked(layer, TRAVEL=times))
    of = assert_sound(outcome, 2)
    assert f"{len(near)} rows give the minutes of {len(near)} pairs" in outcome.infos
    homeless = memory_layer({"id": ["A", "B"], "name": ["Ann", "Bob"]})
    assert assert_sound(run("rebalanceterritories", asked(layer, TRAVEL=times, REPS=homeless)), 2) == of
    assert_sound(run("rebalanceterritories", asked(layer, TRAVEL=times, ADD=1, TOLERANCE=30)), 3)


def test_twenty_runs_in_the_thread_pool(pool_runs, alignment, tmp_path):
    from qgis.core import QgsProject

    layer = alignment(
        "A A A A B B\nA A A B B C\nA A A B C C\nA A B B C C",
        [3.0, 1, 2, 4, 1, 2, 1, 5, 1, 2, 2, 1] * 2,
        crs="EPSG:5070",
    )
    QgsProject.instance().addMapLayer(layer)
    results = pool_runs(
        "territories:rebalanceterritories",
        lambda number: asked(
            layer.id(), SEED=3, TOLERANCE=10, OUTPUT="TEMPORARY_OUTPUT", ASSIGNMENT=str(tmp_path / f"{number}.gpkg"),
            MOVES="TEMPORARY_OUTPUT", GAINED_LOST="TEMPORARY_OUTPUT", REPORT=str(tmp_path / f"{number}.html"),
        ),
    )  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert len({(result["DISRUPTION_PCT"], result["MAX_DEVIATION_PCT"]) for result in results}) == 1
    plans = {
        tuple((feature["unit"], feature["to_territory"], feature["why"]) for feature in result["MOVES"].getFeatures())
        for result in results
    }
    assert len(plans) == 1
    assert len(list(tmp_path.glob("*.gpkg"))) == len(list(tmp_path.glob("*.html"))) == 20


def test_the_sample_through_qgis_process(chain, qgis_process, tmp_path, read_rows):
    """Today's twenty reps of the sample brought within 5 %; totals and names hold."""
    outputs = {name: str(tmp_path / f"{name}.gpkg") for name in ("OUTPUT", "ASSIGNMENT", "MOVES", "GAINED_LOST")}
    report = tmp_path / "report.html"
    done = qgis_process(
        "territories:rebalanceterritories",
        {
            **chain.market(), "CURRENT_FIELD": "rep", "TOLERANCE": 5, "EFFORT": "quick", "REPORT": str(report),
            **outputs,
        },
        by_json=True, timeout=300,
    )  # fmt: skip
    assert done.status == 0, done.messages
    plan, units = read_rows(outputs["OUTPUT"]), read_rows(outputs["ASSIGNMENT"])
    moves, table = read_rows(outputs["MOVES"]), read_rows(outputs["GAINED_LOST"])
    edges = nx.Graph((edge["from_unit"], edge["to_unit"]) for edge in read_rows(chain.file("edges")))
    of = {unit["zip"]: unit["territory"] for unit in units}
    assert len(plan) == len(set(of.values())) == 20
    for row in plan:
        assert nx.is_connected(edges.subgraph([zip_code for zip_code in of if of[zip_code] == row["territory"]]))
        assert abs(row["deviation_pct"]) <= 5
    total = sum(unit["workload"] for unit in units)
    now = {row["territory"]: row["territory_now"] for row in table}
    moved = [unit for unit in units if now[unit["rep"]] != unit["territory"]]
    assert {unit["zip"] for unit in moved} == {unit["zip"] for unit in units if unit["moved"]}
    assert {unit["zip"] for unit in moved} == {row["unit"] for row in moves}
    share = 100 * sum(unit["workload"] for unit in moved) / total
    assert done.results["DISRUPTION_PCT"] == pytest.approx(share)
    assert done.results["LEAST_PCT"] <= share
    assert sum(row["workload_before"] for row in table) == pytest.approx(total)
    assert sum(row["workload_after"] for row in table) == pytest.approx(total)
    text = report.read_text(encoding="utf-8")
    assert [name for name in set(of.values()) if f">{name}<" not in text] == []


def test_the_time_limit_holds_for_the_curve_too(run, board):
    """Each plan of the curve would take its own time; with next to none left none of them is looked for."""
    layer = board("\n".join([" ".join("123456789")] * 9), rep=list("ABC" * 27))
    outcome = run("rebalanceterritories", asked(layer, CURVE="memory:", TIME_LIMIT=0.05))
    rows = outcome.rows("CURVE")
    assert [row["cap_pct"] for row in rows] == pytest.approx([0, 2, 5, 10, 20])
    assert outcome.results["STOPPED_BY_TIME"]
    assert_sound(outcome, 3)
