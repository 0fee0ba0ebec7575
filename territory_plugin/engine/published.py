"""Values of published files that could be read as other ones than they are."""

from __future__ import annotations

import re

from .tables.missing import is_missing
from .tables.zips import fits_state, has_lost_zeros, zip5

NUMBERS_WAY_OUT = (
    "Published files have decimal points, and commas only before groups of three digits: correct these values, or "
    "download the file again."
)
PADDED, MISFIT = "padded", "misfit"
_WITHHELD = re.compile(r"[<≤].*|\D*")


def is_withheld(text: str) -> bool:
    """Answer whether a text that is no number says that there is none: empty, “*”, “N/A”, “<11”.

    >>> is_withheld("<11"), is_withheld("*"), is_withheld("N/A"), is_withheld("15,5")
    (True, True, True, False)
    """
    return is_missing(text) or _WITHHELD.fullmatch(text.strip()) is not None


def read_zip(text: str, state: str | None) -> tuple[str | None, str]:
    """Return a ZIP of five digits, and what was done: '', or `PADDED` where lost zeros came back in front.

    A ZIP that would lie in another state with them has lost something else: it is None, and `MISFIT`.

    >>> read_zip("7701", "NJ"), read_zip("7701", "TX"), read_zip("07701", "TX"), read_zip("77011234", None)
    (('07701', 'padded'), (None, 'misfit'), ('07701', ''), ('07701', 'padded'))
    """
    code = zip5(text)
    if code is None or code[0] != "0" or not has_lost_zeros(text):
        return code, ""
    return (code, PADDED) if fits_state(code, state) else (None, MISFIT)
