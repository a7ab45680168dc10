"""A neuron that fires, to go on with."""

import torch


def lif_step(v, x, decay, threshold, reset):
    """One step: charge, fire, reset; returns (spike, v)."""
    v = decay * v + x
    fired = v >= threshold
    after = v - threshold if reset == "soft" else torch.zeros_like(v)
    return fired.to(v.dtype), torch.where(fired, after, v)


def run(currents, decay, threshold, reset, v0=0.0):
    """All steps; returns (spikes, potentials), each [T, ...]."""
    steps = [(currents[0], torch.full_like(currents[0], v0))]
    for x in currents:
        steps.append(lif_step(steps[-1][1], x, decay, threshold, reset))
    spikes, potentials = zip(*steps[1:], strict=True)
    return torch.stack(spikes), torch.stack(potentials)
