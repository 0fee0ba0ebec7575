"""The balancing problem as arrays: a connected region, how many territories, and what each may hold."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

COMPACTNESS_WORKLOAD = 0.02
"""Share of the mean workload that a unit without any weighs in the travel term, to stay tidy."""

SAFETY = 0.94
"""Share of the tolerance that the search aims at, so that rounding elsewhere never spoils a plan."""


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
    """

    workload: np.ndarray
    location: np.ndarray
    neighbours: Sequence[tuple[int, ...]]
    target: np.ndarray
    tolerance: float
    anchor: np.ndarray
    oversize: np.ndarray

    @property
    def units(self) -> int:
        """Number of units."""
        return len(self.workload)

    @property
    def territories(self) -> int:
        """Number of territories."""
        return len(self.target)

    @cached_property
    def scale(self) -> float:
        """Workload that counts as 100 % when deviations are compared between territories."""
        usual = self.target[~self.oversize]
        usual = usual if len(usual) and usual.max() > 0 else self.target
        return float(usual.mean()) or 1.0

    @cached_property
    def mass(self) -> np.ndarray:
        """Workload of each unit as the travel term sees it, shape (n,)."""
        return np.maximum(self.workload, COMPACTNESS_WORKLOAD * (self.workload.mean() or 1.0))

    def limits(self, tolerance: float) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and the most workload of each territory under a tolerance."""
        slack = tolerance * np.where(self.oversize, self.scale, self.target)
        return np.where(self.oversize, 0.0, self.target - slack), self.target + slack

    @cached_property
    def neighbour_sets(self) -> list[frozenset[int]]:
        """Neighbours of each unit as sets, for the question whether two units touch."""
        return [frozenset(around) for around in self.neighbours]
