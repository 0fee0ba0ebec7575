"""ZIP codes as analysts' files have them, and the units they belong to."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import shapely

from .errors import TerritoryError, name_some
from .geodesy import distance_km
from .progress import IsCancelled, never, stop_if

LOWEST_ZIP = "00501"
PIECE = re.compile(r"[0-9]{5}-[0-9]{1,3}")
"""What the ids of pieces of divided ZIPs look like; a ZIP+4 has four digits after the dash."""
_FILLING = re.compile(r"[\s-]")
_ZIP = re.compile(r"([0-9]{3,5}|[0-9]{7,9})(\.0*)?")


def normalise_zip(values: Sequence[object]) -> np.ndarray:
    """Return five-digit ZIP codes from what a file holds, None where no ZIP can be read.

    ZIP+4 with or without dash is cut to five digits, floats lose their ``.0``, and leading zeros that a
    spreadsheet took away come back: up to five digits are a ZIP, seven to nine are a ZIP+4 (its last four
    digits always survive, so the zeros are missing in front).

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
    found[:] = [zip5(_as_text(value)) for value in values]
    return found


def _as_text(value) -> str:
    if value is None or pd.isna(value):
        return ""
    if isinstance(value, (float, np.floating)):
        return f"{value:.0f}" if value.is_integer() else ""
    return str(value)


def match_ids(values: Sequence[object], unit_ids: Sequence[str]) -> np.ndarray:
    """Return the ids of units that values mean: as they stand, as pieces of divided ZIPs do, or as five-digit ZIPs.

    >>> match_ids(["10001-2", "10002-1234", 501], ["10001-1", "10001-2"]).tolist()
    ['10001-2', '10002', '00501']
    """
    texts = [None if value is None else str(value).strip() for value in values]
    known = pd.Series(texts, dtype=object).isin(set(unit_ids)).to_numpy()
    return np.where(known, np.array(texts, dtype=object), normalise_zip(values)).astype(object)


def zip5(text: str) -> str | None:
    """Return one ZIP as `normalise_zip` does.

    >>> zip5("100011234"), zip5("00501"), zip5("501.0"), zip5("K1A 0B1")
    ('10001', '00501', '00501', None)
    """
    if not (len(text) in (5, 9) and text.isascii() and text.isdigit()):  # nearly always it is one of the two
        match = _ZIP.fullmatch(_FILLING.sub("", text))
        if match is None or PIECE.fullmatch(text.strip()):
            return None
        text = match.group(1)
        text = text.zfill(9 if len(text) > 5 else 5)
    return text[:5] if text[:5] >= LOWEST_ZIP else None


class ZipFilter:
    """Which ZIPs are wanted: whole ones and beginnings such as ``112*``; none given wants all.

    Raises
    ------
    TerritoryError
        For a wish that is no ZIP.
    """

    def __init__(self, wishes: Sequence[str] = ()):
        beginnings = {wish.rstrip("*") for wish in wishes if wish.endswith("*")}
        whole = [wish for wish in wishes if not wish.endswith("*")]
        found = normalise_zip(whole)
        wrong = [wish for wish, code in zip(whole, found) if code is None]
        wrong += [f"{text}*" for text in beginnings if not (text.isdigit() and len(text) < 5)]
        if wrong:
            raise TerritoryError(
                f"These are no ZIP codes: {name_some(wrong)}. Write 10001, or 112* for all that begin so."
            )
        self.codes, self.beginnings = frozenset(found), tuple(sorted(beginnings))
        self.everything = not (self.codes or self.beginnings)

    def __call__(self, code: str | None) -> bool:
        """Answer whether a ZIP of five digits is wanted."""
        if self.everything:
            return True
        return code is not None and (code in self.codes or code.startswith(self.beginnings))


