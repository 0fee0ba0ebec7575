"""Words that people write where there is nothing."""

from __future__ import annotations

from collections.abc import Iterable

from .cells import cell_text

MISSING = frozenset({"", "null", "n/a", "#n/a", "nan", "none", "blank", "nil", "-", "--", "–", "—", "."})
"""What stands for no value in any column; brackets around it do not matter."""
_NOBODY = frozenset({
    "unassigned", "not assigned", "vacant", "vacancy", "unallocated", "no rep", "nobody", "tbd", "tbh", "to be hired",
    "open position", "vacant position",
})  # fmt: skip
UNASSIGNED = MISSING | _NOBODY | {"na", "no territory"}
"""The same for a territory: nobody has the unit."""
NOBODY = MISSING | _NOBODY | {"na", "open"}
"""The same for a person: nobody holds the position."""


def _plain(text: str) -> str:
    return text.strip().strip("()<>[]").strip().casefold()


def is_missing(text: str | None) -> bool:
    """Answer whether a cell holds no value.

    >>> is_missing("N/A"), is_missing(" "), is_missing("(null)"), is_missing("Nant")
    (True, True, True, False)
    """
    return text is None or (len(text) <= 8 and _plain(text) in MISSING)


def is_unassigned(text: str | None) -> bool:
    """Answer whether a territory's cell says that nobody has the unit.

    >>> is_unassigned("Unassigned"), is_unassigned("#N/A"), is_unassigned("North")
    (True, True, False)
    """
    return text is None or (len(text) <= 20 and _plain(text) in UNASSIGNED)


def is_nobody(text: str | None) -> bool:
    """Answer whether a person's cell says that nobody holds the position.

    >>> is_nobody("VACANT"), is_nobody("tbd"), is_nobody("Ann Open")
    (True, True, False)
    """
    return text is None or (len(text) <= 20 and _plain(text) in NOBODY)


def known_texts(values: Iterable[object]) -> list[str | None]:
    """Return a column as `known_text` reads its cells; a text that comes again is read once.

    >>> known_texts(["A", " A", None, 7.0])
    ['A', 'A', None, '7']
    """
    seen: dict[str, str | None] = {}
    found = []
    for value in values:
        if type(value) is str:
            if value not in seen:
                seen[value] = known_text(value)
            found.append(seen[value])
        else:
            found.append(None if value is None else known_text(value))
    return found


def known_text(value: object) -> str | None:
    """Return a cell as text, None where it holds no value.

    >>> known_text(501.0), known_text(" North "), known_text("#N/A")
    ('501', 'North', None)
    """
    text = cell_text(value)
    return None if is_missing(text) else text
