"""Where a sheet's header is, and which column is taken for what."""

from __future__ import annotations

import pytest
from healthcare_territories.territory_plugin.engine.tables.headers import find_columns, header_row, is_unnamed

USUAL = {"id": ("rep_id", "id", "territory"), "share": ("share", "fte")}


def test_columns_are_found_told_and_passed_over():
    columns = find_columns(["Rep ID", "Territory", "FTE", "Phone"], USUAL)
    assert columns.found == {"id": "Rep ID", "share": "FTE"}
    assert columns.passed_over == {"id": ["Territory"]}
    assert columns.unknown == ["Phone"]
    told = " ".join(columns.notes("The reps table"))
    assert "“Rep ID” is the id" in told
    assert "“Territory” beside “Rep ID”" in told
    assert "“Phone”" in told


def test_a_column_that_is_given_counts():
    assert find_columns(["a", "id"], USUAL, {"id": "a"}).found == {"id": "a"}


@pytest.mark.parametrize(
    ("names", "unnamed"),
    [(["Field1", "Field2"], True), (["field_1", "field_2", "field_3"], True), (["List 1", "Field2", "Field3"], True),
     (["ZIP", "Territory"], False), (["ZIP", "field_2"], False), (["zip"], False), ([], False)],
)  # fmt: skip
def test_columns_without_names(names, unnamed):
    assert is_unnamed(names) is unnamed


@pytest.mark.parametrize(
    ("rows", "at"),
    [
        ([["ZIP", "Territory"], ["60601", "T1"], ["60602", "T1"]], 0),
        ([["Areas, March 2020", None, None], [None, None, None], ["Code", "Title", "Kind"], ["10100", "A", "x"]], 2),
        ([["ZIP_CODE", "ZCTA", "zip_join_type"], ["00501", "11742", "Spatial join"]], 0),
        ([["60601", "T1"], ["60602", "T1"]], None),  # data from the first row on
        ([["North", "Ada"], ["South", "Ben"]], None),  # nothing tells a header from these
        ([["ZIP", "ZIP"], ["60601", "60602"]], None),
        ([["ZIP", None], ["60601", "T1"]], None),
    ],
)  # fmt: skip
def test_where_the_header_is(rows, at):
    assert header_row(rows) == at
