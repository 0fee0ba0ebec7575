"""A run's layers stand together in the layer tree, the last plan is seen, and empty tables are not."""

from __future__ import annotations

from types import SimpleNamespace

import pytest
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProject


@pytest.fixture
def project(qgis_alive):
    made = QgsProject()
    yield made
    made.clear()


@pytest.fixture(scope="module")
def plans(qgis_app):
    from healthcare_territories.territory_plugin.gis import plans

    return plans


@pytest.fixture
def load(plans, project, memory_layer):
    """Return ``load(run, *styles, group="", rows=1)``, which loads layers as QGIS does after a run."""
    from healthcare_territories.territory_plugin.gis.metadata import Record
    from healthcare_territories.territory_plugin.gis.styles import Style

    kept = []

    def one(run, *styles, group="", rows=1, plan="Fall"):
        record = Record(run, plan, "2026-10-01T09:30:00+00:00", "territories:x", "X", "", [])
        context = QgsProcessingContext()
        context.setProject(project)
        details = []
        for title, order, shown in styles:
            layer = memory_layer({"zip": ["1"] * rows} if rows else {"zip": ["1"]})
            if not rows:
                layer.dataProvider().truncate()
            layer.setName(title)
            into = project.layerTreeRoot()
            asked = SimpleNamespace(groupName="", layerSortKey=0, setPostProcessor=kept.append)
            plans.finish_on_load(asked, Style(title, order, lambda layer: None, shown=shown), record)
            name = group or asked.groupName  # a model puts its own in place of ours
            found = into.findGroup(name) or into.insertGroup(0, name)
            project.addMapLayer(layer, False)
            found.insertLayer(0, layer)
            details.append((layer, kept[-1]))
        for layer, processor in details:
            processor.postProcessLayer(layer, context, QgsProcessingFeedback(False))

    return one


def tree(project):
    """Return the groups of the layer tree as (name, seen, layers as (name, seen))."""
    return [
        (group.name(), group.itemVisibilityChecked(),
         [(node.name(), node.itemVisibilityChecked()) for node in group.children()])
        for group in project.layerTreeRoot().children()
    ]  # fmt: skip


TERRITORIES, ZIPS, LOST = ("Territories", 40, True), ("ZIPs by territory", 10, True), ("Places not reached", 17, False)


@pytest.mark.parametrize("group", ["", "Group of a model"])
def test_a_plan_stands_in_a_group_of_its_own_in_order(load, project, group):
    load("a", ZIPS, TERRITORIES, LOST, group=group)
    inside = [("Territories", True), ("Places not reached", False), ("ZIPs by territory", True)]
    (top,) = project.layerTreeRoot().children()
    assert top.name() == (group or "Fall · 2026-10-01 09:30")
    found = top.children()[0] if group else top
    assert found.name() == "Fall · 2026-10-01 09:30"
    assert [(node.name(), node.itemVisibilityChecked()) for node in found.children()] == inside


def test_older_plans_are_switched_off_and_stay(load, project):
    load("a", TERRITORIES, ZIPS)
    load("b", TERRITORIES, ZIPS, plan="Winter")
    both = [("Territories", True), ("ZIPs by territory", True)]
    assert tree(project) == [
        ("Winter · 2026-10-01 09:30", True, both), ("Fall · 2026-10-01 09:30", False, both),
    ]  # fmt: skip


def test_two_plans_of_one_name_and_minute_are_two_groups(load, project):
    load("a", TERRITORIES)
    load("b", TERRITORIES)
    assert [(name, seen, len(layers)) for name, seen, layers in tree(project)] == [
        ("Fall · 2026-10-01 09:30 (2)", True, 1), ("Fall · 2026-10-01 09:30", False, 1),
    ]  # fmt: skip


def test_an_empty_layer_is_not_switched_on(load, project):
    load("a", TERRITORIES, rows=0)
    assert tree(project) == [("Fall · 2026-10-01 09:30", True, [("Territories", False)])]


def test_layers_that_are_no_plan_leave_plans_as_they_are(load, project):
    load("a", TERRITORIES)
    load("b", ZIPS, plan="")
    assert sorted(tree(project)) == [
        ("Fall · 2026-10-01 09:30", True, [("Territories", True)]),
        ("Territories", True, [("ZIPs by territory", True)]),
    ]  # fmt: skip
