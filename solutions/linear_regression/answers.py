# ruff: noqa
"""Answers that the graders of this assignment are tried on: each cell is what a student would have in the answer cell.

A wrong one says what it deserves and the words its message must contain; `instead of` / `write` changes one place of the
solution. One more wrong answer is made from every misconception of the graded cells.
"""

# %% correlation_matrix, right: two loops and corrcoef
def correlation_matrix(X):
    batch, _, columns = X.shape
    result = torch.full((batch, columns, columns), torch.nan, dtype=X.dtype, device=X.device)
    for b in range(batch):
        for i in range(columns):
            for j in range(i, columns):
                rows = X[b][:, [i, j]]
                rows = rows[~rows.isnan().any(1)]
                d = rows - rows.mean(0)
                d[:, (rows == rows[:1]).all(0)] = 0
                d = d / d.norm(dim=0)
                result[b, i, j] = result[b, j, i] = d[:, 0] @ d[:, 1]
    return result

# %% correlation_matrix, right: matrix products of masks in float64
def correlation_matrix(X):
    here = (~X.isnan()).double()
    x = X.double() - X.double().nanmean(1, keepdim=True)  # any common shift will do
    x = x.nan_to_num()
    n = here.mT @ here
    sums = x.mT @ here  # of column i over the rows that it shares with j
    squares = (x * x).mT @ here
    covariance = x.mT @ x - sums * sums.mT / n
    variance = squares - sums**2 / n
    variance = torch.where(variance < 1e-12 * squares.clamp(min=1e-300), 0.0, variance)
    return (covariance / (variance * variance.mT).sqrt()).to(X.dtype)

# %% correlation_matrix, wrong: no common shift
# 2.5 points: a constant column agrees with itself
# instead of: lowest = X[..., None].where(both, torch.inf).amin(-3, keepdim=True)
# write: lowest = 0

# %% correlation_matrix, wrong: the sums of products, not the deviations
# 2 points: subtract the means before you multiply
def correlation_matrix(X):
    here = (~X.isnan()).to(X.dtype)
    x = X.nan_to_num()
    n, sums, squares = here.mT @ here, x.mT @ here, (x * x).mT @ here
    covariance = x.mT @ x - sums * sums.mT / n
    variance = squares - sums**2 / n
    return covariance / (variance * variance.mT).clamp(min=0).sqrt()

# %% correlation_matrix, wrong: one table only
# 0 points: line 3 of your cell
def correlation_matrix(X):
    # the first table is all there is
    return X.new_tensor([[pair for pair in row] for row in torch.corrcoef(X)])

# %% correlation_matrix, wrong: fills the holes in the caller's table
# 2.5 points: an argument was changed
def correlation_matrix(X):
    both = (~X.isnan())[..., :, None] & (~X.isnan())[..., None, :]
    lowest = X[..., None].where(both, torch.inf).amin(-3, keepdim=True)
    X[X.isnan()] = 0
    value = (X[..., None] - lowest).where(both, 0)
    away = (value - value.sum(-3, keepdim=True) / both.sum(-3, keepdim=True)).where(both, 0)
    square = away.square().sum(-3)
    return (away * away.mT).sum(-3) / (square * square.mT).sqrt()

# %% correlation_matrix, wrong: the products, not divided
# 0 points: divide the products by the root of both squares
# instead of: / (root * root.mT)
# write:

# %% merge_lines, right: moments around zero
def merge_lines(groups):
    n, x, y, s_x, s_y, r = groups.double().T
    sums = torch.stack([n, n * x, n * y, (n - 1) * s_x**2 + n * x**2, (n - 1) * r * s_x * s_y + n * x * y]).sum(1)
    n, x, y, xx, xy = sums
    slope = (n * xy - x * y) / (n * xx - x**2)
    return ((y - slope * x) / n).to(groups.dtype), slope.to(groups.dtype)

# %% merge_lines, right: makes data with these summaries and fits them
def merge_lines(groups):
    rows = []
    for n, x, y, s_x, s_y, r in groups.unbind(0):
        count = int(n)
        u = torch.arange(count, dtype=groups.dtype, device=groups.device) - (count - 1) / 2
        v = u * u - (u * u).mean()
        if count > 1:
            u = u / u.std()
        if count > 2:
            v = v / v.std()
        rows.append(torch.stack([x + s_x * u, y + s_y * (r * u + (1 - r * r).clamp(min=0).sqrt() * v)]))
    x, y = torch.cat(rows, 1)
    A = torch.stack([torch.ones_like(x), x], 1)
    return tuple(torch.linalg.lstsq(A, y[:, None]).solution[:, 0])

