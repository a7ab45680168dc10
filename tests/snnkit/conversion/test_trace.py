"""Conversion by tracing: the folded ANN is the ANN, and what cannot be converted is named."""

from __future__ import annotations

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit.conversion import (
    QCFS,
    BiasCorrection,
    ConversionError,
    InitialPotential,
    Maximum,
    SpikingNetwork,
    calibrate,
    convert,
    fold_batchnorm,
    set_thresholds,
)
from tests.snnkit.conversion.networks import Everything, Plain, seeded


def test_folded_ann_equals_the_ann(everything: tuple[nn.Module, SpikingNetwork, Tensor]) -> None:
    model, network, x = everything
    torch.testing.assert_close(network.analog(x), model(x).detach(), rtol=1e-4, atol=1e-5)


def test_every_call_site_has_its_own_neurons(everything: tuple[nn.Module, SpikingNetwork, Tensor]) -> None:
    _, network, _ = everything
    assert list(network.neurons()) == ["act", "relu", "act_2", "relu_2", "relu_3", "relu_4"]
    text = repr(network)
    assert "SpikingNetwork with 6 layers of neurons" in text
    assert "conv4 + relu_2" in text  # the shortcut brings the spikes of relu_2
    assert (
        "norm0 (affine)" not in text.split("act ")[1].split("\n")[0]
    )  # behind conv1: named by the layer it feeds
    assert "logits" in text.splitlines()[-1]


def test_model_is_left_alone() -> None:
    model = Everything().train()
    state = copy.deepcopy(model.state_dict())
    convert(model)
    assert model.training
    assert model.drop.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@given(seed=st.integers(0, 2**20), bias=st.booleans(), linear=st.booleans())
def test_batchnorm_folding_formula(seed: int, bias: bool, linear: bool) -> None:
    torch.manual_seed(seed)
    layer: nn.Linear | nn.Conv2d = nn.Linear(3, 5, bias=bias) if linear else nn.Conv2d(3, 5, 2, bias=bias)
    norm: nn.BatchNorm1d | nn.BatchNorm2d = (
        nn.BatchNorm1d(5, eps=0.1) if linear else nn.BatchNorm2d(5, eps=0.1)
    )
    seeded(norm, seed)
    x = torch.randn(4, 3) if linear else torch.randn(4, 3, 5, 5)
    expected = norm(layer(x))
    fold_batchnorm(layer, norm)
    torch.testing.assert_close(layer(x), expected, rtol=1e-4, atol=1e-5)


def test_qcfs_brings_its_threshold() -> None:
    model = nn.Sequential(nn.Linear(4, 8), QCFS(levels=4, clip=2.0), nn.Linear(8, 3))
    network = convert(model)
    neuron = network.neurons()["1"]
    assert float(neuron.threshold) == 2.0
    assert float(neuron.initial) == 1.0
    x = torch.rand(50, 4)
    torch.testing.assert_close(
        network(x, 4), model(x).detach(), rtol=1e-5, atol=1e-5
    )  # one layer, T = L: lossless
    model[1].clip.data.fill_(-1.0)
    with pytest.raises(ConversionError, match=r"'1' cannot be converted: clip must be positive"):
        convert(model)


def test_in_place_arithmetic_becomes_ordinary_arithmetic() -> None:
    model = Plain(
        lambda m, x: m.last(F.relu(m.first(x)).mul_(2.0)).add_(x).sub_(m.offset),
        first=nn.Linear(3, 3),
        last=nn.Linear(3, 3),
    )
    model.offset = nn.Parameter(torch.tensor([0.5, 0.25, 0.0]))
    network = convert(model)
    x = torch.rand(4, 3)
    torch.testing.assert_close(network.analog(x), model(x).detach())
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    reports = calibrate(network, x, 16, BiasCorrection(), progress=False)
    assert "relu" in network.summary()
    assert "image" in network.summary()  # the image is added behind the neurons
    assert reports[-1].after == pytest.approx(
        float((network(x, 16) - network.analog(x)).square().mean()), rel=1e-3
    )


