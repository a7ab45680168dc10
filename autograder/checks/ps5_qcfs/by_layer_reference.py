"""Unevenness by layer, to go on with."""

import torch


def run_spiking(weights, biases, clips, images, steps):
    """Mean logits of the converted network, and N - q of each hidden layer."""
    signal, excess = images.expand(steps, *images.shape), []
    for weight, bias, clip in zip(weights, biases, clips, strict=False):
        currents = signal @ weight.T + bias
        v, spikes = torch.zeros_like(currents[0]) + clip / 2, []
        for current in currents:
            v = v + current
            spikes.append((v >= clip).to(v))
            v = v - clip * spikes[-1]
        signal = clip * torch.stack(spikes)
        level = torch.floor((currents.sum(0) + clip / 2) / clip).clamp(min=0, max=steps)
        excess.append(torch.stack(spikes).sum(0) - level)
    return torch.mean(signal @ weights[-1].T + biases[-1], 0), excess


def uneven_shares(excess):
    """For each layer: share of uneven neurons, and share of extra spikes among them."""
    counts = [(int((one > 0).sum()), int((one < 0).sum()), one.numel()) for one in excess]
    return [((more + less) / size, more / (more + less or 1)) for more, less, size in counts]
