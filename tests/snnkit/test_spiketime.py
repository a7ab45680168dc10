"""Spike response neurons against a dense time grid, SpikeProp's gradient against finite differences."""

from __future__ import annotations

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnkit.losses import latency_mse
from snnkit.spiketime import (
    SpikeProp,
    firing_time,
    fit_times,
    kernel,
    kernel_slope,
    potential,
    spikeprop_network,
    wake_silent,
)

seeds = st.integers(0, 2**31)


def layer_of(seed: int, batch: int = 3, inputs: int = 5, outputs: int = 4) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(outputs, inputs, generator=generator, dtype=torch.float64) + 0.4
    times = 4 * torch.rand(batch, inputs, generator=generator, dtype=torch.float64)
    times[torch.rand(batch, inputs, generator=generator) < 0.2] = math.inf
    return weight, times


# --- the kernel


def test_kernel_by_hand() -> None:
    s = torch.tensor([-math.inf, -1.0, 0.0, 2.0, 4.0], dtype=torch.float64)
    expected = torch.tensor([0, 0, 0, 1, 2 / math.e], dtype=torch.float64)
    torch.testing.assert_close(kernel(s, 2.0), expected)
    fine = torch.linspace(0, 20, 20001, dtype=torch.float64)
    assert fine[kernel(fine, 2.0).argmax()] == 2
    # Its area is e tau.
    assert torch.trapezoid(kernel(fine * 10, 2.0), fine * 10).item() == pytest.approx(2 * math.e, rel=1e-4)


def test_kernel_slope_is_the_derivative() -> None:
    s = torch.linspace(0.01, 30, 500, dtype=torch.float64, requires_grad=True)
    (slope,) = torch.autograd.grad(kernel(s, 3.0).sum(), s)
    torch.testing.assert_close(kernel_slope(s.detach(), 3.0), slope)
    assert kernel_slope(torch.tensor([-1.0, 0.0, 3.0]), 3.0).tolist() == pytest.approx([0, math.e / 3, 0])


@given(seed=seeds, tau=st.floats(0.3, 5))
def test_potential_against_a_loop(seed: int, tau: float) -> None:
    weight, inputs = layer_of(seed)
    clock = np.array([0.5, 2.0, 5.0])
    result = potential(torch.from_numpy(clock), weight, inputs, tau=tau)
    for m, now in enumerate(clock):
        for n in range(3):
            for o in range(4):
                total = 0.0
                for w, f in zip(weight[o].tolist(), inputs[n].tolist(), strict=True):
                    if now > f:
                        total += w * (now - f) / tau * math.exp(1 - (now - f) / tau)
                assert result[m, n, o].item() == pytest.approx(total, abs=1e-12)


# --- the firing time


@given(seed=seeds, tau=st.floats(0.3, 5), threshold=st.sampled_from([0.3, 1.0, 2.0]))
def test_firing_time_is_the_first_crossing(seed: int, tau: float, threshold: float) -> None:
    weight, inputs = layer_of(seed)
    times = firing_time(weight, inputs, tau=tau, threshold=threshold)
    clock = torch.linspace(0, 4 + 8 * tau, 4001, dtype=torch.float64)
    grid = potential(clock, weight, inputs, tau=tau)
    before = clock[:, None, None] < times
    assert (torch.where(before, grid, -math.inf) < threshold).all()
    for n, o in torch.isfinite(times).nonzero().tolist():
        there = potential(times[n, o : o + 1], weight, inputs, tau=tau)[0, n, o]
        assert there.item() == pytest.approx(threshold, abs=1e-11)


def test_firing_time_of_one_input_by_hand() -> None:
    # With w = e/2 the potential is 1 where s exp(-s) = 2/e^2: at s = 2, falling, and once before, rising.
    weight = torch.tensor([[math.e / 2]], dtype=torch.float64)
    time = firing_time(weight, torch.tensor([[3.0]], dtype=torch.float64), tau=1.0).item()
    s = time - 3.0
    assert s * math.exp(1 - s) * math.e / 2 == pytest.approx(1, abs=1e-14)
    assert 0 < s < 1


