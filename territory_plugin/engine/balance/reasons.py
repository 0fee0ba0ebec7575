"""Why territories are outside their tolerance, in words: what is proven of the map, what rules allow, what narrows it.

Each reason names the units or reps that bind, the numbers, and a way out.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np

from ..errors import Count, name_some
from .certificates import Region
from .contiguity import components
from .exact import Proof
from .gateways import Gateway, narrowest
from .plan import Plan
from .problem import Problem
from .reach import Shares, reachable

if TYPE_CHECKING:
    from .case import Case

NARROW = 6
"""Units at most through which a group of territories touches the rest, for that to count as a narrow place."""


def reasons_of(
    case: Case,
    plan: Plan,
    region_of: np.ndarray,
    assignment: np.ndarray,
    proofs: Sequence[Proof],
    problems: Sequence[Problem],
) -> dict[int, str]:
    """Return one sentence for each territory outside the tolerance of the fair target or of its own."""
    ids, loads = case.ids, case.loads
    reasons = {}
    proof = plan.certificates
    proven = {
        territory: each
        for each in sorted(proofs, key=lambda each: (not each.territories, len(each.units)))
        for territory in np.unique(assignment[list(each.units)]).tolist()
    }
    limited = not (np.isnan(case.duty.least) & np.isnan(case.duty.most)).all()
    narrow = {} if plan.within_tolerance.all() else _narrows(case, plan, assignment)
    gates = {} if plan.within_tolerance.all() else _gateways(case, problems)
    outside = ~plan.within_tolerance | (np.abs(plan.deviation) > plan.tolerance * (1 + 1e-9))
    for territory in np.flatnonzero(outside).tolist():
        if case.duty.frozen[territory]:
            reasons[territory] = f"{100 * plan.deviation[territory]:+.1f} %: it is locked as it is today."
            continue
        shared = proof.shared_target * case.duty.share[territory]
        component = proof.components[region_of[territory]]
        stuck = {each.unit: each.least_deviation for each in component.stuck}
        inside = np.flatnonzero(assignment == territory)
        heaviest = int(inside[np.argmax(loads[inside])])
        locked = float(loads[inside][case.duty.fixed[inside] == territory].sum())
        off = 100 * (plan.workload[territory] / shared - 1)
        if plan.workload[territory] == 0:
            reason = f"None of its {Count(len(inside)):unit|units} has any workload."
        elif plan.oversize[territory]:
            share = 100 * loads[heaviest] / shared
            reason = f"{ids[heaviest]} alone holds {share:.0f} % of the target."
            if len(inside) > 1 and plan.workload[territory] > loads[heaviest]:
                beside = Count(len(inside) - 1)
                reason += f" {beside:unit beside it has|units beside it have} no other way to a territory."
        elif locked > (1 + plan.tolerance) * plan.target[territory]:
            alone = 100 * locked / plan.target[territory]
            reason = f"{off:+.1f} %: the units locked to it alone hold {alone:.0f} % of its target."
        elif plan.within_tolerance[territory]:
            if limited:
                reason = f"Within what the limits of reps leave ({plan.target[territory]:,.6g})."
            elif component.oversize:
                names = name_some([unit.unit for unit in component.oversize], 3)
                reason = f"Within tolerance of what {names} leave to the others ({plan.target[territory]:,.6g})."
            else:
                reason = (
                    f"Its part of the map ({component.region or name_some(component.units, 3)}) holds "
                    f"{component.workload / proof.shared_target:.2f} targets and carries "
                    f"{component.territories}."
                )
        elif any(ids[unit] in stuck for unit in inside):
            unit = max((ids[unit] for unit in inside if ids[unit] in stuck), key=stuck.get)
            reason = (
                f"{off:+.1f} %: {unit} and the units around it allow nothing nearer to the target than "
                f"{100 * stuck[unit]:.1f} %."
            )
        elif territory in proven and not proven[territory].territories:
            reason = f"{off:+.1f} %: {proven[territory]}."
        elif territory in case.short_of_reach:
            reason = f"{off:+.1f} %: {case.short_of_reach[territory]}"
        elif territory in gates:
            reason = f"{off:+.1f} %: {gates[territory]}"
        elif territory in narrow:
            reason = f"{off:+.1f} %: {narrow[territory]}"
        elif territory in proven:
            reason = f"{off:+.1f} %: {proven[territory]}."
        elif component.least_deviation > plan.tolerance:
            reason = (
                f"{off:+.1f} %: workloads of whole units allow no better than "
                f"{100 * component.least_deviation:.1f} % in its part of the map."
            )
        else:
            share = 100 * loads[heaviest] / plan.target[territory] if plan.target[territory] > 0 else 0.0
            reason = (
                f"{off:+.1f} %: the search found no better. {ids[heaviest]} alone holds {share:.0f} % of "
                "the target; a higher effort or tolerance may help."
            )
        reasons[territory] = reason
    return reasons


def _narrows(case: Case, plan: Plan, assignment: np.ndarray) -> dict[int, str]:
    """Return, for groups of territories that all hold too much or too little, the few contacts that lead out."""
    off = np.where(plan.oversize | case.duty.frozen, 0.0, plan.adjusted_deviation)
    side = np.where(off > plan.tolerance / 2, 1, np.where(off < -plan.tolerance / 2, -1, 0))
    pairs: dict[tuple[int, int], list[tuple[int, int]]] = {}
    for unit, around in enumerate(case.neighbours):
        for other in around:
            one, two = int(assignment[unit]), int(assignment[other])
            if one != two:
                pairs.setdefault((one, two), []).append((unit, other))
    beside: list[tuple[int, ...]] = [() for _ in side]
    for one, two in pairs:
        if side[one] == side[two] != 0:
            beside[one] += (two,)
    said: dict[int, str] = {}
    for group in components(beside, np.flatnonzero(side).tolist()):
        inside = set(group)
        ways = [way for (one, two), found in pairs.items() if one in inside and two not in inside for way in found]
        doors = min(({unit for unit, _ in ways}, {other for _, other in ways}), key=len)
        if len(group) < 2 or not 0 < len(doors) <= NARROW:
            continue
        named = name_some([case.ids[unit] for unit in sorted(doors)], NARROW)
        held = "much" if side[group[0]] > 0 else "little"
        text = (
            f"it and {len(group) - 1:,} more, which all hold too {held}, are joined to the rest through "
            f"{Count(len(doors)):unit|units} only ({named}). Open more contacts there, or move homes or locks."
        )
        said.update(dict.fromkeys(group, text))
    return said


def _gateways(case: Case, problems: Sequence[Problem]) -> dict[int, str]:
    """Return, for territories whose homes lie on both sides of a single unit, what that forbids, proven."""
    said: dict[int, str] = {}
    for region, problem in zip(case.regions, problems):
        gate = narrowest(problem)
        if gate is not None and gate.bound > case.tolerance:
            said.update(dict.fromkeys(region.territories, _gateway_text(case, region, problem, gate)))
    return said


def _gateway_text(case: Case, region: Region, problem: Problem, gate: Gateway) -> str:
    """Return what a unit that parts the map forbids."""
    here = [region.territories[at] for at in gate.side]
    mean = float(problem.target.mean())
    reps = Count(len(here))
    return (
        f"one territory only can pass through {case.ids[region.units[gate.unit]]}, beyond which "
        f"{reps:rep has|reps have} to live from {gate.workload / mean:.2f} targets instead of "
        f"{gate.wanted / mean:.2f} ({name_some(case.duty.names[at] for at in here)}): whoever passes, some "
        f"territory is {100 * gate.bound:.1f} % off in every plan. Open more contacts there, or move homes."
    )


def reach_text(case: Case, problem: Problem, shares: Shares, names: Sequence[str]) -> str:
    """Return why what reps can reach lets no plan be within the tolerance."""
    off = f"{100 * shares.deviation:.1f} %"
    some = list(shares.crowded or shares.starved)
    limit = case.rules.most_travel is not None
    out = "Raise the limit, or move homes or locks." if limit else "Take bans back, or move homes or locks."
    if not some:
        return f"No plan that keeps {_kept(case)} has all territories nearer to their targets than {off}. {out}"
    part, workload = shares.workload / float(problem.target[some].sum()), amount(shares.workload * case.rules.unit)
    who = name_some(names[at] for at in some) + (" together" if len(some) > 1 else "")
    verb, their = ("have", "their targets") if len(some) > 1 else ("has", "its target")
    if shares.crowded:
        why = f"{who} {verb} to take {workload}, {part:.2f} times {their}, which nobody else reaches"
    else:
        verb = "reach" if len(some) > 1 else "reaches"
        why = f"{who} {verb} no more than {workload}, {part:.2f} times {their}"
    return f"{why}: every plan that keeps {_kept(case)} leaves a territory {off} off. {out}"


def amount(workload: float) -> str:
    """Return a workload as text, with decimals where they are all that there is."""
    return f"{workload:,.0f}" if workload >= 100 else f"{workload:,.3g}"


def minima_out_of_reach(case: Case, problem: Problem, names: Sequence[str]) -> list[str]:
    """Return the reps whose minimum is more than they reach, in sentences."""
    if problem.least is None:
        return []
    reached, unit = np.einsum("ut,u->t", reachable(problem), problem.workload), case.rules.unit
    return [
        f"{names[at]} reaches {reached[at] * unit:,.6g}, its minimum is {problem.least[at] * unit:,.6g}: no plan that "
        f"keeps {_kept(case)} holds it. Lower it, or move the home."
        for at in np.flatnonzero(reached < problem.least * (1 - 1e-9)).tolist()
    ]


def _kept(case: Case) -> str:
    """Return which rules say what reps can reach."""
    bans = ["what is forbidden"] if any(rep.forbidden for rep in case.rules.reps) else []
    limit = [] if case.rules.most_travel is None else [f"the limit of {case.rules.most_travel:g}"]
    return " and ".join(limit + bans)
