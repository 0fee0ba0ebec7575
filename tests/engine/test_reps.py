"""Reps tables as people write them: what each cell means, and everything that is wrong at once.

A B C D      cells of 0.01°, ids 10001 10002 10003 10004
E F G H                           10005 10006 11201 11202
"""

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.reps import Rep
from healthcare_territories.territory_plugin.engine.reps_table import find_columns, read_reps
from healthcare_territories.tests.engine.pictures import squares

POLYGONS, LETTERS = squares("ABCD\nEFGH")
UNITS = ["10001", "10002", "10003", "10004", "10005", "10006", "11201", "11202"]
REGIONS = {
    "state": ["NY", "NY", "NY", "NJ", "NY", "NY", "New York", "NJ"],
    "cbsa": ["New York-Newark, NY-NJ"] * 4 + [None] * 4,
}


def place(letter):
    return shapely.centroid(POLYGONS[list(LETTERS).index(letter)])


def read(frame, **more):
    return read_reps(pd.DataFrame(frame), UNITS, polygons=POLYGONS, **more)


def refusal(frame, **more):
    with pytest.raises(TerritoryError) as caught:
        read(frame, **more)
    return str(caught.value)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["REP_ID", "Name", "Home_Zip"], {"id": "REP_ID", "name": "Name", "home": "Home_Zip"}),
        (["Territory", "rep name", "FTE"], {"id": "Territory", "name": "rep name", "share": "FTE"}),
        (["territory", "id"], {"id": "id"}),  # the likelier name wins, not the first column
        (["id", "Must-have ZIPs", "Forbidden ZIPs", "Min", "MAX"],
         {"id": "id", "must_have": "Must-have ZIPs", "minimum": "Min", "maximum": "MAX",
          "forbidden": "Forbidden ZIPs"}),
    ],
)  # fmt: skip
def test_columns_by_their_usual_names(names, found):
    assert find_columns(names) == found


def test_a_column_of_ones_own():
    reps, _ = read({"Gebiet": ["1"], "wer": ["Ada"]}, columns={"id": "Gebiet", "name": "wer"})
    assert reps == [Rep("1", "Ada")]
    assert "no column “Gebiet”" in refusal({"id": ["1"]}, columns={"id": "Gebiet"})


def test_a_row_with_everything():
    reps, notes = read(
        {
            "rep_id": ["R1"], "name": ["Ada"], "home_zip": ["10001-1234"], "share": ["50 %"], "min": [10],
            "max": ["1,200"], "locked": ["Yes"], "must_have": ["10002, 112*"], "forbidden": ["10003"],
        }
    )  # fmt: skip
    assert reps == [
        Rep("R1", "Ada", "10001", 0.5, 10, 1200, True, frozenset({"10002", "11201", "11202"}), frozenset({"10003"}))
    ]
    assert notes == ["“max”: the comma parts thousands: “1,200” is 1200."]


def test_ids_of_a_spreadsheet_lose_their_decimals_and_only_the_id_is_needed():
    reps, _ = read({"id": [1.0, 2.0]})
    assert reps == [Rep("1", "1"), Rep("2", "2")]
    assert not reps[0].vacant


@pytest.mark.parametrize("name", [None, np.nan, "", "  ", "Vacant", "TBD"])
def test_a_rep_without_a_name_is_a_vacancy(name):
    reps, notes = read({"id": ["a", "b"], "name": ["Ada", name]})
    assert [rep.vacant for rep in reps] == [False, True]
    assert notes == ["Vacant territories (1): b."]


# --- capacity


def test_shares_and_part_time():
    reps, _ = read({"id": list("abc"), "fte": [1, 0.5, None]})
    assert [rep.share for rep in reps] == [1, 0.5, 1]


def test_a_capacity_is_a_share_of_the_mean():
    reps, notes = read({"id": list("abc"), "capacity": [100, 200, 300]})
    assert [rep.share for rep in reps] == [0.5, 1, 1.5]
    assert "mean, 200.00" in notes[0]


def test_a_share_beside_a_capacity_wins_and_is_told():
    reps, notes = read({"id": list("ab"), "share": [0.8, None], "capacity": [100, 300]})
    assert [rep.share for rep in reps] == [0.8, 1.5]
    assert any("a: “share” counts" in note for note in notes)


# --- homes


@pytest.mark.parametrize("zip_code", ["10001", 10001.0, "10001.0", "10001-2345", 100012345])
def test_home_by_zip(zip_code):
    assert read({"id": ["a"], "home_zip": [zip_code]})[0][0].home == "10001"


def test_home_by_point_and_by_coordinates():
    a, g = place("A"), place("G")
    reps, _ = read(
        {"id": ["a", "b", "c"], "lat": [None, str(g.y), None], "lon": [None, g.x, None]},
        points=np.array([a, None, None], dtype=object),
    )
    assert [rep.home for rep in reps] == ["10001", "11201", None]


def test_the_zip_is_asked_before_the_point_and_the_point_where_the_zip_is_none_of_ours():
    """The rep of the second row gets mail in a PO box, and lives in G."""
    points = np.array([place("G"), place("G")], dtype=object)
    reps, _ = read({"id": ["a", "b"], "zip": ["10001", "99999"]}, points=points)
    assert [rep.home for rep in reps] == ["10001", "11201"]


