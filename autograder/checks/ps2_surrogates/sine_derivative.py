"""The slope of S(x)."""

import numpy as np

from autograder.question import Case, Group, Question, call

from .families import ROUNDING
from .sine import SLOPES, sine


def cases(rng):
    for alpha in (1.0, 0.5, float(np.round(rng.uniform(1.5, 3.0), 2))):
        inside = (alpha * rng.uniform(-0.95, 0.95, size=12)).astype(np.float32)
        outside = (alpha * np.array([1.0, -1.0, 1.001, -1.2, 2.0, -2.0, 3.0, 50.0])).astype(np.float32)
        for group, x in (("inside", inside), ("outside", outside)):
            yield Case(group, f"alpha = {alpha:g}", call("sine_derivative", x, alpha=alpha))
    for label, x in (
        ("a batch [2, 3, 4]", rng.uniform(-3, 3, size=(2, 3, 4)).astype(np.float32)),
        ("float64", rng.uniform(-3, 3, size=5)),
        ("no elements", np.zeros((0, 3), dtype=np.float32)),
        ("a single number", np.array(0.25, dtype=np.float32)),
    ):
        yield Case("shapes", label, call("sine_derivative", x, alpha=1.5), keeps_dtype=True, intact=True)


QUESTION = Question(
    "ps2.sine_derivative",
    "The slope of S(x)",
    (
        Group("inside", 1.0, "slope for |x| < alpha"),
        Group("outside", 0.5, "slope for |x| >= alpha"),
        Group("shapes", 0.5, "any shape and floating-point dtype"),
    ),
    cases,
    {"sine_derivative": sine()["sine_derivative"]},
    gives={"sine_derivative": ("derivative",)},
    right_in_torch=True,
    within=ROUNDING,
    slips=SLOPES,
    hints=(
        "Differentiate each of the three pieces by itself. Which pieces are constant?",
        "In the middle, the derivative of 1/2 sin(c x) is c/2 cos(c x), here with c = pi / (2 alpha). "
        "Its largest value is pi / (4 alpha).",
        "`torch.where(x.abs() <= alpha, middle, torch.zeros_like(x))` keeps the middle piece and puts 0 "
        "elsewhere; `math.pi / (4 * alpha) * torch.cos(math.pi * x / (2 * alpha))` is the middle piece.",
    ),
    withheld=("snnkit.surrogate.Sine", "snnkit.surrogate.derivative_of"),
)
