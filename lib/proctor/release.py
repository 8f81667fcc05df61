"""From the text to the notebooks: solutions/<name>/<name>.ipynb, executed, and exercises/<name>/<name>.ipynb.

Both are made, never edited, and have stable ids, so that making them again changes nothing. The release goes
through nbgrader's own preprocessors in this process; a test holds it byte for byte equal to what
`nbgrader generate_assignment` makes.
"""

import hashlib
import os
from pathlib import Path

import nbformat
from nbformat import NotebookNode

from proctor.assignment import Assignment, Malformed, read, sources

KERNEL = {"display_name": "Python 3 (ipykernel)", "language": "python", "name": "python3"}


def notebook(assignment: Assignment) -> NotebookNode:
    """The notebook of an assignment's text, not executed: placeholders filled, ids stable, nothing else."""
    nb, seen = nbformat.v4.new_notebook(), set()
    for cell in assignment.filled():
        new = (
            nbformat.v4.new_markdown_cell if cell.kind == "markdown" else nbformat.v4.new_code_cell
        )
        made = new(cell.source)
        made.metadata = NotebookNode(
            {
                key: NotebookNode(value) if isinstance(value, dict) else value
                for key, value in cell.metadata.items()
            }
        )
        base = (
            cell.grader.get("grade_id")
            or "c-" + hashlib.sha1(cell.source.encode()).hexdigest()[:10]
        )
        number, made.id = 1, base
        while made.id in seen:
            number += 1
            made.id = f"{base}-{number}"
        seen.add(made.id)
        nb.cells.append(made)
    nb.metadata = NotebookNode(
        kernelspec=NotebookNode(KERNEL), language_info=NotebookNode(name="python")
    )
    nb.nbformat, nb.nbformat_minor = 4, 5
    return nb


def execute(assignment: Assignment) -> Path:
    """Run the solution in a fresh kernel and write the notebook beside its text."""
    from nbclient import NotebookClient

    nb, path = notebook(assignment), assignment.path.with_suffix(".ipynb")
    place = {"metadata": {"path": str(path.parent)}}
    quiet = ["--log-level=ERROR"]
    client = NotebookClient(
        nb, timeout=120, record_timing=False, resources=place, extra_arguments=quiet
    )
    client.execute()
    for cell in nb.cells:
        cell.metadata.pop("execution", None)
    nb.metadata = notebook(assignment).metadata
    nbformat.write(nb, path)
    return path


def released(course: Path, nb: NotebookNode) -> str:
    """What nbgrader makes of a solution for students."""
    from nbconvert.exporters import NotebookExporter
    from nbgrader import preprocessors as steps
    from traitlets.config import Config
    from traitlets.config.loader import PyFileConfigLoader

    config = Config()
    config.Exporter.default_preprocessors = []
    if (course / "nbgrader_config.py").exists():
        config.merge(PyFileConfigLoader("nbgrader_config.py", path=str(course)).load_config())
    exporter = NotebookExporter(config=config)
    for step in (
        steps.IncludeHeaderFooter, steps.LockCells, steps.ClearSolutions, steps.ClearOutput,
        steps.CheckCellMetadata, steps.ComputeChecksums, steps.ClearHiddenTests, steps.ClearMarkScheme,
        steps.ComputeChecksums, steps.CheckCellMetadata,
    ):  # fmt: skip
        exporter.register_preprocessor(step, enabled=True)
    here = Path.cwd()
    os.chdir(course)  # headers and footers are found from there
    try:
        return exporter.from_notebook_node(nb)[0]
    finally:
        os.chdir(here)


def release_path(course: Path, name: str) -> Path:
    """Where an assignment's release lies."""
    return course / "exercises" / name / f"{name}.ipynb"


def build(course: Path, names: list[str] | None = None) -> list[Path]:
    """Make both notebooks of the assignments named, or of all."""
    made = []
    for path in sources(course, names):
        assignment = read(path)
        solution, release = execute(assignment), release_path(course, path.stem)
        release.parent.mkdir(parents=True, exist_ok=True)
        release.write_text(
            released(course, nbformat.read(solution, as_version=4)), encoding="utf-8"
        )
        made += [solution, release]
    return made


def _load(path: Path, shown: str) -> NotebookNode | str:
    if not path.exists():
        return f"{shown}:1: missing: make it with `make notebooks`"
    try:
        nb = nbformat.reads(path.read_text(encoding="utf-8"), as_version=4)
        nbformat.validate(nb)
        return nb
    except Exception as error:
        return f"{shown}:1: cannot be read: {str(error).splitlines()[0][:120]}"


def _pair(assignment: Assignment, have: NotebookNode, shown: str) -> list[str]:
    """What the executed solution and the text do not share."""
    want, bad = notebook(assignment), []
    if len(want.cells) != len(have.cells):
        return [
            f"{shown}:1: {len(have.cells)} cells, the text has {len(want.cells)}: `make notebooks`"
        ]
    for place, (one, other) in enumerate(zip(want.cells, have.cells, strict=True)):
        differs = [
            key for key in ("id", "cell_type", "source", "metadata") if one[key] != other[key]
        ]
        if differs:
            line = assignment.cells[place].line
            bad.append(
                f"{assignment.path}:{line}: cell {one.id}: {', '.join(differs)} differ from the .ipynb: "
                "`make notebooks`"
            )
    codes = [cell for cell in have.cells if cell.cell_type == "code" and cell.source.strip()]
    if [cell.execution_count for cell in codes] != list(range(1, len(codes) + 1)):
        bad.append(f"{shown}:1: was not executed from top to bottom")
    bad += [
        f"{shown}:1: cell {cell.id} ends in an error"
        for cell in codes
        if any(o.output_type == "error" for o in cell.outputs)
    ]
    return bad


def drift(course: Path) -> list[str]:
    """What is out of step: a text and its executed notebook, a solution and its release, releases without a source."""
    bad, known = [], []
    try:
        paths = sources(course)
    except Malformed as error:
        return [str(error)]
    for path in paths:
        known.append(path.stem)
        solution, release = path.with_suffix(".ipynb"), release_path(course, path.stem)
        try:
            have = _load(solution, str(solution.relative_to(course)))
            if isinstance(have, str):
                bad.append(have)
                continue
            bad += _pair(read(path), have, str(solution.relative_to(course)))
            made = released(course, have)
        except Exception as error:
            bad.append(
                str(error)
                if isinstance(error, Malformed)
                else f"{solution.relative_to(course)}:1: {error}"
            )
            continue
        shown = release.relative_to(course)
        if not release.exists():
            bad.append(f"{shown}:1: missing: make it with `make notebooks`")
        elif release.read_text(encoding="utf-8") != made:
            bad.append(
                f"{shown}:1: is not what the source gives: `make notebooks`; a release is never edited"
            )
        extra = [
            p.name
            for p in sorted(release.parent.glob("*"))
            if p != release and p.name != ".ipynb_checkpoints"
        ]
        bad += [
            f"{shown.parent}/{name}:1: nothing but the notebook goes to students" for name in extra
        ]
    strangers = [p for p in sorted(course.glob("exercises/*/")) if p.name not in known]
    return [line.replace(f"{course}/", "") for line in bad] + [
        f"{p.relative_to(course)}:1: no such assignment in solutions" for p in strangers
    ]
