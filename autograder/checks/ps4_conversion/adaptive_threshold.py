"""The adaptive threshold."""

from functools import partial

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

GRID = 100


def rows_of(activation):
    """Activations [C, M] in double precision."""
    return np.moveaxis(activation.astype(np.float64), 1, 0).reshape(activation.shape[1], -1)


def staircase_error(rows, theta, steps, offset, power=2, clipped=True):
    """Sum over each row of |ClipFloor - x| to a power; power 0 is the plain difference."""
    level = theta[:, None] / steps
    count = np.floor(rows / level + offset)
    difference = level * (np.clip(count, 0, steps) if clipped else count) - rows
    return (difference if power == 0 else np.abs(difference) ** power).sum(1)


def revived(best, largest):
    alive = largest > 0
    return np.where(alive, best, best[alive].max() if alive.any() else 1.0)


def search(activation, steps, offset, *, power=2, layer=False, clipped=True, worst=False):
    """The best candidate of each channel, with the ways in which the search can go wrong."""
    rows = rows_of(activation)
    searched = rows.reshape(1, -1) if layer else rows
    largest = searched.max(1)
    best, lowest = np.zeros(len(searched)), np.full(len(searched), np.inf)
    for index in range(1, GRID + 1):
        theta = np.where(largest > 0, largest * index / GRID, 1.0)
        error = staircase_error(searched, theta, steps, offset, power, clipped) * (-1 if worst else 1)
        best, lowest = np.where(error < lowest, theta, best), np.minimum(error, lowest)
    return np.repeat(best, len(rows)) if layer else revived(best, largest)


def searched_with(offset):
    return lambda activation, steps, _: search(activation, steps, offset)


def maxima(activation, steps, offset):
    largest = rows_of(activation).max(1)
    return revived(largest, largest)


def judge(got, asked):
    theta, rows = got["thresholds"].astype(np.float64), rows_of(asked["activation"])
    if theta.shape != (len(rows),):
        return f"thresholds has shape {list(theta.shape)}; expected one for each channel, [{len(rows)}]"
    if not_positive(theta).any():
        bad = int(np.argmax(not_positive(theta)))
        dead = " (a dead channel)" if rows[bad].max() <= 0 else ""
        return (
            f"the threshold of channel {bad}{dead} is {float(theta[bad]):g}; a threshold is a number above 0"
        )
    best = search(**asked)
    reached, lowest = (staircase_error(rows, t, asked["steps"], asked["offset"]) for t in (theta, best))
    slack = 1e-3 * lowest + 1e-9 * (rows**2).sum(1)
    for channel in range(len(rows)):
        if rows[channel].max() <= 0:
            wanted = best[channel]
            if abs(theta[channel] - wanted) > 2e-2 * wanted:
                return (
                    f"channel {channel} is dead; its threshold is {theta[channel]:.4g}, expected {wanted:.4g}"
                )
        elif reached[channel] > lowest[channel] + slack[channel]:
            return (
                f"channel {channel}: the threshold {theta[channel]:.4g} has a squared error of {reached[channel]:.4g}; "
                f"the threshold {best[channel]:.4g} has {lowest[channel]:.4g}"
            )
    return None


def not_positive(values):
    return ~np.isfinite(values) | (values <= 0)


def no_threshold(*, dead):
    """Whether a channel that is dead, or one that is alive, got no number above 0."""

    def seen(got, asked):
        theta, largest = got["thresholds"], rows_of(asked["activation"]).max(1)
        return theta.shape == largest.shape and bool((not_positive(theta) & ((largest <= 0) == dead)).any())

    return seen


def dead_is_one(got, asked):
    dead = rows_of(asked["activation"]).max(1) <= 0
    theta = got["thresholds"]
    return (
        bool(dead.any() and not dead.all())
        and judge(got, asked) is not None
        and bool((theta[dead] == 1).all())
    )


