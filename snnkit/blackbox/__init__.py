"""Training without gradients of the network: weight perturbation and Bayesian optimisation.

Convention: an objective maps parameters to a number, and every function here *minimises* it (return minus the
accuracy to maximise accuracy).  Objectives must be deterministic for :func:`perturb`, or luck is mistaken for
progress.
"""

from __future__ import annotations

from snnkit.blackbox._bayesian import GP, TPE, BayesianResult, Choice, Integer, Random, Real, bayesian_search
from snnkit.blackbox._perturbation import (
    Perturbed,
    directional_gradient,
    estimate_gradient,
    module_objective,
    perturb,
    perturbation_descent,
)

__all__ = [
    "GP",
    "TPE",
    "BayesianResult",
    "Choice",
    "Integer",
    "Perturbed",
    "Random",
    "Real",
    "bayesian_search",
    "directional_gradient",
    "estimate_gradient",
    "module_objective",
    "perturb",
    "perturbation_descent",
]
