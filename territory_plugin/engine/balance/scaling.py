"""The search counts in numbers of a usual size, whatever unit the workload comes in: dollars, millions, shares.

A plan must not hang on the unit. Its tolerances do, so workload far from the usual is brought there by a power of a
million, in decimals: 3 and 3,000,000 and 0.000003 become the same number, to the last bit.
"""

from __future__ import annotations

import math
from dataclasses import replace
from decimal import Decimal

import networkx as nx
import numpy as np

from ..workload import refuse_extremes
from .certificates import Certificates
from .plan import Plan
from .rules import Rules

STEP = 6
"""Digits between one unit and the next."""
NOTHING = 1e-15
"""Share of the largest value that no sum of floats with it can tell."""


def in_usual_units(graph: nx.Graph, workload: str, rules: Rules, further: str | None = None) -> tuple[nx.Graph, Rules]:
    """Return the graph and the rules with the largest workload from 1 to below a million.

    Parameters
    ----------
    graph : networkx.Graph
    workload : str
        Node attribute.
    rules : Rules
        Whose limits are in the unit of the workload; each measure gets a unit of its own.
    further : str, optional
        Another attribute of which only shares count.

    Returns
    -------
    graph : networkx.Graph
        The one given where all is usual, else a copy.
    rules : Rules
        With `unit`: what 1 of the new workload is in the old.

    Raises
    ------
    TerritoryError
        When the sum of an attribute is larger, or its largest value smaller, than can be computed with.
    """
    columns = {}
    for attribute in dict.fromkeys((workload, *(measure.attribute for measure in rules.measures), further)):
        values = None if attribute is None else [at.get(attribute) for _, at in graph.nodes(data=True)]
        if not values or not all(_is_amount(value) for value in values):
            continue  # the door says which units lack a number
        column = np.array(values, dtype=float)
        refuse_extremes(column, attribute, list(graph))
        away = exponent(column)
        least = NOTHING * column.max(initial=0.0)
        if away or ((column > 0) & (column < least)).any():
            columns[attribute] = [in_unit(value, away) if value >= least else 0.0 for value in column.tolist()]
            if attribute == workload:
                rules = _rules_in(rules, away)
    if not columns:
        return graph, rules
    graph = graph.copy()
    for attribute, values in columns.items():
        nx.set_node_attributes(graph, dict(zip(graph, values)), attribute)
    return graph, rules


def exponent(values: np.ndarray) -> int:
    """Return the power of ten, in steps, to divide by so that the largest value is from 1 to below a million.

    >>> exponent(np.array([3.0, 999999.0])), exponent(np.array([3e6])), exponent(np.array([0.5]))
    (0, 6, -6)
    """
    largest = float(values.max(initial=0.0))
    return STEP * (Decimal(largest).adjusted() // STEP) if largest > 0 else 0


def in_unit(value: float, away: int) -> float:
    """Return a value over a power of ten, in so many digits that noise in the last ones is gone."""
    if not away or not math.isfinite(value):
        return value
    return float(f"{Decimal(value).scaleb(-away):.15g}")


def _is_amount(value) -> bool:
    return isinstance(value, (int, float, np.number)) and not isinstance(value, bool) and 0 <= value < math.inf


def _rules_in(rules: Rules, away: int) -> Rules:
    """Return the rules with limits of workload over a power of ten."""

    def scaled(limit):
        return None if limit is None else in_unit(float(limit), away)

    reps = tuple(replace(rep, minimum=scaled(rep.minimum), maximum=scaled(rep.maximum)) for rep in rules.reps)
    return replace(rules, reps=reps, unit=10.0**away)


def plan_in_units(plan: Plan, graph: nx.Graph, workload: str, unit: float) -> Plan:
    """Return a plan as the person counts; `graph` is the one that was given."""

    def held(attribute):
        values = [float(graph.nodes[node][attribute]) for node in plan.units]
        return np.bincount(plan.assignment, values, plan.territories)

    return replace(
        plan,
        workload=held(workload),
        target=plan.target * unit,
        limits=(plan.limits[0] * unit, plan.limits[1] * unit),
        further={attribute: held(attribute) for attribute in plan.further},
        certificates=proof_in_units(plan.certificates, unit),
    )


def proof_in_units(proof: Certificates, unit: float) -> Certificates:
    """Return certificates as the person counts."""
    if unit == 1.0:
        return proof
    components = tuple(
        replace(
            part,
            workload=part.workload * unit,
            target=part.target * unit,
            oversize=tuple(replace(each, workload=each.workload * unit) for each in part.oversize),
        )
        for part in proof.components
    )
    return replace(
        proof, fair_target=proof.fair_target * unit, shared_target=proof.shared_target * unit, components=components
    )
