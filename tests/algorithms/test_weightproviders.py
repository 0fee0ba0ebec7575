"""weightproviders: specialty × practice size × value, every factor to be seen."""

from __future__ import annotations

import csv
import math

import pytest

FACTORS = ("specialty_pattern", "specialty_weight", "size_factor", "value_factor", "workload", "workload_note")


@pytest.fixture
def practices(memory_layer):
    """
    npi  code        size  volume
    1    207XS0114X     4     100
    2    207X00000X     9     300
    3    225100000X     —     200
    4    207X00000X     1       —
    5    (none)        16       0
    """
    return memory_layer(
        {
            "npi": ["1", "2", "3", "4", "5"],
            "code": ["207XS0114X", "207X00000X", "225100000X", "207X00000X", None],
            "kind": ["Orthopaedic Surgery", "Orthopaedic Surgery", "Physical Therapist", None, None],
            "size": [4, 9, None, 1, 16],
            "volume": [100.0, 300.0, 200.0, None, 0.0],
        },
        [f"POINT(-75.{at} 40)" for at in range(5)],
        kind="Point",
    )


@pytest.fixture
def weights(memory_layer):
    return memory_layer({"pattern": ["207X", "207XS0114X"], "weight": [2.0, 5.0]})


# --- its parameters


def test_parameters_that_scripts_rely_on(territories_provider):
    algorithm = territories_provider.algorithm("weightproviders")
    defaults = {definition.name(): definition.defaultValue() for definition in algorithm.parameterDefinitions()}
    assert {
        "INPUT", "SPECIALTY_FIELD", "SPECIALTY_WEIGHTS", "SIZE_FIELD", "SIZE_SCALE", "VALUE_FIELDS",
        "WORKLOAD_EXPRESSION", "OUTPUT",
    } <= defaults.keys()  # fmt: skip
    needed = {
        definition.name()
        for definition in algorithm.parameterDefinitions()
        if not definition.flags() & definition.Flag.FlagOptional
    }
    assert needed - {"INPUT", "OUTPUT"} <= {name for name, default in defaults.items() if default is not None}
    outputs = {definition.name() for definition in algorithm.outputDefinitions()}
    assert {"OUTPUT", "PROVIDERS", "TOTAL_WORKLOAD", "UNMATCHED_SPECIALTIES", "MISSING_SIZES"} <= outputs


@pytest.mark.parametrize("scale", ["linear", "LINEAR", 1, "1", "Linear"])
def test_a_scale_by_key_label_or_number(run, practices, scale):
    outcome = run(
        "weightproviders", {"INPUT": practices, "SIZE_FIELD": "size", "SIZE_SCALE": scale, "OUTPUT": "memory:"}
    )
    assert [row["size_factor"] for row in outcome.rows()] == [4, 9, 1, 1, 16]


def test_an_option_that_is_none_is_told_with_those_there_are(attempt, practices):
    refusal = attempt(
        "weightproviders", {"INPUT": practices, "SIZE_FIELD": "size", "SIZE_SCALE": "cubic", "OUTPUT": "memory:"}
    ).refusal
    for word in ("cubic", "none", "linear", "sqrt", "log", "bands"):
        assert word in refusal


# --- its result


def test_every_provider_weighs_one_when_nothing_is_asked(run, practices):
    outcome = run("weightproviders", {"INPUT": practices, "OUTPUT": "memory:"})
    assert [row["workload"] for row in outcome.rows()] == [1] * 5
    assert outcome.results["TOTAL_WORKLOAD"] == 5
    assert outcome.results["PROVIDERS"] == 5
    assert outcome.warnings == ""


