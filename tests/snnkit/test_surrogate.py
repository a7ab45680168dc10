"""Surrogates: against autograd of their primitives, closed-form areas and peaks, and SpikingJelly's own."""

from __future__ import annotations

import math
from dataclasses import dataclass

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from spikingjelly.activation_based import functional, neuron
from spikingjelly.activation_based import surrogate as sj

from snnkit import surrogate as sg

PARAMETERS = st.floats(0.25, 6)
BUILDERS = {
    "Rectangle": PARAMETERS.map(sg.Rectangle),
    "Triangle": st.builds(sg.Triangle, PARAMETERS, PARAMETERS),
    "PiecewiseQuadratic": PARAMETERS.map(sg.PiecewiseQuadratic),
    "Exponential": PARAMETERS.map(sg.Exponential),
    "Sigmoid": PARAMETERS.map(sg.Sigmoid),
    "ATan": PARAMETERS.map(sg.ATan),
    "Erf": PARAMETERS.map(sg.Erf),
    "SoftSign": PARAMETERS.map(sg.SoftSign),
    "Sine": PARAMETERS.map(sg.Sine),
    "Power": st.builds(sg.Power, st.floats(0.1, 1), st.floats(5e-3, 0.5)),
    "Dspike": PARAMETERS.map(sg.Dspike),
}
AREAS = {  # area of the slope where it is not 1
    "Triangle": lambda s: s.width * s.peak,
    "Power": lambda s: 1 - (1 - s.alpha) * s.floor**s.alpha,
}
PEAKS = {
    "Rectangle": lambda s: s.alpha,
    "Triangle": lambda s: s.peak,
    "PiecewiseQuadratic": lambda s: s.alpha,
    "Exponential": lambda s: s.alpha / 2,
    "Sigmoid": lambda s: s.alpha / 4,
    "ATan": lambda s: s.alpha / 2,
    "Erf": lambda s: s.alpha / math.sqrt(math.pi),
    "SoftSign": lambda s: s.alpha / 2,
    "Sine": lambda s: math.pi / (4 * s.alpha),
    "Power": lambda s: s.alpha / 2 * s.floor ** (s.alpha - 1),
    "Dspike": lambda s: s.b / (2 * math.tanh(s.b / 2)),
}

families = pytest.mark.parametrize("name", sorted(sg.FAMILIES))


def gradient(function, x: torch.Tensor) -> torch.Tensor:
    inputs = x.clone().requires_grad_()
    return torch.autograd.grad(function(inputs).sum(), inputs)[0]


def test_registry_holds_every_family_under_its_own_name():
    assert set(BUILDERS) == set(sg.FAMILIES) == set(PEAKS)
    for name, family in sg.FAMILIES.items():
        assert type(family()).__name__ == name
        assert isinstance(family(), sg.Surrogate)


