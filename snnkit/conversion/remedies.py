"""Remedies for the unevenness error.

* :class:`SignedSpikes`: a neuron may take a spike back by sending one of height -threshold.
* :class:`ExactTracking`: signed bursts; the count equals floor(X(t)), bounded to 0..T, after every step.
* :class:`Silence` (residual potential, SRP): neurons whose potential after a pre-run is not positive stay
  silent in the real run (:func:`residual_mask`, :func:`residuals_silenced`).
* offset spikes (COS): a pre-run finds neurons with extra or missing spikes and moves their v(0) by what
  removes or adds exactly one spike (:func:`shifted_start`, :func:`offsets_calibrated`).
* :func:`wait_then_fire`: a layer collects its input for T steps and fires afterwards.
* :func:`permute_spikes`: a random order of each neuron's output spikes.

Convention: a remedy that changes what a neuron sends is a firing rule of :mod:`snnkit.conversion.neuron`.  It
runs over arrays by :func:`snnkit.conversion.unevenness.fire` and in a converted network by
:func:`firing_rules`.  What needs a pre-run is a ``with`` block that gives the number of time steps it ran:
they are part of the latency.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager

import torch
from torch import Tensor

from snnkit._validate import require_float, require_in, require_positive, require_steps
from snnkit.conversion.errors import split_run
from snnkit.conversion.monitor import record, spiking_layers
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import BinarySpikes, FiringRule, align
from snnkit.conversion.unevenness import Firing, classify, fire

__all__ = [
    "ExactTracking",
    "Extremes",
    "SignedSpikes",
    "Silence",
    "firing_rules",
    "offset_shift",
    "offsets_calibrated",
    "permute_spikes",
    "residual_mask",
    "residuals_silenced",
    "shifted_start",
    "wait_then_fire",
]

_ROUNDING = 1e-6  # share of the threshold that float32 sums may be off by


@contextmanager
def firing_rules(network: SpikingNetwork, rules: Mapping[str, FiringRule]) -> Iterator[None]:
    """Give layers of a network other firing rules for the duration of a ``with`` block.

    ``rules`` is ``{layer name: rule}``; a KeyError names a layer that is not there.
    """
    layers = spiking_layers(network)
    for name in rules:
        if name not in layers:
            raise KeyError(f"no spiking layer {name!r}; the network has {', '.join(layers)}")
    kept = {name: layers[name].rule for name in rules}
    try:
        for name, rule in rules.items():
            layers[name].rule = rule
            layers[name].reset_state()
        yield
    finally:
        for name, rule in kept.items():
            layers[name].rule = rule
            layers[name].reset_state()


# --- spikes of either sign ----------------------------------------------------------------------------------


class SignedSpikes:
    """+threshold at or above the threshold; -threshold below 0 if the neuron has spikes left to take back.

    This removes most extra spikes; a neuron that took one back too early can miss one at the end.

    Source: "negative spikes" of signed neuron models (Wang et al., IJCAI 2022), with a count of at least 0.
    """

    def __init__(self) -> None:
        self._count: Tensor | None = None

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        if self._count is None:
            self._count = torch.zeros_like(charge)
        up = charge >= threshold
        down = (charge < 0) & (self._count > 0)
        sign = up.to(charge.dtype) - down.to(charge.dtype)
        self._count += sign
        torch.mul(sign, threshold, out=output)

    def reset(self) -> None:
        self._count = None


class ExactTracking:
    """Signed bursts: sends as many spikes, of either sign, as bring the count to floor(X(t)) within 0..steps.

    The count at the end is q by construction, so there is no unevenness error; a spike is no longer binary.

    Args:
        steps: number of time steps T of the run, the largest count.

    Source: the ratchet without its two one-sided bounds (:func:`snnkit.conversion.unevenness.ratchet`).
    """

    def __init__(self, steps: int) -> None:
        require_steps(steps)
        self.steps = steps
        self._count: Tensor | None = None

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        if self._count is None:
            self._count = torch.zeros_like(charge)
        change = torch.floor(charge / threshold)
        change = torch.minimum(torch.maximum(change, -self._count), self.steps - self._count)
        self._count += change
        torch.mul(change, threshold, out=output)

    def reset(self) -> None:
        self._count = None


# --- silence (SRP) ------------------------------------------------------------------------------------------


class Silence:
    """Binary spikes, except that the neurons of a mask never fire.

    ``mask`` is True where a neuron has to stay silent, one value per sample and neuron.

    Source: the second phase of SRP (Hao et al., AAAI 2023).
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        if self.mask.shape != charge.shape:
            raise ValueError(
                f"the mask was made for shape {list(self.mask.shape)}; "
                f"the batch has shape {list(charge.shape)}"
            )
        torch.ge(charge, threshold, out=output)
        output.mul_(threshold).masked_fill_(self.mask, 0)

    def reset(self) -> None:
        """Nothing to forget: the mask belongs to the batch."""


