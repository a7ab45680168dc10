"""Temperature of Dspike: exact finite differences on smooth functions, known winners, and what is left untouched."""

from __future__ import annotations

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from snnkit.dspike import (
    TemperatureController,
    choose_temperature,
    cosine_similarity,
    finite_difference_gradient,
    sample_coordinates,
    set_temperature,
)
from snnkit.layers import IF, LIF
from snnkit.models import MeanOverTime
from snnkit.surrogate import ATan, Dspike


@given(st.integers(1, 4), st.integers(1, 5), st.floats(0.01, 2), st.integers(0, 1000))
def test_exact_on_quadratics_for_any_step(rows, columns, step, seed):
    """Central differences have no error on a polynomial of degree 2."""
    generator = torch.Generator().manual_seed(seed)
    weight = torch.randn(rows, columns, dtype=torch.float64, generator=generator).requires_grad_()
    x, y = torch.randn(2, 6, columns, dtype=torch.float64, generator=generator)
    target = y[:, :1].expand(6, rows)

    def loss():
        return (x @ weight.T - target).square().mean()

    before = weight.detach().clone()
    difference = finite_difference_gradient(loss, weight, step=step)
    (gradient,) = torch.autograd.grad(loss(), weight)
    torch.testing.assert_close(difference.gradient, gradient.flatten(), rtol=1e-8, atol=1e-9)
    assert difference.forwards == 2 * rows * columns
    assert torch.equal(weight, before)


def test_error_on_a_cubic_is_the_square_of_the_step():
    weight = torch.tensor([2.0], dtype=torch.float64)
    for step in (0.5, 0.25):
        difference = finite_difference_gradient(lambda: weight.pow(3).sum(), weight, step=step)
        assert float(difference.gradient) == pytest.approx(12 + step**2)


def test_difference_of_a_step_is_its_smoothed_slope():
    """A single spike threshold: 1/(2 step) within reach of the step, 0 outside, so 0 in the limit."""
    weight = torch.tensor([0.9], dtype=torch.float64)
    loss = lambda: IF().eval()(weight.reshape(1, 1)).sum()
    assert float(finite_difference_gradient(loss, weight, step=0.2).gradient) == pytest.approx(2.5)
    assert float(finite_difference_gradient(loss, weight, step=0.05).gradient) == 0


def test_only_the_coordinates_asked_for():
    weight = torch.arange(6.0, dtype=torch.float64).reshape(2, 3)
    coordinates = torch.tensor([4, 1])
    seen = []
    difference = finite_difference_gradient(
        lambda: seen.append(weight.clone()) or weight.square().sum(),
        weight,
        step=0.5,
        coordinates=coordinates,
    )
    assert difference.gradient.tolist() == pytest.approx([8.0, 2.0])
    assert difference.forwards == len(seen) == 4
    moved = [(w - torch.arange(6.0).reshape(2, 3)).flatten() for w in seen]
    assert [int(m.abs().argmax()) for m in moved] == [4, 4, 1, 1]
    assert [float(m.sum()) for m in moved] == [0.5, -0.5, 0.5, -0.5]


def test_noise_is_the_same_in_every_pass():
    torch.manual_seed(0)
    weight = torch.randn(5, dtype=torch.float64)
    noisy = lambda: (weight * torch.randn(5, dtype=torch.float64)).sum()
    state = torch.get_rng_state()
    drawn = torch.randn(5, dtype=torch.float64)
    torch.set_rng_state(state)
    torch.testing.assert_close(finite_difference_gradient(noisy, weight, step=0.1).gradient, drawn)


@given(st.integers(1, 40), st.integers(1, 40), st.integers(0, 100))
def test_sampled_coordinates_are_distinct(size, count, seed):
    chosen = sample_coordinates(torch.zeros(size), count, torch.Generator().manual_seed(seed))
    assert len(set(chosen.tolist())) == len(chosen) == min(size, count)
    assert 0 <= int(chosen.min()) <= int(chosen.max()) < size


