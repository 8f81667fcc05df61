# ---
# jupyter:
#   kernelspec:
#     display_name: Python 3 (ipykernel)
#     language: python
#     name: python3
# ---

# %% [markdown]
# # Markov chain Monte Carlo: exercises
#
# {{total}} points, about {{minutes}} minutes. They go with the chapter *Markov chain Monte Carlo* and follow its order.
#
# **How it works.** Replace `raise NotImplementedError` by your code, run that cell, then run the check below it. The check
# shows what came, what was expected and the likely cause. The same cell, with more tests, gives the points later; each
# task says what those tests look at, and *tidiness* is the same everywhere: leave the arguments as they were, return
# tensors of the dtype and the device of the input, and cope with an input that is not contiguous.
# Stuck? Open the hints one by one.
#
# Chance is an argument here: noise and uniform numbers come as tensors, so every answer is exact and can be compared.
# Each row of a batch is a chain of its own. $\pi$ is the target, often known up to a factor only; logarithms are natural.

# %%
import math

import torch

# %% [markdown]
# ## 1 · Hot and cold chains on a few states
#
# ●●○○○ · 25 minutes · {{points}}
#
# *Why it matters:* a hot chain climbs over every hill, a cold one finds the lowest valley; simulated annealing and parallel tempering use both. On a few states each is a matrix, and nothing has to be believed.
#
# **Task.** Chain $k$ has temperature $T_k$ and the target $\pi_k(i) \propto e^{-E_i/T_k}$. From $i$ it proposes $j$ with probability $q^{(k)}_{ij}$, `proposal[k, i, j]`. Return the transition matrices of Metropolis–Hastings (K, S, S): for $i \ne j$
#
# $P_{ij} = q_{ij}\min\Bigl(1, \dfrac{\pi(j)\,q_{ji}}{\pi(i)\,q_{ij}}\Bigr)$,
#
# and on the diagonal all that is left of the row. A way that has no way back, $q_{ij} > 0 = q_{ji}$, is never taken; what is never proposed has $P_{ij} = 0$. Energies may be a thousand times a temperature.
#
# Example: $E = (0, \ln 4)$, $T = 2$, so $\pi \propto (1, \frac12)$, proposals $(0.5, 0.5)$ and $(0.75, 0.25)$: $\frac{\pi_2q_{21}}{\pi_1q_{12}} = \frac{0.5 \cdot 0.75}{1 \cdot 0.5} = 0.75$, so $P = (0.625, 0.375), (0.75, 0.25)$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** What does the chain become as $T \to \infty$, when the proposal is symmetric? And as $T \to 0$?
#
# <details><summary>Answer</summary>
#
# Hot, it accepts everything: $P = q$. Cold, it goes downhill or level only, and stays for ever in a state that is lower than all that it can propose, even if the lowest is elsewhere.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "tempered_chains", "locked": false, "schema_version": 3, "solution": true}
def tempered_chains(energy: torch.Tensor, temperature: torch.Tensor, proposal: torch.Tensor) -> torch.Tensor:
    """energy (S), temperature (K), positive, proposal (K, S, S), rows adding up to 1: the transition matrices (K, S, S)."""
    ### BEGIN SOLUTION
    log_pi = -energy / temperature[:, None]
    rise = log_pi[:, None, :] - log_pi[:, :, None]
    moved = torch.minimum(proposal, (rise + proposal.mT.log()).exp())
    return moved + (1 - moved.sum(2)).diag_embed()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "tempered_chains-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("tempered_chains", points=3, read="formulas/mcmc#a-walk-that-keeps-a-density", misconceptions={
    "no_hastings": "the ratio of the proposals is missing: q_ji over q_ij belongs to the acceptance",
    "refused_lost": "a row does not add up to 1: who is refused stays, and that goes onto the diagonal",
    "rows_scaled": "the rows were divided by their sums: what is refused stays at i, it is not shared out",
    "temperature_missing": "the energies were not divided by the temperature",
    "temperature_on_all": "the temperature acts on the whole ratio: it divides the energies only, q is as it is",
    "upside_down": "the ratio is upside down: π(j) q_ji stands above, low energies attract",
    "way_back": "rows and columns were exchanged: row i holds the ways out of i",
    "zero_by_zero": "nan came where nothing is proposed: 0/0; such a way has P = 0",
    "exponentials_first": "e^(−E/T) was 0 or inf: subtract the energies first, then take one exponential",
})


@task(0.5)
def the_worked_example():
    """Off the diagonal q times the acceptance, on the diagonal the rest of the row."""
    q = torch.tensor([[[0.5, 0.5], [0.75, 0.25]]])
    task.equal(tempered_chains(torch.tensor([0.0, math.log(4)]), torch.tensor([2.0]), q), [[[0.625, 0.375], [0.75, 0.25]]], {
        "no_hastings": [[[0.75, 0.25], [0.75, 0.25]]], "refused_lost": [[[0.5, 0.375], [0.75, 0.25]]],
        "rows_scaled": [[[0.571429, 0.428571], [0.75, 0.25]]], "temperature_missing": [[[0.8125, 0.1875], [0.75, 0.25]]],
        "temperature_on_all": [[[0.693814, 0.306186], [0.75, 0.25]]], "upside_down": [[[0.5, 0.5], [0.5625, 0.4375]]],
        "way_back": [[[0.625, 0.75], [0.375, 0.25]]]}, name="P")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def chain(energy, T, q, hastings=True, stay=True, sign=1.0, power=1.0):
    """One way after the other, in plain Python."""
    n = len(energy)
    P = torch.zeros(n, n).double()
    for i in range(n):
        for j in range(n):
            there, back = (float(q[i, j]), float(q[j, i])) if hastings else (1.0, 1.0)
            if i != j and q[i, j] > 0 and back > 0:
                log_ratio = sign * (float(energy[i] - energy[j]) / T + power * math.log(back / there))
                P[i, j] = float(q[i, j]) * math.exp(min(0.0, log_ratio))
        P[i, i] = 1 - P[i].sum() if stay else float(q[i, i])
    return P


def each(energy, temperature, proposal, **how):
    return torch.stack([chain(energy.double(), float(T), q.double(), **how) for T, q in zip(temperature, proposal)])


def expected(energy, temperature, proposal):
    return each(energy, temperature, proposal)


@task.misconception(0)
def no_hastings(energy, temperature, proposal):
    return each(energy, temperature, proposal, hastings=False)


@task.misconception(0)
def refused_lost(energy, temperature, proposal):
    return each(energy, temperature, proposal, stay=False)


@task.misconception(0)
def rows_scaled(energy, temperature, proposal):
    P = each(energy, temperature, proposal, stay=False)
    return P / P.sum(2, keepdim=True)


@task.misconception(0)
def temperature_missing(energy, temperature, proposal):
    return each(energy, torch.ones_like(temperature), proposal)


@task.misconception(0)
def temperature_on_all(energy, temperature, proposal):
    return torch.stack([chain(energy.double(), float(T), q.double(), power=1 / float(T)) for T, q in zip(temperature, proposal)])


@task.misconception(0)
def upside_down(energy, temperature, proposal):
    return each(energy, temperature, proposal, sign=-1.0)


@task.misconception(0)
def way_back(energy, temperature, proposal):
    return expected(energy, temperature, proposal).mT


@task.misconception(2.5)
def zero_by_zero(energy, temperature, proposal):
    never = ((proposal == 0) & (proposal.mT == 0)) * (1 - torch.eye(len(energy)))
    P = expected(energy, temperature, proposal).where(never == 0, torch.nan)
    return P.where((never.sum(2, keepdim=True) == 0) | (torch.eye(len(energy)) == 0), torch.nan)


@task.misconception(2.5)
def exponentials_first(energy, temperature, proposal):
    pi = (-energy.double() / temperature.double()[:, None]).exp()
    flow = pi[:, :, None] * proposal.double()
    moved = torch.where(proposal > 0, proposal * (flow.mT / flow).clamp(max=1), 0) * (1 - torch.eye(len(energy)))
    return moved + (1 - moved.sum(2)).diag_embed()


def proposals(chains, states):
    q = 0.1 + task.randn(chains, states, states).square()
    return q / q.sum(2, keepdim=True)


@task(1)
def any_energies_and_proposals():
    """Each chain with its own temperature and its own lopsided proposal."""
    for states, temperatures in ((3, (0.5, 1.0, 4.0)), (5, (0.7, 2.5)), (2, (3.0,))):
        q = proposals(len(temperatures), states)
        task.agree(tempered_chains, expected, task.randn(states), torch.tensor(temperatures), q, name="P")


@task(0.5, needs="any_energies_and_proposals")
def ways_that_do_not_exist():
    """No way back: never taken. Never proposed: never taken, and no nan."""
    for states in 4, 5:
        q = proposals(2, states)
        q[:, 0, 2] = q[:, 2, 0] = q[0, 1, 0] = q[1, 3, 2] = q[:, 2, 2] = 0
        q = q / q.sum(2, keepdim=True)
        task.agree(tempered_chains, expected, task.randn(states), torch.tensor([0.8, 2.0]), q, name="P")


@task(0.5, needs="any_energies_and_proposals")
def very_cold_chains():
    """Only differences of energies count, and e^(difference) may be as large as it likes: the minimum with 1 comes."""
    for level in (5.0, -40.0):
        energy = level + torch.arange(4) + 0.1 * task.randn(4)
        given = energy, torch.tensor([0.001, 1.0]), proposals(2, 4)
        task.equal(tempered_chains(*given), expected(*given), {
            "exponentials_first": lambda given=given: exponentials_first(*given)}, name="P")


