"""How many territories a market needs: the average must keep the limits and come near the target."""

from __future__ import annotations

import math

import pytest
from healthcare_territories.territory_plugin.engine.capacity import Capacity
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
