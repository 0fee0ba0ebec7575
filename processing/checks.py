"""What can be wrong with parameters and is found before anything runs: numbers, fields, expressions."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from difflib import get_close_matches

from qgis.core import (
    QgsExpression,
    QgsFeatureRequest,
    QgsFields,
    QgsProcessingFeatureSourceDefinition,
    QgsProcessingParameterDefinition,
    QgsProcessingParameterNumber,
    QgsProperty,
)

from ..territory_plugin import engine

NUMBERS = ("number", "distance", "area", "volume", "duration", "scale")
OF_OTHERS = ("aggregate", "relation_aggregate")
"""Functions whose expressions name the fields of another layer."""
PARTS = ("opLeft", "opRight", "operand", "node", "lowerBound", "higherBound", "container", "index", "elseExp")
LISTS = ("args", "list")
"""Members of the nodes of an expression that are nodes, or lists of them."""
WHOLE = 2**31 - 1
"""The largest whole number that QGIS hands on."""


def number_complaint(definition, value) -> str:
    """Return what is wrong with the value of a parameter for a number; empty when nothing is.

    QGIS lets through what is neither below the minimum nor above the maximum: no number (nan) is neither. It takes text
    for 0 where a number is optional, rounds 2.5 to a whole number, and has others in place of those that are too large.
    """
    if isinstance(value, str) and not value.strip():
        return ""
    if not isinstance(value, (str, int, float)) or isinstance(value, bool):
        return ""
    text = str(value)
    # QGIS knows digits and points only: what else our tables read would be 0 to it
    number = math.nan if set(text) & set(",$_%") else engine.tables.numbers.published_number(text)
    if not math.isfinite(number):
        return f"{definition.description()}: “{value}” is no number that can be used."
    if definition.dataType() == QgsProcessingParameterNumber.Type.Integer:
        if number != math.floor(number):
            return f"{definition.description()}: “{value}” is not a whole number."
        if abs(number) > WHOLE:
            return f"{definition.description()}: “{value}” is too large, at most {WHOLE:,} can be used."
    return ""


def matrix_complaint(definition, cells: list) -> str:
    """Return that a table lacks cells at its end; empty when it does not."""
    headers = definition.headers()
    if len(cells) % len(headers) == 0:
        return ""
    return (
        f"{definition.description()}: {len(cells)} values do not fill rows of {', '.join(headers)}. Fill the last row."
    )


def field_complaint(name: str, fields: QgsFields) -> str:
    """Return that a layer lacks a field, with what it may be; empty when it has it."""
    if fields.lookupField(name) >= 0:
        return ""
    return f"the layer has no field “{name}”{suggested(name, fields.names())}; it has {', '.join(fields.names())}."


def suggested(name: str, known: Sequence[str]) -> str:
    """Return a question whether one of the names that look alike is meant; empty when none does.

    >>> suggested("ownr", ["owner", "zip"])
    ' (do you mean “owner”?)'
    """
    by_lower = {each.lower(): each for each in known}
    close = get_close_matches(name.lower(), by_lower, n=3)
    return f" (do you mean {' or '.join(f'“{by_lower[each]}”' for each in close)}?)" if close else ""


def expression_complaints(called: str, text: str, fields: QgsFields) -> list[str]:
    """Return what is wrong with an expression over the features of a layer.

    Parameters
    ----------
    called : str
        What the messages call it.
    text : str
    fields : QgsFields
        That it may name.

    Returns
    -------
    list of str
        Errors of syntax, functions that do not exist, and fields that the layer lacks: an expression with one of those
        gives NULL for every feature, which reads as no.
    """
    if not text.strip():
        return []
    expression = QgsExpression(text)
    if expression.hasParserError():
        return [f"{called}: {' '.join(expression.parserErrorString().split())}"]
    complaints = []
    for name in sorted(set(columns_named(expression.rootNode()))):
        complaint = field_complaint(name, fields)
        if complaint:
            hint = "" if suggested(name, fields.names()) else f" If “{name}” is a text, put it in single quotes."
            complaints.append(f"{called}: {complaint}{hint}")
    return complaints


def columns_named(node) -> Iterator[str]:
    """Yield the fields of the layer itself that a node of an expression names, also as attribute('owner') does."""
    kind = node.nodeType()
    if kind == node.NodeType.ntColumnRef:
        yield node.name()
    if kind == node.NodeType.ntFunction:
        name = QgsExpression.Functions()[node.fnIndex()].name()
        given = node.args().list() if node.args() else []
        if name in OF_OTHERS:
            return
        if name == "attribute" and given and given[-1].nodeType() == node.NodeType.ntLiteral:
            yield str(given[-1].value())
    parts = parts_of(node)
    if not parts and kind not in (node.NodeType.ntColumnRef, node.NodeType.ntLiteral, node.NodeType.ntFunction):
        yield from node.referencedColumns() - {QgsFeatureRequest.ALL_ATTRIBUTES}  # a kind that Python sees no parts of
    for part in parts:
        yield from columns_named(part)


def parts_of(node) -> list:
    """Return the nodes that a node of an expression is made of."""
    parts = [getattr(node, name)() for name in PARTS if hasattr(node, name)]
    for name in LISTS:
        nodes = getattr(node, name)() if hasattr(node, name) else None
        parts += nodes.list() if nodes is not None else []
    if hasattr(node, "conditions"):
        parts += [part for condition in node.conditions() for part in (condition.whenExp(), condition.thenExp())]
    return [part for part in parts if part is not None]


def property_complaint(definition: QgsProcessingParameterDefinition, value) -> str:
    """Return what is wrong with a value that an expression computes; empty when nothing is."""
    if not isinstance(value, QgsProperty) or value.propertyType() != value.Type.ExpressionBasedProperty:
        return ""
    expression = QgsExpression(value.expressionString())
    if not expression.hasParserError():
        return ""
    return f"{definition.description()}: {' '.join(expression.parserErrorString().split())}"


def filter_of(value) -> str:
    """Return the expression that filters the features given for a source; empty when none does."""
    return value.filterExpression if isinstance(value, QgsProcessingFeatureSourceDefinition) else ""


class RowNames:
    """What messages call the rows of a table that has no ids."""

    def __getitem__(self, row):
        return f"row {row + 1}"


def lacking_layer(definitions, parameters) -> str:
    """Return a complaint where a layer that must be given is not, which a model does not check; else ""."""
    lacking = [
        each.description() for each in definitions
        if each.type() == "source" and not each.flags() & each.Flag.FlagOptional
        and parameters.get(each.name()) in (None, "")
    ]  # fmt: skip
    if not lacking:
        return ""
    return (
        f"No layer is given for: {'; '.join(lacking)}. In a model, the step that makes it may have been told to skip "
        "it: have that output made."
    )


def with_required_outputs(definitions, parameters) -> dict:
    """Return the parameters with a temporary layer where a required output is not given.

    A model that does not ask for the output of a step passes nothing, and still hands it on to the next step.
    """
    missing = [
        each for each in definitions
        if not each.flags() & each.Flag.FlagOptional and parameters.get(each.name()) in (None, "")
    ]  # fmt: skip
    return {**parameters, **{each.name(): each.generateTemporaryDestination() for each in missing}}
