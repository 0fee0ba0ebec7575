"""Two alignments side by side: what changes hands, who keeps a name, and how little could have moved.

A unit **changes hands** when it had a territory and has another one now, or none. A unit that had none (a new ZIP, a
vacancy) is taken from nobody: it is gained by whoever gets it, and does not count as disruption.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
from scipy import sparse
from scipy.optimize import Bounds, LinearConstraint, linear_sum_assignment, milp

from .errors import Count, TerritoryError, name_some
from .tables.names import natural, plain_name

LEAST_KEPT = 0.5
"""Share of a territory's workload that must stay for its name to stay."""
SLACK = 1e-9
MOVES = ("unit", "from_territory", "to_territory", "workload", "accounts")
BEFORE_AFTER = ("before", "kept", "gained", "lost", "after")


def disruption(
    current: Sequence[str | None], proposed: Sequence[str | None], weight: Sequence[float] | np.ndarray
) -> float:
    """Return the share of a weight (workload, accounts, sales) that changes hands.

    D_w = Σ w_u [u had a territory and has another one now, or none] / Σ w_u, over all units u. New units and units
    that had no territory are in the denominator and never in the numerator. The territories are taken by their
    names, so match them first (`match_names`).

    Parameters
    ----------
    current, proposed : sequence of str or None, shape (n,)
        Territory of each unit today and in the plan.
    weight : sequence of float, shape (n,)
        ≥ 0.

    Returns
    -------
    float
        Between 0 and 1; 0 where there is no weight at all.

    Examples
    --------
    >>> disruption(["A", "A", "B", None], ["A", "B", "B", "B"], [1, 2, 3, 4])
    0.2
    """
    weight = np.asarray(weight, dtype=float)
    total = weight.sum()
    return float(weight[_changed(current, proposed)].sum() / total) if total > 0 else 0.0


def _changed(current, proposed) -> np.ndarray:
    """Return which units change hands, shape (n,)."""
    return np.array([old is not None and old != new for old, new in zip(current, proposed)], dtype=bool)


def match_names(
    current: Sequence[str | None],
    proposed: Sequence[Hashable | None],
    workload: Sequence[float] | np.ndarray,
    fresh_prefix: str = "New ",
    least_kept: float = LEAST_KEPT,
) -> dict[Hashable, str]:
    """Return a name for each proposed territory: today's where enough of it stays, else a new one.

    Among all one-to-one matches of today's territories to the proposed ones in which at least `least_kept` of the
    workload of today's stays, the one with the most workload is taken (assignment problem). A territory without any
    workload is measured by its number of units. Equal overlaps are decided by the number of units, then by the
    order of the names.

    Parameters
    ----------
    current : sequence of str or None, shape (n,)
        Today's territory of each unit, None for units without one.
    proposed : sequence of hashable or None, shape (n,)
        The plan's territories, by number or name.
    workload : sequence of float, shape (n,)
        ≥ 0.
    fresh_prefix : str
        New names are this and a number, none of which is a name of today.
    least_kept : float
        0 matches every territory that overlaps: who of today's reps goes on where.

    Returns
    -------
    dict
        Proposed territory → name; no two alike.

    References
    ----------
    Kuhn (1955), The Hungarian method for the assignment problem, Naval Research Logistics Quarterly 2.

    Examples
    --------
    >>> match_names(["North", "North", "North", "South"], [0, 0, 1, 1], [1, 1, 1, 1])
    {0: 'North', 1: 'South'}
    >>> match_names(["North", "North", "South", "South"], [0, 0, 0, 0], [1, 1, 1, 2])
    {0: 'South'}
    """
    workload = np.asarray(workload, dtype=float)
    names, old = _codes(current)
    labels, new = _codes(proposed)
    both = (old >= 0) & (new >= 0)
    shape = (len(names), len(labels))
    overlap, shared = np.zeros(shape), np.zeros(shape)
    np.add.at(overlap, (old[both], new[both]), workload[both])
    np.add.at(shared, (old[both], new[both]), 1.0)
    held = np.bincount(old[old >= 0], workload[old >= 0], len(names))[:, None]
    counted = np.bincount(old[old >= 0], minlength=len(names))[:, None]
    kept = np.where(held > 0, overlap / np.where(held > 0, held, 1.0), shared / np.maximum(counted, 1))
    may = (shared > 0) & (kept >= least_kept * (1 - SLACK))
    little = 1e-6 * (workload.mean() if workload.sum() > 0 else 1.0) / max(len(workload), 1)
    rows, columns = linear_sum_assignment(np.where(may, overlap + little * shared, 0.0), maximize=True)
    found = {labels[column]: names[row] for row, column in zip(rows, columns) if may[row, column]}
    taken = {name.casefold() for name in names}
    number = 1
    for label in labels:
        if label not in found:
            while f"{fresh_prefix}{number}".casefold() in taken:
                number += 1
            found[label] = f"{fresh_prefix}{number}"
            number += 1
    return {label: found[label] for label in labels}


