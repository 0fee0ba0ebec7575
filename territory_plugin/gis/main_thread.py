"""What touches the layers of a project is done on the thread that they live on."""

from __future__ import annotations

from qgis.PyQt.QtCore import QObject, QThread, pyqtSignal, pyqtSlot

_under_way = set()  # Qt would drop what nobody holds


class Errand(QObject):
    """Calls a function on the thread of another object, once that thread is free."""

    sent = pyqtSignal()

    def __init__(self, function, thread):
        super().__init__()
        self.function = function
        self.moveToThread(thread)
        self.sent.connect(self.run)

    def send(self):
        _under_way.add(self)
        self.sent.emit()

    @pyqtSlot()
    def run(self):
        _under_way.discard(self)
        self.function()


def call_beside(owner: QObject, function) -> None:
    """Call a function on the thread of `owner`: at once where that is this one, else later.

    The steps of a model end on the model's thread, those of the toolbox on the main one.
    """
    if QThread.currentThread() == owner.thread():
        function()
    else:
        Errand(function, owner.thread()).send()
