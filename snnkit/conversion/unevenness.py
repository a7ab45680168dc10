"""The unevenness error: what the order of the input does to the number of output spikes.

Contents: the theorem that names the case (:func:`classify`, :func:`classify_one`), the ratchet behind it
(:func:`ratchet`, :func:`burst_counts`, :func:`order_cannot_matter`) and the profile over the depth of a
random network (:func:`depth_profile`).  Worked cases are in :mod:`snnkit.conversion.studies`.

Convention: integrate-and-fire neurons with soft reset that fire at the threshold; currents are ``[T, ...]``.
``expected`` is the count q = clip(floor(X), 0, T) with X = (v(0) + sum of currents)/threshold: what the same
charge gives when it arrives evenly.  ``excess`` is N - q, so it is positive for extra spikes and negative for
missing ones.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import IntEnum
from fractions import Fraction
from functools import partial
from typing import NamedTuple

import torch
from torch import Tensor

from snnkit._validate import require_finite, require_float, require_in, require_positive, require_steps
from snnkit.conversion.neuron import BinarySpikes, FiringRule
from snnkit.dynamics import simulate

__all__ = [
    "Case",
    "DenseNet",
    "Firing",
    "LayerProfile",
    "Rule",
    "Verdict",
    "burst_counts",
    "classify",
    "classify_one",
    "depth_profile",
    "expected_count",
    "fire",
    "order_cannot_matter",
    "random_dense_net",
    "ratchet",
]


class Case(IntEnum):
    """What the final potential and the count of a neuron say about its unevenness error."""

    EVEN = 0  #: no error, 0 <= v(T) < threshold
    SILENT = 1  #: no error although v(T) < 0, there was no spike to take back
    SATURATED = 2  #: no error although v(T) >= threshold, every step had its spike
    EXTRA = 3  #: too many spikes, v(T) < 0 and at least one spike
    MISSING = 4  #: too few spikes, v(T) >= threshold and a step without one


class Verdict(NamedTuple):
    """Result of :func:`classify`: ``case`` (int8, values of :class:`Case`) and ``excess`` = N - q (int64)."""

    case: Tensor
    excess: Tensor

    @property
    def uneven(self) -> Tensor:
        """True where the order of the input changed the count."""
        return self.excess != 0

    @property
    def extra(self) -> Tensor:
        return self.excess.clamp(min=0)

    @property
    def missing(self) -> Tensor:
        return (-self.excess).clamp(min=0)


def classify(
    count: Tensor, v_end: Tensor, *, threshold: float | Tensor, steps: int, tolerance: float = 0.0
) -> Verdict:
    """Name the case of every neuron and count its extra or missing spikes.

    The final potential is compared with 0 and the threshold directly, and never rebuilt from a sum of
    currents, so a running network in float32 is judged by the potential that it has.  The cases hold for
    every v(0), but outside [0, threshold) even a constant current need not give q.

    Args:
        count: number of spikes N, whole numbers in [0, steps], any shape.
        v_end: potential v(T) after the last step, same shape.
        threshold: positive number or tensor that broadcasts against ``v_end``.
        steps: number of time steps T.
        tolerance: share of the threshold below which a potential counts as having reached 0 or the threshold;
            above 0 it keeps the rounding of long sums from being called an error.

    Returns:
        :class:`Verdict`, with tensors shaped like ``v_end``.

    Raises:
        TypeError: if ``v_end`` is not floating point or ``steps`` no int.
        ValueError: if a count lies outside [0, steps], the potential is not finite or the threshold not
            positive.

    Source: with v(T) = threshold (X - N), q = clip(floor(X), 0, T) and N differ in the cases named by
    :class:`Case`; Bu et al., ICLR 2022, section 4.3, states the condition with a closed interval.
    """
    require_steps(steps)
    require_float("v_end", v_end)
    require_finite("v_end", v_end)
    require_positive("threshold", threshold)
    require_in("tolerance", tolerance, 0.0, 0.5)
    if count.shape != v_end.shape:
        raise ValueError(
            f"count and v_end must have one shape; got {list(count.shape)} and {list(v_end.shape)}"
        )
    number = count.to(torch.int64)
    if bool((number != count).any()) or (
        number.numel() and (int(number.min()) < 0 or int(number.max()) > steps)
    ):
        raise ValueError(
            f"count must hold whole numbers in [0, {steps}]; got values from {count.min()} to {count.max()}"
        )
    level = torch.as_tensor(threshold, dtype=torch.float64)
    potential = v_end.to(torch.float64) + tolerance * level
    below, above = potential < 0, potential >= level
    units = torch.floor(potential / level).to(torch.int64)
    extra = torch.minimum(number, (-units).clamp(min=1))
    missing = torch.minimum(steps - number, units.clamp(min=1))
    excess = torch.where(below, extra, torch.where(above, -missing, 0))
    low = torch.where(number == 0, int(Case.SILENT), int(Case.EXTRA))
    high = torch.where(number == steps, int(Case.SATURATED), int(Case.MISSING))
    case = torch.where(below, low, torch.where(above, high, int(Case.EVEN))).to(torch.int8)
    return Verdict(case, excess)


def classify_one(
    count: int, v_end: float | Fraction, *, threshold: float | Fraction = 1, steps: int
) -> tuple[Case, int]:
    """The theorem for one neuron, in the arithmetic of its arguments (exact for ``int`` and ``Fraction``).

    Returns the case and the excess N - q.
    A ValueError is raised if the count lies outside [0, steps] or the threshold is not positive.
    """
    require_steps(steps)
    require_positive("threshold", float(threshold))
    require_in("count", count, 0, steps)
    if v_end < 0:
        if count == 0:
            return Case.SILENT, 0
        return Case.EXTRA, min(count, math.ceil(-v_end / threshold))
    if v_end >= threshold:
        if count == steps:
            return Case.SATURATED, 0
        return Case.MISSING, -min(steps - count, math.floor(v_end / threshold))
    return Case.EVEN, 0


def expected_count(charge: Tensor, *, threshold: float | Tensor, steps: int) -> Tensor:
    """Spikes that a total charge gives when it arrives evenly: q = clip(floor(charge/threshold), 0, T).

    ``charge`` is v(0) plus the sum of the currents, any shape; the counts are int64 of the same shape.

    Source: Deng & Gu, ICLR 2021, eq. (7); Bu et al., ICLR 2022, eq. (12).
    """
    require_float("charge", charge)
    require_positive("threshold", threshold)
    require_steps(steps)
    return torch.floor(charge / threshold).clamp(0, steps).to(torch.int64)


class Firing(NamedTuple):
    """Spikes ``[T, ...]`` (multiples of the threshold) and the potential after the last step."""

    spikes: Tensor
    v_end: Tensor


def fire(
    currents: Tensor,
    threshold: float | Tensor = 1.0,
    v0: float | Tensor = 0.0,
    rule: FiringRule | None = None,
) -> Firing:
    """Run the integrate-and-fire neuron with soft reset.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor that broadcasts against one step.
        v0: potential before the first step.
        rule: what is sent and subtracted; :class:`~snnkit.conversion.BinarySpikes` unless given.

    Returns:
        Spikes ``[T, ...]``, in {0, 1} for binary spikes, and v(T).

    Raises:
        TypeError, ValueError: for bad arguments, see :func:`snnkit.dynamics.simulate`.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5).
    """
    _require_currents(currents, threshold)
    theta = torch.as_tensor(threshold, dtype=currents.dtype)
    firing = BinarySpikes() if rule is None else rule
    firing.reset()

    def step(v: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        charge = v + x
        output = torch.empty_like(charge * theta)
        firing.fire(charge, theta, output)
        return (output / theta).round_(), charge - output

    with torch.no_grad():
        trace = simulate(step, currents, v0)
    return Firing(trace.spikes, trace.v[-1])


def ratchet(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Tensor:
    """The count of the integrate-and-fire neuron, written without a potential.

    ``N(t) = N(t-1) + [X(t) >= N(t-1) + 1]`` with ``X(t) = (v(0) + sum of the first t currents)/threshold``:
    the count never goes down (extra spikes) and goes up by at most one a step (missing spikes).

    Arguments and errors are those of :func:`fire`; N(t) is ``[T, ...]``, int64.

    Source: partial sums of Bu et al., ICLR 2022, eq. (8).
    """
    partial_sums = _partial_sums(currents, threshold, v0)
    count = torch.zeros(partial_sums.shape[1:], dtype=torch.int64)
    counts = []
    for x in partial_sums:
        count = count + (x >= count + 1)
        counts.append(count)
    return torch.stack(counts)


def burst_counts(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Tensor:
    """Count of a neuron that may send several spikes in a step but cannot take one back.

    ``N(t) = max(0, max over s <= t of floor(X(s)))``: the running maximum.

    Arguments and errors are those of :func:`fire`; N(t) is ``[T, ...]``, int64.

    Source: closed form of the ratchet without the bound of one spike a step.
    """
    levels = torch.floor(_partial_sums(currents, threshold, v0)).to(torch.int64)
    return torch.cummax(levels, dim=0).values.clamp(min=0)


def order_cannot_matter(currents: Tensor, threshold: float | Tensor = 1.0) -> Tensor:
    """True where a sufficient condition excludes unevenness for every ``0 <= v(0) < threshold``.

    The condition: all currents of the neuron lie in [0, threshold], or all are <= 0, or all are >= threshold.
    A constant current meets it, so the first layer of a network with analogue input has no unevenness error.

    ``currents`` are ``[T, ...]``; the answer has the shape of one step.  Errors are those of :func:`fire`.

    Source: with such currents the ratchet can follow floor(X(t)) at every step; Bu et al., ICLR 2022,
    section 4.3, assume what this guarantees.
    """
    _require_currents(currents, threshold)
    low, high = currents.amin(dim=0), currents.amax(dim=0)
    return ((low >= 0) & (high <= threshold)) | (high <= 0) | (low >= threshold)


def _partial_sums(currents: Tensor, threshold: float | Tensor, v0: float | Tensor) -> Tensor:
    _require_currents(currents, threshold)
    start = torch.as_tensor(v0, dtype=currents.dtype)
    return (start + currents.cumsum(dim=0)) / threshold


def _require_currents(currents: Tensor, threshold: float | Tensor) -> None:
    require_float("currents", currents)
    require_positive("threshold", threshold)
    if currents.dim() == 0 or currents.shape[0] == 0:
        raise ValueError(f"currents must be [T, ...] with T >= 1; got shape {list(currents.shape)}")


# --- a random network, layer by layer -----------------------------------------------------------------------

Rule = Callable[[Tensor, Tensor, Tensor], Firing]


class DenseNet(NamedTuple):
    """Weights ``[out, in]``, thresholds (one scalar tensor per layer) and constant input ``[N, in]``."""

    weights: list[Tensor]
    thresholds: list[Tensor]
    x: Tensor

    def activations(self, levels: int) -> list[Tensor]:
        """The network of the same weights with activations rounded to ``levels`` steps, layer by layer."""
        outputs, h = [], self.x
        for weight, threshold in zip(self.weights, self.thresholds, strict=True):
            h = _rounded(h @ weight.T, threshold, levels)
            outputs.append(h)
        return outputs


def _rounded(z: Tensor, threshold: Tensor, levels: int) -> Tensor:
    return threshold / levels * torch.floor(z * levels / threshold + 0.5).clamp(0, levels)


def random_dense_net(
    *,
    layers: int = 8,
    width: int = 256,
    samples: int = 200,
    levels: int = 8,
    quantile: float = 0.999,
    seed: int = 0,
) -> DenseNet:
    """A network with He weights, standard normal input, and a quantile of its activations as thresholds.

    Args:
        layers, width, samples: number of layers, of neurons per layer, of inputs.
        levels: levels of the rounded activations from which the next layer's threshold is taken.
        quantile: share of the pre-activations, ReLU applied, that lies below the threshold.
        seed: seed of the generator; the network is in float64.

    Source: He et al., ICCV 2015, for the weights.
    """
    for name, value in (("layers", layers), ("width", width), ("samples", samples), ("levels", levels)):
        require_steps(value, name)
    require_in("quantile", quantile, 0.0, 1.0)
    generator = torch.Generator().manual_seed(seed)
    draw = partial(torch.randn, generator=generator, dtype=torch.float64)
    x = draw(samples, width)
    weights = [draw(width, width) * math.sqrt(2 / width) for _ in range(layers)]
    thresholds, h = [], x
    for weight in weights:
        z = h @ weight.T
        ordered = z.clamp(min=0).flatten().sort().values
        threshold = ordered[round(quantile * (ordered.numel() - 1))]
        thresholds.append(threshold)
        h = _rounded(z, threshold, levels)
    return DenseNet(weights, thresholds, x)


@dataclass(frozen=True)
class LayerProfile:
    """Unevenness of one layer; shares ``extra``, ``single`` and ``silenced`` are of the uneven neurons."""

    uneven: float  #: share of neurons with N != q
    extra: float  #: of these, those with too many spikes
    single: float  #: of these, those that are wrong by exactly one spike
    silenced: float  #: of these, neurons that should not have fired, q = 0 < N
    relative_rmse: float  #: rms distance from the rounded network, over the rms of its activations


def depth_profile(
    net: DenseNet, steps: int, rules: Rule | Sequence[Rule] = fire, *, levels: int | None = None
) -> list[LayerProfile]:
    """Run a dense network of spiking neurons and describe the unevenness of each layer.

    Every neuron starts at half its threshold; the input is a constant current.

    Args:
        rules: what a layer does with its currents, one rule for all layers or one each.
        levels: levels of the rounded network that ``relative_rmse`` compares with; ``steps`` unless given.

    Raises:
        ValueError: if the number of rules is not the number of layers.

    Source: Bu et al., ICLR 2022, section 4.3, measured.
    """
    require_steps(steps)
    sequence = [rules] * len(net.weights) if callable(rules) else list(rules)
    if len(sequence) != len(net.weights):
        raise ValueError(f"{len(net.weights)} layers need as many rules; got {len(sequence)}")
    targets = net.activations(steps if levels is None else levels)
    profiles, signal = [], net.x.expand(steps, *net.x.shape)
    for weight, threshold, rule, target in zip(net.weights, net.thresholds, sequence, targets, strict=True):
        currents = signal @ weight.T
        v0 = threshold / 2
        spikes = rule(currents, threshold, v0).spikes
        profiles.append(_profile(currents, spikes, threshold, v0, target))
        signal = spikes * threshold
    return profiles


def _profile(currents: Tensor, spikes: Tensor, threshold: Tensor, v0: Tensor, target: Tensor) -> LayerProfile:
    count = spikes.sum(dim=0).to(torch.int64)
    v_end = v0 + currents.sum(dim=0) - threshold * count
    excess = classify(count, v_end, threshold=threshold, steps=len(spikes), tolerance=1e-9).excess
    wrong = excess != 0
    among = max(int(wrong.sum()), 1)
    difference = spikes.mean(dim=0) * threshold - target
    return LayerProfile(
        uneven=float(wrong.double().mean()),
        extra=int((excess > 0).sum()) / among,
        single=int((excess.abs() == 1).sum()) / among,
        silenced=int((wrong & (excess == count)).sum()) / among,
        relative_rmse=float(difference.square().mean().sqrt() / target.square().mean().sqrt()),
    )
