"""The phases in order, for one connected region: centres, contiguity repair, annealing, descent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .annealing import Schedule, anneal, descend
from .capacitated_lloyd import capacitated_lloyd
from .contiguity import assign_to_centres
from .objective import Weights, WorkingPartition
from .problem import SAFETY, Problem
from .watch import Silent, Watch


@dataclass(frozen=True)
class Effort:
    """How much work to do; counts, never seconds, so that the same seed gives the same plan.

    Attributes
    ----------
    starts, rounds : int
        Sets of centres tried, and Lloyd rounds for each.
    tries, sketch : int
        Starts that are annealed, and annealing proposals per unit for each.
    finalists, refine : int
        Best of these that are annealed again, and proposals per unit for each.
    recuts : int
        Recombinations tried per batch of proposals.
    mends : int
        Annealings around the territories that are still outside the tolerance.
    """

    starts: int
    rounds: int
    tries: int
    sketch: int
    finalists: int
    refine: int
    recuts: int
    mends: int


EFFORTS = {
    "quick": Effort(starts=2, rounds=15, tries=1, sketch=80, finalists=0, refine=0, recuts=10, mends=4),
    "default": Effort(starts=6, rounds=30, tries=4, sketch=100, finalists=1, refine=300, recuts=20, mends=21),
    "thorough": Effort(starts=16, rounds=40, tries=10, sketch=300, finalists=3, refine=1000, recuts=40, mends=63),
}

SKETCH = Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0))
REFINE = Schedule(hot=0.4, cold=0.02, limits=(20.0, 100.0), pressures=(10.0, 3.0))
MENDS = tuple(
    (Schedule(hot=hot, cold=0.02, limits=(limit, 300.0), pressures=(30.0, 3.0)), hops)
    for hot, limit, hops in (
        (0.5, 100.0, 1),
        (5.0, 5.0, 2),
        (10.0, 1.0, 3),
        (20.0, 5.0, 1),
        (5.0, 5.0, 3),
        (10.0, 1.0, 2),
        (20.0, 5.0, 4),
    )
)
"""How to anneal around what is outside the tolerance, in turn: how hot, and how many borders away."""
STRICT = 1000.0
"""Price of excess when a local optimum is sought that gives nothing away."""

FEW_UNITS, MANY_UNITS = 400, 4000
"""Small maps get the budget of `FEW_UNITS`; above `MANY_UNITS` it grows with the root of their number."""


def solve(
    problem: Problem, effort: Effort, weights: Weights, rng: np.random.Generator, watch: Watch
) -> tuple[np.ndarray, float, int]:
    """Return the best assignment found for a connected region.

    Returns
    -------
    assignment : ndarray of int, shape (n,)
    reference : float
        Travel of the fractional transport that the search started from, in workload × km².
    proposals : int
        Annealing proposals made.
    """
    k, n = problem.territories, problem.units
    if k == 1:
        return np.zeros(n, dtype=int), 0.0, 0
    if k == n:
        return _one_each(problem), 0.0, 0
    if n > MANY_UNITS:
        # one long annealing from one of few starts
        together = effort.sketch * effort.tries + effort.refine * effort.finalists
        effort = replace(effort, starts=1 + effort.starts // 4, tries=1, sketch=together, finalists=0)
    centres = capacitated_lloyd(problem, effort.starts, effort.rounds, effort.tries, rng, watch.part(0.0, 0.15))
    search = _Search(problem, effort, weights, centres[0].travel, rng, watch)
    pool = []
    middle = 0.4 if effort.finalists else 0.75
    for index, start in enumerate(centres):
        if pool and watch.time_is_up():
            break
        stretch = watch.part(0.15 + middle * index / len(centres), 0.15 + middle * (index + 1) / len(centres))
        pool.append(search.anneal(assign_to_centres(problem, start), SKETCH, effort.sketch, stretch))
    pool.sort(key=search.rank)
    for index in range(min(effort.finalists, len(pool))):
        stretch = watch.part(0.55 + 0.35 * index / effort.finalists, 0.55 + 0.35 * (index + 1) / effort.finalists)
        pool.append(search.anneal(pool[index].assignment, REFINE, effort.refine, stretch))
    best = search.mend(min(pool, key=search.rank), watch.part(0.9, 1.0))
    return np.array(best.assignment), centres[0].travel, search.proposals


class _Search:
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
    """

    def __init__(self, problem, effort, weights, travel, rng, watch) -> None:
        self.problem, self.effort, self.weights, self.rng, self.watch = problem, effort, weights, rng, watch
        self.unit_travel = travel / problem.units or 1.0
        self.proposals = 0

    def rank(self, part: WorkingPartition) -> tuple[float, float]:
        """Return what makes one partition better than another: less excess first, then less cost."""
        slack = (0.998 / SAFETY - 1) * self.problem.tolerance
        return round(part.excess(slack), 9), part.cost()

    def working(self, assignment, limit: float | None = None) -> WorkingPartition:
        """Return an assignment ready for moves."""
        weights = self.weights if limit is None else self.weights.with_limit(limit)
        return WorkingPartition(self.problem, assignment, weights, self.unit_travel)

    def polish(self, assignment) -> WorkingPartition:
        """Return the strict local optimum below an assignment, excess priced out."""
        part = self.working(assignment, STRICT)
        descend(part, self.watch)
        return part

    def anneal(self, assignment, schedule: Schedule, per_unit: int, watch: Watch) -> WorkingPartition:
        """Return an assignment annealed and polished."""
        n = self.problem.units
        budget = per_unit * max(FEW_UNITS, n if n <= MANY_UNITS else int((n * MANY_UNITS) ** 0.5))
        part = self.working(assignment)
        anneal(part, budget, schedule, self.rng, watch, self.effort.recuts)
        self.proposals += budget
        return self.polish(part.assignment)

    def mend(self, best: WorkingPartition, watch: Watch) -> WorkingPartition:
        """Return a partition with less excess, by annealing around the territories that have some.

        Each cluster of such territories and of those around them is a small problem of its own, so that what is
        gained in one is not lost to another.
        """
        for turn in range(self.effort.mends):
            bad = best.improvable()
            if not bad or self.rank(best)[0] <= 0 or self.watch.time_is_up():
                break
            schedule, hops = MENDS[turn % len(MENDS)]
            assignment = np.array(best.assignment)
            clusters = _clusters([best.within_hops([territory], hops) for territory in bad])
            share = turn / self.effort.mends
            watch.progress(share, f"Mending {len(bad)} territories, worst deviation {100 * best.worst():.1f} %")
            for cluster in clusters:
                part, units, inside = self.problem.restricted(assignment, sorted(cluster))
                search = _Search(part, self.effort, self.weights, 0.0, self.rng, Silent(watch))
                search.unit_travel = self.unit_travel
                before = search.working(inside, STRICT)
                if search.rank(before)[0] <= 0 or not before.improvable():
                    continue
                working = search.working(inside)
                budget = 100 * max(FEW_UNITS // 4, part.units)
                anneal(working, budget, schedule, self.rng, search.watch, 4 * self.effort.recuts)
                self.proposals += budget
                after = search.polish(working.assignment)
                if search.rank(after) < search.rank(before):
                    assignment[units] = np.array(sorted(cluster))[after.assignment]
            best = self.working(assignment, STRICT)
        return best


def _clusters(neighbourhoods: list[set[int]]) -> list[set[int]]:
    """Return the unions of the sets that overlap, in the order of their least members."""
    clusters: list[set[int]] = []
    for fresh in neighbourhoods:
        apart = []
        for cluster in clusters:
            if cluster & fresh:
                fresh = fresh | cluster
            else:
                apart.append(cluster)
        clusters = [*apart, fresh]
    return sorted(clusters, key=min)


def _one_each(problem: Problem) -> np.ndarray:
    """Return a territory for each unit, anchored territories at their anchors."""
    assignment = np.full(problem.units, -1)
    anchored = np.flatnonzero(problem.anchor >= 0)
    assignment[problem.anchor[anchored]] = anchored
    assignment[assignment < 0] = np.flatnonzero(problem.anchor < 0)
    return assignment


def aimed(tolerance: float) -> float:
    """Return the tolerance that the search aims at, a little inside the one that is asked for."""
    return SAFETY * tolerance
