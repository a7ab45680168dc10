"""One-off tuning of a converted network through its own time steps: both halves of the course in one method.

Thresholds, shifts and v(0) of all layers are fitted together on calibration images.  The network runs as it
will be run, T steps of binary spikes, and the gradient passes each spike through a triangle, as in surrogate
training.  The loss compares averages with the ANN:

    sum over layers of  mean (phi - a)^2 / mean a^2,   plus the same of the logits

so that a layer learns not only to follow its own target but to send what keeps later layers on theirs.
Weights stay as they are; nothing is learnt about a test image, no step is added, and spikes stay binary.
"""

from __future__ import annotations

import copy

import torch
from torch import Tensor, nn
from tqdm import tqdm

from snnkit._validate import require_finite, require_float, require_positive, require_steps
from snnkit.conversion.monitor import ann_activations
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import BinarySpikes, SpikingActivation, align
from snnkit.surrogate import Triangle

__all__ = ["TunableNeuron", "played", "tunable", "tune"]


class TunableNeuron(nn.Module):
    """A layer of integrate-and-fire neurons whose threshold, shift and v(0) can be learnt.

    Each has one correction for every threshold that the layer has: per channel, or one for the layer.

    Args:
        neuron: where to start from.
        width: half-width of the surrogate, a triangle of area 1, in thresholds.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5); Neftci, Mostafa and Zenke 2019 for the gradient.
    """

    def __init__(self, neuron: SpikingActivation, width: float) -> None:
        super().__init__()
        self.base, self.base_shift = neuron.threshold.clone(), neuron.shift.clone()
        self.base_initial = neuron.initial.clone()
        self.spike = Triangle(width, peak=1 / width)
        self.log_scale = nn.Parameter(torch.zeros_like(neuron.threshold))
        self.added = nn.Parameter(torch.zeros_like(neuron.threshold))
        self.lifted = nn.Parameter(torch.zeros_like(neuron.threshold))
        self.v: Tensor | None = None
        self.total: Tensor | None = None

    def values(self, like: Tensor) -> tuple[Tensor, Tensor, Tensor]:
        """Threshold, shift and v(0), shaped to fit a current."""
        base = align(self.base, like)
        threshold = base * align(self.log_scale, like).exp()
        shift = align(self.base_shift, like) + base * align(self.added, like)
        return threshold, shift, align(self.base_initial, like) + base * align(self.lifted, like)

    def reset(self) -> None:
        """Forget the potential and the sum of the outputs."""
        self.v = self.total = None

    def forward(self, current: Tensor) -> Tensor:
        """Output spike * threshold of one step."""
        threshold, shift, initial = self.values(current)
        before = initial.expand_as(current) if self.v is None else self.v
        charge = before + current + shift
        spike: Tensor = self.spike((charge - threshold) / align(self.base, current))
        output = spike * threshold
        self.v = charge - output
        self.total = output if self.total is None else self.total + output
        return output

    def write_to(self, neuron: SpikingActivation, current: Tensor) -> None:
        """Hand the values to a layer of neurons; ``current`` shows the shape."""
        with torch.no_grad():
            threshold, shift, initial = (value.clone() for value in self.values(current))
        neuron.set_threshold(threshold.flatten() if self.base.dim() else threshold.reshape(()))
        neuron.set_shift(shift[0] if shift.dim() else shift)
        neuron.set_initial(initial[0] if initial.dim() else initial)


def tunable(network: SpikingNetwork, width: float = 0.5) -> tuple[nn.Module, dict[str, TunableNeuron]]:
    """A copy of the network's body whose neurons can be learnt, one call per time step.

    Its weights are frozen; ``width`` is the half-width of the surrogate, in thresholds.

    Raises:
        RuntimeError: if a threshold is not set.
        ValueError: if the width is not positive, or a layer has another firing rule than binary spikes.
    """
    require_positive("width", width)
    body = copy.deepcopy(network.body)
    layers = {}
    for name, neuron in network.with_thresholds().items():
        if type(neuron.rule) is not BinarySpikes:
            raise ValueError(
                f"layer '{name}' fires by {type(neuron.rule).__name__}; only BinarySpikes can be tuned"
            )
        layers[name] = TunableNeuron(neuron, width)
        body.set_submodule(name, layers[name])
    body.requires_grad_(False)
    for layer in layers.values():
        layer.requires_grad_(True)
    return body, layers


