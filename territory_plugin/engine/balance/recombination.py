"""Recombination: two touching territories are merged and cut anew along an edge of a random spanning tree.

Where single units weigh a tenth of a territory and more, as in cities, no single flip is acceptable any more;
a new cut moves many units at once and stays connected on both sides by construction. The tree is random, the
cut is not: of all the tree's edges the one with the least cost is taken. After DeFord, Duchin, Solomon
(2021), Recombination: a family of Markov chains for redistricting, Harvard Data Science Review 3 (1).
"""

from __future__ import annotations

from itertools import chain, cycle

import numpy as np

from .objective import WorkingPartition, square_of_sums

MOST_CUTS_SAVED = 2.0
"""Cut edges, × √units, that a new cut may save at most: what costs more is not looked at."""


def recombine(
    part: WorkingPartition,
    among: list[int],
    pairs: int,
    temperature: float,
    rng: np.random.Generator,
    largest: int,
) -> set[int]:
    """Try new cuts for random pairs of touching territories, those outside the tolerance first.

    Parameters
    ----------
    part : WorkingPartition
        Changed in place.
    among : list of int
        Territories of which one is drawn for each pair.
    pairs : int
        How many to try.
    temperature : float
        As in annealing.
    rng : Generator
    largest : int
        Pairs with more units are left to flips.

    Returns
    -------
    set of int
        Units that moved.
    """
    assignment, neighbours = part.assignment, part.neighbours
    low, high, load = part.low, part.high, part.load
    members: list[list[int]] = [[] for _ in load]
    for unit, home in enumerate(assignment):
        members[home].append(unit)
    moved: set[int] = set()
    draw = rng.random((pairs, 3)).tolist()
    heat = (temperature * rng.standard_exponential(pairs)).tolist()
    outside = [t for t in among if not low[t] <= load[t] <= high[t]]
    for trial in range(pairs):
        focus, first, second = draw[trial]
        if outside and focus < 0.7:
            one = outside[int(first * len(outside))]
            if low[one] <= load[one] <= high[one]:
                outside = [t for t in among if not low[t] <= load[t] <= high[t]]
                continue
        else:
            one = among[int(first * len(among))]
        doors = sorted({assignment[other] for unit in members[one] for other in neighbours[unit]} - {one})
        if not doors:
            continue
        other = doors[int(second * len(doors))]
        size = len(members[one]) + len(members[other])
        if size < 3 or size > largest:
            continue
        cut = _best_cut(part, members[one] + members[other], one, other, rng, heat[trial])
        if cut is None:
            continue
        to_one, to_other = cut
        for group, source, sink in ((to_one, other, one), (to_other, one, other)):
            part.move(group, source, sink)
            moved.update(group)
        both = members[one] + members[other]
        members[one] = [unit for unit in both if assignment[unit] == one]
        members[other] = [unit for unit in both if assignment[unit] == other]
    return moved


def _best_cut(
    part: WorkingPartition, units: list[int], one: int, other: int, rng: np.random.Generator, threshold: float
) -> tuple[list[int], list[int]] | None:
    """Return the units that change sides in the best cut of a random tree, None if none is better."""
    assignment, neighbours = part.assignment, part.neighbours
    inside, ends = _preorder(*_random_tree(units, neighbours, rng))
    # the units below an edge of the tree are a stretch of this order: sums are differences of running sums
    running = np.cumsum(part.fields[inside], axis=0)
    # below each edge, and above it
    sums = np.empty((2, len(inside) - 1, running.shape[1]))
    np.subtract(running[ends[1:] - 1], running[:-1], out=sums[0])
    np.subtract(running[-1], sums[0], out=sums[1])
    now = part.balance_cost(one, part.load[one]) + part.balance_cost(other, part.load[other])
    now -= part.square_of(one) + part.square_of(other)
    lower, upper = square_of_sums(sums)
    for_one, for_other = part.balance_costs(one, sums[..., 0]), part.balance_costs(other, sums[..., 0])
    straight = for_one[0] + for_other[1]
    straight -= part.pull[one] * lower + part.pull[other] * upper
    crossed = for_other[0] + for_one[1]
    crossed -= part.pull[other] * lower + part.pull[one] * upper
    if part.terms:
        place = np.arange(len(inside))
        is_below = (place > place[:-1, None]) & (place < ends[1:, None])
        straight += part.split_terms(inside, is_below, one, other)
        crossed += part.split_terms(inside, ~is_below, one, other)
        now += part.split_terms(inside, np.array([[assignment[unit] == one for unit in inside]]), one, other)[0]
    for position, unit in enumerate(inside):
        if part.anchored[unit]:
            # the anchored unit keeps its territory, below the edge or above it
            under = np.zeros(len(straight), dtype=bool)
            under[:position] = ends[1 : position + 1] > position
            stays = under if assignment[unit] == one else ~under
            straight[~stays] = np.inf
            crossed[stays] = np.inf
    best_straight, best_crossed = int(straight.argmin()), int(crossed.argmin())
    is_one = straight[best_straight] <= crossed[best_crossed]
    spot = best_straight if is_one else best_crossed
    best = float(min(straight[best_straight], crossed[best_crossed]))
    if best - now >= threshold + part.weights.boundary * MOST_CUTS_SAVED * len(units) ** 0.5:
        return None
    ones = set(inside[spot + 1 : ends[spot + 1]])
    if not is_one:
        ones = set(inside) - ones
    to_one = [unit for unit in inside if unit in ones and assignment[unit] == other]
    to_other = [unit for unit in inside if unit not in ones and assignment[unit] == one]
    if not to_one and not to_other:
        return None
    # edges to third territories stay cut whichever side a unit is on
    cuts = 0
    for unit in inside:
        mine = unit in ones
        home = assignment[unit]
        for near in neighbours[unit]:
            beyond = assignment[near]
            if beyond in (one, other):
                cuts += (mine != (near in ones)) - (home != beyond)
    change = best - now + part.weights.boundary * cuts / 2
    return (to_one, to_other) if change < threshold else None


def _random_tree(units, neighbours, rng) -> tuple[list[int], list[int]]:
    """Return the units in the order in which a random tree takes them, and the place of each one's parent in it."""
    picks = rng.random(8 * len(units) + 16).tolist()
    root = units[int(picks[0] * len(units))]
    order, above, left = [root], [-1], set(units)
    left.remove(root)
    rim = [(0, near) for near in neighbours[root] if near in left]
    for pick in chain(picks[1:], cycle(picks)):
        spot = int(pick * len(rim))
        place, unit = rim[spot]
        last = rim.pop()
        if spot < len(rim):
            rim[spot] = last
        if unit not in left:
            continue
        left.remove(unit)
        here = len(order)
        order.append(unit)
        above.append(place)
        if not left:
            break
        rim += [(here, near) for near in neighbours[unit] if near in left]
    return order, above


def _preorder(order: list[int], above: list[int]) -> tuple[list[int], np.ndarray]:
    """Return the tree's units so that each subtree is a stretch, and where the stretch of each ends."""
    count = len(order)
    size = [1] * count
    for at in range(count - 1, 0, -1):
        size[above[at]] += size[at]
    free = [1] * count
    inside = [order[0]] * count
    ends = [count] * count
    for at in range(1, count):
        parent = above[at]
        spot = free[parent]
        free[parent] = spot + size[at]
        free[at] = spot + 1
        inside[spot] = order[at]
        ends[spot] = spot + size[at]
    return inside, np.array(ends)
