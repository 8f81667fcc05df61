# A cell ends the process.
# points: 2 3
# words: the process running your code ended

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p1-sol
import os
os._exit(0)
