"""The main job on the bundled sample: providers → workload → ZIP graph → balanced territories.

Runs each algorithm through `qgis_process`, then makes a project and a picture of the result. All lands in
`demo/` beside this folder. Meant to be run by `make demo`, which sets the environment.
"""

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

if not os.environ.get("DISPLAY") and not os.environ.get("WAYLAND_DISPLAY"):
    os.environ.setdefault("QT_QPA_PLATFORM", "offscreen")

from qgis.core import (
    QgsApplication,
    QgsCoordinateReferenceSystem,
    QgsDatumTransform,
    QgsLayerTreeGroup,
    QgsLayout,
    QgsLayoutExporter,
    QgsLayoutItemLabel,
    QgsLayoutItemMap,
    QgsLayoutPoint,
    QgsLayoutSize,
    QgsProject,
    QgsRectangle,
    QgsTextFormat,
    QgsVectorLayer,
)
from qgis.PyQt.QtGui import QColor, QFont

ROOT = Path(__file__).resolve().parent.parent
SAMPLE = ROOT / "sample"
DEMO = ROOT / "demo"
PACKAGE = DEMO / "territories.gpkg"
ALBERS = "EPSG:3310"  # California's equal-area projection
REPS = 20

# layer in the GeoPackage → its name in the project, by group and from top to bottom
LAYERS = {
    "Balanced territories": {
        "territories": "Territories",
        "providers": "Weighted providers",
        "adjacency": "Adjacency",
        "zips_by_territory": "ZIPs by territory",
    },
    "Today": {"today": "Today's territories", "unmatched": "Providers without a ZIP", "zips": "ZIPs with workload"},
}
HIDDEN = {"Weighted providers", "Adjacency", "Today's territories", "Providers without a ZIP", "ZIPs with workload"}


def table(name: str) -> str:
    """Return the address of a table of the demo's GeoPackage, as an output."""
    path = str(PACKAGE).replace("\\", "\\\\").replace("'", "\\'")  # a folder may be called "Anne's"
    return f"ogr:dbname='{path}' table=\"{name}\" (geom)"


def layer(name: str) -> str:
    """Return the address of a table of the demo's GeoPackage, as an input."""
    return f"{PACKAGE}|layername={name}"


def run(algorithm: str, told: str, parameters: dict) -> dict:
    """Run one algorithm in a process of its own and return its results; stop when it fails."""
    started = time.monotonic()
    done = subprocess.run(
        ["qgis_process", "run", f"territories:{algorithm}", "-"],
        input=json.dumps({"inputs": parameters}), capture_output=True, text=True,
    )  # fmt: skip
    if done.returncode != 0:
        sys.exit(f"{algorithm} ended with exit status {done.returncode}:\n{done.stdout}{done.stderr}")
    print(f"  {told:<58} {time.monotonic() - started:5.1f} s", flush=True)
    return json.loads(done.stdout)["results"]


