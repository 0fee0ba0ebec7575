"""Territory polygons: what dissolves must cover all its units, and nothing else, without a seam."""

from __future__ import annotations

import geopandas as gpd
import numpy as np
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.dissolve import dissolve, has_slivers, union
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from hypothesis import given, settings
from hypothesis import strategies as st


def board(picture: str):
    """Return the unit squares and territories of a picture: one letter per unit, "." for none."""
    rows = [line.split() for line in picture.strip().splitlines()]
    cells = [(x, -y, letter) for y, row in enumerate(rows) for x, letter in enumerate(row)]
    shapes = np.array([shapely.box(x, y, x + 1, y + 1) for x, y, _ in cells])
    return shapes, [None if letter == "." else letter for _, _, letter in cells]


def merge(shapes, territory, names, **options):
    """Return the polygon of each territory in the order of `names`."""
    units = gpd.GeoDataFrame({"territory": territory}, geometry=shapes)
    return dissolve(units, **options).geometry.reindex(names).to_numpy()


def rings(shape):
    """Return how many parts and how many holes a shape has."""
    parts = shapely.get_parts(shape)
    return len(parts), int(shapely.get_num_interior_rings(parts).sum())


def test_inner_borders_vanish():
    """
    A A B
    A B B
    """
    shapes, territory = board("A A B\nA B B")
    a, b = merge(shapes, territory, ["A", "B"])
    assert (a.geom_type, a.area, rings(a)) == ("Polygon", 3, (1, 0))
    assert (b.geom_type, b.area, rings(b)) == ("Polygon", 3, (1, 0))
    assert a.length == b.length == 8


def test_they_come_in_the_order_of_the_names():
    shapes, territory = board("B A")
    found = merge(shapes, territory, ["A", "B"])
    assert [shape.centroid.x for shape in found] == [1.5, 0.5]


def test_a_donut_keeps_its_hole():
    shapes, territory = board("A A A\nA B A\nA A A")
    a, b = merge(shapes, territory, ["A", "B"])
    assert rings(a) == (1, 1)
    assert a.area + b.area == 9
    assert not shapely.overlaps(a, b)


def test_parts_that_do_not_touch_stay_parts():
    shapes, territory = board("A B A")
    assert rings(merge(shapes, territory, ["A"])[0]) == (2, 0)


def test_a_corner_contact_gives_a_valid_shape():
    """
    A B
    B A
    """
    shapes, territory = board("A B\nB A")
    for shape in merge(shapes, territory, ["A", "B"]):
        assert shapely.is_valid(shape)
        assert shape.area == 2


def test_units_without_a_territory_are_in_no_shape():
    shapes, territory = board("A . B")
    a, b = merge(shapes, territory, ["A", "B"])
    assert (a.area, b.area) == (1, 1)


def test_overlaps_are_counted_once():
    """Two units that overlap by half: the union is 1.5, not 2."""
    shapes = np.array([shapely.box(0, 0, 1, 1), shapely.box(0.5, 0, 1.5, 1)])
    shape = union(shapes)
    assert shapely.is_valid(shape)
    assert shape.area == pytest.approx(1.5)
    assert rings(shape) == (1, 0)


def test_a_unit_inside_another_is_counted_once():
    shape = union(np.array([shapely.box(0, 0, 3, 3), shapely.box(1, 1, 2, 2)]))
    assert shape.equals(shapely.box(0, 0, 3, 3))


def test_the_same_unit_twice_is_counted_once():
    shape = union(np.array([shapely.box(0, 0, 1, 1)] * 2))
    assert shape.equals(shapely.box(0, 0, 1, 1))


def test_neighbours_with_vertices_of_their_own_leave_no_seam():
    """The right unit has a vertex in the middle of the shared border, the left one has none."""
    left = shapely.box(0, 0, 1, 1)
    right = shapely.Polygon([(1, 0), (2, 0), (2, 1), (1, 1), (1, 0.3)])
    shape = union(np.array([left, right]))
    assert rings(shape) == (1, 0)
    assert shape.equals(shapely.box(0, 0, 2, 1))


def test_multipolygons_join_to_what_they_touch():
    pair = shapely.MultiPolygon([shapely.box(0, 0, 1, 1), shapely.box(5, 0, 6, 1)])
    shape = union(np.array([pair, shapely.box(1, 0, 2, 1)]))
    assert rings(shape) == (2, 0)
    assert shape.area == 3


@st.composite
def coverages(draw):
    """Draw Voronoi cells cut to a square, which share every vertex, and random territories."""
    rng = np.random.default_rng(draw(st.integers(0, 10_000)))
    n = draw(st.integers(3, 40))
    frame = shapely.box(0, 0, 1, 1)
    cells = shapely.get_parts(shapely.voronoi_polygons(shapely.MultiPoint(rng.random((n, 2))), extend_to=frame))
    # snapped to a grid as a whole, so that the cut along the frame stays the same for both neighbours
    edges = shapely.node(shapely.union_all(shapely.boundary([*cells, frame]), grid_size=1e-6))
    cells = shapely.get_parts(shapely.polygonize(shapely.get_parts(edges)))
    cells = cells[shapely.covers(shapely.buffer(frame, 1e-6), cells)]
    names = [f"T{at}" for at in rng.integers(0, draw(st.integers(1, 6)), len(cells))]
    return cells, names


