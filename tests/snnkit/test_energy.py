"""Operation counts against counts by hand and a brute-force loop over connections."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from spikingjelly.activation_based import neuron as sj
from torch import nn

from snnkit.conversion import InitialPotential, Maximum, SpikingNetwork, convert, set_thresholds
from snnkit.energy import EnergyCosts, count_ann, count_converted, count_played, count_spiking, fan_out
from snnkit.layers import IF, TimeFolded


def test_linear_layers_by_hand() -> None:
    """3 inputs, 4 hidden neurons of threshold 1 driven by 0.5, -1, 1, 2; T = 4."""
    model = nn.Sequential(nn.Linear(3, 4, bias=False), nn.ReLU(), nn.Linear(4, 2))
    model[0].weight.data = torch.tensor([[0.5, 0, 0], [-1.0, 0, 0], [1.0, 0, 0], [2.0, 0, 0]])
    network = convert(model)
    network.neurons()["1"].set_threshold(1.0)
    x = torch.tensor([[1.0, 1.0, 0.0]])  # one of three inputs is 0
    counts = count_converted(network, x, 4)
    assert counts.spikes == {"1": 2 + 0 + 4 + 4}
    first, second = counts.layers
    assert (first.layer, first.accumulates, first.multiplies, first.dense) == ("0", 0, 4 * 2 * 4, 4 * 12)
    assert (second.layer, second.accumulates, second.multiplies, second.dense) == ("2", 10 * 2, 0, 4 * 8)
    assert counts.total_spikes == 10
    assert counts.energy() == pytest.approx((32 * 4.6 + 20 * 0.9) / 1000)
    assert counts.energy(EnergyCosts(multiply=2, accumulate=1)) == pytest.approx((64 + 20) / 1000)
    assert counts.dense_energy() == pytest.approx(80 * 4.6 / 1000)
    cached = count_converted(network, x, 4, cached_input=True)
    assert cached.layers[0].multiplies == 8
    assert cached.layers[1] == second
    assert counts.uncounted == ()
    assert counts.steps == 4


@pytest.mark.parametrize(
    ("kernel", "stride", "padding", "dilation", "groups"),
    [(3, 1, 1, 1, 1), (3, 2, 1, 1, 2), (2, 1, 0, 2, 1), (1, 2, 0, 1, 1), (3, 3, 2, 1, 2)],
)
def test_fan_out_of_a_convolution_by_brute_force(
    kernel: int, stride: int, padding: int, dilation: int, groups: int
) -> None:
    layer = nn.Conv2d(2, 4, kernel, stride, padding, dilation, groups)
    size = 6
    expected = np.zeros((size, size))
    out = layer(torch.zeros(1, 2, size, size)).shape[-1]
    for row, column, i, j in itertools.product(range(out), range(out), range(kernel), range(kernel)):
        y, x = row * stride - padding + i * dilation, column * stride - padding + j * dilation
        if 0 <= y < size and 0 <= x < size:
            expected[y, x] += 4 // groups
    np.testing.assert_allclose(fan_out(layer, torch.Size([1, 2, size, size])), expected)


def test_convolutional_network_against_a_dense_count_of_connections() -> None:
    """A spike's connections are the outputs that change when its input does (all weights 1)."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1), nn.ReLU(), nn.Conv2d(2, 3, 3, 2, 1), nn.ReLU(), nn.Flatten()
    )
    network = convert(model)
    x = torch.rand(3, 1, 5, 5)
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    outputs: list[torch.Tensor] = []
    hook = network.neurons()["1"].register_forward_hook(lambda _m, _i, o: outputs.append((o != 0).float()))
    counts = count_converted(network, x, 6)
    hook.remove()
    ones = torch.ones(3, 2, 3, 3)
    expected = sum(float(nn.functional.conv2d(s, ones, stride=2, padding=1).sum()) for s in outputs) / 3
    assert counts.layers[1].accumulates == pytest.approx(expected)
    assert counts.layers[1].multiplies == 0
    assert counts.spikes["1"] == pytest.approx(sum(float(s.sum()) for s in outputs) / 3)
    assert counts.layers[0].multiplies == pytest.approx(
        6 * counts.layers[0].dense / 6
    )  # no pixel is exactly 0


