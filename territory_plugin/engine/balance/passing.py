"""Searches where homes, locks and limits of travel decide first: who passes a gateway, and what all can reach.

A territory that has to pass through the only unit between two parts of the map gets the way there before the search, as
do those whose locked units lie far apart, where the shortest ways would wall others in.
Where nobody can come near the targets, the search aims at the fairest shares of what is in reach, so that those who
need not be off are not.
"""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .contiguity import join_fixed
from .effort import EFFORTS, Effort
from .exact import Proof
from .gateways import corridors
from .handing_over import misplaced
from .joining import fairest, is_apart
from .objective import Weights, WorkingPartition
from .problem import Problem
from .reach import Shares, shares_within_reach
from .search import Search
from .solve import solve
from .terms import HomeTravel
from .watch import Watch

ROOM, NEAR = 0.02, 0.3
"""How much further off than the fairest shares a plan may be, for the search to end; and what part of the tolerance it
aims at around them, where these are outside themselves."""
FEW = 2
"""Who passes the gateways that is tried with the quick effort."""


def solve_in_reach(
    problem: Problem, effort: Effort, weights: Weights, rng: np.random.Generator, watch: Watch
) -> tuple[np.ndarray, float, int, list[Proof]]:
    """Return what `solve` does, once it is settled who passes which gateway.

    Parameters and returns as of `solve`. Each who could pass is tried with little effort, the most promising first; the
    best with all of it. Where that is not as good as can be, all are left free as well.
    """
    passing = _passing(problem, rng)
    if not passing and problem.barred is None:
        return solve(problem, effort, weights, rng, watch)
    shares = [shares_within_reach(problem, fixed) for fixed in passing or [problem.fixed]]
    if not passing and (shares[0] is None or shares[0].deviation <= problem.tolerance):
        return solve(problem, effort, weights, rng, watch)

    quick = EFFORTS["quick"]
    if effort is quick:
        passing, shares = passing[:FEW], shares[:FEW]
    narrowed = [_narrowed(problem, *each) for each in zip(passing or [problem.fixed], shares)]
    least = min((each.deviation for each in shares if each is not None), default=0.0)
    tried: list[tuple[tuple, int, tuple]] = []
    for at, narrower in enumerate(narrowed):
        stretch = watch.part(0.3 * at / len(narrowed), 0.3 * (at + 1) / len(narrowed))
        found = solve(narrower, quick, weights, rng, stretch)
        tried.append((_rank(problem, found[0]), at, found))
        if _near(problem, found[0], shares[at]) or watch.time_is_up():
            break
    if effort is not quick and not watch.time_is_up():
        at = min(tried, key=lambda each: each[:2])[1]
        found = solve(narrowed[at], effort, weights, rng, watch.part(0.3, 0.7))
        tried.append((_rank(problem, found[0]), len(tried), found))
    best = min(tried, key=lambda each: each[:2])
    if least <= problem.tolerance and sum(best[0][:2]) > 0 and not watch.time_is_up():
        found = solve(problem, effort, weights, rng, watch.part(0.7, 1.0))
        tried.append((_rank(problem, found[0]), len(tried), found))
        best = min(tried, key=lambda each: each[:2])
    assignment, reference, _, proofs = best[2]
    search = Search(problem, effort, weights, reference, rng, watch)
    return np.array(search.settle(assignment).assignment), reference, sum(each[2][2] for each in tried), proofs


def _passing(problem: Problem, rng: np.random.Generator) -> list[np.ndarray]:
    """Return what could be fixed beforehand, the most promising first: ways between locked units, and past gateways."""
    if not is_apart(problem):
        return corridors(problem)
    joined = join_fixed(problem)
    shares = shares_within_reach(problem, joined)
    if shares is not None and shares.deviation <= problem.tolerance:
        return corridors(problem)
    joined = fairest(problem, joined, rng)
    return corridors(replace(problem, fixed=joined)) or [joined]


def _narrowed(problem: Problem, fixed: np.ndarray, shares: Shares | None) -> Problem:
    """Return the problem with more units fixed, and targets that can be reached."""
    narrower = replace(problem, fixed=fixed)
    if shares is not None and shares.deviation > problem.tolerance:
        narrower = replace(narrower, target=shares.loads, tolerance=NEAR * problem.tolerance)
    return narrower


def _excess(problem: Problem, assignment: np.ndarray) -> np.ndarray:
    """Return how far each territory is outside its limits, in its target, shape (k,)."""
    low, high = problem.limits(problem.tolerance)
    held = np.bincount(assignment, problem.workload, problem.territories)
    target = np.where(problem.target > 0, problem.target, problem.scale)
    return np.maximum(np.maximum(held - high, low - held), 0.0) / target


def _near(problem: Problem, assignment: np.ndarray, shares: Shares | None) -> bool:
    """Answer whether all units are in their places, and nobody is much further off than the fairest shares say."""
    least = 0.0 if shares is None else max(0.0, shares.deviation - problem.tolerance)
    room = 0.0 if least == 0 else ROOM * (1 + least)
    return not misplaced(problem, assignment) and float(_excess(problem, assignment).max()) <= least + room


def _rank(problem: Problem, assignment: np.ndarray) -> tuple[int, float, float]:
    """Return what makes one plan better than another: units in their places, squared excess, travel."""
    part = WorkingPartition(problem, assignment, Weights(), 1.0)
    travel = part.inertia() + sum(term.total() for term in part.terms if isinstance(term, HomeTravel))
    return (
        len(misplaced(problem, assignment)),
        round(float(np.square(_excess(problem, assignment)).sum()), 5),
        travel,
    )
