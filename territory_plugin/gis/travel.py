"""Origin–destination tables from any routing tool, as QGIS has them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..engine import travel
from ..engine.errors import Count, TerritoryError
from ..engine.reps import Rep
from .frames import read_layer

ORIGIN_NAMES = ("origin", "origin_id", "from_id", "from", "from_unit", "from_zip", "orig", "o")
DESTINATION_NAMES = ("destination", "destination_id", "to_id", "to", "to_unit", "to_zip", "dest", "d")
TIME_NAMES = {
    **dict.fromkeys(("minutes", "travel_minutes", "duration_min", "time_min", "travel_time", "travel_time_p50"), 1.0),
    **dict.fromkeys(("min", "mins"), 1.0),
    **dict.fromkeys(("seconds", "duration_s", "time_s", "sec"), 1 / 60),
    **dict.fromkeys(("hours", "duration_h", "time_h"), 60.0),
}
"""Usual names of the column of times, and the minutes that one of it has."""


def read_travel(
    source,
    units: Sequence[str],
    lonlat: np.ndarray,
    context,
    feedback,
    *,
    aliases: Mapping[str, str] | None = None,
    minutes_per_km: float | None = None,
    beyond: float = 0.0,
) -> travel.TravelTimes:
    """Read the travel between units; what the table lacks is told in the log.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
        With columns of origin, destination and minutes (or seconds, hours), found by their usual names.
    units, lonlat, aliases, minutes_per_km, beyond
        As in `engine.travel.read_travel`.

    Raises
    ------
    TerritoryError
        When a column is missing, or no row leads from unit to unit.
    """
    layer = read_layer(source, "The travel table", context, feedback)
    names = {name.lower().replace(" ", "_"): name for name in reversed(layer.fields.names())}
    found = []
    for usual, what in (
        (ORIGIN_NAMES, "origins"),
        (DESTINATION_NAMES, "destinations"),
        (tuple(TIME_NAMES), "times"),
    ):
        name = next((name for name in usual if name in names), None)
        if name is None:
            raise TerritoryError(
                f"The travel table has no column of {what} ({', '.join(usual[:3])}, …); it has "
                f"{', '.join(layer.fields.names())}. Rename the column, with “Refactor fields” for one."
            )
        found.append(name)
    origin, destination, time = found
    table = pd.DataFrame({
        "origin": pd.Series(layer.texts(names[origin]), dtype=object),
        "destination": pd.Series(layer.texts(names[destination]), dtype=object),
        "minutes": layer.numbers(names[time]) * TIME_NAMES[time],
    })  # fmt: skip
    times = travel.read_travel(table, units, lonlat, aliases=aliases, minutes_per_km=minutes_per_km, beyond=beyond)
    for message in times.report.messages():
        feedback.pushInfo(message)
    if times.report.unread_rows:
        unread = Count(times.report.unread_rows)
        feedback.pushWarning(f"{unread:row|rows} of the travel table without minutes: missing pairs.")
    return times


def read_rep_minutes(
    source,
    units: Sequence[str],
    lonlat: np.ndarray,
    reps: Sequence[Rep],
    context,
    feedback,
    *,
    minutes_per_km: float | None = None,
    beyond: float = 0.0,
) -> pd.DataFrame:
    """Read the minutes from reps' homes to units; ids of reps in the table stand for their homes.

    Parameters as in `read_travel`. What was missing is told in the log.

    Returns
    -------
    pandas.DataFrame
        Rows by unit, columns by id of the reps with a home.
    """
    aliases = {rep.id: rep.home for rep in reps if rep.home is not None and rep.id not in set(units)}
    times = read_travel(
        source, units, lonlat, context, feedback, aliases=aliases, minutes_per_km=minutes_per_km, beyond=beyond
    )
    minutes, matrix = travel.rep_minutes(times, units, reps)
    feedback.pushInfo(matrix.message())
    return minutes
