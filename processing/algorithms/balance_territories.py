"""Balance territories: exactly so many, each connected, fair and compact."""

from __future__ import annotations

from dataclasses import replace

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
from ...territory_plugin.engine.errors import Count, TerritoryError
from ...territory_plugin.engine.progress import part
from .. import groups
from ..base import POLYGONS
from ..parameters import contact_parameters, enum, flag_advanced, real, whole
from ..rules import RulesAlgorithm

LIMITS = ("CAPACITY", "CAPACITY_MIN", "CAPACITY_MAX")


class BalanceTerritories(RulesAlgorithm):
    """Partitions units into balanced territories."""

    ID = "balanceterritories"
    TITLE = "Balance territories"
    GROUP = groups.DESIGN
    TAGS = (
        "partition",
        "districting",
        "regionalization",
        "balance",
        "alignment",
        "reps",
        "contiguity",
        "compact",
    )
    HELP = """
    Divides units (ZIP polygons) into exactly as many territories as you ask for: each one connected, compact,
    and within the tolerance of its fair share of the workload.

    Where that cannot be, the territory says why in the column “reason”: which ZIP alone outweighs the target,
    which island is too light, and the best deviation that is possible.

    Reps may have homes (travel is measured from them), capacities, limits, units that they must or may not have; units
    can be locked, borders closed or priced. Rules that contradict each other are named before the search, rules that
    had to give after it.

    “All ZIPs by territory” is a table that also has the ZIPs without a polygon that a crosswalk puts into one.

    Several workload fields are mixed by their shares (60, 10, 30), each divided by its mean. The adjacency
    comes from an edges layer (“Build adjacency graph”, with your own edits) or is built on the way; bridges let
    territories span water.

    The same input and seed give the same territories, unless the time limit stops the search early; the log
    says so. Cancelling writes nothing; or, if you ask for it under “When cancelled”, the best plan so far, to
    outputs that are files: QGIS does not load layers of a run that was cancelled. To stop early and have the
    layers loaded, set the time limit instead.
    """

    def initAlgorithm(self, config=None):
        self.add_unit_parameters()
        self.addParameter(
            whole(
                "TERRITORIES",
                self.tr("Number of territories (empty: from the reps or the capacity)"),
                None,
                1,
                optional=True,
            )
        )
        self.addParameter(
            real("CAPACITY", self.tr("Capacity of a territory (workload), for no number"), None, 0, optional=True)
        )
        self.add_reps()
        self.add_tolerance()
        self.add_effort()
        for parameter in (
            real("CAPACITY_MIN", self.tr("Least workload of a territory"), None, 0, optional=True),
            real("CAPACITY_MAX", self.tr("Most workload of a territory"), None, 0, optional=True),
            real(
                "BOUNDARY",
                self.tr("Short borders against short travel (0: travel alone, 50: smooth, 1000: borders alone)"),
                1.0,
                0,
                1000,
            ),
            whole("SEED", self.tr("Seed of the search"), 0, 0, 2**31 - 1),
            real("TIME_LIMIT", self.tr("Time limit (seconds; 0: none)"), 300.0, 0),
            enum("ON_CANCEL", self.tr("When cancelled"),
                 {"nothing": self.tr("write nothing"), "best": self.tr("write the best plan so far, to files")},
                 "nothing"),
            QgsProcessingParameterBoolean("BOUND_TRAVEL", self.tr("Prove how much shorter travel could be"), False),
            *contact_parameters(self.tr),
            QgsProcessingParameterField(
                "CURRENT_FIELD", self.tr("Territory today (locked units stay there; names are kept)"),
                parentLayerParameterName="UNITS", optional=True,
            ),
            QgsProcessingParameterString("NAME_PREFIX", self.tr("Territory names begin with"), "T", optional=True),
        ):  # fmt: skip
            self.addParameter(flag_advanced(parameter))
        self.add_rules()
        self.add_crosswalk()
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Territories"), POLYGONS))
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "ASSIGNMENT", self.tr("ZIPs by territory"), POLYGONS, optional=True, createByDefault=True
            )
        )
        self.add_zip_table()
        self.add_report()
        self.add_measures()
        self.add_rule_outputs()
        self.addOutput(
            QgsProcessingOutputNumber("BEST_POSSIBLE_PCT", self.tr("Lower bound on the largest deviation (%)"))
        )
        self.addOutput(QgsProcessingOutputNumber("RMS_BOUND_KM", self.tr("Lower bound on the RMS distance (km)")))
        self.addOutput(QgsProcessingOutputBoolean("STOPPED_BY_TIME", self.tr("The time limit stopped the search")))
        self.addOutput(
            QgsProcessingOutputString("CERTIFICATE", self.tr("What is possible, and what stands in the way"))
        )

    def usual_plan_name(self):
        return self.tr("Balanced territories")

    def complaints(self):
        given = [name for name in ("TERRITORIES", "CAPACITY") if self.parameters.get(name) is not None]
        complaints = self.rule_complaints()
        if len(given) == 2:
            complaints.append(
                self.tr("Give the number of territories, or leave it empty and give the capacity of one; not both.")
            )
        elif not given and self.source("REPS") is None:
            complaints.append(self.tr("Give the number of territories, the capacity of one, or the reps."))
        return complaints

    def compute(self):
        market = self.read_market(part(self.progress, 0.0, 0.15))
        beside = self.read_beside(market)
        field = self.string("CURRENT_FIELD")
        today = gis.alignment.today(market.layer.column(field), market.units, self.feedback) if field else None
        current = dict(zip(market.units, today)) if field else {}
        reps = self.read_reps(market, current)
        territories, tolerance = self.wish(float(market.workload.sum()), reps)
        rules = self.read_rules(market, reps, current, territories)
        centred = self.source("TRAVEL") is not None and rules.travel is None
        plan = self.search(
            market, rules, territories, tolerance, part(self.progress, 0.15, 0.5 if centred else 0.85),
            certified=self.tell_certificates,
        )  # fmt: skip
        if centred and not plan.cancelled:
            homeless = not rules.reps
            rules = self.from_centres(market, rules, plan)
            timed = self.search(market, rules, territories, tolerance, part(self.progress, 0.5, 0.85))
            if plan.is_better_balanced(timed):
                self.feedback.pushInfo(
                    self.tr(
                        "Short times from centres would leave {:.1f} % deviation: the plan by straight distance "
                        "({:.1f} %) is kept."
                    ).format(100 * timed.max_adjusted_deviation, 100 * plan.max_adjusted_deviation)
                )
            else:
                plan = replace(timed, names=()) if homeless else timed
        if plan.travel_bound is not None:
            self.feedback.pushInfo(
                self.tr(
                    "No plan balanced like this one has an RMS distance below {:.1f} km; this one has {:.1f}."
                ).format(plan.travel_bound.rms_km, plan.rms_distance_km)
            )
        if plan.cancelled:
            self.feedback.pushWarning(
                self.tr("Cancelled: the best plan so far is written to the outputs that are files.")
            )
            self.feedback = Deaf(self.feedback)
        advice = engine.balance.suggestion(plan)
        if advice:
            advice = self.tr("What would help: ") + advice
            self.feedback.pushInfo(advice)
        self.tell_time(plan)
        names = self.names(plan, market, today)
        market.graph.add_edges_from(plan.bridges, kind="bridge")
        territory = [names[at] for at in plan.assignment]
        results = self.write_territories(
            market,
            territory,
            tolerance,
            part(self.progress, 0.85, 1.0),
            # one target for all: neither a unit that outweighs it nor an island too light for it is its own measure
            targets=dict(zip(names, (plan.certificates.shared_target * plan.share).tolist())),
            reasons={names[at]: reason for at, reason in plan.reasons.items()},
            also=self.rep_columns(plan, rules.reps, names) if reps else None,
        )
        results["ZIP_TABLE"] = self.write_zip_table(market, territory, beside)
        return {
            **results,
            **self.tell_rules(plan, names),
            "BEST_POSSIBLE_PCT": 100 * plan.certificates.least_shared_deviation,
            "STOPPED_BY_TIME": plan.stopped_by_time,
            "RMS_BOUND_KM": plan.travel_bound.rms_km if plan.travel_bound is not None else None,
            "CERTIFICATE": "\n".join([*plan.certificates.messages(), *([advice] if advice else [])]),
        }

    def tell_certificates(self, certificates):
        """Say before the search what is possible, and what stands in the way."""
        for message in certificates.messages():
            self.feedback.pushInfo(message)

    def search(self, market, rules, territories, tolerance, progress, **more):
        """Return the plan that the engine finds."""
        return engine.balance.balance_territories(
            market.graph,
            len(rules.reps) or territories,
            tolerance=tolerance,
            rules=rules,
            seed=self.integer("SEED"),
            effort=self.choice("EFFORT"),
            boundary=self.number("BOUNDARY"),
            time_limit=self.number("TIME_LIMIT") or None,
            progress=progress,
            cancelled=self.feedback.isCanceled,
            on_cancel=self.choice("ON_CANCEL"),
            bound_travel=self.parameterAsBool(self.parameters, "BOUND_TRAVEL", self.context),
            **more,
        )

    def names(self, plan, market, today):
        """Return the name of each territory: its rep's, that of today where most of it stays, or a number."""
        if plan.names:
            return list(plan.names)
        prefix = self.string("NAME_PREFIX")
        names = [f"{prefix}{at + 1:0{len(str(plan.territories))}d}" for at in range(plan.territories)]
        if today is None:
            return names
        kept = engine.alignment.match_names(today, [names[at] for at in plan.assignment], market.workload)
        return [kept[name] for name in names]

    def wish(self, workload, reps):
        """Return the number of territories and the tolerance, from the number given, the reps or the capacity."""
        tolerance = self.number("TOLERANCE") / 100
        target, least, most = (self.number(name) if self.parameters.get(name) is not None else None for name in LIMITS)
        if target is not None:
            capacity = engine.capacity.Capacity(target, least, most)
            territories = capacity.territories(workload)
            wished, tolerance = tolerance, capacity.tolerance(workload / territories, tolerance)
            if not tolerance > 0 and wished > 0:
                raise TerritoryError(
                    f"{Count(territories):territory holds|territories hold} "
                    f"{workload / territories:,.6g} each on average, which is the least or the most that "
                    "each may hold: no unit fits so well. Widen the limits."
                )
        else:
            territories = len(reps) if self.parameters.get("TERRITORIES") is None else self.integer("TERRITORIES")
            alike = len({rep.share for rep in reps}) < 2
            tolerance = engine.capacity.within(workload, territories, tolerance, least, most, alike)
        if reps:
            engine.reps.require_one_each(reps, territories)
        if target is not None or least is not None or most is not None:
            self.feedback.pushInfo(
                self.tr(
                    "{:territory holds|territories hold} {:,.6g} each on average; the tolerance is ±{:.1f} %."
                ).format(Count(territories), workload / territories, 100 * tolerance)
            )
        return territories, tolerance


class Deaf:
    """A feedback that goes on telling but hears of no cancel, once that has been answered."""

    def __init__(self, feedback):
        self._feedback = feedback

    def __getattr__(self, name):
        return getattr(self._feedback, name)

    def isCanceled(self):
        return False
