"""Providers from the monthly NPPES file and the weekly ones after it, filtered while they are read."""

from __future__ import annotations

import re
from array import array
from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

from .audit import FOREIGN, MALFORMED, NO_NPI, OTHER_STATE, OTHER_ZIP, Audit
from .delimited import DelimitedFile, Remembered, header_key, need_columns
from .errors import TerritoryError
from .newest import MOST_WATCHED, History, as_wanted
from .npi import ROUNDED_WAY_OUT, is_rounded, read_npi
from .nppes_rows import COLUMNS, IS_SITE, MISFIT_ZIP, PADDED_ZIP, SITE, Kept, Reader, Wishes, address
from .progress import IsCancelled, Progress, ignore, never, part
from .published import PADDED, read_zip
from .spool import Spool
from .states import COUNTRIES, state_code
from .tables.ids import one_value_each

NOT_SITES = {
    "Endpoint Type": "the endpoint file (endpoint_pfile); choose pl_pfile",
    "Entity Type Code": "the file of providers itself (npidata_pfile); choose pl_pfile",
}
NOT_KEPT = "sites of providers that were not kept"


def is_main_file(name: str) -> bool:
    """Answer whether a file in the download is the providers'.

    >>> is_main_file("npidata_pfile_20250101-20250131.csv"), is_main_file("npidata_pfile_20250101_fileheader.csv")
    (True, False)
    """
    return "npidata" in name.lower() and "header" not in name.lower()


def is_sites_file(name: str) -> bool:
    """Answer whether a file in the download is that of secondary sites."""
    return name.lower().startswith("pl_pfile") and "header" not in name.lower()


def read_providers(path: str, wishes: Wishes, **more) -> tuple[pd.DataFrame, list[Audit]]:
    """Read as `scan_providers` does, which has the parameters, and return the rows as a frame.

    Returns
    -------
    providers : pandas.DataFrame
        The columns of `COLUMNS`, None where unknown; longitude and latitude are NaN where unknown.
    audits : list of Audit
    """
    spool, audits = scan_providers(path, wishes, **more)
    with spool:
        return spool.whole()[list(COLUMNS)], audits


def scan_providers(
    path: str,
    wishes: Wishes,
    *,
    updates: Sequence[str] = (),
    deactivated: tuple[Mapping[bytes, int], Audit] | None = None,
    sites: str | None = None,
    latitude: str = "",
    longitude: str = "",
    progress: Progress = ignore,
    cancelled: IsCancelled = never,
) -> tuple[Spool, list[Audit]]:
    """Read an ``npidata_pfile``, the weekly ones after it and the secondary sites when asked; keep what is wanted.

    Each file is read from its start to its end, in memory that grows by four bytes for
    each row that is read, and nine for each that is kept. Of all rows of
    one NPI the newest counts, by the latest of its dates of update, deactivation and reactivation; of equal or
    missing dates that of the later file, or the later row. The others are dropped, whatever the filters say of
    the newest. The rows that are kept come in the order of the files: the month's, then the updates.

    The primary taxonomy is the code whose switch is Y; where no switch says so it is the first code, which the
    audit counts. A secondary site becomes a further row of its provider, with numbers from 1; states and ZIPs
    are asked of each site, everything else of the provider.

    Parameters
    ----------
    path : str
        The CSV, or the zip of the download.
    updates : sequence of str
        Weekly files, CSV or zip. They count in the order of the weeks in their names; without these, as given.
    deactivated : mapping, Audit
        From `deactivated.read_deactivated`: a provider in it is not active, unless its row says that it came
        back on that day or later.
    sites : str, optional
        A ``pl_pfile``, or the zip that holds it.
    latitude, longitude : str
        Columns of the file that hold degrees; empty: found by name when there are any.

    Returns
    -------
    spool : Spool
        The columns of `COLUMNS`, and ``book``: the number of the audit that counts the row.
    audits : list of Audit
        Of the file, of each update, of the sites, of the deactivation report.

    Raises
    ------
    TerritoryError
        For files that cannot be read or are not what they should be.
    """
    days, report = deactivated or ({}, None)
    by_npi, books, share = {}, None, 0.0
    if sites:
        share = 0.1
        by_npi, books = read_sites(sites, wishes, part(progress, 0.0, share), cancelled)
    updates, watched = weeks(updates, cancelled)
    kept, readers = Kept(History(watched)), []
    for number, name in enumerate([path, *updates]):
        with open_providers(name, number > 0) as file:
            reader = Reader(file, wishes, latitude, longitude, by_npi, days, loose=number > 0)
            done = part(progress, share, 0.95 if number == 0 else 0.97)
            reader.keep(kept, done if number == 0 else part(progress, 0.95, 0.97), cancelled)
        readers.append(reader)
    date_again(kept.history, readers, part(progress, 0.97, 1.0), cancelled)
    older = kept.made_of(kept.history.superseded())
    for reader in readers:
        reader.close_books(kept, older)
    audits = [reader.audit for reader in readers]
    book = np.searchsorted([reader.end for reader in readers], np.asarray(kept.rows), side="right").astype(np.uint8)
    at_site = (np.asarray(kept.marks) & IS_SITE) > 0
    if books is not None:
        book[at_site] = len(audits)
        books.kept = int(np.count_nonzero(at_site & ~older))
        books.drop(NOT_KEPT, books.read - books.kept - sum(books.dropped.values()))
        audits.append(books)
    if report is not None:
        audits.append(report)
    kept.spool.late["book"] = book
    if older.any():
        kept.spool.leave_out(np.flatnonzero(older))
    progress(1.0, "")
    return kept.spool, audits


