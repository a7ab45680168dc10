r"""Multi-step layers: integrate-and-fire neurons over a whole sequence ``[T, N, ...]`` at once.

:func:`lif_reference` is the definition, five lines that autograd differentiates. :class:`IF` and :class:`LIF`
compute the same spikes and the same gradients faster, by backpropagation through time written out by hand:
with ``g = dL/d spike[t]`` and ``c = dL/d v[t]`` coming from step t + 1, step t has

    a = g + c * dv/dspike               (the last term is left out when the reset is detached)
    dL/d charge[t] = a * slope(charge[t] - threshold) + c * dv/dcharge
    dL/d input[t] = dL/d charge[t],     dL/d v[t-1] = decay * dL/d charge[t]

where dv/dcharge and dv/dspike are 1 and -threshold for the soft reset, 1 - spike and v_reset - charge for the
hard one. Only the charge and the spikes are kept; the slope is computed again when it is needed.

Convention: time is the first axis, a neuron at threshold fires, spikes are 0 or 1. ``charge = decay * v + x``.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from typing import Any

import torch
from spikingjelly.activation_based.base import MemoryModule
from torch import Tensor, nn
from torch.autograd.function import once_differentiable

from snnkit._validate import require_finite, require_float, require_in, require_positive
from snnkit.dynamics import HardReset, Reset, SoftReset
from snnkit.surrogate import ATan, derivative_of

__all__ = ["IF", "LIF", "DeadLayerWarning", "TimeFolded", "lif_reference"]

_BLOCK = 65_536
"""Elements of a block of time steps whose slopes are computed together (256 kB in float32, within a cache)."""


_SOFT_RESET = SoftReset()


class DeadLayerWarning(UserWarning):
    """A layer did not fire, or no gradient passes it."""


def lif_reference(
    x: Tensor,
    *,
    decay: float,
    threshold: float = 1.0,
    surrogate: Callable[[Tensor], Tensor],
    reset: Reset = _SOFT_RESET,
    detach_reset: bool = False,
    initial: Tensor | float = 0.0,
) -> Tensor:
    """The multi-step neuron as a plain loop, differentiated by autograd; slow and easy to read.

    Args:
        x: input current ``[T, N, ...]``.
        decay: factor that keeps the old potential, 1 for the integrate-and-fire neuron.
        threshold: firing threshold.
        surrogate: spikes from ``charge - threshold``.
        reset: reset rule ``(charge, spike, threshold) -> v``.
        detach_reset: True keeps gradients from passing through the reset.
        initial: potential before the first step, a number or ``[N, ...]``.

    Returns:
        Spikes, shaped like ``x``.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5), with a decay.
    """
    v, spikes = initial, []
    for current in x:
        charge = decay * v + current
        spike = surrogate(charge - threshold)
        v = reset(charge, spike.detach() if detach_reset else spike, threshold)
        spikes.append(spike)
    return torch.stack(spikes)


def _integrate(x: Tensor, v: Tensor, charge: Tensor, decay: float, threshold: float, reset: Reset) -> Tensor:
    """Fill ``charge`` and return the spikes; ``charge`` may be one step's buffer, expanded over time."""
    spikes = torch.empty_like(x)
    v = v.clone()
    v_reset = v.new_tensor(reset.v_reset) if isinstance(reset, HardReset) else None
    for x_t, charge_t, spike_t in zip(x.unbind(), charge.unbind(), spikes.unbind(), strict=True):
        torch.add(x_t, v, alpha=decay, out=charge_t)
        torch.ge(charge_t, threshold, out=spike_t)
        if v_reset is None:
            torch.sub(charge_t, spike_t, alpha=threshold, out=v)
        else:
            torch.lerp(charge_t, v_reset, spike_t, out=v)
    return spikes


