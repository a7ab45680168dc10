"""The latency code, to go on with."""

import math

import torch


def latency_encode(current, tau, threshold, resistance):
    """Time of the first spike under a constant current, infinity for none."""
    target = resistance * current
    fires = target > threshold
    time = -tau * torch.log1p(-threshold / torch.where(fires, target, 2.0 * threshold))
    return torch.where(fires, time, math.inf)
