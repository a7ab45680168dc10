"""Threshold rules against NumPy, a brute-force grid search and the exactness of accumulation over batches."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from snnkit.conversion import (
    QCFS,
    Adaptive,
    BiasShift,
    Floor,
    InitialPotential,
    Maximum,
    Percentile,
    Rounding,
    SpikingNetwork,
    ThresholdRule,
    clip_floor,
    convert,
    set_rounding,
    set_thresholds,
    staircase_errors,
)


def collect(rule: ThresholdRule, batches: list[Tensor], rounding: Rounding | None = None) -> Tensor:
    collector = rule.collector(Floor() if rounding is None else rounding)
    while True:
        for batch in batches:
            collector.see(batch)
        if collector.end_of_pass():
            return collector.threshold()


def activations(seed: int, images: int = 12) -> list[Tensor]:
    generator = torch.Generator().manual_seed(seed)
    values = torch.empty(images, 3, 2, 2).exponential_(generator=generator) - 0.5
    return list(values.relu().split(5))


def rows(batches: list[Tensor], per_channel: bool) -> np.ndarray:
    whole = torch.cat(batches)
    return (whole.transpose(0, 1).flatten(1) if per_channel else whole.reshape(1, -1)).numpy()


@given(seed=st.integers(0, 2**20), percent=st.floats(50, 100), per_channel=st.booleans())
def test_maximum_and_percentile_equal_numpy(seed: int, percent: float, per_channel: bool) -> None:
    batches = activations(seed)
    whole = rows(batches, per_channel)
    np.testing.assert_array_equal(collect(Maximum(per_channel), batches), whole.max(axis=1))
    expected = np.percentile(whole.astype(np.float64), percent, axis=1)
    np.testing.assert_allclose(
        collect(Percentile(percent, per_channel), batches), expected, rtol=1e-5, atol=1e-7
    )


@given(
    seed=st.integers(0, 2**20),
    steps=st.integers(1, 20),
    rounding=st.sampled_from([Floor(), InitialPotential()]),
)
def test_staircase_errors_equal_brute_force(
    seed: int, steps: int, rounding: Floor | InitialPotential
) -> None:
    generator = torch.Generator().manual_seed(seed)
    values = torch.rand(2, 40, generator=generator, dtype=torch.float64) * 3
    thresholds = torch.rand(2, 6, generator=generator, dtype=torch.float64) * 3 + 0.05
    got = staircase_errors(values, thresholds, steps, rounding.offset)
    for row in range(2):
        for column in range(6):
            theta = thresholds[row, column]
            average = clip_floor(values[row], threshold=theta, initial=rounding.offset * theta, steps=steps)
            assert got[row, column] == pytest.approx(float((average - values[row]).square().sum()), abs=1e-9)


@pytest.mark.parametrize("per_channel", [False, True])
@pytest.mark.parametrize("rounding", [Floor(), BiasShift(6), InitialPotential()])
def test_adaptive_is_the_best_of_its_grid(rounding: Rounding, per_channel: bool) -> None:
    batches = activations(3)
    found = collect(Adaptive(6, per_channel, grid=40), batches, rounding)
    for row, theta in zip(torch.tensor(rows(batches, per_channel)).double(), found, strict=True):
        grid = row.max() * torch.arange(1, 41).double() / 40
        errors = torch.stack(
            [
                (clip_floor(row, threshold=g, initial=rounding.offset * g, steps=6) - row).square().sum()
                for g in grid
            ]
        )
        assert float(theta) == pytest.approx(float(grid[errors.argmin()]), rel=1e-6)


def test_adaptive_thresholds_depend_on_the_rounding_as_published() -> None:
    """Exponential activations, T = 8: the best threshold is about 4.1 for plain flooring and 5.0 when centred."""
    values = torch.distributions.Exponential(1.0).icdf((torch.arange(200_000) + 0.5) / 200_000).view(-1, 1)
    plain = collect(Adaptive(8, grid=400), [values], Floor())
    centred = collect(Adaptive(8, grid=400), [values], InitialPotential())
    assert float(plain) == pytest.approx(4.10, abs=0.1)
    assert float(centred) == pytest.approx(5.04, abs=0.1)


def test_squared_error_does_not_drive_the_threshold_to_zero() -> None:
    """Minimising the raw difference would: it is always negative and grows towards theta = 0."""
    values = torch.rand(1, 1000, generator=torch.Generator().manual_seed(0)).double()
    theta = torch.tensor([[0.01, 0.5, 1.0]], dtype=torch.float64)
    raw = torch.stack(
        [(clip_floor(values, threshold=t, initial=0.0, steps=8) - values).mean() for t in theta[0]]
    )
    assert raw.argmin() == 0
    assert staircase_errors(values, theta, 8, 0.0).argmin() == 2


def network() -> SpikingNetwork:
    torch.manual_seed(0)
    return convert(nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(12, 4), nn.ReLU()))


RULES = [Maximum(), Maximum(True), Percentile(90.0), Percentile(90.0, True), Adaptive(4), Adaptive(4, True)]


@pytest.mark.parametrize("rule", RULES, ids=str)
def test_batches_do_not_matter(rule: ThresholdRule) -> None:
    x = torch.rand(10, 1, 4, 4)
    whole = set_thresholds(network(), x, rule, batch_size=10, progress=False)
    parts = set_thresholds(network(), x, rule, batch_size=3, progress=False)
    listed = set_thresholds(network(), [(x[:7], None), (x[7:], None), (x[:0], None)], rule, progress=False)
    assert list(whole) == ["1", "4"]
    for name, value in whole.items():
        assert value.shape == ((3,) if name == "1" else (4,)) if rule.per_channel else value.dim() == 0
        torch.testing.assert_close(parts[name], value)
        torch.testing.assert_close(listed[name], value)


def test_maximum_leaves_no_clipping_on_the_calibration_images() -> None:
    net, x = network(), torch.randn(10, 1, 4, 4)
    set_thresholds(net, x, Maximum(per_channel=True), progress=False)
    top: list[Tensor] = []
    hook = net.activation("1").register_forward_hook(lambda _m, _i, o: top.append(o.amax(dim=(0, 2, 3))))
    net.analog(x)
    hook.remove()
    torch.testing.assert_close(net.neurons()["1"].threshold, top[0])


def test_rounding_is_applied_and_can_be_changed() -> None:
    net, x = network(), torch.rand(4, 1, 4, 4)
    set_thresholds(net, x, Maximum(), BiasShift(8), progress=False)
    neuron = net.neurons()["1"]
    assert float(neuron.shift) == pytest.approx(float(neuron.threshold) / 16)
    assert float(neuron.initial) == 0
    set_rounding(net, InitialPotential())
    assert float(neuron.shift) == 0
    assert float(neuron.initial) == pytest.approx(float(neuron.threshold) / 2)


def test_dead_channels_take_the_largest_threshold() -> None:
    model = nn.Sequential(nn.Linear(2, 3), nn.ReLU())
    model[0].weight.data = torch.tensor([[1.0, 0.0], [-1.0, -1.0], [3.0, 0.0]])
    model[0].bias.data.zero_()
    net, x = convert(model), torch.ones(4, 2)
    for rule in (Maximum(True), Adaptive(2, True, grid=1)):
        assert set_thresholds(net, x, rule, progress=False)["1"].tolist() == [1.0, 3.0, 3.0]
    model[0].weight.data.neg_()
    model[0].bias.data.fill_(-5.0)
    for rule in (Maximum(), Adaptive(2)):
        with pytest.warns(UserWarning, match="layer '1' is 0 on every calibration image"):
            assert float(set_thresholds(convert(model), x, rule, progress=False)["1"]) == 1.0


def test_trained_clips_are_kept() -> None:
    mixed = convert(nn.Sequential(nn.Linear(2, 3), QCFS(levels=4, clip=5.0), nn.Linear(3, 3), nn.ReLU()))
    assert list(set_thresholds(mixed, torch.rand(4, 2), Maximum(), progress=False)) == ["3"]
    assert float(mixed.neurons()["1"].threshold) == 5.0
    with pytest.raises(ValueError, match="no ReLU layer"):
        set_thresholds(convert(nn.Sequential(nn.Linear(2, 3), QCFS(levels=4))), torch.rand(4, 2), Maximum())


def test_bad_input() -> None:
    net = network()
    for empty in (torch.rand(0, 1, 4, 4), [], [torch.rand(0, 1, 4, 4)]):
        with pytest.raises(ValueError, match="calibration set is empty"):
            set_thresholds(net, empty, Maximum(), progress=False)
    with pytest.raises(TypeError, match="images must have a floating-point dtype"):
        set_thresholds(net, torch.zeros(2, 1, 4, 4, dtype=torch.uint8), Maximum(), progress=False)
    with pytest.raises(ValueError, match="images must be finite"):
        set_thresholds(net, torch.full((2, 1, 4, 4), float("nan")), Maximum(), progress=False)
    with pytest.raises(ValueError, match="batch_size must be at least 1"):
        set_thresholds(net, torch.rand(2, 1, 4, 4), Maximum(), batch_size=0, progress=False)
    with pytest.raises(ValueError, match=r"percent must lie in \[0.0, 100.0\]; got 101"):
        Percentile(101.0)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        Adaptive(0)
    with pytest.raises(ValueError, match="grid must be at least 1"):
        Adaptive(4, grid=0)
