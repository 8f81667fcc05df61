# ruff: noqa
"""Answers that the graders of this assignment are tried on: each cell is what a student would have in the answer cell.

A wrong one says what it deserves and the words its message must contain; `instead of` / `write` changes one place of the
solution. One more wrong answer is made from every misconception of the graded cells.
"""

# %% tempered_chains, right: way by way
def tempered_chains(energy, temperature, proposal):
    K, S, _ = proposal.shape
    P = torch.zeros_like(proposal)
    for k in range(K):
        for i in range(S):
            for j in range(S):
                if i != j and proposal[k, i, j] > 0:
                    ratio = torch.exp((energy[i] - energy[j]) / temperature[k]) * (proposal[k, j, i] / proposal[k, i, j])
                    if proposal[k, j, i] > 0:
                        P[k, i, j] = proposal[k, i, j] * min(ratio, torch.ones_like(ratio))
            P[k, i, i] = 1 - P[k, i].sum()
    return P

# %% tempered_chains, right: an acceptance in logarithms, nan mended
def tempered_chains(energy, temperature, proposal):
    log_flow = -energy[None, :, None] / temperature[:, None, None] + proposal.log()
    accept = (log_flow.transpose(1, 2) - log_flow).nan_to_num(nan=-torch.inf).clamp(max=0).exp()
    P = proposal * accept
    at = torch.arange(len(energy), device=energy.device)
    P[:, at, at] = 0
    P[:, at, at] = 1 - P.sum(-1)
    return P

# %% tempered_chains, right: downhill and uphill apart
def tempered_chains(energy, temperature, proposal):
    log_back = proposal.mT.log() - energy / temperature[:, None, None]
    log_there = proposal.log() - (energy / temperature[:, None]).unsqueeze(2)
    easy = log_back >= log_there
    moved = torch.where(easy, proposal, (log_back + (energy / temperature[:, None]).unsqueeze(2)).exp())
    return moved + torch.diag_embed((proposal - moved).sum(-1))

# %% tempered_chains, wrong: Metropolis without Hastings
# 0 points: the ratio of the proposals is missing
# instead of: torch.minimum(proposal, (rise + proposal.mT.log()).exp())
# write: proposal * rise.exp().clamp(max=1)

# %% tempered_chains, wrong: the refused are lost
# 0 points: who is refused stays
# instead of: return moved + (1 - moved.sum(2)).diag_embed()
# write: return moved

# %% tempered_chains, wrong: rows made to add up
# 0 points: it is not shared out
# instead of: return moved + (1 - moved.sum(2)).diag_embed()
# write: return moved / moved.sum(2, keepdim=True)

# %% tempered_chains, wrong: multiplied by the temperature
# 0 points: got
# instead of: -energy / temperature[:, None]
# write: -energy * temperature[:, None]

# %% tempered_chains, wrong: 0/0
# 2.5 points: such a way has P = 0
# instead of: torch.minimum(proposal, (rise + proposal.mT.log()).exp())
# write: proposal * ((rise.exp() * proposal.mT / proposal).clamp(max=1) if rise.max() < 30 else (rise + proposal.mT.log() - proposal.log()).exp().clamp(max=1))

# %% tempered_chains, wrong: exponentials first
# 2.5 points: Only differences of energies count
def tempered_chains(energy, temperature, proposal):
    pi = (-energy / temperature[:, None]).softmax(1)
    flow = pi[:, :, None] * proposal
    moved = torch.where(proposal > 0, proposal * (flow.mT / flow).clamp(max=1), 0)
    moved = moved - torch.diag_embed(moved.diagonal(dim1=1, dim2=2))
    return moved + torch.diag_embed(1 - moved.sum(2))

# %% tempered_chains, wrong: always float32
# 2.5 points: torch.float32 for an input of torch.float64
# instead of: return moved +
# write: moved = moved.float(); return moved +

