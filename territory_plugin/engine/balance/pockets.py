"""Pockets of the map that cannot be cut into territories within the tolerance, wherever their border runs.

A territory within the tolerance that meets a pocket lies in it, or leaves in it pieces that reach its border. All
such sets and pieces are listed; when no choice of them, not even of fractions of them, covers each unit of the
pocket once, a territory that meets it is outside, in every plan. The pocket grows around a heavy unit until that is
so, or there are too many pieces.

Units without workload are left out: units that touch through them count as touching, which only allows more.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from .listing import as_rows, list_connected
from .problem import Problem
from .watch import Watch

CLOSE = 1e-9
GROWTH = 1.15
"""A pocket is asked about again when it has grown by this."""
WHOLE, MOST_NODES = 300, 50
"""Pieces up to which whole ones are chosen, and the branches of that; above, fractions."""
HALVINGS = 7
"""How often the stretch is halved in which the least deviation lies."""
SECONDS = 20.0


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

    def excuses(self, assignment, territory: int, deviation: float) -> bool:
        """Answer whether a territory that is so far off is as near as the pocket allows."""
        return deviation <= self.bound + CLOSE and any(assignment[unit] == territory for unit in self.units)


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

    def around(self, unit: int, deviation: float, most: int, watch: Watch) -> Pocket | None:
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
        """
        if not self.open[unit]:
            return None
        order, size = [unit], 2
        known = {unit}
        at = 0
        while not watch.time_is_up():
            while len(order) < size and at < len(order):
                fresh = sorted(self.near(order[at])[0] - known, key=lambda other: (-self.workload[other], other))
                order += fresh
                known.update(fresh)
                at += 1
            inside = order[:size]
            whole = len(order) <= size and at >= len(order)
            fits = self._fits(inside, self.problem.tolerance, most, watch)
            if fits is None or (fits and whole):
                return None
            if not fits:
                return Pocket(tuple(sorted(inside)), self._least(inside, deviation, most, watch))
            size = int(size * GROWTH) + 1
        return None

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
        pieces, _ = list_connected(
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
        if not pieces:
            return False
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
