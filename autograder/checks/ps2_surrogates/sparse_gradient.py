"""Slopes that are mostly zero, at a fixed peak."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, call
from snnkit import surrogate

from . import families


def triangle(x, width, peak):
    return surrogate.Triangle(width=width, peak=peak).derivative(x)


def fixed(slope=triangle, **ways):
    return {"FixedPeak": families.family(slope, None, {"width": 1.0, "peak": 1.0}, **ways)}


def share(answer, family, sharpness, x):
    """The share of zero slopes of one of SpikingJelly's surrogates."""
    from spikingjelly.activation_based import surrogate as families

    return {"share": answer["zero_gradient_share"](getattr(families, family)(alpha=sharpness), x)}


def counted(change):
    """The share with something done to it."""
    return {"zero_gradient_share": lambda asked, x: change(surrogate.zero_gradient_share(asked, x), x)}


def cases(rng):
    for family, sharpness in (
        ("PiecewiseQuadratic", 1.0),
        ("PiecewiseQuadratic", 4.0),
        ("PiecewiseQuadratic", 0.25),
        ("Sigmoid", 2.0),
        ("ATan", 2000.0),  # tiny slopes, and none that is 0
    ):
        x = rng.normal(-0.4, 0.9, size=(7, 41)).astype(np.float32)
        asked = call(share, family=family, sharpness=sharpness, x=x)
        yield Case("share", f"{family}(alpha={sharpness:g})", asked)
    chosen = [{"width": 1.0, "peak": 1.0}, {"width": 0.25, "peak": 1.0}, {"width": 2.0, "peak": 0.8}]
    extent = lambda one: 1.6 * one["width"]  # noqa: E731
    yield from families.cases(rng, "FixedPeak", chosen, extent, ("spikes", "gradient"))


QUESTION = Question(
    "ps2.sparse_gradient",
    "Sparse slopes at a fixed peak",
    (
        Group("share", 1.0, "the share of points without a gradient"),
        Group("spikes", 0.5, "`FixedPeak`: spikes, one at x = 0 too"),
        Group("gradient", 1.5, "`FixedPeak`: a triangle of given width and height"),
    ),
    cases,
    {**counted(lambda share, x: share), **fixed()},
    right_in_torch=True,
    within=families.ROUNDING,
    slips=(
        families.OLD_INTERFACE,
        families.NO_BACKWARD,
        families.GRADIENT_COUNT,
        families.strict_threshold(fixed(fires=torch.gt)),
        Slip(
            "share_of_silence",
            "This is the share of points that do not spike. A point below threshold may well have a "
            "gradient: count zeros of the gradient, not of the output.",
            counted(lambda share, x: (x < 0).double().mean()),
        ),
        Slip(
            "complement",
            "This is the share of points that have a gradient; asked for is the share that have none.",
            counted(lambda share, x: 1 - share),
        ),
        Slip(
            "count_for_share",
            "This is a number of points. Divide by how many there are.",
            counted(lambda share, x: share * x.numel()),
        ),
        families.upstream_missing(fixed(upstream=False)),
        Slip(
            "area_fixed",
            "Here the area is fixed and the peak is 1/width, which is PiecewiseQuadratic itself. The peak "
            "must stay at `peak` whatever the width, or height and sparsity change together.",
            fixed(lambda x, width, peak: triangle(x, width, 1 / width)),
        ),
        Slip(
            "full_width",
            "The triangle is half as wide as asked: it should reach 0 at x = -width and x = width.",
            fixed(lambda x, width, peak: triangle(x, width / 2, peak)),
        ),
        Slip(
            "negative_slope",
            "The straight lines go on below 0 outside the triangle. There the slope is 0.",
            fixed(lambda x, width, peak: peak * (1 - x.abs() / width)),
        ),
    ),
    hints=(
        "How did you get the gradient of the spikes with respect to x in the questions above? Ask the "
        "surrogate itself, by backpropagation, and count exact zeros. For the class: where is the "
        "triangle's top, where its feet?",
        "`torch.autograd.grad(family(x).sum(), x)[0]` gives the slope at each point, if x requires gradients. The "
        "triangle is peak (1 - |x| / width), cut off at 0.",
        "Share: `x = x.detach().clone().requires_grad_()`, `gradient = torch.autograd.grad(family(x).sum(), x)[0]`, then "
        "`(gradient == 0).double().mean().item()`. Class: the slope in `backward` is `ctx.peak * (1 - x.abs() / "
        "ctx.width).clamp(min=0)`, and the autograd function returns `grad_output * slope, None, None`.",
    ),
    withheld=(
        "snnkit.surrogate.Triangle",
        "snnkit.surrogate.zero_gradient_share",
        "snnkit.surrogate.derivative_of",
    ),
)