def _codes(territory: Sequence) -> tuple[list, np.ndarray]:
    """Return the territories in natural order, and each unit's position among them, -1 for none."""
    known = sorted({each for each in territory if each is not None}, key=lambda each: natural(str(each)))
    code = {name: at for at, name in enumerate(known)}
    return known, np.array([code.get(each, -1) for each in territory], dtype=int)


def moves(
    units: Sequence[str],
    current: Sequence[str | None],
    proposed: Sequence[str | None],
    workload: Sequence[float] | np.ndarray,
    accounts: Sequence[float] | np.ndarray | None = None,
) -> pd.DataFrame:
    """Return the units whose territory differs, from whom to whom.

    Parameters
    ----------
    units : sequence of str, shape (n,)
    current, proposed : sequence of str or None, shape (n,)
    workload : sequence of float, shape (n,)
    accounts : sequence of float, shape (n,), optional

    Returns
    -------
    pandas.DataFrame, in the order of the units
        ``unit, from_territory, to_territory, workload, accounts``. A unit that had no territory comes from None;
        such rows are gained without being disruption. Without `accounts` that column is NaN.
    """
    differ = np.array([old != new for old, new in zip(current, proposed)], dtype=bool)
    known = np.full(len(differ), np.nan) if accounts is None else np.asarray(accounts, dtype=float)
    at = np.flatnonzero(differ)
    return pd.DataFrame(
        {
            "unit": pd.Series([units[row] for row in at], dtype=object),
            "from_territory": pd.Series([current[row] for row in at], dtype=object),
            "to_territory": pd.Series([proposed[row] for row in at], dtype=object),
            "workload": np.asarray(workload, dtype=float)[at],
            "accounts": known[at],
        },
        columns=list(MOVES),
    )


def legend(table: pd.DataFrame) -> dict[str, str]:
    """Return what a legend says of each territory that gains: how much, and from whom, the largest giver first.

    Parameters
    ----------
    table : pandas.DataFrame
        From `moves`.
    """
    told = {}
    for name, mine in sorted(table.groupby("to_territory"), key=lambda pair: natural(pair[0])):
        givers = mine.assign(giver=mine["from_territory"].fillna("nobody")).groupby("giver")["workload"].sum()
        names = name_some(givers.sort_values(ascending=False, kind="stable").index, 3)
        units = Count(len(mine))
        told[name] = f"to {name}: {units:unit|units}, workload {mine['workload'].sum():,.1f}, from {names}"
    return told


def new_names(table: pd.DataFrame, fresh_prefix: str = "New ", least_kept: float = LEAST_KEPT) -> dict[str, str]:
    """Return new names for the territories of which too little stays: reps go on, but their territory is another one.

    Parameters
    ----------
    table : pandas.DataFrame
        From `gained_lost`, in which territories have the names of those who go on with them.
    fresh_prefix : str
        New names are this and a number, none of which is in the table.
    least_kept : float
        Share of a territory's workload that must stay for its name to stay.

    Returns
    -------
    dict
        Only those that change their name.
    """
    taken = {plain_name(name) for name in table.index}
    gone = table.index[
        (table["units_before"] > 0) & (table["units_after"] > 0) & (table["kept_pct"] < 100 * least_kept)
    ]
    found, number = {}, 1
    for name in gone:
        while plain_name(f"{fresh_prefix}{number}") in taken:
            number += 1
        found[name] = f"{fresh_prefix}{number}"
        number += 1
    return found


