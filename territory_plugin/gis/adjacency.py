"""The adjacency graph as a layer of edges: written by one algorithm, edited by hand, read by the others."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from ..engine import contiguity
from ..engine.errors import Count, TerritoryError, name_some
from ..engine.progress import until_cancelled
from ..engine.tables.yes_no import yes_no
from . import fields, seam
from .frames import Layer, read_layer

OPENED, CLOSED = frozenset({"open"}), frozenset({"closed", "shut"})


def read_edges(source, units: Sequence[str], context, feedback) -> pd.DataFrame:
    """Read an edges layer for the units at hand.

    Only the columns ``from_unit`` and ``to_unit`` are needed. An edge is open unless ``open`` says no.
    Edges to units outside the unit layer (a selection, another state) are left out and counted.

    Returns
    -------
    pandas.DataFrame
        ``from_unit, to_unit, border_m, distance_km, kind, open``

    Raises
    ------
    TerritoryError
        When the two columns are missing or no edge fits the units.
    """
    layer = read_layer(source, "The edges layer", context, feedback)
    known = set(layer.fields.names())
    lacking = {fields.FROM_UNIT.name, fields.TO_UNIT.name} - known
    if lacking:
        raise TerritoryError(
            f"The edges layer has no column {' and no column '.join(sorted(lacking))}; "
            "make it with “Build adjacency graph”."
        )
    edges = pd.DataFrame({column.name: layer.ids(column.name) for column in (fields.FROM_UNIT, fields.TO_UNIT)})
    for column in (fields.BORDER_M, fields.DISTANCE_KM):
        edges[column.name] = layer.numbers(column.name) if column.name in known else np.nan
    edges["kind"] = layer.texts("kind") if "kind" in known else "border"
    words = layer.texts("open") if "open" in known else [None] * len(layer)
    is_open = [yes_no(word, empty=True, yes=OPENED, no=CLOSED) for word in words]
    strange = [f"row {row + 1} (“{words[row]}”)" for row, answer in enumerate(is_open) if answer is None]
    if strange:
        raise TerritoryError(
            f"The edges layer: the column “open” is neither yes nor no at {name_some(strange)}. Write yes or no."
        )
    edges["open"] = is_open
    here = edges["from_unit"].isin(units) & edges["to_unit"].isin(units) & (edges["from_unit"] != edges["to_unit"])
    if not here.any() and len(units) > 1:
        raise TerritoryError(
            "No edge joins two units of the unit layer: the unit ids differ. "
            f"Units are like {name_some(list(units)[:3])}; edges like {name_some(edges['from_unit'].dropna()[:3])}."
        )
    if not here.all():
        feedback.pushInfo(
            f"Left out: {Count((~here).sum()):edge that leads|edges that lead} to units that are not in the unit layer."
        )
    return edges[here].reset_index(drop=True)


def edge_rows(edges: pd.DataFrame, units: Sequence[str], centres: np.ndarray, layer: Layer, context, cancelled):
    """Return the type of the lines, and the attributes and the line of each edge, in the CRS of the units.

    The line runs from centre to centre over the middle of the shared border: the one that barriers are held
    against, so what is drawn is what decides. Where one is cut at ±180°, all are lines of several parts.
    """
    lines = contiguity.edge_lines(edges, units, centres, layer.lonlat, cancelled=cancelled)
    drawn = [seam.back(line, layer, context) for line in until_cancelled(lines, cancelled)]
    kind = fields.MULTILINE if any(line.isMultipart() for line in drawn) else fields.LINE
    for line in drawn if kind == fields.MULTILINE else ():
        line.convertToMultiType()
    rows = [
        ([edge.from_unit, edge.to_unit, edge.border_m, edge.distance_km, edge.kind, bool(edge.open)], line)
        for edge, line in zip(edges.itertuples(index=False), drawn)
    ]
    return kind, rows


def build_edges(layer: Layer, units, *, criterion, bridge, bridge_km, sliver_m, progress, cancelled) -> pd.DataFrame:
    """Build the edges of a unit layer: contacts, then bridges between components.

    Parameters as in `engine.contiguity.contiguity_edges` and `engine.contiguity.bridge_edges`.
    """
    edges = contiguity.contiguity_edges(
        layer.lonlat,
        units,
        criterion=criterion,
        sliver_tolerance_m=sliver_m,
        centres=layer.centres(),
        progress=progress,
        cancelled=cancelled,
    )
    if layer.overlaps is not None and len(layer.overlaps):
        edges = contiguity.add_overlaps(edges, layer.lonlat, units, layer.overlaps, layer.centres())
    return add_bridges(layer, units, edges.assign(open=True), bridge, bridge_km, cancelled)


def add_bridges(layer: Layer, units, edges: pd.DataFrame, bridge: str, bridge_km, cancelled) -> pd.DataFrame:
    """Return the edges with bridges between the components added, as the rule asks."""
    if bridge == "none":
        return edges
    bridges = contiguity.bridge_edges(
        layer.lonlat,
        units,
        edges,
        how=bridge,
        distance_km=bridge_km if bridge == "within" else None,
        centres=layer.centres(),
        cancelled=cancelled,
    )
    return pd.concat([edges, bridges.assign(open=True)], ignore_index=True)
