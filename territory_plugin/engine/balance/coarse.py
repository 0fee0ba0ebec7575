"""Choosing all territories of a neighbourhood at once, from few coarse units.

Light units are put together with neighbours until the connected sets of what is left can be listed; a set
partitioning problem then chooses the territories with the fewest outside the tolerance. Heavy units stay alone, so
nothing is lost where it matters; other light ones are put together in the next turn. What no exchange between two
territories can mend, as in cities where single units weigh most of a target, is mended by a dozen at once.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from .covering import cheapest_cover
from .exact import hand_out
from .listing import as_rows, list_connected
from .merging import Merging
from .objective import WorkingPartition
from .watch import Watch

LIGHT = 0.12
"""Share of a target up to which units are put together."""
PER_TERRITORY, FINEST = 7, 60
"""Coarse units for each territory at first, and for few territories together."""
FEWER, SOONER = 0.88, 0.06
"""Share of them that is left when there are too many sets, and the power of how far the listing came in it."""
SPREAD = 0.7
"""How much chance there is in what is put together: standard deviation of the logarithm."""
LEAST = 0.01
"""Share of a target that a unit weighs at least when the lightest is sought: chance tells those without any apart."""
CHANCE = 0.1
"""What chance weighs beside one territory outside."""
MOST_SEEN, MOST_COLUMNS, MOST_PROGRAMS, GAP = 40_000, 6_000, 20, 0.02
"""Sets that are looked at, sets to choose from, linear programs, and when a choice is good enough."""
SEEN_FOR_ONE = 40
"""Sets that are looked at take the effort of one to choose from."""
CLOSE = 1e-9


@dataclass(frozen=True)
class Choice:
    """What one choice of territories came to.

    Attributes
    ----------
    assignment : list of int or None
        Territory of each unit; None when there was nothing to choose.
    sets : int
        Sets that there were to choose from.
    """

    assignment: list[int] | None
    sets: int


class CoarseUnits(Merging):
    """Units put together, the lightest first, with some chance.

    Parameters
    ----------
    part : WorkingPartition
    rng : Generator
    within : bool
        Whether only units of one territory are put together, so that the partition stays one of the choices.
    """

    def __init__(self, part: WorkingPartition, rng: np.random.Generator, within: bool) -> None:
        self.home = part.assignment if within else [0] * len(part.neighbours)
        self.light = LIGHT * float(part.problem.target[0])
        self.least = LEAST * float(part.problem.target[0])
        self.chance = np.exp(rng.normal(0.0, SPREAD, len(part.neighbours))).tolist()
        super().__init__(part.workload, part.neighbours)

    def size(self, unit: int) -> float:
        """Return what a coarse unit weighs when the lightest is sought: its workload, and some chance."""
        return max(self.load[unit], self.least) * self.chance[unit]

    def doors(self, unit: int) -> list[int]:
        """Return what a light unit may be put together with: what is light enough, too, or anything for a trifle."""
        load, home, light = self.load, self.home, self.light
        if load[unit] > light:
            return []
        return [
            other
            for other in self.near[unit]
            if home[other] == home[unit] and (load[other] <= 2 * light or load[unit] <= light / 12)
        ]

    def heaviest_first(self) -> list[int]:
        """Return the coarse units, each called by one of its units."""
        return sorted(self.members, key=lambda unit: (-self.load[unit], unit))

    @property
    def loads(self) -> np.ndarray:
        """Workload of each, the heaviest first."""
        return np.array([self.load[unit] for unit in self.heaviest_first()])

    def reduce(self, count: int) -> bool:
        """Put units together until there are so many; answer whether that was possible."""
        while len(self.members) > count:
            if self.merge() is None:
                return False
        return True


def fewest_outside_coarse(
    part: WorkingPartition, rng: np.random.Generator, watch: Watch, within: bool, travel: float
) -> Choice:
    """Return the plan of coarse units with the fewest territories outside, none further off than the worst is now.

    Parameters
    ----------
    part : WorkingPartition
        Of a problem whose territories are alike; it is left as it is.
    rng : Generator
    watch : Watch
    within : bool
        As of `CoarseUnits`.
    travel : float
        What the travel of the territories as they are weighs beside one territory outside.

    Returns
    -------
    Choice
    """
    problem = part.problem
    k, target, enough = problem.territories, float(problem.target[0]), problem.tolerance
    limit = max(enough, *(abs(load / target - 1) for load in part.load))
    if limit >= 1:
        return Choice(None, 0)
    coarse = CoarseUnits(part, rng, within)
    count = min(problem.units, max(FINEST, PER_TERRITORY * k))
    rows, inside, seen = _listed(part, coarse, limit, count, MOST_SEEN, MOST_COLUMNS)
    if not len(rows):
        return Choice(None, seen // SEEN_FOR_ONE)
    load = np.einsum("su,u->s", inside, problem.workload)

    def missing(load: np.ndarray) -> np.ndarray:
        """Return what loads cost: one more outside is worse than any sum of excess."""
        over = np.maximum(np.abs(load / target - 1) - enough, 0.0)
        return (over > CLOSE) + over / max(CLOSE, k * (limit - enough))

    # travel and chance tell those apart that are as good, and leave one that is best; what is worse than now is not
    # asked for
    most = float(missing(np.array(part.load)).sum()) + CHANCE + travel
    cost = missing(load) + CHANCE * rng.random(len(load)) / k
    if travel:
        cost += travel * _inertia(part, inside) / max(part.inertia(), CLOSE)
    chosen = cheapest_cover(rows, cost, coarse.loads > 0, k, most, MOST_PROGRAMS, GAP, watch)
    return Choice(None if chosen is None else hand_out(problem, inside[chosen]), len(rows))


def _inertia(part: WorkingPartition, sets: np.ndarray) -> np.ndarray:
    """Return the moment of inertia of each set about its own centre, shape (s,)."""
    # without BLAS, whose rounding depends on the number of its threads
    sums = np.einsum("su,uf->sf", sets.astype(float), part.fields[:, 1:])
    squares = np.square(part.fields[:, 2:]).sum(axis=1) / np.maximum(part.fields[:, 1], 1e-300)
    travel = np.einsum("su,u->s", sets, squares) - np.square(sums[:, 1:]).sum(axis=1) / np.maximum(sums[:, 0], 1e-300)
    return np.maximum(travel, 0.0)


def _listed(
    part: WorkingPartition, coarse: CoarseUnits, limit: float, count: int, most: int, columns: int
) -> tuple[np.ndarray, np.ndarray, int]:
    """Return the sets of coarse units within a deviation, as coarse units and as units, and how many were looked at.

    Where there are too many, more units are put together; there are none when no more can be.
    """
    problem, target = part.problem, float(part.problem.target[0])
    sets, able, looked = None, True, 0
    while sets is None and able:
        able = coarse.reduce(count)
        order = coarse.heaviest_first()
        place = {unit: at for at, unit in enumerate(order)}
        sets, seen, done = list_connected(
            [sum(1 << place[other] for other in coarse.near[unit]) for unit in order],
            [coarse.load[unit] for unit in order],
            target * (1 - limit) * (1 - CLOSE),
            target * (1 + limit) * (1 + CLOSE),
            most,
            enough=columns,
        )
        looked += seen
        # the sooner there were too many, the more of them there are
        count = int(FEWER * max(done, 1 / len(order)) ** SOONER * len(order))
    if not sets:
        return np.zeros((0, len(order)), dtype=bool), np.zeros((0, problem.units), dtype=bool), looked
    rows = as_rows(sets, len(order))
    at = np.empty(problem.units, dtype=int)
    for position, unit in enumerate(order):
        at[coarse.members[unit]] = position
    return rows, rows[:, at], looked
