"""Ids as text: what spreadsheets do to them, and which of two tables' ids are the same."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import Count, TerritoryError, name_some
from .names import plain_name

_SCIENTIFIC = re.compile(r"[+-]?\d(?:[.,]\d+)?[eE]\+\d{1,3}")
_BROKEN = re.compile(r"#(?:REF|VALUE|NAME|DIV/0|NUM|NULL|SPILL|CALC)[!?]?|#{3,}", re.IGNORECASE)


def is_damaged(text: str | None) -> bool:
    """Answer whether a spreadsheet has spoilt an id: digits lost in a power of ten, or an error in its place.

    >>> is_damaged("1.23457E+09"), is_damaged("#REF!"), is_damaged("12E10")
    (True, True, False)
    """
    return text is not None and bool(_SCIENTIFIC.fullmatch(text) or _BROKEN.fullmatch(text))


def refuse_damaged(texts: Sequence[str | None], called: str) -> None:
    """Raise where a spreadsheet has spoilt ids.

    Parameters
    ----------
    texts : sequence of str or None
    called : str
        What the message calls the column.

    Raises
    ------
    TerritoryError
        The message names the rows.
    """
    rows = [row for row, text in enumerate(texts) if is_damaged(text)]
    if rows:
        told = name_some(f"row {row + 1} (“{texts[row]}”)" for row in rows)
        raise TerritoryError(
            f"{called}: a spreadsheet has spoilt {Count(len(rows)):id|ids}, whose digits are lost: {told}. Export "
            "the table anew with this column formatted as text."
        )


@dataclass(frozen=True)
class Matching:
    """Which of one table's ids mean which of another's.

    Attributes
    ----------
    found : dict of str to str
        Ids of the first table that mean one of the second.
    zeros : list of str
        Those that did so by their lost zeros alone.
    unmatched : list of str
        Ids of the first that mean none of the second.
    without : list of str
        Ids of the second that nobody means.
    """

    found: dict[str, str]
    zeros: list[str]
    unmatched: list[str]
    without: list[str]


def match_ids(wanted: Iterable[str], known: Iterable[str]) -> Matching:
    """Match the ids of two tables: as they stand, by capitals and blanks, then by lost zeros.

    Zeros in front count as lost only where one id on each side is the same without them.

    Parameters
    ----------
    wanted, known : iterable of str
        Each id once.

    Examples
    --------
    >>> match_ids(["101", "north", "7"], ["0101", "North", "8"])
    Matching(found={'north': 'North', '101': '0101'}, zeros=['101'], unmatched=['7'], without=['8'])
    """
    wanted, known = list(wanted), list(known)
    there = set(known)
    found = {name: name for name in wanted if name in there}
    zeros: list[str] = []
    for key, lost in ((plain_name, False), (without_zeros, True)):
        ours = _by_key([name for name in wanted if name not in found], key)
        taken = set(found.values())
        theirs = _by_key([name for name in known if name not in taken], key)
        for plain, names in ours.items():
            if len(names) == 1 and len(theirs.get(plain, ())) == 1:
                found[names[0]] = theirs[plain][0]
                if lost:
                    zeros.append(names[0])
    taken = set(found.values())
    return Matching(
        found, zeros, [name for name in wanted if name not in found], [name for name in known if name not in taken]
    )


def without_zeros(text: str) -> str:
    """Return an id without the zeros in front of its digits, as spreadsheets leave it.

    >>> without_zeros("0101"), without_zeros("T007"), without_zeros("00")
    ('101', 't007', '0')
    """
    plain = plain_name(text)
    return (plain.lstrip("0") or "0") if plain.isdigit() else plain


def _by_key(names, key) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for name in names:
        groups.setdefault(key(name), []).append(name)
    return groups


def with_zeros(text: str, width: int) -> str:
    """Return digits with the zeros in front that a spreadsheet has taken away; anything else as it is.

    >>> with_zeros("142", 5), with_zeros("J3301", 5)
    ('00142', 'J3301')
    """
    return text.zfill(width) if text.isascii() and text.isdigit() else text


def one_value_each(keys: Sequence[str | None], values: Sequence[object], called: str) -> dict[str, object]:
    """Return value by key; a key may come twice with one value, never with two.

    Parameters
    ----------
    keys : sequence of str or None, length n
        None is left out.
    values : sequence, length n
    called : str
        What the message calls the table's keys: “Code” of the taxonomy table.

    Raises
    ------
    TerritoryError
        The message names keys that have two values.

    Examples
    --------
    >>> one_value_each(["A", "A", None], [1, 1, 2], "The codes")
    {'A': 1}
    """
    found: dict[str, object] = {}
    torn: dict[str, tuple] = {}
    for key, value in zip(keys, values):
        if key is not None and found.setdefault(key, value) != value:
            torn.setdefault(key, (found[key], value))
    if torn:
        shown = name_some(f"{key} (“{one}” and “{other}”)" for key, (one, other) in torn.items())
        raise TerritoryError(f"{called}: two rows contradict each other for {shown}. Keep one row each.")
    return found


def examples_of_both(one: Sequence[object], other: Sequence[object], most: int = 3) -> tuple[str, str]:
    """Return up to three examples of either side of a join, for a message."""
    return name_some(list(one)[:most]) or "nothing", name_some(list(other)[:most]) or "nothing"
