# A function ends the process: the other exercise counts.
# points: 2 0
# words: the process running your code ended

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
import os
def softmax(x):
    os._exit(0)
