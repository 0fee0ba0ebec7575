"""What a partition is worth: workload, deviation, contiguity, compactness and travel of each territory."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import networkx as nx
import numpy as np
import pandas as pd
import shapely

from .colours import apart
from .errors import name_some
from .tables.names import natural

ROUNDING = 1e-9  # relative slack against floating-point noise at the edge of the tolerance


@dataclass(frozen=True)
class Summary:
    """The measures of a whole partition.

    Attributes
    ----------
    territories : int
    max_deviation_pct : float
        Largest absolute deviation from target, in percent.
    within_pct : float
        Share of territories within tolerance, in percent.
    cut_edges : int
        Contacts between units of different territories.
    rms_km : float
        Root of the workload-weighted mean squared distance of units to their territory's centre.
    connected : bool
        Every territory is one part.
    unassigned : int
        Units without a territory.
    total_workload : float
    """

    territories: int
    max_deviation_pct: float
    within_pct: float
    cut_edges: int
    rms_km: float
    connected: bool
    unassigned: int
    total_workload: float


def territory_measures(
    graph: nx.Graph,
    territory: Sequence[str | None],
    workload: np.ndarray,
    positions: np.ndarray,
    *,
    tolerance: float,
    targets: dict[str, float] | None = None,
) -> pd.DataFrame:
    """Return the measures of each territory that need no polygons.

    Parameters
    ----------
    graph : networkx.Graph
        Units in the order of the other arguments; open contacts as edges.
    territory : sequence of str or None, shape (n,)
    workload : numpy.ndarray of float, shape (n,)
    positions : numpy.ndarray of float, shape (n, 3)
        Unit centres, geocentric, km.
    tolerance : float
        Allowed share of deviation to either side, 0.05 for ±5 %.
    targets : dict, optional
        Target workload of each territory; default: equal shares.

    Returns
    -------
    pandas.DataFrame
        Indexed by territory, names in natural order (T2 before T10): ``workload, target, index,
        deviation_pct, within, units, parts, rms_km``, and ``moment`` (workload · km²).
    """
    labels = pd.Series(list(territory), dtype=object)
    names = sorted(labels.dropna().unique(), key=natural)
    code = labels.map({name: at for at, name in enumerate(names)}).fillna(-1).to_numpy(dtype=int)
    inside, k = code >= 0, len(names)

    def total(values):
        return np.bincount(code[inside], weights=values[inside], minlength=k)

    load, units = total(workload), np.bincount(code[inside], minlength=k)
    target = np.full(k, load.sum() / max(k, 1)) if targets is None else np.array([targets[name] for name in names])
    deviation = 100 * (load - target) / np.where(target > 0, target, np.nan)
    # a territory without workload has its centre where its units are
    mass = inside.astype(float)
    heavy = np.where(load > 0, load, 1.0)
    mass[inside] = np.where((load > 0)[code[inside]], (workload / heavy[code])[inside], 1.0)
    centre = np.column_stack([total(mass * axis) for axis in positions.T]) / np.maximum(total(mass), 1e-300)[:, None]
    squared = np.zeros(len(code))
    squared[inside] = ((positions[inside] - centre[code[inside]]) ** 2).sum(axis=1)
    moment = total(workload * squared)
    return pd.DataFrame(
        {
            "workload": load,
            "target": target,
            "index": 100 * load / (load.mean() if load.sum() > 0 else np.nan),
            "deviation_pct": deviation,
            "within": np.abs(deviation) <= 100 * tolerance * (1 + ROUNDING) + ROUNDING,
            "units": units,
            "parts": parts_per_territory(graph, code, k),
            "rms_km": np.sqrt(moment / np.where(load > 0, load, np.nan)),
            "moment": moment,
        },
        index=pd.Index(names, name="territory", dtype=object),
    )


def sum_by_territory(values: np.ndarray, territory: Sequence[str | None], names=None) -> pd.Series:
    """Return the sum of a value by territory; units without a territory are left out."""
    sums = pd.Series(values).groupby(pd.Series(list(territory), dtype=object)).sum()
    return sums if names is None else sums.reindex(names)


def parts_per_territory(graph: nx.Graph, code: np.ndarray, territories: int) -> np.ndarray:
    """Return the number of connected parts of each territory."""
    part = np.zeros(territories, dtype=int)
    for component in inner_components(graph, code):
        part[component[0]] += 1
    return part


def inner_components(graph: nx.Graph, code: np.ndarray):
    """Yield (territory, set of units) for each connected part of each territory."""
    of = dict(zip(graph, code.tolist()))
    inner = nx.Graph()
    inner.add_nodes_from(unit for unit, t in of.items() if t >= 0)
    inner.add_edges_from((u, v) for u, v in graph.edges if of[u] == of[v] >= 0)
    for component in nx.connected_components(inner):
        yield of[next(iter(component))], component


def cut_edges(graph: nx.Graph, territory: Sequence[str | None]) -> int:
    """Return the number of contacts between units of different territories."""
    of = dict(zip(graph, territory))
    return sum(1 for u, v in graph.edges if of[u] != of[v])


def summary(table: pd.DataFrame, graph: nx.Graph, territory: Sequence[str | None]) -> Summary:
    """Return the measures of the whole partition from those of its territories."""
    load = table["workload"].sum()
    return Summary(
        territories=len(table),
        max_deviation_pct=float(np.nanmax(np.abs(table["deviation_pct"]))) if len(table) else float("nan"),
        within_pct=float(100 * table["within"].mean()) if len(table) else float("nan"),
        cut_edges=cut_edges(graph, territory),
        rms_km=float(np.sqrt(table["moment"].sum() / load)) if load > 0 else float("nan"),
        connected=bool((table["parts"] == 1).all()),
        unassigned=sum(name is None for name in territory),
        total_workload=float(load),
    )


def compactness(polygons: np.ndarray) -> pd.DataFrame:
    """Return area (km²), Polsby–Popper 4πA/P² and Reock A / A(minimum enclosing circle).

    Parameters
    ----------
    polygons : numpy.ndarray of shapely geometries, shape (k,)
        In metres, each in an equal-area projection centred on itself.

    References
    ----------
    Polsby & Popper (1991), Yale Law & Policy Review 9(2); Reock (1961), Midwest Journal of Political Science 5(1).
    """
    area, perimeter = shapely.area(polygons), shapely.length(polygons)
    circle = np.pi * shapely.minimum_bounding_radius(polygons) ** 2
    return pd.DataFrame(
        {
            "area_km2": area / 1e6,
            "polsby_popper": 4 * np.pi * area / np.where(perimeter > 0, perimeter, np.nan) ** 2,
            "reock": area / np.where(circle > 0, circle, np.nan),
        }
    )


def flags(table: pd.DataFrame, graph: nx.Graph, territory: Sequence[str | None], workload: np.ndarray) -> pd.Series:
    """Return why a territory needs a look, as text, None where nothing is wrong.

    Named are the deviation beyond tolerance (with the one unit that outweighs the target, if there is one),
    parts that do not touch, and territories without workload.
    """
    of = list(territory)
    loads = pd.Series(workload, index=pd.Index(list(graph), dtype=object))
    members = pd.Series(list(graph), dtype=object).groupby(pd.Series(of, dtype=object)).agg(list)
    reasons = {}
    for name, row in table.iterrows():
        found = []
        if row["workload"] <= 0:
            found.append("has no workload")
        elif not row["within"]:
            side = "over" if row["deviation_pct"] > 0 else "under"
            found.append(f"{abs(row['deviation_pct']):.1f} % {side} target")
            heavy = loads[members[name]]
            if side == "over" and heavy.max() > row["target"]:
                found.append(f"unit {heavy.idxmax()} alone outweighs the target ({heavy.max() / row['target']:.0%})")
        if row["parts"] > 1:
            found.append(f"in {row['parts']:.0f} parts that do not touch{_smaller_parts(graph, members[name])}")
        reasons[name] = "; ".join(found) or None
    return pd.Series(reasons, dtype=object).reindex(table.index)


def _smaller_parts(graph, members) -> str:
    parts = sorted(nx.connected_components(graph.subgraph(members)), key=lambda part: (-len(part), min(part)))
    return f" (apart: {name_some(sorted(unit for part in parts[1:] for unit in part), most=5)})"


def colour_classes(
    graph: nx.Graph, territory: Sequence[str | None], names: Sequence[str], colours: int = 8
) -> dict[str, int]:
    """Return a colour class for each territory such that neighbours never share one and are told apart well.

    The territories' own contact graph is coloured smallest-last (Matula & Beck 1983, Journal of the ACM 30(3)):
    at most six colours on a map in the plane. Among those allowed the one is taken that is farthest from its
    neighbours', as seen with the vision that tells them apart worst (`engine.colours.apart`); among those that are
    far enough the one used least. Then territories change theirs one by one as long as that sets one farther apart.
    More than `colours` are used only where contacts demand it.
    """
    # numbers for names: networkx pops from sets, and those of texts differ from process to process
    number = {name: at for at, name in enumerate(names)}
    of = {unit: number.get(name) for unit, name in zip(graph, territory)}
    contacts = nx.Graph()
    contacts.add_nodes_from(number.values())
    contacts.add_edges_from((of[u], of[v]) for u, v in graph.edges if of[u] != of[v] and None not in (of[u], of[v]))
    distance = apart()
    colour: dict[int, int] = {}
    used = [0] * colours
    for here in nx.algorithms.coloring.strategy_smallest_last(contacts, {}):
        taken = {colour[other] for other in contacts[here] if other in colour}
        free = [at for at in range(len(used)) if at not in taken]
        if not free:
            free = [len(used)]
            used.append(0)
        colour[here] = min(free, key=lambda at: (-_clear(distance, at, taken), used[at], at))
        used[colour[here]] += 1
    _set_apart(contacts, colour, distance, colours)
    return {name: colour[at] for name, at in number.items()}


CLEAR = 16.0
"""Difference (CIEDE2000) from which on neighbours are told apart at a glance: more is not looked for."""


def _clear(distance: np.ndarray, colour: int, others: Iterable[int]) -> float:
    """Return how far a colour is from the nearest of others, where more than `CLEAR` is no more."""
    known = [other for other in others if other < len(distance)]
    if not known or colour >= len(distance):
        return CLEAR
    return min(float(distance[colour, known].min()), CLEAR)


def _set_apart(contacts: nx.Graph, colour: dict[int, int], distance: np.ndarray, colours: int, rounds=20) -> None:
    """Give territories other colours of the first `colours`, one by one, where that sets the nearest pair apart."""

    def nearest(here, chosen):
        """Return the differences at a territory and at its neighbours, the smallest first."""
        around = [_clear(distance, chosen, [colour[other]]) for other in contacts[here]]
        return sorted(around)

    for _ in range(rounds):
        changed = False
        for here in contacts:
            taken = {colour[other] for other in contacts[here]}
            free = [at for at in range(colours) if at not in taken]
            best = max(free, key=lambda at: (nearest(here, at), at == colour[here]), default=colour[here])
            if nearest(here, best) > nearest(here, colour[here]):
                colour[here], changed = best, True
        if not changed:
            return