def test_cosine_of_two_vectors():
    a = torch.tensor([[3.0, 0.0], [4.0, 0.0]])
    assert cosine_similarity(a, 2 * a) == pytest.approx(1)
    assert cosine_similarity(a, -a) == pytest.approx(-1)
    assert cosine_similarity(a, torch.tensor([4.0, 0.0, -3.0, 0.0])) == pytest.approx(0)
    assert cosine_similarity(a, torch.tensor([1.0, 0.0, 0.0, 0.0])) == pytest.approx(0.6)
    assert math.isnan(cosine_similarity(a, torch.zeros(4)))


def network(b: float = 3.0) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        nn.Linear(6, 8),
        LIF(threshold=0.3, surrogate=Dspike(b)),
        nn.Linear(8, 3),
        LIF(threshold=0.3, surrogate=Dspike(b)),
        MeanOverTime(),
    )


class Slopes(nn.Module):
    """A loss whose surrogate gradient is Dspike's slopes at fixed places, and whose value has given slopes.

    The value ``weight @ wanted`` is seen by the finite difference; the gradient is that of Dspike.
    """

    def __init__(self, places: torch.Tensor, wanted: torch.Tensor) -> None:
        super().__init__()
        self.surrogate = Dspike(1.0)
        self.weight = nn.Parameter(torch.zeros_like(places))
        self.places, self.wanted = places, wanted

    def loss(self) -> torch.Tensor:
        spikes = self.surrogate(self.places + self.weight)
        return (spikes - spikes.detach()).sum() + (self.weight.detach() * self.wanted).sum()


@pytest.mark.parametrize("target", [0.5, 2.0, 4.0, 8.0])
def test_finds_the_known_best_temperature(target):
    """The finite difference equals the slopes of Dspike at ``target``: that candidate has similarity 1."""
    places = torch.linspace(-0.45, 0.45, 10, dtype=torch.float64)
    model = Slopes(places, Dspike(target).derivative(places))
    choice = choose_temperature(model, model.loss, model.weight, [1.0, 0.5, 2.0, 4.0, 8.0], step=0.1)
    assert choice.b == target == model.surrogate.b
    assert choice.similarities[target] == pytest.approx(1)
    assert all(value < 1 - 1e-6 for b, value in choice.similarities.items() if b != target)
    assert (choice.forwards, choice.backwards) == (25, 5)


def test_similarities_are_those_of_the_gradients_and_nothing_else_changes():
    model = network()
    model.insert(1, nn.BatchNorm1d(8))
    generator = torch.Generator().manual_seed(2)
    x, y = torch.rand(4, 16, 6, generator=generator) * 3, torch.rand(16, 3, generator=generator)
    model[1] = Folded(model[1])

    def loss():
        return (model(x) - y).square().mean()

    weight = model[0].weight
    coordinates = sample_coordinates(weight, 20, generator)
    weight.grad = torch.ones_like(weight)
    before = {name: value.clone() for name, value in model.state_dict().items()}
    choice = choose_temperature(model, loss, weight, [3.0, 2.0], step=0.2, coordinates=coordinates)
    assert all(torch.equal(before[name], value) for name, value in model.state_dict().items())
    assert torch.equal(weight.grad, torch.ones_like(weight))
    reference = finite_difference_gradient(loss, weight, step=0.2, coordinates=coordinates).gradient
    assert float(reference.abs().sum()) > 0
    for b, similarity in choice.similarities.items():
        set_temperature(model, b)
        (gradient,) = torch.autograd.grad(loss(), weight)
        expected = torch.nn.functional.cosine_similarity(
            gradient.flatten()[coordinates].double(), reference, dim=0
        )
        assert similarity == pytest.approx(float(expected))


class Folded(nn.Module):
    def __init__(self, norm: nn.Module) -> None:
        super().__init__()
        self.norm = norm

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        return self.norm(x.flatten(0, 1)).reshape(x.shape)


