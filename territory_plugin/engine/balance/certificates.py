"""What can be known before solving: components, oversize units, and the best deviation that is possible."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from heapq import heapify, heappop, heappush, heapreplace

import numpy as np

from .. import apportionment
from ..errors import Count, TerritoryError, name_some
from .contiguity import components
from .feasibility import Duties

CLOSE = 1e-9
MOST_UNPROVEN = 10
"""After so many units whose surroundings are too rich to enumerate, no more are tried."""


@dataclass(frozen=True)
class Oversize:
    """A unit that alone outweighs what each territory should hold."""

    unit: str
    workload: float


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
    region : str
        The regions that its borders close it off from the rest with; empty where there are none.
    """

    units: tuple[str, ...]
    workload: float
    territories: int
    target: float
    oversize: tuple[Oversize, ...]
    least_deviation: float
    stuck: tuple[Stuck, ...] = ()
    region: str = ""

    @property
    def called(self) -> str:
        """What messages call it."""
        return self.region or f"the part with {name_some(self.units, 3)}"


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
    seats : tuple of str
        How many territories each region gets whose borders are closed, and why.
    reach : tuple of str
        Where what reps can reach lets no plan be within the tolerance: how far off, and why.
    """

    territories: int
    fair_target: float
    components: tuple[Component, ...]
    least_deviation: float
    tolerance: float = field(default=0.05)
    shared_target: float = 0.0
    seats: tuple[str, ...] = ()
    reach: tuple[str, ...] = ()

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
        """Return what the person should know before the search starts, one sentence each.

        In shares of `shared_target`, as the deviations of the plan.
        """
        said = list(self.seats)
        if len(self.components) > 1 and not said:
            carried = ", ".join(str(part.territories) for part in self.components[:8])
            more = "" if len(self.components) <= 8 else ", …"
            said.append(
                f"The units form {Count(len(self.components)):part|parts} that do not touch; "
                f"they carry {carried}{more} territories."
            )
        for part in self.components:
            off = part.target / self.shared_target - 1
            if abs(off) > self.tolerance and not part.oversize:
                said.append(
                    f"{part.called[0].upper()}{part.called[1:]} holds {part.workload / self.shared_target:.2f} "
                    f"targets and carries {part.territories}: each of its territories is about "
                    f"{100 * off:+.0f} % off."
                )
        said += [
            f"{unit.unit} alone holds {100 * unit.workload / self.shared_target:.0f} % of the target "
            "and is a territory of its own."
            for unit in self.oversize[:12]
        ]
        if len(self.oversize) > 12:
            said.append(f"{Count(len(self.oversize) - 12):more unit outweighs|more units outweigh} the target.")
        stuck = sorted(
            (each for part in self.components for each in part.stuck), key=lambda each: -each.least_deviation
        )
        said += [
            f"{each.unit} and the units around it allow no territory nearer to the target than "
            f"{100 * each.least_deviation:.1f} %."
            for each in stuck[:6]
        ]
        said += self.reach
        least = self.least_shared_deviation
        if least > self.tolerance:
            said.append(f"No assignment keeps every territory nearer to the target than {100 * least:.1f} %.")
        return said


def refuse_too_many(territories: int, units: int) -> None:
    """Raise when there are more territories than units, before anything is made for each of them."""
    if territories > units:
        raise TerritoryError(
            f"{Count(territories):territory|territories} cannot be made of {Count(units):unit|units}: ask "
            f"for fewer or use smaller units."
        )


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


def set_apart(
    workload: np.ndarray, territories: int, tolerance: float, largest: float = 1.0, most: int | None = None
) -> tuple[list[int], float]:
    """Return the units that outweigh a territory, and the target left for the others.

    A unit is set apart when it is heavier than (1 + tolerance) × the target; that lowers the target of
    the rest, so the question is asked again until the answer stays the same.

    Parameters
    ----------
    workload : ndarray, shape (n,)
    territories : int
    tolerance : float
    largest : float
        Capacity of the largest rep, against the average.
    most : int, optional
        Units that can be set apart.
    """
    apart: list[int] = []
    is_apart = np.zeros(len(workload), dtype=bool)
    while True:
        left = territories - len(apart)
        target = float(workload[~is_apart].sum()) / left
        new = np.flatnonzero(~is_apart & (workload > (1 + tolerance) * largest * target * (1 + CLOSE)))
        if not len(new) or left == 1 or (most is not None and len(apart) >= most):
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
    # what a set within the tolerance weighs that holds the unit
    within: dict[int, float] = {}
    most = (1 + tolerance) * target
    stuck = []
    unproven = 0
    for unit in sorted(units, key=lambda unit: (-loads[unit], unit)):
        if unit in within or closed[unit]:
            continue
        joined = loads[unit] + min((within[other] for other in neighbours[unit] if other in within), default=np.inf)
        if joined <= most:
            within[unit] = joined
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
            held = sum(loads[each] for each in inside)
            within.update((each, held) for each in inside if each not in within)
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


@dataclass(frozen=True)
class Region:
    """A component and the territories that it is divided into.

    Attributes
    ----------
    units : list of int
    territories : list of int
    apart : dict of int to int
        Units that outweigh a territory, and the territory of each.
    """

    units: list[int]
    territories: list[int]
    apart: dict[int, int]


def certify(
    ids: Sequence[str],
    workload: np.ndarray,
    neighbours: Sequence[tuple[int, ...]],
    territories: int,
    tolerance: float,
    duty: Duties | None = None,
    apart: bool = True,
    region_of: Sequence[str] | None = None,
) -> tuple[Certificates, list[Region]]:
    """Return the certificates, and the components with their territories.

    Parameters
    ----------
    ids, workload, neighbours
        Units, shape (n,).
    territories : int
    tolerance : float
    duty : Duties, optional
        What the rules demand; by default all territories are alike and free.
    apart : bool
        Whether units that outweigh a territory get one of their own.
    region_of : sequence of str, optional
        What each unit's regions are called whose borders are closed.

    Raises
    ------
    TerritoryError
        When there are fewer territories than components, or more than units, or when a rep would have to be in two
        components.
    """
    if territories < 1:
        raise TerritoryError(f"{territories} territories make no plan: ask for at least one.")
    refuse_too_many(territories, len(ids))
    total = float(workload.sum())
    if total <= 0:
        raise TerritoryError(
            "No unit has any workload, so there is nothing to balance: check the workload field and its join."
        )
    if duty is None:
        duty = Duties.free(len(ids), territories)
    open_units = np.flatnonzero(~np.isin(duty.fixed, np.flatnonzero(duty.frozen))).tolist()
    open_territories = np.flatnonzero(~duty.frozen)
    room = len(open_territories)
    parts = sorted(
        components(neighbours, open_units), key=lambda part: (-float(workload[part].sum()), -len(part), part[0])
    )
    if len(parts) > room:
        if region_of is not None:
            _refuse_regions([region_of[part[0]] for part in parts], room)
        raise TerritoryError(_too_many_parts(ids, parts, room, bool(duty.frozen.any())))
    share = duty.share
    seats = _seats(ids, parts, duty)
    largest = float(share[open_territories].max() / share[open_territories].mean()) if room else 1.0
    everywhere, common = [], 0.0
    free = workload[open_units]
    if room and free.sum() > 0:
        heavy, common = set_apart(free, room, tolerance, largest) if apart else ([], float(free.sum()) / room)
        everywhere = [open_units[at] for at in heavy]
    giants = set(everywhere)
    # a giant counts as one territory wherever it lies
    loads = [
        sum(common if unit in giants else float(workload[unit]) for unit in part) if common > 0 else 0.0
        for part in parts
    ]
    sizes = [len(part) for part in parts]
    # units that must be in one territory leave none for another
    carried = [int((duty.fixed[part] < 0).sum()) + len(seated) for part, seated in zip(parts, seats)]
    if sum(carried) < room:
        kept = name_some([ids[unit] for unit in open_units if duty.fixed[unit] >= 0])
        raise TerritoryError(
            f"{Count(room):territory needs a unit|territories need a unit each}, and there are units for "
            f"{sum(carried):,}, since {kept} must stay "
            "with their rep: ask for fewer territories, or release some of them."
        )
    own = [
        min(most, max(1, len(seated), sum(unit in giants for unit in part)))
        for part, seated, most in zip(parts, seats, carried)
    ]
    if sum(own) > room:
        own = [max(1, len(seated)) for seated in seats]
    if sum(own) > room:
        empty = [part for part, seated in zip(parts, seats) if not seated]
        raise TerritoryError(_too_many_parts(ids, empty, room - sum(map(len, seats)), bool(duty.frozen.any())))
    if region_of is None:
        counts, seats_of = apportion(loads, carried, room, own), ()
    else:
        counts, seats_of = _apportion_by_region([region_of[part[0]] for part in parts], loads, carried, room, own)
    regions = _seat_the_others(parts, counts, seats, loads, workload, duty)

    fair = total / territories
    certified, settled = [], []
    for part, members in zip(parts, regions):
        here = workload[part]
        shares = share[members]
        heavy, target = _own_territories(part, members, here, tolerance, duty) if apart and here.sum() > 0 else ({}, 0)
        rest = [at for at in members if at not in heavy.values()]
        left = float(here.sum()) - float(workload[list(heavy)].sum())
        target = left / float(share[rest].sum()) if rest else target
        usual = workload[[unit for unit in part if unit not in heavy]]
        alike = duty.alike
        stuck = []
        if len(rest) > 1 and target > 0 and alike and apart:
            stuck = stuck_units(workload, neighbours, part, target, tolerance, list(heavy))
        least = 0.0
        if not heavy and alike:
            least = least_deviation(usual, len(rest))
        elif not heavy and target > 0:
            least = max(0.0, float(here.max()) / (target * float(shares.max())) - 1)
        settled.append(Region(part, members, heavy))
        certified.append(
            Component(
                units=tuple(ids[unit] for unit in part),
                workload=float(here.sum()),
                territories=len(members),
                target=target,
                oversize=tuple(Oversize(ids[unit], float(workload[unit])) for unit in sorted(heavy)),
                least_deviation=max(least, stuck[0][1]) if stuck and not heavy else least,
                stuck=tuple(Stuck(ids[unit], deviation) for unit, deviation in stuck),
                region="" if region_of is None else region_of[part[0]],
            )
        )
    bound = 0.0
    if duty.alike and not duty.frozen.any():
        bound = max(
            least_deviation(workload, territories),
            _least_over_components([part.workload for part in certified], sizes, territories),
        )
    if len(parts) == 1:
        bound = max(bound, certified[0].least_deviation)
    shared = common if common > 0 else fair
    return Certificates(territories, fair, tuple(certified), bound, tolerance, shared, seats_of), settled


def _apportion_by_region(
    names: list[str], loads: list[float], carried: list[int], room: int, own: list[int]
) -> tuple[list[int], tuple[str, ...]]:
    """Return how many territories each component carries where borders are closed, and the reasons.

    Regions share by largest remainders, as people count seats; a region's parts share what it gets.
    """
    parts: dict[str, list[int]] = {}
    for at, name in enumerate(names):
        parts.setdefault(name, []).append(at)
    full: dict[str, int] = {}
    while True:
        # regions whose units cannot be so many territories leave theirs to the others
        found = apportionment.apportion(
            {name: sum(loads[at] for at in here) for name, here in sorted(parts.items()) if name not in full},
            room - sum(full.values()),
            {name: sum(own[at] for at in here) for name, here in parts.items()},
        )
        most = {name: sum(carried[at] for at in parts[name]) for name in found}
        over = {name: most[name] for name, seats in found.items() if seats.territories > most[name]}
        if not over:
            break
        full.update(over)
    counts = [0] * len(names)
    for name, here in parts.items():
        share = full[name] if name in full else found[name].territories
        values = ([each[at] for at in here] for each in (loads, carried))
        for at, count in zip(here, apportion(*values, share, [own[at] for at in here])):
            counts[at] = count
    said = [f"{name} has units for {most:,} of the territories only." for name, most in full.items()]
    return counts, (*(f"{seats}." for seats in found.values()), *said)


def _refuse_regions(names: Sequence[str], room: int) -> None:
    """Raise the error of fewer territories than regions whose borders are closed, or than the regions' parts.

    `names` are those of the regions, once for each part.
    """
    needs = {name: names.count(name) for name in sorted(set(names))}
    apportionment.apportion(dict.fromkeys(needs, 0.0), room, needs)


def _too_many_parts(ids, parts: list[list[int]], room: int, locked: bool) -> str:
    """Return why so many components cannot be covered."""
    small = [ids[unit] for part in parts[room:] for unit in part]
    between = " besides the locked territories" if locked else ""
    return (
        f"The units form {Count(len(parts)):part|parts} that do not touch each other{between}, so "
        f"{Count(room):connected territory|connected territories} "
        f"cannot cover them. Set 'Bridge islands', ask for at least {len(parts):,}, or "
        f"remove units, for example {name_some(small)}."
    )


def _seats(ids, parts: list[list[int]], duty: Duties) -> list[list[int]]:
    """Return the territories that have fixed units in each component."""
    seats: list[list[int]] = []
    found: dict[int, int] = {}
    for at, part in enumerate(parts):
        here = sorted({int(duty.fixed[unit]) for unit in part} - {-1})
        for territory in here:
            if territory in found:
                one, other = (
                    next(ids[unit] for unit in parts[which] if duty.fixed[unit] == territory)
                    for which in (found[territory], at)
                )
                raise TerritoryError(
                    f"{duty.names[territory]} would have to hold {one} and {other}, which no open contact joins: a "
                    "closed border, a gap or a locked territory lies between them. Release one of them, or bridge it."
                )
            found[territory] = at
        seats.append(here)
    return seats


def _seat_the_others(parts, counts: list[int], seats: list[list[int]], loads: list[float], workload, duty: Duties):
    """Return the territories of each component: those seated there, those that have most there today, and the others.

    The others are seated where most is left for them, the largest first.
    """
    share = duty.share
    seated = {territory for here in seats for territory in here}
    regions = [list(here) for here in seats]
    if duty.current is not None:
        held = {}
        for at, part in enumerate(parts):
            for unit in part:
                key = int(duty.current[unit]), at
                held[key] = held.get(key, 0.0) + float(workload[unit])
        for (territory, at), _ in sorted(held.items(), key=lambda item: (-item[1], item[0])):
            open_to = territory >= 0 and territory not in seated and not duty.frozen[territory]
            if open_to and len(regions[at]) < counts[at]:
                regions[at].append(territory)
                seated.add(territory)
    others = [at for at in np.flatnonzero(~duty.frozen).tolist() if at not in seated]
    others.sort(key=lambda at: (-share[at], at))
    mean = sum(loads) / float(share[~duty.frozen].sum()) or 1.0
    for territory in others:
        rooms = [at for at in range(len(parts)) if len(regions[at]) < counts[at]]
        most = max(rooms, key=lambda at: (loads[at] / mean - float(share[regions[at]].sum()), -at))
        regions[most].append(territory)
    return [sorted(region) for region in regions]


def _own_territories(part, members: list[int], here: np.ndarray, tolerance: float, duty: Duties):
    """Return the units of a component that outweigh a territory, with one for each, and the target of the others."""
    share = duty.share[members]
    seat = {int(duty.fixed[unit]): unit for unit in part if duty.fixed[unit] >= 0}
    idle = [at for at in members if at not in seat]
    largest = float(share.max() / share.mean())
    heavy, target = set_apart(here, len(members), tolerance, largest, len(members) - 1)
    idle.sort(key=lambda at: (-duty.share[at], at))
    own: dict[int, int] = {}
    for index in sorted(heavy, key=lambda index: (-here[index], index)):
        unit = part[index]
        holder = int(duty.fixed[unit])
        if holder < 0 and idle:
            today = -1 if duty.current is None else int(duty.current[unit])
            holder = idle.pop(idle.index(today) if today in idle else 0)
        if holder >= 0 and holder not in own.values():
            own[unit] = holder
    return own, target
