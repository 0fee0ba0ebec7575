"""Territories outside the tolerance: founded anew, relieved through chains, annealed with those around them."""

from __future__ import annotations

import numpy as np

from ..errors import Count
from .annealing import Schedule, anneal
from .chains import pass_on
from .choosing import choose_anew, surroundings
from .contiguity import breadth_first, components
from .objective import WorkingPartition
from .recombination import recombine
from .search import FEW_UNITS, SKETCH, STRICT, Search
from .watch import Silent, Watch

MENDS = tuple(
    (Schedule(hot=hot, cold=0.02, limits=(limit, 300.0), pressures=(30.0, 3.0)), hops)
    for hot, limit, hops in (
        (0.5, 100.0, 1),
        (5.0, 5.0, 2),
        (10.0, 1.0, 3),
        (20.0, 5.0, 1),
        (5.0, 5.0, 3),
        (10.0, 1.0, 2),
        (20.0, 5.0, 4),
    )
)
"""How to anneal around what is outside the tolerance, in turn: how hot, and how many borders away."""
MENDING = 1_200_000, 0.12
"""Proposals for mending: so many, and this share of those that annealing made, whichever is more."""
MENDS_EARLY = 5
"""Of these, how many where territories were chosen anew before: what they leave costs most of the time."""
RECUTS = 20
"""Trees that are tried when a territory is split in two."""
FREE_MENDED = 10
"""Units at each border that exact splits share out anew where mending goes on."""
STARVED = 0.5
"""A territory with less than this share of its target, after annealing, is founded anew elsewhere."""
SETTLINGS, SETTLINGS_EARLY = 3, 2
"""How often founding anew, passing on and mending follow each other at most, and with choosing anew between them."""
REGROUPED_FIRST = (0.4, 0.55)
"""Share of the turns of choosing anew that is used up after each founding anew."""
MISPLACED = 0.4
"""So much, in targets, must touching territories lack together, and others hold too much, for one to move there."""
SLIGHT = 0.02
"""Excess, in targets, that is mended before territories are chosen anew, which may cost much travel."""
LITTLE = 0.25
"""Excess of all territories together, in targets, that is mended before any of them moves across the map."""
PLACES = 2
"""Places with the largest surplus around that are tried for it."""
RESETTLED = 30
"""Proposals per unit around a territory that was founded anew."""
NEAR = 4
"""Borders away at most, from where it was."""


