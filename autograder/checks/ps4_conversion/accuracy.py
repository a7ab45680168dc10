"""Accuracy against time."""

import numpy as np

import snnkit.conversion
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .network import spiking_accuracy, trained
from .network_probe import converted

BAR = 0.88
"""At two steps the reference names 94 to 96 % (5 networks), the start at half of maximal thresholds 82 to 87 %, a search
with the start that is not run 37 to 78 %."""

STEPS = 2
NETWORKS = (0, 3)


def named_by_mean(logits):
    """The class named after each step, [T, N]."""
    return logits.cumsum(axis=0).argmax(axis=2)


def named_by_vote(logits):
    return named_by_mean(np.eye(logits.shape[2])[logits.argmax(axis=2)])


def curve(named=named_by_mean, whole=1.0):
    """Shares of right answers, with the ways in which they can go wrong."""
    return lambda logits, labels: whole * (named(logits) == labels).mean(axis=1)


def images_ignored(got, asked):
    """Whether darker images have the same thresholds."""
    first, darker = got["threshold 1"], got["darker threshold"]
    return first.shape == darker.shape and np.allclose(first, darker)


def judge(got, asked):
    for key, value in got.items():
        if not np.isfinite(value.astype(np.float64)).all():
            return f"{key} of your network is not finite"
        if key.startswith("threshold") and not (value > 0).all():
            return f"{key} of your network is not above 0"
    try:
        accuracy = spiking_accuracy(got, asked["readout"], asked["steps"])
    except ValueError as error:
        return f"your layers do not fit together: {error}"
    if accuracy < BAR:
        return (
            f"after {asked['steps']} steps the converted network names {accuracy:.1%} of the held-out digits; the bar is "
            f"{BAR:.0%} (chance is 10%)"
        )
    if images_ignored(got, asked):
        return "for darker images the thresholds come out the same; `convert` is to look at the `images` that it is given"
    if not got["model is what it was"]:
        return "the trained network is not what it was: its tensors or its evaluation mode have changed"
    return None


def cases(rng):
    for label, shape in (
        ("T = 8, 60 images, 5 classes", (8, 60, 5)),
        ("T = 1", (1, 20, 4)),
        ("T = 5, one image", (5, 1, 3)),
    ):
        labels = rng.integers(0, shape[2], size=shape[1])
        logits = rng.normal(size=shape) + 0.8 * np.eye(shape[2])[labels]
        yield Case("curve", label, call("accuracy_against_steps", logits, labels))
    for seed in NETWORKS:
        asked = call(converted, **trained(seed), steps=STEPS)
        yield Case("convert", f"a network trained from seed {seed}", asked)


def not_folded(got, asked):
    own = asked["blocks"][0]["weight"]
    return got["weight 1"].shape == own.shape and np.allclose(got["weight 1"], own)


def starts_at_zero(got, asked):
    return not any(got[f"initial {index}"].any() for index in (1, 2, 3))


def are_maxima(got, asked):
    for index, largest in enumerate(asked["largest"], start=1):
        theta = got[f"threshold {index}"]
        channel = theta.shape == largest.shape and np.allclose(theta, largest, rtol=1e-4)
        if not channel and not np.allclose(theta, largest.max(), rtol=1e-4):
            return False
    return True


QUESTION = Question(
    "ps4.accuracy",
    "Accuracy against time",
    (
        Group("curve", 0.75, "`accuracy_against_steps`: the mean logits after each step"),
        Group("convert", 1.25, "`convert`: two steps are enough", judge),
    ),
    cases,
    {"accuracy_against_steps": curve(), "convert": snnkit.conversion.convert},
    gives={"accuracy_against_steps": ("accuracy",)},
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    uses={
        "fold_batchnorm": "ps4.fold_batchnorm",
        "adaptive_threshold": "ps4.adaptive_threshold",
        "correct_biases": "ps4.bias_correction",
    },
    slips=(
        Slip(
            "last_step_alone",
            "Each accuracy is that of one step by itself. The answer after t steps is the mean of the logits of the "
            "steps 1 to t.",
            curve(lambda logits: logits.argmax(axis=2)),
        ),
        Slip(
            "mean_of_all_steps",
            "Each accuracy is that of the whole run: the mean over all T steps knows the future. After t steps, "
            "average over the first t.",
            curve(lambda logits: np.repeat(named_by_mean(logits)[-1:], len(logits), axis=0)),
        ),
        Slip(
            "votes",
            "The answers of the single steps are counted as votes. Average the logits first, then take the largest.",
            curve(named_by_vote),
        ),
        Slip("per_cent", "These are per cent. Give shares between 0 and 1.", curve(whole=100.0)),
        Slip(
            "images_ignored",
            "`convert` searches its thresholds on other images than those that it is given, such as the notebook's own. The "
            "test images, above all, are there to measure the result.",
            seen=images_ignored,
        ),
        Slip(
            "not_folded",
            "The weights are the convolution's own: the BatchNorm behind it is lost. Fold it with `fold_batchnorm`.",
            seen=not_folded,
        ),
        Slip(
            "starts_at_zero",
            "Your neurons start at 0, so two steps floor almost everything away. Start them at half their threshold, "
            "and search the thresholds with the same offset.",
            seen=starts_at_zero,
        ),
        Slip(
            "maximal_thresholds",
            "Your thresholds are the largest activations. With two steps that makes the levels too coarse: use the "
            "adaptive threshold.",
            seen=are_maxima,
        ),
    ),
    hints=(
        "`torch.cumsum` along time gives the sum of the logits after every step. Does dividing by t change which "
        "is the largest? For `convert`: which of your functions does each line of the recipe in section 10 name?",
        "`(logits.cumsum(0).argmax(2) == labels)` is right or wrong for each step and image. `convert` walks "
        "through the three blocks: fold, run the block on the activation, search the threshold with offset 0.5, "
        "start at half of it.",
        "`for block in list(model)[:3]:` `weight, bias = fold_batchnorm(block.conv.weight, block.conv.bias, "
        "block.norm)`, `activation = block(activation)`, `threshold = adaptive_threshold(activation, steps, "
        "0.5)`, `SpikingLayer(weight, bias, threshold, stride=block.conv.stride, initial=threshold.reshape(-1, "
        "1, 1) / 2)`.",
    ),
    withheld=("snnkit.conversion.trace.convert",),
)