def test_homes_outside_the_market_are_named_with_the_way_out():
    said = refusal(
        {"id": ["a", "b", "c"], "zip": ["99999", None, None], "lat": [None, 10, 95], "lon": [None, 10, 10]},
    )
    assert "a (99999): the home ZIP is no unit of the market" in said
    assert "b: the home lies in no unit of the market" in said
    assert "leave the home empty" in said
    assert "c: latitude and longitude" in said


def test_two_homes_in_one_zip():
    said = refusal({"id": ["a", "b", "c"], "home_zip": ["10001", "10001", "10002"]})
    assert "10001 (a, b): two reps live in one ZIP" in said
    assert "neighbouring ZIP" in said
    assert "10002" not in said


def test_the_home_in_a_zip_that_was_divided():
    """10001 lies in two pieces: the point knows which; without it the person must say."""
    units = ["10001-1", "10001-2", *UNITS[2:]]
    table = pd.DataFrame({"id": ["a"], "zip": ["10001"]})
    points = np.array([place("B")], dtype=object)
    assert read_reps(table, units, polygons=POLYGONS, points=points)[0][0].home == "10001-2"
    with pytest.raises(TerritoryError, match=r"a \(10001: 10001-1, 10001-2\): the home ZIP is divided"):
        read_reps(table, units, polygons=POLYGONS)


# --- lists


@pytest.mark.parametrize(
    ("text", "units"),
    [
        ("10001", {"10001"}),
        ("10001;10002", {"10001", "10002"}),
        ("10001 10002\n10003", {"10001", "10002", "10003"}),
        ("112*", {"11201", "11202"}),
        ("1000*, 11201", {"10001", "10002", "10003", "10004", "10005", "10006", "11201"}),
        (10001.0, {"10001"}),
        ("NJ", {"10004", "11202"}),
        ("new jersey", {"10004", "11202"}),
        ("New York; 10004", {"10001", "10002", "10003", "10005", "10006", "11201", "10004"}),
        ("New York-Newark, NY-NJ", {"10001", "10002", "10003", "10004"}),
        ("New York-Newark, NY-NJ; 11202", {"10001", "10002", "10003", "10004", "11202"}),
        (None, set()),
    ],
)
def test_lists_of_zips_and_regions(text, units):
    reps, notes = read({"id": ["a"], "must_have": [text]}, regions=REGIONS)
    assert reps[0].must_have == units
    reps, _ = read({"id": ["a"], "forbidden": [text]}, regions=REGIONS)
    assert reps[0].forbidden == units
    assert notes == []


def test_numbers_of_other_columns_are_no_regions():
    """A workload of 99999 is not the ZIP 99999."""
    columns = {**REGIONS, "workload": ["99999"] * 8}
    assert "a (99999): what the rep must have is not in the market" in refusal(
        {"id": ["a"], "must_have": ["99999"]}, regions=columns
    )


def test_a_zip_that_was_divided_means_all_its_pieces():
    units = ["10001-1", "10001-2", *UNITS[2:]]
    reps, _ = read_reps(pd.DataFrame({"id": ["a"], "must_have": ["10001"]}), units)
    assert reps[0].must_have == {"10001-1", "10001-2"}


def test_what_is_not_in_the_market_may_be_forbidden_but_not_demanded():
    reps, notes = read({"id": ["a"], "forbidden": ["99999, 888*, PA"]}, regions=REGIONS)
    assert reps[0].forbidden == frozenset()
    assert "99999" in notes[0]
    assert "888*" in notes[0]
    assert "PA" in notes[0]
    said = refusal({"id": ["a"], "must_have": ["99999"]})
    assert "a (99999): what the rep must have is not in the market" in said


def test_words_that_mean_nothing_are_named():
    said = refusal({"id": ["a", "b"], "forbidden": ["Jersy", "10001, x*"]}, regions=REGIONS)
    assert "a (Jersy), b (x*): what the rep may not have is no ZIP, and not a region in state, cbsa" in said
    assert "no region column is given" in refusal({"id": ["a"], "forbidden": ["NJ"]})


# --- contradictions


def test_everything_wrong_is_said_at_once():
    said = refusal(
        {
            "id": ["a", "a", None, "c", "d", "e"],
            "home_zip": ["10001", "10002", "10003", "10004", "77777", "10005"],
            "share": [0, "much", 1, -1, 1, 1],
            "min": [5, None, None, None, None, None], "max": [4, None, None, -3, None, None],
            "locked": ["perhaps", None, None, None, None, None],
            "must_have": [None, None, "10006", "10006", None, "10001"],
            "forbidden": [None, None, None, "NJ", None, None],
        },
        regions=REGIONS,
    )  # fmt: skip
    for line in (
        "row 3: no id",
        "a: the id occurs more than once",
        "a (0), c (-1): “share” must be above 0",
        "a (“much”): “share” is no number",
        "a (5 > 4): the least workload is above the most",
        "c: a least or most workload is negative",
        "a (“perhaps”): “locked” is neither yes nor no",
        "d (77777): the home ZIP is no unit",
        "10001 (a, e), 10006 (row 3, c): several reps must have (or live in) one ZIP",
        "c (10004): the home is forbidden to its own rep",
    ):
        assert line in said


def test_a_zip_demanded_and_forbidden():
    said = refusal({"id": ["a"], "must_have": ["10001, 10002"], "forbidden": ["1000*"]})
    assert "a (10001, 10002): a ZIP is both a must-have and forbidden" in said


def test_a_table_without_ids_says_what_it_has():
    said = refusal({"who": ["Ada"], "fte": [1]})
    assert "no column of ids (rep_id" in said
    assert "who, fte" in said
