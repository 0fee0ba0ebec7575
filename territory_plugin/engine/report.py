"""The report: one self-contained page with the plan's measures, for the meeting and for the file."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape
from pathlib import Path

import numpy as np
import pandas as pd

from .errors import Count

STYLE = """
body { font: 15px/1.45 system-ui, "Segoe UI", "Open Sans", sans-serif; color: #22313f;
       margin: 2.5rem auto; max-width: 62rem; padding: 0 1.5rem; background: #fff }
h1 { font-size: 1.7rem; margin: 0 0 .2rem } h2 { font-size: 1.1rem; margin: 2.2rem 0 .6rem }
.lead { color: #5b6b7a; margin: 0 0 1.6rem }
.facts { display: flex; flex-wrap: wrap; gap: .8rem }
.fact { border: 1px solid #dfe5ea; border-radius: 8px; padding: .6rem 1rem; min-width: 8.2rem }
.fact b { display: block; font-size: 1.45rem; font-weight: 650 } .fact span { color: #5b6b7a; font-size: .82rem }
.good b { color: #2f7d6b } .bad b { color: #b4532a }
table { border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums }
th { text-align: right; font-weight: 600; color: #5b6b7a; border-bottom: 2px solid #dfe5ea;
     padding: .3rem .5rem; white-space: nowrap }
td { text-align: right; border-bottom: 1px solid #edf1f4; padding: .3rem .5rem; white-space: nowrap }
th:first-child, td:first-child, td.text, th.text { text-align: left } td.text { white-space: normal }
tr.out td:first-child { color: #b4532a; font-weight: 650 }
svg text { font: 12px system-ui, "Segoe UI", "Open Sans", sans-serif; fill: #22313f }
svg .soft { fill: #5b6b7a }
"""

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
    sections : sequence of str
        HTML that follows the facts, as from `change_sections`.
    """
    flagged = territories[territories["reason"].notna()]
    body = [
        f"<h1>{escape(title)}</h1>",
        f'<p class="lead">{Count(len(territories)):territory|territories}, total workload '
        f"{overall['total_workload']:,.1f}, tolerance ±{100 * tolerance:g} % of each target.</p>",
        _facts(overall, tolerance),
        *sections,
        "<h2>Deviation from target</h2>",
        _bars(territories, tolerance),
        "<h2>Territories</h2>",
        _table(territories),
    ]
    if len(flagged):
        rows = "".join(
            f'<tr class="out"><td>{escape(str(row.territory))}</td><td class="text">{escape(str(row.reason))}</td></tr>'
            for row in flagged.itertuples(index=False)
        )
        body.append(
            f'<h2>What needs a look</h2><table><tr><th>Territory</th><th class="text">Reason</th></tr>{rows}</table>'
        )
    if overall["unassigned"]:
        lost = Count(overall["unassigned"])
        body.append(f"<p>{lost:unit has|units have} no territory, and no part in these figures.</p>")
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    Path(path).write_text(page, encoding="utf-8")


def _facts(overall, tolerance) -> str:
    def fact(value, label, good=None):
        kind = {True: " good", False: " bad", None: ""}[good]
        return f'<div class="fact{kind}"><b>{value}</b><span>{label}</span></div>'

    return (
        '<div class="facts">'
        + fact(f"{overall['within_pct']:.0f} %", "of territories within tolerance", overall["within_pct"] > 99.99)
        + fact(
            f"{overall['max_deviation_pct']:.1f} %",
            "largest deviation",
            overall["max_deviation_pct"] <= 100 * tolerance * (1 + 1e-9),
        )
        + fact("yes" if overall["connected"] else "no", "every territory in one part", overall["connected"])
        + fact(f"{overall['rms_km']:.1f} km", "RMS distance to the centre")
        + fact(f"{overall['cut_edges']:,}", "cut edges")
        + "</div>"
    )


def _bars(table, tolerance) -> str:
    """Return one bar per territory, left of the middle when under target and right when over."""
    row, left, width = 20, 120, 640
    deviation = table["deviation_pct"].fillna(0).to_numpy(dtype=float)
    reach = max(np.abs(deviation).max(initial=0.0), 100 * tolerance) * 1.08 or 1.0
    middle, scale = left + width / 2, width / 2 / reach
    height = row * len(table) + 30
    band = 100 * tolerance * scale
    parts = [
        f'<svg viewBox="0 0 {left + width + 20} {height}" width="100%" role="img" aria-label="Deviation from target">',
        f'<rect x="{middle - band:.1f}" y="0" width="{2 * band:.1f}" height="{height - 24}" fill="#e8f2ef"/>',
        f'<line x1="{middle}" x2="{middle}" y1="0" y2="{height - 24}" stroke="#9aa7b2"/>',
    ]
    for at, (name, value, within) in enumerate(zip(table["territory"], deviation, table["within"])):
        start, length = middle + min(value, 0) * scale, abs(value) * scale
        beside = middle + value * scale
        inward = length > width / 2 - 60
        anchor = "end" if (value < 0) != inward else "start"
        shift = -5 if anchor == "end" else 5
        parts.append(
            f'<text x="{left - 10}" y="{at * row + 14}" text-anchor="end">{escape(str(name))}</text>'
            f'<rect x="{start:.1f}" y="{at * row + 4}" width="{max(length, 0.5):.1f}" height="{row - 7}" rx="2" '
            f'fill="{"#3b8ea5" if within else "#e0a458"}"/>'
            f'<text class="soft" x="{beside + shift:.1f}" y="{at * row + 14}" text-anchor="{anchor}">'
            f"{value:+.1f} %</text>"
        )
    parts.append(
        f'<text class="soft" x="{middle}" y="{height - 6}" text-anchor="middle">'
        f"shaded: within ±{100 * tolerance:g} %</text></svg>"
    )
    return "".join(parts)


def _table(table) -> str:
    shown = [column for column in COLUMNS if column[0] in table and table[column[0]].notna().any()]
    head = "".join(f"<th>{label}</th>" for _, label, _ in shown)
    rows = []
    for record in table.to_dict("records"):
        cells = "".join(
            f"<td>{'' if pd.isna(record[name]) else escape(form.format(record[name]))}</td>" for name, _, form in shown
        )
        rows.append(f"<tr{'' if record['within'] else ' class=out'}>{cells}</tr>")
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


@dataclass(frozen=True)
class Change:
    """What a rebalancing did, for its sections of the report.

    Attributes
    ----------
    disruption : dict of str to float
        Share that changes hands, by what is counted: workload, accounts.
    least, flow : float
        The rigorous and the flow bound on the share of workload that has to (`engine.alignment`); NaN: no such.
    cap : float or None
        Most disruption allowed, as a share.
    moves : pandas.DataFrame
        From `engine.alignment.moves`.
    gained_lost : pandas.DataFrame
        From `engine.alignment.gained_lost`.
    trade_off : pandas.DataFrame or None
        ``cap_pct, reached_pct, used_pct``.
    messages : sequence of str
        What else is to be said: rules that gave, territories given up.
    whole : float
        The bound on the share that has to, as ZIPs are whole; NaN: not asked for.
    """

    disruption: dict[str, float]
    least: float
    flow: float
    cap: float | None
    moves: pd.DataFrame
    gained_lost: pd.DataFrame
    trade_off: pd.DataFrame | None = None
    messages: Sequence[str] = ()
    whole: float = float("nan")


def change_sections(change: Change, tolerance: float) -> list[str]:
    """Return the sections of a rebalancing: what changes hands, before and after, who gains, from whom to whom."""
    table = change.gained_lost
    sections = [
        "<h2>What changes hands</h2>",
        _change_facts(change),
        *(f"<p>{escape(text)}</p>" for text in change.messages),
        "<h2>Before and after</h2>",
        _dumbbells(table, tolerance),
        "<h2>Gained and lost</h2>",
        _gained_lost_table(table),
    ]
    if len(change.moves):
        sections += ["<h2>From whom to whom</h2>", _pair_table(change.moves)]
    if change.trade_off is not None and len(change.trade_off):
        sections += ["<h2>What more disruption would buy</h2>", _curve(change.trade_off, tolerance)]
    return sections


def _change_facts(change: Change) -> str:
    moved = change.moves["from_territory"].notna() if len(change.moves) else pd.Series(dtype=bool)
    facts = [(f"{100 * share:.1f} %", f"of {what} changes hands") for what, share in change.disruption.items()]
    if change.cap is not None:
        facts.append((f"{100 * change.cap:g} %", "at most allowed"))
    # a flow bound above what moves counts again what passes on through several territories
    if change.flow <= change.disruption.get("workload", np.inf) + 5e-4:
        facts.append((f"{100 * change.flow:.1f} %", "of workload has to, by the flow bound"))
    if np.isfinite(change.whole):
        facts.append((f"{100 * change.whole:.1f} %", "has to, as ZIPs are whole and stay near"))
    if not np.isnan(change.least):
        facts.append((f"{100 * change.least:.1f} %", "of workload has to, proven"))
    facts.append((f"{int(moved.sum()):,}", "units change hands"))
    if int((~moved).sum()):
        facts.append((f"{int((~moved).sum()):,}", "units had no territory"))
    kept = change.gained_lost
    facts.append((f"{int(kept['name_kept'].sum()):,} of {int((kept['units_before'] > 0).sum()):,}", "names stay"))
    boxes = "".join(f'<div class="fact"><b>{value}</b><span>{label}</span></div>' for value, label in facts)
    return f'<div class="facts">{boxes}</div>'


def _dumbbells(table: pd.DataFrame, tolerance: float) -> str:
    """Return one line per territory from its deviation before (hollow) to the one after (full)."""
    row, left, width = 20, 120, 640
    before, after = (table[f"deviation_{part}_pct"].to_numpy(dtype=float) for part in ("before", "after"))
    reach = max(np.nanmax(np.abs(np.concatenate([before, after, [0.0]]))), 100 * tolerance) * 1.12 or 1.0
    middle, scale = left + width / 2, width / 2 / reach
    height = row * len(table) + 30
    band = 100 * tolerance * scale
    parts = [
        f'<svg viewBox="0 0 {left + width + 20} {height}" width="100%" role="img" '
        'aria-label="Deviation before and after">',
        f'<rect x="{middle - band:.1f}" y="0" width="{2 * band:.1f}" height="{height - 24}" fill="#e8f2ef"/>',
        f'<line x1="{middle}" x2="{middle}" y1="0" y2="{height - 24}" stroke="#9aa7b2"/>',
    ]
    for at, (name, old, new) in enumerate(zip(table.index, before, after)):
        y = at * row + 10
        parts.append(f'<text x="{left - 10}" y="{y + 4}" text-anchor="end">{escape(str(name))}</text>')
        if not np.isnan(old) and not np.isnan(new):
            parts.append(
                f'<line x1="{middle + old * scale:.1f}" x2="{middle + new * scale:.1f}" y1="{y}" y2="{y}" '
                'stroke="#9aa7b2" stroke-width="2"/>'
            )
        if not np.isnan(old):
            parts.append(
                f'<circle cx="{middle + old * scale:.1f}" cy="{y}" r="4.5" fill="#fff" stroke="#e0a458" '
                f'stroke-width="2"><title>before {old:+.1f} %</title></circle>'
            )
        if not np.isnan(new):
            within = abs(new) <= 100 * tolerance * (1 + 1e-9)
            parts.append(
                f'<circle cx="{middle + new * scale:.1f}" cy="{y}" r="4.5" fill="{"#3b8ea5" if within else "#b4532a"}">'
                f"<title>after {new:+.1f} %</title></circle>"
            )
    parts.append(
        f'<text class="soft" x="{middle}" y="{height - 6}" text-anchor="middle">hollow: before, full: after; '
        f"shaded: within ±{100 * tolerance:g} %; scale ±{reach:.0f} %</text></svg>"
    )
    return "".join(parts)


def _gained_lost_table(table: pd.DataFrame) -> str:
    with_accounts = table["accounts_before"].notna().any()
    head = ["Territory", "Before", "Kept", "Gained", "Lost", "After", "Deviation before", "after", "Stays",
            "ZIPs gained", "lost"]  # fmt: skip
    head += ["Accounts gained", "lost"] if with_accounts else []
    rows = []
    for name, row in table.iterrows():
        cells = [name, *(f"{row[f'workload_{part}']:,.1f}" for part in ("before", "kept", "gained", "lost", "after"))]
        cells += [
            "" if np.isnan(row[f"deviation_{part}_pct"]) else f"{row[f'deviation_{part}_pct']:+.1f} %"
            for part in ("before", "after")
        ]
        cells.append("new" if row["units_before"] == 0 else f"{row['kept_pct']:.0f} %")
        cells += [f"{row['units_gained']:,.0f}", f"{row['units_lost']:,.0f}"]
        if with_accounts:
            cells += [f"{row['accounts_gained']:,.0f}", f"{row['accounts_lost']:,.0f}"]
        rows.append(cells)
    return _plain_table(head, rows)


def _pair_table(moves: pd.DataFrame, most: int = 60) -> str:
    keys = ["from_territory", "to_territory"]
    named = moves.assign(from_territory=moves["from_territory"].fillna("(nobody)"))
    named["to_territory"] = named["to_territory"].fillna("(nobody)")
    sums = named.groupby(keys).agg(
        units=("unit", "size"),
        workload=("workload", "sum"),
        accounts=("accounts", lambda values: values.sum(min_count=1)),
    )
    sums = sums.sort_values("workload", ascending=False, kind="stable")
    known = sums["accounts"].notna().any()
    rows = [
        (old, new, f"{row.units:,.0f}", f"{row.workload:,.1f}", *([f"{row.accounts:,.0f}"] if known else []))
        for (old, new), row in zip(sums.index[:most], sums.head(most).itertuples())
    ]
    more = Count(len(sums) - most)
    note = f"<p>{more:more pair is|more pairs are} in the table of moves.</p>" if more > 0 else ""
    return _plain_table(("From", "To", "ZIPs", "Workload", *(["Accounts"] if known else [])), rows) + note


def _curve(table: pd.DataFrame, tolerance: float) -> str:
    """Return the largest deviation reachable against the disruption allowed, as a line and as a table."""
    width, height, left, bottom = 640, 220, 60, 40
    reached = table.dropna(subset=["reached_pct"]).drop_duplicates(["used_pct", "reached_pct"])
    x, y = reached["used_pct"].to_numpy(dtype=float), reached["reached_pct"].to_numpy(dtype=float)
    right, top = max(x.max(initial=0.0), 1.0) * 1.08, max(y.max(initial=0.0), 100 * tolerance) * 1.12

    def place(across, up):
        return left + across / right * width, height - up / top * height + 10

    spots = [place(*pair) for pair in zip(x, y)]
    line = " ".join(f"{across:.1f},{up:.1f}" for across, up in sorted(spots))
    goal = place(0, 100 * tolerance)[1]
    drawn = [
        f'<svg viewBox="0 0 {left + width + 40} {height + bottom + 10}" width="100%" role="img" '
        'aria-label="Deviation against disruption">',
        f'<rect x="{left}" y="{goal:.1f}" width="{width}" height="{height + 10 - goal:.1f}" fill="#e8f2ef"/>',
        f'<line x1="{left}" x2="{left}" y1="10" y2="{height + 10}" stroke="#9aa7b2"/>',
        f'<line x1="{left}" x2="{left + width}" y1="{height + 10}" y2="{height + 10}" stroke="#9aa7b2"/>',
        f'<polyline points="{line}" fill="none" stroke="#3b8ea5" stroke-width="2"/>',
    ]
    for (across, up), used, worst in zip(spots, x, y):
        far = across > left + 0.7 * width
        drawn.append(
            f'<circle cx="{across:.1f}" cy="{up:.1f}" r="4.5" fill="#3b8ea5"/>'
            f'<text x="{across + (-7 if far else 7):.1f}" y="{up - 7:.1f}" text-anchor="{"end" if far else "start"}">'
            f"{used:.1f} % → ±{worst:.1f} %</text>"
        )
    drawn.append(
        f'<text class="soft" x="{left + width / 2}" y="{height + bottom}" text-anchor="middle">workload that changes '
        f"hands; up: largest deviation; shaded: within ±{100 * tolerance:g} %</text></svg>"
    )
    rows = [
        (f"{row.cap_pct:g} %", "none found", "")
        if np.isnan(row.reached_pct)
        else (f"{row.cap_pct:g} %", f"{row.used_pct:.1f} %", f"{row.reached_pct:.1f} %")
        for row in table.itertuples(index=False)
    ]
    return "".join(drawn) + _plain_table(("Allowed", "Used", "Largest deviation"), rows)


def write_workload_summary(
    path: str, spread, workload, labels, groups: dict, title="Workload of the providers"
) -> None:
    """Write how a workload is spread over providers as one HTML page.

    Parameters
    ----------
    path : str
    spread : engine.workload.Spread
    workload : numpy.ndarray of float, shape (n,)
    labels : sequence of str, shape (n,)
        The providers' names.
    groups : dict of str to sequence of (str or None), shape (n,)
        Columns to break the total down by: the specialty pattern, the segment.
    """
    facts = "".join(
        f'<div class="fact"><b>{value}</b><span>{label}</span></div>'
        for value, label in (
            (f"{spread.providers:,}", "providers"),
            (f"{spread.targets:,}", "with workload"),
            (f"{spread.total:,.1f}", "total workload"),
            (f"{spread.top_1_pct:.1f} %", "of it with the top 1 %"),
            (f"{spread.top_10_pct:.1f} %", "of it with the top 10 %"),
            (f"{spread.gini:.2f}", "Gini coefficient"),
        )
    )
    rows = [(f"{share} % are at most", f"{value:,.2f}") for share, value in spread.percentiles.items()]
    body = [
        f'<h1>{escape(title)}</h1><div class="facts">{facts}</div>',
        "<h2>Distribution of those with workload</h2>",
        _histogram(np.asarray(workload)),
        _plain_table(("", "workload"), [*rows, ("mean", f"{spread.mean:,.2f}"), ("largest", f"{spread.largest:,.2f}")]),
        "<h2>Top ten</h2>",
        _plain_table(
            ("provider", "workload", "share"),
            [(labels[row], f"{workload[row]:,.2f}", f"{100 * workload[row] / spread.total:.2f} %")
             for row in spread.top],
        ),
    ]  # fmt: skip
    for name, column in groups.items():
        frame = pd.DataFrame({"group": pd.Series(list(column), dtype=object).fillna("(none)"), "workload": workload})
        sums = frame.groupby("group")["workload"].agg(["size", "sum"]).sort_values("sum", ascending=False)
        body += [
            f"<h2>By {escape(name)}</h2>",
            _plain_table(
                (name, "providers", "workload", "share"),
                [(group, f"{row['size']:,.0f}", f"{row['sum']:,.1f}", f"{100 * row['sum'] / (spread.total or 1):.1f} %")
                 for group, row in sums.iterrows()],
            ),
        ]  # fmt: skip
    page = (
        f'<!DOCTYPE html><html lang="en"><head><meta charset="utf-8"><title>{escape(title)}</title>'
        f"<style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    Path(path).write_text(page, encoding="utf-8")


def _plain_table(head, rows) -> str:
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    lines = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{top}</tr>{lines}</table>"


def _histogram(workload, bins: int = 24) -> str:
    """Return bars of the number of providers by workload, up to the 99th percentile; the rest in the last bar."""
    heavy = workload[workload > 0]
    if not len(heavy):
        return "<p>No provider has workload.</p>"
    end = float(np.percentile(heavy, 99)) or 1.0
    counts, edges = np.histogram(np.minimum(heavy, end), bins=bins, range=(0, end))
    width, height = 760, 150
    step = width / bins
    bars = "".join(
        f'<rect x="{at * step + 1:.1f}" y="{height - count / counts.max() * height:.1f}" width="{step - 2:.1f}" '
        f'height="{count / counts.max() * height:.1f}" fill="#3b8ea5"><title>{count:,}</title></rect>'
        for at, count in enumerate(counts)
    )
    return (
        f'<svg viewBox="0 0 {width} {height + 22}" width="100%" role="img" aria-label="Distribution of workload">{bars}'
        f'<text class="soft" x="0" y="{height + 16}">0</text><text class="soft" x="{width}" y="{height + 16}" '
        f'text-anchor="end">{edges[-1]:,.2f} and more</text></svg>'
    )
