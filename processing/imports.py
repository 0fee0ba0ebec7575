"""What the imports share: files as parameters, places by ZIP, and the books of what was read, kept and dropped."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass

import numpy as np
from qgis.core import (
    QgsGeometry,
    QgsPointXY,
    QgsProcessingOutputNumber,
    QgsProcessingParameterBoolean,
    QgsProcessingParameterFeatureSink,
    QgsProcessingParameterFeatureSource,
    QgsProcessingParameterField,
    QgsProcessingParameterFile,
    QgsProcessingParameterFileDestination,
    QgsProcessingParameterString,
)

from ..territory_plugin import engine, gis
from ..territory_plugin.engine.errors import Count, TerritoryError, name_some
from ..territory_plugin.engine.progress import part, stop_if
from .base import POLYGONS, VECTOR, TerritoriesAlgorithm
from .crosswalks import crosswalk_parameters, read_crosswalk
from .parameters import flag_advanced

FILES = "CSV, zip or gzip (*.csv *.zip *.gz *.txt *.tsv *.CSV *.ZIP);;All files (*)"
NO_ZIP = "no polygon for their ZIP"
WAYS = {
    "file": "by the coordinates in the file",
    "zip": "inside the polygon of their ZIP",
    "crosswalk": "inside the polygon that the crosswalk names",
    "": "without a place: no ZIP polygons were given",
}


class ImportAlgorithm(TerritoriesAlgorithm):
    """An import: reads a file, places what it keeps, and writes its books."""

    def add_file(self, name, label, optional=False):
        """Add a text file, or a zip that holds it."""
        self.addParameter(
            QgsProcessingParameterFile(name, label, fileFilter=FILES, optional=optional, defaultValue=None)
        )

    def add_filters(self, any_name, any_label):
        """Add the wishes that the imports of providers have.

        Parameters
        ----------
        any_name, any_label : str
            Of the parameter that lets a secondary specialty count.
        """
        text = QgsProcessingParameterString
        self.addParameter(text("STATES", self.tr("States (NY, New Jersey; empty: all)"), optional=True))
        self.addParameter(
            text("SPECIALTIES", self.tr("Specialties (207X, Cardiology, OB/GYN; empty: all)"), optional=True)
        )
        for parameter in (
            QgsProcessingParameterBoolean(any_name, any_label, False),
            text("ZIP_CODES", self.tr("ZIPs (10001, 112*; empty: all)"), optional=True, multiLine=True),
        ):
            self.addParameter(flag_advanced(parameter))

    def add_places(self):
        """Add the ZIP polygons that providers are placed in."""
        self.addParameter(
            QgsProcessingParameterFeatureSource(
                "ZIPS", self.tr("ZIP polygons to place them in (empty: a table)"), [POLYGONS], optional=True
            )
        )
        self.addParameter(
            QgsProcessingParameterField(
                "ZIP_FIELD", self.tr("ZIP of the polygon (empty: found by name)"), parentLayerParameterName="ZIPS",
                optional=True,
            )
        )  # fmt: skip
        for parameter in crosswalk_parameters(self.tr):
            self.addParameter(parameter)

    def add_coordinates(self):
        """Add the columns of coordinates, for files that somebody has geocoded."""
        for name, label in (("LATITUDE", "latitude"), ("LONGITUDE", "longitude")):
            self.addParameter(
                flag_advanced(
                    QgsProcessingParameterString(
                        f"{name}_COLUMN",
                        self.tr("Column of the {} (empty: found by name, if the file has one)").format(label),
                        optional=True,
                    )
                )
            )

    def add_books(self, output):
        """Add the outputs of every import."""
        self.addParameter(QgsProcessingParameterFeatureSink("OUTPUT", output))
        self.addParameter(
            QgsProcessingParameterFeatureSink(
                "UNPLACED", self.tr("Providers without a place"), VECTOR, optional=True, createByDefault=True
            )
        )
        self.add_audit()

    def add_audit(self):
        """Add the books as files and as numbers."""
        for name, label, filters in (
            ("AUDIT", self.tr("What was read, kept and dropped (page)"), self.tr("HTML files (*.html)")),
            ("AUDIT_JSON", self.tr("The same as JSON"), self.tr("JSON files (*.json)")),
        ):
            self.addParameter(
                QgsProcessingParameterFileDestination(name, label, filters, optional=True, createByDefault=False)
            )
        for name, label in (("READ", "Records read"), ("KEPT", "Records kept"), ("DROPPED", "Records dropped")):
            self.addOutput(QgsProcessingOutputNumber(name, self.tr(label)))

    # ---------------------------------------------------------------- guards

    def wish_complaints(self):
        """Return what is wrong with the wishes for places."""
        complaints = [*complaint_of(self.states), *complaint_of(self.zip_filter)]
        if self.parameters.get("ZIPS") and not self.zip_field():
            complaints.append(self.tr("ZIP polygons are given: choose the field that holds their ZIP."))
        return complaints

    def zip_field(self) -> str:
        """Return the field of the ZIP polygons that holds their ZIP, named or found; empty when there is none."""
        source = self.source("ZIPS")
        names = source.fields().names() if source is not None else []
        found = engine.crosswalk.find_columns(names, engine.crosswalk.POLYGON_NAMES)
        return self.string("ZIP_FIELD") or next(iter(found), "")

    def flag(self, name) -> bool:
        return self.parameterAsBoolean(self.parameters, name, self.context)

    def file(self, name) -> str:
        return self.parameterAsFile(self.parameters, name, self.context)

    def files(self, name) -> list[str]:
        """Return the files given for a parameter that takes several."""
        return [path for path in self.parameterAsFileList(self.parameters, name, self.context) if path]

    def states(self) -> frozenset[str]:
        """Return the states asked for, as two letters each."""
        return engine.states.state_codes(engine.taxonomy.split_wishes(self.string("STATES")))

    def zip_filter(self):
        """Return the ZIPs asked for."""
        return engine.tables.zip_lists.ZipFilter([self.string("ZIP_CODES")])

    def code_filter(self):
        """Return the specialties asked for, by code, by our names, and by those of the user's table."""
        return engine.taxonomy.CodeFilter(
            engine.taxonomy.split_wishes(self.string("SPECIALTIES")), self.classifications()
        )

    def classifications(self):
        """Return code → names from the taxonomy table, or None when none is given."""
        source = self.source("TAXONOMY") if self.parameterDefinition("TAXONOMY") else None
        if source is None:
            return None
        layer = gis.frames.read_layer(source, "The taxonomy table", self.context, self.feedback)
        names = layer.fields.names()
        columns = [layer.texts(name) for name in names]
        return engine.nppes.read_taxonomy([dict(zip(names, row)) for row in zip(*columns)])

    def filters(self) -> dict:
        """Return the wishes that all imports of providers have."""
        return {"states": self.states(), "zips": self.zip_filter(), "codes": self.code_filter()}

    def reading(self, share: float) -> dict:
        """Return what every reader of a file takes besides its wishes; `share` of the time is reading."""
        return {
            "latitude": self.string("LATITUDE_COLUMN"), "longitude": self.string("LONGITUDE_COLUMN"),
            "progress": part(self.progress, 0.0, share), "cancelled": self.feedback.isCanceled,
        }  # fmt: skip

    def label(self, name) -> str:
        """Return the option chosen in an enum parameter, as a person reads it."""
        definition = self.parameterDefinition(name)
        return definition.options()[definition.metadata()["keys"].index(self.choice(name))]

    def told_wishes(self, *names) -> dict[str, str]:
        """Return the filters as a person reads them, those left empty out."""
        told = {}
        for name in names:
            definition = self.parameterDefinition(name)
            if definition.type() == "boolean":
                text = "yes" if self.flag(name) else "no"
            else:
                text = self.label(name) if definition.type() == "enum" else self.string(name)
            if text:
                told[definition.description().split(" (")[0]] = text
        return told

    # ---------------------------------------------------------------- places

    def read_places(self, spool) -> Places:
        """Return the crosswalk and the polygons of the ZIPs that are needed: a nation's take memory and time."""
        source = self.source("ZIPS")
        if source is None:
            return Places()
        gis.frames.check_geometry(source, "The ZIP layer", "polygon")
        table = gis.frames.read_layer(source, "The ZIP layer", self.context, self.feedback)
        units = gis.frames.unit_ids(table, self.zip_field())
        units = engine.tables.zips.unit_codes(units)
        crosswalk = read_crosswalk(self, units)
        zips = {code for frame in spool.frames() for code in frame["zip"][frame["longitude"].isna()] if code}
        zips |= {crosswalk[code] for code in zips if code in crosswalk} if crosswalk else set()
        row_of = {feature.id(): row for row, feature in enumerate(table.features) if units[row] in zips}
        polygons = np.full(len(units), None, dtype=object)
        if row_of:
            layer = gis.frames.read_layer(
                source, "The ZIP layer", self.context, self.feedback, geometry="polygon", only=row_of.keys()
            )
            polygons[[row_of[feature.id()] for feature in layer.features]] = layer.lonlat
        return Places(units, polygons, crosswalk)

    def write_places(self, spool, columns, keys, audits, progress):
        """Write providers with a place, and those without; close the books; return the outputs.

        Parameters
        ----------
        spool : engine.spool.Spool
            With the attributes of `columns`, longitude and latitude; ``book`` is the number of the audit that
            counts a row, where there are several.
        keys : callable
            Returns for a frame the numbers that decide where inside a polygon each row stands.
        """
        progress(0.0, self.tr("Placing"))
        places = self.read_places(spool)
        located = places.units is not None or any(frame["longitude"].notna().any() for frame in spool.frames())
        stop_if(self.feedback.isCanceled)
        kind, crs = gis.fields.POINT if located else gis.fields.NO_GEOMETRY, gis.geometries.LONLAT
        output = self.begin(
            "OUTPUT", gis.fields.columns(*columns, gis.fields.LOCATED_BY), kind, crs, gis.styles.places()
        )
        unplaced = self.begin(
            "UNPLACED", gis.fields.columns(*columns, gis.fields.REASON), gis.fields.NO_GEOMETRY, crs,
            gis.styles.unplaced(),
        )  # fmt: skip
        lost_zips, books, done = Counter(), [(Counter(), Counter()) for _ in audits], 0
        for frame in spool.frames():
            xy, way, reason = places.find(frame, keys(frame), located, self.feedback.isCanceled)
            lost = np.array([text is not None for text in reason], dtype=bool)
            lost_zips.update(code or "(none)" for code in frame["zip"][lost])
            book = frame["book"].to_numpy() if "book" in frame else np.zeros(len(frame))
            for number, (ways, reasons) in enumerate(books):
                own = book == number
                ways.update(way[own & ~lost])
                reasons.update({NO_ZIP: int((lost & own).sum())})
            records = np.column_stack([plain_values(frame[column.name], column.type) for column in columns])
            for layer, chosen, told in ((output, ~lost, way), (unplaced, lost, reason)):
                if layer is not None:
                    rows = (
                        ([*records[at], told[at] or None], point_at(xy[at]) if way[at] and chosen is not lost else None)
                        for at in np.flatnonzero(chosen)
                    )
                    layer.add(rows, self.feedback.isCanceled)
            done += len(frame)
            progress(done / len(spool), self.tr("Writing"))
            stop_if(self.feedback.isCanceled)
        self.tell_lost(lost_zips)
        for audit, (ways, reasons) in zip(audits, books):
            audit.kept -= reasons[NO_ZIP]
            audit.drop(NO_ZIP, reasons[NO_ZIP])
            audit.kept_as = {text: ways[key] for key, text in WAYS.items() if ways[key]}
            audit.check()
        return {
            "OUTPUT": output and output.final, "UNPLACED": unplaced and unplaced.final,
            **self.write_books(audits),
        }  # fmt: skip

    def tell_lost(self, zips):
        """Warn of providers that found no polygon, with the ZIPs that most of them have."""
        if zips:
            self.feedback.pushWarning(
                self.tr("{:provider has|providers have} no place: no polygon has the ZIP. Most frequent: {}.").format(
                    Count(sum(zips.values())), name_some(f"{code} ({count:,})" for code, count in zips.most_common(8))
                )
                + (" " + self.tr("A crosswalk from ZIP to ZCTA places most of them.")
                   if self.source("CROSSWALK") is None else "")
            )  # fmt: skip

    def write_books(self, audits) -> dict:
        """Write the books where asked, tell them in the log, and return the outputs."""
        results = {}
        for audit in audits:
            self.feedback.pushInfo(audit.sentence())
            for text, count in audit.notes.items():
                self.feedback.pushInfo(f"{audit.title}: {count:,} {text}.")
        page = self.page("AUDIT")
        if page:
            engine.audit.write_html(page, audits, self.displayName())
            results["AUDIT"] = page
        plain = self.page("AUDIT_JSON")
        if plain:
            engine.audit.write_json(plain, audits)
            results["AUDIT_JSON"] = plain
        main = [audit for audit in audits if not audit.beside]
        return {
            **results, "READ": sum(audit.read for audit in main), "KEPT": sum(audit.kept for audit in main),
            "DROPPED": sum(sum(audit.dropped.values()) for audit in main),
        }  # fmt: skip


