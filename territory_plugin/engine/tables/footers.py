"""Rows that are no rows: totals, titles, and what exports write below a table."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np

from .missing import known_text, known_texts
from .numbers import read_numbers

LAST_ROWS = 40
"""How far from the end a block of lines below the table is looked for."""

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
    table = _Table(columns, keys)
    table.find_words()
    table.find_sums_at_the_end()
    table.find_lines_below()
    table.drop_empty_rows_above()
    return dict(sorted(table.found.items()))


class _Table:
    """The cells of a table as text, with its key columns."""

    def __init__(self, columns, keys):
        self.raw = dict(columns)  # cells are read when they are asked for
        names = list(self.raw)
        self.keys = [name for name in keys if name in self.raw] or names[:1]
        self.size = len(self.raw[names[0]]) if names else 0
        self.text = {name: _Texts(values) for name, values in self.raw.items()}
        self.found: dict[int, str] = {}

    def key_texts(self, row) -> list[str]:
        return [text for name in self.keys if (text := self.text[name][row]) is not None]

    def candidates(self):
        """Yield the rows whose keys are empty or words: others are sound without a look at their other cells."""
        for row, texts in enumerate(zip(*(self.text[name].whole() for name in self.keys))):
            if texts[0] is not None and texts[0].isdigit():
                continue
            texts = [text for text in texts if text is not None]
            if not texts or all(_TOTAL.fullmatch(text) or _ENDS_IN_TOTAL.fullmatch(text) or _LINE.match(text)
                                for text in texts):  # fmt: skip
                yield row

    @cached_property
    def numeric(self) -> dict[str, np.ndarray]:
        """The columns of numbers: those in which most of what is filled is one."""
        found = {}
        for name, values in self.raw.items():
            if name in self.keys:
                continue
            read = read_numbers(list(values))
            known = int(np.isfinite(read.floats).sum())
            if not read.contradiction and known and len(read.unread) <= known:
                found[name] = read.floats
        return found

    @cached_property
    def width_of_text(self) -> int:
        """The number of columns beside keys and numbers."""
        return len(self.raw) - len(set(self.keys)) - len(self.numeric)

    def others(self, row) -> list[str]:
        """Return the filled cells of a row beside keys and numbers."""
        return [
            text for name in self.raw
            if name not in self.keys and name not in self.numeric and (text := self.text[name][row]) is not None
        ]  # fmt: skip

    def find_words(self) -> None:
        """Find rows that are empty, or whose keys, or whose text where they have no key, are a total's words."""
        for row in self.candidates():
            keys, others = self.key_texts(row), self.others(row)
            words = keys or others
            if not self.told(row) and not any(isinstance(values[row], float) for values in self.raw.values()):
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
            if self.key_texts(row) or len(self.others(row)) > max(1, self.width_of_text // 2) or not self.is_sum(row):
                return
            self.found[row] = self.told(row)

    def sums(self, row) -> list[str]:
        """Return the columns of numbers that are filled in a row."""
        return [name for name, values in self.numeric.items() if np.isfinite(values[row])]

    def is_sum(self, row) -> bool:
        """Answer whether a row has the sums of the rows above: of all, or of those since the last sum."""
        names, earlier = self.sums(row), [at for at in self.found if at < row]
        for start in {0, max(earlier, default=-1) + 1}:
            rows = np.setdiff1d(np.arange(start, row), earlier)
            if (
                len(rows) > 1
                and names
                and all(
                    self.numeric[name][row] != 0
                    and np.isclose(np.nansum(self.numeric[name][rows]), self.numeric[name][row], rtol=1e-6, atol=0)
                    for name in names
                )
            ):
                return True
        return False

    def find_lines_below(self) -> None:
        """Find the block of single lines at the end, one of which is surely none of the table."""
        row, block = self.size - 1, []
        while row >= 0 and len(block) < LAST_ROWS and (row in self.found or self.is_single(row)):
            block.append(row)
            row -= 1
        sure = [at for at in block if _LINE.match(self.found.get(at, ""))]
        above = [at for at in range(row + 1) if at not in self.found]
        if not sure or any(self.is_single(at) for at in above):
            return
        shapes = {_shape(text) for at in above for text in self.key_texts(at) if any(map(str.isdigit, text))}
        for at in block:
            # a title stands above the first such line; a row that has nothing but its key stands there, too
            title = any(" " in text and _shape(text) not in shapes for text in self.key_texts(at))
            if at > min(sure) or title:
                self.found.setdefault(at, self.told(at))

    def drop_empty_rows_above(self) -> None:
        """Take back empty rows that have rows of the table below them: what they mean is not known here."""
        last = max((row for row in range(self.size) if row not in self.found), default=-1)
        self.found = {row: text for row, text in self.found.items() if text or row > last}

    def is_single(self, row) -> bool:
        """Answer whether only one cell of a row is filled, in a table that has several columns."""
        filled = [name for name in self.raw if self.text[name][row] is not None]
        return len(self.raw) > 1 and len(filled) <= 1

    def told(self, row) -> str:
        return ", ".join(text for name in self.raw if (text := self.text[name][row]) is not None)


class _Texts:
    """The cells of a column as text, read when they are asked for."""

    def __init__(self, values):
        self.values, self.read = values, {}

    def __getitem__(self, row):
        if row not in self.read:
            self.read[row] = known_text(self.values[row])
        return self.read[row]

    def whole(self) -> list[str | None]:
        """Return all cells."""
        found = known_texts(self.values)
        self.read = dict(enumerate(found))
        return found


def _shape(text: str) -> str:
    """Return a text with a 9 for each run of digits and an a for each run of letters."""
    return re.sub(r"[^\W\d_]+", "a", re.sub(r"\d+", "9", text))
