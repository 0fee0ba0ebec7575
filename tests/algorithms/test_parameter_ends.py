"""Every parameter of every algorithm at both ends of its range, empty, and odd: outputs, or a sentence.

The parameters are those that the algorithms have, so that new ones are covered by themselves; a new algorithm needs a
small call in `CALLS`. Each value is tried alone, the others being those of the small call. Long, and so for
``make test ARGS=--long``: numbers near the ends, every field of a layer, more effort than a quick search, the first
options of searches, and most of what matters to a search only beside other parameters.
"""

from __future__ import annotations

import time

import pandas as pd
import pytest
from healthcare_territories.benchmarks import nppes_file
from healthcare_territories.processing.provider import TerritoriesProvider
from qgis.core import QgsProcessingParameterDefinition, QgsProcessingParameterField, QgsProcessingParameterNumber

PICTURE = "A A B\nC C B"
LOADS = [3.0, 1.0, 2.0, 1.0, 4.0, 1.0]
ZIPS = [f"0{y:02d}{x:02d}" for y in range(2) for x in range(3)]
ODD = "x'\"); <b>½ %s {0} \\ 𝔘\n"
OPTIONAL = QgsProcessingParameterDefinition.Flag.FlagOptional
UNFORESEEN = "met an error that it should not have"
PATIENCE = 60
"""Seconds for one run on a busy machine; they take a tenth of a second."""


class Small:
    """Small layers and files, made once for a test."""

    def __init__(self, board, memory_layer, folder):
        self.board, self.memory_layer, self.folder = board, memory_layer, folder

    def units(self):
        return self.board(
            PICTURE, column="rep", workload=LOADS, calls=[1.0] * 6, state=["NY"] * 4 + ["NJ"] * 2, accounts=[1] * 6,
            lock=[None, "yes", *[None] * 4],
        )  # fmt: skip

    def providers(self):
        places = [f"POINT({-100 + 0.1 * (at % 3) + 0.02 * (at % 4 + 1)} {39.95 - 0.1 * (at // 6)})" for at in range(18)]
        return self.memory_layer({
            "npi": nppes(18),
            "zip": [ZIPS[at % 6] for at in range(18)], "workload": [float(at % 5) for at in range(18)],
            "specialty": ["207X00000X", "208D00000X", None] * 6, "organisation": ["A", "B", None] * 6,
            "address": ["1 MAIN ST", None, "2 ELM ST"] * 6, "size": [1, 5, None] * 6, "segment": ["A", "B", "C"] * 6,
        }, places, kind="Point")  # fmt: skip

    def roads(self):
        lines = [f"LINESTRING({-99.99 + 0.05 * x} 39.95, {-99.94 + 0.05 * x} 39.95)" for x in range(6)]
        return self.memory_layer({"mph": [30.0] * 6, "way": ["F", "B", "T"] * 2}, lines, kind="LineString")

    def reps(self):
        return self.memory_layer({"rep_id": ["A", "B", "C"], "home_zip": ["00000", "00002", "00100"]})

    def travel(self):
        pairs = [(one, other) for one in ZIPS for other in ZIPS if one < other]
        return self.memory_layer({
            "origin": [one for one, _ in pairs], "destination": [other for _, other in pairs],
            "minutes": [float(abs(int(one) - int(other)) % 97 + 1) for one, other in pairs],
        })  # fmt: skip

    def crosswalk(self):
        return self.memory_layer({"ZIP": ["00999"], "ZCTA": ["00000"]})

    def file(self, name, frame):
        path = self.folder / name
        frame.to_csv(path, index=False)
        return str(path)

    def nppes(self):
        path = self.folder / "npidata_pfile_20250101-20250131.csv"
        nppes_file.write(path, 60, seed=3)
        return str(path)

    def clinicians(self):
        return self.file("DAC_NationalDownloadableFile.csv", pd.DataFrame({
            "NPI": nppes(6), "Provider Last Name": "X", "Provider First Name": "Y", "Cred": "MD",
            "pri_spec": "ORTHOPEDIC SURGERY", "sec_spec_all": "", "Facility Name": "G", "org_pac_id": "0000000001",
            "num_org_mem": "3", "adr_ln_1": "1 MAIN ST", "City/Town": "X", "State": "NY", "ZIP Code": ZIPS[:6],
            "adrs_id": "1",
        }))  # fmt: skip

    def claims(self):
        return self.file("claims.csv", pd.DataFrame({
            "Rndrng_NPI": nppes(6), "Rndrng_Prvdr_Type": "Orthopedic Surgery", "Place_Of_Srvc": ["O", "F"] * 3,
            "HCPCS_Cd": ["27447", "99213", "J3301"] * 2, "HCPCS_Desc": "x", "Tot_Srvcs": 20, "Tot_Benes": 12,
            "Tot_Bene_Day_Srvcs": 15, "Avg_Mdcr_Alowd_Amt": 10.0, "Avg_Mdcr_Pymt_Amt": 8.0, "HCPCS_Drug_Ind": "N",
        }))  # fmt: skip


