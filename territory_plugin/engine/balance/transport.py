"""The transportation problem between cells and centres: prices under which each centre draws its capacity.

Cells go to the centre with the smallest squared distance less the centre's price. The prices that give each
centre its capacity solve the dual of a transportation problem [1]_. They come from Newton's method on the
entropy-smoothed dual [2]_: it needs numpy only, and it has one solution, so that plans do not depend on which
vertex a solver's version returns.

.. [1] Aurenhammer, Hoffmann, Aronov (1998). Minkowski-type theorems and least-squares clustering.
   Algorithmica 20.
.. [2] Cuturi (2013). Sinkhorn distances: lightspeed computation of optimal transport. NIPS 26.
"""

from __future__ import annotations

import numpy as np
from scipy.sparse import csr_matrix

from .watch import Watch

REACH = 100.0
"""How many times the local blur a price may change in one Newton step."""
FEW_SHARED = 0.2
"""Share of positive entries below which a dense matrix of shares is treated as a sparse one."""
NEAR_ENOUGH = 2e-3
"""Share of the mean capacity by which a centre may miss its own."""
ROUGH = 1e-2
"""The same while centres still move."""


def squared_distances(points: np.ndarray, centres: np.ndarray) -> np.ndarray:
    """Return squared distances, shape (n, k), by subtraction: exact for near points."""
    squares = np.zeros((len(points), len(centres)))
    for axis in range(points.shape[1]):
        squares += np.square(points[:, axis, None] - centres[None, :, axis])
    return squares


