"""What stands on a provider that goes: its runs end and its dialogs close first, or QGIS dies of them."""

from __future__ import annotations

import time

from qgis.core import (
    QgsApplication,
    QgsMessageLog,
    QgsProcessingAlgRunnerTask,
    QgsProcessingModelAlgorithm,
    QgsTask,
)
from qgis.gui import QgsModelDesignerDialog, QgsProcessingAlgorithmDialogBase
from qgis.PyQt.QtCore import QCoreApplication, QEvent, QEventLoop
from qgis.PyQt.QtWidgets import QApplication

ENDED = (QgsTask.TaskStatus.Complete, QgsTask.TaskStatus.Terminated)
PATIENCE = 60  # seconds for runs to end after their cancel


def stands_on(algorithm, provider: str) -> bool:
    """Answer whether an algorithm is the provider's, or a model with a step that is."""
    if algorithm is None:
        return False
    if algorithm.provider() is not None and algorithm.provider().id() == provider:
        return True
    return isinstance(algorithm, QgsProcessingModelAlgorithm) and any(
        step.algorithmId().startswith(f"{provider}:") for step in algorithm.childAlgorithms().values()
    )


def dialogs_on(provider: str) -> list:
    """Return the dialogs of algorithms that stand on a provider, single and batch, shown or not."""
    return [
        window for window in QApplication.topLevelWidgets()
        if isinstance(window, QgsProcessingAlgorithmDialogBase) and stands_on(window.algorithm(), provider)
    ]  # fmt: skip


def tasks_on(provider) -> list:
    """Return the tasks that run an algorithm that stands on the provider, or wait to; QGIS tells them by title only."""
    algorithms = [*provider.algorithms(), *(dialog.algorithm() for dialog in dialogs_on(provider.id()))]
    names = {algorithm.displayName() for algorithm in algorithms}
    return [
        task for task in QgsApplication.taskManager().tasks()
        if isinstance(task, QgsProcessingAlgRunnerTask) and task.status() not in ENDED
        and any(name in task.description() for name in names)
    ]  # fmt: skip


def end_runs(provider, cancel_runs) -> bool:
    """Cancel what the provider runs and wait for its end; answer whether it came.

    Parameters
    ----------
    provider : QgsProcessingProvider
    cancel_runs : callable
        Cancels the runs that the provider knows of, also inside other people's models; answers whether there are any.
    """
    until = time.monotonic() + PATIENCE
    while time.monotonic() < until:
        tasks = tasks_on(provider)
        for task in tasks:
            task.cancel()
        if not cancel_runs() and not tasks:
            return True
        QCoreApplication.processEvents(QEventLoop.ProcessEventsFlag.ExcludeUserInputEvents, 50)
    QgsMessageLog.logMessage(f"A run did not end within {PATIENCE} s of its cancel.", provider.name())
    return False


def close_dialogs(provider: str) -> int:
    """Close the dialogs that stand on a provider and let go of them; return how many there were."""
    dialogs = dialogs_on(provider)
    for dialog in dialogs:
        dialog.close()
        dialog.deleteLater()
    QCoreApplication.sendPostedEvents(None, QEvent.Type.DeferredDelete)
    return len(dialogs)


def refresh_designers(provider: str) -> None:
    """Have open Model Designers look up the steps of their model anew: without the provider they are unknown."""
    for window in QApplication.topLevelWidgets():
        if isinstance(window, QgsModelDesignerDialog) and stands_on(window.model(), provider):
            window.model().loadVariant(window.model().toVariant())
            window.repaintModel()
