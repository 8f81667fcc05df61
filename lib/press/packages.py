"""Debian's packages that some tests need: what is installed, else installed where we are root, else said."""

import os
import shutil
import subprocess

from press.layout import Fault


def install(name: str) -> None:
    """Ask Debian for a package, if this is one and we may."""
    apt = shutil.which("apt-get")
    if apt and hasattr(os, "geteuid") and os.geteuid() == 0:
        quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "capture_output": True}
        subprocess.run([apt, "update", "-q"], **quiet)
        subprocess.run([apt, "install", "-yq", "--no-install-recommends", name], **quiet)


def need(command: str, package: str) -> None:
    """Have a command.

    Raises:
        Fault: it is not here, and did not come.
    """
    if shutil.which(command) is None:
        print(f"installing {package} for the tests", flush=True)
        install(package)
    if shutil.which(command) is None:
        raise Fault(f"the tests need the command `{command}`: install the package {package}")
