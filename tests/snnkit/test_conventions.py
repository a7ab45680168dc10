"""One convention, many libraries: agreement where conventions match, and the size of the difference where not.

Plain NumPy loops and SpikingJelly agree with this library; snnTorch and Norse fire strictly above the threshold;
snnTorch resets one step late unless told otherwise; Norse's LIF neuron has a synaptic current; sinabs sends several
spikes in one step unless told otherwise.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from functools import partial

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from spikingjelly.activation_based import neuron
from spikingjelly.activation_based import surrogate as sj
from torch import Tensor

from snnkit import surrogate as sg
from snnkit.conversion.neuron import SpikingActivation
from snnkit.dynamics import (
    HardReset,
    SoftReset,
    delayed_reset_step,
    exact_decay,
    heaviside,
    if_step,
    lif_step,
    simulate,
)
from snnkit.layers import IF, LIF
from snnkit.plasticity import STDP, all_to_all, nearest_neighbour, online

SEEDS = st.integers(0, 2**32 - 1)
RESETS = st.sampled_from([None, 0.0, -0.25])
Array = NDArray[np.float64]


def currents(seed: int, *shape: int) -> Tensor:
    """Multiples of 1/64 around the threshold: exact in floating point, so ties with the threshold do occur."""
    generator = torch.Generator().manual_seed(seed)
    return (torch.rand(shape, generator=generator) * 96 - 32).round() / 64 + 0.25


def smooth(seed: int, *shape: int) -> Tensor:
    """Arbitrary reals: no neuron is ever exactly at its threshold."""
    return torch.rand(shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 1.5 - 0.3


def rule(v_reset: float | None) -> SoftReset | HardReset:
    return SoftReset() if v_reset is None else HardReset(v_reset)


def numpy_neuron(x: Array, decay: float, threshold: float, v_reset: float | None) -> tuple[Array, Array]:
    """The definition, one neuron at a time, without any library."""
    spikes, potentials = np.zeros_like(x), np.zeros_like(x)
    for index in np.ndindex(*x.shape[1:]):
        v = 0.0
        for t in range(len(x)):
            charge = decay * v + x[(t, *index)]
            fired = charge >= threshold
            v = (charge - threshold if v_reset is None else v_reset) if fired else charge
            spikes[(t, *index)], potentials[(t, *index)] = fired, v
    return spikes, potentials


def numpy_gradient(
    x: Array,
    weight: Array,
    decay: float,
    threshold: float,
    v_reset: float | None,
    slope: Callable[[Array], Array],
    detach: bool,
) -> Array:
    """dL/dx of L = sum(weight * spikes) by forward accumulation: one directional derivative per input."""
    steps = len(x)
    gradient = np.zeros_like(x)
    for source in range(steps):
        v, dv = np.zeros(x.shape[1:]), np.zeros(x.shape[1:])
        for t in range(steps):
            charge = decay * v + x[t]
            dcharge = decay * dv + (t == source)
            spike = (charge >= threshold).astype(float)
            dspike = slope(charge - threshold) * dcharge
            gradient[source] += weight[t] * dspike
            through = 0.0 if detach else dspike
            if v_reset is None:
                v, dv = charge - threshold * spike, dcharge - threshold * through
            else:
                v = charge * (1 - spike) + v_reset * spike
                dv = dcharge * (1 - spike) + (v_reset - charge) * through
    return gradient


# --- agreement: neurons -----------------------------------------------------------------------------------


@given(
    seed=SEEDS, decay=st.sampled_from([1.0, 0.5, 0.75]), v_reset=RESETS, threshold=st.sampled_from([0.5, 1.0])
)
def test_layers_and_steps_agree_with_numpy_and_spikingjelly(
    seed: int, decay: float, v_reset: float | None, threshold: float
) -> None:
    x = currents(seed, 10, 2, 5)
    spikes, potentials = numpy_neuron(x.double().numpy(), decay, threshold, v_reset)
    layer = (
        IF(threshold, reset=rule(v_reset))
        if decay == 1
        else LIF(decay=decay, threshold=threshold, reset=rule(v_reset))
    )
    assert np.array_equal(layer(x).numpy(), spikes)
    trace = simulate(partial(lif_step, decay=decay, threshold=threshold, reset=rule(v_reset)), x.double())
    assert np.array_equal(trace.spikes.numpy(), spikes)
    assert np.array_equal(trace.v.numpy(), potentials)
    if v_reset:
        return  # SpikingJelly starts from v_reset and leaks towards it: see the differences below
    options = {"v_threshold": threshold, "v_reset": v_reset, "step_mode": "m"}
    node = (
        neuron.IFNode(**options)
        if decay == 1
        else neuron.LIFNode(tau=1 / (1 - decay), decay_input=False, **options)
    )
    assert np.array_equal(node(x.double()).numpy(), spikes)


@given(seed=SEEDS, threshold=st.sampled_from([0.5, 1.0, 2.0]))
def test_converted_neuron_agrees_with_numpy_and_spikingjelly(seed: int, threshold: float) -> None:
    x = currents(seed, 12, 3, 4)
    spikes, potentials = numpy_neuron(x.double().numpy(), 1.0, threshold, None)
    node = neuron.IFNode(v_threshold=threshold, v_reset=None)
    ours = SpikingActivation(threshold)
    for t, current in enumerate(x):
        output = ours(current)
        assert np.array_equal(output.numpy(), spikes[t] * threshold)
        assert ours.v is not None
        assert np.array_equal(ours.v.numpy(), potentials[t])
        assert torch.equal(node(current) * threshold, output)


@given(
    seed=SEEDS, decay=st.sampled_from([1.0, 0.5]), v_reset=st.sampled_from([None, 0.0]), detach=st.booleans()
)
def test_gradients_agree_with_numpy_and_spikingjelly(
    seed: int, decay: float, v_reset: float | None, detach: bool
) -> None:
    x = smooth(seed, 6, 1, 4)
    weight = torch.randn(x.shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    layer = LIF(decay=decay, surrogate=sg.ATan(2.0), reset=rule(v_reset), detach_reset=detach)
    options = {
        "v_reset": v_reset,
        "detach_reset": detach,
        "step_mode": "m",
        "surrogate_function": sj.ATan(2.0),
    }
    node = (
        neuron.IFNode(**options)
        if decay == 1
        else neuron.LIFNode(tau=1 / (1 - decay), decay_input=False, **options)
    )
    gradients = []
    for model in (layer, node):
        leaf = x.clone().requires_grad_()
        (model(leaf) * weight).sum().backward()
        assert leaf.grad is not None
        gradients.append(leaf.grad.numpy())

    def slope(u: Array) -> Array:
        return 1 / (1 + (math.pi * u) ** 2)

    expected = numpy_gradient(x.numpy(), weight.numpy(), decay, 1.0, v_reset, slope, detach)
    np.testing.assert_allclose(gradients[0], expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(gradients[1], expected, rtol=1e-9, atol=1e-12)


# --- agreement: surrogates and STDP -----------------------------------------------------------------------

SLOPES: list[tuple[sg.Surrogate, Callable[[Array], Array]]] = [
    (sg.Rectangle(2.0), lambda x: 2.0 * (np.abs(x) <= 0.25)),
    (sg.PiecewiseQuadratic(2.0), lambda x: np.maximum(0, 2.0 - 4.0 * np.abs(x))),
    (sg.Sigmoid(4.0), lambda x: 4 * np.exp(-4 * x) / (1 + np.exp(-4 * x)) ** 2),
    (sg.ATan(2.0), lambda x: 1 / (1 + (np.pi * x) ** 2)),
    (sg.Erf(2.0), lambda x: 2 / np.sqrt(np.pi) * np.exp(-4 * x**2)),
    (sg.SoftSign(2.0), lambda x: 1 / (2 * 2 * (1 / 2 + np.abs(x)) ** 2)),
    (sg.Sine(1.0), lambda x: np.pi / 4 * np.cos(np.pi * x / 2) * (np.abs(x) <= 1)),
    (sg.Power(0.5, floor=1e-2), lambda x: 0.25 * np.maximum(np.abs(x), 1e-2) ** -0.5 * (np.abs(x) <= 1)),
]


@pytest.mark.parametrize(("family", "slope"), SLOPES, ids=lambda value: type(value).__name__)
@settings(max_examples=10)
@given(seed=SEEDS)
def test_surrogates_agree_with_numpy(
    family: sg.Surrogate, slope: Callable[[Array], Array], seed: int
) -> None:
    x = (torch.rand(300, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) - 0.5) * 3
    leaf = x.clone().requires_grad_()
    spikes = family(leaf)
    spikes.sum().backward()
    assert np.array_equal(spikes.detach().numpy(), (x.numpy() >= 0).astype(float))
    assert leaf.grad is not None
    np.testing.assert_allclose(leaf.grad.numpy(), slope(x.numpy()), rtol=1e-9, atol=1e-12)


@given(seed=SEEDS, tau=st.floats(0.5, 20), a_plus=st.floats(0, 2), a_minus=st.floats(0, 2))
def test_stdp_agrees_with_a_numpy_loop_over_pairs(
    seed: int, tau: float, a_plus: float, a_minus: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    pre = (torch.rand(12, 2, 3, generator=generator, dtype=torch.float64) < 0.3).double()
    post = (torch.rand(12, 2, 2, generator=generator, dtype=torch.float64) < 0.3).double()
    expected = np.zeros((2, 3))
    nearest = np.zeros((2, 3))
    for sample in range(2):
        for out in range(2):
            for source in range(3):
                before = np.flatnonzero(pre[:, sample, source].numpy())
                after = np.flatnonzero(post[:, sample, out].numpy())
                for t_post in after:
                    gaps = t_post - before
                    expected[out, source] += a_plus * np.exp(-gaps[gaps > 0] / tau).sum()
                    if (gaps > 0).any():
                        nearest[out, source] += a_plus * np.exp(-gaps[gaps > 0].min() / tau)
                for t_pre in before:
                    gaps = t_pre - after
                    expected[out, source] -= a_minus * np.exp(-gaps[gaps > 0] / (2 * tau)).sum()
                    if (gaps > 0).any():
                        nearest[out, source] -= a_minus * np.exp(-gaps[gaps > 0].min() / (2 * tau))
    window = STDP(a_plus, a_minus, tau, 2 * tau)
    np.testing.assert_allclose(all_to_all(window, pre, post).numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(online(window, pre, post).numpy(), expected, rtol=1e-9, atol=1e-12)
    np.testing.assert_allclose(nearest_neighbour(window, pre, post).numpy(), nearest, rtol=1e-9, atol=1e-12)


# --- difference: at the threshold -------------------------------------------------------------------------


def ours(x: Tensor, step: Callable[[Tensor, Tensor], tuple[Tensor, Tensor]] = if_step) -> list[int]:
    return [int(value) for value in simulate(step, x).spikes.flatten()]


def snntorch_spikes(x: Tensor, beta: float = 1.0, delayed: bool = True) -> list[int]:
    snntorch = pytest.importorskip("snntorch")
    node = snntorch.Leaky(beta=beta, threshold=1.0, reset_mechanism="subtract", reset_delay=delayed)
    memory, spikes = torch.zeros_like(x[0]), []
    for current in x:
        spike, memory = node(current, memory)
        spikes.append(int(spike.sum()))
    return spikes


def norse_spikes(x: Tensor, decay: float) -> list[int]:
    norse = pytest.importorskip("norse.torch.functional.lif_box")
    state = norse.LIFBoxFeedForwardState(v=torch.zeros_like(x[0]))
    parameters = norse.LIFBoxParameters(tau_mem_inv=torch.tensor((1 - decay) * 1000.0, dtype=x.dtype))
    spikes = []
    for current in x:
        spike, state = norse.lif_box_feed_forward_step(current, state, parameters, dt=0.001)
        spikes.append(int(spike.sum()))
    return spikes


def sinabs_spikes(x: Tensor, several: bool = False) -> list[int]:
    layers = pytest.importorskip("sinabs.layers")
    activation = pytest.importorskip("sinabs.activation")
    how = activation.MultiSpike if several else activation.SingleSpike
    out = layers.IAF(spike_fn=how)(x.reshape(1, -1, 1))
    return [int(value) for value in out.flatten()]


@pytest.mark.parametrize(("level", "at", "above"), [(0.5, 8, 7), (1.0, 16, 15)])
def test_constant_current_that_meets_the_threshold(level: float, at: int, above: int) -> None:
    x = torch.full((16, 1), level)
    assert sum(ours(x)) == at
    assert sum(ours(x, lambda v, u: strict_step(v, u))) == above
    assert int(neuron.IFNode(v_reset=None, step_mode="m")(x).sum()) == at


def strict_step(v: Tensor, x: Tensor) -> tuple[Tensor, Tensor]:
    """Fire above the threshold only: what snnTorch and Norse do."""
    charge = v + x
    spike = (charge > 1).to(charge.dtype)
    return spike, charge - spike


def test_snntorch_fires_strictly_above_the_threshold() -> None:
    x = torch.full((16, 1), 0.5)
    assert sum(snntorch_spikes(x, delayed=False)) == 7
    assert snntorch_spikes(x, delayed=False) == ours(x, strict_step)
    assert sum(snntorch_spikes(torch.full((16, 1), 1.0), delayed=False)) == 15


def test_norse_fires_strictly_above_the_threshold() -> None:
    threshold = pytest.importorskip("norse.torch.functional.threshold").threshold
    distance = torch.tensor([-1.0, 0.0, 1.0])
    assert threshold(distance, "super", torch.tensor(100.0)).tolist() == [0, 0, 1]
    assert heaviside(distance).tolist() == [0, 1, 1]


def test_sinabs_fires_at_the_threshold() -> None:
    x = torch.full((16, 1), 0.5)
    assert sinabs_spikes(x) == ours(x)
    assert sum(sinabs_spikes(x)) == 8


# --- difference: reset, synapse, several spikes -----------------------------------------------------------


@given(seed=SEEDS, beta=st.sampled_from([1.0, 0.9, 0.5]))
def test_snntorch_resets_one_step_late(seed: int, beta: float) -> None:
    """Away from ties its default is our delayed reset; ``reset_delay=False`` is our soft reset for small inputs."""
    x = smooth(seed, 25, 1).float()
    assert snntorch_spikes(x, beta) == ours(x, partial(delayed_reset_step, decay=beta))
    small = x.clamp(max=0.99)  # no step can leave a whole threshold behind
    assert snntorch_spikes(small, beta, delayed=False) == ours(small, partial(lif_step, decay=beta))


def test_snntorch_without_delay_holds_what_is_above_the_threshold_after_the_reset() -> None:
    x = torch.tensor([[2.5], [0.0], [0.0], [0.0]])
    assert ours(x) == [1, 1, 0, 0]
    assert snntorch_spikes(x) == [1, 1, 0, 0]
    assert snntorch_spikes(x, delayed=False) == [1, 0, 0, 0]


def test_late_reset_leaves_a_boundary_term() -> None:
    """Charge balance: exact for the reset in the same step, off by s(T) theta/T for the late one."""
    x = torch.full((8, 1), 0.75)
    for step, boundary in ((if_step, 0.0), (delayed_reset_step, 1.0)):
        trace = simulate(step, x)
        last = float(trace.spikes[-1])
        assert last == 1
        balance = float(trace.spikes.mean() - (x.mean() - trace.v[-1] / 8))
        assert balance == pytest.approx(boundary * last / 8)


def test_leak_with_a_decayed_input_loses_the_late_reset() -> None:
    """With a leak the late reset subtracts a whole threshold from a potential that has already decayed."""
    x = torch.full((30, 1), 0.8)
    assert ours(x, partial(lif_step, decay=0.5)) != ours(x, partial(delayed_reset_step, decay=0.5))


@given(seed=SEEDS, decay=st.sampled_from([0.5, 0.75, 0.9]))
def test_norse_box_scales_the_input_and_resets_to_a_value(seed: int, decay: float) -> None:
    x = smooth(seed, 25, 1) * 4
    step = partial(lif_step, decay=decay, reset=HardReset())
    assert norse_spikes(x, decay) == ours((1 - decay) * x, step)


def test_norse_lif_has_a_synaptic_current() -> None:
    """One input pulse drives the membrane for many steps; it equals our neuron behind an exponential filter."""
    lif = pytest.importorskip("norse.torch.functional.lif")
    parameters = lif.LIFParameters()  # tau_mem 10 ms, tau_syn 5 ms
    state = lif.LIFFeedForwardState(v=torch.zeros(1), i=torch.zeros(1))
    x = torch.zeros(40, 1)
    x[0] = 0.9
    x[20] = 30.0
    potentials, spikes = [], []
    for current in x:
        spike, state = lif.lif_feed_forward_step(current, state, parameters, dt=0.001)
        potentials.append(state.v)
        spikes.append(spike)
    synapse, filtered = torch.zeros(1), []
    for current in x:
        synapse = synapse + current
        filtered.append(0.1 * synapse)
        synapse = synapse * (1 - 0.2)
    trace = simulate(partial(lif_step, decay=0.9, reset=HardReset()), torch.stack(filtered))
    assert torch.equal(torch.stack(spikes), trace.spikes)
    assert float(trace.spikes.sum()) > 1  # one pulse, several spikes
    torch.testing.assert_close(torch.stack(potentials), trace.v)
    direct = simulate(partial(lif_step, decay=0.9, reset=HardReset()), 0.1 * x)
    assert int(torch.stack(potentials)[:20].argmax()) > int(direct.v[:20].argmax())


@given(seed=SEEDS)
def test_sinabs_with_single_spikes_agrees(seed: int) -> None:
    x = currents(seed, 20, 1)
    assert sinabs_spikes(x) == ours(x)


def test_sinabs_sends_several_spikes_in_one_step_by_default() -> None:
    x = torch.tensor([[2.5], [0.0], [0.0], [0.0]])
    assert sinabs_spikes(x, several=True) == [2, 0, 0, 0]
    assert ours(x) == [1, 1, 0, 0]


@given(seed=SEEDS, tau=st.sampled_from([2.0, 5.0, 20.0]))
def test_sinabs_lif_decays_exactly_and_scales_its_input(seed: int, tau: float) -> None:
    layers = pytest.importorskip("sinabs.layers")
    activation = pytest.importorskip("sinabs.activation")
    x = smooth(seed, 20, 1).float() * 4
    theirs = layers.LIF(tau_mem=tau, spike_fn=activation.SingleSpike)(x.reshape(1, -1, 1))
    decay = exact_decay(1.0, tau)
    assert [int(value) for value in theirs.flatten()] == ours((1 - decay) * x, partial(lif_step, decay=decay))


def test_spikingjelly_starts_from_and_leaks_towards_the_reset_potential() -> None:
    """With v_reset other than 0 its membrane rests at v_reset; ours rests at 0 and starts where it is told to."""
    node = neuron.LIFNode(tau=2.0, decay_input=False, v_reset=-1.0, step_mode="m", store_v_seq=True)
    node(torch.zeros(30, 1))
    assert node.v_seq.flatten().tolist() == [-1.0] * 30
    trace = simulate(partial(lif_step, decay=0.5, reset=HardReset(-1.0)), torch.zeros(30, 1), -1.0)
    assert float(trace.v[0]) == -0.5
    assert float(trace.v[-1]) == pytest.approx(0.0, abs=1e-6)
    x = currents(0, 20, 1, 6)
    started = neuron.IFNode(v_reset=-0.25, step_mode="m")(x)
    assert torch.equal(started, simulate(partial(if_step, reset=HardReset(-0.25)), x, -0.25).spikes)


def test_hard_reset_loses_charge() -> None:
    x = torch.full((16, 1), 0.7)
    assert sum(ours(x)) == 11
    assert sum(ours(x, partial(if_step, reset=HardReset()))) == 8
