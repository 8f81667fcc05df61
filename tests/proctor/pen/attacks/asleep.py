# A function sleeps longer than it may.
# points: 2 0

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
import time
def softmax(x):
    time.sleep(1000)
