"""Delimited text: the short way gives the fields that Python's csv reader gives, and damage is told."""

import csv
import gzip
import io
import zipfile

import pytest
from healthcare_territories.benchmarks import nppes_file
from healthcare_territories.territory_plugin.engine.delimited import DelimitedFile, decode, header_key, need_columns
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.progress import Cancelled


def write(tmp_path, content, name="file.csv"):
    path = tmp_path / name
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    return path


def fields_of(path, last=None):
    """Return (the texts of all records, the file after reading)."""
    with DelimitedFile(path) as file:
        last = len(file.names) - 1 if last is None else last
        rows = [[file.text(field) for field in file.more(fields, last)[: last + 1]] for fields in file.rows(last)]
    return rows, file


NASTY = (
    'a,b,c\n1,2,3\n"1","2","3"\n"one, two","3","4"\n"line\nbreak","5","6"\n"say ""hi""","7","8"\n'
    '"a"",""b","x","y"\n9,"quoted",11\n,,\n"","",""\n"""","","x"\n'
)


def test_every_kind_of_line_reads_as_the_csv_reader_has_it(tmp_path):
    expected = [[field.strip() for field in row] for row in list(csv.reader(io.StringIO(NASTY)))[1:]]
    rows, file = fields_of(write(tmp_path, NASTY))
    assert rows == expected
    assert (file.read, file.malformed) == (len(expected), 0)


@pytest.mark.parametrize("end", ["\n", "\r\n"])
@pytest.mark.parametrize("last", [0, 31, 60, 329])
def test_the_nppes_file_reads_as_the_csv_reader_has_it(tmp_path, end, last):
    text = "".join(nppes_file.lines(3000, seed=4)).replace("\n", end)
    expected = [
        [field.strip().replace("\r\n", "\n") for field in row[: last + 1]]
        for row in list(csv.reader(io.StringIO(text, newline="")))[1:]
    ]
    rows, file = fields_of(write(tmp_path, text), last)
    assert [[field.replace("\r\n", "\n") for field in row] for row in rows] == expected
    assert (file.read, file.malformed) == (3000, 0)


@pytest.mark.parametrize("quoted", [False, True])
def test_records_passed_over_by_their_first_field_are_those_and_no_others(tmp_path, quoted):
    #  wanted, not wanted, not wanted over two lines, wanted over two lines, no ten digits, a longer number
    firsts = ["1003000126", "1003000134", "1003000142", "1003000126", "100300012", "10030001260", "1003000134x"]
    seconds = ["a", 'say ""hi"", b', "two\nlines", "two\n1003000134,lines", "c", "d", "e"]
    sign = '"' if quoted else ""
    text = "npi,what\n" + "".join(f'{sign}{a}{sign},"{b}"\n' for a, b in zip(firsts, seconds))
    with DelimitedFile(write(tmp_path, text)) as file:
        rows = [file.text(fields[0]) for fields in file.rows(1, wanted={b"1003000126"})]
    # the one over two lines comes too: only a look at all of it tells where it ends
    assert rows == ["1003000126", "1003000142", "1003000126", "100300012", "10030001260", "1003000134x"]
    assert (file.read, file.passed_over, file.malformed) == (7, 1, 0)


@pytest.mark.parametrize("pack", ["zip", "gz", "plain"])
def test_packed_or_plain_is_the_same_and_progress_ends_at_one(tmp_path, pack):
    text = "".join(nppes_file.lines(20_000, seed=4)).encode()
    if pack == "zip":
        path = tmp_path / "download.zip"
        with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
            archive.writestr("folder/npidata_pfile_1.csv", text)
            archive.writestr("npidata_pfile_1_fileheader.csv", b"NPI,other\n")
            archive.writestr("readme.pdf", b"%PDF")
    else:
        path = write(tmp_path, gzip.compress(text) if pack == "gz" else text, f"file.csv{'.gz' * (pack == 'gz')}")
    seen = []
    with DelimitedFile(path, "It", lambda name: "header" not in name) as file:
        rows = sum(1 for _ in file.rows(1, lambda share, text: seen.append(share)))
    assert rows == file.read == 20_000
    assert seen == sorted(seen)
    assert len(seen) > 2
    assert seen[-1] == 1
    assert pack == "gz" or 0 < seen[0] < 1  # its gzip fits in one buffer