def nppes(count):
    import numpy as np

    first = 200_000_000 + np.arange(count) * 11
    return (first * 10 + nppes_file.check_digits(first)).astype(str).tolist()


def market(small, **more):
    return {
        "UNITS": small.units(),
        "UNIT_FIELD": "zip",
        "WORKLOAD_FIELDS": ["workload", "calls"],
        "TOLERANCE": 30,
        **more,
    }


CALLS = {
    "importnppes": lambda small: {"INPUT": small.nppes(), "ZIPS": small.units(), "ZIP_FIELD": "zip"},
    "importclinicians": lambda small: {"INPUT": small.clinicians(), "ZIPS": small.units(), "ZIP_FIELD": "zip"},
    "addclaimsvolume": lambda small: {
        "INPUT": small.providers(), "NPI_FIELD": "npi", "CLAIMS": small.claims(), "MISSING": "floor",
        "SPECIALTY_FIELD": "specialty",
    },
    "joinaccounts": lambda small: {
        "INPUT": small.providers(), "ACCOUNTS": small.providers(), "MATCH_FIELD": "npi", "ACCOUNT_MATCH_FIELD": "npi",
         "SUM_FIELDS": ["workload"], "COMPETITOR": "\"segment\" = 'C'",
        "POTENTIAL_FIELD": "workload",
    },
    "aggregatepractices": lambda small: {
        "INPUT": small.providers(), "NPI_FIELD": "npi", "ORGANISATION_FIELD": "organisation",
        "ADDRESS_FIELD": "address", "ZIP_FIELD": "zip", "SUM_FIELDS": ["workload"],
    },
    "weightproviders": lambda small: {
        "INPUT": small.providers(), "SPECIALTY_FIELD": "specialty", "SPECIALTY_MATRIX": ["207X", 2.0, "*", 1.0],
        "SIZE_FIELD": "size", "SIZE_SCALE": "bands", "VALUE_FIELDS": ["workload", "size"], "SEGMENT_FIELD": "segment",
    },
    "sumproviderstozips": lambda small: {
        "PROVIDERS": small.providers(), "PROVIDER_ZIP_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"],
        "ZIPS": small.units(), "ZIP_FIELD": "zip", "CROSSWALK": small.crosswalk(),
    },
    "splitheavyzips": lambda small: {
        "ZIPS": small.units(), "ZIP_FIELD": "zip", "WORKLOAD_FIELD": "workload", "PROVIDERS": small.providers(),
        "PROVIDER_WORKLOAD_FIELD": "workload", "TERRITORIES": 4, "SHARED_FIELDS": ["calls"],
    },
    "buildadjacencygraph": lambda small: {"INPUT": small.units(), "UNIT_FIELD": "zip", "BARRIERS": small.roads()},
    "traveltimes": lambda small: {
        "ROADS": small.roads(), "UNITS": small.units(), "UNIT_FIELD": "zip", "SPEED_FIELD": "mph", "MAX_ACCESS": 40,
        "DIRECTION_FIELD": "way", "VALUE_FORWARD": "F", "VALUE_BACKWARD": "T", "VALUE_BOTH": "B",
    },
    "balanceterritories": lambda small: market(
        small, TERRITORIES=2, EFFORT="quick", CURRENT_FIELD="rep", WHOLE_FIELDS=["state"], TOLERANCES="40, 40",
        TIME_LIMIT=20,
    ),
    "rebalanceterritories": lambda small: market(
        small, CURRENT_FIELD="rep", EFFORT="quick", WHOLE_FIELDS=["state"], TOLERANCES="40, 40", TIME_LIMIT=20,
    ),
    "evaluateterritories": lambda small: market(
        small, TERRITORY_FIELD="rep", PROVIDERS=small.providers(), PROVIDER_ZIP_FIELD="zip",
        BREAKDOWN_FIELDS=["specialty"], BREAKDOWN_MEASURES=["workload"], BREAKDOWN="memory:",
    ),
}  # fmt: skip
HOMES = {
    "TERRITORIES": 3, "REPS": "reps", "TRAVEL": "travel", "LOCK_FIELD": "lock", "LOCKED": "units",
}  # fmt: skip
ALONE = {
    "balanceterritories": [
        ("CAPACITY", {"TERRITORIES": None}), ("CAPACITY_MIN", {"CAPACITY": 5, "TERRITORIES": None}),
        ("CAPACITY_MAX", {"CAPACITY": 5, "TERRITORIES": None}), ("OVERSIZE", {"TERRITORIES": 5}),
        ("SHARES", {"TOLERANCES": None}), ("MAX_TRAVEL", HOMES), ("MAX_TRAVEL", {**HOMES, "TRAVEL": None}),
        ("LOCKED_REP_FIELD", HOMES), ("TOLERANCE", HOMES), ("BOUND_TRAVEL", HOMES), ("TRAVEL", HOMES),
        ("OVERSIZE", {**HOMES, "TRAVEL": None}), ("LOCK_FIELD", HOMES), ("REPS", HOMES),
    ],
    "rebalanceterritories": [
        ("MAX_DISRUPTION", {"CURVE": "memory:"}), ("COMPACTNESS", {"TOLERANCE": 1}), ("COMPACTNESS", HOMES),
        ("ADD", {"SPLIT": "A"}), ("FEWER", {"BOUND_DISRUPTION": True}),
    ],
    "splitheavyzips": [
        ("LIMIT", {"TERRITORIES": None}), ("MAX_DISTANCE", {"PROVIDER_ZIP_FIELD": None}),
    ],
    "sumproviderstozips": [("MAX_DISTANCE", {"PROVIDER_ZIP_FIELD": None})],
    "joinaccounts": [("MAX_DISTANCE", {"JOIN_BY": "location"})],
    "weightproviders": [
        ("SIZE_CAP", {"SIZE_SCALE": "linear"}), ("CALL_PLAN", {"WORKLOAD_IS": "calls"}),
        ("SEGMENT_SHARES", {"WORKLOAD_IS": "calls", "SEGMENT_FIELD": None}),
    ],
}  # fmt: skip
"""Parameters that matter only beside others, with these."""
LONG = {"EFFORT"}
LIMITS = ("CAPACITY", "CAPACITY_MIN", "CAPACITY_MAX", "MAX_TRAVEL")
SEARCHES = ("balanceterritories", "rebalanceterritories")
"""Algorithms of which a run takes half a second: the first options of theirs are for --long."""


