"""Models that the tests of conversion share."""

from __future__ import annotations

from collections.abc import Callable
from itertools import pairwise

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit.conversion import InitialPotential, SpikingNetwork, convert


def seeded(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random but reasonable BatchNorm statistics; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 2.0),
                (module.bias.data, -0.2, 0.6),
            ):
                assert tensor is not None
                tensor.uniform_(low, high, generator=generator)
    return model.eval()


class Plain(nn.Module):
    """A module whose forward is given as a function of itself and x."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._run(self, x)


class Everything(nn.Module):
    """ReLU in all spellings, reused; normalisation before and after; residuals, option A, concatenation, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm0 = nn.BatchNorm2d(2)
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4)
        self.norm3 = nn.BatchNorm2d(4)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.shortcut = lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2), "constant", 0)
        self.conv4 = nn.Conv2d(4, 8, 3, 2, 1)
        self.drop = nn.Dropout(0.5)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.hidden = nn.Linear(16 * 4, 12)
        self.norm4 = nn.BatchNorm1d(12)
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm1(self.conv1(self.norm0(x))))
        y = self.norm2(self.conv2(x))
        y += x
        y = self.norm3(F.relu(y))
        y = torch.relu(self.conv3(self.act(y)))
        z = (self.conv4(y) + self.shortcut(y)).relu()
        z = self.drop(torch.cat([z, F.avg_pool2d(z, 3, 1, 1) * self.scale], dim=1))
        z = self.pool(z).view(z.size(0), -1)
        return self.last(F.dropout(F.relu(self.norm4(self.hidden(z))), 0.2, self.training))


def step_by_step(network: SpikingNetwork, x: Tensor, steps: int) -> Tensor:
    """The body called T times: no cached constants, no averaged last layer, no chunks."""
    network.reset_state()
    with torch.no_grad():
        total = sum(network.body(x).clone() for _ in range(steps))
    assert isinstance(total, Tensor)
    return total / steps


class Residual(nn.Module):
    """Convolutions with a residual add, functional ReLU and average pooling."""

    def __init__(self) -> None:
        super().__init__()
        self.a = nn.Conv2d(2, 4, 3, padding=1)
        self.b = nn.Conv2d(4, 4, 3, padding=1)
        self.out = nn.Linear(4, 3)

    def forward(self, x: Tensor) -> Tensor:
        first = F.relu(self.a(x))
        second = F.relu(self.b(first) + first)
        result: Tensor = self.out(F.adaptive_avg_pool2d(second, 1).flatten(1))
        return result


def chain(widths: tuple[int, ...] = (6, 8, 7, 5, 3), seed: int = 0) -> nn.Sequential:
    torch.manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        layers += [nn.Linear(before, after), nn.ReLU()]
    for layer in layers:
        if isinstance(layer, nn.Linear):
            nn.init.kaiming_normal_(layer.weight)
            nn.init.normal_(layer.bias, std=0.1)
    return nn.Sequential(*layers[:-1])


def spiking(model: nn.Module, threshold: float = 1.0) -> SpikingNetwork:
    network = convert(model)
    for neuron in network.neurons().values():
        neuron.set_threshold(threshold)
        InitialPotential().apply(neuron)
    return network
