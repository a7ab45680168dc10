"""Firing times, to go on with."""

import math

import torch


def _kernel(elapsed, tau):
    u = elapsed.clamp(min=0) / tau
    return u * torch.exp(1 - u)


def first_crossing(trace, times, threshold):
    """Time at which each trace reaches the threshold for the first time; infinity if it never does."""
    above = trace >= threshold
    after = above.int().argmax(0)
    before = (after - 1).clamp(min=0)
    rise = trace.gather(0, after[None])[0] - trace.gather(0, before[None])[0]
    missing = threshold - trace.gather(0, before[None])[0]
    share = torch.where(after > 0, missing / torch.where(rise > 0, rise, 1.0), 0.0)
    return torch.where(above.any(0), torch.lerp(times[before], times[after], share), math.inf)


def firing_time(weight, inputs, tau, threshold=1.0, *, window, dt):
    """Firing times of a layer; infinity for a neuron that does not reach its threshold within the window."""
    grid = dt * torch.arange(round(window / dt) + 1, dtype=weight.dtype)
    trace = _kernel(grid[:, None, None] - inputs, tau) @ weight.T
    above = trace >= threshold
    late = grid[above.int().argmax(0)]
    early = (late - dt).clamp(min=0)
    for _ in range(24):
        middle = (early + late) / 2
        over = (_kernel(middle[..., None] - inputs[:, None], tau) * weight).sum(-1) >= threshold
        early, late = torch.where(over, early, middle), torch.where(over, middle, late)
    return torch.where(above.any(0), late, math.inf)
