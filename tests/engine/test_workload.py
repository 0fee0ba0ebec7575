"""What a provider weighs: specialty, practice size, and several measures in one number."""

from __future__ import annotations

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine import workload
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from hypothesis import given, settings
from hypothesis import strategies as st

#            pattern               weight   fits
WEIGHTS = {
    "207XS0114X": 5.0,  #                   this code alone
    "207XS": 4.0,  #                        207XS0106X, 207XS0117X, …
    "207X*": 3.0,  #                        207X00000X, …
    "Physical Therapist": 2.0,  #           classification
    "*": 0.5,  #                            all others
}


def weigh(specialties, classifications=None, table=WEIGHTS):
    return workload.specialty_weights(specialties, list(table), list(table.values()), classifications)


@pytest.mark.parametrize(
    ("specialty", "classification", "pattern"),
    [
        ("207XS0114X", None, "207XS0114X"),
        ("207XS0106X", None, "207XS"),
        ("207X00000X", None, "207X*"),
        ("225100000X", "Physical Therapist", "Physical Therapist"),
        ("225100000X", None, "*"),
        ("Physical Therapist", None, "Physical Therapist"),
        (None, "Physical Therapist", "Physical Therapist"),
        (None, None, "*"),
        ("", "", "*"),
        # code and prefix win over the classification
        ("207X00000X", "Physical Therapist", "207X*"),
        # capitals and blanks do not matter
        (" 207xs0114x ", None, "207XS0114X"),
        ("225100000X", " physical THERAPIST", "Physical Therapist"),
    ],
)
def test_the_most_specific_pattern_wins(specialty, classification, pattern):
    found = weigh([specialty], [classification])
    assert found["pattern"][0] == pattern
    assert found["weight"][0] == WEIGHTS[pattern]


def test_the_order_of_the_table_does_not_matter():
    specialties = ["207XS0114X", "207XS0106X", "207X00000X", "225100000X", None]
    turned = dict(reversed(WEIGHTS.items()))
    assert weigh(specialties)["weight"].tolist() == weigh(specialties, table=turned)["weight"].tolist()
    assert weigh(specialties)["weight"].tolist() == [5, 4, 3, 0.5, 0.5]


def test_what_no_pattern_fits_has_no_weight():
    found = weigh(["225100000X", None, "207X00000X"], table={"207X": 3.0})
    assert found["pattern"].tolist() == [None, None, "207X"]
    assert np.isnan(found["weight"][:2]).all()


def test_a_weight_of_zero_is_a_match_and_not_a_gap():
    found = weigh(["207X00000X"], table={"207X": 0})
    assert found["pattern"].tolist() == ["207X"]
    assert found["weight"].tolist() == [0.0]


def test_no_provider_and_no_pattern():
    assert len(weigh([])) == 0
    found = weigh(["207X00000X"], table={})
    assert found["pattern"].tolist() == [None]


@settings(deadline=None)
@given(
    st.lists(st.text("2071XS", max_size=6), max_size=12),
    st.dictionaries(st.text("2071XS", min_size=1, max_size=5), st.floats(0, 100), max_size=8),
)
def test_prefixes_agree_with_a_plain_search(specialties, table):
    expected = []
    for specialty in specialties:
        fitting = [pattern for pattern in table if specialty and specialty.startswith(pattern)]
        expected.append(max(fitting, key=len, default=None))
    assert weigh(specialties, table=table)["pattern"].tolist() == expected


@pytest.mark.parametrize(
    ("table", "said"),
    [
        ([("207X", 1), ("", 2)], "empty pattern"),
        ([("207X", 1), (None, 2)], "empty pattern"),
        ([("207X", 1), ("207x", 2)], "207x"),
        ([("207X", 1), ("207X*", 2)], r"207X\*"),
        ([("207X", -1)], "207X"),
        ([("207X", float("nan"))], "207X"),
        ([("207X", float("inf"))], "207X"),
        ([("207X", "heavy")], "207X"),
        ([("207X", None)], "207X"),
    ],
)
def test_weights_that_cannot_be_used_are_named(table, said):
    patterns, weights = zip(*table)
    with pytest.raises(TerritoryError, match=said):
        workload.specialty_weights(["207X00000X"], patterns, weights)


def test_weights_written_as_text_are_numbers():
    assert weigh(["207X00000X"], table={"207X": "2.5"})["weight"].tolist() == [2.5]


# --- practice size

SIZES = np.array([1.0, 4.0, 25.0, 100.0])


@pytest.mark.parametrize(
    ("scale", "factors"),
    [
        ("none", [1, 1, 1, 1]),
        ("linear", [1, 4, 25, 100]),
        ("sqrt", [1, 2, 5, 10]),
        ("log", [1, 1 + np.log(4), 1 + np.log(25), 1 + np.log(100)]),
    ],
)
def test_size_scales(scale, factors):
    found, missing = workload.size_factor(SIZES, scale)
    assert found == pytest.approx(factors)
    assert not missing.any()


