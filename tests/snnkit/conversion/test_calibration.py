"""Corrections against exact identities, and the layer-by-layer run against the network's own."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor, nn

from snnkit.conversion import (
    QCFS,
    Adaptive,
    BiasCorrection,
    BiasShift,
    Correction,
    FiringRule,
    Floor,
    InitialPotential,
    Layer,
    Maximum,
    PotentialCorrection,
    Rounding,
    SpikingNetwork,
    WeightCalibration,
    calibrate,
    convert,
    set_rounding,
    set_thresholds,
)
from snnkit.conversion.remedies import SignedSpikes
from snnkit.models import wide_resnet

STEPS = 8


class Residual(nn.Module):
    """Post-activation residual network with a pooled, flattened readout that reads a shape."""

    def __init__(self) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(1, 4, 3, padding=1)
        self.act1, self.act2, self.act3 = nn.ReLU(), nn.ReLU(), nn.ReLU()
        self.conv2 = nn.Conv2d(4, 4, 3, padding=1)
        self.conv3 = nn.Conv2d(4, 4, 3, padding=1)
        self.pool = nn.AvgPool2d(2)
        self.linear = nn.Linear(16, 3)

    def forward(self, x: Tensor) -> Tensor:
        x = self.act1(self.conv1(x))
        x = self.act3(self.conv3(self.act2(self.conv2(x))) + x)
        x = self.pool(x)
        return self.linear(x.view(x.size(0), -1))


def made(model: nn.Module, x: Tensor, rounding: Rounding | None = None) -> SpikingNetwork:
    network = convert(model)
    set_thresholds(network, x, Adaptive(STEPS, per_channel=True), rounding, progress=False)
    return network


def images(count: int = 24, channels: int = 1, size: int = 4) -> Tensor:
    return torch.rand(count, channels, size, size, generator=torch.Generator().manual_seed(5))


def residual() -> nn.Module:
    torch.manual_seed(2)
    return Residual().eval()


def preactivation() -> nn.Module:
    torch.manual_seed(3)
    model = wide_resnet(10, 1, channels=1)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            module.weight.data.uniform_(0.5, 1.5)
            module.bias.data.uniform_(-0.2, 0.5)
    return model.eval()


def layer_errors(network: SpikingNetwork, x: Tensor, steps: int = STEPS) -> dict[str, Tensor]:
    """ANN activation minus average output of every layer, by hooks on the ordinary run."""
    exact: dict[str, Tensor] = {}
    sums: dict[str, Tensor] = {}
    hooks = []
    for name, neuron in network.neurons().items():
        hooks.append(
            network.activation(name).register_forward_hook(
                lambda _m, _i, o, n=name: exact.__setitem__(n, o.clone())
            )
        )
        hooks.append(
            neuron.register_forward_hook(
                lambda _m, _i, o, n=name: sums.__setitem__(n, sums.get(n, 0) + o.clone())
            )
        )
    network.analog(x)
    network(x, steps)
    for hook in hooks:
        hook.remove()
    return {name: exact[name] - sums[name] / steps for name in exact}


EVERY: list[tuple[Correction, ...]] = [
    (BiasCorrection(),),
    (PotentialCorrection(),),
    (BiasCorrection(), PotentialCorrection()),
    (WeightCalibration(5, 1e-3), BiasCorrection(), PotentialCorrection()),
]


@pytest.mark.parametrize("corrections", EVERY, ids=lambda c: "+".join(type(one).__name__ for one in c))
@pytest.mark.parametrize("build", [residual, preactivation])
def test_layer_by_layer_run_equals_the_network(build: object, corrections: tuple[Correction, ...]) -> None:
    """The reported errors, measured on cached spikes, are those of the corrected network run as a whole."""
    assert callable(build)
    x = images(size=4 if build is residual else 8)
    network = made(build(), x, InitialPotential())
    reports = calibrate(network, x, STEPS, *corrections, batch_size=10, progress=False)
    errors = layer_errors(network, x)
    assert [report.layer for report in reports] == [*errors, "logits"]
    for report in reports[:-1]:
        assert report.after == pytest.approx(float(errors[report.layer].square().mean()), rel=1e-3, abs=1e-9)
    logits = (network.analog(x) - network(x, STEPS)).square().mean()
    assert reports[-1].after == pytest.approx(float(logits), rel=1e-3)


def test_bias_correction_lowers_the_error_and_the_wrong_sign_raises_it() -> None:
    class WrongSign(BiasCorrection):
        def correct(self, layer: Layer) -> None:
            layer.add_bias(-layer.mean_error().flatten(1).mean(dim=1))

    x = images()
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    plain = made(model, x)
    before = float(layer_errors(plain, x)["1"].square().mean())
    after = {}
    for correction in (BiasCorrection(), WrongSign()):
        network = made(model, x)
        neuron = network.neurons()["1"]
        # the spiking layer is measured at its neurons: the logits' own correction is left out
        calibrate(network, x, STEPS, correction, progress=False)
        after[type(correction)] = float(layer_errors(network, x)["1"].square().mean())
        assert neuron.shift.shape == (4,)
    assert after[BiasCorrection] < before < after[WrongSign]


def test_bias_correction_adds_the_mean_over_batch_and_space() -> None:
    x = images()
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU(), nn.Flatten(), nn.Linear(64, 2))
    network = made(model, x, BiasShift(STEPS))
    expected = network.neurons()["1"].shift + layer_errors(network, x)["1"].mean(dim=(0, 2, 3))
    calibrate(network, x, STEPS, BiasCorrection(), batch_size=7, progress=False)
    torch.testing.assert_close(network.neurons()["1"].shift, expected)


def test_bias_correction_makes_the_mean_error_of_the_linear_readout_zero() -> None:
    x = images()
    network = made(residual(), x)
    assert (network.analog(x) - network(x, STEPS)).mean(dim=0).abs().max() > 1e-2
    calibrate(network, x, STEPS, BiasCorrection(), progress=False)
    assert (network.analog(x) - network(x, STEPS)).mean(dim=0).abs().max() < 1e-5


def test_potential_correction_is_t_times_the_mean_error_and_overwrites() -> None:
    x = images()
    network = made(residual(), x, InitialPotential())
    plain = made(residual(), x, InitialPotential())
    set_rounding(plain, Floor())  # the same thresholds, v(0) = 0
    expected = STEPS * layer_errors(plain, x)["act1"].mean(dim=0)
    calibrate(network, x, STEPS, PotentialCorrection(), progress=False)
    first = network.neurons()["act1"].initial
    assert first.shape == (4, 4, 4)
    torch.testing.assert_close(first, expected)
    calibrate(network, x, STEPS, PotentialCorrection(), progress=False)
    torch.testing.assert_close(network.neurons()["act1"].initial, expected)  # not added a second time


def test_potential_correction_needs_the_factor_t() -> None:
    class WithoutT(PotentialCorrection):
        def correct(self, layer: Layer) -> None:
            if layer.neuron is not None:
                layer.set_initial(layer.mean_error())

    x = images(64)
    model = nn.Sequential(nn.Conv2d(1, 4, 3, padding=1), nn.ReLU())
    after = {}
    for correction in (PotentialCorrection(), WithoutT()):
        network = made(model, x)
        calibrate(network, x, STEPS, correction, progress=False)
        after[type(correction)] = float(layer_errors(network, x)["1"].square().mean())
    assert after[PotentialCorrection] < 0.8 * after[WithoutT]


def test_weight_calibration_fits_the_layer_and_leaves_the_reference_alone() -> None:
    x = images(64)
    network = made(residual(), x)
    before, exact = layer_errors(network, x)["act1"].square().mean(), network.analog(x)
    reports = calibrate(network, x, STEPS, WeightCalibration(60, 3e-3), progress=False)
    assert reports[0].before == pytest.approx(float(before), rel=1e-4)
    assert all(report.after < report.before for report in reports)
    torch.testing.assert_close(network.analog(x), exact)
    assert not any(parameter.requires_grad for parameter in network.parameters())


def test_weight_calibration_has_the_straight_through_gradient() -> None:
    """Inside the range the response moves with the weight as the identity would: dL/dW = 2 mean(error) x."""
    seen: list[tuple[Tensor, Tensor]] = []

    class Probe:
        def correct(self, layer: Layer) -> None:
            if layer.neuron is None:
                return
            weight = layer.parameters()[0].requires_grad_(True)
            inputs = layer.average_inputs()[0]
            with torch.enable_grad():
                response = layer.respond(inputs)
                response.sum().backward()
            assert weight.grad is not None
            seen.append((response.detach(), weight.grad.clone()))
            weight.requires_grad_(False)
            weight.grad = None

    model = nn.Sequential(nn.Linear(1, 1, bias=False), nn.ReLU())
    model[0].weight.data.fill_(1.0)
    network = convert(model)
    network.neurons()["1"].set_threshold(1.0)
    calibrate(network, torch.tensor([[-0.3], [0.3], [0.6], [1.7]]), 4, Probe(), progress=False)
    response, gradient = seen[0]
    assert response.flatten().tolist() == [0.0, 0.25, 0.5, 1.0]
    assert gradient.item() == pytest.approx(0.3 + 0.6)  # clipped ones give none


def test_qcfs_networks_and_other_firing_rules_can_be_calibrated() -> None:
    torch.manual_seed(0)
    x = images()
    model = nn.Sequential(
        nn.Conv2d(1, 4, 3),
        QCFS(levels=4, clip=1.0),
        nn.Conv2d(4, 4, 2),
        QCFS(levels=4, clip=1.0),
        nn.Flatten(),
    )
    rules: list[FiringRule | None] = [None, SignedSpikes()]
    for rule in rules:
        network = convert(model)
        if rule is not None:
            network.neurons()["1"].rule = rule
        reports = calibrate(network, x, STEPS, BiasCorrection(), progress=False)
        errors = layer_errors(network, x)
        assert reports[1].after == pytest.approx(float(errors["3"].square().mean()), rel=1e-3)


def test_batch_of_one_image_and_shape_only_layers() -> None:
    model = nn.Sequential(
        nn.Flatten(), nn.ReLU(), nn.ReLU(), nn.Linear(16, 2)
    )  # the first neurons read the image
    network = made(model, images(1))
    reports = calibrate(
        network,
        images(1),
        STEPS,
        WeightCalibration(2),
        BiasCorrection(),
        PotentialCorrection(),
        progress=True,
    )
    assert [report.layer for report in reports] == ["1", "2", "logits"]
    assert reports[-1].after < 1e-9  # one image: its bias makes the logits exact


def test_bad_input() -> None:
    network = convert(residual())
    with pytest.raises(RuntimeError, match="layer 'act1' has no threshold yet; call set_thresholds"):
        calibrate(network, images(), STEPS, BiasCorrection())
    set_thresholds(network, images(), Maximum(), progress=False)
    with pytest.raises(ValueError, match="calibration set is empty"):
        calibrate(network, images(0), STEPS, BiasCorrection(), progress=False)
    with pytest.raises(ValueError, match="no correction given"):
        calibrate(network, images(), STEPS)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        calibrate(network, images(), 0, BiasCorrection())
    with pytest.raises(ValueError, match="iterations must be at least 1"):
        WeightCalibration(0)
    with pytest.raises(ValueError, match="learning_rate must be a positive"):
        WeightCalibration(1, learning_rate=0.0)
