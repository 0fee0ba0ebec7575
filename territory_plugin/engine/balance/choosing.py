"""Territories chosen anew together: all of a small map, or a neighbourhood of one that is outside."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np

from ..errors import Count
from .coarse import fewest_outside_coarse
from .exact import Proof, alike, fewest_outside, least_worst
from .objective import WorkingPartition
from .pockets import Pocket, Pockets
from .search import LARGEST_CLUSTER, MANY_UNITS, Search
from .watch import Silent, Watch

LISTED, LISTED_UNITS, LISTED_TOGETHER = 12_000, 120, 20
"""Connected sets that are listed for a cluster, units that they are made of, and territories in it, at most."""
LISTED_FIRST = 4
"""How many times more sets are listed for all territories of a small map at once."""
REGROUPED = (6, 9, 12, 15, 7, 11, 17, 5, 13)
"""Territories that are chosen anew together, in turn."""
FEW_PIECES = 3_000
"""Pieces of a pocket that are listed while others are still sought."""
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
    left = region.effort.sets
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
    """Return a partition with fewer territories outside the tolerance, and proofs where there cannot be fewer.

    One of them is taken together with some of those around it, and all are chosen anew, from coarse units that
    differ from turn to turn. Plans that are as good are gone on from, too; the best one counts.
    """
    problem = region.problem
    usual = np.flatnonzero(~problem.oversize).tolist()
    if not best.improvable() or len(usual) < 2 or not alike(problem, usual):
        return best, []
    pockets = _Excuses(Pockets(problem), Silent(watch))
    left, now = region.effort.columns, best
    bad, beside = pockets.unexcused(now, FEW_PIECES), now.touching()
    for turn in range(region.effort.regroups):
        if not bad or left <= 0 or watch.time_is_up():
            break
        watch.progress(
            turn / region.effort.regroups,
            f"Regrouping {Count(len(bad)):territory|territories}, worst {100 * now.worst():.1f} %",
        )
        cluster = _drawn_around(region, now, beside, bad[turn % len(bad)], turn)
        search, units, before = region.apart(now.assignment, cluster, watch)
        found = fewest_outside_coarse(before, region.rng, search.watch, turn // 2 % 2 == 0)
        left -= found.sets
        if found.assignment is None:
            continue
        after = search.settle(found.assignment)
        if _misses(after) < _misses(before) or (_misses(after) == _misses(before) and problem.units <= MANY_UNITS):
            now = region.exchanged(now, units, np.array(cluster)[after.assignment])
            best = min(best, now, key=lambda part: (*_misses(part), region.rank(part)))
            bad, beside = pockets.unexcused(now, FEW_PIECES), now.touching()
    return best, pockets.proofs(best, region.effort.pieces)


def prove_pockets(part: WorkingPartition, pieces: int, watch: Watch) -> list[Proof]:
    """Return proofs, where so many pieces give any, of why territories outside the tolerance are not much nearer to it.

    Of a plan near today's alignment, too: what no plan can do, none near it can.
    """
    problem = replace(part.problem, current=None, stay=None)
    usual = np.flatnonzero(~problem.oversize).tolist()
    if not part.improvable() or len(usual) < 2 or not alike(problem, usual):
        return []
    return _Excuses(Pockets(problem), Silent(watch)).proofs(part, pieces)


def _drawn_around(
    region: Search, best: WorkingPartition, beside: list[list[int]], territory: int, turn: int
) -> list[int]:
    """Return a territory and some of those around it, by chance, those with few units first in every other turn."""
    problem, cluster = region.problem, [territory]
    size = REGROUPED[turn % len(REGROUPED)]
    while len(cluster) < size:
        near = sorted(set().union(*(beside[t] for t in cluster)) - set(cluster))
        near = [t for t in near if not problem.oversize[t]]
        if not near:
            break
        chance = region.rng.random(len(near))
        weigh = np.array([best.count[t] for t in near]) if turn % 2 == 0 else np.ones(len(near))
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


class _Excuses:
    """What pockets of the map show of the territories outside."""

    def __init__(self, pockets: Pockets, watch: Watch) -> None:
        self.pockets, self.watch = pockets, watch
        self.found: list[Pocket] = []
        self.asked: dict[int, int] = {}

    def unexcused(self, part: WorkingPartition, pieces: int) -> list[int]:
        """Return the territories outside that may be nearer to their target, as far as so many pieces can tell."""
        bad = part.improvable()
        off = {t: abs(part.load[t] - part.target[t]) * part.per_target for t in bad}
        heaviest: dict[int, int] = {}
        for unit, home in enumerate(part.assignment):
            if self.pockets.open[unit] and part.workload[unit] > part.workload[heaviest.setdefault(home, unit)]:
                heaviest[home] = unit
        for t in bad:
            unit = heaviest.get(t)
            known = any(each.excuses(part.assignment, t, off[t]) for each in self.found)
            if unit is not None and not known and self.asked.get(unit, 0) < pieces:
                self.asked[unit] = pieces
                pocket = self.pockets.around(unit, off[t], pieces, self.watch)
                self.found += [] if pocket is None else [pocket]
        # each pocket excuses one territory
        excused: set[int] = set()
        for each in self.found:
            among = (t for t in bad if t not in excused and each.excuses(part.assignment, t, off[t]))
            excused.update(itertools.islice(among, 1))
        return [t for t in bad if t not in excused]

    def proofs(self, part: WorkingPartition, pieces: int) -> list[Proof]:
        """Return what so many pieces prove of the territories outside."""
        self.unexcused(part, pieces)
        outside, held = set(part.outside()), np.array(part.assignment)
        proofs = [Proof(each.units, 0, each.bound, 0) for each in self.found]
        return [proof for proof in proofs if not outside.isdisjoint(held[list(proof.units)].tolist())]


def _misses(part: WorkingPartition) -> tuple[int, float]:
    """Return how many territories are outside, and by how much together."""
    return len(part.outside()), round(part.excess(), 9)
