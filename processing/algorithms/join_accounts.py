"""Join accounts: customers, revenue and competitors, to providers or ZIPs."""

from __future__ import annotations

from collections import Counter

import numpy as np
from qgis.core import (
    Qgis,
    QgsExpression,
    QgsProcessingOutputNumber,
    QgsProcessingParameterDistance,
    QgsProcessingParameterExpression,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsWkbTypes,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import stop_if
from .. import groups
from ..base import VECTOR, TerritoriesAlgorithm
from ..crosswalks import crosswalk_parameters, read_crosswalk
from ..parameters import enum, flag_advanced


class JoinAccounts(TerritoriesAlgorithm):
    """Brings any table of accounts to providers or ZIPs; what matches nothing is listed."""

    ID = "joinaccounts"
    TITLE = "Join accounts"
    GROUP = groups.IMPORT
    TAGS = ("customers", "revenue", "crm", "competitor", "penetration", "join", "accounts", "npi")
    HELP = """
    Joins accounts (customers, deals, installed devices, competitors) to providers or to ZIPs: by NPI, by ZIP, or by
    location.

    By ZIP, accounts billed to a ZIP without polygon (PO boxes, large receivers) find it through a crosswalk (columns
    ZIP and ZCTA). Where the accounts have a column of their country, foreign postcodes are not taken for ZIPs.

    By location an account belongs to the polygon that it lies in, or to the nearest provider within a distance.

    Added are the number of accounts, the sums of the fields that you choose, is_customer, the number of competitors
    where an expression says which accounts are a competitor's, and the penetration: the share of a potential (a field
    such as workload or providers) that the first sum, or the number of accounts, makes up.

    An account that matches several rows (sites with one NPI) is shared among them, so that sums stay what they are.
    Accounts that match nothing are in a table of their own with the reason; sums in equal sums out.
    """

    def initAlgorithm(self, config=None):
        source, field = QgsProcessingParameterFeatureSource, QgsProcessingParameterField
        distance = QgsProcessingParameterDistance(
            "MAX_DISTANCE", self.tr("Nearest provider at most this far (by location)"), 0.5, minValue=0.0
        )
        distance.setDefaultUnit(Qgis.DistanceUnit.Kilometers)
        for parameter in (
            source("INPUT", self.tr("Providers or ZIPs"), [VECTOR]),
            source("ACCOUNTS", self.tr("Accounts"), [VECTOR]),
            enum("JOIN_BY", self.tr("Join by"), {
                "npi": self.tr("NPI"), "zip": self.tr("ZIP"), "location": self.tr("location"),
            }, "npi"),
            field("MATCH_FIELD", self.tr("NPI or ZIP of the providers or ZIPs"), parentLayerParameterName="INPUT",
                  optional=True),
            field("ACCOUNT_MATCH_FIELD", self.tr("NPI or ZIP of the accounts"), parentLayerParameterName="ACCOUNTS",
                  optional=True),
            *crosswalk_parameters(self.tr, advanced=True),
            field("SUM_FIELDS", self.tr("Fields of the accounts to sum (revenue, …)"),
                  parentLayerParameterName="ACCOUNTS", allowMultiple=True, optional=True),
            QgsProcessingParameterExpression(
                "COMPETITOR", self.tr("Accounts that are a competitor's"), parentLayerParameterName="ACCOUNTS",
                optional=True),
            field("POTENTIAL_FIELD", self.tr("Potential, for the penetration"), parentLayerParameterName="INPUT",
                  optional=True),
            flag_advanced(distance),
            QgsProcessingParameterFeatureSink("OUTPUT", self.tr("With accounts")),
            QgsProcessingParameterFeatureSink("UNMATCHED", self.tr("Accounts without a match"), optional=True,
                                              createByDefault=True),
        ):  # fmt: skip
            self.addParameter(parameter)
        for name, label in (
            ("MATCHED_COUNT", "Accounts that found a match"), ("UNMATCHED_COUNT", "Accounts without one"),
            ("CUSTOMERS", "Rows with an account"), ("TOTAL", "Sum of the first field over all rows"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def complaints(self):
        complaints = []
        by = self.choice("JOIN_BY")
        if by != "location":
            complaints += [
                self.tr("“{}” is needed to join by {}.").format(
                    self.parameterDefinition(name).description(), by.upper()
                )
                for name in ("MATCH_FIELD", "ACCOUNT_MATCH_FIELD")
                if not self.string(name)
            ]
        else:
            for name in ("INPUT", "ACCOUNTS"):
                source = self.source(name)
                if source is not None and QgsWkbTypes.geometryType(source.wkbType()) == Qgis.GeometryType.Null:
                    complaints.append(
                        self.tr("“{}” has no geometry: join by NPI or ZIP.").format(
                            self.parameterDefinition(name).description()
                        )
                    )
        return complaints

    def compute(self):
        self.progress(0.0, self.tr("Reading"))
        source, account_source = self.source("INPUT"), self.source("ACCOUNTS")
        polygons = gis.polygons.holds_polygons(source)
        by = self.choice("JOIN_BY")
        layer = gis.frames.read_layer(source, "The layer", self.context, self.feedback,
                                      geometry="polygon" if polygons and by == "location" else "any")  # fmt: skip
        keys = [self.string("ACCOUNT_MATCH_FIELD")] if by != "location" else ()
        accounts = gis.frames.read_layer(account_source, "The account layer", self.context, self.feedback,
                                         geometry="any", keys=keys)  # fmt: skip
        names = self.strings("SUM_FIELDS")
        values = self.summable(accounts, names)
        self.progress(0.3, self.tr("Matching"))
        if by == "location":
            account, target, reason = self.by_location(layer, accounts, polygons)
        else:
            account, target, reason = self.by_key(layer, accounts)
        theirs = self.competitors(account_source, accounts)
        found = engine.accounts.gather(account, target, len(layer), values, theirs)
        lost = np.ones(len(accounts), dtype=bool)
        lost[account] = False
        self.balance_the_books(names, values, found, lost, theirs)

        self.progress(0.7, self.tr("Writing"))
        added = [gis.fields.ACCOUNTS, gis.fields.IS_CUSTOMER]
        columns = [found["accounts"].to_numpy(), found["accounts"].to_numpy() > 0]
        if theirs is not None:
            added += [gis.fields.COMPETITORS, gis.fields.HAS_COMPETITOR]
            columns += [found["competitors"].to_numpy(), found["competitors"].to_numpy() > 0]
        taken = {column.name for column in (*added, gis.fields.PENETRATION_PCT)}
        for at, name in enumerate(names):
            free = f"{name}_sum" if name.lower() in taken else name
            added.append(gis.fields.Column(free, gis.fields.REAL, name))
            columns.append(found[f"sum_{at}"].to_numpy())
        potential = self.string("POTENTIAL_FIELD")
        if potential:
            part = found["sum_0"] if names else found["accounts"]
            added.append(gis.fields.PENETRATION_PCT)
            columns.append(engine.accounts.penetration(part.to_numpy(), layer.numbers(potential)))
        fields, _ = self.beside(layer.fields, gis.fields.columns(*added))
        output = self.write("OUTPUT", fields, layer.wkb_type, source.sourceCrs(),
            (([*feature.attributes(), *gis.territories.attributes(row)], feature.geometry())
             for feature, row in zip(layer.features, zip(*columns))),
            gis.styles.accounts(),
        )  # fmt: skip
        lost_fields, _ = gis.fields.beside(accounts.fields, gis.fields.columns(gis.fields.REASON))
        unmatched = self.write("UNMATCHED", lost_fields, account_source.wkbType(), account_source.sourceCrs(),
            (([*accounts.features[row].attributes(), reason[row]], accounts.features[row].geometry())
             for row in np.flatnonzero(lost)),
            gis.styles.unmatched("Accounts without a match"),
        )  # fmt: skip
        return {
            "OUTPUT": output, "UNMATCHED": unmatched, "MATCHED_COUNT": int((~lost).sum()),
            "UNMATCHED_COUNT": int(lost.sum()), "CUSTOMERS": int((found["accounts"] > 0).sum()),
            "TOTAL": float(found["sum_0"].sum()) if names else float(found["accounts"].sum()),
        }  # fmt: skip

    def by_key(self, layer, accounts):
        """Return pairs with the same NPI or ZIP, and why an account has none."""
        field, account_field = self.string("MATCH_FIELD"), self.string("ACCOUNT_MATCH_FIELD")
        ours, theirs = accounts.texts(account_field), layer.texts(field)
        if self.choice("JOIN_BY") == "npi":
            called, read, keys = "NPI", layer.npis(field), accounts.npis(account_field)
            account, target = engine.accounts.match_by_key(keys, read)
            reason = ["no NPI can be read" if key is None else f"NPI {key} is not in the layer" for key in keys]
        else:
            called, read = "ZIP", engine.accounts.target_zips(theirs)
            account, target, reason = self.by_zip(theirs, read, accounts)
        if not any(read):
            raise TerritoryError(f"“{field}” holds no NPI or ZIP that can be read.")
        lost = np.ones(len(accounts), dtype=bool)
        lost[account] = False
        way_out = (
            f"Look whether “{account_field}” and “{field}” both hold the {called}, and whether the accounts are those "
            "of this market."
        )
        if called == "ZIP" and self.source("CROSSWALK") is None:
            way_out += " A crosswalk finds the polygon of ZIPs that have none (PO boxes)."
        elif abroad := [text for text in dict.fromkeys(reason) if text.startswith("country is")]:
            way_out += f" Some were left out by their country ({name_some(abroad, 3)})."
        for warning in engine.accounts.check_matches("account", lost, ours, theirs, called, way_out):
            self.feedback.pushWarning(warning)
        return account, target, reason

    def by_zip(self, theirs, read, accounts):
        """Return pairs with the same ZIP, also through the crosswalk, and why an account has none."""
        known = {key for key in read if key is not None}
        ours = accounts.zips(self.string("ACCOUNT_MATCH_FIELD"), sorted(known))
        column = engine.accounts.country_column(accounts.fields.names(), self.string("ACCOUNT_MATCH_FIELD"))
        countries = engine.accounts.foreign(accounts.column(column)) if column else None
        crosswalk = read_crosswalk(self, known)
        found = engine.accounts.match_by_zip(ours, theirs, crosswalk, countries)
        if crosswalk is not None:
            self.feedback.pushInfo(
                self.tr("{:account|accounts} matched through the crosswalk.").format(Count(found.through))
            )
        if countries and any(countries):
            abroad = Counter(country for country in countries if country is not None)
            self.feedback.pushWarning(
                self.tr(
                    "{:account lies|accounts lie} outside the United States by “{}”, and their postcodes are no "
                    "ZIPs: {}."
                ).format(
                    Count(sum(abroad.values())), column,
                    name_some(f"{country} ({count:,})" for country, count in abroad.most_common()),
                )
            )  # fmt: skip
        return found.account, found.target, found.reason

    def by_location(self, layer, accounts, polygons):
        """Return pairs by place: inside a polygon, or the nearest provider."""
        points = gis.frames.points_of(accounts, self.context)
        if points is None:
            raise TerritoryError("The account layer has no places: join by NPI or ZIP.")
        reason = np.where([point is None for point in points], "the account has no place", None).astype(object)
        there = np.flatnonzero([point is not None for point in points])
        if polygons:
            reason[there] = "lies in no polygon"
            return *self.some(*engine.accounts.match_inside(points, layer.lonlat)), reason
        targets = gis.frames.points_of(layer, self.context)
        if targets is None:
            raise TerritoryError("The layer has no places: join by NPI or ZIP.")
        stop_if(self.feedback.isCanceled)
        limit = self.number("MAX_DISTANCE")
        reason[there] = f"no provider within {limit:g} km"
        return *self.some(*engine.accounts.match_nearest(points, targets, limit)), reason

    def some(self, account, target):
        """Return the pairs; refuse when there is none."""
        if not len(account):
            raise TerritoryError(
                "No account has a match by its place. Look whether both layers lie in the same place and have the "
                "right coordinate reference system, allow a longer distance, or join by NPI or ZIP."
            )
        return account, target

    def competitors(self, source, accounts):
        """Return which accounts are a competitor's, or None when nobody asked."""
        text = self.parameterAsExpression(self.parameters, "COMPETITOR", self.context)
        if not text:
            return None
        expression = QgsExpression(text)
        scope = self.expression_context("ACCOUNTS")
        scope.setFields(accounts.fields)
        expression.prepare(scope)
        found = np.zeros(len(accounts), dtype=bool)
        for row, feature in enumerate(accounts.features):
            scope.setFeature(feature)
            value = gis.frames.plain(expression.evaluate(scope))
            if expression.hasEvalError():
                raise TerritoryError(f"Competitors, row {row + 1}: {expression.evalErrorString()}")
            answer = engine.tables.yes_no.yes_no(value) if isinstance(value, str) else bool(value)
            if answer is None:  # a column of names, where a condition was meant
                raise TerritoryError(
                    f"Competitors, row {row + 1}: “{value}” is neither yes nor no. Write a condition, as in "
                    "\"owner\" = 'they'."
                )
            found[row] = answer
        return found

    def balance_the_books(self, names, values, found, lost, theirs):
        """Check that no sum changed, and say what matched."""
        theirs = np.zeros(len(lost), dtype=bool) if theirs is None else theirs
        self.feedback.pushInfo(
            self.tr("{:account|accounts}: {:,} matched, {:,} without a match; {:row has|rows have} one.").format(
                Count(len(lost)), int((~lost).sum()), int(lost.sum()), Count((found["accounts"] > 0).sum())
            )
        )
        for at, name in enumerate(names):
            put_in = np.nansum(values[~theirs, at])
            left = np.nansum(values[~theirs & lost, at])
            joined = found[f"sum_{at}"].sum()
            if not np.isclose(put_in, joined + left, rtol=1e-9, atol=1e-9):
                raise TerritoryError(
                    f"The sum of “{name}” changed from {put_in} to {joined + left}; please report this."
                )
            self.feedback.pushInfo(
                self.tr("{}: {:,.2f} in = {:,.2f} joined + {:,.2f} without a match.").format(name, put_in, joined, left)
            )
        if lost.any():
            shares = [
                self.tr("{:.1f} % of “{}”").format(100 * np.nansum(column[lost]) / np.nansum(column), name)
                for name, column in zip(names, values.T)
                if np.nansum(column) > 0
            ]
            self.feedback.pushWarning(
                self.tr(
                    "{:account matches|accounts match} nothing{}, listed with reasons in “Accounts without a match”."
                ).format(Count(lost.sum()), f" ({', '.join(shares)})" if shares else "")
            )
