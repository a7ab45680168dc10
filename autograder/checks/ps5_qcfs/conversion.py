"""From the activation to the neuron."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def fires(level):
    return np.floor(level.astype(float))


def fires_above(level):
    return np.ceil(level.astype(float)) - 1


def shift(levels, steps):
    return 1 / (2 * levels) - 1 / (2 * steps)


def answer(
    start=0.5,
    begins=None,
    height=True,
    bounded=True,
    count=fires,
    mean=shift,
    mean_with_half=lambda levels, steps: 0.0,
):
    """The right answer, and those that go wrong in one of their parts."""

    def average(z, clip, steps):
        level = np.clip(count(z * steps / clip + start), 0, steps if bounded else np.inf)
        return level / steps * (clip if height else 1.0)

    return {
        "spiking_parameters": lambda clip: (clip, start * clip if begins is None else begins),
        "converted_average": average,
        "mean_error": lambda levels, steps, half: (mean_with_half if half else mean)(levels, steps),
    }


def cases(rng):
    for clip in (1.0, 2.5, float(np.round(rng.uniform(0.2, 0.9), 2))):
        yield Case("parameters", f"clip = {clip:g}", call("spiking_parameters", clip))

    def average(label, z, clip, steps):
        return Case(
            "average", f"clip = {clip:g}, T = {steps}, {label}", call("converted_average", z, clip, steps)
        )

    for clip, steps in ((1.0, 4), (2.5, 7), (0.7, 16), (3.0, 1)):
        level = rng.integers(-3, steps + 3, size=(3, 8)) + 0.5 + rng.uniform(0.1, 0.9, size=(3, 8))
        yield average("a batch [3, 8]", np.asarray(clip / steps * level, np.float32), clip, steps)
    jumps = np.array([-0.25, 0, 0.25, 0.75, 1.25, 1.75, 2, 2.25], np.float32)
    yield average("z on the jumps", jumps, 2.0, 4)
    yield average("no elements", np.zeros((0, 2), np.float32), 1.0, 4)
    for levels, steps, half in (
        (4, 4, True),
        (4, 7, True),
        (8, 3, True),
        (4, 8, False),
        (8, 3, False),
        (4, 4, False),
    ):
        label = f"L = {levels}, T = {steps}, {'with' if half else 'without'} the half"
        yield Case("mean", label, call("mean_error", levels, steps, half))


QUESTION = Question(
    "ps5.conversion",
    "From the activation to the neuron",
    (
        Group("parameters", 1.0, "threshold and starting potential"),
        Group("average", 1.0, "the neuron's average output under a constant current"),
        Group("mean", 1.0, "the mean error for any T and L, with and without the half"),
    ),
    cases,
    answer(),
    gives={
        "spiking_parameters": ("threshold", "start"),
        "converted_average": ("average",),
        "mean_error": ("mean error",),
    },
    within=Tolerance(
        0.0001,
        0.002,
        "a mean over a grid of a thousand z is that exact; one spike moves an average by 0.04 or more",
    ),
    slips=(
        Slip(
            "strict_threshold",
            "This is what `>` gives. A neuron whose charge is exactly the threshold fires.",
            answer(count=fires_above),
        ),
        Slip(
            "start_at_zero",
            "With v(0) = 0 the neuron floors. The 1/2 of the activation is a start at half the threshold.",
            answer(start=0.0),
        ),
        Slip(
            "half_for_half_threshold",
            "The start is half of the threshold, not the number 1/2.",
            answer(begins=0.5),
        ),
        Slip(
            "start_at_threshold",
            "This starts at the threshold itself: each neuron then fires at once, whatever its input.",
            answer(start=1.0),
        ),
        Slip(
            "height_missing",
            "This is the firing rate N/T. The average output is that of spikes of height theta: theta N/T.",
            answer(height=False),
        ),
        Slip(
            "more_than_one_a_step",
            "The neuron sends at most one spike a step: N is at most T, and the average at most theta.",
            answer(bounded=False),
        ),
        Slip(
            "mean_turned",
            "The sign is turned: asked for is neuron minus activation. With T > L the neuron loses less by "
            "flooring than the activation, so the mean error is positive.",
            answer(mean=lambda levels, steps: -shift(levels, steps)),
        ),
        Slip(
            "whole_level",
            "Flooring loses half a level on average, not a whole one: 1/2L and 1/2T.",
            answer(mean=lambda levels, steps: 2 * shift(levels, steps)),
        ),
        Slip(
            "neuron_alone",
            "This is the error against z. The activation is floored too: asked for is the difference of the "
            "two.",
            answer(mean=lambda levels, steps: -1 / (2 * steps)),
        ),
        Slip(
            "half_cures_nothing",
            "With the half both staircases have the mean 1/2, whatever T and L: the mean error is 0.",
            answer(mean_with_half=shift),
        ),
    ),
    hints=(
        "Set the two formulas above side by side: where the activation has clip, L and 1/2, the neuron "
        "has theta, T and v(0)/theta.",
        "The neuron's count under a constant current z is N = clip(floor((T z + v(0))/theta), 0, T), and "
        "its average output is theta N/T. For the mean, floor without the half loses half a level: 1/2L "
        "for the activation, 1/2T for the neuron, in units of the clip.",
        "`threshold, start = clip, clip / 2`; `torch.floor((steps * z + start) / threshold).clamp(0, "
        "steps) * threshold / steps`; and `0.0 if half else 1 / (2 * levels) - 1 / (2 * steps)`.",
    ),
    withheld=(
        "snnkit.conversion.neuron.clip_floor",
        "snnkit.conversion.qcfs.QCFS",
        "snnkit.conversion.qcfs.mean_conversion_error",
    ),
)
