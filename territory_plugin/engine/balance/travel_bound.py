"""A lower bound on travel: no plan with as many territories and such limits has a smaller moment of inertia.

Contiguity is left out, and workload may be split. What remains is a choice of k sets, each with its workload between
the limits, that together hold every unit once. That each unit is held once is relaxed with a price λ for each unit
(Lagrange); the k sets then do not know of each other, and each is at best the cheapest there is:

    bound(λ) = Σ λ + k · min over sets S of (inertia of S − Σ of λ in S)

The cheapest set with its centre at a given place is found by filling up with the units whose price exceeds their
squared distance. For all places of a square of half-diagonal r around q at once,

    Σ w·|x − c|² = Σ w·|x − q|² − W·|c − q|² ≥ Σ w·(|x − q|² − r²),

where c is the set's own centre; the squares are divided until the least of them is exact enough. Places are projected
on a plane, which makes no distance longer. So every step errs to the safe side, whatever the prices; prices that make
the bound large come from supergradient steps that see some places only, and from proofs that name the places where sets
are cheaper still, in turn.

References: Held & Karp (1971), Mathematical Programming 1; Hess et al. (1965), Operations Research 13; Aloise, Hansen &
Liberti (2012), An improved column generation algorithm for minimum sum-of-squares clustering, Math. Programming 131.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import networkx as nx
import numpy as np

from ..geodesy import geocentric
from ..progress import IsCancelled, Progress, ignore, never, stop_if
from .plan import Plan

ROUNDS, STEPS = 8, (150, 75)
"""Times that prices are sought and the bound proven, and steps of the first and of each further one."""
PLACES, MORE_PLACES = 400, 80
"""Places that sets are looked for at while prices are sought, and those that each proof adds."""
ENOUGH = 0.002
"""Gain of a round, as a share of the bound, below which no more follow."""
SQUARES = 3000
"""Squares that are looked at to prove the bound."""
NEAR = 1e-3
"""Share of the bound that further squares need not win."""


@dataclass(frozen=True)
class TravelBound:
    """What is proven about travel.

    Attributes
    ----------
    rms_km : float
        No plan with as many territories in each part of the map, none lighter or heavier than the limits or than the
        plan's own, has a shorter RMS distance.
    gap : float
        Share by which the plan's moment of inertia (squared distances) exceeds the bound's.
    """

    rms_km: float
    gap: float


def travel_bound(
    graph: nx.Graph,
    plan: Plan,
    *,
    workload: str = "workload",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> TravelBound:
    """Return a lower bound on the travel of all plans that are balanced as well as this one.

    Parameters
    ----------
    graph : networkx.Graph
        As for `balance_territories`.
    plan : Plan
    workload : str
    progress, cancelled : callables
        As in `engine.progress`.

    Returns
    -------
    TravelBound
    """
    territory = plan.as_dict()
    load = {unit: float(at[workload]) for unit, at in graph.nodes.items()}
    total = sum(load.values())
    least = found = 0.0
    parts = sorted(nx.connected_components(graph), key=lambda part: min(map(str, part)))
    for index, part in enumerate(parts):
        units = sorted((unit for unit in part if load[unit] > 0), key=str)
        if not units:
            continue
        weight = np.array([load[unit] for unit in units])
        place = _flat(np.array([[graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]] for unit in units]))
        home = np.array([territory[unit] for unit in units])
        inside = np.array(sorted({territory[unit] for unit in part}))
        usual = inside[~plan.oversize[inside]]
        apart = [(t, int(np.argmax(np.where(home == t, weight, -1.0)))) for t in inside[plan.oversize[inside]].tolist()]
        room = [(at, max(plan.limits[1][t], plan.workload[t]) - weight[at]) for t, at in apart]
        limits = (0.0, 0.0)
        if len(usual):
            low = min(plan.limits[0][usual].min(), plan.workload[usual].min())
            limits = max(0.0, float(low)), float(max(plan.limits[1][usual].max(), plan.workload[usual].max()))
        own = _inertia(place, weight, home)
        bound = _Bound(place, weight, len(usual), limits, room, lambda: stop_if(cancelled))
        begin, width = index / len(parts), 1 / len(parts)
        least += bound.proven(home, own, lambda share, b=begin, w=width: progress(b + w * share, "Bounding travel"))
        found += own
    return TravelBound(
        float(np.sqrt(least / total)), float(found / least - 1) if least > 0 else (np.inf if found > 0 else 0.0)
    )


def _flat(lonlat: np.ndarray) -> np.ndarray:
    """Return places on the plane that touches the earth in their middle, in km: no distance is longer."""
    place = geocentric(lonlat)
    up = place.mean(axis=0)
    up /= np.linalg.norm(up)
    east = np.cross([0.0, 0.0, 1.0], up)
    east = east / np.linalg.norm(east) if np.linalg.norm(east) > 1e-9 else np.array([1.0, 0.0, 0.0])
    north = np.cross(up, east)
    return np.stack([(place * axis).sum(axis=1) for axis in (east, north)], axis=1)


def _inertia(place, weight, home) -> float:
    """Return Σ weight × squared distance to the middle of each home's units."""
    _, home = np.unique(home, return_inverse=True)
    held = np.bincount(home, weight)
    middle = np.stack([np.bincount(home, weight * axis) / held for axis in place.T], axis=1)
    return float((weight * np.square(place - middle[home]).sum(axis=1)).sum())


