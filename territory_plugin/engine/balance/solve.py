"""The phases in order, for one connected region: centres, contiguity repair, annealing, descent."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .annealing import Schedule, anneal, descend
from .capacitated_lloyd import capacitated_lloyd
from .contiguity import assign_to_centres
from .objective import Weights, WorkingPartition, moment_of_inertia
from .problem import SAFETY, Problem
from .watch import Watch


@dataclass(frozen=True)
class Effort:
    """How much work to do; counts, never seconds, so that the same seed gives the same plan.

    Attributes
    ----------
    starts, rounds : int
        Sets of centres tried, and Lloyd rounds for each.
    tries : int
        Starts that are annealed.
    proposals : int
        Annealing proposals per unit and try.
    recuts : int
        Recombinations tried per batch of proposals.
    repairs : int
        Further, shorter annealings while a territory is outside the tolerance.
    """

    starts: int
    rounds: int
    tries: int
    proposals: int
    recuts: int
    repairs: int


MAIN = Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0))
MENDING = Schedule(hot=0.5, cold=0.02, limits=(100.0, 300.0), pressures=(30.0, 3.0))

EFFORTS = {
    "quick": Effort(starts=2, rounds=15, tries=1, proposals=100, recuts=5, repairs=2),
    "default": Effort(starts=6, rounds=30, tries=2, proposals=350, recuts=20, repairs=3),
    "thorough": Effort(starts=16, rounds=40, tries=6, proposals=1000, recuts=50, repairs=6),
}


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
    centres = capacitated_lloyd(problem, effort.starts, effort.rounds, effort.tries, rng, watch.part(0.0, 0.15))
    reference = centres[0].travel
    best: tuple[tuple[float, float], list[int]] | None = None
    made = 0
    for index, start in enumerate(centres):
        if best is not None and watch.time_is_up():
            break
        stretch = watch.part(0.15 + 0.85 * index / len(centres), 0.15 + 0.85 * (index + 1) / len(centres))
        assignment = assign_to_centres(problem, start)
        inertia = moment_of_inertia(problem.location, problem.mass, np.array(assignment), k).sum()
        unit_travel = max(float(inertia), start.travel) / n or 1.0
        part = WorkingPartition(problem, assignment, weights, unit_travel)
        anneal(part, effort.proposals * n, MAIN, rng, stretch, effort.recuts)
        made += effort.proposals * n
        final = _polished(problem, part.assignment, weights, unit_travel, stretch)
        for again in range(effort.repairs):
            if final.excess() <= 0 or watch.time_is_up():
                break
            part = WorkingPartition(problem, final.assignment, weights, unit_travel)
            text = f"Mending what is outside the tolerance, round {again + 1}"
            more = effort.proposals * n // 4
            anneal(part, more, MENDING, rng, stretch.part(1.0, 1.0), 4 * effort.recuts, text)
            made += more
            mended = _polished(problem, part.assignment, weights, unit_travel, stretch)
            if _rank(mended) < _rank(final):
                final = mended
        excess, cost = _rank(final)
        key = (excess, cost * unit_travel)
        if best is None or key < best[0]:
            best = (key, final.assignment)
    return np.array(best[1]), reference, made


def _polished(problem, assignment, weights: Weights, unit_travel: float, watch: Watch) -> WorkingPartition:
    """Return the strict local optimum below an assignment, excess priced out."""
    part = WorkingPartition(problem, assignment, weights.with_limit(1000.0), unit_travel)
    descend(part, watch)
    return part


def _rank(part: WorkingPartition) -> tuple[float, float]:
    """Return what makes one partition better than another: less excess first, then less cost."""
    return round(part.excess(), 9), part.cost()


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
