"""Neurons that answer each input spike with one response and fire once: potentials and exact firing times."""

import math

import numpy as np


def eps(u, tau):
    """The response at a time after its spike; 0 before it."""
    s = np.maximum(u.astype(float), 0) / tau
    return s * np.exp(1 - s)


def eps_slope(u, tau):
    """Its derivative."""
    s = np.maximum(u.astype(float), 0) / tau
    return np.where(u >= 0, np.exp(1 - s) * (1 - s) / tau, 0.0)


def grid(window, dt):
    """Times from 0 to the end of the window."""
    return np.arange(round(window / dt) + 1) * dt


def layer_potential(times, weight, inputs, tau):
    """Potential [M, N, outputs] of a layer."""
    return eps(times[:, None, None] - inputs, tau) @ weight.T


def exact_times(weight, inputs, tau, threshold, window, dt):
    """First crossings [N, outputs] on the grid, refined by bisection; infinity where there is none."""
    times = grid(window, dt)
    above = layer_potential(times, weight, inputs, tau) >= threshold
    found = np.full(above.shape[1:], math.inf)
    for n, j in np.argwhere(above.any(0)):
        at = above[:, n, j].argmax()
        low, high = times[max(at - 1, 0)], times[at]
        for _ in range(60):
            middle = (low + high) / 2
            reached = (weight[j] * eps(middle - inputs[n], tau)).sum() >= threshold
            low, high = (low, middle) if reached else (middle, high)
        found[n, j] = high
    return found
