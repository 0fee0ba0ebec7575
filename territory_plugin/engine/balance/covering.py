"""Set partitioning: the cheapest sets that hold each unit once, by linear programs and branches of our own.

Where sets are connected and near a target, the relaxation is all but whole: a few small linear programs replace an
integer one, a tenth of its time. Costs with a little chance in them have one best vertex, which every version of
the solver finds; what is branched on depends on that vertex alone.

References: Garfinkel & Nemhauser (1969), The set-partitioning problem, Operations Research 17 (5); Ryan & Foster
(1981), An integer programming approach to scheduling, in Wren (ed.), Computer Scheduling of Public Transport.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from scipy.optimize import linprog
from scipy.sparse import csr_array

from .watch import Watch

SECONDS = 5.0
"""Of one linear program, at most: a stop for machines that are in trouble."""
WHOLE = 1e-6
ASKED, AT_ONCE = (16, 128), 256
"""Sets that are asked first and next, and the others so many at a time."""


def cheapest_cover(
    sets: np.ndarray,
    cost: np.ndarray,
    must: np.ndarray,
    k: int | None,
    most: float,
    nodes: int,
    gap: float,
    watch: Watch,
) -> np.ndarray | None:
    """Return sets that hold each unit once, the cheapest but for a gap, None where none was found.

    Parameters
    ----------
    sets : ndarray of bool, shape (s, n)
        None of them empty.
    cost : ndarray of float, shape (s,)
    must : ndarray of bool, shape (n,)
        Units that have to be held; the others may be left.
    k : int or None
        Sets of a plan, None for any number.
    most : float
        Plans that cost more are of no interest.
    nodes : int
        Linear programs that are solved at most.
    gap : float
        What is cheaper by no more than this is not looked for.
    watch : Watch

    Returns
    -------
    chosen : ndarray of int, or None
    """
    best = None
    stack = [np.arange(len(sets))]
    while stack and nodes > 0 and not watch.time_is_up():
        among = stack.pop()
        nodes -= 1
        share, value, reduced = _relaxed(sets[among], cost[among], must, k, watch)
        if share is None or value > most:
            continue
        taken = np.flatnonzero(share > WHOLE)
        if (share[taken] > 1 - WHOLE).all():
            best, most = among[taken], value - gap
            continue
        pair, single = _pair(sets[among[taken]], share[taken]), among[taken[share[taken].round(5).argmin()]]
        # what costs so much more than the relaxation cannot be part of a plan that is of interest
        among = among[reduced <= most - value + WHOLE]
        if pair is None:
            # fractions that no two units tell apart: of units that may be left
            meets = (sets[among] & sets[single]).any(axis=1)
            stack += [among[~meets | (among == single)], among[among != single]]
            continue
        one, other = sets[among[:, None], pair].T
        # the last is looked at first
        stack += [among[~(one & other)], among[one == other]]
    return best


def consistent(sets: np.ndarray, must: int) -> np.ndarray:
    """Return the sets that leave each unit a set to be held by, and those of them that do so among these, and so on.

    None is left where no choice of the sets holds each unit once; often that tells it without any search.

    Parameters
    ----------
    sets : ndarray of bool, shape (s, n)
    must : int
        Units that have to be held, the first of the n; the others may be left.

    Returns
    -------
    left : ndarray of int
        Rows of the sets, in rising order.

    References
    ----------
    Mackworth (1977), Consistency in networks of relations, Artificial Intelligence 8 (1).
    """
    # small sets first: most are beside one of the first that are asked
    left = np.argsort(sets.sum(axis=1), kind="stable")
    held = sets[left]
    bits, asked = _as_words(held), np.zeros(must, dtype=int)
    while True:
        holders = held[:, :must].sum(axis=0)
        if not holders.all():
            return left[:0]
        # units that few sets hold say most; those that lost none since they were asked would say the same
        changed = np.flatnonzero(holders != asked)
        if not len(changed):
            break
        for unit in changed[np.argsort(holders[changed], kind="stable")].tolist():
            stays = held[:, unit].copy()
            holding = np.flatnonzero(stays)
            if not len(holding):
                return left[:0]
            lost, first = np.flatnonzero(~stays), 0
            for last in (*ASKED, *range(AT_ONCE, len(holding) + AT_ONCE, AT_ONCE)):
                lost = lost[_meet(bits[lost], bits[holding[first:last]]).all(axis=1)]
                first = last
                if not len(lost) or first >= len(holding):
                    break
            asked[unit] = len(holding)
            if len(lost):
                stays[:] = True
                stays[lost] = False
                left, held, bits = left[stays], held[stays], bits[stays]
    return np.sort(left)


def _as_words(sets: np.ndarray) -> np.ndarray:
    """Return sets as bits of whole words, shape (sets, words)."""
    packed = np.packbits(sets, axis=1)
    return np.pad(packed, ((0, 0), (0, -packed.shape[1] % 8))).view(np.uint64)


def _meet(some: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Return which sets have a unit in common with which others, all as words, shape (some, others)."""
    common = np.zeros((len(some), len(others)), dtype=bool)
    for mine, theirs in zip(some.T, others.T):
        common |= (mine[:, None] & theirs) != 0
    return common


