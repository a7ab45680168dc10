r"""Surrogate gradients: spikes in the forward pass, a smooth slope in the backward pass.

A spike is the Heaviside step of ``x = charge - threshold``, whose derivative is 0 or undefined. A surrogate
keeps the step in the forward pass and replaces its derivative by that of a smooth step, the *primitive*.
Every family here is a :class:`Surrogate`: calling an instance gives spikes, ``derivative(x)`` the slope used
in the backward pass, ``primitive(x)`` the smooth step. They follow SpikingJelly's ``SurrogateFunctionBase``,
so they serve in its neurons and in :mod:`snnkit.layers`.

Convention: a neuron at threshold fires, Theta(0) = 1. ``alpha`` is a sharpness (larger is narrower) as in
SpikingJelly, except in :class:`Sine`, where it is a half-width, and in :class:`Power`, an exponent.

A new family is a primitive, its derivative and a constructor that names its parameters:

>>> class Logistic(Surrogate):
...     def __init__(self, alpha: float = 4.0, spiking: bool = True) -> None:
...         super().__init__(spiking=spiking, alpha=alpha)
...     @staticmethod
...     def primitive_function(x, alpha):
...         return (alpha * x).sigmoid()
...     @staticmethod
...     def derivative_function(x, alpha):
...         return alpha * (alpha * x).sigmoid() * (-alpha * x).sigmoid()
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based.surrogate import SurrogateFunctionBase
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
    """Theta(x) forward, ``family.derivative_function`` backward."""

    generate_vmap_rule = True

    @staticmethod
    def forward(x: Tensor, family: type[Surrogate], parameters: dict[str, float]) -> Tensor:
        return heaviside(x)

    @staticmethod
    def setup_context(
        ctx: Any, inputs: tuple[Tensor, type[Surrogate], dict[str, float]], output: Tensor
    ) -> None:
        x, ctx.family, ctx.parameters = inputs
        ctx.save_for_backward(x)

    @staticmethod
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor, None, None]:
        (x,) = ctx.saved_tensors
        return grad_outputs[0] * ctx.family.derivative_function(x, **ctx.parameters), None, None


class Surrogate(SurrogateFunctionBase):  # type: ignore[misc]
    """Base of every family: a subclass gives ``primitive_function`` and ``derivative_function``.

    Args:
        spiking: True gives spikes with a surrogate slope; False gives the primitive itself.
        **parameters: the family's parameters, each a positive number, kept as attributes of the same name.

    Raises:
        ValueError: a parameter is not positive and finite.

    Source: Neftci, Mostafa and Zenke 2019; interface of SpikingJelly 2.0.
    """

    def __init__(self, spiking: bool = True, **parameters: float) -> None:
        for name, value in parameters.items():
            require_positive(name, value)
        super().__init__(spiking=spiking, **parameters)

    @staticmethod
    def primitive_function(x: Tensor, **parameters: float) -> Tensor:
        """The smooth step, elementwise; a subclass defines it."""
        raise TypeError("a surrogate needs a static method primitive_function(x, **parameters)")

    @staticmethod
    def derivative_function(x: Tensor, **parameters: float) -> Tensor:
        """The derivative of the primitive, elementwise; a subclass defines it."""
        raise TypeError("a surrogate needs a static method derivative_function(x, **parameters)")

    @classmethod
    def spiking_function(cls, x: Tensor, **parameters: float) -> Tensor:
        """Spikes of ``x = charge - threshold`` with the surrogate slope (SpikingJelly's interface)."""
        spikes: Tensor = _Spike.apply(x, cls, parameters)  # type: ignore[no-untyped-call]
        return spikes

    @classmethod
    def backward(cls, grad_output: Tensor, x: Tensor, **parameters: float) -> Tensor:
        """``grad_output`` times the slope at ``x`` (SpikingJelly's interface)."""
        return grad_output * cls.derivative_function(x, **parameters)

    def primitive(self, x: Tensor) -> Tensor:
        """The smooth step at ``x``, with this instance's parameters; same shape as ``x``."""
        return self.primitive_function(x, **self._sg_params)

    def derivative(self, x: Tensor) -> Tensor:
        """The surrogate slope at ``x``, with this instance's parameters; same shape as ``x``."""
        return self.derivative_function(x, **self._sg_params)


class Rectangle(Surrogate):
    """Slope alpha on |x| <= 1/(2 alpha), 0 outside. Peak alpha, area 1.

    Source: Wu et al. 2018 (STBP).
    """

    def __init__(self, alpha: float = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return (alpha * x + 0.5).clamp(0, 1)

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return alpha * ((alpha * x).abs() <= 0.5).to(x.dtype)


class Triangle(Surrogate):
    """Slope ``peak * (1 - |x| / width)`` on |x| <= width, 0 outside. Area peak * width.

    Height and half-width are separate here; :class:`PiecewiseQuadratic` ties them (peak = 1/width = alpha).

    Source: Bellec et al. 2018 (their damping factor is ``peak``).
    """

    def __init__(self, width: float = 1.0, peak: float = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, width=width, peak=peak)

    @staticmethod
    def primitive_function(x: Tensor, width: float, peak: float) -> Tensor:  # type: ignore[override]
        inside = x.clamp(-width, width)
        return 0.5 + peak * (inside - inside * inside.abs() / (2 * width))

    @staticmethod
    def derivative_function(x: Tensor, width: float, peak: float) -> Tensor:  # type: ignore[override]
        return (x.abs() * (-peak / width)).add_(peak).relu_()


class PiecewiseQuadratic(Surrogate):
    """Slope alpha - alpha^2 |x| on |x| <= 1/alpha, exactly 0 outside. Peak alpha, area 1.

    Raising alpha makes the slope higher *and* widens the two half-lines where it is 0;
    :func:`zero_gradient_share` measures the latter, and :class:`Triangle` changes one without the other.

    Source: Esser et al. 2016; SpikingJelly's ``PiecewiseQuadratic``.
    """

    def __init__(self, alpha: float = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return Triangle.primitive_function(x, width=1 / alpha, peak=alpha)

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return Triangle.derivative_function(x, width=1 / alpha, peak=alpha)


class Exponential(Surrogate):
    """Slope alpha/2 exp(-alpha |x|). Peak alpha/2, area 1.

    Source: Shrestha and Orchard 2018 (SLAYER); SpikingJelly's ``PiecewiseExp`` (default alpha 1).
    """

    def __init__(self, alpha: float = 2.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        # Written without |x|, whose derivative torch sets to 0 at x = 0.
        falling = (alpha * x.clamp(max=0)).exp()
        rising = (-alpha * x.clamp(min=0)).exp()
        return torch.where(x < 0, falling / 2, 1 - rising / 2)

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return alpha / 2 * (x.abs() * -alpha).exp_()


class Sigmoid(Surrogate):
    """Slope alpha s (1 - s) with s = sigmoid(alpha x). Peak alpha/4, area 1.

    Source: SpikingJelly's ``Sigmoid``; Zenke and Ganguli 2018 use a related slope.
    """

    def __init__(self, alpha: float = 4.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return (alpha * x).sigmoid()

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        # sigmoid(y) sigmoid(-y) rather than s (1 - s): the latter rounds to 0 for large y.
        scaled = alpha * x
        return scaled.sigmoid() * (-scaled).sigmoid() * alpha


class ATan(Surrogate):
    """Slope alpha/2 / (1 + (pi alpha x / 2)^2). Peak alpha/2, area 1 (heavy tails: nowhere 0).

    Source: Fang et al. 2021 (PLIF); SpikingJelly's ``ATan``.
    """

    def __init__(self, alpha: float = 2.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return (math.pi / 2 * alpha * x).atan() / math.pi + 0.5

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        # 1/slope = 2/alpha + pi^2 alpha x^2 / 2, in as few passes as possible.
        return (x * x).mul_(math.pi**2 * alpha / 2).add_(2 / alpha).reciprocal_()


class Erf(Surrogate):
    """Slope alpha/sqrt(pi) exp(-alpha^2 x^2), a Gaussian. Peak alpha/sqrt(pi), area 1.

    Source: Esser et al. 2015 use a Gaussian slope; SpikingJelly's ``Erf``.
    """

    def __init__(self, alpha: float = 2.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return (alpha * x).erf() / 2 + 0.5

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return alpha / math.sqrt(math.pi) * (x * x).mul_(-(alpha**2)).exp_()


class SoftSign(Surrogate):
    """Slope alpha / (2 (1 + alpha |x|)^2). Peak alpha/2, area 1 (heavy tails: nowhere 0).

    Source: SpikingJelly's ``SoftSign``; the SuperSpike slope of Zenke and Ganguli 2018 up to its height.
    """

    def __init__(self, alpha: float = 2.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        scaled = alpha * x
        return scaled / (1 + scaled.abs()) / 2 + 0.5

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return alpha / 2 * (x.abs() * alpha).add_(1).square_().reciprocal_()


class Sine(Surrogate):
    """S(x): slope pi/(4 alpha) cos(pi x / (2 alpha)) on |x| <= alpha, 0 outside. Peak pi/(4 alpha), area 1.

    ``alpha`` is a half-width: larger is wider and flatter. alpha = pi/4 gives peak 1.

    Source: derivative of 1/2 sin(pi x / (2 alpha)) + 1/2.
    """

    def __init__(self, alpha: float = 1.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha)

    @staticmethod
    def primitive_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        return (math.pi / (2 * alpha) * x.clamp(-alpha, alpha)).sin() / 2 + 0.5

    @staticmethod
    def derivative_function(x: Tensor, alpha: float) -> Tensor:  # type: ignore[override]
        slope = math.pi / (4 * alpha) * (x * (math.pi / (2 * alpha))).cos_()
        return slope.masked_fill_(x.abs() > alpha, 0)


class Power(Surrogate):
    """P(x): slope alpha/2 max(|x|, floor)^(alpha - 1) on |x| <= 1, 0 outside, for 0 < alpha <= 1.

    Without the floor the slope of 1/2 sign(x) |x|^alpha + 1/2 is infinite at 0. With it the peak is
    alpha/2 floor^(alpha - 1) (2.5 at the defaults) and the area 1 - (1 - alpha) floor^alpha (0.95 at the
    defaults), so the primitive, continuous here, rises by that much. At |x| = 1 the slope jumps from alpha/2
    to 0.

    Args:
        alpha: exponent, in (0, 1].
        floor: smallest |x| the power is taken of, in (0, 1]; a smaller one is closer to P(x) and gives the
            gradient a larger variance.
        spiking: see :class:`Surrogate`.

    Raises:
        ValueError: ``alpha`` or ``floor`` is outside (0, 1].

    Source: derivative of 1/2 sign(x) |x|^alpha + 1/2, floored.
    """

    def __init__(self, alpha: float = 0.5, floor: float = 1e-2, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, alpha=alpha, floor=floor)
        for name, value in (("alpha", alpha), ("floor", floor)):
            if value > 1:
                raise ValueError(f"{name} must lie in (0, 1]; got {value}")

    @staticmethod
    def primitive_function(x: Tensor, alpha: float, floor: float) -> Tensor:  # type: ignore[override]
        inside = x.clamp(-1, 1)
        linear = inside.abs() <= floor
        slope = alpha / 2 * floor ** (alpha - 1)
        # Outside the linear part only, so that no infinite slope of the power enters the gradient.
        magnitude = torch.where(linear, floor, inside.abs())
        power = inside.sign() * (magnitude**alpha / 2 + (slope * floor - floor**alpha / 2))
        return 0.5 + torch.where(linear, slope * inside, power)

    @staticmethod
    def derivative_function(x: Tensor, alpha: float, floor: float) -> Tensor:  # type: ignore[override]
        magnitude = x.abs()
        slope = alpha / 2 * magnitude.clamp(min=floor).pow_(alpha - 1)
        return slope.masked_fill_(magnitude > 1, 0)


class Dspike(Surrogate):
    """Slope b / (2 tanh(b/2)) sech^2(b x) on |x| <= 1/2, 0 outside. Area 1.

    The window is centred on the threshold: x = charge - threshold. The primitive tends to the straight line
    x + 1/2 as b tends to 0 and to the step Theta(x) as b grows. :mod:`snnkit.dspike` chooses b in training.

    Args:
        b: temperature, positive; may be changed between batches.
        spiking: see :class:`Surrogate`.

    Source: Li et al. 2021 (Dspike, NeurIPS), whose window [0, 1] is this one for a threshold of 1/2.
    """

    def __init__(self, b: float = 3.0, spiking: bool = True) -> None:
        super().__init__(spiking=spiking, b=b)

    @staticmethod
    def primitive_function(x: Tensor, b: float) -> Tensor:  # type: ignore[override]
        return (b * x.clamp(-0.5, 0.5)).tanh() / (2 * math.tanh(b / 2)) + 0.5

    @staticmethod
    def derivative_function(x: Tensor, b: float) -> Tensor:  # type: ignore[override]
        # cosh overflows to infinity, which gives the slope 0 it should; 1 - tanh^2 would reach 0 far earlier.
        slope = b / (2 * math.tanh(b / 2)) * (x * b).cosh_().square_().reciprocal_()
        return slope.masked_fill_(x.abs() > 0.5, 0)


FAMILIES: dict[str, type[Surrogate]] = {
    family.__name__: family
    for family in (
        Rectangle,
        Triangle,
        PiecewiseQuadratic,
        Exponential,
        Sigmoid,
        ATan,
        Erf,
        SoftSign,
        Sine,
        Power,
        Dspike,
    )
}
"""Every family by name, for plots and sweeps; each can be built without arguments.

:meta hide-value:
"""


def derivative_of(surrogate: Callable[[Tensor], Tensor]) -> Callable[[Tensor], Tensor]:
    """The slope of any surrogate as a function of ``x = charge - threshold``.

    Uses the method ``derivative`` of a :class:`Surrogate`; for another callable, such as a surrogate of
    SpikingJelly, one backward pass through it.

    Args:
        surrogate: maps a tensor to spikes of the same shape, elementwise.

    Returns:
        A function from a tensor to the slopes at its elements.

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
    """Share of the elements of ``x`` at which the surrogate slope is exactly 0.

    Args:
        surrogate: a :class:`Surrogate` or any callable that :func:`derivative_of` accepts.
        x: ``charge - threshold``, any shape, floating point.

    Returns:
        A number from 0 (every element passes a gradient) to 1 (none does).

    Raises:
        TypeError: ``x`` is not a floating-point tensor.
        ValueError: ``x`` is empty.
    """
    require_float("x", x)
    if x.numel() == 0:
        raise ValueError("x is empty; expected at least one element")
    with torch.no_grad():
        return float((derivative_of(surrogate)(x) == 0).double().mean())
