"""Plots as SVG inside a page: drawn by Matplotlib, coloured by the page, so that light and dark both fit."""

from __future__ import annotations

import io
import re
from collections.abc import Sequence
from html import escape
from itertools import pairwise
from typing import Any

# Stand-ins that the page's own colours replace.
_INK, _BAR, _RULE = "#010203", "#040506", "#070809"
_COLOURS = {_INK: "var(--ink)", _BAR: "var(--blue)", _RULE: "var(--rule)"}
_WIDTH = 4.2
_STYLE: dict[Any, Any] = {
    "svg.fonttype": "none",
    "font.family": "sans-serif",
    "font.size": 9.5,
    "text.color": _INK,
    "axes.labelcolor": _INK,
    "axes.edgecolor": _INK,
    "xtick.color": _INK,
    "ytick.color": _INK,
    "grid.color": _RULE,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
}


def _svg(figure: Any, name: str, said: str) -> str:
    """A figure as an SVG element with a text that says what it shows."""
    written = io.StringIO()
    figure.savefig(written, format="svg", transparent=True, metadata={"Date": None})
    text = written.getvalue()
    text = re.sub(r"<metadata>.*?</metadata>", "", text[text.index("<svg") :], flags=re.DOTALL)
    for stand_in, colour in _COLOURS.items():
        text = text.replace(stand_in, colour)
    used = set(re.findall(r"#([\w-]+)", text))
    # Names repeat from figure to figure; those that something refers to are made unique, the others go.
    text = re.sub(
        r' id="([^"]+)"', lambda found: f' id="{name}-{found[1]}"' if found[1] in used else "", text
    )
    text = re.sub(r'(url\(#|href="#)([\w-]+)', rf"\1{name}-\2", text)
    return text.replace("<svg ", f'<svg role="img" aria-label="{escape(said)}" ', 1)


def _new(height: float) -> tuple[Any, Any]:
    from matplotlib.figure import Figure

    figure = Figure(figsize=(_WIDTH, height), layout="constrained")
    return figure, figure.subplots()


def bars(
    name: str, said: str, labels: Sequence[str], values: Sequence[float | None], axis: str,
    limits: tuple[float, float] | None = None,
) -> str:  # fmt: skip
    """Horizontal bars, the first at the top; None leaves a gap with a dash.

    Args:
        name: unique in the page.
        said: what the plot shows, for those who do not see it.
        labels, values: of the bars.
        axis: label of the values, with their unit.
        limits: of the values; from 0 to a little more than the largest by default.
    """
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        lines = sum(label.count("\n") + 1 for label in labels)
        figure, axes = _new(0.75 + 0.2 * lines + 0.08 * len(labels))
        rows = range(len(labels))
        axes.barh(rows, [value or 0.0 for value in values], color=_BAR, height=0.62)
        for row, value in zip(rows, values, strict=True):
            if value is None:
                axes.text(0.0, row, " –", va="center")
        axes.set(yticks=list(rows), yticklabels=list(labels), xlabel=axis)
        axes.tick_params(axis="y", length=0)
        axes.set_ylim(len(labels) - 0.4, -0.6)
        axes.grid(axis="x", linewidth=0.6)
        if limits:
            axes.set_xlim(limits)
            if limits[0] < 0:
                axes.axvline(0, color=_INK, linewidth=0.8)
        else:
            axes.set_xlim(0, max([1.0, *(value for value in values if value)]) * 1.04)
            axes.xaxis.set_major_locator(MaxNLocator(nbins=6, integer=True))
        return _svg(figure, name, said)


def histogram(name: str, said: str, edges: Sequence[float], counts: Sequence[int], axis: str) -> str:
    """A histogram of students.

    Args:
        name, said, axis: as in :func:`bars`.
        edges: one more than there are counts.
        counts: students in each bin.
    """
    import matplotlib as mpl
    from matplotlib.ticker import MaxNLocator

    with mpl.rc_context({**_STYLE, "svg.hashsalt": name}):
        figure, axes = _new(2.6)
        widths = [after - before for before, after in pairwise(edges)]
        axes.bar(edges[:-1], counts, width=[0.92 * width for width in widths], align="edge", color=_BAR)
        axes.set(xlabel=axis, ylabel="students", xlim=(edges[0], edges[-1]))
        axes.yaxis.set_major_locator(MaxNLocator(integer=True))
        axes.grid(axis="y", linewidth=0.6)
        return _svg(figure, name, said)
