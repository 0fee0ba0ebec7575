"""Cool annealing of boundary flips: what makes a rounded start balanced and compact at once.

A proposal moves one unit across a boundary. Its cost change takes O(1) (balance and travel) plus the unit's
degree (boundary); only a proposal that would be accepted is asked whether it cuts its territory. If it does,
the units it would cut off move along, when that is worth it too.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, replace

import numpy as np

from .contiguity import cut_off
from .objective import STEEP, WorkingPartition
from .recombination import recombine
from .watch import Watch

BATCH = 4096
LARGEST_FRAGMENT = 60
LARGEST_PAIR = 400


@dataclass(frozen=True)
class Schedule:
    """How temperature and prices go from the first to the last batch, geometrically.

    Attributes
    ----------
    hot, cold : float
        First and last temperature, in cost.
    limits : tuple of float
        First and last price of excess over the tolerance.
    pressures : tuple of float
        First and last price of squared deviation: high at first, so that workload spreads before travel is
        refined.
    """

    hot: float
    cold: float
    limits: tuple[float, float]
    pressures: tuple[float, float]


def _between(ends: tuple[float, float], share: float) -> float:
    """Return the value at `share` of the way, in equal ratios."""
    return ends[0] * (ends[1] / ends[0]) ** share


def anneal(
    part: WorkingPartition,
    proposals: int,
    schedule: Schedule,
    rng: np.random.Generator,
    watch: Watch,
    recuts: int = 0,
    text: str = "Balancing",
    among: Iterable[int] | None = None,
) -> None:
    """Anneal a working partition in place; it stays connected and keeps all its territories throughout.

    Parameters
    ----------
    part : WorkingPartition
    proposals : int
        How many moves to propose.
    schedule : Schedule
    rng : Generator
    watch : Watch
    recuts : int
        Recombinations tried after each batch of proposals.
    text : str
        What the progress says.
    among : iterable of int, optional
        Territories whose units may move; all by default.
    """
    batches = max(1, -(-proposals // BATCH))
    weights = part.weights
    chosen = list(range(len(part.load))) if among is None else sorted(among)
    inside = set(chosen)
    fixed = [held or home not in inside for held, home in zip(part.anchored, part.assignment)]
    rim = Rim(part, fixed)
    for batch in range(batches):
        if watch.time_is_up() or not rim.units:
            break
        share = batch / max(1, batches - 1)
        watch.progress(batch / batches, f"{text}, worst deviation {100 * part.worst():.1f} %")
        limit = _between(schedule.limits, share)
        pressure = _between(schedule.pressures, share)
        temperature = _between((schedule.hot, schedule.cold), share)
        part.weights = replace(weights, limit=limit, pressure=pressure)
        _sweep(part, temperature, rim, rng)
        if recuts:
            rim.update(recombine(part, chosen, recuts, temperature, rng, LARGEST_PAIR))
    part.weights = weights


class Rim:
    """The units at a boundary that may move, in a list that is quick to draw from and to keep.

    Parameters
    ----------
    part : WorkingPartition
    fixed : list of bool
        Units that stay where they are.
    """

    def __init__(self, part: WorkingPartition, fixed: list[bool]) -> None:
        self.part, self.fixed = part, fixed
        self.units: list[int] = []
        self.place = [-1] * len(part.neighbours)
        self.refresh(range(len(part.neighbours)))

    def update(self, moved: set[int]) -> None:
        """Look again at units that moved and at their neighbours, in order."""
        if moved:
            near = {other for unit in moved for other in self.part.neighbours[unit]}
            self.refresh(sorted(moved | near))

    def refresh(self, units: Iterable[int]) -> None:
        """Look again at whether `units` lie at a boundary."""
        neighbours, assignment = self.part.neighbours, self.part.assignment
        fixed, place, listed = self.fixed, self.place, self.units
        for unit in units:
            if fixed[unit]:
                continue
            home = assignment[unit]
            for near in neighbours[unit]:
                if assignment[near] != home:
                    if place[unit] < 0:
                        place[unit] = len(listed)
                        listed.append(unit)
                    break
            else:
                spot = place[unit]
                if spot >= 0:
                    last = listed.pop()
                    if last != unit:
                        listed[spot] = last
                        place[last] = spot
                    place[unit] = -1


def _sweep(
    part: WorkingPartition,
    temperature: float,
    rim: Rim,
    rng: np.random.Generator,
) -> None:
    """Propose one batch of moves. Everything is a local name here: this loop is where the time goes."""
    weights, boundary, fixed = part.weights, rim.units, rim.fixed
    neighbours, touches, assignment = part.neighbours, part.touches, part.assignment
    workload, mass, xs, ys, zs = part.workload, part.mass, part.x, part.y, part.z
    load, weight, sum_x, sum_y, sum_z = part.load, part.weight, part.sum_x, part.sum_y, part.sum_z
    target, low, high, count = part.target, part.low, part.high, part.count
    per_target, pull, terms = part.per_target, part.pull, part.terms
    pressure = weights.pressure * part.units_per_territory
    limit = weights.limit * part.units_per_territory
    edge = weights.boundary
    which = rng.random(BATCH).tolist()
    where = rng.random(BATCH).tolist()
    heat = (temperature * rng.standard_exponential(BATCH)).tolist()

    balance = [part.balance_cost(territory, held) for territory, held in enumerate(load)]
    square = [part.square_of(territory) for territory in range(len(load))]
    for step in range(BATCH):
        size = len(boundary)
        if not size:
            return
        unit = boundary[int(which[step] * size)]
        source = assignment[unit]
        around = neighbours[unit]
        sink = assignment[around[int(where[step] * len(around))]]
        if sink == source or count[source] == 1:
            continue
        # balance
        moved = workload[unit]
        source_load = load[source] - moved
        deviation = (source_load - target[source]) * per_target
        source_balance = pressure * deviation * deviation
        if source_load > high[source]:
            excess = (source_load - high[source]) * per_target
            source_balance += limit * excess * (1.0 + STEEP * excess)
        elif source_load < low[source]:
            excess = (low[source] - source_load) * per_target
            source_balance += limit * excess * (1.0 + STEEP * excess)
        sink_load = load[sink] + moved
        deviation = (sink_load - target[sink]) * per_target
        sink_balance = pressure * deviation * deviation
        if sink_load > high[sink]:
            excess = (sink_load - high[sink]) * per_target
            sink_balance += limit * excess * (1.0 + STEEP * excess)
        elif sink_load < low[sink]:
            excess = (low[sink] - sink_load) * per_target
            sink_balance += limit * excess * (1.0 + STEEP * excess)
        change = source_balance + sink_balance - balance[source] - balance[sink]
        # travel
        m, x, y, z = mass[unit], xs[unit], ys[unit], zs[unit]
        source_weight = weight[source] - m
        sx, sy, sz = sum_x[source] - m * x, sum_y[source] - m * y, sum_z[source] - m * z
        source_square = pull[source] * (sx * sx + sy * sy + sz * sz) / source_weight if source_weight > 1e-12 else 0.0
        sink_weight = weight[sink] + m
        tx, ty, tz = sum_x[sink] + m * x, sum_y[sink] + m * y, sum_z[sink] + m * z
        # nothing weighs anything where travel does not count
        sink_square = pull[sink] * (tx * tx + ty * ty + tz * tz) / sink_weight if sink_weight > 0.0 else 0.0
        change += square[source] + square[sink] - source_square - sink_square
        for term in terms:
            change += term.change((unit,), source, sink)
        threshold = heat[step]
        if change - edge * len(around) >= threshold:
            continue
        # boundary
        for other in around:
            home = assignment[other]
            if home == source:
                change += edge
            elif home == sink:
                change -= edge
        if change >= threshold:
            continue
        # contiguity
        fragment = cut_off(unit, neighbours, touches, assignment)
        if fragment is None:
            continue
        if fragment:
            if len(fragment) > LARGEST_FRAGMENT or any(fixed[other] for other in fragment):
                continue
            group = [unit, *fragment]
            if part.change(group, source, sink) >= threshold:
                continue
            part.move(group, source, sink)
            for territory in (source, sink):
                balance[territory] = part.balance_cost(territory, load[territory])
                square[territory] = part.square_of(territory)
            touched = {other for member in group for other in neighbours[member]}
            touched.update(group)
            touched = sorted(touched)
        else:
            for term in terms:
                term.move((unit,), source, sink)
            assignment[unit] = sink
            load[source], load[sink] = source_load, sink_load
            weight[source], weight[sink] = source_weight, sink_weight
            sum_x[source], sum_y[source], sum_z[source] = sx, sy, sz
            sum_x[sink], sum_y[sink], sum_z[sink] = tx, ty, tz
            balance[source], balance[sink] = source_balance, sink_balance
            square[source], square[sink] = source_square, sink_square
            count[source] -= 1
            count[sink] += 1
            touched = (unit, *around)
        rim.refresh(touched)


def descend(part: WorkingPartition, watch: Watch, rounds: int = 50) -> None:
    """Make every improving boundary move, units in order, until none is left: a strict local optimum."""
    neighbours, touches, assignment = part.neighbours, part.touches, part.assignment
    queue = list(range(len(neighbours)))
    for _ in range(rounds):
        moved: set[int] = set()
        for position, unit in enumerate(queue):
            if position % 256 == 0 and watch.time_is_up():
                return
            source = assignment[unit]
            if part.anchored[unit] or part.count[source] == 1:
                continue
            sinks = sorted({assignment[other] for other in neighbours[unit]} - {source})
            if not sinks:
                continue
            fragment = None
            best, best_sink = -1e-9, -1
            for sink in sinks:
                if fragment is None and part.change((unit,), source, sink) >= best + 2.0:
                    continue
                if fragment is None:
                    fragment = cut_off(unit, neighbours, touches, assignment)
                    if fragment is None:
                        break
                    if len(fragment) > LARGEST_FRAGMENT or any(part.anchored[other] for other in fragment):
                        break
                change = part.change((unit, *fragment), source, sink)
                if change < best:
                    best, best_sink = change, sink
            if best_sink >= 0:
                group = [unit, *fragment]
                part.move(group, source, best_sink)
                moved.update(group)
                for member in group:
                    moved.update(neighbours[member])
        if not moved:
            return
        queue = sorted(moved)
