"""Rebalancing: beside the exact optimum on small maps, beside the flow bound on states, and in seconds.

make bench ARGS="rebalance --write"
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache, partial
from itertools import product
from pathlib import Path
from time import process_time

import networkx as nx
import numpy as np
import pandas as pd
from scipy.spatial import Delaunay

from ..territory_plugin.engine.alignment import disruption, gained_lost, match_names, rank_merges
from ..territory_plugin.engine.balance import Plan, Rebalance, Rules, balance_territories, rebalance_territories
from ..territory_plugin.engine.balance.case import case_of
from ..territory_plugin.engine.balance.least_change import bound_on_change, near_choices
from ..territory_plugin.engine.balance.problem import Problem
from ..territory_plugin.engine.balance.watch import Watch
from ..territory_plugin.engine.reps import Rep
from .adjacency import NATION, unpacked
from .exact import least_disruption
from .instances import state_graph
from .judge import as_markdown, judge, machine, packages
from .pages import publish, wishes_parser
from .scaling import national_graph
from .set_bound import set_bound
from .within_budget import none_within

HOPS, ROUNDS = 2, 1
"""Of the bound of whole ZIPs: contacts that a ZIP goes at most, and programs with ever more separators."""
LIGHTS = (0.1, 0.05)
"""Where that leaves open whether a plan near the flow bound is possible: what pools of light ZIPs hold, in targets, in
the bound by connected sets, until one tells."""
FAR, FAR_GONE = 2.0, 1.5
"""Times the flow bound that a plan may have, and one without a rep who goes."""
NODES, ASKED = 5000, 40
"""Where a plan has more: branches of a program that tells whether any plan has not, and how often it is asked."""
SMALL_STATES = ("NY", "PA", "IL", "MN", "CO")
LIGHT = 0.35
"""Heaviest unit of a small map, in targets: heavier ones make balance a matter of that unit alone."""
TOLERANCE = 0.05
FAR_FROM = "skewed"
"""Workload that alignments far from the market were made for."""
ANNUAL = 0.1
"""Tolerance of the annual cycle: most ZIPs have no OB/GYN at all, and some have a tenth of a territory's."""


@dataclass(frozen=True)
class Case:
    """A graph whose workloads have changed since its territories were made.

    Attributes
    ----------
    name : str
    graph : networkx.Graph
        With ``workload`` as it is now.
    current : dict
        Unit → territory.
    """

    name: str
    graph: nx.Graph
    current: dict

    @property
    def worst(self) -> float:
        """Largest deviation from the target, as a share."""
        held: dict = {}
        for unit, name in self.current.items():
            held[name] = held.get(name, 0.0) + self.graph.nodes[unit]["workload"]
        target = sum(held.values()) / len(held)
        return max(abs(load / target - 1) for load in held.values())


@cache
def planned(graph: nx.Graph, territories: int, workload: str, effort: str) -> Plan:
    """Return a plan of ours, made once for each graph."""
    return balance_territories(graph, territories, workload=workload, tolerance=TOLERANCE, effort=effort)


def noisy(name: str, graph: nx.Graph, workload: str, territories: int, sigma: float, seed, effort="default") -> Case:
    """Return a plan of ours, and workloads that have changed by lognormal factors since."""
    factors = np.random.default_rng(seed).lognormal(0, sigma, len(graph))
    loads = {unit: graph.nodes[unit][workload] * factor for unit, factor in zip(sorted(graph, key=str), factors)}
    return Case(name, with_workload(graph, loads), named(planned(graph, territories, workload, effort)))


def with_workload(graph: nx.Graph, loads: dict) -> nx.Graph:
    """Return the units where they are, and their contacts, with another workload; in its order."""
    changed = nx.Graph()
    for unit, load_ in loads.items():
        changed.add_node(unit, lon=graph.nodes[unit]["lon"], lat=graph.nodes[unit]["lat"], workload=load_)
    changed.add_edges_from(graph.edges)
    return changed


