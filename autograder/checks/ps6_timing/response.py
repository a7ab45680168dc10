"""The response to a spike, its slope, and the potential of a layer."""

import math

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .spike_response import eps, eps_slope


def answer(response=eps, slope=eps_slope, since=lambda time, inputs: time - inputs):
    """The three functions; other responses, slopes or shifts are the ways in which they can go wrong."""

    def potential(time, weight, inputs, tau):
        u = since(time[:, None, None], inputs)
        return response(u, tau) @ weight.T, slope(u, tau) @ weight.T

    return {
        "kernel": lambda elapsed, tau: response(elapsed, tau),
        "kernel_slope": lambda elapsed, tau: slope(elapsed, tau),
        "potential": potential,
    }


def layer(rng, n, inputs, outputs, tau, dtype=np.float64):
    """A layer at a few times."""
    time = np.sort(rng.uniform(0, 6 * tau, 7)).astype(dtype)
    weight = rng.normal(size=(outputs, inputs)).astype(dtype)
    return time, weight, rng.uniform(0, 3 * tau, (n, inputs)).astype(dtype), tau


def cases(rng):
    for group, name in (("kernel", "kernel"), ("slope", "kernel_slope")):
        for tau in (1.0, 0.5, float(np.round(rng.uniform(3, 10), 1))):
            edges = np.array([0.0, -0.0, -1e-3, tau, 2 * tau, 1e-3], dtype=np.float32)
            u = np.concatenate([rng.uniform(-2 * tau, 6 * tau, 14).astype(np.float32), edges])
            yield Case(group, f"tau = {tau:g}", call(name, u, tau))
        for label, u in (
            ("a batch [2, 3, 4]", rng.uniform(-3, 12, (2, 3, 4)).astype(np.float32)),
            ("float64", rng.uniform(-3, 12, 5)),
            ("no elements", np.zeros((0, 3), dtype=np.float32)),
            ("a single number", np.array(1.25, dtype=np.float32)),
        ):
            yield Case(group, f"{group}, {label}", call(name, u, 2.0))
    for label, *sizes in (
        ("3 patterns, 4 inputs, 2 outputs", 3, 4, 2, 7.0),
        ("1 input", 2, 1, 3, 1.0),
        ("float32", 2, 5, 3, 2.5, np.float32),
    ):
        yield Case("potential", label, call("potential", *layer(rng, *sizes)))
    far = np.array([-math.inf, -2000.0, -150.0, -math.inf], dtype=np.float32)
    for group, name in (("kernel", "kernel"), ("slope", "kernel_slope")):
        yield Case("silent", f"{group}, an input that never came", call(name, far, 1.0))
    time, weight, inputs, tau = layer(rng, 3, 4, 2, 3.0)
    silent = np.full_like(inputs, math.inf)
    yield Case("silent", "a layer whose inputs are all silent", call("potential", time, weight, silent, tau))


QUESTION = Question(
    "ps6.response",
    "The response to a spike, and the potential",
    (
        Group("kernel", 0.75, "`kernel`: the response, before, at and after the spike"),
        Group("slope", 0.75, "`kernel_slope`: its derivative"),
        Group("potential", 1.0, "`potential`: the weighted sum, and its slope"),
        Group("silent", 0.5, "an input that never fires contributes 0"),
    ),
    cases,
    answer(),
    gives={"kernel_slope": ("slope",), "potential": ("potential", "slope of the potential")},
    keeps_dtype=True,
    within=Tolerance(1e-4, 2e-5, "float32: a few roundings of numbers of the size 1"),
    slips=(
        Slip(
            "not_causal",
            "The response begins before its spike. For u < 0 kernel and slope are 0: that is the Theta(u) "
            "in the formula.",
            answer(
                lambda u, tau: u / tau * np.exp(1 - u / tau),
                lambda u, tau: np.exp(1 - u / tau) * (1 - u / tau) / tau,
            ),
        ),
        Slip(
            "peak_not_one",
            "The peak is 1/e and not 1: the exponent is 1 - u/tau, so the factor e belongs to the kernel "
            "and to its slope.",
            answer(lambda u, tau: eps(u, tau) / math.e, lambda u, tau: eps_slope(u, tau) / math.e),
        ),
        Slip(
            "time_not_in_tau",
            "The factor in front of the exponential is u/tau, not u: the peak of your kernel is tau.",
            {
                **answer(lambda u, tau: eps(u, tau) * tau, lambda u, tau: eps_slope(u, tau) * tau),
                "kernel_slope": eps_slope,
            },  # which alone is another slip
        ),
        Slip(
            "inner_derivative_missing",
            "This is the derivative by u/tau. By u it has one more factor, 1/tau; for tau = 1 the two "
            "cannot be told apart.",
            answer(slope=lambda u, tau: eps_slope(u, tau) * tau),
        ),
        Slip(
            "first_factor_only",
            "Only the first factor is differentiated. By the product rule the exponential gives a second "
            "term, and the sum is exp(1 - u/tau) (1 - u/tau) / tau: 0 at the peak.",
            answer(slope=lambda u, tau: np.where(u >= 0, np.exp(1 - np.maximum(u, 0) / tau) / tau, 0.0)),
        ),
        Slip(
            "slope_turned",
            "The sign of the slope is turned: the kernel rises from 0 to tau and falls afterwards.",
            answer(slope=lambda u, tau: -eps_slope(u, tau)),
        ),
        Slip(
            "shift_lost",
            "The kernel is evaluated at t and not at t - t_i, so it does not matter when the inputs fired. "
            "The shift belongs in all three places: the fraction, the exponent and the step.",
            answer(since=lambda time, inputs: time + 0 * inputs),
        ),
        Slip(
            "time_turned",
            "The kernel is evaluated at t_i - t. What counts is the time since the input spike, t - t_i.",
            answer(since=lambda time, inputs: inputs - time),
        ),
        Slip(
            "weights_not_transposed",
            "The weights are [outputs, inputs], and the sum runs over the inputs: `responses @ weight.T`.",
            error=r"shapes cannot be multiplied|must match the size of tensor|subscript",
        ),
        Slip(
            "infinity_times_zero",
            "An infinite or very large number meets a 0, and that gives nan. Put the elapsed time to 0 "
            "where it is negative, with `clamp(min=0)`, before you take the exponential.",
            seen=lambda got, asked: any(not np.isfinite(array).all() for array in got.values()),
        ),
    ),
    hints=(
        "What are the kernel and its slope at u = 0, at u = tau and at u = -1? And what does a spike that "
        "never comes contribute?",
        "With s = u/tau for u >= 0 the kernel is s exp(1 - s) and its slope exp(1 - s)(1 - s)/tau. The "
        "potential is a matrix product of the responses [M, N, inputs] with the transposed weights.",
        "`s = elapsed.clamp(min=0) / tau` makes the kernel 0 before the spike, and `torch.where(elapsed >= "
        "0, ..., 0.0)` the slope. `elapsed = time[:, None, None] - inputs` has the shape [M, N, inputs].",
    ),
    withheld=(
        "snnkit.spiketime.kernel",
        "snnkit.spiketime.kernel_slope",
        "snnkit.spiketime.potential",
    ),
)