@task(0.5, needs="any_energies_and_proposals")
def tidiness():
    task.tidy(tempered_chains, task.randn(4), torch.tensor([0.5, 2.0]), proposals(2, 4))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# $q_{ij}\min(1, a/q_{ij}) = \min(q_{ij}, a)$: the smaller of two flows, and no division.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# All differences $\log\pi(j) - \log\pi(i)$ at once: give the vector one axis here and one there. $\log 0$ is $-\infty$, and $e^{-\infty}$ is 0 again: that is what no way back needs.
# The minimum takes care of the diagonal, too; add what is missing in each row.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# rise[k, i, j] ← (E_i − E_j)/T_k; moved ← min(q, exp(rise + log qᵀ)); P ← moved + diagonal of (1 − row sums of moved)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for symmetric proposals only:* there the ratio of the proposals is 1.
#
# </details>
#
# **Go further** (no points). For a double valley of 12 states that proposes its two neighbors, compute the second largest eigenvalue at T = 0.1, 0.3, 1, 3. How long does each chain take to forget where it began?

# %% [markdown]
# ## 2 · A walk that multiplies
#
# ●●●○○ · 30 minutes · {{points}}
#
# *Why it matters:* sizes, rates and concentrations are positive. A walk in factors never proposes a negative one, but it is not symmetric, and it can still run out at the other end.
#
# **Task.** The target on $0 < x_k < L$ is $\pi(x) \propto \prod_k x_k^{a_k - 1}(L - x_k)^{b_k - 1}$, and 0 elsewhere. Walk `len(noise)` steps with all chains at once. In each, propose $x'_k = x_ke^{s\varepsilon_k}$, with $\varepsilon$ from `noise`,
# for all coordinates of a chain together. Its density $q(x' \mid x)$ is log-normal, with a factor $1/x'_k$ for each coordinate, so that
#
# $\alpha = \min\Bigl(1, \dfrac{\pi(x')}{\pi(x)}\prod_k\dfrac{x'_k}{x_k}\Bigr)$, and $\alpha = 0$ where $\pi(x') = 0$.
#
# Move if $\log u < \log\alpha$, with $\log u$ from `log_u`; else the chain stays and its place counts again. Return where the chains are after each step (n, C, d), and all $\alpha$ (n, C).
#
# Example: $x = 1$, $a = b = 2$, $L = 4$, $s = \ln 2$, noise $(-1, 1)$, $u = (0.5, 0.5)$. First $x' = \frac12$, $\alpha = \frac{1.75}3 \cdot \frac12 = 0.2917$: stay. Then $x' = 2$, $\alpha = 1$: places $1, 2$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Without the factors $x'_k/x_k$, which density would the walk keep?
#
# <details><summary>Answer</summary>
#
# $\pi(x)/\prod_k x_k$: too many small numbers. As if $a$ were smaller by 1; for $a \le 1$ it could not even be normalized, and the walk would be lost in 0.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "factor_walk", "locked": false, "schema_version": 3, "solution": true}
def factor_walk(
    x: torch.Tensor, noise: torch.Tensor, log_u: torch.Tensor, scale: float, a: torch.Tensor, b: torch.Tensor, upper: float
) -> tuple[torch.Tensor, torch.Tensor]:
    """x (C, d), noise (n, C, d), log_u (n, C), a and b (d): the places after each step (n, C, d) and all α (n, C)."""
    ### BEGIN SOLUTION
    def log_density(x):
        return ((a - 1) * x.log() + (b - 1) * (upper - x).log()).sum(1)

    places, alphas = torch.zeros_like(noise), torch.zeros_like(log_u)
    for t in range(len(noise)):
        new = x * (scale * noise[t]).exp()
        log_ratio = log_density(new) - log_density(x) + scale * noise[t].sum(1)
        log_ratio = log_ratio.where((new < upper).all(1), -math.inf)
        x = torch.where((log_u[t] < log_ratio)[:, None], new, x)
        places[t], alphas[t] = x, log_ratio.exp().clamp(max=1)
    return places, alphas
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "factor_walk-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("factor_walk", points=3, read="formulas/mcmc#a-walk-that-keeps-a-density", misconceptions={
    "no_correction": "the factors x′/x are missing: a walk in factors is not symmetric",
    "upside_down": "the factors stand upside down: x′ above, x below",
    "added": "the noise was added to x: x′ is x times e^(sε)",
    "proposal_kept": "a refused proposal was written down: the place where the chain stays counts again",
    "from_the_start": "every step began at the first x: go on from where the chain is",
    "by_coordinate": "coordinates were accepted one by one: a chain goes with all of them, or stays",
    "above_one": "α is above 1: take the minimum with 1",
    "outside_accepted": "a place outside was accepted: the log of a negative number is nan, and nan compares false; refuse there",
    "outside_nan": "α is nan outside: π is 0 there, so α is 0",
})


@task(0.5)
def the_worked_example():
    """The ratio of the densities times x′/x; then compare, move or stay."""
    two, log_u = torch.tensor([2.0]), torch.full((2, 1), 0.5).log()
    places, alpha = factor_walk(torch.ones(1, 1), torch.tensor([[[-1.0]], [[1.0]]]), log_u, math.log(2), two, two, 4.0)
    task.equal(alpha, [[0.291667], [1.0]], {
        "no_correction": [[0.583333], [1.0]], "upside_down": [[1.0], [0.857143]], "added": [[0.377815], [1.0]],
        "above_one": [[0.291667], [2.666667]]}, name="α")
    task.equal(places, [[[1.0]], [[2.0]]], {"proposal_kept": [[[0.5]], [[2.0]]]}, name="places")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def log_pi(point, a, b, upper):
    if not all(0 < x < upper for x in point):
        return -math.inf
    return sum((A - 1) * math.log(x) + (B - 1) * math.log(upper - x) for x, A, B in zip(point, a.tolist(), b.tolist()))


def one_step(x, eps, log_u, s, a, b, upper, factors=1, add=False):
    new = [p + s * e if add else p * math.exp(s * e) for p, e in zip(x, eps)]
    here, there = log_pi(x, a, b, upper), log_pi(new, a, b, upper)
    r = there - here + factors * s * sum(eps)
    return (new if log_u < r else x), r, new


def walk(x, noise, log_u, scale, a, b, upper, top=1.0, keep=False, onward=True, **how):
    """Chain after chain, in plain Python."""
    places, alphas = torch.zeros(noise.shape).double(), torch.zeros(log_u.shape).double()
    for c, begin in enumerate(x.tolist()):
        here = begin
        for t in range(len(noise)):
            step, r, new = one_step(here if onward else begin, noise[t, c].tolist(), float(log_u[t, c]), scale, a, b, upper, **how)
            alphas[t, c] = min(top, math.exp(min(r, 50.0)))
            here = step
            places[t, c] = torch.tensor(new if keep else here).double()
    return places, alphas


def unguarded(x, noise, log_u, scale, a, b, upper, go):
    """The logarithm of a negative number is nan."""
    places, alphas, density = torch.zeros_like(noise), torch.zeros_like(log_u), lambda x: ((a - 1) * x.log() + (b - 1) * (upper - x).log()).sum(1)
    for t in range(len(noise)):
        new = x * (scale * noise[t]).exp()
        r = density(new) - density(x) + scale * noise[t].sum(1)
        x = torch.where((~(log_u[t] >= r) if go else log_u[t] < r)[:, None], new, x)
        places[t], alphas[t] = x, r.exp().clamp(max=1)
    return places, alphas


def expected(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper)


@task.misconception(0)
def no_correction(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, factors=0)


@task.misconception(0)
def upside_down(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, factors=-1)


@task.misconception(0)
def added(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, factors=0, add=True)


@task.misconception(0)
def proposal_kept(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, keep=True)


@task.misconception(0.5)
def from_the_start(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, onward=False)


@task.misconception(0.5)
def by_coordinate(x, noise, log_u, scale, a, b, upper):
    each = [walk(x[:, k:k + 1], noise[..., k:k + 1], log_u, scale, a[k:k + 1], b[k:k + 1], upper) for k in range(x.shape[1])]
    return torch.cat([places for places, _ in each], 2), torch.stack([alpha for _, alpha in each], 2).prod(2)


@task.misconception(0)
def above_one(x, noise, log_u, scale, a, b, upper):
    return walk(x, noise, log_u, scale, a, b, upper, top=math.inf)


@task.misconception(2.25)
def outside_accepted(x, noise, log_u, scale, a, b, upper):
    return unguarded(x, noise, log_u, scale, a, b, upper, go=True)


@task.misconception(2.25)
def outside_nan(x, noise, log_u, scale, a, b, upper):
    return unguarded(x, noise, log_u, scale, a, b, upper, go=False)


def travel(n, chains, dims, reach, upper=6.0):
    """Arguments in float64; from 1 and below, n steps lead at most to e^(n · reach)."""
    x = (task.randn(chains, dims).double() / 3).sigmoid()
    noise = (task.randn(n, chains, dims).double()).tanh()
    log_u = torch.special.ndtr(task.randn(n, chains).double()).log()
    a, b = 1.5 + task.randn(dims).double().abs(), 2 + task.randn(dims).double().abs()
    return x, noise, log_u, reach, a, b, upper


@task(1.25)
def chains_that_stay_inside():
    """Many chains, several coordinates: one α for each chain and step."""
    for n, chains, dims in ((4, 6, 2), (3, 5, 3), (4, 12, 1)):
        task.agree(factor_walk, expected, *travel(n, chains, dims, 0.44), name=("places", "α"), tolerance=1e-6)


@task(0.75, needs="chains_that_stay_inside")
def proposals_outside():
    """Where x′ is not below L the density is 0: α is 0, and the chain stays."""
    for dims in 1, 2:
        task.agree(factor_walk, expected, *travel(8, 12, dims, 2.0, 3.0), name=("places", "α"), tolerance=1e-6)


