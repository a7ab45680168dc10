"""SpikeProp: the derivatives of a firing time, and the chain rule through it."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Pace, Question, Slip, Tolerance, call

from .firing_time import digits
from .spike_response import eps, eps_slope, exact_times

BOTH = ["by weight", "by input time"]


def derivatives(answer, names, weight, inputs, times, tau, min_slope):
    """Those derivatives of given firing times that are named, and whether the arguments are what they were."""
    import torch

    given = [one.clone() for one in (weight, inputs, times)]
    by_weight, by_input = answer["firing_gradients"](weight, inputs, times, tau, min_slope)
    kept = all(map(torch.equal, given, (weight, inputs, times)))
    found = {"by weight": by_weight, "by input time": by_input}
    return {**{name: found[name] for name in names}, "arguments kept": kept}


def chained(answer, weight, inputs, times, tau, min_slope, upstream):
    """What comes back through the autograd function."""
    import torch

    sources = weight.requires_grad_(True), inputs.requires_grad_(True)
    found = answer["FiringTime"].apply(*sources, times, tau, min_slope)
    by_weight, by_inputs = torch.autograd.grad(found, sources, upstream)
    return {"gradient of the weights": by_weight, "gradient of the inputs": by_inputs}


def gradients(
    asked,
    *,
    sign=-1.0,
    response=eps,
    slope=lambda slope, smallest: np.maximum(slope, smallest),
    input_sign=1.0,
    input_weight=True,
    upstream=True,
    mean=False,
    mixed=False,
):
    """The arrays of a call, with the ways in which they can go wrong."""
    weight, inputs, times, tau = (asked[name] for name in ("weight", "inputs", "times", "tau"))
    fired = np.isfinite(times)[:, :, None]
    u = np.where(fired, times[:, :, None], 0.0) - inputs[:, None, :]
    slopes = eps_slope(u, tau)
    steepness = slope((weight * slopes).sum(-1, keepdims=True), asked["min_slope"])
    by_weight = np.where(fired, sign * response(u, tau) / steepness, 0.0)
    by_input = np.where(fired, input_sign * (weight if input_weight else 1.0) * slopes / steepness, 0.0)
    if "upstream" not in asked:
        found = {"by weight": by_weight, "by input time": by_input}
        return {**{name: found[name] for name in asked["names"]}, "arguments kept": np.array(1)}
    share = np.where(fired[:, :, 0], asked["upstream"] if upstream else 1.0, 0.0)
    summed = np.einsum("no,moi->oi" if mixed else "no,noi->oi", share, by_weight)
    return {
        "gradient of the weights": summed / len(times) if mean else summed,
        "gradient of the inputs": np.einsum("no,noi->ni", share, by_input),
    }


def fired_layer(rng, n, inputs, outputs, tau, extremes=False):
    """A layer in which every neuron fires with a good slope, and its firing times.

    With ``extremes`` one input comes at time 0 and another never.
    """
    while True:
        weight, sent = rng.normal(0.6, 0.3, (outputs, inputs)), rng.uniform(0, 2 * tau, (n, inputs))
        if extremes:
            sent[0, 0], sent[1, 1] = 0.0, math.inf
        times = exact_times(weight, sent, tau, 1.0, 8 * tau, tau / 40)
        if not np.isfinite(times).all():
            continue
        u = times[:, :, None] - sent[:, None, :]
        if ((weight * eps_slope(u, tau)).sum(-1) > 0.1 / tau).all():
            return {"weight": weight, "inputs": sent, "times": times, "tau": tau, "min_slope": 1e-2 / tau}


def cases(rng):
    for group, name in (("weights", "by weight"), ("inputs", "by input time")):
        for label, *sizes in (
            ("3 patterns, 5 inputs, 4 outputs, tau = 7", 3, 5, 4, 7.0),
            ("one neuron, tau = 2", 1, 4, 1, 2.0),
        ):
            yield Case(group, label, call(derivatives, names=[name], **fired_layer(rng, *sizes)))
    layer = fired_layer(rng, 1, 3, 2, 1.0)
    nothing = {**layer, "inputs": layer["inputs"][:0], "times": layer["times"][:0]}
    yield Case("weights", "no patterns", call(derivatives, names=["by weight"], **nothing))
    for excess in (1e-4, 1e-8):
        weight, tau = np.array([[1 + excess]]), 3.0
        times = np.array([[tau - tau * math.sqrt(2 * excess)]])
        grazing = {"weight": weight, "inputs": np.zeros((1, 1)), "times": times, "tau": tau}
        grazes = call(derivatives, names=BOTH, **grazing, min_slope=0.05)
        yield Case("guard", f"a weight {excess:g} above the threshold", grazes)
    falling = {
        "weight": np.array([[1.0]]),
        "inputs": np.zeros((1, 1)),
        "times": np.array([[2.0]]),
        "tau": 1.0,
    }
    yield Case("guard", "a potential that falls", call(derivatives, names=BOTH, **falling, min_slope=0.1))
    for label, hidden in (("one silent neuron", 1), ("all neurons silent", 3)):
        layer = fired_layer(rng, 2, 4, 3, 4.0, extremes=True)
        layer["times"][:, :hidden] = math.inf
        yield Case("silent", label, call(derivatives, names=BOTH, **layer))
    for n in (4, 2):
        layer = fired_layer(rng, n, 5, 3, 5.0)
        upstream = rng.normal(size=layer["times"].shape)
        yield Case("chain", f"{n} patterns", call(chained, **layer, upstream=upstream))
    layer = {**fired_layer(rng, 3, 4, 2, 2.0), "min_slope": 2.0}
    guarded = call(chained, **layer, upstream=rng.normal(size=layer["times"].shape))
    yield Case("chain", "slopes that are all below `min_slope`", guarded)


def silent_learns(got, asked):
    """Whether the derivatives of a silent neuron are numbers other than 0."""
    if got["by weight"].shape[:2] != asked["times"].shape:
        return False
    parts = [got[name][np.isinf(asked["times"])] for name in ("by weight", "by input time")]
    return all(np.isfinite(one).all() for one in parts) and any((one != 0).any() for one in parts)


def at_once(weight, inputs, times, tau, min_slope):
    """Both derivatives, of all patterns and neurons at once."""
    given = {"weight": weight, "inputs": inputs, "times": times, "tau": tau, "min_slope": min_slope}
    return gradients({**given, "names": BOTH})


QUESTION = Question(
    "ps6.spikeprop",
    "SpikeProp: the gradient of a firing time",
    (
        Group("weights", 1.0, "by the weights"),
        Group("inputs", 0.5, "by the input times"),
        Group("guard", 0.25, "a neuron that grazes its threshold"),
        Group("silent", 0.5, "a neuron that never fires"),
        Group("chain", 0.75, "`FiringTime.backward`: times the gradient from above, summed"),
    ),
    cases,
    ("firing_gradients", "FiringTime"),
    values=gradients,
    facts={
        "arguments kept": ("a tensor that you were given is no longer what it was", "the arguments were kept")
    },
    uses={"kernel": "ps6.response", "kernel_slope": "ps6.response"},
    within=Tolerance(1e-6, 1e-8, "double precision, sums of a few products"),
    slips=(
        Slip(
            "minus_missing",
            "The minus is missing. More weight lifts the potential, so the threshold is reached earlier: "
            "the time falls. A network that is trained with this sign learns the opposite.",
            gives=partial(gradients, sign=1.0),
        ),
        Slip(
            "slope_missing",
            "Nothing is divided by the slope of the potential, so a flat potential moves its crossing no "
            "further than a steep one.",
            gives=partial(gradients, slope=lambda slope, smallest: np.ones_like(slope)),
        ),
        Slip(
            "reciprocal_only",
            "This is minus the reciprocal of the slope, the same for every weight. The response eps(t_j - "
            "t_i) of the input belongs in the numerator: an input whose response is 0 moves nothing.",
            gives=partial(gradients, response=lambda u, tau: np.ones_like(u)),
        ),
        Slip(
            "input_sign_turned",
            "The sign of the derivative by the input times is turned. If all inputs come a millisecond "
            "later, so does the output: these derivatives add up to +1.",
            gives=partial(gradients, input_sign=-1.0),
        ),
        Slip(
            "input_weight_missing",
            "The weight is missing in the derivative by the input times: the input acts through its "
            "weight. Check that the derivatives add up to 1.",
            gives=partial(gradients, input_weight=False),
        ),
        Slip(
            "guard_missing",
            "The slope of the potential is nearly 0 here, and one neuron throws all weights away. Replace "
            "slopes below `min_slope` by it.",
            gives=partial(gradients, slope=lambda slope, smallest: slope),
        ),
        Slip(
            "guard_added",
            "`min_slope` is added to the slope, which makes every gradient too small. Take the larger of "
            "the two: `slope.clamp(min=min_slope)`.",
            gives=partial(gradients, slope=lambda slope, smallest: slope + smallest),
        ),
        Slip(
            "silent_nan",
            "The derivatives of a silent neuron are nan: infinity minus infinity, or 0 times infinity. Put "
            "a finite number in the place of its time, and 0 in the place of its derivatives.",
            seen=lambda got, asked: any(not np.isfinite(array).all() for array in got.values()),
        ),
        Slip(
            "silent_learns",
            "A neuron that never fired has derivatives other than 0. It has no firing time that could move.",
            seen=silent_learns,
        ),
        Slip(
            "upstream_missing",
            "The derivatives are summed without the gradient from above. `backward` multiplies each by "
            "`grad` of its neuron and pattern first.",
            gives=partial(gradients, upstream=False),
        ),
        Slip(
            "mean_over_patterns",
            "The gradient of the weights is the mean over the patterns. The chain rule sums; a mean "
            "belongs to the loss, if anywhere.",
            gives=partial(gradients, mean=True),
        ),
        Slip(
            "patterns_mixed",
            "The gradient from above of one pattern meets the derivatives of all others: both have the same letter for the "
            "pattern in `einsum`.",
            gives=partial(gradients, mixed=True),
        ),
        Slip(
            "not_summed",
            "`backward` returns one tensor for each argument of `forward`, in its shape: sum over the "
            "patterns for the weights, and over the outputs for the inputs.",
            error=r"returned an invalid gradient|returned an incorrect number of gradients",
        ),
    ),
    hints=(
        "What happens to the firing time if a weight grows? If all inputs come later by the same time? And "
        "if the neuron does not fire at all?",
        "-eps/slope and w eps'/slope, with slope = sum of w eps' over the inputs, not below `min_slope`; 0 "
        "for silent neurons. Then `backward`: multiply by `grad` and sum over what the argument does not "
        "have.",
        "`fired = torch.isfinite(times)`, `elapsed = torch.where(fired, times, 0.0)[:, :, None] - "
        "inputs[:, None, :]`, `pull = weight * kernel_slope(elapsed, tau)`, `slope = pull.sum(-1, "
        "keepdim=True).clamp(min=min_slope)`, and `torch.where(fired[:, :, None], ..., 0.0)` at the end. "
        "In `backward` `torch.einsum('no,noi->oi', grad, by_weight)`.",
    ),
    withheld=(
        "snnkit.spiketime.firing_time",
        "snnkit.spiketime._FiringTime",
        "snnkit.spiketime.SpikeProp",
        "snnkit.spiketime.spikeprop_network",
    ),
    pace=Pace(
        call("firing_gradients", *digits(10), np.linspace(5, 9, 100).reshape(10, 10), 4.0, 0.1),
        calls=15 * 180,
        below="the training on digits below",
        advice="Compute the derivatives of all patterns and neurons at once, without a loop over them.",
        reference={"firing_gradients": at_once},
    ),
)