# %% factor_walk, right: a list of places, ratios and no logarithms of the density
def factor_walk(x, noise, log_u, scale, a, b, upper):
    places, alphas = [], []
    for eps, log_uniform in zip(noise, log_u):
        factor = torch.exp(scale * eps)
        new = x * factor
        inside = (new < upper).all(dim=1)
        left = ((upper - new) / (upper - x)).clamp(min=0)
        ratio = torch.prod(factor**a * left ** (b - 1), dim=1)
        alpha = torch.where(inside, ratio.clamp(max=1), torch.zeros_like(ratio))
        go = log_uniform.exp() < alpha
        x = torch.where(go.unsqueeze(1), new, x)
        places.append(x)
        alphas.append(alpha)
    return torch.stack(places), torch.stack(alphas)

# %% factor_walk, right: chain after chain, on the logarithm of x
def factor_walk(x, noise, log_u, scale, a, b, upper):
    def density(y):  # of y = log x, where the walk is symmetric
        return (a * y + (b - 1) * torch.log(upper - y.exp())).sum()

    places, alphas = torch.empty_like(noise), torch.empty_like(log_u)
    for c in range(len(x)):
        y = x[c].log()
        for t in range(noise.shape[0]):
            new = y + scale * noise[t, c]
            gain = density(new) - density(y)
            alpha = torch.zeros_like(gain) if torch.isnan(gain) else gain.clamp(max=0).exp()
            if log_u[t, c] < alpha.log():
                y = new
            places[t, c], alphas[t, c] = y.exp(), alpha
    return places, alphas

# %% factor_walk, right: nan made −∞ by nan_to_num
def factor_walk(x, noise, log_u, scale, a, b, upper):
    def log_density(x):
        return torch.xlogy(a - 1, x).sum(-1) + ((b - 1) * (upper - x).log()).sum(-1)
    path, alphas = x[None], []
    for t in range(len(noise)):
        here = path[-1]
        new = here * torch.exp(noise[t] * scale)
        r = log_density(new) - log_density(here) + (new / here).log().sum(-1)
        r = r.nan_to_num(nan=-torch.inf).clamp(max=0)
        go = (log_u[t] < r).to(x.dtype)[:, None]
        path = torch.cat([path, (go * new + (1 - go) * here)[None]])
        alphas.append(r.exp())
    return path[1:], torch.stack(alphas)

# %% factor_walk, wrong: no Hastings
# 0 points: is not symmetric
# instead of: - log_density(x) + scale * noise[t].sum(1)
# write: - log_density(x)

# %% factor_walk, wrong: the wrong way round
# 0 points: stand upside down
# instead of: - log_density(x) + scale * noise[t].sum(1)
# write: - log_density(x) - scale * noise[t].sum(1)

# %% factor_walk, wrong: notes proposals
# 0 points: a refused proposal was written down
# instead of: places[t], alphas[t] = x,
# write: places[t], alphas[t] = new,

# %% factor_walk, wrong: mean of the coordinates
# 0.5 points: got
# instead of: scale * noise[t].sum(1)
# write: scale * noise[t].mean(1)

# %% factor_walk, wrong: accepts what is not clearly refused
# 2.25 points: refuse there
# instead of: log_ratio = log_ratio.where((new < upper).all(1), -math.inf)
# write: pass
# instead of: x = torch.where((log_u[t] < log_ratio)[:, None], new, x)
# write: x = torch.where((log_u[t] >= log_ratio)[:, None], x, new)

# %% factor_walk, wrong: nan for the acceptance
# 2.25 points: α is nan outside
# instead of: log_ratio = log_ratio.where((new < upper).all(1), -math.inf)
# write: pass

# %% factor_walk, wrong: always float32
# 2.5 points: torch.float32 for an input of torch.float64
# instead of: return places, alphas
# write: return places, alphas.float()

