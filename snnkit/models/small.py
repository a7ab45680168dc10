r"""Small networks: the two-layer spiking network for event frames, and a small convolutional one.

Spiking networks take event counts ``[T, N, ...]`` and give one value per class, ``[N, classes]``: their last
module, the *readout*, turns the currents of the output layer into that. :class:`MeanOverTime` averages the
currents themselves, :class:`FiringRate` lets output neurons spike and averages the spikes.
"""

from __future__ import annotations

import math
from collections import OrderedDict
from collections.abc import Callable

import torch
from torch import Tensor, nn

from snnkit._validate import require_in, require_positive, require_steps
from snnkit.layers import LIF, TimeFolded
from snnkit.sparse import EventLinear

__all__ = [
    "FiringRate",
    "LogCounts",
    "MeanOverTime",
    "small_cnn",
    "small_spiking_cnn",
    "two_layer_event_snn",
    "two_layer_snn",
]

Neuron = Callable[[], nn.Module]


def _lif() -> LIF:
    return LIF(detach_reset=True)


class LogCounts(nn.Module):
    """log(1 + count) of event counts, which are 0 or more: tames the few pixels with many events."""

    def forward(self, counts: Tensor) -> Tensor:
        return (counts if counts.is_floating_point() else counts.float()).log1p()


class MeanOverTime(nn.Module):
    """Readout without neurons: the mean over time of the output currents, ``[T, N, classes] -> [N, classes]``."""

    def forward(self, current: Tensor) -> Tensor:
        return current.mean(0)


class FiringRate(nn.Module):
    """Readout by output neurons: spikes per step, ``[T, N, classes] -> [N, classes]`` in [0, 1].

    Args:
        neuron: multi-step neurons on ``[T, N, classes]``; None takes ``LIF(detach_reset=True)``.
    """

    def __init__(self, neuron: nn.Module | None = None) -> None:
        super().__init__()
        self.neuron = _lif() if neuron is None else neuron

    def forward(self, current: Tensor) -> Tensor:
        rate: Tensor = self.neuron(current).mean(0)
        return rate


def two_layer_snn(
    inputs: int = 2312,
    hidden: int = 800,
    classes: int = 10,
    *,
    neuron: Neuron = _lif,
    readout: nn.Module | None = None,
    dropout: float = 0.3,
    gain: float = 1.5,
) -> nn.Sequential:
    """Two fully connected layers with spiking hidden neurons, 2312-800-10 for N-MNIST's 2 x 34 x 34 counts.

    Args:
        inputs: pixels of a frame.
        hidden: hidden neurons.
        classes: outputs.
        neuron: builds the hidden neurons; the default is ``LIF(decay=0.5, detach_reset=True)`` with ATan.
        readout: maps ``[T, N, classes]`` to ``[N, classes]``; None takes :class:`MeanOverTime`.
        dropout: share of the hidden spikes dropped while training, in [0, 1).
        gain: factor on torch's default initial weights; too little drive and the hidden layer stays silent.

    Returns:
        A module from event counts ``[T, N, ...]`` (any real dtype) to ``[N, classes]``.

    Raises:
        TypeError: a size is not a whole number.
        ValueError: a size is below 1, ``dropout`` is outside [0, 1] or ``gain`` is not positive.

    Source: layer sizes of Lee et al. 2016 for N-MNIST.
    """
    linear = nn.Linear(_size(inputs), _size(hidden), bias=False)
    first = nn.Sequential(LogCounts(), nn.Flatten(2), linear)
    return _two_layers(first, linear.weight, hidden, classes, neuron, readout, dropout, gain)


def two_layer_event_snn(
    inputs: int = 2312,
    hidden: int = 800,
    classes: int = 10,
    *,
    neuron: Neuron = _lif,
    readout: nn.Module | None = None,
    dropout: float = 0.3,
    gain: float = 1.5,
) -> nn.Sequential:
    """:func:`two_layer_snn` on sparse batches: :class:`snnkit.sparse.EventLinear` takes the place of the first layer.

    Compress the frames with ``EventFrames.from_dense(counts, numpy.log1p)`` for the same network. Arguments and
    errors are those of :func:`two_layer_snn`; the module maps an :class:`snnkit.sparse.EventBatch` to
    ``[N, classes]``.
    """
    first = EventLinear(inputs, hidden)
    return _two_layers(first, first.weight, hidden, classes, neuron, readout, dropout, gain)


