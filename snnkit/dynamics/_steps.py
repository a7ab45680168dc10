"""One time step of integrate-and-fire neurons, and a run of many."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple, Protocol

import torch
from torch import Tensor

from snnkit._validate import require_float, require_in, require_positive


def heaviside(x: Tensor) -> Tensor:
    """Unit step in the dtype of ``x``: 1 where ``x >= 0``, else 0 (NaN gives 0); its gradient is zero.

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
    """Fire where the charge has reached the threshold, then reset: ``(spike, v)``, shaped like ``charge``.

    Args:
        charge: potential before the spike, any shape.
        threshold: positive number, or a tensor that broadcasts against ``charge``.
        reset: :class:`SoftReset`, :class:`HardReset` or any callable like them.

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
    """One step of the integrate-and-fire neuron, ``charge = v + x``, fire, reset: ``(spike, v)``.

    The input ``x`` has weights and bias applied and broadcasts against ``v``, the potential after the step
    before; ``threshold`` and ``reset`` are those of :func:`fire`, and so is what is raised.

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
    """One step of the leaky neuron, ``charge = decay * v + x``, fire, reset: ``(spike, v)``.

    The factor ``(1 - decay) * resistance`` of the RC circuit is taken to be part of ``x``. Arguments as in
    :func:`if_step`; ``decay`` in [0, 1] keeps the old potential (:func:`~snnkit.dynamics.euler_decay`,
    :func:`~snnkit.dynamics.exact_decay`).

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

    Raises:
        ValueError: if ``decay`` leaves [0, 1] or ``threshold`` is not positive and finite.

    Source: Eshraghian et al., Proceedings of the IEEE 2023; snnTorch's ``reset_delay=True``.
    """
    _require_decay(decay)
    require_positive("threshold", threshold)
    charge = decay * v + x - heaviside(v - threshold) * threshold
    return Step(heaviside(charge - threshold), charge, charge)


def simulate(
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]], currents: Tensor, v0: float | Tensor = 0.0
) -> Trace:
    """Run a step function over an input and record it: ``Trace(spikes, charge, v)``, each ``[T, ...]``.

    The steps of this module report their charge. A step of your own that returns a plain pair does not: its
    charge is then ``v`` where there was no spike and NaN where there was one.

    Args:
        step: ``(v, x) -> (spike, v)``; bind parameters with ``functools.partial(lif_step, decay=0.9)``.
        currents: input ``[T, ...]``, floating point, with at least one time step.
        v0: potential before the first step, a number or a tensor that broadcasts to ``currents[0]``.

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


def _require_decay(decay: float | Tensor) -> None:
    if isinstance(decay, Tensor):
        require_in("the smallest decay", float(decay.detach().min()), 0.0, 1.0)
        require_in("the largest decay", float(decay.detach().max()), 0.0, 1.0)
    else:
        require_in("decay", decay, 0.0, 1.0)
