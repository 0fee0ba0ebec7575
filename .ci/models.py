"""Make the models that the plugin ships, `processing/models/*.model3`, from what is said here.

Their parameters are those of the algorithms that they feed, so labels, limits and defaults are said once. Run by
`make models` after a change here, or to a parameter of an algorithm that a model uses.
"""

import os
import sys
from dataclasses import dataclass, field
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
MODELS = ROOT / "processing" / "models"
PARAMETERS_AT, STEPS_AT, OUTPUTS_AT, ROW = 140, 520, 860, 50


@dataclass(frozen=True)
class Asked:
    """A parameter of a model: which parameters of steps it feeds, as "step.NAME". It is made like the first of them."""

    feeds: str
    label: str = ""  # empty: the first one's, as its help
    help: str = ""
    parent: str = ""  # the layer of a field, where it is not the one that feeds the step
    optional: bool | None = None
    advanced: bool | None = None
    default: object = None


@dataclass(frozen=True)
class Step:
    """An algorithm: values that are always the same, and outputs of other steps that it takes, as "step.NAME"."""

    algorithm: str
    fixed: dict = field(default_factory=dict)
    takes: dict = field(default_factory=dict)


@dataclass(frozen=True)
class Model:
    """A model: parameters and outputs in the order of the dialog; layers load in the order `layers`, top first."""

    name: str
    help: str
    parameters: dict[str, Asked]
    steps: dict[str, Step]
    outputs: dict[str, tuple[str, str]]
    layers: tuple[str, ...]


TERRITORIES = (
    "Polygons of the territories with workload, target, deviation, number of units and providers, compactness and, "
    "where something is outside its limits, the reason."
)
BY_TERRITORY = "Each ZIP polygon with its own columns, its workload and its territory: the list that goes to the reps."
WEIGHTED = "The providers with their workload and each factor that it is made of, as columns."
ADJACENCY = "Lines between ZIPs that touch, with shared border and distance, and the bridges to islands."
WITHOUT_ZIP = (
    "Providers that belong to no polygon, with the reason. Their workload is in no territory; with those placed it "
    "adds up to all."
)


def crosswalk(names: str, *steps: str) -> dict[str, Asked]:
    """Return the parameters of a crosswalk that feeds some steps; `names` is "{}" or how the model writes names."""
    asked = {
        name: Asked(" ".join(f"{step}.{name}" for step in steps), advanced=True)
        for name in ("CROSSWALK", "CROSSWALK_ZIP_FIELD", "CROSSWALK_UNIT_FIELD", "CROSSWALK_RATIO_FIELD")
    }
    return {name.lower() if names == "lower" else name: each for name, each in asked.items()}


PROVIDERS = {
    "PROVIDERS": Asked("weight.INPUT", "Providers"),
    "PROVIDER_ZIP_FIELD": Asked(
        "sum.PROVIDER_ZIP_FIELD", parent="PROVIDERS",
        help="The provider's ZIP. Empty: the polygon that its point lies in.",
    ),
    "SPECIALTY_FIELD": Asked("weight.SPECIALTY_FIELD"),
    "SPECIALTY_WEIGHTS": Asked(
        "weight.SPECIALTY_WEIGHTS", "Specialty weights (a table with columns pattern and weight)"
    ),
    "SIZE_FIELD": Asked("weight.SIZE_FIELD", help="Clinicians of the practice; its square root multiplies the weight."),
    "VALUE_FIELDS": Asked("weight.VALUE_FIELDS"),
}  # fmt: skip
ZIPS = {
    "ZIPS": Asked("sum.ZIPS"),
    "ZIP_FIELD": Asked("sum.ZIP_FIELD graph.UNIT_FIELD"),
}
CHAIN = {
    "weight": Step("weightproviders"),
    "sum": Step("sumproviderstozips", {"WORKLOAD_FIELDS": ["workload"]}, {"PROVIDERS": "weight.OUTPUT"}),
    "graph": Step("buildadjacencygraph", {"CONTIGUITY": 0, "BRIDGE": 1}, {"INPUT": "sum.OUTPUT"}),
}
MARKET = {"UNITS": "sum.OUTPUT", "EDGES": "graph.OUTPUT"}

