# Files without end.
# points: 2 3
# words: stopped at less than 6000: True

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p2-sol
try:
    for n in range(20_000):
        open(f"f{n}", "w").close()
except OSError as error:
    print("stopped at less than 6000:", n < 6000)
