"""Multi-step layers: against the autograd loop, SpikingJelly, a NumPy loop and the balance of charge."""

from __future__ import annotations

import itertools
import math
import warnings

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron
from spikingjelly.activation_based import surrogate as sj
from torch import nn

from snnkit import layers
from snnkit import surrogate as sg
from snnkit.dynamics import HardReset, SoftReset
from snnkit.layers import IF, LIF, DeadLayerWarning, TimeFolded, lif_reference

RESETS = [SoftReset(), HardReset(), HardReset(-0.3)]


def both(layer: LIF, x: torch.Tensor, initial: torch.Tensor, weight: torch.Tensor):
    """Spikes and the gradients of a random loss, by the layer and by the loop."""
    results = []
    for run in (
        layer,
        lambda x, initial: lif_reference(
            x,
            decay=layer.decay,
            threshold=layer.threshold,
            surrogate=layer.surrogate,
            reset=layer.reset,
            detach_reset=layer.detach_reset,
            initial=initial,
        ),
    ):
        inputs, start = x.clone().requires_grad_(), initial.clone().requires_grad_()
        spikes = run(inputs, start)
        gradients = torch.autograd.grad((spikes * weight).sum(), [inputs, start])
        results.append((spikes.detach(), *gradients))
    return results


@pytest.mark.parametrize("name", sorted(sg.FAMILIES))
def test_hand_derived_gradient_is_that_of_the_loop(name):
    tolerances = {torch.float64: 1e-12, torch.float32: 2e-5}
    for reset, detach, dtype in itertools.product(RESETS, (False, True), tolerances):
        tolerance = tolerances[dtype]
        generator = torch.Generator().manual_seed(7)
        x = torch.randn(9, 4, 7, dtype=dtype, generator=generator) * 0.8 + 0.3
        initial = torch.rand(4, 7, dtype=dtype, generator=generator)
        weight = torch.randn(9, 4, 7, dtype=dtype, generator=generator)
        fast, slow = both(LIF(0.75, 0.8, sg.FAMILIES[name](), reset, detach), x, initial, weight)
        assert torch.equal(fast[0], slow[0])
        assert 0 < float(fast[0].mean()) < 1
        for ours, theirs in zip(fast[1:], slow[1:], strict=True):
            assert float(theirs.abs().sum()) > 0
            torch.testing.assert_close(ours, theirs, rtol=tolerance, atol=tolerance)


@given(
    shape=st.lists(st.integers(1, 5), min_size=2, max_size=5),
    decay=st.floats(0, 1),
    threshold=st.floats(0.1, 3),
    reset=st.sampled_from(RESETS),
    detach=st.booleans(),
    block=st.sampled_from([1, 7, 10_000]),
    seed=st.integers(0, 10_000),
)
def test_any_shape_and_block_length(shape, decay, threshold, reset, detach, block, seed):
    generator = torch.Generator().manual_seed(seed)
    x, weight = torch.randn(2, *shape, dtype=torch.float64, generator=generator)
    initial = torch.rand(shape[1:], dtype=torch.float64, generator=generator)
    with warnings.catch_warnings(), pytest.MonkeyPatch.context() as patch:
        warnings.simplefilter("ignore", DeadLayerWarning)
        patch.setattr(layers, "_BLOCK", block)
        fast, slow = both(LIF(decay, threshold, sg.ATan(), reset, detach), x, initial, weight)
    assert torch.equal(fast[0], slow[0])
    for ours, theirs in zip(fast[1:], slow[1:], strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-11, atol=1e-12)


@given(st.integers(2, 12), st.floats(0, 1), st.sampled_from(RESETS), st.integers(0, 10_000))
def test_spikes_equal_a_numpy_loop(steps, decay, reset, seed):
    x = np.random.default_rng(seed).normal(0.4, 0.8, (steps, 3, 5))
    v, expected = np.zeros((3, 5)), []
    for current in x:
        charge = decay * v + current
        spike = charge >= 1.0
        v = np.where(spike, charge - 1.0 if isinstance(reset, SoftReset) else reset.v_reset, charge)
        expected.append(spike)
    layer = LIF(decay, reset=reset).eval()
    spikes = layer(torch.from_numpy(x))
    np.testing.assert_array_equal(spikes.numpy(), np.stack(expected))
    with_gradient = layer(torch.from_numpy(x).requires_grad_())
    assert torch.equal(spikes, with_gradient)


