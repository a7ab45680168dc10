"""Figures of neurons and of what stands in for their spikes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

import numpy as np
import torch
from matplotlib.axes import Axes
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike
from torch import Tensor

from snnkit._validate import require_positive, require_steps
from snnkit.plot._style import (
    BLUE,
    DASHES,
    GREY,
    INK,
    ORANGE,
    as_array,
    axes_or_new,
    draw_curves,
    step_times,
    time_label,
)


class SurrogateLike(Protocol):
    """What `surrogate_pair` draws: a smooth spike function and its derivative."""

    def primitive(self, x: Tensor) -> Tensor:
        """Smooth stand-in for the Heaviside step."""

    def derivative(self, x: Tensor) -> Tensor:
        """Derivative of the primitive."""


def raster(spikes: Tensor | ArrayLike, *, dt: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw one tick for each spike, time against neuron index; the ticks are the first line of the axes.

    Args:
        spikes: binary, shape [T, N] (or [T] for one neuron).
        dt: length of a step in ms; without it the horizontal axis counts steps.
        ax: axes to draw on.

    Raises:
        ValueError: if ``spikes`` has another number of axes or values other than 0 and 1.
    """
    array = as_array(spikes)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"spikes must have shape [T, N] or [T]; got {list(array.shape)}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError("spikes must hold only 0 and 1; pass spikes, not currents or potentials")
    steps, neurons = array.shape
    axes = axes_or_new(ax)
    step, neuron = np.nonzero(array)
    time = step_times(steps, dt)
    height = axes.figure.get_figheight() * axes.get_position().height * 72  # type: ignore[union-attr]
    size = float(np.clip(0.7 * height / max(neurons, 1), 1.0, 18.0))
    axes.plot(
        time[step], neuron, linestyle="none", marker="|", color=INK, markersize=size, markeredgewidth=1.1
    )
    axes.set_xlim(0, time[-1] * 1.01 if steps else 1)
    axes.set_ylim(-0.7, neurons - 0.3)
    axes.set_xlabel(time_label(dt))
    axes.set_ylabel("neuron")
    axes.yaxis.set_major_locator(MaxNLocator(integer=True))
    return axes


