"""The table from ZIPs without a polygon to the ZIP that has one."""

from __future__ import annotations

from ..engine import zipcodes
from ..engine.errors import TerritoryError
from .frames import read_layer

ZIP_NAMES = ("zip", "zip_code", "zipcode", "zip5")
UNIT_NAMES = ("zcta", "zcta5", "zcta_use", "zcta5ce20", "zcta5ce10")
POLYGON_NAMES = (*UNIT_NAMES, "geoid20", "geoid10", *ZIP_NAMES)


def read_crosswalk(source, context, feedback, zip_field: str = "", unit_field: str = "") -> dict[str, str]:
    """Return ZIP → unit from a table; columns that are not named are found by their usual names.

    Raises
    ------
    TerritoryError
        When the table has no such columns.
    """
    table = read_layer(source, "The crosswalk", context, feedback)
    columns = []
    for given, usual, parameter in (
        (zip_field, ZIP_NAMES, "CROSSWALK_ZIP_FIELD"),
        (unit_field, UNIT_NAMES, "CROSSWALK_UNIT_FIELD"),
    ):
        found = [name for name in table.fields.names() if name.lower() in usual]
        if not given and not found:
            raise TerritoryError(
                f"The crosswalk has no column named like {' or '.join(usual[:2])} "
                f"(it has {', '.join(table.fields.names())}); name it in {parameter}."
            )
        columns.append(zipcodes.normalise_zip(table.texts(given or found[0])))
    return {code: unit for code, unit in zip(*columns) if code and unit}
