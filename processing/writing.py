"""What an algorithm writes: layers with their styles and records, pages, and how QGIS loads them."""

from __future__ import annotations

from dataclasses import replace

from qgis.core import QgsProcessingException, QgsProcessingUtils

from ..territory_plugin import gis
from ..territory_plugin.engine.progress import until_cancelled
from . import unforeseen


class Writing:
    """The part of an algorithm that hands rows to `gis.outputs`.

    The algorithm has `parameters`, `context`, `feedback`, `outputs` and `record()`.
    """

    def write(self, name, fields, wkb_type, crs, rows, style=None):
        """Write an output layer in one go and note how it is styled; return its id or None when not wanted.

        Parameters
        ----------
        rows : iterable of (attributes, QgsGeometry or None)
            May be gone through twice, where it is no iterator.
        style : gis.styles.Style, optional
        """
        rows = list(until_cancelled(rows, self.feedback.isCanceled)) if iter(rows) is rows else rows
        fields = gis.fields.without_repeated_key(fields, (attributes for attributes, _ in rows))
        output = self.begin(name, fields, wkb_type, crs, style)
        if output is None:
            return None
        output.add(rows, self.feedback.isCanceled)
        return output.final

    def begin(self, name, fields, wkb_type, crs, style=None):
        """Begin an output layer and note how it is styled; return its `OutputLayer` or None when not wanted."""
        fields, aliases = gis.fields.without_aliases(fields)
        given = self.parameters.get(name)
        if gis.places.is_geopackage(given):
            fields, renamed = gis.fields.fit_for_geopackage(fields, bool(gis.places.file_behind(given).table))
            self.tell_renamed(renamed)
        if not given:
            return None
        output, aside = self.outputs.layer(name, given)
        sink, destination = self.parameterAsSink(
            {**self.parameters, name: aside}, name, self.context, fields, wkb_type, crs
        )
        if sink is None:
            raise QgsProcessingException(self.invalidSinkError(self.parameters, name))
        output.record = self.record()
        output.begin(sink, destination, fields, replace(style, aliases=aliases) if style is not None else None)
        return output

    def page(self, name) -> str:
        """Return the file to write a page to, which is put in place with the layers; "" where none is asked for."""
        path = self.parameterAsFileOutput(self.parameters, name, self.context)
        return self.outputs.page(path) if path else ""

    def left_in_databases(self) -> list[str]:
        """Return a sentence for each table of a database that is not complete: only its owner can take it back."""
        return [
            self.tr("The table of {} is not complete: delete it.").format(layer.name)
            for layer in self.outputs.layers
            if layer.table is None
            and str(gis.places.sink_of(self.parameters.get(layer.name)) or "").startswith(gis.places.DATABASES)
        ]

    def load_final_layers(self):
        """Have QGIS load the outputs from where they are now; they were written elsewhere."""
        final = {layer.destination: layer.final for layer in self.outputs.layers}
        loading = self.context.layersToLoadOnCompletion()
        self.context.setLayersToLoadOnCompletion({final.get(old, old): details for old, details in loading.items()})

    def beside(self, own, added):
        """Return the layer's own fields and the added ones; tell under which name an own one that clashes is kept."""
        fields, renamed = gis.fields.beside(own, added)
        self.tell_renamed(renamed)
        return fields, renamed

    def tell_renamed(self, renamed):
        """Tell under which name columns of a layer are kept."""
        for old, new in renamed.items():
            self.feedback.pushInfo(self.tr("The column “{}” that the layer had is kept as “{}”.").format(old, new))

    def postProcessAlgorithm(self, context, feedback):
        """Style the layers that QGIS loads now, and have those that were loaded before read their file anew.

        The outputs are complete by now, files with their style: what cannot be styled stays, and that is told.
        """
        for output in self.outputs.layers:
            self.style(output, context, feedback)
        project, layers = context.project(), self.outputs.layers
        if project is not None:
            gis.main_thread.call_beside(project, lambda: gis.outputs.reload(project, layers))
        return {}

    def style(self, output, context, feedback):
        """Style one output; tell when that fails."""
        if output.style is None:
            return
        try:
            if output.unstyled is not None:
                raise output.unstyled
            in_memory = output.place is None and output.table is None
            layer = QgsProcessingUtils.mapLayerFromString(output.final, context) if in_memory else None
            if layer is not None:
                gis.styles.keep(layer, output.style)
                gis.metadata.keep(layer, output.record, output.style.title)
            if context.willLoadLayerOnCompletion(output.final):
                details = context.layerToLoadOnCompletionDetails(output.final)
                gis.plans.finish_on_load(details, output.style, output.record)
        except Exception as error:
            step = self.tr("Styling {}").format(output.name)
            became = self.tr("All layers are written and complete; {} has no style.").format(output.name)
            feedback.reportError(unforeseen.message(error, self, step, became))
