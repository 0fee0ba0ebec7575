"""The guide in a window of QGIS."""

from __future__ import annotations

from qgis.PyQt.QtCore import Qt, QUrl
from qgis.PyQt.QtGui import QImage, QTextDocument
from qgis.PyQt.QtWidgets import QTextBrowser

from ..gis.guide import GUIDE
from . import tr


class Guide(QTextBrowser):
    """Shows the guide; links into the web open in the browser."""

    def __init__(self, window):
        super().__init__(window)
        self.setWindowFlags(Qt.WindowType.Window)
        self.setWindowTitle(tr("Healthcare Territories: the guide"))
        self.setOpenExternalLinks(True)
        self.resize(860, 700)
        self.document().setDocumentMargin(16)
        self.setSource(QUrl.fromLocalFile(str(GUIDE)), QTextDocument.ResourceType.MarkdownResource)

    def loadResource(self, kind, url):
        """Return what the guide refers to, pictures no wider than the window."""
        found = super().loadResource(kind, url)
        if kind != QTextDocument.ResourceType.ImageResource:
            return found
        picture, room = QImage.fromData(found), self.width() - 60
        if picture.width() <= room:
            return picture
        return picture.scaledToWidth(room, Qt.TransformationMode.SmoothTransformation)
