"""What an import read, kept and dropped, and why: totals that add up, as a page and as JSON."""

from __future__ import annotations

import json
from dataclasses import dataclass, field
from html import escape
from pathlib import Path

from .errors import Count, TerritoryError
from .report.page import facts, table, write_page

# why records are dropped
MALFORMED = "rows that do not have the columns of the header"
HEADER_AGAIN = "headers repeated between the rows"
NO_NPI = "NPI is no number of ten digits"
BAD_DIGIT = "wrong check digit of the NPI"
LOST_DIGITS = "NPI that a spreadsheet rounded: its last digits are lost"
DEACTIVATED = "deactivated"
REPORTED = "deactivated, as the report says"
FOREIGN = "outside the United States"
OTHER_ENTITY = "another entity type"
OTHER_SPECIALTY = "another specialty"
OTHER_STATE = "another state"
OTHER_ZIP = "another ZIP"
TWICE = "older row of an NPI that has a newer one"


@dataclass
class Audit:
    """The books of one file.

    Attributes
    ----------
    title : str
        What was read: "Providers", "Secondary sites".
    file : str
        Its name, without folders.
    read, kept : int
        Records.
    dropped : dict of str to int
        Reason → records, in the order in which the reasons were asked; each record has the first that applies.
    kept_as : dict of str to int
        What became of the records that were kept, by way of placing; sums to `kept` when it is not empty.
    notes : dict of str to int
        What was assumed or repaired among those kept; records may count several times.
    wishes : dict of str to str
        The filters.
    beside : bool
        Whether it is of something else than the records that the whole counts: sites, a report.
    """

    title: str
    file: str
    read: int = 0
    kept: int = 0
    dropped: dict[str, int] = field(default_factory=dict)
    kept_as: dict[str, int] = field(default_factory=dict)
    notes: dict[str, int] = field(default_factory=dict)
    wishes: dict[str, str] = field(default_factory=dict)
    beside: bool = False

    def drop(self, reason: str, count: int = 1) -> None:
        """Count records that are dropped for a reason."""
        if count:
            self.dropped[reason] = self.dropped.get(reason, 0) + count

    def note(self, text: str, count: int = 1) -> None:
        """Count records about which something is to be known."""
        if count:
            self.notes[text] = self.notes.get(text, 0) + count

    def check(self) -> None:
        """Raise when the books do not balance: a record went astray in this plugin."""
        lost = self.read - self.kept - sum(self.dropped.values())
        unplaced = self.kept - sum(self.kept_as.values()) if self.kept_as else 0
        if lost or unplaced:
            raise TerritoryError(
                f"{self.title}: {Count(lost or unplaced):record|records} of {self.read:,} cannot be accounted "
                f"for; please report this."
            )

    def as_dict(self) -> dict:
        """Return the books with plain types."""
        return {
            "title": self.title, "file": self.file, "read": self.read, "kept": self.kept,
            "dropped": sum(self.dropped.values()), "dropped_because": self.dropped, "kept_as": self.kept_as,
            "notes": self.notes, "filters": self.wishes,
        }  # fmt: skip

    def sentence(self) -> str:
        """Return the books in a line for the log."""
        why = "; ".join(f"{count:,} {reason}" for reason, count in self.dropped.items())
        return f"{self.title}: {self.read:,} read = {self.kept:,} kept + {sum(self.dropped.values()):,} dropped" + (
            f" ({why})." if why else "."
        )


def write_json(path: str, audits: list[Audit]) -> None:
    """Write the books as JSON: a list, one object for each file."""
    Path(path).write_text(
        json.dumps([audit.as_dict() for audit in audits], indent=1, ensure_ascii=False) + "\n", encoding="utf-8"
    )


def write_html(path: str, audits: list[Audit], title: str) -> None:
    """Write the books as one self-contained page."""
    body = [f"<h1>{escape(title)}</h1>"]
    for audit in audits:
        gone = sum(audit.dropped.values())
        body.append(f'<h2>{escape(audit.title)}</h2><p class="lead">{escape(audit.file)}</p>')
        body.append(facts(
            (f"{count:,}", label, None)
            for count, label in ((audit.read, "read"), (audit.kept, "kept"), (gone, "dropped"))
        ))  # fmt: skip
        for head, rows, total in (
            ("Dropped because", audit.dropped, gone),
            ("Kept, placed", audit.kept_as, audit.kept),
            ("To be known", audit.notes, None),
        ):
            if rows:
                body.append(_table(head, rows, total))
        if audit.wishes:
            body.append(table(("Filter", "asked"), audit.wishes.items(), "words"))
    write_page(path, title, body)


def _table(head, rows, total) -> str:
    lines = [(name, f"{count:,}") for name, count in rows.items()]
    if total is not None:
        lines.append(("together", f"{total:,}"))
    return table((head, "records"), lines, "words")
