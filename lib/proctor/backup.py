"""A copy of the gradebook from before every run."""

import contextlib
import datetime
import re
import shutil
import sqlite3
import subprocess
import sys
from pathlib import Path


def back_up(url: str, course: Path) -> Path | None:
    """A copy of the gradebook before a run; the newest ten are kept."""
    folder = course / "_grading" / "backups"
    folder.mkdir(exist_ok=True)
    now = datetime.datetime.now(datetime.UTC).strftime("%Y%m%dT%H%M%S.%f")
    copy = folder / f"gradebook-{now}.db"
    if not url.startswith("sqlite:///"):
        address = re.sub(r"^postgresql\+\w+:", "postgresql:", url)
        command = ["pg_dump", "--format=custom", f"--file={copy}", f"--dbname={address}"]
        if shutil.which("pg_dump") is None or subprocess.run(command).returncode:
            print(
                "no copy of the gradebook was kept: pg_dump is missing or failed",
                file=sys.stderr,
            )
            return None
        return copy
    with (
        contextlib.closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as old,
        contextlib.closing(sqlite3.connect(copy)) as new,
    ):
        old.backup(new)
    for stale in sorted(folder.glob("gradebook-*.db"))[:-10]:
        stale.unlink()
    return copy
