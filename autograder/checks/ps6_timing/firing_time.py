"""When a neuron fires: the first crossing of a trace, and the firing times of a layer."""

import math

import numpy as np
import torch

from autograder.question import Case, Group, Pace, Question, Slip, Tolerance, call
from snnkit import spiketime

from .spike_response import exact_times, grid, layer_potential


def crossings(
    trace, times, threshold, *, last=False, strict=False, interpolated=True, from_below=False, silent=math.inf
):
    """Times of crossings of traces [M, ...], with the ways in which they can go wrong."""
    flat = trace.reshape(len(trace), -1).astype(float)
    found = np.full(flat.shape[1], silent)
    for place, column in enumerate(flat.T):
        above = column > threshold if strict else column >= threshold
        rises = np.flatnonzero(above & ~np.concatenate([[above[0] and from_below], above[:-1]]))
        if not len(rises):
            continue
        at = rises[-1 if last else 0]
        if at == 0 or not interpolated:
            found[place] = times[at]
        else:
            share = (threshold - column[at - 1]) / (column[at] - column[at - 1])
            found[place] = times[at - 1] + share * (times[at] - times[at - 1])
    return found.reshape(trace.shape[1:])


def answer(*, peak=False, refined=True, short=0.0, never=lambda times: math.inf, **ways):
    """Both functions; ``never`` is the time of who does not fire. The other ways of a crossing leave the layer right."""

    def first_crossing(trace, times, threshold):
        if peak:
            return times[trace.argmax(0)]
        return crossings(trace, times, threshold, silent=never(times), **ways)

    def firing_time(weight, inputs, tau, threshold, window, dt):
        times = grid(window, dt)
        if peak or not refined:
            return first_crossing(layer_potential(times, weight, inputs, tau), times, threshold)
        exact = exact_times(weight, inputs, tau, threshold, window - short * dt, dt)
        return np.where(np.isinf(exact), never(times), exact)

    return {"first_crossing": first_crossing, "firing_time": firing_time}


def waves(rng, shape, heights):
    """Traces [80, ...] that begin low and rise several times, up to the given heights; and their times."""
    times = 0.05 * np.arange(80) + float(np.round(rng.uniform(0.5, 2), 2))
    clock = np.linspace(0, 1, 80).reshape(-1, *[1] * len(shape))
    wave = np.sin(2 * np.pi * (rng.uniform(2.2, 3.4, shape) * clock - rng.uniform(0.1, 0.3, shape)))
    wave = wave + 0.3 * np.sin(2 * np.pi * rng.uniform(5, 7, shape) * clock) * clock
    return wave / wave.max(0) * heights, times


def layer(rng, n, inputs, outputs, tau):
    """Arguments of a layer whose neurons fire with a good slope or stay well below the threshold."""
    window, dt = 8 * tau, tau / 20
    while True:
        weight = rng.normal(0.45, 0.35, (outputs, inputs))
        sent = rng.uniform(0, 2 * tau, (n, inputs))
        sent[rng.uniform(size=(n, inputs)) < 0.15] = math.inf
        weight[-1] *= 0.3
        if clear(weight, sent, tau, window, dt):
            return weight, sent, tau, 1.0, window, dt


def clear(weight, inputs, tau, window, dt):
    """Whether neurons of both kinds are there, and neither the grid nor a rounding decides which is which."""
    times, fine = grid(window, dt), grid(window, dt / 8)
    potential = layer_potential(times, weight, inputs, tau)
    reached = potential >= 1.0
    fires = reached.any(0)
    # No input in or near the step of a crossing: it bends the potential.
    before = dt * (reached.argmax(0)[:, :, None] - 0.5) - inputs[:, None, :]
    if not fires.any() or fires.all() or (np.abs(before[fires]) < 1.5 * dt).any():
        return False
    trace = layer_potential(fine, weight, inputs, tau)
    slopes = (layer_potential(fine + 1e-6, weight, inputs, tau) - trace) / 1e-6
    slope = np.take_along_axis(slopes, (trace >= 1.0).argmax(0)[None], 0)[0]
    coarse, exact = (exact_times(weight, inputs, tau, 1.0, window, step) for step in (dt, dt / 8))
    rough = crossings(potential, times, 1.0)
    return (
        np.array_equal(np.isfinite(exact), fires)
        and (np.abs(exact[fires] - coarse[fires]) < 1e-6).all()
        and (slope[fires] > 0.15 / tau).all()
        and (trace.max(0)[~fires] < 0.93).all()
        and (np.abs(rough[fires] - coarse[fires]) > 1e-4).any()
    )


