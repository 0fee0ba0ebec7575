"""Where QGIS comes from: how each place is recognised, what it brings, and the line that adds the rest.

`PLATFORMS` is the one table of this; README.md's is made from it by `.ci/platforms`.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import shlex
import sys
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from importlib import metadata
from pathlib import PurePath

NAMES = ("numpy", "scipy", "pandas", "networkx", "shapely", "geopandas")
"""The packages that the algorithms need."""

BUNDLING = ("shapely", "pyproj", "pyogrio", "fiona")
"""Packages whose wheels bring a GEOS, PROJ or GDAL of their own: QGIS's is loaded first and they call into it."""


@dataclass(frozen=True)
class Machine:
    """What tells one QGIS from another.

    Attributes
    ----------
    system : str
        As `platform.system` says: Windows, Darwin or Linux.
    qgis : int
        QGIS's version, 34406 for 3.44.6.
    prefix : str
        Where QGIS's Python is, `sys.prefix`.
    environment : mapping
        Environment variables.
    release : mapping
        What /etc/os-release says.
    exists : callable
        Answers whether a path exists.
    numpy, numpy_folder : str
        The version of its numpy, and the folder that it lies in.
    """

    system: str
    qgis: int = 0
    prefix: str = ""
    environment: Mapping[str, str] = field(default_factory=dict)
    release: Mapping[str, str] = field(default_factory=dict)
    exists: Callable[[str], bool] = lambda path: False
    numpy: str = ""
    numpy_folder: str = ""

    def is_like(self, *distributions: str) -> bool:
        """Answer whether this is one of the Linux distributions, or one made from it."""
        ids = [self.release.get("ID", ""), *self.release.get("ID_LIKE", "").split()]
        return self.system == "Linux" and any(name in ids for name in distributions)

    def codename(self, distribution: str) -> str:
        """Return the code name of the release of a distribution, also of one that it was made from."""
        return self.release.get(f"{distribution.upper()}_CODENAME") or self.release.get("VERSION_CODENAME", "")

    def came_with_qgis(self, folder: str) -> bool:
        """Answer whether the packages in a folder came with QGIS, and not by pip for one user or beside the system."""
        prefix = self.prefix.rstrip("/\\")
        own = (f"{prefix}/lib", "/app/") if self.system == "Linux" else (prefix,)
        return bool(folder) and folder.startswith(own)

    def app(self) -> str:
        """Return the macOS application that QGIS's Python is in."""
        head, found, _ = self.prefix.partition(".app/")
        return shlex.quote(f"{head}.app") if found else "/Applications/QGIS.app"


@dataclass(frozen=True)
class Step:
    """A command that adds packages, and what each package is called in it.

    Attributes
    ----------
    command : str
        With {names}, {app} for the macOS application, and {numpy} for a demand that keeps the numpy that is there.
    names : mapping
        Of packages to words of the command, with blanks between several; the step is left out where none is needed.
    between : str
    """

    command: str
    names: Mapping[str, str]
    between: str = " "

    def written(self, wanted: Iterable[str], machine: Machine) -> str | None:
        """Return the command for these packages, or None where it has nothing to do."""
        words = [word for name in wanted for word in self.names.get(name, "").split(" ") if word]
        if not words:
            return None
        return self.command.format(
            names=self.between.join(dict.fromkeys(words)),
            app=machine.app(),
            numpy=f'"numpy=={machine.numpy}"' if machine.numpy else "numpy",
        )


@dataclass(frozen=True)
class Platform:
    """A place where QGIS comes from.

    Attributes
    ----------
    name : str
    recognised : callable
        Answers whether a `Machine` is one of these.
    brings : tuple of str
        The packages that come with QGIS, new enough.
    steps : tuple of Step
        What adds the others, one after the other. Empty where no line does: `where` then says what to do.
    where : str
        What comes before the line: where to run it.
    take_out : str
        How pip takes a package out there.
    never : str
        What must not be put there.
    known : str
        Whether this was run by the project, or where it is known from.
    """

    name: str
    recognised: Callable[[Machine], bool]
    brings: tuple[str, ...]
    steps: tuple[Step, ...]
    known: str
    where: str = "Run in a terminal"
    take_out: str = "/usr/bin/python3 -m pip uninstall --break-system-packages"
    never: str = f"wheels of {', '.join(BUNDLING)}"

    def line(self, wanted: Iterable[str], machine: Machine) -> str:
        """Return the one line that adds these packages, or "" where none does."""
        wanted = [name for name in NAMES if name in set(wanted)]
        commands = [step.written(wanted, machine) for step in self.steps]
        return " && ".join(command for command in commands if command)


