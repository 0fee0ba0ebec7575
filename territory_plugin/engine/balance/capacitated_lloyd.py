"""Where the territories' centres should lie: capacitated Lloyd iterations.

In turn, cells are shared out among the centres so that each draws its target, by `transport`, and each centre
moves to the middle of what it draws. Starts come from cutting the workload in two again and again.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.optimize import linear_sum_assignment

from .problem import Problem
from .transport import ROUGH, Transport, squared_distances
from .watch import Watch

CELLS_PER_TERRITORY = 12
MOST_CELLS = 3000
REGION = 60
"""Above so many territories, Lloyd rounds start in regions of at most so many, and are refined all together."""
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
    location: np.ndarray, workload: np.ndarray, share: np.ndarray, turn: np.random.Generator, most: int = 1
) -> list[tuple[np.ndarray, np.ndarray]]:
    """Return groups of units and of shares that fit, by cutting the workload in two across its longest extent.

    Parameters
    ----------
    location : ndarray, shape (n, d)
    workload : ndarray, shape (n,)
    share : ndarray, shape (k,)
        Workload wanted at each centre, any scale.
    turn : Generator
        Turns each cut at random by up to 35°, so that other starts differ.
    most : int
        Shares in a group at most.

    Returns
    -------
    list of (ndarray of int, ndarray of int)
        Units and shares of each group; every unit and every share is in one group.
    """
    groups = []
    stack = [(np.arange(len(location)), np.arange(len(share)))]
    while stack:
        units, slots = stack.pop()
        if len(slots) <= most or len(units) < 2:
            groups.append((units, slots))
            continue
        here, weights = location[units], workload[units]
        total = weights.sum()
        spread = here - np.einsum("u,ua->a", weights, here) / total
        _, axes = np.linalg.eigh(np.einsum("ua,ub->ab", spread * weights[:, None], spread))
        axis = axes[:, -1] * np.sign(axes[np.argmax(np.abs(axes[:, -1])), -1])
        other = axes[:, -2] * np.sign(axes[np.argmax(np.abs(axes[:, -2])), -2])
        angle = turn.uniform(-0.6, 0.6)
        along = np.round(np.einsum("ua,a->u", spread, np.cos(angle) * axis + np.sin(angle) * other), 6)
        order = np.argsort(along, kind="stable")
        half = len(slots) // 2
        wanted = share[slots[:half]].sum() / share[slots].sum() * total
        cut = int(np.searchsorted(np.cumsum(weights[order]), wanted)) + 1
        cut = min(max(cut, 1), len(units) - 1)
        stack.append((units[order[cut:]], slots[half:]))
        stack.append((units[order[:cut]], slots[:half]))
    return groups


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
    centre = np.array(
        [np.einsum("u,ua->a", workload[units], location[units]) / workload[units].sum() for units in groups]
    )
    return centre, weight


def _lloyd(points, loads, capacity, homes, rounds: int, rng, watch: Watch, text: str) -> Transport:
    """Return the transport after Lloyd rounds from a weighted bisection."""
    centres = np.empty((len(capacity), points.shape[1]))
    for cells, slots in weighted_bisection(points, loads, capacity, rng):
        centres[slots] = np.einsum("u,ua->a", loads[cells], points[cells]) / loads[cells].sum()
    transport = Transport(points, loads, capacity, _beside_homes(centres, homes), watch)
    _iterate(transport, homes, rounds, watch, text)
    return transport


def _beside_homes(centres: np.ndarray, homes: np.ndarray) -> np.ndarray:
    """Return the centres with those nearest to the homes at them, the others where no home is."""
    homed = np.flatnonzero(~np.isnan(homes[:, 0]))
    if not len(homed):
        return centres
    if len(homed) == len(homes):  # to match 10,000 of them takes half a minute
        return homes.copy()
    taken = linear_sum_assignment(np.round(squared_distances(homes[homed], centres), 6))[1]
    placed = homes.copy()
    placed[np.isnan(homes[:, 0])] = np.delete(centres, taken, axis=0)
    return placed


def _iterate(transport: Transport, homes: np.ndarray, rounds: int, watch: Watch, text: str) -> None:
    """Balance and move the centres without a home in turn, at most `rounds` times, and balance once more."""
    homed = ~np.isnan(homes[:, 0])
    for turn in range(0 if homed.all() else rounds):
        transport.balance(COARSEST, ROUGH)
        scale = transport.local_scale()
        centres = np.where(homed[:, None], transport.centres, transport.middles())
        shift = np.square(centres - transport.centres).sum(axis=1)
        width = transport.per_centre(transport.share * transport.of_cells(scale))
        transport.move_to(centres)
        watch.progress(turn / rounds, text)
        if watch.time_is_up() or (turn > 10 and (shift < 1e-4 * width).all()):
            break
    transport.balance(COARSEST)


def capacitated_lloyd(
    problem: Problem,
    starts: int,
    rounds: int,
    keep: int,
    rng: np.random.Generator,
    watch: Watch,
) -> list[Centres]:
    """Return the best `keep` of `starts` sets of centres, least travel first.

    Oversize territories stay at their unit, reps at their homes; only the others are placed.
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
    homes = np.full((len(usual), 3), np.nan) if problem.home is None else problem.home[usual]
    if not np.isnan(homes).any():
        starts = 1  # there is nothing to place

    found = []
    for start in range(starts):
        if watch.time_is_up() and found:
            break
        text = f"Placing centres, start {start + 1} of {starts}"
        stretch = watch.part(start / starts, (start + 1) / starts)
        centres, price = np.empty((len(usual), 3)), np.zeros(len(usual))
        if len(usual) > REGION and np.isnan(homes).all():
            # centres of each region on their own first: all at once, they start too far from balance
            regions = weighted_bisection(points, loads, capacity, rng, REGION)
            for index, (cells, slots) in enumerate(regions):
                part = capacity[slots] / capacity[slots].sum() * loads[cells].sum()
                inner = stretch.part(0.8 * index / len(regions), 0.8 * (index + 1) / len(regions))
                local = _lloyd(points[cells], loads[cells], part, homes[slots], rounds, rng, inner, text)
                centres[slots], price[slots] = local.centres, local.price
            transport = Transport(points, loads, capacity, centres, watch, price)
            _iterate(transport, homes, rounds // 4, stretch.part(0.8, 1.0), text)
        else:
            transport = _lloyd(points, loads, capacity, homes, rounds, rng, stretch, text)
        transport.sharpen(SHARPER)
        found.append((round(transport.travel(), 3), start, transport.centres, transport.price))
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
