"""Connected sets of few units as bits, listed one by one: quick where loads leave few of them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np


def list_connected(
    around: Sequence[int],
    workload: Sequence[float],
    low: float,
    high: float,
    most: int,
    border: int = 0,
    beside: int = 0,
    room: float = 0.0,
    enough: int | None = None,
) -> tuple[list[int] | None, int, float]:
    """Return connected sets of units whose workload is from `low` to `high`, each once.

    A set grows from its first unit by later ones; what was passed over once is not taken up again. With the
    heaviest units first, few sets grow before they are too heavy.

    Parameters
    ----------
    around : sequence of int, length n
        Units that each unit touches, as bits.
    workload : sequence of float, length n
        Best in falling order.
    low, high : float
    most : int
        Sets that are looked at.
    border : int
        Units, as bits; sets that hold one of them count below `low`, too.
    beside : int
        Units, as bits; sets that hold one of them count up to `room`, too.
    room : float
    enough : int, optional
        Sets that are returned at most; when there are more, it is as if there were too many to look at.

    Returns
    -------
    sets : list of int, or None
        As bits; None when there are more than `most`.
    seen : int
        Sets that were looked at.
    done : float
        Share of the units whose sets were all found: 1, but where there are too many.

    References
    ----------
    Wernicke (2006), Efficient detection of network motifs, IEEE/ACM Transactions on Computational Biology and
    Bioinformatics 3 (4): algorithm ESU.
    """
    found: list[int] = []
    seen = 0
    for root in range(len(around)):
        if workload[root] > high:
            continue
        later = -1 << (root + 1)
        stack = [(1 << root, around[root] & later, around[root] | 1 << root, workload[root])]
        while stack:
            inside, ahead, touched, load = stack.pop()
            seen += 1
            if load >= low or inside & border or (inside & beside and load <= room):
                found.append(inside)
            while ahead:
                bit = ahead & -ahead
                ahead ^= bit
                unit = bit.bit_length() - 1
                heavier = load + workload[unit]
                if heavier <= high:
                    near = around[unit]
                    stack.append((inside | bit, ahead | (near & later & ~touched), touched | near, heavier))
            if seen + len(stack) > most or (enough is not None and len(found) > enough):
                return None, seen + len(stack), root / len(around)
    return found, seen, 1.0


def units_in(bits: int) -> list[int]:
    """Return the units of a set given as bits, in rising order."""
    found = []
    while bits:
        bit = bits & -bits
        found.append(bit.bit_length() - 1)
        bits ^= bit
    return found


def touched(bits: int, around: Sequence[int]) -> int:
    """Return what the units of a set touch, as bits; its own units are among them where they touch each other."""
    found = 0
    for unit in units_in(bits):
        found |= around[unit]
    return found


def reached(first: int, within: int, around: Sequence[int]) -> int:
    """Return what some units are connected to within others, all as bits."""
    reach = ahead = first
    while ahead:
        unit = ahead & -ahead
        grown = around[unit.bit_length() - 1] & within & ~reach
        reach |= grown
        ahead = ahead ^ unit | grown
    return reach


def is_connected(bits: int, around: Sequence[int]) -> bool:
    """Answer whether a set of units, as bits, is connected and not empty."""
    return reached(bits & -bits, bits, around) == bits and bits != 0


def parts_of(bits: int, around: Sequence[int]) -> list[int]:
    """Return the connected parts of a set of units, all as bits."""
    parts = []
    while bits:
        parts.append(reached(bits & -bits, bits, around))
        bits &= ~parts[-1]
    return parts


def as_rows(sets: Sequence[int], count: int) -> np.ndarray:
    """Return sets as rows of truth values, shape (sets, count)."""
    size = -(-count // 8)
    data = np.frombuffer(b"".join(each.to_bytes(size, "little") for each in sets), dtype=np.uint8)
    return np.unpackbits(data.reshape(len(sets), size), axis=1, count=count, bitorder="little").astype(bool)
