r"""Membrane dynamics: integrate-and-fire neurons as pure step functions, and their closed forms.

A step takes the potential ``v`` left by the step before and the input ``x`` of this step:

    charge = decay * v + x,    spike = heaviside(charge - threshold),    v = reset(charge, spike, threshold)

Convention: a neuron *at* its threshold fires (``heaviside(0) = 1``) and the reset acts within the same step;
only :func:`delayed_reset_step` differs.  ``decay`` is 1 for the integrate-and-fire (IF) neuron.  Time is the
first axis.  No function modifies its arguments.  The spike itself has derivative zero everywhere; see
``snnkit.surrogate`` for the gradients that training puts in its place.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from snnkit._validate import require_float, require_in, require_positive

__all__ = [
    "HardReset",
    "Reset",
    "SoftReset",
    "Step",
    "Trace",
    "delayed_reset_step",
    "euler_decay",
    "exact_decay",
    "fire",
    "firing_rate",
    "firing_rate_discrete",
    "first_spike_step",
    "first_spike_time",
    "heaviside",
    "if_step",
    "lapicque_euler",
    "lapicque_exact",
    "lif_step",
    "membrane",
    "simulate",
]


def heaviside(x: Tensor) -> Tensor:
    """Unit step with value 1 at 0, in the dtype of ``x``; its gradient is zero.

    Args:
        x: distance from the threshold, any shape.

    Returns:
        1 where ``x >= 0``, else 0 (NaN gives 0), same shape and dtype.

    Raises:
        TypeError: if ``x`` is not a tensor.

    Source: Bu et al., ICLR 2022, eq. (4), with the value at 0 fixed to 1.
    """
    if not isinstance(x, Tensor):
        raise TypeError(
            f"heaviside needs a torch.Tensor; got {type(x).__name__}. Wrap it in torch.tensor(...)"
        )
    return (x >= 0).to(x.dtype)


class Reset(Protocol):
    """What happens to the charge of a neuron that fired."""

    def __call__(self, charge: Tensor, spike: Tensor, threshold: float | Tensor) -> Tensor: ...


@dataclass(frozen=True)
class SoftReset:
    """Reset by subtraction: ``v = charge - spike * threshold``; the charge above the threshold is kept.

    Source: Rueckauer et al., Frontiers in Neuroscience 2017, reset by subtraction.
    """

    def __call__(self, charge: Tensor, spike: Tensor, threshold: float | Tensor) -> Tensor:
        return charge - spike * threshold


@dataclass(frozen=True)
class HardReset:
    """Reset to a value: ``v = charge * (1 - spike) + spike * v_reset``; the charge above it is lost.

    Source: Rueckauer et al., Frontiers in Neuroscience 2017, reset to zero.
    """

    v_reset: float = 0.0

    def __call__(self, charge: Tensor, spike: Tensor, threshold: float | Tensor) -> Tensor:
        return charge * (1 - spike) + spike * self.v_reset


class _Pair(NamedTuple):
    spike: Tensor
    v: Tensor


class Step(_Pair):
    """What a step returns: the pair ``(spike, v)``, with the potential before the spike as ``.charge``."""

    charge: Tensor | None

    def __new__(cls, spike: Tensor, v: Tensor, charge: Tensor | None = None) -> Step:
        pair = super().__new__(cls, spike, v)
        pair.charge = charge
        return pair


class Trace(NamedTuple):
    """A simulated run: ``spikes``, ``charge`` (before the spike) and ``v`` (after it), each ``[T, ...]``."""

    spikes: Tensor
    charge: Tensor
    v: Tensor


def fire(charge: Tensor, *, threshold: float | Tensor = 1.0, reset: Reset = SoftReset()) -> Step:
    """Fire where the charge has reached the threshold, then reset.

    Args:
        charge: potential before the spike, any shape.
        threshold: positive number, or a tensor that broadcasts against ``charge``.
        reset: :class:`SoftReset`, :class:`HardReset` or any callable like them.

    Returns:
        ``(spike, v)``, both shaped like ``charge``.

    Raises:
        ValueError: if ``threshold`` is not positive and finite.

    Source: Bu et al., ICLR 2022, eqs. (4)-(5).
    """
    require_positive("threshold", threshold)
    spike = heaviside(charge - threshold)
    return Step(spike, reset(charge, spike, threshold), charge)


def if_step(
    v: Tensor,
    x: Tensor,
    *,
    threshold: float | Tensor = 1.0,
    reset: Reset = SoftReset(),
) -> Step:
    """One step of the integrate-and-fire neuron: ``charge = v + x``, fire, reset.

    Args:
        v: potential after the step before, any shape.
        x: input of this step (weights and bias already applied), broadcasts against ``v``.
        threshold: positive number or tensor.
        reset: reset rule.

    Returns:
        ``(spike, v)``.

    Raises:
        ValueError: if ``threshold`` is not positive and finite.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5).
    """
    return fire(v + x, threshold=threshold, reset=reset)


def lif_step(
    v: Tensor,
    x: Tensor,
    *,
    decay: float | Tensor,
    threshold: float | Tensor = 1.0,
    reset: Reset = SoftReset(),
) -> Step:
    """One step of the leaky neuron: ``charge = decay * v + x``, fire, reset.

    The factor ``(1 - decay) * resistance`` of the RC circuit is taken to be part of ``x``.

    Args:
        v: potential after the step before, any shape.
        x: input of this step, broadcasts against ``v``.
        decay: factor in [0, 1] that keeps the old potential (:func:`euler_decay`, :func:`exact_decay`).
        threshold: positive number or tensor.
        reset: reset rule.

    Returns:
        ``(spike, v)``.

    Raises:
        ValueError: if ``decay`` leaves [0, 1] or ``threshold`` is not positive and finite.

    Source: Eshraghian et al., Proceedings of the IEEE 2023, discrete LIF, with the reset in the same step.
    """
    _require_decay(decay)
    return fire(decay * v + x, threshold=threshold, reset=reset)


def delayed_reset_step(
    v: Tensor, x: Tensor, *, decay: float | Tensor = 1.0, threshold: float | Tensor = 1.0
) -> Step:
    """One step with the reset one step late: ``v(t) = decay v(t-1) + x(t) - threshold s(t-1)``.

    Here ``v`` is the potential *before* the reset, which tells ``s(t-1) = heaviside(v(t-1) - threshold)``.
    For ``decay = 1`` the balance of charge keeps a boundary term:
    ``mean(output) = mean(x) - (v(T) - v(0))/T + threshold (s(T) - s(0))/T``.

    Args:
        v: potential of the step before, not yet reset, any shape.
        x: input of this step.
        decay: factor in [0, 1].
        threshold: positive number or tensor.

    Returns:
        ``(spike, v)``, ``v`` not yet reset.

    Raises:
        ValueError: if ``decay`` leaves [0, 1] or ``threshold`` is not positive and finite.

    Source: Eshraghian et al., Proceedings of the IEEE 2023; snnTorch's ``reset_delay=True``.
    """
    _require_decay(decay)
    require_positive("threshold", threshold)
    charge = decay * v + x - heaviside(v - threshold) * threshold
    return Step(heaviside(charge - threshold), charge, charge)


def euler_decay(dt: float, tau: float) -> float:
    """Decay of the forward Euler step, ``1 - dt/tau``.

    Args:
        dt: time step, in the unit of ``tau``.
        tau: membrane time constant.

    Returns:
        The decay, in (0, 1).

    Raises:
        ValueError: if ``dt`` or ``tau`` is not positive, or ``dt >= tau``: the decay would not be positive,
            the potential would overshoot its rest at every step and diverge for ``dt > 2 tau``.

    Source: forward Euler step of tau dv/dt = -v + R I.
    """
    _require_times(dt, tau)
    if dt >= tau:
        raise ValueError(
            f"Euler's step needs dt < tau, or its decay 1 - dt/tau is not positive; got dt={dt}, tau={tau} "
            f"(decay {1 - dt / tau:g}). Take a smaller dt, or the exact step (exact_decay, lapicque_exact)"
        )
    return 1 - dt / tau


def exact_decay(dt: float, tau: float) -> float:
    """Decay of the exact step, ``exp(-dt/tau)``, for an input that is constant during the step.

    Args:
        dt: time step, in the unit of ``tau``.
        tau: membrane time constant.

    Returns:
        The decay, in (0, 1).

    Raises:
        ValueError: if ``dt`` or ``tau`` is not positive.

    Source: solution of tau dv/dt = -v + R I over one step.
    """
    _require_times(dt, tau)
    return math.exp(-dt / tau)


def lapicque_euler(v: Tensor, current: Tensor, *, dt: float, tau: float, resistance: float = 1.0) -> Tensor:
    """One forward Euler step of the RC membrane ``tau dv/dt = -v + R I``, without firing.

    Args:
        v: potential above rest, any shape.
        current: input current during the step.
        dt: time step, in the unit of ``tau``.
        tau: membrane time constant, R times C.
        resistance: membrane resistance R.

    Returns:
        The potential after ``dt``; pass it to :func:`fire`.

    Raises:
        ValueError: if a constant is not positive, or ``dt >= tau``.

    Source: Lapicque 1907; Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("resistance", resistance)
    decay = euler_decay(dt, tau)
    return decay * v + (dt / tau) * resistance * current


