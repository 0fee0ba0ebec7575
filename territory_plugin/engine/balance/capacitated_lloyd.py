"""Where the territories' centres should lie: capacitated Lloyd iterations with transport prices.

Units go to the centre with the smallest squared distance less the centre's price. The prices that give each
centre its target solve the dual of a transportation problem [1]_; here they come from Newton's method on the
entropy-smoothed dual [2]_, which needs numpy only, never runs out of candidate centres, and has one solution,
so that plans do not depend on which vertex a solver's version returns.

.. [1] Aurenhammer, Hoffmann, Aronov (1998). Minkowski-type theorems and least-squares clustering.
Algorithmica 20. .. [2] Cuturi (2013). Sinkhorn distances: lightspeed computation of optimal transport. NIPS
26.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .problem import Problem
from .watch import Watch

CELLS_PER_TERRITORY = 60
ROUNDED = 9
COARSEST, FINEST = 0.3, 0.02
REACH = 100.0
"""How many times the local blur a price may change in one Newton step."""


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


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances, shape (n, k), by subtraction: exact for near points."""
    squares = np.zeros((len(points), len(centres)))
    for axis in range(points.shape[1]):
        squares += np.square(points[:, axis, None] - centres[None, :, axis])
    return squares


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


def coarse_cells(location: np.ndarray, workload: np.ndarray, cells: int) -> tuple[np.ndarray, np.ndarray]:
    """Return centres and workloads of at most `cells` groups of near units."""
    if len(workload) <= cells:
        return location, workload
    groups = [np.arange(len(workload))]
    while len(groups) < cells:
        split = []
        for units in groups:
            if len(units) < 2:
                split.append(units)
                continue
            axis = int(np.argmax(np.ptp(location[units], axis=0)))
            order = units[np.argsort(location[units, axis], kind="stable")]
            split += [order[: len(order) // 2], order[len(order) // 2 :]]
        if len(split) == len(groups):
            break
        groups = split
    weight = np.array([workload[units].sum() for units in groups])
    centre = np.array([workload[units] @ location[units] / workload[units].sum() for units in groups])
    return centre, weight


def _shares(cost: np.ndarray, price: np.ndarray, blur: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the smoothed share of each cell at each centre and the smoothed minimum of the priced costs."""
    gain = (price - cost) / blur[:, None]
    best = gain.max(axis=1, keepdims=True)
    np.exp(gain - best, out=gain)
    total = gain.sum(axis=1, keepdims=True)
    gain /= total
    return gain, blur * (best + np.log(total))[:, 0]


def transport_prices(
    cost: np.ndarray,
    workload: np.ndarray,
    capacity: np.ndarray,
    price: np.ndarray,
    blur: np.ndarray,
    steps: int,
) -> tuple[np.ndarray, np.ndarray]:
    """Return prices under which each centre draws its capacity, and the shares, by damped Newton steps.

    Parameters
    ----------
    cost : ndarray, shape (n, k)
        km².
    workload : ndarray, shape (n,)
    capacity : ndarray, shape (k,)
        Sums to the workload's sum.
    price : ndarray, shape (k,)
        Where to start.
    blur : ndarray, shape (n,)
        Entropy in km²; the smaller, the nearer to whole assignments. It differs between units because a
        city's territories are a hundredth as wide as those around it.
    steps : int
        Newton steps at most.

    Returns
    -------
    price : ndarray, shape (k,)
    share : ndarray, shape (n, k)
    """
    share, least = _shares(cost, price, blur)
    value = workload @ least - capacity @ price
    aim = 2e-3 * capacity.mean()
    stiffness = workload / blur
    for _ in range(steps):
        load = workload @ share
        miss = load - capacity
        if np.abs(miss).max() < aim:
            break
        pull = stiffness @ share
        hessian = np.diag(pull) - (share * stiffness[:, None]).T @ share
        hessian += np.diag(1e-6 * pull + 1e-9 * pull.mean()) + 1e-3 * pull.mean() / len(price)
        step = np.linalg.solve(hessian, miss)
        local = (workload * blur) @ share / np.maximum(load, 1e-9 * capacity)
        longest = float((np.abs(step) / np.maximum(local, blur.min())).max())
        length = min(1.0, REACH / longest) if longest > 0 else 0.0
        for _ in range(12):
            trial = price - length * step
            trial_share, least = _shares(cost, trial, blur)
            trial_value = workload @ least - capacity @ trial
            if trial_value < value - 1e-12 * abs(value):
                break
            length /= 3
        else:
            break
        price, share, value = trial, trial_share, trial_value
    return price - price.mean(), share


def balanced_prices(
    cost: np.ndarray,
    workload: np.ndarray,
    capacity: np.ndarray,
    price: np.ndarray,
    scale: np.ndarray,
    blur: float,
) -> tuple[np.ndarray, np.ndarray]:
    """Return transport prices and shares at `blur` × `scale`, from `price` or, if that leads nowhere, from
    zero.

    From zero the blur comes down in steps, each a good start for the next.
    """
    found, share = transport_prices(cost, workload, capacity, price, blur * scale, 12)
    if np.abs(workload @ share - capacity).max() < 0.05 * capacity.mean():
        return found, share
    found = np.zeros(len(capacity))
    for coarse in (3.0, 1.0, 0.3, 0.1, 0.05, 0.02):
        if coarse > blur:
            found, share = transport_prices(cost, workload, capacity, found, coarse * scale, 20)
    return transport_prices(cost, workload, capacity, found, blur * scale, 30)


def _local_scale(cost: np.ndarray, share: np.ndarray, workload: np.ndarray) -> np.ndarray:
    """Return the mean cost around each cell: that of the territories it is shared between, shape (n,)."""
    drawn = share * workload[:, None]
    held = drawn.sum(axis=0)
    own = (drawn * cost).sum(axis=0) / np.maximum(held, 1e-300)
    floor = 1e-6 * float((drawn * cost).sum() / held.sum()) + 1e-9
    return np.maximum(share @ own, floor)


def capacitated_lloyd(
    problem: Problem,
    starts: int,
    rounds: int,
    keep: int,
    rng: np.random.Generator,
    watch: Watch,
    cells_per_territory: int = CELLS_PER_TERRITORY,
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
    points, loads = coarse_cells(problem.location[active], weight, cells_per_territory * len(usual))
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
        cost = squared_distances(points, centres)
        share = np.zeros(cost.shape)
        share[np.arange(len(points)), cost.argmin(axis=1)] = 1.0
        price = np.zeros(len(usual))
        for turn in range(rounds):
            scale = _local_scale(cost, share, loads)
            price, share = balanced_prices(cost, loads, capacity, price, scale, COARSEST)
            drawn = share * loads[:, None]
            moved = (drawn.T @ points) / np.maximum(drawn.sum(axis=0), 1e-300)[:, None]
            shift = (np.square(moved - centres).sum(axis=1) / (share.T @ scale + 1e-300)).max()
            centres = moved
            cost = squared_distances(points, centres)
            if watch.time_is_up() or (turn > 10 and shift < 1e-4):
                break
        for blur in (COARSEST, COARSEST / 3, FINEST):
            scale = _local_scale(cost, share, loads)
            price, share = balanced_prices(cost, loads, capacity, price, scale, blur)
        travel = float((loads[:, None] * share * cost).sum())
        found.append((round(travel, 3), start, centres, price))
    found.sort(key=lambda entry: entry[:2])

    results = []
    for travel, _, centres, price in found[:keep]:
        location = np.empty((problem.territories, 3))
        location[usual] = np.round(centres, ROUNDED)
        location[problem.oversize] = problem.location[problem.anchor[problem.oversize]]
        prices = np.zeros(problem.territories)
        prices[usual] = np.round(price, 6)
        results.append(Centres(location, prices, travel))
    return results
