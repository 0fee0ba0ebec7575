"""Measures of any plan, whoever made it, from the graph alone; and the tables that show them."""

from __future__ import annotations

import os
import platform
from collections.abc import Hashable, Mapping
from importlib.metadata import version

import networkx as nx
import numpy as np

from ..territory_plugin.engine.geodesy import geocentric


def oversize_units(graph: nx.Graph, workload: str, territories: int, tolerance: float = 0.05) -> tuple[list, float]:
    """Return the units that alone outweigh a territory, and the target that the others leave to the rest.

    The heaviest unit is set apart as long as it outweighs, by more than the tolerance, what each territory would hold
    without it; one within the tolerance may be a territory like any other.
    """
    loads = sorted(((float(at[workload]), unit) for unit, at in graph.nodes.items()), key=lambda pair: -pair[0])
    left, apart = sum(load for load, _ in loads), []
    for load, unit in loads:
        remaining = territories - len(apart)
        if remaining <= 1 or load <= left / remaining * (1 + tolerance):
            break
        apart.append(unit)
        left -= load
    return apart, left / (territories - len(apart))


def judge(
    graph: nx.Graph, workload: str, territories: int, plan: Mapping[Hashable, Hashable], tolerance: float = 0.05
) -> dict:
    """Return what a plan is worth.

    Parameters
    ----------
    graph : networkx.Graph
        Units with the workload, ``lon`` and ``lat``.
    workload : str
        Node attribute that was to be balanced.
    territories : int
        How many were asked for.
    plan : mapping
        Unit → territory.
    tolerance : float
        Allowed share of deviation from the target that the oversize units leave to the others.

    Returns
    -------
    dict
        ``adjusted``: the largest deviation among territories without an oversize unit, as a share;
        ``within``: the share of those that keep the tolerance; ``territories``; ``parts``: connected parts beyond
        one for each territory; ``cut``: edges between territories; ``rms_km``: root of the mean squared distance
        of workload to its territory's centre; ``lost``: units without a territory.
    """
    units = list(graph)
    labels = sorted({plan[unit] for unit in units if unit in plan}, key=str)
    number = {label: at for at, label in enumerate(labels)}
    at = np.array([number.get(plan.get(unit), -1) for unit in units])
    inside, k = at >= 0, len(labels)
    load = np.array([float(graph.nodes[unit][workload]) for unit in units])
    place = geocentric([[graph.nodes[unit]["lon"], graph.nodes[unit]["lat"]] for unit in units])
    place = place - place.mean(axis=0)

    apart, target = oversize_units(graph, workload, territories, tolerance)
    held = np.bincount(at[inside], load[inside], k)
    usual = np.ones(k, dtype=bool)
    usual[[number[plan[unit]] for unit in apart if unit in plan]] = False
    deviation = np.abs(held[usual] / target - 1)

    weight = np.where(held > 0, held, 1.0)
    middle = np.stack([np.bincount(at[inside], (load * axis)[inside], k) for axis in place.T], axis=1) / weight[:, None]
    squares = load[inside] @ np.square(place[inside] - middle[at[inside]]).sum(axis=1)

    of = dict(zip(units, at.tolist()))
    inner = nx.Graph()
    inner.add_nodes_from(unit for unit in units if of[unit] >= 0)
    inner.add_edges_from((u, v) for u, v in graph.edges if of[u] == of[v] >= 0)
    return {
        "adjusted": float(deviation.max(initial=0.0)),
        "within": float((deviation <= tolerance * (1 + 1e-9)).mean()) if len(deviation) else 1.0,
        "oversize": len(apart),
        "territories": k,
        "parts": nx.number_connected_components(inner) - k,
        "cut": sum(of[u] != of[v] for u, v in graph.edges),
        "rms_km": float(np.sqrt(squares / max(load.sum(), 1e-300))),
        "lost": int((~inside).sum()),
    }


def as_markdown(rows: list[dict]) -> str:
    """Return rows as a table; columns in the order in which they first appear."""
    head = list(dict.fromkeys(name for row in rows for name in row))
    lines = ["| " + " | ".join(head) + " |", "|" + "---|" * len(head)]
    lines += ["| " + " | ".join(str(row.get(name, "")) for name in head) + " |" for row in rows]
    return "\n".join(lines)


def packages(*names: str) -> str:
    """Return Python and the packages with their versions."""
    return ", ".join([f"Python {platform.python_version()}", *(f"{name} {version(name)}" for name in names)])


def load() -> float:
    """Return how many processes wanted to run in the last minute, on the whole machine."""
    return os.getloadavg()[0] if hasattr(os, "getloadavg") else float("nan")


def machine(loads: list[float] | None = None) -> str:
    """Return what the figures were measured on, with the loads seen on the way."""
    said = f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}"
    if loads:
        said += f", load {min(loads):.1f} to {max(loads):.1f} while measuring"
    return said
