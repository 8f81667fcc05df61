# ruff: noqa
"""Answers that the graders of this assignment are tried on: each cell is what a student would have in the answer cell.

A wrong one says what it deserves and the words its message must contain; `instead of` / `write` changes one place of the
solution. One more wrong answer is made from every misconception of the graded cells.
"""

# %% chebyshev_rates, right: roots of numpy's polynomial
import numpy as np

def chebyshev_rates(mu, L, n):
    roots = np.polynomial.chebyshev.chebroots([0] * n + [1]).real
    zeros = (L + mu) / 2 + (L - mu) / 2 * torch.as_tensor(roots, dtype=mu.dtype, device=mu.device)
    rates = (1 / zeros).sort().values
    return rates, torch.prod(1 - L * rates).abs()

# %% chebyshev_rates, right: one by one, in float64
def chebyshev_rates(mu, L, n):
    low, high = mu.double(), L.double()
    rates = sorted(2 / ((high + low) + (high - low) * math.cos(math.pi * (i + 0.5) / n)) for i in range(n))
    worst = 1.0
    for rate in rates:
        worst = worst * (1 - rate * low)
    return torch.stack(rates).to(mu), abs(worst).to(mu)

# %% chebyshev_rates, wrong: the constant plan
# 0 points: best *constant* plan
def chebyshev_rates(mu, L, n):
    rates = (2 / (L + mu)).expand(n).clone()
    return rates, (1 - rates * L).prod().abs()

# %% chebyshev_rates, wrong: angles i π / n
# 0 points: odd multiples of π/2n
# instead of: (2 * i - 1) * math.pi / (2 * n)
# write: i * math.pi / n

# %% chebyshev_rates, wrong: zeros
# 0 points: zeros came, not the rates
# instead of: rates = 1 / zeros
# write: rates = zeros

# %% chebyshev_rates, wrong: the sign stays
# 2 points: its size was asked for
# instead of: return rates, (1 - rates * L).prod().abs()
# write: return rates, (1 - rates * L).prod()

# %% chebyshev_rates, wrong: descending
# 0 points: largest rate came first
# instead of: return rates, (1
# write: return rates.flip(0), (1

# %% chebyshev_rates, wrong: always float32
# 2.5 points: torch.float32 for an input of torch.float64
# instead of: i = torch.arange(1, n + 1, dtype=mu.dtype, device=mu.device)
# write: i = torch.arange(1, n + 1).float()

# %% grouped_noise, right: one-hot sums, no loop
def grouped_noise(g, group, take):
    one = torch.nn.functional.one_hot(group, len(take)).to(g.dtype)
    n = one.sum(0)
    means = one.T @ g / n[:, None]
    spread = one.T @ (g - means[group]).square().sum(1) / n
    b = take.to(g.dtype)
    return ((n / len(g)) ** 2 * spread / b * (n - b) / (n - 1).clamp(min=1)).sum()

# %% grouped_noise, right: the sample variance, and the correction that belongs to it
def grouped_noise(g, group, take):
    total = 0 * g.sum()
    for s in range(len(take)):
        mine = g[group == s]
        n, b = mine.shape[0], int(take[s])
        if n > b:
            total = total + (n / g.shape[0]) ** 2 * mine.var(0, correction=1).sum() / b * (1 - b / n)
    return total

# %% grouped_noise, wrong: drawn with replacement
# 0 points: without replacement no example comes twice
# instead of: * (n - b) / max(n - 1, 1)
# write: * 1

# %% grouped_noise, wrong: divided by N - 1
# 0 points: divide by N
# instead of: .square().sum() / n
# write: .square().sum() / max(n - 1, 1)

# %% grouped_noise, wrong: shares not squared
# 0 points: squared factors
# instead of: (n / len(g)) ** 2
# write: (n / len(g))

# %% grouped_noise, wrong: around the mean of all
# 0 points: its own mean counts
# instead of: mine.mean(0)
# write: g.mean(0)