def parts_apart(graph: nx.Graph, territory: Sequence[str | None]) -> dict[str, list]:
    """Return the units outside the main part of each territory that is in several, by territory in natural order.

    The main part is the one with the most units.
    """
    members: dict[str, list] = {}
    for unit, name in zip(graph, territory):
        if name is not None:
            members.setdefault(name, []).append(unit)
    apart = {}
    for name in sorted(members, key=natural):
        parts = sorted(nx.connected_components(graph.subgraph(members[name])), key=lambda part: (-len(part), min(part)))
        if len(parts) > 1:
            apart[name] = sorted(unit for part in parts[1:] for unit in part)
    return apart


def gained_lost(
    current: Sequence[str | None],
    proposed: Sequence[str | None],
    workload: Sequence[float] | np.ndarray,
    accounts: Sequence[float] | np.ndarray | None = None,
    targets: Mapping[str, float] | None = None,
    targets_before: Mapping[str, float] | None = None,
) -> pd.DataFrame:
    """Return what each territory keeps, gains and loses.

    For units, workload and accounts alike: before = kept + lost, after = kept + gained. The sum of what is gained
    is the sum of what is lost and of what had no territory, less what has none now.

    Parameters
    ----------
    current, proposed : sequence of str or None, shape (n,)
    workload : sequence of float, shape (n,)
    accounts : sequence of float, shape (n,), optional
    targets, targets_before : mapping of territory to float, optional
        Workload that each ought to have, then and now; default: equal shares of the territories there are.

    Returns
    -------
    pandas.DataFrame
        Indexed by territory, all names of today and of the plan in natural order: ``units_before, units_kept,
        units_gained, units_lost, units_after``, the same for ``workload`` and ``accounts`` (NaN without `accounts`),
        ``deviation_before_pct, deviation_after_pct`` (NaN for a territory that was not, or is no more), ``kept_pct``
        (of the workload before; of its units where it had none), ``name_kept`` (is today's and in the plan).
    """
    before, after = pd.Series(list(current), dtype=object), pd.Series(list(proposed), dtype=object)
    names = sorted({*before.dropna(), *after.dropna()}, key=natural)
    stays = before.notna() & (before == after)
    values = {"units": np.ones(len(before)), "workload": np.asarray(workload, dtype=float)}
    values["accounts"] = np.full(len(before), np.nan) if accounts is None else np.asarray(accounts, dtype=float)
    table = pd.DataFrame(index=pd.Index(names, name="territory", dtype=object))
    for measure, value in values.items():
        value = pd.Series(value, dtype=float)

        def total(of, among, value=value):
            return value[among].groupby(of[among]).sum(min_count=1).reindex(names).fillna(0.0)

        known = value.notna().any() or not len(value)
        parts = {
            "before": total(before, before.notna()), "kept": total(before, stays),
            "gained": total(after, after.notna() & ~stays), "lost": total(before, before.notna() & ~stays),
            "after": total(after, after.notna()),
        }  # fmt: skip
        for part in BEFORE_AFTER:
            table[f"{measure}_{part}"] = parts[part].to_numpy() if known else np.nan
    for part in BEFORE_AFTER:
        table[f"units_{part}"] = table[f"units_{part}"].astype(int)
    for part, wanted in (("before", targets_before), ("after", targets)):
        there = table[f"units_{part}"] > 0
        load = table[f"workload_{part}"]
        if wanted is None:
            target = pd.Series(load.sum() / max(int(there.sum()), 1), index=table.index)
        else:
            target = pd.Series({name: wanted.get(name, np.nan) for name in names}, dtype=float).reindex(table.index)
        table[f"deviation_{part}_pct"] = (100 * (load / target.where(target > 0) - 1)).where(there)
    by_units = table["units_kept"] / table["units_before"].where(table["units_before"] > 0)
    by_workload = table["workload_kept"] / table["workload_before"].where(table["workload_before"] > 0)
    table["kept_pct"] = 100 * by_workload.fillna(by_units)
    table["name_kept"] = (table["units_before"] > 0) & (table["units_after"] > 0)
    return table


