"""The three-way split: exact sums, bounds that are reached, and running networks against plain loops."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit.conversion import convert, errors, monitor
from snnkit.conversion.qcfs import QCFS, use_qcfs
from snnkit.conversion.unevenness import Case, expected_count, fire
from snnkit.models import wide_resnet
from tests.snnkit.conversion.networks import Residual, chain, spiking

SEEDS = st.integers(0, 2**32 - 1)


def dyadic_currents(seed: int, steps: int, neurons: int) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randint(-8, 9, (steps, neurons), generator=generator).double() / 4


# --- arrays -----------------------------------------------------------------------------------------------


@given(seed=SEEDS, log_steps=st.integers(0, 4), v0=st.integers(0, 3))
def test_split_is_exact_on_dyadic_currents(seed: int, log_steps: int, v0: int) -> None:
    steps = 2**log_steps
    currents = dyadic_currents(seed, steps, 1000)
    spikes, v_end = fire(currents, 1.0, v0 / 4)
    z, count = currents.mean(0), spikes.sum(0)
    split = errors.split_errors(z, count, v_end, threshold=1.0, steps=steps)
    assert torch.equal(split.total, count / steps - z.clamp(min=0))
    q = expected_count(v0 / 4 + currents.sum(0), threshold=1.0, steps=steps)
    assert torch.equal(split.unevenness, (count - q) / steps)
    assert torch.equal(split.quantisation, q / steps - z.clamp(0, 1))
    assert torch.equal(split.clipping, -(z - 1).clamp(min=0))


@given(seed=SEEDS, steps=st.integers(1, 20), threshold=st.floats(0.05, 30), half=st.booleans())
def test_bounds_and_sum_in_floating_point(seed: int, steps: int, threshold: float, half: bool) -> None:
    generator = torch.Generator().manual_seed(seed)
    currents = torch.randn(steps, 500, generator=generator, dtype=torch.float64) * threshold
    start = threshold / 2 if half else 0.0
    spikes, v_end = fire(currents, threshold, start)
    z, count = currents.mean(0), spikes.sum(0)
    split = errors.split_errors(z, count, v_end, threshold=threshold, steps=steps)
    direct = count * threshold / steps - z.clamp(min=0)
    torch.testing.assert_close(split.total, direct, rtol=0, atol=4e-15 * threshold)
    unit, slack = threshold / steps, 1e-12 * threshold
    high = unit / 2 if half else 0.0
    assert float(split.quantisation.max()) <= high + slack
    assert float(split.quantisation.min()) >= high - unit - slack


def test_quantisation_bound_is_reached() -> None:
    z = torch.tensor([1 / 16, 3 / 16 - 1e-9], dtype=torch.float64)  # half a level at T = 8 rounds up
    spikes, v_end = fire(z.expand(8, -1), 1.0, 0.5)
    split = errors.split_errors(z, spikes.sum(0), v_end, threshold=1.0, steps=8)
    assert split.quantisation.tolist() == pytest.approx([1 / 16, -1 / 16], abs=2e-9)


def test_threshold_per_channel() -> None:
    threshold = torch.tensor([[0.5], [2.0]])
    currents = torch.rand(8, 2, 30, generator=torch.Generator().manual_seed(0)).double() * 3 - 1
    spikes, v_end = fire(currents, threshold.double(), threshold.double() / 2)
    split = errors.split_errors(currents.mean(0), spikes.sum(0), v_end, threshold=threshold, steps=8)
    for channel in range(2):
        theta = float(threshold[channel])
        alone = errors.split_errors(
            currents.mean(0)[channel], spikes.sum(0)[channel], v_end[channel], threshold=theta, steps=8
        )
        assert torch.equal(alone.quantisation, split.quantisation[channel])
        assert torch.equal(alone.clipping, split.clipping[channel])


# --- running networks -------------------------------------------------------------------------------------


def test_hooks_are_removed_and_state_is_left_alone() -> None:
    network, x = spiking(chain()), torch.randn(4, 6)
    before = network(x, 4).clone()
    errors.measure_errors(network, [x], 4)
    errors.even_logits(network, x, 4)
    assert torch.equal(network(x, 4), before)
    assert not any(layer._forward_hooks for layer in network.modules())


def test_layer_errors_add_up_over_batches() -> None:
    torch.manual_seed(3)
    network, steps = spiking(Residual()), 5
    batches = [torch.randn(3, 2, 6, 6), torch.randn(5, 2, 6, 6)]
    measured = errors.measure_errors(network, batches, steps)
    assert [row.name for row in measured] == list(network.neurons())
    x = torch.cat(batches)
    runs, targets = monitor.record(network, x, steps), monitor.ann_activations(network, x)
    for row in measured:
        run, target = runs[row.name], targets[row.name].double()
        split = errors.split_run(run)
        assert (row.samples, row.neurons, row.steps) == (8, 4 * 36, steps)
        for term, value in [
            ("unevenness", split.unevenness),
            ("quantisation", split.quantisation),
            ("clipping", split.clipping),
            ("total", run.average - run.current.clamp(min=0)),
            ("propagated", run.current.clamp(min=0) - target),
            ("against_ann", run.average - target),
        ]:
            moments = getattr(row, term)
            assert moments.mean == pytest.approx(float(value.mean()), abs=1e-6)
            assert moments.mean_abs == pytest.approx(float(value.abs().mean()), abs=1e-6)
            assert moments.rms == pytest.approx(float(value.square().mean().sqrt()), abs=1e-6)
        excess = split.verdict.excess
        assert row.uneven == pytest.approx(float((excess != 0).double().mean()))
        assert row.extra + row.missing == pytest.approx(row.uneven)
        assert sum(row.excess.values()) == excess.numel()
        assert sum(value * number for value, number in row.excess.items()) == int(excess.sum())
        assert sum(row.cases.values()) == excess.numel()
        assert row.cases.get(Case.EXTRA, 0) == int((excess > 0).sum())
        assert row.silenced == pytest.approx(float(((excess > 0) & (excess == run.count)).double().mean()))
        assert row.uneven_by_neuron.shape == (4, 6, 6)
        assert float(row.uneven_by_neuron.mean()) == pytest.approx(row.uneven)
        assert float(row.bias_by_neuron.mean()) == pytest.approx(row.against_ann.mean, abs=1e-9)
        expected = row.against_ann.rms / float(target.square().mean().sqrt())
        assert row.relative_rmse == pytest.approx(expected, abs=1e-5)
    assert measured[0].uneven == 0
    assert measured[1].uneven > 0


def test_parts_add_up_to_the_error_against_the_ann() -> None:
    network = spiking(chain())
    for row in errors.measure_errors(network, [torch.randn(40, 6)], 7):
        local = row.unevenness.mean + row.quantisation.mean + row.clipping.mean
        assert row.total.mean == pytest.approx(local, abs=1e-12)
        assert row.against_ann.mean == pytest.approx(
            local + row.activation.mean + row.propagated.mean, abs=1e-7
        )
        assert row.activation.rms == 0


def test_qcfs_network_with_steps_equal_to_levels() -> None:
    """Layer 1 equals the trained staircase exactly; the activation term undoes quantisation and clipping."""
    torch.manual_seed(0)
    network = convert(use_qcfs(chain(), 8, clip=1.0))
    first, *rest = errors.measure_errors(network, [torch.randn(60, 6)], 8)
    assert first.uneven == 0
    assert first.propagated.rms == 0
    assert first.against_ann.rms == pytest.approx(0, abs=1e-7)
    assert first.activation.mean == pytest.approx(-(first.quantisation.mean + first.clipping.mean), abs=1e-7)
    assert any(row.uneven > 0 for row in rest)


def test_even_logits_are_those_of_the_clipped_and_rounded_ann() -> None:
    steps = 5
    for model in (chain(), Residual()):
        network = spiking(model, threshold=0.75)
        x = torch.randn(6, 6) if isinstance(model, nn.Sequential) else torch.randn(6, 2, 5, 5)

        def rounded(z: Tensor, *args: object, **kwargs: object) -> Tensor:
            return ((z * steps + 0.375) / 0.75).floor().clamp(0, steps) * 0.75 / steps

        with torch.no_grad(), pytest.MonkeyPatch.context() as patch:
            patch.setattr(F, "relu", rounded)
            expected = model(x)
        torch.testing.assert_close(errors.even_logits(network, x, steps), expected, rtol=1e-4, atol=1e-5)


def test_even_logits_of_a_qcfs_network_are_the_ann() -> None:
    torch.manual_seed(1)
    model = use_qcfs(chain(), 4, clip=1.5)
    x = torch.randn(30, 6)
    torch.testing.assert_close(
        errors.even_logits(convert(model), x, 4), model(x).detach(), rtol=1e-4, atol=1e-5
    )


def test_pre_activation_network_with_qcfs() -> None:
    """BatchNorm in front of the activation, real-valued shortcuts: the even network is the trained one."""
    torch.manual_seed(2)
    network = convert(wide_resnet(10, 1, lambda: QCFS(levels=4, clip=2.0)).eval())
    x = torch.randn(3, 3, 8, 8)
    torch.testing.assert_close(errors.even_logits(network, x, 4), network.analog(x), rtol=1e-4, atol=1e-5)
    measured = errors.measure_errors(network, [x], 4)
    assert measured[0].uneven == 0
    assert max(row.uneven for row in measured) > 0


def test_first_layer_has_no_unevenness() -> None:
    network = spiking(chain(widths=(20, 50, 50, 5)))
    first, second = errors.measure_errors(network, [torch.randn(64, 20)], 16)
    assert first.uneven == 0
    assert first.excess == {0: 64 * 50}
    assert second.uneven > 0.01


def test_relative_error_of_a_dead_layer_is_nan() -> None:
    model = chain(widths=(3, 4, 2))
    nn.init.constant_(model[0].bias, -100.0)
    (row,) = errors.measure_errors(spiking(model), [torch.randn(5, 3)], 3)
    assert math.isnan(row.relative_rmse)
    assert row.cases == {Case.SILENT: 20}


def test_frames_that_do_not_change_are_an_image() -> None:
    network = spiking(Residual())
    x = torch.rand(3, 2, 5, 5)
    frames = x.expand(6, *x.shape)
    torch.testing.assert_close(network.play(frames), network(x, 6))
    (played, *_), (shown, *_) = (
        errors.measure_frame_errors(network, [frames], tolerance=1e-5),
        errors.measure_errors(network, [x], 6, tolerance=1e-5),
    )
    assert played.excess == shown.excess
    assert played.against_ann.rms == pytest.approx(shown.against_ann.rms)


def test_the_order_of_frames_makes_the_first_layer_uneven() -> None:
    network = spiking(chain())
    frames = torch.randn(8, 50, 6, generator=torch.Generator().manual_seed(0))
    even = errors.measure_errors(network, [frames.mean(0)], 8, tolerance=1e-5)[0]
    order = errors.measure_frame_errors(network, frames.split(10, dim=1), tolerance=1e-5)[0]
    assert even.uneven == 0 < order.uneven
    assert order.samples == 50
    assert order.propagated.rms < 1e-6


def test_frames_that_do_not_fit() -> None:
    network = spiking(chain())
    with pytest.raises(ValueError, match=r"must have shape \[T, N, ...\], not empty; got \[6\]"):
        network.play(torch.zeros(6))
    with pytest.raises(TypeError, match="frames"):
        network.play(torch.zeros(2, 1, 6, dtype=torch.int64))
    with pytest.raises(ValueError, match="frames"):
        network.play(torch.full((2, 1, 6), torch.nan))
    with pytest.raises(ValueError, match="must have 2 time steps, as the first; got 3"):
        errors.measure_frame_errors(network, [torch.zeros(2, 1, 6), torch.zeros(3, 1, 6)])
    with pytest.raises(ValueError, match="at least one batch"):
        errors.measure_frame_errors(network, [])
    with pytest.raises(RuntimeError, match="no threshold yet"):
        convert(chain()).play(torch.zeros(2, 1, 6))


def test_bad_input() -> None:
    network = spiking(chain())
    with pytest.raises(ValueError, match="batches is empty"):
        errors.measure_errors(network, [], 4)
    with pytest.raises(ValueError, match="steps must be at least 1"):
        errors.even_logits(network, torch.randn(2, 6), 0)
    with pytest.raises(TypeError, match="average_current must have a floating-point dtype"):
        errors.split_errors(torch.ones(2).int(), torch.ones(2), torch.ones(2), threshold=1.0, steps=2)
