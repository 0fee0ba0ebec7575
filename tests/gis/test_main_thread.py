"""What a model's step does to the layers of a project happens on their thread."""

import threading
import time


def test_a_call_from_another_thread_waits_for_that_of_the_owner(qgis_app):
    from healthcare_territories.territory_plugin.gis.main_thread import call_beside
    from qgis.core import QgsProject
    from qgis.PyQt.QtCore import QCoreApplication, QThread

    seen, here = [], QThread.currentThread()
    project = QgsProject.instance()
    worker = threading.Thread(
        target=call_beside, args=(project, lambda: seen.append(QThread.currentThread() == project.thread()))
    )
    worker.start()
    worker.join()
    assert seen == []
    until = time.monotonic() + 5
    while not seen and time.monotonic() < until:
        QCoreApplication.processEvents()
    assert seen == [True]
    call_beside(project, lambda: seen.append(here))
    assert seen == [True, here], "at once where this is the thread"
