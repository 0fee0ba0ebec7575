"""NPPES files: what is kept agrees with a plain computation, every record is accounted for."""

import io
import zipfile

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.benchmarks import nppes_file
from healthcare_territories.territory_plugin.engine import audit as reasons
from healthcare_territories.territory_plugin.engine import npi, nppes, nppes_rows
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.nppes import Wishes, read_providers
from healthcare_territories.territory_plugin.engine.tables.zip_lists import ZipFilter
from healthcare_territories.territory_plugin.engine.tables.zips import normalise_zip
from healthcare_territories.territory_plugin.engine.taxonomy import CodeFilter

PRACTICE = nppes_rows.PRACTICE
ROWS = 6000


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """Return a synthetic file of 6,000 rows and what pandas reads from it."""
    path = tmp_path_factory.mktemp("nppes") / "npidata_pfile_20250101-20250131.csv"
    nppes_file.write(path, ROWS, seed=7)
    return path, pd.read_csv(path, dtype=str, keep_default_na=False)


def luhn(number):
    """Return whether the check digit is right, digit by digit."""
    total = 0
    for place, digit in enumerate(reversed("80840" + number)):
        value = int(digit) * (2 if place % 2 else 1)
        total += value - 9 if value > 9 else value
    return total % 10 == 0


def plain(frame, states=(), prefix="", any_code=False, entity="", active=True, zips=()):
    """Return the NPIs that a plain computation keeps, in order, and the primary code of each."""
    codes = frame[[f"Healthcare Provider Taxonomy Code_{n}" for n in range(1, 16)]].to_numpy()
    switches = frame[[f"Healthcare Provider Primary Taxonomy Switch_{n}" for n in range(1, 16)]].to_numpy()
    has = (switches == "Y").any(axis=1)
    primary = np.where(has, codes[np.arange(len(frame)), (switches == "Y").argmax(axis=1)], codes[:, 0])
    keep = np.array([len(number) == 10 and luhn(number) for number in frame["NPI"]])
    if active:
        keep &= ((frame["NPI Deactivation Date"] == "") | (frame["NPI Reactivation Date"] != "")).to_numpy()
    keep &= frame[f"{PRACTICE} Country Code (If outside U.S.)"].isin(["", "US"]).to_numpy()
    if states:
        keep &= frame[f"{PRACTICE} State Name"].isin(states).to_numpy()
    if zips:
        keep &= np.isin(normalise_zip(frame[f"{PRACTICE} Postal Code"]).astype(str), zips)
    if entity:
        keep &= (frame["Entity Type Code"].str[:1] == entity).to_numpy()
    if prefix:
        fits = np.char.startswith(codes.astype(str), prefix).any(axis=1) if any_code else np.char.startswith(
            primary.astype(str), prefix)  # fmt: skip
        keep &= fits
    return frame["NPI"][keep].tolist(), primary[keep].tolist()


@pytest.mark.parametrize(
    "asked",
    [
        {},
        {"states": ("NY", "NJ")},
        {"prefix": "207R"},
        {"prefix": "207R", "any_code": True},
        {"states": ("CA",), "prefix": "2", "entity": "2"},
        {"entity": "1", "active": False},
        {"zips": ("90001", "10002")},
    ],
)
def test_what_is_kept_agrees_with_a_plain_computation(made, asked):
    path, frame = made
    wishes = Wishes(
        states=frozenset(asked.get("states", ())),
        zips=ZipFilter(asked.get("zips", ())),
        codes=CodeFilter([asked["prefix"]] if "prefix" in asked else []),
        any_code=asked.get("any_code", False),
        entity={"1": "person", "2": "organisation"}.get(asked.get("entity"), "all"),
        active_only=asked.get("active", True),
    )
    kept, (audit,) = read_providers(path, wishes)
    npis, primary = plain(frame, **asked)
    assert kept["npi"].tolist() == npis
    assert kept["taxonomy"].fillna("").tolist() == primary
    assert audit.read == ROWS == audit.kept + sum(audit.dropped.values())
    assert audit.kept == len(npis) > 0


