"""Distances against PROJ's geodesics and against numbers that can be looked up."""

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.geodesy import (
    distance_km,
    geocentric,
    metres_per_degree,
    segment_lengths_m,
)

NEW_YORK, LOS_ANGELES = (-74.006, 40.713), (-118.243, 34.052)
HONOLULU, NOME = (-157.858, 21.307), (-165.406, 64.501)


def random_places(n, seed, south=-89.9, north=89.9):
    rng = np.random.default_rng(seed)
    return np.column_stack([rng.uniform(-180, 180, n), rng.uniform(south, north, n)])


def proj_km(a, b):
    pyproj = pytest.importorskip("pyproj")
    return pyproj.Geod(ellps="WGS84").inv(*a.T, *b.T)[2] / 1000


def test_distances_anywhere_on_earth_match_proj():
    a, b = random_places(20_000, 1), random_places(20_000, 2)
    np.testing.assert_allclose(distance_km(a, b), proj_km(a, b), rtol=1e-4)


@pytest.mark.parametrize("km", [0.001, 0.1, 1, 30, 1000])
def test_distances_of_every_size_match_proj(km):
    a = random_places(5_000, 3, -75, 75)
    rng = np.random.default_rng(4)
    b = a + rng.normal(0, km / 111, a.shape) / np.column_stack([np.cos(np.radians(a[:, 1])), np.ones(len(a))])
    b[:, 1] = np.clip(b[:, 1], -89, 89)
    np.testing.assert_allclose(distance_km(a, b), proj_km(a, b), rtol=3e-5, atol=1e-9)


def test_places_opposite_each_other_on_the_globe():
    a = random_places(300, 5, -80, 80)
    b = np.column_stack([a[:, 0] + 180, -a[:, 1]]) + np.random.default_rng(6).normal(0, 1, a.shape)
    np.testing.assert_allclose(distance_km(a, b), proj_km(a, b), rtol=1e-4)


def test_exact_antipodes_are_half_a_meridian_apart():
    assert distance_km([(0, 0)], [(180, 0)])[0] == pytest.approx(20_003.93, abs=0.5)


def test_the_same_place_is_no_distance_away():
    assert distance_km([NEW_YORK, (0, 0), (7, 90)], [NEW_YORK, (0, 0), (7, 90)]).tolist() == [0, 0, 0]


def test_one_place_against_many():
    many = distance_km([NEW_YORK], [LOS_ANGELES, HONOLULU, NOME])
    assert many == pytest.approx([3944.4, 7989, 6090], rel=0.01)
    assert np.array_equal(many, distance_km([LOS_ANGELES, HONOLULU, NOME], [NEW_YORK]))


def test_a_degree_at_the_equator_and_along_it():
    assert distance_km([(0, 0)], [(1, 0)])[0] == pytest.approx(111.3195, abs=1e-3)
    east_m, north_m = metres_per_degree([0.0, 60.0])
    assert east_m == pytest.approx([111_319.5, 55_800], rel=1e-4)
    assert north_m == pytest.approx([110_574.3, 111_412], rel=1e-4)


@pytest.mark.parametrize("metres", [0.1, 10, 1_000, 50_000])
def test_short_segments_match_proj(metres):
    a = random_places(5_000, 7, -72, 72)
    turn = np.random.default_rng(8).uniform(0, 2 * np.pi, len(a))
    step = np.column_stack([np.sin(turn) / np.cos(np.radians(a[:, 1])), np.cos(turn)]) * metres / 111_320
    np.testing.assert_allclose(segment_lengths_m(a, a + step), proj_km(a, a + step) * 1000, rtol=1e-4)


def test_a_segment_over_the_date_line_is_short():
    assert segment_lengths_m([(179.999, 52)], [(-179.999, 52)])[0] == pytest.approx(137.3, abs=0.1)


def test_geocentric_axes_and_chords():
    places = geocentric([(0, 0), (90, 0), (0, 90)])
    np.testing.assert_allclose(places, [[6378.137, 0, 0], [0, 6378.137, 0], [0, 0, 6356.752]], atol=1e-3)
    a, b = random_places(1_000, 9, -70, 70), random_places(1_000, 9, -70, 70) + 0.5
    chord = np.linalg.norm(geocentric(a) - geocentric(b), axis=1)
    np.testing.assert_allclose(chord, distance_km(a, b), rtol=1e-4)


def test_geocentric_matches_proj():
    pyproj = pytest.importorskip("pyproj")
    places = random_places(1_000, 10)
    to_ecef = pyproj.Transformer.from_crs("EPSG:4979", "EPSG:4978", always_xy=True)
    expected = np.column_stack(to_ecef.transform(*places.T, np.zeros(len(places)))) / 1000
    np.testing.assert_allclose(geocentric(places), expected, atol=1e-6)


def test_nothing_in_nothing_out():
    empty = np.empty((0, 2))
    assert geocentric(empty).shape == (0, 3)
    assert distance_km(empty, empty).shape == segment_lengths_m(empty, empty).shape == (0,)
