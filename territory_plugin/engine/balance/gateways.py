"""Units through which all ways between two parts of the map lead: one territory passes, whoever's it is.

Where every territory has a home, or units that it must have, those on each side of such a unit share what lies there;
only the one that has the unit itself holds something on both sides. The least deviation of that is a bound on every
plan.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from heapq import heappop, heappush

import networkx as nx
import numpy as np

from .contiguity import components
from .problem import Problem
from .reach import shares_within_reach

CLOSE = 1e-9
MOST_UNITS = 4000
"""Of maps whose gateways are looked at: each takes a walk over the whole map."""
LOOKS, CHOICES = 12, 3
"""How often gateways are looked at once more, with others fixed, and who passes them all that is tried at most."""


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
    shut : float
        How far a territory is off at least where nothing goes across.
    passes : tuple of (float, int, tuple of int)
        The same bound for each territory that could pass, with the lightest way there from what is fixed in it, the
        least bound first. Empty where the unit is fixed, or nobody else can be meant.
    """

    unit: int
    side: tuple[int, ...]
    workload: float
    wanted: float
    through: int
    bound: float
    shut: float
    passes: tuple[tuple[float, int, tuple[int, ...]], ...]


def narrowest(problem: Problem) -> Gateway | None:
    """Return the gateway with the largest bound; None where there is none, or where rules say more than homes do."""
    return max(_gateways(problem), key=lambda each: (each.bound, -each.unit), default=None)


def corridors(problem: Problem) -> list[np.ndarray]:
    """Return who could pass through the gateways that have to be passed, as units that are then fixed.

    Where those on one side of a unit cannot live from what lies there, somebody passes; who does decides all else, and
    no move of few units exchanges one for another. For each who could it is asked what all can then reach (`reach`),
    gateway by gateway, the most promising first.

    Returns
    -------
    list of ndarray of int, shape (n,)
        Territory of each unit that is fixed, with those of the ways to the gateways; at most `CHOICES`, the most
        promising first. Empty where no gateway has to be passed, or nobody can.
    """
    found: list[np.ndarray] = []
    heap, count = [((0.0, 0.0), 0, problem.fixed)], 0
    for _ in range(LOOKS):
        if not heap or len(found) == CHOICES:
            break
        _, _, fixed = heappop(heap)
        here = replace(problem, fixed=fixed)
        gates = [gate for gate in _gateways(here) if gate.passes and gate.shut > problem.tolerance]
        if not gates:
            found.append(fixed)
            continue
        gate = max(gates, key=lambda each: (abs(each.workload - each.wanted), -each.unit))
        for bound, territory, way in gate.passes:
            if problem.barred is not None and problem.barred[list(way), territory].any():
                way = _lightest_ways(here, gate.unit, territory).get(territory, (0.0, ()))[1]
            if not way:
                continue
            narrower = fixed.copy()
            narrower[list(way)] = territory
            shares = shares_within_reach(here, narrower)
            if shares is not None:
                off = shares.loads / problem.target - 1
                count += 1
                rank = round(max(bound, shares.deviation), 4), round(float(np.square(off).sum()), 4)
                heappush(heap, (rank, count, narrower))
    return [each for each in found if each is not problem.fixed]


def _gateways(problem: Problem) -> list[Gateway]:
    """Return the units that part the map; none where rules say more than homes do."""
    k = problem.territories
    seated = np.bincount(problem.fixed[problem.fixed >= 0], minlength=k) > 0
    other = problem.least is not None or problem.most is not None or problem.oversize.any()
    if problem.units > MOST_UNITS or k < 2 or other or not seated.all() or not (problem.target > 0).all():
        return []
    graph = nx.Graph((unit, near) for unit, around in enumerate(problem.neighbours) for near in around)
    found: list[Gateway] = []
    for unit in sorted(nx.articulation_points(graph)):
        for part in components(problem.neighbours, [at for at in range(problem.units) if at != unit]):
            gateway = _gateway(problem, unit, np.array(part))
            found += [] if gateway is None else [gateway]
    return found


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
    passes = []
    for through, (weight, way) in _lightest_ways(problem, unit).items():
        wanted = target[through]
        if through in here:
            own = weight - problem.workload[unit]  # what it keeps of its side; the unit itself lies on the other
            needs = _least((load, ours, wanted, own), (rest, theirs))
        else:
            needs = _least((rest, theirs, wanted, weight), (load, ours))
        passes.append((float(needs), through, way))
    if not passes:
        return None
    passes.sort()
    bound, through, _ = passes[0]
    own = float(problem.workload[unit])
    # nobody goes across: the unit is either side's
    shut = min(
        max(abs((load + more) / ours - 1), abs((rest - more) / theirs - 1) if theirs > 0 else 0.0)
        for more in (0.0, own)
    )
    # one who is alone where work is short passes anyway
    short = here if load < ours else beyond - here
    open_to = () if problem.fixed[unit] >= 0 or len(short) < 2 else tuple(passes)
    return Gateway(unit, tuple(sorted(here)), load, float(ours), through, bound, float(shut), open_to)


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


def _lightest_ways(
    problem: Problem, unit: int, territory: int | None = None
) -> dict[int, tuple[float, tuple[int, ...]]]:
    """Return by territory the least workload on a way from its fixed units to a unit, both ends included, and the way.

    With `territory`, that of one alone, through units that it may have.
    """
    found: dict[int, tuple[float, tuple[int, ...]]] = {}
    closed = np.zeros(problem.units, dtype=bool)
    if territory is not None:
        closed = problem.barred[:, territory] & (problem.fixed != territory)
    before = dict.fromkeys(np.flatnonzero(closed).tolist(), -1)
    heap = [(float(problem.workload[unit]), unit, -1)]
    while heap:
        weight, here, last = heappop(heap)
        if here in before:
            continue
        before[here] = last
        holder = int(problem.fixed[here])
        if holder >= 0:
            if holder not in found:
                found[holder] = weight, tuple(_back(before, here))
            if here == unit:
                return found
            continue
        for other in problem.neighbours[here]:
            if other not in before:
                heappush(heap, (weight + float(problem.workload[other]), other, here))
    return found


def _back(before: dict[int, int], here: int) -> list[int]:
    """Return the units from one back to where a search began."""
    way = []
    while here >= 0:
        way.append(here)
        here = before[here]
    return way
