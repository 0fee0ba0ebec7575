"""Short borders where they are asked for: coarse maps are annealed, and what two plans agree on is kept together.

Reference: Sanders & Schulz (2012), Distributed evolutionary graph partitioning, ALENEX 2012.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import ceil

import numpy as np

from .annealing import Schedule, anneal, descend
from .coarsening import coarsened
from .effort import Effort
from .objective import Weights, WorkingPartition
from .problem import Problem
from .search import FEW_UNITS, MANY_UNITS, STRICT, Search
from .watch import Silent, Watch

SMOOTH = 5.0
"""How much dearer than usual borders are where coarse maps are annealed for them."""
LEAST_COARSE, MOST_COARSE, FEW_COARSE = 200, 600, 15
"""Coarse units of a map, drawn between these, and for each territory at least, as far as half its units allow: other
sizes find other borders."""
EXPLORING, SHARING, FINE_MOVES = 100, 60, 40
"""Proposals per unit on the coarse map when it ends elsewhere, when two plans are combined, and on the fine map."""
EXPLORED = 0.6
"""Share of the coarse maps after which plans are combined."""
RECUTS = 10
"""Recombinations tried per batch of proposals on the coarse map: cheap there, and they move whole territories."""
USUAL_UNITS = 1000
"""Units of a map that gets all its turns; larger ones get as many fewer."""
FEWEST = 10
"""Coarse units for each territory that a map has room for, at half its units; one that has not is left as it is."""
COOL = Schedule(hot=1.0, cold=0.2, limits=(4.0, 100.0), pressures=(100.0, 30.0))
ROUGH = 0.7
FINE = Schedule(hot=0.5, cold=0.005, limits=(40.0, 200.0), pressures=(3.0, 3.0))
"""How to anneal a coarse map so that its borders straighten, and the fine one after it, in prices of a cut edge; and
how hot borders end elsewhere, beside the root of a territory's units: its border has about so many edges."""
KEPT = 6
"""Plans of which two at a time are combined."""


def is_smoothed(problem: Problem, effort: Effort, weights: Weights) -> bool:
    """Answer whether borders are so dear, and the map of such a size, that coarse maps are annealed for them."""
    return (
        weights.boundary >= SMOOTH * Weights.boundary
        and not problem.has_rules
        and FEW_UNITS / 2 < problem.units <= MANY_UNITS
        and problem.units // 2 >= FEWEST * problem.territories
        and effort.smoothings > 0
    )


def smooth(region: Search, best: WorkingPartition, pool: Sequence[WorkingPartition], watch: Watch) -> WorkingPartition:
    """Return a partition, the best one or one with shorter borders, where those are dear, by annealing on coarse maps.

    Where a cut edge costs as much as the travel of several units, flips of single units find no way from one
    short border to another; blobs of units do. Each plan of the pool is annealed so, cool, then in turn the best
    one, where the last one ended and the pool again, hot; then two of the best at a time are combined, and the worse
    of them gives way to what is better. Small maps take as long with more turns.
    """
    if not is_smoothed(region.problem, region.effort, region.weights):
        return best
    turns = ceil(region.effort.smoothings * min(1.0, USUAL_UNITS / region.problem.units))
    starts = sorted(pool, key=region.rank)
    kept, found = [best], best
    hot = replace(COOL, hot=ROUGH * (region.problem.units / region.problem.territories) ** 0.5)
    for turn in range(turns):
        if watch.time_is_up():
            break
        watch.progress(turn / turns, f"Smoothing borders, worst {100 * kept[0].worst():.1f} %")
        if turn >= EXPLORED * turns and len(kept) > 1:
            first, second = sorted(region.rng.choice(len(kept), 2, replace=False).tolist())
            found = _combined(region, kept[first], kept[second])
            if region.rank(found) < region.rank(kept[second]) and _is_new(found, kept):
                kept[second] = found
                kept.sort(key=region.rank)
            continue
        if turn < len(starts):
            found = _annealed(region, starts[turn], starts[turn].assignment, COOL, EXPLORING)
        else:
            # in turn from the best, on from where the last one ended, and from one of the starts
            start = (kept[0], found, starts[turn % len(starts)])[turn % 3]
            found = _annealed(region, start, start.assignment, hot, EXPLORING)
        if _is_new(found, kept):
            kept = sorted([*kept, found], key=region.rank)[:KEPT]
    return kept[0]


def _is_new(part: WorkingPartition, kept: Sequence[WorkingPartition]) -> bool:
    """Answer whether a partition is none of some others."""
    return all(part.assignment != each.assignment for each in kept)


def _combined(region: Search, one: WorkingPartition, other: WorkingPartition) -> WorkingPartition:
    """Return the first partition annealed on a coarse map that knows the borders of both.

    What lies together in both is put together, so that a border that either has is a border to choose.
    """
    overlaid = np.array(one.assignment) * region.problem.territories + np.array(other.assignment)
    return _annealed(region, one, overlaid.tolist(), COOL, SHARING)


def _annealed(
    region: Search, start: WorkingPartition, within: Sequence[int], schedule: Schedule, moves: int
) -> WorkingPartition:
    """Return a partition annealed on a coarse map, each of whose units has one number of `within`, then on all units.

    On the fine map without trees: their borders are long.
    """
    problem, edge = region.problem, region.weights.boundary
    most = problem.units // 2
    least = min(most, max(LEAST_COARSE, FEW_COARSE * problem.territories))
    count = int(region.rng.integers(least, max(least, min(most, MOST_COARSE)) + 1))
    coarse, at, _ = coarsened(problem, within, count, region.rng)
    search = Search(coarse, region.effort, region.weights, 0.0, region.rng, Silent(region.watch), region.aim)
    search.unit_travel = region.unit_travel
    inside = np.empty(coarse.units, dtype=int)
    inside[at] = start.assignment
    blobs, budget = search.working(inside), moves * coarse.units
    anneal(blobs, budget, _by_edge(schedule, edge), region.rng, search.watch, RECUTS)
    part, fine = region.working(np.array(blobs.assignment)[at]), FINE_MOVES * problem.units
    anneal(part, fine, _by_edge(FINE, edge), region.rng, search.watch)
    region.proposals += budget + fine
    part = region.polish(part.assignment)
    if part.excess() > 0:
        # what is left of the excess costs less than an edge: pay more
        part.weights = part.weights.with_limit(region.strict)
        descend(part, search.watch)
        part.weights = part.weights.with_limit(STRICT)
    return part


def _by_edge(schedule: Schedule, edge: float) -> Schedule:
    """Return a schedule whose temperatures and limits are in prices of a cut edge."""
    low, high = schedule.limits
    return replace(
        schedule, hot=edge * schedule.hot, cold=edge * schedule.cold, limits=(max(20.0, edge * low), edge * high)
    )
