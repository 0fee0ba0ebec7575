"""Lists, ranges and beginnings of ZIPs in one cell, as companies keep their alignments.

`read_zip_list` reads a cell without regard to any market; `UnitIndex` says which units of a market that means. Text
that could mean two things keeps both readings: the market decides where they come to the same, else nobody does.
"""

from __future__ import annotations

import re
import unicodedata
from bisect import bisect_left, bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

from ..errors import TerritoryError, name_some
from .cells import cell_text
from .missing import is_missing
from .names import plain_name
from .zips import PIECE, has_lost_zeros, zip5

Spans = tuple[tuple[str, str], ...]
"""Lowest and highest ZIP, five digits each, of some stretches."""

HOW_TO_WRITE = (
    "Write ZIPs as 60601, several with commas between them, ranges as 60601-60612, all that begin alike as 606*; name "
    "the column ZIP3 where it holds three digits"
)
"""The way out, for messages."""
_THREE_DIGITS = re.compile(r"zip3|3zip|3digit|threedigit|prefix|scf|sectional")
_PARTS = re.compile(r"[,;|/\n\r\t]+")
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2015\u2212", "-"))
_TO = re.compile(r"(?<=[0-9*xX])\s*(?:-|\.{2,}|\b(?:to|thru|through|until)\b)\s*(?=[0-9])", re.IGNORECASE)
_AND = re.compile(r"(?<=[0-9*xX])\s*(?:&|\+|\band\b)\s*(?=[0-9]{5})", re.IGNORECASE)
_BEGINNING = re.compile(r"([0-9]{1,4})[*xX#%]+")
_RANGE = re.compile(r"([0-9]{3,5}(?:-[0-9]{4})?)(?:\.0*)?-([0-9]{3,5}(?:-[0-9]{4})?)(?:\.0*)?")
_BEGINNINGS = re.compile(r"([0-9]{1,4})[*xX#%]+-([0-9]{1,4})[*xX#%]+")
_CANADA = re.compile(r"[A-Z][0-9][A-Z]\s?-?[0-9][A-Z][0-9]", re.IGNORECASE)


def holds_three_digits(header: str) -> bool:
    """Answer whether a column is called as those are that hold the first three digits of ZIPs.

    >>> [holds_three_digits(name) for name in ("ZIP3", "3-Digit Zip", "SCF", "ZIP")]
    [True, True, True, False]
    """
    return bool(_THREE_DIGITS.search(re.sub(r"[^0-9a-z]", "", header.casefold())))


class Entry(NamedTuple):
    """One item of a list.

    Attributes
    ----------
    text : str
        As written.
    readings : tuple of Spans
        What it can mean, the likelier first; none where it cannot be read.
    """

    text: str
    readings: tuple[Spans, ...]

    @property
    def code(self) -> str | None:
        """The ZIP, or piece of one, where it is a single one and nothing else can be meant."""
        if len(self.readings) != 1 or len(self.readings[0]) != 1:
            return None
        low, high = self.readings[0][0]
        return low if low == high else None


@dataclass(frozen=True)
class ZipList:
    """A cell, read.

    Attributes
    ----------
    entries : tuple of Entry
        In the order of the cell.
    """

    entries: tuple[Entry, ...]

    @property
    def codes(self) -> list[str]:
        """Single ZIPs."""
        return [entry.code for entry in self.entries if entry.code is not None]

    @property
    def ranges(self) -> list[tuple[str, str]]:
        """Lowest and highest ZIP of ranges and beginnings."""
        sure = [entry for entry in self.entries if len(entry.readings) == 1 and entry.code is None]
        return [span for entry in sure for span in entry.readings[0]]

    @property
    def doubtful(self) -> list[str]:
        """What can mean two things."""
        return [entry.text for entry in self.entries if len(entry.readings) > 1]

    @property
    def unread(self) -> list[str]:
        """What cannot be read."""
        return [entry.text for entry in self.entries if not entry.readings]

    @property
    def padded(self) -> list[str]:
        """Single ZIPs whose zeros in front were lost."""
        return [entry.text for entry in self.entries if entry.code is not None and has_lost_zeros(entry.text)]


