"""The engine of another checkout of the plugin, so that one run measures both, in turns."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable
from pathlib import Path
from types import ModuleType

HERE = str(Path(__file__).resolve().parents[1])
_NAME = "plugin_of_another_checkout"


def engine(root: str, module: str) -> ModuleType:
    """Return a module of the engine of the plugin in a folder."""
    if _NAME not in sys.modules:
        spec = importlib.util.spec_from_file_location(
            _NAME, Path(root) / "__init__.py", submodule_search_locations=[root]
        )
        sys.modules[_NAME] = package = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(package)
    return importlib.import_module(f"{_NAME}.territory_plugin.engine.{module}")


def in_turns(measure: Callable[[str], dict], other: str, turns: int) -> tuple[list[dict], list[dict]]:
    """Measure this checkout and another; who comes first changes, as the second finds the file in memory."""
    found = {HERE: [], other: []}
    for turn in range(turns):
        for root in (HERE, other) if turn % 2 == 0 else (other, HERE):
            found[root].append(measure(root))
    return found[HERE], found[other]


def told(ours: list[dict], theirs: list[dict], kept: str) -> str:
    """Return least CPU seconds of both, their ratio, and whether they keep the same."""
    mine, other = (min(row["cpu"] for row in rows) for rows in (ours, theirs))
    same = "the same" if {row[kept] for row in ours} == {row[kept] for row in theirs} else "DIFFERENT"
    peaks = (max(row["peak_mb"] for row in rows) for rows in (ours, theirs))
    return (
        f"least CPU s of {len(ours)} turns: here {mine:.2f}, there {other:.2f}, ratio {mine / other:.3f}; "
        f"peak MB {' and '.join(f'{peak:.0f}' for peak in peaks)}; {same} {kept}"
    )
