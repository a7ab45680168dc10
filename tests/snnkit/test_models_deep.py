"""ResNet-20, WideResNet, loading of weights, and the commands that show models."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
import torch
from torch import nn
from typer.testing import CliRunner

from snnkit.cli import app
from snnkit.conversion import QCFS, SpikingActivation, convert
from snnkit.datasets import cifar10
from snnkit.models import load_weights, normalise, resnet20, wide_resnet
from snnkit.models.resnet import OptionA

DATA = os.environ.get("SNNKIT_DATA")


def saved(model: nn.Module, path: Path, **changes: np.ndarray | None) -> Path:
    tensors = {k: v.numpy() for k, v in model.state_dict().items() if not k.endswith("num_batches_tracked")}
    for name, value in changes.items():
        tensors.pop(name, None)
        if value is not None:
            tensors[name] = value
    np.savez(path, **tensors)
    return path


def test_resnet20_has_the_published_size() -> None:
    model = resnet20()
    assert sum(p.numel() for p in model.parameters()) == 269_722
    assert sum(isinstance(m, nn.Conv2d) for m in model.modules()) == 19
    assert model(torch.rand(2, 3, 32, 32)).shape == (2, 10)


def test_option_a_shortcut() -> None:
    x = torch.rand(1, 2, 4, 4)
    y = OptionA(2)(x)
    assert y.shape == (1, 4, 2, 2)
    assert torch.equal(y[:, 1:3], x[:, :, ::2, ::2])
    assert not y[:, [0, 3]].any()


@pytest.mark.parametrize(("depth", "width"), [(10, 1), (16, 2), (10, 4)])
def test_wide_resnet_counts(depth: int, width: int) -> None:
    model = wide_resnet(depth, width)
    blocks = (depth - 4) // 6
    channels = [16, 16 * width, 32 * width, 64 * width]
    count = 27 * 16 + 2 * channels[3] + channels[3] * 10 + 10
    for stage in range(3):
        for block in range(blocks):
            inputs, outputs = channels[stage] if block == 0 else channels[stage + 1], channels[stage + 1]
            reshaped = block == 0 and (inputs != outputs or stage > 0)
            count += (
                2 * inputs + 9 * inputs * outputs + 2 * outputs + 9 * outputs**2 + reshaped * inputs * outputs
            )
    assert sum(p.numel() for p in model.parameters()) == count


@pytest.mark.parametrize("activation", [nn.ReLU, lambda: QCFS(levels=4)])
@pytest.mark.parametrize("build", [resnet20, lambda activation: wide_resnet(16, 1, activation)])
def test_converts_with_one_layer_of_neurons_per_activation(build: object, activation: object) -> None:
    assert callable(build)
    model = build(activation=activation).eval()
    network = convert(model)
    activations = [m for m in model.modules() if isinstance(m, (nn.ReLU, QCFS))]
    assert len(network.neurons()) == len(activations)
    assert all(isinstance(m, SpikingActivation) for m in network.neurons().values())
    x = torch.rand(2, 3, 32, 32)
    torch.testing.assert_close(network.analog(x), model(x).detach(), rtol=1e-3, atol=1e-4)


def test_weights_come_back(tmp_path: Path) -> None:
    torch.manual_seed(0)
    model = resnet20()
    again = resnet20(saved(model, tmp_path / "w.npz"))
    assert not again.training
    x = torch.rand(1, 3, 32, 32)
    torch.testing.assert_close(again(x), model.eval()(x))
    qcfs = resnet20(tmp_path / "w.npz", activation=lambda: QCFS(levels=8))  # the clips are not in the file
    assert torch.equal(qcfs.conv1.weight, model.conv1.weight)


def test_weights_that_do_not_fit_are_named(tmp_path: Path) -> None:
    model, path = resnet20(), tmp_path / "w.npz"
    cases = [
        (
            {"linear.weight": np.zeros((10, 32), np.float32)},
            r"'linear.weight' of w.npz has shape \[10, 32\].*\[10, 64\]",
        ),
        ({"linear.weight": None}, r"lacks the tensor 'linear.weight' \(1 missing in all\)"),
        ({"extra": np.zeros(1, np.float32)}, "has a tensor 'extra', which ResNet does not have"),
        ({"bn1.bias": np.full(16, np.nan, np.float32)}, "'bn1.bias' of w.npz holds NaN"),
    ]
    for changes, message in cases:
        with pytest.raises(ValueError, match=message):
            load_weights(model, saved(model, path, **changes))
    path.write_bytes(saved(model, path).read_bytes()[:2000])
    with pytest.raises(ValueError, match=r"not a readable \.npz file"):
        load_weights(model, path)
    with pytest.raises(FileNotFoundError, match=r"no weights at .*none\.npz"):
        resnet20(tmp_path / "none.npz")


@pytest.mark.parametrize("model", [resnet20(), wide_resnet(10, 1)])
def test_wrong_image_shape(model: nn.Module) -> None:
    with pytest.raises(ValueError, match=r"images must have shape \[N, 3, H, W\]; got \[2, 1, 32, 32\]"):
        model(torch.rand(2, 1, 32, 32))
    with pytest.raises(ValueError, match=r"got \[3, 32, 32\]"):
        model(torch.rand(3, 32, 32))


def test_bad_sizes() -> None:
    with pytest.raises(ValueError, match="classes must be at least 1"):
        resnet20(classes=0)
    with pytest.raises(ValueError, match=r"depth must be 10, 16, 22, .*got 12"):
        wide_resnet(12, 1)


def test_normalise() -> None:
    images = np.zeros((1, 3, 2, 2), np.float32)
    images[0, 1] = 1.0
    x = normalise(images)
    np.testing.assert_allclose(
        x[0, :, 0, 0], [-0.485 / 0.229, (1 - 0.456) / 0.224, -0.406 / 0.225], rtol=1e-6
    )
    with pytest.raises(ValueError, match=r"must lie in \[0, 1\]; they span \[0, 255\]"):
        normalise(images * 255)
    with pytest.raises(TypeError, match="floating-point"):
        normalise(images.astype(np.uint8))
    with pytest.raises(ValueError, match=r"shape \[N, 3, H, W\]"):
        normalise(images[0])


@pytest.mark.slow
@pytest.mark.data
def test_trained_resnet20_accuracy() -> None:
    assert DATA is not None
    model = resnet20(Path(DATA) / "weights" / "resnet20_cifar10_relu.npz")
    images, labels = cifar10(part="test", count=1000).tensors()
    network = convert(model)
    with torch.no_grad():
        scores = torch.cat([model(part) for part in normalise(images).split(250)])
    assert float((scores.argmax(1) == labels).float().mean()) == pytest.approx(0.915, abs=1e-6)
    torch.testing.assert_close(network.analog(normalise(images[:50])), scores[:50], rtol=1e-3, atol=1e-3)


def test_commands(tmp_path: Path) -> None:
    runner = CliRunner()
    listed = runner.invoke(app, ["models", "list"])
    assert listed.exit_code == 0
    assert "resnet20" in listed.output
    assert "269,722" in listed.output
    shown = runner.invoke(app, ["models", "info", "resnet20"])
    assert shown.exit_code == 0
    assert "layer3.2.conv2 + layer3.1.act2" in shown.output
    assert runner.invoke(app, ["models", "info", "two_layer_snn"]).output.endswith("parameters: 1,857,600\n")
    wrong = runner.invoke(app, ["models", "info", "resnet99"])
    assert wrong.exit_code == 1
    assert "no model 'resnet99'; expected one of two_layer_snn" in wrong.output
    missing = runner.invoke(app, ["models", "info", "resnet20", "--weights", str(tmp_path / "none.npz")])
    assert missing.exit_code == 1
    assert "error: no weights at" in missing.output
