"""The rate under a constant current, by the formula and counted, to go on with."""

import math

import torch


def firing_rate(current, tau, threshold, resistance):
    """Spikes per unit of time under a constant current, by the formula."""
    target = resistance * current
    fires = target > threshold
    period = -tau * torch.log1p(-threshold / torch.where(fires, target, 2.0 * threshold))
    return torch.where(fires, 1 / period, 0.0)


def counted_rate(current, steps, dt, tau, threshold, resistance):
    """Spikes per unit of time in a simulation with exact steps and hard reset."""
    decay, v, count = math.exp(-dt / tau), torch.zeros_like(current), torch.zeros_like(current)
    for _ in range(steps):
        v = decay * v + (1 - decay) * resistance * current
        fired = v >= threshold
        count, v = count + fired, torch.where(fired, 0.0, v)
    return count / (dt * steps)
