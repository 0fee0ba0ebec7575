"""Exact splits: all ways of sharing out the units at the border of two territories, and the best of them.

Where the tolerance is tight, balance needs several units to change sides at once, in both directions. Among few
units all subsets can be looked at: their workloads come from doubling a list, only those that are balanced well
enough are priced, and only those that cost less than what there is are asked whether both sides are connected,
many at a time.
"""

from __future__ import annotations

import numpy as np

from .contiguity import components
from .listing import is_connected
from .objective import WorkingPartition, square_of_sums
from .watch import Watch

FREE = 17
"""Units that may change sides at most, so that 2^FREE subsets are looked at."""
MOST_NODES = 62
"""Units and fixed parts at most: a subset is a 64-bit number."""
TOGETHER, ALONE = 2048, 64
"""Subsets whose contiguity is looked at together, the cheapest first, and up to how many one by one."""
GAIN = 1e-7
"""Cost that a new split saves at least."""
ROUNDING = 1e-11
"""Share of the cost that its own rounding may be."""


def improve_pairs(part: WorkingPartition, watch: Watch, free: int = FREE, among: set[int] | None = None) -> bool:
    """Split each two touching territories anew in the best way, until no pair of them gains.

    Parameters
    ----------
    part : WorkingPartition
        Changed in place; it stays connected and keeps all its territories.
    watch : Watch
    free : int
        Units nearest the border that may change sides; all of the two territories when they are so few.
    among : set of int, optional
        Pairs without any of these territories are left alone.

    Returns
    -------
    bool
        Whether anything changed.
    """
    changed = False
    members: list[list[int]] = [[] for _ in part.load]
    for unit, home in enumerate(part.assignment):
        members[home].append(unit)
    settled: dict[tuple[int, int], tuple[int, int]] = {}
    version = [0] * len(part.load)
    while True:
        pairs = sorted(
            {
                (min(home, beyond), max(home, beyond))
                for unit, around in enumerate(part.neighbours)
                for home in (part.assignment[unit],)
                for beyond in (part.assignment[other] for other in around)
                if beyond != home
            }
        )
        moved = False
        for one, other in pairs:
            if among is not None and one not in among and other not in among:
                continue
            if watch.time_is_up():
                return changed
            if settled.get((one, other)) == (version[one], version[other]):
                continue
            units = sorted(members[one] + members[other])
            found = best_split(part, one, other, free, units)
            if found is not None:
                to_one, to_other = found
                part.move(to_one, other, one)
                part.move(to_other, one, other)
                for territory in (one, other):
                    members[territory] = [unit for unit in units if part.assignment[unit] == territory]
                version[one] += 1
                version[other] += 1
                moved = changed = True
            settled[one, other] = (version[one], version[other])
        if not moved:
            return changed


