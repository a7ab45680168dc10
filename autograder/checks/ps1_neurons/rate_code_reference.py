"""The rate code, to go on with."""

import torch


def rate_encode(values, steps, generator):
    """Independent random spikes [steps, *values.shape] with the values as chances."""
    chances = values.expand(steps, *values.shape)
    return (torch.rand(chances.shape, generator=generator, dtype=values.dtype) < chances).to(values.dtype)
