"""Weight perturbation: a search that keeps what lowers the loss, and a gradient from pairs of losses."""

import math
from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .perturbation_probe import directional, on_a_bowl, on_a_neuron

BAR = 5.5
"""Loss in spikes² after 400 proposals: the reference comes to 4 or less, a random walk ends above 7."""


def neuron():
    """Sixteen patterns of spikes on twenty synapses, and how many spikes the neuron shall answer with."""
    rng = np.random.default_rng(20)
    return {
        "spikes": (rng.random((20, 16, 20)) < 0.2).astype(np.float64),
        "wanted": 5.0 * (np.arange(16) % 2),
        "start": rng.uniform(0.05, 0.15, 20),
    }


def start_loss(spikes, wanted, start):
    """Loss of the neuron before it learns."""
    v, count = np.zeros(len(wanted)), np.zeros(len(wanted))
    for current in spikes @ start:
        charge = 0.9 * v + current
        spike = charge >= 1
        v, count = charge - spike, count + spike
    return float(((count - wanted) ** 2).mean())


def value(asked, w):
    """The objective of a bowl."""
    away = w - asked["centre"]
    bowl = (asked["power"] * away**2).sum() + asked["cubic"] * (away**3).sum()
    return float(max(bowl, asked["bottom"]))


def estimate(asked, *, one_sided=False, factor=1.0, summed=False, direction=True):
    """The estimated gradient, with the ways in which it can go wrong."""
    start, scale, directions = asked["start"], asked["scale"], asked["directions"]
    total = np.zeros_like(start)
    for e in directions:
        below = start if one_sided else start - scale * e
        rise = (value(asked, start + scale * e) - value(asked, below)) / (scale if one_sided else 2 * scale)
        total = total + factor * rise * (e if direction else np.ones_like(e))
    return {
        "gradient": total / (1 if summed else len(directions)),
        "evaluations": 2 * len(directions),
        "weights before": start,
    }


def cases(rng):
    def bowl(size, low, high):
        start, centre = rng.normal(size=size), rng.normal(size=size)
        return {"start": start, "centre": centre, "power": rng.uniform(low, high, size)}

    bowls = []
    for size, steps in ((64, 60), (100, 40)):
        given = {**bowl(size, 0.2, 2), "cubic": 0.0, "bottom": 0.0, "steps": steps, "scale": 0.1}
        bowls.append({**given, "seed": int(rng.integers(1000))})
        yield Case("keeps", f"a bowl with {size} weights, {steps} steps", call(on_a_bowl, **bowls[-1]))
    flat = {**bowls[0], "centre": bowls[0]["start"], "bottom": 3.0}
    yield Case("keeps", "a bowl with a flat bottom, from its middle", call(on_a_bowl, **flat))
    for seed in (1, 2):
        asked = call(on_a_neuron, **neuron(), steps=400, scale=0.05, seed=seed)
        yield Case("learns", f"a spiking neuron with 20 weights, seed {seed}", asked)
    for label, size, count, cubic, scale in (
        ("a quadratic, 4 directions", 5, 4, 0.0, 0.3),
        ("a cubic, 7 directions", 3, 7, 0.4, 0.5),
        ("a single direction", 6, 1, 0.2, 0.4),
    ):
        given = {**bowl(size, 0.5, 2), "cubic": cubic, "bottom": -math.inf, "scale": scale}
        asked = call(directional, **given, directions=rng.choice([-1.0, 1.0], (count, size)))
        yield Case("gradient", label, asked)


def rises(got):
    return bool((np.diff(got["history"]) > 1e-12).any())


def falls(got):
    return bool((np.diff(got["history"]) < -1e-12).any())


def first_noise(got, asked):
    """The noise of the first proposal, in units of the scale."""
    return (got["asked"][1] - asked["start"]) / asked["scale"]


def among_asked(got, asked):
    seen = np.concatenate([got["asked"], asked["start"][None]])
    return bool(np.isclose(seen, got["theta"], rtol=0, atol=1e-9).all(1).any())


def one_weight(got, asked):
    return len(got["asked"]) > 1 and np.count_nonzero(first_noise(got, asked)) < 0.1 * asked["start"].size


