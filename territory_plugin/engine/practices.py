"""Practices: clinicians who share an organisation or an address, which is what reps call on."""

from __future__ import annotations

import re
from collections.abc import Sequence

import numpy as np
import pandas as pd

from .geodesy import geocentric

GROUPINGS = ("organisation_site", "organisation", "address")

_SHORT = {
    "STREET": "ST", "AVENUE": "AVE", "AV": "AVE", "ROAD": "RD", "DRIVE": "DR", "BOULEVARD": "BLVD", "LANE": "LN",
    "COURT": "CT", "PLACE": "PL", "PARKWAY": "PKWY", "HIGHWAY": "HWY", "SQUARE": "SQ", "TERRACE": "TER",
    "CIRCLE": "CIR", "TURNPIKE": "TPKE", "PLAZA": "PLZ", "CENTER": "CTR", "CENTRE": "CTR", "NORTH": "N",
    "SOUTH": "S", "EAST": "E", "WEST": "W", "NORTHEAST": "NE", "NORTHWEST": "NW", "SOUTHEAST": "SE",
    "SOUTHWEST": "SW", "SUITE": "STE", "FLOOR": "FL", "BUILDING": "BLDG", "ROOM": "RM", "FIRST": "1ST",
    "SECOND": "2ND", "THIRD": "3RD", "FOURTH": "4TH", "FIFTH": "5TH",
}  # fmt: skip
_NUMBERED = re.compile(r"\s*(?:\d\S*|ONE|TWO|THREE|FOUR|FIVE)\s+[^,]*[A-Z][^,]*,", re.IGNORECASE)
_ROOM = re.compile(r"\b(?:STE|UNIT|RM|APT|DEPT|FL|BLDG|NO)\b.*$|#.*$|\b\d+(?:ST|ND|RD|TH) FL\b.*$")


def address_key(address: str | None, *, rooms: bool = True) -> str | None:
    """Return an address as files spell it alike: capitals, no punctuation, the post office's short words.

    Parameters
    ----------
    rooms : bool
        Whether suites and floors tell addresses apart.

    >>> address_key("100 North Main Street, Suite 5"), address_key("100 N. MAIN ST #5", rooms=False)
    ('100 N MAIN ST STE 5', '100 N MAIN ST')
    >>> address_key("100 North Main Street, Department of Surgery", rooms=False)
    '100 N MAIN ST'
    """
    if not rooms and _NUMBERED.match(address or ""):  # the imports write the second line of an address after a comma
        address = address.partition(",")[0]
    text = re.sub(r"[^A-Z0-9#]+", " ", (address or "").upper().replace(".", ""))
    text = " ".join(_SHORT.get(word, word) for word in text.split())
    if not rooms:
        text = _ROOM.sub("", text).strip()
    return text or None


def practice_keys(
    organisations: Sequence[str | None],
    addresses: Sequence[str | None],
    zips: Sequence[str | None],
    *,
    by: str = "organisation_site",
    rooms: bool = True,
) -> tuple[np.ndarray, np.ndarray]:
    """Return the number of the practice of each row, and which rows stand alone for want of a key.

    Parameters
    ----------
    by : {'organisation_site', 'organisation', 'address'}
        The same organisation at the same address and ZIP; the same organisation anywhere; the same address and
        ZIP. A clinician without an organisation goes by the address in the first two.

    Returns
    -------
    practice : numpy.ndarray of int, shape (n,)
        Numbered in the order of first appearance.
    alone : numpy.ndarray of bool, shape (n,)
    """
    keys, alone = [], np.zeros(len(addresses), dtype=bool)
    for row, (organisation, address, code) in enumerate(zip(organisations, addresses, zips)):
        street = address_key(address, rooms=rooms)
        place = (street, code) if street else None
        name = " ".join(organisation.upper().split()) if organisation and by != "address" else None
        if name and by == "organisation":
            keys.append((name,))
        elif name:
            keys.append((name, place or code))
        elif place:
            keys.append(("", place))
        else:
            alone[row] = True
            keys.append((row,))
    return pd.factorize(pd.Series(keys, dtype=object))[0], alone


