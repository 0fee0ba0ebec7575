"""Imports the plugin under its installed name, so that our `processing` does not hide QGIS's.

Fixtures that need QGIS import it only when asked: the engine's tests run without it.
"""

import contextlib
import gc
import importlib.abc
import importlib.util
import json
import lzma
import os
import shutil
import subprocess
import sys
import sysconfig
import traceback
from pathlib import Path
from typing import NamedTuple

import pytest
from hypothesis import settings

# A busy machine is slow, not wrong. The same draws each time: what passes here passes on any machine.
settings.register_profile("same draws", deadline=None, derandomize=True)
# Others each time, to look for what nobody thought of: make test ARGS='--hypothesis-profile=explore tests/engine'
settings.register_profile("explore", deadline=None)
settings.load_profile("same draws")

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
    parser.addoption(
        "--long", action="store_true", help="also what takes long: see tests/algorithms/test_parameter_ends"
    )


def pytest_configure(config):
    if config.getoption("without_qgis"):
        early = sorted(RefuseQgis.packages & sys.modules.keys())
        if early:
            raise pytest.UsageError(f"--without-qgis, but loaded already: {', '.join(early)}")
        sys.meta_path.insert(0, RefuseQgis())


@pytest.hookimpl(hookwrapper=True)
def pytest_runtest_makereport(item, call):
    """Let go of what a failed test held once its report is made: layers that outlive QGIS crash the process."""
    yield
    error = call.excinfo.value if call.excinfo else None
    while error is not None:
        traceback.clear_frames(error.__traceback__)
        error = error.__cause__ or error.__context__


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
def territories_provider(qgis_processing, qgis_alive):
    """Register the provider `territories` once and return it."""
    from healthcare_territories.processing.provider import TerritoriesProvider
    from qgis.core import QgsApplication

    registry = QgsApplication.processingRegistry()
    provider = registry.providerById("territories")
    if provider is None:
        provider = TerritoriesProvider()
        assert registry.addProvider(provider)
        provider.refreshAlgorithms()  # as the plugin does: QGIS finds the steps of our models only now
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
        QgsTask,
    )
    from qgis.PyQt.QtCore import QEventLoop, QTimer

    alive = []  # contexts own the temporary layers

    def run(algorithm, parameters, times=20, timeout=300):
        loop = QEventLoop()
        outcomes, runs, still = {}, {}, []

        def note(number, context, successful, results):
            outcomes[number] = (successful, results, context)  # of a run queued twice, those of the one that ended
            if len(outcomes) == times:
                loop.quit()

        def submit(number):
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
            task.executed.connect(lambda successful, results: note(number, context, successful, results))
            runs[number] = (context, feedback, task)
            alive.append(runs[number])
            QgsApplication.taskManager().addTask(task)

        def submit_lost():
            # QGIS's task manager now and then loses a task that is added while another one ends: it stays
            # queued for ever, with native algorithms too. Nothing of it has run: queue that run once more.
            waiting = [number for number in runs if number not in outcomes]
            states = {runs[number][2].status() for number in waiting}
            still.append(len(outcomes) if states == {QgsTask.TaskStatus.Queued} else None)
            if still[-1] is not None and still[-3:] == [still[-1]] * 3:
                for number in waiting:
                    submit(number)

        for number in range(times):
            submit(number)
        QTimer.singleShot(timeout * 1000, loop.quit)
        watch = QTimer()
        watch.timeout.connect(submit_lost)
        watch.start(700)
        if len(outcomes) < times:
            loop.exec()
        watch.stop()
        assert len(outcomes) == times, f"{len(outcomes)} of {times} runs ended within {timeout} s"
        for number in range(times):
            assert outcomes[number][0], f"run {number + 1} of {times} failed:\n{runs[number][1].textLog()}"
        return [
            {
                name: outcomes[number][2].getMapLayer(value) or value if isinstance(value, str) else value
                for name, value in outcomes[number][1].items()
            }
            for number in range(times)
        ]

    yield run
    with contextlib.suppress(RuntimeError):
        QgsApplication.taskManager().cancelAll()
    alive.clear()  # while QGIS is there: layers of files deleted after its exit crash the process


# Pictures as layers, and one run in this process