MAIN_JOB = Model(
    "Providers to territories",
    "The main job in one go: weights providers by specialty, practice size and value, sums them to ZIPs, builds the "
    "ZIP adjacency graph, balances it into connected territories and writes the report.",
    {
        **PROVIDERS,
        "ZIPS": ZIPS["ZIPS"],
        "ZIP_FIELD": Asked("sum.ZIP_FIELD graph.UNIT_FIELD balance.UNIT_FIELD"),
        "TERRITORIES": Asked(
            "balance.TERRITORIES", "Number of territories", "As many as there are reps: you get exactly this many.",
            optional=False, default=20,
        ),
        "TOLERANCE": Asked("balance.TOLERANCE"),
        **crosswalk("upper", "sum"),
        "SEED": Asked("balance.SEED"),
    },
    {
        **CHAIN,
        "balance": Step("balanceterritories", {"WORKLOAD_FIELDS": ["workload"]}, MARKET),
    },
    {
        "Territories": ("balance.OUTPUT", TERRITORIES),
        "ZIPs by territory": ("balance.ASSIGNMENT", BY_TERRITORY),
        "Weighted providers": ("weight.OUTPUT", WEIGHTED),
        "Adjacency": ("graph.OUTPUT", ADJACENCY),
        "Providers without a ZIP": ("sum.UNMATCHED", WITHOUT_ZIP),
        "Report": ("balance.REPORT", "A page with the measures of the plan, each territory, and why any is outside."),
    },
    ("Territories", "Providers without a ZIP", "Weighted providers", "Adjacency", "ZIPs by territory"),
)  # fmt: skip

ANNUAL = Model(
    "Annual rebalance",
    "Last year's alignment against this year's providers: weights the new list by specialty, practice size and value, "
    "sums it to ZIPs, builds the ZIP adjacency graph and rebalances last year's territories with as little as possible "
    "changing hands. Says what changes hands, from whom to whom, and what each territory gains and loses.",
    {
        **PROVIDERS,
        "ZIPS": ZIPS["ZIPS"],
        "ZIP_FIELD": Asked("sum.ZIP_FIELD graph.UNIT_FIELD rebalance.UNIT_FIELD"),
        "ALIGNMENT": Asked(
            "rebalance.ALIGNMENT", "Last year's alignment (layer or table)", optional=False,
        ),
        "ALIGNMENT_UNIT_FIELD": Asked(
            "rebalance.ALIGNMENT_UNIT_FIELD", "ZIP in the alignment", "The column with the ZIPs.", optional=False,
        ),
        "ALIGNMENT_TERRITORY_FIELD": Asked(
            "rebalance.ALIGNMENT_TERRITORY_FIELD", "Territory in the alignment",
            "The column with the territory or the rep; an empty one is nobody's.", optional=False,
        ),
        "TOLERANCE": Asked("rebalance.TOLERANCE"),
        "MAX_DISRUPTION": Asked(
            "rebalance.MAX_DISRUPTION", "Disruption at most (%)",
            "The share of the workload that may change hands, in percent; 100 is no limit.",
            optional=False, default=100,
        ),
        "ADD": Asked("rebalance.ADD"),
        "REMOVE": Asked("rebalance.REMOVE"),
        "ALIGNMENT_DATE": Asked("rebalance.ALIGNMENT_DATE"),
        **crosswalk("upper", "sum", "rebalance"),
        "SEED": Asked("rebalance.SEED"),
    },
    {
        **CHAIN,
        "rebalance": Step("rebalanceterritories", {"WORKLOAD_FIELDS": ["workload"]}, MARKET),
    },
    {
        "Territories": ("rebalance.OUTPUT", TERRITORIES),
        "ZIPs by territory": ("rebalance.ASSIGNMENT", BY_TERRITORY[:-1] + ", and whether it changes hands."),
        "ZIPs that change hands": ("rebalance.MOVES", "Each ZIP that goes from one territory to another, with both."),
        "Gained and lost": ("rebalance.GAINED_LOST", "A row for each territory: what it had, gains, loses and has."),
        "All ZIPs by territory": (
            "rebalance.ZIP_TABLE", "A table of all ZIPs, also of those without a polygon, such as PO boxes.",
        ),
        "Weighted providers": ("weight.OUTPUT", WEIGHTED),
        "Adjacency": ("graph.OUTPUT", ADJACENCY),
        "Providers without a ZIP": ("sum.UNMATCHED", WITHOUT_ZIP),
        "Report": ("rebalance.REPORT", "A page with the measures before and after, and what changes hands."),
    },
    (
        "ZIPs that change hands", "Territories", "Providers without a ZIP", "Weighted providers", "Gained and lost",
        "Adjacency", "ZIPs by territory", "All ZIPs by territory",
    ),
)  # fmt: skip