def provider_frame(columns: dict[str, list]) -> pd.DataFrame:
    """Return columns of text as a frame, None where unknown."""
    return pd.DataFrame(columns, dtype=object)


def aggregate(practice: np.ndarray, frame: pd.DataFrame, values: np.ndarray) -> pd.DataFrame:
    """Return one row per practice.

    Parameters
    ----------
    practice : numpy.ndarray of int, shape (n,)
        From `practice_keys`.
    frame : pandas.DataFrame, n rows
        ``npi``, ``organisation``, ``specialty``, ``address``, ``city``, ``zip`` : text or None; ``counts`` :
        bool, whether the row is a clinician.
    values : numpy.ndarray of float, shape (n, m)
        NaN counts as nothing.

    Returns
    -------
    pandas.DataFrame
        ``name``, ``address``, ``city``, ``zip`` : the most frequent; ``clinicians`` : different NPIs;
        ``providers`` : rows; ``specialty`` : the most frequent, ``specialties`` : all, with counts;
        ``sum_0`` … : sums.
    """
    count = int(practice.max()) + 1
    whole = frame.assign(practice=practice)
    clinicians = whole[whole["counts"]]
    npi = clinicians["npi"].where(clinicians["npi"].notna(), clinicians.index.map(lambda row: f"row {row}"))
    different = npi.groupby(clinicians["practice"]).nunique().reindex(range(count)).fillna(0).astype(int)
    out = pd.DataFrame({"name": _most_frequent(whole, "organisation", count)})
    for column in ("address", "city", "zip"):
        out[column] = _most_frequent(whole, column, count)
    out["name"] = out["name"].where(out["name"].notna(), out["address"])
    out["clinicians"], out["providers"] = different.to_numpy(), np.bincount(practice, minlength=count)
    out["specialty"] = _most_frequent(clinicians, "specialty", count)
    out["specialties"] = _lists(clinicians.drop_duplicates(["practice", "npi", "specialty"]), count)
    for at, column in enumerate(np.nan_to_num(values).T):
        out[f"sum_{at}"] = np.bincount(practice, weights=column, minlength=count)
    return out


def _most_frequent(frame, column, count) -> np.ndarray:
    """Return the most frequent value of each practice, the first in the alphabet of several, None for none."""
    sizes = frame[frame[column].notna()].groupby(["practice", column]).size().rename("size").reset_index()
    best = sizes.sort_values(["practice", "size", column], ascending=[True, False, True]).drop_duplicates("practice")
    found = best.set_index("practice")[column].reindex(range(count))
    return found.astype(object).where(found.notna(), None).to_numpy()


def _lists(frame, count) -> list[str | None]:
    sizes = frame[frame["specialty"].notna()].groupby(["practice", "specialty"]).size().rename("size").reset_index()
    sizes = sizes.sort_values(["practice", "size", "specialty"], ascending=[True, False, True])
    texts = sizes["specialty"] + " " + sizes["size"].astype(str)
    joined = texts.groupby(sizes["practice"]).agg("; ".join).reindex(range(count))
    return [text if isinstance(text, str) else None for text in joined]


def middle_rows(practice: np.ndarray, lonlat: np.ndarray) -> np.ndarray:
    """Return for each practice the row that stands nearest to the middle of its rows, -1 when none has a place.

    A practice thus stands where one of its clinicians does.

    Parameters
    ----------
    practice : numpy.ndarray of int, shape (n,)
    lonlat : numpy.ndarray of float, shape (n, 2)
        NaN where unknown.
    """
    count = int(practice.max()) + 1
    rows = np.flatnonzero(~np.isnan(lonlat[:, 0]))
    out = np.full(count, -1)
    if not len(rows):
        return out
    xyz, group = geocentric(lonlat[rows]), practice[rows]
    size = np.maximum(np.bincount(group, minlength=count), 1)
    middle = np.column_stack([np.bincount(group, weights=axis, minlength=count) / size for axis in xyz.T])
    away = np.linalg.norm(xyz - middle[group], axis=1)
    order = np.lexsort((rows, np.round(away, 9), group))
    first = np.unique(group[order], return_index=True)[1]
    out[group[order][first]] = rows[order][first]
    return out
