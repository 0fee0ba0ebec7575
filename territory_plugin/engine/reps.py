"""The reps of a sales force: who they are, what they hold today, and who shares a unit that is too heavy for one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import count, islice

import numpy as np

from .errors import Count, TerritoryError, name_some
from .geodesy import distance_km
from .tables.ids import examples_of_both, match_ids
from .tables.names import natural
from .tables.yes_no import yes_no

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
