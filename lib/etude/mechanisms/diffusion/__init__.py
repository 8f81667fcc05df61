"""Turn data into noise by a known rotation, and learn to turn it back.

A schedule says how far each step is turned; a network is any callable of (x, step); a sampler walks
a path of levels with what the network makes of x.

Chapter: mechanisms/diffusion
"""

from etude.mechanisms.diffusion.denoiser import Diffusion, MLPDenoiser
from etude.mechanisms.diffusion.parameterization import diffuse, estimator, rotate
from etude.mechanisms.diffusion.samplers import ddim, ddpm, dpm_solver, euler, heun, renoise
from etude.mechanisms.diffusion.schedule import Level, Schedule

__all__ = [
    "Diffusion",
    "Level",
    "MLPDenoiser",
    "Schedule",
    "ddim",
    "ddpm",
    "diffuse",
    "dpm_solver",
    "estimator",
    "euler",
    "heun",
    "renoise",
    "rotate",
]
