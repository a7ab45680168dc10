r"""Membrane dynamics: integrate-and-fire neurons as pure step functions, and their closed forms.

A step takes the potential ``v`` left by the step before and the input ``x`` of this step:

    charge = decay * v + x,    spike = heaviside(charge - threshold),    v = reset(charge, spike, threshold)

Convention: a neuron *at* its threshold fires (``heaviside(0) = 1``) and the reset acts within the same step;
only :func:`delayed_reset_step` differs.  ``decay`` is 1 for the integrate-and-fire (IF) neuron.  Time is the
first axis.  No function modifies its arguments.  The spike itself has derivative zero everywhere; see
``snnkit.surrogate`` for the gradients that training puts in its place.
"""

from __future__ import annotations

from snnkit.dynamics._circuit import (
    euler_decay,
    exact_decay,
    firing_rate,
    firing_rate_discrete,
    first_spike_step,
    first_spike_time,
    lapicque_euler,
    lapicque_exact,
    membrane,
)
from snnkit.dynamics._steps import (
    HardReset,
    Reset,
    SoftReset,
    Step,
    Trace,
    delayed_reset_step,
    fire,
    heaviside,
    if_step,
    lif_step,
    simulate,
)

__all__ = [
    "HardReset",
    "Reset",
    "SoftReset",
    "Step",
    "Trace",
    "delayed_reset_step",
    "euler_decay",
    "exact_decay",
    "fire",
    "firing_rate",
    "firing_rate_discrete",
    "first_spike_step",
    "first_spike_time",
    "heaviside",
    "if_step",
    "lapicque_euler",
    "lapicque_exact",
    "lif_step",
    "membrane",
    "simulate",
]
