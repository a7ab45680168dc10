"""What the neurons of a running network receive and send, and what its ANN has in the same place.

Sums over time are kept in float64.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import torch
from torch import Tensor, fx, nn

from snnkit._validate import require_steps
from snnkit.conversion._hooks import Hook, hooked
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import SpikingActivation, align
from snnkit.conversion.schedule import is_spiking

__all__ = ["LayerRun", "ann_activations", "depth", "record", "record_frames", "spiking_layers"]


@dataclass(frozen=True)
class LayerRun:
    """What the neurons of one layer received and did in a run; tensors are ``[N, C, ...]``.

    ``threshold`` broadcasts against them.  ``current`` is z, the mean over the steps without the shift.
    """

    current: Tensor
    count: Tensor
    v_start: Tensor
    v_end: Tensor
    threshold: Tensor
    shift: Tensor
    steps: int

    @property
    def average(self) -> Tensor:
        """Average output N theta/T."""
        return self.count * self.threshold / self.steps

    @property
    def residual(self) -> Tensor:
        """What the balance of charge, average = z + shift - (v(T) - v(0))/T, is off by, which is rounding."""
        return self.average - (self.current + self.shift - (self.v_end - self.v_start) / self.steps)

    def from_start(self, v_start: Tensor) -> LayerRun:
        """The same spikes judged by another v(0): X, and so q, is what that potential would have given."""
        start = align(v_start, self.v_end).to(torch.float64).expand(self.v_end.shape)
        return replace(self, v_start=start, v_end=self.v_end - (self.v_start - start))


def spiking_layers(network: SpikingNetwork) -> dict[str, SpikingActivation]:
    """``{name: layer of neurons}`` in running order; a TypeError for what is no converted network."""
    if not isinstance(network, SpikingNetwork):
        raise TypeError(
            f"network must be a SpikingNetwork; got {type(network).__name__}. convert(model) makes one"
        )
    return network.neurons()


class _Counter:
    """Forward hook of one layer: adds up currents and outputs, because their buffers are used again."""

    def __init__(self) -> None:
        self.current: Tensor | None = None
        self.output: Tensor | None = None

    def __call__(self, module: nn.Module, inputs: tuple[Any, ...], output: Tensor) -> None:
        if self.current is None or self.output is None:
            self.current = inputs[0].to(torch.float64, copy=True)
            self.output = output.to(torch.float64, copy=True)
        else:
            self.current += inputs[0]
            self.output += output


def record(network: SpikingNetwork, x: Tensor, steps: int) -> dict[str, LayerRun]:
    """Run a converted network for T steps on ``x`` [N, ...] and keep what every neuron received and sent.

    Returns ``{layer name: LayerRun}`` in running order.
    Errors are those of :meth:`SpikingNetwork.forward`, and a TypeError for what is no converted network.

    Source: Bu et al., ICLR 2022, eqs. (7)-(9), accumulated.
    """
    require_steps(steps)
    return _recorded(network, steps, lambda: network(x, steps))


def record_frames(network: SpikingNetwork, frames: Tensor) -> dict[str, LayerRun]:
    """:func:`record` for an input that changes from step to step, ``frames`` [T, N, ...]."""
    return _recorded(network, len(frames), lambda: network.play(frames))


def _recorded(network: SpikingNetwork, steps: int, run: Callable[[], Tensor]) -> dict[str, LayerRun]:
    layers = spiking_layers(network)
    counters = {name: _Counter() for name in layers}
    with hooked((layers[name], counter) for name, counter in counters.items()):
        run()
    return {name: _finish(counters[name], layer, steps) for name, layer in layers.items()}


def _finish(counter: _Counter, layer: SpikingActivation, steps: int) -> LayerRun:
    assert counter.current is not None
    assert counter.output is not None
    assert layer.v is not None
    threshold, shift, start = (
        align(value, counter.current).to(torch.float64)
        for value in (layer.threshold, layer.shift, layer.initial)
    )
    return LayerRun(
        current=counter.current / steps,
        count=(counter.output / threshold).round_(),
        v_start=start.expand(counter.current.shape),
        v_end=layer.v.to(torch.float64),
        threshold=threshold,
        shift=shift,
        steps=steps,
    )


def ann_activations(network: SpikingNetwork, x: Tensor) -> dict[str, Tensor]:
    """``{layer name: what the ANN's activation puts out there}`` for ``x`` [N, ...]."""
    outputs: dict[str, Tensor] = {}

    def keep(name: str) -> Hook:
        return lambda module, inputs, output: outputs.update({name: output.detach().clone()})

    with hooked((network.activation(name), keep(name)) for name in spiking_layers(network)):
        network.analog(x)
    return outputs


def depth(network: SpikingNetwork) -> int:
    """Number of layers of neurons on the longest way from the input to the logits, at least 1."""
    layers = spiking_layers(network)
    longest: dict[fx.Node, int] = {}
    for node in network.body.graph.nodes:
        before = max((longest[source] for source in node.all_input_nodes), default=0)
        longest[node] = before + is_spiking(node, layers)
    return max(longest.values())
