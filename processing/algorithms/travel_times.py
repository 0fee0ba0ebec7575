"""Travel times over roads: from homes or units to units, as an origin–destination table."""

from __future__ import annotations

import numpy as np
from qgis.core import (
    Qgis,
    QgsCoordinateReferenceSystem,
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDistance,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
)

from ...territory_plugin import gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import LINES, TerritoriesAlgorithm
from ..parameters import enum, flag_advanced, real, usual

TABLE = QgsProcessing.SourceType.TypeVector
PLACES = QgsProcessing.SourceType.TypeVectorAnyGeometry


class TravelTimes(TerritoriesAlgorithm):
    """Writes minutes and kilometres over a road layer."""

    ID = "traveltimes"
    TITLE = "Travel times over roads"
    GROUP = groups.PREPARE
    TAGS = ("network", "roads", "drive time", "origin destination", "od matrix", "minutes", "dijkstra", "windshield")
    HELP = """
    Finds the quickest ways over a road layer, from homes (or from each unit) to the centres of units, and writes them
    as a table of origin, destination, minutes and kilometres. Balancing takes it, as it takes a table from any other
    routing tool.

    The roads are lines with a speed (a field, or one speed for all) and, where there are one-way streets, a field of
    directions. Lines meet where their ends do: roads that cross without a common vertex are not joined, so bridges stay
    bridges. QGIS's network analysis library builds the graph.

    A place goes straight to the nearest road, at the default speed; places farther from it than the limit are not
    reached. Pairs beyond the most minutes are not in the table. Places that nothing reaches are named and listed.
    """

    def initAlgorithm(self, config=None):
        source, field, text = (
            QgsProcessingParameterFeatureSource,
            QgsProcessingParameterField,
            QgsProcessingParameterString,
        )
        access = QgsProcessingParameterDistance(
            "MAX_ACCESS", self.tr("Nearest road at most this far"), 10.0, minValue=0.0
        )
        access.setDefaultUnit(Qgis.DistanceUnit.Kilometers)
        tolerance = QgsProcessingParameterDistance(
            "TOPOLOGY_TOLERANCE", self.tr("Ends of roads this near are one junction"), 0.0, "ROADS", minValue=0.0
        )
        for parameter in (
            source("ROADS", self.tr("Roads"), [LINES]),
            source("UNITS", self.tr("Units (ZIP polygons)"), [PLACES]),
            usual(field("UNIT_FIELD", self.tr("Unit id (ZIP)"), parentLayerParameterName="UNITS"),
                  gis.fields.ZIP5.name),
            source("ORIGINS", self.tr("Origins, such as homes of reps (empty: each unit)"), [PLACES], optional=True),
            field("ORIGIN_FIELD", self.tr("Origin id"), parentLayerParameterName="ORIGINS", optional=True),
            real("MAX_MINUTES", self.tr("Most minutes (0: no limit)"), 120.0, 0),
            field("SPEED_FIELD", self.tr("Speed (empty: the default for all)"), parentLayerParameterName="ROADS",
                  optional=True),
            real("DEFAULT_SPEED", self.tr("Default speed"), 30.0, 0.001),
            enum("SPEED_UNIT", self.tr("Speeds are in"), {"mph": self.tr("mph"), "kmh": self.tr("km/h")}, "mph"),
            *map(flag_advanced, (
                field("DIRECTION_FIELD", self.tr("Direction of one-way streets"), parentLayerParameterName="ROADS",
                      optional=True),
                text("VALUE_FORWARD", self.tr("Value for: as drawn"), "", optional=True),
                text("VALUE_BACKWARD", self.tr("Value for: against it"), "", optional=True),
                text("VALUE_BOTH", self.tr("Value for: both directions"), "", optional=True),
                enum("DEFAULT_DIRECTION", self.tr("Direction of all other roads"), {
                    "forward": self.tr("as drawn"), "backward": self.tr("against it"), "both": self.tr("both"),
                }, "both"),
                access, tolerance,
            )),
            QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Travel times"), TABLE),
            QgsProcessingParameterFeatureSink("UNREACHED", self.tr("Places not reached"), TABLE, optional=True,
                                              createByDefault=True),
        ):  # fmt: skip
            self.addParameter(parameter)
        for name, label in (
            ("PAIR_COUNT", "Pairs in the table"), ("ORIGIN_COUNT", "Origins"), ("UNIT_COUNT", "Units"),
            ("UNREACHED_COUNT", "Places not reached"),
            ("MISSING_COUNT", "Pairs that no way joins, within the most minutes"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        complaints = []
        if self.source("ORIGINS") is not None and not self.string("ORIGIN_FIELD"):
            complaints.append(self.tr("“Origin id” is needed for origins of your own: the field that names them."))
        if self.string("DIRECTION_FIELD") and not (self.string("VALUE_FORWARD") or self.string("VALUE_BACKWARD")):
            complaints.append(
                self.tr("Say what the direction field holds for a street that is one-way as drawn, or against it.")
            )
        return complaints

    def compute(self):
        self.progress(0.0, self.tr("Reading places"))
        units, unit_places = self.places("UNITS", "UNIT_FIELD", "The unit layer")
        own = self.source("ORIGINS") is not None
        origins, homes = self.places("ORIGINS", "ORIGIN_FIELD", "The origins") if own else (units, unit_places)
        self.progress(0.1, self.tr("Building the road graph"))
        rules = self.rules()
        graph, vertex, access = gis.roads.read_roads(
            self.source("ROADS"),
            rules,
            np.vstack([homes, unit_places]),
            self.context,
            self.feedback,
            part(self.progress, 0.1, 0.3),
        )
        self.feedback.pushInfo(
            self.tr("The road graph has {:junction|junctions} and {:directed edge|directed edges}.").format(
                Count(graph.vertices), Count(len(graph.origin))
            )
        )
        far = access > self.number("MAX_ACCESS")
        at = {"origin": np.arange(len(homes)), "destination": len(homes) + np.arange(len(unit_places))}
        from_home, to_unit = (rows[~far[rows]] for rows in at.values())
        kmh = rules.default_speed * rules.km_per_unit
        rows, reached = [], np.zeros(len(access), dtype=bool)
        limit = self.number("MAX_MINUTES") or np.inf
        ways = graph.quickest(
            vertex[from_home], vertex[to_unit], limit, part(self.progress, 0.3, 0.85), self.feedback.isCanceled
        )
        for number, minutes, km in ways:
            home = from_home[number]
            legs = access[home] + access[to_unit]
            minutes, km = minutes + 60 * legs / kmh, km + legs
            for unit in np.flatnonzero(minutes <= limit).tolist():
                if not np.isfinite(minutes[unit]) or (not own and at["destination"][home] == to_unit[unit]):
                    continue
                reached[[home, to_unit[unit]]] = True
                rows.append((origins[home], units[to_unit[unit] - len(homes)], float(minutes[unit]), float(km[unit])))
        lost = self.unreached(origins, units, far, reached, access, own, limit)
        if not rows:
            raise TerritoryError(
                "No road leads from an origin to a unit within the limit. Check that roads and units lie in the same "
                "place, that roads meet at their ends (TOPOLOGY_TOLERANCE), and the most minutes and distances."
            )
        possible = len(origins) * len(units) - (0 if own else len(units))
        return self.write_all(rows, lost, len(origins), len(units), possible)

    def rules(self):
        return gis.roads.RoadRules(
            speed_field=self.string("SPEED_FIELD"), default_speed=self.number("DEFAULT_SPEED"),
            km_per_unit=gis.roads.KM_PER_MILE if self.choice("SPEED_UNIT") == "mph" else 1.0,
            direction_field=self.string("DIRECTION_FIELD"), forward=self.string("VALUE_FORWARD"),
            backward=self.string("VALUE_BACKWARD"), both=self.string("VALUE_BOTH"),
            default_direction=self.choice("DEFAULT_DIRECTION"), topology_tolerance=self.number("TOPOLOGY_TOLERANCE"),
        )  # fmt: skip

    def places(self, name, field, called):
        """Return the ids of a layer's features and their centres in degrees."""
        source = self.source(name)
        if gis.polygons.holds_polygons(source):
            layer, ids = gis.frames.read_units(source, self.string(field), self.context, self.feedback, called)
            return ids, layer.centres()
        layer = gis.frames.read_layer(source, called, self.context, self.feedback, geometry="any")
        ids = gis.frames.unit_ids(layer, self.string(field))
        points = gis.frames.points_of(layer, self.context)
        nowhere = [unit for unit, point in zip(ids, [None] * len(ids) if points is None else points) if point is None]
        if nowhere:
            raise TerritoryError(
                f"{called}: no place is known of {name_some(nowhere)}. Give them a point, or leave them out."
            )
        return ids, np.array([(point.x, point.y) for point in points])

    def unreached(self, origins, units, far, reached, access, own, limit):
        """Return the places without any way, with the reason, and name them."""
        within = self.tr(" within {:g} minutes").format(limit) if np.isfinite(limit) else ""
        lost = []
        for role, names, start in (("origin", origins, 0), ("destination", units, len(origins))):
            if role == "origin" and not own:
                continue
            for at, name in enumerate(names, start):
                if far[at]:
                    reason = self.tr("the nearest road is {:,.1f} km away").format(access[at])
                elif not reached[at]:
                    reason = (
                        self.tr("no way to any unit") if role == "origin" else self.tr("no way from any origin")
                    ) + within
                else:
                    continue
                lost.append((name, role, reason))
        if lost:
            self.feedback.pushWarning(
                self.tr("{:place is|places are} not reached: {}.").format(
                    Count(len(lost)), name_some(f"{name} ({reason})" for name, _, reason in lost)
                )
            )
        return lost

    def write_all(self, rows, lost, origins, units, possible):
        self.progress(0.85, self.tr("Writing"))
        nowhere = QgsCoordinateReferenceSystem()
        self.feedback.pushInfo(
            self.tr("{:pair|pairs} of {:,} in the table; the median way takes {:.0f} minutes.").format(
                Count(len(rows)), possible, float(np.median([minutes for _, _, minutes, _ in rows]))
            )
        )
        if len(rows) < possible:
            self.feedback.pushInfo(
                self.tr("{:pair|pairs} without a way, or beyond the most minutes: not in the table.").format(
                    Count(possible - len(rows))
                )
            )
        output = self.write("OUTPUT", gis.fields.columns(*gis.fields.TRAVEL), gis.fields.NO_GEOMETRY, nowhere,
                            ((list(row), None) for row in rows), gis.styles.travel())  # fmt: skip
        unreached = self.write("UNREACHED", gis.fields.columns(*gis.fields.UNREACHED), gis.fields.NO_GEOMETRY, nowhere,
                               ((list(row), None) for row in lost), gis.styles.unreached())  # fmt: skip
        return {
            "OUTPUT": output, "UNREACHED": unreached, "PAIR_COUNT": len(rows), "ORIGIN_COUNT": origins,
            "UNIT_COUNT": units, "UNREACHED_COUNT": len(lost), "MISSING_COUNT": possible - len(rows),
        }  # fmt: skip
