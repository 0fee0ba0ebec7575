"""A market, its rules and what they allow, as arrays for the search; and the plan of what the search found."""

from __future__ import annotations

import math
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import networkx as nx
import numpy as np
import pandas as pd

from ..contiguity import bridge_edges
from ..errors import Count, TerritoryError, name_some
from ..geodesy import geocentric
from .certificates import Certificates, Region, certify, refuse_too_many
from .contiguity import NotJoined, components, join_fixed, repair_contiguity
from .exact import Proof
from .feasibility import Duties, duties, region_codes, within_reach
from .handing_over import CHOICES, fewest_misplaced, misplaced
from .joining import fairest, negotiated, torn_at
from .objective import cut_edges, moment_of_inertia
from .plan import Plan
from .problem import Limits, Problem, Regions, within_limits
from .reach import reachable, shares_within_reach
from .reasons import minima_out_of_reach, reach_text, reasons_of
from .rules import Rules
from .search import aimed
from .transport import squared_distances

LOCATED = 4
"""Digits of a kilometre that locations are rounded to. Versions of numpy differ in the last bit of a sine, and a plan
hangs on single bits where two choices are alike."""


@dataclass(frozen=True)
class Case:
    """A market with its rules, as arrays in the order of the sorted unit ids.

    Attributes
    ----------
    graph : networkx.Graph
    nodes : list, length n
    ids : list of str
    loads : ndarray, shape (n,)
    location : ndarray, shape (n, 3)
        Geocentric, km.
    neighbours : list of tuples of int
        Contacts that no border closes.
    territories : int
    tolerance : float
    rules : Rules
    duty : Duties
    proof : Certificates
    regions : list of Region
    home_travel : ndarray, shape (n, k), or None
        Minutes from homes as km that take so long on average, squared.
    joined : tuple of str
        What was bridged because a closed border parted it.
    bridges : tuple of pairs of units
        The contacts that were added for that.
    ways : dict of int to ndarray of int
        By component, where shortest ways do not join what is locked: the territories of what is fixed, with other ways.
    short_of_reach : dict of int to str
        By territory, why what reps can reach lets no plan be within the tolerance.
    """

    graph: nx.Graph
    nodes: list[Hashable]
    ids: list[str]
    loads: np.ndarray
    location: np.ndarray
    neighbours: list[tuple[int, ...]]
    territories: int
    tolerance: float
    rules: Rules
    duty: Duties
    proof: Certificates
    regions: list[Region]
    home_travel: np.ndarray | None
    joined: tuple[str, ...]
    bridges: tuple[tuple[Hashable, Hashable], ...]
    ways: dict[int, np.ndarray] = field(default_factory=dict)
    short_of_reach: dict[int, str] = field(default_factory=dict)

    def values(self, attribute: str) -> np.ndarray:
        """Return a node attribute as numbers, in the order of the units."""
        return _values(self.graph, self.nodes, attribute)

    @cached_property
    def border_regions(self) -> dict[str, tuple[np.ndarray, list[str]]]:
        """Regions of the units and their names, by border with a price."""
        return {
            border.attribute: region_codes(self.graph, self.nodes, border.attribute)
            for border in self.rules.borders
            if border.price is not None
        }

    @cached_property
    def measured(self) -> dict[str, np.ndarray]:
        """Values of the units, by further measure."""
        found = {}
        for measure in self.rules.measures:
            values = found[measure.attribute] = self.values(measure.attribute)
            _refuse(self.nodes, ~(values >= 0), f"have no number of at least 0 in '{measure.attribute}': fill it")
        return found

    def problem(self, at: int, **more) -> Problem:
        """Return the search's problem for one component; `more` are further attributes of it, over all units.

        Raises
        ------
        TerritoryError
            When a territory's locked units cannot be joined.
        """
        region, component, duty = self.regions[at], self.proof.components[at], self.duty
        units, members = np.array(region.units), np.array(region.territories)
        position = np.full(len(self.nodes), -1)
        position[units] = np.arange(len(units))
        rank = np.full(self.territories, -1)
        rank[members] = np.arange(len(members))
        where = position.tolist()
        inside = [tuple(where[other] for other in self.neighbours[unit] if where[other] >= 0) for unit in region.units]
        loads = self.loads[units]

        target = component.target * duty.share[members]
        oversize = np.zeros(len(members), dtype=bool)
        fixed = np.where(duty.fixed[units] >= 0, rank[duty.fixed[units]], -1)
        anchor = np.full(len(members), -1)
        for index in np.flatnonzero(fixed >= 0)[::-1].tolist():
            anchor[fixed[index]] = index
        for member, home in enumerate(duty.home[members].tolist()):
            if home >= 0:
                anchor[member] = where[home]
        for unit, territory in region.apart.items():
            member, index = rank[territory], where[unit]
            fixed[index] = member
            anchor[member] = index
            oversize[member] = True
            target[member] = self.loads[unit]
        target = _with_light_parts(loads, inside, anchor, oversize, target, self.tolerance)
        target = _with_limits(target, duty.least[members], duty.most[members], oversize)

        proven = {each.unit: each.least_deviation for each in component.stuck}
        homes = duty.centre[members]
        home = np.where((homes >= 0)[:, None], self.location[homes], np.nan)
        problem = Problem(
            workload=loads,
            location=self.location[units],
            neighbours=inside,
            target=target,
            tolerance=aimed(self.tolerance),
            anchor=anchor,
            oversize=oversize,
            stuck={at: proven[self.ids[unit]] for at, unit in enumerate(region.units) if self.ids[unit] in proven},
            fixed=fixed,
            least=None if np.isnan(duty.least).all() else duty.least[members],
            most=None if np.isnan(duty.most).all() else duty.most[members],
            home=home if (homes >= 0).any() else None,
            home_travel=None if self.home_travel is None else self.home_travel[np.ix_(units, members)],
            barred=None if duty.barred is None else duty.barred[np.ix_(units, members)],
            regions=tuple(
                Regions(self.border_regions[border.attribute][0][units], border.price)
                for border in self.rules.borders
                if border.price is not None
            ),
            limits_of=tuple(self._limits(measure, units, members, oversize) for measure in self.rules.measures),
            **{name: self._of_part(name, values, units, rank) for name, values in more.items()},
        )
        try:
            joined = join_fixed(problem)
        except NotJoined as error:
            if at not in self.ways:
                found = negotiated(problem)
                if found is None:
                    raise TerritoryError(self._not_joined(problem, error, members, units)) from error
                self.ways[at] = fairest(problem, found, np.random.default_rng(0))
            joined = self.ways[at]
            problem = replace(problem, fixed=joined)
        without = np.setdiff1d(np.arange(len(members)), joined)
        if self.duty.names and len(without) > (joined < 0).sum():
            named = name_some(self.duty.names[members[at]] for at in without)
            raise TerritoryError(
                f"Nothing would be left for {named}: too many units are locked to others, or join what is locked. "
                "Release some of them."
            )
        self._refuse_bans(problem, region)
        return problem

    def _not_joined(self, problem: Problem, error: NotJoined, members, units) -> str:
        """Return why what is locked to a territory cannot be joined."""
        names = [self.duty.names[at] for at in members]
        text = f"{names[error.territory]} cannot be connected: {self.ids[units[error.unit]]} is locked to it, and "
        torn = torn_at(problem)
        if torn is not None:
            at, several = torn
            return (
                f"{text}{name_some(names[each] for each in several)} would all have to pass {self.ids[units[at]]}, the "
                "only way between two parts of the map. Release what is locked to all but one of them on one side, or "
                "open more contacts there."
            )
        if not reachable(problem)[error.unit, error.territory]:
            return (
                f"{text}every way there leads through units that are locked to others or forbidden to it. Release some "
                "of them."
            )
        return f"{text}no ways were found that join it and what is locked to others, too. Release some of them."

    def _refuse_bans(self, problem: Problem, region: Region) -> None:
        """Raise an error where no plan of a small component keeps all units from whom they are forbidden, proven.

        A limit of travel gives way instead.
        """
        small = problem.units * problem.territories <= CHOICES
        if problem.barred is None or self.rules.most_travel is not None or not small:
            return
        if not misplaced(problem, repair_contiguity(problem, [-1] * problem.units, problem.barred)):
            return
        fewest, proven = fewest_misplaced(problem)
        unkept = misplaced(problem, fewest) if proven else []
        if unkept:
            named = name_some(
                f"{self.ids[region.units[at]]} ({self.duty.names[region.territories[fewest[at]]]})" for at in unkept
            )
            raise TerritoryError(
                "No plan keeps every unit from the reps to whom it is forbidden: "
                f"{Count(len(unkept)):unit has|units have} to stay, for example {named}. Take a ban back, or "
                "release units that are locked to others."
            )

    def _of_part(self, name: str, values: np.ndarray, units, rank) -> np.ndarray:
        """Return an attribute over all units for the units of a component, territories by their rank there."""
        here = values[units]
        return np.where(here >= 0, rank[here], -1) if name == "current" else here

    def _limits(self, measure, units, members, oversize) -> Limits:
        """Return the limits of a further measure for the territories of a component."""
        values = self.measured[measure.attribute]
        share = np.where(oversize, 0.0, self.duty.share[members])
        target = values[units].sum() * share / (share.sum() or 1.0)
        return Limits(
            value=values[units],
            low=np.where(oversize, 0.0, (1 - aimed(measure.tolerance)) * target),
            high=np.where(oversize, np.inf, (1 + aimed(measure.tolerance)) * target),
            scale=float(values.sum()) / self.territories or 1.0,
        )

    def within_reach(self) -> Case:
        """Return the same case, whose certificates tell where bans and a limit of travel leave no plan in balance."""
        if self.duty.barred is None:
            return self
        said: list[str] = []
        short: dict[int, str] = {}
        least = self.proof.least_deviation
        for at, region in enumerate(self.regions):
            problem = self.problem(at)
            shares = shares_within_reach(problem)
            names = [self.duty.names[each] for each in region.territories]
            said += minima_out_of_reach(self, problem, names)
            if shares is None or shares.deviation <= self.tolerance:
                continue
            said.append(reach_text(self, problem, shares, names))
            short.update(dict.fromkeys(region.territories, said[-1]))
            if len(self.regions) == 1 and not region.apart and problem.least is None and problem.most is None:
                least = max(least, shares.deviation)
        if not said:
            return self
        proof = replace(self.proof, reach=tuple(said), least_deviation=least)
        return replace(self, proof=proof, duty=replace(self.duty, gave=(*self.duty.gave, *said)), short_of_reach=short)

    def frozen(self) -> np.ndarray:
        """Return the territory of each unit that is locked with all its territory, -1 for the others."""
        held = np.isin(self.duty.fixed, np.flatnonzero(self.duty.frozen))
        return np.where(held, self.duty.fixed, -1)

    def plan(self, assignment: np.ndarray, problems: list[Problem], proofs: Sequence[Proof] = (), **about) -> Plan:
        """Return the plan of an assignment that has a territory for each unit.

        Territories of reps keep the reps' order; others are numbered from north-west to south-east.
        """
        k, loads, duty = self.territories, self.loads, self.duty
        target = self.proof.fair_target * duty.share
        is_oversize = np.zeros(k, dtype=bool)
        region_of = np.zeros(k, dtype=int)
        shared = target.copy()
        for at, (region, problem) in enumerate(zip(self.regions, problems)):
            members = np.array(region.territories)
            target[members], is_oversize[members], region_of[members] = problem.target, problem.oversize, at
            shared[members] = self.proof.components[at].target * duty.share[members]
        if not duty.names:
            order = self._from_north_west(assignment)
            rank = np.empty(k, dtype=int)
            rank[order] = np.arange(k)
            assignment = rank[assignment]
            target, is_oversize, region_of, shared = (
                values[order] for values in (target, is_oversize, region_of, shared)
            )

        held = np.bincount(assignment, loads, k)
        target = np.where(duty.frozen, held, target)
        scale = np.where(is_oversize, np.where(shared > 0, shared, target), target)
        scale = np.where(scale > 0, scale, 1.0)
        # an oversize territory is as far off as its unit makes it
        adjusted = (held - np.where(is_oversize, shared, target)) / scale
        adjusted = np.where((target > 0) | is_oversize, adjusted, 0.0)
        inertia = moment_of_inertia(self.location, loads, assignment, k).sum()
        position = {node: index for index, node in enumerate(self.nodes)}
        in_order = np.array([position[node] for node in self.graph], dtype=int)
        low, high = self._limits_of_workload(target)
        plan = Plan(
            units=tuple(self.graph),
            assignment=assignment[in_order],
            workload=held,
            target=target,
            deviation=held / (self.proof.fair_target * duty.share) - 1,
            adjusted_deviation=adjusted,
            oversize=is_oversize,
            tolerance=self.tolerance,
            limits=(low, high),
            cut_edges=cut_edges(self.neighbours, assignment.tolist()),
            rms_distance_km=math.sqrt(inertia / float(loads.sum())),
            reasons={},
            certificates=self.proof,
            names=duty.names,
            share=duty.share,
            pieces=self._pieces(assignment),
            further={name: np.bincount(assignment, values, k) for name, values in self.measured.items()},
            bridges=self.bridges,
            gave=(*duty.gave, *self.joined, *self._broken(assignment)),
            **about,
        )
        plan.reasons.update(reasons_of(self, plan, region_of, assignment, proofs, problems))
        return plan

    def _limits_of_workload(self, target: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """Return the least and most workload of each territory."""
        duty = self.duty
        low, high = (1 - self.tolerance) * target, (1 + self.tolerance) * target
        return within_limits(low, high, duty.least, duty.most, self.tolerance)

    def _pieces(self, assignment: np.ndarray) -> dict[str, dict[str, list[int]]]:
        """Return, by border with a price, the territories of each region that has more than one."""
        found = {}
        for attribute, (code, names) in self.border_regions.items():
            held: dict[int, set[int]] = {}
            for region, territory in zip(code.tolist(), assignment.tolist()):
                held.setdefault(region, set()).add(territory)
            held.pop(-1, None)
            found[attribute] = {
                names[region]: sorted(holders) for region, holders in sorted(held.items()) if len(holders) > 1
            }
        return found

    def _broken(self, assignment: np.ndarray) -> list[str]:
        """Return the rules that the search could not keep, in sentences."""
        barred, broken = self.duty.barred, []
        if barred is not None:
            bad = np.flatnonzero(barred[np.arange(len(assignment)), assignment])
            if len(bad):
                named = [f"{self.ids[unit]} ({self.duty.names[assignment[unit]]})" for unit in bad]
                broken.append(
                    f"{Count(len(bad)):unit is|units are} in a territory that is forbidden or too far; the "
                    f"search found no plan that hands over more: {name_some(named)}."
                )
        return broken

    def _from_north_west(self, assignment: np.ndarray) -> np.ndarray:
        """Return the territories in the order of their middles from north-west to south-east."""
        k, n = self.territories, len(self.nodes)
        lon, lat = _values(self.graph, self.nodes, "lon"), _values(self.graph, self.nodes, "lat")
        count = np.bincount(assignment, minlength=k)
        east = np.bincount(assignment, lon, k) / count * math.cos(math.radians(float(lat.mean())))
        south = -np.bincount(assignment, lat, k) / count
        first = np.full(k, n)
        np.minimum.at(first, assignment, np.arange(n))
        return np.lexsort((first, np.round(east + south, 6)))


def case_of(
    graph: nx.Graph,
    territories: int | None,
    workload: str,
    tolerance: float,
    rules: Rules,
    current: Mapping | None = None,
) -> Case:
    """Return the arrays of a market, with the certificates.

    Parameters
    ----------
    graph, territories, workload, tolerance, rules
        As for `balance_territories`.
    current : mapping of unit to rep id, optional
        Today's alignment: where parts of the map have several reps to choose from, each keeps its own.

    Raises
    ------
    TerritoryError
        Unusable workloads or places, contradictory rules, more territories than units, fewer than components.
    """
    if not 0 < tolerance < 1:
        raise TerritoryError(
            f"A tolerance of {100 * tolerance:g} % cannot be used: choose one above 0 and below 100 %."
        )
    if territories is None:
        if not rules.reps:
            raise TerritoryError("Say how many territories to make, or give the reps.")
        territories = len(rules.reps)
    nodes, loads, location, neighbours = _arrays(graph, workload)
    refuse_too_many(territories, len(nodes))
    ids = [str(node) for node in nodes]
    region_of, joined, bridges = None, (), ()
    closed = [border.attribute for border in rules.borders if border.price is None]
    if closed:
        region_of, neighbours, joined, bridges = _close_borders(graph, nodes, ids, neighbours, closed, rules.bridge)
    distance, home_travel = _from_homes(rules, nodes, ids, location, territories)
    duty = within_reach(duties(rules, nodes, loads, territories, distance), rules, nodes, neighbours)
    if current is not None:
        index = {name: at for at, name in enumerate(duty.names)}
        duty = replace(duty, current=np.array([index.get(current.get(node), -1) for node in nodes], dtype=int))
    proof, regions = certify(
        ids, loads, neighbours, territories, tolerance, duty, rules.oversize != "join", region_of
    )  # fmt: skip
    return Case(
        graph, nodes, ids, loads, location, neighbours, territories, tolerance, rules, duty, proof, regions,
        home_travel, joined, bridges,
    ).within_reach()  # fmt: skip


def _close_borders(graph, nodes, ids, neighbours, attributes: list[str], bridge: bool):
    """Return the regions' names by unit, the contacts within regions, and what had to be bridged inside them."""
    columns = []
    for attribute in attributes:
        code, names = region_codes(graph, nodes, attribute)
        _refuse(nodes, code < 0, f"have no '{attribute}', whose borders no territory may cross: fill it")
        columns.append([f"{attribute} {names[at]}" for at in code])
    region_of = [", ".join(parts) for parts in zip(*columns)]
    inside = [
        tuple(other for other in around if region_of[other] == region_of[unit])
        for unit, around in enumerate(neighbours)
    ]
    if not bridge:
        return region_of, inside, (), ()
    joined, added = [], []
    lon, lat = _values(graph, nodes, "lon"), _values(graph, nodes, "lat")
    contacts = [set(around) for around in inside]
    whole = {unit: at for at, part in enumerate(components(neighbours)) for unit in part}
    for name in sorted(set(region_of)):
        units = [unit for unit, region in enumerate(region_of) if region == name]
        parts = components(inside, units)
        if len(parts) == len({whole[unit] for unit in units}):
            continue
        index = {ids[unit]: unit for unit in units}
        edges = pd.DataFrame(
            [(ids[unit], ids[other]) for unit in units for other in inside[unit] if unit < other],
            columns=["from_unit", "to_unit"],
        )
        bridges = bridge_edges(np.column_stack([lon[units], lat[units]]), [ids[unit] for unit in units], edges)
        for one, other in zip(bridges["from_unit"].map(index).tolist(), bridges["to_unit"].map(index).tolist()):
            contacts[one].add(other)
            contacts[other].add(one)
            added.append((nodes[one], nodes[other]))
        joined.append(f"{name} has {len(parts)} parts that only others' land joins: they are bridged.")
    return region_of, [tuple(sorted(around)) for around in contacts], tuple(joined), tuple(added)


def _from_homes(rules: Rules, nodes, ids, location, territories: int):
    """Return km or minutes from each home to each unit, and minutes squared as km², those from other centres, too.

    None where nobody has one, or no rule asks for them.
    """
    reps = rules.reps
    position = {node: at for at, node in enumerate(nodes)}
    starts = [rules.centres.get(rep.id) if rep.home is None else rep.home for rep in reps]
    known = [(at, position[start]) for at, start in enumerate(starts) if start in position]
    if not known or len(reps) != territories or (rules.most_travel is None and rules.travel is None):
        return None, None
    of, begins = (list(each) for each in zip(*known))
    distance = np.full((len(nodes), len(reps)), np.nan)
    distance[:, of] = squared_distances(location, location[begins])
    np.sqrt(distance, out=distance)
    homeless = [at for at, rep in enumerate(reps) if rep.home is None]
    if rules.travel is None:
        distance[:, homeless] = np.nan
        return distance, None
    minutes = rules.travel.reindex(index=nodes, columns=[rep.id for rep in reps]).to_numpy(dtype=float)
    known = ~np.isnan(minutes) & (minutes > 0) & (distance > 0)
    if not known.any():
        raise TerritoryError(
            "The travel times name none of the homes and units: check that their ids are those of the units."
        )
    speed = float(np.median(distance[known] / minutes[known]))
    minutes = np.where(np.isnan(minutes), distance / speed, minutes)
    squared = np.square(minutes * speed)
    minutes[:, homeless] = np.nan
    return minutes, squared


def _with_light_parts(loads, neighbours, anchor, oversize, target, tolerance) -> np.ndarray:
    """Return the targets, once parts that only oversize units join to the map count for the oversize territories.

    Parts that touch the rest of the map only through oversize units, and are too light for a territory, can
    only belong to an oversize territory: the targets say so.
    """
    usual = np.flatnonzero(~oversize)
    if len(usual) in (0, len(target)):
        return target
    target = target.copy()
    territory = {int(anchor[at]): at for at in np.flatnonzero(oversize)}
    rest = sorted(set(range(len(loads))) - set(territory))
    parts = sorted(components(neighbours, rest), key=lambda part: (loads[part].sum(), part[0]))
    room = len(usual)
    left = sum(len(part) for part in parts)
    weight = float(loads[rest].sum())
    seats = {int(unit) for unit in anchor[usual]}
    for part in parts[:-1]:
        load = float(loads[part].sum())
        if left - len(part) < room or load >= (1 - tolerance) * weight / room or seats & set(part):
            break
        doors = sorted({other for unit in part for other in neighbours[unit] if other in territory})
        lightest = min(doors, key=lambda unit: target[territory[unit]])
        target[territory[lightest]] += load
        weight -= load
        left -= len(part)
    share = target[usual] / target[usual].sum() if target[usual].sum() > 0 else np.full(room, 1 / room)
    target[usual] = weight * share
    return target


def _with_limits(target: np.ndarray, least: np.ndarray, most: np.ndarray, oversize: np.ndarray) -> np.ndarray:
    """Return the targets, once what some may not hold, or have to hold, is taken from or given to the others."""
    low, high = np.where(np.isnan(least), 0.0, least), np.where(np.isnan(most), np.inf, most)
    low, high = np.where(oversize, target, low), np.where(oversize, target, high)
    shared, total = target, float(target.sum())
    for _ in range(len(target)):
        kept = np.clip(shared, low, high)
        left = total - float(kept.sum())
        room = (kept < high) if left > 0 else (kept > low)
        if abs(left) <= 1e-12 * total or not target[room].sum() > 0:
            return kept
        shared = np.where(room, kept + left * target / target[room].sum(), kept)
    return np.clip(shared, low, high)


def _arrays(graph: nx.Graph, workload: str) -> tuple[list[Hashable], np.ndarray, np.ndarray, list[tuple[int, ...]]]:
    """Return nodes sorted by id, their workloads, geocentric locations and neighbours."""
    if graph.number_of_nodes() == 0:
        raise TerritoryError("There are no units: the layer is empty or everything is filtered out.")
    nodes = sorted(graph, key=str)
    loads, lon, lat = (_values(graph, nodes, name) for name in (workload, "lon", "lat"))
    _refuse(nodes, ~np.isfinite(loads), f"have no number in '{workload}': fill it or remove them")
    _refuse(nodes, loads < 0, f"have a negative '{workload}': workloads are zero or more")
    _refuse(nodes, ~(np.isfinite(lon) & np.isfinite(lat)), "have no place: check their geometry")
    _refuse(
        nodes,
        (np.abs(lat) > 90) | (np.abs(lon) > 360),
        "lie at no longitude and latitude in degrees: check the layer's coordinate system",
    )
    position = {node: index for index, node in enumerate(nodes)}
    neighbours = [tuple(sorted(position[other] for other in graph[node] if other != node)) for node in nodes]
    return nodes, loads, np.round(geocentric(np.stack([lon, lat], axis=1)), LOCATED), neighbours


def _values(graph: nx.Graph, nodes, attribute: str) -> np.ndarray:
    return np.array([_number(graph.nodes[node].get(attribute)) for node in nodes])


def _number(value: object) -> float:
    """Return a number, NaN for anything that is none."""
    if isinstance(value, (int, float, np.number)) and not isinstance(value, bool):
        return float(value)
    return math.nan


def _refuse(nodes: list, bad: np.ndarray, complaint: str) -> None:
    if bad.any():
        named = [nodes[index] for index in np.flatnonzero(bad)]
        raise TerritoryError(f"Units {name_some(named)} {complaint}.")
