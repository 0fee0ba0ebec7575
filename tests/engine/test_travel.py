"""Travel from tables and over roads: each row of a table accounted for, the quickest ways those of networkx."""

import networkx as nx
import numpy as np
import pandas as pd
import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from healthcare_territories.territory_plugin.engine.geodesy import distance_km
from healthcare_territories.territory_plugin.engine.progress import Cancelled
from healthcare_territories.territory_plugin.engine.travel import (
    FILLED,
    REVERSED,
    TABLE,
    RoadGraph,
    TravelTimes,
    read_travel,
)

# A - B - C - D on a meridian, 0.1° (11.1 km) apart
UNITS = ["00501", "10002", "10003", "10004"]
LONLAT = np.array([[-100, 40 + at / 10] for at in range(4)])
A, B, C, D = range(4)
STEP_KM = float(distance_km(LONLAT[:1], LONLAT[1:2])[0])


def table(*rows):
    return pd.DataFrame(rows, columns=["origin", "destination", "minutes"])


def test_a_pair_known_one_way_counts_both_ways_and_its_own_way_first():
    times = read_travel(table(("10002", "10003", 20), ("10003", "10004", 30), ("10004", "10003", 50)), UNITS, LONLAT)
    minutes, way = times.between([B, C, C, D], [C, B, D, C])
    assert minutes.tolist() == [20, 20, 30, 50]
    assert way.tolist() == [TABLE, REVERSED, TABLE, TABLE]


def test_zips_as_files_write_them_and_rows_in_any_order():
    """501 and 501.0 are 00501; the fewest minutes of a pair that is there three times count."""
    rows = [(501, "10002", 15), ("501.0", 10002.0, 12), ("00501-1234", "10002", 99), ("10003", "00501", 40)]
    for order in (rows, rows[::-1]):
        times = read_travel(table(*order), UNITS, LONLAT)
        assert times.between(A, [B, C])[0].tolist() == [12, 40]
        assert times.report.repeated_rows == 2
        assert times.report.used == 2


def test_what_is_no_travel_between_units_is_counted():
    report = read_travel(
        table(
            ("00501", "10002", 10), ("77777", "10002", 5), ("10002", None, 5), ("10002", "10002", 3),
            ("10003", "10004", None), ("10004", "10003", "soon"), ("10003", "10002", -1),
        ),
        UNITS, LONLAT,
    ).report  # fmt: skip
    assert (report.rows, report.used, report.unknown_rows, report.own_rows, report.unread_rows) == (7, 1, 2, 1, 3)
    assert report.unknown == ("77777", "None")
    said = "\n".join(report.messages())
    for part in ("7 rows give the minutes of 1 pair of units", "77777", "3 rows have no minutes", "a unit to itself"):
        assert part in said


def test_a_missing_pair_takes_the_median_of_the_table_by_straight_distance():
    """Two pairs at 2 minutes a km and one at 9: the median is 2, so A to D, 33.3 km, takes 66.6 minutes."""
    times = read_travel(
        table(("00501", "10002", 2 * STEP_KM), ("10002", "10003", 2 * STEP_KM), ("10003", "10004", 9 * STEP_KM)),
        UNITS, LONLAT,
    )  # fmt: skip
    assert times.report.minutes_per_km == pytest.approx(2)
    minutes, way = times.between(A, [A, C, D])
    assert minutes == pytest.approx([0, 4 * STEP_KM, 6 * STEP_KM], rel=1e-4)
    assert way.tolist() == [TABLE, FILLED, FILLED]
    stated = read_travel(table(("00501", "10002", 10)), UNITS, LONLAT, minutes_per_km=1.5)
    assert stated.between(A, C)[0] == pytest.approx(3 * STEP_KM, rel=1e-4)
    assert any("as given" in text for text in stated.report.messages())


def test_what_a_table_with_a_limit_lacks_lies_beyond_it():
    """Across the river it is far: the table ends at 60 minutes and has no such pair."""
    times = read_travel(table(("00501", "10002", STEP_KM)), UNITS, LONLAT, beyond=60)
    assert times.between(B, C)[0] == 60
    assert times.between(A, B)[0] == pytest.approx(STEP_KM)


