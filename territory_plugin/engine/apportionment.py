"""How many territories each state gets where none may cross a state line: in proportion, and explained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from .errors import Count, TerritoryError, name_some


@dataclass(frozen=True)
class Seats:
    """The territories of one region, and how their number came about.

    Attributes
    ----------
    region : str
    workload : float
    quota : float
        Territories that its share of all workload is worth: RI 0.54.
    least : int
        Territories that it needs, however light it is: one for each part that touches no other part of it.
    shared_quota : float
        Its quota among the regions that are not set apart with their least number; NaN where it is.
    territories : int
        What it gets: its least number; else the whole part of `shared_quota`, and one more if its
        remainder is among the largest.
    by_remainder : bool
        Whether it got one more for its remainder.
    """

    region: str
    workload: float
    quota: float
    least: int
    shared_quota: float
    territories: int
    by_remainder: bool

    @property
    def floor(self) -> int:
        """Whole part of the shared quota, 0 where the region is set apart."""
        return 0 if np.isnan(self.shared_quota) else _whole(self.shared_quota)

    @property
    def remainder(self) -> float:
        """What is left of the shared quota above its whole part."""
        return self.shared_quota - self.floor

    @property
    def deviation(self) -> float:
        """Deviation of the region's average territory from that of the market: its territories cannot all do better."""
        return self.quota / self.territories - 1 if self.territories else 0.0

    def __str__(self) -> str:
        if np.isnan(self.shared_quota):
            why = "which it needs"
        elif self.by_remainder:
            why = f"{self.floor:,} and one for its remainder of {self.remainder:.2f}"
        else:
            why = f"its remainder of {self.remainder:.2f} is too small for one more"
        number = f"{Count(self.territories):territory|territories}"
        return (
            f"{self.region} is worth {self.quota:.2f} of a territory and gets {number} ({why}); "
            f"on average {self.deviation:+.1%} from the target"
        )


def apportion(workload: Mapping[str, float], territories: int, least: Mapping[str, int] | int = 1) -> dict[str, Seats]:
    """Share territories among regions in proportion to workload, by largest remainders (Hamilton's method).

    Regions that are worth no more than the least number they need get it and are set apart; the others share
    what is left: the whole part of their quota each, then one more in the order of their remainders (of equal
    ones the heavier region first, then by name).

    Parameters
    ----------
    workload : mapping of str to float
        Workload of each region, at least 0.
    territories : int
    least : mapping of str to int, or int
        Territories that a region needs at least, such as the number of its parts that do not touch.

    Returns
    -------
    dict of str to Seats
        In the order of `workload`; the territories add up to `territories`.

    Raises
    ------
    TerritoryError
        When the regions together need more than there are.

    References
    ----------
    Balinski, M. L. and Young, H. P. (1982), Fair Representation: Meeting the Ideal of One Man, One Vote, ch. 3.

    Examples
    --------
    >>> [(seats.region, seats.territories) for seats in apportion({"NY": 18.7, "RI": 1.0, "VT": 0.3}, 10).values()]
    [('NY', 8), ('RI', 1), ('VT', 1)]
    """
    regions = list(workload)
    weights = np.array([workload[region] for region in regions], dtype=float)
    needs = np.array([least if isinstance(least, int) else least.get(region, 1) for region in regions], dtype=int)
    if not np.isfinite(weights).all() or (weights < 0).any():
        raise TerritoryError("Workloads of regions must be numbers of at least 0.")
    if needs.sum() > territories:
        several = [f"{region} ({need:,})" for region, need in zip(regions, needs) if need > 1]
        parts = f", since some are in parts that do not touch: {name_some(several)}" if several else ""
        raise TerritoryError(
            f"{Count(territories):territory is|territories are} too few where none may cross a border: the "
            f"{Count(len(regions)):region needs|regions need} at least {needs.sum():,}{parts}. Ask for at least "
            f"{needs.sum():,}, let territories cross the border, or "
            "bridge the parts."
        )
    if territories > needs.sum() and not (weights > 0).any():
        weights = np.ones(len(regions))  # nothing to go by: in equal parts
    quota = territories * weights / weights.sum() if weights.sum() > 0 else np.zeros(len(regions))
    shared, left = _set_apart(weights, needs, territories)
    shared_quota = np.full(len(regions), np.nan)
    if shared.any():
        shared_quota[shared] = left * weights[shared] / weights[shared].sum()
    seats = np.where(shared, [0 if np.isnan(value) else _whole(value) for value in shared_quota], needs)
    order = sorted(
        np.flatnonzero(shared).tolist(), key=lambda at: (-(shared_quota[at] - seats[at]), -weights[at], regions[at])
    )
    favoured = set(order[: territories - int(seats.sum())])
    return {
        region: Seats(
            region, float(workload[region]), float(quota[at]), int(needs[at]), float(shared_quota[at]),
            int(seats[at]) + (at in favoured), at in favoured,
        )
        for at, region in enumerate(regions)
    }  # fmt: skip


def _set_apart(weights, needs, territories):
    """Return which regions share by quota, and how many territories are left for them."""
    shared, left = np.ones(len(weights), dtype=bool), territories
    while shared.any():
        light = shared & (left * weights <= needs * weights[shared].sum())
        if not light.any():
            break
        shared &= ~light
        left = territories - int(needs[~shared].sum())
    return shared, left


def _whole(value: float) -> int:
    """Return the whole part of a quota; 2.9999999999 is 3."""
    return int(np.floor(value + 1e-9))