def lapicque_exact(v: Tensor, current: Tensor, *, dt: float, tau: float, resistance: float = 1.0) -> Tensor:
    """One exact step of the RC membrane ``tau dv/dt = -v + R I`` with constant current, without firing.

    Args:
        v: potential above rest, any shape.
        current: input current during the step.
        dt: time step, in the unit of ``tau``; any positive size.
        tau: membrane time constant, R times C.
        resistance: membrane resistance R.

    Returns:
        The potential after ``dt``; pass it to :func:`fire`.

    Raises:
        ValueError: if a constant is not positive.

    Source: Lapicque 1907; Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("resistance", resistance)
    _require_times(dt, tau)
    return math.exp(-dt / tau) * v - math.expm1(-dt / tau) * resistance * current


def simulate(
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], currents: Tensor, v0: float | Tensor = 0.0
) -> Trace:
    """Run a step function over an input and record what it does.

    Args:
        step: ``(v, x) -> (spike, v)``; bind parameters with ``functools.partial(lif_step, decay=0.9)``.
        currents: input ``[T, ...]``, floating point, with at least one time step.
        v0: potential before the first step, a number or a tensor that broadcasts to ``currents[0]``.

    Returns:
        ``Trace(spikes, charge, v)``, each ``[T, ...]``.  The steps of this module report their charge.  A
        step of your own that returns a plain pair does not: its charge is then ``v`` where there was no
        spike and NaN where there was one.

    Raises:
        TypeError: if ``currents`` is not a floating-point tensor.
        ValueError: if ``currents`` has no time step, or ``v0`` does not broadcast to ``currents[0]``.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5), repeated over time.
    """
    require_float("currents", currents)
    if currents.dim() == 0 or currents.shape[0] == 0:
        raise ValueError(f"currents must be [T, ...] with T >= 1; got shape {list(currents.shape)}")
    v = torch.as_tensor(v0, dtype=currents.dtype, device=currents.device)
    try:
        v = v.expand(currents.shape[1:])
    except RuntimeError as error:
        raise ValueError(
            f"v0 must broadcast to one time step, shape {list(currents.shape[1:])}; got shape {list(v.shape)}"
        ) from error
    spikes, charges, potentials = [], [], []
    for x in currents:
        outcome = step(v, x)
        spike, v = outcome
        charge = outcome.charge if isinstance(outcome, Step) else None
        charges.append(torch.where(spike > 0, math.nan, v) if charge is None else charge)
        spikes.append(spike)
        potentials.append(v)
    return Trace(torch.stack(spikes), torch.stack(charges), torch.stack(potentials))


def membrane(
    time: Tensor, current: float | Tensor, *, tau: float, resistance: float = 1.0, v0: float | Tensor = 0.0
) -> Tensor:
    """Closed form of the RC membrane under a constant current: ``R I + (v0 - R I) exp(-t/tau)``.

    Args:
        time: times at which to evaluate, any shape, in the unit of ``tau``.
        current: constant current, broadcasts against ``time``.
        tau: membrane time constant.
        resistance: membrane resistance R.
        v0: potential at time 0.

    Returns:
        The potential above rest, in the broadcast shape; it tends to ``R I``.

    Raises:
        ValueError: if ``tau`` or ``resistance`` is not positive.

    Source: Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("tau", tau)
    require_positive("resistance", resistance)
    target = resistance * current
    return target + (v0 - target) * torch.exp(-time / tau)