@dataclass
class Places:
    """The polygons that providers are placed in.

    Attributes
    ----------
    units : list of str, optional
        ZIPs of the polygons; None when no layer was given.
    polygons : numpy.ndarray of shapely polygons
        In degrees on WGS84; None for those that are not needed.
    crosswalk : dict, optional
        From ZIPs without polygon to one that has one.
    """

    units: list[str] | None = None
    polygons: np.ndarray | None = None
    crosswalk: dict[str, str] | None = None

    def find(self, frame, keys, located, cancelled):
        """Return coordinates and the way they were found, row by row, and why a row has none.

        Parameters
        ----------
        frame : pandas.DataFrame
            With ``zip``, ``longitude`` and ``latitude``.
        keys : numpy.ndarray of int
            Decide where inside a polygon a row stands.
        located : bool
            Whether any provider has a place; where none has, that is no reason.
        """
        xy = frame[["longitude", "latitude"]].to_numpy(dtype=float)
        way = np.where(np.isnan(xy[:, 0]), "", "file").astype(object)
        reason = np.full(len(frame), None, dtype=object)
        if self.units is not None:
            rows = np.flatnonzero(way == "")
            zips = frame["zip"].to_numpy(dtype=object)[rows]
            found = engine.zipcodes.locate_providers(zips, self.units, crosswalk=self.crosswalk, cancelled=cancelled)
            unit = found["unit"].to_numpy()
            xy[rows] = engine.placing.spread_in_polygons(keys[rows], unit, self.polygons, cancelled)
            xy[rows, 0] = engine.antimeridian.normal(xy[rows, 0])
            way[rows] = found["method"]
            reason[rows] = [
                None if at >= 0 else (f"ZIP {code} has no polygon" if code else "no ZIP can be read")
                for at, code in zip(unit, zips)
            ]
        elif located:
            reason[way == ""] = "no coordinates in the file, and no ZIP polygons were given"
        return xy, way, reason


def point_at(xy) -> QgsGeometry:
    return QgsGeometry.fromPointXY(QgsPointXY(*xy))


def complaint_of(read) -> list[str]:
    """Return what a function that reads parameters refuses, in a list; empty when it is content."""
    try:
        read()
    except TerritoryError as error:
        return [str(error)]
    return []


def plain_values(series, kind) -> np.ndarray:
    """Return a column as Python's own values, None where missing, whole numbers whole."""
    known = series.notna().to_numpy()
    values = np.full(len(series), None, dtype=object)
    values[known] = [int(value) for value in series[known]] if kind == gis.fields.WHOLE else series[known].tolist()
    return values
