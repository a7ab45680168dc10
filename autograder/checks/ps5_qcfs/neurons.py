"""Integrate-and-fire neurons in NumPy, and random inputs on which rounding cannot move a spike."""

import numpy as np
import torch

from snnkit.conversion import unevenness


def run(currents, threshold, v0):
    """Spikes and potentials [T, ...] of neurons with soft reset, in double precision."""
    currents = np.asarray(currents, dtype=np.float64)
    v = np.zeros(currents.shape[1:]) + v0
    spikes, potentials = [], []
    for current in currents:
        charge = v + current
        spike = (charge >= threshold).astype(np.float64)
        v = charge - spike * threshold
        spikes.append(spike)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


def even_count(currents, threshold, v0, bounded=True):
    """q: the spikes of the same charge, spread evenly."""
    charge = v0 + np.asarray(currents, dtype=np.float64).sum(0)
    if not bounded:
        return np.floor(charge / threshold)
    count = unevenness.expected_count(torch.as_tensor(charge), threshold=threshold, steps=len(currents))
    return count.numpy()


def quarters(rng, low, high, *shape):
    """Random multiples of 1/4, single precision."""
    return np.asarray(rng.integers(round(4 * low), round(4 * high) + 1, size=shape) / 4, dtype=np.float32)
