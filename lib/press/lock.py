"""Write requirements.lock from the environment, without local versions, paths or hosts."""

import sysconfig
from importlib.metadata import distributions

from packaging.utils import canonicalize_name

from press.layout import ROOT

FILE = ROOT / "requirements.lock"
OURS = {"etude", "pip", "setuptools", "wheel"}


def installed() -> dict[str, str]:
    """Name and public version of every installed package, but ours and pip's own."""
    here = [sysconfig.get_path("purelib")]  # and not what a package carries inside itself
    every = distributions(path=here)
    found = {canonicalize_name(d.name): d.version.partition("+")[0] for d in every}
    return {name: found[name] for name in sorted(found) if name not in OURS}


def write() -> None:
    """Pin what is installed now."""
    rows = "".join(f"{name}=={version}\n" for name, version in installed().items())
    FILE.write_text("# Made by `press lock`; every set-up uses it as constraints.\n" + rows)


def faults() -> list[str]:
    """Installed packages that the lock does not know at that version."""
    pins = dict(row.split("==") for row in FILE.read_text().split("\n") if "==" in row)
    return [
        f"requirements.lock:1: {name} {version} is installed, the lock says {pins.get(name)}"
        for name, version in installed().items()
        if pins.get(name) != version
    ]
