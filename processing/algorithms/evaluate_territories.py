"""Evaluate territories: the measures of any alignment, from whatever tool."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterField,
)

from ...territory_plugin.engine.errors import TerritoryError, name_some
from ...territory_plugin.engine.progress import part
from ..base import POLYGONS, contact_parameters, flag_advanced
from ..territory_outputs import TerritoriesOutputAlgorithm


class EvaluateTerritories(TerritoriesOutputAlgorithm):
    """Measures an alignment that a field of the unit layer holds."""

    ID = "evaluateterritories"
    TITLE = "Evaluate territories"
    TAGS = ("alignment", "index", "deviation", "compactness", "polsby-popper", "reock", "report", "fairness")
    HELP = """
    Measures an alignment (ZIP → territory, in a field of the ZIP layer), whichever tool it comes from:
    workload, index (average = 100), deviation from the fair share, connected parts, Polsby–Popper and Reock
    compactness (in an equal-area projection), RMS distance to the workload's centre, providers, and flags with
    reasons.

    ZIPs without a territory are counted, named in the log and left out of the measures; they are a row of their
    own in the output, without a territory.

    The report is a page for the meeting: a bar for each territory, the measures, and what needs a look.
    """

    def initAlgorithm(self, config=None):
        self.add_unit_parameters()
        self.addParameter(
            QgsProcessingParameterField(
                "TERRITORY_FIELD", self.tr("Territory of the unit"), parentLayerParameterName="UNITS"
            )
        )
        self.add_tolerance()
        for parameter in contact_parameters(self.tr):
            self.addParameter(flag_advanced(parameter))
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Evaluated territories"), POLYGONS))
        self.add_report()
        self.add_measures()

    def compute(self):
        market = self.read_market(part(self.progress, 0.0, 0.6))
        field = self.string("TERRITORY_FIELD")
        territory = market.layer.texts(field)
        missing = [unit for unit, name in zip(market.units, territory) if name is None]
        if len(missing) == len(territory):
            raise TerritoryError(f"No unit has a territory in “{field}”: choose the field that holds the alignment.")
        if missing:
            self.feedback.pushWarning(
                self.tr("{:,} units have no territory in “{}”: {}.").format(len(missing), field, name_some(missing))
            )
        return self.write_territories(market, territory, self.number("TOLERANCE") / 100, part(self.progress, 0.6, 1.0))
