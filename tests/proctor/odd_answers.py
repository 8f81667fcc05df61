# ruff: noqa
"""What students also do: each gets the fair mark and a useful word. Cells like those of answers.py, for the small assignment."""

# %% rms_pool, right: prints, and much
# says: Your code printed: now at
def rms_pool(x, size, stride=None, padding=0):
    for i in range(2000):
        print("now at", i)
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, right: writes to stderr in five ways
# says: by logging
import logging, os, sys, warnings
logging.getLogger().addHandler(logging.StreamHandler())  # holds the kernel's own stderr
def rms_pool(x, size, stride=None, padding=0):
    warnings.warn("by warnings"); print("by print", file=sys.stderr); logging.warning("by logging")
    os.write(2, b"past Python\n"); os.system("echo a child process >&2")
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, right: warnings are errors, float64 by default, no gradients, a device of its own
import warnings
warnings.simplefilter("error")
torch.set_default_dtype(torch.float64)
torch.set_grad_enabled(False)
torch.set_default_device("meta")
def rms_pool(x, size, stride=None, padding=0):
    warnings.warn("old")
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, right: helpers named like the grader's
def expected(z): return z * z
def tidiness(m): return (m + (m == 0)).sqrt() * (m > 0)
task = Task = equal = 3
the_worked_example = F.avg_pool2d
def rms_pool(x, size, stride=None, padding=0):
    assert task == 3
    return tidiness(the_worked_example(expected(x), size, stride, padding, count_include_pad=False))

# %% rms_pool, right: a class with __call__, and a count of its calls
calls = 0
class Pool:
    def __call__(self, x, size, stride=None, padding=0):
        global calls
        calls += 1
        m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
        return (m + (m == 0)).sqrt() * (m > 0)
rms_pool = Pool()

# %% rms_pool, right: not contiguous, and a view
def rms_pool(x, size, stride=None, padding=0):
    m = F.avg_pool2d(x.mT**2, size, stride, padding, count_include_pad=False)
    return ((m + (m == 0)).sqrt() * (m > 0)).mT[:]

# %% rms_pool, right: broke torch in its own notebook after use
pool = F.avg_pool2d
def rms_pool(x, size, stride=None, padding=0):
    m = pool(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)
torch = F = None

# %% rms_pool, right: device and dtype by name
def rms_pool(x, size, stride=None, padding=0):
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    y = torch.zeros(m.shape, dtype=x.dtype, device=x.device)
    y[m > 0] = m[m > 0].sqrt()
    return y

# %% rms_pool, right: replaced stdout
import io, sys
sys.stdout = io.StringIO()
def rms_pool(x, size, stride=None, padding=0):
    print("lost")
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, wrong: the result on the default device
# 4 points: make new tensors with `x.new_zeros(…)` or `device=x.device`
def rms_pool(x, size, stride=None, padding=0):
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    y = torch.zeros(m.shape, dtype=x.dtype)
    y[m > 0] = m[m > 0].sqrt()
    return y

# %% rms_pool, wrong: Python lists
# 3 points: a list | numpy and plain numbers
def rms_pool(x, size, stride=None, padding=0):
    return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt().tolist()

# %% rms_pool, wrong: float64 always
# 4 points: torch.float64 for an input of torch.float32
def rms_pool(x, size, stride=None, padding=0):
    m = F.avg_pool2d(x.double() ** 2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, wrong: an input must be contiguous
# 4 points: view size is not compatible | line 2 of your cell
def rms_pool(x, size, stride=None, padding=0):
    x = x.view(-1).view(x.shape)
    m = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False)
    return (m + (m == 0)).sqrt() * (m > 0)

# %% rms_pool, wrong: cuts the gradient
# 4 points: cut the gradient
@torch.no_grad()
def rms_pool(x, size, stride=None, padding=0):
    return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt()

# %% rms_pool, wrong: never ends
# 0 points: no answer within 2 s | a loop that never ends
def rms_pool(x, size, stride=None, padding=0):
    while True:
        try:
            x = x * 1.0
        except Exception:
            pass

# %% rms_pool, wrong: leaves
# 0 points: SystemExit: done | line 3 of your cell
import sys
def rms_pool(x, size, stride=None, padding=0):
    sys.exit("done")

# %% rms_pool, wrong: the cell breaks
# 0 points: no function named `rms_pool`
import not_there
def rms_pool(x, size, stride=None, padding=0):
    return x

# %% rms_pool, wrong: a syntax error
# 0 points: no function named `rms_pool`
def rms_pool(x, size, stride=None, padding=0)
    return x

# %% rms_pool, wrong: inside a class
# 0 points: stands inside a class
class Answer:
    def rms_pool(x, size, stride=None, padding=0):
        return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt()

# %% rms_pool, wrong: another name
# 0 points: the function has another name
def rms_pooling(x, size, stride=None, padding=0):
    return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt()

# %% rms_pool, wrong: forgets to return
# 0 points: a function without `return` gives None
def rms_pool(x, size, stride=None, padding=0):
    y = F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt()

# %% rms_pool, wrong: yields
# 0 points: a generator | a tensor
def rms_pool(x, size, stride=None, padding=0):
    yield F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt()

# %% rms_pool, wrong: takes two arguments
# 0.5 points: takes 2 positional arguments but 3 were given
def rms_pool(x, size):
    return F.avg_pool2d(x**2, size).sqrt()

# %% rms_pool, wrong: nan and infinity everywhere
# 0 points: nan
def rms_pool(x, size, stride=None, padding=0):
    return F.avg_pool2d(x**2, size, stride, padding, count_include_pad=False).sqrt() * float("nan")

# %% rms_pool, wrong: asks the grader for the answer
# 0 points: NameError: name 'expected' is not defined
def rms_pool(x, size, stride=None, padding=0):
    return expected(x, size, stride, padding)

# %% rms_pool, wrong: the untouched stub
# 0 points: not attempted yet
def rms_pool(x: torch.Tensor, size: int, stride: int | None = None, padding: int = 0) -> torch.Tensor:
    """(batch, channels, height, width) to (batch, channels, rows, columns): the root mean square of each window."""
    raise NotImplementedError

# %% rms_pool, wrong: half a stub
# 3 points: NotImplementedError: padding | line 4 of your cell: raise NotImplementedError("padding")
def rms_pool(x, size, stride=None, padding=0):
    if padding:
        # later
        raise NotImplementedError("padding")
    return F.avg_pool2d(x**2, size, stride).sqrt()

# %% rms_pool, wrong: its own copy of the graded cell's names, to no avail
# 0.5 points: Window (i, j) starts at row
NBGRADER_EXECUTION = "validate"
def rms_pool(x, size, stride=None, padding=0):
    return [[[[2.5]]]]

# %% rms_pool, wrong: never ends, and a bare except takes everything
# 0 points: no answer within 2 s | a loop that never ends
def rms_pool(x, size, stride=None, padding=0):
    while True:
        try:
            while True:
                x = x * 1.0
        except:
            pass

# %% rms_pool, wrong: never ends, and finally goes on
# 0 points: no answer within 2 s
def rms_pool(x, size, stride=None, padding=0):
    while True:
        try:
            for i in range(10**9):
                x = x * 1.0
        finally:
            continue

# %% rms_pool, wrong: a generator that does not close
# 0.5 points: no answer within 2 s
def rms_pool(x, size, stride=None, padding=0):
    def forever():
        while True:
            try:
                yield x
            except:
                pass
    if x.numel() == 4:
        return torch.tensor([[[[2.5]]]])
    for y in forever():
        try:
            y = y * 1.0
        except:
            pass
