"""How a plan was made: when, from what, with which settings; the end of a page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

from .page import table


@dataclass(frozen=True)
class About:
    """How a plan was made, in words.

    Attributes
    ----------
    plan : str
        What it is called.
    when : str
        Day and time.
    made_with : str
        The algorithm.
    inputs : sequence of (str, str, int, str)
        What the dialog calls it, the layer, its rows (−1: not known), its fingerprint.
    settings : sequence of (str, str, bool)
        What the dialog calls it, what was given, whether that is the usual.
    versions : str
    """

    plan: str
    when: str
    made_with: str
    inputs: Sequence[tuple[str, str, int, str]]
    settings: Sequence[tuple[str, str, bool]]
    versions: str

    def sections(self) -> list[str]:
        """Return the sections of the page that say it."""
        rows = [(label, layer, f"{count:,}" if count >= 0 else "", mark) for label, layer, count, mark in self.inputs]
        chosen = [(label, value) for label, value, usual in self.settings if not usual]
        rest = [(label, value or "(none)") for label, value, usual in self.settings if usual]
        found = ["<h2>How it was made</h2>", f"<p>With “{escape(self.made_with)}”, {escape(self.when)}.</p>"]
        if rows:
            found.append(table(("Input", "Layer", "Rows", "Fingerprint"), rows, "cards long"))
        if chosen:
            found.append(table(("Setting", "Given"), chosen, "words"))
        if rest:
            found.append(
                f"<details><summary>Settings left as they are</summary>{table(('Setting', 'Value'), rest, 'words')}"
                "</details>"
            )
        return [*found, f'<p class="note">{escape(self.versions)}</p>']
