"""A notebook's cells as data, believed as little as a student's file."""

import json
from pathlib import Path
from typing import Any

from proctor.collect import NOTEBOOK, read_regular
from proctor.report.ledger import Sheet


def cells_of(path: Path) -> tuple[list[dict[str, Any]], str]:
    """The cells of a notebook, believed as little as a student's file; or why there are none."""
    raw, why = read_regular(path, 5 * NOTEBOOK)
    if why:
        return [], f"{path.name} {why}"
    try:
        cells = json.loads(raw)["cells"]
        return [cell for cell in cells if isinstance(cell, dict)], ""
    except (ValueError, KeyError, TypeError, RecursionError):
        return [], f"{path.name} is no notebook"


def known(sheet: Sheet, folder: Path, notebook: str) -> tuple[list[dict[str, Any]], str]:
    """The cells of one notebook of an assignment, called as the sheet calls them; none where it is not there."""
    path = folder / f"{notebook}.ipynb"
    cells, why = cells_of(path) if path.exists() or path.is_symlink() else ([], "")
    for cell in cells:
        if key := about(cell).get("grade_id"):
            about(cell)["grade_id"] = sheet.key(notebook, str(key))
    return cells, why


def source_of(cell: dict[str, Any]) -> str:
    """A cell's text."""
    source = cell.get("source", "")
    return "".join(map(str, source)) if isinstance(source, list) else str(source)


def about(cell: dict[str, Any]) -> dict[str, Any]:
    """What nbgrader keeps of a cell."""
    metadata = cell.get("metadata")
    found = metadata.get("nbgrader") if isinstance(metadata, dict) else None
    return found if isinstance(found, dict) else {}