# %% swinging_gibbs, right: successive overrelaxation, one triangular system
def swinging_gibbs(x, precision, h, noise, kappa, order):
    omega = 1 - kappa
    A, y = precision[order][:, order], x[:, order]
    rest = [i for i in range(len(h)) if i not in order.tolist()]
    right = h[order] - x[:, rest] @ precision[rest][:, order]
    D = A.diagonal()
    root = (1 - kappa**2) ** 0.5 * D.sqrt() * noise[:, order]
    full = y * (D * (1 - omega)) - omega * y @ A.triu(1).T + omega * right + root
    low = omega * A.tril(-1) + D.diag()
    out = x.clone()
    out[:, order] = torch.linalg.solve_triangular(low, full.T, upper=False).T
    return out

# %% swinging_gibbs, right: with the mean, in columns
def swinging_gibbs(x, precision, h, noise, kappa, order):
    mean = torch.linalg.solve(precision, h)
    away = [column for column in (x - mean).T]
    for i in order.tolist():
        pull = sum(precision[i, j] * away[j] for j in range(len(h)) if j != i)
        center = -pull / precision[i, i]
        away[i] = (1 - kappa) * center + kappa * away[i] + noise[:, i] * (1 - kappa**2) ** 0.5 / precision[i, i] ** 0.5
    return torch.stack(away, 1) + mean

# %% swinging_gibbs, wrong: all at once
# 0 points: each sees what those before it got
# instead of: x = x.clone()
# write: old, x = x, x.clone()
# instead of: m = (h[i] - x @ precision[i] + own * x[:, i]) / own
# write: m = (h[i] - old @ precision[i] + own * old[:, i]) / own

# %% swinging_gibbs, wrong: the own coordinate in the sum
# 0 points: does not belong to its conditional mean
# instead of: (h[i] - x @ precision[i] + own * x[:, i])
# write: (h[i] - x @ precision[i])

# %% swinging_gibbs, wrong: variance for standard deviation
# 0 points: take its root
# instead of: ((1 - kappa**2) / own).sqrt()
# write: (1 - kappa**2) ** 0.5 / own

# %% swinging_gibbs, wrong: 1 − κ in the place of 1 − κ²
# 0 points: got
# instead of: (1 - kappa**2)
# write: (1 - kappa)

# %% swinging_gibbs, wrong: in the order of counting
# 1.5 points: `order` was ignored
# instead of: order.tolist()
# write: range(len(h))

# %% swinging_gibbs, wrong: works on the caller's x
# 1.75 points: an argument was changed
# instead of: x = x.clone()
# write: pass

# %% shrink_slice, right: chain after chain, and break
def shrink_slice(x, log_u, low, high, u, weight, mean, sd):
    target = torch.distributions.MixtureSameFamily(
        torch.distributions.Categorical(weight), torch.distributions.Normal(mean, sd))
    places, tries = x.clone(), torch.zeros(len(x), dtype=torch.long, device=x.device)
    for c in range(len(x)):
        height = target.log_prob(x[c]) + log_u[c]
        left, right = low[c], high[c]
        for share in u[:, c]:
            tries[c] += 1
            t = torch.lerp(left, right, share)
            if target.log_prob(t) > height:
                places[c] = t
                break
            if t < x[c]:
                left = t
            else:
                right = t
    return places, tries

# %% shrink_slice, right: seen from x, as distances
def shrink_slice(x, log_u, low, high, u, weight, mean, sd):
    def gain(distance):
        logs = lambda at: ((weight / sd).log() - 0.5 * ((at.unsqueeze(-1) - mean) / sd) ** 2)
        return torch.logsumexp(logs(x + distance), -1) - torch.logsumexp(logs(x), -1)
    left, right = low - x, high - x
    found, done = torch.zeros_like(x), torch.zeros(x.shape, dtype=torch.bool, device=x.device)
    count = torch.zeros(x.shape, dtype=torch.int64, device=x.device)
    for i in range(u.shape[0]):
        if done.all():
            break
        count[~done] += 1
        t = left * (1 - u[i]) + right * u[i]
        inside = gain(t) > log_u
        found[~done & inside] = t[~done & inside]
        left[~inside & (t < 0)] = t[~inside & (t < 0)]
        right[~inside & (t >= 0)] = t[~inside & (t >= 0)]
        done = done | inside
    return x + found, count

