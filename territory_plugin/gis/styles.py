"""How the outputs look: renderers, labels, groups and their order; kept in the file and set on load."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsFillSymbol,
    QgsLineSymbol,
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsProcessingLayerPostProcessorInterface,
    QgsProperty,
    QgsRendererCategory,
    QgsRuleBasedRenderer,
    QgsSingleSymbolRenderer,
    QgsSymbolLayer,
    QgsTextBufferSettings,
    QgsTextFormat,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtGui import QColor, QFont

from . import fields

GROUP = "Territories"
INK = "#22313f"
# eight quiet hues of like weight, told apart by people with colour-blindness in the order given
PALETTE = ("#3b8ea5", "#e0a458", "#7a9e5f", "#b5697a", "#6f7fb5", "#c9b24a", "#4fa08b", "#9c7bb0")


@dataclass(frozen=True)
class Style:
    """How one output looks and where it stands in the layer tree.

    Attributes
    ----------
    title : str
        The layer's name in the project.
    order : int
        Higher stands higher in the group.
    dress : callable
        Sets renderer and labels on a layer.
    aliases : mapping
        What people read above the columns.
    """

    title: str
    order: int
    dress: Callable[[QgsVectorLayer], None]
    aliases: Mapping[str, str] = field(default_factory=dict)


class DressOnLoad(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when QGIS loads it into the project."""

    def __init__(self, style: Style):
        super().__init__()
        self.style = style

    def postProcessLayer(self, layer, context, feedback):
        if isinstance(layer, QgsVectorLayer):
            dress(layer, self.style)
            layer.triggerRepaint()


# QGIS calls a post-processor only while Python still holds it; a run has two outputs at most with a style
_waiting: deque[DressOnLoad] = deque(maxlen=256)


def apply_on_load(details, style: Style) -> None:
    """Have QGIS name, group, order and style a layer that it loads when the algorithm has ended."""
    details.groupName = GROUP
    details.layerSortKey = style.order
    processor = DressOnLoad(style)
    _waiting.append(processor)
    details.setPostProcessor(processor)


def keep(layer: QgsVectorLayer, style: Style) -> None:
    """Store the style with the data: inside a GeoPackage or a database as its default, else as a QML file beside it.

    Raises
    ------
    OSError
        When it could not be stored.
    """
    dress(layer, style)
    if layer.providerType() not in ("ogr", "postgres"):
        return
    path = Path(layer.source().split("|")[0])
    if layer.providerType() == "postgres" or path.suffix.lower() == ".gpkg":
        wrong = layer.saveStyleToDatabase(style.title, "", True, "")
    elif path.is_file():
        told, fine = layer.saveNamedStyle(str(path.with_suffix(".qml")))
        wrong = "" if fine else told
        if wrong:
            path.with_suffix(".qml").unlink(missing_ok=True)
    else:
        return
    if wrong:
        raise OSError(wrong)


def dress(layer: QgsVectorLayer, style: Style) -> None:
    """Give a layer its style and its columns the headings that people read."""
    style.dress(layer)
    for at, name in enumerate(layer.fields().names()):
        if name in style.aliases:
            layer.setFieldAlias(at, style.aliases[name])


# ------------------------------------------------------------------ the looks


def territories(colours: Mapping[str, int]) -> Style:
    """Return the style of territory polygons: own colour, dark outline, name and index as label."""

    def dress(layer):
        renderer = by_territory(colours, lambda colour: territory_fill(colour))
        layer.setRenderer(renderer)
        settings = QgsPalLayerSettings()
        settings.fieldName = f'"{fields.TERRITORY.name}" || \'\\n\' || round("{fields.INDEX.name}")'
        settings.isExpression = True
        settings.placement = Qgis.LabelPlacement.Horizontal
        settings.setFormat(text_format(9, bold=True))
        settings.centroidInside = True
        layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
        layer.setLabelsEnabled(True)

    return Style("Territories", 40, dress)


def units(colours: Mapping[str, int], heaviest: float, column: str) -> Style:
    """Return the style of assigned units: their territory's colour, the deeper the more workload."""

    def dress(layer):
        layer.setRenderer(by_territory(colours, lambda colour: unit_fill(colour, heaviest, column)))

    return Style("ZIPs by territory", 10, dress)


def workload_zips(heaviest: float, column: str = fields.WORKLOAD.name) -> Style:
    """Return the style of ZIPs with workload: the deeper the more."""

    def dress(layer):
        layer.setRenderer(QgsSingleSymbolRenderer(unit_fill(QColor(PALETTE[0]), heaviest, column)))

    return Style("ZIPs with workload", 8, dress)


