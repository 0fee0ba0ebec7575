"""Every parameter explains itself, and Help of an algorithm opens the guide at its section."""

import re
from pathlib import Path

import pytest
from healthcare_territories.processing import help as texts


def told(algorithm):
    """Return the help of each parameter by its name."""
    return {each.name(): each.help() for each in algorithm.parameterDefinitions()}


def test_every_parameter_has_help_that_is_not_its_label(territories_provider):
    poor = [
        f"{algorithm.name()}.{each.name()}: {each.help()!r}"
        for algorithm in territories_provider.algorithms()
        for each in algorithm.parameterDefinitions()
        if len(each.help()) <= 10
        or not each.help().endswith(".")
        or each.help().rstrip(".").casefold() == each.description().rstrip(".").casefold()
        or re.search("[<>&]", each.help())  # tooltips are HTML
    ]
    assert poor == []


def test_each_text_is_that_of_a_parameter(territories_provider):
    """A parameter that is gone or has another name leaves no text behind, and no text is written twice."""
    names = {each: told(territories_provider.algorithm(each)) for each in territories_provider.NAMES}
    assert texts.OWN.keys() <= names.keys()
    assert [f"{each}.{name}" for each, own in texts.OWN.items() for name in own if name not in names[each]] == []
    shared = texts.shared.TEXTS
    used = {name for each, own in names.items() for name in own if name not in texts.OWN.get(each, {})}
    assert sorted(shared.keys() - used) == []
    again = [f"{each}.{name}" for each, own in texts.OWN.items() for name in own if own[name] == shared.get(name)]
    assert again == []


@pytest.fixture
def profile(tmp_path, monkeypatch):
    """Have a profile of the test's own, whose folder has a blank and a letter beyond ASCII."""
    from healthcare_territories.territory_plugin import gis

    class Application:
        @staticmethod
        def qgisSettingsDirPath():
            return f"{tmp_path / 'a profilé'}/"

    monkeypatch.setattr(gis.guide, "QgsApplication", Application)
    gis.guide.made.cache_clear()
    yield tmp_path / "a profilé"
    gis.guide.made.cache_clear()


def test_help_opens_the_guide_at_the_section(territories_provider, profile):
    from qgis.PyQt.QtCore import QUrl

    for algorithm in territories_provider.algorithms():
        url = QUrl(algorithm.create().helpUrl())
        page = Path(url.toLocalFile())
        assert page == profile / "healthcare_territories" / "guide.html"
        assert f'<a name="{url.fragment()}"' in page.read_text(encoding="utf-8"), algorithm.name()


def test_the_page_is_the_whole_guide_with_its_pictures(profile):
    from healthcare_territories.territory_plugin import gis
    from qgis.PyQt.QtCore import QUrl
    from qgis.PyQt.QtGui import QTextDocument

    page = gis.guide.made(profile)
    html = page.read_text(encoding="utf-8")
    pictures = re.findall('src="([^"]*)"', html)
    assert len(pictures) == gis.guide.GUIDE.read_text(encoding="utf-8").count("](images/")
    assert [each for each in pictures if not Path(QUrl(each).toLocalFile()).is_file()] == []
    assert re.search(r"<li [^>]*><span[^>]*font-weight:\d+[^>]*>Specialties</span>: codes", html), (
        "the first word alone"
    )
    assert re.search(r"<span[^>]*font-family:monospace[^>]*>207XS0114X</span>", html)
    written, read = QTextDocument(), QTextDocument()
    written.setMarkdown(gis.guide.GUIDE.read_text(encoding="utf-8"))
    read.setHtml(html)
    assert read.toPlainText().split() == written.toPlainText().split()


def test_a_page_of_another_version_is_made_anew(profile):
    from healthcare_territories.territory_plugin import gis

    page = gis.guide.made(profile)
    page.write_text("an older guide")
    gis.guide.made.cache_clear()
    assert "Balance territories" in gis.guide.made(profile).read_text(encoding="utf-8")


def test_where_nothing_can_be_written_the_guide_opens_as_it_ships(profile):
    from healthcare_territories.territory_plugin import gis

    profile.write_text("a file, where a folder is meant to be")
    assert gis.guide.url("balanceterritories").startswith(gis.guide.GUIDE.as_uri())
