r"""Surrogate gradients: spikes in the forward pass, a smooth slope in the backward pass.

A spike is the Heaviside step of ``x = charge - threshold``, whose derivative is 0 or undefined. A surrogate
keeps the step in the forward pass and replaces its derivative by that of a smooth step, the *primitive*.
Every family here is a :class:`Surrogate`: calling an instance gives spikes, ``derivative(x)`` the slope used
in the backward pass, ``primitive(x)`` the smooth step. They serve in :mod:`snnkit.layers` and, as they are
callable, in the neurons of SpikingJelly.

Convention: a neuron at threshold fires, Theta(0) = 1. ``alpha`` is a sharpness (larger is narrower) as in
SpikingJelly, except in :class:`Sine`, where it is a half-width, and in :class:`Power`, an exponent.

A new family is a dataclass with its parameters, ``spiking`` as the last, its primitive and its derivative:

>>> @dataclass
... class Logistic(Surrogate):
...     alpha: float = 4.0
...     spiking: bool = True
...     def primitive(self, x):
...         return (self.alpha * x).sigmoid()
...     def derivative(self, x):
...         return self.alpha * (self.alpha * x).sigmoid() * (-self.alpha * x).sigmoid()
"""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, fields
from typing import Any

import torch
from torch import Tensor

from snnkit._validate import require_float, require_positive
from snnkit.dynamics import heaviside

__all__ = [
    "FAMILIES",
    "ATan",
    "Dspike",
    "Erf",
    "Exponential",
    "PiecewiseQuadratic",
    "Power",
    "Rectangle",
    "Sigmoid",
    "Sine",
    "SoftSign",
    "Surrogate",
    "Triangle",
    "derivative_of",
    "heaviside",
    "zero_gradient_share",
]


