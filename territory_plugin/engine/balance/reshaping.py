"""The search for a plan near today's alignment: the same moves and terms, another start, and a price on change."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np

from .anew import plan_anew
from .annealing import Schedule, anneal, descend
from .contiguity import breadth_first, repair_contiguity
from .effort import Effort
from .least_change import BRISK, STEADY, least_change, least_change_around, near_by_listing
from .mending import RECUTS, mend
from .objective import Weights, WorkingPartition, judged, moment_of_inertia
from .problem import SAFETY, Problem
from .recombination import recombine
from .search import FEW_UNITS, MANY_UNITS, Search
from .splits import improve_pairs
from .transport import squared_distances
from .watch import Silent, Watch

COMPACTNESS = 0.5
"""Weight of travel and boundary beside disruption: enough that territories stay tidy."""
CHAINS = ((1.0, (10.0, 30.0)), (0.98, (2.0, 10.0)))
"""What it costs, in the travel of an average unit, that one of average weight changes hands. Twice from today's
alignment: dear, which finds the least where little must move; and cheap at first, so that workload finds its way
through chains of territories, which is where much must. Each goes on from its plan at a dearer price. Before the
prices stands the share of the tolerance that annealing aims at; what is settled last may use all of it."""
SETTLED = 100.0
"""The price at which plans are compared, and the last moves made."""
COOL = Schedule(hot=1.0, cold=0.02, limits=(5.0, 300.0), pressures=(10.0, 1.0))
COOLER = Schedule(hot=0.5, cold=0.02, limits=(100.0, 300.0), pressures=(1.0, 1.0))
"""Annealing from today's alignment, and on from the best plan so far."""
MENDS, RECUTS_LESS = 6, 4
"""Mendings at most, and how much fewer recombinations than a search from nothing makes: they disrupt."""
LAST_PRICE, LAST_AIM = 2.0, 0.95
"""The same for a last mending, where all that leaves some excess."""
QUICK_TURNS = 3
"""Turns of listed sets of an effort that has no other programs."""
FREE = 10
"""Units at each border that exact splits share out anew."""
OTHERS = 1
"""Further plans of the annealings that programs go on from."""
FOUNDINGS = 4
"""Places that are tried for a new territory."""
FAR_OFF, FAR_MOVED, LEFT_OFF = 1.0, 0.25, 0.05
"""Excess, in targets, that annealing leaves, or share of the weight that it moves, from which a plan from nothing is a
start, too; and excess at the end from which it is tried then."""
ANEW = 2
"""Such plans that are gone on from."""
NOTHING = 0.01
"""Weight of change of a unit, the average being one, below which change costs nothing: travel alone counts then."""


def starting_assignment(problem: Problem, founding: dict[int, int]) -> np.ndarray:
    """Return today's alignment with all units assigned, connected, and each new territory begun.

    Parameters
    ----------
    problem : Problem
        With `current`.
    founding : dict of int to int
        New territories, and the territory that each is split off from.
    """
    k = problem.territories
    assignment = problem.current.copy()
    present = np.flatnonzero(np.bincount(assignment[assignment >= 0], minlength=k))
    cost = np.full((problem.units, k), np.inf)
    if len(present):
        inside = [assignment == territory for territory in present]
        middles = np.array(
            [np.einsum("u,ux->x", problem.mass[at], problem.location[at]) / problem.mass[at].sum() for at in inside]
        )
        cost[:, present] = squared_distances(problem.location, middles)
    if problem.barred is not None:
        barred = problem.barred & (problem.fixed[:, None] != np.arange(k))
        assignment[(assignment >= 0) & barred[np.arange(len(assignment)), assignment]] = -1
        cost[barred] = np.inf
    for fresh in founding:
        if (assignment == fresh).any() or (problem.fixed == fresh).any():
            continue
        # begun by one unit that its donor, or else another one, can do without; the search makes it grow
        others = np.argsort(-np.bincount(assignment[assignment >= 0], minlength=k), kind="stable").tolist()
        leaves = (_leaf(problem, assignment, donor) for donor in (founding[fresh], *others))
        leaf = next((leaf for leaf in leaves if leaf is not None), None)
        if leaf is not None:  # else units that nobody has are left, and the repair begins it with one of them
            assignment[leaf] = fresh
    return np.array(repair_contiguity(problem, assignment.tolist(), cost))


def _leaf(problem: Problem, assignment: np.ndarray, donor: int) -> int | None:
    """Return a free unit of a territory that has others, the last that a search reaches; None if there is none."""
    inside = np.flatnonzero(assignment == donor)
    if len(inside) < 2:
        return None
    seats = [unit for unit in inside.tolist() if problem.fixed[unit] >= 0]
    order = seats[:1] or [int(inside[0])]
    order = breadth_first(problem.neighbours, assignment, order)
    free = [unit for unit in order[1:] if problem.fixed[unit] < 0]
    return free[-1] if free else None


