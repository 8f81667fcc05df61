"""From what a student handed in to the notebook that was set: nothing about grading is taken from the file."""

import base64
import binascii
import hashlib
import json
import re
from dataclasses import dataclass, field
from typing import Any

MOST_CELLS, LONGEST = 1000, 200_000  # characters of a cell
MOST_OUTPUTS, WORDS, PICTURE = 100, 100_000, 2_000_000
TAG = re.compile(r"<(?=[A-Za-z/!?])(?!/?(?:details|summary)>)")
NOT_OURS = "is not a notebook of format 4"


@dataclass
class Cell:
    """A cell of the mended notebook; `key` is its grade_id where the assignment knows it."""

    kind: str
    source: str
    key: str = ""
    outputs: list[dict] = field(default_factory=list)
    seconds: float = 0.0


def understand(raw: bytes) -> tuple[list[Any], str]:
    """The cells of a file that may be anything, and what is wrong with it."""
    try:
        text = raw.decode("utf-8-sig")
    except UnicodeDecodeError:
        return [], "is not UTF-8 text"
    if not text.strip():
        return [], "is empty"
    try:
        found = json.loads(text)
    except (ValueError, RecursionError):
        return [], "is not JSON"
    fine = isinstance(found, dict) and isinstance(found.get("cells"), list)
    if not fine or not isinstance(found.get("nbformat", 4), int) or found.get("nbformat", 4) < 4:
        return [], NOT_OURS
    if len(found["cells"]) > MOST_CELLS:
        return found["cells"][
            :MOST_CELLS
        ], f"has more than {MOST_CELLS} cells; the rest was ignored"
    return found["cells"], ""


def mend(submitted: list[Any], known: dict[str, dict], name: str) -> tuple[list[Cell], list[str]]:
    """The cells that count, and what was repaired.

    The last copy of a graded cell counts; a locked cell gets its source back; a cell that is missing comes
    back behind its predecessor, where its text can be told from a cell without metadata, that one.
    """
    notes: list[str] = []
    cells: list[Cell] = []
    seen: set[str] = set()
    for one in reversed(submitted):
        made = _cell(one)
        if made is None:
            continue
        if made.key in seen and made.key in known:
            notes.append(f"{name}: the cell {made.key} was there twice; the last one counts")
            made.key = ""
        elif made.key in known:
            seen.add(made.key)
            made.kind = known[made.key]["kind"]
            if known[made.key]["locked"]:
                given = known[made.key]["source"]
                shown = known[made.key].get("shown", given)
                if made.source.strip() not in (given.strip(), shown.strip()):
                    notes.append(
                        f"{name}: the locked cell {made.key} was changed; the original counts"
                    )
                made.source = given
        else:
            made.key = ""
        cells.append(made)
    cells.reverse()
    notes.reverse()
    _bring_back(cells, known, seen, name, notes)
    return cells, notes


def _cell(one: Any) -> Cell | None:
    if not isinstance(one, dict):
        return None
    text = one.get("source", "")
    if isinstance(text, list):
        text = "".join(part for part in text if isinstance(part, str))
    if not isinstance(text, str):
        return None
    text = text.encode("utf-8", "replace").decode()
    if len(text) > LONGEST:
        text = "# this cell was longer than the grader accepts"
    about = one.get("metadata")
    about = about.get("nbgrader") if isinstance(about, dict) else None
    key = about.get("grade_id") if isinstance(about, dict) else ""
    kind = one.get("cell_type")
    return Cell(
        kind if kind in ("code", "markdown") else "raw", text, key if isinstance(key, str) else ""
    )


def _bring_back(
    cells: list[Cell], known: dict[str, dict], seen: set[str], name: str, notes: list[str]
) -> None:
    """Put missing cells where they belong; one that lost its metadata is known by what it defines."""
    before = None
    for key, spec in known.items():
        if key not in seen:
            nameless = next((c for c in cells if not c.key and _answers(c, spec)), None)
            if nameless is not None:
                nameless.key = key
                notes.append(
                    f"{name}: the cell {key} had lost its metadata and was known by its text"
                )
            else:
                at = (
                    0
                    if before is None
                    else next(i for i, c in enumerate(cells) if c.key == before) + 1
                )
                cells.insert(at, Cell(spec["kind"], spec["source"], key))
                if spec["solution"] or spec["grade"]:
                    notes.append(
                        f"{name}: the cell {key} was missing; the one that was set is in its place"
                    )
        before = key


def _answers(cell: Cell, spec: dict) -> bool:
    """Whether a cell without metadata is the answer to a cell that asks for a function."""
    names = spec.get("defines") or []
    return bool(
        spec["solution"] and not spec["locked"] and cell.kind == spec["kind"] == "code" and names
        and all(re.search(rf"(?m)^(?:def|class) {re.escape(n)}\b|^{re.escape(n)} *=", cell.source) for n in names)
    )  # fmt: skip


def checksum(spec: dict, source: str, kind: str) -> str:
    """nbgrader's checksum of a cell with this source."""
    words = [
        source,
        kind,
        str(spec["grade"]),
        str(spec["solution"]),
        str(spec["locked"]),
        spec["name"],
    ]
    words += [str(float(spec["points"]))] * bool(spec["grade"])
    made = hashlib.md5()
    for word in words:
        made.update(word.encode())
    return made.hexdigest()


def untouched(spec: dict, cell: Cell | None) -> bool:
    """Whether an answer is still the stub that was set."""
    fine = cell is not None and bool(spec["checksum"]) and not spec["task"]
    return fine and checksum(spec, cell.source, cell.kind) == spec["checksum"]  # pyright: ignore


def harmless(markdown: str) -> str:
    """A student's text without its HTML, which would run in the browser of whoever reads it."""
    return TAG.sub("&lt;", markdown)


def outputs(told: Any) -> list[dict[str, Any]]:
    """What leaves the pen of what a cell printed and showed: text and png, well formed and of bounded size."""
    good: list[dict[str, Any]] = []
    left = 2 * WORDS

    def text(value: Any, most: int = WORDS) -> str:
        nonlocal left
        kept = str(value if isinstance(value, (str, int, float)) else "")[: max(0, min(most, left))]
        left -= len(kept)
        return kept.encode("utf-8", "replace").decode()

    for one in (told if isinstance(told, list) else [])[:MOST_OUTPUTS]:
        if not isinstance(one, dict):
            continue
        kind = one.get("output_type")
        if kind == "stream" and one.get("name") in ("stdout", "stderr"):
            good.append({"output_type": kind, "name": one["name"], "text": text(one.get("text"))})
        elif kind == "error":
            trace = one.get("traceback")
            lines = [text(line, 2000) for line in (trace if isinstance(trace, list) else [])[:100]]
            good.append({"output_type": kind, "ename": text(one.get("ename"), 100),
                         "evalue": text(one.get("evalue"), 2000), "traceback": lines})  # fmt: skip
        elif kind in ("display_data", "execute_result") and isinstance(one.get("data"), dict):
            data = {"text/plain": text(one["data"].get("text/plain"))}
            if _is_png(picture := one["data"].get("image/png")):
                data["image/png"] = picture
            made = {"output_type": kind, "data": data, "metadata": {}}
            good.append(made | ({"execution_count": None} if kind == "execute_result" else {}))
    return good


def _is_png(picture: Any) -> bool:
    if not isinstance(picture, str) or len(picture) > PICTURE:
        return False
    try:
        return base64.b64decode(picture, validate=True).startswith(b"\x89PNG\r\n\x1a\n")
    except (ValueError, binascii.Error):
        return False
