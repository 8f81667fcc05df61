"""The box starts wherever the interpreter lies: in a private folder of root's, under the temporary folder, in a system path."""

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from proctor.pen import sandbox

PROBE = """
import json, sys
from proctor.explain import words_of
from proctor.collect import Handed
from proctor.workers import Pool
code = "import os, sys\\nbefore = os.path.exists('/tmp/own')\\nopen('/tmp/own', 'w').write('x')\\nprint(sys.prefix, before, os.listdir('/dev/shm'))"
nb = {"nbformat": 4, "cells": [{"cell_type": "code", "source": code, "metadata": {}}]}
spec = {"notebooks": {"n": {"cells": {}, "imports": [""], "exports": [], "kernelspec": {}}}}
one = Handed("s", {"n.ipynb": json.dumps(nb).encode()})
for _, result in Pool(spec, 1).grade([one, Handed("t", one.files)]):
    print(words_of(result["notebooks"]["n"]["cells"][0]["outputs"]))
"""


def environment_at(place: Path) -> Path:
    """An interpreter at a place, which imports what this one imports."""
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", str(place)], check=True)
    (site,) = place.glob("lib/python3*/site-packages")
    code = "import sys; print('\\n'.join(p for p in sys.path if 'site-packages' in p or p.endswith('lib')))"
    paths = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    (site / "more.pth").write_text(paths.stdout)
    return place / "bin/python"


@pytest.mark.parametrize("kind", ["private", "temporary", "system"])
def test_the_box_starts_where_the_interpreter_lies(kind, tmp_path):
    if kind == "private":
        tmp_path.chmod(0o700)
        os.chown(tmp_path, os.getuid(), os.getgid())
        place = tmp_path / "hidden" / "env"
    elif kind == "temporary":
        place = Path(tempfile.mkdtemp(dir=sandbox.TEMPORARY)) / "env"
        place.parent.chmod(0o755)
    else:
        place = Path(
            "/usr/local/share/etude-probe"
            if os.access("/usr/local/share", os.W_OK)
            else tmp_path / "usr"
        )
    try:
        python = environment_at(place)
        done = subprocess.run(
            [str(python), "-c", PROBE], capture_output=True, text=True, cwd="/", timeout=120
        )
        assert done.returncode == 0, done.stderr
        # each of the two finds folders of its own, and empty
        assert done.stdout.splitlines() == [f"{place} False []"] * 2, done.stdout + done.stderr
    finally:
        shutil.rmtree(place, ignore_errors=True)
