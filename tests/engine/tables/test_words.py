"""Words for nothing, for nobody, for yes and no; ids that a spreadsheet spoils, and ids of two tables."""

from __future__ import annotations

import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.tables.cells import cell_text
from healthcare_territories.territory_plugin.engine.tables.ids import (
    is_damaged,
    match_ids,
    one_value_each,
    refuse_damaged,
)
from healthcare_territories.territory_plugin.engine.tables.missing import (
    is_missing,
    is_nobody,
    is_unassigned,
    known_text,
)
from healthcare_territories.territory_plugin.engine.tables.names import plain_name
from healthcare_territories.territory_plugin.engine.tables.yes_no import yes_no


@pytest.mark.parametrize("text", [None, "", "NULL", "N/A", "#N/A", "nan", "NaN", "None", "–", "-", "(blank)", "<null>"])
def test_nothing_is_nothing_in_every_column(text):
    assert is_missing(text)
    assert is_unassigned(text)
    assert is_nobody(text)
    assert known_text(text) is None


@pytest.mark.parametrize(
    ("text", "unassigned", "nobody"),
    [("Unassigned", True, True), ("VACANT", True, True), ("vacancy", True, True), ("TBD", True, True),
     ("open", False, True), ("(Unassigned)", True, True), ("NA", True, True), ("No territory", True, False),
     ("North", False, False), ("T0101", False, False), ("0", False, False), ("Nant", False, False),
     ("Open Door Clinic", False, False), ("Vacante Ruiz", False, False)],
)  # fmt: skip
def test_who_is_nobody(text, unassigned, nobody):
    assert not is_missing(text)
    assert is_unassigned(text) is unassigned
    assert is_nobody(text) is nobody


@pytest.mark.parametrize(
    ("value", "text"),
    [(501.0, "501"), (0.5, "0.5"), (True, "True"), ('="0101"', "0101"), ("'0101", "0101"), ("O'Hara", "O'Hara"),
     ("\ufeffA\u00a0", "A"), (float("nan"), None), ("  ", None), ("'", "'"), (12345678901.0, "12345678901")],
)  # fmt: skip
def test_a_cell_as_text(value, text):
    assert cell_text(value) == text


@pytest.mark.parametrize(
    ("text", "damaged"),
    [("1.23457E+09", True), ("1,23457E+09", True), ("1E+10", True), ("#REF!", True), ("#VALUE!", True), ("####", True),
     ("12E10", False), ("1E5", False), ("1234567893", False), ("#1 Ortho", False), (None, False)],
)  # fmt: skip
def test_what_a_spreadsheet_spoils(text, damaged):
    assert is_damaged(text) is damaged
    if damaged:
        with pytest.raises(TerritoryError, match="row 2"):
            refuse_damaged(["A", text], "“npi”")


def test_lost_zeros_are_matched_only_where_one_fits():
    matching = match_ids(["101", "7", "NORTH  east"], ["0101", "07", "007", "North East"])
    assert matching.found == {"101": "0101", "NORTH  east": "North East"}
    assert matching.zeros == ["101"]
    assert matching.unmatched == ["7"]
    assert matching.without == ["07", "007"]


def test_one_id_is_not_given_to_two():
    assert match_ids(["101", "0101"], ["0101"]).found == {"0101": "0101"}


def test_a_key_with_two_values_is_refused_and_with_one_value_twice_is_not():
    assert one_value_each(["A", "A", "B", None], [1, 1, 2, 3], "The table") == {"A": 1, "B": 2}
    with pytest.raises(TerritoryError, match=r"A \(“1” and “2”"):
        one_value_each(["A", "A"], [1, 2], "The table")


def test_names_that_look_alike_are_one():
    assert plain_name("Nu\u0301n\u0303ez") == plain_name("NÚÑEZ")
    assert plain_name("North\u00a0 East") == plain_name("north east")


@pytest.mark.parametrize(
    ("text", "answer"),
    [("Yes", True), ("x", True), ("1", True), ("no", False), ("0", False), ("n/a", False), (None, False),
     ("maybe", None), ("closed", False), ("2", None)],
)  # fmt: skip
def test_yes_and_no(text, answer):
    assert yes_no(text, no=frozenset({"closed"})) is answer
