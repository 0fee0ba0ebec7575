"""The door of the balancing engine: a networkx graph in, a plan out."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import replace

import networkx as nx
import numpy as np

from ..errors import TerritoryError
from ..progress import IsCancelled, Progress, ignore, never
from .case import case_of
from .certificates import Certificates
from .effort import EFFORTS
from .exact import Proof
from .objective import Weights
from .passing import solve_in_reach
from .plan import Plan
from .rules import NO_RULES, Rules
from .scaling import in_usual_units, plan_in_units, proof_in_units
from .travel_bound import travel_bound
from .watch import Watch


def certificates(
    graph: nx.Graph,
    territories: int | None = None,
    *,
    workload: str = "workload",
    tolerance: float = 0.05,
    rules: Rules = NO_RULES,
) -> Certificates:
    """Return what the graph, its workloads and the rules allow, before any search.

    Parameters
    ----------
    graph, territories, workload, tolerance, rules
        As for `balance_territories`.

    Returns
    -------
    Certificates

    Raises
    ------
    TerritoryError
        As `balance_territories`.
    """
    graph, rules = in_usual_units(graph, workload, rules)
    return proof_in_units(case_of(graph, territories, workload, tolerance, rules).proof, rules.unit)


def balance_territories(
    graph: nx.Graph,
    territories: int | None = None,
    *,
    workload: str = "workload",
    tolerance: float = 0.05,
    rules: Rules = NO_RULES,
    seed: int = 0,
    effort: str = "default",
    boundary: float = 1.0,
    time_limit: float | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
    on_cancel: str = "nothing",
    bound_travel: bool = False,
    certified: Callable[[Certificates], None] | None = None,
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
    territories : int, optional
        How many to make; the number of reps when not given.
    workload : str
        Name of the node attribute to balance.
    tolerance : float
        Allowed deviation from the target as a share, e.g. 0.05.
    rules : Rules
        Reps, locks, borders, further measures.
    seed : int
        Same seed, same plan.
    effort : {'quick', 'default', 'thorough'}
        How much work to do.
    boundary : float
        How much short boundaries count against short travel; 0 is travel alone, 50 makes smooth borders.
    time_limit : float, optional
        Seconds after which the best plan so far is returned.
    progress, cancelled : callables
        As in `engine.progress`.
    on_cancel : {'nothing', 'best'}
        Whether a cancel raises, or ends the search with the best plan so far: exactly so many territories, each
        connected.
    bound_travel : bool
        Whether to prove, after the search, how much shorter travel could be; takes seconds per thousand units.
    certified : callable, optional
        Is told before the search what is possible, and what stands in the way.

    Returns
    -------
    Plan

    Raises
    ------
    TerritoryError
        Unusable workloads or locations, more territories than units, fewer than components, no workload at
        all; rules that contradict each other.
    Cancelled
        When `cancelled` answers yes and nothing is wanted.
    """
    if on_cancel not in ("nothing", "best"):
        raise TerritoryError(f"On cancel, '{on_cancel}' is not known: choose nothing or best.")
    if effort not in EFFORTS:
        raise TerritoryError(f"Effort '{effort}' is not known: choose one of {', '.join(EFFORTS)}.")
    watch = Watch(time_limit, progress, cancelled, keeps=on_cancel == "best")
    progress(0.0, "Checking what is possible")
    given, (graph, rules) = graph, in_usual_units(graph, workload, rules)
    case = case_of(graph, territories, workload, tolerance, rules)
    if certified is not None:
        certified(proof_in_units(case.proof, rules.unit))
    problems = [case.problem(at) for at in range(len(case.regions))]
    weights = Weights(boundary=Weights.boundary * boundary)

    assignment = case.frozen()
    proofs: list[Proof] = []
    searching = watch.part(0.0, 0.85 if bound_travel else 1.0)
    reference = 0.0
    proposals = done = 0
    for at, (region, problem) in enumerate(zip(case.regions, problems)):
        rng = np.random.default_rng([seed, at])
        stretch = searching.part(done / len(case.nodes), (done + problem.units) / len(case.nodes))
        found, travel, made, proven = solve_in_reach(problem, EFFORTS[effort], weights, rng, stretch)
        assignment[region.units] = np.array(region.territories)[found]
        proofs += [replace(proof, units=tuple(np.array(region.units)[list(proof.units)].tolist())) for proof in proven]
        reference += travel
        proposals += made
        done += problem.units
    plan = case.plan(
        assignment,
        problems,
        proofs,
        reference_km=math.sqrt(reference / float(case.loads.sum())),
        stopped_by_time=watch.stopped and not watch.was_cancelled,
        cancelled=watch.was_cancelled,
        proposals=proposals,
        effort=effort,
        seed=seed,
    )
    if bound_travel and not watch.stopped:
        bound = travel_bound(
            graph, plan, workload=workload, progress=watch.part(0.85, 1.0).progress, cancelled=cancelled
        )
        plan = replace(plan, travel_bound=bound)
    if graph is not given:
        plan = plan_in_units(plan, given, workload, rules.unit)
    progress(1.0, "Balanced")
    return plan
