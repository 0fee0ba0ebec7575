"""The Processing provider `territories`."""

from pathlib import Path

from qgis.core import QgsProcessingProvider
from qgis.PyQt.QtGui import QIcon

from .algorithms.add_claims_volume import AddClaimsVolume
from .algorithms.aggregate_practices import AggregatePractices
from .algorithms.balance_territories import BalanceTerritories
from .algorithms.build_adjacency_graph import BuildAdjacencyGraph
from .algorithms.evaluate_territories import EvaluateTerritories
from .algorithms.import_clinicians import ImportClinicians
from .algorithms.import_nppes import ImportNppes
from .algorithms.join_accounts import JoinAccounts
from .algorithms.rebalance_territories import RebalanceTerritories
from .algorithms.split_heavy_zips import SplitHeavyZips
from .algorithms.sum_providers_to_zips import SumProvidersToZips
from .algorithms.travel_times import TravelTimes
from .algorithms.weight_providers import WeightProviders
from .shipped_models import shipped_models

ROOT = Path(__file__).resolve().parent.parent


class TerritoriesProvider(QgsProcessingProvider):
    """Offers the algorithms and the shipped models."""

    ALGORITHMS = (
        ImportNppes,
        ImportClinicians,
        AddClaimsVolume,
        JoinAccounts,
        AggregatePractices,
        WeightProviders,
        SumProvidersToZips,
        SplitHeavyZips,
        BuildAdjacencyGraph,
        TravelTimes,
        BalanceTerritories,
        RebalanceTerritories,
        EvaluateTerritories,
    )
    NAMES = tuple(algorithm.ID for algorithm in ALGORITHMS)

    def id(self):
        return "territories"

    def name(self):
        return "Healthcare Territories"

    def icon(self):
        return QIcon(str(ROOT / "icons" / "territories.svg"))

    def loadAlgorithms(self):
        for algorithm in self.ALGORITHMS:
            self.addAlgorithm(algorithm())
        for model in shipped_models():
            self.addAlgorithm(model)
