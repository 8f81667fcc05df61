# Children without end.
# points: 2 3
# words: made fewer than 70: True

# %% p1-sol
def relu_sum(x):
    return float(sum(v for v in x if v > 0))

# %% p2-sol
def softmax(x):
    e = torch.exp(x - x.max(-1, keepdim=True).values)
    return e / e.sum(-1, keepdim=True)

# %% before p2-sol
import os, time
made = 0
for _ in range(150):
    try:
        if os.fork() == 0:
            time.sleep(100)
            os._exit(0)
        made += 1
    except OSError:
        break
print("made fewer than 70:", made < 70)
