"""Small maps: searched again and again, from other centres and from the best plan."""

from __future__ import annotations

from .annealing import Schedule, anneal
from .capacitated_lloyd import Centres, capacitated_lloyd
from .contiguity import assign_to_centres
from .objective import WorkingPartition
from .search import FEW_UNITS, SMALL_UNITS, Search
from .watch import Silent, Watch

KICKS = (
    Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0)),
    Schedule(hot=3.0, cold=0.1, limits=(5.0, 100.0), pressures=(3.0, 3.0)),
)
"""How to anneal a small map on from its best plan, in turn."""
KICK = 20
"""Proposals per unit for each."""
FRESH = 4
"""Every so many restarts of a small map begin with other centres."""
AGREED = 3
"""After so many restarts from other centres that end with the best plan, no more are tried."""
FREE, FREE_OF_FEW = 12, 17
"""Units at each border that exact splits of a small map share out anew; all, where a map has hardly more."""


def restart(region: Search, best: WorkingPartition, centres: list[Centres], watch: Watch) -> WorkingPartition:
    """Return a better partition of a small map, from many short annealings and exact splits.

    They go on from the best one, now and then from other centres, until the best was found again and again.
    """
    problem = region.problem
    free = FREE if problem.units > FREE_OF_FEW else FREE_OF_FEW
    best = min(best, region.polish(best.assignment, free), key=region.rank)
    agreed = 0
    for turn in range(max(region.effort.restarts, region.effort.retries)):
        within = not best.improvable()
        most = region.effort.restarts if within else region.effort.retries
        if turn >= most or (within and (agreed >= AGREED or problem.units > SMALL_UNITS)) or watch.time_is_up():
            break
        watch.progress(turn / most, f"Searching again, worst deviation {100 * best.worst():.1f} %")
        start = best.assignment
        fresh = turn % FRESH == FRESH - 1
        if fresh:
            if turn // FRESH % len(centres) == len(centres) - 1:
                silent = Silent(watch)
                centres = capacitated_lloyd(
                    problem, len(centres), region.effort.rounds, len(centres), region.rng, silent
                )
            start = assign_to_centres(problem, centres[turn // FRESH % len(centres)])
        # a tight tolerance is a matter of single units: then aim at all of it, too
        part = region.working(start, None if turn % 2 else region.weights.limit)
        budget = KICK * max(FEW_UNITS, problem.units)
        anneal(part, budget, KICKS[turn % len(KICKS)], region.rng, Silent(watch), region.effort.recuts)
        region.proposals += budget
        found = region.polish(part.assignment, free)
        gain = region.rank(best)[0] - region.rank(found)[0], region.rank(best)[1] - region.rank(found)[1]
        if abs(gain[0]) < 1e-9 and abs(gain[1]) < 1e-6:
            agreed += fresh
        elif gain > (0.0, 0.0):
            best, agreed = found, 0
    return best