# ------------------------------------------------------------------ names as people write them


@dataclass(frozen=True)
class Changes:
    """What is to become of today's territories besides balance.

    Attributes
    ----------
    add : int
        New territories.
    remove : tuple of str
        Those that go.
    merge : tuple of tuples of str
        Those that become one.
    split : tuple of str
        Those that become two.
    """

    add: int = 0
    remove: tuple[str, ...] = ()
    merge: tuple[tuple[str, ...], ...] = ()
    split: tuple[str, ...] = ()

    def territories(self, today: int) -> int:
        """Return how many there will be."""
        return today + self.add - len(self.remove) - sum(len(group) - 1 for group in self.merge) + len(self.split)


def read_changes(names: Sequence[str], add: int = 0, remove: str = "", merge: str = "", split: str = "") -> Changes:
    """Read changes as people write them, each name checked against those that exist.

    Parameters
    ----------
    names : sequence of str
        Today's territories.
    add : int
    remove, split : str
        Names with commas or semicolons between them.
    merge : str
        Names with + between them, and groups with semicolons or commas: ``North + South; East + West``.

    Raises
    ------
    TerritoryError
        With all that is wrong: names that do not exist (and those that do), a name in two places, nothing left.

    Examples
    --------
    >>> read_changes(["North", "South", "East"], remove="east", merge="north+South")
    Changes(add=0, remove=('East',), merge=(('North', 'South'),), split=())
    """
    known = {plain_name(name): name for name in names}
    parts = {"remove": _parts(remove, known), "split": _parts(split, known), "merge": _parts(merge, known)}
    unknown = [text for found in parts.values() for text, name, _ in found if name is None]
    listed = {what: [name for _, name, _ in parts[what] if name is not None] for what in ("remove", "split")}
    ends = ",;\n" if any(mark == "+" for _, _, mark in parts["merge"]) else ";\n"
    groups, group = [], []
    for at, (_, name, mark) in enumerate(parts["merge"], start=1):
        group.append(name)
        if at == len(parts["merge"]) or mark in ends:
            groups.append(tuple(dict.fromkeys(group)))
            group = []
    wrong = []
    if unknown:
        exist = name_some(sorted(names, key=natural), 40)
        wrong.append(f"There is no territory {', '.join(f'“{name}”' for name in unknown)} today. There are: {exist}.")
    elif any(len(group) < 2 for group in groups):
        wrong.append("To merge, name at least two different territories with + between them, as in North + South.")
    everywhere = Counter([*listed["remove"], *listed["split"], *(name for group in groups for name in group)])
    if twice := [name for name, count in everywhere.items() if count > 1]:
        wrong.append(
            f"{name_some(twice)}: in more than one place; a territory can be removed, merged or split, once each run."
        )
    changes = Changes(add, tuple(listed["remove"]), tuple(groups), tuple(listed["split"]))
    if not wrong and changes.territories(len(known)) < 1:
        wrong.append("No territory would be left: remove fewer, or add some.")
    if wrong:
        raise TerritoryError("\n".join(wrong))
    return changes