@pytest.mark.parametrize("detach", [False, True])
@pytest.mark.parametrize("v_reset", [None, 0.0])
@pytest.mark.parametrize("tau", [2.0, 5.0])
def test_equal_to_spikingjelly(tau, v_reset, detach):
    x = torch.rand(12, 6, 20, generator=torch.Generator().manual_seed(3)).requires_grad_()
    node = neuron.LIFNode(
        tau,
        decay_input=False,
        v_reset=v_reset,
        surrogate_function=sj.ATan(),
        detach_reset=detach,
        step_mode="m",
    )
    reset = SoftReset() if v_reset is None else HardReset(v_reset)
    ours, theirs = LIF(1 - 1 / tau, reset=reset, detach_reset=detach)(x), node(x)
    assert torch.equal(ours, theirs)
    weight = torch.randn(12, 6, 20, generator=torch.Generator().manual_seed(4))
    (expected,) = torch.autograd.grad((theirs * weight).sum(), x)
    (gradient,) = torch.autograd.grad((ours * weight).sum(), x)
    torch.testing.assert_close(gradient, expected, rtol=1e-4, atol=1e-5)


def test_surrogates_of_spikingjelly_serve_too():
    x = torch.randn(6, 3, 4, dtype=torch.float64, generator=torch.Generator().manual_seed(5)).requires_grad_()
    (theirs,) = torch.autograd.grad(LIF(surrogate=sj.Sigmoid(4.0))(x).sum(), x)
    (ours,) = torch.autograd.grad(LIF(surrogate=sg.Sigmoid(4.0))(x).sum(), x)
    torch.testing.assert_close(ours, theirs)


@given(st.integers(1, 20), st.integers(0, 10_000))
def test_integrate_and_fire_keeps_the_balance_of_charge(steps, seed):
    """v(T) = v(0) + sum of the input - threshold * spikes, exactly for dyadic currents."""
    generator = torch.Generator().manual_seed(seed)
    x = torch.randint(-8, 12, (steps, 5), generator=generator).double() / 4
    spikes = IF().eval()(x, initial=0.5)
    last = 0.5 + x.sum(0) - spikes.sum(0)
    probe = torch.cat([x, torch.zeros(1, 5, dtype=torch.float64)])
    assert torch.equal(IF().eval()(probe, initial=0.5)[-1], (last >= 1).double())


def test_neuron_at_threshold_fires():
    assert float(IF()(torch.full((16, 1), 0.5)).sum()) == 8
    assert float(IF()(torch.full((16, 1), 1.0)).sum()) == 16
    assert float(IF(reset=HardReset())(torch.full((16, 1), 0.7)).sum()) == 8
    assert float(IF()(torch.full((16, 1), 0.7)).sum()) == 11


def test_initial_potential_may_be_a_number_or_broadcast():
    x = torch.rand(5, 2, 3)
    start = torch.tensor([0.1, 0.5, 0.9])
    assert torch.equal(LIF()(x, initial=0.5), LIF()(x, initial=torch.full((2, 3), 0.5)))
    assert torch.equal(LIF()(x, initial=start), LIF()(x, initial=start.expand(2, 3)))
    learned = torch.tensor(0.5, requires_grad=True)
    (gradient,) = torch.autograd.grad(LIF()(x, initial=learned).sum(), learned)
    assert float(gradient) > 0


def test_input_is_left_alone_and_may_be_expanded():
    x = torch.rand(1, 4, 3)
    before = x.clone()
    constant = x.expand(6, 4, 3).clone().requires_grad_()
    assert torch.equal(LIF().eval()(x.expand(6, 4, 3)), LIF().eval()(constant))
    LIF()(constant).sum().backward()
    assert torch.equal(x, before)


def test_an_empty_batch_passes():
    layer = LIF()
    x = torch.zeros(4, 0, 3, requires_grad=True)
    for _ in range(5):
        layer(x).sum().backward()
    assert x.grad.shape == (4, 0, 3)


def test_other_reset_rules_go_through_the_loop():
    class Halve:
        def __call__(self, charge, spike, threshold):
            return charge * (1 - spike / 2)

    x = torch.rand(8, 3, 4, dtype=torch.float64).requires_grad_()
    layer = LIF(reset=Halve())
    expected = lif_reference(x, decay=0.5, surrogate=sg.ATan(), reset=Halve())
    assert torch.equal(layer(x), expected)
    assert layer(x).requires_grad


def test_primitive_mode_gives_the_smooth_network():
    x = torch.rand(8, 3, 4, dtype=torch.float64).requires_grad_()
    surrogate = sg.Sigmoid(spiking=False)
    output = LIF(surrogate=surrogate)(x)
    assert torch.equal(output, lif_reference(x, decay=0.5, surrogate=surrogate))
    assert torch.autograd.gradcheck(LIF(surrogate=surrogate), x)


