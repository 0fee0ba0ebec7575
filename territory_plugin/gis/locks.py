"""What stays with its rep: units, or customers, as a layer of them says."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np

from ..engine import zipcodes
from ..engine.errors import TerritoryError, name_some
from ..engine.reps import LOCKED, OPEN, Rep
from ..engine.tables.yes_no import yes_no
from ..engine.tables.zips import unit_codes
from .frames import points_of, read_layer

STAYS = "yes"
"""What locks a unit where it is today."""


def read_locked(
    source,
    units: Sequence[str],
    polygons: np.ndarray,
    unit_field: str,
    rep_field: str,
    current: Mapping[str, str | None],
    reps: Sequence[Rep],
    context,
    feedback,
) -> dict[str, str]:
    """Read which units stay with whom: each is named by its id or its ZIP, or holds a customer's place.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
        Units or customers.
    units : sequence of str, length u
    polygons : numpy.ndarray of shapely polygons, shape (u,)
        Degrees on WGS84, as `Layer.lonlat`.
    unit_field : str
        The field of the id; where the layer lacks it, places count.
    rep_field : str
        The field of the rep or territory, as in `engine.reps.read_locks`; "" or an empty value: that of today.
    current : mapping of str to str or None
        Today's territory by unit.
    reps : sequence of Rep

    Returns
    -------
    dict of str to str
        The rep of each locked unit, or `STAYS`.

    Raises
    ------
    TerritoryError
        When a unit has to stay with several, or the layer has neither ids nor places.
    """
    layer = read_layer(source, "The layer of locked units", context, feedback, geometry="any")
    named = layer.at(unit_field) >= 0
    points = points_of(layer, context)
    if not named and points is None:
        raise TerritoryError(
            f"The layer of locked units has no field “{unit_field}” and no places: give it the field of the unit's id, "
            "or points."
        )
    codes = unit_codes(units)
    ids = layer.zips(unit_field, codes) if named else None
    placed = zipcodes.locate_providers(
        ids, codes, points=points, polygons=polygons, limit_km=0.0, cancelled=feedback.isCanceled
    )["unit"].to_numpy()
    known = {rep.id for rep in reps} | {name for name in current.values() if name is not None}
    wishes = layer.texts(rep_field) if rep_field else [None] * len(layer)
    held: dict[str, set[str]] = {}
    for at, wish in zip(placed.tolist(), wishes):
        answer = None if wish in known else yes_no(wish, empty=True, yes=LOCKED, no=OPEN)
        stays = wish not in known and answer is True
        if at < 0 or answer is False:
            continue
        held.setdefault(units[at], set()).add((current.get(units[at]) or STAYS) if stays else wish)
    torn = {unit: reps for unit, reps in sorted(held.items()) if len(reps) > 1}
    if torn:
        told = name_some(f"{unit} ({', '.join(sorted(reps))})" for unit, reps in torn.items())
        raise TerritoryError(
            f"Units {told} hold customers of several reps: a unit has one. Lock the customers of one of them there, or "
            "divide these ZIPs first (“Split heavy ZIPs”)."
        )
    lost = int((placed < 0).sum())
    if lost:
        where = layer.texts(unit_field) if named else [f"feature {feature.id()}" for feature in layer.features]
        strange = sorted({where[row] or f"row {row + 1} (no id)" for row in np.flatnonzero(placed < 0).tolist()})
        feedback.pushWarning(f"Locked, but in none of the units ({lost:,}): {name_some(strange)}.")
    return {unit: reps.pop() for unit, reps in held.items()}
