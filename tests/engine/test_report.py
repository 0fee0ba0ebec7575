"""The report page is sound HTML, says what the frame says, and lets no name break it."""

from __future__ import annotations

import itertools
import re
from dataclasses import asdict
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
import shapely
from healthcare_territories.territory_plugin.engine import alignment, report
from healthcare_territories.territory_plugin.engine.colours import PALETTE
from healthcare_territories.territory_plugin.engine.measures import Summary
from healthcare_territories.territory_plugin.engine.report import COLUMNS, write_report
from hypothesis import given, settings
from hypothesis import strategies as st

VOID = {"meta", "br", "hr", "img", "link", "input"}


class Page(HTMLParser):
    """Reads a page strictly: every element closed in order, texts and cells collected."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.open, self.tags, self.texts, self.cells, self.classes, self.classed = [], [], [], [], [], {}
        self.marks, self.attributes = [], []
        self.feed(text)
        self.close()
        assert self.open == [], f"never closed: {self.open}"

    def handle_starttag(self, tag, attributes):
        self.tags.append(tag)
        assert len({name for name, _ in attributes}) == len(attributes)
        found = dict(attributes)
        self.marks.append((found.get("class", ""), found.get("style", "")))
        self.attributes += attributes
        if tag not in VOID:
            self.open.append(tag)
            self.classes.append(found.get("class", tag))

    def handle_startendtag(self, tag, attributes):
        self.tags.append(tag)

    def handle_endtag(self, tag):
        assert self.open, f"</{tag}> closes nothing"
        assert self.open.pop() == tag, f"</{tag}> closes another element"
        self.classes.pop()

    def handle_data(self, data):
        if self.open and self.open[-1] != "style":
            self.texts.append(data)
            {"td": self.cells}.get(self.open[-1], []).append(data)
            self.classed.setdefault(self.classes[-1], []).append(data)


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
    assert found.classed["name"] == names
    assert [cell for cell in found.cells if cell in names] == names
    assert found.classed["value"][0] == "-30.0 %"


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
        assert found.classed["name"].count(name) == 1
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


def test_bars_lie_on_the_side_of_their_deviation(page):
    """Under target to the left of the middle line, over target to the right, within the drawing."""
    found = page(frame(["A", "B", "C"], [-20, 0, 10]))
    ends = [
        tuple(float(part.partition(":")[2].rstrip("%")) for part in style.split(";"))
        for mark, style in found.marks if mark == "bar"
    ]  # fmt: skip
    (under, under_width), (none, none_width), (over, over_width) = ends
    assert under + under_width == pytest.approx(50, abs=0.1)
    assert over == pytest.approx(50, abs=0.1) == none
    assert under_width == pytest.approx(2 * over_width, abs=0.1)
    assert none_width <= 0.5
    assert under >= 0
    assert over + over_width <= 100


# --- the map, and how it was made


def squares(*cells):
    """Return unit squares by their lower left corners, in kilometres of metres."""
    return np.array([shapely.box(1000 * x, 1000 * y, 1000 * (x + 1), 1000 * (y + 1)) for x, y in cells], dtype=object)


def corners(path):
    """Return the corners of a path of whole numbers, ring by ring."""
    rings = []
    for ring in path.strip("Mz").split("zM"):
        start, _, steps = ring.partition("l")
        at = np.array([int(number) for number in start.split()])
        moves = np.array([int(number) for number in steps.split()]).reshape(-1, 2)
        rings.append([tuple(at + shift) for shift in np.vstack([[0, 0], moves.cumsum(axis=0)]).tolist()])
    return rings


def mapped(tmp_path, drawing, table=None):
    table = frame(list(drawing.names)) if table is None else table
    write_report(str(tmp_path / "map.html"), table, overall(table), 0.05, drawing=drawing)
    return Page((tmp_path / "map.html").read_text(encoding="utf-8"))


def test_the_map_shows_each_territory_where_it_lies(tmp_path):
    """North is up: B lies above A, C to the right."""
    found = mapped(tmp_path, report.Drawing(["A", "B", "C"], squares((0, 0), (0, 1), (1, 0)), {"A": 0, "B": 1, "C": 2}))
    paths = [value for name, value in found.attributes if name == "d"]
    assert [set(corners(path)[0]) for path in paths] == [
        {(0, 500), (0, 1000), (500, 500), (500, 1000)},
        {(0, 0), (0, 500), (500, 0), (500, 500)},
        {(500, 500), (500, 1000), (1000, 500), (1000, 1000)},
    ]
    assert [value for name, value in found.attributes if name == "fill" and value in PALETTE] == list(PALETTE[:3])
    assert sorted(found.classed["spot"]) == ["A", "B", "C"]
    assert found.classed["small"] == ["100"] * 3


def test_holes_and_islands_are_drawn_and_specks_left_out(tmp_path):
    ring = shapely.difference(shapely.box(0, 0, 9e5, 9e5), shapely.box(3e5, 3e5, 6e5, 6e5))
    shapes = np.array(
        [shapely.union_all([ring, shapely.box(95e4, 0, 1e6, 1e5), shapely.box(99e4, 5e5, 99e4 + 9, 5e5 + 9)])]
    )
    found = mapped(tmp_path, report.Drawing(["A"], shapes, {"A": 0}))
    (path,) = [value for name, value in found.attributes if name == "d"]
    assert len(corners(path)) == 3


def test_what_has_no_territory_is_told_only_where_there_is_some(tmp_path):
    shapes, colours = squares((0, 0), (1, 0)), {"A": 0}
    whole = mapped(tmp_path, report.Drawing(["A"], shapes[:1], colours))
    partly = mapped(tmp_path, report.Drawing(["A"], shapes[:1], colours, shapes[1]))
    assert "no territory" not in " ".join(whole.texts)
    assert "no territory" in " ".join(partly.texts)


def boxes_of(found, across, down, roomy):
    """Return the boxes of the names in a map of that size in pixels, as narrow as its signs can be."""
    spots = [style for mark, style in found.marks if mark == "spot" or (roomy and mark == "spot roomy")]
    marks = [mark for mark, _ in found.marks if mark in ("spot", "spot roomy")]
    names = [text for kind in ("spot", "spot roomy") for text in found.classed.get(kind, [])]
    assert len(marks) == len(names)
    places = [[float(part.partition(":")[2].rstrip("%")) / 100 for part in style.split(";")] for style in spots]
    half = 7 * 4 / 2
    return [shapely.box(x * across - half, y * down - 13, x * across + half, y * down + 13) for x, y in places]


@pytest.mark.parametrize(("pixels", "roomy"), [(340, False), (900, True)])
def test_names_on_the_map_never_lie_on_each_other_nor_outside(tmp_path, pixels, roomy):
    cells = [(x, y) for x in range(16) for y in range(12)]
    names = [f"T{at:03d}" for at in range(len(cells))]
    found = mapped(tmp_path, report.Drawing(names, squares(*cells), dict.fromkeys(names, 0)))
    boxes = boxes_of(found, pixels, pixels * 12 / 16, roomy)
    assert len(boxes) >= (20 if pixels < 400 else 100)
    assert not [pair for pair in itertools.combinations(boxes, 2) if pair[0].intersection(pair[1]).area > 1]
    assert all(shapely.box(-1, -1, pixels + 1, pixels * 12 / 16 + 1).contains(box) for box in boxes)


ABOUT = report.About(
    "Fall <plan>", "2026-10-01 09:30", "Balance territories", [("Units", "ZIPs & more", 1784, "the mark of its rows")],
    [("Seed", "7", False), ("Tolerance", "5", True)], "plugin 0.1.0, QGIS 3.40.6",
)  # fmt: skip


def test_a_page_says_how_the_plan_was_made(tmp_path):
    table = frame(["A"])
    write_report(str(tmp_path / "page.html"), table, overall(table), 0.05, about=ABOUT)
    found = Page((tmp_path / "page.html").read_text(encoding="utf-8"))
    assert found.classed["h1"] == ["Fall <plan>"]
    assert "2026-10-01 09:30" in " ".join(found.texts)
    assert found.cells[-8:] == ["Units", "ZIPs & more", "1,784", "the mark of its rows", "Seed", "7", "Tolerance", "5"]
    assert "plugin 0.1.0, QGIS 3.40.6" in found.texts


def too_wide(text):
    """Return what in a page would not fit a phone: a length in pixels above 360, or no viewport."""
    found = [] if '<meta name="viewport" content="width=device-width' in text else ["no viewport"]
    plain = re.sub(r"@media \([^)]*\)|\bmax-width: 62rem", "", text)
    lengths = re.findall(r"(?<![\d.])(\d*\.?\d+)(px|rem|em)\b", plain)
    found += [size + unit for size, unit in lengths if float(size) * (1 if unit == "px" else 16) > 360]
    return found + re.findall(r'<(?:svg|table|img|div)[^>]* width="(\d+)"', plain)


def test_nothing_in_a_page_is_wider_than_a_phone(tmp_path):
    table, path = frame(["A", "B"]), tmp_path / "page.html"
    drawing = report.Drawing(["A", "B"], squares((0, 0), (1, 0)), {"A": 0, "B": 1})
    curve = pd.DataFrame({"cap_pct": [2], "reached_pct": [4.0], "used_pct": [2.0]})
    told = report.change_sections(change(trade_off=curve), 0.05)
    write_report(str(path), table, overall(table), 0.05, sections=told, drawing=drawing, about=ABOUT)
    text = path.read_text(encoding="utf-8")
    assert too_wide(text) == []
    assert not re.search(r"(?:src|href|url)\s*[=(]", text)  # nothing from elsewhere
    assert too_wide(text.replace("width=device-width", "")) == ["no viewport"]
    assert too_wide(text.replace("11rem", "30rem")) == ["30rem"]


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
    assert found.classed["title"].count("3.0 % → ±4.8 %") == 1
    assert "2.0 % → ±7.5 %" in found.classed["title"]
    assert "none found" in found.cells
    assert "T1 <is> in parts." in found.texts
    assert "10 %" in found.texts


def test_new_and_given_up_territories_have_one_end_each(sections):
    found = sections(change("AABB", "AACC"))
    assert [cell for cell in found.cells if cell == "new"] == ["new"]
    dots = [mark for mark, _ in found.marks]
    assert dots.count("dot before") == 2
    assert dots.count("dot after") == 2
    assert found.classed["value"][1] == "given up"


def test_nothing_changes_hands(sections):
    assert "From whom to whom" not in sections(change("AABB", "AABB")).texts


def test_units_that_nobody_had(sections):
    found = sections(change([None, "A", "A", "B"], "AAAB"))
    assert "(nobody)" in found.cells
    assert "units had no territory" in " ".join(found.texts)