def test_bands_take_the_last_one_that_the_size_reaches():
    """
    size    <3    3…9   10…49   ≥50
    factor   1   1.5     2.5      4
    """
    bands = [(1, 1), (3, 1.5), (10, 2.5), (50, 4)]
    sizes = np.array([0.5, 1, 2.99, 3, 9.99, 10, 49, 50, 1000])
    found, _ = workload.size_factor(sizes, "bands", bands=bands)
    assert found.tolist() == [1, 1, 1, 1.5, 1.5, 2.5, 2.5, 4, 4]


@pytest.mark.parametrize("bands", [[], [(3, 1), (1, 2)], [(1, 1), (1, 2)], [(1, -1)], [(float("nan"), 1), (2, 2)]])
def test_bands_that_make_no_sense_are_refused(bands):
    with pytest.raises(TerritoryError, match=r"[Bb]ands"):
        workload.size_factor(SIZES, "bands", bands=bands)


@pytest.mark.parametrize("scale", ["linear", "sqrt", "log"])
@given(cap=st.floats(1, 200), sizes=st.lists(st.floats(1, 1e4), min_size=1, max_size=20))
@settings(max_examples=30, deadline=None)
def test_factors_rise_with_size_up_to_the_cap(scale, cap, sizes):
    sizes = np.sort(sizes)
    found, _ = workload.size_factor(sizes, scale, cap=cap)
    assert (np.diff(found) >= 0).all()
    most = workload.size_factor(np.array([cap]), scale)[0][0]
    assert found.max() <= most * (1 + 1e-12)
    assert found[sizes >= cap] == pytest.approx(most)
    free, _ = workload.size_factor(sizes, scale)
    assert found[sizes <= cap] == pytest.approx(free[sizes <= cap])


@pytest.mark.parametrize("cap", [0, -1, float("nan")])
def test_a_cap_must_be_above_zero(cap):
    with pytest.raises(TerritoryError, match="cap"):
        workload.size_factor(SIZES, "sqrt", cap=cap)


@pytest.mark.parametrize(
    ("missing", "stands_in"),
    [("one", 1.0), ("median", 9.0), ("zero", 0.0)],
)
def test_sizes_that_are_missing(missing, stands_in):
    """NaN, zero and negative sizes are missing; the median is that of the known sizes."""
    sizes = np.array([4.0, np.nan, 9.0, 0.0, 400.0, -3.0])
    found, absent = workload.size_factor(sizes, "linear", missing=missing)
    assert absent.tolist() == [False, True, False, True, False, True]
    assert found.tolist() == [4, stands_in, 9, stands_in, 400, stands_in]


def test_a_median_of_nothing_counts_as_one():
    found, absent = workload.size_factor(np.array([np.nan, 0.0]), "sqrt", missing="median")
    assert absent.all()
    assert found.tolist() == [1.0, 1.0]


@pytest.mark.parametrize("scale", workload.SIZE_SCALES)
def test_no_scale_gives_a_negative_factor(scale):
    """A practice of a tenth of a clinician: 1 + ln(0.1) would be below zero."""
    found, _ = workload.size_factor(np.array([0.1, 1e-9]), scale, bands=[(1, 1)])
    assert (found >= 0).all()


def test_no_providers():
    for scale in workload.SIZE_SCALES:
        found, absent = workload.size_factor(np.array([]), scale, bands=[(1, 1)], missing="median")
        assert len(found) == len(absent) == 0


# --- several measures in one


def test_composite_index_is_the_fields_formula():
    """60 % workload, 10 % sales, 30 % potential, each divided by its mean."""
    values = np.array([[1.0, 200, 5], [3.0, 0, 5], [2.0, 100, 20]])
    found = workload.composite_index(values, ["workload", "sales", "potential"], [60, 10, 30])
    assert found == pytest.approx([0.6 * 1 / 2 + 0.1 * 2 + 0.3 * 0.5, 0.6 * 3 / 2 + 0.3 * 0.5, 0.6 + 0.1 + 0.3 * 2])
    assert found.mean() == pytest.approx(1)


@settings(deadline=None)
@given(st.data())
def test_composite_index_properties(data):
    m, n = data.draw(st.integers(1, 4)), data.draw(st.integers(1, 20))
    value = st.floats(0, 1e6).map(lambda x: round(x, 3))
    values = np.array(data.draw(st.lists(st.lists(value, min_size=m, max_size=m), min_size=n, max_size=n)))
    values[0] += 1  # no measure is nothing but zero
    shares = data.draw(st.lists(st.floats(0.01, 100), min_size=m, max_size=m))
    names = [f"measure {at}" for at in range(m)]
    found = workload.composite_index(values, names, shares)
    assert found.mean() == pytest.approx(1)
    assert (found >= 0).all()
    # neither the unit of a measure nor the scale of the shares matters
    assert workload.composite_index(values * 1000, names, [7 * s for s in shares]) == pytest.approx(found)
    if m == 1:
        assert found == pytest.approx(values[:, 0] / values[:, 0].mean())


def test_equal_shares_are_the_default():
    values = np.array([[1.0, 4.0], [3.0, 4.0]])
    expected = [(0.5 + 1) / 2, (1.5 + 1) / 2]
    for shares in (None, [], [5, 5]):
        assert workload.composite_index(values, ["a", "b"], shares) == pytest.approx(expected)


