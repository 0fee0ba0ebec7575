"""Rules as arrays, and the contradictions among them, named before anything is solved."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np

from ..errors import Count, TerritoryError, name_some
from ..reps import require_one_each
from .rules import Rules

CLOSE = 1e-9


@dataclass(frozen=True)
class Duties:
    """What the rules demand of each territory and unit.

    Attributes
    ----------
    names : tuple of str
        Rep ids; empty where territories are alike.
    share : ndarray, shape (k,)
        Capacities, 1 on average.
    fixed : ndarray of int, shape (n,)
        Territory that a unit stays in, -1 for any.
    home : ndarray of int, shape (k,)
        Unit that the rep lives in, -1 for none.
    centre : ndarray of int, shape (k,)
        Unit that travel is measured from: the home, else one that the rules name; -1 for none.
    least, most : ndarray, shape (k,)
        Limits of workload, NaN for those of the tolerance.
    barred : ndarray of bool, shape (n, k), or None
    frozen : ndarray of bool, shape (k,)
        Territories that stay exactly as they are.
    gave : tuple of str
        Rules that could not be kept, with what that means.
    current : ndarray of int, shape (n,), optional
        Territory of each unit today, -1 for none.
    """

    names: tuple[str, ...]
    share: np.ndarray
    fixed: np.ndarray
    home: np.ndarray
    centre: np.ndarray
    least: np.ndarray
    most: np.ndarray
    barred: np.ndarray | None
    frozen: np.ndarray
    gave: tuple[str, ...] = ()
    current: np.ndarray | None = None

    @classmethod
    def free(cls, units: int, territories: int) -> Duties:
        """Return the duties of territories that are alike, of which nothing is demanded."""
        return cls(
            names=(),
            share=np.ones(territories),
            fixed=np.full(units, -1),
            home=np.full(territories, -1),
            centre=np.full(territories, -1),
            least=np.full(territories, np.nan),
            most=np.full(territories, np.nan),
            barred=None,
            frozen=np.zeros(territories, dtype=bool),
        )

    @property
    def alike(self) -> bool:
        """Whether all territories are to hold the same, within the same limits."""
        return bool(np.ptp(self.share) < CLOSE and np.isnan(self.least).all() and np.isnan(self.most).all())


def duties(
    rules: Rules, nodes: Sequence[Hashable], loads: np.ndarray, territories: int, distance: np.ndarray | None = None
) -> Duties:
    """Return the rules as arrays.

    Parameters
    ----------
    rules : Rules
    nodes : sequence, length n
        Units in the order of the arrays.
    loads : ndarray, shape (n,)
    territories : int
        How many are wanted.
    distance : ndarray, shape (n, k), optional
        km or minutes from each rep's home, NaN where there is none, for `rules.most_travel`.

    Raises
    ------
    TerritoryError
        With all the contradictions that were found, named, and the numbers.
    """
    reps, n, k = rules.reps, len(nodes), territories
    position = {unit: at for at, unit in enumerate(nodes)}
    free = Duties.free(n, k)
    if not reps:
        if rules.locked:
            raise TerritoryError("Locked units stay with a rep: give the reps, or today's territories, too.")
        return free
    fixed, home, least, most = free.fixed, free.home, free.least, free.most
    frozen, share = free.frozen, free.share
    names = [rep.id for rep in reps]
    wrong: list[str] = []
    require_one_each(reps, k)
    repeated = sorted({name for name in names if names.count(name) > 1})
    if repeated:
        raise TerritoryError(f"Reps occur more than once: {name_some(repeated)}. Give each one row.")
    index = {name: at for at, name in enumerate(names)}
    unknown: dict[str, list] = {}
    for unit, rep in sorted(rules.locked.items(), key=lambda item: str(item[0])):
        if rep not in index:
            unknown.setdefault(str(rep), []).append(unit)
    wrong += [
        f"Units {name_some(held)} are locked to {rep}, which is none of the reps: {name_some(names)}. Release them, or "
        "add the rep."
        for rep, held in sorted(unknown.items())
    ]

    why: dict[int, str] = {}

    def fix(unit, rep: int, reason: str) -> None:
        at = position.get(unit)
        if at is None:
            wrong.append(f"{unit} ({reason}) is none of the units: correct it, or add the unit.")
        elif fixed[at] >= 0 and fixed[at] != rep:
            wrong.append(
                f"{unit} cannot be both {why[at]} and {reason}: a unit has one territory. Take one of the two back."
            )
        else:
            fixed[at] = rep
            why.setdefault(at, reason)

    for at, rep in enumerate(reps):
        if not (rep.share > 0 and math.isfinite(rep.share)):
            wrong.append(f"{rep.id} has the capacity {rep.share:g}: it must be above 0.")
            continue
        share[at] = rep.share
        if rep.home is not None:
            fix(rep.home, at, f"the home of {rep.id}")
            home[at] = position.get(rep.home, -1)
        for unit in sorted(rep.must_have, key=str):
            fix(unit, at, f"a must-have of {rep.id}")
        least[at] = np.nan if rep.minimum is None else rep.minimum
        most[at] = np.nan if rep.maximum is None else rep.maximum
        frozen[at] = rep.locked
    for unit, rep in sorted(rules.locked.items(), key=lambda item: str(item[0])):
        if rep in index:
            fix(unit, index[rep], f"locked to {rep}")
    wrong += [
        f"{names[at]} is locked but has no units today: unlock it, or say which it has."
        for at in np.flatnonzero(frozen).tolist()
        if not (fixed == at).any()
    ]
    unit = rules.unit
    wrong += _limits_that_clash(names, loads * unit, fixed, least * unit, most * unit)

    barred, gave = _barred(rules, position, nodes, k, distance, wrong, fixed, names)
    if wrong:
        more = f"\n… and {len(wrong) - 12:,} more." if len(wrong) > 12 else ""
        raise TerritoryError("The rules contradict each other:\n" + "\n".join(wrong[:12]) + more)
    named = np.array([position.get(rules.centres.get(name), -1) for name in names], dtype=int)
    centre = np.where(home >= 0, home, named)
    return Duties(tuple(names), share / share.mean(), fixed, home, centre, least, most, barred, frozen, tuple(gave))


def _limits_that_clash(names, loads, fixed, least, most) -> list[str]:
    """Return what the limits of workload rule out, in sentences."""
    wrong = []
    held = np.bincount(fixed[fixed >= 0], loads[fixed >= 0], len(names))
    for at, name in enumerate(names):
        if least[at] > most[at]:
            wrong.append(f"{name}: the minimum of {least[at]:,.6g} is above the maximum of {most[at]:,.6g}.")
        elif held[at] > most[at] * (1 + CLOSE):
            wrong.append(
                f"{name}: its locked units hold {held[at]:,.6g}, its maximum is {most[at]:,.6g}. Unlock some, or "
                "raise it."
            )
    total = float(loads.sum())
    if (known := np.nansum(least)) > total * (1 + CLOSE):
        wrong.append(f"The minima add up to {known:,.6g}, the market holds {total:,.6g}: lower them.")
    if not np.isnan(most).any() and most.sum() < total * (1 - CLOSE):
        wrong.append(f"The maxima add up to {most.sum():,.6g}, the market holds {total:,.6g}: raise them or add a rep.")
    return wrong


def _barred(rules, position: Mapping, nodes, k, distance, wrong, fixed, names):
    """Return the territories that units may not be in, and what could not be kept of it."""
    reps = rules.reps
    gave: list[str] = []
    if not any(rep.forbidden for rep in reps) and rules.most_travel is None:
        return None, gave
    barred = np.zeros((len(nodes), k), dtype=bool)
    for at, rep in enumerate(reps):
        known = [position[unit] for unit in rep.forbidden if unit in position]
        barred[known, at] = True
    held = np.flatnonzero(fixed >= 0)
    clash = held[barred[held, fixed[held]]]
    wrong += [f"{nodes[unit]} is {names[fixed[unit]]}'s, and forbidden to it: take one back." for unit in clash[:6]]
    if rules.most_travel is not None and distance is not None:
        far = distance > rules.most_travel
        held = fixed >= 0
        far[held, fixed[held]] = False
        lost = np.flatnonzero((barred | far).all(axis=1) & ~barred.all(axis=1))
        if len(lost):
            beyond = np.where(barred[lost], np.inf, np.nan_to_num(distance[lost], nan=np.inf))
            farthest = beyond.min(axis=1)
            gave.append(
                f"{Count(len(lost)):unit lies|units lie} farther than {rules.most_travel:g} from every home "
                f"that they may belong to "
                f"(up to {farthest.max():,.1f}); the limit gives way for them: {name_some(nodes[at] for at in lost)}."
            )
            far[lost] = False
        barred |= far
    nobody = np.flatnonzero(barred.all(axis=1))
    if len(nobody):
        wrong.append(f"Every rep is forbidden {name_some(nodes[at] for at in nobody)}: allow one.")
    return barred, gave


def within_reach(
    duty: Duties, rules: Rules, nodes: Sequence[Hashable], neighbours: Sequence[tuple[int, ...]]
) -> Duties:
    """Return the duties that some way on the map allows: what is too far gives way, what is forbidden does not.

    A territory reaches a unit through units that nobody else must have and that it may have itself. Where none that may
    have a unit reaches it, no plan keeps the rule.

    Raises
    ------
    TerritoryError
        With the units that only territories reach to which they are forbidden.
    """
    lost = _out_of_reach(duty, neighbours)
    if not len(lost):
        return duty
    position = {unit: at for at, unit in enumerate(nodes)}
    forbidden = np.zeros_like(duty.barred)
    for at, rep in enumerate(rules.reps):
        forbidden[[position[unit] for unit in rep.forbidden if unit in position], at] = True
    gave = duty.gave
    far = lost[(duty.barred[lost] & ~forbidden[lost]).any(axis=1)]
    if len(far):
        barred = duty.barred.copy()
        barred[far] = forbidden[far]
        gave = (
            *gave,
            f"{Count(len(far)):unit is|units are} near enough to some home, but every way from it leads "
            f"through units that are too far or others': the limit of {rules.most_travel:g} gives way for them: "
            f"{name_some(nodes[at] for at in far)}.",
        )
        duty = replace(duty, barred=barred, gave=gave)
        lost = _out_of_reach(duty, neighbours)
    if len(lost):
        named = (
            f"{nodes[unit]} ({', '.join(duty.names[at] for at in np.flatnonzero(duty.barred[unit]))})" for unit in lost
        )
        raise TerritoryError(
            f"{Count(len(lost)):unit is|units are} within reach only of reps to whom that is forbidden: "
            f"{name_some(named)}. Every way from the other reps leads through units that are locked to others or "
            "forbidden to them. Release some of these, or take the ban back."
        )
    return duty


def _out_of_reach(duty: Duties, neighbours: Sequence[tuple[int, ...]]) -> np.ndarray:
    """Return the units that no territory which may have them reaches, whatever the plan."""
    if duty.barred is None:
        return np.zeros(0, dtype=int)
    left = duty.barred.any(axis=1) & (duty.fixed < 0)
    for territory in np.flatnonzero(~duty.frozen).tolist():
        if not left.any():
            break
        may = ~duty.barred[:, territory] & np.isin(duty.fixed, (-1, territory))
        reached = np.flatnonzero(duty.fixed == territory)[:1].tolist()
        if not reached:
            left &= ~may  # it may begin anywhere
            continue
        may[reached] = False
        open_to = may.tolist()
        for unit in reached:
            for other in neighbours[unit]:
                if open_to[other]:
                    open_to[other] = False
                    reached.append(other)
        left[reached] = False
    return np.flatnonzero(left)


def region_codes(graph: nx.Graph, nodes: Sequence[Hashable], attribute: str) -> tuple[np.ndarray, list[str]]:
    """Return the region of each unit as a number, -1 for none, and the regions' names."""
    texts = [graph.nodes[node].get(attribute) for node in nodes]
    texts = [None if text is None or str(text).strip() == "" else str(text).strip() for text in texts]
    names = sorted({text for text in texts if text is not None})
    code = {name: at for at, name in enumerate(names)}
    return np.array([-1 if text is None else code[text] for text in texts], dtype=int), names
