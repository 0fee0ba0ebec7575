"""Neighbours are told apart by everybody: measured with CIEDE2000, for four visions, at the opacity that is drawn."""

from __future__ import annotations

import itertools

import networkx as nx
import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine import colours, measures

from .test_measures import wide_map

OLD = ("#3b8ea5", "#e0a458", "#7a9e5f", "#b5697a", "#6f7fb5", "#c9b24a", "#4fa08b", "#9c7bb0")


def least(palette, opacity, vision=None):
    """Return the smallest difference between two colours of a palette, for one vision or for the worst."""
    if vision is None:
        apart = colours.apart(palette, opacity)
    else:
        seen = colours.as_seen(colours.over_white(colours.rgb(palette), opacity), vision)
        apart = colours.difference(seen[:, None], seen[None])
    return apart[np.triu_indices(len(palette), 1)].min()


@pytest.mark.parametrize(
    ("one", "other", "far"),
    [
        ((50, 2.6772, -79.7751), (50, 0, -82.7485), 2.0425),
        ((50, 2.5, 0), (50, 0, -2.5), 4.3065),
        ((50, 2.5, 0), (73, 25, -18), 27.1492),
        ((50, -1, 2), (50, 0, 0), 2.3669),
        ((60.2574, -34.0099, 36.2677), (60.4626, -34.1751, 39.4387), 1.2644),
        ((22.7233, 20.0904, -46.6940), (23.0331, 14.9730, -42.5619), 2.0373),
        ((2.0776, 0.0795, -1.1350), (0.9033, -0.0636, -0.5514), 0.9082),
    ],
)
def test_the_difference_is_that_of_the_published_pairs(one, other, far):
    """Sharma, Wu & Dalal (2005), table 1."""
    found = colours.difference(np.array(one, dtype=float), np.array(other, dtype=float))
    assert found == pytest.approx(far, abs=1e-4)
    assert colours.difference(np.array(other, dtype=float), np.array(one, dtype=float)) == pytest.approx(far, abs=1e-4)


def test_white_is_white_to_everybody():
    for vision in colours.VISIONS:
        assert colours.as_seen(np.ones((1, 3)), vision)[0] == pytest.approx([100, 0, 0], abs=0.05)


def test_red_and_green_are_near_each_other_without_red_or_green_cones():
    pair = ("#b05a3c", "#6f7a3a")
    near = {vision: least(pair, 1, vision) for vision in colours.VISIONS}
    assert near["deuteranopia"] < near["normal"] / 2
    assert near["tritanopia"] > near["deuteranopia"]


@pytest.mark.parametrize("vision", colours.VISIONS)
@pytest.mark.parametrize("opacity", [1.0, colours.OPACITY])
def test_no_two_colours_of_the_palette_look_alike(vision, opacity):
    assert least(colours.PALETTE, opacity, vision) > 9.5
    assert least(colours.PALETTE[:5], opacity, vision) > 16


def test_the_palette_before_was_not_safe():
    assert least(OLD, 1) < 2


@pytest.mark.parametrize("seed", range(6))
def test_neighbours_on_a_map_differ_most(seed):
    graph, territory, names = wide_map(seed)
    colour = measures.colour_classes(graph, territory, names)
    drawn = colours.apart()
    far = [
        drawn[colour[territory[u]], colour[territory[v]]] for u, v in graph.edges if territory[u] != territory[v]
    ]  # fmt: skip
    assert min(far) > 16
    assert len(set(colour.values())) >= 5  # and the map is no two-coloured one


def test_two_neighbours_have_colours_far_from_each_other():
    graph = nx.path_graph(2)
    colour = measures.colour_classes(graph, ["A", "B"], ["A", "B"])
    assert colours.apart()[colour["A"], colour["B"]] > 16
    assert all(a != b for a, b in itertools.combinations(colour.values(), 2))
