"""States and territories of the United States as files spell them."""

from __future__ import annotations

from collections.abc import Iterable

from .errors import TerritoryError, name_some

NAMES = {
    "ALABAMA": "AL", "ALASKA": "AK", "ARIZONA": "AZ", "ARKANSAS": "AR", "CALIFORNIA": "CA", "COLORADO": "CO",
    "CONNECTICUT": "CT", "DELAWARE": "DE", "DISTRICT OF COLUMBIA": "DC", "FLORIDA": "FL", "GEORGIA": "GA",
    "HAWAII": "HI", "IDAHO": "ID", "ILLINOIS": "IL", "INDIANA": "IN", "IOWA": "IA", "KANSAS": "KS",
    "KENTUCKY": "KY", "LOUISIANA": "LA", "MAINE": "ME", "MARYLAND": "MD", "MASSACHUSETTS": "MA", "MICHIGAN": "MI",
    "MINNESOTA": "MN", "MISSISSIPPI": "MS", "MISSOURI": "MO", "MONTANA": "MT", "NEBRASKA": "NE", "NEVADA": "NV",
    "NEW HAMPSHIRE": "NH", "NEW JERSEY": "NJ", "NEW MEXICO": "NM", "NEW YORK": "NY", "NORTH CAROLINA": "NC",
    "NORTH DAKOTA": "ND", "OHIO": "OH", "OKLAHOMA": "OK", "OREGON": "OR", "PENNSYLVANIA": "PA",
    "RHODE ISLAND": "RI", "SOUTH CAROLINA": "SC", "SOUTH DAKOTA": "SD", "TENNESSEE": "TN", "TEXAS": "TX",
    "UTAH": "UT", "VERMONT": "VT", "VIRGINIA": "VA", "WASHINGTON": "WA", "WEST VIRGINIA": "WV", "WISCONSIN": "WI",
    "WYOMING": "WY", "PUERTO RICO": "PR", "GUAM": "GU", "VIRGIN ISLANDS": "VI", "AMERICAN SAMOA": "AS",
    "NORTHERN MARIANA ISLANDS": "MP", "ARMED FORCES AMERICAS": "AA", "ARMED FORCES EUROPE": "AE",
    "ARMED FORCES PACIFIC": "AP", "FEDERATED STATES OF MICRONESIA": "FM", "MARSHALL ISLANDS": "MH", "PALAU": "PW",
}  # fmt: skip
_FIPS = (
    "01 AL 02 AK 04 AZ 05 AR 06 CA 08 CO 09 CT 10 DE 11 DC 12 FL 13 GA 15 HI 16 ID 17 IL 18 IN 19 IA 20 KS 21 KY 22 LA "
    "23 ME 24 MD 25 MA 26 MI 27 MN 28 MS 29 MO 30 MT 31 NE 32 NV 33 NH 34 NJ 35 NM 36 NY 37 NC 38 ND 39 OH 40 OK 41 OR "
    "42 PA 44 RI 45 SC 46 SD 47 TN 48 TX 49 UT 50 VT 51 VA 53 WA 54 WV 55 WI 56 WY 60 AS 66 GU 69 MP 72 PR 78 VI"
)
FIPS = {pair[:2]: pair[3:] for pair in (_FIPS[at : at + 5] for at in range(0, len(_FIPS), 6))}
"""The state by the first two digits of a county's FIPS code."""
CODES = frozenset(NAMES.values())
# country codes under which files list what is a state or territory here
COUNTRIES = frozenset({"", "US", "USA", "PR", "GU", "VI", "AS", "MP", "UM", "UNITED STATES"})


def state_code(text: object) -> str | None:
    """Return the two letters of a state given by them or by its name, None when it is none.

    >>> state_code(" New York "), state_code("ny"), state_code("N.Y."), state_code("ONTARIO")
    ('NY', 'NY', 'NY', None)
    """
    key = " ".join(str(text or "").upper().replace(".", "").split())
    return key if key in CODES else NAMES.get(key)


def state_codes(texts: Iterable[str]) -> frozenset[str]:
    """Return the codes of states that a person typed.

    Raises
    ------
    TerritoryError
        For a text that names no state.
    """
    found = {text: state_code(text) for text in texts}
    wrong = [text for text, code in found.items() if code is None]
    if wrong:
        raise TerritoryError(
            f"These are no states of the United States: {name_some(wrong)}. Write NY or New York, with commas between."
        )
    return frozenset(found.values())
