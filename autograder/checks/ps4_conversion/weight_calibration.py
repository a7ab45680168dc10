"""Weight calibration with a straight-through floor."""

from functools import partial

import numpy as np

import snnkit.conversion
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .calibrating import (
    FINE,
    STEPS,
    average,
    coarse_layer,
    course,
    error_of,
    far,
    fine_layer,
    led,
    staircase,
)

NEAR = 1e-3
"""How far a step of Adam may be led aside by rounding, on the fine staircase: 0.00004 was seen (150 runs)."""


def calibrated(answer, weight, bias, inputs, activation, threshold, steps, initial):
    """A calibrated layer, and what became of the given one."""
    found = answer["calibrate_weights"](weight, bias, inputs, activation, threshold, steps, initial)
    detached = not (found[0].requires_grad or found[1].requires_grad)
    kept = {"given weight": weight, "given bias": bias, "detached": detached}
    return {"weight": found[0], "bias": found[1], **kept}


LARGEST_ERROR = 0.05
"""Mean squared error: the reference reaches 0.019 to 0.031 (40 seeds); weights that fit the ReLU 0.053 to 0.102 from
v(0) = 0, weights trained without v(0) 0.06 and more from half a threshold."""


def floored(x):
    return np.floor(x.astype(np.float64))


def values(asked, *, whole=np.floor, counted=False, clipped=True):
    """A floor or a staircase, or its straight-through gradient, with the ways in which they can go wrong."""
    charge, level, low, high = asked.get("x"), 1.0, -np.inf, np.inf
    if charge is None:
        level, low, high = asked["threshold"] / asked["steps"], 0, asked["steps"]
        charge = (asked["steps"] * asked["z"].astype(np.float64) + asked["initial"]) / asked["threshold"]
    if "upstream" in asked:
        passed = (charge > low) & (charge < high) if clipped else True
        return {"gradient": asked["upstream"] * passed / (level if counted else 1.0)}
    return {"value": (1.0 if counted else level) * np.clip(whole(charge), low, high)}


def form(got, asked):
    """What is wrong with what came back, whatever was learnt."""
    for key in ("weight", "bias"):
        if got[key].shape != asked[key].shape:
            return f"{key} has shape {list(got[key].shape)}; expected {list(asked[key].shape)}"
        if not np.isfinite(got[key]).all():
            return f"the calibrated {key} is not finite"
        if not np.array_equal(got[f"given {key}"], asked[key]):
            return f"the {key} that you were given has changed; calibrate a copy"
    if not got["detached"]:
        return "the calibrated weight or bias still requires gradients; return both detached"
    return None


def judge_error(got, asked):
    if said := form(got, asked):
        return said
    before, after = (error_of(average(layer, asked), asked) for layer in (asked, got))
    if after > LARGEST_ERROR:
        return f"the mean squared error goes from {before:.3g} to {after:.3g}; the bar is {LARGEST_ERROR}"
    return None


def judge_course(got, asked):
    if said := form(got, asked):
        return said
    away = far(got, led(asked))
    if away > NEAR:
        return f"a weight or bias is {away:.2g} away from where {STEPS} steps of Adam lead it; expected at most {NEAR}"
    return None


def like(**ways):
    """Whether the layer was led astray in this way."""

    def seen(got, asked):
        near = NEAR if asked["threshold"] == FINE else 5 * NEAR
        return far(got, led(asked, **ways)) < near < far(got, led(asked))

    return seen


def other_steps(got, asked):
    """Whether the layer stands on Adam's way, before its end or behind it."""
    on_the_way = any(far(got, layer) < NEAR for layer in course(asked, steps=5 * STEPS))
    return on_the_way and far(got, led(asked)) > NEAR


def bias_kept(got, asked):
    return np.array_equal(got["bias"], asked["bias"]) and not never_moved(got, asked)


def both(label, asked, upstream):
    yield Case("forward", label, asked)
    yield Case("gradient", label, asked.gradient(upstream))


def cases(rng):
    for label, x in (
        ("a batch [5, 6]", rng.uniform(-3, 3, size=(5, 6)).astype(np.float32)),
        ("whole numbers and neighbours", np.array([-1.0, -0.99, -0.01, 0.0, 0.99, 1.0, 2.0])),
        ("no elements", np.zeros((0, 2), dtype=np.float32)),
    ):
        upstream = rng.uniform(-2, 2, size=x.shape).astype(x.dtype)
        yield from both(f"floor_ste, {label}", call("floor_ste", x), upstream)
    for steps, threshold, initial in ((4, 1.0, 0.0), (8, 2.0, 1.0), (5, 0.5, 0.25)):
        inside = rng.integers(0, steps, size=16) + rng.uniform(0.1, 0.9, size=16)
        outside = rng.uniform(steps + 1.2, steps + 4, size=4), rng.uniform(-4, -1.2, size=4)
        z = ((np.concatenate([inside, *outside]) * threshold - initial) / steps).astype(np.float32)
        upstream = rng.uniform(0.5, 2, size=z.shape).astype(np.float32)
        label = f"clip_floor_ste, threshold {threshold:g}, T = {steps}, v(0) = {initial:g}"
        yield from both(label, call("clip_floor_ste", z, threshold, steps, initial), upstream)
    for label, initial in (("v(0) = 0", 0.0), ("v(0) = threshold / 2", 1.0)):
        yield Case("learn", label, call(calibrated, **coarse_layer(rng, initial)))
    yield Case("steps", "a fine staircase, v(0) = 8 thresholds", call(calibrated, **fine_layer(rng)))


