"""What a person may write for units: ids, ZIPs, beginnings, ranges, divided ZIPs, regions."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from .states import FIPS, state_code
from .tables.headers import plain_header
from .tables.zip_lists import read_zip_list
from .tables.zips import state_of, zip5

CODED = frozenset({"fips", "geoid", "cbsa", "csa", "msa", "county"})
"""Words in the name of a column whose regions may be written as digits."""


class UnitNames:
    """What a person may write for units: ids, ZIPs as files write them, beginnings, divided ZIPs, regions."""

    def __init__(self, units: Sequence[str], regions: Mapping[str, Sequence[str | None]]):
        self.ids = frozenset(units)
        self.listed = sorted(units)
        self.pieces: dict[str, list[str]] = {}
        for unit in self.listed:
            if divided := re.fullmatch(r"(.+)-\d+", unit):
                self.pieces.setdefault(divided[1], []).append(unit)
        self.regions: dict[str, set[str]] = {}
        self.states = {state_of(code) for code in map(zip5, units) if code}
        for name, column in regions.items():
            coded = any(word in CODED for word in plain_header(name).split("_"))
            for unit, region in zip(units, column):
                if coded and region and str(region).isdigit() and str(region) not in self.ids:
                    self.regions.setdefault(str(region), set()).add(unit)
                for key in self.region_keys(region):
                    self.regions.setdefault(key, set()).add(unit)

    def is_county(self, word: str) -> bool:
        """Answer whether five digits are a county's FIPS code of a state of the market, and a ZIP of another state."""
        if not re.fullmatch(r"\d{5}", word) or state_of(word) in self.states:
            return False
        return FIPS.get(word[:2]) in self.states

    def region_keys(self, text) -> set[str]:
        text = " ".join(str(text or "").casefold().split())
        if text in self.regions and text.isdigit():
            return {text}  # the code of a county, in a column of such codes
        if not re.search(r"[^\W\d_]", text):
            return set()  # digits in a list are ZIPs, whatever numbers other columns hold
        return {key for key in (text, f"state {state_code(text)}" if state_code(text) else "") if key}

    def unit(self, text: str) -> tuple[str | None, list[str]]:
        """Return the one unit that a text means, or None and the pieces of the ZIP that it means."""
        code = zip5(text)
        for name in (text, code):
            if name in self.ids:
                return name, []
        return None, self.pieces.get(text) or self.pieces.get(code) or []

    def units(self, text: str | None) -> tuple[frozenset[str], list[str], list[str]]:
        """Return the units that a list means, words that mean nothing, and words that mean what is not here."""
        if not text:
            return frozenset(), [], []
        found: set[str] = set()
        strange, outside = [], []
        for word in self.words(text):
            here = self.one(word)
            if here:
                found |= here
            elif re.fullmatch(r"\d{3}", word) or self.is_county(word):
                strange.append(word)
            elif zip5(word) or self.spans(word) or state_code(word):
                outside.append(word)
            else:
                strange.append(word)
        # a state is unknown, not elsewhere, where no column says which units are in a state
        if not self.regions:
            strange, outside = (
                strange + [word for word in outside if state_code(word)],
                [word for word in outside if not state_code(word)],
            )
        return frozenset(found), strange, outside

    def words(self, text: str) -> list[str]:
        """Return the words of a list; region names may hold commas and blanks."""
        if self.one(text):
            return [text]
        words = []
        for word in filter(None, map(str.strip, re.split(r"[;\n]", text))):
            for part in [word] if self.one(word) else filter(None, map(str.strip, word.split(","))):
                blanks = part.split()
                apart = len(blanks) > 1 and not self.one(part) and all(re.search(r"\d", piece) for piece in blanks)
                words += blanks if apart else [part]
        return words

    @staticmethod
    def spans(word: str) -> tuple[tuple[str, str], ...]:
        """Return the lowest and highest ZIP of a range (60602-60612) or beginning (606*); none for anything else."""
        entries = read_zip_list(word).entries
        if len(entries) != 1 or len(entries[0].readings) != 1 or entries[0].code is not None:
            return ()
        return entries[0].readings[0]

    def one(self, word: str) -> set[str]:
        """Return the units that one word means."""
        word = word.strip()
        if word.endswith("*"):
            return {unit for unit in self.listed if unit.startswith(word[:-1])} if len(word) > 1 else set()
        unit, pieces = self.unit(word)
        if unit is not None:
            return {unit}
        if pieces:
            return set(pieces)
        if spans := self.spans(word):
            return {unit for unit in self.listed if any(low <= unit[:5] <= high for low, high in spans)}
        return set().union(*(self.regions.get(key, set()) for key in self.region_keys(word)))