def test_the_three_factors_multiply_and_say_what_was_assumed(run, practices, weights):
    outcome = run(
        "weightproviders",
        {
            "INPUT": practices, "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": weights, "SIZE_FIELD": "size",
            "VALUE_FIELDS": ["volume"], "OUTPUT": "memory:",
        },
    )  # fmt: skip
    rows = outcome.rows()
    assert list(rows[0])[: -len(FACTORS) - 1] == ["npi", "code", "kind", "size", "volume"]
    assert [row["specialty_pattern"] for row in rows] == ["207XS0114X", "207X", None, "207X", None]
    assert [row["specialty_weight"] for row in rows] == [5, 2, 0, 2, 0]
    assert [row["size_factor"] for row in rows] == [2, 3, 1, 1, 4]
    # mean of the volumes that are known: 150
    assert [row["value_factor"] for row in rows] == pytest.approx([100 / 150, 2, 200 / 150, 0, 0])
    assert [row["workload"] for row in rows] == pytest.approx([5 * 2 * 100 / 150, 2 * 3 * 2, 0, 0, 0])
    notes = [row["workload_note"] for row in rows]
    assert notes[0] is notes[1] is None
    assert "specialty" in notes[2]
    assert "size" in notes[2]
    assert "volume" in notes[3]
    assert "specialty" in notes[4]
    assert outcome.results["UNMATCHED_SPECIALTIES"] == 2
    assert outcome.results["MISSING_SIZES"] == 1
    for word in ("225100000X (1)", "1 provider of 5", "volume"):
        assert word in outcome.warnings


def test_all_own_columns_and_places_stay(run, practices, read_rows):
    before, after = read_rows(practices), run("weightproviders", {"INPUT": practices, "OUTPUT": "memory:"}).rows()
    for one, other in zip(before, after):
        assert {name: other[name] for name in one if name != "geometry"} == {
            name: value for name, value in one.items() if name != "geometry"
        }
        assert other["geometry"].equals(one["geometry"])


@pytest.mark.parametrize(("unmatched", "weight"), [("default", 0.5), ("zero", 0), (0, 0.5), (1, 0)])
def test_specialties_that_nothing_fits_count_as_the_user_chose(run, practices, weights, unmatched, weight):
    rows = run(
        "weightproviders",
        {
            "INPUT": practices, "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": weights, "UNMATCHED": unmatched,
            "DEFAULT_WEIGHT": 0.5, "OUTPUT": "memory:",
        },
    ).rows()  # fmt: skip
    assert [row["specialty_weight"] for row in rows] == [5, 2, weight, 2, weight]


@pytest.mark.parametrize(("missing", "factor"), [("one", 1), ("median", math.sqrt(6.5)), ("zero", 0)])
def test_sizes_that_are_missing_count_as_the_user_chose(run, practices, missing, factor):
    rows = run(
        "weightproviders", {"INPUT": practices, "SIZE_FIELD": "size", "MISSING_SIZE": missing, "OUTPUT": "memory:"}
    ).rows()
    assert [row["size_factor"] for row in rows] == pytest.approx([2, 3, factor, 1, 4])


def test_bands_and_cap(run, practices):
    """Bands from 1: ×1, from 4: ×3, from 10: ×7; a cap of 9 keeps the practice of 16 out of the last band."""
    bands = {"INPUT": practices, "SIZE_FIELD": "size", "SIZE_SCALE": "bands", "SIZE_BANDS": [1, 1, 4, 3, 10, 7]}
    rows = run("weightproviders", {**bands, "OUTPUT": "memory:"}).rows()
    assert [row["size_factor"] for row in rows] == [3, 3, 1, 1, 7]
    rows = run("weightproviders", {**bands, "SIZE_CAP": 9, "OUTPUT": "memory:"}).rows()
    assert [row["size_factor"] for row in rows] == [3, 3, 1, 1, 3]


def test_weights_typed_in_add_to_the_table_and_win(run, practices, weights):
    rows = run(
        "weightproviders",
        {
            "INPUT": practices, "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": weights,
            "SPECIALTY_MATRIX": ["207X", "3", "2251", 4], "OUTPUT": "memory:",
        },
    ).rows()  # fmt: skip
    assert [row["specialty_weight"] for row in rows] == [5, 3, 4, 3, 0]


def test_classifications_from_a_field_or_a_taxonomy_table(run, practices, memory_layer):
    matrix = {"SPECIALTY_MATRIX": ["Physical Therapist", 4, "207XS", 6, "*", 1], "OUTPUT": "memory:"}
    rows = run(
        "weightproviders", {"INPUT": practices, "SPECIALTY_FIELD": "code", "CLASSIFICATION_FIELD": "kind", **matrix}
    ).rows()
    assert [row["specialty_weight"] for row in rows] == [6, 1, 4, 1, 1]
    taxonomy = memory_layer({"Code": ["225100000X"], "Classification": ["Physical Therapist"]})
    rows = run(
        "weightproviders", {"INPUT": practices, "SPECIALTY_FIELD": "code", "TAXONOMY": taxonomy, **matrix}
    ).rows()
    assert [row["specialty_weight"] for row in rows] == [6, 1, 4, 1, 1]


