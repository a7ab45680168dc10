"""Dspike and its slope, to go on with."""

import math

import torch


def dspike(u, b):
    """Dspike of temperature b at each element of u, for the threshold 1/2."""
    height = math.tanh(b / 2)
    return 0.5 + 0.5 / height * torch.tanh(b * (u - 0.5)).clamp(-height, height)


def dspike_slope(u, b):
    """Derivative of Dspike with respect to u, at each element of u."""
    slope = b / (2 * math.tanh(b / 2)) / torch.cosh(b * (u.clamp(0, 1) - 0.5)).square()
    return torch.where((u >= 0) & (u <= 1), slope, 0.0)
