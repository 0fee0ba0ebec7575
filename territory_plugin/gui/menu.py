"""The menu and the toolbar “Healthcare Territories”: the steps in the order of the work, the sample, the guide."""

from __future__ import annotations

from itertools import groupby
from pathlib import Path

from qgis import processing
from qgis.core import Qgis, QgsApplication, QgsNotSupportedException, QgsProcessingModelAlgorithm
from qgis.PyQt.QtGui import QAction, QIcon
from qgis.PyQt.QtWidgets import QMenu, QToolButton

from . import guide, sample, tr

ICON = Path(__file__).resolve().parents[2] / "icons" / "territories.svg"


class Menu:
    """A submenu of *Plugins* and a toolbar with the provider's algorithms and models.

    Parameters
    ----------
    iface : QgisInterface
    provider : QgsProcessingProvider
        Its `NAMES` are those of the algorithms in the order of the work.
    """

    def __init__(self, iface, provider):
        self.iface, self.provider = iface, provider.id()
        self.title = provider.name()
        window = iface.mainWindow()
        self.menu = QMenu(self.title, window)
        self.menu.setIcon(QIcon(str(ICON)))
        self.toolbar = iface.addToolBar(self.title)
        self.toolbar.setObjectName("HealthcareTerritories")
        self.guide = None

        load = self.action(QgsApplication.getThemeIcon("/mActionFileOpen.svg"), tr("Load Sample"), self.load_sample)
        self.menu.addAction(load)
        self.toolbar.addAction(load)
        models = QMenu(tr("All in One: the Models"), window)
        models.setIcon(QgsApplication.getThemeIcon("/processingModel.svg"))
        for group, algorithms in groupby(map(provider.algorithm, provider.NAMES), key=lambda each: each.group()):
            self.menu.addSection(group)
            self.toolbar.addSeparator()
            for action in map(self.opening, algorithms):
                self.menu.addAction(action)
                self.toolbar.addAction(action)
        for model in provider.algorithms():
            if isinstance(model, QgsProcessingModelAlgorithm):
                models.addAction(self.opening(model))
        self.menu.addSeparator()
        self.menu.addMenu(models)
        self.toolbar.addSeparator()
        button = QToolButton(self.toolbar)
        button.setMenu(models)
        button.setIcon(models.icon())
        button.setToolTip(models.title())
        button.setPopupMode(QToolButton.ToolButtonPopupMode.InstantPopup)
        self.toolbar.addWidget(button)
        self.models = models
        shown = self.action(QgsApplication.getThemeIcon("/mActionHelpContents.svg"), tr("Help"), self.show_guide)
        self.menu.addAction(shown)
        self.toolbar.addAction(shown)
        iface.pluginMenu().addMenu(self.menu)

    def action(self, icon, text, triggered) -> QAction:
        made = QAction(icon, text, self.menu)
        made.triggered.connect(lambda: triggered())
        return made

    def opening(self, algorithm) -> QAction:
        found = algorithm.id()
        return self.action(algorithm.icon(), f"{algorithm.displayName()}…", lambda: self.open(found))

    def open(self, algorithm):
        """Open the dialog of an algorithm, or say why it cannot run."""
        found = QgsApplication.processingRegistry().createAlgorithmById(algorithm)
        able, reason = found.canExecute()
        if not able:
            self.warn(reason)
            return None
        try:
            dialog = processing.createAlgorithmDialog(found)
        except QgsNotSupportedException:
            self.warn(tr("Switch on the plugin Processing first: Plugins ▸ Manage and Install Plugins ▸ Installed."))
            return None
        dialog.show()
        return dialog

    def warn(self, text):
        self.iface.messageBar().pushMessage(self.title, text, Qgis.MessageLevel.Warning)

    def load_sample(self):
        """Load the sample and show it, or say why that cannot be."""
        try:
            layers = sample.load()
        except OSError as error:
            self.warn(str(error))
            return
        self.iface.setActiveLayer(next(iter(layers.values())))
        self.iface.zoomToActiveLayer()

    def show_guide(self):
        """Show the guide in a window."""
        if self.guide is None:
            self.guide = guide.Guide(self.iface.mainWindow())
        self.guide.show()
        self.guide.raise_()

    def remove(self):
        """Take menu and toolbar out."""
        if self.guide is not None:
            self.guide.close()
            self.guide.deleteLater()
        self.iface.pluginMenu().removeAction(self.menu.menuAction())
        self.iface.mainWindow().removeToolBar(self.toolbar)
        for widget in (self.toolbar, self.models, self.menu):
            widget.deleteLater()
