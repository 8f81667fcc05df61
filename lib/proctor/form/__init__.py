"""What every assignment must be, as messages with file and line; nothing of a student's code is run.

`faults(course)` is what `make check` and the tests ask.
"""

from pathlib import Path

from proctor import answers
from proctor.assignment import Assignment, Malformed, read, sources
from proctor.exercise import Exercise
from proctor.form import cell, text

__all__ = ["faults", "faults_of"]

TOTAL = 20


def faults(course: Path) -> list[str]:
    """Everything that is wrong with the assignments of a course; a list without entries is a good one."""
    found = []
    for path in sources(course):
        try:
            found += faults_of(read(path), course)
        except (Malformed, ValueError, SyntaxError) as error:
            found.append(str(error) if isinstance(error, Malformed) else f"{path}:1: {error}")
    return [line.replace(f"{course}/", "") for line in found]


def faults_of(assignment: Assignment, course: Path) -> list[str]:
    """Everything that is wrong with one assignment."""
    bad, path = [], assignment.path
    bad += _ids(assignment)
    if assignment.total != TOTAL:
        bad.append(f"{path}:1: {assignment.total:g} points in all, an assignment has {TOTAL}")
    if not 4 <= len(assignment.exercises) <= 8:
        bad.append(f"{path}:1: {len(assignment.exercises)} exercises, an assignment has 4 to 8")
    by_hand = [exercise for exercise in assignment.exercises if not exercise.check]
    bad += [
        f"{path}:{e.answer.line}: a second exercise graded by hand; one is the most"
        for e in by_hand[1:]
    ]
    broken = False
    for exercise in assignment.exercises:
        where = exercise.check or exercise.answer
        try:
            bad += cell.faults(exercise, path)
        except (SyntaxError, ValueError) as error:
            line = where.line + (getattr(error, "lineno", None) or 1) - 1
            bad.append(
                f"{path}:{line}: the graded cell cannot be read: {getattr(error, 'msg', error)}"
            )
            broken = True
    if broken:
        return bad
    slow = [
        e for e in assignment.exercises if e.check and any(check.seconds > 2 for check in e.checks)
    ]
    bad += [
        f"{path}:{e.answer.line}: a second exercise that takes long; one is the most"
        for e in slow[1:]
    ]
    for exercise in assignment.exercises:
        bad += text.faults(exercise, path, course)
    return [*bad, *text.leaks(assignment), *_answers(assignment)]


def _ids(assignment: Assignment) -> list[str]:
    bad, seen = [], {}
    for one in assignment.cells:
        key, where = one.grader.get("grade_id"), f"{assignment.path}:{one.line}"
        if not one.grader:
            continue
        if key in seen:
            bad.append(f"{where}: the id {key!r} is already that of line {seen[key]}")
        seen.setdefault(key, one.line)
        wanted = {
            "answer": {"grade": False, "locked": False, "solution": True},
            "check": {"grade": True, "locked": True, "solution": False},
            "by hand": {"grade": True, "locked": False, "solution": True},
        }.get(one.role, {"grade": False, "locked": True, "solution": False}) | {"schema_version": 3}
        wrong = [name for name, value in wanted.items() if one.grader.get(name) != value]
        if wrong:
            said = ", ".join(f"{name} should be {wanted[name]}" for name in wrong)
            bad.append(f"{where}: nbgrader's metadata of {key!r}: {said}")
    return bad


def _answers(assignment: Assignment) -> list[str]:
    path = assignment.path.with_name("answers.py")
    if not path.exists():
        return [f"{path}:1: missing: the answers that the graders are tried on"]
    try:
        every = answers.every(assignment)
    except Malformed as error:
        return [str(error)]
    bad = []
    for exercise in assignment.exercises:
        if exercise.check:
            bad += _enough(exercise, [a for a in every if a.exercise == exercise.name], path)
    bad += [
        f"{a.where}: a wrong answer says its points and the words of its message"
        for a in every
        if not a.right and not a.words
    ]
    return bad


def _enough(exercise: Exercise, mine: list[answers.Answer], path: Path) -> list[str]:
    right = sum(answer.right for answer in mine)
    line = next((answer.where for answer in mine if not answer.key), f"{path}:1")
    bad = []
    if right < 2:
        bad.append(
            f"{line}: {exercise.name} has {right} right answers, needs 2 that go different ways"
        )
    if len(mine) - right < 5:
        bad.append(
            f"{line}: {exercise.name} has {len(mine) - right} wrong answers, derived ones counted, needs 5"
        )
    return bad
