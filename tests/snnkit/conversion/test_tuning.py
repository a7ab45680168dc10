"""Tuning through the time steps: the same spikes as the network's own, gradients in closed form, and a smaller error."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from snnkit.conversion import (
    Adaptive,
    InitialPotential,
    Maximum,
    SpikingNetwork,
    convert,
    monitor,
    set_thresholds,
)
from snnkit.conversion.remedies import SignedSpikes, firing_rules
from snnkit.conversion.tuning import played, tunable, tune
from snnkit.models import wide_resnet

STEPS = 4


def made(per_channel: bool = True, seed: int = 0) -> tuple[SpikingNetwork, Tensor]:
    torch.manual_seed(seed)
    model = wide_resnet(10, 1, classes=4)
    x = torch.randn(24, 3, 8, 8)
    model.train()
    model(x)
    network = convert(model)
    rule = Adaptive(STEPS, per_channel=per_channel)
    set_thresholds(network, x, rule, InitialPotential(), progress=False)
    return network, x


def distance(network: SpikingNetwork, x: Tensor) -> float:
    """The loss over all layers, measured on the network as it is run."""
    targets = monitor.ann_activations(network, x)
    averages = {name: train.average for name, train in monitor.record(network, x, STEPS).items()}
    pairs = [(averages[name], targets[name]) for name in network.neurons()]
    pairs.append((network(x, STEPS), network.analog(x)))
    return sum(float((value - target).square().mean() / target.square().mean()) for value, target in pairs)


@pytest.mark.parametrize("per_channel", [True, False])
def test_untouched_it_is_the_network_itself(per_channel: bool) -> None:
    network, x = made(per_channel)
    body, layers = tunable(network)
    assert torch.allclose(played(body, layers, x, STEPS), network(x, STEPS), atol=1e-4)


@pytest.mark.parametrize("per_channel", [True, False])
def test_what_was_learnt_is_handed_over(per_channel: bool) -> None:
    network, x = made(per_channel)
    tune(network, x, STEPS, iterations=3, batch_size=12, progress=False)
    body, layers = tunable(network)
    assert torch.allclose(played(body, layers, x, STEPS), network(x, STEPS), atol=1e-4)


@pytest.mark.slow
def test_the_error_falls() -> None:
    network, x = made()
    weights = [p.clone() for p in network.body.parameters()]
    before = distance(network, x)
    how = {"iterations": 60, "batch_size": 12, "learning_rate": 0.01, "progress": False}
    losses = tune(network, x, STEPS, **how)
    assert len(losses) == 60
    assert sum(losses[-4:]) < sum(losses[:4])
    assert distance(network, x) < 0.96 * before
    assert all(torch.equal(a, b) for a, b in zip(weights, network.body.parameters(), strict=True))
    again, _ = made()
    assert tune(again, x, STEPS, **how) == losses


def test_gradients_of_one_neuron_and_one_step_are_those_of_the_triangle() -> None:
    model = nn.Sequential(nn.Linear(1, 1), nn.ReLU(), nn.Linear(1, 1))
    with torch.no_grad():
        for layer in (model[0], model[2]):
            layer.weight.fill_(1.0)
            layer.bias.zero_()
    network = convert(model)
    set_thresholds(network, torch.tensor([[2.0]]), Maximum(), InitialPotential(), progress=False)
    theta, width = 2.0, 0.75
    for z, fires in ((0.5, 0.0), (1.25, 1.0), (0.2, 0.0), (4.0, 1.0)):
        body, layers = tunable(network, width)
        (neuron,) = layers.values()
        output = played(body, layers, torch.tensor([[z]]), 1)
        assert float(output.detach()) == fires * theta
        output.sum().backward()
        u = (theta / 2 + z - theta) / theta
        slope = max(0.0, 1 - abs(u) / width) / width
        # output = theta * spike((v0 + z + shift - theta) / theta); all corrections are in units of the first theta
        for parameter in (neuron.lifted, neuron.added):
            assert float(parameter.grad) == pytest.approx(theta * slope)
        assert float(neuron.log_scale.grad) == pytest.approx(theta * fires - theta * slope)


def test_bad_input_is_refused() -> None:
    network, x = made()
    with pytest.raises(ValueError, match="images must have shape"):
        tune(network, x[:0], STEPS)
    with pytest.raises(ValueError, match="steps"):
        tune(network, x, 0)
    with pytest.raises(ValueError, match="learning_rate"):
        tune(network, x, STEPS, learning_rate=0.0)
    with pytest.raises(ValueError, match="width"):
        tune(network, x, STEPS, width=-1.0)
    with pytest.raises(TypeError, match="images"):
        tune(network, x.int(), STEPS)
    with pytest.raises(RuntimeError, match="the loss became"):
        tune(network, x, STEPS, iterations=30, batch_size=8, learning_rate=1e4, progress=False)
    with (
        firing_rules(network, {next(iter(network.neurons())): SignedSpikes()}),
        pytest.raises(ValueError, match="fires by SignedSpikes; only BinarySpikes can be tuned"),
    ):
        tune(network, x, STEPS, iterations=1, progress=False)
    bare = convert(nn.Sequential(nn.Linear(2, 2), nn.ReLU(), nn.Linear(2, 2)))
    with pytest.raises(RuntimeError, match="has no threshold yet; call set_thresholds"):
        tune(bare, torch.zeros(2, 2), STEPS)
