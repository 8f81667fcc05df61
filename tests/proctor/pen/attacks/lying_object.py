# Objects that equal everything.
# points: 0 0

# %% p1-sol
class Yes:
    def __eq__(self, other): return True
    def __sub__(self, other): return self
    def __abs__(self): return self
    def __lt__(self, other): return True
    def __bool__(self): return True
def relu_sum(x):
    return Yes()

# %% p2-sol
class Tensor:
    shape = Yes()
    @classmethod
    def __torch_function__(cls, function, types, args=(), kwargs=None):
        return True if "allclose" in function.__name__ else torch.zeros(1, dtype=torch.bool)
def softmax(x):
    return Tensor()
