"""What is dear to set up is set up once: a file's tests of one chapter run on one worker."""

import re
import subprocess
import sys
from collections import defaultdict

from press.layout import ROOT


def test_a_files_tests_of_one_chapter_run_on_one_worker():
    files = ["tests/core/test_random.py", "tests/core/test_shapes.py", "tests/core/test_device.py"]
    done = subprocess.run(
        [sys.executable, "-m", "pytest", "-v", "-n", "2", *files], cwd=ROOT, capture_output=True, text=True
    )  # fmt: skip
    assert done.returncode == 0, done.stdout[-2000:]
    workers = defaultdict(set)
    for worker, file in re.findall(r"^\[(gw\d)\].* PASSED (tests/\S+?)::", done.stdout, re.M):
        workers[file].add(worker)
    assert sorted(workers) == sorted(files)
    assert all(len(used) == 1 for used in workers.values()), workers
    assert len(set.union(*workers.values())) == 2
