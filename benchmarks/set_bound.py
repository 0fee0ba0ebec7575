"""What changes hands at least, by connected sets: a bound for whole states, where single ZIPs weigh much of a target.

A plan takes one connected set for each territory, and each unit once. With prices of units, each territory takes its
cheapest set by itself, and no plan costs less than all of these together, whatever the prices (Lagrange's bound). A
linear program of the sets met so far tells the prices, programs of one territory each tell the cheapest sets, in turns
(column generation), until the bound is near what the linear program says.

Light units that are together today are a liquid: a territory that touches such a pool takes as much of it as it likes.
That is less than plans have to keep to, so the bound holds, and the programs are small.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp
from scipy.sparse.csgraph import dijkstra

from ..territory_plugin.engine.balance.listing import is_connected, parts_of, reached, touched, units_in
from ..territory_plugin.engine.balance.merging import Merging

SCALE = 1000.0
"""What all that is at stake weighs."""
ROUNDS, ENOUGH = 25, 0.5
"""Times that all territories are priced, and how near, of `SCALE`, the bound is to the linear program when it ends."""
TURNS, GAIN = 12, 0.2
"""Linear programs between them, and what three of these gain at least, of `SCALE`."""
PRICES, FREE = 3.0, 10.0
"""Highest price of a unit, either way, in its workload and besides."""
MIX = 0.5
"""How much of the best prices so far is kept in the next, once the first `ROUGH` rounds are over."""
ROUGH = 3
NODES, CUTS, CUTS_MORE, LAYERS = 300, 8, 30, 4
"""Branches of one territory's program; how often separators are added to it, and where it was not solved by these;
how many layers of units around a part have theirs added."""
MORE, KEPT, SUPPORTS = 6, 150, 100
"""Sets of each list that join at once, and of each territory that are kept, without their amounts as well."""
NO_SET = 300.0
"""What it costs that a territory has no set."""
CLOSE, STEP = 1e-9, 1e-3


def set_bound(problem, limits: tuple[np.ndarray, np.ndarray], may: np.ndarray, *, light: float) -> float:
    """Return the workload that changes hands at least in every plan within the limits.

    Σ_u π_u + Σ_t min {Σ_{u in S} (c_ut − π_u): S connected and within the limits of t} is a bound for any prices π,
    c_ut being the workload of u where that is another territory's today. For the minimum stands the dual bound of a
    mixed-integer program with separators, so the bound holds however early its branches end.

    Parameters
    ----------
    problem : Problem
        With `current` (`engine/balance/problem.py`); units without a territory today cost nothing wherever they go.
    limits : pair of ndarray of float, shape (k,)
        Least and most workload of each territory.
    may : ndarray of bool, shape (n, k)
        Territories that each unit may be in.
    light : float
        Targets that a pool of light units holds at most: with less, the bound is nearer, and takes longer.

    Returns
    -------
    float
        In the unit of `workload`.

    References
    ----------
    Garfinkel & Nemhauser (1970), Optimal political districting by implicit enumeration techniques, Management Science
    16, and Mehrotra, Johnson & Nemhauser (1998), An optimization based heuristic for political districting, Management
    Science 44, for set partitioning; Wentges (1997), Weighted Dantzig–Wolfe decomposition for linear mixed-integer
    programming, Int. Trans. in Operational Research 4, for prices between the best and the latest.
    """
    stake = float(problem.workload[problem.current >= 0].sum())
    if stake <= 0:
        return 0.0
    pools = _Pools(problem, limits, may, light)
    sets = [_Sets(pools, territory) for territory in range(problem.territories)]
    best, kept, slow = 0.0, None, set()
    program, price, margin = _turns(pools, sets)
    for turn in range(ROUNDS):
        mixed = kept is not None and turn > ROUGH
        asked = MIX * kept + (1 - MIX) * price if mixed else price
        bound = float(asked.sum())
        for at, each in enumerate(sets):
            least, found = each.cheapest(asked, np.inf if mixed else margin[at], CUTS_MORE if at in slow else CUTS)
            bound += least if mixed else min(least, margin[at])
            slow.discard(at)
            if found is None and (mixed or least < margin[at] - 2 * STEP):
                slow.add(at)
        if kept is None or bound > best:
            best, kept = bound, asked
        if program - best < ENOUGH:
            break
        program, price, margin = _turns(pools, sets)
    return max(best, 0.0) * stake / SCALE


def _turns(pools: _Pools, sets: list[_Sets]) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value, prices of parts and of territories of the linear program, once quick ways find no better sets."""
    values: list[float] = []
    for _ in range(TURNS):
        value, price, margin = _priced(pools, sets)
        values.append(value)
        more = [each.from_known(price, margin[at]) for at, each in enumerate(sets)]
        settled = len(values) > 3 and values[-4] - values[-1] < GAIN
        if sum(more) < 3 or settled:
            break
        for each in sets:
            each.forget(price)
    return value, price, margin


