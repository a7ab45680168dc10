"""Spike counts as shares of a row."""

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call


def cases(rng):
    for group, label, counts in (
        ("rows", "counts [4, 3]", rng.integers(1, 9, (4, 3))),
        ("rows", "counts [1, 5]", rng.integers(1, 9, (1, 5))),
        (
            "rows",
            "counts [3, 4], a neuron that never fires",
            rng.integers(1, 9, (3, 4)) * np.array([1, 0, 1, 1]),
        ),
        ("rows", "single spikes", np.array([[1, 0, 0], [0, 1, 0], [0, 2, 1]])),
        ("rows", "no rows", np.zeros((0, 3), dtype=np.int64)),
        (
            "silent",
            "counts [3, 4], a row without a spike",
            rng.integers(1, 9, (3, 4)) * np.array([[1], [0], [1]]),
        ),
        ("silent", "nothing but silence", np.zeros((2, 3), dtype=np.int64)),
        ("argument", "counts [3, 2]", rng.integers(1, 9, (3, 2)).astype(np.float64)),
    ):
        yield Case(group, label, call("shares", counts))


def divided_by_sum(axis):
    def shares(counts):
        return (counts.double() / counts.sum(axis, keepdim=True)).nan_to_num(0)

    return shares


QUESTION = Question(
    "ps0.shares",
    "Counts as shares",
    (
        Group("rows", 0.5, "each row divided by its sum"),
        Group("silent", 0.25, "a row without a spike"),
        Group("argument", 0.25, "the counts stay as they were", unchanged=True),
    ),
    cases,
    {"shares": divided_by_sum(1)},
    tensors=False,
    right_in_torch=True,
    within=Tolerance(1e-9, 1e-12, "whole numbers, or one division of whole numbers, in double precision"),
    slips=(
        Slip(
            "silent_row",
            "A row without a spike is divided by 0, and one number that is not a number spoils all that is computed "
            "from it. Its shares are 0.",
            seen=lambda got, asked: not np.isfinite(got["shares"]).all(),
        ),
        Slip(
            "whole_table",
            "This divides by the sum of the whole table. Each row has a sum of its own.",
            divided_by_sum(None),
        ),
        Slip(
            "by_column",
            "This divides each column by its sum: `axis=0` adds over the rows. A row's own sum is `axis=1`.",
            divided_by_sum(0),
        ),
        Slip(
            "axis_lost",
            "The sums have shape [N], and NumPy lines that up with the columns. Keep the axis: "
            "`counts.sum(axis=1, keepdims=True)`.",
            error=r"could not be broadcast",
        ),
        Slip(
            "whole_numbers_in_place",
            "The counts are whole numbers and cannot hold shares. Make a new array instead of writing into theirs.",
            error=r"Cannot cast ufunc",
        ),
    ),
    hints=(
        "What is the sum of a row, and which shape must the array of sums have to divide row by row?",
        "`counts.sum(axis=1, keepdims=True)` has shape [N, 1]. For a row without a spike divide by 1 instead: 0 / 1 is 0.",
        "`total = counts.sum(axis=1, keepdims=True)`, then `return counts / np.maximum(total, 1)`.",
    ),
)
