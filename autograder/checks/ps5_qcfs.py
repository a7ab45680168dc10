"""Checks of the problem set on QCFS and the unevenness error.

The numbers that are expected come from plain NumPy loops in this module; the tests compare them with
:mod:`snnkit.conversion`. Where a spike is at stake, weights, currents and thresholds are multiples of powers of two,
so that no rounding can move it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from functools import cache, partial
from itertools import pairwise
from typing import Any

import numpy as np

from autograder.checks.core import Array, Arrays, Case, Check, Data, Group, Misconception, Tolerance

# ------------------------------------------------------------------------------------------- neurons in NumPy


def _fire(currents: Array, threshold: float, v0: float | Array) -> tuple[Array, Array]:
    """Spikes and potentials [T, ...] of integrate-and-fire neurons with soft reset, in double precision."""
    v = np.zeros(currents.shape[1:]) + v0
    spikes, potentials = [], []
    for current in currents.astype(np.float64):
        charge = v + current
        spike = (charge >= threshold).astype(np.float64)
        v = charge - spike * threshold
        spikes.append(spike)
        potentials.append(v)
    return np.array(spikes), np.array(potentials)


def _even_count(currents: Array, threshold: float, v0: float) -> Array:
    """q: the spikes of the same charge, spread evenly."""
    charge = v0 + currents.astype(np.float64).sum(0)
    return np.asarray(np.clip(np.floor(charge / threshold), 0, len(currents)))


def _excess(count: Array, v_end: Array, threshold: float, steps: int) -> Array:
    """N - q from the count and the final potential."""
    units = np.floor(v_end / threshold)
    extra = np.minimum(count, -units)
    missing = np.minimum(steps - count, units)
    return np.asarray(np.where(v_end < 0, extra, np.where(v_end >= threshold, -missing, 0)))


def _quarters(rng: np.random.Generator, low: float, high: float, *shape: int) -> Array:
    """Random multiples of 1/4, single precision."""
    return np.asarray(rng.integers(round(4 * low), round(4 * high) + 1, size=shape) / 4, dtype=np.float32)


# -------------------------------------------------------------------------------------- the balance of charge

PARTS = ("step", "total", "average")


def _probe_balance(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """One of the three residuals of given inputs, spikes and potentials."""
    import torch

    given = [torch.from_numpy(data[name]) for name in ("weight", "bias", "inputs", "spikes", "potentials")]
    residuals = answer["balance"](*given, data["threshold"], data["v0"])
    place = ("step", "total", "average").index(data["part"])
    return {data["part"]: residuals[place]}


def _balance(
    data: Data,
    *,
    height: bool = True,
    bias_once: bool = False,
    from_zero: bool = False,
    turned: bool = False,
    mean: bool = False,
    transposed: bool = False,
) -> Arrays:
    """Left side minus right side of the three equations, with the ways in which they go wrong."""
    weight, bias, inputs, spikes, potentials = (
        data[name].astype(np.float64) for name in ("weight", "bias", "inputs", "spikes", "potentials")
    )
    steps = len(inputs)
    output = spikes * (data["threshold"] if height else 1.0)
    charge = inputs @ (weight if transposed else weight.T)
    start = 0.0 if from_zero else data["v0"]
    before = np.concatenate([np.full_like(potentials[:1], start), potentials[:-1]])
    change = potentials[-1] - start
    received = charge.sum(0) + (1 if bias_once else steps) * bias
    total = change - (received - output.sum(0))
    remainder = change / steps * (-1 if turned else 1)
    return {
        "step": potentials - before - (charge + bias - output),
        "total": total / steps if mean else total,
        "average": output.mean(0) - (charge.mean(0) + bias - remainder),
    }


def _of_part(**ways: bool) -> Callable[[Data], Arrays]:
    return lambda data: {data["part"]: _balance(data, **ways)[data["part"]]}


def _run_of(rng: np.random.Generator, kind: str, steps: int, samples: int, width: int, dtype: str) -> Data:
    """Random inputs of a layer and what neurons of some kind do with them."""
    threshold = float(rng.integers(3, 9) / 4)
    weight, bias = rng.normal(0, 0.8, (width, width)), rng.normal(0.2, 0.3, width)
    inputs = rng.uniform(0, 1.5, (steps, samples, width))
    v0 = threshold / 2
    v = np.full((samples, width), v0)
    spikes, potentials = [], []
    for current in inputs @ weight.T + bias:
        charge = (0.75 if kind == "leaky neurons" else 1.0) * v + current
        spike = (charge >= threshold).astype(np.float64)
        v = charge * (1 - spike) if kind == "hard reset" else charge - spike * threshold
        spikes.append(spike)
        potentials.append(v)
    arrays = {
        "weight": weight,
        "bias": bias,
        "inputs": inputs,
        "spikes": np.array(spikes),
        "potentials": np.array(potentials),
    }
    return {name: value.astype(dtype) for name, value in arrays.items()} | {"threshold": threshold, "v0": v0}


def _balance_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for kind, steps, samples, dtype in (
        ("soft reset", 8, 5, "float32"),
        ("hard reset", 8, 5, "float32"),
        ("leaky neurons", 6, 4, "float64"),
        ("soft reset", 1, 3, "float64"),
        ("hard reset", 4, 0, "float32"),
    ):
        data = _run_of(rng, kind, steps, samples, 6, dtype)
        label = f"{kind}, T = {steps}, N = {samples}, {dtype}"
        cases += [Case(part, label, {**data, "part": part}) for part in PARTS]
    return cases


BALANCE = Check(
    id="ps5.balance",
    title="The balance of charge, step by step",
    names=("balance",),
    groups=(
        Group("step", 1.0, "one time step"),
        Group("total", 1.0, "the sum over all steps"),
        Group("average", 1.0, "the averages of adjacent layers"),
    ),
    cases=_balance_cases,
    probe=_probe_balance,
    expected=_of_part(),
    tolerance=Tolerance(1e-4, 2e-4, "sums of up to 8 steps of 6 products each, in single precision"),
    misconceptions=(
        Misconception(
            "height_missing",
            "The layer transmits spikes of height theta: `spikes * threshold`, not the spikes themselves.",
            arrays=_of_part(height=False),
        ),
        Misconception(
            "bias_once",
            "The bias is added at every step, so the sum over T steps holds it T times.",
            arrays=_of_part(bias_once=True),
        ),
        Misconception(
            "start_forgotten",
            "This is what a start at 0 gives. The potential before the first step is `v0`.",
            arrays=_of_part(from_zero=True),
        ),
        Misconception(
            "remainder_turned",
            "The remainder has the wrong sign: what is still in the neuron at the end, (v(T) - v(0))/T, has not been "
            "sent, so it is subtracted on the right side.",
            arrays=_of_part(turned=True),
        ),
        Misconception(
            "mean_for_sum",
            "This is the equation divided by T, which is the third of the three. The second has sums.",
            arrays=_of_part(mean=True),
        ),
        Misconception(
            "transposed",
            "The weights are used the wrong way round: `weight` is [out, in], so the current is `inputs @ weight.T`.",
            arrays=_of_part(transposed=True),
        ),
        Misconception(
            "first_step_lost",
            "There are T - 1 differences. The first step goes from `v0` to `potentials[0]`.",
            when=lambda arrays, data: (
                "step" in arrays
                and arrays["step"].shape == (len(data["inputs"]) - 1, *data["spikes"].shape[1:])
            ),
        ),
    ),
    hints=(
        "Write each equation as left side minus right side. For the first you need the potential before each step: "
        "`potentials` without its last entry, with `v0` in front.",
        "The layer transmits `outputs = spikes * threshold` and receives `inputs @ weight.T + bias` at each step. "
        "The sum over t of v(t) - v(t-1) is v(T) - v(0), and the sum of the bias is T times the bias.",
        "`before = torch.cat([torch.full_like(potentials[:1], v0), potentials[:-1]])` and "
        "`step = potentials - before - (inputs @ weight.T + bias - outputs)`; then `total = step.sum(0)` is the "
        "second equation, written out or telescoped, and `total / len(inputs)` the third.",
    ),
)

# ------------------------------------------------------------------------------------------------ activation

Region = Callable[[Array, float, float], Array]

INSIDE: dict[str, Region] = {
    "paper": lambda z, clip, half: (z > -half) & (z < clip - half),
    "closed": lambda z, clip, half: (z >= -half) & (z <= clip - half),
    "floor first": lambda z, clip, half: (z >= -half) & (z < clip + half),
    "clip first": lambda z, clip, half: (z >= 0) & (z <= clip),
}


def _probe_qcfs(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The activation, or its gradients against a given upstream gradient."""
    import torch

    z = torch.from_numpy(data["x"])
    clip = torch.tensor(data["clip"], dtype=z.dtype)
    if data["part"] == "forward":
        return {"activation": answer["Staircase"].apply(z, clip, data["levels"])}
    z.requires_grad_(True)
    clip.requires_grad_(True)
    h = answer["Staircase"].apply(z, clip, data["levels"])
    found = torch.autograd.grad(h, (z, clip), torch.from_numpy(data["upstream"]), allow_unused=True)
    by_z, by_clip = (
        torch.zeros_like(one) if slope is None else slope for one, slope in zip((z, clip), found, strict=True)
    )
    both = {"gradient of z": by_z, "gradient of clip": by_clip}
    return {data["part"]: both[data["part"]]}


