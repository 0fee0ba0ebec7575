"""Territories chosen anew together: all of a small map, or a neighbourhood of one that is outside."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from ..errors import Count
from .annealing import Schedule, anneal
from .coarse import fewest_outside_coarse
from .exact import Proof, alike, fewest_outside, least_worst
from .near_today import Extent, choose_near_today
from .objective import WorkingPartition
from .pockets import FEW_PIECES, Excuses
from .search import FEW_UNITS, LARGEST_CLUSTER, MANY_UNITS, STRICT, Search
from .watch import Silent, Watch

LISTED, LISTED_UNITS, LISTED_TOGETHER = 12_000, 120, 20
"""Connected sets that are listed for a cluster, units that they are made of, and territories in it, at most."""
LISTED_FIRST = 4
"""How many times more sets are listed for all territories of a small map at once."""
REGROUPED = (
    *((6, True), (4, False), (13, True), (9, False), (17, True), (5, False), (12, True), (7, False), (15, True)),
    *((3, False), (9, True), (11, False), (17, True)),
)
"""Territories that are chosen anew together, in turn, and whether units are put together within them only. Their
number is prime: each of several territories outside meets them all."""
TRAVEL, LONGER_WAYS = 0.1, 0.75
"""What travel weighs beside a territory outside, up to this share of the turns; then balance alone counts."""
NEAR_OUTSIDE, NEAR_HOPS, NEAR_UNITS = 3, 3, (4, 5)
"""Where so few are outside, those so many borders away get sets near the ones that they have, of so many coarse units,
turn by turn."""
NEAR_TURNS, NEAR_HEAVIEST = 10, 4
"""Turns at most; in every so many territories keep their heaviest unit, in the others one drawn by chance."""
NEAR = Extent(seen=2_000, rounds=4, kept=None, columns=1_000)
"""How far such a turn goes."""
PART, PARTS, HOPS = 3, 8, 4
"""On large maps: one in so many of the turns and sets for each territory outside, for how many, and how many borders
away others are chosen anew with it."""
BESIDE = 10
"""By what the sets that are listed around a territory are fewer where territories were chosen anew before."""
RECOVERY = Schedule(hot=0.4, cold=0.02, limits=(STRICT, STRICT), pressures=(3.0, 3.0))
FREE_RECOVERED = 10
"""Units at each border that are shared out exactly after it."""
FEW_LISTED, SETS_PER_UNIT = 30, 10_000
"""Units of a map whose territories are listed for the sake of travel and borders, too, and the effort it takes."""


def list_all(region: Search, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
    """Return the partition with the smallest largest deviation, and its proof, where all territories can be listed.

    Those that exist for the sake of a heavy unit keep their units.
    """
    usual = np.flatnonzero(~region.problem.oversize).tolist()
    few = LISTED_UNITS if best.improvable() else min(FEW_LISTED, region.effort.sets // SETS_PER_UNIT)
    if not usual or sum(best.count[t] for t in usual) > few or not alike(region.problem, usual) or watch.time_is_up():
        return best, []
    watch.progress(0.0, f"Listing all territories, worst deviation {100 * best.worst():.1f} %")
    search, units, before = region.apart(best.assignment, usual, watch)
    exact = least_worst(before, search.watch, LISTED_FIRST * region.effort.sets)
    if exact.assignment is not None:
        after = search.settle(exact.assignment)
        if _rank_by_worst(search, after) < _rank_by_worst(search, before):
            best = region.exchanged(best, units, np.array(usual)[after.assignment])
    proof = Proof(tuple(units.tolist()), len(usual), exact.bound, 0)
    return best, [proof] if exact.bound else []


def list_clusters(region: Search, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
    """Return a partition with fewer territories outside the tolerance, and proofs where there cannot be fewer.

    One of them is taken together with those around it, the ones with the fewest units first, and the best choice
    of all connected sets of their units replaces them.
    """
    proofs: dict[int, Proof] = {}
    left = region.effort.sets // BESIDE if region.regroups_early else region.effort.sets
    tried: set[int] = set()
    while left > 0 and not watch.time_is_up():
        bad = [t for t in best.improvable() if t not in tried and alike(region.problem, [t])]
        if not bad:
            break
        worst = max(bad, key=lambda t: (abs(best.load[t] - best.target[t]), -t))
        tried.add(worst)
        watch.progress(1 - left / region.effort.sets, f"Listing around it, worst deviation {100 * best.worst():.1f} %")
        cluster = [worst]
        while left > 0 and not watch.time_is_up():
            size, touching = len(cluster), best.touching()
            while cluster is not None and len(cluster) < 1.4 * size:
                cluster = _wider(region, best, cluster, touching)
            if cluster is None:
                break
            search, units, before = region.apart(best.assignment, cluster, watch)
            exact = fewest_outside(before, search.watch, min(left, LISTED))
            left -= exact.sets
            if exact.assignment is None:
                break
            outside = len(before.outside())
            if exact.outside:
                proofs[worst] = Proof(tuple(units.tolist()), len(cluster), 0.0, exact.outside)
            after = search.settle(exact.assignment)
            if (len(after.outside()), *search.rank(after)) < (outside, *search.rank(before)):
                best = region.exchanged(best, units, np.array(cluster)[after.assignment])
                if len(after.outside()) < outside:
                    tried -= set(cluster)
                    break
    outside = set(best.outside())
    return best, [proof for t, proof in sorted(proofs.items()) if t in outside]


def regroup(region: Search, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
    """Return a partition with fewer territories outside the tolerance, and proofs where there cannot be fewer."""
    if region.excuses is None or not best.improvable():
        return best, []
    best = (
        _regroup_in_parts(region, best, watch)
        if region.problem.units > MANY_UNITS
        else choose_anew(region, best, watch)
    )
    region.excuses.unexcused(best, region.effort.pieces)
    return best, _proofs(region.excuses, best)


def choose_anew(region: Search, best: WorkingPartition, watch: Watch, share: float = 1.0) -> WorkingPartition:
    """Return a partition with fewer territories outside the tolerance.

    One of them is taken together with some of those around it, and all are chosen anew, from coarse units that
    differ from turn to turn. Plans that are as good are gone on from, too; the best one counts.

    Parameters
    ----------
    region : Search
        Whose `excuses` are known.
    best : WorkingPartition
    watch : Watch
    share : float
        Of the turns, and of the sets to choose from, that the search may use for one plan.
    """
    effort = region.effort
    now, pieces = best, min(FEW_PIECES, effort.pieces // 3)
    bad, beside = region.excuses.unexcused(now, pieces), now.touching()
    while bad and not watch.time_is_up():
        if region.turns >= share * effort.regroups or region.listed >= share * effort.columns:
            break
        turn = region.turns
        region.turns += 1
        watch.progress(
            turn / effort.regroups,
            f"Regrouping {Count(len(bad)):territory|territories}, worst {100 * now.worst():.1f} %",
        )
        size, within = REGROUPED[turn % len(REGROUPED)]
        cluster = _drawn_around(region, now, beside, bad[turn % len(bad)], size, turn % 2 == 0)
        search, units, before = region.apart(now.assignment, cluster, watch)
        used = max(turn / effort.regroups, region.listed / effort.columns)
        travel = TRAVEL if used < LONGER_WAYS else 0.0
        found = fewest_outside_coarse(before, region.rng, search.watch, within, travel)
        region.listed += found.sets
        if found.assignment is None:
            continue
        after = search.settle(found.assignment)
        if _misses(after) <= _misses(before):
            now = region.exchanged(now, units, np.array(cluster)[after.assignment])
            best = min(best, now, key=lambda part: (*_misses(part), region.rank(part)))
            bad, beside = region.excuses.unexcused(now, pieces), now.touching()
    return best


def choose_near(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition with less excess, where few territories are outside the tolerance.

    They and those around get one set each that is near the one they have, all at once: what rebalancing does near
    today's alignment (`choose_near_today`), with the plan in its place. What that finds, coarse units drawn by chance
    would have to hit: a unit from each of a dozen territories to the next.
    """
    # chance of its own: plans from other starts stay what they are without it
    vain, chance, bad = 0, np.random.default_rng(0), region.improvable(best)
    for turn in range(NEAR_TURNS):
        if vain == region.effort.nears or not 0 < len(bad) <= NEAR_OUTSIDE or watch.time_is_up():
            break
        watch.progress(turn / NEAR_TURNS, f"Choosing sets near by, worst deviation {100 * best.worst():.1f} %")
        cluster = sorted(best.within_hops(bad, NEAR_HOPS))
        search, units, before = region.apart(best.assignment, cluster, watch)
        now, few = np.array(before.assignment), NEAR_UNITS[turn % len(NEAR_UNITS)]
        problem = replace(search.problem, current=now, stay=search.problem.workload)
        limits, by_chance = problem.limits(problem.tolerance), turn % NEAR_HEAVIEST > 0
        found = choose_near_today(problem, now, limits, few, by_chance, chance, search.watch, extent=NEAR)
        vain += 1
        after = before if found is None else search.settle(found.tolist())
        if search.rank(after)[0] < search.rank(before)[0]:
            best, vain = region.exchanged(best, units, np.array(cluster)[after.assignment]), 0
            bad = region.improvable(best)
    return best


