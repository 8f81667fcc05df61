"""A call of every public callable, made on either device: see tests/devices/example.py."""

import torch

from etude.formulas.mcmc.adaptation import DualAveraging, warm_up
from etude.formulas.mcmc.annealed_importance import (
    annealed_importance,
    geometric_path,
    log_mean_weight,
    weighted_size,
)
from etude.formulas.mcmc.calibration import ranks_of_truth, uniformity
from etude.formulas.mcmc.diagnostics import (
    autocorrelation,
    autocorrelation_time,
    autocovariance,
    ess,
    mcse,
    quantile,
    rank_normalize,
    rhat,
    split,
    summarize,
)
from etude.formulas.mcmc.finite import (
    all_states,
    gibbs_matrix,
    imbalance,
    metropolis_matrix,
    relaxation_time,
    stationary,
)
from etude.formulas.mcmc.gibbs import Gibbs, discrete_blocks, full_conditional, gaussian_blocks
from etude.formulas.mcmc.hamiltonian import HamiltonianMonteCarlo, kinetic_energy, leapfrog
from etude.formulas.mcmc.kernel import State, decide, run, start
from etude.formulas.mcmc.metropolis import (
    GradientState,
    MetropolisAdjustedLangevin,
    MetropolisHastings,
    RandomWalkMetropolis,
    independent,
    log_normal_walk,
    value_and_gradient,
)
from etude.formulas.mcmc.slice import (
    EllipticalSlice,
    HyperrectangleSlice,
    SliceSampler,
    shrink,
    slice_height,
    step_out,
)
from etude.formulas.mcmc.targets import Banana, Funnel, Gaussian, Ising, LogisticPosterior, Mixture


def bowl(x):
    """A normal density, not normalized."""
    return -x.square().sum(-1) / 2


def place(at, *shape):
    """Where chains are: nobody asks for a gradient there."""
    return at.randn(*shape).detach()


def begun(at, kernel, dims=2):
    """A kernel and the state of five chains."""
    return kernel, kernel.init(place(at, 5, dims).abs())


def first(at, kernel, dims=2):
    """A kernel and a position of five chains."""
    return kernel, place(at, 5, dims).abs()


def walk(at):
    """A random walk with a factor."""
    return RandomWalkMetropolis(bowl, 0.7, factor(at))


def hastings(at):
    """A walk that multiplies."""
    return MetropolisHastings(bowl, log_normal_walk(0.5))


def langevin(at):
    """Langevin's walk."""
    return MetropolisAdjustedLangevin(bowl, 0.5)


def hamiltonian(at):
    """All its options."""
    return HamiltonianMonteCarlo(bowl, 0.3, 3, at.rand(2).detach() + 0.5, 0.2)


def elliptical(at):
    """A correlated prior."""
    return EllipticalSlice(bowl, factor(at))


def factor(at):
    """A lower triangle of two dimensions."""
    return (place(at, 2, 2).tril() + 2 * torch.eye(2, device=at.device)).to(at.dtype)


def gaussian(at):
    """Of two dimensions."""
    return Gaussian(place(at, 2), factor(at))


def gibbs(at):
    """On a normal target."""
    L = factor(at)
    return Gibbs(gaussian_blocks(place(at, 2), L @ L.mT))


def hills(at):
    """Three of them."""
    return Mixture(at.randn(3, 2), 0.7)


def posterior(at):
    """Of six rows."""
    return LogisticPosterior(place(at, 6, 2), at.rand(6).detach().round())


def spins(at):
    """Minus one and one."""
    return at(torch.tensor([-1.0, 1.0])).detach()


def chances(at, *shape):
    """Rows that add up to 1."""
    return at.rand(*shape).detach().softmax(dim=-1)


def signs(at, *shape):
    """Spins."""
    return place(at, *shape).sign()


def bridge(at):
    """Two densities and a kernel for the last."""
    return [lambda x: bowl(x / 2), bowl], [RandomWalkMetropolis(bowl, 0.5)], place(at, 5, 2)


def interval(at):
    """What slices need: a density along a line, a height, two ends."""
    low = -at.rand(5, 1).detach()
    return bowl, -at.rand(5).detach(), low, low + 1


def tuning(at):
    """The state of dual averaging."""
    return DualAveraging().init(at.rand().detach())


