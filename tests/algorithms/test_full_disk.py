"""A disk that fills up: the run fails with the reason, and nothing half-written stands where outputs belong."""

from __future__ import annotations

import json
import shlex
import subprocess

import pytest

ENOUGH = "4m"
ROOM = {"gpkg": "64k", "geojson": "16k", "fgb": "12k", "shp": "16k"}


def squares(path):
    """Write a market of 64 square ZIPs with a territory for each column."""
    features = [
        {
            "type": "Feature", "properties": {"zip": f"0{y}10{x}", "workload": 1, "rep": f"R{x}"},
            "geometry": {"type": "Polygon", "coordinates": [[[x, y], [x + 1, y], [x + 1, y + 1], [x, y + 1], [x, y]]]},
        }
        for y in range(8) for x in range(8)
    ]  # fmt: skip
    path.write_text(json.dumps({"type": "FeatureCollection", "features": features}))
    return path


@pytest.fixture(scope="module")
def on_a_small_disk(qgis_process, tmp_path_factory):
    """Return ``run(kind, size)``: an evaluation with `qgis_process`, whose outputs go to a disk in memory."""
    market = squares(tmp_path_factory.mktemp("market") / "zips.geojson")
    folder = tmp_path_factory.mktemp("disk")
    mount = ["unshare", "-rm", "sh", "-c", f"mount -t tmpfs -o size=64k tmpfs {shlex.quote(str(folder))}"]
    if subprocess.run(mount, capture_output=True).returncode:
        pytest.skip("no disk in memory can be made here (unshare -rm)")

    def run(kind, size):
        command = [
            "qgis_process", "run", "territories:evaluateterritories", f"--UNITS={market}", "--UNIT_FIELD=zip",
            "--WORKLOAD_FIELDS=workload", "--TERRITORY_FIELD=rep", f"--OUTPUT={folder}/plan.{kind}",
            f"--REPORT={folder}/report.html",
        ]  # fmt: skip
        script = (
            f"mount -t tmpfs -o size={size} tmpfs {shlex.quote(str(folder))} && echo old > {folder}/report.html && "
            f"{shlex.join(command)}; echo status $?; ls -A {folder}; head -c 3 {folder}/report.html"
        )
        environment = qgis_process.__self__.environment
        done = subprocess.run(["unshare", "-rm", "sh", "-c", script], capture_output=True, text=True, env=environment)
        told, _, after = done.stdout.partition("status ")
        status, *left = after.split()
        return int(status), left, told + done.stderr

    return run


@pytest.mark.parametrize("kind", ROOM)
def test_a_full_disk_keeps_what_was_there(on_a_small_disk, kind):
    status, left, told = on_a_small_disk(kind, ROOM[kind])
    assert status == 1
    assert left == ["report.html", "old"], told
    assert "Traceback" not in told


def test_a_disk_that_is_large_enough(on_a_small_disk):
    status, left, told = on_a_small_disk("gpkg", ENOUGH)
    assert status == 0, told
    assert left[:2] == ["plan.gpkg", "report.html"]
    assert left[2] != "old"
