"""The table from ZIPs without a polygon to the ZIP that has one."""

from __future__ import annotations

from collections.abc import Collection

from ..engine import crosswalk
from .frames import read_layer

POLYGON_NAMES = crosswalk.POLYGON_NAMES


def read_crosswalk(
    source,
    context,
    feedback,
    zip_field: str = "",
    unit_field: str = "",
    ratio_field: str = "",
    units: Collection[str] | None = None,
) -> dict[str, str]:
    """Return ZIP → unit from a table; columns that are not named are found by their usual names.

    Notes go to the log.

    Raises
    ------
    TerritoryError
        When the table has no such columns, and as `engine.crosswalk.read_crosswalk`.
    """
    table = read_layer(source, "The crosswalk", context, feedback, keys=[zip_field] if zip_field else ())
    named = [table.known_as(name) if name else "" for name in (zip_field, unit_field, ratio_field)]
    chosen = crosswalk.choose_columns(table.fields.names(), *named)
    columns = {name: table.column(name) for name in (chosen.zip, chosen.unit, *chosen.ratios)}
    mapping, notes = crosswalk.read_crosswalk(columns, chosen, units)
    for note in notes:
        feedback.pushInfo(note)
    return mapping
