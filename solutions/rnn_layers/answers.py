# ruff: noqa
"""Answers that the graders of this assignment are tried on: each cell is what a student would have in the answer cell.

A wrong one says what it deserves and the words its message must contain; `instead of` / `write` changes one place of the
solution. One more wrong answer is made from every misconception of the graded cells.
"""

# %% coupled_lstm, right: sequence by sequence, one unit's sum at a time
def coupled_lstm(x, lengths, h0, c0, W_ih, W_hh, b, P):
    H = h0.shape[1]
    y = torch.zeros(len(x), *h0.shape, dtype=x.dtype, device=x.device)
    hs, cs = [], []
    for k in range(len(lengths)):
        h, c = h0[k], c0[k]
        for t in range(int(lengths[k])):
            a = W_ih @ x[t, k] + W_hh @ h + b
            f = torch.sigmoid(a[:H] + P[0] * c)
            c = torch.lerp(torch.tanh(a[H : 2 * H]), c, f)
            h = torch.sigmoid(a[2 * H :] + P[1] * c) * torch.tanh(c)
            y[t, k] = h
        hs.append(h)
        cs.append(c)
    return y, torch.stack(hs), torch.stack(cs)

# %% coupled_lstm, right: the padding cleaned first, a shrinking batch sorted by length
def coupled_lstm(x, lengths, h0, c0, W_ih, W_hh, b, P):
    order = lengths.argsort(descending=True)
    h, c = h0[order].clone(), c0[order].clone()
    y = x.new_zeros(len(x), *h0.shape)
    for t in range(len(x)):
        n = int((lengths > t).sum())
        if n == 0:
            break
        a = x[t, order[:n]] @ W_ih.T + h[:n] @ W_hh.T + b
        f, g, o = a.unflatten(1, (3, -1)).unbind(1)
        f = (f + P[0] * c[:n]).sigmoid()
        c[:n] = g.tanh() + f * (c[:n] - g.tanh())
        h[:n] = (o + P[1] * c[:n]).sigmoid() * c[:n].tanh()
        y[t, order[:n]] = h[:n]
    back = order.argsort()
    return y, h[back], c[back]

# %% coupled_lstm, right: an ordinary LSTM whose input gate has the forget gate's weights, negated
def coupled_lstm(x, lengths, h0, c0, W_ih, W_hh, b, P):
    W, U, v = (torch.cat([-one.chunk(3)[0], one]) for one in (W_ih, W_hh, b))
    h, c, rows, cells = h0, c0, [h0], [c0]
    for step in x:
        i, f, g, o = (step @ W.T + h @ U.T + v).chunk(4, 1)
        i, f = torch.sigmoid(i - P[0] * c), torch.sigmoid(f + P[0] * c)
        c = f * c + i * torch.tanh(g)
        h = torch.sigmoid(o + P[1] * c) * torch.tanh(c)
        rows.append(h)
        cells.append(c)
    rows, cells = torch.stack(rows), torch.stack(cells)
    at = torch.arange(len(lengths), device=x.device)
    real = torch.arange(len(x), device=x.device)[:, None] < lengths
    return torch.where(real[..., None], rows[1:], 0.0), rows[lengths, at], cells[lengths, at]

# %% coupled_lstm, wrong: the output gate peeks at the old cell
# 0 points: comes last, and sees the new one
# instead of: P[1] * cell
# write: P[1] * c

# %% coupled_lstm, wrong: a separate view of the coupling
# 0 points: f and 1 − f were exchanged
# instead of: f * c + (1 - f) * a_g.tanh()
# write: (1 - f) * c + f * a_g.tanh()

# %% coupled_lstm, wrong: rows f, o, g
# 0 points: they stand as f, g, o
# instead of: a_f, a_g, a_o =
# write: a_f, a_o, a_g =

# %% coupled_lstm, wrong: a mask that multiplies
# 3.5 points: 0 times nan is nan
# instead of: h, c = out.where(real, h), cell.where(real, c)
# write: m = real.to(x.dtype); out = out * m; h, c = out * m + h * (1 - m), cell * m + c * (1 - m)

# %% coupled_lstm, wrong: states run on in the padding
# 1.5 points: a state went on through the padding
# instead of: h, c = out.where(real, h), cell.where(real, c)
# write: h, c = out, cell

# %% coupled_lstm, wrong: h is the last row of y
# 1.5 points: h is not the last row of y
# instead of: return torch.cat(outputs), h, c
# write: return torch.cat(outputs), outputs[-1][0], c

# %% coupled_lstm, wrong: one sequence is like another
# 1.5 points: y is 0 from there on
# instead of: (t < lengths)[:, None]
# write: torch.ones_like(lengths, dtype=torch.bool)[:, None]

# %% coupled_lstm, wrong: states in a tuple
# 0 points: expected
# instead of: return torch.cat(outputs), h, c
# write: return torch.cat(outputs), (h, c)