def _priced(pools: _Pools, sets: list[_Sets]) -> tuple[float, np.ndarray, np.ndarray]:
    """Return value, prices of parts and of territories of the linear program over the sets met.

    A part may be missing or taken twice at `PRICES`, a territory be without a set at `NO_SET`.
    """
    n, k = pools.size, len(sets)
    cost, row, column, value, count = [], [], [], [], 0
    for at, each in enumerate(sets):
        for parts, amount, paid in each.columns.values():
            row += [parts, [n + at]]
            column.append(np.full(len(parts) + 1, count))
            value += [amount, [1.0]]
            cost.append(paid)
            count += 1
    most = PRICES * pools.priced + FREE
    every = np.arange(n)
    row = np.concatenate([*row, every, every, n + np.arange(k)])
    column = np.concatenate([*column, count + np.arange(2 * n + k)])
    value = np.concatenate([*value, np.ones(n), -np.ones(n), np.ones(k)])
    cost = np.concatenate([cost, most, most, np.full(k, NO_SET)])
    solved = linprog(
        cost,
        A_eq=sparse.csc_array((value, (row, column)), shape=(n + k, len(cost))),
        b_eq=np.ones(n + k),
        bounds=(0, None),
        method="highs-ds",
    )
    return float(solved.fun), solved.eqlin.marginals[:n], solved.eqlin.marginals[n:]


class _Pools:
    """The map with light units put together: parts, each a unit or a pool of light ones that are together today.

    Attributes
    ----------
    size : int
        Parts, m.
    members : list of list of int
        Units of each.
    load, stay, priced : ndarray of float, shape (m,)
        Workload in targets; what is at stake, and workload, both in `SCALE`.
    liquid : ndarray of bool, shape (m,)
        Whether a set may hold some of it.
    today : ndarray of int, shape (m,)
    around : list of int
        Parts that each touches, as bits.
    low, high : ndarray of float, shape (k,)
        Limits in targets.
    may : ndarray of bool, shape (m, k)
    """

    def __init__(self, problem, limits: tuple[np.ndarray, np.ndarray], may: np.ndarray, light: float) -> None:
        load = problem.workload / problem.scale
        together = _LightOnes(problem, load, light).members
        self.members = [sorted(together[unit]) for unit in sorted(together)]
        self.size = len(self.members)
        of = np.empty(problem.units, dtype=int)
        for part, units in enumerate(self.members):
            of[units] = part
        low, high = limits
        self.low, self.high = low / problem.scale - CLOSE, high / problem.scale + CLOSE
        self.load = np.array([load[units].sum() for units in self.members])
        self.liquid = np.array([len(units) > 1 for units in self.members])
        self.today = np.array([problem.current[units[0]] for units in self.members])
        stake = problem.workload[problem.current >= 0].sum()
        self.priced = SCALE * self.load * problem.scale / stake
        self.stay = np.where(self.today >= 0, self.priced, 0.0)
        self.near = [
            sorted({int(of[other]) for unit in units for other in problem.neighbours[unit]} - {part})
            for part, units in enumerate(self.members)
        ]
        self.around = [_bits(parts) for parts in self.near]
        self.may = np.array([may[units].any(axis=0) for units in self.members])

    def pieces(self, inside: int) -> list[int]:
        """Return connected pieces, as bits, the lightest first."""
        return sorted(parts_of(inside, self.around), key=lambda piece: (self.weight(piece), piece))

    def rim(self, inside: int) -> int:
        """Return what lies around some parts, as bits."""
        return touched(inside, self.around) & ~inside

    def weight(self, inside: int) -> float:
        """Return the workload of parts, in targets."""
        return float(self.load[units_in(inside)].sum())


