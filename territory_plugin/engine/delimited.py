"""Delimited text of any size, row by row: plain, inside a zip without unpacking it, or gzipped.

Made for files like NPPES's, with hundreds of quoted columns of which few are needed. A line whose columns
are all quoted, or none, is cut by the delimiter up to the last needed column and no further; every other
line goes through Python's csv reader. Both give the same fields: a line is cut only when it has exactly as
many delimiters as the header.
"""

from __future__ import annotations

import codecs
import csv
import gzip
import io
import zipfile
import zlib
from collections.abc import Callable, Collection, Iterator, Sequence
from pathlib import Path

from .errors import TerritoryError, name_some
from .progress import IsCancelled, Progress, ignore, never, stop_if

BUFFER = 1 << 20
LONGEST_FIELD = 1 << 17
_EVERY = 8192
_DELIMITERS = ",\t;|"


def decode(raw: bytes) -> str:
    """Return bytes as text: UTF-8, or Windows-1252 where they are none (then every byte is a character).

    >>> decode("Núñez".encode()), decode("Núñez".encode("latin-1"))
    ('Núñez', 'Núñez')
    """
    try:
        return raw.decode("utf-8")
    except UnicodeDecodeError:
        try:
            return raw.decode("cp1252")
        except UnicodeDecodeError:
            return raw.decode("latin-1")


def header_key(name: str) -> str:
    """Return a column's name without case, spaces and punctuation, which differ between releases.

    >>> header_key(" Provider Secondary Practice Location Address-  Address Line 2")
    'providersecondarypracticelocationaddressaddressline2'
    """
    return "".join(sign for sign in name.lower() if sign.isalnum())


class Remembered(dict):
    """A function's results by argument; for columns with few different values."""

    def __init__(self, function: Callable):
        super().__init__()
        self.function = function

    def __missing__(self, key):
        self[key] = value = self.function(key)
        return value


class _Counted(io.RawIOBase):
    """A raw stream that counts the bytes read from it."""

    def __init__(self, stream):
        self.stream, self.count = stream, 0

    def readable(self):
        return True

    def readinto(self, buffer):
        data = self.stream.read(len(buffer))
        buffer[: len(data)] = data
        self.count += len(data)
        return len(data)


