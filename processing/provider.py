"""The Processing provider `territories`."""

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

ROOT = Path(__file__).resolve().parent.parent


class TerritoriesProvider(QgsProcessingProvider):
    """Offers the algorithms and the shipped models."""

    def id(self):
        return "territories"

    def name(self):
        return "Healthcare Territories"

    def icon(self):
        return QIcon(str(ROOT / "icons" / "territories.svg"))

    def loadAlgorithms(self):
        for algorithm in ():
            self.addAlgorithm(algorithm)
