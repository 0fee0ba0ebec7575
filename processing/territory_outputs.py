"""What `balanceterritories` and `evaluateterritories` share: the market they read, the territories they write."""

from __future__ import annotations

from dataclasses import asdict, dataclass

import numpy as np
from qgis.core import (
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
)

from ..territory_plugin import engine, gis
from ..territory_plugin.engine.errors import Count, TerritoryError, name_some
from ..territory_plugin.engine.progress import part, stop_if
from .base import POLYGONS, VECTOR, TerritoriesAlgorithm
from .parameters import flag_advanced, real, shares_of, usual

MEASURES = {
    "TERRITORY_COUNT": ("Territories", "territories"),
    "MAX_DEVIATION_PCT": ("Largest deviation (%)", "max_deviation_pct"),
    "WITHIN_PCT": ("Territories within tolerance (%)", "within_pct"),
    "CUT_EDGES": ("Cut edges", "cut_edges"),
    "RMS_KM": ("RMS distance to the territories' centres (km)", "rms_km"),
    "UNASSIGNED": ("Units without a territory", "unassigned"),
    "TOTAL_WORKLOAD": ("Total workload", "total_workload"),
}


@dataclass
class Market:
    """The units of a market with their workload and contacts.

    Attributes
    ----------
    layer : gis.frames.Layer
    units : list of str
    centres : numpy.ndarray of float, shape (n, 2)
        Longitude and latitude.
    workload : numpy.ndarray of float, shape (n,)
    fields : list of str
        The workload fields it comes from.
    graph : networkx.Graph
        Nodes in the order of `units`, with ``workload``, ``lon`` and ``lat``; open contacts as edges.
    """

    layer: object
    units: list
    centres: object
    workload: object
    fields: list
    graph: object


WARNINGS = 30
"""How many territories a warning is given for; the layer has all reasons."""