class DelimitedFile:
    """A delimited text file, opened; iterate over `rows` once.

    Parameters
    ----------
    path : str or Path
        Text, a zip that holds it, or its gzip.
    called : str
        What messages call the file.
    member : callable, optional
        Answers whether a file in the zip, given by its name without folders, is the one; needed for zips
        that hold several texts.

    Attributes
    ----------
    names : list of str
        The header, without byte-order mark and stray white space.
    read, malformed, passed_over, odd_bytes : int
        After iterating: records, those whose number of fields is not the header's, those that were not wanted by
        their first field, and texts not in UTF-8 among those that a caller reported through `text`.

    Raises
    ------
    TerritoryError
        A file that is missing, empty, truncated, or no text.
    """

    def __init__(self, path, called: str = "The file", member: Callable[[str], bool] | None = None):
        self.path, self.called = Path(path), called
        self.read = self.malformed = self.passed_over = self.odd_bytes = 0
        self.examples: list[int] = []
        self._files = []
        try:
            self._open(member)
            self._read_header()
        except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
            self.close()
            raise self._damaged(error) from error
        except OSError as error:
            self.close()
            raise TerritoryError(f"{called} cannot be opened: {error}.") from error
        except BaseException:
            self.close()
            raise

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self) -> None:
        """Close the file."""
        while self._files:
            self._files.pop().close()

    def _damaged(self, error) -> TerritoryError:
        return TerritoryError(
            f"{self.called} ({self.path.name}) is damaged or was not downloaded to its end: {error}. Download it again."
        )

    # ---------------------------------------------------------------- opening

    def _open(self, member) -> None:
        plain = open(self.path, "rb")  # noqa: SIM115
        self._files.append(plain)
        self.size = self.path.stat().st_size
        magic = plain.read(4)
        plain.seek(0)
        if not magic:
            raise TerritoryError(f"{self.called} ({self.path.name}) is empty (0 bytes).")
        self.shown = self.path.name
        if self.path.suffix.lower() == ".zip" or magic == b"PK\x03\x04":
            archive = zipfile.ZipFile(plain)
            self._files.append(archive)
            chosen = self._choose(archive, member)
            if chosen.file_size == 0:
                raise TerritoryError(f"{self.called} ({chosen.filename} in {self.path.name}) is empty (0 bytes).")
            if chosen.flag_bits & 1:
                raise TerritoryError(f"{self.called}: {self.path.name} has a password; unpack it first.")
            self.size, self.shown = chosen.file_size, f"{chosen.filename} in {self.path.name}"
            stream = archive.open(chosen)
            self._files.append(stream)
            self._counter = _Counted(stream)
        elif magic[:2] == b"\x1f\x8b":
            self._counter = _Counted(plain)
            stream = gzip.GzipFile(fileobj=io.BufferedReader(self._counter, BUFFER))
            self._files.append(stream)
            self._stream = io.BufferedReader(stream, BUFFER)
            return
        else:
            self._counter = _Counted(plain)
        self._stream = io.BufferedReader(self._counter, BUFFER)

    def _choose(self, archive, member):
        texts = [
            entry for entry in archive.infolist()
            if entry.filename.lower().endswith((".csv", ".txt", ".tsv")) and not entry.filename.startswith("__MACOSX")
        ]  # fmt: skip
        fitting = [entry for entry in texts if member and member(Path(entry.filename).name)]
        if not fitting and len(texts) == 1:
            fitting = texts
        if len(fitting) != 1:
            inside = name_some([entry.filename for entry in fitting or texts or archive.infolist()])
            what = "several such files" if len(fitting) > 1 else "no such file"
            raise TerritoryError(
                f"{self.called}: {self.path.name} holds {what} ({inside}). Unpack the one that is meant, and choose it."
            )
        return fitting[0]

    # ---------------------------------------------------------------- header

    def _read_header(self) -> None:
        head = self._stream.peek(4)[:4]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise TerritoryError(f"{self.called} ({self.shown}) is in UTF-16: save it as “CSV UTF-8”.")
        line = self._stream.readline(BUFFER)
        if line.startswith(codecs.BOM_UTF8):
            line = line[len(codecs.BOM_UTF8) :]
        if b"\0" in line or b"\0" in head:
            raise TerritoryError(f"{self.called} ({self.shown}) is no text: choose a CSV file, or a zip that holds it.")
        text = decode(line).rstrip("\r\n")
        bare = text.rstrip(" \t")  # a header of commas may end in tabs
        counts = {sign: len(next(csv.reader([bare], delimiter=sign), [])) for sign in _DELIMITERS}
        self.delimiter = max(_DELIMITERS, key=counts.get)
        names = [name.strip() for name in next(csv.reader([text], delimiter=self.delimiter), [])]
        self.width = len(names)
        while names and not names[-1]:
            names.pop()
        self.names = names
        if len(names) < 2:
            raise TerritoryError(
                f"{self.called} ({self.shown}) has no header of column names in its first line; it starts with "
                f"“{text[:60]}”."
            )
        self._by_key = {}
        for at, name in enumerate(names):
            self._by_key.setdefault(header_key(name), at)

    def find(self, *names: str) -> int | None:
        """Return the position of the first of these columns that there is, case and punctuation apart."""
        for name in names:
            at = self._by_key.get(header_key(name))
            if at is not None:
                return at
        return None

    # ---------------------------------------------------------------- rows

    def rows(
        self,
        last: int,
        progress: Progress = ignore,
        cancelled: IsCancelled = never,
        text: str = "Reading",
        wanted: Collection[bytes] | None = None,
    ) -> Iterator[list[bytes]]:
        """Yield the fields of each record as bytes, at least up to position `last`.

        Fields are raw: a doubled quote inside one is still doubled. `text` gives what is meant.

        Parameters
        ----------
        wanted : collection of bytes, optional
            First fields. Records whose first field is another one of ten digits are passed over and counted,
            without a look at the rest of them; records that begin otherwise come all the same.

        Raises
        ------
        TerritoryError
            When the file turns out to be damaged on the way.
        """
        try:
            yield from self._rows(last, progress, cancelled, text, wanted)
        except (zipfile.BadZipFile, zlib.error, EOFError, gzip.BadGzipFile) as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise TerritoryError(f"{self.called} cannot be read any further: {error}.") from error
        finally:
            self.close()

    def _rows(self, last, progress, cancelled, text, wanted):
        mark = self.delimiter.encode()
        closing, between = b'"' + mark, b'"' + mark + b'"'
        widths = {self.width - 1, len(self.names) - 1}
        cuts = min(last + 1, len(self.names))
        stream, slow = self._stream, _Slow(self._stream, self.delimiter)
        read = 0
        for line in slow.lines():
            read += 1
            if read % _EVERY == 0:
                self.read = read
                stop_if(cancelled)
                progress(min(self._counter.count / self.size, 1.0), f"{text}, {read:,} rows")
            if wanted is not None:
                quoted = line[:1] == b'"'
                first = line[1:11] if quoted else line[:10]
                ends = line[11:13] == closing if quoted else line[10:11] == mark
                # an odd number of quotes is a record that goes on in the next line
                if ends and first not in wanted and first.isdigit() and line.count(b'"') % 2 == 0:
                    self.passed_over += 1
                    continue
            if line[:1] == b'"' and line.count(between) in widths:
                fields = line.rstrip(b"\r\n")
                if fields[-1:] == b'"':
                    yield fields[1:-1].split(between, cuts)
                    continue
            elif b'"' not in line and line.count(mark) in widths:
                yield line.rstrip(b"\r\n").split(mark, cuts)
                continue
            if not line.strip():
                read -= 1  # a blank line is no record
                continue
            fields = slow.record(line)
            if len(fields) - 1 not in widths:
                self.malformed += 1
                if len(self.examples) < 5:
                    self.examples.append(read)
                continue
            yield fields
        self.read = read
        if not stream.closed:
            progress(1.0, f"{text}, {read:,} rows")
        stop_if(cancelled)

    def more(self, fields: list[bytes], last: int) -> list[bytes]:
        """Return the fields of a record at least up to position `last`, cut from what `rows` left uncut."""
        if len(fields) > last + 1 or len(fields) >= len(self.names):
            return fields
        rest, mark = fields[-1], self.delimiter.encode()
        between = b'"' + mark + b'"' if b'"' in rest else mark
        return fields[:-1] + rest.split(between, last + 2 - len(fields))

    def text(self, raw: bytes) -> str:
        """Return a raw field as the text that is meant: doubled quotes single, white space at the ends cut."""
        if not raw.isascii():
            found = decode(raw)
            try:
                raw.decode("utf-8")
            except UnicodeDecodeError:
                self.odd_bytes += 1
        else:
            found = raw.decode("ascii")
        if '""' in found:
            found = found.replace('""', '"')
        return found.strip()