class _MultiStep(torch.autograd.Function):
    """Spikes of a sequence, with the backward pass of the module docstring."""

    @staticmethod
    def forward(
        ctx: Any,
        x: Tensor,
        initial: Tensor,
        decay: float,
        threshold: float,
        slope: Callable[[Tensor], Tensor],
        reset: SoftReset | HardReset,
        detach_reset: bool,
    ) -> Tensor:
        charge = torch.empty_like(x)
        spikes = _integrate(x, initial, charge, decay, threshold, reset)
        ctx.save_for_backward(charge, spikes)
        ctx.constants = decay, threshold, slope, reset, detach_reset
        return spikes

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, *grad_outputs: Tensor) -> tuple[Tensor | None, ...]:
        charge, spikes = ctx.saved_tensors
        decay, threshold, slope, reset, detach_reset = ctx.constants
        grad_x = torch.empty_like(charge)
        rows = list(
            zip(grad_outputs[0].unbind(), charge.unbind(), spikes.unbind(), grad_x.unbind(), strict=True)
        )
        carried = torch.zeros_like(rows[0][1])  # c = dL/dv of the step at hand
        block = max(1, _BLOCK // max(1, carried.numel()))
        for last in range(len(rows), 0, -block):
            first = max(0, last - block)
            slopes = slope(charge[first:last] - threshold).unbind()
            for (grad, charge_t, spike, out), slope_t in zip(
                reversed(rows[first:last]), reversed(slopes), strict=True
            ):
                if detach_reset:
                    torch.mul(grad, slope_t, out=out)
                elif isinstance(reset, HardReset):
                    torch.addcmul(grad, carried, charge_t, value=-1, out=out)
                    if reset.v_reset:
                        out.add_(carried, alpha=reset.v_reset)
                    out.mul_(slope_t)
                else:
                    torch.sub(grad, carried, alpha=threshold, out=out).mul_(slope_t)
                out.add_(carried)
                if isinstance(reset, HardReset):
                    out.addcmul_(carried, spike, value=-1)
                torch.mul(out, decay, out=carried)
        return grad_x, carried, None, None, None, None, None


class LIF(nn.Module):
    """Leaky integrate-and-fire neurons on ``[T, N, ...]``: ``charge = decay * v + x``, fire, reset.

    The gradient reaches the input and the initial potential; ``decay`` and ``threshold`` are constants. A reset
    rule other than :class:`~snnkit.dynamics.SoftReset` and :class:`~snnkit.dynamics.HardReset` works through
    :func:`lif_reference`. While training, the 1st, 2nd, 4th, 8th, ... batch is checked, and one
    :class:`DeadLayerWarning` is given if no gradient passes the layer or it has been silent three times running.

    Args:
        decay: factor in [0, 1] that keeps the old potential (1 - 1/tau for a membrane of tau steps).
        threshold: firing threshold, positive.
        surrogate: spikes from ``charge - threshold``, for instance from :mod:`snnkit.surrogate`.
        reset: reset rule.
        detach_reset: True keeps gradients from passing through the reset.
        check_finite: True looks for NaN and infinities in every input, at the price of one pass over it.

    Raises:
        TypeError: ``surrogate`` or ``reset`` is not callable.
        ValueError: ``decay`` is outside [0, 1] or ``threshold`` is not positive.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5), with a decay; Neftci, Mostafa and Zenke 2019.
    """

    def __init__(
        self,
        decay: float = 0.5,
        threshold: float = 1.0,
        surrogate: Callable[[Tensor], Tensor] | None = None,
        reset: Reset = _SOFT_RESET,
        detach_reset: bool = False,
        check_finite: bool = False,
    ) -> None:
        super().__init__()
        require_in("decay", decay, 0.0, 1.0)
        require_positive("threshold", threshold)
        if not callable(reset) or isinstance(reset, type):
            raise TypeError(f"reset must be a reset rule such as SoftReset(); got {reset!r}")
        self.decay = float(decay)
        self.threshold = float(threshold)
        self.surrogate = ATan() if surrogate is None else surrogate
        derivative_of(self.surrogate)  # refuses what is not callable
        self.reset = reset
        self.detach_reset = detach_reset
        self.check_finite = check_finite
        self._batches = 0
        self._silent = 0
        self._warned = False

    def forward(self, x: Tensor, initial: Tensor | float = 0.0) -> Tensor:
        """Spikes of the whole sequence.

        Args:
            x: input current ``[T, N, ...]``, T at least 1.
            initial: potential before the first step, a number or a tensor that broadcasts to ``[N, ...]``.

        Returns:
            Spikes (0 or 1), shaped like ``x``.

        Raises:
            TypeError: ``x`` is not a floating-point tensor.
            ValueError: ``x`` has no time or batch axis or no step, ``initial`` does not fit, or (with
                ``check_finite``) ``x`` holds NaN or an infinity.
        """
        require_float("the input", x)
        if x.dim() < 2 or x.shape[0] < 1:
            raise ValueError(
                f"the input must be [T, N, ...] with T >= 1, time first; got shape {list(x.shape)}. "
                "Add the time axis with x.unsqueeze(0), or repeat a constant input with x.expand(T, ...)"
            )
        if self.check_finite:
            require_finite("the input", x)
        v = _expand(initial, x)
        settings = self.decay, self.threshold
        if not isinstance(self.reset, SoftReset | HardReset) or not getattr(self.surrogate, "spiking", True):
            spikes = lif_reference(
                x,
                decay=self.decay,
                threshold=self.threshold,
                surrogate=self.surrogate,
                reset=self.reset,
                detach_reset=self.detach_reset,
                initial=v,
            )
        elif torch.is_grad_enabled() and (x.requires_grad or v.requires_grad):
            slope = derivative_of(self.surrogate)
            spikes = _MultiStep.apply(x, v, *settings, slope, self.reset, self.detach_reset)  # type: ignore[no-untyped-call]
        else:
            one_buffer = torch.empty_like(x[0]).expand_as(x)
            spikes = _integrate(x.detach(), v.detach(), one_buffer, *settings, self.reset)
        if self.training and not self._warned and x.numel():
            self._watch(x.detach(), v.detach(), spikes.detach())
        return spikes

    def _watch(self, x: Tensor, v: Tensor, spikes: Tensor) -> None:
        """Warn once if the layer is dead, looking at batches 1, 2, 4, 8, ... only."""
        self._batches += 1
        if self._batches & (self._batches - 1):
            return
        self._silent = 0 if bool(spikes.any()) else self._silent + 1
        blocked = False
        if isinstance(self.reset, SoftReset | HardReset):
            charge = torch.empty_like(x)
            _integrate(x, v, charge, self.decay, self.threshold, self.reset)
            blocked = not bool(derivative_of(self.surrogate)(charge - self.threshold).any())
        if not blocked and self._silent < 3:
            return
        self._warned = True
        if blocked:
            fired = "never fired and its" if self._silent else "fired, but its"
            trouble = f"{fired} surrogate gradient is exactly 0 everywhere: no gradient passes it"
            advice = "take a surrogate whose slope is not 0 at rest (ATan, or one wider than the threshold)"
        else:
            trouble = f"never fired in the {self._silent} batches looked at"
            advice = "wait if the loss still falls, as the surrogate gradient is not 0"
        warnings.warn(
            f"{type(self).__name__}({self.extra_repr()}) {trouble} (training batch {self._batches}, largest input "
            f"{float(x.max()):.3g}, threshold {self.threshold:g}). Raise the initial weights or the scale of the "
            f"input, lower the threshold, or {advice}",
            DeadLayerWarning,
            stacklevel=2,
        )

    def extra_repr(self) -> str:
        surrogate = "" if isinstance(self.surrogate, nn.Module) else f"surrogate={self.surrogate}, "
        return (
            f"decay={self.decay:g}, threshold={self.threshold:g}, {surrogate}reset={self.reset}, "
            f"detach_reset={self.detach_reset}"
        )


class IF(LIF):
    """Integrate-and-fire neurons on ``[T, N, ...]``: :class:`LIF` without leak, ``charge = v + x``.

    Args:
        threshold: firing threshold, positive.
        surrogate: spikes from ``charge - threshold``.
        reset: reset rule.
        detach_reset: True keeps gradients from passing through the reset.
        check_finite: True looks for NaN and infinities in every input.

    Raises:
        TypeError: ``surrogate`` or ``reset`` is not callable.
        ValueError: ``threshold`` is not positive.

    Source: Bu et al., ICLR 2022, eqs. (3)-(5).
    """

    def __init__(
        self,
        threshold: float = 1.0,
        surrogate: Callable[[Tensor], Tensor] | None = None,
        reset: Reset = _SOFT_RESET,
        detach_reset: bool = False,
        check_finite: bool = False,
    ) -> None:
        super().__init__(1.0, threshold, surrogate, reset, detach_reset, check_finite)


def _expand(initial: Tensor | float, x: Tensor) -> Tensor:
    v = torch.as_tensor(initial, dtype=x.dtype, device=x.device)
    try:
        return v.expand(x.shape[1:])
    except RuntimeError as error:
        raise ValueError(
            f"the initial potential must broadcast to one time step, shape {list(x.shape[1:])}; "
            f"got shape {list(v.shape)}"
        ) from error


class TimeFolded(nn.Module):
    """A stateless module applied to every step at once: ``[T, N, ...]`` goes through it as ``[T*N, ...]``.

    One large matrix product or convolution is faster than T small ones. Batch normalisation inside takes its
    statistics over time and batch together.

    Args:
        module: a module on ``[N, ...]`` without memory between calls.

    Raises:
        TypeError: ``module`` contains neurons, which need the time axis.

    Source: multi-step mode of SpikingJelly (Fang et al. 2023).
    """

    def __init__(self, module: nn.Module) -> None:
        super().__init__()
        for name, part in module.named_modules():
            if isinstance(part, LIF | MemoryModule):
                place = f" (at {name!r})" if name else ""
                raise TypeError(
                    f"{type(part).__name__}{place} keeps a state over time and must see [T, N, ...]; "
                    "fold only the stateless modules between the neurons"
                )
        self.module = module

    def forward(self, x: Tensor) -> Tensor:
        """Apply the module to each of the T*N samples.

        Args:
            x: ``[T, N, ...]``.

        Returns:
            ``[T, N, ...]`` with what the module makes of the last axes.

        Raises:
            ValueError: ``x`` has fewer than two axes.
        """
        if x.dim() < 2:
            raise ValueError(f"the input must be [T, N, ...]; got shape {list(x.shape)}")
        y: Tensor = self.module(x.flatten(0, 1))
        return y.reshape(*x.shape[:2], *y.shape[1:])
