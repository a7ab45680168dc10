"""Trains of spikes at random, and rules of STDP whose constants are all different."""

import numpy as np


def drawn_rule(rng):
    """Sizes and time constants that are all different."""
    tau, size = float(np.round(rng.uniform(6, 12), 1)), float(np.round(rng.uniform(0.5, 1), 2))
    return {
        "a_plus": size,
        "a_minus": float(np.round(size * rng.uniform(1.2, 1.6), 2)),
        "tau_plus": tau,
        "tau_minus": float(np.round(tau * rng.uniform(1.5, 2.2), 1)),
    }


def spikes(rng, steps, n, neurons, chance, dtype=np.float64):
    """A train [steps, n, neurons] of zeros and ones."""
    return np.asarray(rng.random((steps, n, neurons)) < chance, dtype=dtype)
