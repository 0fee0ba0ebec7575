"""Connected territories of equal workload and little travel, from a contiguity graph."""

from .balancing import balance_territories, certificates
from .certificates import Certificates, Component, Oversize
from .plan import Plan
from .rules import Border, Measure, Rules

__all__ = [
    "Border",
    "Certificates",
    "Component",
    "Measure",
    "Oversize",
    "Plan",
    "Rules",
    "balance_territories",
    "certificates",
]
