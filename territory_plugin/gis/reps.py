"""The reps table as QGIS has it: any table or point layer."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from ..engine import reps as engine_reps
from ..engine import reps_table
from ..engine.tables import headers
from .frames import points_of, read_layer

CALLED = "The reps table"


def read_reps(
    source,
    units: Sequence[str],
    polygons: np.ndarray,
    regions: Mapping[str, Sequence[str | None]] | None,
    context,
    feedback,
    columns: Mapping[str, str] | None = None,
    current: Mapping[str, str | None] | None = None,
) -> list[engine_reps.Rep]:
    """Read reps for the units at hand; QGIS brings their points to degrees, and notes go to the log.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
        A table or a point layer; columns are found by their usual names (`engine.reps_table.COLUMNS`).
    units : sequence of str, length u
    polygons : numpy.ndarray of shapely polygons, shape (u,)
        Degrees on WGS84, as `Layer.lonlat`.
    regions : mapping of str to sequence of length u, or None
        Region of each unit by the name of its column, as {"state": layer.texts("state")}.
    columns : mapping of str to str, optional
        Columns with unusual names, by the keys of `engine.reps_table.COLUMNS`.

    current : mapping of str to str or None, optional
        Today's territory by unit; reps whose ids are written otherwise there take its names.

    Raises
    ------
    TerritoryError
        As `engine.reps_table.read_reps`, all complaints at once, and `engine.reps.follow_today`.
    """
    layer = read_layer(source, CALLED, context, feedback, geometry="any", keys=reps_table.COLUMNS["id"])
    for note in headers.find_columns(layer.fields.names(), reps_table.COLUMNS, columns).notes(CALLED):
        feedback.pushInfo(note)
    table = pd.DataFrame({name: pd.Series(layer.column(name), dtype=object) for name in layer.fields.names()})
    reps, notes = reps_table.read_reps(
        table, units, polygons=polygons, points=points_of(layer, context), regions=regions, columns=columns
    )
    if current:
        others = [name for name in layer.fields.names() if headers.plain_header(name) in reps_table.COLUMNS["id"]]
        reps, followed = engine_reps.follow_today(reps, current, {name: layer.texts(name) for name in others})
        for note in followed:
            feedback.pushWarning(note)
    for note in notes:
        feedback.pushInfo(note)
    return reps