def locate_providers(
    zips: np.ndarray | None,
    unit_ids: Sequence[str],
    *,
    crosswalk: Mapping[str, str] | None = None,
    points: np.ndarray | None = None,
    polygons: np.ndarray | None = None,
    limit_km: float = 10.0,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Find the unit of each provider: by its ZIP, else by the crosswalk, else by where it stands.

    Parameters
    ----------
    zips : numpy.ndarray of object, shape (n,), optional
        Five-digit ZIPs, None where unreadable; without them all providers are placed by location.
    unit_ids : sequence of str, shape (u,)
    crosswalk : mapping of ZIP to unit id, optional
        For ZIPs without a polygon (PO boxes, single large receivers).
    points : numpy.ndarray of shapely points, shape (n,), optional
        Degrees on WGS84; None or empty where unknown.
    polygons : numpy.ndarray of shapely polygons, shape (u,), optional
        Degrees on WGS84; needed with `points`.
    limit_km : float
        How far the nearest polygon may be from a point that lies in none.

    Returns
    -------
    pandas.DataFrame, n rows
        ``unit`` : position in `unit_ids`, -1 when none; ``method`` : 'zip', 'crosswalk', 'inside', 'nearest'
        or ''; ``reason`` : why there is none.
    """
    n = len(points) if zips is None else len(zips)
    position = pd.Series(np.arange(len(unit_ids)), index=pd.Index(unit_ids, dtype=object))
    unit, method = np.full(n, -1), np.full(n, "", dtype=object)
    zips = np.full(n, None, dtype=object) if zips is None else zips

    def place(rows, found, how):
        hit = found >= 0
        unit[rows[hit]], method[rows[hit]] = found[hit], how

    rows = np.arange(n)
    place(rows, position.reindex(zips).fillna(-1).to_numpy(dtype=int), "zip")
    if crosswalk:
        rows = np.flatnonzero(unit < 0)
        units = pd.Series(zips[rows], dtype=object).map(crosswalk)
        place(rows, position.reindex(units.to_numpy(dtype=object)).fillna(-1).to_numpy(dtype=int), "crosswalk")
    stop_if(cancelled)
    if points is not None and len(polygons):
        tree = shapely.STRtree(polygons)
        placed = ~(shapely.is_missing(points) | shapely.is_empty(points))
        rows = np.flatnonzero((unit < 0) & placed)
        found = np.full(len(rows), -1)
        point_at, polygon_at = tree.query(points[rows], predicate="intersects")
        # a point on a shared border lies in both: the first by order of the layer has it
        found[point_at[::-1]] = polygon_at[::-1]
        place(rows, found, "inside")
        rows = np.flatnonzero((unit < 0) & placed)
        place(rows, nearest_polygons(points[rows], polygons, tree, limit_km, cancelled), "nearest")
    return pd.DataFrame({"unit": unit, "method": method, "reason": _reasons(zips, unit, points, limit_km)})


def nearest_polygons(points, polygons, tree, limit_km, cancelled=never) -> np.ndarray:
    """Return the polygon nearest to each point by ellipsoidal distance, -1 beyond the limit."""
    found = np.full(len(points), -1)
    for row, point in enumerate(points):
        stop_if(cancelled)
        north = limit_km / 110.0
        squeeze = max(np.cos(np.radians(point.y)), 0.01)
        box = shapely.box(point.x - north / squeeze, point.y - north, point.x + north / squeeze, point.y + north)
        near = np.sort(tree.query(box))
        if not len(near):
            continue
        # degrees of longitude are shorter than those of latitude: compare in a locally true scale
        scale = np.array([squeeze, 1.0])
        here = shapely.points(np.array([point.x, point.y]) * scale)
        lines = shapely.shortest_line(here, shapely.transform(polygons[near], lambda xy, scale=scale: xy * scale))
        ends = shapely.get_coordinates(shapely.get_point(lines, 1)) / scale
        distance = distance_km(np.broadcast_to([point.x, point.y], ends.shape), ends)
        best = int(np.argmin(distance))
        if distance[best] <= limit_km:
            found[row] = near[best]
    return found


def _reasons(zips, unit, points, limit_km) -> np.ndarray:
    reason = np.full(len(unit), None, dtype=object)
    for row in np.flatnonzero(unit < 0):
        place = f"ZIP {zips[row]} has no polygon" if zips[row] else "no ZIP can be read"
        if points is None or points[row] is None or points[row].is_empty:
            reason[row] = f"{place}, and the provider has no location"
        else:
            reason[row] = f"{place}, and no polygon lies within {limit_km:g} km"
    return reason


def sum_to_units(unit: np.ndarray, values: np.ndarray, units: int) -> tuple[np.ndarray, np.ndarray]:
    """Return how many providers each unit has and the sums of their values.

    Parameters
    ----------
    unit : numpy.ndarray of int, shape (n,)
        Position of the unit, -1 for none.
    values : numpy.ndarray of float, shape (n, m)
        NaN counts as nothing.
    units : int

    Returns
    -------
    counts : numpy.ndarray of int, shape (units,)
    sums : numpy.ndarray of float, shape (units, m)
    """
    placed = unit >= 0
    counts = np.bincount(unit[placed], minlength=units)
    known = np.nan_to_num(values[placed])
    sums = np.column_stack(
        [np.bincount(unit[placed], weights=column, minlength=units) for column in known.T] or [np.zeros((units, 0))]
    )
    return counts, sums