def test_graded_inputs_are_multiplies() -> None:
    """Averages of spikes after pooling are graded; so are normalised sums."""
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 2, 3, padding=1),
        nn.ReLU(),
        nn.AvgPool2d(2),
        nn.BatchNorm2d(2),
        nn.Conv2d(2, 2, 2),
        nn.ReLU(),
    ).eval()
    model[0].weight.data.abs_()
    network = convert(model)
    x = torch.rand(2, 1, 8, 8)
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    layers = {layer.layer: layer for layer in count_converted(network, x, 5).layers}
    assert set(layers) == {"0", "3", "4"}
    assert layers["3"].dense == 5 * 2 * 16  # the normalisation stays: one operation per value and step
    assert layers["4"].multiplies > 0
    assert layers["4"].accumulates < layers["4"].multiplies  # a step may happen to have one height


def test_ann_counts() -> None:
    model = nn.Sequential(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.Flatten(), nn.Linear(16, 5))
    counts = count_ann(model, torch.rand(7, 3, 4, 4) + 0.1)
    assert counts.dense == 4 * 4 * 27 + 16 * 5  # outputs times taps, plus the linear layer
    assert counts.layers[0].multiplies == 4 * 4 * 27
    assert counts.spikes == {}
    assert counts.layers[1].multiplies < 80  # ReLU makes zeros


def test_directly_trained_network() -> None:
    model = nn.Sequential(TimeFolded(nn.Linear(4, 3, bias=False)), IF(threshold=1.0), nn.Linear(3, 2))
    model[0].module.weight.data.fill_(1.0)
    x = torch.zeros(5, 2, 4)  # T = 5, N = 2
    x[0, 0, 1] = 1.0
    x[3, 1] = 2.0  # four inputs of height 2 where another sample has 1: graded in feature 1 only
    counts = count_spiking(model, x)
    assert counts.steps == 5
    assert counts.spikes == {"1": (3 + 3 * 2) / 2}  # charge 8: a spike in step 3 and one in step 4
    assert counts.layers[0].multiplies == (1 + 4) * 3 / 2
    assert counts.layers[1].accumulates == (3 + 6) * 2 / 2
    x[3, 1] = 1.0
    assert count_spiking(model, x).layers[0].accumulates == (1 + 4) * 3 / 2


def test_converted_network_on_frames() -> None:
    """One of two inputs sends an event of height 1 in each of four frames; threshold 2, weights 1."""
    model = nn.Sequential(nn.Linear(2, 3, bias=False), nn.ReLU(), nn.Linear(3, 2))
    model[0].weight.data.fill_(1.0)
    network = convert(model)
    network.neurons()["1"].set_threshold(2.0)
    frames = torch.zeros(4, 1, 2)
    frames[:, 0, 1] = 1.0
    counts = count_played(network, frames)
    assert counts.steps == 4
    assert counts.spikes == {"1": 2 * 3}
    first, second = counts.layers
    assert (first.accumulates, first.multiplies, first.dense) == (4 * 3, 0, 4 * 6)
    assert (second.accumulates, second.multiplies, second.dense) == (6 * 2, 0, 4 * 6)
    assert count_converted(network, frames[0], 4).spikes == counts.spikes
    with pytest.raises(ValueError, match=r"\[T, N, ...\]"):
        count_played(network, torch.ones(2, 2))


def test_spikingjelly_neurons_and_uncounted_modules() -> None:
    model = nn.Sequential(nn.Linear(2, 2, bias=False), sj.IFNode(step_mode="m"), nn.PReLU())
    model[0].weight.data = torch.eye(2)
    counts = count_spiking(model, torch.ones(3, 1, 2))
    assert counts.spikes == {"1": 6.0}
    assert counts.uncounted == ("2",)


def test_bad_input() -> None:
    network: SpikingNetwork = convert(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    with pytest.raises(RuntimeError, match="no threshold yet"):
        count_converted(network, torch.ones(1, 2), 4)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        count_converted(network, torch.ones(1, 2), 0)
    with pytest.raises(ValueError, match=r"x must have shape \[T, N, ...\], not empty; got \[2, 2\]"):
        count_spiking(nn.Linear(2, 2), torch.ones(2, 2))
    with pytest.raises(TypeError, match="floating-point"):
        count_ann(nn.Linear(2, 2), torch.ones(2, 2, dtype=torch.int64))
    with pytest.raises(ValueError, match="padding_mode must be 'zeros'"):
        fan_out(nn.Conv1d(1, 1, 3, padding=1, padding_mode="circular"), torch.Size([1, 1, 5]))