def _parts(text: str, known: Mapping[str, str]) -> list[tuple[str, str | None, str]]:
    """Return the parts of a list: as written, the name that it is (None: no such), and the mark that ends it.

    A name may hold commas and plus signs itself: the longest name that fits is taken.
    """
    longest = sorted(known, key=len, reverse=True)
    names = "|".join(r"[ \t]+".join(re.escape(word) for word in name.split()) for name in longest)
    pattern = re.compile(rf"\s*({names})?([^,;+\n]*)([,;+\n]|$)", re.IGNORECASE)
    parts, at = [], 0
    while at < len(text):
        found = pattern.match(text, at)
        if (found.group(2) or "").strip():  # a known name with more behind it is another name
            found = re.compile(r"\s*()([^,;+\n]*)([,;+\n]|$)").match(text, at)
        written = (found.group(1) or found.group(2)).strip()
        if written:
            parts.append((written, known.get(plain_name(written)), found.group(3)))
        at = max(found.end(), at + 1)
    return parts


# ------------------------------------------------------------------ how little could move


@dataclass(frozen=True)
class FlowBound:
    """The least flow of workload between neighbouring territories that brings all within their limits.

    Attributes
    ----------
    workload : float
        Σ of the flows; NaN when no flow can do it.
    share : float
        The same over all workload.
    flows : pandas.DataFrame
        ``from_territory, to_territory, workload``: who hands how much to which neighbour.
    """

    workload: float
    share: float
    flows: pd.DataFrame

    @property
    def feasible(self) -> bool:
        """Whether workload that may be cut at will can be brought within the limits."""
        return not np.isnan(self.workload)


def least_bound(
    current: Sequence[str | None],
    workload: Sequence[float] | np.ndarray,
    low: Mapping[str, float],
    high: Mapping[str, float],
) -> float:
    """Return a lower bound on the workload that changes hands in any plan within the limits.

    With L_t the workload of territory t today, [l_t, h_t] its limits and N the workload that has no territory,

        B = max( Σ_t max(L_t − h_t, 0),  Σ_t max(l_t − L_t, 0) − N ).

    What t holds beyond h_t must leave it, and what leaves changes hands once, wherever it goes. What t lacks below
    l_t must come to it, from other territories but for the N that nobody has. Rigorous: no plan moves less,
    contiguity or not.

    Parameters
    ----------
    current : sequence of str or None, shape (n,)
    workload : sequence of float, shape (n,)
    low, high : mapping of territory to float
        The limits of every territory of the plan; one of today's that is in neither has to give up all.

    Examples
    --------
    >>> least_bound(["A", "B", None], [12.0, 5.0, 1.0], {"A": 8, "B": 8}, {"A": 10, "B": 10})
    2.0
    """
    load, free = _loads(current, workload)
    excess = sum(max(held - high.get(name, 0.0), 0.0) for name, held in load.items())
    shortage = sum(max(least - load.get(name, 0.0), 0.0) for name, least in low.items())
    return float(max(excess, shortage - free, 0.0))


