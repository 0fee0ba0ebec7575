"""Volume of procedures by provider, from Medicare's file by Provider and Service.

The file leaves out what ten or fewer patients had: a provider without rows did little or nothing, and which of
the two nobody can tell. So a missing volume is never 0 here unless the person says so.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import dataclass, field

import numpy as np
import pandas as pd

from .audit import MALFORMED, Audit
from .delimited import DelimitedFile, Remembered, need_columns
from .errors import TerritoryError, name_some
from .npi import read_npi
from .progress import IsCancelled, Progress, ignore, never

# today's names and those of 2012 and 2013
NPI = ("Rndrng_NPI", "npi", "National Provider Identifier")
CODE = ("HCPCS_Cd", "hcpcs_code", "HCPCS Code")
PLACE = ("Place_Of_Srvc", "place_of_service", "Place of Service")
DRUG = ("HCPCS_Drug_Ind", "hcpcs_drug_indicator", "HCPCS Drug Indicator")
SERVICES = ("Tot_Srvcs", "line_srvc_cnt", "Number of Services")
BENEFICIARIES = ("Tot_Benes", "bene_unique_cnt", "Number of Medicare Beneficiaries")
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
NO_NUMBER = "no number in the measure"
FEWEST = 5  # providers of a specialty whose median can stand in for others

_CODE = re.compile(r"[0-9A-Z]{5}")


class ProcedureFilter:
    """Which procedures are wanted: HCPCS codes, ranges such as ``27440-27447``, beginnings such as ``J*``.

    A range holds codes with digits and letters in the same places: 0001F–9999F holds no 00100.

    Raises
    ------
    TerritoryError
        For a wish that is none of these.

    Examples
    --------
    >>> wanted = ProcedureFilter(["27447", "99213 - 99215", "j*"])
    >>> [wanted(code) for code in ("27447", "99214", "J3301", "99216")]
    [True, True, True, False]
    """

    def __init__(self, wishes: Sequence[str] = ()):
        self.codes, self.ranges, beginnings, wrong = set(), [], set(), []
        for wish in wishes:
            text = re.sub(r"\s|\.0*$", "", wish.upper().replace("–", "-"))
            low, dash, high = text.partition("-")
            if dash and _CODE.fullmatch(low) and _CODE.fullmatch(high) and _shape(low) == _shape(high) and low <= high:
                self.ranges.append((low, high, _shape(low)))
            elif re.fullmatch(r"[0-9A-Z]{0,4}\*", text) and len(text) > 1:
                beginnings.add(text[:-1])
            elif text.isdigit() and len(text) <= 5:
                self.codes.add(text.zfill(5))
            elif _CODE.fullmatch(text):
                self.codes.add(text)
            elif text:
                wrong.append(wish)
        if wrong:
            raise TerritoryError(
                f"These are no HCPCS codes: {name_some(wrong)}. Write 27447, 99213-99215 or J*, with commas between."
            )
        self.beginnings = tuple(sorted(beginnings))
        self.everything = not (self.codes or self.ranges or self.beginnings)

    def __call__(self, code: str) -> bool:
        """Answer whether a code is wanted."""
        return (
            self.everything
            or code in self.codes
            or code.startswith(self.beginnings)
            or any(low <= code <= high and _shape(code) == shape for low, high, shape in self.ranges)
        )


def _shape(code: str) -> tuple[bool, ...]:
    return tuple(sign.isdigit() for sign in code)


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
        counted, amount = MEASURES[wishes.measure]
        npi_at, code_at, place_at, count_at = need_columns(file, [NPI, CODE, PLACE, counted], OTHER_FILES)
        amount_at = need_columns(file, [amount], {})[0] if amount else None
        drug_at = file.find(*DRUG)
        if wishes.drugs != "all" and drug_at is None:
            raise TerritoryError(
                f"The claims file ({file.shown}) has no drug indicator, as those of 2012 and 2013 have none: choose "
                "procedures and drugs together, and name the codes you want (drugs are J*)."
            )
        wanted_npis = {npi.encode() for npi in npis}
        known = Remembered(lambda raw: _known(file.text(raw), wanted_npis))
        wanted = Remembered(lambda raw: wishes.codes(file.text(raw).upper()))
        is_drug = Remembered(lambda raw: file.text(raw).upper().startswith("Y"))
        dropped, sums, drugs = Counter(), {}, 0
        last = max(at for at in (npi_at, code_at, place_at, count_at, amount_at, drug_at) if at is not None)
        first = wanted_npis if npi_at == 0 else None  # as in every release
        for fields in file.rows(last, progress, cancelled, "Reading claims", first):
            raw = fields[npi_at]
            if raw not in wanted_npis:
                if len(raw) == 10 or known[raw] is None:
                    dropped[NOT_ASKED] += 1
                    continue
                raw = known[raw]
            total = sums.get(raw)
            if total is None:
                total = sums[raw] = [0.0, 0.0, 0.0, 0]
            if not wanted[fields[code_at]]:
                dropped[OTHER_CODE] += 1
                continue
            place = fields[place_at].strip().upper()[:1]
            if wishes.place != "all" and place != wishes.place.encode():
                dropped[OTHER_PLACE] += 1
                continue
            drug = is_drug[fields[drug_at]] if drug_at is not None else fields[code_at][:1] == b"J"
            if wishes.drugs != "all" and drug != (wishes.drugs == "only"):
                dropped[OTHER_KIND] += 1
                continue
            value = _number(file.text(fields[count_at]))
            if amount_at is not None:
                value *= _number(file.text(fields[amount_at]))
            if value != value or value < 0:
                dropped[NO_NUMBER] += 1
                continue
            drugs += drug
            total[0] += value
            total[1 if place == b"O" else 2] += value
            total[3] += 1
        audit = Audit("Claims", file.shown, file.read, sum(total[3] for total in sums.values()))
        if audit.read == 0:
            raise TerritoryError(f"{file.called} ({file.shown}) has a header and no rows.")
        audit.drop(MALFORMED, file.malformed)
        dropped[NOT_ASKED] += file.passed_over
        for reason in (NOT_ASKED, OTHER_CODE, OTHER_PLACE, OTHER_KIND, NO_NUMBER):
            audit.drop(reason, dropped[reason])
        if wishes.measure == "services":
            audit.note("rows of drugs, whose services are units: beneficiary-days compare better", drugs)
        audit.check()
    index = [raw.decode() for raw in sums]
    frame = pd.DataFrame(list(sums.values()), index=index, columns=["volume", "office", "facility", "rows"])
    return frame.astype({"rows": int}), audit


def _known(text, wanted):
    npi = read_npi(text)
    return npi.encode() if npi and npi.encode() in wanted else None


def _number(text: str) -> float:
    try:
        return float(text.replace(",", "").replace("$", ""))
    except ValueError:
        return float("nan")


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
