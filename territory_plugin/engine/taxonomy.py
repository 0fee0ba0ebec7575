"""Specialties that sales teams target: taxonomy codes, CMS names and presets for the weights table.

The labels are this plugin's own and short. The full code set with its names is NUCC's; who has that file
can give it to the algorithms.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache, lru_cache

from .errors import TerritoryError, name_some


@dataclass(frozen=True)
class Specialty:
    """A specialty as sales teams speak of it.

    Attributes
    ----------
    label : str
    patterns : tuple of str
        Taxonomy codes and prefixes of codes; the longest one that fits a code decides, over all specialties.
    cms : tuple of str
        The names that CMS files have for it (`pri_spec`, `Rndrng_Prvdr_Type`), as `cms_key` writes them.
    """

    label: str
    patterns: tuple[str, ...]
    cms: tuple[str, ...] = ()


SPECIALTIES = tuple(
    Specialty(label, tuple(patterns.split()), tuple(name.strip() for name in cms.split("|") if name.strip()))
    for label, patterns, cms in (
        # primary care
        ("Family medicine", "207Q", "FAMILY PRACTICE|FAMILY MEDICINE"),
        ("Internal medicine", "207R", "INTERNAL MEDICINE"),
        ("General practice", "208D", "GENERAL PRACTICE"),
        ("Paediatrics", "2080", "PEDIATRIC MEDICINE|PEDIATRICS"),
        ("Geriatrics", "207RG0300X 207QG0300X", "GERIATRIC MEDICINE"),
        ("Hospital medicine", "208M", "HOSPITALIST"),
        # heart, vessels, lungs
        ("General cardiology", "207RC0000X 207RA0001X 207RA0002X",
         "CARDIOLOGY|CARDIOVASCULAR DISEASE CARDIOLOGY|ADVANCED HEART FAILURE AND TRANSPLANT CARDIOLOGY"
         "|ADULT CONGENITAL HEART DISEASE"),
        ("Interventional cardiology", "207RI0011X", "INTERVENTIONAL CARDIOLOGY"),
        ("Cardiac electrophysiology", "207RC0001X", "CARDIAC ELECTROPHYSIOLOGY|CLINICAL CARDIAC ELECTROPHYSIOLOGY"),
        ("Cardiothoracic surgery", "208G", "THORACIC SURGERY|CARDIAC SURGERY"),
        ("Vascular surgery", "2086S0129X", "VASCULAR SURGERY|PERIPHERAL VASCULAR DISEASE"),
        ("Pulmonology", "207RP1001X", "PULMONARY DISEASE"),
        ("Critical care", "207RC0200X 207LC0200X 2086S0102X", "CRITICAL CARE INTENSIVISTS|CRITICAL CARE MEDICINE"),
        # other internal medicine
        ("Gastroenterology", "207RG0100X 207RI0008X 207RT0003X", "GASTROENTEROLOGY"),
        ("Endocrinology", "207RE0101X", "ENDOCRINOLOGY"),
        ("Nephrology", "207RN0300X", "NEPHROLOGY"),
        ("Rheumatology", "207RR0500X", "RHEUMATOLOGY"),
        ("Infectious disease", "207RI0200X", "INFECTIOUS DISEASE"),
        ("Haematology and oncology", "207RH0003X 207RH0000X 207RX0202X",
         "HEMATOLOGY ONCOLOGY|HEMATOLOGY|MEDICAL ONCOLOGY"),
        ("Allergy and immunology", "207K 207RA0201X 207RI0001X", "ALLERGY IMMUNOLOGY"),
        ("Sleep medicine", "207RS0012X 2084S0012X 207QS1201X 207YS0012X 2080S0012X", "SLEEP MEDICINE"),
        ("Palliative care", "207RH0002X 207QH0002X 2084H0002X 2086H0002X 207LH0002X 2080H0002X",
         "HOSPICE PALLIATIVE CARE|HOSPICE AND PALLIATIVE CARE"),
        ("Addiction medicine", "207RA0401X 207QA0401X 2084A0401X 2084P0802X 2083A0300X 207LA0401X",
         "ADDICTION MEDICINE"),
        ("Sports medicine", "207QS0010X 207RS0010X 2081S0010X 2083S0010X 2080S0010X 204C", "SPORTS MEDICINE"),
        # surgery
        ("Orthopaedic surgery", "207X", "ORTHOPEDIC SURGERY"),
        ("Hand surgery", "207XS0106X 2086S0105X 2082S0105X", "HAND SURGERY"),
        ("General surgery", "2086", "GENERAL SURGERY"),
        ("Surgical oncology", "2086X0206X", "SURGICAL ONCOLOGY"),
        ("Colorectal surgery", "208C", "COLORECTAL SURGERY PROCTOLOGY|COLORECTAL SURGERY FORMERLY PROCTOLOGY"),
        ("Plastic surgery", "2082 2086S0122X", "PLASTIC AND RECONSTRUCTIVE SURGERY"),
        ("Neurosurgery", "207T", "NEUROSURGERY"),
        ("Urology", "2088", "UROLOGY"),
        ("Otolaryngology", "207Y", "OTOLARYNGOLOGY"),
        ("Ophthalmology", "207W", "OPHTHALMOLOGY"),
        ("Oral surgery", "204E 1223S0112X", "ORAL SURGERY|ORAL SURGERY DENTIST ONLY|MAXILLOFACIAL SURGERY"),
        # women
        ("Obstetrics and gynaecology", "207V", "OBSTETRICS GYNECOLOGY|OBSTETRICS AND GYNECOLOGY"),
        ("Gynaecological oncology", "207VX0201X", "GYNECOLOGICAL ONCOLOGY"),
        ("Nurse midwifery", "367A", "CERTIFIED NURSE MIDWIFE CNM|CERTIFIED NURSE MIDWIFE"),
        # mind and nerves
        ("Neurology", "2084N 2084V 2084E 2084A2900X 2084B0040X 2084D 2084P0005X", "NEUROLOGY"),
        ("Psychiatry", "2084", "PSYCHIATRY|GERIATRIC PSYCHIATRY|NEUROPSYCHIATRY"),
        ("Psychology", "103T 103G", "CLINICAL PSYCHOLOGIST|PSYCHOLOGIST CLINICAL"),
        ("Social work", "1041", "CLINICAL SOCIAL WORKER|LICENSED CLINICAL SOCIAL WORKER"),
        ("Counselling", "101Y 106H", "MENTAL HEALTH COUNSELOR|MARRIAGE AND FAMILY THERAPIST"),
        # skin, pain, rehabilitation
        ("Dermatology", "207N", "DERMATOLOGY|MICROGRAPHIC DERMATOLOGIC SURGERY"),
        ("Pain medicine", "208VP0000X 207LP2900X 2081P2900X 2084P2900X", "PAIN MANAGEMENT"),
        ("Interventional pain medicine", "208VP0014X", "INTERVENTIONAL PAIN MANAGEMENT"),
        ("Physical medicine", "2081", "PHYSICAL MEDICINE AND REHABILITATION"),
        ("Physical therapy", "2251", "PHYSICAL THERAPIST IN PRIVATE PRACTICE|PHYSICAL THERAPIST"),
        ("Occupational therapy", "225X", "OCCUPATIONAL THERAPIST IN PRIVATE PRACTICE|OCCUPATIONAL THERAPIST"),
        ("Chiropractic", "111N", "CHIROPRACTIC"),
        ("Podiatry", "213E", "PODIATRY"),
        # pictures, laboratory, anaesthesia, emergency
        ("Radiology", "2085", "DIAGNOSTIC RADIOLOGY"),
        ("Interventional radiology", "2085R0204X", "INTERVENTIONAL RADIOLOGY"),
        ("Radiation oncology", "2085R0001X 2085R0203X", "RADIATION ONCOLOGY"),
        ("Nuclear medicine", "207U 2085N0904X", "NUCLEAR MEDICINE"),
        ("Pathology", "207Z", "PATHOLOGY"),
        ("Anaesthesiology", "207L", "ANESTHESIOLOGY"),
        ("Nurse anaesthesia", "3675", "CERTIFIED REGISTERED NURSE ANESTHETIST CRNA|CRNA"),
        ("Emergency medicine", "207P", "EMERGENCY MEDICINE"),
        # others who see patients
        ("Nurse practitioner", "363L", "NURSE PRACTITIONER"),
        ("Clinical nurse specialist", "364S", "CERTIFIED CLINICAL NURSE SPECIALIST|CLINICAL NURSE SPECIALIST"),
        ("Physician assistant", "363A", "PHYSICIAN ASSISTANT"),
        ("Optometry", "152W", "OPTOMETRY"),
        ("Audiology", "231H", "QUALIFIED AUDIOLOGIST|AUDIOLOGIST|AUDIOLOGIST BILLING INDEPENDENTLY"),
        ("Dentistry", "1223", "DENTIST"),
        ("Dietetics", "133V",
         "REGISTERED DIETITIAN OR NUTRITION PROFESSIONAL|REGISTERED DIETICIAN NUTRITION PROFESSIONAL"),
        ("Speech therapy", "235Z", "QUALIFIED SPEECH LANGUAGE PATHOLOGIST|SPEECH LANGUAGE PATHOLOGIST"),
        # organisations
        ("Pharmacy", "3336", "PHARMACY"),
        ("Acute care hospital", "282N", "HOSPITAL"),
        ("Ambulatory surgery centre", "261QA1903X", "AMBULATORY SURGICAL CENTER"),
        ("Dialysis centre", "261QE0700X", ""),
        ("Home health agency", "251E", ""),
        ("Nursing facility", "3140", ""),
    )
)  # fmt: skip

# what teams call a target list: labels that stand together; a row of the weights table named like a preset means all
PRESETS: dict[str, tuple[str, ...]] = {
    "Orthopaedics": ("Orthopaedic surgery", "Hand surgery"),
    "Cardiology": ("General cardiology", "Interventional cardiology", "Cardiac electrophysiology"),
    "OB/GYN": ("Obstetrics and gynaecology", "Gynaecological oncology", "Nurse midwifery"),
    "Primary care": ("Family medicine", "Internal medicine", "General practice", "Paediatrics", "Geriatrics"),
    "Oncology": ("Haematology and oncology", "Radiation oncology", "Surgical oncology", "Gynaecological oncology"),
    "Pain and spine": ("Pain medicine", "Interventional pain medicine", "Neurosurgery", "Orthopaedic surgery",
                       "Physical medicine"),
    "Eye care": ("Ophthalmology", "Optometry"),
    "Mental health": ("Psychiatry", "Psychology", "Social work", "Counselling"),
    "Surgery": ("General surgery", "Colorectal surgery", "Plastic surgery", "Vascular surgery",
                "Cardiothoracic surgery", "Surgical oncology"),
    "Advanced practice": ("Nurse practitioner", "Physician assistant", "Clinical nurse specialist"),
}  # fmt: skip

# where one spelling is as common as ours
ALSO_CALLED = {
    "ORTHOPEDICS": "Orthopaedics", "ORTHOPEDIC SURGERY": "Orthopaedic surgery", "PEDIATRICS": "Paediatrics",
    "OBGYN": "OB/GYN", "OB GYN": "OB/GYN", "OBSTETRICS AND GYNECOLOGY": "OB/GYN", "ENT": "Otolaryngology",
    "HEMATOLOGY AND ONCOLOGY": "Haematology and oncology", "ANESTHESIOLOGY": "Anaesthesiology",
    "GYNECOLOGIC ONCOLOGY": "Gynaecological oncology", "PCP": "Primary care",
}  # fmt: skip

_CODE = re.compile(r"[0-9][0-9A-Z]{0,9}\*?")


def cms_key(name: object) -> str:
    """Return a specialty's name without what CMS's releases spell differently: case, slashes, brackets, dashes.

    >>> cms_key("Hematology/Oncology"), cms_key("CRITICAL CARE (INTENSIVISTS)")
    ('HEMATOLOGY ONCOLOGY', 'CRITICAL CARE INTENSIVISTS')
    """
    return re.sub(r"[^A-Z0-9]+", " ", str(name or "").upper().replace("&", " AND ")).strip()


@lru_cache(maxsize=1)
def _by_cms() -> dict[str, Specialty]:
    return {name: specialty for specialty in SPECIALTIES for name in specialty.cms}


@lru_cache(maxsize=1)
def _by_label() -> dict[str, Specialty]:
    return {cms_key(specialty.label): specialty for specialty in SPECIALTIES}


@lru_cache(maxsize=1)
def _by_pattern() -> dict[str, Specialty]:
    return {pattern: specialty for specialty in SPECIALTIES for pattern in specialty.patterns}


@lru_cache(maxsize=4096)
def specialty_of(code: str | None) -> Specialty | None:
    """Return the specialty of a taxonomy code: that with the longest pattern which fits; None for others.

    >>> specialty_of("207RC0000X").label, specialty_of("207R00000X").label, specialty_of("172V00000X")
    ('General cardiology', 'Internal medicine', None)
    """
    known = _by_pattern()
    for length in range(len(code or ""), 2, -1):
        if code[:length] in known:
            return known[code[:length]]
    return None


def label_of(code: str | None) -> str | None:
    """Return our label of a taxonomy code, None for a code of no specialty in the table."""
    specialty = specialty_of(code)
    return specialty.label if specialty else None


@lru_cache(maxsize=4096)
def from_cms(name: str | None) -> Specialty | None:
    """Return the specialty that a CMS file names, in the spelling of any release; None when unknown.

    >>> from_cms("OBSTETRICS/GYNECOLOGY").label
    'Obstetrics and gynaecology'
    """
    return _by_cms().get(cms_key(name))


def taxonomy_from_cms(name: str | None) -> str | None:
    """Return the first code or prefix of the specialty that a CMS file names: 207X for orthopaedic surgery."""
    specialty = from_cms(name)
    return specialty.patterns[0] if specialty else None


def expand_presets(patterns: Sequence[str], weights: Sequence[float]) -> tuple[list[str], list[float]]:
    """Return rows of a weights table with presets replaced by the specialties in them; other rows stay.

    A specialty with a row of its own keeps its own weight.

    >>> expand_presets(["Eye care", "Optometry", "207X"], [2.0, 1.0, 3.0])
    (['Ophthalmology', 'Optometry', '207X'], [2.0, 1.0, 3.0])
    """
    named = {cms_key(preset): labels for preset, labels in PRESETS.items()}
    named |= {also: PRESETS[name] for also, name in ALSO_CALLED.items() if name in PRESETS}
    own = {cms_key(pattern) for pattern in patterns}
    rows: dict[str, float] = {}
    for pattern, weight in zip(patterns, weights):
        labels = named.get(cms_key(pattern)) if not _CODE.fullmatch(str(pattern).strip().upper()) else None
        if labels is None:
            rows[pattern] = weight
            continue
        for label in labels:
            if cms_key(label) == cms_key(pattern) or cms_key(label) not in own:
                rows[label] = weight
    return list(rows), list(rows.values())


def codes_and_names(
    specialties: Sequence[str | None], classifications: Sequence[str | None] | None, patterns: Sequence[str]
) -> tuple[list[str | None], list[str | None]]:
    """Return for each provider a taxonomy code and a name, as a weights table asks for them.

    The code is the provider's own, or the one that a CMS name or our label stands for. The name is the
    classification when the table has a row for it, else the specialty as it stands in the data, else our label for
    the code.
    """
    asked = {str(pattern).strip().casefold() for pattern in patterns}
    classifications = [None] * len(specialties) if classifications is None else classifications

    @cache
    def read(specialty, classification):
        text = (specialty or "").strip().upper()
        is_code = bool(_CODE.fullmatch(text))
        known = specialty_of(text) if is_code else from_cms(specialty) or _by_label().get(cms_key(specialty))
        code = specialty if is_code or known is None else known.patterns[0]
        names = [classification, None if is_code else specialty, known.label if known else None]
        name = next((name for name in names if name and name.strip().casefold() in asked), classification)
        return code, name

    pairs = [read(*pair) for pair in zip(specialties, classifications)]
    return [code for code, _ in pairs], [name for _, name in pairs]


def specialties_named(name: str) -> list[Specialty]:
    """Return the specialties of a preset, a label or a CMS name."""
    key = cms_key(name)
    wanted = ALSO_CALLED.get(key, name)
    for preset, labels in PRESETS.items():
        if cms_key(preset) == cms_key(wanted):
            return [_by_label()[cms_key(label)] for label in labels]
    found = _by_label().get(cms_key(wanted)) or _by_cms().get(key)
    if found is None:
        known = {cms_key(label): label for label in (*PRESETS, *(specialty.label for specialty in SPECIALTIES))}
        near = [known[close] for close in difflib.get_close_matches(key, known, n=3, cutoff=0.5)]
        hint = f" Did you mean {' or '.join(near)}?" if near else ""
        raise TerritoryError(
            f"“{name}” is no taxonomy code and no specialty this plugin knows.{hint} "
            "Give codes (207XS0114X), prefixes (207X), or a taxonomy table with its classifications."
        )
    return [found]


class CodeFilter:
    """Which taxonomy codes are wanted: codes, prefixes, our specialties and presets, or classifications.

    A specialty or preset means its codes and not those of other specialties inside its prefixes: "Internal
    medicine" is 207R… without cardiology, "207R" is all of it.

    Parameters
    ----------
    wishes : sequence of str
        Empty wants all codes.
    classifications : mapping of code to names, optional
        From the user's taxonomy table: code → (classification, specialization, …).

    Raises
    ------
    TerritoryError
        For a wish that is none of these.
    """

    def __init__(self, wishes: Sequence[str] = (), classifications: Mapping[str, Sequence[str]] | None = None):
        self.codes, self.prefixes, self.specialties = set(), [], set()
        names: dict[str, set[str]] = {}
        for code, titles in (classifications or {}).items():
            for title in titles:
                names.setdefault(cms_key(title), set()).add(code)
        names.pop("", None)
        for wish in wishes:
            text = wish.strip()
            if not text:
                continue
            if _CODE.fullmatch(text.upper()):
                self.prefixes.append(text.upper().rstrip("*"))
            elif cms_key(text) in names:
                self.codes |= names[cms_key(text)]
            else:
                self.specialties |= {specialty.label for specialty in specialties_named(text)}
        self.prefixes = tuple(self.prefixes)
        self.everything = not (self.codes or self.prefixes or self.specialties)

    def __call__(self, code: str | None) -> bool:
        """Answer whether a code is wanted."""
        if self.everything:
            return True
        if not code:
            return False
        if code.startswith(self.prefixes) or code in self.codes:
            return True
        return bool(self.specialties) and label_of(code) in self.specialties


def meaning(pattern: str) -> str:
    """Return what a row of the weights table stands for: codes of a specialty or preset, the label of a code.

    >>> meaning("Orthopaedics"), meaning("207X"), meaning("*"), meaning("Massage Therapist")
    ('207X, 207XS0106X, 2086S0105X, 2082S0105X', 'Orthopaedic surgery', 'all others', '')
    """
    text = pattern.strip()
    if text == "*":
        return "all others"
    if _CODE.fullmatch(text.upper()):
        return label_of(text.upper().rstrip("*")) or ""
    try:
        found = specialties_named(text) if text else []
    except TerritoryError:
        return ""
    return ", ".join(code for specialty in found for code in specialty.patterns)


def split_wishes(text: str) -> list[str]:
    """Return the items of a list typed in one line or several: commas, semicolons and line breaks part them.

    >>> split_wishes("207X, Cardiology;\\n208000000X")
    ['207X', 'Cardiology', '208000000X']
    """
    return [item.strip() for item in re.split(r"[,;\n]", text or "") if item.strip()]


def split_codes(text: str) -> list[str]:
    """Return the items of a list of codes, which hold no white space, so that white space parts them too.

    >>> split_codes("27447 27130, 99213 - 99215")
    ['27447', '27130', '99213-99215']
    """
    return [item for item in re.split(r"[,;\s]+", re.sub(r"\s*[-–]\s*", "-", text or "")) if item]


def check_table() -> list[str]:
    """Return what is wrong with the table above: labels or names twice, presets of labels that are none."""
    labels = [specialty.label for specialty in SPECIALTIES]
    names = [name for specialty in SPECIALTIES for name in specialty.cms]
    patterns = [pattern for specialty in SPECIALTIES for pattern in specialty.patterns]
    wrong = [f"twice: {name_some(sorted({x for x in xs if xs.count(x) > 1}))}" for xs in (labels, names, patterns)
             if len(set(xs)) < len(xs)]  # fmt: skip
    wrong += [f"no key: {name}" for name in names if cms_key(name) != name]
    wrong += [f"a preset is called like the specialty {label}" for label in labels if label in PRESETS]
    wrong += [f"no label: {label}" for group in PRESETS.values() for label in group if label not in labels]
    return wrong