# %% merge_lines, right: two groups at a time
def merge_lines(groups):
    n, x, y, s_x, s_y, r = groups[0]
    xx, xy = (n - 1) * s_x**2, (n - 1) * r * s_x * s_y
    for n2, x2, y2, s_x2, s_y2, r2 in groups[1:]:
        both = n * n2 / (n + n2)
        xx = xx + (n2 - 1) * s_x2**2 + both * (x2 - x) ** 2
        xy = xy + (n2 - 1) * r2 * s_x2 * s_y2 + both * (x2 - x) * (y2 - y)
        x, y, n = (n * x + n2 * x2) / (n + n2), (n * y + n2 * y2) / (n + n2), n + n2
    return y - xy / xx * x, xy / xx

# %% merge_lines, wrong: slope first
# 0 points: slope = 5.6 | intercept first, then slope
# instead of: return mean_y - slope * mean_x, slope
# write: return slope, mean_y - slope * mean_x

# %% merge_lines, wrong: regresses x on y
# 0 points: the spread of y came into the denominator
# instead of: (within_xx + between_xx).sum()
# write: ((n - 1) * s_y**2 + n * (y - mean_y) ** 2).sum()

# %% merge_lines, wrong: plain numbers
# 2.5 points: numpy and plain numbers lose gradient
def merge_lines(groups):
    n, x, y, s_x, s_y, r = groups.double().T
    mean_x, mean_y = (n * x).sum() / n.sum(), (n * y).sum() / n.sum()
    xy = ((n - 1) * r * s_x * s_y + n * (x - mean_x) * (y - mean_y)).sum()
    slope = float(xy / ((n - 1) * s_x**2 + n * (x - mean_x) ** 2).sum())
    return float(mean_y) - slope * float(mean_x), slope

# %% weighted_report, right: the normal equations in float64
def weighted_report(X, y, weights):
    kind = X.dtype
    X, y, w = X.double(), y.double(), weights.double()
    A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
    C = torch.linalg.inv(A.T @ (w[:, None] * A))
    beta = C @ (A.T @ (w * y))
    left = (w * (y - A @ beta) ** 2).sum()
    best = (w * y**2).sum() - (w * y).sum() ** 2 / w.sum()
    return beta.to(kind), (left / (len(X) - A.shape[1]) * C.diagonal()).sqrt().to(kind), (1 - left / best).to(kind)

# %% weighted_report, right: center by the weighted means, then lstsq and the hat of each column
def weighted_report(X, y, weights):
    share = weights / weights.sum()
    center, middle = share @ X, share @ y
    root = weights.sqrt()
    Z, v = root[:, None] * (X - center), root * (y - middle)
    slopes = torch.linalg.lstsq(Z, v[:, None]).solution[:, 0]
    left = (v - Z @ slopes).square().sum()
    variance = left / (len(X) - X.shape[1] - 1)
    covariance = variance * torch.linalg.inv(Z.T @ Z)
    first = variance / weights.sum() + center @ covariance @ center
    return (torch.cat([(middle - center @ slopes)[None], slopes]),
            torch.cat([first[None], covariance.diagonal()]).sqrt(), 1 - left / v.square().sum())

# %% weighted_report, wrong: the faulty one
# 0 points: this is what `faulty` gives
weighted_report = faulty

# %% weighted_report, wrong: mends all but the weights
# 0 points: like the same row written four times
# instead of: root = weights.sqrt()
# write: root = weights

# %% weighted_report, wrong: variances, not errors
# 2.5 points: these are variances
# instead of: return coefficients, errors, 1 -
# write: return coefficients, errors**2, 1 -

# %% weighted_report, wrong: R² around zero
# 3 points: R² = 0.9167
# instead of: (weights * (y - middle) ** 2).sum()
# write: (weights * y**2).sum()

# %% weighted_report, wrong: counts weights as rows
# 2 points: with all weights times 7, standard errors | shrink when every weight is doubled
# instead of: (len(X) - A.shape[1])
# write: (weights.sum() - A.shape[1])

# %% weighted_report, wrong: float64 always
# 3.5 points: torch.float64 for an input of torch.float32
# instead of: root = weights.sqrt()
# write: X, y, A, weights = X.double(), y.double(), A.double(), weights.double(); root = weights.sqrt()