def named(plan: Plan) -> dict:
    """Return the territory of each unit, by name."""
    return {unit: f"T{at + 1:02d}" for unit, at in plan.as_dict().items()}


def planar(seed: int, units: int) -> nx.Graph:
    """Return a random triangulation with lognormal workloads, for where there is no real map."""
    rng = np.random.default_rng([7, seed])
    points = rng.random((units, 2))
    graph = nx.Graph()
    for at, ((x, y), weight) in enumerate(zip(points, rng.lognormal(0, 0.8, units))):
        graph.add_node(f"{at:05d}", lon=-90 + 2 * x, lat=40 + 2 * y, population=float(weight))
    for corners in Delaunay(points).simplices:
        nx.add_cycle(graph, [f"{corner:05d}" for corner in corners])
    return graph


@cache
def small_case(data: Path, seed: int) -> Case | None:
    """Return a map of 60 to 120 ZIPs grown around a random one, out of balance since the noise; None if it is not."""
    rng = np.random.default_rng(seed)
    state = SMALL_STATES[seed % len(SMALL_STATES)]
    sigma = (0.15, 0.35)[seed // len(SMALL_STATES) % 2]
    while True:
        units, territories = int(rng.integers(60, 121)), int(rng.integers(4, 8))
        if (data / "zcta").is_dir():
            whole = state_graph(data, state)
            first = sorted(whole)[rng.integers(len(whole))]
            graph = whole.subgraph(list(nx.bfs_tree(whole, first))[:units]).copy()
        else:
            graph = planar(int(rng.integers(10**6)), units)
        load = np.array([at["population"] for at in graph.nodes.values()])
        if load.max() < LIGHT * load.sum() / territories:
            break
    case = noisy(f"{seed} {state}, σ {sigma}", graph, "population", territories, sigma, [seed, 1])
    return case if case.worst > TOLERANCE else None


def optima(data: Path, seeds, seconds: float, store: Path | None) -> dict[str, dict]:
    """Return the exact optimum of each small case by name, from a file of earlier ones where it has it."""
    known = json.loads(store.read_text(encoding="utf-8")) if store and store.exists() else {}
    for seed in seeds:
        case = small_case(data, seed)
        if case is None or abs(known.get(case.name, {}).get("worst today", -1.0) - case.worst) < 1e-9:
            continue  # one from another plan of ours would be the optimum of another question
        found = least_disruption(case.graph, case.current, tolerance=TOLERANCE, seconds=seconds)
        known[case.name] = {"optimum": found.disruption, "bound": found.bound, "seconds": found.seconds,
                             "worst today": case.worst}  # fmt: skip
        print(
            case.name,
            len(case.graph),
            len(set(case.current.values())),
            f"{case.worst:.3f}",
            known[case.name],
            flush=True,
        )
        if store:
            store.write_text(json.dumps(known, indent=1), encoding="utf-8")
    return known


def kept(wishes, key: str, measure) -> list[dict]:
    """Return a row from the file of those that were measured, else measure it and put it there; none if not wished."""
    store = wishes.rows
    known = json.loads(store.read_text(encoding="utf-8")) if store and store.exists() else {}
    if key not in known:
        if wishes.measured:
            return []
        known[key] = measure()
        print(known[key], flush=True)
        if store:
            store.write_text(json.dumps(known, indent=1, ensure_ascii=False), encoding="utf-8")
    return [known[key]]


def small_rows(wishes) -> list[dict]:
    """Return a row for each small case: the exact optimum, ours, and how far apart they are."""
    rows = []
    for seed in wishes.only or range(wishes.seeds):
        rows += kept(wishes, f"small {seed}", partial(small_row, wishes, seed))
    return [row for row in rows if row is not None]


def small_row(wishes, seed: int) -> dict | None:
    """Return the row of one small case; None where the noise leaves it within the tolerance."""
    case = small_case(wishes.data, seed)
    if case is None:
        return None
    exact = optima(wishes.data, [seed], wishes.solver_seconds, wishes.optima)[case.name]
    found, seconds = timed(case, wishes.effort)
    proven = exact["optimum"] is not None and exact["optimum"] <= exact["bound"] * (1 + 1e-4) + 1e-9
    return {
        "instance": case.name, "ZIPs": len(case.graph), "k": len(set(case.current.values())),
        "worst today": f"{100 * case.worst:.1f} %",
        "least possible": f"{100 * exact['bound']:.3f} %" if proven else f"≥ {100 * exact['bound']:.3f} %",
        "HiGHS s": f"{exact['seconds']:.1f}",
        "ours": f"{100 * found.disruption:.3f} %",
        "above": "" if exact["bound"] <= 0 else f"{100 * max(found.disruption / exact['bound'] - 1, 0.0):.2f} %",
        "within": "yes" if sound(case, found) else "NO",
        "CPU s": f"{seconds:.1f}",
        "proven": bool(proven), "ratio": found.disruption / max(exact["bound"], 1e-12),
    }  # fmt: skip


def timed(case: Case, effort: str, **more) -> tuple[Rebalance, float]:
    """Return our rebalancing and its CPU seconds."""
    begin = process_time()
    found = rebalance_territories(case.graph, case.current, effort=effort, **{"tolerance": TOLERANCE, **more})
    return found, process_time() - begin


def without(case: Case, gone: tuple[str, ...]) -> tuple[Problem, float, float]:
    """Return the problem of those who stay, the workload that the others hand over, and all there is."""
    now = {unit: name for unit, name in case.current.items() if name not in gone}
    rules = Rules(reps=tuple(Rep(name, name) for name in sorted(set(now.values()))))
    made = case_of(case.graph, None, "workload", TOLERANCE, rules, now)
    if len(made.regions) > 1:
        raise ValueError(f"{case.name} is in several parts")
    loads = made.loads
    problem = made.problem(0, current=made.duty.current, stay=loads)
    return problem, float(loads[made.duty.current < 0].sum()), float(loads.sum())


def whole_zip_bounds(case: Case, nodes: int, gone: tuple[str, ...] = ()) -> Iterator[float]:
    """Yield shares of the workload that must change hands, as ZIPs are whole, by ever longer computations.

    Over plans in which each ZIP stays or joins a territory that lies at most `HOPS` contacts from it today; those of a
    rep who goes may go anywhere. First by a program with so many branches, then by connected sets.
    """
    problem, handed, total = without(case, gone)
    yield (bound_on_change(problem, HOPS, nodes, ROUNDS, Watch()) + handed) / total
    limits, may = problem.limits(TOLERANCE), near_choices(problem, HOPS)
    for light in LIGHTS:
        yield (set_bound(problem, limits, may, light=light) + handed) / total


def out_of_reach(case: Case, found: Rebalance, share: float, contacts, gone: tuple[str, ...] = ()) -> dict:
    """Return, where ours changes more than a share of the workload, up to how many contacts every plan is proven to.

    Of the numbers of contacts asked about, one after another, until there is no proof; ZIPs of a rep who goes may go
    anywhere.
    """
    if found.disruption <= share or not contacts:
        return {"none within reach": ""}
    problem, handed, total = without(case, gone)
    begin, proven = process_time(), []
    for hops in sorted(contacts):
        budget, may = share * total - handed, near_choices(problem, hops)
        if not none_within(problem, problem.limits(TOLERANCE), may, budget, nodes=NODES, rounds=ASKED):
            break
        proven.append(hops)
    told = f"{proven[-1]} contacts" if proven else "not known"
    return {"none within reach": f"{told} ({process_time() - begin:.0f} CPU s)"}


def sound(case: Case, found: Rebalance, tolerance: float = TOLERANCE) -> bool:
    """Answer whether every territory is connected and within the tolerance, from the graph alone."""
    members: dict = {}
    for unit, at in found.plan.as_dict().items():
        members.setdefault(at, []).append(unit)
    held = [sum(case.graph.nodes[unit]["workload"] for unit in units) for units in members.values()]
    target = sum(held) / len(found.names)
    return (
        len(members) == len(found.names)
        and all(abs(load / target - 1) <= tolerance * (1 + 1e-9) for load in held)
        and all(nx.is_connected(case.graph.subgraph(units)) for units in members.values())
    )


def deviation(found: Rebalance) -> str:
    """Return the largest deviation, and that of the territories which no ZIP outweighs where it differs."""
    plan = found.plan
    if not plan.oversize.any():
        return f"{100 * plan.max_deviation:.1f} %"
    return f"{100 * plan.max_adjusted_deviation:.1f} % ({int(plan.oversize.sum())} oversize)"


def by_state(wishes, told: str, measure, *others) -> list[dict]:
    """Return a row for each state, number of territories, and whatever else the measure takes."""
    rows = []
    for case in product(wishes.states, wishes.territories, *others):
        rows += kept(wishes, " ".join(map(str, (told, *case))), partial(measure, wishes, *case))
    return rows


def state_rows(wishes) -> list[dict]:
    """Return a row for each state, number of territories and noise."""
    return by_state(wishes, "state", state_row, wishes.sigmas)


def state_row(wishes, state: str, territories: int, sigma: float) -> dict:
    """Return the row of one state, number of territories and noise."""
    graph = state_graph(wishes.data, state)
    case = noisy(f"{state} k = {territories}", graph, wishes.workload, territories, sigma, [territories, 2])
    return measured(case, sigma, wishes.effort, bound_nodes=wishes.bound_nodes, contacts=wishes.contacts)


def measured(
    case: Case, sigma, effort: str, tolerance: float = TOLERANCE, bound_nodes: int = 0, contacts: tuple[int, ...] = ()
) -> dict:
    """Return the measures of one rebalancing beside its bounds; that of whole ZIPs where branches are given for it.

    Where it is farther from the flow bound than wished, up to which of these contacts every plan is.
    """
    found, seconds = timed(case, effort, tolerance=tolerance)
    row = {
        "instance": case.name, "σ": sigma, "worst today": f"{100 * case.worst:.1f} %",
        "proven bound": f"{100 * found.least_bound:.2f} %", "flow bound": f"{100 * found.flow_bound:.2f} %",
        "ours": f"{100 * found.disruption:.2f} %",
        "× flow bound": f"{found.disruption / found.flow_bound:.2f}" if found.flow_bound > 0 else "",
        "worst after": deviation(found), "units moved": int(found.moved.sum()), "CPU s": f"{seconds:.1f}",
    }  # fmt: skip
    if not bound_nodes:
        return row
    return {
        **row,
        **beside_whole_zips(case, found, bound_nodes),
        **out_of_reach(case, found, FAR * found.flow_bound, contacts),
    }


def beside_whole_zips(case: Case, found: Rebalance, nodes: int, gone: tuple[str, ...] = (), flow=None) -> dict:
    """Return the bound of whole ZIPs that go `HOPS` contacts at most, and how far above it a plan is.

    That by connected sets where the plan is far above the flow bound, and the program does not tell that no other is
    near it.
    """
    near = (FAR_GONE if gone else FAR) * (found.flow_bound if flow is None else flow)
    begin, bound = process_time(), 0.0
    for each in whole_zip_bounds(case, nodes, gone):
        bound = max(bound, each)
        if not bound < near < found.disruption:
            break
    seconds = process_time() - begin
    return {
        "bound of whole ZIPs": f"{100 * bound:.2f} %" if np.isfinite(bound) else "no such plan",
        "× that": f"{found.disruption / bound:.2f}" if np.isfinite(bound) and bound > 0 else "",
        "bound's CPU s": f"{seconds:.1f}",
    }


def merge_rows(wishes) -> list[dict]:
    """Return a row for each state and number of territories: the rep goes whose leaving our first plans like best."""
    return by_state(wishes, "merge", merge_row)


def merge_row(wishes, state: str, territories: int) -> dict:
    """Return the row of one state and number of territories."""
    graph = state_graph(wishes.data, state)
    case = noisy(f"{state} k = {territories}", graph, wishes.workload, territories, 0.0, 0)
    units = list(case.graph)
    load_ = [case.graph.nodes[unit]["workload"] for unit in units]
    current = [case.current[unit] for unit in units]
    flows = rank_merges(case.graph, current, load_, tolerance=TOLERANCE, pairs=False)
    flows = flows.dropna(subset=["workload"]).set_index("removed")["share_pct"] / 100
    found, seconds = timed(case, wishes.effort, fewer=1)
    (goes,) = found.removed
    return {
        "instance": case.name, "goes": goes, "flow bound": f"{100 * flows[goes]:.2f} %",
        "ours": f"{100 * found.disruption:.2f} %", "× flow bound": f"{found.disruption / flows[goes]:.2f}",
        "least flow bound": f"{100 * flows.min():.2f} % ({flows.idxmin()})",
        "× least": f"{found.disruption / flows.min():.2f}", "worst after": deviation(found), "CPU s": f"{seconds:.1f}",
        **beside_whole_zips(case, found, wishes.bound_nodes, (goes,), flows[goes]),
        **out_of_reach(case, found, FAR_GONE * flows[goes], wishes.contacts, (goes,)),
    }  # fmt: skip


def nation_rows(wishes) -> list[dict]:
    """Return a row for the nation."""
    with tempfile.TemporaryDirectory() as folder:
        graph = national_graph(unpacked(wishes.data / f"zcta/{NATION}.gpkg.xz", Path(folder)), wishes.data)
    rows = []
    for sigma in wishes.nation_sigmas:
        case = noisy(f"nation k = {wishes.reps}", graph, wishes.workload, wishes.reps, sigma, 3, "quick")
        rows.append({**measured(case, sigma, wishes.effort), "ZIPs": f"{len(graph):,}"})
        print(rows[-1], flush=True)
    return rows


def annual_rows(wishes) -> list[dict]:
    """Return a row for each state: OB/GYNs that CMS listed in 2023 balanced, then the geocoded list that came after."""
    folder = wishes.data / "providers"
    last = pd.read_csv(folder / "dac_obgyn_2023.csv.gz", dtype=str)["Zip Code"].value_counts()
    this = pd.read_csv(folder / "obgyn_npi_lonlat.csv.gz", dtype=str)["zcta5"].value_counts()
    rows = []
    for state in wishes.states:
        graph = state_graph(wishes.data, state)
        units = sorted(graph)
        before, after = (counts.reindex(units).fillna(0.0).to_numpy() for counts in (last, this))
        for unit, old in zip(units, before.tolist()):
            graph.nodes[unit]["last year"] = old
        territories = max(4, round(before.sum() / 75))
        plan = balance_territories(graph, territories, workload="last year", tolerance=ANNUAL, effort=wishes.effort)
        case = Case(
            f"{state}, {before.sum():,.0f} → {after.sum():,.0f} OB/GYNs, k = {territories}",
            with_workload(graph, dict(zip(units, after.tolist()))), named(plan),
        )  # fmt: skip
        rows.append(measured(case, None, wishes.effort, ANNUAL))
        del rows[-1]["σ"]
        print(rows[-1], flush=True)
    return rows


# ------------------------------------------------------------------ alignments far from the market


def far_rows(wishes) -> list[dict]:
    """Return a row for each state and number of territories, which were made for another workload."""
    return by_state(wishes, "far", far_row)


def far_row(wishes, state: str, territories: int) -> dict:
    """Return the measures of ours beside those of a plan from scratch, whose names are matched to today's."""
    graph = state_graph(wishes.data, state)
    loads = {unit: graph.nodes[unit][wishes.workload] for unit in sorted(graph)}
    plan = planned(graph, territories, FAR_FROM, "default")
    case = Case(f"{state} k = {territories}", with_workload(graph, loads), named(plan))
    found, seconds = timed(case, wishes.effort, tolerance=TOLERANCE)
    anew, seconds_anew = from_scratch(case, territories, TOLERANCE, wishes.effort)
    ours = {unit: found.names[at] for unit, at in found.plan.as_dict().items()}
    row = {
        "instance": case.name, "worst today": f"{100 * case.worst:.0f} %",
        "proven bound": f"{100 * found.least_bound:.1f} %", "flow bound": f"{100 * found.flow_bound:.1f} %",
    }  # fmt: skip
    for told, now, spent in (("ours", ours, seconds), ("from scratch", anew, seconds_anew)):
        seen = beside_today(case, now)
        row |= {
            told: f"{100 * seen['moved']:.1f} %",
            f"{told}: worst after": f"{100 * seen['worst']:.1f} %" if not seen["parts"] else "NOT CONNECTED",
            f"{told}: names that stay": seen["names"], f"{told}: RMS km": f"{seen['rms_km']:.1f}",
            f"{told}: CPU s": f"{spent:.1f}",
        }  # fmt: skip
    return row


def from_scratch(case: Case, territories: int, tolerance: float, effort: str) -> tuple[dict, float]:
    """Return a plan without regard to today's, named after today's as well as can be, and its CPU seconds."""
    begin = process_time()
    of = balance_territories(case.graph, territories, tolerance=tolerance, effort=effort).as_dict()
    was, load_ = zip(*((case.current[unit], case.graph.nodes[unit]["workload"]) for unit in of))
    names = match_names(was, list(of.values()), load_, least_kept=0)
    return {unit: names[at] for unit, at in of.items()}, process_time() - begin


def beside_today(case: Case, now: dict, attribute: str = "workload") -> dict:
    """Return what a plan is worth, from the graph alone: what moves by an attribute, names that stay, balance, RMS."""
    was, new, load_, weight = zip(
        *(
            (old, now[unit], case.graph.nodes[unit]["workload"], case.graph.nodes[unit][attribute])
            for unit, old in case.current.items()
        )
    )
    held = pd.Series(load_).groupby(pd.Series(new)).sum()
    measures = judge(case.graph, "workload", len(held), now)
    return {
        "moved": disruption(was, new, weight), "names": int((gained_lost(was, new, load_)["kept_pct"] >= 50).sum()),
        "worst": measures["adjusted"], "rms_km": measures["rms_km"], "held": held.to_numpy(),
        "parts": measures["parts"],
    }  # fmt: skip


# ------------------------------------------------------------------ twenty reps who sell to orthopaedic practices


def practices(data: Path, state: str = "PA", targets: float = 5000.0, seed: int = 20) -> nx.Graph:
    """Return a state's ZIPs with the weighted practices of a team of twenty.

    Practices are drawn for the ZIPs in proportion to their real number of providers; a practice counts the root of
    its number of surgeons, geometric with mean three. ``workload`` is scaled to 5,000 weighted targets: 250 for each
    of twenty reps.
    """
    graph = state_graph(data, state)
    units = sorted(graph)
    rng = np.random.default_rng(seed)
    share = np.array([graph.nodes[unit]["providers"] for unit in units])
    where = rng.choice(len(units), size=3200, p=share / share.sum())
    weight = np.bincount(where, np.sqrt(rng.geometric(1 / 3, len(where))), len(units))
    made = nx.Graph()
    for unit, load_, count in zip(units, targets * weight / weight.sum(), np.bincount(where, minlength=len(units))):
        at = graph.nodes[unit]
        made.add_node(unit, lon=at["lon"], lat=at["lat"], workload=float(load_), accounts=float(count))
    made.add_edges_from(graph.edges)
    return made


def team(data: Path, least: float = 120.0, most: float = 510.0) -> Case:
    """Return an alignment of twenty connected territories that hold from `least` to `most` weighted targets."""
    graph = practices(data)
    wanted = np.concatenate([[1.012 * least, most / 1.012], np.linspace(145, 345, 18)])
    wanted[2:] *= (5000 - wanted[:2].sum()) / wanted[2:].sum()
    order = np.random.default_rng(4).permutation(20)
    reps = tuple(Rep(f"R{at + 1:02d}", f"R{at + 1:02d}", share=float(wanted[place])) for at, place in enumerate(order))
    plan = balance_territories(graph, 20, tolerance=0.012, rules=Rules(reps=reps), seed=2)
    return Case("orthopaedic practices", graph, {unit: plan.names[at] for unit, at in plan.as_dict().items()})


def team_rows(wishes) -> list[dict]:
    """Return today's alignment, ours, the same without regard to disruption, and one made from scratch."""
    case = team(wishes.data)
    graph, tolerance = case.graph, 0.12
    for unit in graph:
        graph.nodes[unit]["nothing"] = 0.0
    rows = []

    def row(told, now, seconds):
        seen = beside_today(case, now)
        held = seen["held"]
        rows.append(
            {
                "": told, "weighted targets": f"{held.min():.0f} – {held.max():.0f}",
                "within 220–280": f"{int(((held >= 220) & (held <= 280)).sum())} of {len(held)}",
                "workload that changes hands": f"{100 * seen['moved']:.1f} %",
                "accounts": f"{100 * beside_today(case, now, 'accounts')['moved']:.1f} %",
                "names that stay": f"{seen['names']} of {len(held)}",
                "RMS km": f"{seen['rms_km']:.1f}",
                "CPU s": seconds,
            }
        )  # fmt: skip
        print(rows[-1], flush=True)

    row("today", case.current, "")
    for told, weight in (("rebalanced", None), ("the same without regard to disruption", "nothing")):
        begin = process_time()
        found = rebalance_territories(graph, case.current, tolerance=tolerance, weight=weight, effort=wishes.effort)
        now = {unit: found.names[at] for unit, at in found.plan.as_dict().items()}
        row(told, now, f"{process_time() - begin:.1f}")
        if weight is None:
            wishes.team_bounds = 100 * found.least_bound, 100 * found.flow_bound
    now, seconds = from_scratch(case, 20, tolerance, wishes.effort)
    row("made from scratch, reps matched to it as well as can be", now, f"{seconds:.1f}")
    return rows


# ------------------------------------------------------------------ the page


def page(tables: dict[str, list[dict]], loads: list[float], wishes) -> str:
    """Return the page for the documentation."""
    parts = []
    if "small" in tables:
        rows = tables["small"]
        proven = [row for row in rows if row["proven"]]
        near = sum(row["ratio"] <= 1.05 + 1e-9 for row in proven)
        near_twenty = sum(row["ratio"] <= 1.05 + 1e-9 for row in proven[:20])
        shown = [{name: row[name] for name in row if name not in ("proven", "ratio")} for row in rows]
        parts.append(
            f"""## Beside the exact optimum

Maps of 60 to 120 ZIPs grown around a random one (real 2010 ZCTAs and population), our plan, then every workload times
a lognormal factor; ±5 %. Seeds 0 to {wishes.seeds - 1}, those left out that the noise leaves within the tolerance, or
where a ZIP weighs more than {100 * LIGHT:g} % of a target. The least possible is the optimum of a mixed-integer program
(`benchmarks/exact.py`, HiGHS); ≥: its bound after {wishes.solver_seconds:g} s, where it did not finish.

Proven optima: {len(proven)} of {len(rows)}; ours within 5 % of them: {near} of {len(proven)}; of the first twenty:
{near_twenty}.

{as_markdown(shown)}"""
        )
    if "states" in tables:
        parts.append(
            f"""## States

All ZIPs of a state, {wishes.workload} as workload, our plan, then lognormal noise; ±5 %. The flow bound is the least
flow of workload between neighbouring territories (`engine/alignment.py`). None within reach: where ours is above
{FAR:g} times the flow bound, up to how many contacts ZIPs may go without any plan that is not
(`benchmarks/within_budget.py`).

{as_markdown(tables["states"])}"""
        )
    if "merges" in tables:
        parts.append(
            f"""## A rep goes

From our plan, without noise: of the eight reps whose leaving moves the least by the flow bound each gets a first plan;
where up to two more are near the best of these, they are gone on from, and the best goes (`fewer`); CPU seconds are all
of it. The least flow bound is that of all who could go. None within reach: as above, for {FAR_GONE:g} times the flow
bound.

{as_markdown(tables["merges"])}"""
        )
    if "nation" in tables:
        parts.append(f"## The nation\n\n{as_markdown(tables['nation'])}")
    if "annual" in tables:
        parts.append(
            f"""## The annual cycle

Last year's territories are balanced on the OB/GYNs that CMS listed in 2023, by ZIP; then comes a geocoded list of
OB/GYNs; ±{100 * ANNUAL:g} %.

{as_markdown(tables["annual"])}"""
        )
    if "far" in tables:
        parts.append(
            f"""## Alignments far from the market

Our plan for `{FAR_FROM}` as today's alignment, {wishes.workload} as workload, ±5 %. Moves of borders alone cannot carry
whole territories to where hands are short; a plan from nothing that goes on from there as if it were today's can. From
scratch: `balanceterritories`, its names matched to today's by largest overlap. (The flow bound counts what goes several
borders far several times, so that plans can lie below it.)

{as_markdown(tables["far"])}"""
        )
    if "team" in tables:
        least, flow = wishes.team_bounds
        parts.append(
            f"""## Twenty reps who sell to orthopaedic practices

Real ZIPs of Pennsylvania; 3,200 practices drawn for them in proportion to their real number of providers, each counting
the root of its surgeons, 5,000 weighted targets in all: 250 for each rep, ±12 % is 220 to 280. The flow
bound is {flow:.1f} % of the workload (it counts what goes two borders far twice, so that plans can lie below); proven
are {least:.1f} %.

{as_markdown(tables["team"])}"""
        )
    return f"""# Rebalancing

Made by `make bench ARGS="rebalance --write"`, effort {wishes.effort}. Every plan was checked again from the graph.
Seconds of ours are CPU seconds.

{(chr(10) * 2).join(parts)}

{packages("numpy", "scipy", "networkx")}; {machine(loads)}.
"""


TABLES = {"small": small_rows, "states": state_rows, "merges": merge_rows, "nation": nation_rows,
          "annual": annual_rows, "far": far_rows, "team": team_rows}  # fmt: skip


def main() -> None:
    """Measure everything and print the tables."""
    parser = wishes_parser(__doc__, "rebalance", TABLES)
    parser.add_argument("--effort", default="default")
    parser.add_argument("--seeds", type=int, default=40, help="small cases that are looked at")
    parser.add_argument("--solver-seconds", type=float, default=90.0, help="for HiGHS, each")
    parser.add_argument("--optima", type=Path, help="file to keep exact optima in, and to take them from")
    parser.add_argument("--rows", type=Path, help="file to keep rows in, and to take them from: a page in pieces")
    parser.add_argument("--measured", action="store_true", help="leave out what that file does not have")
    parser.add_argument("--only", nargs="+", type=int, help="seeds of the small cases, instead of the first ones")
    parser.add_argument("--sigmas", nargs="+", type=float, default=[0.15, 0.35], help="noise of the states")
    parser.add_argument("--states", nargs="+", default=list(SMALL_STATES))
    parser.add_argument("--territories", nargs="+", type=int, default=[20, 50])
    parser.add_argument("--workload", default="population")
    parser.add_argument("--bound-nodes", type=int, default=1, help="branches of each program of the bound")
    parser.add_argument("--contacts", nargs="*", type=int, default=[2, 4], help="of proofs that no plan is near")
    parser.add_argument("--reps", type=int, default=300, help="of the nation")
    parser.add_argument("--nation-sigmas", nargs="+", type=float, default=[0.15])
    publish(TABLES, page, parser.parse_args())


if __name__ == "__main__":
    main()
