"""Maps across 180°: the same shapes at longitude 0 say what is right."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine.accounts import match_inside
from healthcare_territories.territory_plugin.engine.antimeridian import (
    crosses,
    cut_at_seam,
    normal,
    unwrapped,
    without_jumps,
)
from healthcare_territories.territory_plugin.engine.contiguity import (
    bridge_edges,
    close_crossed,
    contiguity_edges,
    edge_lines,
    unit_centres,
)
from healthcare_territories.territory_plugin.engine.geodesy import distance_km
from healthcare_territories.territory_plugin.engine.overlaps import overlapping_units
from healthcare_territories.territory_plugin.engine.zipcodes import locate_providers

# Four columns of half a degree from 179° to −179°, the middle of B on the seam in the upper row:
#
#     A A B B C C
#     D D E F G G        E ends at 180°, where F begins
IDS = list("ABCDEFG")


def across(south=64.0, size=0.5):
    """Return the shapes as they are, from 179.25° on, none cut."""
    west, north = 180 - 1.5 * size, south + size
    upper = [shapely.box(west + at * size, north, west + (at + 1) * size, north + size) for at in range(3)]
    ends = [west, west + size, 180, west + 2 * size, west + 3 * size]
    lower = [shapely.box(a, south, b, north) for a, b in zip(ends, ends[1:])]
    shapes = np.array([*upper, *lower], dtype=object)
    return shapely.segmentize(shapes, size / 10)


def moved(shapes, by):
    return shapely.transform(shapes, lambda xy: xy + np.array([by, 0]))


def wrapped(shapes):
    """Return shapes as a projected layer gives them in degrees: round the globe where they cross the seam."""
    return shapely.transform(shapes, lambda xy: np.column_stack([(xy[:, 0] + 180) % 360 - 180, xy[:, 1]]))


def cut(shapes):
    """Return shapes as files have them: in pieces at ±180°."""
    return np.array([cut_at_seam(shape) for shape in shapes], dtype=object)


DRAWN = {"cut": cut, "round the globe": wrapped, "in one piece": lambda shapes: shapes}


@pytest.mark.parametrize("south", [-17.0, 51.0, 71.0])
@pytest.mark.parametrize("drawn", DRAWN)
@pytest.mark.parametrize("criterion", ["rook", "queen"])
def test_neighbours_borders_and_distances_are_those_at_longitude_0(south, drawn, criterion):
    shapes = across(south)
    found = contiguity_edges(unwrapped(DRAWN[drawn](shapes), projected=True), IDS, criterion=criterion)
    expected = contiguity_edges(moved(shapes, -180), IDS, criterion=criterion)
    pd.testing.assert_frame_equal(found, expected, rtol=1e-6)
    assert found["distance_km"].max() < 200


@pytest.mark.parametrize("drawn", DRAWN)
def test_centres_and_areas_are_those_at_longitude_0(drawn):
    shapes = across()
    whole = unwrapped(DRAWN[drawn](shapes), projected=True)
    centres = unit_centres(whole)
    expected = unit_centres(moved(shapes, -180))
    assert np.abs(np.exp(1j * np.radians(centres[:, 0])) + np.exp(1j * np.radians(expected[:, 0]))).max() < 1e-9
    assert centres[:, 1] == pytest.approx(expected[:, 1], abs=1e-9)
    assert shapely.area(whole) == pytest.approx(shapely.area(shapes))
    assert shapely.length(whole) == pytest.approx(shapely.length(shapes))  # no border along the seam is left


def test_a_border_across_the_seam_with_corners_of_its_own_is_one():
    """E and F as one unit below B: no corner of either lies where the other has one."""
    lower, upper = shapely.box(179.5, 50, 180.5, 51), shapely.box(179.3, 51, 180.7, 52)
    for shapes in (cut(np.array([lower, upper])), wrapped(shapely.segmentize(np.array([lower, upper]), 0.3))):
        edges = contiguity_edges(unwrapped(shapes, projected=True), ["l", "u"])
        at_0 = contiguity_edges([moved(lower, -180), moved(upper, -180)], ["l", "u"])
        assert edges["border_m"].tolist() == pytest.approx(at_0["border_m"].tolist(), rel=1e-6)


@pytest.mark.parametrize("gap_m", [0.5, 5.0])
def test_slivers_on_the_seam(gap_m):
    """A gap along 180° counts as shared within the tolerance, as anywhere."""
    gap = gap_m / 111_320
    west, east = shapely.box(179, 0, 180 - gap, 1), shapely.box(-180, 0, -179, 1)
    edges = contiguity_edges(unwrapped(np.array([west, east])), ["e", "w"], sliver_tolerance_m=1.0)
    assert len(edges) == (1 if gap_m < 1 else 0)


def test_bridges_take_the_short_way():
    west, east = shapely.box(178, 51, 179, 52), shapely.box(-179, 51, -178, 52)
    shapes = unwrapped(np.array([west, east]))
    bridges = bridge_edges(shapes, ["e", "w"], contiguity_edges(shapes, ["e", "w"]))
    assert bridges["gap_km"].tolist() == pytest.approx([distance_km([(-1, 52)], [(1, 52)])[0]], rel=1e-3)
    assert bridges["distance_km"].iloc[0] == pytest.approx(distance_km([(-1.5, 51.5)], [(1.5, 51.5)])[0], rel=1e-3)


def test_a_bridge_over_the_pacific_is_drawn_over_the_pacific():
    """The window begins with California and ends with Japan, and the short way leads out of it."""
    corners = [(140, 35), (-122, 37), (75, 20), (0, 45), (-71, 42)]
    shapes = unwrapped(np.array([shapely.box(west, south, west + 1, south + 1) for west, south in corners]))
    edges = pd.DataFrame({"from_unit": ["j"], "to_unit": ["u"], "kind": ["bridge"]})
    line = edge_lines(edges, ["j", "u", "i", "e", "b"], unit_centres(shapes))[0]
    assert line.length == pytest.approx(98, abs=0.5)
    assert cut_at_seam(line).geom_type == "MultiLineString"


def test_lines_of_edges_take_the_short_way_and_barriers_close_them():
    shapes = unwrapped(cut(across()))
    edges = contiguity_edges(shapes, IDS)
    centres = unit_centres(shapes)
    lines = edge_lines(edges, IDS, centres, shapes)
    assert shapely.length(lines).max() < 2
    for river in ("LINESTRING(180 64.1, 180 64.4)", "LINESTRING(-180 64.1, -180 64.4)"):
        closed = close_crossed(edges, IDS, centres, [shapely.from_wkt(river)], shapes)
        shut = closed[~closed["open"]]
        assert set(zip(shut["from_unit"], shut["to_unit"])) == {("E", "F")}


def test_overlaps_across_the_seam():
    one, other = shapely.box(179, 0, 181, 1), shapely.box(180.5, 0, 182.5, 1)
    found = overlapping_units(unwrapped(cut(np.array([one, other]))), ["a", "b"])
    assert found["share"].tolist() == pytest.approx([0.25])


@pytest.mark.parametrize("lon", [179.9, -179.9, 180.0, -180.0])
def test_points_are_found_in_units_across(lon):
    shapes = unwrapped(cut(across()))
    points = np.array([shapely.Point(lon, 64.7), shapely.Point(10, 64.7)])
    point, polygon = match_inside(points, shapes)
    assert (point.tolist(), polygon.tolist()) == ([0], [1])
    placed = locate_providers(None, IDS, points=points, polygons=shapes)
    assert placed["unit"].tolist() == [1, -1]
    assert placed["method"].tolist() == ["inside", ""]


def test_the_nearest_unit_may_lie_across():
    unit = np.array([shapely.box(179, 0, 179.99, 1)])
    placed = locate_providers(None, ["u"], points=np.array([shapely.Point(-179.99, 0.5)]), polygons=unit)
    assert placed["method"].tolist() == ["nearest"]


# --- windows


def test_ordinary_maps_are_left_alone():
    shapes = np.array([shapely.box(-100, 30, -99, 31), shapely.box(20, 30, 21, 31), None], dtype=object)
    assert unwrapped(shapes) is shapes
    assert not crosses(shapes)
    assert unwrapped(np.array([], dtype=object)).size == 0


def test_the_window_begins_behind_the_widest_gap():
    """Maine, Hawaii, the Aleutians on both sides, Guam: all lie west of Maine."""
    parts = [(-70, -67), (-160, -155), (-180, -166), (172, 180), (144, 145)]
    shapes = unwrapped(np.array([shapely.box(west, 20, east, 25) for west, east in parts]))
    bounds = shapely.bounds(shapes)[:, [0, 2]].tolist()
    assert bounds == [[-70, -67], [-160, -155], [-180, -166], [-188, -180], [-216, -215]]


def test_a_unit_on_both_sides_of_a_map_of_the_world_has_a_window_of_its_own():
    world = [shapely.box(west, 10, west + 30, 20) for west in range(-180, 180, 30)]
    corner = shapely.Polygon([(177, -18), (181, -18), (181, -16), (180.5, -16)])
    shapes = unwrapped(np.array([*world, cut_at_seam(corner)]))
    expected = unit_centres([moved(corner, -180)])[0] + (180, 0)
    assert unit_centres(shapes)[-1] == pytest.approx(expected.tolist(), abs=1e-4)
    assert shapes[-1].geom_type == "Polygon"
    assert contiguity_edges(shapes, [f"u{at:02d}" for at in range(13)])["border_m"].gt(0).sum() == 12


def test_edges_along_a_whole_parallel_are_none_across():
    cap = shapely.box(-180, -90, 180, -70)
    assert without_jumps(cap) is cap


def test_a_ring_round_the_pole_is_closed_over_it():
    ring = shapely.Polygon([(lon, 80.0) for lon in (0, 60, 120, 180, -120, -60)])
    polar = unwrapped(np.array([ring]), projected=True)
    assert polar[0].bounds[3] == 90
    assert polar[0].area == pytest.approx(3600)
    assert unit_centres(polar)[0, 1] > 89.99


def test_cuts_a_little_beside_the_seam_are_mended():
    """Nine decimals, as other projections leave them."""
    parts = [shapely.box(179, 0, 179.999999998, 1), shapely.box(-179.999999998, 0, -179, 1)]
    found = unwrapped(np.array([shapely.MultiPolygon(parts)]))[0]
    assert found.equals(shapely.box(179, 0, 181, 1))


def test_holes_go_with_their_shell():
    shape = shapely.box(179, 0, 181, 2) - shapely.box(180.2, 0.5, 180.8, 1)
    found = unwrapped(wrapped(np.array([shape])), projected=True)[0]
    assert found.equals(shape)


def test_back_to_what_files_hold():
    whole = across()[1]
    pieces = cut_at_seam(whole)
    assert pieces.geom_type == "MultiPolygon" and len(pieces.geoms) == 2
    assert np.abs(pieces.bounds).max() == 180
    assert pieces.area == pytest.approx(whole.area)
    line = cut_at_seam(shapely.LineString([(179, 0), (181, 0)]))
    assert line.equals(shapely.from_wkt("MULTILINESTRING((179 0, 180 0), (-180 0, -179 0))"))
    assert normal([181.0, -181.0, 180.0, -180.0, 12.5]).tolist() == [-179.0, 179.0, 180.0, -180.0, 12.5]


# --- high latitudes


@pytest.mark.parametrize(("south", "height", "width"), [(68, 4, 12), (51, 3, 22), (80, 5, 40)])
def test_centres_of_large_units_are_those_on_the_ground(south, height, width):
    """Against a sum over small cells, each weighing its area, on the sphere."""
    lon, lat = np.meshgrid(np.linspace(-width / 2, width / 2, 401), np.linspace(south, south + height, 401))
    weight = np.cos(np.radians(lat)).ravel()
    xyz = np.column_stack([
        np.cos(np.radians(lat.ravel())) * np.cos(np.radians(lon.ravel())),
        np.cos(np.radians(lat.ravel())) * np.sin(np.radians(lon.ravel())),
        np.sin(np.radians(lat.ravel())),
    ])  # fmt: skip
    mean = (weight[:, None] * xyz).sum(axis=0)
    expected = np.degrees(np.arctan2(mean[2], np.hypot(mean[0], mean[1])))
    found = unit_centres([shapely.box(150 - width / 2, south, 150 + width / 2, south + height)])[0]
    size_km = 111 * max(height, width * np.cos(np.radians(south)))
    assert found[0] == pytest.approx(150)
    assert 111 * abs(found[1] - expected) < 0.005 * size_km