# %% weighted_report, wrong: without an intercept
# 0 points: shape (1,) | shape (2,)
# instead of: A = torch.cat([torch.ones_like(X[:, :1]), X], 1)
# write: A = X

# %% interval_of_mean, right: a design matrix and its inverse
def interval_of_mean(x, y, x0, m, level=0.95):
    A = torch.stack([torch.ones_like(x), x], 1)
    C = torch.linalg.inv(A.T @ A)
    beta = C @ A.T @ y
    s2 = ((y - A @ beta) ** 2).sum() / (len(x) - 2)
    B = torch.stack([torch.ones_like(x0), x0], 1)
    half = t_quantile(level, len(x) - 2) * (s2 * (1 / m + ((B @ C) * B).sum(1))).sqrt()
    return B @ beta - half, B @ beta + half

# %% interval_of_mean, right: a loop over the places, scipy's t
def interval_of_mean(x, y, x0, m, level=0.95):
    from scipy.stats import t
    n, r = len(x), torch.corrcoef(torch.stack([x, y]))[0, 1]
    slope = r * y.std() / x.std()
    s = y.std() * ((1 - r**2) * (n - 1) / (n - 2)).sqrt()
    lower, upper = torch.empty_like(x0), torch.empty_like(x0)
    for i, place in enumerate(x0):
        z = (place - x.mean()) / x.std()
        half = float(t.ppf(0.5 + level / 2, n - 2)) * s * (1 / m + (1 + z**2 * n / (n - 1)) / n).sqrt()
        middle = y.mean() + slope * (place - x.mean())
        lower[i], upper[i] = middle - half, middle + half
    return lower, upper

# %% interval_of_mean, wrong: adds m
# 1 points: the worked example
# instead of: 1 / m +
# write: m +

# %% interval_of_mean, wrong: the same width everywhere
# 0 points: the line is less certain there | the share inside
# instead of: + (x0 - x.mean()).square() / away.square().sum()
# write: + 0 * x0

# %% interval_of_mean, wrong: upper before lower
# 0 points: upper = [2.673] | lower first, then upper
# instead of: return middle - half, middle + half
# write: return middle + half, middle - half

# %% interval_of_mean, wrong: float64 always
# 2.5 points: torch.float64 for an input of torch.float32
# instead of: away = x - x.mean()
# write: x, y, x0 = x.double(), y.double(), x0.double(); away = x - x.mean()

# %% calibrate, right: solves in x0 itself, by torch
def calibrate(x, y, readings, level=0.95):
    n, m, kind = len(x), len(readings), x.dtype
    x, y, readings = x.double(), y.double(), readings.double()
    A = torch.stack([torch.ones_like(x), x], 1)
    beta = torch.linalg.lstsq(A, y[:, None]).solution[:, 0]
    s2 = (((y - A @ beta) ** 2).sum() + (m - 1) * readings.var()) / (n + m - 3)
    C = s2 * torch.linalg.inv(A.T @ A)
    t2 = t_quantile(level, n + m - 3) ** 2
    height = readings.mean() - beta[0]
    # (height − β₁x₀)² ≤ t²(s²/m + C₀₀ + 2C₀₁x₀ + C₁₁x₀²)
    p = torch.stack([height**2 - t2 * (s2 / m + C[0, 0]), -2 * (height * beta[1] + t2 * C[0, 1]), beta[1] ** 2 - t2 * C[1, 1]])
    estimate = height / beta[1]
    if p[2] <= 0:
        ends = torch.tensor([-torch.inf, torch.inf], device=x.device)
    else:
        root = (p[1] ** 2 - 4 * p[0] * p[2]).sqrt()
        ends = (torch.stack([-root, root]) - p[1]) / (2 * p[2])
    return estimate.to(kind), ends[0].to(kind), ends[1].to(kind)

