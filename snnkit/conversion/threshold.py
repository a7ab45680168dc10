"""Thresholds of a converted network from the activations of its ANN on calibration images.

Three rules, each per layer or per channel: the maximum, a percentile, and the threshold that minimises the
squared error of the spike count's clip-floor staircase.
Activations are seen batch by batch and never kept; what is accumulated over batches is exact (a maximum, the
largest values, a sum of squared errors), not a moving average.

A channel that never gets above 0 on the calibration images is *dead*: it takes the largest threshold among
the layer's other channels, so that it stays as silent as it was.
"""

from __future__ import annotations

import math
import warnings
from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn
from tqdm import tqdm

from snnkit._validate import require_in, require_steps
from snnkit.conversion._batches import Images, image_batches
from snnkit.conversion._hooks import Hook, hooked
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import Floor, Rounding

__all__ = [
    "Adaptive",
    "Collector",
    "Maximum",
    "Percentile",
    "ThresholdRule",
    "set_rounding",
    "set_thresholds",
    "staircase_errors",
]


class Collector(Protocol):
    """What a rule gathers at one layer, in one or more passes over the images."""

    def see(self, activation: Tensor) -> None: ...

    def end_of_pass(self) -> bool:
        """Close a pass; True when no further pass is needed."""
        ...

    def threshold(self) -> Tensor:
        """One value per row: [1] per layer, [C] per channel; 0 where dead."""
        ...


class ThresholdRule(Protocol):
    """A way to choose thresholds; ``rounding`` is the one that the network will run."""

    @property
    def per_channel(self) -> bool: ...

    def collector(self, rounding: Rounding) -> Collector: ...


def _rows(activation: Tensor, per_channel: bool) -> Tensor:
    """[N, C, ...] as [C, M] or [1, M]."""
    return activation.transpose(0, 1).flatten(1) if per_channel else activation.reshape(1, -1)


@dataclass(frozen=True)
class Maximum:
    """theta = the largest activation seen: no clipping on the calibration images, and on those alone.

    Source: Diehl et al., IJCNN 2015; Deng & Gu, ICLR 2021.
    """

    per_channel: bool = False

    def collector(self, rounding: Rounding) -> Collector:
        return _MaximumCollector(self.per_channel)


class _MaximumCollector:
    def __init__(self, per_channel: bool) -> None:
        self.per_channel = per_channel
        self.largest: Tensor | None = None

    def see(self, activation: Tensor) -> None:
        dims = [d for d in range(activation.dim()) if d != 1 or not self.per_channel]
        largest = activation.amax(dim=dims).reshape(-1)
        self.largest = largest if self.largest is None else torch.maximum(self.largest, largest)

    def end_of_pass(self) -> bool:
        return True

    def threshold(self) -> Tensor:
        assert self.largest is not None
        return self.largest


@dataclass(frozen=True)
class Percentile:
    """theta = a percentile of all activations, zeros included, interpolated as in ``numpy.percentile``.

    It is exact over all batches; memory is the share of values above the percentile, so take a high one.

    Args:
        percent: Between 0 and 100.
        per_channel: One percentile per channel instead of one for the layer.

    Source: Rueckauer et al., Front. Neurosci. 2017, section 2.2.2.
    """

    percent: float = 99.9
    per_channel: bool = False

    def __post_init__(self) -> None:
        require_in("percent", self.percent, 0.0, 100.0)

    def collector(self, rounding: Rounding) -> Collector:
        return _PercentileCollector(self.percent / 100, self.per_channel)


