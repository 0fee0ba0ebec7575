"""What a shapefile cannot hold: names, texts and numbers that its table would shorten or change without a word."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

from osgeo import gdal
from qgis.core import QgsFields
from qgis.PyQt.QtCore import QMetaType

from ..engine.errors import Count, TerritoryError, name_some
from .geopackage import exceptions

MOST_FIELDS = 255
LONGEST_TEXT = 254  # bytes
LARGEST_WHOLE = 2**53  # whole numbers become floats, which leave out some of those beyond
LARGEST_FILE = 2**31  # bytes: beyond, many programs read nothing or the first rows
WAY_OUT = "Write a GeoPackage (.gpkg) to keep them."


class ShapefileLimits:
    """The limits of one shapefile while it is written.

    Parameters
    ----------
    name : str
        What messages call the output.
    fields : QgsFields

    Raises
    ------
    TerritoryError
        When the shapefile cannot hold all columns.
    """

    def __init__(self, name: str, fields: QgsFields):
        if len(fields) > MOST_FIELDS:
            raise TerritoryError(
                f"{name}: a shapefile holds {MOST_FIELDS} columns, and these are {len(fields):,}. Write a GeoPackage "
                "(.gpkg), or leave columns out of the input (“Refactor fields”)."
            )
        self.name, self.names = name, fields.names()
        self.cut: Counter[str] = Counter()
        of_type = [(at, field.name(), field.type()) for at, field in enumerate(fields)]
        whole_types = (QMetaType.Type.LongLong, QMetaType.Type.ULongLong)
        self.texts = [(at, column) for at, column, kind in of_type if kind == QMetaType.Type.QString]
        self.wholes = [(at, column) for at, column, kind in of_type if kind in whole_types]

    def look_at(self, attributes: list) -> None:
        """Count the texts of a row that will be cut.

        Raises
        ------
        TerritoryError
            When a whole number would become another one.
        """
        for at, column in self.texts:
            text = attributes[at]
            if isinstance(text, str) and len(text) * 4 > LONGEST_TEXT and len(text.encode()) > LONGEST_TEXT:
                self.cut[column] += 1
        for at, column in self.wholes:
            number = attributes[at]
            if isinstance(number, int) and abs(number) > LARGEST_WHOLE:
                raise TerritoryError(
                    f"{self.name}: a shapefile would make another number of {number} in “{column}”. Write a GeoPackage "
                    "(.gpkg), or make the column a text."
                )

    def notes(self, path: Path) -> list[str]:
        """Return what a person should know of the shapefile that was written."""
        with exceptions():
            layer = gdal.OpenEx(str(path), gdal.OF_VECTOR)
            table = layer.GetLayer(0).GetLayerDefn()
            written = [table.GetFieldDefn(at).GetName() for at in range(table.GetFieldCount())]
        short = [f"{old} is {new}" for old, new in zip(self.names, written) if old != new]
        found = []
        if short:
            found.append(
                f"{self.name}: a shapefile shortens names to ten signs: {name_some(short)}. Models and tools that ask "
                f"for the long ones do not find them. {WAY_OUT}"
            )
        if self.cut:
            texts = ", ".join(f"{count:,} in “{column}”" for column, count in self.cut.items())
            found.append(
                f"{self.name}: a shapefile cuts texts after {LONGEST_TEXT} bytes: "
                f"{Count(sum(self.cut.values())):text is|texts are} cut ({texts}). {WAY_OUT}"
            )
        large = [
            f"{name.name} has {name.stat().st_size / 2**30:.1f} GB"
            for name in (path, path.with_suffix(".dbf")) if name.exists() and name.stat().st_size > LARGEST_FILE
        ]  # fmt: skip
        if large:
            found.append(f"{self.name}: {', '.join(large)}; many programs read only 2 GB of a shapefile. {WAY_OUT}")
        return found