# %% calibrate, right: looks for the ends by halving
def calibrate(x, y, readings, level=0.95):
    kind, device = x.dtype, x.device
    x, y, readings = x.double(), y.double(), readings.double()
    n, m, center = len(x), len(readings), x.mean()
    s_xx = ((x - center) ** 2).sum()
    slope = ((x - center) * y).sum() / s_xx
    noise = ((y - y.mean() - slope * (x - center)) ** 2).sum() + ((readings - readings.mean()) ** 2).sum()
    c = t_quantile(level, n + m - 3) ** 2 * noise / (n + m - 3)
    rise = readings.mean() - y.mean()
    estimate = center + rise / slope

    def inside(x0):
        return (rise - slope * (x0 - center)) ** 2 <= c * (1 / m + 1 / n + (x0 - center) ** 2 / s_xx)

    def end(sign):
        step = torch.ones((), dtype=torch.float64, device=device)
        while inside(estimate + sign * step):
            step = 2 * step
        low, high = 0 * step, step
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if inside(estimate + sign * middle) else (low, middle)
        return estimate + sign * low

    if slope**2 <= c / s_xx:
        return estimate.to(kind), (estimate - torch.inf).to(kind), (estimate + torch.inf).to(kind)
    return estimate.to(kind), end(-1).to(kind), end(1).to(kind)

# %% calibrate, wrong: the ends in the order of the slope
# 2 points: the ends came in the other order
# instead of: return estimate, x.mean() + (b - root) / a, x.mean() + (b + root) / a
# write: root = root * slope.sign(); return estimate, x.mean() + (b - root) / a, x.mean() + (b + root) / a

# %% calibrate, wrong: nan where there is no end
# 3.5 points: the inequality holds far away on both sides
# instead of: if a <= 0:
# write: if False:

# %% calibrate, wrong: Student's t with the degrees of the line
# 1.5 points: t has n − 2 degrees of freedom
# instead of: t_quantile(level, n + m - 3)
# write: t_quantile(level, n - 2)

# %% calibrate, wrong: float64 always
# 3.5 points: torch.float64 for an input of torch.float32
# instead of: away, n, m = x - x.mean(), len(x), len(readings)
# write: x, y, readings = x.double(), y.double(), readings.double(); away, n, m = x - x.mean(), len(x), len(readings)

# %% calibrate, wrong: the estimate alone
# 0 points: another form than the task asks for
def calibrate(x, y, readings, level=0.95):
    away = x - x.mean()
    return x.mean() + (readings.mean() - y.mean()) * away.square().sum() / (away * y).sum()

# %% errors_left_out, right: refits without each row
def errors_left_out(x, y):
    def without(u, v):
        out = []
        for i in range(len(u)):
            keep = torch.arange(len(u), device=u.device) != i
            A = torch.stack([torch.ones_like(u[keep]), u[keep]], 1)
            a, b = torch.linalg.lstsq(A, v[keep][:, None]).solution[:, 0]
            out.append(a + b * u[i])
        return torch.stack(out)
    three = without(x, y), without(1 / x, y), without(x.log(), y.log()).exp()
    return torch.stack([((y - p) ** 2).mean().sqrt() for p in three])

# %% errors_left_out, right: hat matrices in a batch
def errors_left_out(x, y):
    U = torch.stack([x, 1 / x, x.log()]).double()
    V = torch.stack([y, y, y.log()]).double()
    A = torch.stack([torch.ones_like(U), U], 2)
    H = A @ torch.linalg.solve(A.mT @ A, A.mT)
    e = (V - (H @ V[..., None])[..., 0]) / (1 - H.diagonal(dim1=1, dim2=2))
    p = V - e
    p = torch.cat([p[:2], p[2:].exp()])
    return (y - p).square().mean(1).sqrt().to(x.dtype)

# %% errors_left_out, wrong: the leverage of a line through zero
# 0 points: the worked example
# instead of: leverage = 1 / len(u) + away.square() / away.square().sum()
# write: leverage = u.square() / u.square().sum()

# %% errors_left_out, wrong: logarithm of y only
# 0.5 points: the worked example
# instead of: predict(x.log(), y.log()).exp()
# write: predict(x, y.log()).exp()

# %% errors_left_out, wrong: squares without the root
# 0 points: [1.669, 1.012, 1.019] | the root is missing
# instead of: .mean(1).sqrt()
# write: .mean(1)

# %% errors_left_out, wrong: the absolute errors
# 0 points: the worked example
# instead of: (y - predictions).square().mean(1).sqrt()
# write: (y - predictions).abs().mean(1)

# %% errors_left_out, wrong: numpy
# 2.5 points: a ndarray | numpy and plain numbers
# instead of: .mean(1).sqrt()
# write: .mean(1).sqrt().numpy()

# %% errors_left_out, wrong: knows the example by heart
# 0.5 points: the straight line
def errors_left_out(x, y):
    return torch.tensor([1.29185, 1.00599, 1.00946])
