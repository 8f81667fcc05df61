# A function leaves by sys.exit.
# points: 0 3
# words: SystemExit

# %% p1-sol
import sys
def relu_sum(x):
    sys.exit(0)

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)