def _regroup_in_parts(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition of a large map after choosing anew around each territory outside, as on a map of its own.

    Again and again, as long as that leaves less outside.
    """
    effort = region.effort
    effort = replace(effort, regroups=effort.regroups // PART, columns=effort.columns // PART)
    before = None
    while before is None or _misses(best) < _misses(before):
        before = best
        bad = [t for t in region.excuses.unexcused(best) if alike(region.problem, [t])]
        for territory in sorted(bad, key=lambda t: (abs(best.load[t] - best.target[t]), t)):
            used = region.listed / (PARTS * effort.columns)
            if used >= 1 or watch.time_is_up():
                return best
            if territory not in best.outside():
                continue
            watch.progress(used, f"Regrouping around it, worst deviation {100 * best.worst():.1f} %")
            near = surroundings(best, best.touching(), territory, HOPS)
            cluster = sorted(t for t in near if alike(region.problem, [t]))
            search, units, apart = region.apart(best.assignment, cluster, watch)
            search.effort, search.excuses = effort, Excuses(search.problem, Silent(watch))
            after = choose_anew(search, apart, search.watch)
            region.listed += search.listed
            if _misses(after) < _misses(apart):
                best = region.exchanged(best, units, np.array(cluster)[after.assignment])
    return best


def surroundings(best: WorkingPartition, touching: list[list[int]], territory: int, hops: int) -> set[int]:
    """Return a territory and those around it, fewer hops away where there would be too many units."""
    while True:
        near = best.within_hops([territory], hops, touching)
        if hops == 1 or sum(best.count[each] for each in near) <= LARGEST_CLUSTER:
            return near
        hops -= 1


def recover_travel(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition as near to the targets, with less travel and border, after territories were chosen anew.

    It is annealed at prices that give nothing of the balance away.
    """
    problem, effort = region.problem, region.effort
    # where some are outside still, that is not worth as much
    per_unit = min(effort.sketch, effort.refine) if best.improvable() else effort.refine
    if not region.turns or not per_unit or problem.units > MANY_UNITS or watch.time_is_up():
        return best
    budget = per_unit * max(FEW_UNITS, problem.units)
    part = region.working(best.assignment, STRICT)
    anneal(part, budget, RECOVERY, region.rng, watch, effort.recuts, "Shortening travel")
    region.proposals += budget
    return min(best, region.polish(part.assignment, FREE_RECOVERED), key=region.rank)


def prove_pockets(part: WorkingPartition, pieces: int, watch: Watch) -> list[Proof]:
    """Return proofs, where so many pieces give any, of why territories outside the tolerance are not much nearer to it.

    Of a plan near today's alignment, too: what no plan can do, none near it can.
    """
    problem = replace(part.problem, current=None, stay=None)
    usual = np.flatnonzero(~problem.oversize).tolist()
    if not part.improvable() or len(usual) < 2 or not alike(problem, usual):
        return []
    excuses = Excuses(problem, Silent(watch))
    excuses.unexcused(part, pieces)
    return _proofs(excuses, part)


def _proofs(excuses: Excuses, part: WorkingPartition) -> list[Proof]:
    """Return what the pockets found prove of the territories outside."""
    outside, held = set(part.outside()), np.array(part.assignment)
    proofs = [Proof(each.units, 0, each.bound, 0) for each in excuses.found]
    return [proof for proof in proofs if not outside.isdisjoint(held[list(proof.units)].tolist())]


def _drawn_around(
    region: Search, best: WorkingPartition, beside: list[list[int]], territory: int, size: int, few: bool
) -> list[int]:
    """Return a territory and some of those around it, by chance, those with few units more often if that is asked."""
    problem, cluster = region.problem, [territory]
    while len(cluster) < size:
        near = sorted(set().union(*(beside[t] for t in cluster)) - set(cluster))
        near = [t for t in near if not problem.oversize[t]]
        if not near:
            break
        chance = region.rng.random(len(near))
        weigh = np.array([best.count[t] for t in near]) if few else np.ones(len(near))
        cluster.append(near[int(np.argmin(-np.log1p(-chance) * weigh))])
        if sum(best.count[t] for t in cluster) > LARGEST_CLUSTER:
            cluster.pop()
            break
    return sorted(cluster)


def _wider(region: Search, best: WorkingPartition, cluster: list[int], touching: list[list[int]]) -> list[int] | None:
    """Return a cluster and the territory with the fewest units beside it; None when there is none, or too many."""
    problem = region.problem
    near = sorted(best.within_hops(cluster, 1, touching) - set(cluster))
    near = [t for t in near if alike(problem, [*cluster, t])]
    if not near:
        return None
    wider = [*cluster, min(near, key=lambda t: (best.count[t], t))]
    few = len(wider) <= LISTED_TOGETHER and sum(best.count[t] for t in wider) <= LISTED_UNITS
    return wider if few else None


def _rank_by_worst(region: Search, part: WorkingPartition) -> tuple[float, float, float]:
    """Return what makes one partition better than another where the worst territory counts first."""
    excess = [max(load - high, low - load, 0.0) for load, low, high in zip(part.load, part.low, part.high)]
    return round(max(excess) * part.per_target, 9), *region.rank(part)


def _misses(part: WorkingPartition) -> tuple[int, float]:
    """Return how many territories are outside, and by how much together."""
    return len(part.outside()), round(part.excess(), 9)
