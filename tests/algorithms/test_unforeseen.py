"""What nobody foresaw reaches a person in words, with what was written taken back; the traceback is in QGIS's log."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest
from healthcare_territories.processing import unforeseen
from healthcare_territories.processing.provider import TerritoriesProvider
from healthcare_territories.territory_plugin import engine, gis
from qgis.core import QgsApplication, QgsProcessingContext

ROOT = Path(__file__).resolve().parents[2]


def balance(units, **more):
    return {
        "UNITS": units, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "TERRITORIES": 2, "EFFORT": "quick",
        "OUTPUT": "memory:", **more,
    }  # fmt: skip


@pytest.fixture
def logged(qgis_alive):
    """Return what lands in the plugin's tab of QGIS's message log."""
    found = []

    def note(text, tag, level):
        if tag == "Healthcare Territories":
            found.append(text)

    QgsApplication.messageLog().messageReceived.connect(note)
    yield found
    QgsApplication.messageLog().messageReceived.disconnect(note)


def raising(error):
    def fail(*args, **named):
        raise error

    return fail


@pytest.mark.parametrize(
    "error", [ZeroDivisionError("float division by zero"), MemoryError(), RecursionError("too deep"), KeyError("x")]
)
def test_an_error_in_the_engine(refused, board, monkeypatch, logged, error):
    monkeypatch.setattr(engine.balance, "balance_territories", raising(error))
    message = refused("balanceterritories", balance(board("1 1\n1 1"), OUTPUT="memory:"))
    assert type(error).__name__ in message.splitlines()[0]
    assert "“Balance territories”" in message and "at “" in message.splitlines()[0]
    assert "Please report it" in message and "Manage and Install Plugins" in message
    for package in ("plugin 0.", "QGIS 3", "Qt ", "Python 3", "numpy", "scipy", "pandas", "networkx", "shapely"):
        assert package in message
    assert ("Memory ran out" in message) == isinstance(error, MemoryError)
    assert ["Traceback" in text and "in fail" in text for text in logged] == [True]
    assert "Traceback" not in message and ".py" not in message


def test_the_step_is_that_of_the_last_progress(refused, board, monkeypatch):
    monkeypatch.setattr(engine.measures, "territory_measures", raising(IndexError("7")))
    assert "at “Measuring”" in refused("balanceterritories", balance(board("1 1\n1 1")))


def test_what_was_written_is_taken_back(attempt, board, monkeypatch, tmp_path):
    """The territories, the ZIPs and the report are there already; a shapefile goes with all that belongs to it."""
    monkeypatch.setattr(gis.styles, "moves", raising(ValueError("no legend")))
    outputs = {
        "OUTPUT": tmp_path / "plan.shp", "ASSIGNMENT": tmp_path / "zips.gpkg", "REPORT": tmp_path / "report.html",
        "MOVES": tmp_path / "moves.gpkg",
    }  # fmt: skip
    seen = []
    write_moves = type(QgsApplication.processingRegistry().algorithmById("territories:rebalanceterritories"))
    before = write_moves.write_moves
    monkeypatch.setattr(
        write_moves,
        "write_moves",
        lambda *args: (seen.extend(path.name for path in tmp_path.rglob("*")), before(*args))[1],
    )
    layer = board("A A B\nA A B", column="rep", workload=[1.0] * 6)
    outcome = attempt("rebalanceterritories", {
        **balance(layer), "TERRITORIES": None, "CURRENT_FIELD": "rep",
        **{name: str(path) for name, path in outputs.items()},
    })  # fmt: skip
    assert "ValueError: no legend." in outcome.refusal
    assert set(seen) >= {"plan.shp", "plan.dbf", "plan.shx", "zips.gpkg", "report.html"}
    assert list(tmp_path.iterdir()) == []


def test_a_report_of_before_stays_when_the_run_fails_before_it_is_replaced(attempt, board, monkeypatch, tmp_path):
    page = tmp_path / "report.html"
    page.write_text("last year's")
    monkeypatch.setattr(engine.report, "write_report", raising(ValueError("no page")))
    outcome = attempt("balanceterritories", balance(board("1 1\n1 1"), REPORT=str(page)))
    assert "ValueError" in outcome.refusal
    assert page.read_text() == "last year's"


def test_a_cancelled_run_stays_quiet(attempt, board, monkeypatch):
    monkeypatch.setattr(engine.balance, "balance_territories", raising(ZeroDivisionError("of half a layer")))
    stop_if = "healthcare_territories.territory_plugin.gis.frames.stop_if"
    monkeypatch.setattr(stop_if, lambda cancelled: None)
    outcome = attempt("balanceterritories", balance(board("1 1\n1 1")), cancel_after=1)
    assert outcome.refusal == ""
    assert outcome.results == {}


def test_an_error_while_checking_parameters(attempt, board, monkeypatch, logged):
    algorithm = type(QgsApplication.processingRegistry().algorithmById("territories:balanceterritories"))
    monkeypatch.setattr(algorithm, "complaints", raising(AttributeError("no such thing")))
    message = attempt("balanceterritories", balance(board("1 1\n1 1"))).refusal
    assert "AttributeError: no such thing." in message and "Checking the parameters" in message
    assert "Traceback" in logged[0]


def test_an_error_while_styling_leaves_the_layers(
    territories_provider, board, monkeypatch, tmp_path, read_rows, logged
):
    from qgis.core import QgsProcessingFeedback

    monkeypatch.setattr(gis.styles, "keep", raising(ValueError("no style")))
    algorithm = QgsApplication.processingRegistry().algorithmById("territories:balanceterritories").create()
    feedback, context = QgsProcessingFeedback(False), QgsProcessingContext()
    path = tmp_path / "plan.gpkg"
    results, fine = algorithm.run(balance(board("1 1\n1 1"), OUTPUT=str(path)), context, feedback)
    assert fine and len(read_rows(results["OUTPUT"])) == 2
    assert "complete; OUTPUT has no style" in feedback.textLog()
    assert "Traceback" not in feedback.textLog() and "Traceback" in logged[0]


@pytest.mark.parametrize("algorithm", [each().name() for each in TerritoriesProvider.ALGORITHMS])
def test_every_algorithm_is_guarded(territories_provider, algorithm, monkeypatch, logged):
    from qgis.core import QgsProcessingException, QgsProcessingFeedback

    instance = QgsApplication.processingRegistry().algorithmById(f"territories:{algorithm}").create()
    monkeypatch.setattr(type(instance), "compute", raising(ZeroDivisionError("0")))
    monkeypatch.setattr(type(instance), "check", raising(ZeroDivisionError("0")))
    layers = {each.name(): "a layer" for each in instance.parameterDefinitions() if each.type() == "source"}
    with pytest.raises(QgsProcessingException, match="ZeroDivisionError: 0"):
        instance.processAlgorithm(layers, QgsProcessingContext(), QgsProcessingFeedback(False))
    fine, message = instance.checkParameterValues({}, QgsProcessingContext())
    assert not fine and "ZeroDivisionError: 0" in message
    assert len(logged) == 2


def test_the_tracker_of_the_metadata_is_named_once_there_is_one(monkeypatch, tmp_path):
    page = tmp_path / "metadata.txt"
    page.write_text("[general]\nversion=9.9\ntracker=https://example.org/issues\nabout=100 % of\n  two lines\n")
    monkeypatch.setattr(unforeseen, "METADATA", page)
    assert unforeseen.where_to_report() == "Please report it at https://example.org/issues"
    assert "plugin 9.9" in unforeseen.versions()
    monkeypatch.setattr(unforeseen, "METADATA", tmp_path / "absent.txt")
    assert "Manage and Install Plugins" in unforeseen.where_to_report()


def test_a_package_that_is_broken_does_not_hide_the_error(monkeypatch):
    monkeypatch.setattr(unforeseen, "import_module", raising(ImportError("libgeos is not there")))
    assert "numpy fails (ImportError)" in unforeseen.versions()


def test_qgis_process_says_it_in_words(qgis_profile, tmp_path, sample):
    """A copy of the plugin whose engine fails, in a process of its own."""
    copy = tmp_path / "copy"
    for name in ("territory_plugin", "processing", "icons"):
        shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("__init__.py", "metadata.txt"):
        shutil.copy(ROOT / name, copy / name)
    door = copy / "territory_plugin" / "engine" / "contiguity.py"
    door.write_text(door.read_text() + "\n\ndef unit_centres(*given):\n    return 1 / 0\n")
    output = tmp_path / "plan.gpkg"
    done = qgis_profile(tmp_path / "profile", copy).run("territories:balanceterritories", {
        "UNITS": sample.zips, "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["fid"], "TERRITORIES": 3, "OUTPUT": str(output),
    })  # fmt: skip
    assert done.status == 1
    assert "ZeroDivisionError: division by zero." in done.messages and "Please report it" in done.messages
    assert "Traceback" not in done.messages
    assert "contiguity.py" in done.messages  # the message log is printed, too: with the places, in a line
    assert not output.exists()