def with_volume(largest: float) -> Style:
    """Return the style of providers with claims volume: circles as large as it, hollow where it is assumed."""

    def dress(layer):
        if layer.geometryType() != Qgis.GeometryType.Point:
            return
        volume, assumed = f'"{fields.VOLUME.name}"', f'coalesce("{fields.VOLUME_ASSUMED.name}", false)'
        hollow = {"color": "255,255,255,120", "outline_color": PALETTE[0], "outline_width": "0.2"}
        root = QgsRuleBasedRenderer.Rule(None)
        for label, rule, look in (
            ("Published volume", f"{volume} is not null and not {assumed}", {}),
            ("Assumed volume", f"{volume} is not null and {assumed}", hollow),
            ("No published volume", f"{volume} is null", {"color": "#c3c8cc", "outline_style": "no"}),
        ):
            symbol = circle(largest, fields.VOLUME.name, **look)
            root.appendChild(QgsRuleBasedRenderer.Rule(symbol, 0, 0, rule, label))
        layer.setRenderer(QgsRuleBasedRenderer(root))

    return Style("Providers with volume", 30, dress)


def practices(largest: float) -> Style:
    """Return the style of practices: circles whose area is the number of clinicians."""
    return providers(largest, fields.CLINICIANS_COUNT.name, "Practices")


def providers(heaviest: float, column: str = fields.WORKLOAD.name, title: str = "Weighted providers") -> Style:
    """Return the style of weighted providers: circles whose area is the workload."""

    def dress(layer):
        if layer.geometryType() != Qgis.GeometryType.Point:
            return
        layer.setRenderer(QgsSingleSymbolRenderer(circle(heaviest, column)))

    return Style(title, 30, dress)


def places() -> Style:
    """Return the style of providers as they were imported: small points, those placed by their ZIP hollow."""

    def dress(layer):
        if layer.geometryType() != Qgis.GeometryType.Point:
            return
        root = QgsRuleBasedRenderer.Rule(None)
        by_zip = f"\"{fields.LOCATED_BY.name}\" in ('zip', 'crosswalk')"
        for label, rule, look in (
            ("At its coordinates", f"not coalesce({by_zip}, false)", {"color": PALETTE[0], "outline_color": INK}),
            ("Somewhere in its ZIP", by_zip, {"color": "255,255,255,120", "outline_color": PALETTE[0]}),
        ):
            symbol = QgsMarkerSymbol.createSimple({"name": "circle", "size": "1.2", "outline_width": "0.2", **look})
            root.appendChild(QgsRuleBasedRenderer.Rule(symbol, 0, 0, rule, label))
        layer.setRenderer(QgsRuleBasedRenderer(root))

    return Style("Providers", 28, dress)


def in_pieces() -> Style:
    """Return the style of providers with the piece of their ZIP: small points."""

    def dress(layer):
        if layer.geometryType() == Qgis.GeometryType.Point:
            layer.setRenderer(QgsSingleSymbolRenderer(account_point(PALETTE[0])))

    return Style("Providers with their piece", 28, dress)


def accounts() -> Style:
    """Return the style of providers or ZIPs with accounts: customers, those only a competitor has, and the others."""

    def dress(layer):
        make = {Qgis.GeometryType.Point: account_point, Qgis.GeometryType.Polygon: account_fill}.get(
            layer.geometryType()
        )
        if make is None:
            return
        customer, rival = (
            f'coalesce("{column.name}", false)' for column in (fields.IS_CUSTOMER, fields.HAS_COMPETITOR)
        )
        if layer.fields().lookupField(fields.HAS_COMPETITOR.name) < 0:
            rival = "false"
        root = QgsRuleBasedRenderer.Rule(None)
        for label, rule, colour in (
            ("Customer", customer, PALETTE[0]),
            ("Competitor only", f"{rival} and not {customer}", PALETTE[1]),
            ("No account", f"not {customer} and not {rival}", "#c3c8cc"),
        ):
            if rule != f"false and not {customer}":
                root.appendChild(QgsRuleBasedRenderer.Rule(make(colour), 0, 0, rule, label))
        layer.setRenderer(QgsRuleBasedRenderer(root))

    return Style("With accounts", 29, dress)


def account_point(colour: str) -> QgsMarkerSymbol:
    return QgsMarkerSymbol.createSimple(
        {"name": "circle", "size": "1.8", "color": colour, "outline_color": "255,255,255,200", "outline_width": "0.1"}
    )


def account_fill(colour: str) -> QgsFillSymbol:
    return QgsFillSymbol.createSimple(
        {"color": colour, "outline_color": "255,255,255,170", "outline_width": "0.08", "joinstyle": "round"}
    )


def unplaced() -> Style:
    """Return the style of the table of providers without a place: none but its name and headings."""
    return Style("Providers without a place", 27, lambda layer: None)


