"""Errors that nobody foresaw: in words for the person, with the traceback for whoever mends it."""

from __future__ import annotations

import configparser
import platform
import traceback
from importlib import import_module
from pathlib import Path

from qgis.core import Qgis, QgsApplication, QgsMessageLog
from qgis.PyQt.QtCore import QT_VERSION_STR

METADATA = Path(__file__).resolve().parent.parent / "metadata.txt"
TAG = "Healthcare Territories"
"""Tab of QGIS's log messages."""
LIBRARIES = ("numpy", "scipy", "pandas", "networkx", "shapely", "geopandas")


def message(error: Exception, algorithm, step: str, became: str) -> str:
    """Log an error's traceback and return what to tell the person.

    Parameters
    ----------
    error : Exception
    algorithm : QgsProcessingAlgorithm
    step : str
        What was being done.
    became : str
        What became of the outputs, as a sentence.
    """
    log(error, algorithm, step)
    return "\n".join([
        f"“{algorithm.displayName()}” met an error that it should not have, at “{step or 'the beginning'}”: "
        f"{in_a_line(error)}",
        f"{became} {way_out(error)}{where_to_report()}, with these lines and what you gave.",
        f"Versions: {versions()}.",
        f"Details for whoever mends it: View > Panels > Log Messages, tab “{TAG}”.",
    ])  # fmt: skip


def log(error: Exception, algorithm, step: str) -> None:
    """Write the traceback of an error into QGIS's message log."""
    trace = "".join(traceback.format_exception(type(error), error, error.__traceback__))
    if QgsApplication.platform() == "qgis_process":  # which prints its log among what it tells: the places will do
        trace = f"{in_a_line(error)} {places(error)}"
    told = f"{algorithm.id()}, at “{step or 'the beginning'}” ({versions()})\n{trace}"
    QgsMessageLog.logMessage(told, TAG, Qgis.MessageLevel.Critical)


def places(error: Exception) -> str:
    """Return where an error rose, the innermost place first, in a line."""
    frames = traceback.extract_tb(error.__traceback__)
    return " < ".join(f"{Path(frame.filename).name}:{frame.lineno} {frame.name}" for frame in reversed(frames))


def in_a_line(error: Exception) -> str:
    """Return the kind and the text of an error, in one line.

    >>> in_a_line(ValueError("no\\n  such thing"))
    'ValueError: no such thing.'
    """
    text = " ".join(str(error).split())[:300].rstrip(".")
    return f"{type(error).__name__}: {text}." if text else f"{type(error).__name__}."


def way_out(error: Exception) -> str:
    """Return what the person can do at once, as a sentence with a blank behind; empty when nothing is known."""
    if isinstance(error, MemoryError):
        return "Memory ran out: close other programs, or give fewer features at once. If that does not help: "
    return ""


def where_to_report() -> str:
    """Return whom to tell: the tracker of metadata.txt, or the page in the Plugin Manager while there is none."""
    tracker = metadata().get("tracker", "").strip()
    if tracker:
        return f"Please report it at {tracker}"
    return f"Please report it to the authors, whom Plugins > Manage and Install Plugins names under “{TAG}”"


def versions() -> str:
    """Return the versions of the plugin, of QGIS and of what both compute with."""
    told = [
        f"plugin {metadata().get('version', '?')}",
        f"QGIS {Qgis.version()}",
        f"Qt {QT_VERSION_STR}",
        f"Python {platform.python_version()}",
    ]
    told += [f"{name} {version_of(name)}" for name in LIBRARIES]
    return f"{', '.join(told)}, {platform.platform(terse=True)}"


def version_of(name: str) -> str:
    """Return the version of a package; one that is missing or broken may be what the report is about."""
    try:
        return str(getattr(import_module(name), "__version__", "?"))
    except Exception as error:
        return f"fails ({type(error).__name__})"


def metadata() -> dict[str, str]:
    """Return the plugin's metadata."""
    parser = configparser.ConfigParser(interpolation=None)
    parser.read(METADATA, encoding="utf-8")
    return dict(parser["general"]) if parser.has_section("general") else {}