def first_spike_time(
    current: Tensor, *, tau: float, threshold: float = 1.0, resistance: float = 1.0, v0: float = 0.0
) -> Tensor:
    """Time at which a constant current first brings the membrane to its threshold.

    ``t = tau ln((R I - v0) / (R I - threshold))`` if ``R I > threshold``, else infinity: at
    ``R I = threshold`` the membrane approaches the threshold and never reaches it.  Differentiable in
    ``current``; the gradient is 0 where the time is infinite.

    Args:
        current: constant currents, any shape, floating point.
        tau: membrane time constant.
        threshold: firing threshold, above rest (0).
        resistance: membrane resistance R.
        v0: potential at time 0, below the threshold.

    Returns:
        Times in the unit of ``tau``, same shape as ``current``.

    Raises:
        TypeError: if ``current`` is not a floating-point tensor.
        ValueError: if a constant is not positive or ``v0 >= threshold``.

    Source: Gerstner et al., Neuronal Dynamics, section 1.3, solved for the time.
    """
    share, above = _missing_share(current, threshold, resistance, v0)
    require_positive("tau", tau)
    return torch.where(above, -tau * torch.log1p(-share), math.inf)


def first_spike_step(
    current: Tensor,
    *,
    dt: float,
    tau: float,
    threshold: float = 1.0,
    resistance: float = 1.0,
    v0: float = 0.0,
) -> Tensor:
    """Number of exact steps (:func:`lapicque_exact`) until a neuron under constant current first fires.

    Args:
        current: constant currents, any shape, floating point.
        dt: time step.
        tau: membrane time constant.
        threshold: firing threshold.
        resistance: membrane resistance R.
        v0: potential before the first step, below the threshold.

    Returns:
        Step numbers counted from 1, as floats; infinity where the neuron never fires.

    Raises:
        TypeError: if ``current`` is not a floating-point tensor.
        ValueError: if a constant is not positive or ``v0 >= threshold``.

    Source: smallest n with R I + (v0 - R I) exp(-n dt/tau) >= threshold.
    """
    _require_times(dt, tau)
    share, above = _missing_share(current, threshold, resistance, v0)
    steps = torch.ceil(-torch.log1p(-share) * (tau / dt)).clamp(min=1)
    return torch.where(above, steps, math.inf)


