# A cell never ends.
# points: 2 3
# words: this cell ran longer than 6 s and was stopped

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p2-sol
while True:
    pass
