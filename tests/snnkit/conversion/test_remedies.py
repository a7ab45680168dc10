"""Remedies against unevenness: exact where they should be, better where they should help, and honestly timed."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from functools import partial
from itertools import pairwise

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from snnkit.conversion import SpikingNetwork, convert, errors, monitor, remedies
from snnkit.conversion.neuron import FiringRule, InitialPotential
from snnkit.conversion.unevenness import (
    DenseNet,
    Firing,
    classify,
    depth_profile,
    expected_count,
    fire,
    random_dense_net,
)

SEEDS = st.integers(0, 2**32 - 1)


def signed(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    return fire(currents, threshold, v0, remedies.SignedSpikes())


def tracking(currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0) -> Firing:
    return fire(currents, threshold, v0, remedies.ExactTracking(len(currents)))


def calibrated(
    currents: Tensor, threshold: float | Tensor = 1.0, v0: float | Tensor = 0.0, *, passes: int = 2
) -> Firing:
    return fire(currents, threshold, remedies.shifted_start(currents, threshold, v0, passes=passes))


def ruled(network: SpikingNetwork, x: Tensor, steps: int, rule: Callable[[], FiringRule]) -> Tensor:
    """Logits of a network whose layers all fire by a rule."""
    with remedies.firing_rules(network, {name: rule() for name in network.neurons()}):
        return network(x, steps).clone()


def dyadic(seed: int, steps: int, neurons: int, bound: int = 8) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-bound, bound + 1, (steps, neurons), generator=generator).double() / 4


def dyadic_network(seed: int, widths: tuple[int, ...] = (8, 16, 16, 16, 5)) -> tuple[SpikingNetwork, Tensor]:
    """A random network whose weights, biases and inputs are multiples of 1/4 and whose thresholds are 1."""
    generator = torch.Generator().manual_seed(seed)
    layers: list[nn.Module] = []
    for before, after in pairwise(widths):
        linear = nn.Linear(before, after)
        with torch.no_grad():
            for parameter, bound in ((linear.weight, 2), (linear.bias, 1)):
                parameter.copy_(torch.randint(-bound, bound + 1, parameter.shape, generator=generator) / 4)
        layers += [linear, nn.ReLU()]
    network = convert(nn.Sequential(*layers[:-1]))
    for neuron in network.neurons().values():
        neuron.set_threshold(1.0)
        InitialPotential().apply(neuron)
    x = torch.randint(0, 5, (12, widths[0]), generator=generator) / 4
    return network, x


def deep_network(layers: int = 5) -> tuple[SpikingNetwork, Tensor, DenseNet]:
    """The random dense network of the depth profile as a converted one."""
    net = random_dense_net(layers=layers, width=128, samples=50)
    linears: list[nn.Module] = []
    for weight in [*net.weights, net.weights[0][:10]]:
        linear = nn.Linear(128, len(weight), bias=False)
        linear.weight = nn.Parameter(weight.float())
        linears += [linear, nn.ReLU()]
    network = convert(nn.Sequential(*linears[:-1]))
    for neuron, threshold in zip(network.neurons().values(), net.thresholds, strict=True):
        neuron.set_threshold(float(threshold))
        InitialPotential().apply(neuron)
    return network, net.x.float(), net


def uneven_share(network: SpikingNetwork, x: Tensor, steps: int) -> list[float]:
    """P(N != q) of every layer, q by the v(0) = 1/2 that the network was converted with."""
    runs = monitor.record(network, x, steps).values()
    half = torch.tensor(0.5)
    return [float(errors.split_run(run.from_start(half)).verdict.uneven.double().mean()) for run in runs]


# --- one layer --------------------------------------------------------------------------------------------


@given(seed=SEEDS, steps=st.integers(1, 12), v0=st.integers(0, 3))
def test_exact_rules_give_q(seed: int, steps: int, v0: int) -> None:
    currents = dyadic(seed, steps, 500)
    q = expected_count(v0 / 4 + currents.sum(0), threshold=1.0, steps=steps)
    for rule in (tracking, remedies.wait_then_fire):
        spikes, v_end = rule(currents, 1.0, v0 / 4)
        assert torch.equal(spikes.sum(0).long(), q)
        assert torch.equal(v_end, v0 / 4 + currents.sum(0) - q)


@given(seed=SEEDS, steps=st.integers(1, 8))
def test_rules_against_rational_loops(seed: int, steps: int) -> None:
    currents = dyadic(seed, steps, 30)
    taken_back, bursts = signed(currents).spikes, tracking(currents).spikes
    for neuron in range(30):
        v = total = Fraction(0)
        count = 0
        sent = 0
        for step in range(steps):
            current = Fraction(float(currents[step, neuron]))
            v += current
            total += current
            sign = 1 if v >= 1 else -1 if v < 0 and count > 0 else 0
            v -= sign
            count += sign
            assert int(taken_back[step, neuron]) == sign
            goal = min(max(total // 1, 0), steps)
            assert int(bursts[step, neuron]) == goal - sent
            sent = goal


def test_signed_spikes_remove_most_extra_spikes() -> None:
    currents = dyadic(0, 8, 50_000, bound=6)
    shares = {}
    for name, rule in (("plain", fire), ("signed", signed)):
        spikes, v_end = rule(currents)
        excess = classify(spikes.sum(0), v_end, threshold=1.0, steps=8).excess
        shares[name] = (float((excess > 0).double().mean()), float((excess < 0).double().mean()))
    assert shares["signed"][0] < shares["plain"][0] / 4
    assert shares["signed"][1] > shares["plain"][1]


@given(seed=SEEDS, steps=st.integers(1, 8), v0=st.integers(0, 3))
def test_every_calibration_pass_moves_one_spike(seed: int, steps: int, v0: int) -> None:
    currents = dyadic(seed, steps, 400)
    q = expected_count(v0 / 4 + currents.sum(0), threshold=1.0, steps=steps)
    before = (fire(currents, 1.0, v0 / 4).spikes.sum(0).long() - q).abs()
    for passes in (1, 2, steps):
        spikes, _ = calibrated(currents, 1.0, v0 / 4, passes=passes)
        after = (spikes.sum(0).long() - q).abs()
        assert torch.equal(after, (before - passes).clamp(min=0))
        assert bool(((spikes == 0) | (spikes == 1)).all())


def test_calibration_leaves_even_neurons_alone() -> None:
    currents = dyadic(1, 6, 200)
    spikes, v_end = fire(currents)
    even = classify(spikes.sum(0), v_end, threshold=1.0, steps=6).excess == 0
    start = remedies.shifted_start(currents)
    assert bool((start[even] == 0).all())
    assert bool((start[~even] != 0).all())


def test_silenced_run_and_mask() -> None:
    v_end = torch.tensor([-0.5, 0.0, 0.0019, 0.0021, 1.0])
    assert remedies.residual_mask(v_end, 2.0, 1e-3).tolist() == [True, True, True, False, False]
    assert remedies.residual_mask(v_end, 2.0).tolist() == [True, True, False, False, False]
    currents = torch.ones(4, 5)
    spikes, v = fire(currents, rule=remedies.Silence(v_end <= 0))
    assert spikes.sum(0).tolist() == [0, 0, 4, 4, 4]
    assert v.tolist() == [4, 4, 0, 0, 0]


def test_permutation_keeps_counts() -> None:
    generator = torch.Generator().manual_seed(0)
    spikes = fire(dyadic(3, 10, 300)).spikes
    permuted = remedies.permute_spikes(spikes, generator)
    assert torch.equal(permuted.sum(0), spikes.sum(0))
    assert not torch.equal(permuted, spikes)
    single = torch.zeros(4, 20_000)
    single[0] = 1
    spread = remedies.permute_spikes(single, generator).mean(1)
    assert spread.tolist() == pytest.approx([0.25] * 4, abs=0.02)


# --- the random deep network ------------------------------------------------------------------------------


def test_remedies_in_the_deep_random_network() -> None:
    net, steps = random_dense_net(samples=50), 8
    plain = [layer.uneven for layer in depth_profile(net, steps)]
    shares = {
        name: [layer.uneven for layer in depth_profile(net, steps, rule)]
        for name, rule in [
            ("one pass", lambda c, t, v: calibrated(c, t, v, passes=1)),
            ("two passes", calibrated),
            ("three passes", lambda c, t, v: calibrated(c, t, v, passes=3)),
            ("wait", remedies.wait_then_fire),
            ("tracking", tracking),
            ("signed", signed),
        ]
    }
    assert all(share > 0.05 for share in plain[1:])
    assert max(shares["one pass"]) <= 0.004
    assert max(shares["two passes"]) <= 2e-4
    assert max(shares["three passes"]) == 0
    assert max(shares["wait"]) == 0
    assert max(shares["tracking"]) == 0
    assert all(new < old / 2 for new, old in zip(shares["signed"][1:], plain[1:], strict=True))


def test_random_order_hurts_in_the_deep_random_network() -> None:
    """With untrained weights the regular spikes of a constant-driven layer are evener than a random order."""
    net, steps, generator = random_dense_net(samples=50), 8, torch.Generator().manual_seed(0)

    def permuted(currents: Tensor, threshold: Tensor, v0: Tensor) -> Firing:
        spikes, v_end = fire(currents, threshold, v0)
        return Firing(remedies.permute_spikes(spikes, generator), v_end)

    plain, shuffled = depth_profile(net, steps), depth_profile(net, steps, permuted)
    assert sum(row.uneven for row in shuffled) > 1.05 * sum(row.uneven for row in plain)
    assert shuffled[0].uneven == 0


def test_srp_in_the_deep_random_network() -> None:
    """Silencing the neurons with nothing left removes part of the error: fewer uneven neurons, smaller distance."""
    net, steps = random_dense_net(samples=50), 8
    plain = depth_profile(net, steps)
    masks: list[Tensor] = []

    def observe(currents: Tensor, threshold: Tensor, v0: Tensor) -> Firing:
        firing = fire(currents, threshold, v0)
        masks.append(remedies.residual_mask(firing.v_end, threshold))
        return firing

    depth_profile(net, steps, observe)
    silenced = depth_profile(net, steps, [partial(fire, rule=remedies.Silence(mask)) for mask in masks])
    assert sum(row.uneven for row in silenced) < 0.8 * sum(row.uneven for row in plain)
    for new, old in zip(silenced[1:], plain[1:], strict=True):
        assert new.relative_rmse < old.relative_rmse
        assert 0.02 < new.uneven < 0.16


# --- converted networks -----------------------------------------------------------------------------------


@settings(max_examples=15)
@given(seed=SEEDS)
def test_network_without_unevenness(seed: int) -> None:
    """Tracking and full calibration give exactly the logits of the evenly fed network."""
    network, x = dyadic_network(seed)
    steps = 8
    tracked = ruled(network, x, steps, partial(remedies.ExactTracking, steps))
    with remedies.offsets_calibrated(network, x, pre_steps=steps, passes=steps) as pre_steps:
        started = network(x, steps).clone()
    even = errors.even_logits(network, x, steps)
    for logits in (tracked, started):
        torch.testing.assert_close(logits, even, rtol=0, atol=1e-6)
    assert pre_steps == 3 * 8 * 8


def test_waiting_in_every_layer_is_the_evenly_fed_network() -> None:
    network, x = dyadic_network(11)
    steps = 8
    linears = [layer for layer in network.reference.modules() if isinstance(layer, nn.Linear)]
    signal = x.expand(steps, -1, -1)
    with torch.no_grad():
        for number, linear in enumerate(linears[:-1]):
            rule = remedies.wait_then_fire if number else fire  # a constant input need not be waited for
            signal = rule(linear(signal), 1.0, 0.5).spikes
        expected = linears[-1](signal).mean(0)
    torch.testing.assert_close(errors.even_logits(network, x, steps), expected, rtol=0, atol=1e-6)


def test_calibration_by_layer_in_a_network() -> None:
    network, x = dyadic_network(4)
    before = uneven_share(network, x, 8)
    assert before[0] == 0
    assert min(before[1:]) > 0.02
    kept = network(x, 8).clone()
    with remedies.offsets_calibrated(network, x, pre_steps=8, passes=3) as pre_steps:
        assert pre_steps == 3 * 3 * 8
        assert uneven_share(network, x, 8) == [0, 0, 0]
    with remedies.offsets_calibrated(network, x, pre_steps=8, passes=1, together=True) as pre_steps:
        assert pre_steps == 8
        once = uneven_share(network, x, 8)
    with remedies.offsets_calibrated(network, x, pre_steps=8, passes=12, together=True) as pre_steps:
        assert pre_steps == 96
        often = uneven_share(network, x, 8)
    assert once[1] < before[1]
    assert sum(often) < sum(once)
    assert torch.equal(network(x, 8), kept)  # everything was put back


def test_signed_spikes_in_a_network() -> None:
    network, x = dyadic_network(4)
    plain = sum(uneven_share(network, x, 8))
    layers = monitor.spiking_layers(network)
    with remedies.firing_rules(network, {name: remedies.SignedSpikes() for name in layers}):
        assert sum(uneven_share(network, x, 8)) < plain / 2


def test_converted_and_array_networks_agree() -> None:
    network, x, net = deep_network()
    measured = [row.uneven for row in errors.measure_errors(network, [x], 8)]
    profile = [row.uneven for row in depth_profile(net, 8)]
    assert measured == pytest.approx(profile, abs=2e-3)  # float32 against float64


def test_srp_in_a_network() -> None:
    network, x, net = deep_network()
    plain_logits = network(x, 8).clone()
    plain_runs = monitor.record(network, x, 8)
    plain = errors.measure_errors(network, [x], 8)
    masks = {
        name: remedies.residual_mask(run.v_end, run.threshold)
        for name, run in monitor.record(network, x, 8).items()
    }
    with remedies.residuals_silenced(network, x, pre_steps=8) as pre_steps:
        assert pre_steps == 8
        treated = errors.measure_errors(network, [x], 8)
        runs = monitor.record(network, x, 8)
        for name, run in runs.items():
            assert float(run.count[masks[name]].sum()) == 0
        with pytest.raises(ValueError, match="the mask was made for shape"):
            network(x[:3], 8)
    for new, old in zip(treated[1:], plain[1:], strict=True):
        assert new.uneven < old.uneven
    for name, target in list(zip(runs, net.activations(8), strict=True))[2:]:
        distances = [float((each[name].average - target).square().mean()) for each in (runs, plain_runs)]
        assert distances[0] < distances[1]  # nearer to the rounded network
    assert torch.equal(network(x, 8), plain_logits)


def test_rules_are_put_back_after_an_error() -> None:
    network, x = dyadic_network(0)
    name = next(iter(network.neurons()))
    rule = network.neurons()[name].rule
    with (
        pytest.raises(RuntimeError, match="stop"),
        remedies.firing_rules(network, {name: remedies.SignedSpikes()}),
    ):
        raise RuntimeError("stop")
    assert network.neurons()[name].rule is rule
    assert network(x, 2).shape == (12, 5)


# --- bad input --------------------------------------------------------------------------------------------


def test_bad_input() -> None:
    network, x = dyadic_network(0)
    with (
        pytest.raises(KeyError, match="no spiking layer 'nowhere'"),
        remedies.firing_rules(network, {"nowhere": remedies.SignedSpikes()}),
    ):
        pass
    with (
        pytest.raises(ValueError, match="pre_steps must be at least 1; got 0"),
        remedies.residuals_silenced(network, x, pre_steps=0),
    ):
        pass
    with (
        pytest.raises(ValueError, match="passes must be at least 1; got 0"),
        remedies.offsets_calibrated(network, x, pre_steps=4, passes=0),
    ):
        pass
    with pytest.raises(ValueError, match="T >= 1"):
        signed(torch.zeros(0, 3))
    with pytest.raises(ValueError, match="threshold must be a positive"):
        tracking(torch.zeros(3, 3), -1.0)
    with pytest.raises(TypeError, match="floating-point"):
        remedies.wait_then_fire(torch.zeros(3, 3, dtype=torch.int64))
    with pytest.raises(ValueError, match=r"tolerance must lie in \[0.0, 1.0\]"):
        remedies.residual_mask(torch.zeros(2), 1.0, tolerance=-1.0)
    with pytest.raises(ValueError, match="margin must lie"):
        remedies.offset_shift(torch.zeros(1), torch.zeros(1), torch.zeros(1), 1.0, margin=0.0)
    with pytest.raises(RuntimeError, match="has not run yet"):
        _ = remedies.Extremes().weakest
    with pytest.raises(ValueError, match="single number"):
        remedies.permute_spikes(torch.tensor(1.0), torch.Generator())
    with pytest.raises(ValueError, match="steps must be at least 1"):
        remedies.ExactTracking(0)
