"""A Chromium to prove pages with: the one that is installed, else one that is installed now."""

import os
import shutil
import subprocess
import sys
from typing import Any

from press import packages
from press.layout import Fault

NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable", "chrome")
PLACES = (
    "/Applications/Google Chrome.app/Contents/MacOS/Google Chrome",
    "/Applications/Chromium.app/Contents/MacOS/Chromium",
)
# Nothing but the page under proof may speak, and to this machine only.
FLAGS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-default-apps",
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1",
]
HELP = (
    "no Chromium was found and none could be installed ({}). Install Debian's package"
    " `chromium`, run `python -m playwright install --with-deps chromium`, or name one:"
    " CHROMIUM=/path/to/chrome"
)


def starts(path: str) -> bool:
    """Whether this is a browser that runs here, and not a stub that asks for a shop."""
    try:
        done = subprocess.run([path, "--version"], capture_output=True, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        return False
    return done.returncode == 0


def installed(own: str = "") -> str | None:
    """The browser that CHROMIUM names, or the first one found; `own` is where playwright puts its.

    Raises:
        Fault: CHROMIUM names something that does not run.
    """
    if named := os.environ.get("CHROMIUM"):
        path = shutil.which(named)
        if path is None or not starts(path):
            raise Fault(f"CHROMIUM={named}: no browser starts there")
        return path
    candidates = [*map(shutil.which, (*NAMES, own)), *filter(os.path.exists, PLACES)]
    return next((path for path in candidates if path and starts(path)), None)


def install() -> None:
    """Debian's package where we are root, else playwright's browser.

    Raises:
        Fault: neither came.
    """
    print("installing a browser for the tests of the pages", flush=True)
    packages.install("chromium")
    if any(path and starts(path) for path in map(shutil.which, NAMES)):
        return
    command = [sys.executable, "-m", "playwright", "install", "chromium"]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        raise Fault(HELP.format((done.stderr or done.stdout).strip()[-300:] or "no reason given"))


def executable(own: str = "") -> str:
    """The path of a browser that runs here, installed if need be.

    Raises:
        Fault: there is none, and none could be installed.
    """
    path = installed(own)
    if path is None:
        install()
        path = installed(own)
    if path is None:
        raise Fault(HELP.format("it was installed, but it does not start"))
    return path


def launch(playwright: Any) -> Any:
    """Start it under playwright, cut off from every other host."""
    chromium = playwright.chromium
    return chromium.launch(executable_path=executable(chromium.executable_path), args=FLAGS)
