"""The columns that the algorithms write, each defined once."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from qgis.core import Qgis, QgsField, QgsFields
from qgis.PyQt.QtCore import QMetaType

TEXT = QMetaType.Type.QString
REAL = QMetaType.Type.Double
WHOLE = QMetaType.Type.Int
YES_NO = QMetaType.Type.Bool

NO_GEOMETRY = Qgis.WkbType.NoGeometry
POINT = Qgis.WkbType.Point
LINE = Qgis.WkbType.LineString
MULTILINE = Qgis.WkbType.MultiLineString
MULTIPOLYGON = Qgis.WkbType.MultiPolygon


@dataclass(frozen=True)
class Column:
    """One output column: its name, its type and what a person reads above it."""

    name: str
    type: QMetaType.Type
    alias: str

    def field(self) -> QgsField:
        """Return the column as a QGIS field."""
        field = QgsField(self.name, self.type)
        field.setAlias(self.alias)
        return field


KEYS = (QMetaType.Type.Int, QMetaType.Type.UInt, QMetaType.Type.LongLong, QMetaType.Type.ULongLong)
"""Types of whole numbers, which can be the key of a GeoPackage."""

# providers
SPECIALTY_PATTERN = Column("specialty_pattern", TEXT, "Specialty pattern that matched")
SPECIALTY_WEIGHT = Column("specialty_weight", REAL, "Specialty weight")
SIZE_FACTOR = Column("size_factor", REAL, "Practice-size factor")
VALUE_FACTOR = Column("value_factor", REAL, "Value factor")
WORKLOAD = Column("workload", REAL, "Workload")
WORKLOAD_NOTE = Column("workload_note", TEXT, "What was assumed for the workload")
WEIGHTING = (SPECIALTY_PATTERN, SPECIALTY_WEIGHT, SIZE_FACTOR, VALUE_FACTOR, WORKLOAD, WORKLOAD_NOTE)

SEGMENT = Column("segment", TEXT, "Segment")
CALLS = Column("calls_per_year", REAL, "Calls per year")
CALL_MINUTES = Column("call_minutes", REAL, "Minutes per call")
CALL_PLAN = (SEGMENT, CALLS, CALL_MINUTES)

NPI = Column("npi", TEXT, "NPI")
SITE = Column("site", WHOLE, "Site (0: primary)")
ENTITY = Column("entity", TEXT, "Person or organisation")
NAME = Column("name", TEXT, "Name")
CREDENTIAL = Column("credential", TEXT, "Credential")
TAXONOMY = Column("taxonomy", TEXT, "Primary taxonomy code")
SPECIALTY = Column("specialty", TEXT, "Specialty")
TAXONOMIES = Column("taxonomies", TEXT, "All taxonomy codes, the primary first")
ADDRESS = Column("address", TEXT, "Address")
CITY = Column("city", TEXT, "City")
STATE = Column("state", TEXT, "State")
ZIP5 = Column("zip", TEXT, "ZIP")
SOLE_PROPRIETOR = Column("sole_proprietor", YES_NO, "Sole proprietor")
SUBPART = Column("subpart", YES_NO, "Subpart of an organisation")
ACTIVE = Column("active", YES_NO, "Active")
LOCATED_BY = Column("located_by", TEXT, "Located by")
CMS_SPECIALTY = Column("cms_specialty", TEXT, "Specialty as CMS names it")
ORGANISATION = Column("organisation", TEXT, "Organisation")
ORGANISATION_ID = Column("organisation_id", TEXT, "Organisation's PAC ID")
PRACTICE_SIZE = Column("practice_size", WHOLE, "Practice size (clinicians)")
ROWS_IN_FILE = Column("rows_in_file", WHOLE, "Rows of the file")
CLINICIANS = (
    NPI, NAME, CREDENTIAL, CMS_SPECIALTY, SPECIALTY, TAXONOMY, ORGANISATION, ORGANISATION_ID, PRACTICE_SIZE,
    ROWS_IN_FILE, ADDRESS, CITY, STATE, ZIP5,
)  # fmt: skip
NPPES = (
    NPI, SITE, ENTITY, NAME, CREDENTIAL, TAXONOMY, SPECIALTY, TAXONOMIES, ADDRESS, CITY, STATE, ZIP5, SOLE_PROPRIETOR,
    SUBPART, ACTIVE,
)  # fmt: skip

VOLUME = Column("volume", REAL, "Volume")
VOLUME_OFFICE = Column("volume_office", REAL, "Volume in offices")
VOLUME_FACILITY = Column("volume_facility", REAL, "Volume in facilities")
VOLUME_ROWS = Column("volume_rows", WHOLE, "Claims rows behind the volume")
VOLUME_ASSUMED = Column("volume_assumed", YES_NO, "Volume is assumed")
VOLUME_NOTE = Column("volume_note", TEXT, "What is to be known of the volume")
CLAIMS = (VOLUME, VOLUME_OFFICE, VOLUME_FACILITY, VOLUME_ROWS, VOLUME_ASSUMED, VOLUME_NOTE)

ACCOUNTS = Column("accounts", WHOLE, "Accounts")
IS_CUSTOMER = Column("is_customer", YES_NO, "Customer")
COMPETITORS = Column("competitors", WHOLE, "Accounts of competitors")
HAS_COMPETITOR = Column("has_competitor", YES_NO, "Competitor present")
PENETRATION_PCT = Column("penetration_pct", REAL, "Penetration (%)")

ZIP = Column("zip_as_read", TEXT, "ZIP as read")
REASON = Column("reason", TEXT, "Reason")
UNMATCHED = (ZIP, REASON)

# units and practices
PROVIDERS = Column("providers", WHOLE, "Providers")
TERRITORY = Column("territory", TEXT, "Territory")
COMPONENT = Column("component", WHOLE, "Component")
ZIP_PARENT = Column("zip_parent", TEXT, "ZIP that this is a piece of")
ZIP_PIECE = Column("zip_piece", TEXT, "ZIP, or piece of it")
BRIDGED_TO = Column("bridged_to", TEXT, "Bridged to")

PRACTICE = Column("practice", WHOLE, "Practice")
CLINICIANS_COUNT = Column("clinicians", WHOLE, "Clinicians")
SPECIALTIES = Column("specialties", TEXT, "Specialties, with clinicians")
PRACTICES = (PRACTICE, NAME, ADDRESS, CITY, ZIP5, CLINICIANS_COUNT, PROVIDERS, SPECIALTY, SPECIALTIES)

# adjacency edges
FROM_UNIT = Column("from_unit", TEXT, "From")
TO_UNIT = Column("to_unit", TEXT, "To")
BORDER_M = Column("border_m", REAL, "Shared border (m)")
DISTANCE_KM = Column("distance_km", REAL, "Centre distance (km)")
KIND = Column("kind", TEXT, "Kind of contact")
OPEN = Column("open", YES_NO, "Open")
EDGE = (FROM_UNIT, TO_UNIT, BORDER_M, DISTANCE_KM, KIND, OPEN)

# travel
ORIGIN = Column("origin", TEXT, "From")
DESTINATION = Column("destination", TEXT, "To")
MINUTES = Column("minutes", REAL, "Minutes")
KM = Column("km", REAL, "Kilometres")
TRAVEL = (ORIGIN, DESTINATION, MINUTES, KM)
PLACE = Column("place", TEXT, "Place")
ROLE = Column("role", TEXT, "Origin or destination")
UNREACHED = (PLACE, ROLE, REASON)

# territories
UNITS = Column("units", WHOLE, "Units")
TARGET = Column("target", REAL, "Target workload")
INDEX = Column("index", REAL, "Index (average = 100)")
DEVIATION_PCT = Column("deviation_pct", REAL, "Deviation from target (%)")
WITHIN = Column("within", YES_NO, "Within tolerance")
PARTS = Column("parts", WHOLE, "Parts")
AREA_KM2 = Column("area_km2", REAL, "Area (km²)")
POLSBY_POPPER = Column("polsby_popper", REAL, "Polsby–Popper")
REOCK = Column("reock", REAL, "Reock")
RMS_KM = Column("rms_km", REAL, "RMS distance to the centre (km)")
COLOUR = Column("colour", WHOLE, "Colour class")
TERRITORIES = (
    TERRITORY, WORKLOAD, TARGET, INDEX, DEVIATION_PCT, WITHIN, REASON, UNITS, PROVIDERS, PARTS,
    AREA_KM2, POLSBY_POPPER, REOCK, RMS_KM, COLOUR,
)  # fmt: skip

REP = Column("rep", TEXT, "Rep")
HOME = Column("home", TEXT, "Home of the rep")
CAPACITY = Column("capacity", REAL, "Capacity (average rep = 1)")
REPS = (REP, HOME, CAPACITY)

BY = Column("by", TEXT, "Broken down by")
CATEGORY = Column("category", TEXT, "Category")
MEASURE = Column("measure", TEXT, "Measure")
VALUE = Column("value", REAL, "Value")
SHARE_PCT = Column("share_pct", REAL, "Share of the territory (%)")
SHARE_INDEX = Column("share_index", REAL, "Index (share in the market = 100)")
BREAKDOWN = (TERRITORY, BY, CATEGORY, MEASURE, VALUE, SHARE_PCT, SHARE_INDEX)

# today's alignment against the new one
UNIT = Column("unit", TEXT, "Unit")
TODAY = Column("territory_today", TEXT, "Territory today")
MOVED = Column("moved", YES_NO, "Changes hands")
WHY = Column("why", TEXT, "Why")
REASSIGNED = (TERRITORY, TODAY, MOVED, WHY)

FROM_TERRITORY = Column("from_territory", TEXT, "From territory")
TO_TERRITORY = Column("to_territory", TEXT, "To territory")
MOVES = (UNIT, FROM_TERRITORY, TO_TERRITORY, WORKLOAD, ACCOUNTS, WHY)

HOW = Column("how", TEXT, "How the ZIP comes to its territory")
ALL_ZIPS = (ZIP5, UNIT, TERRITORY, HOW)
ALL_ZIPS_REASSIGNED = (ZIP5, UNIT, TERRITORY, TODAY, HOW)

NOW = Column("territory_now", TEXT, "Territory now")
GAINED_LOST = (
    TERRITORY, NOW,
    *(
        Column(f"{measure}_{part}", kind, f"{title} {told}")
        for measure, kind, title in (("units", WHOLE, "Units"), ("workload", REAL, "Workload"),
                                     ("accounts", REAL, "Accounts"))
        for part, told in (("before", "before"), ("kept", "kept"), ("gained", "gained"), ("lost", "lost"),
                           ("after", "after"))
    ),
    Column("deviation_before_pct", REAL, "Deviation from target before (%)"),
    Column("deviation_after_pct", REAL, "Deviation from target after (%)"),
    Column("kept_pct", REAL, "Share of the workload that stays (%)"),
    Column("name_kept", YES_NO, "Name stays"),
)  # fmt: skip

CAP_PCT = Column("cap_pct", REAL, "Disruption allowed (%)")
REACHED_PCT = Column("reached_pct", REAL, "Largest deviation reachable (%)")
USED_PCT = Column("used_pct", REAL, "Disruption used (%)")
TRADE_OFF = (CAP_PCT, REACHED_PCT, USED_PCT)


def columns(*added: Column) -> QgsFields:
    """Return the columns as QGIS fields."""
    fields = QgsFields()
    for column in added:
        fields.append(column.field())
    return fields


def without_aliases(fields: QgsFields) -> tuple[QgsFields, dict[str, str]]:
    """Return fields without aliases and comments, which scratch layers refuse with a warning, and the aliases."""
    bare = QgsFields()
    for field in fields:
        plain = QgsField(field)
        plain.setAlias("")
        plain.setComment("")
        bare.append(plain)
    return bare, {field.name(): field.alias() for field in fields if field.alias()}


def beside(own: QgsFields, added: QgsFields) -> tuple[QgsFields, dict[str, str]]:
    """Return the layer's own fields followed by the added ones, and which own ones were renamed.

    An own field whose name an added one takes (a workload from an earlier run, today's territory) is kept
    under the name ``<name>_before``: nothing is lost, and the added columns always have their own names.
    """
    taken = {field.name().lower() for field in added} | {field.name().lower() for field in own}
    fields, renamed = QgsFields(), {}
    reserved = {field.name().lower() for field in added}
    for field in own:
        kept = QgsField(field)
        if kept.name().lower() in reserved:
            name = f"{kept.name()}_before"
            while name.lower() in taken:
                name += "_before"
            taken.add(name.lower())
            renamed[kept.name()] = name
            kept.setName(name)
        fields.append(kept)
    for field in added:
        fields.append(field)
    return fields, renamed


def has_repeated(values: Iterable[object]) -> bool:
    """Answer whether a value comes again."""
    seen = set()
    return any(value in seen or seen.add(value) for value in values)


def without_repeated_key(fields: QgsFields, rows: Iterable[list]) -> QgsFields:
    """Return the fields with a column ``fid`` whose values repeat (layers that were merged) under another name.

    A GeoPackage takes ``fid`` for its key and refuses rows that repeat one.
    """
    at = fields.lookupField("fid")
    if at < 0 or not has_repeated(row[at] for row in rows if row[at] is not None):
        return fields
    renamed = QgsFields()
    name = f"{fields.at(at).name()}_before"
    while fields.lookupField(name) >= 0:
        name += "_before"
    for number, field in enumerate(fields):
        kept = QgsField(field)
        if number == at:
            kept.setName(name)
        renamed.append(kept)
    return renamed


def fit_for_geopackage(fields: QgsFields, numbers_anew: bool = False) -> tuple[QgsFields, dict[str, str]]:
    """Return fields under names that a GeoPackage takes, and which ones were renamed.

    It keeps its own key in ``fid``, which holds whole numbers, and the geometry in ``geom``: columns of a layer with
    these names would stop the run at its end, or lose every row. With `numbers_anew` whole numbers in ``fid`` would be
    lost, too, as they are where QGIS writes one table of several.
    """
    kept, renamed = QgsFields(), {}
    taken = {field.name().lower() for field in fields}
    for field in fields:
        own = QgsField(field)
        is_key = own.name().lower() == "fid" and (numbers_anew or own.type() not in KEYS)
        if is_key or own.name().lower() == "geom":
            name = f"{own.name()}_before"
            while name.lower() in taken:
                name += "_before"
            taken.add(name.lower())
            renamed[own.name()] = name
            own.setName(name)
        kept.append(own)
    return kept, renamed