def _stairs(
    data: Data, *, half: float = 0.5, lowest: float = 0.0, highest: bool = True, unit: bool = False
) -> Array:
    z, clip, levels = data["x"].astype(np.float64), data["clip"], data["levels"]
    level = np.floor(z * levels / clip + half)
    level = np.clip(level, lowest, levels if highest else np.inf)
    return np.asarray(level / levels * (1.0 if unit else clip))


def _activation(**ways: Any) -> Callable[[Data], Arrays]:
    return lambda data: {"activation": _stairs(data, **ways)} if data["part"] == "forward" else {}


def _gradients(
    data: Data,
    *,
    region: str = "paper",
    passes: float = 1.0,
    above: float = 1.0,
    within: str = "residue",
    upstream: bool = True,
) -> Arrays:
    """Gradients of z and of the clip, with the ways in which they go wrong."""
    z, clip, levels = data["x"].astype(np.float64), data["clip"], data["levels"]
    inside = INSIDE[region](z, clip, clip / (2 * levels))
    h = _stairs(data)
    slopes = {
        "residue": (h - z) / clip,
        "zero": np.zeros_like(z),
        "turned": (z - h) / clip,
        "ratio": h / clip,
        "bare": h - z,
    }
    by_clip = np.where(inside, slopes[within], above * (z > 0))
    weight = data["upstream"].astype(np.float64) if upstream else np.ones_like(z)
    both = {
        "gradient of z": passes * inside * weight,
        "gradient of clip": np.asarray((by_clip * weight).sum()),
    }
    return {data["part"]: both[data["part"]]} if data["part"] in both else {}


def _qcfs_cases(rng: np.random.Generator) -> list[Case]:
    cases: list[Case] = []

    def add(group: str, part: str, label: str, x: Array, clip: float, levels: int) -> None:
        said = f"clip = {clip:g}, L = {levels}, {label}"
        data = {"part": part, "x": x, "clip": clip, "levels": levels}
        data["upstream"] = rng.uniform(0.5, 2, size=x.shape).astype(x.dtype)
        cases.append(Case(group, said, data))

    def between(clip: float, levels: int, low: float, high: float, *shape: int) -> Array:
        """Points away from the jumps; ``low`` and ``high`` are levels."""
        level = rng.integers(round(low), round(high), size=shape)
        return np.asarray(clip / levels * (level + 0.5 + rng.uniform(0.1, 0.9, size=shape)), np.float32)

    settings = [(1.0, 4), (2.5, 8), (float(np.round(rng.uniform(0.4, 0.8), 2)), 3)]
    for clip, levels in settings:
        x = between(clip, levels, -3, levels + 2, 4, 6)
        add("forward", "forward", "a batch [4, 6]", x, clip, levels)
        add("slope", "gradient of z", "a batch [4, 6]", x, clip, levels)
        for label, low, high in (
            ("z inside", -1, levels - 1),
            ("z above", levels, levels + 3),
            ("z below", -4, -1),
        ):
            add(
                "clip",
                "gradient of clip",
                label,
                between(clip, levels, low, high, 9),
                clip,
                levels,
            )
        add("clip", "gradient of clip", "a batch [4, 6]", x, clip, levels)
    jumps = np.array([-0.25, 0.0, 0.25, 0.75, 1.25, 1.75, 2.0, 2.25, -30.0, 30.0], np.float32)
    add("forward", "forward", "z on the jumps", jumps, 2.0, 4)
    add("forward", "forward", "float64", between(1.0, 4, -3, 5, 7).astype(np.float64), 1.0, 4)
    add("forward", "forward", "no elements", np.zeros((0, 3), np.float32), 1.0, 4)
    add("forward", "forward", "one level", between(2.0, 1, -2, 3, 6), 2.0, 1)
    add("slope", "gradient of z", "float64", between(1.0, 4, -3, 5, 7).astype(np.float64), 1.0, 4)
    ends = np.array([-0.25, 1.75, -0.25, 1.75], np.float32)
    for part in ("gradient of z", "gradient of clip"):
        add("ends", part, "z at the two ends", ends, 2.0, 4)
        add("ends", part, "z at the two ends", ends / 2, 1.0, 4)
    add("clip", "gradient of clip", "no elements", np.zeros((0, 3), np.float32), 1.0, 4)
    return cases


QCFS = Check(
    id="ps5.qcfs",
    title="QCFS and its gradients",
    names=("Staircase",),
    groups=(
        Group("forward", 1.0, "the staircase"),
        Group("slope", 1.0, "gradient of z: 1 inside, 0 outside"),
        Group("ends", 0.5, "gradients exactly at the two ends of the region"),
        Group("clip", 1.5, "gradient of the clip: inside, above, below"),
    ),
    cases=_qcfs_cases,
    probe=_probe_qcfs,
    expected=lambda data: {**_activation()(data), **_gradients(data)},
    tolerance=Tolerance(1e-4, 1e-5, "a few single-precision operations, and sums of up to 24 terms"),
    misconceptions=(
        Misconception(
            "half_missing",
            "This floors without the shift of 1/2: the staircase lies below z instead of around it.",
            arrays=_activation(half=0.0),
        ),
        Misconception(
            "half_to_even",
            "On a jump `round` goes to the even neighbour. The formula floors z L/clip + 1/2, which goes up.",
            arrays=lambda data: {
                "activation": np.clip(
                    np.round(data["x"].astype(np.float64) * data["levels"] / data["clip"]), 0, data["levels"]
                )
                * data["clip"]
                / data["levels"]
            },
        ),
        Misconception(
            "not_clipped_above",
            "Above the clip the staircase goes on. Its last level is L, its largest value the clip.",
            arrays=_activation(highest=False),
        ),
        Misconception(
            "not_clipped_below",
            "Below 0 the staircase goes on. Its first level is 0.",
            arrays=_activation(lowest=-np.inf),
        ),
        Misconception(
            "clip_factor_missing",
            "The levels run from 0 to 1 here. They are multiples of clip/L, so that the largest is the clip.",
            arrays=_activation(unit=True),
        ),
        Misconception(
            "gradient_count",
            "`backward` returns one value for each of z, clip and levels: two gradients and None.",
            error=r"returned an incorrect number of gradients",
        ),
        Misconception(
            "no_straight_through",
            "The gradient of z is 0 everywhere: the floor's own derivative. Straight through, the floor counts as the "
            "identity, so that the gradient is 1 inside.",
            arrays=partial(_gradients, passes=0.0),
        ),
        Misconception(
            "slope_upstream_missing",
            "This is the slope alone. `backward` returns the slope times `grad_output`, the gradient that arrives "
            "from above.",
            arrays=partial(_gradients, upstream=False),
        ),
        Misconception(
            "closed_ends",
            "At the two ends the region is open: -clip/2L < z < clip - clip/2L, with `<` and not `<=`.",
            arrays=partial(_gradients, region="closed"),
        ),
        Misconception(
            "floor_first",
            "This is the region -clip/2L <= z < clip + clip/2L, which automatic differentiation gives when the floor "
            "is taken first. Asked for is the published one, which ends at clip - clip/2L.",
            arrays=partial(_gradients, region="floor first"),
        ),
        Misconception(
            "clip_first",
            "This is the region 0 <= z <= clip, which automatic differentiation gives when the clip is taken first. "
            "Asked for is the published one, half a level lower at both ends.",
            arrays=partial(_gradients, region="clip first"),
        ),
        Misconception(
            "one_above_missing",
            "Above the region the gradient of the clip is 1: there the output is the clip itself.",
            arrays=partial(_gradients, above=0.0),
        ),
        Misconception(
            "only_above",
            "Inside the region the gradient of the clip is (h - z)/clip and not 0: a larger clip makes the steps "
            "larger.",
            arrays=partial(_gradients, within="zero"),
        ),
        Misconception(
            "clip_gradient_turned",
            "Inside, the gradient of the clip has the wrong sign: it is (h - z)/clip.",
            arrays=partial(_gradients, within="turned"),
        ),
        Misconception(
            "clip_gradient_of_factor",
            "This differentiates the factor clip in front and forgets the clip under z: with the floor straight "
            "through, the product rule gives h/clip - z/clip.",
            arrays=partial(_gradients, within="ratio"),
        ),
        Misconception(
            "clip_gradient_undivided",
            "Inside, h - z still has to be divided by the clip.",
            arrays=partial(_gradients, within="bare"),
        ),
    ),
    hints=(
        "Forward: how many levels fit under z, rounded to the nearest, kept between 0 and L? Backward: write down "
        "the three ranges of z first, then the two gradients in each.",
        "Inside the open interval from -clip/2L to clip - clip/2L the gradient of z is 1 and that of the clip is "
        "(h - z)/clip; above it they are 0 and 1, below it 0 and 0. The gradient of the clip is one number: the sum "
        "over all elements, each times `grad_output`.",
        "`inside = (z > -half) & (z < clip - half)` with `half = clip / (2 * levels)`, then "
        "`slope = torch.where(inside, (h - z) / clip, (z > 0).to(z))` and "
        "`return grad_output * inside, (grad_output * slope).sum(), None`.",
    ),
    withheld=("snnkit.conversion.qcfs.staircase", "snnkit.conversion.qcfs._Staircase"),
)