def test_a_potential_that_touches_its_threshold_fires_at_the_peak() -> None:
    inputs = torch.tensor([[2.0]], dtype=torch.float64)
    assert firing_time(torch.ones(1, 1, dtype=torch.float64), inputs, tau=0.5).item() == pytest.approx(
        2.5, abs=1e-7
    )
    below = torch.full((1, 1), 1 - 1e-12, dtype=torch.float64)
    assert firing_time(below, inputs, tau=0.5).item() == math.inf


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_the_root_is_refined_to_the_last_bits(dtype: torch.dtype) -> None:
    weight, inputs = (part.to(dtype) for part in layer_of(11))
    inputs = inputs.clamp(max=4.0)
    times = firing_time(weight.abs() + 0.5, inputs, tau=1.0)
    u = kernel(times.double()[:, :, None] - inputs.double()[:, None, :], 1.0) * (weight.abs() + 0.5).double()
    assert times.dtype == dtype
    assert (u.sum(-1) - 1).abs().max() < 100 * torch.finfo(dtype).eps


def test_silence_and_no_input() -> None:
    weight = torch.tensor([[2.0, 2.0], [-2.0, -2.0]], dtype=torch.float64)
    inputs = torch.tensor([[math.inf, math.inf], [math.inf, 1.0]], dtype=torch.float64)
    fired = torch.isfinite(firing_time(weight, inputs, tau=1.0))
    assert fired.tolist() == [[False, False], [True, False]]


def test_equal_and_very_distant_input_times() -> None:
    weight = torch.tensor([[0.6, 0.6]], dtype=torch.float64)
    together = firing_time(weight, torch.tensor([[1.0, 1.0]], dtype=torch.float64), tau=1.0)
    single = firing_time(weight.sum(1, keepdim=True), torch.tensor([[1.0]], dtype=torch.float64), tau=1.0)
    torch.testing.assert_close(together, single)
    apart = torch.tensor([[0.0, 5000.0]], dtype=torch.float64)
    late = firing_time(torch.tensor([[0.6, 1.2]], dtype=torch.float64), apart, tau=1.0)
    torch.testing.assert_close(late - 5000, single - 1, rtol=0, atol=1e-9)


# --- the gradient


def central_difference(weight: Tensor, inputs: Tensor, which: Tensor, column: int, tau: float) -> Tensor:
    """Derivative of all firing times by a shift of one column, which reaches each time by one entry only."""
    values = []
    for sign in (1, -2):
        which[:, column] += sign * 1e-7
        values.append(firing_time(weight, inputs, tau=tau))
    which[:, column] += 1e-7
    return (values[0] - values[1]) / 2e-7


def slope_at(weight: Tensor, inputs: Tensor, times: Tensor, tau: float) -> Tensor:
    elapsed = torch.where(torch.isfinite(times), times, 0)[:, :, None] - inputs[:, None, :]
    return (weight * kernel_slope(elapsed, tau)).sum(-1)


@given(seed=seeds, tau=st.floats(0.5, 3))
def test_gradient_against_central_differences(seed: int, tau: float) -> None:
    weight, inputs = layer_of(seed)
    weight.requires_grad_()
    inputs.requires_grad_()
    times = firing_time(weight, inputs, tau=tau, min_slope=1e-9)
    # Away from grazing and from input spikes next to the output spike the time is smooth.
    gaps = (times.detach()[:, :, None] - inputs.detach()[:, None, :]).abs().amin(-1)
    slope = slope_at(weight.detach(), inputs.detach(), times.detach(), tau)
    smooth = torch.isfinite(times.detach()) & (slope > 0.2) & (gaps > 1e-3)
    by_weight, by_input = torch.autograd.grad(times[smooth].sum(), (weight, inputs))
    w, f = weight.detach().clone(), inputs.detach().clone()
    for i in range(5):
        numeric = torch.where(smooth, central_difference(w, f, w, i, tau), 0)
        torch.testing.assert_close(by_weight[:, i], numeric.sum(0), rtol=1e-4, atol=1e-5)
        numeric = torch.where(
            smooth & torch.isfinite(f[:, i : i + 1]), central_difference(w, f, f, i, tau), 0
        )
        torch.testing.assert_close(by_input[:, i], numeric.sum(1), rtol=1e-4, atol=1e-5)


