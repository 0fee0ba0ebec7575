"""Short borders where they are asked for: a coarse map is annealed before the whole one."""

from __future__ import annotations

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
FINE = Schedule(hot=0.5, cold=0.005, limits=(40.0, 200.0), pressures=(3.0, 3.0))
"""How to anneal both, in prices of a cut edge."""


def smooth(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition with shorter borders, where those are dear, by annealing on coarse maps.

    Where a cut edge costs as much as the travel of several units, flips of single units find no way from one
    short border to another; blobs of units do. Each coarse map is another one; the fine one is annealed after it.
    """
    edge, problem = region.weights.boundary, region.problem
    if edge < SMOOTH * Weights.boundary or problem.has_rules or not FEW_UNITS / 2 < problem.units <= MANY_UNITS:
        return best
    count, now = min(COARSE_UNITS * problem.territories, problem.units // 2), best
    for turn in range(region.effort.smoothings):
        if watch.time_is_up() or count < FEWEST * problem.territories:
            break
        watch.progress(turn / region.effort.smoothings, f"Smoothing borders, worst {100 * best.worst():.1f} %")
        coarse, at, inside = coarsened(problem, now.assignment, count, region.rng)
        search = Search(coarse, region.effort, region.weights, 0.0, region.rng, Silent(watch), region.aim)
        search.unit_travel = region.unit_travel
        blobs = search.working(inside)
        anneal(blobs, COARSE_MOVES * coarse.units, _by_edge(COARSE, edge), region.rng, search.watch)
        part = region.working(np.array(blobs.assignment)[at])
        anneal(part, FINE_MOVES * problem.units, _by_edge(FINE, edge), region.rng, Silent(watch), region.effort.recuts)
        region.proposals += COARSE_MOVES * coarse.units + FINE_MOVES * problem.units
        now = region.polish(part.assignment)
        best = min(best, now, key=region.rank)
        if turn % 2:
            now = best
    return best


def _by_edge(schedule: Schedule, edge: float) -> Schedule:
    """Return a schedule whose temperatures and limits are in prices of a cut edge."""
    low, high = schedule.limits
    return replace(
        schedule, hot=edge * schedule.hot, cold=edge * schedule.cold, limits=(max(20.0, edge * low), edge * high)
    )
