"""Pairs of territories between which units change hands: where the label of each pair stands, and what it says."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
import pandas as pd

from .errors import Count
from .geodesy import geocentric


def bearers(moves: pd.DataFrame, centres: Mapping[str, tuple[float, float]]) -> dict[str, tuple[str, float]]:
    """Return the unit that bears the label of each pair of territories: the one nearest to the middle of what moves.

    Parameters
    ----------
    moves : pandas.DataFrame
        From `engine.alignment.moves`.
    centres : mapping
        Longitude and latitude of each unit, in degrees.

    Returns
    -------
    dict of unit to (str, float)
        The label, and the workload that changes hands between the two, the most first.
    """
    found = []
    named = moves.assign(giver=moves["from_territory"].fillna("nobody"))
    for (giver, taker), mine in named.groupby(["giver", "to_territory"], sort=True):
        places = geocentric([centres[unit] for unit in mine["unit"]])
        off = np.linalg.norm(places - places.mean(axis=0), axis=1)
        load = float(mine["workload"].sum())
        text = f"{giver} → {taker}\n{Count(len(mine)):ZIP|ZIPs}"
        found.append((mine["unit"].iloc[int(np.argmin(off.round(6)))], (text, load)))
    return dict(sorted(found, key=lambda pair: -pair[1][1]))
