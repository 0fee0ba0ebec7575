"""The reps table: any table or point layer with a row for each rep, all that is wrong with it said at once."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd
import shapely

from .accounts import match_inside
from .errors import Count, TerritoryError, name_some
from .reps import LOCKED, OPEN, Rep
from .tables import headers
from .tables.ids import is_damaged
from .tables.missing import is_nobody, known_text
from .tables.numbers import read_numbers
from .tables.yes_no import yes_no
from .tables.zips import fits_state, has_lost_zeros
from .unit_names import UnitNames

COLUMNS = {
    "id": ("rep_id", "repid", "rep_no", "rep_number", "id", "territory", "territory_id"),
    "name": ("name", "rep_name", "rep", "full_name", "person"),
    "home": ("home_zip", "home", "zip", "zip_code", "zipcode", "zip5", "postal_code", "home_unit", "unit"),
    "lon": ("lon", "lng", "long", "longitude", "home_lon", "home_longitude", "x"),
    "lat": ("lat", "latitude", "home_lat", "home_latitude", "y"),
    "share": ("share", "fte", "target_share"),
    "capacity": ("capacity", "target", "target_workload"),
    "minimum": ("min", "minimum", "min_workload", "minimum_workload", "capacity_min", "least"),
    "maximum": ("max", "maximum", "max_workload", "maximum_workload", "capacity_max", "most"),
    "locked": ("locked", "lock", "is_locked"),
    "must_have": ("must_have", "must_have_zips", "musthave", "must_haves"),
    "forbidden": ("forbidden", "forbidden_zips", "forbidden_states", "excluded", "exclude"),
}
"""Usual names of the columns of a reps table, the likeliest first; case, spaces and dashes do not matter."""

STATES = frozenset({"state", "st", "state_code", "home_state"})
"""Usual names of the column that short home ZIPs are held against."""


def find_columns(names: Sequence[str], given: Mapping[str, str] | None = None) -> dict[str, str]:
    """Return which column of a table holds what, by `COLUMNS`.

    Parameters
    ----------
    names : sequence of str
        The table's columns.
    given : mapping, optional
        Columns that the user named, by the keys of `COLUMNS`.

    Examples
    --------
    >>> find_columns(["Rep ID", "Home-ZIP", "FTE", "Phone"])
    {'id': 'Rep ID', 'home': 'Home-ZIP', 'share': 'FTE'}
    """
    return headers.find_columns(names, COLUMNS, given).found


def read_reps(
    table: pd.DataFrame,
    units: Sequence[str],
    *,
    polygons: np.ndarray | None = None,
    points: np.ndarray | None = None,
    regions: Mapping[str, Sequence[str | None]] | None = None,
    columns: Mapping[str, str] | None = None,
) -> tuple[list[Rep], list[str]]:
    """Read the reps of a table, each rule checked against the units of the market.

    A home is a ZIP among the units, else the unit that the rep's point (or latitude and longitude) lies in.
    Lists of ZIPs have commas, semicolons or blanks between them: whole ZIPs, beginnings (``112*``), the ZIP of a unit
    that was divided (all pieces of it), and names of regions (states also by their two letters). A rep without
    a name is a vacancy; without a column of names nobody is. ``share`` 0.5 or ``50 %`` is half a territory; a
    ``capacity`` counts as a share of the mean of all capacities given, and only where there is no share.

    Parameters
    ----------
    table : pandas.DataFrame, n rows
        Columns are found by their usual names (`COLUMNS`).
    units : sequence of str, length u
    polygons : numpy.ndarray of shapely polygons, shape (u,), optional
        Degrees on WGS84; needed for homes that are points.
    points : numpy.ndarray of shapely points or None, shape (n,), optional
        Degrees on WGS84.
    regions : mapping of str to sequence of length u, optional
        Region of each unit, by the name of the column: states, counties, sales regions. Their names have letters:
        digits are ZIPs.
    columns : mapping of str to str, optional
        Columns with unusual names, by the keys of `COLUMNS`.

    Returns
    -------
    reps : list of Rep
        In the order of the table.
    notes : list of str
        What a person should know that is no error.

    Raises
    ------
    TerritoryError
        With all that is wrong, one line each, reps named.
    """
    found = find_columns(list(table.columns), columns)
    lacking = [name for name in found.values() if name not in table.columns]
    if lacking or "id" not in found:
        what = f"no column “{lacking[0]}”" if lacking else f"no column of ids ({', '.join(COLUMNS['id'])})"
        raise TerritoryError(f"The reps table has {what}; it has {', '.join(map(str, table.columns))}.")
    return _Reader(table, found, list(units), polygons, points, regions or {}).read()


class _Reader:
    """Reads one table, and gathers what is wrong with it."""

    def __init__(self, table, found, units, polygons, points, regions):
        self.size = len(table)
        self.cells = {role: list(table[name]) for role, name in found.items()}
        self.text = {role: [known_text(value) for value in cells] for role, cells in self.cells.items()}
        state = next((name for name in table.columns if headers.plain_header(str(name)) in STATES), None)
        self.states = [known_text(value) for value in table[state]] if state else None
        self.column, self.units, self.regions = found, units, regions
        self.polygons, self.points = polygons, points
        self.names = UnitNames(units, regions)
        self.wrong: list[str] = []
        self.notes: list[str] = []

    def read(self):
        ids = self.ids()
        self.labels = [name or f"row {row + 1}" for row, name in enumerate(ids)]
        homes = self.homes()
        minimum, maximum = self.numbers("minimum"), self.numbers("maximum")
        must_have = self.lists("must_have", "must have")
        forbidden = self.lists("forbidden", "may not have")
        share, locked, names = self.shares(), self.locked(), self.person_names(ids)
        self.check_limits(minimum, maximum)
        self.check_claims(homes, must_have, forbidden)
        if self.wrong:
            raise TerritoryError("The reps table cannot be used as it is:\n" + "\n".join(self.wrong))
        if vacancies := [name for name, person in zip(ids, names) if not person]:
            self.notes.append(f"Vacant territories ({len(vacancies):,}): {name_some(vacancies)}.")
        reps = [
            Rep(*row) for row in zip(ids, names, homes, share.tolist(), minimum, maximum, locked, must_have, forbidden)
        ]
        return reps, self.notes

    def texts(self, role):
        return self.text.get(role) or [None] * self.size

    def complain(self, rows, what):
        """Note what is wrong with some reps, and the way out."""
        if rows:
            self.wrong.append(f"{name_some(rows)}: {what}")

    def ids(self):
        ids = self.texts("id")
        self.complain(
            [f"row {row + 1} (“{name}”)" for row, name in enumerate(ids) if is_damaged(name)],
            f"a spreadsheet has spoilt the id in “{self.column['id']}”. Export the table with that column as text.",
        )
        self.complain(
            [f"row {row + 1}" for row, name in enumerate(ids) if name is None],
            f"no id in “{self.column['id']}”. Give every rep one: it names the territory.",
        )
        repeated = sorted(name for name, count in Counter(filter(None, ids)).items() if count > 1)
        self.complain(repeated, f"the id occurs more than once in “{self.column['id']}”. Each rep is one row.")
        return ids

    def person_names(self, ids):
        if "name" not in self.column or self.column["name"] == self.column["id"]:
            return ids
        return ["" if is_nobody(name) else name for name in self.texts("name")]

    def locked(self):
        locked, unread = [], []
        for label, text in zip(self.labels, self.texts("locked")):
            answer = yes_no(text, yes=LOCKED, no=OPEN)
            locked.append(bool(answer))
            if answer is None:
                unread.append(f"{label} (“{text}”)")
        self.complain(unread, f"“{self.column.get('locked')}” is neither yes nor no. Write yes, no or nothing.")
        return locked

    # ------------------------------------------------------------------ numbers

    def numbers(self, role, percent=False):
        """Return the numbers of a column, None where empty."""
        cells, column = self.cells.get(role) or [None] * self.size, f"“{self.column.get(role)}”"
        found = read_numbers(cells, percent=percent, called=column)
        if found.contradiction:
            self.wrong.append(f"{column}: {found.contradiction}. Write all numbers of the column in one way.")
        self.complain(
            [f"{self.labels[row]} (“{cells[row]}”)" for row in found.unread],
            f"{column} is no number. Correct it or leave it empty.",
        )
        self.notes += found.notes
        return [float(value) if np.isfinite(value) else None for value in found.floats]

    def shares(self):
        share, capacity = self.numbers("share", percent=True), self.numbers("capacity")
        way_out = "must be above 0. Take out a rep who carries nothing, or lock the territory."
        for role, values in (("share", share), ("capacity", capacity)):
            self.complain(
                [
                    f"{label} ({value:g})"
                    for label, value in zip(self.labels, values)
                    if value is not None and value <= 0
                ],
                f"“{self.column.get(role)}” {way_out}",
            )
        given = np.array([np.nan if value is None else value for value in capacity], dtype=float)
        used = [label for label, one, other in zip(self.labels, share, capacity) if one is None and other is not None]
        both = [label for label, one, other in zip(self.labels, share, capacity) if None not in (one, other)]
        out = np.array([np.nan if value is None else value for value in share], dtype=float)
        if used:
            mean = float(np.nanmean(given))
            out = np.where(np.isnan(out), given / mean, out)
            self.notes.append(
                f"“{self.column['capacity']}” of {Count(len(used)):rep|reps} counts as a share of its mean, "
                f"{mean:,.2f}."
            )
        if both:
            self.notes.append(
                f"{name_some(both)}: “{self.column['share']}” counts, “{self.column['capacity']}” beside it does not."
            )
        return np.where(np.isnan(out), 1.0, out)

    def check_limits(self, minimum, maximum):
        pairs = list(zip(self.labels, minimum, maximum))
        below = [name for name, *limits in pairs for value in limits if value is not None and value < 0]
        self.complain(below, "a least or most workload is negative.")
        self.complain(
            [
                f"{name} ({least:g} > {most:g})"
                for name, least, most in pairs
                if None not in (least, most) and least > most
            ],
            "the least workload is above the most. Exchange or correct them.",
        )

    # ------------------------------------------------------------------ places

    def homes(self):
        """Return the home unit of each rep, None where nothing is said."""
        at, broken = self.units_of_points()
        homes, unknown, divided, outside = [], [], [], []
        for row, text in enumerate(self.texts("home")):
            placed = self.units[at[row]] if at[row] >= 0 else None
            unit, pieces = self.names.unit(text) if text else (None, [])
            if unit is not None and self.states and has_lost_zeros(text) and not fits_state(unit, self.states[row]):
                unit, pieces = None, []  # 7701 in Texas is not 07701, which is in New Jersey
            if unit is None and pieces and placed is None:
                divided.append(f"{self.labels[row]} ({text}: {name_some(pieces)})")
            elif unit is None and text and placed is None:
                unknown.append(f"{self.labels[row]} ({text})")
            elif unit is None and at[row] == -1:
                outside.append(self.labels[row])
            homes.append(unit or placed)
        self.complain(broken, "latitude and longitude are not a place in degrees, or one of them is missing.")
        self.complain(
            unknown,
            "the home ZIP is no unit of the market. Give a ZIP of the market or the home's coordinates, add its ZIP "
            "to the units, or leave the home empty.",
        )
        self.complain(
            outside,
            "the home lies in no unit of the market. Move the point into a unit, add the units around it, or leave "
            "the home empty.",
        )
        self.complain(divided, "the home ZIP is divided. Give the piece, or the home's coordinates.")
        return homes

    def units_of_points(self):
        """Return the unit that each rep's point lies in, -1 outside, -2 without a point; and reps with half a place."""
        points = np.full(self.size, None, dtype=object)
        if self.points is not None:
            points[:] = [None if point is None or point.is_empty else point for point in self.points]
        broken = []
        longitude, latitude = (read_numbers(self.cells.get(role, [None] * self.size)).floats for role in ("lon", "lat"))
        for row, pair in enumerate(zip(self.texts("lon"), self.texts("lat"))):
            if points[row] is not None or pair == (None, None):
                continue
            lon, lat = longitude[row], latitude[row]
            if abs(lon) <= 180 and abs(lat) <= 90:
                points[row] = shapely.Point(lon, lat)
            else:
                broken.append(self.labels[row])
        placed = ~shapely.is_missing(points)
        at = np.where(placed, -1, -2)
        if placed.any() and self.polygons is not None and len(self.polygons):
            row, unit = match_inside(points, np.asarray(self.polygons, dtype=object))
            at[row] = unit
        return at, broken

    def lists(self, role, what):
        """Return the units that each rep's list of ZIPs and regions means."""
        out, unknown, elsewhere = [], [], []
        for row, text in enumerate(self.texts(role)):
            units, strange, outside = self.names.units(text)
            unknown += [f"{self.labels[row]} ({word})" for word in strange]
            elsewhere += [f"{self.labels[row]} ({word})" for word in outside]
            out.append(units)
        regions = f"a region in {name_some(self.regions)}" if self.regions else "a region (no region column is given)"
        self.complain(
            unknown,
            f"what the rep {what} is no ZIP, and not {regions}. Write 10001, 112* or a region: three digits need their "
            "*, and a county its name, or a column of the units that holds its FIPS code.",
        )
        if role == "must_have":
            self.complain(elsewhere, f"what the rep {what} is not in the market. Take it out, or add it to the units.")
        elif elsewhere:
            self.notes.append(f"Forbidden, but not in the market anyway: {name_some(elsewhere)}.")
        return out

    def check_claims(self, homes, must_have, forbidden):
        """Complain of units that rules give to two reps, or give and forbid."""
        shared = {unit for unit, count in Counter(filter(None, homes)).items() if count > 1}
        self.complain(
            [
                f"{unit} ({name_some(n for n, home in zip(self.labels, homes) if home == unit)})"
                for unit in sorted(shared)
            ],
            "two reps live in one ZIP, which is in one territory only. Move one home to a neighbouring ZIP, or leave "
            "it out.",
        )
        holders: dict[str, list[str]] = {}
        for label, home, units in zip(self.labels, homes, must_have):
            for unit in units | ({home} - {None}):
                holders.setdefault(unit, []).append(label)
        wanted = {unit: who for unit, who in holders.items() if len(who) > 1 and unit not in shared}
        self.complain(
            [f"{unit} ({name_some(who)})" for unit, who in sorted(wanted.items())],
            "several reps must have (or live in) one ZIP, which is in one territory only. Leave it to one of them.",
        )
        rules = list(zip(self.labels, homes, must_have, forbidden))
        self.complain(
            [f"{label} ({home})" for label, home, _, no in rules if home in no],
            "the home is forbidden to its own rep. Take its ZIP or region out of the forbidden ones.",
        )
        self.complain(
            [f"{label} ({name_some(sorted(yes & no), 3)})" for label, _, yes, no in rules if yes & no],
            "a ZIP is both a must-have and forbidden. Take it out of one list.",
        )
