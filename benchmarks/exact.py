"""The least disruption that any plan can have, by a mixed-integer program: the yardstick for small maps.

Contiguity is a flow: in every territory one unit is the root, from which a commodity reaches each of its units over
units of the same territory.
"""

from __future__ import annotations

from collections.abc import Hashable, Mapping
from dataclasses import dataclass
from time import perf_counter

import networkx as nx
import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

TIGHT = 1e-7
SCALE = 1000.0
"""Objective of all that could be moved: HiGHS 1.2 (scipy 1.10) takes differences below about 1e-4 of it for none."""


@dataclass(frozen=True)
class Exact:
    """What the program found.

    Attributes
    ----------
    disruption : float
        Share of the weight that changes hands in the best plan found; NaN without one.
    bound : float
        No plan has less.
    plan : dict or None
        Unit → territory.
    seconds : float
    """

    disruption: float
    bound: float
    plan: dict | None
    seconds: float

    @property
    def proven(self) -> bool:
        """Whether nothing is better."""
        return self.plan is not None and self.disruption <= self.bound * (1 + 1e-4) + 1e-9


class _Rows:
    """Constraints under construction."""

    def __init__(self) -> None:
        self.row, self.column, self.value, self.low, self.high = [], [], [], [], []

    def add(self, terms, low, high) -> None:
        """Add low ≤ Σ value · variable ≤ high."""
        for column, value in terms:
            self.row.append(len(self.low))
            self.column.append(column)
            self.value.append(value)
        self.low.append(low)
        self.high.append(high)

    def constraint(self, variables: int) -> LinearConstraint:
        shape = (len(self.low), variables)
        return LinearConstraint(
            sparse.csr_array((self.value, (self.row, self.column)), shape=shape), self.low, self.high
        )


