"""Workload that is passed on from territory to territory, to where there is room for it.

Where a territory holds too much and those around it are full, no exchange with a neighbour helps: its excess has to
go through a chain of territories, each of which gives as much as it takes. A chain leads to one of the nearest
territories with room; along it, border by border, the units near the border are shared out anew in the best of all
ways (`splits.best_split`). What a territory holds too little comes the same way.
"""

from __future__ import annotations

from .objective import WorkingPartition
from .problem import AIM
from .splits import best_split
from .watch import Watch

FREE_PASSED = 10
"""Units at each border that are shared out anew."""
CHAINS = 6
"""Chains tried for a territory."""
LONGEST = 20
"""Borders in a chain at most."""
ROUNDS = 3
"""How often all territories outside the tolerance have their turn."""
ROOM = 0.003
"""Share of the target that a territory must be able to take at least."""


def pass_on(part: WorkingPartition, watch: Watch) -> bool:
    """Pass workload on through chains of territories, from those that hold too much and to those that hold too little.

    Parameters
    ----------
    part : WorkingPartition
        Changed in place; it stays connected and keeps all its territories, and no excess grows.
    watch : Watch

    Returns
    -------
    bool
        Whether anything changed.
    """
    chains = _Chains(part)
    changed = False
    for _ in range(ROUNDS):
        before = changed
        bad = part.improvable()
        for territory in sorted(bad, key=lambda t: (-chains.excess(t), t)):
            if watch.time_is_up():
                return changed
            while chains.excess(territory) > 0 and not part.problem.oversize[territory] and chains.relieve(territory):
                changed = True
        if changed == before or not bad:
            break
    return changed


class _Chains:
    """A partition with its members and what its territories may hold."""

    def __init__(self, part: WorkingPartition) -> None:
        self.part = part
        self.members: list[list[int]] = [[] for _ in part.load]
        for unit, home in enumerate(part.assignment):
            self.members[home].append(unit)
        # a little inside, so that the next chain finds room as well
        spare = (1 - AIM) / 2
        self.low = [low + spare * (high - low) for low, high in zip(part.low, part.high)]
        self.high = [high - spare * (high - low) for low, high in zip(part.low, part.high)]

    def excess(self, territory: int) -> float:
        """Return what a territory holds beyond its limits, ≥ 0."""
        load = self.part.load[territory]
        return max(load - self.part.high[territory], self.part.low[territory] - load, 0.0)

    def around(self, territory: int) -> list[int]:
        """Return the territories that touch one."""
        assignment, neighbours = self.part.assignment, self.part.neighbours
        near = {assignment[other] for unit in self.members[territory] for other in neighbours[unit]}
        return sorted(near - {territory})

    def relieve(self, territory: int) -> bool:
        """Pass on what a territory holds too much, or bring what it lacks, in part at least; answer whether it did."""
        part = self.part
        gives = part.load[territory] > part.high[territory]
        before = {territory: -1}
        queue, hops = [territory], {territory: 0}
        tried = 0
        for here in queue:
            if hops[here] >= LONGEST:
                break
            for other in self.around(here):
                if other in before or part.problem.oversize[other]:
                    continue
                before[other], hops[other] = here, hops[here] + 1
                queue.append(other)
                room = self.high[other] - part.load[other] if gives else part.load[other] - self.low[other]
                if room < ROOM * part.target[other]:
                    continue
                chain = [other]
                while chain[0] != territory:
                    chain.insert(0, before[chain[0]])
                if self._pass_along(chain, room, gives):
                    return True
                tried += 1
                if tried == CHAINS:
                    return False
        return False

    def _pass_along(self, chain: list[int], room: float, gives: bool) -> bool:
        """Pass workload along a chain; answer whether its territories have less excess together, else leave them."""
        part = self.part
        first, last = chain[0], chain[-1]
        limits = [(t, part.low[t], part.high[t]) for t in chain]
        beyond = part.load[first] - self.high[first] if gives else self.low[first] - part.load[first]
        amount = min(beyond, room)
        excess = sum(self.excess(t) for t in chain) + self._further()
        homes = {unit: t for t in chain for unit in self.members[t]}
        held = {t: self.members[t] for t in chain}
        start = part.load[first]
        for one, other in zip(chain, chain[1:]):
            for t in (one, other):
                part.low[t], part.high[t] = self.low[t], self.high[t]
            if one == first and gives:
                part.high[one] = start - amount
            elif one == first:
                part.low[one] = start + amount
            if other != last and gives:
                part.high[other] += amount
            elif other != last:
                part.low[other] -= amount
            units = sorted(self.members[one] + self.members[other])
            found = best_split(part, one, other, FREE_PASSED, units)
            for t, low, high in limits:
                part.low[t], part.high[t] = low, high
            if found is None:
                continue
            to_one, to_other = found
            part.move(to_one, other, one)
            part.move(to_other, one, other)
            for t in (one, other):
                self.members[t] = [unit for unit in units if part.assignment[unit] == t]
        if sum(self.excess(t) for t in chain) + self._further() < excess - 1e-9 * part.target[first]:
            return True
        for unit, home in homes.items():
            if part.assignment[unit] != home:
                part.move((unit,), part.assignment[unit], home)
        self.members = [held.get(t, units) for t, units in enumerate(self.members)]
        return False

    def _further(self) -> float:
        """Return the excess of further measures, as workload."""
        part = self.part
        if not part.terms:
            return 0.0
        own = sum(max(load - high, low - load, 0.0) for load, low, high in zip(part.load, part.low, part.high))
        return part.excess() / part.per_target - own
