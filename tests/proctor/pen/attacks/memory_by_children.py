# Four children with 300 MB each.
# points: 2 0
# words: more than 512 MB of memory

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
import os, time
for _ in range(4):
    if os.fork() == 0:
        x = bytearray(os.urandom(1 << 20)) * 300
        time.sleep(30)
        os._exit(0)
time.sleep(5)
def softmax(x):
    return None