def best_split(
    part: WorkingPartition, one: int, other: int, free: int = FREE, units: list[int] | None = None
) -> tuple[list[int], list[int]] | None:
    """Return the units that go to `one` and to `other` in the best split of the two, None if none is better.

    Parameters
    ----------
    part : WorkingPartition
    one, other : int
        Territories that touch.
    free : int
        As in `improve_pairs`.
    units : list of int, optional
        Their units in order, where they are known.
    """
    assignment, neighbours = part.assignment, part.neighbours
    if units is None:
        units = [unit for unit, home in enumerate(assignment) if home in (one, other)]
    chosen = _nearest_border(part, units, free)
    size = len(chosen)
    if not size:
        return None
    loose = set(chosen)
    sides = [
        components(neighbours, [unit for unit in units if unit not in loose and assignment[unit] == home])
        for home in (one, other)
    ]
    groups = [[unit] for unit in chosen] + sides[0] + sides[1]
    if len(groups) > MOST_NODES:
        return None
    node = {unit: index for index, group in enumerate(groups) for unit in group}
    around = [0] * len(groups)
    edges: dict[tuple[int, int], int] = {}
    for unit in units:
        here = node[unit]
        for near in neighbours[unit]:
            there = node.get(near)
            if there is not None and there != here:
                around[here] |= 1 << there
                if here < there:
                    edges[here, there] = edges.get((here, there), 0) + 1
    fixed_one = sum(1 << index for index in range(size, size + len(sides[0])))
    rows = part.fields[chosen]
    fixed = [
        part.fields[[unit for group in side for unit in group]].sum(axis=0) if side else np.zeros(5) for side in sides
    ]
    total = rows.sum(axis=0) + fixed[0] + fixed[1]

    loads = np.full(1, fixed[0][0])
    for load in rows[:, 0]:
        loads = np.concatenate([loads, loads + load])
    balance = part.balance_costs(one, loads) + part.balance_costs(other, total[0] - loads)
    now = part.balance_cost(one, part.load[one]) + part.balance_cost(other, part.load[other])
    now -= part.square_of(one) + part.square_of(other)
    bits = [assignment[unit] == one for unit in chosen]
    cut_now = _cut(np.array([bits]), edges, size, len(sides[0]))[0]
    now += part.weights.boundary * cut_now
    # travel cannot fall below that of one point for each territory: Σ q − Σ |s|²/m ≥ 0
    squares = part.squares_of(units) if part.problem.placement is None else 0.0
    if part.terms:
        now += part.split_terms(units, np.array([[assignment[unit] == one for unit in units]]), one, other)[0]
    # a gain below the rounding of large costs is none: equal plans would follow each other for ever
    enough = now - GAIN - ROUNDING * abs(now)
    subsets = np.flatnonzero(balance - squares < enough)
    if len(subsets) == 0:
        return None
    if len(subsets) > 50_000:
        # the best balanced first: the rest costs too much to look at
        subsets = np.sort(subsets[np.argpartition(balance[subsets], 50_000)[:50_000]])
    inside = (subsets[:, None] >> np.arange(size)) & 1
    # without BLAS, whose rounding depends on the number of its threads
    ones = np.einsum("su,uf->sf", inside, rows) + fixed[0]
    others = total - ones
    cost = balance[subsets] - part.pull[one] * square_of_sums(ones) - part.pull[other] * square_of_sums(others)
    if part.terms:
        to_one = np.empty((len(subsets), len(units)), dtype=bool)
        for column, unit in enumerate(units):
            at = node[unit]
            to_one[:, column] = inside[:, at] if at < size else at < size + len(sides[0])
        cost += part.split_terms(units, to_one, one, other)
    keep = np.flatnonzero(cost < enough)
    if part.weights.boundary and len(keep):
        cost[keep] += part.weights.boundary * _cut(inside[keep].astype(bool), edges, size, len(sides[0]))
        keep = keep[cost[keep] < enough]
    keep = keep[np.argsort(cost[keep], kind="stable")]
    every = (1 << len(groups)) - 1
    for first in range(0, len(keep), TOGETHER):
        some = keep[first : first + TOGETHER]
        sound = _first_sound(subsets[some] | fixed_one, every, around)
        if sound is not None:
            best = inside[some[sound]]
            to_one = [unit for unit, bit in zip(chosen, best) if bit and assignment[unit] == other]
            to_other = [unit for unit, bit in zip(chosen, best) if not bit and assignment[unit] == one]
            return to_one, to_other
    return None


def _nearest_border(part: WorkingPartition, units: list[int], most: int) -> list[int]:
    """Return at most `most` units of two territories that may move, border by border from where they touch."""
    assignment, neighbours = part.assignment, part.neighbours
    inside = set(units)
    found = [
        unit
        for unit in units
        if any(near in inside and assignment[near] != assignment[unit] for near in neighbours[unit])
    ]
    seen = set(found)
    for unit in found:
        if len(found) >= 2 * most:
            break
        for near in neighbours[unit]:
            if near in inside and near not in seen:
                seen.add(near)
                found.append(near)
    return sorted([unit for unit in found if not part.anchored[unit]][:most])


def _first_sound(masks: np.ndarray, every: int, around: list[int]) -> int | None:
    """Return the place of the first set of nodes, a bit each, that is connected, and so are all others; or None."""
    if len(masks) <= ALONE:
        both = (is_connected(mask, around) and is_connected(every ^ mask, around) for mask in masks.tolist())
        return next((at for at, sound in enumerate(both) if sound), None)
    sound = np.flatnonzero(_connected(masks, around) & _connected(every ^ masks, around))
    return int(sound[0]) if len(sound) else None


def _cut(inside: np.ndarray, edges: dict[tuple[int, int], int], size: int, first: int) -> np.ndarray:
    """Return the edges cut by each row of sides: free units, then fixed parts of the first and second."""
    if not edges:
        return np.zeros(len(inside))
    fixed = np.arange(size, max(there for _, there in edges) + 1) < size + first
    side = np.concatenate([inside, np.broadcast_to(fixed, (len(inside), len(fixed)))], axis=1)
    here, there = np.array(list(edges)).T
    return np.einsum("se,e->s", side[:, here] != side[:, there], np.array(list(edges.values()), dtype=float))


def _connected(masks: np.ndarray, around: list[int]) -> np.ndarray:
    """Answer for each set of nodes, a bit each, whether it is connected and not empty."""
    reach = masks & -masks
    while True:
        grown = reach.copy()
        for node, near in enumerate(around):
            grown |= np.where((reach >> node) & 1, near, 0)
        grown &= masks
        if (grown == reach).all():
            return (reach == masks) & (masks != 0)
        reach = grown
