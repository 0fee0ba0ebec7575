"""Small maps drawn as text, for tests in which the picture is the argument."""

import numpy as np
import shapely

WEST, SOUTH, STEP = -100.0, 40.0, 0.01


def squares(picture, west=WEST, south=SOUTH, step=STEP):
    """Return polygons and ids of a drawing: cells with the same letter are one unit, dots are nothing.

    The first line is north. ``squares("AB\\nCD")`` is a grid of two by two.
    """
    rows = [line.strip() for line in picture.strip().splitlines()]
    cells = {}
    for row, line in enumerate(rows):
        for column, name in enumerate(line):
            if name != ".":
                x, y = west + column * step, south + (len(rows) - 1 - row) * step
                cells.setdefault(name, []).append(shapely.box(x, y, x + step, y + step))
    ids = np.array(sorted(cells), dtype=object)
    return np.array([snapped_union(cells[name]) for name in ids], dtype=object), ids


def snapped_union(cells):
    """Return the union of cells with every corner of every cell kept as a vertex of its outline."""
    union = shapely.union_all(cells)
    corners = np.unique(shapely.get_coordinates(np.array(cells, dtype=object)).round(9), axis=0)

    def with_corners(ring):
        xy = shapely.get_coordinates(ring).round(9)
        out = []
        for a, b in zip(xy[:-1], xy[1:]):
            along, away = b - a, corners - a
            if not along.any():
                continue
            share = away @ along / (along @ along)
            on = (np.abs(away[:, 0] * along[1] - away[:, 1] * along[0]) < 1e-12) & (share >= 0) & (share < 1 - 1e-9)
            out.append(corners[on][np.argsort(share[on])])
        return np.concatenate(out)

    polygons = [
        shapely.Polygon(with_corners(part.exterior), [with_corners(hole) for hole in part.interiors])
        for part in shapely.get_parts(union)
    ]
    return polygons[0] if len(polygons) == 1 else shapely.MultiPolygon(polygons)


def grid(columns, rows, west=WEST, south=SOUTH, step=STEP):
    """Return the squares of a chessboard, row by row from the south-west, and ids "000", "001", ..."""
    x, y = np.meshgrid(np.arange(columns), np.arange(rows))
    xs, ys = (west + np.arange(columns + 1) * step).round(9), (south + np.arange(rows + 1) * step).round(9)
    x, y = x.ravel(), y.ravel()
    return shapely.box(xs[x], ys[y], xs[x + 1], ys[y + 1]), np.array([f"{i:03d}" for i in range(len(x))], dtype=object)


def pairs(edges):
    """Return the pairs of an edge frame as a set, drawn as two letters when the ids are letters."""
    return {f"{a}{b}" for a, b in zip(edges["from_unit"], edges["to_unit"])}


def voronoi(n, seed, west=-100.0, south=38.0, size=2.0):
    """Return n random cells that share their vertices exactly, cut to a square, and ids."""
    rng = np.random.default_rng(seed)
    seeds = np.array([west, south]) + rng.uniform(0, size, (n, 2))
    frame = shapely.box(west, south, west + size, south + size)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.multipoints(seeds), extend_to=frame))
    cells = shapely.set_precision(cells, 1e-6)
    cells = cells[shapely.area(cells) > 0]
    return cells, np.array([f"{i:05d}" for i in range(len(cells))], dtype=object)
