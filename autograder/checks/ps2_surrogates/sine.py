"""S(x): its slope and primitive, and the ways in which the slope can go wrong."""

from math import pi

import torch

from autograder.question import Slip
from snnkit import surrogate

from . import families


def reference(x, alpha):
    return surrogate.Sine(alpha=alpha).derivative(x)


def smooth(x, alpha):
    return surrogate.Sine(alpha=alpha).primitive(x)


def sine(slope=reference, primitive=smooth, **ways):
    return {"Sine": families.family(slope, primitive, {"alpha": 1.0}, **ways), "sine_derivative": slope}


def middle(height, wave=torch.cos, inside=True, scale=lambda alpha: alpha):
    """A slope of the form height(alpha) wave(pi x / 2 scale), cut off at the scale or not."""

    def slope(x, alpha):
        width = scale(alpha)
        return height(alpha) * wave(pi * x / (2 * width)) * ((x.abs() <= width) if inside else 1)

    return slope


SLOPES = (
    Slip(
        "inner_derivative_missing",
        "The factor pi/(2 alpha) of the chain rule is missing: the derivative of sin(c x) is c cos(c x).",
        sine(middle(lambda alpha: 0.5)),
    ),
    Slip(
        "alpha_missing",
        "This is pi/4 cos(pi x / (2 alpha)): the height has lost its 1/alpha, so the area is no longer 1. "
        "With alpha = 1 the two cannot be told apart.",
        sine(middle(lambda alpha: pi / 4)),
    ),
    Slip(
        "alpha_as_sharpness",
        "Here a larger alpha makes the slope narrower, as in SpikingJelly's own families. In S(x) alpha is the "
        "half-width: larger is wider and flatter.",
        sine(middle(lambda alpha: pi * alpha / 4, scale=lambda alpha: 1 / alpha)),
    ),
    Slip(
        "no_cutoff",
        "The cosine goes on outside [-alpha, alpha]. There S(x) is constant, so its slope is 0.",
        sine(middle(lambda alpha: pi / (4 * alpha), inside=False)),
    ),
    Slip(
        "sine_for_cosine",
        "This is built on the sine. The derivative of the sine is the cosine.",
        sine(middle(lambda alpha: pi / (4 * alpha), wave=torch.sin)),
    ),
    Slip(
        "half_missing",
        "This is twice the slope: the 1/2 in front of the sine is missing.",
        sine(middle(lambda alpha: pi / (2 * alpha))),
    ),
)