class _Bound:
    """The relaxation of one part of the map.

    Parameters
    ----------
    place : ndarray, shape (n, 2)
    weight : ndarray, shape (n,)
        Above zero.
    territories : int
        That are not there for a unit that outweighs one.
    limits : tuple of float
        Least and most workload of each of these.
    room : list of (int, float)
        Units with a territory of their own, and what more it may hold.
    pause : callable
        Asked now and then; raises when it is to end.
    """

    def __init__(self, place, weight, territories, limits, room, pause) -> None:
        self.held = [unit for unit, _ in room]
        self.room = [(place[unit], weight[unit], max(0.0, most)) for unit, most in room]
        free = np.ones(len(weight), dtype=bool)
        free[self.held] = False
        self.free = free
        self.place, self.weight = place[free], weight[free]
        self.k, self.limits, self.pause = territories, limits, pause

    def proven(self, home: np.ndarray, found: float, tell) -> float:
        """Return the bound, from prices that start from a plan with the moment of inertia `found`."""
        if not len(self.weight) or self.k == 0 or found <= 0:
            return 0.0
        _, home = np.unique(home[self.free], return_inverse=True)
        held = np.bincount(home, self.weight)
        middle = np.stack([np.bincount(home, self.weight * axis) / held for axis in self.place.T], axis=1)
        heavy = np.argsort(-self.weight, kind="stable")[: PLACES // 4]
        spread = np.linspace(0, len(self.weight) - 1, min(len(self.weight), PLACES // 4)).astype(int)
        places = np.concatenate([middle, self.place[np.unique(np.concatenate([heavy, spread]))]])
        own = np.square(self.place - middle[home]).sum(axis=1)
        self.scale = (np.bincount(home, self.weight * own) / held)[home]
        price, best, gained = own + self.scale, 0.0, 0.0
        for turn in range(ROUNDS):
            price = self._priced(price, places, found, turn)
            certain, cheap = self._certain(price)
            tell((turn + 1) / ROUNDS)
            best, before = max(best, certain), best
            # prices jump between rounds: only two poor ones in a row end the search
            if turn > 1 and best - before < ENOUGH * best and gained < ENOUGH * best:
                break
            gained = best - before
            values, _ = self._cheapest(self._squares(places) - price[:, None], self.limits)
            places = np.concatenate([places[np.argsort(values, kind="stable")[:PLACES]], cheap])
        return best

    def _squares(self, places: np.ndarray) -> np.ndarray:
        """Return squared distances to places, shape (n, places)."""
        return np.square(self.place[:, None, :] - places[None]).sum(axis=2)

    def _priced(self, price: np.ndarray, places: np.ndarray, found: float, turn: int) -> np.ndarray:
        """Return prices with a larger bound, as far as these places tell."""
        squares, steps = self._squares(places), STEPS[min(turn, 1)]
        first = 0.3 if turn == 0 else 0.1 * 0.6**turn
        best, best_price = -np.inf, price
        for step in range(steps):
            self.pause()
            values, sets = self._cheapest(squares - price[:, None], self.limits)
            value = float((self.weight * price).sum()) + self.k * values.min()
            taken = np.zeros(len(price))
            for place, weight, most in self.room:
                lost, part = self._beside(place, weight, most, price)
                value += lost
                taken += part
            if value > best:
                best, best_price = value, price
            # the cheapest sets count together, fewer and fewer, so that steps do not jump between them
            share = step / max(1, steps - 1)
            blur = max(0.003, (0.3 if turn == 0 else 0.03) * 0.01**share) * found / self.k
            mix = np.exp((values.min() - values) / blur)
            slope = 1.0 - taken - self.k * (sets * (mix / mix.sum())).sum(axis=1)
            price = price + first * 0.03**share * self.scale * np.clip(slope, -3.0, 1.0)
        return best_price

    def _cheapest(self, cost: np.ndarray, limits) -> tuple[np.ndarray, np.ndarray]:
        """Return the least Σ weight × cost of shares of units between the limits, for each column; and the shares."""
        least, most = limits
        order = np.argsort(cost, axis=0, kind="stable")
        sorted_cost = np.take_along_axis(cost, order, axis=0)
        weight = self.weight[order]
        running = np.cumsum(weight, axis=0)
        wanted = np.clip(np.where(sorted_cost < 0, weight, 0.0).sum(axis=0), least, most)
        part = np.clip((wanted - (running - weight)) / weight, 0.0, 1.0)
        shares = np.empty_like(cost)
        np.put_along_axis(shares, order, part, axis=0)
        return (part * weight * sorted_cost).sum(axis=0), shares

    def _beside(self, place, weight, most, price) -> tuple[float, np.ndarray]:
        """Return the least that units cost which join a unit that has a territory of its own, and their shares.

        With w the unit's workload and e what joins it, their inertia about the common centre is at least
        w/(w + e) of that about the unit.
        """
        square = np.square(self.place - place).sum(axis=1) * weight / (weight + most)
        value, share = self._cheapest((square - price)[:, None], (0.0, most))
        return float(value[0]), share[:, 0]

    def _certain(self, price: np.ndarray) -> tuple[float, np.ndarray]:
        """Return the bound at some prices, over all places, and places here and there where sets are cheapest."""
        value = float((self.weight * price).sum())
        value += sum(self._beside(place, weight, most, price)[0] for place, weight, most in self.room)
        low, high = self.place.min(axis=0), self.place.max(axis=0)
        half = max(float((high - low).max()) / 2, 1e-6)
        heap = [(-np.inf, *((low + high) / 2).tolist(), half)]
        for count in range(0, SQUARES, 4):
            lowest, x, y, half = heap[0]
            # what the smallest square loses at most is not worth more squares
            if count and self.k * 2 * half * half * self.limits[1] < NEAR * abs(value + self.k * lowest):
                break
            if count % 64 == 0:
                self.pause()
            heappop(heap)
            half /= 2
            middles = np.array([[x + a * half, y + b * half] for a in (-1, 1) for b in (-1, 1)])
            values, _ = self._cheapest(self._squares(middles) - 2 * half * half - price[:, None], self.limits)
            for least, (across, up) in zip(values.tolist(), middles.tolist()):
                heappush(heap, (max(least, lowest), across, up, half))
        apart: list[np.ndarray] = []
        for _, x, y, _ in sorted(heap):
            here = np.array([x, y])
            width = 0.04 * self.scale[np.argmin(np.square(self.place - here).sum(axis=1))]
            if all(np.square(here - other).sum() > width for other in apart):
                apart.append(here)
                if len(apart) == MORE_PLACES:
                    break
        # sums of such numbers are rounded: so much of the bound is not claimed
        rounding = float((self.weight * (np.abs(price) + np.square(self.place).sum(axis=1))).sum())
        return max(0.0, value + self.k * heap[0][0] - 1e-11 * rounding), np.array(apart)