def no_slope(got, asked):
    return got["gradient"].size > 0 and not got["gradient"].any()


def given_changed(got, asked):
    return not all(np.array_equal(got[f"given {key}"], asked[key]) for key in ("weight", "bias"))


def never_moved(got, asked):
    return got["weight"].shape == asked["weight"].shape and np.allclose(got["weight"], asked["weight"])


def fits_without_floor(got, asked):
    """Whether no floor was in the loss: the clipped current is much closer to the activation than the staircase."""
    if form(got, asked) or judge_error(got, asked) is None:
        return False

    def clipped(layer):
        current = asked["inputs"].astype(np.float64) @ layer["weight"].T + layer["bias"]
        charged = current + asked["initial"] / asked["steps"]
        return error_of(np.clip(charged, 0, asked["threshold"]), asked)

    return clipped(got) < 0.5 * min(error_of(average(got, asked), asked), clipped(asked))


def without_floor(got, asked):
    """The same on either staircase; rounding is no floor either."""
    ways = [
        {"whole": whole, "start": start}
        for whole in (np.round, lambda charge: charge)
        for start in (True, False)
    ]
    led_astray = any(like(**way)(got, asked) for way in ways)
    return led_astray if asked["threshold"] == FINE else fits_without_floor(got, asked)


QUESTION = Question(
    "ps4.weight_calibration",
    "Weight calibration with a straight-through floor",
    (
        Group("forward", 0.5, "forward: floor and clip-floor"),
        Group("gradient", 1.0, "backward: through the floor, not the clip"),
        Group("learn", 1.0, "`calibrate_weights`: close to the activation", judge_error),
        Group("steps", 0.5, "`calibrate_weights`: 200 steps of Adam on weight and bias", judge_course),
    ),
    cases,
    {
        "floor_ste": floored,
        "clip_floor_ste": staircase,
        "calibrate_weights": snnkit.conversion.WeightCalibration,
    },
    values,
    gives={"floor_ste": ("value",), "clip_floor_ste": ("value",)},
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "no_gradient",
            "The result carries no gradient at all. Only the difference of floor and x is detached, not x itself: x "
            "+ (x.floor() - x).detach().",
            error=r"does not require grad|does not have a grad_fn",
        ),
        Slip(
            "zero_gradient",
            "The gradient is 0: this is the floor's own derivative, and no weight will move. Let the floor pass the "
            "gradient straight through.",
            seen=no_slope,
        ),
        Slip(
            "clip_passed_through",
            "The gradient is passed on where the output is clipped, too. There the neuron is silent or fires at "
            "every step, and a small change of z changes nothing: only the floor is straight-through.",
            gives=partial(values, clipped=False),
        ),
        Slip(
            "forward_not_floored",
            "Forward the floor has no effect: x comes out as it went in. The detached part is floor(x) - x, added to "
            "x.",
            gives=partial(values, whole=lambda charge: charge),
        ),
        Slip(
            "forward_rounded",
            "This rounds to the nearest whole number. The neuron floors.",
            gives=partial(values, whole=np.round),
        ),
        Slip(
            "height_missing",
            "This is a number of spikes. The average output is the count times threshold / T.",
            gives=partial(values, counted=True),
        ),
        Slip(
            "given_weights_changed",
            "The layer that you were given has changed. Begin with a copy: `weight = "
            "weight.detach().clone().requires_grad_()`.",
            seen=given_changed,
        ),
        Slip(
            "never_moved",
            "The weights have not moved. Either their gradient is 0 (the floor without its straight-through "
            "gradient) or what comes back is the layer that was given.",
            seen=never_moved,
        ),
        Slip(
            "start_forgotten",
            "The weights were calibrated for neurons that start at 0. Hand `initial` to `clip_floor_ste`: it must be the "
            "staircase that will be run.",
            seen=like(start=False),
        ),
        Slip(
            "bias_not_trained",
            "The bias is what it was. It is calibrated as well: `torch.optim.Adam([weight, bias], lr=0.01)`.",
            seen=bias_kept,
        ),
        Slip(
            "other_number_of_steps",
            "Adam stood here after another number of steps than 200.",
            seen=other_steps,
        ),
        Slip(
            "trained_without_floor",
            "The weights fit the activation as long as nothing is floored, and the floor then takes half a level "
            "away. The loss must compare the activation with what the layer gives at the end: `clip_floor_ste` of "
            "the current, floored and not rounded.",
            seen=without_floor,
        ),
    ),
    hints=(
        "You want floor(x) forward and x backward. What must be added to x so that its value becomes floor(x), "
        "and what must autograd not see of that?",
        "`x + (x.floor() - x).detach()` has the value of the floor and the gradient of x. The clip comes after "
        "it and keeps its own gradient. The training loop is an ordinary one, with two copied tensors as "
        "parameters.",
        "`weight, bias = (t.detach().clone().requires_grad_() for t in (weight, bias))`, `optimiser = "
        "torch.optim.Adam([weight, bias], lr=0.01)`; 200 times: `loss = F.mse_loss(clip_floor_ste(inputs @ "
        "weight.T + bias, threshold, steps, initial), activation)`, `optimiser.zero_grad()`, `loss.backward()`, "
        "`optimiser.step()`.",
    ),
    withheld=(
        "snnkit.conversion.calibration.WeightCalibration",
        "snnkit.conversion.layerwise.Layer",
        "snnkit.conversion.calibration.calibrate",
    ),
)
