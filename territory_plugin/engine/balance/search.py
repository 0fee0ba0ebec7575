"""What the phases of one region's search share: problem, prices, ranks, annealing and polishing."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .annealing import Schedule, anneal, descend
from .objective import Weights, WorkingPartition
from .pockets import FEW_PIECES, Excuses
from .problem import AIM, SAFETY
from .splits import improve_pairs
from .watch import Silent, Watch

SKETCH = Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0))
STRICT, USUAL_TOLERANCE = 1000.0, 0.05
"""Price of excess when a local optimum is sought that gives nothing away, at the tolerance where it is that."""
SMALL_UNITS, FEW_UNITS, MANY_UNITS = 120, 400, 4000
"""Up to `SMALL_UNITS` a map is searched again and again. Small maps get the budget of `FEW_UNITS`; above
`MANY_UNITS` it grows with the root of their number."""
HEAT = 0.6
"""How much hotter annealing begins, by the price of a cut edge."""
LARGEST_CLUSTER = 1500
"""Units of a cluster that is mended at most; where hops lead further, fewer are taken."""


class Search:
    """One region's search: what all its annealings share.

    Parameters
    ----------
    problem : Problem
    effort : Effort
    weights : Weights
    travel : float
        Mass × km² of the whole region that counts as one per unit.
    rng : Generator
    watch : Watch
    aim : float
        Share of the tolerance that annealing aims at.
    """

    def __init__(self, problem, effort, weights, travel, rng, watch, aim: float = AIM) -> None:
        self.problem, self.effort, self.rng, self.watch = problem, effort, rng, watch
        # a wide tolerance is room to use: deviation counts in tolerances then
        wide = max(1.0, problem.tolerance / aimed(USUAL_TOLERANCE))
        self.weights = replace(weights, pressure=Weights.pressure / wide**2)
        self.unit_travel = travel / problem.units or 1.0
        self.proposals = 0
        dear = max(1.0, USUAL_TOLERANCE / problem.tolerance) * max(1.0, weights.boundary / Weights.boundary)
        self.strict = STRICT * dear
        self.aim = aim
        self.inner = replace(problem, tolerance=aim * problem.tolerance)
        # of territories chosen anew together: turns, sets to choose from, covers imposed, and why some need not be
        self.turns = self.listed = self.covers = 0
        self.excuses: Excuses | None = None

    @property
    def regroups_early(self) -> bool:
        """Whether territories are chosen anew before mending: small maps are listed whole, large ones cost too much."""
        return self.excuses is not None and FEW_UNITS < self.problem.units <= MANY_UNITS

    def improvable(self, part: WorkingPartition) -> list[int]:
        """Return the territories outside the tolerance that nothing proves to be as near as can be."""
        if self.regroups_early:
            return self.excuses.unexcused(part, min(FEW_PIECES, self.effort.pieces // 3))
        return part.improvable()

    def rank(self, part: WorkingPartition) -> tuple[float, float]:
        """Return what makes one partition better than another: less excess first, then less cost."""
        return round(part.excess(), 9), part.cost()

    def working(self, assignment, limit: float | None = None) -> WorkingPartition:
        """Return an assignment ready for moves."""
        if limit is None:
            return WorkingPartition(self.inner, assignment, self.weights, self.unit_travel)
        return WorkingPartition(self.problem, assignment, self.weights.with_limit(limit), self.unit_travel)

    def polish(self, assignment, free: int = 0) -> WorkingPartition:
        """Return the strict local optimum below an assignment, excess priced out.

        With `free` units at each border shared out exactly, too. Costs of results can be compared.
        """
        if not free:
            # a little inside first: what is left of the excess may then still be within
            aimed = WorkingPartition(self.inner, assignment, self.weights.with_limit(STRICT), self.unit_travel)
            descend(aimed, self.watch)
            assignment = aimed.assignment
        part = self.working(assignment, STRICT)
        descend(part, self.watch)
        if not free:
            return part
        if improve_pairs(part, self.watch, free):
            descend(part, self.watch)
        if self.strict > STRICT and part.excess() > 0:
            # a tight tolerance costs less to miss than a longer border: pay more
            part.weights = part.weights.with_limit(self.strict)
            improve_pairs(part, self.watch, free)
            part.weights = part.weights.with_limit(STRICT)
        return part

    def anneal(self, assignment, schedule: Schedule, per_unit: int, watch: Watch) -> WorkingPartition:
        """Return an assignment annealed and polished."""
        n = self.problem.units
        budget = per_unit * max(FEW_UNITS, n if n <= MANY_UNITS else int((n * MANY_UNITS) ** 0.5))
        part = self.working(assignment)
        # where borders are dear, what was warm is cold; small maps are searched again and again instead
        heat = max(1.0, HEAT * self.weights.boundary) if n > FEW_UNITS else 1.0
        schedule = replace(schedule, hot=heat * schedule.hot, cold=heat**0.5 * schedule.cold)
        anneal(part, budget, schedule, self.rng, watch, self.effort.recuts)
        self.proposals += budget
        return self.polish(part.assignment)

    def apart(self, assignment, cluster: list[int], watch: Watch) -> tuple[Search, np.ndarray, WorkingPartition]:
        """Return the search among some territories, their units, and their partition."""
        part, units, inside = self.problem.restricted(np.array(assignment), cluster)
        search = Search(part, self.effort, self.weights, 0.0, self.rng, Silent(watch), self.aim)
        search.unit_travel = self.unit_travel
        return search, units, search.working(inside, STRICT)

    def exchanged(self, best: WorkingPartition, units: np.ndarray, territories: np.ndarray) -> WorkingPartition:
        """Return the partition with other territories for some units."""
        assignment = np.array(best.assignment)
        assignment[units] = territories
        return self.working(assignment, STRICT)

    def settle(self, assignment) -> WorkingPartition:
        """Return an assignment with less travel and border in which no territory is further off than before."""
        part = self.working(assignment, STRICT)
        for t, load in enumerate(part.load):
            part.low[t], part.high[t] = min(part.low[t], load), max(part.high[t], load)
        descend(part, self.watch)
        return self.working(part.assignment, STRICT)


def aimed(tolerance: float) -> float:
    """Return the tolerance that the search aims at, a little inside the one that is asked for."""
    return SAFETY * tolerance