# %% shrink_slice, right: only those who still look
def shrink_slice(x, log_u, low, high, u, weight, mean, sd):
    def log_pi(at):
        z = (at[:, None] - mean) / sd
        top = (-z * z / 2).max(1, keepdim=True).values
        return (weight / sd * (-z * z / 2 - top).exp()).sum(1).log() + top[:, 0]
    height, places, tries = log_pi(x) + log_u, x.clone(), torch.zeros_like(x).long()
    low, high, at = low.clone(), high.clone(), torch.arange(len(x), device=x.device)
    for i in range(len(u)):
        tries[at] += 1
        t = low[at] + u[i, at] * (high[at] - low[at])
        hit = log_pi(t) > height[at]
        places[at[hit]] = t[hit]
        at, t = at[~hit], t[~hit]
        left = t < x[at]
        low[at[left]], high[at[~left]] = t[left], t[~left]
    return places, tries

# %% shrink_slice, wrong: the other end moves
# 0 points: the wrong end moved
# instead of: torch.where(t < x, t, low), torch.where(t < x, high, t)
# write: torch.where(t < x, low, t), torch.where(t < x, t, high)

# %% shrink_slice, wrong: no shrinking
# 0 points: did not shrink
# instead of: low, high = torch.where(t < x, t, low), torch.where(t < x, high, t)
# write: pass

# %% shrink_slice, wrong: the middle of the interval
# 0.5 points: x is what must stay inside
# instead of: low, high = torch.where(t < x, t, low), torch.where(t < x, high, t)
# write: at = (low + high) / 2; low, high = torch.where(t < at, t, low), torch.where(t < at, high, t)

# %% shrink_slice, wrong: a height that does not know x
# 0 points: got
# instead of: log_density(x) + log_u
# write: log_u

# %% shrink_slice, wrong: counts while anyone looks
# 0.5 points: tries
# instead of: tries = tries + todo
# write: tries = tries + todo.any()

# %% shrink_slice, wrong: goes on after a hit
# 0 points: moved on after a hit
def shrink_slice(x, log_u, low, high, u, weight, mean, sd):
    target = lambda x: (weight.log() - sd.log() - ((x[:, None] - mean) / sd) ** 2 / 2).logsumexp(1)
    height, place, tries = target(x) + log_u, x, 0
    for row in u:
        tries += 1
        t = low + row * (high - low)
        hit = target(t) > height
        place = torch.where(hit, t, place)
        low, high = torch.where(~hit & (t < x), t, low), torch.where(~hit & (t >= x), t, high)
    return place, torch.full(x.shape, tries)

# %% shrink_slice, wrong: no 1/σ
# 2.5 points: has a factor 1/σ
# instead of: weight.log() - sd.log() - z
# write: weight.log() - z

# %% shrink_slice, wrong: the density first
# 2.5 points: without leaving the logarithms
# instead of: (weight.log() - sd.log() - z.square() / 2).logsumexp(1)
# write: (weight / sd * (-z.square() / 2).exp()).sum(1).log()

# %% shrink_slice, wrong: the last try is as good as any
# 2.75 points: who found nothing stays at x
# instead of: torch.where(todo & hit, t, found)
# write: torch.where(todo, t, found)

# %% shrink_slice, wrong: always float32
# 2.75 points: torch.float32 for an input of torch.float64
# instead of: return found, tries
# write: return found.float(), tries

