"""Stock `nbgrader autograde` beside `proctor grade`, on the same honest class, in one run.

    python -P benchmarks/proctor.py [--students 48] [--jobs 2] [--assignment cnn_layers] [--growth 1000]

The class is made of the answers of an assignment, right and wrong. Printed are wall and CPU seconds a submission,
the ratios with and without start-up, whether every score is equal, and the memory of the box. With --growth, a
trivial assignment is graded for 10, 100 and so many students on one gradebook.
"""

import argparse
import itertools
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path

import nbformat
from nbgrader.api import Gradebook

from proctor import answers
from proctor.assignment import read, sources
from proctor.release import release_path

ROOT = Path(__file__).resolve().parents[1]
CONFIG = """c = get_config()
c.CourseDirectory.course_id = "bench"
c.CourseDirectory.source_directory = "solutions"
c.CourseDirectory.submitted_directory = "_grading/submitted"
c.CourseDirectory.autograded_directory = "_grading/autograded"
c.CourseDirectory.db_url = "sqlite:///_grading/gradebook.db"
c.CourseDirectory.ignore = ["*.py", ".ipynb_checkpoints"]
c.ClearSolutions.code_stub = {"python": "raise NotImplementedError"}
c.ExecutePreprocessor.timeout = c.Execute.timeout = 60
"""
TRIVIAL = "def double(x):\n    return 2 * x"


def course_of(folder: Path, name: str, notebooks: dict[str, str], source: str) -> Path:
    """A course with one assignment, everything in place."""
    (folder / "solutions" / name).mkdir(parents=True)
    (folder / "nbgrader_config.py").write_text(CONFIG)
    (folder / "solutions" / name / f"{name}.ipynb").write_text(source)
    for student, text in notebooks.items():
        place = folder / "_grading/submitted" / student / name
        place.mkdir(parents=True)
        (place / f"{name}.ipynb").write_text(text)
    return folder


def honest_class(name: str, students: int) -> dict[str, str]:
    """Each student has one answer to every exercise."""
    every = answers.every(read(sources(ROOT, [name])[0]))
    by_exercise = [list(g) for _, g in itertools.groupby(every, key=lambda one: one.exercise)]
    release = release_path(ROOT, name).read_text()
    made = {}
    for number in range(students):
        code = {group[0].exercise: group[number % len(group)].code for group in by_exercise}
        nb = nbformat.reads(release, as_version=4)
        for cell in nb.cells:
            key = cell.metadata.get("nbgrader", {}).get("grade_id")
            cell.source = code.get(key, cell.source)
        made[f"s{number:04}"] = nbformat.writes(nb)
    return made


def timed(folder: Path, *words: str) -> tuple[float, float, int]:
    """Wall and CPU seconds of a command, its box included, and the most megabytes of the box on the way."""
    most, spent, stop = [0], [0.0], threading.Event()

    def watch() -> (
        None
    ):  # the box ends without being waited for, so its seconds are read while it lives
        while not stop.wait(0.2):
            memory, cpu = box()
            most.append(memory)
            spent.append(cpu)

    watcher = threading.Thread(target=watch)
    watcher.start()
    start, before = time.perf_counter(), resource.getrusage(resource.RUSAGE_CHILDREN)
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    done = subprocess.run(words, cwd=folder, capture_output=True, text=True, env=environment)
    after, wall = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter() - start
    stop.set()
    watcher.join()
    if done.returncode not in (0, 1):
        sys.exit(done.stdout[-2000:] + done.stderr[-2000:])
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return wall, cpu + max(spent), max(most)


def box() -> tuple[int, float]:
    """Megabytes (shared pages counted once) and CPU seconds so far of the box that runs now."""
    memory, ticks = 0, 0
    for entry in os.listdir("/proc"):
        try:
            if "proctor.pen.server" not in Path(f"/proc/{entry}/cmdline").read_text():
                continue
            rollup = Path(f"/proc/{entry}/smaps_rollup").read_text()
            memory += next(int(r.split()[1]) for r in rollup.splitlines() if r.startswith("Pss:"))
            fields = Path(f"/proc/{entry}/stat").read_text().rpartition(")")[2].split()
            ticks += sum(map(int, fields[11:15]))  # its own, and those of whom it has waited for
        except OSError:
            continue
    return memory >> 10, ticks / os.sysconf("SC_CLK_TCK")


