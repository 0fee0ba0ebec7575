"""How a run is recorded: what was given, by whom made, from which rows."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

from qgis.core import (
    QgsMapLayer,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingOutputLayerDefinition,
    QgsProperty,
)

from ..territory_plugin import gis
from . import checks, unforeseen
from .parameters import choices


def begin(algorithm, plan: str) -> gis.metadata.Record:
    """Return the record of a run that begins now; the rows of its layers are looked at later (`inputs`)."""
    settings = [
        setting_of(definition, algorithm.parameters.get(definition.name()))
        for definition in algorithm.parameterDefinitions()
        if not definition.isDestination() and definition.type() != "source"
    ]
    return gis.metadata.Record(
        uuid4().hex, plan, datetime.now().astimezone().isoformat(timespec="seconds"), algorithm.id(),
        algorithm.displayName(), unforeseen.versions(), settings,
    )  # fmt: skip


def setting_of(definition, value) -> gis.metadata.Setting:
    """Return a parameter as it was given, in words."""
    default = definition.defaultValue()
    usual = value is None or value == "" or value == default
    shown = default if value is None else value
    if definition.type() == "enum" and shown is not None:
        shown, usual = (choices(definition, each) for each in (shown, default)) if default is not None else (shown, 0)
        usual = shown == usual
        shown = definition.options()[shown]
    return gis.metadata.Setting(
        definition.name(), definition.description(), gis.metadata.without_secrets(words(shown)), bool(usual)
    )


def words(value) -> str:
    """Return a parameter's value as text."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return "yes" if value else "no"
    if isinstance(value, QgsProperty):
        return value.asExpression() or words(value.staticValue())
    if isinstance(value, QgsMapLayer):
        return value.name()
    if isinstance(value, (QgsProcessingFeatureSourceDefinition, QgsProcessingOutputLayerDefinition)):
        return words(getattr(value, "source", None) or getattr(value, "sink", None))
    if isinstance(value, (list, tuple)):
        return ", ".join(words(each) for each in value)
    return f"{value:g}" if isinstance(value, float) else str(value)


def inputs(algorithm) -> list[gis.metadata.Input]:
    """Return the layers that a run reads, with what tells their rows from others."""
    found = []
    for definition in algorithm.parameterDefinitions():
        source = algorithm.source(definition.name()) if definition.type() == "source" else None
        if source is not None:
            layer, given = algorithm.layer_given(definition.name()), algorithm.parameters[definition.name()]
            name = source.sourceName() if layer is None else layer.name()
            picked = isinstance(given, QgsProcessingFeatureSourceDefinition) and given.selectedFeaturesOnly
            rule = checks.filter_of(given)
            name += " (selected)" if picked else ""
            name += f" (where {rule})" if rule else ""
            found.append(gis.metadata.Input(
                definition.name(), definition.description(), name,
                gis.metadata.without_secrets("" if layer is None else layer.source()), source.sourceCrs().authid(),
                max(source.featureCount(), -1),
                gis.metadata.fingerprint(source, algorithm.feedback.isCanceled),
            ))  # fmt: skip
    return found
