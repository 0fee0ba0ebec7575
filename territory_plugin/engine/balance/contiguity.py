"""Contiguity of territories: what a unit's removal cuts off, and the repair of an assignment in parts."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from heapq import heapify, heappop, heappush

import numpy as np

from .capacitated_lloyd import Centres
from .handing_over import hand_over, misplaced
from .problem import Problem
from .transport import squared_distances

Neighbours = Sequence[tuple[int, ...]]


def components(neighbours: Neighbours, among: Sequence[int] | None = None) -> list[list[int]]:
    """Return the connected components as sorted lists of units, in the order of their first unit."""
    left = set(range(len(neighbours)) if among is None else among)
    found = []
    for first in sorted(left):
        if first not in left:
            continue
        left.discard(first)
        part = [first]
        for unit in part:
            for other in neighbours[unit]:
                if other in left:
                    left.discard(other)
                    part.append(other)
        found.append(sorted(part))
    return found


def territory_parts(neighbours: Neighbours, assignment: Sequence[int]) -> list[tuple[int, list[int]]]:
    """Return (territory, units) for each connected part of each territory."""
    seen = [False] * len(neighbours)
    parts = []
    for first in range(len(neighbours)):
        if seen[first]:
            continue
        seen[first] = True
        home = assignment[first]
        part = [first]
        for unit in part:
            for other in neighbours[unit]:
                if not seen[other] and assignment[other] == home:
                    seen[other] = True
                    part.append(other)
        parts.append((home, part))
    return parts


def breadth_first(neighbours: Neighbours, assignment: Sequence[int], start: Sequence[int]) -> list[int]:
    """Return the units of a territory in the order in which a search from some of them reaches them.

    A territory that is connected stays connected without the last ones.

    Parameters
    ----------
    neighbours : sequence of tuple of int
    assignment : sequence of int, shape (n,)
    start : sequence of int
        Units of one territory.
    """
    order = list(start)
    seen, home = set(order), assignment[order[0]]
    for unit in order:
        for other in neighbours[unit]:
            if other not in seen and assignment[other] == home:
                seen.add(other)
                order.append(other)
    return order


def cut_off(unit: int, neighbours: Neighbours, touches, assignment: Sequence[int]) -> list[int] | None:
    """Return the units that leave their territory's main part when `unit` goes; none when it stays whole.

    Searches from all the unit's neighbours in the territory at once, step by step, so that the cost is that
    of the smaller sides. The side that is left when all others are exhausted counts as the main part.

    Returns
    -------
    list of int
        Empty when the territory stays connected; None when the unit is all there is.
    """
    home = assignment[unit]
    inside = [other for other in neighbours[unit] if assignment[other] == home]
    if len(inside) < 2:
        return [] if inside else None
    # the ring around the unit settles most cases
    reached = [inside[0]]
    waiting = inside[1:]
    for other in reached:
        if not waiting:
            return []
        near = touches[other]
        joined = [candidate for candidate in waiting if candidate in near]
        if joined:
            reached += joined
            waiting = [candidate for candidate in waiting if candidate not in near]
    if not waiting:
        return []
    sides = [reached]
    while waiting:
        side = [waiting.pop()]
        for other in side:
            near = touches[other]
            side += [candidate for candidate in waiting if candidate in near]
            waiting = [candidate for candidate in waiting if candidate not in near]
        sides.append(side)
    owner = {member: index for index, side in enumerate(sides) for member in side}
    owner[unit] = -1
    heads = [0] * len(sides)
    active = list(range(len(sides)))
    fragment: list[int] = []
    while len(active) > 1:
        for index in list(active):
            if len(active) < 2:
                break
            if index not in active:
                continue
            side = sides[index]
            head = heads[index]
            if head == len(side):
                fragment += side
                active.remove(index)
                continue
            heads[index] = head + 1
            for other in neighbours[side[head]]:
                if assignment[other] != home:
                    continue
                whose = owner.get(other)
                if whose is None:
                    owner[other] = index
                    side.append(other)
                elif whose not in (index, -1):
                    # two sides met: the other one becomes a part of this one
                    met = sides[whose]
                    for member in met:
                        owner[member] = index
                    done = heads[index]
                    sides[index] = side = side[:done] + met[: heads[whose]] + side[done:] + met[heads[whose] :]
                    heads[index] = done + heads[whose]
                    active.remove(whose)
    return fragment


def assign_to_centres(problem: Problem, centres: Centres) -> list[int]:
    """Return the assignment to the centre with the least priced squared distance, made contiguous."""
    cost = squared_distances(problem.location, centres.location)
    if problem.home_travel is not None:
        np.copyto(cost, problem.home_travel, where=~np.isnan(problem.home_travel))
    cost -= centres.price
    cost[:, problem.oversize] = np.inf
    if problem.barred is not None:
        cost[problem.barred] = np.inf
    return repair_contiguity(problem, cost.argmin(axis=1).tolist(), cost)


class NotJoined(Exception):
    """Fixed units of a territory that no way joins.

    Attributes
    ----------
    territory : int
    unit : int
        Cannot be reached from the territory's other fixed units.
    """

    def __init__(self, territory: int, unit: int) -> None:
        super().__init__(territory, unit)
        self.territory, self.unit = territory, unit


def join_fixed(problem: Problem) -> np.ndarray:
    """Return a territory for each fixed unit, and for the units on short ways that join those of a territory.

    Returns
    -------
    ndarray of int, shape (n,)
        -1 where a unit is free.

    Raises
    ------
    NotJoined
        When the fixed units of others, or units that a territory may not have, are in every way tried.
    """
    first: list[int] = []
    while True:
        try:
            return _join_in_order(problem, first)
        except NotJoined as error:  # noqa: PERF203
            # the ways of others may stand in its own: it goes first
            if error.territory in first:
                raise
            first.insert(0, error.territory)


def _join_in_order(problem: Problem, first: list[int]) -> np.ndarray:
    """Return `join_fixed`, the territories in `first` before the others."""
    joined, location = problem.fixed.copy(), problem.location
    held = np.bincount(joined[joined >= 0], minlength=problem.territories)
    others = [t for t in np.flatnonzero(held > 1).tolist() if t not in first]

    def km(here: int, other: int) -> float:
        return float(np.sqrt(np.square(location[other] - location[here]).sum()))

    for territory in [*first, *others]:
        closed = (joined >= 0) & (joined != territory)
        if problem.barred is not None:
            closed |= problem.barred[:, territory]
        way, lost = connecting_units(problem, territory, closed.tolist(), km)
        if lost is not None:
            raise NotJoined(territory, lost)
        joined[way] = territory
    return joined


def fixed_parts(problem: Problem, territory: int) -> list[list[int]]:
    """Return the connected parts of the fixed units of a territory; that of its anchor, if it has one, comes first."""
    seat = int(problem.anchor[territory])
    parts = components(problem.neighbours, np.flatnonzero(problem.fixed == territory).tolist())
    return sorted(parts, key=lambda part: seat not in part)


def connecting_units(
    problem: Problem, territory: int, closed: Sequence[bool], step: Callable[[int, int], float]
) -> tuple[list[int], int | None]:
    """Return free units on cheap ways that join the fixed units of a territory, part by part, the nearest first.

    Parameters
    ----------
    closed : sequence of bool, shape (n,)
        Units that no way leads through or to.
    step : callable
        What a step from a unit to a neighbour costs.

    Returns
    -------
    units : list of int
    lost : int or None
        The first unit of those that no way reaches.
    """
    parts = fixed_parts(problem, territory)
    inside = set(parts[0])
    part_of = {unit: part for part in parts[1:] for unit in part}
    ways: list[int] = []
    while part_of:
        heap = [(0.0, unit, -1) for unit in sorted(inside)]
        before: dict[int, int] = {}
        found = None
        while heap:
            distance, here, last = heappop(heap)
            if here in before:
                continue
            before[here] = last
            if here in part_of:
                found = here
                break
            for other in problem.neighbours[here]:
                if other not in before and not closed[other]:
                    heappush(heap, (distance + step(here, other), other, here))
        if found is None:
            return ways, min(part_of)
        for unit in part_of[found]:
            inside.add(unit)
            del part_of[unit]
        unit = before[found]
        while unit not in inside:
            inside.add(unit)
            ways.append(unit)
            unit = before[unit]
    return ways, None


def repair_contiguity(problem: Problem, assignment: Sequence[int], cost: np.ndarray) -> list[int]:
    """Return an assignment in which each territory is one connected part, and none is empty.

    Each territory keeps the part with its fixed units, else its heaviest; the other units are taken up one by
    one by a territory they touch, the least `cost` first. A territory without units takes over one from the
    largest part.

    Parameters
    ----------
    assignment : sequence of int, shape (n,)
        Territory of each unit, possibly in parts; -1 for those that a territory is to be found for.
    cost : ndarray, shape (n, k)
        What it costs to add a unit to a territory; infinite means only if nothing else is left, and if no way leads
        to another one (`handing_over`).
    """

    def repaired(narrower: Problem, offered: list[int]) -> list[int] | None:
        try:
            return _repaired(narrower, offered, cost)
        except NotJoined:
            return None

    found = _repaired(problem, assignment, cost)
    return hand_over(problem, found, repaired) if misplaced(problem, found) else found


def _repaired(problem: Problem, assignment: Sequence[int], cost: np.ndarray) -> list[int]:
    """Return `repair_contiguity` before units are handed over to where they may be."""
    neighbours, workload = problem.neighbours, problem.workload
    anchor = problem.anchor.tolist()
    joined = join_fixed(problem)
    assignment = np.where(joined >= 0, joined, assignment).tolist()
    best: dict[int, tuple[tuple, list[int]]] = {}
    for territory, part in territory_parts(neighbours, assignment):
        if territory < 0:
            continue
        key = (anchor[territory] in part, float(workload[part].sum()), len(part), -part[0])
        if territory not in best or key > best[territory][0]:
            best[territory] = (key, part)
    kept = {territory: part for territory, (_, part) in best.items()}
    result = [-1] * len(neighbours)
    for territory, part in kept.items():
        for unit in part:
            result[unit] = territory
    donors = _Donors(kept, joined)
    for territory in range(problem.territories):
        if territory not in kept:
            found = _found_territory(problem, result, donors, territory)
            result[found] = territory
            kept[territory] = [found]

    far = float(np.max(cost, where=np.isfinite(cost), initial=1.0))
    heap = []
    for unit, territory in enumerate(result):
        if territory < 0:
            for other in neighbours[unit]:
                home = result[other]
                if home >= 0:
                    heap += [(min(cost[unit, home], 1e6 * far), unit, home)]
    heapify(heap)
    while heap:
        _, unit, territory = heappop(heap)
        if result[unit] >= 0:
            continue
        result[unit] = territory
        for other in neighbours[unit]:
            if result[other] < 0:
                heappush(heap, (min(cost[other, territory], 1e6 * far), other, territory))
    return result


class _Donors:
    """Territories that have a unit to give, the largest first.

    Parameters
    ----------
    kept : dict of int to list of int
        Units of each territory.
    joined : ndarray of int, shape (n,)
        The territory that a unit is held in, -1 for none.
    """

    def __init__(self, kept: dict[int, list[int]], joined: np.ndarray) -> None:
        self.kept, self.joined = kept, joined
        self.heap = [self._key(territory) for territory, part in kept.items() if len(part) > 1]
        heapify(self.heap)

    def _key(self, territory: int) -> tuple[bool, int, int]:
        """Return what it is sorted by: those that are held whole last."""
        part = self.kept[territory]
        return not (self.joined[part] < 0).any(), -len(part), territory

    def give(self, neighbours: Sequence[Sequence[int]], assignment: Sequence[int]) -> int:
        """Return a unit that the largest can do without, and take it from that."""
        territory = heappop(self.heap)[2]
        part = self.kept[territory]
        # what is held there is connected: a search from all of it ends elsewhere
        held = [unit for unit in part if self.joined[unit] == territory] or part[:1]
        *self.kept[territory], given = breadth_first(neighbours, assignment, held)
        if len(self.kept[territory]) > 1:
            heappush(self.heap, self._key(territory))
        return given


def _found_territory(problem: Problem, result: list[int], donors: _Donors, territory: int) -> int:
    """Return a unit to begin a territory with: one that nobody has, else one that its territory can do without.

    Units that it may not have, or that are held where they are, only if there is no other.
    """
    free = [unit for unit, home in enumerate(result) if home < 0]
    if free:
        barred = np.zeros(problem.units, bool) if problem.barred is None else problem.barred[:, territory]
        return max(free, key=lambda unit: (not barred[unit], problem.workload[unit], -unit))
    return donors.give(problem.neighbours, result)
