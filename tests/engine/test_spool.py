"""Rows come back from a spool as they went in, however many there are."""

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine import spool
from healthcare_territories.territory_plugin.engine.spool import Spool

COLUMNS = ["npi", "site", "name", "active", "longitude"]


@pytest.mark.parametrize("count", [0, 1, 6, 7, 8, 50])
@pytest.mark.parametrize("memory", [1, 1 << 20])
def test_rows_come_back_in_order_with_their_types(monkeypatch, count, memory):
    monkeypatch.setattr(spool, "IN_MEMORY", memory)
    rows = [(f"{at:010d}", at % 3, ["Núñez", None, 'O"Neil\n\x1f'][at % 3], at % 2 == 0, at / 7) for at in range(count)]
    with Spool(COLUMNS, block=7) as held:
        for row in rows:
            held.append(row)
        assert len(held) == count
        for _ in range(2):  # as often as asked
            frames = list(held.frames())
            assert [len(frame) for frame in frames] == [7] * (count // 7) + [count % 7] * (count % 7 > 0)
            assert [tuple(row) for frame in frames for row in frame.itertuples(index=False)] == rows
        whole = held.whole()
    assert (whole["site"].dtype, whole["longitude"].dtype, len(whole)) == (int, float, count)


def test_coordinates_that_are_unknown_are_no_numbers():
    with Spool(COLUMNS, block=1) as held:
        held.append(("1", 0, None, None, None))
        frame = held.whole()
    assert np.isnan(frame["longitude"][0])
    assert frame["active"][0] is None


def test_a_column_that_is_known_only_at_the_end():
    with Spool(["npi", "times"], block=2) as held:
        for name in "abcde":
            held.append((name, None))
        held.late["times"] = [5, 4, 3, 2, 1]
        assert held.whole()["times"].tolist() == [5, 4, 3, 2, 1]
        assert [frame["times"].tolist() for frame in held.frames()] == [[5, 4], [3, 2], [1]]


def test_rows_that_are_left_out_come_back_no_more_and_late_columns_stay_with_their_rows():
    with Spool(["name"], block=2) as held:
        for name in "abcdefg":
            held.append([name])
        held.late["times"] = np.arange(7)
        held.leave_out(np.array([1, 2, 3]))
        held.leave_out(np.array([6]))
        assert (len(held), held.appended) == (3, 7)
        assert [frame["name"].tolist() for frame in held.frames()] == [["a"], ["e", "f"]]
        assert held.whole()["times"].tolist() == [0, 4, 5]
        held.leave_out(np.arange(7))
        assert (len(held), len(held.whole()), list(held.frames())) == (0, 0, [])
