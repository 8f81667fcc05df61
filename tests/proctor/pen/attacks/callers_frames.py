# The caller is searched for the test.
# points: 0 0
# never: FOUND

# %% p1-sol
import sys
def relu_sum(x):
    frame = sys._getframe()
    while frame:
        for name, value in {**frame.f_locals, **frame.f_globals}.items():
            if isinstance(value, str) and "secret_of_" in value and "isinstance" not in value:
                print("FOUND", name, value)
        frame = frame.f_back
    print("In:", get_ipython().user_ns.get("In", [""])[-1])

# %% p2-sol
def softmax(x):
    return None
