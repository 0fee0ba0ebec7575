"""An alignment as companies keep it, read for a market of six ZIPs in three hundreds."""

from datetime import date

import pytest
from healthcare_territories.territory_plugin.engine.alignment_table import (
    date_columns,
    read_alignment,
    upper_column,
)
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.tables.dates import read_dates

MARKET = ["60601", "60602", "60603", "60701", "60702", "60801"]


def read(ids, names, unit="ZIP", more=None, units=MARKET, **wishes):
    return read_alignment({unit: ids, **(more or {}), "Territory": names}, unit, "Territory", units, **wishes)


def refused(*given, **wishes):
    with pytest.raises(TerritoryError) as refusal:
        read(*given, **wishes)
    return str(refusal.value)


EAST_WEST = dict(zip(MARKET, ["East", "East", "East", "West", "West", "West"]))


@pytest.mark.parametrize(
    ("ids", "names"),
    [
        (MARKET, list(EAST_WEST.values())),
        (["60601-60603", "60701-60801"], ["East", "West"]),
        (["60601, 60602, 60603", "60701; 60702\n60801"], ["East", "West"]),
        (["60601 60602 60603", "60701 60702 60801"], ["East", "West"]),
        (["606*", "607xx", "608*"], ["East", "West", "West"]),
        (['="60601"', "60602-0001", "606030000", "US-60701", "USA_60702", "60801.0"], list(EAST_WEST.values())),
        (["60600 to 60699", "60700–60899"], ["East", "West"]),
    ],
)
def test_every_way_to_list_zips_is_the_same_alignment(ids, names):
    assert read(ids, names).territory == EAST_WEST


@pytest.mark.parametrize(
    ("lower", "upper"),
    [
        ("zip_from", "zip_to"), ("From ZIP", "To ZIP"), ("ZIPFrom", "ZIPTo"), ("zipstart", "zipend"), ("Start", "End"),
        ("from", "to"), ("Beginning ZIP Code", "Ending ZIP Code"), ("Low Zip", "High Zip"), ("ZIP", "ZIP thru"),
        ("min_zip", "max_zip"),
    ],
)  # fmt: skip
def test_ends_in_two_columns(lower, upper):
    found = read(["60601", 60701], ["East", "West"], unit=lower, more={upper: ["60603", "60899"]})
    assert found.territory == EAST_WEST
    assert f"“{lower}” to “{upper}”" in found.notes[0]
    with pytest.raises(TerritoryError, match=f"choose “{lower}”" if lower != "ZIP" else "no unit|No unit|has only"):
        read_alignment(
            {lower: ["60601"], upper: ["60603"], "Territory": ["East"]}, upper, "Territory", ["60601", "60602"]
        )


def test_columns_that_are_no_upper_end():
    for other in (["2025-12-31"], ["12/31/2025"]):
        assert upper_column({"ZIP": ["60601"], "end_date": other, "end": other}, "ZIP") is None
    assert upper_column({"ZIP": ["60601"], "to": ["East"]}, "ZIP") is None
    assert upper_column({"ship zip": ["60601"], "bill zip to": ["60601"]}, "ship zip") is None


@pytest.mark.parametrize("name", ["ZIP3", "3-digit zip", "SCF", "ZIP Prefix"])
def test_three_digits_where_the_column_says_so(name):
    assert read(["606", "607-608"], ["East", "West"], unit=name).territory == EAST_WEST


def test_three_digits_elsewhere_are_refused_with_the_way_out():
    message = refused(["60601", "607", "608"], ["East", "West", "West"])
    for word in ("2 rows", "“607” (row 2, West)", "606*", "ZIP3", "60602, 60603"):
        assert word in message


@pytest.mark.parametrize("bad", ["Loop", "6.06E+04", "60601 Loop", "60603-60601", "O6O602", "00000"])
def test_what_cannot_be_read_is_refused_where_a_unit_has_nothing_else(bad):
    message = refused([*MARKET[:5], bad], ["East"] * 6)
    for word in ("1 row ", "row 6, East", "60801"):
        assert word in message


def test_what_cannot_be_read_is_told_where_every_unit_has_a_row():
    found = read([*MARKET, *[f"9000{at}" for at in range(5)], "Loop"], ["East"] * 12)
    assert set(found.territory.values()) == {"East"}
    assert "“Loop” (row 12, East)" in found.warnings[0]
    assert "% of the table" in refused([*MARKET, "Loop", "Lake", "Park"], ["East"] * 9)
    # rows that give nobody anything are no loss
    assert read([*MARKET, "Loop"], [*["East"] * 6, "Unassigned"]).warnings == []


def test_unreadable_and_elsewhere_are_two_counts():
    names = ["East"] * 12
    found = read([*MARKET, "60680", "K1A 0B1", "Loop", "60603-1234", "99901", "90001-90009"], names)
    assert [text.split(" of the")[0] for text in found.warnings] == ["1 row", "4 ZIPs or units"]
    for word in ("60680", "K1A 0B1", "99901", "90001-90009"):
        assert word in found.warnings[1]
    assert found.apart == dict.fromkeys(["60680", "K1A 0B1", "99901"], "East")


def test_nothing_and_few_are_refused_with_examples_of_both_sides():
    message = refused(["90001", "90002", "90003", "90004"], ["A"] * 4)
    for word in ("No unit", "60601, 60602, 60603", "90001, 90002, 90003."):
        assert word in message
    message = refused(["60601", "90002", "90003", "90004"], ["A"] * 4)
    for word in ("only 1 of 6 units", "1 of its 4 items", "60602, 60603, 60701", "90002, 90003, 90004"):
        assert word in message
    found = read(["60601", "60602"], ["A"] * 2)  # truly few: all that the table has is in the market
    assert "only 2 of 6 units" in found.warnings[0]


