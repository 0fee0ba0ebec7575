"""Progress and cancellation, passed into long computations as two callables.

``progress(fraction, text)`` takes the share done, 0 to 1, and what is being done; ``cancelled()``
answers whether the user wants to stop. A computation that is told to stop raises `Cancelled`.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

Progress = Callable[[float, str], None]
IsCancelled = Callable[[], bool]
Item = TypeVar("Item")


class Cancelled(Exception):
    """The user asked to stop; nothing was written."""


def ignore(fraction: float, text: str = "") -> None:
    """Report progress to nobody."""


def never() -> bool:
    """Answer that nobody wants to stop."""
    return False


def part(progress: Progress, start: float, stop: float) -> Progress:
    """Return a progress whose 0 to 1 is the stretch `start` to `stop` of `progress`."""

    def report(fraction: float, text: str = "") -> None:
        progress(start + (stop - start) * fraction, text)

    return report


def stop_if(cancelled: IsCancelled) -> None:
    """Raise `Cancelled` when the user asked to stop."""
    if cancelled():
        raise Cancelled


def until_cancelled(items: Iterable[Item], cancelled: IsCancelled, every: int = 1000) -> Iterator[Item]:
    """Yield items, and ask before the first and after some of them whether the user wants to stop.

    Raises
    ------
    Cancelled
    """
    for number, item in enumerate(items):
        if number % every == 0:
            stop_if(cancelled)
        yield item