def potential(
    v: Tensor | ArrayLike,
    *,
    charge: Tensor | ArrayLike | None = None,
    threshold: float | None = None,
    spikes: Tensor | ArrayLike | None = None,
    dt: float | None = None,
    unit: str = "",
    label: str | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the membrane potential of one or several neurons over time, as the first lines of the axes.

    Args:
        v: potentials, shape [T] or [T, N].
        charge: potentials before the spike, of the same shape: the curve climbs to the charge of each step
            and drops from there to ``v``.
        threshold: drawn as a dashed grey line.
        spikes: binary, shape [T]: marked by triangles above the curve.
        dt: length of a step in ms; without it the horizontal axis counts steps.
        unit: unit of the potential, for the axis label.
        label: name of the curve in the legend.
        ax: axes to draw on.

    Raises:
        ValueError: if ``spikes`` has not one value for each step, or ``charge`` another shape than ``v``.
    """
    array = as_array(v)
    axes = axes_or_new(ax)
    time = step_times(array.shape[0], dt)
    if charge is None:
        axes.plot(time, array, label=label)
    else:
        before = as_array(charge)
        if before.shape != array.shape:
            raise ValueError(
                f"charge must have the shape of v, {list(array.shape)}; got {list(before.shape)}"
            )
        path = np.stack([before, array], axis=1).reshape(2 * len(array), *array.shape[1:])
        axes.plot(np.repeat(time, 2), path, label=label)
        array = np.maximum(before, array)
    if threshold is not None:
        axes.axhline(threshold, color=GREY, linestyle="--", linewidth=1.2, label="threshold")
    if spikes is not None:
        fired = as_array(spikes)
        if fired.shape != (array.shape[0],):
            raise ValueError(
                f"spikes must have shape [{array.shape[0]}], one for each step; got {list(fired.shape)}"
            )
        peak = max(float(array.max()), -np.inf if threshold is None else threshold)
        top = peak + 0.06 * (peak - min(float(array.min()), 0.0))
        fires = fired > 0
        axes.plot(time[fires], np.full(fires.sum(), top), "v", color=ORANGE, markersize=5, label="spike")
    axes.set_xlabel(time_label(dt))
    axes.set_ylabel(f"membrane potential v ({unit})" if unit else "membrane potential v")
    return axes


def surrogate_pair(
    surrogate: SurrogateLike,
    *,
    span: tuple[float, float] = (-1.5, 1.5),
    points: int = 601,
    ax: Axes | None = None,
) -> Axes:
    """Draw the Heaviside step, a surrogate's primitive and its derivative, in this order.

    Args:
        surrogate: an object with ``primitive(x)`` and ``derivative(x)``, such as those of `snnkit.surrogate`.
        span: range of ``x = charge - threshold``.
        points: number of samples.
        ax: axes to draw on.

    Raises:
        ValueError: if the span is empty or there are fewer than 2 points.

    Source: Neftci, Mostafa and Zenke (2019), figure 3.
    """
    low, high = span
    if not low < high:
        raise ValueError(f"span must run from a lower to a higher number; got {span}")
    if points < 2:
        raise ValueError(f"points must be at least 2; got {points}")
    x = torch.linspace(low, high, points, dtype=torch.float64)
    axes = axes_or_new(ax)
    with torch.no_grad():
        axes.plot(x, (x >= 0).double(), color=GREY, linestyle="--", linewidth=1.2, label="Heaviside step")
        axes.plot(x, surrogate.primitive(x), color=BLUE, linestyle="-", label="primitive")
        axes.plot(x, surrogate.derivative(x), color=ORANGE, linestyle=DASHES[1], label="derivative")
    axes.set_xlabel("charge − threshold")
    axes.set_ylabel("value")
    axes.legend()
    return axes


def staircase(
    threshold: float,
    steps: int,
    *,
    initial: float = 0.0,
    span: tuple[float, float] | None = None,
    points: int = 1201,
    ax: Axes | None = None,
) -> Axes:
    r"""Draw the ReLU and then the average output of an IF neuron under constant input.

    The staircase is :math:`\frac{\theta}{T}\,\mathrm{clip}(\lfloor (Tz + v(0))/\theta\rfloor, 0, T)`.

    Args:
        threshold: threshold of the neuron.
        steps: number of time steps T.
        initial: potential v(0) before the first step.
        span: range of the input z; by default from a quarter below 0 to a quarter above the threshold.
        points: number of samples.
        ax: axes to draw on.

    Raises:
        TypeError: if ``steps`` is no int.
        ValueError: if the threshold is not positive or there is no step.

    Source: Deng and Gu (2021), equation 7, with the floor inside the clip.
    """
    require_positive("threshold", threshold)
    require_steps(steps)
    low, high = span or (-0.25 * threshold, 1.25 * threshold)
    z = np.linspace(low, high, points)
    average = threshold / steps * np.clip(np.floor((steps * z + initial) / threshold), 0, steps)
    axes = axes_or_new(ax)
    axes.plot(z, np.maximum(z, 0), color=GREY, linestyle="--", linewidth=1.2, label="ReLU")
    axes.plot(z, average, color=BLUE, linestyle="-", label=f"spiking neuron, T = {steps}")
    axes.set_xlabel("input z")
    axes.set_ylabel("average output")
    axes.legend()
    return axes


def rate_curve(
    current: Tensor | ArrayLike,
    rate: Tensor | ArrayLike,
    *,
    simulated: tuple[Tensor | ArrayLike, Tensor | ArrayLike] | None = None,
    unit: str = "nA",
    label: str = "closed form",
    ax: Axes | None = None,
) -> Axes:
    """Draw the f-I curve of a neuron, firing rate against constant input current, then the simulation's dots.

    Args:
        current: input currents, shape [n].
        rate: firing rates in Hz, shape [n].
        simulated: currents and rates counted in a simulation.
        unit: unit of the current.
        label: name of the curve in the legend.
        ax: axes to draw on.

    Raises:
        ValueError: if currents and rates differ in shape.

    Source: Gerstner et al. (2014), section 1.3.
    """
    axes = axes_or_new(ax)
    _paired(axes, current, rate, color=BLUE, linestyle="-", label=label)
    if simulated is not None:
        _paired(axes, *simulated, color=ORANGE, linestyle="none", marker="o", label="simulation")
    axes.set_xlabel(f"input current ({unit})")
    axes.set_ylabel("firing rate (Hz)")
    axes.legend()
    return axes


def error_against_step(
    dt: Tensor | ArrayLike,
    errors: Mapping[str, Tensor | ArrayLike],
    *,
    unit: str = "mV",
    order: int | None = None,
    ax: Axes | None = None,
) -> Axes:
    """Draw the error of integration schemes against the step length, both logarithmic.

    Args:
        dt: step lengths in ms, shape [n].
        errors: positive errors, shape [n] each, by the name of the scheme; one line for each, in this order.
        unit: unit of the error.
        order: draw a grey guide line of this slope through the first scheme's last point.
        ax: axes to draw on.

    Raises:
        ValueError: if a scheme has another number of errors than there are steps.
    """
    steps = as_array(dt)
    arrays = {name: as_array(values) for name, values in errors.items()}
    for name, values in arrays.items():
        if values.shape != steps.shape:
            raise ValueError(
                f"errors of {name!r} must have the shape of dt, {list(steps.shape)}; got {list(values.shape)}"
            )
    axes = axes_or_new(ax)
    draw_curves(axes, steps, arrays)
    if order is not None:
        anchor = next(iter(arrays.values()))[-1]
        guide = 0.5 * anchor * (steps / steps[-1]) ** order
        axes.plot(steps, guide, color=GREY, linestyle="--", linewidth=1.2, label=f"slope {order}")
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.set_xlabel("step Δt (ms)")
    axes.set_ylabel(f"largest error ({unit})")
    axes.legend()
    return axes


def _paired(axes: Axes, x: Tensor | ArrayLike, y: Tensor | ArrayLike, **look: Any) -> None:
    abscissa, ordinate = as_array(x), as_array(y)
    if abscissa.shape != ordinate.shape:
        raise ValueError(
            f"current and rate must have one shape; got {list(abscissa.shape)} and {list(ordinate.shape)}"
        )
    axes.plot(abscissa, ordinate, **look)
