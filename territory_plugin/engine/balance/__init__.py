"""Connected territories of equal workload and little travel, from a contiguity graph."""

from .balancing import balance_territories, certificates
from .certificates import Certificates, Component, Oversize
from .plan import Plan

__all__ = ["Certificates", "Component", "Oversize", "Plan", "balance_territories", "certificates"]