class _Spike(torch.autograd.Function):
    """Theta(x) forward, the surrogate's ``derivative`` backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, surrogate: Surrogate) -> Tensor:
        return heaviside(x)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Tensor, Surrogate], output: Tensor) -> None:
        x, ctx.surrogate = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None]:
        (x,) = ctx.saved_tensors
        return grad_outputs[0] * ctx.surrogate.derivative(x), None


class Surrogate:
    """Base of every family, a dataclass of positive parameters that gives ``primitive`` and ``derivative``.

    With ``spiking=True`` a call gives spikes with the surrogate slope, with ``spiking=False`` the primitive.

    Raises:
        ValueError: a parameter is not positive and finite.

    Source: Neftci, Mostafa and Zenke 2019.
    """

    spiking = True

    def __post_init__(self) -> None:
        for parameter in fields(self):  # type: ignore[arg-type]
            if parameter.name != "spiking":
                require_positive(parameter.name, getattr(self, parameter.name))

    def primitive(self, x: Tensor) -> Tensor:
        """The smooth step at ``x``, elementwise; a family defines it."""
        raise TypeError(f"the surrogate {type(self).__name__} needs a method primitive(self, x)")

    def derivative(self, x: Tensor) -> Tensor:
        """The surrogate slope at ``x``, the derivative of the primitive, elementwise; a family defines it."""
        raise TypeError(f"the surrogate {type(self).__name__} needs a method derivative(self, x)")

    def __call__(self, x: Tensor) -> Tensor:
        """Spikes of ``x = charge - threshold`` with the surrogate slope; the primitive if not ``spiking``."""
        if not self.spiking:
            return self.primitive(x)
        spikes: Tensor = _Spike.apply(x, self)  # type: ignore[no-untyped-call]
        return spikes


@dataclass
class Rectangle(Surrogate):
    """Slope alpha on |x| <= 1/(2 alpha), 0 outside. Peak alpha, area 1.

    Source: Wu et al. 2018 (STBP).
    """

    alpha: float = 1.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (self.alpha * x + 0.5).clamp(0, 1)

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha * ((self.alpha * x).abs() <= 0.5).to(x.dtype)


@dataclass
class Triangle(Surrogate):
    """Slope ``peak * (1 - |x| / width)`` on |x| <= width, 0 outside. Area peak * width.

    Height and half-width are separate here; :class:`PiecewiseQuadratic` ties them (peak = 1/width = alpha).

    Source: Bellec et al. 2018 (their damping factor is ``peak``).
    """

    width: float = 1.0
    peak: float = 1.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        inside = x.clamp(-self.width, self.width)
        return 0.5 + self.peak * (inside - inside * inside.abs() / (2 * self.width))

    def derivative(self, x: Tensor) -> Tensor:
        return (x.abs() * (-self.peak / self.width)).add_(self.peak).relu_()


@dataclass
class PiecewiseQuadratic(Surrogate):
    """Slope alpha - alpha^2 |x| on |x| <= 1/alpha, exactly 0 outside. Peak alpha, area 1.

    Raising alpha makes the slope higher *and* widens the two half-lines where it is 0;
    :func:`zero_gradient_share` measures the latter, and :class:`Triangle` changes one without the other.

    Source: Esser et al. 2016; SpikingJelly's ``PiecewiseQuadratic``.
    """

    alpha: float = 1.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return Triangle(1 / self.alpha, self.alpha).primitive(x)

    def derivative(self, x: Tensor) -> Tensor:
        return Triangle(1 / self.alpha, self.alpha).derivative(x)


@dataclass
class Exponential(Surrogate):
    """Slope alpha/2 exp(-alpha |x|). Peak alpha/2, area 1.

    Source: Shrestha and Orchard 2018 (SLAYER); SpikingJelly's ``PiecewiseExp`` (default alpha 1).
    """

    alpha: float = 2.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        # Written without |x|, whose derivative torch sets to 0 at x = 0.
        falling = (self.alpha * x.clamp(max=0)).exp()
        rising = (-self.alpha * x.clamp(min=0)).exp()
        return torch.where(x < 0, falling / 2, 1 - rising / 2)

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / 2 * (x.abs() * -self.alpha).exp_()


@dataclass
class Sigmoid(Surrogate):
    """Slope alpha s (1 - s) with s = sigmoid(alpha x). Peak alpha/4, area 1.

    Source: SpikingJelly's ``Sigmoid``; Zenke and Ganguli 2018 use a related slope.
    """

    alpha: float = 4.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (self.alpha * x).sigmoid()

    def derivative(self, x: Tensor) -> Tensor:
        # sigmoid(y) sigmoid(-y) rather than s (1 - s): the latter rounds to 0 for large y.
        scaled = self.alpha * x
        return scaled.sigmoid() * (-scaled).sigmoid() * self.alpha


@dataclass
class ATan(Surrogate):
    """Slope alpha/2 / (1 + (pi alpha x / 2)^2). Peak alpha/2, area 1 (heavy tails: nowhere 0).

    Source: Fang et al. 2021 (PLIF); SpikingJelly's ``ATan``.
    """

    alpha: float = 2.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (math.pi / 2 * self.alpha * x).atan() / math.pi + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        # 1/slope = 2/alpha + pi^2 alpha x^2 / 2, in as few passes as possible.
        return (x * x).mul_(math.pi**2 * self.alpha / 2).add_(2 / self.alpha).reciprocal_()


@dataclass
class Erf(Surrogate):
    """Slope alpha/sqrt(pi) exp(-alpha^2 x^2), a Gaussian. Peak alpha/sqrt(pi), area 1.

    Source: Esser et al. 2015 use a Gaussian slope; SpikingJelly's ``Erf``.
    """

    alpha: float = 2.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (self.alpha * x).erf() / 2 + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / math.sqrt(math.pi) * (x * x).mul_(-(self.alpha**2)).exp_()


@dataclass
class SoftSign(Surrogate):
    """Slope alpha / (2 (1 + alpha |x|)^2). Peak alpha/2, area 1 (heavy tails: nowhere 0).

    Source: SpikingJelly's ``SoftSign``; the SuperSpike slope of Zenke and Ganguli 2018 up to its height.
    """

    alpha: float = 2.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        scaled = self.alpha * x
        return scaled / (1 + scaled.abs()) / 2 + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        return self.alpha / 2 * (x.abs() * self.alpha).add_(1).square_().reciprocal_()


@dataclass
class Sine(Surrogate):
    """S(x): slope pi/(4 alpha) cos(pi x / (2 alpha)) on |x| <= alpha, 0 outside. Peak pi/(4 alpha), area 1.

    ``alpha`` is a half-width: larger is wider and flatter. alpha = pi/4 gives peak 1.

    Source: derivative of 1/2 sin(pi x / (2 alpha)) + 1/2.
    """

    alpha: float = 1.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (math.pi / (2 * self.alpha) * x.clamp(-self.alpha, self.alpha)).sin() / 2 + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        slope = math.pi / (4 * self.alpha) * (x * (math.pi / (2 * self.alpha))).cos_()
        return slope.masked_fill_(x.abs() > self.alpha, 0)


@dataclass
class Power(Surrogate):
    """P(x): slope alpha/2 max(|x|, floor)^(alpha - 1) on |x| <= 1, 0 outside, for 0 < alpha <= 1.

    Without the floor the slope of 1/2 sign(x) |x|^alpha + 1/2 is infinite at 0. With it the peak is
    alpha/2 floor^(alpha - 1) (2.5 at the defaults) and the area 1 - (1 - alpha) floor^alpha (0.95 at the
    defaults), so the primitive, continuous here, rises by that much. At |x| = 1 the slope jumps from alpha/2
    to 0.
    A smaller floor is closer to P(x) and gives the gradient a larger variance.

    Raises:
        ValueError: ``alpha`` or ``floor`` is outside (0, 1].

    Source: derivative of 1/2 sign(x) |x|^alpha + 1/2, floored.
    """

    alpha: float = 0.5
    floor: float = 1e-2
    spiking: bool = True

    def __post_init__(self) -> None:
        super().__post_init__()
        for name, value in (("alpha", self.alpha), ("floor", self.floor)):
            if value > 1:
                raise ValueError(f"{name} must lie in (0, 1]; got {value}")

    def primitive(self, x: Tensor) -> Tensor:
        inside = x.clamp(-1, 1)
        linear = inside.abs() <= self.floor
        slope = self.alpha / 2 * self.floor ** (self.alpha - 1)
        # Outside the linear part only, so that no infinite slope of the power enters the gradient.
        magnitude = torch.where(linear, self.floor, inside.abs())
        power = inside.sign() * (
            magnitude**self.alpha / 2 + (slope * self.floor - self.floor**self.alpha / 2)
        )
        return 0.5 + torch.where(linear, slope * inside, power)

    def derivative(self, x: Tensor) -> Tensor:
        magnitude = x.abs()
        slope = self.alpha / 2 * magnitude.clamp(min=self.floor).pow_(self.alpha - 1)
        return slope.masked_fill_(magnitude > 1, 0)


@dataclass
class Dspike(Surrogate):
    """Slope b / (2 tanh(b/2)) sech^2(b x) on |x| <= 1/2, 0 outside. Area 1.

    The window is centred on the threshold: x = charge - threshold. The primitive tends to the straight line
    x + 1/2 as b tends to 0 and to the step Theta(x) as b grows. :mod:`snnkit.dspike` chooses b in training.
    The temperature ``b`` may be changed between batches.

    Source: Li et al. 2021 (Dspike, NeurIPS), whose window [0, 1] is this one for a threshold of 1/2.
    """

    b: float = 3.0
    spiking: bool = True

    def primitive(self, x: Tensor) -> Tensor:
        return (self.b * x.clamp(-0.5, 0.5)).tanh() / (2 * math.tanh(self.b / 2)) + 0.5

    def derivative(self, x: Tensor) -> Tensor:
        # cosh overflows to infinity, which gives the slope 0 it should; 1 - tanh^2 would reach 0 far earlier.
        slope = self.b / (2 * math.tanh(self.b / 2)) * (x * self.b).cosh_().square_().reciprocal_()
        return slope.masked_fill_(x.abs() > 0.5, 0)


_IN_ORDER: list[type[Surrogate]] = [
    Rectangle, Triangle, PiecewiseQuadratic, Exponential, Sigmoid, ATan, Erf, SoftSign, Sine, Power, Dspike
]  # fmt: skip
FAMILIES = {family.__name__: family for family in _IN_ORDER}
"""Every family by name, for plots and sweeps; each can be built without arguments.

