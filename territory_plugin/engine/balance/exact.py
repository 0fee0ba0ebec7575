"""Exact partitions of few units: all connected territories near the target are listed, the best are chosen.

Where single units weigh a fifth of a territory and more, few connected sets of units come near the target: so few
that they can be listed. A plan is then a choice among them that covers each unit once, a set partitioning problem,
and its relaxation is strong. The largest deviation that is allowed falls from plan to plan; when no choice is left,
the last plan is proven to be the best in that respect, whatever the method that found it.

Units without workload matter only as ways: a set holds those that it needs to be connected, and what nobody needs
is handed out afterwards.

References: Garfinkel & Nemhauser (1970), Optimal political districting by implicit enumeration techniques,
Management Science 16 (8); Mehrotra, Johnson & Nemhauser (1998), An optimization based heuristic for political
districting, Management Science 44 (8).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from scipy.optimize import Bounds, LinearConstraint, milp
from scipy.sparse import csr_array

from ..errors import Count
from .objective import WorkingPartition
from .problem import Problem
from .watch import Watch

MOST_SETS = 400_000
"""Connected sets that are listed at most; where there are more, nothing is proven."""
MOST_COLUMNS = 30_000
"""Sets to choose from at most."""
MOST_NODES = 500
"""Branches of the choice."""
SECONDS = 20.0
"""Of one choice, at most: a stop for machines that are in trouble, far above what the branches take."""
CLOSE = 1e-9
MOST_WAYS = 5_000
"""Ways through units without workload at most."""
WORD = 63
"""Units that one number holds as bits."""


@dataclass(frozen=True)
class Exact:
    """What listing all territories has shown.

    Attributes
    ----------
    assignment : list of int or None
        Territory of each unit in a plan with a smaller largest deviation, or the same and less cost; None when
        none was found.
    bound : float
        No assignment keeps every territory nearer to the target than this (share of the target); 0 when nothing
        was proven.
    outside : int
        So many territories at least are outside the tolerance in any assignment without larger deviations than
        there were; 0 when nothing was proven.
    sets : int
        Connected sets that were looked at.
    """

    assignment: list[int] | None
    bound: float
    outside: int
    sets: int


@dataclass(frozen=True)
class _Way:
    """How a unit joins a set: the unit, what joins with it, what must touch the set, what may not be in it."""

    end: int
    units: np.ndarray
    door: np.ndarray
    apart: np.ndarray


@dataclass(frozen=True)
class Proof:
    """Why some territories cannot be nearer to their target.

    Attributes
    ----------
    units : tuple of int
        All units of the territories.
    territories : int
        How many they form; 0 for a pocket of the map: whatever the borders, a territory with some of them is off.
    bound : float
        No division of these units into as many connected territories keeps all nearer to the target; 0 if unknown.
    outside : int
        So many of these territories are outside the tolerance in any division; 0 if unknown.
    """

    units: tuple[int, ...]
    territories: int
    bound: float
    outside: int

    def __str__(self) -> str:
        if not self.territories:
            many = f"its units and those around ({len(self.units):,} with workload)"
            return f"wherever the borders run, a territory among {many} misses its target by {100 * self.bound:.1f} %"
        whole = f"its units and those around ({len(self.units):,}) into {Count(self.territories):territory|territories}"
        if self.bound:
            return f"no way to divide {whole} does better than {100 * self.bound:.1f} %"
        return f"every way to divide {whole} leaves {self.outside} outside"


def connected_sets(
    neighbours: Sequence[tuple[int, ...]],
    workload: np.ndarray,
    low: float,
    high: float,
    most: int = MOST_SETS,
    watch: Watch | None = None,
) -> tuple[np.ndarray | None, int]:
    """Return all connected sets of units whose workload is from `low` to `high`, zero ones only where needed.

    Sets grow unit by unit from their heaviest one, all sets of a size together. A way through units without
    workload is followed from its end until it reaches one with workload, and only as long as there is no shorter one.

    Parameters
    ----------
    neighbours : sequence of tuples of int
    workload : ndarray of float, shape (n,)
    low, high : float
        Above zero.
    most : int
        Sets that are looked at.
    watch : Watch, optional
        Asked for each size.

    Returns
    -------
    sets : ndarray of bool, shape (sets, n), or None
        None when there are more than `most`.
    seen : int
        Sets that were looked at.
    """
    n = len(workload)
    order = np.lexsort((np.arange(n), -workload))
    rank = np.empty(n, dtype=int)
    rank[order] = np.arange(n)
    load_of = workload[order]
    near = [[int(rank[other]) for other in neighbours[unit]] for unit in order]
    bits, around = _as_bits(near)
    loaded = int((workload > 0).sum())
    ways = _ways(near, loaded, bits, around)
    if ways is None:
        return None, most
    everything = np.bitwise_or.reduce(bits)
    root = _worthy_roots(near, load_of, low, high)
    masks, loads = bits[root], load_of[root]
    found = []
    seen = 0
    while len(masks):
        seen += len(masks)
        if seen > most or (watch is not None and watch.time_is_up()):
            return None, most
        found.append(masks[loads >= low])
        grown = [_joined(masks, loads, root, way, load_of, high) for way in ways]
        masks, loads, root, several = (np.concatenate(column) for column in zip(*grown))
        if len(masks) > 12 * most:
            return None, most
        sort = np.lexsort((*masks.T, root))
        masks = masks[sort]
        fresh = np.ones(len(masks), dtype=bool)
        fresh[1:] = (masks[1:] != masks[:-1]).any(axis=1)
        masks, sort = masks[fresh], sort[fresh]
        loads, root, several = loads[sort], root[sort], several[sort]
        keep = loads + _needs(~masks & everything, around, load_of, low, high) <= high * (1 + CLOSE)
        keep[keep & several] = ~_has_spare(masks[keep & several], around, range(loaded, n), bits)
        masks, loads, root = masks[keep], loads[keep], root[keep]
    if not found:
        return np.zeros((0, n), dtype=bool), seen
    return _members(np.concatenate(found), n)[:, rank], seen


def _as_bits(neighbours: Sequence[Sequence[int]]) -> tuple[np.ndarray, np.ndarray]:
    """Return each unit, and those that it touches, as sets of bits, shape (n, words)."""
    n = len(neighbours)
    bits = np.zeros((n, -(-n // WORD)), dtype=np.int64)
    bits[np.arange(n), np.arange(n) // WORD] = 1 << (np.arange(n) % WORD)
    around = np.zeros_like(bits)
    for unit, near in enumerate(neighbours):
        for other in near:
            around[unit] |= bits[other]
    return bits, around


def _ways(neighbours, loaded: int, bits: np.ndarray, around: np.ndarray) -> list[_Way] | None:
    """Return how each unit with workload may join a set: directly, or through units without, none of them spare."""
    ways = [_Way(unit, bits[unit], around[unit], np.zeros_like(bits[unit])) for unit in range(loaded)]
    stack = [[unit] for unit in range(loaded, len(neighbours))]
    while stack:
        path = stack.pop()
        before = {other for unit in path[:-1] for other in neighbours[unit]}
        for other in neighbours[path[-1]]:
            if other in path or other in before:
                continue
            if other >= loaded:
                stack.append([*path, other])
                continue
            rest = [*path[1:], other]
            ways.append(
                _Way(
                    other,
                    np.bitwise_or.reduce(bits[[*path, other]]),
                    around[path[0]],
                    np.bitwise_or.reduce(around[rest]) & ~np.bitwise_or.reduce(bits[[*path, other]]),
                )
            )
        if len(ways) > MOST_WAYS:
            return None
    return sorted(ways, key=lambda way: way.end)


def _joined(masks, loads, root, way: _Way, workload, high) -> tuple[np.ndarray, ...]:
    """Return the sets that a way leads to: sets, workloads, roots, and whether the way touches in several places."""
    last = np.searchsorted(root, way.end)
    here = masks[:last]
    touching = here & way.door
    fits = loads[:last] + workload[way.end] <= high
    fits &= touching.any(axis=1) & ~(here & (way.units | way.apart)).any(axis=1)
    which = np.flatnonzero(fits)
    return here[which] | way.units, loads[which] + workload[way.end], root[which], _several(touching[which])


def _worthy_roots(neighbours, workload, low, high) -> np.ndarray:
    """Return the units that may be the heaviest of a set: what is lighter around them is enough."""
    worthy = []
    for root in range(len(workload)):
        if not 0 < workload[root] <= high:
            continue
        reached, queue = {root}, [root]
        for unit in queue:
            for other in neighbours[unit]:
                if other > root and other not in reached:
                    reached.add(other)
                    queue.append(other)
        if workload[queue].sum() >= low:
            worthy.append(root)
    return np.array(worthy, dtype=int)


def _several(masks: np.ndarray) -> np.ndarray:
    """Answer whether two bits or more are set in each row."""
    return ((masks & (masks - 1)) != 0).any(axis=1) | ((masks != 0).sum(axis=1) > 1)


def _has_spare(masks: np.ndarray, around: np.ndarray, ways: Sequence[int], bits: np.ndarray) -> np.ndarray:
    """Answer for each set whether it stays connected without one of its units among `ways`."""
    spare = np.zeros(len(masks), dtype=bool)
    for unit in ways:
        holding = np.flatnonzero((masks & bits[unit]).any(axis=1) & ~spare)
        if len(holding):
            spare[holding] = connected(masks[holding] & ~bits[unit], around)
    return spare


def connected(masks: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Answer for each set, as bits, whether it is connected."""
    return (_reach(masks, around) == masks).all(axis=1)


