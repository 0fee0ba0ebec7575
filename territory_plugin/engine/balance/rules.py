"""The rules of a plan that people can live with: reps, locks, borders, further measures, travel."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

import pandas as pd

from ..reps import Rep


@dataclass(frozen=True)
class Border:
    """Regions (states, counties, metros) whose borders count.

    Attributes
    ----------
    attribute : str
        Node attribute with the unit's region; units without one (None or empty text) belong to none.
    price : float or None
        What each further piece that a region falls into costs, in the travel of an average unit; None: no
        territory may cross such a border.
    """

    attribute: str
    price: float | None = None


@dataclass(frozen=True)
class Measure:
    """A further measure that is balanced within a tolerance of its own.

    Attributes
    ----------
    attribute : str
        Node attribute with the unit's value, ≥ 0.
    tolerance : float
        Allowed deviation from the territory's share, e.g. 0.1.
    """

    attribute: str
    tolerance: float


@dataclass(frozen=True)
class Rules:
    """What a plan obeys besides balance.

    Attributes
    ----------
    reps : tuple of Rep
        One territory each; empty: territories are alike.
    locked : mapping of unit to rep id
        Units that stay with their rep.
    borders : tuple of Border
    measures : tuple of Measure
    travel : DataFrame, shape (units, reps with a home or a centre), optional
        Minutes from there; straight distance (km) if not given.
    centres : mapping of rep id to unit
        Where travel of reps without a home is measured from; unlike a home, such a unit may be in any territory. Reps
        with neither travel from their territory's own middle.
    most_travel : float, optional
        Most minutes, or km, from a rep's home.
    oversize : {'own', 'join'}
        What becomes of a unit that outweighs a territory: one of its own, or a part of one that is over target.
    bridge : bool
        Whether parts of a region whose borders are closed are bridged when only others' land joins them.
    unit : float
        What 1 of the workload is in the unit that the person knows: messages multiply by it.
    """

    reps: tuple[Rep, ...] = ()
    locked: Mapping = field(default_factory=dict)
    borders: tuple[Border, ...] = ()
    measures: tuple[Measure, ...] = ()
    travel: pd.DataFrame | None = None
    centres: Mapping = field(default_factory=dict)
    most_travel: float | None = None
    oversize: str = "own"
    bridge: bool = True
    unit: float = 1.0


NO_RULES = Rules()
