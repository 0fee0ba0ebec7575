"""The transportation problem between cells and centres: prices under which each centre draws its capacity.

Cells go to the centre with the smallest squared distance less the centre's price. The prices that give each
centre its capacity solve the dual of a transportation problem [1]_. They come from Newton's method on the
entropy-smoothed dual [2]_: it has one solution, so that plans do not depend on which vertex a solver's version returns.

Most shares are nothing. Cells are taken in blocks of near ones; what a centre can offer to a block at best is compared
with what the best one offers at least, and only the pairs that are left are looked at one by one. This is done anew for
all prices that are tried, so that no centre is overlooked.

Newton's equations are those of a graph Laplacian whose edges join centres with common cells: sparse, and close to
singular where a centre draws nothing. They are damped as Levenberg and Marquardt did [3]_. Far from balance, where
a wrong price outweighs a city's whole width, the blur is the same everywhere at first, and falls.

.. [1] Aurenhammer, Hoffmann, Aronov (1998). Minkowski-type theorems and least-squares clustering.
   Algorithmica 20.
.. [2] Cuturi (2013). Sinkhorn distances: lightspeed computation of optimal transport. NIPS 26.
.. [3] Marquardt (1963). An algorithm for least-squares estimation of nonlinear parameters. J. SIAM 11.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from .watch import Watch

LENGTHS, OVERSHOT = 6, 0.5
"""Lengths tried for a Newton step; share of the slope that may be left on the far side of the least value."""
NEAR_ENOUGH = 2e-3
"""Share of the mean capacity by which a centre may miss its own."""
ROUGH = 1e-2
"""The same while centres still move."""
DIGITS = 4
"""Of prices (km²) and centres (km): the last bits of an exponential differ between versions of numpy and between
processors, and would grow from round to round."""
BLOCK = 32
"""Cells in a block at most."""
AT_ONCE = 1 << 16
"""Distances that are reckoned at a time."""
NOTHING = 16.0
"""A centre that is so many blurs dearer than the best has no share, of e^-16."""
COUPLED = 1e-6
"""Smaller shares do not couple centres."""
FIRM, SOFTEST, FIRMEST = 1e-2, 1e-6, 1e3
"""Damping at first, at least and at most; at 1 a centre that draws nothing changes its price by the local scale."""
WARM, COLD = 30, 40
"""Newton steps from prices that are nearly right, and from others."""
MISSED = 0.05, 0.1
"""Largest miss, in mean capacities, of prices that count as found, and as good for the next blur."""
HOTTEST, COOLING = 10.0, 10.0
"""The first common blur, in median local scales, and how it falls."""
HOTTER = 3
"""How often it may rise instead."""


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances, shape (n, k), by subtraction: exact for near points."""
    squares = np.empty((len(points), len(centres)))
    block = max(1, AT_ONCE // max(1, len(centres)))  # small ones stay in the processor's cache
    for start in range(0, len(points), block):
        some = points[start : start + block]
        squares[start : start + block] = sum(
            np.square(some[:, axis, None] - centres[None, :, axis]) for axis in range(points.shape[1])
        )
    return squares


class Transport:
    """Cells, centres and prices.

    Shares and costs are of pairs of a cell and a centre: flat arrays, cell by cell.

    Parameters
    ----------
    points : ndarray, shape (n, d)
        Cells, km.
    workload : ndarray, shape (n,)
    capacity : ndarray, shape (k,)
        Sums to the workload's sum.
    centres : ndarray, shape (k, d)
    watch : Watch
        Asked between steps whether to stop.
    price : ndarray, shape (k,), optional
        Prices to start from.

    Attributes
    ----------
    points, workload : ndarray
        As given, cells in an order of their own.
    price : ndarray, shape (k,)
        km² by which a centre seems nearer than it is.
    share : ndarray, shape (pairs,)
        Share of a cell at a centre.
    cell, centre : ndarray of int, shape (pairs,)
        Whose share it is, and where.
    """

    def __init__(
        self,
        points: np.ndarray,
        workload: np.ndarray,
        capacity: np.ndarray,
        centres: np.ndarray,
        watch: Watch,
        price: np.ndarray | None = None,
    ) -> None:
        blocks = blocks_of(points)
        order = np.concatenate(blocks)
        self.points, self.workload, self.capacity, self.watch = points[order], workload[order], capacity, watch
        self.price = np.zeros(len(capacity)) if price is None else price
        sizes = np.array([len(block) for block in blocks])
        self._first = np.cumsum(sizes) - sizes
        self._block = np.repeat(np.arange(len(blocks)), sizes)
        least, most = (extreme.reduceat(self.points, self._first) for extreme in (np.minimum, np.maximum))
        self._middle = (least + most) / 2
        reach = np.square(self.points - self._middle[self._block]).sum(axis=1)
        self._radius = np.sqrt(np.maximum.reduceat(reach, self._first))
        self._tree = cKDTree(self.points)
        self.cell = self.centre = np.zeros(0, dtype=int)
        self.move_to(centres)
        # each cell at the centre nearest by price
        share = (self._pair(self.price, np.full(len(self.points), 1e-9)) >= 0.0).astype(float)
        self.share = share / self.of_cells(self.per_cell(share))

    def move_to(self, centres: np.ndarray) -> None:
        """Put the centres elsewhere; prices stay."""
        self.centres = centres
        apart = np.sqrt(np.square(self._middle[:, None, :] - centres).sum(axis=2))
        self._least = np.square(np.maximum(apart - self._radius[:, None], 0.0))
        self._most = np.square(apart + self._radius[:, None])
        self._at = self._tree.query(centres)[1]
        self.cost = self._costs(self.cell, self.centre)

    def per_centre(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over cells of values per pair, shape (k,)."""
        return np.bincount(self.centre, values, len(self.capacity))

    def per_cell(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over centres of values per pair, shape (n,)."""
        return np.add.reduceat(values, self._start)

    def of_cells(self, values: np.ndarray) -> np.ndarray:
        """Return values per cell for its pairs."""
        return values[self.cell]

    def of_centres(self, values: np.ndarray) -> np.ndarray:
        """Return values per centre for its pairs."""
        return values[self.centre]

    def load(self) -> np.ndarray:
        """Return what each centre draws, shape (k,)."""
        return self.per_centre(self.share * self.of_cells(self.workload))

    def miss(self) -> float:
        """Return the largest miss of a capacity, in mean capacities."""
        return float(np.abs(self.load() - self.capacity).max() / self.capacity.mean())

    def travel(self) -> float:
        """Return Σ workload × share × squared distance, to ten digits."""
        return float(f"{(self.of_cells(self.workload) * self.share * self.cost).sum():.9e}")

    def middles(self) -> np.ndarray:
        """Return the workload's middle around each centre; a centre that draws nothing stays, shape (k, d)."""
        drawn = self.share * self.of_cells(self.workload)
        held = self.per_centre(drawn)
        middles = np.stack([self.per_centre(drawn * self.of_cells(place)) for place in self.points.T], axis=1)
        empty = held < 1e-9 * self.capacity.mean()
        middles /= np.where(empty, 1.0, held)[:, None]
        return np.round(np.where(empty[:, None], self.centres, middles), DIGITS)

    def local_scale(self) -> np.ndarray:
        """Return the mean cost around each cell, that of the territories it is shared between, shape (n,).

        The blur follows it, because a city's territories are a hundredth as wide as those around it. In single
        precision: a pair that has a share or none by the last bit of a blur would change the centres.
        """
        drawn = self.share * self.of_cells(self.workload)
        held = self.per_centre(drawn)
        paid = self.per_centre(drawn * self.cost)
        own = paid / np.maximum(held, 1e-300)
        floor = 1e-6 * float(paid.sum() / held.sum()) + 1e-9
        scale = np.maximum(self.per_cell(self.share * self.of_centres(own)), floor)
        return scale.astype(np.float32).astype(float)

    def balance(self, blur: float, enough: float = NEAR_ENOUGH) -> None:
        """Find prices and shares at `blur` × the local scale, from the prices at hand or else from zero.

        Centres may miss `enough` of the mean capacity. From zero the blur comes down in steps, each a good start for
        the next.
        """
        scale = self.local_scale()
        before = self._state()
        if self.price.any():
            self._newton(blur * scale, WARM, enough)
            if self.miss() <= MISSED[0]:
                return
            self._restore(before)
        common, rises = HOTTEST * float(np.median(scale)), HOTTER
        while not self.watch.time_is_up():
            self._newton(np.maximum(common, blur * scale), COLD, enough)
            if self.miss() > MISSED[1] and rises:
                rises -= 1
                common *= COOLING
                self._restore(before)
            elif common < blur * scale.min():
                break
            else:
                common /= COOLING

    def sharpen(self, blurs: tuple[float, ...]) -> None:
        """Lower the blur step by step, each from the prices of the last, as far as the capacities are met."""
        for blur in blurs:
            before = self._state()
            self._newton(blur * self.local_scale(), 30)
            if self.miss() > 0.05:
                self._restore(before)
                break

    def _state(self) -> tuple:
        """Return what a step changes."""
        return self.price, self.share, self.cost, self.cell, self.centre, self._start

    def _restore(self, state: tuple) -> None:
        """Take a step back."""
        self.price, self.share, self.cost, self.cell, self.centre, self._start = state

    def _costs(self, cell: np.ndarray, index: np.ndarray) -> np.ndarray:
        """Return the squared distances of pairs."""
        cost = np.zeros(len(cell))
        for axis in range(self.points.shape[1]):
            cost += np.square(self.points[cell, axis] - self.centres[index, axis])
        return cost

    def _pair(self, price: np.ndarray, blur: np.ndarray) -> np.ndarray:
        """Set the pairs that may have a share; return what their centres offer beyond each cell's best, in blurs."""
        widest = np.maximum.reduceat(blur, self._first)
        best = (self._most - price).min(axis=1)
        block, centre = np.nonzero(self._least - price <= (best + NOTHING * widest)[:, None])
        held = np.bincount(block, minlength=len(widest))
        lengths = held[self._block]
        start = np.cumsum(lengths) - lengths
        cell = np.repeat(np.arange(len(lengths)), lengths)
        index = centre[np.arange(len(cell)) + ((np.cumsum(held) - held)[self._block] - start)[cell]]
        cost = self._costs(cell, index)
        gain = (price[index] - cost) / blur[cell]
        gain -= np.maximum.reduceat(gain, start)[cell]
        kept = np.flatnonzero(gain >= -NOTHING)
        self.cell, self.centre, self.cost = cell[kept], index[kept], cost[kept]
        lengths = np.bincount(self.cell, minlength=len(lengths))
        self._start = np.cumsum(lengths) - lengths
        return gain[kept]

    def _share_at(self, price: np.ndarray, blur: np.ndarray) -> None:
        """Set prices, rounded, and smoothed shares."""
        self.price = np.round(price, DIGITS)
        share = np.exp(self._pair(self.price, blur))
        self.share = share / self.of_cells(self.per_cell(share))

    def _equations(self, blur: np.ndarray, firm: float) -> csc_matrix:
        """Return the second derivative of the smoothed dual, damped, shape (k, k)."""
        drawn = self.share * self.of_cells(self.workload)
        load = self.per_centre(drawn)
        own = self.per_centre(drawn * self.cost) / np.maximum(load, 1e-300)
        # a centre that draws next to nothing has no scale of its own
        scale = np.where(load > 0.1 * self.capacity, own, np.maximum(blur[self._at], own)) + 1e-9
        stiff = drawn / self.of_cells(blur)
        pull = self.per_centre(stiff)
        kept = self.share > COUPLED
        start = np.concatenate([[0], np.cumsum(np.bincount(self.cell[kept], minlength=len(blur)))])
        shape = len(blur), len(pull)
        shares = csr_matrix((self.share[kept], self.centre[kept], start), shape=shape)
        stiffs = csr_matrix((stiff[kept], self.centre[kept], start), shape=shape)
        # one that shall draw nothing has to be held, too
        damping = firm * np.maximum(self.capacity, 1e-3 * self.capacity.mean()) / scale + 1e-9 * pull
        return (diags(pull + damping) - shares.T @ stiffs).tocsc()

    def _newton(self, blur: np.ndarray, steps: int, enough: float = NEAR_ENOUGH) -> None:
        """Improve prices by at most `steps` damped Newton steps."""
        most = enough * self.capacity.mean()
        firm = FIRM
        self._share_at(self.price, blur)
        for _ in range(steps):
            miss = self.load() - self.capacity
            if np.abs(miss).max() < most or self.watch.time_is_up():
                break
            step = spsolve(self._equations(blur, firm), miss)
            slope = float((miss * step).sum())
            before, length = self._state(), 1.0
            for _ in range(LENGTHS):
                self._share_at(before[0] - length * step, blur)
                left = float(((self.load() - self.capacity) * step).sum())
                if left >= -OVERSHOT * slope:
                    break
                length *= min(0.5, max(0.1, slope / (slope - left)))
            else:
                self._restore(before)
            firm = max(SOFTEST, firm / 10) if length == 1.0 else min(FIRMEST, firm * (10 if length < 0.3 else 2))
        self.price = np.round(self.price - self.price.mean(), DIGITS)


def blocks_of(points: np.ndarray, most: int = BLOCK) -> list[np.ndarray]:
    """Return groups of at most so many near points, by cutting them in two again and again."""
    stack, blocks = [np.arange(len(points))], []
    while stack:
        some = stack.pop()
        if len(some) <= most:
            blocks.append(some)
            continue
        axis = int(np.argmax(np.ptp(points[some], axis=0)))
        order = some[np.argsort(points[some, axis], kind="stable")]
        half = len(order) // 2
        stack += [order[half:], order[:half]]
    return blocks