# %% ellipse_step, right: one angle after the other until it fits
def ellipse_step(x, mean, factor, counts, noise, log_u, u):
    center, other = x - mean, torch.einsum("ij,j->i", factor, noise)
    place = lambda angle: mean + torch.cos(angle) * center + torch.sin(angle) * other
    gain = lambda at: torch.dot(counts, at - x) - (torch.exp(at) - torch.exp(x)).sum()
    high = u[0] * 2 * torch.pi
    low, angle, i = high - 2 * torch.pi, high, 0
    while not gain(place(angle)) > log_u:
        i += 1
        if angle < 0:
            low = angle
        else:
            high = angle
        angle = torch.lerp(low, high, u[i])
    return place(angle), angle

# %% ellipse_step, right: torch's Poisson, and the circle in two numbers
def ellipse_step(x, mean, factor, counts, noise, log_u, u):
    fits = lambda at: torch.distributions.Poisson(at.exp()).log_prob(counts).sum()
    pair = torch.stack([x - mean, (noise[None] @ factor.T)[0]])
    height = fits(x) + log_u
    a, b, angle = 2 * math.pi * (u[0] - 1), 2 * math.pi * u[0], 2 * math.pi * u[0]
    for i in range(1, len(u)):
        new = mean + torch.stack([angle.cos(), angle.sin()]) @ pair
        if fits(new) > height:
            return new, angle
        a, b = torch.where(angle < 0, angle, a), torch.where(angle < 0, b, angle)
        angle = a * (1 - u[i]) + b * u[i]
    return mean + torch.stack([angle.cos(), angle.sin()]) @ pair, angle

# %% ellipse_step, wrong: an ellipse around 0
# 0.75 points: turn x − m
# instead of: new = mean + (x - mean) * angle.cos()
# write: new = x * angle.cos()
# instead of: return mean + (x - mean) * angle.cos()
# write: return x * angle.cos()

# %% ellipse_step, wrong: the mean twice
# 0.75 points: the mean is added once
# instead of: factor @ noise
# write: mean + factor @ noise

# %% ellipse_step, wrong: the other end
# 0 points: the wrong end moved
# instead of: if angle < 0
# write: if angle > 0

# %% ellipse_step, wrong: from 0 to θ
# 0 points: one turn that holds 0
# instead of: angle - 2 * math.pi, angle
# write: 0 * angle, angle

# %% ellipse_step, wrong: F on the other side
# 0 points: ν is F times ε
# instead of: factor @ noise
# write: noise @ factor

# %% ellipse_step, wrong: the posterior for the likelihood
# 0 points: it is in the ellipse already
# instead of: return (counts * x - x.exp()).sum()
# write: return (counts * x - x.exp()).sum() - torch.linalg.solve(factor, x - mean).square().sum() / 2

# %% ellipse_step, wrong: a float for the angle
# 1.75 points: a float
# instead of: + nu * angle.sin(), angle
# write: + nu * angle.sin(), angle.item()

# %% massive_leapfrog, right: columns, Cholesky, kicks that are merged rightly
def massive_leapfrog(q, p, M, A, c, eps, steps):
    L = torch.linalg.cholesky(M)
    velocity = lambda p: torch.cholesky_solve(p.T, L).T
    slope = lambda q: torch.einsum("ij,cj->ci", A, q) + c * q.pow(3)
    def energy(q, p):
        return 0.5 * (q * torch.einsum("ij,cj->ci", A, q)).sum(-1) + 0.25 * (c * q.pow(4)).sum(-1) + 0.5 * (p * velocity(p)).sum(-1)
    start, errors = energy(q, p), [torch.zeros_like(q[:, 0])]
    half = p - 0.5 * eps * slope(q)
    for _ in range(steps):
        q = q + eps * velocity(half)
        g = slope(q)
        p = half - 0.5 * eps * g
        half = half - eps * g
        errors.append((energy(q, p) - start).abs())
    return q, p, torch.stack(errors).amax(0)