def open_providers(path: str, is_update: bool) -> DelimitedFile:
    """Open a file of providers."""
    return DelimitedFile(path, "The weekly NPPES file" if is_update else "The NPPES file", is_main_file)


def weeks(paths: Sequence[str], cancelled: IsCancelled) -> tuple[list[str], set[bytes]]:
    """Return updates in the order in which they count, and the NPIs that they hold, none when these are too many.

    So a wrong file is told before the large one is read, and few rows of that need a date.
    """
    ends, watched = [], set()
    for path in paths:
        with open_providers(path, True) as file:
            ends.append(max(re.findall(r"(?<!\d)20\d{6}(?!\d)", file.shown), default=""))
            for npi, _ in Reader(file, Wishes(), loose=True).npis(None, ignore, cancelled):
                if len(watched) <= MOST_WATCHED:
                    watched.add(npi)
    in_order = sorted(range(len(paths)), key=lambda at: ends[at]) if all(ends) else range(len(paths))
    return [paths[at] for at in in_order], watched if len(watched) <= MOST_WATCHED else set()


def date_again(history: History, readers: Sequence[Reader], progress: Progress, cancelled: IsCancelled) -> None:
    """Look again at files with NPIs that come twice and were not watched, for the dates of their rows."""
    numbers = history.undated()
    if not len(numbers):
        return
    rows, wanted = history.rows_of(numbers), as_wanted(numbers)
    for number, reader in enumerate(readers):
        here = rows[(rows >= reader.start) & (rows < reader.end)]
        if not len(here):
            continue
        with open_providers(reader.file.path, number > 0) as file:
            again = Reader(file, Wishes(), loose=True)
            days = array("I", (again.day(fields) for _, fields in again.npis(wanted, progress, cancelled)))
        history.date_rows(here if wanted is not None else np.arange(reader.start, reader.end), days)


def read_sites(path: str, wishes: Wishes, progress: Progress, cancelled: IsCancelled) -> tuple[dict, Audit]:
    """Return the secondary sites that lie where they are wanted, by NPI, and their books.

    Each site is (street, city, state, ZIP). The books are closed when it is known whose sites are kept.
    """
    with DelimitedFile(path, "The file of secondary sites", is_sites_file) as file:
        needed = [("NPI",), (f"{SITE} - State Name",), (f"{SITE} - Postal Code",)]
        npi_at, state_at, zip_at = need_columns(file, needed, NOT_SITES)
        street_at, city_at = file.find(f"{SITE}- Address Line 1"), file.find(f"{SITE} - City Name")
        second_at = file.find(f"{SITE}-  Address Line 2")
        country_at = file.find(f"{SITE} - Country Code (If outside U.S.)")
        audit, sites, texts = Audit("Secondary sites", file.shown, beside=True), {}, {}
        state_of = Remembered(lambda raw: state_code(file.text(raw)))

        def text(fields, at):
            found = file.text(fields[at]) if at is not None else ""
            return texts.setdefault(found, found) or None

        for fields in file.rows(len(file.names), progress, cancelled, "Reading secondary sites"):
            npi, state = read_npi(file.text(fields[npi_at])), state_of[fields[state_at]]
            code, done = read_zip(file.text(fields[zip_at]), state)
            if npi is None:
                if is_rounded(file.text(fields[npi_at])):
                    file.refuse("NPIs that are no whole numbers", file.text(fields[npi_at]), ROUNDED_WAY_OUT)
                audit.drop(NO_NPI)
            elif country_at is not None and file.text(fields[country_at]).upper() not in COUNTRIES:
                audit.drop(FOREIGN)
            elif wishes.states and state not in wishes.states:
                audit.drop(OTHER_STATE)
            elif not wishes.zips(code):
                audit.drop(OTHER_ZIP)
            else:
                if done:
                    audit.note(f"sites {PADDED_ZIP if done == PADDED else MISFIT_ZIP}")
                street = address(text(fields, street_at), text(fields, second_at))
                sites.setdefault(npi, []).append((street, text(fields, city_at), state or text(fields, state_at), code))
        audit.read = file.read
        audit.drop(MALFORMED, file.malformed)
        audit.note("texts that are not in UTF-8, read as Windows-1252", file.odd_bytes)
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
