"""The phases in order, for one connected region: centres, contiguity repair, annealing, descent."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from .annealing import Schedule
from .capacitated_lloyd import capacitated_lloyd
from .choosing import choose_anew, choose_near, list_all, list_clusters, recover_travel, regroup
from .contiguity import assign_to_centres
from .effort import Effort
from .exact import Proof, alike
from .imposing import impose_covers
from .mending import settle_all
from .objective import Weights, WorkingPartition
from .pockets import Excuses
from .problem import Problem
from .restarts import restart
from .search import FEW_UNITS, MANY_UNITS, SKETCH, Search
from .smoothing import is_smoothed, smooth
from .watch import Silent, Watch

REFINE = Schedule(hot=0.4, cold=0.02, limits=(20.0, 100.0), pressures=(10.0, 3.0))
SHORTER = 0.99
"""Where balance took more than this travel of another plan that was annealed, that one is balanced, too."""
PHASES, BALANCING, FEW_EACH = 0.9, 0.5, 25
"""Share of the progress before a plan is balanced, and where units are fewer than that for each territory: there this
takes most of the time."""
NEAR_AT_ONCE = 1
"""Where more are outside than that, near sets are chosen for the best of all plans only: that takes as long as another
plan."""
SLIGHTLY = 0.02
"""Where none is outside by more than that, one other plan is enough."""
OTHERS, OTHER_UNITS = 2, 2000
"""Other plans that are balanced where some territories stay outside for no known reason, and units of them together."""


def solve(
    problem: Problem, effort: Effort, weights: Weights, rng: np.random.Generator, watch: Watch
) -> tuple[np.ndarray, float, int, list[Proof]]:
    """Return the best assignment found for a connected region.

    Returns
    -------
    assignment : ndarray of int, shape (n,)
    reference : float
        Travel of the fractional transport that the search started from, in workload × km².
    proposals : int
        Annealing proposals made.
    proofs : list of Proof
        Why territories outside the tolerance cannot be nearer to their target.
    """
    k, n = problem.territories, problem.units
    if k == 1:
        return np.zeros(n, dtype=int), 0.0, 0, []
    if k == n:
        return _one_each(problem), 0.0, 0, []
    if n > MANY_UNITS:
        # one long annealing from one of few starts
        together = effort.sketch * effort.tries + effort.refine * effort.finalists
        effort = replace(effort, starts=1 + effort.starts // 8, tries=1, sketch=together, finalists=0)
    smoothing = is_smoothed(problem, effort, weights)
    if smoothing:
        # all starts are annealed again on coarse maps
        effort = replace(effort, finalists=0)
    balancing = PHASES if n >= FEW_EACH * k else BALANCING
    before = watch.part(0.0, balancing / PHASES)
    centres = capacitated_lloyd(problem, effort.starts, effort.rounds, effort.tries, rng, before.part(0.0, 0.15))
    search = Search(problem, effort, weights, centres[0].travel, rng, watch)
    pool = []
    middle = 0.4 if smoothing or effort.finalists else 0.75
    for index, start in enumerate(centres):
        if pool and watch.time_is_up():
            break
        stretch = before.part(0.15 + middle * index / len(centres), 0.15 + middle * (index + 1) / len(centres))
        pool.append(search.anneal(assign_to_centres(problem, start), SKETCH, effort.sketch, stretch))
    # one territory far off is harder to mend than many a little: cost is steep in excess
    pool.sort(key=WorkingPartition.cost)
    for index in range(min(effort.finalists, len(pool))):
        stretch = before.part(0.55 + 0.33 * index / effort.finalists, 0.55 + 0.33 * (index + 1) / effort.finalists)
        refined = search.anneal(pool[index].assignment, REFINE, effort.refine, stretch)
        pool[index] = min(pool[index], refined, key=WorkingPartition.cost)
    first, *others = sorted(pool, key=WorkingPartition.cost)
    plans = 1 + min(OTHERS, OTHER_UNITS // n, len(others))
    search.effort = replace(effort, regroups=effort.regroups // plans, columns=effort.columns // plans)
    smoothed = smooth(search, first, pool, before.part(0.55, 0.9))
    usual = np.flatnonzero(~problem.oversize).tolist()
    if len(usual) > 1 and alike(problem, usual):
        search.excuses = Excuses(problem, Silent(watch))
    turning = (balancing + 0.94) / 2
    best = _balanced(search, smoothed, watch.part(balancing, turning))
    if others and smoothed is first and search.turns:
        best = _other_balanced(search, best, others, plans - 1, watch.part(turning, 0.94))
    if search.regroups_early and len(search.improvable(best)) > NEAR_AT_ONCE:
        best = choose_near(search, best, watch.part(0.94, 0.95))
    best, proofs = list_all(search, best, watch.part(0.95, 0.96))
    if n <= FEW_UNITS and not proofs:
        best = restart(search, best, centres, watch.part(0.96, 0.98))
    if not best.improvable():
        best, _ = list_all(search, best, watch.part(0.97, 0.97))
    if not proofs:
        best, proofs = regroup(search, best, watch.part(0.97, 0.98))
        best = recover_travel(search, best, watch.part(0.98, 0.99))
    if not proofs:
        best, proofs = list_clusters(search, best, watch.part(0.99, 1.0))
    return np.array(best.assignment), centres[0].travel, search.proposals, proofs


def _balanced(
    search: Search, start: WorkingPartition, watch: Watch, known: WorkingPartition | None = None
) -> WorkingPartition:
    """Return a partition with less excess, by all that the balance of one plan is worth.

    Where another is known that has less excess, this one is not gone into as deep.
    """
    search.turns = search.listed = 0
    best = settle_all(search, start, watch.part(0.0, 0.6))
    if search.regroups_early:
        best = choose_anew(search, best, watch.part(0.6, 0.9))
        if known is None or search.rank(best)[0] <= search.rank(known)[0]:
            best = impose_covers(search, best, watch.part(0.9, 0.95))
            if len(search.improvable(best)) <= NEAR_AT_ONCE:
                best = choose_near(search, best, watch.part(0.95, 1.0))
    return best


def _other_balanced(
    search: Search, best: WorkingPartition, others: list[WorkingPartition], most: int, watch: Watch
) -> WorkingPartition:
    """Return the best partition, or a better one balanced from another that was annealed.

    From the one with the least travel, where balance took much of it. From so many, where some are outside that no
    proof accounts for: chosen anew from elsewhere they may be within, and that helps more than longer trying here.
    """
    shortest = min(others, key=WorkingPartition.inertia)
    if not best.outside() and shortest.inertia() < SHORTER * best.inertia():
        best = min(best, _balanced(search, shortest, watch, best), key=search.rank)
    for turn, other in enumerate(others[:most]):
        # two covers take as long as another plan
        if not search.improvable(best) or not search.excuses.unaccounted or turn + search.covers // 2 >= most:
            break
        if turn and max(map(best.off, search.excuses.unaccounted)) < best.problem.tolerance + SLIGHTLY:
            break
        found = _balanced(search, other, watch.part(turn / most, (turn + 1) / most), best)
        best = min(best, found, key=search.rank)
    return best


def _one_each(problem: Problem) -> np.ndarray:
    """Return a territory for each unit, the fixed units in theirs."""
    assignment = problem.fixed.copy()
    assignment[assignment < 0] = np.setdiff1d(np.arange(problem.territories), assignment)
    return assignment