class _PercentileCollector:
    """Pass 1 counts, pass 2 keeps as many of the largest values as the percentile needs."""

    def __init__(self, fraction: float, per_channel: bool) -> None:
        self.fraction, self.per_channel = fraction, per_channel
        self.count = 0
        self.keep: int | None = None
        self.largest: Tensor | None = None

    def see(self, activation: Tensor) -> None:
        rows = _rows(activation, self.per_channel)
        if self.keep is None:
            self.count += rows.shape[1]
            return
        merged = rows if self.largest is None else torch.cat([self.largest, rows], dim=1)
        self.largest = merged.topk(min(self.keep, merged.shape[1]), dim=1, sorted=False).values

    def end_of_pass(self) -> bool:
        first = self.keep is None
        self.keep = self.count - math.floor(self.fraction * (self.count - 1))
        return not first

    def threshold(self) -> Tensor:
        assert self.largest is not None
        position = self.fraction * (self.count - 1)
        ordered = self.largest.sort(dim=1).values
        low, high = ordered[:, 0], ordered[:, min(1, ordered.shape[1] - 1)]
        return torch.lerp(low, high, position - math.floor(position))


@dataclass(frozen=True)
class Adaptive:
    r"""theta that minimises the squared error of the clip-floor staircase, by grid search.

    :math:`\theta^* = \arg\min_\theta \sum (\mathrm{ClipFloor}(x; T, \theta) - \mathrm{ReLU}(x))^2` over the
    grid max(x) i/G, i = 1..G (0 would divide by 0), with the flooring that the network will run: plain, or
    centred by half a level for a bias shift or an initial potential.

    Args:
        steps: T of the run.
        per_channel: One threshold per channel instead of one for the layer.
        grid: G, the number of candidates.

    Source: Li et al., ICML 2021, eq. (12).
    """

    steps: int
    per_channel: bool = False
    grid: int = 100

    def __post_init__(self) -> None:
        require_steps(self.steps)
        require_steps(self.grid, "grid")

    def collector(self, rounding: Rounding) -> Collector:
        return _AdaptiveCollector(self.steps, self.per_channel, self.grid, rounding.offset)


def staircase_errors(values: Tensor, thresholds: Tensor, steps: int, offset: float) -> Tensor:
    """Squared error of the clip-floor staircase, summed over the values, for many thresholds at once.

    One sort gives, for every level n of every threshold, the number and the sum of the values that end on it;
    the error is then the sum of x^2 - 2 x q + q^2 over levels q = n theta/T.

    Args:
        values: Activations of at least 0, [R, M].
        thresholds: Candidates, [R, G].
        steps: T.
        offset: Part of a level that is added before flooring: 0, or 1/2 when centred.

    Returns:
        [R, G], float64.

    Source: Li et al., ICML 2021, eq. (12).
    """
    ordered = values.sort(dim=1).values
    sums = nn.functional.pad(ordered.double().cumsum(dim=1), (1, 0))
    levels = torch.arange(1, steps + 1, dtype=torch.float64, device=values.device) / steps
    edges = thresholds.double().unsqueeze(2) * (levels - offset / steps)  # x >= edge n: at least n spikes
    rows, grid = thresholds.shape
    first = torch.searchsorted(ordered.double().contiguous(), edges.reshape(rows, -1))
    below = sums.gather(1, first).view(rows, grid, steps)
    first = first.view(rows, grid, steps)
    total = sums[:, -1:]
    count_above = values.shape[1] - first
    sum_above = total.unsqueeze(2) - below
    step = thresholds.double() / steps
    # q and q^2 as sums over the levels reached: q = step * n, q^2 = step^2 * sum(2 n - 1)
    odd = 2 * torch.arange(1, steps + 1, dtype=torch.float64, device=values.device) - 1
    product = step * sum_above.sum(dim=2)
    square = step**2 * (count_above.double() * odd).sum(dim=2)
    return ordered.double().square().sum(dim=1, keepdim=True) - 2 * product + square