def least_disruption(
    graph: nx.Graph,
    current: Mapping[Hashable, Hashable | None],
    *,
    workload: str = "workload",
    weight: str | None = None,
    tolerance: float = 0.05,
    seconds: float = 60.0,
    contiguity: str = "cuts",
) -> Exact:
    """Return the plan of connected territories within tolerance that moves the least.

    minimise Σ_u v_u (1 − x[u, c(u)]) over the units with a territory c(u) today, subject to Σ_t x[u, t] = 1, the
    limits (1 ± tolerance) W / k on Σ_u w_u x[u, t], and contiguity:

    - ``flow``: Σ_u r[u, t] = 1, r ≤ x; f[a, t] ≥ 0 on both arcs of every edge, into a unit at most (n − 1) x;
      inflow − outflow ≥ x[u, t] − n r[u, t].
    - ``cuts``: whenever a solution has a territory in parts, those parts C that are lighter than the lower limit are
      no territory by themselves, so x[u, t] ≤ Σ_{s touching C} x[s, t] for all u in C and all t is added, and the
      program solved again until none is in parts. Exact as well, and faster.

    Parameters
    ----------
    graph : networkx.Graph
    current : mapping
        Unit → territory today; None: none.
    workload, weight : str
        Node attributes to balance and to count as disruption (default: the workload).
    tolerance : float
    seconds : float
        When to give up; the bound is then what has been proven.
    contiguity : {'flow', 'cuts'}

    References
    ----------
    Shirabe (2009), Districting modeling with exact contiguity constraints, Environment and Planning B 36.
    Validi, Buchanan & Lykhovyd (2022), Imposing contiguity constraints in political districting models, Operations
    Research 70.
    """
    begin = perf_counter()
    units = sorted(graph, key=str)
    number = {unit: at for at, unit in enumerate(units)}
    around = [sorted(number[other] for other in graph[unit]) for unit in units]
    territories = sorted({name for name in current.values() if name is not None}, key=str)
    n, k = len(units), len(territories)
    load = np.array([float(graph.nodes[unit][workload]) for unit in units])
    value = np.array([float(graph.nodes[unit][weight or workload]) for unit in units])
    scale = load.sum() / k
    load = load / scale
    low, high = 1 - tolerance, 1 + tolerance
    x = np.arange(n * k).reshape(n, k)
    variables = n * k
    cost = np.zeros(variables)
    total = value.sum()
    fixed = 0.0
    for unit, at in number.items():
        if current.get(unit) is not None:
            cost[x[at, territories.index(current[unit])]] = -value[at] / total
            fixed += value[at] / total
    rows = _Rows()
    for at in range(n):
        rows.add([(x[at, t], 1.0) for t in range(k)], 1, 1)
    for t in range(k):
        rows.add([(x[at, t], load[at]) for at in range(n)], low, high)
    # a unit lighter than a territory has a neighbour in it
    for at in range(n):
        if load[at] < low:
            for t in range(k):
                rows.add([(x[at, t], 1.0), *((x[other, t], -1.0) for other in around[at])], -np.inf, 0)
    upper = [np.ones(variables)]
    integral = [np.ones(variables)]
    if contiguity == "flow":
        arcs = [(a, b) for a in range(n) for b in around[a]]
        root = variables + x
        variables += n * k
        flow = variables + np.arange(len(arcs) * k).reshape(len(arcs), k)
        variables += len(arcs) * k
        upper += [np.ones(n * k), np.full(len(arcs) * k, n - 1.0)]
        integral += [np.ones(n * k), np.zeros(len(arcs) * k)]
        into = [[] for _ in range(n)]
        out = [[] for _ in range(n)]
        for arc, (a, b) in enumerate(arcs):
            out[a].append(arc)
            into[b].append(arc)
        for t in range(k):
            rows.add([(root[at, t], 1.0) for at in range(n)], 1, 1)
            for at in range(n):
                rows.add([(root[at, t], 1.0), (x[at, t], -1.0)], -np.inf, 0)
                rows.add([*((flow[arc, t], 1.0) for arc in into[at]), (x[at, t], 1.0 - n)], -np.inf, 0)
                balance = [(flow[arc, t], 1.0) for arc in into[at]] + [(flow[arc, t], -1.0) for arc in out[at]]
                rows.add([*balance, (x[at, t], -1.0), (root[at, t], float(n))], 0, np.inf)
    cost = np.concatenate([cost, np.zeros(variables - len(cost))])
    bounds = Bounds(0, np.concatenate(upper))
    integrality = np.concatenate(integral)
    bound = 0.0
    while True:
        left = seconds - (perf_counter() - begin)
        if left <= 0.5:
            return Exact(float("nan"), bound, None, perf_counter() - begin)
        found = milp(
            SCALE * cost,
            constraints=rows.constraint(variables),
            integrality=integrality,
            bounds=bounds,
            options={"time_limit": left, "mip_rel_gap": 0.0},
        )
        dual = getattr(found, "mip_dual_bound", None)
        if dual is not None:
            bound = max(bound, fixed + float(dual) / SCALE)
        if found.x is None:
            infeasible = found.status == 2
            return Exact(float("nan"), float("inf") if infeasible else bound, None, perf_counter() - begin)
        chosen = found.x[: n * k].reshape(n, k).argmax(axis=1)
        parts = _light_parts(around, chosen, load, low)
        if contiguity == "flow" or not parts:
            plan = {unit: territories[chosen[at]] for unit, at in number.items()}
            done = fixed - sum(
                value[at] / total for unit, at in number.items() if current.get(unit) == plan[unit] is not None
            )
            return Exact(max(done, 0.0), max(bound, 0.0), plan, perf_counter() - begin)
        if found.status != 0:
            return Exact(float("nan"), bound, None, perf_counter() - begin)
        for part in parts:
            rim = sorted({other for at in part for other in around[at]} - set(part))
            for at in part:
                for t in range(k):
                    rows.add([(x[at, t], 1.0), *((x[other, t], -1.0) for other in rim)], -np.inf, 0)


def _light_parts(around, chosen, load, low) -> list[list[int]]:
    """Return the parts of territories in several parts that are lighter than a territory may be."""
    seen = np.zeros(len(chosen), dtype=bool)
    parts: dict[int, list[list[int]]] = {}
    for first in range(len(chosen)):
        if seen[first]:
            continue
        seen[first] = True
        part = [first]
        for at in part:
            for other in around[at]:
                if not seen[other] and chosen[other] == chosen[first]:
                    seen[other] = True
                    part.append(other)
        parts.setdefault(int(chosen[first]), []).append(part)
    return [part for group in parts.values() if len(group) > 1 for part in group if load[part].sum() < low - TIGHT]