def main_job() -> tuple[dict, dict]:
    """Run the five algorithms; return the measures of today's alignment and of the plan."""
    zips, providers = f"{SAMPLE}/sample.gpkg|layername=zips", f"{SAMPLE}/sample.gpkg|layername=providers"
    units = {"UNITS": layer("zips"), "UNIT_FIELD": "zip", "WORKLOAD_FIELDS": ["workload"], "EDGES": layer("adjacency")}
    run("weightproviders", "5,008 providers weighted by specialty and practice size", {
        "INPUT": providers, "SPECIALTY_FIELD": "Healthcare Provider Taxonomy Code_1",
        "SPECIALTY_WEIGHTS": str(SAMPLE / "specialty_weights.csv"), "SIZE_FIELD": "practice_size", "SIZE_SCALE": "sqrt",
        "OUTPUT": table("providers"),
    })  # fmt: skip
    summed = run("sumproviderstozips", "summed to ZIPs, PO boxes through the crosswalk", {
        "PROVIDERS": layer("providers"),
        "PROVIDER_ZIP_FIELD": "Provider Business Practice Location Address Postal Code",
        "WORKLOAD_FIELDS": ["workload"], "ZIPS": zips, "ZIP_FIELD": "zip",
        "CROSSWALK": str(SAMPLE / "zip_crosswalk.csv"), "OUTPUT": table("zips"), "UNMATCHED": table("unmatched"),
    })  # fmt: skip
    graph = run("buildadjacencygraph", "ZIP adjacency graph, islands bridged", {
        "INPUT": layer("zips"), "UNIT_FIELD": "zip", "CONTIGUITY": "rook", "BRIDGE": "nearest",
        "OUTPUT": table("adjacency"),
    })  # fmt: skip
    today = run("evaluateterritories", "today's alignment evaluated", {
        **units, "TERRITORY_FIELD": "rep", "OUTPUT": table("today"), "REPORT": str(DEMO / "today.html"),
    })  # fmt: skip
    plan = run("balanceterritories", f"{REPS} balanced territories", {
        **units, "TERRITORIES": REPS, "TOLERANCE": 5, "SEED": 1, "OUTPUT": table("territories"),
        "ASSIGNMENT": table("zips_by_territory"), "REPORT": str(DEMO / "report.html"),
    })  # fmt: skip
    print(
        f"\n  {summed['MATCHED_COUNT']:,} providers placed, {summed['UNMATCHED_COUNT']:,} without a ZIP; "
        f"{graph['UNIT_COUNT']:,} ZIPs, {graph['EDGE_COUNT']:,} edges, {graph['BRIDGE_COUNT']:,} of them bridges"
    )
    return today, plan


def make_project() -> QgsProject:
    """Make the project with all layers, styled from the GeoPackage, grouped and in order."""
    project = QgsProject.instance()
    project.clear()
    project.setTitle("Healthcare Territories: demo")
    project.setCrs(QgsCoordinateReferenceSystem(ALBERS))
    project.setTransformContext(with_operation(project.transformContext()))
    for title, tables in LAYERS.items():
        group: QgsLayerTreeGroup = project.layerTreeRoot().addGroup(title)
        for name, shown in tables.items():
            opened = QgsVectorLayer(layer(name), shown, "ogr")
            if not opened.isValid():
                sys.exit(f"{name} is missing from {PACKAGE}")
            project.addMapLayer(opened, False)
            node = group.addLayer(opened)
            node.setItemVisibilityChecked(shown not in HIDDEN)
            node.setExpanded(False)
        group.setItemVisibilityChecked(True)
    extent = project.mapLayersByName("Territories")[0].extent()
    project.viewSettings().setDefaultViewExtent(reference(project, extent))
    project.write(str(DEMO / "territories.qgz"))
    return project


def with_operation(context):
    """Return a transform context that says how to get to the map's CRS: QGIS asks a newcomer at each opening else."""
    degrees, flat = QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(ALBERS)
    usable = [operation for operation in QgsDatumTransform.operations(degrees, flat) if operation.isAvailable]
    if usable:
        context.addCoordinateOperation(degrees, flat, usable[0].proj)
    return context


def reference(project, extent):
    """Return an extent in degrees as a referenced rectangle."""
    from qgis.core import QgsReferencedRectangle

    return QgsReferencedRectangle(extent, QgsCoordinateReferenceSystem("EPSG:4326"))