@task(0.5, needs="chains_that_stay_inside")
def tidiness():
    task.tidy(factor_walk, *travel(3, 4, 2, 0.4))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# In logarithms all is a sum: two log-densities, and $\sum_k \log(x'_k/x_k) = s\sum_k\varepsilon_k$.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# A loop over the steps only; a chain is a row, so sums go along the last axis, and `torch.where` with a column of yes and no moves some of them. Decide about places outside before you compare, not after.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# for each step: x′ ← x e^(sε); r ← log π(x′) − log π(x) + s Σε, or −∞ outside; x ← x′ where log u < r; write down x and min(1, eʳ)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *All places of all steps are alike:* the same tensor was written down each time and then changed in place.
#
# </details>
#
# **Go further** (no points). Walk with ordinary steps, x′ = x + sε, for a = 0.2. Which of the two gets near 0, and comes back?

# %% [markdown]
# ## 3 · Gibbs with a swing
#
# ●●○○○ · 25 minutes · {{points}}
#
# *Why it matters:* Gibbs crawls where coordinates are correlated. Adler (1981) draws each coordinate *on the other side* of its conditional mean, which turns the crawl into a swing; in physics it is called overrelaxation.
#
# **Task.** The target is normal with precision matrix $\Lambda$ and $\Lambda\mu = h$. The full conditional of coordinate $i$ is normal with mean $m_i = \bigl(h_i - \sum_{j \ne i}\Lambda_{ij}x_j\bigr)/\Lambda_{ii}$ and variance $1/\Lambda_{ii}$. Go through the coordinates in `order`, each once, and set
#
# $x_i \leftarrow m_i + \kappa\,(x_i - m_i) + \sqrt{1 - \kappa^2}\;\Lambda_{ii}^{-1/2}\,\varepsilon_i$,
#
# each seeing what those before it got; $\varepsilon_i$ belongs to coordinate $i$, whenever its turn comes. Coordinates that `order` does not name stay. $\kappa = 0$ is Gibbs, $-1 < \kappa < 0$ swings. Return the new x (C, d).
#
# Example: $\Lambda = \begin{pmatrix}4 & 2\\ 2 & 4\end{pmatrix}$, $h = (4, 0)$, $x = (1, 2)$, $\varepsilon = (-1, 1)$, $\kappa = 0.6$, order $0, 1$: $m_0 = 0$, $x_0 = 0.6 - 0.4 = 0.2$; $m_1 = -0.1$, $x_1 = -0.1 + 1.26 + 0.4 = 1.56$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** What happens at $\kappa = -1$, and does it still keep the target?
#
# <details><summary>Answer</summary>
#
# Each coordinate is mirrored at its conditional mean, without any chance. The density stays exactly the same, so the target is kept, but the chain never leaves its contour.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "swinging_gibbs", "locked": false, "schema_version": 3, "solution": true}
def swinging_gibbs(
    x: torch.Tensor, precision: torch.Tensor, h: torch.Tensor, noise: torch.Tensor, kappa: float, order: torch.Tensor
) -> torch.Tensor:
    """x and noise (C, d), precision (d, d), h (d), order, different integers (at most d): the new x (C, d)."""
    ### BEGIN SOLUTION
    x = x.clone()
    for i in order.tolist():
        own = precision[i, i]
        m = (h[i] - x @ precision[i] + own * x[:, i]) / own
        x[:, i] = m + kappa * (x[:, i] - m) + ((1 - kappa**2) / own).sqrt() * noise[:, i]
    return x
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "swinging_gibbs-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("swinging_gibbs", points=2, read="formulas/mcmc#gibbs", misconceptions={
    "all_at_once": "all coordinates saw the old x: each sees what those before it got",
    "own_included": "the sum goes over j ≠ i: x_i itself does not belong to its conditional mean",
    "variance_as_sd": "the noise is multiplied with the variance 1/Λ_ii: take its root",
    "marginal": "the spread is that of Λ⁻¹: given the others, the variance is 1/Λ_ii",
    "noise_too_large": "the factor √(1 − κ²) is missing: part of the spread is already in x",
    "other_side": "κ has the wrong sign: κ (x_i − m_i) is added to m_i",
    "h_as_mean": "h was taken for the mean: h is Λμ",
    "noise_by_turn": "the noise was taken in the order of the turns: ε_i belongs to coordinate i",
    "counting_order": "`order` was ignored: go through the coordinates as it says, and leave the others",
})


@task(0.25)
def the_worked_example():
    """Mean of the others, what is kept of the distance from it, fresh noise; then the next coordinate."""
    x = swinging_gibbs(torch.tensor([[1.0, 2]]), torch.tensor([[4.0, 2], [2, 4]]), torch.tensor([4.0, 0]),
                       torch.tensor([[-1.0, 1]]), 0.6, torch.tensor([0, 1]))
    task.equal(x, [[0.2, 1.56]], {
        "all_at_once": [[0.2, 1.4]], "own_included": [[-0.2, 0.84]], "variance_as_sd": [[0.4, 1.32]],
        "marginal": [[0.138120, 1.634256]], "noise_too_large": [[0.1, 1.68]], "other_side": [[-1.0, 0.0]],
        "h_as_mean": [[1.4, 2.12]]}, name="x")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def sweep(x, precision, h, noise, kappa, order, at_once=False, own=False, spread=None, root=None, h_is_mean=False, by_turn=False):
    """Chain after chain, entry after entry."""
    P, new = precision.double().tolist(), x.double().clone()
    h, d, root = h.double(), len(P), (1 - kappa**2) ** 0.5 if root is None else root
    for c in range(len(x)):
        old = new[c].clone()
        for turn, i in enumerate(order.tolist()):
            seen = old if at_once else new[c]
            if h_is_mean:
                m = h[i] - sum(P[i][j] * (seen[j] - h[j]) for j in range(d) if j != i) / P[i][i]
            else:
                m = (h[i] - sum(P[i][j] * seen[j] for j in range(d) if j != i or own)) / P[i][i]
            sd = P[i][i] ** -0.5 if spread is None else spread[i]
            new[c, i] = m + kappa * (seen[i] - m) + root * sd * noise[c, turn if by_turn else i]
    return new


def expected(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order)


@task.misconception(0)
def all_at_once(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, at_once=True)


@task.misconception(0)
def own_included(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, own=True)


@task.misconception(0)
def variance_as_sd(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, spread=1 / precision.double().diagonal())


@task.misconception(0)
def marginal(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, spread=precision.double().inverse().diagonal().sqrt())


@task.misconception(0)
def noise_too_large(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, root=1.0)


@task.misconception(0)
def other_side(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, -kappa, order)


@task.misconception(0)
def h_as_mean(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, h_is_mean=True)


@task.misconception(1.5)
def noise_by_turn(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, order, by_turn=True)


@task.misconception(1.5)
def counting_order(x, precision, h, noise, kappa, order):
    return sweep(x, precision, h, noise, kappa, torch.arange(len(h)))


def bowl(chains, d):
    A = task.randn(d, d + 2).double()
    return task.randn(chains, d).double(), A @ A.T / d + torch.eye(d), 2 * task.randn(d).double(), task.randn(chains, d).double()


@task(1)
def any_normal_target():
    """One after the other; the sum leaves x_i out, the spread is that of the conditional."""
    for chains, d, kappa in ((4, 3, -0.8), (2, 5, 0.3), (3, 2, -0.95)):
        task.agree(swinging_gibbs, expected, *bowl(chains, d), kappa, torch.arange(d), name="x", tolerance=1e-6)


@task(0.5, needs="any_normal_target")
def any_order():
    """The coordinates as `order` names them; the others stay."""
    for order in ([3, 1, 0, 2], [2, 0], [1]):
        task.agree(swinging_gibbs, expected, *bowl(3, 4), -0.6, torch.tensor(order), name="x", tolerance=1e-6)


@task(0.25, needs="any_normal_target")
def tidiness():
    task.tidy(swinging_gibbs, *bowl(3, 4), -0.7, torch.tensor([2, 3, 0]))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# One coordinate at a time, in all chains at once; the next line of the loop already sees the new value.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Work on a copy of x. The sum over all $j$ is a product of `x` with row $i$ of Λ; take out the term of $i$ itself.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# for i in order: m ← (h_i − x·Λ_i + Λ_ii x_i)/Λ_ii; x_i ← m + κ (x_i − m) + √((1 − κ²)/Λ_ii) ε_i
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one coordinate only:* then there is nothing to see of the others.
#
# </details>
#
# **Go further** (no points). Two coordinates with correlation .99: measure the autocorrelation time of x₀ + x₁ for κ between −0.99 and 0. Which κ is best, and is it good for x₀² as well?

