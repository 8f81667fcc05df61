# Mounts, namespaces, filters, keys and the clock.
# points: 0 0
# words: allowed: []
# words: capabilities: ['0000000000000000', '0000000000000000']
# never: WROTE

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import ctypes, os, socket
libc = ctypes.CDLL(None, use_errno=True)
calls = {"mount": (165, b"none", b"/tmp", b"tmpfs", 0, 0), "unshare": (272, 0x10000000), "setns": (308, 0, 0),
         "bpf": (321, 0, 0, 0), "keyctl": (250, 0, 0, 0, 0, 0), "chroot": (161, b"/tmp"), "pivot_root": (155, b"/", b"/"),
         "io_uring": (425, 1, 0), "personality": (135, 0xffffffff), "userfaultfd": (323, 0), "clock": (227, 0, 0),
         "clone": (56, 0x10000000, 0, 0, 0, 0), "clone3": (435, 0, 0), "prctl": (157, 1, 0, 0, 0, 0), "open_tree": (428, 0, 0, 0)}
allowed = [name for name, (number, *args) in calls.items() if libc.syscall(number, *args) >= 0]
for family in (40, 17, 38):
    try:
        socket.socket(family, socket.SOCK_STREAM if family == 40 else socket.SOCK_RAW)
        allowed.append(f"socket {family}")
    except OSError:
        pass
print("allowed:", allowed)
print("capabilities:", [l.split()[1] for l in open("/proc/self/status") if l.startswith(("CapEff", "CapPrm", "CapBnd"))][:2])
try:
    open("/proc/sys/kernel/hostname", "w")
    print("WROTE")
except OSError:
    pass