def test_an_expression_sees_the_columns_and_the_factors(run, practices, weights):
    outcome = run(
        "weightproviders",
        {
            "INPUT": practices, "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": weights, "SIZE_FIELD": "size",
            "WORKLOAD_EXPRESSION": '10 * "specialty_weight" + "size_factor" + coalesce("volume", 0) / 100',
            "OUTPUT": "memory:",
        },
    )  # fmt: skip
    rows = outcome.rows()
    assert [row["workload"] for row in rows] == pytest.approx([50 + 2 + 1, 20 + 3 + 3, 0 + 1 + 2, 20 + 1, 0 + 4])
    assert outcome.results["TOTAL_WORKLOAD"] == pytest.approx(sum(row["workload"] for row in rows))


def test_an_expression_may_use_the_place(run, practices):
    rows = run("weightproviders", {"INPUT": practices, "WORKLOAD_EXPRESSION": "abs($x)", "OUTPUT": "memory:"}).rows()
    assert [row["workload"] for row in rows] == pytest.approx([75, 75.1, 75.2, 75.3, 75.4])


def test_a_table_without_geometry_is_weighted_too(run, memory_layer):
    outcome = run("weightproviders", {"INPUT": memory_layer({"npi": ["1"], "size": [9]}), "SIZE_FIELD": "size",
                                      "OUTPUT": "memory:"})  # fmt: skip
    assert [(row["workload"], row["geometry"]) for row in outcome.rows()] == [(3, None)]


def test_a_second_run_keeps_the_first_ones_columns(run, practices):
    first = run("weightproviders", {"INPUT": practices, "SIZE_FIELD": "size", "OUTPUT": "memory:"})
    again = run("weightproviders", {"INPUT": first.layer(), "OUTPUT": "memory:"})
    rows = again.rows()
    assert [row["workload_before"] for row in rows] == [2, 3, 1, 1, 4]
    assert [row["workload"] for row in rows] == [1] * 5
    assert "workload_before" in again.infos


def test_presets_and_the_names_of_cms(run, memory_layer):
    codes = ["207XS0114X", "ORTHOPEDIC SURGERY", "207RC0000X", "CARDIOLOGY", "111N00000X"]
    layer = memory_layer({"code": codes})
    wish = {"INPUT": layer, "SPECIALTY_FIELD": "code", "OUTPUT": "memory:"}
    rows = run("weightproviders", {**wish, "SPECIALTY_PRESET": "orthopaedics"}).rows()
    assert [row["specialty_weight"] for row in rows] == [1, 1, 0, 0, 0]
    matrix = ["Cardiology", 3, "207X", 2]
    rows = run("weightproviders", {**wish, "SPECIALTY_PRESET": "Orthopaedics", "SPECIALTY_MATRIX": matrix}).rows()
    assert [row["specialty_weight"] for row in rows] == [2, 2, 3, 3, 0]
    assert rows[3]["specialty_pattern"] == "General cardiology"


def test_hours_of_calls_by_segment(run, memory_layer, tmp_path):
    layer = memory_layer({"name": list("PQRSTUVWXY"), "volume": [float(n) for n in (50, 40, 9, 8, 7, 5, 4, 3, 2, 0)]})
    page = tmp_path / "summary.html"
    outcome = run("weightproviders", {
        "INPUT": layer, "VALUE_FIELDS": ["volume"], "WORKLOAD_IS": "calls", "CALL_PLAN": ["A", 24, 30, "B", 12, 20,
        "C", 4, 15], "NAME_FIELD": "name", "SUMMARY": str(page), "OUTPUT": "memory:",
    })  # fmt: skip
    rows = outcome.rows()
    # nine have a volume: 20 % are 1.8 of them, 50 % are 4.5
    assert "".join(row["segment"] or "-" for row in rows) == "AABBBCCCC-"
    assert [row["workload"] for row in rows] == [12, 12, 4, 4, 4, 1, 1, 1, 1, 0]
    assert [row["calls_per_year"] for row in rows] == [24, 24, 12, 12, 12, 4, 4, 4, 4, 0]
    assert "100 calls and 40 hours" in outcome.infos
    assert outcome.results["TOP_1_PCT"] == pytest.approx(30)
    text = page.read_text()
    for word in ("Top ten", "30.0 %", "By segment", ">P</td>"):
        assert word in text


