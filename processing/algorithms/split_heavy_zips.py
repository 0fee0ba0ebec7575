"""Split heavy ZIPs: pieces around the providers, so that even the densest ZIPs balance."""

from __future__ import annotations

import numpy as np
from qgis.core import (
    Qgis,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDistance,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsWkbTypes,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import POLYGONS, VECTOR, TerritoriesAlgorithm
from ..crosswalks import crosswalk_parameters, read_crosswalk
from ..parameters import flag_advanced, real, usual, whole


class SplitHeavyZips(TerritoriesAlgorithm):
    """Divides ZIPs that are heavier than a part of a territory."""

    ID = "splitheavyzips"
    TITLE = "Split heavy ZIPs"
    GROUP = groups.PREPARE
    TAGS = ("pieces", "oversize", "account level", "voronoi", "divide", "dense", "workload", "providers")
    HELP = """
    A ZIP that weighs as much as a territory, or a large part of one, leaves balancing no choice. This divides every ZIP
    that is heavier than a limit into pieces around its providers, inside its polygon: “10001-1”, “10001-2” and so on.

    The limit is a share of a territory's target (the number of territories is needed for that) or a workload of your
    own. A ZIP gets the fewest pieces that stay within the limit, cut where the cut is short; each piece is connected if
    the ZIP is. Borders with other ZIPs stay shared exactly.

    The workload of the ZIP is shared out by that of its providers, as are the other fields that you choose (whole
    numbers, such as counts, by the number of providers). Sums stay what they are. Each provider gets the id of its
    piece in the column “zip_piece”: sum by it later on.

    Providers at one address cannot be parted; ZIPs without enough places to part stay whole and are named.
    """

    def initAlgorithm(self, config=None):
        source, field = QgsProcessingParameterFeatureSource, QgsProcessingParameterField
        limit = QgsProcessingParameterDistance(
            "MAX_DISTANCE", self.tr("Nearest polygon at most this far"), 10.0, minValue=0.0
        )
        limit.setDefaultUnit(Qgis.DistanceUnit.Kilometers)
        for parameter in (
            source("ZIPS", self.tr("ZIPs with workload"), [POLYGONS]),
            usual(field("ZIP_FIELD", self.tr("ZIP"), parentLayerParameterName="ZIPS"), gis.fields.ZIP5.name),
            usual(field("WORKLOAD_FIELD", self.tr("Workload"), parentLayerParameterName="ZIPS"),
                  gis.fields.WORKLOAD.name),
            source("PROVIDERS", self.tr("Providers"), [VECTOR]),
            field("PROVIDER_ZIP_FIELD", self.tr("ZIP of the provider (empty: by location)"),
                  parentLayerParameterName="PROVIDERS", optional=True),
            field("PROVIDER_WORKLOAD_FIELD", self.tr("Workload of the provider (empty: all alike)"),
                  parentLayerParameterName="PROVIDERS", optional=True),
            whole("TERRITORIES", self.tr("Number of territories"), None, 1, optional=True),
            real("SHARE", self.tr("A piece is at most this share of a territory's target (%)"), 25.0, 0.1),
            real("LIMIT", self.tr("Most workload of a piece, instead of a share"), None, 0, optional=True),
            field("SHARED_FIELDS", self.tr("Other fields to share out (providers, sales, …)"),
                  parentLayerParameterName="ZIPS", allowMultiple=True, optional=True),
            *crosswalk_parameters(self.tr),
            flag_advanced(limit),
            QgsProcessingParameterFeatureSink("OUTPUT", self.tr("ZIPs and pieces"), POLYGONS),
            QgsProcessingParameterFeatureSink("PROVIDERS_OUTPUT", self.tr("Providers with their piece"),
                                              optional=True, createByDefault=True),
        ):  # fmt: skip
            self.addParameter(parameter)
        for name, label in (
            ("SPLIT_COUNT", "ZIPs divided"), ("PIECE_COUNT", "Pieces"), ("WHOLE_COUNT", "Heavy ZIPs that stay whole"),
            ("LIMIT_USED", "Most workload of a piece"), ("TOTAL_WORKLOAD", "Sum of the workload"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        given = [name for name in ("TERRITORIES", "LIMIT") if self.parameters.get(name) is not None]
        if not given:
            return [self.tr("Give the number of territories, or the most workload of a piece.")]
        if "LIMIT" in given and not self.number("LIMIT") > 0:
            return [self.tr("The most workload of a piece must be above 0.")]
        providers = self.source("PROVIDERS")
        if providers is not None and QgsWkbTypes.geometryType(providers.wkbType()) != Qgis.GeometryType.Point:
            return [self.tr("The providers are no points: pieces are drawn around their places. Give a point layer.")]
        return []

    def compute(self):
        self.progress(0.0, self.tr("Reading ZIPs"))
        zip_field, workload_field = self.string("ZIP_FIELD"), self.string("WORKLOAD_FIELD")
        layer, units = gis.frames.read_units(
            self.source("ZIPS"), zip_field, self.context, self.feedback, "The ZIP layer"
        )
        workload = self.amounts(layer, workload_field, units)
        limit = self.limit(workload)
        self.progress(0.2, self.tr("Placing providers"))
        providers = gis.frames.read_layer(
            self.source("PROVIDERS"), "The provider layer", self.context, self.feedback, geometry="any"
        )
        unit, points = self.place(providers, layer, units)
        own = self.string("PROVIDER_WORKLOAD_FIELD")
        weights = self.amounts(providers, own) if own else np.ones(len(providers))
        division = engine.pieces.divide_heavy(
            gis.pieces.flat_polygons(layer), workload, limit, unit,
            gis.pieces.places_in(points, unit, layer, self.context), weights,
            gis.pieces.metres_of_units(layer), part(self.progress, 0.4, 0.9), self.feedback.isCanceled,
        )  # fmt: skip
        self.tell(units, workload, limit, division)
        self.progress(0.9, self.tr("Writing"))
        fields, rows = self.unit_rows(layer, units, workload, unit, weights, division)
        self.balance_the_books(layer, workload_field, fields, rows)
        heaviest = max(attributes[fields.lookupField(workload_field)] or 0 for attributes, _ in rows)
        kind = QgsWkbTypes.multiType(QgsWkbTypes.flatType(layer.wkb_type))
        output = self.write("OUTPUT", fields, kind, layer.crs, rows,
                            gis.styles.workload_zips(heaviest, workload_field))  # fmt: skip
        names = [
            (f"{units[at]}-{piece + 1}" if piece >= 0 else units[at]) if at >= 0 else None
            for at, piece in zip(unit.tolist(), division.piece.tolist())
        ]
        provider_fields, _ = self.beside(providers.fields, gis.fields.columns(gis.fields.ZIP_PIECE))
        placed = self.write("PROVIDERS_OUTPUT", provider_fields, providers.wkb_type, providers.crs,
            (([*feature.attributes(), name], feature.geometry()) for feature, name in zip(providers.features, names)),
            gis.styles.in_pieces(),
        )  # fmt: skip
        return {
            "OUTPUT": output, "PROVIDERS_OUTPUT": placed, "SPLIT_COUNT": len(division.pieces),
            "PIECE_COUNT": sum(map(len, division.pieces.values())), "WHOLE_COUNT": len(division.whole),
            "LIMIT_USED": limit, "TOTAL_WORKLOAD": float(workload.sum()),
        }  # fmt: skip

    def amounts(self, layer, field, labels=None):
        """Return a column of numbers of at least 0; NULL counts as 0."""
        values = np.nan_to_num(self.summable(layer, [field], labels)[:, 0])
        if (values < 0).any():
            names = labels or [f"row {row + 1}" for row in range(len(values))]
            raise TerritoryError(
                f"{layer.name}: “{field}” is negative at "
                f"{name_some(names[row] for row in np.flatnonzero(values < 0))}. Correct these: at least 0."
            )
        return values

    def limit(self, workload):
        if self.parameters.get("LIMIT") is not None:
            return self.number("LIMIT")
        target = float(workload.sum()) / self.integer("TERRITORIES")
        if not target > 0:
            raise TerritoryError(f"The sum of “{self.string('WORKLOAD_FIELD')}” is 0: there is nothing to divide.")
        limit = target * self.number("SHARE") / 100
        self.feedback.pushInfo(
            self.tr("A territory holds {:,.2f} on average; a piece may hold {:,.2f}.").format(target, limit)
        )
        return limit

    def place(self, providers, layer, units):
        """Return the unit of each provider, -1 for none, and the providers' points."""
        points = gis.frames.points_of(providers, self.context)
        if points is None:
            raise TerritoryError(
                "No provider has a place: the layer is one of points, but none of them is drawn. Pieces are drawn "
                "around providers' places: geocode them, or take another layer."
            )
        field = self.string("PROVIDER_ZIP_FIELD")
        codes = engine.tables.zips.unit_codes(units)
        placed = engine.zipcodes.locate_providers(
            providers.zips(field, codes) if field else None, codes,
            crosswalk=read_crosswalk(self, codes), points=points, polygons=layer.lonlat,
            limit_km=self.number("MAX_DISTANCE"), cancelled=self.feedback.isCanceled,
        )  # fmt: skip
        unit = placed["unit"].to_numpy()
        if (unit < 0).any():
            self.feedback.pushWarning(
                self.tr("{:provider is|providers are} in no ZIP: “zip_piece” is empty.").format(Count((unit < 0).sum()))
            )
        return unit, points

    def tell(self, units, workload, limit, division):
        """Say which ZIPs were divided, which could not be, and what else changed."""
        self.feedback.pushInfo(
            self.tr("{:ZIP weighs|ZIPs weigh} more than {:,.2f}; {:is|are} divided into {:piece|pieces}: {}.").format(
                Count(len(division.pieces) + len(division.whole)), limit, Count(len(division.pieces)),
                Count(sum(map(len, division.pieces.values()))),
                name_some(f"{units[at]} ({len(pieces)})" for at, pieces in division.pieces.items()) or self.tr("none"),
            )
        )  # fmt: skip
        if division.whole:
            self.feedback.pushWarning(
                self.tr("{:heavy ZIP stays|heavy ZIPs stay} whole: {}.").format(
                    Count(len(division.whole)),
                    name_some(f"{units[at]} ({workload[at]:,.1f}: {why})" for at, why in division.whole.items()),
                )
            )
        if division.heavy_places:
            self.feedback.pushWarning(
                self.tr(
                    "{:ZIP has|ZIPs have} pieces above the limit, since providers at one place cannot be parted: {}."
                ).format(Count(len(division.heavy_places)), name_some(units[at] for at in division.heavy_places))
            )
        if division.corners:
            self.feedback.pushInfo(
                self.tr("{:ZIP|ZIPs} beside divided ones got {:corner|corners} on the border, where cuts end.").format(
                    Count(len(division.corners)), Count(sum(division.corners.values()))
                )
            )

    def unit_rows(self, layer, units, workload, unit, weights, division):
        """Return the fields and the rows of the units, pieces in the place of their ZIP."""
        zip_field, workload_field = self.string("ZIP_FIELD"), self.string("WORKLOAD_FIELD")
        names = (workload_field, *self.strings("SHARED_FIELDS"))
        shared = dict(zip(names, self.summable(layer, names, units).T))
        counted = {
            name for name in shared
            if name != workload_field and layer.fields.field(name).isNumeric()
            and layer.fields.field(name).type() != gis.fields.REAL
        }  # fmt: skip
        own = gis.pieces.piece_fields(layer.fields, zip_field, set(shared) - counted)
        fields, _ = self.beside(own, gis.fields.columns(gis.fields.ZIP_PARENT))
        at = {name: layer.fields.lookupField(name) for name in (zip_field, *shared)}
        rows = []
        for row, feature in enumerate(layer.features):
            pieces = division.pieces.get(row)
            plain = [*feature.attributes(), None]
            plain[at[zip_field]] = units[row]
            for name in set(shared) - counted:  # numbers that the layer holds as text become numbers
                plain[at[name]] = None if np.isnan(shared[name][row]) else float(shared[name][row])
            if pieces is None:
                rows.append((plain, gis.pieces.from_flat(division.polygons[row], layer, self.context)))
                continue
            here = unit == row
            amount = np.bincount(division.piece[here], weights=weights[here], minlength=len(pieces))
            count = np.bincount(division.piece[here], minlength=len(pieces))
            parts = {
                name: engine.pieces.share_out(values[row], count if name in counted else amount, name in counted)
                for name, values in shared.items()
            }
            for number, shape in enumerate(pieces):
                attributes = list(plain)
                attributes[at[zip_field]], attributes[-1] = f"{units[row]}-{number + 1}", units[row]
                for name, values in parts.items():
                    attributes[at[name]] = values[number]
                rows.append((attributes, gis.pieces.from_flat(shape, layer, self.context)))
        return fields, rows

    def balance_the_books(self, layer, workload_field, fields, rows):
        """Check that no sum changed."""
        for name in (workload_field, *self.strings("SHARED_FIELDS")):
            before = np.nansum(layer.numbers(name))
            at = fields.lookupField(name)
            after = sum(gis.frames.plain(attributes[at]) or 0 for attributes, _ in rows)
            if not np.isclose(before, float(after), rtol=1e-9, atol=1e-9):
                raise TerritoryError(f"The sum of “{name}” changed from {before} to {after}; please report this.")
            self.feedback.pushInfo(self.tr("{}: {:,.2f} before = {:,.2f} after.").format(name, before, float(after)))
