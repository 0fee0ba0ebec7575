"""Rows that are no rows: totals, titles, and what exports write below a table."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import cached_property

import numpy as np

from .missing import known_texts
from .numbers import read_numbers

LAST_ROWS = 40
"""How far from the end a block of lines below the table is looked for."""
SHAPES = 10_000
"""How many rows are looked at to learn what the table's keys look like."""

_THINGS = (
    r"rows?|records?|reps?|accounts?|customers?|providers?|practices?|clinicians?|zips?|zip codes?|units?|items?|"
    r"territor(?:y|ies)|amounts?|values?|revenues?|sales|workloads?|volumes?|numbers?|count|sum|of|for|all|the|and|"
    r"[\d.,]+"
)
_TOTAL = re.compile(
    rf"(?:(?:grand|report|overall|general|running|sub)[\s-]*)?(?:totals?|sum|summe|gesamt|count|average|mean|overall)"
    rf"(?:[\s:=()-]+(?:{_THINGS}))*[\s:=()]*",
    re.IGNORECASE,
)
_ENDS_IN_TOTAL = re.compile(r".*\b(?:sub-?)?totals?\s*:?", re.IGNORECASE)
_LINE = re.compile(
    r"(?:copyright\b|©|\(c\)\s*\d{4}|confidential\b|disclaimer\b|page \d+|\d[\d,]* (?:rows?|records?)\b|"
    r"(?:report |list )?(?:generated|exported|downloaded|printed|created|run)\s+(?:by|on|at|from|date)\b|"
    r"sources?\s*:|notes?\s*:|(?:data )?as of\b|last (?:updated|refreshed|modified)\b|"
    r"(?:filtered by|applied filters|filters?)\s*:?|end of (?:report|file|data|list)\b|report (?:date|name|run)\b)"
    r"|.*\b(?:all rights reserved|do not distribute)\b.*",
    re.IGNORECASE | re.DOTALL,
)


def footer_rows(columns: Mapping[str, Sequence[object]], keys: Sequence[str]) -> dict[int, str]:
    """Return the rows of a table that are no rows, and what each says.

    A row is left out when its keys are empty or a total's words and it has little else but numbers; when it has no key
    and its numbers are the sums of the rows above; when it is a line of text below the table; and when it is empty and
    no row of the table is below it.
    A name that begins with “Total” does not make a row a total: what has a key of its own stays.

    Parameters
    ----------
    columns : mapping of str to sequence, length n
        The cells by column.
    keys : sequence of str
        The columns that name a row: id, ZIP, NPI. Without any the first column does.

    Returns
    -------
    dict of int to str
        Row → its text; "" for an empty one.

    Examples
    --------
    >>> footer_rows({"npi": ["1", "2", "Total"], "practice": ["Total Orthopaedics", "B", None],
    ...              "visits": [3, 4, 7]}, ["npi"])
    {2: 'Total, 7'}
    """
    return find_footers(lambda names: [{name: columns[name] for name in names}], list(columns), keys)


def find_footers(
    read: Callable[[Sequence[str]], Iterable[Mapping[str, Sequence[object]]]], names: Sequence[str], keys: Sequence[str]
) -> dict[int, str]:
    """Do as `footer_rows` for a table that is too long to be held.

    Parameters
    ----------
    read : callable
        Gives the columns of these names in blocks of rows. It is called once for the keys and, only where a row may be
        none, once more for all columns.
    names : sequence of str
        All columns.
    keys : sequence of str

    Returns
    -------
    dict of int to str
    """
    keys = [name for name in keys if name in names] or list(names[:1])
    rows, size = [], 0
    for block in read(keys) if keys else ():
        rows += [size + at for at in _without_key([known_texts(block[name]) for name in keys])]
        size += len(block[keys[0]])
    if not rows:  # what has a key of its own is a row
        return {}
    table = _Table(names, keys, rows, size)
    for block in read(names):
        table.add(block)
    table.find_words()
    table.find_sums_at_the_end()
    table.find_lines_below()
    table.drop_empty_rows_above()
    return dict(sorted(table.found.items()))