def test_two_territories_are_refused_by_name():
    message = refused(["60601-60701", "60701-60801"], ["East", "West"])
    assert "1 unit 60701 (East, West)" in message
    assert "60601 (East, West)" in refused(["60601", "606*", "607*", "608*"], ["East", "West", "West", "West"])
    assert read(["60601", "606*", "607*", "608*"], ["East", "EAST ", "W", "W"]).territory["60601"] == "East"


def test_words_for_nobody_and_rows_without_a_zip():
    found = read([*MARKET, None, "nan"], ["East", "#N/A", "Unassigned", None, "vacant", "East", "West", None])
    assert found.territory == dict(zip(MARKET, ["East", "#N/A", "Unassigned", None, "vacant", "East"]))
    assert "1 row of the current alignment without a ZIP or unit" in found.warnings[0]
    assert "row 7 (West)" in found.warnings[0]


def test_lost_zeros_are_told():
    found = read(["7701", "7702"], ["A", "B"], units=["07701", "07702"])
    assert found.territory == {"07701": "A", "07702": "B"}
    assert "2 ZIPs had lost zeros" in found.notes[0]


def test_pieces_of_a_divided_zip():
    pieces = ["60601-1", "60601-2", "60602"]
    assert read(["60601", "60602"], ["A", "B"], units=pieces).territory == dict(zip(pieces, "AAB"))
    assert read(pieces, ["A", "B", "B"], units=pieces).territory == dict(zip(pieces, "ABB"))


def test_zips_that_lie_in_a_unit_are_kept_apart():
    found = read(["60601-60699", "60701", "60702", "60801"], ["A", "B", "B", "B"], others=["60680", "60790"])
    assert found.apart == {"60680": "A"}
    assert read([*MARKET, "60680"], ["A"] * 7, others=["60680"]).warnings == []


# --- days

OLD_AND_NEW = {
    "Start Date": ["1/1/2024"] * 3 + ["7/1/2025"] * 6,
    "End Date": ["6/30/2025"] * 3 + ["12/31/9999", None, "", "12/31/9999", "N/A", "12/31/9999"],
}
IDS, WHO = [*MARKET[:3], *MARKET], ["Old"] * 3 + ["East"] * 6


def test_rows_that_end_need_a_day():
    message = refused(IDS, WHO, more=OLD_AND_NEW)
    for word in ("3 rows that end", "“End Date”", "60601 (2025-06-30)", "ALIGNMENT_DATE"):
        assert word in message


def test_the_day_chooses_the_rows():
    found = read(IDS, WHO, more=OLD_AND_NEW, day=date(2026, 1, 1))
    assert set(found.territory.values()) == {"East"}
    assert "6 rows hold, 3 ended before, 0 begin later" in found.notes[0]
    found = read(IDS, WHO, more=OLD_AND_NEW, day=date(2025, 6, 30), units=MARKET[:3])
    assert set(found.territory.values()) == {"Old"}
    assert "choose another day" in refused(IDS, WHO, more=OLD_AND_NEW, day=date(1999, 1, 1))


def test_a_list_of_changes_without_ends():
    starts = {"effective_date": ["2024-01-01"] * 6 + ["2025-01-01", "2027-01-01"]}
    ids, names = [*MARKET, "60601", "60602"], [*["East"] * 6, "West", "West"]
    found = read(ids, names, more=starts, day=date(2026, 1, 1))
    assert found.territory == {**dict.fromkeys(MARKET, "East"), "60601": "West"}
    later = {"effective_date": [*starts["effective_date"][:6], "2025-01-01"]}
    assert read(ids[:7], [*names[:6], "Vacant"], more=later, day=date(2026, 1, 1)).territory["60601"] == "Vacant"
    assert "ALIGNMENT_DATE" in refused(ids, names, more=starts)


def test_a_day_without_dates_and_ends_that_never_come():
    assert "no column of dates" in refused(MARKET, ["East"] * 6, day=date(2026, 1, 1))
    assert len(read(MARKET, ["East"] * 6, more={"valid_to": ["9999-12-31"] * 6}).territory) == 6
    assert "cannot be read as dates" in refused(MARKET, ["A"] * 6, more={"end_date": ["soon"] * 6})


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("start_date", "end_date"), ("Valid From", "Valid To"), ("effective_from", "effective_to"),
        ("effective", "expires"), ("Eff Date", "Term Date"), ("StartDate", "EndDate"), ("from_date", "to_date"),
        ("start", "end"),
        ("Effective Date", "Expiration Date"), ("date_from", "date_to"),
    ],
)  # fmt: skip
def test_columns_of_dates_are_found(start, end):
    dates = {"sales to date": [1], "trend": [2], start: ["2025-01-01"], end: ["2025-12-31"], "to": ["60601"]}
    assert date_columns(dates) == (start, end)


def test_dates_as_people_write_them():
    same = [
        "2025-03-04", "3/4/2025", "20250304", "4-Mar-2025", "Mar 4, 2025", "04.03.2025", "2025-03-04T00:00:00",
        "3/4/25",
    ]  # fmt: skip
    assert read_dates(same, "end") == [date(2025, 3, 4)] * 8
    assert read_dates(["3/4/2025", "31/12/2025"], "end")[0] == date(2025, 4, 3)  # days come first in this column
    for wrong in (["31/12/2025", "12/31/2025"], ["soon"], ["2025-02-30"], ["45657"]):
        with pytest.raises(TerritoryError, match="“end”"):
            read_dates(wrong, "end")