@settings(max_examples=60, deadline=None)
@given(coverages())
def test_a_clean_coverage_dissolves_exactly(drawn):
    cells, territory = drawn
    names = sorted(set(territory))
    found = merge(cells, territory, names)
    assert shapely.is_valid(found).all()
    assert set(shapely.get_type_id(found)) <= {3, 6}
    assert shapely.area(found).sum() == pytest.approx(shapely.area(cells).sum(), rel=1e-12)
    # no vertex is invented: neighbouring territories still share every one
    corners = {tuple(xy) for xy in shapely.get_coordinates(cells)}
    assert {tuple(xy) for xy in shapely.get_coordinates(found)} <= corners
    for one in range(len(found)):
        for other in range(one):
            assert not shapely.relate_pattern(found[one], found[other], "2********")
    # no seam inside: all together are the whole map, in one part and without a hole
    assert rings(union(found)) == rings(union(cells))


def test_the_order_of_the_units_does_not_matter():
    shapes, territory = board("A A B\nA B B\nA A B")
    units = gpd.GeoDataFrame({"territory": territory}, geometry=shapes)
    for one, other in zip(dissolve(units).geometry, dissolve(units[::-1]).geometry):
        assert one.equals_exact(other)


def test_progress_and_cancel():
    shapes, territory = board("A A B\nA B B")
    steps = []
    merge(shapes, territory, ["A", "B"], progress=lambda fraction, text: steps.append(fraction))
    assert steps == sorted(steps)
    assert all(0 <= step <= 1 for step in steps)
    with pytest.raises(Cancelled):
        merge(shapes, territory, ["A", "B"], cancelled=lambda: True)


def jittered(shape, width, generator):
    """Return a polygon with each vertex moved by up to a third of a width."""
    ring = shapely.get_coordinates(shape)
    ring[:-1] += generator.uniform(-width / 3, width / 3, (len(ring) - 1, 2))
    ring[-1] = ring[0]
    return shapely.polygons(ring)


@pytest.mark.parametrize("seed", range(3))
def test_slivers_between_units_are_closed(seed):
    """A 6 × 6 grid whose units do not quite meet, in four territories: no gaps, no holes, no overlaps."""
    generator, width = np.random.default_rng(seed), 1e-3
    cells = [(x, y) for y in range(6) for x in range(6)]
    shapes = np.array([
        jittered(shapely.segmentize(shapely.box(x, y, x + 1, y + 1), 0.25), width, generator) for x, y in cells
    ])  # fmt: skip
    territory = [f"{x // 3}{y // 3}" for x, y in cells]
    names = sorted(set(territory))
    rough, clean = (merge(shapes, territory, names, sliver=sliver) for sliver in (0.0, 2 * width))
    assert rings(union(rough))[1] > 10
    assert rings(union(clean)) == (1, 0)
    assert [rings(shape) for shape in clean] == [(1, 0)] * 4
    assert sum(a.intersection(b).area for i, a in enumerate(clean) for b in clean[:i]) < 1e-9
    assert all(shapely.is_valid(clean))
    assert shapely.area(clean).sum() == pytest.approx(36, abs=24 * width)


def test_slivers_are_seen_only_where_borders_differ():
    exact = np.array([shapely.box(0, 0, 0.01, 0.01), shapely.box(0.01, 0, 0.02, 0.01)])
    apart = np.array([shapely.box(0, 0, 0.01, 0.01), shapely.box(0.010005, 0, 0.02, 0.01)])  # about half a metre
    assert not has_slivers(exact, 1.0)
    assert has_slivers(apart, 1.0)
    assert not has_slivers(apart, 0.1)


def test_corners_that_differ_in_a_last_digit_are_one():
    """Two columns of squares, whose common border is −87.65 for the one and −87.8 + 3 × 0.05 for the other."""
    reckoned, written = -87.8 + 3 * 0.05, -87.65
    assert reckoned != written
    shapes = np.array([
        shapely.box(west, south, east, south + 0.05)
        for west, east in ((-87.7, written), (reckoned, -87.6)) for south in (41.7, 41.75)
    ])  # fmt: skip
    merged = union(shapes)
    assert merged.geom_type == "Polygon"
    assert shapely.area(merged) == pytest.approx(shapely.area(shapes).sum())
    # a corner that two polygons share does not join them
    corner = union(np.array([shapely.box(0, 0, 1, 1), shapely.box(1, 1, 2, 2)]))
    assert shapely.get_num_geometries(corner) == 2
