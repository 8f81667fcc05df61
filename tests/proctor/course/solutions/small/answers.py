# ruff: noqa
"""Answers of the small assignment."""

# %% rms_pool, right: average pooling of the squares
def rms_pool(x, size, stride=None, padding=0):
    mean = F.avg_pool2d(x * x, size, stride, padding, count_include_pad=False)
    return torch.where(mean > 0, torch.where(mean > 0, mean, 1.0) ** 0.5, 0.0)

# %% rms_pool, right: a lambda in float64
rms_pool = lambda x, k, s=None, p=0: (m := F.avg_pool2d(x.double() ** 2, k, s, p, count_include_pad=False)).add((m == 0).double()).sqrt().mul(m != 0).to(x.dtype)

# %% rms_pool, wrong: the gradient is nan
# 4 points: keep zeros away from the root | nan
# instead of: mean.masked_fill(silent, 1).sqrt().masked_fill(silent, 0)
# write: mean.sqrt()

# %% rms_pool, wrong: changes its argument
# 4 points: an argument was changed
def rms_pool(x, size, stride=None, padding=0):
    mean = F.avg_pool2d(x.pow_(2), size, stride, padding, count_include_pad=False)
    return (mean + (mean == 0)).sqrt() * (mean > 0)

# %% standardize, right: by variance and mean
def standardize(x):
    variance, mean = torch.var_mean(x, 0, correction=0)
    deviation = variance.sqrt()
    deviation[variance == 0] = 1
    return x.sub(mean).div(deviation), mean, deviation
def restore(z, mean, deviation):
    return torch.addcmul(mean, z, deviation)

# %% standardize, right: column by column
def standardize(x):
    means = [column.sum() / len(column) for column in x.T]
    spreads = [((column - m) ** 2).mean().sqrt() for column, m in zip(x.T, means)]
    spreads = [s if s > 0 else s + 1 for s in spreads]
    return torch.stack([(c - m) / s for c, m, s in zip(x.T, means, spreads)], 1), torch.stack(means), torch.stack(spreads)
restore = lambda z, mean, deviation: torch.stack([c * s + m for c, m, s in zip(z.T, mean, deviation)], 1)

# %% standardize, wrong: restore is not there
# 3 points: no function named `restore`
def standardize(x):
    deviation = x.std(0, correction=0)
    deviation = deviation + (deviation == 0)
    return (x - x.mean(0)) / deviation, x.mean(0), deviation

# %% standardize, wrong: float64 always
# 4.5 points: torch.float64 for an input of torch.float32
# instead of: return z * deviation + mean
# write: return (z * deviation + mean).double()

# %% classify, right: autograd
def classify(x, y, x_new):
    with torch.enable_grad():
        weight = x.new_zeros(3, requires_grad=True)
        for _ in range(200):
            logit = (x - x.mean(0)) @ weight[:2] + weight[2]
            loss = (F.softplus(logit) - y * logit).mean()
            weight = (weight - 0.5 * torch.autograd.grad(loss, weight)[0]).detach().requires_grad_()
        return ((x_new - x.mean(0)) @ weight[:2] + weight[2] > 0).long()

# %% classify, right: Newton
def classify(x, y, x_new):
    A = torch.cat([torch.ones_like(x[:, :1]), x], 1)
    w = x.new_zeros(3)
    for _ in range(8):
        p = (A @ w).sigmoid()
        H = A.T @ ((p * (1 - p))[:, None] * A) + 1e-2 * torch.eye(3, dtype=x.dtype, device=x.device)
        w = w - torch.linalg.solve(H, A.T @ (p - y) + 1e-2 * w)
    return (torch.cat([torch.ones_like(x_new[:, :1]), x_new], 1) @ w > 0).long()

# %% classify, wrong: hardly trained
# 1 points: accuracy
# instead of: return ((x_new - center)
# write: return ((x_new - center - 1.7)

# %% classify, wrong: cuts in the middle, always
# 4 points: the share of the labels
# instead of: bias = bias - 0.5 * error.mean()
# write: bias = bias * 0

# %% classify, wrong: moves the caller's points
# 4.5 points: an argument was changed
# instead of: weight, bias = x.new_zeros(2)
# write: x += 1; x_new = x_new + 1; weight, bias = x.new_zeros(2)

# %% classify, wrong: guesses
# 0 points: labels
def classify(x, y, x_new):
    return torch.ones(len(x_new), dtype=torch.long)
