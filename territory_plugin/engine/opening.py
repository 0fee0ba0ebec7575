"""Files that people choose as tables: opened as they lie, in a zip, or gzipped; what is no table is told at once."""

from __future__ import annotations

import gzip
import io
import zipfile
import zlib
from collections.abc import Callable
from pathlib import Path

from .errors import TerritoryError, name_some

try:
    from lzma import LZMAError
except ImportError:  # a Python that was built without it cannot meet the error either
    LZMAError = zlib.error

BUFFER = 1 << 20
LONGEST_LINE = 1 << 20  # bytes: a line of NPPES has about a thousand
LARGE = 1 << 26  # bytes; less than that can be unpacked whatever it is
MOST_TIMES = 200  # an NPPES file unpacks to ten to twenty times its size
DAMAGE = (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile, LZMAError)
READABLE = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA)
DEFLATE64 = 9

UNPACK = "an archive that cannot be read; unpack it, and choose the CSV in it"
EXCEL = "an Excel workbook; save its sheet as “CSV UTF-8”, and choose that"
# how files begin that are often chosen by mistake
BEGINNINGS = (
    (b"%PDF", "a PDF, no table; choose the CSV"),
    (b"\xd0\xcf\x11\xe0", EXCEL), (b"SQLite format 3", "a GeoPackage or SQLite database; export its table as CSV"),
    (b"\0\0\x27\x0a", "a shapefile; export its table as CSV"), (b"PAR1", "a Parquet file; export it as CSV"),
    (b"7z\xbc\xaf", UNPACK), (b"Rar!", UNPACK), (b"BZh", UNPACK), (b"\xfd7zXZ", UNPACK), (b"\x28\xb5\x2f\xfd", UNPACK),
    (b"{", "JSON (GeoJSON?), no table; export it as CSV"), (b"[{", "JSON, no table; export it as CSV"),
    (b"<", "a web page or XML, no table; download the CSV itself"),
)  # fmt: skip


def what_begins(head: bytes) -> str | None:
    """Return what a file is that begins so, and the way out; None for what may be a table.

    >>> what_begins(b"%PDF-1.7"), what_begins(b"NPI,name")
    ('a PDF, no table; choose the CSV', None)
    """
    bare = head.removeprefix(b"\xef\xbb\xbf").lstrip() if hasattr(head, "removeprefix") else head.lstrip()
    return next((what for start, what in BEGINNINGS if head.startswith(start) or bare.startswith(start)), None)


class _Counted(io.RawIOBase):
    """A raw stream that counts its bytes."""

    def __init__(self, stream):
        self.stream, self.count = stream, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class Watched(io.RawIOBase):
    """A raw stream that counts its bytes, sees whether any is NUL, and ends what is no table before it fills memory.

    It looks at a megabyte at a time, so that nothing needs to be asked of each line.

    Parameters
    ----------
    stream : file
    named : str
        The file, for messages.
    packed : _Counted, optional
        What the stream is unpacked from.

    Attributes
    ----------
    count : int
    nul : bool
        Whether a NUL byte has come by.

    Raises
    ------
    TerritoryError
        While it is read: where no line ends for `LONGEST_LINE` bytes and more, or it unpacks out of all measure.
    """

    def __init__(self, stream, named: str = "The file", packed: _Counted | None = None):
        self.stream, self.named, self.packed = stream, named, packed
        self.count, self.nul, self._since = 0, False, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        if not self.nul and b"\0" in data:
            self.nul = True
        first = data.find(b"\n")
        if self._since + (len(data) if first < 0 else first) > LONGEST_LINE:
            raise TerritoryError(
                f"{self.named} has no line break in {LONGEST_LINE >> 20} MB: it is no table, or damaged. Download it "
                "again, or choose another file."
            )
        self._since = self._since + len(data) if first < 0 else len(data) - 1 - data.rfind(b"\n")
        if self.packed is not None and swells(self.count, self.packed.count):
            raise TerritoryError(swollen(self.named))
        return len(data)


def swells(size: int, packed: int) -> bool:
    """Answer whether so much from so few bytes is no table but a file made to fill memory and time."""
    return size > LARGE and size > MOST_TIMES * max(packed, 1)


def swollen(named: str) -> str:
    """Return what to say of such a file."""
    return (
        f"{named} would unpack to more than {MOST_TIMES} times its size, as no table does: look at where it comes "
        "from, or unpack it, and choose the CSV in it."
    )


def _first_of(packed) -> tuple[int, int]:
    """Return how many bytes the beginning of a gzip unpacks to, until they are many, and from how many."""
    unpack, size, used = zlib.decompressobj(31), 0, 0
    while size <= LARGE:
        data = packed.read(1 << 12)
        if not data or unpack.eof:
            break
        size, used = size + len(unpack.decompress(data)), used + len(data)
    return size, used


