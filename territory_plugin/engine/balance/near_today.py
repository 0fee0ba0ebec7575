"""The least that has to change hands, by a choice of one near set of units for each territory.

For each territory the connected sets are listed that are within its limits and not far from what it has today; a set
partitioning problem takes one for each. Where single units weigh much of a target, a dozen territories have to change
at once. Programs that know units one by one have weak bounds there; between whole territories, the linear relaxation
is nearly integral. Light units that are together, today and in the plan, are put together by chance, others in each
turn, until the sets can be listed; heavy ones stay alone. What the lists leave out is looked for by the prices of
units: sets that differ from the cheapest known ones in a unit more, a unit less, or one for another.

Balancing takes the plan that it has for today's where a few territories are outside their limits: excess counts first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linprog, milp

from .listing import as_rows, parts_of, touched, units_in
from .merging import Merging
from .problem import Problem
from .watch import Watch

SCALE = 1000.0
"""What all that is at stake weighs in the objective."""
EXCESS = 10.0
"""What a target of excess costs, in all that is at stake."""
LIGHT = 0.12
"""Share of a target up to which units are put together."""
SPREAD = 0.7
"""How much chance there is in what is put together: standard deviation of the logarithm."""
AWAY, LESS, LEAST = 0.8, 0.75, 0.01
"""Workload from others in a set at most, in targets; what is left of that where sets are too many, and when it ends."""
FIRST, MORE = 40, 40
"""Sets of each territory in the first linear program, and those that join in each further one."""
NODES = 30
"""Branches of the integer program."""
BEST, EXPANDED = 10, 20
"""Of each territory, after each linear program: the cheapest sets that others are looked for from, and how many of all
are gone on from."""
DEARER, RINGS = 1.0, 2
"""What these cost above the prices at most; layers of units around what was listed that they may hold."""
CLOSE = 1e-9
NEVER = 1e3
"""Targets that a unit counts in a territory that may not have it."""


@dataclass(frozen=True)
class Extent:
    """How far a turn goes.

    Attributes
    ----------
    seen : int
        Sets of one territory that are looked at.
    rounds : int
        Linear programs that follow the first.
    kept : int, optional
        Sets of each territory with a price to pay that stay in these; all, if not given.
    columns : int
        Sets of the integer program.
    are_shared : bool
        Whether these are as many of each territory, instead of the cheapest of all, which may be a few territories'
        only and fit nothing but each other.
    found : int
        Sets of each territory that are found near others after each linear program at most, but for the last one's.
    """

    seen: int
    rounds: int
    kept: int | None
    columns: int
    are_shared: bool = False
    found: int = 200


WITH_EXCESS = Extent(seen=5_000, rounds=6, kept=None, columns=6_000)
"""While the plan known is outside its limits: few sets fit together, so the integer program needs many."""
WITHIN = Extent(seen=2_000, rounds=15, kept=30, columns=3_000)
"""Once there is one within them."""
IN_EXCESS = 1e-6
"""Targets of excess from which on that is so."""


@dataclass
class _Listed:
    """The sets that one territory may have.

    Attributes
    ----------
    coarse : _Coarse
    low, high : float
        Limits, in targets.
    window : pair of float
        The same, as far as what the plan holds takes to be within them.
    change, coming : ndarray of float, shape (m,)
        What each coarse unit costs in it, and weighs if it comes from others.
    whole : float
        Its own workload, in targets.
    units : ndarray of int, shape (u,)
        Coarse units that may be in any of them.
    bits : list of int
        The sets.
    sets : ndarray of bool, shape (s, u)
        The first is the plan's.
    cost : ndarray of float, shape (s,)
        What they change.
    away : ndarray of float, shape (s,)
        Workload that comes and goes, in targets.
    """

    coarse: _Coarse
    low: float
    high: float
    window: tuple[float, float]
    change: np.ndarray
    coming: np.ndarray
    whole: float
    units: np.ndarray
    bits: list[int]
    sets: np.ndarray = field(init=False)
    cost: np.ndarray = field(init=False)
    away: np.ndarray = field(init=False)

    def __post_init__(self) -> None:
        self.sets, self.cost, self.away = self._measured(self.bits)
        self.within = sum(1 << unit for unit in self.units.tolist())
        self._met = set(self.bits)
        self._steps: dict[int, _Steps] = {}

    def _measured(self, bits: Sequence[int]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        units, load = self.units, self.coarse.load
        sets = as_rows(bits, self.coarse.size)[:, units]
        loads = np.einsum("su,u->s", sets, load[units])
        cost = np.einsum("su,u->s", sets, self.change[units])
        cost += EXCESS * np.maximum(np.maximum(loads - self.high, self.low - loads), 0.0)
        comes = np.einsum("su,u->s", sets, self.coming[units])
        return sets, SCALE * cost, comes + self.whole - (loads - comes)

    def gains(self, price: np.ndarray, own: float, first: int = 0) -> np.ndarray:
        """Return what sets cost above the prices of coarse units and of the territory, from the `first` one on."""
        return self.cost[first:] - np.einsum("su,u->s", self.sets[first:], price[self.units]) - own

    def grow(self, price: np.ndarray, own: float, gain: np.ndarray, most: int) -> np.ndarray:
        """Add sets that are cheap by these prices and near the cheapest known; return the gains of all.

        They differ in a unit more, a unit less, or one for another; the cheapest are gone on from until there are more
        than `most`.
        """
        # the last place is that of nothing, which joins or goes where no unit does
        paid = np.append(np.round(SCALE * self.change - price, 9), 0.0)
        ways = [(float(gain[at]), self.bits[at]) for at in np.argsort(np.round(gain, 9), kind="stable")[:BEST].tolist()]
        heapify(ways)
        new: list[int] = []
        for _ in range(EXPANDED):
            if not ways or len(new) > most:
                break
            _, inside = heappop(ways)
            if inside not in self._steps:
                self._steps[inside] = _Steps(self, inside)
            steps = self._steps[inside]
            for cost, other, goes in steps.cheap(paid, own):
                if other in self._met:
                    continue
                self._met.add(other)
                if steps.is_connected(other, goes):
                    new.append(other)
                    heappush(ways, (cost, other))
        if not new:
            return gain
        self.bits += new
        self.sets, self.cost, self.away = (
            np.concatenate(pair) for pair in zip((self.sets, self.cost, self.away), self._measured(new))
        )
        return np.concatenate([gain, self.gains(price, own, len(gain))])


class _Steps:
    """The sets that differ from a connected one in a unit more, a unit less, or one for another.

    Parameters
    ----------
    listed : _Listed
    inside : int
        The set, as bits.
    """

    def __init__(self, listed: _Listed, inside: int) -> None:
        coarse, (least, most) = listed.coarse, listed.window
        self._inside, self._around = inside, coarse.around
        held, ahead = units_in(inside), units_in(touched(inside, coarse.around) & listed.within & ~inside)
        nothing = coarse.size
        load = np.append(coarse.load, 0.0)
        self._held, self._goes, self._joins = np.array(held), np.array([nothing, *held]), np.array([nothing, *ahead])
        self._bits_going, self._bits_joining = ([0, *(1 << unit for unit in units)] for units in (held, ahead))
        weights = np.subtract.outer(load[held].sum() + load[self._joins], load[self._goes])
        excess = SCALE * EXCESS * np.maximum(np.maximum(weights - listed.high, listed.low - weights), 0.0)
        self._excess = np.where((weights >= least) & (weights <= most), excess, np.inf)
        self._parts: dict[int, list[int]] = {}

    def cheap(self, paid: np.ndarray, own: float) -> Iterator[tuple[float, int, int]]:
        """Yield the cost of each that is within the window and cheap, the set, and the unit that goes, as bits."""
        costs = np.subtract.outer(paid[self._held].sum() - own + paid[self._joins], paid[self._goes]) + self._excess
        joins, goes = np.nonzero(costs < DEARER)
        for cost, join, go in zip(costs[joins, goes].tolist(), joins.tolist(), goes.tolist()):
            yield cost, (self._inside | self._bits_joining[join]) & ~self._bits_going[go], self._bits_going[go]

    def is_connected(self, other: int, gone: int) -> bool:
        """Answer whether such a set is connected: what joins has to touch all parts that are left once a unit goes."""
        if not gone:
            return True
        left = self._inside & ~gone
        if gone not in self._parts:
            self._parts[gone] = parts_of(left, self._around)
        parts, joins = self._parts[gone], other & ~left
        if not joins:
            return len(parts) == 1
        near = self._around[joins.bit_length() - 1]
        return all(near & part for part in parts)


def choose_near_today(
    problem: Problem,
    assignment: np.ndarray,
    limits: tuple[np.ndarray, np.ndarray],
    count: int,
    chance_roots: bool,
    rng: np.random.Generator,
    watch: Watch,
    reach: np.ndarray | None = None,
    extent: Extent | None = None,
) -> np.ndarray | None:
    """Return the plan of listed sets with the least excess and change, None where none was chosen.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`.
    assignment : ndarray of int, shape (n,)
        Connected territories, which are among the sets.
    limits : pair of ndarray of float, shape (k,)
        Least and most workload of each.
    count : int
        Coarse units of a territory, as far as light ones can be put together.
    chance_roots : bool
        Whether the unit that a territory is sure to keep is drawn by chance instead of the heaviest.
    rng : Generator
    watch : Watch
    reach : ndarray of float, shape (k,), optional
        Workload from others that the sets of each territory may hold, in targets; where these were too many, what was
        left of it is put there for another turn.
    extent : Extent, optional
        How far the turn goes; as the excess asks for, if not given.
    """
    reach = np.full(problem.territories, AWAY) if reach is None else reach
    coarse = _Coarse(problem, assignment, count, rng)
    if extent is None:
        held = np.bincount(assignment, problem.workload, problem.territories)
        excess = np.maximum(np.maximum(held - limits[1], limits[0] - held), 0.0).sum() / problem.scale
        extent = WITH_EXCESS if excess > IN_EXCESS else WITHIN
    listed = []
    for territory in range(problem.territories):
        if watch.time_is_up():
            return None
        listed.append(coarse.near(territory, limits, rng if chance_roots else None, reach, extent.seen))
    chosen = _chosen(listed, coarse.size, extent, watch)
    if chosen is None:
        return None
    found = np.full(problem.units, -1)
    for territory, (each, at) in enumerate(zip(listed, chosen)):
        for unit in each.units[each.sets[at]].tolist():
            found[coarse.members[unit]] = territory
    return found


class _Coarse:
    """Units put together with others that share their territory, today and in the plan, the lightest first.

    Attributes
    ----------
    members : list of list of int
        Units of each coarse one, the heaviest first.
    size : int
        Their number, m.
    load, stay : ndarray of float, shape (m,)
        In targets, and in what is at stake.
    today, plan, fixed : ndarray of int, shape (m,)
    """

    def __init__(self, problem: Problem, assignment: np.ndarray, count: int, rng: np.random.Generator) -> None:
        self.problem = problem
        together = _LightOnes(problem, assignment, count, rng)
        load, near, members = together.load, together.near, together.members
        order = sorted(members, key=lambda unit: (-load[unit], unit))
        place = {unit: at for at, unit in enumerate(order)}
        self.members = [members[unit] for unit in order]
        self.size = len(order)
        self.load = np.array([load[unit] for unit in order])
        self.around = [sum(1 << place[other] for other in near[unit]) for unit in order]
        self.today, self.plan, self.fixed = (each[order] for each in (problem.current, assignment, problem.fixed))
        stay = np.where(problem.current >= 0, problem.stay, 0.0)
        self.stay = np.array([stay[units].sum() for units in self.members]) / stay.sum()
        self.barred = None
        if problem.barred is not None:
            self.barred = np.array([problem.barred[units].any(axis=0) for units in self.members])

    def near(
        self,
        territory: int,
        limits: tuple[np.ndarray, np.ndarray],
        rng: np.random.Generator | None,
        reach: np.ndarray,
        most_seen: int,
    ) -> _Listed:
        """Return the sets of a territory: those that hold its root, the heaviest that stays or one drawn by chance."""
        load, today, plan = self.load, self.today, self.plan
        low, high = (float(each[territory]) / self.problem.scale for each in limits)
        inside = np.flatnonzero(plan == territory)
        held = load[inside].sum()
        # what nobody has counts from the plan
        foreign = np.where(today >= 0, today != territory, plan != territory)
        if not (today == territory).any():
            foreign = plan != territory
        away = np.where(foreign, load, 0.0)
        away[(self.fixed >= 0) & (self.fixed != territory)] = NEVER
        if self.barred is not None:
            away[self.barred[:, territory] & (plan != territory)] = NEVER
        fixed, stays = inside[self.fixed[inside] == territory], inside[today[inside] == territory]
        among = fixed if len(fixed) else stays if len(stays) else inside
        root = int(among[load[among].argmax()])
        if rng is not None:
            share = load[among] + LEAST
            root = int(rng.choice(among, p=share / share.sum()))
        window = min(low, held) - CLOSE, max(high, held) + CLOSE
        own = np.where(foreign, 0.0, load)
        most = min(AWAY, float(reach[territory]) / LESS)
        bits, reach[territory] = _around_root(
            self.around, load.tolist(), away.tolist(), own.tolist(), root, *window, most, most_seen
        )
        known = sum(1 << unit for unit in inside.tolist())
        bits = [known, *(each for each in bits if each != known)]
        within = 0
        for each in bits:
            within |= each
        for _ in range(RINGS):
            within |= touched(within, self.around)
        never = sum(1 << unit for unit in np.flatnonzero(away >= NEVER).tolist())
        return _Listed(
            coarse=self,
            low=low,
            high=high,
            window=window,
            change=np.where(today != territory, self.stay, 0.0),
            coming=np.where(foreign, load, 0.0),
            whole=float(load[~foreign].sum()),
            units=np.array(units_in(within & ~never | known)),
            bits=bits,
        )


class _LightOnes(Merging):
    """Light units put together as far as they share their territory today and in the plan, with some chance.

    Until each territory has so many.
    """

    def __init__(self, problem: Problem, assignment: np.ndarray, count: int, rng: np.random.Generator) -> None:
        self.kind = np.column_stack([problem.current, assignment, problem.fixed]).tolist()
        self.home, self.count = assignment.tolist(), count
        self.left = np.bincount(assignment, minlength=problem.territories).tolist()
        self.chance = np.exp(rng.normal(0.0, SPREAD, problem.units)).tolist()
        super().__init__((problem.workload / problem.scale).tolist(), problem.neighbours)
        while (to := self.merge()) is not None:
            self.left[self.home[to]] -= 1

    def size(self, unit: int) -> float:
        return self.load[unit] * self.chance[unit]

    def doors(self, unit: int) -> list[int]:
        load, kind = self.load, self.kind
        if load[unit] > LIGHT or self.left[self.home[unit]] <= self.count:
            return []
        return [
            other
            for other in self.near[unit]
            if kind[other] == kind[unit] and (load[other] <= 2 * LIGHT or load[unit] <= LIGHT / 12)
        ]


def _around_root(
    around: Sequence[int],
    load: Sequence[float],
    away: Sequence[float],
    own: Sequence[float],
    root: int,
    low: float,
    high: float,
    most: float,
    most_seen: int,
) -> tuple[list[int], float]:
    """Return connected sets, as bits, that hold a root and weigh from `low` to `high`; each once. And how much they
    hold from `away`: at `most` as asked for.

    A set grows by what it touches; what was passed over once is not taken up again (Wernicke's algorithm ESU), so what
    is passed over of `own` is known to go. Where more than `most_seen` would have to be looked at, only sets with less
    from `away` are.
    """
    whole = sum(own)
    while most > LEAST:
        found, seen = [], 0
        spare = whole + most - low  # what may go, if as much comes as may
        stack = [(1 << root, around[root], around[root] | 1 << root, load[root], away[root], spare)]
        while stack and seen + len(stack) <= most_seen:
            inside, ahead, touched, weight, foreign, left = stack.pop()
            seen += 1
            if weight >= low:
                found.append(inside)
            while ahead and left >= 0.0:
                bit = ahead & -ahead
                ahead ^= bit
                unit = bit.bit_length() - 1
                heavier, farther = weight + load[unit], foreign + away[unit]
                if heavier <= high and farther <= most:
                    near = around[unit]
                    stack.append((inside | bit, ahead | (near & ~touched), touched | near, heavier, farther, left))
                left -= own[unit]
        if not stack:
            return found, most
        most *= LESS
    return [], most


def _chosen(listed: list[_Listed], size: int, extent: Extent, watch: Watch) -> list[int] | None:
    """Return which set each territory takes, so that all coarse units are taken once.

    minimise Σ cost subject to one set for each territory and one territory for each unit. A linear program of few
    sets prices the units; others are looked for by these prices, and those that would gain join, until none does. Then
    the integer program of all sets that can be in a better plan than the one known, by the same prices; where they are
    many, the best of them.
    """
    taken = []
    for each in listed:
        first = np.zeros(len(each.cost), dtype=bool)
        first[np.argsort(np.round(each.away, 9), kind="stable")[:FIRST]] = True
        first[0] = True
        taken.append(first)
    known = sum(float(each.cost[0]) for each in listed)
    for turn in range(extent.rounds + 1):
        if watch.time_is_up():
            return None
        cost, rows, _ = _program(listed, taken, size)
        solved = linprog(cost, A_eq=rows, b_eq=np.ones(rows.shape[0]), bounds=(0, None), method="highs")
        if solved.x is None:
            return None
        price = solved.eqlin.marginals
        gains = []
        for at, each in enumerate(listed):
            own = float(price[size + at])
            gains.append(each.grow(price[:size], own, each.gains(price, own), extent.found))
            taken[at] = np.append(taken[at], np.zeros(len(gains[at]) - len(taken[at]), dtype=bool))
        bound, joined = float(solved.fun) + sum(min(0.0, float(gain.min())) for gain in gains), False
        for had, gain in zip(taken, gains):
            if extent.kept is not None:
                dear = np.flatnonzero(had & (gain > CLOSE * SCALE))
                had[dear[np.argsort(np.round(gain[dear], 9), kind="stable")[extent.kept :]]] = False
            more = np.flatnonzero((gain < -CLOSE * SCALE) & ~had)
            had[more[np.argsort(np.round(gain[more], 9), kind="stable")[:MORE]]] = True
            joined |= bool(len(more))
        if not joined or turn == extent.rounds:
            break
    if extent.are_shared:
        dearest = [_at_most(gain, extent.columns // len(listed)) for gain in gains]
    else:
        dearest = [_at_most(np.concatenate(gains), extent.columns)] * len(listed)
    taken = [gain <= min(known - bound, most) + CLOSE * SCALE for gain, most in zip(gains, dearest)]
    for each in taken:
        each[0] = True
    cost, rows, index = _program(listed, taken, size)
    options = {"node_limit": NODES, "mip_rel_gap": 0.0}
    left = watch.remaining(np.inf)
    if left < np.inf:
        options["time_limit"] = max(left, 0.1)
    found = milp(
        cost,
        constraints=LinearConstraint(rows, 1, 1),
        integrality=np.ones(len(cost)),
        bounds=Bounds(0, 1),
        options=options,
    )
    if found.x is None:
        return None
    picked = [index[column] for column in np.flatnonzero(found.x > 0.5).tolist()]
    if [territory for territory, _ in picked] != list(range(len(listed))):
        return None
    covered = np.zeros(size, dtype=int)
    for territory, at in picked:
        covered[listed[territory].units] += listed[territory].sets[at]
    return [at for _, at in picked] if (covered == 1).all() else None


def _at_most(values: np.ndarray, count: int) -> float:
    """Return the value that so many are at most; the largest, where there are not so many."""
    return float(np.sort(values)[min(count, len(values)) - 1])


def _program(listed: list[_Listed], taken: list[np.ndarray], size: int):
    """Return cost, rows and (territory, set) of the columns that are taken."""
    cost, row, column, index = [], [], [], []
    for territory, (each, those) in enumerate(zip(listed, taken)):
        at = np.flatnonzero(those)
        of, unit = np.nonzero(each.sets[at])
        row += [each.units[unit], np.full(len(at), size + territory)]
        column += [len(index) + of, len(index) + np.arange(len(at))]
        cost.append(each.cost[at])
        index += [(territory, int(which)) for which in at]
    row, column = np.concatenate(row), np.concatenate(column)
    shape = (size + len(listed), len(index))
    return np.concatenate(cost), sparse.csr_array((np.ones(len(row)), (row, column)), shape=shape), index
