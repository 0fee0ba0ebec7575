"""One change of what was asked for that would bring every territory within the tolerance, computed from the plan."""

from __future__ import annotations

import math

import numpy as np

from ..errors import Count, name_some
from .plan import Plan


def suggestion(plan: Plan) -> str:
    """Return what would help a plan with territories outside the tolerance; empty when none is.

    The tolerance that is named is the least that holds this very plan, rounded up to a tenth of a per cent; the
    number of territories is the largest at which no unit outweighs one.
    """
    said = []
    off = np.abs(plan.adjusted_deviation)
    missed = ~plan.oversize & ~plan.within_tolerance & (plan.workload > 0)
    if missed.any() and off[missed].max() < 1:
        wider = math.ceil(1000 * off[missed].max() - 1e-6) / 10
        said.append(
            f"Allow ±{wider:g} %: this plan keeps that" + (", oversize units apart." if plan.oversize.any() else ".")
        )
    proof = plan.certificates
    if proof.oversize:
        names = name_some([unit.unit for unit in proof.oversize], 3)
        heaviest = proof.oversize[0].workload
        fewer = math.floor((1 + plan.tolerance) * proof.fair_target * plan.territories / heaviest * (1 + 1e-9))
        enough = len(proof.components) <= fewer < plan.territories
        said.append(
            f"Split {names} into accounts"
            + (
                f", or use {Count(fewer):territory|territories}: then no unit outweighs one."
                if enough
                else ": each outweighs a territory."
            )
        )
    light = [
        part
        for part in proof.components
        if not part.oversize
        and abs(part.workload / part.territories - proof.shared_target)
        > plan.tolerance * proof.shared_target * (1 + 1e-9)
    ]
    if light and len(proof.components) > 1:
        said.append(f"Bridge the part with {name_some(light[-1].units, 3)}: alone it cannot hold whole territories.")
    return " ".join(said)
