"""Claims as vendors and spreadsheets write them: read where the meaning is plain, else refused with the rows."""

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine import audit as reasons
from healthcare_territories.territory_plugin.engine import claims
from healthcare_territories.territory_plugin.engine.claims import Wishes, read_claims
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.npi import lost_digits, read_npi, read_npis
from healthcare_territories.territory_plugin.engine.procedures import ProcedureFilter, place_of_service, procedure_code

A, B = "1234567802", "1234567810"
HEADER = "Rndrng_NPI,HCPCS_Cd,Place_Of_Srvc,Tot_Srvcs,Tot_Benes,Tot_Bene_Day_Srvcs,Avg_Mdcr_Alowd_Amt\n"


def save(tmp_path, rows, header=HEADER):
    path = tmp_path / "claims.csv"
    path.write_text(header + "".join(f"{row}\n" for row in rows), encoding="utf-8")
    return path


def read(path, npis=(A, B), **wishes):
    wishes["codes"] = ProcedureFilter(wishes.get("codes", ()))
    return read_claims(path, npis, Wishes(**wishes))


@pytest.mark.parametrize("asked", [["142"], ["00142"], ["140-145"], ["00140-00145"], ["00140.0-145"], ["0014*"]])
@pytest.mark.parametrize("written", ["142", "00142", "142.0", " 00142 ", "'00142"])
def test_anaesthesia_codes_have_their_zeros_whoever_lost_them(tmp_path, asked, written):
    path = save(tmp_path, [f"{A},{written},O,20,12,15,9.5", f"{A},14200,O,1000,1,1,1", f"{B},27447,F,20,12,15,9.5"])
    volumes, audit = read(path, codes=asked)
    assert volumes["volume"].tolist() == [15, 0]
    assert audit.dropped == {claims.OTHER_CODE: 2}
    assert sum("lost its zeros" in note for note in audit.notes) == (written == "142")


def test_codes_that_are_none_are_told_apart_from_others(tmp_path):
    path = save(tmp_path, [f"{A},27447-RT,O,20,12,15,9.5", f"{A},27130,O,20,12,15,1", f"{A},27447,O,20,12,15,9.5"])
    _, audit = read(path, codes=["27447"])
    assert (audit.kept, audit.dropped) == (1, {claims.NO_CODE: 1, claims.OTHER_CODE: 1})
    assert read(path)[1].kept == 3


@pytest.mark.parametrize("wish", ["99215-99213", "knee", "1-", "123456", "99213-J3301"])
def test_wishes_that_are_no_codes(wish):
    with pytest.raises(TerritoryError, match="no HCPCS codes"):
        ProcedureFilter([wish])


@pytest.mark.parametrize("code", [2, 11, 12, 19, 20, 21, 22, 23, 24, 31, 32, 81, 99])
def test_places_of_service_by_medicares_digits(code):
    expected = "F" if code in (2, 19, 21, 22, 23, 24, 31) else "O"
    assert {place_of_service(text) for text in (f"{code:02d}", f"{code}", f"{code}.0", f"{code:02d} - x")} == {expected}


PLACES = {
    "O": "O",
    "office": "O",
    "Non-Facility": "O",
    "F": "F",
    "HOSPITAL": "F",
    "ASC": "F",
    "Hospital Outpatient": "F",
}


def test_places_of_service_as_people_write_them(tmp_path):
    path = save(tmp_path, [f"{A},27447,{place},1,1,10,1" for place in PLACES])
    volumes, _ = read(path)
    assert volumes.loc[A, ["volume", "office", "facility"]].tolist() == [70, 30, 40]
    assert read(path, place="F")[0].loc[A, "volume"] == 40
    assert read(path, place="O")[1].dropped == {claims.OTHER_PLACE: 4}


def test_places_that_nobody_knows_refuse_the_file_and_empty_ones_are_counted(tmp_path):
    path = save(tmp_path, [f"{A},27447,,1,1,10,1", f"{A},27447,N/A,1,1,10,1", f"{A},27447,O,1,1,10,1"])
    assert read(path)[1].dropped == {claims.NO_SITE: 2}
    path = save(tmp_path, [f"{A},27447,O,1,1,10,1", f"{A},27447,Outpatient,1,1,10,1", f"{A},27447,98,1,1,10,1"])
    with pytest.raises(TerritoryError, match=r"row 2 \(“Outpatient”\), row 3 \(“98”\)\. Write office or facility"):
        read(path)


@pytest.mark.parametrize(
    ("written", "value"),
    [("1,234", 1234), ("12,345,678.5", 12_345_678.5), ("$1,234", 1234), ("1234.0", 1234), ("1.5E+3", 1500)],
)
def test_commas_part_thousands(tmp_path, written, value):
    path = save(tmp_path, [f'{A},27447,O,1,1,"{written}",1'])
    assert read(path)[0].loc[A, "volume"] == value


