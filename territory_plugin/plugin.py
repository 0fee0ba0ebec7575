"""What QGIS loads: the plugin object that registers the Processing provider."""

from qgis.core import Qgis, QgsApplication, QgsMessageLog

from ..processing import packages, running

NAME = "Healthcare Territories"


class TerritoriesPlugin:
    """Adds the provider `territories` to Processing, in the desktop and in `qgis_process`."""

    def __init__(self, iface):
        self.iface = iface  # None in qgis_process
        self.provider = None
        self.widgets, self.additions = [], []

    def initProcessing(self):
        """Register the provider; QGIS calls this alone in `qgis_process`."""
        try:
            from ..processing.provider import TerritoriesProvider
        except ImportError:
            # Its pages import numpy when they load, which QGIS nearly always brings. Without it there is no toolbox,
            # but the plugin loads and says why.
            complaint = packages.complaint()
            if not complaint:
                raise
            QgsMessageLog.logMessage(complaint, NAME, Qgis.MessageLevel.Critical)
            if self.iface is not None:
                self.iface.messageBar().pushMessage(NAME, complaint, Qgis.MessageLevel.Critical)
            return
        self.provider = TerritoriesProvider()
        QgsApplication.processingRegistry().addProvider(self.provider)
        self.provider.refreshAlgorithms()  # QGIS finds the steps of our models only now

    def initGui(self):
        """Register the provider in the desktop, the widgets of its dialogs, the menu and the toolbar."""
        from qgis.gui import QgsGui

        from .gui import closing, menu, model_copies, specialty_weights

        self.widgets = specialty_weights.factories()
        for factory in self.widgets:
            QgsGui.processingGuiRegistry().addParameterWidgetFactory(factory)
        self.initProcessing()
        if self.provider is not None:
            self.additions = [menu.Menu(self.iface, self.provider), model_copies.ContextMenu()]
            closing.refresh_designers(self.provider.id())

    def unload(self):
        """Take the provider out again, after what stands on it."""
        if self.provider is not None:
            self.leave()
            self.provider = None
        while self.widgets:
            from qgis.gui import QgsGui

            QgsGui.processingGuiRegistry().removeParameterWidgetFactory(self.widgets.pop())

    def leave(self):
        """End the provider's runs, close its dialogs, take its menus out, and then the provider."""
        name, registry = self.provider.id(), QgsApplication.processingRegistry()
        if self.iface is not None:
            from .gui import closing, model_copies

            closing.end_runs(self.provider, running.cancel_all)
            closing.close_dialogs(name)
            while self.additions:
                self.additions.pop().remove()
        registry.removeProvider(self.provider)
        if self.iface is not None:
            closing.refresh_designers(name)
            model_copies.refresh_models()  # the steps of people's own models are gone
