"""The shapes of a layer, read once: valid polygons in its own CRS, and the same in degrees."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence

import numpy as np
import shapely
from qgis.core import Qgis, QgsWkbTypes

from ..engine.errors import Count, TerritoryError, name_some
from ..engine.progress import stop_if, until_cancelled
from . import polygons, seam
from .geometries import as_type, straight_wkb


def name_features(layer, ids: Sequence[int]) -> str:
    """Return features by id, up to eight of them."""
    return name_some(f"feature {fid}" for fid in ids)


def read_shapes(layer, context, feedback, *, areas: bool) -> None:
    """Fill in the shapes of a layer, in its own CRS and in degrees; with `areas`, only valid polygons."""
    taken = take_polygons(layer, feedback) if areas else {}
    rest = [row for row in range(len(layer)) if row not in taken]
    layer.shapes = np.full(len(layer), None, dtype=object)
    layer.shapes[rest] = shapely.from_wkb(
        [straight_wkb(layer.features[row].geometry()) for row in until_cancelled(rest, feedback.isCanceled)]
    )
    layer.shapes[list(taken)] = list(taken.values())
    layer.shapes = shapely.force_2d(layer.shapes)
    refuse_no_numbers(layer)
    if areas:
        across = seam.mend_drawn_across(layer.shapes, polygons.repaired) if layer.crs.isGeographic() else {}
        layer.shapes[list(across)] = list(across.values())
        if across:
            what = "feature is|features are"
            feedback.pushWarning(
                f"{layer.name}: {Count(len(across)):{what}} drawn from one side of the map to the other, round the "
                f"globe: {name_features(layer, [layer.features[row].id() for row in across])}. Taken for polygons "
                "across 180°, which are cut there."
            )
        bad = invalid_rows(layer.shapes, feedback.isCanceled)
        for row in bad:
            layer.shapes[row] = polygons.repaired(layer.shapes[row])
        layer.repaired = bad.tolist()
        flat = [layer.features[row].id() for row in np.flatnonzero(shapely.is_empty(layer.shapes))]
        if flat:
            raise TerritoryError(
                f"{layer.name}: {Count(len(flat)):feature covers|features cover} no area: "
                f"{name_features(layer, flat)}. Draw them anew, or take them out."
            )
        draw_anew(layer, {*taken, *across, *layer.repaired})
    stop_if(feedback.isCanceled)
    layer.lonlat = seam.to_degrees(layer.shapes, layer.crs, context, layer.name, feedback.isCanceled)
    layer.torn = seam.is_torn(layer, context)
    stop_if(feedback.isCanceled)


def take_polygons(layer, feedback) -> dict[int, object]:
    """Return the polygons of features that are none themselves, by row; tell what is left out of them.

    Raises
    ------
    TerritoryError
        Features that hold no polygon.
    """
    taken, without, others = {}, [], Counter()
    mixed = 0
    for row, feature in enumerate(until_cancelled(layer.features, feedback.isCanceled)):
        geometry = feature.geometry()
        if QgsWkbTypes.flatType(geometry.wkbType()) in polygons.PLAIN:
            continue
        shape, more = polygons.plain_polygons(geometry)
        if shape is None:
            without.append(row)
            continue
        taken[row] = shape
        others += more
        mixed += bool(more)
    if without:
        ids = [layer.features[row].id() for row in without]
        hint = " Sum points to ZIP polygons first with “Sum providers to ZIPs”." if not taken else ""
        raise TerritoryError(
            f"{layer.name}: {Count(len(ids)):feature holds|features hold} no polygon: {name_features(layer, ids)}. "
            f"Draw their areas, or take them out (“Extract by expression”).{hint}"
        )
    if taken:
        what = "feature is a collection or a surface|features are collections or surfaces"
        told = format(Count(len(taken)), what)
        feedback.pushInfo(f"{layer.name}: {told} of triangles; their polygons are used.")
    if mixed:
        feedback.pushWarning(
            f"{layer.name}: {polygons.told_left_out(others)} beside the polygons of "
            f"{Count(mixed):feature|features} {'is' if sum(others.values()) == 1 else 'are'} left out."
        )
    return taken


def draw_anew(layer, rows: Collection[int]) -> None:
    """Give features the shapes that were made of them, in the type of the layer.

    A layer of single polygons becomes one of multipolygons where a shape has several parts, and so does one of
    collections or surfaces.
    """
    before = layer.wkb_type
    if QgsWkbTypes.flatType(before) not in polygons.PLAIN:
        layer.wkb_type = Qgis.WkbType.MultiPolygon
    elif any(layer.shapes[row].geom_type == "MultiPolygon" for row in rows):
        layer.wkb_type = QgsWkbTypes.multiType(before)
    for row in rows:
        layer.features[row].setGeometry(as_type(layer.shapes[row], layer.wkb_type))
    if layer.wkb_type != before:
        for row in set(range(len(layer))).difference(rows):
            geometry = layer.features[row].geometry()
            geometry.convertToMultiType()
            layer.features[row].setGeometry(geometry)


def refuse_no_numbers(layer) -> None:
    """Raise where a coordinate is no number."""
    xy, row = shapely.get_coordinates(layer.shapes, return_index=True)
    bad = np.unique(row[~np.isfinite(xy).all(axis=1)])
    if len(bad):
        ids = [layer.features[at].id() for at in bad]
        raise TerritoryError(
            f"{layer.name}: {Count(len(ids)):feature has|features have} coordinates that are no numbers: "
            f"{name_features(layer, ids)}. Draw them anew, or take them out."
        )


def invalid_rows(shapes: np.ndarray, cancelled) -> np.ndarray:
    """Return the rows of shapes that are not valid; a nation's ZIPs take seconds, so that a cancel is heard between."""
    valid = np.ones(len(shapes), dtype=bool)
    for start in range(0, len(shapes), 2000):
        stop_if(cancelled)
        valid[start : start + 2000] = shapely.is_valid(shapes[start : start + 2000])
    return np.flatnonzero(~valid)
