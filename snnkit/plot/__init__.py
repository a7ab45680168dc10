"""Figures: one style for the whole course, and one function for each kind of figure.

Every function takes data, draws it on the axes given (or on new ones) and returns the axes.
Time is the first axis of the data and step ``t`` is drawn at ``t = 1, ..., T``, as in the formulas.
Colours come from the palette of this module, which readers with a colour-vision deficiency can tell apart;
lines that share axes also differ in dash or marker.

===========  =====================================================
``BLUE``     main curve, what the neuron or the network does
``ORANGE``   what it is compared with; OFF events
``GREEN``    a third quantity
``PURPLE``   a fourth quantity
``GREY``     thresholds, references and ideal curves
``INK``      text, axes and spikes
``PALETTE``  the colours of successive curves
===========  =====================================================
"""

from __future__ import annotations

from snnkit.plot._networks import accuracy_against_steps, error_by_layer, event_frames
from snnkit.plot._neurons import (
    SurrogateLike,
    error_against_step,
    potential,
    raster,
    rate_curve,
    staircase,
    surrogate_pair,
)
from snnkit.plot._style import BLUE, GREEN, GREY, INK, ORANGE, PALETTE, PURPLE, style
from snnkit.plot._table import Table

__all__ = [
    "BLUE",
    "GREEN",
    "GREY",
    "INK",
    "ORANGE",
    "PALETTE",
    "PURPLE",
    "SurrogateLike",
    "Table",
    "accuracy_against_steps",
    "error_against_step",
    "error_by_layer",
    "event_frames",
    "potential",
    "raster",
    "rate_curve",
    "staircase",
    "style",
    "surrogate_pair",
]
