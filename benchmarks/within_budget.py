"""Whether a plan may change no more than a budget: a proof where none can, for whole states.

A bound is asked for its value, here only for its side of the budget; so what the budget rules out goes beforehand. No
territory receives more than the budget leaves once others have what they need, so it holds only units that it has a
way to for as much. One that gave all it has away would take as much anew, mostly beyond the budget; the others keep
some of their units, so every unit that they gain hangs together with these.

The rest is a mixed-integer program of units and territories, contiguity relaxed to separators; light units are
divisible there, which leaves few choices. Where it has no solution, no plan has; where its solution breaks separators,
these are added, and it is asked again.
"""

from __future__ import annotations

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, OptimizeResult, milp
from scipy.sparse.csgraph import dijkstra

from ..territory_plugin.engine.balance.contiguity import territory_parts
from .set_bound import SCALE

LAYERS = 3
"""Of units around a part of a territory that lies apart, whose separators are added with its own."""
LIGHT = 0.01
"""Targets that a unit holds at most to be divisible."""
SOME = 0.02
"""Share of a unit that is asked whether separators leave it so much, and by how much they have to fall short of it."""
RELAXED = 15
"""Times that separators are added where all units are divisible, before the program is asked."""
CLOSE = 1e-9
INFEASIBLE = 2
"""Status of `scipy.optimize.milp`."""


def none_within(
    problem, limits: tuple[np.ndarray, np.ndarray], may: np.ndarray, budget: float, *, nodes: int, rounds: int
) -> bool:
    """Answer whether it is proven that every plan within the limits changes more than a budget.

    Parameters
    ----------
    problem, limits, may
        As for `set_bound`.
    budget : float
        In the unit of `workload`.
    nodes, rounds : int
        Branches of each program, and how often it is asked with more separators.

    Returns
    -------
    bool
        False where it is not known.
    """
    program = _Program(problem, limits, may, budget)
    unsure = np.flatnonzero(~program.stays).tolist()
    for territory in unsure:
        # a territory stays if no plan is within the budget that leaves it nothing of what it has
        elsewhere = may.copy()
        elsewhere[problem.current == territory, territory] = False
        program.stays[territory] = _is_ruled_out(_Program(problem, limits, elsewhere, budget), nodes, rounds)
    if unsure:
        program = _Program(problem, limits, may, budget, program.stays)
    return _is_ruled_out(program, nodes, rounds)


def _is_ruled_out(program: _Program, nodes: int, rounds: int) -> bool:
    """Answer whether it is proven that a program has no solution in whole units and connected territories."""
    for relaxed, most in ((True, RELAXED), (False, rounds)):
        for _ in range(most):
            solved = program.solve(nodes, relaxed)
            if solved.status == INFEASIBLE:
                return True
            if solved.x is None or not program.separate(solved.x):
                break
    return False


