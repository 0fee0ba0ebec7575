"""Messages agree with their numbers: "1 unit has", never "1 units have"."""

import re

from healthcare_territories.territory_plugin.engine.errors import Count

from .conftest import ROOT

COUNTED = re.compile(r"\{[^{}|]*:,\} (?!more\b|read\b|kept\b|done\b|dropped\b)[a-z]+s\b")
"""A number that is followed by many things, whatever it is."""


def test_one_and_many():
    said = "{:unit has|units have} no place"
    assert [said.format(Count(number)) for number in (0, 1, 2, 1500)] == [
        "0 units have no place", "1 unit has no place", "2 units have no place", "1,500 units have no place",
    ]  # fmt: skip
    assert f"{Count(1234):,}" == "1,234"
    assert f"{Count(7)}" == "7"


def test_no_message_counts_many_things_whatever_their_number():
    found = [
        f"{path.relative_to(ROOT)}: {line.strip()}"
        for folder in ("territory_plugin", "processing")
        for path in sorted((ROOT / folder).rglob("*.py"))
        for line in path.read_text(encoding="utf-8").splitlines()
        if COUNTED.search(line) and "progress(" not in line
    ]
    assert not found, found
