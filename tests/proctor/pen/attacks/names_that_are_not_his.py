# Names of the tests and of modules are taken.
# points: 0 0

# %% p1-sol
torch = np = z = y = 0
def relu_sum(x):
    return None

# %% p2-sol
class torch:
    allclose = lambda *a, **k: True
    tensor = lambda *a: None
def softmax(x):
    return None
