"""A loss on latencies, and the class whose neuron fires first."""

import math

import numpy as np
import torch
from torch.nn import functional as F

from autograder.question import Case, Group, Question, Slip, Tolerance, call
from snnkit.encoding import latency_decode, times_to_spikes
from snnkit.losses import latency_cross_entropy


def library_loss(times, labels, silent_time):
    return latency_cross_entropy(times, labels, silent_time=silent_time)


def library_class(times):
    """Of times that are whole numbers below 20."""
    return latency_decode(times_to_spikes(times, 20))


def loss_of(logits):
    """The cross entropy of what is not the logits that are asked for."""
    return lambda times, labels, silent_time: F.cross_entropy(logits(times, silent_time), labels)


def later_first(times, window):
    """The end of the window in the place of later times, with the gradient of ``clamp`` at the end itself."""
    return -torch.where(times <= window, times, window)


def shared_at_end(times, window):
    """The same with the gradient of a minimum, which two equal numbers share."""
    return -torch.minimum(times, torch.as_tensor(window, dtype=times.dtype))


def named_rightly(answer, times, labels):
    """As the notebook counts what was named rightly."""
    return {"share named rightly": (answer["first_to_fire"](times) == labels).double().mean()}


def read(chosen):
    """The classes that are chosen, and -1 where no neuron fires."""
    return lambda times: torch.where(torch.isinf(times).all(1), -1, chosen(times))


def cases(rng):
    def loss(times, labels, window):
        return call("latency_loss", times, labels, window)

    def gradient(times, labels, window):
        return loss(times, labels, window).gradient(np.ones((), times.dtype))

    for group, asked in (("loss", loss), ("gradient", gradient)):
        for label, n, classes, scale, late, dtype in (
            ("5 patterns, 3 classes", 5, 3, 3.0, 0, np.float64),
            ("float32, 10 classes", 4, 10, 2.0, 0, np.float32),
            ("late spikes, float32", 3, 4, 1.0, 300, np.float32),
        ):
            times = (rng.uniform(0, 2 * scale, (n, classes)).astype(dtype) + late).astype(dtype)
            labels = rng.integers(0, classes, n)
            window = 400.0 if late else 4 * scale
            asks = asked(times, labels, window)
            yield Case(group, label, asks, keeps_dtype=group == "loss", intact=group == "loss")
    each = np.arange(4)
    for label in ("silent neurons", "spikes after the window", "the labelled class is silent"):
        times = rng.uniform(0.5, 4, (4, 3))
        labels = rng.integers(0, 3, 4)
        if label.startswith("silent"):
            times[each, (labels + 1) % 3] = math.inf
        elif label.startswith("spikes"):
            times[each, (labels + 2) % 3] = 9.0
            times[0, (labels[0] + 1) % 3] = math.inf
        else:
            times[each, labels] = math.inf
        for asked in (loss, gradient):
            yield Case("silent", label, asked(times, labels, 6.0), intact=asked is loss)
    times = np.array([[1.0, 6, 2], [6, 5.5, 7]])
    yield Case("silent", "spikes exactly at the end of the window", loss(times, np.array([0, 0]), 6.0))
    yield Case("end", "spikes exactly at the end of the window", gradient(times, np.array([0, 0]), 6.0))
    for group, label, rows in (
        ("decode", "every neuron fires", rng.permuted(np.arange(1.0, 13), axis=0).reshape(3, 4)),
        ("decode", "some neurons are silent", np.array([[math.inf, 3, 2, 5], [4, math.inf, 1, math.inf]])),
        ("decode", "two fire at once", np.array([[7.0, 2, 2, 5], [1, 3, 1, 1]])),
        ("decode", "no patterns", np.zeros((0, 4))),
        ("nobody", "no neuron fires", np.array([[math.inf] * 3, [2, 1, math.inf], [2, 1, 3]])),
    ):
        yield Case(group, label, call("first_to_fire", rows), intact=group == "nobody")
    times, labels = rng.permuted(np.tile(np.arange(1.0, 5), (10, 1)), axis=1), rng.integers(0, 4, 10)
    yield Case("decode", "as the notebook counts", call(named_rightly, times=times, labels=labels))


