"""Territories broken down: shares add up, the index tells what is over-represented, nothing is lost."""

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.territory_plugin.engine.breakdown import break_down


def test_by_hand():
    """
    North: two surgeons (office 10, 30) and a therapist (0); South: one surgeon (office 40), three therapists (20 each).
    """
    territory = ["N", "N", "N", "S", "S", "S", "S"]
    specialty = ["surgeon", "surgeon", "therapist", "surgeon", "therapist", "therapist", "therapist"]
    office = np.array([10.0, 30, np.nan, 40, 20, 20, 20])
    table = break_down(territory, {"specialty": specialty}, {"office": office}).set_index(
        ["territory", "measure", "category"]
    )
    assert table.loc[("N", "providers", "surgeon"), "value"] == 2
    assert table.loc[("N", "providers", "surgeon"), "share_pct"] == pytest.approx(200 / 3)
    assert table.loc[("N", "providers", "surgeon"), "share_index"] == pytest.approx(100 * (2 / 3) / (3 / 7))
    assert table.loc[("S", "office", "therapist"), "value"] == 60
    assert table.loc[("S", "office", "therapist"), "share_index"] == pytest.approx(100 * 0.6 / (60 / 140))
    assert table.loc[("N", "office", "therapist"), "share_pct"] == 0


def test_totals_in_are_totals_out():
    rng = np.random.default_rng(2)
    territory = rng.choice(np.array(["A", "B", None], dtype=object), 500)
    by = {"x": rng.choice(np.array(["p", "q", None], dtype=object), 500), "y": rng.choice(["r", "s"], 500)}
    value = rng.random(500)
    table = break_down(territory, by, {"value": value})
    for name, total in (("providers", 500), ("value", value.sum())):
        rows = table[table["measure"] == name]
        assert rows.groupby("by")["value"].sum().tolist() == pytest.approx([total, total])
        shares = rows.fillna({"territory": "-"}).groupby(["territory", "by"])["share_pct"].sum()
        assert shares.tolist() == pytest.approx([100] * 6)
    frame = pd.DataFrame({"t": territory, "x": by["x"], "value": value})
    expected = frame[frame["t"] == "A"].groupby("x")["value"].sum()
    mine = table[(table["territory"] == "A") & (table["by"] == "x") & (table["measure"] == "value")]
    assert mine.set_index("category")["value"].drop("(none)").sort_index().tolist() == pytest.approx(expected.tolist())
    assert table["territory"].isna().any()
    assert table["territory"].iloc[-1] is None


def test_a_territory_without_any_of_a_measure_has_no_share():
    table = break_down(["A", "B"], {"x": ["p", "q"]}, {"value": np.array([0.0, 1.0])})
    row = table[(table["territory"] == "A") & (table["measure"] == "value")].iloc[0]
    assert np.isnan(row["share_pct"])
