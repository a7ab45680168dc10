"""The figures show the data they were given: read back from the axes."""

from __future__ import annotations

import matplotlib as mpl

mpl.use("Agg")

import matplotlib.pyplot as plt
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.colors import to_rgb

from snnkit import plot


@pytest.fixture(autouse=True)
def _close_figures():
    yield
    plt.close("all")


def _labels(axes):
    return [text.get_text() for text in axes.get_legend().get_texts()]


def test_style_holds_from_the_call_and_ends_with_the_block():
    before = mpl.rcParams["axes.spines.top"], mpl.rcParams["font.size"]
    with plot.style():
        assert mpl.rcParams["axes.spines.top"] is False
        assert mpl.rcParams["figure.facecolor"] == "white"
    assert (mpl.rcParams["axes.spines.top"], mpl.rcParams["font.size"]) == before
    restore = plot.style()
    assert mpl.rcParams["axes.spines.top"] is False
    with restore:
        pass
    assert mpl.rcParams["axes.spines.top"] == before[0]


def _luminance(colour):
    channels = np.array(to_rgb(colour))
    linear = np.where(channels <= 0.03928, channels / 12.92, ((channels + 0.055) / 1.055) ** 2.4)
    return float(linear @ [0.2126, 0.7152, 0.0722])


@pytest.mark.parametrize("colour", plot.PALETTE)
def test_palette_contrasts_with_the_white_ground(colour):
    assert 1.05 / (_luminance(colour) + 0.05) >= 4.5


# Dichromat projections of linear RGB: Viénot, Brettel and Mollon (1999).
PROTAN = np.array([[0.11238, 0.88762, 0.0], [0.11238, 0.88762, 0.0], [0.00401, -0.00401, 1.0]])
DEUTAN = np.array([[0.29275, 0.70725, 0.0], [0.29275, 0.70725, 0.0], [-0.02234, 0.02234, 1.0]])


@pytest.mark.parametrize("projection", [np.eye(3), PROTAN, DEUTAN], ids=["normal", "protan", "deutan"])
def test_blue_and_orange_stay_apart_for_dichromats(projection):
    blue, orange = (np.clip(projection @ np.array(to_rgb(c)) ** 2.2, 0, 1) for c in (plot.BLUE, plot.ORANGE))
    assert np.abs(blue - orange).max() > 0.2


@given(
    st.integers(1, 30),
    st.integers(1, 12),
    st.floats(0, 1),
    st.sampled_from([None, 0.5, 2.0]),
    st.integers(0, 99),
)
def test_raster_draws_every_spike_once(steps, neurons, share, dt, seed):
    spikes = (torch.rand(steps, neurons, generator=torch.Generator().manual_seed(seed)) < share).float()
    axes = plot.raster(spikes, dt=dt)
    time, neuron = axes.lines[0].get_data()
    drawn = np.zeros((steps, neurons))
    drawn[np.rint(time / (dt or 1)).astype(int) - 1, neuron.astype(int)] += 1
    assert np.array_equal(drawn, spikes.numpy())
    assert len(time) == int(spikes.sum())
    assert axes.get_xlabel() == ("time (ms)" if dt else "time step t")
    plt.close("all")


def test_raster_takes_one_neuron_and_rejects_what_is_no_spike_train():
    axes = plot.raster([0, 1, 1])
    assert axes.lines[0].get_xdata().tolist() == [2, 3]
    with pytest.raises(ValueError, match="only 0 and 1"):
        plot.raster([[0.5]])
    with pytest.raises(ValueError, match=r"\[2, 1, 1\]"):
        plot.raster(np.zeros((2, 1, 1)))


def test_potential_draws_the_trace_the_threshold_and_the_spikes_above_it():
    v = torch.tensor([0.2, 0.9, 0.1])
    axes = plot.potential(v, threshold=1.0, spikes=[0, 1, 0], dt=2.0, unit="mV")
    trace, threshold, spikes = axes.lines
    assert np.allclose(trace.get_xydata(), [[2, 0.2], [4, 0.9], [6, 0.1]])
    assert list(threshold.get_ydata()) == [1.0, 1.0]
    assert spikes.get_xdata().tolist() == [4.0]
    assert spikes.get_ydata()[0] > 1.0
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("time (ms)", "membrane potential v (mV)")
    assert plot.potential(v).get_ylabel() == "membrane potential v"
    with pytest.raises(ValueError, match=r"\[3\].*\[2\]"):
        plot.potential(v, spikes=[0, 1])