def ends(definition, fields) -> list[tuple[object, bool]]:
    """Return values at the ends of a parameter's range, beyond it, and odd ones; and whether each is for --long."""
    kind, name = definition.type(), definition.name()
    if isinstance(definition, QgsProcessingParameterNumber):
        whole = definition.dataType() == QgsProcessingParameterNumber.Type.Integer
        low, high = definition.minimum(), definition.maximum()
        highest = [high] if high < 1e300 and not (whole and high >= 2**31 - 1) else [2**31 - 1] if whole else [1e12]
        near = [] if whole else [5e-324, 1e300]
        return [*((value, False) for value in (low, *highest)), *((value, True) for value in near), ("nan", False),
                ("", False), (2.5 if whole else "inf", False), (2**40, True), ("many", False)]  # fmt: skip
    if kind == "enum":
        options = range(len(definition.options()))
        return [*((at, name in LONG and at > 0) for at in options), (len(options), False),
                ("", name in LONG), ("²", False)]  # fmt: skip
    if kind == "boolean":
        return [(True, False), (False, False)]
    if kind == "string":
        return [("", False), (ODD, False), ("0, -1, nan", False), (" , ;", False), ("9" * 400, False)]
    if kind == "expression":
        return [("", False), (ODD, False), ("1", False), ("NULL", False), ("'text'", False), ("-1e308 * 10", False)]
    if kind == "matrix":
        return [([], False), ([ODD], False), (["A", "", "B", None], False), ([1, -1, 1, "nan", 0, 0], False)]
    if kind == "field":
        several = definition.allowMultiple()
        every = [([*fields] if several else field, True) for field in (fields[:1] if several else fields)]
        return [("", False), ([], False), *every, *([(field, True) for field in fields] if several else [])]
    if kind == "file":
        return [("", False), ("absent.csv", False)]
    return []


