"""The guide that ships with the plugin, as a page that a browser opens at the section of an algorithm."""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from qgis.core import QgsApplication
from qgis.PyQt.QtCore import QDir, QIODevice, QSaveFile, QUrl
from qgis.PyQt.QtGui import QTextCharFormat, QTextCursor, QTextDocument, QTextFormat

GUIDE = Path(__file__).resolve().parents[2] / "docs" / "guide.md"
STYLE = """
body { max-width: 68em; margin: 1em auto; padding: 0 1em; line-height: 1.5; overflow-wrap: break-word }
img { max-width: 100% }
table { border-collapse: collapse } td, th { padding: 0 0.4em }
"""
CODE = QTextCharFormat()
CODE.setFontFamily("monospace")
ID = re.compile(r"\((\w+)\)$")


def url(section: str) -> str:
    """Return the address of a section: of an algorithm by its id, of others by the words of their heading.

    The page lies in the profile, made anew where the guide is another. Where it cannot be written, the address is that
    of the guide as it ships.
    """
    page = QUrl.fromLocalFile(str(made(Path(QgsApplication.qgisSettingsDirPath()) / "healthcare_territories")))
    page.setFragment(section)
    return page.toString(QUrl.ComponentFormattingOption.FullyEncoded)


@cache
def made(folder: Path) -> Path:
    """Return the page in a folder, written unless it is there; the guide as it ships where that cannot be."""
    page = folder / "guide.html"
    if not GUIDE.is_file():  # a checkout without docs still runs
        return GUIDE
    content = html().encode("utf-8")
    if page.is_file() and page.read_bytes() == content:
        return page
    file = QSaveFile(str(page))
    if not QDir().mkpath(str(folder)) or not file.open(QIODevice.OpenModeFlag.WriteOnly):
        return GUIDE
    file.write(content)
    return page if file.commit() else GUIDE


def html() -> str:
    """Return the guide as HTML with an anchor at each heading, and its pictures from where it ships."""
    document = QTextDocument()
    document.setMarkdown(GUIDE.read_text(encoding="utf-8"))
    block = document.begin()
    while block.isValid():
        QTextCursor(block).setBlockCharFormat(QTextCharFormat())  # Qt gives a list item the weight of its first word
        if block.blockFormat().headingLevel():
            named = QTextCharFormat()
            named.setAnchor(True)
            named.setAnchorNames([anchor(block.text())])
            change(block, block.position(), 1, named)
        for start, length in code(block):
            change(block, start, length, CODE)
        block = block.next()
    pictures = QUrl.fromLocalFile(f"{GUIDE.parent}/images/").toString(QUrl.ComponentFormattingOption.FullyEncoded)
    return (
        document.toHtml()
        .replace('src="images/', f'src="{pictures}')
        .replace("'monospace'", "monospace")  # whatever the browser has, not a font of that name
        .replace("</head>", f"<style>{STYLE}</style></head>", 1)
    )


def code(block) -> list[tuple[int, int]]:
    """Return start and length of each piece of code in a block, which alone have a font of their own in Markdown."""
    found, at = [], block.begin()
    while not at.atEnd():
        fragment = at.fragment()
        if fragment.charFormat().hasProperty(QTextFormat.Property.FontStyleHint):
            found.append((fragment.position(), fragment.length()))
        at += 1
    return found


def change(block, start, length, style) -> None:
    cursor = QTextCursor(block)
    cursor.setPosition(start)
    cursor.setPosition(start + length, QTextCursor.MoveMode.KeepAnchor)
    cursor.mergeCharFormat(style)


def anchor(heading: str) -> str:
    """Return the name of a section: the id of an algorithm in brackets, else the words of the heading."""
    found = ID.search(heading)
    return found[1] if found else "-".join(re.findall(r"\w+", heading.lower()))
