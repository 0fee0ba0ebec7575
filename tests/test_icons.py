"""The icons: one family, drawn on one grid, nothing fetched from elsewhere."""

import re
import xml.etree.ElementTree as ET
from pathlib import Path

import pytest

ICONS = Path(__file__).resolve().parent.parent / "icons"
IDS = (
    "territories",
    "importnppes",
    "importclinicians",
    "addclaimsvolume",
    "joinaccounts",
    "aggregatepractices",
    "weightproviders",
    "sumproviderstozips",
    "splitheavyzips",
    "buildadjacencygraph",
    "traveltimes",
    "balanceterritories",
    "rebalanceterritories",
    "evaluateterritories",
)
PALETTE = {"#0f9a8d", "#f0a020", "#64809a", "#fff", "none"}


@pytest.mark.parametrize("name", IDS)
def test_icon_is_a_small_plain_svg_of_the_family(name):
    path = ICONS / f"{name}.svg"
    text = path.read_text(encoding="utf-8")
    root = ET.fromstring(text)
    assert root.get("viewBox") == "0 0 24 24"
    assert path.stat().st_size < 2048
    assert not re.search(r"href|url\(|<image|<script|<style|<text|data:", text)
    assert set(re.findall(r'(?:fill|stroke)="([^"]+)"', text)) <= PALETTE
