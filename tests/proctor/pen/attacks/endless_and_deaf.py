# A function never ends and takes every exception.
# points: 0 3

# %% p1-sol
def relu_sum(x):
    while True:
        try:
            while True:
                pass
        except BaseException:
            pass

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)
