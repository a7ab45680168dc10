"""Dspike and its slope."""

import math

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .formulas import bare_slope, inside, middle, slope, value


def both(value=value, slope=slope):
    """An answer from a value and a slope."""
    return {"dspike": value, "dspike_slope": slope}


def outside_kept(line):
    """A wrong middle piece between the right outer ones."""
    return lambda u, b: np.where(u < 0, 0.0, np.where(u > 1, 1.0, line(u, b)))


def ratio(u, b):
    """tanh(b (u - 1/2)) / tanh(b/2)."""
    return np.tanh(b * (u - 0.5)) / math.tanh(b / 2)


def other_slope(kernel):
    """The slope with something else in the place of sech^2."""
    return lambda u, b: b / (2 * math.tanh(b / 2)) * kernel(u, b) * inside(u)


def cases(rng):
    edges = np.array([0.0, 1.0, 0.5, -0.0, -1e-3, 1.001, 2.0, -5.0], dtype=np.float32)
    for name, group in (("dspike", "value"), ("dspike_slope", "slope")):
        for b in (1.0, 3.0, float(np.round(rng.uniform(5, 12), 1))):
            u = rng.uniform(-0.6, 1.6, size=16).astype(np.float32)
            yield Case(group, f"b = {b:g}", call(name, np.concatenate([u, edges]), b))
        for label, u, b in (
            ("a batch [2, 3, 4]", rng.uniform(-0.5, 1.5, size=(2, 3, 4)).astype(np.float32), 2.0),
            ("float64, b = 0.001", rng.uniform(-0.5, 1.5, size=5), 1e-3),
            ("float64, b = 20", np.concatenate([[0.45, 0.55], rng.uniform(-0.5, 1.5, size=7)]), 20.0),
            ("no elements", np.zeros((0, 3), dtype=np.float32), 2.0),
            ("a single number", np.array(0.25, dtype=np.float32), 2.0),
        ):
            yield Case("shapes", f"{group}, {label}", call(name, u, b), intact=True)


QUESTION = Question(
    "ps3.dspike",
    "Dspike and its slope",
    (
        Group("value", 1.0, "`dspike`: the value, inside and outside the window"),
        Group("slope", 1.5, "`dspike_slope`: the slope, inside and outside the window"),
        Group("shapes", 0.5, "any shape and dtype; very small and large temperatures"),
    ),
    cases,
    both(),
    gives={"dspike": ("value",), "dspike_slope": ("slope",)},
    keeps_dtype=True,
    within=Tolerance(0.0001, 2e-05, "float32: a few roundings, enlarged by temperatures up to 20"),
    slips=(
        Slip(
            "no_window",
            "The middle line goes on outside [0, 1], so the value leaves [0, 1] and the area under the slope "
            "is not 1. Below 0 the value is 0, above 1 it is 1, and the slope is 0 in both.",
            both(middle, bare_slope),
        ),
        Slip(
            "half_missing",
            "This is twice as much: the denominator is 2 tanh(b/2), so that the value rises from 0 to 1.",
            both(outside_kept(lambda u, b: ratio(u, b) + 1), lambda u, b: 2 * slope(u, b)),
        ),
        Slip(
            "not_normalised",
            "This is (tanh(...) + 1)/2: at the ends of the window it does not reach 0 and 1. Divide by "
            "tanh(b/2), in the slope too.",
            both(
                outside_kept(lambda u, b: np.tanh(b * (u - 0.5)) / 2 + 0.5),
                lambda u, b: slope(u, b) * math.tanh(b / 2),
            ),
        ),
        Slip(
            "offset_missing",
            "The value runs from -1/2 to 1/2: tanh(b/2) is missing in the numerator.",
            both(outside_kept(lambda u, b: ratio(u, b) / 2)),
        ),
        Slip(
            "b_on_potential_only",
            "The temperature multiplies the whole distance from the threshold: b (u - 1/2), not b u - 1/2.",
            both(
                outside_kept(lambda u, b: (np.tanh(b * u - 0.5) / math.tanh(b / 2) + 1) / 2),
                other_slope(lambda u, b: 1 - np.tanh(b * u - 0.5) ** 2),
            ),
        ),
        Slip(
            "inner_derivative_missing",
            "The factor b of the chain rule is missing: the derivative of tanh(b z) is b sech^2(b z). For b "
            "= 1 the two cannot be told apart.",
            both(slope=lambda u, b: slope(u, b) / b),
        ),
        Slip(
            "sech_not_squared",
            "This is built on sech. The derivative of tanh is sech squared.",
            both(slope=other_slope(lambda u, b: 1 / np.cosh(b * (np.clip(u, -2, 3) - 0.5)))),
        ),
        Slip(
            "tanh_not_squared",
            "This is built on 1 - tanh. The derivative of tanh is 1 - tanh squared.",
            both(slope=other_slope(lambda u, b: 1 - np.tanh(b * (u - 0.5)))),
        ),
    ),
    hints=(
        "Which of the three pieces are constant, and what is the slope of a constant? What are the value "
        "at u = 0, at u = 1/2 and at u = 1?",
        "Inside the window the slope is b / (2 tanh(b/2)) (1 - tanh(b (u - 1/2))^2); at u = 1/2 that is "
        "b / (2 tanh(b/2)).",
        "`u.clamp(0, 1)` put into the middle line gives all three pieces of the value at once. For the "
        "slope, multiply by `((u >= 0) & (u <= 1))`. `math.tanh(b / 2)` is a number, `torch.tanh(...)` a "
        "tensor.",
    ),
    withheld=("snnkit.surrogate.Dspike", "snnkit.surrogate.derivative_of"),
)
