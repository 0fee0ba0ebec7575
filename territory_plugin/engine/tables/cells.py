"""A cell as text, without what spreadsheets and exports wrap around it."""

from __future__ import annotations

import re

import numpy as np
import pandas as pd

_INVISIBLE = str.maketrans({**dict.fromkeys(map(ord, "\u200b\u200c\u200d\u2060\ufeff")), 0xA0: " ", 0x202F: " "})
_FORMULA = re.compile(r'="(.*)"', re.DOTALL)


def cell_text(value: object) -> str | None:
    """Return what a cell holds as text, None when it is empty.

    Whole numbers stored as floats lose their ``.0``; invisible signs, and blanks at the ends go; so do the ``="…"`` and
    the apostrophe by which spreadsheets keep a text a text.

    Parameters
    ----------
    value : object
        Text, a number, None, NaN or pandas' NA.

    Examples
    --------
    >>> cell_text(60601.0), cell_text('="00501"'), cell_text("'00501"), cell_text("60601\\u00a0"), cell_text("")
    ('60601', '00501', '00501', '60601', None)
    """
    if value is None or value is pd.NA or value is pd.NaT:
        return None
    if isinstance(value, (float, np.floating)):
        if value != value:
            return None
        value = int(value) if float(value).is_integer() else value
    text = value if isinstance(value, str) else str(value)
    if not text.isascii():
        text = text.translate(_INVISIBLE)
    text = text.strip()
    if text[:1] == "=" and (formula := _FORMULA.fullmatch(text)):
        text = formula.group(1).strip()
    elif text[:1] == "'" and text[1:2].isdigit():
        text = text[1:]
    return text or None
