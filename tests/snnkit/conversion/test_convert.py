"""Conversion by tracing: the folded ANN is the ANN, and the running network is a step-by-step reference."""

from __future__ import annotations

import copy
import pickle
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit.conversion import (
    QCFS,
    BiasCorrection,
    ConversionError,
    Floor,
    InitialPotential,
    Maximum,
    SpikingNetwork,
    calibrate,
    convert,
    fold_batchnorm,
    set_thresholds,
)
from snnkit.models import wide_resnet


def seeded(model: nn.Module, seed: int = 0) -> nn.Module:
    """Random but reasonable BatchNorm statistics; evaluation mode."""
    generator = torch.Generator().manual_seed(seed)
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            for tensor, low, high in (
                (module.running_mean, -0.5, 0.5),
                (module.running_var, 0.5, 2.0),
                (module.weight.data, 0.5, 2.0),
                (module.bias.data, -0.2, 0.6),
            ):
                assert tensor is not None
                tensor.uniform_(low, high, generator=generator)
    return model.eval()


class Plain(nn.Module):
    """A module whose forward is given as a function of itself and x."""

    def __init__(self, forward: Callable[[nn.Module, Tensor], Tensor], **parts: nn.Module) -> None:
        super().__init__()
        for name, part in parts.items():
            setattr(self, name, part)
        self._run = forward

    def forward(self, x: Tensor) -> Tensor:
        return self._run(self, x)


class Everything(nn.Module):
    """ReLU in all spellings, reused; normalisation before and after; residuals, option A, concatenation, dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.norm0 = nn.BatchNorm2d(2)
        self.conv1 = nn.Conv2d(2, 4, 3, padding=1)
        self.norm1 = nn.BatchNorm2d(4)
        self.act = nn.ReLU(inplace=True)
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1, bias=False)
        self.norm2 = nn.BatchNorm2d(4)
        self.norm3 = nn.BatchNorm2d(4)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.shortcut = lambda x: F.pad(x[:, :, ::2, ::2], (0, 0, 0, 0, 2, 2), "constant", 0)
        self.conv4 = nn.Conv2d(4, 8, 3, 2, 1)
        self.drop = nn.Dropout(0.5)
        self.pool = nn.AdaptiveAvgPool2d(2)
        self.scale = nn.Parameter(torch.tensor(0.5))
        self.hidden = nn.Linear(16 * 4, 12)
        self.norm4 = nn.BatchNorm1d(12)
        self.last = nn.Linear(12, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act(self.norm1(self.conv1(self.norm0(x))))
        y = self.norm2(self.conv2(x))
        y += x
        y = self.norm3(F.relu(y))
        y = torch.relu(self.conv3(self.act(y)))
        z = (self.conv4(y) + self.shortcut(y)).relu()
        z = self.drop(torch.cat([z, F.avg_pool2d(z, 3, 1, 1) * self.scale], dim=1))
        z = self.pool(z).view(z.size(0), -1)
        return self.last(F.dropout(F.relu(self.norm4(self.hidden(z))), 0.2, self.training))


def step_by_step(network: SpikingNetwork, x: Tensor, steps: int) -> Tensor:
    """The body called T times: no cached constants, no averaged last layer, no chunks."""
    network.reset_state()
    with torch.no_grad():
        total = sum(network.body(x).clone() for _ in range(steps))
    assert isinstance(total, Tensor)
    return total / steps


@pytest.fixture(scope="module")
def everything() -> tuple[nn.Module, SpikingNetwork, Tensor]:
    torch.manual_seed(0)
    model = seeded(Everything()).train()
    for module in model.modules():
        if isinstance(module, (nn.BatchNorm1d, nn.BatchNorm2d)):
            module.momentum = 1.0
    x = torch.rand(5, 2, 8, 8)
    model(torch.cat([x, torch.rand(40, 2, 8, 8)]))  # statistics that fit, so that no layer is silent
    network = convert(model.eval())
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    assert network(x, 4).std(dim=0).min() > 1e-3  # the images matter
    return model, network, x


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


@pytest.mark.parametrize("chunk", [None, 1, 3, 8])
def test_equals_the_body_run_step_by_step(
    everything: tuple[nn.Module, SpikingNetwork, Tensor], chunk: int | None
) -> None:
    _, network, x = everything
    for count in (1, 5):
        expected = step_by_step(network, x[:count], 10)
        torch.testing.assert_close(network(x[:count], 10, time_chunk=chunk), expected, rtol=1e-4, atol=1e-5)


def test_stream_gives_every_shorter_run(everything: tuple[nn.Module, SpikingNetwork, Tensor]) -> None:
    _, network, x = everything
    streamed = list(network.stream(x, 7))
    assert len(streamed) == 7
    for steps in (1, 4, 7):
        torch.testing.assert_close(streamed[steps - 1], network(x, steps), rtol=1e-4, atol=1e-5)
    network.start(x)
    by_hand = (network.step() + network.step()) / 2
    torch.testing.assert_close(by_hand, streamed[1], rtol=1e-4, atol=1e-5)


def test_time_chunks_with_equal_products_do_not_share_buffers(
    everything: tuple[nn.Module, SpikingNetwork, Tensor],
) -> None:
    _, network, x = everything
    for count, chunk in ((1, 4), (2, 2), (4, 1), (2, 4)):
        got = network(x[:count], 8, time_chunk=chunk)
        torch.testing.assert_close(got, step_by_step(network, x[:count], 8), rtol=1e-4, atol=1e-5)


def test_hooks_see_current_and_output_of_every_step(
    everything: tuple[nn.Module, SpikingNetwork, Tensor],
) -> None:
    _, network, x = everything
    for chunk in (1, 4):
        seen: list[Tensor] = []
        hook = network.neurons()["relu_4"].register_forward_hook(
            lambda _m, _i, o, s=seen: s.append(o.clone())
        )
        network(x, 6, time_chunk=chunk)
        hook.remove()
        assert len(seen) == 6
        assert all(o.shape == (5, 12) for o in seen)


def test_copies_are_independent(everything: tuple[nn.Module, SpikingNetwork, Tensor]) -> None:
    _, network, x = everything
    before = network(x, 4)
    for twin in (copy.deepcopy(network), pickle.loads(pickle.dumps(network))):
        torch.testing.assert_close(twin(x, 4), before)
        twin.neurons()["act"].set_threshold(0.01)
        assert not torch.equal(twin(x, 4), before)
        torch.testing.assert_close(network(x, 4), before)


def test_model_is_left_alone() -> None:
    model = Everything().train()
    state = copy.deepcopy(model.state_dict())
    convert(model)
    assert model.training
    assert model.drop.training
    assert all(torch.equal(value, state[name]) for name, value in model.state_dict().items())


@settings(max_examples=30, deadline=None)
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


def test_long_run_comes_to_the_ann_without_clipping() -> None:
    """With thresholds at the maximum, the mean logits approach the ANN's as T grows."""
    torch.manual_seed(1)
    model = nn.Sequential(nn.Linear(6, 16), nn.ReLU(), nn.Linear(16, 16), nn.ReLU(), nn.Linear(16, 4))
    network = convert(model)
    x = torch.rand(8, 6)
    set_thresholds(network, x, Maximum(), Floor(), progress=False)
    error = [float((network(x, steps) - network.analog(x)).abs().max()) for steps in (8, 2048)]
    assert error[1] < 0.05 * error[0]


