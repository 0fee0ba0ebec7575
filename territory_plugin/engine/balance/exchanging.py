"""Exchanges among all territories of a small map at once: the best plan near a plan, by set partitioning.

Where the tolerance is tight, a better plan may differ from today's in a unit or two of every territory, and in no
fewer. For each territory all connected sets are listed that differ from it in a few units and are within the
tolerance; a plan is a choice of them that covers each unit once. The relaxation of that choice prices the units.
Where it costs as much as the plan, none of its exchanges helps, and that is proven; else it leaves few sets that can
be in a better plan, and HiGHS chooses.

References: Ahuja, Ergun, Orlin & Punnen (2002), A survey of very large-scale neighborhood search techniques, Discrete
Applied Mathematics 123; Mehrotra, Johnson & Nemhauser (1998), An optimization based heuristic for political
districting, Management Science 44 (8).
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import combinations
from math import comb

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csc_array

from .exact import alike, choose, costs_of
from .listing import as_rows, is_connected
from .objective import WorkingPartition
from .watch import Watch

MOST_PAIRS, MOST_LISTED = 4_000_000, 20_000
"""Pairs of what leaves a territory and what joins it, and sets within the tolerance that they lead to, together, at
most; where there are more, nothing is looked at."""
MOST_COLUMNS, BRANCHES = 800, 20
"""Sets that the plan is chosen from, the cheapest beyond their units' prices, and branches, at most."""
ENOUGH = 1e-7
"""Cost that a better plan saves at least."""


def exchange(
    part: WorkingPartition, units: int, watch: Watch, enough: float = np.inf, columns: int = MOST_COLUMNS
) -> list[int] | None:
    """Return the best plan in which each territory differs in at most so many units, None where none is better.

    Parameters
    ----------
    part : WorkingPartition
        Within the tolerance; it is left as it is.
    units : int
        Units that leave a territory at most, and that join it.
    watch : Watch
    enough : float
        When no plan of these costs less, there is nothing to choose either.
    columns : int
        Sets to choose from at most.

    Returns
    -------
    list of int, or None
        Territory of each unit; every territory is connected and within the tolerance.
    """
    problem = part.problem
    if part.outside() or not alike(problem) or watch.time_is_up():
        return None
    around = [sum(1 << other for other in near) for near in part.neighbours]
    sets = _near(part, units, around)
    if sets is None:
        return None
    rows, now = as_rows(sets, problem.units), part.cost()
    cost = costs_of(part, rows)
    prices = linprog(
        cost, A_eq=csc_array(rows.T.astype(float)), b_eq=np.ones(problem.units), bounds=(0, None), method="highs"
    )
    if prices.x is None or prices.fun >= min(now, enough) - ENOUGH:
        return None
    beyond = np.round(cost - np.einsum("su,u->s", rows, prices.eqlin.marginals), 9)
    some = np.argsort(beyond, kind="stable")
    some = some[beyond[some] <= now - prices.fun + ENOUGH][:columns]
    chosen, _ = choose(rows[some], cost[some], np.ones(problem.units), problem.territories, watch, BRANCHES)
    if chosen is None or cost[some[chosen]].sum() >= now - ENOUGH:
        return None
    return rows[some[chosen]].argmax(axis=0).tolist()


def _near(part: WorkingPartition, units: int, around: Sequence[int]) -> list[int] | None:
    """Return the territories and all others that differ in a few units and are within the tolerance, as bits."""
    members = [0] * len(part.load)
    for unit, home in enumerate(part.assignment):
        members[home] |= 1 << unit
    found: dict[int, None] = dict.fromkeys(members)
    seen = 0
    for home, bits in enumerate(members):
        others = _exchanged(part, home, bits, units, around, MOST_LISTED - seen)
        if others is None:
            return None
        seen += len(others)
        found.update((other, None) for other in others if is_connected(other, around))
    return list(found)


def _exchanged(
    part: WorkingPartition, home: int, bits: int, units: int, around: Sequence[int], most: int
) -> list[int] | None:
    """Return the sets within the tolerance that differ from a territory in at most so many units each way."""
    inside = [unit for unit in range(len(around)) if bits >> unit & 1]
    near = 0
    for unit in inside:
        near |= around[unit]
    leaving = [unit for unit in inside if around[unit] & ~bits]
    joining = [unit for unit in range(len(around)) if (near & ~bits) >> unit & 1]
    ways = [sum(comb(len(each), size) for size in range(units + 1)) for each in (leaving, joining)]
    if ways[0] * ways[1] > MOST_PAIRS:
        return None
    leave, left = _groups(part, leaving, units)
    join, joined = _groups(part, joining, units)
    load = part.load[home] - left[:, None] + joined
    one, other = np.nonzero((load >= part.low[home]) & (load <= part.high[home]))
    if len(one) > most:
        return None
    return [bits & ~leave[a] | join[b] for a, b in zip(one.tolist(), other.tolist())]


def _groups(part: WorkingPartition, units: Iterable[int], most: int) -> tuple[list[int], np.ndarray]:
    """Return all groups of at most so many units, as bits, and their workloads."""
    groups = [group for size in range(most + 1) for group in combinations(units, size)]
    load = np.array([sum(part.workload[unit] for unit in group) for group in groups], dtype=float)
    return [sum(1 << unit for unit in group) for group in groups], load