# ------------------------------------------------------------------------------------------------ conversion


def _probe_conversion(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Threshold and start, the neuron's average, or the mean error over z."""
    import torch

    if data["part"] == "parameters":
        threshold, start = answer["spiking_parameters"](data["clip"])
        return {"threshold": threshold, "start": start}
    if data["part"] == "average":
        z = torch.from_numpy(data["x"])
        return {"average": answer["converted_average"](z, data["clip"], data["steps"])}
    return {"mean error": answer["mean_error"](data["levels"], data["steps"], data["half"])}


def _average(
    data: Data, *, start: float = 0.5, height: bool = True, bounded: bool = True, strict: bool = False
) -> Array:
    z, clip, steps = data["x"].astype(np.float64), data["clip"], data["steps"]
    level = z * steps / clip + start
    count = np.ceil(level) - 1 if strict else np.floor(level)
    count = np.clip(count, 0, steps if bounded else np.inf)
    return np.asarray(count / steps * (clip if height else 1.0))


def _expected_conversion(data: Data) -> Arrays:
    if data["part"] == "parameters":
        return {"threshold": np.array(data["clip"]), "start": np.array(data["clip"] / 2)}
    if data["part"] == "average":
        return {"average": _average(data)}
    shift = 0.0 if data["half"] else 1 / (2 * data["levels"]) - 1 / (2 * data["steps"])
    return {"mean error": np.array(shift)}


def _conversion_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for clip in (1.0, 2.5, float(np.round(rng.uniform(0.2, 0.9), 2))):
        cases.append(Case("parameters", f"clip = {clip:g}", {"part": "parameters", "clip": clip}))

    def add(label: str, x: Array, clip: float, steps: int) -> None:
        data = {"part": "average", "x": x, "clip": clip, "steps": steps}
        cases.append(Case("average", f"clip = {clip:g}, T = {steps}, {label}", data))

    for clip, steps in ((1.0, 4), (2.5, 7), (0.7, 16), (3.0, 1)):
        level = rng.integers(-3, steps + 3, size=(3, 8)) + 0.5 + rng.uniform(0.1, 0.9, size=(3, 8))
        add("a batch [3, 8]", np.asarray(clip / steps * level, np.float32), clip, steps)
    add("z on the jumps", np.array([-0.25, 0, 0.25, 0.75, 1.25, 1.75, 2, 2.25], np.float32), 2.0, 4)
    add("no elements", np.zeros((0, 2), np.float32), 1.0, 4)
    for levels, steps, half in (
        (4, 4, True), (4, 7, True), (8, 3, True), (4, 8, False), (8, 3, False), (4, 4, False),
    ):  # fmt: skip
        label = f"L = {levels}, T = {steps}, {'with' if half else 'without'} the half"
        data = {"part": "mean", "levels": levels, "steps": steps, "half": half}
        cases.append(Case("mean", label, data))
    return cases


def _wrong_average(**ways: Any) -> Callable[[Data], Arrays]:
    return lambda data: {"average": _average(data, **ways)} if data["part"] == "average" else {}


def _wrong_mean(formula: Callable[[int, int], float], half: bool = False) -> Callable[[Data], Arrays]:
    """The mean error by a wrong formula, for the cases with or without the half."""

    def arrays(data: Data) -> Arrays:
        if data["part"] != "mean" or data["half"] is not half:
            return {}
        return {"mean error": np.array(formula(data["levels"], data["steps"]))}

    return arrays


CONVERSION = Check(
    id="ps5.conversion",
    title="From the activation to the neuron",
    names=("spiking_parameters", "converted_average", "mean_error"),
    groups=(
        Group("parameters", 1.0, "threshold and starting potential", names=("spiking_parameters",)),
        Group(
            "average",
            1.0,
            "the neuron's average output under a constant current",
            names=("converted_average",),
        ),
        Group(
            "mean", 1.0, "the mean error for any T and L, with and without the half", names=("mean_error",)
        ),
    ),
    cases=_conversion_cases,
    probe=_probe_conversion,
    expected=_expected_conversion,
    tolerance=Tolerance(
        1e-4,
        2e-3,
        "a mean over a grid of a thousand z is that exact; one spike moves an average by 0.04 or more",
    ),
    misconceptions=(
        Misconception(
            "strict_threshold",
            "This is what `>` gives. A neuron whose charge is exactly the threshold fires.",
            arrays=_wrong_average(strict=True),
        ),
        Misconception(
            "start_at_zero",
            "With v(0) = 0 the neuron floors. The 1/2 of the activation is a start at half the threshold.",
            arrays=lambda data: (
                {"threshold": np.array(data["clip"]), "start": np.array(0.0)}
                if data["part"] == "parameters"
                else _wrong_average(start=0.0)(data)
            ),
        ),
        Misconception(
            "half_for_half_threshold",
            "The start is half of the threshold, not the number 1/2.",
            arrays=lambda data: (
                {"threshold": np.array(data["clip"]), "start": np.array(0.5)}
                if data["part"] == "parameters"
                else {}
            ),
        ),
        Misconception(
            "start_at_threshold",
            "This starts at the threshold itself: each neuron then fires at once, whatever its input.",
            arrays=lambda data: (
                {"threshold": np.array(data["clip"]), "start": np.array(data["clip"])}
                if data["part"] == "parameters"
                else _wrong_average(start=1.0)(data)
            ),
        ),
        Misconception(
            "height_missing",
            "This is the firing rate N/T. The average output is that of spikes of height theta: theta N/T.",
            arrays=_wrong_average(height=False),
        ),
        Misconception(
            "more_than_one_a_step",
            "The neuron sends at most one spike a step: N is at most T, and the average at most theta.",
            arrays=_wrong_average(bounded=False),
        ),
        Misconception(
            "mean_turned",
            "The sign is turned: asked for is neuron minus activation. With T > L the neuron loses less by flooring "
            "than the activation, so the mean error is positive.",
            arrays=_wrong_mean(lambda levels, steps: 1 / (2 * steps) - 1 / (2 * levels)),
        ),
        Misconception(
            "whole_level",
            "Flooring loses half a level on average, not a whole one: 1/2L and 1/2T.",
            arrays=_wrong_mean(lambda levels, steps: 1 / levels - 1 / steps),
        ),
        Misconception(
            "neuron_alone",
            "This is the error against z. The activation is floored too: asked for is the difference of the two.",
            arrays=_wrong_mean(lambda levels, steps: -1 / (2 * steps)),
        ),
        Misconception(
            "half_cures_nothing",
            "With the half both staircases have the mean 1/2, whatever T and L: the mean error is 0.",
            arrays=_wrong_mean(lambda levels, steps: 1 / (2 * levels) - 1 / (2 * steps), half=True),
        ),
    ),
    hints=(
        "Set the two formulas above side by side: where the activation has clip, L and 1/2, the neuron has theta, T "
        "and v(0)/theta.",
        "The neuron's count under a constant current z is N = clip(floor((T z + v(0))/theta), 0, T), and its average "
        "output is theta N/T. For the mean, floor without the half loses half a level: 1/2L for the activation, 1/2T "
        "for the neuron, in units of the clip.",
        "`threshold, start = clip, clip / 2`; "
        "`torch.floor((steps * z + start) / threshold).clamp(0, steps) * threshold / steps`; and "
        "`0.0 if half else 1 / (2 * levels) - 1 / (2 * steps)`.",
    ),
    withheld=(
        "snnkit.conversion.neuron.clip_floor",
        "snnkit.conversion.qcfs.QCFS",
        "snnkit.conversion.qcfs.mean_conversion_error",
    ),
)

# ------------------------------------------------------------------------------------------- the exact split


def _probe_split(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    import torch

    parts = answer["split_error"](torch.from_numpy(data["currents"]), data["threshold"], data["v0"])
    place = ("unevenness", "quantisation", "clipping").index(data["part"])
    return {data["part"]: parts[place]}


def _split(
    data: Data,
    *,
    bounded: bool = True,
    start: bool = True,
    remainder: bool = False,
    height: bool = True,
    counts: bool = False,
    turned: bool = False,
    to_relu: bool = False,
    no_relu: bool = False,
) -> Arrays:
    """The three parts, with the ways in which they go wrong."""
    currents, threshold, v0 = data["currents"].astype(np.float64), data["threshold"], data["v0"]
    steps = len(currents)
    spikes, potentials = _fire(currents, threshold, v0)
    count, z = spikes.sum(0), currents.mean(0)
    q = np.floor(((v0 if start else 0.0) + currents.sum(0)) / threshold)
    q = np.clip(q, 0, steps) if bounded else q
    unit = (threshold if height else 1.0) / steps
    clipped, relu = np.clip(z, 0, threshold), np.maximum(z, 0)
    uneven = (v0 - potentials[-1]) / steps if remainder else unit * (count - q) * (steps if counts else 1)
    parts = {
        "unevenness": uneven * (-1 if turned else 1),
        "quantisation": unit * q - (relu if to_relu else clipped),
        "clipping": (clipped - (z if no_relu else relu)) * (-1 if turned else 1),
    }
    return {data["part"]: np.asarray(parts[data["part"]])}


def _split_cases(rng: np.random.Generator) -> list[Case]:
    given = [
        (f"T = 6, theta = {threshold:g}, v(0) = {v0:g}", _quarters(rng, -2, 3, 6, 40), threshold, v0)
        for threshold, v0 in ((1.0, 0.5), (2.0, 0.0), (0.5, 0.25))
    ]
    given += [
        ("T = 1", _quarters(rng, -1, 3, 1, 12), 1.0, 0.5),
        ("a batch [2, 5], float64", _quarters(rng, -2, 3, 5, 2, 5).astype(np.float64), 1.0, 0.0),
        ("constant currents", np.repeat(_quarters(rng, -1, 2, 1, 12), 7, axis=0), 1.0, 0.5),
        (
            "the three orders",
            np.array([[2, -2, 2, -2, 2], [2, 2, 2, -2, -2], [-2, -2, 2, 2, 2]], "f4").T,
            1.0,
            0.0,
        ),
        ("no neurons", np.zeros((4, 0), np.float32), 1.0, 0.5),
    ]
    return [
        Case(part, label, {"currents": currents, "threshold": threshold, "v0": v0, "part": part})
        for part in ("unevenness", "quantisation", "clipping")
        for label, currents, threshold, v0 in given
    ]


SPLIT = Check(
    id="ps5.split",
    title="The exact three-way split",
    names=("split_error",),
    groups=(
        Group("unevenness", 1.0, "what the order of the input does"),
        Group("quantisation", 1.0, "what whole spikes do"),
        Group("clipping", 1.0, "what at most T spikes do"),
    ),
    cases=_split_cases,
    probe=_probe_split,
    expected=_split,
    tolerance=Tolerance(1e-4, 1e-5, "the currents are multiples of 1/4, so only the division by T rounds"),
    misconceptions=(
        Misconception(
            "q_not_bounded",
            "q is not kept between 0 and T: a neuron cannot send fewer than no spikes, nor more than one a step.",
            arrays=partial(_split, bounded=False),
        ),
        Misconception(
            "start_forgotten",
            "The starting potential is missing in q: X = (v(0) + sum of the currents)/theta.",
            arrays=partial(_split, start=False),
        ),
        Misconception(
            "remainder_for_unevenness",
            "This is the remainder (v(0) - v(T))/T of the balance of charge. It holds quantisation and unevenness "
            "together; a neuron with 0 <= v(T) < theta has a remainder and no unevenness.",
            arrays=partial(_split, remainder=True),
        ),
        Misconception(
            "height_missing",
            "A spike has the height theta: the parts are multiples of theta/T, not of 1/T.",
            arrays=partial(_split, height=False),
        ),
        Misconception(
            "spikes_for_average",
            "This counts spikes. Asked for is the error of the average: theta/T for each extra or missing spike.",
            arrays=partial(_split, counts=True),
        ),
        Misconception(
            "turned",
            "The sign is turned. Extra spikes make the average too high (positive), clipping makes it too low.",
            arrays=partial(_split, turned=True),
        ),
        Misconception(
            "clipping_in_quantisation",
            "Quantisation is measured against clip(z, 0, theta); against ReLU(z) it holds the clipping as well.",
            arrays=partial(_split, to_relu=True),
        ),
        Misconception(
            "relu_forgotten",
            "Clipping is measured against ReLU(z): that negative z give 0 is no error.",
            arrays=partial(_split, no_relu=True),
        ),
    ),
    hints=(
        "You need three numbers for each neuron: N from `fire`, q from the total charge, and the mean current z. Each "
        "part is the difference of two neighbours in the chain theta N/T, theta q/T, clip(z, 0, theta), ReLU(z).",
        "X = (v(0) + sum of the currents)/theta, and q = clip(floor(X), 0, T).",
        "`count = fire(currents, threshold, v0)[0].sum(0)` and `q = torch.floor((v0 + currents.sum(0)) / "
        "threshold).clamp(0, steps)`; then `threshold / steps * (count - q)`, `threshold / steps * q - clipped` and "
        "`clipped - z.clamp(min=0)` with `clipped = z.clamp(0, threshold)`.",
    ),
    withheld=("snnkit.conversion.errors.split_errors", "snnkit.conversion.unevenness.expected_count"),
)

# ------------------------------------------------------------------------------------------------ the theorem

NAMES = ("even", "silent", "saturated", "extra", "missing")


def _probe_theorem(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Name (as its place in the list) and number of spikes for each pair of count and potential."""
    names = ("even", "silent", "saturated", "extra", "missing")
    cases, numbers = [], []
    for count, v_end in zip(data["count"].tolist(), data["v_end"].tolist(), strict=True):
        name, number = answer["verdict"](count, v_end, data["threshold"], data["steps"])
        if name not in names:
            raise ValueError(f"the case is called {name!r}; expected one of {', '.join(names)}")
        cases.append(names.index(name))
        numbers.append(float(number))
    return {"case": cases, "excess": numbers}


def _theorem(
    data: Data,
    *,
    closed: bool = False,
    converse: bool = False,
    capped: bool = True,
    floored: bool = False,
    unit: bool = False,
    turned: bool = False,
    single: bool = False,
) -> Arrays:
    """Case and excess of each pair, with the ways in which the theorem is misread."""
    cases, numbers = [], []
    steps, threshold = data["steps"], 1.0 if unit else data["threshold"]
    for count, v in zip(data["count"].tolist(), data["v_end"].tolist(), strict=True):
        above = v > threshold if closed else v >= threshold
        if v < 0 and (count > 0 or converse):
            number = math.floor(-v / threshold) if floored else math.ceil(-v / threshold)
            number = min(count, number) if capped else number
            cases.append("extra")
            numbers.append(1 if single else number)
        elif above and (count < steps or converse):
            number = math.floor(v / threshold)
            number = min(steps - count, number) if capped else number
            cases.append("missing")
            numbers.append((1 if single else number) * (1 if turned else -1))
        else:
            cases.append("silent" if v < 0 else "saturated" if above else "even")
            numbers.append(0)
    return {"case": np.array([NAMES.index(name) for name in cases]), "excess": np.array(numbers)}


def _theorem_cases(rng: np.random.Generator) -> list[Case]:
    cases = []

    def add(group: str, label: str, pairs: list[tuple[int, float]], threshold: float, steps: int) -> None:
        data = {
            "count": np.array([count for count, _ in pairs], dtype=np.int64),
            "v_end": np.array([v for _, v in pairs], dtype=np.float64),
            "threshold": threshold,
            "steps": steps,
        }
        cases.append(Case(group, f"{label}, theta = {threshold:g}, T = {steps}", data))

    for threshold, steps in ((1.0, 5), (2.0, 8), (0.5, 3)):
        currents = _quarters(rng, -4 * threshold, 5 * threshold, steps, 60)
        # so that no potential ends on a multiple of the threshold: that is another group
        currents[0] += 1 / 8
        spikes, potentials = _fire(currents, threshold, threshold / 2)
        count, v_end = spikes.sum(0).astype(int), potentials[-1]
        wrong = (v_end < 0) & (count > 0) | (v_end >= threshold) & (count < steps)
        for group, chosen in (("errors", wrong), ("harmless", ~wrong)):
            pairs = list(zip(count[chosen].tolist(), v_end[chosen].tolist(), strict=True))
            add(group, "neurons that ran", pairs, threshold, steps)
    for threshold in (1.0, 2.0):
        unit = threshold
        pairs = [(2, 0.0), (2, unit), (4, unit), (3, 2 * unit), (1, 3 * unit), (2, -unit), (0, -unit),
                 (1, -2.5 * unit), (4, 0.0), (0, 0.0), (0, unit), (3, -2 * unit), (4, 5 * unit)]  # fmt: skip
        add("edges", "potentials on a multiple of the threshold", pairs, threshold, 4)
    return cases


THEOREM = Check(
    id="ps5.theorem",
    title="The theorem as a function",
    names=("verdict",),
    groups=(
        Group("errors", 1.0, "neurons with extra or missing spikes"),
        Group("harmless", 1.0, "neurons without an error, inside the interval and outside"),
        Group("edges", 1.0, "final potentials exactly at 0, at the threshold and at its multiples"),
    ),
    cases=_theorem_cases,
    probe=_probe_theorem,
    expected=_theorem,
    tolerance=Tolerance(0.0, 1e-9, "names and whole numbers"),
    misconceptions=(
        Misconception(
            "closed_interval",
            "This takes the interval for closed, [0, theta]. A neuron that ends exactly at its threshold misses a "
            "spike, unless it fired at every step: the interval is [0, theta).",
            arrays=partial(_theorem, closed=True),
        ),
        Misconception(
            "converse",
            "Every potential outside the interval is called an error here. A neuron that never fired has nothing to "
            "take back, and one that fired at every step had no room for more.",
            arrays=partial(_theorem, converse=True),
        ),
        Misconception(
            "not_capped",
            "There cannot be more extra spikes than were sent, nor more missing ones than steps without a spike: "
            "take the smaller of the two.",
            arrays=partial(_theorem, capped=False),
        ),
        Misconception(
            "floor_for_ceil",
            "Extra spikes are rounded up: half a threshold below 0 is one spike too many.",
            arrays=partial(_theorem, floored=True),
        ),
        Misconception(
            "threshold_forgotten",
            "The potential is measured in units of 1 here. It has to be compared with, and divided by, the threshold.",
            arrays=partial(_theorem, unit=True),
        ),
        Misconception(
            "missing_positive",
            "N - q is negative where spikes are missing.",
            arrays=partial(_theorem, turned=True),
        ),
        Misconception(
            "always_one",
            "The error can be more than one spike: its number is read from how far the potential lies outside.",
            arrays=partial(_theorem, single=True),
        ),
        Misconception(
            "unknown_name",
            "The case is one of the five words, as a string.",
            error=r"the case is called",
        ),
    ),
    hints=(
        "Ask three questions in turn: is v(T) below 0, is it at or above the threshold, or in between? In the first "
        "two, one value of N makes the difference between an error and none.",
        "Below 0: silent for N = 0, otherwise min(N, ceil(-v(T)/theta)) extra spikes. At or above theta: saturated for "
        "N = T, otherwise min(T - N, floor(v(T)/theta)) missing spikes, counted as negative.",
        '`if v_end < 0: return ("extra", min(count, math.ceil(-v_end / threshold))) if count else ("silent", 0)`, and '
        "the mirror image for `v_end >= threshold`; everything else is even.",
    ),
    withheld=("snnkit.conversion.unevenness.classify", "snnkit.conversion.unevenness.classify_one"),
)

# ------------------------------------------------------------------------------------------- own case studies

WEIGHTS, STUDY_STEPS, STUDY_START = (2.0, -1.5), 8, 0.5
ORDERS = {"even": 0, "two extra": 2, "two missing": -2}


def _probe_studies(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Spike trains of the studies that a case is about."""
    absent = [name for name in data["studies"] if name not in answer["studies"]]
    if absent:
        raise ValueError(f"`studies` has no entry {absent[0]!r}")
    return {name: answer["studies"][name] for name in data["studies"]}


def _ran(trains: Array, v0: float = STUDY_START) -> tuple[int, float, int]:
    """Count, final potential and excess of the neuron of the studies."""
    currents = np.asarray(WEIGHTS) @ trains.astype(np.float64)
    spikes, potentials = _fire(currents, 1.0, v0)
    count = int(spikes.sum())
    return count, float(potentials[-1]), count - int(_even_count(currents, 1.0, v0))


def _is_trains(trains: Array) -> bool:
    return trains.shape == (2, STUDY_STEPS) and bool(np.isin(trains, (0, 1)).all())


def _form(arrays: Arrays) -> str | None:
    for name, trains in arrays.items():
        if trains.shape != (2, STUDY_STEPS):
            return f"{name!r} has shape {list(trains.shape)}; expected [2, {STUDY_STEPS}], one train for each input"
        if not _is_trains(trains):
            return f"{name!r} holds something else than zeros and ones"
    return None


def _judge_orders(arrays: Arrays, data: Data) -> str | None:
    problem = _form(arrays)
    if problem:
        return problem
    for name, wanted in ORDERS.items():
        count, v_end, excess = _ran(arrays[name])
        if excess != wanted:
            return (
                f"{name!r} sends {count} spikes and ends at v(T) = {v_end:g}, so N - q is {excess}; "
                f"expected {wanted}"
            )
    numbers = {name: tuple(int(n) for n in trains.sum(1)) for name, trains in arrays.items()}
    if len(set(numbers.values())) > 1:
        return f"the inputs fire {numbers} times; the three studies may differ in the order only"
    if min(numbers["even"]) == 0:
        return "one of the inputs never fires, so there is no order to change"
    return None


def _judge_threshold(arrays: Arrays, data: Data) -> str | None:
    problem = _form(arrays)
    if problem:
        return problem
    count, v_end, excess = _ran(arrays["at threshold"])
    if v_end != 1.0:
        return f"'at threshold' ends at v(T) = {v_end:g}; expected exactly 1"
    if excess >= 0:
        return f"'at threshold' sends {count} spikes and misses none"
    return None


def _judge_harmless(arrays: Arrays, data: Data) -> str | None:
    problem = _form(arrays)
    if problem:
        return problem
    count, v_end, excess = _ran(arrays["harmless"])
    if 0 <= v_end < 1:
        return f"'harmless' ends at v(T) = {v_end:g}, inside the interval"
    if excess != 0:
        return f"'harmless' sends {count} spikes and ends at {v_end:g}: N - q is {excess}; expected 0"
    if arrays["harmless"].sum(1).min() == 0:
        return "in 'harmless' one of the inputs never fires; let both fire"
    return None


def _wanted(name: str, trains: Array, v0: float) -> bool:
    """Whether a study does what its name says, for another start."""
    _, v_end, excess = _ran(trains, v0)
    if name == "at threshold":
        return v_end == 1.0 and excess < 0
    if name == "harmless":
        return excess == 0 and not 0 <= v_end < 1
    return excess == ORDERS[name]


def _all_wanted(arrays: Arrays, v0: float) -> bool:
    """Whether every study does what its name says, for a given start."""
    return all(_is_trains(trains) and _wanted(name, trains, v0) for name, trains in arrays.items())


STUDIES = Check(
    id="ps5.studies",
    title="Case studies of your own",
    names=("studies",),
    groups=(
        Group(
            "orders",
            1.5,
            "the same inputs in three orders: exact, two spikes too many, two too few",
            judge=_judge_orders,
        ),
        Group("threshold", 0.75, "a spike missing at v(T) = theta exactly", judge=_judge_threshold),
        Group("harmless", 0.75, "v(T) outside the interval, and no error", judge=_judge_harmless),
    ),
    cases=lambda rng: [
        Case("orders", "your studies", {"studies": list(ORDERS)}),
        Case("threshold", "your study", {"studies": ["at threshold"]}),
        Case("harmless", "your study", {"studies": ["harmless"]}),
    ],
    probe=_probe_studies,
    expected=lambda data: {},
    tolerance=Tolerance(
        0.0, 0.0, "weights, threshold and start are multiples of 1/2: the simulation is exact"
    ),
    misconceptions=(
        Misconception(
            "started_at_zero",
            "With v(0) = 0 these trains would do what is asked. The neuron of this question starts at theta/2.",
            when=lambda arrays, data: _all_wanted(arrays, 0.0) and not _all_wanted(arrays, STUDY_START),
        ),
        Misconception(
            "turned",
            "Extra and missing are exchanged. Excitation before inhibition gives extra spikes, inhibition first gives "
            "missing ones.",
            when=lambda arrays, data: (
                "two extra" in arrays
                and _is_trains(arrays["two extra"])
                and _is_trains(arrays["two missing"])
                and _ran(arrays["two extra"])[2] < 0 < _ran(arrays["two missing"])[2]
            ),
        ),
        Misconception(
            "other_rates",
            "The three studies have other numbers of input spikes. Then a part of the difference is not the order: "
            "move spikes in time, and neither add nor remove any.",
            when=lambda arrays, data: (
                "two extra" in arrays
                and _all_wanted(arrays, STUDY_START)
                and len({tuple(trains.sum(1)) for trains in arrays.values()}) > 1
            ),
        ),
        Misconception(
            "above_for_at",
            "v(T) lies above the threshold here. The question asks for the edge of the interval, which the half-open "
            "bracket of [0, theta) is about.",
            when=lambda arrays, data: (
                "at threshold" in arrays
                and _is_trains(arrays["at threshold"])
                and _ran(arrays["at threshold"])[1] > 1
            ),
        ),
        Misconception(
            "signed_input",
            "An input spike is 0 or 1; that it inhibits is the sign of its weight.",
            when=lambda arrays, data: any(bool((trains < 0).any()) for trains in arrays.values()),
        ),
    ),
    hints=(
        "Start from the three orders of the chapter: in turn, excitation first, inhibition first. What makes the "
        "count run ahead of the charge, and what makes it fall behind?",
        "Four spikes of the first input and three of the second leave room for all three orders. For a spike missing "
        "at the threshold, add up the charge: 1/2 + 2a - 1.5b - N must be 1. For a harmless one, think of N = 0.",
        "Search: draw random orders with `torch.randperm(8)`, run `fire` and `verdict`, and keep what you are looking "
        "for. All 2^16 pairs of trains can be tried in a few seconds, too.",
    ),
)

# -------------------------------------------------------------------------------------------------- remedies


def _probe_remedies(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Spikes of one of the two remedies, or the latencies of all four."""
    import torch

    if data["part"] == "latency":
        names = ("none", "signed", "first pass", "waiting")
        return {name: answer["latency"](name, data["steps"], data["layers"]) for name in names}
    remedy = answer["signed_spikes" if data["part"] == "signed" else "wait_then_fire"]
    return {
        f"{data['part']} spikes": remedy(torch.from_numpy(data["currents"]), data["threshold"], data["v0"])
    }


def _signed(data: Data, *, counted: bool = True, low: float = 0.0, touching: bool = False) -> Array:
    currents, threshold = data["currents"].astype(np.float64), data["threshold"]
    v = np.full(currents.shape[1:], float(data["v0"]))
    count, sent = np.zeros_like(v), []
    for current in currents:
        charge = v + current
        below = charge <= low * threshold if touching else charge < low * threshold
        spike = (charge >= threshold).astype(float) - (below & ((count > 0) | (not counted)))
        v = charge - threshold * spike
        count += spike
        sent.append(spike)
    return np.array(sent)


def _waiting(data: Data, *, start: bool = True, mode: str = "steps") -> Array:
    """Spikes after waiting; ``mode`` says how the collected charge is spent."""
    currents, threshold, v0 = data["currents"].astype(np.float64), data["threshold"], data["v0"]
    steps = len(currents)
    collected = currents.sum(0) + (v0 if start else 0.0)
    if mode == "plain":
        return _fire(currents, threshold, v0)[0]
    if mode == "at once":
        first = np.clip(np.floor(collected / threshold), 0, steps)
        return np.concatenate([first[None], np.zeros_like(currents[1:])])
    again = currents if mode == "twice" else np.zeros_like(currents)
    return _fire(again, threshold, collected)[0]


LATENCY: dict[str, Callable[[int, int], int]] = {
    "none": lambda steps, layers: steps,
    "signed": lambda steps, layers: steps,
    "first pass": lambda steps, layers: 2 * steps,
    "waiting": lambda steps, layers: layers * steps,
}


def _latencies(data: Data, **changed: Callable[[int, int], int]) -> Arrays:
    rules = {**LATENCY, **{name.replace("_", " "): rule for name, rule in changed.items()}}
    return {name: np.array(rule(data["steps"], data["layers"])) for name, rule in rules.items()}


def _remedy(
    signed: dict[str, Any] | None = None,
    waiting: dict[str, Any] | None = None,
    latency: dict[str, Callable[[int, int], int]] | None = None,
) -> Callable[[Data], Arrays]:
    """What comes back for each part; a part that is not given is not spoken of."""

    def arrays(data: Data) -> Arrays:
        if data["part"] == "signed" and signed is not None:
            return {"signed spikes": _signed(data, **signed)}
        if data["part"] == "waiting" and waiting is not None:
            return {"waiting spikes": _waiting(data, **waiting)}
        if data["part"] == "latency" and latency is not None:
            return _latencies(data, **latency)
        return {}

    return arrays


def _remedy_cases(rng: np.random.Generator) -> list[Case]:
    given = [
        (f"T = 6, theta = {threshold:g}, v(0) = {v0:g}", _quarters(rng, -2, 2.5, 6, 40), threshold, v0)
        for threshold, v0 in ((1.0, 0.5), (2.0, 1.0), (0.5, 0.0))
    ]
    given += [
        ("T = 1", _quarters(rng, -1, 2, 1, 10), 1.0, 0.5),
        ("a batch [3, 4], float64", _quarters(rng, -2, 2.5, 5, 3, 4).astype(np.float64), 1.0, 0.5),
        ("a potential of exactly 0", np.array([[1.5, -1, 1], [1, -1, 0]], "f4").T, 1.0, 0.0),
        ("no neurons", np.zeros((3, 0), np.float32), 1.0, 0.5),
    ]
    cases = [
        Case(part, label, {"part": part, "currents": currents, "threshold": threshold, "v0": v0})
        for part in ("signed", "waiting")
        for label, currents, threshold, v0 in given
    ]
    for steps, layers in ((8, 5), (4, 1), (16, int(rng.integers(6, 20)))):
        data = {"part": "latency", "steps": steps, "layers": layers}
        cases.append(Case("latency", f"T = {steps}, {layers} layers", data))
    return cases


REMEDIES = Check(
    id="ps5.remedies",
    title="Two remedies, and what remedies cost",
    names=("signed_spikes", "wait_then_fire", "latency"),
    groups=(
        Group("signed", 1.0, "signed spikes", names=("signed_spikes",)),
        Group("waiting", 1.0, "wait, then fire", names=("wait_then_fire",)),
        Group("latency", 1.0, "time steps until the answer is known", names=("latency",)),
    ),
    cases=_remedy_cases,
    probe=_probe_remedies,
    expected=_remedy({}, {}, {}),
    tolerance=Tolerance(0.0, 1e-6, "spikes and steps are whole numbers, and the currents multiples of 1/4"),
    misconceptions=(
        Misconception(
            "nothing_to_take_back",
            "A neuron with a count of 0 has nothing to take back: it must not send a negative spike, however low its "
            "potential.",
            arrays=_remedy(signed={"counted": False}),
        ),
        Misconception(
            "whole_threshold_below",
            "This waits until the potential is a whole threshold below 0. Any potential below 0 says that one spike "
            "was too many.",
            arrays=_remedy(signed={"low": -1.0}),
        ),
        Misconception(
            "taken_back_at_zero",
            "A potential of exactly 0 is inside [0, theta): nothing has to be taken back.",
            arrays=_remedy(signed={"touching": True}),
        ),
        Misconception(
            "did_not_wait",
            "These are the spikes of the plain neuron. Collect the whole input first, and fire afterwards.",
            arrays=_remedy(waiting={"mode": "plain"}),
        ),
        Misconception(
            "start_forgotten",
            "The starting potential v(0) belongs to the collected charge.",
            arrays=_remedy(waiting={"start": False}),
        ),
        Misconception(
            "all_at_once",
            "Several spikes are sent in one step. The neuron still sends at most one a step, over T steps.",
            arrays=_remedy(waiting={"mode": "at once"}),
        ),
        Misconception(
            "input_twice",
            "The input is added a second time while the neuron fires. In the second phase its current is 0.",
            arrays=_remedy(waiting={"mode": "twice"}),
        ),
        Misconception(
            "waiting_for_nothing",
            "Waiting is counted as free. A layer can fire only when the one before it has finished, so each layer "
            "adds T steps.",
            arrays=_remedy(latency={"waiting": lambda steps, layers: steps}),
        ),
        Misconception(
            "first_layer_waits",
            "The first layer has a constant current and knows its sum at once: it does not wait.",
            arrays=_remedy(latency={"waiting": lambda steps, layers: (layers + 1) * steps}),
        ),
        Misconception(
            "first_pass_free",
            "The first pass is not counted. It needs this very input, so its T steps belong to the latency of every "
            "answer.",
            arrays=_remedy(latency={"first_pass": lambda steps, layers: steps}),
        ),
    ),
    hints=(
        "Signed spikes are `fire` with one more case; keep a count beside the potential. For waiting: what does a "
        "neuron do that has its whole charge at the beginning and receives nothing more?",
        "Send -1 where the charge is below 0 **and** the count is positive; the potential then rises by theta. Waiting "
        "is `fire` with zero currents and a start at v(0) + sum of the currents. Waiting layers fire one after the "
        "other, T steps each, and the first need not wait.",
        "`spike = (charge >= threshold).to(charge) - ((charge < 0) & (count > 0)).to(charge)`; "
        "`fire(torch.zeros_like(currents), threshold, v0 + currents.sum(0))[0]`; and "
        '`{"none": steps, "signed": steps, "first pass": 2 * steps, "waiting": layers * steps}[remedy]`.',
    ),
    withheld=(
        "snnkit.conversion.remedies.SignedSpikes",
        "snnkit.conversion.remedies.wait_then_fire",
    ),
)

# -------------------------------------------------------------------------------------------------- training

BAR = 0.75
"""The reference names 90 to 92 % with four time steps (5 seeds); without clearing gradients 23 to 27 %."""

LEVELS, LEARN, EPOCHS, HIDDEN, FIRST_CLIP = 4, 1000, 10, (48, 48, 48), 4.0


@cache
def _digits() -> dict[str, Any]:
    from snnkit import datasets

    train, test = datasets.digits("train", LEARN), datasets.digits("test")
    return {
        "images": train.images.reshape(LEARN, -1),
        "labels": train.labels,
        "test_images": test.images.reshape(len(test.labels), -1),
        "test_labels": test.labels,
    }


def _probe_training(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """A small QCFS network trained on a fixed budget: its losses, weights and clips.

    The network and its activation are made here, so that the question stands on its own.
    """
    import torch

    class Stairs(torch.autograd.Function):
        @staticmethod
        def forward(z: Any, clip: Any, levels: Any) -> Any:
            return torch.floor(z * levels / clip + 0.5).clamp(0, levels) * clip / levels

        @staticmethod
        def setup_context(ctx: Any, inputs: Any, output: Any) -> None:
            z, clip, ctx.levels = inputs
            ctx.save_for_backward(z, clip, output)

        @staticmethod
        def backward(ctx: Any, grad_output: Any) -> Any:
            z, clip, h = ctx.saved_tensors
            half = clip / (2 * ctx.levels)
            inside = (z > -half) & (z < clip - half)
            slope = torch.where(inside, (h - z) / clip, (z > 0).to(z))
            return grad_output * inside, (grad_output * slope).sum(), None

    class Activation(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.clip = torch.nn.Parameter(torch.tensor(float(data["first_clip"])))

        def forward(self, z: Any) -> Any:
            return Stairs.apply(z, self.clip, data["levels"])  # type: ignore[no-untyped-call]

    images, labels = torch.from_numpy(data["images"]), torch.from_numpy(data["labels"])

    def fresh() -> Any:
        torch.manual_seed(data["seed"])
        parts: list[Any] = []
        width = images.shape[1]
        for hidden in data["hidden"]:
            parts += [torch.nn.Linear(width, int(hidden)), Activation()]
            width = int(hidden)
        return torch.nn.Sequential(*parts, torch.nn.Linear(width, 10))

    def trained(global_seed: int, epochs: int) -> Any:
        network = fresh()
        torch.manual_seed(global_seed)
        return network, answer["train"](network, images, labels, epochs=epochs, seed=data["seed"])

    def left_over(epochs: int) -> float:
        """Size of the gradients that a training with learning rate 0 leaves behind."""
        network = fresh()
        answer["train"](network, images[:64], labels[:64], epochs=epochs, learning_rate=0.0, seed=0)
        return sum(float(p.grad.abs().sum()) for p in network.parameters() if p.grad is not None)

    if data["part"] == "still":
        network = fresh()
        with torch.no_grad():
            scores = network(images)
        losses = answer["train"](network, images, labels, epochs=2, learning_rate=0.0, seed=data["seed"])
        return {"losses": losses, "scores": scores}
    network, losses = trained(1, data["epochs"])
    if data["part"] == "repeat":
        return {"losses": losses, "again": trained(2, data["epochs"])[1]}
    linear = [part for part in network if isinstance(part, torch.nn.Linear)]
    found = {
        "losses": losses,
        "clips": [float(part.clip.detach()) for part in network if isinstance(part, Activation)],
    }
    for place, layer in enumerate(linear):
        found[f"weight {place}"], found[f"bias {place}"] = layer.weight, layer.bias
    before = [part for part in fresh() if isinstance(part, torch.nn.Linear)]
    found["moved"] = max(
        float((new.weight - old.weight).detach().abs().max()) for new, old in zip(linear, before, strict=True)
    )
    kept = left_over(1)
    found["gradient growth"] = left_over(3) / kept if kept > 0 else 0.0
    return found


def _spiking_logits(
    weights: list[Array], biases: list[Array], clips: list[float], images: Array, steps: int
) -> tuple[Array, list[Array]]:
    """Mean logits of the converted network, and N - q of every hidden neuron, by a plain run over time."""
    signal = np.repeat(images.astype(np.float64)[None], steps, axis=0)
    uneven = []
    for weight, bias, clip in zip(weights[:-1], biases[:-1], clips, strict=True):
        currents = signal @ weight.T.astype(np.float64) + bias
        spikes, potentials = _fire(currents, clip, clip / 2)
        uneven.append(_excess(spikes.sum(0), potentials[-1], clip, steps))
        signal = spikes * clip
    return (signal @ weights[-1].T.astype(np.float64) + biases[-1]).mean(0), uneven


def _accuracy(arrays: Arrays, data: Data, steps: int = LEVELS) -> float:
    layers = len(data["hidden"]) + 1
    weights = [arrays[f"weight {place}"] for place in range(layers)]
    biases = [arrays[f"bias {place}"] for place in range(layers)]
    clips = [float(clip) for clip in arrays["clips"]]
    if min(clips) <= 0:
        return 0.0
    logits, _ = _spiking_logits(weights, biases, clips, data["test_images"], steps)
    return float((logits.argmax(1) == data["test_labels"]).mean())


def _judge_learning(arrays: Arrays, data: Data) -> str | None:
    accuracy = _accuracy(arrays, data)
    if accuracy < BAR:
        return (
            f"after {data['epochs']} epochs on {len(data['labels'])} digits the converted network names "
            f"{accuracy:.0%} of {len(data['test_labels'])} test digits with T = {LEVELS}; the bar is {BAR:.0%} "
            "(chance is 10%)"
        )
    return None


def _judge_clips(arrays: Arrays, data: Data) -> str | None:
    moved = np.abs(arrays["clips"] - data["first_clip"])
    if not (moved > 1e-6).all():
        return f"the clips are {np.round(arrays['clips'], 4).tolist()} after training and began at {data['first_clip']:g}"
    return None


def _judge_losses(arrays: Arrays, data: Data) -> str | None:
    losses = arrays["losses"]
    if losses.shape != (data["epochs"],):
        return (
            f"`train` returned losses of shape {list(losses.shape)}; expected one number for each of "
            f"{data['epochs']} epochs"
        )
    if data["part"] == "still":
        scores = arrays["scores"].astype(np.float64)
        picked = scores[np.arange(len(scores)), data["labels"]]
        wanted = float((np.log(np.exp(scores).sum(1)) - picked).mean())
        if not np.allclose(losses, wanted, rtol=1e-3):
            return (
                f"with the learning rate 0 and {len(scores)} digits in batches of 64 the loss of an epoch is "
                f"{losses[0]:.5g}; expected {wanted:.5g}, the mean over the digits"
            )
        return None
    again = arrays["again"]
    if not np.isfinite(losses).all() or not losses[-1] < 0.9 * losses[0]:
        return f"the loss goes from {losses[0]:.4g} to {losses[-1]:.4g}; it should fall by more than a tenth"
    if losses.shape != again.shape or not np.allclose(losses, again, rtol=1e-4, atol=1e-7):
        return "two trainings of the same initial network with the same seed gave different losses"
    return None


def _training_cases(rng: np.random.Generator) -> list[Case]:
    data = {
        **_digits(),
        "levels": LEVELS,
        "hidden": np.array(HIDDEN),
        "first_clip": FIRST_CLIP,
    }
    small = {**data, "images": data["images"][:320], "labels": data["labels"][:320]}
    few = {**data, "images": data["images"][:100], "labels": data["labels"][:100]}
    seed = int(rng.integers(1, 1000))
    return [
        Case("learns", f"seed {seed}", {**data, "part": "learns", "seed": seed, "epochs": EPOCHS}),
        Case("clips", "seed 3", {**small, "part": "clips", "seed": 3, "epochs": 3}),
        Case("losses", "seed 4", {**data, "part": "repeat", "seed": 4, "epochs": 5}),
        Case("losses", "no learning", {**few, "part": "still", "seed": 5, "epochs": 2}),
    ]


TRAINING = Check(
    id="ps5.training",
    title="Training with the staircase",
    names=("train",),
    groups=(
        Group(
            "learns",
            1.5,
            f"converted, names at least {BAR:.0%} of the test digits with {LEVELS} time steps",
            judge=_judge_learning,
        ),
        Group("clips", 0.5, "the clips are trained too", judge=_judge_clips),
        Group(
            "losses",
            1.0,
            "returns the mean loss of each epoch, falling, the same for a seed",
            judge=_judge_losses,
        ),
    ),
    cases=_training_cases,
    probe=_probe_training,
    expected=lambda data: {},
    tolerance=Tolerance(1e-4, 1e-7, "two runs of one program differ at most by the order of sums"),
    misconceptions=(
        Misconception(
            "weights_not_moved",
            "The weights are the same before and after. Is `optimiser.step()` called, after `loss.backward()`?",
            when=lambda arrays, data: "moved" in arrays and float(arrays["moved"]) == 0,
        ),
        Misconception(
            "gradients_not_cleared",
            "The gradients of earlier batches are still in the sum: `optimiser.zero_grad()` belongs before "
            "`loss.backward()`.",
            when=lambda arrays, data: (
                "gradient growth" in arrays
                and data["part"] == "learns"
                and float(arrays["gradient growth"]) > 2
            ),
        ),
        Misconception(
            "clips_left_out",
            "The weights move and the clips do not. `network.parameters()` holds both.",
            when=lambda arrays, data: (
                data["part"] == "clips"
                and float(arrays["moved"]) > 0
                and bool((np.abs(arrays["clips"] - data["first_clip"]) < 1e-6).all())
            ),
        ),
        Misconception(
            "loss_per_batch",
            "There is one number for each batch. Average the batches of an epoch, weighted by their size.",
            when=lambda arrays, data: (
                data["part"] in ("repeat", "still")
                and arrays["losses"].ndim == 1
                and arrays["losses"].size == data["epochs"] * math.ceil(len(data["labels"]) / 64)
            ),
        ),
        Misconception(
            "global_generator",
            "The order of the batches comes from torch's global generator. Draw it from "
            "`torch.Generator().manual_seed(seed)`.",
            when=lambda arrays, data: (
                data["part"] == "repeat"
                and arrays["losses"].shape == arrays["again"].shape == (data["epochs"],)
                and not np.allclose(arrays["losses"], arrays["again"], rtol=1e-4)
            ),
        ),
    ),
    hints=(
        "For each batch: logits, loss, gradients to zero, backward, step. The activations are modules, so their clips "
        "are among the network's parameters.",
        "Cross-entropy takes logits and labels as they are: `F.cross_entropy(network(images[chosen]), "
        "labels[chosen])`. The order of each epoch comes from a generator of your own, seeded once.",
        "`for chosen in torch.randperm(len(labels), generator=generator).split(batch):` with the loss above, "
        "`optimiser.zero_grad()`, `loss.backward()`, `optimiser.step()`; add `loss.item() * len(chosen)` and divide by "
        "`len(labels)` at the end of the epoch.",
    ),
    withheld=("snnkit.training.fit",),
)

# -------------------------------------------------------------------------------------------- layer by layer


def _probe_layers(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """Logits and N - q of a network with given weights, or the shares of given N - q."""
    import torch

    if data["part"] == "shares":
        rows = answer["uneven_shares"]([torch.from_numpy(excess) for excess in data["excess"]])
        return {"uneven": [row[0] for row in rows], "extra": [row[1] for row in rows]}
    weights, biases = ([torch.from_numpy(one) for one in data[name]] for name in ("weights", "biases"))
    logits, excess = answer["run_spiking"](
        weights, biases, data["clips"], torch.from_numpy(data["images"]), data["steps"]
    )
    if data["part"] == "logits":
        return {"logits": logits}
    if len(excess) != len(data["clips"]):
        raise ValueError(
            f"there are {len(excess)} tensors of N - q; expected one for each of {len(data['clips'])} hidden layers"
        )
    return {f"layer {place}": one for place, one in enumerate(excess, start=1)}


def _layers(
    data: Data,
    *,
    height: bool = True,
    start: float = 0.5,
    total: bool = False,
    averages: bool = False,
    bias_once: bool = False,
    turned: bool = False,
    bounded: bool = True,
    strict: bool = False,
) -> Arrays:
    """What the probe gives for a network, with the ways in which a run goes wrong."""
    if data["part"] == "shares":
        return {}
    steps = data["steps"]
    signal = np.repeat(data["images"].astype(np.float64)[None], steps, axis=0)
    times = np.ones((steps, 1, 1))
    if bias_once:
        times[1:] = 0
    found: Arrays = {}
    for place, clip in enumerate(data["clips"]):
        weight, bias = data["weights"][place].astype(np.float64), data["biases"][place].astype(np.float64)
        currents = signal @ weight.T + times * bias
        level = clip * (1 + 1e-9) if strict else clip
        spikes, _ = _fire(currents, level, start * clip)
        if averages:
            spikes = np.repeat(spikes.mean(0, keepdims=True), steps, axis=0)
        charge = np.floor((start * clip + currents.sum(0)) / clip)
        q = np.clip(charge, 0, steps) if bounded else charge
        found[f"layer {place + 1}"] = (spikes.sum(0) - q) * (-1 if turned else 1)
        signal = spikes * (clip if height else 1.0)
    logits = signal @ data["weights"][-1].T.astype(np.float64) + times * data["biases"][-1]
    if data["part"] == "logits":
        return {"logits": logits.sum(0) if total else logits.mean(0)}
    return found


def _shares(data: Data, *, among: bool = True, mean: bool = False, extra_only: bool = False) -> Arrays:
    if data["part"] != "shares":
        return {}
    uneven, extra = [], []
    for excess in data["excess"]:
        wrong, more = int((excess != 0).sum()), int((excess > 0).sum())
        uneven.append(float(np.abs(excess).mean()) if mean else (more if extra_only else wrong) / excess.size)
        extra.append(more / (max(wrong, 1) if among else excess.size))
    return {"uneven": np.array(uneven), "extra": np.array(extra)}


def _layer_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for steps, samples, sizes, clips in (
        (4, 6, (8, 12, 12, 12, 5), (1.0, 2.0, 0.5)),
        (8, 5, (8, 10, 10, 4), (2.0, 1.0)),
        (1, 3, (6, 8, 8, 3), (0.5, 2.0)),
        (5, 4, (6, 8, 3), (4.0,)),
        (3, 0, (6, 8, 3), (1.0,)),
    ):
        pairs = list(pairwise(sizes))
        data: Data = {
            "steps": steps,
            "clips": list(clips),
            "images": rng.integers(0, 5, (samples, sizes[0])).astype(np.float32) / 4,
            "weights": [rng.integers(-6, 8, (out, width)).astype(np.float32) / 8 for width, out in pairs],
            "biases": [rng.integers(-2, 3, out).astype(np.float32) / 4 for _, out in pairs],
        }
        label = f"T = {steps}, N = {samples}, {len(clips)} hidden layers"
        cases += [Case(part, label, {**data, "part": part}) for part in ("logits", "excess")]
    for label, excess in (
        ("three layers", [rng.integers(-2, 4, (7, 9)), rng.integers(-1, 3, (7, 4)), np.zeros((7, 5), int)]),
        ("one layer", [rng.integers(-3, 2, (4, 6))]),
        (
            "one uneven neuron in each layer",
            [np.eye(3, dtype=int) * np.array([2, 0, 0]), -np.eye(1, 5, dtype=int)],
        ),
    ):
        cases.append(
            Case("shares", label, {"part": "shares", "excess": [one.astype(np.int64) for one in excess]})
        )
    return cases


BY_LAYER = Check(
    id="ps5.by_layer",
    title="Unevenness, layer by layer",
    names=("run_spiking", "uneven_shares"),
    groups=(
        Group("logits", 1.0, "the spiking network's logits", names=("run_spiking",)),
        Group("excess", 1.0, "extra and missing spikes of each neuron", names=("run_spiking",)),
        Group(
            "shares", 1.0, "share of uneven neurons, and of extra spikes among them", names=("uneven_shares",)
        ),
    ),
    cases=_layer_cases,
    probe=_probe_layers,
    expected=lambda data: _shares(data) or _layers(data),
    tolerance=Tolerance(1e-4, 1e-5, "all numbers are multiples of powers of two; only the means round"),
    misconceptions=(
        Misconception(
            "averages_passed_on",
            "Each layer is handed the averages of the one before, spread evenly over time: that is the network without "
            "unevenness. Hand on the spikes of each step.",
            arrays=partial(_layers, averages=True),
        ),
        Misconception(
            "height_missing",
            "The spikes have lost their height: layer l transmits spikes of height theta.",
            arrays=partial(_layers, height=False),
        ),
        Misconception(
            "start_at_zero",
            "The neurons start at 0. A converted QCFS layer starts at half of its threshold.",
            arrays=partial(_layers, start=0.0),
        ),
        Misconception(
            "bias_once",
            "The bias is a current of every step, not of the first alone.",
            arrays=partial(_layers, bias_once=True),
        ),
        Misconception(
            "logits_summed",
            "These logits are sums over the steps. Take their mean, so that runs of different length compare.",
            arrays=partial(_layers, total=True),
        ),
        Misconception(
            "excess_turned",
            "The sign is turned: N - q is positive for extra spikes.",
            arrays=partial(_layers, turned=True),
        ),
        Misconception(
            "q_not_bounded",
            "q is not kept between 0 and T.",
            arrays=partial(_layers, bounded=False),
        ),
        Misconception(
            "extra_of_all",
            "The second share is the part of all neurons that have extra spikes. Asked for is their part among the "
            "uneven ones (0 where none is uneven).",
            arrays=partial(_shares, among=False),
        ),
        Misconception(
            "size_for_share",
            "The first share is the mean size of the error. Count neurons: those with an excess other than 0.",
            arrays=partial(_shares, mean=True),
        ),
        Misconception(
            "missing_overlooked",
            "The first share counts neurons with extra spikes only. Missing spikes are unevenness too.",
            arrays=partial(_shares, extra_only=True),
        ),
    ),
    hints=(
        "The signal has a time axis from the start: the image, repeated T times. Each layer turns currents "
        "[T, N, in] into spikes [T, N, out] with `fire`, and what it hands on has the height of its threshold.",
        "`currents = signal @ weight.T + bias` works on all steps at once. N - q comes from the count and q = "
        "clip(floor((v(0) + sum of the currents)/theta), 0, T). The last layer has no neurons: average its currents "
        "over the steps.",
        "`signal = images.expand(steps, *images.shape)`; for each hidden layer `spikes, _ = fire(currents, clip, clip "
        "/ 2)` and `signal = clip * spikes`; at the end `(signal @ weights[-1].T + biases[-1]).mean(0)`. Shares: "
        "`wrong = (excess != 0).sum()`, then `wrong / excess.numel()` and `(excess > 0).sum() / max(wrong, 1)`.",
    ),
    withheld=("snnkit.conversion.monitor.record", "snnkit.conversion.errors.measure_errors"),
)

CHECKS = (BALANCE, QCFS, CONVERSION, SPLIT, THEOREM, STUDIES, REMEDIES, TRAINING, BY_LAYER)
