"""A provider file as NPPES publishes it: the true header of 330 columns, all of them quoted, synthetic rows, seeded.

make bench ARGS="nppes_file --rows 500000 --output npidata_pfile_20250101-20250131.csv"
"""

from __future__ import annotations

import argparse
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np

# ZIP ranges (first three digits) of the more populous states, and how many of a thousand providers they have
STATES = {
    "CA": (900, 961, 124), "TX": (750, 799, 80), "FL": (320, 349, 74), "NY": (100, 149, 72), "PA": (150, 196, 48),
    "OH": (430, 458, 42), "IL": (600, 629, 41), "MI": (480, 499, 36), "MA": (10, 27, 34), "NC": (270, 289, 33),
    "NJ": (70, 89, 30), "GA": (300, 319, 29), "WA": (980, 994, 27), "AZ": (850, 865, 24), "TN": (370, 385, 24),
    "VA": (220, 246, 24), "MN": (550, 567, 23), "CO": (800, 816, 22), "MO": (630, 658, 22), "MD": (206, 219, 22),
    "WI": (530, 549, 20), "IN": (460, 479, 20), "OR": (970, 979, 18), "LA": (700, 714, 18), "CT": (60, 69, 17),
    "KY": (400, 427, 16), "OK": (730, 749, 15), "AL": (350, 369, 14), "SC": (290, 299, 14), "NM": (870, 884, 10),
    "KS": (660, 679, 10), "UT": (840, 847, 10), "IA": (500, 528, 10), "PR": (6, 9, 7),
}  # fmt: skip
# taxonomy codes of people and of organisations, and how many of a thousand have them
PEOPLE = {
    "390200000X": 60, "183500000X": 50, "106S00000X": 70, "101YM0800X": 55, "1041C0700X": 60, "363LF0000X": 52,
    "363A00000X": 35, "225100000X": 50, "163W00000X": 45, "207R00000X": 40, "207Q00000X": 34, "1223G0001X": 32,
    "235Z00000X": 28, "225X00000X": 24, "367500000X": 14, "111N00000X": 18, "152W00000X": 11, "103T00000X": 14,
    "208000000X": 20, "207P00000X": 16, "207L00000X": 14, "2084P0800X": 13, "207V00000X": 11, "207RC0000X": 9,
    "207X00000X": 7, "208600000X": 8, "207XS0114X": 1, "207XX0005X": 2, "207W00000X": 7, "207N00000X": 5,
    "2085R0202X": 9, "213E00000X": 5, "208800000X": 3, "207T00000X": 2, "207RG0100X": 5, "172V00000X": 20,
}  # fmt: skip
ORGANISATIONS = {
    "261QM1300X": 90, "193200000X": 60, "193400000X": 70, "332B00000X": 60, "3336C0003X": 80, "251E00000X": 60,
    "314000000X": 40, "282N00000X": 20, "261QF0400X": 20, "207Q00000X": 40, "207R00000X": 35, "207X00000X": 10,
    "225100000X": 30, "1223G0001X": 40, "261QP2300X": 30, "291U00000X": 20, "343900000X": 40,
}  # fmt: skip
NAMES = ("Ash", "Birch", "Cedar", "Elm", "Hazel", "Juniper", "Larch", "Maple", "Oak", "Pine", "Rowan", "Willow")
PERSON, ORGANISATION = "1", "2"