FROM_FILES = Model(
    "NPPES file to territories",
    "From the monthly NPPES file and Medicare's claims to balanced territories in one run: imports the providers, adds "
    "their volume, weighs them by it, sums them to ZIPs and balances. Where no claims are published for a provider, "
    "the median of its specialty counts.",
    {
        "nppes_file": Asked("import.INPUT"),
        "states": Asked(
            "import.STATES", help="States of the practice address, by name or letters. Empty: the whole file."
        ),
        "specialties": Asked(
            "import.SPECIALTIES", help="Codes, beginnings of codes, or names of specialties and presets. Empty: all."
        ),
        "claims_file": Asked("claims.CLAIMS", help="Medicare's file of procedures by provider, as it was downloaded."),
        "procedures": Asked("claims.HCPCS", help="HCPCS codes, ranges or beginnings that count. Empty: all."),
        "zips": Asked("sum.ZIPS import.ZIPS"),
        "zip_field": Asked("sum.ZIP_FIELD import.ZIP_FIELD balance.UNIT_FIELD"),
        "number": Asked(
            "balance.TERRITORIES", "Number of territories", "As many as there are reps: you get exactly this many.",
            optional=False, default=20,
        ),
        "tolerance": Asked("balance.TOLERANCE"),
        **crosswalk("lower", "sum", "import"),
        "seed": Asked("balance.SEED"),
    },
    {
        "import": Step("importnppes"),
        "claims": Step(
            "addclaimsvolume", {"NPI_FIELD": "npi", "SPECIALTY_FIELD": "specialty", "MISSING": 2},
            {"INPUT": "import.OUTPUT"},
        ),
        "weigh": Step("weightproviders", {"VALUE_FIELDS": ["volume"]}, {"INPUT": "claims.OUTPUT"}),
        "sum": Step(
            "sumproviderstozips", {"PROVIDER_ZIP_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"]},
            {"PROVIDERS": "weigh.OUTPUT"},
        ),
        "balance": Step("balanceterritories", {"WORKLOAD_FIELDS": ["workload"]}, {"UNITS": "sum.OUTPUT"}),
    },
    {
        "Territories": ("balance.OUTPUT", TERRITORIES),
        "ZIPs by territory": ("balance.ASSIGNMENT", BY_TERRITORY),
        "Weighted providers": ("weigh.OUTPUT", WEIGHTED),
        "Providers without a place": ("import.UNPLACED", "Providers of the file whose ZIP has no polygon."),
        "Report": ("balance.REPORT", "A page with the measures of the plan, each territory, and why any is outside."),
    },
    ("Territories", "Providers without a place", "Weighted providers", "ZIPs by territory"),
)  # fmt: skip

SHIPPED = {
    "providers_to_territories": MAIN_JOB,
    "annual_rebalance": ANNUAL,
    "nppes_to_territories": FROM_FILES,
}


# ---------------------------------------------------------------- making them


def build(plan: Model, provider):
    """Return a model as QGIS has it; `provider` is the one that offers the algorithms, in the registry already."""
    from qgis.core import QgsProcessingModelAlgorithm

    model = QgsProcessingModelAlgorithm()
    model.setName(plan.name)
    model.setGroup(provider.algorithm("balanceterritories").group())
    add_parameters(model, plan, provider)
    add_steps(model, plan, provider)
    named = {each.description(): each.name() for each in model.destinationParameterDefinitions()}
    model.setParameterOrder([*plan.parameters, *(named[name] for name in plan.outputs)])
    # from the bottom to the top; QGIS gives no place to the first, so that is one that is no layer
    layers = ["Report", *reversed(plan.layers)]
    model.setOutputOrder([plan.outputs[name][0].replace(".", ":") for name in layers])
    model.setOutputGroup(plan.name)
    model.setHelpContent(helps(model, plan))
    return model