def reshape(
    problem: Problem,
    start: np.ndarray,
    effort: Effort,
    rng: np.random.Generator,
    watch: Watch,
    fresh: list[int],
    compactness: float,
    turns: int | None = None,
    known: np.ndarray | None = None,
    cap: float = math.inf,
) -> tuple[np.ndarray, int]:
    """Return the assignment with the least excess and, of those, the least disruption that was found.

    Parameters
    ----------
    problem : Problem
        With `current` and `stay`, the latter the weight of each unit (average 1).
    start : ndarray of int, shape (n,)
        Connected, exactly k territories.
    effort : Effort
    rng : Generator
    watch : Watch
    fresh : list of int
        Territories that hardly exist yet: what they take from the fullest around them is cut anew first.
    compactness : float
        Weight of travel and boundary beside disruption.
    turns : int, optional
        For a glance: so many turns of listed sets instead of all programs, and no mending.
    known : ndarray of int, shape (n,), optional
        A plan of a glance: another goes on from it; else programs do, besides from the best of the annealings.
    cap : float
        Share of the weight that may move at most, where there is a limit: plans from nothing surely move more than a
        small one.

    Returns
    -------
    assignment : ndarray of int, shape (n,)
    proposals : int
    """
    if problem.territories in (1, problem.units):
        return start, 0
    job = _Reshaping(problem, start, effort, compactness, rng, known, watch)
    if turns is not None:
        return job.glance(start, fresh, turns), job.proposals
    best = job.annealed(start, fresh, watch)
    may_go_far = cap > FAR_MOVED
    is_far = may_go_far and job.is_far(best)
    if is_far:
        best = min([best, *job.annealed_anew()], key=job.rank)
    best = job.finished(best)
    if may_go_far and not is_far and judged(problem, best)[0] > LEFT_OFF and best.improvable():
        best = min([best, *map(job.finished, job.annealed_anew()[:1])], key=job.rank)
    return np.array(best.assignment), job.proposals


