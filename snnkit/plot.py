"""Figures: one style for the whole course, and one function for each kind of figure.

Every function takes data, draws it on the axes given (or on new ones) and returns the axes.
Time is the first axis of the data and step ``t`` is drawn at ``t = 1, ..., T``, as in the formulas.
Colours come from the palette of this module, which readers with a colour-vision deficiency can tell apart;
lines that share axes also differ in dash or marker.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, MutableMapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from html import escape
from itertools import cycle
from typing import Any, Protocol

import matplotlib as mpl
import numpy as np
import torch
from cycler import cycler
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from matplotlib.ticker import MaxNLocator
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from snnkit._validate import require_positive, require_steps

#: Main curve, what the neuron or the network does.
BLUE = "#0b62a4"
#: What it is compared with; OFF events.
ORANGE = "#c84b00"
#: A third quantity.
GREEN = "#00795a"
#: A fourth quantity.
PURPLE = "#9a3d7a"
#: Thresholds, references and ideal curves.
GREY = "#6b6f76"
#: Text, axes and spikes.
INK = "#1c1e21"
#: The colours of successive curves.
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, GREY, INK)

_DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1, 2)), (0, (3, 1)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P")


class SurrogateLike(Protocol):
    """What `surrogate_pair` draws: a smooth spike function and its derivative."""

    def primitive(self, x: Tensor) -> Tensor:
        """Smooth stand-in for the Heaviside step."""

    def derivative(self, x: Tensor) -> Tensor:
        """Derivative of the primitive."""


def style() -> AbstractContextManager[Any]:
    """Switch to the course's figure style.

    The style holds from the call on; used as ``with style():`` it ends with the block.
    Figures are opaque white with dark text, so that they can be read on any page.

    Returns:
        A context manager that restores the settings found at the call.

    Source: the course's house style.
    """
    settings: MutableMapping[Any, Any] = mpl.rcParams
    restore = ExitStack()
    restore.callback(settings.update, {key: settings[key] for key in _STYLE})
    settings.update(_STYLE)
    return restore


_STYLE: dict[str, Any] = {
    "figure.figsize": (6.8, 3.2),
    "figure.dpi": 110,
    "figure.facecolor": "white",
    "figure.constrained_layout.use": True,
    "savefig.facecolor": "white",
    "font.size": 10.5,
    "font.family": "DejaVu Sans",
    "text.color": INK,
    "axes.facecolor": "white",
    "axes.edgecolor": INK,
    "axes.labelcolor": INK,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.prop_cycle": cycler(color=PALETTE, linestyle=_DASHES),
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.hashsalt": "snnkit",
}


def raster(spikes: Tensor | ArrayLike, *, dt: float | None = None, ax: Axes | None = None) -> Axes:
    """Draw one tick for each spike.

    Args:
        spikes: binary, shape [T, N] (or [T] for one neuron).
        dt: length of a step in ms; without it the horizontal axis counts steps.
        ax: axes to draw on.

    Returns:
        The axes, time against neuron index, with the ticks as its first line.

    Raises:
        ValueError: if ``spikes`` has another number of axes or values other than 0 and 1.

    Source: the standard raster plot.
    """
    array = _array(spikes)
    if array.ndim == 1:
        array = array[:, None]
    if array.ndim != 2:
        raise ValueError(f"spikes must have shape [T, N] or [T]; got {list(array.shape)}")
    if not np.isin(array, (0, 1)).all():
        raise ValueError("spikes must hold only 0 and 1; pass spikes, not currents or potentials")
    steps, neurons = array.shape
    axes = _axes(ax)
    step, neuron = np.nonzero(array)
    time = _times(steps, dt)
    height = axes.figure.get_figheight() * axes.get_position().height * 72  # type: ignore[union-attr]
    size = float(np.clip(0.7 * height / max(neurons, 1), 1.0, 18.0))
    axes.plot(
        time[step], neuron, linestyle="none", marker="|", color=INK, markersize=size, markeredgewidth=1.1
    )
    axes.set_xlim(0, time[-1] * 1.01 if steps else 1)
    axes.set_ylim(-0.7, neurons - 0.3)
    axes.set_xlabel(_time_label(dt))
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
    """Draw the membrane potential of one or several neurons over time.

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

    Returns:
        The axes, with the potentials as the first lines drawn.

    Raises:
        ValueError: if ``spikes`` does not have one value for each step, or ``charge`` another shape than ``v``.

    Source: the standard voltage trace.
    """
    array = _array(v)
    axes = _axes(ax)
    time = _times(array.shape[0], dt)
    if charge is None:
        axes.plot(time, array, label=label)
    else:
        before = _array(charge)
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
        fired = _array(spikes)
        if fired.shape != (array.shape[0],):
            raise ValueError(
                f"spikes must have shape [{array.shape[0]}], one for each step; got {list(fired.shape)}"
            )
        peak = max(float(array.max()), -np.inf if threshold is None else threshold)
        top = peak + 0.06 * (peak - min(float(array.min()), 0.0))
        fires = fired > 0
        axes.plot(time[fires], np.full(fires.sum(), top), "v", color=ORANGE, markersize=5, label="spike")
    axes.set_xlabel(_time_label(dt))
    axes.set_ylabel(f"membrane potential v ({unit})" if unit else "membrane potential v")
    return axes


def surrogate_pair(
    surrogate: SurrogateLike,
    *,
    span: tuple[float, float] = (-1.5, 1.5),
    points: int = 601,
    ax: Axes | None = None,
) -> Axes:
    """Draw a surrogate's primitive and derivative over the Heaviside step.

    Args:
        surrogate: an object with ``primitive(x)`` and ``derivative(x)``, such as those of `snnkit.surrogate`.
        span: range of ``x = charge - threshold``.
        points: number of samples.
        ax: axes to draw on.

    Returns:
        The axes; its lines are the step, the primitive and the derivative, in this order.

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
    axes = _axes(ax)
    with torch.no_grad():
        axes.plot(x, (x >= 0).double(), color=GREY, linestyle="--", linewidth=1.2, label="Heaviside step")
        axes.plot(x, surrogate.primitive(x), color=BLUE, linestyle="-", label="primitive")
        axes.plot(x, surrogate.derivative(x), color=ORANGE, linestyle=_DASHES[1], label="derivative")
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
    r"""Draw the average output of an IF neuron under constant input against the ReLU.

    The staircase is :math:`\frac{\theta}{T}\,\mathrm{clip}(\lfloor (Tz + v(0))/\theta\rfloor, 0, T)`.

    Args:
        threshold: threshold of the neuron.
        steps: number of time steps T.
        initial: potential v(0) before the first step.
        span: range of the input z; by default from a quarter below 0 to a quarter above the threshold.
        points: number of samples.
        ax: axes to draw on.

    Returns:
        The axes; its lines are the ReLU and the staircase, in this order.

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
    axes = _axes(ax)
    axes.plot(z, np.maximum(z, 0), color=GREY, linestyle="--", linewidth=1.2, label="ReLU")
    axes.plot(z, average, color=BLUE, linestyle="-", label=f"spiking neuron, T = {steps}")
    axes.set_xlabel("input z")
    axes.set_ylabel("average output")
    axes.legend()
    return axes


def error_by_layer(
    errors: Mapping[str, Sequence[float] | Tensor | NDArray[Any]],
    *,
    layers: Sequence[str] | None = None,
    label: str = "mean absolute error",
    ax: Axes | None = None,
) -> Axes:
    """Draw one curve over the layers for each kind of error.

    Args:
        errors: one value for each layer, by the name of the kind of error.
        layers: names of the layers; by default 1, 2, ...
        label: label of the vertical axis.
        ax: axes to draw on.

    Returns:
        The axes, with one line for each kind, in the order given.

    Raises:
        ValueError: if there is nothing to draw or the curves differ in length.

    Source: the decomposition that `snnkit.conversion` measures.
    """
    arrays = {name: _array(values) for name, values in errors.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if not arrays or len(set(lengths.values())) != 1:
        raise ValueError(f"errors must hold at least one curve, all of one length; got lengths {lengths}")
    count = next(iter(lengths.values()))
    names = [str(index) for index in range(1, count + 1)] if layers is None else list(layers)
    if len(names) != count:
        raise ValueError(f"layers must name {count} layers; got {len(names)}")
    axes = _axes(ax)
    _curves(axes, np.arange(1, count + 1), arrays)
    axes.set_xticks(np.arange(1, count + 1), names)
    axes.set_xlabel("layer")
    axes.set_ylabel(label)
    axes.legend()
    return axes


def accuracy_against_steps(
    accuracy: Mapping[str, Mapping[int, float]], *, reference: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracy against the number of time steps, one curve for each method.

    Args:
        accuracy: accuracy as a fraction in [0, 1], by number of steps, by method.
        reference: accuracy of the network that was converted, drawn as a dashed line.
        ax: axes to draw on.

    Returns:
        The axes, steps on a logarithmic axis, accuracy in per cent; one line for each method.

    Raises:
        ValueError: if there is nothing to draw or a value lies outside [0, 1].

    Source: the customary figure of the conversion literature.
    """
    if not accuracy or not all(accuracy.values()):
        raise ValueError("accuracy must hold at least one method, each with at least one number of steps")
    for method, values in accuracy.items():
        for steps, value in values.items():
            if not 0 <= value <= 1:
                raise ValueError(f"accuracy of {method!r} at {steps} steps must lie in [0, 1]; got {value}")
    axes = _axes(ax)
    for (method, values), look in zip(accuracy.items(), _looks(), strict=False):
        order = sorted(values)
        axes.plot(order, [100 * values[steps] for steps in order], label=method, **look)
    if reference is not None:
        axes.axhline(100 * reference, color=GREY, linestyle="--", linewidth=1.2, label="original network")
    every = sorted({steps for values in accuracy.values() for steps in values})
    axes.set_xscale("log", base=2)
    axes.set_xticks(every, [str(steps) for steps in every])
    axes.minorticks_off()
    axes.set_xlabel("time steps T")
    axes.set_ylabel("accuracy (%)")
    axes.legend()
    return axes


