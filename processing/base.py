"""What all algorithms share: identity, guards, what the user gave, errors and cancellation."""

from __future__ import annotations

import time
from pathlib import Path

import numpy as np
from qgis.core import (
    QgsExpressionContextUtils,
    QgsFields,
    QgsProcessing,
    QgsProcessingAlgorithm,
    QgsProcessingException,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterEnum,
    QgsProviderRegistry,
)
from qgis.PyQt.QtCore import QCoreApplication
from qgis.PyQt.QtGui import QIcon

from ..territory_plugin import engine, gis
from ..territory_plugin.engine.errors import TerritoryError
from ..territory_plugin.engine.progress import Cancelled
from . import checks, packages, records, running, unforeseen
from .help import help_of
from .parameters import choices
from .writing import Writing

VECTOR = QgsProcessing.SourceType.TypeVector
POLYGONS = QgsProcessing.SourceType.TypeVectorPolygon
LINES = QgsProcessing.SourceType.TypeVectorLine

ICONS = Path(__file__).resolve().parent.parent / "icons"


class TerritoriesAlgorithm(Writing, QgsProcessingAlgorithm):
    """An algorithm of the provider `territories`.

    A subclass names itself (`ID`, `TITLE`, `GROUP`, `TAGS`, `HELP`), adds its parameters in `initAlgorithm` and
    computes in `compute`, which returns the results. Errors that a person can act on are raised as
    `TerritoryError`; QGIS shows their message and nothing is written.
    """

    ID = ""
    TITLE = ""
    GROUP = ""  # one of `groups`
    TAGS: tuple[str, ...] = ()
    HELP = ""

    def name(self):
        return self.ID

    def displayName(self):
        return self.tr(self.TITLE)

    def group(self):
        return self.tr(self.GROUP)

    def groupId(self):
        return self.GROUP  # a model's group has its name for an id: so both stand in one group

    def tags(self):
        return [*self.TAGS, "territory", "territories", "sales", "healthcare", "zip"]

    def icon(self):
        return QIcon(str(ICONS / f"{self.ID}.svg"))

    def svgIconPath(self):
        return str(ICONS / f"{self.ID}.svg")

    def shortHelpString(self):
        return self.tr("\n\n".join(" ".join(paragraph.split()) for paragraph in self.HELP.strip().split("\n\n")))

    def helpUrl(self):
        return gis.guide.url(self.ID)

    def shortDescription(self):
        return self.shortHelpString().split("\n\n")[0]

    def createInstance(self):
        return type(self)()

    def tr(self, text):
        return QCoreApplication.translate("HealthcareTerritories", text)

    def addParameter(self, definition, createOutput=True):
        definition.setHelp(self.tr(help_of(self.ID, definition.name())))
        return super().addParameter(definition, createOutput)

    def canExecute(self):
        complaint = packages.complaint()
        return not complaint, complaint

    # ---------------------------------------------------------------- guards

    def checkParameterValues(self, parameters, context):
        """Say everything that is wrong with the parameters at once, before anything runs."""
        try:
            return self.check(parameters, context)
        except TerritoryError as error:
            return False, str(error)
        except Exception as error:  # QGIS has nothing that catches it here: qgis_process would abort
            step = self.tr("Checking the parameters")
            return False, unforeseen.message(error, self, step, self.tr("Nothing was written."))

    def check(self, parameters, context):
        """Return whether the parameters are fine, and everything that is wrong with them."""
        able, reason = self.canExecute()  # qgis_process does not ask
        if not able:
            return False, reason
        self.parameters, self.context, self.feedback, self.kept = self.given(parameters), context, None, {}
        complaints = []
        for definition in self.parameterDefinitions():
            if isinstance(definition, QgsProcessingParameterEnum) and parameters.get(definition.name()) is not None:
                try:
                    self.parameters[definition.name()] = choices(definition, parameters[definition.name()])
                except TerritoryError as error:
                    complaints.append(str(error))
        if complaints:
            return False, "\n".join(complaints)
        fine, message = super().checkParameterValues(self.parameters, context)
        if not fine:
            return False, message
        complaints = [*self.strange_numbers(), *self.unknown_fields(), *self.wrong_expressions()]
        complaints += [*self.unwritable_outputs(), *self.complaints()]
        return not complaints, "\n".join(complaints)

    def given(self, parameters) -> dict:
        """Return the parameters as given, with a number that is left blank as one that is not given."""
        blank = [
            each.name() for each in self.parameterDefinitions()
            if each.type() in checks.NUMBERS and each.flags() & each.Flag.FlagOptional
            and isinstance(parameters.get(each.name()), str) and not parameters[each.name()].strip()
        ]  # fmt: skip
        return {**parameters, **dict.fromkeys(blank)}

    def complaints(self) -> list[str]:
        """Return what is wrong with the parameters beyond the checks of QGIS."""
        return []

    def strange_numbers(self) -> list[str]:
        """Return a complaint for each number that QGIS would read as another one, and for each table of odd length."""
        found = []
        for each in self.parameterDefinitions():
            if each.type() in checks.NUMBERS:
                found.append(checks.number_complaint(each, self.parameters.get(each.name())))
            if each.type() == "matrix":
                found.append(checks.matrix_complaint(each, self.matrix(each.name())))
        return list(filter(None, found))

    def wrong_expressions(self) -> list[str]:
        """Return a complaint for each expression, also one that filters a layer, that cannot be right."""
        complaints = []
        for definition in self.parameterDefinitions():
            name, called, value = definition.name(), definition.description(), self.parameters.get(definition.name())
            complaints += filter(None, [checks.property_complaint(definition, value)])
            if definition.type() == "expression":
                # as text: QGIS gives the default in place of an expression that it cannot read
                complaints += checks.expression_complaints(called, self.string(name), self.expression_fields(name))
            if definition.type() == "source" and checks.filter_of(value):
                layer = self.layer_given(name)
                if layer is not None:
                    told = self.tr("{}, filter").format(called)
                    complaints += checks.expression_complaints(told, checks.filter_of(value), layer.fields())
        return complaints

    def expression_fields(self, name):
        """Return the fields that an expression parameter may name: those of its layer, by the names in its header."""
        source = self.source(self.parameterDefinition(name).parentLayerParameterName())
        if source is None:
            return QgsFields()
        header = gis.tables.header_of(source)
        return source.fields() if header is None else gis.tables.named_fields(source.fields(), header[1])

    def unknown_fields(self) -> list[str]:
        """Return a complaint for each field parameter that names a field its layer lacks."""
        complaints = []
        for definition in self.parameterDefinitions():
            source = self.source(definition.parentLayerParameterName()) if definition.type() == "field" else None
            if source is None:
                continue
            known = source.fields()
            header = gis.tables.header_of(source)
            named = set(header[1]) if header else set()
            wanted = [field for field in self.strings(definition.name()) if field not in named]
            told = [checks.field_complaint(field, known) for field in wanted]
            complaints += [f"{definition.description()}: {each}" for each in told if each]
        return complaints

    def unwritable_outputs(self) -> list[str]:
        """Return a complaint for each output that cannot be written, or would replace an input or another output."""
        complaints, taken = [], self.input_files()
        for definition in self.destinationParameterDefinitions():
            place = gis.places.file_behind(self.parameters.get(definition.name()))
            if place is None:
                complaints += self.unwritable_table(definition)
                continue
            told = f"{definition.description()}: cannot write {place.path}"
            holders = [what for what, other in taken if place.replaces(other)]
            if holders:
                complaints.append(
                    f"{told}, which holds {holders[0]}. Choose another file, or another table of a GeoPackage."
                )
            elif why := gis.places.why_not(place):
                complaints.append(f"{told}: {why}. Choose another place.")
            taken.append((f"the output “{definition.description()}”", place))
        return complaints

    def unwritable_table(self, definition) -> list[str]:
        """Return why an output cannot be written to its table of a database, as a list of one complaint or none."""
        try:
            table = gis.databases.DatabaseTable.of(
                str(gis.places.sink_of(self.parameters.get(definition.name())) or "")
            )
            why = table.why_not() if table is not None else ""
        except TerritoryError as error:
            return [f"{definition.description()}: {error}"]
        return [f"{definition.description()}: cannot write {table.name}: {why}. Choose another table."] if why else []

    def input_files(self) -> list[tuple[str, gis.places.FilePlace]]:
        """Return what each input layer that lies in a file is called, and where it lies."""
        found = []
        for definition in self.parameterDefinitions():
            if definition.type() != "source" or self.parameters.get(definition.name()) is None:
                continue
            layer = self.layer_given(definition.name())
            if layer is not None and layer.providerType() == "ogr":
                uri = QgsProviderRegistry.instance().decodeUri("ogr", layer.source())
                if uri.get("path"):
                    tables = QgsProviderRegistry.instance().querySublayers(uri["path"])
                    table = uri.get("layerName") or (tables[0].name() if len(tables) == 1 else None)
                    found.append(
                        (f"the input “{definition.description()}”", gis.places.FilePlace(Path(uri["path"]), table))
                    )
        return found

    # ---------------------------------------------------------------- what the user gave

    def source(self, name):
        """Return the feature source given for a parameter, or None."""
        given = self.parameters.get(name)
        if given is None or given == "":
            return None
        layer = self.layer_given(name)
        older = gis.tables.in_its_encoding(layer)
        if older is None:
            source = self.parameterAsSource(self.parameters, name, self.context)
            return None if source is None else gis.polygons.with_crs(source, layer)
        if self.feedback is not None and name not in self.kept:
            self.feedback.pushWarning(
                self.tr(
                    "{} is not in UTF-8 and is read as Windows-1252. Where names look wrong, save it as CSV UTF-8."
                ).format(layer.name())
            )
        source, self.kept[name] = gis.tables.source_of(older, given, self.context)
        return source

    def layer_given(self, name):
        """Return the layer given for a source parameter, or None."""
        given = self.parameters.get(name)
        behind = given.source if isinstance(given, QgsProcessingFeatureSourceDefinition) else given
        return self.parameterAsVectorLayer({name: behind}, name, self.context)

    def expression_context(self, name):
        """Return what an expression over the layer given for a parameter may refer to, besides its fields."""
        source = self.parameterAsSource(self.parameters, name, self.context)
        scope = self.createExpressionContext(self.parameters, self.context, source)
        scope.appendScope(QgsExpressionContextUtils.globalScope())
        return scope

    def read(self, name, called, geometry=None):
        """Return the layer given for a parameter, read; `called` is its name in messages."""
        return gis.frames.read_layer(self.source(name), called, self.context, self.feedback, geometry=geometry)

    def summable(self, layer, names, labels=None):
        """Return columns of numbers that can be added up, shape (n, m); NaN where there is none."""
        labels = checks.RowNames() if labels is None else labels
        values = np.zeros((len(layer), len(names)))
        for at, name in enumerate(names):
            values[:, at] = layer.numbers(name, labels)
            engine.workload.refuse_extremes(values[:, at], name, labels)
        return values

    def string(self, name) -> str:
        return self.parameterAsString(self.parameters, name, self.context)

    def strings(self, name) -> list[str]:
        return [text for text in self.parameterAsStrings(self.parameters, name, self.context) if text]

    def number(self, name) -> float:
        return self.parameterAsDouble(self.parameters, name, self.context)

    def integer(self, name) -> int:
        return self.parameterAsInt(self.parameters, name, self.context)

    def matrix(self, name) -> list:
        return self.parameterAsMatrix(self.parameters, name, self.context)

    def choice(self, name) -> str:
        """Return the option chosen in an enum parameter, by its key."""
        definition, value = self.parameterDefinition(name), self.parameters.get(name)
        at = choices(definition, definition.defaultValue() if value is None else value)
        return definition.metadata()["keys"][at]

    def contacts(self, layer, units, progress):
        """Return the edges of a unit layer as the contact parameters ask for them."""
        return gis.adjacency.build_edges(
            layer,
            units,
            criterion=self.choice("CONTIGUITY"),
            bridge=self.choice("BRIDGE"),
            bridge_km=self.number("BRIDGE_DISTANCE"),
            sliver_m=self.number("SLIVER_TOLERANCE"),
            progress=progress,
            cancelled=self.feedback.isCanceled,
        )

    # ---------------------------------------------------------------- running

    def processAlgorithm(self, parameters, context, feedback):
        able, reason = self.canExecute()  # a model asks neither this nor checkParameterValues
        if not able:
            raise QgsProcessingException(reason)
        if lacking := checks.lacking_layer(self.parameterDefinitions(), parameters):
            raise QgsProcessingException(lacking)
        self.parameters = self.given(checks.with_required_outputs(self.destinationParameterDefinitions(), parameters))
        self.context, self.feedback = context, feedback
        self.kept = {}  # layers that sources of our own stand on
        self.recorded = None
        self.outputs = gis.outputs.Outputs()
        self.text, self.step, self.told = "", "", 0.0
        with running.noted(feedback):
            return self.computed()

    def computed(self):
        """Compute, put the outputs in place and return the results; or nothing, with the reason raised."""
        try:
            results = self.outputs.in_place(self.compute())
            self.outputs.finish(self.feedback.isCanceled)
            for note in (note for layer in self.outputs.layers for note in layer.notes):
                self.feedback.pushWarning(note)
            self.load_final_layers()
            return results
        except Cancelled:
            self.outputs.discard()
            self.tell_cancelled()
            return {}
        except (TerritoryError, QgsProcessingException) as error:
            self.outputs.discard()
            raise QgsProcessingException("\n".join([str(error), *self.left_in_databases()])) from error
        except Exception as error:  # a person gets words, whatever happened; the traceback is in QGIS's log
            self.outputs.discard()
            became = " ".join([self.tr("Nothing was written."), *self.left_in_databases()])
            told = unforeseen.message(error, self, self.step, became)
            if self.feedback.isCanceled():  # what works on after a cancel may stumble over the half that it was given
                self.tell_cancelled()
                return {}
            raise QgsProcessingException(told) from error

    def tell_cancelled(self):
        """Say in the log that the run was cancelled, and what became of its outputs."""
        self.feedback.pushInfo(" ".join([self.tr("Cancelled: nothing was written."), *self.left_in_databases()]))

    def plan_name(self) -> str:
        """Return what the plan is called that the run makes; "" where it makes none."""
        return ""

    def record(self):
        """Return the record of this run, made when it is first asked for."""
        if self.recorded is None:
            self.recorded = records.begin(self, self.plan_name())
            self.recorded.inputs = records.inputs(self)
        return self.recorded

    def compute(self) -> dict:
        """Compute and write; return the outputs."""
        raise NotImplementedError

    def progress(self, fraction: float, text: str = "") -> None:
        """Move the progress bar and say what is being done: each new phase, and news of it every other second."""
        self.feedback.setProgress(100 * fraction)
        self.step = text or self.step
        now, is_other_phase = time.monotonic(), text.partition(",")[0] != self.text.partition(",")[0]
        if text and text != self.text and (is_other_phase or now - self.told > 2):
            self.text, self.told = text, now
            self.feedback.setProgressText(text)
