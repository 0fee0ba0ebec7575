"""Units where they may not be, handed over along a way to a territory that may have them.

A unit that is forbidden to its territory and lies deep inside it gets out by no single flip: no other territory touches
it. So the units on a way to it go along; what that cuts off finds another territory, and locked units that it parts are
joined by other ways. Where offers do not help, a mixed-integer program of a small map tells the fewest such units.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from heapq import heappop, heappush

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from .problem import Problem

TRIED = 6
"""Territories, the nearest first, that a unit is offered to."""
OFFERS = 400
"""Offers at most."""
CHOICES, NODES = 600, 2000
"""Pairs of unit and territory of a map whose fewest misplaced units a program finds, and its branches, at most."""


def hand_over(
    problem: Problem, assignment: Sequence[int], repaired: Callable[[Problem, list[int]], list[int] | None]
) -> list[int]:
    """Return an assignment in which as few units as possible are where they may not be.

    Parameters
    ----------
    problem : Problem
        With `barred`.
    assignment : sequence of int, shape (n,)
        Connected territories.
    repaired : callable
        Makes an assignment connected, its fixed units in their places; None where that cannot be.
    """
    best = list(assignment)
    wrong, offers = misplaced(problem, best), 0
    tried: set[int] = set()
    taken = problem.fixed  # ways that were handed over stay, or locks would be joined across them
    while offers < OFFERS:
        unit = next((unit for unit in wrong if unit not in tried), None)
        if unit is None:
            break
        tried.add(unit)
        found = []
        for way, territory in _ways(replace(problem, fixed=taken), best, unit):
            fixed = taken.copy()
            fixed[way] = territory
            offered = list(best)
            for each in way:
                offered[each] = territory
            offers += 1
            trial = repaired(replace(problem, fixed=fixed), offered)
            if trial is not None:
                rank = len(misplaced(problem, trial)), _imbalance(problem, trial), territory
                found.append((*rank, trial, fixed))
        if found and min(found, key=lambda each: each[:3])[0] < len(wrong):
            *_, best, taken = min(found, key=lambda each: each[:3])
            wrong, tried = misplaced(problem, best), set()
    if wrong:
        fewest, _ = fewest_misplaced(problem)
        if fewest is not None and len(misplaced(problem, fewest)) < len(wrong):
            return fewest
    return best


def fewest_misplaced(problem: Problem) -> tuple[list[int] | None, bool]:
    """Return connected territories with as few units as possible where they may not be, and whether that is proven.

    A mixed-integer program without balance or travel; contiguity by a flow from a root of each territory, after
    Shirabe (2009), Districting modeling with exact contiguity constraints, Environment and Planning B 36. None on maps
    with more than `CHOICES` pairs of unit and territory, or where the branches do not suffice.
    """
    n, k = problem.units, problem.territories
    if n * k > CHOICES:
        return None, False
    one = np.repeat(np.arange(n), [len(around) for around in problem.neighbours])
    other = np.array([unit for around in problem.neighbours for unit in around], dtype=int)
    m = len(one)
    # of each territory: whether it has a unit, whether that is its root, and what flows over a contact
    eye, zero = sparse.identity(n, format="csr"), sparse.csr_matrix((n, m))
    inflow = sparse.csr_matrix((np.ones(m), (other, np.arange(m))), shape=(n, m))
    outflow = sparse.csr_matrix((np.ones(m), (one, np.arange(m))), shape=(n, m))
    each = sparse.vstack(
        [
            sparse.hstack([-eye, n * eye, inflow - outflow]),  # every unit takes one
            sparse.hstack([(n - 1) * eye, sparse.csr_matrix((n, n)), -outflow]),  # and only those inside pass on
            sparse.hstack([eye, -eye, zero]),
        ]
    )
    every = sparse.block_diag([each] * k, format="csr")
    shares = sparse.hstack([sparse.hstack([eye, sparse.csr_matrix((n, n)), zero])] * k)
    roots = sparse.block_diag([np.concatenate([np.zeros(n), np.ones(n), np.zeros(m)])[None, :]] * k)
    upper = np.concatenate([np.ones(2 * n), np.full(m, float(n))])
    low, high = np.zeros((k, 2 * n + m)), np.tile(upper, (k, 1))
    held = np.flatnonzero(problem.fixed >= 0)
    high[:, held] = 0.0
    low[problem.fixed[held], held] = high[problem.fixed[held], held] = 1.0
    for territory in np.unique(problem.fixed[held]).tolist():
        high[territory, n : 2 * n] = 0.0
        high[territory, n + held[problem.fixed[held] == territory][0]] = 1.0
    cost = np.zeros((k, 2 * n + m))
    cost[:, :n] = problem.barred.T
    whole = np.tile(np.concatenate([np.ones(2 * n), np.zeros(m)]), k)
    found = milp(
        cost.ravel(),
        constraints=[
            LinearConstraint(every, 0.0, np.inf), LinearConstraint(shares, 1.0, 1.0), LinearConstraint(roots, 1.0, 1.0)
        ],
        integrality=whole, bounds=Bounds(low.ravel(), high.ravel()), options={"node_limit": NODES},
    )  # fmt: skip
    if found.x is None:
        return None, False
    taken = np.rint(found.x).reshape(k, -1)[:, :n]
    return taken.argmax(axis=0).tolist(), found.status == 0


def misplaced(problem: Problem, assignment: Sequence[int]) -> list[int]:
    """Return the units that are where they may not be."""
    if problem.barred is None:
        return []
    return np.flatnonzero(problem.barred[np.arange(problem.units), np.asarray(assignment)]).tolist()


def _ways(problem: Problem, assignment: list[int], unit: int) -> list[tuple[list[int], int]]:
    """Return the lightest way to a unit from each of the nearest territories that may have it and the way."""
    near, order = {unit}, [unit]
    ways, offered = [], set()
    for here in order:
        territory = assignment[here]
        if territory not in offered and not problem.barred[unit, territory]:
            offered.add(territory)
            way = _way(problem, assignment, unit, territory)
            if way is not None:
                ways.append((way, territory))
            if len(ways) == TRIED:
                break
        for other in problem.neighbours[here]:
            if other not in near:
                near.add(other)
                order.append(other)
    return ways


def _way(problem: Problem, assignment: list[int], unit: int, territory: int) -> list[int] | None:
    """Return the units that have to go to a territory so that it reaches a unit, the least workload of all ways."""
    barred, fixed, mass = problem.barred, problem.fixed, problem.mass
    usual = float(mass.mean())
    heap, before = [(0.0, unit, -1)], {}
    while heap:
        weight, here, last = heappop(heap)
        if here in before:
            continue
        before[here] = last
        if assignment[here] == territory:
            way = []
            while last >= 0:
                way.append(last)
                last = before[last]
            return way
        for other in problem.neighbours[here]:
            if other not in before and fixed[other] in (-1, territory) and not barred[other, territory]:
                heappush(heap, (weight + usual + float(mass[other]), other, here))
    return None


def _imbalance(problem: Problem, assignment: list[int]) -> float:
    """Return by how much the territories miss their targets together."""
    held = np.bincount(assignment, problem.workload, problem.territories)
    return round(float(np.abs(held - problem.target).sum()), 6)
