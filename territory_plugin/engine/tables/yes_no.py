"""Yes and no as people write them."""

from __future__ import annotations

from .missing import is_missing

YES = frozenset({"1", "true", "t", "yes", "y", "x", "on", "✓", "✔"})
NO = frozenset({"0", "false", "f", "no", "n", "off"})


def yes_no(text: str | None, *, empty: bool = False, yes: frozenset = frozenset(), no: frozenset = frozenset()):
    """Return what a cell answers: True, False, or None where it is neither.

    Parameters
    ----------
    text : str or None
    empty : bool
        What no value means.
    yes, no : frozenset of str
        Further words of the column, in lower case: “locked”, “closed”.

    Examples
    --------
    >>> yes_no("Yes"), yes_no(None), yes_no("closed", no=frozenset({"closed"})), yes_no("maybe")
    (True, False, False, None)
    """
    if is_missing(text):
        return empty
    word = text.casefold()
    if word in YES or word in yes:
        return True
    return False if word in NO or word in no else None