QUESTION = Question(
    "ps6.latency_loss",
    "A loss on latencies, and the first to fire",
    (
        Group("loss", 0.75, "`latency_loss`: the mean over the patterns"),
        Group("gradient", 0.5, "its gradient by the times"),
        Group("silent", 0.5, "silent and late neurons: the end of the window, without gradient"),
        Group("end", 0.25, "a spike exactly at the end of the window passes no gradient on"),
        Group("decode", 0.5, "`first_to_fire`: the class that fires first"),
        Group("nobody", 0.5, "`first_to_fire`: -1 when nobody fires"),
    ),
    cases,
    {"latency_loss": library_loss, "first_to_fire": library_class},
    gives={"latency_loss": ("loss",), "first_to_fire": ("class",)},
    right_in_torch=True,
    within=Tolerance(1e-4, 2e-5, "float32: differences of times of the size 300 keep five digits"),
    slips=(
        Slip(
            "latest_wins",
            "The minus is missing: the class that fires last has the largest logit and wins. The logits "
            "are the negative times.",
            {
                "latency_loss": loss_of(lambda times, window: torch.where(times < window, times, window)),
                "first_to_fire": read(
                    lambda times: torch.where(torch.isinf(times), -math.inf, times).argmax(1)
                ),
            },
        ),
        Slip(
            "silent_at_zero",
            "A neuron that never fires is given the latency 0, so it counts as the first of all. Infinity "
            "stands for a spike that never comes, and in the loss the end of the window stands in for it.",
            {
                "latency_loss": loss_of(lambda times, window: -torch.where(times < window, times, 0.0)),
                "first_to_fire": lambda times: torch.where(torch.isinf(times), 0.0, times).argmin(1),
            },
        ),
        Slip(
            "largest_time",
            "This is the class with the largest time, and infinity is the largest of all. The first to "
            "fire has the smallest.",
            {"first_to_fire": lambda times: times.argmax(1)},
        ),
        Slip(
            "summed",
            "This is the sum over the patterns. Divide by their number, so that the loss does not grow "
            "with the batch.",
            lambda times, labels, silent_time: len(labels) * library_loss(times, labels, silent_time),
        ),
        Slip(
            "end_passes_gradient",
            "A spike exactly at the end of the window passes a gradient on here: `clamp(max=silent_time)` lets it through, "
            "and so does `<=`. Only a time below `silent_time` stands for itself: `torch.where(times < silent_time, ...)`.",
            loss_of(later_first),
        ),
        Slip(
            "end_shares_gradient",
            "A spike exactly at the end of the window passes half a gradient on: a minimum of two equal numbers shares it "
            "between them. Only a time below `silent_time` stands for itself: `torch.where(times < silent_time, ...)`.",
            loss_of(shared_at_end),
        ),
        Slip(
            "late_not_moved",
            "Only infinite times are replaced. A spike after the window was not seen either: every time "
            "that is not below `silent_time` becomes `silent_time`.",
            loss_of(lambda times, window: -torch.where(torch.isinf(times), window, times)),
        ),
        Slip(
            "infinity_kept",
            "The infinite times went into the softmax, where a silent neuron has no share at all, and the "
            "loss of a silent class is infinite. Put `silent_time` in the place of every time that is not "
            "below it.",
            loss_of(lambda times, window: -times),
        ),
        Slip(
            "not_finite",
            "The loss or its gradient is not finite: e^(-t) was computed by itself and became 0. Use a "
            "log-softmax, or PyTorch's cross entropy on the logits.",
            seen=lambda got, asked: any(not np.isfinite(array).all() for array in got.values()),
        ),
        Slip(
            "last_of_equals",
            "Of two neurons that fire at once the last one is taken. The question asks for the one with "
            "the smallest number.",
            {"first_to_fire": read(lambda times: times.shape[1] - 1 - times.flip(1).argmin(1))},
        ),
        Slip(
            "class_for_nobody",
            "Where nobody fires there is no answer, but you give one: the smallest of equal infinities is "
            "class 0. Return -1.",
            {"first_to_fire": lambda times: times.argmin(1)},
        ),
    ),
    hints=(
        "Small times are good, large logits are good: what leads from one to the other? Which class should "
        "win if all times are infinite?",
        "Replace every time that is not below `silent_time` by it, take minus the times as logits, and the "
        "cross entropy of the softmax, averaged. For reading: the smallest time, and -1 where all times "
        "are infinite.",
        "`seen = torch.where(times < silent_time, times, silent_time)`, then `F.cross_entropy(-seen, "
        "labels)`. `times.argmin(1)` takes the first of equals, and "
        "`torch.where(torch.isinf(times).all(1), -1, ...)` the -1.",
    ),
    withheld=(
        "snnkit.losses.latency_cross_entropy",
        "snnkit.encoding.latency_decode",
    ),
)
