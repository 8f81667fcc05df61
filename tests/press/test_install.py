"""The set-up explains itself when something is missing, and installs what the lock says."""

import os
import subprocess
import sys
from importlib.metadata import version

import pytest

from press import install, layout, lock

FILE = layout.ROOT / "lib" / "press" / "install.py"


def test_an_old_python_is_told_what_is_needed(monkeypatch):
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(install.shutil, "which", lambda name: None)
    with pytest.raises(SystemExit, match=r"Python 3\.11, 3\.12 or 3\.13 is needed"):
        install.suitable()


def test_a_newer_python_on_the_path_is_taken(monkeypatch):
    monkeypatch.setattr(install.sys, "version_info", (3, 9, 0))
    monkeypatch.setattr(install.shutil, "which", lambda name: f"/there/{name}")
    assert install.suitable() == "python3.11"


def test_without_network_the_message_says_so(tmp_path):
    script = f"import sys; sys.path.insert(0, {str(FILE.parent)!r}); import install; " + (
        f"install.PYTHON = {sys.executable!r}; install.pip('--no-cache-dir', 'etude-nowhere')"
    )
    offline = {"PIP_INDEX_URL": "http://127.0.0.1:9/simple", "PIP_RETRIES": "0"}
    environment = {k: v for k, v in os.environ.items() if not k.startswith("PIP_")} | offline
    environment["PIP_CONFIG_FILE"] = os.devnull
    done = subprocess.run(
        [sys.executable, "-c", script], env=environment, capture_output=True, text=True
    )
    assert done.returncode == 1
    assert "setup: no network? The package index does not answer." in done.stderr


def test_torch_comes_from_the_index_that_is_named(monkeypatch):
    monkeypatch.setenv("TORCH_INDEX", "https://example.org/wheels")
    assert install.wheels()[-1] == "https://example.org/wheels"
    monkeypatch.setenv("TORCH_INDEX", "")
    assert install.wheels() == []


def test_without_a_driver_the_build_for_processors_is_taken(monkeypatch):
    monkeypatch.delenv("TORCH_INDEX", raising=False)
    monkeypatch.setattr(install.sys, "platform", "linux")
    for driver, index in ((None, [install.CPU_WHEELS]), ("/usr/bin/nvidia-smi", [])):
        monkeypatch.setattr(install.shutil, "which", lambda name, driver=driver: driver)
        assert install.wheels()[3:] == index


def test_everything_installed_is_in_the_lock_at_its_version():
    assert lock.faults() == []
    assert install.locked()["torch"] == version("torch").partition("+")[0]