def cases(rng):
    for label, shape, dtype in (
        ("traces of 5 neurons", (5,), np.float64),
        ("traces [80, 3, 4]", (3, 4), np.float64),
        ("float32", (6,), np.float32),
    ):
        given = [one.astype(dtype) for one in waves(rng, shape, rng.uniform(1.2, 2.0, shape))]
        threshold = float(np.round(rng.uniform(0.5, 0.9), 2))
        yield Case("crossing", label, call("first_crossing", *given, threshold), intact=True)
    times = np.arange(6.0) + 2
    for group, label, columns in (
        (
            "crossing",
            "a crossing in the first step, and one in the last",
            [[0.25, 1.25, 0.5, 0, 1.5, 0], [0, 0.5, 0, 0, 0.5, 2]],
        ),
        (
            "edges",
            "a potential that only touches the threshold",
            [[0, 0.5, 1, 0.5, 0, 0], [0, 0.25, 0.5, 0.75, 1, 0.5]],
        ),
        (
            "edges",
            "a potential that begins above the threshold",
            [[2, 1.5, 0.5, 0.25, 2, 0], [1, 0.5, 0, 0, 0, 0]],
        ),
    ):
        yield Case(group, label, call("first_crossing", np.array(columns).T.copy(), times, 1.0))
    for label, shape, heights in (
        ("some neurons stay silent", (4, 3), (0.8, 1.6)),
        ("all neurons stay silent", (2, 3), (0.4, 0.8)),
        ("no neurons", (2, 0), (0.8, 1.6)),
    ):
        trace, times = waves(rng, shape, np.resize(heights, shape))
        yield Case("silent", label, call("first_crossing", trace, times - times[0], 1.0))

    def layer_case(label, weight, inputs, tau, threshold, window, dt):
        asked = call("firing_time", weight, inputs, tau, threshold, window=window, dt=dt)
        return Case("layer", label, asked, intact=True)

    for tau, threshold in ((1.0, 1.0), (5.0, 1.5)):  # the times depend on weights in thresholds alone
        weight, sent, *_, window, dt = layer(rng, 3, 6, 3, tau)
        asked = threshold * weight, sent, tau, threshold, window, dt
        yield layer_case(f"a layer, tau = {tau:g}, threshold {threshold:g}", *asked)
    weight, inputs, *rest = layer(rng, 2, 4, 2, 2.0)
    yield layer_case("no patterns", weight, inputs[:0], *rest)
    late = np.array([[0.2, 1.2], [0.2, 1.1]]), np.array([[0.25, 1.25]])
    yield layer_case(
        "one fires in the last step of the window, one in the step after it", *late, 2.0, 1.0, 2.0, 0.125
    )
    # The linear interpolation lies after the input and before the crossing.
    bent = np.array([[0.85, 1.5], [0.85, 0.1]]), np.array([[0, 2.03125]])
    yield layer_case("an input arrives early in the step of the crossing", *bent, 2.0, 1.0, 8.0, 0.125)


def library(weight, inputs, tau, *, window, dt):
    """The library's layer: as fast as is asked for."""
    return spiketime.firing_time(*(torch.from_numpy(given) for given in (weight, inputs)), tau=tau)


def digits(patterns):
    """Weights [10, 64] and input times like those of the training on digits."""
    rng = np.random.default_rng(0)
    return 0.02 + 0.1 * rng.uniform(size=(10, 64)), rng.uniform(0, 5, (patterns, 64))


