"""The one objective that all phases share: balance, travel and boundary, in the same currency.

One unit of cost is the travel that an average unit causes, so that the three terms keep their meaning
whatever the number of units, territories or kilometres:

- **travel**: moment of inertia of the territories' workload about its centres, average unit = 1;
- **boundary**: cut edges, each `boundary`;
- **balance**: per territory `limit` × average units per territory × excess over the tolerance (linear, and
  quadratic for large excess), and `pressure` × the same × squared deviation, which lets workload diffuse
  through chains of territories before any of them hits its limit.

Plans with rules have further terms, in the same currency: see `terms`.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from .problem import Problem
from .terms import Bars, Excess, terms_of

STEEP = 10.0
"""How fast the price of excess grows: at an excess of 1/STEEP of a target it has doubled."""


@dataclass(frozen=True)
class Weights:
    """What the terms weigh.

    Attributes
    ----------
    travel : float
        Weight of the moment of inertia, average unit = 1.
    boundary : float
        Price of a cut edge.
    limit : float
        Price of excess over the tolerance.
    pressure : float
        Price of squared deviation.
    """

    travel: float = 1.0
    boundary: float = 0.25
    limit: float = 20.0
    pressure: float = 3.0

    def with_limit(self, limit: float) -> Weights:
        """Return the same weights with another price of excess."""
        return replace(self, limit=limit)


def moment_of_inertia(location: np.ndarray, mass: np.ndarray, assignment: np.ndarray, k: int) -> np.ndarray:
    """Return Σ mass · distance² of each territory about its own centre of mass, shape (k,), in mass × km²."""
    assignment = np.asarray(assignment)
    total = np.bincount(assignment, mass, k)
    middle = np.stack([np.bincount(assignment, mass * location[:, axis], k) for axis in range(3)], axis=1)
    middle /= np.where(total > 0, total, 1.0)[:, None]
    squares = np.square(location - middle[assignment]).sum(axis=1)
    return np.bincount(assignment, mass * squares, k)


def cut_edges(neighbours: Sequence[tuple[int, ...]], assignment: Sequence[int]) -> int:
    """Return the number of pairs of touching units that lie in different territories."""
    return sum(
        assignment[unit] != assignment[other]
        for unit, around in enumerate(neighbours)
        for other in around
        if unit < other
    )


def square_of_sums(sums: np.ndarray) -> np.ndarray:
    """Return |s|²/m of sums of workload, mass m and mass × place s, shape (..., 5): what `square_of` is of one's."""
    squares = np.square(sums[..., 2:])
    return (squares[..., 0] + squares[..., 1] + squares[..., 2]) / np.maximum(sums[..., 1], 1e-12)


