"""The few system calls that Python does not offer: namespaces, mounts, capabilities, and the filter of system calls."""

import ctypes
import errno
import os
import struct

libc = ctypes.CDLL(None, use_errno=True)
X86 = os.uname().machine == "x86_64"

NEW_MOUNT, NEW_UTS, NEW_IPC, NEW_USER, NEW_PID, NEW_NET = (
    0x20000, 0x4000000, 0x8000000, 0x10000000, 0x20000000, 0x40000000,
)  # fmt: skip
NEW_ANY = NEW_MOUNT | NEW_UTS | NEW_IPC | NEW_USER | NEW_PID | NEW_NET | 0x2000000  # and cgroups
NOSUID, NODEV, NOEXEC, BIND, RECURSIVE, PRIVATE = 2, 4, 8, 4096, 16384, 1 << 18
PDEATHSIG = 1  # prctl

# name: (x86_64, aarch64); None where the machine has no such call
DENIED = {
    "ptrace": (101, 117), "mount": (165, 40), "umount2": (166, 39), "pivot_root": (155, 41),
    "chroot": (161, 51), "swapon": (167, 224), "swapoff": (168, 225), "reboot": (169, 142),
    "init_module": (175, 105), "delete_module": (176, 106), "finit_module": (313, 273),
    "kexec_load": (246, 104), "kexec_file_load": (320, 294), "bpf": (321, 280),
    "perf_event_open": (298, 241), "add_key": (248, 217), "request_key": (249, 218),
    "keyctl": (250, 219), "userfaultfd": (323, 282), "unshare": (272, 97), "setns": (308, 268),
    "process_vm_readv": (310, 270), "process_vm_writev": (311, 271),
    "name_to_handle_at": (303, 264), "open_by_handle_at": (304, 265), "acct": (163, 89),
    "syslog": (103, 116), "quotactl": (179, 60), "modify_ldt": (154, None), "iopl": (172, None),
    "ioperm": (173, None), "io_uring_setup": (425, 425), "io_uring_enter": (426, 426),
    "io_uring_register": (427, 427), "open_tree": (428, 428), "move_mount": (429, 429),
    "fsopen": (430, 430), "fsconfig": (431, 431), "fsmount": (432, 432), "fspick": (433, 433),
    "pidfd_getfd": (438, 438), "mount_setattr": (442, 442), "kcmp": (312, 272),
    "sethostname": (170, 161), "setdomainname": (171, 162), "settimeofday": (164, 170),
    "clock_settime": (227, 112), "adjtimex": (159, 171), "clock_adjtime": (305, 266),
    "vhangup": (153, 58), "personality": (135, 92), "move_pages": (279, 239), "mbind": (237, 235),
    "migrate_pages": (256, 238),
}  # fmt: skip
SOCKET, CLONE, CLONE3, PRCTL, SECCOMP, CAPSET = (
    (41, 56, 435, 157, 317, 126) if X86 else (198, 220, 435, 167, 277, 91)
)
FAMILIES = (1, 2, 10, 16)  # sockets: unix, inet, inet6, netlink

LOAD, EQUAL, ABOVE, ANY_BIT, RETURN = 0x20, 0x15, 0x35, 0x45, 0x06
ALLOW, KILL = 0x7FFF0000, 0x80000000
ARGUMENT = 16  # offset of the first argument in what the filter sees


def checked(result: int, what: str) -> int:
    """The result of a call, or OSError."""
    if result < 0:
        number = ctypes.get_errno()
        raise OSError(number, f"{what}: {os.strerror(number)}")
    return result


def unshare(spaces: int) -> None:
    """Enter new namespaces."""
    checked(libc.unshare(spaces), "unshare")


def mount(source: str, place: str, kind: str = "", flags: int = 0, options: str = "") -> None:
    """Mount a file system, or bind a folder."""
    words = [word.encode() or None for word in (source, place, kind)]
    done = libc.mount(*words, ctypes.c_ulong(flags), options.encode() or None)
    checked(done, f"mount {place}")


def prctl(option: int, value: int) -> None:
    """Ask the kernel for one property of this process."""
    checked(libc.prctl(option, *[ctypes.c_ulong(n) for n in (value, 0, 0, 0)]), f"prctl {option}")


def drop_capabilities() -> None:
    """Have no privilege left, not even in one's own namespaces."""
    checked(libc.syscall(CAPSET, struct.pack("II", 0x20080522, 0), bytes(24)), "capset")


def program() -> bytes:
    """The filter: calls that a notebook never needs fail with EPERM; a foreign architecture ends the process."""

    def step(code: int, value: int, yes: int = 0, no: int = 0) -> bytes:
        return struct.pack("HBBI", code, yes, no, value)

    def fails(number: int) -> bytes:
        return step(RETURN, 0x50000 | number)

    steps = [
        step(LOAD, 4), step(EQUAL, 0xC000003E if X86 else 0xC00000B7, 1), step(RETURN, KILL),
        step(LOAD, 0),
    ]  # fmt: skip
    if X86:
        steps += [step(ABOVE, 0x40000000, 0, 1), fails(errno.ENOSYS)]  # the x32 calls
    for numbers in DENIED.values():
        if (number := numbers[not X86]) is not None:
            steps += [step(EQUAL, number, 0, 1), fails(errno.EPERM)]
    steps += [step(EQUAL, CLONE3, 0, 1), fails(errno.ENOSYS)]  # glibc then takes clone
    steps += [
        step(EQUAL, CLONE, 0, 4), step(LOAD, ARGUMENT), step(ANY_BIT, NEW_ANY, 0, 1),
        fails(errno.EPERM), step(RETURN, ALLOW),
    ]  # fmt: skip
    # who could refuse to die with its keeper would outlive the submission
    steps += [
        step(EQUAL, PRCTL, 0, 4), step(LOAD, ARGUMENT), step(EQUAL, PDEATHSIG, 0, 1),
        fails(errno.EPERM), step(RETURN, ALLOW),
    ]  # fmt: skip
    known = [part for f in FAMILIES for part in (step(EQUAL, f, 0, 1), step(RETURN, ALLOW))]
    steps += [step(EQUAL, SOCKET, 0, len(known) + 2), step(LOAD, ARGUMENT), *known]
    steps += [fails(errno.EAFNOSUPPORT), step(RETURN, ALLOW)]
    return b"".join(steps)


class _Program(ctypes.Structure):
    _fields_ = [("length", ctypes.c_ushort), ("filter", ctypes.c_void_p)]


def filter_calls() -> None:
    """Put the filter on this process and on all that it starts."""
    text = program()
    memory = ctypes.create_string_buffer(text, len(text))
    given = _Program(len(text) // 8, ctypes.addressof(memory))
    prctl(38, 1)  # no new privileges
    checked(libc.syscall(SECCOMP, 1, 0, ctypes.byref(given)), "seccomp")
