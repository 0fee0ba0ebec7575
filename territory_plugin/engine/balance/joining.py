"""Ways that join what is locked to a territory far apart, where shortest ways stand in each other's.

Each territory's ways are found anew in turn, while units that several want become dearer for all: negotiated
congestion, as wires are laid on a chip. A way is a wall to others; so where what they can then reach leaves no plan in
balance, other ways are tried, and those count that leave the fairest shares.
"""

from __future__ import annotations

import networkx as nx
import numpy as np

from .contiguity import connecting_units, fixed_parts
from .problem import Problem
from .reach import shares_within_reach

ROUNDS, DEARER = 24, 1.6
"""How often ways are found anew, and by how much sharing becomes dearer each time."""
TRIES = 8
"""Other ways that are tried where the first ones leave no plan in balance."""
STEP = 1e-6
"""What each step costs besides, in km: of ways as long as each other the one with fewer units."""
SPREAD = 0.6
"""How much chance there is in what a step costs: standard deviation of the logarithm."""


def negotiated(problem: Problem, cost: np.ndarray | None = None) -> np.ndarray | None:
    """Return a territory for each fixed unit and for those on ways that join each territory's; None if none is found.

    Parameters
    ----------
    problem : Problem
    cost : ndarray of float, shape (n,), optional
        By which the km of a step to a unit are multiplied.

    References
    ----------
    McMurchie, L. & Ebeling, C. (1995), PathFinder: a negotiation-based performance-driven router for FPGAs.
    """
    n = problem.units
    cost = np.ones(n) if cost is None else cost
    fixed = problem.fixed
    apart = [at for at in range(problem.territories) if len(fixed_parts(problem, at)) > 1]
    ways: dict[int, list[int]] = {at: [] for at in apart}
    used, history, dear = np.zeros(n), np.ones(n), 0.5
    for _ in range(ROUNDS):
        for territory in apart:
            used[ways[territory]] -= 1
            way = _way(problem, territory, cost * history * (1 + dear * used))
            if way is None:
                return None
            ways[territory] = way
            used[way] += 1
        crowded = used > 1
        if not crowded.any():
            joined = fixed.copy()
            for territory, way in ways.items():
                joined[way] = territory
            return joined
        history[crowded] *= DEARER
        dear *= DEARER
    return None


def fairest(problem: Problem, joined: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Return ways, those given or others, that leave the fairest shares within reach."""
    choices = [joined]
    usual = float(problem.workload.mean()) or 1.0
    best = _unfair(problem, joined)
    for at in range(TRIES + 1):
        if best[0] <= problem.tolerance:
            break
        heavy = 1 + (at % 3) * problem.workload / usual
        chance = np.exp(rng.normal(0.0, SPREAD, problem.units)) if at else 1.0
        found = negotiated(problem, heavy * chance)
        if found is not None:
            rank = _unfair(problem, found)
            if rank < best:
                best = rank
                choices.append(found)
    return choices[-1]


def _unfair(problem: Problem, joined: np.ndarray) -> tuple[float, float]:
    """Return the least largest deviation that ways leave, and all deviation squared; infinite where nobody can live."""
    shares = shares_within_reach(problem, joined)
    if shares is None:
        return np.inf, np.inf
    off = shares.loads / problem.target - 1
    return round(shares.deviation, 4), round(float(np.square(off).sum()), 4)


def is_apart(problem: Problem) -> bool:
    """Answer whether the fixed units of a territory lie in several parts."""
    return any(len(fixed_parts(problem, territory)) > 1 for territory in range(problem.territories))


def torn_at(problem: Problem) -> tuple[int, list[int]] | None:
    """Return a unit through which several territories would have to pass, and these; None where there is none."""
    graph = nx.Graph((unit, near) for unit, around in enumerate(problem.neighbours) for near in around)
    worst = None
    for unit in sorted(nx.articulation_points(graph)):
        rest = graph.subgraph(set(graph) - {unit})
        sides: dict[int, set[int]] = {}
        for at, part in enumerate(nx.connected_components(rest)):
            for territory in set(problem.fixed[list(part)].tolist()) - {-1}:
                sides.setdefault(territory, set()).add(at)
        torn = {territory for territory, parts in sides.items() if len(parts) > 1}
        if len(torn) > 1 and (worst is None or len(torn) > len(worst[1])):
            worst = unit, sorted(torn)
    return worst


def _way(problem: Problem, territory: int, cost: np.ndarray) -> list[int] | None:
    """Return the free units on cheap ways that join the fixed units of a territory; None where there is none."""
    location, cost = problem.location, cost.tolist()
    closed = (problem.fixed >= 0) & (problem.fixed != territory)
    if problem.barred is not None:
        closed |= problem.barred[:, territory] & (problem.fixed != territory)

    def dearer_km(here: int, other: int) -> float:
        return float(np.sqrt(np.square(location[other] - location[here]).sum())) * cost[other] + STEP

    way, lost = connecting_units(problem, territory, closed.tolist(), dearer_km)
    return way if lost is None else None
