"""What territories are made of: measures by specialty, place of service or any other column, one row each."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import numpy as np
import pandas as pd

COLUMNS = ("territory", "by", "category", "measure", "value", "share_pct", "share_index")
NONE = "(none)"


def break_down(
    territory: Sequence[str | None],
    categories: Mapping[str, Sequence[str | None]],
    measures: Mapping[str, np.ndarray],
) -> pd.DataFrame:
    """Return a tidy table: territory × column × category × measure.

    Parameters
    ----------
    territory : sequence of str or None, shape (n,)
        Of each provider.
    categories : mapping of column to sequence of str or None, shape (n,)
        "specialty" → the specialty of each provider.
    measures : mapping of name to numpy.ndarray of float, shape (n,)
        NaN counts as nothing. The number of providers is a measure that is always there.

    Returns
    -------
    pandas.DataFrame
        ``territory`` : None for providers outside all territories; ``by``, ``category``, ``measure``, ``value``;
        ``share_pct`` : of the territory's value over all categories; ``share_index`` : that share against the same
        share of the market, 100 where they are equal. NaN where there is nothing to share.
        Sorted by territory, column, measure and value; combinations that no provider has are left out.
    """
    frame = pd.DataFrame({"territory": pd.Series(list(territory), dtype=object)})
    values = {"providers": np.ones(len(frame)), **{name: np.nan_to_num(column) for name, column in measures.items()}}
    tables = []
    for by, column in categories.items():
        groups = frame.assign(category=pd.Series(list(column), dtype=object).fillna(NONE), **values)
        keys = ["territory", "category"]
        sums = groups.groupby(keys, dropna=False, sort=True)[list(values)].sum()
        market = sums.groupby(level="category").sum()
        market_share = market / market.sum()
        whole = sums.groupby(level="territory", dropna=False).transform("sum")
        share = sums / whole.where(whole > 0)
        against = market_share.where(market_share > 0).reindex(sums.index.get_level_values("category"))
        for name in values:
            table = pd.DataFrame(
                {
                    "value": sums[name].to_numpy(),
                    "share_pct": 100 * share[name].to_numpy(),
                    "share_index": 100 * share[name].to_numpy() / against[name].to_numpy(),
                },
                index=sums.index,
            ).reset_index()
            tables.append(table.assign(by=by, measure=name))
    out = pd.concat(tables, ignore_index=True)
    out["territory"] = out["territory"].astype(object).where(out["territory"].notna(), None)
    order = out.assign(last=out["territory"].isna(), down=-out["value"]).sort_values(
        ["last", "territory", "by", "measure", "down", "category"], kind="stable"
    )
    return order[list(COLUMNS)].reset_index(drop=True)
