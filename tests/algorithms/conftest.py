"""The bundled sample, and the main job on it through `qgis_process`, each step once for all tests."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "sample"
POSTAL = "Provider Business Practice Location Address Postal Code"
TAXONOMY = "Healthcare Provider Taxonomy Code_1"


@pytest.fixture
def alignment(board):
    """Return ``alignment(picture, workload=None)``: units whose `rep` is the letter in the picture."""

    def make(picture, workload=None, **more):
        count = len(picture.split()) - picture.split().count("_")
        return board(picture, column="rep", workload=workload or [1.0] * count, **more)

    return make


@pytest.fixture(scope="session")
def sample():
    """Return where the sample's layers and tables are, and its long column names."""
    return SimpleNamespace(
        zips=f"{FOLDER / 'sample.gpkg'}|layername=zips",
        providers=f"{FOLDER / 'sample.gpkg'}|layername=providers",
        weights=str(FOLDER / "specialty_weights.csv"),
        crosswalk=str(FOLDER / "zip_crosswalk.csv"),
        postal=POSTAL,
        taxonomy=TAXONOMY,
    )


class Chain:
    """The main job: each step runs when first asked for, in a process of its own, on the files of those before."""

    def __init__(self, qgis_process, folder, sample):
        self.qgis_process, self.folder, self.sample, self.done = qgis_process, folder, sample, {}

    def file(self, name):
        return str(self.folder / f"{name}.gpkg")

    def step(self, algorithm):
        """Return the `Run` of a step; one that fails fails the test."""
        if algorithm not in self.done:
            parameters, by_json = getattr(self, algorithm)()
            self.done[algorithm] = self.qgis_process(f"territories:{algorithm}", parameters, by_json=by_json)
        found = self.done[algorithm]
        assert found.status == 0, found.messages
        return found

    def weightproviders(self):
        return {
            "INPUT": self.sample.providers, "SPECIALTY_FIELD": TAXONOMY, "SPECIALTY_WEIGHTS": self.sample.weights,
            "SIZE_FIELD": "practice_size", "SIZE_SCALE": "sqrt", "OUTPUT": self.file("providers"),
        }, False  # fmt: skip

    def sumproviderstozips(self):
        self.step("weightproviders")
        return {
            "PROVIDERS": self.file("providers"), "PROVIDER_ZIP_FIELD": POSTAL,
            "WORKLOAD_FIELDS": ["workload", "deal_value"], "ZIPS": self.sample.zips, "ZIP_FIELD": "zip",
            "CROSSWALK": self.sample.crosswalk, "OUTPUT": self.file("zips"), "UNMATCHED": self.file("unmatched"),
        }, True  # fmt: skip

    def buildadjacencygraph(self):
        return {
            "INPUT": self.sample.zips, "UNIT_FIELD": "zip", "CONTIGUITY": "rook", "BRIDGE": "nearest",
            "OUTPUT": self.file("edges"), "ISOLATES": self.file("isolates"),
        }, False  # fmt: skip

    def market(self):
        self.step("sumproviderstozips")
        self.step("buildadjacencygraph")
        return {
            "UNITS": self.file("zips"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"],
            "EDGES": self.file("edges"),
        }  # fmt: skip

    def balanceterritories(self):
        return {
            **self.market(), "TERRITORIES": 20, "TOLERANCE": 5, "SEED": 1, "OUTPUT": self.file("territories"),
            "ASSIGNMENT": self.file("assignment"), "REPORT": str(self.folder / "report.html"),
        }, False  # fmt: skip

    def evaluateterritories(self):
        return {
            **self.market(), "TERRITORY_FIELD": "rep", "TOLERANCE": 15, "OUTPUT": self.file("today"),
            "REPORT": str(self.folder / "today.html"),
        }, True  # fmt: skip


@pytest.fixture(scope="session")
def chain(qgis_process, tmp_path_factory, sample):
    """Return the main job on the sample: ``chain.step("balanceterritories")`` gives a `Run`, ``chain.file("zips")``
    a GeoPackage that a step has written."""
    return Chain(qgis_process, tmp_path_factory.mktemp("chain"), sample)
