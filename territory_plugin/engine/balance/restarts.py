"""Small maps: searched again and again, from other centres and from the best plan."""

from __future__ import annotations

from .annealing import Schedule, anneal
from .capacitated_lloyd import Centres, capacitated_lloyd
from .contiguity import assign_to_centres
from .exchanging import exchange
from .objective import WorkingPartition
from .search import FEW_UNITS, SMALL_UNITS, Search
from .watch import Silent, Watch

KICKS = (
    Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0)),
    Schedule(hot=3.0, cold=0.1, limits=(5.0, 100.0), pressures=(3.0, 3.0)),
    Schedule(hot=6.0, cold=0.3, limits=(5.0, 100.0), pressures=(10.0, 3.0)),
)
"""How to anneal a small map on from its best plan, in turn."""
KICK = 40
"""Proposals per unit for each."""
CHAIN = 6
"""So many annealings go on from each other; then others begin, in turn with the best plan and with other centres."""
AGREED = 1 / 40
"""After so many chains from other centres, per restart allowed, that end with the best plan, no more are tried."""
FREE, FREE_OF_FEW = 12, 17
"""Units at each border that exact splits of a small map share out anew; all, where a map has hardly more."""
EXCHANGED, EXCHANGED_AT_BEST = 2, 3
"""Units of each territory that are exchanged at once after an annealing, and after one that found the best plan."""
PROMISING = 1.05
"""Plans that cost so many times the best are looked at for exchanges."""


def restart(region: Search, best: WorkingPartition, centres: list[Centres], watch: Watch) -> WorkingPartition:
    """Return a better partition of a small map, from many short annealings and exact splits.

    Chains of them begin with the best one and with other centres, until the best was found again and again.
    """
    problem = region.problem
    free = FREE if problem.units > FREE_OF_FEW else FREE_OF_FEW
    now = best = min(best, region.polish(best.assignment, free), key=region.rank)
    agreed = 0
    for turn in range(max(region.effort.restarts, region.effort.retries)):
        within = not best.improvable()
        most = region.effort.restarts if within else region.effort.retries
        if turn >= most or (within and (agreed >= AGREED * most or problem.units > SMALL_UNITS)) or watch.time_is_up():
            break
        watch.progress(turn / most, f"Searching again, worst deviation {100 * best.worst():.1f} %")
        chain, link = divmod(turn, CHAIN)
        start = best.assignment if link == 0 else now.assignment
        if link == 0 and chain % 2:
            if chain // 2 % len(centres) == len(centres) - 1:
                silent = Silent(watch)
                centres = capacitated_lloyd(
                    problem, len(centres), region.effort.rounds, len(centres), region.rng, silent
                )
            start = assign_to_centres(problem, centres[chain // 2 % len(centres)])
        # a tight tolerance is a matter of single units: then aim at all of it, too
        part = region.working(start, None if turn % 2 else region.weights.limit)
        budget = KICK * max(FEW_UNITS, problem.units)
        anneal(part, budget, KICKS[turn % len(KICKS)], region.rng, Silent(watch), region.effort.recuts)
        region.proposals += budget
        found = region.polish(part.assignment, free)
        if not found.outside() and found.cost() < PROMISING * best.cost():
            found = _exchanged(region, found, best, EXCHANGED, free)
            if region.rank(found) < region.rank(best):
                found = _exchanged(region, found, found, EXCHANGED_AT_BEST, free)
        now = found if link == 0 else min(now, found, key=region.rank)
        gain = region.rank(best)[0] - region.rank(now)[0], region.rank(best)[1] - region.rank(now)[1]
        if gain > (1e-9, 0.0) or (abs(gain[0]) < 1e-9 and gain[1] > 1e-6):
            best, agreed = now, 0
        elif abs(gain[0]) < 1e-9 and abs(gain[1]) < 1e-6:
            agreed += link == CHAIN - 1 and chain % 2
    return best


def _exchanged(
    region: Search, part: WorkingPartition, best: WorkingPartition, units: int, free: int
) -> WorkingPartition:
    """Return a partition after the best exchanges among all territories, and again, until none can beat the best."""
    while True:
        better = exchange(part, units, region.watch, best.cost())
        if better is None:
            return part
        after = region.polish(better, free)
        if region.rank(after) >= region.rank(part):
            return part
        part = after