def exact_cover(sets: Sequence[int], count: int, most: int) -> bool | None:
    """Answer whether some of the sets hold each unit once, None where that takes too long to tell.

    The first unit that is left is covered in turn by each set that begins with it; what was left once in vain is not
    tried again.

    Parameters
    ----------
    sets : sequence of int
        As bits; each holds one of the units that have to be held.
    count : int
        Units that have to be held, the first ones; others may be left.
    most : int
        Sets that are tried.

    References
    ----------
    Knuth (2000), Dancing links, in Millennial Perspectives in Computer Science: algorithm X.
    """
    begin: list[list[int]] = [[] for _ in range(count)]
    for each in sets:
        begin[(each & -each).bit_length() - 1].append(each)
    stack, known = [0], {0}
    while stack:
        held = stack.pop()
        first = (~held & held + 1).bit_length() - 1
        if first >= count:
            return True
        most -= len(begin[first])
        if most < 0:
            return None
        fresh = {held | each for each in begin[first] if not held & each} - known
        known |= fresh
        stack += sorted(fresh)
    return False


def _relaxed(sets, cost, must, k: int | None, watch: Watch) -> tuple[np.ndarray | None, float, np.ndarray | None]:
    """Return the share of each set in the cheapest choice of fractions, its cost, and what each set costs beyond."""
    if len(sets) < (k or 1) or not sets[:, must].any(axis=0).all():
        return None, 0.0, None
    rows, sums = sets[:, must].T, np.ones(int(must.sum()))
    if k is not None:
        rows, sums = np.concatenate([rows, np.ones((1, len(sets)), dtype=bool)]), np.r_[sums, k]
    found = linprog(
        cost,
        A_ub=csr_array(sets[:, ~must].T.astype(float)) if not must.all() else None,
        b_ub=np.ones(int((~must).sum())) if not must.all() else None,
        A_eq=csr_array(rows.astype(float)),
        b_eq=sums,
        bounds=(0, None),
        method="highs-ds",
        options={"presolve": False, "time_limit": max(0.1, watch.remaining(SECONDS))},
    )
    if found.status != 0:
        return None, 0.0, None
    return found.x, float(found.fun), found.lower.marginals


def _pair(sets: np.ndarray, share: np.ndarray) -> list[int] | None:
    """Return two units that are together in most fractions, but not in all."""
    together = np.einsum("s,su,sv->uv", share, sets.astype(float), sets.astype(float), optimize=False)
    held = np.diag(together)
    # always together, or both left
    together[together > np.maximum(held[:, None], held) - 10 * WHOLE] = 0.0
    together[np.tril_indices(len(together))] = 0.0
    at = int(together.round(5).argmax())
    one, other = divmod(at, len(together))
    return [one, other] if together[one, other] > 10 * WHOLE else None
