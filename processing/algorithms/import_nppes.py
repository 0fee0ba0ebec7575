"""Import NPPES: the monthly provider file, filtered while it is read, as provider points."""

from __future__ import annotations

import numpy as np
from qgis.core import (
    Qgis,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterMultipleLayers,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import TerritoryError
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import VECTOR
from ..imports import ImportAlgorithm, complaint_of
from ..parameters import enum, flag_advanced

SITES_PER_NPI = 4096


class ImportNppes(ImportAlgorithm):
    """Reads an NPPES provider file of any size and keeps the providers that are wanted."""

    ID = "importnppes"
    TITLE = "Import NPPES providers"
    GROUP = groups.IMPORT
    TAGS = ("npi", "nppes", "taxonomy", "provider", "csv", "import", "clinician", "organisation")
    HELP = """
    Reads the monthly NPPES provider file (npidata_pfile, 9 GB and more; the CSV, or the zip as it was downloaded,
    which is not unpacked) and keeps the providers that you want, as points.

    Specialties: taxonomy codes (207XS0114X), prefixes (207X), names that the plugin knows (Cardiology, OB/GYN,
    Primary care), or classifications of a NUCC table that you give. The primary taxonomy is the code whose switch
    is Y, not always the first; all codes are kept in the column taxonomies.

    A provider stands inside the polygon of its ZIP, on a spot that its NPI decides: the same in every run, and
    no two on one point. Coordinates in the file come first when it has them. The column located_by tells.

    Weekly files that came out since (CSV or zip, in any order) bring new providers and new addresses, and the
    deactivation report takes providers out. Of all rows of one NPI the newest counts, also within one file, by
    the latest of its dates of update, deactivation and reactivation; of equal dates that of the later file or row.
    Rows come in the order of the files.

    The address holds both lines, with the suite: 100 MEDICAL PLAZA, SUITE 200.

    Secondary sites (pl_pfile, or the same zip) become further rows of the same NPI, with a site number. States
    and ZIPs are asked of each site.

    Dropped are deactivated NPIs, older rows, wrong check digits, foreign addresses and what the filters exclude.
    The audit lists records read, kept and dropped, by reason, for each file; the totals add up.
    """

    def initAlgorithm(self, config=None):
        self.add_file("INPUT", self.tr("NPPES file (npidata_pfile CSV, or the zip of the download)"))
        self.add_file("SITES", self.tr("Secondary sites (pl_pfile CSV, or the same zip; empty: none)"), optional=True)
        self.addParameter(
            QgsProcessingParameterMultipleLayers(
                "UPDATES", self.tr("Weekly NPPES files since then (CSV or zip; empty: none)"),
                Qgis.ProcessingSourceType.File, optional=True,
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "DEACTIVATED", self.tr("NPPES deactivation report (columns NPI and NPPES Deactivation Date)"), [VECTOR],
                optional=True,
            )
        )  # fmt: skip
        self.add_filters("ANY_CODE", self.tr("Secondary taxonomy codes count too"))
        self.addParameter(
            enum("ENTITY", self.tr("Entity type"), {
                "all": self.tr("people and organisations"), "person": self.tr("people"),
                "organisation": self.tr("organisations"),
            }, "all")
        )  # fmt: skip
        self.add_places()
        for parameter in (
            QgsProcessingParameterBoolean("ACTIVE_ONLY", self.tr("Active NPIs only"), True),
            QgsProcessingParameterFeatureSource(
                "TAXONOMY", self.tr("Taxonomy table of NUCC (columns Code and Classification)"), [VECTOR], optional=True
            ),
        ):
            self.addParameter(flag_advanced(parameter))
        self.add_coordinates()
        self.add_books(self.tr("Providers"))

    def complaints(self):
        # with a taxonomy table its classifications count too, and it is read when the algorithm runs
        return self.wish_complaints() + ([] if self.source("TAXONOMY") else complaint_of(self.code_filter))

    def compute(self):
        self.progress(0.0, self.tr("Reading providers"))
        wishes = engine.nppes.Wishes(
            **self.filters(), any_code=self.flag("ANY_CODE"), entity=self.choice("ENTITY"),
            active_only=self.flag("ACTIVE_ONLY"),
        )  # fmt: skip
        share = 0.85 if self.filtered(wishes) else 0.3  # of the time is reading, the rest is writing
        spool, audits = engine.nppes.scan_providers(
            self.file("INPUT"), wishes, updates=self.files("UPDATES"),
            deactivated=self.report(),
            sites=self.file("SITES") or None, **self.reading(share),
        )  # fmt: skip
        audits[0].wishes = self.told_wishes("STATES", "ZIP_CODES", "SPECIALTIES", "ANY_CODE", "ENTITY", "ACTIVE_ONLY")
        if not len(spool):
            self.write_books(audits)
            told = " ".join(audit.sentence() for audit in audits if not audit.beside)
            raise TerritoryError(f"No provider is left. {told} Widen the filters, or look at the file.")
        with spool:
            return self.write_places(spool, gis.fields.NPPES, keys, audits, part(self.progress, share, 1.0))

    def report(self):
        """Return the deactivation report, read, or None when none is given."""
        source = self.source("DEACTIVATED")
        if source is None:
            return None
        layer = self.parameterAsVectorLayer(self.parameters, "DEACTIVATED", self.context)
        return gis.deactivated.read_report(source, layer, self.feedback)

    @staticmethod
    def filtered(wishes) -> bool:
        """Answer whether a filter leaves out most of the file."""
        return bool(wishes.states) or not wishes.zips.everything or not wishes.codes.everything


def keys(frame) -> np.ndarray:
    """Return a number for each site of each provider."""
    npi = frame["npi"].to_numpy(dtype=object).astype(np.int64)
    return npi * SITES_PER_NPI + frame["site"].to_numpy(dtype=np.int64)
