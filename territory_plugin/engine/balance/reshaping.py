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
FAR_OFF, FAR_MOVED = 0.05, 0.25
"""Excess, in targets, that annealing leaves, or share of the weight that it moves, from which a plan from nothing is a
start, too."""
ANEW = 2
"""Such plans that are gone on from; which of them is the nearest start shows only then."""
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
    n = problem.units
    if problem.territories in (1, n):
        return start, 0
    inertia = moment_of_inertia(problem.location, problem.mass, start, problem.territories).sum()
    weights = Weights(travel=compactness, boundary=compactness * Weights.boundary)
    # the programs know nothing of regions, further measures and shapes, and gain nothing where no change costs anything
    knows_all = (
        compactness <= COMPACTNESS and problem.stay.max() > NOTHING and not (problem.regions or problem.limits_of)
    )
    is_glance = turns is not None
    if is_glance and known is not None:
        return (near_by_listing(problem, known, rng, watch, turns) if knows_all else known), 0
    is_listed = knows_all and n <= MANY_UNITS
    has_programs = is_listed and bool(effort.finalists)
    annealings = _Annealings(problem, effort, weights, float(inertia), rng, mends=not (is_listed or is_glance))
    best = annealings.chains(start, fresh, watch)
    if is_glance:
        found = np.array(best.assignment)
        found = near_by_listing(problem, found, rng, watch, turns) if knows_all else found
        return found, annealings.proposals
    is_far = cap > FAR_MOVED and _is_far(problem, best)
    for _ in range((ANEW if n <= MANY_UNITS else 1) if is_far else 0):
        if watch.time_is_up():
            break
        found = annealings.chains(plan_anew(problem, rng, Silent(watch)), [], Silent(watch))
        best = min(best, found, key=lambda part: _rank(problem, part))
    # programs are the last to come and use all of the tolerance
    entire = replace(problem, tolerance=problem.tolerance / SAFETY)

    def with_programs(assignment, others=()) -> WorkingPartition:
        found = least_change(problem, np.array(assignment), rng, watch, others, STEADY if known is None else BRISK)
        return WorkingPartition(entire, found, weights, float(inertia) / n or 1.0)

    if has_programs:
        ours = np.array(best.assignment)
        turned = [plan for rank, plan in sorted(annealings.met, key=lambda each: each[0]) if (plan != ours).any()]
        best = with_programs(ours, [*turned[:OTHERS], *([] if known is None else [known])])
    elif is_listed:
        found = near_by_listing(problem, np.array(best.assignment), rng, watch, QUICK_TURNS)
        best = WorkingPartition(entire, found, weights, float(inertia) / n or 1.0)
    if judged(problem, best)[0] > 0 and not watch.time_is_up():
        # what little is missing is worth more disruption: with room to spare, and all that mending can do
        priced = replace(problem, stay=LAST_PRICE * problem.stay)
        search = Search(priced, effort, weights, float(inertia), rng, Silent(watch), LAST_AIM)
        part = mend(search, search.polish(best.assignment, FREE), watch.part(0.9, 1.0))
        annealings.proposals += search.proposals
        found = _settled(problem, part.assignment, weights, float(inertia) / n, watch)
        if has_programs:
            found = with_programs(found.assignment)
        best = min(best, found, key=lambda part: _rank(problem, part))
    if n > MANY_UNITS:
        # the borders are too many to share all of them out anew each time
        best = _settled(problem, best.assignment, weights, float(inertia) / n, watch, FREE)
        if knows_all and effort.finalists:
            around = least_change_around(problem, np.array(best.assignment), MANY_UNITS, rng, watch)
            return around, annealings.proposals
    return np.array(best.assignment), annealings.proposals


class _Annealings:
    """Chains of annealings from one start or another, each at its prices.

    Attributes
    ----------
    proposals : int
        Moves that were proposed so far.
    met : list of (tuple, ndarray of int)
        Rank and assignment of every plan that a step ended with.
    """

    def __init__(
        self, problem: Problem, effort: Effort, weights: Weights, inertia: float, rng: np.random.Generator, mends: bool
    ) -> None:
        self.problem, self.weights, self.inertia, self.rng, self.mends = problem, weights, inertia, rng, mends
        self.effort = replace(effort, mends=MENDS, recuts=max(1, effort.recuts // RECUTS_LESS))
        chains = CHAINS if effort.finalists else CHAINS[1:]
        self.steps = [(aim, rate, at == 0) for aim, rates in chains for at, rate in enumerate(rates)]
        n = problem.units
        self.budget = effort.sketch * max(FEW_UNITS, n if n <= MANY_UNITS else int((n * MANY_UNITS) ** 0.5))
        self.proposals = 0
        self.met: list[tuple[tuple, np.ndarray]] = []

    def chains(self, start: np.ndarray, fresh: list[int], watch: Watch) -> WorkingPartition:
        """Return the best plan of all steps from a start; what is fresh is cut anew first."""
        problem, n = self.problem, self.problem.units
        best, best_rank, last = None, None, start
        for turn, (aim, rate, is_first) in enumerate(self.steps):
            if best is not None and watch.time_is_up():
                break
            stretch = watch.part(turn / len(self.steps), (turn + 1) / len(self.steps))
            priced = replace(problem, stay=rate * problem.stay)
            search = Search(priced, self.effort, self.weights, self.inertia, self.rng, Silent(stretch), aim)
            part = search.working(start if is_first else last)
            if fresh and is_first:
                recombine(part, fresh, RECUTS * len(fresh), 1.0, self.rng, n)
            schedule = COOL if is_first else COOLER
            anneal(part, self.budget, schedule, self.rng, stretch, search.effort.recuts, "Rebalancing")
            search.proposals += self.budget
            part = search.polish(part.assignment)
            if not is_first and best_rank[0] > 0 and self.mends:
                part = mend(search, part, stretch)
            self.proposals += search.proposals
            found = _settled(problem, part.assignment, self.weights, self.inertia / n, watch)
            last = found.assignment
            rank = _rank(problem, found)
            self.met.append((rank, np.array(last)))
            if best is None or rank < best_rank:
                best, best_rank = found, rank
        return best


def _is_far(problem: Problem, part: WorkingPartition) -> bool:
    """Answer whether today's alignment is so far off that a plan from nothing may be the nearer start."""
    excess, moved = judged(problem, part)
    return excess > FAR_OFF or moved > FAR_MOVED * problem.at_stake


def _settled(
    problem: Problem, assignment, weights: Weights, unit_travel: float, watch: Watch, free: int | None = None
) -> WorkingPartition:
    """Return a local optimum in which change is dear: single moves and exact splits take back what was not needed.

    On large maps single moves alone, unless `free` units at each border of territories that changed are asked for.
    """
    among = None
    priced = replace(problem, stay=SETTLED * problem.stay)
    part = WorkingPartition(priced, assignment, weights.with_limit(1e4 * SETTLED), unit_travel or 1.0)
    descend(part, watch)
    if problem.units > MANY_UNITS:
        changed = (problem.current >= 0) & (np.asarray(assignment) != problem.current)
        among = set(problem.current[changed].tolist())
    while (free or problem.units <= MANY_UNITS) and improve_pairs(part, watch, FREE, among):
        descend(part, watch)
    return part


def _rank(problem: Problem, part: WorkingPartition) -> tuple[float, float, float]:
    """Return what makes one plan better than another: less excess, then less disruption, then less cost."""
    return (*judged(problem, part), part.cost())
