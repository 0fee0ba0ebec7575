"""How many territories a market needs when each can carry so much."""

from __future__ import annotations

import math
from dataclasses import dataclass

from .errors import TerritoryError


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
        fewest = 1 if self.maximum is None else max(1, math.ceil(workload / self.maximum - 1e-9))
        most = math.inf if not self.minimum else math.floor(workload / self.minimum + 1e-9)
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


def _average(workload, territories) -> str:
    return f"{workload / territories:,.1f}" if territories else "nothing"