def test_a_segment_of_ones_own(run, memory_layer):
    layer = memory_layer({"tier": ["gold", "tin", None], "volume": [1.0, 9.0, 5.0]})
    outcome = run("weightproviders", {
        "INPUT": layer, "VALUE_FIELDS": ["volume"], "WORKLOAD_IS": "calls", "SEGMENT_FIELD": "tier",
        "CALL_PLAN": ["gold", 10, 60, "tin", 1, 30], "OUTPUT": "memory:",
    })  # fmt: skip
    assert [row["workload"] for row in outcome.rows()] == [10, 0.5, 0]
    assert "1 provider has no segment" in outcome.warnings


def test_values_by_rank_and_capped(run, memory_layer):
    layer = memory_layer({"volume": [1.0, 3.0, 800.0]})
    wish = {"INPUT": layer, "VALUE_FIELDS": ["volume"], "OUTPUT": "memory:"}
    ranks = run("weightproviders", {**wish, "VALUE_SCALE": "rank"}).rows()
    assert [row["workload"] for row in ranks] == [0.5, 1, 1.5]
    capped = run("weightproviders", {**wish, "VALUE_CAP": 50}).rows()
    assert [row["workload"] for row in capped] == pytest.approx([3 / 7, 9 / 7, 9 / 7])


# --- its refusals


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        ({"SPECIALTY_FIELD": "code"}, ["specialty weights"]),
        ({"SPECIALTY_MATRIX": ["207X", 1]}, ["specialty field"]),
        ({"SIZE_FIELD": "clinicians"}, ["clinicians", "npi, code, kind, size, volume"]),
        ({"SIZE_FIELD": "code"}, ["code", "row 1", "207XS0114X"]),
        ({"SIZE_FIELD": "size", "MISSING_SIZE": "error"}, ["row 3", "size"]),
        ({"SPECIALTY_FIELD": "code", "SPECIALTY_MATRIX": ["207X", 1], "UNMATCHED": "error"}, ["225100000X"]),
        ({"SPECIALTY_FIELD": "code", "SPECIALTY_MATRIX": ["207X", -1]}, ["207X", "at least 0"]),
        ({"SPECIALTY_FIELD": "code", "SPECIALTY_MATRIX": ["207X", "much"]}, ["207X"]),
        ({"SIZE_FIELD": "size", "SIZE_SCALE": "bands", "SIZE_BANDS": [5, 1, 1, 2]}, ["rise"]),
        ({"VALUE_FIELDS": ["volume"], "VALUE_SHARES": "60, 40"}, ["volume", "one share"]),
        ({"VALUE_FIELDS": ["volume"], "VALUE_SHARES": "half"}, ["half", "numbers"]),
        ({"WORKLOAD_EXPRESSION": "1 +"}, ["Workload by an expression"]),
        ({"WORKLOAD_EXPRESSION": "1", "WORKLOAD_IS": "calls"}, ["hours of calls or an expression"]),
        ({"WORKLOAD_IS": "calls", "SEGMENT_FIELD": "kind"}, ["Orthopaedic Surgery", "A, B, C"]),
        ({"WORKLOAD_EXPRESSION": '"volume" / 2'}, ["row 4", "coalesce"]),
        ({"WORKLOAD_EXPRESSION": "-1"}, ["row 1", "at least 0"]),
        ({"WORKLOAD_EXPRESSION": '"code"'}, ["row 1"]),
        ({"WORKLOAD_EXPRESSION": "no_such_function(1)"}, ["no_such_function"]),
    ],
)  # fmt: skip
def test_refusals_name_what_is_wrong(refused, practices, parameters, said):
    message = refused("weightproviders", {"INPUT": practices, **parameters})
    for word in said:
        assert word in message