def prefixed(prefix: str, names: Iterable[str] = NAMES) -> dict[str, str]:
    """Return the names that a distribution has for packages."""
    return {name: f"{prefix}{name}" for name in names}


APT = "sudo apt install --no-install-recommends {names}"
# Debian 12's shapely is 1.8. Another one is compiled against QGIS's own GEOS; shapely 2.2 would need meson and
# pkg-config for that. geopandas is pure Python; what it asks for besides (pyogrio) brings a GDAL of its own.
FROM_SOURCE = (
    Step(
        APT,
        {
            **prefixed("python3-", ("numpy", "scipy", "pandas", "networkx")),
            "shapely": "python3-pip python3-dev python3-numpy libgeos-dev g++",
            "geopandas": "python3-pip python3-packaging python3-pandas python3-pyproj",
        },
    ),
    Step(
        "/usr/bin/python3 -m pip install --user --break-system-packages --no-deps --no-binary shapely {names}",
        {"shapely": '"shapely>=2.0,<2.2"', "geopandas": '"geopandas>=1.0,<1.1"'},
    ),
)
OSGEO4W = Step("setup --autoaccept --quiet-mode --packages {names}", prefixed("python3-", NAMES), between=",")
# numpy stays as it is: GDAL was compiled for it. pip must not bring what geopandas asks for besides (pyogrio).
MACOS = (
    Step(
        "{app}/Contents/MacOS/python -m pip install {numpy} {names}",
        {"scipy": "scipy", "pandas": "pandas", "networkx": "networkx", "geopandas": "packaging"},
    ),
    Step(
        "{app}/Contents/MacOS/python -m pip install --no-deps {names}",
        {"shapely": '"shapely>=2.0"', "geopandas": "geopandas"},
    ),
)
# There, unlike on Linux, a shapely finds the GEOS that came with it.
MAC_NEVER = "wheels of pyproj, pyogrio, fiona"
FLATPAK = "flatpak run --devel --command=pip3 org.qgis.qgis"

