"""Places for providers whose file knows only a ZIP: inside its polygon, each provider on a spot of its own."""

from __future__ import annotations

import numpy as np
import shapely

from .progress import IsCancelled, never, stop_if

TRIES = 64


def spread_in_polygons(
    keys: np.ndarray, polygon: np.ndarray, polygons: np.ndarray, cancelled: IsCancelled = never
) -> np.ndarray:
    """Return a point inside its polygon for each provider, decided by the provider's key alone.

    Points of a polygon are spread evenly over its area: uniform in its bounding box, drawn again until they
    fall inside. The draws come from a hash of the key, so a provider stands on the same spot in every run and
    whatever other providers there are. In polygons so slender that no draw falls inside, the point lies on a
    horizontal line through the polygon, at a height and place that the key decides.

    Parameters
    ----------
    keys : numpy.ndarray of int, shape (n,)
        NPIs, for example.
    polygon : numpy.ndarray of int, shape (n,)
        Position in `polygons`, -1 for none.
    polygons : numpy.ndarray of shapely polygons, shape (u,)

    Returns
    -------
    numpy.ndarray of float, shape (n, 2)
        x and y in the coordinates of the polygons, NaN where there is no polygon.

    References
    ----------
    Steele, Lea, Flood (2014), Fast splittable pseudorandom number generators, OOPSLA: the mixing function.
    """
    keys = np.asarray(keys).astype(np.uint64)
    polygon = np.asarray(polygon, dtype=int)
    xy = np.full((len(keys), 2), np.nan)
    used = np.unique(polygon[polygon >= 0])
    shapely.prepare(polygons[used])
    bounds = shapely.bounds(polygons)
    left = np.flatnonzero(polygon >= 0)
    left = left[~np.isnan(bounds[polygon[left], 0])]
    for attempt in range(TRIES):
        if not len(left):
            return xy
        stop_if(cancelled)
        low, high = bounds[polygon[left], :2], bounds[polygon[left], 2:]
        drawn = low + (high - low) * uniform(keys[left], attempt)
        inside = shapely.contains_xy(polygons[polygon[left]], drawn[:, 0], drawn[:, 1])
        xy[left[inside]] = drawn[inside]
        left = left[~inside]
    for row in left:
        stop_if(cancelled)
        xy[row] = on_a_line(polygons[polygon[row]], *uniform(keys[[row]], TRIES)[0])
    return xy


def on_a_line(shape, across: float, up: float) -> tuple[float, float]:
    """Return a point of a polygon at a share `up` of its height, at a share `across` of the line that lies in it."""
    west, south, east, north = shape.bounds
    height = south + (north - south) * (0.05 + 0.9 * up)
    line = shapely.intersection(shape, shapely.linestrings([(west - 1, height), (east + 1, height)]))
    pieces = shapely.get_parts(line)
    pieces = pieces[shapely.length(pieces) > 0]
    if not len(pieces):
        inside = shapely.point_on_surface(shape)
        return inside.x, inside.y
    piece = pieces[min(int(across * len(pieces)), len(pieces) - 1)]
    point = shapely.line_interpolate_point(piece, across, normalized=True)
    return point.x, point.y


def uniform(keys: np.ndarray, attempt: int) -> np.ndarray:
    """Return two numbers in [0, 1) for each key and attempt, shape (n, 2), from SplitMix64."""
    out = np.empty((len(keys), 2))
    for axis in range(2):
        with np.errstate(over="ignore"):
            z = keys + np.uint64(0x9E3779B97F4A7C15) * np.uint64(2 * attempt + axis + 1)
            # keys are near each other: mix twice
            for _ in range(2):
                z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z = z ^ (z >> np.uint64(31))
        out[:, axis] = (z >> np.uint64(11)).astype(float) / float(1 << 53)
    return out