def firing_rate(
    current: Tensor, *, tau: float, threshold: float = 1.0, resistance: float = 1.0, v_reset: float = 0.0
) -> Tensor:
    """Rate of the continuous-time neuron with hard reset and no refractory period: the f-I curve.

    ``rate = 1 / (tau ln((R I - v_reset) / (R I - threshold)))`` if ``R I > threshold``, else 0.

    Args:
        current: constant currents, any shape, floating point.
        tau: membrane time constant.
        threshold: firing threshold.
        resistance: membrane resistance R.
        v_reset: potential after a spike, below the threshold.

    Returns:
        Spikes per unit of time of ``tau``, same shape as ``current``.

    Raises:
        TypeError: if ``current`` is not a floating-point tensor.
        ValueError: if a constant is not positive or ``v_reset >= threshold``.

    Source: Gerstner et al., Neuronal Dynamics, section 1.3, period of regular firing.
    """
    return 1 / first_spike_time(current, tau=tau, threshold=threshold, resistance=resistance, v0=v_reset)


def firing_rate_discrete(
    current: Tensor,
    *,
    dt: float,
    tau: float,
    threshold: float = 1.0,
    resistance: float = 1.0,
    v_reset: float = 0.0,
) -> Tensor:
    """Rate of the exact-step neuron with hard reset: one spike in every :func:`first_spike_step` steps.

    It is at most ``1/dt`` and never above :func:`firing_rate`, because the spike waits for the end of a step.

    Args:
        current: constant currents, any shape, floating point.
        dt: time step.
        tau: membrane time constant.
        threshold: firing threshold.
        resistance: membrane resistance R.
        v_reset: potential after a spike, below the threshold.

    Returns:
        Spikes per unit of time of ``dt``, same shape as ``current``.

    Raises:
        TypeError: if ``current`` is not a floating-point tensor.
        ValueError: if a constant is not positive or ``v_reset >= threshold``.

    Source: period of the exact step, see :func:`first_spike_step`.
    """
    steps = first_spike_step(current, dt=dt, tau=tau, threshold=threshold, resistance=resistance, v0=v_reset)
    return 1 / (dt * steps)


def _missing_share(current: Tensor, threshold: float, resistance: float, v0: float) -> tuple[Tensor, Tensor]:
    """(threshold - v0)/(R I - v0), and where R I is above the threshold; 1/2 stands in elsewhere."""
    require_float("current", current)
    require_positive("threshold", threshold)
    require_positive("resistance", resistance)
    if not v0 < threshold:
        raise ValueError(f"the starting potential must lie below the threshold {threshold}; got {v0}")
    target = resistance * current
    above = target > threshold
    gap = torch.where(above, target - v0, 2 * (threshold - v0))
    return (threshold - v0) / gap, above


def _require_times(dt: float, tau: float) -> None:
    require_positive("dt", dt)
    require_positive("tau", tau)


def _require_decay(decay: float | Tensor) -> None:
    if isinstance(decay, Tensor):
        require_in("the smallest decay", float(decay.detach().min()), 0.0, 1.0)
        require_in("the largest decay", float(decay.detach().max()), 0.0, 1.0)
    else:
        require_in("decay", decay, 0.0, 1.0)
