"""The zip for the plugin site holds what it should, keeps to the site's rules, and works when unpacked."""

import configparser
import os
import re
import shutil
import subprocess
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent

PACKAGE = "healthcare_territories"
SITE_LIMIT = 25e6  # bytes
NEEDED = (
    "metadata.txt", "__init__.py", "LICENSE", "README.md", "CHANGELOG.md", "requirements.txt", "docs/guide.md",
)  # fmt: skip
REFUSED_SUFFIXES = {".so", ".dll", ".dylib", ".pyd", ".exe", ".bin", ".a", ".o", ".pyc", ".whl", ".jar"}
REQUIRED_KEYS = (
    "name",
    "qgisMinimumVersion",
    "description",
    "about",
    "version",
    "author",
    "email",
    "license",
    "tags",
    "icon",
)


@pytest.fixture(scope="module")
def packed(tmp_path_factory):
    """Return the plugin as it stands, zipped as `make package` does."""
    path = tmp_path_factory.mktemp("package") / "plugin.zip"
    subprocess.run(["bash", ROOT / ".ci" / "package", path], check=True)
    return path


@pytest.fixture(scope="module")
def names(packed):
    with zipfile.ZipFile(packed) as archive:
        return archive.namelist()


@pytest.fixture(scope="module")
def metadata():
    parser = configparser.ConfigParser()
    parser.optionxform = str
    parser.read(ROOT / "metadata.txt", encoding="utf-8")
    return dict(parser["general"])


def test_one_folder_under_the_installed_name(names):
    assert {name.split("/")[0] for name in names} == {PACKAGE}


def test_holds_what_the_plugin_needs(names):
    inside = {name.partition("/")[2] for name in names}
    assert set(NEEDED) <= inside
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "territory_plugin", "processing", "icons", "sample"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert {name for name in tracked.stdout.splitlines() if (ROOT / name).exists()} <= inside


def test_leaves_the_workshop_out(names):
    top = {name.split("/")[1] for name in names}
    pages = {name.split("/", 2)[2] for name in names if name.startswith(f"{PACKAGE}/docs/")}
    assert {page for page in pages if not page.startswith("images/")} <= {"", "guide.md"}, "the guide, which Help shows"
    assert not top & {"tests", "benchmarks", "demo", "dist", "Makefile", "pyproject.toml"}
    assert [name for name in names if any(part.startswith(".") for part in name.split("/"))] == []
    assert [name for name in names if Path(name).suffix.lower() in REFUSED_SUFFIXES or "__pycache__" in name] == []


def test_is_small(packed):
    assert packed.stat().st_size < SITE_LIMIT


def test_metadata_keeps_to_the_sites_rules(metadata, names):
    assert [key for key in REQUIRED_KEYS if not metadata.get(key, "").strip()] == []
    assert [key for key in ("homepage", "repository", "tracker") if key not in metadata] == []
    assert re.fullmatch(r"\d+\.\d+(\.\d+)?", metadata["version"])
    assert metadata["qgisMinimumVersion"] == "3.40"
    assert metadata["hasProcessingProvider"] == "yes"
    assert f"{PACKAGE}/{metadata['icon']}" in names
    # The site refuses HTML in these, and names that say "plugin"
    assert not re.search(r"<\w+", metadata["description"] + metadata["about"])
    assert "plugin" not in metadata["name"].lower()


def test_the_version_is_written_once(metadata):
    listed = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True)
    quoted = re.compile(rf"version.{{0,6}}[=:].{{0,3}}\b{re.escape(metadata['version'])}\b", re.IGNORECASE)
    holders = [
        name
        for name in listed.stdout.splitlines()
        if name.endswith((".py", ".toml", ".txt", ".cfg"))
        and "requirements" not in name
        and quoted.search((ROOT / name).read_text(encoding="utf-8"))
    ]
    assert holders == ["metadata.txt"]
    assert f"## {metadata['version']}" in (ROOT / "CHANGELOG.md").read_text(encoding="utf-8")


def test_works_unpacked_in_a_fresh_profile(packed, tmp_path, territories_provider, qgis_profile):
    with zipfile.ZipFile(packed) as archive:
        archive.extractall(tmp_path)
    profile = qgis_profile(tmp_path / "qgis", plugin=tmp_path / PACKAGE)
    listed = profile.call("list")
    assert listed.returncode == 0, listed.stderr
    algorithms = [algorithm.id() for algorithm in territories_provider.algorithms()]
    assert algorithms, "the provider offers nothing"
    assert [name for name in algorithms if name not in listed.stdout] == []
    assert "Traceback" not in listed.stderr + profile.enabled.stderr


# A clone in a folder that shells take apart


@pytest.fixture
def odd_clone(tmp_path):
    """Return a folder with an apostrophe, blanks and a dollar in its path, with what `make` runs without a setup."""
    clone = tmp_path / "it's my $clone (2)"
    clone.mkdir()
    shutil.copy(ROOT / "Makefile", clone)
    shutil.copytree(ROOT / ".ci", clone / ".ci")
    return clone


@pytest.mark.parametrize("profile", ["my prof", "Anne's", 'a "b"', "*"])
def test_install_into_a_profile_with_blanks_and_quotes(odd_clone, tmp_path, profile):
    home = tmp_path / "my home"
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QGIS", "XDG", "MAKE"))}
    done = subprocess.run(
        ["make", "install", f"PROFILE={profile}"],
        cwd=odd_clone,
        env={**environment, "HOME": str(home)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    plugins = home / ".local" / "share" / "QGIS" / "QGIS3" / "profiles" / profile / "python" / "plugins"
    assert (plugins / PACKAGE).resolve() == odd_clone.resolve()


def test_install_without_a_profile_takes_the_default_one(odd_clone, tmp_path):
    environment = {name: value for name, value in os.environ.items() if not name.startswith(("QGIS", "XDG", "MAKE"))}
    environment.pop("PROFILE", None)
    subprocess.run(["make", "-s", "install"], cwd=odd_clone, env={**environment, "HOME": str(tmp_path)}, check=True)
    assert [path.name for path in tmp_path.glob(".local/share/QGIS/QGIS3/profiles/*")] == ["default"]


def test_the_printed_environment_survives_a_shell(odd_clone):
    packages = odd_clone / ".venv" / "lib" / "python3.11" / "site-packages"
    packages.mkdir(parents=True)
    done = subprocess.run(
        ["bash", "-euc", 'eval "$(.ci/env)" && printf "%s\\n" "$PYTHONPATH" "$QGIS_PLUGINPATH"'],
        cwd=odd_clone,
        env={"PATH": os.environ["PATH"], "PYTHONPATH": "/elsewhere/it's"},
        capture_output=True,
        text=True,
    )
    assert done.stdout.splitlines() == [f"{packages}:/elsewhere/it's", str(odd_clone / ".qgis" / "plugins")], (
        done.stderr
    )
