"""Workloads that no number can hold are refused with their features named; all others give finite results."""

from __future__ import annotations

import math

import pytest

EXTREMES = {
    "one large": [1e307, 1, 1, 1, 1, 1], "sum overflows": [1.7e308] * 6, "all tiny": [5e-324] * 6,
    "tiny among ones": [5e-324, 1, 1, 1, 5e-324, 1], "tiny alone": [5e-324, 5e-324, 5e-324, 1, 1, 1],
    "large": [1e200] * 6, "small": [1e-200] * 6, "wide": [10.0 ** (60 * at - 160) for at in range(6)],
}  # fmt: skip
PICTURE = "A A B\nA B B"

every_extreme = pytest.mark.parametrize("loads", EXTREMES.values(), ids=EXTREMES)


def finite(outcome):
    numbers = [value for row in outcome.rows() for value in row.values() if isinstance(value, float)]
    return all(map(math.isfinite, [*numbers, *(v for v in outcome.results.values() if isinstance(v, float))]))


@pytest.fixture
def told(attempt):
    """Return ``told("ID", parameters)``: an outcome that is finite, or was refused with features named."""

    def run(algorithm, parameters):
        outcome = attempt(algorithm, {"OUTPUT": "memory:", **parameters})
        if outcome.refusal and "all its values are the same" not in outcome.refusal:
            assert "too large to be added up, at " in outcome.refusal or "too small to be divided" in outcome.refusal
            assert "Correct them" in outcome.refusal or "smaller unit" in outcome.refusal
        elif not outcome.refusal:
            assert finite(outcome)
        return outcome

    return run


@pytest.fixture
def units(alignment):
    return lambda loads, **more: alignment(PICTURE, workload=[float(load) for load in loads], **more)


@every_extreme
@pytest.mark.parametrize("algorithm", ["balanceterritories", "rebalanceterritories", "evaluateterritories"])
def test_territories(told, units, algorithm, loads):
    own = {
        "balanceterritories": {"TERRITORIES": 2, "EFFORT": "quick"},
        "rebalanceterritories": {"CURRENT_FIELD": "rep", "EFFORT": "quick"},
        "evaluateterritories": {"TERRITORY_FIELD": "rep"},
    }[algorithm]
    parameters = {"UNITS": units(loads), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], **own}
    outcome = told(algorithm, parameters)
    if not outcome.refusal:
        assert outcome.results["TOTAL_WORKLOAD"] == pytest.approx(math.fsum(loads))
        assert 0 <= outcome.results["RMS_KM"] < 100
    several = {**parameters, "UNITS": units(loads, calls=[1.0] * 6), "WORKLOAD_FIELDS": ["workload", "calls"]}
    told(algorithm, several)


@every_extreme
def test_sums_and_pieces(told, units, memory_layer, loads):
    points = [f"POINT({-100 + 0.1 * (at % 3) + 0.03} {40 - 0.1 * (at // 3) - 0.05})" for at in range(6)]
    providers = memory_layer({"npi": list("abcdef"), "load": [float(load) for load in loads]}, points, kind="Point")
    zips = units(loads)
    summed = told("sumproviderstozips", {
        "PROVIDERS": providers, "WORKLOAD_FIELDS": ["load"], "ZIPS": zips, "ZIP_FIELD": "zip",
    })  # fmt: skip
    if not summed.refusal:
        assert summed.results["TOTAL_WORKLOAD"] == pytest.approx(math.fsum(loads))
    told("splitheavyzips", {
        "ZIPS": zips, "ZIP_FIELD": "zip", "WORKLOAD_FIELD": "workload", "PROVIDERS": providers,
        "PROVIDER_WORKLOAD_FIELD": "load", "TERRITORIES": 2,
    })  # fmt: skip
    told("aggregatepractices", {"INPUT": providers, "ORGANISATION_FIELD": "npi", "SUM_FIELDS": ["load"]})
    told("joinaccounts", {
        "INPUT": zips, "ACCOUNTS": providers, "JOIN_BY": "location", "SUM_FIELDS": ["load"],
        "POTENTIAL_FIELD": "workload",
    })  # fmt: skip
    told("evaluateterritories", {
        "UNITS": units([1] * 6), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORY_FIELD": "rep",
        "PROVIDERS": providers, "BREAKDOWN_FIELDS": ["npi"], "BREAKDOWN_MEASURES": ["load"], "BREAKDOWN": "memory:",
    })  # fmt: skip


@every_extreme
@pytest.mark.parametrize("scale", ["mean", "rank", "minmax"])
def test_weights(told, memory_layer, loads, scale):
    providers = memory_layer({"load": [float(load) for load in loads], "one": [1.0] * 6})
    told("weightproviders", {"INPUT": providers, "VALUE_FIELDS": ["load"], "VALUE_SCALE": scale})
    told("weightproviders", {"INPUT": providers, "SIZE_FIELD": "load", "SIZE_SCALE": "linear"})
    told("weightproviders", {"INPUT": providers, "WORKLOAD_EXPRESSION": '"load"'})
