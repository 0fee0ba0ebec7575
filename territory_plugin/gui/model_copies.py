"""“Open a copy in Model Designer” in the toolbox's context menu: QGIS edits only models of one's own."""

from __future__ import annotations

from importlib import import_module

from qgis.core import QgsApplication, QgsProcessingModelAlgorithm

from . import tr

PROVIDER = "territories"


def copied(model) -> QgsProcessingModelAlgorithm:
    """Return a copy of a model that lies in no file: saving it asks where."""
    copy = QgsProcessingModelAlgorithm()
    copy.loadVariant(model.toVariant())
    copy.setSourceFilePath("")
    return copy


class OpenCopyInDesigner:
    """The action, with what QGIS's toolbox asks of a context action."""

    is_separator = False

    def __init__(self):
        self.name = tr("Open a copy in Model Designer…")
        self.itemData = None

    def setData(self, algorithm, toolbox):
        self.itemData = algorithm

    def icon(self):
        return QgsApplication.getThemeIcon("/mActionEditModelComponent.svg")

    def isEnabled(self):
        model = self.itemData
        return (
            isinstance(model, QgsProcessingModelAlgorithm)
            and model.provider() is not None
            and model.provider().id() == PROVIDER
        )

    def execute(self):
        """Open the Model Designer with a copy; QGIS lists it under Models once it is saved."""
        # our own folder `processing` is another package than QGIS's, which is meant here
        designer = import_module("processing.modeler.ModelerDialog").ModelerDialog.create(copied(self.itemData))
        designer.update_model.connect(refresh_models)
        designer.show()
        designer.activate()
        return designer


def refresh_models():
    """Have QGIS list the models in the user's folder anew."""
    models = QgsApplication.processingRegistry().providerById("model")
    if models is not None:
        models.refreshAlgorithms()


class ContextMenu:
    """Puts the action into the context menu of the toolbox, and takes it out."""

    def __init__(self):
        self.actions = [OpenCopyInDesigner()]
        try:
            self.registry = import_module("processing.gui.ProviderActions").ProviderContextMenuActions
        except ImportError:  # a QGIS without its plugin Processing has no toolbox either
            self.registry = None
            return
        self.registry.registerProviderContextMenuActions(self.actions)

    def remove(self):
        if self.registry is not None:
            self.registry.deregisterProviderContextMenuActions(self.actions)
