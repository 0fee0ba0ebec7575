"""Files on their way from the folder that they were written in to their place."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from ..engine.errors import TerritoryError
from .geopackage import settle

ASIDE = ".territories-"
"""How the folders begin that outputs are written in; the id of the process follows."""
MOVING, BEFORE = ".moving", ".before"
"""A file that names all that is complete and on its way, and the folder of the files that are replaced."""
BESIDE = (".qml", ".qmd")
"""How the files end that hold a layer's style and its metadata."""
SHAPEFILE = (".shp", ".shx", ".dbf", ".prj", ".cpg", ".qix", ".sbn", ".sbx", ".qpj")


def move_all(folder: Path, aside: Path, moved: list) -> None:
    """Put the files of a folder aside in their place; each is replaced at once, or not at all.

    Parameters
    ----------
    moved : list of (Path, Path or None)
        Takes what was done: the file, and a link to what it was before.
    """
    new = sorted(path for path in aside.iterdir() if path.is_file() and path.name != MOVING)
    for path in new:
        if path.suffix.lower() == ".gpkg":
            if not settle(path):
                raise TerritoryError(f"{path.name} could not be written to its end. The disk may be full.")
            if not settle(folder / path.name):
                raise TerritoryError(
                    f"{folder / path.name} is open in another program, or in this project: close it there, remove its "
                    "layers, or choose another file."
                )
    names = _on_their_way(aside, [path.name for path in new])
    before = aside / BEFORE
    before.mkdir()
    styled = {path.stem for path in new if path.suffix not in BESIDE and (folder / path.name).exists()}
    for path in new:
        final = folder / path.name
        if path.suffix in BESIDE and final.exists() and path.stem not in styled:
            path.unlink()  # the style, or the record, of another layer that is called alike
            continue
        kept = _keep(final, before)
        os.replace(path, final)
        moved.append((final, kept))
        if path.suffix.lower() == ".shp":
            for suffix in SHAPEFILE:  # an index of the earlier shapefile would tell of other rows
                left = final.with_suffix(suffix)
                if left.exists() and left.name not in names:
                    moved.append((left, _keep(left, before)))
                    left.unlink()


def _on_their_way(aside: Path, names: list[str]) -> set[str]:
    """Note the names of all files of a move, once; return them, also those that are in their place already."""
    mark = aside / MOVING
    if not mark.exists():
        written = mark.with_suffix(".names")
        written.write_text(json.dumps(names), encoding="utf-8")
        os.replace(written, mark)
    return set(json.loads(mark.read_text(encoding="utf-8")))


def _keep(path: Path, before: Path) -> Path | None:
    """Return a link to a file, or its copy, from which it can come back; None where there is none."""
    if not path.exists():
        return None
    kept = before / path.name
    try:
        os.link(path, kept)
    except OSError:  # not every file system has links
        shutil.copy2(path, kept)
    return kept


def put_back(path: Path, before: Path | None) -> None:
    """Give a file back what it was before; one that was not there goes."""
    if before is None:
        path.unlink(missing_ok=True)
    else:
        os.replace(before, path)
