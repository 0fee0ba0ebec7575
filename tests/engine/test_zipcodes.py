"""ZIP codes as files hold them, and the way from a provider to its unit."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine import zipcodes
from healthcare_territories.territory_plugin.engine.geodesy import distance_km
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from healthcare_territories.territory_plugin.engine.tables.zips import normalise_zip
from hypothesis import given, settings
from hypothesis import strategies as st

KM_NORTH = 1 / 110.574  # degrees of latitude per km at the equator


def one(value):
    return normalise_zip([value])[0]


@pytest.mark.parametrize(
    ("found", "zip_code"),
    [
        ("19104", "19104"),
        (" 19104 ", "19104"),
        ("19104-2699", "19104"),
        ("19104 2699", "19104"),
        ("191042699", "19104"),
        ("19104-", "19104"),
        ("19104.0", "19104"),
        ("688472944.0", "68847"),
        ("19104.", "19104"),
        ("02139", "02139"),
        ("2139", "02139"),
        ("501", "00501"),
        ("2139-4307", "02139"),
        ("21394307", "02139"),
        ("5010012", "00501"),
        (2139, "02139"),
        (501, "00501"),
        (21394307, "02139"),
        (2139.0, "02139"),
        (688472944.0, "68847"),
        (np.int64(2139), "02139"),
        (np.int32(19104), "19104"),
        (np.uint32(501), "00501"),
        (np.float64(21394307.0), "02139"),
        (np.float32(2139.0), "02139"),
        (np.str_("19104-2699"), "19104"),
    ],
)
def test_a_zip_is_read_however_a_file_holds_it(found, zip_code):
    assert one(found) == zip_code


@pytest.mark.parametrize(
    "found",
    [
        None,
        "",
        "   ",
        "K1A 0B1",
        "SW1A 1AA",
        "n/a",
        "12",
        "123456",
        "1234567890",
        "00000",
        "00500",
        "0",
        0,
        12,
        123456,
        float("nan"),
        float("inf"),
        19104.5,
        "19104.5",
        "１９１０４",
        np.float64("nan"),
        pd.NA,
        pd.NaT,
    ],
)
def test_what_is_no_zip_is_none(found):
    assert one(found) is None


@pytest.mark.parametrize(
    "column",
    [
        pd.Series(["02139", None, "19104"]),
        pd.Series([2139, None, 19104]),  # NULL makes pandas store floats
        pd.Series([2139, None, 19104], dtype="Int64"),
        pd.Series(["2139", None, "19104-0001"], dtype="string"),
        pd.Series(["02139", None, "19104"], dtype="category"),
        np.array([2139.0, np.nan, 19104.0]),
        np.array([2139.0, np.nan, 19104.0], dtype=np.float32),
        np.array(["02139", "", "19104"]),
        ("2139", None, 191040001),
    ],
    ids=["object", "float", "Int64", "string", "category", "float64", "float32", "str", "tuple"],
)
def test_columns_of_pandas_and_numpy(column):
    found = normalise_zip(column)
    assert isinstance(found, np.ndarray)
    assert found.tolist() == ["02139", None, "19104"]


@pytest.mark.parametrize("column", [[], [None], [None, float("nan")], np.array([]), pd.Series([], dtype=object)])
def test_columns_without_any_zip(column):
    assert normalise_zip(column).tolist() == [None] * len(column)


def test_whole_numbers_of_numpy_and_pandas():
    for dtype in (np.int32, np.int64, np.uint64, "Int64", "Int32"):
        assert normalise_zip(pd.Series([501, 21394307], dtype=dtype)).tolist() == ["00501", "02139"]


@given(st.integers(501, 99999), st.integers(0, 9999))
def test_every_way_to_write_a_zip_is_read_alike(number, plus4):
    zip5 = f"{number:05d}"
    whole = number * 10000 + plus4
    ways = [
        zip5,
        number,
        float(number),
        f"{number}.0",
        f"{zip5}-{plus4:04d}",
        f"{zip5}{plus4:04d}",
        whole,
        float(whole),
    ]
    ways += [f" {whole}.0", f"{number}-{plus4:04d}", np.int64(whole), np.float64(whole)]
    assert set(normalise_zip(ways)) == {zip5}


@given(st.lists(st.one_of(st.none(), st.text(), st.integers(), st.floats(), st.booleans())))
def test_whatever_comes_in_a_zip_or_none_comes_out(values):
    found = normalise_zip(values)
    assert len(found) == len(values)
    for zip_code in found:
        assert zip_code is None or (
            len(zip_code) == 5 and zip_code.isascii() and zip_code.isdigit() and zip_code >= "00501"
        )
    again = normalise_zip(found)
    assert again.tolist() == found.tolist()  # a ZIP that has been read stays what it is


# --- from a provider to its unit


def square(west, south, size=1.0):
    return shapely.box(west, south, west + size, south + size)


UNITS = ["00501", "10001", "19104"]
#  00501 | 10001 |  gap | 19104      from 0° to 2° and from 3° to 4° east, 0° to 1° north
POLYGONS = np.array([square(0, 0), square(1, 0), square(3, 0)])


def locate(zips=None, points=None, **more):
    zips = None if zips is None else np.array(zips, dtype=object)
    if points is not None:
        points = np.array([None if p is None else shapely.Point(p) for p in points] + [None], dtype=object)[:-1]
        more = {"polygons": POLYGONS, **more}
    return zipcodes.locate_providers(zips, UNITS, points=points, **more)


def units(found):
    return [UNITS[at] if at >= 0 else None for at in found["unit"]]


def test_the_zip_comes_first_whatever_the_place():
    found = locate(["19104", "00501"], [(0.5, 0.5), (3.5, 0.5)])
    assert units(found) == ["19104", "00501"]
    assert found["method"].tolist() == ["zip", "zip"]
    assert found["reason"].isna().all()


def test_a_zip_without_polygon_goes_through_the_crosswalk():
    found = locate(["00544", "00545", None], crosswalk={"00544": "00501", "00545": "99999"})
    assert units(found) == ["00501", None, None]
    assert found["method"].tolist() == ["crosswalk", "", ""]
    assert "00545" in found["reason"][1]
    assert "no ZIP" in found["reason"][2]


def test_the_crosswalk_does_not_move_a_zip_that_has_a_polygon():
    assert units(locate(["10001"], crosswalk={"10001": "19104"})) == ["10001"]


def test_the_crosswalk_wins_over_the_place():
    found = locate(["00544"], [(3.5, 0.5)], crosswalk={"00544": "10001"})
    assert units(found) == ["10001"]


def test_the_place_decides_where_zip_and_crosswalk_do_not():
    found = locate([None, "99999", "00544"], [(0.5, 0.5), (1.5, 0.5), (3.5, 0.5)], crosswalk={"00544": "99998"})
    assert units(found) == ["00501", "10001", "19104"]
    assert set(found["method"]) == {"inside"}


def test_without_zips_all_are_placed_by_location():
    found = locate(None, [(0.5, 0.5), (3.5, 0.5)])
    assert units(found) == ["00501", "19104"]


def test_a_point_on_a_shared_border_belongs_to_one_unit():
    """The border at 1° is of 00501 and of 10001: the first in the layer's order has it, once."""
    found = locate(None, [(1.0, 0.5), (1.0, 0.0), (1.0, 1.0)])
    assert units(found) == ["00501"] * 3
    counts, _ = zipcodes.sum_to_units(found["unit"].to_numpy(), np.zeros((3, 0)), 3)
    assert counts.tolist() == [3, 0, 0]