@dataclass
class _Sets:
    """The sets that one territory may have.

    Attributes
    ----------
    pools : _Pools
    territory : int
    columns : dict
        Parts, the amount of each, and the cost, by what tells them apart.
    supports : set of int
        Parts that sets touch, as bits: with other prices they hold other amounts of the liquid ones.
    rows : list
        Places, values and most of what separators allow.
    """

    pools: _Pools
    territory: int
    columns: dict = field(default_factory=dict)
    supports: set[int] = field(default_factory=set)
    rows: list = field(default_factory=list)
    _known: set = field(default_factory=set)

    def __post_init__(self) -> None:
        pools, t = self.pools, self.territory
        self.low, self.high = float(pools.low[t]), float(pools.high[t])
        inside = _bits(np.flatnonzero(pools.may[:, t]).tolist())
        self.within = sum(piece for piece in pools.pieces(inside) if pools.weight(piece) >= self.low)
        self.parts = np.array(units_in(self.within), dtype=int)
        self.place = np.full(pools.size, -1)
        self.place[self.parts] = np.arange(len(self.parts))
        self.cost = np.where(pools.today == t, 0.0, pools.stay)
        self._begin()
        self.supports.add(_bits(np.flatnonzero(pools.may[:, t] & (pools.today == t)).tolist()) & self.within)

    def _begin(self) -> None:
        """Begin the program: a part has one around it, and what is too far from it is not in its set."""
        pools, parts = self.pools, self.parts
        if not len(parts):
            return
        for part in parts.tolist():
            if pools.load[part] < self.low:
                self._separate(part, pools.around[part] & self.within)
        solid = np.where(pools.liquid, 0.0, pools.load)[parts]
        one, other = np.array(
            [(self.place[a], self.place[b]) for a in parts for b in pools.near[a] if self.place[b] >= 0], dtype=int
        ).reshape(-1, 2).T  # fmt: skip
        way = dijkstra(sparse.csr_array((np.maximum(solid[other], CLOSE), (one, other)), shape=(len(parts),) * 2))
        for at in range(len(parts)):
            far = np.flatnonzero((way[at] + solid[at] > self.high + 1e-6) & (solid > 0))
            most = min(self.high, solid[far].sum())
            if most > 0:
                self.rows.append((np.append(far, at), np.append(solid[far], most), most))

    def _separate(self, part: int, rim: int, other: int | None = None) -> bool:
        """Require a part of the rim with this part, or only with both; answer whether that is new."""
        if (part, rim, other) in self._known:
            return False
        self._known.add((part, rim, other))
        ends = [part] if other is None else [part, other]
        places = self.place[[*units_in(rim), *ends]]
        values = np.append(-np.ones(len(places) - len(ends)), np.ones(len(ends)))
        self.rows.append((places, values, len(ends) - 1.0))
        return True

    def _separated(self, inside: int) -> bool:
        """Add the separators that a set in pieces breaks; answer whether there were any."""
        pools, new = self.pools, False
        *pieces, main = pools.pieces(inside)
        for piece in pieces:
            grown = piece
            for layer in range(LAYERS):
                rim = pools.rim(grown) & self.within
                rim &= pools.rim(reached(main, self.within & ~grown & ~rim, pools.around))
                beyond = reached(piece, self.within & ~rim, pools.around)
                if pools.weight(beyond) >= self.low:
                    if layer == 0:
                        one, other = (max(units_in(each), key=lambda part: (pools.load[part], part))
                                      for each in (piece, main))  # fmt: skip
                        new |= self._separate(one, rim, other)
                    break
                for part in units_in(piece):
                    new |= self._separate(part, rim)
                grown = beyond | (pools.rim(beyond) & self.within)
                if grown & main:
                    break
        return new

    def cheapest(self, price: np.ndarray, enough: float, cuts: int) -> tuple[float, int | None]:
        """Return what no set costs less than, and the cheapest one's parts, as bits, where it was found.

        Ends where none costs less than `enough`.
        """
        pools, parts = self.pools, self.parts
        gain = (self.cost - price)[parts]
        n, wet = len(parts), np.flatnonzero(pools.liquid[parts])
        bound = float(np.minimum(gain, 0.0).sum())
        dry = np.flatnonzero(~pools.liquid[parts])
        load, amounts = pools.load[parts], n + np.arange(len(wet))
        for _ in range(cuts if n else 0):
            # amounts of what is touched alone; the weight of all
            places = [row[0] for row in self.rows] + [np.array(pair) for pair in zip(wet, amounts)]
            values = [row[1] for row in self.rows] + [np.array([-1.0, 1.0])] * len(wet)
            most = [row[2] for row in self.rows] + [0.0] * len(wet)
            places.append(np.append(dry, amounts))
            values.append(np.append(load[dry], load[wet]))
            rows = np.repeat(np.arange(len(places)), [len(each) for each in places])
            matrix = sparse.csr_array(
                (np.concatenate(values), (rows, np.concatenate(places))), shape=(len(places), n + len(wet))
            )
            least = np.append(np.full(len(most), -np.inf), self.low)
            found = milp(
                np.append(np.where(pools.liquid[parts], 0.0, gain), gain[wet]),
                constraints=LinearConstraint(matrix, least, np.append(most, self.high)),
                integrality=np.append(np.ones(n), np.zeros(len(wet))),
                bounds=Bounds(0, 1),
                options={"mip_rel_gap": 0.0, "node_limit": NODES},
            )
            dual = getattr(found, "mip_dual_bound", None)
            if dual is not None and np.isfinite(dual):
                bound = max(bound, float(dual) - 1e-5)
            if found.x is None or bound >= enough - STEP:
                break
            inside = _bits(parts[found.x[:n] > 0.5].tolist())
            if is_connected(inside, pools.around):
                self._keep(inside, price)
                self._around(inside, price, enough)
                return bound, inside
            if not self._separated(inside):
                break
        return bound, None

    def _add(self, amount: np.ndarray) -> bool:
        parts = np.flatnonzero(amount > CLOSE)
        key = (*parts.tolist(), *np.round(amount[parts], 7).tolist())
        if key in self.columns:
            return False
        self.columns[key] = (parts, amount[parts], float((self.cost * amount).sum()))
        return True

    def _keep(self, inside: int, price: np.ndarray) -> bool:
        """Keep a set with the amounts that are cheapest by these prices."""
        self.supports.add(inside)
        filled = self._filled(inside, self.cost - price)
        return filled is not None and self._add(filled[1])

    def _filled(self, inside: int, gain: np.ndarray) -> tuple[float, np.ndarray] | None:
        """Return what a set costs with its cheapest amounts, and these; None if it cannot be within the limits."""
        pools = self.pools
        parts = np.array(units_in(inside))
        wet, dry = parts[pools.liquid[parts]], parts[~pools.liquid[parts]]
        held = pools.load[dry].sum()
        if held > self.high or held + pools.load[wet].sum() < self.low:
            return None
        amount = np.zeros(pools.size)
        amount[dry] = 1.0
        total = float(gain[dry].sum())
        for part in wet[np.argsort(gain[wet] / np.maximum(pools.load[wet], CLOSE), kind="stable")].tolist():
            room = (self.high if gain[part] < 0 else self.low) - held
            share = min(1.0, max(0.0, room / max(pools.load[part], CLOSE)))
            amount[part] = share
            held += share * pools.load[part]
            total += share * gain[part]
        return total, amount

    def from_known(self, price: np.ndarray, margin: float) -> int:
        """Add sets met before with other amounts, and such that differ in a part or two; return how many."""
        ranked = []
        for inside in self.supports:
            filled = self._filled(inside, self.cost - price)
            if filled is not None:
                ranked.append((filled[0], inside, filled[1]))
        ranked.sort(key=lambda each: each[:2])
        self.supports = {inside for _, inside, _ in ranked[:SUPPORTS]}
        added = sum(self._add(amount) for total, _, amount in ranked[:MORE] if total < margin - STEP)
        return added + sum(self._around(inside, price, margin) for _, inside, _ in ranked[:2])

    def _around(self, inside: int, price: np.ndarray, margin: float) -> int:
        """Add the sets on a descent by one part more, one less, or one for another; return how many."""
        pools, gain, added = self.pools, self.cost - price, 0
        filled = self._filled(inside, gain)
        known = np.inf if filled is None else filled[0]
        while True:
            outside, held = units_in(pools.rim(inside) & self.within), units_in(inside)
            others = [inside | 1 << part for part in outside] + [inside & ~(1 << part) for part in held]
            others += [(inside | 1 << new) & ~(1 << old) for new in outside for old in held if gain[new] < gain[old]]
            best = None
            for other in others:
                filled = self._filled(other, gain) if other else None
                if filled is None or filled[0] >= (known if best is None else best[0]) - 1e-6:
                    continue
                if is_connected(other, pools.around):
                    best = (filled[0], other, filled[1])
            if best is None:
                return added
            known, inside, amount = best
            if known < margin - STEP:
                self.supports.add(inside)
                added += self._add(amount)

    def forget(self, price: np.ndarray) -> None:
        """Keep the cheapest sets by these prices, where they are many."""
        if len(self.columns) > 1.4 * KEPT:
            ranked = sorted(self.columns.items(), key=lambda it: (it[1][2] - (price[it[1][0]] * it[1][1]).sum(), it[0]))
            self.columns = dict(ranked[:KEPT])


class _LightOnes(Merging):
    """Units, and pools of those that touch and share their territory today; pools hold up to `light`."""

    def __init__(self, problem, load: np.ndarray, light: float) -> None:
        self.today, self.light = problem.current, light
        super().__init__(load.tolist(), problem.neighbours)
        while self.merge() is not None:
            pass

    def size(self, unit: int) -> float:
        return self.load[unit]

    def doors(self, unit: int) -> list[int]:
        load, today = self.load, self.today
        return [
            other for other in self.near[unit] if today[other] == today[unit] and load[other] + load[unit] <= self.light
        ]


def _bits(places: Iterable[int]) -> int:
    return sum(1 << int(place) for place in places)
