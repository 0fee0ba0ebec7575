"""Units that cover the same land are found, wherever their borders meet, and a clean map has none."""

from __future__ import annotations

import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.contiguity import add_overlaps, contiguity_edges, unit_centres
from healthcare_territories.territory_plugin.engine.overlaps import enclosed_units, overlapping_units
from hypothesis import given, settings
from hypothesis import strategies as st

pytestmark = pytest.mark.filterwarnings("ignore:invalid value encountered in intersection")

SQUARE = shapely.box(0, 0, 1, 1)


@pytest.mark.parametrize(
    ("other", "share"),
    [
        (shapely.box(0.5, 0, 1.5, 1), 0.5),  # their upper and lower borders lie on one line
        (shapely.box(0.5, 0.2, 1.5, 0.8), 0.5),
        (shapely.box(0.2, 0.2, 0.8, 0.8), 1),  # an island inside
        (shapely.box(0, 0, 0.5, 0.5), 1),  # in a corner
        (shapely.box(0.2, 0, 0.8, 1), 1),  # across
        (SQUARE, 1),
        (shapely.Polygon([(0, 0), (1, 1), (0, 1)]), 1),  # half of it, corners shared
        # through two corners of the square, no border crosses another
        (shapely.Polygon([(0, 0), (0.5, 0.5), (0, 1), (-0.5, 0.5)]), 0.5),
        (shapely.box(1, 0, 2, 1), None),
        (shapely.box(1, 1, 2, 2), None),
        (shapely.box(1, 0.3, 2, 0.7), None),
        (shapely.box(3, 0, 4, 1), None),
        (shapely.box(0.995, 0, 2, 1), None),  # less than 1 % is a sliver
    ],
)
@pytest.mark.parametrize("first", range(4))
@pytest.mark.parametrize("turned", [False, True])
def test_two_units(other, share, first, turned):
    """The ring may begin at any corner and run either way."""
    ring = shapely.get_coordinates(other)[:-1]
    ring = np.roll(ring, first, axis=0)
    other = shapely.Polygon(ring[::-1] if turned else ring)
    found = overlapping_units([SQUARE, other], ["02139", "19104"])
    if share is None:
        assert len(found) == 0
    else:
        assert found[["from_unit", "to_unit"]].to_numpy().tolist() == [["02139", "19104"]]
        assert found["share"][0] == pytest.approx(share, abs=1e-6)


def test_a_unit_on_the_seam_of_two_others():
    """Its border crosses none of a free border: the two neighbours share theirs."""
    left, right, middle = shapely.box(0, 0, 1, 1), shapely.box(1, 0, 2, 1), shapely.box(0.5, 0.2, 1.5, 0.8)
    found = overlapping_units([left, right, middle], ["left", "right", "middle"])
    assert {frozenset(pair) for pair in found[["from_unit", "to_unit"]].to_numpy()} == {
        frozenset({"left", "middle"}),
        frozenset({"middle", "right"}),
    }


def test_a_unit_inside_that_runs_along_a_shared_border():
    """
    The small one's border touches the large one's only where two others share theirs, vertex by vertex:

        +-------+
        |  +-+  |
        +--+-+--+
        |       |
        +-------+
    """
    upper, lower, small = shapely.box(0, 1, 4, 4), shapely.box(0, 0, 4, 1), shapely.box(2, 1, 3, 2)
    for first in range(4):
        turned = shapely.Polygon(np.roll(shapely.get_coordinates(small)[:-1], first, axis=0))
        found = overlapping_units([upper, lower, turned], ["upper", "lower", "small"])
        assert found[["from_unit", "to_unit"]].to_numpy().tolist() == [["small", "upper"]]


