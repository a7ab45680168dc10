"""Losses on spike trains and spike times.

Convention: rate losses take spikes ``[T, N, classes]``; latency losses take times ``[N, classes]``, which are
those of ``snnkit.spiketime`` or of :func:`latency_steps`.  All are averaged over the batch and differentiable.
"""

from __future__ import annotations

import torch
import torch.nn.functional as F
from torch import Tensor

from snnkit._validate import require_float, require_in, require_positive, require_shape

__all__ = [
    "class_rates",
    "count_cross_entropy",
    "latency_cross_entropy",
    "latency_mse",
    "latency_steps",
    "rate_mse",
]


def count_cross_entropy(spikes: Tensor, labels: Tensor) -> Tensor:
    """Cross entropy of the softmax over the counts of spikes ``[T, N, classes]``, for labels ``[N]`` (int64).

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if a shape does not fit.

    Source: Eshraghian et al., Proceedings of the IEEE 2023, cross-entropy spike count loss.
    """
    _require_spikes(spikes)
    require_shape("labels", labels, [spikes.shape[1]])
    return F.cross_entropy(spikes.sum(0), labels)


def class_rates(labels: Tensor, classes: int, *, correct: float = 1.0, incorrect: float = 0.0) -> Tensor:
    """Target rates ``[N, classes]`` for :func:`rate_mse`: one for the labelled class, one for all others.

    Raises:
        ValueError: if a rate leaves [0, 1].
        RuntimeError: if a label is not below ``classes`` (from torch).

    Source: Eshraghian et al., Proceedings of the IEEE 2023, mean square spike rate loss.
    """
    require_in("correct", correct, 0.0, 1.0)
    require_in("incorrect", incorrect, 0.0, 1.0)
    chosen = F.one_hot(labels, classes).to(torch.get_default_dtype())
    return incorrect + (correct - incorrect) * chosen


def rate_mse(spikes: Tensor, rates: Tensor) -> Tensor:
    """Mean squared difference of the firing rates of ``[T, N, classes]`` and target rates ``[N, classes]``.

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if a shape does not fit.

    Source: Eshraghian et al., Proceedings of the IEEE 2023, mean square spike rate loss.
    """
    _require_spikes(spikes)
    require_shape("rates", rates, spikes.shape[1:])
    return F.mse_loss(spikes.mean(0), rates.to(spikes.dtype))


def latency_steps(spikes: Tensor) -> Tensor:
    """Silent steps before the first spike of ``[T, ...]``, as a differentiable function of the spikes.

    It is the sum over t of ``prod_{u <= t} (1 - s(u))``: for spikes 0 or 1 the index of the first spike, and
    T (a finite stand-in for infinity) if there is none.  Gradients reach the first spike and the steps before.

    Raises:
        TypeError: if ``spikes`` is not floating point.
        ValueError: if there is no time step.
    """
    require_float("spikes", spikes)
    if spikes.dim() == 0 or spikes.shape[0] == 0:
        raise ValueError(f"spikes must be [T, ...] with T >= 1; got shape {list(spikes.shape)}")
    return (1 - spikes).cumprod(0).sum(0)


def latency_cross_entropy(times: Tensor, labels: Tensor, *, silent_time: float) -> Tensor:
    """Cross entropy of the softmax over negative spike times: the labelled class should fire first.

    Args:
        times: first spike times ``[N, classes]``, floating point; infinity for a silent neuron.
        labels: class indices ``[N]``, int64.
        silent_time: time that stands for a later or missing spike, the end of the window; no gradient there.

    Returns:
        A scalar.

    Raises:
        TypeError: if ``times`` is not floating point.
        ValueError: if a shape does not fit or ``silent_time`` is not positive.

    Source: Eshraghian et al., Proceedings of the IEEE 2023, cross-entropy latency loss.
    """
    times = _finite_times(times, silent_time)
    require_shape("labels", labels, [times.shape[0]])
    return F.cross_entropy(-times, labels)


def latency_mse(times: Tensor, targets: Tensor, *, silent_time: float) -> Tensor:
    """Mean squared difference between spike times and finite target times, both ``[N, classes]``.

    Arguments and errors as in :func:`latency_cross_entropy`.

    Source: Bohte et al., Neurocomputing 2002, error function (there half the sum of squares).
    """
    times = _finite_times(times, silent_time)
    require_shape("targets", targets, times.shape)
    return F.mse_loss(times, targets.to(times.dtype))


def _require_spikes(spikes: Tensor) -> None:
    require_float("spikes", spikes)
    require_shape("spikes", spikes, ["T", "N", "classes"])


def _finite_times(times: Tensor, silent_time: float) -> Tensor:
    require_float("times", times)
    require_shape("times", times, ["N", "classes"])
    require_positive("silent_time", silent_time)
    return torch.where(times < silent_time, times, silent_time)
