"""Dates as people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date, datetime, timedelta

from ..errors import TerritoryError, name_some
from .cells import cell_text
from .missing import is_missing

NEVER = 2900
"""Years from which on an end means that there is none: 12/31/9999."""
_OPEN = frozenset({"present", "current", "open", "ongoing", "active", "never"})
_MONTHS = {
    "jan": 1, "feb": 2, "mar": 3, "apr": 4, "may": 5, "jun": 6, "jul": 7, "aug": 8, "sep": 9, "oct": 10, "nov": 11,
    "dec": 12,
}  # fmt: skip
_TIME = re.compile(r"(?:T|\s+)\d{1,2}:\d{2}.*$")
_YEAR_FIRST = re.compile(r"(\d{4})[-/.]?(\d{2})[-/.]?(\d{2})")
_NAMED = (
    re.compile(r"(?P<day>\d{1,2})[-\s/.]+(?P<month>[A-Za-z]{3})[a-z]*\.?[-\s/,.]+(?P<year>\d{4}|\d{2})"),
    re.compile(r"(?P<month>[A-Za-z]{3})[a-z]*\.?\s+(?P<day>\d{1,2}),?\s+(?P<year>\d{4})"),
)
_DAY_FIRST = re.compile(r"(\d{1,2})\.(\d{1,2})\.(\d{4}|\d{2})")
_EITHER = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})")

_PUBLISHED_MONTH_FIRST = re.compile(r"(\d{1,2})[/-](\d{1,2})[/-](\d{4}|\d{2})(?!\d)")
_PUBLISHED_YEAR_FIRST = re.compile(r"(\d{4})[/-]?(\d{1,2})[/-]?(\d{1,2})(?!\d)")
_FIRST_SERIAL, _LAST_SERIAL = 38_000, 80_000  # days since 1899-12-30 that a spreadsheet shows for a date: 2004 …


def read_dates(values: Sequence[object], called: str) -> list[date | None]:
    """Read a column of dates.

    Months come first where slashes part the numbers, as in the United States, unless a number above 12 stands there.

    Parameters
    ----------
    values : sequence of length n
        Dates, text, None.
    called : str
        The column, in messages.

    Returns
    -------
    list of date or None, length n
        None where a cell is empty, or says that something goes on ("present", 12/31/9999).

    Raises
    ------
    TerritoryError
        For cells that are no dates, with their rows, and for a column with both days and months first.

    Examples
    --------
    >>> read_dates(["2025-12-31", "12/31/9999", "present", None], "end")
    [datetime.date(2025, 12, 31), None, None, None]
    >>> read_dates(["3/4/2025", "3-Apr-2025"], "end")
    [datetime.date(2025, 3, 4), datetime.date(2025, 4, 3)]
    """
    found: list[date | None] = [None] * len(values)
    either: dict[int, tuple[int, int, int]] = {}
    wrong = []
    for row, value in enumerate(values):
        if isinstance(value, (date, datetime)):
            found[row] = date(value.year, value.month, value.day)
            continue
        text = cell_text(value)
        if is_missing(text) or text.casefold() in _OPEN:
            continue
        text = _TIME.sub("", text).strip()
        if match := _EITHER.fullmatch(text):
            either[row] = tuple(map(int, match.groups()))
        else:
            numbers = _plain(text)
            found[row] = _date(*numbers) if numbers else None
            if found[row] is None:
                wrong.append(row)
    orders = [_all_dates(either, month, day) for month, day in ((0, 1), (1, 0))]
    chosen = next((order for order in orders if order is not None), None)
    if chosen is None or wrong:
        wrong = wrong or list(either)
        told = name_some(f"row {row + 1} (“{values[row]}”)" for row in wrong)
        raise TerritoryError(f"“{called}” holds what cannot be read as dates, at {told}. Write dates as 2026-12-31.")
    for row, day in chosen.items():
        found[row] = day
    return [None if day is not None and day.year >= NEVER else day for day in found]


def are_dates(values: Sequence[object]) -> bool:
    """Answer whether a column holds dates and nothing else.

    >>> are_dates(["1/1/2025", None]), are_dates(["60601"]), are_dates([None])
    (True, False, False)
    """
    if all(is_missing(cell_text(value)) for value in values):
        return False
    try:
        read_dates(values, "")
    except TerritoryError:
        return False
    return True


def _plain(text: str) -> tuple[int, int, int] | None:
    """Return year, month and day of what can be read in one way only."""
    if match := _YEAR_FIRST.fullmatch(text):
        return tuple(map(int, match.groups()))
    if match := _DAY_FIRST.fullmatch(text):
        day, month, year = map(int, match.groups())
        return year, month, day
    for pattern in _NAMED:
        if match := pattern.fullmatch(text):
            return int(match["year"]), _MONTHS.get(match["month"].casefold(), 0), int(match["day"])
    return None


def _date(year: int, month: int, day: int) -> date | None:
    try:
        return date(year + 2000 if year < 100 else year, month, day)
    except ValueError:
        return None


def _all_dates(either, month: int, day: int) -> dict[int, date] | None:
    """Return the dates of rows whose numbers stand in some order, or None where one is no date then."""
    found = {row: _date(numbers[2], numbers[month], numbers[day]) for row, numbers in either.items()}
    return None if None in found.values() else found


def day_number(text: str) -> int:
    """Return a date as a number that grows with it, 20200131; 0 where there is none that can be read.

    >>> day_number("01/31/2020"), day_number("2020-01-31"), day_number("1/31/20"), day_number("soon"), day_number("")
    (20200131, 20200131, 20200131, 0, 0)
    """
    match = _PUBLISHED_MONTH_FIRST.match(text)
    if match:
        month, day, year = (int(number) for number in match.groups())
        year += 2000 if year < 100 else 0  # NPIs are given since 2005
    else:
        match = _PUBLISHED_YEAR_FIRST.match(text)
        if not match:
            return 0
        year, month, day = (int(number) for number in match.groups())
    return year * 10_000 + month * 100 + day if 1 <= month <= 12 and 1 <= day <= 31 else 0


def spreadsheet_day(text: str) -> int:
    """Return a day as `day_number` does; a spreadsheet's count of days since 1899 is one, too.

    >>> spreadsheet_day("45678"), spreadsheet_day("45678.0"), spreadsheet_day("1/21/2025")
    (20250121, 20250121, 20250121)
    """
    whole = text.partition(".")[0]
    if whole.isdigit() and _FIRST_SERIAL <= int(whole) <= _LAST_SERIAL:
        found = date(1899, 12, 30) + timedelta(days=int(whole))
        return found.year * 10_000 + found.month * 100 + found.day
    return day_number(text)
