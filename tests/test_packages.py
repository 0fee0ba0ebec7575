"""Where QGIS comes from and which Python packages it lacks: recognised, told in a sentence, with the right line."""

import ast
import dataclasses
import importlib.util
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from healthcare_territories.processing import packages, platforms
from healthcare_territories.processing.platforms import NAMES, PLATFORMS, Machine

ROOT = Path(__file__).resolve().parent.parent


def linux(release="", prefix="/usr", there=(), **environment):
    """Return a Linux machine from os-release lines with blanks between them."""
    said = dict(entry.split("=") for entry in release.split(" ") if entry)
    said = {key: value.replace("+", " ") for key, value in said.items()}
    return Machine("Linux", 34406, prefix, environment, said, lambda path: path in there, "1.24.2")


def windows(root, **environment):
    return Machine("Windows", 34406, rf"{root}\apps\Python312", {"OSGEO4W_ROOT": root, **environment})


def mac(version, app="/Applications/QGIS.app"):
    return Machine("Darwin", version, f"{app}/Contents/Frameworks", numpy="2.1.3")


UBUNTU = "ID=ubuntu ID_LIKE=debian VERSION_ID=24.04 VERSION_CODENAME=noble UBUNTU_CODENAME=noble"
BOOKWORM = "ID=debian VERSION_ID=12 VERSION_CODENAME=bookworm"
TRIXIE = "ID=debian VERSION_ID=13 VERSION_CODENAME=trixie"
FEDORA = "ID=fedora VERSION_ID=43"

MACHINES = [
    (windows(r"C:\OSGeo4W"), "Windows, network installer (OSGeo4W)"),
    (windows(r"D:\gis\osgeo4w-ltr"), "Windows, network installer (OSGeo4W)"),
    (windows(r"C:\Program Files\QGIS 3.44.6"), "Windows, standalone installer (MSI)"),
    (windows(r"C:\PROGRA~1\QGIS34~1.6"), "Windows, standalone installer (MSI)"),
    (mac(34012), "macOS, QGIS 3.40 to 3.44.3"),
    (mac(34403), "macOS, QGIS 3.40 to 3.44.3"),
    (mac(34404), "macOS, QGIS 3.44.4 and later"),
    (mac(34411, "/Applications/QGIS-LTR.app"), "macOS, QGIS 3.44.4 and later"),
    (mac(40001), "macOS, QGIS 4"),
    (linux(BOOKWORM), "Debian 12"),
    (linux("ID=linuxmint ID_LIKE=debian VERSION_CODENAME=faye DEBIAN_CODENAME=bookworm"), "Debian 12"),
    (linux("ID=raspbian ID_LIKE=debian VERSION_CODENAME=bookworm"), "Debian 12"),
    (linux(TRIXIE), "Debian 13 and later"),
    (linux("ID=debian VERSION_CODENAME=forky"), "Debian 13 and later"),
    (linux("ID=debian"), "Debian 13 and later"),  # unstable has neither version nor code name
    (linux("ID=debian VERSION_ID=11 VERSION_CODENAME=bullseye"), "any other"),
    (linux(UBUNTU), "Ubuntu 24.04 and later"),
    (linux("ID=ubuntu ID_LIKE=debian VERSION_CODENAME=questing UBUNTU_CODENAME=questing"), "Ubuntu 24.04 and later"),
    (linux("ID=linuxmint ID_LIKE=ubuntu+debian VERSION_CODENAME=wilma UBUNTU_CODENAME=noble"),
     "Ubuntu 24.04 and later"),
    (linux("ID=pop ID_LIKE=ubuntu+debian VERSION_CODENAME=jammy UBUNTU_CODENAME=jammy"), "any other"),
    (linux(FEDORA), "Fedora"),
    (linux("ID=nobara ID_LIKE=fedora"), "Fedora"),
    (linux("ID=rocky ID_LIKE=rhel+centos+fedora"), "any other"),
    (linux("ID=arch"), "Arch Linux"),
    (linux("ID=endeavouros ID_LIKE=arch"), "Arch Linux"),
    (linux("ID=opensuse-tumbleweed ID_LIKE=opensuse+suse"), "any other"),
    (linux(), "any other"),
    (Machine("FreeBSD"), "any other"),
    # what sits in a box of its own is that, whatever it runs on
    (linux("ID=org.kde.platform", FLATPAK_ID="org.qgis.qgis"), "Flatpak"),
    (linux(FEDORA, there=["/.flatpak-info"]), "Flatpak"),
    (linux(UBUNTU, "/opt/mamba/envs/gis", there=["/opt/mamba/envs/gis/conda-meta"]), "conda"),
    (Machine("Darwin", 34407, "/opt/conda", exists=lambda path: path == "/opt/conda/conda-meta"), "conda"),
    # a conda that is active in the shell from which the system's QGIS is started is not QGIS's
    (linux(TRIXIE, there=["/opt/conda/conda-meta"], CONDA_PREFIX="/opt/conda"), "Debian 13 and later"),
]  # fmt: skip


