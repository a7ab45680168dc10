"""The longest run of silent steps of a train."""

import itertools

import numpy as np

from autograder.question import Case, Group, Question, Slip, Tolerance, call

EDGES = ("", "0", "1", "0000", "111", "1000", "0001", "0100010", "10001001", "0011100", "0010000", "0000100")


def drawn(rng, place):
    """A train whose longest silence stands at the start, in the middle or at the end; at the other end stands one of 3."""
    longest, others = int(rng.integers(4, 8)), [int(run) for run in rng.integers(0, 3, 3)]
    runs = {"start": [longest, *others, 3], "middle": [2, longest, *others], "end": [3, *others, longest]}[
        place
    ]
    return np.array([mark for run in runs for mark in [0] * run + [1]][:-1], dtype=np.int64)


def cases(rng):
    trains = [("edges", np.array([int(mark) for mark in edge], dtype=np.int64)) for edge in EDGES]
    trains += [("drawn", drawn(rng, place)) for place in ("start", "middle", "end") * 2]
    for group, train in trains:
        said = "".join(str(int(spike)) for spike in train) or "an empty train"
        yield Case(group, said, call("longest_silence", train), intact=group == "edges")


def runs(train):
    """Length of each run of silent steps, before the first, between and after the last spike (0 where there is none)."""
    places = [-1, *train.nonzero().flatten().tolist(), len(train)]
    return [after - before - 1 for before, after in itertools.pairwise(places)]


def longest(choose):
    return lambda train: max(choose(train), default=0)


QUESTION = Question(
    "ps0.longest_silence",
    "The longest silence",
    (
        Group("edges", 0.5, "short trains, and silence at either end"),
        Group("drawn", 0.5, "trains drawn at random"),
    ),
    cases,
    {"longest_silence": longest(runs)},
    tensors=False,
    right_in_torch=True,
    gives={"longest_silence": ("longest silence",)},
    within=Tolerance(1e-9, 1e-12, "whole numbers, or one division of whole numbers, in double precision"),
    slips=(
        Slip(
            "ends_forgotten",
            "This looks between spikes only. Steps before the first spike and after the last one are silent too.",
            longest(lambda train: runs(train)[1:-1]),
        ),
        Slip(
            "end_forgotten",
            "The silence after the last spike is not looked at: nothing ends it but the end of the train.",
            longest(lambda train: runs(train)[:-1]),
        ),
        Slip(
            "start_forgotten",
            "The silence before the first spike is not looked at.",
            longest(lambda train: runs(train)[1:]),
        ),
        Slip(
            "distance_for_silence",
            "This is the distance from spike to spike. Two spikes in neighbouring steps have no silent step between them.",
            longest(lambda train: [run + 1 for run in runs(train)[1:-1]]),
        ),
        Slip(
            "all_silence",
            "This counts all silent steps. Asked for are those in a row.",
            longest(lambda train: [int((train == 0).sum())]),
        ),
        Slip(
            "longest_burst",
            "This is the longest run of spikes. Asked for is the longest run of steps without one.",
            longest(lambda train: runs(1 - train)),
        ),
        Slip(
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
