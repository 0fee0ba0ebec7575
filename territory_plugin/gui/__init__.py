"""Widgets of the desktop."""

from qgis.PyQt.QtCore import QCoreApplication


def tr(text: str) -> str:
    """Return a text in the user's language."""
    return QCoreApplication.translate("HealthcareTerritories", text)
