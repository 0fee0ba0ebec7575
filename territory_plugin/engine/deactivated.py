"""The NPPES deactivation report: which NPIs were taken out, and when."""

from __future__ import annotations

import csv
from collections.abc import Sequence
from pathlib import Path

from .audit import NO_NPI, Audit
from .delimited import DELIMITERS, decode, header_key
from .errors import Count, TerritoryError, name_some
from .npi import ROUNDED_WAY_OUT, is_rounded, read_npi
from .tables.dates import spreadsheet_day

DATES = ("nppesdeactivationdate", "npideactivationdate", "deactivationdate")
TITLE_ROWS = 10  # rows above the header, at most
ALWAYS = 99_999_999  # the date of a deactivation without a date: no reactivation is later


def read_deactivated(
    names: Sequence[str], rows: Sequence[Sequence[object]], shown: str
) -> tuple[dict[bytes, int], Audit]:
    """Return NPI → day of its deactivation, as `tables.dates.day_number` has it, and the books.

    Parameters
    ----------
    names : sequence of str
        The columns; a report that begins with a title has its header in one of the first rows.
    rows : sequence of sequences
        Text, whole numbers, or None.
    shown : str
        The table's name for messages.

    Raises
    ------
    TerritoryError
        Without a column NPI or one of dates, without an NPI, with NPIs that were rounded, or dates that are none.
    """
    npi_at, day_at, start = _header(names, rows, shown)
    audit, days = Audit("Deactivation report", shown, beside=True), {}
    rounded, wrong = [], []
    for number, row in enumerate(rows[start:], start=start + 1):
        if all(value is None or not str(value).strip() for value in row):
            continue
        row = [*row, *[None] * (max(npi_at, day_at) + 1 - len(row))]
        audit.read += 1
        npi, day = read_npi(row[npi_at]), _day(row[day_at])
        if npi is None:
            if is_rounded(row[npi_at]):
                rounded.append(f"row {number} (“{row[npi_at]}”)")
            audit.drop(NO_NPI)
            continue
        if day is None:
            wrong.append(f"row {number} (“{row[day_at]}”)")
            continue
        audit.kept += 1
        days[npi.encode()] = max(day, days.get(npi.encode(), 0))
    if rounded:
        raise TerritoryError(
            f"The deactivation report ({shown}) has NPIs such as 1.23457E+09: {name_some(rounded)}. {ROUNDED_WAY_OUT}"
        )
    if wrong:
        raise TerritoryError(
            f"The deactivation report ({shown}) has {Count(len(wrong)):date|dates} that cannot be read: "
            f"{name_some(wrong)}. Write them as 01/31/2026 or 2026-01-31."
        )
    if not days:
        raise TerritoryError(f"The deactivation report ({shown}) holds no NPI. Choose the table that lists them.")
    audit.note("deactivations without a date: they count whenever the provider came back", sum(
        day == ALWAYS for day in days.values()))  # fmt: skip
    audit.check()
    return days, audit


def rows_of_text(path: Path) -> list[list[str]]:
    """Return the cells of a delimited text, cut as its header says; title lines above that have one cell.

    Raises
    ------
    TerritoryError
        When the file cannot be read.
    """
    try:
        lines = decode(path.read_bytes()).lstrip("\ufeff").splitlines()
    except OSError as error:
        raise TerritoryError(f"The deactivation report cannot be opened: {error}.") from error
    for sign in DELIMITERS:
        top = list(csv.reader(lines[: TITLE_ROWS + 1], delimiter=sign))
        if has_header([], top):
            return top + list(csv.reader(lines[TITLE_ROWS + 1 :], delimiter=sign))
    return [[line] for line in lines] or [[]]


def has_header(names: Sequence[str], rows: Sequence[Sequence[object]]) -> bool:
    """Answer whether the columns of the report are named there, or in one of the first rows."""
    return _find_header(names, rows) is not None


def _find_header(names, rows) -> tuple[int, int, int] | None:
    """Return where NPI and date stand, and the first row below the header; None without one."""
    for start, cells in enumerate([names, *rows[:TITLE_ROWS]]):
        keys = [header_key(str(cell or "")) for cell in cells]
        day_at = next((keys.index(name) for name in DATES if name in keys), None)
        if "npi" in keys and day_at is not None:
            return keys.index("npi"), day_at, start
    return None


def _header(names, rows, shown) -> tuple[int, int, int]:
    found = _find_header(names, rows)
    if found is not None:
        return found
    raise TerritoryError(
        f"The deactivation report ({shown}) needs the columns NPI and NPPES Deactivation Date; it has "
        f"{name_some(names, most=6)}. Choose the report as it was downloaded, or delete what stands above its header."
    )


def _day(value) -> int | None:
    """Return a date as a number, `ALWAYS` where there is none, None for what is no date."""
    text = "" if value is None else str(value).strip()
    if not text:
        return ALWAYS
    return spreadsheet_day(text) or None
