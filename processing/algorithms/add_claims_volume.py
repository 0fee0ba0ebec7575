"""Add claims volume: what Medicare's file by Provider and Service says of each provider's procedures."""

from __future__ import annotations

from collections import Counter

import numpy as np
from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterNumber,
    QgsProcessingParameterString,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import VECTOR
from ..imports import ImportAlgorithm, complaint_of
from ..parameters import enum, flag_advanced

CODE_NAMES = ("hcpcs", "hcpcs_cd", "hcpcs_code", "code", "cpt", "cpt_code")
MOSTLY = 50  # percent


class AddClaimsVolume(ImportAlgorithm):
    """Joins procedure volume to providers by NPI; what is withheld is not zero."""

    ID = "addclaimsvolume"
    TITLE = "Add claims volume"
    GROUP = groups.IMPORT
    TAGS = ("npi", "medicare", "claims", "hcpcs", "cpt", "procedures", "volume", "part b", "join")
    HELP = """
    Adds to each provider its volume of procedures from Medicare Physician & Other Practitioners by Provider and
    Service (CSV, zip or gzip; today's column names and those of 2012 and 2013).

    Choose procedures by HCPCS code (27447), range (99213-99215) or beginning (J*), or by a table of codes; the
    place of service; with or without drugs; and the measure. For drugs the number of services counts units:
    beneficiary-days or beneficiaries compare better.

    Medicare withholds what ten or fewer patients had, so a provider without rows has not done nothing. Its volume
    stays NULL, or a floor or the median of its specialty stands in; volume_assumed and volume_note mark that.

    Rows with the same NPI (several sites) share its volume, so that sums stay what they are.

    The audit lists the rows read, used and dropped, by reason; the totals add up.
    """

    def initAlgorithm(self, config=None):
        field = QgsProcessingParameterField
        self.addParameter(QgsProcessingParameterFeatureSource("INPUT", self.tr("Providers"), [VECTOR]))
        self.addParameter(field("NPI_FIELD", self.tr("NPI"), defaultValue="npi", parentLayerParameterName="INPUT"))
        self.add_file("CLAIMS", self.tr("Claims file (Medicare by Provider and Service)"))
        self.addParameter(
            QgsProcessingParameterString(
                "HCPCS", self.tr("Procedures (27447, 99213-99215, J*; empty: all)"), optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "HCPCS_TABLE", self.tr("… and a table of procedures (column hcpcs or code)"), [VECTOR], optional=True
            )
        )
        self.addParameter(
            enum("PLACE", self.tr("Place of service"), {
                "all": self.tr("office and facility"), "office": self.tr("office"), "facility": self.tr("facility"),
            }, "all")
        )  # fmt: skip
        self.addParameter(
            enum("DRUGS", self.tr("Drugs"), {
                "all": self.tr("procedures and drugs"), "exclude": self.tr("procedures only"),
                "only": self.tr("drugs only"),
            }, "all")
        )  # fmt: skip
        self.addParameter(
            enum("MEASURE", self.tr("Measure"), {
                "services": self.tr("services"), "beneficiaries": self.tr("beneficiaries"),
                "beneficiary_days": self.tr("beneficiary-days"), "allowed": self.tr("allowed amount ($)"),
                "paid": self.tr("amount that Medicare paid ($)"),
            }, "beneficiary_days")
        )  # fmt: skip
        self.addParameter(
            enum("MISSING", self.tr("A provider without published rows"), {
                "leave": self.tr("has no volume (NULL)"), "floor": self.tr("counts as the floor"),
                "median": self.tr("counts as the median of its specialty"),
            }, "leave")
        )  # fmt: skip
        self.addParameter(
            field("SPECIALTY_FIELD", self.tr("Specialty (for the median)"), parentLayerParameterName="INPUT",
                  optional=True)
        )  # fmt: skip
        self.addParameter(
            flag_advanced(
                QgsProcessingParameterNumber(
                    "FLOOR", self.tr("Floor (empty: the smallest volume that there is)"),
                    QgsProcessingParameterNumber.Type.Double, None, True, 0.0,
                )
            )
        )  # fmt: skip
        self.addParameter(
            flag_advanced(
                enum("SEVERAL_ROWS", self.tr("Rows with the same NPI"), {
                    "divide": self.tr("share its volume equally"), "repeat": self.tr("each have all of it"),
                }, "divide")
            )
        )  # fmt: skip
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Providers with volume")))
        self.add_audit()
        for name, label in (
            ("WITH_VOLUME", "Rows with a published volume"), ("WITHOUT_VOLUME", "Rows without one"),
            ("TOTAL_VOLUME", "Total volume"), ("ASSUMED_PCT", "Share of the total volume that is assumed (%)"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        return complaint_of(lambda: engine.claims.ProcedureFilter(self.typed_codes()))

    def typed_codes(self):
        return engine.taxonomy.split_codes(self.string("HCPCS"))

    def codes(self):
        """Return the procedures typed in and those of the table."""
        wishes, source = self.typed_codes(), self.source("HCPCS_TABLE")
        if source is not None:
            table = gis.frames.read_layer(source, "The table of procedures", self.context, self.feedback)
            names = [name for name in table.fields.names() if name.lower() in CODE_NAMES]
            if not names:
                raise TerritoryError(
                    f"The table of procedures needs a column hcpcs or code; it has {', '.join(table.fields.names())}."
                )
            cells = (engine.taxonomy.split_codes(text) for text in table.texts(names[0]) if text)
            wishes = [*wishes, *(code for cell in cells for code in cell)]
        return engine.claims.ProcedureFilter(wishes)

    def compute(self):
        self.progress(0.0, self.tr("Reading providers"))
        source = self.source("INPUT")
        layer = gis.frames.read_layer(source, "The provider layer", self.context, self.feedback, geometry="any")
        npis = self.read_npis(layer.texts(self.string("NPI_FIELD")))
        wishes = engine.claims.Wishes(
            codes=self.codes(), place={"all": "all", "office": "O", "facility": "F"}[self.choice("PLACE")],
            drugs=self.choice("DRUGS"), measure=self.choice("MEASURE"),
        )  # fmt: skip
        volumes, audit = engine.claims.read_claims(
            self.file("CLAIMS"), {npi for npi in npis if npi}, wishes, part(self.progress, 0.05, 0.9),
            self.feedback.isCanceled,
        )  # fmt: skip
        audit.wishes = self.told_wishes("HCPCS", "PLACE", "DRUGS", "MEASURE", "MISSING")
        if not (volumes["rows"] > 0).any():
            raise TerritoryError(
                f"No provider has a row in the claims file that fits. {audit.sentence()} "
                "Look at the procedures, the place of service, and the NPI field."
            )
        specialty = self.string("SPECIALTY_FIELD")
        floor = self.number("FLOOR") if self.parameters.get("FLOOR") is not None else None
        found = engine.claims.volumes_of(
            npis, volumes, missing=self.choice("MISSING"), floor=floor,
            specialties=layer.texts(specialty) if specialty else None, several=self.choice("SEVERAL_ROWS"),
        )  # fmt: skip
        self.tell(found, npis, audit)

        self.progress(0.9, self.tr("Writing"))
        fields, _ = self.beside(layer.fields, gis.fields.columns(*gis.fields.CLAIMS))
        added = found[["volume", "office", "facility", "rows", "assumed", "note"]].astype(object).to_numpy()
        output = self.write("OUTPUT", fields, source.wkbType(), source.sourceCrs(),
            (([*feature.attributes(), *gis.territories.attributes(values)], feature.geometry())
             for feature, values in zip(layer.features, added)),
            gis.styles.with_volume(float(np.nanmax(found["volume"]))),
        )  # fmt: skip
        published, total = int((found["rows"] > 0).sum()), float(found["volume"].sum())
        assumed = float(found["volume"][found["assumed"]].sum())
        return {
            "OUTPUT": output, "WITH_VOLUME": published, "WITHOUT_VOLUME": len(found) - published,
            "TOTAL_VOLUME": total, "ASSUMED_PCT": 100 * assumed / (total or 1), **self.write_books([audit]),
        }  # fmt: skip

    def read_npis(self, texts):
        """Return the NPIs of the layer, None where there is none; refuse those that a spreadsheet has rounded."""
        field = self.string("NPI_FIELD")
        engine.tables.ids.refuse_damaged(texts, field)
        npis, lost = engine.npi.read_npis(texts)
        if lost:
            self.feedback.pushWarning(
                self.tr("{:NPI has|NPIs have} lost the last digits to a spreadsheet, and count as none: {}.")
                .format(Count(len(lost)), name_some(f"row {row + 1} ({texts[row]})" for row in lost))
                + " " + self.tr("Format the column as text before you open the table there.")
            )  # fmt: skip
        if not any(npis):
            raise TerritoryError(f"No value of “{field}” is an NPI: choose the field that holds it.")
        return npis

    def tell(self, found, npis, audit):
        """Say how many providers have no published volume, what stands in, and how much of the total that is."""
        without = (found["rows"] == 0).to_numpy()
        audit.note("rows of the layer with a published volume", int((~without).sum()))
        if without.any():
            by_specialty = self.string("SPECIALTY_FIELD")
            stands_in = {
                "leave": self.tr("they have no volume (NULL)"), "floor": self.tr("the floor stands in"),
                "median": self.tr("the median of the specialty stands in") if by_specialty
                else self.tr("the median of all providers stands in, as no specialty field is chosen"),
            }[self.choice("MISSING")]  # fmt: skip
            why = Counter(note.split(":")[0].split(" (")[0] for note in found["note"][without])
            told = ", ".join(f"{count:,} {text}" for text, count in why.most_common())
            self.feedback.pushWarning(
                self.tr("{:provider|providers} of {:,} without a published volume ({}); {}.").format(
                    Count(without.sum()), len(found), told, stands_in
                )
            )
            audit.note(f"rows of the layer without a published volume: {stands_in}", int(without.sum()))
        total, assumed = found["volume"].sum(), found["volume"][found["assumed"]].sum()
        if assumed > 0:
            share = 100 * assumed / total
            self.feedback.pushWarning(
                self.tr("{:.1f} % of the total volume is assumed, {:.1f} % is published.").format(share, 100 - share)
                + (" " + self.tr("Where most is assumed, the volume counts providers rather than what they do.")
                   if share > MOSTLY else "")
            )  # fmt: skip
            audit.note(f"rows of the layer whose volume is assumed: {share:.1f} % of the total volume",
                       int(found["assumed"].sum()))  # fmt: skip
        repeated = sum(count > 1 for npi, count in Counter(npis).items() if npi)
        if repeated:
            how = self.tr("share its volume") if self.choice("SEVERAL_ROWS") == "divide" else self.tr("each have all")
            self.feedback.pushInfo(self.tr("{:NPI has|NPIs have} several rows, which {}.").format(Count(repeated), how))
