"""The least that has to change hands on small maps, by mixed-integer programs.

A program knows workloads and limits, and contiguity by roots: each unit of a territory has a neighbour in it that is
nearer to the territory's root. That is more than contiguity asks, so different roots are tried in turn; what a program
finds is always connected, and programs with roots are quick. At last contiguity by separators: whenever a territory
comes out in parts, the separators that its parts break are added, until none is, or enough were tried.
"""

from __future__ import annotations

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from .contiguity import territory_parts
from .problem import SAFETY, Problem
from .watch import Watch

SCALE = 1000.0
"""What all that is at stake weighs in the objective: HiGHS of scipy 1.10 stops early where differences are small."""
CHOICES = 1000
"""Pairs of unit and territory of a program at most."""
ROOTS = 4
"""Sets of roots that are tried without gain before roots are given up."""
NODES = 100
"""Branches of one program at most: they decide, not the clock, so that plans are the same everywhere."""
ROUNDS, MORE_NODES = 20, 150
"""Times that separators are added, and branches of a program that has them."""
SECONDS = 60.0
"""Of all programs together, at most: a stop for maps, and machines, where programs are hard."""
GAIN = 1e-6
"""Share of what is at stake that a better plan gains at least."""
CLOSE = 1e-6
"""Share of the tolerance that is left for rounding."""


def least_change(problem: Problem, assignment: np.ndarray, rng: np.random.Generator, watch: Watch) -> np.ndarray:
    """Return an assignment with as little disruption as mixed-integer programs find, never one with more.

    minimise Σ_u s_u [x(u) ≠ c(u)] over connected territories within their limits, c being today's and s what it costs
    to leave it (`problem.current`, `problem.stay`); units that are `fixed` stay, and none goes where it is `barred`.
    A map with more than `CHOICES` pairs of unit and territory is returned as it is.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`.
    assignment : ndarray of int, shape (n,)
        A plan with connected territories; one outside the limits is given up for any inside.
    rng : Generator
        Chooses roots.
    watch : Watch

    References
    ----------
    Zoltners & Sinha (1983), Sales territory alignment: a review and model, Management Science 29 (11), for
    contiguity by predecessors; Oehrlein & Haunert (2017), A cutting-plane method for contiguity-constrained spatial
    aggregation, J. Spatial Information Science 15, for separators.
    """
    assignment = np.asarray(assignment)
    if problem.units * problem.territories > CHOICES:
        return assignment
    return _improved(problem, assignment, rng, watch)


def _moved(problem: Problem, assignment: np.ndarray) -> np.ndarray:
    return (problem.current >= 0) & (assignment != problem.current)


def _cost(problem: Problem, assignment: np.ndarray) -> float:
    """Return what an assignment's changes cost."""
    return float(problem.stay[_moved(problem, assignment)].sum())


def _improved(problem: Problem, assignment: np.ndarray, rng: np.random.Generator, watch: Watch) -> np.ndarray:
    """Return the best of the programs with several roots."""
    at_stake = float(problem.stay[problem.current >= 0].sum())
    if problem.territories < 2 or at_stake <= 0:
        return assignment
    program = _Program(problem)
    ends = Watch(watch.remaining(SECONDS))
    best, known = assignment, _cost(problem, assignment) if program.within(assignment) else np.inf
    without = 0
    while without < ROOTS and known > GAIN * at_stake and not (watch.time_is_up() or ends.time_is_up()):
        roots = _roots(problem, best, without, rng)
        found = program.solve(at_stake, roots, ends.remaining(SECONDS))
        if found is not None and _cost(problem, found) < known - GAIN * at_stake:
            best, known, without = found, _cost(problem, found), 0
        else:
            without += 1
    for _ in range(ROUNDS):
        if known <= GAIN * at_stake or watch.time_is_up() or ends.time_is_up():
            break
        found = program.solve(at_stake, None, ends.remaining(SECONDS))
        if found is None or (program.proven and _cost(problem, found) >= known - GAIN * at_stake):
            break
        if not program.separate(found):
            best = found if _cost(problem, found) < known else best
            break
    return best


def _roots(problem: Problem, assignment: np.ndarray, turn: int, rng: np.random.Generator) -> list[int]:
    """Return a unit of each territory: the one in its middle, the heaviest, or any of those that have not moved."""
    roots = []
    for territory in range(problem.territories):
        inside = np.flatnonzero(assignment == territory)
        held = inside[problem.fixed[inside] == territory]
        stays = inside[problem.current[inside] == territory]
        among = held if len(held) else stays if len(stays) else inside
        if turn == 0:
            middle = np.average(problem.location[inside], axis=0, weights=problem.mass[inside])
            roots.append(int(among[np.square(problem.location[among] - middle).sum(axis=1).argmin()]))
        elif turn == 1:
            roots.append(int(among[problem.workload[among].argmax()]))
        else:
            roots.append(int(rng.choice(among)))
    return roots


