"""National Provider Identifiers: ten digits, of which the last checks the others."""

from __future__ import annotations

import re
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from .tables.cells import cell_text

PREFIX_SUM = 24  # what 80840, the prefix of United States health identifiers, adds to the sum
_TEN_DIGITS = re.compile(r"([0-9]{10})(\.0*)?")
_EXPONENT = re.compile(r"[+]?[0-9]+([.,][0-9]*)?[eE][+]?[0-9]+")
ROUNDED_WAY_OUT = (
    "A spreadsheet has rounded them, and their last digits are lost: take the file as it was downloaded, or format the "
    "column as text before you open it."
)


@lru_cache(maxsize=1)
def halves() -> tuple[bytes, bytes]:
    """Return the Luhn sums of all first and all last five digits, modulo 10: of an NPI they add up to 0."""
    digits = np.arange(100_000)[:, None] // 10 ** np.arange(4, -1, -1) % 10
    doubled = np.where(digits > 4, 2 * digits - 9, 2 * digits)
    first = np.where([True, False, True, False, True], doubled, digits).sum(axis=1) + PREFIX_SUM
    last = np.where([False, True, False, True, False], doubled, digits).sum(axis=1)
    return bytes((first % 10).tolist()), bytes((last % 10).tolist())


def has_check_digit(npi: str | bytes) -> bool:
    """Answer whether the last of ten digits is right: Luhn's formula over 80840 and the NPI.

    >>> has_check_digit("1234567893"), has_check_digit("1234567890")
    (True, False)

    References
    ----------
    CMS, Requirements for National Provider Identifier (NPI) and NPI check digit (2004).
    """
    first, last = halves()
    return (first[int(npi[:5])] + last[int(npi[5:])]) % 10 == 0


def read_npi(value: object) -> str | None:
    """Return ten digits from what a file holds, also from a float or a formula; None when it is no NPI.

    >>> read_npi(" 1234567893.0"), read_npi(1234567893), read_npi('="1234567893"'), read_npi("1.23457E+09")
    ('1234567893', '1234567893', '1234567893', None)
    """
    match = _TEN_DIGITS.fullmatch(cell_text(value) or "")
    return match.group(1) if match else None


def read_npis(values: Sequence[object]) -> tuple[list[str | None], list[int]]:
    """Return the NPIs of a column, None where there is none, and the rows whose NPI has lost its last digits.

    Where some have lost them, all that end in so many zeros have: one in ten has the right check digit by chance.

    >>> read_npis(["1234570000", "1234567893", "x", "1234570000.0"])
    ([None, '1234567893', None, None], [0, 3])
    """
    npis = [read_npi(value) for value in values]
    if not any(npi is not None and lost_digits(npi) for npi in npis):
        return npis, []
    lost = [row for row, npi in enumerate(npis) if npi is not None and npi.endswith("0000")]
    for row in lost:
        npis[row] = None
    return npis, lost


def is_rounded(value: object) -> bool:
    """Answer whether a text is what a spreadsheet makes of a long number: many NPIs look the same so.

    >>> is_rounded("1.23457E+09"), is_rounded("1234567893"), is_rounded(None)
    (True, False, False)
    """
    return _EXPONENT.fullmatch(cell_text(value) or "") is not None


def lost_digits(npi: str | bytes) -> bool:
    """Answer whether ten digits have lost their last ones: zeros stand there, and the check digit is wrong.

    >>> lost_digits("1234570000"), lost_digits("1234567893"), lost_digits(b"1234570008")
    (True, False, False)
    """
    return npi[-4:] in ("0000", b"0000") and not has_check_digit(npi)


def with_check_digit(first_nine: np.ndarray) -> np.ndarray:
    """Return whole NPIs from their first nine digits.

    >>> with_check_digit(np.array([123456789])).tolist()
    [1234567893]
    """
    first, last = (np.frombuffer(half, dtype=np.uint8).astype(int) for half in halves())
    nine = np.asarray(first_nine, dtype=np.int64)
    return nine * 10 + -(first[nine // 10_000] + last[nine % 10_000 * 10]) % 10