def test_potential_climbs_to_the_charge_and_drops_to_the_potential():
    axes = plot.potential([0.4, 0.0], charge=[0.4, 1.1], spikes=[0, 1])
    assert axes.lines[0].get_xydata().tolist() == [[1, 0.4], [1, 0.4], [2, 1.1], [2, 0.0]]
    assert axes.lines[1].get_xdata().tolist() == [2]
    assert axes.lines[1].get_ydata()[0] > 1.1
    with pytest.raises(ValueError, match=r"\[2\].*\[1\]"):
        plot.potential([0.4, 0.0], charge=[0.4])


class _Sigmoid:
    def primitive(self, x):
        return torch.sigmoid(5 * x)

    def derivative(self, x):
        return 5 * torch.sigmoid(5 * x) * (1 - torch.sigmoid(5 * x))


def test_surrogate_pair_draws_step_primitive_and_its_slope():
    step, primitive, derivative = plot.surrogate_pair(_Sigmoid(), span=(-1, 1), points=2001).lines
    x = step.get_xdata()
    assert np.array_equal(step.get_ydata(), (x >= 0).astype(float))
    assert np.allclose(primitive.get_ydata(), 1 / (1 + np.exp(-5 * x)))
    assert np.allclose(np.gradient(primitive.get_ydata(), x)[1:-1], derivative.get_ydata()[1:-1], atol=1e-5)
    with pytest.raises(ValueError, match="span"):
        plot.surrogate_pair(_Sigmoid(), span=(1, 1))
    with pytest.raises(ValueError, match="points"):
        plot.surrogate_pair(_Sigmoid(), points=1)


@given(st.integers(1, 12), st.sampled_from([0.5, 1.0, 2.0]), st.sampled_from([0.0, 0.5]))
def test_staircase_equals_a_neuron_that_is_run(steps, threshold, phase):
    axes = plot.staircase(threshold, steps, initial=phase * threshold, points=101)
    relu, average = axes.lines
    z = average.get_xdata()
    assert np.array_equal(relu.get_ydata(), np.maximum(z, 0))
    v, count = np.full_like(z, phase * threshold), np.zeros_like(z)
    for _ in range(steps):
        v = v + z
        fired = v >= threshold
        v, count = v - fired * threshold, count + fired
    edge = np.abs((steps * z / threshold + phase + 0.5) % 1 - 0.5) < 1e-9
    assert np.allclose(average.get_ydata()[~edge], (threshold * count / steps)[~edge])
    plt.close("all")


def test_staircase_rejects_bad_constants():
    with pytest.raises(ValueError, match="threshold"):
        plot.staircase(-1.0, 4)
    with pytest.raises(ValueError, match="steps"):
        plot.staircase(1.0, 0)


def test_error_by_layer_draws_one_curve_for_each_kind():
    axes = plot.error_by_layer(
        {"clipping": [0.1, 0.2], "flooring": torch.tensor([0.0, 0.5])}, layers=["a", "b"]
    )
    assert [line.get_ydata().tolist() for line in axes.lines] == [[0.1, 0.2], [0.0, 0.5]]
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["a", "b"]
    assert _labels(axes) == ["clipping", "flooring"]
    with pytest.raises(ValueError, match="one length"):
        plot.error_by_layer({"a": [1.0], "b": [1.0, 2.0]})
    with pytest.raises(ValueError, match="one length"):
        plot.error_by_layer({})
    with pytest.raises(ValueError, match="name 1 layers; got 2"):
        plot.error_by_layer({"a": [1.0]}, layers=["x", "y"])


def test_accuracy_is_drawn_in_per_cent_in_the_order_of_steps():
    axes = plot.accuracy_against_steps({"shift": {8: 0.75, 4: 0.5}, "max": {4: 0.25}}, reference=0.9)
    shift, maximum, reference = axes.lines
    assert shift.get_xydata().tolist() == [[4, 50], [8, 75]]
    assert maximum.get_xydata().tolist() == [[4, 25]]
    assert reference.get_ydata()[0] == 90
    assert [tick.get_text() for tick in axes.get_xticklabels()] == ["4", "8"]
    with pytest.raises(ValueError, match="got 75"):
        plot.accuracy_against_steps({"shift": {8: 75}})
    with pytest.raises(ValueError, match="at least one"):
        plot.accuracy_against_steps({"shift": {}})