# %% grouped_noise, wrong: mean over coordinates
# 0.5 points: a squared length is their sum
# instead of: return error
# write: return error / g.shape[1]

# %% grouped_noise, wrong: a lonely example is nan
# 2.5 points: it is known exactly
# instead of: max(n - 1, 1)
# write: torch.tensor(n - 1)

# %% grouped_noise, wrong: always float32
# 2.5 points: torch.float32 for an input of torch.float64
# instead of: return error
# write: return error.float()

# %% restarted_ball, right: energy in a list, dots by einsum
def restarted_ball(A, b, theta, lr, beta, steps):
    path, v, n = [theta.clone()], theta * 0, 0
    while len(path) <= steps:
        g = torch.einsum("ij,j->i", A, path[-1]) - b
        back = torch.dot(g, v).item() < 0
        n += back
        v = g if back else g + beta * v
        path.append(path[-1] - lr * v)
    return torch.stack(path), n

# %% restarted_ball, right: in a table of points
def restarted_ball(A, b, theta, lr, beta, steps):
    points = theta.new_empty(steps + 1, len(theta))
    points[0] = theta
    v, count = torch.zeros_like(theta), 0
    for t in range(steps):
        g = (A * points[t]).sum(1) - b
        if (g * v).sum() < 0:
            v = v * 0
            count += 1
        v = beta * v + g
        points[t + 1] = points[t] - lr * v
    return points, count

# %% restarted_ball, wrong: never restarts
# 0 points: never thrown away
# instead of: if g @ v < 0:
# write: if False:

# %% restarted_ball, wrong: the other sign
# 0 points: v points uphill, against the motion
# instead of: if g @ v < 0:
# write: if g @ v > 0:

# %% restarted_ball, wrong: looks at the new velocity
# 0 points: g's own square hides the sign
# instead of: if g @ v < 0:
# write: if g @ (beta * v + g) < 0:

# %% restarted_ball, wrong: the gradient goes, too
# 0 points: is one of gradient descent
# instead of: v, restarts = torch.zeros_like(v), restarts + 1
# write: v, g, restarts = torch.zeros_like(v), 0 * g, restarts + 1

# %% restarted_ball, wrong: no b
# 0.5 points: b is missing
# instead of: A @ theta - b
# write: A @ theta

# %% restarted_ball, wrong: counts the first step
# 2.25 points: 0 is not
# instead of: torch.zeros_like(theta), 0
# write: torch.zeros_like(theta), 1

# %% restarted_ball, wrong: changes theta in place
# 0 points: got
# instead of: theta = theta - lr * v
# write: theta -= lr * v

# %% restarted_ball, wrong: always float32
# 3.25 points: points.dtype = torch.float32 | torch.float64
# instead of: points, v, restarts =
# write: A, b, theta = A.float(), b.float(), theta.float(); points, v, restarts =

