"""What the plugin adds to the desktop: menu, toolbar, sample, guide, copies of models; and that it goes cleanly."""

import time
from types import SimpleNamespace

import pytest


@pytest.fixture
def desktop(qgis_iface, territories_provider):
    """Return the plugin's menu and toolbar in a window, with what would be told in the message bar."""
    from healthcare_territories.territory_plugin.gui.menu import Menu
    from qgis.PyQt.QtWidgets import QMainWindow, QMenu, QToolBar

    window, told = QMainWindow(), []
    plugins = QMenu("Plugins", window)
    iface = SimpleNamespace(
        mainWindow=lambda: window,
        pluginMenu=lambda: plugins,
        addToolBar=lambda title: window.addToolBar(title),
        messageBar=lambda: SimpleNamespace(pushMessage=lambda title, text, level: told.append(text)),
        setActiveLayer=lambda layer: None,
        zoomToActiveLayer=lambda: None,
    )
    menu = Menu(iface, territories_provider)
    yield SimpleNamespace(
        menu=menu, window=window, plugins=plugins, told=told, bars=lambda: window.findChildren(QToolBar)
    )
    menu.remove()
    assert plugins.actions() == []


def texts(actions):
    return [action.text().rstrip("…") for action in actions if action.text()]


def test_menu_and_toolbar_hold_the_steps_in_the_order_of_the_work(desktop, territories_provider):
    steps = [territories_provider.algorithm(name) for name in territories_provider.NAMES]
    groups = sorted({step.group() for step in steps})
    assert [step.group() for step in steps] == sorted(step.group() for step in steps)
    shown = texts(desktop.menu.menu.actions())
    assert shown[0] == "Load Sample"
    assert shown[-2:] == ["All in One: the Models", "Help"]
    assert [text for text in shown if text in groups] == groups
    assert [text for text in shown[1:-2] if text not in groups] == [step.displayName() for step in steps]
    (bar,) = desktop.bars()
    assert texts(bar.actions()) == ["Load Sample", *(step.displayName() for step in steps), "Help"]
    assert len(texts(desktop.menu.models.actions())) == 3


def test_the_sample_is_loaded_from_a_copy_that_may_be_changed(desktop, tmp_path, monkeypatch):
    from healthcare_territories.territory_plugin.gui import sample
    from qgis.core import QgsProject

    monkeypatch.setattr(sample, "folder", lambda: tmp_path / "copy")
    project = QgsProject()
    layers = sample.load(project)
    assert [layer.isValid() for layer in layers.values()] == [True] * 5
    assert layers["Providers"].featureCount() == 5008
    assert layers["Crosswalk"].fields()[0].isNumeric() is False, "ZIPs stay text"
    (tmp_path / "copy" / "reps.csv").write_text("mine")
    sample.copied(tmp_path / "copy")
    assert (tmp_path / "copy" / "reps.csv").read_text() == "mine"
    assert not list(sample.SHIPPED.glob("*.gpkg-*"))
    (tmp_path / "file").write_text("")
    monkeypatch.setattr(sample, "folder", lambda: tmp_path / "file" / "below")
    desktop.menu.load_sample()
    assert len(desktop.told) == 1


def test_the_guide_is_there_with_its_pictures(desktop):
    desktop.menu.show_guide()
    guide = desktop.menu.guide
    text = guide.toPlainText()
    assert "Balance territories" in text
    assert guide.document().idealWidth() <= guide.width()


def test_a_model_opens_as_a_copy_without_a_file(territories_provider):
    from healthcare_territories.territory_plugin.gui.model_copies import ContextMenu, copied

    model = territories_provider.algorithm("Annual rebalance")
    model.setSourceFilePath("/somewhere.model3")
    copy = copied(model)
    model.setSourceFilePath("")
    assert copy.sourceFilePath() == ""
    ours, theirs = copy.toVariant(), model.toVariant()
    assert ours["children"] == theirs["children"]
    assert ours["parameterOrder"] == theirs["parameterOrder"]
    assert copy.validate()[0]
    menu = ContextMenu()
    (action,) = menu.actions
    assert action in menu.registry.actions
    for algorithm, offered in ((model, True), (territories_provider.algorithm("balanceterritories"), False)):
        action.setData(algorithm, None)
        assert action.isEnabled() is offered
    menu.remove()
    assert action not in menu.registry.actions


@pytest.fixture
def waiting(territories_provider, monkeypatch):
    """Have `buildadjacencygraph` work until it is cancelled."""
    from healthcare_territories.processing.algorithms.build_adjacency_graph import BuildAdjacencyGraph

    def compute(self):
        while not self.feedback.isCanceled():
            time.sleep(0.01)
        return {}

    monkeypatch.setattr(BuildAdjacencyGraph, "compute", compute)


def test_runs_end_and_dialogs_close_before_the_provider_goes(qgis_iface, territories_provider, waiting, board):
    from healthcare_territories.processing import running
    from healthcare_territories.territory_plugin.gui import closing
    from qgis.core import QgsApplication, QgsProcessingAlgRunnerTask, QgsProcessingContext, QgsProcessingFeedback
    from qgis.gui import QgsProcessingAlgorithmDialogBase

    class Dialog(QgsProcessingAlgorithmDialogBase):
        def processingContext(self):
            return context

    registry = QgsApplication.processingRegistry()
    dialogs = []
    for name in ("territories:balanceterritories", "territories:Annual rebalance", "native:buffer"):
        dialogs.append(Dialog())
        dialogs[-1].setAlgorithm(registry.createAlgorithmById(name))
        dialogs[-1].show()
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    graph = registry.createAlgorithmById("territories:buildadjacencygraph")
    parameters = {"INPUT": board("1 1"), "UNIT_FIELD": "zip", "OUTPUT": "memory:"}
    task = QgsProcessingAlgRunnerTask(graph, parameters, context, feedback)
    QgsApplication.taskManager().addTask(task)
    assert closing.tasks_on(territories_provider) == [task]
    assert closing.end_runs(territories_provider, running.cancel_all)
    assert closing.tasks_on(territories_provider) == []
    assert not running.cancel_all()
    assert closing.close_dialogs("territories") == 2
    assert closing.dialogs_on("territories") == []
    assert dialogs[-1].isVisible(), "other dialogs stay"
    dialogs[-1].close()
