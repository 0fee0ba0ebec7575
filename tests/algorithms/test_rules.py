"""Rules in balanceterritories and rebalanceterritories: one test for each that a violation cannot pass."""

from __future__ import annotations

from collections import Counter

import pytest

from .test_balanceterritories import asked, assert_sound

ROW = "1 1 1 1 1 1 1 1"
"""Eight units of workload 1 in a row, "00000" in the west."""


def unit(*columns):
    """Return the ids of units in the row."""
    return {f"000{column:02d}" for column in columns}


@pytest.fixture
def reps(memory_layer):
    """Return ``reps(id=[...], home_zip=[...], …)``: a table of reps."""

    def make(**columns):
        return memory_layer(columns, kind="None")

    return make


def territory_of(outcome):
    return {row["zip"]: row["territory"] for row in outcome.rows("ASSIGNMENT")}


def balanced(run, layer, territories=None, **more):
    outcome = run("balanceterritories", {**asked(layer, territories), "CONTIGUITY": "rook", **more})
    assert_sound(outcome, territories or len(outcome.rows()))
    return outcome


def test_each_rep_keeps_home_and_share(run, board, reps):
    """Ann works three quarters of what Bob and Cy together do: 2, 2 and 4 of eight."""
    table = reps(id=["A", "B", "C"], name=["Ann", "Bob", ""], home_zip=["00007", "00000", None], fte=[1.0, 0.5, 0.5])
    outcome = balanced(run, board(ROW), REPS=table)
    of = territory_of(outcome)
    assert of["00007"] == "A"
    assert of["00000"] == "B"
    assert Counter(of.values()) == {"A": 4, "B": 2, "C": 2}
    rows = {row["territory"]: row for row in outcome.rows()}
    assert rows["A"]["rep"] == "Ann"
    assert rows["A"]["home"] == "00007"
    assert rows["A"]["capacity"] == pytest.approx(1.5)
    assert rows["C"]["rep"] in (None, "")
    assert all(row["within"] for row in rows.values())


def test_must_haves_and_forbidden_units(run, board, reps):
    table = reps(id=["A", "B"], name=["Ann", "Bob"], must_have=["00007", ""], forbidden=["", "00003"])
    of = territory_of(balanced(run, board(ROW), REPS=table))
    assert of["00007"] == "A"
    assert of["00003"] == "A"
    assert of["00000"] == "B"


def test_limits_of_workload(run, board, reps):
    table = reps(id=["A", "B"], name=["Ann", "Bob"], home_zip=["00000", "00007"], max=[2.0, None])
    outcome = balanced(run, board(ROW), REPS=table, TOLERANCE=60)
    assert Counter(territory_of(outcome).values())["A"] <= 2


def test_units_locked_by_a_field_and_by_a_layer(run, board, memory_layer):
    """
    today   W W W W W W E E     the west keeps its sixth unit, whatever balance says
    """
    layer = board(ROW, today=list("WWWWWWEE"), lock=[None, "no", None, None, None, "yes", None, None])
    of = territory_of(balanced(run, layer, 2, CURRENT_FIELD="today", LOCK_FIELD="lock"))
    assert of["00005"] == "W"
    picked = memory_layer({"zip": ["00005"]}, kind="None")
    of = territory_of(balanced(run, board(ROW, today=list("WWWWWWEE")), 2, CURRENT_FIELD="today", LOCKED=picked))
    assert of["00005"] == "W"
    free = territory_of(balanced(run, board(ROW, today=list("WWWWWWEE")), 2, CURRENT_FIELD="today"))
    assert free == dict(zip(sorted(free), "WWWWEEEE"))  # names are those of today


def test_customers_stay_with_their_rep(run, board, memory_layer):
    """
    today      W W W W W W E E
    customers    E       W        by places, or by a column of ZIPs
    """
    today = list("WWWWWWEE")
    points = memory_layer(
        {"account": ["Clinic", "Practice", "Hospital"], "rep": ["W", None, "no"]},
        ["POINT(-99.45 39.95)", "POINT(-99.95 39.95)", "POINT(-99.35 39.95)"],
        kind="Point",
    )
    outcome = balanced(
        run, board(ROW, today=today), 2, CURRENT_FIELD="today", LOCKED=points, LOCKED_REP_FIELD="rep", TOLERANCE=60
    )
    of = territory_of(outcome)
    assert of["00005"] == "W"
    assert of["00000"] == "W"
    table = memory_layer({"zip": ["00005", "99999"], "rep": ["W", "W"]})
    outcome = balanced(
        run, board(ROW, today=today), 2, CURRENT_FIELD="today", LOCKED=table, LOCKED_REP_FIELD="rep", TOLERANCE=60
    )
    assert territory_of(outcome)["00005"] == "W"
    assert "in none of the units (1): 99999" in outcome.warnings


