"""What territories may hold of a stretch of the map, wherever their border runs: all pieces of it, listed.

A territory that meets some units lies among them, or leaves there pieces that reach their border.

Units with next to no workload are left out: what lies beside a set may belong to it, and units that touch through them
count as touching, which only allows more; many of them together count as what lies beyond. A unit without workload
stays in where others touch through it alone: two territories cannot both pass there.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from dataclasses import dataclass, replace

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array
from scipy.sparse.csgraph import connected_components

from .covering import consistent, exact_cover
from .listing import as_rows, is_connected, list_connected, units_in
from .problem import Problem
from .watch import Watch

CLOSE = 1e-9
CRUMB = 0.005
"""Units that hold no more of a target than this are left out."""
VAST = 60
"""Connected parts with more of them count as what lies beyond."""
HEAVY = 8.0
"""So many doors to the units around may a unit have more when it weighs a target: few sets hold a heavy one."""
WHOLE, MOST_NODES = 300, 50
"""Pieces up to which whole ones are chosen, and the branches of that; above, fractions."""
MOST_TRIED = 5_000
"""Pieces that are tried, one upon the other, before a program is asked."""
SECONDS = 20.0
FOUND = 4
"""Of so many connected sets that may be looked at, one may be a piece."""


@dataclass(frozen=True)
class Pieces:
    """What territories may hold of some units.

    Attributes
    ----------
    units : list of int
        The heaviest first, those without workload last.
    loaded : int
        Those with workload, which have to be in one piece; the others are in one at most.
    sets : ndarray of bool, shape (pieces, units)
    deviation : ndarray of float, shape (pieces,)
        How far off a territory with such a piece is at least, as a share of the target.
    grows : ndarray of bool, shape (pieces,)
        Whether it reaches the border: the territory may hold more.
    spare : ndarray of bool, shape (pieces,)
        Whether it may go to a territory that exists for a heavy unit instead.
    """

    units: list[int]
    loaded: int
    sets: np.ndarray
    deviation: np.ndarray
    grows: np.ndarray
    spare: np.ndarray

    def within(self, tolerance: float) -> Pieces:
        """Return those of territories within a tolerance that may be part of a cover of the units."""
        near = np.flatnonzero(self.deviation <= tolerance + CLOSE)
        near = near[consistent(self.sets[near], self.loaded)]
        return self.some(near)

    def without(self, at: int) -> Pieces:
        """Return the same but for a unit with workload, which may then be in any number of pieces."""
        sets = np.delete(self.sets, at, axis=1)
        _, first = np.unique(np.packbits(sets, axis=1), axis=0, return_index=True)
        left = replace(self, units=self.units[:at] + self.units[at + 1 :], loaded=self.loaded - 1, sets=sets)
        return left.some(first[sets[first, : left.loaded].any(axis=1)])

    def some(self, rows: np.ndarray) -> Pieces:
        """Return some of the pieces."""
        kept = {name: getattr(self, name)[rows] for name in ("sets", "deviation", "grows", "spare")}
        return replace(self, **kept)

    def may_cover(self, tolerance: float, watch: Watch) -> bool:
        """Answer whether pieces of territories within a tolerance cover the units, each once, for all that is known."""
        sets = self.within(tolerance).sets
        if not len(sets):
            return False
        bits = [int.from_bytes(row.tobytes(), "little") for row in np.packbits(sets, axis=1, bitorder="little")]
        covered = exact_cover(bits, self.loaded, MOST_TRIED)
        if covered is not None:
            return covered
        found = milp(
            np.zeros(len(sets)),
            constraints=LinearConstraint(csr_array(sets.T.astype(float)), np.arange(len(self.units)) < self.loaded, 1),
            integrality=np.full(len(sets), int(len(sets) <= WHOLE)),
            bounds=Bounds(0, 1),
            options={"node_limit": MOST_NODES, "time_limit": watch.remaining(SECONDS)},
        )
        return found.status != 2


class Surroundings:
    """The units of one region whose territories are alike but for oversize ones, as pieces of territories see them.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    target : float
        Of each territory but oversize ones.
    open : list of bool
        Whether a unit has to be in one piece.
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        usual = np.flatnonzero(~problem.oversize)
        self.target = float(problem.target[usual[0]])
        self.workload = problem.workload.tolist()
        free = problem.fixed < 0
        self.open = (free & (problem.workload > CRUMB * self.target)).tolist()
        self.crumb = (free & (problem.workload > 0) & (problem.workload <= CRUMB * self.target)).tolist()
        empty = (free & (problem.workload == 0)).tolist()
        self.passes = [is_empty and self._parts(unit) for unit, is_empty in enumerate(empty)]
        self._vast = self._in_vast_parts(free & ~np.array(self.open) & ~np.array(self.passes)).tolist()
        # what a territory that exists for a heavy unit may take beside it
        _, high = problem.limits(problem.tolerance)
        held = np.bincount(np.maximum(problem.fixed, 0), problem.workload * (problem.fixed >= 0), problem.territories)
        self.spare = np.where(problem.oversize, high - held, 0.0)
        self._near: dict[int, tuple[set[int], bool, set[int], bool]] = {}

    def few_doors(self, first: Collection[int], beyond: Collection[int] = ()) -> Iterator[int]:
        """Yield units around some, so that few light ones are left on the border, where pieces are many.

        Parameters
        ----------
        first : collection of int
        beyond : collection of int
            Units that are left out.
        """
        inside = set(first)
        rim = set().union(*(self.near(unit)[0] for unit in first)).difference(inside, beyond)
        while rim:
            doors = {each: len(self.near(each)[0] - inside) - HEAVY * self.workload[each] / self.target for each in rim}
            unit = min(rim, key=lambda each: (doors[each], each))
            inside.add(unit)
            rim |= self.near(unit)[0]
            rim -= inside.union(beyond)
            yield unit

    def rings(self, first: Collection[int], beyond: Collection[int] = ()) -> Iterator[int]:
        """Yield units around some, the nearest first; parameters as of `few_doors`."""
        known, queue = {*first, *beyond}, list(first)
        for each in queue:
            if each not in first:
                yield each
            fresh = sorted(self.near(each)[0] - known, key=lambda other: (-self.workload[other], other))
            queue += fresh
            known.update(fresh)

    def near(self, unit: int) -> tuple[set[int], bool, set[int], bool]:
        """Return what a unit touches, directly or through what is left out.

        Returns
        -------
        near : set of int
            Units that are not left out.
        heavy : bool
            Whether it touches units that are fixed.
        crumbs : set of int
            Units with next to no workload.
        vast : bool
            Whether it touches a large part of the map that is left out.
        """
        if unit not in self._near:
            problem = self.problem
            found, heavy, vast, passed, stack = set(), False, False, set(), [unit]
            while stack:
                for other in problem.neighbours[stack.pop()]:
                    if problem.fixed[other] >= 0:
                        heavy = True
                    elif self.open[other] or self.passes[other]:
                        found.add(other)
                    elif self._vast[other]:
                        vast = True
                    elif other not in passed:
                        passed.add(other)
                        stack.append(other)
            self._near[unit] = found - {unit}, heavy, {other for other in passed if self.crumb[other]}, vast
        return self._near[unit]

    def _in_vast_parts(self, left_out: np.ndarray) -> np.ndarray:
        """Return which units are in connected parts of many that are left out: these count as what lies beyond."""
        first, second = self.problem.contacts.T
        inside = left_out[first] & left_out[second]
        pairs = (np.ones(int(inside.sum())), (first[inside], second[inside]))
        _, part = connected_components(csr_array(pairs, shape=(len(left_out), len(left_out))), directed=False)
        return left_out & (np.bincount(part)[part] > VAST)

    def _parts(self, unit: int) -> bool:
        """Answer whether those around a unit, all with workload, touch each other through it only."""
        around = {each for each in self.problem.neighbours[unit] if self.problem.fixed[each] < 0}
        if len(around) < 2 or not all(self.open[each] for each in around):
            return False
        reached = [min(around)]
        for each in reached:
            reached += sorted(around.intersection(self.problem.neighbours[each]).difference(reached))
        return len(reached) < len(around)

    def pieces(self, inside: Collection[int], tolerance: float, most: int) -> Pieces | None:
        """Return what territories within a tolerance may hold of some units; None if there is too much to look at.

        Parameters
        ----------
        inside : collection of int
        tolerance : float
        most : int
            Connected sets that are looked at; a quarter as many pieces are returned at most.
        """
        order = sorted(inside, key=lambda unit: (-self.workload[unit], unit))
        place = {unit: at for at, unit in enumerate(order)}
        loaded = sum(self.open[unit] for unit in order)
        near = [self.near(unit) for unit in order]
        around = [sum(1 << place[other] for other in touched if other in place) for touched, *_ in near]
        border = sum(1 << at for at, (touched, *_, vast) in enumerate(near) if vast or not touched <= place.keys())
        beside = sum(1 << at for at, (_, heavy, *_) in enumerate(near) if heavy)
        crumbs = sorted(set().union(*(few for _, _, few, _ in near)))
        lies_by = np.array([[each in few for each in crumbs] for _, _, few, _ in near], dtype=float)
        extra = np.array([self.workload[each] for each in crumbs])
        workload = [self.workload[unit] for unit in order]
        low, high = self.target * (1 - tolerance), self.target * (1 + tolerance)
        room = float(self.spare.max()) * (1 + CLOSE)
        listed, *_ = list_connected(
            *(around, workload, (low - extra.sum()) * (1 - CLOSE), high * (1 + CLOSE), most, border, beside, room),
            enough=most // FOUND,
        )
        if listed is None:
            return None
        sets = as_rows(listed, len(order))
        load = sets @ np.array(workload)
        grows, spare = sets @ _truths(border, len(order)), sets @ _truths(beside, len(order)) & (load <= room)
        at_most = np.where(grows | spare, np.maximum(load, self.target), load + (sets @ lies_by > 0) @ extra)
        deviation = np.maximum.reduce([load / self.target - 1, 1 - at_most / self.target, np.zeros(len(load))])
        counts = sets[:, :loaded].any(axis=1) & (deviation <= tolerance + CLOSE)
        for at in np.flatnonzero(counts & sets[:, loaded:].any(axis=1)).tolist():
            # what a pass adds that a set does not need, another one may have
            spared = (listed[at] >> loaded << loaded) & ~border & ~(beside if load[at] <= room else 0)
            counts[at] = not any(is_connected(listed[at] ^ 1 << way, around) for way in units_in(spared))
        return Pieces(order, loaded, sets, deviation, grows, spare).some(counts)


def _truths(bits: int, count: int) -> np.ndarray:
    """Return bits as truth values, shape (count,)."""
    return as_rows([bits], count)[0]