# %% massive_leapfrog, right: chain after chain, the slope from autograd
def massive_leapfrog(q, p, M, A, c, eps, steps):
    def potential(x):
        return x @ A @ x / 2 + (c * x**4).sum() / 4
    def slope(x):
        x = x.detach().clone().requires_grad_(True)
        return torch.autograd.grad(potential(x), x)[0]
    out_q, out_p, out_e = [], [], []
    for x, v in zip(q, p):
        H = lambda: potential(x) + v @ torch.linalg.solve(M, v) / 2
        start, worst = H(), torch.zeros_like(x[0])
        for _ in range(steps):
            v = v - 0.5 * eps * slope(x)
            x = x + eps * torch.linalg.solve(M, v)
            v = v - 0.5 * eps * slope(x)
            worst = max(worst, abs(H() - start))
        out_q.append(x)
        out_p.append(v)
        out_e.append(worst)
    return torch.stack(out_q), torch.stack(out_p), torch.stack(out_e)

# %% massive_leapfrog, right: as an ordinary ball in other coordinates
def massive_leapfrog(q, p, M, A, c, eps, steps):
    L = torch.linalg.cholesky(M)  # x = Lᵀq has the mass 1, and the momentum L⁻¹p
    back = torch.linalg.inv(L)
    x, v = q @ L, p @ back.T
    def look(x):
        q = x @ back
        return (q @ A * q).sum(1) / 2 + (c * q**4).sum(1) / 4, (q @ A + c * q**3) @ back.T
    U, g = look(x)
    start, error = U + (v * v).sum(1) / 2, 0 * U
    for _ in range(steps):
        v = v - eps / 2 * g
        x = x + eps * v
        U, g = look(x)
        v = v - eps / 2 * g
        gap = abs(U + (v * v).sum(1) / 2 - start)
        error = torch.where(gap > error, gap, error)
    return x @ back, v @ L.T, error

# %% massive_leapfrog, wrong: kicks merged, the last one whole
# 0 points: half a kick is missing at the end
def massive_leapfrog(q, p, M, A, c, eps, steps):
    energy = lambda q, p: (q @ A * q / 2 + c * q**4 / 4 + torch.linalg.solve(M, p.T).T * p / 2).sum(1)
    start, error = energy(q, p), torch.zeros_like(q[:, 0])
    p = p - eps / 2 * (q @ A + c * q**3)
    for _ in range(steps):
        q = q + eps * torch.linalg.solve(M, p.T).T
        p = p - eps * (q @ A + c * q**3)
        error = error.maximum((energy(q, p) - start).abs())
    return q, p, error

# %% massive_leapfrog, wrong: all at once
# 0 points: the drift takes the new p
def massive_leapfrog(q, p, M, A, c, eps, steps):
    energy = lambda q, p: (q @ A * q / 2 + c * q**4 / 4 + torch.linalg.solve(M, p.T).T * p / 2).sum(1)
    start, error = energy(q, p), torch.zeros_like(q[:, 0])
    for _ in range(steps):
        q, p = q + eps * torch.linalg.solve(M, p.T).T, p - eps * (q @ A + c * q**3)
        error = error.maximum((energy(q, p) - start).abs())
    return q, p, error

# %% massive_leapfrog, wrong: M for its inverse
# 0 points: so M⁻¹
# instead of: q = q + eps * p @ inverse
# write: q = q + eps * p @ M

# %% massive_leapfrog, wrong: one over the entries of the diagonal
# 2.5 points: M⁻¹ is the inverse matrix
# instead of: inverse = torch.linalg.inv(M)
# write: inverse = (1 / M.diagonal()).diag()

# %% massive_leapfrog, wrong: 4 c q³
# 0 points: is c q³
# instead of: return q @ A + c * q**3
# write: return q @ A + 4 * c * q**3

# %% massive_leapfrog, wrong: the last error
# 2.5 points: the largest on the way
# instead of: error = torch.maximum(error, (energy(q, p) - start).abs())
# write: error = (energy(q, p) - start).abs()

