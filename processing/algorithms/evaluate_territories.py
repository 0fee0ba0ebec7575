"""Evaluate territories: the measures of any alignment, from whatever tool."""

from __future__ import annotations

from qgis.core import (
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import POLYGONS, VECTOR
from ..parameters import contact_parameters, flag_advanced, usual
from ..territory_outputs import TerritoriesOutputAlgorithm


class EvaluateTerritories(TerritoriesOutputAlgorithm):
    """Measures an alignment that a field of the unit layer holds."""

    ID = "evaluateterritories"
    TITLE = "Evaluate territories"
    GROUP = groups.REVIEW
    TAGS = ("alignment", "index", "deviation", "compactness", "polsby-popper", "reock", "report", "fairness")
    HELP = """
    Measures an alignment (ZIP → territory, in a field of the ZIP layer), whichever tool it comes from:
    workload, index (average = 100), deviation from the fair share, connected parts, Polsby–Popper and Reock
    compactness (in an equal-area projection), RMS distance to the workload's centre, providers, and flags with
    reasons.

    ZIPs without a territory are counted, named in the log and left out of the measures; they are a row of their
    own in the output, without a territory.

    With a layer of providers, each territory is broken down by columns of it (specialty, segment) and for numbers of
    it (volume in offices, volume in facilities): a tidy table with one row for each territory, column, category
    and measure, with its share of the territory and an index against the market's share.

    The report is a page for the meeting: a bar for each territory, the measures, and what needs a look.
    """

    def initAlgorithm(self, config=None):
        self.add_unit_parameters()
        territory = QgsProcessingParameterField(
            "TERRITORY_FIELD", self.tr("Territory of the unit"), parentLayerParameterName="UNITS"
        )
        self.addParameter(usual(territory, gis.fields.TERRITORY.name))
        self.add_tolerance()
        for parameter in contact_parameters(self.tr):
            self.addParameter(flag_advanced(parameter))
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Evaluated territories"), POLYGONS))
        self.add_breakdown()
        self.add_report()
        self.add_measures()

    def add_breakdown(self):
        """Add the providers that territories are broken down by, and the table."""
        field = QgsProcessingParameterField
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "PROVIDERS", self.tr("Providers, to break territories down by"), [VECTOR], optional=True
            )
        )
        self.addParameter(
            field("PROVIDER_ZIP_FIELD", self.tr("ZIP of the provider (empty: by location)"),
                  parentLayerParameterName="PROVIDERS", optional=True)
        )  # fmt: skip
        self.addParameter(
            field("BREAKDOWN_FIELDS", self.tr("Break down by (specialty, …)"), parentLayerParameterName="PROVIDERS",
                  allowMultiple=True, optional=True)
        )  # fmt: skip
        self.addParameter(
            field("BREAKDOWN_MEASURES", self.tr("Numbers to break down (volume in offices, in facilities, …)"),
                  parentLayerParameterName="PROVIDERS", allowMultiple=True, optional=True)
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "BREAKDOWN", self.tr("Territories broken down"), VECTOR, optional=True,
                createByDefault=False,
            )
        )  # fmt: skip

    def usual_plan_name(self):
        return self.tr("Territories of “{}”").format(self.string("TERRITORY_FIELD"))

    def complaints(self):
        complaints = super().complaints()
        lacking = self.source("PROVIDERS") is not None and not self.strings("BREAKDOWN_FIELDS")
        if self.parameters.get("BREAKDOWN") and lacking:
            complaints.append(
                self.tr("To break territories down, choose the fields of the providers to break down by.")
            )
        return complaints

    def compute(self):
        market = self.read_market(part(self.progress, 0.0, 0.6))
        field = self.string("TERRITORY_FIELD")
        territory = gis.alignment.territories(market.layer.column(field), self.feedback)
        missing = [unit for unit, name in zip(market.units, territory) if name is None]
        if len(missing) == len(territory):
            raise TerritoryError(f"No unit has a territory in “{field}”: choose the field that holds the alignment.")
        if missing:
            self.feedback.pushWarning(
                self.tr("{:unit has|units have} no territory in “{}”: {}.").format(
                    Count(len(missing)), field, name_some(missing)
                )
            )
        results = self.write_territories(
            market, territory, self.number("TOLERANCE") / 100, part(self.progress, 0.6, 0.9)
        )
        if self.parameters.get("BREAKDOWN") and self.source("PROVIDERS") is not None:
            results["BREAKDOWN"] = self.break_down(market, territory)
        self.progress(1.0)
        return results

    def break_down(self, market, territory):
        """Write what each territory is made of."""
        source = self.source("PROVIDERS")
        providers = gis.frames.read_layer(source, "The provider layer", self.context, self.feedback, geometry="any")
        zip_field = self.string("PROVIDER_ZIP_FIELD")
        points = gis.frames.points_of(providers, self.context)
        if not zip_field and points is None:
            raise TerritoryError("The providers have no places: choose the field of their ZIP.")
        units = engine.tables.zips.unit_codes(market.units)
        zips = providers.zips(zip_field, units) if zip_field else None
        placed = engine.zipcodes.locate_providers(
            zips, units, points=points, polygons=market.layer.lonlat, cancelled=self.feedback.isCanceled
        )
        own = [territory[unit] if unit >= 0 else None for unit in placed["unit"]]
        outside = sum(name is None for name in own)
        if outside:
            self.feedback.pushWarning(
                self.tr("{:provider|providers} of {:,} in no territory: without one in the breakdown, too.").format(
                    Count(outside), len(own)
                )
            )
        measures = self.strings("BREAKDOWN_MEASURES")
        table = engine.breakdown.break_down(
            own,
            {name: providers.texts(name) for name in self.strings("BREAKDOWN_FIELDS")},
            dict(zip(measures, self.summable(providers, measures).T)),
        )
        return self.write(
            "BREAKDOWN", gis.fields.columns(*gis.fields.BREAKDOWN), gis.fields.NO_GEOMETRY, market.layer.crs,
            ((gis.territories.attributes(row), None) for row in table.itertuples(index=False)),
            gis.styles.breakdown(),
        )  # fmt: skip
