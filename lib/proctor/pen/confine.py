"""What each fork adds to the box: namespaces, folders, limits and a filter of system calls of its own."""

import contextlib
import os
import resource
import signal
import site
import sys
from collections.abc import Iterator
from pathlib import Path

from proctor.pen import kernel
from proctor.pen.sandbox import STUDENT, TEMPORARY


def data_size() -> int:
    """Bytes of data that this process has."""
    with open("/proc/self/status") as file:
        return next(int(line.split()[1]) << 10 for line in file if line.startswith("VmData"))


def limit(what: int, most: int, hard: int | None = None) -> None:
    """Set one of the kernel's limits."""
    resource.setrlimit(what, (most, most if hard is None else hard))


def keep_alive(child: int) -> None:
    """Be the keeper: pass an interrupt on, end the child's whole world when told to, and leave with it."""
    signal.signal(signal.SIGINT, lambda *_: os.kill(child, signal.SIGINT))
    signal.signal(signal.SIGTERM, lambda *_: os.kill(child, signal.SIGKILL))
    while True:
        with contextlib.suppress(InterruptedError, ProcessLookupError):
            _, status, _ = os.wait4(child, 0)  # returns once nothing of its world is left
            code = os.waitstatus_to_exitcode(status)
            os._exit(code if code >= 0 else 128 - code)


def private_places(disk: int) -> None:
    """Folders that nobody else sees, empty again for the next: the place of work, /dev/shm, the temporary one."""
    inside = [path for path in interpreter_seen() if str(path).startswith(TEMPORARY + os.sep)]
    doors = [os.open(path, os.O_PATH) for path in inside]
    for place, files in ((STUDENT, 5000), ("/dev/shm", 500), (TEMPORARY, 5000)):
        kernel.mount(
            "tmpfs", place, "tmpfs", kernel.NOSUID | kernel.NODEV,
            f"size={disk}m,mode=1777,nr_inodes={files}",
        )  # fmt: skip
    for door, path in zip(
        doors, inside, strict=True
    ):  # an interpreter that lies under the temporary folder
        path.mkdir(parents=True, exist_ok=True)
        kernel.mount(f"/proc/self/fd/{door}", str(path), "", kernel.BIND | kernel.RECURSIVE)
        os.close(door)


def interpreter_seen() -> Iterator[Path]:
    """The interpreter's folders, from inside the box."""
    seen: list[Path] = []
    for path in sorted(
        {
            Path(sys.prefix),
            Path(sys.base_prefix),
            *map(Path, sys.path[1:]),
            *map(Path, site.getsitepackages()),
        }
    ):
        if path.is_dir() and not any(path.is_relative_to(other) for other in seen):
            seen.append(path)
            yield path


def confine(limits: dict) -> None:
    """Enter a world of one's own; returns only in the process that is number 1 of it."""
    user, group = os.getuid(), os.getgid()
    kernel.unshare(
        kernel.NEW_USER
        | kernel.NEW_MOUNT
        | kernel.NEW_PID
        | kernel.NEW_IPC
        | kernel.NEW_UTS
        | kernel.NEW_NET
    )
    Path("/proc/self/setgroups").write_text("deny")
    Path("/proc/self/uid_map").write_text(f"{user} {user} 1")
    Path("/proc/self/gid_map").write_text(f"{group} {group} 1")
    child = os.fork()
    if child:
        keep_alive(child)
    os.setsid()  # a signal to one's own group must not reach the keeper
    kernel.prctl(kernel.PDEATHSIG, signal.SIGKILL)
    kernel.mount("none", "/", "", kernel.RECURSIVE | kernel.PRIVATE)
    private_places(limits["disk_mb"])
    kernel.mount("proc", "/proc", "proc", kernel.NOSUID | kernel.NODEV | kernel.NOEXEC)
    os.chdir(STUDENT)
    kernel.drop_capabilities()
    limit(resource.RLIMIT_CORE, 0)
    limit(resource.RLIMIT_NOFILE, 512)
    limit(resource.RLIMIT_NPROC, limits["processes"])
    limit(resource.RLIMIT_FSIZE, limits["disk_mb"] << 20)
    limit(resource.RLIMIT_DATA, data_size() + (limits["memory_mb"] << 20))
    limit(resource.RLIMIT_CPU, limits["total_s"], limits["total_s"] + 2)
    kernel.filter_calls()