# %% rowwise_adam, right: dense gradients and a mask
def rowwise_adam(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    g = torch.zeros_like(p).index_put((rows,), values, accumulate=True)
    here = torch.zeros(len(p), dtype=torch.bool, device=p.device)
    here[rows] = True
    count = count + here.long()
    column = here[:, None]
    m = torch.where(column, beta1 * m + (1 - beta1) * g, m)
    v = torch.where(column, beta2 * v + (1 - beta2) * g * g, v)
    t = count[:, None].clamp(min=1)
    step = lr * m / (1 - beta1**t) / ((v / (1 - beta2**t)).sqrt() + eps)
    return torch.where(column, p - step, p), m, v, count

# %% rowwise_adam, right: row after row
def rowwise_adam(p, m, v, count, rows, values, lr, beta1, beta2, eps):
    p, m, v, count = p.clone(), m.clone(), v.clone(), count.clone()
    sums = {}
    for row, value in zip(rows.tolist(), values):
        sums[row] = sums[row] + value if row in sums else value
    for row, g in sums.items():
        count[row] += 1
        t = int(count[row])
        m[row] = m[row].lerp(g, 1 - beta1)
        v[row] = v[row].lerp(g**2, 1 - beta2)
        p[row] = p[row] - lr * (m[row] / (1 - beta1**t)) / (torch.sqrt(v[row] / (1 - beta2**t)) + eps)
    return p, m, v, count

# %% rowwise_adam, wrong: one clock
# 0.75 points: one count served for all rows
# instead of: t = count[seen, None].to(p.dtype)
# write: t = count.max().to(p.dtype)

# %% rowwise_adam, wrong: the old count
# 0 points: the first update has t = 1
# instead of: t = count[seen, None].to(p.dtype)
# write: t = (count[seen, None] - 1).to(p.dtype)

# %% rowwise_adam, wrong: the last gradient wins
# 2.5 points: they are summed
# instead of: index_add(0, place, values)
# write: index_copy(0, place, values)

# %% rowwise_adam, wrong: eps inside
# 3.25 points: it is added after it
# instead of: ((v[seen] / (1 - beta2**t)).sqrt() + eps)
# write: (v[seen] / (1 - beta2**t) + eps).sqrt()

# %% rowwise_adam, wrong: other rows decay
# 0.75 points: stays as it is
# instead of: m[seen] = beta1 * m[seen] + (1 - beta1) * g
# write: m = beta1 * m; v = beta2 * v; m[seen] += (1 - beta1) * g; v[seen] /= beta2

# %% rowwise_adam, wrong: no correction
# 0.75 points: m and v begin at 0
# instead of: (m[seen] / (1 - beta1**t)) / ((v[seen] / (1 - beta2**t)).sqrt() + eps)
# write: m[seen] / (v[seen].sqrt() + eps)

# %% rowwise_adam, wrong: works on the caller's tables
# 3.75 points: an argument was changed
# instead of: p, m, v, count = p.clone(), m.clone(), v.clone(), count.clone()
# write: pass

# %% rowwise_adam, wrong: stumbles over an empty batch
# 3.75 points: max()
# instead of: place = rows.unique(return_inverse=True)
# write: place = rows.unique(return_inverse=True); assert rows.max() < len(p)

# %% paper_adamw, right: shrink first, then move
def paper_adamw(theta, g, m, v, t, lr, decay, eta, decayed):
    m = torch.lerp(m, g, 0.1)
    v = torch.addcmul(0.999 * v, g, g, value=0.001)
    shrunk = theta * (1 - eta * decay * decayed.to(theta.dtype))
    return shrunk - eta * lr * m / (1 - 0.9**t) / (torch.sqrt(v / (1 - 0.999**t)) + 1e-8), m, v

# %% paper_adamw, right: the corrections in the rate
def paper_adamw(theta, g, m, v, t, lr, decay, eta, decayed):
    m = m + 0.1 * (g - m)
    v = v + 0.001 * (g**2 - v)
    root = (1 - 0.999**t) ** 0.5
    rate = eta * lr * root / (1 - 0.9**t)
    moved = theta - rate * m / (v.sqrt() + 1e-8 * root)
    return torch.where(decayed, moved - eta * decay * theta, moved), m, v

# %% paper_adamw, right: the chapter's Adam, which is torch's
from etude.formulas.optimization.first_order import adam

def paper_adamw(theta, g, m, v, t, lr, decay, eta, decayed):
    state = {"step": t - 1, "exp_avg": m, "exp_avg_sq": v}
    moved, state = adam(theta, g, state, lr=eta * lr)
    return moved - eta * decay * theta.where(decayed, 0), state["exp_avg"], state["exp_avg_sq"]

# %% paper_adamw, wrong: torch's decay
# 0 points: here only η does
# instead of: decay * theta.where
# write: lr * decay * theta.where

# %% paper_adamw, wrong: all decay
# 0 points: only what is marked does
# instead of: theta.where(decayed, 0)
# write: theta

# %% paper_adamw, wrong: L2
# 0 points: which is L2
# instead of: m = 0.9 * m + 0.1 * g
# write: g, decay = g + decay * theta.where(decayed, 0), 0.0; m = 0.9 * m + 0.1 * g

# %% paper_adamw, wrong: the decay is not scheduled
# 0 points: it scales both parts
# instead of: eta * (step + decay * theta.where(decayed, 0))
# write: (eta * step + decay * theta.where(decayed, 0))

# %% paper_adamw, wrong: no correction
# 0 points: bias correction is missing
# instead of: lr * (m / (1 - 0.9**t)) / ((v / (1 - 0.999**t)).sqrt() + 1e-8)
# write: lr * m / (v.sqrt() + 1e-8)

# %% paper_adamw, wrong: the mask the other way round
# 0 points: the other way round
# instead of: theta.where(decayed, 0)
# write: theta.where(~decayed, 0)

# %% paper_adamw, wrong: rests where η is 0
# 2.5 points: the moments go on
# instead of: m = 0.9 * m + 0.1 * g
# write: m = 0.9 * m + 0.1 * g if eta else m

# %% paper_adamw, wrong: writes into m
# 2.5 points: an argument was changed
# instead of: m = 0.9 * m + 0.1 * g
# write: m = m.mul_(0.9).add_(0.1 * g)

# %% trapezoid, right: step by step
def trapezoid(t, lr, warm, cool, total, r):
    def at(step):
        if step >= total:
            return lr * r
        if step >= total - cool:
            return lr * (1 - (1 - r) * math.sqrt((step + 1 - total + cool) / cool))
        return lr * min(1, (step + 1) / warm) if warm else lr
    rates = [at(step) for step in t.reshape(-1).tolist()]
    return torch.tensor(rates, dtype=torch.float32, device=t.device).reshape(t.shape)

# %% trapezoid, right: three masks
def trapezoid(t, lr, warm, cool, total, r):
    rate = torch.full(t.shape, float(lr), device=t.device)
    rising, falling, over = t < warm, t >= total - cool, t >= total
    rate[rising] = lr * (t[rising] + 1).float() / max(warm, 1)
    u = (t[falling] + 1 - (total - cool)).float() / max(cool, 1)
    rate[falling] = lr * (1 - (1 - r) * u.clamp(max=1) ** 0.5)
    rate[over] = lr * r
    return rate

# %% trapezoid, wrong: begins at 0
# 0 points: step 0 has α/warm
# instead of: ((t + 1) / warm)
# write: (t / warm)

# %% trapezoid, wrong: cools a step late
# 0 points: the last step of the run has rα
# instead of: ((t + 1 - (total - cool)) / cool)
# write: ((t - (total - cool)) / cool)

# %% trapezoid, wrong: linear
# 0 points: it is the square root
# instead of: u.sqrt()
# write: u

# %% trapezoid, wrong: cools to 0
# 0.5 points: the floor is rα
# instead of: return rate * (1 - (1 - r) * u.sqrt())
# write: return rate * (1 - u.sqrt())

# %% trapezoid, wrong: divides by a warm of 0
# 2.5 points: ZeroDivisionError
def trapezoid(t, lr, warm, cool, total, r):
    def at(step):
        if step >= total:
            return lr * r
        if step >= total - cool:
            return lr * (1 - (1 - r) * math.sqrt((step + 1 - total + cool) / cool))
        return lr * min(1, (step + 1) / warm)
    return torch.tensor([at(step) for step in t.flatten().tolist()]).reshape(t.shape)

# %% trapezoid, wrong: integers stay integers
# 2.5 points: torch.float32
# instead of: rate = torch.full_like(t, lr)
# write: rate = torch.full_like(t, lr, dtype=torch.float64)