def read_zip_list(text: object, three_digits: bool = False) -> ZipList:
    """Read the ZIPs of one cell: single ones, several, ranges, beginnings.

    Parameters
    ----------
    text : object
        A cell.
    three_digits : bool
        Whether the column holds the first three digits of ZIPs (`holds_three_digits`).

    Returns
    -------
    ZipList
        Without entries where the cell holds nothing.

    Examples
    --------
    >>> found = read_zip_list("60601, 60603-60605; 607*")
    >>> found.codes, found.ranges
    (['60601'], [('60603', '60605'), ('60700', '60799')])
    >>> read_zip_list("606").doubtful, read_zip_list("606", three_digits=True).ranges
    (['606'], [('60600', '60699')])
    >>> read_zip_list("Loop 60601").unread
    ['Loop']
    """
    text = cell_text(text)
    if is_missing(text):
        return ZipList(())
    plain = text if text.isascii() else unicodedata.normalize("NFKC", text).translate(_DASHES)
    entries = []
    for part in _PARTS.split(_AND.sub(",", plain)):
        part = _TO.sub("-", part.strip("\"'()[]{} .-"))  # a dash that nothing follows is what is left of a ZIP+4
        if not is_missing(part):
            entries += _part(part, three_digits)
    return ZipList(tuple(entries))


def read_span(low: object, high: object, three_digits: bool = False) -> ZipList:
    """Read a range whose ends are in two cells; without an upper end the lower is read as a list is.

    >>> read_span("60601", "60605.0").ranges, read_span("60601", None).codes, read_span("60605", "60601").unread
    ([('60601', '60605')], ['60601'], ['60605-60601'])
    """
    low, high = cell_text(low), cell_text(high)
    if is_missing(high) or low == high:
        return read_zip_list(low, three_digits)
    text = f"{low or ''}-{high}"
    ends = []
    for end in (low, high):
        spans = [span for entry in read_zip_list(end, three_digits).entries for span in entry.readings[:1]]
        if len(spans) != 1 or len(spans[0]) != 1:
            return ZipList((Entry(text, ()),))
        ends.append(spans[0][0])
    (bottom, _), (_, top) = ends
    return ZipList((Entry(text, (((bottom, top),),) if bottom <= top else ()),))


def _part(part: str, three_digits: bool) -> list[Entry]:
    """Read what stands between two commas."""
    words = part.split()
    if len(words) == 1 or _CANADA.fullmatch(part):
        return [Entry(part, _readings(part, three_digits))]
    if len(words) == 2 and all(word.isdigit() for word in words) and [len(word) for word in words] == [5, 4]:
        first, second = zip5(words[0]), zip5(words[1])  # a ZIP+4, or two ZIPs, the second without its zero
        both = (((first, first),), ((first, first), (second, second))) if first and second else ()
        return [Entry(part, both or _readings(words[0], False))]
    if sum(any(sign.isdigit() for sign in word) for word in words) == 1 and (code := zip5(part)):
        return [Entry(part, (((code, code),),))]  # IL 60601, 60601 USA
    entries = [Entry(word, _readings(word, three_digits)) for word in words]
    return entries if any(entry.readings for entry in entries) else [Entry(part, ())]


def _readings(word: str, three_digits: bool) -> tuple[Spans, ...]:
    """Return what one word without blanks can mean."""
    if _CANADA.fullmatch(word):
        return (((word.upper(), word.upper()),),)  # known for what it is, and no ZIP
    digits = word.partition(".")[0] if re.fullmatch(r"[0-9]+\.0*", word) else word
    if digits.isdigit() and digits.isascii() and len(digits) <= 3:
        beginning = (_beginning(digits.zfill(3)),)
        if three_digits:
            return (beginning,)
        code = zip5(digits)
        return (((code, code),), beginning) if code else (() if len(digits) < 3 else ((), beginning))
    if found := _BEGINNING.fullmatch(word):
        return ((_beginning(found.group(1)),),)
    if found := _BEGINNINGS.fullmatch(word):
        low, high = _beginning(found.group(1))[0], _beginning(found.group(2))[1]
        return (((low, high),),) if low <= high else ()
    if PIECE.fullmatch(word):  # of a divided ZIP; else 60601-12 may be short for a range
        low, _, end = word.partition("-")
        high = low[: 5 - len(end)] + end
        return ((word, word),), ((low, high),) if low < high else ()
    if (found := _RANGE.fullmatch(word)) and not re.fullmatch("[0-9]{5}-[0-9]{4}", word):
        return _range_readings(word, found.group(1), found.group(2), three_digits)
    code = zip5(word)
    return (((code, code),),) if code else ()


