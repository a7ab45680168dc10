"""The balance of charge, step by step."""

from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

PARTS = ("step", "total", "average")


def residuals(
    weight,
    bias,
    inputs,
    spikes,
    potentials,
    threshold,
    v0,
    *,
    height=True,
    bias_once=False,
    from_zero=False,
    turned=False,
    mean=False,
    transposed=False,
):
    """Left side minus right side of the three equations, with the ways in which they go wrong."""
    steps = len(inputs)
    output = spikes.astype(float) * (threshold if height else 1.0)
    charge = inputs @ (weight if transposed else weight.T)
    start = 0.0 if from_zero else v0
    before = np.concatenate([np.full_like(potentials[:1], start), potentials[:-1]])
    change = potentials[-1] - start
    received = charge.sum(0) + (1 if bias_once else steps) * bias
    total = change - (received - output.sum(0))
    remainder = change / steps * (-1 if turned else 1)
    return (
        potentials - before - (charge + bias - output),
        total / steps if mean else total,
        output.mean(0) - (charge.mean(0) + bias - remainder),
    )


def layer(rng, kind, steps, samples, width, dtype):
    """Random inputs of a layer and what neurons of some kind do with them: the arguments of a call."""
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
    arrays = (weight, bias, inputs, np.array(spikes), np.array(potentials))
    return *(array.astype(dtype) for array in arrays), threshold, v0


def cases(rng):
    for kind, steps, samples, dtype in (
        ("soft reset", 8, 5, "float32"),
        ("hard reset", 8, 5, "float32"),
        ("leaky neurons", 6, 4, "float64"),
        ("soft reset", 1, 3, "float64"),
        ("hard reset", 4, 0, "float32"),
    ):
        asked = call("balance", *layer(rng, kind, steps, samples, 6, dtype))
        for place, part in enumerate(PARTS):
            label = f"{kind}, T = {steps}, N = {samples}, {dtype}"
            yield Case(part, label, asked.only(place, part))


def one_step_short(got, asked):
    return got["step"].shape == (len(asked["inputs"]) - 1, *asked["spikes"].shape[1:])


QUESTION = Question(
    "ps5.balance",
    "The balance of charge, step by step",
    (
        Group("step", 1.0, "one time step"),
        Group("total", 1.0, "the sum over all steps"),
        Group("average", 1.0, "the averages of adjacent layers"),
    ),
    cases,
    {"balance": residuals},
    within=Tolerance(0.0001, 0.0002, "sums of up to 8 steps of 6 products each, in single precision"),
    slips=(
        Slip(
            "height_missing",
            "The layer transmits spikes of height theta: `spikes * threshold`, not the spikes themselves.",
            partial(residuals, height=False),
        ),
        Slip(
            "bias_once",
            "The bias is added at every step, so the sum over T steps holds it T times.",
            partial(residuals, bias_once=True),
        ),
        Slip(
            "start_forgotten",
            "This is what a start at 0 gives. The potential before the first step is `v0`.",
            partial(residuals, from_zero=True),
        ),
        Slip(
            "remainder_turned",
            "The remainder has the wrong sign: what is still in the neuron at the end, (v(T) - v(0))/T, has "
            "not been sent, so it is subtracted on the right side.",
            partial(residuals, turned=True),
        ),
        Slip(
            "mean_for_sum",
            "This is the equation divided by T, which is the third of the three. The second has sums.",
            partial(residuals, mean=True),
        ),
        Slip(
            "transposed",
            "The weights are used the wrong way round: `weight` is [out, in], so the current is `inputs @ "
            "weight.T`.",
            partial(residuals, transposed=True),
        ),
        Slip(
            "first_step_lost",
            "There are T - 1 differences. The first step goes from `v0` to `potentials[0]`.",
            seen=one_step_short,
        ),
    ),
    hints=(
        "Write each equation as left side minus right side. For the first you need the potential before "
        "each step: `potentials` without its last entry, with `v0` in front.",
        "The layer transmits `outputs = spikes * threshold` and receives `inputs @ weight.T + bias` at "
        "each step. The sum over t of v(t) - v(t-1) is v(T) - v(0), and the sum of the bias is T times "
        "the bias.",
        "`before = torch.cat([torch.full_like(potentials[:1], v0), potentials[:-1]])` and `step = "
        "potentials - before - (inputs @ weight.T + bias - outputs)`; then `total = step.sum(0)` is the "
        "second equation, written out or telescoped, and `total / len(inputs)` the third.",
    ),
)
