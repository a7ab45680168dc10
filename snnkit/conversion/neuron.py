"""The spiking neuron of a converted network, its firing rules and its roundings.

A converted layer is integrate-and-fire with soft reset.
At step t it adds the current z(t) to its potential and transmits spikes of height theta:

    charge(t) = v(t-1) + z(t) + shift
    output(t) = theta Theta(charge(t) - theta)
    v(t)      = charge(t) - output(t)

with Theta(0) = 1 and v(0) = ``initial``.
Whatever a firing rule transmits is subtracted from the potential, so for every rule the average output obeys

    average = mean current + shift - (v(T) - v(0)) / T        (QCFS, eq. (9))

State is updated in place and nothing here takes part in autograd: conversion is inference.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Protocol

import torch
from torch import Tensor, nn

from snnkit._validate import require_finite, require_positive, require_steps

__all__ = [
    "BiasShift",
    "BinarySpikes",
    "FiringRule",
    "Floor",
    "InitialPotential",
    "Rounding",
    "SpikingActivation",
    "align",
    "clip_floor",
    "describe",
]


class FiringRule(Protocol):
    """What a neuron transmits: ``fire`` fills ``output`` from the charge, ``reset`` forgets the past.

    A rule with memory (a spike count, a mask) belongs to one neuron layer and drops it in ``reset``.
    """

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None: ...

    def reset(self) -> None: ...


class BinarySpikes:
    """One spike of height theta when the charge reaches theta, none otherwise.

    Source: Bu et al., ICLR 2022, eqs. (3)-(6).
    """

    def fire(self, charge: Tensor, threshold: Tensor, output: Tensor) -> None:
        torch.ge(charge, threshold, out=output)
        output.mul_(threshold)

    def reset(self) -> None:
        """Nothing to forget."""


def align(value: Tensor, like: Tensor) -> Tensor:
    """View ``value`` so that it broadcasts against ``like`` of shape [N, C, ...].

    Args:
        value: A number (0-d), one value per channel [C], one per neuron [C, ...] or one per sample and neuron
            [N, C, ...].
        like: A tensor of shape [N, C, ...].

    Raises:
        ValueError: If ``value`` fits none of these shapes.
    """
    if value.dim() == 0:
        return value
    if value.dim() == 1 and like.dim() > 1:
        view = value.view(1, -1, *[1] * (like.dim() - 2))
    elif value.dim() == like.dim() - 1:
        view = value.unsqueeze(0)
    else:
        view = value
    fits = view.dim() == like.dim() and all(a in (1, b) for a, b in zip(view.shape, like.shape, strict=True))
    if not fits:
        raise ValueError(
            f"a value of shape {list(value.shape)} does not fit a current of shape {list(like.shape)}; "
            "expected a number, one value per channel [C], per neuron [C, ...] or per sample [N, C, ...]"
        )
    return view


class SpikingActivation(nn.Module):
    """Integrate-and-fire neurons with soft reset in place of one activation of the ANN.

    One call is one time step.
    The returned tensor is a buffer that the next step overwrites: an observer copies or accumulates at once.

    Args:
        threshold: theta, a number or one per channel [C]; NaN stands for "not set yet".
        shift: Added to the current at every step: a number, [C], or [C, ...].
        initial: v(0): a number, [C], [C, ...] or one per sample [N, C, ...].
        rule: The firing rule; :class:`BinarySpikes` if none is given.

    Attributes:
        v: Potential after the last step, [N, C, ...]; None before the first.

    Raises:
        ValueError: If a threshold is not positive, or shift or initial is not finite.

    Source: Bu et al., ICLR 2022, eqs. (3)-(7).
    """

    threshold: Tensor
    shift: Tensor
    initial: Tensor

    def __init__(
        self,
        threshold: float | Tensor = float("nan"),
        *,
        shift: float | Tensor = 0.0,
        initial: float | Tensor = 0.0,
        rule: FiringRule | None = None,
    ) -> None:
        super().__init__()
        self.register_buffer("threshold", torch.tensor(float("nan")))
        self.register_buffer("shift", torch.tensor(0.0))
        self.register_buffer("initial", torch.tensor(0.0))
        self.v: Tensor | None = None
        self.rule: FiringRule = BinarySpikes() if rule is None else rule
        self._output: Tensor | None = None
        self._aligned: tuple[Tensor, Tensor | None] | None = None
        unset = not isinstance(threshold, Tensor) and threshold != threshold
        if not unset:
            self.set_threshold(threshold)
        self.set_shift(shift)
        self.set_initial(initial)

    @property
    def is_set(self) -> bool:
        """Whether the threshold has been given."""
        return not bool(torch.isnan(self.threshold).any())

    def set_threshold(self, threshold: float | Tensor) -> None:
        """Set theta to a positive number or to one value per channel [C]; takes effect at the next reset."""
        require_positive("threshold", threshold)
        self.threshold = self._tensor(threshold)
        if self.threshold.dim() > 1:
            raise ValueError(
                f"threshold must be a number or have shape [C]; got shape {list(self.threshold.shape)}"
            )

    def set_shift(self, shift: float | Tensor) -> None:
        """Set what is added to the current at every step; takes effect at the next reset."""
        require_finite("shift", value := self._tensor(shift))
        self.shift = value

    def set_initial(self, initial: float | Tensor) -> None:
        """Set v(0); takes effect at the next reset."""
        require_finite("initial", value := self._tensor(initial))
        self.initial = value

    def _tensor(self, value: float | Tensor) -> Tensor:
        return (
            torch.as_tensor(value, dtype=self.threshold.dtype, device=self.threshold.device).detach().clone()
        )

    def reset_state(self) -> None:
        """Forget the potential: the next call starts from v(0) and may have another batch size."""
        self.v = None
        self._aligned = None
        self.rule.reset()

    def write_to(self, output: Tensor | None) -> None:
        """Let the next call write its output into this buffer of the current's shape (None: its own)."""
        self._output = output

    def forward(self, current: Tensor) -> Tensor:
        """One time step.

        Args:
            current: z(t) [N, C, ...].

        Returns:
            spike * threshold, the same shape; a buffer that the next call overwrites.

        Raises:
            RuntimeError: If no threshold is set.
            ValueError: If the shape differs from the previous step's.

        Source: Bu et al., ICLR 2022, eqs. (3)-(7).
        """
        if torch.is_grad_enabled():
            with torch.no_grad():
                return self._step(current)
        return self._step(current)

    def _step(self, current: Tensor) -> Tensor:
        v, output = self.v, self._output
        if v is None or self._aligned is None:
            v = self.v = self._begin(current)
        elif v.shape != current.shape:
            raise ValueError(
                f"the current has shape {list(current.shape)}, the state {list(v.shape)}; "
                "call reset_state() before a new batch"
            )
        assert self._aligned is not None
        threshold, shift = self._aligned
        v.add_(current)
        if shift is not None:
            v.add_(shift)
        if output is None or output.shape != v.shape:
            output = self._output = torch.empty_like(v)
        self.rule.fire(v, threshold, output)
        v.sub_(output)
        return output

    def _begin(self, current: Tensor) -> Tensor:
        if not self.is_set:
            raise RuntimeError("this spiking layer has no threshold yet; set one before running it")
        shift = align(self.shift, current) if bool(self.shift.any()) else None
        self._aligned = (align(self.threshold, current), shift)
        return torch.empty_like(current).copy_(align(self.initial, current))

    def extra_repr(self) -> str:
        values = {"threshold": self.threshold, "shift": self.shift, "initial": self.initial}
        return ", ".join(f"{name}={describe(value)}" for name, value in values.items())


