"""Clinicians from CMS's national file of Doctors & Clinicians, once per organisation that they work for."""

from __future__ import annotations

from array import array
from collections.abc import Callable
from dataclasses import dataclass, field

import pandas as pd

from .audit import BAD_DIGIT, LOST_DIGITS, MALFORMED, NO_NPI, OTHER_SPECIALTY, OTHER_STATE, OTHER_ZIP, Audit
from .delimited import DelimitedFile, Remembered, need_columns
from .errors import TerritoryError
from .npi import ROUNDED_WAY_OUT, has_check_digit, is_rounded, lost_digits, read_npi
from .nppes_rows import MISFIT_ZIP, PADDED_ZIP, address, coordinate_columns, read_place
from .progress import IsCancelled, Progress, ignore, never
from .published import NUMBERS_WAY_OUT, PADDED, is_withheld, read_zip
from .spool import Spool
from .states import state_code
from .tables.numbers import published_number
from .tables.zip_lists import ZipFilter
from .taxonomy import CodeFilter, cms_key, from_cms

# the spellings of each column: today's, that of the years before, the oldest; the API's differ by case and lines only
NPI = ("NPI",)
LAST_NAME = ("Provider Last Name", "lst_nm", "Last Name")
FIRST_NAME = ("Provider First Name", "frst_nm", "First Name")
CREDENTIAL = ("Cred", "Credential")
SPECIALTY = ("pri_spec", "Primary specialty", "Primary Speciality")
OTHER_SPECIALTIES = ("sec_spec_all", "All secondary specialties", "Secondary Specialty")
ORGANISATION = ("Facility Name", "org_nm", "org_lgl_nm", "Organization legal name")
ORGANISATION_ID = ("org_pac_id", "Group Practice PAC ID")
MEMBERS = ("num_org_mem", "Number of Group Practice members")
STREET = ("adr_ln_1", "Line 1 Street Address", "Full Street Address")
STREET_2 = ("adr_ln_2", "Line 2 Street Address")
CITY = ("City/Town", "cty", "City")
STATE = ("State", "st")
ZIP = ("ZIP Code", "zip", "Zip Code")
ADDRESS_ID = ("adrs_id", "Address ID")

OTHER_FILES = {
    "Entity Type Code": "an NPPES file; “Import NPPES providers” reads it",
    "Rndrng_NPI": "a Medicare claims file; “Add claims volume” reads it",
    "ACO_ID_1": "the file of facility affiliations; choose DAC_NationalDownloadableFile",
    "facility_type": "the file of facility affiliations; choose DAC_NationalDownloadableFile",
}
SAME = {
    "provider": "further rows of the same clinician",
    "organisation": "further rows of the same clinician and organisation",
    "site": "further rows of the same clinician, organisation and site",
}
COLUMNS = (
    "npi", "name", "credential", "cms_specialty", "specialty", "taxonomy", "organisation", "organisation_id",
    "practice_size", "rows_in_file", "address", "city", "state", "zip", "longitude", "latitude",
)  # fmt: skip


@dataclass
class Wishes:
    """Which clinicians are wanted, and how often.

    Attributes
    ----------
    states, zips, codes
        As in `engine.nppes.Wishes`.
    any_specialty : bool
        Whether a secondary specialty is enough.
    once_per : {'provider', 'organisation', 'site'}
        The file has one row for each clinician, organisation and address: which of these make a row here.
    """

    states: frozenset[str] = frozenset()
    zips: ZipFilter = field(default_factory=ZipFilter)
    codes: CodeFilter = field(default_factory=CodeFilter)
    any_specialty: bool = False
    once_per: str = "organisation"


def wants(codes: CodeFilter) -> Callable[[str], bool]:
    """Return a function that answers whether a specialty by CMS's name is wanted.

    >>> fits = wants(CodeFilter(["207X", "Cardiology"]))
    >>> fits("ORTHOPEDIC SURGERY"), fits("INTERVENTIONAL CARDIOLOGY"), fits("DERMATOLOGY"), fits("")
    (True, True, False, False)
    """

    def fits(name: str) -> bool:
        specialty = from_cms(name)
        if codes.everything:
            return True
        if specialty is None:
            return False
        return specialty.label in codes.specialties or any(
            pattern in codes.codes or (codes.prefixes and pattern.startswith(codes.prefixes))
            for pattern in specialty.patterns
        )

    return fits


