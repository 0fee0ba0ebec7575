"""Errors that speak to the person at the map."""

from __future__ import annotations

from collections.abc import Iterable


class TerritoryError(ValueError):
    """Input or wish that cannot be served; the message names the features and the way out."""


def name_some(ids: Iterable[object], most: int = 8) -> str:
    """Return up to `most` ids as text, and how many more there are.

    >>> name_some(["00501", "00544", "06390"], most=2)
    '00501, 00544 and 1 more'
    """
    ids = [str(unit) for unit in ids]
    shown = ", ".join(ids[:most])
    return shown if len(ids) <= most else f"{shown} and {len(ids) - most:,} more"


class Count(int):
    """A number of things whose noun, and verb, follow it: both forms are its format, one and many.

    >>> f"{Count(1):unit has|units have} no id", "{:unit has|units have} no id".format(Count(1200))
    ('1 unit has no id', '1,200 units have no id')
    """

    def __format__(self, words: str) -> str:
        one, bar, many = words.partition("|")
        return f"{int(self):,} {one if self == 1 else many}" if bar else format(int(self), words)
