"""The unevenness theorem against exact rational arithmetic, the worked cases, and the depth profile."""

from __future__ import annotations

import random
from fractions import Fraction

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from snnkit.conversion import unevenness
from snnkit.conversion.unevenness import Case, classify, classify_one

SEEDS = st.integers(0, 2**32 - 1)


def dyadic(seed: int, steps: int, neurons: int, low: int = -8, high: int = 8) -> torch.Tensor:
    """Currents that are multiples of 1/4, so that every sum and floor is exact in floating point."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(low, high + 1, (steps, neurons), generator=generator).double() / 4


def oracle(currents: list[Fraction], threshold: Fraction, v0: Fraction) -> tuple[int, Fraction, int]:
    """Plain loop in rational arithmetic: count, final potential, and the count of the same charge spread evenly."""
    v, count = v0, 0
    for current in currents:
        v += current
        if v >= threshold:
            count += 1
            v -= threshold
    steps, even, expected = len(currents), v0, 0
    share = sum(currents, Fraction(0)) / steps
    for _ in range(steps):
        even += share
        if even >= threshold:
            expected += 1
            even -= threshold
    return count, v, expected


# 40 examples x 3000 neurons: 120,000 cases, each compared exactly with the definition of q.
@given(
    seed=SEEDS, steps=st.integers(1, 12), v0=st.integers(-6, 9), threshold=st.sampled_from([0.5, 1.0, 2.0])
)
def test_theorem_on_dyadic_currents(seed: int, steps: int, v0: int, threshold: float) -> None:
    currents = dyadic(seed, steps, 3000)
    start = v0 / 4 * threshold
    spikes, v_end = unevenness.fire(currents, threshold, start)
    count = spikes.sum(0)
    verdict = classify(count, v_end, threshold=threshold, steps=steps)
    expected = unevenness.expected_count(start + currents.sum(0), threshold=threshold, steps=steps)
    assert torch.equal(count.long() - verdict.excess, expected)
    even = (
        ((v_end >= 0) & (v_end < threshold))
        | ((v_end < 0) & (count == 0))
        | ((v_end >= threshold) & (count == steps))
    )
    assert torch.equal(count == expected, even)
    assert torch.equal(verdict.uneven, ~even)
    assert torch.equal(verdict.case == Case.EXTRA, count > expected)
    assert torch.equal(verdict.case == Case.MISSING, count < expected)
    assert torch.equal(verdict.extra - verdict.missing, verdict.excess)
    assert bool(((verdict.case == Case.SILENT) == ((v_end < 0) & (count == 0))).all())
    assert bool(((verdict.case == Case.SATURATED) == ((v_end >= threshold) & (count == steps))).all())


def test_scalar_theorem_against_the_rational_loop() -> None:
    generator = random.Random(5)
    seen = set()
    for _ in range(4000):
        steps = generator.randint(1, 9)
        threshold = Fraction(generator.randint(1, 12), generator.randint(1, 7))
        v0 = threshold * Fraction(generator.randint(0, 11), 12)
        currents = [Fraction(generator.randint(-20, 20), generator.randint(1, 9)) for _ in range(steps)]
        count, v_end, expected = oracle(currents, threshold, v0)
        case, excess = classify_one(count, v_end, threshold=threshold, steps=steps)
        assert count - excess == expected
        assert (case in (Case.EXTRA, Case.MISSING)) == (count != expected)
        seen.add(case)
    assert seen == set(Case)


@given(seed=SEEDS, steps=st.integers(1, 8))
def test_vector_and_scalar_agree(seed: int, steps: int) -> None:
    currents = dyadic(seed, steps, 50)
    spikes, v_end = unevenness.fire(currents)
    verdict = classify(spikes.sum(0), v_end, threshold=1.0, steps=steps)
    for neuron in range(50):
        exact = [Fraction(float(value)) for value in currents[:, neuron]]
        count, v, expected = oracle(exact, Fraction(1), Fraction(0))
        assert (count, v) == (int(spikes[:, neuron].sum()), Fraction(float(v_end[neuron])))
        case, excess = classify_one(count, v, steps=steps)
        assert (int(verdict.case[neuron]), int(verdict.excess[neuron])) == (case, excess)
        assert count - excess == expected


def test_the_interval_is_half_open_and_its_converse_fails() -> None:
    at_threshold = torch.tensor([-2.0, -2.0, 2.0, 2.0, 2.0]).double()
    spikes, v_end = unevenness.fire(at_threshold)
    assert float(v_end) == 1.0
    assert classify_one(int(spikes.sum()), float(v_end), steps=5) == (Case.MISSING, -1)
    silent = torch.tensor([-1.0, -1.0]).double()
    spikes, v_end = unevenness.fire(silent)
    assert float(v_end) < 0
    assert classify_one(int(spikes.sum()), float(v_end), steps=2) == (Case.SILENT, 0)


def test_tolerance_forgives_rounding_only() -> None:
    v_end = torch.tensor([-1e-12, -0.1, 1 - 1e-12], dtype=torch.float64)
    count = torch.tensor([3, 3, 3])
    assert classify(count, v_end, threshold=1.0, steps=5).excess.tolist() == [1, 1, 0]
    assert classify(count, v_end, threshold=1.0, steps=5, tolerance=1e-9).excess.tolist() == [0, 1, -1]


def test_potential_just_below_the_threshold_is_not_missing() -> None:
    below = torch.nextafter(torch.tensor(0.3, dtype=torch.float64), torch.tensor(0.0, dtype=torch.float64))
    assert classify(torch.tensor([1]), below.view(1), threshold=0.3, steps=4).case.tolist() == [Case.EVEN]


@given(
    seed=SEEDS,
    steps=st.integers(1, 12),
    v0=st.integers(-4, 6),
    threshold=st.sampled_from([0.5, 1.0, 2.0]),
)
def test_ratchet_equals_the_neuron(seed: int, steps: int, v0: int, threshold: float) -> None:
    currents = dyadic(seed, steps, 200)
    spikes, _ = unevenness.fire(currents, threshold, v0 / 4)
    assert torch.equal(unevenness.ratchet(currents, threshold, v0 / 4), spikes.cumsum(0).long())


@given(seed=SEEDS, steps=st.integers(1, 10), v0=st.integers(-4, 6))
def test_burst_neuron_follows_the_running_maximum(seed: int, steps: int, v0: int) -> None:
    currents = dyadic(seed, steps, 60)
    counts = unevenness.burst_counts(currents, 1.0, v0 / 4)
    for neuron in range(60):
        v, count = Fraction(v0, 4), 0
        for step in range(steps):
            v += Fraction(float(currents[step, neuron]))
            while v >= 1:  # several spikes in one step
                v -= 1
                count += 1
            assert int(counts[step, neuron]) == count


@given(
    seed=SEEDS,
    steps=st.integers(1, 10),
    v0=st.integers(0, 3),
    span=st.sampled_from([(0, 4), (-8, 0), (4, 9)]),
)
def test_sufficient_condition(seed: int, steps: int, v0: int, span: tuple[int, int]) -> None:
    currents = dyadic(seed, steps, 300, *span)
    assert bool(unevenness.order_cannot_matter(currents).all())
    spikes, v_end = unevenness.fire(currents, v0=v0 / 4)
    assert not bool(classify(spikes.sum(0), v_end, threshold=1.0, steps=steps).uneven.any())


def test_sufficient_condition_is_not_given_away() -> None:
    currents = dyadic(0, 6, 5000)
    safe = unevenness.order_cannot_matter(currents)
    spikes, v_end = unevenness.fire(currents)
    uneven = classify(spikes.sum(0), v_end, threshold=1.0, steps=6).uneven
    assert not bool((safe & uneven).any())
    assert 0.2 < float(uneven.double().mean()) < 0.8
    mixed = torch.tensor([[0.5, 0.5, 0.5], [0.5, -0.5, 1.5]])
    assert unevenness.order_cannot_matter(mixed).tolist() == [True, False, False]


@given(seed=SEEDS, steps=st.integers(1, 32))
def test_constant_current_has_no_unevenness_in_float32(seed: int, steps: int) -> None:
    generator = torch.Generator().manual_seed(seed)
    current = torch.randn(2000, generator=generator) * 2
    threshold = torch.rand(2000, generator=generator) + 0.1
    spikes, v_end = unevenness.fire(current.expand(steps, -1), threshold, threshold / 2)
    assert not bool(classify(spikes.sum(0), v_end, threshold=threshold, steps=steps).uneven.any())


# --- depth ------------------------------------------------------------------------------------------------


def test_depth_profile_of_a_random_network() -> None:
    """Shares of uneven neurons by depth: zero in layer 1, a jump, then saturation, while the error compounds."""
    published = [0.0, 0.073, 0.122, 0.163, 0.144, 0.176, 0.140, 0.176]  # one draw of the weights
    profiles = [
        unevenness.depth_profile(unevenness.random_dense_net(samples=60, seed=seed), 8) for seed in range(3)
    ]
    for layer, expected in enumerate(published):
        mean = sum(profile[layer].uneven for profile in profiles) / len(profiles)
        assert mean == pytest.approx(expected, abs=0.04)
    for profile in profiles:
        assert profile[0].uneven == 0
        assert profile[0].relative_rmse == pytest.approx(0, abs=1e-12)
        deep = profile[1:]
        assert all(
            layer.extra > 0.9 and layer.single > 0.95 and 0.6 < layer.silenced < 0.85 for layer in deep
        )
        errors = [layer.relative_rmse for layer in deep]
        assert errors[0] == pytest.approx(0.15, abs=0.03)
        assert errors[1] == pytest.approx(0.27, abs=0.05)
        assert errors[-1] == pytest.approx(0.55, abs=0.12)
        assert errors == sorted(errors)


def test_depth_profile_against_plain_loops() -> None:
    """A small network, neuron by neuron, in plain Python."""
    net = unevenness.random_dense_net(layers=3, width=6, samples=4, levels=4, seed=1)
    steps = 5
    profile = unevenness.depth_profile(net, steps)
    for sample in range(4):
        assert net.x[sample].shape == (6,)
    signal = [[[float(v) for v in row] for row in net.x] for _ in range(steps)]
    for depth, (weight, threshold) in enumerate(zip(net.weights, net.thresholds, strict=True)):
        theta, wrong = float(threshold), 0
        following = [[[0.0] * 6 for _ in range(4)] for _ in range(steps)]
        for sample in range(4):
            for neuron in range(6):
                row = [float(v) for v in weight[neuron]]
                v, count, total = theta / 2, 0, theta / 2
                for step in range(steps):
                    current = sum(w * s for w, s in zip(row, signal[step][sample], strict=True))
                    v, total = v + current, total + current
                    if v >= theta:
                        v, count = v - theta, count + 1
                        following[step][sample][neuron] = theta
                wrong += count != min(max(total // theta, 0), steps)
        assert profile[depth].uneven == pytest.approx(wrong / 24)
        signal = following


# --- bad input --------------------------------------------------------------------------------------------


def test_bad_input() -> None:
    ok = torch.zeros(2)
    with pytest.raises(ValueError, match="one shape"):
        classify(torch.zeros(3), ok, threshold=1.0, steps=2)
    with pytest.raises(ValueError, match=r"whole numbers in \[0, 2\]"):
        classify(torch.tensor([0.0, 3.0]), ok, threshold=1.0, steps=2)
    with pytest.raises(ValueError, match="whole numbers"):
        classify(torch.tensor([0.0, 0.5]), ok, threshold=1.0, steps=2)
    with pytest.raises(TypeError, match="floating-point"):
        classify(torch.zeros(2), torch.zeros(2, dtype=torch.int64), threshold=1.0, steps=2)
    with pytest.raises(ValueError, match="finite"):
        classify(torch.zeros(2), torch.tensor([0.0, float("nan")]), threshold=1.0, steps=2)
    with pytest.raises(ValueError, match="threshold must be"):
        classify(torch.zeros(2), ok, threshold=0.0, steps=2)
    with pytest.raises(ValueError, match=r"tolerance must lie in \[0.0, 0.5\]"):
        classify(torch.zeros(2), ok, threshold=1.0, steps=2, tolerance=1.0)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        classify_one(0, 0.0, steps=0)
    with pytest.raises(ValueError, match=r"count must lie in \[0, 3\]; got 4"):
        classify_one(4, 0.0, steps=3)
    with pytest.raises(ValueError, match="T >= 1"):
        unevenness.ratchet(torch.zeros(0, 3))
    with pytest.raises(TypeError, match="floating-point"):
        unevenness.order_cannot_matter(torch.ones(3, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="width must be at least 1"):
        unevenness.random_dense_net(width=0)
    net = unevenness.random_dense_net(layers=2, width=4, samples=2)
    with pytest.raises(ValueError, match="2 layers need as many rules; got 1"):
        unevenness.depth_profile(net, 4, [unevenness.fire])
