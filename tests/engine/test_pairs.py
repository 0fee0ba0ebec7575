"""One label for each pair of territories, where most of what moves between them lies."""

import pandas as pd
from healthcare_territories.territory_plugin.engine.pairs import bearers


def moves(*rows):
    return pd.DataFrame(rows, columns=["unit", "from_territory", "to_territory", "workload"]).astype(
        {"workload": float}
    )


def test_each_pair_is_labelled_once_at_the_unit_in_the_middle():
    """Three units in a row go from A to B, one from B to A, one that nobody had to B."""
    table = moves(("1", "A", "B", 1), ("2", "A", "B", 2), ("3", "A", "B", 1), ("4", "B", "A", 9), ("5", None, "B", 3))
    places = {"1": (0, 40), "2": (1, 40), "3": (2, 40), "4": (5, 40), "5": (6, 40)}
    assert bearers(table, places) == {
        "4": ("B → A\n1 ZIP", 9.0),
        "2": ("A → B\n3 ZIPs", 4.0),
        "5": ("nobody → B\n1 ZIP", 3.0),
    }
    assert list(bearers(table, places)) == ["4", "2", "5"]


def test_nothing_moves():
    assert bearers(moves(), {}) == {}