def test_locks_that_contradict_each_other_are_refused_by_name(refused, board, memory_layer):
    """By the column and by the layer; to a rep whom there is not; where a unit has no territory today."""
    layer = board(ROW, today=[*"WWWWWWE", None], lock=[None, "W", "no", None, None, None, None, None])
    wish = {**asked(layer, 2), "CURRENT_FIELD": "today", "LOCKED_REP_FIELD": "rep"}
    other = memory_layer({"zip": ["00001", "00002"], "rep": ["E", "E"]})
    message = refused("balanceterritories", {**wish, "LOCK_FIELD": "lock", "LOCKED": other})
    assert "00001 (W, E)" in message
    assert "00002" not in message
    unknown = memory_layer({"zip": ["00001"], "rep": ["North"]})
    assert "not “North” (00001)" in refused("balanceterritories", {**wish, "LOCKED": unknown})
    nobody = memory_layer({"zip": ["00007"], "rep": [None]})
    assert "00007 are locked where they are, but have no territory" in refused(
        "balanceterritories", {**wish, "LOCKED": nobody}
    )


def test_a_lock_without_an_id_is_told_by_its_row(run, board, memory_layer):
    layer = board(ROW, today=list("WWWWEEEE"))
    table = memory_layer({"zip": ["00000", None], "rep": ["W", "W"]})
    outcome = balanced(run, layer, 2, CURRENT_FIELD="today", LOCKED=table, LOCKED_REP_FIELD="rep")
    assert "row 2 (no id)" in outcome.warnings


def test_customers_of_two_reps_in_one_unit_are_refused(refused, board, memory_layer):
    points = memory_layer(
        {"rep": ["W", None, "E"]}, ["POINT(-99.65 39.95)", "POINT(-99.65 39.94)", "POINT(-99.64 39.95)"], kind="Point"
    )
    wish = {**asked(board(ROW, today=list("WWWWWWEE")), 2), "CURRENT_FIELD": "today", "LOCKED": points}
    message = refused("balanceterritories", {**wish, "LOCKED_REP_FIELD": "rep"})
    assert "00003 (E, W)" in message
    bare = memory_layer({"rep": ["W"]})
    assert "no field “zip” and no places" in refused("balanceterritories", {**wish, "LOCKED": bare})


def test_a_locked_territory_is_left_alone(run, board, reps):
    table = reps(id=["W", "M", "E"], name=["a", "b", "c"], locked=["yes", "no", "no"])
    layer = board(ROW, today=list("WMMMMMEE"))
    outcome = balanced(run, layer, REPS=table, CURRENT_FIELD="today")
    of = territory_of(outcome)
    assert {zip_code for zip_code, rep in of.items() if rep == "W"} == unit(0)
    assert sorted(Counter(of.values()).values()) == [1, 3, 4]


def test_no_territory_crosses_a_closed_border(run, board):
    """West 6, east 2: three territories and one of two each."""
    layer = board(ROW, state=["NJ"] * 6 + ["NY"] * 2)
    outcome = balanced(run, layer, 4, BORDER_FIELDS=["state"])
    of = territory_of(outcome)
    assert {of[each] for each in unit(6, 7)}.isdisjoint({of[each] for each in unit(0, 1, 2, 3, 4, 5)})
    assert Counter(of.values()) == dict.fromkeys(of.values(), 2)
    assert "NJ is worth 3.00" in outcome.results["CERTIFICATE"]


def test_regions_stay_whole_for_a_price(run, board):
    """Rows are counties. Free, the plan cuts across them; priced, it does not.

    | 1 1 1 1
    | 1 1 1 1
    """
    picture = "1 1 1 1\n1 1 1 1"
    county = ["north"] * 4 + ["south"] * 4
    free = balanced(run, board(picture, county=county), 2, WHOLE_FIELDS=["county"], WHOLE_PRICE=0)
    whole = balanced(run, board(picture, county=county), 2, WHOLE_FIELDS=["county"], WHOLE_PRICE=100)
    assert free.results["SPLITS"] == 2
    assert "north" in free.results["RULES"]
    assert whole.results["SPLITS"] == 0


