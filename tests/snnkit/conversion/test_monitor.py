"""What a running network is recorded to do, against plain loops."""

from __future__ import annotations

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snnkit.conversion import errors, monitor
from snnkit.conversion.neuron import BiasShift, Floor, InitialPotential
from snnkit.conversion.unevenness import expected_count, fire
from tests.snnkit.conversion.networks import Residual, chain, spiking

SEEDS = st.integers(0, 2**32 - 1)


@pytest.mark.parametrize("rounding", [Floor(), BiasShift(steps=6), InitialPotential()])
def test_record_against_a_plain_loop(rounding: Floor | BiasShift | InitialPotential) -> None:
    """Charge balance, currents, counts and potentials of every layer, rebuilt neuron layer by neuron layer."""
    steps, model = 6, chain()
    network = spiking(model)
    for neuron in network.neurons().values():
        rounding.apply(neuron)
    x = torch.randn(5, 6)
    runs = monitor.record(network, x, steps)
    linears = [layer for layer in model if isinstance(layer, nn.Linear)]
    shift = 1 / 12 if isinstance(rounding, BiasShift) else 0.0
    start = 0.5 if isinstance(rounding, InitialPotential) else 0.0
    signal = x.expand(steps, -1, -1)
    with torch.no_grad():
        for (name, run), linear in zip(runs.items(), linears[:-1], strict=True):
            currents = linear(signal)
            spikes, v_end = fire(currents + shift, 1.0, start)
            torch.testing.assert_close(run.current, currents.double().mean(0), rtol=1e-5, atol=1e-6, msg=name)
            assert torch.equal(run.count, spikes.sum(0).double())
            torch.testing.assert_close(run.v_end, v_end.double(), rtol=1e-5, atol=1e-5)
            assert float(run.residual.abs().max()) < 1e-6
            signal = spikes
        torch.testing.assert_close(network(x, steps), linears[-1](signal.mean(0)), rtol=1e-4, atol=1e-5)


def test_depth_is_the_longest_chain() -> None:
    assert monitor.depth(spiking(chain())) == 3
    assert monitor.depth(spiking(Residual())) == 2


@given(SEEDS, st.integers(1, 9))
def test_frames_against_a_plain_loop(seed: int, steps: int) -> None:
    model = chain((6, 8, 3)).double()
    network = spiking(model, 0.5)
    frames = torch.randn(steps, 4, 6, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)
    first, last = model[0], model[2]
    v, total, counts = torch.full((4, 8), 0.25, dtype=torch.float64), torch.zeros(4, 3), torch.zeros(4, 8)
    for frame in frames:
        v = v + first(frame)
        spikes = (v >= 0.5).double()
        v = v - 0.5 * spikes
        total = total + last(0.5 * spikes)
        counts = counts + spikes
    torch.testing.assert_close(network.play(frames), total / steps)
    (run,) = monitor.record_frames(network, frames).values()
    torch.testing.assert_close(run.count, counts.double())
    torch.testing.assert_close(run.current, first(frames.mean(0)))
    assert run.residual.abs().max() < 1e-12


def test_from_start_judges_by_another_potential() -> None:
    network, x = spiking(chain()), torch.randn(10, 6)
    run = list(monitor.record(network, x, 6).values())[1]
    moved = run.from_start(torch.tensor(0.0))
    assert torch.equal(moved.v_start, torch.zeros_like(run.v_start))
    torch.testing.assert_close(moved.residual, run.residual, rtol=0, atol=1e-12)
    q = expected_count(6 * run.current, threshold=1.0, steps=6)
    assert torch.equal(moved.count - errors.split_run(moved).verdict.excess, q.double())


def test_bad_input() -> None:
    with pytest.raises(TypeError, match="must be a SpikingNetwork; got Sequential"):
        monitor.record(chain(), torch.randn(2, 6), 4)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="steps must be at least 1"):
        monitor.record(spiking(chain()), torch.randn(2, 6), 0)