@pytest.mark.parametrize("written", ["15,5", "1.234,5", "12,34,567", "1_000", "12x"])
@pytest.mark.parametrize("measure", ["beneficiary_days", "allowed"])
def test_what_is_no_number_here_refuses_the_file(tmp_path, written, measure):
    values = f'1,1,"{written}",1' if measure == "beneficiary_days" else f'1,1,1,"{written}"'
    path = save(tmp_path, [f"{A},27447,O,1,1,10,1", f"{A},27447,O,{values}"])
    with pytest.raises(TerritoryError) as caught:
        read(path, measure=measure)
    assert f"no numbers: row 2 (“{written}”)" in str(caught.value)


@pytest.mark.parametrize("written", ["", "*", "<11", "N/A", "nan"])
def test_withheld_numbers_are_counted(tmp_path, written):
    path = save(tmp_path, [f"{A},27447,O,1,1,{written},1", f"{A},27447,O,1,1,-5,1", f"{A},27447,O,1,1,15,1"])
    volumes, audit = read(path)
    assert volumes.loc[A, "volume"] == 15
    assert audit.dropped == {claims.NO_NUMBER: 1, claims.NEGATIVE: 1}


VENDOR = "npi,cpt,year,site_of_service,claim_count,patient_count,charges\n"


def test_a_vendors_table_is_read_where_its_columns_are_plain_and_else_says_what_to_do(tmp_path):
    path = save(tmp_path, [f"{A},27447,2024,ASC,20,18,1000", f"{B},142,2024,OFFICE,21,19,1000"], VENDOR)
    volumes, audit = read(path, measure="beneficiaries")
    assert volumes[["volume", "office", "facility"]].to_numpy().tolist() == [[18, 0, 18], [19, 19, 0]]
    assert (audit.read, audit.kept) == (2, 2)
    with pytest.raises(TerritoryError) as caught:
        read(path)
    for word in (
        "no column Tot_Bene_Day_Srvcs",
        "beneficiary-days",
        "needed for beneficiaries",
        "rename",
        "claim_count",
    ):
        assert word in str(caught.value)
    with pytest.raises(TerritoryError, match="no column Tot_Srvcs, Avg_Mdcr_Alowd_Amt"):
        read(path, measure="allowed")
    path = save(tmp_path, [f"{A},27447,ASC,20"], "doctor,proc,where,n\n")
    with pytest.raises(TerritoryError, match=r"lacks the columns Rndrng_NPI.*call the columns Rndrng_NPI, HCPCS_Cd"):
        read(path)


@pytest.mark.parametrize("written", ["1.23457E+09", "1.2346E+09", "1.2E+09"])
def test_npis_that_a_spreadsheet_rounded_refuse_the_file(tmp_path, written):
    path = save(tmp_path, [f"{A},27447,O,1,1,10,1", f"{written},27447,O,1,1,10,1"])
    with pytest.raises(TerritoryError, match=r"no whole numbers: row 2 \(“1\.2.*last digits are lost"):
        read(path)
    assert read_npi(written) is None


def test_floats_are_read_and_those_without_their_last_digits_are_told(tmp_path):
    path = save(tmp_path, [f"{A}.0,27447,O,1,1,10,1", "1234570000.0,27447,O,1,1,10,1", "1003000126.0,27447,O,1,1,10,1"])
    volumes, audit = read(path)
    assert volumes["volume"].to_dict() == {A: 10}
    assert audit.dropped == {claims.NOT_ASKED: 1, reasons.LOST_DIGITS: 1}


def test_a_column_of_rounded_npis_has_none_even_where_the_check_digit_fits_by_chance():
    rounded = [f"{number}0000" for number in range(123_000, 123_040)]
    by_chance = [npi for npi in rounded if not lost_digits(npi)]
    assert 0 < len(by_chance) < 10
    npis, lost = read_npis([*rounded, A])
    assert npis == [None] * 40 + [A]
    assert lost == list(range(40))
    assert read_npis([*by_chance, A]) == ([*by_chance, A], [])


def test_names_in_windows_1252_are_no_hindrance(tmp_path):
    header = "Rndrng_NPI,Rndrng_Prvdr_Last_Org_Name,HCPCS_Cd,Place_Of_Srvc,Tot_Bene_Day_Srvcs\n"
    text = header + f"{A},Muñoz–Núñez,27447,O,10\n{B},“Gómez”,142,Hôpital,12\n"
    path = tmp_path / "claims.csv"
    path.write_bytes(text.replace("Hôpital", "ASC").encode("cp1252"))
    assert read(path)[0]["volume"].tolist() == [10, 12]
    path.write_bytes(text.encode("cp1252"))
    with pytest.raises(TerritoryError, match="row 2 (“Hôpital”)".replace("(", r"\(").replace(")", r"\)")):
        read(path)


def test_the_codes_of_a_file_are_as_published():
    rng = np.random.default_rng(1)
    for number in rng.integers(1, 100_000, 200):
        assert procedure_code(str(number)) == f"{number:05d}" == procedure_code(f"{number:05d}")
