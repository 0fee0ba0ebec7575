"""Territories outside with those around them, covered anew in the best of all ways, and the rest of the plan after it.

Where single units weigh much, few connected sets come near a target, and which of them fit together is a puzzle that
moves of some units at a time do not solve: half a city has to change at once. All pieces that territories may hold
there are listed (`surroundings`), and the cover of them is chosen that is least outside, and of those the one
that moves the least workload. Its complete territories are taken over; the others, which go on beyond, are mended.
"""

from __future__ import annotations

from dataclasses import replace
from itertools import islice

import numpy as np
from scipy.optimize import linear_sum_assignment

from .contiguity import NotJoined, repair_contiguity
from .covering import cheapest_cover
from .mending import settle_all
from .objective import WorkingPartition
from .pockets import GROWTH, LITTLE
from .search import STRICT, Search
from .surroundings import CLOSE, Pieces
from .transport import squared_distances
from .watch import Watch

OUTSIDE = 1_000.0
"""What excess costs in a cover, by what moved workload does."""
CHANCE = 1e-6
"""Of that, so much is by chance: one cover is the cheapest then."""
MOST_PIECES, MOST_SETS = 60_000, 6_000
"""Pieces that are listed around a territory, and chosen from, at most."""
NODES, GAP = 60, 1e-3
"""Linear programs of the choice at most, and moved targets that are not worth another one."""
COVERS = 6
"""Covers that are tried, each without the pieces that were shut in before."""
HOPS = 3
"""Borders away at most of what is mended afterwards."""
MENDS, MOST_MENDS = 7, 5
"""One annealing for that for so many of the effort's, and so many at most."""
FEW = 6
"""Territories outside up to which covers are imposed."""


def impose_covers(region: Search, best: WorkingPartition, watch: Watch) -> WorkingPartition:
    """Return a partition with less excess, after the surroundings of territories outside were covered anew.

    Parameters
    ----------
    region : Search
        Whose `excuses` are known.
    best : WorkingPartition
    watch : Watch
    """
    excuses, most = region.excuses, min(region.effort.pieces, MOST_PIECES)
    tried: set[int] = set()
    while region.covers < region.effort.covers:
        bad = excuses.unexcused(best, most)
        heaviest = excuses.heaviest(best, bad)
        left = [t for t in bad if heaviest.get(t, -1) not in tried | {-1}]
        if not left or len(bad) > FEW or watch.time_is_up():
            break
        worst = max(left, key=lambda t: (abs(best.load[t] - best.target[t]), -t))
        tried.add(heaviest[worst])
        share = region.covers / region.effort.covers
        watch.progress(share, f"Covering around it anew, worst deviation {100 * best.worst():.1f} %")
        known = [each.bound for each in excuses.found if each.meets(best.assignment, worst)]
        pieces = _pieces(region, best, worst, max(known, default=region.problem.tolerance) * (1 + LITTLE))
        after = None if pieces is None else _covered(region, best, pieces, watch)
        if after is not None and region.rank(after)[0] < region.rank(best)[0]:
            best, tried = after, set()
    return best


def _pieces(region: Search, part: WorkingPartition, territory: int, tolerance: float) -> Pieces | None:
    """Return the pieces of the widest surroundings of a territory that are few enough, None where none has a cover."""
    surroundings = region.excuses.pockets.surroundings
    inside = [unit for unit, home in enumerate(part.assignment) if home == territory and surroundings.open[unit]]
    order, size, listed = surroundings.few_doors(inside), len(inside), []
    while len(inside) == size:
        size = int(GROWTH * len(inside)) + 1
        inside += islice(order, size - len(inside))
        pieces = surroundings.pieces(inside, tolerance, min(region.effort.pieces, MOST_PIECES))
        if pieces is None:
            break
        listed.append(pieces)
    for each in reversed(listed):
        pieces = each.within(tolerance)
        if 0 < len(pieces.sets) <= MOST_SETS:
            return pieces
    return None


def _covered(region: Search, best: WorkingPartition, pieces: Pieces, watch: Watch) -> WorkingPartition | None:
    """Return a partition with pieces that cover their units, the rest mended, None where none was found.

    The cover with the least excess is chosen, then the one with the least moved workload. Pieces do not know of each
    other: where some turn out to be shut in, with no territory that has room for them, the next cover goes without
    them.
    """
    problem, target = region.problem, region.excuses.pockets.surroundings.target
    held, workload = np.array(best.assignment)[pieces.units], problem.workload[pieces.units]
    units, must = np.array(pieces.units), np.arange(len(pieces.units)) < pieces.loaded
    whose = workload[:, None] * (held[:, None] == np.unique(held[workload > 0]))
    chance = np.random.default_rng(0)
    for _ in range(COVERS):
        sets = pieces.sets
        load = sets @ workload
        moved = load - (sets @ whose).max(axis=1)
        cost = OUTSIDE * np.maximum(pieces.deviation - problem.tolerance, 0.0) + moved / target
        cost += CHANCE * chance.random(len(cost))
        chosen = cheapest_cover(sets, cost, must, None, np.inf, NODES, GAP, watch)
        if chosen is None:
            return None
        grows = (pieces.grows | pieces.spare)[chosen] & (load[chosen] < target * (1 - problem.tolerance) * (1 - CLOSE))
        cover = [units[sets[each]].tolist() for each in chosen]
        joined, complete = _joined(region, best, cover, grows.tolist())
        if joined is None or joined == best.assignment:
            return None
        full = complete.union(t for t in region.working(joined, STRICT).outside() if problem.oversize[t])
        shut_in = chosen[[grown and joined[piece[0]] in full for grown, piece in zip(grows, cover)]]
        if not len(shut_in):
            region.covers += 1
            return _mended(region, best, joined, complete, pieces.units)
        pieces = pieces.some(np.setdiff1d(np.arange(len(sets)), shut_in))
    return None


