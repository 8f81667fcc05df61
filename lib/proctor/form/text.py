"""The text of an exercise: its parts, its length, its address in the book, and that it gives nothing away."""

import re
from collections.abc import Iterator
from pathlib import Path

from proctor.assignment import Assignment
from proctor.exercise import Cell, Exercise
from proctor.form.cell import HIDDEN, SOLUTION

WORDS_AT_MOST = 120
SHORTEST_SECRET = 12  # letters: below, a line like `return dx` stands everywhere
FORMULA = re.compile(r"\$[^$]*\$")


def faults(exercise: Exercise, path: Path, course: Path) -> Iterator[str]:
    """Everything that is wrong with the text of one exercise."""
    where = f"{path}:{exercise.texts[0].line if exercise.texts else exercise.answer.line}"
    after = {id(cell) for cell in exercise.texts[1:]}
    prompt = exercise.texts[0].source if exercise.texts else ""
    whole = "\n".join(cell.source for cell in exercise.texts)
    header = r"## .+\n\n[●○]{5} · \d+ minutes · \{\{points\}\}"
    if not re.match(header, prompt):
        yield f"{where}: a task begins with `## title`, an empty line, and `●●○○○ · 20 minutes · {{{{points}}}}`"
    wanted = ["*Why it matters:*", "**Task.**", "Example"]
    rest = ["**Predict first.**", "Hint 1", "Hint 2", "Hint 3", "**Go further**"]
    wanted += ["*Tested:* {{tested}}"] if exercise.check else ["**Rubric"]
    rest += ["symptoms and causes"] + ["{{symptoms}}"] * bool(exercise.check and exercise.sentences)
    for part in wanted:
        if part not in prompt:
            yield f"{where}: the task of {exercise.name} lacks `{part}`"
    for part in rest if exercise.check else ["**Predict first.**", "Hint 1", "Hint 2", "Hint 3"]:
        if part not in whole or not after:
            yield f"{where}: {exercise.name} lacks `{part}`"
    yield from _length(exercise, prompt, where)
    for left in re.findall(r"\{\{\w*\}\}", exercise.fill(whole)):
        if left != "{{total}}":
            yield f"{where}: {left} is no placeholder"
    if exercise.check:
        line = exercise.check.line + exercise.task.lineno - 1
        yield from (f"{path}:{line}: {words}" for words in _address(exercise.read, course))


def _length(exercise: Exercise, prompt: str, where: str) -> Iterator[str]:
    task = re.split(r"\*Tested:\*|\*\*Rubric", prompt.split("**Task.**")[-1])[0]
    words = len(FORMULA.sub("formula", task).split())
    if words > WORDS_AT_MOST:
        yield f"{where}: the task of {exercise.name} has {words} words, at most {WORDS_AT_MOST}"


def anchors(page: str) -> set[str]:
    """The addresses of a page's headings and of its labels."""
    headings = re.findall(r"(?m)^#+ +(.+?) *$", re.sub(r"(?ms)^```.*?^```", "", page))
    plain = [
        re.sub(r"[^\w\- ]", "", heading.lower()).strip().replace(" ", "-") for heading in headings
    ]
    return {*plain, *re.findall(r"(?m)^\(([\w-]+)\)=", page)}


def _address(read: str, course: Path) -> Iterator[str]:
    slug, _, anchor = read.partition("#")
    if not re.fullmatch(r"[\w/]+#[\w-]+", read):
        yield f"read={read!r} is no `slug#anchor`"
        return
    page = course / "book" / f"{slug}.md"
    if page.exists() and anchor not in anchors(page.read_text(encoding="utf-8")):
        yield f"read={read!r}: {page.relative_to(course)} has no heading `{anchor}`"


def _visible(cell: Cell) -> str:
    return SOLUTION.sub("", HIDDEN.sub("", cell.source))


def leaks(assignment: Assignment) -> Iterator[str]:
    """Lines of a solution or of a hidden test that stand elsewhere in the notebook."""
    given = {
        line.strip()
        for e in assignment.exercises
        for c in e.before
        for line in c.source.splitlines()
    }
    checks = {
        line.strip()
        for e in assignment.exercises
        if e.check
        for line in _visible(e.check).splitlines()
    }
    for exercise in assignment.exercises:
        cells = [(SOLUTION, exercise.answer), (HIDDEN, exercise.check)]
        regions = [
            region
            for pattern, cell in cells
            for region in (pattern.findall(cell.source) if cell else [])
        ]
        lines = {line.split("  #")[0].strip() for region in regions for line in region.splitlines()}
        secret = lines - given - checks
        for line in sorted(one for one in secret if len(one) >= SHORTEST_SECRET):
            for cell in assignment.cells:
                if line in _visible(cell):
                    at = cell.line + next(
                        n for n, text in enumerate(cell.source.splitlines()) if line in text
                    )
                    yield f"{assignment.path}:{at}: gives away a line of {exercise.name}: {line}"
