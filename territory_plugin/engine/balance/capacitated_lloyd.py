"""Where the territories' centres should lie: capacitated Lloyd iterations.

In turn, cells are shared out among the centres so that each draws its target, by `transport`, and each centre
moves to the middle of what it draws. Starts come from cutting the workload in two again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .problem import Problem
from .transport import Transport
from .watch import Watch

CELLS_PER_TERRITORY = 12
MOST_CELLS = 3000
COARSEST = 0.3
SHARPER = (0.2, 0.12, 0.07, 0.04, 0.02)


@dataclass(frozen=True)
class Centres:
    """Centres with prices.

    Attributes
    ----------
    location : ndarray, shape (k, 3)
        Geocentric km.
    price : ndarray, shape (k,)
        km² that a unit of workload is charged less (positive) or more at the centre.
    travel : float
        Workload × km² of the smoothed transport, all workload included.
    """

    location: np.ndarray
    price: np.ndarray
    travel: float


def weighted_bisection(
    location: np.ndarray, workload: np.ndarray, share: np.ndarray, turn: np.random.Generator
) -> np.ndarray:
    """Return one centre per share by cutting the workload in two across its longest extent, again and again.

    Parameters
    ----------
    location : ndarray, shape (n, d)
    workload : ndarray, shape (n,)
    share : ndarray, shape (k,)
        Workload wanted at each centre, any scale.
    turn : Generator
        Turns each cut at random by up to 35°, so that other starts differ.

    Returns
    -------
    ndarray, shape (k, d)
    """
    centres = np.empty((len(share), location.shape[1]))
    stack = [(np.arange(len(location)), np.arange(len(share)))]
    while stack:
        units, slots = stack.pop()
        here, weights = location[units], workload[units]
        total = weights.sum()
        middle = (weights @ here) / total if total > 0 else here.mean(axis=0)
        if len(slots) == 1 or len(units) < 2:
            centres[slots] = middle
            continue
        spread = here - middle
        _, axes = np.linalg.eigh((spread * (weights + 1e-12 * (total or 1.0))[:, None]).T @ spread)
        axis = axes[:, -1] * np.sign(axes[np.argmax(np.abs(axes[:, -1])), -1])
        other = axes[:, -2] * np.sign(axes[np.argmax(np.abs(axes[:, -2])), -2])
        angle = turn.uniform(-0.6, 0.6)
        along = np.round(spread @ (np.cos(angle) * axis + np.sin(angle) * other), 6)
        order = np.argsort(along, kind="stable")
        half = len(slots) // 2
        wanted = share[slots[:half]].sum() / share[slots].sum() * total
        cut = int(np.searchsorted(np.cumsum(weights[order]), wanted)) + 1
        cut = min(max(cut, 1), len(units) - 1)
        stack.append((units[order[cut:]], slots[half:]))
        stack.append((units[order[:cut]], slots[:half]))
    return centres


def coarse_cells(location: np.ndarray, workload: np.ndarray, most: float) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and workloads of groups of near units, none heavier than `most` unless a single unit is.

    Groups must stay light: centres that share one heavy cell have no reason to part.
    """
    stack = [np.arange(len(workload))]
    groups = []
    while stack:
        units = stack.pop()
        if len(units) == 1 or workload[units].sum() <= most:
            groups.append(units)
            continue
        axis = int(np.argmax(np.ptp(location[units], axis=0)))
        order = units[np.argsort(location[units, axis], kind="stable")]
        total = np.cumsum(workload[order])
        half = int(np.searchsorted(total, total[-1] / 2))
        half = min(max(half, 1), len(order) - 1)
        stack += [order[half:], order[:half]]
    weight = np.array([workload[units].sum() for units in groups])
    centre = np.array([workload[units] @ location[units] / workload[units].sum() for units in groups])
    return centre, weight


def capacitated_lloyd(
    problem: Problem,
    starts: int,
    rounds: int,
    keep: int,
    rng: np.random.Generator,
    watch: Watch,
) -> list[Centres]:
    """Return the best `keep` of `starts` sets of centres, least travel first.

    Oversize territories stay at their unit; only the others are placed.
    """
    usual = np.flatnonzero(~problem.oversize)
    taken = np.zeros(problem.units, dtype=bool)
    taken[problem.anchor[problem.oversize]] = True
    active = np.flatnonzero((problem.workload > 0) & ~taken)
    if not len(active):
        active = np.flatnonzero(~taken)
    if not len(usual) or not len(active):
        location = problem.location[problem.anchor]
        return [Centres(location, np.zeros(problem.territories), 0.0)]
    weight = problem.mass[active]
    places = problem.location[active]
    points, loads = places, weight
    if len(active) > MOST_CELLS:
        points, loads = coarse_cells(places, weight, weight.sum() / (CELLS_PER_TERRITORY * len(usual)))
    capacity = problem.target[usual]
    if capacity.sum() <= 0:
        capacity = np.ones(len(usual))
    capacity = capacity / capacity.sum() * loads.sum()

    found = []
    for start in range(starts):
        if watch.time_is_up() and found:
            break
        watch.progress(start / starts, f"Placing centres, start {start + 1} of {starts}")
        centres = weighted_bisection(points, loads, capacity, rng)
        transport = Transport(points, loads, capacity, centres, watch)
        for turn in range(rounds):
            transport.balance(COARSEST)
            scale = transport.local_scale()
            centres = transport.middles()
            near = np.square(centres - transport.centres).sum(axis=1)
            width = transport.per_centre(transport.share * scale[:, None])
            transport.move_to(centres)
            watch.progress((start + turn / rounds) / starts, f"Placing centres, start {start + 1} of {starts}")
            if watch.time_is_up() or (turn > 10 and (near < 1e-4 * width).all()):
                break
        transport.balance(COARSEST)
        transport.sharpen(SHARPER)
        found.append((round(transport.travel(), 3), start, centres, transport.price))
    found.sort(key=lambda entry: entry[:2])

    results = []
    for travel, _, centres, price in found[:keep]:
        if len(points) < len(places) and not watch.time_is_up():
            # the centres are good, but cells too coarse to tell the price to the unit
            whole = Transport(places, weight, capacity, centres, watch, price)
            whole.balance(COARSEST)
            whole.sharpen(SHARPER)
            price, travel = whole.price, whole.travel()
        location = np.empty((problem.territories, 3))
        location[usual] = np.round(centres, 6)
        location[problem.oversize] = problem.location[problem.anchor[problem.oversize]]
        prices = np.zeros(problem.territories)
        prices[usual] = np.round(price, 6)
        results.append(Centres(location, prices, travel))
    return results
