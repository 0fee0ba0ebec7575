"""Rebalance territories: from today's alignment to within tolerance, with as little as possible changing hands."""

from __future__ import annotations

import time
from dataclasses import dataclass

import numpy as np
from qgis.core import (
    QgsProcessingOutputBoolean,
    QgsProcessingOutputNumber,
    QgsProcessingOutputString,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterField,
    QgsProcessingParameterString,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import part, stop_if
from .. import groups
from ..alignments import alignment_complaints, alignment_parameters, read_alignment
from ..base import POLYGONS, VECTOR
from ..parameters import contact_parameters, enum, flag_advanced, real, whole
from ..rules import RulesAlgorithm

CAPS = (0.0, 0.02, 0.05, 0.1, 0.2)
WEIGHT = "disruption"


@dataclass
class Alignment:
    """Today's alignment and the new one, unit by unit.

    Attributes
    ----------
    current : list of str or None
    proposed : list of str
        Who has the unit, by the names of today.
    named : list of str
        What its territory is called: a new name where less than half of it stays.
    accounts : numpy.ndarray of float, shape (n,), or None
    moves, gained_lost : pandas.DataFrame
        From `engine.alignment`.
    why : dict of unit to str
    """

    current: list
    proposed: list
    named: list
    accounts: object
    moves: object
    gained_lost: object
    why: dict


class RebalanceTerritories(RulesAlgorithm):
    """Brings today's alignment within tolerance with the least disruption."""

    ID = "rebalanceterritories"
    TITLE = "Rebalance territories"
    GROUP = groups.DESIGN
    TAGS = ("alignment", "realignment", "disruption", "balance", "merge", "split", "vacancy", "reps", "annual")
    HELP = """
    Brings today's alignment within the tolerance with as little as possible changing hands: ZIPs stay with their rep
    unless balance, contiguity or a wish of yours needs them elsewhere. Today's territories come from a field of the
    ZIPs, or from a layer or table of its own (last year's alignment for this year's list): a row for each ZIP, or
    lists, ranges (60601-60612, or in two columns) and beginnings (606*) of ZIPs, also with days on which rows begin and
    end. Rows that cannot be read stop the run.

    Disruption is the share of workload, of accounts, or of both that changes hands. With a cap (“at most 10 %”) you
    get the best balance that is reachable under it. Territories can be added where they help most, removed (their
    neighbours absorb them; those you name, or those whose leaving moves the least), merged or split. A name stays
    where at least half of the territory's workload stays. Where today's alignment is so far from the market that no
    shifting of borders balances it, whole territories go to where hands are short, and the log names them; a home or
    a locked ZIP keeps one where it is.

    The outputs say what changes hands, from whom to whom and why, what each territory gains and loses, and how far
    the plan is from the least possible: the flow bound, the workload that would have to flow between neighbouring
    territories if ZIPs could be cut at will. The trade-off table shows the deviation reachable at 0, 2, 5, 10 and
    20 % disruption.

    “All ZIPs by territory” is a table that also has the ZIPs without a polygon: those of the alignment, and those that
    a crosswalk puts into one.

    ZIPs without a territory today are assigned and listed as new; they count as disruption of nobody. A territory
    in parts that do not touch is told and joined.
    """

    def initAlgorithm(self, config=None):
        self.add_unit_parameters()
        self.add_current()
        self.add_tolerance()
        self.add_disruption()
        self.add_changes()
        self.add_effort()
        for parameter in (
            real(
                "COMPACTNESS",
                self.tr("Short travel against little disruption (0.1: least moves, 2: compact)"),
                0.5,
                0,
                10,
            ),
            QgsProcessingParameterBoolean(
                "BOUND_DISRUPTION", self.tr("Prove how little could change hands, as ZIPs are whole"), False
            ),
            whole("SEED", self.tr("Seed of the search"), 0, 0, 2**31 - 1),
            real("TIME_LIMIT", self.tr("Time limit (seconds; 0: none)"), 300.0, 0),
            *contact_parameters(self.tr),
        ):
            self.addParameter(flag_advanced(parameter))
        self.add_rules()
        self.add_crosswalk()
        self.add_outputs()

    def add_current(self):
        """Add today's alignment and the reps."""
        for parameter in alignment_parameters(self.tr):
            self.addParameter(parameter)
        self.add_reps()

    def add_disruption(self):
        """Add what counts as disruption, and how much of it may be."""
        self.addParameter(
            real("MAX_DISRUPTION", self.tr("Disruption at most (%; empty: as much as balance needs)"), None, 0, 100,
                 optional=True)
        )  # fmt: skip
        self.addParameter(
            enum("DISRUPTION_BY", self.tr("Disruption counts"), {
                "workload": self.tr("workload"), "accounts": self.tr("accounts"),
                "both": self.tr("workload and accounts, half each"),
            }, "workload")
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterField(
                "ACCOUNTS_FIELD", self.tr("Number of accounts (empty: “accounts” where there is one)"),
                parentLayerParameterName="UNITS", optional=True,
            )
        )  # fmt: skip

    def add_changes(self):
        """Add territories that come and go."""
        text = QgsProcessingParameterString
        for parameter in (
            whole("ADD", self.tr("Territories to add"), 0, 0),
            text("REMOVE", self.tr("Territories to remove (North, T7)"), optional=True),
            whole("FEWER", self.tr("Further territories to remove: those whose leaving moves least"), 0, 0),
            text("MERGE", self.tr("Territories to merge (North + South; T3 + T4)"), optional=True),
            text("SPLIT", self.tr("Territories to split in two (North, T7)"), optional=True),
        ):
            self.addParameter(parameter)

    def add_outputs(self):
        """Add the layers, the tables, the report and the numbers."""
        sink = QgsProcessingParameterFeatureSink
        for parameter in (
            sink("OUTPUT", self.tr("Rebalanced territories"), POLYGONS),
            sink("ASSIGNMENT", self.tr("ZIPs by territory"), POLYGONS, optional=True, createByDefault=True),
            sink("MOVES", self.tr("ZIPs that change hands"), POLYGONS, optional=True, createByDefault=True),
            sink("GAINED_LOST", self.tr("Gained and lost"), VECTOR, optional=True, createByDefault=True),
            sink("CURVE", self.tr("Deviation against disruption"), VECTOR, optional=True, createByDefault=False),
        ):
            self.addParameter(parameter)
        self.add_zip_table()
        self.add_report()
        self.add_measures()
        self.add_rule_outputs()
        for name, label in (
            ("DISRUPTION_PCT", self.tr("Workload that changes hands (%)")),
            ("DISRUPTION_ACCOUNTS_PCT", self.tr("Accounts that change hands (%)")),
            ("FLOW_BOUND_PCT", self.tr("Flow bound on the workload that has to change hands (%)")),
            ("WHOLE_BOUND_PCT", self.tr("Bound on what has to change hands, as ZIPs are whole (%)")),
            ("LEAST_PCT", self.tr("Proven bound on the workload that has to change hands (%)")),
            ("MAX_DEVIATION_BEFORE_PCT", self.tr("Largest deviation before (%)")),
            ("MOVED_COUNT", self.tr("Units that change hands")),
            ("NEW_COUNT", self.tr("Units that had no territory")),
            ("NAMES_KEPT", self.tr("Territories that keep their name")),
        ):
            self.addOutput(QgsProcessingOutputNumber(name, label))
        self.addOutput(QgsProcessingOutputBoolean("STOPPED_BY_TIME", self.tr("The time limit stopped the search")))
        self.addOutput(QgsProcessingOutputString("MESSAGES", self.tr("What else is to be said")))

    def usual_plan_name(self):
        return self.tr("Rebalanced territories")

    def complaints(self):
        complaints = [*self.rule_complaints(), *alignment_complaints(self)]
        source = self.source("UNITS")
        if self.choice("DISRUPTION_BY") != "workload" and source is not None and not self.accounts_field(source):
            complaints.append(self.tr("To count accounts as disruption, choose the field that holds their number."))
        return complaints

    def accounts_field(self, layer) -> str:
        """Return the field with the number of accounts, or "" when the units do not tell."""
        usual = gis.fields.ACCOUNTS.name
        fields = layer.fields() if callable(layer.fields) else layer.fields
        return self.string("ACCOUNTS_FIELD") or (usual if fields.lookupField(usual) >= 0 else "")

    # ---------------------------------------------------------------- computing

    def compute(self):
        market = self.read_market(part(self.progress, 0.0, 0.15))
        beside = self.read_beside(market)
        current, apart = self.read_current(market, beside)
        accounts = self.read_accounts(market)
        changes = engine.alignment.read_changes(
            sorted({name for name in current if name is not None}),
            self.integer("ADD"), self.string("REMOVE"), self.string("MERGE"), self.string("SPLIT"),
        )  # fmt: skip
        self.weigh(market, accounts)
        reps = self.read_reps(market, dict(zip(market.units, current)))
        wish = {
            "weight": WEIGHT,
            "tolerance": self.number("TOLERANCE") / 100,
            "compactness": self.number("COMPACTNESS"),
            "rules": self.read_rules(market, reps, dict(zip(market.units, current))),
            "times": self.read_times(market, reps),
            "add": changes.add,
            "remove": changes.remove,
            "merge": changes.merge,
            "split": changes.split,
            "seed": self.integer("SEED"),
            "effort": self.choice("EFFORT"),
            "time_limit": self.number("TIME_LIMIT") or None,
            "cancelled": self.feedback.isCanceled,
        }
        today = dict(zip(market.units, current))
        curve, self.began = bool(self.parameters.get("CURVE")), time.monotonic()
        result = engine.balance.rebalance_territories(
            market.graph, today, most_disruption=self.cap(), progress=part(self.progress, 0.15, 0.4 if curve else 0.85),
            bound_disruption=self.parameterAsBool(self.parameters, "BOUND_DISRUPTION", self.context),
            fewer=self.integer("FEWER"), **wish,
        )  # fmt: skip
        wish["remove"] = result.removed
        table = self.trade_off(market, today, wish, result.reached) if curve else None
        for message in result.messages:
            self.feedback.pushInfo(message)
        self.tell_time(result.plan)
        market.graph.add_edges_from(result.plan.bridges, kind="bridge")
        proposed = [result.names[at] for at in result.plan.assignment]
        stop_if(self.feedback.isCanceled)
        alignment = self.compared(market, current, proposed, accounts, result)
        results = self.write_all(market, alignment, result, table)
        names = dict(zip(alignment.proposed, alignment.named))
        results["ZIP_TABLE"] = self.write_zip_table(market, alignment.named, beside, current, apart, names)
        return results

    def read_current(self, market, beside):
        """Return today's territory of each unit, and of ZIPs that are none; say what is missing or lies apart.

        `beside` holds the ZIPs that the crosswalk puts into units.
        """
        field, apart = self.string("CURRENT_FIELD"), {}
        if field:
            named = market.layer.column(field)
        else:
            found = read_alignment(self, market.units, list(beside))
            named, apart = [found.territory.get(unit) for unit in market.units], found.apart
        current = gis.alignment.today(named, market.units, self.feedback)
        stop_if(self.feedback.isCanceled)
        for name, lie_apart in engine.alignment.parts_apart(market.graph, current).items():
            self.feedback.pushWarning(
                self.tr("{} is in parts that do not touch today; it will be one ({} lie apart).").format(
                    name, name_some(lie_apart, 5)
                )
            )
        return current, engine.zip_table.one_spelling(apart, current)

    def read_accounts(self, market):
        """Return the number of accounts of each unit, or None when the units do not tell."""
        field = self.accounts_field(market.layer)
        if not field:
            return None
        accounts = np.nan_to_num(self.summable(market.layer, [field], market.units)[:, 0])
        if (accounts < 0).any():
            raise TerritoryError(
                f"“{field}” is negative at units {name_some(np.array(market.units, dtype=object)[accounts < 0])}: "
                "accounts are counted from 0."
            )
        return accounts

    def weigh(self, market, accounts):
        """Give each unit of the graph what its change of hands counts."""
        by = self.choice("DISRUPTION_BY")
        share = {"workload": (1.0, 0.0), "accounts": (0.0, 1.0), "both": (0.5, 0.5)}[by]
        weight = share[0] * market.workload / market.workload.sum()
        if share[1]:
            if accounts.sum() <= 0:
                raise TerritoryError(f"There are no accounts at all in “{self.accounts_field(market.layer)}”.")
            weight = weight + share[1] * accounts / accounts.sum()
        for unit, value in zip(market.units, weight.tolist()):
            market.graph.nodes[unit][WEIGHT] = value

    def cap(self):
        """Return the most disruption allowed as a share, or None."""
        return None if self.parameters.get("MAX_DISRUPTION") is None else self.number("MAX_DISRUPTION") / 100

    def trade_off(self, market, today, wish, reached):
        """Return the deviation reachable at some disruptions, where the plans met so far count, too."""
        wish = {name: value for name, value in wish.items() if name != "effort"}
        if wish["time_limit"] is not None:  # the limit is that of the whole search
            wish["time_limit"] = max(wish["time_limit"] - (time.monotonic() - self.began), 0.0)
        table = engine.balance.trade_off(
            market.graph, today, caps=CAPS, reached=reached, progress=part(self.progress, 0.4, 0.85), **wish
        )
        return (100 * table).set_axis([column.name for column in gis.fields.TRADE_OFF], axis=1)

    def compared(self, market, current, proposed, accounts, result) -> Alignment:
        """Return today's alignment beside the new one."""
        why = dict(result.why)
        why.update({unit: "had no territory" for unit, name in zip(market.units, current) if name is None})
        table = engine.alignment.gained_lost(
            current, proposed, market.workload, accounts, dict(zip(result.names, result.plan.target.tolist()))
        )
        # a rep's id is the territory's name; without reps a name stands for a place that people know
        labels = {} if self.source("REPS") is not None else engine.alignment.new_names(table)
        if labels:
            kept = np.floor(10 * table["kept_pct"]) / 10  # just below half is not 50.0 %
            named = [f"{old} ({kept[old]:.1f} %) is {new} now" for old, new in labels.items()]
            text = self.tr(
                "{:territory keeps less than half of its workload and is named anew|territories keep less than half of "
                "their workload and are named anew}: {}."
            )
            self.feedback.pushWarning(text.format(Count(len(labels)), name_some(named, 20)))
        table["territory_now"] = [
            labels.get(name, name) if after else None for name, after in zip(table.index, table["units_after"])
        ]
        table["name_kept"] &= ~table.index.isin(labels)
        moves = engine.alignment.moves(market.units, current, proposed, market.workload, accounts)
        moves["to_territory"] = moves["to_territory"].replace(labels)
        moves["why"] = [why.get(unit) for unit in moves["unit"]]
        named = [labels.get(name, name) for name in proposed]
        return Alignment(current, proposed, named, accounts, moves, table, why)

    # ---------------------------------------------------------------- writing

    def write_all(self, market, alignment, result, curve):
        """Write everything; return the outputs."""
        self.alignment = alignment
        stop_if(self.feedback.isCanceled)
        label = dict(zip(alignment.proposed, alignment.named))
        tolerance = self.number("TOLERANCE") / 100
        disruption = {"workload": engine.alignment.disruption(alignment.current, alignment.proposed, market.workload)}
        if alignment.accounts is not None:
            disruption["accounts"] = engine.alignment.disruption(
                alignment.current, alignment.proposed, alignment.accounts
            )
        change = engine.report.Change(
            disruption, result.least_bound, result.flow_bound, self.cap(), alignment.moves, alignment.gained_lost,
            curve, result.messages, result.whole_bound,
        )  # fmt: skip
        results = self.write_territories(
            market,
            alignment.named,
            tolerance,
            part(self.progress, 0.85, 0.97),
            targets={label[name]: target for name, target in zip(result.names, result.plan.target.tolist())},
            reasons={label[result.names[at]]: reason for at, reason in result.plan.reasons.items()},
            sections=engine.report.change_sections(change, tolerance),
        )
        results.update(self.tell_rules(result.plan, [label.get(name, name) for name in result.names]))
        results["MOVES"] = self.write_moves(market, alignment)
        results["GAINED_LOST"] = self.write_table(
            "GAINED_LOST", gis.fields.GAINED_LOST, alignment.gained_lost.reset_index(), market, gis.styles.gained_lost()
        )
        if curve is not None:
            results["CURVE"] = self.write_table("CURVE", gis.fields.TRADE_OFF, curve, market, gis.styles.trade_off())
        table, taken = alignment.gained_lost, alignment.moves["from_territory"].notna()
        numbers = {
            "DISRUPTION_PCT": 100 * disruption["workload"],
            "DISRUPTION_ACCOUNTS_PCT": 100 * disruption["accounts"] if "accounts" in disruption else None,
            "FLOW_BOUND_PCT": 100 * result.flow_bound,
            "WHOLE_BOUND_PCT": 100 * result.whole_bound if np.isfinite(result.whole_bound) else None,
            "LEAST_PCT": 100 * result.least_bound,
            "MAX_DEVIATION_BEFORE_PCT": float(table["deviation_before_pct"].abs().max()),
            "MOVED_COUNT": int(taken.sum()),
            "NEW_COUNT": int((~taken).sum()),
            "NAMES_KEPT": int(table["name_kept"].sum()),
        }
        self.tell_change(numbers)
        return {
            **results, **numbers, "STOPPED_BY_TIME": result.plan.stopped_by_time,
            "MESSAGES": "\n".join(result.messages),
        }  # fmt: skip

    def write_units(self, market, territory, colours):
        """Write the units with their own columns, their territory now and today, and why they change hands."""
        layer, weighing, alignment = market.layer, market.fields[0], self.alignment
        fields, renamed = self.beside(layer.fields, gis.fields.columns(*gis.fields.REASSIGNED))
        rows = (
            ([*feature.attributes(), name, old, old is not None and old != new,
              alignment.why.get(unit) if old != new else None], feature.geometry())
            for feature, unit, name, new, old in zip(
                layer.features, market.units, territory, alignment.proposed, alignment.current
            )
        )  # fmt: skip
        return self.write(
            "ASSIGNMENT", fields, layer.wkb_type, layer.crs, rows,
            gis.styles.units(
                colours, float(np.nanmax(layer.numbers(weighing))), renamed.get(weighing, weighing), None in territory
            ),
        )  # fmt: skip

    def write_moves(self, market, alignment):
        """Write the polygons of what changes hands, with a legend of who gains from whom."""
        names = sorted(set(alignment.named), key=engine.tables.names.natural)
        colours = engine.measures.colour_classes(market.graph, alignment.named, names)
        shapes = dict(zip(market.units, market.layer.shapes))
        rows = (
            (gis.territories.attributes(row), gis.geometries.from_multi(shapes[row.unit]))
            for row in alignment.moves.itertuples(index=False)
        )
        return self.write(
            "MOVES", gis.fields.columns(*gis.fields.MOVES), gis.fields.MULTIPOLYGON, market.layer.crs, rows,
            gis.styles.moves(
                colours,
                engine.alignment.legend(alignment.moves),
                engine.pairs.bearers(alignment.moves, dict(zip(market.units, market.centres))),
                gis.styles.legible_scale(market.layer.lonlat),
            ),
        )  # fmt: skip

    def write_table(self, name, columns, table, market, style):
        """Write a table whose columns are those given, in their order."""
        rows = (
            (gis.territories.attributes(row), None)
            for row in table[[column.name for column in columns]].itertuples(index=False, name=None)
        )
        return self.write(name, gis.fields.columns(*columns), gis.fields.NO_GEOMETRY, market.layer.crs, rows, style)

    def tell_change(self, numbers):
        """Say in the log how much changes hands, and how little could."""
        accounts, flow = numbers["DISRUPTION_ACCOUNTS_PCT"], numbers["FLOW_BOUND_PCT"]
        self.feedback.pushInfo(
            self.tr(
                "{:unit changes|units change} hands: {:.1f} % of the workload{}; the flow bound is {:.1f} %{}."
            ).format(
                Count(numbers["MOVED_COUNT"]),
                numbers["DISRUPTION_PCT"],
                "" if accounts is None else self.tr(", {:.1f} % of the accounts").format(accounts),
                flow,
                "" if not flow > numbers["DISRUPTION_PCT"] + 0.05 else self.tr(
                    " (it counts again what passes on through several territories; proven is {:.1f} %)"
                ).format(numbers["LEAST_PCT"]),
            )
        )  # fmt: skip
