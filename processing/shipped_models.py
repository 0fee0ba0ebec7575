"""The models that come with the plugin, as the provider offers them."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsProcessingModelAlgorithm

from ..territory_plugin import gis

FILES = Path(__file__).resolve().parent / "models"


def shipped_models() -> list[ShippedModel]:
    """Return the models of the folder `models`, in the order of their files."""
    found = []
    for path in sorted(FILES.glob("*.model3")):
        model = ShippedModel()
        if model.fromFile(str(path)):
            model.arrange_outputs()
            found.append(model)
    return found


class ShippedModel(QgsProcessingModelAlgorithm):
    """A model with its outputs in order, where what only goes on to a next step is optional.

    QGIS sorts the outputs of a model by the names of its steps, and insists on each that a step insists on. Here the
    model's parameter order counts for outputs, too, and only those are asked for that the model calls mandatory.
    A step that needs its output for the next one makes it in any case (see `TerritoriesAlgorithm`).
    """

    def createInstance(self):
        copy = ShippedModel()
        copy.loadVariant(self.toVariant())
        copy.setProvider(self.provider())
        copy.setSourceFilePath(self.sourceFilePath())
        copy.arrange_outputs()
        return copy

    def helpUrl(self):
        return gis.guide.url("all-in-one-the-models")

    def arrange_outputs(self):
        """Put the outputs in order; without the steps, which QGIS finds once the provider is known, there are none."""
        mandatory = {
            output.description()
            for child in self.childAlgorithms().values()
            for output in child.modelOutputs().values()
            if output.isMandatory()
        }
        order = self.toVariant()["parameterOrder"]
        for definition in sorted(self.destinationParameterDefinitions(), key=lambda each: order.index(each.name())):
            moved = definition.clone()
            if moved.description() not in mandatory and not moved.flags() & moved.Flag.FlagOptional:
                moved.setFlags(moved.flags() | moved.Flag.FlagOptional)
                moved.setCreateByDefault(False)
            self.removeParameter(moved.name())
            self.addParameter(moved)