def residual_mask(v_end: Tensor, threshold: float | Tensor, tolerance: float = 0.0) -> Tensor:
    """Neurons that SRP silences: the potential left after the pre-run is not above ``tolerance`` thresholds.

    A potential below 0 at the end says that the neuron received less charge than it has sent, or none at all;
    most such neurons should not have fired.

    The mask has the shape of ``v_end``; ``tolerance`` lies in [0, 1].

    Source: Hao et al., AAAI 2023, section 4; the authors' code silences below an absolute potential of 0.001.
    """
    require_float("v_end", v_end)
    require_positive("threshold", threshold)
    require_in("tolerance", tolerance, 0.0, 1.0)
    return v_end <= tolerance * torch.as_tensor(threshold)


@contextmanager
def residuals_silenced(
    network: SpikingNetwork, x: Tensor, *, pre_steps: int, tolerance: float = 0.0
) -> Iterator[int]:
    """Pre-run; within the block the neurons that ended it at or below 0 are silent for these inputs.

    Args:
        network: the converted network.
        x: input batch; the masks belong to these inputs.
        pre_steps: number of time steps tau of the pre-run, which the block gives back.
        tolerance: share of the threshold that counts as 0, see :func:`residual_mask`.

    Source: Hao et al., AAAI 2023 (reducing ANN-SNN conversion error through residual membrane potential).
    """
    require_steps(pre_steps, "pre_steps")
    runs = record(network, x, pre_steps)
    masks = {name: residual_mask(run.v_end, run.threshold, tolerance) for name, run in runs.items()}
    with firing_rules(network, {name: Silence(mask) for name, mask in masks.items()}):
        yield pre_steps


# --- offset spikes (COS) ------------------------------------------------------------------------------------


class Extremes(BinarySpikes):
    """Binary spikes that remember the weakest charge that fired and the strongest that did not."""

    def __init__(self) -> None:
        self._weakest: Tensor | None = None
        self._strongest: Tensor | None = None

    @property
    def weakest(self) -> Tensor:
        return self._seen(self._weakest)

    @property
    def strongest(self) -> Tensor:
        return self._seen(self._strongest)

    @staticmethod
    def _seen(value: Tensor | None) -> Tensor:
        if value is None:
            raise RuntimeError("this rule has not run yet")
        return value

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        if self._weakest is None or self._strongest is None:
            self._weakest = torch.full_like(charge, torch.inf)
            self._strongest = torch.full_like(charge, -torch.inf)
        fired = charge >= threshold
        torch.maximum(self._strongest, charge.masked_fill(fired, -torch.inf), out=self._strongest)
        torch.minimum(self._weakest, charge.masked_fill(fired.logical_not_(), torch.inf), out=self._weakest)
        super().fire(charge, threshold, output)

    def reset(self) -> None:
        self._weakest = self._strongest = None


def offset_shift(
    excess: Tensor,
    weakest_firing: Tensor,
    strongest_silent: Tensor,
    threshold: float | Tensor,
    margin: float = 1e-3,
) -> Tensor:
    """Change of v(0) that removes one spike where there are too many and adds one where there are too few.

    Lowering v(0) by ``d >= threshold`` with ``weakest_firing - d`` below the threshold removes that spike;
    the charge it keeps restores every later step, so no other spike is lost.  Raising v(0) mirrors this.

    Args:
        excess: N - q of each neuron; the shift has its shape, and is 0 where it is 0.
        weakest_firing: smallest charge at which the neuron fired (+inf if never).
        strongest_silent: largest charge at which it did not fire (-inf if it always fired).
        threshold: positive number or tensor that broadcasts against ``excess``.
        margin: share of the threshold, in (0, 1/2], kept between the moved charge and the threshold.

    Source: Hao et al., ICLR 2023, section 4.2 (calibrating offset spikes).
    """
    require_positive("threshold", threshold)
    require_in("margin", margin, 1e-9, 0.5)
    theta = torch.as_tensor(threshold, dtype=weakest_firing.dtype)
    lower = torch.maximum(weakest_firing - (1 - margin) * theta, theta)
    raise_ = torch.maximum((1 + margin) * theta - strongest_silent, theta)
    zero = torch.zeros_like(weakest_firing)
    return torch.where(excess > 0, -lower, torch.where(excess < 0, raise_, zero))


