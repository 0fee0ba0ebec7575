"""“Load sample”: the sample that ships with the plugin, copied to where it may be changed, as a group of layers."""

from __future__ import annotations

import shutil
from pathlib import Path

from qgis.core import QgsApplication, QgsProject, QgsVectorLayer

from . import tr

SHIPPED = Path(__file__).resolve().parents[2] / "sample"
# from top to bottom: the layer's name, and its file or table
LAYERS = {
    "Providers": "sample.gpkg|layername=providers",
    "ZIPs, with today's rep": "sample.gpkg|layername=zips",
    "Specialty weights": "specialty_weights.csv",
    "Crosswalk": "zip_crosswalk.csv",
    "Reps": "reps.csv",
}


def folder() -> Path:
    """Return the folder of the profile that the sample is copied to."""
    return Path(QgsApplication.qgisSettingsDirPath()) / "healthcare_territories" / "sample"


def copied(into: Path) -> Path:
    """Copy the files of the sample that are not there yet; those that somebody works on stay as they are."""
    into.mkdir(parents=True, exist_ok=True)
    for path in SHIPPED.iterdir():
        if path.is_file() and path.suffix not in (".gpkg-wal", ".gpkg-shm") and not (into / path.name).exists():
            shutil.copyfile(path, into / path.name)
    return into


def load(project: QgsProject | None = None) -> dict[str, QgsVectorLayer]:
    """Load the sample into a project, in a group at the top; return its layers by name.

    Raises
    ------
    OSError
        When the files cannot be copied to the profile.
    """
    project = project or QgsProject.instance()
    place = copied(folder())
    group = project.layerTreeRoot().insertGroup(0, tr("Sample: California, synthetic practices"))
    layers = {}
    for name, source in LAYERS.items():
        layers[name] = QgsVectorLayer(str(place / source), tr(name), "ogr")
        project.addMapLayer(layers[name], False)
        group.addLayer(layers[name])
    return layers
