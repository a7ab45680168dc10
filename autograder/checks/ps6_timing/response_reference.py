"""The response to a spike, and the potential, to go on with."""

import torch


def kernel(elapsed, tau):
    """Response at each time since the input spike."""
    u = elapsed.clamp(min=0) / tau
    return torch.exp(1 - u) * u


def kernel_slope(elapsed, tau):
    """Derivative of the response with respect to time."""
    u = elapsed.clamp(min=0) / tau
    return torch.exp(1 - u) * (1 - u) / tau * (elapsed >= 0)


def potential(time, weight, inputs, tau):
    """Potential of every neuron at the given times, and its derivative by time."""
    since = time.reshape(-1, 1, 1) - inputs
    return torch.matmul(kernel(since, tau), weight.T), torch.matmul(kernel_slope(since, tau), weight.T)
