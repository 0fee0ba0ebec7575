"""The report page is sound HTML, says what the frame says, and lets no name break it."""

from __future__ import annotations

from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from healthcare_territories.territory_plugin.engine import alignment, report
from healthcare_territories.territory_plugin.engine.measures import Summary
from healthcare_territories.territory_plugin.engine.report import COLUMNS, write_report
from hypothesis import given, settings
from hypothesis import strategies as st

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order, texts and cells collected."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.cells, self.drawn = [], [], [], [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert len({name for name, _ in attributes}) == len(attributes)
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
            {"td": self.cells, "text": self.drawn}.get(self.open[-1], []).append(data)


def frame(names, deviation=None, reasons=None, **columns):
    """Return a frame of territories like the one that the algorithms give."""
    n = len(names)
    deviation = np.zeros(n) if deviation is None else np.array(deviation, dtype=float)
    return pd.DataFrame(
        {
            "territory": names, "workload": 1234.5 * (1 + deviation / 100), "target": np.full(n, 1234.5),
            "index": 100 + deviation, "deviation_pct": deviation, "within": np.abs(deviation) <= 5,
            "reason": [None] * n if reasons is None else reasons, "units": np.arange(n) + 3,
            "providers": np.arange(n) + 7.0, "parts": np.ones(n, dtype=int), "area_km2": np.full(n, 12345.6),
            "polsby_popper": np.full(n, 0.37), "reock": np.full(n, 0.42), "rms_km": np.full(n, 21.3),
            **columns,
        }
    )  # fmt: skip


def overall(table, **other):
    return asdict(
        Summary(
            **{
                "territories": len(table), "max_deviation_pct": float(np.abs(table["deviation_pct"]).max()),
                "within_pct": 100 * float(table["within"].mean()), "cut_edges": 1234, "rms_km": 21.3,
                "connected": True, "unassigned": 0, "total_workload": float(table["workload"].sum()), **other,
            }
        )
    )  # fmt: skip


@pytest.fixture
def page(tmp_path):
    def read(table, tolerance=0.05, title="Territory report", **other):
        path = tmp_path / "report.html"
        write_report(str(path), table, overall(table, **other), tolerance, title)
        text = path.read_text(encoding="utf-8")
        assert text.startswith("<!DOCTYPE html>")
        return Page(text)

    return read


def test_every_territory_is_shown_in_the_bars_and_in_the_table(page):
    names = [f"T{at:02d}" for at in range(1, 61)]
    deviation = np.linspace(-30, 30, 60)
    found = page(frame(names, deviation))
    assert [text for text in found.drawn if text in names] == names
    assert [cell for cell in found.cells if cell in names] == names
    assert found.tags.count("svg") == 1


def test_the_figures_are_those_of_the_frame(page):
    table = frame(["T1", "T2"], [8.04, -8.04], ["8.0 % over target", "8.0 % under target"])
    found = page(table, within_pct=0.0)
    row = found.cells[:12]
    assert row == ["T1", "1,333.8", "1,234.5", "108", "+8.0 %", "3", "7", "1", "12,346", "0.37", "0.42", "21.3"]
    assert "-8.0 %" in found.cells
    text = " ".join(found.texts)
    for fact in ("8.0 %", "0 %", "1,234", "21.3 km", "±5 %", "8.0 % under target"):
        assert fact in text
    assert len(row) == len(COLUMNS)


def test_reasons_stand_apart_only_where_there_are_some(page):
    assert "What needs a look" not in " ".join(page(frame(["T1"])).texts)
    found = page(frame(["T1", "T2"], [0, 40], [None, "19104 alone outweighs the target"]))
    assert "What needs a look" in found.texts
    assert "19104 alone outweighs the target" in found.cells


def test_units_without_a_territory_are_told(page):
    assert any("17 units have no territory" in text for text in page(frame(["T1"]), unassigned=17).texts)


def test_a_column_without_values_is_left_out(page):
    found = page(frame(["T1"], providers=[np.nan]))
    assert "Providers" not in found.texts
    assert "Units" in found.texts


def test_a_gap_is_an_empty_cell_and_not_nan(page):
    found = page(frame(["T1", "T2"], [0, 0], rms_km=[1.5, np.nan], deviation_pct=[0, np.nan]))
    assert not [text for text in found.texts if "nan" in text.lower()]


NASTY = ["<script>alert(1)</script>", 'a" onload="x', "R&D", "</td></table>", "{name}", "%s", "Ünïcødé 東京", "'"]


def test_names_and_reasons_are_escaped(page):
    plain = page(frame([f"T{at}" for at in range(len(NASTY))], reasons=["why"] * len(NASTY)))
    found = page(frame(NASTY, reasons=NASTY), title="<b>Q1</b> & Q2")
    assert found.tags == plain.tags  # no element comes from a name
    for name in NASTY:
        assert found.drawn.count(name) == 1
        assert found.cells.count(name) == 3  # table, list of reasons, the reason itself
    assert found.texts.count("<b>Q1</b> & Q2") == 2


