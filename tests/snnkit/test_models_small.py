"""Small networks: shapes, the sparse network against the dense one, and that a gradient reaches every weight."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from torch import nn

from snnkit import models
from snnkit.dynamics import HardReset
from snnkit.layers import IF, LIF, lif_reference
from snnkit.sparse import EventFrames
from snnkit.surrogate import ATan

COUNTS = torch.poisson(torch.full((3, 5, 2, 34, 34), 0.6), generator=torch.Generator().manual_seed(0))


def time_first(counts: torch.Tensor) -> torch.Tensor:
    return counts.transpose(0, 1).contiguous()


@pytest.mark.parametrize(
    "build",
    [
        models.two_layer_snn,
        lambda: models.two_layer_snn(
            neuron=lambda: IF(reset=HardReset()), readout=models.FiringRate(), gain=4.0
        ),
        models.small_spiking_cnn,
        lambda: models.small_spiking_cnn(width=3, gain=4.0, neuron=IF, readout=models.FiringRate(IF())),
    ],
)
def test_spiking_networks_take_counts_and_pass_a_gradient_everywhere(build):
    torch.manual_seed(0)
    model = build()
    output = model(time_first(COUNTS).to(torch.uint8))
    assert output.shape == (3, 10)
    output.square().sum().backward()
    for name, parameter in model.named_parameters():
        assert float(parameter.grad.abs().sum()) > 0, name
    model.eval()
    assert torch.equal(model(time_first(COUNTS)), model(time_first(COUNTS).to(torch.uint8)))


def test_two_layers_are_what_they_say():
    torch.manual_seed(0)
    model = models.two_layer_snn().eval()
    x = time_first(COUNTS)
    first, second = (p.detach() for p in model.parameters())
    assert first.shape == (800, 2312)
    assert second.shape == (10, 800)
    spikes = lif_reference(x.log1p().flatten(2) @ first.T, decay=0.5, surrogate=ATan())
    assert float(spikes.mean()) > 0.01
    torch.testing.assert_close(model(x), (spikes @ second.T).mean(0), rtol=1e-4, atol=1e-5)
    assert float(first.abs().max()) == pytest.approx(1.5 / 2312**0.5, rel=1e-3)
    rate = models.two_layer_snn(readout=models.FiringRate(), gain=4.0).eval()(x)
    assert torch.equal((rate * 5).round() / 5, rate)


def test_sparse_network_equals_the_dense_one():
    torch.manual_seed(0)
    dense = models.two_layer_snn(dropout=0.0)
    sparse = models.two_layer_event_snn(dropout=0.0)
    with torch.no_grad():
        for ours, theirs in zip(sparse.parameters(), dense.parameters(), strict=True):
            ours.copy_(theirs.T if ours.shape != theirs.shape else theirs)
    batch = EventFrames.from_dense(COUNTS.numpy(), np.log1p).batch(torch.arange(3))
    outputs = sparse(batch), dense(time_first(COUNTS))
    torch.testing.assert_close(*outputs, rtol=1e-4, atol=1e-4)
    for output in outputs:
        output.square().sum().backward()
    ours, theirs = (next(iter(model.parameters())).grad for model in (sparse, dense))
    torch.testing.assert_close(ours.T, theirs, rtol=1e-3, atol=1e-5)


def test_small_cnn_is_made_of_modules_ready_to_convert():
    model = models.small_cnn(1, 28, width=4)
    assert model(torch.rand(2, 1, 28, 28)).shape == (2, 10)
    assert [name for name, part in model.named_modules() if isinstance(part, nn.ReLU)] == ["act1", "act2"]
    assert models.small_cnn()(torch.rand(2, 3, 32, 32)).shape == (2, 10)
    other = models.small_cnn(1, 9, 3, activation=nn.Softplus)
    assert other(torch.rand(2, 1, 9, 9)).shape == (2, 3)
    assert sum(isinstance(part, nn.Softplus) for part in other.modules()) == 2


def test_readouts():
    current = torch.full((4, 2, 3), 0.5)
    assert models.MeanOverTime()(current).tolist() == [[0.5] * 3] * 2
    assert models.FiringRate(LIF(decay=1.0))(current).tolist() == [[0.5] * 3] * 2
    assert models.LogCounts()(torch.tensor([0, 1])).tolist() == pytest.approx([0, np.log(2)])


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (ValueError, "a layer's size must be at least 1; got 0", lambda: models.two_layer_snn(hidden=0)),
        (TypeError, "a layer's size must be an int; got float", lambda: models.two_layer_snn(classes=10.0)),
        (ValueError, "inputs must be at least 1; got 0", lambda: models.two_layer_event_snn(inputs=0)),
        (ValueError, r"dropout must lie in \[0.0, 1.0\]; got 1.5", lambda: models.two_layer_snn(dropout=1.5)),
        (ValueError, "gain must be a positive", lambda: models.two_layer_snn(gain=0.0)),
        (ValueError, "gain must be a positive", lambda: models.small_spiking_cnn(gain=-1.0)),
        (
            ValueError,
            "at least 4 pixels wide, as it is pooled twice; got 3",
            lambda: models.small_cnn(size=3),
        ),
    ],
)
def test_bad_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