class TwoInputs(nn.Module):
    def forward(self, x: Tensor, y: Tensor) -> Tensor:
        return F.relu(x) + y


class OptionalInput(nn.Module):
    def forward(self, x: Tensor, scale: float = 1.0) -> Tensor:
        return F.relu(x) * scale


class Branches(nn.Module):
    def forward(self, x: Tensor) -> Tensor:
        return F.relu(x) if x.sum() > 0 else x


def test_optional_arguments_keep_their_default() -> None:
    network = convert(OptionalInput())
    assert list(network.neurons()) == ["relu"]


CASES: dict[str, tuple[nn.Module, str]] = {
    "max pool module": (
        nn.Sequential(nn.ReLU(), nn.MaxPool2d(2)),
        r"'1' cannot be converted: max pooling .*AvgPool2d",
    ),
    "max pool function": (Plain(lambda m, x: F.max_pool2d(F.relu(x), 2)), r"max_pool2d.* average pooling"),
    "sigmoid": (
        nn.Sequential(nn.ReLU(), nn.Sigmoid()),
        r"'1' cannot be converted: Sigmoid is not linear.*ReLU or QCFS",
    ),
    "gelu": (Plain(lambda m, x: F.gelu(F.relu(x))), r"gelu in Plain.forward cannot be converted"),
    "in place method, read later": (
        Plain(lambda m, x: (lambda y: y.add_(1.0) + y)(F.relu(x))),
        r"add_ in Plain.forward .*in place that is used again later",
    ),
    "method": (Plain(lambda m, x: F.relu(x).sigmoid()), r"sigmoid in Plain.forward"),
    "softmax": (Plain(lambda m, x: F.log_softmax(F.relu(x), 1)), r"leave the softmax out of forward"),
    "product": (
        Plain(lambda m, x: F.relu(x) * x),
        r"mul in Plain.forward .*product or quotient of two signals",
    ),
    "quotient": (Plain(lambda m, x: 1 / F.relu(x)), r"truediv .*only a constant factor"),
    "weight": (Plain(lambda m, x: F.linear(F.relu(x), x)), r"linear .*its weight depends on the image"),
    "two inputs": (TwoInputs(), r"second input 'y'"),
    "data-dependent": (Branches(), r"Branches cannot be traced.*same operations for every image"),
    "no activation": (nn.Sequential(nn.Linear(2, 2)), r"no ReLU or QCFS activation"),
    "two outputs": (Plain(lambda m, x: (F.relu(x), x)), r"expected one tensor of logits"),  # type: ignore[arg-type]
    "constant output": (Plain(lambda m, x: F.relu(x).shape), r"expected one tensor of logits"),  # type: ignore[arg-type]
    "batch statistics": (
        nn.Sequential(nn.Conv2d(1, 1, 1), nn.BatchNorm2d(1, track_running_stats=False), nn.ReLU()),
        r"'1' cannot be converted: a BatchNorm without running statistics",
    ),
    "batchnorm of another size": (
        nn.Sequential(nn.Conv2d(1, 2, 1), nn.BatchNorm2d(3), nn.ReLU()),
        r"BatchNorm of 3 channels follows a layer with 2 outputs",
    ),
    "in place, read later": (
        Plain(lambda m, x: F.relu(x, inplace=True) + x),
        r"relu in Plain.forward .*in place that is used again later",
    ),
}


@pytest.mark.parametrize("name", CASES)
def test_refusals_name_the_place(name: str) -> None:
    model, message = CASES[name]
    with pytest.raises(ConversionError, match=f"(?s){message}"):
        convert(model)


def test_nested_function_is_named_by_its_module() -> None:
    model = nn.Sequential(nn.ReLU(), Plain(lambda m, x: F.max_pool2d(x, 2)))
    with pytest.raises(ConversionError, match="max_pool2d in module '1'"):
        convert(model)


def test_what_is_no_module() -> None:
    with pytest.raises(TypeError, match=r"model must be an nn.Module; got int"):
        convert(3)  # type: ignore[arg-type]