class Transport:
    """Cells, centres and prices.

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
    price : ndarray, shape (k,)
        km² by which a centre seems nearer than it is.
    share : ndarray, shape (n, c)
        Share of each cell at each of its candidate centres.
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
        self.points, self.workload, self.capacity, self.watch = points, workload, capacity, watch
        self.price = np.zeros(len(capacity)) if price is None else price
        self.move_to(centres)
        self.share = self._nearest()

    def move_to(self, centres: np.ndarray) -> None:
        """Put the centres elsewhere; prices stay."""
        self.centres = centres
        self.cost = squared_distances(self.points, centres)

    def per_centre(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over cells of values per pair, shape (k,)."""
        return values.sum(axis=0)

    def per_cell(self, values: np.ndarray) -> np.ndarray:
        """Return the sums over centres of values per pair, shape (n,)."""
        return values.sum(axis=1)

    def of_cells(self, values: np.ndarray) -> np.ndarray:
        """Return values per cell for its pairs."""
        return values[:, None]

    def of_centres(self, values: np.ndarray) -> np.ndarray:
        """Return values per centre for its pairs."""
        return values

    def load(self) -> np.ndarray:
        """Return what each centre draws, shape (k,)."""
        return self.per_centre(self.share * self.of_cells(self.workload))

    def miss(self) -> float:
        """Return the largest miss of a capacity, in mean capacities."""
        return float(np.abs(self.load() - self.capacity).max() / self.capacity.mean())

    def travel(self) -> float:
        """Return Σ workload × share × squared distance."""
        return float((self.of_cells(self.workload) * self.share * self.cost).sum())

    def middles(self) -> np.ndarray:
        """Return the workload's middle around each centre; a centre that draws nothing stays, shape (k, d)."""
        drawn = self.share * self.of_cells(self.workload)
        held = self.per_centre(drawn)
        middles = np.stack([self.per_centre(drawn * self.of_cells(place)) for place in self.points.T], axis=1)
        empty = held < 1e-9 * self.capacity.mean()
        return np.where(empty[:, None], self.centres, middles / np.where(empty, 1.0, held)[:, None])

    def local_scale(self) -> np.ndarray:
        """Return the mean cost around each cell, that of the territories it is shared between, shape (n,).

        The blur follows it, because a city's territories are a hundredth as wide as those around it.
        """
        drawn = self.share * self.of_cells(self.workload)
        held = self.per_centre(drawn)
        paid = self.per_centre(drawn * self.cost)
        own = paid / np.maximum(held, 1e-300)
        floor = 1e-6 * float(paid.sum() / held.sum()) + 1e-9
        return np.maximum(self.per_cell(self.share * self.of_centres(own)), floor)

    def balance(self, blur: float, enough: float = NEAR_ENOUGH) -> None:
        """Find prices and shares at `blur` × the local scale, from the prices at hand or else from zero.

        Centres may miss `enough` of the mean capacity. From zero the blur comes down in steps, each a good start for the next.
        """
        scale = self.local_scale()
        self._newton(blur * scale, 12, enough)
        if self.miss() < 0.05:
            return
        warm = self.miss(), self._state()
        self.price = np.zeros_like(self.price)
        for coarse in (3.0, 1.0, 0.3, 0.1, 0.05, 0.02):
            if coarse > blur:
                self._newton(coarse * scale, 20, enough)
        self._newton(blur * scale, 30, enough)
        if self.miss() > warm[0]:
            self._restore(warm[1])

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
        return self.price, self.share

    def _restore(self, state: tuple) -> None:
        """Take a step back."""
        self.price, self.share = state

    def _nearest(self) -> np.ndarray:
        """Return shares that give each cell to the centre nearest by price."""
        share = np.zeros(self.cost.shape)
        share[np.arange(len(share)), (self.cost - self.price).argmin(axis=1)] = 1.0
        return share

    def _shares(self, price: np.ndarray, blur: np.ndarray) -> tuple[np.ndarray, float]:
        """Return smoothed shares and the value of the smoothed dual."""
        gain = (price - self.cost) / blur[:, None]
        best = gain.max(axis=1, keepdims=True)
        np.exp(gain - best, out=gain)
        total = gain.sum(axis=1, keepdims=True)
        gain /= total
        least = blur * (best + np.log(total))[:, 0]
        return gain, float((self.workload * least).sum() - (self.capacity * price).sum())

    def _hessian(self, share: np.ndarray, stiffness: np.ndarray) -> np.ndarray:
        """Return the second derivative of the smoothed dual, made safe to invert, shape (k, k)."""
        pull = self.per_centre(share * stiffness[:, None])
        kept = share > 1e-7
        if kept.mean() < FEW_SHARED:
            starts = np.concatenate([[0], np.cumsum(kept.sum(axis=1))])
            matrix = csr_matrix((share[kept], np.nonzero(kept)[1], starts), shape=share.shape)
            coupled = (matrix.T @ matrix.multiply(stiffness[:, None]).tocsr()).toarray()
        else:
            # without BLAS, whose threads wait for each other on a busy machine and may round differently
            coupled = np.einsum("ui,uj->ij", share * stiffness[:, None], share)
        # prices count up to a constant: the small ones fix it
        return np.diag(pull * (1 + 1e-6) + 1e-9 * pull.mean()) - coupled + 1e-3 * pull.mean() / len(pull)

    def _newton(self, blur: np.ndarray, steps: int, enough: float = NEAR_ENOUGH) -> None:
        """Improve prices by at most `steps` damped Newton steps."""
        price = self.price
        share, value = self._shares(price, blur)
        stiffness = self.workload / blur
        for _ in range(steps):
            drawn = share * self.workload[:, None]
            load = self.per_centre(drawn)
            miss = load - self.capacity
            if np.abs(miss).max() < enough * self.capacity.mean() or self.watch.time_is_up():
                break
            step = solved(self._hessian(share, stiffness), miss)
            local = self.per_centre(drawn * blur[:, None]) / np.maximum(load, 1e-9 * self.capacity)
            longest = float((np.abs(step) / np.maximum(local, blur.min())).max())
            length = min(1.0, REACH / longest) if longest > 0 else 0.0
            for _ in range(12):
                trial = price - length * step
                trial_share, trial_value = self._shares(trial, blur)
                if trial_value < value - 1e-12 * abs(value):
                    break
                length /= 3
            else:
                break
            price, share, value = trial, trial_share, trial_value
        self.price, self.share = price - price.mean(), share


def solved(matrix: np.ndarray, right: np.ndarray) -> np.ndarray:
    """Return x for matrix · x = right, of a symmetric positive definite matrix, by elimination.

    LAPACK rounds differently with another number of threads, and plans must not depend on that.
    """
    work = np.column_stack([matrix, right])
    size = len(right)
    for row in range(size - 1):
        factor = work[row + 1 :, row] / work[row, row]
        work[row + 1 :, row + 1 :] -= factor[:, None] * work[row, row + 1 :]
    found = np.empty(size)
    for row in range(size - 1, -1, -1):
        found[row] = (work[row, size] - (work[row, row + 1 : size] * found[row + 1 :]).sum()) / work[row, row]
    return found