def test_the_zip_gives_the_same_rows(made, tmp_path):
    path, _ = made
    packed = tmp_path / "NPPES_Data_Dissemination.zip"
    with zipfile.ZipFile(packed, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.write(path, path.name)
        archive.writestr("npidata_pfile_20250101-20250131_fileheader.csv", "NPI\n")
        archive.writestr("endpoint_pfile_1.csv", "NPI,Endpoint Type\n")
        archive.writestr("pl_pfile_1.csv", sites([]))
    wishes = Wishes(codes=CodeFilter(["207X"]))
    pd.testing.assert_frame_equal(read_providers(path, wishes)[0], read_providers(packed, wishes)[0])


def test_columns_of_a_row(tmp_path):
    """A person whose second code is primary, in a row that names its state in full."""
    path = one_row(
        tmp_path,
        NPI="1234567893",
        **{
            "Entity Type Code": "1.0",
            "Provider Last Name (Legal Name)": 'O"NEIL',
            "Provider First Name": "ANA",
            "Provider Credential Text": " M.D. ",
            "Provider First Line Business Practice Location Address": "1 Main, St",
            f"{PRACTICE} City Name": "Nyack",
            f"{PRACTICE} State Name": "New York",
            f"{PRACTICE} Postal Code": "10960.0",
            f"{PRACTICE} Country Code (If outside U.S.)": "US",
            "Healthcare Provider Taxonomy Code_1": "208D00000X",
            "Healthcare Provider Primary Taxonomy Switch_1": "N",
            "Healthcare Provider Taxonomy Code_2": "207XS0114X",
            "Healthcare Provider Primary Taxonomy Switch_2": "Y",
            "Is Sole Proprietor": "Y",
        },
    )
    kept, (audit,) = read_providers(path, Wishes(states=frozenset({"NY"}), codes=CodeFilter(["Orthopaedics"])))
    row = kept.iloc[0].where(kept.iloc[0].notna(), None).to_dict()
    assert row == {
        "npi": "1234567893", "site": 0, "entity": "person", "name": 'O"NEIL, ANA', "credential": "M.D.",
        "taxonomy": "207XS0114X", "specialty": "Orthopaedic surgery", "taxonomies": "207XS0114X;208D00000X",
        "address": "1 Main, St", "city": "Nyack", "state": "NY", "zip": "10960", "sole_proprietor": True,
        "subpart": None, "active": True, "longitude": None, "latitude": None,
    }  # fmt: skip
    assert audit.dropped == {}


@pytest.mark.parametrize(
    ("off", "on", "active"),
    [
        ("", "", True),
        ("06/01/2015", "", False),
        ("06/01/2015", "05/01/2015", False),
        ("06/01/2015", "01/02/2016", True),
    ],
)
def test_deactivated_and_back_again(tmp_path, off, on, active):
    path = one_row(tmp_path, NPI="1234567893", **{"NPI Deactivation Date": off, "NPI Reactivation Date": on})
    kept, (audit,) = read_providers(path, Wishes())
    assert len(kept) == int(active)
    assert audit.dropped.get(reasons.DEACTIVATED, 0) == int(not active)
    kept, _ = read_providers(path, Wishes(active_only=False))
    assert kept["active"].tolist() == [active]


@pytest.mark.parametrize(
    ("number", "reason"),
    [
        ("1234567890", reasons.BAD_DIGIT),
        ("1234570000.0", reasons.LOST_DIGITS),
        ("12345", reasons.NO_NPI),
        ("", reasons.NO_NPI),
        ("12345678X3", reasons.NO_NPI),
    ],
)
def test_bad_npis_are_counted(tmp_path, number, reason):
    kept, (audit,) = read_providers(one_row(tmp_path, NPI=number), Wishes())
    assert len(kept) == 0
    assert audit.dropped == {reason: 1}


def test_check_digits_agree_with_the_formula():
    rng = np.random.default_rng(3)
    numbers = [str(number) for number in rng.integers(1_000_000_000, 3_000_000_000, 2000)]
    assert [npi.has_check_digit(number) for number in numbers] == [luhn(number) for number in numbers]
    assert 150 < sum(luhn(number) for number in numbers) < 250


def test_duplicate_npis_are_dropped_and_counted(made, tmp_path):
    path, _ = made
    lines = path.read_text().split("\n", 1)
    twice = tmp_path / "twice.csv"
    twice.write_text(lines[0] + "\n" + lines[1] + lines[1])
    once, _ = read_providers(path, Wishes())
    kept, (audit,) = read_providers(twice, Wishes())
    pd.testing.assert_frame_equal(kept, once)
    assert audit.dropped[reasons.TWICE] == len(once)


def sites(rows):
    """Return a file of secondary sites with the irregular header of the true one."""
    address = nppes_rows.SITE
    names = ["NPI", f"{address}- Address Line 1", f"{address}-  Address Line 2", f"{address} - City Name",
             f"{address} - State Name", f"{address} - Postal Code", f"{address} - Country Code (If outside U.S.)",
             f"{address} - Telephone Number"]  # fmt: skip
    file = io.StringIO()
    pd.DataFrame(rows, columns=names).to_csv(file, index=False, quoting=1)
    return file.getvalue()


def test_secondary_sites_are_further_rows(made, tmp_path):
    path, frame = made
    wishes = Wishes(states=frozenset({"NY"}), codes=CodeFilter(["207"]))
    npis, _ = plain(frame, ("NY",), "207")
    away, _ = plain(frame, ("CA",), "207")
    other, _ = plain(frame, ("NY",), "1")
    rows = [
        (npis[0], "1 First", "", "Nyack", "NY", "109600000", "US", ""),
        (npis[0], "2 Second", "", "Nyack", "New York", "10960", "US", ""),
        (npis[0], "3 Elsewhere", "", "Newark", "NJ", "07102", "US", ""),
        (away[0], "4 Branch", "", "Albany", "NY", "12207", "US", ""),
        (other[0], "5 Other", "", "Albany", "NY", "12207", "US", ""),
        (npis[1], "6 Abroad", "", "Toronto", "ON", "K1A 0B1", "CA", ""),
    ]
    file = tmp_path / "pl_pfile_1.csv"
    file.write_text(sites(rows))
    kept, (audit, books) = read_providers(path, wishes, sites=file)
    assert kept.loc[kept["site"] == 0, "npi"].tolist() == npis
    further = kept[kept["site"] > 0]
    assert further[["npi", "site", "address", "zip", "state"]].to_numpy().tolist() == [
        list(row)
        for row in sorted(
            [
                (npis[0], 1, "1 First", "10960", "NY"),
                (npis[0], 2, "2 Second", "10960", "NY"),
                (away[0], 1, "4 Branch", "12207", "NY"),
            ],
            key=lambda row: (frame["NPI"].tolist().index(row[0]), row[1]),
        )
    ]
    first = kept[(kept["npi"] == npis[0])]
    assert first["taxonomy"].nunique() == first["name"].nunique() == 1
    assert audit.kept == len(npis)
    assert (books.read, books.kept) == (6, 3)
    assert books.dropped == {reasons.OTHER_STATE: 1, reasons.FOREIGN: 1, nppes.NOT_KEPT: 1}


def test_coordinates_of_the_file(tmp_path):
    path = one_row(tmp_path, NPI="1234567893", Latitude="41.09", Longitude="-73.92")
    kept, _ = read_providers(path, Wishes())
    assert kept[["longitude", "latitude"]].to_numpy().tolist() == [[-73.92, 41.09]]
    path = one_row(tmp_path, NPI="1234567893", north="91", east="-73.92")
    kept, (audit,) = read_providers(path, Wishes(), latitude="north", longitude="east")
    assert kept[["longitude", "latitude"]].isna().all(axis=None)
    assert sum(audit.notes.values()) >= 1
    with pytest.raises(TerritoryError, match="both"):
        read_providers(path, Wishes(), latitude="north")


@pytest.mark.parametrize(
    ("header", "said"),
    [
        ('"NPI","Endpoint Type","Endpoint Type Description"', "endpoint file"),
        (sites([]).strip(), "pl_pfile"),
        ("NPI,Provider Last Name,pri_spec,num_org_mem", "Import clinicians"),
        ("Rndrng_NPI,HCPCS_Cd", "Add claims volume"),
        ("zip,count", "lacks the columns NPI"),
    ],
)
def test_the_wrong_file_is_recognised(tmp_path, header, said):
    path = tmp_path / "wrong.csv"
    path.write_text(header + "\n")
    with pytest.raises(TerritoryError, match=said):
        read_providers(path, Wishes())


def test_a_header_without_rows_is_told(tmp_path):
    path = tmp_path / "empty.csv"
    path.write_text(next(nppes_file.lines(0)))
    with pytest.raises(TerritoryError, match="no rows"):
        read_providers(path, Wishes())


def test_the_true_sample_agrees_with_pandas(shared_data):
    path = shared_data / "providers" / "nppes_pfile_sample_1000x330.csv"
    frame = pd.read_csv(path, dtype=str, keep_default_na=False)
    assert nppes_file.header() == list(frame.columns)
    for asked in ({}, {"states": ("FL", "TX")}, {"prefix": "207"}, {"prefix": "207", "any_code": True}):
        wishes = Wishes(
            states=frozenset(asked.get("states", ())),
            codes=CodeFilter([asked["prefix"]] if "prefix" in asked else []),
            any_code=asked.get("any_code", False),
        )
        kept, (audit,) = read_providers(path, wishes)
        npis, primary = plain(frame, **asked)
        assert (kept["npi"].tolist(), kept["taxonomy"].tolist()) == (npis, primary)
        assert audit.dropped[reasons.DEACTIVATED] == 79
        assert (kept["zip"].str.len() == 5).all()  # floats in the file


def one_row(tmp_path, **values):
    """Return a file of one provider in New York, with columns replaced or added."""
    row = {
        **dict.fromkeys(nppes_file.header(), ""),
        "Entity Type Code": "1",
        f"{PRACTICE} State Name": "NY",
        f"{PRACTICE} Postal Code": "109600000",
        "Healthcare Provider Taxonomy Code_1": "207X00000X",
        "Healthcare Provider Primary Taxonomy Switch_1": "Y",
        **values,
    }
    path = tmp_path / "one.csv"
    pd.DataFrame([row]).to_csv(path, index=False, quoting=1)
    return path


# what files and spreadsheets make of values


def test_the_second_line_of_the_address_comes_into_it(tmp_path):
    street, second = (f"Provider {line} Line Business Practice Location Address" for line in ("First", "Second"))
    for lines, expected in (
        (("100 MEDICAL PLAZA", "SUITE 200"), "100 MEDICAL PLAZA, SUITE 200"),
        (("100 MEDICAL PLAZA, Suite 200", "SUITE 200"), "100 MEDICAL PLAZA, Suite 200"),
        (("", "SUITE 200"), "SUITE 200"),
        (("", ""), None),
    ):
        path = one_row(tmp_path, NPI="1234567893", **dict(zip((street, second), lines)))
        assert read_providers(path, Wishes())[0]["address"].tolist() == [expected]


@pytest.mark.parametrize(
    ("code", "state", "read", "notes"),
    [
        ("7701", "NJ", "07701", [nppes_rows.ZIP_PADDED]),
        ("77011234.0", "New Jersey", "07701", [nppes_rows.ZIP_PADDED]),
        ("7701", "TX", None, [nppes_rows.ZIP_MISFIT, nppes_rows.NO_ZIP]),
        ("606", "IL", None, [nppes_rows.ZIP_MISFIT, nppes_rows.NO_ZIP]),
        ("7701", "", "07701", [nppes_rows.ZIP_PADDED]),
        ("07701", "TX", "07701", []),
        ("77010", "TX", "77010", []),
    ],
)
def test_short_zips_are_held_against_the_state_and_counted(tmp_path, code, state, read, notes):
    path = one_row(tmp_path, NPI="1234567893", **{f"{PRACTICE} Postal Code": code, f"{PRACTICE} State Name": state})
    kept, (audit,) = read_providers(path, Wishes())
    assert kept["zip"].tolist() == [read]
    assert audit.notes == {text: 1 for bit, text in enumerate(nppes_rows.NOTES) if 1 << bit in notes}
    kept, (audit,) = read_providers(path, Wishes(zips=ZipFilter([read or "07701"])))
    assert audit.kept == (read is not None)


def test_short_zips_of_sites_are_held_against_their_state(tmp_path):
    path, file = one_row(tmp_path, NPI="1234567893"), tmp_path / "pl_pfile_1.csv"
    file.write_text(sites([("1234567893", "1 A", "FL 2", "", "TX", "7701", "US", ""),
                           ("1234567893", "2 B", "", "", "NJ", "7701", "US", "")]))  # fmt: skip
    kept, (_, books) = read_providers(path, Wishes(), sites=file)
    assert kept[["address", "zip"]].to_numpy().tolist()[1:] == [["1 A, FL 2", None], ["2 B", "07701"]]
    assert books.notes == {f"sites {nppes_rows.PADDED_ZIP}": 1, f"sites {nppes_rows.MISFIT_ZIP}": 1}


@pytest.mark.parametrize("written", ["1.23457E+09", "1.2346E+09"])
def test_npis_that_a_spreadsheet_rounded_refuse_the_file(tmp_path, written):
    path = one_row(tmp_path, NPI=written)
    with pytest.raises(TerritoryError, match=r"NPIs that are no whole numbers: row 1 \(“1\.23.*as it was downloaded"):
        read_providers(path, Wishes())
    file = tmp_path / "pl_pfile_1.csv"
    file.write_text(sites([(written, "1 A", "", "", "NY", "10960", "US", "")]))
    with pytest.raises(TerritoryError, match=r"file of secondary sites.*no whole numbers"):
        read_providers(one_row(tmp_path, NPI="1234567893"), Wishes(), sites=file)


@pytest.mark.parametrize("written", ['="1234567893"', "'1234567893", "1234567893.0", " 1234567893\u00a0"])
def test_npis_that_a_spreadsheet_has_wrapped_are_read(tmp_path, written):
    assert read_providers(one_row(tmp_path, NPI=written), Wishes())[0]["npi"].tolist() == ["1234567893"]


def test_coordinates_with_a_decimal_comma_refuse_the_file(tmp_path):
    path = one_row(tmp_path, NPI="1234567893", Latitude="41,09", Longitude="-73.92")
    with pytest.raises(TerritoryError, match=r"coordinates that are no numbers: row 1 \(“41,09”\)"):
        read_providers(path, Wishes())


def test_accents_of_windows_1252_survive_and_are_told(tmp_path):
    path = one_row(
        tmp_path, NPI="1234567893",
        **{"Provider Last Name (Legal Name)": "Muñoz–Núñez", f"{PRACTICE} City Name": "Cañon City"},
    )  # fmt: skip
    path.write_bytes(path.read_text(encoding="utf-8").encode("cp1252"))
    kept, (audit,) = read_providers(path, Wishes())
    assert kept[["name", "city"]].to_numpy().tolist() == [["Muñoz–Núñez", "Cañon City"]]
    assert audit.notes["texts that are not in UTF-8, read as Windows-1252"] == 2
