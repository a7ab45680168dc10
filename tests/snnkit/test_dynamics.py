"""Step functions against hand-worked trains, NumPy loops, SpikingJelly and the balance of charge."""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron
from torch import Tensor

from snnkit.dynamics import (
    HardReset,
    SoftReset,
    Step,
    delayed_reset_step,
    euler_decay,
    exact_decay,
    fire,
    firing_rate,
    firing_rate_discrete,
    first_spike_step,
    first_spike_time,
    heaviside,
    if_step,
    lapicque_euler,
    lapicque_exact,
    lif_step,
    membrane,
    simulate,
)

seeds = st.integers(0, 2**31)
lengths = st.integers(1, 24)
thresholds = st.sampled_from([0.5, 1.0, 1.7])


def currents_of(seed: int, steps: int, *shape: int) -> Tensor:
    return (
        torch.randn(steps, *shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) + 0.4
    )


def balance(trace_spikes: Tensor, v_end: Tensor, v0: float | Tensor, x: Tensor, threshold: float) -> Tensor:
    """Left minus right side of: mean output = mean input - (v(T) - v(0)) / T."""
    return threshold * trace_spikes.mean(0) - (x.mean(0) - (v_end - v0) / len(x))


# --- the threshold


@pytest.mark.parametrize("dtype", [torch.float16, torch.float32, torch.float64, torch.int64])
def test_heaviside_is_one_at_zero(dtype: torch.dtype) -> None:
    step = heaviside(torch.tensor([-1, 0, 1], dtype=dtype))
    assert step.tolist() == [0, 1, 1]
    assert step.dtype == dtype


def test_heaviside_of_nan_is_silent_and_of_a_number_is_refused() -> None:
    assert heaviside(torch.tensor([math.nan, -0.0])).tolist() == [0, 1]
    with pytest.raises(TypeError, match="float"):
        heaviside(0.5)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("current", "reset", "count"),
    [
        (0.5, SoftReset(), 8),
        (0.5, HardReset(), 8),
        (1.0, SoftReset(), 16),
        (0.7, SoftReset(), 11),
        (0.7, HardReset(), 8),
        (0.0, SoftReset(), 0),
        (-1.0, SoftReset(), 0),
    ],
)
def test_constant_current_gives_the_known_number_of_spikes(
    current: float, reset: SoftReset | HardReset, count: int
) -> None:
    x = torch.full((16,), current, dtype=torch.float64)
    assert simulate(partial(if_step, reset=reset), x).spikes.sum() == count


# --- the balance of charge


@given(seed=seeds, steps=lengths, threshold=thresholds)
def test_soft_reset_balances_the_charge(seed: int, steps: int, threshold: float) -> None:
    x = currents_of(seed, steps, 7)
    v0 = torch.linspace(-1, 1, 7, dtype=torch.float64)
    trace = simulate(partial(if_step, threshold=threshold), x, v0)
    assert balance(trace.spikes, trace.v[-1], v0, x, threshold).abs().max() < 1e-13


@given(seed=seeds, steps=lengths, threshold=thresholds, v_reset=st.sampled_from([0.0, -0.3]))
def test_hard_reset_loses_exactly_the_charge_above_threshold(
    seed: int, steps: int, threshold: float, v_reset: float
) -> None:
    x = currents_of(seed, steps, 7)
    trace = simulate(partial(if_step, threshold=threshold, reset=HardReset(v_reset)), x)
    lost = (trace.spikes * (trace.charge - threshold - v_reset)).sum(0)
    gap = balance(trace.spikes, trace.v[-1], 0.0, x, threshold)
    torch.testing.assert_close(gap, -lost / steps, rtol=0, atol=1e-13)
    fired = trace.spikes.any(0)
    assert (gap[fired].abs() > 1e-9).all()
    assert (gap[~fired].abs() < 1e-13).all()


