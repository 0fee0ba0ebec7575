"""Plans in the layer tree: a run's layers stand in a group with the plan's name and time; older plans are switched off.

Inside a model QGIS puts layers into groups of the model; so they are moved once they are loaded.
"""

from __future__ import annotations

from collections import deque

from qgis.core import (
    QgsLayerTreeGroup,
    QgsProcessingLayerPostProcessorInterface,
    QgsVectorLayer,
)

from . import metadata
from .styles import Style, dress

GROUP = "Territories"
"""The group of layers that are no plan's."""
EXPANDED = 40
"""From which order on the legend of a layer is open when it is loaded."""
RUN, ORDER = "healthcare_territories/run", "healthcare_territories/order"
"""Properties of nodes of the layer tree: which run a group is of, how high a layer stands in it."""


class FinishOnLoad(QgsProcessingLayerPostProcessorInterface):
    """Styles a layer when QGIS has loaded it into the project, and puts it where it belongs."""

    def __init__(self, style: Style, record):
        super().__init__()
        self.style, self.record = style, record

    def postProcessLayer(self, layer, context, feedback):
        if not isinstance(layer, QgsVectorLayer):
            return
        dress(layer, self.style)
        if self.record is not None:
            metadata.attach(layer, self.record, self.style.title)
        layer.triggerRepaint()
        if context.project() is not None:
            place(context.project(), layer, self.style, self.record)


# QGIS calls a post-processor only while Python still holds it
_waiting: deque[FinishOnLoad] = deque(maxlen=256)


def finish_on_load(details, style: Style, record=None) -> None:
    """Have QGIS name, group, order and style a layer that it loads when the algorithm has ended.

    Parameters
    ----------
    details : QgsProcessingContext.LayerDetails
    style : Style
    record : metadata.Record, optional
        How the layer was made; with the name of a plan, it stands in the plan's group.
    """
    details.groupName = title(record) if record is not None and record.plan else GROUP
    details.layerSortKey = style.order
    processor = FinishOnLoad(style, record)
    _waiting.append(processor)
    details.setPostProcessor(processor)


def title(record) -> str:
    """Return what the group of a plan is called."""
    return f"{record.plan} · {record.when}"


def place(project, layer, style: Style, record) -> None:
    """Put a layer into its plan's group, in its order, and switch on what is to be seen of it."""
    root = project.layerTreeRoot()
    node = root.findLayer(layer.id())
    if node is None:
        return
    if record is not None and record.plan:
        node.setCustomProperty(ORDER, style.order)
        node = _moved(node, _group(root, node, record))
    node.setItemVisibilityChecked(style.shown and layer.featureCount() != 0)
    node.setExpanded(style.order >= EXPANDED)


def _groups(root: QgsLayerTreeGroup) -> list[QgsLayerTreeGroup]:
    """Return the groups of plans in a layer tree."""
    return [group for group in root.findGroups(True) if group.customProperty(RUN)]


def _group(root, node, record) -> QgsLayerTreeGroup:
    """Return the group of a run; at its first layer it is made, and those of older plans are switched off."""
    plans = _groups(root)
    found = next((group for group in plans if group.customProperty(RUN) == record.run), None)
    if found is not None:
        return found
    for group in plans:
        group.setItemVisibilityChecked(False)
        group.setExpanded(False)
    parent = node.parent()
    if parent.name() == title(record) and not parent.customProperty(RUN):  # QGIS has made it
        found = parent
    else:
        while parent.customProperty(RUN) and parent.parent() is not None:
            parent = parent.parent()
        taken = {group.name() for group in root.findGroups(True)}
        name, number = title(record), 2
        while name in taken:
            name, number = f"{title(record)} ({number})", number + 1
        found = parent.insertGroup(0, name)
    found.setCustomProperty(RUN, record.run)
    found.setExpanded(True)
    return found


def _moved(node, group: QgsLayerTreeGroup):
    """Return a layer's node in a group, below those that stand higher; a group that is left empty goes."""
    parent = node.parent()
    others = [child for child in group.children() if child is not node]
    at = sum((child.customProperty(ORDER) or 0) > node.customProperty(ORDER) for child in others)
    if parent is group and group.children().index(node) == at:
        return node
    moved = node.clone()
    group.insertChildNode(at + (parent is group and group.children().index(node) < at), moved)
    parent.removeChildNode(node)
    while not parent.children() and parent.parent() is not None:
        empty, parent = parent, parent.parent()
        parent.removeChildNode(empty)
    return moved