class _Program:
    """x[u, t] is one when unit u is in territory t; only those that may be are variables."""

    def __init__(self, problem: Problem) -> None:
        self.problem = problem
        n, k = problem.units, problem.territories
        may = np.ones((n, k), dtype=bool)
        if problem.barred is not None:
            may &= ~problem.barred
        held = np.flatnonzero(problem.fixed >= 0)
        may[held] = False
        may[held, problem.fixed[held]] = True
        self.at = np.full((n, k), -1)
        self.unit, self.territory = np.nonzero(may)
        self.at[self.unit, self.territory] = np.arange(len(self.unit))
        # the search keeps a little of the tolerance back for its last moves; here nothing follows
        self.low, self.high = problem.limits(problem.tolerance / SAFETY * (1 - CLOSE))
        leaves = (problem.current[self.unit] >= 0) & (self.territory != problem.current[self.unit])
        self.price = np.where(leaves, problem.stay[self.unit], 0.0)
        self.proven = False
        self.separators: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self.rows: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        for unit in range(n):
            some = self.at[unit][self.at[unit] >= 0]
            self.rows.append((some, np.ones(len(some)), 1.0, 1.0))
        scale = problem.scale or 1.0
        self._limit(problem.workload / scale, self.low / scale, self.high / scale)
        for each in problem.limits_of:
            self._limit(
                each.value / (each.scale or 1.0), each.low / (each.scale or 1.0), each.high / (each.scale or 1.0)
            )
        for unit in range(n):
            self._needs([unit])

    def within(self, assignment: np.ndarray) -> bool:
        """Answer whether an assignment keeps the limits of workload."""
        held = np.bincount(assignment, self.problem.workload, self.problem.territories)
        return bool(((held >= self.low) & (held <= self.high)).all())

    def _limit(self, value, low, high) -> None:
        for territory in range(len(low)):
            inside = self.at[:, territory] >= 0
            self.rows.append((self.at[inside, territory], value[inside], float(low[territory]), float(high[territory])))

    def _towards_roots(self, roots: list[int]) -> list:
        """Return rows that keep each root in its territory, and every other unit behind one nearer to it."""
        problem, rows = self.problem, []
        for territory, root in enumerate(roots):
            far = np.full(problem.units, -1)
            far[root] = 0
            reached = [root]
            for unit in reached:
                for other in problem.neighbours[unit]:
                    if far[other] < 0:
                        far[other] = far[unit] + 1
                        reached.append(other)
            rows.append((self.at[[root], territory], np.ones(1), 1.0, 1.0))
            for unit in range(problem.units):
                one = self.at[unit, territory]
                if one >= 0 and unit != root:
                    nearer = [other for other in problem.neighbours[unit] if far[other] < far[unit]]
                    ways = self.at[nearer, territory]
                    ways = ways[ways >= 0]
                    rows.append((np.append(ways, one), np.append(-np.ones(len(ways)), 1.0), -np.inf, 0.0))
        return rows

    def solve(self, at_stake: float, roots: list[int] | None, seconds: float) -> np.ndarray | None:
        """Return the best assignment, as far as the branches reach: with these roots, or with the separators so far.

        `proven` says afterwards whether none is better.
        """
        if roots and any(self.at[root, territory] < 0 for territory, root in enumerate(roots)):
            return None
        every = [*self.rows, *(self._towards_roots(roots) if roots else self.separators)]
        columns = np.concatenate([row[0] for row in every])
        values = np.concatenate([row[1] for row in every])
        rows = np.repeat(np.arange(len(every)), [len(row[0]) for row in every])
        low, high = np.array([row[2] for row in every]), np.array([row[3] for row in every])
        shape = (len(every), len(self.unit))
        price = SCALE * self.price / at_stake
        # no bound by the cost of the known plan: HiGHS of scipy 1.10 then takes feasible programs for infeasible ones
        found = milp(
            price,
            constraints=LinearConstraint(sparse.csr_array((values, (rows, columns)), shape=shape), low, high),
            integrality=np.ones(len(self.unit)),
            bounds=Bounds(0, 1),
            options={"time_limit": max(seconds, 0.1), "node_limit": NODES if roots else MORE_NODES, "mip_rel_gap": 0.0},
        )
        self.proven = found.status == 0
        if found.x is None:
            return None
        taken = np.flatnonzero(found.x > 0.5)
        assignment = np.full(self.problem.units, -1)
        assignment[self.unit[taken]] = self.territory[taken]
        return assignment if (assignment >= 0).all() else None

    def separate(self, assignment: np.ndarray) -> bool:
        """Add what territories in parts violate; answer whether there were any."""
        parts: dict[int, list[list[int]]] = {}
        for territory, part in territory_parts(self.problem.neighbours, assignment.tolist()):
            parts.setdefault(territory, []).append(part)
        torn = {territory: group for territory, group in parts.items() if len(group) > 1}
        load = self.problem.workload
        for territory, group in torn.items():
            group.sort(key=lambda part: (load[part].sum(), len(part), part[0]))
            main = group[-1]
            for part in group[:-1]:
                if not self._needs(part) and load[part].sum() >= self.low[territory] * (1 - 1e-9):
                    self._separate_pair(part, main, territory)
        return bool(torn)

    def _separate_pair(self, part: list[int], main: list[int], territory: int) -> None:
        """Require a way between two parts that both may be a territory: their heaviest units stand for them."""
        load = self.problem.workload
        rim = sorted({other for unit in part for other in self.problem.neighbours[unit]} - set(part))
        around = self.at[rim, territory]
        around = around[around >= 0]
        one = self.at[max(part, key=lambda unit: (load[unit], -unit)), territory]
        other = self.at[max(main, key=lambda unit: (load[unit], -unit)), territory]
        self.separators.append(
            (np.append(around, [one, other]), np.append(-np.ones(len(around)), [1.0, 1.0]), -np.inf, 1.0)
        )

    def _needs(self, part: list[int]) -> bool:
        """Require that a unit of this part is only where a unit around the part is, too, unless the part may be all.

        Answers whether all territories are such.
        """
        weight = self.problem.workload[part].sum()
        members = set(part)
        rim = sorted({other for unit in part for other in self.problem.neighbours[unit]} - members)
        every = True
        for territory in range(len(self.low)):
            if weight >= self.low[territory] * (1 - 1e-9):
                every = False
                continue
            around = self.at[rim, territory]
            around = around[around >= 0]
            for one in self.at[part, territory]:
                if one >= 0:
                    self.separators.append(
                        (np.append(around, one), np.append(-np.ones(len(around)), 1.0), -np.inf, 0.0)
                    )
        return every
