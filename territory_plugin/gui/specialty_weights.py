"""The weights table in the dialog of “Weight providers”: a preset fills it, and it is edited in place.

The parameters stay a matrix and an enum of QGIS, whose own widgets serve batch, models and whatever else asks. Only
the toolbox dialog has the table, where a preset is a way to fill it: what runs is what the table shows.
"""

from __future__ import annotations

from qgis.core import QgsApplication, QgsProcessingParameters
from qgis.gui import (
    QgsAbstractProcessingParameterWidgetWrapper,
    QgsGui,
    QgsProcessingParameterWidgetFactoryInterface,
)
from qgis.PyQt.QtCore import Qt
from qgis.PyQt.QtWidgets import (
    QAbstractItemView,
    QComboBox,
    QCompleter,
    QDoubleSpinBox,
    QHBoxLayout,
    QHeaderView,
    QLineEdit,
    QStyledItemDelegate,
    QTableWidget,
    QTableWidgetItem,
    QToolButton,
    QVBoxLayout,
    QWidget,
)

from ..engine import taxonomy
from . import tr

# what the parameters ask for in their metadata, under widget_wrapper and widget_type
TABLE, PRESET = "territories:specialty_weights", "territories:specialty_preset"

PATTERN, WEIGHT, MEANING = range(3)
HEAVIEST = 1e6
ROWS_SHOWN = 6


class PatternEditor(QStyledItemDelegate):
    """Edits a pattern, and completes the names of specialties and presets."""

    def createEditor(self, parent, option, index):
        editor = QLineEdit(parent)
        names = QCompleter([*taxonomy.PRESETS, *(specialty.label for specialty in taxonomy.SPECIALTIES)], editor)
        names.setCaseSensitivity(Qt.CaseSensitivity.CaseInsensitive)
        names.setFilterMode(Qt.MatchFlag.MatchContains)
        editor.setCompleter(names)
        return editor


class WeightEditor(QStyledItemDelegate):
    """Edits a weight: a number of at least 0."""

    def createEditor(self, parent, option, index):
        editor = QDoubleSpinBox(parent)
        editor.setRange(0, HEAVIEST)
        editor.setDecimals(3)
        editor.setSingleStep(0.5)
        return editor

    def displayText(self, value, locale):
        return f"{float(value):g}"


def beside(preset: list[tuple[str, float]], own: list[tuple[str, float]]) -> list[tuple[str, float]]:
    """Return the rows of a preset that have no row of somebody's own, and then those."""
    taken = {pattern.casefold() for pattern, _ in own}
    return [*(row for row in preset if row[0].casefold() not in taken), *own]


