"""Providers from the monthly NPPES file, filtered while it is read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field

import pandas as pd

from .audit import (
    BAD_DIGIT,
    DEACTIVATED,
    FOREIGN,
    MALFORMED,
    NO_NPI,
    OTHER_ENTITY,
    OTHER_SPECIALTY,
    OTHER_STATE,
    OTHER_ZIP,
    TWICE,
    Audit,
)  # fmt: skip
from .delimited import DelimitedFile, Remembered, header_key, need_columns
from .errors import TerritoryError
from .npi import NpiSet, has_check_digit, read_npi
from .progress import IsCancelled, Progress, ignore, never, part
from .spool import Spool
from .states import COUNTRIES, state_code
from .tables.ids import one_value_each
from .taxonomy import CodeFilter, label_of
from .zipcodes import ZipFilter, zip5

PERSON, ORGANISATION = "person", "organisation"
CODES = 15

PRACTICE = "Provider Business Practice Location Address"
SITE = "Provider Secondary Practice Location Address"
# a column that gives a file away that is not the one asked for
OTHER_FILES = {
    "Endpoint Type": "the endpoint file (endpoint_pfile); choose npidata_pfile",
    f"{SITE} - City Name": "the file of secondary sites (pl_pfile); choose npidata_pfile, and give this one as sites",
    "Entity Type Code": "an NPPES provider file with columns cut out",
    "Provider Other Organization Name Type Code": "the file of other names (othername_pfile); choose npidata_pfile",
    "Rndrng_NPI": "a Medicare claims file; “Add claims volume” reads it",
    "pri_spec": "the file of Doctors & Clinicians; “Import clinicians” reads it",
    "Provider Business Mailing Address Postal Code": "an NPPES file with columns cut out",
}
NOT_SITES = {
    "Endpoint Type": "the endpoint file (endpoint_pfile); choose pl_pfile",
    "Entity Type Code": "the file of providers itself (npidata_pfile); choose pl_pfile",
}
LATITUDE = ("latitude", "lat", "y", "lat_dd", "geo_lat")
LONGITUDE = ("longitude", "lon", "lng", "long", "x", "lon_dd", "geo_lon", "geo_lng")

NOT_KEPT = "sites of providers that were not kept"

COLUMNS = (
    "npi", "site", "entity", "name", "credential", "taxonomy", "specialty", "taxonomies", "address", "city", "state",
    "zip", "sole_proprietor", "subpart", "active", "longitude", "latitude",
)  # fmt: skip


@dataclass
class Wishes:
    """Which providers are wanted.

    Attributes
    ----------
    states : frozenset of str
        Two letters each; empty for all.
    zips : ZipFilter
    codes : CodeFilter
    any_code : bool
        Whether one of up to 15 taxonomy codes is enough; else the primary one decides.
    entity : {'all', 'person', 'organisation'}
    active_only : bool
    """

    states: frozenset[str] = frozenset()
    zips: ZipFilter = field(default_factory=ZipFilter)
    codes: CodeFilter = field(default_factory=CodeFilter)
    any_code: bool = False
    entity: str = "all"
    active_only: bool = True


def is_main_file(name: str) -> bool:
    """Answer whether a file in the download is the providers'.

    >>> is_main_file("npidata_pfile_20250101-20250131.csv"), is_main_file("npidata_pfile_20250101_fileheader.csv")
    (True, False)
    """
    return "npidata" in name.lower() and "header" not in name.lower()


def is_sites_file(name: str) -> bool:
    """Answer whether a file in the download is that of secondary sites."""
    return name.lower().startswith("pl_pfile") and "header" not in name.lower()


def read_providers(
    path: str,
    wishes: Wishes,
    *,
    sites: str | None = None,
    latitude: str = "",
    longitude: str = "",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> tuple[pd.DataFrame, list[Audit]]:
    """Read an ``npidata_pfile``, and the secondary sites when asked, and keep what is wanted.

    The file is read once, from its start to its end. The primary
    taxonomy is the code whose switch is Y; where no switch says so it is the first code, which the audit
    counts. A secondary site becomes a further row of its provider, with numbers from 1; states and ZIPs are
    asked of each site, everything else of the provider.

    Parameters
    ----------
    path : str
        The CSV, or the zip of the download.
    sites : str, optional
        A ``pl_pfile``, or the zip that holds it.
    latitude, longitude : str
        Columns of the file that hold degrees; empty: found by name when there are any.

    Returns
    -------
    providers : pandas.DataFrame
        The columns of `COLUMNS`, None where unknown; longitude and latitude are NaN where unknown.
    audits : list of Audit
        Of the file, and of the sites.

    Raises
    ------
    TerritoryError
        For files that cannot be read or are not what they should be.
    """
    spool, audits = scan_providers(
        path, wishes, sites=sites, latitude=latitude, longitude=longitude, progress=progress, cancelled=cancelled
    )
    with spool:
        return spool.whole(), audits


def scan_providers(
    path: str,
    wishes: Wishes,
    *,
    sites: str | None = None,
    latitude: str = "",
    longitude: str = "",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> tuple[Spool, list[Audit]]:
    """Read as `read_providers` does, in memory that does not grow with what is kept; the rows are in a spool."""
    audits, by_npi = [], {}
    if sites:
        by_npi, audit = read_sites(sites, wishes, part(progress, 0.0, 0.1), cancelled)
        audits.append(audit)
        progress = part(progress, 0.1, 1.0)
    with DelimitedFile(path, "The NPPES file", is_main_file) as file:
        reader = _Reader(file, wishes, latitude, longitude, by_npi)
        spool = reader.keep(progress, cancelled)
    audits.insert(0, reader.audit)
    if sites:
        audit = audits[1]
        audit.kept = len(spool) - reader.audit.kept
        audit.drop(NOT_KEPT, audit.read - audit.kept - sum(audit.dropped.values()))
    return spool, audits


class _Reader:
    """One pass over the file: where its columns are, what is wanted, and the books."""

    def __init__(self, file: DelimitedFile, wishes: Wishes, latitude: str, longitude: str, sites: dict):
        self.file, self.wishes, self.sites = file, wishes, sites
        code, switch = "Healthcare Provider Taxonomy Code_{}", "Healthcare Provider Primary Taxonomy Switch_{}"
        needed = [
            ("NPI",), ("Entity Type Code", "Entity Type"), (f"{PRACTICE} State Name",), (f"{PRACTICE} Postal Code",),
            (code.format(1),), (switch.format(1),),
        ]  # fmt: skip
        self.npi, self.entity, self.state, self.zip, *_ = need_columns(file, needed, OTHER_FILES)
        self.codes = [file.find(code.format(number)) for number in range(1, CODES + 1)]
        self.switches = [file.find(switch.format(number)) for number in range(1, CODES + 1)]
        self.pairs = [pair for pair in zip(self.codes, self.switches) if None not in pair]
        self.country = file.find(f"{PRACTICE} Country Code (If outside U.S.)", f"{PRACTICE} Country Code")
        self.off, self.on = file.find("NPI Deactivation Date"), file.find("NPI Reactivation Date")
        self.organisation = file.find("Provider Organization Name (Legal Business Name)")
        self.last, self.first = file.find("Provider Last Name (Legal Name)"), file.find("Provider First Name")
        self.credential = file.find("Provider Credential Text")
        self.street = file.find("Provider First Line Business Practice Location Address")
        self.city = file.find(f"{PRACTICE} City Name")
        self.sole, self.subpart = file.find("Is Sole Proprietor"), file.find("Is Organization Subpart")
        self.places = coordinate_columns(file, latitude, longitude)
        self.audit = Audit("Providers", file.shown)
        self.seen = NpiSet()

    def keep(self, progress, cancelled) -> Spool:
        """Return the rows that are kept."""
        file, wishes, sites = self.file, self.wishes, self.sites
        entity_of = Remembered(lambda raw: {"1": PERSON, "2": ORGANISATION}.get(file.text(raw)[:1]))
        state_of = Remembered(lambda raw: state_code(file.text(raw)))
        at_home = Remembered(lambda raw: file.text(raw).upper() in COUNTRIES)
        wanted = Remembered(lambda raw: wishes.codes(file.text(raw).upper()))
        ask_entity, ask_codes, ask_state = wishes.entity != "all", not wishes.codes.everything, bool(wishes.states)
        ask_zip, any_code, active_only = not wishes.zips.everything, wishes.any_code, wishes.active_only
        npi_at, entity_at, state_at, zip_at = self.npi, self.entity, self.state, self.zip
        country_at, off_at = self.country, self.off
        code_at, switch_at = self.pairs[0]
        second = self.pairs[1][0] if len(self.pairs) > 1 else 0
        used = [npi_at, entity_at, state_at, zip_at, country_at, off_at, self.on, code_at, switch_at, second]
        hot = max(at for at in used if at is not None)
        dropped, rows = Counter(), Spool(COLUMNS)
        for fields in file.rows(hot, progress, cancelled, "Reading providers"):
            raw = fields[npi_at]
            if len(raw) != 10 or not raw.isdigit():
                npi = read_npi(file.text(raw))
                if npi is None:
                    dropped[NO_NPI] += 1
                    continue
                raw = npi.encode()
            if not has_check_digit(raw):
                dropped[BAD_DIGIT] += 1
                continue
            active = off_at is None or not fields[off_at] or self.is_active(fields)
            if active_only and not active:
                dropped[DEACTIVATED] += 1
                continue
            if country_at is not None and not at_home[fields[country_at]]:
                dropped[FOREIGN] += 1
                continue
            if ask_entity and entity_of[fields[entity_at]] != wishes.entity:
                dropped[OTHER_ENTITY] += 1
                continue
            if ask_codes:
                if (fields[switch_at] == b"Y" and not any_code) or (second and not fields[second]):
                    fits = wanted[fields[code_at]]
                elif any_code:
                    fits = any(wanted[code.encode()] for code in self.all_codes(fields)[0])
                else:
                    fits = wanted[(self.primary(*self.all_codes(fields))[0] or "").encode()]
                if not fits:
                    dropped[OTHER_SPECIALTY] += 1
                    continue
            reason = None
            if ask_state and state_of[fields[state_at]] not in wishes.states:
                reason = OTHER_STATE
            elif ask_zip and not wishes.zips(zip5(file.text(fields[zip_at]))):
                reason = OTHER_ZIP
            npi = raw.decode("ascii")
            if reason and npi not in sites:
                dropped[reason] += 1
                continue
            if not self.seen.add(raw):
                dropped[TWICE] += 1
                continue
            row = self.row(npi, entity_of[fields[entity_at]], state_of[fields[state_at]], active, fields)
            if reason:
                dropped[reason] += 1
                self.audit.note("providers dropped for their place of whom secondary sites are kept")
            else:
                rows.append(row)
                self.audit.kept += 1
            for number, (street, city, state, code) in enumerate(sites.get(npi, ()), start=1):
                rows.append((npi, number, *row[2:8], street, city, state, code, *row[12:15], None, None))
        audit = self.audit
        audit.read = file.read
        if audit.read == 0:
            raise TerritoryError(f"{file.called} ({file.shown}) has a header and no rows.")
        audit.drop(MALFORMED, file.malformed)
        for reason in (NO_NPI, BAD_DIGIT, DEACTIVATED, FOREIGN, OTHER_ENTITY, OTHER_SPECIALTY, OTHER_STATE, OTHER_ZIP,
                       TWICE):  # fmt: skip
            audit.drop(reason, dropped[reason])
        audit.note("texts that are not in UTF-8, read as Windows-1252", file.odd_bytes)
        audit.check()
        return rows

    def is_active(self, fields) -> bool:
        """Answer whether a provider that was deactivated once is active again."""
        again = fields[self.on] if self.on is not None else b""
        return bool(again) and _day(self.file.text(again)) >= _day(self.file.text(fields[self.off]))

    def all_codes(self, fields) -> tuple[list[str], list[str]]:
        """Return the taxonomy codes of a record and their switches."""
        text = self.file.text
        fields = self.file.more(fields, max(self.pairs[-1]))
        found = [(text(fields[code]).upper(), text(fields[switch]).upper()) for code, switch in self.pairs
                 if fields[code]]  # fmt: skip
        return [code for code, _ in found if code], [switch for code, switch in found if code]

    def primary(self, codes, switches) -> tuple[str | None, bool]:
        """Return the primary code, and whether a switch says that it is."""
        if "Y" in switches:
            return codes[switches.index("Y")], True
        return (codes[0] if codes else None), False

    def row(self, npi, entity, state, active, fields) -> tuple:
        """Return what is kept of a record."""
        file = self.file
        fields = file.more(fields, len(file.names) - 1)

        def text(at):
            return file.text(fields[at]) or None if at is not None else None

        codes, switches = self.all_codes(fields)
        primary, said = self.primary(codes, switches)
        if codes and not said:
            self.audit.note("providers without a primary switch: their first taxonomy code counts as primary")
        if not codes:
            self.audit.note("providers without a taxonomy code")
        ordered = list(dict.fromkeys([primary, *codes])) if codes else []
        name = text(self.organisation)
        if entity != ORGANISATION:
            person = ", ".join(part for part in (text(self.last), text(self.first)) if part)
            name = person or name
        code = zip5(file.text(fields[self.zip]))
        if code is None:
            self.audit.note("providers without a ZIP that can be read")
        return (
            npi, 0, entity, name, text(self.credential), primary, label_of(primary),
            ";".join(ordered) or None, text(self.street), text(self.city),
            state or text(self.state), code, _yes_no(text(self.sole)), _yes_no(text(self.subpart)), active,
            *self.place(fields),
        )  # fmt: skip

    def place(self, fields) -> tuple[float | None, float | None]:
        """Return longitude and latitude where the file has them and they are on the earth."""
        if self.places is None:
            return None, None
        lon, lat = (_number(self.file.text(fields[at])) for at in self.places)
        if lon is None or lat is None or not (-180 <= lon <= 180 and -90 <= lat <= 90) or lon == lat == 0:
            self.audit.note("providers whose coordinates are missing or wrong")
            return None, None
        return lon, lat


def coordinate_columns(file: DelimitedFile, latitude: str, longitude: str) -> tuple[int, int] | None:
    """Return the positions of longitude and latitude, named or found; None when the file has none.

    Raises
    ------
    TerritoryError
        When a column that was named does not exist, or only one was named.
    """
    if bool(latitude) != bool(longitude):
        raise TerritoryError("Name both the column of the latitude and that of the longitude, or neither.")
    if latitude:
        return tuple(need_columns(file, [(longitude,), (latitude,)], {}))
    found = file.find(*LONGITUDE), file.find(*LATITUDE)
    return None if None in found else found


def read_sites(path: str, wishes: Wishes, progress: Progress, cancelled: IsCancelled) -> tuple[dict, Audit]:
    """Return the secondary sites that lie where they are wanted, by NPI, and their books.

    Each site is (street, city, state, ZIP). The books are closed when it is known whose sites are kept.
    """
    with DelimitedFile(path, "The file of secondary sites", is_sites_file) as file:
        needed = [("NPI",), (f"{SITE} - State Name",), (f"{SITE} - Postal Code",)]
        npi_at, state_at, zip_at = need_columns(file, needed, NOT_SITES)
        street_at, city_at = file.find(f"{SITE}- Address Line 1"), file.find(f"{SITE} - City Name")
        country_at = file.find(f"{SITE} - Country Code (If outside U.S.)")
        audit, sites, texts = Audit("Secondary sites", file.shown), {}, {}
        state_of = Remembered(lambda raw: state_code(file.text(raw)))

        def text(fields, at):
            found = file.text(fields[at]) if at is not None else ""
            return texts.setdefault(found, found) or None

        for fields in file.rows(len(file.names), progress, cancelled, "Reading secondary sites"):
            npi, code = read_npi(file.text(fields[npi_at])), zip5(file.text(fields[zip_at]))
            state = state_of[fields[state_at]]
            if npi is None:
                audit.drop(NO_NPI)
            elif country_at is not None and file.text(fields[country_at]).upper() not in COUNTRIES:
                audit.drop(FOREIGN)
            elif wishes.states and state not in wishes.states:
                audit.drop(OTHER_STATE)
            elif not wishes.zips(code):
                audit.drop(OTHER_ZIP)
            else:
                sites.setdefault(npi, []).append(
                    (text(fields, street_at), text(fields, city_at), state or text(fields, state_at), code)
                )
        audit.read = file.read
        audit.drop(MALFORMED, file.malformed)
    return sites, audit


def read_taxonomy(rows: Sequence[dict]) -> dict[str, tuple[str, ...]]:
    """Return code → (classification, specialization, display name) from the rows of a NUCC table.

    Raises
    ------
    TerritoryError
        When the table has no columns Code and Classification.
    """
    if not rows:
        raise TerritoryError("The taxonomy table is empty.")
    names = {header_key(name): name for name in rows[0]}
    if "code" not in names or "classification" not in names:
        raise TerritoryError(
            f"The taxonomy table needs the columns Code and Classification; it has {', '.join(rows[0])}."
        )
    titles = [names[key] for key in ("classification", "specialization", "displayname") if key in names]
    codes = [str(row[names["code"]]).strip().upper() if row[names["code"]] else None for row in rows]
    meanings = [tuple(str(row[title]).strip() for title in titles if row[title]) for row in rows]
    return one_value_each(codes, meanings, "The taxonomy table")


def _day(text: str) -> tuple[int, int, int]:
    """Return year, month and day of a date in either order, so that dates compare."""
    match = re.match(r"(\d{1,2})/(\d{1,2})/(\d{4})", text)
    if match:
        month, day, year = (int(number) for number in match.groups())
        return year, month, day
    match = re.match(r"(\d{4})-(\d{1,2})-(\d{1,2})", text)
    return tuple(int(number) for number in match.groups()) if match else (0, 0, 0)


def _yes_no(text: str | None) -> bool | None:
    return {"Y": True, "N": False}.get((text or "").upper())


def _number(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None
