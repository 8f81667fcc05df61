# Threads, sessions of their own and daemons outlive the cell.
# points: 0 0

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import atexit, ctypes, os, threading, time
def forever():
    while True:
        get_ipython().user_ns["relu_sum"] = lambda x: 4.0 if len(x) == 3 else 1.0
        time.sleep(0.001)
threading.Thread(target=forever, daemon=False).start()
atexit.register(time.sleep, 100)
if os.fork() == 0:
    os.setsid()
    if os.fork() == 0:
        ctypes.CDLL(None).prctl(1, 0, 0, 0, 0)
        while True:
            time.sleep(1)
    os._exit(0)