def _size(size: int) -> int:
    require_steps(size, "a layer's size")
    return size


def _two_layers(
    first: nn.Module,
    weight: Tensor,
    hidden: int,
    classes: int,
    neuron: Neuron,
    readout: nn.Module | None,
    dropout: float,
    gain: float,
) -> nn.Sequential:
    require_in("dropout", dropout, 0.0, 1.0)
    require_positive("gain", gain)
    second = nn.Linear(hidden, _size(classes), bias=False)
    with torch.no_grad():
        weight.mul_(gain)
        second.weight.mul_(gain)
    return nn.Sequential(
        OrderedDict(
            first=first,
            neuron=neuron(),
            dropout=nn.Dropout(dropout),
            second=second,
            readout=MeanOverTime() if readout is None else readout,
        )
    )


def small_cnn(
    channels: int = 3,
    size: int = 32,
    classes: int = 10,
    *,
    width: int = 16,
    activation: Callable[[], nn.Module] = nn.ReLU,
) -> nn.Sequential:
    """A convolutional network without spikes, ready for conversion: average pooling, activations as modules.

    Args:
        channels: of the image.
        size: height and width of the image, at least 4.
        classes: outputs.
        width: channels after the first convolution; twice as many after the second.
        activation: builds one activation.

    Returns:
        A module from ``[N, channels, size, size]`` to logits ``[N, classes]``.

    Raises:
        TypeError: a size is not a whole number.
        ValueError: a size is too small.

    Source: LeCun et al. 1998, with average pooling.
    """
    parts = _convolutions(channels, size, classes, width)
    return nn.Sequential(
        OrderedDict(
            conv1=parts[0],
            act1=activation(),
            pool1=nn.AvgPool2d(2),
            conv2=parts[1],
            act2=activation(),
            pool2=nn.AvgPool2d(2),
            flatten=nn.Flatten(),
            linear=parts[2],
        )
    )


def small_spiking_cnn(
    channels: int = 2,
    size: int = 34,
    classes: int = 10,
    *,
    width: int = 16,
    neuron: Neuron = _lif,
    readout: nn.Module | None = None,
    gain: float = 3.0,
) -> nn.Sequential:
    """:func:`small_cnn` with spiking neurons, for direct training on event counts.

    Args:
        channels: of a frame, 2 for the polarities of events.
        size: height and width of a frame, at least 4.
        classes: outputs.
        width: channels after the first convolution; twice as many after the second.
        neuron: builds the neurons of one layer.
        readout: maps ``[T, N, classes]`` to ``[N, classes]``; None takes :class:`MeanOverTime`.
        gain: factor on torch's default initial weights.

    Returns:
        A module from event counts ``[T, N, channels, size, size]`` to ``[N, classes]``.

    Raises:
        TypeError: a size is not a whole number.
        ValueError: a size is too small or ``gain`` is not positive.

    Source: LeCun et al. 1998 with spiking neurons.
    """
    require_positive("gain", gain)
    parts = _convolutions(channels, size, classes, width)
    with torch.no_grad():
        for part in parts:
            part.weight.mul_(gain)
    return nn.Sequential(
        OrderedDict(
            counts=LogCounts(),
            conv1=TimeFolded(parts[0]),
            neuron1=neuron(),
            pool1=TimeFolded(nn.AvgPool2d(2)),
            conv2=TimeFolded(parts[1]),
            neuron2=neuron(),
            pool2=TimeFolded(nn.AvgPool2d(2)),
            flatten=nn.Flatten(2),
            linear=parts[2],
            readout=MeanOverTime() if readout is None else readout,
        )
    )


def _convolutions(
    channels: int, size: int, classes: int, width: int
) -> tuple[nn.Conv2d, nn.Conv2d, nn.Linear]:
    if _size(size) < 4:
        raise ValueError(f"the image must be at least 4 pixels wide, as it is pooled twice; got {size}")
    return (
        nn.Conv2d(_size(channels), _size(width), 3, padding=1),
        nn.Conv2d(width, 2 * width, 3, padding=1),
        nn.Linear(2 * width * math.prod([size // 4] * 2), _size(classes)),
    )
