"""The map on the page: territories as SVG, their names over it at a size that can be read on any screen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import shapely

from ..colours import INK, OPACITY, PALETTE

WIDE = 1000
"""Width of the drawing: corners are brought to its grid, which leaves shared borders shared."""
ROOM = {"phone": 340.0, "desk": 900.0}
"""Widths of the map in pixels that names must fit at."""
SIGN, ROW, SMALL = 8.4, 15.0, 7.4
"""Width of a sign of a name, height of a row, width of a sign of the figure below, in pixels."""


@dataclass(frozen=True)
class Drawing:
    """Territories on a plane.

    Attributes
    ----------
    names : sequence of str, shape (k,)
    shapes : numpy.ndarray of shapely polygons, shape (k,)
        In a projection that looks right on paper; y goes up.
    colours : mapping
        Colour class of each territory.
    apart : shapely geometry, optional
        What has no territory.
    """

    names: Sequence[str]
    shapes: np.ndarray
    colours: Mapping[str, int]
    apart: object = None


def territory_map(drawing: Drawing, figures: Sequence[str], told: str) -> str:
    """Return the map of territories, with a figure below each name.

    Parameters
    ----------
    drawing : Drawing
    figures : sequence of str, shape (k,)
    told : str
        What the figures are.
    """
    everything = [shape for shape in (*drawing.shapes, drawing.apart) if shape is not None and not shape.is_empty]
    if not everything:
        return ""
    west, south, east, north = shapely.total_bounds(everything)
    size = max(east - west, 1e-9)
    tall = round(WIDE * (north - south) / size) or 1
    place = _Paper(west, north, WIDE / size)
    paths = [
        f'<path d="{path}" fill="{PALETTE[drawing.colours.get(name, 0) % len(PALETTE)]}" fill-opacity="{OPACITY}">'
        f"<title>{escape(f'{name}: {figure}')}</title></path>"
        for name, figure, path in zip(drawing.names, figures, map(place.path, drawing.shapes))
    ]
    if drawing.apart is not None and (path := place.path(drawing.apart)):
        paths.insert(0, f'<path d="{path}" fill="#d9dee2"><title>no territory</title></path>')
    width = round(100 * min(1.0, 0.85 * WIDE / tall), 1)
    spots = "".join(_spots(drawing, figures, place, tall, width / 100))
    without = "; grey: no territory" if drawing.apart is not None else ""
    return (
        f'<div class="drawing" style="width:{width}%"><svg viewBox="-4 -4 {WIDE + 8} {tall + 8}" role="img" '
        f'aria-label="Map of the territories"><g stroke="{INK}" stroke-width="1.6" stroke-linejoin="round" '
        f'fill-rule="evenodd">{"".join(paths)}</g></svg>{spots}</div>'
        f'<p class="note">Below a name: {escape(told)}{without}.</p>'
    )


@dataclass(frozen=True)
class _Paper:
    west: float
    north: float
    scale: float

    def grid(self, corners: np.ndarray) -> np.ndarray:
        return np.rint((corners - (self.west, self.north)) * (self.scale, -self.scale)).astype(int)

    def path(self, shape) -> str:
        """Return polygons as an SVG path of whole numbers, without rings that come to nothing."""
        if shape is None or shape.is_empty:
            return ""
        rings = shapely.get_rings(shapely.get_parts(shape))
        corners, ring = shapely.get_coordinates(rings, return_index=True)
        corners = self.grid(corners)
        kept = np.ones(len(corners), dtype=bool)
        kept[1:] = (corners[1:] != corners[:-1]).any(axis=1) | (ring[1:] != ring[:-1])
        corners, ring = corners[kept], ring[kept]
        drawn = []
        for part in np.split(corners, np.flatnonzero(np.diff(ring)) + 1):
            if len(part) < 4:
                continue
            steps = np.diff(part[:-1], axis=0)
            drawn.append(f"M{part[0, 0]} {part[0, 1]}l" + " ".join(f"{x} {y}" for x, y in steps.tolist()) + "z")
        return "".join(drawn)


def _spots(drawing: Drawing, figures, place: _Paper, tall: int, narrower: float) -> list[str]:
    """Return the names: those that fit on a phone, and those that only fit on a desk; the largest territory first."""
    order = [at for at in np.argsort(-shapely.area(drawing.shapes), kind="stable") if drawing.shapes[at] is not None
             and not drawing.shapes[at].is_empty]  # fmt: skip
    centres = {}
    for at in order:
        parts = shapely.get_parts(drawing.shapes[at])
        inside = shapely.point_on_surface(parts[shapely.area(parts).argmax()])
        centres[at] = place.grid(shapely.get_coordinates(inside))[0]
    fits: dict[str, dict] = {}
    for screen, pixels in ROOM.items():
        across = pixels * (narrower if screen == "desk" else 1.0)
        down, taken, here = across * tall / WIDE, np.empty((0, 4)), {}
        before = fits.get("phone", {})
        for at in sorted(order, key=lambda at: at not in before):  # what fits on a phone stands there on a desk, too
            half = max(SIGN * len(drawing.names[at]), SMALL * len(figures[at])) / 2
            if 2 * half > across:
                continue
            x, y = before.get(at, centres[at] / (WIDE, tall)) * np.array([across, down])
            x, y = min(max(x, half), across - half), min(max(y, ROW), max(down - ROW, ROW))
            box = np.array([x - half, y - ROW, x + half, y + ROW])
            if at in before or not ((box[:2] < taken[:, 2:]) & (taken[:, :2] < box[2:])).all(axis=1).any():
                taken = np.vstack([taken, box])
                here[at] = before.get(at, (x / across, y / down))
        fits[screen] = here
    found = []
    for at, (x, y) in fits["desk"].items():
        roomy = "" if at in fits["phone"] else " roomy"
        found.append(
            f'<span class="spot{roomy}" style="left:{100 * x:.1f}%;top:{100 * y:.1f}%">'
            f"{escape(drawing.names[at])}<small>{escape(figures[at])}</small></span>"
        )
    return found
