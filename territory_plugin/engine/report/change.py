"""The sections of a rebalancing: what changes hands, before and after, who gains, from whom to whom."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from html import escape

import numpy as np
import pandas as pd

from ..errors import Count
from .page import facts as boxes
from .page import line, scale, share
from .page import table as html_table


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
    return boxes((value, label, None) for value, label in facts)


def _dumbbells(table: pd.DataFrame, tolerance: float) -> str:
    """Return one line per territory from its deviation before (hollow) to the one after (full)."""
    before, after = (table[f"deviation_{part}_pct"].to_numpy(dtype=float) for part in ("before", "after"))
    reach = max(np.nanmax(np.abs(np.concatenate([before, after, [0.0]]))), 100 * tolerance) * 1.12 or 1.0
    lines = []
    for name, old, new in zip(territory_names(table), before, after):
        inside, ends = scale(100 * tolerance, reach), [share(each, reach) for each in (old, new) if not np.isnan(each)]
        if len(ends) == 2:
            inside += f'<i class="link" style="left:{min(ends)}%;width:{round(abs(ends[1] - ends[0]), 2)}%"></i>'
        if not np.isnan(old):
            inside += f'<i class="dot before" style="left:{share(old, reach)}%" title="before {old:+.1f} %"></i>'
        if not np.isnan(new):
            inside += f'<i class="dot after" style="left:{share(new, reach)}%" title="after {new:+.1f} %"></i>'
        out = not np.isnan(new) and abs(new) > 100 * tolerance * (1 + 1e-9)
        lines.append(line(name, inside, "given up" if np.isnan(new) else f"{new:+.1f} %", out))
    return "".join(lines) + (
        f'<p class="note">Hollow: before; full, and the figure: after; shaded: within ±{100 * tolerance:g} %; from '
        f"−{reach:.0f} to +{reach:.0f} %.</p>"
    )


def territory_names(table: pd.DataFrame) -> list[str]:
    """Return what the rows of a table from `engine.alignment.gained_lost` are called: the name that the map has.

    A territory that is named anew has the name of before beside it, one that is given up its own.
    """
    now = table["territory_now"] if "territory_now" in table else pd.Series(table.index, index=table.index)
    return [
        str(name) if new is None or pd.isna(new) or new == name else f"{new} (was {name})"
        for name, new in zip(table.index, now)
    ]


def _gained_lost_table(table: pd.DataFrame) -> str:
    with_accounts = table["accounts_before"].notna().any()
    head = ["Territory", "Before", "Kept", "Gained", "Lost", "After", "Deviation before", "Deviation after",
            "Stays", "ZIPs gained", "ZIPs lost"]  # fmt: skip
    head += ["Accounts gained", "Accounts lost"] if with_accounts else []
    rows = []
    for name, (_, row) in zip(territory_names(table), table.iterrows()):
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
    return html_table(head, rows)


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
    return html_table(("From", "To", "ZIPs", "Workload", *(["Accounts"] if known else [])), rows) + note


def _curve(table: pd.DataFrame, tolerance: float) -> str:
    """Return the largest deviation reachable against the disruption allowed, as a line and as a table."""
    width, height = 640, 220
    reached = table.dropna(subset=["reached_pct"]).drop_duplicates(["used_pct", "reached_pct"])
    x, y = reached["used_pct"].to_numpy(dtype=float), reached["reached_pct"].to_numpy(dtype=float)
    right, top = max(x.max(initial=0.0), 1.0) * 1.08, max(y.max(initial=0.0), 100 * tolerance) * 1.12
    spots = [(across / right * width, height - up / top * height) for across, up in zip(x, y)]
    goal = height - 100 * tolerance / top * height
    drawn = [
        f'<div class="drawing"><svg viewBox="-8 -8 {width + 16} {height + 16}" role="img" '
        'aria-label="Deviation against disruption">',
        f'<rect x="0" y="{goal:.1f}" width="{width}" height="{height - goal:.1f}" fill="#dcebf4"/>',
        f'<path d="M0 0V{height}H{width}" fill="none" stroke="#9aa7b2"/>',
        f'<polyline points="{" ".join(f"{across:.1f},{up:.1f}" for across, up in sorted(spots))}" fill="none" '
        'stroke="#2f86b5" stroke-width="2"/>',
    ]
    for (across, up), used, worst in zip(spots, x, y):
        drawn.append(
            f'<circle cx="{across:.1f}" cy="{up:.1f}" r="5.5" fill="#2f86b5">'
            f"<title>{used:.1f} % → ±{worst:.1f} %</title></circle>"
        )
    drawn.append(
        f'</svg></div><p class="note">To the right: workload that changes hands, from 0 to {right:.0f} %; up: largest '
        f"deviation, from 0 to {top:.0f} %; shaded: within ±{100 * tolerance:g} %.</p>"
    )
    rows = [
        (f"{row.cap_pct:g} %", "none found", "")
        if np.isnan(row.reached_pct)
        else (f"{row.cap_pct:g} %", f"{row.used_pct:.1f} %", f"{row.reached_pct:.1f} %")
        for row in table.itertuples(index=False)
    ]
    return "".join(drawn) + html_table(("Allowed", "Used", "Largest deviation"), rows)