def _joined(
    region: Search, best: WorkingPartition, cover: list[list[int]], grows: list[bool]
) -> tuple[list[int] | None, set[int]]:
    """Return an assignment with given pieces, None where they cannot be joined, and whose pieces are complete."""
    problem, assignment = region.problem, np.array(best.assignment)
    homes = np.unique(assignment[[unit for piece in cover for unit in piece]])
    shared = np.array([problem.workload[piece] @ (assignment[piece][:, None] == homes) for piece in cover])
    fixed, complete = problem.fixed.copy(), set()
    rows, columns = linear_sum_assignment(shared, maximize=True)
    for row, column in zip(rows.tolist(), columns.tolist()):
        if shared[row, column] > 0:
            fixed[cover[row]] = homes[column]
            complete |= set() if grows[row] else {int(homes[column])}
    left = [piece for piece in cover if fixed[piece[0]] < 0]
    _give_to_heavy(region, fixed, left)
    offered = np.where(fixed >= 0, fixed, assignment)
    _join_lightest(region, offered, [piece for piece in left if fixed[piece[0]] < 0], complete)
    centre = np.zeros((problem.territories, 3))
    np.add.at(centre, assignment, problem.mass[:, None] * problem.location)
    centre /= np.bincount(assignment, problem.mass, problem.territories)[:, None]
    cost = squared_distances(problem.location, centre)
    cost[:, [*complete, *np.flatnonzero(problem.oversize)]] = np.inf
    try:
        return repair_contiguity(replace(problem, fixed=fixed), offered.tolist(), cost), complete
    except NotJoined:
        return None, complete


def _mended(
    region: Search, best: WorkingPartition, joined: list[int], complete: set[int], covered: list[int]
) -> WorkingPartition:
    """Return a partition mended around units but for complete territories; the other pieces may change, or may not."""
    imposed = region.working(joined, STRICT)
    near = imposed.within_hops({joined[unit] for unit in covered}, HOPS)
    cluster = sorted(t for t in near - complete if not region.problem.oversize[t])
    if not cluster:
        return region.settle(joined)
    search, units, apart = region.apart(joined, cluster, region.watch)
    place = {unit: at for at, unit in enumerate(units.tolist())}
    excused = {place[unit]: off for unit, off in _excused(region, best).items() if unit in place}
    free = replace(search.problem, stuck=search.problem.stuck | excused)
    kept = replace(free, fixed=np.where(np.isin(units, covered), apart.assignment, free.fixed))
    found = []
    for problem in (free, kept):
        search = Search(problem, region.effort, region.weights, 0.0, region.rng, search.watch, region.aim)
        search.unit_travel = region.unit_travel
        search.effort = replace(region.effort, mends=min(MOST_MENDS, region.effort.mends // MENDS))
        mended = settle_all(search, search.working(apart.assignment, STRICT), search.watch)
        region.proposals += search.proposals
        found.append(region.settle(region.exchanged(imposed, units, np.array(cluster)[mended.assignment]).assignment))
        if not region.improvable(found[-1]):
            break
    return min(found, key=region.rank)


def _excused(region: Search, best: WorkingPartition) -> dict[int, float]:
    """Return how far off proven territories are, by their heaviest units."""
    proven = set(best.improvable()).difference(region.improvable(best))
    heaviest = region.excuses.heaviest(best, proven)
    return {unit: best.off(t) for t, unit in heaviest.items()}


def _give_to_heavy(region: Search, fixed: np.ndarray, pieces: list[list[int]]) -> None:
    """Fix pieces that are left over to territories that exist for a heavy unit beside them, where they have room."""
    problem = region.problem
    room = region.excuses.pockets.surroundings.spare.copy()
    for piece in sorted(pieces, key=lambda each: (-problem.workload[each].sum(), each)):
        beside = {int(problem.fixed[other]) for unit in piece for other in problem.neighbours[unit]} - {-1}
        load = problem.workload[piece].sum()
        heavy = [t for t in sorted(beside) if room[t] >= load]
        if heavy:
            fixed[piece] = heavy[0]
            room[heavy[0]] -= load


def _join_lightest(region: Search, offered: np.ndarray, pieces: list[list[int]], complete: set[int]) -> None:
    """Offer pieces that are left over, the heaviest first, to what is lightest beside them and not complete."""
    problem = region.problem
    offered[[unit for piece in pieces for unit in piece]] = -1
    load = np.bincount(offered[offered >= 0], problem.workload[offered >= 0], problem.territories)
    barred = complete.union(np.flatnonzero(problem.oversize).tolist(), [-1])
    for piece in sorted(pieces, key=lambda each: (-problem.workload[each].sum(), each)):
        beside = {int(offered[other]) for unit in piece for other in problem.neighbours[unit]} - barred
        if beside:
            lightest = min(beside, key=lambda t: (load[t], t))
            offered[piece] = lightest
            load[lightest] += problem.workload[piece].sum()