def test_each_measure_within_its_own_tolerance(run, board):
    """All sales lie in the north, all calls are alike: side by side both are fair, one above the other only one.

    | 3 3 3 3
    | 0 0 0 0
    """
    layer = board("1 1 1 1\n1 1 1 1", sales=[3] * 4 + [0] * 4)
    outcome = balanced(run, layer, 2, WORKLOAD_FIELDS=["workload", "sales"], TOLERANCES="5, 5")
    held = Counter()
    for row in outcome.rows("ASSIGNMENT"):
        held[row["territory"]] += row["sales"]
    assert sorted(held.values()) == [6, 6]
    assert "sales: the largest deviation is 0.0 %" in outcome.results["RULES"]


def test_travel_times_beat_distance(run, board, reps, memory_layer):
    """A river between the second and the third unit, and a ferry that takes a day: its east belongs to B."""
    minutes = memory_layer(
        {
            "origin": ["00001"] * 3 + ["00003"] * 3,
            "destination": ["00000", "00002", "00003", "00000", "00001", "00002"],
            "minutes": [10.0, 1440.0, 1440.0, 1440.0, 1440.0, 10.0],
        },
        kind="None",
    )
    table = reps(id=["A", "B"], name=["Ann", "Bob"], home_zip=["00001", "00003"])
    of = territory_of(balanced(run, board("1 1 1 1"), REPS=table, TRAVEL=minutes))
    assert of == {"00000": "A", "00001": "A", "00002": "B", "00003": "B"}
    outcome = balanced(run, board("1 1 1 1"), 2, TRAVEL=minutes)  # without homes: from the best unit of each
    assert Counter(territory_of(outcome).values()) == {"T1": 2, "T2": 2}


def test_the_farthest_that_gives_way_is_told(run, board, reps):
    table = reps(id=["A", "B"], name=["Ann", "Bob"], home_zip=["00000", "00001"])
    outcome = balanced(run, board(ROW), REPS=table, MAX_TRAVEL=20)
    assert "farther than 20" in outcome.results["RULES"]


def test_a_heavy_zip_is_its_own_or_joined_or_shared(run, board):
    """
    9 1 1 1     12 for four: the west alone holds three targets
    """
    own = balanced(run, board("9 1 1 1"), 4)
    assert Counter(territory_of(own).values()) == {"T1": 1, "T2": 1, "T3": 1, "T4": 1}
    shared = run("balanceterritories", {**asked(board("9 1 1 1"), 4), "OVERSIZE": "share"})
    of = territory_of(shared)
    assert len(set(of.values())) == 2
    assert of["00000"].count("+") == 2
    assert {row["territory"]: row["within"] for row in shared.rows()} == dict.fromkeys(of.values(), True)
    joined = balanced(run, board("4 1 1 1 1 1 1"), 5, OVERSIZE="join")
    assert max(Counter(territory_of(joined).values()).values()) <= 2


@pytest.mark.parametrize(
    ("columns", "more", "message"),
    [
        ({"id": ["A", "B"], "home_zip": ["00001", "00001"]}, {}, "00001"),
        ({"id": ["A", "B"], "min": [5.0, 5.0]}, {}, "minima add up to 10"),
        ({"id": ["A"], "home_zip": ["99999"]}, {}, "99999"),
        ({"id": ["A", "B"]}, {"TERRITORIES": 3}, "2 reps are given and 3"),
        ({"id": ["A", "B"]}, {"TOLERANCES": "5, 10"}, "1 fields, 2 tolerances"),
        ({"id": ["A", "B"]}, {"BORDER_FIELDS": ["zip"], "WHOLE_FIELDS": ["zip"]}, "choose one"),
        ({"id": ["A", "B"], "locked": ["yes", "no"]}, {}, "A is locked but has no units today"),
    ],
)
def test_contradictions_are_refused_by_name_before_anything_is_written(refused, board, reps, columns, more, message):
    columns = {"name": ["x"] * len(columns["id"]), **columns}
    layer = board(ROW)
    assert message in refused("balanceterritories", {**asked(layer, None), "REPS": reps(**columns), **more})


