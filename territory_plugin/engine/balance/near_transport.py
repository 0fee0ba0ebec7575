"""The transportation problem among many centres: each cell looks only at those near it.

Where centres count in hundreds, most shares are nothing. Cells are taken in blocks of near ones; what a centre can
offer to a block at best is compared with what the best one offers at least, and only the pairs that are left are
looked at one by one. This is done anew for all prices that are tried, so that no centre is overlooked.

Newton's equations are those of a graph Laplacian whose edges join centres with common cells: sparse, and close to
singular where a centre draws nothing. They are damped as Levenberg and Marquardt did [1]_. Far from balance, where
a wrong price outweighs a city's whole width, the blur is the same everywhere at first, and falls.

.. [1] Marquardt (1963). An algorithm for least-squares estimation of nonlinear parameters. J. SIAM 11.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csc_matrix, csr_matrix, diags
from scipy.sparse.linalg import spsolve
from scipy.spatial import cKDTree

from .transport import NEAR_ENOUGH, Transport

BLOCK = 32
"""Cells in a block at most."""
NOTHING = 16.0
"""A centre that is so many blurs dearer than the best has no share, of e^-16."""
COUPLED = 1e-6
"""Smaller shares do not couple centres."""
FIRM, SOFTEST, FIRMEST = 1e-2, 1e-6, 1e3
"""Damping at first, at least and at most; at 1 a centre that draws nothing changes its price by the local scale."""
OVERSHOT = 0.5
"""Share of the slope that may be left on the far side of the least value."""
LENGTHS = 6
"""Lengths tried for a step."""
WARM, COLD = 30, 40
"""Newton steps from prices that are nearly right, and from others."""
MISSED = 0.05, 0.1
"""Largest miss, in mean capacities, of prices that count as found, and as good for the next blur."""
HOTTEST, COOLING = 10.0, 10.0
"""The first common blur, in median local scales, and how it falls."""
HOTTER = 3
"""How often it may rise instead."""


class NearTransport(Transport):
    """As `Transport`, whose pairs of cell and centre are a flat array, cell by cell; cells in an order of their own."""

    def __init__(self, points, workload, capacity, centres, watch, price=None) -> None:
        blocks = blocks_of(points)
        order = np.concatenate(blocks)
        points, workload = points[order], workload[order]
        sizes = np.array([len(block) for block in blocks])
        self._first = np.cumsum(sizes) - sizes
        self._block = np.repeat(np.arange(len(blocks)), sizes)
        self._middle = (np.minimum.reduceat(points, self._first) + np.maximum.reduceat(points, self._first)) / 2
        reach = np.square(points - self._middle[self._block]).sum(axis=1)
        self._radius = np.sqrt(np.maximum.reduceat(reach, self._first))
        self._tree = cKDTree(points)
        self._cell = self._index = np.zeros(0, dtype=int)
        super().__init__(points, workload, capacity, centres, watch, price)

    def move_to(self, centres: np.ndarray) -> None:
        self.centres = centres
        apart = np.sqrt(np.square(self._middle[:, None, :] - centres).sum(axis=2))
        self._least = np.square(np.maximum(apart - self._radius[:, None], 0.0))
        self._most = np.square(apart + self._radius[:, None])
        self._at = self._tree.query(centres)[1]
        self.cost = self._costs(self._cell, self._index)

    def per_centre(self, values: np.ndarray) -> np.ndarray:
        return np.bincount(self._index, values, len(self.capacity))

    def per_cell(self, values: np.ndarray) -> np.ndarray:
        return np.add.reduceat(values, self._start)

    def of_cells(self, values: np.ndarray) -> np.ndarray:
        return values[self._cell]

    def of_centres(self, values: np.ndarray) -> np.ndarray:
        return values[self._index]

    def balance(self, blur: float, enough: float = NEAR_ENOUGH) -> None:
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
        self._cell, self._index, self.cost = cell[kept], index[kept], cost[kept]
        lengths = np.bincount(self._cell, minlength=len(lengths))
        self._start = np.cumsum(lengths) - lengths
        return gain[kept]

    def _nearest(self) -> np.ndarray:
        share = (self._pair(self.price, np.full(len(self.points), 1e-9)) >= 0.0).astype(float)
        return share / self.of_cells(self.per_cell(share))

    def _state(self) -> tuple:
        return self.price, self.share, self.cost, self._cell, self._index, self._start

    def _restore(self, state: tuple) -> None:
        self.price, self.share, self.cost, self._cell, self._index, self._start = state

    def _share_at(self, price: np.ndarray, blur: np.ndarray) -> None:
        """Set prices and smoothed shares."""
        share = np.exp(self._pair(price, blur))
        self.price, self.share = price, share / self.of_cells(self.per_cell(share))

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
        start = np.concatenate([[0], np.cumsum(np.bincount(self._cell[kept], minlength=len(blur)))])
        shape = len(blur), len(pull)
        shares = csr_matrix((self.share[kept], self._index[kept], start), shape=shape)
        stiffs = csr_matrix((stiff[kept], self._index[kept], start), shape=shape)
        damping = firm * self.capacity / scale + 1e-9 * pull
        return (diags(pull + damping) - shares.T @ stiffs).tocsc()

    def _newton(self, blur: np.ndarray, steps: int, enough: float = NEAR_ENOUGH) -> None:
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
        self.price = self.price - self.price.mean()


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
