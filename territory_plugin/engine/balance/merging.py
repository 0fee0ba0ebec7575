"""Units put together with units that they touch, the smallest first, one at a time."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from heapq import heapify, heappop, heappush


class Merging:
    """Coarse units, each called by one of its units; what is small, and what may be together, subclasses say.

    Parameters
    ----------
    load : sequence of float, shape (n,)
    neighbours : sequence of iterables of int

    Attributes
    ----------
    load : list of float
    near : list of set of int
        What each touches.
    members : dict of int to list of int
        Units of each.
    """

    def __init__(self, load: Sequence[float], neighbours: Sequence[Iterable[int]]) -> None:
        self.load, self.near = list(load), [set(around) for around in neighbours]
        self.members = {unit: [unit] for unit in range(len(self.load))}
        self._queue = [(self.size(unit), unit) for unit in self.members]
        heapify(self._queue)

    def size(self, unit: int) -> float:
        """Return how late a coarse unit has its turn; the smallest that it may be with takes it in."""
        raise NotImplementedError

    def doors(self, unit: int) -> list[int]:
        """Return what a coarse unit may be put together with; without any it stays as it is."""
        raise NotImplementedError

    def merge(self) -> int | None:
        """Put the smallest coarse unit that may be together with another one; return that one, None without any."""
        load, near, members = self.load, self.near, self.members
        while self._queue:
            key, unit = heappop(self._queue)
            doors = self.doors(unit) if unit in members and key == self.size(unit) else []
            if not doors:
                continue
            to = min(doors, key=lambda other: (self.size(other), other))
            members[to] += members.pop(unit)
            load[to] += load[unit]
            for other in near[unit]:
                near[other].discard(unit)
                if other != to:
                    near[other].add(to)
                    near[to].add(other)
            near[unit] = set()
            heappush(self._queue, (self.size(to), to))
            return to
        return None
