"""The course's figure style: palette, looks of successive curves, and what every figure needs."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, MutableMapping
from contextlib import AbstractContextManager, ExitStack
from itertools import cycle
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.rcsetup import cycler
from numpy.typing import ArrayLike, NDArray
from torch import Tensor

BLUE = "#0b62a4"
ORANGE = "#c84b00"
GREEN = "#00795a"
PURPLE = "#9a3d7a"
GREY = "#6b6f76"
INK = "#1c1e21"
PALETTE = (BLUE, ORANGE, GREEN, PURPLE, GREY, INK)

DASHES: tuple[Any, ...] = ("-", (0, (5, 2)), (0, (1, 1.2)), (0, (7, 2, 1, 2)), (0, (3, 1)), "-")
_MARKERS = ("o", "s", "^", "D", "v", "P")


def style() -> AbstractContextManager[Any]:
    """Switch to the course's figure style.

    The style holds from the call on; used as ``with style():`` it ends with the block, which restores the
    settings found at the call. Figures are opaque white with dark text, so that they can be read on any page.
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
    "axes.prop_cycle": cycler(color=PALETTE, linestyle=DASHES),
    "xtick.color": INK,
    "ytick.color": INK,
    "lines.linewidth": 1.8,
    "lines.markersize": 5,
    "legend.frameon": False,
    "legend.fontsize": 9.5,
    "svg.hashsalt": "snnkit",
}


def axes_or_new(ax: Axes | None) -> Axes:
    if ax is not None:
        return ax
    import matplotlib.pyplot as plt

    return plt.subplots()[1]


def as_array(values: Tensor | ArrayLike) -> NDArray[Any]:
    return values.detach().cpu().numpy() if isinstance(values, Tensor) else np.asarray(values)


def step_times(steps: int, dt: float | None) -> NDArray[Any]:
    return np.arange(1, steps + 1) * (1.0 if dt is None else dt)


def time_label(dt: float | None) -> str:
    return "time step t" if dt is None else "time (ms)"


def looks() -> Iterable[dict[str, Any]]:
    for colour, dash, marker in cycle(zip(PALETTE, DASHES, _MARKERS, strict=True)):
        yield {"color": colour, "linestyle": dash, "marker": marker}


def draw_curves(axes: Axes, x: NDArray[Any], curves: Mapping[str, NDArray[Any]]) -> None:
    for (name, values), look in zip(curves.items(), looks(), strict=False):
        axes.plot(x, values, label=name, **look)
