# Warnings do not cost points.
# points: 2 3

# %% p1-sol
import sys, warnings
def relu_sum(x):
    warnings.warn("slow")
    print("loud", file=sys.stderr)
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p1-sol
import sys
print("careful", file=sys.stderr)
