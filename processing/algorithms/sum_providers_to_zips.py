"""Sum providers to ZIPs: how many providers and how much workload each ZIP has."""

from __future__ import annotations

from collections import Counter

import numpy as np
from qgis.core import (
    Qgis,
    QgsCoordinateTransform,
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDistance,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsWkbTypes,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from .. import groups
from ..base import TerritoriesAlgorithm
from ..crosswalks import crosswalk_parameters, read_crosswalk
from ..parameters import flag_advanced, usual

BLOCK = 100_000
"""How many providers are placed at a time."""


class SumProvidersToZips(TerritoriesAlgorithm):
    """Counts and sums providers per ZIP polygon; nothing is lost on the way."""

    ID = "sumproviderstozips"
    TITLE = "Sum providers to ZIPs"
    GROUP = groups.PREPARE
    TAGS = ("zcta", "crosswalk", "aggregate", "count", "workload", "npi")
    HELP = """
    Counts the providers of each ZIP polygon and sums their workload.

    A provider belongs to the polygon of its ZIP. ZIP+4, floats ("688472944.0") and lost leading zeros are
    repaired. A ZIP without polygon (PO boxes, large receivers) goes through the crosswalk table (columns ZIP
    and ZCTA), else to the polygon that the provider's point falls in, else to the nearest one within the limit.
    Without a ZIP field, providers are placed by location.

    What is left lands in “Providers without a ZIP” with the reason. Sums in equal sums out: this is checked and
    reported.
    """

    def initAlgorithm(self, config=None):
        vector, polygon = QgsProcessing.SourceType.TypeVector, QgsProcessing.SourceType.TypeVectorPolygon
        source, field = QgsProcessingParameterFeatureSource, QgsProcessingParameterField
        for parameter in (
            source("PROVIDERS", self.tr("Providers"), [vector]),
            field("PROVIDER_ZIP_FIELD", self.tr("ZIP of the provider (empty: by location)"),
                  parentLayerParameterName="PROVIDERS", optional=True),
            field("WORKLOAD_FIELDS", self.tr("Fields to sum"), parentLayerParameterName="PROVIDERS",
                  allowMultiple=True, optional=True),
            source("ZIPS", self.tr("ZIP polygons"), [polygon]),
            usual(field("ZIP_FIELD", self.tr("ZIP of the polygon"), parentLayerParameterName="ZIPS"),
                  gis.fields.ZIP5.name),
            *crosswalk_parameters(self.tr),
        ):  # fmt: skip
            self.addParameter(parameter)
        limit = QgsProcessingParameterDistance(
            "MAX_DISTANCE", self.tr("Nearest polygon at most this far"), 10.0, minValue=0.0
        )
        limit.setDefaultUnit(Qgis.DistanceUnit.Kilometers)
        self.addParameter(flag_advanced(limit))
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("ZIPs with workload")))
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "UNMATCHED", self.tr("Providers without a ZIP"), optional=True, createByDefault=True
            )
        )
        for name, label in (
            ("MATCHED_COUNT", "Providers placed"), ("UNMATCHED_COUNT", "Providers without a ZIP"),
            ("TOTAL_WORKLOAD", "Sum of the first field over all ZIPs"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        if self.string("PROVIDER_ZIP_FIELD"):
            return []
        providers = self.source("PROVIDERS")
        if providers is not None and QgsWkbTypes.geometryType(providers.wkbType()) != Qgis.GeometryType.Point:
            return [self.tr("The providers are no points: choose their ZIP field, or give a point layer.")]
        return []

    def compute(self):
        self.progress(0.0, self.tr("Reading ZIP polygons"))
        unit_field = self.string("ZIP_FIELD")
        layer, units = gis.frames.read_units(
            self.source("ZIPS"), unit_field, self.context, self.feedback, "The ZIP layer"
        )
        units = self.repaired(units, unit_field)
        self.progress(0.1, self.tr("Reading providers"))
        zip_field, sums = self.string("PROVIDER_ZIP_FIELD"), self.strings("WORKLOAD_FIELDS")
        providers = gis.columns.read_columns(
            self.source("PROVIDERS"), "The provider layer", self.feedback,
            zip_field=zip_field, units=units, numbers=sums, keys=[zip_field, "npi"],
        )  # fmt: skip
        if providers.xy is None and not zip_field:
            raise TerritoryError(
                "No provider has a place: the layer is one of points, but none of them is drawn. Choose the field of "
                "their ZIP (“ZIP of the provider”), or geocode them."
            )
        values = self.summable(providers, sums)
        self.warn_of_gaps(values, sums)
        self.progress(0.5, self.tr("Placing providers"))
        where, ways, reasons = self.placed(providers, units, layer)
        counts, totals = engine.zipcodes.sum_to_units(where, values, len(units))
        lost = where < 0
        self.check_matches(lost, providers, units)
        self.balance_the_books(sums, values, totals, counts, lost, ways)

        self.progress(0.8, self.tr("Writing"))
        added = gis.fields.columns(
            gis.fields.PROVIDERS, *(gis.fields.Column(name, gis.fields.REAL, name) for name in sums)
        )
        zip_fields, _ = self.beside(layer.fields, added)
        output = self.write("OUTPUT", zip_fields, layer.wkb_type, layer.crs,
            (([*feature.attributes(), int(count), *total], feature.geometry())
             for feature, count, total in zip(layer.features, counts, totals.tolist())),
            gis.styles.workload_zips(float(totals[:, 0].max()) if sums else float(counts.max()),
                                     sums[0] if sums else gis.fields.PROVIDERS.name),
        )  # fmt: skip
        return {
            "OUTPUT": output, "UNMATCHED": self.write_unmatched(providers, reasons),
            "MATCHED_COUNT": int((~lost).sum()), "UNMATCHED_COUNT": int(lost.sum()),
            "TOTAL_WORKLOAD": float(totals[:, 0].sum()) if sums else float(counts.sum()),
        }  # fmt: skip

    def placed(self, providers, units, layer):
        """Return each provider's unit, -1 for none; how many came there in which way; and why others did not."""
        crosswalk, limit = read_crosswalk(self, units), self.number("MAX_DISTANCE")
        transform = QgsCoordinateTransform(providers.crs, gis.geometries.LONLAT, self.context.transformContext())
        where, ways, reasons = np.full(len(providers), -1), Counter(), {}
        for start in range(0, len(providers), BLOCK):
            rows = slice(start, start + BLOCK)
            found = engine.zipcodes.locate_providers(
                None if providers.codes is None else providers.codes[rows], units, crosswalk=crosswalk,
                points=providers.points(rows, transform), polygons=layer.lonlat, limit_km=limit,
                cancelled=self.feedback.isCanceled,
            )  # fmt: skip
            where[rows] = found["unit"]
            ways.update(found["method"])
            lost = found["reason"][found["unit"] < 0]
            reasons.update(zip((lost.index + start).tolist(), lost))
            self.progress(0.5 + 0.3 * start / len(providers), self.tr("Placing providers"))
        return where, ways, reasons

    def write_unmatched(self, providers, reasons):
        """Write the providers that are in no ZIP, with the reasons."""
        fields, _ = gis.fields.beside(providers.fields, gis.fields.columns(*gis.fields.UNMATCHED))
        zip_field = self.string("PROVIDER_ZIP_FIELD")
        at = providers.at(zip_field) if zip_field else -1

        def made(row, feature):
            raw = engine.tables.missing.known_text(gis.tables.plain(feature.attribute(at))) if at >= 0 else None
            return [*feature.attributes(), raw, reasons[row]], feature.geometry()

        rows = np.fromiter(reasons, dtype=int, count=len(reasons))
        return self.write(
            "UNMATCHED", fields, providers.source.wkbType(), providers.crs, gis.columns.Again(providers, rows, made),
            gis.styles.unmatched(),
        )  # fmt: skip

    def repaired(self, units, field):
        """Return the ZIPs of the polygons in five digits; refuse those that become the same."""
        units = engine.tables.zips.unit_codes(units)
        repeated = [unit for unit, count in Counter(units).items() if count > 1]
        if repeated:
            raise TerritoryError(
                f"The ZIP layer: in five digits, ZIPs occur more than once in “{field}”: {name_some(repeated)}. "
                "Dissolve these polygons first (“Dissolve”), or correct their ZIPs."
            )
        return units

    def warn_of_gaps(self, values, names):
        """Say how many values are NULL or negative, field by field."""
        for column, name in zip(values.T, names):
            if np.isnan(column).any():
                self.feedback.pushWarning(
                    self.tr("{:provider has|providers have} no “{}”, which adds nothing.").format(
                        Count(np.isnan(column).sum()), name
                    )
                )
            if (column < 0).any():
                rows = name_some(f"row {row + 1}" for row in np.flatnonzero(column < 0))
                raise TerritoryError(
                    f"“{name}” is negative at {rows}. Workloads must be at least 0: correct these providers."
                )

    def check_matches(self, lost, providers, units):
        """Refuse when no provider is placed; warn when fewer than half of them are."""
        if zip_field := self.string("PROVIDER_ZIP_FIELD"):
            way_out = (
                f"Look whether “{zip_field}” and “{self.string('ZIP_FIELD')}” both hold the "
                "ZIP, and whether the providers are those of this market."
            )
            if self.source("CROSSWALK") is None:
                way_out += " A crosswalk finds the polygon of ZIPs that have none (PO boxes)."
            for warning in engine.accounts.check_matches(
                "provider", lost, providers.texts(zip_field), units, "ZIP", way_out
            ):
                self.feedback.pushWarning(warning)
        elif lost.all():
            raise TerritoryError(
                "No provider lies in a ZIP polygon, nor near one. Look whether both layers lie in the same place and "
                "have the right coordinate reference system, or choose the field of the providers' ZIP."
            )

    def balance_the_books(self, names, values, totals, counts, lost, ways):
        """Check that nothing was lost and say how the providers were placed."""
        if counts.sum() + lost.sum() != len(lost):
            raise TerritoryError("Providers were lost while summing; please report this with your data.")
        told = {
            "zip": "by ZIP",
            "crosswalk": "through the crosswalk",
            "inside": "by location",
            "nearest": "to the nearest polygon",
        }
        self.feedback.pushInfo(
            self.tr("{:provider|providers}: ").format(Count(len(lost)))
            + ", ".join(f"{ways[way]:,} {text}" for way, text in told.items() if ways[way])
            + f", {int(lost.sum()):,} without a ZIP."
        )
        for at, name in enumerate(names):
            put_in, placed_sum = np.nansum(values[:, at]), totals[:, at].sum()
            left = np.nansum(values[lost, at])
            if not np.isclose(put_in, placed_sum + left, rtol=1e-9, atol=1e-9):
                raise TerritoryError(
                    f"The sum of “{name}” changed from {put_in} to {placed_sum + left}; please report this."
                )
            self.feedback.pushInfo(
                self.tr("{}: {:,.2f} in = {:,.2f} in ZIPs + {:,.2f} without a ZIP.").format(
                    name, put_in, placed_sum, left
                )
            )
        if lost.any():
            self.feedback.pushWarning(
                self.tr(
                    "{:provider has|providers have} no ZIP polygon, listed with reasons in “Providers without a ZIP”."
                ).format(Count(lost.sum()))
            )
