"""Procedures and places of service, as claims files and people write them."""

from __future__ import annotations

import re
from collections.abc import Sequence

from .errors import TerritoryError, name_some
from .tables.cells import cell_text
from .tables.ids import with_zeros

_CODE = re.compile(r"[0-9A-Z]{5}")

OFFICE, FACILITY = "O", "F"
# Medicare's places of service that are paid at the facility rate; all others count as an office
_FACILITY = "02 19 21 22 23 24 26 31 34 41 42 51 52 53 56 61"
_OFFICE = "01 03 04 05 06 07 08 09 10 11 12 13 14 15 16 17 18 20 25 27 32 33 49 50 54 55 57 58 60 62 65 66 71 72 81 99"
_PLACES = {
    **dict.fromkeys(("o", "office", "officebased", "physicianoffice", "physiciansoffice", "doctorsoffice", "clinic",
                     "nonfacility", "independentclinic"), OFFICE),
    **dict.fromkeys(("f", "facility", "asc", "ambulatorysurgerycenter", "ambulatorysurgicalcenter", "surgerycenter",
                     "surgicalcenter", "hospital", "hosp", "hopd", "outpatienthospital", "hospitaloutpatient",
                     "oncampusoutpatienthospital", "offcampusoutpatienthospital", "hospitaloutpatientdepartment",
                     "inpatient", "inpatienthospital", "hospitalinpatient", "er", "ed", "emergencyroom",
                     "emergencydepartment", "emergencyroomhospital", "snf", "skillednursingfacility"), FACILITY),
}  # fmt: skip


def place_of_service(text: str) -> str | None:
    """Return O for an office, F for a facility, None for what is neither.

    >>> [place_of_service(text) for text in ("O", "Facility", "ASC", "11", "22 - On Campus", "Outpatient", "Mars")]
    ['O', 'F', 'F', 'O', 'F', None, None]
    """
    code = re.match(r"\s*([0-9]{1,2})(?:\.0*)?\s*(?:[-–:].*)?$", text)
    if code:
        two = with_zeros(code.group(1), 2)
        return FACILITY if two in _FACILITY.split() else OFFICE if two in _OFFICE.split() else None
    return _PLACES.get(re.sub(r"[^a-z]", "", text.lower()))


def procedure_code(text: str) -> str:
    """Return a code as it is published: in capitals, with the zeros that a spreadsheet has taken away.

    >>> procedure_code("142"), procedure_code("j3301 "), procedure_code("99213.0"), procedure_code("0001F")
    ('00142', 'J3301', '99213', '0001F')
    """
    bare = re.sub(r"\.0*$", "", (cell_text(text) or "").upper())
    return with_zeros(bare, 5)


def is_procedure_code(code: str) -> bool:
    """Answer whether a code has the five characters of HCPCS.

    >>> is_procedure_code("27447"), is_procedure_code("27447-RT")
    (True, False)
    """
    return _CODE.fullmatch(code) is not None


class ProcedureFilter:
    """Which procedures are wanted: HCPCS codes, ranges such as ``27440-27447``, beginnings such as ``J*``.

    A range holds codes with digits and letters in the same places: 0001F–9999F holds no 00100. Zeros that a
    spreadsheet has taken away come back: 142 is 00142, also in a range.

    Raises
    ------
    TerritoryError
        For a wish that is none of these.

    Examples
    --------
    >>> wanted = ProcedureFilter(["27447", "99213 - 99215", "j*", "100-148"])
    >>> [wanted(code) for code in ("27447", "99214", "J3301", "99216", "00142", "27142")]
    [True, True, True, False, True, False]
    """

    def __init__(self, wishes: Sequence[str] = ()):
        self.codes, self.ranges, beginnings, wrong = set(), [], set(), []
        for wish in wishes:
            text = re.sub(r"\s", "", wish.upper().replace("–", "-"))
            low, dash, high = text.partition("-")
            low, high = procedure_code(low), procedure_code(high)
            if (
                dash
                and is_procedure_code(low)
                and is_procedure_code(high)
                and _shape(low) == _shape(high)
                and low <= high
            ):
                self.ranges.append((low, high, _shape(low)))
            elif re.fullmatch(r"[0-9A-Z]{0,4}\*", text) and len(text) > 1:
                beginnings.add(text[:-1])
            elif not dash and is_procedure_code(low):
                self.codes.add(low)
            elif text:
                wrong.append(wish)
        if wrong:
            raise TerritoryError(
                f"These are no HCPCS codes: {name_some(wrong)}. Write 27447, 99213-99215 or J*, with commas between."
            )
        self.beginnings = tuple(sorted(beginnings))
        self.everything = not (self.codes or self.ranges or self.beginnings)

    def __call__(self, code: str) -> bool:
        """Answer whether a code is wanted."""
        return (
            self.everything
            or code in self.codes
            or code.startswith(self.beginnings)
            or any(low <= code <= high and _shape(code) == shape for low, high, shape in self.ranges)
        )


def _shape(code: str) -> tuple[bool, ...]:
    return tuple(sign.isdigit() for sign in code)