class _Reshaping:
    """The steps of one search near today's alignment, and what they share.

    Attributes
    ----------
    known : ndarray of int, or None
        A plan of a glance, which programs begin with, too.
    knows_all, is_listed, has_programs : bool
        Whether programs know all that counts here: they know nothing of regions, further measures and shapes, and gain
        nothing where no change costs anything. Whether the map is small enough that sets are listed. Whether the effort
        has all programs.
    proposals : int
        Moves that annealing proposed so far.
    met : list of (tuple, ndarray of int)
        Rank and assignment of every plan that an annealing ended with.
    """

    def __init__(
        self,
        problem: Problem,
        start: np.ndarray,
        effort: Effort,
        compactness: float,
        rng: np.random.Generator,
        known: np.ndarray | None,
        watch: Watch,
    ) -> None:
        n = problem.units
        self.problem, self.effort, self.rng, self.known, self.watch = problem, effort, rng, known, watch
        self.weights = Weights(travel=compactness, boundary=compactness * Weights.boundary)
        self.inertia = float(moment_of_inertia(problem.location, problem.mass, start, problem.territories).sum())
        self.knows_all = (
            compactness <= COMPACTNESS and problem.stay.max() > NOTHING and not (problem.regions or problem.limits_of)
        )
        self.is_listed = self.knows_all and n <= MANY_UNITS
        self.has_programs = self.is_listed and bool(effort.finalists)
        self.proposals = 0
        self.met: list[tuple[tuple, np.ndarray]] = []

    def rank(self, part: WorkingPartition) -> tuple[float, float, float]:
        """Return what makes one plan better than another: less excess, then less disruption, then less cost."""
        return (*judged(self.problem, part), part.cost())

    def is_far(self, part: WorkingPartition) -> bool:
        """Answer whether today's alignment is so far off that a plan from nothing may be the nearer start."""
        excess, moved = judged(self.problem, part)
        return excess > FAR_OFF or moved > FAR_MOVED * self.problem.at_stake

    def glance(self, start: np.ndarray, fresh: list[int], turns: int) -> np.ndarray:
        """Return a first plan, or go on from the known one, by so many turns of listed sets."""
        found = self.known
        if found is None:
            found = np.array(self.annealed(start, fresh, self.watch, mends=False).assignment)
        return near_by_listing(self.problem, found, self.rng, self.watch, turns) if self.knows_all else found

    def annealed(self, start: np.ndarray, fresh: list[int], watch: Watch, mends: bool = True) -> WorkingPartition:
        """Return the best plan of all chains of annealings from a start; what is fresh is cut anew first."""
        problem, n = self.problem, self.problem.units
        effort = replace(self.effort, mends=MENDS, recuts=max(1, self.effort.recuts // RECUTS_LESS))
        chains = CHAINS if effort.finalists else CHAINS[1:]
        steps = [(aim, rate, at == 0) for aim, rates in chains for at, rate in enumerate(rates)]
        budget = effort.sketch * max(FEW_UNITS, n if n <= MANY_UNITS else int((n * MANY_UNITS) ** 0.5))
        best, best_rank, last = None, None, start
        for turn, (aim, rate, is_first) in enumerate(steps):
            if best is not None and watch.time_is_up():
                break
            stretch = watch.part(turn / len(steps), (turn + 1) / len(steps))
            priced = replace(problem, stay=rate * problem.stay)
            search = Search(priced, effort, self.weights, self.inertia, self.rng, Silent(stretch), aim)
            part = search.working(start if is_first else last)
            if fresh and is_first:
                recombine(part, fresh, RECUTS * len(fresh), 1.0, self.rng, n)
            schedule = COOL if is_first else COOLER
            anneal(part, budget, schedule, self.rng, stretch, search.effort.recuts, "Rebalancing")
            search.proposals += budget
            part = search.polish(part.assignment)
            if not is_first and best_rank[0] > 0 and mends and not self.is_listed:
                part = mend(search, part, stretch)
            self.proposals += search.proposals
            found = self._settled(part.assignment)
            last = found.assignment
            rank = self.rank(found)
            self.met.append((rank, np.array(last)))
            if best is None or rank < best_rank:
                best, best_rank = found, rank
        return best

    def annealed_anew(self) -> list[WorkingPartition]:
        """Return plans from nothing, gone on from like today's alignment; which is the nearest start shows only then.

        Large maps have one; where the time is up there is none.
        """
        found = []
        for _ in range(ANEW if self.problem.units <= MANY_UNITS else 1):
            if self.watch.time_is_up():
                break
            silent = Silent(self.watch)
            found.append(self.annealed(plan_anew(self.problem, self.rng, silent), [], silent))
        return found

    def finished(self, best: WorkingPartition) -> WorkingPartition:
        """Return the plan that programs, and the last moves, make of an annealed one."""
        problem, watch = self.problem, self.watch
        # programs are the last to come and use all of the tolerance
        if self.has_programs:
            ours = np.array(best.assignment)
            turned = [plan for rank, plan in sorted(self.met, key=lambda each: each[0]) if (plan != ours).any()]
            best = self._with_programs(ours, [*turned[:OTHERS], *([] if self.known is None else [self.known])])
        elif self.is_listed:
            best = self._entire(near_by_listing(problem, np.array(best.assignment), self.rng, watch, QUICK_TURNS))
        if judged(problem, best)[0] > 0 and not watch.time_is_up():
            # what little is missing is worth more disruption: with room to spare, and all that mending can do
            priced = replace(problem, stay=LAST_PRICE * problem.stay)
            search = Search(priced, self.effort, self.weights, self.inertia, self.rng, Silent(watch), LAST_AIM)
            part = mend(search, search.polish(best.assignment, FREE), watch.part(0.9, 1.0))
            self.proposals += search.proposals
            found = self._settled(part.assignment)
            if self.has_programs:
                found = self._with_programs(found.assignment)
            best = min(best, found, key=self.rank)
        if problem.units > MANY_UNITS:
            # the borders are too many to share all of them out anew each time
            best = self._settled(best.assignment, FREE)
            if self.knows_all and self.effort.finalists:
                best = self._entire(
                    least_change_around(problem, np.array(best.assignment), MANY_UNITS, self.rng, watch)
                )
        return best

    def _with_programs(self, assignment, others=()) -> WorkingPartition:
        """Return the plan of the programs, which begin with other plans, too."""
        pace = STEADY if self.known is None else BRISK
        return self._entire(least_change(self.problem, np.array(assignment), self.rng, self.watch, others, pace))

    def _entire(self, assignment: np.ndarray) -> WorkingPartition:
        """Return a plan measured by all of the tolerance."""
        entire = replace(self.problem, tolerance=self.problem.tolerance / SAFETY)
        return WorkingPartition(entire, assignment, self.weights, self.inertia / self.problem.units or 1.0)

    def _settled(self, assignment, free: int | None = None) -> WorkingPartition:
        """Return a local optimum in which change is dear: single moves and exact splits take back what was not needed.

        On large maps single moves alone, unless `free` units at each border of territories that changed are asked for.
        """
        problem, watch = self.problem, self.watch
        among = None
        priced = replace(problem, stay=SETTLED * problem.stay)
        weights, unit_travel = self.weights.with_limit(1e4 * SETTLED), self.inertia / problem.units
        part = WorkingPartition(priced, assignment, weights, unit_travel or 1.0)
        descend(part, watch)
        if problem.units > MANY_UNITS:
            changed = (problem.current >= 0) & (np.asarray(assignment) != problem.current)
            among = set(problem.current[changed].tolist())
        while (free or problem.units <= MANY_UNITS) and improve_pairs(part, watch, FREE, among):
            descend(part, watch)
        return part