QUESTION = Question(
    "ps6.firing_time",
    "When a neuron fires",
    (
        Group("crossing", 0.75, "`first_crossing`: the first one, interpolated"),
        Group("silent", 0.75, "`first_crossing`: infinity where there is none"),
        Group("edges", 0.5, "`first_crossing`: touching the threshold, and above it from the start"),
        Group("layer", 1.0, "`firing_time`: a layer, to 1e-5"),
    ),
    cases,
    answer(),
    gives={"first_crossing": ("time",), "firing_time": ("time",)},
    keeps_dtype=True,
    uses={"kernel": "ps6.response", "potential": "ps6.response"},
    within=Tolerance(1e-6, 1e-5, "the accuracy that is asked for; slopes are not small"),
    slips=(
        Slip(
            "last_crossing",
            "This is the last crossing. The first spike counts: what the potential does afterwards no "
            "longer matters.",
            answer(last=True),
        ),
        Slip(
            "largest_potential",
            "This is the time of the largest potential. The neuron fires earlier, when the threshold is "
            "reached, and not at all if it never is.",
            answer(peak=True),
        ),
        Slip(
            "silent_at_zero",
            "A neuron that never fires is given the start of the window, as if it were the first of all. "
            "`argmax` of a row without a single True is 0. Its time is infinity.",
            answer(never=lambda times: times[0]),
        ),
        Slip(
            "silent_at_end",
            "A neuron that never fires is given the end of the window, and cannot be told from one that "
            "fires there. Its time is infinity; a loss may put the end of the window in its place later.",
            answer(never=lambda times: times[-1]),
        ),
        Slip(
            "strict_threshold",
            "This is what `>` gives. A neuron that reaches its threshold exactly fires: the comparison is "
            "`>=`.",
            answer(strict=True),
        ),
        Slip(
            "start_above_missed",
            "A potential that stands at or above the threshold at the first time has reached it then: the "
            "answer is the first time. You look for a step from below only.",
            answer(from_below=True),
        ),
        Slip(
            "not_interpolated",
            "This is the first sample at or above the threshold. The crossing lies before it: interpolate "
            "linearly between it and the sample before.",
            answer(interpolated=False, refined=False),
        ),
        Slip(
            "not_refined",
            "These are the interpolated times of the grid, which are off by the curvature of the "
            "potential. Refine them, for instance by halving the step in which the crossing lies, until "
            "V(t) is the threshold.",
            answer(refined=False),
        ),
        Slip(
            "end_of_window_missing",
            "The grid ends a step before the window does: it has `round(window / dt) + 1` times, from 0 to `window`.",
            answer(short=1.0),
        ),
        Slip(
            "nan_for_silent",
            "Infinity minus infinity is nan. Put a finite number in the place of the times of silent "
            "neurons while you compute, and infinity at the end, with `torch.where`.",
            seen=lambda got, asked: bool(np.isnan(got["time"]).any()),
        ),
    ),
    hints=(
        "What does `argmax` give for a row of True and False, and what if none is True? Which two samples "
        "enclose the crossing?",
        "`reached = trace >= threshold`, the index of the first True, and the sample before it. For a "
        "layer: the crossing on the grid first, then halve its step again and again, with the potential of "
        "each neuron at its own time.",
        "`at = reached.to(torch.uint8).argmax(0)`, `before = (at - 1).clamp(min=0)`, both samples by "
        "`trace.gather(0, at[None]).squeeze(0)`. In the layer `elapsed = middle[:, :, None] - inputs[:, "
        "None, :]` has the shape [N, outputs, inputs]; where `(weight * kernel(elapsed, tau)).sum(-1) >= "
        "threshold`, `high` becomes `middle`, elsewhere `low`.",
    ),
    withheld=(
        "snnkit.spiketime.firing_time",
        "snnkit.spiketime._FiringTime",
        "snnkit.spiketime._first_crossing",
        "snnkit.spiketime.SpikeProp",
    ),
    pace=Pace(
        call("firing_time", *digits(10), 4.0, window=16.0, dt=0.5),
        calls=15 * 180,
        below="the training on digits below",
        advice="Compute all patterns and neurons at once; the only loop that is needed halves the step.",
        reference={"firing_time": library},
    ),
)
