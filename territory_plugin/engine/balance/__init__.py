"""Connected territories of equal workload and little travel, from a contiguity graph."""

from .balancing import balance_territories, certificates
from .certificates import Certificates, Component, Oversize
from .plan import Plan
from .rebalancing import Rebalance, rebalance_territories, trade_off
from .rules import Border, Measure, Rules
from .suggestion import suggestion
from .travel_bound import TravelBound, travel_bound

__all__ = [
    "Border",
    "Certificates",
    "Component",
    "Measure",
    "Oversize",
    "Plan",
    "Rebalance",
    "Rules",
    "TravelBound",
    "balance_territories",
    "certificates",
    "rebalance_territories",
    "suggestion",
    "trade_off",
    "travel_bound",
]