def event_frames(frames: Tensor | ArrayLike, *, columns: int | None = None) -> NDArray[np.object_]:
    """Show event frames side by side: ON events blue, OFF events orange, none white.

    Args:
        frames: counts, shape [T, 2, H, W]; channel 1 holds the ON events (polarity 1).
        columns: frames in a row; by default all of them, up to 8.

    Returns:
        The axes of the frames, shape [T].

    Raises:
        ValueError: if the shape is another or a count is negative.

    Source: the polarity convention of N-MNIST (Orchard et al. 2015).
    """
    import matplotlib.pyplot as plt

    array = _array(frames).astype(float)
    if array.ndim != 4 or array.shape[0] == 0 or array.shape[1] != 2:
        raise ValueError(f"frames must have shape [T, 2, H, W] with T >= 1; got {list(array.shape)}")
    if array.min() < 0:
        raise ValueError(f"frames must hold counts; the smallest value is {array.min()}")
    steps = array.shape[0]
    columns = columns or min(steps, 8)
    rows = -(-steps // columns)
    figure, grid = plt.subplots(rows, columns, figsize=(1.1 * columns, 1.25 * rows), squeeze=False)
    del figure
    shade = array / max(array.max(), 1.0)
    off, on = shade[:, 0, ..., None], shade[:, 1, ..., None]
    colours = 1 - on * (1 - np.array(to_rgb(BLUE))) - off * (1 - np.array(to_rgb(ORANGE)))
    for index, axes in enumerate(grid.flat):
        axes.set_axis_off()
        if index < steps:
            axes.imshow(np.clip(colours[index], 0, 1), interpolation="nearest")
            axes.set_title(f"t = {index + 1}", fontsize=8)
    return np.array(list(grid.flat[:steps]), dtype=object)


def rate_curve(
    current: Tensor | ArrayLike,
    rate: Tensor | ArrayLike,
    *,
    simulated: tuple[Tensor | ArrayLike, Tensor | ArrayLike] | None = None,
    unit: str = "nA",
    label: str = "closed form",
    ax: Axes | None = None,
) -> Axes:
    """Draw the f-I curve of a neuron: firing rate against constant input current.

    Args:
        current: input currents, shape [n].
        rate: firing rates in Hz, shape [n].
        simulated: currents and rates counted in a simulation, drawn as dots.
        unit: unit of the current.
        label: name of the curve in the legend.
        ax: axes to draw on.

    Returns:
        The axes; its first line is the curve, its second the simulation.

    Raises:
        ValueError: if currents and rates differ in shape.

    Source: Gerstner et al. (2014), section 1.3.
    """
    axes = _axes(ax)
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
        errors: positive errors, shape [n] each, by the name of the scheme.
        unit: unit of the error.
        order: draw a grey guide line of this slope through the first scheme's last point.
        ax: axes to draw on.

    Returns:
        The axes, with one line for each scheme, then the guide.

    Raises:
        ValueError: if a scheme has another number of errors than there are steps.

    Source: the standard convergence plot.
    """
    steps = _array(dt)
    arrays = {name: _array(values) for name, values in errors.items()}
    for name, values in arrays.items():
        if values.shape != steps.shape:
            raise ValueError(
                f"errors of {name!r} must have the shape of dt, {list(steps.shape)}; got {list(values.shape)}"
            )
    axes = _axes(ax)
    _curves(axes, steps, arrays)
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


class Table:
    """A table of text that a notebook shows as HTML.

    Args:
        head: title of each column.
        lines: cells of each line, whatever :class:`str` makes of them.

    Raises:
        ValueError: if a line has more or fewer cells than the head.

    Source: none, a layout.
    """

    def __init__(self, head: Sequence[object], lines: Iterable[Sequence[object]]) -> None:
        self.head = tuple(map(str, head))
        self.lines = tuple(tuple(map(str, line)) for line in lines)
        for number, line in enumerate(self.lines):
            if len(line) != len(self.head):
                raise ValueError(f"line {number} has {len(line)} cells; the head has {len(self.head)}")

    def _repr_html_(self) -> str:
        top = "".join(f'<th scope="col">{_cell(title)}</th>' for title in self.head)
        body = ("".join(f"<td>{_cell(text)}</td>" for text in line) for line in self.lines)
        return '<table class="table">' + "".join(f"<tr>{line}</tr>" for line in (top, *body)) + "</table>"


def _cell(text: str) -> str:
    """HTML of a cell; 89.0 ± 0.6 and T = 8 stay in one line."""
    return re.sub(" ([=±]) ", r"&nbsp;\1&nbsp;", escape(text))


def _axes(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def _array(values: Tensor | ArrayLike) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def _times(steps: int, dt: float | None) -> NDArray[Any]:
    return np.arange(1, steps + 1) * (1.0 if dt is None else dt)


def _time_label(dt: float | None) -> str:
    return "time step t" if dt is None else "time (ms)"


def _looks() -> Iterable[dict[str, Any]]:
    for colour, dash, marker in cycle(zip(PALETTE, _DASHES, _MARKERS, strict=True)):
        yield {"color": colour, "linestyle": dash, "marker": marker}


def _curves(axes: Axes, x: NDArray[Any], curves: Mapping[str, NDArray[Any]]) -> None:
    for (name, values), look in zip(curves.items(), _looks(), strict=False):
        axes.plot(x, values, label=name, **look)


def _paired(axes: Axes, x: Tensor | ArrayLike, y: Tensor | ArrayLike, **look: Any) -> None:
    abscissa, ordinate = _array(x), _array(y)
    if abscissa.shape != ordinate.shape:
        raise ValueError(
            f"current and rate must have one shape; got {list(abscissa.shape)} and {list(ordinate.shape)}"
        )
    axes.plot(abscissa, ordinate, **look)
