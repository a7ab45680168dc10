"""The QCFS activation: values, straight-through gradients in three regions, theorem 2, replacement of ReLU."""

from __future__ import annotations

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from snnkit.conversion import qcfs
from snnkit.conversion.qcfs import QCFS, ClampThenFloor, FloorThenClamp, PaperRegion, Region, staircase
from snnkit.conversion.unevenness import expected_count, fire


def floor_ste(x: Tensor) -> Tensor:
    return x + (x.floor() - x).detach()


def floor_then_clamp(z: Tensor, clip: Tensor, levels: int) -> Tensor:
    return clip * torch.clamp(floor_ste(z * levels / clip + 0.5) / levels, 0, 1)


def clamp_then_floor(z: Tensor, clip: Tensor, levels: int) -> Tensor:
    return clip * floor_ste(torch.clamp(z / clip, 0, 1) * levels + 0.5) / levels


def paper(z: Tensor, clip: Tensor, levels: int) -> Tensor:
    """Straight-through inside eq. (18), the constants clip and 0 outside."""
    inside = (z > -clip / (2 * levels)) & (z < clip - clip / (2 * levels))
    return torch.where(
        inside,
        clip / levels * floor_ste(z * levels / clip + 0.5),
        torch.where(z > 0, clip, torch.zeros_like(z)),
    )


CONSTRUCTIONS = [
    (PaperRegion(), paper),
    (FloorThenClamp(), floor_then_clamp),
    (ClampThenFloor(), clamp_then_floor),
]


@pytest.mark.parametrize(("region", "construction"), CONSTRUCTIONS)
@given(seed=st.integers(0, 2**31), levels=st.integers(1, 16), clip=st.floats(0.1, 20))
def test_gradients_equal_autograd_of_the_construction(
    region: Region, construction: Callable[..., Tensor], seed: int, levels: int, clip: float
) -> None:
    generator = torch.Generator().manual_seed(seed)
    z = (torch.rand(400, generator=generator, dtype=torch.float64) * 2 - 0.5) * clip
    weight = torch.randn(400, generator=generator, dtype=torch.float64)
    gradients = []
    for function in (lambda z, c, n: staircase(z, c, n, region=region), construction):
        leaf, level = z.clone().requires_grad_(), torch.tensor(clip, dtype=torch.float64, requires_grad=True)
        h = function(leaf, level, levels)
        (h * weight).sum().backward()
        assert leaf.grad is not None
        assert level.grad is not None
        gradients.append((h.detach(), leaf.grad, level.grad))
    for own, reference in zip(*gradients, strict=True):
        torch.testing.assert_close(own, reference, rtol=1e-9, atol=1e-9)


def test_regions_differ_where_they_should() -> None:
    clip, levels = torch.tensor(8.0), 4  # half a step is 1
    z = torch.tensor([-1.5, -1.0, -0.5, 0.0, 3.0, 7.0, 7.5, 8.0, 8.5, 9.0, 20.0])
    assert PaperRegion()(z, clip, levels).tolist() == [False, False] + [True] * 3 + [False] * 6
    assert FloorThenClamp()(z, clip, levels).tolist() == [False] + [True] * 8 + [False] * 2
    assert ClampThenFloor()(z, clip, levels).tolist() == [False] * 3 + [True] * 5 + [False] * 3
    values = [staircase(z, clip, levels, region=region) for region, _ in CONSTRUCTIONS]
    assert torch.equal(values[0], values[1])
    assert torch.equal(values[0], values[2])


def test_values_and_clip_gradient_by_hand() -> None:
    layer = QCFS(levels=4, clip=8.0)
    z = torch.tensor([-3.0, 0.9, 1.0, 2.9, 6.9, 7.0, 30.0])
    assert layer(z).tolist() == [0, 0, 2, 2, 6, 8, 8]
    for value, slope in [
        (-3.0, 0.0),
        (0.9, -0.9 / 8),
        (1.0, 1 / 8),
        (2.9, -0.9 / 8),
        (7.0, 1.0),
        (30.0, 1.0),
    ]:
        layer.clip.grad = None
        layer(torch.tensor([value])).sum().backward()
        assert float(layer.clip.grad) == pytest.approx(slope, abs=1e-6)


def test_only_the_gradients_that_are_needed() -> None:
    layer = QCFS()
    layer.clip.requires_grad_(False)
    z = torch.randn(5, requires_grad=True)
    layer(z).sum().backward()
    assert z.grad is not None
    assert layer.clip.grad is None
    layer = QCFS()
    layer(torch.tensor([20.0])).sum().backward()
    assert float(layer.clip.grad) == 1.0


