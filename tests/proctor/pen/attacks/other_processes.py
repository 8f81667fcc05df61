# Other processes are looked at, signalled, traced and read.
# points: 0 0
# words: processes: 1 parent: 0
# words: refused: True
# never: KILLED

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import ctypes, os, signal
pids = [int(p) for p in os.listdir("/proc") if p.isdigit()]
print("processes:", len(pids), "parent:", os.getppid())
libc = ctypes.CDLL(None, use_errno=True)
def refused(number, *args):
    return libc.syscall(number, *args) < 0
print("refused:", all([refused(101, 16, 2, 0, 0), refused(310, 2, 0, 0, 0, 0, 0), refused(438, 0, 0, 0), refused(312, 1, 2, 0, 0, 0)]))
for target in (2, 3, 10, 100):
    try:
        os.kill(target, signal.SIGKILL)
        print("KILLED", target)
    except OSError:
        pass
