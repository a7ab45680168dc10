"""Remedies for the unevenness error, each with an honest count of the time steps that it costs.

* :class:`SignedSpikes`: a neuron may take a spike back by sending one of height -threshold.
* :class:`ExactTracking`: signed bursts; the count equals floor(X(t)), bounded to 0..T, after every step.
* :func:`wait_then_fire`, :func:`run_waiting`: a layer collects its input for T steps and fires afterwards.
* :func:`run_srp` (residual potential, SRP): neurons whose potential after a pre-run is not positive stay silent in the real run.
* :func:`run_calibrated` (offset spikes, COS): a pre-run finds neurons with extra or missing spikes and moves
  their v(0) by what removes or adds exactly one spike.
* :func:`permute_spikes`: a random order of each neuron's output spikes.

Convention: rules for arrays have the form ``rule(currents [T, ...], threshold, v0) -> Firing``; for a converted
network the first two are firing rules of :mod:`snnkit.conversion.neuron` and the others procedures that run it.
``latency = steps + pre_steps``: every time step during which the network has to run before its answer is known.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import torch
from torch import Tensor

from snnkit._validate import require_float, require_in, require_positive, require_steps
from snnkit.conversion.errors import depth, even_logits, record, spiking_layers
from snnkit.conversion.network import SpikingNetwork
from snnkit.conversion.neuron import BinarySpikes, FiringRule, align
from snnkit.conversion.unevenness import Firing, classify, fire

_ROUNDING = 1e-6  # share of the threshold that float32 sums may be off by

# --- firing rules -----------------------------------------------------------------------------------------


class SignedSpikes:
    """+threshold at or above the threshold; -threshold below 0 if the neuron has spikes left to take back.

    This removes most extra spikes; a neuron that took one back too early can miss one at the end.

    Source: "negative spikes" of signed neuron models (Wang et al., IJCAI 2022), with the count kept at 0 or above.
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


class Silence:
    """Binary spikes, except that the neurons of a mask never fire.

    Args:
        mask: True where a neuron has to stay silent, one value per sample and neuron.

    Source: the second phase of SRP (Hao et al., AAAI 2023).
    """

    def __init__(self, mask: Tensor) -> None:
        self.mask = mask

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        if self.mask.shape != charge.shape:
            raise ValueError(
                f"the mask was made for shape {list(self.mask.shape)}; the batch has shape {list(charge.shape)}"
            )
        torch.ge(charge, threshold, out=output)
        output.mul_(threshold).masked_fill_(self.mask, 0)

    def reset(self) -> None:
        """Nothing to forget: the mask belongs to the batch."""


# --- rules for arrays of currents -------------------------------------------------------------------------


def _run(rule: FiringRule, currents: Tensor, threshold: float | Tensor, v0: float | Tensor) -> Firing:
    require_float("currents", currents)
    require_positive("threshold", threshold)
    if currents.dim() == 0 or currents.shape[0] == 0:
        raise ValueError(f"currents must be [T, ...] with T >= 1; got shape {list(currents.shape)}")
    theta = torch.as_tensor(threshold, dtype=currents.dtype)
    v = torch.as_tensor(v0, dtype=currents.dtype).expand(currents.shape[1:]).clone()
    output = torch.empty_like(v)
    spikes = torch.empty_like(currents)
    rule.reset()
    for step, current in enumerate(currents):
        v += current
        rule.fire(v, theta, output)
        v -= output
        torch.div(output, theta, out=spikes[step])
    return Firing(spikes.round_(), v)