def test_nearest_within_the_limit_and_not_beyond():
    """Providers 9 km and 11 km north of 00501; the limit is 10 km."""
    near, far = (0.5, 1 + 9 * KM_NORTH), (0.5, 1 + 11 * KM_NORTH)
    found = locate([None, "99999"], [near, far], limit_km=10)
    assert units(found) == ["00501", None]
    assert found["method"].tolist() == ["nearest", ""]
    assert "99999" in found["reason"][1]
    assert "10 km" in found["reason"][1]
    assert units(locate(None, [far], limit_km=12)) == ["00501"]
    assert units(locate(None, [near], limit_km=0)) == [None]


def test_nearest_is_measured_on_the_ground_not_in_degrees():
    """At 60° north a degree of longitude is half a degree of latitude.

    A point 0.15° east of one unit (8.4 km) and 0.1° south of another (11.1 km) belongs to the first.
    """
    west, north = shapely.box(9, 59, 10, 60), shapely.box(10.1, 60.05, 11, 61)
    point = shapely.Point(10.15, 59.95)
    found = zipcodes.locate_providers(
        None, ["west", "north"], points=np.array([point]), polygons=np.array([west, north]), limit_km=20
    )
    assert found["unit"].tolist() == [0]


@settings(max_examples=60, deadline=None)
@given(st.floats(-75, 75), st.floats(-170, 170), st.integers(0, 2**16))
def test_nearest_agrees_with_all_distances(lat, lon, seed):
    """The nearest border point of every box, found by brute force along its rim."""
    rng = np.random.default_rng(seed)
    corners = rng.uniform(-0.5, 0.5, (6, 2)) + np.array([lon, lat])
    boxes = np.array([shapely.box(x, y, x + 0.05, y + 0.05) for x, y in corners])
    point = shapely.Point(lon, lat)
    if shapely.intersects(boxes, point).any():
        return
    rims = [shapely.get_coordinates(shapely.segmentize(box, 0.0005)) for box in boxes]
    nearest = np.array([distance_km(np.array([[lon, lat]]), rim).min() for rim in rims])
    found = zipcodes.nearest_polygons(np.array([point]), boxes, shapely.STRtree(boxes), 40.0)[0]
    if nearest.min() > 40.5:
        assert found == -1
    elif nearest.min() < 39.5:
        assert nearest[found] <= nearest.min() + 0.1


