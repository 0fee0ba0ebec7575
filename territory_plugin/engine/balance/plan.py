"""A plan: the assignment that was found, its measures, and the reasons for what is outside the tolerance."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from .certificates import Certificates

if TYPE_CHECKING:
    from .travel_bound import TravelBound


def is_nearer(one: tuple[int, float], other: tuple[int, float]) -> bool:
    """Answer whether fewer territories are outside the tolerance, or as many, whose largest deviation is smaller."""
    return one[0] < other[0] or (0 < one[0] == other[0] and one[1] < other[1] * (1 - 1e-9))


@dataclass(frozen=True)
class Plan:
    """A partition of units into connected territories, with its measures.

    Territories are numbered from 0 in the north-west to k − 1 in the south-east.

    Attributes
    ----------
    units : tuple
        Nodes of the graph, in its order.
    assignment : ndarray of int, shape (n,)
        Territory of each unit.
    workload : ndarray of float, shape (k,)
        Sum over the territory's units.
    target : ndarray of float, shape (k,)
        What each territory ought to hold: its component's share once oversize units are set apart; for a
        territory that exists because of an oversize unit, that unit's own workload.
    deviation : ndarray of float, shape (k,)
        (workload − fair target) / fair target, the fair target being total workload / k.
    adjusted_deviation : ndarray of float, shape (k,)
        (workload − target) / target; over the component's target where the territory is oversize.
    oversize : ndarray of bool, shape (k,)
        Territories that exist because of a unit heavier than the target.
    tolerance : float
        The tolerance asked for.
    limits : tuple of (ndarray, ndarray), shape (k,)
        Least and most workload that each territory should hold.
    cut_edges : int
        Pairs of touching units in different territories.
    rms_distance_km : float
        Root of the workload-weighted mean squared distance of units to their territory's workload centre.
    reference_km : float
        The same for the fractional transport the search started from, where workload may be split at will.
    reasons : dict of int to str
        Why a territory is outside the tolerance.
    certificates : Certificates
    stopped_by_time : bool
        Whether the time limit ended the search; such a plan may differ from run to run.
    proposals : int
        Moves that the annealing proposed.
    effort : str
    seed : int
    names : tuple of str
        Reps of the territories; empty where nobody was named.
    share : ndarray, shape (k,)
        Capacity of each territory, 1 on average.
    pieces : dict of str to dict
        By border with a price: the regions that lie in several territories, with these.
    further : dict of str to ndarray, shape (k,)
        What each territory holds of the further measures.
    bridges : tuple of pairs of units
        Contacts added inside regions whose borders are closed.
    gave : tuple of str
        Rules that had to give, with what that means.
    cancelled : bool
        Whether the user ended the search, and this is the best plan so far.
    travel_bound : TravelBound, optional
        What is proven about travel, if asked for.
    """

    units: tuple
    assignment: np.ndarray
    workload: np.ndarray
    target: np.ndarray
    deviation: np.ndarray
    adjusted_deviation: np.ndarray
    oversize: np.ndarray
    tolerance: float
    limits: tuple[np.ndarray, np.ndarray]
    cut_edges: int
    rms_distance_km: float
    reference_km: float
    reasons: dict
    certificates: Certificates
    stopped_by_time: bool
    proposals: int
    effort: str
    seed: int
    names: tuple[str, ...]
    share: np.ndarray
    pieces: dict[str, dict[str, list[int]]]
    further: dict[str, np.ndarray]
    bridges: tuple[tuple, ...]
    gave: tuple[str, ...]
    cancelled: bool = False
    travel_bound: TravelBound | None = None

    @property
    def territories(self) -> int:
        """Number of territories."""
        return len(self.workload)

    @property
    def max_deviation(self) -> float:
        """Largest share by which a territory misses the fair target, oversize ones included."""
        return float(np.abs(self.deviation).max())

    @property
    def max_adjusted_deviation(self) -> float:
        """Largest share by which a territory misses its own target, oversize ones left out."""
        return float(np.abs(self.adjusted_deviation[~self.oversize]).max(initial=0.0))

    @property
    def within_tolerance(self) -> np.ndarray:
        """Whether each territory is within the tolerance of its target, or within its own limits, shape (k,)."""
        low, high = self.limits
        inside = (self.workload >= low * (1 - 1e-9)) & (self.workload <= high * (1 + 1e-9))
        return np.where(self.oversize, np.abs(self.adjusted_deviation) <= self.tolerance * (1 + 1e-9), inside)

    @property
    def share_within_tolerance(self) -> float:
        """Share of all territories within the tolerance of their own target."""
        return float(self.within_tolerance.mean())

    def is_better_balanced(self, other: Plan) -> bool:
        """Answer whether fewer territories are outside, or as many, but nearer."""
        one, theirs = ((int((~plan.within_tolerance).sum()), plan.max_adjusted_deviation) for plan in (self, other))
        return is_nearer(one, theirs)

    def as_dict(self) -> dict:
        """Return unit → territory."""
        return dict(zip(self.units, self.assignment.tolist()))
