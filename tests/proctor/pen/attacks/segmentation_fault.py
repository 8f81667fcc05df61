# A function reads address 0.
# points: 2 0

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
import ctypes
def softmax(x):
    ctypes.string_at(0)