def played(body: nn.Module, layers: dict[str, TunableNeuron], x: Tensor, steps: int) -> Tensor:
    """Mean logits of a body from :func:`tunable`, with gradients; the sums stay in its layers."""
    for layer in layers.values():
        layer.reset()
    total: Tensor = body(x)
    for _ in range(steps - 1):
        total = total + body(x)
    return total / steps


def tune(
    network: SpikingNetwork,
    images: Tensor,
    steps: int,
    *,
    iterations: int = 160,
    batch_size: int = 32,
    learning_rate: float = 0.1,
    width: float = 0.5,
    seed: int = 0,
    progress: bool = True,
) -> list[float]:
    """Fit thresholds, shifts and v(0) of all layers together to the ANN's activations, in place.

    Args:
        network: a converted network with thresholds, best chosen for the same ``steps``.
        images: calibration images [N, ...].
        steps: T of the later run; what is learnt fits this T.
        iterations: Adam steps, one batch each.
        batch_size: images of a batch.
        learning_rate: at the start, in thresholds (that of the shift is divided by ``steps``); falls along a
            cosine.
        width: half-width of the surrogate, in thresholds.
        seed: order of the images.
        progress: show a progress bar.

    Returns:
        The loss of each iteration, before its step.

    Raises:
        TypeError: if the images are not floating point.
        ValueError: if there are no images, one is not finite, a number is not positive, or a layer has
            another firing rule than binary spikes.
        RuntimeError: if a threshold is not set, or the loss is no longer finite.

    Source: loss of Li et al., ICML 2021, section 4, minimised by the gradient of Neftci, Mostafa and Zenke
        2019.
    """
    for name, value in (("steps", steps), ("iterations", iterations), ("batch_size", batch_size)):
        require_steps(value, name)
    require_positive("learning_rate", learning_rate)
    require_float("images", images)
    if images.dim() < 2 or images.shape[0] == 0:
        raise ValueError(f"images must have shape [N, ...] with N at least 1; got {list(images.shape)}")
    require_finite("images", images)
    body, layers = tunable(network, width)
    optimiser = torch.optim.Adam(
        [
            {"params": [p for m in layers.values() for p in (m.log_scale, m.lifted)], "lr": learning_rate},
            {"params": [m.added for m in layers.values()], "lr": learning_rate / steps},
        ]
    )
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, iterations)
    generator = torch.Generator().manual_seed(seed)
    losses: list[float] = []
    order = torch.empty(0, dtype=torch.int64)
    with tqdm(total=iterations, desc="tuning", unit="batch", disable=not progress) as bar:
        while len(losses) < iterations:
            if len(order) < min(batch_size, len(images)):
                order = torch.randperm(len(images), generator=generator)
            chosen, order = order[:batch_size], order[batch_size:]
            x = images[chosen]
            targets, logits = ann_activations(network, x), network.analog(x)
            with torch.enable_grad():
                answer = played(body, layers, x, steps)
                loss = _relative(answer, logits)
                for name, layer in layers.items():
                    assert layer.total is not None
                    loss = loss + _relative(layer.total / steps, targets[name])
                optimiser.zero_grad()
                loss.backward()  # type: ignore[no-untyped-call]
            if not bool(torch.isfinite(loss)):
                raise RuntimeError(
                    f"the loss became {float(loss.detach())}; lower the learning rate (now {learning_rate})"
                )
            optimiser.step()
            schedule.step()
            losses.append(float(loss.detach()))
            bar.update()
            bar.set_postfix(loss=f"{losses[-1]:.3f}")
    for name, layer in layers.items():
        assert layer.total is not None
        layer.write_to(network.neurons()[name], layer.total.detach())
    network.reset_state()
    return losses


def _relative(value: Tensor, target: Tensor) -> Tensor:
    """Mean squared difference over the mean square of the target."""
    return (value - target).square().mean() / target.square().mean().clamp(min=1e-12)