def _without_key(columns: Sequence[Sequence[str | None]]) -> Iterator[int]:
    """Yield the rows whose keys are empty or words."""
    for row, texts in enumerate(zip(*columns)):
        if texts[0] is not None and texts[0].isdigit():
            continue
        known = [text for text in texts if text is not None]
        if not known or all(_TOTAL.fullmatch(text) or _ENDS_IN_TOTAL.fullmatch(text) or _LINE.match(text)
                            for text in known):  # fmt: skip
            yield row


class _Column:
    """What is kept of a column of numbers: sums down to the rows that matter."""

    def __init__(self):
        self.known = self.unread = 0
        self.contradiction = False
        self.sum = 0.0
        self.at: dict[int, float] = {}
        self.above: dict[int, float] = {}

    def add(self, values: Sequence[object], start: int, rows: Sequence[int]) -> None:
        """Take a block of cells; `rows` are those of the table that matter."""
        read = read_numbers(values)
        self.contradiction |= bool(read.contradiction)
        self.known += int(np.isfinite(read.floats).sum())
        self.unread += len(read.unread)
        sums = np.concatenate([[0.0], np.cumsum(np.nan_to_num(read.floats))])
        for row in rows:
            self.at[row], self.above[row] = float(read.floats[row - start]), self.sum + float(sums[row - start])
        self.sum += float(sums[-1])

    @property
    def is_numeric(self) -> bool:
        """Whether most of what is filled is a number."""
        return not self.contradiction and bool(self.known) and self.unread <= self.known