def header() -> list[str]:
    """Return the 330 column names of ``npidata_pfile``, in order."""
    names = [
        "NPI", "Entity Type Code", "Replacement NPI", "Employer Identification Number (EIN)",
        "Provider Organization Name (Legal Business Name)", "Provider Last Name (Legal Name)", "Provider First Name",
        "Provider Middle Name", "Provider Name Prefix Text", "Provider Name Suffix Text", "Provider Credential Text",
        "Provider Other Organization Name", "Provider Other Organization Name Type Code", "Provider Other Last Name",
        "Provider Other First Name", "Provider Other Middle Name", "Provider Other Name Prefix Text",
        "Provider Other Name Suffix Text", "Provider Other Credential Text", "Provider Other Last Name Type Code",
    ]  # fmt: skip
    for kind in ("Mailing", "Practice Location"):
        names += [
            f"Provider First Line Business {kind} Address",
            f"Provider Second Line Business {kind} Address",
            *(
                f"Provider Business {kind} Address {part}"
                for part in (
                    "City Name",
                    "State Name",
                    "Postal Code",
                    "Country Code (If outside U.S.)",
                    "Telephone Number",
                    "Fax Number",
                )
            ),
        ]
    names += [
        "Provider Enumeration Date", "Last Update Date", "NPI Deactivation Reason Code", "NPI Deactivation Date",
        "NPI Reactivation Date", "Provider Sex Code", "Authorized Official Last Name",
        "Authorized Official First Name", "Authorized Official Middle Name", "Authorized Official Title or Position",
        "Authorized Official Telephone Number",
    ]  # fmt: skip
    for number in range(1, 16):
        names += [
            f"Healthcare Provider Taxonomy Code_{number}",
            f"Provider License Number_{number}",
            f"Provider License Number State Code_{number}",
            f"Healthcare Provider Primary Taxonomy Switch_{number}",
        ]
    for number in range(1, 51):
        names += [
            f"Other Provider Identifier_{number}",
            f"Other Provider Identifier Type Code_{number}",
            f"Other Provider Identifier State_{number}",
            f"Other Provider Identifier Issuer_{number}",
        ]
    names += [
        "Is Sole Proprietor", "Is Organization Subpart", "Parent Organization LBN", "Parent Organization TIN",
        "Authorized Official Name Prefix Text", "Authorized Official Name Suffix Text",
        "Authorized Official Credential Text",
        *(f"Healthcare Provider Taxonomy Group_{number}" for number in range(1, 16)),
        "Certification Date",
    ]  # fmt: skip
    return names


def check_digits(first_nine: np.ndarray) -> np.ndarray:
    """Return the check digit of NPIs from their first nine digits (Luhn over 80840 and the number)."""
    total = np.full(first_nine.shape, 24)
    rest = first_nine.copy()
    for place in range(9):
        digit = rest % 10
        rest //= 10
        doubled = digit * 2
        total += np.where(doubled > 9, doubled - 9, doubled) if place % 2 == 0 else digit
    return -total % 10


