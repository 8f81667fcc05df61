"""Run the pages that must run, side by side, into the cache from which the book is built."""

import json
import logging
import os
import time
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from jupyter_cache.base import CacheBundleIn
from jupyter_cache.cache.main import JupyterCacheBase
from jupyter_cache.executors.utils import single_nb_execution
from jupyter_cache.readers import get_reader
from myst_nb.core.read import is_myst_markdown_notebook
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from press.fingerprint import fingerprint
from press.layout import BUILD, ROOT, Fault, documents

CACHE = BUILD / ".jupyter_cache"
READER = {"name": "myst_nb_md", "type": "plugin"}
TIMEOUT = 120


def notebooks() -> list[str]:
    """The pages of the contents that hold code cells."""
    pages = documents()
    return [d for d in pages if is_myst_markdown_notebook((ROOT / f"{d}.md").read_text("utf8"))]


def read(path: Path) -> dict:
    """A small JSON file of ours, or nothing."""
    return json.loads(path.read_text()) if path.exists() else {}


def renew(cache: JupyterCacheBase, pages: list[str]) -> None:
    """Enter pages, and drop what was cached of them for other modules or another lock."""
    for page in pages:
        path = str(ROOT / f"{page}.md")
        cache.add_nb_to_project(path, read_data=READER)
        cached = cache.get_cached_project_nb(path)
        if cached is not None:
            cache.remove_cache(int(cached.pk))  # pyright: ignore[reportArgumentType]


def quiet_kernels() -> None:
    """Give kernels an IPython of their own, without start-up files and warnings."""
    profile = BUILD / "ipython" / "profile_default"
    profile.mkdir(parents=True, exist_ok=True)
    (profile / "ipython_kernel_config.py").write_text("c.IPKernelApp.log_level = 40\n")
    os.environ["IPYTHONDIR"] = str(profile.parent)


def run(path: str, timeout: int):
    """Run one page in a kernel of its own."""
    page = get_reader(READER)(path)
    return single_nb_execution(
        page, cwd=str(Path(path).parent), timeout=timeout, allow_errors=False
    )


def execute(pages: list[str], jobs: int = 0) -> dict[str, float]:
    """Run what is not cached of `pages`, and return the seconds that each page took when it ran.

    Raises:
        Fault: a cell failed; the message holds the traceback of each page that did.
    """
    logging.getLogger("traitlets").setLevel(logging.ERROR)
    quiet_kernels()
    CACHE.mkdir(parents=True, exist_ok=True)
    kept = read(CACHE / "fingerprints.json")
    now = {page: fingerprint(ROOT / f"{page}.md") for page in pages}
    due = [page for page in pages if kept.get(page) != now[page]]
    cache = JupyterCacheBase(CACHE)
    cache.change_cache_limit(10_000)
    renew(cache, due)
    uris = {str(ROOT / f"{page}.md"): page for page in due}
    seconds, failed = read(CACHE / "seconds.json"), []
    # The dearest first, so that the last core is not left waiting for it.
    todo = sorted(uris, key=lambda uri: -seconds.get(uris[uri], TIMEOUT))
    console = Console()
    columns = (TextColumn("executing"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    with Progress(*columns, console=console, disable=not todo) as bar:
        task = bar.add_task("pages", total=len(todo))
        with ThreadPoolExecutor(jobs or os.cpu_count() or 1) as pool:
            runs = {pool.submit(run, uri, TIMEOUT): uri for uri in todo}
            for done in as_completed(runs):
                uri, result = runs[done], done.result()
                page = uris[uri]
                if result.exc_string:
                    failed.append(f"{page}.md:1: a cell failed\n{result.exc_string}")
                else:
                    kept[page] = now[page]
                    bundle = CacheBundleIn(result.nb, uri, data={"execution_seconds": result.time})
                    cache.cache_notebook_bundle(bundle, check_validity=False, overwrite=True)
                    seconds[page] = result.time
                bar.console.print(
                    f"  {page} {result.time or 0:.1f} s{' FAILED' * bool(result.exc_string)}"
                )
                bar.advance(task)
    (CACHE / "fingerprints.json").write_text(json.dumps(kept))
    (CACHE / "seconds.json").write_text(json.dumps(seconds))
    if failed:
        raise Fault("\n".join(failed))
    return {page: seconds.get(page, 0.0) for page in pages}


def timed(pages: list[str]) -> dict[str, float]:
    """Run what must run, and say how long it took."""
    start = time.perf_counter()
    seconds = execute(pages)
    print(f"executed: {len(pages)} pages are up to date after {time.perf_counter() - start:.1f} s")
    return seconds
