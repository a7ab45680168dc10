"""Other thresholds, and the limits of the temperature."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .formulas import slope, value

DOUBLE = Tolerance(
    0.0, 4e-15, "two roundings in double precision; Dspike with b = 1e-6 is up to 1.6e-14 off its limit"
)


def answer(
    place=lambda v, theta: v / (2 * theta),
    factor=lambda theta: 1 / (2 * theta),
    flat=lambda v, theta: np.clip(v.astype(float) / (2 * theta), 0, 1),
    sharp=lambda v, theta: np.where(v.astype(float) >= theta, 1.0, 0.0),
):
    """The right answer, and those that go wrong in one of its parts."""

    def at(v, b, threshold):
        u = place(v, threshold)
        return value(u, b), slope(u, b) * factor(threshold)

    return {
        "dspike_at": at,
        "dspike_limits": lambda v, threshold: (flat(v, threshold), sharp(v, threshold)),
    }


def cases(rng):
    for place, part in enumerate(("value", "slope", "flat", "sharp")):
        for threshold in (0.5, 1.0, float(np.round(rng.uniform(1.5, 3), 2)), 0.2):
            v = 2 * threshold * rng.uniform(-0.5, 1.5, size=(3, 8))
            v = np.where(np.abs(v - threshold) < 0.02, 0.5 * threshold, v)
            v[0, :2] = 2 * threshold * np.array([0.21, 0.79])  # where a small b is farthest from its limit
            v = v if part == "flat" else v.astype(np.float32)
            if place < 2:
                b = float(np.round(rng.uniform(1, 8), 1))
                asked, label = call("dspike_at", v, b, threshold), f"threshold {threshold:g}, b = {b:g}"
            else:
                asked, label = call("dspike_limits", v, threshold), f"threshold {threshold:g}"
            limit = place >= 2
            yield Case(part, label, asked.only(place % 2, part), keeps_dtype=limit, intact=part != "slope")
    near = 0.7 * (1 + np.array([-1e-3, -1e-6, -1e-9, 1e-9, 1e-6, 1e-3]))
    yield Case("sharp", "next to the threshold", call("dspike_limits", near, 0.7).only(1, "sharp"))
    nothing = call("dspike_limits", np.zeros((2, 0), dtype=np.float32), 1.0)
    yield Case("flat", "no elements", nothing.only(0, "flat"))


QUESTION = Question(
    "ps3.any_threshold",
    "Other thresholds, and the limits of the temperature",
    (
        Group("value", 0.5, "the value at any threshold"),
        Group("slope", 1.0, "the slope with respect to the potential"),
        Group("flat", 1.0, "the limit for b to 0", within=DOUBLE),
        Group("sharp", 0.5, "the limit for b to infinity"),
    ),
    cases,
    answer(),
    within=Tolerance(0.0001, 2e-05, "float32: a few roundings, enlarged by temperatures up to 20"),
    uses={"dspike": "ps3.dspike", "dspike_slope": "ps3.dspike"},
    slips=(
        Slip(
            "not_rescaled",
            "This is right for the threshold 1/2 only. Divide the potential by 2 theta first: the threshold "
            "then lies at 1/2, and the window is [0, 2 theta].",
            answer(
                place=lambda v, theta: v,
                factor=lambda theta: 1.0,
                flat=lambda v, theta: np.clip(v, 0, 1),
                sharp=lambda v, theta: v >= 0.5,
            ),
        ),
        Slip(
            "window_shifted",
            "Here the window is moved to the threshold and keeps its width of 1. The question asks for the "
            "potential in units of 2 theta, which makes the window as wide as 2 theta.",
            answer(
                place=lambda v, theta: v - theta + 0.5,
                factor=lambda theta: 1.0,
                flat=lambda v, theta: np.clip(v - theta + 0.5, 0, 1),
            ),
        ),
        Slip(
            "divided_by_threshold",
            "The potential is divided by theta, so the threshold comes to lie at 1. Divide by 2 theta: it "
            "lies at 1/2.",
            answer(
                place=lambda v, theta: v / theta,
                factor=lambda theta: 1 / theta,
                flat=lambda v, theta: np.clip(v / theta, 0, 1),
            ),
        ),
        Slip(
            "chain_factor_missing",
            "This is the slope with respect to u = v / (2 theta). With respect to v it has the factor 1 / (2 "
            "theta).",
            answer(factor=lambda theta: 1.0),
        ),
        Slip(
            "identity_limit",
            "The limit for b to 0 is not v: it is v / (2 theta) inside the window, which is v itself for the "
            "threshold 1/2 only, and outside the window it stays 0 or 1.",
            answer(flat=lambda v, theta: v),
        ),
        Slip(
            "limit_without_window",
            "Inside the window the straight line is right. Outside it Dspike is 0 or 1 for every b, so its "
            "limit is, too.",
            answer(flat=lambda v, theta: v / (2 * theta)),
        ),
        Slip(
            "sign_limit",
            "This is the sign function, -1 below the threshold. Dspike is never below 0: its limit is the "
            "step, 0 or 1.",
            answer(sharp=lambda v, theta: np.sign(v - theta)),
        ),
        Slip(
            "step_at_zero",
            "This step stands at v = 0. It belongs at the threshold, where every Dspike has the value 1/2.",
            answer(sharp=lambda v, theta: v >= 0),
        ),
        Slip(
            "limits_swapped",
            "The two limits are exchanged: a small b gives the straight line, a large one the step.",
            answer(flat=lambda v, theta: v >= theta, sharp=lambda v, theta: np.clip(v / (2 * theta), 0, 1)),
        ),
    ),
    hints=(
        "What is u = v / (2 theta) at v = theta, at v = 0 and at v = 2 theta? For the limits: tanh(z) is "
        "nearly z for small z. What does the middle line become?",
        "The slope is that of question 1 at u, times 1 / (2 theta). For b to 0 the middle line becomes "
        "(b (u - 1/2) + b/2) / b = u; for b to infinity tanh(b (u - 1/2)) is -1 or 1.",
        "`u = v / (2 * threshold)`, then `dspike(u, b)` and `dspike_slope(u, b) / (2 * threshold)`. The "
        "limits are `u.clamp(0, 1)` and `heaviside(v - threshold)`.",
    ),
    withheld=("snnkit.surrogate.Dspike",),
)