# %% coupled_lstm, wrong: cleans the caller's padding
# 3.5 points: an argument was changed
# instead of: h, c, outputs = h0, c0, [x.new_zeros(0, *h0.shape)]
# write: x[torch.arange(len(x))[:, None] >= lengths] = 0; h, c, outputs = h0, c0, [x.new_zeros(0, *h0.shape)]

# %% coupled_lstm, wrong: float32 always
# 3.5 points: for an input of torch.float64
# instead of: return torch.cat(outputs), h, c
# write: return torch.cat(outputs).float(), h.float(), c.float()

# %% bell, right: the ring itself empties the cell, through W_hh
def bell(n):
    S = 200.0
    W_ih = torch.tensor([2 * S, 0, 0, 0]).view(4, 1)
    W_hh = torch.tensor([0, -3 * S, 0, 0]).view(4, 1)  # h is above ¾ at a ring
    b = torch.tensor([-S, S, S, -S * (n - 0.5)])
    return W_ih, W_hh, b, torch.tensor([0, 0, S]).view(3, 1)

# %% bell, right: g is the pulse, and the input gate stands open
def bell(n):
    S = 300.0
    return (
        torch.tensor([[0.0], [0.0], [S], [0.0]]),
        torch.zeros(4, 1),
        torch.tensor([S, S * (n - 0.5), 0.0, S * (0.5 - n)]),
        torch.tensor([[0.0], [-S], [S]]),
    )

# %% bell, right: pulses of size tanh 1, counted in float64
def bell(n):
    size = math.tanh(1)
    W = torch.zeros(4, 1, dtype=torch.float64)
    b = torch.tensor([-500, 1000 * (n - 0.5) * size, 1, -1000 * (n - 0.5) * size], dtype=torch.float64)
    W[0] = 1000
    P = torch.tensor([[0], [-1000], [1000]], dtype=torch.float64)
    return W, torch.zeros_like(W), b, P

# %% bell, wrong: the chapter's timer
# 0.25 points: every step was counted
def bell(n):
    level = (n - 0.5) * math.tanh(0.5)
    b = torch.tensor([200.0, 200 * level, 0.5, -200 * level])
    return torch.zeros(4, 1), torch.zeros(4, 1), b, torch.tensor([[0.0], [-200.0], [200.0]])

# %% bell, wrong: the chapter's timer, given the pulse, whose count of tanh ½ is too small at n = 1
# 1.75 points: a full count is too small for its tanh
def bell(n):
    level = (n - 0.5) * math.tanh(0.5)
    b = torch.tensor([-200.0, 200 * level, 0.5, -200 * level])
    W = torch.tensor([[400.0], [0.0], [0.0], [0.0]])
    return W, torch.zeros(4, 1), b, torch.tensor([[0.0], [-200.0], [200.0]])

# %% bell, wrong: small weights
# 0 points: because weights are small
# instead of: sure, full = 200.0
# write: sure, full = 4.0

# %% bell, wrong: the threshold at n
# 0 points: its threshold lies on a count
# instead of: n - 0.5
# write: n

# %% bell, wrong: the forget gate sees nothing
# 0 points: it rings for ever
# instead of: [-sure], [sure]])
# write: [0.0], [sure]])

# %% bell, wrong: a bell for n = 2 only
# 0.25 points: n = 3: the ring
# instead of: n - 0.5
# write: 1.5

# %% bell, wrong: three values
# 0 points: shape (4,) | shape (4, 1)
# instead of: return W_ih, torch.zeros(4, 1), b, P
# write: return W_ih, b, P

# %% bell, wrong: P without its last axis
# 0 points: P = shape (3,)
# instead of: return W_ih, torch.zeros(4, 1), b, P
# write: return W_ih, torch.zeros(4, 1), b, P[:, 0]

