"""Short borders where they are asked for: a coarse map is annealed before the whole one."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from .annealing import Schedule, anneal
from .coarsening import coarsened
from .objective import Weights, WorkingPartition
from .search import FEW_UNITS, MANY_UNITS, Search
from .watch import Silent, Watch

SMOOTH = 5.0
"""How much dearer than usual borders are where coarse maps are annealed for them."""
COARSE_UNITS, COARSE_MOVES, FINE_MOVES = 25, 600, 80
"""Coarse units for each territory, and proposals per unit on the coarse map and on the fine one after it."""
FEWEST = 10
"""Coarse units for each territory at least; where the map has not twice as many units, it is left as it is."""
COARSE = Schedule(hot=3.0, cold=0.2, limits=(4.0, 100.0), pressures=(100.0, 30.0))
HOT = Schedule(hot=5.0, cold=0.15, limits=(4.0, 100.0), pressures=(30.0, 3.0))
COMBINE = replace(COARSE, hot=1.0)
FINE = Schedule(hot=0.5, cold=0.005, limits=(40.0, 200.0), pressures=(3.0, 3.0))
"""How to anneal all of them, in prices of a cut edge."""
HOT_MOVES, ALTOGETHER, MANY = 600, 300_000, 1500
"""Proposals per unit of a hot annealing, and of all of them for each smoothing allowed; above so many units, none."""
KEPT = 5
"""Plans of which two at a time are combined."""


def smooth(region: Search, best: WorkingPartition, pool: Sequence[WorkingPartition], watch: Watch) -> WorkingPartition:
    """Return a partition, the best one or one with shorter borders, where those are dear, by annealing on coarse maps.

    Where a cut edge costs as much as the travel of several units, flips of single units find no way from one
    short border to another; blobs of units do. Each coarse map is another one; the fine one is annealed after it.
    """
    edge, problem = region.weights.boundary, region.problem
    if edge < SMOOTH * Weights.boundary or problem.has_rules or not FEW_UNITS / 2 < problem.units <= MANY_UNITS:
        return best
    count, now = min(COARSE_UNITS * problem.territories, problem.units // 2), best
    if count < FEWEST * problem.territories:
        return best
    # where plans are combined afterwards, that takes half of the effort
    turns = region.effort.smoothings if problem.units > MANY else -(-region.effort.smoothings // 2)
    for turn in range(turns):
        if watch.time_is_up():
            break
        watch.progress(turn / turns, f"Smoothing borders, worst {100 * best.worst():.1f} %")
        blobs = _on_coarse_map(region, now.assignment, now.assignment, count, COARSE)
        now = _annealed(region, blobs, FINE, FINE_MOVES, region.effort.recuts)
        best = min(best, now, key=region.rank)
        if turn % 2:
            now = best
    return best if problem.units > MANY else _crossed(region, best, pool, count)


def _crossed(region: Search, best: WorkingPartition, pool: Sequence[WorkingPartition], count: int) -> WorkingPartition:
    """Return the best of a partition, of others that are annealed hot, and of what two of them at a time make.

    What lies together in both of two plans is put together to a coarse map, on which a border that either has is a
    border to choose: annealing from one short border often finds no way to another.

    Reference: Sanders & Schulz (2012), Distributed evolutionary graph partitioning, ALENEX 2012.
    """
    turns = region.effort.smoothings
    starts = sorted(pool, key=region.rank)
    kept = [best]
    for turn in range(min(turns, turns * ALTOGETHER // (HOT_MOVES * region.problem.units))):
        if region.watch.time_is_up():
            return best
        kept.append(_annealed(region, starts[turn % len(starts)].assignment, HOT, HOT_MOVES))
    if len(kept) == 1:
        return best
    kept = sorted(kept, key=region.rank)[:KEPT]
    for _ in range(turns // 2):
        if region.watch.time_is_up():
            break
        first, second = sorted(region.rng.choice(len(kept), 2, replace=False).tolist())
        found = _combined(region, kept[first], kept[second], count)
        if region.rank(found) < region.rank(kept[second]):
            kept[second] = found
            kept.sort(key=region.rank)
    return kept[0]


def _annealed(
    region: Search, assignment: Sequence[int], schedule: Schedule, moves: int, recuts: int = 0
) -> WorkingPartition:
    """Return an assignment annealed on the fine map, usually without trees: their borders are long."""
    part, budget = region.working(assignment), moves * region.problem.units
    anneal(part, budget, _by_edge(schedule, region.weights.boundary), region.rng, Silent(region.watch), recuts)
    region.proposals += budget
    return region.polish(part.assignment)


def _combined(region: Search, one: WorkingPartition, other: WorkingPartition, count: int) -> WorkingPartition:
    """Return the first partition annealed on a coarse map that knows the borders of both."""
    alike = one.assignment == other.assignment
    overlaid = np.array(one.assignment) * region.problem.territories + np.array(other.assignment)
    blobs = _on_coarse_map(region, one.assignment, overlaid.tolist(), count, COARSE if alike else COMBINE)
    return _annealed(region, blobs, FINE, FINE_MOVES)


def _on_coarse_map(
    region: Search, assignment: Sequence[int], within: Sequence[int], count: int, schedule: Schedule
) -> np.ndarray:
    """Return an assignment annealed on a coarse map, each of whose units has one number of `within`."""
    coarse, at, _ = coarsened(region.problem, within, count, region.rng)
    search = Search(coarse, region.effort, region.weights, 0.0, region.rng, Silent(region.watch), region.aim)
    search.unit_travel = region.unit_travel
    inside = np.empty(coarse.units, dtype=int)
    inside[at] = assignment
    blobs, budget = search.working(inside), COARSE_MOVES * coarse.units
    anneal(blobs, budget, _by_edge(schedule, region.weights.boundary), region.rng, search.watch)
    region.proposals += budget
    return np.array(blobs.assignment)[at]


def _by_edge(schedule: Schedule, edge: float) -> Schedule:
    """Return a schedule whose temperatures and limits are in prices of a cut edge."""
    low, high = schedule.limits
    return replace(
        schedule, hot=edge * schedule.hot, cold=edge * schedule.cold, limits=(max(20.0, edge * low), edge * high)
    )
