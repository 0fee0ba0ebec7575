"""Real ZIP polygons of whole states with real numbers of providers, through `qgis_process`."""

from __future__ import annotations

import csv
import gzip
import shutil
from collections import Counter

import networkx as nx
import pytest
from qgis.core import QgsField, QgsVectorLayer
from qgis.PyQt.QtCore import QMetaType

TOLERANCE = 5


def rows(path):
    with gzip.open(path, "rt", encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture(scope="module")
def queen(shared_data):
    """Return ``queen("PA")``: the pairs of ZIPs that touch, which three other methods agree on."""
    edges = rows(shared_data / "zcta" / "queen_edges_dev_states.csv.gz")

    def of(state):
        return {
            tuple(sorted((edge["zcta1"], edge["zcta2"]))) for edge in edges if edge["state1"] == edge["state2"] == state
        }

    return of


@pytest.fixture(scope="module")
def states(shared_data, unpacked, tmp_path_factory):
    """Return ``states("PA")``: a GeoPackage of the state's ZIPs with the column `load`, its providers."""
    folder, made = tmp_path_factory.mktemp("states"), {}
    counts = {
        (row["STATE_CLEAN"], row["ZIP_CLEAN"]): int(row["provider_count"])
        for row in rows(shared_data / "providers" / "nppes_zip_counts.csv.gz")
    }

    def of(state):
        if state not in made:
            made[state] = folder / f"{state}.gpkg"
            shutil.copy(unpacked(f"zcta/zcta_{state}.gpkg.xz"), made[state])
            layer = QgsVectorLayer(f"{made[state]}|layername=zcta", state, "ogr")
            provider = layer.dataProvider()
            assert provider.addAttributes([QgsField("load", QMetaType.Type.Int)])
            layer.updateFields()
            at = layer.fields().lookupField("load")
            assert provider.changeAttributeValues(
                {feature.id(): {at: counts.get((state, feature["zcta5"]))} for feature in layer.getFeatures()}
            )
        return made[state]

    return of


def outweigh(loads, territories):
    """Return the ZIPs heavier than a territory may be, set apart one by one, and the target of the others."""
    left = dict(loads)
    apart = set()
    while True:
        target = sum(left.values()) / (territories - len(apart))
        heaviest = max(left, key=left.get)
        if left[heaviest] <= target * (1 + TOLERANCE / 100):
            return apart, target
        apart.add(heaviest)
        del left[heaviest]


@pytest.mark.parametrize(("state", "territories", "by_json"), [("RI", 10, False), ("PA", 20, True), ("NY", 20, False)])
def test_a_state_is_balanced(states, queen, qgis_process, tmp_path, read_rows, state, territories, by_json):
    """Contacts are those of the published table plus the bridges that the edges layer shows."""
    units = f"{states(state)}|layername=zcta"
    edges = tmp_path / "edges.gpkg"
    built = qgis_process(
        "territories:buildadjacencygraph",
        {"INPUT": units, "UNIT_FIELD": "zcta5", "CONTIGUITY": "queen", "OUTPUT": str(edges)},
        by_json=not by_json,
    )
    assert built.status == 0, built.messages
    found = read_rows(edges)
    contacts = {tuple(sorted((edge["from_unit"], edge["to_unit"]))) for edge in found if edge["kind"] != "bridge"}
    assert contacts == queen(state)
    graph = nx.Graph(contacts)
    graph.add_edges_from((edge["from_unit"], edge["to_unit"]) for edge in found if edge["kind"] == "bridge")

    done = qgis_process(
        "territories:balanceterritories",
        {
            "UNITS": units, "UNIT_FIELD": "zcta5", "WORKLOAD_FIELDS": ["load"], "EDGES": str(edges),
            "TERRITORIES": territories, "TOLERANCE": TOLERANCE, "SEED": 1, "OUTPUT": str(tmp_path / "plan.gpkg"),
            "ASSIGNMENT": str(tmp_path / "zips.gpkg"),
        },
        by_json=by_json,
    )  # fmt: skip
    assert done.status == 0, done.messages
    assert done.results["STOPPED_BY_TIME"] is False
    plan, zips = read_rows(tmp_path / "plan.gpkg"), read_rows(tmp_path / "zips.gpkg")
    of = {row["zcta5"]: row["territory"] for row in zips}
    loads = {row["zcta5"]: row["load"] or 0 for row in zips}
    assert len(of) == len(read_rows(units))
    assert set(graph) <= set(of)
    assert len(plan) == len(set(of.values())) == territories
    held = Counter()
    for unit, load in loads.items():
        held[of[unit]] += load
    apart, target = outweigh(loads, territories)
    for row in plan:
        members = [unit for unit in of if of[unit] == row["territory"]]
        assert nx.is_connected(graph.subgraph(members)) or len(members) == 1
        assert row["workload"] == held[row["territory"]]
        if not apart & set(members):
            assert abs(held[row["territory"]] / target - 1) <= TOLERANCE / 100 + 1e-9
            assert row["within"] is True
        else:
            assert any(unit in row["reason"] for unit in apart & set(members))
    assert sum(row["workload"] for row in plan) == sum(loads.values()) == done.results["TOTAL_WORKLOAD"]
    assert sum(row["units"] for row in plan) == len(of)