def test_without_any_similarity_the_present_temperature_stays():
    model = network(2.0)
    choice = choose_temperature(
        model,
        lambda: 0.0 * model[0].weight.sum(),
        model[0].weight,
        [2.0, 1.0],
        step=0.1,
        coordinates=torch.tensor([0]),
    )
    assert choice.b == 2.0 == model[1].surrogate.b
    assert all(math.isnan(value) for value in choice.similarities.values())


@pytest.mark.parametrize("target", [0.2, 5.0])
def test_controller_walks_to_the_best_temperature_and_stops_at_the_minimum(target):
    places = torch.linspace(-0.45, 0.45, 10, dtype=torch.float64)
    model = Slopes(places, Dspike(target).derivative(places))
    controller = TemperatureController(model, model.weight, b=2.0, change=0.5, minimum=0.4)
    assert model.surrogate.b == 2.0
    for _ in range(8):
        controller.update(model.loss)
    best = max(target, 0.4)
    assert controller.b == pytest.approx(best)
    assert [choice.b for choice in controller.choices][-2:] == pytest.approx([best, best])
    assert min(b for choice in controller.choices for b in choice.similarities) >= 0.4
    assert controller.choices[0].forwards == 2 * 10 + 3


def test_controller_samples_coordinates():
    model = network()
    x = torch.rand(4, 16, 6, generator=torch.Generator().manual_seed(0)) * 3
    controller = TemperatureController(
        model, model[0].weight, samples=7, generator=torch.Generator().manual_seed(0), step=0.3
    )
    choice = controller.update(lambda: model(x).square().mean())
    assert (choice.forwards, choice.backwards) == (14 + 3, 3)
    assert set(choice.similarities) == {3.0, 2.5, 3.5}
    assert controller.b == model[1].surrogate.b == model[3].surrogate.b


WEIGHT = torch.zeros(4)


@pytest.mark.parametrize(
    ("error", "match", "call"),
    [
        (
            ValueError,
            "step must be a positive",
            lambda: finite_difference_gradient(WEIGHT.sum, WEIGHT, step=0.0),
        ),
        (
            ValueError,
            "must be contiguous",
            lambda: finite_difference_gradient(WEIGHT.sum, torch.zeros(2, 3).T, step=0.1),
        ),
        (
            ValueError,
            r"lie in \[0, 3\]; got 1 to 4",
            lambda: finite_difference_gradient(
                WEIGHT.sum, WEIGHT, step=0.1, coordinates=torch.tensor([1, 4])
            ),
        ),
        (
            ValueError,
            r"n >= 1; got shape \[0\]",
            lambda: finite_difference_gradient(
                WEIGHT.sum, WEIGHT, step=0.1, coordinates=torch.tensor([], dtype=torch.int64)
            ),
        ),
        (ValueError, "count must be at least 1; got 0", lambda: sample_coordinates(WEIGHT, 0)),
        (ValueError, "equally many elements; got 4 and 3", lambda: cosine_similarity(WEIGHT, torch.zeros(3))),
        (ValueError, "b must be a positive", lambda: set_temperature(network(), -1.0)),
        (ValueError, "no Dspike surrogate", lambda: set_temperature(LIF(surrogate=ATan()), 1.0)),
        (
            ValueError,
            "candidates is empty",
            lambda: choose_temperature(network(), WEIGHT.sum, WEIGHT, [], step=1.0),
        ),
        (
            ValueError,
            "a candidate must be a positive",
            lambda: choose_temperature(network(), WEIGHT.sum, WEIGHT, [1.0, 0.0], step=1.0),
        ),
        (
            ValueError,
            "change must be a positive",
            lambda: TemperatureController(network(), WEIGHT, change=0.0),
        ),
        (
            ValueError,
            "at least the minimum 0.1; got 0.05",
            lambda: TemperatureController(network(), WEIGHT, b=0.05),
        ),
    ],
)
def test_bad_input(error, match, call):
    with pytest.raises(error, match=match):
        call()
