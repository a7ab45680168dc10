"""Codes against their closed forms, their inverses and loops in plain Python."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor

from snnkit.encoding import (
    OnOff,
    delta_decode,
    delta_encode,
    latency_decode,
    latency_encode,
    rate_decode,
    rate_encode,
    sparsity,
    spike_rate,
    spikes_to_times,
    static_suppression,
    times_to_spikes,
)

seeds = st.integers(0, 2**31)


def seeded(seed: int) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


# --- rate


def test_rate_code_is_bernoulli_and_independent_in_time() -> None:
    values = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0], dtype=torch.float64).repeat_interleave(4000)
    steps = 40
    spikes = rate_encode(values, steps, seeded(0))
    assert set(spikes.unique().tolist()) == {0.0, 1.0}
    p = torch.tensor([0.0, 0.1, 0.5, 0.9, 1.0], dtype=torch.float64)
    groups = spike_rate(spikes).reshape(5, 4000)
    spread = (p * (1 - p) / steps).sqrt()
    # Five standard errors of the mean; the variance of the rate is p (1 - p) / T.
    assert ((groups.mean(1) - p).abs() <= 5 * spread / math.sqrt(4000)).all()
    torch.testing.assert_close(groups.var(1), spread**2, rtol=0.12, atol=0)
    centred = spikes[:, 8000:12000] - 0.5
    lagged = (centred[1:] * centred[:-1]).mean()
    assert abs(float(lagged)) < 5 * 0.25 / math.sqrt(39 * 4000)


def test_rate_code_repeats_with_its_generator_only() -> None:
    values = torch.full((50,), 0.5)
    first, again, other = (rate_encode(values, 20, seeded(seed)) for seed in (1, 1, 2))
    assert torch.equal(first, again)
    assert not torch.equal(first, other)
    assert rate_encode(values, 20).shape == (20, 50)


@pytest.mark.parametrize("bad", [-0.1, 1.1, 255.0])
def test_rate_code_refuses_what_is_no_probability(bad: float) -> None:
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\].*Rescale"):
        rate_encode(torch.tensor([0.5, bad]), 3)


def test_rate_code_refuses_other_bad_input() -> None:
    with pytest.raises(ValueError, match="finite"):
        rate_encode(torch.tensor([math.nan]), 3)
    with pytest.raises(TypeError, match="uint8"):
        rate_encode(torch.zeros(2, dtype=torch.uint8), 3)
    with pytest.raises(ValueError, match="at least 1"):
        rate_encode(torch.zeros(2), 0)
    with pytest.raises(TypeError, match="float"):
        rate_encode(torch.zeros(2), 3.0)  # type: ignore[arg-type]


# --- latency


@given(seed=seeds, tau=st.floats(0.5, 20), threshold=st.floats(0.1, 2), resistance=st.floats(0.2, 3))
def test_latency_is_when_the_charging_curve_meets_the_threshold(
    seed: int, tau: float, threshold: float, resistance: float
) -> None:
    current = 5 * torch.rand(20, generator=seeded(seed), dtype=torch.float64)
    times = latency_encode(current, tau=tau, threshold=threshold, resistance=resistance)
    for i, t in zip(current.tolist(), times.tolist(), strict=True):
        if i * resistance > threshold:
            assert i * resistance * (1 - math.exp(-t / tau)) == pytest.approx(threshold, rel=1e-9)
        else:
            assert t == math.inf
    order = current.argsort(descending=True)
    finite = times[order][torch.isfinite(times[order])]
    assert (finite.diff() >= 0).all()


def test_latency_at_below_and_near_the_threshold() -> None:
    current = torch.tensor([-3.0, 0.0, 0.999, 1.0, 1.001, 2.0], dtype=torch.float64)
    times = latency_encode(current, tau=10.0)
    assert times[:4].tolist() == [math.inf] * 4
    assert times[4].item() == pytest.approx(10 * math.log(1.001 / 0.001), rel=1e-9)
    assert times[5].item() == pytest.approx(10 * math.log(2), rel=1e-12)
    with pytest.raises(ValueError, match="finite"):
        latency_encode(torch.tensor([math.inf]), tau=1.0)


@given(
    seed=seeds,
    steps=st.integers(1, 60),
    dt=st.sampled_from([0.1, 0.3, 1.0, 1e-3, 7.7]),
    dtype=st.sampled_from([torch.float32, torch.float64]),
)
def test_times_and_trains_are_inverse(seed: int, steps: int, dt: float, dtype: torch.dtype) -> None:
    index = torch.randint(0, steps + 1, (4, 5), generator=seeded(seed))
    spikes = (torch.arange(steps).reshape(-1, 1, 1) == index).to(dtype)
    times = spikes_to_times(spikes, dt)
    assert torch.equal(torch.isinf(times), index == steps)
    assert torch.equal(times_to_spikes(times, steps, dt), spikes)


def test_a_time_falls_into_the_step_that_holds_it() -> None:
    times = torch.tensor([0.0, 0.49, 0.5, 1.49, 1.5, math.inf])
    spikes = times_to_spikes(times, 3, dt=0.5)
    assert spikes.tolist() == [[1, 1, 0, 0, 0, 0], [0, 0, 1, 0, 0, 0], [0, 0, 0, 1, 0, 0]]


@pytest.mark.parametrize("bad", [-0.1, math.nan])
def test_times_must_not_be_negative(bad: float) -> None:
    with pytest.raises(ValueError, match="at or after 0"):
        times_to_spikes(torch.tensor([1.0, bad]), 3)


def test_first_of_several_spikes_counts() -> None:
    spikes = torch.tensor([[0.0, 0, 0], [1, 0, 0], [1, 1, 0]])
    assert spikes_to_times(spikes, dt=2.0).tolist() == [2, 4, math.inf]


# --- decoding


@given(seed=seeds, steps=st.integers(1, 12), density=st.sampled_from([0.0, 0.05, 0.4]))
def test_decoders_against_loops(seed: int, steps: int, density: float) -> None:
    spikes = (torch.rand(steps, 6, 4, generator=seeded(seed)) < density).double()
    rates, latencies = rate_decode(spikes), latency_decode(spikes)
    for n in range(6):
        trains = spikes[:, n].T.tolist()
        counts = [sum(train) for train in trains]
        firsts = [train.index(1.0) if 1.0 in train else math.inf for train in trains]
        assert rates[n] == (counts.index(max(counts)) if max(counts) else -1)
        assert latencies[n] == (firsts.index(min(firsts)) if min(firsts) < math.inf else -1)


def test_ties_and_silence() -> None:
    spikes = torch.tensor([[[0.0, 1, 1], [0, 0, 0]], [[0, 1, 1], [0, 0, 0]]])
    assert rate_decode(spikes).tolist() == [1, -1]
    assert latency_decode(spikes).tolist() == [1, -1]


def test_rate_and_latency_may_disagree() -> None:
    spikes = torch.tensor([[1.0, 0], [0, 1], [0, 1]])
    assert (latency_decode(spikes).item(), rate_decode(spikes).item()) == (0, 1)


@pytest.mark.parametrize("decode", [rate_decode, latency_decode, spike_rate, spikes_to_times])
def test_decoders_refuse_bad_trains(decode: object) -> None:
    assert callable(decode)
    with pytest.raises(TypeError, match="bool"):
        decode(torch.zeros(3, 2, dtype=torch.bool))
    with pytest.raises(ValueError, match="T >= 1"):
        decode(torch.zeros(0, 2))
    if decode in (rate_decode, latency_decode):
        with pytest.raises(ValueError, match="classes"):
            decode(torch.zeros(3))


# --- delta


def loop_delta(signal: list[float], threshold: float) -> list[int]:
    moves, out = 0, []
    for value in signal:
        gap = value - (signal[0] + threshold * moves)
        spike = 1 if gap >= threshold else -1 if gap <= -threshold else 0
        moves += spike
        out.append(spike)
    return out


def walk(seed: int, steps: int, size: float) -> Tensor:
    return (size * (2 * torch.rand(steps, 3, generator=seeded(seed), dtype=torch.float64) - 1)).cumsum(0)


@given(seed=seeds, steps=st.integers(1, 60), threshold=st.sampled_from([0.2, 0.5, 1.0]))
def test_delta_code_against_a_loop(seed: int, steps: int, threshold: float) -> None:
    signal = walk(seed, steps, 1.0)
    code = delta_encode(signal, threshold=threshold)
    for n in range(3):
        assert (code.on - code.off)[:, n].tolist() == loop_delta(signal[:, n].tolist(), threshold)
    assert not (code.on * code.off).any()
    assert not code.on[0].any()


@given(seed=seeds, steps=st.integers(1, 80), threshold=st.sampled_from([0.2, 0.5, 1.0]))
def test_delta_code_tracks_a_signal_that_is_slow_enough(seed: int, steps: int, threshold: float) -> None:
    signal = walk(seed, steps, threshold)
    level = delta_decode(delta_encode(signal, threshold=threshold), threshold=threshold, start=signal[0])
    assert (level - signal).abs().max() <= threshold + 1e-12


def test_delta_code_is_outrun_by_a_fast_signal() -> None:
    signal = torch.arange(10, dtype=torch.float64) * 2
    level = delta_decode(delta_encode(signal, threshold=1.0), threshold=1.0, start=signal[0])
    assert level[-1] == 9
    assert signal[-1] == 18


def test_delta_code_sends_a_slow_drift_that_differences_of_samples_miss() -> None:
    signal = torch.linspace(0, 1, 101, dtype=torch.float64)
    code = delta_encode(signal, threshold=0.25)
    assert code.on.sum() == 4
    assert not (signal.diff() >= 0.25).any()


def test_delta_code_refuses_bad_input() -> None:
    with pytest.raises(ValueError, match="threshold"):
        delta_encode(torch.zeros(3), threshold=0.0)
    with pytest.raises(ValueError, match="finite"):
        delta_encode(torch.tensor([0.0, math.nan]), threshold=1.0)
    with pytest.raises(ValueError, match="same shape"):
        delta_decode(OnOff(torch.zeros(2), torch.zeros(3)), threshold=1.0)


# --- what makes a good spike


def test_sparsity() -> None:
    assert sparsity(torch.tensor([[0.0, 1], [0, 0]])) == 0.75
    assert sparsity(torch.zeros(4)) == 1
    with pytest.raises(ValueError, match="empty"):
        sparsity(torch.zeros(0))


def test_static_suppression_tells_delta_from_rate() -> None:
    signal = torch.full((200, 5), 0.5, dtype=torch.float64)
    signal[100:, 0] = 0.9
    delta = delta_encode(signal, threshold=0.4)
    assert (delta.on + delta.off).sum() == 1
    assert static_suppression(delta.on + delta.off, signal) == 1
    rate = rate_encode(signal[0], 200, seeded(0))
    assert static_suppression(rate, signal) == pytest.approx(0.5, abs=0.08)


def test_static_suppression_by_hand() -> None:
    signal = torch.tensor([0.0, 0, 1, 1, 1])
    assert static_suppression(torch.tensor([1.0, 1, 1, 0, 0]), signal) == pytest.approx(2 / 3)
    with pytest.raises(ValueError, match="never stays"):
        static_suppression(torch.zeros(3), torch.arange(3.0))
    with pytest.raises(ValueError, match="same shape"):
        static_suppression(torch.zeros(3), torch.zeros(4))
