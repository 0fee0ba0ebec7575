"""Which column of a table holds what, and where a sheet's header is."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from .cells import cell_text

LOOK_AT = 12
"""Rows from the top among which a header is looked for."""
_UNNAMED = re.compile(r"field_?\d+|unnamed: ?\d+|column_?\d+|f\d+", re.IGNORECASE)


def plain_header(name: str) -> str:
    """Return a column's name in lower case, whatever parts its words as one underscore.

    >>> plain_header(" Home-ZIP "), plain_header("Rep ID")
    ('home_zip', 'rep_id')
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@dataclass
class Columns:
    """Which column holds what.

    Attributes
    ----------
    found : dict of str to str
        Role → column.
    passed_over : dict of str to list of str
        Role → further columns whose names would have fitted.
    unknown : list of str
        Columns that have no role.
    """

    found: dict[str, str]
    passed_over: dict[str, list[str]] = field(default_factory=dict)
    unknown: list[str] = field(default_factory=list)

    def notes(self, called: str) -> list[str]:
        """Return which column was taken for what, and which were not used, for the log."""
        told = [f"{called}: " + ", ".join(f"“{name}” is the {role}" for role, name in self._shown()) + "."]
        if self.passed_over:
            others = "; ".join(
                f"{', '.join(f'“{name}”' for name in names)} beside “{self.found[role]}”"
                for role, names in self.passed_over.items()
            )
            told.append(f"{called}: columns that would fit as well, but are not used: {others}.")
        if self.unknown:
            listed = ", ".join(f"“{name}”" for name in self.unknown)
            told.append(f"{called}: columns with names that mean nothing here, which are not used: {listed}.")
        return told

    def _shown(self):
        return [(role.replace("_", " "), name) for role, name in self.found.items()]


def find_columns(
    names: Sequence[str], usual: Mapping[str, Sequence[str]], given: Mapping[str, str] | None = None
) -> Columns:
    """Find the columns of a table by their usual names.

    Parameters
    ----------
    names : sequence of str
        The table's columns.
    usual : mapping of str to sequence of str
        Role → its usual names as `plain_header` writes them, the likeliest first.
    given : mapping, optional
        Columns that the user named, by role.

    Examples
    --------
    >>> find_columns(["Rep ID", "FTE", "Phone"], {"id": ("rep_id", "id"), "share": ("share", "fte")})
    Columns(found={'id': 'Rep ID', 'share': 'FTE'}, passed_over={}, unknown=['Phone'])
    """
    plain: dict[str, str] = {}
    for name in names:
        plain.setdefault(plain_header(name), name)
    columns = Columns({})
    for role, spellings in usual.items():
        fitting = [plain[name] for name in spellings if name in plain]
        chosen = given.get(role) if given else None
        if chosen or fitting:
            columns.found[role] = chosen or fitting[0]
    taken = set(columns.found.values())
    for role, spellings in usual.items():
        others = [plain[name] for name in spellings if name in plain and plain[name] not in taken]
        if others and role in columns.found:
            columns.passed_over[role] = others
            taken.update(others)
    columns.unknown = [name for name in names if name not in taken]
    return columns


def is_unnamed(names: Sequence[str]) -> bool:
    """Answer whether a table's columns have no names of their own but Field1, Field2 and so on.

    A single name may be a sheet's title, which stood above the header.

    >>> is_unnamed(["Field1", "Field2"]), is_unnamed(["List of reps", "field_2", "field_3"]), is_unnamed(["ZIP", "f2"])
    (True, True, False)
    """
    named = [name for name in names if not _UNNAMED.fullmatch(name)]
    return len(names) > len(named) and (not named or (len(named) == 1 and named == list(names[:1]) and len(names) > 2))


def header_row(rows: Sequence[Sequence[object]]) -> int | None:
    """Return which of a table's first rows holds the names of its columns, None where none looks like it.

    It is the first row in which every column that is filled further down has a text, all of them different and none a
    number; rows above it are titles.

    Parameters
    ----------
    rows : sequence of sequence of cells
        From the top, at least two.

    Examples
    --------
    >>> header_row([["ZIP", "Territory"], ["60601", "North"]])
    0
    >>> header_row([["Delineations, 2020", None], [None, None], ["CBSA Code", "CBSA Title"], ["10100", "Aberdeen"]])
    2
    >>> header_row([["60601", "North"], ["60602", "North"]])
    """
    texts = [[cell_text(value) for value in row] for row in rows]
    for at, row in enumerate(texts[:-1]):
        below = [column for column in range(len(row)) if any(other[column] for other in texts[at + 1 :])]
        names = [row[column] for column in below]
        if not names or None in names or len(set(names)) < len(names) or len(names) < 2:
            continue
        if any(re.search(r"[A-Za-z]", name) is None or len(name) > 120 for name in names):
            continue
        later = [[other[column] for column in below] for other in texts[at + 1 :]]
        if _looks_like_data(names, later):
            continue
        return at
    return None


def _looks_like_data(names, later) -> bool:
    """Answer whether a row is like those below it: a column in which names go on as they began tells."""
    for at, name in enumerate(names):
        below = [row[at] for row in later if row[at]]
        if name in below:
            return True
    # where no column holds digits below, nothing but its name would tell a header from a row of names
    return not any(re.search(r"\d", text) for row in later for text in row if text)
