"""Terms of the objective that only some plans have: homes, bars, disruption, regions, further measures.

Each tells how the cost changes when units go from one territory to another, keeps what it needs for that, and
prices many ways of splitting two territories at once. A rule is a term or a unit that does not move; none is
patched on afterwards.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import TYPE_CHECKING, Protocol

import numpy as np

if TYPE_CHECKING:
    from .objective import WorkingPartition

BARRED = 1e9
"""Cost of a unit in a territory that it may not be in: more than any travel or balance can gain."""


class Term(Protocol):
    """What each term can do."""

    def change(self, units: Sequence[int], source: int, sink: int) -> float:
        """Return how the cost changes when `units` go from `source` to `sink` together."""

    def move(self, units: Sequence[int], source: int, sink: int) -> None:
        """Take note that `units` went from `source` to `sink`."""

    def total(self) -> float:
        """Return the term's whole cost."""

    def split(self, units: np.ndarray, to_one: np.ndarray, one: int, other: int) -> np.ndarray:
        """Return the cost of two territories for many ways of splitting them, shape (s,).

        Parameters
        ----------
        units : ndarray of int, shape (m,)
            All the units of the two.
        to_one : ndarray of bool, shape (s, m)
            Those that go to `one` rather than to `other`.
        """


def terms_of(part: WorkingPartition, unit_travel: float) -> tuple[Term, ...]:
    """Return the terms that a partition's problem has beyond balance, travel and boundary."""
    problem, found = part.problem, []
    if problem.placement is not None:
        found.append(HomeTravel(part, part.weights.travel / unit_travel))
    if problem.barred is not None:
        found.append(Bars(part))
    if problem.current is not None and problem.stay is not None:
        found.append(Disruption(part))
    found += [Pieces(part, each) for each in problem.regions]
    found += [Excess(part, each) for each in problem.limits_of]
    return tuple(found)


class HomeTravel:
    """Travel from the homes of reps instead of from the territories' centres."""

    def __init__(self, part: WorkingPartition, scale: float) -> None:
        self.part, self.cost, self.scale = part, part.problem.placement, scale

    def change(self, units, source, sink):
        cost = self.cost
        return self.scale * sum(cost[unit][sink] - cost[unit][source] for unit in units)

    def move(self, units, source, sink):
        """Nothing is kept."""

    def total(self):
        return self.scale * sum(self.cost[unit][home] for unit, home in enumerate(self.part.assignment))

    def split(self, units, to_one, one, other):
        ones = np.array([self.cost[unit][one] for unit in units])
        others = np.array([self.cost[unit][other] for unit in units])
        return self.scale * _either(to_one, ones, others)


class Bars:
    """Territories that a unit may not be in."""

    def __init__(self, part: WorkingPartition) -> None:
        self.part = part
        barred = part.problem.barred
        self.barred = [frozenset(np.flatnonzero(row).tolist()) for row in barred]

    def change(self, units, source, sink):
        barred = self.barred
        return BARRED * sum((sink in barred[unit]) - (source in barred[unit]) for unit in units)

    def move(self, units, source, sink):
        """Nothing is kept."""

    def total(self):
        return BARRED * self.excess()

    def broken(self) -> list[int]:
        """Return the territory of each unit that may not be in it."""
        return [home for unit, home in enumerate(self.part.assignment) if home in self.barred[unit]]

    def excess(self) -> float:
        """Return how many units are where they may not be: each counts as a target."""
        return float(len(self.broken()))

    def split(self, units, to_one, one, other):
        ones = np.array([one in self.barred[unit] for unit in units], dtype=float)
        others = np.array([other in self.barred[unit] for unit in units], dtype=float)
        return BARRED * _either(to_one, ones, others)


