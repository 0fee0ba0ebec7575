"""The balancing problem as arrays: a connected region, how many territories, and what each may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np

COMPACTNESS_WORKLOAD = 0.02
"""Share of the mean workload that a unit without any weighs in the travel term, to stay tidy."""

SAFETY = 0.998
"""Share of the tolerance that plans may use, so that rounding elsewhere never spoils one."""
AIM = 0.942
"""Share of that which annealing aims at, so that what the last moves cannot mend is still within."""


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
        )
        return problem, units, inside[units]

    def limits(self, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the most workload of each territory under a tolerance."""
        slack = tolerance * np.where(self.oversize, self.scale, self.target)
        return np.where(self.oversize, 0.0, self.target - slack), self.target + slack

    @cached_property
    def neighbour_sets(self) -> list[frozenset[int]]:
        """Neighbours of each unit as sets, for the question whether two units touch."""
        return [frozenset(around) for around in self.neighbours]