def flow_bound(
    graph: nx.Graph,
    current: Sequence[str | None],
    workload: Sequence[float] | np.ndarray,
    low: Mapping[str, float],
    high: Mapping[str, float],
) -> FlowBound:
    """Return the minimum flow of workload between neighbouring territories that brings all within their limits.

    Let G = (T, A) have a node for each territory and an arc in both directions for each two that touch, L_t the
    workload of t today and [l_t, h_t] its limits. Workload is taken as a liquid that passes from a territory to its
    neighbours only:

        minimise    Σ_{(s,t) ∈ A} f_st
        subject to  l_t ≤ L_t + Σ_s f_st − Σ_s f_ts ≤ h_t     for all t
                    f ≥ 0

    Each connected group of units without a territory is a node more, whose whole workload flows out at no cost to
    the territories it touches; these count as touching each other. A territory that is to go has l = h = 0; one that
    is new (limits but no units today) may take from every other one. It is a linear program, solved by HiGHS.

    In which sense it bounds the workload that changes hands: take a plan within the limits in which every unit that
    changes hands goes to a territory that is a neighbour of its own today, and let f_st be the workload of the units
    that go from s to t. This f satisfies the constraints, and Σ f is what the plan moves; so no such plan moves less
    than the minimum. It is **not rigorous** for all plans: a unit that goes to a territory two borders away (which
    has come nearer, because those between gave way) is moved once, but costs two in the flow. `least_bound` holds
    for all plans and is never above this one. Both take workload as divisible and ask nothing of contiguity, so
    the least possible may lie above either.

    Parameters
    ----------
    graph : networkx.Graph
        Units in the order of `current`; contacts as edges.
    current : sequence of str or None, shape (n,)
    workload : sequence of float, shape (n,)
    low, high : mapping of territory to float
        The limits of every territory of the plan; one of today's that is in neither has to give up all.

    Returns
    -------
    FlowBound

    Raises
    ------
    TerritoryError
        When a territory's lower limit is above its upper one.
    """
    crossed = [name for name, least in low.items() if least > high.get(name, 0.0)]
    if crossed:
        raise TerritoryError(f"The lower limit is above the upper one for {name_some(crossed)}.")
    network = _Network(graph, current, workload, [name for name in {**low, **high} if name is not None])
    limits = np.array([(low.get(name, 0.0), high.get(name, 0.0)) for name in network.names]).reshape(-1, 2)
    moved, flow = network.solve(limits)
    used = np.flatnonzero((flow > SLACK * max(network.total, 1.0)) & (network.source < len(network.names)))
    order = used[np.lexsort((network.sink[used], network.source[used]))]
    flows = pd.DataFrame(
        {
            "from_territory": pd.Series([network.names[at] for at in network.source[order]], dtype=object),
            "to_territory": pd.Series([network.names[at] for at in network.sink[order]], dtype=object),
            "workload": flow[order],
        }
    )
    return FlowBound(moved, moved / network.total if network.total > 0 else 0.0, flows)


def _loads(current, workload) -> tuple[dict[str, float], float]:
    """Return the workload of each territory, and of the units without one."""
    workload = np.asarray(workload, dtype=float)
    names, code = _codes(current)
    held = np.bincount(code[code >= 0], workload[code >= 0], len(names))
    return dict(zip(names, held.tolist())), float(workload[code < 0].sum())


class _Network:
    """The graph of neighbouring territories as a flow problem; limits and prices may change from solve to solve.

    Attributes
    ----------
    names : list of str
        Territories, the nodes 0 to k − 1; groups of units without one follow.
    source, sink : ndarray of int, shape (a,)
        Nodes of each arc.
    load : ndarray of float, shape (nodes,)
    total : float
    """

    def __init__(self, graph, current, workload, more=()) -> None:
        of = dict(zip(graph, current))
        load, _ = _loads(current, workload)
        self.names = sorted({*load, *more}, key=natural)
        number = {name: at for at, name in enumerate(self.names)}
        held = [load.get(name, 0.0) for name in self.names]
        node = {unit: number.get(name) for unit, name in of.items()}
        weight = dict(zip(graph, np.asarray(workload, dtype=float).tolist()))
        nobody = graph.subgraph([unit for unit, name in of.items() if name is None])
        for group in nx.connected_components(nobody):
            node.update(dict.fromkeys(group, len(held)))
            held.append(sum(weight[unit] for unit in sorted(group, key=str)))
        contacts = {pair for u, v in graph.edges for pair in ((node[u], node[v]), (node[v], node[u]))}
        k = len(self.names)
        for group in range(k, len(held)):  # what it lies between will touch
            around = sorted(other for at, other in contacts if at == group)
            contacts |= {(one, other) for one in around for other in around}
        there = set(node.values())
        for at in range(len(held)):
            if at < k and at not in there:
                contacts |= {(other, at) for other in range(len(held))}  # a new territory may be founded anywhere
            elif at >= k and not any(at == one for one, _ in contacts):
                contacts |= {(at, other) for other in range(k)}
        arcs = sorted((one, other) for one, other in contacts if one != other and other < k)
        self.source, self.sink = np.array(arcs, dtype=int).reshape(-1, 2).T
        self.load = np.array(held)
        self.total = float(self.load.sum())
        every = np.arange(len(arcs))
        ones = np.ones(len(arcs))
        self.matrix = sparse.csr_array(
            (np.concatenate([ones, -ones]), (np.concatenate([self.sink, self.source]), np.concatenate([every, every]))),
            shape=(len(held), len(arcs)),
        )
        self.price = (self.source < k).astype(float)

    def solve(self, limits: np.ndarray, free: tuple[int, int] | None = None) -> tuple[float, np.ndarray]:
        """Return the least workload that flows between territories, and the flow on each arc.

        Parameters
        ----------
        limits : ndarray of float, shape (k, 2)
            Least and most workload of each territory.
        free : (int, int), optional
            Two territories between which the flow costs nothing: they are one.

        Returns
        -------
        float
            NaN when there is no such flow.
        """
        k, scale = len(self.names), self.total or 1.0
        low, high = -self.load.copy(), -self.load.copy()  # groups without a territory give all away
        low[:k] += limits[:, 0]
        high[:k] += limits[:, 1]
        if not len(self.source):
            fine = bool((low <= SLACK * scale).all() and (high >= -SLACK * scale).all())
            return (0.0 if fine else float("nan")), np.zeros(0)
        price = self.price.copy()
        if free is not None:
            price[np.isin(self.source, free) & np.isin(self.sink, free)] = 0.0
        slack = SLACK * scale  # sums of floats: what is just within must not be outside
        found = milp(
            price,
            constraints=LinearConstraint(self.matrix, (low - slack) / scale, (high + slack) / scale),
            bounds=Bounds(0, np.inf),
        )
        if found.x is None:
            return float("nan"), np.zeros(len(price))
        flow = np.maximum(found.x, 0.0) * scale
        moved = float(price @ flow)
        return (moved if moved > 2 * slack * len(self.load) else 0.0), flow