def describe(value: Tensor) -> str:
    """A short text for a number or, for several, their range and count."""
    if value.numel() == 1:
        return f"{float(value):.4g}"
    return f"{float(value.min()):.4g} to {float(value.max()):.4g} ({' x '.join(str(n) for n in value.shape)})"


def clip_floor(current: Tensor, *, threshold: Tensor, initial: Tensor | float, steps: int) -> Tensor:
    r"""Average output of an integrate-and-fire neuron under a constant current, in closed form.

    :math:`\frac{\theta}{T}\,\mathrm{clip}\big(\lfloor \frac{T z + v(0)}{\theta} \rfloor, 0, T\big)`.
    It is exact unless there is unevenness error.
    ``current`` is z of any shape (a shift per step is part of it); ``threshold`` and ``initial`` broadcast
    against it.

    Source: Deng & Gu, ICLR 2021, eq. (8); with v(0): Bu et al., ICLR 2022.
    """
    require_steps(steps)
    return ((current * steps + initial) / threshold).floor().clamp(0, steps) * (threshold / steps)


class Rounding(Protocol):
    """How the flooring of the spike count is centred; ``offset`` is the part of a level that is added."""

    @property
    def offset(self) -> float: ...

    def apply(self, neuron: SpikingActivation) -> None: ...


@dataclass(frozen=True)
class Floor:
    """No rounding aid: shift 0 and v(0) = 0; the average output is low by theta/2T on average."""

    @property
    def offset(self) -> float:
        return 0.0

    def apply(self, neuron: SpikingActivation) -> None:
        neuron.set_shift(0.0)
        neuron.set_initial(0.0)


@dataclass(frozen=True)
class BiasShift:
    """theta/2T is added to the current of every step, so the T of the run has to be known.

    Source: Deng & Gu, ICLR 2021, section 4.
    """

    steps: int

    def __post_init__(self) -> None:
        require_steps(self.steps)

    @property
    def offset(self) -> float:
        return 0.5

    def apply(self, neuron: SpikingActivation) -> None:
        neuron.set_shift(neuron.threshold / (2 * self.steps))
        neuron.set_initial(0.0)


@dataclass(frozen=True)
class InitialPotential:
    """v(0) = theta/2: the same counts as :class:`BiasShift` under a constant current, else earlier spikes.

    Source: Bu et al., AAAI 2022; Bu et al., ICLR 2022.
    """

    @property
    def offset(self) -> float:
        return 0.5

    def apply(self, neuron: SpikingActivation) -> None:
        neuron.set_shift(0.0)
        neuron.set_initial(neuron.threshold / 2)
