"""Weight providers: specialty × practice size × value, every factor a column of its own."""

from __future__ import annotations

from collections import Counter

import numpy as np
from qgis.core import (
    QgsExpression,
    QgsFeature,
    QgsProcessing,
    QgsProcessingOutputNumber,
    QgsProcessingParameterExpression,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterMatrix,
    QgsProcessingParameterString,
)

from ...territory_plugin import engine, gis
from ...territory_plugin.engine.errors import Count, TerritoryError, name_some
from ...territory_plugin.engine.progress import stop_if
from .. import groups
from ..base import TerritoriesAlgorithm
from ..parameters import enum, flag_advanced, real, shares_of, with_widget


class WeightProviders(TerritoriesAlgorithm):
    """Gives each provider its workload."""

    ID = "weightproviders"
    TITLE = "Weight providers"
    GROUP = groups.PREPARE
    TAGS = ("npi", "specialty", "taxonomy", "workload", "opportunity", "claims")
    HELP = """
    Gives each provider (clinician, practice, organisation) its workload: what it weighs when territories are
    balanced.

    workload = specialty weight × practice-size factor × value factor, or an expression of your own. Every
    factor is a column, so that anyone can see why a provider weighs what it weighs; the column workload_note
    says where something was assumed.

    Specialty weights: rows of pattern and weight. A pattern is an exact taxonomy code (207XS0114X), a prefix of
    codes (207X), a classification (Orthopaedic Surgery), a specialty or preset that the plugin knows (Cardiology,
    OB/GYN, Primary care), or * for all others. The most specific one that fits wins, in that order. CMS's names of
    specialties in the data (ORTHOPEDIC SURGERY) are read as the codes that they stand for.

    A preset picked in the dialog fills the table with its specialties, to be edited there; rows that are typed in win
    over a preset and over a table.

    Practice size: none, linear, square root, 1 + natural logarithm, or bands; a cap limits what the largest
    practices count.

    Value fields (claims volume, deal value): each is scaled by its mean, by rank, or between its minimum and
    maximum, capped at a percentile if you like, and the shares mix them; 1 is an average provider.

    Hours of calls instead: providers are in segments (a field, or the best 20 %, the next 30 % and the rest by the
    product of the factors), and the call plan says how often and how long each segment is called on in a year.

    Specialties that no pattern fits and sizes that are missing are counted, listed in the log, and treated as
    you choose.
    """

    def initAlgorithm(self, config=None):
        self.addParameter(
            QgsProcessingParameterFeatureSource("INPUT", self.tr("Providers"), [QgsProcessing.SourceType.TypeVector])
        )
        self.addParameter(
            QgsProcessingParameterField(
                "SPECIALTY_FIELD", self.tr("Specialty (taxonomy code or name)"), parentLayerParameterName="INPUT",
                optional=True,
            )
        )  # fmt: skip
        self.addParameter(
            with_widget(enum("SPECIALTY_PRESET", self.tr("Specialty weights: a preset (weight 1 each)"), {
                "none": self.tr("none"), **{name.lower(): name for name in engine.taxonomy.PRESETS},
            }, "none"), "specialty_preset")
        )  # fmt: skip
        self.addParameter(
            with_widget(QgsProcessingParameterMatrix(
                "SPECIALTY_MATRIX", self.tr("Specialty weights: typed in"), headers=[self.tr("Pattern"),
                self.tr("Weight")], numberRows=1, defaultValue=[], optional=True,
            ), "specialty_weights")
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "SPECIALTY_WEIGHTS", self.tr("Specialty weights: from a table (columns pattern and weight)"),
                [QgsProcessing.SourceType.TypeVector], optional=True,
            )
        )  # fmt: skip
        self.addParameter(
            enum(
                "UNMATCHED", self.tr("A specialty that no pattern fits"),
                {"default": self.tr("counts with the default weight"), "zero": self.tr("counts nothing (no target)"),
                 "error": self.tr("stops the run")}, "zero",
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterField(
                "SIZE_FIELD",
                self.tr("Practice size (clinicians)"),
                parentLayerParameterName="INPUT",
                optional=True,
            )
        )
        self.addParameter(
            enum(
                "SIZE_SCALE", self.tr("How practice size counts"),
                {"none": self.tr("not at all"), "linear": self.tr("linear"), "sqrt": self.tr("square root"),
                 "log": self.tr("1 + logarithm"), "bands": self.tr("bands")}, "sqrt",
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterField(
                "VALUE_FIELDS", self.tr("Volume or value"), parentLayerParameterName="INPUT", allowMultiple=True,
                optional=True,
            )
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterString(
                "VALUE_SHARES", self.tr("Shares of the value fields (60, 40; empty: equal)"), optional=True
            )
        )
        self.addParameter(
            enum("WORKLOAD_IS", self.tr("Workload is"), {
                "product": self.tr("the product of the factors"),
                "calls": self.tr("the hours of a year's calls, by segment"),
            }, "product")
        )  # fmt: skip
        self.addParameter(
            QgsProcessingParameterExpression(
                "WORKLOAD_EXPRESSION",
                self.tr("Workload by an expression instead (may use specialty_weight, size_factor, value_factor)"),
                parentLayerParameterName="INPUT", optional=True,
            )
        )  # fmt: skip
        for parameter in self.fine_tuning():
            self.addParameter(flag_advanced(parameter))
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", self.tr("Weighted providers")))
        self.addParameter(
            QgsProcessingParameterFileDestination(
                "SUMMARY", self.tr("Summary (distribution, top ten)"), self.tr("HTML files (*.html)"), optional=True,
                createByDefault=False,
            )
        )  # fmt: skip
        for name, label in (
            ("PROVIDERS", "Providers"), ("TOTAL_WORKLOAD", "Total workload"),
            ("UNMATCHED_SPECIALTIES", "Providers whose specialty matched nothing"),
            ("MISSING_SIZES", "Providers without a practice size"),
            ("TOP_1_PCT", "Share of the workload that the top 1 % of providers hold (%)"),
        ):  # fmt: skip
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    def fine_tuning(self):
        """Return the parameters that few need."""
        return [
            QgsProcessingParameterField(
                "CLASSIFICATION_FIELD", self.tr("Classification of the specialty"), parentLayerParameterName="INPUT",
                optional=True,
            ),
            QgsProcessingParameterFeatureSource(
                "TAXONOMY", self.tr("… or a taxonomy table (columns Code and Classification)"),
                [QgsProcessing.SourceType.TypeVector], optional=True,
            ),
            real("DEFAULT_WEIGHT", self.tr("Default weight"), 1.0, 0),
            real("SIZE_CAP", self.tr("Largest practice size that counts"), None, 0, optional=True),
            QgsProcessingParameterMatrix(
                "SIZE_BANDS", self.tr("Size bands"), headers=[self.tr("From size"), self.tr("Factor")], numberRows=1,
                defaultValue=[1, 1, 3, 1.5, 10, 2.5, 50, 4], optional=True,
            ),
            enum(
                "MISSING_SIZE", self.tr("A practice size that is missing"),
                {"one": self.tr("counts as one clinician"), "median": self.tr("counts as the median size"),
                 "zero": self.tr("makes the workload 0"), "error": self.tr("stops the run")}, "one",
            ),
            enum(
                "MISSING_VALUE", self.tr("A volume or value that is missing"),
                {"zero": self.tr("counts as 0"), "mean": self.tr("counts as the mean")}, "zero",
            ),
            enum(
                "VALUE_SCALE", self.tr("Volume or value is scaled by"),
                {"mean": self.tr("its mean"), "rank": self.tr("rank"),
                 "minmax": self.tr("minimum and maximum")}, "mean",
            ),
            real("VALUE_CAP", self.tr("Volume or value above this percentile counts as the percentile"), None, 0, 100,
                 optional=True),
            QgsProcessingParameterField(
                "SEGMENT_FIELD", self.tr("Segment (empty: by the product of the factors)"),
                parentLayerParameterName="INPUT", optional=True,
            ),
            QgsProcessingParameterString(
                "SEGMENT_SHARES", self.tr("Shares of providers in the segments of the call plan, the best first"),
                "20, 30, 50", optional=True,
            ),
            QgsProcessingParameterMatrix(
                "CALL_PLAN", self.tr("Call plan"),
                headers=[self.tr("Segment"), self.tr("Calls per year"), self.tr("Minutes per call")], numberRows=1,
                defaultValue=["A", 24, 30, "B", 12, 20, "C", 4, 15], optional=True,
            ),
            QgsProcessingParameterField(
                "NAME_FIELD", self.tr("Name of the provider, for the summary"), parentLayerParameterName="INPUT",
                optional=True,
            ),
        ]  # fmt: skip

    def complaints(self):
        complaints = []
        has_weights = self.parameters.get("SPECIALTY_WEIGHTS") or self.matrix("SPECIALTY_MATRIX") or self.preset()
        has_field = self.string("SPECIALTY_FIELD")
        if has_weights and not has_field and not self.string("CLASSIFICATION_FIELD"):
            complaints.append(self.tr("Specialty weights are given, but no specialty field: choose one."))
        if has_field and not has_weights:
            complaints.append(
                self.tr("A specialty field is given, but no specialty weights: give a table or type them in.")
            )
        if self.string("WORKLOAD_EXPRESSION") and self.choice("WORKLOAD_IS") == "calls":
            complaints.append(self.tr("Workload is either the hours of calls or an expression: choose one."))
        return complaints

    def expression_fields(self, name):
        """Return the fields of the providers beside the factors, which the expression may name, too."""
        return gis.fields.beside(super().expression_fields(name), gis.fields.columns(*gis.fields.WEIGHTING[:4]))[0]

    def compute(self):
        source = self.source("INPUT")
        self.progress(0.0, self.tr("Reading providers"))
        layer = gis.frames.read_layer(source, "The provider layer", self.context, self.feedback, geometry="any")
        notes = [[] for _ in layer.features]
        self.progress(0.3, self.tr("Weighting"))
        patterns, specialty = self.specialty(layer, notes)
        size, missing_sizes = self.size(layer, notes)
        value = self.value(layer, notes)
        with np.errstate(over="ignore"):  # refused below
            workload = specialty * size * value
        calls = self.choice("WORKLOAD_IS") == "calls"
        plan = [[] for _ in layer.features]
        if calls:
            segment, per_year, minutes, workload = self.calls(layer, workload)
            plan = [list(row) for row in zip(segment, per_year.tolist(), minutes.tolist())]
        added = (*gis.fields.WEIGHTING, *gis.fields.CALL_PLAN) if calls else gis.fields.WEIGHTING
        own, _ = self.beside(layer.fields, gis.fields.columns(*added))
        factors = list(zip(patterns, specialty.tolist(), size.tolist(), value.tolist()))
        expression = self.string("WORKLOAD_EXPRESSION")
        if expression:
            workload = self.by_expression(expression, source, layer, factors)
        engine.workload.refuse_extremes(workload, "workload", [f"row {row + 1}" for row in range(len(layer))])
        self.progress(0.8, self.tr("Writing"))
        rows = (
            ([*feature.attributes(), *factor, load, "; ".join(note) or None, *call], feature.geometry())
            for feature, factor, load, note, call in zip(layer.features, factors, workload.tolist(), notes, plan)
        )
        output = self.write("OUTPUT", own, source.wkbType(), source.sourceCrs(), rows,
            gis.styles.providers(float(workload.max())),
        )  # fmt: skip
        unmatched = sum(pattern is None for pattern in patterns) if self.string("SPECIALTY_FIELD") else 0
        self.feedback.pushInfo(
            self.tr("{:provider|providers}, total workload {:,.1f}; {:weighs|weigh} nothing.").format(
                Count(len(layer)), workload.sum(), Count((workload == 0).sum())
            )
        )
        return {
            "OUTPUT": output, "PROVIDERS": len(layer), "TOTAL_WORKLOAD": float(workload.sum()),
            "UNMATCHED_SPECIALTIES": unmatched, "MISSING_SIZES": missing_sizes,
            **self.summary(layer, workload, patterns, [row[0] for row in plan] if calls else None),
        }  # fmt: skip

    def specialty(self, layer, notes):
        """Return the pattern and the weight of each provider's specialty."""
        patterns, weights = self.weight_table()
        if not patterns:
            return [None] * len(layer), np.ones(len(layer))
        field = self.string("SPECIALTY_FIELD")
        specialties = layer.texts(field) if field else [None] * len(layer)
        classes = self.classifications(layer, specialties)
        patterns, weights = engine.taxonomy.expand_presets(patterns, weights)
        codes, names = engine.taxonomy.codes_and_names(specialties, classes, patterns)
        found = engine.workload.specialty_weights(codes, patterns, weights, names)
        without = np.flatnonzero(found["weight"].isna())
        weight = found["weight"].to_numpy(copy=True)
        if len(without):
            labels = Counter(specialties[row] or (classes[row] if classes else None) or "(none)" for row in without)
            listed = name_some((f"{label} ({count:,})" for label, count in labels.most_common()), most=20)
            choice = self.choice("UNMATCHED")
            message = self.tr("{:provider has|providers have} a specialty that no pattern fits: {}.").format(
                Count(len(without)), listed
            )
            if choice == "error":
                raise TerritoryError(f"{message} Add patterns for them (or *), or choose how they count.")
            given = self.number("DEFAULT_WEIGHT") if choice == "default" else 0.0
            weight[without] = given
            self.feedback.pushWarning(f"{message} They count with weight {given:g}.")
            for row in without:
                notes[row].append(f"specialty matches no pattern: weight {given:g}")
        return found["pattern"].tolist(), weight

    def weight_table(self):
        """Return the patterns and weights from the table and from the matrix; the matrix is the later word."""
        table = {}
        source = self.source("SPECIALTY_WEIGHTS")
        if source is not None:
            layer = gis.frames.read_layer(source, "The table of specialty weights", self.context, self.feedback)
            names = {name.lower(): name for name in layer.fields.names()}
            if not {"pattern", "weight"} <= names.keys():
                raise TerritoryError(
                    f"The table of specialty weights needs the columns pattern and weight; "
                    f"it has {', '.join(names.values())}."
                )
            patterns = layer.texts(names["pattern"])
            if len(set(patterns)) < len(patterns):
                repeated = [pattern for pattern, count in Counter(patterns).items() if count > 1]
                raise TerritoryError(
                    f"The specialty weights give these patterns more than once: {name_some(repeated)}. Keep one each."
                )
            table.update(zip(patterns, layer.numbers(names["weight"], patterns).tolist()))
        for preset in self.preset():
            table.setdefault(preset, 1.0)
        matrix = self.matrix("SPECIALTY_MATRIX")
        for pattern, weight in zip(matrix[::2], matrix[1::2]):
            if str(pattern or "").strip():
                table[str(pattern).strip()] = weight
        return list(table), list(table.values())

    def preset(self):
        """Return the name of the preset that was chosen, in a list; empty when none was."""
        choice = self.choice("SPECIALTY_PRESET")
        return [name for name in engine.taxonomy.PRESETS if name.lower() == choice]

    def classifications(self, layer, specialties):
        """Return the classification of each provider's specialty, or None when none is known."""
        field = self.string("CLASSIFICATION_FIELD")
        if field:
            return layer.texts(field)
        source = self.source("TAXONOMY")
        if source is None:
            return None
        taxonomy = gis.frames.read_layer(source, "The taxonomy table", self.context, self.feedback)
        known = engine.tables.ids.one_value_each(
            taxonomy.texts("Code"), taxonomy.texts("Classification"), "The taxonomy table"
        )
        return [known.get(specialty) for specialty in specialties]

    def size(self, layer, notes):
        """Return the practice-size factor of each provider and how many sizes were missing."""
        field = self.string("SIZE_FIELD")
        if not field:
            return np.ones(len(layer)), 0
        sizes = self.summable(layer, [field])[:, 0]
        matrix, _ = engine.tables.numbers.require_numbers(self.matrix("SIZE_BANDS"), self.tr("“Size bands”"))
        cap = self.number("SIZE_CAP") if self.parameters.get("SIZE_CAP") is not None else None
        missing = self.choice("MISSING_SIZE")
        factor, absent = engine.workload.size_factor(
            sizes, self.choice("SIZE_SCALE"), cap=cap,
            bands=list(zip(matrix[::2], matrix[1::2])), missing="one" if missing == "error" else missing,
        )  # fmt: skip
        if absent.any():
            message = self.tr("{:provider|providers} of {:,} without a practice size above 0.").format(
                Count(absent.sum()), len(layer)
            )
            if missing == "error":
                rows = name_some(f"row {row + 1}" for row in np.flatnonzero(absent))
                raise TerritoryError(f"{message} They are {rows}. Fill “{field}”, or choose how they count.")
            stands_in = {"one": "one clinician", "median": "the median size", "zero": "nothing"}[missing]
            self.feedback.pushWarning(f"{message} They count as {stands_in}.")
            for row in np.flatnonzero(absent):
                notes[row].append(f"practice size missing: counts as {stands_in}")
        return factor, int(absent.sum())

    def value(self, layer, notes):
        """Return the value factor of each provider: 1 is the average provider."""
        names = self.strings("VALUE_FIELDS")
        if not names:
            return np.ones(len(layer))
        values = self.summable(layer, names)
        shares = shares_of(self.string("VALUE_SHARES"))
        missing = self.choice("MISSING_VALUE")
        cap = self.number("VALUE_CAP") if self.parameters.get("VALUE_CAP") is not None else None
        factor = engine.workload.composite_index(
            values, names, shares, missing=missing, scale=self.choice("VALUE_SCALE"), cap_percentile=cap
        )
        for column, name in zip(values.T, names):
            absent = np.flatnonzero(np.isnan(column))
            if len(absent):
                self.feedback.pushWarning(
                    self.tr("{:provider|providers} of {:,} without “{}”; it counts as {}.").format(
                        Count(len(absent)), len(layer), name, missing
                    )
                )
                for row in absent:
                    notes[row].append(f"{name} missing: counts as {missing}")
        return factor

    def calls(self, layer, potential):
        """Return segment, calls per year, minutes per call and hours per year of each provider."""
        matrix = self.matrix("CALL_PLAN")
        plan = list(zip(matrix[::3], matrix[1::3], matrix[2::3]))
        field = self.string("SEGMENT_FIELD")
        if field:
            segment = [name if weighs > 0 else None for name, weighs in zip(layer.texts(field), potential)]
            lacking = sum(name is None for name, weighs in zip(segment, potential) if weighs > 0)
            if lacking:
                self.feedback.pushWarning(
                    self.tr("{:provider has|providers have} no segment in “{}”, so no calls.").format(
                        Count(lacking), field
                    )
                )
        else:
            names = [str(row[0]) for row in plan]
            segment = engine.workload.segments(potential, names, shares_of(self.string("SEGMENT_SHARES"))).tolist()
        per_year, minutes, hours = engine.workload.call_plan(segment, plan)
        counts = Counter(name for name in segment if name is not None)
        told = ", ".join(f"{name}: {counts[name]:,}" for name in dict.fromkeys(str(row[0]) for row in plan))
        self.feedback.pushInfo(
            self.tr("Call plan ({}): {:,.0f} calls and {:,.0f} hours a year.").format(told, per_year.sum(), hours.sum())
        )
        return segment, per_year, minutes, hours

    def summary(self, layer, workload, patterns, segment):
        """Tell how the workload is spread, write the page where asked, and return the outputs."""
        spread = engine.workload.spread(workload)
        self.feedback.pushInfo(
            self.tr("The top 1 % of providers hold {:.1f} % of the workload, the top 10 % hold {:.1f} %.").format(
                spread.top_1_pct, spread.top_10_pct
            )
        )
        results = {"TOP_1_PCT": spread.top_1_pct}
        page = self.page("SUMMARY")
        if page:
            field = self.string("NAME_FIELD")
            names = layer.texts(field) if field else [None] * len(layer)
            labels = [name or f"row {row + 1}" for row, name in enumerate(names)]
            groups = {"specialty pattern": patterns} if any(patterns) else {}
            if segment:
                groups["segment"] = segment
            engine.report.write_workload_summary(page, spread, workload, labels, groups)
            results["SUMMARY"] = page
        return results

    def by_expression(self, text, source, layer, factors):
        """Return the workload that the user's expression gives each provider."""
        factor_fields = gis.fields.columns(*gis.fields.WEIGHTING[:4])
        both, _ = gis.fields.beside(layer.fields, factor_fields)
        expression = QgsExpression(text)
        scope = self.expression_context("INPUT")
        scope.setFields(both)
        expression.prepare(scope)
        workload, wrong = np.zeros(len(layer)), []
        for row, (feature, factor) in enumerate(zip(layer.features, factors)):
            whole = QgsFeature(both)
            whole.setGeometry(feature.geometry())
            whole.setAttributes([*feature.attributes(), *factor])
            scope.setFeature(whole)
            result = expression.evaluate(scope)
            if expression.hasEvalError():
                raise TerritoryError(f"Workload expression, row {row + 1}: {expression.evalErrorString()}")
            number = gis.frames.plain(result)
            if isinstance(number, bool) or not isinstance(number, (int, float)) or not 0 <= number < float("inf"):
                wrong.append(f"row {row + 1} ({number})")
            else:
                workload[row] = number
            if row % 1000 == 0:
                stop_if(self.feedback.isCanceled)
        if wrong:
            raise TerritoryError(
                f"The workload expression must give a number of at least 0 for each provider, but did not at "
                f"{name_some(wrong)}. "
                "Wrap it, for example in coalesce(…, 0)."
            )
        return workload
