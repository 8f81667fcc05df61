"""Set up .venv: torch first and alone, then everything at the versions of requirements.lock.

    python3 lib/press/install.py [test]

Runs before anything is installed, so it uses the standard library only, and is written so that an
old Python can read it far enough to say that it is too old.
"""

import hashlib
import os
import platform
import shutil
import subprocess
import sys

ROOT = os.path.dirname(os.path.dirname(os.path.dirname(os.path.abspath(__file__))))
VENV = os.path.join(ROOT, ".venv")
PYTHON = os.path.join(VENV, "Scripts" if os.name == "nt" else "bin", "python")
CPU_WHEELS = "https://download.pytorch.org/whl/cpu"


def stop(message):
    """End with a sentence instead of a traceback."""
    sys.exit("setup: " + message)


def suitable():
    """The Python to build with: this one, or a newer one on the PATH."""
    if (3, 11) <= sys.version_info[:2] <= (3, 13):
        return sys.executable
    for name in ("python3.11", "python3.12", "python3.13"):
        if shutil.which(name):
            return name
    return stop(
        "Python 3.11, 3.12 or 3.13 is needed, this is %s, and no other was found on the PATH."
        " Install one, or name it: make PYTHON=/path/to/python3.11" % platform.python_version()
    )


def pip(*words):
    """Run pip in the new environment; explain what its failure means."""
    command = [PYTHON, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *words]
    done = subprocess.run(command, stderr=subprocess.PIPE, text=True)
    if done.returncode == 0:
        return
    silent = ("NewConnectionError", "Could not fetch URL", "from versions: none")
    if any(words in done.stderr for words in silent):
        stop("no network? The package index does not answer.\n" + done.stderr.strip()[-500:])
    stop("pip failed with " + " ".join(words) + "\n" + done.stderr.strip()[-2000:])


def wheels():
    """Where torch comes from: TORCH_INDEX, or the CPU build where no NVIDIA driver is found."""
    index = os.environ.get("TORCH_INDEX")
    if index is None and sys.platform == "linux" and not shutil.which("nvidia-smi"):
        index = CPU_WHEELS
    return ["--retries", "1", "--extra-index-url", index] if index else []


def locked():
    """The version of each package in requirements.lock, by name."""
    with open(os.path.join(ROOT, "requirements.lock")) as file:
        rows = [row.split("==") for row in file.read().split() if "==" in row]
    return dict(rows)


def main(extra):
    """Make the environment, unless the one there was made from the same files."""
    stamp = os.path.join(VENV, ".made-from")
    digest = hashlib.sha256(VENV.encode())
    for name in ("pyproject.toml", "requirements.lock"):
        with open(os.path.join(ROOT, name), "rb") as file:
            digest.update(file.read())
    wanted = digest.hexdigest()
    if os.path.exists(stamp):
        with open(stamp) as file:
            made, extras = file.read().split("\n")
        if made == wanted and extra in ("", extras):
            return
    python = suitable()
    print(
        "setup: making .venv with %s; this takes a few minutes the first time" % python, flush=True
    )
    if not os.path.exists(PYTHON) and subprocess.run([python, "-m", "venv", VENV]).returncode:
        stop("could not make .venv; on Debian and Ubuntu, install python3-venv")
    pip("torch==" + locked()["torch"], *wheels())
    target = "[%s]" % extra if extra else ""
    pip("-c", os.path.join(ROOT, "requirements.lock"), "-e", ROOT + target)
    with open(stamp, "w") as file:
        file.write(wanted + "\n" + extra)


if __name__ == "__main__":
    main(sys.argv[1] if len(sys.argv) > 1 else "")
