"""The reps of a sales force: where they live, what they can carry, what they must or may not have."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Rep:
    """One rep, or a vacancy that a territory is kept for.

    Attributes
    ----------
    id : str
        Names the rep's territory.
    name : str
        Of the person; empty for a vacancy.
    home : str or None
        Unit that the rep lives in; it stays in the rep's territory, and travel is measured from it.
    share : float
        Capacity against that of a full-time rep, e.g. 0.5 for half a week.
    minimum, maximum : float or None
        Limits of the territory's workload that replace the tolerance.
    locked : bool
        The territory stays exactly as it is today.
    must_have, forbidden : frozenset of str
        Units that are, or may not be, in the territory.
    """

    id: str
    name: str = ""
    home: str | None = None
    share: float = 1.0
    minimum: float | None = None
    maximum: float | None = None
    locked: bool = False
    must_have: frozenset[str] = frozenset()
    forbidden: frozenset[str] = frozenset()

    @property
    def vacant(self) -> bool:
        """Whether nobody holds the territory."""
        return not self.name