def lines(rows: int, seed: int = 1, start: int = 0) -> Iterator[str]:
    """Yield the lines of the file, the header first.

    Of a thousand rows 25 are deactivated stubs, 2 foreign and 220 organisations; 1 has a bad check digit, 1 a
    line break inside an address. One person in five has two codes, of which the second is the primary for half.
    """
    rng = np.random.default_rng(seed)
    names = header()
    at = {name: place for place, name in enumerate(names)}
    yield ",".join(f'"{name}"' for name in names) + "\n"

    def gap(after, before):
        """Return the empty columns between two named ones, with the commas around them."""
        return "," + '"",' * (at[before] - at[after] - 1)

    code, switch = "Healthcare Provider Taxonomy Code_{}", "Healthcare Provider Primary Taxonomy Switch_{}"
    to_mail = gap("Provider Credential Text", "Provider First Line Business Mailing Address")
    to_dates = gap("Provider Business Practice Location Address Country Code (If outside U.S.)",
                   "Provider Enumeration Date")  # fmt: skip
    after_dates = gap("Provider Enumeration Date", "NPI Deactivation Date")
    to_codes = gap("NPI Reactivation Date", code.format(1))
    licence = '"","",'
    to_sole = {number: gap(switch.format(number), "Is Sole Proprietor") for number in (1, 2)}
    tail = gap("Is Organization Subpart", "Certification Date") + '"01/15/2020"\n'
    stub_end = after_stub(at)

    states = np.array(list(STATES))
    low, high, share = np.array(list(STATES.values())).T
    people, organisations = np.array(list(PEOPLE)), np.array(list(ORGANISATIONS))
    people_share = np.array(list(PEOPLE.values())) / sum(PEOPLE.values())
    organisation_share = np.array(list(ORGANISATIONS.values())) / sum(ORGANISATIONS.values())
    for block in range(start, start + rows, 100_000):
        count = min(100_000, start + rows - block)
        first_nine = 100_000_000 + (np.arange(block, block + count) * 97) % 899_999_981
        npi = first_nine * 10 + check_digits(first_nine)
        kind = rng.random(count)
        npi = np.where(kind > 0.999, npi - npi % 10 + (npi + 3) % 10, npi)
        state = rng.choice(len(states), count, p=share / share.sum())
        zips = (low[state] + rng.integers(0, 1000, count) % (high[state] - low[state] + 1)) * 100
        zips = (zips + np.minimum(rng.geometric(0.05, count), 99)) * 10_000 + rng.integers(0, 10_000, count)
        organisation = rng.random(count) < 0.22
        first = np.where(organisation, rng.choice(organisations, count, p=organisation_share),
                         rng.choice(people, count, p=people_share))  # fmt: skip
        second = rng.choice(people, count, p=people_share)
        two, swapped = rng.random(count) < 0.2, rng.random(count) < 0.5
        name, number = rng.integers(0, len(NAMES), (count, 2)), rng.integers(1, 9999, count)
        for row in range(count):
            if kind[row] < 0.025:
                yield f'"{npi[row]}",{stub_end}'
                continue
            is_organisation = organisation[row]
            given, family = NAMES[name[row, 0]], NAMES[name[row, 1]]
            foreign = kind[row] > 0.9965 and kind[row] < 0.9985
            street = f"{number[row]} {given} ST" + ("\nSUITE 5" if 0.9955 < kind[row] < 0.9965 else "")
            place = (
                f'"{street}","","{family}VILLE","ON","K1A 0B1","CA"'
                if foreign
                else f'"{street}","","{family}VILLE","{states[state[row]]}","{zips[row]:09d}","US"'
            )
            who = (
                f'"{ORGANISATION}","","<UNAVAIL>","{given.upper()} {family.upper()} HEALTH, LLC","","","","","",""'
                if is_organisation
                else f'"{PERSON}","","","","{family.upper()}","{given.upper()}","","","","M.D."'
            )
            if two[row] and not is_organisation:
                y, n = ("N", "Y") if swapped[row] else ("Y", "N")
                codes = f'"{first[row]}",{licence}"{y}","{second[row]}",{licence}"{n}"{to_sole[2]}'
            else:
                codes = f'"{first[row]}",{licence}"Y"{to_sole[1]}'
            yield (
                f'"{npi[row]}",{who}{to_mail}{place},"5550100","5550101",{place}{to_dates}"05/23/2010"{after_dates}"",""'
                f'{to_codes}{codes}"{"X" if is_organisation else "N"}","{"N" if is_organisation else ""}"{tail}'
            )


def after_stub(at: dict[str, int]) -> str:
    """Return the rest of the row of a deactivated NPI: a date of deactivation and nothing else."""
    columns = [""] * (len(at) - 1)
    columns[at["NPI Deactivation Date"] - 1] = "06/01/2015"
    return ",".join(f'"{value}"' for value in columns) + "\n"


def write(path: Path, rows: int, seed: int = 1, zipped: bool = False) -> None:
    """Write the file, or a zip with it inside as the download has it."""
    if zipped:
        with (
            zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive,
            archive.open("npidata_pfile_20250101-20250131.csv", "w", force_zip64=True) as file,
        ):
            for line in lines(rows, seed):
                file.write(line.encode())
        return
    with open(path, "w", encoding="utf-8", newline="") as file:
        file.writelines(lines(rows, seed))


def main() -> None:
    """Write the file that the command line asks for."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=500_000)
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--zip", action="store_true")
    parser.add_argument("--output", type=Path, required=True)
    wishes = parser.parse_args()
    write(wishes.output, wishes.rows, wishes.seed, wishes.zip)


if __name__ == "__main__":
    main()