EXAMPLES = {
    run: lambda at: (walk(at), place(at, 5, 2), 3),
    start: lambda at: (place(at, 5, 2), place(at, 5)),
    decide: lambda at: (
        State(place(at, 5, 2), place(at, 5)),
        State(place(at, 5, 2), place(at, 5)),
        place(at, 5),
    ),
    RandomWalkMetropolis.init: lambda at: first(at, walk(at)),
    RandomWalkMetropolis.step: lambda at: begun(at, walk(at)),
    MetropolisHastings.init: lambda at: first(at, hastings(at)),
    MetropolisHastings.step: lambda at: begun(at, hastings(at)),
    MetropolisAdjustedLangevin.init: lambda at: first(at, langevin(at)),
    MetropolisAdjustedLangevin.step: lambda at: begun(at, langevin(at)),
    log_normal_walk: lambda at: 0.5,
    independent: lambda at: (gaussian(at).sample, gaussian(at)),
    value_and_gradient: lambda at: bowl,
    Gibbs.init: lambda at: first(at, gibbs(at)),
    Gibbs.step: lambda at: begun(at, gibbs(at)),
    gaussian_blocks: lambda at: (place(at, 2), (L := factor(at)) @ L.mT),
    full_conditional: lambda at: (Ising(2, 2, 0.3), signs(at, 5, 4), 1, spins(at)),
    discrete_blocks: lambda at: (Ising(2, 2, 0.3), spins(at), 4),
    SliceSampler.init: lambda at: first(at, SliceSampler(bowl)),
    SliceSampler.step: lambda at: begun(at, SliceSampler(bowl)),
    HyperrectangleSlice.init: lambda at: first(at, HyperrectangleSlice(bowl)),
    HyperrectangleSlice.step: lambda at: begun(at, HyperrectangleSlice(bowl)),
    EllipticalSlice.init: lambda at: first(at, elliptical(at)),
    EllipticalSlice.step: lambda at: begun(at, elliptical(at)),
    slice_height: lambda at: place(at, 5),
    step_out: lambda at: (*interval(at), 4),
    shrink: interval,
    HamiltonianMonteCarlo.init: lambda at: first(at, hamiltonian(at)),
    HamiltonianMonteCarlo.step: lambda at: begun(at, hamiltonian(at)),
    leapfrog: lambda at: (
        GradientState(x := place(at, 5, 2), bowl(x), -x),
        place(at, 5, 2),
        lambda x: (bowl(x), -x),
        0.2,
        3,
        at.rand(2),
    ),
    kinetic_energy: lambda at: (at.randn(5, 2), at.rand(2)),
    warm_up: lambda at: (hamiltonian(at), place(at, 5, 2), 30),
    DualAveraging.init: lambda at: (DualAveraging(), at.rand().detach()),
    DualAveraging.step: lambda at: (DualAveraging(), tuning(at), at.rand().detach()),
    autocovariance: lambda at: at.randn(8, 3),
    autocorrelation: lambda at: at.randn(8, 3, 2),
    autocorrelation_time: lambda at: place(at, 8, 2),
    split: lambda at: at.randn(9, 2),
    rank_normalize: lambda at: place(at, 8, 3).round(),
    quantile: lambda at: (at.randn(8, 3, 2), 0.3),
    rhat: lambda at: place(at, 9, 3, 2),
    ess: lambda at: place(at, 9, 3, 2),
    mcse: lambda at: (place(at, 9, 3, 2), "quantile", 0.2),
    summarize: lambda at: place(at, 9, 3, 2),
    Gaussian.__call__: lambda at: (gaussian(at), at.randn(5, 2)),
    Gaussian.sample: lambda at: (gaussian(at), 5),
    Banana.__call__: lambda at: (Banana(), at.randn(5, 2)),
    Banana.straighten: lambda at: (Banana(), at.randn(5, 2)),
    Funnel.__call__: lambda at: (Funnel(), at.randn(5, 3)),
    Funnel.straighten: lambda at: (Funnel(), at.randn(5, 3)),
    Funnel.bend: lambda at: (Funnel(), at.randn(5, 3)),
    Mixture.__call__: lambda at: (hills(at), at.randn(5, 2)),
    Mixture.sample: lambda at: (hills(at), 5),
    LogisticPosterior.__call__: lambda at: (posterior(at), at.randn(5, 2)),
    LogisticPosterior.value_and_gradient: lambda at: (posterior(at), at.randn(5, 2)),
    Ising.__call__: lambda at: (Ising(2, 3, 0.4, 0.1), at.randn(5, 6)),
    geometric_path: lambda at: (bowl, bowl, at.rand(4)),
    annealed_importance: bridge,
    log_mean_weight: lambda at: at.randn(5),
    weighted_size: lambda at: at.randn(5),
    all_states: lambda at: (spins(at), 3),
    metropolis_matrix: lambda at: (chances(at, 4), chances(at, 4, 4)),
    gibbs_matrix: lambda at: (Ising(2, 2, 0.3), spins(at), 4, 2),
    imbalance: lambda at: (chances(at, 4), chances(at, 4, 4)),
    stationary: lambda at: chances(at, 4, 4),
    relaxation_time: lambda at: (chances(at, 4), chances(at, 4, 4), place(at, 4)),
    ranks_of_truth: lambda at: (place(at, 5, 2), place(at, 9, 5, 2)),
    uniformity: lambda at: (at.randint(10, 40, 2), 9, 5),
}
