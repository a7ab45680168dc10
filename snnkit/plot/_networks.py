"""Figures of whole networks and of their input."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_rgb
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

from snnkit.plot._style import BLUE, GREY, ORANGE, as_array, axes_or_new, draw_curves, looks


def error_by_layer(
    errors: Mapping[str, Sequence[float] | Tensor | NDArray[Any]],
    *,
    layers: Sequence[str] | None = None,
    label: str = "mean absolute error",
    ax: Axes | None = None,
) -> Axes:
    """Draw one curve over the layers for each kind of error, in the order given.

    Args:
        errors: one value for each layer, by the name of the kind of error.
        layers: names of the layers; by default 1, 2, ...
        label: label of the vertical axis.
        ax: axes to draw on.

    Raises:
        ValueError: if there is nothing to draw or the curves differ in length.
    """
    arrays = {name: as_array(values) for name, values in errors.items()}
    lengths = {name: len(values) for name, values in arrays.items()}
    if not arrays or len(set(lengths.values())) != 1:
        raise ValueError(f"errors must hold at least one curve, all of one length; got lengths {lengths}")
    count = next(iter(lengths.values()))
    names = [str(index) for index in range(1, count + 1)] if layers is None else list(layers)
    if len(names) != count:
        raise ValueError(f"layers must name {count} layers; got {len(names)}")
    axes = axes_or_new(ax)
    draw_curves(axes, np.arange(1, count + 1), arrays)
    axes.set_xticks(np.arange(1, count + 1), names)
    axes.set_xlabel("layer")
    axes.set_ylabel(label)
    axes.legend()
    return axes


def accuracy_against_steps(
    accuracy: Mapping[str, Mapping[int, float]], *, reference: float | None = None, ax: Axes | None = None
) -> Axes:
    """Draw accuracy in per cent against the number of time steps (logarithmic), one curve for each method.

    Args:
        accuracy: accuracy as a fraction in [0, 1], by number of steps, by method.
        reference: accuracy of the network that was converted, drawn as a dashed line.
        ax: axes to draw on.

    Raises:
        ValueError: if there is nothing to draw or a value lies outside [0, 1].
    """
    if not accuracy or not all(accuracy.values()):
        raise ValueError("accuracy must hold at least one method, each with at least one number of steps")
    for method, values in accuracy.items():
        for steps, value in values.items():
            if not 0 <= value <= 1:
                raise ValueError(f"accuracy of {method!r} at {steps} steps must lie in [0, 1]; got {value}")
    axes = axes_or_new(ax)
    for (method, values), look in zip(accuracy.items(), looks(), strict=False):
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

    array = as_array(frames).astype(float)
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