class Opened:
    """A file that was chosen, opened for reading.

    Parameters
    ----------
    path : Path
    called : str
        What messages call the file.
    member : callable, optional
        Answers whether a file in a zip, given by its name without folders, is the one.

    Attributes
    ----------
    stream : io.BufferedReader
        The bytes of the table.
    content : Watched
        What has been read of the table.
    counter : Watched or _Counted
        What has been read of what `size` measures.
    size : int
        Bytes, for the progress.
    shown : str
        The file's name for messages.

    Raises
    ------
    TerritoryError
        For what is empty, no file, packed in a way that cannot be read, or grows out of all measure.
    OSError, and those of `DAMAGE`
        For a file that cannot be opened, and for one that is damaged.
    """

    def __init__(self, path: Path, called: str, member: Callable[[str], bool] | None):
        self.path, self.called, self.shown, self._files = path, called, path.name, []
        if path.is_dir():
            raise TerritoryError(f"{called} ({path.name}) is a folder: choose the CSV in it.")
        plain = self._keep(open(path, "rb"))  # noqa: SIM115
        self.size = path.stat().st_size
        magic = plain.read(16)
        plain.seek(0)
        if not magic:
            raise TerritoryError(f"{called} ({path.name}) is empty (0 bytes).")
        if magic.startswith(b"PK") or path.suffix.lower() == ".zip":
            self._open_zip(plain, member)
        elif magic.startswith(b"\x1f\x8b"):
            self._open_gzip(plain)
        else:
            self.counter = self.content = Watched(plain, self.named)
        self.stream = io.BufferedReader(self.content, BUFFER)

    @property
    def named(self) -> str:
        """The file, for messages."""
        return f"{self.called} ({self.shown})"

    def _keep(self, file):
        self._files.append(file)
        return file

    def close(self) -> None:
        """Close all that was opened."""
        while self._files:
            self._files.pop().close()

    def _open_gzip(self, plain) -> None:
        if swells(*_first_of(plain)):  # a fifth of a second; the size that gzip notes at its end may be anything
            raise TerritoryError(swollen(self.named))
        plain.seek(0)
        self.counter = _Counted(plain)
        stream = self._keep(gzip.GzipFile(fileobj=io.BufferedReader(self.counter, BUFFER)))
        self.content = Watched(stream, self.named, self.counter)

    def _open_zip(self, plain, member) -> None:
        archive = self._keep(zipfile.ZipFile(plain))
        chosen = self._choose(archive, member)
        name = Path(chosen.filename).name
        if chosen.file_size == 0:
            raise TerritoryError(f"{self.called} ({chosen.filename} in {self.path.name}) is empty (0 bytes).")
        if chosen.flag_bits & 1:
            raise TerritoryError(f"{self.called}: {self.path.name} has a password; unpack it, and choose {name}.")
        if swells(chosen.file_size, chosen.compress_size):
            raise TerritoryError(swollen(self.named))
        try:
            if chosen.compress_type not in READABLE:
                raise NotImplementedError
            stream = self._keep(archive.open(chosen))
        except (NotImplementedError, RuntimeError) as error:
            kind = zipfile.compressor_names.get(chosen.compress_type, f"method {chosen.compress_type}")
            if chosen.compress_type == DEFLATE64:
                kind = "Deflate64, as Windows does with large files"
            raise TerritoryError(
                f"{self.called}: {self.path.name} is packed with {kind}, which cannot be read inside the zip. "
                f"Unpack it (in Windows: right click, “Extract all”), and choose {name}."
            ) from error
        self.size, self.shown = chosen.file_size, f"{chosen.filename} in {self.path.name}"
        self.counter = self.content = Watched(stream, self.named)

    def _choose(self, archive, member):
        entries = [entry for entry in archive.infolist() if not entry.is_dir()]
        names = [entry.filename for entry in entries]
        if not names:
            raise TerritoryError(f"{self.called} ({self.path.name}) is a zip with nothing in it. Download it again.")
        if "[Content_Types].xml" in names:
            what = EXCEL if any(name.startswith("xl/") for name in names) else "an Office document, no table"
            raise TerritoryError(f"{self.called} ({self.path.name}) is {what}.")
        texts = [
            entry for entry in entries
            if entry.filename.lower().endswith((".csv", ".txt", ".tsv")) and not entry.filename.startswith("__MACOSX")
        ]  # fmt: skip
        fitting = [entry for entry in texts if member and member(Path(entry.filename).name)]
        if not fitting and len(texts) == 1:
            fitting = texts
        if len(fitting) != 1:
            inside = name_some([entry.filename for entry in fitting or texts] or names)
            what = "several such files" if len(fitting) > 1 else "no such file"
            raise TerritoryError(
                f"{self.called}: {self.path.name} holds {what} ({inside}). Unpack the one that is meant, and choose it."
            )
        return fitting[0]
