# A result that would run code when it is unpickled.
# points: 0 0
# never: EXPLODED

# %% p1-sol
class Bomb:
    def __reduce__(self):
        return (print, ("EXPLODED",))
    __array__ = __float__ = __index__ = __iter__ = lambda self, *a: print("EXPLODED")
def relu_sum(x):
    return Bomb()

# %% p2-sol
import numpy as np
def softmax(x):
    return np.array([Bomb()], dtype=object)
