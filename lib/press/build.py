"""Build the site: contents and pages checked, cells executed, warnings as errors."""

import shutil
import subprocess
import sys
from pathlib import Path

import yaml

from press import execute
from press.layout import BUILD, ROOT, SITE, Fault, documents, load, relative

CONFIG = BUILD / "config.yml"
DOCTREES = BUILD / ".doctrees"


def configure(unexecuted: list[str]) -> None:
    """Write the build's configuration: ours, and the pages whose cells are not run this time."""
    config = load(ROOT / "_config.yml")
    sphinx = config["sphinx"]["config"] | {"press_unexecuted": unexecuted}
    never = [f"{page}.md" for page in unexecuted]
    config = config | {
        "execute": config["execute"] | {"exclude_patterns": never},
        "sphinx": config["sphinx"] | {"config": sphinx},
    }
    BUILD.mkdir(exist_ok=True)
    text = yaml.safe_dump(config, allow_unicode=True)
    if not CONFIG.exists() or CONFIG.read_text() != text:
        CONFIG.write_text(text)


def forget() -> None:
    """Remove the site and what Sphinx remembers, but not what cells have computed."""
    for folder in (SITE, DOCTREES):
        shutil.rmtree(folder, ignore_errors=True)


def build(pages: list[str] | None = None, clean: bool = False) -> dict[str, float]:
    """Build the site with the cells of `pages` (or of all) executed; return their seconds.

    Raises:
        Fault: the contents or a page are wrong; what Sphinx said stands above it.
    """
    every = execute.notebooks()
    chosen = every if pages is None else [page for page in every if page in pages]
    if clean:
        forget()
    seconds = execute.timed(chosen)
    configure([page for page in every if page not in chosen])
    tool = str(Path(sys.executable).with_name("jupyter-book"))
    command = [tool, "build", ".", "--config", str(CONFIG)]
    command += ["--toc", "_toc.yml", "-W", "-n", "--keep-going", "-q"]
    print(f"building {len(documents())} pages")
    done = subprocess.run(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    if done.returncode or not (SITE / "index.html").exists():
        print(done.stdout)
        # A page that warned is not read again next time, and would then pass: forget it.
        shutil.rmtree(DOCTREES, ignore_errors=True)
        raise Fault("the book does not build; what Sphinx said stands above")
    print(f"built: {relative(SITE)}/index.html")
    return seconds
