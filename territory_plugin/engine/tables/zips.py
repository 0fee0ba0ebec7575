"""ZIP codes as analysts' files have them: ZIP+4, lost zeros, floats, prefixes of exports, beginnings, ranges."""

from __future__ import annotations

import re
from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
import pandas as pd

from ..errors import Count, name_some
from ..states import state_code
from .cells import cell_text

LOWEST_ZIP = "00501"
PIECE = re.compile(r"[0-9]{5}-[0-9]{1,3}")
"""What the ids of pieces of divided ZIPs look like; a ZIP+4 has four digits after the dash."""
_ZIP = re.compile(r"(?:([0-9]{3,5})(?:\s*[\s–-]\s*([0-9]{4})?)?|([0-9]{7,9}))(?:\.0*)?")
# what exports put before a ZIP: a country, the kind of area, the Census's GEOID of a ZCTA, a state's two letters
_BEFORE = re.compile(
    r"(?:8[0-9A-Z]{1,6}US|USA?|ZIP|ZCTA5?|(?P<state>[A-Z]{2})(?=[\s_-]))[\s_:-]*(?=[0-9])", re.IGNORECASE
)
_AFTER = re.compile(r"(?<=[0-9])[\s,]+USA?", re.IGNORECASE)

# the states of three-digit beginnings, each from its number on; "" has none
_STATES = (
    "0 - 5 NY 6 PR 8 VI 9 PR 10 MA 28 RI 30 NH 39 ME 50 VT 55 MA 56 VT 60 CT 70 NJ 90 AE 99 - 100 NY 150 PA 197 DE "
    "200 DC 201 VA 202 DC 206 MD 220 VA 247 WV 270 NC 290 SC 300 GA 320 FL 340 AA 341 FL 350 AL 370 TN 386 MS 398 GA "
    "400 KY 430 OH 460 IN 480 MI 500 IA 530 WI 550 MN 569 DC 570 SD 580 ND 590 MT 600 IL 630 MO 660 KS 680 NE 700 LA "
    "716 AR 730 OK 733 TX 734 OK 750 TX 800 CO 820 WY 832 ID 840 UT 850 AZ 870 NM 885 TX 889 NV 900 CA 962 AP 967 HI "
    "969 GU 970 OR 980 WA 995 AK"
)
# beginnings that several share
_SHARED = {"063": {"NY"}, "967": {"AS"}, "969": {"MP", "PW", "FM", "MH"}}


@lru_cache(maxsize=1)
def _state_starts() -> tuple[list[int], list[str]]:
    words = _STATES.split()
    return [int(word) for word in words[::2]], words[1::2]


def state_of(zip_code: str) -> str | None:
    """Return the two letters of the state that a ZIP's first three digits belong to.

    >>> state_of("60601"), state_of("07701"), state_of("00606")
    ('IL', 'NJ', 'PR')

    References
    ----------
    United States Postal Service, Publication 65 and labelling list L002: three-digit prefixes.
    """
    starts, states = _state_starts()
    found = states[bisect_right(starts, int(zip_code[:3])) - 1]
    return None if found == "-" else found


def fits_state(zip_code: str | None, state: str | None) -> bool:
    """Answer whether a ZIP can lie in a state; of what is unknown everything can be.

    Parameters
    ----------
    zip_code : str or None
        Five digits.
    state : str or None
        Two letters or a name.

    >>> fits_state("07701", "TX"), fits_state("07701", "New Jersey"), fits_state("06390", "NY")
    (False, True, True)
    """
    code = state_code(state) if state else None
    if zip_code is None or code is None:
        return True
    return code == state_of(zip_code) or code in _SHARED.get(zip_code[:3], ())


def zip5(text: str) -> str | None:
    """Return one ZIP as `normalise_zip` does.

    >>> zip5("100011234"), zip5("00501"), zip5("501.0"), zip5("K1A 0B1"), zip5("USA_60601")
    ('10001', '00501', '00501', None, '60601')
    """
    if not (len(text) in (5, 9) and text.isascii() and text.isdigit()):  # nearly always it is one of the two
        text = cell_text(text) or ""
        state = None
        if (not text[:1].isdigit() or text[:2] == "86") and (before := _BEFORE.match(text)):
            state, text = before["state"], text[before.end() :]
            if state and state_code(state) is None:
                return None
        if text[-1:].isalpha():
            text = _AFTER.sub("", text)
        match = _ZIP.fullmatch(text)
        if match is None:
            return None
        text = (match[1] or match[3]).zfill(9 if match[3] else 5)
    return text[:5] if text[:5] >= LOWEST_ZIP else None


