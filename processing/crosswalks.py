"""The crosswalk as parameters: the same ones in every algorithm that takes one."""

from __future__ import annotations

from collections.abc import Collection

from qgis.core import QgsProcessingParameterFeatureSource, QgsProcessingParameterField

from ..territory_plugin import gis
from .base import VECTOR, TerritoriesAlgorithm
from .parameters import flag_advanced


def crosswalk_parameters(tr, advanced: bool = False) -> list:
    """Return the parameters of a crosswalk: the table, and its columns for those whose names are unusual.

    Parameters
    ----------
    tr : callable
        Translates a label.
    advanced : bool
        Whether the table itself stands under “Advanced parameters”, too.
    """
    table = QgsProcessingParameterFeatureSource(
        "CROSSWALK", tr("Crosswalk from ZIPs without polygon (columns ZIP and ZCTA)"), [VECTOR], optional=True
    )
    fields = [
        QgsProcessingParameterField(name, label, parentLayerParameterName="CROSSWALK", optional=True)
        for name, label in (
            ("CROSSWALK_ZIP_FIELD", tr("ZIP in the crosswalk (empty: found by name)")),
            ("CROSSWALK_UNIT_FIELD", tr("Polygon's ZIP in the crosswalk (empty: found by name)")),
            ("CROSSWALK_RATIO_FIELD", tr("Share in the crosswalk; the largest decides (empty: found by name)")),
        )
    ]
    return [flag_advanced(table) if advanced else table, *map(flag_advanced, fields)]


def read_crosswalk(algorithm: TerritoriesAlgorithm, units: Collection[str] | None = None) -> dict[str, str] | None:
    """Return ZIP → unit from the table given, or None without one; `units` are those at hand."""
    source = algorithm.source("CROSSWALK")
    if source is None:
        return None
    named = [algorithm.string(f"CROSSWALK_{role}_FIELD") for role in ("ZIP", "UNIT", "RATIO")]
    return gis.crosswalk.read_crosswalk(source, algorithm.context, algorithm.feedback, *named, units)