def test_second_derivative_is_refused_not_wrong():
    x = torch.rand(4, 2, 3, requires_grad=True)
    (gradient,) = torch.autograd.grad(LIF()(x).square().sum(), x, create_graph=True)
    with pytest.raises(RuntimeError, match="once_differentiable"):
        gradient.sum().backward()


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, r"decay must lie in \[0.0, 1.0\]; got 1.5", lambda: LIF(decay=1.5)),
        (ValueError, "threshold must be a positive finite number; got -1", lambda: LIF(threshold=-1.0)),
        (ValueError, "threshold must be a positive finite number; got nan", lambda: IF(threshold=math.nan)),
        (TypeError, "surrogate must be callable; got str", lambda: LIF(surrogate="atan")),
        (TypeError, r"reset must be a reset rule such as SoftReset\(\)", lambda: LIF(reset=SoftReset)),
        (TypeError, "reset must be a reset rule", lambda: LIF(reset=None)),
        (TypeError, "torch.int64", lambda: LIF()(torch.zeros(2, 3, dtype=torch.int64))),
        (TypeError, "got list", lambda: LIF()([1.0])),
        (ValueError, r"T >= 1, time first; got shape \[0, 3\]", lambda: LIF()(torch.zeros(0, 3))),
        (ValueError, r"got shape \[3\]", lambda: LIF()(torch.zeros(3))),
        (ValueError, r"shape \[2, 3\]; got shape \[5\]", lambda: LIF()(torch.zeros(4, 2, 3), torch.zeros(5))),
        (
            ValueError,
            r"element \(1, 0\) is nan",
            lambda: LIF(check_finite=True)(torch.tensor([[0.0], [math.nan]])),
        ),
        (ValueError, r"\[T, N, ...\]; got shape \[3\]", lambda: TimeFolded(nn.Identity())(torch.zeros(3))),
        (TypeError, r"LIF \(at '1'\) keeps a state", lambda: TimeFolded(nn.Sequential(nn.Identity(), LIF()))),
        (TypeError, "IFNode keeps a state", lambda: TimeFolded(neuron.IFNode())),
    ],
)
def test_bad_input(error, match, call):
    with pytest.raises(error, match=match):
        call()


def test_folding_time_equals_a_loop_over_time():
    generator = torch.Generator().manual_seed(0)
    x = torch.randn(5, 2, 3, 8, 8, generator=generator)
    convolution = nn.Conv2d(3, 4, 3)
    expected = torch.stack([convolution(step) for step in x])
    torch.testing.assert_close(TimeFolded(convolution)(x), expected)
    assert TimeFolded(nn.Flatten())(x).shape == (5, 2, 192)


# -- warnings of dead layers --------------------------------------------------------------------------------


def test_zero_gradient_and_no_spike_warn_at_once_and_only_once():
    layer = LIF(surrogate=sg.PiecewiseQuadratic(2.0))
    x = torch.full((4, 2, 3), 0.1, requires_grad=True)
    with pytest.warns(
        DeadLayerWarning, match="never fired and its surrogate gradient is exactly 0 everywhere"
    ):
        spikes = layer(x)
    (gradient,) = torch.autograd.grad(spikes.sum(), x)
    assert float(gradient.abs().max()) == 0
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        layer(x)


def test_zero_gradient_while_firing_warns():
    with pytest.warns(DeadLayerWarning, match="fired, but its surrogate gradient is exactly 0"):
        LIF(decay=0.0, surrogate=sg.Rectangle(4.0))(torch.full((4, 2, 3), 3.0, requires_grad=True))


def test_silence_alone_warns_when_it_lasts():
    layer = LIF()
    x = torch.full((4, 2, 3), 0.1, requires_grad=True)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for _ in range(3):
            layer(x)
    with pytest.warns(DeadLayerWarning, match=r"never fired in the 3 batches looked at \(training batch 4"):
        layer(x)


def test_a_live_or_evaluated_layer_does_not_warn():
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        live = LIF()
        for _ in range(9):
            live(torch.full((4, 2, 3), 2.0))
        dead = LIF(surrogate=sg.PiecewiseQuadratic(5.0)).eval()
        for _ in range(9):
            dead(torch.zeros(4, 2, 3))
    assert [str(warning.message) for warning in told] == []


def test_repr_names_the_settings():
    text = repr(LIF(0.5, 1.0, sg.ATan(), HardReset(), True))
    assert "decay=0.5" in text
    assert "reset=HardReset(v_reset=0.0)" in text
    assert "ATan" in text
