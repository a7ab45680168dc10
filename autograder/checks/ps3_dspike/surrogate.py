"""Dspike as a surrogate in SpikingJelly."""

import numpy as np
import torch

import snnkit.surrogate
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .formulas import slope


class Smooth:
    """Spikes with the gradient of a smooth function, with the ways in which that can go wrong."""

    offset, window = 0.5, True

    def __init__(self, b=3.0, spiking=True):
        self.b = self.first = b
        self.spiking = spiking

    def temperature(self):
        return self.b

    def step(self, x):
        return (x >= 0).to(x)

    def __call__(self, x):
        u, b = x + self.offset, torch.as_tensor(self.temperature())
        u = u.clamp(0, 1) if self.window else u
        smooth = torch.tanh(b * (u - 0.5)) / (2 * torch.tanh(b / 2)) + 0.5
        return self.step(x) + smooth - smooth.detach() if self.spiking else smooth


class Strict(Smooth):
    def step(self, x):
        return (x > 0).to(x)


class Frozen(Smooth):
    def temperature(self):
        return self.first


class NotMoved(Smooth):
    offset = 0.0


class NoWindow(Smooth):
    window = False


class StepAlways(Smooth):
    def __call__(self, x):
        return self.step(x)


def changed(answer, x, b, later, upstream):
    """The gradient after the temperature was changed."""
    import torch

    family = answer["Dspike"](b=b)
    family.b = later
    x.requires_grad_(True)
    return {"gradient": torch.autograd.grad(family(x), x, upstream)[0]}


def cases(rng):
    edges = np.array([0.0, -0.0, 1e-6, -1e-6, 0.25, -0.25, 0.75, -0.75, 30.0, -30.0], dtype=np.float32)
    for group in ("spikes", "gradient", "primitive", "changed"):
        for b in (3.0, 1.0, 10.0):
            inputs = [("a batch [4, 6]", rng.uniform(-0.9, 0.9, size=(4, 6)).astype(np.float32))]
            if b == 3.0:
                inputs += [
                    ("x at, near and far from 0", edges),
                    ("float64", rng.uniform(-0.9, 0.9, size=7)),
                    ("no elements", np.zeros((0, 3), dtype=np.float32)),
                ]
            for label, x in inputs:
                above = rng.uniform(0.5, 2, size=x.shape) * rng.choice([-1, 1], size=x.shape)
                upstream = above.astype(x.dtype)
                asked = {
                    "spikes": call("Dspike", b=b).on(x, gives="spikes"),
                    "gradient": call("Dspike", b=b).on(x).gradient(upstream),
                    "primitive": call("Dspike", b=b, spiking=False).on(x, gives="primitive"),
                    "changed": call(changed, x=x, b=b, later=b + 2.5, upstream=upstream),
                }[group]
                said = f"b changed from {b:g} to {b + 2.5:g}" if group == "changed" else f"b = {b:g}"
                yield Case(group, f"{said}, {label}", asked, intact=group == "spikes")
    x = rng.uniform(-0.45, 0.45, 9).astype(np.float32)
    for label, made in (("b left out", call("Dspike")), ("b = 2, by position", call("Dspike", 2.0))):
        yield Case("gradient", label, made.on(x).gradient(np.ones_like(x)))


def without_upstream(asked):
    b = asked.get("later", asked.get("b", 3.0))
    return {"gradient": slope(asked["x"].astype(float) + 0.5, b)}


QUESTION = Question(
    "ps3.surrogate",
    "Dspike as a surrogate in SpikingJelly",
    (
        Group("spikes", 0.5, "forward: spikes, one at x = 0 too"),
        Group("gradient", 1.0, "backward: slope times the gradient from above"),
        Group("primitive", 0.5, "spiking=False: Dspike itself"),
        Group("changed", 1.0, "a temperature that is set later counts"),
    ),
    cases,
    {"Dspike": snnkit.surrogate.Dspike},
    right_in_torch=True,
    within=Tolerance(0.0001, 2e-05, "float32: a few roundings, enlarged by temperatures up to 20"),
    uses={"dspike": "ps3.dspike", "dspike_slope": "ps3.dspike"},
    slips=(
        Slip(
            "old_interface",
            "This is the constructor of an older SpikingJelly. In 2.0 parameters are keywords: "
            "`super().__init__(spiking=spiking, b=b)`.",
            error=r"takes from 1 to 2 positional arguments but 3 were given|multiple values for argument 'spiking'",
        ),
        Slip(
            "no_backward",
            "The spikes carry no gradient: the step by itself has none. Return `DspikeSpike.apply(...)`, the "
            "autograd function with your own `backward`.",
            error=r"does not require grad|does not have a grad_fn",
        ),
        Slip(
            "gradient_count",
            "`backward` returns one value for each argument of `forward` after `ctx`: the gradient for x, "
            "and None for b.",
            error=r"returned an incorrect number of gradients",
        ),
        Slip(
            "strict_threshold",
            "This is what `>` gives. A neuron exactly at threshold (x = 0) fires: the step needs `>=`.",
            Strict,
        ),
        Slip(
            "upstream_missing",
            "This is the slope alone. `backward` returns the slope times `grad_output`, the gradient that "
            "arrives from above.",
            gives=without_upstream,
        ),
        Slip(
            "temperature_frozen",
            "The gradient is that of the temperature that the class was made with. Hand `b` to the base "
            "class and use the `b` that arrives in `spiking_function`; a copy of your own does not change.",
            Frozen,
        ),
        Slip(
            "window_not_moved",
            "The window is [0, 1] here, as for a potential. x = 0 is the threshold, so the window of x is "
            "[-1/2, 1/2]: use Dspike at x + 1/2.",
            NotMoved,
        ),
        Slip(
            "primitive_is_step",
            "With spiking=False this still gives spikes. `primitive_function` returns the smooth Dspike.",
            StepAlways,
        ),
        Slip("no_cutoff", "The slope goes on outside the window. For |x| > 1/2 it is 0.", NoWindow),
    ),
    hints=(
        "Start from the Sigmoid above and change its formulas: the primitive, the slope in `backward`, "
        "the name and the default of the parameter. Where does the threshold lie for u, and where for x?",
        "`forward` gives `heaviside(x)`; `backward` gives `grad_output * dspike_slope(x + 0.5, ctx.b)` "
        "for x and None for b.",
        "`super().__init__(spiking=spiking, b=b)` makes `b` a parameter: the base class reads it anew at "
        "each call and hands it to `spiking_function(x, b)` and `primitive_function(x, b)`. The "
        "primitive is `dspike(x + 0.5, b)`.",
    ),
    withheld=("snnkit.surrogate.Dspike",),
)
