"""Territory polygons from the polygons of their units."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd
import shapely

from .progress import IsCancelled, Progress, ignore, never, stop_if


def dissolve(
    shapes: np.ndarray,
    territory: Sequence[str | None],
    names: Sequence[str],
    *,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> np.ndarray:
    """Return the union of the units of each territory, in the order of `names`.

    On a clean coverage the inner borders vanish exactly (coverage union); where units overlap or leave slivers
    the general union is taken instead.

    Parameters
    ----------
    shapes : numpy.ndarray of shapely polygons, shape (n,)
    territory : sequence of str or None, shape (n,)
    names : sequence of str, shape (k,)

    Returns
    -------
    numpy.ndarray of shapely geometries, shape (k,)
    """
    rows = pd.Series(np.arange(len(shapes))).groupby(pd.Series(list(territory), dtype=object)).agg(list)
    merged = []
    for at, name in enumerate(names):
        stop_if(cancelled)
        progress(at / len(names), "Merging polygons")
        merged.append(union(shapes[rows[name]]))
    return np.array(merged, dtype=object)


def union(shapes: np.ndarray):
    """Return the union of polygons: exact on a clean coverage, noded otherwise."""
    try:
        merged = shapely.coverage_union_all(shapes)
    except shapely.GEOSException:  # GEOS refuses overlaps, and neighbours with vertices of their own
        return shapely.normalize(shapely.union_all(shapes))
    clean = shapely.is_valid(merged) and np.isclose(shapely.area(merged), shapely.area(shapes).sum(), rtol=1e-9)
    return shapely.normalize(merged if clean else shapely.union_all(shapes))