class _Program:
    """x[u, t] is the share of unit u in territory t; only what a plan within the budget may have are variables.

    Attributes
    ----------
    may : ndarray of bool, shape (n, k)
    stays : ndarray of bool, shape (k,)
        Whether a territory is sure to keep some of its units.
    room : ndarray of float, shape (k,)
        Workload from others that each may receive, in targets.
    """

    def __init__(
        self, problem, limits: tuple[np.ndarray, np.ndarray], may: np.ndarray, budget: float, stays=False
    ) -> None:
        self.problem, k, today = problem, problem.territories, problem.current
        self.load = problem.workload / problem.scale
        self.low, self.high = limits[0] / problem.scale - CLOSE, limits[1] / problem.scale + CLOSE
        self.budget = budget / problem.scale + CLOSE
        self.theirs = (today[:, None] >= 0) & (today[:, None] != np.arange(k))
        free = float(self.load[today < 0].sum())
        held = np.bincount(today[today >= 0], self.load[today >= 0], k)
        need = np.maximum(self.low - held, 0.0)
        self.room = self.budget - np.maximum(need.sum() - need - free, 0.0)
        # who keeps nothing hands over all, and takes from others what units without a territory do not make up
        self.stays = stays | (held + np.maximum(self.low - free, 0.0) > self.budget)
        self.may = may.copy()
        self.here, self.there = np.array(
            [(unit, other) for unit, around in enumerate(problem.neighbours) for other in around], dtype=int
        ).T
        for territory in np.flatnonzero(self.stays).tolist():
            theirs = np.where(self.theirs[:, territory], self.load, 0.0)
            foreign = np.where(today == territory, 0.0, self.load)
            for weight, most in ((theirs, self.room[territory]), (foreign, self.high[territory])):
                self.may[:, territory] &= self._is_near(territory, weight, most)
        self.unit, self.territory = np.nonzero(self.may)
        self.at = np.full(may.shape, -1)
        self.at[self.unit, self.territory] = np.arange(len(self.unit))
        self.separators: dict[tuple[int, int, tuple[int, ...]], None] = {}
        for unit, territory in zip(self.unit.tolist(), self.territory.tolist()):
            self._require({unit}, [unit], territory)

    def _is_near(self, territory: int, weight: np.ndarray, most: float) -> np.ndarray:
        """Return whether some way from a territory to each unit weighs no more than `most`, shape (n,)."""
        into = np.flatnonzero(self.may[self.there, territory])
        here, there = self.here[into], self.there[into]
        ways = sparse.csr_array((weight[there], (here, there)), shape=2 * (len(weight),))
        begin = np.flatnonzero(self.problem.current == territory)
        return np.isfinite(dijkstra(ways, indices=begin, min_only=True, limit=max(most, 0.0) + CLOSE))

    def _require(self, inside: set[int], units: list[int], territory: int) -> bool:
        """Require that some of these units are in a territory only with one around; answer whether that is new.

        Unless the units inside may be all that it has, or what it keeps.
        """
        keeps = any(self.problem.current[unit] == territory for unit in inside)
        if self.load[sorted(inside)].sum() >= self.low[territory] and (keeps or not self.stays[territory]):
            return False
        beside = {other for unit in inside for other in self.problem.neighbours[unit]} - inside
        rim = tuple(sorted(other for other in beside if self.may[other, territory]))
        new = [key for key in ((unit, territory, rim) for unit in units) if key not in self.separators]
        self.separators.update(dict.fromkeys(new))
        return bool(new)

    def solve(self, nodes: int, relaxed: bool) -> OptimizeResult:
        """Return what HiGHS finds with the separators so far, with whole units or as if all were divisible."""
        load, count, k = self.load[self.unit], len(self.unit), self.problem.territories
        received = np.where(self.theirs[self.unit, self.territory], load, 0.0)
        every = np.arange(count)
        # each unit once; what territories hold, and receive; all that changes
        places = [self.at[unit][self.may[unit]] for unit in range(self.problem.units)]
        values = [np.ones(len(each)) for each in places]
        low, high = [np.ones(len(places))], [np.ones(len(places))]
        for territory in range(k):
            inside = np.flatnonzero(self.territory == territory)
            places += [inside, inside]
            values += [load[inside], received[inside]]
            low.append([self.low[territory], 0.0])
            high.append([self.high[territory], self.room[territory]])
        places.append(every)
        values.append(received)
        low.append([0.0])
        high.append([self.budget])
        for unit, territory, rim in self.separators:
            places.append(self.at[[unit, *rim], territory])
            values.append(np.append(1.0, -np.ones(len(rim))))
        low.append(np.full(len(self.separators), -np.inf))
        high.append(np.zeros(len(self.separators)))
        rows = np.repeat(np.arange(len(places)), [len(each) for each in places])
        matrix = sparse.csr_array((np.concatenate(values), (rows, np.concatenate(places))), shape=(len(places), count))
        return milp(
            SCALE * received / max(self.load[self.problem.current >= 0].sum(), CLOSE),
            constraints=LinearConstraint(matrix, np.concatenate(low), np.concatenate(high)),
            integrality=np.zeros(count) if relaxed else load > LIGHT,
            bounds=Bounds(0, 1),
            options={"node_limit": nodes, "mip_rel_gap": 0.0},
        )

    def separate(self, solution: np.ndarray) -> bool:
        """Add separators that a solution breaks; answer whether there were new ones."""
        share = np.zeros(self.may.shape)
        share[self.unit, self.territory] = solution
        new = self._separate_parts(share.argmax(axis=1))
        for territory in np.flatnonzero(self.stays).tolist():
            new |= self._separate_shares(share[:, territory], territory)
        return new

    def _separate_parts(self, assignment: np.ndarray) -> bool:
        """Add the separators that territories in parts break."""
        parts: dict[int, list[list[int]]] = {}
        for territory, part in territory_parts(self.problem.neighbours, assignment.tolist()):
            parts.setdefault(territory, []).append(part)
        new = False
        for territory, group in parts.items():
            *apart, _ = sorted(group, key=lambda part: (self.load[part].sum(), part))
            for part in apart:
                inside = set(part)
                for _ in range(LAYERS):
                    new |= self._require(inside, part, territory)
                    inside |= {other for unit in inside for other in self.problem.neighbours[unit]}
        return new

    def _separate_shares(self, share: np.ndarray, territory: int) -> bool:
        """Add the separators that leave less of units than a territory that stays takes of them (minimum cuts)."""
        within = set(np.flatnonzero(share > CLOSE).tolist())
        flows = nx.DiGraph()
        for unit in within:
            flows.add_edge((unit, 0), (unit, 1), capacity=float(share[unit]))
            flows.add_edges_from(((unit, 1), (other, 0)) for other in self.problem.neighbours[unit] if other in within)
            if self.problem.current[unit] == territory:
                flows.add_edge(-1, (unit, 0))
        new = False
        foreign = [unit for unit in within if self.problem.current[unit] != territory and share[unit] > SOME]
        told: set[int] = set()
        for unit in sorted(foreign, key=lambda unit: (-share[unit], unit)):
            if unit in told:
                continue
            left, (_, beyond) = nx.minimum_cut(flows, -1, (unit, 0)) if -1 in flows else (0.0, ((), [(unit, 0)]))
            inside = {node[0] for node in beyond if node[1] == 0}
            short = [each for each in inside if share[each] > left + SOME]
            told.update(short)
            if short:
                new |= self._require(inside, sorted(short), territory)
        return new
