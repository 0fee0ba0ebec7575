"""The balancing problem as arrays: a connected region, how many territories, and what each may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from .transport import squared_distances

COMPACTNESS_WORKLOAD = 0.02
"""Share of the mean workload that a unit without any weighs in the travel term, to stay tidy."""

SAFETY = 0.998
"""Share of the tolerance that plans may use, so that rounding elsewhere never spoils one."""
AIM = 0.942
"""Share of that which annealing aims at, so that what the last moves cannot mend is still within."""


@dataclass(frozen=True)
class Regions:
    """Regions that are kept whole where possible.

    Attributes
    ----------
    region : ndarray of int, shape (n,)
        Region of each unit, -1 for none.
    price : float
        Cost of each further piece that a region falls into.
    """

    region: np.ndarray
    price: float


def within_limits(
    low: np.ndarray, high: np.ndarray, least: np.ndarray | None, most: np.ndarray | None, tolerance: float
) -> tuple[np.ndarray, np.ndarray]:
    """Return the least and the most workload, once limits replace those of the tolerance, shape (k,) each.

    Where one limit alone is given, and lies beyond the tolerance, the other side follows it at that distance.
    """
    if most is not None:
        given = ~np.isnan(most)
        low = np.where(given, np.minimum(low, (1 - tolerance) * most), low)
        high = np.where(given, most, high)
    if least is not None:
        given = ~np.isnan(least)
        open_above = np.full(len(least), True) if most is None else np.isnan(most)
        high = np.where(given & open_above, np.maximum(high, (1 + tolerance) * least), high)
        low = np.where(given, least, low)
    return low, high


@dataclass(frozen=True)
class Limits:
    """A further measure, balanced within its own tolerance.

    Attributes
    ----------
    value : ndarray of float, shape (n,)
    low, high : ndarray of float, shape (k,)
        What each territory should hold at least and at most.
    scale : float
        Value that counts as 100 %.
    """

    value: np.ndarray
    low: np.ndarray
    high: np.ndarray
    scale: float


@dataclass(frozen=True)
class Problem:
    """A connected region of units that is to be cut into connected territories.

    Attributes
    ----------
    workload : ndarray of float, shape (n,)
        Workload of each unit, ≥ 0.
    location : ndarray of float, shape (n, 3)
        Geocentric unit centres in km.
    neighbours : sequence of tuples of int
        Units that each unit touches; the graph is connected.
    target : ndarray of float, shape (k,)
        Workload that each territory should hold, in the unit of `workload`.
    tolerance : float
        Allowed share of deviation from the target, e.g. 0.05.
    anchor : ndarray of int, shape (k,)
        Unit that must stay in the territory, or -1. A unit heavier than any target anchors a territory of its
        own.
    oversize : ndarray of bool, shape (k,)
        Territories that exist for the sake of a unit heavier than the target; others join only by need.
    scale : float, optional
        Workload that counts as 100 % when deviations are compared; the mean target if not given.
    mass : ndarray of float, shape (n,), optional
        Workload of each unit as the travel term sees it; from `workload` if not given.
    stuck : dict of int to float
        Units whose territory cannot come nearer to its target than this share.
    fixed : ndarray of int, shape (n,), optional
        Territory that each unit stays in, -1 for any; the anchors' if not given.
    least, most : ndarray of float, shape (k,), optional
        Limits of workload that replace those of the tolerance; NaN where they do not.
    home : ndarray of float, shape (k, 3), optional
        Where each territory's rep lives, NaN where travel is measured from the territory's own centre.
    home_travel : ndarray of float, shape (n, k), optional
        km² from unit to home, if not the straight one; NaN in columns of territories without a home.
    barred : ndarray of bool, shape (n, k), optional
        Territories that a unit may not be in.
    current : ndarray of int, shape (n,), optional
        Territory that each unit is in today, -1 for none.
    stay : ndarray of float, shape (n,), optional
        What it costs that a unit leaves its current territory.
    regions : tuple of Regions
    limits_of : tuple of Limits
        Further measures.
    """

    workload: np.ndarray
    location: np.ndarray
    neighbours: Sequence[tuple[int, ...]]
    target: np.ndarray
    tolerance: float
    anchor: np.ndarray
    oversize: np.ndarray
    scale: float | None = None
    mass: np.ndarray | None = None
    stuck: dict[int, float] = field(default_factory=dict)
    fixed: np.ndarray | None = None
    least: np.ndarray | None = None
    most: np.ndarray | None = None
    home: np.ndarray | None = None
    home_travel: np.ndarray | None = None
    barred: np.ndarray | None = None
    current: np.ndarray | None = None
    stay: np.ndarray | None = None
    regions: tuple[Regions, ...] = ()
    limits_of: tuple[Limits, ...] = ()

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.workload)

    @property
    def territories(self) -> int:
        """Number of territories."""
        return len(self.target)

    def __post_init__(self) -> None:
        usual = self.target[~self.oversize]
        usual = usual if len(usual) and usual.max() > 0 else self.target
        if self.scale is None:
            object.__setattr__(self, "scale", float(usual.mean()) or 1.0)
        if self.mass is None:
            least = COMPACTNESS_WORKLOAD * (float(self.workload.mean()) or 1.0)
            object.__setattr__(self, "mass", np.maximum(self.workload, least))
        if self.fixed is None:
            fixed = np.full(self.units, -1)
            held = np.flatnonzero(self.anchor >= 0)
            fixed[self.anchor[held]] = held
            object.__setattr__(self, "fixed", fixed)

    @property
    def is_homed(self) -> np.ndarray:
        """Whether travel to each territory is measured from a home, shape (k,)."""
        if self.home is None:
            return np.zeros(self.territories, dtype=bool)
        return ~np.isnan(self.home[:, 0])

    @property
    def has_rules(self) -> bool:
        """Whether anything but balance, travel and boundary tells a unit's place in one territory from another."""
        given = (self.least, self.most, self.home, self.barred, self.current)
        return any(each is not None for each in given) or bool(self.regions or self.limits_of)

    @property
    def at_stake(self) -> float:
        """Weight of all units that have a territory today."""
        return float(self.stay[self.current >= 0].sum())

    def disrupted(self, assignment) -> float:
        """Return the weight of the units that leave the territory they are in today."""
        return float(self.stay[(self.current >= 0) & (np.asarray(assignment) != self.current)].sum())

    def restricted(self, assignment: np.ndarray, territories: list[int]) -> tuple[Problem, np.ndarray, np.ndarray]:
        """Return the problem of some territories, all else fixed.

        Returns
        -------
        problem : Problem
            In which `territories[0]` is territory 0, and so on.
        units : ndarray of int
            Its units in this problem.
        assignment : ndarray of int
            Its territories.
        """
        rank = np.full(self.territories, -1)
        rank[territories] = np.arange(len(territories))
        inside = rank[assignment]
        units = np.flatnonzero(inside >= 0)
        position = np.full(self.units, -1)
        position[units] = np.arange(len(units))
        where = position.tolist()
        anchor = self.anchor[territories]
        fixed, current = self.fixed[units], None if self.current is None else self.current[units]
        problem = Problem(
            workload=self.workload[units],
            location=self.location[units],
            neighbours=[
                tuple(where[other] for other in self.neighbours[unit] if where[other] >= 0) for unit in units.tolist()
            ],
            target=self.target[territories],
            tolerance=self.tolerance,
            anchor=np.where(anchor >= 0, position[anchor], -1),
            oversize=self.oversize[territories],
            scale=self.scale,
            mass=self.mass[units],
            stuck={where[unit]: least for unit, least in self.stuck.items() if where[unit] >= 0},
            fixed=np.where(fixed >= 0, rank[fixed], -1),
            least=None if self.least is None else self.least[territories],
            most=None if self.most is None else self.most[territories],
            home=None if self.home is None else self.home[territories],
            home_travel=None if self.home_travel is None else self.home_travel[np.ix_(units, territories)],
            barred=None if self.barred is None else self.barred[np.ix_(units, territories)],
            current=None if current is None else np.where(current >= 0, rank[current], -1),
            stay=None if self.stay is None else self.stay[units],
            regions=tuple(replace(each, region=each.region[units]) for each in self.regions),
            limits_of=tuple(
                replace(each, value=each.value[units], low=each.low[territories], high=each.high[territories])
                for each in self.limits_of
            ),
        )
        return problem, units, inside[units]

    def limits(self, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the most workload of each territory under a tolerance."""
        slack = tolerance * np.where(self.oversize, self.scale, self.target)
        low, high = np.where(self.oversize, 0.0, self.target - slack), self.target + slack
        return within_limits(low, high, self.least, self.most, tolerance)

    @cached_property
    def placement(self) -> list[memoryview] | None:
        """What it takes that a unit is in a territory, by unit: its travel, in mass × km², from the home or, where
        travel is measured from the territory's centre, from the map's middle. None where no territory has a home."""
        homed = self.is_homed
        if not homed.any():
            return None
        centred = self.location - self.location.mean(axis=0)
        travel = np.repeat(np.square(centred).sum(axis=1)[:, None], self.territories, axis=1)
        if self.home_travel is None:
            travel[:, homed] = squared_distances(self.location, self.home[homed])
        else:
            for territory in np.flatnonzero(homed).tolist():
                travel[:, territory] = self.squared_from_home(territory)
        travel *= self.mass[:, None]
        return [memoryview(row) for row in travel]

    def squared_from_home(self, territory: int) -> np.ndarray:
        """Return km² from a territory's home to each unit, shape (n,)."""
        if self.home_travel is not None and not np.isnan(self.home_travel[:, territory]).any():
            return self.home_travel[:, territory]
        return np.square(self.location - self.home[territory]).sum(axis=1)

    @cached_property
    def contacts(self) -> np.ndarray:
        """Pairs of units that touch, both ways, shape (pairs, 2)."""
        first = np.repeat(np.arange(self.units), [len(around) for around in self.neighbours])
        second = np.array([other for around in self.neighbours for other in around], dtype=int)
        return np.column_stack([first, second])

    @cached_property
    def neighbour_sets(self) -> list[frozenset[int]]:
        """Neighbours of each unit as sets, for the question whether two units touch."""
        return [frozenset(around) for around in self.neighbours]