def same_noise(got, asked):
    """Whether the noise of the first two proposals is the same."""
    if len(got["asked"]) < 3:
        return False
    theta = got["asked"][1] if got["history"][1] < got["history"][0] else asked["start"]
    return np.allclose((got["asked"][2] - theta) / asked["scale"], first_noise(got, asked), atol=1e-6)


def in_form(when):
    """The same of a run with a history of the right length and everything else in its shape."""
    return lambda got, asked: (
        got["history"].shape == (asked["steps"] + 1,)
        and got["theta"].shape == asked["start"].shape
        and got["asked"].ndim == 2
        and when(got, asked)
    )


def keeps(got, asked):
    """What a run on a bowl must be."""
    history, steps, begun = got["history"], asked["steps"], value(asked, asked["start"])
    if history.shape != (steps + 1,):
        return (
            f"the history has shape {list(history.shape)}; expected [{steps + 1}]: the start, then one entry "
            "a step"
        )
    if not np.isclose(history[0], begun):
        return f"the history begins with {history[0]:.5g}; expected the loss at the start, {begun:.5g}"
    if not np.allclose(got["weights before"], asked["start"]):
        return "the tensor that was handed in has changed"
    if rises(got):
        at = int(np.flatnonzero(np.diff(history) > 1e-12)[0])
        return (
            f"the loss rises in step {at + 1}, from {history[at]:.5g} to {history[at + 1]:.5g}; it never may"
        )
    if not np.isclose(history[-1], got["value"]):
        return (
            f"the loss at the theta that is returned is {float(got['value']):.5g}; the history ends with "
            f"{history[-1]:.5g}"
        )
    if len(got["asked"]) != steps + 1:
        return (
            f"the objective was evaluated {len(got['asked'])} times in {steps} steps; expected {steps + 1} "
            "times"
        )
    noise = first_noise(got, asked)
    if np.count_nonzero(noise) < 0.1 * noise.size:
        return f"the first proposal changes {np.count_nonzero(noise)} of {noise.size} weights; noise is drawn for all entries"
    if (noise > 0).all():
        return "the noise of the first proposal raises every weight; half of it should lower them"
    if not 0.6 < float(np.sqrt((noise**2).mean())) < 1.5 or abs(float(noise.mean())) > 0.6:
        return (
            f"the noise of the first proposal has the mean {noise.mean():.2f} and the root mean square "
            f"{np.sqrt((noise**2).mean()):.2f}, in units of `scale`; expected about 0 and 1"
        )
    if not np.allclose(got["again"], got["theta"]):
        return "two runs from generators with the same seed differ"
    lowered = np.flatnonzero(np.diff(history) < 0)
    kept = got["asked"][lowered[-1] + 1] if lowered.size else asked["start"]
    if not np.allclose(got["theta"], kept):
        return "noise was kept that left the loss as it was; only a smaller loss counts"
    return None


def learns(got, asked):
    """Whether the neuron came below the bar."""
    reached, history = float(got["value"]), got["history"]
    if reached <= BAR:
        return None
    end = f"; the history ends with {history[-1]:.3g}" if history.ndim == 1 and history.size else ""
    begun = start_loss(asked["spikes"], asked["wanted"], asked["start"])
    return (
        f"after {asked['steps']} proposals the loss at the theta that is returned is {reached:.3g}{end}; the bar "
        f"is {BAR:g} (it begins at {begun:.3g}, and the best constant answer has 6.25)"
    )


