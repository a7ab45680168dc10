"""S(x) as a surrogate class."""

from math import pi

import torch

from autograder.question import Group, Question, Slip

from . import families
from .sine import SLOPES, sine, smooth

QUESTION = Question(
    "ps2.sine_surrogate",
    "S(x) as a surrogate in SpikingJelly",
    (
        Group("spikes", 1.0, "forward: spikes, one at x = 0 too"),
        Group("gradient", 1.0, "backward: slope times the gradient from above"),
        Group("primitive", 1.0, "spiking=False: S(x) itself"),
    ),
    lambda rng: families.cases(
        rng, "Sine", [{"alpha": 1.0}, {"alpha": 0.5}, {"alpha": 2.0}], lambda chosen: 1.8 * chosen["alpha"]
    ),
    {"Sine": sine()["Sine"]},
    right_in_torch=True,
    within=families.ROUNDING,
    slips=(
        *families.CLASSES,
        families.strict_threshold(sine(fires=torch.gt)),
        families.upstream_missing(sine(upstream=False)),
        *SLOPES,
        Slip(
            "primitive_without_half",
            "S(x) ends with + 1/2: it rises from 0 to 1, this from -1/2 to 1/2.",
            sine(primitive=lambda x, alpha: smooth(x, alpha) - 0.5),
        ),
        Slip(
            "primitive_not_clipped",
            "Outside [-alpha, alpha] S(x) is 0 or 1; here the sine goes on.",
            sine(primitive=lambda x, alpha: 0.5 * torch.sin(pi * x / (2 * alpha)) + 0.5),
        ),
        Slip(
            "primitive_is_step",
            "With spiking=False this still gives spikes. `primitive_function` returns the smooth S(x).",
            sine(primitive=lambda x, alpha: (x >= 0).to(x.dtype)),
        ),
    ),
    hints=(
        "Start from the Sigmoid of the warm-up and change only its three formulas: `primitive_function`, the slope "
        "used in `backward`, and the default of alpha.",
        "`forward` of the autograd function gives `heaviside(x)`, whatever the surrogate. `backward` gives "
        "`grad_output * sine_derivative(x, ctx.alpha), None`.",
        "`primitive_function` can use `x.clamp(-alpha, alpha)`: the sine of the clamped value is already -1 or 1 "
        "outside, so no case distinction is left.",
    ),
    uses={"sine_derivative": "ps2.sine_derivative"},
    withheld=("snnkit.surrogate.Sine",),
)
