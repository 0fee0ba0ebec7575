"""Today's alignment: from a column of the units, or from a table of last year's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import date

from qgis.PyQt.QtCore import QDate, QDateTime

from ..engine import alignment_table
from ..engine.errors import Count, TerritoryError, name_some
from ..engine.tables.cells import cell_text
from ..engine.tables.missing import is_unassigned
from ..engine.tables.names import unify_names
from .frames import read_layer


def read_alignment(
    source,
    unit_field: str,
    territory_field: str,
    units: Sequence[str],
    context,
    feedback,
    day: date | None = None,
    others: Sequence[str] = (),
) -> alignment_table.Reading:
    """Read the territory of each unit at hand from a layer or table; what is to be known of it goes to the log.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
    unit_field, territory_field : str
    units : sequence of str
    day : date, optional
        The day whose alignment is wanted.
    others : sequence of str
        Further ZIPs, without a polygon of their own, that lie in a unit.

    Raises
    ------
    TerritoryError
        As `engine.alignment_table.read_alignment`.
    """
    layer = read_layer(source, "The current alignment", context, feedback, keys=[unit_field])
    columns = {name: [_dated(value) for value in layer.column(name)] for name in layer.fields.names()}
    unit, territory = layer.known_as(unit_field), layer.known_as(territory_field)
    found = alignment_table.read_alignment(columns, unit, territory, units, day=day, others=others)
    for note in found.notes:
        feedback.pushInfo(note)
    for warning in found.warnings:
        feedback.pushWarning(warning)
    return found


def _dated(value):
    """Return a value; a date of QGIS as one of Python."""
    if isinstance(value, QDateTime):
        value = value.date()
    return date(value.year(), value.month(), value.day()) if isinstance(value, QDate) else value


def territories(territory: Sequence[object], feedback) -> list[str | None]:
    """Return the territories of units under one spelling each, None where nobody has the unit; say what was unified.

    Parameters
    ----------
    territory : sequence of length n
        As written: None, and words that mean nobody (#N/A, Unassigned), are no territory.
    """
    written = [cell_text(name) for name in territory]
    nobody = Counter(name for name in written if name is not None and is_unassigned(name))
    for name, count in nobody.most_common():
        have = "it has" if count == 1 else "they have"
        feedback.pushWarning(f"{Count(count):unit says|units say} “{name}”: {have} no territory today.")
    names, spellings = unify_names([None if is_unassigned(name) else name for name in written])
    for kept, *others in spellings:
        feedback.pushWarning(f"{name_some(f'“{name}”' for name in others)} counts as “{' '.join(kept.split())}”.")
    return names


def today(territory: Sequence[object], units: Sequence[str], feedback) -> list[str | None]:
    """Return today's territories as `territories` does, and say who has none.

    Raises
    ------
    TerritoryError
        When no unit has a territory.
    """
    names = territories(territory, feedback)
    if all(name is None for name in names):
        raise TerritoryError("No unit has a territory today: choose the field or the table that holds the alignment.")
    missing = [unit for unit, name in zip(units, names) if name is None]
    if missing:
        feedback.pushWarning(
            f"{Count(len(missing)):unit has|units have} no territory today, assigned as new: {name_some(missing)}."
        )
    return names
