"""Reps' ids against today's territories: lost zeros, names instead of ids, and tables that do not belong together."""

from __future__ import annotations

import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.reps import Rep, follow_today
from healthcare_territories.territory_plugin.engine.reps_table import read_reps
from healthcare_territories.territory_plugin.engine.unit_names import UnitNames

TODAY = {"60601": "0101", "60602": "0102", "60603": "0103", "60604": None}


def ids(reps):
    return [rep.id for rep in reps]


def test_ids_without_their_zeros_are_the_territories_of_today():
    reps, notes = follow_today([Rep("101", "Ada"), Rep("102", "Ben"), Rep("103", "Cy")], TODAY)
    assert ids(reps) == ["0101", "0102", "0103"]
    assert [rep.name for rep in reps] == ["Ada", "Ben", "Cy"]
    assert "101 is 0101" in notes[0]


def test_ids_that_fit_are_left_alone_and_nothing_is_told():
    reps = [Rep("0101"), Rep("0102"), Rep("0103")]
    assert follow_today(reps, TODAY) == (reps, [])
    assert follow_today([Rep("0101"), Rep("0102"), Rep("0103"), Rep("0104")], TODAY)[1] == []  # one comes
    assert follow_today([Rep("0101"), Rep("0103")], TODAY)[1] == []  # one goes


def test_today_has_the_names_of_people():
    today = {"60601": "Ada Lee", "60602": "BEN  Orr", "60603": "Cy Ng"}
    reps, notes = follow_today([Rep("R1", "Ada Lee"), Rep("R2", "Ben Orr"), Rep("R3", "Cy Ng")], today)
    assert ids(reps) == ["Ada Lee", "BEN  Orr", "Cy Ng"]
    assert "column of the name" in notes[0]


def test_a_further_column_has_the_territories():
    reps, notes = follow_today([Rep("R1"), Rep("R2"), Rep("R3")], TODAY, {"Terr": ["0103", "0102", "0101"]})
    assert ids(reps) == ["0103", "0102", "0101"]
    assert "column of the Terr" in notes[0]


def test_tables_that_do_not_belong_together_stop_with_examples_of_both():
    with pytest.raises(
        TerritoryError, match=r"0 reps fit one of 3 territories.*Reps are like X1, X2.*0101, 0102, 0103"
    ):
        follow_today([Rep("X1"), Rep("X2")], TODAY)


def test_some_that_fit_nobody_are_told_where_both_sides_have_some():
    reps, notes = follow_today([Rep("0101"), Rep("0102"), Rep("O103")], TODAY)
    assert ids(reps) == ["0101", "0102", "O103"]
    assert "Reps without a territory today: O103" in notes[0]
    assert "without a rep: 0103" in notes[0]


def test_a_table_of_crm_ids_that_a_spreadsheet_spoilt_is_refused():
    import pandas as pd

    with pytest.raises(TerritoryError, match=r"row 1 \(“1.23457E\+09”\)"):
        read_reps(pd.DataFrame({"rep_id": ["1.23457E+09", "7"]}), ["60601"])


# --- what may be forbidden

UNITS = ["60601", "60602", "61701"]
NAMES = UnitNames(UNITS, {"county": ["Cook", "Cook", "McLean"], "county_fips": ["17031", "17031", "17113"],
                          "workload": ["17099", "5", "6"]})  # fmt: skip


@pytest.mark.parametrize(
    ("text", "found", "strange", "outside"),
    [
        ("606*", {"60601", "60602"}, [], []),
        ("606", set(), ["606"], []),  # not Puerto Rico's 00606
        ("17031", {"60601", "60602"}, [], []),  # the code of a county that a column holds
        (
            "17043",
            set(),
            ["17043"],
            [],
        ),  # the code of a county of this state that no column holds; a ZIP of Pennsylvania
        ("17099", set(), ["17099"], []),  # a number in another column is none
        ("10001", set(), [], ["10001"]),
        ("Cook", {"60601", "60602"}, [], []),
        ("60601-60699, 61701", {"60601", "60602", "61701"}, [], []),
        ("60602 - 60612; 10001-10003", {"60602"}, [], ["10001-10003"]),
    ],
)
def test_what_digits_mean_in_a_list_of_zips(text, found, strange, outside):
    assert NAMES.units(text) == (frozenset(found), strange, outside)


def test_a_home_that_lost_its_last_digit_is_not_moved_to_another_state():
    import pandas as pd

    units = ["07701", "77010"]
    with pytest.raises(TerritoryError, match=r"R1 \(7701\): the home ZIP is no unit"):
        read_reps(pd.DataFrame({"rep_id": ["R1"], "home_zip": ["7701"], "state": ["TX"]}), units)
    reps, _ = read_reps(pd.DataFrame({"rep_id": ["R1"], "home_zip": ["7701"], "state": ["NJ"]}), units)
    assert reps[0].home == "07701"
