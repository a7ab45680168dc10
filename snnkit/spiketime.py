r"""Spike response model and SpikeProp: learning by the gradient of firing times.

Each neuron fires at most once, when its potential

    U_j(t) = sum_i w_ji eps(t - f_i),    eps(s) = (s/tau) exp(1 - s/tau)  for s >= 0, else 0

first reaches the threshold.  The implicit function theorem on ``U_j(f_j) = threshold`` gives, with a *minus*,

    df_j/dw_ji = -eps(f_j - f_i) / slope,    df_j/df_i = w_ji eps'(f_j - f_i) / slope,    slope = dU_j/dt at f_j.

Convention: times are ``[N, neurons]`` with infinity for a neuron that stays silent, weights ``[outputs, inputs]``.
A silent neuron has no gradient, and a neuron that grazes its threshold (slope near 0) would have an infinite one:
slopes below ``min_slope`` are replaced by it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from itertools import pairwise
from typing import Any, NamedTuple

import torch
from torch import Tensor, nn
from torch.autograd.function import once_differentiable
from tqdm.auto import tqdm

from snnkit._validate import require_float, require_positive, require_shape, require_steps

__all__ = [
    "Fit",
    "SpikeProp",
    "firing_time",
    "fit_times",
    "kernel",
    "kernel_slope",
    "potential",
    "spikeprop_network",
    "wake_silent",
]


def kernel(elapsed: Tensor, tau: float) -> Tensor:
    """Response of the potential to one input spike, ``(s/tau) exp(1 - s/tau)``; its peak is 1 at ``s = tau``.

    ``elapsed`` is the time s since the spike; negative times and minus infinity give 0. A ``tau`` that is not
    positive raises ``ValueError``.

    Source: Bohte et al., Neurocomputing 2002, spike response function.
    """
    require_positive("tau", tau)
    s = elapsed.clamp(min=0) / tau
    return s * torch.exp(1 - s)


def kernel_slope(elapsed: Tensor, tau: float) -> Tensor:
    """Derivative of :func:`kernel`, ``exp(1 - s/tau) (1 - s/tau) / tau`` for ``s >= 0``, else 0.

    At ``s = 0``, where the kernel has a corner, the slope from the right.

    Source: Bohte et al., Neurocomputing 2002.
    """
    require_positive("tau", tau)
    s = elapsed.clamp(min=0) / tau
    return torch.where(elapsed >= 0, torch.exp(1 - s) * (1 - s) / tau, 0.0)


def potential(time: Tensor, weight: Tensor, inputs: Tensor, *, tau: float) -> Tensor:
    """Potential ``[M, N, outputs]`` of every output neuron at times ``[M]``.

    ``weight`` is ``[outputs, inputs]``; ``inputs`` are spike times ``[N, inputs]``, infinity for no spike.

    Raises:
        TypeError: if an argument is not floating point.
        ValueError: if shapes do not fit or ``tau`` is not positive.

    Source: Gerstner, spike response model without refractoriness; Bohte et al., Neurocomputing 2002.
    """
    _require_layer(weight, inputs)
    require_shape("time", time, ["M"])
    return kernel(time[:, None, None] - inputs, tau) @ weight.T


def firing_time(
    weight: Tensor, inputs: Tensor, *, tau: float, threshold: float = 1.0, min_slope: float = 1e-2
) -> Tensor:
    """First time at which each neuron's potential reaches the threshold, with SpikeProp's gradient.

    Between two input spikes the potential is ``(B t - A) exp(-t/tau)`` and has one peak, so no crossing can be
    missed; the crossing is then refined by Newton's method until no digit changes.  (A neuron that grazes its
    threshold has half as many digits of its time.)  Memory grows with ``N * inputs**2``.

    Args:
        weight: ``[outputs, inputs]``.
        inputs: input spike times ``[N, inputs]``, infinity for no spike.
        tau: time constant of the kernel.
        threshold: firing threshold; a potential that only touches it fires.
        min_slope: in the gradient, slopes dU/dt below this value (potential per unit of time) are replaced by it.

    Returns:
        Times ``[N, outputs]``, infinity for a neuron that stays silent; differentiable once.

    Raises:
        TypeError: if a tensor is not floating point.
        ValueError: if shapes do not fit, a constant is not positive, or a time is NaN or minus infinity.

    Source: Bohte et al., Neurocomputing 2002, with the sign from the implicit function theorem.
    """
    _require_layer(weight, inputs)
    for name, value in (("tau", tau), ("threshold", threshold), ("min_slope", min_slope)):
        require_positive(name, value)
    if not bool((inputs > -math.inf).all()):
        raise ValueError("inputs must be times (infinity for no spike); found NaN or minus infinity")
    times: Tensor = _FiringTime.apply(weight, inputs, tau, threshold, min_slope)  # type: ignore[no-untyped-call]
    return times


class _FiringTime(torch.autograd.Function):
    @staticmethod
    def forward(
        ctx: Any, weight: Tensor, inputs: Tensor, tau: float, threshold: float, min_slope: float
    ) -> Tensor:
        times = _first_crossing(weight, inputs, tau, threshold)
        ctx.save_for_backward(weight, inputs, times)
        ctx.tau, ctx.min_slope = tau, min_slope
        return times

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad: Tensor) -> tuple[Tensor, Tensor, None, None, None]:
        weight, inputs, times = ctx.saved_tensors
        fired = torch.isfinite(times)
        elapsed = torch.where(fired, times, 0.0)[:, :, None] - inputs[:, None, :]  # [N, outputs, inputs]
        pull = weight * kernel_slope(elapsed, ctx.tau)
        slope = pull.sum(-1).clamp(min=ctx.min_slope)
        share = torch.where(fired, grad, 0.0) / slope
        by_weight = -torch.einsum("no,noi->oi", share, kernel(elapsed, ctx.tau))
        by_inputs = torch.einsum("no,noi->ni", share, pull)
        return by_weight, by_inputs, None, None, None


def _first_crossing(weight: Tensor, inputs: Tensor, tau: float, threshold: float) -> Tensor:
    """Times [N, outputs]; the event axis E holds the sorted input times, each opening one interval."""
    events = inputs.sort(1).values
    arrived = torch.isfinite(events)
    start = torch.where(arrived, events, 0.0)
    age = (start[:, :, None] - torch.where(torch.isfinite(inputs), inputs, math.inf)[:, None, :]) / tau
    # With s = (t - start)/tau >= 0 the potential is (base + rise * s) exp(-s).
    fade = torch.where(age >= 0, torch.exp(1 - age.clamp(min=0)), 0.0)
    rise = fade @ weight.T
    base = (age.clamp(min=0) * fade) @ weight.T  # both [N, E, outputs]
    width = torch.cat([torch.diff(start, dim=1) / tau, torch.full_like(start[:, :1], math.inf)], 1)
    following = torch.cat([arrived[:, 1:], torch.zeros_like(arrived[:, :1])], 1)
    width = torch.where(following, width, math.inf)[:, :, None]
    peak = torch.where(rise > 0, 1 - base / rise.clamp(min=torch.finfo(rise.dtype).tiny), 0.0)
    high = torch.minimum(peak.clamp(min=0), width)
    reached = ((base + rise * high) * torch.exp(-high) >= threshold) & arrived[:, :, None]
    first = reached.to(torch.uint8).argmax(1, keepdim=True)
    base, rise, high = (part.gather(1, first).squeeze(1) for part in (base, rise, high))
    # From an input spike to its peak the potential is concave, so Newton's tangents, which lie above it, come
    # to the threshold from the left and never pass it.
    found = torch.zeros_like(high)
    for _ in range(100):
        fading = torch.exp(-found)
        gap = threshold - (base + rise * found) * fading
        ahead = torch.minimum(found + gap / ((rise - base - rise * found) * fading), high)
        ahead = torch.where((gap > 0) & (ahead > found), ahead, found)
        if torch.equal(ahead, found):
            break
        found = ahead
    return torch.where(reached.any(1), start.gather(1, first.squeeze(1)) + tau * found, math.inf)


class SpikeProp(nn.Module):
    """One layer of spike response neurons, input times ``[N, inputs]`` to firing times ``[N, outputs]``.

    Every connection consists of one synapse for each delay, with a weight of its own.  Weights are drawn
    uniformly, so that the mean potential at its peak is about ``1.5 * threshold`` when all inputs arrive together.

    Args:
        inputs: number of input neurons.
        outputs: number of output neurons.
        tau: time constant of the kernel.
        threshold: firing threshold.
        delays: delays of the synapses of each connection, in the unit of ``tau``.
        min_slope: guard of the gradient, see :func:`firing_time`.
        generator: source of randomness of the weights.

    Raises:
        ValueError: if a number is not positive or a delay is negative.

    Source: Bohte et al., Neurocomputing 2002.
    """

    delays: Tensor

    def __init__(
        self,
        inputs: int,
        outputs: int,
        *,
        tau: float = 1.0,
        threshold: float = 1.0,
        delays: Sequence[float] = (0.0,),
        min_slope: float = 1e-2,
        generator: torch.Generator | None = None,
    ) -> None:
        super().__init__()
        require_steps(inputs, "inputs")
        require_steps(outputs, "outputs")
        if not delays or not all(0 <= delay < math.inf for delay in delays):
            raise ValueError(
                f"delays must hold at least one finite number, none negative; got {list(delays)}"
            )
        self.tau, self.threshold, self.min_slope = tau, threshold, min_slope
        self.register_buffer("delays", torch.tensor(delays, dtype=torch.float64))
        fan_in = inputs * len(delays)
        draws = torch.rand(outputs, fan_in, dtype=torch.float64, generator=generator)
        self.weight = nn.Parameter(draws * (3 * threshold / fan_in))

    def forward(self, times: Tensor) -> Tensor:
        delayed = (times[:, :, None] + self.delays).flatten(1).to(self.weight.dtype)
        return firing_time(
            self.weight, delayed, tau=self.tau, threshold=self.threshold, min_slope=self.min_slope
        )


def spikeprop_network(
    sizes: Sequence[int],
    *,
    tau: float = 1.0,
    threshold: float = 1.0,
    delays: Sequence[float] = (0.0,),
    min_slope: float = 1e-2,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """Layers of :class:`SpikeProp` in a row, in float64.

    Args:
        sizes: numbers of neurons, from the inputs to the outputs; at least two.
        tau: time constant of every layer.
        threshold: threshold of every layer.
        delays: synaptic delays of every layer.
        min_slope: guard of the gradient.
        generator: source of randomness of the weights.

    Returns:
        A module from times ``[N, sizes[0]]`` to times ``[N, sizes[-1]]``.

    Raises:
        ValueError: if there are fewer than two sizes.

    Source: Bohte et al., Neurocomputing 2002.
    """
    if len(sizes) < 2:
        raise ValueError(f"sizes must name at least the inputs and the outputs; got {list(sizes)}")
    return nn.Sequential(
        *(
            SpikeProp(
                before,
                after,
                tau=tau,
                threshold=threshold,
                delays=delays,
                min_slope=min_slope,
                generator=generator,
            )
            for before, after in pairwise(sizes)
        )
    )


class Fit(NamedTuple):
    """Course of :func:`fit_times`: ``losses`` and ``silent`` (number of silent neurons), one entry an epoch."""

    losses: list[float]
    silent: list[int]


def fit_times(
    network: nn.Sequential,
    inputs: Tensor,
    loss: Callable[[Tensor], Tensor],
    *,
    epochs: int,
    rate: float = 1e-2,
    wake: float = 0.0,
    progress: bool = False,
) -> Fit:
    """Train a network of :class:`SpikeProp` layers on one batch with Adam.  Changes its weights in place.

    Args:
        network: from :func:`spikeprop_network`.
        inputs: input times ``[N, sizes[0]]``.
        loss: firing times ``[N, outputs]`` to a scalar, for instance
            ``lambda times: latency_mse(times, targets, silent_time=20.0)``.
        epochs: number of passes over the batch.
        rate: learning rate.
        wake: what :func:`wake_silent` adds to the weights of neurons silent on the whole batch (0: nothing).
        progress: show a progress bar.

    Returns:
        Losses before each update, and how many neurons were silent on the whole batch.

    Raises:
        TypeError: if the network holds another kind of layer.
        ValueError: if ``epochs < 1``, ``rate`` is not positive or ``wake`` is negative.

    Source: Bohte et al., Neurocomputing 2002, with Adam for plain gradient descent.
    """
    require_steps(epochs, "epochs")
    require_positive("rate", rate)
    if not wake >= 0:
        raise ValueError(f"wake must not be negative; got {wake}")
    layers = [layer for layer in network if isinstance(layer, SpikeProp)]
    if len(layers) < len(network):
        kinds = ", ".join(type(layer).__name__ for layer in network)
        raise TypeError(f"network must hold SpikeProp layers only; its layers are {kinds}")
    optimiser = torch.optim.Adam(network.parameters(), lr=rate)
    losses, silent = [], []
    for _ in tqdm(range(epochs), desc="SpikeProp", disable=not progress):
        optimiser.zero_grad()
        times, number = inputs, 0
        outcomes = []
        for layer in layers:
            times = layer(times)
            outcomes.append((layer, times.detach()))
        value = loss(times)
        torch.autograd.backward(value)
        optimiser.step()
        for layer, fired in outcomes:
            number += wake_silent(layer, fired, wake)
        losses.append(float(value.detach()))
        silent.append(number)
    return Fit(losses, silent)


@torch.no_grad()
def wake_silent(layer: SpikeProp, times: Tensor, amount: float) -> int:
    """Add ``amount`` to all weights of neurons that no pattern made fire; they have no gradient to learn from.

    ``times`` ``[N, outputs]`` are the layer's firing times. Returns how many neurons were silent; an
    ``amount`` of 0 only counts them. A heuristic: SpikeProp itself is undefined for silent neurons.

    Raises:
        ValueError: if ``times`` does not fit the layer.
    """
    require_shape("times", times, ["N", layer.weight.shape[0]])
    dead = torch.isinf(times).all(0)
    layer.weight[dead] += amount
    return int(dead.sum())


def _require_layer(weight: Tensor, inputs: Tensor) -> None:
    require_float("weight", weight)
    require_float("inputs", inputs)
    require_shape("weight", weight, ["outputs", "inputs"])
    require_shape("inputs", inputs, ["N", weight.shape[1]])
