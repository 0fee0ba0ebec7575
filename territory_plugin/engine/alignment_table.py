"""An alignment as companies keep it: ZIPs, lists, ranges and beginnings, a territory for each, some for a time only.

What was not understood is refused, since a plan made from it would say that nothing changes hands.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date

from .crosswalk import bare_header
from .errors import Count, TerritoryError, name_some
from .tables.cells import cell_text
from .tables.dates import are_dates, read_dates
from .tables.missing import is_missing, is_unassigned
from .tables.names import plain_name
from .tables.zip_lists import HOW_TO_WRITE, Entry, UnitIndex, holds_three_digits, read_span, read_zip_list

CALLED = "The current alignment"
EXAMPLES = 3
LEAST_COVERED = 0.5
"""Share of the units that the table has to tell of, unless nearly all of its own rows are units of the market."""
NEARLY_ALL = 0.9
MOST_UNREAD = 0.1
"""Share of rows that may be unreadable where every unit of the market has another row."""
LOWER = frozenset({"from", "start", "starting", "begin", "beginning", "low", "lower", "lo", "min", "minimum", "first"})
UPPER = frozenset({"to", "thru", "through", "until", "end", "ending", "high", "upper", "hi", "max", "maximum", "last"})
_ZIP_WORDS = frozenset(
    {"zip", "zips", "zipcode", "zipcodes", "code", "postal", "postalcode", "postcode", "zcta", "range"}
)
_DATE_WORDS = frozenset({"date", "dt", "day", "valid", "effective", "eff", "active"})
_WORD = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+")
_GLUED = re.compile(rf"({'|'.join(_ZIP_WORDS)})?({'|'.join(sorted(LOWER | UPPER))})({'|'.join(_ZIP_WORDS)})?")
_DAY = "(?:date|dt|day)"
_ENDS = re.compile(
    rf"(?:end|thru|through|until|term|termination|stop|inactive|close)(?:ing|ed)?{_DAY}$|^to{_DAY}$|"
    rf"{_DAY}(?:end|to|thru|through|until)$|(?:valid|eff|effective|active)(?:to|thru|through|until|end)$|"
    rf"expir(?:es|y|ation|ed|e)(?:{_DAY}|on)?$|^until$"
)
_STARTS = re.compile(
    rf"(?:start|begin|eff|effective|active|since)(?:ing|ed)?{_DAY}$|^from{_DAY}$|{_DAY}(?:start|from|begin)$|"
    r"(?:valid|eff|effective|active)(?:from|start|begin|since)$|^effective$"
)


@dataclass
class Reading:
    """What a table says of a market.

    Attributes
    ----------
    territory : dict of str to (str or None)
        Unit → territory as written; None, or a word for nobody, where the table says that it has none.
    apart : dict of str to (str or None)
        The same for ZIPs that are no units, as far as the table or the crosswalk names them.
    notes, warnings : list of str
        What a person should know.
    """

    territory: dict[str, str | None]
    apart: dict[str, str | None] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    warnings: list[str] = field(default_factory=list)


def read_alignment(
    columns: Mapping[str, Sequence[object]],
    unit_field: str,
    territory_field: str,
    units: Sequence[str],
    *,
    day: date | None = None,
    others: Sequence[str] = (),
) -> Reading:
    """Read the territory of each unit from a table.

    Parameters
    ----------
    columns : mapping of str to sequence of length n
        All columns of the table.
    unit_field : str
        The column of ZIPs, or of the lower ends where another column has the upper ones (`upper_column`).
    territory_field : str
    units : sequence of str
        Ids of the market.
    day : date, optional
        The day whose alignment is wanted, for a table with rows that begin or end.
    others : sequence of str
        Further ZIPs, which are no units but lie in one: what the table says of them is in `apart`.

    Raises
    ------
    TerritoryError
        When no unit is found; when rows cannot be read that may be those of units without a territory; when a unit has
        two territories; when rows end and no day is given; when fewer than half of the units are found, and much of the
        table is not in the market.

    Examples
    --------
    >>> table = {"ZIP": ["60601", "60602-60604"], "Territory": ["East", "West"]}
    >>> read_alignment(table, "ZIP", "Territory", ["60601", "60603"]).territory
    {'60601': 'East', '60603': 'West'}
    """
    table = _Table(columns, unit_field, territory_field, units, others)
    rows = table.rows_of(day)
    for row in rows:
        table.read(row)
    table.check()
    table.tell()
    return Reading({**table.nobody, **table.found}, table.apart, table.notes, table.warnings)


class _Table:
    """A table that is read row by row."""

    def __init__(self, columns, unit_field, territory_field, units, others):
        self.columns, self.unit_field = columns, unit_field
        self.ids = [cell_text(value) for value in columns[unit_field]]
        self.names = [cell_text(value) for value in columns[territory_field]]
        self.units, self.index, self.others = list(units), UnitIndex(units), UnitIndex(others)
        self.three_digits = holds_three_digits(unit_field)
        self.notes: list[str] = []
        self.warnings: list[str] = []
        upper = upper_column(columns, unit_field, territory_field)
        self.ends = [cell_text(value) for value in columns[upper]] if upper else None
        if upper:
            self.notes.append(f"{CALLED}: ranges go from “{unit_field}” to “{upper}”.")
        self.starts, self.stops, self.dated = self.read_days({unit_field, territory_field, upper})
        self.found: dict[str, str] = {}
        self.nobody: dict[str, str | None] = {}
        self.apart: dict[str, str | None] = {}
        self.since: dict[str, date] = {}
        self.torn: dict[str, list[str]] = {}
        self.unread: list[tuple[int, str]] = []
        self.absent: list[str] = []
        self.padded: list[str] = []
        self.nameless: list[int] = []
        self.entries = self.hits = 0
        self.later_wins = False

    # ------------------------------------------------------------ days

    def read_days(self, taken):
        """Return the first and the last day of each row, and the names of these columns."""
        start, end = date_columns({name: cells for name, cells in self.columns.items() if name not in taken})
        days = [read_dates(self.columns[name], name) if name else [None] * len(self.ids) for name in (start, end)]
        return *days, (start, end)

    def rows_of(self, day: date | None) -> list[int]:
        """Return the rows that hold on a day."""
        start, end = self.dated
        rows = range(len(self.ids))
        if day is None:
            ended = [row for row in rows if self.stops[row] is not None]
            if ended:
                told = name_some((f"{self.ids[row]} ({self.stops[row]})" for row in ended), EXAMPLES)
                raise TerritoryError(
                    f"{CALLED} has {Count(len(ended)):row that ends|rows that end} by “{end}”: {told}. Give the day "
                    "whose alignment you want in ALIGNMENT_DATE (2026-01-01, say), or take out the rows that no longer "
                    "hold."
                )
            return list(rows)
        if not any(name for name in (start, end)):
            raise TerritoryError(
                f"{CALLED} has no column of dates, so ALIGNMENT_DATE can choose nothing (it has "
                f"{', '.join(self.columns)}). Leave the day empty, or call the columns start_date and end_date."
            )
        over = {row for row in rows if self.stops[row] is not None and self.stops[row] < day}
        ahead = {row for row in rows if self.starts[row] is not None and self.starts[row] > day} - over
        kept = [row for row in rows if row not in over and row not in ahead]
        told = ", ".join(f"“{name}”" for name in (start, end) if name)
        if not kept:
            raise TerritoryError(f"No row of the current alignment holds on {day} by {told}: choose another day.")
        self.notes.append(
            f"{CALLED} on {day} by {told}: {Count(len(kept)):row holds|rows hold}, {len(over):,} ended before, "
            f"{len(ahead):,} begin later."
        )
        if not end:  # a list of changes: a later one takes the place of those before
            self.later_wins = True
            kept.sort(key=lambda row: self.starts[row] or date.min)
        return kept

    # ------------------------------------------------------------ rows

    def read(self, row: int) -> None:
        """Take what a row says."""
        cell, name = self.ids[row], self.names[row]
        end = self.ends[row] if self.ends else None
        if is_missing(cell) and is_missing(end):
            if not is_unassigned(name):
                self.nameless.append(row)
            return
        whole = self.index.as_it_stands(cell) if cell and end is None else None
        if whole is not None:
            self.entries, self.hits = self.entries + 1, self.hits + 1
            self.give([whole], name, row)
            return
        listed = read_span(cell, end, self.three_digits) if self.ends else read_zip_list(cell, self.three_digits)
        if not listed.entries and not is_unassigned(name):
            self.unread.append((row, cell))
        for entry in listed.entries:
            self.take(entry, name, row)
        self.padded += listed.padded

    def take(self, entry: Entry, name: str | None, row: int) -> None:
        """Take one item of a row's list."""
        here = self.index.find(entry)
        if here is None:
            if not is_unassigned(name):
                self.unread.append((row, entry.text))
            return
        beside = self.others.find(entry) or []
        self.entries += 1
        self.hits += bool(here or beside)
        self.give(here, name, row)
        if not here and not beside:
            self.absent.append(entry.text)
            code = entry.code if entry.readings else entry.text
            beside = [code] if code else []
        self.give(beside, name, row, apart=True)

    def give(self, units: list[str], name: str | None, row: int, apart: bool = False) -> None:
        """Note whose some units are."""
        held = self.apart if apart else self.found
        start = self.starts[row]
        if is_unassigned(name):
            for unit in units:
                if self.later_wins:
                    held.pop(unit, None)
                (self.apart if apart else self.nobody).setdefault(unit, name)
            return
        for unit in units:
            before = held.get(unit)
            later = self.later_wins and start is not None and start > self.since.get(unit, date.min)
            if is_unassigned(before) or later:
                held[unit] = name
            elif plain_name(before) != plain_name(name):
                self.torn.setdefault(unit, [before]).append(name)
            if start is not None:
                self.since[unit] = start

    # ------------------------------------------------------------ what it comes to

    def check(self) -> None:
        """Refuse what was not understood."""
        told_of = {**self.nobody, **self.found}
        unread = name_some((f"“{text}” (row {row + 1})" for row, text in self.unread), EXAMPLES)
        if not told_of:
            if self.unread and not self.absent:
                theirs = f"{Count(len(self.unread)):item|items} cannot be read: {unread}. {HOW_TO_WRITE}"
            else:
                theirs = f"the alignment's like {self.examples()}"
            raise TerritoryError(
                "No unit of the current alignment is in the unit layer: choose the fields of its unit and its "
                f"territory. Units are like {name_some(self.units[:EXAMPLES])}; {theirs}."
            )
        if self.torn:
            torn = name_some(f"{unit} ({', '.join(dict.fromkeys(names))})" for unit, names in sorted(self.torn.items()))
            dated = " Rows begin on different days: give ALIGNMENT_DATE." if any(self.starts) else ""
            raise TerritoryError(
                f"{CALLED} has two territories for {Count(len(self.torn)):unit|units} {torn}: leave one row for each "
                f"unit, and no ranges that overlap.{dated}"
            )
        without = [unit for unit in self.units if unit not in told_of]
        rows = len({row for row, _ in self.unread})
        # where every unit has a row that was read, a few others can change nothing
        if rows and (without or rows > MOST_UNREAD * len(self.ids)):
            why = (
                f"They may be those of {Count(len(without)):unit|units} of which the alignment says nothing else: "
                f"{name_some(without, EXAMPLES)}."
                if without else f"They are {100 * rows / len(self.ids):.0f} % of the table."
            )  # fmt: skip
            raise TerritoryError(
                f"{Count(rows):row|rows} of the current alignment cannot be read: {self.all_unread()}. {HOW_TO_WRITE}; "
                f"or take these rows out. {why}"
            )
        if len(told_of) < LEAST_COVERED * len(self.units) and self.hits < NEARLY_ALL * self.entries:
            raise TerritoryError(
                f"{CALLED} has only {len(told_of):,} of {Count(len(self.units)):unit|units}, and {self.hits:,} of its "
                f"{Count(self.entries):item is|items are} in the market. Units that it lacks are like "
                f"{name_some(without[:EXAMPLES])}; what it has elsewhere is like {self.examples()}. Choose the fields "
                "of its unit and its territory, and the alignment of this market; where it really covers so little, "
                "take out its rows of other places."
            )

    def all_unread(self) -> str:
        return name_some(f"“{text}” (row {row + 1}, {self.names[row]})" for row, text in self.unread)

    def examples(self) -> str:
        seen = self.absent or [text for _, text in self.unread]
        return name_some(list(dict.fromkeys(seen))[:EXAMPLES]) or "nothing"

    def tell(self) -> None:
        """Note what was left out, and how the rest was read."""
        told_of = len({**self.nobody, **self.found})
        if self.unread:
            self.warnings.append(
                f"{Count(len({row for row, _ in self.unread})):row|rows} of the current alignment cannot be read, "
                f"without effect, as every unit has its own row: {self.all_unread()}. {HOW_TO_WRITE}."
            )
        if self.nameless:
            self.warnings.append(
                f"{Count(len(self.nameless)):row|rows} of the current alignment without a ZIP or unit, so without "
                f"effect: {name_some(f'row {row + 1} ({self.names[row]})' for row in self.nameless)}."
            )
        if self.absent:
            lost = list(dict.fromkeys(self.absent))
            self.warnings.append(
                f"{Count(len(lost)):ZIP or unit|ZIPs or units} of the current alignment not in the unit layer (no "
                f"polygon has the id), so without effect on the plan: {name_some(lost)}."
            )
        if told_of < LEAST_COVERED * len(self.units):
            self.warnings.append(
                f"{CALLED} has only {told_of:,} of {Count(len(self.units)):unit|units}; nearly all of its own are "
                "in the market, so it is taken to cover no more."
            )
        if self.padded:
            shown = name_some(list(dict.fromkeys(self.padded)), EXAMPLES)
            self.notes.append(
                f"{CALLED}: {Count(len(self.padded)):ZIP had|ZIPs had} lost zeros in front, which are back: {shown}."
            )
        if self.entries > len(self.ids):
            self.notes.append(f"{CALLED}: {Count(len(self.ids)):row lists|rows list} {self.entries:,} ZIPs and ranges.")