@pytest.mark.parametrize(("machine", "name"), MACHINES)
def test_each_is_recognised(machine, name):
    assert platforms.platform_of(machine).name == name


def test_every_row_of_the_table_is_tried():
    assert {name for _, name in MACHINES} == {row.name for row in PLATFORMS}


@pytest.mark.parametrize(("machine", "name"), MACHINES)
def test_no_line_breaks_qgis(machine, name):
    """Nothing brings a second GEOS, PROJ or GDAL where QGIS's own would be called instead."""
    line = platforms.platform_of(machine).line(NAMES, machine)
    assert "{" not in line
    for command in line.split(" && "):
        if "pip" not in command.split(" install ")[0]:
            continue  # packages of those who made QGIS
        assert not re.search(r"\b(pyproj|pyogrio|fiona|gdal)\b", command)
        if "geopandas" in command or "shapely" in command:
            assert "--no-deps" in command
        if "shapely" in command and machine.system == "Linux":
            assert "--no-binary shapely" in command or "org.qgis.qgis" in command


@pytest.mark.parametrize(("machine", "name"), MACHINES)
def test_a_line_adds_all_that_is_asked_for_and_not_more(machine, name):
    row = platforms.platform_of(machine)
    assert row.line([], machine) == ""
    if row.steps:
        for package in set(NAMES) - {"numpy"}:
            assert package in row.line([package], machine).lower()
        assert "shapely" not in row.line(["networkx"], machine)
        assert not {"networkx", "pandas"} & set(re.findall(r"\w+", row.line(["scipy"], machine)))


@pytest.mark.parametrize(
    ("machine", "wanted", "line"),
    [
        (linux(TRIXIE), ["shapely", "scipy"],
         "sudo apt install --no-install-recommends python3-scipy python3-shapely"),
        (linux(BOOKWORM), ["networkx"], "sudo apt install --no-install-recommends python3-networkx"),
        (linux(FEDORA), ["networkx", "shapely"], "sudo dnf install python3-networkx python3-shapely"),
        (linux("ID=arch"), ["scipy"], "sudo pacman -S --needed python-scipy"),
        (windows(r"C:\OSGeo4W"), ["scipy", "networkx"],
         "setup --autoaccept --quiet-mode --packages python3-scipy,python3-networkx"),
        (mac(34406, "/Applications/QGIS 3.44.app"), ["networkx"],
         "'/Applications/QGIS 3.44.app'/Contents/MacOS/python -m pip install \"numpy==2.1.3\" networkx"),
        (linux("", FLATPAK_ID="org.qgis.qgis"), ["scipy"],
         'flatpak run --devel --command=pip3 org.qgis.qgis install --user "numpy==1.24.2" scipy'),
        (linux("", "/c", there=["/c/conda-meta"]), ["shapely"], 'conda install -c conda-forge "shapely>=2"'),
        (linux("ID=gentoo"), ["shapely"], ""),
        (mac(34012), ["shapely"], ""),
    ],
)  # fmt: skip
def test_the_line(machine, wanted, line):
    assert platforms.platform_of(machine).line(wanted, machine) == line


def test_debian_12_compiles_a_shapely_that_needs_no_pkg_config():
    line = platforms.platform_of(linux(BOOKWORM)).line(["shapely", "geopandas"], linux(BOOKWORM))
    apt, pip = line.split(" && ")
    assert {"python3-pip", "python3-dev", "libgeos-dev", "g++", "python3-pyproj", "python3-packaging"} <= set(
        apt.split()
    )
    assert pip.endswith('--no-deps --no-binary shapely "shapely>=2.0,<2.2" "geopandas>=1.0,<1.1"')


