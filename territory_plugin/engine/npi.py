"""National Provider Identifiers: ten digits, of which the last checks the others."""

from __future__ import annotations

import re
from collections import defaultdict
from functools import lru_cache

import numpy as np

PREFIX_SUM = 24  # what 80840, the prefix of United States health identifiers, adds to the sum
_TEN_DIGITS = re.compile(r"([0-9]{10})(\.0*)?")


@lru_cache(maxsize=1)
def _halves() -> tuple[bytes, bytes]:
    """Return the Luhn sums of all first and all last five digits, modulo 10."""
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
    first, last = _halves()
    return (first[int(npi[:5])] + last[int(npi[5:])]) % 10 == 0


def read_npi(value: object) -> str | None:
    """Return ten digits from what a file holds, also from a float; None when it is no NPI.

    >>> read_npi(" 1234567893.0"), read_npi(1234567893), read_npi("12345")
    ('1234567893', '1234567893', None)
    """
    if isinstance(value, (float, np.floating)):
        value = f"{value:.0f}"
    match = _TEN_DIGITS.fullmatch(str(value).strip()) if value is not None else None
    return match.group(1) if match else None


class NpiSet:
    """NPIs that were seen: a bit for each, so that a nation's NPIs take 25 MB.

    >>> seen = NpiSet()
    >>> seen.add("1234567893"), seen.add("1234567893"), seen.add("1003000126")
    (True, False, True)
    """

    def __init__(self):
        self._pages: dict[int, bytearray] = defaultdict(lambda: bytearray(1 << 13))

    def add(self, npi: str | bytes) -> bool:
        """Add an NPI whose check digit is right, and answer whether it is new."""
        number = int(npi[:9])
        page, at, bit = self._pages[number >> 16], number >> 3 & 0x1FFF, 1 << (number & 7)
        if page[at] & bit:
            return False
        page[at] |= bit
        return True
