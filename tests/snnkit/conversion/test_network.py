"""A running network: its shortcuts in time give what the body gives step by step."""

from __future__ import annotations

import copy
import pickle

import pytest
import torch
from spikingjelly.activation_based import ann2snn, functional
from torch import Tensor, nn
from torch.nn import functional as F

from snnkit.conversion import Floor, InitialPotential, Maximum, SpikingNetwork, convert, set_thresholds
from snnkit.models import wide_resnet
from tests.snnkit.conversion.networks import Plain, seeded, step_by_step


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


def test_bad_input() -> None:
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
