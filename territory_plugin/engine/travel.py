"""Travel between units: minutes from an origin–destination table or over roads, else by straight distance."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import dijkstra

from .errors import Count, TerritoryError, name_some
from .geodesy import distance_km
from .progress import IsCancelled, Progress, ignore, never, stop_if
from .reps import Rep
from .tables.numbers import read_numbers
from .tables.zips import normalise_zip

TABLE, REVERSED, FILLED = 0, 1, 2
"""How the minutes of a pair are known: from the table, from its way back, or by straight distance."""

_BATCH = 16
# Shorter pairs say more of how places are snapped to roads than of travel.
_LEAST_KM = 0.5


@dataclass(frozen=True)
class TravelReport:
    """What an origin–destination table held.

    Attributes
    ----------
    rows, used : int
        Rows of the table, and pairs of units known from them.
    unknown : tuple of str
        Ids that are no unit of the market, in the order of the table.
    unknown_rows, own_rows, repeated_rows, unread_rows : int
        Rows left out: with such an id; from a unit to itself; of a pair that another row has in as many or fewer
        minutes; without minutes of at least 0.
    minutes_per_km : float
        By which straight distance becomes minutes where the table lacks a pair.
    from_table : bool
        Whether that is the table's own median.
    """

    rows: int = 0
    used: int = 0
    unknown: tuple[str, ...] = ()
    unknown_rows: int = 0
    own_rows: int = 0
    repeated_rows: int = 0
    unread_rows: int = 0
    minutes_per_km: float = 1.0
    from_table: bool = False

    def messages(self) -> list[str]:
        """Return what a person should know."""
        rows, pairs = Count(self.rows), Count(self.used)
        told = [f"Travel: {rows:row gives|rows give} the minutes of {pairs:pair|pairs} of units."]
        for count, does, what in (
            (self.unknown_rows, "row leads|rows lead", f"to or from what is no unit: {name_some(self.unknown)}"),
            (self.unread_rows, "row has|rows have", "no minutes"),
            (self.own_rows, "row leads|rows lead", "from a unit to itself"),
            (self.repeated_rows, "row repeats|rows repeat", "a pair; the fewest minutes count"),
        ):
            if count:
                told.append(f"{Count(count):{does}} {what}.")
        by = "the table's median" if self.from_table else "as given"
        told.append(f"Missing pairs take {self.minutes_per_km:.2f} minutes per km of straight distance ({by}).")
        return told


@dataclass(frozen=True)
class TravelMatrix:
    """Minutes from homes to units.

    Attributes
    ----------
    minutes : numpy.ndarray of float, shape (units, homes)
    way : numpy.ndarray of int8, shape (units, homes)
        `TABLE`, `REVERSED` or `FILLED`.
    """

    minutes: np.ndarray
    way: np.ndarray

    @property
    def filled(self) -> int:
        """Number of pairs that were missing."""
        return int((self.way == FILLED).sum())

    def message(self) -> str:
        """Return how many pairs were missing."""
        reverse = int((self.way == REVERSED).sum())
        return (
            f"Of {Count(self.way.size):pair|pairs} of home and unit {Count(self.filled):was|were} missing, filled by "
            f"straight distance; {Count(reverse):was|were} known the other way round."
        )


class TravelTimes:
    """Minutes between any two units; a pair not known takes its straight distance times minutes per km.

    Parameters
    ----------
    lonlat : numpy.ndarray, shape (n, 2)
        Centres of the units in degrees on WGS84.
    report : TravelReport
    origin, destination : numpy.ndarray of int, shape (p,)
        Known pairs, by position of the unit; each at most once.
    minutes : numpy.ndarray of float, shape (p,)
    beyond : float, optional
        A pair that is not known takes at least this many minutes, as when the table ends at a limit.
    """

    def __init__(self, lonlat, report, origin=(), destination=(), minutes=(), beyond: float = 0.0):
        self.lonlat, self.report, self.beyond = np.asarray(lonlat, dtype=float), report, beyond
        code = np.asarray(origin, dtype=np.int64) * len(self.lonlat) + np.asarray(destination, dtype=np.int64)
        order = np.argsort(code, kind="stable")
        self._code, self._minutes = code[order], np.asarray(minutes, dtype=float)[order]

    @classmethod
    def straight(cls, lonlat, minutes_per_km: float = 1.0) -> TravelTimes:
        """Return travel along straight lines, for want of a table."""
        return cls(lonlat, TravelReport(minutes_per_km=minutes_per_km))

    def between(self, origin, destination) -> tuple[np.ndarray, np.ndarray]:
        """Return the minutes from units to units, and how they are known.

        Parameters
        ----------
        origin, destination : array_like of int
            Positions of units, of shapes that broadcast.

        Returns
        -------
        minutes : numpy.ndarray of float
            0 from a unit to itself.
        way : numpy.ndarray of int8
            `TABLE`, `REVERSED` or `FILLED`.
        """
        origin, destination = np.broadcast_arrays(np.asarray(origin), np.asarray(destination))
        shape, origin, destination = origin.shape, origin.ravel(), destination.ravel()
        minutes, way = np.full(len(origin), np.nan), np.full(len(origin), FILLED, dtype=np.int8)
        n = len(self.lonlat)
        for how, code in ((REVERSED, destination * n + origin), (TABLE, origin * n + destination)):
            at = np.minimum(np.searchsorted(self._code, code), max(len(self._code) - 1, 0))
            found = self._code[at] == code if len(self._code) else np.zeros(len(code), dtype=bool)
            minutes[found], way[found] = self._minutes[at[found]], how
        missing = np.flatnonzero(way == FILLED)
        straight = distance_km(self.lonlat[origin[missing]], self.lonlat[destination[missing]])
        minutes[missing] = np.maximum(straight * self.report.minutes_per_km, self.beyond)
        same = origin == destination
        minutes[same], way[same] = 0.0, TABLE
        return minutes.reshape(shape), way.reshape(shape)

    def matrix(self, homes: Sequence[int], units: Sequence[int] | None = None) -> TravelMatrix:
        """Return the minutes from each home to each unit, by positions of units; all units if none are given."""
        units = np.arange(len(self.lonlat)) if units is None else np.asarray(units, dtype=int)
        return TravelMatrix(*self.between(np.asarray(homes, dtype=int)[None, :], units[:, None]))

    def reach(self, homes: Sequence[int], *, minutes: float | None = None, km: float | None = None) -> np.ndarray:
        """Return which units each home reaches within a limit of minutes, a straight radius, or both.

        Returns
        -------
        numpy.ndarray of bool, shape (units, homes)
        """
        homes = np.asarray(homes, dtype=int)
        reached = np.ones((len(self.lonlat), len(homes)), dtype=bool)
        if minutes is not None:
            reached &= self.matrix(homes).minutes <= minutes
        if km is not None:
            for at, home in enumerate(homes):
                reached[:, at] &= distance_km(self.lonlat, self.lonlat[[home]]) <= km
        return reached


def medoids(times: TravelTimes, territory: np.ndarray, workload: np.ndarray) -> list[int]:
    """Return the unit of each territory from which its workload is nearest: the least Σ workload × minutes².

    Parameters
    ----------
    times : TravelTimes
    territory : numpy.ndarray of int, shape (n,)
        0 to k - 1.
    workload : numpy.ndarray of float, shape (n,)

    Returns
    -------
    list of int, length k
        Positions of units; of equal ones the first.
    """
    found = []
    for at in range(int(territory.max()) + 1):
        inside = np.flatnonzero(territory == at)
        minutes = times.matrix(inside, inside).minutes
        weight = workload[inside] if workload[inside].any() else np.ones(len(inside))
        found.append(int(inside[np.argmin(np.einsum("uh,u->h", np.square(minutes), weight).round(6))]))
    return found


def rep_minutes(times: TravelTimes, units: Sequence[str], reps: Sequence[Rep]) -> tuple[pd.DataFrame, TravelMatrix]:
    """Return the minutes from the home of each rep who has one to each unit.

    Parameters
    ----------
    times : TravelTimes
        Of these units, in this order.
    units : sequence of str, length n
    reps : sequence of Rep

    Returns
    -------
    minutes : pandas.DataFrame
        Rows by unit, columns by rep id.
    matrix : TravelMatrix
        The same, with how each pair is known.
    """
    position = {unit: at for at, unit in enumerate(units)}
    settled = [rep for rep in reps if rep.home is not None]
    matrix = times.matrix([position[rep.home] for rep in settled])
    index = pd.Index(units, dtype=object)
    return pd.DataFrame(matrix.minutes, index=index, columns=[rep.id for rep in settled]), matrix


def read_travel(
    table: pd.DataFrame,
    units: Sequence[str],
    lonlat: np.ndarray,
    *,
    aliases: Mapping[str, str] | None = None,
    minutes_per_km: float | None = None,
    beyond: float = 0.0,
) -> TravelTimes:
    """Read an origin–destination table.

    Rows come in any order; a pair known one way only counts for both; of several rows of a pair the fewest
    minutes count; pairs that are missing take their straight distance times `minutes_per_km`.

    Parameters
    ----------
    table : pandas.DataFrame
        ``origin``, ``destination`` (unit ids, or ids of `aliases`; ZIPs as files write them) and ``minutes``.
    units : sequence of str, length n
    lonlat : numpy.ndarray, shape (n, 2)
        Centres of the units in degrees on WGS84.
    aliases : mapping of str to str, optional
        Other ids that stand for a unit: reps' ids for their home units.
    minutes_per_km : float, optional
        As detour factor × 60 / km/h; the table's own median if not given.
    beyond : float
        Least minutes of a missing pair: the limit of a table that ends at one.

    Raises
    ------
    TerritoryError
        When no row leads from unit to unit; minutes below 0 (but -1: no way), or all of them 0.
    """
    position = pd.Series(np.arange(len(units)), index=pd.Index(units, dtype=object))
    alias = {name: unit for name, unit in (aliases or {}).items() if unit in position.index}

    def locate(column):
        texts = pd.Series(pd.unique(column.dropna().astype(object)), dtype=object)
        texts.index = texts
        names = texts.map(lambda text: str(text).strip())
        names = names.map(lambda text: text if text in position.index else alias.get(text, text))
        codes = pd.Series(normalise_zip(names), index=names.index)
        names = names.where(names.isin(position.index) | ~codes.isin(position.index), codes)
        return column.map(names.map(position)).fillna(-1).to_numpy(dtype=int)

    origin, destination = locate(table["origin"]), locate(table["destination"])
    minutes = read_numbers(table["minutes"].to_numpy()).floats
    refuse_negative(table, minutes)
    strange = (origin < 0) | (destination < 0)
    unread = ~strange & ~(np.isfinite(minutes) & (minutes >= 0))
    own = ~strange & ~unread & (origin == destination)
    good = np.flatnonzero(~(strange | unread | own))
    unknown = pd.unique(pd.concat([table["origin"][origin < 0], table["destination"][destination < 0]]).astype(str))
    if not len(good):
        raise TerritoryError(
            "No row of the travel table leads from one unit to another in minutes: the ids differ. "
            f"Units are like {name_some(list(units)[:3])}; the table has {name_some(unknown[:3]) or 'no ids'}."
        )
    # the least minutes of a pair stand first
    order = good[np.lexsort((minutes[good], destination[good], origin[good]))]
    first = np.r_[True, (np.diff(origin[order]) != 0) | (np.diff(destination[order]) != 0)]
    pair = order[first]
    origin, destination, kept = origin[pair], destination[pair], minutes[pair]
    if not kept.any():
        raise TerritoryError(
            "All minutes of the travel table are 0, as if all units lay in one place: choose the column that holds the "
            "times, or leave the table out."
        )
    lonlat = np.asarray(lonlat, dtype=float)
    own_median = minutes_per_km is None
    if own_median:
        straight = distance_km(lonlat[origin], lonlat[destination])
        far = straight >= min(_LEAST_KM, float(straight.max()))
        far &= straight > 0
        if not far.any():
            raise TerritoryError(
                "The travel table has no pair of units that lie apart; state the minutes per km for missing pairs."
            )
        # where most pairs take no time, the median would put all that are missing in one place, too
        minutes_per_km = float(np.median(kept[far] / straight[far])) or float(kept.sum() / straight.sum())
    report = TravelReport(
        rows=len(table), used=len(pair), unknown=tuple(unknown), unknown_rows=int(strange.sum()),
        own_rows=int(own.sum()), repeated_rows=len(good) - len(pair), unread_rows=int(unread.sum()),
        minutes_per_km=minutes_per_km, from_table=own_median,
    )  # fmt: skip
    return TravelTimes(lonlat, report, origin, destination, kept, beyond)


def refuse_negative(table: pd.DataFrame, minutes: np.ndarray) -> None:
    """Raise where minutes are below 0, with the rows; -1 is how routing tools say that there is no way."""
    below = np.flatnonzero((minutes < 0) & (minutes != -1))
    if len(below):
        rows = (f"row {at + 1} ({table['origin'].iloc[at]} to {table['destination'].iloc[at]})" for at in below)
        raise TerritoryError(
            f"The travel table: minutes are below 0 at {name_some(rows)}. Correct these rows, or take them out."
        )


@dataclass(frozen=True)
class RoadGraph:
    """Roads as arrays: directed edges between vertices.

    Attributes
    ----------
    origin, destination : numpy.ndarray of int, shape (e,)
    minutes, km : numpy.ndarray of float, shape (e,)
        At least 0.
    vertices : int
    """

    origin: np.ndarray
    destination: np.ndarray
    minutes: np.ndarray
    km: np.ndarray
    vertices: int

    def quickest(
        self,
        origins: np.ndarray,
        destinations: np.ndarray,
        limit: float = np.inf,
        progress: Progress = ignore,
        cancelled: IsCancelled = never,
    ) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Yield for each origin its number, and minutes and km of the quickest way to each destination.

        Parameters
        ----------
        origins, destinations : numpy.ndarray of int
            Vertices.
        limit : float
            Minutes beyond which nothing is searched; what lies beyond is at infinity.

        References
        ----------
        Dijkstra, E. W. (1959), A note on two problems in connexion with graphs, Numerische Mathematik 1, 269-271.
        """
        code = self.origin.astype(np.int64) * self.vertices + self.destination
        order = np.lexsort((self.km, self.minutes, code))
        order = order[np.r_[True, np.diff(code[order]) != 0]] if len(order) else order
        code, km = code[order], self.km[order]
        # two places on one spot are joined by an edge of no length, which a sparse matrix would lose
        least = np.maximum(self.minutes[order], 1e-9)
        shape = (self.vertices, self.vertices)
        graph = csr_matrix((least, (self.origin[order], self.destination[order])), shape=shape)
        for start in range(0, len(origins), _BATCH):
            stop_if(cancelled)
            batch = origins[start : start + _BATCH]
            progress(start / max(len(origins), 1), f"Finding ways, {start:,} of {len(origins):,} origins done")
            minutes, before = dijkstra(graph, indices=batch, limit=limit, return_predecessors=True)
            for row in range(len(batch)):
                length = self._way_lengths(before[row], destinations, code, km)
                reached = minutes[row, destinations]
                yield start + row, reached, np.where(np.isfinite(reached), length, np.inf)

    def _way_lengths(self, before, destinations, code, km):
        """Return the lengths of the ways to destinations, all walked back together, edge by edge."""
        length, here = np.zeros(len(destinations)), destinations.copy()
        walking = np.flatnonzero(before[here] >= 0)
        while len(walking):
            last = before[here[walking]]
            at = np.searchsorted(code, last.astype(np.int64) * self.vertices + here[walking])
            length[walking] += km[at]
            here[walking] = last
            walking = walking[before[last] >= 0]
        return length
