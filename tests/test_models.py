"""The models that the provider offers: they load, name algorithms that exist, and run on the sample."""

from pathlib import Path

import pytest

MODELS = sorted((Path(__file__).resolve().parent.parent / "processing" / "models").glob("*.model3"))
SAMPLE = Path(__file__).resolve().parent / "data" / "sample"


def test_there_are_models():
    assert MODELS


@pytest.mark.parametrize("path", MODELS, ids=lambda path: path.stem)
def test_a_model_loads_and_all_its_steps_exist(territories_provider, path):
    from qgis.core import QgsApplication, QgsProcessingModelAlgorithm

    model = QgsProcessingModelAlgorithm()
    assert model.fromFile(str(path))
    assert territories_provider.algorithm(model.name()) is not None, "the provider does not offer it"
    registry = QgsApplication.processingRegistry()
    steps = [child.algorithmId() for child in model.childAlgorithms().values()]
    assert steps
    assert [step for step in steps if registry.algorithmById(step) is None] == []
    valid, issues = model.validate()
    assert valid, issues


@pytest.fixture
def on_the_sample(qgis_process, tmp_path):
    """Return ``run("name of the model", wishes, outputs)``: its layers by the names in `outputs`, and its report."""

    def run(model, wishes, outputs):
        paths = {name: tmp_path / f"{name}.gpkg" for name in outputs} | {"report": tmp_path / "report.html"}
        done = qgis_process(
            f"territories:{model}",
            {
                "PROVIDERS": f"{SAMPLE}/sample.gpkg|layername=providers",
                "PROVIDER_ZIP_FIELD": "Provider Business Practice Location Address Postal Code",
                "SPECIALTY_FIELD": "Healthcare Provider Taxonomy Code_1",
                "SPECIALTY_WEIGHTS": str(SAMPLE / "specialty_weights.csv"),
                "SIZE_FIELD": "practice_size",
                "ZIPS": f"{SAMPLE}/sample.gpkg|layername=zips",
                "ZIP_FIELD": "zip",
                "CROSSWALK": str(SAMPLE / "zip_crosswalk.csv"),
                **wishes,
                **{name: str(path) for name, path in paths.items()},
            },
            by_json=True,
            timeout=300,
        )
        assert done.status == 0, done.messages
        assert [name for name, path in paths.items() if not path.exists()] == []
        from qgis.core import QgsVectorLayer

        return {name: QgsVectorLayer(str(paths[name]), name) for name in outputs}, paths["report"].read_text()

    return run


def test_providers_to_territories_runs_all_five_steps(on_the_sample):
    layers, report = on_the_sample(
        "Providers to territories",
        {"TERRITORIES": 12},
        ("territories", "zips_by_territory", "adjacency", "weighted_providers", "providers_without_a_zip"),
    )
    territories = {feature["territory"]: feature for feature in layers["territories"].getFeatures()}
    assert len(territories) == 12
    assert {feature["territory"] for feature in layers["zips_by_territory"].getFeatures()} == set(territories)
    weighed = sum(feature["workload"] for feature in layers["weighted_providers"].getFeatures())
    lost = sum(feature["workload"] or 0 for feature in layers["providers_without_a_zip"].getFeatures())
    assert sum(feature["workload"] for feature in territories.values()) == pytest.approx(weighed - lost)
    assert all(abs(feature["deviation_pct"]) <= 5 for feature in territories.values())
    assert all(name in report for name in territories)


def test_annual_rebalance_brings_last_years_alignment_to_this_years_list(on_the_sample):
    """Last year: the reps of the sample. This year's list is the sample's own."""
    layers, report = on_the_sample(
        "Annual rebalance",
        {
            "ALIGNMENT": f"{SAMPLE}/sample.gpkg|layername=zips",
            "ALIGNMENT_UNIT_FIELD": "zip",
            "ALIGNMENT_TERRITORY_FIELD": "rep",
            "TOLERANCE": 15,
            "REMOVE": "r20",
        },
        (
            "territories", "zips_by_territory", "zips_that_change_hands", "gained_and_lost", "adjacency",
            "weighted_providers", "providers_without_a_zip", "all_zips_by_territory",
        ),
    )  # fmt: skip
    territories = {feature["territory"]: feature for feature in layers["territories"].getFeatures()}
    assert len(territories) == 19
    assert all(abs(feature["deviation_pct"]) <= 15 for feature in territories.values())
    zips = list(layers["zips_by_territory"].getFeatures())
    assert {feature["territory"] for feature in zips} == set(territories)
    moved = {feature["zip"] for feature in zips if feature["moved"]}
    assert moved == {feature["unit"] for feature in layers["zips_that_change_hands"].getFeatures()}
    assert {feature["zip"] for feature in zips if feature["rep"] == "R20"} <= moved
    weighed = sum(feature["workload"] for feature in layers["weighted_providers"].getFeatures())
    lost = sum(feature["workload"] or 0 for feature in layers["providers_without_a_zip"].getFeatures())
    table = list(layers["gained_and_lost"].getFeatures())
    assert sum(feature["workload_after"] for feature in table) == pytest.approx(weighed - lost)
    assert sum(feature["workload_before"] for feature in table) == pytest.approx(weighed - lost)
    assert "What changes hands" in report
    everywhere = {feature["zip"]: feature for feature in layers["all_zips_by_territory"].getFeatures()}
    assert everywhere.keys() > {feature["zip"] for feature in zips}
    assert everywhere["90079"]["unit"] == "90014"
    assert everywhere["90079"]["how"] == "through the crosswalk"
    assert {feature["zip"]: feature["territory"] for feature in zips}.items() <= {
        code: feature["territory"] for code, feature in everywhere.items()
    }.items()


@pytest.mark.parametrize("model", ["Providers to territories", "NPPES file to territories", "Annual rebalance"])
def test_the_columns_of_a_crosswalk_can_be_named(territories_provider, model):
    found = territories_provider.algorithm(model)
    names = {definition.name().upper(): definition for definition in found.parameterDefinitions()}
    for role in ("ZIP", "UNIT", "RATIO"):
        definition = names[f"CROSSWALK_{role}_FIELD"]
        assert definition.parentLayerParameterName().upper() == "CROSSWALK"
        assert definition.flags() & definition.Flag.FlagOptional
        assert definition.flags() & definition.Flag.FlagAdvanced
