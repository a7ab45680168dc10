"""P(x) as a surrogate class, with a floor."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, call
from snnkit import surrogate

from . import families


def reference(x, alpha, floor):
    return surrogate.Power(alpha=alpha, floor=floor).derivative(x)


def smooth(x, alpha, floor):
    """P(x), which has no floor: the library's is continuous and rises less."""
    return surrogate.Power(alpha=alpha, floor=1e-60).primitive(x)


def power(slope=reference, primitive=smooth, **ways):
    return {"Power": families.family(slope, primitive, {"alpha": 0.5, "floor": 0.01}, **ways)}


def changed(change):
    """The right slope with something done to it."""
    return power(lambda x, alpha, floor: change(reference(x, alpha, floor), x, alpha, floor))


def cases(rng):
    chosen = [{"alpha": 0.5, "floor": 0.01}, {"alpha": 0.3, "floor": 0.05}, {"alpha": 0.8, "floor": 0.001}]
    everywhere = families.cases(rng, "Power", chosen, lambda one: 1.6)
    yield from [case for case in everywhere if case.group != "gradient"]
    for one in chosen:
        said = ", ".join(f"{key} = {value:g}" for key, value in one.items())
        sign = rng.choice([-1.0, 1.0], size=14)
        away = sign * np.concatenate([rng.uniform(0.06, 0.98, 8), [0.999, 1.001], rng.uniform(1.02, 3, 4)])
        near = np.array([0, 1, -1, 0.5, -0.25]) * one["floor"] * 0.9
        for group, label, x in (("gradient", said, away), ("floor", f"{said}, |x| < floor", near)):
            x, above = x.astype(np.float32), rng.uniform(0.5, 2, size=x.shape)
            upstream = (above * rng.choice([-1, 1], size=x.shape)).astype(np.float32)
            yield Case(group, label, call("Power", **one).on(x).gradient(upstream))
    near = np.array([0.004, -0.002, 0.0], dtype=np.float32)
    yield Case("floor", "parameters left out", call("Power").on(near).gradient(np.ones_like(near)))


def not_finite(got, asked):
    return (
        bool((np.abs(asked["x"]) < asked.get("floor", 0.01)).any()) and not np.isfinite(got["gradient"]).all()
    )


QUESTION = Question(
    "ps2.power_surrogate",
    "P(x) as a surrogate, with a floor",
    (
        Group("spikes", 0.5, "forward: spikes, one at x = 0 too"),
        Group("gradient", 1.0, "backward away from 0"),
        Group("floor", 1.0, "backward at and near 0: finite"),
        Group("primitive", 0.5, "spiking=False: P(x) itself"),
    ),
    cases,
    power(),
    right_in_torch=True,
    within=families.ROUNDING,
    slips=(
        *families.CLASSES,
        families.strict_threshold(power(fires=torch.gt)),
        Slip(
            "no_floor",
            "Without the floor the slope grows without bound as x goes to 0, and is infinite (or nan) there. "
            "One neuron exactly at threshold then spoils every weight. Take the power of max(|x|, floor).",
            seen=not_finite,
        ),
        families.upstream_missing(power(upstream=False)),
        Slip(
            "floor_added",
            "This adds the floor to |x|, which changes the slope everywhere. The floor is a lower limit: "
            "max(|x|, floor).",
            power(lambda x, alpha, floor: alpha / 2 * (x.abs() + floor) ** (alpha - 1) * (x.abs() <= 1)),
        ),
        Slip(
            "zero_near_zero",
            "Near 0 the slope is set to 0. There it should be largest: alpha/2 floor^(alpha - 1).",
            changed(lambda slope, x, alpha, floor: slope * (x.abs() >= floor)),
        ),
        Slip(
            "alpha_factor_missing",
            "The factor alpha of the power rule is missing: the derivative of |x|^alpha is alpha |x|^(alpha "
            "- 1) sgn(x).",
            changed(lambda slope, x, alpha, floor: slope / alpha),
        ),
        Slip(
            "half_missing",
            "This is twice the slope: the 1/2 in front of the power is missing.",
            changed(lambda slope, x, alpha, floor: 2 * slope),
        ),
        Slip(
            "sign_in_slope",
            "The slope is negative for x < 0. sgn(x) |x|^alpha rises on both sides of 0: the sign cancels in "
            "the derivative.",
            changed(lambda slope, x, alpha, floor: x.sign() * slope),
        ),
        Slip(
            "no_cutoff",
            "The slope goes on beyond |x| = 1. There P(x) is constant, so its slope is 0.",
            power(lambda x, alpha, floor: alpha / 2 * x.abs().clamp(min=floor) ** (alpha - 1)),
        ),
        Slip(
            "primitive_not_clipped",
            "Outside [-1, 1] P(x) is 0 or 1; here the power goes on.",
            power(primitive=lambda x, alpha, floor: 0.5 * x.sign() * x.abs() ** alpha + 0.5),
        ),
        Slip(
            "primitive_without_sign",
            "Here P(x) is the same for x and -x. The power of |x| needs the factor sgn(x).",
            power(primitive=lambda x, alpha, floor: smooth(x.abs(), alpha, floor)),
        ),
    ),
    hints=(
        "For x > 0, P(x) = 1/2 x^alpha + 1/2. What is its derivative, and where does it lead as x goes to 0?",
        "The slope is alpha/2 |x|^(alpha - 1) for |x| <= 1 and 0 outside. Replace |x| by max(|x|, floor) "
        "and leave the rest: its largest value is then alpha/2 floor^(alpha - 1).",
        "`magnitude = x.abs()`, then `alpha / 2 * magnitude.clamp(min=floor) ** (alpha - 1) * (magnitude "
        "<= 1)`. The class has two parameters: hand both to `super().__init__` and take both in "
        "`spiking_function`.",
    ),
    withheld=("snnkit.surrogate.Power",),
)
