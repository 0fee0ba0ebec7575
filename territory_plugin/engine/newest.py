"""Of several rows of one NPI the newest counts: which NPIs come again, and which of their rows that is.

A month's file and the weekly ones after it are millions of rows in which few NPIs come twice. So all that is kept of a
row is nine digits; dates are kept of the NPIs that are known to come again, or asked for in a second look at the file.
"""

from __future__ import annotations

from array import array
from collections.abc import Collection

import numpy as np

from .npi import with_check_digit

MOST_WATCHED = 1_000_000  # NPIs that are held as a set
_STEP = 1 << 20


class History:
    """The rows that hold an NPI, over all files in the order in which they are read.

    Parameters
    ----------
    watched : collection of bytes
        NPIs whose rows are dated as they come by.

    Examples
    --------
    >>> history = History({b"1234567893"})
    >>> for npi, day in ((b"1234567893", 20200105), (b"1003000126", 0), (b"1234567893", 20190105)):
    ...     history.add(npi)
    ...     if npi in history.watched:
    ...         history.date(day)
    >>> history.undated().tolist(), history.superseded().tolist()
    ([], [2])
    """

    def __init__(self, watched: Collection[bytes] = ()):
        self.watched = frozenset(watched)
        self.numbers, self._rows, self._days = array("I"), array("Q"), array("I")

    def __len__(self):
        return len(self.numbers)

    def add(self, npi: bytes) -> None:
        """Add the next row."""
        self.numbers.append(int(npi[:9]))

    def date(self, day: int) -> None:
        """Give the date of the row that was added last."""
        self._rows.append(len(self.numbers) - 1)
        self._days.append(day)

    def repeated(self) -> np.ndarray:
        """Return the first nine digits of NPIs that have several rows, sorted."""
        ordered = np.sort(np.asarray(self.numbers))
        return np.unique(ordered[1:][ordered[1:] == ordered[:-1]])

    def undated(self) -> np.ndarray:
        """Return the first nine digits of NPIs that have several rows, none of them dated."""
        dated = np.fromiter((int(npi[:9]) for npi in self.watched), dtype=np.uint32, count=len(self.watched))
        return np.setdiff1d(self.repeated(), dated)

    def rows_of(self, numbers: np.ndarray) -> np.ndarray:
        """Return the rows of some NPIs, given by nine digits and sorted, in their order."""
        found, every = [], np.asarray(self.numbers)
        for start in range(0, len(every) if len(numbers) else 0, _STEP):  # by pieces: positions take twice the memory
            here = every[start : start + _STEP]
            at = np.minimum(np.searchsorted(numbers, here), len(numbers) - 1)
            found.append(np.flatnonzero(numbers[at] == here) + start)
        return np.concatenate([*found, np.array([], dtype=np.int64)]).astype(np.int64)

    def date_rows(self, rows: np.ndarray, days: Collection[int]) -> None:
        """Give the dates of rows."""
        self._rows.frombytes(np.asarray(rows, dtype=np.uint64).tobytes())
        self._days.frombytes(np.asarray(days, dtype=np.uint32).tobytes())

    def superseded(self) -> np.ndarray:
        """Return the rows that have a newer one, sorted; of rows with one date the last counts."""
        if not len(self._rows):
            return np.array([], dtype=np.int64)
        rows = np.asarray(self._rows).astype(np.int64)
        numbers = np.asarray(self.numbers)[rows]
        order = np.lexsort((rows, np.asarray(self._days), numbers))
        older = numbers[order][1:] == numbers[order][:-1]
        return np.sort(rows[order][:-1][older])


def as_wanted(numbers: np.ndarray) -> frozenset[bytes] | None:
    """Return NPIs given by nine digits as first fields to ask a file for; None for too many to hold: all of them."""
    if len(numbers) > MOST_WATCHED:
        return None
    return frozenset(b"%010d" % npi for npi in with_check_digit(numbers).tolist())
