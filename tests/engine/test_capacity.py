"""How many territories a market needs: the average must keep the limits and come near the target."""

from __future__ import annotations

import math

import pytest
from healthcare_territories.territory_plugin.engine.capacity import Capacity, within
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from hypothesis import given
from hypothesis import strategies as st

amounts = st.floats(0.1, 1e6, allow_nan=False)


def test_twenty_reps_for_five_thousand():
    assert Capacity(250, 220, 280).territories(5000) == 20


def test_the_maximum_asks_for_one_more():
    assert Capacity(300, maximum=300).territories(1000) == 4


def test_the_minimum_asks_for_one_less():
    assert Capacity(300, minimum=300).territories(1000) == 3


def test_a_market_between_two_numbers_is_explained():
    with pytest.raises(
        TerritoryError, match=r"No number of territories fits: 3 would hold 333\.3 each and 4 only 250\.0"
    ):
        Capacity(300, minimum=290, maximum=310).territories(1000)


@pytest.mark.parametrize("limits", [(0,), (-5,), (100, 120), (100, None, 90), (float("nan"),), (float("inf"),)])
def test_limits_that_contradict_each_other_are_refused(limits):
    with pytest.raises(TerritoryError, match="capacity"):
        Capacity(*limits)


@given(target=amounts, near=st.floats(0.01, 1e5))
def test_without_limits_no_neighbouring_number_is_nearer(target, near):
    workload = near * target
    best = Capacity(target).territories(workload)
    for other in (best - 1, best + 1):
        if other >= 1:
            assert abs(workload / best - target) <= abs(workload / other - target) * (1 + 1e-9)


@given(target=amounts, near=st.floats(0.01, 1e5), slack=st.floats(0, 0.5))
def test_the_average_keeps_the_limits_or_no_number_does(target, near, slack):
    workload = near * target
    capacity = Capacity(target, target * (1 - slack), target * (1 + slack))
    try:
        average = workload / capacity.territories(workload)
    except TerritoryError:
        for number in {max(1, math.floor(near)), math.ceil(near)}:
            assert not capacity.minimum * (1 + 1e-6) < workload / number < capacity.maximum * (1 - 1e-6)
    else:
        assert capacity.minimum * (1 - 1e-6) <= average <= capacity.maximum * (1 + 1e-6)


def test_the_tolerance_keeps_a_territory_within_the_limits():
    capacity = Capacity(400, 385, 430)
    tolerance = capacity.tolerance(401.5, 0.15)
    assert 401.5 * (1 - tolerance) >= 385 - 1e-9
    assert 401.5 * (1 + tolerance) <= 430
    assert capacity.tolerance(401.5, 0.01) == 0.01


def test_limits_of_a_given_number_narrow_the_tolerance():
    assert within(100, 10, 0.2, 9, None) == pytest.approx(0.1)
    assert within(100, 10, 0.2, None, 10.5) == pytest.approx(0.05)
    assert within(100, 10, 0.02, 9, 11) == 0.02
    assert within(100, 10, 0.2, None, None) == 0.2
    assert within(100, 10, 0.2, 0, None) == 0.2


@pytest.mark.parametrize(
    ("least", "most", "said"),
    [
        (12, None, "hold 10 each on average: not all can hold 12 or more. Ask for 8 or fewer"),
        (10, None, "Ask for 9 or fewer"), (None, 8, "hold 8 or less. Ask for 13 or more"), (None, 0, "Raise the most"),
        (None, 10, "Ask for 11 or more"), (9, 8, "is above the most"), (1e12, None, "Ask for 1 or fewer"),
    ],
)  # fmt: skip
def test_limits_that_a_given_number_cannot_keep(least, most, said):
    with pytest.raises(TerritoryError) as caught:
        within(100, 10, 0.2, least, most)
    assert said in str(caught.value)


def test_reps_that_are_not_alike_have_limits_of_their_own():
    with pytest.raises(TerritoryError, match="reps' table, in the columns min and max"):
        within(100, 10, 0.2, 9, None, alike=False)


@pytest.mark.parametrize("tiny", [5e-324, 1e-300])
def test_limits_that_are_next_to_nothing(tiny):
    with pytest.raises(TerritoryError, match="next to nothing"):
        Capacity(tiny).territories(100)
    with pytest.raises(TerritoryError, match="Raise the most"):
        within(100, 10, 0.2, None, tiny)
    assert Capacity(25, minimum=tiny).territories(100) == 4
    assert within(100, 10, 0.2, tiny, None) == 0.2
