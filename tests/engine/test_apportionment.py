"""Territories per state by largest remainder, against examples worked by hand."""

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.apportionment import apportion
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from hypothesis import given
from hypothesis import strategies as st


def numbers(found):
    return {region: seats.territories for region, seats in found.items()}


def test_the_textbook_example():
    """
    A house of 10 for 1,000 people: quotas 5.9 2.6 1.5; floors 5 2 1 make 8; the remainders .9 and .6 get the two left.
    """
    found = apportion({"A": 590, "B": 260, "C": 150}, 10)
    assert numbers(found) == {"A": 6, "B": 3, "C": 1}
    assert [round(seats.quota, 6) for seats in found.values()] == [5.9, 2.6, 1.5]
    assert [seats.floor for seats in found.values()] == [5, 2, 1]
    assert [round(seats.remainder, 6) for seats in found.values()] == [0.9, 0.6, 0.5]
    assert [seats.by_remainder for seats in found.values()] == [True, True, False]


def test_light_states_get_what_they_need_and_the_others_share_the_rest():
    """
    20 of 20 in workload 37 + 2 + 1 = 40: worth 18.5, 1.0, 0.5. RI and VT get one each; NY the 18 that are left.
    """
    found = apportion({"NY": 37, "RI": 2, "VT": 1}, 20)
    assert numbers(found) == {"NY": 18, "RI": 1, "VT": 1}
    assert found["VT"].quota == 0.5
    assert np.isnan(found["VT"].shared_quota)
    assert found["VT"].deviation == pytest.approx(-0.5)
    assert found["NY"].deviation == pytest.approx(18.5 / 18 - 1)
    assert "VT is worth 0.50 of a territory and gets 1 territory (which it needs)" in str(found["VT"])
    assert "-50.0% from the target" in str(found["VT"])


def test_setting_one_apart_can_set_the_next_apart():
    """
    4 for 60 + 21 + 9 + 10: worth 2.4 .84 .36 .4. Three need one each, though .84 rounds to it anyway; 1 is left.
    """
    assert numbers(apportion({"A": 60, "B": 21, "C": 9, "D": 10}, 4)) == {"A": 1, "B": 1, "C": 1, "D": 1}
    # 5 for 100 + 49 + 1: worth 3.33 1.63 .03; C apart, then 4 for 149: 2.68 1.32 -> 2 1, and one for .68
    found = apportion({"A": 100, "B": 49, "C": 1}, 5)
    assert numbers(found) == {"A": 3, "B": 1, "C": 1}
    assert found["A"].shared_quota == pytest.approx(400 / 149)


def test_a_state_in_parts_needs_one_for_each():
    found = apportion({"MI": 10, "WI": 30}, 4, {"MI": 2})
    assert numbers(found) == {"MI": 2, "WI": 2}
    assert found["MI"].deviation == pytest.approx(-0.5)


def test_equal_remainders_go_to_the_heavier_then_by_name():
    assert numbers(apportion({"A": 15, "B": 25}, 4)) == {"A": 1, "B": 3}
    assert numbers(apportion({"B": 15, "A": 15}, 3)) == {"B": 1, "A": 2}


def test_exact_quotas_are_not_spoiled_by_floating_point():
    """0.1 + 0.2 of 0.3 is not quite 1."""
    assert numbers(apportion({"A": 0.1, "B": 0.2, "C": 0.3, "D": 0.3}, 9)) == {"A": 1, "B": 2, "C": 3, "D": 3}
    assert all(seats.deviation == pytest.approx(0) for seats in apportion({"A": 7, "B": 7, "C": 7}, 3).values())


def test_no_workload_at_all():
    assert numbers(apportion({"A": 0, "B": 0}, 4)) == {"A": 2, "B": 2}
    assert numbers(apportion({"A": 0, "B": 0}, 2)) == {"A": 1, "B": 1}
    assert numbers(apportion({"A": 5, "B": 0}, 4)) == {"A": 3, "B": 1}


def test_too_few_is_said_with_the_numbers():
    with pytest.raises(TerritoryError) as caught:
        apportion({"MI": 5, "WI": 5, "IL": 5}, 3, {"MI": 2})
    for word in ("3 territories are too few", "3 regions need at least 4", "MI (2)", "bridge"):
        assert word in str(caught.value)


@given(
    st.lists(st.one_of(st.just(0.0), st.floats(1e-3, 1e6)), min_size=1, max_size=12),
    st.integers(0, 60),
    st.integers(1, 3),
)
def test_every_territory_is_given_and_heavier_regions_never_get_fewer(weights, more, need):
    territories = need * len(weights) + more
    found = list(apportion({f"{at:02d}": weight for at, weight in enumerate(weights)}, territories, need).values())
    assert sum(seats.territories for seats in found) == territories
    assert all(seats.territories >= need for seats in found)
    for one in found:
        if not np.isnan(one.shared_quota):
            assert (
                one.shared_quota - 1 - 1e-6 < one.territories < one.shared_quota + 1 + 1e-6
            )  # Hamilton stays in quota
        assert all(one.territories >= other.territories for other in found if one.workload > other.workload)
