"""How many territories a market needs when each can carry so much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import Count, TerritoryError

MOST = 1e9
"""More territories than any market has units."""


@dataclass(frozen=True)
class Capacity:
    """What one territory can carry, in workload.

    Attributes
    ----------
    target : float
    minimum, maximum : float or None
        Limits that each territory should keep; None for none.
    """

    target: float
    minimum: float | None = None
    maximum: float | None = None

    def __post_init__(self):
        lower = 0.0 if self.minimum is None else self.minimum
        upper = math.inf if self.maximum is None else self.maximum
        if not (0 < self.target < math.inf and 0 <= lower <= self.target <= upper):
            raise TerritoryError(
                "The capacity of a territory must be above 0, its minimum at most as large and its maximum at "
                f"least; given are minimum {lower:g}, target {self.target:g}, maximum {upper:g}."
            )

    def territories(self, workload: float) -> int:
        """Return the number of territories whose average comes nearest to the target within the limits.

        Parameters
        ----------
        workload : float
            Total workload of the market.

        Raises
        ------
        TerritoryError
            When no number keeps the average within the limits; the message says which come nearest.

        Examples
        --------
        >>> Capacity(250, minimum=220, maximum=280).territories(5000)
        20
        """
        if workload / self.target > MOST or (self.maximum and workload / self.maximum > MOST):
            raise TerritoryError(
                f"The capacity of a territory ({self.target:g}) is next to nothing beside the market's "
                f"{workload:,.6g}: give it in the unit of the workload."
            )
        fewest = 1 if self.maximum is None else max(1, math.ceil(workload / self.maximum - 1e-9))
        most = math.inf if not self.minimum else math.floor(min(workload / self.minimum, MOST) + 1e-9)
        if fewest > most:
            raise TerritoryError(
                f"No number of territories fits: {fewest - 1} would hold {_average(workload, fewest - 1)} each and "
                f"{fewest} only {workload / fewest:,.1f}. Lower the minimum or raise the maximum."
            )
        near = workload / self.target
        options = {max(1, math.floor(near)), max(1, math.ceil(near))}
        best = min(options, key=lambda k: (abs(workload / k - self.target), k))
        return int(min(max(best, fewest), most))

    def tolerance(self, average: float, wished: float) -> float:
        """Return the tolerance, as a share of the average, that keeps a territory within the limits."""
        margins = [wished]
        if self.minimum is not None:
            margins.append(1 - self.minimum / average)
        if self.maximum is not None:
            margins.append(self.maximum / average - 1)
        return max(min(margins), 0.0)


def within(
    workload: float,
    territories: int,
    tolerance: float,
    minimum: float | None,
    maximum: float | None,
    alike: bool = True,
) -> float:
    """Return the tolerance that keeps a number of territories, which is given, within limits of workload.

    Parameters
    ----------
    workload : float
        Total workload of the market.
    territories : int
    tolerance : float
        The one wished for.
    minimum, maximum : float or None
        Limits that each territory should keep; None for none.
    alike : bool
        Whether all territories should hold the same.

    Raises
    ------
    TerritoryError
        When the average itself is outside the limits, or is one of them; when territories are not alike.

    Examples
    --------
    >>> round(within(100, 10, 0.2, 9, None), 3)
    0.1
    """
    if minimum is None and maximum is None:
        return tolerance
    if not alike:
        raise TerritoryError(
            "Reps of different capacity cannot share one least or most workload of a territory: give each rep's in the "
            "reps' table, in the columns min and max."
        )
    average = workload / max(territories, 1)
    if minimum is not None and maximum is not None and minimum > maximum:
        raise TerritoryError(f"The least workload of a territory, {minimum:g}, is above the most, {maximum:g}.")
    if minimum is not None and not average > minimum:
        raise TerritoryError(
            f"{Count(territories):territory holds|territories hold} {average:,.6g} each on average: "
            f"not all can hold {minimum:g} or more. "
            f"Ask for {_fewer(workload, minimum)}, or lower the least workload of a territory."
        )
    if maximum is not None and not average < maximum:
        raise TerritoryError(
            f"{Count(territories):territory holds|territories hold} {average:,.6g} each on average: "
            f"not all can hold {maximum:g} or less. "
            f"{_more(workload, maximum)} the most workload of a territory."
        )
    least = 0.0 if minimum is None else minimum
    most = math.inf if maximum is None else maximum
    return min(tolerance, 1 - least / average, most / average - 1)


def _fewer(workload: float, minimum: float) -> str:
    """Return how many territories hold more than a minimum each."""
    return f"{max(1, math.ceil(workload / minimum) - 1):,} or fewer"


def _more(workload: float, maximum: float) -> str:
    """Return how many territories hold less than a maximum each, as the start of an advice."""
    if not maximum > 0 or workload / maximum > MOST:
        return "Raise"
    return f"Ask for {math.floor(workload / maximum) + 1:,} or more, or raise"


def _average(workload, territories) -> str:
    return f"{workload / territories:,.1f}" if territories else "nothing"