class _Table:
    """What is known of a table: the rows that may be none and the last ones whole, of the others little."""

    def __init__(self, names: Sequence[str], keys: Sequence[str], rows: Sequence[int], size: int):
        self.names, self.keys, self.size = names, keys, size
        self.rows = set(rows)
        self.numbers = {name: _Column() for name in names if name not in keys}
        self.cells: dict[int, dict[str, object]] = {}
        self.text: dict[int, dict[str, str | None]] = {}
        self.shapes: dict[str, int] = {}
        self.single: int | None = None
        self.seen = 0
        self.found: dict[int, str] = {}

    def add(self, block: Mapping[str, Sequence[object]]) -> None:
        """Take the next block of rows."""
        start, cells = self.seen, {name: list(block[name]) for name in self.names}
        texts = {name: known_texts(values) for name, values in cells.items()}
        self.seen += len(cells[self.names[0]])
        whole = [row for row in range(start, self.seen) if row in self.rows or row >= self.size - LAST_ROWS - 1]
        for row in whole:
            self.cells[row] = {name: values[row - start] for name, values in cells.items()}
            self.text[row] = {name: values[row - start] for name, values in texts.items()}
        for name, column in self.numbers.items():
            column.add(cells[name], start, [row for row in whole if row in self.rows])
        if len(self.names) > 1 and self.single is None:
            empty = sum(np.fromiter((text is None for text in values), dtype=int) for values in texts.values())
            singles = np.flatnonzero(empty >= len(self.names) - 1) + start
            self.single = next((row for row in singles.tolist() if row not in self.rows), None)
        for row in range(start, min(self.seen, SHAPES)):
            if row not in self.rows:
                self.add_shapes(row, [texts[name][row - start] for name in self.keys])

    def add_shapes(self, row, texts) -> None:
        """Note the shapes of a row's keys, where they have a digit."""
        for text in texts:
            if text is not None and any(map(str.isdigit, text)):
                self.shapes.setdefault(_shape(text), row)

    def key_texts(self, row) -> list[str]:
        return [text for name in self.keys if (text := self.text[row][name]) is not None]

    @cached_property
    def numeric(self) -> dict[str, _Column]:
        """The columns of numbers."""
        return {name: column for name, column in self.numbers.items() if column.is_numeric}

    @cached_property
    def width_of_text(self) -> int:
        """The number of columns beside keys and numbers."""
        return len(self.names) - len(set(self.keys)) - len(self.numeric)

    def others(self, row) -> list[str]:
        """Return the filled cells of a row beside keys and numbers."""
        return [
            text for name, text in self.text[row].items()
            if name not in self.keys and name not in self.numeric and text is not None
        ]  # fmt: skip

    def find_words(self) -> None:
        """Find rows that are empty, or whose keys, or whose text where they have no key, are a total's words."""
        for row in sorted(self.rows):
            keys, others = self.key_texts(row), self.others(row)
            words = keys or others
            if not self.told(row) and not any(isinstance(value, float) for value in self.cells[row].values()):
                self.found[row] = ""
            elif words and all(_TOTAL.fullmatch(text) or _LINE.match(text) for text in words):
                if not keys or len(others) <= self.width_of_text // 2:
                    self.found[row] = self.told(row)
            elif keys and not others and all(_ENDS_IN_TOTAL.fullmatch(text) for text in keys) and self.is_sum(row):
                self.found[row] = self.told(row)  # such as “North total”

    def find_sums_at_the_end(self) -> None:
        """Find rows without a key whose numbers are the sums of the rows above, below all rows of the table."""
        for row in range(self.size - 1, 0, -1):
            if row in self.found:
                continue
            if row not in self.rows or self.key_texts(row):
                return
            if len(self.others(row)) > max(1, self.width_of_text // 2) or not self.is_sum(row):
                return
            self.found[row] = self.told(row)

    def is_sum(self, row) -> bool:
        """Answer whether a row has the sums of the rows above: of all, or of those since the last sum."""
        filled = [column for column in self.numeric.values() if np.isfinite(column.at[row])]
        earlier = [at for at in self.found if at < row]
        for start in {0, max(earlier, default=-1) + 1}:
            between = [at for at in earlier if at >= start]
            if (
                row - start - len(between) > 1
                and filled
                and all(column.at[row] != 0 and self.sums_to(column, row, start, between) for column in filled)
            ):
                return True
        return False

    @staticmethod
    def sums_to(column: _Column, row, start, between) -> bool:
        """Answer whether a row's number is the sum from a row on without those between that are sums themselves."""
        above = column.above[row] - (column.above[start - 1] + np.nan_to_num(column.at[start - 1]) if start else 0.0)
        above -= sum(np.nan_to_num(column.at[at]) for at in between)
        return bool(np.isclose(above, column.at[row], rtol=1e-6, atol=0))

    def find_lines_below(self) -> None:
        """Find the block of single lines at the end, one of which is surely none of the table."""
        row, block = self.size - 1, []
        while row >= 0 and len(block) < LAST_ROWS and (row in self.found or self.is_single(row)):
            block.append(row)
            row -= 1
        sure = [at for at in block if _LINE.match(self.found.get(at, ""))]
        above = [at for at in self.rows if at <= row and at not in self.found]
        if not sure or (self.single is not None and self.single <= row) or any(self.is_single(at) for at in above):
            return
        for at in above:
            self.add_shapes(at, self.key_texts(at))
        shapes = {shape for shape, first in self.shapes.items() if first <= row}
        for at in block:
            # a title stands above the first such line; a row that has nothing but its key stands there, too
            title = any(" " in text and _shape(text) not in shapes for text in self.key_texts(at))
            if at > min(sure) or title:
                self.found.setdefault(at, self.told(at))

    def drop_empty_rows_above(self) -> None:
        """Take back empty rows that have rows of the table below them: what they mean is not known here."""
        last = next((row for row in range(self.size - 1, -1, -1) if row not in self.found), -1)
        self.found = {row: text for row, text in self.found.items() if text or row > last}

    def is_single(self, row) -> bool:
        """Answer whether only one cell of a row is filled, in a table that has several columns."""
        return len(self.names) > 1 and sum(text is not None for text in self.text[row].values()) <= 1

    def told(self, row) -> str:
        return ", ".join(text for text in self.text[row].values() if text is not None)


def _shape(text: str) -> str:
    """Return a text with a 9 for each run of digits and an a for each run of letters."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))
