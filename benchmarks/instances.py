"""Real ZIP graphs with real and skewed workloads, read from the shared data folder."""

from __future__ import annotations

from functools import lru_cache
from pathlib import Path

import networkx as nx
import numpy as np
import pandas as pd
from scipy.spatial import cKDTree

from ..territory_plugin.engine.geodesy import geocentric

STATES = {"CO": 8, "DE": 10, "IL": 17, "MN": 27, "NY": 36, "PA": 42, "RI": 44}
WORKLOADS = ("population", "providers", "skewed")
BRIDGES = 3


@lru_cache(maxsize=1)
def attributes(data: Path) -> pd.DataFrame:
    """Return the facts and workloads of every ZCTA, by id."""
    frame = pd.read_csv(data / "crosswalks" / "derived_zcta_attributes.csv.gz", dtype={"zcta5": str}, index_col="zcta5")
    counts = pd.read_csv(data / "providers" / "nppes_zip_counts.csv.gz", dtype={"ZIP_CLEAN": str})
    skewed = pd.read_csv(data / "instances" / "skewed_workload.csv.gz", dtype={"zcta5": str}, index_col="zcta5")
    frame["population"] = frame["pop_acs2023"].fillna(frame["pop10"]).fillna(0).astype(float)
    frame["providers"] = counts.groupby("ZIP_CLEAN")["provider_count"].sum().reindex(frame.index).fillna(0.0)
    frame["skewed"] = skewed["workload"].reindex(frame.index).fillna(0).astype(float)
    return frame


@lru_cache(maxsize=8)
def state_graph(data: Path, state: str) -> nx.Graph:
    """Return a state's queen graph, components bridged, with all workloads as node attributes."""
    frame = attributes(data)
    frame = frame[frame["statefp"] == STATES[state]].sort_index()
    edges = pd.read_csv(data / "zcta" / "queen_edges_dev_states.csv.gz", dtype=str)
    edges = edges[(edges["state1"] == state) & (edges["state2"] == state)]
    graph = nx.Graph()
    for unit, row in frame.iterrows():
        graph.add_node(unit, lon=row["cent_lon"], lat=row["cent_lat"], **{name: row[name] for name in WORKLOADS})
    graph.add_edges_from(zip(edges["zcta1"], edges["zcta2"]))
    bridge(graph)
    return graph


def bridge(graph: nx.Graph, pairs: int = BRIDGES) -> None:
    """Join each smaller component to the rest by its nearest pairs of units, in place."""
    place = {unit: geocentric([[at["lon"], at["lat"]]])[0] for unit, at in graph.nodes.items()}
    while True:
        parts = sorted(nx.connected_components(graph), key=lambda part: (len(part), min(part)))
        if len(parts) == 1:
            return
        small = sorted(parts[0])
        rest = sorted(set(graph) - parts[0])
        tree = cKDTree(np.array([place[unit] for unit in rest]))
        distance, nearest = tree.query(np.array([place[unit] for unit in small]), k=min(pairs, len(rest)))
        found = sorted(
            (far, unit, rest[index])
            for unit, row, indices in zip(small, np.atleast_2d(distance.T).T, np.atleast_2d(nearest.T).T)
            for far, index in zip(np.atleast_1d(row), np.atleast_1d(indices))
        )
        graph.add_edges_from((unit, other, {"kind": "bridge"}) for _, unit, other in found[:pairs])
