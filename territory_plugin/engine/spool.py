"""Rows on their way from a large file to a layer: a few in memory, the rest in a temporary file."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator, Sequence

import numpy as np
import pandas as pd

BLOCK = 10_000  # rows: written in half a second, so that a cancel is heard within one
IN_MEMORY = 32 << 20  # bytes


class Spool:
    """Rows that are appended one by one and come back as frames, in the same order and as often as asked.

    All is read and checked before a layer is begun, without holding a nation of providers in memory: up to
    `BLOCK` rows stay as they are, more are packed, and from `IN_MEMORY` on they lie in a temporary file, which
    goes when the spool does.

    Parameters
    ----------
    columns : sequence of str
        Values are text, whole numbers, floats, booleans or None. Those of the columns longitude and latitude
        come back as floats, NaN for None, those of ``site`` as whole numbers.

    Attributes
    ----------
    late : dict of str to sequence
        Columns that are known only when all rows are in, such as counts, by row: they take the place of what
        the rows said.

    Examples
    --------
    >>> spool = Spool(["npi", "site"])
    >>> for row in (("1234567893", 0), ("1234567893", 1), (None, 2)):
    ...     spool.append(row)
    >>> len(spool), [len(frame) for frame in spool.frames()], spool.whole()["npi"].tolist()
    (3, [3], ['1234567893', '1234567893', None])
    """

    def __init__(self, columns: Sequence[str], block: int = BLOCK):
        self.columns, self.block = list(columns), block
        self.late: dict[str, Sequence] = {}
        self._keep: np.ndarray | None = None
        self._rows: list[Sequence] = []
        self._sizes: list[int] = []
        self._file = tempfile.SpooledTemporaryFile(max_size=IN_MEMORY)  # noqa: SIM115

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self._file.close()

    def __len__(self):
        return self.appended if self._keep is None else int(np.count_nonzero(self._keep))

    @property
    def appended(self) -> int:
        """How many rows were added, also those that are left out."""
        return len(self._sizes) * self.block + len(self._rows)

    def leave_out(self, rows: np.ndarray) -> None:
        """Leave out rows, by number, that turned out not to count; they come back no more.

        >>> spool = Spool(["npi"])
        >>> for npi in ("1234567893", "1003000126"):
        ...     spool.append([npi])
        >>> spool.leave_out(np.array([0]))
        >>> len(spool), spool.whole()["npi"].tolist()
        (1, ['1003000126'])
        """
        if self._keep is None:
            self._keep = np.ones(self.appended, dtype=bool)
        self._keep[rows] = False

    def append(self, row: Sequence) -> None:
        """Add a row."""
        self._rows.append(row)
        if len(self._rows) == self.block:
            packed = json.dumps(self._rows, ensure_ascii=False, separators=(",", ":")).encode()
            self._file.seek(0, 2)
            self._file.write(packed)
            self._sizes.append(len(packed))
            self._rows = []

    def frames(self) -> Iterator[pd.DataFrame]:
        """Yield the rows as frames of at most `block` rows, none of them empty."""
        for rows, start in self._blocks():
            frame = self._frame(rows, start)
            if len(frame):
                yield frame

    def _blocks(self):
        at = start = 0
        for size in self._sizes:
            self._file.seek(at)
            yield json.loads(self._file.read(size)), start
            at += size
            start += self.block
        yield self._rows, start

    def _frame(self, rows, start) -> pd.DataFrame:
        frame, end = as_frame(rows, self.columns), start + len(rows)
        for column, values in self.late.items():
            frame[column] = pd.Series(list(values[start:end]), dtype=object)
        return frame if self._keep is None else frame[self._keep[start:end]].reset_index(drop=True)

    def whole(self) -> pd.DataFrame:
        """Return all rows as one frame."""
        frames = list(self.frames())
        return pd.concat(frames, ignore_index=True) if frames else as_frame([], self.columns)


def as_frame(rows: Sequence[Sequence], columns: Sequence[str]) -> pd.DataFrame:
    """Return rows as a frame of Python's own values, None where unknown; coordinates as numbers, NaN where unknown."""
    frame = pd.DataFrame(list(rows), columns=list(columns), dtype=object)
    kinds = {"longitude": float, "latitude": float, "site": int}
    return frame.astype({column: kind for column, kind in kinds.items() if column in frame})
