"""A small course, built once for all tests."""

import shutil

import pytest

from proctor import trial
from proctor.release import build
from tests.proctor.support import ROOT, SMALL, TEXTS, assignment


@pytest.fixture(scope="session", autouse=True)
def warm():
    """Forks find the imports of every assignment done."""
    for name in TEXTS:
        trial.warm(assignment(name))


@pytest.fixture(scope="session")
def small_course(tmp_path_factory):
    """A copy of the small course with its notebooks made; tests that change it copy it again."""
    course = tmp_path_factory.mktemp("small") / "course"
    shutil.copytree(SMALL, course)
    shutil.copy(ROOT / "nbgrader_config.py", course)
    build(course)
    return course


@pytest.fixture
def course(small_course, tmp_path):
    """A copy to break."""
    return shutil.copytree(small_course, tmp_path / "course")
