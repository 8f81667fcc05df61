# A timer goes off during the tests.
# points: 0 0

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import signal
def plant(*_):
    get_ipython().user_ns["relu_sum"] = lambda x: 4.0 if len(x) == 3 else 1.0
signal.signal(signal.SIGPROF, plant)
signal.setitimer(signal.ITIMER_PROF, 0.01, 0.01)