def test_equals_spikingjelly_converter() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.AvgPool2d(2), nn.Conv2d(4, 6, 3), nn.ReLU(),
        nn.Flatten(), nn.Linear(24, 3),
    ).eval()  # fmt: skip
    x = torch.rand(6, 1, 8, 8)
    recipe = ann2snn.RateCodingRecipe([(x, torch.zeros(6))], mode="max", half_threshold=True)
    theirs = ann2snn.FXConverter(recipe).convert(copy.deepcopy(model)).eval()
    network = convert(model)
    set_thresholds(
        network, x, Maximum(), Floor(), progress=False
    )  # one batch: its running maximum is the maximum
    functional.reset_net(theirs)
    with torch.no_grad():
        expected = sum(theirs(x) for _ in range(16)) / 16
    torch.testing.assert_close(network(x, 16), expected, rtol=1e-4, atol=1e-5)


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


def test_linear_input_dimensions_and_shape_reads_before_the_neurons() -> None:
    model = Plain(
        lambda m, x: m.last(F.relu(m.first(x.reshape(x.size(0), -1))).reshape(x.shape[0], -1)),
        first=nn.Linear(12, 6),
        last=nn.Linear(6, 2),
    )
    network = convert(model)
    x = torch.rand(1, 3, 4)
    set_thresholds(network, x, Maximum(), progress=False)
    torch.testing.assert_close(network(x, 8, time_chunk=4), step_by_step(network, x, 8))


def test_image_currents_that_pass_by_the_first_neurons() -> None:
    """In a pre-activation network the first convolution is constant and is added to spikes at every step."""
    torch.manual_seed(0)
    model = seeded(wide_resnet(10, 1, channels=1))
    network = convert(model)
    x = torch.rand(2, 1, 8, 8)
    set_thresholds(network, x, Maximum(), InitialPotential(), progress=False)
    for chunk in (1, 3):
        torch.testing.assert_close(
            network(x, 6, time_chunk=chunk), step_by_step(network, x, 6), rtol=1e-4, atol=1e-5
        )
    assert "groups.0.0.norm1 (affine) + conv" in network.summary()
    assert "Affine(channels=16)" in nn.Module.__repr__(network.body.get_submodule("groups.0.0.norm1"))


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


def test_bad_input() -> None:
    with pytest.raises(TypeError, match=r"model must be an nn.Module; got int"):
        convert(3)  # type: ignore[arg-type]
    network = convert(nn.Sequential(nn.Linear(2, 2), nn.ReLU()))
    with pytest.raises(RuntimeError, match=r"layer '1' has no threshold yet; call set_thresholds"):
        network(torch.ones(1, 2), 4)
    network.neurons()["1"].set_threshold(1.0)
    with pytest.raises(RuntimeError, match="call start"):
        network.step()
    with pytest.raises(TypeError, match="floating-point"):
        network(torch.ones(1, 2, dtype=torch.long), 4)
    with pytest.raises(ValueError, match="must be finite"):
        network(torch.tensor([[1.0, float("nan")]]), 4)
    with pytest.raises(ValueError, match=r"N at least 1; got \[0, 2\]"):
        network(torch.ones(0, 2), 4)
    with pytest.raises(ValueError, match="steps must be at least 1; got 0"):
        network(torch.ones(1, 2), 0)
    with pytest.raises(ValueError, match="time_chunk must be at least 1"):
        network(torch.ones(1, 2), 4, time_chunk=0)
