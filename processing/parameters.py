"""Parameters: numbers, choices with keys, fields that dialogs find, and what says which units are neighbours."""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsProcessingParameterDistance,
    QgsProcessingParameterEnum,
    QgsProcessingParameterNumber,
)

from ..territory_plugin import engine
from ..territory_plugin.engine.errors import TerritoryError


def choices(definition, value):
    """Return the index of an option that is given by index or by its key or label.

    Raises
    ------
    TerritoryError
        When there is no such option.
    """
    keys = definition.metadata()["keys"]
    text = str(value).strip().lower()
    if text in keys:
        return keys.index(text)
    labels = [option.lower() for option in definition.options()]
    if text in labels:
        return labels.index(text)
    if text.isdecimal() and text.isascii():
        index = int(engine.tables.numbers.published_number(text))
        if index < len(keys):
            return index
    raise TerritoryError(f"{definition.description()}: there is no option “{value}”; choose one of {', '.join(keys)}.")


def enum(name, description, options: dict[str, str], default: str, advanced=False):
    """Return an enum parameter whose options have keys that scripts may use instead of numbers."""
    parameter = QgsProcessingParameterEnum(
        name, description, options=list(options.values()), defaultValue=list(options).index(default)
    )
    parameter.setMetadata({"keys": list(options)})
    return flag_advanced(parameter) if advanced else parameter


def contact_parameters(tr) -> list:
    """Return the parameters that say which units are neighbours."""
    bridge = QgsProcessingParameterDistance("BRIDGE_DISTANCE", tr("Bridges at most this long"), 50.0, minValue=0.0)
    bridge.setDefaultUnit(Qgis.DistanceUnit.Kilometers)
    sliver = QgsProcessingParameterDistance("SLIVER_TOLERANCE", tr("Sliver tolerance"), 1.0, minValue=0.0)
    sliver.setDefaultUnit(Qgis.DistanceUnit.Meters)
    return [
        enum("CONTIGUITY", tr("Neighbours are units with"),
             {"rook": tr("a shared border (rook)"), "queen": tr("a shared border or corner (queen)")}, "rook"),
        enum("BRIDGE", tr("Bridge islands"),
             {"none": tr("none"), "nearest": tr("to the nearest units"), "within": tr("within a distance")}, "nearest"),
        flag_advanced(bridge),
        flag_advanced(sliver),
    ]  # fmt: skip


def real(name, description, default, minimum, maximum=None, optional=False):
    """Return a parameter for a number with decimals."""
    return number(QgsProcessingParameterNumber.Type.Double, name, description, default, minimum, maximum, optional)


def whole(name, description, default, minimum, maximum=None, optional=False):
    """Return a parameter for a whole number."""
    return number(QgsProcessingParameterNumber.Type.Integer, name, description, default, minimum, maximum, optional)


def number(kind, name, description, default, minimum, maximum, optional):
    parameter = QgsProcessingParameterNumber(name, description, kind, default, optional, minimum)
    if maximum is not None:
        parameter.setMaximum(maximum)
    return parameter


def flag_advanced(parameter):
    """Return the parameter, shown under “Advanced parameters”."""
    parameter.setFlags(parameter.flags() | parameter.Flag.FlagAdvanced)
    return parameter


def usual(parameter, field):
    """Return the parameter of a field, which a dialog sets to `field` where the layer has it, and else leaves open.

    Without it, dialogs take a layer's first field, such as the feature id. Elsewhere the field has to be given.
    """
    parameter.setGuiDefaultValueOverride(field)
    return parameter


def with_widget(parameter, kind):
    """Return the parameter, with a widget that `territory_plugin.gui` registers for it in the desktop."""
    parameter.setMetadata({**parameter.metadata(), "widget_wrapper": {"widget_type": f"territories:{kind}"}})
    return parameter


def shares_of(text: str) -> list[float]:
    """Return the shares that a text like ``60, 10, 30`` lists; empty when the text is.

    Raises
    ------
    TerritoryError
        When a share is no number.
    """
    return engine.tables.numbers.typed_numbers(text, "Shares")
