"""The columns that algorithms add stand beside the user's own: none is lost, none has two meanings."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from qgis.core import QgsField, QgsFields
from qgis.PyQt.QtCore import QMetaType


@pytest.fixture(scope="module")
def fields(qgis_app):
    from healthcare_territories.territory_plugin.gis import fields

    return fields


def made_of(*names, kind=QMetaType.Type.QString):
    made = QgsFields()
    for name in names:
        made.append(QgsField(name, kind))
    return made


def test_own_columns_first_then_the_added_ones(fields):
    found, renamed = fields.beside(made_of("zip", "county"), made_of("territory"))
    assert found.names() == ["zip", "county", "territory"]
    assert renamed == {}


def test_a_column_in_the_way_is_kept_as_before(fields):
    found, renamed = fields.beside(made_of("territory", "zip"), made_of("territory"))
    assert found.names() == ["territory_before", "zip", "territory"]
    assert renamed == {"territory": "territory_before"}


def test_a_third_run_keeps_both_earlier_ones(fields):
    found, renamed = fields.beside(made_of("territory_before", "territory"), made_of("territory"))
    assert found.names() == ["territory_before", "territory_before_before", "territory"]
    assert renamed == {"territory": "territory_before_before"}


def test_capitals_are_no_difference_for_files(fields):
    found, renamed = fields.beside(made_of("Territory"), made_of("territory"))
    assert found.names() == ["Territory_before", "territory"]
    assert renamed == {"Territory": "Territory_before"}


def test_types_lengths_and_comments_stay(fields):
    own = QgsFields()
    field = QgsField("workload", QMetaType.Type.Double, "double", 10, 3, "claims of 2023")
    own.append(field)
    kept = fields.beside(own, made_of("workload"))[0].at(0)
    assert (kept.type(), kept.length(), kept.precision(), kept.comment()) == (
        QMetaType.Type.Double, 10, 3, "claims of 2023",
    )  # fmt: skip


name = st.sampled_from(
    ["zip", "territory", "Territory", "TERRITORY", "territory_before", "workload", "Workload_before"]
)


@given(st.lists(name, unique_by=str.lower), st.lists(name, unique_by=str.lower, min_size=1))
def test_nothing_is_lost_and_every_name_is_unique(fields, own, added):
    found, renamed = fields.beside(made_of(*own), made_of(*added))
    names = found.names()
    assert len(names) == len(own) + len(added)
    assert len({name.lower() for name in names}) == len(names)
    assert names[len(own) :] == added
    assert names[: len(own)] == [renamed.get(name, name) for name in own]
    assert set(renamed) == {name for name in own if name.lower() in {other.lower() for other in added}}


@pytest.mark.parametrize(
    ("keys", "name"),
    [([1, 2, 3], "fid"), ([7, None, None], "fid"), ([7, 7, 1], "fid_before_before"), ([], "fid")],
)
def test_a_key_column_that_repeats_gets_another_name(fields, keys, name):
    """As in a layer merged of several GeoPackages."""
    given = made_of("zip", "FID" if not keys else "fid", "fid_before")
    found = fields.without_repeated_key(given, [["02139", key, None] for key in keys])
    assert [other.lower() for other in found.names()] == ["zip", name, "fid_before"]
    assert fields.without_repeated_key(made_of("zip"), [["a"], ["a"]]).names() == ["zip"]


def test_columns_are_lower_snake_and_each_name_means_one_thing(fields):
    defined = [value for value in vars(fields).values() if isinstance(value, fields.Column)]
    assert len(defined) > 20
    assert [column.name for column in defined if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", column.name)] == []
    assert len({column.name for column in defined}) == len(defined)
    assert all(column.alias for column in defined)


@pytest.mark.parametrize("group", ["WEIGHTING", "UNMATCHED", "EDGE", "TERRITORIES"])
def test_column_names_fit_a_dbf_or_are_told_apart_in_it(fields, group):
    """A shapefile cuts names to ten letters: within one layer they must differ there, too."""
    cut = [column.name[:10] for column in getattr(fields, group)]
    assert len(set(cut)) >= len(cut) - 1