@given(seed=seeds, steps=lengths, threshold=thresholds)
def test_delayed_reset_needs_the_boundary_term(seed: int, steps: int, threshold: float) -> None:
    x = currents_of(seed, steps, 7)
    v0 = torch.linspace(-1, 2, 7, dtype=torch.float64)
    trace = simulate(partial(delayed_reset_step, threshold=threshold), x, v0)
    gap = balance(trace.spikes, trace.v[-1], v0, x, threshold)
    boundary = threshold * (trace.spikes[-1] - heaviside(v0 - threshold)) / steps
    torch.testing.assert_close(gap, boundary, rtol=0, atol=1e-13)


def test_delayed_and_immediate_reset_spike_alike_but_differ_in_v() -> None:
    x = currents_of(3, 40, 5)
    now, late = simulate(if_step, x), simulate(delayed_reset_step, x)
    assert torch.equal(now.spikes, late.spikes)
    torch.testing.assert_close(late.v, now.charge)
    assert not torch.allclose(late.v, now.v)


def test_delayed_reset_is_that_of_a_loop_that_remembers_its_spike() -> None:
    x = currents_of(5, 30).numpy()
    v, s, spikes = 0.0, 0.0, []
    for value in x:
        v = 0.8 * v + value - s * 0.6
        s = float(v >= 0.6)
        spikes.append(s)
    trace = simulate(partial(delayed_reset_step, decay=0.8, threshold=0.6), torch.from_numpy(x))
    assert trace.spikes.tolist() == spikes
    assert trace.v[-1].item() == pytest.approx(v, abs=1e-14)


# --- independent implementations


@given(
    seed=seeds,
    steps=lengths,
    decay=st.sampled_from([0.0, 0.5, 0.9, 1.0]),
    v_reset=st.sampled_from([None, 0.0, 0.25]),
    threshold=thresholds,
)
def test_lif_against_a_numpy_loop(
    seed: int, steps: int, decay: float, v_reset: float | None, threshold: float
) -> None:
    x = currents_of(seed, steps, 2, 3)
    reset = SoftReset() if v_reset is None else HardReset(v_reset)
    trace = simulate(partial(lif_step, decay=decay, threshold=threshold, reset=reset), x, 0.1)
    v = np.full((2, 3), 0.1)
    for t, value in enumerate(x.numpy()):
        charge = decay * v + value
        spike = charge >= threshold
        v = np.where(spike, charge - threshold if v_reset is None else v_reset, charge)
        assert np.array_equal(trace.charge[t].numpy(), charge)
        assert np.array_equal(trace.spikes[t].numpy(), spike)
        np.testing.assert_allclose(trace.v[t].numpy(), v, atol=1e-15)


@pytest.mark.parametrize("v_reset", [None, 0.0])
@pytest.mark.parametrize("mode", ["s", "m"])
def test_if_against_spikingjelly(v_reset: float | None, mode: str) -> None:
    # Multiples of 1/64 are exact in floating point, so the two must agree to the last bit.
    x = (currents_of(1, 20, 4, 6) * 64).round() / 64
    node = neuron.IFNode(v_threshold=1.0, v_reset=v_reset, step_mode=mode, store_v_seq=mode == "m")
    reset = SoftReset() if v_reset is None else HardReset(v_reset)
    trace = simulate(partial(if_step, reset=reset), x)
    if mode == "m":
        assert torch.equal(node(x), trace.spikes)
        assert torch.equal(node.v_seq, trace.v)
    else:
        for t, value in enumerate(x):
            assert torch.equal(node(value), trace.spikes[t])
            assert torch.equal(node.v, trace.v[t])


