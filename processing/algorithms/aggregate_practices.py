"""Aggregate practices: providers become the practices that reps call on."""

from __future__ import annotations

import numpy as np
from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError
from .. import groups
from ..base import VECTOR, TerritoriesAlgorithm
from ..parameters import enum, flag_advanced

FIELDS = {
    "NPI_FIELD": "npi", "ORGANISATION_FIELD": "organisation", "ADDRESS_FIELD": "address", "CITY_FIELD": "city",
    "ZIP_FIELD": "zip", "SPECIALTY_FIELD": "specialty",
}  # fmt: skip


class AggregatePractices(TerritoriesAlgorithm):
    """Makes one feature of the providers who share an organisation or an address."""

    ID = "aggregatepractices"
    TITLE = "Aggregate practices"
    GROUP = groups.PREPARE
    TAGS = ("practice", "group", "organisation", "address", "clinicians", "dissolve", "account")
    HELP = """
    Makes practices of providers: clinicians of the same organisation at the same address, of the same organisation
    anywhere, or at the same address. A practice is what a rep calls on.

    Addresses are compared as the post office writes them (100 North Main Street is 100 N MAIN ST); suites may tell
    them apart or not.

    Each practice has the number of its clinicians (different NPIs), their specialties with counts, and the sums of the
    fields that you choose (volume, workload). It stands where the clinician nearest to the middle of it stands. Rows
    with neither organisation nor address are practices of their own. Sums in equal sums out.
    """

    def initAlgorithm(self, config=None):
        source, field = QgsProcessingParameterFeatureSource, QgsProcessingParameterField
        self.addParameter(source("INPUT", self.tr("Providers"), [VECTOR]))
        self.addParameter(
            enum("GROUP_BY", self.tr("A practice is"), {
                "organisation_site": self.tr("an organisation at an address"),
                "organisation": self.tr("an organisation"), "address": self.tr("an address"),
            }, "organisation_site")
        )  # fmt: skip
        for name, label in (
            ("NPI_FIELD", self.tr("NPI")),
            ("ORGANISATION_FIELD", self.tr("Organisation (name or number)")),
            ("ADDRESS_FIELD", self.tr("Address")),
            ("CITY_FIELD", self.tr("City")),
            ("ZIP_FIELD", self.tr("ZIP")),
            ("SPECIALTY_FIELD", self.tr("Specialty")),
        ):
            self.addParameter(field(name, label, parentLayerParameterName="INPUT", optional=True))
        self.addParameter(
            field("SUM_FIELDS", self.tr("Fields to sum (volume, workload, …)"), parentLayerParameterName="INPUT",
                  allowMultiple=True, optional=True)
        )  # fmt: skip
        for parameter in (
            field("NAME_FIELD", self.tr("Name of the practice (empty: the organisation)"),
                  parentLayerParameterName="INPUT", optional=True),
            field("ENTITY_FIELD", self.tr("Person or organisation (organisations are no clinicians)"),
                  parentLayerParameterName="INPUT", optional=True),
            QgsProcessingParameterBoolean("SUITES", self.tr("Suites and floors tell addresses apart"), True),
        ):  # fmt: skip
            self.addParameter(flag_advanced(parameter))
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Practices")))
        for name, label in (
            ("PRACTICES", "Practices"), ("CLINICIANS", "Clinicians, summed over practices"),
            ("ALONE", "Rows without organisation and address"), ("TOTAL", "Sum of the first field"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        if not self.string("ORGANISATION_FIELD") and not self.string("ADDRESS_FIELD"):
            return [self.tr("Choose the field of the organisation, or that of the address, or both.")]
        if self.choice("GROUP_BY") == "organisation" and not self.string("ORGANISATION_FIELD"):
            return [self.tr("Practices are organisations: choose the field of the organisation.")]
        if self.choice("GROUP_BY") == "address" and not self.string("ADDRESS_FIELD"):
            return [self.tr("Practices are addresses: choose the field of the address.")]
        return []

    def compute(self):
        self.progress(0.0, self.tr("Reading providers"))
        source = self.source("INPUT")
        layer = gis.frames.read_layer(
            source, "The provider layer", self.context, self.feedback, geometry="any",
            keys=[self.string(name) for name in FIELDS if self.string(name)],
        )  # fmt: skip
        frame = engine.practices.provider_frame({
            column: layer.texts(self.string(name)) if self.string(name) else [None] * len(layer)
            for name, column in FIELDS.items()
        })  # fmt: skip
        if self.string("ZIP_FIELD"):
            frame["zip"] = layer.zips(self.string("ZIP_FIELD"))
        if self.string("NPI_FIELD"):
            npis = layer.npis(self.string("NPI_FIELD"))
            frame["npi"] = [npi or text for npi, text in zip(npis, frame["npi"])]
        entity = self.string("ENTITY_FIELD")
        frame["counts"] = [text != engine.nppes_rows.ORGANISATION for text in layer.texts(entity)] if entity else True
        names = self.strings("SUM_FIELDS")
        values = self.summable(layer, names)
        self.progress(0.4, self.tr("Grouping"))
        practice, alone = engine.practices.practice_keys(
            frame["organisation"], frame["address"], frame["zip"], by=self.choice("GROUP_BY"),
            rooms=self.parameterAsBoolean(self.parameters, "SUITES", self.context),
        )  # fmt: skip
        if self.string("NAME_FIELD"):
            frame["organisation"] = layer.texts(self.string("NAME_FIELD"))
        table = engine.practices.aggregate(practice, frame, values)
        self.balance_the_books(names, values, table, alone)

        self.progress(0.8, self.tr("Writing"))
        points = gis.frames.points_of(layer, self.context)
        middle = np.full(len(table), -1)
        if points is not None:
            lonlat = np.array([(np.nan, np.nan) if point is None else (point.x, point.y) for point in points])
            middle = engine.practices.middle_rows(practice, lonlat)
        taken = {column.name for column in gis.fields.PRACTICES}
        added = [
            gis.fields.Column(f"{name}_sum" if name.lower() in taken else name, gis.fields.REAL, name) for name in names
        ]
        fields = gis.fields.columns(*gis.fields.PRACTICES, *added)
        columns = ["name", "address", "city", "zip", "clinicians", "providers", "specialty", "specialties"]
        columns += [f"sum_{at}" for at in range(len(names))]
        records = table[columns].astype(object).to_numpy()
        output = self.write("OUTPUT", fields, gis.fields.POINT if points is not None else gis.fields.NO_GEOMETRY,
            gis.geometries.LONLAT,
            (([number + 1, *gis.territories.attributes(record)],
              gis.geometries.from_shape(points[row]) if row >= 0 else None)
             for number, (record, row) in enumerate(zip(records, middle))),
            gis.styles.practices(float(table["clinicians"].max())),
        )  # fmt: skip
        return {
            "OUTPUT": output, "PRACTICES": len(table), "CLINICIANS": int(table["clinicians"].sum()),
            "ALONE": int(alone.sum()), "TOTAL": float(table["sum_0"].sum()) if names else 0.0,
        }  # fmt: skip

    def balance_the_books(self, names, values, table, alone):
        """Check that nothing was lost, and say what came of what."""
        if table["providers"].sum() != len(values):
            raise TerritoryError("Providers were lost while grouping; please report this with your data.")
        self.feedback.pushInfo(
            self.tr(
                "{:row|rows} became {:practice|practices} with {:clinician|clinicians}; the largest has {:,}."
            ).format(
                Count(len(values)), Count(len(table)), Count(table["clinicians"].sum()), int(table["clinicians"].max())
            )
        )
        for at, name in enumerate(names):
            put_in, joined = np.nansum(values[:, at]), table[f"sum_{at}"].sum()
            if not np.isclose(put_in, joined, rtol=1e-9, atol=1e-9):
                raise TerritoryError(f"The sum of “{name}” changed from {put_in} to {joined}; please report this.")
            gaps = int(np.isnan(values[:, at]).sum())
            if gaps:
                self.feedback.pushWarning(
                    self.tr("{:row has|rows have} no “{}”, which adds nothing.").format(Count(gaps), name)
                )
        if alone.any():
            self.feedback.pushWarning(
                self.tr("{:row has|rows have} neither organisation nor address: each is a practice of its own.").format(
                    Count(alone.sum())
                )
            )
