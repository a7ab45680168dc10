"""What the questions on surrogate classes share: the cases, and families made of three formulas."""

import numpy as np
import torch

from autograder.question import Case, Slip, Tolerance, call

ROUNDING = Tolerance(1e-4, 1e-6, "one float32 rounding per operation, a few operations deep")


class Step(torch.autograd.Function):
    """A step with a given slope as its gradient; ``upstream`` 0 leaves out the gradient from above."""

    @staticmethod
    def forward(ctx, x, spikes, slope, upstream):
        ctx.save_for_backward(slope)
        ctx.upstream = upstream
        return spikes

    @staticmethod
    def backward(ctx, above):
        slope = ctx.saved_tensors[0]
        return (above * slope if ctx.upstream else slope), None, None, None


def family(slope, primitive, defaults, fires=torch.ge, upstream=True):
    """A surrogate class of three formulas, of x and its parameters: right ones, or one of them wrong."""

    def made(*values, spiking=True, **named):
        parameters = {**defaults, **dict(zip(defaults, values, strict=False)), **named}

        def surrogate(x):
            if not spiking:
                return primitive(x, **parameters)
            return Step.apply(x, fires(x, 0).to(x.dtype), slope(x.detach(), **parameters), upstream)

        return surrogate

    return made


def cases(rng, name, parameters, extent, groups=("spikes", "gradient", "primitive")):
    """Spikes, gradient and primitive: random points, edge values, both dtypes, a batch, no elements.

    In the last group also as the cells below make a surrogate: its parameters by position, or left out.
    """
    edges = np.array([0.0, -0.0, 1e-6, -1e-6, 1e-3, -1e-3, 1.7, -1.7, 30.0, -30.0], dtype=np.float32)
    for group in groups:
        for index, chosen in enumerate(parameters):
            x = (extent(chosen) * rng.uniform(-1, 1, size=(4, 6))).astype(np.float32)
            said = ", ".join(f"{key} = {value:g}" for key, value in chosen.items())
            inputs = [(f"{said}, a batch [4, 6]", x)]
            if index == 0:
                inputs += [
                    (f"{said}, x at, near and far from 0", edges),
                    (f"{said}, float64", x[0].astype(np.float64)),
                    (f"{said}, no elements", x[:0]),
                ]
            for label, values in inputs:
                upstream = rng.uniform(-2, 2, size=values.shape).astype(values.dtype)
                made = call(name, **chosen, **({"spiking": False} if group == "primitive" else {})).on(
                    values, gives=group
                )
                made = made.gradient(upstream) if group == "gradient" else made
                yield Case(group, label, made, intact=group == "spikes")
    group, chosen = groups[-1], tuple(parameters[1].values())
    for label, values in (("parameters left out", ()), (f"{name}{chosen}, by position", chosen)):
        x = rng.uniform(-1, 1, size=12).astype(np.float32)
        made = call(name, *values, **({"spiking": False} if group == "primitive" else {})).on(x, gives=group)
        yield Case(group, label, made.gradient(np.ones_like(x)) if group == "gradient" else made)


OLD_INTERFACE = Slip(
    "old_interface",
    "This is the constructor of an older SpikingJelly. In 2.0 parameters are keywords: "
    "`super().__init__(spiking=spiking, alpha=alpha)`.",
    error=r"takes from 1 to 2 positional arguments but [34] were given|multiple values for argument 'spiking'",
)
NO_SPIKING_MODE = Slip(
    "no_spiking_mode",
    "The constructor must take `spiking` and hand it on: with `spiking=False` SpikingJelly uses the primitive.",
    error=r"unexpected keyword argument 'spiking'",
)
NO_BACKWARD = Slip(
    "no_backward",
    "The spikes carry no gradient: the step by itself has none. Return `YourFunction.apply(...)`, "
    "the autograd function with your own `backward`.",
    error=r"does not require grad|does not have a grad_fn",
)
GRADIENT_COUNT = Slip(
    "gradient_count",
    "`backward` returns one value for each argument of `forward` after `ctx`: the gradient for x, and None for "
    "each parameter.",
    error=r"returned an incorrect number of gradients",
)
CLASSES = (OLD_INTERFACE, NO_SPIKING_MODE, NO_BACKWARD, GRADIENT_COUNT)


def strict_threshold(wrong):
    """The slip of who fires above threshold only, as this answer makes it."""
    said = "This is what `>` gives. A neuron exactly at threshold (x = 0) fires: the step needs `>=`."
    return Slip("strict_threshold", said, wrong)


def upstream_missing(wrong):
    """The slip of who leaves out the gradient from above, as this answer makes it."""
    said = (
        "This is the slope alone. `backward` returns the slope times `grad_output`, the gradient that arrives from "
        "above."
    )
    return Slip("upstream_missing", said, wrong)