PLATFORMS = (
    Platform(
        "conda",
        lambda machine: machine.exists(str(PurePath(machine.prefix, "conda-meta"))),
        brings=("numpy",),
        steps=(Step("conda install -c conda-forge {names}", {**prefixed(""), "shapely": '"shapely>=2"'}),),
        where="Run in a terminal, with the environment of QGIS active",
        take_out="python -m pip uninstall",
        never="anything by pip that conda-forge has",
        known="not run; conda-forge/qgis-feedstock, recipe of 3.44.7",
    ),
    Platform(
        "Windows, network installer (OSGeo4W)",
        lambda machine: machine.system == "Windows" and not is_standalone(machine),
        brings=("numpy",),
        steps=(OSGEO4W,),
        where="Open the OSGeo4W Shell of the Start menu and run",
        take_out="python -m pip uninstall",
        known="not run; jef-n/OSGeo4W, src/qgis and src/setup",
    ),
    Platform(
        "Windows, standalone installer (MSI)",
        lambda machine: machine.system == "Windows" and is_standalone(machine),
        brings=NAMES,
        steps=(OSGEO4W,),
        where="Open the OSGeo4W Shell of QGIS in the Start menu as administrator and run",
        take_out="python -m pip uninstall",
        known="not run; jef-n/OSGeo4W, src/qgis (qgis-full) and scripts/createmsi.pl",
    ),
    Platform(
        "macOS, QGIS 4",
        lambda machine: machine.system == "Darwin" and machine.qgis >= 40000,
        brings=NAMES,
        steps=MACOS,
        take_out="{app}/Contents/MacOS/python -m pip uninstall",
        never=MAC_NEVER,
        known="not run; qgis/QGIS, vcpkg.json and #64434, #64589",
    ),
    Platform(
        "macOS, QGIS 3.44.4 and later",
        lambda machine: machine.system == "Darwin" and machine.qgis >= 34404,
        brings=("numpy",),
        steps=MACOS,
        where="Install QGIS 3.44.7 or later, which brings most of them, or run in a terminal",
        take_out="{app}/Contents/MacOS/python -m pip uninstall",
        never=MAC_NEVER,
        known="not run; qgis/QGIS #64335 (3.44.4 has no pandas and geopandas; 3.44.7 has), opengisch/qfieldsync #805",
    ),
    Platform(
        "macOS, QGIS 3.40 to 3.44.3",
        lambda machine: machine.system == "Darwin",
        brings=("numpy", "scipy"),
        steps=(),
        where="This QGIS has shapely 1.7 inside, which nothing can replace: install QGIS 4, which brings all of them",
        take_out="{app}/Contents/MacOS/bin/python3 -m pip uninstall",
        known="not run; qgis/QGIS-Mac-Packager #180",
    ),
    Platform(
        "Flatpak",
        lambda machine: machine.environment.get("FLATPAK_ID") == "org.qgis.qgis" or machine.exists("/.flatpak-info"),
        brings=("numpy",),
        steps=(
            Step(f"{FLATPAK} install --user {{numpy}} {{names}}",
                 {"scipy": "scipy", "pandas": "pandas", "networkx": "networkx", "geopandas": "packaging"}),
            # no headers of GEOS to compile with; the wheel's code is older than the GEOS 3.14 that it meets
            Step(f"{FLATPAK} install --user --no-deps {{names}}",
                 {"shapely": '"shapely>=2.0,<2.2"', "geopandas": "geopandas"}),
        ),
        where="Run in a terminal (outside QGIS)",
        take_out=f"{FLATPAK} uninstall",
        never="wheels of pyproj, pyogrio, fiona, or of shapely 2.2 and later",
        known="not run there, its pip commands on Debian testing; flathub/org.qgis.qgis, manifest of 4.0.3",
    ),
    Platform(
        "Ubuntu 24.04 and later",
        lambda machine: machine.is_like("ubuntu") and machine.codename("ubuntu") not in OLD_UBUNTU,
        brings=("numpy",),
        steps=(Step(APT, prefixed("python3-")),),
        known="not run; packages.ubuntu.com (24.04: shapely 2.0.3, geopandas 0.14.3)",
    ),
    Platform(
        "Debian 12",
        lambda machine: machine.is_like("debian") and machine.codename("debian") == "bookworm",
        brings=("numpy",),
        steps=FROM_SOURCE,
        known="run by `.ci/try-install bookworm`",
    ),
    Platform(
        "Debian 13 and later",
        lambda machine: machine.is_like("debian") and not machine.is_like("ubuntu")
        and machine.codename("debian") not in OLD_DEBIAN,
        brings=("numpy",),
        steps=(Step(APT, prefixed("python3-")),),
        known="run by `.ci/try-install trixie forky`",
    ),
    Platform(
        "Fedora",
        lambda machine: machine.is_like("fedora") and not machine.is_like("rhel", "centos"),
        brings=("numpy",),
        steps=(Step("sudo dnf install {names}", prefixed("python3-")),),
        known="not run; packages.fedoraproject.org (43: shapely 2.1.2, geopandas 1.1.1, networkx 3.6.1)",
    ),
    Platform(
        "Arch Linux",
        lambda machine: machine.is_like("arch"),
        brings=("numpy",),
        steps=(Step("sudo pacman -S --needed {names}", prefixed("python-")),),
        known="not run; archlinux.org/packages (extra: qgis, python-geopandas 1.1.3)",
    ),
    Platform(
        "any other",
        lambda machine: True,
        brings=("numpy",),
        steps=(),
        where="Install them from where QGIS came from (your distribution's own packages; conda where it has none)",
        known="a guess",
    ),
)  # fmt: skip
OLD_UBUNTU = ("bionic", "focal", "jammy")
OLD_DEBIAN = ("buster", "bullseye", "bookworm")


def is_standalone(machine: Machine) -> bool:
    r"""Answer whether a Windows QGIS has a folder of its own (C:\Program Files\QGIS 3.44.1), also as a short name."""
    folders = machine.environment.get("OSGEO4W_ROOT", machine.prefix).replace("\\", "/").split("/")
    return any(folder.lower().startswith("qgis") for folder in folders)


def platform_of(machine: Machine) -> Platform:
    """Return the row of the table that a machine is; the last one is for those that no other row knows."""
    return next(row for row in PLATFORMS if row.recognised(machine))


@lru_cache(maxsize=1)
def this_machine() -> Machine:
    """Return what is known about the QGIS that runs this."""
    try:
        from qgis.core import Qgis

        qgis = Qgis.versionInt()
    except ImportError:  # the line is asked for outside QGIS
        qgis = 0
    try:
        release = platform.freedesktop_os_release()
    except (OSError, AttributeError):  # not Linux; Python 3.9
        release = {}
    spec = importlib.util.find_spec("numpy")
    folder = str(PurePath(spec.origin).parent.parent) if spec and spec.origin else ""
    numpy = version_in(folder, "numpy") if folder else ""
    return Machine(platform.system(), qgis, sys.prefix, os.environ, release, os.path.exists, numpy, folder)


def version_in(folder: str, name: str) -> str:
    """Return the version of a package that lies in a folder, or "". Another folder may have another one."""
    found = next(iter(metadata.distributions(name=name, path=[folder])), None)
    return (found.version if found else "") or ""