def test_rows_with_other_columns_are_counted_and_the_rest_is_read(tmp_path):
    """A row too short, one too long, a quote that is never closed in between, and whole rows around them."""
    text = 'a,b,c\n1,2,3\n4,5\n6,7,8,9\n"never closed,10,11\n12,13,14\n15,"16",17\n'
    rows, file = fields_of(write(tmp_path, text))
    assert rows == [["1", "2", "3"], ["12", "13", "14"], ["15", "16", "17"]]
    assert (file.read, file.malformed) == (6, 3)


@pytest.mark.parametrize(
    ("content", "names"),
    [
        (b"\xef\xbb\xbfNPI,b\n1,2\n", ["NPI", "b"]),
        (b"NPI,b\t\t\t\n1,2\n", ["NPI", "b"]),
        (b"NPI\tb\t\t\n1\t2\n", ["NPI", "b"]),
        (b"NPI\tb\t\t\n1\t2\t\t\n", ["NPI", "b"]),
        (b'"NPI";" b "\r\n"1";"2"\r\n', ["NPI", "b"]),
        (b"NPI|b\n1|2", ["NPI", "b"]),
    ],
)
def test_marks_tabs_and_delimiters_of_the_header(tmp_path, content, names):
    rows, file = fields_of(write(tmp_path, content))
    assert file.names == names
    assert rows == [["1", "2"]]


def test_latin_1_bytes_are_read_and_counted(tmp_path):
    rows, file = fields_of(write(tmp_path, "a,b\nNúñez,1\n".encode("latin-1") + "Núñez,2\n".encode()))
    assert rows == [["Núñez", "1"], ["Núñez", "2"]]
    assert file.odd_bytes == 1
    assert decode(bytes([0x81])) == "\x81"  # undefined in Windows-1252


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"", "empty (0 bytes)"),
        (b"\n1,2\n", "no header"),
        (b"\xff\xfea\0,\0b\0\n\0", "UTF-16"),
        (b"\x89PNG\0\0\0\n", "no text"),
        (b"PK\x03\x04 cut off", "damaged"),
        (gzip.compress(b"a,b\n" + b"1,2\n" * 99999)[:200], "damaged"),
    ],
)
def test_files_that_are_no_text_are_told(tmp_path, content, said):
    with pytest.raises(TerritoryError) as caught:
        fields_of(write(tmp_path, content))
    assert said in str(caught.value)
    assert "file.csv" in str(caught.value)


def test_a_truncated_zip_is_told(tmp_path):
    whole = tmp_path / "whole.zip"
    nppes_file.write(whole, 3000, zipped=True)
    content = whole.read_bytes()
    for cut in (len(content) // 2, len(content) - 10):
        with pytest.raises(TerritoryError, match="Download it again"):
            fields_of(write(tmp_path, content[:cut], "cut.zip"))
    broken = bytearray(content)
    broken[len(content) // 2] ^= 0xFF
    with pytest.raises(TerritoryError, match="Download it again"):
        fields_of(write(tmp_path, bytes(broken), "broken.zip"))


def test_a_zip_without_or_with_several_texts_is_told(tmp_path):
    path = tmp_path / "many.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("one.csv", "a,b\n")
        archive.writestr("two.csv", "a,b\n")
    with pytest.raises(TerritoryError, match=r"one\.csv, two\.csv"):
        DelimitedFile(path)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("xl/workbook.xml", "<x/>")
    with pytest.raises(TerritoryError, match=r"no such file.*workbook"):
        DelimitedFile(path)
    with pytest.raises(TerritoryError, match="cannot be opened"):
        DelimitedFile(tmp_path / "nowhere.csv")


def test_cancel_stops(tmp_path):
    path = write(tmp_path, "a,b\n" + "1,2\n" * 30_000)
    with DelimitedFile(path) as file, pytest.raises(Cancelled):
        sum(1 for _ in file.rows(1, cancelled=lambda: True))


def test_missing_columns_are_named_with_what_the_file_looks_like(tmp_path):
    with DelimitedFile(write(tmp_path, "NPI,Endpoint Type\n1,2\n"), "The NPPES file") as file:
        assert need_columns(file, [("x", "npi")], {}) == [0]
        with pytest.raises(TerritoryError, match=r"lacks the columns Entity.*It looks like the endpoint file"):
            need_columns(file, [("NPI",), ("Entity",)], {"Endpoint Type": "the endpoint file"})
    assert header_key("ZIP Code") == header_key(" zip_code")