def draw(project, today: dict, plan: dict) -> Path:
    """Draw today's territories beside the balanced ones and return the picture's path."""
    from qgis.core import QgsCoordinateTransform

    layout = QgsLayout(project)
    layout.initializeDefaults()
    page = layout.pageCollection().page(0)
    page.setPageSize(QgsLayoutSize(250, 152))
    by_name = {shown: project.mapLayersByName(shown)[0] for tables in LAYERS.values() for shown in tables.values()}
    whole = QgsCoordinateTransform(
        QgsCoordinateReferenceSystem("EPSG:4326"), QgsCoordinateReferenceSystem(ALBERS), project
    ).transformBoundingBox(by_name["Territories"].extent())
    panels = (
        (6, "Today: 20 reps, drawn by habit", today, ["Today's territories"]),
        (128, "Balanced: 20 connected territories", plan, ["Territories", "ZIPs by territory"]),
    )
    for left, title, measures, names in panels:
        view = QgsLayoutItemMap(layout)
        view.attemptMove(QgsLayoutPoint(left, 19))
        view.attemptResize(QgsLayoutSize(116, 129))
        view.setCrs(QgsCoordinateReferenceSystem(ALBERS))
        view.setLayers([by_name[name] for name in names])
        view.setKeepLayerSet(True)
        view.zoomToExtent(QgsRectangle(whole).buffered(8000))
        layout.addLayoutItem(view)
        facts = (
            f"largest deviation {measures['MAX_DEVIATION_PCT']:.0f} %, "
            f"{measures['WITHIN_PCT']:.0f} % of territories within ±5 %"
        )
        for text, top, size, bold in ((title, 5, 13, True), (facts, 12, 9, False)):
            label = QgsLayoutItemLabel(layout)
            label.setText(text)
            form = QgsTextFormat()
            font = QFont("Open Sans")
            font.setBold(bold)
            form.setFont(font)
            form.setSize(size)
            form.setColor(QColor("#22313f"))
            label.setTextFormat(form)
            label.attemptMove(QgsLayoutPoint(left + 2, top))
            label.attemptResize(QgsLayoutSize(116, 7))
            layout.addLayoutItem(label)
    path = DEMO / "map.png"
    if not QgsLayoutExporter(layout).renderPageToImage(0, dpi=150).save(str(path)):
        sys.exit(f"cannot draw {path}")
    return path


def show(project) -> None:
    """Print today's and the new territories side by side, most loaded first."""

    def rows(name):
        features = project.mapLayersByName(name)[0].getFeatures()
        kept = [f for f in features if f["territory"]]
        return sorted(kept, key=lambda feature: -feature["workload"])

    head = f"{'territory':<10}{'providers':>10}{'workload':>10}{'index':>7}{'deviation':>11}"
    print(f"\n  {'TODAY':<52}BALANCED\n  {head}    {head}")
    for pair in zip(rows("Today's territories"), rows("Territories")):
        cells = [
            f"{f['territory']:<10}{f['providers']:>10,}{f['workload']:>10,.0f}{f['index']:>7.0f}{f['deviation_pct']:>+10.1f}%"
            for f in pair
        ]
        print(f"  {cells[0]}    {cells[1]}")


def main() -> None:
    started = time.monotonic()
    shutil.rmtree(DEMO, ignore_errors=True)
    DEMO.mkdir()
    print(f"Healthcare Territories on the bundled sample (California, synthetic providers), {REPS} reps\n")
    today, plan = main_job()
    application = QgsApplication([], True)
    application.initQgis()
    drawing = time.monotonic()
    project = make_project()
    picture = draw(project, today, plan)
    print(f"  {'project and map':<58} {time.monotonic() - drawing:5.1f} s")
    show(project)
    print(
        f"\n  largest deviation {today['MAX_DEVIATION_PCT']:.1f} % → {plan['MAX_DEVIATION_PCT']:.1f} %; "
        f"every territory connected: {'yes' if plan['CONNECTED'] else 'no'}; "
        f"RMS distance {today['RMS_KM']:.1f} → {plan['RMS_KM']:.1f} km\n\n  Look at"
    )
    for path, told in (
        (PACKAGE, "the layers, styles inside"), (DEMO / "territories.qgz", "the project, opens styled"),
        (picture, "the map"), (DEMO / "report.html", "the plan's report"), (DEMO / "today.html", "today's report"),
    ):  # fmt: skip
        print(f"    {path.relative_to(ROOT)!s:<24} {told}")
    print(f"  in {time.monotonic() - started:.0f} s altogether")
    project.clear()
    application.exitQgis()


if __name__ == "__main__":
    main()
