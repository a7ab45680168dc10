"""Comparing gradients, to go on with."""

import math

import torch


def cosine_similarity(a, b):
    """Cosine of the angle between two gradients, each one vector; nan if one is zero."""
    a, b = (one.to(torch.float64).reshape(-1) for one in (a, b))
    if not (a.any() and b.any()):
        return math.nan
    return float(torch.dot(a / a.norm(), b / b.norm()))


def sample_coordinates(weight, count, generator):
    """Distinct random places in the flattened weight."""
    places = torch.randperm(weight.numel(), generator=generator)
    return places[:count]


def forward_passes(shape, count, temperatures, epochs):
    """Forward passes that choosing the temperature takes in a whole training."""
    places = min(math.prod(shape), count)
    return (temperatures + places + places) * epochs
