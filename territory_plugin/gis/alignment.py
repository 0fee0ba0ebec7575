"""Today's alignment: from a column of the units, or from a table of last year's."""

from __future__ import annotations

from collections.abc import Sequence

from ..engine import zipcodes
from ..engine.errors import Count, TerritoryError, name_some
from ..engine.tables.names import plain_name, unify_names
from .frames import read_layer


def read_alignment(
    source, unit_field: str, territory_field: str, units: Sequence[str], context, feedback
) -> list[str | None]:
    """Read the territory of each unit at hand from a layer or table, None for units that it does not have.

    Ids are compared as they stand, those that fit nothing then as ZIPs (zeros lost, ZIP+4). Units of the table that
    are not among the units at hand are counted in a warning.

    Raises
    ------
    TerritoryError
        When a unit has two territories, or no unit is found.
    """
    layer = read_layer(source, "The current alignment", context, feedback)
    known = set(units)
    by_zip = {}
    for unit, code in zip(units, zipcodes.normalise_zip(list(units))):
        if code:
            by_zip.setdefault(code, unit)
    found: dict[str, str] = {}
    strange, torn = [], []
    ids = layer.texts(unit_field)
    for unit, code, name in zip(ids, zipcodes.normalise_zip(ids), layer.texts(territory_field)):
        if unit is None or name is None:
            continue
        here = unit if unit in known else by_zip.get(code or "")
        if here is None:
            strange.append(unit)
        elif plain_name(found.setdefault(here, name)) != plain_name(name):
            torn.append(here)
    if torn:
        raise TerritoryError(
            f"The current alignment has two territories for units {name_some(sorted(set(torn)))}: "
            "leave one row for each unit."
        )
    if not found:
        raise TerritoryError(
            "No unit of the current alignment is in the unit layer: choose the fields of its unit and its territory. "
            f"Units are like {name_some(list(units)[:3])}; the alignment's like {name_some(strange[:3])}."
        )
    if strange:
        feedback.pushWarning(
            f"{Count(len(strange)):unit|units} of the current alignment not in the unit layer, so without effect: "
            f"{name_some(strange)}."
        )
    return [found.get(unit) for unit in units]


def today(territory: Sequence[str | None], units: Sequence[str], feedback) -> list[str | None]:
    """Return today's territories under one spelling each; say what was unified, and who has none.

    Raises
    ------
    TerritoryError
        When no unit has a territory.
    """
    if all(name is None for name in territory):
        raise TerritoryError("No unit has a territory today: choose the field or the table that holds the alignment.")
    names, spellings = unify_names(territory)
    for kept, *others in spellings:
        feedback.pushWarning(f"{name_some(f'“{name}”' for name in others)} counts as “{' '.join(kept.split())}”.")
    missing = [unit for unit, name in zip(units, names) if name is None]
    if missing:
        feedback.pushWarning(
            f"{Count(len(missing)):unit has|units have} no territory today, assigned as new: {name_some(missing)}."
        )
    return names
