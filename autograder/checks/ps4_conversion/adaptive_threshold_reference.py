"""The adaptive threshold, to go on with."""

import torch


def adaptive_threshold(activation, steps, offset):
    """The threshold of each channel that makes the squared error of the staircase smallest."""
    values = activation.transpose(0, 1).flatten(1)
    largest = values.amax(1)
    best, smallest = torch.ones_like(largest), torch.full_like(largest, torch.inf)
    for part in range(1, 101):
        theta = (largest * part / 100).clamp(min=1e-12)[:, None]
        average = (steps * values / theta + offset).floor().clamp(0, steps) * theta / steps
        error = (average - values).square().sum(1)
        best = torch.where(error < smallest, largest * part / 100, best)
        smallest = torch.minimum(error, smallest)
    dead = largest <= 0
    silent = best.masked_fill(dead, 0).max() if not dead.all() else largest.new_ones(())
    return torch.where(dead, silent, best)