def _range_readings(word: str, low: str, high: str, three_digits: bool) -> tuple[Spans, ...]:
    """Return what two numbers with a dash between them can mean."""
    if len(low) == len(high) == 3:
        if low > high:
            return ()
        beginnings = ((_beginning(low)[0], _beginning(high)[1]),)
        return (beginnings,) if three_digits else ((), beginnings)
    bottom, top = zip5(low), zip5(high)
    span = ((bottom, top),) if bottom and top and bottom <= top else ()
    if len(high) == 4 and len(low) < 5:  # 7701-7799 is a range, or a ZIP+4 that has lost a zero
        code = zip5(word)
        return (((code, code),), span) if code else ((span,) if span else ())
    return (span,) if span else ()


def _beginning(digits: str) -> tuple[str, str]:
    return digits.ljust(5, "0"), digits.ljust(5, "9")


class ZipFilter:
    """Which ZIPs are wanted: whole ones, ranges and beginnings such as ``112*``; none given wants all.

    Raises
    ------
    TerritoryError
        For a wish that is no ZIP. Three digits alone are none: they may be a beginning, or a ZIP without its zeros.

    Examples
    --------
    >>> wanted = ZipFilter(["112*", "60601-60605", "00501"])
    >>> [wanted(code) for code in ("11201", "60603", "00501", "60606", None)]
    [True, True, True, False, False]
    """

    def __init__(self, wishes: Sequence[str] = ()):
        read = [entry for wish in wishes for entry in read_zip_list(wish).entries]
        wrong = [entry.text for entry in read if len(entry.readings) != 1 or not entry.readings[0][0][0].isdigit()]
        if wrong:
            raise TerritoryError(
                f"These are no ZIP codes: {name_some(wrong)}. Write 10001, 10001-10010, or 112* for all that begin so."
            )
        spans = [span for entry in read for span in entry.readings[0]]
        self.codes = frozenset(low for low, high in spans if low == high)
        self.spans = tuple((low, high) for low, high in spans if low < high)
        self.everything = not spans

    def __call__(self, code: str | None) -> bool:
        """Answer whether a ZIP of five digits is wanted."""
        if self.everything or code in self.codes:
            return True
        return code is not None and any(low <= code <= high for low, high in self.spans)


class UnitIndex:
    """The units of a market, to be found by what people write.

    Parameters
    ----------
    units : sequence of str
        Ids: ZIPs, pieces of divided ZIPs, or anything else.

    Examples
    --------
    >>> index = UnitIndex(["60601", "60602", "60603-1", "60603-2"])
    >>> [index.find(entry) for entry in read_zip_list("60602-60603, 60610").entries]
    [['60602', '60603-1', '60603-2'], []]
    """

    def __init__(self, units: Sequence[str]):
        self.known = set(units)
        self.by_name: dict[str, str | None] = {}
        for unit in units:
            name = plain_name(unit)
            self.by_name[name] = None if name in self.by_name else unit
        codes = [(unit[:5] if PIECE.fullmatch(unit) else zip5(unit), unit) for unit in units]
        self.pieces = {code for code, unit in codes if code and PIECE.fullmatch(unit)}
        in_order = sorted(pair for pair in codes if pair[0])
        self.codes, self.units = [code for code, _ in in_order], [unit for _, unit in in_order]
        self.zips = 2 * len(self.codes) >= len(units)
        """Whether the units are ZIPs; what cannot be read is a unit of elsewhere where they are not."""

    def as_it_stands(self, text: str) -> str | None:
        """Return the unit whose id is this text, capitals and blanks aside."""
        return text if text in self.known else self.by_name.get(plain_name(text))

    def find(self, entry: Entry) -> list[str] | None:
        """Return the units that an entry means, none where it lies elsewhere; None where it cannot be told."""
        unit = self.as_it_stands(entry.text)
        if unit is not None:
            return [unit]
        if not entry.readings:
            return None if self.zips else []
        if PIECE.fullmatch(entry.text) and entry.text[:5] in self.pieces:
            return []  # a piece of another year
        first, *others = (self._within(spans) for spans in entry.readings)
        return None if any(other and other != first for other in others) else first

    def _within(self, spans: Spans) -> list[str]:
        return [
            unit
            for low, high in spans
            for unit in self.units[bisect_left(self.codes, low) : bisect_right(self.codes, high)]
        ]
