"""Providers inside their ZIP: always inside, always the same spot, spread evenly."""

import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.placing import spread_in_polygons, uniform

SQUARE = shapely.box(0, 0, 1, 1)
DONUT = shapely.Polygon([(0, 0), (4, 0), (4, 4), (0, 4)], [[(1, 1), (3, 1), (3, 3), (1, 3)]])
TWO = shapely.union_all([shapely.box(10, 0, 11, 1), shapely.box(19, 0, 20, 1)])
NEEDLE = shapely.Polygon([(0, 0), (1, 1), (1, 1.000001)])


@pytest.mark.parametrize("shape", [SQUARE, DONUT, TWO, NEEDLE])
def test_always_inside_and_never_two_on_one_spot(shape):
    keys = np.arange(1_000_000_000, 1_000_000_500)
    xy = spread_in_polygons(keys, np.zeros(500, dtype=int), np.array([shape]))
    assert (shapely.distance(shapely.points(xy), shape) < 1e-9).all()
    assert len(np.unique(xy, axis=0)) == 500


def test_the_key_alone_decides():
    keys = np.array([7, 8, 9, 7])
    shapes = np.array([SQUARE, DONUT])
    xy = spread_in_polygons(keys, np.array([0, 0, 1, 1]), shapes)
    alone = spread_in_polygons(keys[[2]], np.array([1]), shapes)
    assert xy[2].tolist() == alone[0].tolist()
    again = spread_in_polygons(keys[::-1], np.array([1, 1, 0, 0]), shapes)
    assert again[::-1].tolist() == xy.tolist()


def test_none_without_a_polygon():
    xy = spread_in_polygons(np.array([1, 2]), np.array([-1, 0]), np.array([SQUARE]))
    assert np.isnan(xy[0]).all()
    assert not np.isnan(xy[1]).any()


def test_spread_evenly():
    """Of 40,000 in a square, each cell of a 10 × 10 grid has about 400 (standard deviation 20)."""
    xy = spread_in_polygons(np.arange(40_000) * 4096, np.zeros(40_000, dtype=int), np.array([SQUARE]))
    counts, _, _ = np.histogram2d(*xy.T, bins=10, range=[[0, 1], [0, 1]])
    assert abs(counts - 400).max() < 5 * 20
    assert abs(np.corrcoef(uniform(np.arange(10_000, dtype=np.uint64), 0).T)[0, 1]) < 0.03
