"""The page of a plan: its map, its measures, what needs a look, and how it was made."""

from __future__ import annotations

from collections.abc import Sequence
from html import escape

import numpy as np
import pandas as pd

from ..errors import Count
from .about import About
from .maps import Drawing, territory_map
from .page import facts, line, scale, share, write_page
from .page import table as html_table

COLUMNS = (
    ("territory", "Territory", "{}"),
    ("workload", "Workload", "{:,.1f}"),
    ("target", "Target", "{:,.1f}"),
    ("index", "Index", "{:.0f}"),
    ("deviation_pct", "Deviation", "{:+.1f} %"),
    ("units", "Units", "{:,.0f}"),
    ("providers", "Providers", "{:,.0f}"),
    ("parts", "Parts", "{:.0f}"),
    ("area_km2", "Area km²", "{:,.0f}"),
    ("polsby_popper", "Polsby–Popper", "{:.2f}"),
    ("reock", "Reock", "{:.2f}"),
    ("rms_km", "RMS km", "{:.1f}"),
)


def write_report(
    path: str,
    territories: pd.DataFrame,
    overall: dict,
    tolerance: float,
    title="Territory report",
    sections: Sequence[str] = (),
    drawing: Drawing | None = None,
    about: About | None = None,
) -> None:
    """Write the measures of a plan as one HTML page.

    Parameters
    ----------
    path : str
    territories : pandas.DataFrame
        One row per territory with the columns named in `COLUMNS`, ``within`` and ``reason``.
    overall : dict
        The fields of `engine.measures.Summary`.
    tolerance : float
        Allowed share of deviation to either side.
    title : str
        Used where `about` does not name the plan.
    sections : sequence of str
        HTML that follows the facts, as from `change_sections`.
    drawing : Drawing, optional
        The territories' polygons, in the order of the rows.
    about : About, optional
        How the plan was made.
    """
    title = about.plan if about is not None and about.plan else title
    when = f"{about.when} · " if about is not None else ""
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{escape(when)}{Count(len(territories)):territory|territories}, total workload '
        f"{overall['total_workload']:,.1f}, tolerance ±{100 * tolerance:g} % of each target.</p>",
        _facts(overall, tolerance),
    ]
    if drawing is not None:
        index = ["" if np.isnan(value) else f"{value:.0f}" for value in territories["index"].astype(float)]
        body += ["<h2>Map</h2>", territory_map(drawing, index, "workload index, average = 100")]
    body += [*sections, "<h2>Deviation from target</h2>", _bars(territories, tolerance)]
    body += ["<h2>Territories</h2>", _table(territories)]
    flagged = territories[territories["reason"].notna()]
    if len(flagged):
        rows = zip(flagged["territory"], flagged["reason"])
        marks = [True] * len(flagged)
        body += ["<h2>What needs a look</h2>", html_table(("Territory", "Reason"), rows, "words", marks)]
    if overall["unassigned"]:
        lost = Count(overall["unassigned"])
        body.append(f"<p>{lost:unit has|units have} no territory, and no part in these figures.</p>")
    write_page(path, title, [*body, *(about.sections() if about is not None else ())])


def _facts(overall, tolerance) -> str:
    worst = overall["max_deviation_pct"]
    return facts([
        (f"{overall['within_pct']:.0f} %", "of territories within tolerance", overall["within_pct"] > 99.99),
        (f"{worst:.1f} %", "largest deviation", worst <= 100 * tolerance * (1 + 1e-9)),
        ("yes" if overall["connected"] else "no", "every territory in one part", overall["connected"]),
        (f"{overall['rms_km']:.1f} km", "RMS distance to the centre", None),
        (f"{overall['cut_edges']:,}", "cut edges", None),
    ])  # fmt: skip


def _bars(table, tolerance) -> str:
    """Return one bar per territory, left of the middle when under target and right when over."""
    deviation = table["deviation_pct"].fillna(0).to_numpy(dtype=float)
    reach = max(np.abs(deviation).max(initial=0.0), 100 * tolerance) * 1.08 or 1.0
    lines = []
    for name, value, within in zip(table["territory"], deviation, table["within"]):
        left, right = sorted((share(0, reach), share(value, reach)))
        bar = f'<i class="bar" style="left:{left}%;width:{max(round(right - left, 2), 0.2)}%"></i>'
        lines.append(line(str(name), scale(100 * tolerance, reach) + bar, f"{value:+.1f} %", not within))
    return "".join(lines) + f'<p class="note">Shaded: within ±{100 * tolerance:g} %.</p>'


def _table(table) -> str:
    shown = [column for column in COLUMNS if column[0] in table and table[column[0]].notna().any()]
    rows = [
        ["" if pd.isna(record[name]) else form.format(record[name]) for name, _, form in shown]
        for record in table.to_dict("records")
    ]
    return html_table([label for _, label, _ in shown], rows, marked=[not within for within in table["within"]])