:meta hide-value:
"""


def derivative_of(surrogate: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The slope of any surrogate as a function of ``x = charge - threshold``, shaped like ``x``.

    A :class:`Surrogate` has it as its method ``derivative``; any other elementwise function to spikes, such as
    a surrogate of SpikingJelly, gets one backward pass.

    Raises:
        TypeError: ``surrogate`` is not callable.
    """
    if isinstance(surrogate, Surrogate):
        return surrogate.derivative
    if not callable(surrogate):
        raise TypeError(f"surrogate must be callable; got {type(surrogate).__name__} {surrogate!r}")

    def derivative(x: Tensor) -> Tensor:
        with torch.enable_grad():
            inputs = x.detach().requires_grad_()
            (slope,) = torch.autograd.grad(surrogate(inputs).sum(), inputs)
        return slope

    return derivative


def zero_gradient_share(surrogate: Callable[[Tensor], Tensor], x: Tensor) -> float:
    """Share (0 to 1) of the elements of ``x = charge - threshold`` at which the slope is exactly 0.

    Raises:
        TypeError: ``x`` is not a floating-point tensor, or ``surrogate`` is not callable.
        ValueError: ``x`` is empty.
    """
    require_float("x", x)
    if x.numel() == 0:
        raise ValueError("x is empty; expected at least one element")
    with torch.no_grad():
        return float((derivative_of(surrogate)(x) == 0).double().mean())
