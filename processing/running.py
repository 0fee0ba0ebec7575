"""The runs that are under way, so that a plugin that goes can end them first."""

from __future__ import annotations

from contextlib import contextmanager

_runs: list = []


@contextmanager
def noted(feedback):
    """Count a run as under way while the block runs, in whatever thread."""
    _runs.append(feedback)
    try:
        yield
    finally:
        _runs.remove(feedback)


def cancel_all() -> bool:
    """Cancel every run, and answer whether there is any."""
    runs = list(_runs)
    for feedback in runs:
        feedback.cancel()
    return bool(runs)