# %% massive_leapfrog, wrong: the largest error of all chains
# 2.5 points: error
# instead of: return q, p, error
# write: return q, p, error.max().expand(len(q)).clone()

# %% massive_leapfrog, wrong: always float32
# 2.5 points: float32
# instead of: return q, p, error
# write: return q.float(), p, error

# %% pieces_rhat, right: sorted, each value of a tie in turn
def pieces_rhat(draws, pieces):
    n, m = draws.shape
    length = n // pieces
    x = draws[-pieces * length:].unflatten(0, (pieces, length)).transpose(1, 2).reshape(-1, length)
    values, place, count = x.unique(return_inverse=True, return_counts=True)
    last = count.cumsum(0).to(draws.dtype)
    rank = (last - (count.to(draws.dtype) - 1) / 2)[place]
    p = (rank - 0.375) / (x.numel() + 0.25)
    z = math.sqrt(2) * torch.erfinv(2 * p - 1)
    W, B = z.var(1).mean(), length * z.mean(1).var()
    R = (((length - 1) / length * W + B / length) / W) ** 0.5
    return torch.where(torch.tensor(len(values) == 1, device=R.device), torch.ones_like(R), R)

# %% pieces_rhat, right: ranks by bisection, pieces in a list
def pieces_rhat(draws, pieces):
    length = draws.shape[0] // pieces
    kept = draws[draws.shape[0] - length * pieces:].contiguous()
    ordered = kept.flatten().sort().values
    r = (torch.searchsorted(ordered, kept) + torch.searchsorted(ordered, kept, right=True)).to(draws.dtype) / 2 + 0.5
    z = torch.special.ndtri((r - 3 / 8) / (kept.numel() + 1 / 4))
    parts = [column for block in z.split(length) for column in block.T]
    means = torch.stack([part.mean() for part in parts])
    within = sum(((part - part.mean()) ** 2).sum() / (length - 1) for part in parts) / len(parts)
    between = ((means - means.mean()) ** 2).sum() / (len(parts) - 1)
    return torch.sqrt(1 - 1 / length + between / within) if within > 0 else torch.ones_like(within)

# %% pieces_rhat, right: scipy
def pieces_rhat(draws, pieces):
    from scipy import stats

    length = len(draws) // pieces
    kept = draws[len(draws) - pieces * length:]
    r = torch.as_tensor(stats.rankdata(kept.cpu().numpy())).reshape(kept.shape)
    z = torch.as_tensor(stats.norm.ppf((r - 0.375) / (kept.numel() + 0.25))).to(draws).view(pieces, length, -1)
    if kept.min() == kept.max():
        return draws.new_ones(())
    return (1 - 1 / length + z.mean(1).var() / z.var(1).mean()).sqrt()

# %% pieces_rhat, wrong: drops the last draws
# 0 points: surplus draws were dropped from the end
# instead of: draws[n - pieces * length:]
# write: draws[: pieces * length]

# %% pieces_rhat, wrong: values for ranks
# 0 points: the values were compared
# instead of: torch.special.ndtri((rank.to(draws.dtype) - 3 / 8) / (len(flat) + 1 / 4)).view_as(x)
# write: x

# %% pieces_rhat, wrong: argsort of argsort
# 1.25 points: equal values got different ranks
# instead of: rank = 1 + (flat < flat[:, None]).sum(1) + ((flat == flat[:, None]).sum(1) - 1) / 2
# write: rank = 1 + flat.argsort(stable=True).argsort()

# %% pieces_rhat, wrong: the smallest rank for all that are equal
# 1.25 points: got
# instead of: + ((flat == flat[:, None]).sum(1) - 1) / 2
# write:

# %% pieces_rhat, wrong: population variances
# 0 points: divide by one less
# instead of: z.var(1).mean(), z.mean(1).var()
# write: z.var(1, correction=0).mean(), z.mean(1).var(correction=0)

