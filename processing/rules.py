"""What `balanceterritories` and `rebalanceterritories` share: reps, locks, borders, measures, travel as parameters."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
from qgis.core import (
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
)

from ..territory_plugin import engine, gis
from ..territory_plugin.engine.errors import Count, TerritoryError, name_some
from .base import VECTOR
from .crosswalks import crosswalk_parameters, read_crosswalk
from .parameters import enum, flag_advanced, real, shares_of
from .territory_outputs import TerritoriesOutputAlgorithm

MEASURE = "measure {}"
"""Node attribute of the market's graph that holds a workload field."""
TAKEN = ("workload", "lon", "lat", "disruption")
"""Node attributes that hold something else."""


class RulesAlgorithm(TerritoriesOutputAlgorithm):
    """An algorithm whose plans obey rules."""

    def add_reps(self):
        """Add the reps, and today's territory in the units."""
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "REPS", self.tr("Reps: homes, capacities, limits (ids name the territories)"), [VECTOR], optional=True
            )
        )

    def add_effort(self):
        """Add how much work the search does."""
        self.addParameter(
            enum("EFFORT", self.tr("Effort"), {
                "quick": self.tr("quick"), "default": self.tr("default"), "thorough": self.tr("thorough"),
            }, "default")
        )  # fmt: skip

    def add_rules(self):
        """Add locks, borders, further measures, travel and heavy units."""
        field, source = QgsProcessingParameterField, QgsProcessingParameterFeatureSource
        for parameter in (
            field("LOCK_FIELD", self.tr("Locked units (yes, or the id of the rep they stay with)"),
                  parentLayerParameterName="UNITS", optional=True),
            source("LOCKED", self.tr("Locked units or customers (a layer, or what is selected in it)"), [VECTOR],
                   optional=True),
            field("LOCKED_REP_FIELD", self.tr("Rep whom they stay with (empty: today's)"),
                  parentLayerParameterName="LOCKED", optional=True),
            field("BORDER_FIELDS", self.tr("Borders that no territory may cross (state, …)"),
                  parentLayerParameterName="UNITS", optional=True, allowMultiple=True),
            field("WHOLE_FIELDS", self.tr("Regions to keep whole where possible (county, metro, …)"),
                  parentLayerParameterName="UNITS", optional=True, allowMultiple=True),
            real("WHOLE_PRICE", self.tr("What a further piece of such a region may cost (travel of an average unit)"),
                 3.0, 0, 1000),
            QgsProcessingParameterString(
                "TOLERANCES", self.tr("Tolerance of each workload field for itself (± %: 10, 15; empty: the mix only)"),
                optional=True,
            ),
            source("TRAVEL", self.tr("Travel times (origin, destination, minutes; empty: straight distance)"), [VECTOR],
                   optional=True),
            real("MAX_TRAVEL", self.tr("Farthest from a rep's home (minutes with travel times, else km)"), None, 0,
                 optional=True),
            enum("OVERSIZE", self.tr("ZIPs heavier than a territory"), {
                "own": self.tr("are a territory of their own"),
                "join": self.tr("are part of one that is over target"),
                "share": self.tr("are shared by several reps"),
            }, "own"),
        ):  # fmt: skip
            self.addParameter(flag_advanced(parameter))

    def add_crosswalk(self):
        """Add the crosswalk, for ZIPs that have no polygon but belong to a territory all the same."""
        for parameter in crosswalk_parameters(self.tr, advanced=True):
            self.addParameter(parameter)

    def add_zip_table(self):
        """Add the table of all ZIPs."""
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "ZIP_TABLE", self.tr("All ZIPs by territory"), VECTOR, optional=True, createByDefault=False
            )
        )

    def add_rule_outputs(self):
        """Add what rules have cost."""
        self.addOutput(QgsProcessingOutputNumber("SPLITS", self.tr("Further pieces of regions (splits)")))
        self.addOutput(QgsProcessingOutputString("RULES", self.tr("Rules that had to give, and regions in pieces")))

    def rule_complaints(self):
        """Return what is wrong with the rules beyond the checks of QGIS."""
        complaints = []
        tolerances = self.string("TOLERANCES")
        if tolerances:
            fields = self.strings("WORKLOAD_FIELDS")
            try:
                given = shares_of(tolerances)
            except TerritoryError as error:
                return [str(error)]
            if len(given) != len(fields):
                complaints.append(
                    self.tr("Give a tolerance for each workload field: {} fields, {} tolerances.").format(
                        len(fields), len(given)
                    )
                )
            elif any(not 0 < each < 100 for each in given):
                complaints.append(self.tr("Tolerances must be above 0 and below 100 %."))
        both = sorted(set(self.strings("BORDER_FIELDS")) & set(self.strings("WHOLE_FIELDS")))
        if both:
            complaints.append(
                self.tr("{} cannot be a border that nothing crosses and one with a price: choose one.").format(
                    name_some(both)
                )
            )
        if self.parameters.get("MAX_TRAVEL") is not None and self.source("REPS") is None:
            complaints.append(self.tr("The farthest travel is measured from reps' homes: give the reps."))
        if self.parameters.get("MAX_TRAVEL") is not None and not self.number("MAX_TRAVEL") > 0:
            complaints.append(
                self.tr("The farthest travel must be above 0: nobody could leave home. Leave it empty for no limit.")
            )
        return complaints

    # ---------------------------------------------------------------- reading

    def read_reps(self, market, current=None) -> list:
        """Return the reps of the table given, under the names of today's territories; none when there is none."""
        source = self.source("REPS")
        if source is None:
            return []
        layer = market.layer
        regions = {name: layer.texts(name) for name in layer.fields.names()}
        return gis.reps.read_reps(
            source, market.units, layer.lonlat, regions, self.context, self.feedback, current=current
        )

    def read_beside(self, market) -> dict:
        """Return the unit of each ZIP that the crosswalk puts into the market, and how it comes to it."""
        whole = {unit.partition("-")[0] for unit in market.units}
        crosswalk = read_crosswalk(self, {*market.units, *whole})
        beside = engine.zip_table.units_of(crosswalk, market.units, market.workload)
        if crosswalk is not None and not beside:
            self.feedback.pushWarning(self.tr("The crosswalk puts no further ZIP into a unit of the market."))
        return beside

    def read_rules(self, market, reps, current: dict, territories=None):
        """Return the rules; the market's graph gets what they refer to.

        Parameters
        ----------
        market : Market
        reps : list of engine.reps.Rep
        current : dict of unit to str
            Today's territories.
        territories : int, optional
            How many are wanted, where reps are made for today's.
        """
        locked = self.read_locks(market, reps, current)
        if (locked or self.choice("OVERSIZE") == "share") and not reps:
            reps = engine.reps.reps_of(current, territories)
        if any(rep.locked for rep in reps):
            frozen = {rep.id for rep in reps if rep.locked}
            locked = {**{unit: name for unit, name in current.items() if name in frozen}, **locked}
        if self.choice("OVERSIZE") == "share":
            reps, messages = engine.reps.share_heavy_units(
                reps, market.units, market.workload, market.centres, self.number("TOLERANCE") / 100
            )
            for message in messages:
                self.feedback.pushInfo(message)
        return engine.balance.Rules(
            reps=tuple(reps),
            locked=locked,
            borders=(*self.read_borders(market, "BORDER_FIELDS", None),
                     *self.read_borders(market, "WHOLE_FIELDS", self.number("WHOLE_PRICE"))),
            measures=self.read_measures(market),
            travel=self.read_travel(market, reps),
            most_travel=None if self.parameters.get("MAX_TRAVEL") is None else self.number("MAX_TRAVEL"),
            oversize="join" if self.choice("OVERSIZE") == "join" else "own",
            bridge=self.choice("BRIDGE") != "none",
        )  # fmt: skip

    def read_locks(self, market, reps, current) -> dict:
        """Return the rep that each locked unit stays with, from the field and from the layer."""
        listed, field = {}, self.string("LOCK_FIELD")
        source = self.source("LOCKED")
        if source is not None:
            wishes = gis.locks.read_locked(
                source, market.units, market.layer.lonlat, self.string("UNIT_FIELD"), self.string("LOCKED_REP_FIELD"),
                current, reps, self.context, self.feedback,
            )  # fmt: skip
            listed = engine.reps.read_locks(market.units, [wishes.get(unit) for unit in market.units], current, reps)
        if not field:
            return listed
        locked = engine.reps.read_locks(market.units, market.layer.texts(field), current, reps)
        torn = [unit for unit in listed if locked.get(unit, listed[unit]) != listed[unit]]
        if torn:
            told = name_some(f"{unit} ({locked[unit]}, {listed[unit]})" for unit in torn)
            raise TerritoryError(
                f"Units {told} are locked to one rep by “{field}” and to another by the layer of locked units: take "
                "one of the two back."
            )
        return {**locked, **listed}

    def read_borders(self, market, parameter, price):
        """Return the borders of some fields, each region a node attribute."""
        borders = []
        for field in self.strings(parameter):
            name = f"column {field}" if field in TAKEN else field
            for unit, text in zip(market.units, market.layer.texts(field)):
                market.graph.nodes[unit][name] = text
            borders.append(engine.balance.Border(name, price))
        return borders

    def read_measures(self, market):
        """Return each workload field as a measure with its own tolerance; none when the mix is all that counts."""
        measures = []
        for field, tolerance in zip(market.fields, shares_of(self.string("TOLERANCES"))):
            name = MEASURE.format(field)
            for unit, value in zip(market.units, np.nan_to_num(market.layer.numbers(field, market.units)).tolist()):
                market.graph.nodes[unit][name] = value
            measures.append(engine.balance.Measure(name, tolerance / 100))
        return tuple(measures)

    def read_travel(self, market, reps):
        """Return the minutes from reps' homes, or None without a table or homes."""
        source = self.source("TRAVEL")
        if source is None or not any(rep.home for rep in reps):
            return None
        return gis.travel.read_rep_minutes(source, market.units, market.centres, reps, self.context, self.feedback)

    def read_times(self, market, reps):
        """Return the minutes between all units where travel times are given but no homes; else None."""
        source = self.source("TRAVEL")
        if source is None or any(rep.home for rep in reps):
            return None
        return gis.travel.read_travel(source, market.units, market.centres, self.context, self.feedback)

    def from_centres(self, market, rules, plan):
        """Return the rules once travel is measured from each territory's best unit, by the table of travel times.

        Without homes the centres follow from the plan: of each of its territories the unit that its workload is
        nearest to, in minutes.
        """
        times = self.read_times(market, rules.reps)
        at = plan.as_dict()
        found = engine.travel.medoids(times, np.array([at[unit] for unit in market.units]), market.workload)
        reps = rules.reps or tuple(engine.reps.Rep(str(index), str(index)) for index in range(plan.territories))
        centres = {rep.id: market.units[centre] for rep, centre in zip(reps, found)}
        starts = [replace(rep, home=centres[rep.id]) for rep in reps]
        minutes, matrix = engine.travel.rep_minutes(times, market.units, starts)
        self.feedback.pushInfo(matrix.message())
        return replace(rules, reps=reps, travel=minutes, centres=centres)

    # ---------------------------------------------------------------- writing

    def write_zip_table(self, market, territory, beside, current=None, apart=None, names=None):
        """Write a row for each ZIP, with or without a polygon; return where, or None when it is not wanted.

        The parameters are those of `engine.zip_table.all_zips`.
        """
        if not self.parameters.get("ZIP_TABLE"):
            return None
        table = engine.zip_table.all_zips(market.units, territory, beside, current, apart, names)
        self.feedback.pushInfo(engine.zip_table.told(table))
        columns = gis.fields.ALL_ZIPS if current is None else gis.fields.ALL_ZIPS_REASSIGNED
        rows = table[[column.name for column in columns]].itertuples(index=False, name=None)
        return self.write(
            "ZIP_TABLE", gis.fields.columns(*columns), gis.fields.NO_GEOMETRY, market.layer.crs,
            ((list(row), None) for row in rows), gis.styles.all_zips(),
        )  # fmt: skip

    # ---------------------------------------------------------------- telling

    def tell_time(self, plan):
        """Warn where the time limit stopped the search."""
        if plan.stopped_by_time:
            self.feedback.pushWarning(
                self.tr("The time limit of {:g} s stopped the search early: another run may end elsewhere.").format(
                    self.number("TIME_LIMIT")
                )
            )

    def rep_columns(self, plan, reps, names) -> dict:
        """Return what the reps' table says of each territory, as further columns."""
        of = {rep.id: rep for rep in reps}
        rows = zip(names, plan.names, plan.share.tolist())
        known = [(name, of[rep], share) for name, rep, share in rows if rep in of]
        return {
            gis.fields.REP: {name: rep.name for name, rep, _ in known},
            gis.fields.HOME: {name: rep.home for name, rep, _ in known},
            gis.fields.CAPACITY: {name: share for name, _, share in known},
        }

    def tell_rules(self, plan, names) -> dict:
        """Say which rules had to give and which regions are in pieces; return the outputs.

        `names` are those of the territories.
        """
        said = list(plan.gave)
        splits = 0
        for attribute, regions in plan.pieces.items():
            pieces = sum(len(held) - 1 for held in regions.values())
            splits += pieces
            if regions:
                most = sorted(regions.items(), key=lambda item: (-len(item[1]), item[0]))
                shown = name_some((f"{name} ({', '.join(names[at] for at in held)})" for name, held in most), 5)
                said.append(
                    f"{attribute}: {Count(len(regions)):region is|regions are} in pieces, "
                    f"{Count(pieces):split|splits}: {shown}."
                )
        for attribute, held in plan.further.items():
            target = plan.share / plan.share.sum() * held.sum()
            off = np.abs(held / np.where(target > 0, target, 1.0) - 1)[~plan.oversize]
            said.append(f"{attribute.partition(' ')[2]}: the largest deviation is {100 * off.max(initial=0.0):.1f} %.")
        for text in said:
            self.feedback.pushInfo(text)
        return {"SPLITS": splits, "RULES": "\n".join(said)}