@pytest.mark.parametrize("decay_input", [False, True])
@pytest.mark.parametrize("v_reset", [None, 0.0])
@pytest.mark.parametrize("mode", ["s", "m"])
@pytest.mark.parametrize("tau", [2.0, 4.0])
def test_lif_against_spikingjelly(decay_input: bool, v_reset: float | None, mode: str, tau: float) -> None:
    x = (currents_of(2, 18, 4, 6) * 128).round() / 64
    node = neuron.LIFNode(tau=tau, decay_input=decay_input, v_threshold=1.0, v_reset=v_reset, step_mode=mode)
    reset = SoftReset() if v_reset is None else HardReset(v_reset)
    step = partial(lif_step, decay=euler_decay(1.0, tau), reset=reset)
    trace = simulate(step, x / tau if decay_input else x)
    spikes = node(x) if mode == "m" else torch.stack([node(value) for value in x])
    assert torch.equal(spikes, trace.spikes)
    assert torch.equal(node.v, trace.v[-1])
    assert 0 < trace.spikes.mean() < 1


# --- purity, shapes, gradients


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float32, torch.float64])
@pytest.mark.parametrize("shape", [(), (3,), (2, 3, 4, 5), (0, 3)])
@pytest.mark.parametrize(
    "step", [if_step, partial(lif_step, decay=0.5), partial(lif_step, decay=0.5, reset=HardReset(0.1))]
)
def test_steps_keep_shape_and_dtype_and_leave_inputs_alone(
    dtype: torch.dtype, shape: tuple[int, ...], step: Callable[[Tensor, Tensor], Step]
) -> None:
    v, x = torch.full(shape, 0.7, dtype=dtype), torch.full(shape, 0.9, dtype=dtype)
    before = v.clone(), x.clone()
    spike, after = step(v, x)
    for result in (spike, after):
        assert result.shape == torch.Size(shape)
        assert result.dtype == dtype
    assert torch.equal(v, before[0])
    assert torch.equal(x, before[1])


def test_a_step_is_a_pair_that_also_knows_the_charge() -> None:
    outcome = if_step(torch.tensor(0.5), torch.tensor(0.75))
    assert len(outcome) == 2
    assert outcome.charge is not None
    assert (outcome.spike, outcome.v, outcome.charge) == (1.0, 0.25, 1.25)


def test_threshold_and_decay_may_differ_by_neuron() -> None:
    decay, threshold = torch.tensor([0.0, 0.5, 1.0]), torch.tensor([1.0, 0.8, 3.0])
    spike, v = lif_step(torch.ones(3), torch.tensor(0.5), decay=decay, threshold=threshold)
    torch.testing.assert_close(spike, torch.tensor([0.0, 1.0, 0.0]))
    torch.testing.assert_close(v, torch.tensor([0.5, 0.2, 1.5]))


def test_potential_is_differentiable_in_inputs_and_the_spike_is_not() -> None:
    x = torch.full((5,), 0.1, dtype=torch.float64, requires_grad=True)
    trace = simulate(partial(lif_step, decay=0.5), x)
    (gradient,) = torch.autograd.grad(trace.v[-1], x, retain_graph=True)
    torch.testing.assert_close(gradient, 0.5 ** torch.arange(4, -1, -1, dtype=torch.float64))
    assert not trace.spikes.requires_grad
    threshold = torch.tensor(1.0, requires_grad=True)
    (gradient,) = torch.autograd.grad(
        if_step(torch.ones(()), torch.ones(()), threshold=threshold).v, threshold
    )
    assert gradient == -1


def test_steps_work_under_vmap() -> None:
    spike, v = torch.func.vmap(if_step)(torch.tensor([0.0, 0.5]), torch.tensor([0.5, 0.5]))
    assert spike.tolist() == [0, 1]
    assert v.tolist() == [0.5, 0]


