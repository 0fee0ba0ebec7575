"""The Python packages that the algorithms need: what is wrong with those of this QGIS, in words."""

from __future__ import annotations

import importlib
import importlib.util
from collections.abc import Iterable
from contextlib import redirect_stderr
from dataclasses import dataclass
from functools import lru_cache
from io import StringIO
from pathlib import PurePath
from warnings import catch_warnings, simplefilter

from .platforms import Machine, platform_of, this_machine, version_in


@dataclass(frozen=True)
class Package:
    """A package that the algorithms import.

    Attributes
    ----------
    name : str
    at_least : str
        The oldest version that works; requirements.txt says the same.
    modules : tuple of str
        What is imported to see that it works. A package may load while its compiled parts do not.
    has : str
        A name that only versions that are new enough have, for packages that do not tell their version.
    stands_on : tuple of str
        Other packages without which it cannot load either: then they are what is wrong.
    """

    name: str
    at_least: str
    modules: tuple[str, ...]
    has: str = "__name__"
    stands_on: tuple[str, ...] = ("numpy",)


SCIPY = ("scipy", "scipy.optimize", "scipy.sparse.csgraph", "scipy.sparse.linalg", "scipy.spatial")
PACKAGES = (
    Package("numpy", "1.22", ("numpy",), stands_on=()),
    Package("scipy", "1.10", SCIPY),
    Package("pandas", "1.5", ("pandas",)),
    Package("networkx", "2.8", ("networkx",), stands_on=()),
    Package("shapely", "2.0", ("shapely",), has="from_ragged_array"),
    Package("geopandas", "0.14", ("geopandas",), stands_on=("numpy", "pandas", "shapely")),
)


@dataclass(frozen=True)
class Fault:
    """A package that the algorithms cannot use.

    Attributes
    ----------
    package : Package
    kind : str
        "missing", "old" or "broken".
    version, place, error : str
        Its version and folder, and what its import says; "" where unknown.
    """

    package: Package
    kind: str
    version: str = ""
    place: str = ""
    error: str = ""


@lru_cache(maxsize=1)
def faults() -> tuple[Fault, ...]:
    """Return what is wrong with the packages of this QGIS; all are imported once, the first time this is asked."""
    found: dict[str, Fault] = {}
    for package in PACKAGES:
        fault = fault_of(package)
        if fault is not None and not (fault.kind == "broken" and found.keys() & set(package.stands_on)):
            found[package.name] = fault
    return tuple(found.values())


def fault_of(package: Package) -> Fault | None:
    """Import a package and return what is wrong with it, or None."""
    place = version = ""
    try:
        spec = importlib.util.find_spec(package.name)
        if spec is None:
            return Fault(package, "missing")
        if spec.origin:
            place = str(PurePath(spec.origin).parent)
            version = version_in(str(PurePath(place).parent), package.name)
        # what numpy writes about packages that were compiled for another one is told in a sentence below
        with catch_warnings(), redirect_stderr(StringIO()):
            simplefilter("ignore")
            loaded = [importlib.import_module(name) for name in package.modules]
    except Exception as error:  # compiled code that does not fit raises whatever it likes
        if too_old(version, package.at_least):  # an old one may fail for its age
            return Fault(package, "old", version, place)
        return Fault(package, "broken", version, place, in_a_line(error))
    version = version or str(getattr(loaded[0], "__version__", ""))
    if too_old(version, package.at_least) or not hasattr(loaded[0], package.has):
        return Fault(package, "old", version, place)
    return None


def too_old(version: str, at_least: str) -> bool:
    """Answer whether a version is surely older; one that tells nothing is not (Debian's shapely says 0+unknown)."""
    numbers = [part.split(".")[:2] for part in (version, at_least)]
    if not all(part.isdecimal() for number in numbers for part in number):
        return False
    mine, least = ([part.rjust(9) for part in number] for number in numbers)  # as text of one length
    return mine < least


def in_a_line(error: BaseException) -> str:
    """Return the first line that says something of what an error says."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    return f"{lines[0][:200]}" if lines else type(error).__name__


def complaint(found: tuple[Fault, ...] | None = None, machine: Machine | None = None) -> str:
    """Return what is wrong with the packages of this QGIS and how to mend it, or "" where all is well."""
    found = faults() if found is None else found
    if not found:
        return ""
    machine = machine or this_machine()
    told = []
    missing = [fault.package.name for fault in found if fault.kind == "missing"]
    if missing:
        told.append(f"this QGIS lacks {', '.join(missing)}")
    for fault in found:
        called = " ".join(filter(None, [fault.package.name, fault.version]))
        if fault.kind == "old":
            told.append(f"{called} is too old ({fault.package.at_least} or later is needed)")
        elif fault.kind == "broken":
            there = f" in {fault.place}" if fault.place else ""
            told.append(f"{called}{there} does not load (“{fault.error}”)")
    return (
        f"Healthcare Territories needs Python packages that do not work here: {'; '.join(told)}. "
        f"{how_to_install(found, machine)}\nThen restart QGIS."
    )


def how_to_install(found: Iterable[Fault], machine: Machine) -> str:
    """Return what to do about faults on a machine, with the line to run on a line of its own where one does it."""
    here = platform_of(machine)
    found = tuple(found)
    strange = did_not_come_with_qgis(found, machine)
    # what came with QGIS works again once nothing strange is in its way
    wanted = [
        fault.package.name for fault in found if not (strange and fault.kind == "broken" and is_own(fault, machine))
    ]
    line = here.line(wanted, machine)
    said = []
    if strange:
        they = ", ".join(f"{name} in {folder}" for name, folder in strange.items())
        take_out = here.take_out.format(app=machine.app())
        first = "take that out first" if line else "take that out"
        said.append(f"Not QGIS's own: {they}; {first} ({take_out} {' '.join(strange)}).")
    if line:
        said.append(f"{here.where}:\n{line}")
    elif wanted and not here.steps:
        said.append(f"{here.where}.")
    return " ".join(said)


def is_own(fault: Fault, machine: Machine) -> bool:
    """Answer whether a package came with QGIS."""
    return machine.came_with_qgis(str(PurePath(fault.place).parent))


def did_not_come_with_qgis(found: Iterable[Fault], machine: Machine) -> dict[str, str]:
    """Return the packages that somebody put beside QGIS's own and that do not work with them, with their folders."""
    broken = [fault for fault in found if fault.kind == "broken" and fault.place]
    folders = {fault.package.name: str(PurePath(fault.place).parent) for fault in broken}
    # a package that was compiled for another numpy may be right, and the numpy be the stranger
    if any(
        "numpy" in fault.package.stands_on and folders[fault.package.name] != machine.numpy_folder for fault in broken
    ):
        folders = {"numpy": machine.numpy_folder, **folders}
    return {name: folder for name, folder in folders.items() if folder and not machine.came_with_qgis(folder)}
