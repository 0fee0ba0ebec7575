"""Recombination: two touching territories are merged and cut anew along an edge of a random spanning tree.

Where single units weigh a tenth of a territory and more, as in cities, no single flip is acceptable any more;
a new cut moves many units at once and stays connected on both sides by construction. The tree is random, the
cut is not: of all the tree's edges the one with the least cost is taken. After DeFord, Duchin, Solomon
(2021), Recombination: a family of Markov chains for redistricting, Harvard Data Science Review 3 (1).
"""

from __future__ import annotations

import numpy as np

from .objective import WorkingPartition


def recombine(
    part: WorkingPartition,
    members: list[list[int]],
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
    members : list of lists of int
        Units of each territory; kept up to date.
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
    k = len(load)
    moved: set[int] = set()
    draw = rng.random((pairs, 4)).tolist()
    heat = (temperature * rng.standard_exponential(pairs)).tolist()
    outside = [t for t in range(k) if not low[t] <= load[t] <= high[t]]
    for trial in range(pairs):
        focus, first, second, _ = draw[trial]
        if outside and focus < 0.7:
            one = outside[int(first * len(outside))]
            if low[one] <= load[one] <= high[one]:
                outside = [t for t in range(k) if not low[t] <= load[t] <= high[t]]
                continue
        else:
            one = int(first * k)
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
    workload, mass, xs, ys, zs = part.workload, part.mass, part.x, part.y, part.z
    size = len(units)
    picks = rng.random(8 * size + 16).tolist()
    count = len(picks)
    # grow the tree by random edges of its rim
    root = units[int(picks[0] * size)]
    parent = {root: -1}
    order = [root]
    rim = [(root, near) for near in neighbours[root] if assignment[near] in (one, other)]
    step = 0
    while rim:
        step += 1
        spot = int(picks[step % count] * len(rim))
        edge = rim[spot]
        last = rim.pop()
        if spot < len(rim):
            rim[spot] = last
        unit = edge[1]
        if unit in parent:
            continue
        parent[unit] = edge[0]
        order.append(unit)
        for near in neighbours[unit]:
            if near not in parent:
                home = assignment[near]
                if home in (one, other):
                    rim.append((unit, near))
    sums = {
        unit: [
            workload[unit],
            mass[unit],
            mass[unit] * xs[unit],
            mass[unit] * ys[unit],
            mass[unit] * zs[unit],
            0,
        ]
        for unit in order
    }
    anchors = [unit for unit in order if part.anchored[unit]]
    for unit in anchors:
        sums[unit][5] = 1
    for unit in reversed(order):
        above = parent[unit]
        if above >= 0:
            top, own = sums[above], sums[unit]
            for index in range(6):
                top[index] += own[index]
    total, all_mass, all_x, all_y, all_z, held = sums[root]
    now = part.balance_cost(one, part.load[one]) + part.balance_cost(other, part.load[other])
    for territory in (one, other):
        now -= (part.sum_x[territory] ** 2 + part.sum_y[territory] ** 2 + part.sum_z[territory] ** 2) / part.weight[
            territory
        ]
    limit = now + threshold + 2 * part.weights.boundary * size**0.5
    best, best_cut = limit, None
    anchored_one = any(assignment[unit] == one for unit in anchors)
    for unit in order[1:]:
        below, m, x, y, z, fixed = sums[unit]
        rest = total - below
        straight = part.balance_cost(one, below) + part.balance_cost(other, rest)
        crossed = part.balance_cost(other, below) + part.balance_cost(one, rest)
        if held:
            if held == 2:
                if fixed != 1:
                    continue
                straight, crossed = _anchored(part, parent, unit, anchors, one, straight, crossed)
            elif (fixed == 1) == anchored_one:
                crossed = float("inf")
            else:
                straight = float("inf")
        rest_mass = all_mass - m
        rx, ry, rz = all_x - x, all_y - y, all_z - z
        travel = -(x * x + y * y + z * z) / m - (rx * rx + ry * ry + rz * rz) / rest_mass
        if straight + travel < best:
            best, best_cut = straight + travel, (unit, True)
        if crossed + travel < best:
            best, best_cut = crossed + travel, (unit, False)
    if best_cut is None:
        return None
    top, is_one = best_cut
    below = {top}
    for unit in order[order.index(top) + 1 :]:
        if parent[unit] in below:
            below.add(unit)
    ones = below if is_one else set(order) - below
    to_one = [unit for unit in order if unit in ones and assignment[unit] == other]
    to_other = [unit for unit in order if unit not in ones and assignment[unit] == one]
    if not to_one and not to_other:
        return None
    # the boundary term: edges to third territories stay cut whichever side a unit is on
    cuts = 0
    for unit in order:
        mine = unit in ones
        home = assignment[unit]
        for near in neighbours[unit]:
            if near in parent:
                cuts += (mine != (near in ones)) - (home != assignment[near])
    change = best - now + part.weights.boundary * cuts / 2
    return (to_one, to_other) if change < threshold else None


def _anchored(part, parent, unit, anchors, one, straight, crossed):
    """Forbid the labelling that would take an anchored unit out of its territory."""
    for anchor in anchors:
        above = anchor
        while above >= 0 and above != unit:
            above = parent[above]
        inside = above == unit
        if inside == (part.assignment[anchor] == one):
            crossed = float("inf")
        else:
            straight = float("inf")
    return straight, crossed