@settings(max_examples=60, deadline=None)
@given(st.data())
def test_any_page_is_well_formed(tmp_path_factory, data):
    n = data.draw(st.integers(1, 6))
    text = st.text(st.characters(exclude_categories=("Cs", "Cc")), max_size=12)
    number = st.one_of(st.just(float("nan")), st.floats(-1e6, 1e6))
    table = frame(
        data.draw(st.lists(text, min_size=n, max_size=n)),
        data.draw(st.lists(number, min_size=n, max_size=n)),
        data.draw(st.lists(st.one_of(st.none(), text), min_size=n, max_size=n)),
    )
    path = tmp_path_factory.mktemp("report") / "report.html"
    write_report(str(path), table, overall(table), data.draw(st.floats(0, 1)))
    Page(path.read_text(encoding="utf-8"))


def test_bars_lie_on_the_side_of_their_deviation(page, tmp_path):
    """Under target to the left of the middle line, over target to the right, within the drawing."""
    write_report(str(tmp_path / "bars.html"), *(lambda t: (t, overall(t)))(frame(["A", "B", "C"], [-20, 0, 10])), 0.05)

    class Bars(HTMLParser):
        rects, middle, box = [], None, None

        def handle_starttag(self, tag, attributes):
            found = dict(attributes)
            if tag == "svg":
                self.box = [float(number) for number in found["viewbox"].split()]
            if tag == "line":
                self.middle = float(found["x1"])
            if tag == "rect" and "rx" in found:
                self.rects.append((float(found["x"]), float(found["width"])))

        handle_startendtag = handle_starttag

    bars = Bars()
    bars.feed((tmp_path / "bars.html").read_text(encoding="utf-8"))
    (under, under_width), (_, none_width), (over, over_width) = bars.rects
    assert under + under_width == pytest.approx(bars.middle, abs=0.2)
    assert over == pytest.approx(bars.middle, abs=0.2)
    assert under_width == pytest.approx(2 * over_width, abs=0.3)
    assert none_width <= 1
    assert under >= bars.box[0]
    assert over + over_width <= bars.box[2]


# --- what a rebalancing did


def change(current="AAAB", proposed="AABB", accounts=None, cap=None, flow=0.225, **more):
    """Return a change of four units of workload 10, with the bounds given."""
    load = [10.0] * len(current)
    return report.Change(
        disruption={"workload": 0.25}, least=0.2, flow=flow, cap=cap,
        moves=alignment.moves([f"u{at}" for at in range(len(load))], current, proposed, load, accounts),
        gained_lost=alignment.gained_lost(current, proposed, load, accounts), **more,
    )  # fmt: skip


@pytest.fixture
def sections(tmp_path):
    def read(change, tolerance=0.05):
        path = tmp_path / "report.html"
        table = frame(["A", "B"])
        write_report(str(path), table, overall(table), tolerance, sections=report.change_sections(change, tolerance))
        return Page(path.read_text(encoding="utf-8"))

    return read


def test_what_changes_hands_is_told(sections):
    text = " ".join(sections(change()).texts)
    for words in (
        "What changes hands", "25.0 %", "22.5 %", "20.0 %", "2 of 2", "names stay", "Before and after",
        "Gained and lost", "From whom to whom",
    ):  # fmt: skip
        assert words in text
    assert "What more disruption would buy" not in text


def test_a_flow_bound_above_what_moves_is_no_bound_and_not_shown(sections):
    """It counts again what passes on through several territories, which a plan need not do."""
    assert "by the flow bound" in " ".join(sections(change(flow=0.25)).texts)
    text = " ".join(sections(change(flow=0.6)).texts)
    assert "flow bound" not in text
    assert "of workload has to, proven" in text


def test_gained_and_lost_are_those_of_the_frame(sections):
    cells = sections(change(accounts=[1, 0, 5, 0])).cells
    at = cells.index("A")
    assert cells[at : at + 13] == [
        "A", "30.0", "20.0", "0.0", "10.0", "20.0", "+50.0 %", "+0.0 %", "67 %", "0", "1", "0", "5",
    ]  # fmt: skip
    assert cells[cells.index("A", at + 1) :][:5] == ["A", "B", "1", "10.0", "5"]


def test_the_trade_off_is_drawn_once_for_each_plan(sections):
    """The last two caps buy no more; the first cannot be kept at all."""
    nan = float("nan")
    curve = pd.DataFrame({"cap_pct": [0, 2, 5, 10], "reached_pct": [nan, 7.5, 4.75, 4.75], "used_pct": [nan, 2, 3, 3]})
    found = sections(change(trade_off=curve, cap=0.1, messages=["T1 <is> in parts."]))
    assert found.drawn.count("3.0 % → ±4.8 %") == 1
    assert "2.0 % → ±7.5 %" in found.drawn
    assert "none found" in found.cells
    assert "T1 <is> in parts." in found.texts
    assert "10 %" in found.texts


def test_new_and_given_up_territories_have_one_end_each(sections):
    found = sections(change("AABB", "AACC"))
    assert [cell for cell in found.cells if cell == "new"] == ["new"]
    assert found.tags.count("circle") == 2 + 1 + 1


def test_nothing_changes_hands(sections):
    assert "From whom to whom" not in sections(change("AABB", "AABB")).texts


def test_units_that_nobody_had(sections):
    found = sections(change([None, "A", "A", "B"], "AAAB"))
    assert "(nobody)" in found.cells
    assert "units had no territory" in " ".join(found.texts)
