"""The least that has to change hands, by mixed-integer programs: of a small map, or of parts of a large one.

A program knows workloads and limits, and contiguity by roots: each unit of a territory has a neighbour in it that is
nearer to the territory's root. That is more than contiguity asks, so different roots are tried in turn; what a program
finds is always connected, and programs with roots are quick. At last contiguity by separators: whenever a territory
comes out in parts, the separators that its parts break are added, until none is, or enough were tried.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, milp

from .contiguity import territory_parts
from .near_today import AWAY, IN_EXCESS, WITH_EXCESS, WITHIN, Extent, choose_near_today
from .problem import SAFETY, Problem
from .watch import Watch

SCALE = 1000.0
"""What all that is at stake weighs in the objective: HiGHS of scipy 1.10 stops early where differences are small.
A target of excess weighs as much, where there is some."""
CHOICES = 1000
"""Pairs of unit and territory of a program that knows all of them, at most."""
RANDOM = 2
"""From this one on, ways to choose roots are random."""
GAIN = 1e-6
"""Share of what is at stake that a better plan gains at least."""
CLOSE = 1e-6
"""Share of the tolerance that is left for rounding."""


@dataclass(frozen=True)
class Branches:
    """How far programs go; counts decide, not the clock, so that plans are the same everywhere.

    Attributes
    ----------
    roots, without : int
        Sets of roots that are tried at most, and without gain before roots are given up.
    nodes : int
        Branches of one program with roots at most.
    rounds, more_nodes, together : int
        Times that separators are added, branches of a program that has them, and of all of these.
    more_roots : int
        Sets of roots that are tried in vain once that has not ended.
    """

    roots: int
    without: int
    nodes: int
    rounds: int = 0
    more_nodes: int = 0
    together: int = 0
    more_roots: int = 0


SMALL = Branches(roots=20, without=4, nodes=100, rounds=25, more_nodes=150, together=250, more_roots=12)
"""Of a map whose every choice is known to one program."""
WHOLE, WHOLE_CHOICES, WHOLE_TERRITORIES = Branches(roots=4, without=2, nodes=30), 4000, 30
"""Of a larger one, where each unit may go to territories beside it; choices and territories at most: with more
territories, single units weigh more, and the program gains little in much time."""
CLUSTER = Branches(roots=4, without=2, nodes=20)
"""Of some of its territories."""
STAGES = ((2, 300), (1, 500), (3, 250))
"""How many contacts away units may go, and choices of a cluster at most: where one gains no more, the next follows."""
FEW, FEW_TURNS = (5, 6), 10
"""Coarse units of a territory while there is excess, turn by turn, and turns: few let much change at once."""
LISTED, LISTED_WITHOUT, LISTED_HEAVIEST = (8, 6, 8, 5, 11, 8), 2, 4
"""The same once there is none: many let the change be little. Turns without gain that end it. In every so many turns
territories keep their heaviest unit, in the others one drawn by chance."""


@dataclass(frozen=True)
class Pace:
    """How much turns of listed sets do.

    Attributes
    ----------
    with_excess, within : Extent
        Of a turn, while there is excess, and once there is none.
    few_without : int
        Turns with few coarse units without gain that end these.
    """

    with_excess: Extent
    within: Extent
    few_without: int


STEADY = Pace(WITH_EXCESS, WITHIN, FEW_TURNS)
BRISK = Pace(
    replace(WITH_EXCESS, are_shared=True, found=80), replace(WITHIN, are_shared=True, found=80), LISTED_WITHOUT
)
"""Where a plan is known already: what is found near by matters more than how much is looked at in each turn."""
AT_A_GLANCE = Extent(seen=2_000, rounds=6, kept=None, columns=3_000, are_shared=True, found=80)
GLANCE = Pace(AT_A_GLANCE, AT_A_GLANCE, LISTED_WITHOUT)
"""For a first idea of a plan."""
LAYERS = 2
"""Of units around a part of a territory that lies apart, whose separators are added with its own."""
TOGETHER, JOINS = 24, 4
"""Plans met that one program chooses from, unit by unit; how often at most, with turns from what it chose."""
RELINK = Branches(roots=4, without=2, nodes=50)
"""Of that."""
PROGRAMS = 20
"""Clusters at most."""
AROUND, PLACES = 20, 8
"""Territories that are bettered together on a large map, and how often at most."""


def least_change(
    problem: Problem,
    assignment: np.ndarray,
    rng: np.random.Generator,
    watch: Watch,
    others: Sequence[np.ndarray] = (),
    pace: Pace = STEADY,
) -> np.ndarray:
    """Return an assignment with as little disruption as mixed-integer programs find, never one with more.

    minimise Σ_u s_u [x(u) ≠ c(u)] over connected territories within their limits, c being today's and s what it costs
    to leave it (`problem.current`, `problem.stay`); units that are `fixed` stay, and none goes where it is `barred`.
    Where limits are not kept, excess comes first. On maps with more than `CHOICES` pairs of unit and territory, each
    territory takes one of the connected sets that are listed for it (`near_today`), in several turns, and the plans
    met are joined; then, where territories are few, comes one program in which units may go to territories beside
    them; then one cluster after another of territories that touch.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`.
    assignment : ndarray of int, shape (n,)
        A plan with connected territories.
    rng : Generator
        Chooses roots.
    watch : Watch
    others : sequence of ndarray of int, shape (n,)
        Further plans that turns of listed sets begin with.
    pace : Pace
        Of these turns.

    References
    ----------
    Zoltners & Sinha (1983), Sales territory alignment: a review and model, Management Science 29 (11), for
    contiguity by predecessors; Oehrlein & Haunert (2017), A cutting-plane method for contiguity-constrained spatial
    aggregation, J. Spatial Information Science 15, for separators.
    """
    assignment = np.asarray(assignment)
    if problem.territories < 2 or problem.at_stake <= 0:
        return assignment
    if problem.units * problem.territories <= CHOICES:
        return _improved(problem, assignment, _allowed(problem), SMALL, rng, watch)
    assignment = _by_listing(problem, [assignment, *others], pace, rng, watch)
    if problem.territories <= WHOLE_TERRITORIES:
        near = _near(problem, assignment, 1)
        if near.sum() <= WHOLE_CHOICES:
            assignment = _improved(problem, assignment, near, WHOLE, rng, watch)
    return _by_clusters(problem, assignment, rng, watch)


def least_change_around(
    problem: Problem, assignment: np.ndarray, most: int, rng: np.random.Generator, watch: Watch
) -> np.ndarray:
    """Return an assignment whose territories outside their limits were bettered with those around them, if any.

    For maps that are too large for `least_change`: that of `AROUND` territories at a time, the others as they are.

    Parameters
    ----------
    problem, assignment, rng, watch
        As for `least_change`.
    most : int
        Units of these together.
    """
    best, seen = np.asarray(assignment), set()
    for _ in range(PLACES):
        low, high = _limits(problem)
        held = np.bincount(best, problem.workload, problem.territories)
        excess = np.round(np.maximum(np.maximum(held - high, low - held), 0.0) / problem.scale, 6)
        first = next((t for t in np.argsort(-excess, kind="stable").tolist() if t not in seen and excess[t] > 0), None)
        if first is None or watch.time_is_up():
            break
        members = np.array(_ball(problem, best, first, most))
        seen.update(members.tolist())
        part, units, inside = problem.restricted(best, members.tolist())
        found = least_change(part, inside, rng, watch)
        if (found != inside).any():
            best = best.copy()
            best[units] = members[found]
    return best


def _ball(problem: Problem, assignment: np.ndarray, first: int, most: int) -> list[int]:
    """Return a territory and those that are the fewest contacts away: `AROUND`, and so many units, at most."""
    one, other = assignment[problem.contacts[:, 0]], assignment[problem.contacts[:, 1]]
    size = np.bincount(assignment, minlength=problem.territories)
    ball = [first]
    for home in ball:
        for beside in sorted(set(other[one == home].tolist()) - set(ball)):
            if len(ball) == AROUND or size[[*ball, beside]].sum() > most:
                return sorted(ball)
            ball.append(beside)
    return sorted(ball)


def near_by_listing(
    problem: Problem, assignment: np.ndarray, rng: np.random.Generator, watch: Watch, turns: int
) -> np.ndarray:
    """Return the assignment that a few turns of listed sets lead to: a glance at what `least_change` would find.

    Parameters
    ----------
    problem, assignment, rng, watch
        As for `least_change`.
    turns : int
        At most.
    """
    if problem.territories < 2 or problem.at_stake <= 0:
        return np.asarray(assignment)
    reach = np.full(problem.territories, AWAY)
    return _turns(problem, np.asarray(assignment), [], reach, GLANCE, rng, watch, turns)


def bound_on_change(problem: Problem, hops: int, nodes: int, rounds: int, watch: Watch) -> float:
    """Return what changes cost at least in every plan within the limits whose units stay near.

    Near means that a unit joins no territory that is farther than so many contacts today. Units stay whole; contiguity
    is relaxed to separators: a unit of a set too light for a territory needs one around the set. The bound is the
    dual one of a mixed-integer program, so it holds however early its branches end.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`; units without a territory today may go anywhere, and all to one without units.
    hops : int
    nodes, rounds : int
        Branches of each program, and how often separators that its plan breaks are added.
    watch : Watch

    Returns
    -------
    float
        In the unit of `stay`; infinity where no such plan exists.
    """
    may = near_choices(problem, hops)
    program = _Program(problem, may)
    best = 0.0
    for _ in range(rounds):
        found = program.solve(None, nodes, watch)
        if found is None and program.bound < np.inf and not program.spare:
            # HiGHS tells no bound where it found no plan: one that may miss the limits is easy to find, and below
            program = _Program(problem, may, elastic=True)
            found = program.solve(None, nodes, watch)
        best = max(best, program.bound)
        if watch.time_is_up() or program.bound == np.inf or (found is not None and not program.separate(found)):
            break
    return best * problem.at_stake / SCALE


def near_choices(problem: Problem, hops: int) -> np.ndarray:
    """Return the allowed territories that are so many contacts away today, shape (n, k).

    Units without a territory today may go anywhere, and all to one without units.
    """
    may = _near(problem, problem.current, hops)
    new = np.bincount(problem.current[problem.current >= 0], minlength=problem.territories) == 0
    may[:, new] = _allowed(problem)[:, new]
    return may


def _limits(problem: Problem) -> tuple[np.ndarray, np.ndarray]:
    """Return the limits of workload; the search keeps a little back for its last moves, here nothing follows."""
    return problem.limits(problem.tolerance / SAFETY * (1 - CLOSE))


def _rank(problem: Problem, assignment: np.ndarray) -> tuple[float, float]:
    """Return the excess, in targets, and what changes cost, in `GAIN`s; less is better."""
    low, high = _limits(problem)
    held = np.bincount(assignment, problem.workload, problem.territories)
    excess = np.maximum(np.maximum(held - high, low - held), 0.0).sum() / problem.scale
    return round(float(excess), 6), round(problem.disrupted(assignment) / (GAIN * problem.at_stake))


def _allowed(problem: Problem) -> np.ndarray:
    """Return which territories each unit may be in, shape (n, k)."""
    may = np.ones((problem.units, problem.territories), dtype=bool)
    if problem.barred is not None:
        may &= ~problem.barred
    held = np.flatnonzero(problem.fixed >= 0)
    may[held] = False
    may[held, problem.fixed[held]] = True
    return may


def _near(problem: Problem, assignment: np.ndarray, hops: int) -> np.ndarray:
    """Return the allowed choices that lead to a territory which is, today or in the plan, so many contacts away.

    Units that have none in the plan may go anywhere.
    """
    near = np.zeros((problem.units, problem.territories), dtype=bool)
    units = np.arange(problem.units)
    for at in (assignment, problem.current):
        near[units[at >= 0], at[at >= 0]] = True
    one = np.repeat(units, [len(around) for around in problem.neighbours])
    other = np.array([unit for around in problem.neighbours for unit in around], dtype=int)
    for _ in range(hops):
        grown = near.copy()
        np.logical_or.at(grown, one, near[other])
        near = grown
    near[assignment < 0] = True
    near &= _allowed(problem)
    near[units[assignment >= 0], assignment[assignment >= 0]] = True
    return near


def _by_listing(
    problem: Problem, starts: Sequence[np.ndarray], pace: Pace, rng: np.random.Generator, watch: Watch
) -> np.ndarray:
    """Return the best plan once turns of listed sets gain no more from any start, nor from what joins the plans met."""
    reach = np.full(problem.territories, AWAY)
    met: list[tuple[tuple, int, np.ndarray]] = []
    for first in starts:
        _turns(problem, first, met, reach, pace, rng, watch)
    for _ in range(JOINS):
        met.sort(key=lambda each: each[:2])
        best = met[0][-1]
        joined = _together(problem, [plan for _, _, plan in met[:TOGETHER]], rng, watch)
        if _rank(problem, joined) >= met[0][0] or watch.time_is_up():
            break
        best = _turns(problem, joined, met, reach, pace, rng, watch)
    return best


def _turns(
    problem: Problem,
    first: np.ndarray,
    met: list,
    reach: np.ndarray,
    pace: Pace,
    rng: np.random.Generator,
    watch: Watch,
    most: int = FEW_TURNS + len(LISTED),
) -> np.ndarray:
    """Return the best plan once turns of listed sets gain no more; add it and those on the way to what was met."""
    best, known, vain = first, _rank(problem, first), 0
    met.append((known, len(met), best))
    few_vain = 0
    for turn in range(most):
        if vain == LISTED_WITHOUT or known <= (0.0, 1) or watch.time_is_up():
            break
        is_few = known[0] > 0 and few_vain < pace.few_without and turn < FEW_TURNS
        count = FEW[turn % len(FEW)] if is_few else LISTED[turn % len(LISTED)]
        extent = pace.with_excess if known[0] > IN_EXCESS else pace.within
        by_chance = turn % LISTED_HEAVIEST > 0
        found = choose_near_today(problem, best, _limits(problem), count, by_chance, rng, watch, reach, extent)
        if found is not None and _rank(problem, found) < known:
            best, known, vain = found, _rank(problem, found), 0
            met.append((known, len(met), best))
        elif is_few:
            few_vain += 1
        else:
            vain += 1
    return best


def _together(problem: Problem, plans: Sequence[np.ndarray], rng: np.random.Generator, watch: Watch) -> np.ndarray:
    """Return the best plan in which each unit is where one of these plans has it, or stays; the first is the best."""
    if len(plans) < 2:
        return plans[0]
    may, units = np.zeros((problem.units, problem.territories), dtype=bool), np.arange(problem.units)
    for plan in plans:
        may[units, plan] = True
    known = problem.current >= 0
    may[units[known], problem.current[known]] = True
    may &= _allowed(problem)
    may[units, plans[0]] = True
    return _improved(problem, plans[0], may, RELINK, rng, watch)


def _by_clusters(problem: Problem, assignment: np.ndarray, rng: np.random.Generator, watch: Watch) -> np.ndarray:
    """Return the plan once no cluster of territories can be bettered, or enough were tried."""
    best, programs = assignment, 0
    for hops, choices in STAGES:
        tried: set[frozenset[int]] = set()
        gained = True
        while gained:
            gained = False
            for first in _disturbed(problem, best):
                if programs >= PROGRAMS or watch.time_is_up():
                    return best
                cluster = _cluster(problem, best, first, hops, choices)
                if cluster in tried or len(cluster) < 2:
                    continue
                tried.add(cluster)
                members = np.array(sorted(cluster))
                part, units, inside = problem.restricted(best, members.tolist())
                if part.at_stake <= 0:
                    continue
                programs += 1
                found = _improved(part, inside, _near(part, inside, hops), CLUSTER, rng, watch)
                if (found != inside).any():
                    best = best.copy()
                    best[units] = members[found]
                    tried = {each for each in tried if not each & cluster}
                    gained = True
    return best


def _disturbed(problem: Problem, assignment: np.ndarray) -> list[int]:
    """Return the territories that hold too much or too little, or that change, those first that do so most."""
    k = problem.territories
    low, high = _limits(problem)
    held = np.bincount(assignment, problem.workload, k)
    off = np.maximum(np.maximum(held - high, low - held), 0.0) / problem.scale
    moved = np.flatnonzero((problem.current >= 0) & (assignment != problem.current))
    changed = np.bincount(assignment[moved], problem.stay[moved], k)
    changed += np.bincount(problem.current[moved], problem.stay[moved], k)
    rank = np.lexsort((np.arange(k), -np.round(changed, 9), -np.round(off, 9)))
    return [at for at in rank.tolist() if off[at] > 0 or changed[at] > 0]


def _cluster(problem: Problem, assignment: np.ndarray, first: int, hops: int, choices: int) -> frozenset[int]:
    """Return a territory with as many around it, nearest first, as a program can deal with."""
    near = _near(problem, assignment, hops)
    between = np.array([near[assignment == home].sum(axis=0) for home in range(problem.territories)])
    touches: dict[int, set[int]] = {}
    for unit, around in enumerate(problem.neighbours):
        touches.setdefault(int(assignment[unit]), set()).update(int(assignment[other]) for other in around)
    cluster, queue = {first}, [first]
    taken = int(between[first, first])
    for home in queue:
        for beside in sorted(touches[home] - cluster, key=lambda t: (-between[home, t] - between[t, home], t)):
            members = sorted(cluster)
            more = int(between[beside, beside] + between[beside, members].sum() + between[members, beside].sum())
            if taken + more > choices and len(cluster) > 1:
                return frozenset(cluster)
            taken += more
            cluster.add(beside)
            queue.append(beside)
    return frozenset(cluster)


def _improved(
    problem: Problem,
    assignment: np.ndarray,
    may: np.ndarray,
    branches: Branches,
    rng: np.random.Generator,
    watch: Watch,
) -> np.ndarray:
    """Return the best of the programs with several roots, and of those with separators."""
    program = _Program(problem, may)
    best = _by_roots(program, assignment, 0, branches.without, branches, rng, watch)
    known, before = _rank(problem, best), program.branches
    for _ in range(branches.rounds):
        if program.branches - before >= branches.together:
            break
        if known <= (0.0, 1) or watch.time_is_up():
            return best
        found = program.solve(None, branches.more_nodes, watch)
        if found is None or (program.proven and _rank(problem, found) >= known):
            return best
        if not program.separate(found):
            return found if _rank(problem, found) < known else best
    return _by_roots(program, best, RANDOM, branches.more_roots, branches, rng, watch)


def _by_roots(
    program: _Program,
    assignment: np.ndarray,
    first: int,
    without: int,
    branches: Branches,
    rng: np.random.Generator,
    watch: Watch,
) -> np.ndarray:
    """Return the best of programs with roots, from the `first` way to choose them, until so many gained nothing."""
    problem = program.problem
    best, known, vain = assignment, _rank(problem, assignment), 0
    for turn in range(branches.roots):
        if vain == without or known <= (0.0, 1) or watch.time_is_up():
            break
        roots = _roots(problem, best, first + vain, rng)
        found = program.solve(roots, branches.nodes, watch, best if turn % 2 else None)
        if found is not None and _rank(problem, found) < known:
            best, known, vain = found, _rank(problem, found), 0
        else:
            vain += 1
        if found is None and known[0] > 0 and not program.spare:
            program = _Program(problem, program.may, elastic=True)
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
    """x[u, t] is one when unit u is in territory t; only those that may be are variables.

    Parameters
    ----------
    problem : Problem
    may : ndarray of bool, shape (n, k)
        Choices.
    elastic : bool
        Whether limits of workload may be missed, at a price above all change.
    """

    def __init__(self, problem: Problem, may: np.ndarray, elastic: bool = False) -> None:
        self.problem = problem
        n, k = problem.units, problem.territories
        self.may = may
        self.at = np.full((n, k), -1)
        self.unit, self.territory = np.nonzero(may)
        self.at[self.unit, self.territory] = np.arange(len(self.unit))
        self.low, self.high = _limits(problem)
        leaves = (problem.current[self.unit] >= 0) & (self.territory != problem.current[self.unit])
        self.price = SCALE * np.where(leaves, problem.stay[self.unit], 0.0) / problem.at_stake
        self.spare = 0
        self.proven, self.bound, self.branches = False, 0.0, 0
        self.separators: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        self.rows: list[tuple[np.ndarray, np.ndarray, float, float]] = []
        for unit in range(n):
            some = self.at[unit][may[unit]]
            self.rows.append((some, np.ones(len(some)), 1.0, 1.0))
        scale = problem.scale or 1.0
        self._limit(problem.workload / scale, self.low / scale, self.high / scale, elastic)
        for each in problem.limits_of:
            scale = each.scale or 1.0
            self._limit(each.value / scale, each.low / scale, each.high / scale, False)
        for unit in range(n):
            self._needs([unit])

    def _limit(self, value, low, high, elastic: bool) -> None:
        for territory in range(len(low)):
            inside = np.flatnonzero(self.may[:, territory])
            columns, values = self.at[inside, territory], value[inside]
            if elastic:
                first = len(self.unit) + self.spare
                columns, values = np.append(columns, [first, first + 1]), np.append(values, [1.0, -1.0])
                self.spare += 2
            self.rows.append((columns, values, float(low[territory]), float(high[territory])))

    def _towards_roots(self, roots: list[int], plan: np.ndarray | None) -> list:
        """Return rows that keep each root in its territory, and every other unit behind one nearer to it.

        With a plan, nearer within its territory, and outside it nearer to that: so it is one of those that remain.
        """
        problem, rows = self.problem, []
        for territory, root in enumerate(roots):
            may = self.may[:, territory].tolist()
            at = self.at[:, territory].tolist()
            far = {root: 0}
            reached = [root]
            held = may if plan is None else (plan == territory).tolist()
            for inside in (True, False):
                beyond = max(far.values())
                for unit in reached:
                    for other in problem.neighbours[unit]:
                        if other not in far and may[other] and (held[other] or not inside):
                            far[other] = (far[unit] if inside else max(far[unit], beyond)) + 1
                            reached.append(other)
            rows.append((np.array([at[root]]), np.ones(1), 1.0, 1.0))
            for unit in np.flatnonzero(self.may[:, territory]).tolist():
                if unit != root:
                    ways = [
                        at[other]
                        for other in problem.neighbours[unit]
                        if unit in far and other in far and far[other] < far[unit]
                    ]
                    rows.append((np.array([*ways, at[unit]]), np.append(-np.ones(len(ways)), 1.0), -np.inf, 0.0))
        return rows

    def solve(
        self, roots: list[int] | None, nodes: int, watch: Watch, plan: np.ndarray | None = None
    ) -> np.ndarray | None:
        """Return the best assignment, as far as the branches reach: with the separators so far, or with these roots.

        With roots, units are counted from them within a plan.
        `proven` says afterwards whether none is better, `bound` what none is below.
        """
        if roots and not self.may[roots, np.arange(len(roots))].all():
            return None
        every = [*self.rows, *(self._towards_roots(roots, plan) if roots else self.separators)]
        columns = np.concatenate([row[0] for row in every])
        values = np.concatenate([row[1] for row in every])
        rows = np.repeat(np.arange(len(every)), [len(row[0]) for row in every])
        low, high = np.array([row[2] for row in every]), np.array([row[3] for row in every])
        count = len(self.unit)
        shape = (len(every), count + self.spare)
        options = {"node_limit": nodes, "mip_rel_gap": 0.0}
        left = watch.remaining(np.inf)
        if left < np.inf:
            options["time_limit"] = max(left, 0.1)
        # no bound by the cost of the known plan: HiGHS of scipy 1.10 then takes feasible programs for infeasible ones
        found = milp(
            np.append(self.price, np.full(self.spare, SCALE)),
            constraints=LinearConstraint(sparse.csr_array((values, (rows, columns)), shape=shape), low, high),
            integrality=np.append(np.ones(count), np.zeros(self.spare)),
            bounds=Bounds(0, np.append(np.ones(count), np.full(self.spare, np.inf))),
            options=options,
        )
        self.proven = found.status == 0
        self.branches += found.mip_node_count or 1
        dual = getattr(found, "mip_dual_bound", None)
        self.bound = np.inf if found.status == 2 else float(dual) if dual is not None else 0.0
        if found.x is None:
            return None
        taken = np.flatnonzero(found.x[:count] > 0.5)
        assignment = np.full(self.problem.units, -1)
        assignment[self.unit[taken]] = self.territory[taken]
        if (assignment < 0).any() or not np.bincount(assignment, minlength=self.problem.territories).all():
            return None
        return assignment

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
                # what it would grow by next is as light: the same of it, before a plan shows it
                for _ in range(LAYERS):
                    part = sorted({*part, *(other for unit in part for other in self.problem.neighbours[unit])})
                    if load[part].sum() >= self.low.min() * (1 - 1e-9):
                        break
                    self._needs(part)
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
        for territory in np.flatnonzero(self.may[part].any(axis=0)).tolist():
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
