"""Rows of NPPES files: one pass over a file, what is kept of a row, and the books of it."""

from __future__ import annotations

from array import array
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field

import numpy as np

from .audit import (
    BAD_DIGIT,
    DEACTIVATED,
    FOREIGN,
    HEADER_AGAIN,
    LOST_DIGITS,
    MALFORMED,
    NO_NPI,
    OTHER_ENTITY,
    OTHER_SPECIALTY,
    OTHER_STATE,
    OTHER_ZIP,
    REPORTED,
    TWICE,
    Audit,
)  # fmt: skip
from .delimited import DelimitedFile, Remembered, header_key, need_columns
from .errors import TerritoryError
from .newest import History
from .npi import ROUNDED_WAY_OUT, halves, has_check_digit, is_rounded, lost_digits, read_npi
from .published import MISFIT, NUMBERS_WAY_OUT, PADDED, is_withheld, read_zip
from .spool import Spool
from .states import COUNTRIES, state_code
from .tables.dates import day_number
from .tables.numbers import published_number
from .tables.zip_lists import ZipFilter
from .taxonomy import CodeFilter, label_of

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
LATITUDE = ("latitude", "lat", "y", "lat_dd", "geo_lat")
LONGITUDE = ("longitude", "lon", "lng", "long", "x", "lon_dd", "geo_lon", "geo_lng")

COLUMNS = (
    "npi", "site", "entity", "name", "credential", "taxonomy", "specialty", "taxonomies", "address", "city", "state",
    "zip", "sole_proprietor", "subpart", "active", "longitude", "latitude",
)  # fmt: skip
PADDED_ZIP = "whose ZIP had lost its leading zeros"
MISFIT_ZIP = "whose ZIP has lost digits, as it would lie in another state: no ZIP can be read"
# what is to be known of a row that is kept: a bit each, as a newer row may take its place later
NOTES = (
    "providers without a primary switch: their first taxonomy code counts as primary",
    "providers without a taxonomy code", "providers without a ZIP that can be read",
    f"providers {PADDED_ZIP}", f"providers {MISFIT_ZIP}", "providers whose coordinates are missing or wrong",
    "providers dropped for their place of whom secondary sites are kept",
)  # fmt: skip
NO_SWITCH, NO_CODE, NO_ZIP, ZIP_PADDED, ZIP_MISFIT, NO_PLACE, ONLY_SITES = (1 << bit for bit in range(7))
IS_SITE = 1 << 7


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


class Kept:
    """The rows that are kept of all files: the spool, and of each row where it is from and what is to be known of it.

    Attributes
    ----------
    spool : Spool
    history : History
    rows : array of int
        Of each row in the spool its row in the history.
    marks : array of int
        Bits: those of `NOTES`, and `IS_SITE`.
    """

    def __init__(self, history: History):
        self.spool, self.history = Spool(COLUMNS), history
        self.rows, self.marks = array("Q"), array("B")

    def append(self, row: tuple, mark: int) -> None:
        """Add a row of the spool, made of the row that the history was given last."""
        self.spool.append(row)
        self.rows.append(len(self.history) - 1)
        self.marks.append(mark)

    def made_of(self, rows: np.ndarray) -> np.ndarray:
        """Return of each row in the spool whether it is made of one of these rows of the history, given sorted."""
        first, end = (np.searchsorted(np.asarray(self.rows), rows, side=side) for side in ("left", "right"))
        steps = np.zeros(len(self.rows) + 1, dtype=np.int32)
        np.add.at(steps, first, 1)
        np.add.at(steps, end, -1)
        return np.cumsum(steps)[:-1] > 0


