"""The phases in order, for one connected region: centres, contiguity repair, annealing, descent."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from .annealing import Schedule, anneal, descend
from .capacitated_lloyd import Centres, capacitated_lloyd
from .chains import pass_on
from .coarse import fewest_outside_coarse
from .coarsening import coarsened
from .contiguity import assign_to_centres, components
from .exact import Proof, alike, fewest_outside, least_worst
from .objective import Weights, WorkingPartition
from .pockets import Pocket, Pockets
from .problem import AIM, SAFETY, Problem
from .recombination import recombine
from .splits import improve_pairs
from .watch import Silent, Watch


@dataclass(frozen=True)
class Effort:
    """How much work to do; counts, never seconds, so that the same seed gives the same plan.

    Attributes
    ----------
    starts, rounds : int
        Sets of centres tried, and Lloyd rounds for each.
    tries, sketch : int
        Starts that are annealed, and annealing proposals per unit for each.
    finalists, refine : int
        Best of these that are annealed again, and proposals per unit for each.
    recuts : int
        Recombinations tried per batch of proposals.
    mends : int
        Annealings around the territories that are still outside the tolerance.
    smoothings : int
        Coarse maps that are annealed where borders are dear.
    restarts, retries : int
        Short searches of a small map from other starts and from the best plan, as long as that is within the
        tolerance, and as long as it is not.
    sets : int
        Connected sets that are listed to find, and prove, the least largest deviation of few territories.
    regroups, columns : int
        Choices of all territories of a neighbourhood at once, and sets that there are to choose from, together.
    pieces : int
        Pieces of a pocket of the map that are listed to prove that it cannot be within the tolerance.
    """

    starts: int
    rounds: int
    tries: int
    sketch: int
    finalists: int
    refine: int
    recuts: int
    mends: int
    smoothings: int
    restarts: int
    retries: int
    sets: int
    regroups: int
    columns: int
    pieces: int


EFFORTS = {
    "quick": Effort(
        starts=2,
        rounds=15,
        tries=1,
        sketch=80,
        finalists=0,
        refine=0,
        recuts=10,
        mends=4,
        smoothings=1,
        restarts=0,
        retries=6,
        sets=3_000,
        regroups=10,
        columns=8_000,
        pieces=3_000,
    ),
    "default": Effort(
        starts=6,
        rounds=30,
        tries=4,
        sketch=100,
        finalists=1,
        refine=300,
        recuts=20,
        mends=21,
        smoothings=8,
        restarts=120,
        retries=40,
        sets=25_000,
        regroups=80,
        columns=60_000,
        pieces=100_000,
    ),
    "thorough": Effort(
        starts=16,
        rounds=40,
        tries=10,
        sketch=300,
        finalists=3,
        refine=1000,
        recuts=40,
        mends=63,
        smoothings=40,
        restarts=300,
        retries=300,
        sets=400_000,
        regroups=300,
        columns=600_000,
        pieces=600_000,
    ),
}

SKETCH = Schedule(hot=1.0, cold=0.02, limits=(5.0, 100.0), pressures=(30.0, 3.0))
REFINE = Schedule(hot=0.4, cold=0.02, limits=(20.0, 100.0), pressures=(10.0, 3.0))
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
STRICT, USUAL_TOLERANCE = 1000.0, 0.05
"""Price of excess when a local optimum is sought that gives nothing away, at the tolerance where it is that."""

SMALL_UNITS, FEW_UNITS, MANY_UNITS = 120, 400, 4000
"""Up to `SMALL_UNITS` a map is searched again and again. Small maps get the budget of `FEW_UNITS`; above
`MANY_UNITS` it grows with the root of their number."""
MENDING = 1_200_000, 0.25
"""Proposals for mending: so many, and this share of those that annealing made, whichever is more."""
HEAT = 0.6
"""How much hotter annealing begins, by the price of a cut edge."""
SMOOTH = 5.0
"""How much dearer than usual borders are where coarse maps are annealed for them."""
COARSE_UNITS, COARSE_MOVES, FINE_MOVES = 25, 600, 80
"""Coarse units for each territory, and proposals per unit on the coarse map and on the fine one after it."""
COARSE = Schedule(hot=3.0, cold=0.2, limits=(4.0, 100.0), pressures=(100.0, 30.0))
FINE = Schedule(hot=0.5, cold=0.005, limits=(40.0, 200.0), pressures=(3.0, 3.0))
"""How to anneal both, in prices of a cut edge."""
RECUTS = 20
"""Trees that are tried when a territory is split in two."""
FREE_MENDED = 10
"""Units at each border that exact splits share out anew where mending goes on."""
STARVED = 0.5
"""A territory with less than this share of its target, after annealing, is founded anew elsewhere."""
SETTLINGS = 3
"""How often founding anew, passing on and mending follow each other at most."""
MISPLACED = 0.4
"""So much, in targets, must touching territories lack together, and others hold too much, for one to move there."""
PLACES = 2
"""Places with the largest surplus around that are tried for it."""
RESETTLED = 30
"""Proposals per unit around a territory that was founded anew."""
NEAR = 4
"""Borders away at most, from where it was."""
LARGEST_CLUSTER = 1500
"""Units of a cluster that is mended at most; where hops lead further, fewer are taken."""
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
FREE, FREE_OF_FEW = 12, 17
"""Units at each border that exact splits of a small map share out anew; all, where a map has hardly more."""


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
    centres = capacitated_lloyd(problem, effort.starts, effort.rounds, effort.tries, rng, watch.part(0.0, 0.15))
    search = Search(problem, effort, weights, centres[0].travel, rng, watch)
    pool = []
    middle = 0.4 if effort.finalists else 0.75
    for index, start in enumerate(centres):
        if pool and watch.time_is_up():
            break
        stretch = watch.part(0.15 + middle * index / len(centres), 0.15 + middle * (index + 1) / len(centres))
        pool.append(search.anneal(assign_to_centres(problem, start), SKETCH, effort.sketch, stretch))
    pool.sort(key=search.rank)
    for index in range(min(effort.finalists, len(pool))):
        stretch = watch.part(0.55 + 0.33 * index / effort.finalists, 0.55 + 0.33 * (index + 1) / effort.finalists)
        pool.append(search.anneal(pool[index].assignment, REFINE, effort.refine, stretch))
    best = search.smooth(min(pool, key=search.rank), watch.part(0.88, 0.9))
    best = search.settle_all(best, watch.part(0.9, 0.95))
    best, proofs = search.list_all(best, watch.part(0.95, 0.96))
    if n <= FEW_UNITS and not proofs:
        best = search.restart(best, centres, watch.part(0.96, 0.98))
    if not best.improvable():
        best, _ = search.list_all(best, watch.part(0.97, 0.97))
    if not proofs:
        best, proofs = search.regroup(best, watch.part(0.97, 0.99))
    if not proofs:
        best, proofs = search.list_clusters(best, watch.part(0.99, 1.0))
    return np.array(best.assignment), centres[0].travel, search.proposals, proofs


class Search:
    """One region's search: what all its annealings share.

    Parameters
    ----------
    problem : Problem
    effort : Effort
    weights : Weights
    travel : float
        Mass × km² of the whole region that counts as one per unit.
    rng : Generator
    watch : Watch
    aim : float
        Share of the tolerance that annealing aims at.
    """

    def __init__(self, problem, effort, weights, travel, rng, watch, aim: float = AIM) -> None:
        self.problem, self.effort, self.rng, self.watch = problem, effort, rng, watch
        # a wide tolerance is room to use: deviation counts in tolerances then
        wide = max(1.0, problem.tolerance / aimed(USUAL_TOLERANCE))
        self.weights = replace(weights, pressure=Weights.pressure / wide**2)
        self.unit_travel = travel / problem.units or 1.0
        self.proposals = 0
        dear = max(1.0, USUAL_TOLERANCE / problem.tolerance) * max(1.0, weights.boundary / Weights.boundary)
        self.strict = STRICT * dear
        self.aim = aim
        self.inner = replace(problem, tolerance=aim * problem.tolerance)

    def rank(self, part: WorkingPartition) -> tuple[float, float]:
        """Return what makes one partition better than another: less excess first, then less cost."""
        return round(part.excess(), 9), part.cost()

    def working(self, assignment, limit: float | None = None) -> WorkingPartition:
        """Return an assignment ready for moves."""
        if limit is None:
            return WorkingPartition(self.inner, assignment, self.weights, self.unit_travel)
        return WorkingPartition(self.problem, assignment, self.weights.with_limit(limit), self.unit_travel)

    def polish(self, assignment, free: int = 0) -> WorkingPartition:
        """Return the strict local optimum below an assignment, excess priced out.

        With `free` units at each border shared out exactly, too. Costs of results can be compared.
        """
        if not free:
            # a little inside first: what is left of the excess may then still be within
            aimed = WorkingPartition(self.inner, assignment, self.weights.with_limit(STRICT), self.unit_travel)
            descend(aimed, self.watch)
            assignment = aimed.assignment
        part = self.working(assignment, STRICT)
        descend(part, self.watch)
        if not free:
            return part
        if improve_pairs(part, self.watch, free):
            descend(part, self.watch)
        if self.strict > STRICT and part.excess() > 0:
            # a tight tolerance costs less to miss than a longer border: pay more
            part.weights = part.weights.with_limit(self.strict)
            improve_pairs(part, self.watch, free)
            part.weights = part.weights.with_limit(STRICT)
        return part

    def anneal(self, assignment, schedule: Schedule, per_unit: int, watch: Watch) -> WorkingPartition:
        """Return an assignment annealed and polished."""
        n = self.problem.units
        budget = per_unit * max(FEW_UNITS, n if n <= MANY_UNITS else int((n * MANY_UNITS) ** 0.5))
        part = self.working(assignment)
        # where borders are dear, what was warm is cold; small maps are searched again and again instead
        heat = max(1.0, HEAT * self.weights.boundary) if n > FEW_UNITS else 1.0
        schedule = replace(schedule, hot=heat * schedule.hot, cold=heat**0.5 * schedule.cold)
        anneal(part, budget, schedule, self.rng, watch, self.effort.recuts)
        self.proposals += budget
        return self.polish(part.assignment)

    def smooth(self, best: WorkingPartition, watch: Watch) -> WorkingPartition:
        """Return a partition with shorter borders, where those are dear, by annealing on coarse maps.

        Where a cut edge costs as much as the travel of several units, flips of single units find no way from one
        short border to another; blobs of units do. Each coarse map is another one; the fine one is annealed after it.
        """
        edge, problem = self.weights.boundary, self.problem
        if edge < SMOOTH * Weights.boundary or problem.has_rules or not FEW_UNITS / 2 < problem.units <= MANY_UNITS:
            return best
        count, now = COARSE_UNITS * problem.territories, best
        for turn in range(self.effort.smoothings):
            if watch.time_is_up() or problem.units < 2 * count:
                break
            watch.progress(turn / self.effort.smoothings, f"Smoothing borders, worst {100 * best.worst():.1f} %")
            coarse, at, inside = coarsened(problem, now.assignment, count, self.rng)
            search = Search(coarse, self.effort, self.weights, 0.0, self.rng, Silent(watch), self.aim)
            search.unit_travel = self.unit_travel
            blobs = search.working(inside)
            anneal(blobs, COARSE_MOVES * coarse.units, _by_edge(COARSE, edge), self.rng, search.watch)
            part = self.working(np.array(blobs.assignment)[at])
            anneal(part, FINE_MOVES * problem.units, _by_edge(FINE, edge), self.rng, Silent(watch), self.effort.recuts)
            self.proposals += COARSE_MOVES * coarse.units + FINE_MOVES * problem.units
            now = self.polish(part.assignment)
            best = min(best, now, key=self.rank)
            if turn % 2:
                now = best
        return best

    def mend(self, best: WorkingPartition, watch: Watch) -> WorkingPartition:
        """Return a partition with less excess, by annealing around the territories that have some.

        Each cluster of such territories and of those around them is a small problem of its own, so that what is
        gained in one is not lost to another.
        """
        most = self.proposals + max(MENDING[0], int(MENDING[1] * self.proposals))
        excess = []
        for turn in range(self.effort.mends):
            excess.append(self.rank(best)[0])
            if self.proposals >= most or (turn >= len(MENDS) and excess[-1] >= excess[-1 - len(MENDS)]):
                break
            bad = best.improvable()
            if not bad or self.rank(best)[0] <= 0 or self.watch.time_is_up():
                break
            schedule, hops = MENDS[turn % len(MENDS)]
            assignment = np.array(best.assignment)
            touching = best.touching()
            clusters = _clusters([self._around(best, touching, territory, hops) for territory in bad])
            share = turn / self.effort.mends
            watch.progress(share, f"Mending {len(bad)} territories, worst deviation {100 * best.worst():.1f} %")
            for cluster in clusters:
                part, units, inside = self.problem.restricted(assignment, sorted(cluster))
                search = Search(part, self.effort, self.weights, 0.0, self.rng, Silent(watch), self.aim)
                search.unit_travel = self.unit_travel
                before = search.working(inside, STRICT)
                if search.rank(before)[0] <= 0 or not before.improvable():
                    continue
                working = search.working(inside)
                budget = 100 * max(FEW_UNITS // 4, part.units)
                anneal(working, budget, schedule, self.rng, search.watch, 4 * self.effort.recuts)
                self.proposals += budget
                after = search.polish(search.polish(working.assignment).assignment, FREE_MENDED)
                if search.rank(after) < search.rank(before):
                    assignment[units] = np.array(sorted(cluster))[after.assignment]
            best = self.working(assignment, STRICT)
        return best

    def settle_all(self, best: WorkingPartition, watch: Watch) -> WorkingPartition:
        """Return a partition with less excess: territories founded anew, workload passed on, what is left mended."""
        for turn in range(SETTLINGS):
            moved = self.resettle(best)
            if (turn and moved is best) or not moved.improvable() or self.watch.time_is_up():
                return moved
            stretch = watch.part(turn / SETTLINGS, (turn + 1) / SETTLINGS)
            best = self.pass_on(self.mend(self.pass_on(moved), stretch))
        return best

    def pass_on(self, best: WorkingPartition) -> WorkingPartition:
        """Return a partition with less excess, passed on from territory to territory to where there is room."""
        if self.rank(best)[0] <= 0:
            return best
        part = self.working(best.assignment, STRICT)
        return self.polish(part.assignment) if pass_on(part, self.watch) else best

    def resettle(self, best: WorkingPartition) -> WorkingPartition:
        """Return a partition whose misplaced territories were given up and founded anew where workload is.

        A territory that holds nothing but units without workload gains nothing by any flip, and stays there while
        those around carry what it should: the fullest near it is split instead. Where many together hold too little,
        and many elsewhere too much, one of the former is in the wrong place.
        """
        problem, touching = self.problem, best.touching()
        for starved in best.improvable():
            if problem.anchor[starved] >= 0 or best.load[starved] >= STARVED * problem.target[starved]:
                continue
            near = sorted(best.within_hops([starved], NEAR, touching) - {starved})
            donors = [max(near, key=lambda t: best.load[t] - best.target[t])] if near else []
            donors += [t for t in self._fullest(best, touching) if t not in (*donors, starved)]
            best, touching = self._first_better(best, touching, [(starved, donor) for donor in donors])
        for _ in range(self.effort.mends):
            before = best
            best, touching = self._first_better(best, touching, self._misplaced(best, touching))
            if best is before:
                break
        return best

    def _first_better(self, best: WorkingPartition, touching: list[list[int]], pairs: list[tuple[int, int]]):
        """Return the partition after the first pair of given up and split territories that helps, and who touches."""
        for starved, donor in pairs:
            if self.problem.anchor[donor] < 0 and best.count[donor] > 1:
                trial = self._refounded(best, touching, starved, donor)
                if trial is not best:
                    return trial, trial.touching()
        return best, touching

    def _fullest(self, best: WorkingPartition, touching: list[list[int]], sign: int = 1) -> list[int]:
        """Return the territories that hold most too much together with those around; with sign -1, too little."""
        problem = self.problem
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

    def _misplaced(self, best: WorkingPartition, touching: list[list[int]]) -> list[tuple[int, int]]:
        """Return pairs of a territory where much is lacking and of one where much is held too much.

        Those that lack, or hold too much, most together have one of the pair, if it is enough for one territory.
        """
        problem, bad = self.problem, set(best.improvable())
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
        empty, full = self._fullest(best, touching, -1), self._fullest(best, touching)
        if sums[-1] >= MISPLACED:
            empty = [min(groups[-1], key=lambda t: (best.load[t], t))]
        if sums[1] >= MISPLACED:
            full = [max(groups[1], key=lambda t: (best.load[t], -t)), *full]
        return [(one, other) for one in empty for other in dict.fromkeys(full) if one != other]

    def _refounded(
        self, best: WorkingPartition, touching: list[list[int]], starved: int, donor: int
    ) -> WorkingPartition:
        """Return the partition in which a territory was given up and founded anew by splitting another, if better."""
        near = self._around(best, touching, starved, NEAR)
        if donor not in near:
            near = self._around(best, touching, starved, 2) | self._around(best, touching, donor, NEAR)
        search, units, before = self._apart(best, sorted(near), self.watch)
        cluster = sorted(near)
        trial = search.refound(before, cluster.index(starved), cluster.index(donor))
        self.proposals += search.proposals
        if search.rank(trial) >= search.rank(before):
            return best
        return self._with(best, units, np.array(cluster)[trial.assignment])

    def refound(self, before: WorkingPartition, starved: int, donor: int) -> WorkingPartition:
        """Return a partition in which one territory went to those around it, and another was split in two for it."""
        problem = self.problem
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
        # the last unit that a search reaches leaves the others connected
        order, seen = [inside[0]], {inside[0]}
        for unit in order:
            for other in problem.neighbours[unit]:
                if other not in seen and assignment[other] == donor:
                    seen.add(other)
                    order.append(other)
        assignment[order[-1]] = starved
        pair = sorted((donor, starved))
        search, units, split = self._apart(self.working(assignment, STRICT), pair, self.watch)
        recombine(split, [0, 1], RECUTS, 0.0, self.rng, search.problem.units)
        fixed = np.array(assignment)
        fixed[units] = np.array(pair)[split.assignment]
        working = self.working(fixed)
        budget = RESETTLED * max(FEW_UNITS, problem.units)
        anneal(working, budget, SKETCH, self.rng, Silent(self.watch), self.effort.recuts)
        self.proposals += budget
        return self.pass_on(self.polish(working.assignment))

    def _around(self, best: WorkingPartition, touching: list[list[int]], territory: int, hops: int) -> set[int]:
        """Return a territory and those around it, fewer hops away where there would be too many units."""
        while True:
            near = best.within_hops([territory], hops, touching)
            if hops == 1 or sum(best.count[each] for each in near) <= LARGEST_CLUSTER:
                return near
            hops -= 1

    def restart(self, best: WorkingPartition, centres: list[Centres], watch: Watch) -> WorkingPartition:
        """Return a better partition of a small map, from many short annealings and exact splits.

        They go on from the best one, now and then from other centres, until the best was found again and again.
        """
        problem = self.problem
        free = FREE if problem.units > FREE_OF_FEW else FREE_OF_FEW
        best = min(best, self.polish(best.assignment, free), key=self.rank)
        agreed = 0
        for turn in range(max(self.effort.restarts, self.effort.retries)):
            within = not best.improvable()
            most = self.effort.restarts if within else self.effort.retries
            if turn >= most or (within and (agreed >= AGREED or problem.units > SMALL_UNITS)) or watch.time_is_up():
                break
            watch.progress(turn / most, f"Searching again, worst deviation {100 * best.worst():.1f} %")
            start = best.assignment
            fresh = turn % FRESH == FRESH - 1
            if fresh:
                if turn // FRESH % len(centres) == len(centres) - 1:
                    silent = Silent(watch)
                    centres = capacitated_lloyd(
                        problem, len(centres), self.effort.rounds, len(centres), self.rng, silent
                    )
                start = assign_to_centres(problem, centres[turn // FRESH % len(centres)])
            # a tight tolerance is a matter of single units: then aim at all of it, too
            part = self.working(start, None if turn % 2 else self.weights.limit)
            budget = KICK * max(FEW_UNITS, problem.units)
            anneal(part, budget, KICKS[turn % len(KICKS)], self.rng, Silent(watch), self.effort.recuts)
            self.proposals += budget
            found = self.polish(part.assignment, free)
            gain = self.rank(best)[0] - self.rank(found)[0], self.rank(best)[1] - self.rank(found)[1]
            if abs(gain[0]) < 1e-9 and abs(gain[1]) < 1e-6:
                agreed += fresh
            elif gain > (0.0, 0.0):
                best, agreed = found, 0
        return best

    def list_all(self, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
        """Return the partition with the smallest largest deviation, and its proof, where all territories can be listed.

        Those that exist for the sake of a heavy unit keep their units.
        """
        usual = np.flatnonzero(~self.problem.oversize).tolist()
        few = LISTED_UNITS if best.improvable() else min(FEW_LISTED, self.effort.sets // SETS_PER_UNIT)
        if not usual or sum(best.count[t] for t in usual) > few or not alike(self.problem, usual) or watch.time_is_up():
            return best, []
        watch.progress(0.0, f"Listing all territories, worst deviation {100 * best.worst():.1f} %")
        search, units, before = self._apart(best, usual, watch)
        exact = least_worst(before, search.watch, LISTED_FIRST * self.effort.sets)
        if exact.assignment is not None:
            after = search.settle(exact.assignment)
            if search.rank_by_worst(after) < search.rank_by_worst(before):
                best = self._with(best, units, np.array(usual)[after.assignment])
        proof = Proof(tuple(units.tolist()), len(usual), exact.bound, 0)
        return best, [proof] if exact.bound else []

    def regroup(self, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
        """Return a partition with fewer territories outside the tolerance, and proofs where there cannot be fewer.

        One of them is taken together with some of those around it, and all are chosen anew, from coarse units that
        differ from turn to turn. Plans that are as good are gone on from, too; the best one counts.
        """
        problem = self.problem
        usual = np.flatnonzero(~problem.oversize).tolist()
        if not best.improvable() or len(usual) < 2 or not alike(problem, usual):
            return best, []
        pockets = _Excuses(Pockets(problem), Silent(watch))
        left, now = self.effort.columns, best
        bad, beside = pockets.unexcused(now, FEW_PIECES), now.touching()
        for turn in range(self.effort.regroups):
            if not bad or left <= 0 or watch.time_is_up():
                break
            watch.progress(
                turn / self.effort.regroups, f"Regrouping {len(bad)} territories, worst {100 * now.worst():.1f} %"
            )
            cluster = self._drawn_around(now, beside, bad[turn % len(bad)], turn)
            search, units, before = self._apart(now, cluster, watch)
            found = fewest_outside_coarse(before, self.rng, search.watch, turn // 2 % 2 == 0)
            left -= found.sets
            if found.assignment is None:
                continue
            after = search.settle(found.assignment)
            if _misses(after) < _misses(before) or (_misses(after) == _misses(before) and problem.units <= MANY_UNITS):
                now = self._with(now, units, np.array(cluster)[after.assignment])
                best = min(best, now, key=lambda part: (*_misses(part), self.rank(part)))
                bad, beside = pockets.unexcused(now, FEW_PIECES), now.touching()
        pockets.unexcused(best, self.effort.pieces)
        outside = set(best.outside())
        proofs = [Proof(each.units, 0, each.bound, 0) for each in pockets.found]
        held = np.array(best.assignment)
        return best, [proof for proof in proofs if not outside.isdisjoint(held[list(proof.units)].tolist())]

    def _drawn_around(self, best: WorkingPartition, beside: list[list[int]], territory: int, turn: int) -> list[int]:
        """Return a territory and some of those around it, by chance, those with few units first in every other turn."""
        problem, cluster = self.problem, [territory]
        size = REGROUPED[turn % len(REGROUPED)]
        while len(cluster) < size:
            near = sorted(set().union(*(beside[t] for t in cluster)) - set(cluster))
            near = [t for t in near if not problem.oversize[t]]
            if not near:
                break
            chance = self.rng.random(len(near))
            weigh = np.array([best.count[t] for t in near]) if turn % 2 == 0 else np.ones(len(near))
            cluster.append(near[int(np.argmin(-np.log1p(-chance) * weigh))])
            if sum(best.count[t] for t in cluster) > LARGEST_CLUSTER:
                cluster.pop()
                break
        return sorted(cluster)

    def list_clusters(self, best: WorkingPartition, watch: Watch) -> tuple[WorkingPartition, list[Proof]]:
        """Return a partition with fewer territories outside the tolerance, and proofs where there cannot be fewer.

        One of them is taken together with those around it, the ones with the fewest units first, and the best choice
        of all connected sets of their units replaces them.
        """
        proofs: dict[int, Proof] = {}
        left = self.effort.sets
        tried: set[int] = set()
        while left > 0 and not watch.time_is_up():
            bad = [t for t in best.improvable() if t not in tried and alike(self.problem, [t])]
            if not bad:
                break
            worst = max(bad, key=lambda t: (abs(best.load[t] - best.target[t]), -t))
            tried.add(worst)
            watch.progress(
                1 - left / self.effort.sets, f"Listing around it, worst deviation {100 * best.worst():.1f} %"
            )
            cluster = [worst]
            while left > 0 and not watch.time_is_up():
                size, touching = len(cluster), best.touching()
                while cluster is not None and len(cluster) < 1.4 * size:
                    cluster = self._wider(best, cluster, touching)
                if cluster is None:
                    break
                search, units, before = self._apart(best, cluster, watch)
                exact = fewest_outside(before, search.watch, min(left, LISTED))
                left -= exact.sets
                if exact.assignment is None:
                    break
                outside = len(before.outside())
                if exact.outside:
                    proofs[worst] = Proof(tuple(units.tolist()), len(cluster), 0.0, exact.outside)
                after = search.settle(exact.assignment)
                if (len(after.outside()), *search.rank(after)) < (outside, *search.rank(before)):
                    best = self._with(best, units, np.array(cluster)[after.assignment])
                    if len(after.outside()) < outside:
                        tried -= set(cluster)
                        break
        outside = set(best.outside())
        return best, [proof for t, proof in sorted(proofs.items()) if t in outside]

    def _apart(
        self, best: WorkingPartition, cluster: list[int], watch: Watch
    ) -> tuple[Search, np.ndarray, WorkingPartition]:
        """Return the search among some territories, their units, and their partition."""
        part, units, inside = self.problem.restricted(np.array(best.assignment), cluster)
        search = Search(part, self.effort, self.weights, 0.0, self.rng, Silent(watch), self.aim)
        search.unit_travel = self.unit_travel
        return search, units, search.working(inside, STRICT)

    def _with(self, best: WorkingPartition, units: np.ndarray, territories: np.ndarray) -> WorkingPartition:
        """Return the partition with other territories for some units."""
        assignment = np.array(best.assignment)
        assignment[units] = territories
        return self.working(assignment, STRICT)

    def _wider(self, best: WorkingPartition, cluster: list[int], touching: list[list[int]]) -> list[int] | None:
        """Return a cluster and the territory with the fewest units beside it; None when there is none, or too many."""
        problem = self.problem
        near = sorted(best.within_hops(cluster, 1, touching) - set(cluster))
        near = [t for t in near if alike(problem, [*cluster, t])]
        if not near:
            return None
        wider = [*cluster, min(near, key=lambda t: (best.count[t], t))]
        few = len(wider) <= LISTED_TOGETHER and sum(best.count[t] for t in wider) <= LISTED_UNITS
        return wider if few else None

    def settle(self, assignment) -> WorkingPartition:
        """Return an assignment with less travel and border in which no territory is further off than before."""
        part = self.working(assignment, STRICT)
        for t, load in enumerate(part.load):
            part.low[t], part.high[t] = min(part.low[t], load), max(part.high[t], load)
        descend(part, self.watch)
        return self.working(part.assignment, STRICT)

    def rank_by_worst(self, part: WorkingPartition) -> tuple[float, float, float]:
        """Return what makes one partition better than another where the worst territory counts first."""
        excess = [max(load - high, low - load, 0.0) for load, low, high in zip(part.load, part.low, part.high)]
        return round(max(excess) * part.per_target, 9), *self.rank(part)


class _Excuses:
    """What pockets of the map show of the territories outside."""

    def __init__(self, pockets: Pockets, watch: Watch) -> None:
        self.pockets, self.watch = pockets, watch
        self.found: list[Pocket] = []
        self.asked: dict[int, int] = {}

    def unexcused(self, part: WorkingPartition, pieces: int) -> list[int]:
        """Return the territories outside that may be nearer to their target, as far as so many pieces can tell."""
        bad = part.improvable()
        heaviest: dict[int, int] = {}
        for unit, home in enumerate(part.assignment):
            if self.pockets.open[unit] and part.workload[unit] > part.workload[heaviest.get(home, unit)] - 1e-12:
                heaviest.setdefault(home, unit)
                if part.workload[unit] > part.workload[heaviest[home]]:
                    heaviest[home] = unit
        excused: set[int] = set()
        for t in bad:
            unit = heaviest.get(t)
            if unit is None:
                continue
            off = abs(part.load[t] - part.target[t]) * part.per_target
            if not any(each.excuses(part.assignment, t, off) for each in self.found) and (
                self.asked.get(unit, 0) < pieces
            ):
                self.asked[unit] = pieces
                pocket = self.pockets.around(unit, off, pieces, self.watch)
                self.found += [] if pocket is None else [pocket]
        # each pocket excuses one territory
        for each in self.found:
            for t in bad:
                off = abs(part.load[t] - part.target[t]) * part.per_target
                if t not in excused and each.excuses(part.assignment, t, off):
                    excused.add(t)
                    break
        return [t for t in bad if t not in excused]


def _by_edge(schedule: Schedule, edge: float) -> Schedule:
    """Return a schedule whose temperatures and limits are in prices of a cut edge."""
    low, high = schedule.limits
    return replace(
        schedule, hot=edge * schedule.hot, cold=edge * schedule.cold, limits=(max(20.0, edge * low), edge * high)
    )


def _misses(part: WorkingPartition) -> tuple[int, float]:
    """Return how many territories are outside, and by how much together."""
    return len(part.outside()), round(part.excess(), 9)


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


def _one_each(problem: Problem) -> np.ndarray:
    """Return a territory for each unit, the fixed units in theirs."""
    assignment = problem.fixed.copy()
    assignment[assignment < 0] = np.setdiff1d(np.arange(problem.territories), assignment)
    return assignment


def aimed(tolerance: float) -> float:
    """Return the tolerance that the search aims at, a little inside the one that is asked for."""
    return SAFETY * tolerance
