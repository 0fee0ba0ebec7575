"""The NPPES deactivation report as a table of QGIS."""

from __future__ import annotations

from pathlib import Path

from qgis.core import QgsFeatureRequest, QgsProviderRegistry
from qgis.PyQt.QtCore import QDate, QDateTime, Qt

from ..engine import deactivated
from ..engine.progress import stop_if
from ..engine.tables.cells import cell_text
from .frames import plain


def read_report(source, layer, feedback):
    """Return NPI → day, and the books, as `engine.deactivated.read_deactivated` does.

    Parameters
    ----------
    source : QgsProcessingFeatureSource
    layer : QgsVectorLayer, optional
        What the source is of. Of a CSV with title lines QGIS takes the title for the header and loses columns:
        then the file itself is read.
    """
    names = source.fields().names()
    if not deactivated.has_header(names, []) and layer is not None:
        path = QgsProviderRegistry.instance().decodeUri(layer.providerType(), layer.source()).get("path", "")
        if path.lower().endswith((".csv", ".txt", ".tsv")):
            names, *rows = deactivated.rows_of_text(Path(path))
            return deactivated.read_deactivated(names, rows, source.sourceName())
    rows = []
    for feature in source.getFeatures(QgsFeatureRequest()):
        rows.append([_cell(value) for value in feature.attributes()])
        if len(rows) % 5000 == 0:
            stop_if(feedback.isCanceled)
    stop_if(feedback.isCanceled)
    return deactivated.read_deactivated(names, rows, source.sourceName())


def _cell(value):
    value = plain(value)
    if isinstance(value, (QDate, QDateTime)):
        return value.toString(Qt.DateFormat.ISODate) or None
    return cell_text(value)
