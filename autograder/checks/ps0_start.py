"""Checks of the practice set: spikes counted, the longest silence of a train, counts as shares.

Everything here is small whole numbers and one division, so that the answers are known exactly.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from autograder.checks.core import Array, Arrays, Case, Check, Data, Group, Misconception, Tolerance

EXACT = Tolerance(1e-9, 1e-12, "whole numbers, or one division of whole numbers, in double precision")

# ------------------------------------------------------------------------------------------------- counting


def _probe_count(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    return {"count": answer["spike_count"](data["charge"], data["threshold"])}


def _count_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
    for size in (9, 31):  # odd: as many that fire as that do not is not possible
        charge = np.round(rng.uniform(-1, 3, size), 2) + 0.001
        threshold = float(rng.integers(1, 4)) / 2
        cases.append(
            Case(
                "count",
                f"{size} charges, threshold {threshold:g}",
                {"charge": charge, "threshold": threshold},
            )
        )
    for label, charge, threshold in (
        ("charges at the threshold", np.array([0.5, 1.0, 1.5, 1.0, 0.25]), 1.0),
        ("all of them at the threshold", np.full(4, 0.75), 0.75),
        ("none reaches it", np.array([-2.0, 0.5, 0.999]), 1.0),
        ("no charges", np.zeros(0), 1.0),
    ):
        cases.append(Case("edges", label, {"charge": charge, "threshold": threshold}))
    return cases


def _count(data: Data, fires: Callable[[Array, float], Array]) -> Arrays:
    return {"count": np.array(fires(data["charge"], data["threshold"]).sum())}


SPIKE_COUNT = Check(
    id="ps0.spike_count",
    title="Counting spikes",
    names=("spike_count",),
    groups=(
        Group("count", 0.5, "how many charges reach the threshold"),
        Group("edges", 0.5, "exactly at the threshold, none at all, no charges"),
    ),
    cases=_count_cases,
    probe=_probe_count,
    expected=lambda data: _count(data, np.greater_equal),
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "strict_threshold",
            "This is what `>` counts. A neuron exactly at its threshold fires: count with `>=`.",
            arrays=lambda data: _count(data, np.greater),
        ),
        Misconception(
            "silent_counted",
            "This is the number of charges that stay below the threshold.",
            arrays=lambda data: _count(data, np.less),
        ),
        Misconception(
            "mask_for_count",
            "This is one value for each charge. Asked for is one number: how many of them fire.",
            when=lambda arrays, data: (
                arrays["count"].ndim > 0 and arrays["count"].size == data["charge"].size
            ),
        ),
        Misconception(
            "share_for_count",
            "This is the share of the neurons that fire. Asked for is their number.",
            arrays=lambda data: {
                "count": _count(data, np.greater_equal)["count"] / max(data["charge"].size, 1)
            },
        ),
        Misconception(
            "sum_of_charges",
            "This adds the charges of the neurons that fire. Count the neurons.",
            arrays=lambda data: {
                "count": np.array(data["charge"][data["charge"] >= data["threshold"]].sum())
            },
        ),
    ),
    hints=(
        "Compare the array with the threshold: the result is an array of the same length, of True and False.",
        "True counts as 1 and False as 0, so the sum of such an array is a number of neurons. Look at the sign of "
        "comparison once more: what does the question say about a charge exactly at the threshold?",
        "`return int((charge >= threshold).sum())`",
    ),
)

# -------------------------------------------------------------------------------------------------- silence

EDGES = ("", "0", "1", "0000", "111", "1000", "0001", "0100010", "10001001", "0011100", "0010000", "0000100")


def _probe_silence(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    return {"longest silence": answer["longest_silence"](data["train"])}


def _train(rng: np.random.Generator, place: str) -> Array:
    """A train whose longest silence stands at the start, in the middle or at the end; at the other end stands one of 3."""
    longest, others = int(rng.integers(4, 8)), [int(run) for run in rng.integers(0, 3, 3)]
    runs = {"start": [longest, *others, 3], "middle": [2, longest, *others], "end": [3, *others, longest]}[
        place
    ]
    return np.array([mark for run in runs for mark in [0] * run + [1]][:-1], dtype=np.int64)


def _silence_cases(rng: np.random.Generator) -> list[Case]:
    trains = [("edges", np.array([int(mark) for mark in edge], dtype=np.int64)) for edge in EDGES]
    trains += [("drawn", _train(rng, place)) for place in ("start", "middle", "end") * 2]
    return [Case(group, said(train), {"train": train}) for group, train in trains]


def said(train: Array) -> str:
    """A spike train as text: one 0 or 1 for each step."""
    return "".join(str(int(spike)) for spike in train) or "an empty train"


def _runs(train: Array) -> list[int]:
    """Length of each run of silent steps, before the first, between and after the last spike (0 where there is none)."""
    places = [-1, *np.flatnonzero(train).tolist(), len(train)]
    return [after - before - 1 for before, after in itertools.pairwise(places)]


def _longest(choose: Callable[[Array], list[int]]) -> Callable[[Data], Arrays]:
    return lambda data: {"longest silence": np.array(max(choose(data["train"]), default=0))}


LONGEST_SILENCE = Check(
    id="ps0.longest_silence",
    title="The longest silence",
    names=("longest_silence",),
    groups=(
        Group("edges", 0.5, "short trains, and silence at either end"),
        Group("drawn", 0.5, "trains drawn at random"),
    ),
    cases=_silence_cases,
    probe=_probe_silence,
    expected=_longest(_runs),
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "ends_forgotten",
            "This looks between spikes only. Steps before the first spike and after the last one are silent too.",
            arrays=_longest(lambda train: _runs(train)[1:-1]),
        ),
        Misconception(
            "end_forgotten",
            "The silence after the last spike is not looked at: nothing ends it but the end of the train.",
            arrays=_longest(lambda train: _runs(train)[:-1]),
        ),
        Misconception(
            "start_forgotten",
            "The silence before the first spike is not looked at.",
            arrays=_longest(lambda train: _runs(train)[1:]),
        ),
        Misconception(
            "distance_for_silence",
            "This is the distance from spike to spike. Two spikes in neighbouring steps have no silent step between them.",
            arrays=_longest(lambda train: [run + 1 for run in _runs(train)[1:-1]]),
        ),
        Misconception(
            "all_silence",
            "This counts all silent steps. Asked for are those in a row.",
            arrays=_longest(lambda train: [int((train == 0).sum())]),
        ),
        Misconception(
            "longest_burst",
            "This is the longest run of spikes. Asked for is the longest run of steps without one.",
            arrays=_longest(lambda train: _runs(1 - train)),
        ),
        Misconception(
            "empty_train",
            "A train without a step is a train as well. Does your code need a first step, or a first spike?",
            error=r"index 0 is out of bounds|zero-size array|empty sequence|iterable argument is empty",
        ),
    ),
    hints=(
        "Go through the train step by step. What do you have to remember from one step to the next?",
        "Keep two numbers: how long the present silence is, and the longest so far. A silent step makes the first one "
        "larger by 1; a spike sets it back to 0.",
        "`current = 0 if spike else current + 1`, then `longest = max(longest, current)`, in a loop over the train "
        "that starts with both at 0; `return longest` after the loop.",
    ),
)

# --------------------------------------------------------------------------------------------------- shares


def _probe_shares(answer: Mapping[str, Any], data: Data) -> Mapping[str, Any]:
    """The shares, and whether the argument still is what it was."""
    import numpy as np

    counts = data["counts"]
    before = counts.copy()
    shares = answer["shares"](counts)
    if data["part"] == "argument":
        return {"counts unchanged": np.array_equal(counts, before)}
    return {"shares": shares}


def _shares_cases(rng: np.random.Generator) -> list[Case]:
    cases = []
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
        part = "argument" if group == "argument" else "shares"
        cases.append(Case(group, label, {"counts": counts, "part": part}))
    return cases


def _divided(counts: Array, total: Array) -> Array:
    return np.divide(
        counts, total, out=np.zeros(counts.shape), where=np.broadcast_to(total > 0, counts.shape)
    )


def _expected_shares(data: Data) -> Arrays:
    if data["part"] == "argument":
        return {"counts unchanged": np.array(True)}
    return {"shares": _divided(data["counts"], data["counts"].sum(1, keepdims=True))}


SHARES = Check(
    id="ps0.shares",
    title="Counts as shares",
    names=("shares",),
    groups=(
        Group("rows", 0.5, "each row divided by its sum"),
        Group("silent", 0.25, "a row without a spike"),
        Group("argument", 0.25, "the counts stay as they were"),
    ),
    cases=_shares_cases,
    probe=_probe_shares,
    expected=_expected_shares,
    tolerance=EXACT,
    misconceptions=(
        Misconception(
            "silent_row",
            "A row without a spike is divided by 0, and one number that is not a number spoils all that is computed "
            "from it. Its shares are 0.",
            when=lambda arrays, data: "shares" in arrays and not bool(np.isfinite(arrays["shares"]).all()),
        ),
        Misconception(
            "whole_table",
            "This divides by the sum of the whole table. Each row has a sum of its own.",
            arrays=lambda data: {"shares": _divided(data["counts"], data["counts"].sum(keepdims=True))},
        ),
        Misconception(
            "by_column",
            "This divides each column by its sum: `axis=0` adds over the rows. A row's own sum is `axis=1`.",
            arrays=lambda data: {"shares": _divided(data["counts"], data["counts"].sum(0, keepdims=True))},
        ),
        Misconception(
            "axis_lost",
            "The sums have shape [N], and NumPy lines that up with the columns. Keep the axis: "
            "`counts.sum(axis=1, keepdims=True)`.",
            error=r"could not be broadcast",
        ),
        Misconception(
            "in_place",
            "Your function changes the array that it was given: `counts /= ...` writes into it. Whoever called it still "
            "needs the counts; make a new array.",
            when=lambda arrays, data: "counts unchanged" in arrays,
        ),
        Misconception(
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

CHECKS = (SPIKE_COUNT, LONGEST_SILENCE, SHARES)
