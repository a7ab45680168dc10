"""Runs beside the student's code: a small QCFS network trained on a fixed budget.

The network and its activation are made here, so that the question stands on its own.
"""

from typing import Any

import torch


def stairs(z, clip, levels):
    """The staircase whose derivatives are those of the straight line that it follows, and 1 by the clip above it."""
    h = (torch.floor(z * levels / clip + 0.5).clamp(0, levels) * clip / levels).detach()
    half = clip.detach() / (2 * levels)
    inside, above = (z > -half) & (z < clip - half), z > 0
    line = z + (h - z).detach() * (clip / clip.detach())
    return torch.where(inside, line, torch.where(above, clip, torch.zeros_like(z)))


class Activation(torch.nn.Module):
    def __init__(self, clip, levels):
        super().__init__()
        self.clip, self.levels = torch.nn.Parameter(torch.tensor(float(clip))), levels

    def forward(self, z):
        return stairs(z, self.clip, self.levels)


def fresh(images, network, seed):
    """A network of the widths, levels and clip that are asked for."""
    torch.manual_seed(seed)
    parts, width = [], images.shape[1]
    for hidden in network["hidden"]:
        parts += [torch.nn.Linear(width, hidden), Activation(network["clip"], network["levels"])]
        width = hidden
    return torch.nn.Sequential(*parts, torch.nn.Linear(width, 10))


def linear(network):
    return [part for part in network if isinstance(part, torch.nn.Linear)]


def learned(answer, images, labels, network, seed, epochs):
    """Weights and clips after a training, how far it moved them, and whether gradients pile up."""

    def left_over(epochs):
        """Size of the gradients that a training with learning rate 0 leaves behind."""
        other = fresh(images, network, seed)
        answer["train"](other, images[:64], labels[:64], epochs=epochs, learning_rate=0.0, seed=0)
        return sum(float(p.grad.abs().sum()) for p in other.parameters() if p.grad is not None)

    made = fresh(images, network, seed)
    torch.manual_seed(1)
    answer["train"](made, images, labels, epochs=epochs, seed=seed)
    clips = [float(part.clip.detach()) for part in made if isinstance(part, Activation)]
    found: dict[str, Any] = {"clips": clips}
    for place, layer in enumerate(linear(made)):
        found[f"weight {place}"], found[f"bias {place}"] = layer.weight, layer.bias
    both = zip(linear(made), linear(fresh(images, network, seed)), strict=True)
    found["moved"] = max(float((new.weight - old.weight).detach().abs().max()) for new, old in both)
    kept = left_over(1)
    found["gradient growth"] = left_over(3) / kept if kept > 0 else 0.0
    return found
