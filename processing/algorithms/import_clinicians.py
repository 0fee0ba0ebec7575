"""Import clinicians: CMS's Doctors & Clinicians, each once per organisation, with the size of the practice."""

from __future__ import annotations

from collections import Counter

import numpy as np
from qgis.core import QgsProcessingOutputNumber

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import TerritoryError
from ...territory_plugin.engine.progress import part
from .. import groups
from ..imports import ImportAlgorithm, complaint_of
from ..parameters import enum

ROWS_PER_NPI = 4096


class ImportClinicians(ImportAlgorithm):
    """Reads the national file of Doctors & Clinicians and counts nobody twice."""

    ID = "importclinicians"
    TITLE = "Import CMS clinicians"
    GROUP = groups.IMPORT
    TAGS = ("npi", "cms", "doctors", "clinicians", "dac", "practice size", "import", "csv")
    HELP = """
    Reads CMS's national file of Doctors & Clinicians (DAC_NationalDownloadableFile; CSV, zip or gzip, the column
    names of any release) as provider points with the size of their practice.

    The file has one row for each clinician, organisation and address. Here a clinician is one row per
    organisation, or per site, or only one; the column rows_in_file says how many rows of the file it stands for.

    practice_size is the number of members that CMS gives for the organisation; a clinician without an
    organisation practises alone and has 1.

    Specialties: names that the plugin knows (Cardiology, OB/GYN, Primary care), CMS's own names, or the taxonomy
    prefixes that they stand for (207X).

    A clinician stands inside the polygon of its ZIP, on a spot that its NPI decides. The audit lists records read,
    kept and dropped, by reason; the totals add up.
    """

    def initAlgorithm(self, config=None):
        self.add_file("INPUT", self.tr("Doctors & Clinicians file (DAC_NationalDownloadableFile)"))
        self.addParameter(
            enum("ONCE_PER", self.tr("A clinician is one row per"), {
                "organisation": self.tr("organisation"), "site": self.tr("organisation and site"),
                "provider": self.tr("NPI"),
            }, "organisation")
        )  # fmt: skip
        self.add_filters("ANY_SPECIALTY", self.tr("Secondary specialties count too"))
        self.add_places()
        self.add_coordinates()
        self.add_books(self.tr("Clinicians"))
        self.addOutput(QgsProcessingOutputNumber("CLINICIANS", self.tr("Different clinicians kept")))

    def complaints(self):
        return [*self.wish_complaints(), *complaint_of(self.code_filter)]

    def compute(self):
        self.progress(0.0, self.tr("Reading clinicians"))
        wishes = engine.clinicians.Wishes(
            **self.filters(), any_specialty=self.flag("ANY_SPECIALTY"), once_per=self.choice("ONCE_PER")
        )
        share = 0.85  # of the time is reading, the rest is writing
        spool, audit = engine.clinicians.scan_clinicians(self.file("INPUT"), wishes, **self.reading(share))
        audit.wishes = self.told_wishes("STATES", "ZIP_CODES", "SPECIALTIES", "ONCE_PER", "ANY_SPECIALTY")
        if not len(spool):
            raise TerritoryError(f"No clinician is left. {audit.sentence()} Widen the filters, or look at the file.")
        times = Counter()
        with spool:
            results = self.write_places(
                spool, gis.fields.CLINICIANS, lambda frame: keys(frame, times), [audit], part(self.progress, share, 1.0)
            )
        return {**results, "CLINICIANS": len(times)}


def keys(frame, times: Counter) -> np.ndarray:
    """Return a number for each row of each clinician; `times` counts the rows of the frames before."""
    npi = frame["npi"].to_numpy(dtype=object)
    earlier = np.array([times[key] for key in npi], dtype=np.int64)
    times.update(npi)
    return npi.astype(np.int64) * ROWS_PER_NPI + earlier + frame.groupby("npi").cumcount().to_numpy()
