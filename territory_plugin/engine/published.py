"""Numbers and ZIPs as published files hold them: never read as other ones than they are."""

from __future__ import annotations

import re

from .zipcodes import zip5

_NUMBER = re.compile(r"([-+]?)\s*\$?\s*([-+]?(?:\d{1,3}(?:,\d{3})+|\d+)?(?:\.\d*)?(?:[eE][-+]?\d{1,3})?)")
_WITHHELD = re.compile(r"<.*|\D*")
NUMBERS_WAY_OUT = (
    "Published files have decimal points, and commas only before groups of three digits: correct these values, or "
    "download the file again."
)


def published_number(text: str) -> float:
    """Return a number of a published file, NaN where the text is none.

    >>> published_number("1,234.5"), published_number(" $ 12 "), published_number("15,5"), published_number("")
    (1234.5, 12.0, nan, nan)
    """
    match = _NUMBER.fullmatch(text.strip())
    digits = match and match.group(2).replace(",", "")
    try:
        return float(match.group(1) + digits) if digits else float("nan")
    except ValueError:  # a sign twice, a point or an exponent without digits
        return float("nan")


def is_withheld(text: str) -> bool:
    """Answer whether a text that is no number says that there is none: empty, “*”, “N/A”, “<11”.

    >>> is_withheld("<11"), is_withheld("*"), is_withheld("15,5")
    (True, True, False)
    """
    return _WITHHELD.fullmatch(text.strip()) is not None


# where ZIPs that begin with 0 lie, by their first three digits
_STATES_OF_0 = {
    "NY": {5, 63}, "PR": {6, 7, 9}, "VI": {8}, "MA": {*range(10, 28), 55}, "RI": {28, 29}, "NH": set(range(30, 39)),
    "ME": {39, *range(40, 50)}, "VT": {*range(50, 55), *range(56, 60)}, "CT": set(range(60, 70)),
    "NJ": set(range(70, 90)), "AE": set(range(90, 100)),
}  # fmt: skip


def fits_state(code: str, state: str) -> bool:
    """Answer whether a ZIP that begins with 0 lies in a state.

    >>> fits_state("07701", "NJ"), fits_state("07701", "TX")
    (True, False)
    """
    return int(code[:3]) in _STATES_OF_0.get(state, ())


PADDED, MISFIT = "padded", "misfit"


def read_zip(text: str, state: str | None) -> tuple[str | None, str]:
    """Return a ZIP of five digits, and what was done: '', or `PADDED` where lost zeros came back in front.

    A ZIP that would lie in another state with them has lost something else: it is None, and `MISFIT`.

    >>> read_zip("7701", "NJ"), read_zip("7701", "TX"), read_zip("07701", "TX"), read_zip("077011234", None)
    (('07701', 'padded'), (None, 'misfit'), ('07701', ''), ('07701', ''))
    """
    code = zip5(text)
    if code is None or code[0] != "0" or sum(sign.isdigit() for sign in text.partition(".")[0]) in (5, 9):
        return code, ""
    if state is not None and not fits_state(code, state):
        return None, MISFIT
    return code, PADDED
