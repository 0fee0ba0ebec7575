"""The models that the provider offers: in order, with help, run on the sample, whatever outputs are skipped."""

import importlib.util
from pathlib import Path

import pytest
from healthcare_territories.benchmarks import nppes_file

MODELS = sorted((Path(__file__).resolve().parent.parent / "processing" / "models").glob("*.model3"))
SAMPLE = Path(__file__).resolve().parent.parent / "sample"


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


NAMES = ("Providers to territories", "Annual rebalance", "NPPES file to territories")


@pytest.fixture(scope="module")
def maker():
    """Return the script that makes the models."""
    path = Path(__file__).resolve().parent.parent / ".ci" / "models.py"
    spec = importlib.util.spec_from_file_location("models_maker", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_the_files_are_what_the_script_makes(territories_provider, maker, tmp_path):
    """After a change to the script, or to a parameter that a model uses: make models."""
    from qgis.core import QgsProcessingModelAlgorithm

    assert {path.stem for path in MODELS} == maker.SHIPPED.keys()
    for stem, plan in maker.SHIPPED.items():
        maker.build(plan, territories_provider).toFile(str(tmp_path / stem))
        made, kept = QgsProcessingModelAlgorithm(), QgsProcessingModelAlgorithm()
        assert made.fromFile(str(tmp_path / stem))
        assert kept.fromFile(str(maker.MODELS / f"{stem}.model3"))
        assert made.toVariant() == kept.toVariant(), f"{stem}: run make models"


@pytest.mark.parametrize("name", NAMES)
def test_a_dialog_sets_layers_before_their_fields_and_explains_everything(territories_provider, maker, name):
    model = territories_provider.algorithm(name)
    plan = next(plan for plan in maker.SHIPPED.values() if plan.name == name)
    definitions = model.parameterDefinitions()
    names = [each.name() for each in definitions]
    asked = [each for each in definitions if not each.isDestination()]
    assert [each.name() for each in asked] == list(plan.parameters)
    assert [each.description() for each in definitions if each.isDestination()] == list(plan.outputs)
    late = [each.name() for each in asked if getattr(each, "parentLayerParameterName", str)()
            and names.index(each.parentLayerParameterName()) > names.index(each.name())]  # fmt: skip
    assert late == []
    advanced = [bool(each.flags() & each.Flag.FlagAdvanced) for each in asked]
    assert advanced == sorted(advanced), "advanced parameters come last"
    assert [each.name() for each in asked if len(each.help()) < 20] == []
    told = model.shortHelpString()
    assert [output for output in plan.outputs if f"<h3>{output}</h3>" not in told] == []
    assert model.create().shortHelpString() == told
    assert model.group() == model.groupId() == territories_provider.algorithm("balanceterritories").group()


@pytest.mark.parametrize("name", NAMES)
def test_only_the_territories_must_be_asked_for(territories_provider, name):
    model = territories_provider.algorithm(name).create()  # its definitions live as long as it does
    outputs = model.destinationParameterDefinitions()
    assert [each.name() for each in outputs if not each.flags() & each.Flag.FlagOptional] == ["territories"]
    made = [each.name() for each in outputs if each.createByDefault()]
    assert made[:2] == ["territories", "zips_by_territory"]
    assert not {"adjacency", "weighted_providers"} & set(made)


GRID = """
    1 2 1 3
    2 1 1 1
    3 1 2 2
"""


@pytest.fixture
def small(board, memory_layer, tmp_path):
    """Return ``small("name of a model")``: parameters for twelve ZIPs, the last of twelve providers without one."""
    zips = board(GRID, rep=["West", "West", "East", "East"] * 3)
    codes = [feature["zip"] for feature in zips.getFeatures()]
    providers = memory_layer({"zip": [*codes[:-1], "99999"], "size": [4.0, 1.0, 9.0] * 4})
    listed = {
        "PROVIDERS": providers,
        "PROVIDER_ZIP_FIELD": "zip",
        "SIZE_FIELD": "size",
        "ZIPS": zips,
        "ZIP_FIELD": "zip",
    }

    def give(name):
        if name == "Providers to territories":
            return {**listed, "TERRITORIES": 2, "TOLERANCE": 60}
        if name == "Annual rebalance":
            alignment = {"ALIGNMENT": zips, "ALIGNMENT_UNIT_FIELD": "zip", "ALIGNMENT_TERRITORY_FIELD": "rep"}
            return {**listed, **alignment, "TOLERANCE": 60}
        return from_files(tmp_path, memory_layer)

    return give


def from_files(folder, memory_layer):
    """Return parameters for a small NPPES file, the claims of some of it, and a row of squares for its ZIPs."""
    import pandas as pd

    nppes, claims = folder / "npidata_pfile_20250101-20250131.csv", folder / "claims.csv"
    nppes_file.write(nppes, 3000, seed=11)
    rows = pd.read_csv(nppes, dtype=str, keep_default_na=False)
    place = "Provider Business Practice Location Address"
    rows = rows[rows[f"{place} State Name"] == "CA"]
    codes = sorted(set(rows[f"{place} Postal Code"].str[:5]))[1:]
    shapes = [
        f"POLYGON(({x} 0, {x + 0.1} 0, {x + 0.1} 0.1, {x} 0.1, {x} 0))" for x in (n / 10 for n in range(len(codes)))
    ]
    sums = {"Rndrng_NPI": rows["NPI"][::3], "Rndrng_Prvdr_Type": "any", "Place_Of_Srvc": "O", "HCPCS_Cd": "99213",
            "HCPCS_Desc": "Visit", "HCPCS_Drug_Ind": "N", "Tot_Srvcs": 20, "Tot_Benes": 15, "Tot_Bene_Day_Srvcs": 18,
            "Avg_Mdcr_Alowd_Amt": 90, "Avg_Mdcr_Pymt_Amt": 70}  # fmt: skip
    pd.DataFrame(sums).to_csv(claims, index=False)
    return {
        "nppes_file": str(nppes), "states": "CA", "claims_file": str(claims),
        "zips": memory_layer({"zip": codes}, shapes), "zip_field": "zip", "number": 3, "tolerance": 90,
    }  # fmt: skip


@pytest.mark.parametrize("name", NAMES)
def test_any_output_can_be_skipped(run, territories_provider, small, tmp_path, name):
    """None of them, each one of them and all; what is asked for comes, and is the same as without a skip."""
    model = territories_provider.algorithm(name).create()  # its definitions live as long as it does
    outputs = model.destinationParameterDefinitions()
    optional = [each.name() for each in outputs if each.name() != "territories"]
    wishes = dict.fromkeys(optional, "TEMPORARY_OUTPUT") | {"report": str(tmp_path / "report.html")}
    given = {**small(name), "territories": "TEMPORARY_OUTPUT"}

    def plan(*skipped):
        done = run(name, {**given, **{name: wish for name, wish in wishes.items() if name not in skipped}})
        made = {output for output in wishes if done.results.get(output)}
        # what the next step needs is made in any case, and not loaded
        assert made - ({"weighted_providers", "adjacency"} & set(skipped)) == wishes.keys() - set(skipped)
        return sorted((row["territory"], row["workload"]) for row in done.rows("territories"))

    whole = plan()
    assert len(whole) >= 2
    for skipped in [[output] for output in optional] + [optional]:
        assert plan(*skipped) == whole, skipped


def test_a_step_without_its_layer_says_so(attempt):
    """As in a model of somebody's own, where an optional output that the next step needs is skipped."""
    from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingException, QgsProcessingFeedback

    found = QgsApplication.processingRegistry().createAlgorithmById("territories:evaluateterritories")
    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    with pytest.raises(QgsProcessingException, match=r"No layer is given for: Units .* have that output made"):
        found.run({"UNITS": None, "UNIT_FIELD": "zip"}, context, feedback, {}, False)


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


def test_providers_to_territories_runs_all_steps(on_the_sample):
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
