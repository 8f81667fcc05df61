"""A downloaded chapter runs from top to bottom where only the wheel was installed."""

import ast
import os
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import nbformat
import pytest
from myst_nb.core.read import read_myst_markdown_notebook

from press.layout import ROOT, chapters, homes
from press.page.notebook import export

RUN = """
import os, sys, nbformat
from nbclient import NotebookClient
notebook = nbformat.read(sys.argv[1], as_version=4)
NotebookClient(notebook, timeout=120, kernel_name="python3").execute()
print(sum(len(cell.get("outputs", [])) for cell in notebook.cells))
"""
# The build executes every page, and a download has the page's cells. So one proves here that the wheel is enough;
# a chapter that is tested by itself proves its own.
WHOLE = chapters() if os.environ.get("ETUDE_ONLY") else chapters()[:1]
WHERE = "import etude, press, proctor; print(etude.__file__, press.__file__, proctor.__file__)"


@pytest.fixture(scope="module")
def fresh(tmp_path_factory) -> Path:
    """A Python that has the course from its wheel, and the other packages from here."""
    folder = tmp_path_factory.mktemp("fresh")
    wheel = [sys.executable, "-m", "pip", "wheel", "-q", "--no-deps", "--no-build-isolation"]
    subprocess.run([*wheel, "-w", folder, ROOT], check=True)
    venv.create(folder / "venv", with_pip=False)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    packages = folder / "venv" / "lib" / version / "site-packages"
    # A path in a .pth file is searched, but the .pth files in it are not read: no editable install.
    (packages / "others.pth").write_text(sysconfig.get_path("purelib"))
    (built,) = folder.glob("*.whl")
    install = [sys.executable, "-m", "pip", "install", "-q", "--no-deps", "--target", packages]
    subprocess.run([*install, built], check=True)
    kernel = folder / "share" / "jupyter" / "kernels" / "python3"
    kernel.mkdir(parents=True)
    python = folder / "venv" / "bin" / "python"
    words = '"-m", "ipykernel_launcher", "-f", "{connection_file}"'
    spec = f'{{"argv": ["{python}", {words}], "display_name": "Python 3", "language": "python"}}'
    (kernel / "kernel.json").write_text(spec)
    return folder


def run(fresh: Path, *words: str) -> str:
    python = fresh / "venv" / "bin" / "python"
    environment = {
        "PATH": f"{python.parent}:/usr/bin:/bin",
        "HOME": str(fresh),
        "JUPYTER_PATH": str(fresh / "share" / "jupyter"),
        "OMP_NUM_THREADS": "1",
    }
    done = subprocess.run(
        [python, *words], cwd=fresh, env=environment, capture_output=True, text=True
    )
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


def test_the_wheel_holds_all_three_packages(fresh):
    for file in run(fresh, "-c", WHERE).split():
        assert file.startswith(str(fresh)), file


def test_the_wheel_holds_every_file(fresh):
    tracked = subprocess.run(
        ["git", "ls-files", "-co", "--exclude-standard", "lib"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    ).stdout.splitlines()
    (built,) = fresh.glob("*.whl")
    held = {name for name in zipfile.ZipFile(built).namelist() if ".dist-info/" not in name}
    assert {name.removeprefix("lib/") for name in tracked} == held


def downloaded(fresh: Path, slug: str) -> tuple[Path, list[str]]:
    """The notebook of a chapter, and its code cells."""
    target = fresh / f"{slug.rpartition('/')[2]}.ipynb"
    export(homes(slug)["page"], target, "etude." + slug.replace("/", "."))
    cells = nbformat.read(target, as_version=4).cells
    return target, [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("slug", chapters())
def test_a_downloaded_chapter_has_the_cells_of_the_page_and_finds_what_they_import(fresh, slug):
    _, cells = downloaded(fresh, slug)
    page = read_myst_markdown_notebook(homes(slug)["page"].read_text("utf8"))
    assert cells == [cell.source for cell in page.cells if cell.cell_type == "code"]
    assert len(cells) > 10
    nodes = [node for cell in cells for node in ast.walk(ast.parse(cell))]
    imports = [ast.unparse(n) for n in nodes if isinstance(n, (ast.Import, ast.ImportFrom))]
    run(fresh, "-c", "\n".join(imports))


@pytest.mark.parametrize("slug", WHOLE)
def test_a_downloaded_chapter_runs(fresh, slug):
    target, cells = downloaded(fresh, slug)
    assert int(run(fresh, "-c", RUN, str(target))) > len(cells) / 3