def test_matrix_of_homes_and_what_was_missing():
    times = read_travel(table(("R1", "10002", 15), ("10002", "10003", 20)), UNITS, LONLAT,
                        aliases={"R1": "00501", "R9": "99999"})  # fmt: skip
    matrix = times.matrix([A, C])
    assert matrix.minutes.shape == matrix.way.shape == (4, 2)
    assert matrix.minutes[:3, 0].tolist()[:2] == [0, 15]
    assert matrix.minutes[B, 1] == 20
    assert matrix.way.tolist() == [[TABLE, FILLED], [TABLE, REVERSED], [FILLED, TABLE], [FILLED, FILLED]]
    assert matrix.filled == 4
    assert "Of 8 pairs of home and unit 4 were missing" in matrix.message()


def test_reach_by_minutes_and_radius():
    times = read_travel(table(("00501", "10002", 20), ("00501", "10003", 90)), UNITS, LONLAT, minutes_per_km=1)
    assert times.reach([A], minutes=60)[:, 0].tolist() == [True, True, False, True]
    assert times.reach([A], km=25)[:, 0].tolist() == [True, True, True, False]
    assert times.reach([A], minutes=60, km=25)[:, 0].tolist() == [True, True, False, False]
    assert times.reach([A, D], km=12).sum(axis=0).tolist() == [2, 2]


def test_without_a_table():
    times = TravelTimes.straight(LONLAT, 2)
    assert times.between(A, B)[0] == pytest.approx(2 * STEP_KM)
    assert times.matrix([A]).filled == 3


def test_a_table_of_other_ids_is_refused():
    with pytest.raises(TerritoryError) as caught:
        read_travel(table(("x", "y", 1), ("00501", "x", 2)), UNITS, LONLAT)
    assert "00501, 10002, 10003" in str(caught.value)
    assert "x" in str(caught.value)


# --- roads


def roads(graph):
    edges = np.array([(a, b, data["minutes"], data["km"]) for a, b, data in graph.edges(data=True)])
    ends = edges[:, :2].astype(int)
    return RoadGraph(ends[:, 0], ends[:, 1], edges[:, 2], edges[:, 3], graph.number_of_nodes())


@pytest.mark.parametrize("seed", range(5))
def test_quickest_ways_are_those_of_networkx(seed):
    """Random one-way streets, some doubled: minutes as Dijkstra's, km those of a quickest way."""
    rng = np.random.default_rng(seed)
    graph = nx.MultiDiGraph()
    graph.add_nodes_from(range(120))
    for a, b in rng.integers(0, 120, (420, 2)).tolist():
        graph.add_edge(a, b, minutes=float(rng.uniform(0.1, 5)), km=float(rng.uniform(0.1, 5)))
    some = np.array([0, 7, 7, 50])
    found = list(roads(graph).quickest(some, np.arange(120), limit=12.0))
    assert [number for number, *_ in found] == [0, 1, 2, 3]
    for number, minutes, km in found:
        expected, ways = nx.single_source_dijkstra(graph, int(some[number]), cutoff=12.0, weight="minutes")
        assert set(np.flatnonzero(np.isfinite(minutes))) == set(expected) == set(np.flatnonzero(np.isfinite(km)))
        for end, way in ways.items():
            assert minutes[end] == pytest.approx(expected[end])
            length = sum(
                min(graph[a][b].values(), key=lambda data: data["minutes"])["km"] for a, b in zip(way, way[1:])
            )
            assert km[end] == pytest.approx(length)


def test_an_edge_of_no_length_joins():
    graph = RoadGraph(np.array([0, 1]), np.array([1, 2]), np.array([0.0, 2.0]), np.array([0.0, 3.0]), 3)
    ((_, minutes, km),) = graph.quickest(np.array([0]), np.array([0, 1, 2]))
    assert minutes == pytest.approx([0, 0, 2], abs=1e-6)
    assert km.tolist() == [0, 0, 3]


def test_cancelled():
    graph = RoadGraph(np.array([0]), np.array([1]), np.array([1.0]), np.array([1.0]), 2)
    with pytest.raises(Cancelled):
        list(graph.quickest(np.array([0]), np.array([1]), cancelled=lambda: True))