# %% [markdown]
# ## 4 · Shrink until it fits
#
# ●●●●○ · 35 minutes · {{points}}
#
# *Why it matters:* slice sampling refuses nothing, because whoever misses learns from it. Its loop ends after a different number of tries in every chain, and still all chains go at once.
#
# **Task.** The target is a mixture, $\pi(x) = \sum_k w_k N(x \mid \mu_k, \sigma_k^2)$. Chain $c$ is at $x_c$; its height is $\log y = \log\pi(x) + \log u$, with `log_u`; its interval is `low`, `high`, around $x$. In try $i$ it looks at
#
# $t = \text{low} + u_i\,(\text{high} - \text{low})$, with `u[i, c]`.
#
# If $\log\pi(t) > \log y$, it moves there and is done. Else $t$ becomes its low end if $t < x$, its high end if not. A chain that finds none in all tries, stays at $x$. Return the new places (C) and how often each chain tried (C), integers. Far out, $\pi(x)$ may be 0 in floating point; $\log\pi(x)$ is not $-\infty$.
#
# Example: $\pi = N(0, 1)$, $x = 1$, $\log u = -0.5$, so the slice is $|t| < \sqrt2$; interval $(-3, 5)$, $u = (0.875, 0.2, 0.5, 0.25)$. Tries: 4, then $-1.6$ in $(-3, 4)$, then $1.2$ in $(-1.6, 4)$, a hit: place 1.2, 3 tries.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Why are the ends moved towards $x$, and not towards the middle of the interval?
#
# <details><summary>Answer</summary>
#
# $x$ is in the slice for sure, so what is left always holds a piece of it, and the loop ends. It also makes the way back as likely as the way there.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "shrink_slice", "locked": false, "schema_version": 3, "solution": true}
def shrink_slice(
    x: torch.Tensor, log_u: torch.Tensor, low: torch.Tensor, high: torch.Tensor, u: torch.Tensor,
    weight: torch.Tensor, mean: torch.Tensor, sd: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x, log_u, low, high (C), u (n, C), weight, mean, sd (K): the new places (C) and the numbers of tries (C)."""
    ### BEGIN SOLUTION
    def log_density(x):
        z = (x[:, None] - mean) / sd
        return (weight.log() - sd.log() - z.square() / 2).logsumexp(1)

    height = log_density(x) + log_u
    found, todo, tries = x, torch.ones_like(x, dtype=torch.bool), torch.zeros_like(x, dtype=torch.long)
    for row in u:
        tries = tries + todo
        t = low + row * (high - low)
        hit = log_density(t) > height
        found = torch.where(todo & hit, t, found)
        todo = todo & ~hit
        low, high = torch.where(t < x, t, low), torch.where(t < x, high, t)
    return found, tries
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "shrink_slice-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("shrink_slice", points=3, read="formulas/mcmc#slice-sampling", misconceptions={
    "other_end": "the wrong end moved: t below x becomes the low end, t above it the high one",
    "not_shrunk": "the interval did not shrink: a try that missed becomes an end of it",
    "seen_from_the_middle": "t was compared with the middle of the interval: x is what must stay inside",
    "seen_from_zero": "t was compared with 0: that is right only where x is the origin",
    "height_without_x": "the height is log π(x) + log u: the density where the chain is, is missing",
    "goes_on": "the chain moved on after a hit: the first place in the slice is the new one",
    "last_try": "who found nothing stays at x: its last try is outside the slice",
    "no_sd": "each part of the mixture has a factor 1/σ",
    "no_weights": "the weights of the mixture were left out",
    "mean_of_logs": "the logarithms of the parts were averaged: log π is the log of their sum",
    "density_first": "far out π is 0 and its log −∞: sum with `logsumexp`, without leaving the logarithms",
})


@task(0.5)
def the_worked_example():
    """Try, compare with the height, and let what missed become an end, on its side of x."""
    one, u = torch.ones(1), torch.tensor([[0.875], [0.2], [0.5], [0.25]])
    x, tries = shrink_slice(one, -one / 2, -3 * one, 5 * one, u, one, 0 * one, one)
    task.equal(x, [1.2], {"other_end": [1.0], "not_shrunk": [-1.4], "height_without_x": [1.0], "goes_on": [-0.2]}, name="x")
    task.equal(tries, [3], name="tries")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def log_pi(x, parts, kind="sum"):
    logs = [math.log(w) - math.log(s) - ((x - m) / s) ** 2 / 2 for w, m, s in parts]
    if kind == "logs":
        return sum(w * (log - math.log(w)) for log, (w, _, _) in zip(logs, parts))
    top = max(logs)
    return top + math.log(sum(math.exp(log - top) for log in logs))


def chains(x, log_u, low, high, u, weight, mean, sd, at=lambda x, low, high: x, shrink=True, flip=False, here=True, stop=True,
           stay=True, kind="sum", constant=0.0):
    """Chain after chain, in plain Python."""
    parts, places, counts = list(zip(weight.tolist(), mean.tolist(), sd.tolist())), [], []
    for c, begin in enumerate(x.tolist()):
        a, b, place, count, done = float(low[c]), float(high[c]), begin, 0, False
        height = (log_pi(begin, parts, kind) if here else constant) + float(log_u[c])
        for share in u[:, c].tolist():
            count += 1
            t = a + share * (b - a)
            if log_pi(t, parts, kind) > height:
                place, done = t, True
                if stop:
                    break
            elif shrink:
                a, b = (t, b) if (t < at(begin, a, b)) != flip else (a, t)
        places.append(place if done or stay else t)
        counts.append(count)
    return torch.tensor(places).double(), torch.tensor(counts)


def expected(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd)


@task.misconception(0)
def other_end(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, flip=True)


@task.misconception(0)
def not_shrunk(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, shrink=False)


@task.misconception(0.5)
def seen_from_the_middle(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, at=lambda x, low, high: (low + high) / 2)


@task.misconception(0.5)
def seen_from_zero(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, at=lambda x, low, high: 0.0)


@task.misconception(0)
def height_without_x(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, here=False, constant=math.log(2 * math.pi) / 2)


@task.misconception(0)
def goes_on(x, log_u, low, high, u, weight, mean, sd):
    return chains(x, log_u, low, high, u, weight, mean, sd, stop=False)


def by_tensors(x, log_u, low, high, u, log_density, leave=False):
    height, found, todo = log_density(x) + log_u, x, torch.ones_like(x, dtype=torch.bool)
    tries = torch.zeros_like(x, dtype=torch.long)
    for share in u:
        t = low + share * (high - low)
        tries, hit = tries + todo, log_density(t) > height
        found, todo = torch.where(todo & (hit | leave), t, found), todo & ~hit
        low, high = torch.where(t < x, t, low), torch.where(t < x, high, t)
    return found, tries


@task.misconception(2.75)
def last_try(x, log_u, low, high, u, weight, mean, sd):
    return by_tensors(x, log_u, low, high, u, lambda x: (weight.log() - sd.log() - ((x[:, None] - mean) / sd) ** 2 / 2).logsumexp(1), leave=True)


@task.misconception(2.5)
def no_sd(x, log_u, low, high, u, weight, mean, sd):
    return by_tensors(x, log_u, low, high, u, lambda x: (weight.log() - ((x[:, None] - mean) / sd) ** 2 / 2).logsumexp(1))


@task.misconception(2.5)
def no_weights(x, log_u, low, high, u, weight, mean, sd):
    return by_tensors(x, log_u, low, high, u, lambda x: (-sd.log() - ((x[:, None] - mean) / sd) ** 2 / 2).logsumexp(1))


@task.misconception(2.5)
def mean_of_logs(x, log_u, low, high, u, weight, mean, sd):
    return by_tensors(x, log_u, low, high, u, lambda x: (weight * (-sd.log() - ((x[:, None] - mean) / sd) ** 2 / 2)).sum(1))


@task.misconception(2.5)
def density_first(x, log_u, low, high, u, weight, mean, sd):
    return by_tensors(x, log_u, low, high, u, lambda x: (weight / sd * (-((x[:, None] - mean) / sd) ** 2 / 2).exp()).sum(1).log())


def uniform(*shape):
    return torch.special.ndtr(task.randn(*shape).double())


def start(number, tries, weight, mean, sd, x=None, width=6.0):
    """An interval of that width, anywhere around x, and a height below the density."""
    given = torch.tensor(weight).double(), torch.tensor(mean).double(), torch.tensor(sd).double()
    x = mean[0] + 2 * task.randn(number).double() if x is None else x
    low = x - width * uniform(number)
    return x, uniform(number).log(), low, low + width, uniform(tries, number), *given


NAMES = "x", "tries"


@task(1)
def one_hill():
    """Chains anywhere on one hill: each is done at its own first hit."""
    for mean, sd in ((2.5, 0.8), (-3.0, 0.5)):
        task.agree(shrink_slice, expected, *start(25, 60, [1.0], [mean], [sd], width=8.0), name=NAMES, tolerance=1e-6)


@task(0.5, needs="one_hill")
def several_hills():
    """The log of the sum of parts, each with its weight and its factor 1/σ."""
    for weight, mean, sd in (([0.7, 0.3], [-2.0, 2.0], [0.4, 1.5]), ([0.1, 0.6, 0.3], [0.0, 3.0, 1.0], [2.0, 0.3, 0.6])):
        task.agree(shrink_slice, expected, *start(40, 60, weight, mean, sd), name=NAMES, tolerance=1e-6)


@task(0.5, needs="one_hill")
def far_out():
    """Where the density is 0 in floating point its logarithm is a number."""
    x = 60 + task.randn(20).double()
    task.agree(shrink_slice, expected, *start(20, 60, [0.5, 0.5], [0.0, 0.0], [1.0, 1.0], x), name=NAMES, tolerance=1e-6)


@task(0.25, needs="one_hill")
def tries_that_run_out():
    """No hit in all tries: the place is x, and all tries count."""
    task.agree(shrink_slice, expected, *start(40, 1, [1.0], [0.0], [0.3], width=20.0), name=NAMES, tolerance=1e-6)


@task(0.25, needs="one_hill")
def tidiness():
    task.tidy(shrink_slice, *start(6, 30, [0.6, 0.4], [0.0, 2.0], [1.0, 0.5]))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Keep a mask of those who are still looking. Chains that are done may go on computing, if nobody listens.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Write $\log\pi$ first: log-weight, minus $\log\sigma$, minus half the squared distance, and `logsumexp` over the parts. In the loop over the rows of `u`, use `torch.where` for places, ends and the mask.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# height ← log π(x) + log u; for each row: tries += looking; t; hit ← log π(t) > height; found ← t where looking and hit; looking ← looking and not hit; ends
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Every chain has the same number of tries:* they are counted while somebody is looking; count each for itself.
#
# </details>
#
# **Go further** (no points). Start 10,000 chains exactly from the mixture, give each an interval of width 6 at random around it, and shrink. Are the new places distributed by the mixture, too? And with the ends moved towards the middle?

# %% [markdown]
# ## 5 · Around the ellipse, once
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* rates of events in space or time are often modelled as $e^x$, with a normal prior for $x$ that makes neighbors alike. Elliptical slice sampling draws from the posterior, with nothing to tune.
#
# **Task.** Counts $y_k$ are Poisson with rate $e^{x_k}$, $\log L(x) = \sum_k (y_kx_k - e^{x_k})$, up to a constant. The prior of $x$ is $N(m, FF^\top)$, $F$ any square matrix. Make one step for one chain:
#
# the height is $\log y = \log L(x) + \log u$; with $\nu = F\varepsilon$, the places $x'(\theta) = m + (x - m)\cos\theta + \nu\sin\theta$ lie on an ellipse *around the mean*. First look at $\theta = 2\pi u_0$, with the bracket from $\theta - 2\pi$ to $\theta$. While $\log L(x'(\theta))$ is not above the height, the bracket's low end becomes $\theta$ if $\theta < 0$, its high end if not, and the next number of `u` gives $\theta = \text{low} + u_i\,(\text{high} - \text{low})$.
# Return $x'$ (d) and $\theta$. `u` has numbers enough.
#
# Example: $m = (1, 0)$, $F = \begin{pmatrix}2 & 1\\ 0 & 1\end{pmatrix}$, $y = (4, 2)$, $x = (2, 1)$, $\varepsilon = (-1, 1)$, $\log u = -0.5$, $u = (0.25, 0.5, 0.8)$: $\nu = (-1, 1)$; $\theta = \frac\pi2$, $x' = (0, 1)$ misses, so does $\theta = -\frac\pi2$, $x' = (2, -1)$; then $\theta = 0.3\pi$, $x' = (0.779, 1.397)$ is in.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Where does the prior enter, if only the likelihood is compared with the height?
#
# <details><summary>Answer</summary>
#
# In the ellipse: $x$ and a draw of the prior span it, and turning both by the same angle keeps the prior. To add $\log p(x)$ to $\log L$ would count it twice.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "ellipse_step", "locked": false, "schema_version": 3, "solution": true}
def ellipse_step(
    x: torch.Tensor, mean: torch.Tensor, factor: torch.Tensor, counts: torch.Tensor,
    noise: torch.Tensor, log_u: torch.Tensor, u: torch.Tensor,
) -> tuple[torch.Tensor, torch.Tensor]:
    """x, mean, counts, noise (d), factor F (d, d), log_u, one number, u (n): the new x (d) and its angle, one number."""
    ### BEGIN SOLUTION
    def log_likelihood(x):
        return (counts * x - x.exp()).sum()

    height, nu = log_likelihood(x) + log_u, factor @ noise
    angle = 2 * math.pi * u[0]
    low, high = angle - 2 * math.pi, angle
    for share in u[1:]:
        new = mean + (x - mean) * angle.cos() + nu * angle.sin()
        if log_likelihood(new) > height:
            break
        low, high = (angle, high) if angle < 0 else (low, angle)
        angle = low + share * (high - low)
    return mean + (x - mean) * angle.cos() + nu * angle.sin(), angle
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "ellipse_step-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("ellipse_step", points=2, read="formulas/mcmc#slice-sampling", misconceptions={
    "around_zero": "the ellipse is around 0: it lies around the prior's mean m, so turn x − m",
    "mean_in_nu": "ν is Fε, without m: the mean is added once, outside",
    "prior_twice": "the prior was added to the height's density: it is in the ellipse already",
    "exchanged": "sine and cosine were exchanged: at θ = 0 the place is x",
    "other_end": "the wrong end moved: a negative θ that missed becomes the low end",
    "from_zero": "the first bracket goes from θ − 2π to θ, one turn that holds 0",
    "covariance": "F was multiplied twice: Fε has covariance FFᵀ",
    "transposed": "the noise was multiplied with Fᵀ: ν is F times ε",
    "first_place": "the first θ was taken whatever its likelihood: compare it with the height",
})


@task(0.25)
def the_worked_example():
    """Angles, bracket and ellipse in the order of the task."""
    x, mean, F, y, noise = (torch.tensor(one) for one in ([2.0, 1], [1.0, 0], [[2.0, 1], [0, 1]], [4.0, 2], [-1.0, 1]))
    x, angle = ellipse_step(x, mean, F, y, noise, torch.tensor(-0.5), torch.tensor([0.25, 0.5, 0.8, 0.4, 0.3]))
    task.equal(x, [0.778768, 1.396802], {
        "around_zero": [2.100079, 0.880755], "mean_in_nu": [1.000000, 1.000000], "prior_twice": [2.106468, 0.880755],
        "exchanged": [2.000000, 1.000000], "other_end": [0.000000, 1.000000], "from_zero": [1.000000, 1.414214],
        "covariance": [2.445037, 0.993611], "transposed": [2.219324, 0.993611], "first_place": [0.000000, 1.000000]}, name="x")
    task.equal(angle, 0.3 * math.pi, name="θ")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def turn(x, mean, factor, counts, noise, log_u, u, center=None, shift=0.0, nu=None, prior=False, swap=False, flip=False, low=None, look=True):
    x, mean, factor, counts, noise, log_u, u = (one.double() for one in (x, mean, factor, counts, noise, log_u, u))
    center = mean if center is None else center
    nu = torch.mv(factor, noise) if nu is None else nu

    def place(angle):
        c, s = (math.sin(angle), math.cos(angle)) if swap else (math.cos(angle), math.sin(angle))
        return torch.lerp(center, x, c) + s * (nu + shift)

    def value(x):
        away = torch.linalg.solve(factor, x - mean)
        return float(torch.dot(counts, x) - torch.exp(x).sum()) - (float(away.dot(away)) / 2 if prior else 0.0)

    angle = 2 * math.pi * float(u[0])
    a, b = angle - 2 * math.pi if low is None else low, angle
    for share in u[1:].tolist():
        if not look or value(place(angle)) > value(x) + float(log_u):
            break
        a, b = (angle, b) if (angle < 0) != flip else (a, angle)
        angle = a + share * (b - a)
    return place(angle), torch.tensor(angle).double()


def expected(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u)


@task.misconception(0.75)
def around_zero(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, center=torch.zeros_like(mean).double())


@task.misconception(0.75)
def mean_in_nu(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, shift=mean.double())


@task.misconception(0)
def prior_twice(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, prior=True)


@task.misconception(0)
def exchanged(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, swap=True)


@task.misconception(0)
def other_end(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, flip=True)


@task.misconception(0)
def from_zero(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, low=0.0)


@task.misconception(0)
def covariance(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, nu=(factor @ factor.T @ noise).double())


@task.misconception(0)
def transposed(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, nu=(noise @ factor).double())


@task.misconception(0)
def first_place(x, mean, factor, counts, noise, log_u, u):
    return turn(x, mean, factor, counts, noise, log_u, u, look=False)


def field(d, mean=0.0):
    """A place, a prior of neighbors that are alike, counts that are likely, chance."""
    factor = 0.3 * task.randn(d, d).double() + torch.ones(d, d).tril().double() / 2
    center = mean * (1 + task.randn(d).double().abs())
    x, noise = center + factor @ task.randn(d).double(), task.randn(d).double()
    counts = (x.exp() + task.randn(d) * x.exp().sqrt()).round().clamp(min=0)
    return x, center, factor, counts, noise, -task.randn(1)[0].double().square() / 2, torch.special.ndtr(task.randn(60).double())


@task(0.75)
def around_nothing():
    """A prior with mean 0, several coordinates: F is any square matrix."""
    for d in (2, 3, 5, 4) * 8:
        task.agree(ellipse_step, expected, *field(d), name=("x", "θ"), tolerance=1e-6)


@task(0.75, needs="around_nothing")
def around_the_mean():
    """The ellipse lies around the mean of the prior."""
    for d in (1, 2, 4, 3) * 4:
        task.agree(ellipse_step, expected, *field(d, 0.6), name=("x", "θ"), tolerance=1e-6)


@task(0.25, needs="around_the_mean")
def tidiness():
    task.tidy(ellipse_step, *field(3, 0.6))
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# It is the shrinking of the last exercise, for an angle: 0 is where the chain is, and always inside.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Two small functions, the log-likelihood of a place and the place of an angle. Then one loop that looks, leaves or shrinks.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# ν ← Fε; θ ← 2πu₀; low, high ← θ − 2π, θ; for the rest of u: leave if log L(x′(θ)) > height; move an end; θ ← low + u (high − low)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for a prior around 0 only:* the mean is missing somewhere.
#
# </details>
#
# **Go further** (no points). Counts of 20 years, a prior that is a random walk from year to year: run 5000 steps and draw the band that holds nine tenths of the rates.

# %% [markdown]
# ## 6 · A ball with a mass in every direction
#
# ●●●○○ · 30 minutes · {{points}}
#
# *Why it matters:* a target that is narrow one way and wide another needs a ball that is heavy one way and light another. And whether a trajectory may be trusted is read off its energy.
#
# **Task.** The landscape is $U(q) = \frac12q^\top Aq + \frac14\sum_k c_kq_k^4$, with symmetric $A$; the energy is $H = U(q) + \frac12p^\top M^{-1}p$. Make `steps` leapfrog steps of size `eps` with all chains,
#
# $p \leftarrow p - \frac\epsilon2\nabla U(q)$, $\;q \leftarrow q + \epsilon M^{-1}p$, $\;p \leftarrow p - \frac\epsilon2\nabla U(q)$,
#
# $M$ being any symmetric positive definite matrix. Return q, p (both (C, d)) and the energy error of each chain (C): the largest $|H - H_{\text{start}}|$ after any of the steps, not only the last.
#
# Example: $A = 1$, $c = 1$, $M = 2$, $\epsilon = 1$, one step from $q = 1$, $p = 0$: $\nabla U = 2$, $p = -1$, $q = 0.5$, $\nabla U = 0.625$, $p = -1.3125$. $H$ went from 0.75 to 0.5713: error 0.1787.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** With $c = 0$ and $\epsilon$ far too large the ball flies away. How does its energy error grow with the number of steps? And for an $\epsilon$ that is just small enough?
#
# <details><summary>Answer</summary>
#
# By about the same factor in each step, like a power. For a smaller one it swings and stays bounded, however long the way. There is hardly anything between the two.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "massive_leapfrog", "locked": false, "schema_version": 3, "solution": true}
def massive_leapfrog(
    q: torch.Tensor, p: torch.Tensor, M: torch.Tensor, A: torch.Tensor, c: torch.Tensor, eps: float, steps: int
) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    """q and p (C, d), M and A (d, d), c (d): q and p after all steps, (C, d), and the largest energy error (C)."""
    ### BEGIN SOLUTION
    def slope(q):
        return q @ A + c * q**3

    def energy(q, p):
        return (q @ A * q / 2 + c * q**4 / 4 + p @ inverse * p / 2).sum(1)

    inverse = torch.linalg.inv(M)
    start = energy(q, p)
    error = torch.zeros_like(start)
    for _ in range(steps):
        p = p - eps / 2 * slope(q)
        q = q + eps * p @ inverse
        p = p - eps / 2 * slope(q)
        error = torch.maximum(error, (energy(q, p) - start).abs())
    return q, p, error
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "massive_leapfrog-check", "locked": true, "points": 3, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("massive_leapfrog", points=3, read="formulas/mcmc#hamiltonian-monte-carlo", misconceptions={
    "uphill": "the ball rolls uphill: the kick is minus the slope of U",
    "whole_kicks": "both kicks were whole: each has half a step",
    "last_kick_whole": "half a kick is missing at the end: whole kicks stand between two drifts only",
    "euler": "q and p were moved at once, from old values: the drift takes the new p, the second kick the new q",
    "times_mass": "the drift multiplied with M: heavy balls are slow, so M⁻¹",
    "mass_forgotten": "the mass is missing in the drift",
    "one_over_entries": "only the diagonal of M was used, or 1 over its entries: M⁻¹ is the inverse matrix",
    "other_slope": "the slope of ¼ c q⁴ is c q³",
    "energy_with_mass": "the kinetic energy has M⁻¹: half of p times the velocity M⁻¹p",
    "last_error": "the error of the last step came: the largest on the way was asked for",
    "signed_error": "an error has a sign: its size was asked for",
    "turned": "p came back with its sign turned: return it as it is",
})


@task(0.25)
def the_worked_example():
    """Half a kick, a drift with the new momentum, half a kick at the new place."""
    one = torch.ones(1, 1)
    q, p, error = massive_leapfrog(one, 0 * one, 2 * one, one, torch.ones(1), 1.0, 1)
    task.equal(q, [[0.5]], {"uphill": [[1.5]], "whole_kicks": [[0.0]], "euler": [[1.0]], "times_mass": [[-1.0]], "mass_forgotten": [[0.0]]}, name="q")
    task.equal(p, [[-1.3125]], {"last_kick_whole": [[-1.625]], "turned": [[1.3125]]}, name="p")
    task.equal(error, [0.178711], {"energy_with_mass": [1.113281], "signed_error": [-0.178711]}, name="error")


@task(0.25)
def there_and_back():
    """Turn p, run again, and the ball is at its start; half the step, a quarter of the error: the leapfrog is of second order."""
    q, p = torch.tensor([[1.0, -0.5]]).double(), torch.tensor([[0.3, 0.8]]).double()
    M, A, c = torch.diag(torch.tensor([2.0, 0.5])).double(), torch.eye(2).double(), torch.tensor([0.5, 0.0]).double()
    there, push, _ = massive_leapfrog(q, p, M, A, c, 0.3, 8)
    back, push, _ = massive_leapfrog(there, -push, M, A, c, 0.3, 8)
    task.equal(back, q, name="q, there and back", tolerance=1e-8)
    task.equal(push, -p, name="p, there and back", tolerance=1e-8)
    errors = [massive_leapfrog(q, p, M, A, c, 0.1 / k, 20 * k)[2] for k in (1, 2)]
    task.equal(errors[0] / errors[1], [4.0], name="ratio of the errors", tolerance=0.05)

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def roll(q, p, M, A, c, eps, steps, sign=1.0, halves=(0.5, 0.5), drift=None, cubic=1.0, kinetic=None, at_once=False, record=None):
    """The slope is autograd's, and every error is kept."""
    q, p, M, A, c = (one.double() for one in (q, p, M, A, c))
    velocity = drift or (lambda p: torch.linalg.solve(M, p.mT).mT)
    kinetic = kinetic or (lambda p: (p * torch.linalg.solve(M, p.mT).mT).sum(-1) / 2)

    def height(q, cubic=1.0):
        return (q @ A * q).sum(-1) / 2 + cubic * (c * q**4).sum(-1) / 4

    def slope(q):
        q = q.clone().requires_grad_()
        return torch.autograd.grad(height(q, cubic).sum(), q)[0]

    start, along = height(q) + kinetic(p), [torch.zeros(len(q)).double()]
    for step in range(steps):
        if at_once:
            q, p = q + eps * velocity(p), p - eps * slope(q)
        else:
            p = p - sign * halves[0 if step == 0 or halves[0] == halves[1] else 2] * eps * slope(q)
            q = q + eps * velocity(p)
            p = p - sign * halves[1] * eps * slope(q)
        along.append(height(q) + kinetic(p) - start)
    along = torch.stack(along)
    return q, p, record(along) if record else along.abs().amax(0)


def expected(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps)


@task.misconception(0)
def uphill(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, sign=-1.0)


@task.misconception(0)
def whole_kicks(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, halves=(1.0, 1.0))


@task.misconception(0)
def last_kick_whole(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, halves=(0.5, 1.0, 0.0))


@task.misconception(0)
def euler(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, at_once=True)


@task.misconception(0)
def times_mass(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, drift=lambda p: p @ M.double())


@task.misconception(0)
def mass_forgotten(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, drift=lambda p: p)


@task.misconception(2.5)
def one_over_entries(q, p, M, A, c, eps, steps):
    M = M.double().diagonal().diag()
    return roll(q, p, M, A, c, eps, steps)


@task.misconception(0)
def other_slope(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, cubic=4.0)


@task.misconception(2)
def energy_with_mass(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, kinetic=lambda p: (p @ M.double() * p).sum(-1) / 2)


@task.misconception(2.5)
def last_error(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, record=lambda along: along[-1].abs())


@task.misconception(2.25)
def signed_error(q, p, M, A, c, eps, steps):
    return roll(q, p, M, A, c, eps, steps, record=lambda along: along.gather(0, along.abs().argmax(0, keepdim=True))[0])


@task.misconception(0)
def turned(q, p, M, A, c, eps, steps):
    q, p, error = expected(q, p, M, A, c, eps, steps)
    return q, -p, error


NAMES = "q", "p", "error"


def landscape(chains, d, diagonal=False):
    root = task.randn(d, d + 2).double()
    M = (0.5 + task.randn(d).double().square()).diag() if diagonal else root @ root.T / d + torch.eye(d) / 2
    root = task.randn(d, d + 1).double()
    A = root @ root.T / d
    return task.randn(chains, d).double(), task.randn(chains, d).double(), M, A, task.randn(d).double().abs() / 2


@task(1.25)
def masses_of_the_axes():
    """A diagonal M; c is not 0, and the steps are many."""
    for chains, d, eps, steps in ((3, 2, 0.1, 15), (2, 4, 0.15, 8), (4, 1, 0.05, 1)):
        task.agree(massive_leapfrog, expected, *landscape(chains, d, True), eps, steps, name=NAMES, parts=(0, 1), tolerance=1e-6)


@task(0.5, needs="masses_of_the_axes")
def a_full_mass_matrix():
    """Any symmetric positive M: the velocity is M⁻¹p."""
    for chains, d, eps, steps in ((3, 2, 0.1, 12), (2, 5, 0.1, 6)):
        task.agree(massive_leapfrog, expected, *landscape(chains, d), eps, steps, name=NAMES, parts=(0, 1), tolerance=1e-6)


@task(0.5, needs="masses_of_the_axes")
def the_energy_error():
    """The largest size after any step, for each chain; without a step it is 0."""
    for chains, d, eps, steps in ((5, 2, 0.2, 25), (5, 3, 0.1, 20), (2, 2, 0.1, 0)):
        task.agree(massive_leapfrog, expected, *landscape(chains, d, True), eps, steps, name=NAMES, tolerance=1e-6)


@task(0.25, needs="masses_of_the_axes")
def tidiness():
    task.tidy(massive_leapfrog, *landscape(3, 2), 0.1, 4)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Each line changes one of q and p by a function of the other. Keep their order, and everything else follows.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Chains are rows, so a symmetric matrix stands on the right: `q @ A`, `p @ inverse`. The fourth powers have the slope $c\,q^3$. Compare energies after every step with the one at the start.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# error ← 0; for each step: p ← p − ε/2 ∇U(q); q ← q + ε M⁻¹p; p ← p − ε/2 ∇U(q); error ← max(error, |H − H at the start|)
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one chain only:* a sum went over the chains as well.
#
# </details>
#
# **Go further** (no points). Compute the determinant of the Jacobian of (q, p) ↦ (q′, p′) with `torch.autograd.functional.jacobian`. Then make one of the two kicks depend on p as well. What happens to the determinant, and why does Metropolis mind?

# %% [markdown]
# ## 7 · Have the pieces met?
#
# ●●●○○ · 30 minutes · {{points}}
#
# *Why it matters:* the mean of a chain that still drifts means nothing, and one chain alone never says so. Cut into pieces it does.
#
# **Task.** `draws` (n, m) holds n draws of m chains. Cut each chain into `pieces` pieces of $\ell = \lfloor n/\text{pieces}\rfloor$ draws; surplus draws are dropped from the *beginning*. Replace every value by $z = \Phi^{-1}\bigl(\frac{r - 3/8}{S + 1/4}\bigr)$, with $r$ its rank among all $S$ values that are left, of all pieces,
# from 1; equal values share the mean of their ranks. With $W$ the mean of the pieces' variances (over $\ell - 1$) and $V$ the variance of their means (over their number less 1), return
#
# $\hat R = \sqrt{\dfrac{\ell - 1}\ell + \dfrac VW}$,
#
# one number; 1 if all values are equal, $\infty$ if only each piece's are. Pieces hold at least two draws, and there are at least two of them.
#
# Example: one chain $(0, 1, 3, 2, 3, 8, 4)$, two pieces: $(1, 3, 2), (3, 8, 4)$, ranks $(1, 3.5, 2), (3.5, 6, 5)$, $z = (-1.282, 0, -0.643), (0, 1.282, 0.643)$, $W = 0.4106$, $V = 0.8234$, $\hat R = \sqrt{0.6667 + 2.0054} = 1.6346$.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** All draws are positive, and each is replaced by its logarithm. What happens to $\hat R$?
#
# <details><summary>Answer</summary>
#
# Nothing: ranks stay as they are. That is why heavy tails cannot deceive it.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "pieces_rhat", "locked": false, "schema_version": 3, "solution": true}
def pieces_rhat(draws: torch.Tensor, pieces: int) -> torch.Tensor:
    """draws (n, m): R̂ of the ranks of all pieces, one number."""
    ### BEGIN SOLUTION
    n, m = draws.shape
    length = n // pieces
    x = draws[n - pieces * length:].reshape(pieces, length, m)
    flat = x.flatten()
    rank = 1 + (flat < flat[:, None]).sum(1) + ((flat == flat[:, None]).sum(1) - 1) / 2
    z = torch.special.ndtri((rank.to(draws.dtype) - 3 / 8) / (len(flat) + 1 / 4)).view_as(x)
    within, between = z.var(1).mean(), z.mean(1).var()
    if (flat == flat[0]).all():
        return torch.ones_like(flat[0])
    return ((length - 1) / length + between / within).sqrt()
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "pieces_rhat-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import math

import torch

from proctor.marking import Task

task = Task("pieces_rhat", points=2, read="formulas/mcmc#how-far-to-trust-the-draws", misconceptions={
    "end_dropped": "surplus draws were dropped from the end: the first ones are the least trustworthy",
    "uncut": "the chains were not cut: pieces of one chain are compared, too",
    "interlaced": "a piece took every so-manieth draw: pieces are what comes one after the other",
    "values": "the values were compared, not the normal quantiles of their ranks",
    "ranks": "the ranks were compared: put them through Φ⁻¹",
    "in_each_piece": "ranks were counted within each piece: then all pieces look alike; count among all values",
    "ties_broken": "equal values got different ranks: they share the mean of their ranks",
    "divided_by_all": "variances were divided by the number itself: divide by one less",
    "squared": "the root is missing",
    "equal_nan": "all values equal gave nan: 0/0; then R̂ is 1",
})


@task(0.25)
def the_worked_example():
    """Drop the surplus, cut, rank all, Φ⁻¹, then the two variances."""
    task.equal(pieces_rhat(torch.tensor([[0.0], [1], [3], [2], [3], [8], [4]]), 2), 1.634627, {
        "end_dropped": 1.202380, "uncut": math.nan, "interlaced": 0.873247, "values": 1.338532, "ranks": 1.706541,
        "in_each_piece": 0.816497, "ties_broken": 2.019443, "divided_by_all": 1.473320, "squared": 2.672006}, name="R̂")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def cut(x, pieces, first=True):
    n = x.shape[0] // pieces * pieces
    kept = x.double()[len(x) - n:] if first else x.double()[:n]
    return [kept[k * n // pieces:(k + 1) * n // pieces, c] for k in range(pieces) for c in range(x.shape[1])]


def quantiles(parts, break_ties=False, normal=True):
    every = torch.cat(parts)
    ordered = every.sort(stable=True).values
    low, high = torch.searchsorted(ordered, every), torch.searchsorted(ordered, every, right=True)
    rank = (low + high + 1) / 2 if not break_ties else every.argsort(stable=True).argsort() + 1.0
    z = torch.special.ndtri((rank.double() - 0.375) / (len(every) + 0.25)) if normal else rank.double()
    return list(z.split([len(part) for part in parts]))


def ratio(parts, correction=1):
    length = len(parts[0])
    W = torch.stack([part.var(correction=correction) for part in parts]).mean()
    V = torch.stack([part.mean() for part in parts]).var(correction=correction)
    return (1 - 1 / length + V / W).sqrt()


def equal(draws, pieces):
    every = torch.cat(cut(draws, pieces))
    return bool(every.min() == every.max())


def expected(draws, pieces):
    return torch.ones(()).double() if equal(draws, pieces) else ratio(quantiles(cut(draws, pieces)))


@task.misconception(0)
def end_dropped(draws, pieces):
    return expected(draws[:len(draws) // pieces * pieces], pieces)


@task.misconception(0)
def uncut(draws, pieces):
    return ratio(quantiles(cut(draws[len(draws) % pieces:], 1)))


@task.misconception(0)
def interlaced(draws, pieces):
    kept = draws[len(draws) % pieces:]
    return ratio(quantiles([kept[k::pieces, c].double() for k in range(pieces) for c in range(draws.shape[1])]))


@task.misconception(0)
def values(draws, pieces):
    return ratio(cut(draws, pieces))


@task.misconception(0)
def ranks(draws, pieces):
    return ratio(quantiles(cut(draws, pieces), normal=False))


@task.misconception(0)
def in_each_piece(draws, pieces):
    return ratio([quantiles([part])[0] for part in cut(draws, pieces)])


@task.misconception(1)
def ties_broken(draws, pieces):
    return ratio(quantiles(cut(draws, pieces), break_ties=True))


@task.misconception(0)
def divided_by_all(draws, pieces):
    return ratio(quantiles(cut(draws, pieces)), correction=0)


@task.misconception(0)
def squared(draws, pieces):
    return expected(draws, pieces) ** 2


@task.misconception(1.75)
def equal_nan(draws, pieces):
    return expected(draws, pieces) + 0 * (draws - draws).sum() if not equal(draws, pieces) else draws.sum() * torch.nan


def drifting(n, chains):
    """Draws with a drift, a shift for each chain, and heavy tails."""
    shift = torch.linspace(0, 1, n)[:, None] + 0.5 * task.randn(chains)
    return ((task.randn(n, chains) + shift).double() * 1.5).exp()


@task(0.75)
def any_chains_and_pieces():
    """Numbers that differ, lengths that do not divide, one chain or many."""
    for n, chains, pieces in ((12, 3, 2), (23, 1, 4), (17, 2, 3), (9, 4, 1)):
        task.agree(pieces_rhat, expected, drifting(n, chains), pieces, name="R̂", tolerance=1e-6)


@task(0.5, needs="any_chains_and_pieces")
def values_that_are_equal():
    """A chain that stays repeats its value: all of them have the mean of their ranks."""
    for n, chains, pieces in ((20, 2, 2), (14, 3, 3)):
        draws = (3 * drifting(n, chains).log()).round() / 3
        task.agree(pieces_rhat, expected, draws, pieces, name="R̂", tolerance=1e-6)


@task(0.25, needs="any_chains_and_pieces")
def nothing_but_one_value():
    """All values equal: nothing contradicts, R̂ is 1; what was dropped does not count."""
    for draws, pieces in (torch.full((8, 3), 0.3), 2), (torch.cat([torch.tensor([[7.0, 8.0]]), torch.full((6, 2), -0.1)]), 3):
        task.equal(pieces_rhat(draws.double(), pieces), 1.0, {"equal_nan": math.nan}, name="R̂", tolerance=1e-6)


@task(0.25, needs="any_chains_and_pieces")
def tidiness():
    task.tidy(pieces_rhat, drifting(11, 2), 2)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# The rank of a value is 1, plus how many are smaller, plus half of how many *others* are equal.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# Drop, then view as (pieces, ℓ, m). For the ranks compare each of the flattened values with each. $\Phi^{-1}$ is `torch.special.ndtri`. Variances go along the axis of ℓ; all other axes are pieces.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# x ← last pieces · ℓ draws; r ← 1 + #smaller + #equal others/2; z ← Φ⁻¹(…); W ← mean of var(z) along ℓ; V ← variance of the means along ℓ
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right until values repeat:* `argsort` of `argsort` cannot see that two are equal.
#
# </details>
#
# **Go further** (no points). Give four chains the same mean and different widths. R̂ stays near 1. Do the same with the distances from the median, and watch.

# %% [markdown]
# ## 8 · What a draw is worth
#
# ●●●○○ · 25 minutes · {{points}}
#
# *Why it matters:* the estimated autocorrelations of a chain at all lags from 1 on add up to $-\frac12$, whatever the chain: $\tau$ would be 0. Geyer (1992) found where to stop.
#
# **Task.** `gamma` (T, Q) holds the autocovariances of Q quantities at lags $0 \dots T - 1$, of `n` draws. With $\rho_t = \gamma_t/\gamma_0$ and pairs $\Gamma_k = \rho_{2k} + \rho_{2k+1}$, an odd last lag being left out, return for each quantity the effective sample size $n/\tau$ (Q) with
#
# $\tau = -1 + 2\sum_{k=0}^K \min_{j \le k}\Gamma_j$,
#
# where $K + 1$ is the first $k$ whose pair is not positive; without one, all pairs count. It may be larger than $n$; $T \ge 2$, and $\tau$ comes out positive in all that is tested. A quantity with $\gamma_0 = 0$ never changes and has $n$.
#
# Example: $\gamma = (2, 1, -0.2, 0.6, 0.6, 0.2, -0.4, 0.2)$, $n = 280$: pairs $1.5, 0.2, 0.4, -0.1$, of which $1.5, 0.2, 0.2$ count: $\tau = 2.8$, ESS 100.
#
# *Tested:* {{tested}}.

# %% [markdown]
# **Predict first.** Single autocorrelations of a chain may be negative, again and again. Why are sums of two of them positive, for a reversible chain?
#
# <details><summary>Answer</summary>
#
# $\rho_t = \sum_i c_i\lambda_i^t$ with $c_i \ge 0$ and eigenvalues $-1 \le \lambda_i \le 1$. A pair has $\lambda^{2k}(1 + \lambda) \ge 0$, and these fall with k.
#
# </details>

# %% [markdown]
# *Your prediction:*

# %% nbgrader={"grade": false, "grade_id": "geyer_size", "locked": false, "schema_version": 3, "solution": true}
def geyer_size(gamma: torch.Tensor, n: int) -> torch.Tensor:
    """gamma (T, Q): the effective sample sizes (Q)."""
    ### BEGIN SOLUTION
    rho = gamma / gamma[0]
    pairs = rho[: len(rho) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    counts = (pairs > 0).cumprod(0)
    tau = -1 + 2 * (pairs.cummin(0).values * counts).sum(0)
    return torch.where(gamma[0] == 0, torch.full_like(tau, n), n / tau)
    ### END SOLUTION

# %% nbgrader={"grade": true, "grade_id": "geyer_size-check", "locked": true, "points": 2, "schema_version": 3, "solution": false}
# Run this cell to check your answer; leave it as it is.
import torch

from proctor.marking import Task

task = Task("geyer_size", points=2, read="formulas/mcmc#how-far-to-trust-the-draws", misconceptions={
    "single_lags": "it stopped at the first negative ρ: single ones may be negative, pairs decide",
    "not_falling": "a pair larger than one before it was added whole: cut it down to the smallest so far",
    "never_stops": "everything was summed: stop before the first pair that is not positive",
    "skips": "pairs that are not positive were left out, but later ones came in again: stop there for good",
    "falls_below_zero": "the smallest pair so far was added to the end: stop before the first pair that is not positive",
    "pairs_from_one": "the pairs began at lag 1: they are ρ₀ + ρ₁, ρ₂ + ρ₃, …",
    "minus_one_missing": "ρ₀ counts once: τ = −1 + 2 Σ",
    "half": "the 2 is missing: lags count on both sides",
    "at_most_n": "the size was cut at n: a chain that swings about its mean is worth more",
    "not_normalized": "γ was not divided by γ₀",
    "all_stop_together": "all quantities stopped where the first did: each has a K of its own",
    "constant_nan": "a constant gave nan: 0/0; it has n",
})


@task(0.25)
def the_worked_example():
    """Divide by γ₀, add pairs, cut what rises, stop before what is not positive."""
    gamma = torch.tensor([2, 1, -0.2, 0.6, 0.6, 0.2, -0.4, 0.2])[:, None]
    task.equal(geyer_size(gamma, 280), [100.0], {
        "single_lags": [140.0], "not_falling": [87.5], "never_stops": [93.333333], "pairs_from_one": [107.692308],
        "minus_one_missing": [73.684211], "half": [311.111111], "not_normalized": [42.424242]}, name="ESS")

# The hidden tests stand here when your work is marked.
### BEGIN HIDDEN TESTS
def time(rho, falling=True, stop="pair", first=0, start=-1.0, twice=2.0):
    """One quantity, pair by pair."""
    total, smallest = start, float("inf")
    for k in range(first, len(rho) - 1, 2):
        pair = rho[k] + rho[k + 1]
        if stop == "pair" and pair <= 0:
            break
        if stop == "skip" and pair <= 0:
            continue
        smallest = min(smallest, pair)
        total += twice * (smallest if falling else pair)
    return total


def sizes(gamma, n, normalize=True, **how):
    result = []
    for column in gamma.double().T.tolist():
        top = column[0] if normalize else 1.0
        result.append(n / time([value / top for value in column], **how) if column[0] else float(n))
    return torch.tensor(result).double()


def expected(gamma, n):
    return sizes(gamma, n)


@task.misconception(0)
def single_lags(gamma, n):
    rho = gamma.double() / gamma[0].double()
    kept = (rho > 0).cumprod(0)
    return n / (2 * (rho * kept).sum(0) - 1)


@task.misconception(0)
def not_falling(gamma, n):
    return sizes(gamma, n, falling=False)


@task.misconception(0)
def never_stops(gamma, n):
    return sizes(gamma, n, falling=False, stop="never")


@task.misconception(0)
def falls_below_zero(gamma, n):
    return sizes(gamma, n, stop="never")


@task.misconception(0.25)
def skips(gamma, n):
    return sizes(gamma, n, stop="skip")


@task.misconception(0)
def pairs_from_one(gamma, n):
    return sizes(gamma, n, first=1, start=1.0)


@task.misconception(0)
def minus_one_missing(gamma, n):
    return sizes(gamma, n, start=0.0)


@task.misconception(0)
def half(gamma, n):
    return sizes(gamma, n, twice=1.0)


@task.misconception(1.5)
def at_most_n(gamma, n):
    rho = gamma / gamma[0]
    pairs = rho[: len(rho) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    tau = 2 * (pairs.cummin(0).values * (pairs > 0).cumprod(0)).sum(0) - 1
    return torch.where(gamma[0] == 0, torch.full_like(tau, n), (n / tau).clamp(max=n))


@task.misconception(0)
def not_normalized(gamma, n):
    return sizes(gamma, n, normalize=False)


@task.misconception(0.25)
def all_stop_together(gamma, n):
    rho = gamma.double() / gamma[0].double()
    pairs = rho[: len(rho) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    return n / (2 * (pairs.cummin(0).values * (pairs > 0).all(1, keepdim=True).cumprod(0)).sum(0) - 1)


@task.misconception(1.75)
def constant_nan(gamma, n):
    rho = gamma / gamma[0]
    pairs = rho[: len(rho) // 2 * 2].unflatten(0, (-1, 2)).sum(1)
    return n / (2 * (pairs.cummin(0).values * (pairs > 0).cumprod(0)).sum(0) - 1)


def measured(n, quantities, low, high):
    """Autocovariances of autoregressions, with the noise that they have in practice."""
    phi = torch.linspace(low, high, quantities).double()
    x = [task.randn(quantities).double()]
    for noise in task.randn(n - 1, quantities).double():
        x.append(phi * x[-1] + noise)
    x = torch.stack(x) * (1 + torch.arange(quantities))
    x = x - x.mean(0)
    return torch.stack([(x[: n - t] * x[t:]).sum(0) / n for t in range(n // 2 + 1)])


@task(1)
def measured_autocovariances():
    """Each quantity stops where its own noise begins."""
    for n, quantities in ((120, 5), (90, 8), (200, 6)):
        task.agree(geyer_size, expected, measured(n, quantities, 0.4, 0.9), n, name="ESS", tolerance=1e-6)


@task(0.5, needs="measured_autocovariances")
def worth_more_than_n():
    """Negative autocorrelation at odd lags: τ below 1."""
    for n, quantities in ((120, 4), (150, 3)):
        task.agree(geyer_size, expected, measured(n, quantities, -0.7, -0.3), n, name="ESS", tolerance=1e-6)


@task(0.25, needs="measured_autocovariances")
def tidiness():
    """A constant has n; dtype, device and arguments as everywhere."""
    gamma = measured(60, 3, 0.2, 0.6)
    gamma[:, 1] = 0
    task.agree(geyer_size, expected, gamma, 60, name="ESS", tolerance=1e-6)
    task.tidy(geyer_size, gamma, 60)
### END HIDDEN TESTS
task.mark()

# %% [markdown]
# <details><summary>Hint 1: the idea</summary>
#
# Two running operations on the pairs: the smallest so far, and whether all so far were positive.
#
# </details>
# <details><summary>Hint 2: a strategy</summary>
#
# `unflatten` makes (pairs, 2, Q) of an even number of lags. `cummin` gives the smallest so far; the cumulative product of a mask is 1 until its first 0. Replace the constants at the end, with `where`.
#
# </details>
# <details><summary>Hint 3: pseudo-code</summary>
#
# ρ ← γ/γ₀; Γ ← sums of two; on ← running product of Γ > 0; τ ← −1 + 2 Σ (running minimum of Γ) · on; n/τ
#
# </details>
# <details><summary>Something looks wrong: symptoms and causes</summary>
#
# {{symptoms}}
# - *Right for one quantity only:* a sum, a minimum or a stop goes over the quantities, too.
#
# </details>
#
# **Go further** (no points). For an autoregression with φ = 0.9 the exact size is n (1 − φ)/(1 + φ). How far off is this estimate for n = 100, 1000, 10,000, and is it off to one side?
