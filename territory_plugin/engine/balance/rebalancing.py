"""The door for plans near today's alignment: as little as possible changes hands."""

from __future__ import annotations

import math
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, replace

import networkx as nx
import numpy as np
import pandas as pd

from .. import alignment
from ..errors import Count, TerritoryError, name_some
from ..progress import IsCancelled, Progress, ignore, never
from ..reps import Rep
from ..tables.names import natural
from ..travel import TravelTimes, medoids, rep_minutes
from .case import Case, case_of
from .choosing import prove_pockets
from .contiguity import territory_parts
from .effort import EFFORTS
from .exact import Proof
from .least_change import bound_on_change
from .objective import Weights, WorkingPartition, judged
from .plan import Plan, is_nearer
from .problem import Problem
from .reshaping import COMPACTNESS, FOUNDINGS, reshape, starting_assignment
from .rules import NO_RULES, Rules
from .scaling import in_usual_units, plan_in_units
from .search import MANY_UNITS
from .solve import solve
from .watch import Silent, Watch

CAPS = (0.0, 0.02, 0.05, 0.1, 0.2)
"""Shares of disruption at which the trade-off is told."""
HOPS, FAR = 2, 2.0
"""Contacts that units go at most, of the bound as units are whole; how many times the flow bound asks for words."""
WIDEST, ANY = 0.99, 1000.0
"""The widest tolerance that certificates are asked at under a cap; and one that any alignment is within."""
HALVINGS, NEARLY = 6, 0.03
"""Tolerances tried until the best under a cap on disruption is known well enough, to such a share of it."""
GLANCES, GLANCE_TURNS = 8, 2
"""First plans that are made to see who had best go, and turns of listed sets for each."""
FINALISTS, FINALIST_TURNS, NEAR, LEFT = 3, 5, 1.05, 0.5
"""Where others are near the best of these, so many at most are gone on from, with so many more turns; none with so many
times what the best is worth, where a territory outside its limits counts as so many that change hands."""
LIQUID = 30
"""Up to so many territories, units are light enough that the flow bound's own choice is searched as well."""
CHOOSING = 0.4
"""Share of the search that this is."""


@dataclass(frozen=True)
class Rebalance:
    """A plan near today's alignment.

    Attributes
    ----------
    plan : Plan
    names : list of str
        Territories of the plan, in its order.
    disruption : float
        Share of the weight that changes hands, as `alignment.disruption`.
    moved : ndarray of bool, shape (n,)
        Units whose territory is another one than today, in the order of `plan.units`.
    why : dict of unit to str
        Why each of these moves.
    flow_bound, least_bound : float
        Shares of the workload: the least flow between neighbouring territories that balances, and what must change
        hands in any plan (see `alignment`).
    whole_bound : float
        Share of the weight that changes hands at least in every plan within the tolerance whose units stay, or join
        territories at most `HOPS` contacts away; units are whole. Infinity where there is no such plan, NaN where it
        was not asked for.
    messages : list of str
        What a person should know.
    reached : tuple of pairs of float
        Largest deviation and disruption of every plan met, as shares, for `trade_off`.
    removed : tuple of str
        Territories that go: those named, and those that were chosen.
    """

    plan: Plan
    names: list[str]
    disruption: float
    moved: np.ndarray
    why: dict[Hashable, str]
    flow_bound: float
    least_bound: float
    whole_bound: float
    messages: list[str]
    reached: tuple[tuple[float, float], ...] = ()
    removed: tuple[str, ...] = ()


