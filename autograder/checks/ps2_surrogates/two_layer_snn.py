"""The two-layer spiking network, held against a plain loop over time.

Weights and inputs are multiples of powers of two, so that spikes are exact and no rounding can move one.
"""

import math
from collections.abc import Callable
from functools import partial
from typing import Any

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, call
from snnkit import surrogate

from .families import ROUNDING
from .network_probe import again, gradients, rates


def played(
    asked,
    frames,
    *,
    decay=0.5,
    gain=1.0,
    hard=False,
    detach=True,
    memory=True,
    total=False,
    sigmoid=False,
    shared=False,
    steps=None,
):
    """Rates of the last ``steps`` of the frames and the weights, with the ways in which they can go wrong."""
    fire = surrogate.Sigmoid(alpha=4.0) if sigmoid else surrogate.ATan(alpha=asked["alpha"])
    signals = list(torch.from_numpy(frames).double().flatten(2))
    weights = [torch.from_numpy(asked[name]).double().requires_grad_() for name in ("first", "second")]
    v = torch.empty(0)
    for weight in weights:
        if not (shared and v.shape == (frames.shape[1], weight.shape[0])):
            v = torch.zeros(frames.shape[1], weight.shape[0], dtype=torch.double)
        for step, signal in enumerate(signals):
            charge = (decay * v if memory else 0.0) + gain * (signal @ weight.T)
            signals[step] = fire(charge - 1.0)
            reset = signals[step].detach() if detach else signals[step]
            v = charge * (1 - reset) if hard else charge - reset
    kept = torch.stack(signals if steps is None else signals[-steps:])
    return kept.sum(0) if total else kept.mean(0), weights


def rates_of(asked, frames, **ways):
    return played(asked, frames, **ways)[0].detach().numpy()


def values(asked, **ways):
    """What the probe that asks so gives."""
    if "weighting" in asked:
        found, weights = played(asked, asked["frames"], **ways)
        of_first, of_second = torch.autograd.grad(
            (found * torch.from_numpy(asked["weighting"]).double()).sum(), weights
        )
        return {
            "gradient of the first layer": of_first.numpy(),
            "gradient of the second layer": of_second.numpy(),
        }
    found = rates_of(asked, asked["frames"], **ways)
    if "other" in asked:
        other = rates_of(asked, asked["other"], **ways)
        return {"first call": found, "other batch": other, "again": found, "after a run": other}
    return {"parameters": 2, "rates": found, "two networks start alike": False}


DEFAULTS = {"hard": True, "gain": 0.5}
"""The neuron that SpikingJelly makes unless it is told otherwise, as ways of :func:`played`."""


def carries_over(asked, **ways):
    """Whether potentials that are left from one batch show in the rates of the next, and of the one after that."""
    three = [asked["frames"], asked["other"], asked["frames"]]

    def last(count):
        """Rates of the last of so many batches, one run after the other without a reset."""
        return rates_of(asked, np.concatenate(three[:count]), steps=len(asked["frames"]), **ways)

    alone = rates_of(asked, asked["other"], **ways)
    return not np.allclose(last(1), last(3)) and not np.allclose(alone, last(2))


def shows(asked, **ways):
    """Whether a way of going wrong shows in the rates."""
    return not np.allclose(rates_of(asked, asked["frames"]), rates_of(asked, asked["frames"], **ways))


def shows_what_stays(asked):
    """Whether a forgotten reset shows, with SpikingJelly's default neuron as well, and neurons without memory do."""
    return carries_over(asked) and carries_over(asked, **DEFAULTS) and shows(asked, memory=False)


def tells(asked):
    """Whether one neuron object for both layers, where that is possible, shows in the rates."""
    return len(asked["first"]) != len(asked["second"]) or shows(asked, shared=True)


PROBES: dict[str, Callable[..., Any]] = {"rates": rates, "again": again, "gradient": gradients}


def cases(rng):
    def dyadic(*shape, scale):
        return (rng.integers(-24, 40, size=shape) / 64 * scale).astype(np.float32)

    for group, steps, batch, inputs, hidden in (
        ("rates", 6, 5, (2, 3, 3), 8),
        ("rates", 8, 1, (2, 2, 4), 6),
        ("rates", 1, 3, (2, 3, 3), 8),
        ("rates", 7, 3, (2, 2, 4), 4),
        ("again", 5, 4, (2, 3, 3), 8),
        ("gradient", 6, 5, (2, 3, 3), 8),
    ):
        for _ in range(200):
            asked = {
                "first": dyadic(hidden, math.prod(inputs), scale=1.0),
                "second": dyadic(4, hidden, scale=2.0),
                "alpha": 2.0,
                "frames": rng.integers(0, 3, size=(steps, batch, *inputs)).astype(np.float32),
            }
            other = rng.integers(0, 3, size=(steps, batch, *inputs)).astype(np.float32)
            if shows_what_stays({**asked, "other": other}) if group == "again" else tells(asked):
                break
        if group == "gradient":
            asked["weighting"] = rng.uniform(-1, 1, size=(batch, 4)).astype(np.float32)
        elif group == "again":
            asked["other"] = other
        yield Case(
            group, f"T = {steps}, N = {batch}, {math.prod(inputs)} inputs", call(PROBES[group], **asked)
        )