def test_the_sign_more_weight_means_an_earlier_spike() -> None:
    weight = torch.tensor([[1.5, 1.5]], dtype=torch.float64, requires_grad=True)
    inputs = torch.tensor([[0.0, 0.5]], dtype=torch.float64, requires_grad=True)
    firing_time(weight, inputs, tau=2.0).backward(torch.ones(1, 1, dtype=torch.float64))
    assert weight.grad is not None
    assert inputs.grad is not None
    assert (weight.grad < 0).all()
    # A shift of all inputs shifts the output by the same amount.
    assert inputs.grad.sum().item() == pytest.approx(1, abs=1e-12)


def test_the_guard_bounds_the_gradient_of_a_grazing_neuron() -> None:
    inputs = torch.zeros(1, 1, dtype=torch.float64)
    for guard in (1e-1, 1e-3):
        weight = torch.ones(1, 1, dtype=torch.float64, requires_grad=True)  # touches its threshold, slope 0
        firing_time(weight, inputs, tau=1.0, min_slope=guard).sum().backward()
        assert weight.grad is not None
        assert weight.grad.item() == pytest.approx(-1 / guard, rel=1e-6)
    steep = torch.full((1, 1), 5.0, dtype=torch.float64)
    gradients = []
    for guard in (1e-1, 1e-9):
        weight = steep.clone().requires_grad_()
        firing_time(weight, inputs, tau=1.0, min_slope=guard).sum().backward()
        gradients.append(weight.grad)
    assert torch.equal(*gradients)


def test_a_silent_neuron_has_no_gradient() -> None:
    weight = torch.tensor([[0.5], [3.0]], dtype=torch.float64, requires_grad=True)
    times = firing_time(weight, torch.zeros(1, 1, dtype=torch.float64), tau=1.0)
    latency_mse(times, torch.ones(1, 2), silent_time=10.0).backward()
    assert weight.grad is not None
    assert weight.grad[0] == 0
    assert weight.grad[1] != 0


# --- networks


def test_gradient_through_two_layers_against_central_differences() -> None:
    network = spikeprop_network([3, 4, 2], delays=[0.0, 0.5], generator=torch.Generator().manual_seed(0))
    inputs = torch.tensor([[0.0, 0.3, 0.9], [0.7, 0.0, 0.2]], dtype=torch.float64)
    targets = torch.tensor([[2.0, 3.0], [2.5, 2.0]], dtype=torch.float64)
    with torch.no_grad():
        for parameter in network.parameters():
            parameter *= 2

    def loss() -> Tensor:
        return latency_mse(network(inputs), targets, silent_time=20.0)

    network.zero_grad()
    value = loss()
    value.backward()
    assert torch.isfinite(network(inputs)).all()
    for parameter in network.parameters():
        gradient = parameter.grad
        assert gradient is not None
        for place in [(0, 0), (1, 3), (parameter.shape[0] - 1, parameter.shape[1] - 1)]:
            values = []
            with torch.no_grad():
                for sign in (1, -2):
                    parameter[place] += sign * 1e-6
                    values.append(loss().item())
                parameter[place] += 1e-6
            assert gradient[place].item() == pytest.approx((values[0] - values[1]) / 2e-6, rel=1e-5, abs=1e-8)


def test_delays_are_inputs_that_come_later() -> None:
    layer = SpikeProp(2, 3, tau=1.5, delays=[0.0, 1.0], generator=torch.Generator().manual_seed(1))
    times = torch.tensor([[0.0, 0.4]], dtype=torch.float64)
    expanded = torch.tensor([[0.0, 1.0, 0.4, 1.4]], dtype=torch.float64)
    assert torch.equal(layer(times), firing_time(layer.weight, expanded, tau=1.5))