def mend(region: Search, best: WorkingPartition, watch: Watch, most_early: int = len(MENDS)) -> WorkingPartition:
    """Return a partition with less excess, by annealing around the territories that have some.

    Each cluster of such territories and of those around them is a small problem of its own, so that what is
    gained in one is not lost to another.

    Parameters
    ----------
    region : Search
    best : WorkingPartition
    watch : Watch
    most_early : int
        Annealings at most, where territories are chosen anew before.
    """
    most = region.proposals + max(MENDING[0], int(MENDING[1] * region.proposals))
    excess = []
    mends = min(most_early, region.effort.mends // 2) if region.regroups_early else region.effort.mends
    for turn in range(mends):
        excess.append(region.rank(best)[0])
        if region.proposals >= most or (turn >= len(MENDS) and excess[-1] >= excess[-1 - len(MENDS)]):
            break
        bad = region.improvable(best)
        if not bad or region.rank(best)[0] <= 0 or region.watch.time_is_up():
            break
        schedule, hops = MENDS[turn % len(MENDS)]
        assignment = np.array(best.assignment)
        touching = best.touching()
        clusters = _clusters([surroundings(best, touching, territory, hops) for territory in bad])
        share = turn / mends
        watch.progress(
            share, f"Mending {Count(len(bad)):territory|territories}, worst deviation {100 * best.worst():.1f} %"
        )
        for cluster in clusters:
            search, units, before = region.apart(assignment, sorted(cluster), watch)
            if search.rank(before)[0] <= 0 or not before.improvable():
                continue
            working = search.working(before.assignment)
            budget = 100 * max(FEW_UNITS // 4, search.problem.units)
            anneal(working, budget, schedule, region.rng, search.watch, 4 * region.effort.recuts)
            region.proposals += budget
            after = search.polish(search.polish(working.assignment).assignment, FREE_MENDED)
            if search.rank(after) < search.rank(before):
                assignment[units] = np.array(sorted(cluster))[after.assignment]
        best = region.working(assignment, STRICT)
    return best


def settle_all(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition with less excess: territories founded anew, workload passed on, what is left mended."""
    settlings = SETTLINGS
    if region.regroups_early:
        settlings = min(SETTLINGS_EARLY, 1 + region.effort.mends // len(MENDS))
    for turn in range(settlings):
        # what little excess there is may do without a territory that moves, and its travel
        moved = best if not turn and best.excess() < LITTLE else resettle(region, best)
        if (turn and moved is best) or not moved.improvable() or region.watch.time_is_up():
            return moved
        stretch = watch.part(turn / settlings, (turn + 1) / settlings)
        moved = relieve(region, moved)
        slight = not turn and moved.excess() < SLIGHT
        if region.regroups_early and not slight:
            # where it can be done, choosing many anew costs less than mending, and leaves less to mend
            moved = choose_anew(region, moved, stretch.part(0.0, 0.5), REGROUPED_FIRST[turn])
        mends = len(MENDS) if slight else MENDS_EARLY
        best = relieve(region, mend(region, moved, stretch.part(0.5, 1.0), mends))
    return best


def relieve(region: Search, best: WorkingPartition) -> WorkingPartition:
    """Return a partition with less excess, passed on from territory to territory to where there is room."""
    if region.rank(best)[0] <= 0:
        return best
    part = region.working(best.assignment, STRICT)
    return region.polish(part.assignment) if pass_on(part, region.watch) else best


def resettle(region: Search, best: WorkingPartition) -> WorkingPartition:
    """Return a partition whose misplaced territories were given up and founded anew where workload is.

    A territory that holds nothing but units without workload gains nothing by any flip, and stays there while
    those around carry what it should: the fullest near it is split instead. Where many together hold too little,
    and many elsewhere too much, one of the former is in the wrong place.
    """
    problem, touching = region.problem, best.touching()
    for starved in best.improvable():
        if region.watch.time_is_up():
            return best
        if problem.anchor[starved] >= 0 or best.load[starved] >= STARVED * problem.target[starved]:
            continue
        near = sorted(best.within_hops([starved], NEAR, touching) - {starved})
        donors = [max(near, key=lambda t: best.load[t] - best.target[t])] if near else []
        donors += [t for t in _fullest(region, best, touching) if t not in (*donors, starved)]
        best, touching = _first_better(region, best, touching, [(starved, donor) for donor in donors])
    for _ in range(region.effort.mends):
        if region.watch.time_is_up():
            return best
        before = best
        best, touching = _first_better(region, best, touching, _misplaced(region, best, touching))
        if best is before:
            break
    return best


def _misplaced(region: Search, best: WorkingPartition, touching: list[list[int]]) -> list[tuple[int, int]]:
    """Return pairs of a territory where much is lacking and of one where much is held too much.

    Those that lack, or hold too much, most together have one of the pair, if it is enough for one territory.
    """
    problem, bad = region.problem, set(best.improvable())
    off = [(load - target) * best.per_target for load, target in zip(best.load, best.target)]
    free = [t for t in range(len(off)) if not problem.oversize[t] and problem.anchor[t] < 0]
    groups, sums = {}, {}
    for sign in (-1, 1):
        found = [
            (sign * sum(off[t] for t in group), group)
            for group in components(touching, [t for t in free if sign * off[t] > problem.tolerance / 2])
            if bad & set(group)
        ]
        sums[sign], groups[sign] = max(found, default=(0.0, []))
    if max(sums.values()) < MISPLACED:
        return []
    empty, full = _fullest(region, best, touching, -1), _fullest(region, best, touching)
    if sums[-1] >= MISPLACED:
        empty = [min(groups[-1], key=lambda t: (best.load[t], t))]
    if sums[1] >= MISPLACED:
        full = [max(groups[1], key=lambda t: (best.load[t], -t)), *full]
    return [(one, other) for one in empty for other in dict.fromkeys(full) if one != other]


def _refounded(
    region: Search, best: WorkingPartition, touching: list[list[int]], starved: int, donor: int
) -> WorkingPartition:
    """Return the partition in which a territory was given up and founded anew by splitting another, if better."""
    near = surroundings(best, touching, starved, NEAR)
    if donor not in near:
        near = surroundings(best, touching, starved, 2) | surroundings(best, touching, donor, NEAR)
    search, units, before = region.apart(best.assignment, sorted(near), region.watch)
    cluster = sorted(near)
    trial = _founded(search, before, cluster.index(starved), cluster.index(donor))
    region.proposals += search.proposals
    if search.rank(trial) >= search.rank(before):
        return best
    return region.exchanged(best, units, np.array(cluster)[trial.assignment])


def _founded(region: Search, before: WorkingPartition, starved: int, donor: int) -> WorkingPartition:
    """Return a partition in which one territory went to those around it, and another was split in two for it."""
    problem = region.problem
    assignment = [-1 if home == starved else home for home in before.assignment]
    # its own units go to those around, the rim first
    queue = [unit for unit, home in enumerate(before.assignment) if home == starved]
    load = list(before.load)
    while queue:
        left = []
        for unit in queue:
            homes = sorted({assignment[other] for other in problem.neighbours[unit]} - {-1})
            if homes:
                home = min(homes, key=lambda t: (load[t] - before.target[t], t))
                assignment[unit] = home
                load[home] += before.workload[unit]
            else:
                left.append(unit)
        if len(left) == len(queue):
            return before
        queue = left
    inside = [unit for unit, home in enumerate(assignment) if home == donor]
    assignment[breadth_first(problem.neighbours, assignment, inside[:1])[-1]] = starved
    pair = sorted((donor, starved))
    search, units, split = region.apart(assignment, pair, region.watch)
    recombine(split, [0, 1], RECUTS, 0.0, region.rng, search.problem.units)
    fixed = np.array(assignment)
    fixed[units] = np.array(pair)[split.assignment]
    working = region.working(fixed)
    budget = RESETTLED * max(FEW_UNITS, problem.units)
    anneal(working, budget, SKETCH, region.rng, Silent(region.watch), region.effort.recuts)
    region.proposals += budget
    return relieve(region, region.polish(working.assignment))


def _first_better(region: Search, best: WorkingPartition, touching: list[list[int]], pairs: list[tuple[int, int]]):
    """Return the partition after the first pair of given up and split territories that helps, and who touches."""
    for starved, donor in pairs:
        if region.watch.time_is_up():
            break
        if region.problem.anchor[donor] < 0 and best.count[donor] > 1:
            trial = _refounded(region, best, touching, starved, donor)
            if trial is not best:
                return trial, trial.touching()
    return best, touching


def _fullest(region: Search, best: WorkingPartition, touching: list[list[int]], sign: int = 1) -> list[int]:
    """Return the territories that hold most too much together with those around; with sign -1, too little."""
    problem = region.problem
    off = [sign * (load - target) * best.per_target for load, target in zip(best.load, best.target)]
    free = [t for t in range(len(off)) if not problem.oversize[t] and problem.anchor[t] < 0]
    around = {t: off[t] + sum(off[other] for other in touching[t] if not problem.oversize[other]) for t in free}
    chosen: list[int] = []
    for t in sorted(free, key=lambda t: (-around[t], t)):
        if not set(touching[t]) & set(chosen):
            chosen.append(t)
        if len(chosen) == PLACES:
            break
    return chosen


def _clusters(neighbourhoods: list[set[int]]) -> list[set[int]]:
    """Return the unions of the sets that overlap, in the order of their least members."""
    clusters: list[set[int]] = []
    for fresh in neighbourhoods:
        apart = []
        for cluster in clusters:
            if cluster & fresh:
                fresh = fresh | cluster
            else:
                apart.append(cluster)
        clusters = [*apart, fresh]
    return sorted(clusters, key=min)
