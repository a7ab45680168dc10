"""Threshold balancing by maximum and percentile."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def threshold(answer, batches, percent):
    """The threshold; a tensor of one element is a number."""
    found = answer["balanced_threshold"](batches, percent)
    return {"threshold": found.reshape(()) if getattr(found, "shape", None) == (1,) else found}


def together(asked):
    return np.concatenate([batch.ravel() for batch in asked["batches"]]).astype(np.float64)


def of_all(asked):
    return {"threshold": np.percentile(together(asked), asked["percent"])}


def of_batches(combine):
    """The batches' own percentiles, made one number."""

    def wrong(asked):
        values = [batch.astype(np.float64) for batch in asked["batches"] if batch.size]
        return {"threshold": combine([np.percentile(own, asked["percent"]) for own in values])}

    return wrong


def running_average(values, momentum=0.1):
    kept = values[0]
    for value in values[1:]:
        kept = (1 - momentum) * kept + momentum * value
    return kept


def without_zeros(asked):
    values = together(asked)
    return {"threshold": np.percentile(values[values > 0], asked["percent"])}


def cases(rng):
    for group, percent in (("maximum", 100.0), ("percentile", 99.0), ("percentile", 90.0)):
        for label, sizes, rest, dtype in (
            ("three batches [n, 4, 3, 3], the last one smaller", [8, 8, 3], (4, 3, 3), np.float32),
            ("two batches [n, 10], float64", [16, 5], (10,), np.float64),
            ("a batch without images among them", [6, 0, 6], (5,), np.float32),
        ):
            values = np.maximum(rng.normal(0, 1, size=(sum(sizes), *rest)), 0)
            batches = np.split(values, np.cumsum(sizes)[:-1])
            for index, part in enumerate(batches):
                part *= rng.uniform(0.5, 1.0) * (3.0 if index == 0 else 1.0)
            asked = {"batches": [part.astype(dtype) for part in batches], "percent": percent}
            yield Case(group, f"{label}, percent = {percent:g}", call(threshold, **asked))


QUESTION = Question(
    "ps4.balanced_threshold",
    "Threshold balancing by maximum and percentile",
    (
        Group("maximum", 1.0, "percent = 100: the largest activation of all"),
        Group("percentile", 1.0, "a percentile of all activations"),
    ),
    cases,
    ("balanced_threshold",),
    of_all,
    within=Tolerance(0.0001, 1e-06, "one float32 rounding per operation, a few operations deep"),
    slips=(
        Slip(
            "fraction_for_percent",
            "`torch.quantile` takes a fraction between 0 and 1, and `percent` lies between 0 and 100: divide by 100.",
            error=r"must be in the range \[0, 1\]",
        ),
        Slip(
            "empty_batch",
            "One of the batches holds no images, and an empty tensor has no maximum. Put all batches together first.",
            error=r"numel\(\) == 0|non-empty|zero-size|non-zero size|empty",
        ),
        Slip(
            "mean_of_batches",
            "This is the mean of the batches' thresholds. It depends on how the data is divided, and it clips: the "
            "threshold is that of all activations together.",
            gives=of_batches(np.mean),
        ),
        Slip(
            "running_average",
            "This is a running average of the batches' thresholds, as some libraries keep it. It lies below the "
            "maximum, so clipping stays. The threshold is that of all activations together.",
            gives=of_batches(running_average),
        ),
        Slip(
            "last_batch",
            "This is the threshold of the last batch alone. Gather over all batches.",
            gives=of_batches(lambda values: values[-1]),
        ),
        Slip(
            "largest_of_batches",
            "This is the largest of the batches' percentiles. For the maximum that is right, for a percentile it is "
            "not: put all activations together first.",
            gives=of_batches(max),
        ),
        Slip(
            "zeros_left_out",
            "The zeros are left out. Neurons that are silent count too: the percentile is over all activations.",
            gives=without_zeros,
        ),
        Slip(
            "percent_unused",
            "This is the maximum, whatever `percent` is.",
            gives=lambda asked: {"threshold": together(asked).max()},
        ),
        Slip(
            "one_per_channel",
            "This is more than one number. Asked for is one threshold for the whole layer.",
            seen=lambda got, asked: got["threshold"].size > 1,
        ),
    ),
    hints=(
        "If all activations were in one long list, what would you do? Does it matter into which batches they "
        "were cut?",
        "`torch.cat` puts flattened batches together, empty ones included. `torch.quantile` interpolates "
        "linearly; its q is a fraction.",
        "`torch.quantile(torch.cat([batch.flatten() for batch in batches]), percent / 100)`",
    ),
    withheld=("snnkit.conversion.threshold.Maximum", "snnkit.conversion.threshold.Percentile"),
)
