"""What all pages are made of: the frame, boxes with a figure, tables, and bars on a common scale."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from html import escape
from pathlib import Path

from ..colours import INK

STYLE = f"""
* {{ box-sizing: border-box }}
body {{ font: 15px/1.45 system-ui, "Segoe UI", "Open Sans", sans-serif; color: {INK}; background: #fff;
       margin: 2.5rem auto; max-width: 62rem; padding: 0 1.5rem; overflow-wrap: anywhere }}
h1 {{ font-size: 1.7rem; line-height: 1.2; margin: 0 0 .2rem }} h2 {{ font-size: 1.1rem; margin: 2.2rem 0 .6rem }}
.lead, .note {{ color: #5b6b7a }} .lead {{ margin: 0 0 1.6rem }} .note {{ font-size: .82rem; margin: .4rem 0 }}
.facts {{ display: grid; gap: .8rem; grid-template-columns: repeat(auto-fill, minmax(8.6rem, 1fr)) }}
.fact {{ border: 1px solid #dfe5ea; border-radius: 8px; padding: .6rem 1rem }}
.fact b {{ display: block; font-size: 1.45rem; font-weight: 650 }} .fact span {{ color: #5b6b7a; font-size: .82rem }}
.good b {{ color: #1f6f9e }} .bad b {{ color: #b4532a }}
table {{ border-collapse: collapse; width: 100%; font-size: .88rem; font-variant-numeric: tabular-nums }}
th {{ text-align: right; font-weight: 600; color: #5b6b7a; border-bottom: 2px solid #dfe5ea; padding: .3rem .4rem;
     vertical-align: bottom; overflow-wrap: normal }}
td {{ text-align: right; border-bottom: 1px solid #edf1f4; padding: .3rem .4rem; vertical-align: top }}
th:first-child, td:first-child, .words td, .words th {{ text-align: left }}
td {{ white-space: nowrap }} td:first-child, .words td, .long td {{ white-space: normal }}
.words {{ table-layout: fixed }} .words th:first-child {{ width: 55% }}
tr.out td:first-child, .out .name {{ color: #b4532a; font-weight: 650 }}
.line {{ display: grid; grid-template-columns: 11rem 1fr 4.6rem; gap: 0 .7rem; align-items: center; padding: .12rem 0 }}
.line .name {{ text-align: right; line-height: 1.2 }}
.line .value {{ color: #5b6b7a; font-variant-numeric: tabular-nums; font-size: .88rem }}
.track {{ position: relative; height: 1rem; background: #f5f7f9 }} .track i {{ position: absolute; display: block }}
.band {{ top: 0; bottom: 0; background: #dcebf4 }}
.zero {{ top: 0; bottom: 0; left: 50%; border-left: 1px solid #9aa7b2 }}
.bar {{ top: 2px; bottom: 2px; border-radius: 2px; background: #2f86b5 }} .out .bar {{ background: #e0a458 }}
.link {{ top: 50%; border-top: 2px solid #9aa7b2 }}
.dot {{ top: 50%; width: .7rem; height: .7rem; margin: -.35rem; border-radius: 50%; background: #2f86b5 }}
.out .after {{ background: #b4532a }} .before {{ background: #fff; border: 2px solid #e0a458 }}
.drawing {{ position: relative }} .drawing svg {{ display: block; width: 100%; height: auto }}
.spot {{ position: absolute; transform: translate(-50%, -50%); text-align: center; white-space: nowrap;
        font: 600 12px/1.15 system-ui, "Segoe UI", "Open Sans", sans-serif; pointer-events: none;
        text-shadow: 0 0 3px #fff, 0 0 3px #fff, 0 0 3px #fff, 0 0 2px #fff }}
.spot small {{ display: block; font-weight: 400 }}
.ends {{ display: flex; justify-content: space-between }} details summary {{ cursor: pointer; margin: .8rem 0 .4rem }}
@media (max-width: 1000px) {{ .spot.roomy {{ display: none }} }}
@media (max-width: 640px) {{
  body {{ margin: 1.2rem auto; padding: 0 1rem }} h1 {{ font-size: 1.35rem }} .facts {{ gap: .5rem }}
  .line {{ grid-template-columns: 1fr 4.6rem; padding: .3rem 0 }} .line .name {{ grid-column: 1 / 3; text-align: left }}
  .drawing {{ width: 100% !important }}
  .cards tr:first-child {{ display: none }} .cards, .cards tbody {{ display: block }}
  .cards tr {{ display: grid; grid-template-columns: 1fr 1fr; gap: 0 1rem; padding: .6rem 0;
              border-bottom: 2px solid #dfe5ea }}
  .cards td {{ display: flex; justify-content: space-between; gap: .5rem; border: 0; padding: .1rem 0 }}
  .cards td:first-child {{ grid-column: 1 / 3; font-weight: 650; white-space: normal }}
  .cards td:not(:first-child)::before {{ content: attr(data-of); color: #5b6b7a; text-align: left;
                                        white-space: normal }}
}}
@media print {{ body {{ margin: 0; max-width: none }} .fact, .line, tr {{ break-inside: avoid }} }}
"""


def write_page(path: str, title: str, body: Iterable[str]) -> None:
    """Write one HTML page that needs nothing beside it."""
    page = (
        '<!DOCTYPE html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{escape(title)}</title><style>{STYLE}</style></head><body>{''.join(body)}</body></html>\n"
    )
    Path(path).write_text(page, encoding="utf-8")


def facts(boxes: Iterable[tuple[object, str, bool | None]]) -> str:
    """Return boxes of (figure, what it is, whether that is good; None where it is neither)."""
    kind = {True: " good", False: " bad", None: ""}
    inside = "".join(
        f'<div class="fact{kind[good]}"><b>{escape(str(value))}</b><span>{escape(label)}</span></div>'
        for value, label, good in boxes
    )
    return f'<div class="facts">{inside}</div>'


def table(head: Sequence[str], rows: Iterable[Sequence[object]], kind="cards", marked: Iterable[bool] = ()) -> str:
    """Return a table; on a phone each row of a table of kind ``cards`` is a card with the headings in it.

    Parameters
    ----------
    head : sequence of str
    rows : iterable of sequence
    kind : str
        ``cards``, ``cards long`` where cells hold text, or ``words`` for two columns of text that stay columns.
    marked : iterable of bool
        Which rows need a look.
    """
    top = "".join(f"<th>{escape(text)}</th>" for text in head)
    marks = list(marked)
    lines = []
    for at, row in enumerate(rows):
        cells = "".join(
            f"<td{told(text) if kind.startswith('cards') else ''}>{escape(str(cell))}</td>"
            for text, cell in zip(head, row)
        )
        lines.append(f"<tr{' class=out' if marks and marks[at] else ''}>{cells}</tr>")
    return f'<table class="{kind}"><tbody><tr>{top}</tr>{"".join(lines)}</tbody></table>'


def told(heading: str) -> str:
    return f' data-of="{escape(heading)}"'


def line(name: str, inside: str, value: str, out: bool) -> str:
    """Return a named line with a drawing on a common scale and a figure."""
    return (
        f'<div class="line{" out" if out else ""}"><span class="name">{escape(name)}</span>'
        f'<span class="track">{inside}</span><span class="value">{escape(value)}</span></div>'
    )


def share(value: float, reach: float) -> float:
    """Return where a value from −reach to reach lies, in percent of the width."""
    return round(50 + 50 * value / reach, 2)


def scale(band: float, reach: float) -> str:
    """Return the shaded band within the tolerance, and the line of no deviation."""
    left, width = share(-band, reach), round(100 * band / reach, 2)
    return f'<i class="band" style="left:{left}%;width:{width}%"></i><i class="zero"></i>'