class WeightsTable(QWidget):
    """Rows of pattern and weight, with what each pattern stands for."""

    def __init__(self, parent=None):
        super().__init__(parent)
        self.preset_rows: list[tuple[str, float]] = []
        self.table = QTableWidget(0, 3)
        self.table.setHorizontalHeaderLabels([tr("Pattern"), tr("Weight"), tr("Stands for")])
        self.table.horizontalHeaderItem(PATTERN).setToolTip(
            tr("A taxonomy code (207XS0114X), a prefix of codes (207X), a specialty or preset, or * for all others")
        )
        self.table.setItemDelegateForColumn(PATTERN, PatternEditor(self.table))
        self.table.setItemDelegateForColumn(WEIGHT, WeightEditor(self.table))
        header = self.table.horizontalHeader()
        header.setSectionResizeMode(PATTERN, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(WEIGHT, QHeaderView.ResizeMode.ResizeToContents)
        header.setSectionResizeMode(MEANING, QHeaderView.ResizeMode.Stretch)
        header.setMinimumSectionSize(70)
        self.table.verticalHeader().hide()
        self.table.setSelectionBehavior(QAbstractItemView.SelectionBehavior.SelectRows)
        rows = self.table.verticalHeader().defaultSectionSize()
        self.table.setMinimumHeight(header.sizeHint().height() + ROWS_SHOWN * rows + 2 * self.table.frameWidth())
        self.table.itemChanged.connect(self.on_edit)
        layout = QHBoxLayout(self)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.table)
        buttons = QVBoxLayout()
        for icon, text, slot in (
            ("symbologyAdd.svg", tr("Add a row"), self.add_row),
            ("symbologyRemove.svg", tr("Remove the selected rows"), self.remove_rows),
            ("mActionDeleteSelected.svg", tr("Remove all rows"), lambda: self.set_rows([])),
        ):
            button = QToolButton()
            button.setIcon(QgsApplication.getThemeIcon(icon))
            button.setToolTip(text)
            button.setAutoRaise(True)
            button.clicked.connect(lambda _, slot=slot: slot())
            buttons.addWidget(button)
        buttons.addStretch()
        layout.addLayout(buttons)

    def rows(self) -> list[tuple[str, float]]:
        """Return pattern and weight of the rows that have a pattern."""
        rows = [
            (self.table.item(row, PATTERN).text().strip(), self.table.item(row, WEIGHT).data(Qt.ItemDataRole.EditRole))
            for row in range(self.table.rowCount())
        ]
        return [(pattern, float(weight)) for pattern, weight in rows if pattern]

    def set_rows(self, rows: list[tuple[str, float]]) -> None:
        """Replace all rows."""
        self.table.blockSignals(True)
        self.table.setRowCount(0)
        for pattern, weight in rows:
            self.append(pattern, weight)
        self.table.blockSignals(False)

    def fill(self, preset: str | None) -> None:
        """Put a preset's specialties on top, with weight 1; those of the preset before that nobody has edited leave.

        Rows that somebody typed or edited stay as they are, and keep their weight.
        """
        own = [row for row in self.rows() if row not in self.preset_rows]
        self.preset_rows = [(label, 1.0) for label in taxonomy.PRESETS.get(preset, ())]
        self.set_rows(beside(self.preset_rows, own))

    def type_in(self, rows: list[tuple[str, float]]) -> None:
        """Replace all rows but those of the preset."""
        self.set_rows(beside([row for row in self.rows() if row in self.preset_rows], rows))

    def append(self, pattern: str, weight: float) -> None:
        """Add a row below the others."""
        row = self.table.rowCount()
        self.table.insertRow(row)
        number = QTableWidgetItem()
        number.setData(Qt.ItemDataRole.EditRole, float(weight))
        number.setTextAlignment(Qt.AlignmentFlag.AlignRight | Qt.AlignmentFlag.AlignVCenter)
        told = QTableWidgetItem()
        told.setFlags(Qt.ItemFlag.ItemIsEnabled | Qt.ItemFlag.ItemIsSelectable)
        told.setForeground(self.palette().placeholderText())
        for column, item in ((PATTERN, QTableWidgetItem(pattern)), (WEIGHT, number), (MEANING, told)):
            self.table.setItem(row, column, item)
        self.explain(row)

    def explain(self, row: int) -> None:
        """Say in a row what its pattern stands for."""
        pattern, told = self.table.item(row, PATTERN).text(), self.table.item(row, MEANING)
        text = taxonomy.meaning(pattern) or (tr("a classification in your data") if pattern.strip() else "")
        told.setText(text)
        told.setToolTip(text)

    def on_edit(self, item) -> None:
        if item.column() == MEANING or self.table.item(item.row(), MEANING) is None:
            return
        self.table.blockSignals(True)
        self.explain(item.row())
        self.table.blockSignals(False)

    def add_row(self) -> None:
        """Add an empty row and begin to edit it."""
        self.table.blockSignals(True)
        self.append("", 1.0)
        self.table.blockSignals(False)
        item = self.table.item(self.table.rowCount() - 1, PATTERN)
        self.table.setCurrentItem(item)
        self.table.editItem(item)

    def remove_rows(self) -> None:
        """Remove the selected rows."""
        for row in sorted({index.row() for index in self.table.selectedIndexes()}, reverse=True):
            self.table.removeRow(row)


# by id, until C++ destroys them
_alive: dict[int, object] = {}


def keep(thing):
    """Hold a Qt object that QGIS takes over, until it is destroyed.

    QGIS hands wrappers and their widgets back to Python as new objects, and PyQt lets go of the first ones. C++ goes
    on to call what these override: freed too early, they crash it.
    """
    key = id(thing)
    _alive[key] = thing
    thing.destroyed.connect(lambda *_: _alive.pop(key, None))
    return thing