def normalise_zip(values: Sequence[object]) -> np.ndarray:
    """Return five-digit ZIP codes from what a file holds, None where no ZIP can be read.

    ZIP+4 with or without dash is cut to five digits, floats lose their ``.0``, and leading zeros that a
    spreadsheet took away come back: up to five digits are a ZIP, seven to nine are a ZIP+4 (its last four
    digits always survive, so the zeros are missing in front). A country, a state's two letters or the Census's
    GEOID may stand before it.

    Parameters
    ----------
    values : sequence of shape (n,)
        Text, whole numbers, floats, None or NaN.

    Returns
    -------
    numpy.ndarray of object, shape (n,)

    Examples
    --------
    >>> normalise_zip(["10001-1234", "688472944.0", 501, "5010012.0", "K1A 0B1", None]).tolist()
    ['10001', '68847', '00501', '00501', None, None]
    """
    found = np.full(len(values), None, dtype=object)
    read: dict[str, str | None] = {}
    for row, text in enumerate(map(_as_text, values)):
        if text not in read:
            read[text] = zip5(text)
        found[row] = read[text]
    return found


def _as_text(value) -> str:
    if isinstance(value, str):
        return value
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, (float, np.floating)):
        return f"{value:.0f}" if value.is_integer() else ""
    return str(value)


def has_lost_zeros(text: object) -> bool:
    """Answer whether a text that is read as a ZIP lacks the zeros in front.

    >>> has_lost_zeros("7701"), has_lost_zeros("07701"), has_lost_zeros("5010012.0"), has_lost_zeros("60601-1234")
    (True, False, True, False)
    """
    match = _ZIP.fullmatch(cell_text(text) or "")
    return match is not None and len(match[1] or match[3]) in (3, 4, 7, 8)


@dataclass(frozen=True)
class Zips:
    """A column of ZIPs, read.

    Attributes
    ----------
    codes : numpy.ndarray of object, shape (n,)
        Five digits, or None.
    padded : list of int
        Rows whose zeros in front were lost and are back.
    elsewhere : list of int
        Rows whose ZIP would lie in another state with zeros in front than the row says: they are not read.
    """

    codes: np.ndarray
    padded: list[int]
    elsewhere: list[int]

    def notes(self, values: Sequence[object], states: Sequence[object] | None = None) -> list[str]:
        """Return what a person should know of zeros that were lost."""
        return Lost().add(self, values, states).notes()


class Lost:
    """What is told of zeros that were lost, over a column that is read in blocks."""

    def __init__(self):
        self.padded, self.pairs = 0, {}
        self.elsewhere: list[str] = []

    def add(self, found: Zips, values: Sequence[object], states: Sequence[object] | None = None) -> Lost:
        """Take what was found in a block."""
        self.padded += len(found.padded)
        self.pairs.update(dict.fromkeys((values[row], found.codes[row]) for row in found.padded))
        self.elsewhere += [f"{values[row]} ({states[row]})" for row in found.elsewhere]
        return self

    def notes(self) -> list[str]:
        """Return what a person should know of them."""
        told = []
        if self.padded:
            shown = name_some((f"{text} is {code}" for text, code in self.pairs), 3)
            told.append(f"{Count(self.padded):ZIP had|ZIPs had} lost zeros in front, which are back: {shown}.")
        if self.elsewhere:
            told.append(
                f"{Count(len(self.elsewhere)):short ZIP|short ZIPs} cannot be read: with zeros in front they would lie "
                f"in another state than the row says: {name_some(self.elsewhere)}. Correct them."
            )
        return told


def read_zips(values: Sequence[object], states: Sequence[object] | None = None) -> Zips:
    """Read a column of ZIPs; short ones are held against the column of states where there is one.

    Parameters
    ----------
    values : sequence, length n
    states : sequence of str or None, length n, optional
        Two letters or names.

    Examples
    --------
    >>> found = read_zips(["7701", "7701", "60601"], ["NJ", "TX", "IL"])
    >>> found.codes.tolist(), found.padded, found.elsewhere
    (['07701', None, '60601'], [0], [1])
    """
    codes = normalise_zip(values)
    short = [row for row, code in enumerate(codes) if code is not None and has_lost_zeros(values[row])]
    elsewhere = [row for row in short if states is not None and not fits_state(codes[row], states[row])]
    codes[elsewhere] = None
    return Zips(codes, [row for row in short if row not in set(elsewhere)], elsewhere)


def match_units(values: Sequence[object], unit_ids: Sequence[str], states: Sequence[object] | None = None) -> Zips:
    """Return the ids of units that values mean: as they stand, as pieces of divided ZIPs do, or as five-digit ZIPs.

    >>> match_units(["10001-2", "10002-1234", 501], ["10001-1", "10001-2"]).codes.tolist()
    ['10001-2', '10002', '00501']
    """
    texts = np.full(len(values), None, dtype=object)
    texts[:] = [cell_text(value) for value in values]
    known = pd.Series(texts, dtype=object).isin(set(unit_ids)).to_numpy()
    found = read_zips(texts, states)
    codes = np.where(known, texts, found.codes).astype(object)
    padded, elsewhere = ([row for row in rows if not known[row]] for rows in (found.padded, found.elsewhere))
    return Zips(codes, padded, elsewhere)


def unit_codes(units: Sequence[str]) -> list[str]:
    """Return units' ids as five-digit ZIPs where they are ZIPs, else as they are.

    >>> unit_codes(["501", "60601", "North", "10001-2"])
    ['00501', '60601', 'North', '10001-2']
    """
    return [code or unit for code, unit in zip(normalise_zip(units), units)]
