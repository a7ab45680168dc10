"""Spike-timing-dependent plasticity (STDP): by pairs of spikes, and on line by traces.

Convention: ``pre`` is ``[T, N, inputs]``, ``post`` is ``[T, N, outputs]``, weights are ``[outputs, inputs]`` as
in ``torch.nn.Linear``.  With ``gap = t_post - t_pre`` a pair changes the weight by

    a_plus exp(-gap/tau_plus)  if gap > 0,     -a_minus exp(gap/tau_minus)  if gap < 0,     0  if gap = 0.

Changes are summed over time and batch.  SpikingJelly's step functions differ in two ways: their traces decay by
``1 - 1/tau`` per step instead of ``exp(-1/tau)``, and they add the spikes of a step to the traces before
using them, so that a coincident pair counts with ``a_plus - a_minus``.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor

from snnkit._validate import require_float, require_positive, require_shape
from snnkit.dynamics import exact_decay

__all__ = ["STDP", "Traces", "all_to_all", "learn_online", "nearest_neighbour", "online", "online_step"]


@dataclass(frozen=True)
class STDP:
    """The learning window; calling it on ``gap = t_post - t_pre`` gives the change of the weight.

    Args:
        a_plus: size of potentiation (pre before post), not negative.
        a_minus: size of depression (post before pre), not negative.
        tau_plus: time constant of potentiation, in the unit of ``dt``.
        tau_minus: time constant of depression.
        dt: length of a time step.

    Raises:
        ValueError: if a size is negative or a time is not positive.

    Source: Bi and Poo, Journal of Neuroscience 1998; Song et al., Nature Neuroscience 2000.
    """

    a_plus: float = 1.0
    a_minus: float = 1.0
    tau_plus: float = 20.0
    tau_minus: float = 20.0
    dt: float = 1.0

    def __post_init__(self) -> None:
        for name in ("tau_plus", "tau_minus", "dt"):
            require_positive(name, getattr(self, name))
        for name in ("a_plus", "a_minus"):
            if not getattr(self, name) >= 0:
                raise ValueError(
                    f"{name} must not be negative (its sign is in the rule); got {getattr(self, name)}"
                )

    def __call__(self, gap: Tensor) -> Tensor:
        later = self.a_plus * torch.exp(-gap.clamp(min=0) / self.tau_plus)
        earlier = -self.a_minus * torch.exp(gap.clamp(max=0) / self.tau_minus)
        return torch.where(gap > 0, later, torch.where(gap < 0, earlier, 0.0))


class Traces(NamedTuple):
    """Decaying memory of past spikes: ``pre`` ``[N, inputs]`` and ``post`` ``[N, outputs]``."""

    pre: Tensor
    post: Tensor


def all_to_all(rule: STDP, pre: Tensor, post: Tensor) -> Tensor:
    """Change of the weights when every pre spike pairs with every post spike.

    Args:
        rule: the learning window.
        pre: input spikes ``[T, N, inputs]``, floating point.
        post: output spikes ``[T, N, outputs]``.

    Returns:
        ``[outputs, inputs]``.

    Raises:
        TypeError: if a train is not floating point.
        ValueError: if shapes do not fit.

    Source: Morrison et al., Biological Cybernetics 2008, all-to-all pairing.
    """
    _require_pair(pre, post)
    clock = torch.arange(pre.shape[0], dtype=pre.dtype, device=pre.device) * rule.dt
    window = rule(clock[:, None] - clock[None, :])
    return torch.einsum("tno,tni->oi", post, torch.einsum("ts,sni->tni", window, pre))


def nearest_neighbour(rule: STDP, pre: Tensor, post: Tensor) -> Tensor:
    """Change of the weights when a spike pairs only with the last earlier spike of the other side.

    Each post spike is potentiated by the last earlier pre spike; each pre spike is depressed by the last
    earlier post spike (the symmetric scheme). Arguments, result and errors as in :func:`all_to_all`.

    Source: Morrison et al., Biological Cybernetics 2008, symmetric nearest-neighbour pairing.
    """
    _require_pair(pre, post)
    since_pre, since_post = _time_since(pre, rule.dt), _time_since(post, rule.dt)
    potentiation = torch.einsum("tno,tni->oi", post, rule(since_pre))
    depression = torch.einsum("tno,tni->oi", rule(-since_post), pre)
    return potentiation + depression


def online_step(rule: STDP, traces: Traces, pre: Tensor, post: Tensor) -> tuple[Tensor, Traces]:
    """One step of on-line STDP: traces decay, weights change, spikes join the traces.

    Args:
        rule: the learning window.
        traces: traces after the step before (zeros at the start).
        pre: input spikes of this step ``[N, inputs]``.
        post: output spikes of this step ``[N, outputs]``.

    Returns:
        The change of the weights ``[outputs, inputs]`` and the new traces.

    Raises:
        ValueError: if the traces do not fit the spikes.

    Source: Morrison et al., Biological Cybernetics 2008, implementation by local variables.
    """
    require_shape("traces.pre", traces.pre, pre.shape)
    require_shape("traces.post", traces.post, post.shape)
    pre_trace = traces.pre * exact_decay(rule.dt, rule.tau_plus)
    post_trace = traces.post * exact_decay(rule.dt, rule.tau_minus)
    change = rule.a_plus * post.T @ pre_trace - rule.a_minus * post_trace.T @ pre
    return change, Traces(pre_trace + pre, post_trace + post)


def online(rule: STDP, pre: Tensor, post: Tensor) -> Tensor:
    """On-line STDP over whole trains; equal to :func:`all_to_all`, in memory that does not grow with T.

    Source: Morrison et al., Biological Cybernetics 2008, implementation by local variables.
    """
    _require_pair(pre, post)
    traces = Traces(torch.zeros_like(pre[0]), torch.zeros_like(post[0]))
    total = pre.new_zeros(post.shape[2], pre.shape[2])
    for pre_now, post_now in zip(pre, post, strict=True):
        change, traces = online_step(rule, traces, pre_now, post_now)
        total = total + change
    return total


def learn_online(
    rule: STDP,
    weight: Tensor,
    pre: Tensor,
    step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]],
    *,
    low: float = 0.0,
    high: float = 1.0,
) -> tuple[Tensor, Tensor]:
    """Let a layer fire and learn at the same time, with hard bounds on its weights.

    Args:
        rule: the learning window; its sizes are the learning rates.
        weight: weights before learning ``[outputs, inputs]``; not modified.
        pre: input spikes ``[T, N, inputs]``, floating point.
        step: ``(v, x) -> (spike, v)``, for instance ``partial(lif_step, decay=0.9)``.
        low: smallest weight allowed.
        high: largest weight allowed.

    Returns:
        The weights after learning and the output spikes ``[T, N, outputs]``.

    Raises:
        TypeError: if ``pre`` is not floating point.
        ValueError: if shapes do not fit or ``low >= high``.

    Source: Song et al., Nature Neuroscience 2000 (hard bounds).
    """
    require_float("pre", pre)
    require_shape("weight", weight, ["outputs", "inputs"])
    require_shape("pre", pre, ["T", "N", weight.shape[1]])
    if not low < high:
        raise ValueError(f"low must lie below high; got low={low}, high={high}")
    v = pre.new_zeros(pre.shape[1], weight.shape[0])
    traces = Traces(torch.zeros_like(pre[0]), torch.zeros_like(v))
    spikes = []
    for pre_now in pre:
        spike, v = step(v, pre_now @ weight.T)
        change, traces = online_step(rule, traces, pre_now, spike)
        weight = (weight + change).clamp(low, high)
        spikes.append(spike)
    return weight, torch.stack(spikes)


def _require_pair(pre: Tensor, post: Tensor) -> None:
    require_float("pre", pre)
    require_float("post", post)
    require_shape("pre", pre, ["T", "N", "inputs"])
    require_shape("post", post, [*pre.shape[:2], "outputs"])
    if pre.shape[0] == 0:
        raise ValueError("pre and post must have at least one time step; got T = 0")


def _time_since(spikes: Tensor, dt: float) -> Tensor:
    """Time since the last spike at an earlier step; infinity before there is one."""
    clock = torch.arange(len(spikes), dtype=spikes.dtype, device=spikes.device).reshape(-1, 1, 1)
    last = torch.where(spikes > 0, clock, -torch.inf).cummax(0).values
    earlier = torch.cat([torch.full_like(last[:1], -torch.inf), last[:-1]])
    return (clock - earlier) * dt