class Wrapper(QgsAbstractProcessingParameterWidgetWrapper):
    """What both wrappers share.

    To PyQt a wrapper is deleted once QGIS has handed it back (see `keep`), and so is the widget that it returns. So it
    calls nothing of its base, is no receiver of signals, and its widget lies in another one, where it stays alive.
    """

    def __init__(self, parameter):
        super().__init__(parameter)
        self.definition = parameter

    def createWidget(self):
        around = keep(QWidget())
        layout = QHBoxLayout(around)
        layout.setContentsMargins(0, 0, 0, 0)
        layout.addWidget(self.make())
        return around


class TableWrapper(Wrapper):
    """The weights table as the widget of a matrix parameter."""

    def make(self):
        self.table = WeightsTable()
        return self.table

    def setWidgetValue(self, value, context):
        given = QgsProcessingParameters.parameterAsMatrix(self.definition, value, context)
        rows = [(str(pattern or "").strip(), number_of(weight)) for pattern, weight in zip(given[::2], given[1::2])]
        self.table.type_in([row for row in rows if row[0]])

    def widgetValue(self):
        return [cell for row in self.table.rows() for cell in row]


class PresetWrapper(Wrapper):
    """The list of presets, which fills the table; the parameter itself stays at none, as the table says it all."""

    def make(self):
        self.target = None
        self.list = QComboBox()
        self.list.addItem(tr("none"), None)
        for name in taxonomy.PRESETS:
            self.list.addItem(name, name)
        self.list.setToolTip(tr("Fills the table with the specialties of the preset, to be edited there"))
        self.list.currentIndexChanged.connect(lambda _: self.fill())
        return self.list

    def postInitialize(self, wrappers):
        for wrapper in wrappers:
            widget = wrapper.wrappedWidget()
            self.target = self.target or (widget and widget.findChild(WeightsTable))

    def fill(self):
        if self.target is not None:
            self.target.fill(self.list.currentData())

    def setWidgetValue(self, value, context):
        """Choose the preset of a run that is repeated; index or name."""
        names = ["none", *(name.lower() for name in taxonomy.PRESETS)]
        text = str(value if value is not None else 0).strip().lower()
        at = int(text) if text.isdigit() else names.index(text) if text in names else 0
        self.list.setCurrentIndex(at if at < len(names) else 0)

    def widgetValue(self):
        return 0


class WidgetFactory(QgsProcessingParameterWidgetFactoryInterface):
    """Makes the widgets for the toolbox dialog, and QGIS's own for all others.

    Parameters
    ----------
    kind : str
        `TABLE` or `PRESET`.
    """

    def __init__(self, kind: str):
        super().__init__()
        self.kind = kind
        self.wrapper = {TABLE: TableWrapper, PRESET: PresetWrapper}[kind]

    def parameterType(self):
        return self.kind

    def createWidgetWrapper(self, parameter, kind):
        wrapper = self.wrapper(parameter)
        if wrapper.type() != kind:  # a wrapper is for the toolbox dialog unless told otherwise
            return plain(parameter, lambda registry: registry.createParameterWidgetWrapper(parameter, kind))
        return keep(wrapper)

    def createModelerWidgetWrapper(self, model, child, parameter, context):
        return plain(
            parameter, lambda registry: registry.createModelerParameterWidget(model, child, parameter, context)
        )


def plain(parameter, make):
    """Return what `make` makes with QGIS's registry of widgets for a parameter that asks for no widget of ours."""
    metadata = parameter.metadata()
    parameter.setMetadata({key: value for key, value in metadata.items() if key != "widget_wrapper"})
    try:
        return make(QgsGui.processingGuiRegistry())
    finally:
        parameter.setMetadata(metadata)


def number_of(value) -> float:
    """Return a weight as the table holds it; what is no number counts 1, as a new row does."""
    try:
        return min(max(float(value), 0.0), HEAVIEST)
    except (TypeError, ValueError):
        return 1.0


def factories() -> list[WidgetFactory]:
    """Return the factories that the plugin registers with QGIS."""
    return [WidgetFactory(TABLE), WidgetFactory(PRESET)]