def rank_merges(
    graph: nx.Graph,
    current: Sequence[str | None],
    workload: Sequence[float] | np.ndarray,
    *,
    tolerance: float = 0.05,
    pairs: bool = True,
) -> pd.DataFrame:
    """Return what it takes to do with one territory fewer, for each way to do so, the least disruption first.

    For each territory that could go, its workload flows to its neighbours, and from them on, until all are within
    the tolerance of an equal share of one territory fewer (`flow_bound`). For each two neighbours that could become
    one, the workload of the lighter one changes hands as a whole, and to that comes the flow that brings the one
    they are, and all others, within the tolerance.

    Parameters
    ----------
    graph : networkx.Graph
        Units in the order of `current`; contacts as edges.
    current : sequence of str or None, shape (n,)
    workload : sequence of float, shape (n,)
    tolerance : float
        Allowed share of deviation from the new target.
    pairs : bool
        False leaves out the pairs.

    Returns
    -------
    pandas.DataFrame
        ``removed`` : the territory that goes; ``into`` : the one that takes it whole, None where neighbours share
        it; ``workload`` : what changes hands by the flow bound, NaN where no flow does it; ``share_pct`` : of all
        workload.
    """
    network = _Network(graph, current, workload)
    k = len(network.names)
    if k < 2:
        return pd.DataFrame(columns=["removed", "into", "workload", "share_pct"])
    target = network.total / (k - 1)
    limits = np.tile([(1 - tolerance) * target, (1 + tolerance) * target], (k, 1))
    rows = []
    for gone in range(k):
        left = limits.copy()
        left[gone] = 0.0
        rows.append((network.names[gone], None, network.solve(left)[0]))
    for one, other in zip(network.source.tolist(), network.sink.tolist()):
        if pairs and one < other < k:
            gone, into = (one, other) if network.load[one] <= network.load[other] else (other, one)
            left = limits.copy()
            left[gone] = 0.0
            more, _ = network.solve(left, free=(gone, into))
            rows.append((network.names[gone], network.names[into], network.load[gone] + more))
    table = pd.DataFrame(rows, columns=["removed", "into", "workload"])
    table["share_pct"] = 100 * table["workload"] / (network.total or 1.0)
    return table.sort_values("workload", kind="stable", ignore_index=True)
