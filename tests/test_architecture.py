"""Imports go one way: __init__ → plugin → processing, gui → gis → engine; and what must not ship does not."""

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

BELOW = {
    "root": {"plugin"},
    "plugin": {"processing", "gui", "gis", "engine"},
    "processing": {"processing", "gis", "engine"},
    "gui": {"gui", "gis", "engine"},
    "gis": {"gis", "engine"},
    "engine": {"engine"},
}
ENGINE_PACKAGES = {"numpy", "scipy", "networkx", "pandas", "geopandas", "shapely"}
OURS = {"healthcare_territories", "territory_plugin", "processing"}
REFUSED_MODULES = {"random", "subprocess", "pickle", "PyQt5", "PyQt6"}
REFUSED_CALLS = {"eval", "exec"}


def shipped_files():
    return [
        ROOT / "__init__.py",
        *sorted((ROOT / "territory_plugin").rglob("*.py")),
        *sorted((ROOT / "processing").rglob("*.py")),
    ]


def room(parts):
    """Return the room of a module given by its path inside the plugin, such as ("processing", "base")."""
    if parts[:1] == ("processing",):
        return "processing"
    if parts[:1] == ("territory_plugin",) and len(parts) > 1:
        return parts[1]
    return "root"


def imports(tree):
    """Yield (line, level, dotted name) of all that a module imports, with `from a import b` as a.b."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield node.lineno, 0, alias.name
        elif isinstance(node, ast.ImportFrom):
            for alias in node.names:
                yield node.lineno, node.level, ".".join(filter(None, [node.module, alias.name]))


def complaints(source, path):
    """Return what is wrong with the imports and statements of `source`, at `path` in the plugin."""
    tree = ast.parse(source)
    module = Path(path).with_suffix("").parts
    here = room(module)
    found = []
    for line, level, name in imports(tree):
        top = name.partition(".")[0]
        if level:
            # level 1 is the folder of the file; an __init__ counts as a file in its folder
            base = module[: len(module) - level]
            if len(module) < level:
                found.append(f"{path}:{line} reaches outside the plugin")
            elif (there := room((*base, *name.split(".")))) not in BELOW[here]:
                found.append(f"{path}:{line} {here} imports {there}")
        elif top in OURS:
            found.append(f"{path}:{line} imports {top} absolutely")
        elif top in REFUSED_MODULES:
            found.append(f"{path}:{line} imports {top}")
        elif here == "engine" and top not in ENGINE_PACKAGES | sys.stdlib_module_names:
            found.append(f"{path}:{line} engine imports {top}")
        elif here == "gis" and (name.startswith("qgis.gui") or "QtWidgets" in name):
            found.append(f"{path}:{line} gis imports widgets")
    for node in ast.walk(tree):
        if isinstance(node, ast.Assert):
            found.append(f"{path}:{node.lineno} assert")
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id in REFUSED_CALLS:
            found.append(f"{path}:{node.lineno} calls {node.func.id}")
    if here == "root":
        found += [
            f"{path}:{node.lineno} imports while being loaded"
            for node in tree.body
            if isinstance(node, (ast.Import, ast.ImportFrom))
        ]
    return found


def test_shipped_code_keeps_to_the_rules():
    assert [
        complaint
        for file in shipped_files()
        for complaint in complaints(file.read_text(encoding="utf-8"), file.relative_to(ROOT))
    ] == []


@pytest.mark.parametrize(
    ("path", "source", "complaint"),
    [
        ("territory_plugin/engine/solve.py", "from qgis.core import Qgis", "engine imports qgis"),
        ("territory_plugin/engine/solve.py", "import pyproj", "engine imports pyproj"),
        ("territory_plugin/engine/solve.py", "from ..gis.fields import ZIP", "engine imports gis"),
        ("territory_plugin/engine/solve.py", "from .. import gis", "engine imports gis"),
        ("territory_plugin/engine/deep/solve.py", "from ...gis import layers", "engine imports gis"),
        ("territory_plugin/engine/solve.py", "def f():\n    from .. import plugin", "engine imports plugin"),
        ("territory_plugin/gis/fields.py", "from ...processing import base", "gis imports processing"),
        ("territory_plugin/gis/fields.py", "from ..gui import dock", "gis imports gui"),
        ("territory_plugin/gis/fields.py", "from qgis.PyQt import QtWidgets", "gis imports widgets"),
        ("territory_plugin/gui/dock.py", "from ...processing import base", "gui imports processing"),
        (
            "processing/algorithms/balance.py",
            "from ...territory_plugin.gui import dock",
            "processing imports gui",
        ),
        ("processing/base.py", "from ..territory_plugin import plugin", "processing imports plugin"),
        ("processing/base.py", "from ....elsewhere import thing", "reaches outside"),
        ("processing/base.py", "import processing", "imports processing absolutely"),
        (
            "processing/base.py",
            "from territory_plugin.gis import fields",
            "imports territory_plugin absolutely",
        ),
        ("processing/base.py", "from PyQt5.QtCore import QVariant", "imports PyQt5"),
        ("processing/base.py", "import random", "imports random"),
        ("processing/base.py", "import subprocess", "imports subprocess"),
        ("processing/base.py", "from pickle import loads", "imports pickle"),
        ("processing/base.py", "assert 1", "assert"),
        ("processing/base.py", "eval('1')", "calls eval"),
        ("__init__.py", "from qgis.core import Qgis", "imports while being loaded"),
        ("__init__.py", "def f():\n    from .processing import base", "root imports processing"),
    ],
)
def test_a_breach_is_seen(path, source, complaint):
    assert any(complaint in found for found in complaints(source, path))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        ("territory_plugin/engine/solve.py", "import heapq\nimport numpy as np\nfrom .progress import never"),
        ("territory_plugin/engine/deep/solve.py", "from ..progress import never"),
        ("territory_plugin/gis/fields.py", "from qgis.core import Qgis\nfrom ..engine import errors"),
        (
            "processing/algorithms/balance.py",
            "from ..base import Base\nfrom ...territory_plugin.engine import solve",
        ),
        ("processing/algorithms/balance.py", "from qgis import processing"),
        (
            "__init__.py",
            "def classFactory(iface):\n    from .territory_plugin.plugin import TerritoriesPlugin",
        ),
    ],
)
def test_an_honest_import_is_not(path, source):
    assert complaints(source, path) == []


# No machine's path and no registry's address in any file. Spelled apart, so that this file has none.
TRACES = ["/" + name + "/" for name in ("work", "tmp", "root", "home")] + [
    ".".join(parts)
    for parts in (
        ("pypi", "org"),
        ("files", "pythonhosted", "org"),
        ("deb", "debian", "org"),
        ("security", "debian", "org"),
        ("registry", "npmjs", "org"),
        ("conda", "anaconda", "org"),
    )
]


def traces(text):
    return [trace for trace in TRACES if trace in text]


def test_no_machine_path_or_registry_host_in_any_file():
    listed = subprocess.run(
        ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    files = [ROOT / name for name in listed.stdout.split("\0") if name and (ROOT / name).is_file()]
    assert len(files) > 10
    # latin-1 reads any file, binary ones too
    assert {str(file): found for file in files if (found := traces(file.read_text(encoding="latin-1")))} == {}


def test_a_trace_is_seen():
    assert traces("cd /" + "work/main") == ["/" + "work/"]
    assert traces("https://" + "pypi." + "org/simple") == ["pypi." + "org"]
    assert traces("import work, tmp; a/work.py") == []


# --- one way of reading what people write

ENGINE = ROOT / "territory_plugin" / "engine"
COMPUTING = {
    "alignment", "antimeridian", "borders", "contiguity", "dissolve", "geodesy", "measures", "overlaps", "pieces",
    "report",
}  # fmt: skip
READERS = [
    *sorted(file for file in ENGINE.glob("*.py") if file.stem not in COMPUTING),
    *sorted((ROOT / "territory_plugin" / "gis").glob("*.py")),
    *sorted((ROOT / "processing").rglob("*.py")),
]
COMPUTES = {
    "sum", "nansum", "max", "nanmax", "min", "mean", "nanmean", "median", "percentile", "argmin", "argmax", "ceil",
    "floor", "rint", "bit_length", "searchsorted", "len", "timestamp", "number", "integer", "nan_to_num",
    "published_number", "count_nonzero",
}  # fmt: skip
"""Calls that give numbers, whatever they are given."""
NUMBERS = {
    "engine/apportionment.py": {"workload[region]", "quota[at]", "needs[at]", "shared_quota[at]", "seats[at]"},
    "engine/claims.py": {"floor", "count"},
    "engine/clinicians.py": {"npi", "number"},
    "engine/errors.py": {"self"},
    "engine/travel.py": {"inside[np.argmin(np.einsum('uh,u->h', np.square(minutes), weight).round(6))]"},
    "engine/workload.py": {"heavy[0]"},
    "algorithms/split_heavy_zips.py": {"shared[name][row]", "after"},
    "algorithms/sum_providers_to_zips.py": {"count"},
    "algorithms/travel_times.py": {"minutes[unit]", "km[unit]"},
    "processing/parameters.py": {"index"},
    "processing/imports.py": {"value"},
    "processing/territory_outputs.py": {"total[row.territory]"},
    "engine/newest.py": {"npi[:9]"},
    "engine/nppes_rows.py": {"raw"},
    "engine/npi.py": {"npi[:5]", "npi[5:]", "npi[:9]"},  # digits that were checked; this is the hot loop
    "engine/reps_table.py": {"value"},
    "gis/styles.py": {"value"},
}
"""What is a number already, by file: an array's element, or digits that were looked at."""


