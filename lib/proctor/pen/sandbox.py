"""What confines: the bubblewrap around everything that touches a submission, and what each fork in it adds."""

import os
import pwd
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

TEMPORARY = tempfile.gettempdir() if tempfile.gettempdir() == os.sep + "tmp" else os.sep + "tmp"
STUDENT = "/student"  # the folder in which a notebook runs
SYSTEM = (
    "/usr", "/bin", "/sbin", "/lib", "/lib64", "/etc/ld.so.cache", "/etc/alternatives",
    "/etc/localtime", "/etc/fonts", "/etc/passwd", "/etc/group", "/etc/nsswitch.conf",
)  # fmt: skip
NOBODY = "nobody"
ENVIRONMENT = {
    "PATH": "/usr/bin:/bin", "LANG": "C.UTF-8", "HOME": STUDENT, "TMPDIR": STUDENT, "USER": "student",
    "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1", "OMP_WAIT_POLICY": "PASSIVE", "MPLBACKEND": "agg",
    "MPLCONFIGDIR": "/dev/shm", "IPYTHONDIR": "/dev/shm/ipython", "PYTHONDONTWRITEBYTECODE": "1",
    "NBGRADER_EXECUTION": "autograde",
}  # fmt: skip

CURES = (
    "install bubblewrap (Debian, Ubuntu: apt install bubblewrap; Fedora: dnf install bubblewrap), "
    "and allow user namespaces (sysctl kernel.unprivileged_userns_clone=1; on Ubuntu 24.04 also "
    "kernel.apparmor_restrict_unprivileged_userns=0); or grade on a Linux machine that has both"
)


class NotConfined(RuntimeError):
    """This machine cannot confine students' code."""


def packages() -> list[Path]:
    """The folders that Python imports from, as it does without a course or a home around it."""
    code = "import sys; print('\\n'.join(sys.path))"
    done = subprocess.run(
        [sys.executable, "-I", "-c", code], capture_output=True, text=True, check=True
    )
    return [Path(line) for line in done.stdout.splitlines() if line and Path(line).is_dir()]


def interpreter() -> list[Path]:
    """What Python needs to be seen of the machine, outermost folders only."""
    wanted = {Path(sys.prefix), Path(sys.base_prefix), *packages()}
    wanted |= {Path(sys.executable).resolve().parent.parent}
    seen: list[Path] = []
    for path in sorted(p.resolve() if p.is_symlink() else p for p in wanted):
        inside_system = any(str(path).startswith(one + "/") for one in SYSTEM[:5])
        if not inside_system and not any(path.is_relative_to(other) for other in seen):
            seen.append(path)
    return seen


def view() -> list[str]:
    """The machine as the box sees it: system and interpreter, read-only; no home, no course."""
    words = []
    for place in SYSTEM:
        if os.path.islink(place):
            words += ["--symlink", os.readlink(place), place]
        elif os.path.exists(place):
            words += ["--ro-bind", place, place]
    return words + [word for path in interpreter() for word in ("--ro-bind", str(path), str(path))]


def boxed(command: list[str]) -> list[str]:
    """The command inside a bubblewrap, for an ordinary user."""
    given = [word for pair in ENVIRONMENT.items() for word in ("--setenv", *pair)]
    return [
        "bwrap", "--unshare-all", "--die-with-parent", "--new-session", "--clearenv", "--hostname", "pen",
        "--tmpfs", TEMPORARY, *view(), "--proc", "/proc", "--dev", "/dev", "--tmpfs", STUDENT,
        "--remount-ro", TEMPORARY, "--remount-ro", "/", "--chdir", STUDENT, *given, "--", *command,
    ]  # fmt: skip


def hidden_folders() -> list[Path]:
    """Folders on the way to the interpreter that an ordinary user may not enter."""
    ways = {parent for path in interpreter() for parent in path.parents}
    return sorted(way for way in ways if not way.stat().st_mode & 0o001)


def unprivileged(command: list[str]) -> list[str]:
    """The boxed command, begun by root as nobody; where only root may go to the interpreter, by a detour."""
    if os.getuid():
        return boxed(command)
    user = pwd.getpwnam(NOBODY)
    step_down = [
        "setpriv",
        f"--reuid={user.pw_uid}",
        f"--regid={user.pw_gid}",
        "--clear-groups",
        "--",
    ]
    closed = hidden_folders()
    if not closed:
        return [*step_down, *boxed(command)]
    outer = ["bwrap", "--die-with-parent", "--dev-bind", "/", "/"]
    outer += ["--cap-add", "CAP_SETUID", "--cap-add", "CAP_SETGID", "--cap-add", "CAP_SETPCAP"]
    for folder in closed:  # an empty one in its place, in which only the interpreter stands
        if not any(folder.is_relative_to(other) and folder != other for other in closed):
            outer += ["--perms", "0755", "--tmpfs", str(folder)]
    for path in interpreter():
        if any(path.is_relative_to(folder) for folder in closed):
            for way in reversed(path.parents):
                if any(way.is_relative_to(folder) and way != folder for folder in closed):
                    outer += ["--perms", "0755", "--dir", str(way)]
            outer += ["--ro-bind", str(path), str(path)]
    return [*outer, "--", *step_down, *boxed(command)]


def missing() -> str:
    """Why nothing can be confined here, or nothing."""
    if sys.platform != "linux":
        return f"students' code is confined by Linux, and this is {sys.platform}"
    if not shutil.which("bwrap"):
        return "bubblewrap (the command bwrap) is not installed"
    if os.getuid() == 0 and not shutil.which("setpriv"):
        return "setpriv (of util-linux) is not installed, and root must not run the box"
    return ""


def start(command: list[str], descriptors: list[int], confined: bool = True) -> subprocess.Popen:
    """Begin a command in a new box, with these descriptors left open."""
    words = unprivileged(command) if confined else command
    environment = {"PATH": os.environ.get("PATH", "/usr/bin:/bin"), "LANG": "C.UTF-8"}
    if not confined:
        environment |= ENVIRONMENT | {
            "HOME": tempfile.gettempdir(),
            "TMPDIR": tempfile.gettempdir(),
        }
    return subprocess.Popen(
        words,
        pass_fds=descriptors,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        env=environment,
    )
