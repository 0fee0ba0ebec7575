"""Territories as a layer: polygons, compactness in an equal-area CRS, and one row of measures each."""

from __future__ import annotations

import math

import geopandas
import numpy as np
import pandas as pd
import shapely
from qgis.core import (
    QgsCoordinateReferenceSystem,
    QgsCoordinateTransform,
    QgsCsException,
    QgsRectangle,
)

from ..engine import dissolve, measures
from ..engine.progress import never, until_cancelled
from . import fields, seam
from .frames import Layer
from .geometries import LONLAT, centred_on, from_shape, in_crs_units

EDGE_PIECE_M = 10_000.0
"""Edges are followed in pieces of this length where they are moved to another projection."""


def equal_area(shapes: np.ndarray, crs, context, cancelled=never) -> np.ndarray:
    """Return shapes in metres, each in a Lambert azimuthal equal-area projection (WGS84) centred near its middle.

    Centred so, shape and perimeter stay true at the size of a territory wherever on earth it lies: shapes share the
    projections of whole degrees, which changes lengths by 2e-5 at most (Snyder 1987, Map projections: a working manual,
    p. 182: scale at a distance from the centre). Those that the CRS has on both sides of ±180° are put together first;
    edges stay straight in the CRS that they are drawn in.
    """
    if len(cut := seam.on_both_sides(shapes, crs, context)):
        flat = np.full(len(shapes), None, dtype=object)
        rest = np.setdiff1d(np.arange(len(shapes)), cut)
        flat[rest] = equal_area(shapes[rest], crs, context, cancelled)
        whole = [
            seam.to_degrees(np.array([in_pieces(shape, crs)]), crs, context, "A territory")[0] for shape in shapes[cut]
        ]
        flat[cut] = equal_area(np.array(whole, dtype=object), LONLAT, context, cancelled)
        return flat
    to_lonlat = QgsCoordinateTransform(crs, LONLAT, context.transformContext())
    flat, made = [], {}
    for shape in until_cancelled(shapes, cancelled, every=1):
        geometry = from_shape(in_pieces(shape, crs))
        centre = to_lonlat.transform(geometry.boundingBox().center())
        degrees = round(centre.x()), round(centre.y())
        if degrees not in made:  # to make one takes longer than to project many territories
            to_metres = centred_on(*degrees)
            made[degrees] = QgsCoordinateTransform(crs, to_metres, context.transformContext())
        geometry.transform(made[degrees])
        flat.append(bytes(geometry.asWkb()))
    return shapely.from_wkb(flat)


def on_paper(shapes: np.ndarray, crs, context) -> np.ndarray:
    """Return shapes in metres, all in one Lambert azimuthal equal-area projection (WGS84) centred on them; None stays.

    Where one cannot be projected, all are returned as they are.
    """
    known = [at for at, shape in enumerate(shapes) if shape is not None and not shape.is_empty]
    flat = shapes.copy()
    whole = QgsRectangle(*shapely.total_bounds(shapes[known]).tolist())
    to_lonlat = QgsCoordinateTransform(crs, LONLAT, context.transformContext())
    try:
        centre = to_lonlat.transform(whole.center())
        transform = QgsCoordinateTransform(crs, centred_on(centre.x(), centre.y()), context.transformContext())
        for at in known:
            geometry = from_shape(shapes[at])
            geometry.transform(transform)
            flat[at] = shapely.from_wkb(bytes(geometry.asWkb()))
    except QgsCsException:
        return shapes
    return flat


def in_pieces(shape, crs: QgsCoordinateReferenceSystem):
    """Return a polygon whose long edges are divided into short ones; itself where it has none, as most have."""
    longest = in_crs_units(EDGE_PIECE_M, crs)
    xy, ring = shapely.get_coordinates(shapely.get_rings(shapely.get_parts(shape)), return_index=True)
    far = np.abs(np.diff(xy, axis=0)).max(axis=1, initial=0) > longest
    return shapely.segmentize(shape, longest) if (far & (ring[1:] == ring[:-1])).any() else shape


def merge_units(layer: Layer, units, territory, names, sliver_m: float, progress, cancelled) -> np.ndarray:
    """Return the polygon of each territory in the CRS of the units; slivers are closed where units leave any."""
    unclean = dissolve.has_slivers(layer.lonlat, sliver_m, cancelled)
    merged = dissolve.dissolve(
        geopandas.GeoDataFrame({"territory": territory}, geometry=layer.shapes, index=units),
        sliver=in_crs_units(sliver_m, layer.crs) if unclean else 0.0,
        progress=progress,
        cancelled=cancelled,
    )
    return merged.geometry.reindex(names).to_numpy()


def territory_table(
    table: pd.DataFrame, shapes, crs, context, *, reasons, providers, colours, cancelled=never
) -> pd.DataFrame:
    """Return the columns of the territories layer, in the order of `gis.fields.TERRITORIES`.

    Parameters
    ----------
    table : pandas.DataFrame
        From `engine.measures.territory_measures`.
    shapes : numpy.ndarray of shapely geometries, shape (k,)
        Territory polygons in `crs`.
    reasons : pandas.Series
        By territory; None where nothing is wrong.
    providers : pandas.Series or None
        Number of providers by territory.
    colours : dict
        Colour class by territory.
    cancelled : callable
        Is asked at each territory.
    """
    compact = measures.compactness(equal_area(shapes, crs, context, cancelled)).set_index(table.index)
    full = table.join(compact)
    full["reason"] = reasons
    full["providers"] = np.nan if providers is None else providers
    full["colour"] = pd.Series(colours)
    return full.reset_index()[[column.name for column in fields.TERRITORIES]]


def attributes(row) -> list:
    """Return a row of a frame as QGIS attributes: NaN becomes NULL, numpy's numbers become Python's."""
    values = []
    for value in row:
        if isinstance(value, np.generic):
            value = value.item()
        values.append(None if isinstance(value, float) and math.isnan(value) else value)
    return values
