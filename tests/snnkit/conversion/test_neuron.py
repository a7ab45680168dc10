"""Spiking activation against a plain NumPy loop, the sum identity and the closed form for constant currents."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from spikingjelly.activation_based import neuron as sj

from snnkit.conversion.neuron import (
    BiasShift,
    BinarySpikes,
    Floor,
    InitialPotential,
    SpikingActivation,
    align,
    clip_floor,
)


def run(neuron: SpikingActivation, currents: torch.Tensor) -> torch.Tensor:
    neuron.reset_state()
    return torch.stack([neuron(current).clone() for current in currents])


def numpy_loop(
    currents: np.ndarray, theta: np.ndarray, shift: np.ndarray, v0: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    v = np.broadcast_to(v0, currents.shape[1:]).copy()
    outputs = []
    for current in currents:
        charge = v + current + shift
        spike = (charge >= theta).astype(float)
        v = charge - spike * theta
        outputs.append(spike * theta)
    return np.array(outputs), v


@given(seed=st.integers(0, 2**20), steps=st.integers(1, 12), per_channel=st.booleans())
def test_equals_numpy_loop_and_sum_identity(seed: int, steps: int, per_channel: bool) -> None:
    rng = np.random.default_rng(seed)
    currents = rng.integers(-8, 12, size=(steps, 2, 3, 2, 2)) / 4  # dyadic: float32 is exact
    theta = rng.integers(1, 8, size=(1, 3, 1, 1) if per_channel else (1, 1, 1, 1)) / 4
    shift = rng.integers(-2, 3, size=(1, 3, 1, 1)) / 4
    v0 = rng.integers(-2, 3, size=(1, 3, 2, 2)) / 4
    expected, v_end = numpy_loop(currents, theta, shift, v0)
    neuron = SpikingActivation(
        torch.tensor(theta.reshape(-1) if per_channel else theta.item(), dtype=torch.float32),
        shift=torch.tensor(shift.reshape(3), dtype=torch.float32),
        initial=torch.tensor(v0[0], dtype=torch.float32),
    )
    outputs = run(neuron, torch.tensor(currents, dtype=torch.float32))
    assert neuron.v is not None
    np.testing.assert_array_equal(outputs.numpy(), expected)
    np.testing.assert_array_equal(neuron.v.numpy(), v_end)
    average = expected.mean(0)
    np.testing.assert_allclose(average, currents.mean(0) + shift - (v_end - v0) / steps, atol=1e-12)


def test_equals_spikingjelly_soft_reset_if() -> None:
    currents = torch.randn(30, 4, 5, generator=torch.Generator().manual_seed(1))
    theirs = sj.IFNode(v_threshold=0.75, v_reset=None)
    ours = run(SpikingActivation(0.75), currents)
    assert torch.equal(ours, torch.stack([theirs(current) for current in currents]) * 0.75)


def test_fires_at_threshold() -> None:
    outputs = run(SpikingActivation(1.0), torch.full((16, 1, 1), 0.5))
    assert outputs.sum() == 8
    assert run(SpikingActivation(1.0), torch.ones(16, 1, 1)).sum() == 16


@pytest.mark.parametrize("rounding", [Floor(), BiasShift(8), InitialPotential()])
def test_constant_current_gives_closed_form(rounding: Floor | BiasShift | InitialPotential) -> None:
    z = torch.linspace(-1, 3, 500).view(1, -1) + 1e-3
    neuron = SpikingActivation(1.5)
    rounding.apply(neuron)
    average = run(neuron, z.expand(8, 1, -1)).mean(0)
    offset = rounding.offset * 1.5
    torch.testing.assert_close(average, clip_floor(z, threshold=torch.tensor(1.5), initial=offset, steps=8))
    assert average.min() == 0
    assert average.max() == 1.5


def test_shift_and_initial_potential_differ_for_uneven_input() -> None:
    currents = torch.tensor([0.5, 0.0, 0.0, 0.0]).view(4, 1, 1)
    shifted, started = SpikingActivation(1.0), SpikingActivation(1.0)
    BiasShift(4).apply(shifted)
    InitialPotential().apply(started)
    assert run(shifted, currents).flatten().tolist() == [0, 0, 0, 1]
    assert run(started, currents).flatten().tolist() == [1, 0, 0, 0]


def test_rule_can_be_replaced() -> None:
    class Graded(BinarySpikes):
        resets = 0

        def fire(self, charge: torch.Tensor, threshold: torch.Tensor, output: torch.Tensor) -> None:
            output.copy_(torch.floor(charge / threshold).clamp_min(0) * threshold)

        def reset(self) -> None:
            self.resets += 1

    rule = Graded()
    neuron = SpikingActivation(0.5, rule=rule)
    outputs = run(neuron, torch.tensor([1.75, -0.25]).view(2, 1, 1))
    assert outputs.flatten().tolist() == [1.5, 0.0]
    assert neuron.v is not None
    assert neuron.v.item() == 0.0
    assert rule.resets == 1


def test_output_is_a_reused_buffer_and_needs_no_grad() -> None:
    neuron = SpikingActivation(1.0)
    current = torch.ones(1, 2, requires_grad=True)
    first = neuron(current)
    second = neuron(current * 0)
    assert first.data_ptr() == second.data_ptr()
    assert not second.requires_grad


def test_state_dict_keeps_scalar_settings() -> None:
    neuron, other = SpikingActivation(2.0, shift=0.25, initial=0.5), SpikingActivation(1.0)
    other.load_state_dict(neuron.state_dict())
    assert (float(other.threshold), float(other.shift), float(other.initial)) == (2.0, 0.25, 0.5)
    assert "threshold=2" in repr(neuron)
    assert "0.5 to 1 (2)" in repr(SpikingActivation(torch.tensor([0.5, 1.0])))


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"threshold must be .* got -1"):
        SpikingActivation(-1.0)
    with pytest.raises(ValueError, match="smallest value is 0"):
        SpikingActivation(torch.tensor([1.0, 0.0]))
    with pytest.raises(ValueError, match=r"shape \[C\]; got shape \[1, 2\]"):
        SpikingActivation(torch.ones(1, 2))
    with pytest.raises(ValueError, match="shift must be finite"):
        SpikingActivation(1.0, shift=float("nan"))
    with pytest.raises(ValueError, match="initial must be finite"):
        SpikingActivation(1.0, initial=float("inf"))
    with pytest.raises(RuntimeError, match="no threshold yet"):
        SpikingActivation()(torch.ones(1, 1))
    neuron = SpikingActivation(torch.tensor([1.0, 2.0]))
    with pytest.raises(ValueError, match=r"shape \[2\] does not fit a current of shape \[1, 3\]"):
        neuron(torch.ones(1, 3))
    neuron(torch.ones(1, 2))
    with pytest.raises(ValueError, match=r"current has shape \[2, 2\], the state \[1, 2\]; call reset_state"):
        neuron(torch.ones(2, 2))
    with pytest.raises(ValueError, match="steps must be at least 1"):
        BiasShift(0)
    with pytest.raises(ValueError, match="does not fit"):
        align(torch.ones(2, 2, 2, 2, 2), torch.ones(1, 2))