def field_type(values):
    """Return the QGIS type that holds the values of a column."""
    from qgis.PyQt.QtCore import QMetaType

    known = [value for value in values if value is not None]
    if known and all(isinstance(value, bool) for value in known):
        return QMetaType.Type.Bool
    if known and all(isinstance(value, int) for value in known):
        return QMetaType.Type.Int
    if known and all(isinstance(value, (int, float)) for value in known):
        return QMetaType.Type.Double
    return QMetaType.Type.QString


@pytest.fixture(scope="session")
def qgis_alive(qgis_app):
    """Collect what tests have left in cycles before QGIS exits: a layer deleted later crashes the process."""
    yield qgis_app
    gc.collect()


@pytest.fixture
def memory_layer(qgis_alive):
    """Return ``layer(columns, shapes=None, kind="Polygon", crs="EPSG:4326")``: a scratch layer.

    `columns` maps names to lists of values, None for NULL; `shapes` are WKT or None for NULL geometry.
    """
    from qgis.core import QgsCoordinateReferenceSystem, QgsFeature, QgsField, QgsGeometry, QgsVectorLayer

    def make(columns, shapes=None, kind="Polygon", crs="EPSG:4326"):
        layer = QgsVectorLayer(kind if shapes is not None else "None", "made for a test", "memory")
        if shapes is not None:
            layer.setCrs(QgsCoordinateReferenceSystem(crs))
        assert layer.isValid()
        provider = layer.dataProvider()
        provider.addAttributes([QgsField(name, field_type(values)) for name, values in columns.items()])
        layer.updateFields()
        count = len(shapes) if shapes is not None else len(next(iter(columns.values())))
        for row in range(count):
            feature = QgsFeature(layer.fields())
            feature.setAttributes([values[row] for values in columns.values()])
            if shapes is not None and shapes[row] is not None:
                geometry = QgsGeometry.fromWkt(shapes[row])
                assert not geometry.isNull(), shapes[row]
                feature.setGeometry(geometry)
            added, _ = provider.addFeatures([feature])
            assert added
        layer.updateExtents()
        return layer

    return make


@pytest.fixture
def board(memory_layer):
    """Return ``board(picture, column="workload", crs="EPSG:4326", **more)``: a layer of square units from a picture.

    Each token is a unit of 0.1° by 0.1°; the first row lies along 40° north, the first column along 100° west. Its
    column `zip` says where it is: "00102" is in row 1, column 2. The token itself, a number or text, goes into
    `column`; "." is NULL, and "_" leaves a gap in the map. `more` are further columns.
    """
    from qgis.core import QgsCoordinateReferenceSystem, QgsCoordinateTransform, QgsGeometry, QgsProject

    def value(token):
        with contextlib.suppress(ValueError):
            return float(token)
        return None if token == "." else token

    def make(picture, column="workload", crs="EPSG:4326", **more):
        rows = [line.split() for line in picture.strip().splitlines()]
        cells = [(y, x, token) for y, row in enumerate(rows) for x, token in enumerate(row) if token != "_"]
        shapes = []
        transform = QgsCoordinateTransform(
            QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(crs), QgsProject.instance()
        )
        for y, x, _ in cells:
            # corners as the same numbers for all neighbours, so that they share them exactly
            west, east = (-1000 + x) / 10, (-1000 + x + 1) / 10
            south, north = (400 - y - 1) / 10, (400 - y) / 10
            square = QgsGeometry.fromWkt(
                f"POLYGON(({west} {south}, {east} {south}, {east} {north}, {west} {north}, {west} {south}))"
            )
            square.transform(transform)
            shapes.append(square.asWkt(12))
        ids = [f"0{y:02d}{x:02d}" for y, x, _ in cells]
        return memory_layer({"zip": ids, column: [value(token) for *_, token in cells], **more}, shapes, crs=crs)

    return make


class Outcome(NamedTuple):
    """What one run in this process gave: results, a message when it failed, and what it told on the way."""

    results: dict
    refusal: str
    infos: str
    warnings: str
    progress: list
    context: object

    def layer(self, name="OUTPUT"):
        """Return an output as a layer."""
        from qgis.core import QgsProcessingUtils

        found = QgsProcessingUtils.mapLayerFromString(self.results[name], self.context)
        assert found is not None and found.isValid(), f"{name}: {self.results[name]}"
        return found

    def rows(self, name="OUTPUT"):
        """Return an output as a list of dictionaries; NULL is None."""
        return rows_of(self.layer(name))