def moves(colours: Mapping[str, int], told: Mapping[str, str]) -> Style:
    """Return the style of units that change hands: the receiving territory's colour, and from whom as label.

    Parameters
    ----------
    colours : mapping
        Colour class of each territory.
    told : mapping
        What the legend says of each receiving territory: from whom it gains, and how much.
    """

    def dress(layer):
        categories = [
            QgsRendererCategory(name, moved_fill(QColor(PALETTE[colours.get(name, 0) % len(PALETTE)])), legend)
            for name, legend in told.items()
        ]
        layer.setRenderer(QgsCategorizedSymbolRenderer(fields.TO_TERRITORY.name, categories))
        settings = QgsPalLayerSettings()
        settings.fieldName = (
            f"coalesce(\"{fields.FROM_TERRITORY.name}\", 'new') || ' → ' || \"{fields.TO_TERRITORY.name}\""
        )
        settings.isExpression = True
        settings.placement = Qgis.LabelPlacement.Horizontal
        settings.setFormat(text_format(7))
        settings.centroidInside = True
        layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
        layer.setLabelsEnabled(True)

    return Style("ZIPs that change hands", 50, dress)


def gained_lost() -> Style:
    """Return the style of the table of what territories gain and lose: none but its name and headings."""
    return Style("Gained and lost", 25, lambda layer: None)


def trade_off() -> Style:
    """Return the style of the table of deviation against disruption: none but its name and headings."""
    return Style("Deviation against disruption", 24, lambda layer: None)


def breakdown() -> Style:
    """Return the style of the table of what territories are made of: none but its name and headings."""
    return Style("Territories by specialty and place", 26, lambda layer: None)


def travel() -> Style:
    """Return the style of the table of travel times: none but its name and headings."""
    return Style("Travel times", 18, lambda layer: None)


def unreached() -> Style:
    """Return the style of the table of places that no road reaches: none but its name and headings."""
    return Style("Places not reached", 17, lambda layer: None)


def edges() -> Style:
    """Return the style of adjacency edges: borders, point contacts, bridges and closed ones told apart."""

    def dress(layer):
        kind, is_open = f'"{fields.KIND.name}"', f'coalesce("{fields.OPEN.name}", true)'
        root = QgsRuleBasedRenderer.Rule(None)
        for label, rule, look in (
            ("Shared border", f"{is_open} and {kind} = 'border'", {"color": "#7f8c8d", "width": "0.2"}),
            (
                "Corner contact",
                f"{is_open} and {kind} = 'point'",
                {"color": "#7f8c8d", "width": "0.2", "line_style": "dot"},
            ),
            (
                "Bridge",
                f"{is_open} and {kind} = 'bridge'",
                {"color": "#d35400", "width": "0.6", "line_style": "dash"},
            ),
            ("Closed", f"not {is_open}", {"color": "#c0392b", "width": "0.5"}),
        ):
            root.appendChild(QgsRuleBasedRenderer.Rule(QgsLineSymbol.createSimple(look), 0, 0, rule, label))
        layer.setRenderer(QgsRuleBasedRenderer(root))

    return Style("Adjacency", 20, dress)


def isolates() -> Style:
    """Return the style of units without a neighbour."""

    def dress(layer):
        layer.setRenderer(QgsSingleSymbolRenderer(QgsFillSymbol.createSimple(
            {"color": "211,84,0,60", "outline_color": "#d35400", "outline_width": "0.5"}
        )))  # fmt: skip

    return Style("Units without a neighbour", 22, dress)


def unmatched(title: str = "Providers without a ZIP") -> Style:
    """Return the style of what found no match."""

    def dress(layer):
        if layer.geometryType() == Qgis.GeometryType.Point:
            layer.setRenderer(QgsSingleSymbolRenderer(QgsMarkerSymbol.createSimple(
                {"name": "cross2", "color": "#c0392b", "outline_color": "#c0392b", "size": "2.2"}
            )))  # fmt: skip

    return Style(title, 32, dress)


# ------------------------------------------------------------------ their parts


def by_territory(colours, symbol) -> QgsCategorizedSymbolRenderer:
    """Return a renderer with one category for each territory, and one for units without any."""
    categories = [
        QgsRendererCategory(name, symbol(QColor(PALETTE[colour % len(PALETTE)])), name)
        for name, colour in colours.items()
    ]
    categories.append(QgsRendererCategory(None, symbol(QColor("#b0b4b8")), "no territory"))
    return QgsCategorizedSymbolRenderer(fields.TERRITORY.name, categories)


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
    symbol.symbolLayer(0).setFillColor(QColor(colour.red(), colour.green(), colour.blue(), 70))
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
            f"0, {max(heaviest, 1e-9)!r}, 92, {colour.lightnessF() * 88:.0f}, 0.4))"
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
