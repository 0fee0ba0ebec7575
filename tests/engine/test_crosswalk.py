"""Crosswalks: one unit for each ZIP, and never simply the last one."""

import pytest
from healthcare_territories.territory_plugin.engine.crosswalk import choose_columns, read_crosswalk
from healthcare_territories.territory_plugin.engine.errors import TerritoryError


def read(table, units=None, **named):
    return read_crosswalk(table, choose_columns(list(table), **named), units)


@pytest.mark.parametrize(
    ("names", "found"),
    [
        (["ZIP_CODE", "ZCTA"], ("ZIP_CODE", "ZCTA")),
        (["zipcode", "ZCTA5"], ("zipcode", "ZCTA5")),
        (["Zip Code", "City", "zcta use"], ("Zip Code", "zcta use")),
        (["\ufeffZIP", "ReportingYear", "ENC_ZIP", "ZCTA_USE"], ("\ufeffZIP", "ZCTA_USE")),
        (["GEOID_ZCTA5_20", "USPS ZIP"], ("USPS ZIP", "GEOID_ZCTA5_20")),
    ],
)
def test_columns_are_found_however_they_are_written(names, found):
    chosen = choose_columns(names)
    assert (chosen.zip, chosen.unit) == found
    assert all(f"“{name}”" in chosen.told() for name in found)


def test_columns_that_look_alike_and_are_not_taken_are_told():
    chosen = choose_columns(["ZIP", "ZIP_CODE", "zcta", "ZCTA_USE"])
    assert (chosen.zip, chosen.unit) == ("ZIP", "ZCTA_USE")
    assert "Not used: “ZIP_CODE”, “zcta”" in chosen.told()


def test_the_polygons_column_may_be_called_like_a_zip():
    chosen = choose_columns(["zip", "zip5"], unit_field="zip")
    assert (chosen.zip, chosen.unit) == ("zip5", "zip")


@pytest.mark.parametrize("reverse", [False, True])
@pytest.mark.parametrize("ratio", ["RES_RATIO", "bus ratio", "TOT_RATIO", "AFACT", "Allocation Factor"])
def test_the_largest_share_wins_wherever_it_stands(ratio, reverse):
    rows = [("60680", "60607", "0.97"), ("60680", "60636", "0.03"), ("60666", "60602", "1")]
    zips, ends, shares = zip(*(rows[::-1] if reverse else rows))
    mapping, notes = read({"ZIP": list(zips), "ZCTA": list(ends), ratio: list(shares)})
    assert mapping == {"60680": "60607", "60666": "60602"}
    assert (
        f"1 ZIP lies in several polygons; the largest “{ratio}” decides: 60680 goes to 60607 (0.97), not to 60636"
        in ("\n".join(notes))
    )


def test_businesses_come_before_homes_and_homes_where_there_is_no_business():
    table = {
        "zip": ["1001", "1001", "1002", "1002"], "zcta": ["01001", "01009", "01001", "01009"],
        "res_ratio": [0.9, 0.1, 0.9, 0.1], "bus_ratio": [0.1, 0.9, 0.0, 0.0],
    }  # fmt: skip
    assert read(table)[0] == {"01001": "01009", "01002": "01001"}
    assert read(table, ratio_field="res_ratio")[0] == {"01001": "01001", "01002": "01001"}


def test_rows_of_one_zip_and_unit_are_one():
    """0.3 + 0.3 in two counties outweigh 0.4."""
    table = {"zip": ["60680"] * 3, "zcta": ["60607", "60636", "60607"], "tot_ratio": [0.3, 0.4, 0.3]}
    assert read(table)[0] == {"60680": "60607"}
    del table["tot_ratio"]
    table["zcta"] = ["60607"] * 3
    assert read(table)[0] == {"60680": "60607"}


def test_decimal_commas_are_decimal():
    table = {"zip": ["60680", "60680"], "zcta": ["60607", "60636"], "tot_ratio": ["0,97", "0,03"]}
    assert read(table)[0] == {"60680": "60607"}


@pytest.mark.parametrize(
    ("more", "said"),
    [
        ({}, ["60680 (60607, 60636)", "CROSSWALK_RATIO_FIELD", "one row for each"]),
        ({"tot_ratio": [0.5, 0.5]}, ["60680 (60607, 60636)", "largest “tot_ratio”", "one row for each"]),
        ({"tot_ratio": [None, None]}, ["60680 (60607, 60636)"]),
        ({"tot_ratio": ["much", "little"]}, ["tot_ratio", "much"]),
    ],
)
def test_what_decides_nothing_is_refused_by_name(more, said):
    with pytest.raises(TerritoryError) as refusal:
        read({"zip": ["60680", "60680"], "zcta": ["60607", "60636"], **more})
    assert [word for word in said if word not in str(refusal.value)] == []


def test_what_concerns_no_unit_at_hand_is_no_trouble():
    table = {"zip": ["60680", "60680", "60666"], "zcta": ["60607", "60636", "60602"]}
    assert read(table, units=["60602"])[0] == {"60666": "60602"}
    assert read(table, units=["60602", "60680"])[0] == {"60666": "60602"}
    with pytest.raises(TerritoryError, match="60680"):
        read(table, units=["60602", "60607"])


def test_ids_of_units_that_are_no_zips():
    table = {"zip": ["60680"], "county": ["Cook"]}
    assert read(table, units=["Cook"], unit_field="county")[0] == {"60680": "Cook"}


def test_rows_that_cannot_be_read_are_told():
    mapping, notes = read({"zip": ["60680", "Loop", None], "zcta": ["no ZCTA", "60607", "60607"]})
    assert mapping == {}
    for word in ("row 2 (“Loop”)", "row 1 (“no ZCTA”)"):
        assert word in "\n".join(notes)


def test_no_column_is_refused():
    with pytest.raises(TerritoryError, match=r"from, to.*CROSSWALK_ZIP_FIELD"):
        choose_columns(["from", "to"])


def test_what_other_rows_hold_for_a_share_does_not_matter():
    """As Geocorr writes it, with a second line of headers, and a column that only looks like one of shares."""
    table = {
        "zip": ["ZIP census tabulation area", "60680", "60680", "60666"], "zcta": ["ZCTA", "60607", "60636", "60602"],
        "afact": ["allocation factor", "0.03", "0.97", "all of it"],
    }  # fmt: skip
    assert read(table)[0] == {"60680": "60636", "60666": "60602"}
    assert read({"zip": ["60666"], "zcta": ["60602"], "weight": ["heavy"]})[0] == {"60666": "60602"}