class _AdaptiveCollector:
    """Pass 1 finds the maxima, pass 2 sums the squared errors of every candidate."""

    def __init__(self, steps: int, per_channel: bool, grid: int, offset: float) -> None:
        self.steps, self.per_channel, self.offset = steps, per_channel, offset
        self.fractions = torch.arange(1, grid + 1, dtype=torch.float64) / grid
        self.maximum = _MaximumCollector(per_channel)
        self.candidates: Tensor | None = None
        self.errors: Tensor | None = None

    def see(self, activation: Tensor) -> None:
        if self.candidates is None:
            self.maximum.see(activation)
            return
        rows = _rows(activation, self.per_channel)
        if not self.per_channel:
            rows = rows[rows > 0].view(1, -1)  # zeros are met exactly by every candidate
        errors = staircase_errors(rows, self.candidates, self.steps, self.offset)
        self.errors = errors if self.errors is None else self.errors + errors

    def end_of_pass(self) -> bool:
        if self.candidates is not None:
            return True
        largest = self.maximum.threshold().double()
        self.candidates = largest.unsqueeze(1) * self.fractions.to(largest.device)
        return False

    def threshold(self) -> Tensor:
        assert self.candidates is not None
        assert self.errors is not None
        best = self.errors.argmin(dim=1, keepdim=True)
        return self.candidates.gather(1, best).squeeze(1).float()


def _revive(name: str, threshold: Tensor) -> Tensor:
    """Give dead channels (threshold 0) the layer's largest threshold, or 1 if all are dead."""
    dead = threshold <= 0
    if bool(dead.all()):
        warnings.warn(
            f"layer '{name}' is 0 on every calibration image; its threshold is set to 1. "
            "Use more images, or check that they are scaled as in training",
            stacklevel=3,
        )
        return torch.ones_like(threshold)
    return torch.where(dead, threshold.max(), threshold)


def set_thresholds(
    network: SpikingNetwork,
    images: Images,
    rule: ThresholdRule,
    rounding: Rounding | None = None,
    *,
    batch_size: int = 64,
    progress: bool = True,
) -> dict[str, Tensor]:
    """Set the thresholds of the ReLU layers of a converted network, and apply a rounding to them.

    Layers that came from QCFS keep their trained clip.

    Args:
        network: What :func:`snnkit.conversion.convert` returned.
        images: Calibration images [N, ...], or batches of them that can be gone through again.
        rule: :class:`Maximum`, :class:`Percentile` or :class:`Adaptive`.
        rounding: ``Floor()`` (the default), ``BiasShift(steps)`` or ``InitialPotential()``.
        batch_size: Images at a time; memory is one batch through the ANN.
        progress: Show a progress bar.

    Returns:
        The threshold of each layer set, 0-d or [C].

    Raises:
        ValueError: If there are no images, or no ReLU layer to set.
    """
    rounding = Floor() if rounding is None else rounding
    neurons = network.neurons()
    names = [name for name in neurons if isinstance(network.activation(name), nn.ReLU)]
    if not names:
        raise ValueError("no ReLU layer in this network: its thresholds are the clips of its QCFS layers")
    collectors = {name: rule.collector(rounding) for name in names}
    done = False
    while not done:
        hooks = [(network.activation(name), _seen_by(collectors[name])) for name in names]
        bar = tqdm(image_batches(images, batch_size), desc="thresholds", unit="batch", disable=not progress)
        with hooked(hooks), torch.no_grad():
            for batch in bar:
                network.reference(batch)
        finished = [collector.end_of_pass() for collector in collectors.values()]
        done = all(finished)
    thresholds = {}
    for name in names:
        value = _revive(name, collectors[name].threshold())
        neurons[name].set_threshold(value if rule.per_channel else value.reshape(()))
        rounding.apply(neurons[name])
        thresholds[name] = neurons[name].threshold
    return thresholds


def _seen_by(collector: Collector) -> Hook:
    return lambda module, inputs, output: collector.see(output)


def set_rounding(network: SpikingNetwork, rounding: Rounding) -> None:
    """Apply a rounding to every layer; it overwrites shift and initial potential, corrections included."""
    for neuron in network.neurons().values():
        rounding.apply(neuron)
