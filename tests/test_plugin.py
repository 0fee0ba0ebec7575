"""QGIS loads the plugin, finds every algorithm complete, and unloads it; with packages missing too."""

import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent


def algorithms(provider):
    """Return the provider's algorithms that are classes of ours, not models."""
    from qgis.core import QgsProcessingModelAlgorithm

    return [found for found in provider.algorithms() if not isinstance(found, QgsProcessingModelAlgorithm)]


def test_every_algorithm_is_complete(territories_provider):
    provider = territories_provider
    assert not provider.icon().isNull()
    assert (ROOT / "icons" / "territories.svg").is_file()
    incomplete = {}
    for algorithm in algorithms(provider):
        name = algorithm.name()
        missing = [
            what
            for what, present in {
                "icon": (ROOT / "icons" / f"{name}.svg").is_file() and not algorithm.icon().isNull(),
                "lower-case id": name.isascii() and name.isalnum() and name == name.lower(),
                "name to show": algorithm.displayName() not in ("", name),
                "group": algorithm.group() and algorithm.groupId(),
                "help": len(algorithm.shortHelpString()) > 80,
                "help on every parameter": all(
                    parameter.description() for parameter in algorithm.parameterDefinitions()
                ),
                "UPPER_SNAKE parameters": all(
                    parameter.name() == parameter.name().upper() for parameter in algorithm.parameterDefinitions()
                ),
                "an own copy": type(algorithm.create()) is type(algorithm),
            }.items()
            if not present
        ]
        if missing:
            incomplete[name] = missing
    assert incomplete == {}


def test_no_dialog_takes_a_layers_first_field(territories_provider):
    """A field that must be given is the usual one where the layer has it, and is asked for elsewhere."""
    from qgis.core import QgsProcessingParameterField

    asked = {
        f"{algorithm.name()}.{parameter.name()}": parameter.defaultValueForGui()
        for algorithm in algorithms(territories_provider)
        for parameter in algorithm.parameterDefinitions()
        if isinstance(parameter, QgsProcessingParameterField)
        and not parameter.allowMultiple()
        and not parameter.flags() & parameter.Flag.FlagOptional
    }
    assert asked["balanceterritories.UNIT_FIELD"] == "zip"
    assert [name for name, field in asked.items() if not field] == []


def test_every_algorithm_file_is_offered(territories_provider):
    files = {path.stem for path in (ROOT / "processing" / "algorithms").glob("[!_]*.py")}
    modules = {type(algorithm).__module__.rpartition(".")[2] for algorithm in algorithms(territories_provider)}
    assert modules == files


LOAD = """
import importlib.util, sys
root, load, *missing = sys.argv[1:]

class Hiding:
    def __init__(self, finder):
        self.finder = finder

    def __getattr__(self, name):
        return getattr(self.finder, name)

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] not in missing:
            return self.finder.find_spec(name, path, target)

sys.meta_path[:] = [Hiding(finder) for finder in sys.meta_path]
from qgis.core import QgsApplication
from qgis.gui import QgsMapCanvas
from qgis.PyQt.QtWidgets import QMainWindow
from pytest_qgis.mock_qgis_classes import MockMessageBar
from pytest_qgis.qgis_interface import QgisInterface

application = QgsApplication([], True)
application.initQgis()
iface = None
if load == "initGui":
    window = QMainWindow()
    canvas = QgsMapCanvas(window)
    iface = QgisInterface(canvas, MockMessageBar(), window)

spec = importlib.util.spec_from_file_location("healthcare_territories", root + "/__init__.py",
                                              submodule_search_locations=[root])
sys.modules["healthcare_territories"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
application.messageLog().messageReceived.connect(
    lambda text, tag, level: tag == "Healthcare Territories" and print(f"log|{level}|" + text.replace(chr(10), " "))
)
registry = application.processingRegistry()
plugin = package.classFactory(iface)
for round in range(2):
    getattr(plugin, load)()
    provider = registry.providerById("territories")
    if round == 0 and (provider is not None or "numpy" not in missing):
        for algorithm in provider.algorithms():
            able, reason = algorithm.canExecute()
            print(algorithm.name(), able, reason.replace(chr(10), " "), sep="|")
    plugin.unload()
    print("gone" if registry.providerById("territories") is None else "still there")
plugin.unload()  # once too often is harmless
application.exitQgis()
"""


def load(how, *missing):
    """Load and unload the plugin twice in a process without the packages `missing`.

    Returns {algorithm id: (can execute, why not)}.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOAD, str(ROOT), how, *missing], capture_output=True, text=True, timeout=120
    )
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout.count("gone\n") == 2
    rows = [line.split("|", 2) for line in done.stdout.splitlines() if line.count("|") >= 2]
    return {name: (able == "True", reason) for name, able, reason in rows}


@pytest.mark.parametrize("how", ["initProcessing", "initGui"])
def test_load_and_unload(territories_provider, how):
    offered = {algorithm.name(): (True, "") for algorithm in territories_provider.algorithms()}
    assert load(how) == offered


def test_the_plugin_loads_where_packages_are_missing(territories_provider):
    without = load("initGui", "geopandas", "shapely", "networkx", "pandas", "scipy")
    assert without.keys() == {algorithm.name() for algorithm in territories_provider.algorithms()}
    # An algorithm that cannot run for want of a package says how to get it
    assert [name for name, (able, reason) in without.items() if not able and "install" not in reason] == []


@pytest.mark.parametrize("how", ["initProcessing", "initGui"])
def test_the_plugin_loads_without_numpy_and_says_so(how):
    """Then QGIS's own shapely, pandas and so on do not load either; there are no algorithms, and a message says why."""
    told = load(how, "numpy", "shapely", "pandas", "scipy", "geopandas")
    assert told.keys() == {"log"}
    assert "this QGIS lacks numpy, scipy, pandas, shapely, geopandas. " in told["log"][1]


def test_loading_the_plugin_imports_none_of_the_packages_that_are_tried():
    """That an algorithm may never be asked for must not cost the start of QGIS a second."""
    code = LOAD.replace(
        "        for algorithm in provider.algorithms():",
        "        print('loaded|', sorted({'pandas', 'scipy', 'networkx', 'geopandas'} & sys.modules.keys()), sep='|')\n"
        "        for algorithm in ():",
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT), "initGui"], capture_output=True, text=True, timeout=120
    )
    assert "loaded||[]" in done.stdout, done.stdout + done.stderr


def test_loading_the_root_package_loads_no_qgis():
    code = "import runpy, sys; runpy.run_path(sys.argv[1]); print('qgis' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code, str(ROOT / "__init__.py")], capture_output=True, text=True)
    assert done.stdout.strip() == "False", done.stderr
