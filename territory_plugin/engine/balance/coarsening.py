"""Coarse maps for short borders: units that share many contacts are put together, and blobs move instead of units.

A border between coarse units is as long as all contacts that it cuts: a coarse unit names a neighbour once for each
contact, so that flips on the coarse map cost what they cost on the fine one.

References: Hendrickson & Leland (1995), A multilevel algorithm for partitioning graphs, Supercomputing '95; Karypis &
Kumar (1998), A fast and high quality multilevel scheme for partitioning irregular graphs, SIAM Journal on Scientific
Computing 20 (1): heavy-edge matching.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

from .problem import Problem

HEAVIEST = 0.15
"""Share of a target that units put together may hold."""
STALLED = 0.97
"""When a round leaves more than this share of the units, no more are put together."""


def coarsened(
    problem: Problem, assignment: Sequence[int], count: int, rng: np.random.Generator
) -> tuple[Problem, np.ndarray, list[int]]:
    """Return a problem of about `count` coarse units, each within one territory of an assignment.

    Parameters
    ----------
    problem : Problem
        Without rules.
    assignment : sequence of int, shape (n,)
    count : int
    rng : Generator
        Breaks ties.

    Returns
    -------
    coarse : Problem
    at : ndarray of int, shape (n,)
        Coarse unit of each unit.
    territories : list of int
        Territory of each coarse unit.
    """
    load, fixed = problem.workload.tolist(), problem.fixed.tolist()
    most = HEAVIEST * float(np.median(problem.target))
    members = {unit: [unit] for unit in range(problem.units)}
    near = {unit: Counter(around) for unit, around in enumerate(problem.neighbours)}
    while len(members) > count:
        before, matched = len(members), set()
        chance = rng.random(problem.units).tolist()
        for unit in sorted(members, key=lambda each: (len(members[each]), chance[each])):
            if len(members) <= count:
                break
            if unit in matched or fixed[unit] >= 0:
                continue
            able = [
                (contacts / (len(members[unit]) * len(members[other])) ** 0.5, chance[other], other)
                for other, contacts in near[unit].items()
                if other not in matched
                and fixed[other] < 0
                and assignment[other] == assignment[unit]
                and load[unit] + load[other] <= most
            ]
            if not able:
                continue
            to = max(able)[2]
            members[to] += members.pop(unit)
            load[to] += load[unit]
            for other, contacts in near.pop(unit).items():
                del near[other][unit]
                if other != to:
                    near[to][other] += contacts
                    near[other][to] += contacts
            matched.update((unit, to))
        if len(members) > STALLED * before:
            break
    order = sorted(members)
    at = np.empty(problem.units, dtype=int)
    for position, unit in enumerate(order):
        at[members[unit]] = position
    size = len(order)
    mass = np.bincount(at, problem.mass, size)
    held = np.flatnonzero(problem.fixed >= 0)
    stays = np.full(size, -1)
    stays[at[held]] = problem.fixed[held]
    coarse = Problem(
        workload=np.bincount(at, problem.workload, size),
        location=np.column_stack([np.bincount(at, problem.mass * axis, size) for axis in problem.location.T])
        / mass[:, None],
        neighbours=[
            tuple(int(at[other]) for other, contacts in sorted(near[unit].items()) for _ in range(contacts))
            for unit in order
        ],
        target=problem.target,
        tolerance=problem.tolerance,
        anchor=np.where(problem.anchor >= 0, at[problem.anchor], -1),
        oversize=problem.oversize,
        scale=problem.scale,
        mass=mass,
        fixed=stays,
    )
    return coarse, at, [int(assignment[unit]) for unit in order]
