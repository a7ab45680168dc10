"""Learning without a gradient of the network, to go on with."""

import torch


def perturb(objective, theta, *, steps, scale, generator):
    """Keep noise that lowers the objective; the last theta and the history of its loss."""
    best, history = theta.detach().clone(), [float(objective(theta.detach().clone()))]
    for _ in range(steps):
        noise = torch.randn(best.shape, generator=generator, dtype=best.dtype)
        tried = best + scale * noise
        loss = float(objective(tried))
        best = tried if loss < history[-1] else best
        history.append(min(loss, history[-1]) if loss == loss else history[-1])
    return best, history


def directional_gradient(objective, theta, directions, scale):
    """Mean over directions of the direction times the central difference along it."""
    parts = []
    for one in directions:
        above, below = (float(objective(theta + side * scale * one)) for side in (1, -1))
        parts.append((above - below) / (2 * scale) * one)
    return torch.stack(parts).mean(0)