def read_clinicians(
    path: str,
    wishes: Wishes,
    *,
    latitude: str = "",
    longitude: str = "",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> tuple[pd.DataFrame, Audit]:
    """Read a ``DAC_NationalDownloadableFile``, any release, and keep each wanted clinician once.

    Of the rows that are the same by `Wishes.once_per`, the first one that is wanted stays and
    ``rows_in_file`` counts them. The practice size is ``num_org_mem``; a clinician whose row names no
    organisation practises alone and has size 1; where the number is missing the size is None.

    Returns
    -------
    clinicians : pandas.DataFrame
        The columns of `COLUMNS`.
    audit : Audit

    Raises
    ------
    TerritoryError
        For a file that cannot be read or is another one.
    """
    spool, audit = scan_clinicians(
        path, wishes, latitude=latitude, longitude=longitude, progress=progress, cancelled=cancelled
    )
    with spool:
        return spool.whole(), audit


def scan_clinicians(
    path: str,
    wishes: Wishes,
    *,
    latitude: str = "",
    longitude: str = "",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> tuple[Spool, Audit]:
    """Read as `read_clinicians` does; the rows are in a spool."""
    with DelimitedFile(path, "The file of clinicians", lambda name: "dac_national" in name.lower()) as file:
        npi_at, specialty_at, state_at, zip_at = need_columns(file, [NPI, SPECIALTY, STATE, ZIP], OTHER_FILES)
        other_at, organisation_at, members_at = (
            file.find(*names) for names in (OTHER_SPECIALTIES, ORGANISATION_ID, MEMBERS)
        )
        named_at, street_at, second_at, city_at, address_at, last_at, first_at, credential_at = (
            file.find(*names)
            for names in (ORGANISATION, STREET, STREET_2, CITY, ADDRESS_ID, LAST_NAME, FIRST_NAME, CREDENTIAL)
        )
        places = coordinate_columns(file, latitude, longitude)
        audit, spool = Audit("Clinicians", file.shown), Spool(COLUMNS)
        fits, row_of, times, organisations = Remembered(wants(wishes.codes)), {}, array("L"), {}
        state_of = Remembered(state_code)

        def text(fields, at):
            return file.text(fields[at]) or None if at is not None else None

        for fields in file.rows(len(file.names), progress, cancelled, "Reading clinicians"):
            npi = read_npi(file.text(fields[npi_at]))
            if npi is None:
                if is_rounded(file.text(fields[npi_at])):
                    file.refuse("NPIs that are no whole numbers", file.text(fields[npi_at]), ROUNDED_WAY_OUT)
                audit.drop(NO_NPI)
                continue
            if not has_check_digit(npi):
                audit.drop(LOST_DIGITS if lost_digits(npi) else BAD_DIGIT)
                continue
            name = text(fields, specialty_at)
            others = (text(fields, other_at) or "").split(",") if wishes.any_specialty else ()
            if not fits[name or ""] and not any(fits[other.strip()] for other in others):
                audit.drop(OTHER_SPECIALTY)
                continue
            state = state_of[text(fields, state_at)]
            code, done = read_zip(file.text(fields[zip_at]), state)
            if wishes.states and state not in wishes.states:
                audit.drop(OTHER_STATE)
                continue
            if not wishes.zips(code):
                audit.drop(OTHER_ZIP)
                continue
            organisation = text(fields, organisation_at) or (
                text(fields, named_at) if organisation_at is None else None
            )
            street, second = text(fields, street_at), text(fields, second_at)
            key = (int(npi),)
            if wishes.once_per != "provider":
                key += (organisations.setdefault(organisation, organisation),)
            if wishes.once_per == "site":
                key += (text(fields, address_at) or (street, second, code),)
            if key in row_of:
                times[row_of[key]] += 1
                audit.drop(SAME[wishes.once_per])
                continue
            specialty = from_cms(name)
            who = ", ".join(part for part in (text(fields, last_at), text(fields, first_at)) if part) or None
            row_of[key] = len(spool)
            times.append(1)
            spool.append([
                npi, who, text(fields, credential_at), name, specialty.label if specialty else None,
                specialty.patterns[0] if specialty else None, text(fields, named_at), organisation,
                _size(file, text(fields, members_at), organisation, organisation_at, audit), 1, address(street, second),
                text(fields, city_at), state or text(fields, state_at), code, *read_place(file, fields, places),
            ])  # fmt: skip
            if done:
                audit.note(f"clinicians {PADDED_ZIP if done == PADDED else MISFIT_ZIP}")
            if specialty is None:
                audit.note(f"clinicians with a specialty that the plugin does not know: {cms_key(name) or '(none)'}")
        audit.read, audit.kept = file.read, len(spool)
        if audit.read == 0:
            raise TerritoryError(f"{file.called} ({file.shown}) has a header and no rows.")
        audit.drop(MALFORMED, file.malformed)
        audit.note("texts that are not in UTF-8, read as Windows-1252", file.odd_bytes)
        audit.check()
    spool.late["rows_in_file"] = times
    return spool, audit


def _size(file, members, organisation, organisation_at, audit) -> int | None:
    """Return the practice size of a row; what looks like a number and is no whole one refuses the file."""
    if organisation is None and organisation_at is not None:
        audit.note("clinicians who practise alone: size 1")
        return 1
    number = published_number(members or "")
    if number > 0 and number.is_integer():
        return int(number)
    if number > 0 or (number != number and not is_withheld(members or "")):
        file.refuse("practice sizes that are no whole numbers", members, NUMBERS_WAY_OUT)
    audit.note("clinicians without a practice size")
    return None