def test_simulate_marks_what_a_plain_pair_does_not_tell() -> None:
    def own(v: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
        return tuple(if_step(v, x))  # type: ignore[return-value]

    x = torch.tensor([0.5, 0.25, 0.5, 0.5])
    trace, full = simulate(own, x), simulate(if_step, x)
    assert torch.equal(trace.spikes, full.spikes)
    assert torch.equal(trace.v, full.v)
    assert torch.equal(trace.charge.isnan(), full.spikes > 0)
    silent = full.spikes == 0
    assert torch.equal(trace.charge[silent], full.charge[silent])


# --- the RC membrane


@given(seed=seeds, dt=st.floats(0.01, 5), tau=st.floats(0.5, 30), resistance=st.floats(0.1, 10))
def test_exact_step_follows_the_closed_form(seed: int, dt: float, tau: float, resistance: float) -> None:
    current = currents_of(seed, 6)
    v = torch.full_like(current, 0.3)
    for n in range(1, 6):
        v = lapicque_exact(v, current, dt=dt, tau=tau, resistance=resistance)
        closed = membrane(
            torch.tensor(n * dt, dtype=torch.float64), current, tau=tau, resistance=resistance, v0=0.3
        )
        torch.testing.assert_close(v, closed, rtol=1e-12, atol=1e-13)


def test_euler_converges_to_the_exact_step_at_first_order() -> None:
    current = torch.tensor(1.3, dtype=torch.float64)
    errors, end = [], torch.tensor(10.0, dtype=torch.float64)
    for steps in (50, 100, 200, 400):
        v = torch.zeros_like(current)
        for _ in range(steps):
            v = lapicque_euler(v, current, dt=10 / steps, tau=5.0, resistance=2.0)
        errors.append(abs(float(v - membrane(end, current, tau=5.0, resistance=2.0))))
    ratios = [coarse / fine for coarse, fine in pairwise(errors)]
    assert all(1.9 < ratio < 2.1 for ratio in ratios)


def test_decays() -> None:
    assert euler_decay(1.0, 4.0) == 0.75
    assert exact_decay(1.0, 4.0) == math.exp(-0.25)
    assert exact_decay(9.0, 4.0) == math.exp(-2.25)
    assert euler_decay(0.001, 4.0) == pytest.approx(exact_decay(0.001, 4.0), abs=1e-7)


@pytest.mark.parametrize("dt", [4.0, 5.0, 9.0])
def test_euler_refuses_a_step_as_long_as_tau(dt: float) -> None:
    with pytest.raises(ValueError, match=rf"dt < tau.*dt={dt}, tau=4.0.*exact"):
        euler_decay(dt, 4.0)
    with pytest.raises(ValueError, match="dt < tau"):
        lapicque_euler(torch.zeros(()), torch.ones(()), dt=dt, tau=4.0)


# --- closed forms of firing


@given(
    current=st.floats(0.1, 20),
    tau=st.floats(0.5, 50),
    threshold=st.floats(0.2, 2),
    resistance=st.floats(0.5, 2),
    v0=st.floats(-1, 0.1),
)
def test_membrane_is_at_threshold_at_the_first_spike_time(
    current: float, tau: float, threshold: float, resistance: float, v0: float
) -> None:
    i = torch.tensor(current, dtype=torch.float64)
    time = first_spike_time(i, tau=tau, threshold=threshold, resistance=resistance, v0=v0)
    if resistance * current > threshold:
        there = membrane(time, i, tau=tau, resistance=resistance, v0=v0)
        assert float(there) == pytest.approx(threshold, rel=1e-9)
        usual = tau * math.log((resistance * current - v0) / (resistance * current - threshold))
        assert float(time) == pytest.approx(usual, rel=1e-6)
    else:
        assert math.isinf(time)


def test_f_i_curve_by_hand() -> None:
    current = torch.tensor([0.5, 1.0, 1.5, 2.0], dtype=torch.float64)
    expected = [0, 0, 1 / (20 * math.log(3)), 1 / (20 * math.log(2))]
    torch.testing.assert_close(firing_rate(current, tau=20.0), torch.tensor(expected, dtype=torch.float64))


@pytest.mark.parametrize("v_reset", [0.0, -0.5, 0.5])
@pytest.mark.parametrize("dt", [0.3, 1.0, 7.0])
def test_discrete_f_i_curve_is_that_of_the_simulation(v_reset: float, dt: float) -> None:
    current = torch.tensor([0.3, 0.99, 1.013, 1.11, 1.37, 2.19, 3.77, 9.1, 40.3], dtype=torch.float64)
    constants = {"dt": dt, "tau": 10.0, "resistance": 1.1}

    def step(v: Tensor, x: Tensor) -> Step:
        return fire(lapicque_exact(v, x, **constants), threshold=0.9, reset=HardReset(v_reset))

    steps = 400
    spikes = simulate(step, current.expand(steps, -1), v_reset).spikes
    period = first_spike_step(current, threshold=0.9, v0=v_reset, **constants)
    number = torch.arange(1, steps + 1).unsqueeze(1)
    expected = (number % period == 0) & torch.isfinite(period)
    assert torch.equal(spikes, expected.double())
    rate = firing_rate_discrete(current, threshold=0.9, v_reset=v_reset, **constants)
    continuous = firing_rate(current, tau=10.0, threshold=0.9, resistance=1.1, v_reset=v_reset)
    torch.testing.assert_close(rate, 1 / (dt * period))
    assert (rate <= continuous + 1e-15).all()
    assert rate[0] == 0


def test_discrete_rate_tends_to_the_continuous_one() -> None:
    current = torch.tensor([1.2, 2.0, 5.0], dtype=torch.float64)
    continuous = firing_rate(current, tau=10.0)
    for dt in (0.1, 0.01, 0.001):
        gap = (continuous - firing_rate_discrete(current, dt=dt, tau=10.0)) / continuous
        assert (gap >= 0).all()
        assert (gap <= dt * continuous).all()


def test_first_spike_time_has_finite_gradients_everywhere() -> None:
    current = torch.tensor([0.5, 1.0, 2.0], dtype=torch.float64, requires_grad=True)
    first_spike_time(current, tau=10.0)[2].backward()
    # d/dI of tau ln(I / (I - 1)) = tau (1/I - 1/(I - 1)).
    torch.testing.assert_close(current.grad, torch.tensor([0, 0, -5.0], dtype=torch.float64))


# --- bad input


@pytest.mark.parametrize("threshold", [0.0, -1.0, math.nan, math.inf])
def test_bad_threshold(threshold: float) -> None:
    for step in (if_step, partial(lif_step, decay=0.5), delayed_reset_step):
        with pytest.raises(ValueError, match="threshold"):
            step(torch.zeros(2), torch.zeros(2), threshold=threshold)
    with pytest.raises(ValueError, match="threshold"):
        fire(torch.zeros(2), threshold=torch.tensor([1.0, threshold]))


@pytest.mark.parametrize("decay", [-0.1, 1.1, math.nan, torch.tensor([0.5, 1.5]), torch.tensor([-0.5, 0.5])])
def test_bad_decay(decay: float | Tensor) -> None:
    with pytest.raises(ValueError, match="decay"):
        lif_step(torch.zeros(2), torch.zeros(2), decay=decay)


def test_bad_times_and_resistance() -> None:
    zero = torch.zeros(())
    with pytest.raises(ValueError, match="dt"):
        exact_decay(0.0, 1.0)
    with pytest.raises(ValueError, match="tau"):
        lapicque_exact(zero, zero, dt=1.0, tau=-1.0)
    with pytest.raises(ValueError, match="resistance"):
        lapicque_euler(zero, zero, dt=0.1, tau=1.0, resistance=0.0)
    with pytest.raises(ValueError, match="below the threshold"):
        first_spike_time(torch.ones(1), tau=1.0, v0=1.0)
    with pytest.raises(TypeError, match="int64"):
        firing_rate(torch.ones(1, dtype=torch.int64), tau=1.0)


def test_simulate_refuses_what_it_cannot_run() -> None:
    with pytest.raises(TypeError, match="floating"):
        simulate(if_step, torch.ones(3, dtype=torch.int64))
    for empty in (torch.zeros(0, 3), torch.tensor(1.0)):
        with pytest.raises(ValueError, match=r"\[T, \.\.\.\]"):
            simulate(if_step, empty)
    with pytest.raises(ValueError, match=r"shape \[3\]; got shape \[2\]"):
        simulate(if_step, torch.zeros(4, 3), torch.zeros(2))