def remembers(got, asked):
    """Whether later calls depend on earlier ones."""
    if got["first call"].shape != got["again"].shape:
        return False
    if not np.allclose(got["first call"], got["again"], atol=1e-5):
        return True
    alone = {
        key: rates_of(asked, asked[name])
        for key, name in (("first call", "frames"), ("other batch", "other"))
    }
    return [bool(np.allclose(got[key], alone[key], atol=1e-5)) for key in alone] == [True, False]


def forgets_late(got, asked):
    """Whether calls depend on what ran before them only where that was not another call."""
    return np.allclose(got["first call"], got["again"], atol=1e-5) and not np.allclose(
        got["other batch"], got["after a run"], atol=1e-5
    )


QUESTION = Question(
    "ps2.two_layer_snn",
    "The two-layer spiking network",
    (
        Group("rates", 1.0, "firing rates for given weights"),
        Group("again", 1.0, "the same batch gives the same rates a second time"),
        Group("gradient", 1.0, "gradients of the weights, through the surrogate that was given"),
    ),
    cases,
    ("two_layer_snn", "firing_rates"),
    values,
    within=ROUNDING,
    facts={
        "two networks start alike": (
            "two networks start with other weights",
            "two networks start with the same weights, so that another seed is no other run",
        )
    },
    slips=(
        Slip(
            "seeded_inside",
            "Each network starts with the same weights: a seed is set inside `two_layer_snn`. Whoever calls it sets the seed.",
            seen=lambda got, asked: bool(got["two networks start alike"]),
        ),
        Slip(
            "state_not_reset",
            "A batch gives other rates after another batch than before it: the potentials of the batch "
            "before are still there. `functional.reset_net(network)` belongs at the start of `firing_rates`.",
            seen=remembers,
        ),
        Slip(
            "reset_after",
            "The potentials are forgotten after the batch, not before it: where the network was run in another way, its "
            "potentials are still there. `functional.reset_net(network)` belongs at the start of `firing_rates`.",
            seen=forgets_late,
        ),
        Slip(
            "bias",
            "The network has biases; the question asks for `bias=False` in both linear layers.",
            seen=lambda got, asked: float(got["parameters"]) == 4,
        ),
        Slip(
            "single_step_mode",
            "Here each time step starts from potential 0: the neurons run in single-step mode and take the "
            'time axis for a part of the batch. Set `step_mode="m"`.',
            gives=partial(values, memory=False),
        ),
        Slip(
            "decay_input",
            "The input is divided by tau: SpikingJelly's default. The question asks for `decay_input=False`.",
            gives=partial(values, gain=0.5),
        ),
        Slip(
            "hard_reset",
            "The potential goes to 0 after a spike, SpikingJelly's default. The question asks for the soft "
            "reset (subtract the threshold): `v_reset=None`.",
            gives=partial(values, hard=True),
        ),
        Slip(
            "both_defaults",
            "These are SpikingJelly's defaults for both the input and the reset. The question asks for "
            "`decay_input=False` and `v_reset=None`.",
            gives=partial(values, **DEFAULTS),
        ),
        Slip(
            "reset_not_detached",
            "The gradient also flows through the reset. The question asks for `detach_reset=True`.",
            gives=partial(values, detach=False),
        ),
        Slip(
            "surrogate_ignored",
            "The gradient is that of SpikingJelly's default surrogate, Sigmoid: hand the `surrogate` that "
            "was given to both neurons as `surrogate_function`.",
            gives=partial(values, sigmoid=True),
        ),
        Slip(
            "shared_neurons",
            "Both layers use one and the same neuron object: with as many hidden neurons as classes the "
            "second layer starts from the potentials of the first. Make a neuron for each layer.",
            gives=partial(values, shared=True),
        ),
        Slip(
            "counts_for_rates",
            "These are spike counts. A rate is the mean over the time steps.",
            gives=partial(values, total=True),
        ),
    ),
    hints=(
        "Four layers in a row: linear, neurons, linear, neurons, after the two channels and the pixels "
        "of a frame have been flattened. Which axis is time, and which function of SpikingJelly forgets "
        "the last batch?",
        "`neuron.LIFNode(tau=2.0, decay_input=False, v_threshold=1.0, v_reset=None, detach_reset=True, "
        'surrogate_function=surrogate, step_mode="m")` is the neuron. Start `firing_rates` with '
        "`functional.reset_net(network)`.",
        "`nn.Sequential(nn.Flatten(2), nn.Linear(inputs, hidden, bias=False), lif(), nn.Linear(hidden, "
        "classes, bias=False), lif())` is the network (`nn.Flatten(2)` keeps time and batch; `nn.Linear` "
        "acts on the last axis), and `network(frames).mean(0)` are its rates.",
    ),
)
