# ruff: noqa
"""Answers that the graders of this assignment are tried on: each cell is what a student would have in the answer cell.

A wrong one says what it deserves and the words its message must contain; `instead of` / `write` changes one place of the
solution. One more wrong answer is made from every misconception of the graded cells.
"""

# %% torus_columns, right: copies beside the image, and unfold
def torus_columns(x, size, dilation=1):
    rest = dilation * (size - 1)
    rows = torch.cat([x] * (1 + -(-rest // x.shape[2])), 2)[:, :, : x.shape[2] + rest]
    wide = torch.cat([rows] * (1 + -(-rest // x.shape[3])), 3)[..., : x.shape[3] + rest]
    return F.unfold(wide, size, dilation=dilation)

# %% torus_columns, right: one index for all
def torus_columns(x, size, dilation=1):
    height, width = x.shape[2:]
    step = torch.arange(size, device=x.device) * dilation
    rows = (torch.arange(height, device=x.device)[None] + step[:, None]) % height  # (size, height)
    columns = (torch.arange(width, device=x.device)[None] + step[:, None]) % width
    return x[:, :, rows[:, None, :, None], columns[None, :, None, :]].reshape(len(x), -1, height * width)

# %% torus_columns, right: loops over every pixel
def torus_columns(x, size, dilation=1):
    batch, channels, height, width = x.shape
    y = x.new_empty(batch, channels, size, size, height, width)
    for a in range(size):
        for b in range(size):
            for i in range(height):
                for j in range(width):
                    y[:, :, a, b, i, j] = x[:, :, (i + a * dilation) % height, (j + b * dilation) % width]
    return y.view(batch, channels * size * size, height * width)

# %% torus_columns, wrong: circular padding goes around once
# 2 points: Padding value causes wrapping | a patch larger than the image
def torus_columns(x, size, dilation=1):
    rest = dilation * (size - 1)
    return F.unfold(F.pad(x, [0, rest, 0, rest], mode="circular"), size, dilation=dilation)

# %% torus_columns, wrong: float64 comes out as float32
# 2 points: make new tensors with
# instead of: return patches
# write: return patches.float()

# %% torus_columns, wrong: rolls the wrong way
# 0 points: so roll by −a
# instead of: x.roll((-a, -b), (2, 3))
# write: x.roll((a, b), (2, 3))

# %% torus_columns, wrong: the stack stands before the channels
# 0.5 points: the channel comes first
# instead of: dim=2)
# write: dim=1)

# %% torus_columns, wrong: columns modulo the height
# 0 points: shape (1, 4, 4) | columns likewise, modulo the width
def torus_columns(x, size, dilation=1):
    side = x.shape[2]
    step = torch.arange(size) * dilation
    at = (torch.arange(side)[None] + step[:, None]) % side
    return x[:, :, at[:, None, :, None], at[None, :, None, :]].reshape(len(x), -1, side * side)

# %% box_sums, right: slices
def box_sums(x, boxes):
    sums = []
    for top, left, bottom, right in boxes.clamp(min=0).tolist():
        sums.append(x[:, :, top:bottom, left:right].flatten(2).sum(2))
    return torch.stack(sums, dim=2)

# %% box_sums, right: a product of masks
def box_sums(x, boxes):
    def within(first, end, length):
        place = torch.arange(length, device=x.device)
        return ((place >= first[:, None]) & (place < end[:, None])).to(x.dtype)

    rows, columns = within(boxes[:, 0], boxes[:, 2], x.shape[2]), within(boxes[:, 1], boxes[:, 3], x.shape[3])
    return torch.einsum("nh,bchw,nw->bcn", rows, x, columns)

# %% box_sums, right: slices around the mean of the image
def box_sums(x, boxes):
    height, width = x.shape[2:]
    center = x.mean((2, 3), keepdim=True)
    out = x.new_zeros(*x.shape[:2], len(boxes))
    for n, (top, left, bottom, right) in enumerate(boxes.tolist()):
        top, left, bottom, right = max(top, 0), max(left, 0), min(bottom, height), min(right, width)
        if bottom > top and right > left:
            part = (x - center)[:, :, top:bottom, left:right]
            out[:, :, n] = part.sum((2, 3)) + center[..., 0, 0] * (bottom - top) * (right - left)
    return out

# %% box_sums, wrong: no line of zeros, so that row 0 looks up the last one
# 0 points: counted from the end | The table at the four corners
def box_sums(x, boxes):
    table = x.double().cumsum(2).cumsum(3)
    first, end = boxes[:, :2].clamp(min=0), boxes[:, 2:].clamp(min=0)
    end = torch.minimum(end, end.new_tensor(x.shape[2:])).maximum(first)
    (top, left), (bottom, right) = first.T - 1, end.T - 1
    y = table[:, :, bottom, right] - table[:, :, top, right] - table[:, :, bottom, left] + table[:, :, top, left]
    return y.to(x.dtype)

# %% box_sums, wrong: the table in float32
# 2 points: no digits left for a small box
# instead of: x.double().cumsum(2)
# write: x.cumsum(2)

# %% box_sums, wrong: an average
# 0 points: got [[[6.5, 2]]]
def box_sums(x, boxes):
    return torch.stack([x[:, :, a:b, c:d].mean((2, 3)) for a, c, b, d in boxes.clamp(min=0).tolist()], 2)

# %% box_sums, wrong: float64 always
# 2 points: torch.float64 for an input of torch.float32
# instead of: (below - above).to(x.dtype)
# write: below - above

# %% box_sums, wrong: a list of numbers
# 0 points: shape (2,)
def box_sums(x, boxes):
    return [float(x[..., a:b, c:d].sum()) for a, c, b, d in boxes.clamp(min=0).tolist()]

# %% box_sums, wrong: an upside-down box gets minus the sum
# 2 points: a box whose bottom is above its top
# instead of: bottom, right = bottom.maximum(top), right.maximum(left)
# write:

# %% rms_pool, right: average pooling of the squares
def rms_pool(x, size, stride=None, padding=0):
    mean = F.avg_pool2d(x * x, size, stride, padding, count_include_pad=False)
    return torch.where(mean > 0, torch.where(mean > 0, mean, 1.0) ** 0.5, 0.0)

# %% rms_pool, right: loops over windows cut at the border
def rms_pool(x, size, stride=None, padding=0):
    stride = stride or size
    height, width = x.shape[2:]
    result = []
    for top in range(-padding, height + padding - size + 1, stride):
        row = []
        for left in range(-padding, width + padding - size + 1, stride):
            window = x[:, :, max(top, 0) : top + size, max(left, 0) : left + size]
            row.append(window.flatten(2).square().mean(-1))
        result.append(torch.stack(row, -1))
    mean = torch.stack(result, -2)
    return mean.clamp_min(1e-20).sqrt() * (mean > 0)

# %% rms_pool, right: a lambda in float64
rms_pool = lambda x, k, s=None, p=0: (m := F.avg_pool2d(x.double() ** 2, k, s, p, count_include_pad=False)).add((m == 0).double()).sqrt().mul(m != 0).to(x.dtype)

# %% rms_pool, wrong: the root of the sum
# 0 points: divide by the number of pixels
# instead of: / window_sum(torch.ones_like(x))
# write:

# %% rms_pool, wrong: the padding counts as pixels
# 2.5 points: padded cells were counted
# instead of: window_sum(torch.ones_like(x))
# write: size**2

# %% rms_pool, wrong: repairs the nan after the root
# 2.5 points: infinity times 0 is nan
# instead of: mean.masked_fill(silent, 1).sqrt().masked_fill(silent, 0)
# write: torch.where(silent, 0.0, mean.sqrt())

# %% rms_pool, wrong: knows the example by heart
# 0.5 points: Window (i, j) starts at row
def rms_pool(x, size, stride=None, padding=0):
    return torch.tensor([[[[2.5]]]])

# %% rms_pool, wrong: numpy
# 2 points: a ndarray | numpy and plain numbers lose gradient
def rms_pool(x, size, stride=None, padding=0):
    import numpy
    return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt().numpy()

# %% rms_pool, wrong: changes its argument
# 2.5 points: an argument was changed
def rms_pool(x, size, stride=None, padding=0):
    mean = F.avg_pool2d(x.pow_(2), size, stride, padding, count_include_pad=False)
    return (mean + (mean == 0)).sqrt() * (mean > 0)

# %% merge_pieces, right: one piece after another
def merge_pieces(L, E, V):
    empty = L.isneginf()
    E, V = E.masked_fill(empty, 0), V.masked_fill(empty, 0)
    l, e, v = L[:, 0], E[:, 0], V[:, 0]
    for k in range(1, L.shape[1]):
        both = torch.logaddexp(l, L[:, k])
        safe = both.masked_fill(both.isneginf(), 0)
        new = (L[:, k] - safe).exp()  # 0 where the piece is empty
        step = E[:, k] - e
        v = (1 - new) * v + new * V[:, k] + new * (1 - new) * step * step
        e = e + new * step
        l = both
    return l, e, v

# %% merge_pieces, right: float64, shifted by the largest, sequence by sequence
def merge_pieces(L, E, V):
    results = []
    for l, e, v in zip(L.double(), E.double(), V.double()):
        full = l > -torch.inf
        l, e, v = l[full], e[full], v[full]
        w = (l - l.max()).exp()
        z = w.sum()
        m = (w @ e) / z
        results.append(torch.stack([l.max() + z.log(), m, (w @ (v + e * e)) / z - m * m]))
    return tuple(torch.stack(results).to(L.dtype).T)

# %% merge_pieces, wrong: V, L, E
# 0 points: the worked example
# instead of: return L.logsumexp(1), whole, (share * (within + between)).sum(1)
# write: return (share * (within + between)).sum(1), L.logsumexp(1), whole

# %% merge_pieces, wrong: plain distances
# 1 points: the shares times (V within the piece
# instead of: .square()
# write: .abs()

# %% merge_pieces, wrong: forgets the empty pieces
# 2.5 points: 0 times nan is nan
# instead of: E, V = E.where(share > 0, 0), V.where(share > 0, 0)
# write:

# %% merge_pieces, wrong: weighs the caller's tensors
# 2.5 points: an argument was changed
def merge_pieces(L, E, V):
    share = L.softmax(1)
    for one in E, V:
        one[share == 0] = 0
    whole = (share * E).sum(1)
    E -= whole[:, None]
    return L.logsumexp(1), whole, (share * (V + E**2)).sum(1)

# %% merge_pieces, wrong: the shares as exp(L_k − L)
# 2.5 points: take softmax of the L
# instead of: L.softmax(1)
# write: (L - L.logsumexp(1, keepdim=True)).exp()

# %% merge_pieces, wrong: float64 always
# 2.5 points: torch.float64 for an input of torch.float32
# instead of: share = L.softmax(1)
# write: L, E, V = L.double(), E.double(), V.double(); share = L.softmax(1)

# %% merge_pieces, wrong: the first sequence only
# 0 points: shape () | shape (3,)
def merge_pieces(L, E, V):
    p = L[0].softmax(0)
    e = p @ E[0]
    return L[0].logsumexp(0), e, p @ (V[0] + (E[0] - e) ** 2)

# %% gem_pool_backward, right: autograd in place of algebra
def gem_pool_backward(dy, x, p, size):
    with torch.enable_grad():
        z, q = x.detach().clone().requires_grad_(), p.detach().clone().requires_grad_()
        top = F.max_pool2d(z.detach(), size)
        part = z / F.interpolate(top, scale_factor=float(size))
        y = top * F.avg_pool2d(part**q, size) ** (1 / q)
        return torch.autograd.grad((dy * y).sum(), (z, q))

# %% gem_pool_backward, right: logarithms and interpolation
def gem_pool_backward(dy, x, p, size):
    def wide(z):
        return z.repeat_interleave(size, 2).repeat_interleave(size, 3)

    def windows(z):
        b, c, h, w = z.shape
        return z.view(b, c, h // size, size, w // size, size).transpose(3, 4).flatten(4)

    log = x.contiguous().log()
    share = windows(p * log).softmax(-1)  # x^p / sum x^p
    log_y = (windows(p * log).logsumexp(-1) - 2 * torch.tensor(size, dtype=x.dtype).log()) / p
    dx = wide(dy) * ((p - 1) * (log - wide(log_y))).exp() / size**2
    dp = dy * log_y.exp() * ((share * windows(log)).sum(-1) - log_y) / p
    return dx, dp.sum()

# %% gem_pool_backward, right: window by window
def gem_pool_backward(dy, x, p, size):
    dx, dp = torch.zeros_like(x), torch.zeros_like(p)
    for i in range(dy.shape[2]):
        for j in range(dy.shape[3]):
            place = slice(None), slice(None), slice(i * size, i * size + size), slice(j * size, j * size + size)
            z = x[place]
            top = z.amax((2, 3), keepdim=True)
            power = (z / top) ** p
            m = power.mean((2, 3), keepdim=True)
            y = top * m ** (1 / p)
            g = dy[:, :, i : i + 1, j : j + 1]
            dx[place] = g * (z / y) ** (p - 1) / size**2
            dp = dp + (g * y / p * ((power / m * (z / y).log()).mean((2, 3), keepdim=True))).sum()
    return dx, dp

# %% gem_pool_backward, wrong: the windows come back in the wrong order
# 1.5 points: put back in the wrong order
# instead of: dx.transpose(3, 4).reshape(x.shape)
# write: dx.reshape(x.shape)

# %% gem_pool_backward, wrong: overflows
# 3 points: divide each window by its maximum M first
# instead of: top = windows.amax((-2, -1), keepdim=True)
# write: top = x.new_ones(1)

# %% gem_pool_backward, wrong: float64 instead of a maximum
# 3 points: divide each window by its maximum M first
def gem_pool_backward(dy, x, p, size):
    dtype = x.dtype
    dy, x, p = dy.double(), x.double(), p.double()
    mean = F.avg_pool2d(x**p, size)
    y = mean ** (1 / p)
    wide_dy, wide_y = (z.repeat_interleave(size, 2).repeat_interleave(size, 3) for z in (dy, y))
    dx = wide_dy * (x / wide_y) ** (p - 1) / size**2
    dp = dy * y * (F.avg_pool2d(x**p * x.log(), size) / (p * mean) - mean.log() / p**2)
    return dx.to(dtype), dp.sum().to(dtype)

# %% gem_pool_backward, wrong: one maximum for all windows
# 3 points: an exponent of 300 | not even a float64
# instead of: windows.amax((-2, -1), keepdim=True)
# write: x.max()

# %% gem_pool_backward, wrong: does not multiply dp by the maximum
# 1.5 points: multiply it by that maximum
# instead of: (dy * y * slope).sum()
# write: (dy * y / top * slope).sum()

# %% gem_pool_backward, wrong: forgets dy in dp
# 2 points: `dy` is missing
# instead of: (dy * y * slope).sum()
# write: (y * slope).sum()

# %% gem_pool_backward, wrong: dp has an axis
# 3 points: the number of axes of dp = 1
# instead of: (dy * y * slope).sum()
# write: (dy * y * slope).sum()[None]

# %% gem_pool_backward, wrong: dp is a plain number
# 3 points: a float | numpy and plain numbers
# instead of: (dy * y * slope).sum()
# write: (dy * y * slope).sum().item()

# %% gem_pool_backward, wrong: a dp for each window
# 1.5 points: the number of axes of dp = 6 | shape (2, 3, 2, 3, 1, 1)
# instead of: (dy * y * slope).sum()
# write: dy * y * slope

# %% gem_pool_backward, wrong: returns dx alone
# 0 points: expected 2, got 1
# instead of: , (dy * y * slope).sum()
# write:

# %% max_pool_backward, right: shares by autograd of amax
def max_pool_backward(dy, x, size, stride):
    with torch.enable_grad():
        z = x.detach().clone().requires_grad_()
        top = z.unfold(2, size, stride).unfold(3, size, stride).amax((-2, -1))
        return torch.autograd.grad((dy * top).sum(), z)[0]

# %% max_pool_backward, right: fold
def max_pool_backward(dy, x, size, stride):
    batch, channels, height, width = x.shape
    seen = stride * (dy.shape[2] - 1) + size, stride * (dy.shape[3] - 1) + size
    columns = F.unfold(x[:, :, : seen[0], : seen[1]], size, stride=stride).view(batch, channels, size * size, -1)
    winners = (columns == columns.amax(2, keepdim=True)).to(x.dtype)
    shares = winners / winners.sum(2, keepdim=True) * dy.flatten(2).unsqueeze(2)
    back = F.fold(shares.flatten(1, 2), seen, size, stride=stride)
    return F.pad(back, [0, width - seen[1], 0, height - seen[0]])

# %% max_pool_backward, wrong: copies the faulty one
# 0.5 points: `+=`, not `=` | windows start at i·stride | divide it among them
max_pool_backward = faulty

# %% max_pool_backward, wrong: mends all but the ties
# 1.5 points: divide it among them
# instead of: winners / winners.sum((2, 3), keepdim=True)
# write: winners

# %% max_pool_backward, wrong: assigns
# 2.5 points: `+=`, not `=`
# instead of: +=
# write: =

# %% max_pool_backward, wrong: result always float32
# 2.5 points: torch.float32 for an input of torch.float64
# instead of: torch.zeros_like(x)
# write: torch.zeros(x.shape)

# %% max_pool_backward, wrong: torch's max pooling, one winner
# 1.5 points: one winner took all
def max_pool_backward(dy, x, size, stride):
    with torch.enable_grad():
        z = x.detach().clone().requires_grad_()
        return torch.autograd.grad((dy * F.max_pool2d(z, size, stride)).sum(), z)[0]

# %% max_pool_backward, wrong: divides by all pixels of the window
# 0 points: The maximum of a window gets its dy
# instead of: winners.sum((2, 3), keepdim=True)
# write: size**2

# %% fold_into_layer, right: the answers to a black image and to single pixels
def fold_into_layer(weight, mean, std, size, bias=None):
    number = weight.shape[1]
    pixels = torch.eye(number, dtype=weight.dtype, device=weight.device)
    raw = torch.cat([torch.zeros_like(pixels[:1]), pixels]).view(number + 1, len(mean), *size)
    normal = (raw - mean.view(-1, 1, 1)) / std.view(-1, 1, 1)
    answers = F.linear(normal.movedim(1, -1).flatten(1), weight, bias)
    return (answers[1:] - answers[0]).T, answers[0]

# %% fold_into_layer, right: an index for every weight, in float64
def fold_into_layer(weight, mean, std, size, bias=None):
    height, width = size
    channels, outputs = len(mean), len(weight)
    old = torch.arange(height * width * channels, device=weight.device).view(height, width, channels)
    order = old.permute(2, 0, 1).flatten()
    channel = (torch.arange(len(order), device=weight.device) // (height * width))
    new = weight.double()[:, order] / std.double()[channel]
    moved = new @ mean.double()[channel]
    start = bias.double() if bias is not None else torch.zeros_like(moved)
    return new.to(weight.dtype), (start - moved).to(weight.dtype)

# %% fold_into_layer, right: loops
def fold_into_layer(weight, mean, std, size, bias=None):
    new, shifted = [], []
    for o, row in enumerate(weight):
        columns, b = [], 0 if bias is None else bias[o]
        for c in range(len(mean)):
            part = row[c :: len(mean)] / std[c]
            columns.append(part)
            b = b - part.sum() * mean[c]
        new.append(torch.cat(columns))
        shifted.append(b)
    return torch.stack(new), torch.stack(shifted)

# %% fold_into_layer, wrong: a view that moves nothing
# 1 points: the weights stand in the old order
# instead of: scaled.permute(0, 3, 1, 2).flatten(1)
# write: scaled.reshape(len(weight), len(mean), *size).flatten(1)

# %% fold_into_layer, wrong: needs a bias
# 2 points: line 4 of your cell
def fold_into_layer(weight, mean, std, size, bias=None):
    scaled = weight.view(len(weight), *size, len(mean)) / std
    shift = (scaled * mean).sum((1, 2, 3))
    return scaled.permute(0, 3, 1, 2).flatten(1), bias - shift

# %% fold_into_layer, wrong: one bias for all outputs
# 1.5 points: shape (1,)
# instead of: scaled.permute(0, 3, 1, 2).flatten(1), -shift if bias is None else bias - shift
# write: scaled.permute(0, 3, 1, 2).flatten(1), (-shift if bias is None else bias - shift).sum()[None]

# %% fold_into_layer, wrong: a weight of shape (outputs, channels, height, width)
# 1 points: shape (1, 2, 2, 2)
# instead of: .flatten(1), -shift
# write: , -shift

# %% fold_into_layer, wrong: numpy
# 2 points: a ndarray | numpy and plain numbers
# instead of: .flatten(1), -shift
# write: .flatten(1).numpy(), -shift

# %% fold_into_layer, wrong: bias first
# 0 points: shape (1,) | shape (1, 8)
# instead of: return scaled.permute(0, 3, 1, 2).flatten(1), -shift if bias is None else bias - shift
# write: return (-shift if bias is None else bias - shift), scaled.permute(0, 3, 1, 2).flatten(1)
