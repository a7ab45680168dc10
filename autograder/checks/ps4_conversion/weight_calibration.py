"""Weight calibration with a straight-through floor."""

from functools import partial

import numpy as np

import snnkit.conversion
from autograder.question import Case, Group, Question, Slip, Tolerance, call


def calibrated(answer, weight, bias, inputs, activation, threshold, steps, initial):
    """A calibrated layer, and what became of the given one."""
    found = answer["calibrate_weights"](weight, bias, inputs, activation, threshold, steps, initial)
    detached = not (found[0].requires_grad or found[1].requires_grad)
    kept = {"given weight": weight, "given bias": bias, "detached": detached}
    return {"weight": found[0], "bias": found[1], **kept}


LARGEST_ERROR = 0.04
"""Mean squared error: the reference reaches 0.021 to 0.030 (8 seeds), a bias correction alone 0.058 to 0.079, weights
that fit the ReLU 0.055 to 0.102, unmoved weights 0.15 to 0.56."""


def floored(x):
    return np.floor(x.astype(np.float64))


def staircase(z, threshold, steps, initial):
    charge = (steps * z.astype(np.float64) + initial) / threshold
    return threshold / steps * np.clip(np.floor(charge), 0, steps)


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


def average(layer, asked):
    """What the neurons of a layer transmit, in double precision."""
    current = asked["inputs"].astype(np.float64) @ layer["weight"].T + layer["bias"]
    return staircase(current, asked["threshold"], asked["steps"], asked["initial"])


def error_of(output, asked):
    return float(((output - asked["activation"]) ** 2).mean())


def judge(got, asked):
    for key in ("weight", "bias"):
        if got[key].shape != asked[key].shape:
            return f"{key} has shape {list(got[key].shape)}; expected {list(asked[key].shape)}"
        if not np.isfinite(got[key]).all():
            return f"the calibrated {key} is not finite"
        if not np.array_equal(got[f"given {key}"], asked[key]):
            return f"the {key} that you were given has changed; calibrate a copy"
    if not got["detached"]:
        return "the calibrated weight or bias still requires gradients; return both detached"
    before, after = (error_of(average(layer, asked), asked) for layer in (asked, got))
    if after > LARGEST_ERROR:
        return f"the mean squared error goes from {before:.3g} to {after:.3g}; the bar is {LARGEST_ERROR}"
    return None


def layer_to_calibrate(rng):
    """A linear layer whose inputs are floored, and too small by another share in each channel."""
    threshold, level = 2.0, 0.25
    exact = np.maximum(rng.normal(0.5, 0.6, size=(128, 12)), 0)
    weight = np.abs(rng.normal(0, 0.35, size=(6, 12))) * rng.choice([-1, 1, 1], size=(6, 12))
    bias = rng.uniform(0.2, 0.5, size=6)
    layer = {
        "weight": weight,
        "bias": bias,
        "inputs": level * np.floor(exact / level) * rng.uniform(0.3, 1.0, size=12),
        "activation": np.clip(exact @ weight.T + bias, 0, threshold),
    }
    arrays = {key: value.astype(np.float32) for key, value in layer.items()}
    return {**arrays, "threshold": threshold, "steps": 4, "initial": 0.0}


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
    for at in (1, 2):
        yield Case("learn", f"layer {at}", call(calibrated, **layer_to_calibrate(rng)))


def no_slope(got, asked):
    return got["gradient"].size > 0 and not got["gradient"].any()


def given_changed(got, asked):
    return not all(np.array_equal(got[f"given {key}"], asked[key]) for key in ("weight", "bias"))


def never_moved(got, asked):
    return got["weight"].shape == asked["weight"].shape and np.allclose(got["weight"], asked["weight"])


def fits_without_floor(got, asked):
    """Whether the clipped current is much closer to the activation than the staircase: no floor was in the loss."""
    if any(got[key].shape != asked[key].shape for key in ("weight", "bias")):
        return False

    def clipped(layer):
        current = asked["inputs"].astype(np.float64) @ layer["weight"].T + layer["bias"]
        return error_of(np.clip(current, 0, asked["threshold"]), asked)

    return clipped(got) < 0.5 * min(error_of(average(got, asked), asked), clipped(asked))


QUESTION = Question(
    "ps4.weight_calibration",
    "Weight calibration with a straight-through floor",
    (
        Group("forward", 0.5, "forward: floor and clip-floor"),
        Group("gradient", 1.0, "backward: through the floor, not the clip"),
        Group("learn", 1.5, "`calibrate_weights`", judge),
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
            "trained_without_floor",
            "The weights fit the activation as long as nothing is floored, and the floor then takes half a level "
            "away. The loss must compare the activation with what the layer gives at the end: `clip_floor_ste` of "
            "the current, floored and not rounded.",
            seen=fits_without_floor,
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
