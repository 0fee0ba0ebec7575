"""The workload of a provider: specialty weight × practice-size factor × value factor."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from .errors import Count, TerritoryError, name_some
from .tables.numbers import read_numbers

SIZE_SCALES = ("none", "linear", "sqrt", "log", "bands")
MOST, LEAST = 1e290, 1e-290
"""Sums that still can be squared over a map, and divided among its units."""


def refuse_extremes(values: np.ndarray, name: str, labels: Sequence[object]) -> None:
    """Raise an error where numbers are too large to be added up, or so small that nothing is left when divided.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (n,)
        NaN is passed over.
    name : str
        Of the field, for the message.
    labels : sequence, shape (n,)
        What the message calls the features.

    Raises
    ------
    TerritoryError
    """
    size = np.where(np.isnan(values), 0.0, np.abs(values))
    largest = float(size.max(initial=0.0))
    if largest > MOST / max(len(size), 1):
        worst = np.argsort(-size, kind="stable")[: int((size > largest / 1e6).sum())]
        named = name_some(f"{labels[at]} ({values[at]:.6g})" for at in worst.tolist())
        raise TerritoryError(
            f"“{name}” holds numbers too large to be added up, at {named}. Correct them, or use a larger unit."
        )
    if 0 < largest < LEAST:
        named = name_some(f"{labels[at]} ({values[at]:.6g})" for at in np.flatnonzero(size).tolist())
        raise TerritoryError(
            f"“{name}” holds nothing but numbers too small to be divided, at {named}. Use a smaller unit, such as a "
            "millionth."
        )


def specialty_weights(
    specialties: Sequence[str | None],
    patterns: Sequence[str],
    weights: Sequence[float],
    classifications: Sequence[str | None] | None = None,
) -> pd.DataFrame:
    """Return the weight of each specialty: that of the most specific pattern which fits.

    A pattern is an exact code, a prefix of codes (``207X`` or ``207X*``), a classification ("Orthopaedic
    Surgery"), or ``*`` for all others; that is also the order in which they win, longer prefixes first.
    Capitals do not matter.

    Parameters
    ----------
    specialties : sequence of str or None, shape (n,)
        Taxonomy codes or specialty names.
    patterns, weights : sequences, shape (p,)
    classifications : sequence of str or None, shape (n,), optional
        The classification of each provider's specialty.

    Returns
    -------
    pandas.DataFrame, n rows
        ``pattern`` (None when nothing fits) and ``weight`` (NaN when nothing fits).

    Raises
    ------
    TerritoryError
        For a pattern that is empty or given twice, or a weight that is negative or no number.
    """
    texts = [str(pattern).strip() if pattern is not None else "" for pattern in patterns]
    table = pd.DataFrame({"pattern": pd.Series(texts, dtype=object), "weight": list(weights)})
    table["key"] = table["pattern"].str.casefold().str.rstrip("*")
    table.loc[table["pattern"] == "*", "key"] = "*"
    _check_patterns(table)
    by_key = table.set_index("key")
    prefixes = sorted((key for key in table["key"] if key != "*"), key=len, reverse=True)

    def best(specialty, classification):
        if specialty in by_key.index:
            return specialty
        if specialty:
            for prefix in prefixes:
                if specialty.startswith(prefix):
                    return prefix
        if classification in by_key.index:
            return classification
        return "*" if "*" in by_key.index else None

    lower = [None if s is None else str(s).strip().casefold() for s in specialties]
    second = [None] * len(lower) if classifications is None else classifications
    second = [None if c is None else str(c).strip().casefold() for c in second]
    pairs = pd.DataFrame({"specialty": lower, "classification": second}, dtype=object)
    known = {pair: best(*pair) for pair in set(zip(lower, second))}
    keys = [known[pair] for pair in zip(pairs["specialty"], pairs["classification"])]
    found = by_key.reindex(pd.Index(keys, dtype=object))
    patterns_found = found["pattern"].astype(object).where(found["pattern"].notna(), None)
    return pd.DataFrame(
        {
            "pattern": pd.Series(patterns_found.to_numpy(), dtype=object),  # pandas 3 makes NaN of None in texts
            "weight": found["weight"].to_numpy(dtype=float),
        }
    )


def _check_patterns(table):
    if (table["key"] == "").any():
        raise TerritoryError(
            "The specialty weights hold an empty pattern: give a code, a prefix, a classification or *."
        )
    twice = table.loc[table["key"].duplicated(), "pattern"]
    if len(twice):
        raise TerritoryError(
            f"The specialty weights give these patterns more than once: {name_some(twice)}. Keep one each."
        )
    weight = read_numbers(table["weight"].tolist()).floats
    wrong = table.loc[~(weight >= 0), "pattern"]
    if len(wrong):
        raise TerritoryError(f"Specialty weights must be numbers of at least 0; look at {name_some(wrong)}.")
    table["weight"] = weight


def size_factor(
    sizes: np.ndarray,
    scale: str = "none",
    *,
    cap: float | None = None,
    bands: Sequence[tuple[float, float]] = (),
    missing: str = "one",
) -> tuple[np.ndarray, np.ndarray]:
    """Return the practice-size factor of each provider, and where a size was missing.

    A practice of one clinician has factor 1 in every scale but `bands`: linear is the size itself, sqrt its
    square root, log is 1 + ln(size); bands gives the factor of the last band whose lower end the size reaches.

    Parameters
    ----------
    sizes : numpy.ndarray of float, shape (n,)
        Clinicians per practice; NaN, zero and below count as missing.
    scale : {'none', 'linear', 'sqrt', 'log', 'bands'}
    cap : float, optional
        The largest size that counts.
    bands : sequence of (lower end, factor)
    missing : {'one', 'median', 'zero'}
        What stands in for a missing size: one clinician, the median of the known sizes, or factor 0.

    Returns
    -------
    factors : numpy.ndarray of float, shape (n,)
    was_missing : numpy.ndarray of bool, shape (n,)

    Raises
    ------
    TerritoryError
        Bands missing, unordered or negative; a cap that is not positive.
    """
    sizes = np.asarray(sizes, dtype=float)
    absent = ~(sizes > 0)
    if scale == "none":
        return np.ones(len(sizes)), np.zeros(len(sizes), dtype=bool)
    if cap is not None and not cap > 0:
        raise TerritoryError("The cap on the practice size must be above 0.")
    filled = np.where(absent, 1.0, sizes)
    if missing == "median" and not absent.all():
        filled[absent] = np.median(sizes[~absent])
    if cap is not None:
        filled = np.minimum(filled, cap)
    if scale == "bands":
        factors = band_factors(filled, bands)
    else:
        factors = {"linear": lambda x: x, "sqrt": np.sqrt, "log": lambda x: 1 + np.log(x)}[scale](filled)
        factors = np.maximum(factors, 0.0)
    if missing == "zero":
        factors = np.where(absent, 0.0, factors)
    return factors, absent


def band_factors(sizes, bands) -> np.ndarray:
    """Return the factor of the last band whose lower end each size reaches; the first band takes smaller ones."""
    if not len(bands):
        raise TerritoryError("The scale “bands” needs size bands: rows of lower end and factor.")
    ends, factors = np.array(bands, dtype=float).T
    if not (np.diff(ends) > 0).all() or not (factors >= 0).all():
        raise TerritoryError("Size bands must rise from row to row, and their factors be at least 0.")
    return factors[np.maximum(np.searchsorted(ends, sizes, side="right") - 1, 0)]


def composite_index(
    values: np.ndarray,
    names: Sequence[str],
    shares: Sequence[float] | None = None,
    *,
    missing: str = "zero",
    scale: str = "mean",
    cap_percentile: float | None = None,
) -> np.ndarray:
    """Return Σ_m share_m · s_m(x_m): several measures in one number, where 1 is the average.

    Parameters
    ----------
    values : numpy.ndarray of float, shape (n, m)
        NaN where missing.
    names : sequence of str, shape (m,)
        For messages.
    shares : sequence of float, shape (m,), optional
        Any positive numbers; they are scaled to sum to 1. Default: equal.
    missing : {'zero', 'mean'}
        What stands in for a missing value.
    scale : {'mean', 'rank', 'minmax'}
        s is x / mean(x); the rank of x among the known values; or the place of x between the smallest and the
        largest one. Ranks and places are divided by their own mean, so that measures of any scale weigh alike.
    cap_percentile : float, optional
        Values above this percentile of the known ones count as that percentile (0 to 100).

    Raises
    ------
    TerritoryError
        A measure that is negative somewhere or nothing but zero; shares that do not fit.
    """
    shares = equal_or_given_shares(shares, names)
    total = np.zeros(len(values))
    for column, name, share in zip(np.asarray(values, dtype=float).T, names, shares):
        known = column[~np.isnan(column)]
        if (known < 0).any():
            raise TerritoryError(
                f"“{name}” holds {Count((known < 0).sum()):negative value|negative values}; measures must be at "
                f"least 0."
            )
        if not len(known) or not known.max() > 0:
            raise TerritoryError(f"“{name}” holds no value above 0, so it cannot be balanced; leave it out.")
        if cap_percentile is not None:
            column = np.minimum(column, np.percentile(known, cap_percentile))  # NaN stays
        column = _scaled(column, scale)
        mean = np.nanmean(column)
        if not mean > 0:
            why = "its cap is 0: raise the percentile" if scale == "mean" else "all its values are the same"
            raise TerritoryError(f"“{name}” cannot be scaled: {why}, or leave the measure out.")
        total += share * np.where(np.isnan(column), 1.0 if missing == "mean" else 0.0, column / mean)
    return total


def _scaled(column, scale) -> np.ndarray:
    if scale == "rank":
        return pd.Series(column).rank(method="average").to_numpy()
    return column - np.nanmin(column) if scale == "minmax" else column


def segments(potential: np.ndarray, names: Sequence[str], shares: Sequence[float]) -> np.ndarray:
    """Return the segment of each provider: the first share of those above 0, by potential, is in the first.

    Parameters
    ----------
    potential : numpy.ndarray of float, shape (n,)
        Providers of equal potential are in one segment, the higher one; those of 0 are in none.
    names : sequence of str, shape (s,)
        From the best down: A, B, C.
    shares : sequence of float, shape (s,)
        Of providers; scaled to sum to 1.

    Returns
    -------
    numpy.ndarray of object, shape (n,)

    Examples
    --------
    >>> segments(np.array([9.0, 1, 5, 0, 2]), "ABC", [25, 25, 50]).tolist()
    ['A', 'C', 'B', None, 'C']
    """
    shares = equal_or_given_shares(shares, list(names))
    out = np.full(len(potential), None, dtype=object)
    targets = np.flatnonzero(potential > 0)
    if len(targets):
        better = pd.Series(-potential[targets]).rank(method="min").to_numpy() - 1
        ends = np.round(np.cumsum(shares) * len(targets), 9)
        out[targets] = np.array(list(names), dtype=object)[
            np.minimum(np.searchsorted(ends, better, side="right"), len(shares) - 1)
        ]
    return out


def call_plan(
    segment: Sequence[str | None], plan: Sequence[tuple[str, float, float]]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return calls per year, minutes per call and hours per year of each provider; 0 without a segment.

    Parameters
    ----------
    segment : sequence of str or None, shape (n,)
    plan : sequence of (segment, calls per year, minutes per call)

    Raises
    ------
    TerritoryError
        For a plan that is empty, names a segment twice or has wrong numbers, and for segments without a row.
    """
    table = {}
    for name, calls, minutes in plan:
        key = str(name or "").strip()
        numbers = tuple(read_numbers([calls, minutes]).floats.tolist())
        if not key or key in table or not all(number >= 0 for number in numbers):
            raise TerritoryError(
                f"The call plan needs one row for each segment, with calls per year and minutes of at least 0; "
                f"look at “{key}” ({calls}, {minutes})."
            )
        table[key] = numbers
    if not table:
        raise TerritoryError("The call plan is empty: give rows of segment, calls per year and minutes per call.")
    unknown = sorted({str(name) for name in segment if name is not None and str(name) not in table})
    if unknown:
        raise TerritoryError(
            f"The call plan has no row for the segments {name_some(unknown)}; it has {', '.join(table)}."
        )
    rows = np.array([(0.0, 0.0) if name is None else table[str(name)] for name in segment]).reshape(-1, 2)
    return rows[:, 0], rows[:, 1], rows[:, 0] * rows[:, 1] / 60


@dataclass(frozen=True)
class Spread:
    """How a workload is spread over providers.

    Attributes
    ----------
    providers, targets : int
        All, and those above 0.
    total, mean, median, largest : float
        The last three of the targets.
    percentiles : dict of int to float
        Of the targets: 10, 25, 50, 75, 90, 99.
    top_1_pct, top_10_pct : float
        Share of the total, in per cent, that the top 1 % and 10 % of targets hold (at least one provider).
    gini : float
        0 when all targets weigh the same, near 1 when one has everything.
    top : list of int
        The ten heaviest rows.
    """

    providers: int
    targets: int
    total: float
    mean: float
    median: float
    largest: float
    percentiles: dict[int, float]
    top_1_pct: float
    top_10_pct: float
    gini: float
    top: list[int]


def spread(workload: np.ndarray) -> Spread:
    """Return how a workload is spread over providers.

    >>> found = spread(np.array([1.0, 1.0, 2.0, 0.0]))
    >>> found.targets, found.total, found.top_1_pct, found.top
    (3, 4.0, 50.0, [2, 0, 1])
    """
    order = np.lexsort((np.arange(len(workload)), -workload))
    heavy = workload[order][: int((workload > 0).sum())]
    if not len(heavy):
        return Spread(len(workload), 0, 0.0, 0.0, 0.0, 0.0, {}, 0.0, 0.0, 0.0, [])
    total, count = float(heavy.sum()), len(heavy)

    def top(share):
        return 100 * float(heavy[: max(1, int(np.ceil(count * share)))].sum()) / total

    rank = np.arange(count, 0, -1)  # the lightest has rank 1
    return Spread(
        len(workload), count, total, total / count, float(np.median(heavy)), float(heavy[0]),
        {share: float(np.percentile(heavy, share)) for share in (10, 25, 50, 75, 90, 99)},
        top(0.01), top(0.1), float(2 * (rank * heavy).sum() / (count * total) - (count + 1) / count),
        order[: min(10, count)].tolist(),
    )  # fmt: skip


def equal_or_given_shares(shares: Sequence[float] | None, names: Sequence[str]) -> np.ndarray:
    """Return the share of each measure, scaled to sum to 1.

    Raises
    ------
    TerritoryError
        When there is not one number of at least 0 for each measure, or all are 0.
    """
    if shares is None or len(shares) == 0:
        return np.full(len(names), 1 / len(names))
    shares = np.asarray(shares, dtype=float)
    if len(shares) != len(names) or not (shares >= 0).all() or not 0 < shares.sum() < np.inf:
        raise TerritoryError(f"Give one share of at least 0 for each of {', '.join(names)}, for example 60, 10, 30.")
    return shares / shares.sum()