def scores(folder: Path, name: str) -> dict[tuple[str, str], float | None]:
    """Every score in a gradebook."""
    with Gradebook(f"sqlite:///{folder / '_grading/gradebook.db'}") as book:
        return {
            (one.student.id, grade.name): grade.auto_score
            for one in book.assignment_submissions(name)
            for notebook in one.notebooks
            for grade in notebook.grades
        }


def compare(name: str, students: int, jobs: int) -> None:
    """The class through both."""
    bin_folder = Path(sys.executable).parent
    source = (ROOT / "solutions" / name / f"{name}.ipynb").read_text()
    made, first = honest_class(name, students), honest_class(name, 1)
    grade = (sys.executable, "-m", "proctor", "grade", name, "--jobs", str(jobs))
    with tempfile.TemporaryDirectory() as place:
        ours = course_of(Path(place) / "ours", name, made, source)
        alone = course_of(Path(place) / "alone", name, first, source)
        stock = course_of(Path(place) / "stock", name, made, source)
        start, start_cpu, _ = timed(alone, *grade)
        wall, cpu, memory = timed(ours, *grade)
        shutil.copytree(stock / "solutions", stock / "source")
        timed(
            stock, str(bin_folder / "nbgrader"), "generate_assignment", name, "--create", "--force"
        )
        theirs, theirs_cpu, _ = timed(
            stock, str(bin_folder / "nbgrader"), "autograde", name, "--create"
        )
        mine, expected = scores(ours, name), scores(stock, name)
    different = {key for key in mine.keys() | expected.keys() if mine.get(key) != expected.get(key)}
    print(f"{name}, {students} students, {jobs} wardens")
    print(f"{'':<28}{'wall s':>9}{'CPU s':>9}   a submission")
    print(f"{'nbgrader autograde':<28}{theirs / students:>9.3f}{theirs_cpu / students:>9.3f}")
    print(f"{'proctor grade':<28}{wall / students:>9.3f}{cpu / students:>9.3f}")
    rest = max(1, students - 1)
    after, after_cpu = (wall - start) / rest, (cpu - start_cpu) / rest
    print(f"{'  after start-up':<28}{after:>9.3f}{after_cpu:>9.3f}   (start-up {start:.1f} s)")
    print(f"throughput {theirs / wall:.1f} ×, without start-up {theirs / students / after:.1f} ×")
    print(
        f"CPU        {theirs_cpu / cpu:.1f} ×, without start-up {theirs_cpu / students / after_cpu:.1f} ×"
    )
    print(
        f"{len(expected) - len(different)} of {len(expected)} scores equal; the box held {memory} MB"
    )
    if different:
        print("different:", *sorted(different)[:20])


def growth(most: int, jobs: int) -> None:
    """One gradebook, more and more students."""
    from nbformat.v4 import new_code_cell, new_notebook

    about = {"schema_version": 3, "cell_type": "code", "task": False}
    answer = about | {"grade_id": "f", "grade": False, "solution": True, "locked": False}
    check = about | {"grade_id": "t", "grade": True, "solution": False, "locked": True, "points": 2}
    nb = new_notebook(cells=[
        new_code_cell(TRIVIAL, metadata={"nbgrader": answer}),
        new_code_cell("assert double(2) == 4", metadata={"nbgrader": check}),
    ])  # fmt: skip
    text = nbformat.writes(nb)
    with tempfile.TemporaryDirectory() as place:
        folder = course_of(Path(place) / "c", "hw", {}, text)
        done = 0
        for size in (10, 100, most):
            for number in range(done, size):
                one = folder / "_grading/submitted" / f"s{number:05}" / "hw"
                one.mkdir(parents=True)
                (one / "hw.ipynb").write_text(text)
            wall, cpu, _ = timed(
                folder, sys.executable, "-m", "proctor", "grade", "hw", "--jobs", str(jobs)
            )
            rows = scores(folder, "hw")
            new = size - done
            print(f"{size:>6} students: {new} new in {wall:.1f} s, {wall / new:.3f} s wall and "
                  f"{cpu / new:.3f} s CPU each; {sum(v == 2 for v in rows.values())} full marks")  # fmt: skip
            done = size


if __name__ == "__main__":
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--students", type=int, default=48)
    options.add_argument("--jobs", type=int, default=2)
    options.add_argument("--assignment", default="cnn_layers")
    options.add_argument("--growth", type=int, default=0)
    given = options.parse_args()
    if given.growth:
        growth(given.growth, given.jobs)
    else:
        compare(given.assignment, given.students, given.jobs)