def test_providers_without_anything_have_a_reason():
    found = locate(["99999", None], [None, None])
    assert units(found) == [None, None]
    assert found["reason"].str.contains("no location").all()
    assert locate(["99999"])["reason"][0] == found["reason"][0]


def test_an_empty_point_counts_as_no_location():
    points = np.array([shapely.Point()])
    found = zipcodes.locate_providers(None, UNITS, points=points, polygons=POLYGONS)
    assert found["unit"].tolist() == [-1]
    assert "no location" in found["reason"][0]


def test_placing_stops_when_cancelled():
    with pytest.raises(Cancelled):
        locate(["99999"], [(0.5, 0.5)], cancelled=lambda: True)


# --- sums


@given(st.data())
def test_sums_in_are_sums_out(data):
    n, u = data.draw(st.integers(0, 60)), data.draw(st.integers(1, 8))
    unit = np.array(data.draw(st.lists(st.integers(-1, u - 1), min_size=n, max_size=n)), dtype=int)
    value = st.one_of(st.just(float("nan")), st.floats(0, 1e9))
    values = np.array(data.draw(st.lists(st.tuples(value, value), min_size=n, max_size=n)), dtype=float).reshape(n, 2)
    counts, sums = zipcodes.sum_to_units(unit, values, u)
    assert counts.shape == (u,)
    assert sums.shape == (u, 2)
    assert counts.sum() + (unit < 0).sum() == n
    assert sums.sum(axis=0) + np.nansum(values[unit < 0], axis=0) == pytest.approx(np.nansum(values, axis=0))
    for at in range(u):
        assert sums[at] == pytest.approx(np.nansum(values[unit == at], axis=0))


def test_units_without_providers_are_there_with_zero():
    counts, sums = zipcodes.sum_to_units(np.array([1, 1, -1]), np.array([[2.0], [3.0], [7.0]]), 3)
    assert counts.tolist() == [0, 2, 0]
    assert sums.tolist() == [[0.0], [5.0], [0.0]]
