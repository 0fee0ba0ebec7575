"""Imports the plugin under its installed name, so that our `processing` does not hide QGIS's.

Fixtures that need QGIS import it only when asked: the engine's tests run without it.
"""

import contextlib
import importlib.abc
import importlib.util
import json
import lzma
import os
import shutil
import subprocess
import sys
import sysconfig
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).resolve().parent.parent
PACKAGE = "healthcare_territories"

sys.path[:] = [entry for entry in sys.path if Path(entry or ".").resolve() != ROOT]
if PACKAGE not in sys.modules:
    spec = importlib.util.spec_from_file_location(PACKAGE, ROOT / "__init__.py", submodule_search_locations=[str(ROOT)])
    sys.modules[PACKAGE] = package = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(package)


# The engine without QGIS


class RefuseQgis(importlib.abc.MetaPathFinder):
    """Makes every import of QGIS, Qt and GDAL fail."""

    packages = frozenset({"qgis", "PyQt5", "PyQt6", "osgeo"})

    def find_spec(self, name, path=None, target=None):
        if name.partition(".")[0] in self.packages:
            raise ImportError(f"{name} was imported in a run with --without-qgis", name=name)


def pytest_addoption(parser):
    parser.addoption("--without-qgis", action="store_true", help="make any import of QGIS, Qt or GDAL fail")


def pytest_configure(config):
    if config.getoption("without_qgis"):
        early = sorted(RefuseQgis.packages & sys.modules.keys())
        if early:
            raise pytest.UsageError(f"--without-qgis, but loaded already: {', '.join(early)}")
        sys.meta_path.insert(0, RefuseQgis())


# Real data


@pytest.fixture(scope="session")
def shared_data():
    """Return the folder of real data beside the project (`../shared/data`), or skip."""
    for parent in ROOT.parents:
        if (parent / "shared" / "data" / "zcta").is_dir():
            return parent / "shared" / "data"
    pytest.skip("no real data at ../shared/data")


@pytest.fixture(scope="session")
def unpacked(shared_data, tmp_path_factory):
    """Return a function that unpacks a file such as "zcta/zcta_RI.gpkg.xz" once and returns its path."""
    folder = tmp_path_factory.mktemp("unpacked")

    def unpack(name):
        packed = shared_data / name
        target = folder / packed.stem
        if not target.exists():
            with lzma.open(packed) as source, target.open("wb") as sink:
                shutil.copyfileobj(source, sink)
        return target

    return unpack


# QGIS in a process of its own


class Run(NamedTuple):
    """What a run of `qgis_process` gave: exit status, results, and what it told the person."""

    status: int
    results: dict
    messages: str


class QgisProfile:
    """A QGIS profile in `folder` with the plugin enabled, and `qgis_process` under it."""

    def __init__(self, folder, plugin=ROOT):
        (folder / "plugins").mkdir(parents=True)
        (folder / "run").mkdir(mode=0o700)
        (folder / "plugins" / PACKAGE).symlink_to(plugin, target_is_directory=True)
        self.environment = {
            **{name: value for name, value in os.environ.items() if not name.startswith("QGIS")},
            "PYTHONPATH": sysconfig.get_path("purelib"),
            "PYTHONNOUSERSITE": "1",
            "QGIS_CUSTOM_CONFIG_PATH": str(folder / "profile"),
            "QGIS_PLUGINPATH": str(folder / "plugins"),
            "QT_QPA_PLATFORM": "offscreen",
            "XDG_RUNTIME_DIR": str(folder / "run"),
        }
        self.enabled = self.call("plugins", "enable", PACKAGE)
        if self.enabled.returncode != 0:
            pytest.fail(f"qgis_process cannot enable the plugin:\n{self.enabled.stdout}{self.enabled.stderr}")

    def call(self, *arguments, text=None, timeout=120):
        """Run `qgis_process` and return what `subprocess.run` returns; fail when it takes too long."""
        command = [shutil.which("qgis_process") or pytest.fail("no qgis_process on PATH"), *arguments]
        try:
            return subprocess.run(
                command, input=text, capture_output=True, text=True, timeout=timeout, env=self.environment
            )
        except subprocess.TimeoutExpired:
            pytest.fail(f"{' '.join(command)} took more than {timeout} s")

    def run(self, algorithm, parameters, by_json=False, timeout=120):
        """Run an algorithm with flags, or with JSON on stdin; a list becomes a flag repeated or an array."""
        if by_json:
            text = json.dumps({"inputs": parameters}, default=str)
            done = self.call("run", algorithm, "-", text=text, timeout=timeout)
        else:
            flags = [
                f"{name}={item}"
                for name, value in parameters.items()
                for item in (value if isinstance(value, (list, tuple)) else [value])
            ]
            done = self.call("--json", "run", algorithm, "--", *flags, timeout=timeout)
        reply = json.loads(done.stdout) if done.stdout.lstrip().startswith("{") else {}
        messages = done.stderr + json.dumps(reply.get("log", {}), indent=1, ensure_ascii=False)
        return Run(done.returncode, reply.get("results", {}), messages)