@pytest.mark.parametrize(("levels", "steps"), [(4, 7), (8, 3), (4, 4), (4, 8), (4, 2)])
def test_theorem_2(levels: int, steps: int) -> None:
    assert abs(qcfs.mean_conversion_error(levels, steps)) < 1e-12


def test_theorem_2_needs_the_half() -> None:
    assert qcfs.mean_conversion_error(4, 8, phi=0.0) == pytest.approx(1 / 16)
    assert qcfs.mean_conversion_error(8, 3, phi=0.0) == pytest.approx(-5 / 48)


def test_theorem_2_with_the_neuron_itself() -> None:
    """The closed form in ``mean_conversion_error`` is what the simulated neuron does under constant current."""
    levels, steps, cells = 4, 7, 4 * 7 * 32
    z = (torch.arange(cells, dtype=torch.float64) + 0.5) / cells
    rate = fire(z.expand(steps, -1), 1.0, 0.5).spikes.mean(0)
    assert abs(float((rate - staircase(z, 1.0, levels)).mean())) < 1e-12


@given(seed=st.integers(0, 2**31), levels=st.integers(1, 12), clip=st.floats(0.5, 10))
def test_theorem_1_levels_equal_steps(seed: int, levels: int, clip: float) -> None:
    layer = QCFS(levels, clip).double()
    threshold, initial = layer.spiking_parameters()
    z = (torch.rand(500, generator=torch.Generator().manual_seed(seed), dtype=torch.float64) * 3 - 1) * clip
    count = expected_count(z * levels + initial, threshold=threshold, steps=levels)
    torch.testing.assert_close(count.double() * threshold / levels, layer(z).detach(), rtol=1e-6, atol=1e-6)


class Shared(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.first = nn.Sequential(nn.Linear(3, 4), nn.ReLU(inplace=True))
        self.act = nn.ReLU()
        self.same = self.act

    def forward(self, x: Tensor) -> Tensor:
        result: Tensor = self.same(self.act(self.first(x)) - 0.5)
        return result


def test_use_qcfs_replaces_every_relu() -> None:
    model = Shared().eval()
    assert qcfs.use_qcfs(model, 4, clip=2.0) is model
    layers = qcfs.qcfs_layers(model)
    assert list(layers) == ["first.1", "act"]
    assert model.act is model.same
    assert not any(isinstance(child, nn.ReLU) for child in model.modules())
    assert all(
        layer.levels == 4 and float(layer.clip.detach()) == 2.0 and not layer.training
        for layer in layers.values()
    )
    assert layers["act"] is not layers["first.1"]
    values = model(torch.randn(16, 3)) * 4 / 2
    assert torch.equal(values, values.round())
    assert sorted(name for name, _ in model.named_parameters() if "clip" in name) == [
        "act.clip",
        "first.1.clip",
    ]
    assert "levels=4, clip=2" in repr(model)


def test_training_moves_the_clip_to_the_data() -> None:
    generator = torch.Generator().manual_seed(0)
    z = torch.rand(256, generator=generator) * 3
    layer = QCFS(levels=8, clip=8.0)
    optimiser = torch.optim.SGD(layer.parameters(), lr=2.0)
    first = float((layer(z) - z).detach().square().mean())
    for _ in range(150):
        optimiser.zero_grad()
        (layer(z) - z).square().mean().backward()
        optimiser.step()
    assert float((layer(z) - z).detach().square().mean()) < first / 4
    assert 2.5 < float(layer.clip.detach()) < 4


def test_bad_input() -> None:
    with pytest.raises(ValueError, match=r"Linear holds no nn.ReLU module"):
        qcfs.use_qcfs(nn.Linear(2, 2), 4)
    with pytest.raises(ValueError, match="levels must be at least 1; got 0"):
        QCFS(levels=0)
    with pytest.raises(ValueError, match="clip must be a positive"):
        QCFS(clip=-1.0)
    with pytest.raises(ValueError, match="phi must lie"):
        staircase(torch.zeros(2), 1.0, 2, phi=2.0)
    with pytest.raises(TypeError, match="levels must be an int"):
        staircase(torch.zeros(2), 1.0, 2.0)  # type: ignore[arg-type]
    with pytest.raises(TypeError, match="floating-point"):
        staircase(torch.zeros(2, dtype=torch.int64), 1.0, 2)
    with pytest.raises(ValueError, match="one number per layer"):
        staircase(torch.zeros(2), torch.ones(2), 2)
    layer = QCFS()
    layer.clip.data.fill_(-0.5)
    with pytest.raises(ValueError, match=r"has become -0.5"):
        layer(torch.zeros(2))
    with pytest.raises(ValueError, match="points must be at least 1"):
        qcfs.mean_conversion_error(4, 4, points=0)