def parsed_text(source, path):
    """Return where code outside `engine/tables` may make numbers or ids of text."""
    found = []
    for node in ast.walk(ast.parse(source)):
        if not isinstance(node, ast.Call):
            continue
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("to_numeric", "zfill") or (called in ("float", "int") and isinstance(node.func, ast.Name)
                                                 and node.args and not is_number(node.args[0], path)):  # fmt: skip
            found.append(f"{path}:{node.lineno} {ast.unparse(node)}")
    return found


def is_number(node, path):
    """Answer whether an expression is one of numbers, as far as its form tells."""
    if isinstance(node, (ast.Constant, ast.Compare)):
        return True
    if isinstance(node, ast.UnaryOp):
        return is_number(node.operand, path)
    if isinstance(node, ast.BinOp):
        return is_number(node.left, path) or is_number(node.right, path)
    if isinstance(node, ast.Call):
        called = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if called in ("min", "max", "round", "abs"):
            return True
        return called in COMPUTES
    return any(path.endswith(file) and ast.unparse(node) in names for file, names in NUMBERS.items())


def test_only_the_tables_room_reads_numbers_ids_and_zips_from_text():
    assert [
        complaint
        for file in READERS
        for complaint in parsed_text(file.read_text(encoding="utf-8"), file.relative_to(ROOT).as_posix())
    ] == []


@pytest.mark.parametrize(
    "source", ["pd.to_numeric(column)", "text.zfill(5)", "float(text)", "int(row['zip'])", "int(match.group(1))",
               "float(text.replace(',', ''))", "[float(share) for share in shares]"]
)  # fmt: skip
def test_a_reader_of_its_own_is_seen(source):
    assert parsed_text(source, "territory_plugin/gis/frames.py")


@pytest.mark.parametrize("source", ["float(x.sum())", "int((~lost).sum())", "float('inf')", "int(np.argmin(far))"])
def test_arithmetic_is_none(source):
    assert parsed_text(source, "territory_plugin/gis/frames.py") == []
