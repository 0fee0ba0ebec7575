"""Tables of travel times from any routing tool: columns by their usual names, all in minutes."""

from __future__ import annotations

import numpy as np
import pytest
from healthcare_territories.territory_plugin.engine.errors import TerritoryError
from qgis.core import QgsProcessingContext, QgsProcessingFeedback, QgsProcessingUtils, QgsProject

UNITS = ["00501", "10002"]
LONLAT = np.array([[-100, 40], [-100, 40.1]])


@pytest.fixture
def read(qgis_app):
    from healthcare_territories.territory_plugin.gis import travel

    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(QgsProject.instance())

    def read(layer, **more):
        source = QgsProcessingUtils.variantToSource(layer, context)
        return travel.read_travel(source, UNITS, LONLAT, context, feedback, **more), feedback.textLog()

    return read


@pytest.mark.parametrize(
    ("origin", "destination", "time", "value"),
    [
        ("origin", "destination", "minutes", 30),
        ("FROM_ID", "TO_ID", "DURATION_H", 0.5),
        ("from_id", "to_id", "travel_time_p50", 30),
        ("Origin ID", "Destination ID", "Seconds", 1800),
    ],
)
def test_columns_by_their_usual_names(read, memory_layer, origin, destination, time, value):
    layer = memory_layer({origin: [501, 7], destination: ["10002", "10002"], time: [value, None]})
    times, log = read(layer)
    assert times.between(1, 0)[0] == pytest.approx(30)
    assert "1 row leads to or from what is no unit: 7" in log


def test_rows_without_minutes_are_told(read, memory_layer):
    layer = memory_layer({"origin": ["R1", "10002"], "destination": ["10002", "R1"], "minutes": [12.0, None]})
    times, log = read(layer, aliases={"R1": "00501"})
    assert times.between(1, 0)[0] == 12
    assert "1 row of the travel table without minutes" in log


def test_minutes_from_the_homes_of_reps(qgis_app, memory_layer):
    """R1 lives in 00501 and is in the table by id; R2 has no home; what is missing beyond 60 minutes takes 60."""
    from healthcare_territories.territory_plugin.engine.reps import Rep
    from healthcare_territories.territory_plugin.gis import travel

    context, feedback = QgsProcessingContext(), QgsProcessingFeedback(False)
    context.setProject(QgsProject.instance())
    layer = memory_layer({"origin": ["R1", "R1"], "destination": ["10002", "00501"], "minutes": [25.0, 0.0]})
    source = QgsProcessingUtils.variantToSource(layer, context)
    reps = [Rep("R1", "Ada", "00501"), Rep("R2", "Bob"), Rep("R3", "Cyd", "10003")]
    units, lonlat = [*UNITS, "10003"], np.array([[-100, 40], [-100, 40.1], [-100, 40.2]])
    minutes = travel.read_rep_minutes(source, units, lonlat, reps, context, feedback, beyond=60)
    assert list(minutes.columns) == ["R1", "R3"]
    assert minutes["R1"].to_dict() == {"00501": 0, "10002": 25, "10003": 60}
    assert "Of 6 pairs of home and unit 3 were missing" in feedback.textLog()


def test_a_table_without_times_says_what_it_has(read, memory_layer):
    with pytest.raises(TerritoryError, match=r"no column of times .*origin, destination, cost"):
        read(memory_layer({"origin": ["1"], "destination": ["2"], "cost": [1.0]}))
