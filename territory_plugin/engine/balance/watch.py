"""The clock, the cancel button and the progress bar that all phases share."""

from __future__ import annotations

from collections.abc import Callable
from time import perf_counter

from ..progress import IsCancelled, Progress, ignore, never, stop_if


class Watch:
    """Says when to stop; a passed deadline ends phases early, a cancel raises or does the same.

    Parameters
    ----------
    time_limit : float, optional
        Seconds from now after which phases end with what they have.
    progress, cancelled : callables
        As in `engine.progress`.
    clock : callable
        Seconds that only go forward.
    keeps : bool
        Whether a cancel ends phases early, as a deadline does, instead of raising.

    Attributes
    ----------
    stopped : bool
        Whether the deadline or a cancel has ended the search.
    was_cancelled : bool
        Whether it was a cancel.
    """

    def __init__(
        self,
        time_limit: float | None = None,
        progress: Progress = ignore,
        cancelled: IsCancelled = never,
        clock: Callable[[], float] = perf_counter,
        keeps: bool = False,
    ) -> None:
        self._clock = clock
        self.deadline = None if time_limit is None else clock() + time_limit
        self.progress = progress
        self.cancelled = cancelled
        self.keeps = keeps
        self.stopped = self.was_cancelled = False

    def time_is_up(self) -> bool:
        """Answer whether to end now; raises `Cancelled` when the user asked to stop and wants nothing."""
        if not self.keeps:
            stop_if(self.cancelled)
        elif self.cancelled():
            self.stopped = self.was_cancelled = True
        if self.deadline is not None and self._clock() >= self.deadline:
            self.stopped = True
        return self.stopped

    def remaining(self, most: float) -> float:
        """Return the seconds that are left, at most `most`."""
        return most if self.deadline is None else max(0.0, min(most, self.deadline - self._clock()))

    def part(self, start: float, stop: float) -> Watch:
        """Return the same watch whose progress is the stretch `start` to `stop` of this one's."""
        return _Part(self, start, stop)


class _Part(Watch):
    """A stretch of another watch."""

    def __init__(self, whole: Watch, start: float, stop: float) -> None:
        self._whole, self._start, self._stop = whole, start, stop

    def progress(self, fraction: float, text: str = "") -> None:
        self._whole.progress(self._start + (self._stop - self._start) * min(1.0, max(0.0, fraction)), text)

    def time_is_up(self) -> bool:
        return self._whole.time_is_up()

    def remaining(self, most: float) -> float:
        return self._whole.remaining(most)

    @property
    def stopped(self) -> bool:
        return self._whole.stopped


class Silent(_Part):
    """A watch that stops as its whole does, and says nothing."""

    def __init__(self, whole: Watch) -> None:
        super().__init__(whole, 0.0, 1.0)

    def progress(self, fraction: float, text: str = "") -> None:
        """Report to nobody."""
