"""A plan from nothing, named after today's alignment: another start where that is far from the market."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from scipy.optimize import linear_sum_assignment

from .effort import EFFORTS
from .objective import Weights
from .problem import Problem
from .solve import solve
from .watch import Watch

LITTLE = 1e-6
"""Share of the average unit's weight that an overlap by one unit counts besides: it decides where all else is alike."""


def plan_anew(problem: Problem, rng: np.random.Generator, watch: Watch) -> np.ndarray:
    """Return a quick plan from nothing, named so that as little as possible changes hands.

    Moves of borders carry workload from territory to territory; they do not carry whole territories to the other end
    of the map. Where an alignment is far from the market, such a plan is the nearer start. All reps are taken to have
    the same capacity, or they would be dealt out over the map by chance: what some hold more than others, borders do
    carry from there.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`.
    rng : Generator
    watch : Watch

    Returns
    -------
    ndarray of int, shape (n,)
    """
    found, *_ = solve(replace(_even(problem), current=None, stay=None), EFFORTS["quick"], Weights(), rng, watch)
    return named_after_today(problem, found)


def _even(problem: Problem) -> Problem:
    """Return the problem in which all but oversize territories are to hold the same: who goes where is open then."""
    usual = ~problem.oversize
    if not usual.any():
        return problem

    def alike(values: np.ndarray) -> np.ndarray:
        return np.where(usual, values[usual].mean(), values)

    limits_of = tuple(replace(each, low=alike(each.low), high=alike(each.high)) for each in problem.limits_of)
    return replace(problem, target=alike(problem.target), least=None, most=None, limits_of=limits_of)


def named_after_today(problem: Problem, assignment: np.ndarray) -> np.ndarray:
    """Return the same territories, renumbered so that the least weight leaves the territory it is in today.

    Only territories that may stand for each other change numbers: with no unit of their own and no home, and barred
    from the same units. What they should hold may differ.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`.
    assignment : ndarray of int, shape (n,)

    Returns
    -------
    ndarray of int, shape (n,)

    References
    ----------
    Kuhn (1955), The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2.
    """
    k = problem.territories
    known = problem.current >= 0
    overlap = np.zeros((k, k))
    weight = problem.stay + LITTLE * problem.stay.mean()
    np.add.at(overlap, (problem.current[known], assignment[known]), weight[known])
    own = problem.oversize | problem.is_homed
    own[problem.fixed[problem.fixed >= 0]] = True
    barred = np.zeros((problem.units, k), dtype=bool) if problem.barred is None else problem.barred
    kind = np.unique(np.vstack([barred, np.diag(own)]), axis=1, return_inverse=True)[1].ravel()
    refused = -1.0 - overlap.sum()
    today, plan = linear_sum_assignment(np.where(kind[:, None] == kind, overlap, refused), maximize=True)
    number = np.empty(k, dtype=int)
    number[plan] = today
    return number[assignment]