def pytest_generate_tests(metafunc):
    """Give `test_ends` each parameter alone, and with --long those of the longest searches beside others, too."""
    if "name" not in metafunc.fixturenames:
        return
    long, found = metafunc.config.getoption("long"), []
    for each in TerritoriesProvider.ALGORITHMS:
        algorithm = each().create()
        for definition in algorithm.parameterDefinitions():
            others = [more for other, more in ALONE.get(algorithm.name(), []) if other == definition.name()]
            brief = algorithm.name() not in SEARCHES or definition.name() in LIMITS
            beside = [{}, *(others if long or brief else [])]
            found += [(algorithm.name(), definition.name(), more) for more in beside]
    names = [f"{algorithm}-{name}-{','.join(more)}" for algorithm, name, more in found]
    metafunc.parametrize(("algorithm", "name", "more"), found, ids=names)


@pytest.fixture
def small(board, memory_layer, tmp_path):
    return Small(board, memory_layer, tmp_path)


@pytest.fixture
def fine(attempt):
    """Return a function that runs an algorithm and fails when it ends in anything but outputs or a sentence."""

    def run(algorithm, parameters, what):
        began = time.monotonic()
        outcome = attempt(algorithm, parameters)
        assert UNFORESEEN not in outcome.refusal, f"{what}: {outcome.refusal}"
        assert "Traceback" not in outcome.refusal and "object at 0x" not in outcome.refusal, (
            f"{what}: {outcome.refusal}"
        )
        assert time.monotonic() - began < PATIENCE, f"{what} took {time.monotonic() - began:.0f} s"
        return outcome

    return run


def outputs_of(algorithm):
    """Return scratch outputs for the layers that are not optional."""
    return {
        each.name(): "memory:" for each in algorithm.destinationParameterDefinitions()
        if each.type() == "sink" and not each.flags() & OPTIONAL
    }  # fmt: skip


@pytest.mark.parametrize("algorithm", [each().name() for each in TerritoriesProvider.ALGORITHMS])
def test_the_small_call_itself_runs(run, small, territories_provider, algorithm):
    """Else nothing of what follows would be seen."""
    found = territories_provider.algorithm(algorithm)
    run(algorithm, {**outputs_of(found), **CALLS[algorithm](small)})


def test_ends(fine, small, territories_provider, request, algorithm, name, more):
    found = territories_provider.algorithm(algorithm)
    definition = found.parameterDefinition(name)
    call = {**outputs_of(found), **CALLS[algorithm](small), **more}
    layers = {key: getattr(small, text)() for key, text in more.items() if key in ("REPS", "TRAVEL", "LOCKED") and text}
    call = {each: value for each, value in {**call, **layers}.items() if found.parameterDefinition(each) is not None}
    fields = []
    if isinstance(definition, QgsProcessingParameterField):
        parent = call.get(definition.parentLayerParameterName())
        fields = parent.fields().names() if parent is not None and not isinstance(parent, str) else []
    long = request.config.getoption("long")
    values = [value for value, slow in ends(definition, fields) if long or not slow]
    if algorithm in SEARCHES and not long:
        values = [value for at, value in enumerate(values) if definition.type() not in ("enum", "field") or at > 1]
    values += [None] if long or name not in LONG else []
    usual = call.get(name, definition.defaultValue())
    for value in values:
        if value != usual or isinstance(value, bool) != isinstance(usual, bool):  # else it is the small call again
            fine(algorithm, {**call, name: value}, f"{name} = {value!r} beside {more}")