class Reader:
    """One pass over a file: where its columns are, what is wanted, and the books.

    Parameters
    ----------
    sites : dict
        Secondary sites by NPI.
    deactivated : dict
        NPI → day, from the report.
    loose : bool
        Whether it is a weekly file, which may have no rows, nor the columns of coordinates that were named.
    """

    def __init__(self, file: DelimitedFile, wishes: Wishes, latitude="", longitude="", sites=None, deactivated=None,
                 loose=False):  # fmt: skip
        self.file, self.wishes, self.sites, self.deactivated = file, wishes, sites or {}, deactivated or {}
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
        self.updated = file.find("Last Update Date")
        self.organisation = file.find("Provider Organization Name (Legal Business Name)")
        self.last, self.first = file.find("Provider Last Name (Legal Name)"), file.find("Provider First Name")
        self.credential = file.find("Provider Credential Text")
        self.street = file.find("Provider First Line Business Practice Location Address")
        self.street_2 = file.find("Provider Second Line Business Practice Location Address")
        self.city = file.find(f"{PRACTICE} City Name")
        self.sole, self.subpart = file.find("Is Sole Proprietor"), file.find("Is Organization Subpart")
        lacks = loose and latitude and longitude and None in (file.find(latitude), file.find(longitude))
        self.places = None if lacks else coordinate_columns(file, latitude, longitude)
        self.days = Remembered(lambda raw: day_number(file.text(raw)))
        self.loose, self.audit = loose, Audit(f"Providers of {file.shown}" if loose else "Providers", file.shown)
        self.start = self.end = 0

    def keep(self, kept: Kept, progress, cancelled) -> None:
        """Keep the rows that are wanted."""
        file, wishes, sites, reported = self.file, self.wishes, self.sites, self.deactivated
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
        used = [npi_at, entity_at, state_at, zip_at, country_at, off_at, code_at, switch_at, second]
        hot = max(at for at in (*used, self.on, self.updated) if at is not None)
        dropped, history = Counter(), kept.history
        add, watched = history.numbers.append, history.watched
        first, last = halves()
        self.start = len(history)
        for fields in file.rows(hot, progress, cancelled, f"Reading {file.shown}"):
            raw = fields[npi_at]
            if len(raw) != 10 or not raw.isdigit():
                raw = self.odd_npi(fields, dropped)
                if raw is None:
                    continue
            number = int(raw)
            if (first[number // 100_000] + last[number % 100_000]) % 10:  # as `has_check_digit`, without its calls
                dropped[LOST_DIGITS if lost_digits(raw) else BAD_DIGIT] += 1
                continue
            add(number // 10)
            if raw in watched:
                history.date(self.day(fields))
            active = off_at is None or not fields[off_at] or self.is_active(fields)
            if active_only and not active:
                dropped[DEACTIVATED] += 1
                continue
            if raw in reported and active and not self.came_back(fields, reported[raw]):
                active = False
                if active_only:
                    dropped[REPORTED] += 1
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
            state, reason = state_of[fields[state_at]], None
            if ask_state and state not in wishes.states:
                reason = OTHER_STATE
            elif ask_zip and not wishes.zips(read_zip(file.text(fields[zip_at]), state)[0]):
                reason = OTHER_ZIP
            npi = raw.decode("ascii")
            if reason:
                dropped[reason] += 1
                if npi not in sites:
                    continue
            row, mark = self.row(npi, entity_of[fields[entity_at]], state, active, fields)
            if not reason:
                kept.append(row, mark)
            for number, (street, city, state, code) in enumerate(sites.get(npi, ()), start=1):
                mark = IS_SITE | (ONLY_SITES if reason and number == 1 else 0)
                kept.append((npi, number, *row[2:8], street, city, state, code, *row[12:15], None, None), mark)
        self.end = len(history)
        if file.read == 0 and not self.loose:
            raise TerritoryError(f"{file.called} ({file.shown}) has a header and no rows.")
        self.audit.read = file.read
        self.audit.drop(MALFORMED, file.malformed)
        for reason in (HEADER_AGAIN, NO_NPI, LOST_DIGITS, BAD_DIGIT, DEACTIVATED, REPORTED, FOREIGN, OTHER_ENTITY,
                       OTHER_SPECIALTY, OTHER_STATE, OTHER_ZIP):  # fmt: skip
            self.audit.drop(reason, dropped[reason])

    def close_books(self, kept: Kept, older: np.ndarray) -> None:
        """Count what is left of this file's rows when it is known which have a newer one, and check the sum.

        Parameters
        ----------
        older : numpy.ndarray of bool
            Of each row in the spool, whether its NPI has a newer row.
        """
        here = slice(*np.searchsorted(np.asarray(kept.rows), [self.start, self.end]))
        marks, older = np.asarray(kept.marks)[here], older[here]
        site = (marks & IS_SITE) > 0
        self.audit.drop(TWICE, int(np.count_nonzero(older & ~site)))
        self.audit.kept = int(np.count_nonzero(~older & ~site))
        for bit, text in enumerate(NOTES):
            self.audit.note(text, int(np.count_nonzero(~older & ((marks & (1 << bit)) > 0))))
        self.audit.note("texts that are not in UTF-8, read as Windows-1252", self.file.odd_bytes)
        self.audit.check()

    def npis(self, wanted, progress, cancelled) -> Iterator[tuple[bytes, list[bytes]]]:
        """Yield the NPI and the fields of each row that `keep` gives to the history, of NPIs that are wanted.

        Parameters
        ----------
        wanted : collection of bytes, optional
            None for all.
        """
        last = max(at for at in (self.npi, self.updated, self.off, self.on) if at is not None)
        only = wanted if self.npi == 0 else None
        for fields in self.file.rows(last, progress, cancelled, f"Comparing dates of {self.file.shown}", only):
            raw = fields[self.npi]
            if len(raw) != 10 or not raw.isdigit():
                raw = (read_npi(self.file.text(raw)) or "").encode()
            if raw and has_check_digit(raw) and (wanted is None or raw in wanted):
                yield raw, fields

    def odd_npi(self, fields, dropped: Counter) -> bytes | None:
        """Return the NPI of a row that does not begin with ten digits alone; None, counted, when it has none."""
        text = self.file.text(fields[self.npi])
        npi = read_npi(text)
        if npi is not None:
            return npi.encode()
        if is_rounded(text):
            self.file.refuse("NPIs that are no whole numbers", text, ROUNDED_WAY_OUT)
        if header_key(text) == header_key(self.file.names[self.npi]):
            self.check_header(fields)
            dropped[HEADER_AGAIN] += 1
        else:
            dropped[NO_NPI] += 1
        return None

    def check_header(self, fields) -> None:
        """Refuse a header between the rows that is not the file's own: the rows below it would be read wrongly."""
        names = self.file.names
        fields = self.file.more(fields, len(names) - 1)
        for name, raw in zip(names, fields):
            found = self.file.text(raw)
            if header_key(found) != header_key(name):
                raise TerritoryError(
                    f"{self.file.called} ({self.file.shown}) has another header in row {self.file.read:,}, with "
                    f"“{found}” in place of “{name}”: files with different columns were joined. Give them one by "
                    "one, the weekly ones as updates."
                )

    def day(self, fields) -> int:
        """Return the day of the last change to a row."""
        days = self.days
        return max(days[fields[at]] if at is not None else 0 for at in (self.updated, self.off, self.on))

    def is_active(self, fields) -> bool:
        """Answer whether a provider that was deactivated once is active again."""
        return self.came_back(fields, self.days[fields[self.off]])

    def came_back(self, fields, off: int) -> bool:
        """Answer whether a row has a reactivation that is not earlier than a day."""
        again = self.days[fields[self.on]] if self.on is not None else 0
        return again > 0 and again >= off

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

    def row(self, npi, entity, state, active, fields) -> tuple[tuple, int]:
        """Return what is kept of a record, and what is to be known of it."""
        file = self.file
        fields = file.more(fields, len(file.names) - 1)

        def text(at):
            return file.text(fields[at]) or None if at is not None else None

        codes, switches = self.all_codes(fields)
        primary, said = self.primary(codes, switches)
        mark = 0 if codes and said else NO_SWITCH if codes else NO_CODE
        ordered = list(dict.fromkeys([primary, *codes])) if codes else []
        name = text(self.organisation)
        if entity != ORGANISATION:
            person = ", ".join(part for part in (text(self.last), text(self.first)) if part)
            name = person or name
        code, done = read_zip(file.text(fields[self.zip]), state)
        mark |= {PADDED: ZIP_PADDED, MISFIT: ZIP_MISFIT | NO_ZIP}.get(done, 0 if code else NO_ZIP)
        place = (None, None)
        if self.places is not None:
            place = read_place(file, fields, self.places)
            mark |= NO_PLACE if place[0] is None else 0
        return (
            npi, 0, entity, name, text(self.credential), primary, label_of(primary),
            ";".join(ordered) or None, address(text(self.street), text(self.street_2)), text(self.city),
            state or text(self.state), code, _yes_no(text(self.sole)), _yes_no(text(self.subpart)), active, *place,
        ), mark  # fmt: skip


def address(line_1: str | None, line_2: str | None) -> str | None:
    """Return the lines of an address as one, a second line that the first one ends with once.

    >>> address("100 MEDICAL PLAZA", "SUITE 200"), address("1 ELM ST, STE 5", "STE 5"), address(None, None)
    ('100 MEDICAL PLAZA, SUITE 200', '1 ELM ST, STE 5', None)
    """
    if line_1 and line_2 and line_1.upper().endswith(line_2.upper()):
        return line_1
    return ", ".join(line for line in (line_1, line_2) if line) or None


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


def read_place(file: DelimitedFile, fields, places) -> tuple[float | None, float | None]:
    """Return longitude and latitude of a row, None where they are missing or not on the earth.

    What looks like a number and is none, such as 15,5, refuses the file.
    """
    if places is None:
        return None, None
    found = []
    for at in places:
        text = file.text(fields[at])
        number = published_number(text)
        if number != number and not is_withheld(text):
            file.refuse("coordinates that are no numbers", text, NUMBERS_WAY_OUT)
        found.append(number)
    lon, lat = found
    return (lon, lat) if -180 <= lon <= 180 and -90 <= lat <= 90 and (lon, lat) != (0, 0) else (None, None)


def _yes_no(text: str | None) -> bool | None:
    return {"Y": True, "N": False}.get((text or "").upper())
