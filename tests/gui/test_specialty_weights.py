"""The weights table of the dialog: presets fill it, people edit it, and other dialogs keep QGIS's own widgets."""

from types import SimpleNamespace

import pytest

NAMES = ("SPECIALTY_PRESET", "SPECIALTY_MATRIX")


@pytest.fixture
def registry(territories_provider):
    """Return QGIS's registry of widgets, ours registered as the plugin does it."""
    from healthcare_territories.territory_plugin.gui import specialty_weights
    from qgis.gui import QgsGui

    found, ours = QgsGui.processingGuiRegistry(), specialty_weights.factories()
    assert [found.addParameterWidgetFactory(factory) for factory in ours] == [True] * len(ours)
    yield found
    for factory in ours:
        found.removeParameterWidgetFactory(factory)


@pytest.fixture
def algorithm(territories_provider):
    return territories_provider.algorithm("weightproviders").create()


@pytest.fixture
def kinds():
    """Return the kinds of dialogs by name."""
    from qgis.core import Qgis
    from qgis.gui import QgsProcessingGui

    return getattr(Qgis, "ProcessingMode", None) or QgsProcessingGui.WidgetType


@pytest.fixture
def dialog(registry, algorithm, kinds):
    """Return the two widgets as the toolbox dialog has them: the list of presets, the table, and the wrappers."""
    from healthcare_territories.territory_plugin.gui.specialty_weights import WeightsTable
    from qgis.core import QgsProcessingContext
    from qgis.PyQt.QtWidgets import QComboBox, QWidget

    context, window = QgsProcessingContext(), QWidget()
    wrappers = [
        registry.createParameterWidgetWrapper(algorithm.parameterDefinition(name), kinds.Standard) for name in NAMES
    ]
    for wrapper in wrappers:
        wrapper.createWrappedWidget(context).setParent(window)
    for wrapper in wrappers:
        wrapper.postInitialize(wrappers)

    def given():
        return dict(zip(NAMES, (wrapper.parameterValue() for wrapper in wrappers)))

    def give(**values):
        for name, wrapper in zip(NAMES, wrappers):
            if name in values:
                wrapper.setParameterValue(values[name], context)

    return SimpleNamespace(
        presets=wrappers[0].wrappedWidget().findChild(QComboBox), given=given, give=give, window=window,
        table=wrappers[1].wrappedWidget().findChild(WeightsTable),
    )  # fmt: skip


def edit(dialog, row, column, value):
    from qgis.PyQt.QtCore import Qt

    dialog.table.table.item(row, column).setData(Qt.ItemDataRole.EditRole, value)


def test_a_preset_fills_the_table_and_the_table_is_what_runs(dialog):
    assert dialog.given() == {"SPECIALTY_PRESET": 0, "SPECIALTY_MATRIX": []}
    dialog.presets.setCurrentText("Cardiology")
    assert dialog.table.rows() == [
        ("General cardiology", 1), ("Interventional cardiology", 1), ("Cardiac electrophysiology", 1)
    ]  # fmt: skip
    edit(dialog, 1, 1, 2.5)
    dialog.table.table.selectRow(2)
    dialog.table.remove_rows()
    assert dialog.given() == {
        "SPECIALTY_PRESET": 0, "SPECIALTY_MATRIX": ["General cardiology", 1, "Interventional cardiology", 2.5]
    }  # fmt: skip


def test_another_preset_takes_the_place_of_the_first_but_not_of_what_somebody_typed(dialog):
    dialog.presets.setCurrentText("Orthopaedics")
    edit(dialog, 1, 1, 3.0)  # hand surgery
    dialog.table.append("207T", 0.5)
    dialog.presets.setCurrentText("Eye care")
    assert dialog.table.rows() == [("Ophthalmology", 1), ("Optometry", 1), ("Hand surgery", 3), ("207T", 0.5)]
    dialog.presets.setCurrentText("Orthopaedics")  # its hand surgery has a row already
    assert dialog.table.rows() == [("Orthopaedic surgery", 1), ("Hand surgery", 3), ("207T", 0.5)]
    dialog.presets.setCurrentText("none")
    assert dialog.table.rows() == [("Hand surgery", 3), ("207T", 0.5)]