class WorkingPartition:
    """An assignment with everything that makes the cost of a move quick to tell.

    Mutable, made of plain lists because single reads of those are several times faster than of arrays.

    Parameters
    ----------
    problem : Problem
    assignment : sequence of int, shape (n,)
    weights : Weights
    unit_travel : float
        Mass × km² that counts as 1.
    """

    def __init__(self, problem: Problem, assignment: Sequence[int], weights: Weights, unit_travel: float) -> None:
        k = problem.territories
        self.problem = problem
        self.weights = weights
        self.neighbours = problem.neighbours
        self.touches = problem.neighbour_sets
        self.assignment = [int(territory) for territory in assignment]
        centred = problem.location - problem.location.mean(axis=0)
        self.x, self.y, self.z = (centred[:, axis].tolist() for axis in range(3))
        masses = problem.mass / unit_travel * weights.travel
        self.fields = np.column_stack([problem.workload, masses, masses[:, None] * centred])
        self.workload = problem.workload.tolist()
        self.mass = masses.tolist()
        self.anchored = (problem.fixed >= 0).tolist()
        self.pull = np.where(problem.is_homed, 0.0, 1.0).tolist()
        self.target = problem.target.tolist()
        low, high = problem.limits(problem.tolerance)
        self.low, self.high = low.tolist(), high.tolist()
        self.per_target = 1.0 / problem.scale
        self.units_per_territory = problem.units / k

        at = np.asarray(self.assignment)
        mass = np.asarray(self.mass)
        self.load = np.bincount(at, problem.workload, k).tolist()
        self.weight = np.bincount(at, mass, k).tolist()
        self.sum_x, self.sum_y, self.sum_z = (np.bincount(at, mass * centred[:, axis], k).tolist() for axis in range(3))
        self.count = np.bincount(at, minlength=k).tolist()
        self.terms = terms_of(self, unit_travel)

    def balance_cost(self, territory: int, load: float) -> float:
        """Return the balance term of a territory if it held `load`."""
        deviation = (load - self.target[territory]) * self.per_target
        excess = max(load - self.high[territory], self.low[territory] - load, 0.0) * self.per_target
        return self.units_per_territory * self.weights.pressure * deviation * deviation + self.excess_cost(excess)

    def balance_costs(self, territory: int, load: np.ndarray) -> np.ndarray:
        """Return the balance term of a territory for many loads, shape (n,)."""
        deviation = (load - self.target[territory]) * self.per_target
        excess = np.maximum(load - self.high[territory], self.low[territory] - load)
        excess = np.maximum(excess, 0.0) * self.per_target
        return self.units_per_territory * self.weights.pressure * deviation * deviation + self.excess_cost(excess)

    def excess_cost(self, excess):
        """Return the price of an excess, or of many, in targets."""
        return self.units_per_territory * self.weights.limit * excess * (1.0 + STEEP * excess)

    def change(self, units: Collection[int], source: int, sink: int) -> float:
        """Return how the cost changes when `units` go from `source` to `sink` together."""
        group = set(units)
        moved = weight = sum_x = sum_y = sum_z = square = 0.0
        cuts = 0
        assignment = self.assignment
        for unit in group:
            mass = self.mass[unit]
            x, y, z = self.x[unit], self.y[unit], self.z[unit]
            moved += self.workload[unit]
            weight += mass
            sum_x += mass * x
            sum_y += mass * y
            sum_z += mass * z
            square += mass * (x * x + y * y + z * z)
            for other in self.neighbours[unit]:
                if other not in group:
                    home = assignment[other]
                    cuts += (home == source) - (home == sink)
        balance = (
            self.balance_cost(source, self.load[source] - moved)
            - self.balance_cost(source, self.load[source])
            + self.balance_cost(sink, self.load[sink] + moved)
            - self.balance_cost(sink, self.load[sink])
        )
        change = balance + self.weights.boundary * cuts
        for term in self.terms:
            change += term.change(group, source, sink)
        return change + self._travel_change(source, sink, weight, sum_x, sum_y, sum_z)

    def squares_of(self, units: list[int]) -> float:
        """Return Σ mass × squared distance from the map's middle."""
        rows = self.fields[units]
        return float((np.square(rows[:, 2:]).sum(axis=1) / np.maximum(rows[:, 1], 1e-300)).sum())

    def _travel_change(self, source, sink, weight, sum_x, sum_y, sum_z) -> float:
        """Return the change of Σ (q − |s|²/m): the squares q cancel, the sums s and masses m move over.

        Where territories have homes, q is a part of `HomeTravel`, and |s|²/m counts for the others only.
        """
        before = after = 0.0
        for territory, sign in ((source, -1.0), (sink, 1.0)):
            if not self.pull[territory] or not self.weight[territory] > 0.0:  # 0 where travel does not count
                continue
            x, y, z = self.sum_x[territory], self.sum_y[territory], self.sum_z[territory]
            before += (x * x + y * y + z * z) / self.weight[territory]
            left = self.weight[territory] + sign * weight
            if left > 1e-12:
                x, y, z = x + sign * sum_x, y + sign * sum_y, z + sign * sum_z
                after += (x * x + y * y + z * z) / left
        return before - after

    def move(self, units: Collection[int], source: int, sink: int) -> None:
        """Move `units` from `source` to `sink`."""
        for term in self.terms:
            term.move(units, source, sink)
        for unit in units:
            mass = self.mass[unit]
            self.assignment[unit] = sink
            for territory, sign in ((source, -1), (sink, 1)):
                self.load[territory] += sign * self.workload[unit]
                self.weight[territory] += sign * mass
                self.sum_x[territory] += sign * mass * self.x[unit]
                self.sum_y[territory] += sign * mass * self.y[unit]
                self.sum_z[territory] += sign * mass * self.z[unit]
                self.count[territory] += sign

    def excess(self, slack: float = 0.0) -> float:
        """Return the summed excess over the tolerance, in targets, where `slack` more is free.

        A unit that is where it may not be counts as a target.
        """
        free = slack / self.per_target
        own = self.per_target * sum(
            max(load - high - free, low - load - free, 0.0) for load, low, high in zip(self.load, self.low, self.high)
        )
        return own + sum(term.excess() for term in self.terms if isinstance(term, (Bars, Excess)))

    def outside(self) -> list[int]:
        """Return the territories outside the tolerance of a measure, or with units that they may not have."""
        further = [term for term in self.terms if isinstance(term, Excess)]
        forbidden = {home for term in self.terms if isinstance(term, Bars) for home in term.broken()}
        return [
            t
            for t, load in enumerate(self.load)
            if not self.low[t] <= load <= self.high[t]
            or t in forbidden
            or any(term.excess_of(t, term.load[t]) > 0 for term in further)
        ]

    def improvable(self) -> list[int]:
        """Return the territories outside the tolerance that are not as near as their stuck units allow."""
        proven: dict[int, float] = {}
        for unit, least in self.problem.stuck.items():
            home = self.assignment[unit]
            proven[home] = max(least, proven.get(home, 0.0))
        return [t for t in self.outside() if t not in proven or self.off(t) > proven[t] + 1e-9]

    def touching(self) -> list[list[int]]:
        """Return for each territory those that it touches, in order."""
        at = np.asarray(self.assignment)
        first, second = at[self.problem.contacts].T
        k = len(self.load)
        pairs = np.unique(first[first != second] * k + second[first != second])
        around: list[list[int]] = [[] for _ in range(k)]
        for one, other in zip((pairs // k).tolist(), (pairs % k).tolist()):
            around[one].append(other)
        return around

    def within_hops(self, territories: Iterable[int], hops: int, touching: list[list[int]] | None = None) -> set[int]:
        """Return territories and those that lie at most `hops` borders away; `touching` where it is known."""
        touching = self.touching() if touching is None else touching
        near = set(territories)
        rim = list(near)
        for _ in range(hops):
            rim = sorted({other for one in rim for other in touching[one]} - near)
            near.update(rim)
        return near

    def off(self, territory: int) -> float:
        """Return how far a territory is from its target, either way, in targets."""
        return abs(self.load[territory] - self.target[territory]) * self.per_target

    def worst(self) -> float:
        """Return the largest deviation from the target among the territories that are not oversize."""
        usual = np.flatnonzero(~self.problem.oversize)
        if not len(usual):
            return 0.0
        deviation = np.abs(np.asarray(self.load) - self.problem.target)[usual] * self.per_target
        return float(deviation.max())

    def cost(self) -> float:
        """Return the whole cost."""
        inertia = self.inertia()
        balance = sum(self.balance_cost(territory, load) for territory, load in enumerate(self.load))
        further = sum(term.total() for term in self.terms)
        return inertia + balance + further + self.weights.boundary * cut_edges(self.neighbours, self.assignment)

    def inertia(self) -> float:
        """Return the travel about the centres of the territories; about the map's middle where terms have the rest."""
        problem = self.problem
        if problem.placement is None:
            mass, at = np.asarray(self.mass), np.asarray(self.assignment)
            return float(moment_of_inertia(problem.location, mass, at, problem.territories).sum())
        return -sum(self.square_of(territory) for territory in range(len(self.load)))

    def square_of(self, territory: int) -> float:
        """Return |s|²/m of a territory, 0 where travel is measured from a home."""
        if not self.pull[territory] or self.weight[territory] <= 0:
            return 0.0
        x, y, z = self.sum_x[territory], self.sum_y[territory], self.sum_z[territory]
        return (x * x + y * y + z * z) / self.weight[territory]

    def split_terms(self, units: list[int], to_one: np.ndarray, one: int, other: int) -> np.ndarray:
        """Return what the further terms make of many ways of splitting two territories, shape (s,), as `Term.split`."""
        return sum(
            (term.split(np.asarray(units), to_one, one, other) for term in self.terms), start=np.zeros(len(to_one))
        )


def judged(problem: Problem, part: WorkingPartition) -> tuple[float, float]:
    """Return the excess and the disruption of a plan, rounded so that sums in another order are the same."""
    return round(part.excess(), 6), round(problem.disrupted(part.assignment), 9)