@families
@settings(max_examples=20)
@given(data=st.data())
def test_slope_is_autograd_of_the_primitive(name, data):
    surrogate = data.draw(BUILDERS[name])
    edges = [0.0, 0.5, -0.5, 1.0, -1.0, 8.0, -8.0]
    seed = data.draw(st.integers(0, 2**31))
    noise = torch.randn(200, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    x = torch.cat([torch.tensor(edges, dtype=torch.float64), noise])
    expected = gradient(surrogate.primitive, x)
    assert torch.isfinite(expected).all()
    torch.testing.assert_close(surrogate.derivative(x), expected, rtol=1e-9, atol=1e-12)
    torch.testing.assert_close(gradient(surrogate, x), expected, rtol=1e-9, atol=1e-12)


@families
@settings(max_examples=10)
@given(data=st.data())
def test_rise_area_peak_and_symmetry(name, data):
    surrogate = data.draw(BUILDERS[name])
    area = AREAS.get(name, lambda s: 1.0)(surrogate)
    far = torch.tensor([-1e9, 1e9], dtype=torch.float64)
    low, high = surrogate.primitive(far)
    assert float(high - low) == pytest.approx(area, abs=1e-8)
    x = torch.linspace(-6, 6, 24_001, dtype=torch.float64)
    rise = surrogate.primitive(x[-1:]) - surrogate.primitive(x[:1])
    middle = (x[1:] + x[:-1]) / 2
    assert float(surrogate.derivative(middle).sum() * (x[1] - x[0])) == pytest.approx(float(rise), abs=0.01)
    slope = surrogate.derivative(x)
    assert (slope >= 0).all()
    torch.testing.assert_close(slope, slope.flip(0), atol=1e-9, rtol=1e-6)
    assert float(surrogate.derivative(torch.zeros(1, dtype=torch.float64))) == pytest.approx(
        PEAKS[name](surrogate)
    )
    assert float(slope.max()) <= PEAKS[name](surrogate) * (1 + 1e-12)
    assert float(surrogate.primitive(torch.zeros(1, dtype=torch.float64))) == pytest.approx(0.5)


@families
@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_forward_is_the_step_that_fires_at_threshold(name, dtype):
    x = torch.tensor([-2.0, -1e-6, -0.0, 0.0, 1e-6, 2.0], dtype=dtype)
    spikes = sg.FAMILIES[name]()(x)
    assert spikes.dtype == dtype
    assert spikes.tolist() == [0, 0, 1, 1, 1, 1]


@families
def test_not_spiking_gives_the_primitive(name):
    surrogate = sg.FAMILIES[name](spiking=False)
    x = torch.linspace(-2, 2, 41)
    assert torch.equal(surrogate(x), surrogate.primitive(x))
    assert "spiking=False" in repr(surrogate)


@families
def test_slope_works_under_vmap(name):
    surrogate = sg.FAMILIES[name]()
    x = torch.linspace(-0.4, 0.4, 7, dtype=torch.float64)
    slopes = torch.func.vmap(torch.func.grad(surrogate))(x)
    torch.testing.assert_close(slopes, surrogate.derivative(x))


@pytest.mark.parametrize(
    ("ours", "theirs"),
    [
        (sg.Rectangle(1.5), sj.Rect(1.5)),
        (sg.PiecewiseQuadratic(1.5), sj.PiecewiseQuadratic(1.5)),
        (sg.Exponential(1.5), sj.PiecewiseExp(1.5)),
        (sg.Sigmoid(3.0), sj.Sigmoid(3.0)),
        (sg.ATan(3.0), sj.ATan(3.0)),
        (sg.Erf(1.5), sj.Erf(1.5)),
        (sg.SoftSign(3.0), sj.SoftSign(3.0)),
    ],
    ids=lambda s: type(s).__name__,
)
def test_equal_to_spikingjelly_where_it_has_the_family(ours, theirs):
    x = torch.randn(500, dtype=torch.float64, generator=torch.Generator().manual_seed(1))
    x = torch.cat([x, torch.zeros(1, dtype=torch.float64)])
    torch.testing.assert_close(gradient(ours, x), gradient(theirs, x))
    theirs.set_spiking_mode(False)
    torch.testing.assert_close(ours.primitive(x), theirs(x))
    theirs.set_spiking_mode(True)
    torch.testing.assert_close(sg.derivative_of(theirs)(x), ours.derivative(x))


@families
@pytest.mark.parametrize("mode", ["s", "m"])
def test_usable_in_spikingjelly_neurons(name, mode):
    """One step from rest: the weight's gradient is the slope at charge - threshold."""
    surrogate = sg.FAMILIES[name]()
    node = neuron.IFNode(v_threshold=1.0, v_reset=None, surrogate_function=surrogate, step_mode=mode)
    x = torch.linspace(0.6, 1.4, 9).reshape(1, 9).requires_grad_()
    spikes = node(x if mode == "m" else x[0])
    assert spikes.detach().flatten().tolist() == [0, 0, 0, 0, 1, 1, 1, 1, 1]
    (slope,) = torch.autograd.grad(spikes.sum(), x)
    torch.testing.assert_close(slope, surrogate.derivative(x.detach() - 1))
    functional.reset_net(node)


def test_sine_half_width_grows_with_alpha():
    x = torch.tensor([0.9, 1.1, 1.9, 2.1])
    assert (sg.Sine(1.0).derivative(x) > 0).tolist() == [True, False, False, False]
    assert (sg.Sine(2.0).derivative(x) > 0).tolist() == [True, True, True, False]
    assert float(sg.Sine(math.pi / 4).derivative(torch.zeros(1))) == pytest.approx(1)


def test_power_is_the_unfloored_power_above_the_floor_and_finite_at_zero():
    surrogate = sg.Power(0.5, floor=1e-2)
    x = torch.tensor([0.01, 0.04, 0.25, 1.0], dtype=torch.float64)
    torch.testing.assert_close(surrogate.derivative(x), 0.25 / x.sqrt())
    assert float(surrogate.derivative(torch.zeros(1))) == pytest.approx(2.5)
    assert surrogate.derivative(torch.tensor([1.001, -1.001])).tolist() == [0, 0]
    # Without a floor the primitive 1/2 sign(x) sqrt|x| + 1/2 has no usable gradient at 0.
    assert not torch.isfinite(gradient(lambda z: 0.5 * z.sign() * z.abs() ** 0.5, torch.zeros(1))).any()
    far = torch.tensor([-2.0, 2.0], dtype=torch.float64)
    for floor in (1e-2, 1e-4, 1e-6):
        low, high = sg.Power(0.5, floor).primitive(far)
        assert float(high - low) == pytest.approx(1 - 0.5 * floor**0.5)


def test_dspike_against_the_formula_on_the_unit_window():
    """f(x) = (tanh(b (x - 1/2)) + tanh(b/2)) / (2 tanh(b/2)) on [0, 1] for a threshold of 1/2."""
    b = 3.0
    v = torch.linspace(0, 1, 101, dtype=torch.float64)
    expected = (torch.tanh(b * (v - 0.5)) + math.tanh(b / 2)) / (2 * math.tanh(b / 2))
    surrogate = sg.Dspike(b)
    torch.testing.assert_close(surrogate.primitive(v - 0.5), expected)
    assert float(expected[0]) == 0
    assert float(expected[50]) == pytest.approx(0.5)
    assert float(expected[100]) == pytest.approx(1)
    outside = torch.tensor([-0.501, 0.501])
    assert surrogate.derivative(outside).tolist() == [0, 0]
    assert surrogate.primitive(outside).tolist() == [0, 1]


def test_dspike_limits_are_the_line_and_the_step():
    x = torch.linspace(-0.5, 0.5, 101, dtype=torch.float64)
    torch.testing.assert_close(sg.Dspike(1e-4).primitive(x), x + 0.5, atol=1e-9, rtol=0)
    torch.testing.assert_close(sg.Dspike(1e-4).derivative(x), torch.ones_like(x), atol=1e-8, rtol=0)
    away = x[x.abs() > 0.05]
    torch.testing.assert_close(sg.Dspike(1e4).primitive(away), sg.heaviside(away), atol=1e-9, rtol=0)
    assert torch.isfinite(sg.Dspike(1e4).derivative(x.float())).all()


def test_triangle_separates_height_from_width():
    x = torch.linspace(-3, 3, 601, dtype=torch.float64)
    quadratic = sg.PiecewiseQuadratic(2.0)
    torch.testing.assert_close(quadratic.derivative(x), sg.Triangle(width=0.5, peak=2.0).derivative(x))
    low = sg.Triangle(width=0.5, peak=1.0)
    torch.testing.assert_close(low.derivative(x) * 2, quadratic.derivative(x))
    assert sg.zero_gradient_share(low, x) == sg.zero_gradient_share(quadratic, x)


@given(st.floats(0.5, 10), st.integers(0, 1000))
def test_zero_gradient_share_counts_the_half_lines(alpha, seed):
    x = torch.randn(400, dtype=torch.float64, generator=torch.Generator().manual_seed(seed))
    expected = float((x.abs() >= 1 / alpha).double().mean())
    assert sg.zero_gradient_share(sg.PiecewiseQuadratic(alpha), x) == pytest.approx(expected)
    assert sg.zero_gradient_share(sg.ATan(alpha), x) == 0
    assert sg.zero_gradient_share(sj.PiecewiseQuadratic(alpha), x) == pytest.approx(expected)


def test_bad_arguments_are_named():
    with pytest.raises(ValueError, match="alpha must be a positive finite number; got -1"):
        sg.ATan(-1.0)
    with pytest.raises(ValueError, match="b must be a positive finite number; got nan"):
        sg.Dspike(math.nan)
    with pytest.raises(ValueError, match=r"alpha must lie in \(0, 1\]; got 1.5"):
        sg.Power(1.5)
    with pytest.raises(ValueError, match=r"floor must lie in \(0, 1\]; got 2"):
        sg.Power(0.5, floor=2.0)
    with pytest.raises(TypeError, match="surrogate must be callable; got float"):
        sg.derivative_of(2.0)
    with pytest.raises(TypeError, match=r"torch.int64"):
        sg.zero_gradient_share(sg.ATan(), torch.zeros(3, dtype=torch.int64))
    with pytest.raises(ValueError, match="x is empty"):
        sg.zero_gradient_share(sg.ATan(), torch.zeros(0))


def test_a_family_without_its_functions_says_which():
    @dataclass
    class Nothing(sg.Surrogate):
        pass

    with pytest.raises(TypeError, match=r"Nothing needs a method primitive\(self, x\)"):
        Nothing().primitive(torch.zeros(1))
    with pytest.raises(TypeError, match=r"Nothing needs a method derivative\(self, x\)"):
        Nothing().derivative(torch.zeros(1))


def test_a_new_family_takes_a_few_lines():
    @dataclass
    class Logistic(sg.Surrogate):
        alpha: float = 4.0
        spiking: bool = True

        def primitive(self, x):
            return (self.alpha * x).sigmoid()

        def derivative(self, x):
            return self.alpha * (self.alpha * x).sigmoid() * (-self.alpha * x).sigmoid()

    x = torch.linspace(-2, 2, 50, dtype=torch.float64)
    torch.testing.assert_close(gradient(Logistic(3.0), x), gradient(sg.Sigmoid(3.0), x))
    assert repr(Logistic()).endswith("Logistic(alpha=4.0, spiking=True)")
    with pytest.raises(ValueError, match="alpha must be a positive finite number; got 0"):
        Logistic(0)


def test_a_parameter_may_change_between_batches():
    surrogate, x = sg.Dspike(1.0), torch.linspace(-0.4, 0.4, 9)
    surrogate.b = 5.0
    assert torch.equal(gradient(surrogate, x), sg.Dspike(5.0).derivative(x))
    assert surrogate == sg.Dspike(5.0)