class TerritoriesOutputAlgorithm(TerritoriesAlgorithm):
    """An algorithm that reads a market and writes territories with their measures."""

    def add_unit_parameters(self):
        """Add the units, their workload and their contacts."""
        source, field = QgsProcessingParameterFeatureSource, QgsProcessingParameterField
        for parameter in (
            source("UNITS", self.tr("Units (ZIPs with workload)"), [POLYGONS]),
            usual(field("UNIT_FIELD", self.tr("Unit id (ZIP)"), parentLayerParameterName="UNITS"),
                  gis.fields.ZIP5.name),
            field("WORKLOAD_FIELDS", self.tr("Workload"), parentLayerParameterName="UNITS", allowMultiple=True),
            QgsProcessingParameterString(
                "SHARES", self.tr("Shares of several workload fields (60, 10, 30; empty: equal)"), optional=True
            ),
            source("EDGES", self.tr("Adjacency edges (empty: built from the units)"), [VECTOR], optional=True),
            flag_advanced(
                field("PROVIDERS_FIELD", self.tr("Number of providers (empty: “providers” where there is one)"),
                      parentLayerParameterName="UNITS", optional=True)
            ),
        ):  # fmt: skip
            self.addParameter(parameter)

    def add_tolerance(self):
        """Add the tolerance, and what the plan is called."""
        self.addParameter(real("TOLERANCE", self.tr("Tolerance (± % of the target)"), 5.0, 0, 100))
        self.addParameter(
            QgsProcessingParameterString(
                "PLAN", self.tr("Name of the plan, on its group of layers and its report"), optional=True
            )
        )

    def plan_name(self):
        return self.string("PLAN").strip() or self.usual_plan_name()

    def usual_plan_name(self) -> str:
        """Return what a plan is called that was given no name."""
        return self.displayName()

    def add_report(self):
        """Add the report page."""
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "REPORT",
                self.tr("Report"),
                self.tr("HTML files (*.html)"),
                optional=True,
                createByDefault=True,
            )
        )

    def add_measures(self):
        """Add the numbers that models go on with."""
        for name, (label, _) in MEASURES.items():
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))
        self.addOutput(QgsProcessingOutputBoolean("CONNECTED", self.tr("Every territory is connected")))
        self.addOutput(QgsProcessingOutputString("REASONS", self.tr("Why territories are flagged")))

    # ---------------------------------------------------------------- reading

    def read_market(self, progress) -> Market:
        """Read units, workload and contacts; refuse what cannot be balanced, naming it."""
        progress(0.0, self.tr("Reading units"))
        source = self.source("UNITS")
        layer, units = gis.frames.read_units(source, self.string("UNIT_FIELD"), self.context, self.feedback)
        names = self.strings("WORKLOAD_FIELDS")
        shares = shares_of(self.string("SHARES"))
        workload = self.workload(layer, units, names, shares)
        edges_source = self.source("EDGES")
        if edges_source is None:
            edges = self.contacts(layer, units, part(progress, 0.3, 1.0))
        else:
            progress(0.5, self.tr("Reading edges"))
            edges = gis.adjacency.read_edges(edges_source, units, self.context, self.feedback)
        centres = layer.centres()
        stop_if(self.feedback.isCanceled)
        graph = engine.contiguity.adjacency_graph(
            units, edges, {"workload": workload, "lon": centres[:, 0], "lat": centres[:, 1]}
        )
        stop_if(self.feedback.isCanceled)
        return Market(layer, units, centres, workload, names, graph)

    def workload(self, layer, units, names, shares):
        """Return the workload of each unit: the field's own, or the composite index of several."""
        columns = []
        for name in names:
            column = self.summable(layer, [name], units)[:, 0]
            absent = np.isnan(column)
            if absent.any():
                self.feedback.pushWarning(
                    self.tr("{:unit has|units have} no “{}”; it counts as 0: {}.").format(
                        Count(absent.sum()), name, name_some(np.array(units, dtype=object)[absent])
                    )
                )
            if (column < 0).any():
                raise TerritoryError(
                    f"“{name}” is negative at units {name_some(np.array(units, dtype=object)[column < 0])}. "
                    "Workloads must be at least 0: correct them, or choose another field."
                )
            columns.append(np.nan_to_num(column))
        if not any(column.sum() > 0 for column in columns):
            raise TerritoryError(
                f"There is no workload at all in {', '.join(names)}: choose a field with values above 0."
            )
        if len(columns) == 1:
            return columns[0]
        return engine.workload.composite_index(np.column_stack(columns), names, shares or None)

    # ---------------------------------------------------------------- writing

    def write_territories(
        self, market, territory, tolerance, progress, *, targets=None, reasons=None, sections=(), also=None
    ):
        """Measure the territories and write them, the units and the report; return the outputs.

        `also` holds further columns of the territories: their values by territory.
        """
        progress(0.0, self.tr("Measuring"))
        layer, graph = market.layer, market.graph
        positions = engine.geodesy.geocentric(market.centres)
        table = engine.measures.territory_measures(
            graph, territory, market.workload, positions, tolerance=tolerance, targets=targets
        )
        stop_if(self.feedback.isCanceled)
        flags = engine.measures.flags(table, graph, territory, market.workload)
        stop_if(self.feedback.isCanceled)
        for name, reason in (reasons or {}).items():
            if reason and not table.at[name, "within"]:
                flags[name] = reason
        overall = engine.measures.summary(table, graph, territory)
        stop_if(self.feedback.isCanceled)
        shapes = gis.territories.merge_units(
            layer,
            market.units,
            territory,
            list(table.index),
            self.number("SLIVER_TOLERANCE"),
            part(progress, 0.1, 0.6),
            self.feedback.isCanceled,
        )
        colours = engine.measures.colour_classes(graph, territory, list(table.index))
        full = gis.territories.territory_table(
            table, shapes, layer.crs, self.context, reasons=flags, colours=colours,
            providers=self.sum_providers(layer, territory), cancelled=self.feedback.isCanceled,
        )  # fmt: skip
        self.tell(full, overall)
        stop_if(self.feedback.isCanceled)

        progress(0.7, self.tr("Writing"))
        measures = {name: asdict(overall)[key] for name, (_, key) in MEASURES.items()}
        self.record().measures = {label: measures[name] for name, (label, _) in MEASURES.items()}
        results = {"OUTPUT": self.write_polygons(market, territory, full, shapes, colours, also or {})}
        if self.parameterDefinition("ASSIGNMENT") is not None:
            results["ASSIGNMENT"] = self.write_units(market, territory, colours)
        report = self.page("REPORT")
        if report:
            drawing = self.drawing(market, territory, full, shapes, colours)
            about = gis.metadata.about(self.record())
            engine.report.write_report(
                report, full, asdict(overall), tolerance, sections=sections, drawing=drawing, about=about
            )
            results["REPORT"] = report
        return {
            **results,
            **measures,
            "CONNECTED": overall.connected,
            "REASONS": "\n".join(f"{name}: {reason}" for name, reason in flags.items() if reason),
        }

    def write_polygons(self, market, territory, full, shapes, colours, also):
        """Write the territories with the sums of the workload fields, and the units without one as a row."""
        names = full["territory"].tolist()
        known = {column.name.lower() for column in gis.fields.TERRITORIES}
        sums = {}
        if len(market.fields) > 1:
            for field in market.fields:
                values = np.nan_to_num(market.layer.numbers(field))
                sums[f"{field}_sum" if field.lower() in known else field] = values
        fields = gis.fields.columns(
            *gis.fields.TERRITORIES, *(gis.fields.Column(name, gis.fields.REAL, name) for name in sums), *also
        )
        totals = [engine.measures.sum_by_territory(values, territory, names) for values in sums.values()]
        rows = [
            (
                [*gis.territories.attributes(row), *(float(total[row.territory]) for total in totals),
                 *(values.get(row.territory) for values in also.values())],
                shape,
            )
            for row, shape in zip(full.itertuples(index=False), shapes)
        ]  # fmt: skip
        apart = np.array([name is None for name in territory])
        if apart.any():
            # so that totals in equal totals out
            values = dict.fromkeys(fields.names())
            values.update(
                workload=float(market.workload[apart].sum()),
                units=int(apart.sum()),
                reason="units without a territory",
                **{name: float(column[apart].sum()) for name, column in sums.items()},
            )
            rows.append((list(values.values()), engine.dissolve.union(market.layer.shapes[apart])))
        return self.write(
            "OUTPUT",
            fields,
            gis.fields.MULTIPOLYGON,
            market.layer.crs,
            ((attributes, gis.geometries.from_multi(shape)) for attributes, shape in rows),
            gis.styles.territories(colours, bool(apart.any())),
        )

    def write_units(self, market, territory, colours):
        """Write the units with their own columns and their territory."""
        layer, weighing = market.layer, market.fields[0]
        fields, renamed = self.beside(layer.fields, gis.fields.columns(gis.fields.TERRITORY))
        return self.write(
            "ASSIGNMENT",
            fields,
            layer.wkb_type,
            layer.crs,
            (([*feature.attributes(), name], feature.geometry()) for feature, name in zip(layer.features, territory)),
            gis.styles.units(
                colours, float(np.nanmax(layer.numbers(weighing))), renamed.get(weighing, weighing), None in territory
            ),
        )

    def drawing(self, market, territory, full, shapes, colours):
        """Return the territories as the report draws them."""
        apart = np.array([name is None for name in territory])
        rest = engine.dissolve.union(market.layer.shapes[apart]) if apart.any() else None
        flat = gis.territories.on_paper(np.array([*shapes, rest], dtype=object), market.layer.crs, self.context)
        return engine.report.Drawing(full["territory"].tolist(), flat[:-1], colours, flat[-1])

    def sum_providers(self, layer, territory):
        """Return the number of providers by territory, or None when the units do not tell."""
        field = self.string("PROVIDERS_FIELD")
        if not field and layer.fields.lookupField(gis.fields.PROVIDERS.name) >= 0:
            field = gis.fields.PROVIDERS.name
        if not field:
            return None
        return engine.measures.sum_by_territory(np.nan_to_num(self.summable(layer, [field])[:, 0]), territory)

    def tell(self, full, overall):
        """Say in the log how the plan came out and which territories need a look."""
        self.feedback.pushInfo(
            self.tr(
                "{:territory|territories}, {:.0f} % within tolerance, largest deviation {:.1f} %, "
                "{:cut edge|cut edges}, "
                "RMS distance {:.1f} km."
            ).format(
                Count(overall.territories),
                overall.within_pct,
                overall.max_deviation_pct,
                Count(overall.cut_edges),
                overall.rms_km,
            )
        )
        flagged = full[full["reason"].notna()]
        farthest = flagged["deviation_pct"].abs().sort_values(ascending=False, kind="stable").index[:WARNINGS]
        for row in flagged.loc[farthest.sort_values()].itertuples(index=False):
            self.feedback.pushWarning(f"{row.territory}: {row.reason}")
        if len(flagged) > WARNINGS:
            self.feedback.pushWarning(
                self.tr("{:more territory has|more territories have} a reason: see the column “reason”.").format(
                    Count(len(flagged) - WARNINGS)
                )
            )