def test_the_readmes_table_is_this_one():
    done = subprocess.run(
        [sys.executable, ROOT / ".ci" / "platforms", "--check"], capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr


def test_requirements_say_the_same():
    lines = (ROOT / "requirements.txt").read_text(encoding="utf-8").splitlines()
    asked = [line for line in lines if line and not line.startswith("#")]
    assert asked == [f"{package.name}>={package.at_least}" for package in packages.PACKAGES]
    assert tuple(package.name for package in packages.PACKAGES) == NAMES


def is_module(name):
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # what holds it is no package
        return False


def test_all_that_the_code_imports_of_them_is_tried():
    """scipy alone loads where its compiled parts do not: each part that is used is tried."""
    tried = {module for package in packages.PACKAGES for module in package.modules}
    used = set()
    for folder in ("territory_plugin", "processing"):
        for file in (ROOT / folder).rglob("*.py"):
            for node in ast.walk(ast.parse(file.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Import):
                    used |= {alias.name for alias in node.names}
                elif isinstance(node, ast.ImportFrom) and not node.level:
                    used |= (
                        {f"{node.module}.{alias.name}" for alias in node.names}
                        if node.module == "scipy"
                        else {node.module}
                    )
    used = {name for name in used if re.fullmatch(r"scipy(\.[a-z]+)+", name)}
    assert "scipy.optimize" in used
    # functions come with their module
    modules = [name for name in sorted(used) if is_module(name)]
    assert [name for name in modules if not any(f"{module}.".startswith(f"{name}.") for module in tried)] == []


# What is wrong with a package


@pytest.fixture
def put(tmp_path, monkeypatch):
    """Return ``put(name, code, version=None)``, which puts a package in front of all others and asks what is wrong."""
    monkeypatch.syspath_prepend(str(tmp_path))

    def make(name, code="", version=None):
        (tmp_path / name).mkdir()
        (tmp_path / name / "__init__.py").write_text(code, encoding="utf-8")
        if version:
            info = tmp_path / f"{name}-{version}.dist-info"
            info.mkdir()
            (info / "METADATA").write_text(f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n", "utf-8")
        return packages.fault_of(packages.Package(name, "2.0", (name,), has="new_enough"))

    yield make
    for made in tmp_path.iterdir():
        sys.modules.pop(made.name, None)


def test_a_package_that_works(put):
    assert put("madeup_fine", "new_enough = 1", "2.3.1") is None
    assert put("madeup_fine_too", "new_enough = 1", "0+unknown") is None  # so says Debian's shapely 2.2
    assert put("madeup_plain", "new_enough = 1; __version__ = '10.0'") is None


def test_a_package_that_is_not_there():
    fault = packages.fault_of(packages.Package("madeup_nowhere", "2.0", ("madeup_nowhere",)))
    assert (fault.kind, fault.version, fault.place) == ("missing", "", "")


def test_a_package_that_is_too_old(put):
    assert put("madeup_old", "new_enough = 1", "1.8.5").kind == "old"
    assert put("madeup_says", "new_enough = 1; __version__ = '1.8.5'").version == "1.8.5"
    assert put("madeup_lacks", "", "0+unknown").kind == "old"
    # an old one that its age keeps from loading is old
    assert put("madeup_both", "raise ImportError('numpy 2')", "1.8.5").kind == "old"


@pytest.mark.parametrize(
    ("version", "at_least", "old"),
    [
        ("1.9", "1.10", True),
        ("1.10", "1.9", False),
        ("1.10.0", "1.10", False),
        ("2.0rc1", "1.22", False),
        ("0.9.9", "1.0", True),
        ("10.1", "9.0", False),
        ("2.2.3+dfsg", "1.5", False),
        ("0+unknown", "2.0", False),
        ("", "2.0", False),
    ],
)
def test_which_version_is_older(version, at_least, old):
    assert packages.too_old(version, at_least) == old


@pytest.mark.parametrize(
    ("code", "error"),
    [
        ("raise ImportError('libgeos_c.so.1: cannot open shared object file')",
         "libgeos_c.so.1: cannot open shared object file"),
        ("raise ModuleNotFoundError(\"No module named 'dateutil'\", name='dateutil')", "No module named 'dateutil'"),
        ("import madeup_dependency_that_is_nowhere", "No module named 'madeup_dependency_that_is_nowhere'"),
        ("raise AttributeError('\\n  _ARRAY_API not found\\nIf you are a user ...')", "_ARRAY_API not found"),
        ("raise RuntimeError()", "RuntimeError"),
        ("def broken(:", "invalid syntax (__init__.py, line 2)"),
    ],
)  # fmt: skip
def test_a_package_that_does_not_load(put, code, error, capfd):
    fault = put("madeup_broken", f"import sys; sys.stderr.write('Traceback of numpy')\n{code}", "2.1")
    assert (fault.kind, fault.version, fault.error) == ("broken", "2.1", error)
    assert fault.place.endswith("madeup_broken")
    assert "Traceback" not in capfd.readouterr().err


def test_what_only_fails_for_another_is_not_blamed(put, monkeypatch):
    put("madeup_base", "raise ImportError('wrong Python')")
    put("madeup_top", "import madeup_base")
    put("madeup_alone", "raise ImportError('its own')")
    monkeypatch.setattr(
        packages,
        "PACKAGES",
        [
            packages.Package(name, "1.0", (name,), stands_on=stands_on)
            for name, stands_on in (("madeup_base", ()), ("madeup_top", ("madeup_base",)), ("madeup_alone", ()))
        ],
    )
    assert [fault.package.name for fault in packages.faults.__wrapped__()] == ["madeup_base", "madeup_alone"]


def fault(name, kind, *more):
    return packages.Fault(next(package for package in packages.PACKAGES if package.name == name), kind, *more)


def with_numpy(machine, version, folder):
    return dataclasses.replace(machine, numpy=version, numpy_folder=folder)


OWN = "/usr/lib/python3/dist-packages"
DEBIAN = with_numpy(linux(TRIXIE), "1.24.2", OWN)


def test_the_sentence():
    assert packages.complaint((), DEBIAN) == ""
    said = packages.complaint(
        (
            fault("scipy", "broken", "1.10.1", "/p/scipy", "_ARRAY_API not found"),
            fault("networkx", "missing"),
            fault("shapely", "old", "1.8.5", "/q"),
            fault("geopandas", "missing"),
        ),
        DEBIAN,
    )
    assert said == (
        "Healthcare Territories needs Python packages that do not work here: this QGIS lacks networkx, geopandas; "
        "scipy 1.10.1 in /p/scipy does not load (“_ARRAY_API not found”); "
        "shapely 1.8.5 is too old (2.0 or later is needed). "
        "Not QGIS's own: scipy in /p; take that out first "
        "(/usr/bin/python3 -m pip uninstall --break-system-packages scipy). Run in a terminal:\n"
        "sudo apt install --no-install-recommends "
        "python3-scipy python3-networkx python3-shapely python3-geopandas\n"
        "Then restart QGIS."
    )


def test_a_numpy_in_the_way_of_what_came_with_qgis_is_what_goes():
    machine = with_numpy(DEBIAN, "2.2.6", "/me/.local/lib/python3.11/site-packages")
    found = (
        fault("scipy", "broken", "1.10.1", f"{OWN}/scipy", "cannot import name 'Inf' from 'numpy'"),
        fault("pandas", "broken", "1.5.3", f"{OWN}/pandas", "numpy.dtype size changed"),
    )
    said = packages.how_to_install(found, machine)
    assert said == (
        "Not QGIS's own: numpy in /me/.local/lib/python3.11/site-packages; take that out "
        "(/usr/bin/python3 -m pip uninstall --break-system-packages numpy)."
    )
    # what is missing besides has to be added all the same
    said = packages.how_to_install((*found, fault("networkx", "missing")), machine)
    assert said.endswith("Run in a terminal:\nsudo apt install --no-install-recommends python3-networkx")


def test_what_came_with_qgis_and_is_broken_by_itself_is_installed_again():
    said = packages.how_to_install((fault("networkx", "broken", "2.8", f"{OWN}/networkx", "half of it"),), DEBIAN)
    assert said == "Run in a terminal:\nsudo apt install --no-install-recommends python3-networkx"


@pytest.mark.parametrize(
    ("machine", "folder", "own"),
    [
        (DEBIAN, OWN, True),
        (linux(FEDORA), "/usr/lib64/python3.14/site-packages", True),
        (DEBIAN, "/usr/local/lib/python3.13/dist-packages", False),
        (DEBIAN, "/me/.local/lib/python3.13/site-packages", False),
        (linux("", FLATPAK_ID="org.qgis.qgis"), "/app/lib/python3.13/site-packages", True),
        (linux("", "/opt/conda/envs/gis"), "/opt/conda/envs/gis/lib/python3.12/site-packages", True),
        (linux("", "/opt/conda/envs/gis"), OWN, False),
        (windows(r"C:\OSGeo4W"), r"C:\OSGeo4W\apps\Python312\Lib\site-packages", True),
        (windows(r"C:\OSGeo4W"), r"C:\Users\me\AppData\Roaming\Python\Python312\site-packages", False),
        (mac(40001), "/Applications/QGIS.app/Contents/Frameworks/lib/python3.12/site-packages", True),
        (mac(40001), "/Users/me/Library/Python/3.12/lib/python/site-packages", False),
        (DEBIAN, "", False),
    ],
)
def test_what_came_with_qgis(machine, folder, own):
    assert machine.came_with_qgis(folder) == own


def test_the_sentence_where_no_line_helps():
    said = packages.complaint((fault("shapely", "old", "1.7"),), mac(34012))
    assert said.endswith("install QGIS 4, which brings all of them.\nThen restart QGIS.")
    said = packages.complaint((fault("numpy", "broken", "2.0", "/p/numpy", "no"),), mac(40001))
    assert "/Applications/QGIS.app/Contents/MacOS/python -m pip uninstall numpy" in said
    assert "run in a terminal:" not in said.lower()


# In QGIS


@pytest.fixture
def without(tmp_path, qgis_profile):
    """Return ``call(stubs, *arguments)``: `qgis_process` where packages are replaced by code that is run instead."""
    profile = qgis_profile(tmp_path / "qgis")

    def call(stubs, *arguments):
        folder = tmp_path / "stubs"
        shutil.rmtree(folder, ignore_errors=True)
        for name, code in stubs.items():
            (folder / name).mkdir(parents=True)
            (folder / name / "__init__.py").write_text(code, encoding="utf-8")
        own = profile.environment["PYTHONPATH"]
        profile.environment["PYTHONPATH"] = f"{folder}:{own}"
        try:
            return profile.call(*arguments)
        finally:
            profile.environment["PYTHONPATH"] = own

    return call


# QGIS itself imports shapely, and lives with this error; with any other one it has no Python at all
NOT_FOR_THIS_PYTHON = "raise ModuleNotFoundError(\"No module named 'shapely.lib'\", name='shapely.lib')"
FOR_ANOTHER_NUMPY = "import sys; sys.stderr.write('Traceback: compiled for numpy 1'); raise ImportError('numpy 2')"


def test_qgis_process_says_it_in_a_sentence(without, tmp_path):
    units = tmp_path / "units.geojson"
    units.write_text('{"type": "FeatureCollection", "features": []}', encoding="utf-8")
    output = tmp_path / "edges.gpkg"
    done = without(
        {"shapely": NOT_FOR_THIS_PYTHON, "scipy": FOR_ANOTHER_NUMPY},
        "run", "territories:buildadjacencygraph", "--", f"INPUT={units}", "UNIT_FIELD=zip", f"OUTPUT={output}",
    )  # fmt: skip
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 134, 139), said
    assert said.count("Healthcare Territories needs Python packages") == 1
    assert "shapely" in said
    assert "does not load (“No module named 'shapely.lib'”)" in said
    assert "does not load (“numpy 2”)" in said
    assert "geopandas" not in said.partition("Run in")[0]  # it only fails because shapely does
    assert "Traceback" not in said
    assert not output.exists()


def test_a_model_says_it_too(without, tmp_path):
    sample = ROOT / "sample" / "sample.gpkg"
    inputs = {
        "PROVIDERS": f"{sample}|layername=providers",
        "PROVIDER_ZIP_FIELD": "Provider Business Practice Location Address Postal Code",
        "SPECIALTY_FIELD": "Healthcare Provider Taxonomy Code_1",
        "ZIPS": f"{sample}|layername=zips",
        "ZIP_FIELD": "zip",
        "TERRITORIES": "12",
        "territories": tmp_path / "territories.gpkg",
    }
    done = without(
        {"networkx": "raise ImportError('half of it is missing')"},
        "run",
        "territories:Providers to territories",
        "--",
        *(f"{name}={value}" for name, value in inputs.items()),
    )
    said = done.stdout + done.stderr
    assert done.returncode not in (0, 134, 139), said
    assert "does not load (“half of it is missing”)" in said
    assert "Traceback" not in said
