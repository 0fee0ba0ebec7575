"""Names as people write them: what differs in capitals and blanks alone is one name."""

from __future__ import annotations

import unicodedata
from collections import Counter
from collections.abc import Sequence


def natural(name: str):
    """Sort key that puts T2 before T10."""
    digits = "".join(ch if ch.isdecimal() else " " for ch in name).split()
    return ("".join(ch for ch in name if not ch.isdecimal()), [int(number) for number in digits], name)


def plain_name(name: str) -> str:
    """Return a name without the differences that people do not mean: capitals, and blanks more than one.

    >>> plain_name("  North  East ")
    'north east'
    """
    if not name.isascii():
        name = unicodedata.normalize("NFKC", name)  # one sign for é, and an ordinary blank for every other
    return " ".join(name.split()).casefold()


def unify_names(territory: Sequence[str | None]) -> tuple[list[str | None], list[tuple[str, ...]]]:
    """Return each unit's territory in one spelling, and the spellings that were taken for one name.

    Names that differ in capitals and blanks alone are one; the spelling of most units stays.

    Parameters
    ----------
    territory : sequence of str or None, shape (n,)

    Returns
    -------
    names : list of str or None, shape (n,)
    spellings : list of tuples of str
        Only those of which there were several, the one that stays first.

    Examples
    --------
    >>> unify_names(["North", "north ", "North", None, "South"])
    (['North', 'North', 'North', None, 'South'], [('North', 'north ')])
    """
    counted = Counter(name for name in territory if name is not None)
    known: dict[str, list[str]] = {}
    for name in sorted(counted, key=lambda name: (-counted[name], natural(name))):
        known.setdefault(plain_name(name), []).append(name)
    names = [None if name is None else " ".join(known[plain_name(name)][0].split()) for name in territory]
    return names, [tuple(spellings) for spellings in known.values() if len(spellings) > 1]
