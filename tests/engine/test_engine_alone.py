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


def test_a_run_without_qgis_refuses_it(request):
    if not request.config.getoption("without_qgis"):
        pytest.skip("only under --without-qgis, as `make test` runs the engine's tests")
    for name in ("qgis.core", "osgeo.ogr"):
        with pytest.raises(ImportError, match="--without-qgis"):
            importlib.import_module(name)


@pytest.mark.parametrize("name", MODULES)
def test_docstring_examples(name):
    assert doctest.testmod(importlib.import_module(name)).failed == 0