def cases(rng):
    def activation(shape, dtype=np.float64):
        scale = np.array([0.5, 1.0, 3.0, 0.8])[: shape[1]].reshape(1, -1, *[1] * (len(shape) - 2))
        return (np.maximum(rng.exponential(1.0, size=shape) - 0.3, 0) * scale).astype(dtype)

    for group, offset in (("floor", 0.0), ("start", 0.5)):
        for label, shape, steps, dtype in (
            ("[8, 3, 4, 4], T = 8", (8, 3, 4, 4), 8, np.float64),
            ("[200, 4], T = 4", (200, 4), 4, np.float64),
            ("[64, 2], T = 1, float32", (64, 2), 1, np.float32),
        ):
            asked = call("adaptive_threshold", activation(shape, dtype), steps, offset)
            yield Case(group, f"{label}, offset {offset:g}", asked)
    # Channel 0 is best served by the smallest candidate, channel 1 by the largest.
    extremes = np.stack([np.full(10_000, 0.0125), rng.integers(0, 2, 10_000) / 2], 1)
    extremes[0] = 1.0, 0.5
    yield Case("floor", "the first and the last candidate", call("adaptive_threshold", extremes, 1, 0.0))
    # What is most negative, what has the largest square and what is finest are three candidates.
    few = np.concatenate([[1.0], np.full(60, 0.305)])[:, None] * np.array([1.0, 2.0])
    yield Case("floor", "one large and many small activations", call("adaptive_threshold", few, 1, 0.0))
    small = 0.02 * activation((40, 3))
    yield Case("start", "[40, 3], small activations", call("adaptive_threshold", small, 4, 0.5))
    one_dead, all_dead = activation((30, 3, 2, 2)), np.zeros((6, 2, 3, 3))
    one_dead[:, 1] = 0.0
    for label, values in (("one channel dead", one_dead), ("all channels dead", all_dead)):
        yield Case("dead", label, call("adaptive_threshold", values, 4, 0.5))


QUESTION = Question(
    "ps4.adaptive_threshold",
    "The adaptive threshold",
    (
        Group("floor", 1.0, "neurons that start at 0", judge),
        Group("start", 1.0, "neurons that start at half the threshold", judge),
        Group("dead", 1.0, "dead channels", judge),
    ),
    cases,
    {"adaptive_threshold": search},
    gives={"adaptive_threshold": ("thresholds",)},
    within=Tolerance(
        0.0001, 1e-09, "a threshold is right when its squared error is within 0.1 % of the grid's lowest"
    ),
    uses={"clip_floor": "ps4.clip_floor"},
    slips=(
        Slip(
            "zero_candidate",
            "A threshold of 0 (or nan) came out for a channel that is alive: 0 is among the candidates, and dividing "
            "by it gives nan, which no comparison orders. Begin at 1/100 of the maximum.",
            seen=no_threshold(dead=False),
        ),
        Slip(
            "dead_channel",
            "A dead channel got a threshold of 0 or nan: its maximum is 0, so all of its candidates are 0. Give it "
            "the largest threshold of the other channels (1 if there is none).",
            seen=no_threshold(dead=True),
        ),
        Slip(
            "difference_not_squared",
            "The smallest candidate came out for every channel. It has the largest squared error, and the plain "
            "difference is most negative there, where everything is clipped: the sum of squares is to be smallest.",
            partial(search, power=0),
        ),
        Slip(
            "worst_candidate",
            "This is the candidate with the largest squared error: `argmin` finds the smallest.",
            partial(search, worst=True),
        ),
        Slip(
            "not_clipped",
            "Without the clip at T spikes the finest staircase is always the best, so the smallest candidate came out. "
            "The neuron sends at most T spikes: search with `clip_floor`.",
            partial(search, clipped=False),
        ),
        Slip(
            "dead_is_one",
            "A dead channel got the threshold 1. That is for a layer in which all channels are dead; otherwise it gets the "
            "largest threshold of the others.",
            seen=dead_is_one,
        ),
        Slip(
            "absolute_difference",
            "This minimises the sum of absolute differences. Asked for is the sum of squares, which punishes clipped "
            "outliers more.",
            partial(search, power=1),
        ),
        Slip(
            "searched_with_floor",
            "This is the best threshold for neurons that start at 0. These start at offset times their threshold: "
            "use initial = offset * theta in the staircase that you search with.",
            searched_with(0.0),
        ),
        Slip(
            "searched_with_rounding",
            "This is the best threshold for neurons that start at half of it. These start at 0.",
            searched_with(0.5),
        ),
        Slip(
            "one_for_the_layer",
            "This is one threshold for the whole layer. Search in each channel by itself.",
            partial(search, layer=True),
        ),
        Slip(
            "maximum_not_searched",
            "This is the maximum of each channel. It avoids clipping; the squared error is smaller at a lower "
            "threshold.",
            maxima,
        ),
    ),
    hints=(
        "For one channel and one candidate, how large is the squared error? Which candidate has the smallest? "
        "What is v(0) for this candidate?",
        "Bring the activation to [C, all values of the channel], take 100 candidates for each channel, compute "
        "`clip_floor(rows, theta, steps, offset * theta)` and sum the squared differences over the last axis.",
        "`rows = activation.transpose(0, 1).flatten(1)`; candidates `[100, C]`; errors `[100, C]`; "
        "`candidates.gather(0, errors.argmin(0, keepdim=True)).squeeze(0)`. Then `torch.where(rows.amax(1) > 0, "
        "best, best[alive].max())` for dead channels.",
    ),
    withheld=(
        "snnkit.conversion.threshold.Adaptive",
        "snnkit.conversion.threshold.staircase_errors",
        "snnkit.conversion.threshold.set_thresholds",
    ),
)
