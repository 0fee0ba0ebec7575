"""Pockets of the map that cannot be cut into territories within the tolerance, wherever their border runs.

All pieces are listed that territories within the tolerance may hold of some units (`surroundings`). When no choice of
them, not even of fractions of them, covers each unit once, a territory that meets them is outside, in every plan. The
pocket grows around a heavy unit until that is so, and on, as long as a larger one forces more, or until there are too
many pieces.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np

from .objective import WorkingPartition
from .problem import Problem
from .surroundings import CLOSE, Pieces, Surroundings
from .watch import Watch

GROWTH = 1.3
"""A pocket is asked about again when it has grown by this."""
LITTLE = 1e-6
"""A little less than what there is: so that what there is proves to be the best."""
FEW_PIECES = 3_000
"""Pieces that are listed while the search goes on."""
FARTHER = 0.02
"""A territory that is farther off than what is proven, by more than this share of the target, is not accounted for."""


@dataclass(frozen=True)
class Pocket:
    """Units that some territory has to miss its target for.

    Attributes
    ----------
    units : tuple of int
        Those with workload.
    bound : float
        In every plan a territory with some of these units is at least so far from the target (share of it).
    """

    units: tuple[int, ...]
    bound: float

    def meets(self, assignment: Sequence[int], territory: int) -> bool:
        """Answer whether a territory has some of the units."""
        return any(assignment[unit] == territory for unit in self.units)


class Pockets:
    """The search for pockets in one region whose territories are alike but for oversize ones.

    Parameters
    ----------
    problem : Problem

    Attributes
    ----------
    surroundings : Surroundings
    """

    def __init__(self, problem: Problem) -> None:
        self.tolerance = problem.tolerance
        self.surroundings = Surroundings(problem)

    def around(
        self, unit: int, deviation: float, most: int, watch: Watch, beyond: Collection[int] = ()
    ) -> Pocket | None:
        """Return a pocket around a unit that excuses as much of a deviation as can be shown, None if nothing can.

        Parameters
        ----------
        unit : int
            With workload, in no fixed territory.
        deviation : float
            The most that is of interest.
        most : int
            Pieces that are looked at.
        watch : Watch
        beyond : collection of int
            Units that are left out of it.
        """
        if not self.surroundings.open[unit] or unit in beyond:
            return None
        pocket = self._in_widest(unit, self.surroundings.few_doors([unit], beyond), deviation, most, watch)
        if pocket is None and most > FEW_PIECES:
            pocket = self._in_widest(unit, self.surroundings.rings([unit], beyond), deviation, most, watch)
        return pocket

    def _in_widest(self, unit: int, order: Iterator[int], deviation: float, most: int, watch: Watch) -> Pocket | None:
        """Return the pocket in the widest stretch of an order that is listed: what a part forces, the whole does."""
        inside, pieces, size = [unit], None, 1
        while len(inside) == size:
            size = int(size * GROWTH) + 1
            wider = inside + list(islice(order, size - len(inside)))
            listed = self.surroundings.pieces(wider, self.tolerance, most)
            if listed is None or watch.time_is_up():
                break
            inside, pieces = wider, listed
        if pieces is None:
            return None
        if pieces.may_cover(self.tolerance, watch):
            return None
        found = self._forced(inside, deviation, most, watch)
        if found is None:
            return None
        bound, pieces = found
        return Pocket(tuple(sorted(self._core(pieces, unit, bound, watch))), bound)

    def _forced(self, inside: list[int], deviation: float, most: int, watch: Watch) -> tuple[float, Pieces] | None:
        """Return the largest deviation, up to a given one, that units force that are a pocket; None if unknown.

        And their pieces of territories that are less far off.
        """
        last = deviation * (1 - LITTLE)
        pieces = self.surroundings.pieces(inside, last, most)
        while pieces is None and last - self.tolerance > CLOSE:
            last = (self.tolerance + last) / 2
            pieces = self.surroundings.pieces(inside, last, most)
        if pieces is None:
            return None
        # pieces come in as the deviation grows: it is as large as that of the first without which there is no cover
        steps = np.unique(pieces.deviation[pieces.deviation > self.tolerance + CLOSE]).tolist()
        below, above = -1, len(steps)
        while above - below > 1:
            middle = (below + above) // 2
            if pieces.may_cover(steps[middle], watch):
                above = middle
            else:
                below = middle
        everything = deviation if last == deviation * (1 - LITTLE) else last
        bound = steps[above] if above < len(steps) else everything
        less = max(self.tolerance, bound * (1 - LITTLE))
        return bound, pieces.some(np.flatnonzero(pieces.deviation <= less + CLOSE))

    def _core(self, pieces: Pieces, unit: int, bound: float, watch: Watch) -> list[int]:
        """Return the units of a pocket without those, light ones first and a given one last, that force nothing."""
        workload = self.surroundings.workload
        for each in sorted(pieces.units[: pieces.loaded], key=lambda each: (each == unit, workload[each], each)):
            left = pieces.without(pieces.units.index(each))
            if left.loaded and not left.may_cover(bound, watch):
                pieces = left
        return pieces.units[: pieces.loaded]


class Excuses:
    """What pockets of the map show of the territories outside.

    Parameters
    ----------
    problem : Problem
        As of `Pockets`.
    watch : Watch

    Attributes
    ----------
    found : list of Pocket
    unaccounted : list of int
        Territories outside, when asked last, that no pocket meets, or that are much farther off than theirs forces:
        whether any must be outside there, or as far, is not known.
    """

    def __init__(self, problem: Problem, watch: Watch) -> None:
        self.pockets, self.watch = Pockets(problem), watch
        self.found: list[Pocket] = []
        self.unaccounted: list[int] = []
        self._asked: dict[int, int] = {}

    def unexcused(self, part: WorkingPartition, pieces: int = FEW_PIECES) -> list[int]:
        """Return the territories outside that may be nearer to their target, as far as so many pieces can tell.

        Pockets that excuse different territories have no unit in common, and none that is stuck in another one.
        """
        bad = part.improvable()
        heaviest = self.heaviest(part, bad)
        excused: list[int] = []
        self.unaccounted = []
        used: set[int] = set()
        for t in bad:
            unit = heaviest.get(t)
            if unit is None:
                self.unaccounted.append(t)
                continue
            beyond = used.union(each for each in part.problem.stuck if part.assignment[each] != t)
            off = part.off(t)
            known = [each for each in self.found if each.meets(part.assignment, t) and beyond.isdisjoint(each.units)]
            if not any(each.bound >= off - CLOSE for each in known) and self._asked.get(unit, 0) < pieces:
                self._asked[unit] = pieces
                pocket = self._found_around(unit, off, pieces, beyond, part.assignment)
                known += [] if pocket is None else [pocket]
            if known:
                most = max(known, key=lambda each: each.bound)
                used.update(most.units)
                excused += [t] if most.bound >= off - CLOSE else []
                self.unaccounted += [t] if most.bound < off - FARTHER else []
            else:
                self.unaccounted.append(t)
        return [t for t in bad if t not in excused]

    def _found_around(
        self, unit: int, off: float, pieces: int, beyond: set[int], assignment: Sequence[int]
    ) -> Pocket | None:
        """Return a pocket around a unit that meets its territory; what proves to be one elsewhere is left out."""
        while True:
            pocket = self.pockets.around(unit, off, pieces, self.watch, beyond)
            if pocket is None:
                return None
            if pocket not in self.found:
                self.found.append(pocket)
            if pocket.meets(assignment, assignment[unit]):
                return pocket
            beyond = beyond.union(pocket.units)

    def heaviest(self, part: WorkingPartition, territories: Collection[int]) -> dict[int, int]:
        """Return the heaviest unit of each of some territories that is free to move."""
        heaviest: dict[int, int] = {}
        some = set(territories)
        for unit, home in enumerate(part.assignment):
            heavier = home not in heaviest or part.workload[unit] > part.workload[heaviest[home]]
            if home in some and self.pockets.surroundings.open[unit] and heavier:
                heaviest[home] = unit
        return heaviest
