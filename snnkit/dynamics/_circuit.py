"""The membrane as an RC circuit: its decay in a step, its closed form, and when and how often it fires."""

from __future__ import annotations

import math

import torch
from torch import Tensor

from snnkit._validate import require_float, require_positive


def euler_decay(dt: float, tau: float) -> float:
    """Decay of the forward Euler step, ``1 - dt/tau``, in (0, 1).

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
    """Decay of the exact step, ``exp(-dt/tau)``, in (0, 1), for an input that is constant during the step.

    Source: solution of tau dv/dt = -v + R I over one step.
    """
    _require_times(dt, tau)
    return math.exp(-dt / tau)


def lapicque_euler(v: Tensor, current: Tensor, *, dt: float, tau: float, resistance: float = 1.0) -> Tensor:
    """Potential after one forward Euler step of the RC membrane ``tau dv/dt = -v + R I``, without firing.

    Args:
        v: potential above rest, any shape; hand the result to :func:`~snnkit.dynamics.fire`.
        current: input current during the step.
        dt: time step, in the unit of ``tau``.
        tau: membrane time constant, R times C.
        resistance: membrane resistance R.

    Raises:
        ValueError: if a constant is not positive, or ``dt >= tau``.

    Source: Lapicque 1907; Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("resistance", resistance)
    decay = euler_decay(dt, tau)
    return decay * v + (dt / tau) * resistance * current


def lapicque_exact(v: Tensor, current: Tensor, *, dt: float, tau: float, resistance: float = 1.0) -> Tensor:
    """Potential after one exact step of the RC membrane under a constant current; ``dt`` may have any size.

    Arguments as in :func:`lapicque_euler`; a constant that is not positive raises ``ValueError``.

    Source: Lapicque 1907; Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("resistance", resistance)
    _require_times(dt, tau)
    return math.exp(-dt / tau) * v - math.expm1(-dt / tau) * resistance * current


def membrane(
    time: Tensor, current: float | Tensor, *, tau: float, resistance: float = 1.0, v0: float | Tensor = 0.0
) -> Tensor:
    """Potential of the RC membrane at ``time`` under a constant current: ``R I + (v0 - R I) exp(-t/tau)``.

    ``time`` and ``current`` broadcast; ``v0`` is the potential at time 0, above rest. A ``tau`` or
    ``resistance`` that is not positive raises ``ValueError``.

    Source: Gerstner et al., Neuronal Dynamics, section 1.3.
    """
    require_positive("tau", tau)
    require_positive("resistance", resistance)
    target = resistance * current
    return target + (v0 - target) * torch.exp(-time / tau)


def first_spike_time(
    current: Tensor, *, tau: float, threshold: float = 1.0, resistance: float = 1.0, v0: float = 0.0
) -> Tensor:
    """Time, in the unit of ``tau``, at which a constant current first brings the membrane to its threshold.

    ``t = tau ln((R I - v0) / (R I - threshold))`` if ``R I > threshold``, else infinity: at
    ``R I = threshold`` the membrane approaches the threshold and never reaches it.  Differentiable in
    ``current`` (any shape); the gradient is 0 where the time is infinite.

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

    Counted from 1, as floats shaped like ``current``; infinity where the neuron never fires. Raises what
    :func:`first_spike_time` raises, and ``ValueError`` for a ``dt`` that is not positive.

    Source: smallest n with R I + (v0 - R I) exp(-n dt/tau) >= threshold.
    """
    _require_times(dt, tau)
    share, above = _missing_share(current, threshold, resistance, v0)
    steps = torch.ceil(-torch.log1p(-share) * (tau / dt)).clamp(min=1)
    return torch.where(above, steps, math.inf)


def firing_rate(
    current: Tensor, *, tau: float, threshold: float = 1.0, resistance: float = 1.0, v_reset: float = 0.0
) -> Tensor:
    """Spikes per unit of time with hard reset and no refractory period: the f-I curve in continuous time.

    ``rate = 1 / (tau ln((R I - v_reset) / (R I - threshold)))`` if ``R I > threshold``, else 0. Raises what
    :func:`first_spike_time` raises.

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
    Raises what :func:`first_spike_step` raises.

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