# ------------------------------------------------------------------ columns


def upper_column(columns: Mapping[str, Sequence[object]], unit_field: str, territory_field: str = "") -> str | None:
    """Return the column of the upper ends of ranges whose lower ends a column holds, or None.

    Raises
    ------
    TerritoryError
        When the column is that of the upper ends.

    Examples
    --------
    >>> upper_column({"ZIP From": ["60601"], "ZIP To": ["60612"], "Territory": ["East"]}, "ZIP From", "Territory")
    'ZIP To'
    >>> upper_column({"zip": ["60601"], "end_date": ["2025-12-31"]}, "zip") is None
    True
    """
    role, rest, _ = _role(unit_field)
    found = {
        name: _role(name) for name in columns
        if name not in (unit_field, territory_field) and not are_dates(columns[name])
    }  # fmt: skip
    if role == "upper":
        lower = [name for name, (other, same, _) in found.items() if other == "lower" and same == rest]
        if lower:
            raise TerritoryError(
                f"“{unit_field}” is the upper end of ranges: choose “{lower[0]}” as the unit; the upper end is found."
            )
        return None
    for name, (other, same, has_zip) in found.items():
        if other == "upper" and same == rest and (has_zip or _are_zips(columns[name])):
            return name
    return None


def _role(name: str) -> tuple[str, frozenset[str], bool]:
    """Return which end of a range a column's name says, its other words, and whether one of them is a ZIP."""
    words = [word.casefold() for word in _WORD.findall(name)]
    if len(words) == 1 and (glued := _GLUED.fullmatch(words[0])):
        words = [word for word in glued.groups() if word]
    if _DATE_WORDS.intersection(words):
        return "", frozenset(words), False
    ends = [word for word in words if word in UPPER]
    role = "upper" if ends else "lower" if LOWER.intersection(words) else ""
    rest = frozenset(words) - LOWER - UPPER - _ZIP_WORDS
    return role, rest, bool(_ZIP_WORDS.intersection(words))


def _are_zips(values: Sequence[object]) -> bool:
    """Answer whether a column holds ZIPs, at least one of five digits, and nothing else."""
    texts = [text for text in map(cell_text, values) if not is_missing(text)]
    return any(re.match("[0-9]{5}", text) for text in texts) and not any(read_zip_list(text).unread for text in texts)


def date_columns(columns: Mapping[str, Sequence[object]]) -> tuple[str | None, str | None]:
    """Return the columns of the first and of the last day on which a row holds, None where there is none.

    >>> date_columns({"Start Date": ["1/1/2025"], "valid_to": [None], "sales to date": [5]})
    ('Start Date', 'valid_to')
    """
    bare = {name: bare_header(name) for name in columns}
    found = []
    for pattern, words in ((_STARTS, LOWER), (_ENDS, UPPER)):
        sure = [name for name, plain in bare.items() if pattern.search(plain)]
        likely = [name for name, plain in bare.items() if plain in words and are_dates(columns[name])]
        found.append(next(iter([*sure, *likely]), None))
    return found[0], found[1]
