"""What runs that were killed have left: folders and tables that outputs were written in."""

from __future__ import annotations

import contextlib
import os
import shutil
import sqlite3
import time
from pathlib import Path

from ..engine.errors import TerritoryError
from ..engine.tables.numbers import published_number
from .geopackage import TABLE_ASIDE, drop_tables, forget_tables, registered_tables
from .moving import ASIDE, BEFORE, MOVING, move_all

_DAY = 86_400


def clear_leftovers(folder: Path) -> None:
    """Delete what runs that were killed have left in a folder; files that were on their way are put in place."""
    for aside in folder.glob(f"{ASIDE}*-*"):
        if not aside.is_dir() or lives(aside.name[len(ASIDE) :].partition("-")[0], aside):
            continue
        if (aside / MOVING).exists():
            try:
                shutil.rmtree(aside / BEFORE, ignore_errors=True)
                move_all(folder, aside, [])
            except (OSError, TerritoryError):  # another program has one of them open: the next run tries again
                continue
        shutil.rmtree(aside, ignore_errors=True)


def clear_leftover_tables(path: Path) -> None:
    """Delete the tables that runs that were killed have left in a GeoPackage."""
    with contextlib.suppress(RuntimeError, sqlite3.Error):
        left = [
            name for name in registered_tables(path)
            if name.startswith(TABLE_ASIDE) and not lives(name[len(TABLE_ASIDE) :].partition("_")[0], path)
        ]  # fmt: skip
        if left:
            drop_tables(path, left)
            forget_tables(path, left)


def lives(process: str, path: Path | None = None) -> bool:
    """Answer whether the process that wrote something, to a file or to a database, may still be at work."""
    if not process.isdigit():
        return True
    if os.name == "nt":  # asking for a process by a signal would end it there
        return path is None or time.time() - path.stat().st_mtime < _DAY
    if process == str(os.getpid()):
        return True
    return Path("/proc", process).exists() if Path("/proc/self").exists() else _answers(process)


def _answers(process: str) -> bool:
    try:
        os.kill(int(published_number(process)), 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True
