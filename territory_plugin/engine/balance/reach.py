"""What each territory can reach: how near to the targets any plan comes that keeps locks, bans and limits of travel.

A territory grows from what is fixed in it, through units that it may have and nobody else must have. Who could share
what lies within reach, were units cut at will, is a linear program; its answer is a bound on every plan.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import sparse
from scipy.optimize import linprog

from .problem import Problem, within_limits

CLOSE = 1e-6
STEPS = (0.02, 0.03, 0.05, 0.1, 0.2, 0.4)
"""Widths of deviations that cost the more the further off: squares by straight pieces."""


@dataclass(frozen=True)
class Shares:
    """How the workload could be shared out, were units cut at will.

    Attributes
    ----------
    deviation : float
        The largest deviation is at least so much in every plan; of territories with limits, how far they are missed,
        in targets.
    loads : ndarray of float, shape (k,)
        A share for each territory that is no further off, and together as near to the targets as can be.
    crowded, starved : tuple of int
        Territories that are as far off as that since together they have to take too much, or reach too little; one of
        the two may be empty.
    workload : float
        What the crowded ones have to take, or the starved ones reach, together.
    """

    deviation: float
    loads: np.ndarray
    crowded: tuple[int, ...]
    starved: tuple[int, ...]
    workload: float


def reachable(problem: Problem, fixed: np.ndarray | None = None) -> np.ndarray:
    """Return which units each territory reaches in some plan, shape (n, k).

    Territories in which nothing is fixed may begin anywhere.
    """
    fixed = problem.fixed if fixed is None else fixed
    reached = np.zeros((problem.units, problem.territories), dtype=bool)
    for territory in range(problem.territories):
        may = (fixed < 0) | (fixed == territory)
        if problem.barred is not None:
            may &= ~problem.barred[:, territory] | (fixed == territory)
        start = np.flatnonzero(fixed == territory)[:1].tolist()
        if not start:
            reached[:, territory] = may
            continue
        may[start] = False
        open_to = may.tolist()
        for unit in start:
            for other in problem.neighbours[unit]:
                if open_to[other]:
                    open_to[other] = False
                    start.append(other)
        reached[start, territory] = True
    return reached


def shares_within_reach(problem: Problem, fixed: np.ndarray | None = None) -> Shares | None:
    """Return how the workload could be shared out best, were units cut at will.

    minimise D subject to |load − target| ≤ D · target for each territory, the load being parts of units within reach;
    then, D given, the deviations that together cost least. Units that the same territories reach count as one.
    None where a unit with workload is in reach of nobody, or a target is not above 0.

    Parameters
    ----------
    problem : Problem
    fixed : ndarray of int, shape (n,), optional
        Instead of the problem's own.
    """
    reached = reachable(problem, fixed)
    if not (problem.target > 0).all() or (~reached.any(axis=1) & (problem.workload > 0)).any():
        return None
    with_work = np.flatnonzero(problem.workload > 0)
    kinds, kind = np.unique(reached[with_work], axis=0, return_inverse=True)
    held = np.bincount(kind.ravel(), problem.workload[with_work], len(kinds))
    group, territory = np.nonzero(kinds)
    k, pairs = problem.territories, len(group)
    columns = np.arange(pairs)
    target = problem.target
    whole = sparse.csr_matrix((np.ones(pairs), (group, columns)), shape=(len(kinds), pairs))
    load = sparse.csr_matrix((held[group] / target[territory], (territory, columns)), shape=(k, pairs))
    least, most = (None if limit is None else limit / target for limit in (problem.least, problem.most))
    low, high = within_limits(np.ones(k), np.ones(k), least, most, 0.0)

    one = -np.ones((k, 1))
    first = linprog(
        np.r_[np.zeros(pairs), 1.0],
        A_ub=sparse.bmat([[load, one], [-load, one]], format="csr"),
        b_ub=np.r_[high, -low],
        A_eq=sparse.hstack([whole, sparse.csr_matrix((len(kinds), 1))], format="csr"),
        b_eq=np.ones(len(kinds)),
        method="highs",
    )
    if first.x is None:
        return None
    off = max(0.0, float(first.fun))
    crowded, starved, workload = _named(kinds, held, target, low, high, np.asarray(first.ineqlin.marginals), off)
    return Shares(off, _even(load, whole, low, high, off) * target, crowded, starved, workload)


def _even(load, whole, low, high, most: float) -> np.ndarray:
    """Return loads, in targets, whose deviations cost least together, none larger than `most`."""
    (k, pairs), steps = load.shape, len(STEPS) + 1
    each = sparse.hstack([sparse.identity(k)] * steps)
    none = sparse.csr_matrix((whole.shape[0], 2 * k * steps))
    price = np.repeat(np.cumsum((0.0, *STEPS)) + 0.01, k)
    widest = np.repeat(np.minimum((*STEPS, np.inf), most * (1 + CLOSE) + CLOSE), k)
    second = linprog(
        np.r_[np.zeros(pairs), price, price],
        A_ub=sparse.bmat(
            [
                [load, -each, None], [-load, None, -each],
                [load, None, sparse.csr_matrix(each.shape)], [-load, None, sparse.csr_matrix(each.shape)],
            ],
            format="csr",
        ),
        b_ub=np.r_[high, -low, high + most + CLOSE, -low + most + CLOSE],
        A_eq=sparse.hstack([whole, none], format="csr"),
        b_eq=np.ones(whole.shape[0]),
        bounds=[(0.0, None)] * pairs + [(0.0, each) for each in np.r_[widest, widest].tolist()],
        method="highs",
    )  # fmt: skip
    if second.x is None:
        return np.clip(np.ones(k), low, high)
    return np.asarray(load @ second.x[:pairs])


def _named(kinds, held, target, low, high, price, most: float) -> tuple[tuple[int, ...], tuple[int, ...], float]:
    """Return the territories whose sums alone tell the bound, by the prices of the program, and their workload."""
    k = len(target)
    over, under = np.flatnonzero(price[:k] < -CLOSE), np.flatnonzero(price[k:] < -CLOSE)
    if len(over):
        only = held[~np.delete(kinds, over, axis=1).any(axis=1)].sum()
        if only >= (np.sum(target[over] * high[over]) + most * target[over].sum()) * (1 - 1e-4):
            return tuple(over.tolist()), (), float(only)
    if len(under):
        within = held[kinds[:, under].any(axis=1)].sum()
        if within <= (np.sum(target[under] * low[under]) - most * target[under].sum()) * (1 + 1e-4) + CLOSE:
            return (), tuple(under.tolist()), float(within)
    return (), (), 0.0
