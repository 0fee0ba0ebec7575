"""The engine needs no QGIS, and its docstrings tell the truth."""

import doctest
import importlib
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
MODULES = sorted(
    ".".join(["healthcare_territories", *path.relative_to(ROOT).with_suffix("").parts]).removesuffix(".__init__")
    for path in (ROOT / "territory_plugin" / "engine").rglob("*.py")
)

IMPORT_ALL = f"""
import importlib, importlib.util, sys
spec = importlib.util.spec_from_file_location("healthcare_territories", {str(ROOT / "__init__.py")!r},
                                              submodule_search_locations=[{str(ROOT)!r}])
sys.modules["healthcare_territories"] = package = importlib.util.module_from_spec(spec)
spec.loader.exec_module(package)
for name in {MODULES!r}:
    importlib.import_module(name)
print(*sorted({{"qgis", "PyQt5", "PyQt6", "osgeo"}} & sys.modules.keys()))
"""


def test_importing_the_whole_engine_loads_no_qgis():
    done = subprocess.run([sys.executable, "-c", IMPORT_ALL], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == ""


@pytest.mark.parametrize("module", [name for name in MODULES if ".tables." in name])
def test_each_module_of_the_tables_room_is_found_first(module):
    """One was known only once another module had imported it: an import of clinicians alone ended in an error."""
    code = IMPORT_ALL.partition("for name in")[0] + (
        f"from healthcare_territories.territory_plugin import engine\nengine.{'.'.join(module.split('.')[3:])}\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


# The packages that the engine names, and what these cannot do without. All else that this machine happens to have
# (pyproj, pyogrio, matplotlib, numexpr, bottleneck, pyarrow, rtree, tqdm, ...) may be missing where QGIS runs.
NAMED = {"numpy", "scipy", "pandas", "networkx", "shapely", "geopandas"}
THEIR_NEEDS = {"dateutil", "pytz", "six", "tzdata", "packaging"}

HIDE_ALL_ELSE = f"""
import importlib.abc, sys
allowed = {NAMED | THEIR_NEEDS | {"healthcare_territories"}!r} | set(sys.stdlib_module_names)

class Hide(importlib.abc.MetaPathFinder):
    def find_spec(self, name, path=None, target=None):
        top = name.partition(".")[0]
        if top not in allowed and not top.startswith(("_sysconfigdata", "__mp_")):
            raise ModuleNotFoundError(f"No module named {{top!r}}", name=top)

sys.meta_path.insert(0, Hide())
for name in [name for name in sys.modules if name.partition(".")[0] not in allowed | {{"__main__"}}]:
    del sys.modules[name]
"""

DO_SOMETHING = """
import geopandas, networkx, shapely
from healthcare_territories.territory_plugin import engine

graph = networkx.grid_2d_graph(6, 6)
for at, (x, y) in enumerate(graph):
    graph.nodes[x, y].update(workload=1.0 + (x + y) % 3, lon=-100 + x / 10, lat=40 + y / 10)
graph = networkx.relabel_nodes(graph, {(x, y): f"{x}{y}" for x, y in graph})
plan = engine.balance.balance_territories(graph, 3, tolerance=0.2, effort="quick", bound_travel=True)
today = {unit: f"T{territory}" for unit, territory in zip(plan.units, plan.assignment)}
again = engine.balance.rebalance_territories(graph, today, tolerance=0.1, effort="quick")
shapes = [shapely.box(int(unit[0]), int(unit[1]), int(unit[0]) + 1, int(unit[1]) + 1) for unit in graph]
units = geopandas.GeoDataFrame(
    {"territory": [today[unit] for unit in graph]}, geometry=shapes, index=list(graph)
)
territories = engine.dissolve.dissolve(units, sliver=0.01)
print(len(set(plan.assignment)), len(set(again.plan.assignment)), round(territories.area.sum(), 6))
"""


def test_the_engine_runs_with_the_packages_that_it_names_and_nothing_else():
    code = f"{HIDE_ALL_ELSE}{IMPORT_ALL}{DO_SOMETHING}"
    done = subprocess.run([sys.executable, "-W", "ignore", "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert done.stdout.split() == ["3", "3", "36.0"]


def test_what_is_hidden_is_missed():
    for module in ("pyproj", "pytest", "qgis"):
        code = f"{HIDE_ALL_ELSE}\nimport {module}"
        done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
        assert f"No module named '{module}'" in done.stderr


def test_a_run_without_qgis_refuses_it(request):
    if not request.config.getoption("without_qgis"):
        pytest.skip("only under --without-qgis, as `make test` runs the engine's tests")
    for name in ("qgis.core", "osgeo.ogr"):
        with pytest.raises(ImportError, match="--without-qgis"):
            importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
