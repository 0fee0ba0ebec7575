"""Clinicians as files and spreadsheets write them: suites, short ZIPs, numbers, NPIs, letters with accents."""

import pytest
from healthcare_territories.territory_plugin.engine import audit as reasons
from healthcare_territories.territory_plugin.engine.clinicians import Wishes, read_clinicians
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.nppes_rows import MISFIT_ZIP, PADDED_ZIP
from healthcare_territories.territory_plugin.engine.tables.zip_lists import ZipFilter

A, B, C = ("1234567802", "1234567810", "1234567828")
NAMES = [
    "NPI",
    "Provider Last Name",
    "pri_spec",
    "org_pac_id",
    "num_org_mem",
    "adr_ln_1",
    "adr_ln_2",
    "State",
    "ZIP Code",
]
PLAIN = ["DOE", "DERMATOLOGY", "7", "12", "1 ELM ST", "", "NJ", "07701"]


def save(tmp_path, *rows, more=(), encoding="utf-8"):
    path = tmp_path / "DAC_NationalDownloadableFile.csv"
    lines = [",".join(f'"{cell}"' for cell in row) for row in ([*NAMES, *more], *rows)]
    path.write_bytes("\n".join(lines).encode(encoding))
    return path


def row(npi, **changes):
    return [npi, *({**dict(zip(NAMES[1:], PLAIN)), **changes}).values()]


def test_the_second_line_of_the_address_comes_into_it(tmp_path):
    path = save(
        tmp_path, row(A, adr_ln_2="SUITE 200"), row(B, adr_ln_1="1 ELM ST STE 5", adr_ln_2="STE 5"), row(C, adr_ln_1="")
    )
    assert read_clinicians(path, Wishes())[0]["address"].tolist() == ["1 ELM ST, SUITE 200", "1 ELM ST STE 5", None]


def test_short_zips_are_held_against_the_state_and_counted(tmp_path):
    path = save(tmp_path, row(A, **{"ZIP Code": "7701"}), row(B, **{"ZIP Code": "7701", "State": "TX"}), row(C))
    kept, audit = read_clinicians(path, Wishes())
    assert kept["zip"].tolist() == ["07701", None, "07701"]
    assert (audit.notes[f"clinicians {PADDED_ZIP}"], audit.notes[f"clinicians {MISFIT_ZIP}"]) == (1, 1)
    kept, audit = read_clinicians(path, Wishes(zips=ZipFilter(["077*"])))
    assert kept["npi"].tolist() == [A, C]
    assert audit.dropped == {reasons.OTHER_ZIP: 1}


@pytest.mark.parametrize(
    ("written", "size"), [("1,234", 1234), ("12.0", 12), ("", None), ("N/A", None), ("0", None), (" 7 ", 7)]
)
def test_practice_sizes(tmp_path, written, size):
    assert read_clinicians(save(tmp_path, row(A, num_org_mem=written)), Wishes())[0]["practice_size"].tolist() == [size]


@pytest.mark.parametrize("written", ["15,5", "1.234,0", "12.5", "12a"])
def test_practice_sizes_that_would_be_misread_refuse_the_file(tmp_path, written):
    with pytest.raises(TerritoryError) as caught:
        read_clinicians(save(tmp_path, row(A), row(B, num_org_mem=written)), Wishes())
    assert f"practice sizes that are no whole numbers: row 2 (“{written}”)" in str(caught.value)


def test_npis_that_a_spreadsheet_rounded_refuse_the_file(tmp_path):
    with pytest.raises(TerritoryError, match=r"row 1 \(“1\.23457E\+09”\), row 2 .*take the file as it was downloaded"):
        read_clinicians(save(tmp_path, row("1.23457E+09"), row("1.23457E+09"), row(A)), Wishes())
    kept, audit = read_clinicians(save(tmp_path, row("1234570000.0"), row(f"{A}.0"), row("1234567890")), Wishes())
    assert kept["npi"].tolist() == [A]
    assert audit.dropped == {reasons.LOST_DIGITS: 1, reasons.BAD_DIGIT: 1}


def test_coordinates_with_a_decimal_comma_refuse_the_file(tmp_path):
    def found(lat):
        path = save(tmp_path, [*row(A), lat, "-74.0"], more=["latitude", "longitude"])
        return read_clinicians(path, Wishes())[0]["latitude"].isna().tolist()

    assert [found("40.5"), found(""), found("91")] == [[False], [True], [True]]
    with pytest.raises(TerritoryError, match=r"coordinates that are no numbers: row 1 \(“40,5”\)"):
        found("40,5")


def test_accents_of_windows_1252_survive_and_are_told(tmp_path):
    path = save(tmp_path, row(A, **{"Provider Last Name": "Muñoz–Núñez", "adr_ln_1": "1 Peña"}), encoding="cp1252")
    kept, audit = read_clinicians(path, Wishes())
    assert kept[["name", "address"]].to_numpy().tolist() == [["Muñoz–Núñez", "1 Peña"]]
    assert audit.notes["texts that are not in UTF-8, read as Windows-1252"] == 2