def test_the_sample_with_reps_through_qgis_process(chain, qgis_process, tmp_path, read_rows):
    """Twenty reps at their territories' middle units, unequal: each keeps home, all within tolerance or told why."""
    market = chain.market()
    units = read_rows(market["UNITS"])
    homes = {}
    for row in sorted(units, key=lambda row: (-(row["workload"] or 0), row["zip"])):
        if row["rep"] and row["rep"] not in homes:
            homes[row["rep"]] = row["zip"]
    table = tmp_path / "reps.csv"
    lines = [f"{rep},{rep},{home},{(1, 0.5, 1.5)[at % 3]}" for at, (rep, home) in enumerate(sorted(homes.items()))]
    table.write_text("\n".join(["rep_id,name,home_zip,fte", *lines]), encoding="utf-8")
    outputs = {name: str(tmp_path / f"{name}.gpkg") for name in ("OUTPUT", "ASSIGNMENT")}
    done = qgis_process(
        "territories:balanceterritories",
        {**market, "REPS": str(table), "EFFORT": "quick", "TOLERANCE": 10, **outputs},
        by_json=True, timeout=300,
    )  # fmt: skip
    assert done.status == 0, done.messages
    of = {row["zip"]: row["territory"] for row in read_rows(outputs["ASSIGNMENT"])}
    assert {of[home] for home in homes.values()} == set(homes)
    assert all(of[home] == rep for rep, home in homes.items())
    plan = read_rows(outputs["OUTPUT"])
    assert len(plan) == len(homes)
    assert all(row["within"] or row["reason"] for row in plan)
    assert sum(row["workload"] for row in plan) == pytest.approx(sum(row["workload"] or 0 for row in units))


# --- travel tables that cannot be used are refused before the search


@pytest.mark.parametrize(("minutes", "said"), [
    ([0.0, 0.0, 0.0], ["All minutes of the travel table are 0"]),
    ([5.0, -3.0, 4.0], ["below 0 at row 2 (00000 to 00002)"]),
    (["5", "soon", "4"], ["no numbers", "row 2", "soon"]),
    ([float("inf"), 3.0, 4.0], ["no numbers", "row 1"]),
])  # fmt: skip
@pytest.mark.parametrize("algorithm", ["balanceterritories", "rebalanceterritories"])
@pytest.mark.parametrize("homes", [True, False])
def test_travel_tables_that_cannot_be_used(refused, board, memory_layer, minutes, said, algorithm, homes):
    table = memory_layer(
        {"origin": ["00000"] * 2 + ["00001"], "destination": ["00001", "00002", "00002"], "minutes": minutes}
    )
    parameters = {
        "UNITS": board("A A B B", column="rep", workload=[1.0] * 4), "UNIT_FIELD": "zip", "TRAVEL": table,
        "WORKLOAD_FIELDS": ["workload"], "EFFORT": "quick",
    }  # fmt: skip
    if homes:
        parameters["REPS"] = memory_layer({"rep_id": ["A", "B"], "home_zip": ["00000", "00003"]})
    own = {"TERRITORIES": 2} if algorithm == "balanceterritories" else {"CURRENT_FIELD": "rep"}
    message = refused(algorithm, {**parameters, **own})
    assert [text for text in said if text not in message] == [], message


def test_a_limit_of_travel_of_nothing_is_refused(refused, board, memory_layer):
    message = refused("balanceterritories", {
        "UNITS": board("1 1 1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "MAX_TRAVEL": 0,
        "REPS": memory_layer({"rep_id": ["A", "B"], "home_zip": ["00000", "00003"]}),
    })  # fmt: skip
    assert "farthest travel must be above 0" in message


def test_where_most_pairs_take_no_time_the_others_still_tell_what_is_missing(run, board, memory_layer):
    table = memory_layer({
        "origin": ["00000"] * 3, "destination": ["00001", "00002", "00003"], "minutes": [0.0, 0.0, 40.0],
    })  # fmt: skip
    outcome = run("balanceterritories", {
        "UNITS": board("1 1 1 1"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TRAVEL": table,
        "REPS": memory_layer({"rep_id": ["A", "B"], "home_zip": ["00000", "00003"]}), "EFFORT": "quick",
        "OUTPUT": "memory:",
    })  # fmt: skip
    assert "Missing pairs take 0.00 minutes" not in outcome.infos
