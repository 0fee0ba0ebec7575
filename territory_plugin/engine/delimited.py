"""Delimited text of any size, row by row: plain, inside a zip without unpacking it, or gzipped.

Made for files like NPPES's, with hundreds of quoted columns of which few are needed. A line whose columns
are all quoted, or none, is cut by the delimiter up to the last needed column and no further; every other
line goes through Python's csv reader. Both give the same fields: a line is cut only when it has exactly as
many delimiters as the header.
"""

from __future__ import annotations

import codecs
import csv
from collections.abc import Callable, Collection, Iterator, Sequence
from functools import partial
from pathlib import Path

from .errors import Count, TerritoryError, name_some
from .opening import DAMAGE, LONGEST_LINE, Opened, what_begins
from .progress import IsCancelled, Progress, ignore, never, stop_if

LONGEST_FIELD = 1 << 17
MOST_COLUMNS = 1 << 14  # as many as a sheet of Excel has
MOST_REFUSED = 8  # values: they tell what is wrong with a file
_BLOCK = 1 << 18  # bytes of lines
DELIMITERS = ",\t;|"


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
        self.path, self.called, self.shown = Path(path), called, Path(path).name
        self.read = self.malformed = self.passed_over = self.odd_bytes = 0
        self.examples: list[int] = []
        self._refused: dict[tuple[str, str], list[str]] = {}
        self._opened = None
        try:
            self._opened = Opened(self.path, called, member)
            self.shown = self._opened.shown
            self._read_header()
        except DAMAGE as error:
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
        if self._opened is not None:
            self._opened.close()

    def _damaged(self, error) -> TerritoryError:
        return TerritoryError(
            f"{self.called} ({self.path.name}) is damaged or was not downloaded to its end: {error}. Download it again."
        )

    # ---------------------------------------------------------------- header

    def _read_header(self) -> None:
        stream = self._opened.stream
        head = stream.peek(16)[:16]
        if head.startswith((codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)):
            raise TerritoryError(f"{self.called} ({self.shown}) is in UTF-16: save it as “CSV UTF-8”.")
        what = what_begins(head)
        if what:
            raise TerritoryError(f"{self.called} ({self.shown}) is {what}.")
        line = stream.readline(LONGEST_LINE)
        if line.startswith(codecs.BOM_UTF8):
            line = line[len(codecs.BOM_UTF8) :]
        if b"\0" in line or b"\0" in head:
            raise TerritoryError(f"{self.called} ({self.shown}) is no text: choose a CSV file, or a zip that holds it.")
        text = decode(line).rstrip("\r\n")
        if len(line) >= LONGEST_LINE or "\r" in text:
            raise TerritoryError(
                f"{self.called} ({self.shown}) has no line breaks where a table has them; it starts with "
                f"“{text[:60].split(chr(13))[0]}”. Choose the CSV, or save it anew as “CSV UTF-8”."
            )
        bare = text.rstrip(" \t")  # a header of commas may end in tabs
        counts = {sign: len(_cut(bare, sign)) for sign in DELIMITERS}
        self.delimiter = max(DELIMITERS, key=counts.get)
        names = [name.strip() for name in _cut(text, self.delimiter)]
        self.width = len(names)
        while names and not names[-1]:
            names.pop()
        self.names = names
        if len(names) < 2:
            raise TerritoryError(
                f"{self.called} ({self.shown}) has no header of column names in its first line; it starts with "
                f"“{text[:60]}”."
            )
        if len(names) > MOST_COLUMNS:
            raise TerritoryError(
                f"{self.called} ({self.shown}) has {Count(len(names)):column|columns} in its first line, as no table "
                f"of providers has; it starts with “{text[:60]}”."
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
        except DAMAGE as error:
            raise self._damaged(error) from error
        except OSError as error:
            raise TerritoryError(f"{self.called} cannot be read any further: {error}.") from error
        finally:
            self.close()
        self._raise_refused()

    def _rows(self, last, progress, cancelled, text, wanted):
        mark = self.delimiter.encode()
        closing, between = b'"' + mark, b'"' + mark + b'"'
        widths = {self.width - 1, len(self.names) - 1}
        cuts = min(last + 1, len(self.names))
        stream, content, counter = self._opened.stream, self._opened.content, self._opened.counter
        slow = _Slow(stream, self.delimiter)
        read = 0
        # by lists of lines, so that little is asked at each line
        for block in iter(partial(stream.readlines, _BLOCK), []):
            stop_if(cancelled)
            progress(min(counter.count / self._opened.size, 1.0), f"{text}, {read:,} rows")
            lines, holes = iter(block), content.nul
            while lines is not None:
                for line in lines:
                    read += 1
                    if wanted is not None:
                        quoted = line[:1] == b'"'
                        first = line[1:11] if quoted else line[:10]
                        ends = line[11:13] == closing if quoted else line[10:11] == mark
                        # an odd number of quotes is a record that goes on in the next line
                        if ends and first not in wanted and first.isdigit() and line.count(b'"') % 2 == 0:
                            self.passed_over += 1
                            continue
                    self.read = read
                    if holes and b"\0" in line:  # blocks that a broken download has left empty
                        self._is_malformed(read)
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
                    fields, given_back = slow.record(line, lines)
                    if len(fields) - 1 in widths:
                        yield fields
                    else:
                        self._is_malformed(read)
                    if given_back:  # lines that a failed record has looked at are records of their own
                        lines = iter([*given_back, *lines])
                        break
                else:
                    lines = None
        self.read = read
        if not stream.closed:
            progress(1.0, f"{text}, {read:,} rows")
        stop_if(cancelled)

    def _is_malformed(self, row: int) -> None:
        self.malformed += 1
        if len(self.examples) < 5:
            self.examples.append(row)

    def refuse(self, what: str, text: str, way_out: str) -> None:
        """Note a value of the row that is being read that could only be read as another one.

        A file with such values is refused by `rows`: at its end, or here when there are many.

        Parameters
        ----------
        what : str
            What the values are, many of them: "numbers that …".
        way_out : str
            What to do, as a sentence.
        """
        found = self._refused.setdefault((what, way_out), [])
        found.append(f"row {self.read:,} (“{text}”)")
        if len(found) >= MOST_REFUSED:
            self._raise_refused()

    def _raise_refused(self) -> None:
        if not self._refused:
            return
        told = [
            f"{what}: {name_some(found)}{' and perhaps more' if len(found) >= MOST_REFUSED else ''}. {way_out}"
            for (what, way_out), found in self._refused.items()
        ]
        raise TerritoryError(f"{self.called} ({self.shown}) holds {' It also holds '.join(told)}")

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
        self.stream, self.delimiter = stream, delimiter

    def record(self, first: bytes, lines: Iterator[bytes]) -> tuple[list[bytes], list[bytes]]:
        """Return the fields of the record that starts with a line, and lines that are given back.

        A record whose quotes are never closed has no fields, and gives back all lines but its first.

        Parameters
        ----------
        lines : iterator of bytes
            The lines that follow; where they end the stream goes on.
        """
        if first.count(b'"') % 2 == 0:  # nearly always: one line is one record
            fields = _cut(first.decode("latin-1"), self.delimiter)
            if b'""' not in first:
                return [field.encode("latin-1") for field in fields], []
            return [field.replace('"', '""').encode("latin-1") for field in fields], []
        taken = []

        def feed():
            line, size = first, 0
            while line:
                taken.append(line)
                size += len(line)
                if size > LONGEST_FIELD or b"\0" in line:
                    return
                yield line.decode("latin-1")  # byte for byte; `decode` reads it later
                line = next(lines, b"") or self.stream.readline()

        try:
            fields = next(csv.reader(feed(), delimiter=self.delimiter, strict=True), None)
        except csv.Error:
            fields = None
        if fields is None:
            return [], taken[1:]
        return [field.replace('"', '""').encode("latin-1") for field in fields], []


def _cut(line: str, delimiter: str) -> list[str]:
    """Return the fields of a line, none where csv's reader gives up: a field beyond its limit, a NUL."""
    try:
        return next(csv.reader([line], delimiter=delimiter), [])
    except csv.Error:
        return []


def need_columns(
    file: DelimitedFile, needed: Sequence[Sequence[str]], hints: dict[str, str], way_out: str = ""
) -> list[int]:
    """Return the positions of columns, each given by its spellings.

    Parameters
    ----------
    hints : dict
        For the wrong file in the right place: a column that gives it away → what the file is.
    way_out : str
        What else can be done, as a sentence.

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
            f"It has {name_some(file.names, most=6)}.{' ' if way_out else ''}{way_out}"
        )
    return found