def shifted_start(
    currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0, *, passes: int = 2
) -> Tensor:
    """The v(0) that offset-spike calibration finds for given currents.

    Every pass runs the neuron, compares its count with q of the *original* v(0), and moves v(0) by one spike.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor.
        v0: potential before the first step.
        passes: number of pre-runs of T steps each; k passes correct up to k spikes.

    Returns:
        The new v(0), shaped like one step; :func:`snnkit.conversion.unevenness.fire` starts from it.

    Source: Hao et al., ICLR 2023, section 4.2.
    """
    require_steps(passes, "passes")
    require_float("currents", currents)
    original = torch.as_tensor(v0, dtype=currents.dtype).expand(currents.shape[1:])
    start = original.clone()
    for _ in range(passes):
        extremes = Extremes()
        firing = fire(currents, threshold, start, extremes)
        verdict = classify(
            firing.spikes.sum(dim=0),
            firing.v_end - (start - original),
            threshold=threshold,
            steps=len(currents),
            tolerance=_ROUNDING,
        )
        start = start + offset_shift(verdict.excess, extremes.weakest, extremes.strongest, threshold)
    return start


@contextmanager
def offsets_calibrated(
    network: SpikingNetwork, x: Tensor, *, pre_steps: int, passes: int = 2, together: bool = False
) -> Iterator[int]:
    """Offset-spike calibration (COS); within the block every neuron starts from its own moved v(0).

    Layer by layer, each on the spikes of the layers before it, already corrected: every pass of every layer
    is a run of ``pre_steps`` steps.  With ``together`` one run serves all layers: cheaper, but a deep layer
    is judged on input that is corrected only by the passes before.

    Args:
        network: the converted network; its v(0) are restored afterwards.
        x: input batch; the calibration belongs to these inputs.
        pre_steps: number of time steps rho of each calibration run.
        passes: calibration runs per layer; k passes correct up to k spikes.
        together: calibrate all layers in the same runs.

    Yields:
        The number of time steps that the preparation took: layers * passes * rho, or passes * rho together.

    Source: Hao et al., ICLR 2023, section 4 (calibrating offset spikes).
    """
    require_steps(pre_steps, "pre_steps")
    require_steps(passes, "passes")
    layers = spiking_layers(network)
    original = {name: layer.initial.clone() for name, layer in layers.items()}
    groups = [list(layers)] if together else [[name] for name in layers]
    try:
        for group in groups:
            for _ in range(passes):
                _shift_once(network, x, pre_steps, {name: original[name] for name in group})
        yield len(groups) * passes * pre_steps
    finally:
        for name, layer in layers.items():
            layer.set_initial(original[name])
            layer.reset_state()


def _shift_once(network: SpikingNetwork, x: Tensor, pre_steps: int, original: dict[str, Tensor]) -> None:
    layers = spiking_layers(network)
    extremes = {name: Extremes() for name in original}
    with firing_rules(network, extremes):
        runs = record(network, x, pre_steps)
        starts = {}
        for name, rule in extremes.items():
            run = runs[name].from_start(original[name])
            excess = split_run(run, _ROUNDING).verdict.excess
            start = align(layers[name].initial, excess)
            starts[name] = start + offset_shift(excess, rule.weakest, rule.strongest, runs[name].threshold)
    for name, value in starts.items():
        layers[name].set_initial(value)


# --- the order of spikes ------------------------------------------------------------------------------------


def wait_then_fire(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    """Collect the whole input without firing, then fire from the collected charge, one spike a step.

    The count is that of a neuron which fires on the average current, whatever the order, for T more steps.
    Arguments are those of :func:`snnkit.conversion.unevenness.fire`; the T steps of firing are returned.

    Source: integrate first, fire afterwards; Bu et al., ICLR 2022, eq. (12) then holds exactly.
    """
    require_float("currents", currents)
    collected = torch.as_tensor(v0, dtype=currents.dtype) + currents.sum(dim=0)
    return fire(torch.zeros_like(currents), threshold, collected)


def permute_spikes(spikes: Tensor, generator: torch.Generator) -> Tensor:
    """Put every neuron's ``spikes`` ``[T, ...]`` in a random order of their own; the counts stay.

    Source: Bojkovic et al., ICML 2025 (temporal misalignment).
    """
    if spikes.dim() == 0:
        raise ValueError("spikes must be [T, ...]; got a single number")
    order = torch.rand(spikes.shape, generator=generator).argsort(dim=0)
    return spikes.gather(0, order)