def rebalance_territories(
    graph: nx.Graph,
    current: Mapping[Hashable, str | None],
    *,
    workload: str = "workload",
    weight: str | None = None,
    tolerance: float = 0.05,
    most_disruption: float | None = None,
    compactness: float = COMPACTNESS,
    rules: Rules = NO_RULES,
    times: TravelTimes | None = None,
    add: int = 0,
    remove: Sequence[str] = (),
    merge: Sequence[Sequence[str]] = (),
    split: Sequence[str] = (),
    fewer: int = 0,
    bound_disruption: bool = False,
    seed: int = 0,
    effort: str = "default",
    time_limit: float | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> Rebalance:
    """Bring today's alignment within the tolerance, with as little as possible changing hands.

    Annealing starts from today's alignment, under the objective of `balance_territories` with a price on each unit
    that leaves its territory; several prices are tried, and what was moved without need is taken back by single moves
    and exact splits at a prohibitive price. The plan with the least excess counts, of several the one with the least
    disruption.

    Parameters
    ----------
    graph, workload, tolerance, seed, effort, time_limit, progress, cancelled
        As for `balance_territories`.
    current : mapping of unit to territory
        Today's alignment; units without one, or that are missing, are assigned.
    weight : str, optional
        Node attribute that disruption counts, e.g. accounts; the workload if not given.
    most_disruption : float, optional
        Share of the weight that may change hands at most; the plan is then the best balanced one found below it.
        What a merged, split or removed territory hands over counts.
    compactness : float
        How much short travel and borders count beside little disruption; near 0 is disruption alone.
    rules : Rules
        As for `balance_territories`. Reps name the territories; today's that have no rep are removed, reps without
        one today are added.
    times : TravelTimes, optional
        Minutes between the graph's units, in its order. The travel of reps without a home is then measured from the
        unit that their workload is nearest to, in a first plan without them.
    add : int
        New territories, where they help most.
    remove : sequence of str
        Territories that go; their neighbours absorb them.
    merge : sequence of sequences of str
        Territories that become one, under the name of the heaviest.
    split : sequence of str
        Territories that become two.
    fewer : int
        Territories that go besides those named, one after another: of the few whose leaving moves least by the flow
        bound, the one with the best first plan.
    bound_disruption : bool
        Whether `whole_bound` is wanted; some seconds more.

    Returns
    -------
    Rebalance

    Raises
    ------
    TerritoryError
        As `balance_territories`; for territories that do not exist; when nothing is assigned today.
    Cancelled
        When `cancelled` answers yes.
    """
    if effort not in EFFORTS:
        raise TerritoryError(f"Effort '{effort}' is not known: choose one of {', '.join(EFFORTS)}.")
    watch = Watch(time_limit, progress, cancelled)
    progress(0.0, "Checking what is possible")
    given, (graph, rules) = graph, in_usual_units(graph, workload, rules, weight)
    unit = rules.unit
    remove, told, searching = tuple(remove), [], watch.part(0.0, 0.85 if bound_disruption else 1.0)

    def wanted(gone: Sequence[str]) -> _Today:
        return _Today(graph, current, workload, add, gone, merge, split, rules)

    job = _Job(graph, wanted(remove), workload, weight, compactness, seed, effort)
    if fewer and fewer >= len(job.today.reps):
        raise TerritoryError(
            f"{Count(fewer):territory|territories} cannot go of {len(job.today.reps)}. No territory "
            "would be left: keep one at least."
        )
    for at in range(fewer):
        stretch = searching.part(CHOOSING * at / fewer, CHOOSING * (at + 1) / fewer)
        goes, why, job = job.who_goes(wanted, remove, tolerance, rules, stretch)
        remove, told = (*remove, goes), [*told, why]
    searching = searching.part(CHOOSING, 1.0) if fewer else searching
    first = searching.part(0.0, 0.5 if most_disruption is not None else 1.0)
    messages = [*told, *job.today.messages]
    rules, straight, first = _timed(job, rules, times, tolerance, first)
    found = job.plan(tolerance, rules, first)
    if straight is not None and straight.is_better_balanced(found):
        messages.append(
            f"Short times from centres would leave {100 * found.worst:.1f} % deviation: the plan by straight distance "
            f"({100 * straight.worst:.1f} %) is kept."
        )
        job.found.append(straight)
        found = straight
    if most_disruption is not None and not found.keeps_to(most_disruption):
        best = job.under(most_disruption, tolerance, rules, searching.part(0.5, 1.0))
        messages.append(
            f"The tolerance of {100 * tolerance:g} % would take {100 * found.disruption:.1f} % disruption; this is the "
            f"best balance found with at most {100 * most_disruption:g} %."
            if best.keeps_to(most_disruption)
            else f"No plan was found that moves less than {100 * best.disruption:.1f} %: what is asked for moves so "
            "much."
        )
        found = best
    result = replace(job.result(found, messages, watch.stopped, tolerance), removed=remove)
    if bound_disruption:
        result = replace(result, whole_bound=job.whole_bound(found, tolerance, watch.part(0.85, 1.0)))
    result.messages.extend(job.beside_flow(result))
    if graph is not given:
        result = replace(result, plan=plan_in_units(result.plan, given, workload, unit))
    progress(1.0, "Rebalanced")
    return result


def trade_off(
    graph: nx.Graph,
    current: Mapping[Hashable, str | None],
    *,
    workload: str = "workload",
    weight: str | None = None,
    tolerance: float = 0.05,
    caps: Sequence[float] = CAPS,
    compactness: float = COMPACTNESS,
    rules: Rules = NO_RULES,
    times: TravelTimes | None = None,
    add: int = 0,
    remove: Sequence[str] = (),
    merge: Sequence[Sequence[str]] = (),
    split: Sequence[str] = (),
    reached: Sequence[tuple[float, float]] = (),
    seed: int = 0,
    time_limit: float | None = None,
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> pd.DataFrame:
    """Return the largest deviation that can be reached at several caps on disruption.

    Parameters
    ----------
    graph, current, workload, weight, compactness, rules, times, add, remove, merge, split, seed, time_limit, progress,
    cancelled
        As for `rebalance_territories`.
    tolerance : float
        The tightest balance of interest.
    caps : sequence of float
        Shares of the weight that may change hands.
    reached : sequence of pairs of float
        Plans that are known, as `Rebalance.reached`: the curve is nowhere worse than they are.

    Returns
    -------
    pandas.DataFrame
        Columns `most_disruption`, `max_deviation` (of the best plan found; NaN where none keeps to the cap) and
        `disruption` (what that plan uses), as shares.
    """
    watch = Watch(time_limit, progress, cancelled)
    graph, rules = in_usual_units(graph, workload, rules, weight)
    today = _Today(graph, current, workload, add, remove, merge, split, rules)
    job = _Job(graph, today, workload, weight, compactness, seed, "quick")
    rules, _, first = _timed(job, rules, times, tolerance, watch.part(0.0, 0.2))
    job.run(tolerance, rules, first)
    for at, cap in enumerate(caps):
        if watch.time_is_up():
            break  # what is not tried is as good as the plans met so far
        job.under(cap, tolerance, rules, watch.part(0.2 + 0.8 * at / len(caps), 0.2 + 0.8 * (at + 1) / len(caps)))
    rows = []
    for cap in caps:
        met = [*((found.worst, found.disruption) for found in job.found), *reached]
        fitting = [each for each in met if _keeps_to(each[1], cap)]
        rows.append((cap, *(min(fitting) if fitting else (math.nan, math.nan))))
    return pd.DataFrame(rows, columns=["most_disruption", "max_deviation", "disruption"])


def _keeps_to(disruption: float, cap: float) -> bool:
    """Answer whether a disruption keeps to a cap, but for rounding."""
    return disruption <= cap * (1 + 1e-9) + 1e-12


def _timed(
    job: _Job, rules: Rules, times: TravelTimes | None, tolerance: float, watch: Watch
) -> tuple[Rules, _Found | None, Watch]:
    """Return the rules with travel by a table, the first plan that told the centres, and what is left of the watch."""
    if times is None:
        return rules, None, watch
    first = job.plan(tolerance, rules, watch.part(0.0, 0.5))
    job.found.clear()
    units, reps, names = list(job.graph), job.today.reps, first.case.duty.names
    loads = np.array([float(job.graph.nodes[unit][job.workload]) for unit in units])
    of = dict(zip(first.case.nodes, first.assignment.tolist()))
    best = medoids(times, np.array([of[unit] for unit in units]), loads)
    centres = {name: units[at] for name, at in zip(names, best)}
    starts = [replace(rep, home=centres[rep.id]) if rep.home is None else rep for rep in reps]
    minutes, _ = rep_minutes(times, units, starts)
    return replace(rules, centres=centres, travel=minutes), first, watch.part(0.5, 1.0)


class _Today:
    """Today's alignment, and the territories that are wanted.

    Attributes
    ----------
    was : dict of unit to str
        Territory today.
    now : dict of unit to str
        The same, once territories are merged and those that go are taken away: where a unit stays if it can.
    reps : tuple of Rep
        One for each territory that is wanted.
    fresh : list of str
        Territories that are new.
    donor : dict of str to str
        New territories that are split off from a named one.
    unit : float
        As `Rules.unit`.
    """

    def __init__(self, graph, current, workload, add, remove, merge, split, rules) -> None:
        self.was = {unit: str(current[unit]) for unit in graph if current.get(unit) not in (None, "")}
        if not self.was:
            raise TerritoryError("No unit has a territory today: choose the field that names it, or balance anew.")
        load: dict[str, float] = {}
        for unit, name in self.was.items():
            load[name] = load.get(name, 0.0) + float(graph.nodes[unit].get(workload) or 0.0)
        self.load, self.messages, self.donor, self.unit = load, [], {}, rules.unit
        existing = sorted(load, key=natural)
        if add > len(graph):
            raise TerritoryError(
                f"{Count(add):territory|territories} cannot be added to {Count(len(graph)):unit|units}: each "
                "takes one at least. Add fewer."
            )
        asked = [*remove, *split, *(name for group in merge for name in group)]
        unknown = [name for name in asked if name not in load]
        if unknown:
            raise TerritoryError(
                f"There is no territory {name_some(unknown)} today; there are {name_some(existing, 12)}."
            )
        twice = sorted({name for name in asked if asked.count(name) > 1})
        if twice:
            raise TerritoryError(f"{name_some(twice)} is to be changed in two ways: name it once.")
        heir = {}
        for group in merge:
            if len(group) < 2:
                raise TerritoryError(f"Merging takes two territories at least; given is {name_some(group)}.")
            heaviest = max(group, key=lambda name: (load[name], name))
            heir.update(dict.fromkeys(group, heaviest))
        gone = set(remove) | {name for name, keeper in heir.items() if keeper != name}
        wanted = [name for name in existing if name not in gone]
        listed = {rep.id: rep for rep in rules.reps}
        if listed:
            missing = [name for name in wanted if name not in listed]
            if missing:
                self.messages.append(f"{name_some(missing)} is none of the reps: its neighbours absorb it.")
            extra = [rep for rep in rules.reps if rep.id not in load]
            wanted = [rep.id for rep in rules.reps if rep.id not in gone]
            if extra:
                self.messages.append(f"{name_some(rep.id for rep in extra)} has no units today and is founded anew.")
        taken = set(load) | set(listed)
        self.fresh = [name for name in wanted if name not in load]
        for name in split:
            self.donor[_new_name(name, taken)] = name
        self.fresh += list(self.donor)
        self.fresh += [_new_name("New", taken) for _ in range(add)]
        wanted += [name for name in self.fresh if name not in wanted]
        if not wanted:
            raise TerritoryError("No territory would be left: keep one at least.")
        self.reps = tuple(listed.get(name, Rep(name, name)) for name in wanted)
        keep = set(wanted)
        homes = {unit: heir.get(name, name) for unit, name in self.was.items()}
        self.now = {unit: name for unit, name in homes.items() if name in keep}

    def is_handed_over(self, units: Sequence[Hashable]) -> np.ndarray:
        """Return which units change hands wherever they go, as their territory is merged into another or goes."""
        return np.array([unit in self.was and self.was[unit] != self.now.get(unit) for unit in units], dtype=bool)


def _told_elsewhere(names: list[str]) -> list[str]:
    """Return what is to be said of territories that keep nothing of their workload."""
    if not names:
        return []
    return [
        f"{Count(len(names)):territory keeps|territories keep} nothing of today's workload, as that alignment is far "
        f"from the market and hands are short elsewhere: {name_some(names, 20)}."
    ]


def _new_name(stem: str, taken: set[str]) -> str:
    """Return a name that nobody has, and take it."""
    at = 2 if stem in taken else 1
    while f"{stem} {at}" in taken:
        at += 1
    taken.add(f"{stem} {at}")
    return f"{stem} {at}"


@dataclass(frozen=True)
class _Found:
    """An assignment that was found, and what it is worth.

    Attributes
    ----------
    case : Case
    problems : list of Problem
        One for each component.
    assignment : ndarray of int, shape (n,)
    proofs : list of Proof
        Why territories outside the tolerance are not nearer to it.
    proposals : int
        Moves that the annealing proposed for it.
    worst : float
        Largest deviation among the territories that no single unit outweighs.
    outside : int
        Those of them that are outside the tolerance.
    disruption : float
        Share of the weight that changes hands.
    """

    case: Case
    problems: list[Problem]
    assignment: np.ndarray
    proofs: list[Proof]
    proposals: int
    worst: float
    outside: int
    disruption: float

    def keeps_to(self, cap: float) -> bool:
        """Answer whether no more changes hands than a cap allows."""
        return _keeps_to(self.disruption, cap)

    def is_better_balanced(self, other: _Found) -> bool:
        """Answer whether fewer territories are outside, or as many, but nearer."""
        return is_nearer((self.outside, self.worst), (other.outside, other.worst))


@dataclass
class _Leaving:
    """A territory that could go.

    Attributes
    ----------
    name : str
    share : float
        What moves by the flow bound, in percent; NaN where that does not tell.
    place : int
        How many are before it by that bound.
    job : _Job
        Without it; knows the plan met.
    """

    name: str
    share: float
    place: int
    job: _Job

    def worth(self) -> float:
        """Return the share that changes hands, with something for each territory outside its limits."""
        plan = self.job.known
        return round(plan.disruption + LEFT * plan.outside / plan.case.territories, 9)

    def rank(self) -> tuple[float, int]:
        """Return what makes one go before another."""
        return self.worth(), self.place

    def __str__(self) -> str:
        return self.name if math.isnan(self.share) else f"{self.name} ({self.share:.1f} %)"


class _Job:
    """Runs of one market at several tolerances.

    Attributes
    ----------
    found : list of _Found
        Every plan met.
    known : _Found or None
        A first plan, which the search goes on from besides its own.
    """

    def __init__(
        self, graph, today: _Today, workload: str, weight: str | None, compactness: float, seed: int, effort: str
    ) -> None:
        self.compactness = compactness
        self.graph, self.today, self.workload, self.seed, self.effort = graph, today, workload, seed, effort
        self.weight = weight or workload
        self.found: list[_Found] = []
        self.known: _Found | None = None

    def who_goes(
        self,
        wanted: Callable[[Sequence[str]], _Today],
        gone: Sequence[str],
        tolerance: float,
        rules: Rules,
        watch: Watch,
    ) -> tuple[str, str, _Job]:
        """Return the territory that had best go, why, and the job without it, which knows the first plan.

        The flow bound takes workload as a liquid. So of the few that it likes best each gets a first plan of whole
        units, where a territory that is left outside the tolerance counts half as much as one that changes hands. The
        one with the least disruption goes; where up to two more are near, these plans are gone on from first. The
        search with the effort asked for is the winner's alone, and begins with its first plan, too. Where territories
        are few, so that the flow bound nearly tells, that of its first choice is made as well, and the better plan
        decides.
        """
        units = list(self.graph)
        if len(self.today.reps) - len(self.today.fresh) < 2:
            raise TerritoryError("No territory would be left: keep one at least.")
        loads = np.array([float(self.graph.nodes[unit][self.workload]) for unit in units])
        locked = {rep.id for rep in self.today.reps if rep.locked} | set(self.today.donor.values())
        now = [self.today.now.get(unit) for unit in units]
        ranked = alignment.rank_merges(self.graph, now, loads, tolerance=tolerance, pairs=False)
        ranked = ranked[~ranked["removed"].isin(locked)]

        refused = TerritoryError("Every territory is locked or to be split: none of them can go.")
        tried: list[_Leaving] = []
        for name, share in zip(ranked["removed"], ranked["share_pct"]):
            if len(tried) == GLANCES or (tried and watch.time_is_up()):
                break
            watch.progress(len(tried) / (2 * GLANCES), f"Trying without {name}")
            job = self.on(wanted((*gone, name)))
            try:
                job.glance(tolerance, rules, Silent(watch), GLANCE_TURNS)
            except TerritoryError as error:  # nobody else can have what it has
                refused = error
                continue
            tried.append(_Leaving(name, float(share), len(tried), job))
        if not tried:
            raise refused
        ranking = sorted(tried, key=_Leaving.rank)
        finalists = [each for each in ranking[:FINALISTS] if each.worth() <= NEAR * ranking[0].worth()]
        for at, each in enumerate(finalists if len(finalists) > 1 else []):
            watch.progress(0.5 + at / (8 * len(finalists)), f"Trying on without {each.name}")
            each.job.glance(tolerance, rules, Silent(watch), FINALIST_TURNS)
        best, by = min(finalists, key=_Leaving.rank), "first plan"
        if best is not tried[0] and len(self.today.reps) <= LIQUID:
            plans = [
                each.job.run(tolerance, rules, watch.part(begin, end))
                for each, begin, end in ((best, 0.625, 0.8125), (tried[0], 0.8125, 1.0))
            ]
            ours, flows = ((plan.outside, round(plan.disruption, 9)) for plan in plans)
            best, by = best if ours <= flows else tried[0], "plan"
        why = "the only one that could be tried"
        if len(tried) > 1:
            among = f"of the {len(tried)} territories whose leaving moves least by the flow bound"
            why = f"{among}, the one with the best {by}"
        instead = "" if best is tried[0] else f"; by that bound alone, {tried[0]} would go"
        return best.name, f"{best} goes: {why}{instead}.", best.job

    def on(self, today: _Today) -> _Job:
        """Return the same job on another alignment."""
        return _Job(self.graph, today, self.workload, self.weight, self.compactness, self.seed, self.effort)

    def plan(self, tolerance: float, rules: Rules, watch: Watch) -> _Found:
        """Return the plan that was found already, else run."""
        return self.found[-1] if self.found else self.run(tolerance, rules, watch)

    def glance(self, tolerance: float, rules: Rules, watch: Watch, turns: int) -> None:
        """Know a first plan, or go on from it with so many more turns."""
        self.known = self.run(tolerance, rules, watch, turns)
        self.found.clear()

    def run(
        self, tolerance: float, rules: Rules, watch: Watch, turns: int | None = None, cap: float = math.inf
    ) -> _Found:
        """Return the plan with the least disruption found within a tolerance.

        A glance takes so many `turns`; what surely moves more than a `cap` is not looked for.
        """
        rules = replace(rules, reps=self.today.reps)
        asked = tolerance if math.isinf(cap) else min(tolerance, WIDEST)
        case = replace(case_of(self.graph, None, self.workload, asked, rules, self.today.now), tolerance=tolerance)
        weights = case.values(self.weight)
        if not (weights >= 0).all():
            bad = [node for node, fine in zip(case.nodes, weights >= 0) if not fine]
            raise TerritoryError(f"Units {name_some(bad)} have no number of at least 0 in '{self.weight}': fill it.")
        mean = float(weights.mean()) or 1.0
        # what weighs nothing moves last, too: shapes that reps know stay
        stay = np.maximum(np.where(self.today.is_handed_over(case.nodes), 0.0, weights) / mean, 1e-3)
        assignment = case.frozen()
        proposals = done = 0
        proofs: list[Proof] = []
        problems = [case.problem(at, current=case.duty.current, stay=stay) for at in range(len(case.regions))]
        for at, (region, problem) in enumerate(zip(case.regions, problems)):
            rng = np.random.default_rng([self.seed, at])
            stretch = watch.part(done / len(case.nodes), (done + problem.units) / len(case.nodes))
            found, made = self._reshape(case, problem, region, rng, stretch, turns, cap)
            assignment[region.units] = np.array(region.territories)[found]
            proposals += made
            done += problem.units
            if turns is not None:
                continue
            part = WorkingPartition(problem, found, Weights(), 1.0)
            shown = prove_pockets(part, EFFORTS[self.effort].pieces, stretch)
            proofs += [replace(each, units=tuple(np.array(region.units)[list(each.units)].tolist())) for each in shown]
        off, disruption = self._deviations(case, assignment), self._disruption(case, assignment)
        worst, outside = float(off.max(initial=0.0)), int((off > tolerance * (1 + 1e-9)).sum())
        self.found.append(_Found(case, problems, assignment, proofs, proposals, worst, outside, disruption))
        return self.found[-1]

    def _reshape(
        self, case, problem: Problem, region, rng, watch, turns: int | None, cap: float
    ) -> tuple[np.ndarray, int]:
        """Return the best assignment of one component, from the best of several places for what is new."""
        members = region.territories
        index = {case.duty.names[member]: at for at, member in enumerate(members)}
        fresh = [index[name] for name in self.today.fresh if name in index]
        empty = set(range(len(members))) - set(problem.current[problem.current >= 0].tolist())
        fresh += sorted(empty - set(fresh))
        donor = self.today.donor
        chosen = {index[name]: index[old] for name, old in donor.items() if {name, old} <= index.keys()}
        free = [at for at in fresh if at not in chosen and not (problem.fixed == at).any()]
        effort = EFFORTS[self.effort if turns is None else "quick"]
        donors = self._donors(problem, fresh)[:FOUNDINGS]
        if len(fresh) == len(members) or (free and not donors):
            # none of its territories is there today, or none but those of oversize units: balanced anew
            anew = replace(problem, current=None, stay=None)
            found, _, made, _ = solve(anew, effort, Weights(), rng, watch)
            return found, made
        if len(free) != 1:
            founding = {**chosen, **self._foundings(problem, fresh, free)}
            start = starting_assignment(problem, founding)
            known = self._known_in(region)
            return reshape(problem, start, effort, rng, watch, fresh, self.compactness, turns, known, cap)
        tried = []
        quick = EFFORTS["quick"]
        looks = None if effort.finalists else 0  # a quick plan looks at places by annealing alone
        for at, donor in enumerate(donors):
            stretch = watch.part(0.5 * at / len(donors), 0.5 * (at + 1) / len(donors))
            start = starting_assignment(problem, {**chosen, free[0]: donor})
            found, _ = reshape(
                problem, start, quick, np.random.default_rng(self.seed), stretch, fresh, self.compactness, looks
            )
            tried.append((*judged(problem, WorkingPartition(problem, found, Weights(), 1.0)), donor))
        start = starting_assignment(problem, {**chosen, free[0]: min(tried)[-1]})
        return reshape(problem, start, effort, rng, watch.part(0.5, 1.0), fresh, self.compactness, turns, cap=cap)

    def _known_in(self, region) -> np.ndarray | None:
        """Return the part of the known plan in one component; None where it has other territories, or is not there."""
        if self.known is None:
            return None
        place = {member: at for at, member in enumerate(region.territories)}
        of = self.known.assignment[region.units].tolist()
        return np.array([place[home] for home in of]) if place.keys() == set(of) else None

    def _donors(self, problem: Problem, fresh: list[int]) -> list[int]:
        """Return the territories of today, those first that have most to give with those around them."""
        known = problem.current >= 0
        held = np.bincount(problem.current[known], problem.workload[known], problem.territories)
        over = np.maximum(held - problem.target, 0.0)
        around: dict[int, set[int]] = {}
        for unit, home in enumerate(problem.current.tolist()):
            around.setdefault(home, set()).update(int(problem.current[other]) for other in problem.neighbours[unit])
        donors = [at for at in around if at >= 0 and at not in fresh and not problem.oversize[at]]
        return sorted(donors, key=lambda at: (-over[at] - over[sorted(around[at] - {at, -1})].sum() / 2, at))

    def _foundings(self, problem: Problem, fresh: list[int], free: list[int]) -> dict[int, int]:
        """Return a donor for each new territory, the next where most is left to give."""
        founding = {}
        donors = self._donors(problem, fresh)
        for at, new in enumerate(free):
            founding[new] = donors[at % len(donors)]
        return founding

    def under(self, cap: float, tolerance: float, rules: Rules, watch: Watch) -> _Found:
        """Return the best balanced plan found whose disruption keeps to a cap."""
        missed: list[float] = []
        if not any(found.keeps_to(cap) for found in self.found):
            # what moves here moves at any tolerance
            self.run(ANY, rules, watch.part(0.0, 1 / (HALVINGS + 1)), cap=cap)
        for turn in range(HALVINGS if cap > 0 or self._moves_freely() else 0):
            fitting = [found.worst for found in self.found if found.keeps_to(cap)]
            if not fitting:
                break
            high = min(fitting)
            low = max([tolerance, *(found.worst for found in self.found if found.worst < high), *missed])
            if high - low < max(0.005, NEARLY * high) or watch.time_is_up():
                break
            middle = math.sqrt(low * high)
            stretch = watch.part((turn + 1) / (HALVINGS + 1), (turn + 2) / (HALVINGS + 1))
            found = self.run(middle, rules, stretch, cap=cap)
            if found.outside or not found.keeps_to(cap):
                missed.append(middle)
        fitting = [found for found in self.found if found.keeps_to(cap)]
        if not fitting:
            return min(self.found, key=lambda found: found.disruption)
        return min(fitting, key=lambda found: (found.worst, found.disruption))

    def _moves_freely(self) -> bool:
        """Answer whether workload can change hands without disruption: where accounts count, not all have some."""
        rows = [self.graph.nodes[unit] for unit in self.graph]
        return any(float(row[self.workload]) > 0 and not float(row[self.weight]) > 0 for row in rows)

    def whole_bound(self, found: _Found, tolerance: float, watch: Watch) -> float:
        """Return the share of the weight that changes hands at least, as units are whole; NaN on too large maps."""
        case = replace(found.case, tolerance=tolerance)
        weights = case.values(self.weight)
        handed = self.today.is_handed_over(case.nodes)
        bound, stay = float(weights[handed].sum()), np.where(handed, 0.0, weights)
        for at, region in enumerate(case.regions):
            watch.progress(at / len(case.regions), "Proving how little could change hands")
            if len(region.units) > MANY_UNITS or watch.time_is_up():
                return math.nan
            problem = case.problem(at, current=case.duty.current, stay=stay)
            if (problem.stay[problem.current >= 0] > 0).any():
                bound += bound_on_change(problem, HOPS, 1, 1, watch)
        return bound / (float(weights.sum()) or 1.0)

    def beside_flow(self, result: Rebalance) -> list[str]:
        """Return what to think of a plan that moves much more workload than the flow bound."""
        plan, target = result.plan, float(result.plan.target.mean())
        loads = np.array([float(self.graph.nodes[unit][self.workload]) for unit in plan.units])
        was = [self.today.was.get(unit) for unit in plan.units]
        moved = alignment.disruption(was, [result.names[at] for at in plan.assignment], loads)
        if not moved > FAR * result.flow_bound > 0 or not result.plan.within_tolerance.all():
            return []
        told = (
            f"{100 * moved:.1f} % of the workload changes hands, {moved / result.flow_bound:.1f} times the flow bound, "
            "which cuts units. They are whole: "
        )
        near = f"within the tolerance whose units join territories at most {HOPS} contacts away"
        if math.isnan(result.whole_bound):
            return [f"{told}the heaviest weighs {100 * loads.max() / target:.0f} % of a target."]
        if math.isinf(result.whole_bound):
            return [f"{told}there is no plan {near}."]
        return [f"{told}no plan {near} has less than {100 * result.whole_bound:.1f} % disruption."]

    def _deviations(self, case: Case, assignment: np.ndarray) -> np.ndarray:
        """Return how far the territories that no single unit outweighs are off, as shares."""
        target = case.proof.shared_target * case.duty.share
        held = np.bincount(assignment, case.loads, case.territories)
        apart = [territory for region in case.regions for territory in region.apart.values()]
        usual = ~case.duty.frozen
        usual[apart] = False
        return np.abs(held / target - 1)[usual]

    def _disruption(self, case: Case, assignment: np.ndarray) -> float:
        """Return the share of the weight that changes hands."""
        names = case.duty.names
        was = [self.today.was.get(node) for node in case.nodes]
        return alignment.disruption(was, [names[at] for at in assignment], case.values(self.weight))

    def result(self, found: _Found, messages, stopped: bool, tolerance: float) -> Rebalance:
        """Return the plan with its disruption and bounds."""
        case, problems = found.case, found.problems
        if case.tolerance != tolerance:
            case = replace(case, tolerance=tolerance)
            problems = [case.problem(at) for at in range(len(case.regions))]
        case = self._named(case, found.assignment)
        plan = case.plan(
            found.assignment,
            problems,
            found.proofs,
            reference_km=math.nan,
            stopped_by_time=stopped,
            proposals=found.proposals,
            effort=self.effort,
            seed=self.seed,
        )
        names = list(plan.names)
        was = [self.today.was.get(unit) for unit in plan.units]
        new = [names[at] for at in plan.assignment]
        moved = np.array([old != now for old, now in zip(was, new)])
        loads = np.array([float(self.graph.nodes[unit][self.workload]) for unit in plan.units])
        low, high = (dict(zip(names, limit.tolist())) for limit in plan.limits)
        for name, oversize in zip(names, plan.oversize):
            if oversize:
                low[name], high[name] = 0.0, math.inf
        gone = self.today.is_handed_over(plan.units)
        homes = [None if away else old for old, away in zip(was, gone)]
        flow = alignment.flow_bound(self.graph, homes, loads, low, high)
        least = alignment.least_bound(homes, loads, low, high)
        handed = float(loads[gone].sum())
        total = float(loads.sum())
        elsewhere = self._elsewhere(was, new, loads)
        return Rebalance(
            plan=plan,
            names=names,
            disruption=alignment.disruption(
                was, new, np.array([float(self.graph.nodes[unit][self.weight]) for unit in plan.units])
            ),
            moved=moved,
            why=self._why(plan, was, new, moved, low, high, elsewhere),
            flow_bound=(flow.workload + handed) / total,
            least_bound=(least + handed) / total,
            whole_bound=math.nan,
            messages=[*messages, *self._parts_today(case), *_told_elsewhere(elsewhere), *plan.gave],
            reached=tuple((each.worst, each.disruption) for each in self.found),
        )

    def _named(self, case: Case, assignment: np.ndarray) -> Case:
        """Return the case with territories that were split off called after the one that most of them comes from."""
        names = list(case.duty.names)
        taken = {*names, *self.today.load}
        for name in self.today.donor:
            if name not in names:
                continue
            held: dict[str, float] = {}
            for at in np.flatnonzero(assignment == names.index(name)).tolist():
                old = self.today.was.get(case.nodes[at])
                if old is not None:
                    held[old] = held.get(old, 0.0) + float(case.loads[at])
            most = max(held, key=lambda old: (held[old], old == self.today.donor[name]), default=None)
            if most is not None and held[most] > 0 and most != self.today.donor[name]:
                called = _new_name(most, taken)
                names[names.index(name)] = called
                self.today.fresh = [called if each == name else each for each in self.today.fresh]
        return replace(case, duty=replace(case.duty, names=tuple(names)))

    def _parts_today(self, case: Case) -> list[str]:
        """Return which territories are in several parts today."""
        names = case.duty.names
        parts: dict[int, int] = {}
        for home, _ in territory_parts(case.neighbours, case.duty.current.tolist()):
            parts[home] = parts.get(home, 0) + 1
        torn = [f"{names[home]} ({count} parts)" for home, count in sorted(parts.items()) if home >= 0 and count > 1]
        if not torn:
            return []
        return [f"Not connected today: {name_some(torn)}. Each keeps its main part; the others go to those around."]

    def _elsewhere(self, was, new, loads: np.ndarray) -> list[str]:
        """Return the territories that keep nothing of their workload: whole ones had to go to another place."""
        kept = dict.fromkeys(self.today.now.values(), 0.0)
        for old, now, load in zip(was, new, loads.tolist()):
            if old == now and now in kept:
                kept[now] += load
        return sorted((name for name, load in kept.items() if not load and self.today.load[name] > 0), key=natural)

    def _why(self, plan: Plan, was, new, moved, low, high, elsewhere) -> dict:
        """Return why each unit changes hands."""
        locked = {unit for rep in self.today.reps for unit in rep.must_have} | {rep.home for rep in self.today.reps}
        wanted, load, unit = set(plan.names), self.today.load, self.today.unit
        why = {}
        for node, old, now, moves in zip(plan.units, was, new, moved):
            if not moves:
                continue
            if old is None:
                why[node] = "had no territory"
            elif node in locked:
                why[node] = f"{now} must have it"
            elif old not in wanted:
                why[node] = f"{old} is given up"
            elif old in elsewhere:
                why[node] = f"{old} lies elsewhere now"
            elif now in self.today.fresh:
                why[node] = f"{now} is new"
            elif load[old] > high[old] > 0:
                why[node] = f"{old} holds {load[old] * unit:,.6g}, and may hold {high[old] * unit:,.6g}"
            elif load.get(now, 0.0) < low[now]:
                held, least = load.get(now, 0.0) * unit, low[now] * unit
                why[node] = f"{now} holds {held:,.6g}, and should hold {least:,.6g}"
            else:
                why[node] = f"{old} passes on to {now} what others need"
        return why
