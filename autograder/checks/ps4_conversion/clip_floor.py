"""The clip-floor relation."""

import numpy as np
import torch

import snnkit.conversion
from autograder.question import Case, Group, Question, Slip, Tolerance, call

from .dyadic import dyadic


def average(z, threshold, steps, initial):
    settings = {"threshold": torch.as_tensor(threshold), "initial": initial}
    return snnkit.conversion.clip_floor(z, steps=steps, **settings)


def whole(z, threshold, steps, initial):
    return torch.floor((steps * z + initial) / threshold)


def wrong(
    count=whole,
    clip=lambda n, steps: n.clamp(0, steps),
    height=lambda threshold, steps: threshold / steps,
):
    """A staircase with another count, clip or height."""
    return lambda z, threshold, steps, initial: (
        clip(count(z, threshold, steps, initial), steps) * height(threshold, steps)
    )


def cases(rng):
    for steps, theta in ((4, 1.0), (8, 0.5), (5, 2.0)):
        inside = theta * (rng.integers(0, steps, size=(3, 6)) + rng.uniform(0.1, 0.9, size=(3, 6))) / steps
        outside = theta * np.array([-3.0, -1.01, -0.3, -0.01, 1.01, 1.3, 5.0])
        for group, z in (("inside", inside), ("outside", outside)):
            asked = call("clip_floor", z.astype(np.float32), theta, steps, 0.0)
            yield Case(group, f"threshold {theta:g}, T = {steps}", asked, intact=group == "inside")
    exact = np.array([-0.25, 0.0, 0.25, 0.5, 0.75, 1.0, 1.25])
    at_counts = call("clip_floor", exact, 1.0, 4, 0.0)
    yield Case("inside", "currents at whole counts, T = 4, float64", at_counts, keeps_dtype=True)
    below = exact - 2.0**-14  # nothing that is added out of caution may lift them over the next count
    yield Case("inside", "currents just below whole counts, float64", call("clip_floor", below, 1.0, 4, 0.0))
    channels = np.array([0.5, 1.0, 2.0])
    for label, z, threshold, initial in (
        ("v(0) = threshold / 2", dyadic(rng, -8, 24, (40,), 16), 1.0, 0.5),
        ("v(0) = 0.75, threshold 2", dyadic(rng, -16, 64, (40,), 16), 2.0, 0.75),
        ("v(0) below 0", dyadic(rng, -8, 8, (40,), 16), 0.5, -0.25),
        ("one threshold and one v(0) per channel", dyadic(rng, -8, 40, (20, 3), 16), channels, channels / 4),
    ):
        yield Case("initial", label, call("clip_floor", z, threshold, 8, initial))
    empty = np.zeros((0, 3), dtype=np.float32)
    yield Case("initial", "no elements", call("clip_floor", empty, 1.0, 4, 0.5))


QUESTION = Question(
    "ps4.clip_floor",
    "The clip-floor relation",
    (
        Group("inside", 0.75, "currents between 0 and the threshold, v(0) = 0"),
        Group("outside", 0.5, "currents below 0 and above the threshold"),
        Group("initial", 0.75, "with v(0), with one threshold per channel, with no elements"),
    ),
    cases,
    {"clip_floor": average},
    right_in_torch=True,
    gives={"clip_floor": ("average",)},
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "floor_too_early",
            "z / threshold is floored before it is multiplied by T, so only 0 or a full train of spikes comes out. "
            "The floor is taken of the charge of all T steps.",
            wrong(lambda z, th, T, v: T * torch.floor((z + v / T) / th)),
        ),
        Slip(
            "rounded_to_nearest",
            "This rounds to the nearest count. A neuron that starts at 0 sends only whole spikes that have been "
            "charged: floor.",
            wrong(lambda z, th, T, v: torch.floor((T * z + v) / th + 0.5)),
        ),
        Slip(
            "strict_threshold",
            "Where the count comes out whole, one spike is missing, as if the neuron fired only above its threshold. "
            "At the threshold it fires.",
            wrong(lambda z, th, T, v: torch.ceil((T * z + v) / th) - 1),
        ),
        Slip(
            "initial_forgotten",
            "v(0) is not used. It is charge like any other: T z + v(0).",
            wrong(lambda z, th, T, v: torch.floor(T * z / th)),
        ),
        Slip(
            "initial_not_divided",
            "v(0) is added after dividing by the threshold. It is a potential: divide it too, (T z + v(0)) / "
            "threshold.",
            wrong(lambda z, th, T, v: torch.floor(T * z / th + v)),
        ),
        Slip(
            "initial_every_step",
            "v(0) is added in every step, T times in all. The neuron starts there once: T z + v(0).",
            wrong(lambda z, th, T, v: torch.floor(T * (z + v) / th)),
        ),
        Slip(
            "no_height",
            "These are rates, counts divided by T. A spike has the height of the threshold: times threshold / T.",
            wrong(height=lambda th, T: 1 / T),
        ),
        Slip(
            "count_for_average",
            "These are numbers of spikes. The average output is the count times threshold / T.",
            wrong(height=lambda th, T: 1),
        ),
        Slip(
            "no_upper_clip",
            "More than T spikes come out. One spike a step is all that a neuron can send: clip the count at T.",
            wrong(clip=lambda n, T: n.clamp(min=0)),
        ),
        Slip(
            "no_lower_clip",
            "Counts below 0 come out. Spikes cannot be negative: clip the count at 0.",
            wrong(clip=lambda n, T: n.clamp(max=T)),
        ),
        Slip(
            "clip_at_one",
            "The count is clipped at 1, so at most one spike in all comes out. In T steps there can be T.",
            wrong(clip=lambda n, T: n.clamp(0, 1)),
        ),
    ),
    hints=(
        "How much charge has arrived after T steps? How many whole thresholds is that, and how many of them can "
        "be sent?",
        "count = floor((T z + v(0)) / threshold), clipped to [0, T]; the average output is count times threshold "
        "/ T.",
        "`count = ((z * steps + initial) / threshold).floor().clamp(0, steps)`, then `count * threshold / steps`.",
    ),
    withheld=("snnkit.conversion.neuron.clip_floor", "snnkit.conversion.qcfs.staircase"),
)
