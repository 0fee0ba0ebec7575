"""What QGIS loads: the plugin object that registers the Processing provider."""

from qgis.core import Qgis, QgsApplication, QgsMessageLog

from ..processing import packages

NAME = "Healthcare Territories"


class TerritoriesPlugin:
    """Adds the provider `territories` to Processing, in the desktop and in `qgis_process`."""

    def __init__(self, iface):
        self.iface = iface  # None in qgis_process
        self.provider = None
        self.widgets = []

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
        """Register the provider in the desktop, and the widgets of its dialogs."""
        from qgis.gui import QgsGui

        from .gui import specialty_weights

        self.widgets = specialty_weights.factories()
        for factory in self.widgets:
            QgsGui.processingGuiRegistry().addParameterWidgetFactory(factory)
        self.initProcessing()

    def unload(self):
        """Take the provider out again."""
        if self.provider is not None:
            QgsApplication.processingRegistry().removeProvider(self.provider)
            self.provider = None
        while self.widgets:
            from qgis.gui import QgsGui

            QgsGui.processingGuiRegistry().removeParameterWidgetFactory(self.widgets.pop())