@pytest.mark.parametrize(
    ("columns", "said"),
    [
        ({"code": ["207X"], "weight": [1.0]}, ["pattern and weight", "code, weight"]),
        ({"pattern": ["207X", "207X"], "weight": [1.0, 2.0]}, ["207X", "more than once"]),
        ({"pattern": ["207X", "207x*"], "weight": [1.0, 2.0]}, ["207x", "more than once"]),
        ({"pattern": ["207X", None], "weight": [1.0, 2.0]}, ["empty pattern"]),
        ({"pattern": ["207X"], "weight": [None]}, ["207X"]),
        ({"pattern": ["207X"], "weight": ["heavy"]}, ["207X", "heavy"]),
        ({"pattern": [], "weight": []}, ["weights", "empty"]),
    ],
)
def test_a_weight_table_that_cannot_be_used_is_told(refused, practices, memory_layer, columns, said):
    message = refused(
        "weightproviders",
        {"INPUT": practices, "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": memory_layer(columns)},
    )
    for word in said:
        assert word in message


def test_no_providers_at_all(refused, memory_layer):
    assert "empty" in refused("weightproviders", {"INPUT": memory_layer({"npi": []}, [], kind="Point")})


# --- in the thread pool, and on the sample through qgis_process


def test_twenty_runs_in_the_thread_pool(pool_runs, practices, weights):
    from qgis.core import QgsProject

    QgsProject.instance().addMapLayers([practices, weights])
    results = pool_runs(
        "territories:weightproviders",
        {
            "INPUT": practices.id(), "SPECIALTY_FIELD": "code", "SPECIALTY_WEIGHTS": weights.id(),
            "SIZE_FIELD": "size", "VALUE_FIELDS": ["volume"], "OUTPUT": "TEMPORARY_OUTPUT",
        },
    )  # fmt: skip
    QgsProject.instance().removeAllMapLayers()
    assert {result["TOTAL_WORKLOAD"] for result in results} == {results[0]["TOTAL_WORKLOAD"]}
    assert [result["OUTPUT"].featureCount() for result in results] == [5] * 20


def test_the_sample_through_qgis_process(chain, sample, read_rows):
    done = chain.step("weightproviders")
    with open(sample.weights, encoding="utf-8", newline="") as file:
        table = {row["pattern"]: float(row["weight"]) for row in csv.DictReader(file)}
    rows = read_rows(chain.file("providers"))
    assert len(rows) == done.results["PROVIDERS"] == 5008
    total = unmatched = missing = 0
    for row in rows:
        fitting = [pattern for pattern in table if row[sample.taxonomy].startswith(pattern)]
        pattern = max(fitting, key=len, default=None)
        size = row["practice_size"]
        unmatched += pattern is None
        missing += size is None
        expected = (table[pattern] if pattern else 0) * math.sqrt(1 if size is None else size)
        assert row["specialty_pattern"] == pattern
        assert row["workload"] == pytest.approx(expected)
        assert (row["workload_note"] is None) == (pattern is not None and size is not None)
        total += expected
    assert done.results["TOTAL_WORKLOAD"] == pytest.approx(total)
    assert (done.results["UNMATCHED_SPECIALTIES"], done.results["MISSING_SIZES"]) == (unmatched, missing)
    assert unmatched > 50 < missing
    assert "111N00000X" in done.messages  # the specialty that no pattern fits is told


def test_json_on_stdin(qgis_process, sample, tmp_path, read_rows):
    output = tmp_path / "weighted.gpkg"
    done = qgis_process(
        "territories:weightproviders",
        {
            "INPUT": sample.providers, "SPECIALTY_FIELD": sample.taxonomy,
            "SPECIALTY_MATRIX": ["207X", 2, "*", 1], "SIZE_FIELD": "practice_size", "SIZE_SCALE": 0,
            "VALUE_FIELDS": ["procedure_volume", "deal_value"], "VALUE_SHARES": "70, 30", "OUTPUT": str(output),
        },
        by_json=True,
    )  # fmt: skip
    assert done.status == 0, done.messages
    assert {row["specialty_weight"] for row in read_rows(output)} == {1, 2}
    assert {row["size_factor"] for row in read_rows(output)} == {1}


def test_a_refusal_through_qgis_process_fails_and_leaves_no_file(qgis_process, sample, tmp_path):
    output = tmp_path / "weighted.gpkg"
    done = qgis_process(
        "territories:weightproviders",
        {"INPUT": sample.providers, "SIZE_FIELD": "practice_size", "MISSING_SIZE": "error", "OUTPUT": str(output)},
    )
    assert done.status != 0
    assert "practice_size" in done.messages
    assert not output.exists()