def test_a_pattern_is_explained_as_it_is_typed(dialog):
    dialog.table.add_row()
    assert dialog.given()["SPECIALTY_MATRIX"] == []  # a row without a pattern is none
    told = []
    for pattern in ("207X", "Eye care", "*", "Massage Therapist", ""):
        edit(dialog, 0, 0, pattern)
        told.append(dialog.table.table.item(0, 2).text())
    assert told == ["Orthopaedic surgery", "207W, 152W", "all others", "a classification in your data", ""]


@pytest.mark.parametrize("preset", [2, "cardiology", "Cardiology"])
def test_a_run_of_the_history_comes_back(dialog, preset):
    dialog.give(SPECIALTY_MATRIX=["207X", "2.5", "*", 1, None, 9], SPECIALTY_PRESET=preset)
    assert dialog.presets.currentText() == "Cardiology"
    assert dialog.given()["SPECIALTY_MATRIX"][:4] == ["General cardiology", 1, "Interventional cardiology", 1]
    assert dialog.given()["SPECIALTY_MATRIX"][-4:] == ["207X", 2.5, "*", 1]
    dialog.give(SPECIALTY_MATRIX=[], SPECIALTY_PRESET=None)
    assert dialog.given() == {"SPECIALTY_PRESET": 0, "SPECIALTY_MATRIX": []}


def test_the_dialog_outlives_a_collection_of_garbage(dialog):
    import gc

    gc.collect()
    dialog.presets.setCurrentText("OB/GYN")
    assert len(dialog.given()["SPECIALTY_MATRIX"]) == 6


def test_batch_and_models_have_the_widgets_of_qgis(registry, algorithm, kinds):
    from healthcare_territories.territory_plugin.gui.specialty_weights import WeightsTable
    from qgis.core import QgsProcessingContext, QgsProcessingModelAlgorithm

    context = QgsProcessingContext()
    for name, value in zip(NAMES, (2, ["207X", 2])):
        parameter = algorithm.parameterDefinition(name)
        before = parameter.metadata()
        for kind in (kinds.Batch, kinds.Modeler):
            wrapper = registry.createParameterWidgetWrapper(parameter, kind)
            widget = wrapper.createWrappedWidget(context)
            assert widget.findChild(WeightsTable) is None
            wrapper.setParameterValue(value, context)
            assert wrapper.parameterValue() == value
        model = QgsProcessingModelAlgorithm()
        assert registry.createModelerParameterWidget(model, "child", parameter, context) is not None
        assert parameter.metadata() == before


def test_the_parameters_ask_for_widgets_that_are_there(algorithm):
    from healthcare_territories.territory_plugin.gui import specialty_weights

    asked = {
        parameter.metadata()["widget_wrapper"]["widget_type"]
        for parameter in algorithm.parameterDefinitions()
        if "widget_wrapper" in parameter.metadata()
    }
    assert asked == {factory.parameterType() for factory in specialty_weights.factories()}


def test_the_presets_of_the_list_are_those_of_the_parameter(dialog, algorithm):
    listed = [dialog.presets.itemText(at) for at in range(dialog.presets.count())]
    assert listed == algorithm.parameterDefinition("SPECIALTY_PRESET").options()


def test_what_the_table_holds_weighs_the_same_as_the_preset(run, memory_layer, dialog):
    layer = memory_layer({"code": ["207X00000X", "207XS0106X", "ORTHOPEDIC SURGERY", "207R00000X"]})
    wish = {"INPUT": layer, "SPECIALTY_FIELD": "code", "OUTPUT": "memory:"}
    dialog.presets.setCurrentText("Orthopaedics")
    by_table = run("weightproviders", {**wish, **dialog.given()}).rows()
    by_preset = run("weightproviders", {**wish, "SPECIALTY_PRESET": "orthopaedics"}).rows()
    assert [row["workload"] for row in by_table] == [row["workload"] for row in by_preset] == [1, 1, 1, 0]