def add_parameters(model, plan, provider):
    """Give a model its parameters: copies of what they feed, under the model's names."""
    from qgis.core import QgsProcessingModelParameter
    from qgis.PyQt.QtCore import QPointF

    fed = {goal: name for name, asked in plan.parameters.items() for goal in asked.feeds.split()}
    for row, (name, asked) in enumerate(plan.parameters.items()):
        step, _, source = asked.feeds.split()[0].partition(".")
        made = provider.algorithm(plan.steps[step].algorithm).parameterDefinition(source).clone()
        if asked.parent or getattr(made, "parentLayerParameterName", str)():
            made.setParentLayerParameterName(asked.parent or fed[f"{step}.{made.parentLayerParameterName()}"])
        made.setName(name)
        made.setDescription(asked.label or made.description())
        made.setHelp(asked.help or made.help())
        if asked.default is not None:
            made.setDefaultValue(asked.default)
        flags = made.flags()
        for flag, wanted in ((made.Flag.FlagOptional, asked.optional), (made.Flag.FlagAdvanced, asked.advanced)):
            if wanted is not None:
                flags = flags | flag if wanted else flags & ~flag
        made.setFlags(flags)
        component = QgsProcessingModelParameter(name)
        component.setDescription(name)
        component.setPosition(QPointF(PARAMETERS_AT, ROW * (row + 1)))
        model.addModelParameter(made, component)


def add_steps(model, plan, provider):
    """Give a model its steps, with what feeds them, and its outputs beside the step that makes them."""
    from qgis.core import (
        QgsProcessingModelChildAlgorithm,
        QgsProcessingModelChildParameterSource,
        QgsProcessingModelOutput,
    )
    from qgis.PyQt.QtCore import QPointF

    source = QgsProcessingModelChildParameterSource
    height = ROW * max(len(plan.parameters), len(plan.outputs) + len(plan.steps))
    beside = ROW
    for row, (child_id, step) in enumerate(plan.steps.items()):
        child = QgsProcessingModelChildAlgorithm(f"{provider.id()}:{step.algorithm}")
        child.setChildId(child_id)
        child.setDescription(provider.algorithm(step.algorithm).displayName())
        given = {name: source.fromStaticValue(value) for name, value in step.fixed.items()}
        given |= {name: source.fromChildOutput(*made.split(".")) for name, made in step.takes.items()}
        for name, asked in plan.parameters.items():
            for goal in asked.feeds.split():
                if goal.partition(".")[0] == child_id:
                    given[goal.partition(".")[2]] = source.fromModelParameter(name)
        for name, value in given.items():
            child.addParameterSources(name, [value])
        place = max(beside, height * (row + 0.5) / len(plan.steps))
        child.setPosition(QPointF(STEPS_AT, place))
        outputs, beside = {}, place
        for name, (sink, _) in plan.outputs.items():
            if sink.partition(".")[0] == child_id:
                output = QgsProcessingModelOutput(name, name)
                output.setChildId(child_id)
                output.setChildOutputName(sink.partition(".")[2])
                output.setDescription(name)
                output.setMandatory(name == "Territories")
                output.setPosition(QPointF(OUTPUTS_AT, beside))
                outputs[name] = output
                beside += ROW
        beside = max(beside, place + 2 * ROW)
        child.setModelOutputs(outputs)
        model.addChildAlgorithm(child)
    model.updateDestinationParameters()


def helps(model, plan) -> dict:
    """Return the help of a model: its own, and that of each parameter and output by the name that QGIS gives it."""
    told = {name: model.parameterDefinition(name).help() for name in plan.parameters}
    for definition in model.destinationParameterDefinitions():
        told[definition.name()] = plan.outputs[definition.description()][1]
    return {
        "ALG_DESC": f"{plan.help} To change any step, right-click the model: Open a copy in Model Designer.",
        "ALG_CREATOR": "Healthcare Territories",
        **told,
    }


def main() -> None:
    """Write all models."""
    from qgis.core import QgsApplication

    sys.path.insert(0, os.environ["QGIS_PLUGINPATH"])
    from healthcare_territories.processing.provider import TerritoriesProvider

    application = QgsApplication([], False)
    application.initQgis()
    provider = TerritoriesProvider()
    QgsApplication.processingRegistry().addProvider(provider)
    for stem, plan in SHIPPED.items():
        path = MODELS / f"{stem}.model3"
        if not build(plan, provider).toFile(str(path)):
            sys.exit(f"{path} could not be written")
        path.write_text(path.read_text(encoding="utf-8").rstrip("\n") + "\n", encoding="utf-8")
        print(path.relative_to(ROOT))
    application.exitQgis()


if __name__ == "__main__":
    main()
