"""Units through which all ways between two parts of the map lead: one territory passes, whoever's it is.

Where every territory has a home, or units that it must have, those on each side of such a unit share what lies there;
only the one that has the unit itself holds something on both sides. The least deviation of that is a bound on every
plan.
"""

from __future__ import annotations

from dataclasses import dataclass
from heapq import heappop, heappush

import networkx as nx
import numpy as np

from .contiguity import components
from .problem import Problem

CLOSE = 1e-9
MOST_UNITS = 4000
"""Of maps whose gateways are looked at: each takes a walk over the whole map."""


@dataclass(frozen=True)
class Gateway:
    """A unit that parts the map, and what it costs.

    Attributes
    ----------
    unit : int
    side : tuple of int
        Territories that have fixed units on one side, beyond it.
    workload, wanted : float
        What lies there, and the targets of those territories, which are all that can share it but one.
    through : int
        The territory that has to pass for the bound to be reached.
    bound : float
        In every plan a territory is at least so far from its target (share of it).
    """

    unit: int
    side: tuple[int, ...]
    workload: float
    wanted: float
    through: int
    bound: float


def narrowest(problem: Problem) -> Gateway | None:
    """Return the gateway with the largest bound; None where there is none, or where rules say more than homes do."""
    k = problem.territories
    seated = np.bincount(problem.fixed[problem.fixed >= 0], minlength=k) > 0
    other = problem.least is not None or problem.most is not None or problem.oversize.any()
    if problem.units > MOST_UNITS or k < 2 or other or not seated.all() or not (problem.target > 0).all():
        return None
    graph = nx.Graph((unit, near) for unit, around in enumerate(problem.neighbours) for near in around)
    found: list[Gateway] = []
    for unit in sorted(nx.articulation_points(graph)):
        for part in components(problem.neighbours, [at for at in range(problem.units) if at != unit]):
            gateway = _gateway(problem, unit, np.array(part))
            found += [] if gateway is None else [gateway]
    return max(found, key=lambda each: (each.bound, -each.unit), default=None)


def _gateway(problem: Problem, unit: int, part: np.ndarray) -> Gateway | None:
    """Return what it costs that a part of the map is joined to the rest by one unit; None if all have seats there."""
    here = set(problem.fixed[part].tolist()) - {-1}
    beyond = set(np.delete(problem.fixed, part).tolist()) - {-1}
    if not here or not beyond or here & beyond - {int(problem.fixed[unit])}:
        return None
    inside = np.zeros(problem.units, dtype=bool)
    inside[part] = True
    load = float(problem.workload[inside].sum())
    rest = float(problem.workload.sum()) - load
    target = problem.target
    ours, theirs = target[sorted(here)].sum(), np.delete(target, sorted(here)).sum()
    ways = _lightest_ways(problem, unit)
    best = None
    for through, weight in ways.items():
        wanted = target[through]
        if through in here:
            own = weight - problem.workload[unit]  # what it keeps of its side; the unit itself lies on the other
            needs = _least((load, ours, wanted, own), (rest, theirs))
        else:
            needs = _least((rest, theirs, wanted, weight), (load, ours))
        if best is None or (needs, through) < best:
            best = needs, through
    if best is None:
        return None
    return Gateway(unit, tuple(sorted(here)), load, float(ours), best[1], float(best[0]))


def _least(own: tuple[float, float, float, float], beyond: tuple[float, float]) -> float:
    """Return the least deviation at which a territory that passes lets both sides come out.

    Parameters
    ----------
    own : tuple of float
        Of its side: the workload, all targets, its own target, and what it keeps there at least.
    beyond : tuple of float
        Of the other side: the workload and the targets.
    """
    load, targets, wanted, kept = own
    rest, theirs = beyond
    bounds = [load / targets - 1, 1 - rest / theirs if theirs > 0 else 0.0]
    if targets > wanted * (1 + CLOSE):
        bounds.append(1 - (load - kept) / (targets - wanted))
    bounds.append((rest + kept) / (theirs + wanted) - 1)
    return max(0.0, *bounds)


def _lightest_ways(problem: Problem, unit: int) -> dict[int, float]:
    """Return by territory the least workload on a way from its fixed units to a unit, both ends included."""
    found: dict[int, float] = {}
    heap = [(float(problem.workload[unit]), unit)]
    seen = set()
    while heap:
        weight, here = heappop(heap)
        if here in seen:
            continue
        seen.add(here)
        holder = int(problem.fixed[here])
        if holder >= 0:
            found.setdefault(holder, weight)
            if here == unit:
                return found
            continue
        for other in problem.neighbours[here]:
            if other not in seen:
                heappush(heap, (weight + float(problem.workload[other]), other))
    return found
