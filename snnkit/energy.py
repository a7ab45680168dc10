"""Spikes, synaptic operations and multiply-accumulates of one inference, and an energy estimate from them.

What is counted, at every layer with weights (linear, convolution) and every normalisation:

* ``dense``: its connections, zero inputs included and padding excluded: what an ANN's hardware computes;
* ``accumulates`` (synaptic operations): connections that a spike reaches, one addition each;
* ``multiplies``: connections that a nonzero input of graded height reaches (the analog image, averages of spikes
  after pooling, real-valued sums), one multiply-accumulate each.

An input counts as spikes if all its nonzero values in a channel have the same height, which the weights can take up.
Biases, pooling, residual additions, the update of the neurons and all memory traffic are *not* counted; on real
hardware memory usually costs more than arithmetic, so these are estimates of the arithmetic alone.
A converted network receives its analog image at every step; ``cached_input=True`` counts the layers that only the
image reaches once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from spikingjelly.activation_based.neuron import BaseNode
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit._validate import require_float, require_steps
from snnkit.conversion.folding import Affine
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import SpikingActivation
from snnkit.conversion.schedule import constant_nodes
from snnkit.layers import LIF

__all__ = [
    "Conv",
    "EnergyCosts",
    "LayerOperations",
    "Norm",
    "Operations",
    "count_ann",
    "count_converted",
    "count_played",
    "count_spiking",
    "fan_out",
]

Conv = nn.Conv1d | nn.Conv2d | nn.Conv3d
Norm = nn.BatchNorm1d | nn.BatchNorm2d | nn.BatchNorm3d | Affine
_CONVOLVE: dict[int, Callable[..., Tensor]] = {1: F.conv1d, 2: F.conv2d, 3: F.conv3d}


@dataclass(frozen=True)
class EnergyCosts:
    """Energy of one operation in picojoule; the defaults are 32-bit floating point in a 45 nm process at 0.9 V.

    Args:
        multiply: One multiply-accumulate, 3.7 pJ + 0.9 pJ.
        accumulate: One addition.

    Source: Horowitz, ISSCC 2014, fig. 1.1.9.
    """

    multiply: float = 4.6
    accumulate: float = 0.9


@dataclass(frozen=True)
class LayerOperations:
    """Operations of one layer, per sample and inference (all time steps together)."""

    layer: str
    accumulates: float
    multiplies: float
    dense: float


@dataclass(frozen=True)
class Operations:
    """Operations of a network, per sample and inference.

    Attributes:
        layers: The layers with weights and the normalisations, in the order in which they first ran.
        spikes: Spikes sent, by layer of neurons.
        steps: T; 1 for an ANN.
        uncounted: Modules with parameters of a kind that is not counted; empty if the count is complete.
    """

    layers: tuple[LayerOperations, ...]
    spikes: dict[str, float]
    steps: int
    uncounted: tuple[str, ...] = ()

    @property
    def accumulates(self) -> float:
        """Synaptic operations."""
        return sum(layer.accumulates for layer in self.layers)

    @property
    def multiplies(self) -> float:
        """Multiply-accumulates that nonzero inputs need."""
        return sum(layer.multiplies for layer in self.layers)

    @property
    def dense(self) -> float:
        """Multiply-accumulates if zeros are computed like everything else."""
        return sum(layer.dense for layer in self.layers)

    @property
    def total_spikes(self) -> float:
        return sum(self.spikes.values())

    def energy(self, costs: EnergyCosts | None = None) -> float:
        """Energy of the arithmetic in nanojoule when zeros cost nothing (event-driven).

        Source: Horowitz, ISSCC 2014.
        """
        costs = EnergyCosts() if costs is None else costs
        return (self.accumulates * costs.accumulate + self.multiplies * costs.multiply) / 1000

    def dense_energy(self, costs: EnergyCosts | None = None) -> float:
        """Energy of the arithmetic in nanojoule when every connection is a multiply-accumulate (an ANN's hardware).

        Source: Horowitz, ISSCC 2014.
        """
        costs = EnergyCosts() if costs is None else costs
        return self.dense * costs.multiply / 1000


def fan_out(layer: nn.Linear | Conv | Norm, shape: torch.Size) -> Tensor:
    """Connections that each place of an input reaches, padding taken into account.

    Args:
        layer: Linear, convolution or normalisation.
        shape: Of the input, [N, C, ...] ([N, features] for a linear layer).

    Returns:
        A number for linear layers and normalisations; for a convolution one number per place, [...].

    Raises:
        ValueError: If a convolution pads with anything but zeros.
    """
    if isinstance(layer, nn.Linear):
        return torch.tensor(float(layer.out_features))
    if not isinstance(layer, Conv):
        return torch.tensor(1.0)
    if layer.padding_mode != "zeros":
        raise ValueError(f"padding_mode must be 'zeros' to count connections; got {layer.padding_mode!r}")
    space = shape[2:]
    with torch.enable_grad():
        place = torch.zeros(1, 1, *space, requires_grad=True)
        ones = torch.ones(1, 1, *layer.kernel_size)
        result = _CONVOLVE[len(space)](place, ones, None, layer.stride, layer.padding, layer.dilation)
        (taps,) = torch.autograd.grad(result.sum(), place)
    return taps[0, 0] * (layer.out_channels // layer.groups)


def _one_height(x: Tensor) -> bool:
    """Whether the nonzero values of each channel all have one height."""
    rows = x.transpose(0, 1).flatten(1) if x.dim() > 2 else x.t()
    nonzero = rows != 0
    high = rows.masked_fill(~nonzero, -torch.inf).amax(dim=1)
    low = rows.masked_fill(~nonzero, torch.inf).amin(dim=1)
    silent = ~nonzero.any(dim=1)
    return bool((silent | torch.isclose(high, low, rtol=1e-5, atol=0.0)).all())


@dataclass
class _Tally:
    accumulates: float = 0.0
    multiplies: float = 0.0
    dense: float = 0.0


class _OperationCounter:
    """Forward hooks that add up operations and spikes."""

    def __init__(self) -> None:
        self.tallies: dict[str, _Tally] = {}
        self.spikes: dict[str, float] = {}
        self.analog: set[str] = set()
        self.once: set[str] = set()  # layers whose repeated calls are not counted
        self.sizes: dict[tuple[str, torch.Size], Tensor] = {}

    @torch.no_grad()
    def weights(self, name: str, layer: nn.Linear | Conv | Norm, x: Tensor) -> None:
        if name in self.once and name in self.tallies:
            return
        if isinstance(layer, nn.Linear) and x.dim() > 2:
            x = x.flatten(0, -2)
        tally = self.tallies.setdefault(name, _Tally())
        key = (name, x.shape[1:])
        if key not in self.sizes:
            self.sizes[key] = fan_out(layer, x.shape)
        reached = self.sizes[key].double()
        tally.dense += float((torch.ones(x.shape[1:], dtype=torch.float64) * reached).sum()) * x.shape[0]
        operations = float(((x != 0).sum(dim=(0, 1)) * reached).sum())
        if name in self.analog or not _one_height(x):
            tally.multiplies += operations
        else:
            tally.accumulates += operations

    @torch.no_grad()
    def neurons(self, name: str, output: Tensor) -> None:
        self.spikes[name] = self.spikes.get(name, 0.0) + float((output != 0).sum())

    def result(self, samples: int, steps: int, uncounted: tuple[str, ...]) -> Operations:
        layers = tuple(
            LayerOperations(name, t.accumulates / samples, t.multiplies / samples, t.dense / samples)
            for name, t in self.tallies.items()
        )
        spikes = {name: count / samples for name, count in self.spikes.items()}
        return Operations(layers, spikes, steps, uncounted)


@contextmanager
def _counting(model: nn.Module, counter: _OperationCounter) -> Iterator[tuple[str, ...]]:
    handles = []
    uncounted = []
    for name, module in model.named_modules():
        if isinstance(module, (nn.Linear, Conv, Norm)):
            handles.append(
                module.register_forward_hook(lambda m, i, _o, name=name: counter.weights(name, m, i[0]))
            )
        elif isinstance(module, (SpikingActivation, LIF, BaseNode)):
            handles.append(
                module.register_forward_hook(lambda _m, _i, o, name=name: counter.neurons(name, o))
            )
        elif any(True for _ in module.parameters(recurse=False)):
            uncounted.append(name or type(module).__name__)
    try:
        yield tuple(uncounted)
    finally:
        for handle in handles:
            handle.remove()


def count_ann(model: nn.Module, x: Tensor) -> Operations:
    """Operations of an ANN, per sample: compare ``dense``, or ``multiplies`` if zeros are skipped.

    The model is called once on ``x`` [N, ...], in the mode it is in; ``accumulates`` is 0 unless an input is
    binary.

    Raises:
        TypeError: If ``x`` is not floating point.
        ValueError: If ``x`` is empty.
    """
    _require_samples(x, 0)
    return _run(model, x, x.shape[0], 1)


def count_spiking(model: nn.Module, x: Tensor) -> Operations:
    """Operations of a directly trained multi-step network over all T steps of ``x`` [T, N, ...], per sample.

    Its neurons are those of :mod:`snnkit.layers` or of SpikingJelly. Raises what :func:`count_ann` raises.
    """
    _require_samples(x, 1)
    return _run(model, x, x.shape[1], x.shape[0])


def count_converted(
    network: SpikingNetwork, x: Tensor, steps: int, *, cached_input: bool = False
) -> Operations:
    """Operations of a converted network, per sample and inference, run step by step as hardware would.

    Args:
        network: A converted network with its thresholds.
        x: Images [N, ...].
        steps: T.
        cached_input: Whether the layers that only the image reaches are computed once instead of at every step.

    Returns:
        The counts over all steps; the last layer too is counted at every step.

    Raises:
        TypeError: If ``x`` is not floating point.
        ValueError: If ``x`` is empty or ``steps`` is below 1.
        RuntimeError: If a threshold is not set.
    """
    require_steps(steps)
    counter = _OperationCounter()
    constant = constant_nodes(network.body.graph, network.neurons())
    counter.analog = {str(node.target) for node in constant if node.op == "call_module"}
    counter.once = counter.analog if cached_input else set()
    network.start(x)
    with _counting(network.body, counter) as uncounted, torch.no_grad():
        for _ in range(steps):
            network.body(x)
    network.reset_state()
    return counter.result(x.shape[0], steps, uncounted)


def count_played(network: SpikingNetwork, frames: Tensor) -> Operations:
    """Operations of a converted network on an input that changes from step to step, per sample and inference.

    Args:
        network: A converted network with its thresholds.
        frames: Inputs over time, [T, N, ...]; see :meth:`snnkit.conversion.network.SpikingNetwork.play`.

    Returns:
        The counts over all T steps.

    Raises:
        TypeError: If ``frames`` is not floating point.
        ValueError: If ``frames`` is empty.
        RuntimeError: If a threshold is not set.
    """
    _require_samples(frames, 1)
    counter = _OperationCounter()
    with _counting(network.body, counter) as uncounted:
        network.play(frames)
    network.reset_state()
    return counter.result(frames.shape[1], len(frames), uncounted)


def _require_samples(x: Tensor, axis: int) -> None:
    require_float("x", x)
    if x.dim() < axis + 2 or x.numel() == 0:
        raise ValueError(
            f"x must have shape {'[T, N, ...]' if axis else '[N, ...]'}, not empty; got {list(x.shape)}"
        )


def _run(model: nn.Module, x: Tensor, samples: int, steps: int) -> Operations:
    counter = _OperationCounter()
    with _counting(model, counter) as uncounted, torch.no_grad():
        model(x)
    return counter.result(samples, steps, uncounted)
