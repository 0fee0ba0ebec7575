"""The door of the balancing engine: a networkx graph in, a plan out."""

from __future__ import annotations

import math
from collections.abc import Hashable
from dataclasses import replace

import networkx as nx
import numpy as np

from ..errors import TerritoryError, name_some
from ..geodesy import geocentric
from ..progress import IsCancelled, Progress, ignore, never
from .certificates import Certificates, certify
from .contiguity import components
from .exact import Proof
from .objective import Weights, cut_edges, moment_of_inertia
from .plan import Plan
from .problem import Problem
from .solve import EFFORTS, aimed, solve
from .watch import Watch


def certificates(
    graph: nx.Graph, territories: int, *, workload: str = "workload", tolerance: float = 0.05
) -> Certificates:
    """Return what the graph and its workloads allow, before any search.

    Parameters
    ----------
    graph, territories, workload, tolerance
        As for `balance_territories`.

    Returns
    -------
    Certificates

    Raises
    ------
    TerritoryError
        As `balance_territories`.
    """
    _check_wishes(tolerance)
    nodes, loads, _, neighbours = _arrays(graph, workload)
    return certify([str(node) for node in nodes], loads, neighbours, territories, tolerance)[0]


def balance_territories(
    graph: nx.Graph,
    territories: int,
    *,
    workload: str = "workload",
    tolerance: float = 0.05,
    seed: int = 0,
    effort: str = "default",
    boundary: float = 1.0,
    time_limit: float | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> Plan:
    """Cut a contiguity graph into exactly `territories` connected parts of equal workload with little travel.

    Each component is solved on its own, after the territories are apportioned among them. Within one, centres
    come from capacitated Lloyd iterations, units go to the centre with the least priced distance, parts that
    are not connected are repaired, and boundary flips are annealed under one objective of balance, travel and
    boundary. The budget counts moves, not seconds: the same input and seed give the same plan unless the time
    limit stops it.

    Parameters
    ----------
    graph : networkx.Graph
        Units with the attributes `workload` (≥ 0), `lon` and `lat` (degrees, WGS84) of their centre. An edge
        joins units that may be in one territory side by side. The order of nodes and edges does not matter.
    territories : int
        How many to make.
    workload : str
        Name of the node attribute to balance.
    tolerance : float
        Allowed deviation from the target as a share, e.g. 0.05.
    seed : int
        Same seed, same plan.
    effort : {'quick', 'default', 'thorough'}
        How much work to do.
    boundary : float
        How much short boundaries count against short travel; 0 is travel alone, 10 makes smooth borders.
    time_limit : float, optional
        Seconds after which the best plan so far is returned.
    progress, cancelled : callables
        As in `engine.progress`.

    Returns
    -------
    Plan

    Raises
    ------
    TerritoryError
        Unusable workloads or locations, more territories than units, fewer than components, no workload at
        all.
    Cancelled
        When `cancelled` answers yes.
    """
    _check_wishes(tolerance)
    if effort not in EFFORTS:
        raise TerritoryError(f"Effort '{effort}' is not known: choose one of {', '.join(EFFORTS)}.")
    watch = Watch(time_limit, progress, cancelled)
    progress(0.0, "Checking what is possible")
    nodes, loads, location, neighbours = _arrays(graph, workload)
    ids = [str(node) for node in nodes]
    proof, parts, apart = certify(ids, loads, neighbours, territories, tolerance)
    weights = Weights(boundary=Weights.boundary * boundary)

    assignment = np.empty(len(nodes), dtype=int)
    targets, oversize, regions, proofs = [], [], [], []
    reference = 0.0
    proposals = first = done = 0
    for region, (units, heavy, component) in enumerate(zip(parts, apart, proof.components)):
        problem = _region(ids, units, heavy, component, loads, location, neighbours, tolerance)
        rng = np.random.default_rng([seed, region])
        stretch = watch.part(done / len(nodes), (done + len(units)) / len(nodes))
        found, travel, made, proven = solve(problem, EFFORTS[effort], weights, rng, stretch)
        assignment[units] = first + found
        proofs += [replace(proof, units=tuple(units[unit] for unit in proof.units)) for proof in proven]
        targets.append(problem.target)
        oversize.append(problem.oversize)
        regions += [region] * problem.territories
        reference += travel
        proposals += made
        first += problem.territories
        done += len(units)
    progress(1.0, "Balanced")

    order = _from_north_west(graph, nodes, assignment, territories)
    rank = np.empty(territories, dtype=int)
    rank[order] = np.arange(territories)
    assignment = rank[assignment]
    target = np.concatenate(targets)[order]
    is_oversize = np.concatenate(oversize)[order]
    region_of = np.asarray(regions)[order]

    held = np.bincount(assignment, loads, territories)
    shared = np.array([part.target for part in proof.components])[region_of]
    scale = np.where(is_oversize, np.where(shared > 0, shared, target), target)
    adjusted = np.where(scale > 0, (held - target) / np.where(scale > 0, scale, 1.0), 0.0)
    # an oversize territory is as far off as its unit makes it
    adjusted = np.where(is_oversize, (held - shared) / np.where(scale > 0, scale, 1.0), adjusted)
    inertia = moment_of_inertia(location, loads, assignment, territories).sum()
    total = float(loads.sum())
    position = {node: index for index, node in enumerate(nodes)}
    in_order = np.array([position[node] for node in graph], dtype=int)
    plan = Plan(
        units=tuple(graph),
        assignment=assignment[in_order],
        workload=held,
        target=target,
        deviation=held / proof.fair_target - 1,
        adjusted_deviation=adjusted,
        oversize=is_oversize,
        tolerance=tolerance,
        cut_edges=cut_edges(neighbours, assignment.tolist()),
        rms_distance_km=math.sqrt(inertia / total),
        reference_km=math.sqrt(reference / total),
        reasons={},
        certificates=proof,
        stopped_by_time=watch.stopped,
        proposals=proposals,
        effort=effort,
        seed=seed,
    )
    plan.reasons.update(_reasons(plan, region_of, assignment, ids, loads, proofs))
    return plan


def _check_wishes(tolerance: float) -> None:
    if not 0 < tolerance < 1:
        raise TerritoryError(
            f"A tolerance of {100 * tolerance:g} % cannot be used: choose one above 0 and below 100 %."
        )


def _arrays(graph: nx.Graph, workload: str) -> tuple[list[Hashable], np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """Return nodes sorted by id, their workloads, geocentric locations and neighbours."""
    if graph.number_of_nodes() == 0:
        raise TerritoryError("There are no units: the layer is empty or everything is filtered out.")
    nodes = sorted(graph, key=str)
    values = {
        name: np.array([_number(graph.nodes[node].get(name)) for node in nodes]) for name in (workload, "lon", "lat")
    }
    loads = values[workload]
    _refuse(nodes, ~np.isfinite(loads), f"have no number in '{workload}': fill it or remove them")
    _refuse(nodes, loads < 0, f"have a negative '{workload}': workloads are zero or more")
    missing = ~(np.isfinite(values["lon"]) & np.isfinite(values["lat"]))
    _refuse(nodes, missing, "have no place: check their geometry")
    _refuse(
        nodes,
        (np.abs(values["lat"]) > 90) | (np.abs(values["lon"]) > 360),
        "lie at no longitude and latitude in degrees: check the layer's coordinate system",
    )
    position = {node: index for index, node in enumerate(nodes)}
    neighbours = [tuple(sorted(position[other] for other in graph[node] if other != node)) for node in nodes]
    return nodes, loads, geocentric(np.stack([values["lon"], values["lat"]], axis=1)), neighbours


def _number(value: object) -> float:
    """Return a number, NaN for anything that is none."""
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return math.nan


def _refuse(nodes: list, bad: np.ndarray, complaint: str) -> None:
    if bad.any():
        named = [nodes[index] for index in np.flatnonzero(bad)]
        raise TerritoryError(f"Units {name_some(named)} {complaint}.")


def _region(ids, units, heavy, component, loads, location, neighbours, tolerance) -> Problem:
    """Return the problem of one component, its oversize units as the first territories."""
    position = {unit: index for index, unit in enumerate(units)}
    proven = {each.unit: each.least_deviation for each in component.stuck}
    stuck = {index: proven[ids[unit]] for index, unit in enumerate(units) if ids[unit] in proven}
    anchors = np.array([position[unit] for unit in heavy], dtype=int)
    k = component.territories
    own = loads[units][anchors]
    inside = [tuple(position[other] for other in neighbours[unit]) for unit in units]
    own, target = _hang_light_parts(loads[units], inside, anchors, own, k, component.target, tolerance)
    return Problem(
        workload=loads[units],
        location=location[units],
        neighbours=inside,
        target=np.concatenate([own, np.full(k - len(anchors), target)]),
        tolerance=aimed(tolerance),
        anchor=np.concatenate([anchors, np.full(k - len(anchors), -1)]).astype(int),
        oversize=np.arange(k) < len(anchors),
        stuck=stuck,
    )


def _hang_light_parts(loads, neighbours, anchors, own, k, target, tolerance) -> tuple[np.ndarray, float]:
    """Return the targets of oversize territories and of the others.

    Parts that touch the rest of the map only through oversize units, and are too light for a territory, can
    only belong to an oversize territory: the targets say so.
    """
    if not len(anchors) or len(anchors) == k:
        return own, target
    own = own.copy()
    rest = sorted(set(range(len(loads))) - set(anchors.tolist()))
    parts = sorted(components(neighbours, rest), key=lambda part: (loads[part].sum(), part[0]))
    room = k - len(anchors)
    left = sum(len(part) for part in parts)
    weight = float(loads[rest].sum())
    territory = {unit: index for index, unit in enumerate(anchors.tolist())}
    for part in parts[:-1]:
        load = float(loads[part].sum())
        if left - len(part) < room or load >= (1 - tolerance) * weight / room:
            break
        doors = sorted({other for unit in part for other in neighbours[unit] if other in territory})
        lightest = min(doors, key=lambda unit: own[territory[unit]])
        own[territory[lightest]] += load
        weight -= load
        left -= len(part)
    return own, weight / room


def _from_north_west(graph: nx.Graph, nodes: list, assignment: np.ndarray, k: int) -> np.ndarray:
    """Return the territories in the order of their middles from north-west to south-east."""
    lon = np.array([graph.nodes[node]["lon"] for node in nodes], dtype=float)
    lat = np.array([graph.nodes[node]["lat"] for node in nodes], dtype=float)
    count = np.bincount(assignment, minlength=k)
    east = np.bincount(assignment, lon, k) / count * math.cos(math.radians(float(lat.mean())))
    south = -np.bincount(assignment, lat, k) / count
    first = np.full(k, len(nodes))
    np.minimum.at(first, assignment, np.arange(len(nodes)))
    return np.lexsort((first, np.round(east + south, 6)))


def _reasons(plan: Plan, region_of, assignment, ids, loads, proofs) -> dict[int, str]:
    """Return one sentence for each territory outside the tolerance of the fair target or of its own."""
    reasons = {}
    proof = plan.certificates
    bounds = _bounds(plan, assignment, proofs)
    outside = ~plan.within_tolerance | (np.abs(plan.deviation) > plan.tolerance * (1 + 1e-9))
    for territory in np.flatnonzero(outside).tolist():
        component = proof.components[region_of[territory]]
        stuck = {each.unit: each.least_deviation for each in component.stuck}
        inside = np.flatnonzero(assignment == territory)
        heaviest = int(inside[np.argmax(loads[inside])])
        off = 100 * (plan.workload[territory] / proof.shared_target - 1)
        if plan.workload[territory] == 0:
            reason = f"None of its {len(inside):,} units has any workload."
        elif plan.oversize[territory]:
            share = 100 * loads[heaviest] / proof.fair_target
            reason = f"{ids[heaviest]} alone holds {share:.0f} % of the target."
            if len(inside) > 1 and plan.workload[territory] > loads[heaviest]:
                reason += f" {len(inside) - 1:,} units beside it have no other way to a territory."
        elif plan.within_tolerance[territory]:
            if component.oversize:
                names = name_some([unit.unit for unit in component.oversize], 3)
                reason = f"Within tolerance of what {names} leave to the others ({plan.target[territory]:,.6g})."
            else:
                reason = (
                    f"Its part of the map ({name_some(component.units, 3)}) holds "
                    f"{component.workload / proof.fair_target:.2f} targets and carries "
                    f"{component.territories}."
                )
        elif any(ids[unit] in stuck for unit in inside):
            unit = max((ids[unit] for unit in inside if ids[unit] in stuck), key=stuck.get)
            reason = (
                f"{off:+.1f} %: {unit} and the units around it allow nothing nearer to the target than "
                f"{100 * stuck[unit]:.1f} %."
            )
        elif territory in bounds:
            exact = bounds[territory]
            whole = f"its units and those around ({len(exact.units):,}) into {exact.territories} territories"
            if exact.bound:
                reason = f"{off:+.1f} %: no way to divide {whole} does better than {100 * exact.bound:.1f} %."
            else:
                reason = f"{off:+.1f} %: every way to divide {whole} leaves {exact.outside} outside."
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


def _bounds(plan: Plan, assignment, proofs: list[Proof]) -> dict[int, Proof]:
    """Return for territories outside the tolerance the proof that they, and those around, cannot all be within."""
    bounds: dict[int, Proof] = {}
    for proof in sorted(proofs, key=lambda proof: len(proof.units)):
        for territory in np.unique(assignment[list(proof.units)]).tolist():
            if not plan.within_tolerance[territory] and not plan.oversize[territory]:
                bounds[territory] = proof
    return bounds
