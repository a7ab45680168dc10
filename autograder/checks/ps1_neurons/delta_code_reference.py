"""The delta code, to go on with."""

import torch


def delta_encode(signal, threshold):
    """ON and OFF spikes of a signal, each [T, ...]."""
    level, spikes = signal[0].clone(), []
    for sample in signal:
        away = sample - level
        spikes.append(torch.stack([away >= threshold, -away >= threshold]).to(signal.dtype))
        level = level + threshold * (spikes[-1][0] - spikes[-1][1])
    on, off = torch.stack(spikes, 1)
    return on, off


def delta_decode(on, off, threshold, start):
    """Levels that the spikes tell, [T, ...]."""
    return threshold * torch.cumsum(on - off, 0) + start