@settings(max_examples=300, deadline=None)
@given(st.data())
def test_boxes_on_a_lattice_agree_with_all_intersections(data):
    """Boxes on few lines share borders, corners and stretches in every way there is; some get extra vertices."""
    rng = np.random.default_rng(data.draw(st.integers(0, 2**20)))
    shapes = []
    for _ in range(data.draw(st.integers(2, 6))):
        (west, east), (south, north) = (np.sort(rng.choice(6, 2, replace=False)) / 8 for _ in "xy")
        shape = shapely.box(west, south, east, north)
        if rng.random() < 0.4:
            shape = shapely.segmentize(shape, 0.125)
        ring = np.roll(shapely.get_coordinates(shape)[:-1], rng.integers(8), axis=0)
        shapes.append(shapely.Polygon(ring if rng.random() < 0.5 else ring[::-1]))
    shapes = np.array(shapes)
    found = overlapping_units(shapes, [f"u{at}" for at in range(len(shapes))])
    pairs = {(row.from_unit, row.to_unit): row.share for row in found.itertuples()}
    expected = {}
    for one in range(len(shapes)):
        for two in range(one + 1, len(shapes)):
            common = shapely.intersection(shapes[one], shapes[two]).area
            share = common / min(shapes[one].area, shapes[two].area)
            if share > 0.01:
                expected[f"u{one}", f"u{two}"] = pytest.approx(share)
    assert pairs == expected


def test_a_clean_map_has_none():
    rng = np.random.default_rng(3)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(rng.random((400, 2)))))
    assert len(overlapping_units(cells, [f"{at:05d}" for at in range(len(cells))])) == 0


# --- on top of each other


def overlapping(shapes):
    ids = [f"u{at}" for at in range(len(shapes))]
    return ids, overlapping_units(shapes, ids)


def on_top(shapes):
    ids, found = overlapping(shapes)
    return {below: top.tolist() for below, top in enclosed_units(shapes, ids, found).items()}


def test_units_on_top_are_told_from_those_that_overlap():
    big, small, half = shapely.box(0, 0, 4, 4), shapely.box(1, 1, 2, 2), shapely.box(3, 3, 5, 5)
    assert on_top([big, small, half]) == {0: [1]}
    assert on_top([small, big]) == {1: [0]}
    assert on_top([big, shapely.box(0, 0, 2, 2), shapely.box(0, 0, 1, 1)]) == {0: [1, 2], 1: [2]}
    assert on_top([big, shapely.box(4, 0, 5, 4)]) == {}


def test_nothing_is_cut_out_of_what_is_covered_altogether():
    """Copies of one polygon, and a county drawn beneath all of its ZIPs, are left as they are."""
    county, halves = shapely.box(0, 0, 2, 2), [shapely.box(0, 0, 1, 2), shapely.box(1, 0, 2, 2)]
    assert on_top([county, county]) == {}
    assert on_top([county, *halves]) == {}


def test_units_that_overlap_are_neighbours():
    """Two crossing bars with no corner on each other's border, and a third one that touches neither."""
    shapes = [shapely.box(0, 1, 3, 2), shapely.box(1, 0, 2, 3), shapely.box(9, 9, 10, 10)]
    ids, found = overlapping(shapes)
    edges = contiguity_edges(shapes, ids)
    assert edges.empty
    joined = add_overlaps(edges, shapes, ids, found, unit_centres(shapes))
    assert joined[["from_unit", "to_unit", "kind"]].to_numpy().tolist() == [["u0", "u1", "border"]]
    assert joined["border_m"].tolist() == pytest.approx([222_000], rel=0.01)  # half of four sides of a degree


def test_an_overlap_makes_a_border_of_a_corner_and_leaves_borders_alone():
    corner = [shapely.box(0, 0, 2, 2), shapely.box(1, 0, 2, 3)]
    ids, found = overlapping(corner)
    before = contiguity_edges(corner, ids)
    after = add_overlaps(before, corner, ids, found, unit_centres(corner))
    assert len(before) == len(after) == 1
    assert after["border_m"].iloc[0] > 0
