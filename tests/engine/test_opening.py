"""Files that are no table, or packed in a way that cannot be read: one clear line, at once, in little memory."""

import gzip
import io
import struct
import time
import tracemalloc
import zipfile

import pytest
from healthcare_territories.benchmarks import nppes_file
from healthcare_territories.territory_plugin.engine.delimited import DelimitedFile
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.opening import Watched, swells

TABLE = b"NPI,name\n1234567893,x\n"


def zipped(members, method=zipfile.ZIP_DEFLATED):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", method) as archive:
        for name, content in members.items():
            archive.writestr(name, content)
    return file.getvalue()


def with_method(method, flags=0):
    """Return a zip whose directory says that its table is packed in some way."""
    content = bytearray(zipped({"npidata_pfile_1.csv": TABLE}))
    for start, at in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        place = content.index(start) + at
        struct.pack_into("<HH", content, place, flags, method)
    return bytes(content)


def bomb(pattern, megabytes):
    """Return a zip of a few kilobytes that holds many megabytes."""
    return zipped({"npidata_pfile_1.csv": b"NPI,name\n" + pattern * (megabytes * (1 << 20) // len(pattern))})


CASES = {
    "deflate64.zip": (with_method(9), ["Deflate64", "Extract all", "choose npidata_pfile_1.csv"]),
    "ppmd.zip": (with_method(98), ["ppmd", "cannot be read inside the zip", "Unpack it"]),
    "aes.zip": (with_method(99, flags=1), ["has a password", "npidata_pfile_1.csv"]),
    "bomb.zip": (bomb(b"1234567893,x\n", 100), ["more than 200 times", "no table does"]),
    "bomb_line.zip": (bomb(b"0", 60), ["no line break in 1 MB"]),
    "bomb.csv.gz": (gzip.compress(b"NPI,name\n" + b"1,2\n" * (25 << 20)), ["more than 200 times"]),
    "line.csv.gz": (gzip.compress(b"x" * (60 << 20)), ["no line breaks where a table has them"]),
    "geo.csv": (b'{"type":"FeatureCollection","features":[' + b'{"a":1},' * (1 << 20), ["JSON"]),
    "list.csv": (b'[{"NPI": 1}]', ["JSON"]),
    "broad.csv": (b",".join(b"c%d" % number for number in range(100_000)) + b"\n1,2\n", ["100,000 columns"]),
    "broader.csv": (
        b",".join(b"c%d" % number for number in range(1_000_000)),
        ["no line breaks where a table has them"],
    ),
    "long_name.csv": (b"a" * 200_000 + b"\n1,2\n", ["no header of column names"]),
    "unbroken.csv": (b"NPI,name " * 200_000, ["no line breaks where a table has them"]),
    "mac.csv": (TABLE.replace(b"\n", b"\r") * 3, ["no line breaks", "CSV UTF-8"]),
    "unbroken_below.csv": (TABLE + b"1234567893," + b"x" * (3 << 20), ["no line break in 1 MB"]),
    "book.csv": (zipped({"[Content_Types].xml": "<x/>", "xl/workbook.xml": "<x/>"}), ["Excel", "CSV UTF-8"]),
    "word.zip": (zipped({"[Content_Types].xml": "<x/>", "word/document.xml": "<x/>"}), ["Office document"]),
    "old.xls": (b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(600), ["Excel"]),
    "paper.pdf": (b"%PDF-1.7\n1 0 obj\n", ["a PDF"]),
    "shape.shp": (b"\0\0\x27\x0a" + bytes(96), ["shapefile"]),
    "layer.gpkg": (b"SQLite format 3\0" + bytes(100), ["GeoPackage"]),
    "page.csv": (b"\xef\xbb\xbf <!DOCTYPE html>\n<html>", ["web page"]),
    "table.parquet": (b"PAR1" + bytes(100), ["Parquet"]),
    "other.7z": (b"7z\xbc\xaf\x27\x1c" + bytes(100), ["unpack it"]),
    "empty.zip": (zipped({}), ["nothing in it"]),
    "folder.zip": (zipped({"folder/": b""}), ["nothing in it"]),
    "nested.zip": (zipped({"inner.zip": zipped({"a.csv": TABLE})}), ["no such file", "inner.zip"]),
    "pdf_in.zip": (zipped({"npidata_pfile_1.csv": b"%PDF-1.7\n1 0"}), ["a PDF", "npidata_pfile_1.csv in pdf_in.zip"]),
    "text.csv": (b"\0\1\2\3" * 9, ["no text"]),
}


@pytest.mark.parametrize("name", CASES)
def test_what_is_no_table_is_told_in_one_line_at_once_and_in_little_memory(tmp_path, name):
    content, said = CASES[name]
    path = tmp_path / name
    path.write_bytes(content)
    tracemalloc.start()
    start = time.process_time()
    with pytest.raises(TerritoryError) as caught, DelimitedFile(path, "The file") as file:
        list(file.rows(1))
    seconds, (_, peak) = time.process_time() - start, tracemalloc.get_traced_memory()
    tracemalloc.stop()
    told = str(caught.value)
    assert [word for word in said if word not in told] == []
    assert name in told
    assert "\n" not in told
    assert len(told) < 400
    assert peak < 40 << 20
    assert seconds < 2  # with every allocation traced, on a busy machine


def test_a_folder_and_a_file_that_is_not_there(tmp_path):
    with pytest.raises(TerritoryError, match="is a folder: choose the CSV in it"):
        DelimitedFile(tmp_path)
    with pytest.raises(TerritoryError, match="cannot be opened"):
        DelimitedFile(tmp_path / "nowhere.csv")


@pytest.mark.parametrize("method", [zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_zips_that_can_be_read_are(tmp_path, method):
    text = "".join(nppes_file.lines(3000, seed=2)).encode()
    path = tmp_path / "download.zip"
    path.write_bytes(zipped({"npidata_pfile_1.csv": text}, method))
    with DelimitedFile(path) as file:
        assert sum(1 for _ in file.rows(0)) == 3000


def test_a_gzip_in_parts_is_read_to_its_end_and_stopped_where_it_swells(tmp_path):
    path = tmp_path / "file.csv.gz"
    path.write_bytes(gzip.compress(TABLE) + gzip.compress(b"1234567802,y\n" * 1000))
    with DelimitedFile(path) as file:
        assert sum(1 for _ in file.rows(1)) == 1001
    line = b"1234567802," + b"y" * 100_000 + b"\n"
    path.write_bytes(gzip.compress(TABLE) + gzip.compress(line * 1000))
    with pytest.raises(TerritoryError, match="more than 200 times"), DelimitedFile(path) as file:
        for _ in file.rows(1):
            pass
    assert file.read * len(line) < 80 << 20
    assert not swells(60 << 20, 1)
    assert not swells(9_068_122_004, 445_000_000)
    assert swells(3_300_000_000, 1_500_000)


def test_a_watched_stream_counts_and_sees_nul():
    stream = Watched(io.BytesIO(b"abc\0"))
    assert not stream.nul
    assert (io.BufferedReader(stream).read(), stream.count, stream.nul) == (b"abc\0", 4, True)


def test_nul_bytes_in_the_middle_spoil_their_rows_only(tmp_path):
    path = tmp_path / "holes.csv"
    path.write_bytes(TABLE + b"1234567802,\0\0\0\n" + b'"1234567802","a\0b"\n' + bytes(5000) + b"\n1234567810,y\n")
    with DelimitedFile(path) as file:
        assert [file.text(fields[0]) for fields in file.rows(1)] == ["1234567893", "1234567810"]
    assert (file.read, file.malformed) == (5, 3)


def test_a_field_beyond_csvs_limit_is_malformed_and_the_rest_is_read(tmp_path):
    path = tmp_path / "long.csv"
    path.write_bytes(TABLE + b'1234567802,"a,' + b"x" * 200_000 + b'"\n1234567810,"y, z"\n')
    with DelimitedFile(path) as file:
        assert [file.text(fields[0]) for fields in file.rows(1)] == ["1234567893", "1234567810"]
    assert (file.read, file.malformed) == (3, 1)


def test_values_that_would_be_misread_refuse_the_file_with_their_rows(tmp_path):
    path = tmp_path / "values.csv"
    path.write_bytes(b"NPI,name\n" + b"".join(b"1,%d\n" % number for number in range(20)))
    with pytest.raises(TerritoryError) as caught, DelimitedFile(path, "It") as file:
        for fields in file.rows(1):
            if fields[1] in (b"3", b"5"):
                file.refuse("odd things", fields[1].decode(), "Mend them.")
    assert str(caught.value) == "It (values.csv) holds odd things: row 4 (“3”), row 6 (“5”). Mend them."
    with pytest.raises(TerritoryError, match=r"row 8 \(“7”\) and perhaps more"), DelimitedFile(path, "It") as file:
        for fields in file.rows(1):
            file.refuse("odd things", fields[1].decode(), "Mend them.")
