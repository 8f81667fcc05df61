"""A student's workspace: copies of the releases in work/, and JupyterLab opened there."""

import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

from press.layout import ROOT, Fault, relative
from press.serve import free

RELEASES, WORK = ROOT / "exercises", ROOT / "work"


def assignments() -> list[str]:
    """The names of the released assignments."""
    return sorted(p.stem for p in RELEASES.glob("*/*.ipynb") if p.stem == p.parent.name)


def prepare(fresh: str = "", work: Path = WORK) -> list[Path]:
    """Copy every release that is not there yet; never overwrite. Return what was copied.

    `fresh` names an assignment of which a new copy is put beside the old.
    """
    if fresh and fresh not in assignments():
        raise Fault(f"fresh={fresh}: no such assignment; there are {', '.join(assignments())}")
    copied = []
    for name in assignments():
        target = work / name
        if target.exists() and name == fresh:
            target = work / f"{name}-{time.strftime('%Y-%m-%d-%H%M%S')}"
        if not target.exists():
            shutil.copytree(RELEASES / name, target)
            copied.append(target)
    return copied


def command(port: int, work: Path = WORK) -> list[str]:
    """JupyterLab in the workspace, without calls home."""
    program = str(Path(sys.executable).with_name("jupyter-lab"))
    root = ["--allow-root"] if hasattr(os, "geteuid") and os.geteuid() == 0 else []
    return [
        program,
        f"--ServerApp.root_dir={work}",
        f"--ServerApp.port={port}",
        "--ServerApp.port_retries=0",
        "--ServerApp.ip=127.0.0.1",
        "--LabApp.news_url=None",
        "--LabApp.check_for_updates_class=jupyterlab.NeverCheckForUpdate",
        *root,
    ]


def lab(fresh: str, port: int) -> int:
    """Prepare the workspace, say what was copied, and open JupyterLab."""
    free(port)
    for target in prepare(fresh):
        print(f"copied {relative(target)}")
    print(f"your work is in {relative(WORK)}/; it is never overwritten")
    return subprocess.run(command(port), cwd=WORK).returncode
