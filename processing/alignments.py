"""Today's alignment as parameters: a field of the units, or a layer or table of its own."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import date

from qgis.core import (
    QgsProcessingParameterDateTime,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
)

from ..territory_plugin import gis
from .base import VECTOR, TerritoriesAlgorithm
from .parameters import flag_advanced


def alignment_parameters(tr) -> list:
    """Return the parameters of today's alignment; `tr` translates a label."""
    field, source = QgsProcessingParameterField, QgsProcessingParameterFeatureSource
    day = QgsProcessingParameterDateTime.Type.Date
    return [
        field("CURRENT_FIELD", tr("Territory today (a field of the units)"), parentLayerParameterName="UNITS",
              optional=True),
        source("ALIGNMENT", tr("… or a layer or table of today's alignment"), [VECTOR], optional=True),
        field("ALIGNMENT_UNIT_FIELD", tr("Unit id in that table"), parentLayerParameterName="ALIGNMENT", optional=True),
        field("ALIGNMENT_TERRITORY_FIELD", tr("Territory in that table"), parentLayerParameterName="ALIGNMENT",
              optional=True),
        flag_advanced(
            QgsProcessingParameterDateTime(
                "ALIGNMENT_DATE", tr("Day whose alignment is meant (for a table with rows that begin or end)"), day,
                optional=True,
            )
        ),
    ]  # fmt: skip


def alignment_complaints(algorithm: TerritoriesAlgorithm) -> list[str]:
    """Return what is wrong with the parameters of today's alignment."""
    complaints = []
    given = [name for name in ("CURRENT_FIELD", "ALIGNMENT") if algorithm.parameters.get(name)]
    if len(given) != 1:
        complaints.append(
            algorithm.tr("Give today's alignment once: as a field of the units, or as a layer or table of its own.")
        )
    lacking = [name for name in ("ALIGNMENT_UNIT_FIELD", "ALIGNMENT_TERRITORY_FIELD") if not algorithm.string(name)]
    if "ALIGNMENT" in given and lacking:
        complaints.append(algorithm.tr("Choose the fields of the alignment that hold the unit and its territory."))
    if algorithm.parameters.get("ALIGNMENT_DATE") not in (None, "") and "ALIGNMENT" not in given:
        complaints.append(algorithm.tr("The day chooses rows of a table of the alignment: give the table, or no day."))
    return complaints


def read_alignment(algorithm: TerritoriesAlgorithm, units: Sequence[str], others: Sequence[str]):
    """Return what the table of today's alignment says of units, and of other ZIPs."""
    return gis.alignment.read_alignment(
        algorithm.source("ALIGNMENT"), algorithm.string("ALIGNMENT_UNIT_FIELD"),
        algorithm.string("ALIGNMENT_TERRITORY_FIELD"), units, algorithm.context, algorithm.feedback,
        read_day(algorithm), others,
    )  # fmt: skip


def read_day(algorithm: TerritoriesAlgorithm) -> date | None:
    """Return the day whose alignment is wanted, or None."""
    if algorithm.parameters.get("ALIGNMENT_DATE") in (None, ""):
        return None
    day = algorithm.parameterAsDateTime(algorithm.parameters, "ALIGNMENT_DATE", algorithm.context).date()
    return date(day.year(), day.month(), day.day()) if day.isValid() else None
