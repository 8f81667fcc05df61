"""Markov chain Monte Carlo: kernels that leave a density as it is, and how far to trust their draws.

Chapter: formulas/mcmc
"""
