# Values that are deep, long or wide.
# points: 0 0

# %% p1-sol
def relu_sum(x):
    deep = []
    for _ in range(100_000):
        deep = [deep]
    return deep if len(x) == 3 else list(range(3_000_000))

# %% p2-sol
def softmax(x):
    return torch.zeros(80_000_000)