class Disruption:
    """What it costs that units leave the territory that they are in today."""

    def __init__(self, part: WorkingPartition) -> None:
        self.part = part
        self.current, self.price = part.problem.current.tolist(), part.problem.stay.tolist()

    def change(self, units, source, sink):
        current, price = self.current, self.price
        return sum(price[unit] * ((current[unit] == source) - (current[unit] == sink)) for unit in units)

    def move(self, units, source, sink):
        """Nothing is kept."""

    def total(self):
        homes = zip(self.part.assignment, self.current, self.price)
        return sum(price for home, now, price in homes if home != now and now >= 0)

    def split(self, units, to_one, one, other):
        current = self.part.problem.current[units]
        price = np.where(current >= 0, self.part.problem.stay[units], 0.0)
        return _either(to_one, price * (current != one), price * (current != other))


class Pieces:
    """Regions that are kept whole: each territory beyond the first that has a part of one costs."""

    def __init__(self, part: WorkingPartition, regions) -> None:
        self.part, self.price = part, regions.price
        self.region = regions.region.tolist()
        self.held: list[dict[int, int]] = [{} for _ in part.load]
        for unit, home in enumerate(part.assignment):
            region = self.region[unit]
            if region >= 0:
                self.held[home][region] = self.held[home].get(region, 0) + 1

    def change(self, units, source, sink):
        moved = Counter(self.region[unit] for unit in units)
        moved.pop(-1, None)
        leaves, joins = self.held[source], self.held[sink]
        return self.price * sum((region not in joins) - (leaves[region] == count) for region, count in moved.items())

    def move(self, units, source, sink):
        leaves, joins = self.held[source], self.held[sink]
        for unit in units:
            region = self.region[unit]
            if region >= 0:
                left = leaves[region] - 1
                if left:
                    leaves[region] = left
                else:
                    del leaves[region]
                joins[region] = joins.get(region, 0) + 1

    def total(self):
        held = sum(len(regions) for regions in self.held)
        return self.price * (held - len(set().union(*self.held)))

    def split(self, units, to_one, one, other):
        regions = np.array([self.region[unit] for unit in units])
        pieces = np.zeros(len(to_one))
        for region in np.unique(regions[regions >= 0]):
            inside = to_one[:, regions == region]
            pieces += inside.any(axis=1)
            pieces += ~inside.all(axis=1)
        return self.price * pieces


class Excess:
    """A further measure beyond its own tolerance."""

    def __init__(self, part: WorkingPartition, limits) -> None:
        self.part = part
        self.value, self.per_target = limits.value.tolist(), 1.0 / limits.scale
        self.array = limits.value
        self.load = np.bincount(np.asarray(part.assignment), limits.value, len(part.load)).tolist()
        self.low, self.high = limits.low.tolist(), limits.high.tolist()

    def excess_of(self, territory: int, load):
        """Return how far a load is outside the limits, in targets."""
        return np.maximum(np.maximum(load - self.high[territory], self.low[territory] - load), 0.0) * self.per_target

    def change(self, units, source, sink):
        moved = sum(self.value[unit] for unit in units)
        cost = 0.0
        for territory, before in ((source, self.load[source]), (sink, self.load[sink])):
            after = before - moved if territory == source else before + moved
            low, high = self.low[territory], self.high[territory]
            now = max(before - high, low - before, 0.0) * self.per_target
            then = max(after - high, low - after, 0.0) * self.per_target
            cost += self.part.excess_cost(then) - self.part.excess_cost(now)
        return cost

    def move(self, units, source, sink):
        moved = sum(self.value[unit] for unit in units)
        self.load[source] -= moved
        self.load[sink] += moved

    def excess(self) -> float:
        """Return the summed excess, in targets."""
        return float(sum(self.excess_of(territory, load) for territory, load in enumerate(self.load)))

    def total(self):
        return sum(
            self.part.excess_cost(float(self.excess_of(territory, load))) for territory, load in enumerate(self.load)
        )

    def split(self, units, to_one, one, other):
        values = self.array[units]
        ones = np.einsum("sm,m->s", to_one, values)
        return self.part.excess_cost(self.excess_of(one, ones)) + self.part.excess_cost(
            self.excess_of(other, values.sum() - ones)
        )


def _either(to_one: np.ndarray, ones: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return Σ ones of the units that go to one and others of those that do not, shape (s,)."""
    return np.einsum("sm,m->s", to_one, ones - others) + others.sum()
