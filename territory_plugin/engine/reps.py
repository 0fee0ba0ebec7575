"""The reps of a sales force: where they live, what they can carry, what they must or may not have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np
import pandas as pd
import shapely

from .accounts import match_inside
from .errors import Count, TerritoryError, name_some
from .geodesy import distance_km
from .tables import headers
from .tables.ids import examples_of_both, is_damaged, match_ids
from .tables.missing import is_nobody, known_text
from .tables.names import natural
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
LOCKED, OPEN = frozenset({"locked", "lock"}), frozenset({"open", "unlocked", "free"})
"""Further words for yes and no in a column of locks."""


@dataclass(frozen=True)
class Rep:
    """One rep, or a vacancy that a territory is kept for.

    Attributes
    ----------
    id : str
        Names the rep's territory.
    name : str
        Of the person; empty for a vacancy.
    home : str or None
        Unit that the rep lives in; it stays in the rep's territory, and travel is measured from it.
    share : float
        Capacity against that of a full-time rep, e.g. 0.5 for half a week.
    minimum, maximum : float or None
        Limits of the territory's workload that replace the tolerance.
    locked : bool
        The territory stays exactly as it is today.
    must_have, forbidden : frozenset of str
        Units that are, or may not be, in the territory.
    """

    id: str
    name: str = ""
    home: str | None = None
    share: float = 1.0
    minimum: float | None = None
    maximum: float | None = None
    locked: bool = False
    must_have: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    @property
    def vacant(self) -> bool:
        """Whether nobody holds the territory."""
        return not self.name


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


def follow_today(
    reps: Sequence[Rep], current: Mapping[str, str | None], other_ids: Mapping[str, Sequence[str | None]] | None = None
) -> tuple[list[Rep], list[str]]:
    """Return reps under the names that their territories have today, and what is to be told of that.

    Tables write ids in several ways: a spreadsheet has taken zeros away (101 for 0101), or one table has ids and the
    other names. The column that fits most of today's territories names the reps; zeros count as lost only where one rep
    and one territory fit.

    Parameters
    ----------
    reps : sequence of Rep
    current : mapping of str to str or None
        Today's territory by unit.
    other_ids : mapping of str to sequence of str or None, optional
        Further columns of the table that may name territories, one value for each rep; the reps' names are tried, too.

    Raises
    ------
    TerritoryError
        Where fewer than half of the reps or of today's territories, whichever are fewer, belong together.

    Examples
    --------
    >>> reps, notes = follow_today([Rep("101", "Ada"), Rep("102", "Ben")], {"60601": "0101", "60602": "0102"})
    >>> [rep.id for rep in reps]
    ['0101', '0102']
    """
    today = sorted({name for name in current.values() if name}, key=natural)
    if not today or not reps:
        return list(reps), []
    columns = {"id": [rep.id for rep in reps], "name": [rep.name or None for rep in reps], **(other_ids or {})}
    matchings = {
        column: match_ids([value for value in values if value], today)
        for column, values in columns.items()
        if len({value for value in values if value}) == sum(value is not None for value in values)
    }
    best = max(matchings, key=lambda column: len(matchings[column].found))
    matching = matchings[best]
    if 2 * len(matching.found) < min(len(reps), len(today)):
        ours, theirs = examples_of_both(columns["id"], today)
        raise TerritoryError(
            f"The reps and today's territories do not belong together: {Count(len(matching.found)):rep fits|reps fit} "
            f"one of {Count(len(today)):territory|territories}. Reps are like {ours}; territories like {theirs}. Give "
            "the reps' table a column with the territories' names, or leave the reps or today's alignment out."
        )
    followed = [
        replace(rep, id=matching.found.get(value, rep.id), name=rep.name) for rep, value in zip(reps, columns[best])
    ]
    notes = []
    if best != "id":
        notes.append(f"Reps are matched to today's territories by the column of the {best}, as their ids fit fewer.")
    if matching.zeros:
        shown = name_some(f"{name} is {matching.found[name]}" for name in matching.zeros)
        notes.append(f"Zeros in front were lost in {Count(len(matching.zeros)):id|ids} of reps: {shown}.")
    fresh = [rep.id for rep, value in zip(reps, columns[best]) if value not in matching.found]
    if fresh and matching.without:
        notes.append(
            f"Reps without a territory today: {name_some(fresh)}; territories of today without a rep: "
            f"{name_some(matching.without)}. If they are the same, write them alike."
        )
    return followed, notes


def read_locks(
    units: Sequence[str], wishes: Sequence[str | None], current: Mapping[str, str | None], reps: Sequence[Rep] = ()
) -> dict[str, str]:
    """Return the rep that each locked unit stays with.

    Parameters
    ----------
    units : sequence of str, length n
    wishes : sequence of str or None, length n
        The id of a rep or of a territory of today; yes for that of today; no or nothing for free units.
    current : mapping of str to str or None
        Today's territory by unit.
    reps : sequence of Rep

    Raises
    ------
    TerritoryError
        For locks that mean nobody, and for units that are locked where they are although they are nobody's today.
    """
    names = {rep.id for rep in reps} or {name for name in current.values() if name}
    locked, nobody, unknown = {}, [], {}
    for unit, wish in zip(units, wishes):
        text = "" if wish is None else str(wish).strip()
        if text in names:
            locked[unit] = text
            continue
        answer = yes_no(text, yes=LOCKED, no=OPEN)
        if answer is None:
            unknown[text] = unit
        elif not answer:
            continue
        elif current.get(unit):
            locked[unit] = current[unit]
        else:
            nobody.append(unit)
    complaints = []
    if unknown:
        named = name_some(f"“{text}” ({unit})" for text, unit in sorted(unknown.items()))
        complaints.append(
            f"Locks must be yes, no or one of {name_some(sorted(names)) or 'the reps, of whom there are none'}; "
            f"not {named}. Correct them, or add the rep."
        )
    if nobody:
        complaints.append(
            f"Units {name_some(nobody)} are locked where they are, but have no territory today: choose the field with "
            "today's territories, or name the rep in the lock."
        )
    if complaints:
        raise TerritoryError("\n".join(complaints))
    return locked


def reps_of(current: Mapping[str, str | None], territories: int | None = None) -> list[Rep]:
    """Return a rep for each of today's territories, and further ones up to a number of territories.

    >>> [rep.id for rep in reps_of({"10001": "North", "10002": "South"}, 3)]
    ['North', 'South', 'New 1']
    """
    names = sorted({name for name in current.values() if name}, key=natural)
    if territories is not None and territories < len(names):
        raise TerritoryError(
            f"Today has {Count(len(names)):territory|territories}, and {Count(territories):is|are} asked for: "
            f"to merge or remove "
            "some, use “Rebalance territories”."
        )
    fresh = (f"New {at}" for at in count(1))
    more = (name for name in fresh if name not in names)
    return [Rep(name, name) for name in [*names, *islice(more, (territories or len(names)) - len(names))]]


def require_one_each(reps: Sequence[Rep], territories: int) -> None:
    """Refuse more or fewer territories than reps."""
    if len(reps) != territories:
        raise TerritoryError(
            f"{Count(len(reps)):rep is|reps are} given and {Count(territories):territory|territories} asked "
            f"for: leave the number "
            "empty, or add vacancies (rows without a name) to the reps."
        )


def share_heavy_units(
    reps: Sequence[Rep], units: Sequence[str], workload: np.ndarray, lonlat: np.ndarray, tolerance: float
) -> tuple[list[Rep], list[str]]:
    """Return reps of whom those that a heavy unit takes are one team, with one territory and all their capacity.

    A unit that outweighs the largest rep's target needs several reps: the one who lives there, then those without a
    home, then those who live nearest, until their capacities carry it. What they have left is filled up around.

    Parameters
    ----------
    reps : sequence of Rep
    units : sequence of str, length n
    workload : numpy.ndarray of float, shape (n,)
    lonlat : numpy.ndarray of float, shape (n, 2)
        Degrees on WGS84.
    tolerance : float

    Returns
    -------
    reps : list of Rep
    messages : list of str
        Which units are shared between whom.
    """
    position = {unit: at for at, unit in enumerate(units)}
    target = float(workload.sum()) / sum(rep.share for rep in reps)
    free = [rep for rep in reps if not rep.locked]
    if not free:
        return list(reps), []
    most = (1 + tolerance) * target
    heavy = np.flatnonzero(workload > most * max(rep.share for rep in free))
    teams, messages = [], []
    for at in sorted(heavy.tolist(), key=lambda at: (-workload[at], units[at])):
        unit = units[at]
        homes = [position.get(rep.home, -1) for rep in free]
        far = distance_km(lonlat[np.maximum(homes, 0)], lonlat[[at]])
        rank = [(home != at and unit not in rep.must_have, home >= 0, km) for rep, home, km in zip(free, homes, far)]
        order = sorted(range(len(free)), key=lambda index: (*rank[index], index))
        team, carried = [], 0.0
        for index in order:
            if carried >= workload[at] or len(free) - len(team) <= 1:
                break
            team.append(free[index])
            carried += most * free[index].share
        if len(team) < 2:
            continue
        free = [rep for rep in free if rep not in team]
        teams.append((team, _team(team, unit)))
        messages.append(f"{unit} holds {workload[at] / target:.2f} targets: {teams[-1][1].id} share it.")
    member = {rep.id: joined for team, joined in teams for rep in team}
    result = []
    for rep in reps:
        joined = member.get(rep.id, rep)
        if joined not in result:
            result.append(joined)
    return result, messages


def _team(members: Sequence[Rep], unit: str) -> Rep:
    """Return several reps as one."""
    least, most = [rep.minimum for rep in members], [rep.maximum for rep in members]
    return Rep(
        id=" + ".join(rep.id for rep in members),
        name=" + ".join(rep.name for rep in members if rep.name),
        home=unit if any(rep.home == unit for rep in members) else None,
        share=sum(rep.share for rep in members),
        minimum=None if None in least else sum(least),
        maximum=None if None in most else sum(most),
        must_have=frozenset({unit}).union(*(rep.must_have for rep in members)),
        forbidden=frozenset.intersection(*(rep.forbidden for rep in members)),
    )
