# Builtins are replaced.
# points: 0 0

# %% p1-sol
import builtins
builtins.abs = lambda x: 0.0
builtins.AssertionError = ValueError
builtins.float = int
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None
