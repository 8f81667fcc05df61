"""In JupyterLab: Validate says what a student needs to hear; a chapter opens and moves."""

import os
import socket
import subprocess
import time
import urllib.request
from collections.abc import Iterator
from pathlib import Path

import nbformat
import pytest
from playwright.sync_api import Browser, Page, expect

from press import lab
from press.layout import ROOT
from proctor import answers, assignment

pytestmark = pytest.mark.browser
NAME = "linear_regression"
PATIENCE = 90_000  # milliseconds: the first kernel imports torch


def filled(target: Path, chosen: dict[str, str]) -> None:
    """The release with other cells in it."""
    notebook = nbformat.read(ROOT / "exercises" / NAME / f"{NAME}.ipynb", as_version=4)
    for cell in notebook.cells:
        key = cell.metadata.get("nbgrader", {}).get("grade_id", "")
        cell.source = chosen.get(key, cell.source)
    target.parent.mkdir(parents=True)
    nbformat.write(notebook, target)


@pytest.fixture(scope="module")
def workspace(tmp_path_factory) -> Path:
    """What `make lab` lays out, a right and a wrong answer beside it, and a chapter."""
    work = tmp_path_factory.mktemp("work")
    lab.prepare(work=work)
    task = assignment.read(ROOT / "solutions" / NAME / f"{NAME}.py")
    every = answers.every(task)
    names = [e.name for e in task.exercises if e.check]
    right = {n: next(a.code for a in every if a.exercise == n and a.right) for n in names}
    nothing = next(a for a in every if a.exercise == names[0] and not a.right and not a.points)
    filled(work / "right" / f"{NAME}.ipynb", right)
    filled(work / "wrong" / f"{NAME}.ipynb", right | {names[0]: nothing.code})
    page = (ROOT / "book" / "formulas" / f"{NAME}.md").read_text("utf8")
    (work / "chapter.md").write_text(page, "utf8")
    whole = (
        work / ".settings" / "@jupyterlab" / "notebook-extension" / "tracker.jupyterlab-settings"
    )
    whole.parent.mkdir(parents=True)
    whole.write_text('{"windowingMode": "none"}')  # cells out of sight stay in the page
    return work


@pytest.fixture(scope="module")
def address(workspace: Path) -> Iterator[str]:
    """JupyterLab as `make lab` starts it, in that workspace."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = lab.command(port, workspace)
    command += ["--no-browser", "--IdentityProvider.token="]
    private = {
        "JUPYTER_CONFIG_DIR": f"{workspace}/.config",
        "JUPYTER_DATA_DIR": f"{workspace}/.data",
    }
    with (workspace / "lab.log").open("w") as log:
        server = subprocess.Popen(
            command, cwd=workspace, env=os.environ | private, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        for _ in range(120):
            try:
                urllib.request.urlopen(f"{url}/api/status")
                break
            except OSError:
                time.sleep(0.5)
        yield url
    finally:
        server.terminate()
        server.wait(30)


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    page = browser.new_page(viewport={"width": 1400, "height": 1000})
    page.set_default_timeout(PATIENCE)
    yield page
    page.close()


def validate(page: Page, address: str, path: str) -> str:
    """Open a notebook, press Validate, and return what the dialog says."""
    page.goto(f"{address}/lab/tree/{path}?reset")
    page.get_by_role("button", name="Validate").click()
    dialog = page.locator(".jp-Dialog-content").last
    expect(dialog).to_contain_text("Validation Results", timeout=PATIENCE)
    return dialog.inner_text()


def test_validate_lists_what_is_not_attempted(page, address):
    text = validate(page, address, f"{NAME}/{NAME}.ipynb")
    assert text.count("not attempted yet") == len(checks())


def test_validate_is_content_with_right_answers(page, address):
    assert "Success" in validate(page, address, f"right/{NAME}.ipynb")


def test_validate_says_what_came_and_what_was_expected(page, address):
    text = validate(page, address, f"wrong/{NAME}.ipynb")
    assert "not right yet" in text
    assert "got" in text
    assert "To read:" in text


def checks() -> list[str]:
    """The exercises of the assignment that a machine grades."""
    task = assignment.read(ROOT / "solutions" / NAME / f"{NAME}.py")
    return [exercise.name for exercise in task.exercises if exercise.check]


def test_a_chapter_opens_as_a_notebook_and_its_figure_moves(page, address):
    page.goto(f"{address}/lab?reset")
    page.locator(".jp-DirListing-item", has_text="chapter.md").click(button="right")
    page.get_by_text("Open With", exact=True).hover()
    page.get_by_text("Jupytext Notebook", exact=True).click()
    page.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for()
    expect(page.locator("#jp-main-statusbar")).to_contain_text("Idle", timeout=PATIENCE)
    page.get_by_text("Run", exact=True).first.click()
    page.get_by_text("Run All Cells", exact=True).first.click()
    slider = page.locator(".etude-player input[type=range]").first
    slider.wait_for(timeout=PATIENCE)
    slider.scroll_into_view_if_needed()
    before = slider.input_value()
    slider.focus()
    page.keyboard.press("ArrowRight")
    assert int(slider.input_value()) == int(before) + 1
    label = page.locator(".etude-player .etude-controls span").first.inner_text()
    assert label == slider.get_attribute("aria-valuetext")
