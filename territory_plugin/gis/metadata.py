"""The record of how a layer was made: in the metadata that lies with its data, or a property of a layer in memory."""

from __future__ import annotations

import json
import re
from dataclasses import asdict, dataclass, field
from hashlib import blake2b
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsDataSourceUri,
    QgsFeatureRequest,
    QgsLayerMetadata,
    QgsProcessingFeatureSource,
    QgsProviderRegistry,
    QgsVectorLayer,
)

from ..engine.progress import IsCancelled, never, stop_if
from ..engine.report import About
from .tables import plain

PROPERTY = "healthcare_territories/record"
HISTORY = "Record: "
"""How the line of the metadata's history begins that holds the whole record, as JSON."""
MOST_ROWS = 50_000
SECRET = re.compile(
    r"""\b(?:password|passwd|pwd|(?:access_)?token|api_?key)\s*=\s*(?:'(?:\\.|[^'\\])*'|"(?:\\.|[^"\\])*"|[^\s,;&]*)\s?""",
    re.IGNORECASE,
)
IN_ADDRESS = re.compile(r"(://[^/\s:@]*):[^/\s@]*@")


@dataclass(frozen=True)
class Setting:
    """A parameter as it was given: its name, what the dialog calls it, its value as text, whether it is the usual."""

    name: str
    label: str
    value: str
    usual: bool


@dataclass(frozen=True)
class Input:
    """A layer that was read.

    Attributes
    ----------
    name, label : str
        The parameter, and what the dialog calls it.
    layer : str
    source : str
        Where it lies, without passwords.
    crs : str
    rows : int
        Those that came through selection and filter; −1 where the source does not tell.
    fingerprint : str
        Of attributes and shapes of the first `MOST_ROWS`: the same rows give the same one, in whatever format.
    """

    name: str
    label: str
    layer: str
    source: str
    crs: str
    rows: int
    fingerprint: str


@dataclass
class Record:
    """How the layers of a run were made.

    Attributes
    ----------
    run : str
        Differs from run to run.
    plan : str
        What the plan is called; "" where the run makes none.
    made : str
        Day and time in ISO 8601, with the offset from UTC.
    algorithm, title : str
    versions : str
    settings : list of Setting
    inputs : list of Input
    measures : dict
    """

    run: str
    plan: str
    made: str
    algorithm: str
    title: str
    versions: str
    settings: list[Setting]
    inputs: list[Input] = field(default_factory=list)
    measures: dict = field(default_factory=dict)

    @property
    def when(self) -> str:
        """Day and time as people read them."""
        return self.made[:16].replace("T", " ")

    def as_json(self) -> str:
        """Return the record as JSON, on one line."""
        return json.dumps(asdict(self), ensure_ascii=False, default=float)


def without_secrets(text: str) -> str:
    """Return the text of a source or a parameter without passwords.

    `QgsDataSourceUri.removePassword` alone leaves those with a blank in them, at the end, and in addresses.
    """
    return QgsDataSourceUri.removePassword(IN_ADDRESS.sub(r"\1@", SECRET.sub("", str(text))))


def about(record: Record) -> About:
    """Return a record as the report tells it."""
    return About(
        record.plan, record.when, record.title,
        [(each.label, each.layer, each.rows, each.fingerprint) for each in record.inputs],
        [(each.label, each.value, each.usual) for each in record.settings],
        record.versions,
    )  # fmt: skip


def fingerprint(source, cancelled: IsCancelled = never) -> str:
    """Return a short text that is the same for the same rows, in the same order.

    Parameters
    ----------
    source : QgsFeatureSource or QgsProcessingFeatureSource
    cancelled : callable
    """
    digest = blake2b(digest_size=8)
    digest.update("\t".join(source.fields().names()).encode())
    unchecked = (Qgis.ProcessingFeatureSourceFlag.SkipGeometryValidityChecks,)
    flags = unchecked if isinstance(source, QgsProcessingFeatureSource) else ()
    for at, feature in enumerate(source.getFeatures(QgsFeatureRequest().setLimit(MOST_ROWS), *flags)):
        digest.update(repr([plain(value) for value in feature.attributes()]).encode(errors="replace"))
        digest.update(bytes(feature.geometry().asWkb()))
        if at % 500 == 0:
            stop_if(cancelled)
    stop_if(cancelled)
    return digest.hexdigest()


def as_metadata(layer: QgsVectorLayer, record: Record, title: str) -> QgsLayerMetadata:
    """Return a record as QGIS's metadata of a layer: words for people, and the whole record for programs."""
    found = QgsLayerMetadata()
    found.setIdentifier(record.run)
    found.setType("dataset")
    found.setTitle(f"{record.plan}: {title}" if record.plan else title)
    measures = "; ".join(f"{name}: {value}" for name, value in record.measures.items())
    found.setAbstract(f"Made with “{record.title}” on {record.when}. {measures}".strip())
    told = [f"{record.when}: {record.title} ({record.algorithm}); {record.versions}"]
    told += [f"Input {each.label}: {each.layer}, {each.rows} rows, {each.fingerprint}" for each in record.inputs]
    told += [f"{each.label}: {each.value}" for each in record.settings if not each.usual]
    for line in [*told, HISTORY + record.as_json()]:
        found.addHistoryItem(line)
    found.setCrs(layer.crs())
    return found


def keep(layer: QgsVectorLayer, record: Record, title: str) -> None:
    """Store a record with a layer: per table of a GeoPackage, beside other files, as a property in memory.

    Raises
    ------
    OSError
        When it could not be stored.
    """
    if layer.providerType() == "ogr":
        made = as_metadata(layer, record, title)
        registry = QgsProviderRegistry.instance()
        uri = registry.decodeUri("ogr", layer.source())
        path = Path(uri["path"])
        if path.suffix.lower() == ".gpkg":
            uri["layerName"] = uri.get("layerName") or registry.querySublayers(uri["path"])[0].name()
            fine, told = registry.saveLayerMetadata("ogr", registry.encodeUri("ogr", uri), made)
        else:
            layer.setMetadata(made)
            told, fine = layer.saveNamedMetadata(str(path.with_suffix(".qmd")))
        if not fine:
            raise OSError(told)
    else:
        attach(layer, record, title)


def attach(layer: QgsVectorLayer, record: Record, title: str) -> None:
    """Give a layer of the project its record; the project keeps it."""
    layer.setMetadata(as_metadata(layer, record, title))
    layer.setCustomProperty(PROPERTY, record.as_json())


def read(layer: QgsVectorLayer) -> dict | None:
    """Return the record of a layer, None where it has none."""
    text = layer.customProperty(PROPERTY)
    if not text:
        if not layer.metadata().history():
            layer.loadDefaultMetadata()  # a file beside the data, which QGIS reads when it adds a layer to the project
        text = next((line[len(HISTORY) :] for line in layer.metadata().history() if line.startswith(HISTORY)), None)
    return json.loads(text) if text else None
