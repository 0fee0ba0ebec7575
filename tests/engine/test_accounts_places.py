"""Accounts matched by place: the polygon around them, or the nearest provider within reach."""

from __future__ import annotations

import numpy as np
import shapely
from healthcare_territories.territory_plugin.engine.accounts import match_inside, match_nearest


def points(*places):
    return np.array([shapely.Point(place) for place in places])


def test_inside_and_on_a_shared_border():
    """Two squares side by side: the border between them belongs to the first, 5 is outside."""
    squares = np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1)])
    point, square = match_inside(points((1.5, 0.5), (5, 5), (1, 0.5), (0.5, 0.5)), squares)
    assert point.tolist() == [0, 2, 3]
    assert square.tolist() == [1, 0, 0]


def test_the_first_in_the_order_of_the_layer_has_the_border():
    squares = np.array([shapely.box(1, 0, 2, 1), shapely.box(0, 0, 1, 1), shapely.box(0, 1, 1, 2)])
    _, square = match_inside(points((1, 0.5), (0.5, 1), (1, 1)), squares)
    assert square.tolist() == [0, 1, 0]


def test_nearest_within_the_limit():
    """At 60° north a degree of longitude is 56 km: the provider to the east is nearer than the one to the south."""
    targets = points((10, 59.2), (11, 60))
    near, target = match_nearest(points((10, 60), (10, 59.3), (0, 0)), targets, 60)
    assert near.tolist() == [0, 1]
    assert target.tolist() == [1, 0]
    assert match_nearest(points((10, 60)), targets, 50)[0].tolist() == []
