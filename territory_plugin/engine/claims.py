"""Volume of procedures by provider, from Medicare's file by Provider and Service.

The file leaves out what ten or fewer patients had: a provider without rows did little or nothing, and which of
the two nobody can tell. So a missing volume is never 0 here unless the person says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .audit import LOST_DIGITS, MALFORMED, Audit
from .delimited import DelimitedFile, Remembered, need_columns
from .errors import TerritoryError, name_some
from .npi import ROUNDED_WAY_OUT, is_rounded, lost_digits, read_npi
from .procedures import OFFICE, ProcedureFilter, is_procedure_code, place_of_service, procedure_code
from .progress import IsCancelled, Progress, ignore, never
from .published import NUMBERS_WAY_OUT, is_withheld
from .tables.missing import is_missing
from .tables.numbers import published_number

# today's names and those of 2012 and 2013
# then those of vendors' tables whose meaning is plain
NPI = ("Rndrng_NPI", "npi", "National Provider Identifier", "rendering_npi", "rendering_provider_npi", "provider_npi")
CODE = ("HCPCS_Cd", "hcpcs_code", "HCPCS Code", "hcpcs", "cpt", "cpt_code", "procedure_code", "cpt_hcpcs")
PLACE = ("Place_Of_Srvc", "place_of_service", "Place of Service", "site_of_service", "place_of_service_code", "pos")
DRUG = ("HCPCS_Drug_Ind", "hcpcs_drug_indicator", "HCPCS Drug Indicator")
SERVICES = ("Tot_Srvcs", "line_srvc_cnt", "Number of Services", "service_count")
BENEFICIARIES = ("Tot_Benes", "bene_unique_cnt", "Number of Medicare Beneficiaries", "patient_count", "patients")
DAYS = ("Tot_Bene_Day_Srvcs", "bene_day_srvc_cnt", "Number of Distinct Medicare Beneficiary/Per Day Services")
ALLOWED = ("Avg_Mdcr_Alowd_Amt", "average_Medicare_allowed_amt", "Average Medicare Allowed Amount")
PAID = ("Avg_Mdcr_Pymt_Amt", "average_Medicare_payment_amt", "Average Medicare Payment Amount")
# measure → the column that counts, and the average amount that it is multiplied by
MEASURES = {
    "services": (SERVICES, None), "beneficiaries": (BENEFICIARIES, None), "beneficiary_days": (DAYS, None),
    "allowed": (SERVICES, ALLOWED), "paid": (SERVICES, PAID),
}  # fmt: skip
OTHER_FILES = {
    "Entity Type Code": "an NPPES file; choose Medicare Physician & Other Practitioners by Provider and Service",
    "pri_spec": "the file of Doctors & Clinicians; choose Medicare's file by Provider and Service",
    "Tot_HCPCS_Cds": "the file by Provider, which has no procedures; choose the one by Provider and Service",
    "Rndrng_Prvdr_Geo_Lvl": "the file by Geography and Service, which has no providers",
}
NOT_ASKED = "providers that are not in the layer"
OTHER_CODE, OTHER_PLACE, OTHER_KIND = "another procedure", "another place of service", "drugs or not, as not asked"
NO_NUMBER, NEGATIVE = "no number in the measure", "a negative number in the measure"
NO_CODE, NO_SITE = "procedure is no HCPCS code of five characters", "no place of service"
ROUNDED = "rounded"
COLUMNS_WAY_OUT = (
    f"In a table of your own, call the columns {NPI[0]}, {CODE[0]}, {PLACE[0]} (office or facility), and those that "
    f"count {SERVICES[0]}, {BENEFICIARIES[0]} or {DAYS[0]}."
)
PLACE_WAY_OUT = "Write office or facility there, or Medicare's two digits (11, 22, 24)."
FEWEST = 5  # providers of a specialty whose median can stand in for others


@dataclass
class Wishes:
    """Which claims are wanted, and what of them.

    Attributes
    ----------
    codes : ProcedureFilter
    place : {'all', 'O', 'F'}
        O is an office, F a facility.
    drugs : {'all', 'exclude', 'only'}
    measure : str
        One of `MEASURES`.
    """

    codes: ProcedureFilter = field(default_factory=ProcedureFilter)
    place: str = "all"
    drugs: str = "all"
    measure: str = "beneficiary_days"


def read_claims(
    path: str, npis: Collection[str], wishes: Wishes, progress: Progress = ignore, cancelled: IsCancelled = never
) -> tuple[pd.DataFrame, Audit]:
    """Sum the claims of some providers.

    Parameters
    ----------
    path : str
        Medicare's file by Provider and Service, any year; CSV, tabs, zip or gzip.
    npis : collection of str
        The providers of interest.

    Returns
    -------
    volumes : pandas.DataFrame
        Index: NPIs that the file has any row of. ``volume``, ``office``, ``facility`` : sums of the measure over
        the rows wanted; ``rows`` : how many these are, 0 when the provider has other rows only.
    audit : Audit

    Raises
    ------
    TerritoryError
        For another file, or a filter that the file has no column for.
    """
    with DelimitedFile(path, "The claims file", lambda name: "readme" not in name.lower()) as file:
        npi_at, code_at, place_at, count_at, amount_at, drug_at = _columns(file, wishes)
        wanted_npis = {npi.encode() for npi in npis}
        known = Remembered(lambda raw: _known(file, raw, wanted_npis))
        codes = Remembered(lambda raw: _wish_of(procedure_code(file.text(raw)), wishes.codes))
        place_of = Remembered(lambda raw: place_of_service(file.text(raw)))
        is_drug = Remembered(lambda raw: file.text(raw).upper().startswith("Y"))
        dropped, sums, drugs, padded = Counter(), {}, 0, 0
        last = max(at for at in (npi_at, code_at, place_at, count_at, amount_at, drug_at) if at is not None)
        first = wanted_npis if npi_at == 0 else None  # as in every release
        for fields in file.rows(last, progress, cancelled, "Reading claims", first):
            raw = fields[npi_at]
            if raw not in wanted_npis:
                if len(raw) == 10 and raw.isdigit():
                    dropped[NOT_ASKED] += 1
                    continue
                raw, reason = known[raw]
                if reason == ROUNDED:
                    file.refuse("NPIs that are no whole numbers", file.text(fields[npi_at]), ROUNDED_WAY_OUT)
                if raw is None:
                    dropped[reason] += 1
                    continue
            total = sums.get(raw)
            if total is None:
                total = sums[raw] = [0.0, 0.0, 0.0, 0]
            reason = codes[fields[code_at]]
            if reason:
                dropped[reason] += 1
                continue
            place = place_of[fields[place_at]]
            if place is None:
                text = file.text(fields[place_at])
                if not is_missing(text):
                    file.refuse("places of service that are not known", text, PLACE_WAY_OUT)
                dropped[NO_SITE] += 1
                continue
            if wishes.place not in ("all", place):
                dropped[OTHER_PLACE] += 1
                continue
            drug = is_drug[fields[drug_at]] if drug_at is not None else fields[code_at][:1] == b"J"
            if wishes.drugs != "all" and drug != (wishes.drugs == "only"):
                dropped[OTHER_KIND] += 1
                continue
            value = _number(file, fields[count_at])
            if amount_at is not None:
                value *= _number(file, fields[amount_at])
            if value != value or value < 0:
                dropped[NEGATIVE if value < 0 else NO_NUMBER] += 1
                continue
            drugs += drug
            padded += len(fields[code_at]) < 5
            total[0] += value
            total[1 if place == OFFICE else 2] += value
            total[3] += 1
        dropped[MALFORMED], dropped[NOT_ASKED] = file.malformed, dropped[NOT_ASKED] + file.passed_over
        audit = _books(file, dropped, sum(total[3] for total in sums.values()))
        audit.note("rows whose procedure had lost its zeros in front, which are back (142 is 00142)", padded)
        audit.note("texts that are not in UTF-8, read as Windows-1252", file.odd_bytes)
        if wishes.measure == "services":
            audit.note("rows of drugs, whose services are units: beneficiary-days compare better", drugs)
    index = [raw.decode() for raw in sums]
    frame = pd.DataFrame(list(sums.values()), index=index, columns=["volume", "office", "facility", "rows"])
    return frame.astype({"rows": int}), audit


def _columns(file: DelimitedFile, wishes: Wishes) -> tuple[int | None, ...]:
    """Return where NPI, procedure, place, count, amount and the mark of drugs stand.

    Raises
    ------
    TerritoryError
        When one is missing that is needed; the message says what to rename, or which measure the file has.
    """
    counted, amount = MEASURES[wishes.measure]
    npi_at, code_at, place_at = need_columns(file, [NPI, CODE, PLACE], OTHER_FILES, COLUMNS_WAY_OUT)
    count_at, amount_at = file.find(*counted), file.find(*amount) if amount else None
    if count_at is None or (amount and amount_at is None):
        lacking = [names[0] for names in (counted, amount) if names and file.find(*names) is None]
        there = [
            name.replace("_", "-") for name, (count, each) in MEASURES.items()
            if file.find(*count) is not None and (each is None or file.find(*each) is not None)
        ]  # fmt: skip
        other = f" It has what is needed for {name_some(there)}: choose that measure." if there else ""
        raise TerritoryError(
            f"The claims file ({file.shown}) has no column {name_some(lacking)} for the measure "
            f"{wishes.measure.replace('_', '-')}.{other} Or rename the column that holds this to {name_some(lacking)}. "
            f"It has {name_some(file.names, most=8)}."
        )
    drug_at = file.find(*DRUG)
    if wishes.drugs != "all" and drug_at is None:
        raise TerritoryError(
            f"The claims file ({file.shown}) has no drug indicator, as those of 2012 and 2013 have none: choose "
            "procedures and drugs together, and name the codes you want (drugs are J*)."
        )
    return npi_at, code_at, place_at, count_at, amount_at, drug_at


def _books(file: DelimitedFile, dropped: Counter, kept: int) -> Audit:
    """Return the books of a claims file, checked."""
    if file.read == 0:
        raise TerritoryError(f"{file.called} ({file.shown}) has a header and no rows.")
    audit = Audit("Claims", file.shown, file.read, kept)
    for reason in (MALFORMED, NOT_ASKED, LOST_DIGITS, NO_CODE, OTHER_CODE, NO_SITE, OTHER_PLACE, OTHER_KIND, NO_NUMBER,
                   NEGATIVE):  # fmt: skip
        audit.drop(reason, dropped[reason])
    audit.check()
    return audit


def _known(file, raw, wanted) -> tuple[bytes | None, str]:
    """Return the NPI that a field means when it is wanted, else None and why it is not."""
    text = file.text(raw)
    npi = (read_npi(text) or "").encode()
    if npi in wanted:
        return npi, ""
    if is_rounded(text):
        return None, ROUNDED
    return None, LOST_DIGITS if npi and lost_digits(npi) else NOT_ASKED


def _wish_of(code: str, wanted: ProcedureFilter) -> str:
    """Return why a procedure is dropped; '' when it is wanted."""
    if wanted(code):
        return ""
    return OTHER_CODE if is_procedure_code(code) else NO_CODE


def _number(file: DelimitedFile, raw: bytes) -> float:
    """Return a number, NaN where it is withheld; what looks like a number and is none refuses the file."""
    text = file.text(raw)
    number = published_number(text)
    if number != number and not is_withheld(text):
        file.refuse("counts or amounts that are no numbers", text, NUMBERS_WAY_OUT)
    return number


def volumes_of(
    npis: Sequence[str | None],
    volumes: pd.DataFrame,
    *,
    missing: str = "leave",
    floor: float | None = None,
    specialties: Sequence[str | None] | None = None,
    several: str = "divide",
) -> pd.DataFrame:
    """Return the volume of each provider row, and say where it is assumed.

    Parameters
    ----------
    npis : sequence of str or None, shape (n,)
    volumes : pandas.DataFrame
        From `read_claims`.
    missing : {'leave', 'floor', 'median'}
        What stands in where no row is published: nothing (NaN), a floor, or the median of the specialty among
        the providers that have one; specialties with fewer than `FEWEST` of these take the median of all.
    floor : float, optional
        Default: the smallest volume that there is.
    specialties : sequence of str or None, shape (n,), optional
    several : {'divide', 'repeat'}
        Rows with the same NPI (sites, organisations) share its volume equally, or each have all of it.

    Returns
    -------
    pandas.DataFrame, n rows
        ``volume``, ``office``, ``facility``, ``rows``, ``assumed`` (bool), ``note`` (None where all is known).
    """
    npis = pd.Series(list(npis), dtype=object)
    found = volumes.reindex(pd.Index(npis)).reset_index(drop=True)
    published = found["rows"].fillna(0).to_numpy() > 0
    in_file = found["rows"].notna().to_numpy()
    found.loc[~published, ["volume", "office", "facility"]] = np.nan
    found["rows"] = found["rows"].fillna(0).astype(int)
    note = np.full(len(npis), None, dtype=object)
    note[~published & in_file] = "no published row that fits (ten or fewer patients are withheld)"
    note[~published & ~in_file] = "not in the claims file"
    note[npis.isna().to_numpy()] = "no NPI"
    # what stands in is the volume of a whole provider, and is shared like one that is known
    if missing != "leave" and published.any():
        stand_in, how = _stand_ins(found["volume"], npis, published, missing, floor, specialties)
        found.loc[~published, "volume"] = stand_in[~published]
        note[~published] = [f"{text}: {by}" for text, by in zip(note[~published], how[~published])]
    if several == "divide":
        times = npis.map(npis.value_counts()).fillna(1).to_numpy()
        for column in ("volume", "office", "facility"):
            found[column] = found[column].to_numpy() / times
        shared = (times > 1) & published
        note[shared] = [f"volume shared by {int(count)} rows of this NPI" for count in times[shared]]
    found["assumed"] = ~published & found["volume"].notna()
    found["note"] = note
    return found


def _stand_ins(volume, npis, published, missing, floor, specialties):
    """Return for each row the volume that stands in for an unknown one, and how it was found."""
    once = pd.DataFrame({"npi": npis, "volume": volume, "specialty": specialties})[published].drop_duplicates("npi")
    if missing == "floor":
        given = float(once["volume"].min()) if floor is None else float(floor)
        return np.full(len(npis), given), np.full(len(npis), f"counts as {given:g}", dtype=object)
    overall = float(once["volume"].median())
    groups = once.groupby("specialty")["volume"]
    medians = groups.median()[groups.size() >= FEWEST]
    own = (
        pd.Series(specialties, dtype=object).map(medians)
        if specialties is not None
        else pd.Series([np.nan] * len(npis))
    )
    own = own.to_numpy(dtype=float)
    known = ~np.isnan(own)
    value = np.where(known, own, overall)
    how = [
        f"counts as the median of {'its specialty' if by else 'all'}, {number:g}" for by, number in zip(known, value)
    ]
    return value, np.array(how, dtype=object)