def _reach(masks: np.ndarray, around: np.ndarray) -> np.ndarray:
    """Return the connected part of each set, as bits, that its first unit lies in."""
    n = len(around)
    reach = np.zeros_like(masks)
    left = np.ones(len(masks), dtype=bool)
    for word in range(masks.shape[1]):
        first = masks[:, word] & -masks[:, word]
        reach[left, word] = first[left]
        left &= first == 0
    active = np.arange(len(masks))
    while len(active):
        inside, now = masks[active], reach[active]
        grown = now.copy()
        for unit in range(n):
            at = np.flatnonzero((grown[:, unit // WORD] >> (unit % WORD)) & 1)
            if len(at):
                grown[at] |= around[unit] & inside[at]
        reach[active] = grown
        active = active[(grown != now).any(axis=1)]
    return reach


def _members(masks: np.ndarray, n: int) -> np.ndarray:
    """Return sets as rows of truth values."""
    at = np.arange(n)
    return ((masks[:, at // WORD] >> (at % WORD)) & 1).astype(bool)


def _needs(rest: np.ndarray, around: np.ndarray, workload: np.ndarray, low: float, high: float) -> np.ndarray:
    """Return how much must be taken from each rest, as bits, until all its parts hold whole numbers of territories."""
    rest = rest.copy()
    need = np.zeros(len(rest))
    slack = CLOSE * high
    n = len(workload)
    active = np.flatnonzero((rest != 0).any(axis=1))
    while len(active):
        part = _reach(rest[active], around)
        load = np.einsum("su,u->s", _members(part, n), workload)
        most = np.floor((load + slack) / low)
        need[active] += np.maximum(0.0, load - most * high - slack)
        rest[active] &= ~part
        active = active[(need[active] <= high) & (rest[active] != 0).any(axis=1)]
    return need


def completable(
    sets: np.ndarray, neighbours: Sequence[tuple[int, ...]], workload: np.ndarray, low: float, high: float
) -> np.ndarray:
    """Answer for each set whether every part of the rest can hold a whole number of territories."""
    bits, around = _as_bits(neighbours)
    rest = np.zeros((len(sets), bits.shape[1]), dtype=np.int64)
    for word in range(bits.shape[1]):
        stretch = slice(word * WORD, (word + 1) * WORD)
        rest[:, word] = ~sets[:, stretch] @ bits[stretch, word]
    return _needs(rest, around, workload, low, high) <= CLOSE * high


def least_worst(part: WorkingPartition, watch: Watch, most: int = MOST_SETS) -> Exact:
    """Return the plan whose largest deviation is least, and among those the one of least cost.

    Parameters
    ----------
    part : WorkingPartition
        Of a problem whose territories are alike; it is left as it is.
    watch : Watch
    most : int
        Connected sets that are listed at most.

    Returns
    -------
    Exact
        Whose bound is the least largest deviation, where that is above the tolerance and proven.
    """
    choices = _Choices(part, watch, most)
    enough, limit = part.problem.tolerance, choices.limit
    best, bound = None, 0.0
    while not watch.time_is_up():
        # better than what there is; within the tolerance anything is as good
        sets = choices.below(limit) if limit > enough else choices.up_to(enough)
        chosen, proven = choices.best(sets, choices.cost, watch)
        if chosen is None:
            bound = limit if proven and limit > enough else 0.0
            break
        best = chosen
        if limit <= enough:
            break
        limit = max(enough, float(choices.deviation[best].max()))
        if limit <= enough:
            break
    return Exact(choices.assignment(best), bound, 0, choices.seen)


def fewest_outside(part: WorkingPartition, watch: Watch, most: int = MOST_SETS) -> Exact:
    """Return the plan with the fewest territories outside the tolerance, none further off than the worst is now.

    Parameters and return as of `least_worst`; the proof is the number of territories that must be outside.
    """
    choices = _Choices(part, watch, most)
    enough = part.problem.tolerance
    over = np.maximum(choices.deviation - enough, 0.0)
    # one more outside is worse than any sum of excess, and that worse than any travel
    cost = (over > CLOSE) + over / max(CLOSE, part.problem.territories * (choices.limit - enough))
    cost = cost + 1e-4 * choices.cost / max(1.0, float(np.abs(choices.cost).max(initial=0.0)))
    chosen, proven = choices.best(choices.up_to(choices.limit), cost, watch)
    outside = int((over[chosen] > CLOSE).sum()) if chosen is not None and proven else 0
    return Exact(choices.assignment(chosen), 0.0, outside, choices.seen)


class _Choices:
    """All connected territories near the target among a few units, with what they cost.

    Parameters
    ----------
    part : WorkingPartition
        Territories as far from the target as its worst are listed.
    watch : Watch
    most : int
        Sets that are looked at; when there are more, there is nothing to choose from.
    """

    def __init__(self, part: WorkingPartition, watch: Watch, most: int) -> None:
        self.problem = problem = part.problem
        target = float(problem.target[0])
        self.limit = max(problem.tolerance, *(abs(load / target - 1) for load in part.load))
        self.complete = self.limit < 1 and alike(problem)
        self.seen = 0
        sets = np.zeros((0, problem.units), dtype=bool)
        if self.complete:
            low, high = (1 - self.limit) * target * (1 - CLOSE), (1 + self.limit) * target * (1 + CLOSE)
            listed, self.seen = connected_sets(problem.neighbours, problem.workload, low, high, most, watch)
            self.complete = listed is not None
            if self.complete and not watch.time_is_up():
                sets = listed[completable(listed, problem.neighbours, problem.workload, low, high)]
        self.sets = sets
        self.deviation = np.abs(np.einsum("su,u->s", sets, problem.workload) / target - 1)
        self.cost = costs_of(part, sets)

    def below(self, limit: float) -> np.ndarray:
        """Return the sets nearer to the target than a deviation."""
        return np.flatnonzero(self.deviation < limit * (1 - CLOSE))

    def up_to(self, limit: float) -> np.ndarray:
        """Return the sets as near to the target as a deviation."""
        return np.flatnonzero(self.deviation <= limit * (1 + CLOSE))

    def best(self, among: np.ndarray, cost: np.ndarray, watch: Watch) -> tuple[np.ndarray | None, bool]:
        """Return the sets that make the cheapest plan, None if there is none, and whether that is proven."""
        if not self.complete or len(among) > MOST_COLUMNS:
            return None, False
        problem = self.problem
        chosen, proven = choose(self.sets[among], cost[among], problem.workload, problem.territories, watch)
        return (None if chosen is None else among[chosen]), proven

    def assignment(self, chosen: np.ndarray | None) -> list[int] | None:
        """Return the territory of each unit."""
        return None if chosen is None else hand_out(self.problem, self.sets[chosen])


def alike(problem: Problem, territories: Sequence[int] | None = None) -> bool:
    """Answer whether any of the territories may be any set of units."""
    some = list(range(problem.territories)) if territories is None else list(territories)
    target = problem.target[some]
    return bool(
        not problem.has_rules
        and not problem.oversize[some].any()
        and (problem.anchor[some] < 0).all()
        and target.min() > 0
        and np.ptp(target) <= CLOSE * target.max()
    )


def costs_of(part: WorkingPartition, sets: np.ndarray) -> np.ndarray:
    """Return what each set costs as a territory: balance, travel and half of the edges that leave it."""
    inside = sets.astype(float)
    # without BLAS, whose rounding depends on the number of its threads
    sums = np.einsum("su,uf->sf", inside, part.fields)
    squares = np.einsum(
        "su,u->s", inside, np.square(part.fields[:, 2:]).sum(axis=1) / np.maximum(part.fields[:, 1], 1e-300)
    )
    travel = squares - np.square(sums[:, 2:]).sum(axis=1) / np.maximum(sums[:, 1], 1e-300)
    n = len(part.neighbours)
    near = np.zeros((n, n))
    for unit, others in enumerate(part.neighbours):
        near[unit, list(others)] = 1.0
    cuts = inside @ near.sum(axis=1) - ((inside @ near) * inside).sum(axis=1)
    return part.balance_costs(0, sums[:, 0]) + travel + part.weights.boundary * cuts / 2


def choose(
    sets: np.ndarray,
    cost: np.ndarray,
    workload: np.ndarray,
    k: int,
    watch: Watch,
    nodes: int = MOST_NODES,
    gap: float = 1e-6,
) -> tuple[np.ndarray | None, bool]:
    """Return `k` sets that cover every unit with workload once at least cost, and whether the answer is proven."""
    covers = sets[:, workload > 0]
    if len(sets) < k or not covers.any(axis=0).all():
        return None, True
    rows = csr_array(sets.T.astype(float))
    must = (workload > 0).astype(float)
    found = milp(
        cost / max(1.0, float(np.abs(cost).max())),
        constraints=[
            LinearConstraint(rows, must, np.ones(len(workload))),
            LinearConstraint(np.ones((1, len(sets))), k, k),
        ],
        integrality=np.ones(len(sets)),
        bounds=Bounds(0, 1),
        options={"node_limit": nodes, "time_limit": watch.remaining(SECONDS), "mip_rel_gap": gap},
    )
    if found.x is None:
        return None, found.status == 2
    chosen = np.flatnonzero(found.x > 0.5)
    covered = sets[chosen].sum(axis=0)
    if len(chosen) != k or (covered > 1).any() or (covered < must).any():
        return None, False
    return chosen, found.status == 0


def hand_out(problem: Problem, sets: np.ndarray) -> list[int]:
    """Return the territory of each unit, those in no set with a neighbour's."""
    assignment = np.where(sets.any(axis=0), sets.argmax(axis=0), -1).tolist()
    queue = [unit for unit, home in enumerate(assignment) if home >= 0]
    for unit in queue:
        for other in problem.neighbours[unit]:
            if assignment[other] < 0:
                assignment[other] = assignment[unit]
                queue.append(other)
    return assignment
