"""The fixtures that other tests rely on do what they say, and fail when they should."""

import pytest

SQUARE = {"INPUT": "0,1,0,1 [EPSG:4326]", "OUTPUT": "TEMPORARY_OUTPUT"}


@pytest.mark.parametrize("by_json", [False, True])
def test_qgis_process_runs(qgis_process, tmp_path, by_json):
    output = tmp_path / "square.gpkg"
    status, results, messages = qgis_process("native:extenttolayer", {**SQUARE, "OUTPUT": str(output)}, by_json=by_json)
    assert status == 0, messages
    assert results["OUTPUT"] == str(output)
    assert output.exists()


@pytest.mark.parametrize("by_json", [False, True])
def test_qgis_process_reports_failure(qgis_process, by_json):
    status, results, messages = qgis_process(
        "native:buffer", {"INPUT": "absent.gpkg", "OUTPUT": "TEMPORARY_OUTPUT"}, by_json=by_json
    )
    assert status != 0
    assert results == {}
    assert "absent.gpkg" in messages


def test_pool_runs_gives_every_result(pool_runs):
    results = pool_runs("native:extenttolayer", SQUARE, times=20)
    assert [result["OUTPUT"].featureCount() for result in results] == [1] * 20


def test_pool_runs_takes_parameters_per_run(pool_runs, tmp_path):
    results = pool_runs(
        "native:extenttolayer",
        lambda number: {**SQUARE, "OUTPUT": str(tmp_path / f"{number}.gpkg")},
        times=3,
    )
    assert [result["OUTPUT"] for result in results] == [str(tmp_path / f"{number}.gpkg") for number in range(3)]
    assert len(list(tmp_path.glob("*.gpkg"))) == 3


def test_pool_runs_fails_when_a_run_does(pool_runs):
    with pytest.raises(AssertionError, match="run 1 of 2 failed"):
        pool_runs("native:raiseexception", {"MESSAGE": "on purpose"}, times=2)
