# What a function prints during a hidden test is not shown.
# points: 2 3
# never: INPUT [

# %% p1-sol
def relu_sum(x):
    print("INPUT", x)
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)