def test_event_frames_colour_polarity_and_leave_silence_white():
    frames = np.zeros((3, 2, 2, 2))
    frames[0, 1, 0, 0] = 4
    frames[1, 0, 1, 1] = 4
    axes = plot.event_frames(frames, columns=2)
    pixels = [np.asarray(one.images[0].get_array()) for one in axes]
    assert axes.shape == (3,)
    assert np.allclose(pixels[0][0, 0], to_rgb(plot.BLUE))
    assert np.allclose(pixels[1][1, 1], to_rgb(plot.ORANGE))
    assert np.allclose(pixels[2], 1)
    assert [one.get_title() for one in axes] == ["t = 1", "t = 2", "t = 3"]
    with pytest.raises(ValueError, match=r"\[T, 2, H, W\]"):
        plot.event_frames(np.zeros((3, 1, 2, 2)))
    with pytest.raises(ValueError, match="counts"):
        plot.event_frames(-np.ones((1, 2, 2, 2)))


def test_rate_curve_draws_curve_and_simulation_with_units():
    axes = plot.rate_curve([1.0, 2.0], [0.0, 50.0], simulated=(torch.tensor([2.0]), torch.tensor([48.0])))
    assert axes.lines[0].get_xydata().tolist() == [[1, 0], [2, 50]]
    assert axes.lines[1].get_xydata().tolist() == [[2, 48]]
    assert (axes.get_xlabel(), axes.get_ylabel()) == ("input current (nA)", "firing rate (Hz)")
    with pytest.raises(ValueError, match="one shape"):
        plot.rate_curve([1.0], [1.0, 2.0])


def test_error_against_step_draws_schemes_and_a_guide_of_the_order():
    dt = np.array([0.1, 1.0, 10.0])
    axes = plot.error_against_step(dt, {"Euler": 3 * dt}, order=1)
    scheme, guide = axes.lines
    assert np.allclose(scheme.get_ydata(), 3 * dt)
    slopes = np.diff(np.log(guide.get_ydata())) / np.diff(np.log(dt))
    assert np.allclose(slopes, 1)
    assert axes.get_xscale() == axes.get_yscale() == "log"
    with pytest.raises(ValueError, match=r"\[3\].*\[1\]"):
        plot.error_against_step(dt, {"Euler": [1.0]})


def test_every_function_draws_on_the_axes_it_is_given():
    given_axes = plt.subplots()[1]
    calls = [
        plot.raster([[1]], ax=given_axes),
        plot.potential([0.0], ax=given_axes),
        plot.surrogate_pair(_Sigmoid(), ax=given_axes),
        plot.staircase(1.0, 2, ax=given_axes),
        plot.error_by_layer({"a": [1.0]}, ax=given_axes),
        plot.accuracy_against_steps({"a": {1: 0.5}}, ax=given_axes),
        plot.rate_curve([1.0], [1.0], ax=given_axes),
        plot.error_against_step([1.0], {"a": [1.0]}, ax=given_axes),
    ]
    assert all(axes is given_axes for axes in calls)


def test_table_shows_its_cells_as_text():
    shown = plot.Table(("T", "share"), [(4, "a < b"), (8, 0.5)])._repr_html_()
    assert shown.count("<tr>") == 3
    assert '<th scope="col">share</th>' in shown
    assert "<td>4</td><td>a &lt; b</td>" in shown
    assert "<td>8</td><td>0.5</td>" in shown
    held = plot.Table(("T = 4",), [("89.0 ± 0.6",), ("a=b",)])._repr_html_()
    assert all(text in held for text in ("T&nbsp;=&nbsp;4<", "89.0&nbsp;±&nbsp;0.6<", "<td>a=b</td>"))
    with pytest.raises(ValueError, match="line 1 has 1 cells; the head has 2"):
        plot.Table(("T", "share"), [(4, 1), (8,)])
