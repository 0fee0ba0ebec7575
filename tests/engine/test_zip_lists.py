"""Lists, ranges and beginnings of ZIPs in one cell."""

import pytest
from healthcare_territories.territory_plugin.engine.tables.zip_lists import (
    UnitIndex,
    holds_three_digits,
    read_span,
    read_zip_list,
)

MARKET = ["01234", "07701", "07702", "60601", "60602", "60603", "60612", "60700", "61000"]


def units(text, known=MARKET, **more):
    """Return the units of all entries; "?" for one that cannot be told."""
    index = UnitIndex(known)
    found = [index.find(entry) for entry in read_zip_list(text, **more).entries]
    return [unit for each in found for unit in (["?"] if each is None else each)]


@pytest.mark.parametrize(
    ("text", "meant"),
    [
        ("60601", ["60601"]),
        ("60601.0", ["60601"]),
        ('="60601"', ["60601"]),
        ("'60601", ["60601"]),
        ("60601-1234", ["60601"]),
        ("60601–1234", ["60601"]),
        ("606011234", ["60601"]),
        ("60601-", ["60601"]),
        ("US-60601", ["60601"]),
        ("USA_60601", ["60601"]),
        ("60601 USA", ["60601"]),
        ("IL 60601", ["60601"]),
        ("\u200b60601\u00a0", ["60601"]),
        ("7701", ["07701"]),
        ("7701 7702", ["07701", "07702"]),
        ("60601, 60602;60603", ["60601", "60602", "60603"]),
        ("60601 60602\n60603", ["60601", "60602", "60603"]),
        ("60601/60602 and 60603", ["60601", "60602", "60603"]),
        ("[60601, '60602']", ["60601", "60602"]),
        ("60601-60603", ["60601", "60602", "60603"]),
        ("60601 – 60603", ["60601", "60602", "60603"]),
        ("60601 to 60603", ["60601", "60602", "60603"]),
        ("60601 thru 60602 60612", ["60601", "60602", "60612"]),
        ("60602-0001 - 60612-9999", ["60602", "60603", "60612"]),
        ("606*", ["60601", "60602", "60603", "60612"]),
        ("606XX, 610xx", ["60601", "60602", "60603", "60612", "61000"]),
        ("607*-610*", ["60700", "61000"]),
        ("60601 1234", ["?"]),  # 01234 is a unit of the market
        ("60601 9999", ["60601"]),
        ("7701-1234", ["07701"]),
        ("7701-7702", ["?"]),  # a range, or a ZIP+4 that lost a zero
        ("606", ["?"]),
        ("606-607", ["?"]),
        ("999", []),
        ("60601-612", ["?"]),  # a piece, or short for a range
        ("60613-14", []),
        ("60603-60601", ["?"]),
        ("608-606", ["?"]),
        ("K1A 0B1", []),
        ("00000", ["?"]),
        ("6.06E+04", ["?"]),
        ("O6O601", ["?"]),
        ("Loop 60601", ["?", "60601"]),
        ("to be done", ["?"]),
        ("60601-1234-1", ["?"]),
        ("nan", []),
        (None, []),
        (60601, ["60601"]),
        (60601.0, ["60601"]),
    ],
)  # fmt: skip
def test_what_a_cell_means_in_a_market(text, meant):
    assert units(text) == meant


def test_three_digits_where_the_column_says_so():
    assert units("606", three_digits=True) == ["60601", "60602", "60603", "60612"]
    assert units("607-610, 77", three_digits=True) == ["60700", "61000", "07701", "07702"]
    assert units("77", three_digits=True) == ["07701", "07702"]
    assert units("60601", three_digits=True) == ["60601"]
    assert [name for name in ("ZIP3", "zip_3", "3 digit ZIP", "Zip Prefix", "SCF", "ZIP", "zip5", "zip_code")
            if holds_three_digits(name)] == ["ZIP3", "zip_3", "3 digit ZIP", "Zip Prefix", "SCF"]  # fmt: skip


def test_three_digits_are_a_short_zip_where_no_other_unit_begins_so():
    assert units("600", ["00600", "00601"]) == ["00600"]
    assert units("600", ["00600", "60000"]) == ["?"]


def test_a_zip_means_its_pieces_and_a_piece_of_another_year_nothing():
    market = ["60601-1", "60601-2", "60602"]
    assert units("60601", market) == ["60601-1", "60601-2"]
    assert units("60601-60602", market) == ["60601-1", "60601-2", "60602"]
    assert units("60601-2, 60601-3", market) == ["60601-2"]


def test_ids_that_are_no_zips_count_as_they_stand():
    market = ["Cook, IL", "Lake", "DuPage"]
    index = UnitIndex(market)
    assert index.as_it_stands("Cook, IL") == "Cook, IL"
    assert units("lake, Will", market) == ["Lake"]


def test_ends_in_two_columns():
    assert read_span("60601", "60612").ranges == [("60601", "60612")]
    assert read_span(60601, None).codes == ["60601"]
    assert read_span("606", "608", three_digits=True).ranges == [("60600", "60899")]
    for low, high in ((None, "60612"), ("60612", "60601"), ("60601", "Loop"), ("60601, 60602", "60612")):
        assert read_span(low, high).unread, (low, high)


def test_lost_zeros_are_counted():
    assert read_zip_list("7701, 07702").padded == ["7701"]
