"""What can be known before solving: components, oversize units, and the best deviation that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np

from ..errors import TerritoryError, name_some
from .contiguity import components

CLOSE = 1e-9
MOST_UNPROVEN = 20
"""After so many units whose surroundings are too rich to enumerate, no more are tried."""


@dataclass(frozen=True)
class Oversize:
    """A unit that alone outweighs what each territory should hold."""

    unit: str
    workload: float
    targets: float
    """Workload in targets of the plan (total workload / territories)."""


@dataclass(frozen=True)
class Stuck:
    """A unit whose territory must miss the target, because of its own workload and that of the units around it."""

    unit: str
    least_deviation: float
    """No connected set of units with this one, without oversize units, comes nearer to the target."""


@dataclass(frozen=True)
class Component:
    """A connected part of the map and what it can carry.

    Attributes
    ----------
    units : tuple of str
    workload : float
    territories : int
        Apportioned to it.
    target : float
        What each of its territories should hold once its oversize units are set apart.
    oversize : tuple of Oversize
    least_deviation : float
        No assignment keeps all its other territories nearer to `target` than this (share of the target).
    stuck : tuple of Stuck
        Units that no connected territory within the tolerance can hold, the worst first.
    """

    units: tuple[str, ...]
    workload: float
    territories: int
    target: float
    oversize: tuple[Oversize, ...]
    least_deviation: float
    stuck: tuple[Stuck, ...] = ()


@dataclass(frozen=True)
class Certificates:
    """What the workloads and the graph allow, known before any search.

    Attributes
    ----------
    territories : int
    fair_target : float
        Total workload / territories.
    components : tuple of Component
    least_deviation : float
        No assignment reaches a smaller largest deviation from `fair_target` (share of it), oversize included.
    tolerance : float
    shared_target : float
        What the units that outweigh a territory leave to each of the others, all over the map.
    """

    territories: int
    fair_target: float
    components: tuple[Component, ...]
    least_deviation: float
    tolerance: float = field(default=0.05)
    shared_target: float = 0.0

    @property
    def oversize(self) -> tuple[Oversize, ...]:
        """All oversize units, heaviest first."""
        found = [unit for part in self.components for unit in part.oversize]
        return tuple(sorted(found, key=lambda unit: (-unit.workload, unit.unit)))

    @property
    def least_shared_deviation(self) -> float:
        """No assignment reaches a smaller largest deviation from `shared_target` (share of it)."""
        if not self.oversize:
            return self.least_deviation
        return self.oversize[0].workload / self.shared_target - 1

    def messages(self) -> list[str]:
        """Return what the person should know before the search starts, one sentence each."""
        said = []
        if len(self.components) > 1:
            carried = ", ".join(str(part.territories) for part in self.components[:8])
            more = "" if len(self.components) <= 8 else ", …"
            said.append(
                f"The units form {len(self.components):,} parts that do not touch; "
                f"they carry {carried}{more} territories."
            )
        for part in self.components:
            held = part.workload / part.territories
            if abs(held / self.fair_target - 1) > self.tolerance and not part.oversize:
                said.append(
                    f"The part with {name_some(part.units, 3)} holds {part.workload / self.fair_target:.2f} "
                    f"targets and carries {part.territories}: each of its territories is about "
                    f"{100 * (held / self.fair_target - 1):+.0f} % off."
                )
        said += [
            f"{unit.unit} alone holds {100 * unit.targets:.0f} % of the target and is a territory of its own."
            for unit in self.oversize[:12]
        ]
        if len(self.oversize) > 12:
            said.append(f"{len(self.oversize) - 12:,} more units outweigh the target.")
        stuck = sorted(
            (each for part in self.components for each in part.stuck), key=lambda each: -each.least_deviation
        )
        said += [
            f"{each.unit} and the units around it allow no territory nearer to the target than "
            f"{100 * each.least_deviation:.1f} %."
            for each in stuck[:6]
        ]
        if self.least_deviation > self.tolerance:
            said.append(
                f"No assignment keeps every territory nearer to the target than {100 * self.least_deviation:.1f} %."
            )
        return said


def apportion(workload: Sequence[float], units: Sequence[int], territories: int, least: Sequence[int]) -> list[int]:
    """Return how many territories each component carries: Huntington–Hill, at least `least`, at most its
    units.

    Giving the next territory to the component with the largest W²/(k(k+1)) minimises the sum of the
    territories' squared deviations from the common target.

    >>> apportion([100.0, 24.0], [50, 9], 5, [1, 1])
    [4, 1]
    """
    given = list(least)
    heap = [
        (-(load * load) / (count * (count + 1)), index)
        for index, (load, count, most) in enumerate(zip(workload, given, units))
        if count < most
    ]
    heapify(heap)
    for _ in range(territories - sum(given)):
        _, index = heap[0]
        given[index] += 1
        count, load = given[index], workload[index]
        # a component with as many territories as units can carry no more
        priority = -(load * load) / (count * (count + 1)) if count < units[index] else float("inf")
        heapreplace(heap, (priority, index))
    return given


def set_apart(workload: np.ndarray, territories: int, tolerance: float) -> tuple[list[int], float]:
    """Return the units that outweigh a territory, and the target left for the others.

    A unit is set apart when it is heavier than (1 + tolerance) × the target; that lowers the target of
    the rest, so the question is asked again until the answer stays the same.
    """
    apart: list[int] = []
    is_apart = np.zeros(len(workload), dtype=bool)
    while True:
        left = territories - len(apart)
        target = float(workload[~is_apart].sum()) / left
        new = np.flatnonzero(~is_apart & (workload > (1 + tolerance) * target * (1 + CLOSE)))
        if not len(new) or left == 1:
            return sorted(apart), target
        # the heaviest first: what it leaves decides about the next
        heaviest = int(new[np.argmax(workload[new])])
        is_apart[heaviest] = True
        apart.append(heaviest)


def least_deviation(workload: np.ndarray, territories: int) -> float:
    """Return a lower bound on the largest deviation from the mean over all assignments, connected or not.

    The largest of: the heaviest unit; two of the `territories` + 1 heaviest units must share a territory,
    three of the 2 × `territories` + 1 heaviest, and so on; a territory must be empty when units with workload
    are too few; whole workloads add up to multiples of their greatest common divisor.
    """
    target = float(workload.sum()) / territories
    if target <= 0 or territories == 1:
        return 0.0
    ordered = np.sort(workload[workload > 0])[::-1]
    bound = max(0.0, float(ordered[0]) / target - 1)
    if len(ordered) < territories:
        return max(bound, 1.0)
    for sharing in range(2, len(ordered) // territories + 2):
        count = (sharing - 1) * territories + 1
        if count > len(ordered):
            break
        bound = max(bound, float(ordered[count - sharing : count].sum()) / target - 1)
    whole = np.round(ordered)
    if np.array_equal(whole, ordered) and ordered[0] < 2**53:
        step = int(np.gcd.reduce(whole.astype(np.int64)))
        above = -(-target // step) * step
        below = target // step * step
        if above - target > CLOSE * target and target - below > CLOSE * target:
            # at least one territory lies above the mean and one below, each on a multiple of the step
            bound = max(bound, above / target - 1, 1 - below / target)
    return bound


def nearest_load(
    unit: int,
    workload: Sequence[float],
    neighbours: Sequence[tuple[int, ...]],
    target: float,
    tolerance: float,
    closed: Sequence[bool],
    steps: int = 1000,
) -> tuple[float | None, list[int]]:
    """Return how near to the target a connected set with `unit` comes, and such a set.

    Sets are enumerated, each once, and grown only while they are lighter than the target; the search ends with the
    first within the tolerance.

    Returns
    -------
    deviation : float or None
        Share of the target; None when the enumeration was not finished.
    units : list of int
    """
    best, found = float("inf"), [unit]
    # a set, its load, the units that may join it, and those seen: joined, waiting or passed over
    stack = [([unit], workload[unit], [other for other in neighbours[unit] if not closed[other]])]
    seen_by = [{unit, *neighbours[unit]}]
    while stack:
        inside, load, waiting = stack.pop()
        seen = seen_by.pop()
        deviation = abs(load / target - 1)
        if deviation < best:
            best, found = deviation, inside
            if best <= tolerance:
                break
        if load >= target:
            continue
        steps -= 1
        if steps < 0:
            return None, found
        # the heaviest that fits is tried first, being last on the stack
        waiting = sorted(waiting, key=lambda other: (load + workload[other] <= target, workload[other], other))
        for index, other in enumerate(waiting):
            fresh = [near for near in neighbours[other] if near not in seen and not closed[near]]
            stack.append(([*inside, other], load + workload[other], waiting[:index] + fresh))
            seen_by.append(seen.union(fresh))
    return best, found


def _grow(unit, workload, neighbours, target, tolerance, closed) -> tuple[float, list[int]]:
    """Return the load of a connected set with `unit`, grown by the heaviest unit that fits, and the set."""
    most = (1 + tolerance) * target
    inside, load = [unit], workload[unit]
    seen = {unit}
    rim: list[tuple[float, int]] = []
    while load < (1 - tolerance) * target:
        for other in neighbours[inside[-1]]:
            if other not in seen and not closed[other]:
                seen.add(other)
                heappush(rim, (-workload[other], other))
        while rim and load - rim[0][0] > most:
            heappop(rim)
        if not rim:
            break
        weight, unit = heappop(rim)
        load -= weight
        inside.append(unit)
    return load, inside


def stuck_units(
    workload: np.ndarray,
    neighbours: Sequence[tuple[int, ...]],
    units: Sequence[int],
    target: float,
    tolerance: float,
    oversize: Sequence[int],
) -> list[tuple[int, float]]:
    """Return units that no connected territory within the tolerance can hold, and the least deviation of each.

    Parameters
    ----------
    workload : ndarray, shape (n,)
    neighbours : sequence of tuples of int
    units : sequence of int
        A component's units.
    target : float
        What its territories should hold.
    tolerance : float
    oversize : sequence of int
        Units that are left out: each has a territory of its own.
    """
    loads = workload.tolist()
    closed = [False] * len(loads)
    for unit in oversize:
        closed[unit] = True
    served = set(oversize)
    stuck = []
    unproven = 0
    for unit in sorted(units, key=lambda unit: (-loads[unit], unit)):
        if unit in served:
            continue
        load, inside = _grow(unit, loads, neighbours, target, tolerance, closed)
        deviation = abs(load / target - 1)
        if deviation > tolerance:
            if unproven > MOST_UNPROVEN:
                continue
            deviation, inside = nearest_load(unit, loads, neighbours, target, tolerance, closed)
        if deviation is None:
            unproven += 1
            continue
        if deviation <= tolerance:
            served.update(inside)
        else:
            stuck.append((unit, deviation))
    return sorted(stuck, key=lambda each: (-each[1], each[0]))


def _least_over_components(loads: Sequence[float], units: Sequence[int], territories: int) -> float:
    """Return the least deviation that whole numbers of territories per part allow."""
    target = sum(loads) / territories
    counts = apportion(loads, units, territories, [1] * len(loads))
    high = max(abs(load / count / target - 1) for load, count in zip(loads, counts))
    low = 0.0
    for _ in range(40):
        middle = (low + high) / 2
        least = most = 0
        for load, limit in zip(loads, units):
            fewest = max(1, -(-load // ((1 + middle) * target * (1 + CLOSE))))
            largest = limit if middle >= 1 else min(limit, load // ((1 - middle) * target * (1 - CLOSE)))
            if fewest > largest:
                least = territories + 1
                break
            least += fewest
            most += largest
        if least <= territories <= most:
            high = middle
        else:
            low = middle
    return low


def certify(
    ids: Sequence[str],
    workload: np.ndarray,
    neighbours: Sequence[tuple[int, ...]],
    territories: int,
    tolerance: float,
) -> tuple[Certificates, list[list[int]], list[list[int]]]:
    """Return the certificates, the components' units, and the oversize units of each component.

    Raises
    ------
    TerritoryError
        When there are fewer territories than components, or more than units.
    """
    if territories < 1:
        raise TerritoryError(f"{territories} territories make no plan: ask for at least one.")
    if territories > len(ids):
        raise TerritoryError(
            f"{territories:,} territories cannot be made of {len(ids):,} units: ask for fewer or use smaller units."
        )
    total = float(workload.sum())
    if total <= 0:
        raise TerritoryError(
            "No unit has any workload, so there is nothing to balance: check the workload field and its join."
        )
    parts = sorted(components(neighbours), key=lambda part: (-float(workload[part].sum()), -len(part), part[0]))
    if len(parts) > territories:
        small = [ids[unit] for part in parts[territories:] for unit in part]
        raise TerritoryError(
            f"The units form {len(parts):,} parts that do not touch each other, so {territories:,} connected "
            f"territories cannot cover them. Set 'Bridge islands', ask for at least {len(parts):,}, or "
            f"remove units, for example {name_some(small)}."
        )
    everywhere, common = set_apart(workload, territories, tolerance)
    giants = set(everywhere)
    # a giant counts as one territory wherever it lies
    loads = [
        sum(common if unit in giants else float(workload[unit]) for unit in part) if common > 0 else 0.0
        for part in parts
    ]
    sizes = [len(part) for part in parts]
    own = [max(1, sum(unit in giants for unit in part)) for part in parts]
    if sum(own) > territories:
        own = [1] * len(parts)
    counts = apportion(loads, sizes, territories, own)

    fair = total / territories
    certified, apart = [], []
    for part, count in zip(parts, counts):
        here = workload[part]
        if here.sum() > 0:
            heavy, target = set_apart(here, count, tolerance)
        else:
            heavy, target = [], 0.0
        usual = np.delete(here, heavy)
        giants_here = [part[index] for index in heavy]
        stuck = []
        if count - len(heavy) > 1 and target > 0:
            stuck = stuck_units(workload, neighbours, part, target, tolerance, giants_here)
        least = least_deviation(usual, count - len(heavy)) if not heavy else 0.0
        apart.append([part[index] for index in heavy])
        certified.append(
            Component(
                units=tuple(ids[unit] for unit in part),
                workload=float(here.sum()),
                territories=count,
                target=target,
                oversize=tuple(
                    Oversize(ids[part[index]], float(here[index]), float(here[index]) / fair) for index in heavy
                ),
                least_deviation=max(least, stuck[0][1]) if stuck and not heavy else least,
                stuck=tuple(Stuck(ids[unit], deviation) for unit, deviation in stuck),
            )
        )
    bound = max(
        least_deviation(workload, territories),
        _least_over_components([part.workload for part in certified], sizes, territories),
    )
    if len(parts) == 1:
        bound = max(bound, certified[0].least_deviation)
    shared = common if common > 0 else fair
    return Certificates(territories, fair, tuple(certified), bound, tolerance, shared), parts, apart