def test_missing_values_count_as_nothing_or_as_the_mean():
    values = np.array([[2.0], [4.0], [np.nan]])
    assert workload.composite_index(values, ["a"]) == pytest.approx([2 / 3, 4 / 3, 0])
    assert workload.composite_index(values, ["a"], missing="mean") == pytest.approx([2 / 3, 4 / 3, 1])


@pytest.mark.parametrize("column", [[-1.0, 2.0], [0.0, 0.0], [np.nan, np.nan]])
def test_measures_that_cannot_be_mixed_are_named(column):
    values = np.column_stack([[1.0, 2.0], column])
    with pytest.raises(TerritoryError, match="sales"):
        workload.composite_index(values, ["workload", "sales"])


@pytest.mark.parametrize("shares", [[1], [1, 2, 3], [-1, 2], [0, 0], [float("nan"), 1], [float("inf"), 1]])
def test_shares_that_do_not_fit_are_refused(shares):
    with pytest.raises(TerritoryError, match="workload, sales"):
        workload.composite_index(np.ones((3, 2)), ["workload", "sales"], shares)


# --- composite index by rank and between minimum and maximum; segments and calls; spread


def test_scales_of_the_composite_index():
    values = np.array([[1.0], [3.0], [8.0], [np.nan]])
    assert workload.composite_index(values, ["x"], scale="mean") == pytest.approx([0.25, 0.75, 2, 0])
    assert workload.composite_index(values, ["x"], scale="rank") == pytest.approx([0.5, 1, 1.5, 0])
    # places 0, 2/7 and 1, whose mean is 3/7
    assert workload.composite_index(values, ["x"], scale="minmax") == pytest.approx([0, 2 / 3, 7 / 3, 0])
    ties = workload.composite_index(np.array([[2.0], [2.0], [4.0]]), ["x"], scale="rank")
    assert ties == pytest.approx([0.75, 0.75, 1.5])


def test_a_cap_at_a_percentile():
    values = np.array([[1.0], [2.0], [3.0], [100.0]])
    capped = np.minimum(values, np.percentile(values, 75))
    expected = workload.composite_index(capped, ["x"])
    assert workload.composite_index(values, ["x"], cap_percentile=75) == pytest.approx(expected)
    with pytest.raises(TerritoryError, match="percentile"):
        workload.composite_index(np.array([[0.0], [0.0], [5.0]]), ["x"], cap_percentile=50)
    with pytest.raises(TerritoryError, match="same"):
        workload.composite_index(np.array([[5.0], [5.0]]), ["x"], scale="minmax")


@given(
    st.lists(st.lists(st.floats(0, 1e6), min_size=2, max_size=2), min_size=2, max_size=30),
    st.sampled_from(["mean", "rank"]),
)
def test_the_average_provider_is_1_on_every_scale(rows, scale):
    values = np.array(rows)
    if (values.max(axis=0) > 1e-3).all():
        assert workload.composite_index(values, ["x", "y"], [60, 40], scale=scale).mean() == pytest.approx(1)


@given(st.lists(st.floats(0, 100), max_size=40))
def test_a_better_provider_is_never_in_a_worse_segment(potential):
    potential = np.array(potential)
    found = workload.segments(potential, ["A", "B", "C"], [20, 30, 50])
    assert all((name is None) == (value == 0) for name, value in zip(found, potential))
    for one, name in zip(potential, found):
        for other, second in zip(potential, found):
            assert name is None or second is None or one <= other or name <= second


def test_shares_of_segments():
    found = workload.segments(np.arange(1.0, 101), ["A", "B", "C"], [20, 30, 50])
    assert [int((found == name).sum()) for name in "ABC"] == [20, 30, 50]


def test_hours_of_calls():
    calls, minutes, hours = workload.call_plan(["A", None, "B"], [("A", 24, 30), ("B", "12", 20)])
    assert (calls.tolist(), minutes.tolist(), hours.tolist()) == ([24, 0, 12], [30, 0, 20], [12, 0, 4])


@pytest.mark.parametrize(
    ("plan", "said"),
    [
        ([], "empty"),
        ([("A", 1, 1)], "no row for the segments B"),
        ([("A", 1, 1), ("A", 2, 2)], "one row for each"),
        ([("A", -1, 1)], "at least 0"),
        ([("A", "often", 1)], "often"),
    ],
)
def test_call_plans_that_cannot_be_used(plan, said):
    with pytest.raises(TerritoryError, match=said):
        workload.call_plan(["A", "B"], plan)


def test_spread_of_a_workload():
    heavy = np.r_[np.ones(198), 51.0, 51.0, np.zeros(50)]
    found = workload.spread(heavy)
    assert (found.providers, found.targets, found.total, found.largest) == (250, 200, 300, 51)
    assert found.top_1_pct == pytest.approx(34)
    assert found.top[:2] == [198, 199]
    assert workload.spread(np.ones(10)).gini == pytest.approx(0)
    assert 0.3 < found.gini < 1
    assert workload.spread(np.zeros(3)).top == []
