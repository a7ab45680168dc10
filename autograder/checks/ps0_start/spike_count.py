"""How many charges reach the threshold."""

import numpy as np
import torch

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def cases(rng):
    for size in (
        9,
        1201,
    ):  # odd: as many that fire as that do not is not possible; more than a byte can count
        charge = np.round(rng.uniform(-1, 3, size), 2)
        charge[[0, -1]] = 2.5  # whoever leaves out the first or the last is wrong
        charge[[1, 2]] = 0.75, 1.25  # and so is who takes 1 for the threshold
        threshold = float(rng.choice([0.5, 1.5]))  # never 1: some take that for every threshold
        label = f"{size} charges, threshold {threshold:g}"
        yield Case("count", label, call("spike_count", charge + 0.001, threshold))
    for label, charge, threshold in (
        ("charges at the threshold", np.array([0.5, 1.0, 1.5, 1.0, 0.25]), 1.0),
        ("most of them at the threshold", np.array([0.75, 0.75, 0.9, 0.75, 1.2, 1.3, 0.75]), 0.75),
        ("none reaches it", np.array([-2.0, 0.5, 0.999]), 1.0),
        ("no charges", np.zeros(0), 1.0),
    ):
        yield Case("edges", label, call("spike_count", charge, threshold), intact=True)


def counted(fires, of=lambda fired, charge: fired.sum()):
    """What is made ``of`` the marks of those that fire, and of the charges; by default the count."""
    return lambda charge, threshold: of(fires(charge, threshold), charge)


QUESTION = Question(
    "ps0.spike_count",
    "Counting spikes",
    (
        Group("count", 0.5, "how many charges reach the threshold"),
        Group("edges", 0.5, "exactly at the threshold, none at all, no charges"),
    ),
    cases,
    {"spike_count": counted(torch.ge)},
    tensors=False,
    right_in_torch=True,
    gives={"spike_count": ("count",)},
    within=Tolerance(1e-9, 1e-12, "whole numbers, or one division of whole numbers, in double precision"),
    slips=(
        Slip(
            "strict_threshold",
            "This is what `>` counts. A neuron exactly at its threshold fires: count with `>=`.",
            counted(torch.gt),
        ),
        Slip(
            "silent_counted",
            "This is the number of charges that stay below the threshold.",
            counted(torch.lt),
        ),
        Slip(
            "turned_round",
            "This is the number of charges that stay at or below the threshold: the comparison is the wrong way round, or "
            "the two arguments have changed places.",
            counted(torch.le),
        ),
        Slip(
            "mask_for_count",
            "This is one value for each charge. Asked for is one number: how many of them fire.",
            seen=lambda got, asked: got["count"].ndim > 0 and got["count"].size == asked["charge"].size,
        ),
        Slip(
            "share_for_count",
            "This is the share of the neurons that fire. Asked for is their number.",
            counted(torch.ge, lambda fired, charge: fired.double().sum() / max(charge.numel(), 1)),
        ),
        Slip(
            "sum_of_charges",
            "This adds the charges of the neurons that fire. Count the neurons.",
            counted(torch.ge, lambda fired, charge: charge[fired].sum()),
        ),
    ),
    hints=(
        "Compare the array with the threshold: the result is an array of the same length, of True and False.",
        "True counts as 1 and False as 0, so the sum of such an array is a number of neurons. Look at the sign of "
        "comparison once more: what does the question say about a charge exactly at the threshold?",
        "`return int((charge >= threshold).sum())`",
    ),
)