@pytest.mark.slow
def test_spikeprop_learns_exclusive_or_in_times() -> None:
    # A reference spike at 0; 0 or 6 for false or true; 10 for true at the output and 16 for false.
    inputs = torch.tensor([[0.0, 0, 0], [0, 0, 6], [0, 6, 0], [0, 6, 6]], dtype=torch.float64)
    targets = torch.tensor([[16.0], [10], [10], [16]], dtype=torch.float64)
    network = spikeprop_network(
        [3, 5, 1], tau=7.0, delays=range(1, 17), generator=torch.Generator().manual_seed(1)
    )
    fit = fit_times(
        network,
        inputs,
        lambda times: latency_mse(times, targets, silent_time=40.0),
        epochs=450,
        rate=2e-2,
        wake=1e-2,
    )
    assert len(fit.losses) == len(fit.silent) == 450
    # 9 is the loss of an output that always fires half way.
    assert fit.losses[0] > 9
    assert fit.losses[-1] < 0.5
    assert ((network(inputs) < 13) == (targets < 13)).all()


def test_waking_rescues_a_silent_network() -> None:
    inputs, targets = torch.zeros(1, 2, dtype=torch.float64), torch.tensor([[1.0]], dtype=torch.float64)

    def train(wake: float) -> list[float]:
        network = spikeprop_network([2, 1], tau=2.0, generator=torch.Generator().manual_seed(0))
        with torch.no_grad():
            next(network.parameters()).fill_(0.1)
        fit = fit_times(
            network,
            inputs,
            lambda times: latency_mse(times, targets, silent_time=10.0),
            epochs=150,
            rate=0.05,
            wake=wake,
        )
        assert fit.silent[0] == 1
        return fit.losses

    dead, woken = train(0.0), train(0.05)
    assert dead[0] == dead[-1] == 81
    assert woken[-1] < 1e-3


def test_wake_counts_without_changing() -> None:
    layer = SpikeProp(2, 2)
    before = layer.weight.detach().clone()
    times = torch.tensor([[math.inf, 1.0], [math.inf, math.inf]])
    assert wake_silent(layer, times, 0.0) == 1
    assert torch.equal(layer.weight, before)
    wake_silent(layer, times, 0.5)
    torch.testing.assert_close(layer.weight.detach() - before, torch.tensor([[0.5, 0.5], [0, 0]]).double())


# --- bad input


def test_bad_input() -> None:
    weight, inputs = layer_of(0)
    with pytest.raises(ValueError, match=r"inputs must have shape \[N, 5\]"):
        firing_time(weight, inputs[:, :4], tau=1.0)
    with pytest.raises(ValueError, match="NaN"):
        firing_time(weight, torch.full_like(inputs, math.nan), tau=1.0)
    with pytest.raises(TypeError, match="int64"):
        firing_time(weight, inputs.nan_to_num(posinf=0).long(), tau=1.0)
    for constant in ("tau", "threshold", "min_slope"):
        with pytest.raises(ValueError, match=constant):
            firing_time(weight, inputs, **{"tau": 1.0, constant: 0.0})
    with pytest.raises(ValueError, match="tau"):
        kernel(inputs, 0.0)
    with pytest.raises(ValueError, match="time"):
        potential(torch.zeros(2, 2), weight, inputs, tau=1.0)
    with pytest.raises(ValueError, match="delays"):
        SpikeProp(2, 2, delays=[-1.0])
    with pytest.raises(ValueError, match="delays"):
        SpikeProp(2, 2, delays=[])
    with pytest.raises(ValueError, match="sizes"):
        spikeprop_network([3])
    with pytest.raises(ValueError, match="wake"):
        fit_times(spikeprop_network([2, 1]), inputs, torch.sum, epochs=1, wake=-1.0)
    with pytest.raises(TypeError, match="its layers are ReLU"):
        fit_times(torch.nn.Sequential(torch.nn.ReLU()), inputs, torch.sum, epochs=1)
    with pytest.raises(ValueError, match="times"):
        wake_silent(SpikeProp(2, 2), torch.zeros(1, 3), 0.1)
