"""Symbols, renderers and labels that the outputs' styles are made of."""

from __future__ import annotations

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsCentroidFillSymbolLayer,
    QgsExpression,
    QgsFillSymbol,
    QgsFontMarkerSymbolLayer,
    QgsLinePatternFillSymbolLayer,
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsProperty,
    QgsRendererCategory,
    QgsSimpleFillSymbolLayer,
    QgsSymbolLayer,
    QgsTextBufferSettings,
    QgsTextFormat,
)
from qgis.PyQt.QtGui import QColor, QFont

from ..engine.colours import INK, OPACITY, PALETTE
from . import fields

INDEX_TOLD = "below a name: workload index, average = 100"


def by_territory(colours, symbol, some_without=False, first=()) -> QgsCategorizedSymbolRenderer:
    """Return a renderer with one category for each territory, and one for what has none, where there is some.

    Parameters
    ----------
    colours : mapping
        Colour class of each territory.
    symbol : callable
        Makes a symbol of a `QColor`.
    some_without : bool
        Whether some units have no territory.
    first : sequence of QgsRendererCategory
        What else the legend says, above the territories.
    """
    categories = [
        *first,
        *(
            QgsRendererCategory(name, symbol(QColor(PALETTE[colour % len(PALETTE)])), name)
            for name, colour in colours.items()
        ),
    ]
    if some_without:
        categories.append(QgsRendererCategory(None, hatched(), "no territory"))
    return QgsCategorizedSymbolRenderer(fields.TERRITORY.name, categories)


def index_told() -> QgsRendererCategory:
    """Return a line of the legend that says what the number below a name is: a category that no territory has.

    A legend of the labels themselves shows their text without a word beside it.
    """
    number = QgsFontMarkerSymbolLayer("Open Sans", "95", 3.0, QColor(INK))
    number.setFontStyle("Bold")
    marker = QgsMarkerSymbol.createSimple({})
    marker.changeSymbolLayer(0, number)
    centre = QgsCentroidFillSymbolLayer()
    centre.setSubSymbol(marker)
    symbol = QgsFillSymbol.createSimple({})
    symbol.changeSymbolLayer(0, centre)
    on_paper(symbol)
    return QgsRendererCategory(INDEX_TOLD, symbol, INDEX_TOLD)


def hatched() -> QgsFillSymbol:
    """Return the fill of what has no territory: grey lines, which are no territory's colour to anybody."""
    lines = QgsLinePatternFillSymbolLayer()
    lines.setLineAngle(45)
    lines.setDistance(1.6)
    lines.setLineWidth(0.2)
    lines.setColor(QColor("#7f8a93"))
    symbol = QgsFillSymbol.createSimple(
        {"color": "255,255,255,150", "outline_color": "#7f8a93", "outline_width": "0.2", "joinstyle": "round"}
    )
    symbol.appendSymbolLayer(lines)
    on_paper(symbol)
    return symbol


def on_paper(symbol: QgsFillSymbol) -> None:
    """Have a symbol's swatch stand on white, in a dark legend, too, as a translucent colour shows best.

    The white is switched off by an expression, which QGIS asks when it draws a map but not when it draws a swatch.
    """
    paper = QgsSimpleFillSymbolLayer.create({"color": "white", "outline_style": "no"})
    paper.setDataDefinedProperty(QgsSymbolLayer.Property.LayerEnabled, QgsProperty.fromExpression("false"))
    symbol.insertSymbolLayer(0, paper)


def circle(largest: float, column: str, **look: str) -> QgsMarkerSymbol:
    """Return a circle whose area is a column's value, the largest 4 mm wide."""
    usual = {"name": "circle", "color": "34,49,63,150", "outline_color": "255,255,255,160", "outline_width": "0.1"}
    symbol = QgsMarkerSymbol.createSimple({**usual, **look})
    symbol.setDataDefinedSize(QgsProperty.fromExpression(
        f"0.6 + 3.4 * sqrt(max(0, coalesce(\"{column}\", 0)) / {max(largest, 1e-9)!r})"
    ))  # fmt: skip
    return symbol


def territory_fill(colour: QColor) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple({"outline_color": INK, "outline_width": "0.45", "joinstyle": "round"})
    fill = QColor(colour)
    fill.setAlphaF(OPACITY)
    symbol.symbolLayer(0).setFillColor(fill)
    on_paper(symbol)
    return symbol


def moved_fill(colour: QColor) -> QgsFillSymbol:
    return QgsFillSymbol.createSimple(
        {"color": colour.name(), "outline_color": INK, "outline_width": "0.35", "joinstyle": "round"}
    )


def unit_fill(colour: QColor, heaviest: float, column: str) -> QgsFillSymbol:
    symbol = QgsFillSymbol.createSimple(
        {
            "color": colour.name(),
            "outline_color": "255,255,255,170",
            "outline_width": "0.08",
            "joinstyle": "round",
        }
    )
    symbol.symbolLayer(0).setDataDefinedProperty(
        QgsSymbolLayer.Property.FillColor,
        QgsProperty.fromExpression(
            "set_color_part(@symbol_color, 'lightness', scale_exp("
            f"max(0, coalesce({QgsExpression.quotedColumnRef(column)}, 0)), "
            f"0, {max(heaviest, 1e-9)!r}, 94, {min(colour.lightnessF() * 88, 62):.0f}, 0.4))"
        ),
    )
    return symbol


def text_format(size: float, bold=False) -> QgsTextFormat:
    form = QgsTextFormat()
    font = QFont("Open Sans")
    font.setStyleHint(QFont.StyleHint.SansSerif)
    font.setBold(bold)
    form.setFont(font)
    form.setSize(size)
    form.setColor(QColor(INK))
    halo = QgsTextBufferSettings()
    halo.setEnabled(True)
    halo.setSize(0.9)
    halo.setColor(QColor(255, 255, 255, 220))
    form.setBuffer(halo)
    return form


def account_point(colour: str) -> QgsMarkerSymbol:
    return QgsMarkerSymbol.createSimple(
        {"name": "circle", "size": "1.8", "color": colour, "outline_color": "255,255,255,200", "outline_width": "0.1"}
    )


def account_fill(colour: str) -> QgsFillSymbol:
    return QgsFillSymbol.createSimple(
        {"color": colour, "outline_color": "255,255,255,170", "outline_width": "0.08", "joinstyle": "round"}
    )


def inside(expression: str, size: float, bold=False) -> QgsPalLayerSettings:
    """Return a label that lies level inside its polygon."""
    settings = QgsPalLayerSettings()
    settings.fieldName = expression
    settings.isExpression = True
    settings.placement = Qgis.LabelPlacement.Horizontal
    settings.setFormat(text_format(size, bold))
    settings.centroidInside = True
    return settings
