"""ZIPs however they are written; zeros come back only where the state agrees, and are counted."""

from __future__ import annotations

import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.tables.zip_lists import ZipFilter
from healthcare_territories.territory_plugin.engine.tables.zips import (
    fits_state,
    match_units,
    normalise_zip,
    read_zips,
    state_of,
)


@pytest.mark.parametrize(
    "text", ["60601", "60601-1234", "606011234", "60601.0", "60601-", '="60601"', "'60601", "60601–1234", "60601 1234",
             "US-60601", "USA_60601", "60601 USA", "IL 60601", "ZCTA5 60601", "8600000US60601", "860Z200US60601",
             " 60601 ", "60601\u00a0", "\u200b60601", 60601, 60601.0]
)  # fmt: skip
def test_ways_to_write_one_zip(text):
    assert normalise_zip([text]).tolist() == ["60601"]


@pytest.mark.parametrize(
    "text", ["60601-34", "606XX", "60601-60605", "60601, 60602", "nan", "#N/A", "00000", "K1A 0B1", "60601-1234-1",
             "60601+1234", "60601.0-1234", "O6O601", "6.06E+04", "60601/60602", "QQ 60601", "", None, 60601.5, "60"]
)  # fmt: skip
def test_what_is_no_zip_is_none(text):
    assert normalise_zip([text]).tolist() == [None]


def test_short_zips_are_held_against_the_state():
    """7701 in Texas has lost a digit at its end, not a zero in front; a full ZIP is believed."""
    values = ["7701", "7701", "7701", 501, "07701", "606"]
    found = read_zips(values, ["TX", "New Jersey", None, "NY", "TX", "IL"])
    assert found.codes.tolist() == [None, "07701", "07701", "00501", "07701", None]
    assert found.padded == [1, 2, 3]
    assert found.elsewhere == [0, 5]
    padded, elsewhere = found.notes(values, ["TX", "New Jersey", None, "NY", "TX", "IL"])
    assert padded == "3 ZIPs had lost zeros in front, which are back: 7701 is 07701, 501 is 00501."
    assert "7701 (TX), 606 (IL)" in elsewhere


def test_without_a_column_of_states_zeros_come_back_and_are_counted():
    found = read_zips(["2134", "60601"])
    assert found.codes.tolist() == ["02134", "60601"]
    assert found.padded == [0]
    assert read_zips(["60601"]).notes(["60601"]) == []


def test_a_unit_is_met_as_it_stands_before_it_is_read_as_a_zip():
    found = match_units(["606", "606-1", "10001-2"], ["606", "10001-2"], ["IL", "IL", "IL"])
    assert found.codes.tolist() == ["606", None, "10001-2"]
    assert found.elsewhere == []


@pytest.mark.parametrize(
    ("code", "state"),
    [("00501", "NY"), ("00606", "PR"), ("00801", "VI"), ("02134", "MA"), ("05501", "MA"), ("06390", "CT"),
     ("09012", "AE"), ("20001", "DC"), ("20101", "VA"), ("34001", "AA"), ("60601", "IL"), ("73301", "TX"),
     ("88510", "TX"), ("96201", "AP"), ("96910", "GU"), ("99501", "AK"), ("00401", None), ("09901", None)],
)  # fmt: skip
def test_the_state_of_a_zip(code, state):
    assert state_of(code) == state


def test_what_fits_a_state():
    assert fits_state("06390", "NY")  # Fishers Island, by way of Connecticut
    assert fits_state("96799", "American Samoa")
    assert not fits_state("07701", "Texas")
    assert fits_state(None, "TX")
    assert fits_state("07701", "ONTARIO")  # of an unknown state nothing is known


def test_three_digits_typed_are_refused_with_the_way_out():
    with pytest.raises(TerritoryError, match=r"606.*112\*"):
        ZipFilter(["606"])
    assert ZipFilter(["606*"])("60601")


def test_a_filter_takes_ranges_and_lists():
    wanted = ZipFilter(["10001 10003-10005; 112*\n20001-1234"])
    assert [code for code in ("10001", "10002", "10004", "11201", "20001", "20002") if wanted(code)] == [
        "10001", "10004", "11201", "20001",
    ]  # fmt: skip
    assert not wanted(None)
    assert ZipFilter(())("anything")