class _Slow:
    """Records that need the whole of CSV's grammar: line breaks and delimiters inside quotes."""

    def __init__(self, stream, delimiter: str):
        self.stream, self.delimiter, self.waiting = stream, delimiter, []

    def lines(self):
        """Yield the lines of the stream, and those that a failed record gave back before the next."""
        for line in self.stream:
            yield line
            while self.waiting:
                yield self.waiting.pop()

    def record(self, first: bytes) -> list[bytes]:
        """Return the fields of the record that starts with a line, none when its quotes are never closed."""
        if first.count(b'"') % 2 == 0:  # nearly always: one line is one record
            fields = next(csv.reader([first.decode("latin-1")], delimiter=self.delimiter), [])
            if b'""' not in first:
                return [field.encode("latin-1") for field in fields]
            return [field.replace('"', '""').encode("latin-1") for field in fields]
        taken = []

        def feed():
            line, size = first, 0
            while line:
                taken.append(line)
                size += len(line)
                if size > LONGEST_FIELD:
                    return
                yield line.decode("latin-1")  # byte for byte; `decode` reads it later
                line = self.waiting.pop() if self.waiting else self.stream.readline()

        try:
            fields = next(csv.reader(feed(), delimiter=self.delimiter, strict=True), None)
        except csv.Error:
            fields = None
        if fields is None:
            self.waiting.extend(reversed(taken[1:]))  # the lines after it are records of their own
            fields = []
        return [field.replace('"', '""').encode("latin-1") for field in fields]


def need_columns(file: DelimitedFile, needed: Sequence[Sequence[str]], hints: dict[str, str]) -> list[int]:
    """Return the positions of columns, each given by its spellings.

    Parameters
    ----------
    hints : dict
        For the wrong file in the right place: a column that gives it away → what the file is.

    Raises
    ------
    TerritoryError
        When some are missing; the message says which, and what the file looks like instead.
    """
    found = [file.find(*spellings) for spellings in needed]
    missing = [spellings[0] for spellings, at in zip(needed, found) if at is None]
    if missing:
        looks = next((f" It looks like {what}." for name, what in hints.items() if file.find(name) is not None), "")
        raise TerritoryError(
            f"{file.called} ({file.shown}) lacks the columns {name_some(missing)}.{looks} "
            f"It has {name_some(file.names, most=6)}."
        )
    return found
