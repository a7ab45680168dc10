"""Losses against NumPy and finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnkit.encoding import spikes_to_times
from snnkit.losses import (
    class_rates,
    count_cross_entropy,
    latency_cross_entropy,
    latency_mse,
    latency_steps,
    rate_mse,
)

seeds = st.integers(0, 2**31)


def train(seed: int, steps: int = 9, density: float = 0.3) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(steps, 4, 3, generator=generator) < density).double()


def labels(seed: int) -> Tensor:
    return torch.randint(0, 3, (4,), generator=torch.Generator().manual_seed(seed + 1))


def numpy_cross_entropy(scores: np.ndarray, classes: np.ndarray) -> float:
    log_sum = np.log(np.exp(scores).sum(1))
    return float((log_sum - scores[np.arange(len(classes)), classes]).mean())


@given(seed=seeds)
def test_rate_losses_against_numpy(seed: int) -> None:
    spikes, classes = train(seed), labels(seed)
    expected = numpy_cross_entropy(spikes.sum(0).numpy(), classes.numpy())
    assert count_cross_entropy(spikes, classes).item() == pytest.approx(expected, rel=1e-12)
    rates = class_rates(classes, 3, correct=0.8, incorrect=0.1)
    wanted = np.where(np.eye(3)[classes.numpy()] > 0, np.float32(0.8), np.float32(0.1))
    np.testing.assert_allclose(rates.numpy(), wanted, rtol=1e-6)
    expected = float(((spikes.numpy().mean(0) - rates.numpy()) ** 2).mean())
    assert rate_mse(spikes, rates).item() == pytest.approx(expected, rel=1e-12)


@given(seed=seeds, density=st.sampled_from([0.0, 0.1, 0.5, 1.0]))
def test_latency_steps_is_the_first_spike_or_the_end(seed: int, density: float) -> None:
    spikes = train(seed, density=density)
    assert torch.equal(latency_steps(spikes), spikes_to_times(spikes).clamp(max=9))


def test_latency_steps_reaches_the_first_spike_and_the_steps_before_it() -> None:
    spikes = torch.tensor([0.0, 0, 1, 0, 1], dtype=torch.float64, requires_grad=True)
    latency_steps(spikes).backward()
    # A spike at step 0 or 1 would bring the latency down from 2 to 0 or 1; losing the one at 2 moves it to 4.
    torch.testing.assert_close(spikes.grad, torch.tensor([-2.0, -1, -2, 0, 0], dtype=torch.float64))


@given(seed=seeds)
def test_latency_losses_against_numpy(seed: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    times = 12 * torch.rand(4, 3, generator=generator, dtype=torch.float64)
    times[torch.rand(4, 3, generator=generator) < 0.2] = math.inf
    targets = 10 * torch.rand(4, 3, generator=generator, dtype=torch.float64)
    clipped = np.minimum(times.numpy(), 10.0)
    expected = numpy_cross_entropy(-clipped, labels(seed).numpy())
    assert latency_cross_entropy(times, labels(seed), silent_time=10.0).item() == pytest.approx(expected)
    expected = float(((clipped - targets.numpy()) ** 2).mean())
    assert latency_mse(times, targets, silent_time=10.0).item() == pytest.approx(expected)


def test_losses_pass_gradcheck_on_soft_spikes() -> None:
    generator = torch.Generator().manual_seed(0)
    soft = torch.rand(5, 4, 3, generator=generator, dtype=torch.float64, requires_grad=True)
    times = (10 * torch.rand(4, 3, generator=generator, dtype=torch.float64)).requires_grad_()
    classes, targets = labels(0), torch.full((4, 3), 3.0, dtype=torch.float64)
    rates = class_rates(classes, 3)
    assert torch.autograd.gradcheck(lambda s: count_cross_entropy(s, classes), soft)
    assert torch.autograd.gradcheck(lambda s: rate_mse(s, rates), soft)
    assert torch.autograd.gradcheck(latency_steps, soft)
    assert torch.autograd.gradcheck(lambda t: latency_cross_entropy(t, classes, silent_time=20.0), times)
    assert torch.autograd.gradcheck(lambda t: latency_mse(t, targets, silent_time=20.0), times)


def test_silent_neurons_give_finite_losses_and_no_gradient() -> None:
    times = torch.tensor([[math.inf, 2.0], [30.0, math.inf]], dtype=torch.float64, requires_grad=True)
    loss = latency_cross_entropy(times, torch.tensor([0, 1]), silent_time=20.0) + latency_mse(
        times, torch.ones(2, 2), silent_time=20.0
    )
    loss.backward()
    assert torch.isfinite(loss)
    assert times.grad is not None
    assert torch.equal(times.grad != 0, torch.tensor([[False, True], [False, False]]))


def test_lower_loss_means_earlier_or_more() -> None:
    target = torch.tensor([0])
    early, late = torch.tensor([[1.0, 5.0]]), torch.tensor([[5.0, 1.0]])
    assert latency_cross_entropy(early, target, silent_time=9.0) < latency_cross_entropy(
        late, target, silent_time=9.0
    )
    many, few = torch.tensor([[[1.0, 0]], [[1, 0]]]), torch.tensor([[[0.0, 1]], [[1, 0]]])
    assert count_cross_entropy(many, target) < count_cross_entropy(few, target)


def test_bad_input() -> None:
    spikes, classes = train(0), labels(0)
    with pytest.raises(ValueError, match=r"\[T, N, classes\]; got \[4, 3\]"):
        count_cross_entropy(spikes[0], classes)
    with pytest.raises(ValueError, match=r"labels must have shape \[4\]"):
        count_cross_entropy(spikes, classes[:2])
    with pytest.raises(ValueError, match=r"rates must have shape \[4, 3\]"):
        rate_mse(spikes, torch.zeros(3))
    with pytest.raises(ValueError, match="correct"):
        class_rates(classes, 3, correct=1.5)
    with pytest.raises(TypeError, match="int64"):
        latency_steps(torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="T >= 1"):
        latency_steps(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="silent_time"):
        latency_mse(torch.zeros(4, 3), torch.zeros(4, 3), silent_time=0.0)
    with pytest.raises(ValueError, match="targets"):
        latency_mse(torch.zeros(4, 3), torch.zeros(4), silent_time=1.0)
