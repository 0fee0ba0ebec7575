"""What an analyst has is there after a run into the same place that was cancelled or failed, whenever that was."""

from __future__ import annotations

import numpy as np
import pytest


def bytes_in(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()}


@pytest.fixture
def balance(board, tmp_path):
    """Return ``balance(**outputs)``: the parameters of a balancing of 24 units."""

    def parameters(**outputs):
        return {
            "UNITS": board("\n".join(["1 2 3 4 5 6"] * 4)), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"],
            "TERRITORIES": 4, "EFFORT": "quick", **outputs,
        }  # fmt: skip

    return parameters


@pytest.fixture
def nppes(tmp_path):
    """An NPPES file of 3,000 providers."""
    from healthcare_territories.territory_plugin.engine.npi import with_check_digit

    header = (
        "NPI,Entity Type Code,Provider Business Practice Location Address State Name,"
        "Provider Business Practice Location Address Postal Code,Healthcare Provider Taxonomy Code_1,"
        "Healthcare Provider Primary Taxonomy Switch_1"
    )
    npis = with_check_digit(np.arange(123456000, 123459000)).astype(str)
    path = tmp_path / "npidata.csv"
    path.write_text("\n".join([header, *(f"{npi},1,IL,60601,207X00000X,Y" for npi in npis)]) + "\n")
    return {"INPUT": str(path)}


@pytest.mark.parametrize("cancel_after", [1, 4, 9, 14, 19])
@pytest.mark.parametrize("kind", ["gpkg", "shp", "geojson"])
def test_a_cancelled_balancing(attempt, run, balance, tmp_path, kind, cancel_after):
    folder = tmp_path / "plans"
    folder.mkdir()
    outputs = {"OUTPUT": str(folder / f"plan.{kind}"), "ASSIGNMENT": str(folder / f"zips.{kind}"),
               "REPORT": str(folder / "report.html")}  # fmt: skip
    run("balanceterritories", balance(**outputs))
    before = bytes_in(folder)
    outcome = attempt("balanceterritories", balance(**outputs, SEED=7), cancel_after=cancel_after)
    if outcome.results:  # it was done before it could be cancelled
        assert cancel_after > 4
    else:
        assert bytes_in(folder) == before


@pytest.mark.parametrize("cancel_after", [1, 2, 3])
def test_a_cancelled_import_onto_what_was_there(attempt, run, nppes, tmp_path, cancel_after):
    folder = tmp_path / "market"
    folder.mkdir()
    run("importnppes", {**nppes, "OUTPUT": str(folder / "providers.gpkg"), "UNPLACED": str(folder / "lost.gpkg")})
    (folder / "notes").write_text("the analyst's own")
    before = bytes_in(folder)
    for output in ("providers.gpkg", "notes"):  # QGIS calls the second one notes.gpkg
        outcome = attempt("importnppes", {**nppes, "OUTPUT": str(folder / output)}, cancel_after=cancel_after)
        assert not outcome.results
        assert bytes_in(folder) == before


def test_one_output_that_fails_leaves_none_of_the_others(attempt, run, balance, tmp_path, monkeypatch):
    from healthcare_territories.territory_plugin.gis import moving

    folder = tmp_path / "plans"
    folder.mkdir()
    outputs = {"OUTPUT": str(folder / "plan.gpkg"), "ASSIGNMENT": str(folder / "zips.csv"),
               "REPORT": str(folder / "report.html")}  # fmt: skip
    run("balanceterritories", balance(**outputs))
    before = bytes_in(folder)
    real = moving.os.replace

    def replace(source, destination):
        if str(destination).endswith("zips.csv") and "before" not in str(source):
            raise PermissionError(13, "another program has it open")
        real(source, destination)

    monkeypatch.setattr(moving.os, "replace", replace)
    outcome = attempt("balanceterritories", balance(**outputs, SEED=7))
    assert "another program has it open" in outcome.refusal
    assert "unchanged" in outcome.refusal
    assert bytes_in(folder) == before


def test_an_input_is_not_overwritten_by_a_name_without_its_ending(attempt, board, tmp_path):
    from qgis.core import QgsVectorFileWriter

    path = tmp_path / "in3.gpkg"
    QgsVectorFileWriter.writeAsVectorFormat(board("1 1\n1 1"), str(path), "utf-8")
    before = path.read_bytes()
    for output in ("in3", "in3.gpkg"):
        outcome = attempt("balanceterritories", {
            "UNITS": str(path), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2,
            "OUTPUT": str(tmp_path / output),
        })  # fmt: skip
        assert "holds the input" in outcome.refusal
        assert path.read_bytes() == before


@pytest.mark.parametrize("name", ["a\0b.gpkg", "x" * 300 + ".gpkg", "nowhere/plan.gpkg", "loop/plan.gpkg"])
def test_names_that_cannot_be_are_refused_in_a_line(attempt, balance, tmp_path, name):
    (tmp_path / "loop").symlink_to(tmp_path / "loop")
    outcome = attempt("balanceterritories", balance(OUTPUT=f"{tmp_path}/{name}"))
    assert "cannot write" in outcome.refusal
    assert "error that it should not have" not in outcome.refusal
