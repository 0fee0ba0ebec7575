"""Pockets of the map that cannot be cut into territories within the tolerance, wherever their border runs.

A territory within the tolerance that meets a pocket lies in it, or leaves in it pieces that reach its border. All
such sets and pieces are listed; when no choice of them, not even of fractions of them, covers each unit of the
pocket once, a territory that meets it is outside, in every plan. The pocket grows around a heavy unit until that is
so, or there are too many pieces.

Units without workload are left out: units that touch through them count as touching, which only allows more.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from itertools import islice

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from .covering import exact_cover
from .listing import as_rows, list_connected
from .objective import WorkingPartition
from .problem import Problem
from .watch import Watch

CLOSE = 1e-9
GROWTH = 1.3
"""A pocket is asked about again when it has grown by this."""
HEAVY = 8.0
"""So many doors to the units around may a unit have more when it weighs a target: few sets hold a heavy one."""
WHOLE, MOST_NODES = 300, 50
"""Pieces up to which whole ones are chosen, and the branches of that; above, fractions."""
MOST_TRIED = 5_000
"""Pieces that are tried, one upon the other, before a program is asked."""
HALVINGS = 7
"""How often the stretch is halved in which the least deviation lies."""
SECONDS = 20.0
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
    """

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        usual = np.flatnonzero(~problem.oversize)
        self.target = float(problem.target[usual[0]])
        self.open = ((problem.fixed < 0) & (problem.workload > 0)).tolist()
        self.workload = problem.workload.tolist()
        # what a territory that exists for a heavy unit may take beside it
        _, high = problem.limits(problem.tolerance)
        held = np.bincount(np.maximum(problem.fixed, 0), problem.workload * (problem.fixed >= 0), problem.territories)
        self.spare = max([0.0, *(high - held)[problem.oversize].tolist()])
        self._near: dict[int, tuple[set[int], bool]] = {}

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
        if not self.open[unit] or unit in beyond:
            return None
        orders = [self._few_doors(unit, beyond)]
        if most > FEW_PIECES:
            orders.append(self._rings(unit, beyond))
        for order in orders:
            pocket = self._grown(order, deviation, most, watch)
            if pocket is not None:
                return pocket
        return None

    def _grown(self, order: Iterator[int], deviation: float, most: int, watch: Watch) -> Pocket | None:
        """Return the first stretch of an order that is a pocket, with as much of a deviation as it forces."""
        inside, size = list(islice(order, 1)), 2
        while not watch.time_is_up():
            before = len(inside)
            inside += islice(order, size - before)
            fits = self._fits(inside, self.problem.tolerance, most, watch)
            if fits is None or (fits and len(inside) < size):
                return None
            if not fits:
                bound = self._least(inside, deviation, most, watch)
                return Pocket(tuple(sorted(self._core(inside, bound, most, watch))), bound)
            size = int(size * GROWTH) + 1
        return None

    def _core(self, inside: list[int], bound: float, most: int, watch: Watch) -> list[int]:
        """Return the units of a pocket that force a deviation, without those, light ones first, that need not be."""
        for unit in sorted(inside, key=lambda each: (self.workload[each], each)):
            left = [each for each in inside if each != unit]
            if left and self._fits(left, max(self.problem.tolerance, bound * (1 - 1e-9)), most, watch) is False:
                inside = left
        return inside

    def _few_doors(self, unit: int, beyond: Collection[int]) -> Iterator[int]:
        """Yield a unit and those around it, so that few light ones are left on the border, where pieces are many."""
        inside, rim = {unit}, self.near(unit)[0].difference(beyond)
        yield unit
        while rim:
            doors = {each: len(self.near(each)[0] - inside) - HEAVY * self.workload[each] / self.target for each in rim}
            unit = min(rim, key=lambda each: (doors[each], each))
            inside.add(unit)
            rim |= self.near(unit)[0]
            rim -= inside.union(beyond)
            yield unit

    def _rings(self, unit: int, beyond: Collection[int]) -> Iterator[int]:
        """Yield a unit and those around it, the nearest first."""
        known, queue = {unit, *beyond}, [unit]
        for each in queue:
            yield each
            fresh = sorted(self.near(each)[0] - known, key=lambda other: (-self.workload[other], other))
            queue += fresh
            known.update(fresh)

    def near(self, unit: int) -> tuple[set[int], bool]:
        """Return the units with workload that one touches, directly or through others, and whether heavy ones, too."""
        if unit not in self._near:
            problem = self.problem
            found, heavy, passed, stack = set(), False, set(), [unit]
            while stack:
                for other in problem.neighbours[stack.pop()]:
                    if problem.fixed[other] >= 0:
                        heavy = True
                    elif self.open[other]:
                        found.add(other)
                    elif other not in passed:
                        passed.add(other)
                        stack.append(other)
            self._near[unit] = found - {unit}, heavy
        return self._near[unit]

    def _least(self, inside: list[int], deviation: float, most: int, watch: Watch) -> float:
        """Return the largest deviation, up to one, that the pocket is proven to force."""
        # a little less than what there is, so that what there is proves to be the best
        if self._fits(inside, deviation * (1 - 1e-6), most, watch) is False:
            return deviation
        below, above = self.problem.tolerance, deviation
        for _ in range(HALVINGS):
            middle = (below + above) / 2
            if self._fits(inside, middle, most, watch) is False:
                below = middle
            else:
                above = middle
        return below

    def _fits(self, inside: list[int], tolerance: float, most: int, watch: Watch) -> bool | None:
        """Answer whether territories within a tolerance may cover the units; None if there is too much to look at."""
        order = sorted(inside, key=lambda unit: (-self.workload[unit], unit))
        place = {unit: at for at, unit in enumerate(order)}
        around = [sum(1 << place[other] for other in self.near(unit)[0] if other in place) for unit in order]
        border = sum(1 << at for at, unit in enumerate(order) if any(o not in place for o in self.near(unit)[0]))
        beside = sum(1 << at for at, unit in enumerate(order) if self.near(unit)[1])
        low, high = self.target * (1 - tolerance), self.target * (1 + tolerance)
        pieces, *_ = list_connected(
            around,
            [self.workload[unit] for unit in order],
            low * (1 - CLOSE),
            high * (1 + CLOSE),
            most,
            border,
            beside,
            self.spare * (1 + CLOSE),
        )
        if pieces is None:
            return None
        covered = exact_cover(pieces, len(order), MOST_TRIED)
        if covered is not None:
            return covered
        rows = csr_array(as_rows(pieces, len(order)).T.astype(float))
        whole = len(pieces) <= WHOLE
        found = milp(
            np.zeros(len(pieces)),
            constraints=LinearConstraint(rows, 1, 1),
            integrality=np.full(len(pieces), int(whole)),
            bounds=Bounds(0, 1),
            options={"node_limit": MOST_NODES, "time_limit": watch.remaining(SECONDS)},
        )
        return found.status != 2


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
        heaviest = self._heaviest(part, bad)
        excused: list[int] = []
        self.unaccounted = []
        used: set[int] = set()
        for t in bad:
            unit = heaviest.get(t)
            if unit is None:
                self.unaccounted.append(t)
                continue
            beyond = used.union(each for each in part.problem.stuck if part.assignment[each] != t)
            off = abs(part.load[t] - part.target[t]) * part.per_target
            known = [each for each in self.found if each.meets(part.assignment, t) and beyond.isdisjoint(each.units)]
            if not any(each.bound >= off - CLOSE for each in known) and self._asked.get(unit, 0) < pieces:
                self._asked[unit] = pieces
                pocket = self.pockets.around(unit, off, pieces, self.watch, beyond)
                if pocket is not None:
                    self.found.append(pocket)
                    known.append(pocket)
            if known:
                most = max(known, key=lambda each: each.bound)
                used.update(most.units)
                excused += [t] if most.bound >= off - CLOSE else []
                self.unaccounted += [t] if most.bound < off - FARTHER else []
            else:
                self.unaccounted.append(t)
        return [t for t in bad if t not in excused]

    def _heaviest(self, part: WorkingPartition, territories: Collection[int]) -> dict[int, int]:
        """Return the heaviest unit of each of some territories that is free to move."""
        heaviest: dict[int, int] = {}
        some = set(territories)
        for unit, home in enumerate(part.assignment):
            heavier = home not in heaviest or part.workload[unit] > part.workload[heaviest[home]]
            if home in some and self.pockets.open[unit] and heavier:
                heaviest[home] = unit
        return heaviest
