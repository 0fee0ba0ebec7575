"""One column, one reading: a number is read as it was meant, refused by name, or told; never another value."""

from __future__ import annotations

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.tables.numbers import (
    published_number,
    read_numbers,
    require_numbers,
    typed_numbers,
)
from hypothesis import given
from hypothesis import strategies as st

NONE = float("nan")


def same(found, wanted):
    return np.allclose(found, wanted, rtol=1e-12, atol=0, equal_nan=True)


@pytest.mark.parametrize(
    ("column", "numbers"),
    [
        # a careless reader strips the comma: 5, 1205, 155
        (["0,5", "1"], [0.5, 1]),
        (["120,5", "95"], [120.5, 95]),
        (["15,5", "8,25"], [15.5, 8.25]),
        (["0,125", "1"], [0.125, 1]),  # three digits, but 0 before them
        ([",5"], [0.5]),
        (["1234,567"], [1234.567]),  # no thousands are parted so
        # one sure decimal comma decides for all
        (["1,5", "1,234"], [1.5, 1.234]),
        (["1.234,5", "2.000"], [1234.5, 2000]),
        (["1 234,5", "1 000"], [1234.5, 1000]),
        # thousands
        (["1,234", "12"], [1234, 12]),
        (["1,234,567", "1,234"], [1234567, 1234]),
        (["1,234.5"], [1234.5]),
        (["1'234.5", "7"], [1234.5, 7]),
        (["1.234.567", "1,5"], [1234567, 1.5]),
        (["1.234.567", "2.000"], [1234567, 2000]),
        # decimal points
        (["1.234", "0.5"], [1.234, 0.5]),
        (["1.5e3", "2E-1"], [1500, 0.2]),
        # currency, per cent, signs
        (["$4.50", "USD 3", "5 €", "£1,200"], [4.5, 3, 5, 1200]),
        (["(3)", "-4", "−5", "6-", "+7", "($1,000.50)"], [-3, -4, -5, -6, 7, -1000.5]),
        (["50 %", "7%"], [50, 7]),
        # nothing
        ([None, "", "  ", "N/A", "#N/A", "nan", "None", "null", "–", "-", "2"], [NONE] * 10 + [2]),
        ([1, 2.5, np.int32(3), None, True], [1, 2.5, 3, NONE, 1]),
        (["\u00a05\u00a0", "\u200b6"], [5, 6]),
    ],
)
def test_a_column_is_read_as_it_was_meant(column, numbers):
    found = read_numbers(column)
    assert not found.contradiction
    assert found.unread == []
    assert same(found.floats, numbers)


@pytest.mark.parametrize(
    ("column", "rows"),
    [
        (["1,5", "1,234,567"], "row 1 (“1,5”).*row 2 (“1,234,567”)"),
        (["1.234,5", "1,234.5"], "row 1 (“1.234,5”).*row 2 (“1,234.5”)"),
        (["2", "0,5", "0.5"], "row 2 (“0,5”).*row 3 (“0.5”)"),
        (["1.5", "1.234.567"], "row 1 (“1.5”).*row 2 (“1.234.567”)"),
    ],
)
def test_two_ways_in_one_column_are_refused_by_row(column, rows):
    first, second = rows.split(".*")
    told = read_numbers(column).contradiction
    assert first in told
    assert second in told
    with pytest.raises(TerritoryError, match="in one way"):
        require_numbers(column, "“FTE”")


@pytest.mark.parametrize(
    "text", ["many", "1,23,456", "1,2,3", "12 a", "1e400", "inf", "2020-01-05", "5/6", "1..2", "1,,2", "--5", "#REF!",
             "1_000", "0x10", "٣a"]
)  # fmt: skip
def test_what_is_no_number_is_named(text):
    assert read_numbers(["1", text]).unread == [1]
    with pytest.raises(TerritoryError, match="“FTE” holds values that are no numbers") as caught:
        require_numbers(["1", text], "“FTE”", ["Ada", "Ben"])
    assert f"Ben (“{text}”)" in str(caught.value)


def test_marks_are_told_where_they_could_mean_something_else():
    assert read_numbers(["0,5"], called="“FTE”").notes == ["“FTE”: the comma is decimal: “0,5” is 0.5."]
    assert read_numbers(["1,234"], called="“max”").notes == ["“max”: the comma parts thousands: “1,234” is 1234."]
    assert read_numbers(["1.5", "2", "-3"]).notes == []


def test_per_cent_is_a_hundredth_where_that_is_asked_for():
    assert read_numbers(["50 %", "1", "0,5"], percent=True).floats.tolist() == [0.5, 1, 0.5]


def test_a_long_column_names_every_row_of_a_text_that_is_no_number():
    found = read_numbers(["x", "1", "x", float("inf"), ["a", "list"], "1"])
    assert found.unread == [0, 2, 3, 4]
    assert found.floats[[1, 5]].tolist() == [1, 1]


def test_nan_is_no_value_in_a_frame_and_no_number_in_a_layer():
    assert read_numbers([1.0, NONE]).unread == []
    assert read_numbers([1.0, NONE], nan=False).unread == [1]
    assert read_numbers(np.array([1.0, np.inf, NONE])).unread == [1]
    assert read_numbers(np.array([1.0, np.inf, NONE]), nan=False).unread == [1, 2]


def written(value, style):
    """Return a number as a person of some country writes it, with two decimals."""
    english = f"{value:,.2f}"
    return english if style == "english" else english.translate(str.maketrans(",.", ".,"))


@given(
    st.lists(st.integers(-(10**9), 10**9).map(lambda cents: cents / 100), min_size=1, max_size=8),
    st.sampled_from(["english", "german"]),
)
def test_numbers_survive_being_written(numbers, style):
    found = read_numbers([written(number, style) for number in numbers])
    assert not found.contradiction
    assert same(found.floats, numbers)


@given(st.lists(st.text("0123456789.,-% $€()eE+ '", max_size=9), min_size=1, max_size=6))
def test_whatever_stands_in_a_cell_it_is_read_refused_or_nothing(column):
    found = read_numbers(column)
    assert np.isnan(found.floats[found.unread]).all()
    if not found.contradiction:
        lost = [row for row, text in enumerate(column) if np.isnan(found.floats[row]) and row not in found.unread]
        assert not any(any(sign.isdigit() for sign in column[row]) for row in lost)


@pytest.mark.parametrize(
    ("text", "number"),
    [("15", 15), ("1,234", 1234), ("1,234,567.5", 1234567.5), ("$20", 20), ("$1,200", 1200), (" 7 ", 7), ("-3.5", -3.5),
     ("15,5", NONE), ("1,23", NONE), ("1_000", NONE), ("inf", NONE), ("", NONE), (None, NONE), ("x", NONE),
     ("1,234,5", NONE)],
)  # fmt: skip
def test_published_files_have_decimal_points(text, number):
    assert same([published_number(text)], [number])


@pytest.mark.parametrize(
    ("text", "numbers"),
    [("60, 10, 30", [60, 10, 30]), ("60 %; 40 %", [60, 40]), ("12,5; 87,5", [12.5, 87.5]), ("7.5", [7.5]), ("", [])],
)
def test_a_typed_list(text, numbers):
    assert typed_numbers(text, "Shares") == numbers


def test_a_typed_list_that_is_none():
    with pytest.raises(TerritoryError, match=r"Shares must be numbers.*“ten”"):
        typed_numbers("60, ten", "Shares")
