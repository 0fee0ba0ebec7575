"""Numbers as people write them: decimal commas, thousands, currencies, per cent, brackets for negative ones.

A column is read as a whole, since one cell does not tell: 1,234 is a thousand and more in one table and a little
above one in another.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np

from ..errors import TerritoryError, name_some
from .cells import cell_text
from .missing import is_missing

_CURRENCY = re.compile(r"(?:US|CA|AU)?[$€£¥]|\b(?:USD|EUR|GBP|CAD|CHF|AUD)\b", re.IGNORECASE)
_PLAIN = re.compile(r"[+-]?(?:\d+\.?\d*|\.\d+)(?:[eE][+-]?\d{1,3})?")
_MARKED = re.compile(r"[+-]?[\d.,]*\d[\d.,]*(?:[eE][+-]?\d{1,3})?")
_GROUPED = {mark: re.compile(rf"\d{{1,3}}(?:{re.escape(mark)}\d{{3}})+") for mark in ",."}
_NAMES = {",": "comma", ".": "point"}
DECIMAL, THOUSANDS, EITHER = "decimal", "thousands", "either"


@dataclass
class Numbers:
    """A column of numbers, read.

    Attributes
    ----------
    floats : numpy.ndarray of float, shape (n,)
        NaN where there is none.
    unread : list of int
        Rows whose text is no number.
    contradiction : str
        Why the column cannot be read at all, with the rows; "" where it can.
    notes : list of str
        How marks were understood, for the log.
    """

    floats: np.ndarray
    unread: list[int] = field(default_factory=list)
    contradiction: str = ""
    notes: list[str] = field(default_factory=list)


def published_number(text: str | None) -> float:
    """Return a number of a published file, which has decimal points; NaN where the text is none.

    Commas are read only where they part thousands: ``15,5`` is no number.

    >>> published_number("1,234.5"), published_number("$20"), published_number("15,5")
    (1234.5, 20.0, nan)
    """
    text = (text or "").strip()
    try:
        if "," not in text and "_" not in text:
            value = float(text.strip("$ "))
            return value if np.isfinite(value) else float("nan")
    except ValueError:
        return float("nan")
    bare = _CURRENCY.sub("", text).strip()
    whole, _, rest = bare.lstrip("+-").partition(".")
    if not _GROUPED[","].fullmatch(whole) or (rest and not rest.isdigit()):
        return float("nan")
    return float(bare.replace(",", ""))


def read_numbers(values: Sequence[object], *, percent: bool = False, called: str = "", nan: bool = True) -> Numbers:
    """Read a column of numbers.

    A comma is surely decimal where not exactly three digits follow it, or nothing but 0 stands before it, or more
    than three digits do; it surely parts thousands where a number has several, each before three digits. One sure
    decimal comma makes all of the column's commas decimal; else they part thousands. Points are read alike, but those
    that could be either are decimal, unless the column's commas are. Both kinds of one mark in one column are a
    contradiction.

    Parameters
    ----------
    values : sequence, length n
        Numbers, text, None.
    percent : bool
        Whether ``50 %`` is 0.5; else it is 50.
    called : str
        What notes call the column: “FTE”.
    nan : bool
        Whether a float that is NaN is no value, as in pandas; else it is unread, as a layer has NULL for that.

    Returns
    -------
    Numbers

    Examples
    --------
    >>> read_numbers(["1", "0,5", None]).floats.tolist()
    [1.0, 0.5, nan]
    >>> read_numbers(["1,200", "(3)", "$4.50"]).floats.tolist()
    [1200.0, -3.0, 4.5]
    >>> read_numbers(["1,5", "1,234,567"]).contradiction
    'a comma is decimal at row 1 (“1,5”) and parts thousands at row 2 (“1,234,567”)'
    """
    if isinstance(values, np.ndarray) and values.dtype.kind in "iuf":
        floats = values.astype(float)
        unread = np.isinf(floats) | (np.isnan(floats) & (not nan))
        return Numbers(np.where(unread, np.nan, floats), np.flatnonzero(unread).tolist())
    found = Numbers(np.full(len(values), np.nan))
    written: dict[int, str] = {}
    texts: dict[str, str | None] = {}
    for row, value in enumerate(values):
        if value is None:
            continue
        if isinstance(value, (int, float, np.number)):
            if np.isfinite(value):
                found.floats[row] = value
            elif value == value or not nan:  # infinite, or NaN where that is no way to say nothing
                found.unread.append(row)
            continue
        value = value if isinstance(value, str) else str(value)
        if value not in texts:
            text = cell_text(value)
            texts[value] = None if is_missing(text) else text
        if texts[value] is not None:
            written[row] = texts[value]
    if written:
        _read_each_once(written, found, percent, called or "The column")
    return found


def _read_each_once(written: dict[int, str], found: Numbers, percent: bool, called: str) -> None:
    """Read texts that come again, as most do in long columns, at their first row only."""
    first: dict[str, int] = {}
    for row, text in written.items():
        first.setdefault(text, row)
    infinite = found.unread
    found.unread = []
    _read_texts({row: text for text, row in first.items()}, found, percent, called)
    unread = set(found.unread)
    rows = np.fromiter(written, dtype=int, count=len(written))
    of = np.fromiter((first[text] for text in written.values()), dtype=int, count=len(written))
    found.floats[rows] = found.floats[of]
    found.unread = sorted([*infinite, *(row for row, text in written.items() if first[text] in unread)])


def _read_texts(written: dict[int, str], found: Numbers, percent: bool, called: str) -> None:
    """Fill in the numbers that are written as text."""
    marked: dict[int, tuple[str, bool, bool]] = {}
    for row, text in written.items():
        if text.isdigit():  # nearly always
            found.floats[row] = float(text)
            continue
        bare, negative, hundredth = _bare(text)
        if _MARKED.fullmatch(bare):
            marked[row] = bare, negative, hundredth
        else:
            found.unread.append(row)
    roles = {mark: _role(mark, {row: bare for row, (bare, _, _) in marked.items()}) for mark in ",."}
    for mark, seen in roles.items():
        if DECIMAL in seen and THOUSANDS in seen:
            one, other = seen[DECIMAL][0], seen[THOUSANDS][0]
            found.contradiction = (
                f"a {_NAMES[mark]} is decimal at row {one + 1} (“{written[one]}”) and parts thousands at row "
                f"{other + 1} (“{written[other]}”)"
            )
            return
    if DECIMAL in roles[","] and DECIMAL in roles["."]:
        one, other = roles[","][DECIMAL][0], roles["."][DECIMAL][0]
        found.contradiction = (
            f"a comma is decimal at row {one + 1} (“{written[one]}”) and a point at row {other + 1} "
            f"(“{written[other]}”)"
        )
        return
    commas_decimal = DECIMAL in roles[","] or THOUSANDS in roles["."]
    decimal, thousands = (",", ".") if commas_decimal else (".", ",")
    for row, (bare, negative, hundredth) in marked.items():
        number = bare.replace(thousands, "").replace(decimal, ".")
        whole = bare.lstrip("+-").partition(decimal)[0]
        grouped = thousands not in bare or _GROUPED[thousands].fullmatch(whole)
        value = float(number) if grouped and _PLAIN.fullmatch(number) else np.nan
        if not np.isfinite(value):
            found.unread.append(row)
            continue
        value = value / 100 if hundredth and percent else value
        found.floats[row] = -value if negative else value
    _tell(written, marked, decimal, thousands, found, called)


def _tell(written, marked, decimal, thousands, found, called) -> None:
    """Note how marks were understood where another reading is thinkable."""
    for mark, does in ((decimal, "is decimal"), (thousands, "parts thousands")):
        with_it = [row for row, (bare, _, _) in marked.items() if mark in bare and np.isfinite(found.floats[row])]
        if with_it and (mark, does) != (".", "is decimal"):  # that is how computers write them
            example = with_it[0]
            found.notes.append(
                f"{called}: the {_NAMES[mark]} {does}: “{written[example]}” is {found.floats[example]:.12g}."
            )


def _bare(text: str) -> tuple[str, bool, bool]:
    """Return digits and marks without currency, brackets, per cent and blanks; whether negative; whether per cent."""
    bare = _CURRENCY.sub("", text.replace("−", "-").replace("\u2009", " ")).strip()
    hundredth = bare.endswith("%")
    bare = bare.rstrip("% ").strip()
    negative = False
    if bare[:1] == "(" and bare[-1:] == ")":
        negative, bare = True, bare[1:-1].strip()
    elif bare[-1:] == "-" and bare[:1].isdigit():  # 5.00-, as accounting systems write it
        negative, bare = True, bare[:-1].strip()
    if re.fullmatch(r"[+-]?\s?\d{1,3}(?:[ '’]\d{3})+(?:[.,]\d+)?", bare):  # 1 234,5 and 1'234.5
        bare = re.sub(r"[ '’]", "", bare)
    return bare, negative, hundredth


def _role(mark: str, texts: dict[int, str]) -> dict[str, list[int]]:
    """Return the rows by what a mark is in them: decimal, parting thousands, or either."""
    other = "." if mark == "," else ","
    seen: dict[str, list[int]] = {}
    for row, text in texts.items():
        if mark not in text:
            continue
        digits = re.split("[eE]", text.lstrip("+-"))[0]
        before, _, after = digits.rpartition(mark)
        if other in digits:
            is_last = digits.rfind(mark) > digits.rfind(other)
            kind = DECIMAL if is_last and digits.count(mark) == 1 else THOUSANDS
        elif digits.count(mark) > 1:
            kind = THOUSANDS
        elif len(after) != 3 or not before.strip("0") or len(before) > 3:
            kind = DECIMAL
        else:
            kind = EITHER
        seen.setdefault(kind, []).append(row)
    return seen


def require_numbers(
    values: Sequence[object],
    called: str,
    labels: Sequence[object] | None = None,
    *,
    percent: bool = False,
    nan: bool = True,
    way_out: str = "Correct these values, or leave them empty.",
) -> tuple[np.ndarray, list[str]]:
    """Return a column's numbers, NaN where empty, and how they were understood.

    Parameters
    ----------
    called : str
        What messages call the column: “FTE” of the reps table.
    labels : sequence, length n, optional
        What messages call the rows; default: row 1, row 2 and so on.

    Raises
    ------
    TerritoryError
        For values that are no numbers, named by `labels`, and for marks that contradict each other.

    Examples
    --------
    >>> require_numbers(["0,5", "1"], "“FTE”")
    (array([0.5, 1. ]), ['“FTE”: the comma is decimal: “0,5” is 0.5.'])
    """
    found = read_numbers(values, percent=percent, called=called, nan=nan)
    if found.contradiction:
        raise TerritoryError(f"{called}: {found.contradiction}. Write all numbers of the column in one way.")
    if found.unread:
        names = [f"row {row + 1}" if labels is None else labels[row] for row in found.unread]
        told = name_some(f"{name} (“{values[row]}”)" for name, row in zip(names, found.unread))
        raise TerritoryError(f"{called} holds values that are no numbers, at {told}. {way_out}")
    return found.floats, found.notes


def typed_numbers(text: str, called: str, example: str = "60, 10, 30") -> list[float]:
    """Return the numbers of a list that a person typed: commas part them, or semicolons; a per cent sign is optional.

    Raises
    ------
    TerritoryError
        For an item that is no number.

    Examples
    --------
    >>> typed_numbers("60, 10, 30 %", "Shares"), typed_numbers("12,5; 87,5", "Shares")
    ([60.0, 10.0, 30.0], [12.5, 87.5])
    """
    items = [item.strip() for item in re.split(r";|\n" if ";" in text else r",|\n", text) if item.strip()]
    found = read_numbers(items)
    if found.contradiction or found.unread:
        wrong = found.contradiction or name_some(f"“{items[row]}”" for row in found.unread)
        raise TerritoryError(
            f"{called} must be numbers with commas between them, as in {example}; not “{text}”: {wrong}."
        )
    return found.floats.tolist()