QUESTION = Question(
    "ps6.perturbation",
    "Weight perturbation",
    (
        Group("keeps", 1.0, "`perturb`: keeps what lowers the loss, and nothing else", keeps),
        Group("learns", 0.75, f"`perturb`: a spiking neuron learns, to a loss of {BAR:g}", learns),
        Group("gradient", 1.25, "`directional_gradient`: two-sided, along every direction"),
    ),
    cases,
    ("perturb", "directional_gradient"),
    values=estimate,
    within=Tolerance(1e-6, 1e-8, "double precision; a difference of two losses divided by twice the scale"),
    slips=(
        Slip(
            "worse_is_kept",
            "The comparison is turned: the noise is kept when the loss has risen, and the loss never falls.",
            seen=in_form(lambda got, asked: rises(got) and not falls(got)),
        ),
        Slip(
            "history_of_proposals",
            "The history holds the loss of every proposal, and the theta that comes back has the smallest "
            "of them. Append the loss of what was kept: where a proposal is discarded, the loss of the "
            "step before once more.",
            seen=in_form(lambda got, asked: rises(got) and np.isclose(got["value"], got["history"].min())),
        ),
        Slip(
            "noise_always_kept",
            "Every proposal is kept, whether the loss fell or rose: that is a random walk. Compare, and go "
            "back if the loss did not become smaller.",
            seen=in_form(lambda got, asked: rises(got) and falls(got)),
        ),
        Slip(
            "noise_drawn_again",
            "The theta that you keep was never evaluated: the noise is drawn once for the comparison and "
            "again for the step. Draw it once and keep the proposal itself.",
            seen=in_form(lambda got, asked: not among_asked(got, asked)),
        ),
        Slip(
            "start_overwritten",
            "The tensor of weights that was handed in has changed: `theta += noise` writes into it. Work "
            "on a copy, `theta.detach().clone()`.",
            seen=in_form(lambda got, asked: not np.allclose(got["weights before"], asked["start"])),
        ),
        Slip(
            "not_put_back",
            "The history keeps the best loss, but the weights do not go back: noise that raised the loss "
            "stays in them.",
            seen=in_form(
                lambda got, asked: not rises(got) and not np.isclose(got["history"][-1], got["value"])
            ),
        ),
        Slip(
            "noise_one_sided",
            "The noise raises every weight: `torch.rand` lies between 0 and 1. Gaussian noise is `torch.randn`.",
            seen=in_form(lambda got, asked: len(got["asked"]) > 1 and (first_noise(got, asked) > 0).all()),
        ),
        Slip(
            "one_weight_at_a_time",
            "A proposal changes one weight and leaves the others. The noise is a tensor in the shape of theta: every weight "
            "gets its own.",
            seen=in_form(one_weight),
        ),
        Slip(
            "same_noise_again",
            "Two proposals have the same noise: the generator is seeded anew in the loop, or the noise drawn before it.",
            seen=in_form(same_noise),
        ),
        Slip(
            "global_generator",
            "The noise does not come from the generator that was given, so it is another one each time: "
            "hand it on, `torch.randn(..., generator=generator)`.",
            seen=in_form(lambda got, asked: not np.allclose(got["again"], got["theta"])),
        ),
        Slip(
            "one_sided",
            "This is the one-sided difference, (E(w + h e) - E(w))/h. Its error does not vanish on a "
            "quadratic. Take both sides, and divide by 2 h.",
            gives=partial(estimate, one_sided=True),
        ),
        Slip(
            "divided_by_one_step",
            "This is twice as much: from w - h e to w + h e it is two steps, so the difference is divided "
            "by 2 h.",
            gives=partial(estimate, factor=2.0),
        ),
        Slip(
            "summed",
            "This is the sum over the directions. Divide by their number.",
            gives=partial(estimate, summed=True),
        ),
        Slip(
            "direction_missing",
            "Every entry of the estimate is the same: the slope along e has to be multiplied by e, so that "
            "each weight gets its sign.",
            gives=partial(estimate, direction=False),
        ),
        Slip(
            "sign_turned",
            "The sign is turned: above minus below.",
            gives=partial(estimate, factor=-1.0),
        ),
    ),
    hints=(
        "Which loss do you compare the new one with, and what do the weights look like after a proposal "
        "that was discarded?",
        "Keep theta and its loss. In each step: a new tensor theta + scale * noise, its loss, and both "
        "take the place of the old ones if the loss is smaller; the loss that counts now joins the "
        "history.",
        "`proposal = theta + scale * torch.randn(theta.shape, generator=generator, dtype=theta.dtype)`, "
        "`proposed = float(objective(proposal))`, `if proposed < value: theta, value = proposal, "
        "proposed`. For the gradient: `rise / (2 * scale) * direction`, averaged over `directions`.",
    ),
    withheld=(
        "snnkit.blackbox.perturb",
        "snnkit.blackbox.directional_gradient",
        "snnkit.blackbox.estimate_gradient",
        "snnkit.blackbox.perturbation_descent",
    ),
)
