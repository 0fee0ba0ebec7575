"""The page of a workload: how it is spread over the providers."""

from __future__ import annotations

from html import escape

import numpy as np
import pandas as pd

from .page import facts, write_page
from .page import table as html_table


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
    figures = facts([
        (f"{spread.providers:,}", "providers", None),
        (f"{spread.targets:,}", "with workload", None),
        (f"{spread.total:,.1f}", "total workload", None),
        (f"{spread.top_1_pct:.1f} %", "of it with the top 1 %", None),
        (f"{spread.top_10_pct:.1f} %", "of it with the top 10 %", None),
        (f"{spread.gini:.2f}", "Gini coefficient", None),
    ])  # fmt: skip
    rows = [(f"{share} % are at most", f"{value:,.2f}") for share, value in spread.percentiles.items()]
    body = [
        f"<h1>{escape(title)}</h1>",
        figures,
        "<h2>Distribution of those with workload</h2>",
        _histogram(np.asarray(workload)),
        html_table(
            ("", "workload"), [*rows, ("mean", f"{spread.mean:,.2f}"), ("largest", f"{spread.largest:,.2f}")], "words"
        ),
        "<h2>Top ten</h2>",
        html_table(
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
            html_table(
                (name, "providers", "workload", "share"),
                [(group, f"{row['size']:,.0f}", f"{row['sum']:,.1f}", f"{100 * row['sum'] / (spread.total or 1):.1f} %")
                 for group, row in sums.iterrows()],
            ),
        ]  # fmt: skip
    write_page(path, title, body)


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
        f'height="{count / counts.max() * height:.1f}" fill="#2f86b5"><title>{count:,}</title></rect>'
        for at, count in enumerate(counts)
    )
    return (
        f'<div class="drawing"><svg viewBox="0 0 {width} {height}" role="img" aria-label="Distribution of workload">'
        f'{bars}</svg></div><p class="note ends"><span>0</span><span>{edges[-1]:,.2f} and more</span></p>'
    )
