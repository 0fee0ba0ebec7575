"""How the outputs look: renderers, labels, groups and their order; kept in the file and set on load."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import shapely
from qgis.core import (
    Qgis,
    QgsCategorizedSymbolRenderer,
    QgsExpression,
    QgsFillSymbol,
    QgsLineSymbol,
    QgsMarkerSymbol,
    QgsPalLayerSettings,
    QgsProperty,
    QgsRendererCategory,
    QgsRuleBasedLabeling,
    QgsRuleBasedRenderer,
    QgsSingleSymbolRenderer,
    QgsVectorLayer,
    QgsVectorLayerSimpleLabeling,
)
from qgis.PyQt.QtGui import QColor

from ..engine.colours import INK, PALETTE
from ..engine.geodesy import SEMI_MAJOR_KM
from . import fields
from .symbols import (
    account_fill,
    account_point,
    by_territory,
    circle,
    index_told,
    inside,
    moved_fill,
    territory_fill,
    unit_fill,
)


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
    shown : bool
        Whether it is switched on when it is loaded; what found no match is not.
    """

    title: str
    order: int
    dress: Callable[[QgsVectorLayer], None]
    aliases: Mapping[str, str] = field(default_factory=dict)
    shown: bool = True


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


def territories(colours: Mapping[str, int], some_without=False) -> Style:
    """Return the style of territory polygons: own colour, dark outline, name and index as label."""

    def dress(layer):
        layer.setRenderer(by_territory(colours, territory_fill, some_without, [index_told()]))
        name, index = fields.TERRITORY.name, fields.INDEX.name
        settings = inside(f'"{name}" || \'\\n\' || round("{index}")', 9, bold=True)
        layer.setLabeling(QgsVectorLayerSimpleLabeling(settings))
        layer.setLabelsEnabled(True)

    return Style("Territories", 40, dress)


def units(colours: Mapping[str, int], heaviest: float, column: str, some_without=False) -> Style:
    """Return the style of assigned units: their territory's colour, the deeper the more workload."""

    def dress(layer):
        layer.setRenderer(by_territory(colours, lambda colour: unit_fill(colour, heaviest, column), some_without))

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


def unplaced() -> Style:
    """Return the style of the table of providers without a place: none but its name and headings."""
    return Style("Providers without a place", 27, lambda layer: None, shown=False)


def moves(
    colours: Mapping[str, int], told: Mapping[str, str], pairs: Mapping[str, tuple[str, float]], legible: float
) -> Style:
    """Return the style of units that change hands: the receiving territory's colour, one label for each pair.

    Parameters
    ----------
    colours : mapping
        Colour class of each territory.
    told : mapping
        What the legend says of each receiving territory: from whom it gains, and how much.
    pairs : mapping
        Unit that bears the label of its pair of territories → the label, and the pair's workload.
    legible : float
        The scale (1 : so many) from which on units are wide enough for their ids.
    """

    def dress(layer):
        categories = [
            QgsRendererCategory(name, moved_fill(QColor(PALETTE[colours.get(name, 0) % len(PALETTE)])), legend)
            for name, legend in told.items()
        ]
        layer.setRenderer(QgsCategorizedSymbolRenderer(fields.TO_TERRITORY.name, categories))
        of_pair = inside(by_unit({unit: text for unit, (text, _) in pairs.items()}), 8, bold=True)
        of_pair.placement = Qgis.LabelPlacement.OverPoint
        most = max((load for _, load in pairs.values()), default=0.0) or 1.0
        ranks = by_unit({unit: round(6 + 4 * load / most, 1) for unit, (_, load) in pairs.items()})
        rank = QgsProperty.fromExpression(f"coalesce({ranks}, 0)")
        of_pair.dataDefinedProperties().setProperty(QgsPalLayerSettings.Property.Priority, rank)
        of_unit = inside(f'"{fields.UNIT.name}"', 7)
        for settings in (of_pair, of_unit):  # the polygons beside would keep labels away
            settings.obstacleSettings().setIsObstacle(False)
        root = QgsRuleBasedLabeling.Rule(None)
        root.appendChild(QgsRuleBasedLabeling.Rule(of_pair, 0, 0, "", "From → to"))
        bears = f"{by_unit(dict.fromkeys(pairs, 1))} is null"
        root.appendChild(QgsRuleBasedLabeling.Rule(of_unit, 0, legible, bears, "ZIP, from near"))
        layer.setLabeling(QgsRuleBasedLabeling(root))
        layer.setLabelsEnabled(True)

    return Style("ZIPs that change hands", 50, dress)


def by_unit(values: Mapping[str, object]) -> str:
    """Return an expression that gives some units a value, and the others none."""
    pairs = ", ".join(
        f"{QgsExpression.quotedValue(unit)}, {QgsExpression.quotedValue(v)}" for unit, v in values.items()
    )
    return f'map_get(map({pairs}), "{fields.UNIT.name}")'


def legible_scale(lonlat) -> float:
    """Return the scale (1 : so many) at which half of some polygons are at least 15 mm wide.

    Parameters
    ----------
    lonlat : numpy.ndarray of shapely polygons
        In degrees.
    """
    west, south, east, north = shapely.bounds(lonlat).T
    width = np.radians(east - west) * np.cos(np.radians((south + north) / 2)) * SEMI_MAJOR_KM
    return float(1000 * np.nanmedian(width) / 0.015) if len(lonlat) else 0.0


def gained_lost() -> Style:
    """Return the style of the table of what territories gain and lose: none but its name and headings."""
    return Style("Gained and lost", 25, lambda layer: None)


def trade_off() -> Style:
    """Return the style of the table of deviation against disruption: none but its name and headings."""
    return Style("Deviation against disruption", 24, lambda layer: None)


def breakdown() -> Style:
    """Return the style of the table of what territories are made of: none but its name and headings."""
    return Style("Territories by specialty and place", 26, lambda layer: None)


def all_zips() -> Style:
    """Return the style of the table of all ZIPs: none but its name and headings."""
    return Style("All ZIPs by territory", 23, lambda layer: None)


def travel() -> Style:
    """Return the style of the table of travel times: none but its name and headings."""
    return Style("Travel times", 18, lambda layer: None)


def unreached() -> Style:
    """Return the style of the table of places that no road reaches: none but its name and headings."""
    return Style("Places not reached", 17, lambda layer: None, shown=False)


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

    return Style("Units without a neighbour", 22, dress, shown=False)


def unmatched(title: str = "Providers without a ZIP") -> Style:
    """Return the style of what found no match."""

    def dress(layer):
        if layer.geometryType() == Qgis.GeometryType.Point:
            layer.setRenderer(QgsSingleSymbolRenderer(QgsMarkerSymbol.createSimple(
                {"name": "cross2", "color": "#c0392b", "outline_color": "#c0392b", "size": "2.2"}
            )))  # fmt: skip

    return Style(title, 32, dress, shown=False)
