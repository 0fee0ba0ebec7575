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