# %% continue_gru, right: torch's cell where it can, rows and signs mended
def continue_gru(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    def mended(first, sign):
        weights = []
        for one in (W_ih, W_hh, b_ih, b_hh):
            a, b, n = one.chunk(3)
            r, z = (a, b) if first == "r" else (b, a)
            weights.append(torch.cat([r, sign * z, n]))  # 1 − σ(a) = σ(−a)
        return weights

    def after(step, h, W, U, b, c):
        return torch.gru_cell(step, h, W, U, b, c)

    def before(step, h, W, U, b, c):
        H = h.shape[1]
        r, z = torch.sigmoid(step @ W[: 2 * H].T + b[: 2 * H] + h @ U[: 2 * H].T + c[: 2 * H]).split(H, 1)
        n = torch.tanh(step @ W[2 * H :].T + b[2 * H :] + (r * h) @ U[2 * H :].T + c[2 * H :])
        return n + z * (h - n)

    def run(inputs, h, cell, weights):
        hs = []
        for step in inputs:
            h = cell(step, h, *weights)
            hs.append(h)
        return torch.stack(hs)

    best, choice = None, None
    for first in "rz":
        for sign in (1, -1):
            for cell in (after, before):
                error = (run(x, h0, cell, mended(first, sign)) - y).abs().max()
                if best is None or error < best:
                    best, choice = error, (cell, mended(first, sign))
    return run(new, y[-1], *choice)

# %% continue_gru, right: all eight side by side, each step of the record on its own
def continue_gru(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    H = h0.shape[1]

    def eight(step, h):
        """(eight, batch, hidden): where each manual goes from h (batch, hidden)."""
        a = (step @ W_ih.T + b_ih + h @ W_hh.T + b_hh)[:, : 2 * H].sigmoid().unflatten(1, (2, H)).transpose(0, 1)
        ends = []
        for r, z in ((a[0], a[1]), (a[1], a[0])):
            i = step @ W_ih[2 * H :].T + b_ih[2 * H :]
            for n in ((i + r * (h @ W_hh[2 * H :].T + b_hh[2 * H :])).tanh(), (i + (r * h) @ W_hh[2 * H :].T + b_hh[2 * H :]).tanh()):
                ends += [n + z * (h - n), h + z * (n - h)]
        return torch.stack(ends)

    states = [h0, *y[:-1]]
    misfit = sum((eight(step, h) - end).square().sum((1, 2)) for step, h, end in zip(x, states, y))
    best = int(misfit.argmin())
    h, outputs = y[-1], []
    for step in new:
        h = eight(step, h)[best]
        outputs.append(h)
    return torch.stack(outputs)

# %% continue_gru, wrong: torch's cell, no questions asked
# 0 points: the record was not asked
def continue_gru(new, x, y, h0, W_ih, W_hh, b_ih, b_hh):
    h, outputs = y[-1], []
    for step in new:
        h = torch.gru_cell(step, h, W_ih, W_hh, b_ih, b_hh)
        outputs.append(h)
    return torch.stack(outputs)

# %% continue_gru, wrong: goes on from h0
# 0 points: the new inputs began at h0
# instead of: run(new, y[-1],
# write: run(new, h0,

# %% continue_gru, wrong: takes the manual that fits worst
# 0 points: go on, from its last output, with the one that fits
# instead of: index(min(misfit))
# write: index(max(misfit))

# %% continue_gru, wrong: never tries the reset before the matrix
# 0.5 points: taken to come after the matrix
# instead of: for before in (True, False)
# write: for before in (False,)

# %% continue_gru, wrong: knows that the rows are r, z, n
# 0 points: whatever the record says
# instead of: for r in (0, 1)
# write: for r in (0,)

# %% continue_gru, wrong: the bias of U_n outside the brackets
# 2.5 points: inside the brackets that r multiplies
# instead of: reset * (h @ U[2].T + c[2])
# write: reset * (h @ U[2].T) + c[2]

# %% continue_gru, wrong: the last output only
# 0.5 points: shape (3, 4) | shape (6, 3, 4)
# instead of: return run(new, y[-1], *manuals[misfit.index(min(misfit))])
# write: best = run(new, y[-1], *manuals[misfit.index(min(misfit))]); return best if len(best) == 1 else best[-1]

# %% continue_gru, wrong: judges in numpy
# 2.5 points: a ndarray | numpy and plain numbers
# instead of: return run(new, y[-1], *manuals[misfit.index(min(misfit))])
# write: return run(new, y[-1], *manuals[misfit.index(min(misfit))]).numpy()

# %% allowed_loss, right: row by row with the forbidden classes cut out
def allowed_loss(dloss, logits, label, allowed, smoothing):
    losses, gradient = [], torch.zeros_like(logits)
    for n in range(len(logits)):
        here = allowed[n].nonzero()[:, 0]
        z = logits[n, here]
        z = z - z.max()
        log_p = z - z.exp().sum().log()
        q = torch.full_like(z, smoothing / len(here))
        q[(here == label[n]).nonzero()[0, 0]] += 1 - smoothing
        losses.append(-(q * log_p).sum())
        gradient[n, here] = dloss[n] * (log_p.exp() - q)
    return torch.stack(losses), gradient

# %% allowed_loss, right: a loss made of logsumexp, and autograd
def allowed_loss(dloss, logits, label, allowed, smoothing):
    with torch.enable_grad():
        z = torch.where(allowed, logits, 0).detach().requires_grad_()
        whole = z.masked_fill(~allowed, -torch.inf).logsumexp(1)
        mean = (z * allowed).sum(1) / allowed.sum(1)
        own = z.gather(1, label[:, None])[:, 0]
        loss = whole - (1 - smoothing) * own - smoothing * mean
        gradient = torch.autograd.grad((dloss * loss).sum(), z)[0]
    return loss.detach(), gradient

# %% allowed_loss, wrong: torch's loss on logits of −∞
# 0 points: got
def allowed_loss(dloss, logits, label, allowed, smoothing):
    with torch.enable_grad():
        z = logits.masked_fill(~allowed, -torch.inf).requires_grad_()
        loss = F.cross_entropy(z, label, label_smoothing=smoothing, reduction="none")
        return loss.detach(), torch.autograd.grad((dloss * loss).sum(), z)[0]

# %% allowed_loss, wrong: torch's loss on logits of −1e9
# 0 points: Softmax over the allowed ones only
def allowed_loss(dloss, logits, label, allowed, smoothing):
    with torch.enable_grad():
        z = logits.masked_fill(~allowed, -1e9).requires_grad_()
        loss = F.cross_entropy(z, label, label_smoothing=smoothing, reduction="none")
        return loss.detach(), torch.autograd.grad((dloss * loss).sum(), z)[0]

# %% allowed_loss, wrong: writes out the Jacobian of the softmax
# 1.75 points: allocate
def allowed_loss(dloss, logits, label, allowed, smoothing):
    log_p = logits.masked_fill(~allowed, -torch.inf).log_softmax(1)
    p, spread = log_p.exp(), allowed.to(logits.dtype)
    q = (1 - smoothing) * F.one_hot(label, logits.shape[1]).to(p) + smoothing * spread / spread.sum(1, keepdim=True)
    jacobian = torch.eye(p.shape[1]).to(p) - p[:, None, :]  # of log p
    dlog_p = -q * dloss[:, None]
    return -(q * log_p.masked_fill(~allowed, 0)).sum(1), (dlog_p[:, None, :] @ jacobian)[:, 0]

# %% allowed_loss, wrong: no log_softmax
# 1.75 points: use log_softmax on the allowed logits
# instead of: log_p = logits.masked_fill(~allowed, -torch.inf).log_softmax(1)
# write: log_p = (logits.masked_fill(~allowed, 0).exp() * allowed / (logits.masked_fill(~allowed, 0).exp() * allowed).sum(1, keepdim=True)).log()

# %% allowed_loss, wrong: 0 times infinity
# 0.5 points: loss = [nan] | 0 · (−∞) is nan
# instead of: (q * log_p.masked_fill(~allowed, 0)).sum(1)
# write: (q * log_p).sum(1)

# %% allowed_loss, wrong: smooths over every class
# 0 points: divide ε by the number of allowed ones
# instead of: spread.sum(1, keepdim=True)
# write: logits.shape[1]

# %% allowed_loss, wrong: q − p
# 0.5 points: points downhill
# instead of: (log_p.exp() - q)
# write: (q - log_p.exp())

# %% allowed_loss, wrong: the default dtype
# 1.75 points: torch.float32 for an input of torch.float64
# instead of: return loss, dloss[:, None] * (log_p.exp() - q)
# write: return loss.float(), (dloss[:, None] * (log_p.exp() - q)).float()

# %% allowed_loss, wrong: the mean of the losses
# 1 points: shape () | shape (6,)
# instead of: return loss, dloss
# write: return (loss if len(loss) == 1 else loss.mean()), dloss

# %% orthogonal_weight, right: Gram–Schmidt, twice for the digits
def orthogonal_weight(noise, gain=1.0):
    if noise.ndim == 4:
        weight = torch.zeros_like(noise)
        weight[:, :, noise.shape[2] // 2, noise.shape[3] // 2] = orthogonal_weight(noise[:, :, noise.shape[2] // 2, noise.shape[3] // 2], gain)
        return weight
    if len(noise) < noise.shape[1]:
        return orthogonal_weight(noise.T, gain).T
    columns = []
    for v in noise.T:
        for _ in range(2):
            for u in columns:
                v = v - (u @ v) * u
        columns.append(v / v.norm())
    return gain * torch.stack(columns, 1)

# %% orthogonal_weight, right: the polar factor
def orthogonal_weight(noise, gain=1.0):
    if noise.ndim == 4:
        weight = torch.zeros_like(noise)
        weight[:, :, noise.shape[2] // 2, noise.shape[3] // 2] = orthogonal_weight(noise[:, :, noise.shape[2] // 2, noise.shape[3] // 2], gain)
        return weight
    U, _, Vh = torch.linalg.svd(noise, full_matrices=False)
    return gain * (U @ Vh)

# %% orthogonal_weight, right: Cholesky in float64, mirrored
def orthogonal_weight(noise, gain=1.0):
    middle = noise if noise.ndim == 2 else noise[:, :, noise.shape[2] // 2, noise.shape[3] // 2]
    wide = len(middle) < middle.shape[1]
    G = (middle.T if wide else middle).double()
    L = torch.linalg.cholesky(G.T @ G)
    W = -gain * torch.linalg.solve_triangular(L, G.T, upper=False).T
    W = (W.T if wide else W).to(noise.dtype)
    if noise.ndim == 2:
        return W
    pads = noise.shape[3] // 2, noise.shape[3] // 2, noise.shape[2] // 2, noise.shape[2] // 2
    return F.pad(W[:, :, None, None], pads)

# %% orthogonal_weight, wrong: qr as it comes
# 1.5 points: multiply each column of Q by the sign
# instead of: * R.diagonal().sign()
# write:

# %% orthogonal_weight, wrong: the sign of the determinant only
# 1.5 points: so has every product of two
# instead of: R.diagonal().sign()
# write: R.diagonal().prod().sign()

# %% orthogonal_weight, wrong: torch's own initialization
# 0.5 points: draw nothing, the noise is given
def orthogonal_weight(noise, gain=1.0):
    return torch.nn.init.orthogonal_(torch.empty_like(noise), gain)

# %% orthogonal_weight, wrong: signs by a coin, at each call another
# 1.25 points: draw nothing, the noise is given
# instead of: R.diagonal().sign()
# write: torch.randn(len(R)).sign()

# %% orthogonal_weight, wrong: does not transpose wide matrices
# 0.75 points: shape
# instead of: tap if len(tap) >= tap.shape[1] else tap.T
# write: tap

# %% orthogonal_weight, wrong: a wide matrix keeps its columns
# 0.25 points: The expanded size
# instead of: tall = tap if len(tap) >= tap.shape[1] else tap.T
# write: tall = tap if tap.shape[1] == 1 else tap.T

# %% orthogonal_weight, wrong: all of the kernel as one matrix
# 1.5 points: does not keep lengths
def orthogonal_weight(noise, gain=1.0):
    flat = noise.flatten(1)
    wide = len(flat) < flat.shape[1]
    Q, R = torch.linalg.qr(flat.T if wide else flat)
    Q = gain * Q * R.diagonal().sign()
    return (Q.T if wide else Q).reshape(noise.shape)

# %% orthogonal_weight, wrong: the tap in a corner
# 1.5 points: the tap is not in the middle
# instead of: tuple(side // 2 for side in noise.shape[2:])
# write: tuple(0 for side in noise.shape[2:])

# %% orthogonal_weight, wrong: writes into the noise
# 1.75 points: an argument was changed
def orthogonal_weight(noise, gain=1.0):
    middle = tuple(side // 2 for side in noise.shape[2:])
    tap = noise[(..., *middle)].clone()
    tall = tap if len(tap) >= tap.shape[1] else tap.T
    Q, R = torch.linalg.qr(tall)
    Q = gain * Q * R.diagonal().sign()
    noise[...] = 0
    noise[(..., *middle)] = Q if tall is tap else Q.T
    return noise

# %% film_pullback, right: one einsum for each
def film_pullback(dy, scale, x, shift):
    letters = "abcdefgh"[: dy.ndim]

    def names(one):
        return "".join(letter for letter, side in zip(letters, one.shape) if side > 1)

    def without_ones(one):
        return one.reshape([side for side in one.shape if side > 1])

    def summed(one, *others):
        real = "".join(letter for letter, side in zip(letters, dy.shape) if side > 1)
        inputs = ",".join([real, *map(names, others)])
        return torch.einsum(f"{inputs}->{names(one)}", without_ones(dy), *map(without_ones, others)).reshape(one.shape)

    return summed(scale, x), summed(x, scale), summed(shift)

# %% film_pullback, right: torch's sum_to_size on reversed axes
def film_pullback(dy, scale, x, shift):
    def turned(one):
        return one.permute(list(reversed(range(one.ndim))))

    dy, scale, x, shift = map(turned, (dy, scale, x, shift))  # aligned from the right now
    parts = dy * x, dy * scale, dy
    return tuple(turned(part.sum_to_size(one.shape)) for part, one in zip(parts, (scale, x, shift)))

# %% film_pullback, right: autograd on reshaped leaves
def film_pullback(dy, scale, x, shift):
    with torch.enable_grad():
        leaves = [one.detach().clone().requires_grad_() for one in (scale, x, shift)]
        a, b, c = (one[(..., *[None] * (dy.ndim - one.ndim))] for one in leaves)
        return torch.autograd.grad(((a * b + c) * dy).sum(), leaves)

# %% film_pullback, right: every entry on its own
def film_pullback(dy, scale, x, shift):
    import itertools
    results = [torch.zeros_like(one) for one in (scale, x, shift)]
    for at in itertools.product(*map(range, dy.shape)):
        places = [tuple(min(i, side - 1) for i, side in zip(at, one.shape)) for one in (scale, x, shift)]
        results[0][places[0]] += dy[at] * x[places[1]]
        results[1][places[1]] += dy[at] * scale[places[0]]
        results[2][places[2]] += dy[at]
    return tuple(results)

# %% film_pullback, wrong: torch's broadcasting
# 0 points: The size of tensor a | line 5 of your cell | here missing axes stand at the end
def film_pullback(dy, scale, x, shift):
    with torch.enable_grad():
        leaves = [one.detach().clone().requires_grad_() for one in (scale, x, shift)]
        a, b, c = leaves
        return torch.autograd.grad(((a * b + c) * dy).sum(), leaves)

# %% film_pullback, wrong: sum_to_size as it is
# 0 points: line 4 of your cell
def film_pullback(dy, scale, x, shift):
    def wide(one):
        return one.reshape(*one.shape, *[1] * (dy.ndim - one.ndim))
    return (dy * wide(x)).sum_to_size(scale.shape), (dy * wide(scale)).sum_to_size(x.shape), dy.sum_to_size(shift.shape)

# %% film_pullback, wrong: keeps the axes
# 0 points: axes of size 1 were left over
# instead of: gradient.reshape(one.shape)
# write: gradient

# %% film_pullback, wrong: means
# 0 points: they add up
# instead of: gradient.sum(axis, keepdim=True)
# write: gradient.mean(axis, keepdim=True)

# %% film_pullback, wrong: sums over all axes for a scalar, over the missing ones else
# 1 points: an axis of size 1 was not summed
def film_pullback(dy, scale, x, shift):
    def wide(one):
        return one.reshape(*one.shape, *[1] * (dy.ndim - one.ndim))

    def back(z, one):
        missing = list(range(one.ndim, dy.ndim))
        return z.sum(missing) if missing else z

    return back(dy * wide(x), scale), back(dy * wide(scale), x), back(dy, shift)

# %% film_pullback, wrong: sum(()) sums over everything
# 0 points: shape (1,) | shape (2,)
def film_pullback(dy, scale, x, shift):
    def wide(one):
        return one.reshape(*one.shape, *[1] * (dy.ndim - one.ndim))

    def back(z, one):
        z = z.sum(tuple(range(one.ndim, dy.ndim)))
        return z.sum(tuple(k for k, side in enumerate(one.shape) if side == 1), keepdim=True)

    return back(dy * wide(x), scale), back(dy * wide(scale), x), back(dy, shift)

# %% film_pullback, wrong: x is never small
# 1.5 points: x may be repeated as well
# instead of: gathered(dy * stretched(scale), x)
# write: dy * stretched(scale)

# %% film_pullback, wrong: dx without scale
# 0 points: `dx` forgot scale
# instead of: gathered(dy * stretched(scale), x)
# write: gathered(dy, x)

# %% film_pullback, wrong: float32 always
# 1.75 points: for an input of torch.float64
# instead of: gradient.reshape(one.shape)
# write: gradient.reshape(one.shape).float()

# %% run_tape, right: the recursive definition, users first
def run_tape(tape, x):
    values = [row for row in x]
    for name, *at in tape:
        args = torch.stack([values[i] for i in at])
        values.append({"add": lambda a: a.sum(0), "mul": lambda a: a.prod(0), "round": lambda a: a[0].round(),
                       "logsumexp": lambda a: torch.logsumexp(a, 0)}[name](args))
    known = {}

    def gradient(node):
        if node not in known:
            total = torch.ones_like(x[0]) if node == len(values) - 1 else torch.zeros_like(x[0])
            for number, (name, *at) in enumerate(tape):
                for place, i in enumerate(at):
                    if i == node:
                        user = len(x) + number
                        slope = {"add": 1, "round": 1}.get(name)
                        if name == "mul":
                            slope = values[at[1 - place]]
                        if name == "logsumexp":
                            slope = torch.stack([values[k] for k in at]).softmax(0)[place]
                        total = total + slope * gradient(user)
            known[node] = total
        return known[node]

    return torch.stack(values), torch.stack([gradient(node) for node in range(len(values))])

# %% run_tape, right: autograd, with a detached bracket around the rounding
def run_tape(tape, x):
    with torch.enable_grad():
        values = [row.detach().clone().requires_grad_() for row in x]
        for name, *at in tape:
            args = [values[i] for i in at]
            if name == "add":
                values.append(args[0] + args[1])
            elif name == "mul":
                values.append(args[0] * args[1])
            elif name == "round":
                values.append(args[0] + (args[0].round() - args[0]).detach())
            else:
                values.append(torch.stack(args).logsumexp(0))
        slopes = torch.autograd.grad(values[-1].sum(), values, allow_unused=True)
    slopes = [torch.zeros_like(x[0]) if slope is None else slope for slope in slopes]
    return torch.stack([value.detach() for value in values]), torch.stack(slopes)

# %% run_tape, right: slopes carried forwards, one direction for each node
def run_tape(tape, x):
    count = len(x) + len(tape)

    def run(kick, at_node):
        """Values, and by how much the last node moves when `at_node` does."""
        values, moves = list(x), [torch.zeros_like(row) for row in x]
        if at_node < len(x):
            moves[at_node] = torch.ones_like(x[0])
        for number, (name, *at) in enumerate(tape):
            args, d = torch.stack([values[i] for i in at]), torch.stack([moves[i] for i in at])
            if name == "add":
                v, m = args.sum(0), d.sum(0)
            elif name == "mul":
                v, m = args.prod(0), d[0] * args[1] + d[1] * args[0]
            elif name == "round":
                v, m = args[0].round(), d[0]
            else:
                v, m = args.logsumexp(0), (args.softmax(0) * d).sum(0)
            values.append(v)
            moves.append(torch.ones_like(m) if len(x) + number == at_node else m)
        return values, moves[-1]

    runs = [run(1, node) for node in range(count)]
    return torch.stack(runs[0][0]), torch.stack([move for _, move in runs])

# %% run_tape, wrong: assigns
# 0 points: `+=`, not `=`
# instead of: gradients[i] += slope
# write: gradients[i] = slope

# %% run_tape, wrong: autograd that was not told of unused nodes
# 1.75 points: appears to not have been used | nodes without influence
def run_tape(tape, x):
    with torch.enable_grad():
        values = [row.detach().clone().requires_grad_() for row in x]
        for name, *at in tape:
            args = torch.stack([values[i] for i in at])
            if name == "round":
                values.append(args[0] + (args[0].round() - args[0]).detach())
            else:
                values.append({"add": args.sum, "mul": args.prod, "logsumexp": args.logsumexp}[name](0))
        slopes = torch.autograd.grad(values[-1].sum(), values)
    return torch.stack([value.detach() for value in values]), torch.stack(slopes)

# %% run_tape, wrong: torch's rounding
# 1 points: the gradient stopped at `round`
def run_tape(tape, x):
    with torch.enable_grad():
        values = [row.detach().clone().requires_grad_() for row in x]
        for name, *at in tape:
            args = torch.stack([values[i] for i in at])
            values.append({"add": args.sum, "mul": args.prod, "logsumexp": args.logsumexp}[name](0) if name != "round" else args[0].round())
        slopes = torch.autograd.grad(values[-1].sum(), values, allow_unused=True)
    slopes = [torch.zeros_like(x[0]) if slope is None else slope for slope in slopes]
    return torch.stack([value.detach() for value in values]), torch.stack(slopes)

# %% run_tape, wrong: finds the place by the node
# 0 points: twice in one operation
# instead of: for place, i in enumerate(at):
# write: for place, i in enumerate(dict.fromkeys(at)):

# %% run_tape, wrong: tape walked forwards
# 0 points: walked forwards
# instead of: for node in reversed(range(len(x), len(values))):
# write: for node in range(len(x), len(values)):

# %% run_tape, wrong: the slope of logsumexp is exp
# 1.25 points: the softmax of its arguments
# instead of: slope = (values[i] - values[node]).exp()
# write: slope = values[i].exp()

# %% run_tape, wrong: logsumexp by its definition
# 1.75 points: before exp
# instead of: values.append(torch.stack(given).logsumexp(0))
# write: values.append(torch.stack(given).exp().sum(0).log())

# %% run_tape, wrong: logsumexp of two nodes only
# 1.25 points: logsumexp shares its gradient
# instead of: torch.stack(given).logsumexp(0)
# write: torch.logaddexp(given[0], given[1])

# %% run_tape, wrong: gradients of the inputs only
# 0 points: shape (2, 1)
# instead of: return values, gradients
# write: return values, gradients[: len(x)]

# %% run_tape, wrong: float32 always
# 1.75 points: for an input of torch.float64
# instead of: return values, gradients
# write: return values.float(), gradients.float()

# %% coupled_backward, right: the cell run again, gates turned back into what went in
def coupled_backward(dy, gates, c, h0, W_hh, P):
    f, g, o = gates
    h_given = torch.cat([h0[None], o * c[1:].tanh()])
    with torch.enable_grad():
        W, p, h, cell = leaves = [one.detach().clone().requires_grad_() for one in (W_hh, P, h0, c[0])]
        loss = 0
        for t in range(len(dy)):
            seen = torch.cat([p[0].detach() * c[t], 0 * c[t], p[1].detach() * c[t + 1]], 1)
            was = torch.cat([f[t].logit(), g[t].atanh(), o[t].logit()], 1)
            fixed = (was - seen - h_given[t] @ W_hh.T).detach()  # what x and b gave
            a_f, a_g, a_o = (fixed + h @ W.T).chunk(3, 1)
            new_f = torch.sigmoid(a_f + p[0] * cell)
            cell = new_f * cell + (1 - new_f) * torch.tanh(a_g)
            h = torch.sigmoid(a_o + p[1] * cell) * torch.tanh(cell)
            loss = loss + (h * dy[t]).sum()
        return torch.autograd.grad(loss, leaves)

# %% coupled_backward, right: Jacobians of a step, a matrix for each sequence
def coupled_backward(dy, gates, c, h0, W_hh, P):
    f, g, o = gates
    time, batch, H = dy.shape
    h = torch.cat([h0[None], o * c[1:].tanh()])
    state = dy.new_zeros(batch, 2 * H)  # the gradient at (h, c), side by side
    dW, dP = torch.zeros_like(W_hh), torch.zeros_like(P)
    for t in range(time - 1, -1, -1):
        state = torch.cat([state[:, :H] + dy[t], state[:, H:]], 1)
        sf, sg, so = f[t] * (1 - f[t]), 1 - g[t] ** 2, o[t] * (1 - o[t])
        top = c[t + 1].tanh()
        # how the new c moves with (a_f, a_g) and the old c, the old c's peephole included
        c_f, c_g = (c[t] - g[t]) * sf, (1 - f[t]) * sg
        c_c = f[t] + c_f * P[0]
        h_o, h_c = top * so, o[t] * (1 - top**2) + top * so * P[1]
        dh, dc = state[:, :H], state[:, H:]
        to_c = dc + dh * h_c
        a = torch.cat([to_c * c_f, to_c * c_g, dh * h_o], 1)
        dW += torch.einsum("ba,bh->ah", a, h[t])
        dP[0] += torch.einsum("bh,bh->h", a[:, :H], c[t])
        dP[1] += torch.einsum("bh,bh->h", a[:, 2 * H :], c[t + 1])
        state = torch.cat([a @ W_hh, to_c * c_c], 1)
    return dW, dP, state[:, :H], state[:, H:]

# %% coupled_backward, right: slopes carried forwards, as in real-time recurrent learning
def coupled_backward(dy, gates, c, h0, W_hh, P):
    f, g, o = gates
    time, batch, H = dy.shape
    h = torch.cat([h0[None], o * c[1:].tanh()])
    sizes = [W_hh.numel(), P.numel(), H, H]
    n = sum(sizes)
    dh = dy.new_zeros(batch, H, n)  # how h moves with every number that it depends on
    dc = torch.zeros_like(dh)
    dh[:, :, sizes[0] + sizes[1] : n - H] = torch.eye(H).to(dy)
    dc[:, :, n - H :] = torch.eye(H).to(dy)
    total = dy.new_zeros(batch, n)
    for t in range(time):
        da = torch.einsum("ah,bhn->ban", W_hh, dh)
        own = torch.zeros_like(da)
        for row in range(3 * H):
            own[:, row, row * H : (row + 1) * H] = h[t]
        da = da + own
        a_f, a_g, a_o = da.chunk(3, 1)
        peep = torch.zeros_like(a_f)
        for unit in range(H):
            peep[:, unit, sizes[0] + unit] = c[t][:, unit]
        df = (f[t] * (1 - f[t]))[..., None] * (a_f + P[0][:, None] * dc + peep)
        dg = (1 - g[t] ** 2)[..., None] * a_g
        dc = f[t][..., None] * dc + (c[t] - g[t])[..., None] * df + (1 - f[t])[..., None] * dg
        peep = torch.zeros_like(a_o)
        for unit in range(H):
            peep[:, unit, sizes[0] + H + unit] = c[t + 1][:, unit]
        do = (o[t] * (1 - o[t]))[..., None] * (a_o + P[1][:, None] * dc + peep)
        top = c[t + 1].tanh()
        dh = top[..., None] * do + (o[t] * (1 - top**2))[..., None] * dc
        total = total + torch.einsum("bh,bhn->bn", dy[t], dh)
    W, p, first, cell = total.split(sizes, 1)
    return W.sum(0).view_as(W_hh), p.sum(0).view_as(P), first, cell

# %% coupled_backward, wrong: gates of an ordinary LSTM
# 0 points: the slope of f·c + (1 − f)·g at f is c − g
# instead of: (c[t] - g[t])
# write: c[t]

# %% coupled_backward, wrong: forgets o's peephole
# 0 points: its peephole brings a gradient to c too
# instead of: + P[1] * a_o
# write:

# %% coupled_backward, wrong: h as it is after the step
# 0 points: the h *before* the step
# instead of: a.T @ h[t]
# write: a.T @ h[t + 1]

# %% coupled_backward, wrong: dW transposed
# 0.5 points: shape (3, 9)
# instead of: return dW, dP, dh, dc
# write: return (dW if dW.shape[1] == 1 else dW.T), dP, dh, dc

# %% coupled_backward, wrong: only the last step's weights
# 1.5 points: were not added up
# instead of: dW = dW + a.T @ h[t]
# write: dW = a.T @ h[t]

# %% coupled_backward, wrong: averages over the batch
# 0.5 points: dW_hh
# instead of: return dW, dP, dh, dc
# write: return dW / len(h0), dP / len(h0), dh, dc

# %% coupled_backward, wrong: in single precision
# 2.25 points: float32 came in somewhere
# instead of: f, g, o = gates
# write: dy, gates, c, h0, W_hh, P = (one.float() for one in (dy, gates, c, h0, W_hh, P)); f, g, o = gates

# %% coupled_backward, wrong: adds dy in place, into the caller's
# 2.5 points: an argument was changed
# instead of: dh = dh + dy[t]
# write: dy[t] += dh; dh = dy[t]