@pytest.fixture(scope="session")
def qgis_profile():
    """Return the class `QgisProfile`, for tests that need a profile of their own."""
    return QgisProfile


@pytest.fixture(scope="session")
def qgis_process(tmp_path_factory):
    """Return ``run("territories:ID", {"INPUT": path, …}, by_json=False, timeout=120)``, which gives a `Run`.

    All runs of a session share one temporary profile.
    """
    return QgisProfile(tmp_path_factory.mktemp("qgis")).run


# QGIS in this process


@pytest.fixture(scope="session")
def territories_provider(qgis_processing):
    """Register the provider `territories` once and return it."""
    from healthcare_territories.processing.provider import TerritoriesProvider
    from qgis.core import QgsApplication

    registry = QgsApplication.processingRegistry()
    provider = registry.providerById("territories")
    if provider is None:
        provider = TerritoriesProvider()
        assert registry.addProvider(provider)
    yield provider
    registry.removeProvider("territories")


@pytest.fixture
def pool_runs(territories_provider):
    """Return a function that runs an algorithm many times in Qt's thread pool, as the toolbox does.

    ``pool_runs("territories:ID", parameters, times=20, timeout=300)`` returns the list of result
    dictionaries, temporary outputs as layers, and fails when a run does. `parameters` may be a function
    of the run's number. All runs are queued at once, so some go side by side.
    """
    from qgis.core import (
        Qgis,
        QgsApplication,
        QgsProcessingAlgRunnerTask,
        QgsProcessingContext,
        QgsProcessingFeedback,
        QgsProject,
    )
    from qgis.PyQt.QtCore import QEventLoop, QTimer

    alive = []  # contexts own the temporary layers

    def run(algorithm, parameters, times=20, timeout=300):
        loop = QEventLoop()
        outcomes = {}

        def note(number, successful, results):
            outcomes[number] = (successful, results)
            if len(outcomes) == times:
                loop.quit()

        for number in range(times):
            instance = QgsApplication.processingRegistry().createAlgorithmById(algorithm)
            assert instance is not None, f"no algorithm {algorithm}"
            assert not instance.flags() & Qgis.ProcessingAlgorithmFlag.NoThreading, "never runs in a thread"
            wishes = parameters(number) if callable(parameters) else parameters
            context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
            context.setProject(QgsProject.instance())
            context.setFeedback(feedback)
            correct, complaint = instance.checkParameterValues(wishes, context)
            assert correct, complaint
            task = QgsProcessingAlgRunnerTask(instance, wishes, context, feedback)
            task.executed.connect(lambda successful, results, number=number: note(number, successful, results))
            alive.append((context, feedback, task))
            QgsApplication.taskManager().addTask(task)
        runs = alive[-times:]
        QTimer.singleShot(timeout * 1000, loop.quit)
        if len(outcomes) < times:
            loop.exec()
        assert len(outcomes) == times, f"{len(outcomes)} of {times} runs ended within {timeout} s"
        for number, (_, feedback, _) in enumerate(runs):
            assert outcomes[number][0], f"run {number + 1} of {times} failed:\n{feedback.textLog()}"
        return [
            {
                name: context.getMapLayer(value) or value if isinstance(value, str) else value
                for name, value in outcomes[number][1].items()
            }
            for number, (context, _, _) in enumerate(runs)
        ]

    yield run
    with contextlib.suppress(RuntimeError):
        QgsApplication.taskManager().cancelAll()