def fire_signed(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    """Run :class:`SignedSpikes` over currents.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor that broadcasts against one step.
        v0: potential before the first step.

    Returns:
        Spikes ``[T, ...]`` in {-1, 0, 1} and v(T).

    Raises:
        TypeError: if ``currents`` is not floating point.
        ValueError: if the threshold is not positive or there is no time step.

    Source: see :class:`SignedSpikes`.
    """
    return _run(SignedSpikes(), currents, threshold, v0)


def fire_tracking(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    """Run :class:`ExactTracking` over currents.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor.
        v0: potential before the first step.

    Returns:
        Spikes ``[T, ...]``, whole numbers of either sign, and v(T).

    Raises:
        TypeError, ValueError: as :func:`fire_signed`.

    Source: see :class:`ExactTracking`.
    """
    require_float("currents", currents)
    return _run(ExactTracking(max(1, len(currents))), currents, threshold, v0)


def wait_then_fire(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    """Collect the whole input without firing, then fire from the collected charge, one spike a step.

    The count is that of a neuron which fires on the average current, whatever the order; it costs T more steps.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor.
        v0: potential before the first step.

    Returns:
        The spikes of the T steps of firing and the potential after them.

    Raises:
        TypeError, ValueError: as :func:`fire_signed`.

    Source: integrate first, fire afterwards; Bu et al., ICLR 2022, eq. (12) then holds exactly.
    """
    require_float("currents", currents)
    collected = torch.as_tensor(v0, dtype=currents.dtype) + currents.sum(dim=0)
    return fire(torch.zeros_like(currents), threshold, collected)


@dataclass(frozen=True)
class SilencedRun:
    """Rule for arrays: as :func:`snnkit.conversion.unevenness.fire`, but the neurons of ``mask`` stay silent."""

    mask: Tensor

    def __call__(self, currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
        return _run(Silence(self.mask), currents, threshold, v0)


def residual_mask(v_end: Tensor, threshold: float | Tensor, tolerance: float = 0.0) -> Tensor:
    """Neurons that SRP silences: the potential left after the pre-run is not above ``tolerance`` thresholds.

    A potential below 0 at the end says that the neuron received less charge than it has sent, or none at all;
    most such neurons should not have fired.

    Args:
        v_end: potential after the pre-run.
        threshold: positive number or tensor.
        tolerance: share of the threshold that still counts as nothing.

    Returns:
        Boolean tensor shaped like ``v_end``.

    Raises:
        TypeError: if ``v_end`` is not floating point.
        ValueError: if the threshold is not positive or ``tolerance`` leaves [0, 1].

    Source: Hao et al., AAAI 2023, section 4; the authors' code silences below an absolute potential of 0.001.
    """
    require_float("v_end", v_end)
    require_positive("threshold", threshold)
    require_in("tolerance", tolerance, 0.0, 1.0)
    return v_end <= tolerance * torch.as_tensor(threshold)


def offset_shift(
    excess: Tensor,
    weakest_firing: Tensor,
    strongest_silent: Tensor,
    threshold: float | Tensor,
    margin: float = 1e-3,
) -> Tensor:
    """Change of v(0) that removes one spike where there are too many and adds one where there are too few.

    Lowering v(0) by ``d >= threshold`` with ``weakest_firing - d`` below the threshold removes that spike; the charge
    it keeps restores every later step, so no other spike is lost.  Raising v(0) is the mirror image.

    Args:
        excess: N - q of each neuron.
        weakest_firing: smallest charge at which the neuron fired (+inf if never).
        strongest_silent: largest charge at which it did not fire (-inf if it always fired).
        threshold: positive number or tensor that broadcasts against ``excess``.
        margin: share of the threshold kept between the moved charge and the threshold.

    Returns:
        The shift, shaped like ``excess``; 0 where ``excess`` is 0.

    Raises:
        ValueError: if the threshold is not positive or the margin leaves (0, 1).

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
        passes: number of pre-runs; k passes correct up to k spikes.

    Returns:
        The new v(0), shaped like one step.

    Raises:
        TypeError, ValueError: as :func:`fire_signed`; also if ``passes`` is below 1.

    Source: Hao et al., ICLR 2023, section 4.2.
    """
    require_steps(passes, "passes")
    require_float("currents", currents)
    original = torch.as_tensor(v0, dtype=currents.dtype).expand(currents.shape[1:])
    start = original.clone()
    for _ in range(passes):
        extremes = Extremes()
        firing = _run(extremes, currents, threshold, start)
        verdict = classify(
            firing.spikes.sum(dim=0),
            firing.v_end - (start - original),
            threshold=threshold,
            steps=len(currents),
            tolerance=_ROUNDING,
        )
        start = start + offset_shift(verdict.excess, extremes.weakest, extremes.strongest, threshold)
    return start


def fire_calibrated(
    currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0, *, passes: int = 2
) -> Firing:
    """Offset-spike calibration on these very currents, then the run: the rule for arrays.

    Args:
        currents: ``[T, ...]``, floating point.
        threshold: positive number or tensor.
        v0: potential before the first step.
        passes: number of pre-runs of T steps each.

    Returns:
        Spikes in {0, 1} and v(T) of the run from the moved v(0).

    Raises:
        TypeError, ValueError: as :func:`shifted_start`.

    Source: Hao et al., ICLR 2023, section 4.2.
    """
    return fire(currents, threshold, shifted_start(currents, threshold, v0, passes=passes))


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


def permute_spikes(spikes: Tensor, generator: torch.Generator) -> Tensor:
    """Put every neuron's spikes in a random order of their own; the counts stay.

    Args:
        spikes: ``[T, ...]``.
        generator: source of randomness.

    Returns:
        The permuted spikes, same shape.

    Raises:
        ValueError: if there is no time axis.

    Source: Bojkovic et al., ICML 2025 (temporal misalignment).
    """
    if spikes.dim() == 0:
        raise ValueError("spikes must be [T, ...]; got a single number")
    order = torch.rand(spikes.shape, generator=generator).argsort(dim=0)
    return spikes.gather(0, order)


# --- procedures for a converted network -------------------------------------------------------------------


@dataclass(frozen=True)
class RemedyResult:
    """Answer of a network under a remedy, and what it cost.

    ``steps`` are the time steps of the run that gives the answer; ``pre_steps`` those that had to come before it.
    """

    logits: Tensor
    steps: int
    pre_steps: int

    @property
    def latency(self) -> int:
        """Time steps until the answer is known."""
        return self.steps + self.pre_steps


@contextmanager
def firing_rules(network: SpikingNetwork, rules: dict[str, FiringRule]) -> Iterator[None]:
    """Give layers of a network other firing rules for the duration of a ``with`` block.

    Args:
        network: the converted network.
        rules: ``{layer name: rule}``, names as in :func:`snnkit.conversion.errors.spiking_layers`.

    Raises:
        KeyError: if the network has no spiking layer of that name.

    Source: none, a helper.
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


def run_signed(network: SpikingNetwork, x: Tensor, steps: int) -> RemedyResult:
    """Run a network with :class:`SignedSpikes` in every layer; no pre-run.

    Args:
        network: the converted network.
        x: input batch.
        steps: number of time steps T.

    Returns:
        :class:`RemedyResult` with ``pre_steps`` 0.

    Source: see :class:`SignedSpikes`.
    """
    with firing_rules(network, {name: SignedSpikes() for name in spiking_layers(network)}):
        return RemedyResult(network(x, steps).clone(), steps, 0)


def run_tracking(network: SpikingNetwork, x: Tensor, steps: int) -> RemedyResult:
    """Run a network with :class:`ExactTracking` in every layer; no pre-run, but spikes of several heights.

    Args:
        network: the converted network.
        x: input batch.
        steps: number of time steps T.

    Returns:
        :class:`RemedyResult` with ``pre_steps`` 0.

    Source: see :class:`ExactTracking`.
    """
    with firing_rules(network, {name: ExactTracking(steps) for name in spiking_layers(network)}):
        return RemedyResult(network(x, steps).clone(), steps, 0)


@contextmanager
def residuals_silenced(
    network: SpikingNetwork, x: Tensor, *, pre_steps: int, tolerance: float = 0.0
) -> Iterator[int]:
    """Pre-run; within the block the neurons that ended it at or below 0 are silent for these inputs.

    Args:
        network: the converted network.
        x: input batch; the masks belong to these inputs.
        pre_steps: number of time steps tau of the pre-run.
        tolerance: share of the threshold that counts as 0, see :func:`residual_mask`.

    Yields:
        The number of time steps that the preparation took: tau.

    Raises:
        ValueError: if a number of steps is below 1.

    Source: Hao et al., AAAI 2023 (reducing ANN-SNN conversion error through residual membrane potential).
    """
    require_steps(pre_steps, "pre_steps")
    masks: dict[str, FiringRule] = {}
    for name, layer in record(network, x, pre_steps).items():
        masks[name] = Silence(residual_mask(layer.v_end, layer.threshold, tolerance))
    with firing_rules(network, masks):
        yield pre_steps


def run_srp(
    network: SpikingNetwork, x: Tensor, steps: int, *, pre_steps: int, tolerance: float = 0.0
) -> RemedyResult:
    """SRP: pre-run, silence the neurons that ended at or below 0, run again from v(0).

    Args:
        network: the converted network.
        x: input batch.
        steps: number of time steps T of the second run.
        pre_steps: number of time steps tau of the first.
        tolerance: see :func:`residual_mask`.

    Returns:
        :class:`RemedyResult`; the pre-run is per input, so its steps are part of the latency.

    Raises:
        ValueError: if a number of steps is below 1.

    Source: see :func:`residuals_silenced`.
    """
    with residuals_silenced(network, x, pre_steps=pre_steps, tolerance=tolerance) as before:
        return RemedyResult(network(x, steps).clone(), steps, before)


@contextmanager
def offsets_calibrated(
    network: SpikingNetwork, x: Tensor, *, pre_steps: int, passes: int = 2, together: bool = False
) -> Iterator[int]:
    """Offset-spike calibration (COS); within the block every neuron starts from its own moved v(0).

    Layer by layer, each on the spikes of the layers before it, already corrected: every pass of every layer is a
    run of ``pre_steps`` steps.  With ``together`` one run serves all layers: cheaper, but a deep layer is judged
    on input that is corrected only by the passes before.

    Args:
        network: the converted network; its v(0) are restored afterwards.
        x: input batch; the calibration belongs to these inputs.
        pre_steps: number of time steps rho of each calibration run.
        passes: calibration runs per layer; k passes correct up to k spikes.
        together: calibrate all layers in the same runs.

    Yields:
        The number of time steps that the preparation took: layers * passes * rho, or passes * rho together.

    Raises:
        ValueError: if a number of steps or passes is below 1.

    Source: Hao et al., ICLR 2023, section 4 (bridging the gap between ANNs and SNNs by calibrating offset spikes).
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
    with firing_rules(network, dict(extremes)):
        runs = record(network, x, pre_steps)
        starts = {}
        for name, rule in extremes.items():
            excess = runs[name].from_start(original[name]).split(_ROUNDING).verdict.excess
            start = align(layers[name].initial, excess)
            starts[name] = start + offset_shift(excess, rule.weakest, rule.strongest, runs[name].threshold)
    for name, value in starts.items():
        layers[name].set_initial(value)


def run_calibrated(
    network: SpikingNetwork, x: Tensor, steps: int, *, pre_steps: int, passes: int = 2, together: bool = False
) -> RemedyResult:
    """Run a network after :func:`offsets_calibrated`.

    Args:
        network: the converted network.
        x: input batch.
        steps: number of time steps T of the run.
        pre_steps: number of time steps rho of each calibration run.
        passes: calibration runs per layer.
        together: calibrate all layers in the same runs.

    Returns:
        :class:`RemedyResult`; ``pre_steps`` is what was run before, not rho alone.

    Raises:
        ValueError: if a number of steps or passes is below 1.

    Source: see :func:`offsets_calibrated`.
    """
    with offsets_calibrated(network, x, pre_steps=pre_steps, passes=passes, together=together) as before:
        return RemedyResult(network(x, steps).clone(), steps, before)


def run_waiting(network: SpikingNetwork, x: Tensor, steps: int) -> RemedyResult:
    """Wait then fire in every layer: each layer starts when the layers before it have sent all they will send.

    A layer that waits sees its input only as a sum, so the run is computed from averages, exactly
    (:func:`snnkit.conversion.errors.even_logits`); the first layer has a constant input and does not wait.

    Args:
        network: the converted network.
        x: input batch.
        steps: number of time steps T for which each layer fires.

    Returns:
        :class:`RemedyResult` with ``pre_steps`` = (depth - 1) * steps, depth being the longest chain of layers.

    Raises:
        ValueError: if ``steps`` is below 1.

    Source: see :func:`wait_then_fire`.
    """
    return RemedyResult(even_logits(network, x, steps), steps, (depth(network) - 1) * steps)
