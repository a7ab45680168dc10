"""From values to spikes and back: rate, latency and delta codes, and two measures of a good spike.

Convention: spike trains are ``[T, ...]`` with entries 0 and 1.  Step ``k`` covers the times
``[k dt, (k + 1) dt)``.  A neuron that never fires has latency infinity.  Decoders give class -1 when no neuron
fired, and the lowest index among neurons that tie.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import torch
from torch import Tensor

from snnkit._validate import require_finite, require_float, require_positive, require_steps
from snnkit.dynamics import first_spike_time

__all__ = [
    "OnOff",
    "delta_decode",
    "delta_encode",
    "latency_decode",
    "latency_encode",
    "rate_decode",
    "rate_encode",
    "sparsity",
    "spike_rate",
    "spikes_to_times",
    "static_suppression",
    "times_to_spikes",
]


class OnOff(NamedTuple):
    """Spikes of a delta code: ``on`` where the signal rose, ``off`` where it fell, each ``[T, ...]``."""

    on: Tensor
    off: Tensor


def rate_encode(values: Tensor, steps: int, generator: torch.Generator | None = None) -> Tensor:
    """Draw independent spikes whose probability at every step is the value.

    The rate of a value p over T steps has mean p and variance p (1 - p) / T.

    Args:
        values: probabilities in [0, 1], any shape, floating point.
        steps: number of time steps T.
        generator: source of randomness, on the device of ``values``; torch's global one if None.

    Returns:
        Spikes ``[T, *values.shape]`` in the dtype of ``values``.

    Raises:
        TypeError: if ``values`` is not floating point or ``steps`` not an int.
        ValueError: if a value is not finite or leaves [0, 1], or ``steps < 1``.

    Source: Eshraghian et al., Proceedings of the IEEE 2023, rate coding: R[t] ~ Bernoulli(X), i.i.d. in time.
    """
    require_float("values", values)
    require_steps(steps)
    require_finite("values", values)
    if values.numel() and (bool(values.min() < 0) or bool(values.max() > 1)):
        raise ValueError(
            f"values are spike probabilities and must lie in [0, 1]; they span [{float(values.min())}, "
            f"{float(values.max())}]. Rescale them first, for instance pixels by 1/255"
        )
    draws = torch.rand((steps, *values.shape), generator=generator, dtype=values.dtype, device=values.device)
    return (draws < values).to(values.dtype)


def latency_encode(current: Tensor, *, tau: float, threshold: float = 1.0, resistance: float = 1.0) -> Tensor:
    """Time at which an RC circuit charged by each current reaches the threshold: strong inputs spike early.

    ``t = tau ln(R I / (R I - threshold))`` if ``R I > threshold``, else infinity (no spike), in the unit of
    ``tau`` and shaped like ``current``; :func:`times_to_spikes` makes spikes of it.

    Raises:
        TypeError: if ``current`` is not floating point.
        ValueError: if ``current`` is not finite or a constant is not positive.

    Source: charging curve U(t) = I R (1 - exp(-t/tau)) solved for U = threshold.
    """
    require_float("current", current)
    require_finite("current", current)
    return first_spike_time(current, tau=tau, threshold=threshold, resistance=resistance)


def times_to_spikes(times: Tensor, steps: int, dt: float = 1.0) -> Tensor:
    """Spike trains with one spike each, in the step that holds the time.

    Args:
        times: spike times at or after 0, any shape, floating point; infinity means no spike.
        steps: number of time steps T; times from ``steps * dt`` on give no spike.
        dt: length of a step.

    Returns:
        Spikes ``[T, *times.shape]`` in the dtype of ``times``.

    Raises:
        TypeError: if ``times`` is not floating point or ``steps`` not an int.
        ValueError: if a time is negative or NaN, ``steps < 1`` or ``dt`` not positive.

    Source: definition; inverse of :func:`spikes_to_times`.
    """
    require_float("times", times)
    require_steps(steps)
    require_positive("dt", dt)
    if not bool((times >= 0).all()):
        raise ValueError("times must be at or after 0 (infinity for no spike); found a negative time or NaN")
    index = torch.floor(times / dt)
    # A quotient may round across a whole number; the products decide, so that k * dt falls into step k.
    index = index - (index * dt > times).to(index) + ((index + 1) * dt <= times).to(index)
    clock = torch.arange(steps, dtype=times.dtype, device=times.device)
    return (clock.reshape(-1, *[1] * times.dim()) == index).to(times.dtype)


def spikes_to_times(spikes: Tensor, dt: float = 1.0) -> Tensor:
    """Time of the first spike of ``[T, ...]``: ``k * dt``, step k counted from 0; infinity without one.

    Not differentiable; see ``snnkit.losses.latency_steps``.

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if there is no time step or ``dt`` is not positive.
    """
    _require_train("spikes", spikes)
    require_positive("dt", dt)
    fired = spikes > 0
    first = fired.to(torch.uint8).argmax(0).to(spikes.dtype)
    return torch.where(fired.any(0), first * dt, math.inf)


def spike_rate(spikes: Tensor) -> Tensor:
    """Spikes per step, the mean of ``[T, ...]`` over time.

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if there is no time step.
    """
    _require_train("spikes", spikes)
    return spikes.mean(0)


def rate_decode(spikes: Tensor) -> Tensor:
    """Class whose neuron fired most often in ``[T, ..., classes]``: the lowest on a tie, -1 if none fired.

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if there is no time step or no class axis.
    """
    _require_train("spikes", spikes, with_classes=True)
    count = spikes.sum(0)
    return torch.where(count.amax(-1) > 0, count.argmax(-1), -1)


def latency_decode(spikes: Tensor) -> Tensor:
    """Class whose neuron fired first in ``[T, ..., classes]``; the rest is as in :func:`rate_decode`."""
    _require_train("spikes", spikes, with_classes=True)
    times = spikes_to_times(spikes)
    return torch.where(torch.isfinite(times.amin(-1)), times.argmin(-1), -1)


def delta_encode(signal: Tensor, *, threshold: float) -> OnOff:
    """Spike when the signal has moved by a threshold from the last *encoded* level.

    The level starts at ``signal[0]`` and moves by one threshold with each spike, so that slow drifts add up
    until they are sent.  At most one spike per step: a signal that moves by more than ``threshold`` in a step
    outruns the code (slope overload); otherwise the level stays closer than ``threshold`` to the signal.

    Args:
        signal: ``[T, ...]``, floating point.
        threshold: step of the level.

    Returns:
        ``OnOff(on, off)``, each ``[T, ...]``; the first step is silent.

    Raises:
        TypeError: if ``signal`` is not floating point.
        ValueError: if ``signal`` has no time step or is not finite, or ``threshold`` is not positive.

    Source: delta modulation; event cameras (Lichtsteiner et al., IEEE JSSC 2008).
    """
    _require_train("signal", signal)
    require_finite("signal", signal)
    require_positive("threshold", threshold)
    moves = torch.zeros_like(signal[0])
    on, off = [], []
    for sample in signal:
        gap = sample - (signal[0] + threshold * moves)
        rose, fell = (gap >= threshold).to(signal.dtype), (gap <= -threshold).to(signal.dtype)
        moves = moves + rose - fell
        on.append(rose)
        off.append(fell)
    return OnOff(torch.stack(on), torch.stack(off))


def delta_decode(code: OnOff, *, threshold: float, start: float | Tensor = 0.0) -> Tensor:
    """Levels ``[T, ...]`` of a delta code: ``start + threshold * (ON spikes - OFF spikes so far)``.

    The inverse of :func:`delta_encode`, with its threshold; ``start`` is the first level, ``signal[0]``.

    Raises:
        ValueError: if the two trains differ in shape or ``threshold`` is not positive.
    """
    require_positive("threshold", threshold)
    if code.on.shape != code.off.shape:
        raise ValueError(
            f"on and off must have the same shape; got {list(code.on.shape)} and {list(code.off.shape)}"
        )
    return start + threshold * (code.on - code.off).cumsum(0)


def sparsity(spikes: Tensor) -> float:
    """Share, from 0 to 1, of (step, neuron) places without a spike: 1 is silence.

    Raises:
        ValueError: if ``spikes`` is empty.
    """
    if spikes.numel() == 0:
        raise ValueError("spikes is empty; sparsity needs at least one place")
    return float((spikes == 0).double().mean())


def static_suppression(spikes: Tensor, signal: Tensor) -> float:
    """Share of the places where the signal did not change at which the code was silent.

    1 means that the code reacts to changes only.  The first step has no predecessor and is left out.

    Args:
        spikes: ``[T, ...]``; for a delta code, ``code.on + code.off``.
        signal: what was encoded, same shape (repeat a still picture over time).

    Returns:
        A number in [0, 1].

    Raises:
        ValueError: if the shapes differ, or the signal changes everywhere or has fewer than two steps.

    Source: definition.
    """
    if spikes.shape != signal.shape:
        raise ValueError(
            f"spikes and signal must have the same shape; got {list(spikes.shape)} and {list(signal.shape)}"
        )
    still = signal[1:] == signal[:-1]
    if not bool(still.any()):
        raise ValueError("the signal never stays the same for a step, so there is nothing static to suppress")
    return float((spikes[1:][still] == 0).double().mean())


def _require_train(name: str, train: Tensor, *, with_classes: bool = False) -> None:
    require_float(name, train)
    if train.dim() == 0 or train.shape[0] == 0:
        raise ValueError(f"{name} must be [T, ...] with T >= 1; got shape {list(train.shape)}")
    if with_classes and (train.dim() < 2 or train.shape[-1] == 0):
        raise ValueError(f"{name} must be [T, ..., classes]; got shape {list(train.shape)}")