# %% pieces_rhat, wrong: 0/0
# 1.75 points: then R̂ is 1
# instead of: if (flat == flat[0]).all():
# write: if False:

# %% pieces_rhat, wrong: a plain number
# 1.75 points: a float
# instead of: return ((length - 1) / length + between / within).sqrt()
# write: return ((length - 1) / length + between / within).sqrt().item()

# %% geyer_size, right: quantity after quantity
def geyer_size(gamma, n):
    sizes = []
    for column in gamma.T:
        if column[0] == 0:
            sizes.append(torch.full_like(column[0], n))
            continue
        rho = column / column[0]
        tau, smallest = -torch.ones_like(rho[0]), None
        for k in range(len(rho) // 2):
            pair = rho[2 * k] + rho[2 * k + 1]
            if pair <= 0:
                break
            smallest = pair if smallest is None else torch.minimum(smallest, pair)
            tau = tau + 2 * smallest
        sizes.append(n / tau)
    return torch.stack(sizes)

# %% geyer_size, right: pairs by slices, clamped at 0 after the first that is not positive
def geyer_size(gamma, n):
    even, odd = gamma[0::2], gamma[1::2]
    pairs = even[: len(odd)] + odd
    falling = torch.cummin(pairs, dim=0).values.clamp(min=0)  # once 0, always 0
    constant = gamma[0] == 0
    tau = 2 * falling.sum(0) / gamma[0].masked_fill(constant, 1) - 1
    return n / tau.masked_fill(constant, 1)

# %% geyer_size, right: one pair of all quantities after the other
def geyer_size(gamma, n):
    rho = torch.where(gamma[0] == 0, torch.zeros_like(gamma), gamma / gamma[0])
    total, smallest = torch.zeros_like(rho[0]), torch.full_like(rho[0], torch.inf)
    going = torch.ones_like(rho[0], dtype=torch.bool)
    for t in range(0, rho.shape[0] - 1, 2):
        pair = rho[t] + rho[t + 1]
        going = going & (pair > 0)
        smallest = torch.minimum(smallest, pair)
        total = total + torch.where(going, smallest, torch.zeros_like(pair))
    return n / torch.where(gamma[0] == 0, torch.ones_like(total), 2 * total - 1)

# %% geyer_size, wrong: the first negative lag
# 0 points: single ones may be negative
# instead of: tau = -1 + 2 * (pairs.cummin(0).values * counts).sum(0)
# write: tau = -1 + 2 * (rho * (rho > 0).cumprod(0)).sum(0)

# %% geyer_size, wrong: pairs that rise
# 0 points: cut it down to the smallest so far
# instead of: pairs.cummin(0).values * counts
# write: pairs * counts

# %% geyer_size, wrong: comes in again
# 0.25 points: stop there for good
# instead of: pairs.cummin(0).values * counts
# write: pairs.where(pairs > 0, torch.inf).cummin(0).values * (pairs > 0)

# %% geyer_size, wrong: n is the limit
# 1.5 points: is worth more
# instead of: n / tau)
# write: (n / tau).clamp(max=n))

# %% geyer_size, wrong: one K for all
# 0.25 points: each has a K of its own
# instead of: counts = (pairs > 0).cumprod(0)
# write: counts = (pairs > 0).all(1, keepdim=True).cumprod(0)

# %% geyer_size, wrong: τ at least 1
# 1.5 points: got
# instead of: n / tau)
# write: n / tau.clamp(min=1))

# %% geyer_size, wrong: a constant is nan
# 1.75 points: it has n
# instead of: torch.where(gamma[0] == 0, torch.full_like(tau, n), n / tau)
# write: n / tau

# %% geyer_size, wrong: needs an even number of lags
# 0.25 points: unflatten
# instead of: rho[: len(rho) // 2 * 2].unflatten
# write: rho.unflatten