def rows_of(layer):
    """Return the features of a layer as dictionaries of attributes, NULL as None, with "geometry" as shapely has it."""
    import shapely
    from qgis.core import NULL

    rows = []
    for feature in layer.getFeatures():
        row = {
            field.name(): None if value is None or value == NULL else value
            for field, value in zip(layer.fields(), feature.attributes())
        }
        row["geometry"] = shapely.from_wkb(bytes(feature.geometry().asWkb())) if feature.hasGeometry() else None
        rows.append(row)
    return rows


@pytest.fixture
def read_rows(qgis_alive):
    """Return ``read_rows(path or layer)``: the features as dictionaries, see `rows_of`."""
    from qgis.core import QgsVectorLayer

    def read(source):
        layer = source if isinstance(source, QgsVectorLayer) else QgsVectorLayer(str(source), "", "ogr")
        assert layer.isValid(), source
        return rows_of(layer)

    return read


@pytest.fixture
def attempt(territories_provider):
    """Return ``attempt("ID", parameters, cancel_after=None)``, which runs an algorithm here and gives an `Outcome`.

    As the toolbox does, it asks for complaints first, and runs when there are none. `cancel_after` cancels when
    progress moves for that many times.
    """
    from qgis.core import QgsApplication, QgsProcessingContext, QgsProcessingFeedback, QgsProject

    class Feedback(QgsProcessingFeedback):
        def __init__(self, cancel_after):
            super().__init__(False)
            self.infos, self.warnings, self.errors, self.moves, self.cancel_after = [], [], [], [], cancel_after
            self.progressChanged.connect(self.moved)

        def moved(self, percent):
            self.moves.append(percent)
            if self.cancel_after is not None and len(self.moves) >= self.cancel_after:
                self.cancel()

        def pushInfo(self, text):
            self.infos.append(text)

        def pushWarning(self, text):
            self.warnings.append(text)

        def reportError(self, text, fatal=False):
            self.errors.append(text)

    alive = []

    def run(algorithm, parameters, cancel_after=None):
        found = QgsApplication.processingRegistry().algorithmById(f"territories:{algorithm}")
        assert found is not None, algorithm
        instance = found.create()
        context, feedback = QgsProcessingContext(), Feedback(cancel_after)
        context.setProject(QgsProject.instance())
        context.setFeedback(feedback)
        alive.append((instance, context, feedback))
        fine, refusal = instance.checkParameterValues(parameters, context)
        results, done = {}, False
        if fine:
            results, done = instance.run(parameters, context, feedback)
            refusal = "" if done else "\n".join(feedback.errors)
            assert done or refusal or feedback.isCanceled(), "failed without a word"
            strange = {name: type(value) for name, value in results.items() if type(value).__module__ == "numpy"}
            assert strange == {}, "QGIS drops these from the results that it shows"
        return Outcome(
            results, refusal, "\n".join(feedback.infos), "\n".join(feedback.warnings), feedback.moves, context
        )

    yield run
    alive.clear()


@pytest.fixture
def refused(attempt, tmp_path):
    """Return ``refused("ID", parameters)``: an attempt that must fail, which gives the message.

    All outputs go to files of a folder of their own, and none may be there afterwards.
    """
    from qgis.core import QgsApplication

    folder = tmp_path / "refused"
    folder.mkdir()

    def fail(algorithm, parameters):
        found = QgsApplication.processingRegistry().algorithmById(f"territories:{algorithm}")
        files = {
            output.name(): str(folder / f"{output.name()}{'.html' if output.type() == 'fileDestination' else '.gpkg'}")
            for output in found.destinationParameterDefinitions()
        }
        outcome = attempt(algorithm, {**files, **parameters})
        assert outcome.refusal, "it ran"
        assert "Traceback" not in outcome.refusal
        assert list(folder.iterdir()) == []
        return outcome.refusal

    return fail


@pytest.fixture
def run(attempt):
    """Return ``run("ID", parameters)``: an attempt that must succeed."""

    def succeed(algorithm, parameters):
        outcome = attempt(algorithm, parameters)
        assert outcome.refusal == ""
        return outcome

    return succeed
