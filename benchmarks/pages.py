"""The way of a benchmark that measures several tables and makes a page of them."""

from __future__ import annotations

import argparse
from collections.abc import Callable, Mapping
from pathlib import Path

from .judge import load


def wishes_parser(doc: str, name: str, tables: Mapping) -> argparse.ArgumentParser:
    """Return a parser with where the data are, which tables to measure, and where to write the page."""
    parser = argparse.ArgumentParser(description=doc, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=Path(__file__).resolve().parents[2] / "shared" / "data")
    parser.add_argument("--tables", nargs="+", choices=list(tables), default=list(tables))
    parser.add_argument("--write", type=Path, nargs="?", const=Path(f"docs/benchmarks/{name}.md"))
    return parser


def publish(tables: Mapping[str, Callable], page: Callable, wishes: argparse.Namespace) -> None:
    """Measure the wished tables, print the page, and write it if wished.

    Parameters
    ----------
    tables : mapping of str to callable
        From the wishes to rows.
    page : callable
        From the rows by table, the machine's loads on the way, and the wishes to the text.
    wishes : Namespace
    """
    rows, loads = {}, [load()]
    for name in wishes.tables:
        rows[name] = tables[name](wishes)
        loads.append(load())
    text = page(rows, loads, wishes)
    put(text, wishes.write)


def put(text: str, where: Path | None) -> None:
    """Print a page, and write it if told where."""
    print(text)
    if where:
        where.parent.mkdir(parents=True, exist_ok=True)
        where.write_text(text, encoding="utf-8")
