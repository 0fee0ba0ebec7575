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


def counted(count: int, one: str, many: str) -> str:
    """Return a number with what it counts, and the verb if there is one, for one or for many.

    >>> counted(1, "unit has", "units have"), counted(1200, "unit has", "units have")
    ('1 unit has', '1,200 units have')
    """
    return f"{count:,} {one if count == 1 else many}"
