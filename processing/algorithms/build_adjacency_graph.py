"""Build adjacency graph: which units touch, how much border they share, and what bridges the gaps."""

from __future__ import annotations

from qgis.core import (
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, name_some
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import LINES, TerritoriesAlgorithm
from ..parameters import contact_parameters, usual


class BuildAdjacencyGraph(TerritoriesAlgorithm):
    """Writes the contiguity graph of a unit layer as a layer of edges."""

    ID = "buildadjacencygraph"
    TITLE = "Build adjacency graph"
    GROUP = groups.PREPARE
    TAGS = ("contiguity", "neighbours", "rook", "queen", "weights", "graph", "networkx", "island", "bridge")
    HELP = """
    Finds which units (ZIP polygons) touch and writes the graph as a layer of edges, from centre to centre:
    shared border in metres, distance of the centres in kilometres, kind (border, point, bridge) and whether the
    edge is open.

    Rook contact is a shared border; queen contact also counts corners. Clean coverages are matched exactly;
    where borders do not quite meet, gaps and overlaps up to the sliver tolerance count as shared.

    Islands touch nothing. A bridge joins each group of units to the nearest other ones, so that territories can
    span water; bridges are edges of their own kind that you see and can edit.

    Barrier lines (rivers, mountain ridges) close the edges they cross. Close or open any edge by hand in the
    column “open”, and give the layer to “Balance territories”.
    """

    def initAlgorithm(self, config=None):
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "INPUT", self.tr("Units (ZIP polygons)"), [QgsProcessing.SourceType.TypeVectorPolygon]
            )
        )
        unit = QgsProcessingParameterField("UNIT_FIELD", self.tr("Unit id (ZIP)"), parentLayerParameterName="INPUT")
        self.addParameter(usual(unit, gis.fields.ZIP5.name))
        for parameter in contact_parameters(self.tr):
            self.addParameter(parameter)
        self.addParameter(
            QgsProcessingParameterFeatureSource("BARRIERS", self.tr("Barrier lines"), [LINES], optional=True)
        )
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Adjacency"), LINES))
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "ISOLATES", self.tr("Units without a neighbour"), optional=True, createByDefault=False
            )
        )
        for name, label in (
            ("UNIT_COUNT", "Units"), ("EDGE_COUNT", "Edges"), ("BRIDGE_COUNT", "Bridges"),
            ("CLOSED_COUNT", "Closed edges"),
            ("ISOLATE_COUNT", "Units without a neighbour"), ("COMPONENT_COUNT", "Components before bridging"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def compute(self):
        self.progress(0.0, self.tr("Reading units"))
        source = self.source("INPUT")
        field = self.string("UNIT_FIELD")
        layer, units = gis.frames.read_units(source, field, self.context, self.feedback)
        edges = self.contacts(layer, units, part(self.progress, 0.3, 0.8))
        touching = engine.contiguity.adjacency_graph(units, edges[edges["kind"] != "bridge"])
        isolates = engine.contiguity.isolates(touching)
        parts = engine.contiguity.components(touching)
        centres = layer.centres()
        barriers = self.source("BARRIERS")
        if barriers is not None:
            self.progress(0.8, self.tr("Closing what the barriers cross"))
            lines = gis.frames.read_layer(barriers, "The barrier layer", self.context, self.feedback, geometry="line")
            edges = engine.contiguity.close_crossed(edges, units, centres, lines.lonlat, layer.lonlat)
        self.tell(units, edges, isolates, parts)

        self.progress(0.9, self.tr("Writing"))
        kind, rows = gis.adjacency.edge_rows(edges, units, centres, layer, self.context, self.feedback.isCanceled)
        output = self.write("OUTPUT", gis.fields.columns(*gis.fields.EDGE), kind, layer.crs, rows, gis.styles.edges())
        return {
            "OUTPUT": output,
            "ISOLATES": self.write_isolates(layer, units, isolates, parts, edges),
            "UNIT_COUNT": len(units), "EDGE_COUNT": len(edges), "BRIDGE_COUNT": int((edges["kind"] == "bridge").sum()),
            "CLOSED_COUNT": int((~edges["open"]).sum()), "ISOLATE_COUNT": len(isolates), "COMPONENT_COUNT": len(parts),
        }  # fmt: skip

    def tell(self, units, edges, isolates, parts):
        """Say what the graph is like."""
        kinds = edges["kind"].value_counts()
        self.feedback.pushInfo(
            self.tr(
                "{:unit|units}, {:edge|edges} ({}); {:connected group|connected groups} before bridging, "
                "{:unit touches|units touch} no other."
            ).format(
                Count(len(units)),
                Count(len(edges)),
                ", ".join(f"{count:,} {kind}" for kind, count in kinds.items()),
                Count(len(parts)),
                Count(len(isolates)),
            )
        )
        if len(parts) > 1 and not (edges["kind"] == "bridge").any():
            self.feedback.pushWarning(
                self.tr(
                    "The graph is in {:part|parts} and nothing bridges them; alone stand {}. "
                    "Set “Bridge islands” to join them."
                ).format(Count(len(parts)), name_some(isolates) if isolates else self.tr("no single units"))
            )
        bridges = edges[edges["kind"] == "bridge"]
        if len(bridges):
            longest = bridges.loc[bridges["distance_km"].idxmax()]
            self.feedback.pushInfo(
                self.tr("{:bridge|bridges}; the longest joins {} and {} ({:,.0f} km from centre to centre).").format(
                    Count(len(bridges)), longest["from_unit"], longest["to_unit"], longest["distance_km"]
                )
            )

    def write_isolates(self, layer, units, isolates, parts, edges):
        """Write the units that touch no other, with the units that bridges join them to."""
        alone = set(isolates)
        number = {unit: at + 1 for at, members in enumerate(parts) for unit in members}
        reached = {unit: [] for unit in alone}
        for bridge in edges[edges["kind"] == "bridge"].itertuples(index=False):
            for here, there in ((bridge.from_unit, bridge.to_unit), (bridge.to_unit, bridge.from_unit)):
                if here in alone:
                    reached[here].append(there)
        added = gis.fields.columns(gis.fields.COMPONENT, gis.fields.BRIDGED_TO)
        rows = (
            ([*feature.attributes(), number[unit], ", ".join(reached[unit]) or None], feature.geometry())
            for feature, unit in zip(layer.features, units)
            if unit in alone
        )
        return self.write("ISOLATES", gis.fields.beside(layer.fields, added)[0], layer.wkb_type,
            layer.crs, rows, gis.styles.isolates(),
        )  # fmt: skip
